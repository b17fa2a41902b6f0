"""Find a query's best titles for the structured model without comparing it with every title.

What the answer depends on most is had for all titles at once: likeness of
meaning and the share of each field that finds a counterpart are sums over a
title's units, so one product of a sparse matrix; which of its units the query
finds again is read from postings. The rest is bounded: by how much it can
raise the log-odds at most. Pairs are compared in full where the bound can
still reach the best titles found, best bounds first, and nowhere else.
"""

from collections.abc import Collection, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit

from judul_lib.array_files import Arrays, StringColumn
from judul_lib.features import FloatArray
from judul_lib.matches import TopRows
from judul_lib.record_arrays import stored_units
from judul_lib.record_bounds import PartSums, UpperBound
from judul_lib.record_features import NEARLY_EQUAL, record_features
from judul_lib.records import MOST_JOINED, RecordTable, unit_keys
from judul_lib.structured import PreparedTitles, StructuredModel
from judul_lib.study_search import StudySearch, largest, letters_bound
from judul_lib.title_parser import FIELDS

_FIRST, _NEXT, _MANY = 128, 512, 256
# Units that are less alike than this are taken to be just so alike.
_LEAST_ALIKE = 0.25
# Sums in single precision are off by less, in log-odds.
_SLACK = 1e-4
_OBJECT = FIELDS.index("object")
Rows = NDArray[np.intp]


class RecordSearch:
    """A part of a corpus, searched with the structured model.

    Parameters
    ----------
    model : StructuredModel
    arrays : mapping of str to ndarray
        As from `record_arrays`.
    titles : StringColumn, shape (n,)
        The titles as typed.
    """

    def __init__(self, model: StructuredModel, arrays: Arrays, titles: StringColumn) -> None:
        self.model, self.arrays = model, arrays
        self.study = StudySearch(arrays, titles)
        self.units = stored_units(arrays)
        self._bound = UpperBound(model)
        ends, numbers = arrays["unit_ends"], arrays["unit_numbers"]
        self.records = RecordTable(titles, self.units, ends, numbers, model.parser.is_word)

    def __len__(self) -> int:
        return len(self.records)

    def search(
        self,
        queries: PreparedTitles,
        row: int,
        alike: FloatArray,
        top: TopRows,
        start: int = 0,
        removed: NDArray[np.int32] | None = None,
    ) -> None:
        """Offer every title that may be among the best for one query.

        Parameters
        ----------
        queries : PreparedTitles
        row : int
            Which of them.
        alike : ndarray
            `unit_similarity` of all of them with this part.
        top, start, removed
            As for `study_search.search`.
        """
        table = queries.table.take([row])
        cosine, shared = self.study.cosine(table), self.study.shared_stems(table)
        jaccard = self.study.jaccard(table, shared)
        sums = self._sums(queries.records, row, alike)

        reach = self._bound.log_odds(sums, cosine, jaccard)
        ceiling = self._bound.log_odds(sums.all_found(), cosine, jaccard)
        met = self._met(queries.records, row)
        reach[met] = ceiling[met]
        if removed is not None:
            reach[removed] = ceiling[removed] = -np.inf
        left = np.flatnonzero(_may_enter(reach, top))
        first = True
        while first or len(left):
            chosen = largest(reach[left], _FIRST if first else _NEXT)
            rows = np.sort(left[chosen])
            ratio = self.study.levenshtein(table, rows)
            record = self._features(queries.records, row, alike, rows, met)
            features = self.model.join(np.column_stack([cosine[rows], jaccard[rows], ratio]), record)
            top.offer(rows + start, self.model.probability(features), features[:, 0], features[:, 2])
            reach[rows] = ceiling[rows] = -np.inf
            if first:
                typed = np.flatnonzero(_may_enter(ceiling, top))
                typed = typed[self._nearly_equal(queries.records.texts[row], typed)]
                reach[typed] = ceiling[typed]
                left = np.flatnonzero(_may_enter(reach, top))
                if len(left) > _MANY:
                    usual = left[reach[left] < ceiling[left]]
                    ratio = self.study.levenshtein(table, usual)
                    letters = cosine[usual], jaccard[usual], ratio
                    reach[usual] = self._bound.log_odds(sums.take(usual), *letters)
            else:
                left = np.delete(left, chosen)
            left = left[_may_enter(reach[left], top)]
            first = False

    def _features(
        self, queries: RecordTable, row: int, alike: FloatArray, rows: Rows, met: Rows
    ) -> FloatArray:
        titles = self.records.take(rows, np.isin(rows, met))
        query = np.full(len(rows), row, dtype=np.intp)
        return record_features(queries, titles, query, np.arange(len(rows)), alike)

    def _sums(self, queries: RecordTable, row: int, alike: FloatArray) -> PartSums:
        arrays, numbers = self.arrays, queries.unit_numbers(row)
        own = alike[queries.units.name_ids[numbers]].astype(np.float32)
        fields, weights = queries.units.fields[numbers], queries.units.weights[numbers]
        found = own.max(axis=0, initial=0)[arrays["name_ids"]] * arrays["weights"]
        n_fields = arrays["totals"].shape[1]
        per_unit = np.zeros((len(found), n_fields + 2), dtype=np.float32)
        for field in range(n_fields):
            per_unit[:, field] = np.where(arrays["fields"] == field, found, 0)
        for column, (mean, of) in enumerate(zip(queries.means, (None, _OBJECT), strict=True)):
            meant = (self.units.vectors @ mean[row].astype(np.float32))[arrays["name_ids"]]
            counts = arrays["weights"] if of is None else arrays["weights"] * (arrays["fields"] == of)
            per_unit[:, n_fields + column] = meant * counts
        right = self._has @ per_unit
        left = np.zeros((len(self), n_fields), dtype=np.float32)
        for unit, (field, weight) in enumerate(zip(fields.tolist(), weights.tolist(), strict=True)):
            left[:, field] += weight * self._best_of(own[unit])
        own_totals = np.bincount(fields, weights=weights, minlength=n_fields).astype(np.float32)
        meaning = right[:, n_fields:] / np.maximum(arrays["norms"], 1e-9)
        return PartSums(left, own_totals, right[:, :n_fields], arrays["totals"], meaning)

    def _best_of(self, alike: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how alike a unit is to the most alike unit of each title, or more; shape (n,)."""
        best = np.full(len(self), _LEAST_ALIKE, dtype=np.float32)
        per_unit = alike[self.arrays["name_ids"]]
        units = np.flatnonzero(per_unit > _LEAST_ALIKE)
        # Of titles that occur again, the last is written: the most alike unit.
        units = units[np.argsort(per_unit[units], kind="stable")]
        ends, rows = self.arrays["unit_rows.ends"], self.arrays["unit_rows"]
        parts = [rows[ends[unit] : ends[unit + 1]] for unit in units.tolist()]
        if parts:
            counts = ends[units + 1] - ends[units]
            best[np.concatenate(parts)] = np.repeat(per_unit[units], counts)
        return best

    @cached_property
    def _has(self) -> csr_matrix:
        numbers, ends = self.arrays["unit_numbers"], self.arrays["unit_ends"]
        ones = np.ones(len(numbers), dtype=np.float32)
        return csr_matrix((ones, numbers, ends), shape=(len(self), len(self.units.weights)))

    def _nearly_equal(self, text: str, rows: Rows) -> NDArray[np.bool_]:
        """Tell which titles may be the same but for typing errors."""
        arrays = self.arrays
        reach = letters_bound(text, arrays["text_letters"][rows], arrays["text_lengths"][rows])
        return reach >= NEARLY_EQUAL

    def _met(self, queries: RecordTable, row: int) -> Rows:
        """Return the titles in which words may meet an abbreviation of the query, or the other way."""
        parts = [np.empty(0, dtype=np.int64)]
        for letters in queries.spans[row]:
            parts += [self._rows_of(unit) for unit in self._units_by_key.get(letters, ())]
        for letters in queries.keys[row]:
            parts.append(self._with_initials(letters.encode()))
            for words in _splits(letters, self._units_by_word.keys()):
                found = (set(self._rows_of_word(word)) for word in words)
                parts.append(np.array(sorted(set.intersection(*found)), dtype=np.int64))
        return np.unique(np.concatenate(parts))

    def _rows_of(self, unit: int) -> NDArray[np.integer]:
        ends = self.arrays["unit_rows.ends"]
        return self.arrays["unit_rows"][ends[unit] : ends[unit + 1]]

    def _rows_of_word(self, word: str) -> Iterator[int]:
        return (row for unit in self._units_by_word[word] for row in self._rows_of(unit).tolist())

    def _with_initials(self, letters: bytes) -> NDArray[np.int64]:
        """Return the titles that have consecutive words with these initials."""
        initials, ends = self.arrays["initials"], self.arrays["initials.ends"]
        if not 2 <= len(letters) <= len(initials):
            return np.empty(0, dtype=np.int64)
        places = np.flatnonzero((initials[:-1] == letters[0]) & (initials[1:] == letters[1]))
        places = places[places + len(letters) <= len(initials)]
        for offset in range(2, len(letters)):
            places = places[initials[places + offset] == letters[offset]]
        rows = np.searchsorted(ends, places, side="right") - 1
        return rows[places + len(letters) <= ends[rows + 1]]

    @cached_property
    def _units_by_key(self) -> dict[str, list[int]]:
        units: dict[str, list[int]] = {}
        for number, unit in enumerate(self.units.units):
            for letters in unit_keys([unit]):
                units.setdefault(letters, []).append(number)
        return units

    @cached_property
    def _units_by_word(self) -> dict[str, list[int]]:
        units: dict[str, list[int]] = {}
        for number, unit in enumerate(self.units.units):
            for word in set(unit.text.split()):
                units.setdefault(word, []).append(number)
        return units


def _splits(letters: str, words: Collection[str], most: int = MOST_JOINED) -> Iterator[tuple[str, ...]]:
    """Yield the ways to write letters as two or more known words.

    Examples
    --------
    >>> list(_splits("pekanbaru", {"pekan", "baru", "pe"}))
    [('pekan', 'baru')]
    """
    for at in range(1, len(letters) if most > 1 else 0):
        if letters[:at] in words:
            if letters[at:] in words:
                yield letters[:at], letters[at:]
            for rest in _splits(letters[at:], words, most - 1):
                yield letters[:at], *rest


def _may_enter(reach: FloatArray, top: TopRows) -> NDArray[np.bool_]:
    may: NDArray[np.bool_] = (expit(reach + _SLACK) >= top.worst[0]) & (reach > -np.inf)
    return may
