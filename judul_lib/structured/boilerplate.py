"""Find what a catalogue adds to its titles: words with which many titles of an archive begin or end.

*Skripsi Program Studi Agroteknologi Universitas Cakra Buana* behind every title
says where a title is kept, not what it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judul_lib.structured.lexicon import Lexicon
from judul_lib.structured.records import ParsedTitles, term_of
from judul_lib.structured.units import Unit

# In a smaller archive many titles are few; in any, most of a title is its own.
_MIN_TITLES, _MIN_SHARE = 20, 1 / 3
_MIN_WORDS, _MAX_BOILERPLATE_UNITS, _MIN_REMAINING_UNITS = 2, 12, 2
# What a catalogue adds it adds to all: the city before its university is a title's own.
_MIN_NEXT_UNIT_SHARE = 0.8
_DOCUMENT = frozenset(
    "skripsi thesis other undergraduate bachelor tugas akhir laporan proposal diploma sarjana program "
    "studi jurusan fakultas repository abstrak cover".split()
)


@dataclass(frozen=True)
class Boilerplate:
    """What many titles of an archive have at one of their ends.

    Attributes
    ----------
    names : tuple of str
        Names of its units, in the order of the title.
    text : str
        The words for readers.
    at_end : bool
        Else it stands at the beginning.
    share : float in (0, 1]
        Of the titles that have it.
    """

    names: tuple[str, ...]
    text: str
    at_end: bool
    share: float


def find_boilerplate(reading: ParsedTitles, lexicon: Lexicon) -> tuple[Boilerplate, ...]:
    """Return what at least a third of an archive's titles have at their beginning or at their end.

    That is what follows a word such as *skripsi* or *fakultas*, else places and words that
    say nothing of their own: what studies are about is left, however many are about it.

    Examples
    --------
    >>> from judul_lib.structured.parser import TitleParser
    >>> parser, things = TitleParser(), ["Hama Padi", "Mutu Jagung", "Harga Cabai", "Bibit Kopi"] * 5
    >>> titles = [f"{thing} - Fakultas Pertanian Universitas Cakra Buana" for thing in things]
    >>> (found,) = find_boilerplate(ParsedTitles.from_titles(titles, parser), parser.lexicon)
    >>> found.text, found.at_end, found.share
    ('fakultas pertanian universitas cakra buana', True, 1.0)
    """
    if reading.n_titles < _MIN_TITLES:
        return ()
    ends = (_shared_run(reading, lexicon, at_end=at_end) for at_end in (False, True))
    return tuple(found for found in ends if found)


def _shared_run(reading: ParsedTitles, lexicon: Lexicon, *, at_end: bool) -> Boilerplate | None:
    names: dict[str, int] = {}
    name_of = np.array([names.setdefault(unit.name, len(names)) for unit in reading.units], np.int64)
    rows, run, n_having = np.arange(reading.n_titles), list[Unit](), list[int]()
    least = _MIN_SHARE * reading.n_titles
    for depth in range(_MAX_BOILERPLATE_UNITS):
        rows = rows[np.diff(reading.ends)[rows] > depth + _MIN_REMAINING_UNITS]
        units = reading.numbers[_unit_positions(reading, rows, depth, at_end=at_end)]
        counts = np.bincount(name_of[units], minlength=1)
        best = int(counts.argmax())
        if counts[best] < least:
            break
        is_best = name_of[units] == best
        rows, least = rows[is_best], max(least, _MIN_NEXT_UNIT_SHARE * counts[best])
        run.append(reading.units[units[is_best][0]])
        n_having.append(int(counts[best]))
    kept = _n_added(run, lexicon, at_end=at_end)
    run = run[:kept][::-1] if at_end else run[:kept]
    text = " ".join(unit.text for unit in run)
    if len(text.split()) < _MIN_WORDS:
        return None
    share = n_having[kept - 1] / reading.n_titles
    return Boilerplate(tuple(unit.name for unit in run), text, at_end, share)


def _n_added(run: Sequence[Unit], lexicon: Lexicon, *, at_end: bool) -> int:
    """Return how many units of a run, from the end of the title inwards, a catalogue added."""
    documents = [depth for depth, unit in enumerate(run) if set(unit.text.split()) <= _DOCUMENT]
    if documents and at_end:  # Behind a title it begins with what document this is.
        return documents[-1] + 1
    is_own = [
        unit.field == "task" or (not documents and _is_heavy(unit, lexicon))
        for unit in run[documents[-1] + 1 if documents else 0 :]
    ]
    n_checked = len(run) - len(is_own)
    return n_checked + (is_own.index(True) if True in is_own else len(is_own))


def _is_heavy(unit: Unit, lexicon: Lexicon) -> bool:
    """Tell whether it is what a study is about, however many of an archive's are about it."""
    return unit.field != "place" and term_of(unit, lexicon).weight > 0


def without_boilerplate(reading: ParsedTitles, found: Sequence[Boilerplate]) -> ParsedTitles:
    """Return titles without what a catalogue added; what is only part of it stays.

    Examples
    --------
    >>> from judul_lib.structured.parser import TitleParser
    >>> titles = ["Hama Padi Skripsi Universitas Cakra", "Padi"]
    >>> reading = ParsedTitles.from_titles(titles, TitleParser())
    >>> names = "skripsi", "perguruan tinggi", "cakra"
    >>> cut = without_boilerplate(reading, [Boilerplate(names, "", True, 1.0)])
    >>> np.diff(reading.ends).tolist(), np.diff(cut.ends).tolist()
    ([5, 1], [2, 1])
    """
    for part in found:
        reading = _remove_boilerplate(reading, part)
    return reading


def _remove_boilerplate(reading: ParsedTitles, part: Boilerplate) -> ParsedTitles:
    length = len(part.names)
    rows = np.flatnonzero(np.diff(reading.ends) >= length + _MIN_REMAINING_UNITS)
    in_order = part.names[::-1] if part.at_end else part.names
    for depth, name in enumerate(in_order):
        same = np.array([unit.name == name for unit in reading.units], dtype=bool)
        cells = _unit_positions(reading, rows, depth, at_end=part.at_end)
        rows = rows[same[reading.numbers[cells]]]
    if not len(rows):
        return reading
    dropped = [_unit_positions(reading, rows, depth, at_end=part.at_end) for depth in range(length)]
    kept = np.ones(len(reading.numbers), dtype=bool)
    kept[np.concatenate(dropped)] = False
    ends = np.concatenate([[0], np.cumsum(kept)])[reading.ends]
    return ParsedTitles(reading.units, ends, reading.numbers[kept], reading.roles[kept])


def _unit_positions(reading: ParsedTitles, rows: NDArray, depth: int, *, at_end: bool) -> NDArray:
    """Return where the units at some depth from an end of titles are."""
    cells: NDArray = reading.ends[rows + 1] - 1 - depth if at_end else reading.ends[rows] + depth
    return cells
