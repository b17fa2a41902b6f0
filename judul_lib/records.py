"""Titles read into units, one row a title, made ready for comparison field by field."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from judul_lib.spans import rows_of, unit_keys, word_spans
from judul_lib.spelling import words_of
from judul_lib.title_parser import FIELDS, TitleParser, Unit
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

_MOST_UNITS, _TYPO_LETTERS, _PART = 32, 5, 4096
_PLACE = FIELDS.index("place")
# What carries over to tables that are taken from one.
_MET = ("spans", "keys")

GROUPS: Mapping[str, tuple[int, ...]] = {
    "all": tuple(range(len(FIELDS))),
    "content": tuple(k for k in range(len(FIELDS)) if k != _PLACE),
    **{field: (k,) for k, field in enumerate(FIELDS)},
}
"""Groups of fields that are compared; the counterparts may stand in any field."""


@dataclass(frozen=True)
class UnitTable:
    """The distinct units of many titles, and what is known of each.

    Attributes
    ----------
    units : sequence of Unit, shape (n_units,)
    weights : ndarray of float, shape (n_units,)
        Positive; rare names weigh more.
    name_ids : ndarray of int, shape (n_units,)
        Row of each unit among the names: units of one name are compared as one.
    vectors : ndarray of float32, shape (n_names, n_dimensions)
    fields : ndarray of int, shape (n_units,)
        Number of each unit's field in `FIELDS`.
    """

    units: Sequence[Unit]
    weights: FloatArray
    name_ids: NDArray[np.int32]
    vectors: NDArray[np.float32]
    fields: NDArray[np.int8]

    @classmethod
    def of(
        cls, units: Sequence[Unit], vectors: WordVectors, weight: Callable[[str], float]
    ) -> "UnitTable":
        """Look up the weights and vectors of distinct units."""
        number: dict[str, int] = {}
        for unit in units:
            number.setdefault(_name_key(unit), len(number))
        name_ids = np.array([number[_name_key(unit)] for unit in units], dtype=np.int32)
        weights = np.array([weight(unit.name) for unit in units], dtype=np.float64)
        first = np.unique(name_ids, return_index=True)[1]
        # An unknown word means what its own form means: "kebijakan" is not "bijak".
        meant = [units[k].name if units[k].known else units[k].text for k in first]
        fields = np.array([FIELDS.index(unit.field) for unit in units], dtype=np.int8)
        return cls(units, weights, name_ids, vectors.of(meant), fields)

    def take(self, numbers: NDArray[np.integer]) -> "UnitTable":
        """Return the table of some units."""
        names, name_ids = np.unique(self.name_ids[numbers], return_inverse=True)
        units = [self.units[number] for number in numbers.tolist()]
        return UnitTable(
            units, self.weights[numbers], name_ids.astype(np.int32), self.vectors[names],
            self.fields[numbers],
        )  # fmt: skip

    @cached_property
    def names(self) -> list[str]:
        """Return the names, shape (n_names,); unknown words of one stem are several."""
        return [unit.name for unit in self._first]

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which names the lexicon has, shape (n_names,)."""
        return np.array([unit.known for unit in self._first], dtype=bool)

    @cached_property
    def is_place(self) -> NDArray[np.bool_]:
        """Which names are places that the lexicon has, shape (n_names,)."""
        return np.array([unit.known and unit.field == "place" for unit in self._first], dtype=bool)

    @cached_property
    def typed(self) -> NDArray[np.intp]:
        """Rows of the names that may be typing errors: unknown words of some length."""
        long = (len(name) >= _TYPO_LETTERS and name.isalpha() for name in self.names)
        return np.flatnonzero(~self.known & np.fromiter(long, dtype=bool, count=len(self.names)))

    @cached_property
    def rows_of_name(self) -> Mapping[str, list[int]]:
        """Return the rows of each name."""
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            rows.setdefault(name, []).append(row)
        return rows

    @cached_property
    def _first(self) -> list[Unit]:
        return [self.units[k] for k in np.unique(self.name_ids, return_index=True)[1]]


class RecordTable:
    """Titles read into units and made ready for comparison, one row a title.

    Parameters
    ----------
    texts : sequence of str, shape (n,)
        Words of each title as from `words_of`, joined by blanks.
    units : UnitTable
    ends : ndarray of int, shape (n + 1,)
    numbers : ndarray of int, shape (ends[-1],)
        Title *i* has the units ``numbers[ends[i]:ends[i + 1]]``, in its order.
    is_word : callable
        Whether a word is in a dictionary.
    spanned : ndarray of bool, shape (n,)
        Rows whose words may meet an abbreviation, or it them; all by default.

    Examples
    --------
    >>> from judul_lib.registry import load_structured
    >>> table = load_structured("outputs/structured")[0].records(["Deteksi Hoaks dengan CNN", "Padi"])
    >>> len(table), [table.units.units[number].name for number in table.unit_numbers(0)]
    (2, ['deteksi', 'berita palsu', 'cnn'])
    """

    def __init__(
        self,
        texts: Sequence[str],
        units: UnitTable,
        ends: NDArray[np.integer],
        numbers: NDArray[np.integer],
        is_word: Callable[[str], bool],
        spanned: NDArray[np.bool_] | None = None,
    ) -> None:
        self.texts, self.units, self.is_word = texts, units, is_word
        self.ends, self.numbers, self._spanned = ends, numbers, spanned

    @classmethod
    def read(
        cls,
        titles: Sequence[str],
        parser: TitleParser,
        vectors: WordVectors,
        weight: Callable[[str], float],
        *,
        with_place: bool = True,
    ) -> "RecordTable":
        """Read titles.

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
        units, ends, numbers = number_units(titles, parser, with_place=with_place)
        texts = [" ".join(words_of(title)) for title in titles]
        return cls(texts, UnitTable.of(units, vectors, weight), ends, numbers, parser.is_word)

    def take(self, rows: NDArray[np.integer], spanned: NDArray[np.bool_] | None = None) -> "RecordTable":
        """Return the table of some rows, in the order given."""
        starts = self.ends[rows]
        counts = self.ends[rows + 1] - starts
        ends = np.concatenate([[0], np.cumsum(counts)])
        places = np.repeat(starts - ends[:-1], counts) + np.arange(ends[-1])
        texts = [self.texts[row] for row in rows.tolist()]
        taken = RecordTable(texts, self.units, ends, self.numbers[places], self.is_word, spanned)
        if spanned is None:
            for name in _MET:
                if name in vars(self):
                    vars(taken)[name] = [vars(self)[name][row] for row in rows.tolist()]
        return taken

    def meet_itself(self) -> None:
        """Find what titles are met by, once for all tables that are taken from this one.

        What no two titles of this table can meet by is left out: those tables
        must not be compared with any other.
        """
        keys, spans = self.keys, [word_spans(self.parse(row)) for row in range(len(self))]
        both = set().union(*keys) & set().union(*spans)
        self.keys = [{text: place for text, place in of.items() if text in both} for of in keys]
        self.spans = [{text: place for text, place in of.items() if text in both} for of in spans]

    def parts(self) -> Iterator["RecordTable"]:
        """Yield some thousand titles after the other: what is made of them all would fill the memory."""
        for start in range(0, len(self), _PART):
            yield self.take(np.arange(start, min(start + _PART, len(self))))

    def compact(self) -> "RecordTable":
        """Return the same titles with no unit but theirs."""
        used, numbers = np.unique(self.numbers, return_inverse=True)
        units, numbers = self.units.take(used), numbers.astype(np.int32)
        compact = RecordTable(self.texts, units, self.ends, numbers, self.is_word, self._spanned)
        vars(compact).update({name: vars(self)[name] for name in _MET if name in vars(self)})
        return compact

    def __len__(self) -> int:
        return len(self.ends) - 1

    @cached_property
    def ids(self) -> NDArray[np.int32]:
        """Names of each title's units, shape (n, most units of a title); 0 beyond its units."""
        return self._padded(self.units.name_ids, 0)

    @cached_property
    def fields(self) -> NDArray[np.int8]:
        """Fields of each title's units, shape (n, most units of a title); -1 beyond its units."""
        return self._padded(self.units.fields, -1)

    @cached_property
    def weights(self) -> FloatArray:
        """Weights of each title's units, shape (n, most units of a title); 0 beyond its units."""
        return self._padded(self.units.weights, 0)

    def _padded(self, values: NDArray, blank: int) -> NDArray:
        counts = np.diff(self.ends)
        table = np.full((len(self), max(1, counts.max(initial=1))), blank, dtype=values.dtype)
        table[np.arange(table.shape[1]) < counts[:, None]] = values[self.numbers]
        return table

    def unit_numbers(self, row: int) -> NDArray[np.integer]:
        """Return the numbers of one title's units."""
        return self.numbers[self.ends[row] : self.ends[row + 1]]

    def parse(self, row: int) -> list[Unit]:
        """Return the units of one title."""
        return [self.units.units[number] for number in self.unit_numbers(row).tolist()]

    @cached_property
    def means(self) -> list[FloatArray]:
        """Mean vectors of each title's units, and of those that name its object, shape (n, d) each."""
        return [self._mean_vectors(GROUPS[group]) for group in ("all", "object")]

    @cached_property
    def spans(self) -> list[dict[str, tuple[int, int]]]:
        """What consecutive words of each title can be met by, see `word_spans`; shape (n,)."""
        return [word_spans(parse) if parse else {} for parse in self._met_parses]

    @cached_property
    def keys(self) -> list[dict[str, int]]:
        """Units of each title by their letters, see `unit_keys`; shape (n,)."""
        return [unit_keys(parse) if parse else {} for parse in self._met_parses]

    @cached_property
    def _met_parses(self) -> list[list[Unit]]:
        met = np.ones(len(self), dtype=bool) if self._spanned is None else self._spanned
        return [self.parse(row) if met[row] else [] for row in range(len(self))]

    def meeting(self, other: "RecordTable", row: int) -> set[int]:
        """Return the rows of another table that `_meet_spans` can change when met by this row."""
        rows: set[int] = set()
        for letters in self.keys[row]:
            rows.update(other._span_rows.get(letters, ()))
        for letters in self.spans[row]:
            rows.update(other._key_rows.get(letters, ()))
        return rows

    @cached_property
    def _span_rows(self) -> dict[str, list[int]]:
        return rows_of(self.spans)

    @cached_property
    def _key_rows(self) -> dict[str, list[int]]:
        return rows_of(self.keys)

    def _mean_vectors(self, fields: Sequence[int]) -> FloatArray:
        """Return the weighted mean vector of some fields of each title, length 1 or 0."""
        flat = self.vector_sums(fields)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)

    def vector_sums(self, fields: Sequence[int]) -> FloatArray:
        """Return the sum of weight times vector over the units in some fields, shape (n, d)."""
        weights = self.weights * is_in(self.fields, fields)
        flat = np.zeros((len(self), self.units.vectors.shape[1]))
        for column in range(self.ids.shape[1] if len(self.units.vectors) else 0):
            flat += weights[:, column, None] * self.units.vectors[self.ids[:, column]]
        return flat


def number_units(
    titles: Sequence[str], parser: TitleParser, *, with_place: bool = True
) -> tuple[list[Unit], NDArray[np.int_], NDArray[np.int32]]:
    """Read titles and number their distinct units; see `RecordTable` for what is returned."""
    number: dict[Unit, int] = {}
    numbers, ends = array("i"), [0]
    for title in titles:
        parse = [unit for unit in parser.parse(title) if with_place or unit.field != "place"]
        numbers.extend([number.setdefault(unit, len(number)) for unit in parse[:_MOST_UNITS]])
        ends.append(len(numbers))
    return list(number), np.array(ends), np.array(numbers, dtype=np.int32)


def _name_key(unit: Unit) -> str:
    return unit.name if unit.known else f"{unit.name} {unit.text}"


def is_in(fields: NDArray[np.integer], wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Tell which entries are one of some fields; -1, where there is no unit, is none.

    Examples
    --------
    >>> is_in(np.array([0, 2, -1]), [0, 1]).tolist()
    [True, False, False]
    """
    member = np.zeros(len(FIELDS) + 1, dtype=bool)
    member[list(wanted)] = True
    return member[fields]
