"""How an index reads titles, and how it searches its parts or compares all of them."""

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
from judul_lib.search.study_search import StudySearch, search, study_arrays, study_table
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
        The forest has too many thresholds to be written out as a table.
    """

    def __init__(self, model: Model) -> None:
        table = ForestTable.from_forest(model.scaler, model.forest)
        if table is None:
            raise ModelError(
                "Random forest model ini terlalu besar untuk indeks. Periksa tanpa indeks, atau latih "
                "yang lebih kecil."
            )
        self._model, self._tfidf, self._table = model, model.tfidf, table

    def checker(
        self, parts: Sequence[StoredPart] = (), *, threshold: float, elsewhere: str
    ) -> TitleChecker:
        """Return the same model without a corpus, to compare pairs with."""
        return TitleChecker.from_model(self._model, [], threshold=threshold)

    def read(self, titles: Sequence[str]) -> TitleTable:
        """Return titles made ready to be looked for in every part."""
        return TitleTable.build(titles, preprocess_titles(titles), self._tfidf)

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return a part of a corpus as the arrays that are stored."""
        return {**study_arrays(self.read(titles)), **StringColumn.from_strings(titles).arrays("titles")}

    def open(self, arrays: Arrays) -> StudySearch:
        """Return a part from its arrays, ready to be searched."""
        return StudySearch(arrays, StringColumn.from_arrays(arrays, "titles"), self._tfidf)

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
            Number of the part's first row in the corpus.
        removed : ndarray of int
            Rows of the part that do not count.
        """
        for row, top in enumerate(tops):
            search(part, queries.take([row]), self._table, top, start, removed)


class StructuredEngine:
    """The structured model: every title is compared, with nothing but its reading kept in the index."""

    def __init__(self, model: StructuredModel) -> None:
        self._model = model

    def checker(
        self, parts: Sequence[StoredPart] = (), *, threshold: float, elsewhere: str
    ) -> StructuredChecker:
        """Return the same model with the titles of parts that count."""
        titles = [title for part in parts for title in part.kept_titles()]
        reading = ParsedTitles.concatenate(
            [ParsedTitles.from_arrays(part.arrays).take(part.kept_rows) for part in parts]
        )
        tables = [self._model.study_table([])] + [
            study_table(part.arrays, part.titles[:]).take(part.kept_rows) for part in parts
        ]
        return StructuredChecker(
            self._model, titles, threshold=threshold, elsewhere=elsewhere,
            read=(TitleTable.joined(tables), reading),
        )  # fmt: skip

    def arrays(self, titles: Sequence[str]) -> dict[str, NDArray]:
        """Return a part of a corpus as the arrays that are stored."""
        reading = ParsedTitles.from_titles(titles, self._model.parser)
        return {
            **study_arrays(self._model.study_table(titles)), **reading.arrays(),
            **StringColumn.from_strings(titles).arrays("titles"),
        }  # fmt: skip


Engine = StudyEngine | StructuredEngine
"""A model as an index uses it."""


def load_engine(folder: str | Path) -> Engine:
    """Load a model for an index.

    Raises
    ------
    ModelError
        The folder is missing, incomplete, its hashes do not hold, or its model is not to be indexed.
    """
    if read_metadata(folder).get("name") == STRUCTURED:
        return StructuredEngine(load_structured(folder)[0])
    return StudyEngine(load_model(folder))


def make_part(engine: Engine, titles: Sequence[str]) -> dict[str, NDArray]:
    """Return the arrays of a part, for a process of its own."""
    return engine.arrays(titles)
