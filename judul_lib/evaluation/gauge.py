"""An archive's own gauge: how often MIRIP is said in it, and what judged pairs tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import require_threshold
from judul_lib.core.array_types import BoolArray, FloatArray, Rows
from judul_lib.core.errors import CorpusError
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, SEED, SIMILAR
from judul_lib.structured.gold import ELSEWHERE_GRADE, SIMILAR_GRADE
from judul_lib.study.features import FEATURES
from judul_lib.study.metrics import CONFIDENCE, share_interval
from judul_lib.study.preprocessing import title_key

TARGET_PRECISION, CERTAIN_PROBABILITY = 0.85, 0.8
"""Precision that the suggested threshold has at least, and from when on that is called certain."""
MIN_LABELS = 20
"""Labels from which on a threshold is suggested."""
CANDIDATE_THRESHOLDS = tuple(np.round(np.arange(0.2, 0.96, 0.05), 2).tolist())
"""Thresholds that may be suggested."""
_MIN_CALLED_PAIRS, _RESAMPLES = 5, 2_000
# How far intercept and slope of a calibration may lie from those of a model that is right, 0 and 1.
_RIGHT, _SPREAD, _MIN_PROBABILITY = np.array([0.0, 1.0]), np.array([2.0, 0.5]), 1e-4


def _log_odds(probability: FloatArray) -> FloatArray:
    clipped = np.clip(probability, _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
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
    def is_judged(self) -> BoolArray:
        """Which pairs have a grade."""
        return ~np.isnan(np.asarray(self.grade, dtype=float))

    @property
    def unseen_share(self) -> float:
        """Share of the pairs that no judged one stands for: their whole stratum is not judged."""
        seen = np.isin(self.stratum, self.stratum[self.is_judged])
        return float(self.weight[~seen].sum() / self.weight.sum())

    @cached_property
    def _weighted_rows(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
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
        _, _, exact, drawn = self._weighted_rows
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
        scores, grade, *_ = self._weighted_rows
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
        """Return how often MIRIP is right, at each of `CANDIDATE_THRESHOLDS` with enough judged pairs.

        Unlike `measures`, which takes the labels above a threshold as they are, one curve goes through
        all of them: of many thresholds with an estimate each, that with the luckiest would be chosen.

        Returns
        -------
        DataFrame
            Index ``ambang``; columns ``presisi`` and ``sure``: how probable it is that the precision is
            at least `TARGET_PRECISION`.
        """
        curves = self._calibrations()
        chances = 1 / (1 + np.exp(-(curves[:, :1] + curves[:, 1:] * _log_odds(self.probability))))
        rows = {}
        for threshold in CANDIDATE_THRESHOLDS:
            called = self.probability >= threshold
            if (called & self.is_judged).sum() >= _MIN_CALLED_PAIRS:
                drawn = chances[:, called] @ self.weight[called] / self.weight[called].sum()
                rows[threshold] = (float(drawn.mean()), float(np.mean(drawn >= TARGET_PRECISION)))
        found = pd.DataFrame.from_dict(rows, orient="index", columns=["presisi", "sure"])
        return found.rename_axis("ambang")

    def suggest(self) -> Suggestion | None:
        """Return the lowest threshold at which MIRIP reaches `TARGET_PRECISION`, or None.

        A threshold at which fewer than five judged pairs are called is not looked at, nor any with
        fewer labels than `MIN_LABELS`.
        """
        found = self.precisions()
        good = found[found["presisi"] >= TARGET_PRECISION]
        if good.empty or self.is_judged.sum() < MIN_LABELS:
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


N_TITLES, N_SAMPLE, MIN_TITLES = 300, 50, 20
"""Titles that are drawn, pairs to judge, and titles that an archive needs at least."""
SHOWN_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Pairs of a title that may be judged: with those nearest by the model, and by each of these features.
_NEAREST, _NEAREST_BY = 5, {list(FEATURES).index(name): 3 for name in ("cosine", "levenshtein")}
# Bounds of the strata: of the probability, and below the last of what is to be asked about.
_SAME_BOUNDS, _ASKED_BOUNDS = (0.8, 0.65, 0.5, 0.35, 0.2), (0.5, 0.2, 0.05)
# Pairs of each stratum in a sample of 50.
_QUOTAS = (10, 7, 7, 6, 4, 6, 4, 3, 3)
_BATCH, _AT_ONCE = 64, 20_000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Survey:
    """Titles drawn from an archive, each compared with all others.

    Attributes
    ----------
    titles : list of str
        The archive.
    best : ndarray of float, shape (n_drawn, 2)
        The highest probability of any other title that it is the same study; that it is, if only
        elsewhere (0 where the model cannot tell).
    pairs : DataFrame
        Pairs with near titles, none twice: ``left``, ``right`` (rows of the archive), ``probability``,
        ``asked``, ``times`` (2 where both titles were drawn, else 1).
    """

    titles: list[str]
    best: FloatArray
    pairs: pd.DataFrame

    def shares(self, thresholds: Sequence[float] = SHOWN_THRESHOLDS) -> pd.DataFrame:
        """Return how many of the titles get MIRIP and TANYAKAN, with Wilson's intervals.

        Returns
        -------
        DataFrame
            One row a threshold and answer: ``ambang``, ``simpulan``, ``estimate``, ``low``, ``high``.
        """
        rows = []
        for threshold in map(require_threshold, thresholds):
            same, asked = (self.best >= [threshold, min(threshold, DECISION_THRESHOLD)]).T
            for label, called in ((SIMILAR, same), (ASK, asked & ~same)):
                rows.append((threshold, label, *share_interval(int(called.sum()), len(called))))
        return pd.DataFrame(rows, columns=["ambang", "simpulan", "estimate", "low", "high"])


def survey(
    checker: Checker,
    *,
    n_titles: int = N_TITLES,
    random_state: int = SEED,
    on_progress: Progress = lambda done, total: None,
) -> Survey:
    """Compare titles of a checker's archive with all its other titles.

    Copies of a title, up to case and signs, are not others.

    Parameters
    ----------
    n_titles : int
        Titles drawn; all where the archive has no more.
    on_progress : callable
        Called with the number of titles done and of all.

    Raises
    ------
    CorpusError
        The archive has fewer titles than `MIN_TITLES`.
    """
    titles = list(checker.titles)
    keys = np.array(list(map(title_key, titles)), dtype=object)
    _, first = np.unique(keys, return_index=True)
    if len(first) < MIN_TITLES:
        raise CorpusError(
            f"Arsip ini hanya berisi {len(first)} judul yang berbeda; untuk mengukurnya perlu "
            f"sedikitnya {MIN_TITLES}. Tambahkan judul ke arsip itu."
        )
    drawn = np.sort(np.random.default_rng(random_state).permutation(np.sort(first))[:n_titles])
    best, near = np.zeros((len(drawn), 2)), []
    for start in range(0, len(drawn), _BATCH):
        batch = drawn[start : start + _BATCH]
        comparison = checker.compare([titles[row] for row in batch])
        for place, row in enumerate(batch.tolist()):
            scores = _scores(checker, comparison.features, place)
            others = np.flatnonzero(keys != keys[row])
            scores = scores[others]
            best[start + place] = scores[:, -2:].max(axis=0)
            rows = _near(scores)
            near.append(np.column_stack([np.full(len(rows), row), others[rows], scores[rows, -2:]]))
            on_progress(start + place + 1, len(drawn))
    return Survey(titles, best, _distinct(np.vstack(near)))


def _scores(
    checker: Checker,
    features_of: Callable[[Rows, Rows], FloatArray],
    query: int,
) -> FloatArray:
    """Return what a title has with each of the archive: the study's features, probability, asked."""
    parts = []
    for start in range(0, len(checker.titles), _AT_ONCE):
        right = np.arange(start, min(start + _AT_ONCE, len(checker.titles)))
        left = np.full_like(right, query)
        features = features_of(left, right)
        letters, chances = features[:, : len(FEATURES)], checker.probability(features)
        asked = checker.asked(features, chances)
        parts.append(np.column_stack([letters, chances, asked if len(asked) else np.zeros(len(right))]))
    return np.vstack(parts)


def _near(scores: FloatArray) -> Rows:
    """Return the rows that may be judged: those that may be called, and the nearest."""
    either = scores[:, -2:].max(axis=1)
    found = [np.flatnonzero(either >= min(_ASKED_BOUNDS[1], _SAME_BOUNDS[-1]))]
    for values, n in [(either, _NEAREST), *((scores[:, k], n) for k, n in _NEAREST_BY.items())]:
        found.append(np.argsort(-values, kind="stable")[:n])
    return np.unique(np.concatenate(found))


def _distinct(near: FloatArray) -> pd.DataFrame:
    """Return pairs in one order, each once, with how often it was met."""
    ends = np.sort(near[:, :2].astype(np.intp), axis=1)
    frame = pd.DataFrame({"left": ends[:, 0], "right": ends[:, 1], "probability": near[:, 2]})
    frame["asked"] = near[:, 3]
    by_pair = frame.groupby(["left", "right"], sort=True)
    return by_pair.first().assign(times=by_pair.size()).reset_index()


def strata(probability: FloatArray, asked: FloatArray) -> Rows:
    """Return the stratum of each pair, the likeliest first.

    Examples
    --------
    >>> strata(np.array([0.9, 0.5, 0.1, 0.0]), np.array([0.9, 0.6, 0.7, 0.0])).tolist()
    [0, 2, 5, 8]
    """
    same = (probability[:, None] < np.array(_SAME_BOUNDS)).sum(axis=1)
    either = np.maximum(probability, asked)
    below = (either[:, None] < np.array(_ASKED_BOUNDS)).sum(axis=1)
    return np.where(same < len(_SAME_BOUNDS), same, len(_SAME_BOUNDS) + below)


def draw_sample(pairs: pd.DataFrame, n: int = N_SAMPLE, *, random_state: int = SEED) -> pd.DataFrame:
    """Draw pairs to be judged, and say how many each stands for.

    Parameters
    ----------
    pairs : DataFrame
        As of a `Survey`.

    Returns
    -------
    DataFrame
        Columns ``left``, ``right``, ``stratum``, ``weight``; in random order, and so are the sides.
    """
    rng = np.random.default_rng(random_state)
    stratum = strata(pairs["probability"].to_numpy(), pairs["asked"].to_numpy())
    there = np.bincount(stratum, minlength=len(_QUOTAS))
    taken = np.zeros(len(_QUOTAS), dtype=int)
    for _ in range(min(n, len(pairs))):  # Where a stratum has too few pairs, the others get more.
        taken[np.argmax(np.where(taken < there, np.array(_QUOTAS) / (taken + 1), -1))] += 1
    parts = []
    for k in np.flatnonzero(taken):
        rows = np.sort(rng.choice(np.flatnonzero(stratum == k), taken[k], replace=False))
        weight = pairs["times"].to_numpy()[rows] * there[k] / taken[k]
        parts.append(pairs.iloc[rows][["left", "right"]].assign(stratum=k, weight=weight))
    sample = pd.concat(parts).iloc[rng.permutation(int(taken.sum()))].reset_index(drop=True)
    ends = sample[["left", "right"]].to_numpy()
    ends = np.where(rng.random(len(ends))[:, None] < 0.5, ends, ends[:, ::-1])
    return sample.assign(left=ends[:, 0], right=ends[:, 1])
