"""The words of many titles, to find abbreviations and joined words in all of them at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import BoolArray, Rows

# Initials are indexed by this number of letters.
_INDEXED_INITIALS = 8


@dataclass(frozen=True)
class TitleWords:
    """The words of many titles as one text.

    Attributes
    ----------
    letters, initials : str
        The words of each title joined, and their first letters joined; one line a title.
    starts, stops : ndarray of int, shape (n_words,)
        Positions of each word in ``letters``.
    ends : ndarray of int, shape (n + 1,)
        Title *i* has the words from ``ends[i]`` to ``ends[i + 1]``.
    units : ndarray of int, shape (n_words,)
        Number of the unit, within its title, that each word belongs to.
    numbers : ndarray of int, shape (n_words,)
        Number of each word in the vocabulary.
    vocabulary : mapping of str to int
        The numbers of the distinct words.
    table_units : ndarray of int, shape (n_words,)
        Number of the unit, among the distinct units of all titles, that each word belongs to.
    """

    letters: str
    initials: str
    starts: Rows
    stops: Rows
    ends: Rows
    units: Rows
    numbers: NDArray[np.int32]
    vocabulary: Mapping[str, int]
    table_units: NDArray[np.int32]

    @classmethod
    def from_texts(cls, texts: Sequence[str], numbers: Rows, ends: Rows) -> "TitleWords":
        """Return the words of titles, given the texts of the distinct units; see `ParsedTitles`."""
        words_of = [text.split() for text in texts]
        words = [word for number in numbers.tolist() for word in words_of[number]]
        counts = np.array(list(map(len, words_of)), dtype=np.int64)[numbers]
        word_ends = np.concatenate([[0], np.cumsum(counts)])[ends]
        rows = np.repeat(np.arange(len(ends) - 1), np.diff(word_ends))
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        stops = np.cumsum(lengths) + rows
        letters, initials = (
            "\n".join("".join(parts[a:b]) for a, b in pairwise(word_ends.tolist()))
            for parts in (words, [word[0] for word in words])
        )
        units = np.repeat(np.arange(len(numbers)) - np.repeat(ends[:-1], np.diff(ends)), counts)
        vocabulary: dict[str, int] = {}
        word_numbers = (vocabulary.setdefault(word, len(vocabulary)) for word in words)
        return cls(
            letters, initials, stops - lengths, stops, word_ends, units,
            np.fromiter(word_numbers, np.int32, len(words)), vocabulary,
            np.repeat(numbers, counts).astype(np.int32),
        )  # fmt: skip

    def _splits(self, text: str, max_words: int) -> Iterator[list[int]]:
        """Yield the ways in which a text is two to `max_words` words of the titles, joined."""
        for at in range(1, len(text)):
            first = self.vocabulary.get(text[:at])
            if first is None:
                continue
            if text[at:] in self.vocabulary:
                yield [first, self.vocabulary[text[at:]]]
            if max_words > 2:
                yield from ([first, *others] for others in self._splits(text[at:], max_words - 1))

    @cached_property
    def _by_word(self) -> tuple[NDArray[np.int32], Rows]:
        """The positions of all words of the vocabulary, and the ends of each word's."""
        return inverted_lists(self.numbers, len(self.vocabulary))

    @cached_property
    def _by_initials(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """The initials from each position on as a number, in order, and the positions in this order."""
        codes = _codes(self.initials + "\0" * _INDEXED_INITIALS)
        keys = np.zeros(len(self.initials), dtype=np.uint64)
        for at in range(_INDEXED_INITIALS):
            keys = keys << np.uint64(8) | codes[at : at + len(keys)]
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return keys[order], order

    def possible_abbreviations(self, max_initials: int, max_words: int) -> set[str]:
        """Return the initials of two or more consecutive words, and two or more words joined.

        Parameters
        ----------
        max_initials, max_words : int
            Maximum number of words of which the initials are taken, and that are joined.
        """
        texts = set()
        for title, initials in zip(pairwise(self.ends.tolist()), self.initials.split("\n"), strict=True):
            for first, last in combinations(range(*title), 2):
                at, n_words = first - title[0], last + 1 - first
                if n_words <= max_initials:
                    texts.add(initials[at : at + n_words])
                if n_words <= max_words:
                    texts.add(self.letters[self.starts[first] : self.stops[last]])
        return texts

    @cached_property
    def _is_unit_start(self) -> BoolArray:
        """Which words are the first of a unit, shape (n_words,)."""
        is_start = np.ones(len(self.units), dtype=bool)
        is_start[1:] = self.units[1:] != self.units[:-1]
        is_start[self.ends[:-1][np.diff(self.ends) > 0]] = True
        return is_start

    @cached_property
    def _is_unit_end(self) -> BoolArray:
        """Which words are the last of a unit, shape (n_words,)."""
        return np.append(self._is_unit_start[1:], True)[: len(self.units)]

    def find_initials(self, text: str) -> tuple[Rows, Rows, Rows]:
        """Find the first words in each title whose initials are a text, if they are whole units.

        Returns
        -------
        rows, first, last : ndarray of int
            The titles, and the first and last unit that the words belong to.
        """
        positions = self._initials_positions(text)
        lines = self.ends + np.arange(len(self.ends))
        rows, at = np.unique(np.searchsorted(lines, positions, side="right") - 1, return_index=True)
        word = positions[at] - rows
        last = word + len(text) - 1
        is_whole = self._is_unit_start[word] & self._is_unit_end[last]
        return rows[is_whole], self.units[word[is_whole]], self.units[last[is_whole]]

    def _initials_positions(self, text: str) -> Rows:
        """Return the positions of a text in the initials, in order."""
        keys, order = self._by_initials
        n_free = 8 * (_INDEXED_INITIALS - min(len(text), _INDEXED_INITIALS))
        key = int.from_bytes(bytes(_codes(text[:_INDEXED_INITIALS]).astype(np.uint8)), "big") << n_free
        limits = np.array([key, key + (1 << n_free) - 1], dtype=np.uint64)
        start, stop = keys.searchsorted(limits[0]), keys.searchsorted(limits[1], side="right")
        positions = np.sort(order[start:stop]).astype(np.int64)
        if len(text) <= _INDEXED_INITIALS and text.isascii() and self.initials.isascii():
            return positions
        return np.array(
            [at for at in positions.tolist() if self.initials.startswith(text, at)], np.int64
        )

    def find_joined_words(
        self, text: str, max_words: int, *, whole_units: bool, known_units: Sequence[int] = ()
    ) -> tuple[Rows, Rows, Rows]:
        """Find the first occurrence of a text in each title as two to `max_words` words, joined.

        Parameters
        ----------
        whole_units : bool
            Only where the words are all those of their units.
        known_units : sequence of int
            Units, among the distinct ones of all titles, that are not to be found.

        Returns
        -------
        rows, first, last : ndarray of int
            As in `find_initials`.
        """
        found = [self._find_words(words, known_units) for words in self._splits(text, max_words)]
        word, last = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
        order = np.argsort(word)
        rows, at = np.unique(
            np.searchsorted(self.ends, word[order], side="right") - 1, return_index=True
        )
        word, last = word[order[at]], last[order[at]]
        # An earlier occurrence begins or ends within a word.
        starts, title_starts = self.starts[word], self.starts[self.ends[rows]]
        is_first = (
            self.letters.find(text, title_start, start + len(text)) == start
            for title_start, start in zip(title_starts.tolist(), starts.tolist(), strict=True)
        )
        fits = np.fromiter(is_first, bool, len(rows))
        if whole_units:
            fits &= self._is_unit_start[word] & self._is_unit_end[last]
        return rows[fits], self.units[word[fits]], self.units[last[fits]]

    def _find_words(self, words: Sequence[int], known_units: Sequence[int]) -> Rows:
        """Return the first and last positions of consecutive words of a title, shape (2, n)."""
        order, ends = self._by_word
        first = order[ends[words[0]] : ends[words[0] + 1]].astype(np.int64)
        for offset, number in enumerate(words[1:], start=1):
            first = first[first < len(self.numbers) - offset]
            first = first[self.numbers[first + offset] == number]
        last = first + len(words) - 1
        rows = np.searchsorted(self.ends, first, side="right")
        is_known = np.isin(self.table_units[first], known_units)
        fits = (last < self.ends[rows]) & ~(is_known & (self.units[first] == self.units[last]))
        return np.array([first[fits], last[fits]])


def inverted_lists(numbers: Rows, n: int) -> tuple[NDArray[np.int32], Rows]:
    """Return the positions of each number below `n`, one number after the other, and their ends.

    Examples
    --------
    >>> positions, ends = inverted_lists(np.array([1, 0, 1]), 2)
    >>> positions.tolist(), ends.tolist()
    ([1, 0, 2], [0, 1, 3])
    """
    order = np.argsort(numbers, kind="stable").astype(np.int32)
    return order, np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=n))])


def _codes(text: str) -> NDArray[np.uint64]:
    """Return the last byte of the code of each letter."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return (codes & 0xFF).astype(np.uint64)
