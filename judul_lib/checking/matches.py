"""What a check returns: corpus titles with their scores and labels, best first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from judul_lib.core.array_types import BoolArray, FloatArray, Rows
from judul_lib.core.errors import ArgumentError
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, DIFFERENT, SIMILAR
from judul_lib.study.features import FEATURES

RESULT_COLUMNS = ("judul_ref", *FEATURES, "rf_probability", "rf_label")
REMARK_COLUMN = "penjelasan"
ELSEWHERE_REMARK = "penelitian serupa di tempat lain"
PERHAPS_REMARK = "mungkin penelitian yang sama dengan kata lain"


@dataclass(frozen=True)
class Matches:
    """Corpus titles compared with one query, best first.

    Attributes
    ----------
    titles : list of str, shape (n,)
        Corpus titles.
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.study.features.FEATURES`.
    probability : ndarray of float, shape (n,)
        ``rf_probability`` in [0, 1].
    threshold : float
        Probability from which a title counts as similar.
    shared : list of str, shape (n,) or (0,)
        What each title shares with the query, field by field, where the model
        can tell.
    asked : ndarray of float, shape (n,) or (0,)
        The probability that it is the same study, if only elsewhere; empty where the model cannot
        tell that apart.
    elsewhere_label : str
        Label of what is to be asked about: the same study elsewhere, or perhaps in other words.
    deciding : Matches
        The titles of the whole corpus that decide at one threshold or another,
        best first, whether they are among ``titles`` or not; see `decision`.
        These matches are all there are where it is not given.

    Examples
    --------
    >>> found = Matches(["Deteksi Hoaks"], np.array([[0.9, 0.8, 0.7]]), np.array([0.6]), threshold=0.5)
    >>> found.labels, found.with_threshold(0.7).labels
    (['MIRIP'], ['TIDAK MIRIP'])
    """

    titles: list[str]
    features: FloatArray
    probability: FloatArray
    threshold: float
    shared: list[str] = field(default_factory=list)
    asked: FloatArray = field(default_factory=lambda: np.empty(0))
    elsewhere_label: str = ASK
    deciding: "Matches | None" = None

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def to_ask(self) -> list[bool]:
        """Which titles are to be asked about, shape (n,): the same study only in whatever place."""
        if not len(self.asked):
            return [False] * len(self)
        return is_to_ask(self.probability, self.asked, self.threshold).tolist()

    @property
    def labels(self) -> list[str]:
        """``rf_label`` of each title, shape (n,)."""
        return assign_labels(
            self.probability, self.asked, self.threshold, elsewhere_label=self.elsewhere_label
        )

    @property
    def remarks(self) -> list[str]:
        """What can be told of each title, shape (n,), or nothing at all."""
        return [
            f"{_asking_remark(told)}; {told}" if is_to_ask else told
            for told, is_to_ask in zip(self.shared, self.to_ask, strict=False)
        ]

    @property
    def decision(self) -> "Matches":
        """The one match that decides, of the whole corpus; none where that holds no title.

        It is the first that counts as similar, else the first to be asked about, else the first.
        """
        known = self if self.deciding is None else self.deciding.with_threshold(self.threshold)
        labels = known.labels
        row = next((labels.index(name) for name in (SIMILAR, ASK) if name in labels), 0)
        return known._part(slice(row, row + 1))

    def with_threshold(self, threshold: float) -> "Matches":
        """Return the same matches judged by another threshold; nothing is computed again."""
        return replace(self, threshold=require_threshold(threshold))

    def first(self, n: int | None) -> "Matches":
        """Return the first matches."""
        return self._part(slice(n))

    def _part(self, rows: slice) -> "Matches":
        return replace(
            self,
            titles=self.titles[rows],
            features=self.features[rows],
            probability=self.probability[rows],
            shared=self.shared[rows],
            asked=self.asked[rows],
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

    def rows_with_decision(self) -> list[dict[str, Any]]:
        """Return `rows`, and behind them the one that decides where it is not among them."""
        rows, decision = self.rows(), self.decision.rows()
        return rows + [row for row in decision if row not in rows]


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


def assign_labels(
    probability: FloatArray, asked: FloatArray, threshold: float, *, elsewhere_label: str
) -> list[str]:
    """Return ``rf_label`` of titles, shape (n,); see `Matches`.

    Examples
    --------
    >>> assign_labels(np.array([0.6, 0.3]), np.array([0.0, 0.9]), 0.5, elsewhere_label="TANYAKAN")
    ['MIRIP', 'TANYAKAN']
    """
    labels = [label(p, threshold) for p in probability]
    if len(asked):
        for row in np.flatnonzero(is_to_ask(probability, asked, threshold)).tolist():
            labels[row] = elsewhere_label
    return labels


def best_matches(
    title: Callable[[int], str],
    features: FloatArray,
    probability: FloatArray,
    asked: FloatArray,
    shared: Callable[[Rows], list[str]],
    *,
    threshold: float,
    elsewhere_label: str = ASK,
    top_k: int | None = None,
) -> Matches:
    """Return the first of titles in the order given, with those of them that decide.

    Parameters
    ----------
    title, shared : callable
        The title of a row; what rows share with the query, as in `Matches`.
    features, probability, asked
        Of all titles that may be shown or decide; as in `Matches`.

    Examples
    --------
    >>> titles, chances, asked = ["Padi", "Padi di Solo"], np.array([0.3, 0.2]), np.array([0.1, 0.9])
    >>> given = titles.__getitem__, np.ones((2, 3)), chances, asked, lambda rows: []
    >>> found = best_matches(*given, threshold=0.5, top_k=1)
    >>> found.titles, found.decision.titles
    (['Padi'], ['Padi di Solo'])
    """

    def part(rows: Rows, deciding: Matches | None = None) -> Matches:
        return Matches(
            list(map(title, rows.tolist())), features[rows, : len(FEATURES)], probability[rows],
            threshold, shared(rows), asked[rows] if len(asked) else asked,
            elsewhere_label, deciding,
        )  # fmt: skip

    return part(np.arange(len(probability))[:top_k], part(_deciding_rows(probability, asked)))


def _deciding_rows(probability: FloatArray, asked: FloatArray) -> Rows:
    """Return the rows that decide at one threshold or another, of titles in their order.

    At any threshold it is the first that counts as similar, or the first to be asked about: one of
    a higher probability than all before it. Where there is neither, it is the first of all.
    """
    rows: Rows = _running_maxima(probability)
    if len(asked):
        rows = np.union1d(rows, _running_maxima(np.maximum(probability, asked)))
    return rows


def _running_maxima(values: FloatArray) -> Rows:
    before = np.concatenate([[-np.inf], np.maximum.accumulate(values)])[:-1]
    return np.flatnonzero(values > before)


def _asking_remark(told: str) -> str:
    """Return why a title is to be asked about, given what it shares in words."""
    places = [part for part in told.split("; ") if part.startswith("tempat ")]
    return ELSEWHERE_REMARK if any("berbeda" in part for part in places) else PERHAPS_REMARK


def is_to_ask(probability: FloatArray, asked: FloatArray, threshold: float) -> BoolArray:
    """Tell which titles are to be asked about, shape (n,).

    They do not count as similar, but are the same study elsewhere, or perhaps in other words. A
    higher threshold for *MIRIP* is none for asking: what it no longer counts is asked about.

    Examples
    --------
    >>> is_to_ask(np.array([0.4, 0.2, 0.6]), np.array([0.7, 0.3, 0.9]), 0.5).tolist()
    [True, False, False]
    >>> is_to_ask(np.array([0.4, 0.2, 0.6]), np.array([0.7, 0.3, 0.6]), 0.9).tolist()
    [True, False, True]
    """
    enough = np.maximum(probability, asked) >= min(threshold, DECISION_THRESHOLD)
    found: BoolArray = (probability < threshold) & enough
    return found


def require_threshold(threshold: float) -> float:
    """Return a threshold.

    Raises
    ------
    ArgumentError
        It is no number from 0 to 1.

    Examples
    --------
    >>> require_threshold(0.5)
    0.5
    """
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 <= threshold <= 1:
        raise ArgumentError(
            f"Ambang {threshold!r:.40} tidak dapat dipakai. Berikan bilangan 0 sampai 1."
        )
    return threshold


def require_top_k(top_k: int | None) -> int | None:
    """Return how many matches are wanted.

    Raises
    ------
    ArgumentError
        It is neither None nor a whole number from 1.

    Examples
    --------
    >>> require_top_k(3)
    3
    """
    is_whole = isinstance(top_k, Integral) and not isinstance(top_k, bool)
    if top_k is not None and not (is_whole and top_k >= 1):
        raise ArgumentError(
            f"Jumlah hasil {top_k!r:.40} tidak dapat dipakai. Berikan bilangan bulat mulai dari 1, "
            "atau None untuk semuanya."
        )
    return top_k


def label(probability: float, threshold: float = DECISION_THRESHOLD) -> str:
    """Return ``rf_label`` for a probability.

    Examples
    --------
    >>> label(0.5), label(0.49)
    ('MIRIP', 'TIDAK MIRIP')
    """
    return SIMILAR if probability >= threshold else DIFFERENT
