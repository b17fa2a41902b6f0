"""Find a query's best titles for the structured model without comparing it with every title.

What the answer depends on most is had for all titles at once: likeness of
meaning and the share of each field that finds a counterpart are sums over a
title's units, so one product of a sparse matrix; which of its units the query
finds again is read from postings. The rest is bounded: by how much it can
raise the log-odds at most. Pairs are compared in full where the bound can
still reach the best titles found, best bounds first, and nowhere else.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from scipy.sparse import csr_matrix
from scipy.special import logit

from judul_lib.array_files import Arrays, StringColumn
from judul_lib.features import FloatArray
from judul_lib.meetings import Meetings
from judul_lib.record_arrays import stored_units
from judul_lib.record_bounds import PartSums, UpperBound
from judul_lib.record_features import LEAST_EQUAL, NEARLY_EQUAL, record_features
from judul_lib.records import GROUPS, RecordTable, is_in
from judul_lib.structured import PreparedTitles, StructuredModel
from judul_lib.study_search import StudySearch, largest, letters_bound
from judul_lib.top_rows import TopRows

# Titles of which letters are compared first, and those compared in full at a time: first, and then.
_FIRST, _SOME, _NEXT = 512, 96, 256
# Units that are less alike than this are taken to be just so alike.
_LEAST_ALIKE = 0.25
# Sums in single precision are off by less, in log-odds.
_SLACK, _MOST_ODDS = 1e-4, 20.0
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
        self.study = StudySearch(arrays, titles, model.tfidf)
        self.units = stored_units(arrays)
        self._bound = UpperBound(model)
        ends, numbers = arrays["unit_ends"], arrays["unit_numbers"]
        self._texts = StringColumn.at(arrays, "texts")
        self.records = RecordTable(self._texts, self.units, ends, numbers, model.parser.is_word)
        self._meetings = Meetings(arrays, self.records)

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
        sums, met, equal = self._sums(queries.records, row, alike)
        single = cosine.astype(np.float32), jaccard.astype(np.float32)
        reach, ceiling = self._bound.log_odds(sums, *single), self._bound.ceiling(sums, *single)
        if removed is not None:
            reach[removed] = ceiling[removed] = -np.inf
        ratio = np.full(len(self), np.nan)  # Where letters have been compared.

        def tighten(rows: Rows) -> None:
            rows = rows[np.isnan(ratio[rows])]
            ratio[rows] = self.study.levenshtein(table, rows)
            letters = *(column[rows] for column in single), ratio[rows].astype(np.float32)
            reach[rows] = self._bound.log_odds(sums.take(rows), *letters)

        def score(rows: Rows) -> None:
            if not len(rows):
                return
            further = self.study.further(table, rows)
            letters = np.column_stack([cosine[rows], jaccard[rows], ratio[rows], further])
            record = self._features(queries.records, row, alike, rows, met)
            features = self.model.join(letters, record)
            top.offer(rows + start, self.model.probability(features), features)
            reach[rows] = ceiling[rows] = -np.inf

        def hopeful(rows: Rows) -> Rows:
            return rows[_may_enter(reach[rows], top)]

        first = hopeful(largest(reach, _FIRST))
        tighten(first)
        first = hopeful(first)
        score(np.sort(first[largest(reach[first], _SOME)]))
        typed = np.flatnonzero(_may_enter(ceiling, top) & equal)
        typed = self._nearly_equal(queries.records.texts[row], typed)
        left = np.union1d(np.flatnonzero(_may_enter(reach, top)), typed)
        tighten(left)
        reach[typed] = ceiling[typed]
        while len(left := hopeful(left)):
            score(np.sort(left[largest(reach[left], _NEXT)]))

    def _features(
        self, queries: RecordTable, row: int, alike: FloatArray, rows: Rows, met: NDArray[np.integer]
    ) -> FloatArray:
        titles = self.records.take(rows, np.isin(rows, met))
        query = np.full(len(rows), row, dtype=np.intp)
        return record_features(queries, titles, query, np.arange(len(rows)), alike)

    def _sums(
        self, queries: RecordTable, row: int, alike: FloatArray
    ) -> tuple[PartSums, NDArray[np.integer], NDArray[np.bool_]]:
        """Return what is known of all titles.

        Also those in which words meet an abbreviation, and which have enough
        units of the query to be looked at for typing errors.
        """
        arrays, numbers = self.arrays, queries.unit_numbers(row)
        own = alike[queries.units.name_ids[numbers]].astype(np.float32)[:, arrays["name_ids"]]
        fields, weights = queries.units.fields[numbers], queries.units.weights[numbers]
        found = own.max(axis=0, initial=0)
        n_fields = len(arrays["totals"])
        per_unit = np.zeros((len(found), n_fields + 3), dtype=np.float32)
        per_unit[np.arange(len(found)), arrays["fields"]] = found * arrays["weights"]
        for column, (mean, group) in enumerate(zip(queries.means, ("all", "object"), strict=True)):
            counts = arrays["weights"] * is_in(arrays["fields"], GROUPS[group])
            meant = (self.units.vectors @ mean[row].astype(np.float32))[arrays["name_ids"]]
            per_unit[:, n_fields + column] = meant * counts
        per_unit[:, -1] = (found == 1) - LEAST_EQUAL
        right = np.ascontiguousarray((self._has @ per_unit).T)
        equal = right[-1] > -_SLACK
        met: list[list[NDArray[np.integer]]] = [[] for _ in own]
        for meeting in self._meetings.of(queries.parse(row), own):
            for unit in range(meeting.start, meeting.stop + 1):
                met[unit].append(meeting.rows)
            for units in meeting.units:
                gain = (1 - found[units]) * arrays["weights"][units]
                np.add.at(right, (arrays["fields"][units], meeting.rows), gain)
        left = np.zeros((n_fields, len(self)), dtype=np.float32)
        best = np.empty(len(self), dtype=np.float32)
        for unit, (field, weight) in enumerate(zip(fields.tolist(), weights.tolist(), strict=True)):
            self._find_best(own[unit], best)
            for rows in met[unit]:
                best[rows] = 1
            best *= np.float32(weight)
            left[field] += best
        parts = [rows for of_unit in met for rows in of_unit]
        every_met = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
        equal[every_met] = True
        totals = np.bincount(fields, weights=weights, minlength=n_fields).astype(np.float32)
        meaning = right[n_fields : n_fields + 2] / np.maximum(arrays["norms"], np.float32(1e-9))
        sums = PartSums(left, totals, right[:n_fields], arrays["totals"], meaning)
        return sums, every_met, equal

    def _find_best(self, alike: NDArray[np.float32], best: NDArray[np.float32]) -> None:
        """Write how alike a unit is to the most alike unit of each title, or more."""
        best.fill(_LEAST_ALIKE)
        units = np.flatnonzero(alike > _LEAST_ALIKE)
        # Of titles that occur again, the last is written: the most alike unit.
        units = units[np.argsort(alike[units], kind="stable")]
        ends, rows = self.arrays["unit_rows.ends"], self.arrays["unit_rows"]
        for unit, likeness in zip(units.tolist(), alike[units].tolist(), strict=True):
            best[rows[ends[unit] : ends[unit + 1]]] = likeness

    @cached_property
    def _has(self) -> csr_matrix:
        numbers, ends = self.arrays["unit_numbers"], self.arrays["unit_ends"]
        ones = np.ones(len(numbers), dtype=np.float32)
        return csr_matrix((ones, numbers, ends), shape=(len(self), len(self.units.weights)))

    def _nearly_equal(self, text: str, rows: Rows) -> Rows:
        """Return those of some titles that may be the same but for typing errors."""
        counts = self.arrays["text_letters"][rows], self.arrays["text_lengths"][rows]
        rows = rows[letters_bound(text, *counts) >= NEARLY_EQUAL]
        likeness = cdist(
            [text], self._texts.take(rows),
            scorer=Indel.normalized_similarity, score_cutoff=NEARLY_EQUAL,
        )  # fmt: skip
        return rows[likeness[0] > 0]


def _may_enter(reach: NDArray[np.floating], top: TopRows) -> NDArray[np.bool_]:
    # Log-odds of a probability next to 1 are rounded; beyond the most that counts, all may.
    least = min(float(logit(max(top.worst[0], 0.0))), _MOST_ODDS)
    may: NDArray[np.bool_] = (reach >= np.float32(least - _SLACK)) & (reach > -np.inf)
    return may
