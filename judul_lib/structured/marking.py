"""Mark in two titles, as they are written, the words of the units that the comparison has matched."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from judul_lib.structured.comparison import align
from judul_lib.structured.model import StructuredModel
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.records import RecordTable
from judul_lib.structured.relations import Relations
from judul_lib.structured.units import Unit
from judul_lib.structured.words import split_title

_SIGN = re.compile("[a-z0-9]")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,80}>|&#?\w{1,12};")
_GAP = re.compile(r"[\s.\-–/&]+")


class Piece(NamedTuple):
    """A part of a title as it is written, and whether it is matched."""

    text: str
    is_matched: bool


def mark_pairs(
    model: StructuredModel,
    title: str,
    others: Sequence[str],
    records: tuple[RecordTable, RecordTable] | None = None,
) -> list[tuple[list[Piece], list[Piece]]]:
    """Divide a title, and each other one, into pieces that the comparison has matched and others.

    Parameters
    ----------
    model : StructuredModel
        For the archive of the others.
    records : tuple of RecordTable
        The model's records of the title and of the others; parsed if missing.

    Returns
    -------
    list of (list of Piece, list of Piece)
        For each pair, the pieces of the title and of the other; joined, their texts are the titles.

    Examples
    --------
    >>> from judul_lib.checking.registry import load_structured
    >>> model, _ = load_structured("outputs/structured")
    >>> ((left, right),) = mark_pairs(model, "Deteksi Hoaks dengan CNN", ["DETEKSI BERITA BOHONG"])
    >>> [piece.text for piece in left if piece.is_matched], right
    (['Deteksi Hoaks'], [Piece(text='DETEKSI BERITA BOHONG', is_matched=True)])
    """
    if not others:
        return []
    left, right = records or (model.records([title]), model.records(others))
    rows = np.zeros(len(others), dtype=np.intp), np.arange(len(others))
    pairs = align(left, right, *rows, Relations.between(left.units, right.units))
    units, places = left.parse(0), _places(model.parser, title)
    marked = []
    for number, other in enumerate(others):
        other_units = right.parse(number)
        matched = pairs.left.matched[number, : len(units)], pairs.right.matched[number]
        sides = _chosen(units, matched[0]), _chosen(other_units, matched[1][: len(other_units)])
        known = _known_places(model.parser, other)
        marked.append((_marked(title, places, sides[0]), _marked(other, known, sides[1])))
    return marked


_Key = tuple[str, bool]


def _key(unit: Unit) -> _Key:
    return unit.name, unit.field == "place"


def _chosen(units: Sequence[Unit], is_matched: np.ndarray) -> set[_Key]:
    return {_key(unit) for unit, matched in zip(units, is_matched.tolist(), strict=True) if matched}


_Places = list[tuple[_Key, list[tuple[int, int]]]]


def _places(parser: TitleParser, title: str) -> _Places:
    """Return the units of a title, each with the characters at which it is written."""
    spans = word_spans(title)
    found = []
    for unit, words in parser.locate(title):
        written = (spans[word] for word in words if word >= 0)
        found.append((_key(unit), [span for span in written if span is not None]))
    return found


# The titles of an archive come again and again.
_known_places = lru_cache(maxsize=4096)(_places)


def _marked(title: str, places: _Places, chosen: set[_Key]) -> list[Piece]:
    """Return a title with the units of these keys marked."""
    marks = np.zeros(len(title), dtype=bool)
    for key, spans in places:
        if key in chosen:
            for start, stop in spans:
                marks[start:stop] = True
    return _pieces(title, marks)


def _pieces(title: str, marks: np.ndarray) -> list[Piece]:
    """Divide a title; blanks and hyphens between two marked words are marked too."""
    for gap in _GAP.finditer(title):
        start, stop = gap.span()
        if start > 0 and stop < len(title) and marks[start - 1] and marks[stop]:
            marks[start:stop] = True
    borders = [0, *(np.flatnonzero(np.diff(marks)) + 1).tolist(), len(title)]
    return [
        Piece(title[start:stop], bool(marks[start])) for start, stop in pairwise(borders) if stop > start
    ]


def word_spans(title: str) -> list[tuple[int, int] | None]:
    """Return where each word of `split_title` is written; None for one that is not found.

    Examples
    --------
    >>> title = "Judul: Naïve Bayes &amp; Al-Qur'an"
    >>> [title[slice(*span)] for span in word_spans(title)]
    ['Naïve', 'Bayes', 'Al', "Qur'an"]
    """
    words = [word.text for word in split_title(title)]
    signs: list[str] = []
    places: list[int] = []
    markup = {place for tag in _MARKUP.finditer(title) for place in range(*tag.span())}
    for place, character in enumerate(title):
        if place in markup:
            continue
        for sign in unicodedata.normalize("NFKD", character.casefold()):
            if _SIGN.fullmatch(sign):
                signs.append(sign)
                places.append(place)
    read = "".join(words)
    found: list[int | None] = [None] * len(read)
    for block in SequenceMatcher(None, "".join(signs), read, autojunk=False).get_matching_blocks():
        found[block.b : block.b + block.size] = places[block.a : block.a + block.size]
    spans: list[tuple[int, int] | None] = []
    start = 0
    for word in words:
        at = [place for place in found[start : start + len(word)] if place is not None]
        spans.append((min(at), max(at) + 1) if at else None)
        start += len(word)
    return spans
