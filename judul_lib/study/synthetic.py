"""Catalogues of any size, recombined from the project's own titles: to measure with, not to learn from.

A title is cut before the words that open a part (*menggunakan*, *di*, *untuk*).
The beginning of one title, the method of a second and the place or purpose of a
third make a new one. It reads like a thesis title and is the title of no study.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.errors import CorpusError
from judul_lib.core.tables import TITLE_COLUMN
from judul_lib.study.corpus import read_table

SOURCES: Mapping[str, tuple[str, ...]] = {
    "dataset_TA.csv": (TITLE_COLUMN,),
    "gold_pairs.csv": ("judul_a", "judul_b"),
}
"""The project's files of titles and their columns."""

_METHOD = frozenset(
    "menggunakan memakai dengan berbasis melalui memanfaatkan berbantuan lewat using with".split()
)
_PLACE = frozenset("di pada untuk terhadap bagi dalam antara for in at on".split())
_NO_KEY = re.compile(r"[\W_]+")
_MIN_WORD_LENGTH = 5
# Drawing new titles takes long when few are left that have not been drawn.
_MAX_DRAWN_SHARE = 0.5


@dataclass(frozen=True)
class TitlePieces:
    """What titles are made of; every piece differs from the others by more than case and punctuation.

    Attributes
    ----------
    heads, methods, places : list of str
        What a title begins with, how it was done, and where or what for.
    """

    heads: list[str]
    methods: list[str]
    places: list[str]

    @property
    def n_combinations(self) -> int:
        """How many titles can be put together."""
        return len(self.heads) * len(self.methods) * len(self.places)


@dataclass(frozen=True)
class SyntheticCatalogue:
    """A catalogue that was put together, and what is known of it.

    Attributes
    ----------
    titles : list of str, shape (n,)
    pairs : ndarray of int, shape (n_pairs, 2)
        Rows of a title and of its near-duplicate. All other titles differ
        by more than case and punctuation.
    kinds : list of str, shape (n_pairs,)
        How each near-duplicate differs, one of `KINDS`.
    """

    titles: list[str]
    pairs: NDArray[np.int64]
    kinds: list[str]


def read_pieces(data: str | Path) -> TitlePieces:
    """Cut the project's own titles into pieces.

    Parameters
    ----------
    data : path
        The project's folder of data, with the files of `SOURCES`.

    Raises
    ------
    CorpusError
        A file is missing or no table.
    """
    titles: list[str] = []
    for name, columns in SOURCES.items():
        frame = read_table(Path(data) / name)
        for column in columns:
            titles += frame[column].tolist()
    return cut_titles(titles)


def cut_titles(titles: Sequence[str]) -> TitlePieces:
    """Cut titles into pieces.

    Examples
    --------
    >>> cut_titles(["PREDIKSI HARGA BERAS MENGGUNAKAN LSTM DI KOTA MEDAN"])
    TitlePieces(heads=['Prediksi Harga Beras'], methods=['menggunakan Lstm'], places=['di Kota Medan'])
    """
    mixed = (word for title in titles if not title.isupper() for word in title.split())
    written = {word.lower(): word for word in mixed if not word.islower()}
    kinds: tuple[dict[str, str], ...] = ({}, {}, {})
    for title in titles:
        for piece in _cut(title):
            opener = piece[0].lower()
            found = kinds[1 if opener in _METHOD else 2 if opener in _PLACE else 0]
            text = " ".join(_cased(word.lower(), written) for word in piece)
            found.setdefault(_key(text), text)
    heads, methods, places = (list(found.values()) for found in kinds)
    return TitlePieces(heads, methods, places)


def _cut(title: str) -> Iterator[list[str]]:
    piece: list[str] = []
    for word in title.split():
        if _opens(word) and piece and not _opens(piece[-1]):
            yield piece
            piece = []
        piece.append(word)
    if piece:
        yield piece


def _opens(word: str) -> bool:
    return word.lower() in _METHOD or word.lower() in _PLACE


def _cased(word: str, written: Mapping[str, str]) -> str:
    return word if _opens(word) or word in ("dan", "yang") else written.get(word, word.capitalize())


def _key(text: str) -> str:
    """Return what two titles that differ only in case, blanks and punctuation have in common."""
    return _NO_KEY.sub("", text).casefold()


def synthetic_titles(
    n: int, *, seed: int, near_duplicates: float = 0.01, data: str | Path = "data"
) -> SyntheticCatalogue:
    """Put a catalogue together; the same arguments always give the same one.

    Parameters
    ----------
    n : int
        Number of titles, near-duplicates among them.
    seed : int
    near_duplicates : float
        Share of the titles that are copies of another one with one typing
        error, two words swapped, one word left out, or in capitals with other
        punctuation. No title is copied twice.
    data : path
        The project's folder of data.

    Raises
    ------
    CorpusError
        A file is missing or no table, or there are too few pieces for so many titles.
    """
    if not 0 <= near_duplicates <= 0.5:
        raise ValueError(f"near_duplicates = {near_duplicates}")
    pieces, random = read_pieces(data), np.random.default_rng(seed)
    n_copies = round(n * near_duplicates)
    most = int(_MAX_DRAWN_SHARE * pieces.n_combinations)
    if n - n_copies > most:
        raise CorpusError(f"Potongan judul di {data} hanya cukup untuk {most} judul.")
    titles, seen = _combined(n - n_copies, pieces, random)
    sources = random.choice(len(titles), n_copies, replace=False)
    kinds = []
    for source, kind in zip(sources.tolist(), random.integers(len(KINDS), size=n_copies), strict=True):
        copy, name = _copied(titles[source], int(kind), seen, random)
        titles.append(copy)
        kinds.append(name)
    order = random.permutation(n)
    place = np.argsort(order)
    pairs = np.column_stack([place[sources], place[n - n_copies :]])
    return SyntheticCatalogue([titles[row] for row in order.tolist()], pairs, kinds)


def _combined(n: int, pieces: TitlePieces, random: np.random.Generator) -> tuple[list[str], set[str]]:
    """Return *n* titles and the key of each."""
    parts = [
        [(text, _key(text)) for text in kind] for kind in (pieces.heads, pieces.methods, pieces.places)
    ]
    titles: list[str] = []
    seen: set[str] = set()
    while len(titles) < n:
        drawn = (random.integers(len(part), size=n - len(titles)).tolist() for part in parts)
        for rows in zip(*drawn, strict=True):
            (head, a), (method, b), (place, c) = (
                part[row] for part, row in zip(parts, rows, strict=True)
            )
            key = a + b + c
            if key not in seen:
                seen.add(key)
                titles.append(f"{head} {method} {place}")
    return titles, seen


def _copied(title: str, kind: int, seen: set[str], random: np.random.Generator) -> tuple[str, str]:
    """Return a near-duplicate that is not yet there, and its kind."""
    for name in [*KINDS][kind:]:
        copy = KINDS[name](title, random)
        key = _key(copy)
        if key not in seen:
            seen.add(key)
            return copy, name
    return copy, name  # The last kind changes no letter.


def _mistyped(title: str, random: np.random.Generator) -> str:
    """Leave out, double or swap a letter inside a word."""
    words = title.split()
    long = [row for row, word in enumerate(words) if len(word) >= _MIN_WORD_LENGTH and word.isalpha()]
    row = long[random.integers(len(long))] if long else 0
    word = words[row]
    at = int(random.integers(1, max(2, len(word) - 1)))
    changed = (
        word[:at] + word[at + 1 :],
        word[: at + 1] + word[at:],
        word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    )
    words[row] = changed[random.integers(len(changed))]
    return " ".join(words)


def _swapped(title: str, random: np.random.Generator) -> str:
    words = title.split()
    at = int(random.integers(len(words) - 1))
    words[at : at + 2] = words[at : at + 2][::-1]
    return " ".join(words)


def _shortened(title: str, random: np.random.Generator) -> str:
    words = title.split()
    del words[random.integers(len(words))]
    return " ".join(words)


def _capitals(title: str, random: np.random.Generator) -> str:
    """Write in capitals with a full stop, quotation marks, or a colon within."""
    words = title.upper().split()
    at = int(random.integers(1, len(words)))
    colon = [*words[: at - 1], f"{words[at - 1]}:", *words[at:]]
    choices = (f"{' '.join(words)}.", f"“{' '.join(words)}”", " ".join(colon))
    return choices[random.integers(len(choices))]


KINDS: Mapping[str, Callable[[str, np.random.Generator], str]] = {
    "satu salah ketik": _mistyped,
    "dua kata bertukar": _swapped,
    "satu kata hilang": _shortened,
    "huruf besar dan tanda baca lain": _capitals,
}
"""How a near-duplicate may differ, and what makes it."""
