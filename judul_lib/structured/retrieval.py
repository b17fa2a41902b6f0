"""Find the titles of an archive that a title may be related to, without comparing it with each.

The promise: every title whose probability is at least 0.05, and all that is MIRIP or TANYAKAN, is
found. It is measured on real titles (``benchmarks/retrieval_misses.py``), not proven; the least
share leaves a margin.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.structured.records import RecordTable, UnitTable
from judul_lib.structured.relations import Relations

MIN_FOUND = 150
"""The titles with the largest shares are found, however small these are."""
# Titles with a lower share do not reach a probability of 0.05: of 719 that do, for 500 queries with
# 20,000 real titles, 0.3 missed one, whose share is 0.22 and whose probability 0.056.
_MIN_SHARE = 0.2
# With less weight than this a title, or the query, says too little to leave any out; with more
# than the second, the whole of `_MIN_SHARE` is required.
_NO_WEIGHT, _FULL_WEIGHT = 0.5, 0.9
_COSINE_WEIGHT = 0.2
_MIN_UNIT_WEIGHT = 0.5
# The same place counts a little, but no title is left out for another place.
_PLACE_WEIGHT = 0.3


class Retrieval:
    """The titles of an archive, prepared to be searched.

    Parameters
    ----------
    records : RecordTable, shape (n,)
    tfidf : csr_matrix, shape (n, n_terms)

    Examples
    --------
    >>> from judul_lib.checking.registry import load_structured
    >>> model, _ = load_structured("outputs/structured")
    >>> titles = ["Deteksi Hoaks dengan CNN", "Pengaruh Kompensasi terhadap Kinerja Karyawan"]
    >>> archive, query = model.prepare(titles), model.prepare(["Deteksi Berita Bohong dengan SVM"])
    >>> relations = Relations.between(query.records.units, archive.records.units)
    >>> parts = query.records, query.table.tfidf, 0, relations, np.empty((0, 5), dtype=int)
    >>> archive.retrieval.find(*parts, min_found=1).tolist()
    [0]
    """

    def __init__(self, records: RecordTable, tfidf: csr_matrix) -> None:
        self._numbers, self._ends, self._tfidf = records.numbers, records.ends, tfidf
        self._unit_weights = unit_weights(records.units)
        self._has_units = np.diff(records.ends) > 0
        self._starts = records.ends[:-1][self._has_units]
        self._weights = self._per_title(np.add, self._unit_weights * ~records.units.is_place)
        self._running_sums = _running_sums(self._unit_weights[self._numbers])

    def _per_title(self, ufunc: np.ufunc, values: NDArray) -> FloatArray:
        """Reduce a value for each unit over the units of each title; 0 without units."""
        result = np.zeros(len(self._has_units))
        if len(self._starts):
            result[self._has_units] = ufunc.reduceat(values[self._numbers], self._starts)
        return result

    def find(
        self,
        queries: RecordTable,
        tfidf: csr_matrix,
        row: int,
        relations: Relations,
        abbreviations: Rows,
        min_found: int = MIN_FOUND,
    ) -> Rows:
        """Return the rows of the archive that a title may be related to, in order.

        Parameters
        ----------
        queries, tfidf : RecordTable, csr_matrix
            Prepared as the archive is.
        row : int
            Row of the title in them.
        relations : Relations
            Between the units of the queries and those of the archive.
        abbreviations : ndarray of int
            `judul_lib.structured.relations.find_abbreviations` of the title in the archive.
        min_found : int
            Number of titles to find at least, if the archive has as many.
        """
        share, total = self._shares(queries, row, relations, abbreviations)
        share += _COSINE_WEIGHT * (self._tfidf @ tfidf[row].toarray().ravel())
        lesser = np.minimum(self._weights, total)
        required = _MIN_SHARE * np.clip((lesser - _NO_WEIGHT) / (_FULL_WEIGHT - _NO_WEIGHT), 0, 1)
        if len(share):
            least = max(0, len(share) - min_found)
            required = np.minimum(required, np.partition(share, least)[least])
        return np.flatnonzero((share >= required) | ~self._has_units)

    def _shares(
        self, queries: RecordTable, row: int, relations: Relations, abbreviations: Rows
    ) -> tuple[FloatArray, float]:
        """Return the share of the weight of each pair that is near, and the weight of the query."""
        numbers = queries.numbers[queries.ends[row] : queries.ends[row + 1]]
        weights = unit_weights(queries.units)[numbers]
        nearness = np.maximum(relations.same[numbers], relations.near[numbers]) ** 2
        found = self._per_title(np.add, nearness.max(axis=0, initial=0) * self._unit_weights)
        for weight, near in zip(weights.tolist(), nearness, strict=True):
            found += weight * self._per_title(np.maximum, near)
        rows, first, last, other_first, other_last = abbreviations.T
        sums, starts = _running_sums(weights), self._ends[rows]
        spans = sums[last + 1] - sums[first]
        spans += self._running_sums[starts + other_last + 1] - self._running_sums[starts + other_first]
        np.add.at(found, rows, spans)
        total = float((weights * ~queries.units.is_place[numbers]).sum())
        return found / np.maximum(self._weights + total, 1e-9), total


def _running_sums(values: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(values)])


def unit_weights(units: UnitTable) -> FloatArray:
    """Return how much each unit counts where titles share it, shape (n_units,)."""
    weights: FloatArray = np.maximum(units.weights, _MIN_UNIT_WEIGHT) / 3 * (0.4 + 0.6 * units.rarity)
    return weights * np.where(units.is_place, _PLACE_WEIGHT, 1.0)
