"""Read a title as a record: task, object, method, place.

A lexicon (``resources/lexicon.csv``) says which phrases are which and which
mean the same. What it does not know is content, never lost: such a word takes
its field from the part of the title in which it stands.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from judul_lib.errors import LexiconError
from judul_lib.spelling import FUNCTION_WORDS, SpellingCorrector, right_stem, words_of

FIELDS = ("task", "object", "method", "place")
LEXICON_FIELDS = (*FIELDS, "template")
LEXICON_FILE = Path(__file__).parent / "resources" / "lexicon.csv"
LEXICON_STEMS_FILE = Path(__file__).parent / "resources" / "lexicon_stems.csv"
_COLUMNS = ["canonical", "variants", "field", "language"]
# A phrase of at least this many letters is known too when its blanks stand elsewhere or nowhere.
_LEAST_GLUED, _MOST_GLUED = 7, 3

# Words after which a part of the title begins, and the field of what is unknown there.
_OPENERS = {
    "method": "menggunakan metode algoritma memakai using arsitektur teknik berbantuan",
    "place": "di kota kabupaten kecamatan desa provinsi kelurahan",
    "object": "untuk terhadap pada tentang dalam antara for on of",
}
_PART_OPENERS: Mapping[str, str] = {
    word: field for field, words in _OPENERS.items() for word in words.split()
}


class Unit(NamedTuple):
    """A piece of a title that means one thing.

    Attributes
    ----------
    name : str
        Canonical term of the lexicon, or the stem of an unknown word.
    field : str
        One of `FIELDS`.
    text : str
        The words as they stand in the title, lower case, in standard spelling.
    known : bool
        Whether the lexicon has it.
    """

    name: str
    field: str
    text: str
    known: bool


@dataclass(frozen=True)
class Lexicon:
    """Variants and what they mean.

    Attributes
    ----------
    variants : mapping of str to (canonical, field)
        Lower-case words joined by blanks, canonical terms included.

    Examples
    --------
    >>> lexicon = Lexicon.read()
    >>> lexicon.variants["cnn"], "cnn" in lexicon.without("method").variants
    (('cnn', 'method'), False)
    """

    variants: Mapping[str, tuple[str, str]]

    @classmethod
    def read(cls, path: Path = LEXICON_FILE) -> "Lexicon":
        """Read a lexicon.

        Raises
        ------
        LexiconError
            A column is missing, a field unknown, or a variant stands under two
            canonical terms; the message names file and line.
        """
        variants: dict[str, tuple[str, str]] = {}
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if reader.fieldnames != _COLUMNS:
                raise LexiconError(f"{path} baris 1: kolomnya harus {','.join(_COLUMNS)}.")
            for row in reader:
                where = f"{path} baris {reader.line_num}"
                if row["field"] not in LEXICON_FIELDS:
                    raise LexiconError(f"{where}: bidang {row['field']!r} tidak dikenal.")
                entry = (row["canonical"], row["field"])
                for variant in (row["canonical"], *filter(None, row["variants"].split("|"))):
                    key = " ".join(words_of(variant))
                    if variants.setdefault(key, entry) != entry:
                        raise LexiconError(
                            f"{where}: {variant!r} sudah ada di bawah {variants[key][0]!r}."
                        )
        return cls(variants)

    def without(self, field: str) -> "Lexicon":
        """Return the lexicon without one of `LEXICON_FIELDS`; its words are then unknown."""
        return Lexicon({v: entry for v, entry in self.variants.items() if entry[1] != field})

    def canonical_only(self) -> "Lexicon":
        """Return the lexicon with one name for each term and no other way to write it."""
        return Lexicon({v: entry for v, entry in self.variants.items() if v == entry[0]})

    def stems(self, stem: Callable[[str], str] = right_stem) -> dict[str, str]:
        """Return the words of the variants whose stem is another, with that stem."""
        words = sorted({word for variant in self.variants for word in variant.split()})
        stems = ((word, stem(word)) for word in words)
        return {word: root for word, root in stems if root != word}


class TitleParser:
    """Reads titles with a lexicon; the longest phrase wins.

    Parameters
    ----------
    lexicon : Lexicon
        The project's own by default.
    stem : callable
        Word to stem; Sastrawi's with its mistakes put right by default.
    correct : bool
        Whether spelling variants and typing errors are put right.

    Examples
    --------
    >>> [(unit.field, unit.name) for unit in TitleParser().parse("Deteksi Hoaks Menggunakan CNN")]
    [('task', 'deteksi'), ('object', 'berita palsu'), ('method', 'cnn')]
    """

    def __init__(
        self,
        lexicon: Lexicon | None = None,
        *,
        stem: Callable[[str], str] = right_stem,
        correct: bool = True,
    ) -> None:
        own = lexicon is None and stem is right_stem
        lexicon = lexicon or Lexicon.read()
        self._variants, self._stem = lexicon.variants, stem
        stems = _own_stems() if own else lexicon.stems(stem)
        self._stemmed: dict[str, tuple[str, str]] = {}
        for variant, entry in self._variants.items():
            stemmed = " ".join(stems.get(word, word) for word in variant.split())
            # "penilaian" must not make every "nilai" an evaluation.
            if " " in variant or stemmed == variant:
                self._stemmed.setdefault(stemmed, entry)
        self._glued: dict[str, tuple[str, str]] = {}
        for variant, entry in self._variants.items():
            glued = variant.replace(" ", "")
            if len(glued) >= _LEAST_GLUED and entry[1] != "template":
                self._glued.setdefault(glued, entry)
        self._spelling = SpellingCorrector(
            word for variant in self._variants for word in (*variant.split(), variant.replace(" ", ""))
        )
        self._words_of = self._spelling.words if correct else words_of
        # How many words the longest phrase has that begins with a word.
        self._reach: dict[str, int] = {}
        for phrase in (*self._variants, *self._stemmed):
            first, length = phrase.split(" ", 1)[0], phrase.count(" ") + 1
            self._reach[first] = max(self._reach.get(first, 0), length)

    def is_word(self, word: str) -> bool:
        """Tell whether a word is in a dictionary, so hardly a typing error."""
        return self._spelling.is_word(word)

    def parse(self, title: str) -> list[Unit]:
        """Return the units of a title in their order.

        Template words and function words are left out; every other word is in
        exactly one unit.
        """
        words = self._words_of(title)
        stems = [self._stem(word) for word in words]
        units: list[Unit] = []
        part, position = "object", 0
        while position < len(words):
            length, entry = self._longest(words, stems, position)
            if length > 1 and entry is not None and entry[1] == "template":
                # "menggunakan algoritma | semut" must not hide "algoritma semut".
                last = position + length - 1
                longer, other = self._longest(words, stems, last)
                if longer > 1 and other is not None and other[1] != "template":
                    length, entry = last - position, ("", "template")
            text = " ".join(words[position : position + length])
            opener = _PART_OPENERS.get(words[position + length - 1])
            if entry is not None:
                name, field = entry
                if field != "template":
                    units.append(Unit(name, field, text, True))
                # What follows the name of a school or a city belongs to it: a number, a village.
                part = "place" if field == "place" else part
            elif text not in FUNCTION_WORDS and not (len(text) == 1 and text.isalpha()):
                units.append(Unit(stems[position], part, text, False))
            part = opener or part
            position += length
        return units

    def _longest(
        self, words: list[str], stems: list[str], start: int
    ) -> tuple[int, tuple[str, str] | None]:
        reach = max(self._reach.get(words[start], 0), self._reach.get(stems[start], 0))
        for length in range(min(reach, len(words) - start), 0, -1):
            stop = start + length
            entry = self._variants.get(" ".join(words[start:stop]))
            if entry is None and (length > 1 or words[start] not in FUNCTION_WORDS):
                entry = self._stemmed.get(" ".join(stems[start:stop]))
            if entry is not None:
                return length, entry
        for length in range(min(_MOST_GLUED, len(words) - start), 0, -1):
            entry = self._glued.get("".join(words[start : start + length]))
            if entry is not None:
                return length, entry
        return 1, None


def _own_stems() -> dict[str, str]:
    """Return what `Lexicon.stems` gives for the own lexicon, kept because it takes a second."""
    with LEXICON_STEMS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["word"]: row["stem"] for row in csv.DictReader(stream)}
