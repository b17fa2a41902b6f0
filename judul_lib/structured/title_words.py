"""The words of many titles as one text, to look for letters in all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from judul_lib.core.array_types import BoolArray, Rows


@dataclass(frozen=True)
class TitleWords:
    """The words of many titles, to look for letters in all of them at once.

    Attributes
    ----------
    letters, initials : str
        All letters of the words of a title, and their first letters; one line a title.
    starts, stops : ndarray of int, shape (n_words,)
        Where in ``letters`` each word stands.
    ends : ndarray of int, shape (n + 1,)
        Title *i* has the words from ``ends[i]`` to ``ends[i + 1]``.
    units : ndarray of int, shape (n_words,)
        To which of the units of its title each word belongs.
    """

    letters: str
    initials: str
    starts: Rows
    stops: Rows
    ends: Rows
    units: Rows

    @classmethod
    def from_texts(cls, texts: Sequence[str], numbers: Rows, ends: Rows) -> "TitleWords":
        """Return the words of titles, given the texts of the distinct units; see `ParsedTitles`."""
        words = [text.split() for text in texts]
        flat = [word for number in numbers.tolist() for word in words[number]]
        counts = np.array([len(own) for own in words], dtype=np.int64)[numbers]
        word_ends = np.concatenate([[0], np.cumsum(counts)])[ends]
        rows = np.repeat(np.arange(len(ends) - 1), np.diff(word_ends))
        lengths = np.fromiter(map(len, flat), np.int64, len(flat))
        stops = np.cumsum(lengths) + rows
        letters, initials = (
            "\n".join("".join(line[a:b]) for a, b in pairwise(word_ends.tolist()))
            for line in (flat, [word[0] for word in flat])
        )
        units = np.repeat(np.arange(len(numbers)) - np.repeat(ends[:-1], np.diff(ends)), counts)
        return cls(letters, initials, stops - lengths, stops, word_ends, units)

    @cached_property
    def _is_unit_start(self) -> BoolArray:
        """Which words are the first of a unit, shape (n_words,): part of a term is not the term."""
        begins = np.ones(len(self.units), dtype=bool)
        begins[1:] = self.units[1:] != self.units[:-1]
        begins[self.ends[:-1][np.diff(self.ends) > 0]] = True
        return begins

    @cached_property
    def _is_unit_end(self) -> BoolArray:
        """Which words are the last of a unit, shape (n_words,)."""
        return np.append(self._is_unit_start[1:], True)[: len(self.units)]

    def find_initials(self, text: str) -> tuple[Rows, Rows, Rows]:
        """Return the titles with words that have letters as initials, and where they are first.

        Returns
        -------
        rows, first, last : ndarray of int
            The titles, and the first and last of the units that the words belong to.
        """
        places = _occurrences(text, self.initials)
        lines = self.ends + np.arange(len(self.ends))
        rows, firsts = np.unique(np.searchsorted(lines, places, side="right") - 1, return_index=True)
        word = places[firsts] - rows
        last = word + len(text) - 1
        whole = self._is_unit_start[word] & self._is_unit_end[last]
        return rows[whole], self.units[word[whole]], self.units[last[whole]]

    def find_joined_words(self, text: str, most: int, *, whole: bool) -> tuple[Rows, Rows, Rows]:
        """Return the titles in which letters first occur as two words or more, joined; at most so many.

        Parameters
        ----------
        whole : bool
            Only where the words are all those of their units.

        Returns
        -------
        rows, first, last : ndarray of int
            As in `find_initials`.
        """
        places = _occurrences(text, self.letters)
        word = np.searchsorted(self.starts, places, side="right") - 1
        rows, firsts = np.unique(np.searchsorted(self.ends, word, side="right") - 1, return_index=True)
        word, places = word[firsts], places[firsts]
        last = np.searchsorted(self.stops, places + len(text))
        fits = (self.starts[word] == places) & (self.stops[last] == places + len(text))
        fits &= (last > word) & (last < word + most)
        if whole:
            fits &= self._is_unit_start[word] & self._is_unit_end[last]
        return rows[fits], self.units[word[fits]], self.units[last[fits]]


def _occurrences(text: str, letters: str) -> Rows:
    places, at = [], letters.find(text)
    while at >= 0:
        places.append(at)
        at = letters.find(text, at + len(text))
    return np.array(places, dtype=np.int64)
