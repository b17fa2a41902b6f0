"""From a title as typed to the stemmed words that the models compare.

The steps are the study's: lower case, letters only, Indonesian stop words out,
tokens of one letter out, and the Sastrawi stemmer on each word that is left.
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
"""The study's stop words. They are dropped before stemming: *penggunaan* still becomes *guna*."""

MAX_CELL_LENGTH = 20_000
"""A longer text is no title but a mistake; two of a million letters take long to compare."""

_NOT_A_LETTER = re.compile(r"[^a-z]+")
_SHEET_ERROR = re.compile(r"#(?:NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!|N/A|SPILL!|CALC!)")
# Of languages, platforms and search algorithms; a star behind a longer word is a footnote's.
_NAMED_SIGNS = {
    re.compile(r"(?<=[^\W_])[#♯]"): "sharp",
    re.compile(r"(?<=[^\W_])\s?\+\+"): "plusplus",
    re.compile(r"(?<!\w)\.(?=net\b)", re.IGNORECASE): "dot",
    re.compile(r"(?<=\b[ad])\*", re.IGNORECASE): "star",
}
# No Indonesian word is this long; the stemmer's patterns are slow on endless ones.
_MAX_WORD_LENGTH = 40


@cache
def _stemmer() -> Any:
    # Imported on first use: the dictionary of about 30,000 root words is read here.
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    # The factory's outer stemmer only adds a cache without a limit; ours has one.
    return StemmerFactory().create_stemmer().delegatedStemmer


@lru_cache(maxsize=200_000)
def stem_word(word: str) -> str:
    """Return the Sastrawi stem of one lower-case word; each distinct word is stemmed once.

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
    """Tell whether Sastrawi's dictionary has a word.

    Examples
    --------
    >>> is_root_word("kelompok"), is_root_word("kelompk")
    (True, False)
    """
    return bool(_stemmer().dictionary.contains(word))


def preprocess_titles(titles: Iterable[object]) -> list[str]:
    """Preprocess many titles.

    Parameters
    ----------
    titles : iterable of object
        Titles as typed. What is not a string counts as blank.

    Returns
    -------
    list of str
        One string of stems joined by blanks for each title, ``""`` where
        nothing is left.

    Examples
    --------
    >>> preprocess_titles(["Implementasi Algoritma Machine Learning untuk Prediksi", None])
    ['implementasi algoritma machine learning prediksi', '']
    """
    return [" ".join(_stems(_kept(_words(title)))) for title in titles]


def title_key(title: str) -> str:
    """Return what titles share that are the same but for case, blanks, punctuation and encoding.

    Signs that are part of a name are read out: *C++* is not *C*.

    Examples
    --------
    >>> title_key("Deteksi Hoaks: Studi-Kasus") == title_key(" deteksi hoaks, studi kasus")
    True
    >>> [title_key(name) for name in ("C", "C++", "C#", ".NET", "A*")]
    ['c', 'cplusplus', 'csharp', 'dotnet', 'astar']
    """
    text = unicodedata.normalize("NFKC", title)
    for sign, name in _NAMED_SIGNS.items():
        text = sign.sub(name, text)
    return re.sub(r"[\W_]+", "", text).casefold()


def pair_key(left: str, right: str) -> tuple[str, str]:
    """Return what a pair of titles is known by: their keys, in whatever order they are given.

    Examples
    --------
    >>> pair_key("Deteksi Hoaks", "a") == pair_key("A", "deteksi  hoaks")
    True
    """
    first, second = sorted((title_key(left), title_key(right)))
    return first, second


def title_fault(cell: str) -> str | None:
    """Return in Indonesian why the cell of a file holds no title, or None where it may.

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
    """Preprocess the titles of a file; see `preprocess_titles`.

    Parameters
    ----------
    cells : sequence of str, shape (n,)

    Returns
    -------
    list of str, shape (n,)
        ``""`` also where a cell holds no title; see `title_fault`.

    Raises
    ------
    CorpusError
        A cell is no text.

    Examples
    --------
    >>> preprocess_cells(["#NAME?", "Deteksi Hoaks"])
    ['', 'deteksi hoaks']
    """
    require_titles(cells)
    return preprocess_titles(None if title_fault(cell) else cell for cell in cells)


def require_titles(titles: Sequence[str]) -> None:
    """Refuse what is no list of titles.

    Raises
    ------
    CorpusError
        It is one text, or something among it is none.

    Examples
    --------
    >>> require_titles(["Deteksi Hoaks"])
    """
    if isinstance(titles, str):
        raise CorpusError("Yang diberikan satu teks, bukan daftar judul. Tulis di antara kurung siku.")
    for number, title in enumerate(titles, start=1):
        if not isinstance(title, str):
            raise CorpusError(
                f"Judul ke-{number} bukan teks, melainkan {title!r:.40}. Isi atau buang dulu."
            )


def warn_incomparable_titles(titles: Sequence[str]) -> None:
    """Warn of titles in which there is nothing to compare: an answer says nothing of them.

    Raises
    ------
    CorpusError
        One of them is no text.

    Examples
    --------
    >>> warn_incomparable_titles(["Deteksi Hoaks"])
    """
    unread = [title for title, stems in zip(titles, preprocess_cells(titles), strict=True) if not stems]
    if unread:
        warnings.warn(
            f"{len(unread)} judul (misalnya {unread[0]!r:.60}) kosong, terlalu panjang, atau tanpa "
            "kata Latin yang dapat dibandingkan; simpulan dan peluangnya tidak berarti.",
            stacklevel=3,
        )


def _words(title: object) -> list[str]:
    return _NOT_A_LETTER.sub(" ", title.lower()).split() if isinstance(title, str) else []


def _kept(words: Iterable[str]) -> list[str]:
    return [word for word in words if len(word) > 1 and word not in STOP_WORDS]


def _stems(words: Iterable[str]) -> list[str]:
    return [stem for stem in map(stem_word, words) if len(stem) > 1]


def preprocessing_steps(title: str) -> dict[str, str]:
    """Show what each step makes of one title; the last step is `preprocess_text`.

    Returns
    -------
    dict of str to str
        Name of the step (in Indonesian) to the title after it.

    Examples
    --------
    >>> list(preprocessing_steps("Peramalan Harga di Pasar").values())[-2:]
    ['peramalan harga pasar', 'amal harga pasar']
    """
    words = _words(title)
    kept = _kept(words)
    return {
        "judul seperti ditulis": title,
        "huruf kecil, hanya huruf": " ".join(words),
        "tanpa kata umum dan huruf tunggal": " ".join(kept),
        "kata dasar (Sastrawi)": " ".join(_stems(kept)),
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
