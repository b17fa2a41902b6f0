"""Read a title as a record: task, object, method, place.

A lexicon (``resources/lexicon.csv``) says which phrases are which and which
mean the same. What it does not know is content, never lost: such a word takes
its field from the part of the title in which it stands.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from judul_lib.errors import LexiconError
from judul_lib.preprocessing import STOP_WORDS, stem_word

FIELDS = ("task", "object", "method", "place")
LEXICON_FIELDS = (*FIELDS, "template")
LEXICON_FILE = Path(__file__).parent / "resources" / "lexicon.csv"
STEMS_FILE = Path(__file__).parent / "resources" / "stems.csv"
_COLUMNS = ["canonical", "variants", "field", "language"]
_WORD = re.compile(r"[a-z]+|[0-9]+")

# Words after which a part of the title begins, and the field of what is unknown there.
_OPENERS = {
    "method": "menggunakan metode algoritma memakai using arsitektur teknik berbantuan",
    "place": "di kota kabupaten kecamatan desa provinsi kelurahan",
    "object": "untuk terhadap pada tentang dalam antara for on of",
}
_PART_OPENERS: Mapping[str, str] = {
    word: field for field, words in _OPENERS.items() for word in words.split()
}
_FUNCTION_WORDS = STOP_WORDS | frozenset(
    "the of for and in on a an to with by from at as is using based its".split()
)


@dataclass(frozen=True)
class Unit:
    """A piece of a title that means one thing.

    Attributes
    ----------
    name : str
        Canonical term of the lexicon, or the stem of an unknown word.
    field : str
        One of `FIELDS`.
    text : str
        The words as they stand in the title, lower case.
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


def words_of(title: str) -> list[str]:
    """Split a title into lower-case words and numbers; accents and punctuation go.

    Examples
    --------
    >>> words_of("Naïve Bayes & YOLOv8")
    ['naive', 'bayes', 'yolov', '8']
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return _WORD.findall(plain)


@cache
def stem_exceptions() -> Mapping[str, str]:
    """Return the words whose Sastrawi stem is wrong, with the right one."""
    with STEMS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["word"]: row["stem"] for row in csv.DictReader(stream)}


def right_stem(word: str) -> str:
    """Stem a word, Sastrawi's known mistakes put right.

    Examples
    --------
    >>> right_stem("peramalan"), right_stem("pengelompokan")
    ('ramal', 'kelompok')
    """
    return stem_exceptions().get(word) or stem_word(word)


class TitleParser:
    """Reads titles with a lexicon; the longest phrase wins.

    Parameters
    ----------
    lexicon : Lexicon
        The project's own by default.
    """

    def __init__(self, lexicon: Lexicon | None = None) -> None:
        self._variants = (lexicon or Lexicon.read()).variants
        self._stemmed: dict[str, tuple[str, str]] = {}
        for variant, entry in self._variants.items():
            stemmed = _stem_phrase(variant.split())
            # "penilaian" must not make every "nilai" an evaluation.
            if " " in variant or stemmed == variant:
                self._stemmed.setdefault(stemmed, entry)
        # How many words the longest phrase has that begins with a word.
        self._reach: dict[str, int] = {}
        for phrase in (*self._variants, *self._stemmed):
            first, length = phrase.split(" ", 1)[0], phrase.count(" ") + 1
            self._reach[first] = max(self._reach.get(first, 0), length)

    def parse(self, title: str) -> list[Unit]:
        """Return the units of a title in their order.

        Template words and function words are left out; every other word is in
        exactly one unit.
        """
        words = words_of(title)
        stems = [right_stem(word) for word in words]
        units: list[Unit] = []
        part, position = "object", 0
        while position < len(words):
            length, entry = self._longest(words, stems, position)
            text = " ".join(words[position : position + length])
            opener = _PART_OPENERS.get(words[position + length - 1])
            if entry is not None:
                name, field = entry
                if field != "template":
                    units.append(Unit(name, field, text, True))
            elif text not in _FUNCTION_WORDS and not (len(text) == 1 and text.isalpha()):
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
            if entry is None and (length > 1 or words[start] not in _FUNCTION_WORDS):
                entry = self._stemmed.get(" ".join(stems[start:stop]))
            if entry is not None:
                return length, entry
        return 1, None


def _stem_phrase(words: Iterable[str]) -> str:
    return " ".join(right_stem(word) for word in words)
