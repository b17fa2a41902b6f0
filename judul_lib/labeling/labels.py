"""People's labels on pairs of titles, from feedback in the log and from CSV files."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from judul_lib.core.delimited import Warn
from judul_lib.core.errors import LabelError
from judul_lib.core.pseudonyms import keyed_hash
from judul_lib.core.settings import DECISIONS, DIFFERENT, SIMILAR
from judul_lib.core.tables import find_column
from judul_lib.study.corpus import read_table
from judul_lib.study.preprocessing import pair_key, preprocess_cells, preprocess_titles, title_key

LABEL_COLUMNS = ("judul_a", "judul_b", "label")
_LABELS: Mapping[str, int | None] = {
    "mirip": 1, "1": 1, "tidak": 0, "tidak mirip": 0, "0": 0, "ragu": None,
}  # fmt: skip
_VERDICTS: Mapping[tuple[str, bool], int] = {
    (SIMILAR, True): 1, (SIMILAR, False): 0, (DIFFERENT, True): 0, (DIFFERENT, False): 1,
}  # fmt: skip


@dataclass(frozen=True)
class PairVotes:
    """People's answers on pairs.

    Attributes
    ----------
    rows : list of (str, str, int)
        Two titles, and 1 (similar) or 0 (not).
    n_unsure : int
        Answers that say neither.
    n_unreadable : int
        Answers on titles that are blank or cannot be recovered from their hashes.
    """

    rows: list[tuple[str, str, int]] = field(default_factory=list)
    n_unsure: int = 0
    n_unreadable: int = 0

    def __add__(self, other: "PairVotes") -> "PairVotes":
        return PairVotes(
            self.rows + other.rows,
            self.n_unsure + other.n_unsure,
            self.n_unreadable + other.n_unreadable,
        )


@dataclass(frozen=True)
class MajorityLabels:
    """One label per labelled pair.

    Attributes
    ----------
    pairs : DataFrame
        ``judul_a``, ``judul_b``, ``label`` (1 similar, 0 not).
    n_answers : int
        Answers in total, ties included.
    n_ties : int
        Pairs left out for lack of a majority.
    """

    pairs: pd.DataFrame
    n_answers: int
    n_ties: int


def feedback_votes(rows: Iterable[Mapping[str, Any]], titles: Sequence[str], key: bytes) -> PairVotes:
    """Convert users' feedback on verdicts to votes.

    A right *MIRIP* and a wrong *TIDAK MIRIP* mean similar, the others not. Of a
    user's answers on a pair the last counts. Simulated rows are ignored.

    Parameters
    ----------
    rows : iterable of mapping
        Of the table ``feedback``, in order of time.
    titles : sequence of str
        Titles whose hashes can be resolved.
    key : bytes
        Of the hashes, as from `judul_lib.core.pseudonyms.log_key`.
    """
    title_of = {keyed_hash(key, title): title for title in titles}
    last: dict[Any, tuple[str, str, int]] = {}
    n_unsure = n_unreadable = 0
    for number, row in enumerate(rows):
        if row["is_right"] is None or row["simulated"]:
            continue
        label = _VERDICTS.get((row["label"], bool(row["is_right"])))
        sides = [row[f"{side}_text"] or title_of.get(row[f"{side}_hash"]) for side in ("query", "match")]
        if label is None:  # TANYAKAN is neither similar nor different.
            n_unsure += 1
        elif not all(sides) or not all(preprocess_titles(sides)):
            n_unreadable += 1
        else:
            left, right = map(str, sides)
            user = row["user"] or number  # Rows without a user cannot be matched to earlier ones.
            last[user, pair_key(left, right)] = left, right, label
    return PairVotes(list(last.values()), n_unsure, n_unreadable)


def decision_votes(rows: Iterable[Mapping[str, Any]], titles: Iterable[str], key: bytes) -> PairVotes:
    """Convert decisions on pairs to votes: those that may be learnt from, one each.

    Parameters
    ----------
    rows : iterable of mapping
        Of the table ``decisions``.
    titles : iterable of str
        Titles whose hashes can be resolved, whatever their case, blanks and punctuation.
    key : bytes
        Of the hashes, as from `judul_lib.core.pseudonyms.log_key`.
    """
    title_of = {keyed_hash(key, title_key(title)): title for title in titles}
    votes, n_unreadable = [], 0
    for row in rows:
        if not row["consent"]:
            continue
        left, right = (
            row[f"{side}_text"] or title_of.get(row[f"{side}_hash"]) for side in ("first", "second")
        )
        if left and right and all(preprocess_titles([left, right])):
            votes.append((left, right, int(DECISIONS[row["decision"]] == SIMILAR)))
        else:
            n_unreadable += 1
    return PairVotes(votes, n_unreadable=n_unreadable)


def read_label_file(
    path: str | Path, *, warn: Warn = lambda text: None, sheet: str | None = None
) -> PairVotes:
    r"""Read a CSV or XLSX with ``judul_a``, ``judul_b`` and ``label`` (mirip, tidak, ragu; 1, 0).

    Parameters
    ----------
    warn, sheet
        See `judul_lib.study.corpus.read_table`.

    Raises
    ------
    LabelError
        A title is blank or a label is unknown.
    CorpusError
        The file is missing or not a table, or a column is missing.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "label.csv"
    ...     _ = path.write_text("judul_a,judul_b,label\nHoaks,Berita Bohong,mirip\nHoaks,Padi,ragu\n")
    ...     read_label_file(path)
    PairVotes(rows=[('Hoaks', 'Berita Bohong', 1)], n_unsure=1, n_unreadable=0)
    """
    path = Path(path)
    frame = read_table(path, warn=warn, sheet=sheet)
    positions = [find_column(list(frame.columns), name, path.name) for name in LABEL_COLUMNS]
    lefts, rights, words = (frame.iloc[:, position].str.strip().tolist() for position in positions)
    stems = preprocess_cells([*lefts, *rights])
    rows, n_unsure = [], 0
    for row, (line, left, right, word) in enumerate(zip(frame.index, lefts, rights, words, strict=True)):
        for column, text in zip(LABEL_COLUMNS, (stems[row], stems[len(lefts) + row]), strict=False):
            if not text:
                raise LabelError(
                    f"{path.name} baris {line}: {column} kosong atau tidak berisi kata yang dapat "
                    "dibandingkan. Tulis judul lengkapnya, atau hapus baris itu."
                )
        if word.casefold() not in _LABELS:
            raise LabelError(
                f"{path.name} baris {line}: label {word[:40]!r} tidak dikenal. Tulis mirip, tidak, "
                "atau ragu (boleh juga 1 atau 0)."
            )
        label = _LABELS[word.casefold()]
        if label is None:
            n_unsure += 1
        else:
            rows.append((left, right, label))
    return PairVotes(rows, n_unsure)


def majority_vote(answers: PairVotes) -> MajorityLabels:
    """Give each pair the label of the majority, whatever the order of its titles.

    Examples
    --------
    >>> labels = majority_vote(PairVotes([("A x", "B y", 1), ("b Y", "a X", 1), ("A x", "B y", 0)]))
    >>> labels.pairs.to_numpy().tolist(), labels.n_answers
    ([['A x', 'B y', 1]], 3)
    """
    votes: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    sides: dict[tuple[str, str], tuple[str, str]] = {}
    for left, right, label in answers.rows:
        key = pair_key(left, right)
        sides.setdefault(key, (left, right))
        votes[key][label] += 1
    decided = {key: int(count[1] > count[0]) for key, count in votes.items() if count[0] != count[1]}
    pairs = pd.DataFrame(
        [(*sides[key], label) for key, label in decided.items()], columns=list(LABEL_COLUMNS)
    )
    return MajorityLabels(
        pairs=pairs.astype({"label": int}),
        n_answers=len(answers.rows),
        n_ties=len(votes) - len(decided),
    )
