"""Find the titles in which words meet an abbreviation of a query, or its words one of theirs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from judul_lib.array_files import Arrays
from judul_lib.records import RecordTable
from judul_lib.spans import MOST_JOINED, find_span, unit_keys, word_spans
from judul_lib.title_parser import Unit

Rows = NDArray[np.integer]


@dataclass(frozen=True)
class Meeting:
    """Units of a query that are the same as units of some titles.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Titles; one may occur again.
    start, stop : int
        First and last unit of the query.
    units : list of ndarray of int, shape (n,) each
        Unit after unit of each title.
    """

    rows: Rows
    start: int
    stop: int
    units: Sequence[Rows]


class Meetings:
    """The titles of a part of a corpus by their abbreviations and by their words.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As from `judul_lib.record_arrays.record_arrays`.
    records : RecordTable
        The same titles.
    """

    def __init__(self, arrays: Arrays, records: RecordTable) -> None:
        self._arrays, self._records = arrays, records

    def of(self, parse: Sequence[Unit], alike: NDArray[np.float32]) -> Iterator[Meeting]:
        """Yield where a query meets titles.

        Units that are equal already are left out: nothing changes for them.

        Parameters
        ----------
        parse : sequence of Unit
            The query's.
        alike : ndarray, shape (len(parse), n_units)
            How alike the titles' units are to each of the query's.
        """
        for letters, (start, stop) in word_spans(parse).items():
            for unit in self._units_by_key.get(letters, ()):
                if alike[start : stop + 1, unit].min() < 1:
                    rows = self._rows_of(unit)
                    yield Meeting(rows, start, stop, [np.full(len(rows), unit)])
        for letters, own in unit_keys(parse).items():
            rows, units = self._by_initials(letters.encode())
            if len(rows):
                yield Meeting(rows, own, own, units)
            for words in _splits(letters, self._units_by_word.keys()):
                for unit in self._with_phrase(words):
                    if alike[own, unit] < 1:
                        rows = self._rows_of(unit)
                        yield Meeting(rows, own, own, [np.full(len(rows), unit)])
                for row in self._with_parts(words):
                    span = find_span(self._records.parse(row), letters)
                    if span is not None:
                        numbers = self._records.unit_numbers(row)[span[0] : span[1] + 1]
                        yield Meeting(np.array([row]), own, own, list(numbers[:, None]))

    def _rows_of(self, unit: int) -> Rows:
        ends = self._arrays["unit_rows.ends"]
        return self._arrays["unit_rows"][ends[unit] : ends[unit + 1]]

    def _by_initials(self, letters: bytes) -> tuple[Rows, list[Rows]]:
        """Return the titles that have consecutive words with these initials, and the words' units."""
        initials, ends = self._arrays["initials"], self._arrays["initials.ends"]
        if not 2 <= len(letters) <= min(7, len(initials)):
            return np.empty(0, dtype=np.int64), []
        places = np.flatnonzero((initials[:-1] == letters[0]) & (initials[1:] == letters[1]))
        places = places[places + len(letters) <= len(initials)]
        for offset in range(2, len(letters)):
            places = places[initials[places + offset] == letters[offset]]
        rows = np.searchsorted(ends, places, side="right") - 1
        within = places + len(letters) <= ends[rows + 1]
        units = [self._arrays["initials.units"][places[within] + k] for k in range(len(letters))]
        return rows[within], units

    def _with_phrase(
        self, words: Sequence[str], *, first: bool = False, last: bool = False
    ) -> list[int]:
        """Return the units that have these words one after the other, first or last if so wanted."""
        phrase = f" {' '.join(words)} "
        units = []
        for unit in self._units_by_word.get(words[0], ()):
            text = f" {self._records.units.units[unit].text} "
            fits = (not first or text.startswith(phrase)) and (not last or text.endswith(phrase))
            if fits and phrase in text:
                units.append(unit)
        return units

    def _with_parts(self, words: Sequence[str]) -> set[int]:
        """Return the titles that may have these words one after the other, in several units."""
        rows: set[int] = set()
        for n in range(1, len(words)):
            for cuts in combinations(range(1, len(words)), n):
                parts = [words[a:b] for a, b in pairwise((0, *cuts, len(words)))]
                units = [
                    self._with_phrase(part, first=number > 0, last=number < n)
                    for number, part in enumerate(parts)
                ]
                if all(units):
                    found = (set().union(*(self._rows_of(unit).tolist() for unit in of)) for of in units)
                    rows |= set.intersection(*found)
        return rows

    @cached_property
    def _units_by_key(self) -> dict[str, list[int]]:
        units: dict[str, list[int]] = {}
        for number, unit in enumerate(self._records.units.units):
            for letters in unit_keys([unit]):
                units.setdefault(letters, []).append(number)
        return units

    @cached_property
    def _units_by_word(self) -> dict[str, list[int]]:
        units: dict[str, list[int]] = {}
        for number, unit in enumerate(self._records.units.units):
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
