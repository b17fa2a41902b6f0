"""Which units of two titles are the same, near, or siblings.

The same: one canonical term, one word, a typing error, an abbreviation or the
same letters joined. Only sameness speaks for the same study; near things are
mostly siblings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from judul_lib.core.array_types import BoolArray, Rows
from judul_lib.structured.lexicon import NEAR, RELATIONS, SAME, SIBLING
from judul_lib.structured.records import (
    RecordTable,
    UnitTable,
    abbreviation,
    without_numbers,
)
from judul_lib.structured.title_words import TitleWords
from judul_lib.structured.units import Unit
from judul_lib.structured.words import is_dictionary_word

# In long words two letters may be wrong.
_LONG = 9
_MAX_INITIALS, _MAX_JOINED = 7, 4
_PART_NEARNESS = 0.8
LEXICON_NEARNESS = 0.9
"""Nearness of two terms of which the lexicon says that one may stand for the other."""

# However alike their names: another one makes another study.
_NEAR_SIBLING = 0.3


@dataclass(frozen=True)
class Relations:
    """Relations of every unit of one table with every unit of another.

    Attributes
    ----------
    same, siblings : ndarray of bool, shape (n_left_units, n_right_units)
    near : ndarray of float32 in [0, 1], shape (n_left_units, n_right_units)
        Cosine of their vectors; 0 for two places.
    """

    same: BoolArray
    siblings: BoolArray
    near: NDArray[np.float32]

    @classmethod
    def between(cls, left: UnitTable, right: UnitTable) -> "Relations":
        """Compare all units of two tables."""
        told = _lexicon_relations(left, right)
        same = _equal(left, right) | told[SAME]
        if len(left) and len(right):
            _mark_typos(left, right, same)
        # The number of a school is no version.
        numbers = left.is_number[:, None] & right.is_number
        same &= ~(numbers & (left.is_place[:, None] != right.is_place))
        near = np.clip(left.vectors @ right.vectors.T, 0, 1)
        _mark_parts(left, right, near)
        near[left.is_place[:, None] & right.is_place] = 0
        near[told[NEAR]] = np.maximum(near[told[NEAR]], LEXICON_NEARNESS)
        siblings = (_siblings(left, right) | told[SIBLING]) & ~same & ~told[NEAR]
        near[siblings] = np.minimum(near[siblings], _NEAR_SIBLING)
        return cls(same, siblings, near)


def _equal(left: UnitTable, right: UnitTable) -> BoolArray:
    same = np.zeros((len(left), len(right)), dtype=bool)
    for row, unit in enumerate(left.units):
        same[row, right.by_name.get(unit.name, [])] = True
        same[row, right.by_text.get(unit.text, [])] = True
    return same


def _lexicon_relations(left: UnitTable, right: UnitTable) -> dict[str, BoolArray]:
    """Mark what the lexicon says of two terms."""
    marks = {relation: np.zeros((len(left), len(right)), dtype=bool) for relation in RELATIONS}
    for row, related in enumerate(left.related):
        for name in related.keys() & right.by_name.keys():
            marks[related[name]][row, right.by_name[name]] = True
    return marks


def _mark_typos(left: UnitTable, right: UnitTable, same: BoolArray) -> None:
    """Mark words of which one is hardly a word and differs from the other in a letter or two."""
    rows, columns = left.long_words, right.long_words
    if not rows or not columns:
        return
    words = [left.units[row].text for row in rows]
    others = [right.units[column].text for column in columns]
    distances = cdist(words, others, scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)
    for i, j in zip(*np.nonzero((distances == 1) | (distances == 2)), strict=True):
        word, other = words[i], others[j]
        allowed = 2 if min(len(word), len(other)) >= _LONG else 1
        are_known = left.units[rows[i]].known and right.units[columns[j]].known
        if (
            distances[i, j] <= allowed
            and word[0] == other[0]
            and not are_known
            and not (is_dictionary_word(word) and is_dictionary_word(other))
        ):
            same[rows[i], columns[j]] = True


def _mark_parts(left: UnitTable, right: UnitTable, near: NDArray[np.float32]) -> None:
    """Raise the nearness of a term and one that holds its words: *motivasi*, *motivasi kerja*."""
    for row, unit in enumerate(left.units):
        words = set(unit.name.split())
        for column in set().union(*(right.by_word.get(word, []) for word in words)):
            other = set(right.units[column].name.split())
            if words < other or words > other:
                near[row, column] = max(near[row, column], _PART_NEARNESS)


def _siblings(left: UnitTable, right: UnitTable) -> BoolArray:
    found = np.zeros((len(left), len(right)), dtype=bool)
    for row, groups in enumerate(left.groups):
        for group in groups:
            found[row, right.by_group.get(group, [])] = True
    for row, unit in enumerate(left.units):
        letters = without_numbers(unit.name)
        if letters != unit.name:  # "gpt 4" and "gpt 3 5": two versions of one thing.
            found[row, right.by_name_without_numbers.get(letters, [])] = True
    return found


def mark_abbreviations(left: Sequence[Unit], right: Sequence[Unit], same: BoolArray) -> None:
    """Mark a unit that abbreviates consecutive words of the other title, or joins them.

    Parameters
    ----------
    left, right : sequence of Unit
        Of two titles.
    same : ndarray of bool, shape (at least len(left), at least len(right))
        Changed in place.

    Examples
    --------
    >>> from judul_lib.structured.parser import TitleParser
    >>> left, right = map(TitleParser().parse, ("Hama Kakao Sleman", "Peta HKS"))
    >>> same = np.zeros((3, len(right)), dtype=bool)
    >>> mark_abbreviations(left, right, same)
    >>> same[:, -1].tolist()
    [True, True, True]
    """
    for one, other, marks in ((left, right, same), (right, left, same.T)):
        for row, start, stop in _abbreviation_spans(one, other):
            marks[row, start : stop + 1] = True


def _abbreviation_spans(one: Sequence[Unit], other: Sequence[Unit]) -> Iterator[tuple[int, int, int]]:
    """Yield units of one title, and the first and last unit of the other that each stands for."""
    words = " ".join([unit.text for unit in other]).split()
    initials, letters = "".join([word[0] for word in words]), "".join(words)
    columns: list[int] = []
    for row, unit in enumerate(one):
        text = abbreviation(unit)
        if not text or (text not in letters and text not in initials):
            continue
        if not columns:
            columns = [column for column, unit in enumerate(other) for _ in unit.text.split()]
            ends = [0, *accumulate(map(len, words))]
            number_of = {end: number for number, end in enumerate(ends)}
        spans = []
        start = initials.find(text) if len(text) <= _MAX_INITIALS else -1
        if start >= 0:
            spans.append((start, start + len(text), True))
        begin = letters.find(text)
        start, stop = number_of.get(begin, -1), number_of.get(begin + len(text), -1)
        if begin >= 0 and start >= 0 and 2 <= stop - start <= _MAX_JOINED:
            spans.append((start, stop, " " in unit.text))
        for start, stop, whole in spans:
            # Part of a term is not the term: "sistem informasi" is no "sistem informasi akademik".
            begins = start == 0 or columns[start - 1] != columns[start]
            closes = stop == len(columns) or columns[stop] != columns[stop - 1]
            if not whole or (begins and closes):
                yield row, columns[start], columns[stop - 1]


def find_abbreviations(left: RecordTable, left_row: int, right: RecordTable) -> Rows:
    """Find what `mark_abbreviations` marks when one title meets each title of a table.

    Returns
    -------
    ndarray of int, shape (n, 5)
        Row of the other title, in order; first and last unit of the one, and of the other, that
        are the same.
    """
    found = [np.empty((0, 5), dtype=np.int64)]
    for column, unit in enumerate(left.parse(left_row)):
        for rows, first, last in _in_words(right.words, unit):
            here = np.full(len(rows), column)
            found.append(np.column_stack([rows, here, here, first, last]))
    own = left.take(np.array([left_row])).words
    spans = [
        (number, first[0], last[0])
        for text, numbers in right.units.by_abbreviation.items()
        if text in own.initials or text in own.letters
        for number in numbers
        for rows, first, last in _in_words(own, right.units.units[number], text)
        if len(rows)
    ]
    for number, first_unit, last_unit in spans:
        rows, here = right.titles_with_unit(number)
        both = np.full((2, len(rows)), [[first_unit], [last_unit]])
        found.append(np.column_stack([rows, *both, here, here]))
    cells = np.concatenate(found)
    return cells[np.argsort(cells[:, 0], kind="stable")]


def _in_words(
    words: TitleWords, unit: Unit, text: str | None = None
) -> Iterator[tuple[Rows, Rows, Rows]]:
    text = abbreviation(unit) if text is None else text
    if text and len(text) <= _MAX_INITIALS and text in words.initials:
        yield words.find_initials(text)
    if text and text in words.letters:
        yield words.find_joined_words(text, _MAX_JOINED, whole=" " in unit.text)
