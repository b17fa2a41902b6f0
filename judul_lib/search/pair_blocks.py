"""Find pairs of near-duplicate titles block by block: which can be pairs at all, and their scores.

A block is some rows of a catalogue against all later ones. Pairs that cannot
reach the threshold are left out before anything costly is computed
(*blocking*).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
"""Least cosine of the unit weights, and of the mean vectors, of a `StructuredPairFinder` candidate."""
# Most candidates of a title that are expected; with more, the product is computed anew.
_TOP_N = 1024
# Pairs looked at, and pairs of records compared in full, at a time.
_PAIRS, _SCORED = 200_000, 20_000
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
        """Put pairs one after the other."""
        if not parts:
            none = np.empty(0, np.int32)
            return cls(none, none, np.empty((0, len(FEATURES))), np.empty(0))
        return cls(
            *(np.concatenate([getattr(p, n) for p in parts])
              for n in ("left", "right", "features", "probability"))
        )  # fmt: skip


class PairFinder(Protocol):
    """Titles made ready to be compared with each other."""

    block_rows: int

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates of which one is in a block and the other comes later."""


class StudyPairFinder:
    """Titles made ready to be compared with each other by a model of the study.

    The blocking loses nothing: the tabulated forest says which cosine and
    which Jaccard index a pair must have at least.

    Parameters
    ----------
    model : Model
    titles : sequence of str, shape (n,)
    threshold : float
        Least probability of a pair.

    Raises
    ------
    ModelError
        By this forest, titles that share no word can be a pair; `IndexPairFinder`
        can find those.

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
        least = None if table is None else _min_similarities(table, threshold)
        if table is None or least is None:
            raise ModelError(
                "Menurut model ini judul yang tidak berbagi satu kata pun bisa mirip pada ambang "
                "itu. Naikkan ambangnya, atau pakai --exact yang mencari tanpa penyaring."
            )
        self._table, self._threshold = table, threshold
        self._min_cosine, self._min_jaccard = least
        known = TitleTable.build(titles, preprocess_titles(titles), model.tfidf)
        self._known = known if EXTRA_FEATURES else None  # The rest is kept in less memory.
        self._letters = known.letters.tolist()
        self._lengths = np.fromiter(map(len, self._letters), dtype=np.int32, count=len(known))
        self._terms = known.tfidf
        self._squares = row_sums(known.tfidf.multiply(known.tfidf))
        self._stems = stem_matrix(known.tokens)[1]
        self._counts = np.diff(self._stems.indptr)
        # Rows of length 1, so that a product is the cosine of two sets.
        lengths = np.sqrt(np.maximum(self._counts, 1))
        self._stems.data = np.repeat(1 / lengths, self._counts).astype(np.float32)

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates of which one is in a block and the other comes later."""
        by_stems = _product(self._stems, start, stop, self._min_jaccard)
        if self._min_cosine < 1:
            by_terms = _product(self._terms, start, stop, self._min_cosine)
            left, right = _unique_pairs(by_stems, by_terms)
        else:
            left, right = by_stems
        return Pairs.joined([self._scored(*part) for part in _parts(left, right, _PAIRS)])

    def _scored(self, left: Rows, right: Rows) -> Pairs:
        """Return those of some pairs that reach the threshold."""
        shared = row_sums(_binary(self._stems[left]).multiply(_binary(self._stems[right])))
        union = self._counts[left] + self._counts[right] - shared
        jaccard = divide_or_zero(shared, union)
        reach = length_bound(self._lengths[left], self._lengths[right])
        cells = self._table.cells(1, jaccard), self._table.cells(2, reach)
        may = self._table.bound.max(axis=0)[cells] >= self._threshold
        left, right, jaccard, reach = left[may], right[may], jaccard[may], reach[may]
        dots = row_sums(self._terms[left].multiply(self._terms[right]))
        cosine = cosine_from_products(dots, self._squares[left] * self._squares[right])
        cells = self._table.cells(0, cosine), self._table.cells(1, jaccard)
        may = self._table.bound[(*cells, self._table.cells(2, reach))] >= self._threshold
        left, right, cosine, jaccard = left[may], right[may], cosine[may], jaccard[may]
        letters = ([self._letters[row] for row in rows.tolist()] for rows in (left, right))
        ratio = cpdist(*letters, scorer=Indel.normalized_similarity, dtype=np.float64)
        extra_features = np.empty((len(left), 0))
        if self._known is not None:
            extra_features = pair_features(
                self._known.take(left), self._known.take(right), EXTRA_FEATURES
            )
        last = self._table.cells(2, ratio), *self._table.extra_feature_cells(extra_features)
        probability = self._table.probability[(cells[0][may], cells[1][may], *last)]
        features = np.column_stack([cosine, jaccard, ratio, extra_features])
        return Pairs(left, right, features, probability).take(probability >= self._threshold)


def _min_similarities(table: ForestTable, threshold: float) -> tuple[float, float] | None:
    """Return a cosine and a Jaccard index of which a pair must reach the one or the other.

    The cosine is 2, which no pair reaches, where the Jaccard index alone will do.
    """
    possible = table.bound[:, :, -1] >= threshold
    for least_cosine in range(len(possible), 0, -1):
        columns = np.flatnonzero(possible[:least_cosine].any(axis=0))
        least_jaccard = int(columns[0]) if len(columns) else possible.shape[1]
        if least_jaccard > 0:
            cosine, jaccard = (
                float(cuts[k - 1]) if k <= len(cuts) else 2.0
                for cuts, k in ((table.cuts[0], least_cosine), (table.cuts[1], least_jaccard))
            )
            return cosine, jaccard
    return None


def _binary(rows: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)


def _product(rows: csr_matrix, start: int, stop: int, least: float) -> tuple[Rows, Rows]:
    """Return the pairs whose product is at least so much, the first in a block, the second later.

    The Jaccard index never exceeds the cosine of the same two sets.
    """
    from sparse_dot_topn import sp_matmul_topn

    block, later = rows[start:stop], rows[start:].T.tocsr()
    top_n, width = _TOP_N, later.shape[1]
    while True:
        # Single precision: what is a little less may be as much.
        options = {"top_n": min(top_n, width), "threshold": least - 1e-5, "n_threads": 1}
        found = sp_matmul_topn(block, later, **options)
        if top_n >= width or np.diff(found.indptr).max(initial=0) < top_n:
            break
        top_n *= 8
    left = np.repeat(np.arange(stop - start, dtype=np.int32), np.diff(found.indptr))
    later_ones = found.indices > left
    return left[later_ones] + start, found.indices[later_ones].astype(np.int32) + start


def _parts(left: Rows, right: Rows, n: int) -> Iterator[tuple[Rows, Rows]]:
    return ((left[at : at + n], right[at : at + n]) for at in range(0, len(left), n))


def _unique_pairs(*found: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    keys = [left.astype(np.int64) << 32 | right for left, right in found]
    every = np.unique(np.concatenate(keys))
    return (every >> 32).astype(np.int32), (every & 0xFFFFFFFF).astype(np.int32)


class StructuredPairFinder:
    """Titles made ready to be compared with each other by the structured model.

    Candidates share units that make out some of both titles (`MIN_UNIT_SIMILARITY`),
    and mean something alike (`MIN_MEANING_SIMILARITY`). That may lose pairs, which
    `judul_lib.search.dedup.recall` measures.

    Parameters
    ----------
    model : StructuredModel
    titles : sequence of str, shape (n,)
    threshold : float
        Least probability of a pair.
    """

    block_rows = 1_000

    def __init__(self, model: StructuredModel, titles: Sequence[str], threshold: float) -> None:
        reading = ParsedTitles.from_titles(titles, model.parser)
        self._model, self._threshold = model.for_archive(titles, reading), threshold
        self._known = self._model.prepare_parsed(model.study_table(titles), reading)
        records, units = self._known.records, self._known.records.units
        means = [part.mean_vectors() for part in records.parts()]
        self._means = np.vstack(means) if means else np.empty((0, 1), np.float32)
        number: dict[str, int] = {}
        names = np.array([number.setdefault(unit.name, len(number)) for unit in units.units], np.int32)
        weights = (units.weights * units.rarity).astype(np.float32)[records.numbers]
        shape = (len(records), max(1, len(number)))
        self._units = csr_matrix((weights, names[records.numbers], records.ends), shape=shape)
        self._units.sum_duplicates()
        lengths = np.sqrt(np.maximum(row_sums(self._units.multiply(self._units)), 1e-9))
        self._units.data /= np.repeat(lengths, np.diff(self._units.indptr)).astype(np.float32)

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates of which one is in a block and the other comes later."""
        left, right = _product(self._units, start, stop, MIN_UNIT_SIMILARITY)
        return Pairs.joined([self._scored(*part) for part in _parts(left, right, _SCORED)])

    def _scored(self, left: Rows, right: Rows) -> Pairs:
        """Return those of some pairs that reach the threshold."""
        likeness = np.einsum("ij,ij->i", self._means[left], self._means[right])
        left, right = left[likeness >= MIN_MEANING_SIMILARITY], right[likeness >= MIN_MEANING_SIMILARITY]
        features = self._model.features(self._known, self._known, left, right)
        probability = self._model.probability(features)
        found = Pairs(left, right, features[:, : len(FEATURES)], probability)
        return found.take(probability >= self._threshold)


class IndexPairFinder:
    """Titles compared with each other through an index: nothing is lost, by any model.

    Slower than the others, as each title is looked up by itself.

    Parameters
    ----------
    model : path
        Folder of a model.
    titles : sequence of str, shape (n,)
    threshold : float
        Least probability of a pair.
    """

    block_rows = 200

    def __init__(self, model: Path, titles: Sequence[str], threshold: float) -> None:
        self._titles, self._threshold = list(titles), threshold
        self._index = TitleIndex.build(self._titles, model)
        self._index.n_threads = 1  # Blocks are compared side by side already.

    def pairs(self, start: int, stop: int) -> Pairs:
        """Return the near-duplicates of which one is in a block and the other comes later."""
        found = self._index.rows_above(self._titles[start:stop], self._threshold)
        later = [rows[rows > row] for row, rows in enumerate(found, start=start)]
        left = np.repeat(np.arange(start, stop, dtype=np.int32), [len(rows) for rows in later])
        right = np.concatenate([np.empty(0, np.int32), *later]).astype(np.int32)
        texts = ([self._titles[row] for row in rows.tolist()] for rows in (left, right))
        features, probability, _ = self._index.score(*texts)
        return Pairs(left, right, features, probability)
