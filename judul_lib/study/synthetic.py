"""Synthetic catalogues of any size, for benchmarks and not for training.

Titles of the project are cut before words that open a part (*menggunakan*, *di*,
*untuk*). The beginning of one title, the method of a second and the place or
purpose of a third make a new one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.errors import CorpusError
from judul_lib.study.corpus import read_table

SOURCES: Mapping[str, tuple[str, ...]] = {
    "dataset_TA.csv": (TITLE_COLUMN,),
    "gold_pairs.csv": ("judul_a", "judul_b"),
}
"""The project's files of titles, and their columns of titles."""

_METHOD = frozenset(
    "menggunakan memakai dengan berbasis melalui memanfaatkan berbantuan lewat using with".split()
)
_PLACE = frozenset("di pada untuk terhadap bagi dalam antara for in at on".split())
_NOT_IN_KEY = re.compile(r"[\W_]+")
_MIN_WORD_LENGTH = 5
# Above this share of all combinations, drawing new titles would become slow.
_MAX_DRAWN_SHARE = 0.5


@dataclass(frozen=True)
class TitlePieces:
    """Parts of titles; those of one kind differ by more than case and punctuation.

    Attributes
    ----------
    heads, methods, places : list of str
        Beginning of a title, its method, and its place or purpose.
    """

    heads: list[str]
    methods: list[str]
    places: list[str]

    @property
    def n_combinations(self) -> int:
        """Number of titles that can be combined."""
        return len(self.heads) * len(self.methods) * len(self.places)


@dataclass(frozen=True)
class SyntheticCatalogue:
    """A synthetic catalogue and its near-duplicates.

    Attributes
    ----------
    titles : list of str, shape (n,)
    pairs : ndarray of int, shape (n_pairs, 2)
        Rows of a title and of its near-duplicate. All other titles differ
        by more than case and punctuation.
    kinds : list of str, shape (n_pairs,)
        Kind of each near-duplicate, one of `KINDS`.
    """

    titles: list[str]
    pairs: NDArray[np.int64]
    kinds: list[str]


def read_pieces(data: str | Path) -> TitlePieces:
    """Cut the titles of the `SOURCES` in a folder into pieces.

    Raises
    ------
    CorpusError
        A file is missing or not a table.
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
    mixed_case = (word for title in titles if not title.isupper() for word in title.split())
    spellings = {word.lower(): word for word in mixed_case if not word.islower()}
    heads, methods, places = dict[str, str](), dict[str, str](), dict[str, str]()
    for title in titles:
        for piece in _cut(title):
            opener = piece[0].lower()
            pieces = methods if opener in _METHOD else places if opener in _PLACE else heads
            text = " ".join(_restore_case(word.lower(), spellings) for word in piece)
            pieces.setdefault(_key(text), text)
    return TitlePieces(list(heads.values()), list(methods.values()), list(places.values()))


def _cut(title: str) -> Iterator[list[str]]:
    piece: list[str] = []
    for word in title.split():
        if _is_opener(word) and piece and not _is_opener(piece[-1]):
            yield piece
            piece = []
        piece.append(word)
    if piece:
        yield piece


def _is_opener(word: str) -> bool:
    return word.lower() in _METHOD or word.lower() in _PLACE


def _restore_case(word: str, spellings: Mapping[str, str]) -> str:
    if _is_opener(word) or word in ("dan", "yang"):
        return word
    return spellings.get(word, word.capitalize())


def _key(text: str) -> str:
    """Normalise a text; unlike with `title_key`, joined texts have joined keys."""
    return _NOT_IN_KEY.sub("", text).casefold()


def synthetic_titles(
    n: int, *, seed: int, near_duplicates: float = 0.01, data: str | Path = "data"
) -> SyntheticCatalogue:
    """Make a catalogue; the same arguments always give the same one.

    Parameters
    ----------
    n : int
        Number of titles, including near-duplicates.
    seed : int
    near_duplicates : float
        Share of near-duplicates (see `KINDS`), 0 to 0.5. No title is copied twice.
    data : path
        Folder with the `SOURCES`.

    Raises
    ------
    CorpusError
        A file is missing or not a table, or there are too few pieces for so many titles.
    """
    if not 0 <= near_duplicates <= 0.5:
        raise ValueError(f"near_duplicates = {near_duplicates}")
    pieces, rng = read_pieces(data), np.random.default_rng(seed)
    n_copies = round(n * near_duplicates)
    max_titles = int(_MAX_DRAWN_SHARE * pieces.n_combinations)
    if n - n_copies > max_titles:
        raise CorpusError(f"Potongan judul di {data} hanya cukup untuk {max_titles} judul.")
    titles, keys = _combine(n - n_copies, pieces, rng)
    sources = rng.choice(len(titles), n_copies, replace=False)
    kinds = []
    for source, kind in zip(sources.tolist(), rng.integers(len(KINDS), size=n_copies), strict=True):
        copy, name = _make_near_duplicate(titles[source], int(kind), keys, rng)
        titles.append(copy)
        kinds.append(name)
    order = rng.permutation(n)
    position = np.argsort(order)
    pairs = np.column_stack([position[sources], position[n - n_copies :]])
    return SyntheticCatalogue([titles[row] for row in order.tolist()], pairs, kinds)


def _combine(n: int, pieces: TitlePieces, rng: np.random.Generator) -> tuple[list[str], set[str]]:
    """Return *n* titles and their keys."""
    parts = [
        [(text, _key(text)) for text in texts] for texts in (pieces.heads, pieces.methods, pieces.places)
    ]
    titles: list[str] = []
    keys: set[str] = set()
    while len(titles) < n:
        rows = (rng.integers(len(part), size=n - len(titles)).tolist() for part in parts)
        for a, b, c in zip(*rows, strict=True):
            texts, part_keys = zip(parts[0][a], parts[1][b], parts[2][c], strict=True)
            key = "".join(part_keys)
            if key not in keys:
                keys.add(key)
                titles.append(" ".join(texts))
    return titles, keys


def _make_near_duplicate(
    title: str, kind: int, keys: set[str], rng: np.random.Generator
) -> tuple[str, str]:
    """Return a near-duplicate with a new key, and its kind: the given one or a later one."""
    for name in [*KINDS][kind:]:
        copy = KINDS[name](title.split(), rng)
        key = _key(copy)
        if key not in keys:
            keys.add(key)
            return copy, name
    return copy, name  # The last kind keeps the key.


def _add_typo(words: list[str], rng: np.random.Generator) -> str:
    """Drop, double or swap a letter inside a word."""
    long = [row for row, word in enumerate(words) if len(word) >= _MIN_WORD_LENGTH and word.isalpha()]
    row = long[rng.integers(len(long))] if long else 0
    word = words[row]
    at = int(rng.integers(1, max(2, len(word) - 1)))
    typos = (
        word[:at] + word[at + 1 :],
        word[: at + 1] + word[at:],
        word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    )
    words[row] = typos[rng.integers(len(typos))]
    return " ".join(words)


def _swap_words(words: list[str], rng: np.random.Generator) -> str:
    at = int(rng.integers(len(words) - 1))
    words[at : at + 2] = words[at : at + 2][::-1]
    return " ".join(words)


def _drop_word(words: list[str], rng: np.random.Generator) -> str:
    del words[rng.integers(len(words))]
    return " ".join(words)


def _capitalize(words: list[str], rng: np.random.Generator) -> str:
    """Write in capitals with a full stop, quotation marks or a colon."""
    text, at = " ".join(words), int(rng.integers(1, len(words)))
    with_colon = f"{' '.join(words[:at])}: {' '.join(words[at:])}"
    choices = (f"{text}.", f"“{text}”", with_colon)
    return choices[rng.integers(len(choices))].upper()


KINDS: Mapping[str, Callable[[list[str], np.random.Generator], str]] = {
    "satu salah ketik": _add_typo,
    "dua kata bertukar": _swap_words,
    "satu kata hilang": _drop_word,
    "huruf besar dan tanda baca lain": _capitalize,
}
"""How a near-duplicate may differ, and the function that makes it."""
