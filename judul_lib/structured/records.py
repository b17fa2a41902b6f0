"""Tables of parsed titles and their units, prepared for comparison."""

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import Rows
from judul_lib.structured.lexicon import ASPECTS, Lexicon, Term
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.title_words import TitleWords, inverted_lists
from judul_lib.structured.units import Role, Unit
from judul_lib.structured.vectors import WordVectors

Key = TypeVar("Key", str, int)

_MAX_UNITS, _TITLES_PER_CHUNK = 32, 4096
_MIN_TYPO_LENGTH = 5  # Too many words differ from a shorter word by one letter.
ASPECT_NAMES = tuple(dict.fromkeys(ASPECTS.values()))
"""Aspects of a study, in the order of their numbers in `UnitTable.aspects`."""

# By field, for units that `Lexicon.terms` does not have.
_DEFAULT_TERMS: Mapping[str, Term] = {
    "task": Term("K", 1), "object": Term("E", 2), "method": Term("M", 2), "place": Term("N", 2),
}  # fmt: skip


class ParsedTitles(NamedTuple):
    """Titles as a parser read them, before their units are weighed.

    Attributes
    ----------
    units : list of Unit
        The distinct units, without their roles.
    ends : ndarray of int, shape (n + 1,)
    numbers : ndarray of int, shape (ends[-1],)
        Title *i* has the units ``numbers[ends[i]:ends[i + 1]]``, in its order.
    roles : ndarray of int, shape (ends[-1],)
        Their `judul_lib.structured.units.Role`.

    Examples
    --------
    >>> parsed = ParsedTitles.from_titles(["Deteksi Hoaks", "Padi"], TitleParser())
    >>> [unit.name for unit in parsed.units], parsed.ends.tolist()
    (['deteksi', 'berita palsu', 'padi'], [0, 2, 3])
    """

    units: list[Unit]
    ends: Rows
    numbers: Rows
    roles: Rows

    @classmethod
    def from_titles(cls, titles: Sequence[str], parser: TitleParser) -> "ParsedTitles":
        """Parse titles."""
        number_of: dict[Unit, int] = {}
        numbers, roles, ends = array("i"), array("b"), [0]
        for title in titles:
            for unit in parser.parse(title)[:_MAX_UNITS]:
                numbers.append(number_of.setdefault(unit._replace(role=Role.NONE), len(number_of)))
                roles.append(unit.role)
            ends.append(len(numbers))
        arrays = np.array(ends), np.array(numbers, dtype=np.int32), np.array(roles, dtype=np.int8)
        return cls(list(number_of), *arrays)

    @property
    def n_titles(self) -> int:
        """Number of titles."""
        return len(self.ends) - 1

    def take(self, rows: Rows) -> "ParsedTitles":
        """Return some of the titles, in the given order, with only their units."""
        used, arrays = _take_rows(self, rows)
        return ParsedTitles([self.units[number] for number in used.tolist()], *arrays)

    @classmethod
    def concatenate(cls, parts: Sequence["ParsedTitles"]) -> "ParsedTitles":
        """Return the titles of all parts."""
        number_of: dict[Unit, int] = {}
        ends: list[Rows] = [np.zeros(1, np.int64)]
        numbers, n_before = [np.empty(0, np.int32)], 0
        for part in parts:
            new_numbers = [number_of.setdefault(unit, len(number_of)) for unit in part.units]
            numbers.append(np.array(new_numbers, dtype=np.int32)[part.numbers])
            ends.append(part.ends[1:] + n_before)
            n_before += len(part.numbers)
        roles = np.concatenate([np.empty(0, np.int8), *(part.roles for part in parts)])
        return cls(list(number_of), np.concatenate(ends), np.concatenate(numbers), roles)

    def arrays(self) -> dict[str, NDArray]:
        """Return the titles as arrays for `from_arrays`."""
        units = np.frombuffer(json.dumps(self.units).encode(), dtype=np.uint8)
        return {
            f"read.{name}": values for name, values in zip(self._fields, (units, *self[1:]), strict=True)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray]) -> "ParsedTitles":
        """Return the titles that `arrays` stored."""
        units, *others = (arrays[f"read.{name}"] for name in cls._fields)
        return cls([Unit(*values) for values in json.loads(units.tobytes())], *others)


def _take_rows(titles: "ParsedTitles | RecordTable", rows: Rows) -> tuple[Rows, tuple[Rows, Rows, Rows]]:
    """Return the numbers of the units that some titles use, and the new ends, numbers and roles."""
    starts = titles.ends[rows]
    counts = titles.ends[rows + 1] - starts
    ends = np.concatenate([[0], np.cumsum(counts)])
    positions = np.repeat(starts - ends[:-1], counts) + np.arange(ends[-1])
    used, numbers = np.unique(titles.numbers[positions], return_inverse=True)
    return used, (ends, numbers.astype(np.int32), titles.roles[positions])


@dataclass(frozen=True)
class UnitCounts:
    """The number of titles in which each unit name occurs.

    Attributes
    ----------
    counts : mapping of str to int
    n_titles : int

    Examples
    --------
    >>> counts = UnitCounts({"siswa": 9, "hoaks": 1}, n_titles=9)
    >>> counts.rarity("siswa") < counts.rarity("hoaks") < counts.rarity("jagung") == 1
    True
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    n_titles: int = 0

    @classmethod
    def fit(cls, titles: Sequence[str], parser: TitleParser) -> "UnitCounts":
        """Parse titles and count the units of the distinct ones."""
        return cls.from_parsed(titles, ParsedTitles.from_titles(titles, parser))

    @classmethod
    def from_parsed(cls, titles: Sequence[str], parsed: ParsedTitles) -> "UnitCounts":
        """Count the units of distinct titles."""
        first_row = {title: row for row, title in reversed(list(enumerate(titles)))}
        distinct = parsed.take(np.array(sorted(first_row.values()), dtype=np.intp))
        number_of: dict[str, int] = {}
        names = np.array(
            [number_of.setdefault(unit.name, len(number_of)) for unit in distinct.units], np.int64
        )
        # A title may have a name twice, as a place and as an object: it counts once.
        rows = np.repeat(np.arange(distinct.n_titles), np.diff(distinct.ends))
        n_names = len(number_of)
        once = np.unique(rows * n_names + names[distinct.numbers]) % max(1, n_names)
        counts = np.bincount(once, minlength=n_names).tolist()
        return cls(dict(zip(number_of, counts, strict=True)), distinct.n_titles)

    def __add__(self, other: "UnitCounts") -> "UnitCounts":
        return UnitCounts(Counter(self.counts) + Counter(other.counts), self.n_titles + other.n_titles)

    def rarity(self, name: str) -> float:
        """Return the inverse document frequency of a name, from 0 (in all titles) to 1 (in none)."""
        if not self.n_titles:
            return 1.0
        share = np.log((self.n_titles + 1) / (self.counts.get(name, 0) + 1))
        return float(np.round(max(share, 0.0) / np.log(self.n_titles + 1), 9))


def without_numbers(name: str) -> str:
    """Return a name without its numbers.

    Examples
    --------
    >>> without_numbers("gpt 3 5")
    'gpt'
    """
    return " ".join(word for word in name.split() if not word.isdecimal())


def term_of(unit: Unit, lexicon: Lexicon) -> Term:
    """Return the kind and weight of a unit; those of a place do not depend on its name."""
    if unit.field == "place":
        return Term("N", 1 if unit.is_head else 2)
    if unit.name.isdecimal():
        return Term("Q", 2)
    return lexicon.terms.get(unit.name) or _DEFAULT_TERMS[unit.field]


def abbreviation(unit: Unit) -> str:
    """Return the letters of a unit that may abbreviate or join other words; else an empty string."""
    text = unit.text.replace(" ", "")
    # Two letters that the lexicon has are no other abbreviation: "pt" is a company.
    return text if text.isalpha() and len(text) >= 2 + unit.is_known else ""


class UnitTable:
    """The distinct units of many titles, with their properties.

    Parameters
    ----------
    units : sequence of Unit, shape (n_units,)
    lexicon : Lexicon
    vectors : WordVectors
    counts : UnitCounts

    Attributes
    ----------
    aspects : ndarray of int, shape (n_units,)
        Numbers in `ASPECT_NAMES`.
    weights : ndarray of float, shape (n_units,)
        `Term.weight` of each unit.
    rarity : ndarray of float in [0, 1], shape (n_units,)
    vectors : ndarray of float32, shape (n_units, n_dimensions)
    is_number, is_place : ndarray of bool, shape (n_units,)
    groups : list of frozenset of int, shape (n_units,)
        As in `Lexicon.siblings`.
    related : list of mapping of str to str, shape (n_units,)
        As in `Lexicon.relations`.
    """

    def __init__(
        self, units: Sequence[Unit], lexicon: Lexicon, vectors: WordVectors, counts: UnitCounts
    ) -> None:
        self.units = list(units)
        terms = [term_of(unit, lexicon) for unit in units]
        self.aspects = np.array([ASPECT_NAMES.index(ASPECTS[t.kind]) for t in terms], dtype=np.int8)
        self.weights = np.array([term.weight for term in terms], dtype=np.float64)
        self.rarity = np.array([counts.rarity(unit.name) for unit in units], dtype=np.float64)
        # An unknown word is embedded unstemmed: "kebijakan" is not "bijak".
        self.vectors = vectors.embed([unit.name if unit.is_known else unit.text for unit in units])
        self.is_number = np.array([unit.name.isdecimal() for unit in units], dtype=bool)
        self.is_place = np.array([unit.field == "place" for unit in units], dtype=bool)
        self.groups = [lexicon.siblings.get(unit.name, frozenset()) for unit in units]
        self.related = [lexicon.relations.get(unit.name, {}) for unit in units]

    def take(self, numbers: Rows) -> "UnitTable":
        """Return the table of some units."""
        taken, chosen = object.__new__(UnitTable), numbers.tolist()
        for name, values in vars(self).items():
            if isinstance(values, np.ndarray):
                setattr(taken, name, values[numbers])
            elif isinstance(values, list):
                setattr(taken, name, [values[number] for number in chosen])
        return taken

    @cached_property
    def by_abbreviation(self) -> Mapping[str, list[int]]:
        """Numbers of the units by their `abbreviation`, if they have one."""
        return _positions_by_key(filter(None, (abbreviation(unit),)) for unit in self.units)

    @cached_property
    def long_words(self) -> tuple[int, ...]:
        """Numbers of the single words that are long enough to recognize a typing error."""
        texts = [unit.text for unit in self.units]
        return tuple(
            k for k, text in enumerate(texts) if len(text) >= _MIN_TYPO_LENGTH and text.isalpha()
        )

    @cached_property
    def long_words_by_initial(self) -> Mapping[str, dict[int, str]]:
        """The `long_words` by number, by their first letter."""
        by_initial: dict[str, dict[int, str]] = {}
        for number in self.long_words:
            text = self.units[number].text
            by_initial.setdefault(text[0], {})[number] = text
        return by_initial

    @cached_property
    def by_name(self) -> Mapping[str, list[int]]:
        """Numbers of the units by name."""
        return _positions_by_key((unit.name,) for unit in self.units)

    @cached_property
    def by_text(self) -> Mapping[str, list[int]]:
        """Numbers of the units by text."""
        return _positions_by_key((unit.text,) for unit in self.units)

    @cached_property
    def by_word(self) -> Mapping[str, list[int]]:
        """Numbers of the units by each word of their names."""
        return _positions_by_key(set(unit.name.split()) for unit in self.units)

    @cached_property
    def by_name_without_numbers(self) -> Mapping[str, list[int]]:
        """Numbers of the units by name without numbers: versions of one thing."""
        return _positions_by_key((without_numbers(unit.name),) for unit in self.units)

    @cached_property
    def by_group(self) -> Mapping[int, list[int]]:
        """Numbers of the units by group of siblings."""
        return _positions_by_key(self.groups)

    def __len__(self) -> int:
        return len(self.units)


def _positions_by_key(keys: Iterable[Iterable[Key]]) -> dict[Key, list[int]]:
    """Return the positions at which each key occurs."""
    positions: dict[Key, list[int]] = {}
    for position, keys_here in enumerate(keys):
        for key in keys_here:
            positions.setdefault(key, []).append(position)
    return positions


class RecordTable:
    """Parsed titles with weighed units, one row a title.

    Parameters
    ----------
    units : UnitTable
    ends, numbers, roles : ndarray of int
        As in `ParsedTitles`.

    Examples
    --------
    >>> parser = TitleParser()
    >>> parsed = ParsedTitles.from_titles(["Deteksi Hoaks dengan CNN", "Padi"], parser)
    >>> table = RecordTable.from_parsed(parsed, parser.lexicon, WordVectors.read())
    >>> len(table), [unit.name for unit in table.parse(0)]
    (2, ['deteksi', 'berita palsu', 'cnn'])
    """

    def __init__(self, units: UnitTable, ends: Rows, numbers: Rows, roles: Rows) -> None:
        self.units, self.ends, self.numbers, self.roles = units, ends, numbers, roles

    @classmethod
    def from_parsed(
        cls,
        parsed: ParsedTitles,
        lexicon: Lexicon,
        vectors: WordVectors,
        counts: UnitCounts | None = None,
    ) -> "RecordTable":
        """Weigh the units of titles; without counts every unit has a rarity of 1."""
        return cls(UnitTable(parsed.units, lexicon, vectors, counts or UnitCounts()), *parsed[1:])

    def __len__(self) -> int:
        return len(self.ends) - 1

    def take(self, rows: Rows) -> "RecordTable":
        """Return some of the rows, in the given order, with only their units."""
        used, arrays = _take_rows(self, rows)
        return RecordTable(self.units.take(used), *arrays)

    def parts(self) -> Iterator["RecordTable"]:
        """Yield the table in parts of some thousand titles, to save memory."""
        for start in range(0, len(self), _TITLES_PER_CHUNK):
            yield self.take(np.arange(start, min(start + _TITLES_PER_CHUNK, len(self))))

    def padded(self, values: NDArray, rows: Rows, padding: int) -> NDArray:
        """Return the values of the units of some titles, shape (n_rows, max units of a title).

        Parameters
        ----------
        values : ndarray, shape (ends[-1],)
            As `numbers` or `roles`.
        """
        starts, counts = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        columns = np.arange(max(1, int(counts.max(initial=1))))
        positions = np.minimum(starts[:, None] + columns, max(0, len(values) - 1))
        selected = values[positions] if len(values) else np.zeros(positions.shape, dtype=values.dtype)
        return np.where(columns < counts[:, None], selected, padding)

    def parse(self, row: int) -> list[Unit]:
        """Return the units of one title, without their roles."""
        numbers = self.numbers[self.ends[row] : self.ends[row + 1]]
        return [self.units.units[number] for number in numbers.tolist()]

    @cached_property
    def words(self) -> TitleWords:
        """The words of the titles."""
        return TitleWords.from_texts([unit.text for unit in self.units.units], self.numbers, self.ends)

    @cached_property
    def _by_unit(self) -> tuple[Rows, Rows]:
        return inverted_lists(self.numbers, len(self.units))

    @cached_property
    def titles_by_unit(self) -> tuple[Rows, Rows]:
        """The titles of all units, and the ends of each unit's, as in `ParsedTitles`."""
        order, ends = self._by_unit
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.ends))[order], ends

    def titles_with_unit(self, number: int) -> tuple[Rows, Rows]:
        """Return the titles that have a unit, and its position in each of them."""
        order, ends = self._by_unit
        rows = self.titles_by_unit[0][ends[number] : ends[number + 1]].astype(np.int64)
        return rows, order[ends[number] : ends[number + 1]] - self.ends[rows]

    def mean_vectors(self) -> NDArray[np.float32]:
        """Return the mean unit vector of each title by weight and rarity, scaled to length 1 or 0."""
        weights = (self.units.weights * self.units.rarity)[self.numbers].astype(np.float32)
        sums = np.zeros((len(self), self.units.vectors.shape[1]), dtype=np.float32)
        rows = np.repeat(np.arange(len(self)), np.diff(self.ends))
        np.add.at(sums, rows, weights[:, None] * self.units.vectors[self.numbers])
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
