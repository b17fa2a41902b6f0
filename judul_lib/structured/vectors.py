"""Static vectors of words: what a word means when the lexicon does not know it.

``structured/resources/word_vectors.npz`` holds some 20,000 words and phrases with 128
numbers of one byte each; ``structured/resources/word_vectors.md`` says how they were made
and under which licence. Reading them needs numpy only.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judul_lib.study.preprocessing import stem_word

VECTORS_FILE = Path(__file__).parent / "resources" / "word_vectors.npz"
_MIN_SHARED_TRIGRAMS = 0.6


class WordVectors:
    """A table of unit vectors.

    Parameters
    ----------
    words : sequence of str, shape (n_words,)
        Words, and phrases joined by blanks, lower case.
    vectors : ndarray of float, shape (n_words, n_dimensions)
        Scaled to length 1 here.

    References
    ----------
    Tulkens, S., & van Dongen, T. (2024). *Model2Vec: Fast State-of-the-Art
    Static Embeddings*. Documentation of the package ``model2vec``.

    Examples
    --------
    >>> vectors = WordVectors.read()
    >>> siswa, murid, beton = vectors.embed(["siswa", "murid", "beton"])
    >>> bool(siswa @ murid > siswa @ beton)
    True
    """

    def __init__(self, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._row = {word: row for row, word in enumerate(words)}
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._found: dict[str, list[int]] = {}
        self._vectors = (vectors / np.maximum(norms, 1e-9)).astype(np.float32)

    @classmethod
    def read(cls, path: Path = VECTORS_FILE) -> "WordVectors":
        """Read a table as ``scripts/distill_vectors.py`` writes it."""
        with np.load(path, allow_pickle=False) as stored:
            words = stored["words"].tobytes().decode().split("\n")
            return cls(words, stored["vectors"].astype(np.float32))

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector a phrase, of length 1 to three decimals, or zeros for the unknown.

        A phrase that is not in the table is the mean of its words; a word that
        is not in it stands for its stem, and failing that for the words that
        share most of its letter triples.

        Returns
        -------
        ndarray of float32, shape (n, n_dimensions)
        """
        result = np.zeros((len(phrases), self._vectors.shape[1]), dtype=np.float32)
        for position, phrase in enumerate(phrases):
            row = self._row.get(phrase)
            if row is not None:
                result[position] = self._vectors[row]
                continue
            rows = [found for word in phrase.split() for found in self._rows_of(word)]
            if rows:
                mean = self._vectors[rows].mean(axis=0)
                result[position] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        # Multiples of 1/1024: sums of their products are then exact in any order, and so the same
        # on every processor.
        return (np.round(result * 1024) / 1024).astype(np.float32)

    def _rows_of(self, word: str) -> list[int]:
        if word not in self._found:
            self._found[word] = self._search(word)
        return self._found[word]

    def _search(self, word: str) -> list[int]:
        for form in (word, stem_word(word) if word.isalpha() else word):
            if form in self._row:
                return [self._row[form]]
        triples = _trigrams(word)
        shared: dict[int, int] = {}
        for triple in triples:
            for row in self._rows_by_trigram.get(triple, ()):
                shared[row] = shared.get(row, 0) + 1
        least = _MIN_SHARED_TRIGRAMS * len(triples)
        return sorted(row for row, count in shared.items() if count >= max(least, 3))[:3]

    @cached_property
    def _rows_by_trigram(self) -> dict[str, list[int]]:
        index: dict[str, list[int]] = {}
        for word, row in self._row.items():
            if " " not in word:
                for triple in _trigrams(word):
                    index.setdefault(triple, []).append(row)
        return index


def _trigrams(word: str) -> set[str]:
    marked = f"<{word}>"
    return {marked[i : i + 3] for i in range(len(marked) - 2)}
