"""The order of results, and the best rows so far while a corpus is searched."""

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
    """The best rows of a corpus so far, in the order of `ranking`.

    Parameters
    ----------
    k : int
        Maximum number of rows, at least 1.
    min_probability : float

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Best first.
    probability : ndarray of float, shape (n,)
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.study.features.FEATURES`.
    worst : tuple of float
        Probability, cosine and Levenshtein ratio that a new row must reach: those of
        row *k*, or `min_probability` while there are fewer.
    n_scored : int
        Number of rows offered.

    Examples
    --------
    >>> top, features = TopRows(1), np.ones((2, len(FEATURES)))
    >>> top.offer(np.array([7, 8]), np.array([0.2, 0.9]), features)
    >>> top.rows.tolist(), top.may_enter(np.array([0.5]), np.ones(1), np.ones(1)).tolist()
    ([8], [False])
    """

    def __init__(self, k: int, min_probability: float = -np.inf) -> None:
        self._k, self._lock = k, Lock()
        self.rows: NDArray[np.integer] = np.empty(0, dtype=np.int64)
        self.probability, self.features = np.empty(0), np.empty((0, len(FEATURES)))
        self.worst = (min_probability, -np.inf, -np.inf)
        self.n_scored = 0

    def accept_all(self) -> bool:
        """Drop the minimum probability if there are fewer rows than wanted; tell whether there are."""
        has_space = len(self.rows) < self._k
        if has_space:
            self.worst = (-np.inf, -np.inf, -np.inf)
        return has_space

    def may_enter(
        self, probability: FloatArray, cosine: FloatArray, levenshtein: FloatArray
    ) -> BoolArray:
        """Tell which rows can be among the best, given their scores or upper bounds, shape (n,).

        Rows with probability ``-inf`` cannot.
        """
        worst_probability, worst_cosine, worst_levenshtein = self.worst
        is_tied = probability == worst_probability
        may_enter: BoolArray = probability > worst_probability
        may_enter |= is_tied & (cosine > worst_cosine)
        may_enter |= is_tied & (cosine == worst_cosine) & (levenshtein >= worst_levenshtein)
        return may_enter & (probability > -np.inf)

    def offer(self, rows: NDArray[np.integer], probability: FloatArray, features: FloatArray) -> None:
        """Add rows with their scores if they are among the best; thread-safe.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
        probability : ndarray of float, shape (n,)
        features : ndarray of float, shape (n, n_features)
        """
        with self._lock:
            self.n_scored += len(rows)
            may_enter = self.may_enter(probability, features[:, _COSINE], features[:, _LEVENSHTEIN])
            rows = np.concatenate([self.rows, rows[may_enter]])
            probability = np.concatenate([self.probability, probability[may_enter]])
            features = np.concatenate([self.features, features[may_enter]])
            best = ranking(features, probability, rows)[: self._k]
            self.rows, self.probability, self.features = rows[best], probability[best], features[best]
            if len(best) >= self._k:
                p, last = self.probability[self._k - 1], self.features[self._k - 1]
                self.worst = float(p), float(last[_COSINE]), float(last[_LEVENSHTEIN])
