"""Split a title into words in standard spelling, without markup and punctuation."""

import csv
import html
import re
import unicodedata
from collections.abc import Container, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from judul_lib.study.preprocessing import STOP_WORDS, is_root_word, stem_word

_RESOURCES = Path(__file__).parent / "resources"
SPELLINGS_FILE = _RESOURCES / "spellings.csv"
STEMS_FILE = _RESOURCES / "stems.csv"
FUNCTION_WORDS = STOP_WORDS | frozenset(
    "the of for and in on a an to with by from at as is using based its "
    "setelah sesudah sebelum saat ketika kala sejak sampai hingga kepada bagi tentang mengenai terkait "
    "sebab akibat dilihat lewat atas maupun ataupun para secara tiap setiap".split()
)

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
_LABEL = re.compile(r"^\s*(?:judul|usulan judul|title)\s*\d*\s*[:.]\s*", re.IGNORECASE)
# What catalogues put before and after a title.
_NUMBERING = re.compile(r"^\s*\d{1,4}\s*[.)]\s+")
_DOCUMENT = (
    r"(?:proposal\s+)?(?:skripsi|tugas akhir|laporan akhir|tesis|disertasi|karya tulis ilmiah|kti|"
    r"(?:undergraduate |bachelor |diploma )?thesis)"
)
_HEADING = re.compile(
    rf"^\s*(?:{_DOCUMENT}\s*[:|–—-]\s+|proposal\s+(?:skripsi|tugas akhir|penelitian)\s*:?\s+)", re.I
)
_TRAILER = re.compile(
    rf"\s+[-–—|/]+\s*\(?(?:{_DOCUMENT}|cover|abstrak|abstract|full\s?text|"
    r"naskah publikasi|bab \d|s1\b|d3\b).*$"
    rf"|\s+\((?:{_DOCUMENT}|abstrak|full\s?text)[^()]*\)\s*$"
    r"|\s+(?:\(?full\s?text\)?(?:\s+pdf)?|pdf|abstrak)\s*$",
    re.I,
)
_STUDENT_NUMBER = re.compile(r"\(?\b(?:[A-Z]?\d{1,2}\.\d{4}\.\d{4,6}|[A-Z]{0,3}\d{8,14})\b\)?")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}(?:[A-Za-z]\b)?")
# Dropped: "qur'an" is one word, while "e-learning" is two.
_APOSTROPHE = re.compile(r"(?<=\w)['’`‘´ʼ](?=\w)")
# "J&T", "R&D" are one word.
_AND = re.compile(r"(?<=\b\w)&(?=\w\b)")
# Combining accents, soft hyphens and invisible blanks.
_INVISIBLE = re.compile("[\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff]")
_LETTERS = re.compile(r"[^\W\d_]{3}")
_PIECE = re.compile(r"[a-z]+|[0-9]+|(?<=[0-9])\.(?=[0-9])|[(),:;/|]| [-–—] ")
_ROMAN = {
    numeral: str(number)
    for number, numeral in enumerate("i ii iii iv v vi vii viii ix x xi xii xiii".split(), start=1)
}
# A single letter is a numeral only after these.
_NUMBERED = frozenset(
    "kelas semester negeri n tingkat tipe trimester bagian jilid sd smp sma smk".split()
)


class Word(NamedTuple):
    """A word of a title.

    Attributes
    ----------
    text : str
        Lower case, in standard spelling; or a number.
    is_after_break, is_after_opening, is_after_closing : bool
        Whether punctuation, an opening or a closing bracket precedes the word.
    is_decimal : bool
        Whether it is the decimal part of a number: the 5 of *3.5*.
    source : int
        Which word of `split_title` it was written as; -1 where that is not known.
    """

    text: str
    is_after_break: bool = False
    is_after_opening: bool = False
    is_after_closing: bool = False
    is_decimal: bool = False
    source: int = -1


def split_title(title: str) -> list[Word]:
    """Split a title into lower-case words and numbers.

    Examples
    --------
    >>> [word.text for word in split_title("Naïve Bayes &amp; <i>YOLOv8</i>")]
    ['naive', 'bayes', 'yolov', '8']
    >>> [word.is_after_opening for word in split_title("Kinerja (Studi Kasus)")]
    [False, True, False]
    """
    words: list[Word] = []
    breaks: set[str] = set()
    for piece in _PIECE.findall(_cleaned(title)):
        if piece[0].isalnum():
            is_broken = bool(breaks - {"/", "."})
            brackets = "(" in breaks, ")" in breaks
            words.append(Word(piece, is_broken, *brackets, breaks == {"."}, len(words)))
            breaks = set()
        else:
            breaks.add(piece)
    return words


def tokenize(title: str) -> list[str]:
    """Return the texts of `split_title`.

    Examples
    --------
    >>> tokenize("Judul 2: E-Learning di S.M.A.")
    ['e', 'learning', 'di', 'sma']
    """
    return [word.text for word in split_title(title)]


def _cleaned(title: str) -> str:
    text = html.unescape(_TAG.sub(" ", title))
    for part in (_LABEL, _NUMBERING, _HEADING, _TRAILER, _STUDENT_NUMBER):
        shorter = part.sub(" ", text)
        text = shorter if _LETTERS.search(shorter) else text  # Never empty a title.
    text = _APOSTROPHE.sub("", text)
    text = _AND.sub("n", text)
    text = _INITIALS.sub(lambda match: match[0].replace(".", "") + " ", text)
    return _INVISIBLE.sub("", unicodedata.normalize("NFKD", text.casefold()))


@cache
def spellings() -> Mapping[str, str]:
    """Return the standard spelling of each listed misspelling and spelling variant.

    Examples
    --------
    >>> spellings()["analisa"]
    'analisis'
    """
    with SPELLINGS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["written"]: row["standard"] for row in csv.DictReader(stream)}


@cache
def stem_exceptions() -> Mapping[str, str]:
    """Return the right stem of each word whose Sastrawi stem is wrong.

    Examples
    --------
    >>> stem_exceptions()["peramalan"]
    'ramal'
    """
    with STEMS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["word"]: row["stem"] for row in csv.DictReader(stream)}


def corrected_stem(word: str) -> str:
    """Stem a word with Sastrawi, with `stem_exceptions`.

    Examples
    --------
    >>> corrected_stem("peramalan"), corrected_stem("pengelompokan"), corrected_stem("kemasan")
    ('ramal', 'kelompok', 'kemasan')
    """
    return stem_exceptions().get(word) or (stem_word(word) if word.isalpha() else word)


def is_dictionary_word(word: str) -> bool:
    """Tell whether a word, or its stem, is in a dictionary.

    Examples
    --------
    >>> is_dictionary_word("kelompokkan"), is_dictionary_word("kelompk")
    (True, False)
    """
    return (
        not word.isalpha()
        or word in FUNCTION_WORDS
        or word in stem_exceptions()
        or is_root_word(word)
        or is_root_word(stem_word(word))
    )


def standard_words(title: str, places: Container[str] = frozenset()) -> list[Word]:
    """Return the words of a title in standard spelling, Roman numerals as numbers.

    Parameters
    ----------
    places : container of str
        Names from which a leading *di* is split off.

    Examples
    --------
    >>> [word.text for word in standard_words("Analisa Siswa Kelas VIII disleman", {"sleman"})]
    ['analisis', 'siswa', 'kelas', '8', 'di', 'sleman']
    """
    result: list[Word] = []
    for word in split_title(title):
        text = word.text
        if text in _ROMAN and (len(text) > 1 or (result and result[-1].text in _NUMBERED)):
            text = _ROMAN[text]
        elif text.startswith("di") and text[2:] in places and not is_dictionary_word(text):
            result.append(word._replace(text="di"))
            word, text = Word(text[2:], source=word.source), text[2:]
        standard = str(int(text)) if text.isdecimal() else spellings().get(text, text)
        first, *others = standard.split()
        result.append(word._replace(text=first))
        result += [Word(other, source=word.source) for other in others]
    return result


def phrases_within(name: str) -> set[str]:
    """Return all shorter phrases within a phrase; a single word has none.

    Examples
    --------
    >>> sorted(phrases_within("kinerja guru honorer"))
    ['guru', 'guru honorer', 'honorer', 'kinerja', 'kinerja guru']
    """
    words = name.split()
    spans = combinations(range(len(words) + 1), 2)
    return {" ".join(words[start:stop]) for start, stop in spans if stop - start < len(words)}
