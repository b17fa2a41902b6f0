"""Preprocess titles to stems, and check and normalise titles.

The steps are the study's: lower case, letters only, no Indonesian stop words,
no tokens of one letter, and Sastrawi stems of the remaining words.
"""

import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from judul_lib.core.errors import CorpusError

STOP_WORDS = frozenset(
    "yang dan di ke dari pada untuk dengan sebagai atau oleh sebuah adalah seperti dalam antara "
    "karena guna tersebut terhadap sangat lebih memiliki dapat telah masih juga kami kita adanya "
    "sehingga bukan namun agar serta ini itu saja akan ada bila mana kurang hanya bagi "
    "sudah".split()
)
"""The study's stop words, dropped before stemming: *penggunaan* still becomes *guna*."""

MAX_CELL_LENGTH = 20_000
"""A longer text is not a title, and slow to compare."""

_NOT_A_LETTER = re.compile(r"[^a-z]+")
_SHEET_ERROR = re.compile(r"#(?:NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!|N/A|SPILL!|CALC!)")
# Of programming languages, platforms and search algorithms; a star after a longer word is a footnote.
_NAMED_SIGNS = {
    re.compile(r"(?<=[^\W_])[#♯]"): "sharp",
    re.compile(r"(?<=[^\W_])\s?\+\+"): "plusplus",
    re.compile(r"(?<!\w)\.(?=net\b)", re.IGNORECASE): "dot",
    re.compile(r"(?<=\b[ad])\*", re.IGNORECASE): "star",
}
_SIGNS = "#♯+.*"
_NO_ASCII_PUNCTUATION = {code: None for code in range(128) if not chr(code).isalnum()}
# No Indonesian word is longer; the stemmer's patterns are slow on very long words.
_MAX_WORD_LENGTH = 40


@cache
def _stemmer() -> Any:
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory  # Reads about 30,000 root words.

    # The outer stemmer only adds an unlimited cache; `stem_word` has a limited one.
    return StemmerFactory().create_stemmer().delegatedStemmer


@lru_cache(maxsize=200_000)
def stem_word(word: str) -> str:
    """Return the Sastrawi stem of a lower-case word.

    References
    ----------
    Asian, J. (2007). *Effective Techniques for Indonesian Text Retrieval*, and
    the Sastrawi documentation.

    Examples
    --------
    >>> stem_word("pengelompokan")
    'kelompok'
    """
    return word if len(word) > _MAX_WORD_LENGTH else _stemmer().stem(word)


def is_root_word(word: str) -> bool:
    """Tell whether Sastrawi's dictionary contains a word."""
    return bool(_stemmer().dictionary.contains(word))


def preprocess_titles(titles: Iterable[object]) -> list[str]:
    """Preprocess many titles.

    Parameters
    ----------
    titles : iterable of object
        Titles as typed; anything but a string counts as blank.

    Returns
    -------
    list of str
        The stems of each title joined by blanks.

    Examples
    --------
    >>> preprocess_titles(["Implementasi Algoritma Machine Learning untuk Prediksi", None])
    ['implementasi algoritma machine learning prediksi', '']
    """
    return [" ".join(_stem_words(_drop_stop_words(_split_words(title)))) for title in titles]


def title_key(title: str) -> str:
    """Normalise a title: equal keys mean equal up to case, blanks, punctuation and Unicode form.

    Signs that are part of a name are spelled out: *C++* is not *C*.

    Examples
    --------
    >>> title_key("Deteksi Hoaks: Studi-Kasus") == title_key(" deteksi hoaks, studi kasus")
    True
    >>> [title_key(name) for name in ("C", "C++", "C#", ".NET", "A*")]
    ['c', 'cplusplus', 'csharp', 'dotnet', 'astar']
    """
    text = unicodedata.normalize("NFKC", title)
    if any(sign in text for sign in _SIGNS):
        for sign, name in _NAMED_SIGNS.items():
            text = sign.sub(name, text)
    if text.isascii():  # The same as below, at a fifth of the time.
        return text.translate(_NO_ASCII_PUNCTUATION).lower()
    return re.sub(r"[\W_]+", "", text).casefold()


def pair_key(left: str, right: str) -> tuple[str, str]:
    """Return the keys of a pair of titles in sorted order; see `title_key`.

    Examples
    --------
    >>> pair_key("Deteksi Hoaks", "a") == pair_key("A", "deteksi  hoaks")
    True
    """
    first, second = sorted((title_key(left), title_key(right)))
    return first, second


def title_fault(cell: str) -> str | None:
    """Return in Indonesian why a cell of a file cannot be a title, or None if it can.

    Examples
    --------
    >>> title_fault(" "), title_fault("#REF!"), title_fault("Deteksi Hoaks")
    ('judul kosong', 'galat rumus #REF!', None)
    """
    if len(cell) > MAX_CELL_LENGTH:
        return f"judul lebih dari {MAX_CELL_LENGTH:,} huruf".replace(",", ".")
    text = cell.strip()
    if not text:
        return "judul kosong"
    return f"galat rumus {text}" if _SHEET_ERROR.fullmatch(text) else None


def preprocess_cells(cells: Sequence[str]) -> list[str]:
    """Preprocess cells of a file, shape (n,); the result is ``""`` also for a `title_fault`.

    Raises
    ------
    CorpusError
        A cell is not text.

    Examples
    --------
    >>> preprocess_cells(["#NAME?", "Deteksi Hoaks"])
    ['', 'deteksi hoaks']
    """
    require_titles(cells)
    return preprocess_titles(None if title_fault(cell) else cell for cell in cells)


def require_titles(titles: Sequence[str]) -> None:
    """Refuse anything but a list of titles.

    Raises
    ------
    CorpusError
        It is a single text, or contains something else than text.
    """
    if isinstance(titles, str):
        raise CorpusError("Yang diberikan satu teks, bukan daftar judul. Tulis di antara kurung siku.")
    for number, title in enumerate(titles, start=1):
        if not isinstance(title, str):
            raise CorpusError(
                f"Judul ke-{number} bukan teks, melainkan {title!r:.40}. Isi atau buang dulu."
            )


def warn_incomparable_titles(titles: Sequence[str]) -> None:
    """Warn of titles without a word to compare, whose answers mean nothing.

    Raises
    ------
    CorpusError
        A title is not text.
    """
    pairs = zip(titles, preprocess_cells(titles), strict=True)
    incomparable = [title for title, stems in pairs if not stems]
    if incomparable:
        warnings.warn(
            f"{len(incomparable)} judul (misalnya {incomparable[0]!r:.60}) kosong, terlalu panjang, "
            "atau tanpa kata Latin yang dapat dibandingkan; simpulan dan peluangnya tidak berarti.",
            stacklevel=3,
        )


def _split_words(title: object) -> list[str]:
    return _NOT_A_LETTER.sub(" ", title.lower()).split() if isinstance(title, str) else []


def _drop_stop_words(words: Iterable[str]) -> list[str]:
    return [word for word in words if len(word) > 1 and word not in STOP_WORDS]


def _stem_words(words: Iterable[str]) -> list[str]:
    return [stem for stem in map(stem_word, words) if len(stem) > 1]


def preprocessing_steps(title: str) -> dict[str, str]:
    """Return the title after each step of `preprocess_text`, by the step's Indonesian name.

    Examples
    --------
    >>> list(preprocessing_steps("Peramalan Harga di Pasar").values())[-2:]
    ['peramalan harga pasar', 'amal harga pasar']
    """
    words = _split_words(title)
    content_words = _drop_stop_words(words)
    return {
        "judul seperti ditulis": title,
        "huruf kecil, hanya huruf": " ".join(words),
        "tanpa kata umum dan huruf tunggal": " ".join(content_words),
        "kata dasar (Sastrawi)": " ".join(_stem_words(content_words)),
    }


def preprocess_text(text: object) -> str:
    """Preprocess one title; see `preprocess_titles`.

    Examples
    --------
    >>> preprocess_text("Implementasi ML")
    'implementasi ml'
    >>> preprocess_text(None)
    ''
    """
    return preprocess_titles([text])[0]
