"""The order in which titles are shown, and the best of them while a corpus is searched."""

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import BoolArray, FloatArray, Rows
from judul_lib.study.features import FEATURES

_COSINE, _LEVENSHTEIN = (list(FEATURES).index(name) for name in ("cosine", "levenshtein"))


def ranking(
    features: FloatArray, probability: FloatArray, rows: NDArray[np.integer] | None = None
) -> Rows:
    """Return the order by probability, then cosine, then Levenshtein ratio, then row; shape (n,).

    Examples
    --------
    >>> features = np.array([[0.2, 0.0, 0.9], [0.7, 0.0, 0.1], [0.7, 0.0, 0.3]])
    >>> ranking(features, np.array([0.9, 0.5, 0.5])).tolist()
    [0, 2, 1]
    """
    keys = -features[:, _LEVENSHTEIN], -features[:, _COSINE], -probability
    return np.lexsort(keys if rows is None else (rows, *keys))


class TopRows:
    """The best rows of a corpus found so far, in the order of `ranking`.

    Parameters
    ----------
    k : int
        How many are wanted, at least 1.
    least : float
        Least probability of a row that is wanted.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Best first.
    probability : ndarray of float, shape (n,)
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.study.features.FEATURES`.
    worst : tuple of float
        Probability, cosine and Levenshtein ratio of the last of *k* rows; a row that is to follow
        must not be below it. ``-inf`` while there are fewer.
    n_scored : int
        How many rows were offered.

    Examples
    --------
    >>> top, features = TopRows(1), np.ones((2, len(FEATURES)))
    >>> top.offer(np.array([7, 8]), np.array([0.2, 0.9]), features)
    >>> top.rows.tolist(), top.may_enter(np.array([0.5]), np.ones(1), np.ones(1)).tolist()
    ([8], [False])
    """

    def __init__(self, k: int, least: float = -np.inf) -> None:
        self._k, self._lock = k, Lock()
        self.rows: NDArray[np.integer] = np.empty(0, dtype=np.int64)
        self.probability, self.features = np.empty(0), np.empty((0, len(FEATURES)))
        self.worst = (least, -np.inf, -np.inf)
        self.n_scored = 0

    def may_enter(
        self, probability: FloatArray, cosine: FloatArray, levenshtein: FloatArray
    ) -> BoolArray:
        """Tell which rows can be among the best, given their scores or upper bounds, shape (n,).

        A probability of ``-inf`` never can.
        """
        least, c, ratio = self.worst
        level = probability == least
        may: BoolArray = probability > least
        may |= level & ((cosine > c) | ((cosine == c) & (levenshtein >= ratio)))
        return may & (probability > -np.inf)

    def offer(self, rows: NDArray[np.integer], probability: FloatArray, features: FloatArray) -> None:
        """Take in rows with their scores; several threads may.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
        probability : ndarray of float, shape (n,)
        features : ndarray of float, shape (n, n_features)
        """
        with self._lock:
            self.n_scored += len(rows)
            wanted = self.may_enter(probability, features[:, _COSINE], features[:, _LEVENSHTEIN])
            rows = np.concatenate([self.rows, rows[wanted]])
            probability = np.concatenate([self.probability, probability[wanted]])
            features = np.concatenate([self.features, features[wanted]])
            best = ranking(features, probability, rows)[: self._k]
            self.rows, self.probability, self.features = rows[best], probability[best], features[best]
            if len(best) >= self._k:
                p, last = self.probability[self._k - 1], self.features[self._k - 1]
                self.worst = float(p), float(last[_COSINE]), float(last[_LEVENSHTEIN])
