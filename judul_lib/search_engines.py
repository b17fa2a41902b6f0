"""How an index reads titles and searches its parts, for either kind of model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from judul_lib.array_files import Arrays, StringColumn
from judul_lib.checking import Checker, TitleChecker
from judul_lib.errors import ModelError
from judul_lib.features import FEATURES, FloatArray, TitleTable
from judul_lib.forest_table import ForestTable
from judul_lib.matches import LEAST_ALIKE
from judul_lib.preprocessing import preprocess_titles
from judul_lib.record_arrays import record_arrays
from judul_lib.record_features import unit_similarity
from judul_lib.record_search import RecordSearch
from judul_lib.registry import STRUCTURED, Model, load_model, load_structured, read_metadata
from judul_lib.structured import STRUCTURED_FEATURES, PreparedTitles, StructuredModel
from judul_lib.structured_checking import StructuredChecker, without_place
from judul_lib.study_search import StudySearch, search, study_arrays
from judul_lib.top_rows import TopRows
from judul_lib.verdicts import compare_rows, told

Removed = NDArray[np.int32]
Rows = NDArray[np.int64]


class Engine(Protocol):
    """A model as an index uses it.

    Attributes
    ----------
    n_features : int
        Features of a pair, those of the study first.
    """

    n_features: int

    def checker(self, *, threshold: float, elsewhere: str) -> Checker:
        """Return the same model without a corpus, to compare pairs with; see `load_checker`."""

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return a part of a corpus as the arrays that are stored."""

    def open(self, arrays: Arrays) -> Any:
        """Return a part from its arrays, ready to be searched."""

    def read(self, titles: Sequence[str]) -> Any:
        """Return titles made ready to be looked for in every part."""

    def least_deciding(self, queries: Any, row: int) -> float:
        """Return from which probability any title may decide for a query, beside the best of all.

        Infinite where only the best does; see `Matches.decision`.
        """

    def search(
        self, part: Any, queries: Any, tops: Sequence[TopRows], start: int, removed: Removed
    ) -> None:
        """Offer to each query's `TopRows` every title of a part that may be among its best.

        Parameters
        ----------
        queries
            As from `read`.
        start : int
            Number of the part's first row in the corpus.
        removed : ndarray of int
            Rows of the part that do not count.
        """

    def shared(self, part: Any, queries: Any, row: int, rows: Rows) -> list[str]:
        """Return what a query shares with rows of a part, in words, where the model can tell."""

    def without_place(self, title: str, others: Sequence[str], features: FloatArray) -> FloatArray:
        """Return what `Matches.without_place` tells, for one title with others."""


class StudyEngine:
    """A model of the study.

    Raises
    ------
    ModelError
        The forest has too many thresholds to be written out as a table.
    """

    n_features = len(FEATURES)

    def __init__(self, model: Model) -> None:
        table = ForestTable.of(model.scaler, model.forest)
        if table is None:
            raise ModelError(
                "Random forest model ini terlalu besar untuk indeks. Periksa tanpa indeks, atau latih "
                "yang lebih kecil."
            )
        self._model, self._tfidf, self._table = model, model.tfidf, table

    def checker(self, *, threshold: float, elsewhere: str) -> Checker:
        """Return the same model without a corpus."""
        return TitleChecker.from_model(self._model, [], threshold=threshold)

    def read(self, titles: Sequence[str]) -> TitleTable:
        """Return titles made ready to be looked for in every part."""
        return TitleTable.build(titles, preprocess_titles(titles), self._tfidf)

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return a part of a corpus as the arrays that are stored."""
        return {**study_arrays(self.read(titles)), **StringColumn.of(titles).arrays("titles")}

    def open(self, arrays: Arrays) -> StudySearch:
        """Return a part from its arrays, ready to be searched."""
        return StudySearch(arrays, StringColumn.at(arrays, "titles"), self._tfidf)

    def least_deciding(self, queries: TitleTable, row: int) -> float:
        """Return infinity: to the study's models no title is the same study elsewhere."""
        return np.inf

    def search(
        self,
        part: StudySearch,
        queries: TitleTable,
        tops: Sequence[TopRows],
        start: int,
        removed: Removed,
    ) -> None:
        """Offer to each query's `TopRows` every title of a part that may be among its best."""
        for row, top in enumerate(tops):
            search(part, queries.take([row]), self._table, top, start, removed)

    def shared(self, part: StudySearch, queries: TitleTable, row: int, rows: Rows) -> list[str]:
        """Return nothing: the study's models see no fields."""
        return []

    def without_place(self, title: str, others: Sequence[str], features: FloatArray) -> FloatArray:
        """Return nothing: the study's models know no places."""
        return np.empty(0)


class RecordEngine:
    """The structured model."""

    n_features = len(STRUCTURED_FEATURES)

    def __init__(self, model: StructuredModel) -> None:
        self._model = model

    def checker(self, *, threshold: float, elsewhere: str) -> Checker:
        """Return the same model without a corpus."""
        return StructuredChecker(self._model, [], threshold=threshold, elsewhere=elsewhere)

    def read(self, titles: Sequence[str]) -> PreparedTitles:
        """Return titles made ready to be looked for in every part."""
        return self._model.prepare(titles)

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return a part of a corpus as the arrays that are stored."""
        return {**record_arrays(self.read(titles)), **StringColumn.of(titles).arrays("titles")}

    def open(self, arrays: Arrays) -> RecordSearch:
        """Return a part from its arrays, ready to be searched."""
        return RecordSearch(self._model, arrays, StringColumn.at(arrays, "titles"))

    def least_deciding(self, queries: PreparedTitles, row: int) -> float:
        """Return from which probability a title may be the same study elsewhere."""
        names_place = any(unit.field == "place" for unit in queries.records.parse(row))
        return LEAST_ALIKE if names_place else np.inf

    def search(
        self,
        part: RecordSearch,
        queries: PreparedTitles,
        tops: Sequence[TopRows],
        start: int,
        removed: Removed,
    ) -> None:
        """Offer to each query's `TopRows` every title of a part that may be among its best."""
        alike = unit_similarity(queries.records.units, part.units)
        for row, top in enumerate(tops):
            part.search(queries, row, alike, top, start, removed)

    def shared(self, part: RecordSearch, queries: PreparedTitles, row: int, rows: Rows) -> list[str]:
        """Return what a query shares with rows of a part, in words."""
        query, titles = (
            queries.records.take(np.array([row])).compact(),
            part.records.take(rows).compact(),
        )
        alike = unit_similarity(query.units, titles.units)
        pairs = np.zeros(len(rows), dtype=np.intp), np.arange(len(rows))
        return list(map(told, compare_rows(query, titles, *pairs, alike)))

    def without_place(self, title: str, others: Sequence[str], features: FloatArray) -> FloatArray:
        """Return what `Matches.without_place` tells, for one title with others."""
        return without_place(self._model, [title] * len(others), others, features)


def load_engine(folder: str | Path) -> Engine:
    """Load a model for an index.

    Raises
    ------
    ModelError
        The folder is missing, incomplete, its hashes do not hold, or its model is not to be indexed.
    """
    if read_metadata(folder).get("name") == STRUCTURED:
        return RecordEngine(load_structured(folder)[0])
    return StudyEngine(load_model(folder))


def make_part(engine: Engine, titles: Sequence[str]) -> dict[str, NDArray]:
    """Return `Engine.arrays`, for a process of its own."""
    return engine.arrays(titles)
