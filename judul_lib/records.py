"""Titles read into units, one row a title, made ready for comparison field by field."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from judul_lib.spelling import words_of
from judul_lib.title_parser import FIELDS, TitleParser, Unit
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

_MOST_UNITS, _MOST_JOINED = 32, 4
_PLACE = FIELDS.index("place")

GROUPS: Mapping[str, tuple[int, ...]] = {
    "all": tuple(range(len(FIELDS))),
    "content": tuple(k for k in range(len(FIELDS)) if k != _PLACE),
    **{field: (k,) for k, field in enumerate(FIELDS)},
}
"""Groups of fields that are compared; the counterparts may stand in any field."""


class RecordTable:
    """Titles read into units and made ready for comparison, one row a title.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    parser : TitleParser
    vectors : WordVectors
    weight : callable
        Weight of a unit's name, positive; rare names weigh more.
    with_place : bool
        False leaves places out, as in titles that name none.
    """

    def __init__(
        self,
        titles: Sequence[str],
        parser: TitleParser,
        vectors: WordVectors,
        weight: Callable[[str], float],
        *,
        with_place: bool = True,
    ) -> None:
        self.parses = [
            [unit for unit in parser.parse(title) if with_place or unit.field != "place"][:_MOST_UNITS]
            for title in titles
        ]
        self.words = [words_of(title) for title in titles]
        self.texts = [" ".join(words) for words in self.words]
        self.is_word = parser.is_word
        number: dict[str, int] = {}
        kinds: list[Unit] = []
        shape = (len(self.parses), max(1, max(map(len, self.parses), default=1)))
        self.ids, self.fields = np.zeros(shape, dtype=np.intp), np.full(shape, -1)
        self.weights = np.zeros(shape)
        for row, parse in enumerate(self.parses):
            for column, unit in enumerate(parse):
                key = unit.name if unit.known else f"{unit.name} {unit.text}"
                if key not in number:
                    number[key] = len(kinds)
                    kinds.append(unit)
                self.ids[row, column] = number[key]
                self.fields[row, column] = FIELDS.index(unit.field)
                self.weights[row, column] = weight(unit.name)
        self.names = [unit.name for unit in kinds]
        self.known = np.array([unit.known for unit in kinds], dtype=bool)
        self.is_place = np.array([unit.known and unit.field == "place" for unit in kinds], dtype=bool)
        # An unknown word means what its own form means: "kebijakan" is not "bijak".
        self.vectors = vectors.of([unit.name if unit.known else unit.text for unit in kinds])
        self.means = [self._mean_vectors(GROUPS[group]) for group in ("all", "object")]
        self.spans = [_spans(parse) for parse in self.parses]
        self.keys = [_keys(parse) for parse in self.parses]
        self._span_rows = _rows_of(self.spans)
        self._key_rows = _rows_of(self.keys)

    def meeting(self, other: "RecordTable", row: int) -> set[int]:
        """Return the rows of another table that `_meet_spans` can change when met by this row."""
        rows: set[int] = set()
        for letters in self.keys[row]:
            rows.update(other._span_rows.get(letters, ()))
        for letters in self.spans[row]:
            rows.update(other._key_rows.get(letters, ()))
        return rows

    def __len__(self) -> int:
        return len(self.parses)

    def _mean_vectors(self, fields: Sequence[int]) -> FloatArray:
        """Return the weighted mean vector of some fields of each title, length 1 or 0."""
        weights = self.weights * is_in(self.fields, fields)
        flat = np.zeros((len(self), self.vectors.shape[1]))
        for column in range(self.ids.shape[1] if self.names else 0):
            flat += weights[:, column, None] * self.vectors[self.ids[:, column]]
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _spans(parse: Sequence[Unit]) -> dict[str, tuple[int, int]]:
    """Return what consecutive words can be met by, and the units that they span.

    Two to seven words by their initials, two to four by their letters without blanks.
    """
    words = [(word, column) for column, unit in enumerate(parse) for word in unit.text.split()]
    spans: dict[str, tuple[int, int]] = {}
    for start in range(len(words) - 2, -1, -1):  # Of equal keys, the first span counts.
        for stop in range(min(start + 7, len(words)), start + 1, -1):
            span = words[start][1], words[stop - 1][1]
            spans["".join(word[0] for word, _ in words[start:stop])] = span
            if stop - start <= _MOST_JOINED:
                spans["".join(word for word, _ in words[start:stop])] = span
    return spans


def _keys(parse: Sequence[Unit]) -> dict[str, int]:
    """Return units by their letters: abbreviations, and what may be written apart elsewhere.

    Two letters that the lexicon knows abbreviate nothing else: "pt" is a
    company and not "pariwisata tomohon".
    """
    texts = ((unit.text.replace(" ", ""), unit.known, column) for column, unit in enumerate(parse))
    return {text: column for text, known, column in texts if text.isalpha() and len(text) >= 2 + known}


def _rows_of(letters: Sequence[Mapping[str, object]]) -> dict[str, list[int]]:
    """Return in which rows each key occurs."""
    rows: dict[str, list[int]] = {}
    for row, keys in enumerate(letters):
        for key in keys:
            rows.setdefault(key, []).append(row)
    return rows


def is_in(fields: NDArray[np.int_], wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Tell which entries are one of some fields; -1, where there is no unit, is none."""
    member = np.zeros(len(FIELDS) + 1, dtype=bool)
    member[list(wanted)] = True
    return member[fields]
