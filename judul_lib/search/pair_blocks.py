"""Find pairs of near-duplicate titles block by block.

A block is some rows of a catalogue with all later ones. Pairs that cannot
reach the threshold are dropped before costly features are computed
(*blocking*).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix

from judul_lib.checking.registry import Model
from judul_lib.core.array_types import FloatArray
from judul_lib.core.errors import ModelError
from judul_lib.search.index import TitleIndex
from judul_lib.search.study_search import length_bound, stem_matrix
from judul_lib.structured.model import StructuredModel
from judul_lib.structured.records import ParsedTitles
from judul_lib.study.arrays import ForestTable
from judul_lib.study.features import (
    EXTRA_FEATURES,
    FEATURES,
    TitleTable,
    cosine_from_products,
    divide_or_zero,
    pair_features,
    row_sums,
)
from judul_lib.study.preprocessing import preprocess_titles

MIN_UNIT_SIMILARITY, MIN_MEANING_SIMILARITY = 0.15, 0.4
"""Minimum cosine of unit weights, and of mean vectors, of a candidate of `StructuredPairFinder`."""
# Expected maximum of candidates of a title; if one has more, the product is computed again.
_TOP_N = 1024
# Candidates that are scored at a time, by models of the study and by the structured model.
_STUDY_BATCH, _STRUCTURED_BATCH = 200_000, 20_000
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of a catalogue with their scores.

    Attributes
    ----------
    left, right : ndarray of int, shape (n,)
        ``left < right``.
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.study.features.FEATURES`.
    probability : ndarray of float, shape (n,)
    """

    left: Rows
    right: Rows
    features: FloatArray
    probability: FloatArray

    def __len__(self) -> int:
        return len(self.left)

    def take(self, rows: NDArray[Any]) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(self.left[rows], self.right[rows], self.features[rows], self.probability[rows])

    @classmethod
    def joined(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """Return the pairs of all parts."""
        if not parts:
            no_rows = np.empty(0, np.int32)
            return cls(no_rows, no_rows, np.empty((0, len(FEATURES))), np.empty(0))
        names = (field.name for field in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class PairFinder(Protocol):
    """A catalogue prepared for comparison with itself."""

    block_rows: int

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates whose left row is in a block."""


class StudyPairFinder:
    """A catalogue prepared for comparison with itself by a model of the study.

    Blocking misses no pair: the tabulated forest gives the minimum cosine and
    Jaccard index of a pair.

    Parameters
    ----------
    model : Model
    titles : sequence of str, shape (n,)
    threshold : float
        Minimum probability of a pair.

    Raises
    ------
    ModelError
        By this forest, titles that share no word can be a pair; use `IndexPairFinder`.

    Examples
    --------
    >>> from judul_lib import load_model
    >>> titles = ["Deteksi Hoaks", "Prediksi Harga Beras", "Deteksi HOAKS"]
    >>> found = StudyPairFinder(load_model("outputs/light"), titles, 0.6).pairs(0, 3)
    >>> found.left.tolist(), found.right.tolist()
    ([0], [2])
    """

    block_rows = 2_000

    def __init__(self, model: Model, titles: Sequence[str], threshold: float) -> None:
        table = ForestTable.from_forest(model.scaler, model.forest)
        min_similarities = None if table is None else _min_similarities(table, threshold)
        if table is None or min_similarities is None:
            raise ModelError(
                "Menurut model ini judul yang tidak berbagi satu kata pun bisa mirip pada ambang "
                "itu. Naikkan ambangnya, atau pakai --exact yang mencari tanpa penyaring."
            )
        self._table, self._threshold = table, threshold
        self._min_cosine, self._min_jaccard = min_similarities
        prepared = TitleTable.build(titles, preprocess_titles(titles), model.tfidf)
        self._prepared = prepared if EXTRA_FEATURES else None  # Else not kept, to save memory.
        self._letters = prepared.letters.tolist()
        self._lengths = np.fromiter(map(len, self._letters), dtype=np.int32, count=len(prepared))
        self._terms = prepared.tfidf
        self._squares = row_sums(prepared.tfidf.multiply(prepared.tfidf))
        self._stems = stem_matrix(prepared.tokens)[1]
        self._stem_counts = np.diff(self._stems.indptr)
        # Rows of length 1, so that a product is the cosine of two sets.
        lengths = np.sqrt(np.maximum(self._stem_counts, 1))
        self._stems.data = np.repeat(1 / lengths, self._stem_counts).astype(np.float32)

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates whose left row is in a block."""
        # The Jaccard index never exceeds the cosine of the same two sets.
        left, right = _find_candidates(self._stems, start, stop, self._min_jaccard)
        if self._min_cosine < 1:
            by_terms = _find_candidates(self._terms, start, stop, self._min_cosine)
            left, right = _unique_pairs((left, right), by_terms)
        return Pairs.joined([self._scored(*batch) for batch in _batches(left, right, _STUDY_BATCH)])

    def _scored(self, left: Rows, right: Rows) -> Pairs:
        """Return the candidates that reach the threshold."""
        shared = row_sums(_binary(self._stems[left]).multiply(_binary(self._stems[right])))
        union = self._stem_counts[left] + self._stem_counts[right] - shared
        jaccard = divide_or_zero(shared, union)
        max_ratio = length_bound(self._lengths[left], self._lengths[right])
        cells = self._table.cells(1, jaccard), self._table.cells(2, max_ratio)
        can_reach = self._table.bound.max(axis=0)[cells] >= self._threshold
        left, right = left[can_reach], right[can_reach]
        jaccard, max_ratio = jaccard[can_reach], max_ratio[can_reach]
        dots = row_sums(self._terms[left].multiply(self._terms[right]))
        cosine = cosine_from_products(dots, self._squares[left] * self._squares[right])
        cells = self._table.cells(0, cosine), self._table.cells(1, jaccard)
        can_reach = self._table.bound[(*cells, self._table.cells(2, max_ratio))] >= self._threshold
        left, right = left[can_reach], right[can_reach]
        cosine, jaccard = cosine[can_reach], jaccard[can_reach]
        letters = ([self._letters[row] for row in rows.tolist()] for rows in (left, right))
        ratio = cpdist(*letters, scorer=Indel.normalized_similarity, dtype=np.float64)
        extra_features = np.empty((len(left), 0))
        if self._prepared is not None:
            tables = self._prepared.take(left), self._prepared.take(right)
            extra_features = pair_features(*tables, EXTRA_FEATURES)
        features = np.column_stack([cosine, jaccard, ratio, extra_features])
        probability = self._table.predict(features)
        return Pairs(left, right, features, probability).take(probability >= self._threshold)


def _min_similarities(table: ForestTable, threshold: float) -> tuple[float, float] | None:
    """Return a cosine and a Jaccard index such that each pair reaches at least one of them.

    The cosine is 2, which no pair reaches, where the Jaccard index suffices.
    """
    can_reach = table.bound[:, :, -1] >= threshold
    for cosine_cell in range(len(can_reach), 0, -1):
        columns = np.flatnonzero(can_reach[:cosine_cell].any(axis=0))
        jaccard_cell = int(columns[0]) if len(columns) else can_reach.shape[1]
        if jaccard_cell > 0:
            cosine, jaccard = (
                float(cuts[cell - 1]) if cell <= len(cuts) else 2.0
                for cuts, cell in ((table.cuts[0], cosine_cell), (table.cuts[1], jaccard_cell))
            )
            return cosine, jaccard
    return None


def _binary(rows: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)


def _find_candidates(rows: csr_matrix, start: int, stop: int, min_product: float) -> tuple[Rows, Rows]:
    """Return the pairs of rows that reach a dot product, the left row in a block, the right later."""
    from sparse_dot_topn import sp_matmul_topn

    block, later = rows[start:stop], rows[start:].T.tocsr()
    top_n, width = _TOP_N, later.shape[1]
    while True:
        # A little less, as products are of single precision.
        options = {"top_n": min(top_n, width), "threshold": min_product - 1e-5, "n_threads": 1}
        products = sp_matmul_topn(block, later, **options)
        if top_n >= width or np.diff(products.indptr).max(initial=0) < top_n:
            break
        top_n *= 8
    left = np.repeat(np.arange(stop - start, dtype=np.int32), np.diff(products.indptr))
    is_later = products.indices > left
    return left[is_later] + start, products.indices[is_later].astype(np.int32) + start


def _batches(left: Rows, right: Rows, size: int) -> Iterator[tuple[Rows, Rows]]:
    return ((left[at : at + size], right[at : at + size]) for at in range(0, len(left), size))


def _unique_pairs(*pairs: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    keys = np.unique(np.concatenate([left.astype(np.int64) << 32 | right for left, right in pairs]))
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)


class StructuredPairFinder:
    """A catalogue prepared for comparison with itself by the structured model.

    Candidates share units (`MIN_UNIT_SIMILARITY`) and have similar mean vectors
    (`MIN_MEANING_SIMILARITY`). That may miss pairs; `judul_lib.search.dedup.recall`
    measures how many.

    Parameters
    ----------
    model : StructuredModel
    titles : sequence of str, shape (n,)
    threshold : float
        Minimum probability of a pair.
    """

    block_rows = 1_000

    def __init__(self, model: StructuredModel, titles: Sequence[str], threshold: float) -> None:
        parsed = ParsedTitles.from_titles(titles, model.parser)
        self._model, self._threshold = model.for_archive(titles, parsed), threshold
        self._prepared = self._model.prepare_parsed(model.study_table(titles), parsed)
        records, units = self._prepared.records, self._prepared.records.units
        means = [part.mean_vectors() for part in records.parts()]
        self._means = np.vstack(means) if means else np.empty((0, 1), np.float32)
        column_of: dict[str, int] = {}
        names = np.array(
            [column_of.setdefault(unit.name, len(column_of)) for unit in units.units], np.int32
        )
        weights = (units.weights * units.rarity).astype(np.float32)[records.numbers]
        shape = (len(records), max(1, len(column_of)))
        self._units = csr_matrix((weights, names[records.numbers], records.ends), shape=shape)
        self._units.sum_duplicates()
        lengths = np.sqrt(np.maximum(row_sums(self._units.multiply(self._units)), 1e-9))
        self._units.data /= np.repeat(lengths, np.diff(self._units.indptr)).astype(np.float32)

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates whose left row is in a block."""
        left, right = _find_candidates(self._units, start, stop, MIN_UNIT_SIMILARITY)
        batches = _batches(left, right, _STRUCTURED_BATCH)
        return Pairs.joined([self._scored(*batch) for batch in batches])

    def _scored(self, left: Rows, right: Rows) -> Pairs:
        """Return the candidates that reach the threshold."""
        similarity = np.einsum("ij,ij->i", self._means[left], self._means[right])
        is_similar = similarity >= MIN_MEANING_SIMILARITY
        left, right = left[is_similar], right[is_similar]
        features = self._model.features(self._prepared, self._prepared, left, right)
        probability = self._model.probability(features)
        pairs = Pairs(left, right, features[:, : len(FEATURES)], probability)
        return pairs.take(probability >= self._threshold)


class IndexPairFinder:
    """A catalogue compared with itself through an index: no pair is missed; see `TitleIndex.rows_above`.

    It is slower than the others, as it looks up each title separately.

    Parameters
    ----------
    model : path
        Folder of a model.
    titles : sequence of str, shape (n,)
    threshold : float
        Minimum probability of a pair.
    """

    block_rows = 200

    def __init__(self, model: Path, titles: Sequence[str], threshold: float) -> None:
        self._titles, self._threshold = list(titles), threshold
        self._index = TitleIndex.build(self._titles, model)
        self._index.n_threads = 1  # Blocks run in parallel already.

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates whose left row is in a block."""
        found = self._index.rows_above(self._titles[start:stop], self._threshold)
        later = [rows[rows > row] for row, rows in enumerate(found, start=start)]
        left = np.repeat(np.arange(start, stop, dtype=np.int32), [len(rows) for rows in later])
        right = np.concatenate([np.empty(0, np.int32), *later]).astype(np.int32)
        texts = ([self._titles[row] for row in rows.tolist()] for rows in (left, right))
        features, probability, _ = self._index.score(*texts)
        return Pairs(left, right, features, probability)
