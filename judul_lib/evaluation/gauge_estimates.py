"""What a person's labels on a sample of pairs tell of an archive: precision, recall, a threshold.

Each pair counts as often as it stands for others; recall is among pairs of near titles, for nobody can
judge all pairs of an archive. The intervals draw the pairs of a stratum anew (Bayesian bootstrap,
Rubin, 1981), beside the model's own probability worth one label a stratum: without it a stratum whose
few labels agree would be sure. Pairs that share a title are drawn apart: few do in a sample.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from judul_lib.checking.checker import Checker
from judul_lib.core.settings import DECISION_THRESHOLD, SEED
from judul_lib.structured.gold import ELSEWHERE_GRADE, SIMILAR_GRADE
from judul_lib.study.features import FloatArray
from judul_lib.study.metrics import CONFIDENCE

Rows = NDArray[np.intp]
GOAL, SURE = 0.85, 0.8
"""Precision that the suggested threshold has at least, and from when on that is called certain."""
FEWEST_LABELS = 20
"""Labels from which on a threshold is suggested."""
THRESHOLDS = tuple(np.round(np.arange(0.2, 0.96, 0.05), 2).tolist())
"""Thresholds that may be suggested."""
_FEWEST_CALLED, _RESAMPLES = 5, 2_000
# How far intercept and slope of a calibration may lie from those of a model that is right, 0 and 1.
_RIGHT, _SPREAD, _SUREST = np.array([0.0, 1.0]), np.array([2.0, 0.5]), 1e-4


def _log_odds(probability: FloatArray) -> FloatArray:
    clipped = np.clip(probability, _SUREST, 1 - _SUREST)
    return np.log(clipped / (1 - clipped))


@dataclass(frozen=True)
class Suggestion:
    """A threshold for an archive, and how probable it is that MIRIP is right often enough there."""

    threshold: float
    sure: float


@dataclass(frozen=True)
class JudgedSample:
    """A sample that a person has judged, all arrays of shape (n,).

    Attributes
    ----------
    probability, asked : ndarray of float
        That a pair is the same study; that it is, if only elsewhere (0 where the model cannot tell).
    grade : ndarray of float
        0 to 4 as in the guide for readers, NaN where nobody judged.
    stratum : ndarray of int
    weight : ndarray of float
        How many pairs each stands for. What was not judged is shared out within its stratum.

    Examples
    --------
    >>> given = np.array([0.9, 0.8, 0.1]), np.zeros(3), np.array([4, 1, 0]), np.array([0, 0, 8])
    >>> judged = JudgedSample(*given, np.array([10.0, 10.0, 90.0]))
    >>> float(judged.measures(0.5).loc["presisi, MIRIP", "estimate"])
    0.5
    """

    probability: FloatArray
    asked: FloatArray
    grade: FloatArray
    stratum: Rows
    weight: FloatArray

    @property
    def is_judged(self) -> NDArray[np.bool_]:
        """Which pairs have a grade."""
        return ~np.isnan(np.asarray(self.grade, dtype=float))

    @property
    def unseen_share(self) -> float:
        """Share of the pairs that no judged one stands for: their whole stratum is not judged."""
        seen = np.isin(self.stratum, self.stratum[self.is_judged])
        return float(self.weight[~seen].sum() / self.weight.sum())

    @cached_property
    def _rows(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Scores and grades of the judged pairs, their weights, and those of the resamples."""
        judged, n_strata = self.is_judged, int(self.stratum.max()) + 1
        same, asked, grade, weight = (
            np.asarray(values, dtype=float)[judged]
            for values in (self.probability, self.asked, self.grade, self.weight)
        )
        stratum = self.stratum[judged]
        every = np.bincount(self.stratum, self.weight, n_strata)
        own = np.bincount(stratum, weight, n_strata)
        n_own = np.bincount(stratum, minlength=n_strata)
        weight = weight * every[stratum] / own[stratum]
        # A pair as it was judged, and with each answer as probable as the model says.
        either = np.maximum(same, asked)
        chances = np.vstack([same, either - same, 1 - either]) / n_own[stratum]
        shapes = np.vstack([np.ones(len(same)), np.clip(chances, 0, 1)])
        drawn = np.random.default_rng(SEED).gamma(shapes, size=(_RESAMPLES, *shapes.shape)) * weight
        sums = np.zeros((_RESAMPLES, n_strata))
        for k in np.unique(stratum):
            sums[:, k] = drawn[:, :, stratum == k].sum(axis=(1, 2))
        drawn *= (every / np.where(sums > 0, sums, 1))[:, stratum][:, None, :]
        grades = np.vstack(
            [grade, *(np.full(len(grade), g) for g in (SIMILAR_GRADE, ELSEWHERE_GRADE, 0))]
        )
        scores = np.tile(np.vstack([same, either]), (1, len(grades)))
        exact = np.concatenate([weight, np.zeros(3 * len(weight))])
        return scores, grades.ravel(), exact, drawn.reshape(_RESAMPLES, -1)

    def _ratios(self, part: ArrayLike, whole: ArrayLike) -> tuple[float, FloatArray]:
        """Return the share of a part of some pairs, and that of each resample."""
        _, _, exact, drawn = self._rows
        part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.divide(exact @ part, exact @ whole)), (drawn @ part) / (drawn @ whole)

    def measures(self, threshold: float = DECISION_THRESHOLD) -> pd.DataFrame:
        """Return precision and recall of *MIRIP* and of *MIRIP* or *TANYAKAN* at a threshold.

        Returns
        -------
        DataFrame
            Index: measure; columns ``estimate``, ``low``, ``high`` (95 %). NaN without a judged pair
            that the measure is a share of.
        """
        scores, grade, *_ = self._rows
        rows = {}
        asking = min(threshold, DECISION_THRESHOLD)
        questions = (
            ("MIRIP", SIMILAR_GRADE, threshold),
            ("MIRIP atau TANYAKAN", ELSEWHERE_GRADE, asking),
        )
        for score, (name, least, from_here) in zip(scores, questions, strict=True):
            true, called = grade >= least, score >= from_here
            for measure, whole in (("presisi", called), ("recall", true)):
                estimate, drawn = self._ratios(true & called, whole)
                tail = (1 - CONFIDENCE) / 2
                low, high = (
                    np.full(2, np.nan) if np.isnan(estimate) else np.quantile(drawn, [tail, 1 - tail])
                )
                rows[f"{measure}, {name}"] = (estimate, min(low, estimate), max(high, estimate))
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"])

    def _calibrations(self) -> FloatArray:
        """Return log-odds of being the same study: posterior draws of intercept and slope, shape (n, 2).

        A logistic curve on the model's log-odds, and a normal distribution about the likeliest one
        (Laplace). The sample is drawn by the model's answers, so that no weight is needed here.
        """
        judged = self.is_judged
        odds = np.column_stack([np.ones(int(judged.sum())), _log_odds(self.probability[judged])])
        same = self.grade[judged] >= SIMILAR_GRADE

        def loss(curve: FloatArray) -> float:
            told, off = odds @ curve, (curve - _RIGHT) / _SPREAD
            return float(np.sum(np.logaddexp(0, told) - same * told) + off @ off / 2)

        found = minimize(loss, _RIGHT).x
        chance = 1 / (1 + np.exp(-odds @ found))
        curvature = (odds * (chance * (1 - chance))[:, None]).T @ odds + np.diag(1 / _SPREAD**2)
        rng = np.random.default_rng(SEED)
        return rng.multivariate_normal(found, np.linalg.inv(curvature), _RESAMPLES)

    def precisions(self) -> pd.DataFrame:
        """Return how often MIRIP is right, at each of `THRESHOLDS` with enough judged pairs.

        Unlike `measures`, which takes the labels above a threshold as they are, one curve goes through
        all of them: of many thresholds with an estimate each, that with the luckiest would be chosen.

        Returns
        -------
        DataFrame
            Index ``ambang``; columns ``presisi`` and ``sure``: how probable it is that the precision is
            at least `GOAL`.
        """
        curves = self._calibrations()
        chances = 1 / (1 + np.exp(-(curves[:, :1] + curves[:, 1:] * _log_odds(self.probability))))
        rows = {}
        for threshold in THRESHOLDS:
            called = self.probability >= threshold
            if (called & self.is_judged).sum() >= _FEWEST_CALLED:
                drawn = chances[:, called] @ self.weight[called] / self.weight[called].sum()
                rows[threshold] = (float(drawn.mean()), float(np.mean(drawn >= GOAL)))
        found = pd.DataFrame.from_dict(rows, orient="index", columns=["presisi", "sure"])
        return found.rename_axis("ambang")

    def suggest(self) -> Suggestion | None:
        """Return the lowest threshold at which MIRIP is right in at least `GOAL`; None where none is.

        A threshold at which fewer than five judged pairs are called is not looked at, nor any with
        fewer labels than `FEWEST_LABELS`.
        """
        found = self.precisions()
        good = found[found["presisi"] >= GOAL]
        if good.empty or self.is_judged.sum() < FEWEST_LABELS:
            return None
        return Suggestion(float(good.index[0]), float(good["sure"].iloc[0]))


def judged_sample(checker: Checker, read: pd.DataFrame) -> JudgedSample:
    """Ask a model for the pairs that a person has judged.

    Parameters
    ----------
    checker : Checker
        With the archive.
    read : DataFrame
        Columns ``left``, ``right`` (rows of the archive), ``grade``, ``stratum``, ``weight``.
    """
    left, right = ([checker.titles[row] for row in read[side]] for side in ("left", "right"))
    comparison, rows = checker.compare(left, right), np.arange(len(read))
    features = comparison.features(rows, rows)
    probability = checker.probability(features)
    asked = checker.asked(features, probability)
    values = (read[column].to_numpy() for column in ("grade", "stratum", "weight"))
    return JudgedSample(probability, asked if len(asked) else np.zeros(len(rows)), *values)
