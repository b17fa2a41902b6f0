"""Find catalogue boilerplate: words with which many titles of an archive begin or end.

*Skripsi Program Studi Agroteknologi Universitas Cakra Buana* after every title
says where a title is kept, not what it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judul_lib.structured.lexicon import Lexicon
from judul_lib.structured.records import ParsedTitles, term_of
from judul_lib.structured.units import Unit

_MIN_TITLES, _MIN_SHARE = 20, 1 / 3
_MIN_WORDS, _MAX_BOILERPLATE_UNITS, _MIN_REMAINING_UNITS = 2, 12, 2
# A run grows only while nearly all titles that share it agree: the city that precedes the
# university is content of each title.
_MIN_NEXT_UNIT_SHARE = 0.8
_DOCUMENT = frozenset(
    "skripsi thesis other undergraduate bachelor tugas akhir laporan proposal diploma sarjana program "
    "studi jurusan fakultas repository abstrak cover".split()
)


@dataclass(frozen=True)
class Boilerplate:
    """Units that many titles of an archive share at their beginning or end.

    Attributes
    ----------
    names : tuple of str
        Names of the units, in title order.
    text : str
        Their text, for readers.
    at_end : bool
        Whether they stand at the end of a title, not at its beginning.
    share : float in (0, 1]
        Share of the titles that have them.
    """

    names: tuple[str, ...]
    text: str
    at_end: bool
    share: float


def find_boilerplate(parsed: ParsedTitles, lexicon: Lexicon) -> tuple[Boilerplate, ...]:
    """Return the units that at least a third of an archive's titles begin or end with.

    These follow a word such as *skripsi* or *fakultas*, or are places and words of no weight:
    a subject is never boilerplate, however many studies share it.

    Examples
    --------
    >>> from judul_lib.structured.parser import TitleParser
    >>> parser, subjects = TitleParser(), ["Hama Padi", "Mutu Jagung", "Harga Cabai", "Bibit Kopi"] * 5
    >>> titles = [f"{subject} - Fakultas Pertanian Universitas Cakra Buana" for subject in subjects]
    >>> (tail,) = find_boilerplate(ParsedTitles.from_titles(titles, parser), parser.lexicon)
    >>> tail.text, tail.at_end, tail.share
    ('fakultas pertanian universitas cakra buana', True, 1.0)
    """
    if parsed.n_titles < _MIN_TITLES:
        return ()
    runs = (_shared_run(parsed, lexicon, at_end=at_end) for at_end in (False, True))
    return tuple(run for run in runs if run)


def _shared_run(parsed: ParsedTitles, lexicon: Lexicon, *, at_end: bool) -> Boilerplate | None:
    names: dict[str, int] = {}
    name_of = np.array([names.setdefault(unit.name, len(names)) for unit in parsed.units], np.int64)
    rows, run, run_counts = np.arange(parsed.n_titles), list[Unit](), list[int]()
    min_count = _MIN_SHARE * parsed.n_titles
    for depth in range(_MAX_BOILERPLATE_UNITS):
        rows = rows[np.diff(parsed.ends)[rows] > depth + _MIN_REMAINING_UNITS]
        units = parsed.numbers[_unit_positions(parsed, rows, depth, at_end=at_end)]
        counts = np.bincount(name_of[units], minlength=1)
        best = int(counts.argmax())
        if counts[best] < min_count:
            break
        is_best = name_of[units] == best
        rows, min_count = rows[is_best], max(min_count, _MIN_NEXT_UNIT_SHARE * counts[best])
        run.append(parsed.units[units[is_best][0]])
        run_counts.append(int(counts[best]))
    n_added = _count_added_units(run, lexicon, at_end=at_end)
    run = run[:n_added][::-1] if at_end else run[:n_added]
    text = " ".join(unit.text for unit in run)
    if len(text.split()) < _MIN_WORDS:
        return None
    share = run_counts[n_added - 1] / parsed.n_titles
    return Boilerplate(tuple(unit.name for unit in run), text, at_end, share)


def _count_added_units(run: Sequence[Unit], lexicon: Lexicon, *, at_end: bool) -> int:
    """Return how many units of a run, from the end of the title inwards, the catalogue added."""
    documents = [depth for depth, unit in enumerate(run) if set(unit.text.split()) <= _DOCUMENT]
    if documents and at_end:  # After a title, boilerplate begins with the kind of document.
        return documents[-1] + 1
    start = documents[-1] + 1 if documents else 0
    for depth, unit in enumerate(run[start:], start):
        if unit.field == "task" or (not documents and _is_subject(unit, lexicon)):
            return depth
    return len(run)


def _is_subject(unit: Unit, lexicon: Lexicon) -> bool:
    return unit.field != "place" and term_of(unit, lexicon).weight > 0


def without_boilerplate(parsed: ParsedTitles, boilerplate: Sequence[Boilerplate]) -> ParsedTitles:
    """Return titles without boilerplate; where only part of it stands, that part is kept.

    Examples
    --------
    >>> from judul_lib.structured.parser import TitleParser
    >>> titles = ["Hama Padi Skripsi Universitas Cakra", "Padi"]
    >>> parsed = ParsedTitles.from_titles(titles, TitleParser())
    >>> names = "skripsi", "perguruan tinggi", "cakra"
    >>> shorter = without_boilerplate(parsed, [Boilerplate(names, "", True, 1.0)])
    >>> np.diff(parsed.ends).tolist(), np.diff(shorter.ends).tolist()
    ([5, 1], [2, 1])
    """
    for part in boilerplate:
        parsed = _remove_boilerplate(parsed, part)
    return parsed


def _remove_boilerplate(parsed: ParsedTitles, part: Boilerplate) -> ParsedTitles:
    length = len(part.names)
    rows = np.flatnonzero(np.diff(parsed.ends) >= length + _MIN_REMAINING_UNITS)
    inwards = part.names[::-1] if part.at_end else part.names
    for depth, name in enumerate(inwards):
        has_name = np.array([unit.name == name for unit in parsed.units], dtype=bool)
        positions = _unit_positions(parsed, rows, depth, at_end=part.at_end)
        rows = rows[has_name[parsed.numbers[positions]]]
    if not len(rows):
        return parsed
    dropped = [_unit_positions(parsed, rows, depth, at_end=part.at_end) for depth in range(length)]
    kept = np.ones(len(parsed.numbers), dtype=bool)
    kept[np.concatenate(dropped)] = False
    ends = np.concatenate([[0], np.cumsum(kept)])[parsed.ends]
    return ParsedTitles(parsed.units, ends, parsed.numbers[kept], parsed.roles[kept])


def _unit_positions(parsed: ParsedTitles, rows: NDArray, depth: int, *, at_end: bool) -> NDArray:
    """Return the positions of the units at some depth from one end of titles."""
    positions: NDArray = parsed.ends[rows + 1] - 1 - depth if at_end else parsed.ends[rows] + depth
    return positions
