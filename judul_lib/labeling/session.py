"""One person's answers to a queue of pairs: each is saved at once and can be undone."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from judul_lib.core.errors import CorpusError, LabelError
from judul_lib.core.storage import csv_text, escape_formula, file_lock, write_bytes
from judul_lib.core.tables import find_column
from judul_lib.labeling.labels import LABEL_COLUMNS
from judul_lib.study.corpus import read_table
from judul_lib.study.preprocessing import pair_key

ANSWERS = ("mirip", "tidak", "ragu")
ANSWER_COLUMNS = (*LABEL_COLUMNS, "pelabel", "waktu")
_MAX_NAME_LENGTH = 40
Pair = tuple[str, str]


@dataclass(frozen=True)
class LabelRecord:
    """A row of an answer file.

    Attributes
    ----------
    pair : (str, str)
    label : {"mirip", "tidak", "ragu"}
    labeller : str
        As from `labeller_id`.
    time : str
        ISO 8601, UTC.
    """

    pair: Pair
    label: str
    labeller: str
    time: str

    @property
    def key(self) -> Pair:
        """Identifier of the pair, whatever the order of its titles."""
        return pair_key(*self.pair)


def labeller_id(name: str) -> str:
    """Return a name as used in files and file names: lowercase letters, digits and hyphens.

    Raises
    ------
    LabelError
        The name has no such characters.

    Examples
    --------
    >>> labeller_id(" Ibu Añi ../2")
    'ibu-ani-2'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    identifier = "-".join(re.findall(r"[a-z0-9]+", plain))[:_MAX_NAME_LENGTH].strip("-")
    if not identifier:
        raise LabelError(
            "Tulis nama atau kode pelabel dengan huruf latin atau angka, misalnya ani atau p1. "
            "Nama samaran boleh; pakai yang sama setiap kali."
        )
    return identifier


def answer_file(folder: str | Path, labeller: str) -> Path:
    """Return the path of a labeller's answers, which is always inside the folder.

    Examples
    --------
    >>> answer_file("label", "../Ani").as_posix()
    'label/label-ani.csv'
    """
    return Path(folder) / f"label-{labeller_id(labeller)}.csv"


def read_answers(path: str | Path) -> list[LabelRecord]:
    """Read a labeller's answers; an empty list if the file does not exist.

    Raises
    ------
    LabelError
        The file is damaged; the message says where.

    Examples
    --------
    >>> read_answers("tidak-ada.csv")
    []
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        frame = read_table(path)
        columns = [find_column(list(frame.columns), name, path.name) for name in ANSWER_COLUMNS]
    except CorpusError as error:
        raise _damaged(path, str(error)) from error
    answers: dict[Pair, LabelRecord] = {}
    for line, row in zip(frame.index, frame.iloc[:, columns].itertuples(index=False), strict=True):
        left, right, label, labeller, time = (str(cell) for cell in row)
        if not (left.strip() and right.strip() and labeller and label in ANSWERS and _is_time(time)):
            raise _damaged(path, f"Baris {line} tidak lengkap atau labelnya bukan mirip, tidak, ragu.")
        answer = LabelRecord((left, right), label, labeller, time)
        answers.pop(answer.key, None)  # A later answer to a pair replaces the earlier one.
        answers[answer.key] = answer
    return list(answers.values())


class LabelingSession:
    """A queue of pairs and one person's answers, kept in a CSV.

    The file holds the last answer to each pair. Each answer re-reads the file and
    replaces it atomically, under a lock, so that two sessions can share it.

    Parameters
    ----------
    folder : path
        Of the answers, one file per labeller; created with the first answer.
    labeller : str
        Name or pseudonym.
    pairs : sequence of (str, str)
        In the order of asking. Those answered before are skipped.
    clock : callable
        Returns the current time.

    Raises
    ------
    LabelError
        The name or the file cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> session = LabelingSession(folder, "p1", [("Harga beras", "Harga padi"), ("Kopi", "Teh")])
    >>> session.answer("mirip")
    >>> session.current, session.n_done
    (('Kopi', 'Teh'), 1)
    >>> session.undo()
    ('Harga beras', 'Harga padi')
    """

    def __init__(
        self,
        folder: str | Path,
        labeller: str,
        pairs: Sequence[Pair],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.labeller = labeller_id(labeller)
        self.path = answer_file(folder, labeller)
        self._clock = clock
        self._answers = self._read()
        self._queue: dict[Pair, Pair] = {}
        self.extend(pairs)

    def extend(self, pairs: Sequence[Pair]) -> None:
        """Append pairs to the queue."""
        for pair in pairs:
            self._queue.setdefault(pair_key(*pair), pair)

    @property
    def answers(self) -> list[LabelRecord]:
        """All answers in the file when this session last read it."""
        return list(self._answers.values())

    @property
    def queue(self) -> list[Pair]:
        """All pairs in the order of asking."""
        return list(self._queue.values())

    @property
    def total(self) -> int:
        """Pairs in the queue."""
        return len(self._queue)

    @property
    def n_done(self) -> int:
        """Pairs of the queue that are answered."""
        return sum(key in self._answers for key in self._queue)

    @property
    def counts(self) -> dict[str, int]:
        """Number of pairs of the queue with each of `ANSWERS`."""
        counts = Counter(self._answers[key].label for key in self._queue if key in self._answers)
        return {label: counts[label] for label in ANSWERS}

    @property
    def current(self) -> Pair | None:
        """The next pair to answer; None if all are answered."""
        return next((pair for key, pair in self._queue.items() if key not in self._answers), None)

    @property
    def can_undo(self) -> bool:
        """Whether there is an answer to undo."""
        return any(key in self._queue for key in self._answers)

    def answer(self, label: str) -> None:
        """Save an answer to the current pair and advance to the next.

        Raises
        ------
        LabelError
            The label is unknown, no pair is left, or the file was damaged meanwhile.
        OSError
            Disk full or no permission; the answer is not saved and the pair stays current.
        """
        if label not in ANSWERS:
            raise LabelError(f"Jawaban {label!r} tidak dikenal. Pilih: {', '.join(ANSWERS)}.")
        pair = self.current
        if pair is None:
            raise LabelError("Semua pasangan sudah dijawab. Ambil pasangan berikutnya.")
        with self._locked_answers() as answers:
            time = self._clock().astimezone(UTC).isoformat(timespec="seconds")
            answer = LabelRecord(pair, label, self.labeller, time)
            answers.pop(answer.key, None)
            answers[answer.key] = answer

    def undo(self) -> Pair | None:
        """Remove the last answer to a pair of the queue, which becomes current again.

        Returns
        -------
        (str, str) or None
            The pair; None if there is nothing to undo.
        """
        key = next((key for key in reversed(self._answers) if key in self._queue), None)
        if key is None:
            return None
        last = self._answers[key]
        with self._locked_answers() as answers:
            stored = answers.get(key)
            # Keep a newer answer of another session. Titles may differ, as the file escapes formulas.
            if stored is not None and (stored.label, stored.time) == (last.label, last.time):
                del answers[key]
        return self._queue[key]

    @contextmanager
    def _locked_answers(self) -> Iterator[dict[Pair, LabelRecord]]:
        """Yield the file's answers for changing, and write them before the lock is released."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(self.path.with_name(f".{self.path.name}.lock")):
            answers = self._read()
            before = dict(answers)
            yield answers
            if list(answers.values()) != list(before.values()):
                write_bytes(self.path, _csv(list(answers.values())))
        self._answers = answers

    def _read(self) -> dict[Pair, LabelRecord]:
        answers = read_answers(self.path)
        other = next((a.labeller for a in answers if a.labeller != self.labeller), None)
        if other is not None:
            raise LabelError(
                f"{self.path.name} berisi jawaban pelabel lain ({other[:_MAX_NAME_LENGTH]}). Setiap "
                "pelabel punya berkas sendiri; pindahkan berkas itu atau pakai nama lain."
            )
        return {answer.key: answer for answer in answers}


def _csv(answers: Sequence[LabelRecord]) -> bytes:
    rows = ((*answer.pair, answer.label, answer.labeller, answer.time) for answer in answers)
    cells = (dict(zip(ANSWER_COLUMNS, map(escape_formula, row), strict=True)) for row in rows)
    return csv_text(cells, ANSWER_COLUMNS).encode("utf-8")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _damaged(path: Path, reason: str) -> LabelError:
    return LabelError(
        f"Berkas jawaban {path.name} rusak dan tidak diubah. {reason} "
        "Perbaiki, atau pindahkan berkas itu untuk mulai lagi."
    )
