"""Find the titles of an archive that a title may be related to, without comparing it with each.

Each unit has a list of the titles that contain it (*inverted lists*), so that a search reads only
titles with a unit that is the same as one of the query, or near.

The promise: every title whose probability is at least 0.05, and all that is MIRIP or TANYAKAN, is
found. It is measured on real titles (``benchmarks/retrieval_misses.py``), not proven; the least
shares leave a margin.
"""

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.structured.records import RecordTable, UnitTable
from judul_lib.structured.relations import Relations
from judul_lib.study.features import sums_by_row

MIN_FOUND = 150
"""The titles with the largest shares are found, however small these are."""
# A title has to have in common with the query so much of the weight of both, and of the weight of
# the one of which it is more. Of the titles that reach a probability of 0.05, for 500 queries with
# 20,000 titles, all of full weight but one had 0.17 and 0.43; that one had 0.12 and 0.27.
_MIN_SHARE, _MIN_GREATER_SHARE = 0.12, 0.25
# Units that are less near do not count.
_MIN_NEARNESS = 0.5
# With less weight than this a title, or the query, says too little to leave any out; with more
# than the second, the whole of the least shares is required.
_NO_WEIGHT, _FULL_WEIGHT = 0.5, 0.9
_MIN_UNIT_WEIGHT = 0.5
# The same place counts a little, but no title is left out for another place.
_PLACE_WEIGHT = 0.3


class Retrieval:
    """The titles of an archive, prepared to be searched.

    Parameters
    ----------
    records : RecordTable, shape (n,)

    Examples
    --------
    >>> from judul_lib.checking.registry import load_structured
    >>> model, _ = load_structured("outputs/structured")
    >>> titles = ["Deteksi Hoaks dengan CNN", "Pengaruh Kompensasi terhadap Kinerja Karyawan"]
    >>> archive, query = model.records(titles), model.records(["Deteksi Berita Bohong dengan SVM"])
    >>> relations = Relations.between(query.units, archive.units)
    >>> Retrieval(archive).find(query, 0, relations, np.empty((0, 5), dtype=int), min_found=1).tolist()
    [0]
    """

    def __init__(self, records: RecordTable) -> None:
        self._ends, numbers = records.ends, records.numbers
        self._unit_weights = unit_weights(records.units)
        self._lists, self._list_ends = records.titles_by_unit
        weights, counts = self._unit_weights[numbers], np.diff(records.ends)
        self._running_sums = _running_sums(weights)
        rows = np.repeat(np.arange(len(records)), counts)
        self._weights = sums_by_row(rows, weights * ~records.units.is_place[numbers], len(records))
        self._without_units = np.flatnonzero(counts == 0)

    def find(
        self,
        queries: RecordTable,
        row: int,
        relations: Relations,
        abbreviations: Rows,
        min_found: int = MIN_FOUND,
    ) -> Rows:
        """Return the rows of the archive that a title may be related to, in order.

        Parameters
        ----------
        queries : RecordTable
        row : int
            Row of the title in them.
        relations : Relations
            Between the units of the queries and those of the archive.
        abbreviations : ndarray of int
            `judul_lib.structured.relations.find_abbreviations` of the title in the archive.
        min_found : int
            Number of titles to find at least, if the archive has as many.
        """
        numbers = queries.numbers[queries.ends[row] : queries.ends[row + 1]]
        weights = unit_weights(queries.units)[numbers]
        total = float((weights * ~queries.units.is_place[numbers]).sum())
        nearness = np.maximum(relations.same[numbers], relations.near[numbers]) ** 2
        nearness[nearness < _MIN_NEARNESS**2] = 0
        shared = self._shared_weights(weights, nearness, abbreviations)
        reached = _reached(*shared, total, self._weights)
        lesser = np.minimum(self._weights, total)
        required = np.clip((lesser - _NO_WEIGHT) / (_FULL_WEIGHT - _NO_WEIGHT), 0, 1)
        found = np.flatnonzero(reached >= required)
        if len(found) < min_found:
            found = np.argsort(-reached, kind="stable")[:min_found]
        return np.union1d(found, self._without_units)

    def _shared_weights(
        self, weights: FloatArray, nearness: NDArray, abbreviations: Rows
    ) -> tuple[FloatArray, FloatArray]:
        """Return the weight of the query that is in each title, and that of each title in the query."""
        n = len(self._weights)
        of_query, last = np.zeros(n), np.empty(n, dtype=np.int32)
        for weight, near in zip(weights.tolist(), nearness, strict=True):
            units = np.flatnonzero(near)
            units = units[np.argsort(near[units])]
            rows, counts = self._titles_of(units)
            # A title has the value of its nearest unit, the last of them.
            last[rows] = places = np.arange(len(rows))
            is_last = last[rows] == places
            of_query[rows[is_last]] += weight * np.repeat(near[units], counts)[is_last]
        nearest = nearness.max(axis=0, initial=0)
        units = np.flatnonzero(nearest)
        rows, counts = self._titles_of(units)
        values = np.repeat((nearest * self._unit_weights)[units], counts)
        of_title = sums_by_row(rows, values, n)
        rows, first, last_unit, other_first, other_last = abbreviations.T
        sums, starts = _running_sums(weights), self._ends[rows]
        np.add.at(of_query, rows, sums[last_unit + 1] - sums[first])
        sums = self._running_sums
        np.add.at(of_title, rows, sums[starts + other_last + 1] - sums[starts + other_first])
        return of_query, of_title

    def _titles_of(self, units: Rows) -> tuple[Rows, Rows]:
        """Return the titles of some units, one unit after the other, and how many each unit has."""
        starts, stops = self._list_ends[units], self._list_ends[units + 1]
        lists = [self._lists[a:b] for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
        return np.concatenate([self._lists[:0], *lists]), stops - starts


def _reached(of_query: FloatArray, of_title: FloatArray, total: float, totals: FloatArray) -> FloatArray:
    """Return how much of the least shares each title reaches: 1 if it reaches both; shape (n,)."""
    share = (of_query + of_title) / np.maximum(totals + total, 1e-9)
    greater = np.maximum(of_query / max(total, 1e-9), of_title / np.maximum(totals, 1e-9))
    reached: FloatArray = np.minimum(share / _MIN_SHARE, greater / _MIN_GREATER_SHARE)
    return reached


def _running_sums(values: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(values)])


def unit_weights(units: UnitTable) -> FloatArray:
    """Return how much each unit counts where titles share it, shape (n_units,)."""
    weights: FloatArray = np.maximum(units.weights, _MIN_UNIT_WEIGHT) / 3 * (0.4 + 0.6 * units.rarity)
    return weights * np.where(units.is_place, _PLACE_WEIGHT, 1.0)
