"""Titles read into units, one row a title, made ready for comparison."""

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
from judul_lib.structured.title_words import TitleWords
from judul_lib.structured.units import Role, Unit
from judul_lib.structured.vectors import WordVectors

Key = TypeVar("Key", str, int)

_MAX_UNITS, _TITLES_PER_CHUNK = 32, 4096
_MIN_TYPO = 5  # Shorter words have too many neighbours.
ASPECT_NAMES = tuple(dict.fromkeys(ASPECTS.values()))
"""Aspects of a study, in the order of their numbers in `UnitTable.aspects`."""

# What is taken of a term that nobody graded.
_DEFAULTS: Mapping[str, Term] = {
    "task": Term("K", 1), "object": Term("E", 2), "method": Term("M", 2), "place": Term("N", 2),
}  # fmt: skip


class ParsedTitles(NamedTuple):
    """Titles as a parser read them, before anything is known of their units.

    Attributes
    ----------
    units : list of Unit
        The distinct ones; their roles are left out.
    ends : ndarray of int, shape (n + 1,)
    numbers : ndarray of int, shape (ends[-1],)
        Title *i* has the units ``numbers[ends[i]:ends[i + 1]]``, in its order.
    roles : ndarray of int, shape (ends[-1],)
        The `judul_lib.structured.units.Role` of each.

    Examples
    --------
    >>> reading = ParsedTitles.from_titles(["Deteksi Hoaks", "Padi"], TitleParser())
    >>> [unit.name for unit in reading.units], reading.ends.tolist()
    (['deteksi', 'berita palsu', 'padi'], [0, 2, 3])
    """

    units: list[Unit]
    ends: Rows
    numbers: Rows
    roles: Rows

    @classmethod
    def from_titles(cls, titles: Sequence[str], parser: TitleParser) -> "ParsedTitles":
        """Read titles."""
        number: dict[Unit, int] = {}
        numbers, roles, ends = array("i"), array("b"), [0]
        for title in titles:
            parse = parser.parse(title)[:_MAX_UNITS]
            numbers.extend(
                number.setdefault(unit._replace(role=Role.NONE), len(number)) for unit in parse
            )
            roles.extend(unit.role for unit in parse)
            ends.append(len(numbers))
        given = np.array(ends), np.array(numbers, dtype=np.int32), np.array(roles, dtype=np.int8)
        return cls(list(number), *given)

    @property
    def n_titles(self) -> int:
        """Number of titles."""
        return len(self.ends) - 1

    def take(self, rows: Rows) -> "ParsedTitles":
        """Return some of the titles, in the order given, with no unit but theirs."""
        ends, places = _select_units(self.ends, rows)
        used, numbers = np.unique(self.numbers[places], return_inverse=True)
        units = [self.units[number] for number in used.tolist()]
        return ParsedTitles(units, ends, numbers.astype(np.int32), self.roles[places])

    @classmethod
    def concatenate(cls, readings: Sequence["ParsedTitles"]) -> "ParsedTitles":
        """Put titles one after the other."""
        number: dict[Unit, int] = {}
        ends: list[Rows] = [np.zeros(1, np.int64)]
        numbers, n_before = [np.empty(0, np.int32)], 0
        for read in readings:
            new = [number.setdefault(unit, len(number)) for unit in read.units]
            numbers.append(np.array(new, dtype=np.int32)[read.numbers])
            ends.append(read.ends[1:] + n_before)
            n_before += len(read.numbers)
        roles = np.concatenate([np.empty(0, np.int8), *(read.roles for read in readings)])
        return cls(list(number), np.concatenate(ends), np.concatenate(numbers), roles)

    def arrays(self) -> dict[str, NDArray]:
        """Return what `from_arrays` reads."""
        text = np.frombuffer(json.dumps(self.units).encode(), dtype=np.uint8)
        given = {"units": text, "ends": self.ends, "numbers": self.numbers, "roles": self.roles}
        return {f"read.{name}": values for name, values in given.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray]) -> "ParsedTitles":
        """Read what `arrays` gave."""
        units, *others = (arrays[f"read.{name}"] for name in ("units", "ends", "numbers", "roles"))
        return cls([Unit(*fact) for fact in json.loads(units.tobytes())], *others)


def _select_units(ends: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """Return the ends of some titles by themselves, and where their units are among all."""
    starts = ends[rows]
    counts = ends[rows + 1] - starts
    new = np.concatenate([[0], np.cumsum(counts)])
    return new, np.repeat(starts - new[:-1], counts) + np.arange(new[-1])


@dataclass(frozen=True)
class UnitCounts:
    """In how many titles each unit's name occurs; the rarer, the more it says.

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
        """Count the units of distinct titles."""
        return cls.from_parsed(titles, ParsedTitles.from_titles(titles, parser))

    @classmethod
    def from_parsed(cls, titles: Sequence[str], reading: ParsedTitles) -> "UnitCounts":
        """Count the units of distinct titles that are read already."""
        first = {title: row for row, title in reversed(list(enumerate(titles)))}
        read = reading.take(np.array(sorted(first.values()), dtype=np.intp))
        number: dict[str, int] = {}
        names = np.array([number.setdefault(unit.name, len(number)) for unit in read.units], np.int64)
        # A name may stand twice in one title: as a place and as what it is about.
        rows = np.repeat(np.arange(read.n_titles), np.diff(read.ends))
        once = np.unique(rows * len(number) + names[read.numbers]) % max(1, len(number))
        counts = np.bincount(once, minlength=len(number)).tolist()
        return cls(dict(zip(number, counts, strict=True)), read.n_titles)

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
    """Return the kind and weight of a unit; a place is a place whatever its words mean elsewhere."""
    if unit.field == "place":
        return Term("N", 1 if unit.is_head else 2)
    if unit.name.isdecimal():
        return Term("Q", 2)
    return lexicon.terms.get(unit.name) or _DEFAULTS[unit.field]


def abbreviation(unit: Unit) -> str:
    """Return the letters by which a unit may abbreviate or join other words; empty where it cannot."""
    text = unit.text.replace(" ", "")
    # Two letters that the lexicon knows abbreviate nothing else: "pt" is a company.
    return text if text.isalpha() and len(text) >= 2 + unit.known else ""


class UnitTable:
    """The distinct units of many titles, and what is known of each.

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
        How decisive each is, 0 to 3.
    rarity : ndarray of float in [0, 1], shape (n_units,)
    vectors : ndarray of float32, shape (n_units, n_dimensions)
    is_number, is_place, is_known : ndarray of bool, shape (n_units,)
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
        # An unknown word means what its own form means: "kebijakan" is not "bijak".
        self.vectors = vectors.embed([unit.name if unit.known else unit.text for unit in units])
        self.is_number = np.array([unit.name.isdecimal() for unit in units], dtype=bool)
        self.is_place = np.array([unit.field == "place" for unit in units], dtype=bool)
        self.is_known = np.array([unit.known for unit in units], dtype=bool)
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
    def abbreviations(self) -> list[str]:
        """The `abbreviation` of each, shape (n_units,)."""
        return list(map(abbreviation, self.units))

    @cached_property
    def by_abbreviation(self) -> Mapping[str, list[int]]:
        """Numbers of the units that may abbreviate others, by their letters."""
        return _positions_by_key((text,) if text else () for text in self.abbreviations)

    @cached_property
    def long_words(self) -> tuple[int, ...]:
        """Numbers of the single words that are long enough for a typing error to be told."""
        texts = [unit.text for unit in self.units]
        return tuple(k for k, text in enumerate(texts) if len(text) >= _MIN_TYPO and text.isalpha())

    @cached_property
    def by_name(self) -> Mapping[str, list[int]]:
        """Numbers of the units of a name."""
        return _positions_by_key((unit.name,) for unit in self.units)

    @cached_property
    def by_text(self) -> Mapping[str, list[int]]:
        """Numbers of the units that are written in one way."""
        return _positions_by_key((unit.text,) for unit in self.units)

    @cached_property
    def by_word(self) -> Mapping[str, list[int]]:
        """Numbers of the units in whose name a word stands."""
        return _positions_by_key(set(unit.name.split()) for unit in self.units)

    @cached_property
    def by_name_without_numbers(self) -> Mapping[str, list[int]]:
        """Numbers of the units of a name without its numbers: versions of one thing."""
        return _positions_by_key((without_numbers(unit.name),) for unit in self.units)

    @cached_property
    def by_group(self) -> Mapping[int, list[int]]:
        """Numbers of the units of a group of siblings."""
        return _positions_by_key(self.groups)

    def __len__(self) -> int:
        return len(self.units)


def _positions_by_key(keys: Iterable[Iterable[Key]]) -> dict[Key, list[int]]:
    """Return at which places each key stands."""
    places: dict[Key, list[int]] = {}
    for place, own in enumerate(keys):
        for key in own:
            places.setdefault(key, []).append(place)
    return places


class RecordTable:
    """Titles read into units, one row a title.

    Parameters
    ----------
    units : UnitTable
    ends : ndarray of int, shape (n + 1,)
    numbers : ndarray of int, shape (ends[-1],)
        Title *i* has the units ``numbers[ends[i]:ends[i + 1]]``, in its order.
    roles : ndarray of int, shape (ends[-1],)
        The `judul_lib.structured.units.Role` of each.

    Examples
    --------
    >>> parser = TitleParser()
    >>> reading = ParsedTitles.from_titles(["Deteksi Hoaks dengan CNN", "Padi"], parser)
    >>> table = RecordTable.from_parsed(reading, parser.lexicon, WordVectors.read())
    >>> len(table), [unit.name for unit in table.parse(0)]
    (2, ['deteksi', 'berita palsu', 'cnn'])
    """

    def __init__(self, units: UnitTable, ends: Rows, numbers: Rows, roles: Rows) -> None:
        self.units, self.ends, self.numbers, self.roles = units, ends, numbers, roles

    @classmethod
    def from_parsed(
        cls,
        reading: ParsedTitles,
        lexicon: Lexicon,
        vectors: WordVectors,
        counts: UnitCounts | None = None,
    ) -> "RecordTable":
        """Weigh the units of titles; without counts every unit counts as rare."""
        return cls(UnitTable(reading.units, lexicon, vectors, counts or UnitCounts()), *reading[1:])

    def __len__(self) -> int:
        return len(self.ends) - 1

    def take(self, rows: Rows) -> "RecordTable":
        """Return the table of some rows, in the order given, with no unit but theirs."""
        ends, places = _select_units(self.ends, rows)
        used, numbers = np.unique(self.numbers[places], return_inverse=True)
        units = self.units.take(used)
        return RecordTable(units, ends, numbers.astype(np.int32), self.roles[places])

    def parts(self) -> Iterator["RecordTable"]:
        """Yield some thousand titles after the other: what is made of them all would fill the memory."""
        for start in range(0, len(self), _TITLES_PER_CHUNK):
            yield self.take(np.arange(start, min(start + _TITLES_PER_CHUNK, len(self))))

    def padded(self, values: NDArray, rows: Rows, blank: int) -> NDArray:
        """Return values of the units of some titles, shape (n_rows, most units of one); else blank.

        Parameters
        ----------
        values : ndarray, shape (ends[-1],)
            One a unit of a title, as `numbers` or `roles` are.
        """
        starts, counts = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        columns = np.arange(max(1, int(counts.max(initial=1))))
        places = np.minimum(starts[:, None] + columns, max(0, len(values) - 1))
        found = values[places] if len(values) else np.zeros(places.shape, dtype=values.dtype)
        return np.where(columns < counts[:, None], found, blank)

    def parse(self, row: int) -> list[Unit]:
        """Return the units of one title; their roles are left out."""
        numbers = self.numbers[self.ends[row] : self.ends[row + 1]]
        return [self.units.units[number] for number in numbers.tolist()]

    @cached_property
    def words(self) -> TitleWords:
        """The words of the titles' units in their order."""
        return TitleWords.from_texts([unit.text for unit in self.units.units], self.numbers, self.ends)

    @cached_property
    def _by_unit(self) -> tuple[Rows, Rows]:
        order = np.argsort(self.numbers, kind="stable")
        return order, np.searchsorted(self.numbers[order], np.arange(len(self.units) + 1))

    def titles_with_unit(self, number: int) -> tuple[Rows, Rows]:
        """Return the titles that have a unit, and which of their units it is."""
        order, ends = self._by_unit
        places = order[ends[number] : ends[number + 1]]
        rows = np.searchsorted(self.ends, places, side="right") - 1
        return rows, places - self.ends[rows]

    def mean_vectors(self) -> NDArray[np.float32]:
        """Return the mean vector of each title's units by weight and rarity, length 1 or 0."""
        weights = (self.units.weights * self.units.rarity)[self.numbers].astype(np.float32)
        flat = np.zeros((len(self), self.units.vectors.shape[1]), dtype=np.float32)
        rows = np.repeat(np.arange(len(self)), np.diff(self.ends))
        np.add.at(flat, rows, weights[:, None] * self.units.vectors[self.numbers])
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
