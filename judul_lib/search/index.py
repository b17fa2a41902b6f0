"""A corpus prepared once, so that titles are checked against a million without preparing it again.

No title is compared with all of them. The results are those that the plain check promises
(`judul_lib.checking.checker.Checker.check`): for a model of the study, the same titles, scores and
order from a probability of 0.05 on. The index is a folder of immutable parts; ``index.json`` names
the parts and the removed rows. It is replaced atomically, so that a reader sees the old state or the
new one.
"""

import os
import warnings
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from judul_lib.checking.checker import MIN_PROMISED, Checker, Comparison
from judul_lib.checking.matches import Evidence, Matches, best_matches, require_threshold, require_top_k
from judul_lib.checking.ranking import TopRows
from judul_lib.checking.registry import read_metadata
from judul_lib.checking.stored_gauge import stored_threshold
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.errors import CorpusError
from judul_lib.core.parallel import run_tasks
from judul_lib.core.settings import DECISION_THRESHOLD, ELSEWHERE
from judul_lib.search import index_files
from judul_lib.search.engines import StructuredEngine, StudyEngine, load_engine, make_part
from judul_lib.search.index_files import StoredPart
from judul_lib.study.features import TitleTable
from judul_lib.study.preprocessing import require_titles, warn_incomparable_titles

PART_ROWS = 131_072
"""Titles in a part: the arrays of one query then fit in the processor's cache."""
_QUERY_BATCH = 16
Progress = Callable[[int, int], None]


class TitleIndex(Checker):
    """A model with a corpus of any size, which answers as a `Checker` promises to.

    Use `build` or `load`.

    Attributes
    ----------
    titles : sequence of str, shape (n,)
        The corpus as typed, read from the index on access.
    name : str
        Name of the model.
    n_threads : int
        Number of threads that search parts; the number of processors by default.
    n_scored : int
        Number of titles that the last check compared in full; with several threads and parts it
        varies.

    Examples
    --------
    >>> index = TitleIndex.build(["Prediksi Harga Beras", "Klasifikasi Daun Padi"], "outputs/light")
    >>> index.check("Prediksi Harga Cabai", top_k=1).titles
    ['Prediksi Harga Beras']
    """

    titles: "IndexTitles"

    def __init__(
        self,
        model: str | Path,
        parts: Iterable[StoredPart] = (),
        *,
        threshold: float = DECISION_THRESHOLD,
        elsewhere: str = ELSEWHERE,
    ) -> None:
        self.threshold = require_threshold(threshold)
        self._model = Path(model)
        self.name = str(read_metadata(model)["name"])
        self._engine = load_engine(model)
        self._elsewhere = elsewhere
        self.elsewhere_label = self._engine.checker(
            threshold=threshold, elsewhere=elsewhere
        ).elsewhere_label
        self.n_threads, self.n_scored = os.cpu_count() or 1, 0
        self._saved: tuple[Path, str] | None = None  # Folder and state of the saved index.
        self._set_parts(parts)

    def _set_parts(self, parts: Iterable[StoredPart]) -> None:
        self._parts = list(parts)
        vars(self).pop("_reference", None)
        if isinstance(self._engine, StudyEngine):
            self._opened = [self._engine.open(part.arrays) for part in self._parts]
        self.titles = IndexTitles(self._parts)
        self._starts = np.cumsum([0, *(part.n_stored for part in self._parts)])

    @classmethod
    def build(
        cls,
        titles: Sequence[str],
        model: str | Path,
        *,
        threshold: float = DECISION_THRESHOLD,
        elsewhere: str = ELSEWHERE,
        part_rows: int = PART_ROWS,
        n_jobs: int = 1,
        on_progress: Progress = lambda done, total: None,
    ) -> "TitleIndex":
        """Build an index of a corpus.

        Parameters
        ----------
        titles : sequence of str, shape (n,)
            The corpus as typed, possibly with repeated titles.
        model : path
            Folder of a model; a copy of it is saved with the index.
        part_rows : int
            Titles in each part.
        n_jobs : int
            Number of parallel processes.
        on_progress : callable
            Called with the number of indexed titles and of all titles.

        Raises
        ------
        ModelError
            The model cannot be loaded or indexed.
        """
        index = cls(model, threshold=threshold, elsewhere=elsewhere)
        index._add(titles, part_rows, n_jobs, on_progress)
        return index

    @property
    def model(self) -> Path:
        """Folder of the model; of its copy, if the index was loaded."""
        return self._model

    @property
    def state(self) -> str | None:
        """Hash of the saved index; None if it is not saved."""
        return self._saved[1] if self._saved else None

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        threshold: float | None = None,
        elsewhere: str = ELSEWHERE,
        say: Callable[[str], object] = warnings.warn,
    ) -> "TitleIndex":
        """Open a saved index; its arrays are memory-mapped.

        Parameters
        ----------
        threshold : float
            By default that of the archive's gauge if a valid one is stored (see
            `judul_lib.checking.stored_gauge`), else 0.5.
        say : callable
            Called with a sentence: that the threshold of a gauge is used, or why it is not.

        Raises
        ------
        IndexFileError
            It is missing or damaged, or another version of the package made it.
        ModelError
            The copy of the model is damaged.
        """
        initial = DECISION_THRESHOLD if threshold is None else threshold
        index, parts, state = index_files.read_index(
            Path(folder), lambda model: cls(model, threshold=initial, elsewhere=elsewhere)
        )
        index._set_parts(parts)
        index._saved = Path(folder), state
        if threshold is None:
            stored = stored_threshold(folder, index.model, state, say=say)
            index.threshold = initial if stored is None else stored
        return index

    def save(self, folder: str | Path, *, holds_lock: bool = False) -> None:
        """Write the index to a folder; parts that are saved there already are not written again.

        Parameters
        ----------
        holds_lock : bool
            Whether the caller holds `judul_lib.search.index_files.index_writer_lock` of the folder.

        Raises
        ------
        IndexFileError
            Another process is writing, or has changed the folder since this index was loaded from it.
        OSError
            Disk full, no permission; an earlier index is then as it was.
        """
        folder = Path(folder)
        expected = self._saved[1] if self._saved and self._saved[0] == folder else None
        parts, state = index_files.write_index(
            folder, self._model, self._parts, expected, holds_lock=holds_lock
        )
        self._saved = folder, state
        self._set_parts(parts)

    def add(self, titles: Sequence[str]) -> None:
        """Append titles."""
        self._add(titles, PART_ROWS, 1, lambda done, total: None)

    def remove(self, title: str) -> int:
        """Remove all occurrences of a title; return their number.

        Raises
        ------
        CorpusError
            The index has no such title.
        """
        count = 0
        for number, part in enumerate(self._parts):
            rows = np.setdiff1d(part.titles.rows_of(title), part.removed)
            if len(rows):
                count += len(rows)
                self._parts[number] = part.without(rows)
        if not count:
            raise CorpusError("Judul itu tidak ada di indeks. Salin judulnya persis seperti di arsip.")
        self._set_parts(self._parts)
        return count

    def _add(self, titles: Sequence[str], part_rows: int, n_jobs: int, on_progress: Progress) -> None:
        require_titles(titles)
        parts, new = list(self._parts), list(titles)
        # To keep parts few, last parts that are no larger than the new titles are merged with them.
        while parts and parts[-1].n_stored <= min(len(new), part_rows // 2):
            last = parts.pop()
            new = [*last.kept_titles(), *new]
        chunks = [new[at : at + part_rows] for at in range(0, len(new), part_rows)]
        new_parts: dict[int, StoredPart] = {}
        for number, arrays in run_tasks(make_part, chunks, self._engine, n_jobs=n_jobs):
            new_parts[number] = StoredPart(arrays)
            on_progress(sum(part.n_stored for part in new_parts.values()), len(new))
        self._set_parts([*parts, *(new_parts[number] for number in range(len(chunks)))])

    @cached_property
    def _reference(self) -> Checker:
        """A checker of the same model, and for the structured model the same corpus."""
        return self._engine.checker(self._parts, threshold=self.threshold, elsewhere=self._elsewhere)

    @property
    def reference(self) -> Checker:
        """A checker without a corpus that compares pairs as this index does."""
        return self._reference

    def with_titles(self, titles: Sequence[str]) -> Checker:
        """Return a plain checker with the same model and another corpus."""
        return self._reference.with_titles(titles)

    def compare(self, left: Sequence[str], right: Sequence[str] | None = None) -> Comparison:
        """Prepare two lists of titles for comparison; the second is the corpus by default."""
        if right is None and isinstance(self._engine, StudyEngine):
            right = self.titles
        return self._reference.compare(left, right)

    def order(
        self,
        features: FloatArray,
        probability: FloatArray,
        asked: FloatArray,
    ) -> Rows:
        """Return the rows of compared titles in the order of a list."""
        return self._reference.order(features, probability, asked)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probability of pairs from their features, shape (n,)."""
        return self._reference.probability(features)

    def asked(self, features: FloatArray, probability: FloatArray) -> FloatArray:
        """Return the score for asking a person about pairs, shape (n,)."""
        return self._reference.asked(features, probability)

    def evidence(self, title: str, other: str) -> Evidence:
        """Return the evidence for the answer about one pair."""
        return self._reference.evidence(title, other)

    @property
    def notes(self) -> list[str]:
        """Notes of a checker with the same model and corpus."""
        return self._reference.notes

    def is_known(self, stem: str) -> bool:
        """Tell whether the model has a stem in its vocabulary."""
        return self._reference.is_known(stem)

    def check_many(self, titles: Sequence[str], *, top_k: int | None = None) -> Iterator[Matches]:
        """Check titles one after the other, each as `check` does."""
        warn_incomparable_titles(titles)
        if isinstance(self._engine, StructuredEngine):
            for compared in self._compared(titles, require_top_k(top_k)):
                self.n_scored = len(compared.rows)
                yield self._best_matches(compared, top_k)
            return
        k = min(require_top_k(top_k) or len(self.titles), len(self.titles))
        leaves_out = top_k is not None and self._may_leave_out
        least = MIN_PROMISED if leaves_out else -np.inf
        for top in self._searched(self._engine, titles, max(k, 1), least, fill=leaves_out):
            yield self._matches(top, top_k)

    def rows_above(self, titles: Sequence[str], min_probability: float) -> list[NDArray[np.int64]]:
        """Return for each title the rows of the corpus that reach a probability, in order.

        Row numbers include removed rows. The structured model compares all titles only for
        probabilities below 0.05, which retrieval need not find.
        """
        if isinstance(self._engine, StructuredEngine):
            stored = [part.kept_rows + self._starts[number] for number, part in enumerate(self._parts)]
            rows = np.concatenate([np.empty(0, np.int64), *stored])
            top_k = 1 if min_probability >= MIN_PROMISED else None
            return [
                rows[compared.rows[compared.probability >= min_probability]]
                for compared in self._compared(titles, top_k)
            ]
        n = max(1, len(self.titles))
        tops = self._searched(self._engine, titles, n, min_probability)
        return [np.sort(top.rows) for top in tops]

    def _searched(
        self,
        engine: StudyEngine,
        titles: Sequence[str],
        k: int,
        min_probability: float,
        *,
        fill: bool = False,
    ) -> Iterator[TopRows]:
        """Yield the best rows of each title; with `fill`, too few are followed by less probable ones."""
        for start in range(0, len(titles), _QUERY_BATCH):
            queries = engine.read(titles[start : start + _QUERY_BATCH])
            tops = [TopRows(k, min_probability) for _ in range(len(queries))]
            self._search(engine, queries, tops)
            for row, top in enumerate(tops):
                if fill and top.accept_all():
                    self._fill(engine, queries.take([row]), top, min_probability)
            self.n_scored = tops[-1].n_scored
            yield from tops

    def _search(self, engine: StudyEngine, queries: TitleTable, tops: Sequence[TopRows]) -> None:
        def search(number: int) -> None:
            start, removed = int(self._starts[number]), self._parts[number].removed
            engine.search(self._opened[number], queries, tops, start, removed)

        numbers = range(len(self._parts))
        # The matrix products of one query are too small for several BLAS threads.
        with _threadpools().limit(limits=1, user_api="blas"):
            if min(self.n_threads, len(numbers)) <= 1:
                list(map(search, numbers))
            else:
                with ThreadPoolExecutor(self.n_threads) as pool:
                    list(pool.map(search, numbers))

    def _fill(self, engine: StudyEngine, query: TitleTable, top: TopRows, below: float) -> None:
        for number, part in enumerate(self._parts):
            start = int(self._starts[number])
            engine.search_nearest(self._opened[number], query, top, start, part.removed, below)

    def _matches(self, top: TopRows, top_k: int | None) -> Matches:
        numbers = np.searchsorted(self._starts, top.rows, side="right") - 1
        within = top.rows - self._starts[numbers]
        titles = [self._parts[n].titles[row] for n, row in np.column_stack([numbers, within]).tolist()]
        return best_matches(
            titles.__getitem__, top.features, top.probability, np.empty(0), lambda shown: [],
            threshold=self.threshold, elsewhere_label=self.elsewhere_label, top_k=top_k,
        )  # fmt: skip


@cache
def _threadpools() -> ThreadpoolController:
    # Cached, as it takes milliseconds; not an attribute, as it cannot be pickled.
    return ThreadpoolController()


class IndexTitles(Sequence[str]):
    """The titles of an index in their order, without removed ones.

    Parameters
    ----------
    parts : sequence of StoredPart
    """

    def __init__(self, parts: Sequence[StoredPart]) -> None:
        self._parts = parts
        self._ends = [0, *accumulate(part.n_kept for part in parts)]

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[str]:
        return (title for part in self._parts for title in part.kept_titles())

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        rows = range(len(self))[row]
        if isinstance(rows, range):
            return [self[k] for k in rows]
        number = bisect(self._ends, rows) - 1
        part = self._parts[number]
        return part.titles[part.kept_row(rows - self._ends[number])]
