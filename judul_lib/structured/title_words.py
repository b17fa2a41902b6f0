"""The words of many titles as one text, to search all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from judul_lib.core.array_types import BoolArray, Rows


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
    vocabulary : frozenset of str
        The distinct words.
    """

    letters: str
    initials: str
    starts: Rows
    stops: Rows
    ends: Rows
    units: Rows
    vocabulary: frozenset[str]

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
        vocabulary = frozenset(word for words in words_of for word in words)
        return cls(letters, initials, stops - lengths, stops, word_ends, units, vocabulary)

    def may_join(self, text: str, max_words: int) -> bool:
        """Tell whether a text is two to `max_words` words of the titles, joined."""
        return any(
            text[:at] in self.vocabulary
            and (
                text[at:] in self.vocabulary
                or (max_words > 2 and self.may_join(text[at:], max_words - 1))
            )
            for at in range(1, len(text))
        )

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
        positions = _occurrences(text, self.initials)
        lines = self.ends + np.arange(len(self.ends))
        rows, at = np.unique(np.searchsorted(lines, positions, side="right") - 1, return_index=True)
        word = positions[at] - rows
        last = word + len(text) - 1
        is_whole = self._is_unit_start[word] & self._is_unit_end[last]
        return rows[is_whole], self.units[word[is_whole]], self.units[last[is_whole]]

    def find_joined_words(
        self, text: str, max_words: int, *, whole_units: bool
    ) -> tuple[Rows, Rows, Rows]:
        """Find the first occurrence of a text in each title as two to `max_words` words, joined.

        Parameters
        ----------
        whole_units : bool
            Only where the words are all those of their units.

        Returns
        -------
        rows, first, last : ndarray of int
            As in `find_initials`.
        """
        starts = _occurrences(text, self.letters)
        word = np.searchsorted(self.starts, starts, side="right") - 1
        rows, at = np.unique(np.searchsorted(self.ends, word, side="right") - 1, return_index=True)
        word, starts = word[at], starts[at]
        stops = starts + len(text)
        last = np.searchsorted(self.stops, stops)
        fits = (self.starts[word] == starts) & (self.stops[last] == stops)
        fits &= (last > word) & (last < word + max_words)
        if whole_units:
            fits &= self._is_unit_start[word] & self._is_unit_end[last]
        return rows[fits], self.units[word[fits]], self.units[last[fits]]


def _occurrences(text: str, letters: str) -> Rows:
    positions, at = [], letters.find(text)
    while at >= 0:
        positions.append(at)
        at = letters.find(text, at + len(text))
    return np.array(positions, dtype=np.int64)
