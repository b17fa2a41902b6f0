"""What a check returns: corpus titles with their scores and labels, best first."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.features import FEATURES, FloatArray
from judul_lib.settings import ASK, DECISION_THRESHOLD, DIFFERENT, SIMILAR

RESULT_COLUMNS = ("judul_ref", *FEATURES, "rf_probability", "rf_label")
REMARK_COLUMN = "penjelasan"
ELSEWHERE_REMARK = "penelitian serupa di tempat lain"
_COSINE, _LEVENSHTEIN = (list(FEATURES).index(name) for name in ("cosine", "levenshtein"))


@dataclass(frozen=True)
class Matches:
    """Corpus titles compared with one query, best first.

    Attributes
    ----------
    titles : list of str, shape (n,)
        Corpus titles.
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.features.FEATURES`.
    probability : ndarray of float, shape (n,)
        ``rf_probability`` in [0, 1].
    threshold : float
        Probability from which a title counts as similar.
    shared : list of str, shape (n,) or (0,)
        What each title shares with the query, field by field, where the model
        can tell.
    without_place : ndarray of float, shape (n,) or (0,)
        The probability if neither title named its place; 0 where the two do
        not name two places or are plainly different otherwise. Empty where the model knows no places.
    elsewhere_label : str
        Label of the same study in another place.

    Examples
    --------
    >>> found = Matches(["Deteksi Hoaks"], np.array([[0.9, 0.8, 0.7]]), np.array([0.6]), threshold=0.5)
    >>> found.labels, found.at(0.7).labels
    (['MIRIP'], ['TIDAK MIRIP'])
    """

    titles: list[str]
    features: FloatArray
    probability: FloatArray
    threshold: float
    shared: list[str] = field(default_factory=list)
    without_place: FloatArray = field(default_factory=lambda: np.empty(0))
    elsewhere_label: str = ASK

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def elsewhere(self) -> list[bool]:
        """Which titles are the same study in another place, shape (n,)."""
        if not len(self.without_place):
            return [False] * len(self)
        return ((self.without_place > 0) & (self.without_place >= self.threshold)).tolist()

    @property
    def labels(self) -> list[str]:
        """``rf_label`` of each title, shape (n,)."""
        return [
            self.elsewhere_label if is_elsewhere else label(p, self.threshold)
            for p, is_elsewhere in zip(self.probability, self.elsewhere, strict=True)
        ]

    @property
    def remarks(self) -> list[str]:
        """What can be told of each title, shape (n,), or nothing at all."""
        return [
            f"{ELSEWHERE_REMARK}; " * is_elsewhere + told
            for told, is_elsewhere in zip(self.shared, self.elsewhere, strict=False)
        ]

    @property
    def decisive(self) -> int:
        """Row that decides: the first that counts as similar, else to be asked about, else the first.

        The same study elsewhere may rank first and count for nothing; it must
        not hide one below it that counts.
        """
        labels = self.labels
        return next((labels.index(name) for name in (SIMILAR, ASK) if name in labels), 0)

    def at(self, threshold: float) -> "Matches":
        """Return the same matches judged by another threshold; nothing is computed again."""
        return replace(self, threshold=threshold)

    def first(self, n: int) -> "Matches":
        """Return the first matches."""
        return self._part(slice(n))

    def only(self, row: int) -> "Matches":
        """Return one match."""
        return self._part(slice(row, row + 1))

    def _part(self, rows: slice) -> "Matches":
        return replace(
            self,
            titles=self.titles[rows],
            features=self.features[rows],
            probability=self.probability[rows],
            shared=self.shared[rows],
            without_place=self.without_place[rows],
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict a title with the keys `RESULT_COLUMNS`, and the remark where there is one."""
        remarks = self.remarks
        columns = (*RESULT_COLUMNS, *([REMARK_COLUMN] if remarks else []))
        features = [list(map(float, values)) for values in self.features]
        parts = zip(self.titles, features, map(float, self.probability), self.labels, strict=True)
        rows = [(title, *values, p, name) for title, values, p, name in parts]
        if remarks:
            rows = [(*row, remark) for row, remark in zip(rows, remarks, strict=True)]
        return [dict(zip(columns, row, strict=True)) for row in rows]


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against two titles being the same study.

    Attributes
    ----------
    base : float
        Where the model starts, before it has seen the pair.
    parts : mapping of str to float
        What each feature or field adds; ``base`` and all parts are ``total``.
    total : float
        Where the model ends.
    is_probability : bool
        Whether all these are probabilities; else they are log-odds.
    probability : float
        The answer, in [0, 1].
    """

    base: float
    parts: Mapping[str, float]
    total: float
    is_probability: bool
    probability: float


def label(probability: float, threshold: float = DECISION_THRESHOLD) -> str:
    """Return ``rf_label`` for a probability.

    Examples
    --------
    >>> label(0.5), label(0.49)
    ('MIRIP', 'TIDAK MIRIP')
    """
    return SIMILAR if probability >= threshold else DIFFERENT


def ranking(
    features: FloatArray, probability: FloatArray, rows: NDArray[np.integer] | None = None
) -> NDArray[np.intp]:
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
    n_features : int
        How many features of each row are kept, those of the study first.

    Attributes
    ----------
    rows : ndarray of int, shape (at most k,)
        Best first.
    probability : ndarray of float, shape (at most k,)
    features : ndarray of float, shape (at most k, n_features)
    worst : tuple of float
        Probability, cosine and Levenshtein ratio of the last of *k* rows; a
        row that is to follow must not be below it. ``-inf`` while there are
        fewer.
    n_scored : int
        How many rows were offered.

    Examples
    --------
    >>> top = TopRows(1, n_features=3)
    >>> top.offer(np.array([7, 8]), np.array([0.2, 0.9]), np.array([[0.1, 0.1, 0.1], [0.8, 0.7, 0.9]]))
    >>> top.rows.tolist(), top.may_enter(np.array([0.5]), np.ones(1), np.ones(1)).tolist()
    ([8], [False])
    """

    def __init__(self, k: int, least: float = -np.inf, *, n_features: int = len(FEATURES)) -> None:
        self._k, self._lock = k, Lock()
        self.rows: NDArray[np.integer] = np.empty(0, dtype=np.int64)
        self.probability, self.features = np.empty(0), np.empty((0, n_features))
        self.worst = (least, -np.inf, -np.inf)
        self.n_scored = 0

    def may_enter(
        self, probability: FloatArray, cosine: FloatArray, levenshtein: FloatArray
    ) -> NDArray[np.bool_]:
        """Tell which rows can be among the best, given their scores or upper bounds, shape (n,).

        A probability of ``-inf`` never can.
        """
        least, c, ratio = self.worst
        level = probability == least
        may: NDArray[np.bool_] = probability > least
        may |= level & ((cosine > c) | ((cosine == c) & (levenshtein >= ratio)))
        return may & (probability > -np.inf)

    def offer(self, rows: NDArray[np.integer], probability: FloatArray, features: FloatArray) -> None:
        """Take in rows with their scores; several threads may.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
        probability : ndarray of float, shape (n,)
        features : ndarray of float, shape (n, at least n_features)
            The first columns are those of `judul_lib.features.FEATURES`.
        """
        with self._lock:
            self.n_scored += len(rows)
            wanted = self.may_enter(probability, features[:, _COSINE], features[:, _LEVENSHTEIN])
            features = features[wanted, : self.features.shape[1]]
            rows = np.concatenate([self.rows, rows[wanted]])
            probability = np.concatenate([self.probability, probability[wanted]])
            features = np.concatenate([self.features, features])
            best = ranking(features, probability, rows)[: self._k]
            self.rows, self.probability, self.features = rows[best], probability[best], features[best]
            if len(best) == self._k:
                last = self.features[-1]
                self.worst = float(self.probability[-1]), float(last[_COSINE]), float(last[_LEVENSHTEIN])
