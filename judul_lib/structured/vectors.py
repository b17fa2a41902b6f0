"""Static word vectors, for the nearness of words that the lexicon does not have.

``structured/resources/word_vectors.npz`` holds some 20,000 words and phrases with 128
dimensions of one byte each; ``word_vectors.md`` beside it says how they were made and under
which licence.
"""

from collections import Counter
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
        Scaled to length 1 by the constructor.

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
        self._vectors = (vectors / np.maximum(norms, 1e-9)).astype(np.float32)
        self._rows_of_word: dict[str, list[int]] = {}

    @classmethod
    def read(cls, path: Path = VECTORS_FILE) -> "WordVectors":
        """Read a table written by ``scripts/distill_vectors.py``."""
        with np.load(path, allow_pickle=False) as stored:
            words = stored["words"].tobytes().decode().split("\n")
            return cls(words, stored["vectors"].astype(np.float32))

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector a phrase, of length 1 to three decimals, or zeros if it is unknown.

        The vector of a phrase that is not in the table is the mean of its words. A word that is
        not in it is replaced by its stem, or else by up to three words that share most of its
        trigrams.

        Returns
        -------
        ndarray of float32, shape (n, n_dimensions)
        """
        result = np.zeros((len(phrases), self._vectors.shape[1]), dtype=np.float32)
        for position, phrase in enumerate(phrases):
            if phrase in self._row:
                result[position] = self._vectors[self._row[phrase]]
                continue
            rows = [row for word in phrase.split() for row in self._rows_of(word)]
            if rows:
                mean = self._vectors[rows].mean(axis=0)
                result[position] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        # Sums of products of multiples of 1/1024 are exact, so the same on every processor.
        return (np.round(result * 1024) / 1024).astype(np.float32)

    def _rows_of(self, word: str) -> list[int]:
        if word not in self._rows_of_word:
            self._rows_of_word[word] = self._find_rows(word)
        return self._rows_of_word[word]

    def _find_rows(self, word: str) -> list[int]:
        for form in (word, stem_word(word) if word.isalpha() else word):
            if form in self._row:
                return [self._row[form]]
        trigrams = _trigrams(word)
        shared = Counter(row for t in trigrams for row in self._rows_by_trigram.get(t, ()))
        min_shared = max(_MIN_SHARED_TRIGRAMS * len(trigrams), 3)
        return sorted(row for row, count in shared.items() if count >= min_shared)[:3]

    @cached_property
    def _rows_by_trigram(self) -> dict[str, list[int]]:
        index: dict[str, list[int]] = {}
        for word, row in self._row.items():
            if " " not in word:
                for trigram in _trigrams(word):
                    index.setdefault(trigram, []).append(row)
        return index


def _trigrams(word: str) -> set[str]:
    marked = f"<{word}>"
    return {marked[i : i + 3] for i in range(len(marked) - 2)}
