"""How an index uses a model: preparing titles, storing parts, and searching them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.ranking import TopRows
from judul_lib.checking.registry import STRUCTURED, Model, load_model, load_structured, read_metadata
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.array_files import Arrays, StringColumn
from judul_lib.core.errors import ModelError
from judul_lib.search.index_files import StoredPart
from judul_lib.search.study_search import (
    StudySearch,
    search,
    search_nearest,
    study_arrays,
    study_table,
)
from judul_lib.structured.model import StructuredModel
from judul_lib.structured.records import ParsedTitles
from judul_lib.study.arrays import ForestTable
from judul_lib.study.features import TitleTable
from judul_lib.study.preprocessing import preprocess_titles

Removed = NDArray[np.int32]


class StudyEngine:
    """A model of the study, which finds the best titles without comparing all.

    Raises
    ------
    ModelError
        The forest has too many thresholds to be tabulated.
    """

    def __init__(self, model: Model) -> None:
        table = ForestTable.from_forest(model.scaler, model.forest)
        if table is None:
            raise ModelError(
                "Random forest model ini terlalu besar untuk indeks. Periksa tanpa indeks, atau latih "
                "yang lebih kecil."
            )
        self._model, self._table = model, table

    def checker(
        self, parts: Sequence[StoredPart] = (), *, threshold: float, elsewhere: str
    ) -> TitleChecker:
        """Return a checker without a corpus, to compare pairs."""
        return TitleChecker.from_model(self._model, [], threshold=threshold)

    def read(self, titles: Sequence[str]) -> TitleTable:
        """Prepare queries for `search`."""
        return TitleTable.build(titles, preprocess_titles(titles), self._model.tfidf)

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return the arrays that are stored for a part of a corpus."""
        return {**study_arrays(self.read(titles)), **StringColumn.from_strings(titles).arrays("titles")}

    def open(self, arrays: Arrays) -> StudySearch:
        """Return a part for `search` from its arrays."""
        return StudySearch(arrays, StringColumn.from_arrays(arrays, "titles"), self._model.tfidf)

    def search(
        self,
        part: StudySearch,
        queries: TitleTable,
        tops: Sequence[TopRows],
        start: int,
        removed: Removed,
    ) -> None:
        """Offer to each query's `TopRows` every title of a part that may be among its best.

        Parameters
        ----------
        queries : TitleTable
            As from `read`.
        start : int
            Row of the part's first title in the corpus.
        removed : ndarray of int
            Removed rows of the part.
        """
        for row, top in enumerate(tops):
            search(part, queries.take([row]), self._table, top, start, removed)

    def search_nearest(
        self,
        part: StudySearch,
        query: TitleTable,
        top: TopRows,
        start: int,
        removed: Removed,
        below: float,
    ) -> None:
        """Fill a list with the titles of a part; see `study_search.search_nearest`."""
        search_nearest(part, query, self._table, top, start, removed, below)


class StructuredEngine:
    """The structured model, which compares all titles; their parses are stored in the index."""

    def __init__(self, model: StructuredModel) -> None:
        self._model = model

    def checker(
        self, parts: Sequence[StoredPart] = (), *, threshold: float, elsewhere: str
    ) -> StructuredChecker:
        """Return a checker with the kept titles of parts."""
        titles = [title for part in parts for title in part.kept_titles()]
        parsed = ParsedTitles.concatenate(
            [ParsedTitles.from_arrays(part.arrays).take(part.kept_rows) for part in parts]
        )
        tables = [self._model.study_table([])] + [
            study_table(part.arrays, part.titles[:]).take(part.kept_rows) for part in parts
        ]
        return StructuredChecker(
            self._model, titles, threshold=threshold, elsewhere=elsewhere,
            read=(TitleTable.joined(tables), parsed),
        )  # fmt: skip

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return the arrays that are stored for a part of a corpus."""
        parsed = ParsedTitles.from_titles(titles, self._model.parser)
        return {
            **study_arrays(self._model.study_table(titles)), **parsed.arrays(),
            **StringColumn.from_strings(titles).arrays("titles"),
        }  # fmt: skip


Engine = StudyEngine | StructuredEngine
"""A model as an index uses it."""


def load_engine(folder: str | Path) -> Engine:
    """Load a model for an index.

    Raises
    ------
    ModelError
        The folder is missing, incomplete or altered, or its model cannot be indexed.
    """
    if read_metadata(folder).get("name") == STRUCTURED:
        return StructuredEngine(load_structured(folder)[0])
    return StudyEngine(load_model(folder))


def make_part(engine: Engine, titles: Sequence[str]) -> dict[str, NDArray]:
    """Return the arrays of a part; a function, so that other processes can call it."""
    return engine.arrays(titles)
