"""Mark in two titles, as they are written, the words of the units that the comparison has matched."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from judul_lib.structured.comparison import align
from judul_lib.structured.model import StructuredModel
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
    units, written = left.parse(0), _Written(model, title)
    marked = []
    for number, other in enumerate(others):
        other_units = right.parse(number)
        matched = pairs.left.matched[number, : len(units)], pairs.right.matched[number]
        marked.append(
            (
                written.pieces(_chosen(units, matched[0])),
                _Written(model, other).pieces(_chosen(other_units, matched[1][: len(other_units)])),
            )
        )
    return marked


_Key = tuple[str, bool]


def _key(unit: Unit) -> _Key:
    return unit.name, unit.field == "place"


def _chosen(units: Sequence[Unit], is_matched: np.ndarray) -> set[_Key]:
    return {_key(unit) for unit, matched in zip(units, is_matched.tolist(), strict=True) if matched}


class _Written:
    """A title with the characters at which each of its units is written."""

    def __init__(self, model: StructuredModel, title: str) -> None:
        self._title = title
        spans = word_spans(title)
        self._places = [
            (_key(unit), [spans[word] for word in words if word >= 0 and spans[word]])
            for unit, words in model.parser.locate(title)
        ]

    def pieces(self, chosen: set[_Key]) -> list[Piece]:
        """Return the title with the units of these keys marked."""
        marks = np.zeros(len(self._title), dtype=bool)
        for key, spans in self._places:
            if key in chosen:
                for span in spans:
                    if span is not None:
                        marks[span[0] : span[1]] = True
        return _pieces(self._title, marks)


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
