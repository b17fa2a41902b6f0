"""Relations of the units of two titles: the same, near, or siblings.

Units are the same by canonical term, word, typing error, abbreviation or
joined words. Only sameness speaks for the same study; near units are mostly
siblings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from judul_lib.core.array_types import BoolArray, Rows
from judul_lib.structured.lexicon import NEAR, RELATIONS, SAME, SIBLING
from judul_lib.structured.records import RecordTable, UnitTable, abbreviation, without_numbers
from judul_lib.structured.units import Unit
from judul_lib.structured.words import is_dictionary_word

# A long word may have two typing errors.
_MIN_LONG_WORD = 9
_MAX_INITIALS, _MAX_JOINED_WORDS = 7, 4
_PART_NEARNESS = 0.8
LEXICON_NEARNESS = 0.9
"""Nearness of two terms that are exchangeable by the lexicon."""
_MAX_SIBLING_NEARNESS = 0.3


@dataclass(frozen=True)
class Relations:
    """Relations of every unit of one table with every unit of another.

    Attributes
    ----------
    same, siblings : ndarray of bool, shape (n_left_units, n_right_units)
    near : ndarray of float32 in [0, 1], shape (n_left_units, n_right_units)
        Mostly the cosine of their vectors; 0 for two places.
    """

    same: BoolArray
    siblings: BoolArray
    near: NDArray[np.float32]

    @classmethod
    def between(cls, left: UnitTable, right: UnitTable) -> "Relations":
        """Compare all units of two tables."""
        by_lexicon = _lexicon_relations(left, right)
        same = _equal(left, right) | by_lexicon[SAME]
        _mark_typos(left, right, same)
        # A number within a place, such as that of a school, is not a version or class.
        numbers = left.is_number[:, None] & right.is_number
        same &= ~(numbers & (left.is_place[:, None] != right.is_place))
        near = np.clip(left.vectors @ right.vectors.T, 0, 1)
        _mark_parts(left, right, near)
        near[left.is_place[:, None] & right.is_place] = 0
        is_near = by_lexicon[NEAR]
        near[is_near] = np.maximum(near[is_near], LEXICON_NEARNESS)
        siblings = (_siblings(left, right) | by_lexicon[SIBLING]) & ~same & ~is_near
        near[siblings] = np.minimum(near[siblings], _MAX_SIBLING_NEARNESS)
        return cls(same, siblings, near)


def _equal(left: UnitTable, right: UnitTable) -> BoolArray:
    same = np.zeros((len(left), len(right)), dtype=bool)
    for row, unit in enumerate(left.units):
        same[row, right.by_name.get(unit.name, [])] = True
        same[row, right.by_text.get(unit.text, [])] = True
    return same


def _lexicon_relations(left: UnitTable, right: UnitTable) -> dict[str, BoolArray]:
    """Return where each of `RELATIONS` holds."""
    holds = {relation: np.zeros((len(left), len(right)), dtype=bool) for relation in RELATIONS}
    for row, related in enumerate(left.related):
        for name in related.keys() & right.by_name.keys():
            holds[related[name]][row, right.by_name[name]] = True
    return holds


def _mark_typos(left: UnitTable, right: UnitTable, same: BoolArray) -> None:
    """Mark unknown words that differ by one letter, or two in long words, unless both are words.

    The first letter must be the same.
    """
    for initial, rows in left.long_words_by_initial.items():
        columns = right.long_words_by_initial.get(initial)
        if columns:
            _mark_typos_among(left, right, rows, columns, same)


def _mark_typos_among(
    left: UnitTable,
    right: UnitTable,
    left_words: Mapping[int, str],
    right_words: Mapping[int, str],
    same: BoolArray,
) -> None:
    rows, columns = list(left_words), list(right_words)
    words, others = list(left_words.values()), list(right_words.values())
    distances = cdist(words, others, scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)
    for i, j in zip(*np.nonzero((distances == 1) | (distances == 2)), strict=True):
        word, other = words[i], others[j]
        max_distance = 2 if min(len(word), len(other)) >= _MIN_LONG_WORD else 1
        are_known = left.units[rows[i]].is_known and right.units[columns[j]].is_known
        if (
            distances[i, j] <= max_distance
            and not are_known
            and not (is_dictionary_word(word) and is_dictionary_word(other))
        ):
            same[rows[i], columns[j]] = True


def _mark_parts(left: UnitTable, right: UnitTable, near: NDArray[np.float32]) -> None:
    """Raise the nearness of a term and one that contains its words: *motivasi*, *motivasi kerja*."""
    for row, unit in enumerate(left.units):
        words = set(unit.name.split())
        for column in set().union(*(right.by_word.get(word, []) for word in words)):
            other = set(right.units[column].name.split())
            if words < other or words > other:
                near[row, column] = max(near[row, column], _PART_NEARNESS)


def _siblings(left: UnitTable, right: UnitTable) -> BoolArray:
    siblings = np.zeros((len(left), len(right)), dtype=bool)
    for row, (unit, groups) in enumerate(zip(left.units, left.groups, strict=True)):
        for group in groups:
            siblings[row, right.by_group.get(group, [])] = True
        name = without_numbers(unit.name)
        if name != unit.name:  # Two versions of one thing, such as "gpt 4" and "gpt 3 5".
            siblings[row, right.by_name_without_numbers.get(name, [])] = True
    return siblings


def mark_abbreviations(left: Sequence[Unit], right: Sequence[Unit], same: BoolArray) -> None:
    """Mark units that abbreviate or join consecutive words of the other title.

    Parameters
    ----------
    left, right : sequence of Unit
        Units of two titles.
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
    for short, long, marks in ((left, right, same), (right, left, same.T)):
        for row, start, stop in _abbreviation_spans(short, long):
            marks[row, start : stop + 1] = True


def _abbreviation_spans(short: Sequence[Unit], long: Sequence[Unit]) -> Iterator[tuple[int, int, int]]:
    """Yield the units of one title that stand for others, and the first and last unit of these."""
    words = " ".join([unit.text for unit in long]).split()
    initials, letters = "".join([word[0] for word in words]), "".join(words)
    columns: list[int] = []
    for row, unit in enumerate(short):
        text = abbreviation(unit)
        if not text or (text not in letters and text not in initials):
            continue
        if not columns:
            columns = [column for column, unit in enumerate(long) for _ in unit.text.split()]
            ends = [0, *accumulate(map(len, words))]
            word_at = {end: number for number, end in enumerate(ends)}
        spans = []
        start = initials.find(text) if len(text) <= _MAX_INITIALS else -1
        if start >= 0:
            spans.append((start, start + len(text), True))
        position = letters.find(text)
        start, stop = word_at.get(position, -1), word_at.get(position + len(text), -1)
        if position >= 0 and start >= 0 and 2 <= stop - start <= _MAX_JOINED_WORDS:
            spans.append((start, stop, " " in unit.text))
        for start, stop, whole_units in spans:
            # Part of a term is not the term: "sistem informasi" is not "sistem informasi akademik".
            is_start = start == 0 or columns[start - 1] != columns[start]
            is_end = stop == len(columns) or columns[stop] != columns[stop - 1]
            if not whole_units or (is_start and is_end):
                yield row, columns[start], columns[stop - 1]


def find_abbreviations(left: RecordTable, left_row: int, right: RecordTable) -> Rows:
    """Find what `mark_abbreviations` marks for one title and each title of a table.

    Units of several words with the same text and field are left out; these are the same anyway.

    Returns
    -------
    ndarray of int, shape (n, 5)
        Row of the right title, in order; first and last unit of the left title, and of the right,
        that are the same.
    """
    found = [np.empty((0, 5), dtype=np.int64)]
    for column, unit in enumerate(left.parse(left_row)):
        for rows, first, last in _find_in_words(right, unit):
            here = np.full(len(rows), column)
            found.append(np.column_stack([rows, here, here, first, last]))
    title = left.take(np.array([left_row]))
    for text in title.words.possible_abbreviations(_MAX_INITIALS, _MAX_JOINED_WORDS):
        for number in right.units.by_abbreviation.get(text, []):
            for found_in, first, last in _find_in_words(title, right.units.units[number]):
                if len(found_in):
                    rows, here = right.titles_with_unit(number)
                    span = np.full((2, len(rows)), [first, last])
                    found.append(np.column_stack([rows, *span, here, here]))
    cells = np.concatenate(found)
    return cells[np.argsort(cells[:, 0], kind="stable")]


def _find_in_words(table: RecordTable, unit: Unit) -> Iterator[tuple[Rows, Rows, Rows]]:
    words, text = table.words, abbreviation(unit)
    if text and len(text) <= _MAX_INITIALS:
        yield words.find_initials(text)
    if text:
        equal = table.units.by_text.get(unit.text, [])
        known = [number for number in equal if table.units.units[number].field == unit.field]
        whole_units = " " in unit.text
        yield words.find_joined_words(
            text, _MAX_JOINED_WORDS, whole_units=whole_units, known_units=known
        )
