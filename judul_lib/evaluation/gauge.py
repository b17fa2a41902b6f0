"""Gauge of an archive: how often titles get MIRIP, and precision and recall from judged pairs."""

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
"""Minimum precision at the suggested threshold, and the probability above which it is certain."""
MIN_LABELS = 20
"""Labels needed for suggesting a threshold."""
CANDIDATE_THRESHOLDS = tuple(np.round(np.arange(0.2, 0.96, 0.05), 2).tolist())
"""Thresholds that may be suggested."""
_MIN_CALLED_PAIRS, _N_RESAMPLES = 5, 2_000
# Normal prior of intercept and slope: those of a calibrated model, and standard deviations.
_PRIOR_MEAN, _PRIOR_SD, _MIN_PROBABILITY = np.array([0.0, 1.0]), np.array([2.0, 0.5]), 1e-4


def _log_odds(probability: FloatArray) -> FloatArray:
    clipped = np.clip(probability, _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    return np.log(clipped / (1 - clipped))


@dataclass(frozen=True)
class Suggestion:
    """A threshold for an archive, and the probability that it reaches `TARGET_PRECISION`."""

    threshold: float
    sure: float


@dataclass(frozen=True)
class JudgedSample:
    """A sample that a person has judged, all arrays of shape (n,).

    Attributes
    ----------
    probability, asked : ndarray of float
        Probabilities of the same study and of the same study, possibly elsewhere (0 if the model
        has none).
    grade : ndarray of float
        0 to 4 as in the grading guide, NaN where not judged.
    stratum : ndarray of int
    weight : ndarray of float
        Number of pairs that each represents. The weight of pairs that are not judged goes to the
        others of their stratum.

    Examples
    --------
    >>> scores, grade, stratum = (np.array([0.9, 0.8, 0.1]), np.zeros(3)), [4, 1, 0], [0, 0, 8]
    >>> weight = np.array([10.0, 10.0, 90.0])
    >>> judged = JudgedSample(*scores, np.array(grade), np.array(stratum), weight)
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
        """Whether each pair has a grade."""
        return ~np.isnan(np.asarray(self.grade, dtype=float))

    @property
    def unseen_share(self) -> float:
        """Share of the pairs in strata without a judged pair."""
        is_covered = np.isin(self.stratum, self.stratum[self.is_judged])
        return float(self.weight[~is_covered].sum() / self.weight.sum())

    @cached_property
    def _weighted_rows(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Scores, grades and weights of the judged pairs, and the weights of the resamples.

        A judged pair has four rows: with its grade, and with each of three answers, for which the
        model's probabilities are prior counts in the (Bayesian) bootstrap.
        """
        judged, n_strata = self.is_judged, int(self.stratum.max()) + 1
        same, asked, grade, weight = (
            np.asarray(values, dtype=float)[judged]
            for values in (self.probability, self.asked, self.grade, self.weight)
        )
        stratum = self.stratum[judged]
        total = np.bincount(self.stratum, self.weight, n_strata)
        weight = weight * total[stratum] / np.bincount(stratum, weight, n_strata)[stratum]
        either = np.maximum(same, asked)
        prior = np.vstack([same, either - same, 1 - either]) / np.bincount(stratum)[stratum]
        shapes = np.vstack([np.ones(len(same)), np.clip(prior, 0, 1)])
        drawn = np.random.default_rng(SEED).gamma(shapes, size=(_N_RESAMPLES, *shapes.shape)) * weight
        sums = np.zeros((_N_RESAMPLES, n_strata))
        for k in np.unique(stratum):
            sums[:, k] = drawn[:, :, stratum == k].sum(axis=(1, 2))
        drawn *= (total / np.where(sums > 0, sums, 1))[:, stratum][:, None, :]
        grades = np.vstack(
            [grade, *(np.full(len(grade), g) for g in (SIMILAR_GRADE, ELSEWHERE_GRADE, 0))]
        )
        scores = np.tile(np.vstack([same, either]), (1, len(grades)))
        exact = np.concatenate([weight, np.zeros(3 * len(weight))])
        return scores, grades.ravel(), exact, drawn.reshape(_N_RESAMPLES, -1)

    def _ratios(self, part: ArrayLike, whole: ArrayLike) -> tuple[float, FloatArray]:
        """Return the weight of some pairs relative to that of others, and that of each resample."""
        _, _, exact, drawn = self._weighted_rows
        part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.divide(exact @ part, exact @ whole)), (drawn @ part) / (drawn @ whole)

    def measures(self, threshold: float = DECISION_THRESHOLD) -> pd.DataFrame:
        """Return precision and recall of *MIRIP* and of *MIRIP* or *TANYAKAN* at a threshold.

        Returns
        -------
        DataFrame
            Index: measure; columns ``estimate``, ``low``, ``high`` (95 %); NaN where the denominator
            is 0.
        """
        scores, grade, *_ = self._weighted_rows
        rows = {}
        tail = (1 - CONFIDENCE) / 2
        questions = (
            ("MIRIP", SIMILAR_GRADE, threshold),
            ("MIRIP atau TANYAKAN", ELSEWHERE_GRADE, min(threshold, DECISION_THRESHOLD)),
        )
        for score, (name, min_grade, min_score) in zip(scores, questions, strict=True):
            true, called = grade >= min_grade, score >= min_score
            for measure, whole in (("presisi", called), ("recall", true)):
                estimate, drawn = self._ratios(true & called, whole)
                low, high = (
                    np.full(2, np.nan) if np.isnan(estimate) else np.quantile(drawn, [tail, 1 - tail])
                )
                rows[f"{measure}, {name}"] = (estimate, min(low, estimate), max(high, estimate))
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"])

    def _calibrations(self) -> FloatArray:
        """Draw intercept and slope of a logistic calibration from their posterior, shape (n, 2).

        By the Laplace approximation. Sampling depends on the model's answers alone, so no weights
        are needed here.
        """
        judged = self.is_judged
        inputs = np.column_stack([np.ones(int(judged.sum())), _log_odds(self.probability[judged])])
        same = self.grade[judged] >= SIMILAR_GRADE

        def loss(curve: FloatArray) -> float:
            log_odds, deviation = inputs @ curve, (curve - _PRIOR_MEAN) / _PRIOR_SD
            return float(np.sum(np.logaddexp(0, log_odds) - same * log_odds) + deviation @ deviation / 2)

        mode = minimize(loss, _PRIOR_MEAN).x
        p = 1 / (1 + np.exp(-inputs @ mode))
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs + np.diag(1 / _PRIOR_SD**2)
        rng = np.random.default_rng(SEED)
        return rng.multivariate_normal(mode, np.linalg.inv(hessian), _N_RESAMPLES)

    def precisions(self) -> pd.DataFrame:
        """Return the precision of MIRIP at each of `CANDIDATE_THRESHOLDS` with enough judged pairs.

        Unlike in `measures`, all thresholds share one calibration curve. With a separate estimate for
        each, the threshold with the luckiest estimate would be chosen.

        Returns
        -------
        DataFrame
            Index ``ambang``; columns ``presisi`` and ``sure``, the probability that the precision is
            at least `TARGET_PRECISION`.
        """
        curves = self._calibrations()
        p = 1 / (1 + np.exp(-(curves[:, :1] + curves[:, 1:] * _log_odds(self.probability))))
        rows = {}
        for threshold in CANDIDATE_THRESHOLDS:
            called = self.probability >= threshold
            if (called & self.is_judged).sum() >= _MIN_CALLED_PAIRS:
                drawn = p[:, called] @ self.weight[called] / self.weight[called].sum()
                rows[threshold] = (float(drawn.mean()), float(np.mean(drawn >= TARGET_PRECISION)))
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["presisi", "sure"])
        return table.rename_axis("ambang")

    def suggest(self) -> Suggestion | None:
        """Return the lowest threshold at which MIRIP reaches `TARGET_PRECISION`, or None.

        Thresholds that call fewer than five judged pairs are skipped, and all are with fewer labels
        than `MIN_LABELS`.
        """
        precisions = self.precisions()
        good = precisions[precisions["presisi"] >= TARGET_PRECISION]
        if good.empty or self.is_judged.sum() < MIN_LABELS:
            return None
        return Suggestion(float(good.index[0]), float(good["sure"].iloc[0]))


def judged_sample(checker: Checker, sample: pd.DataFrame) -> JudgedSample:
    """Score the pairs that a person has judged.

    Parameters
    ----------
    checker : Checker
        With the archive.
    sample : DataFrame
        Columns ``left``, ``right`` (rows of the archive), ``grade``, ``stratum``, ``weight``.
    """
    left, right = ([checker.titles[row] for row in sample[side]] for side in ("left", "right"))
    comparison, rows = checker.compare(left, right), np.arange(len(sample))
    scores = _probabilities(checker, comparison.features(rows, rows))
    values = (sample[column].to_numpy() for column in ("grade", "stratum", "weight"))
    return JudgedSample(*scores, *values)


N_TITLES, N_SAMPLE, MIN_TITLES = 300, 50, 20
"""Titles drawn, pairs to judge, and the minimum size of an archive."""
SHOWN_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Neighbours of a title whose pairs may be judged, by the model and by single features (columns).
_N_NEAREST, _N_NEAREST_BY_FEATURE = (
    5,
    {list(FEATURES).index(name): 3 for name in ("cosine", "levenshtein")},
)
# Bounds of the strata: of the probability, and below its last bound, of the maximum of both scores.
_SAME_BOUNDS, _ASKED_BOUNDS = (0.8, 0.65, 0.5, 0.35, 0.2), (0.5, 0.2, 0.05)
# Pairs per stratum in a sample of 50.
_QUOTAS = (10, 7, 7, 6, 4, 6, 4, 3, 3)
_TITLES_PER_BATCH, _MAX_PAIRS_PER_BATCH = 64, 20_000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Survey:
    """Titles drawn from an archive, each compared with all others.

    Attributes
    ----------
    titles : list of str
        The archive.
    best : ndarray of float, shape (n_drawn, 2)
        Maximum over all other titles of the probabilities of the same study and of the same study,
        possibly elsewhere (0 if the model has none).
    pairs : DataFrame
        Distinct pairs with near titles: ``left``, ``right`` (rows of the archive), ``probability``,
        ``asked``, ``times`` (2 if each title is near to the other and both were drawn, else 1).
    """

    titles: list[str]
    best: FloatArray
    pairs: pd.DataFrame

    def shares(self, thresholds: Sequence[float] = SHOWN_THRESHOLDS) -> pd.DataFrame:
        """Return the shares of titles with MIRIP and TANYAKAN, with Wilson's intervals.

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
    """Compare titles drawn from a checker's archive with all its other titles.

    Copies of a title, up to case and punctuation, are not counted as other titles.

    Parameters
    ----------
    n_titles : int
        Titles to draw; at most all.
    on_progress : callable
        Called with the number of titles done and the total.

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
    for start in range(0, len(drawn), _TITLES_PER_BATCH):
        batch = drawn[start : start + _TITLES_PER_BATCH]
        comparison = checker.compare([titles[row] for row in batch])
        for query, row in enumerate(batch.tolist()):
            others = np.flatnonzero(keys != keys[row])
            scores = _score_archive(checker, comparison.features, query)[others]
            best[start + query] = scores[:, -2:].max(axis=0)
            rows = _near_rows(scores)
            near.append(np.column_stack([np.full(len(rows), row), others[rows], scores[rows, -2:]]))
            on_progress(start + query + 1, len(drawn))
    return Survey(titles, best, _distinct_pairs(np.vstack(near)))


def _score_archive(
    checker: Checker, features_of: Callable[[Rows, Rows], FloatArray], query: int
) -> FloatArray:
    """Score a query with each archive title; columns: the study's features, probability, asked."""
    parts = []
    for start in range(0, len(checker.titles), _MAX_PAIRS_PER_BATCH):
        right = np.arange(start, min(start + _MAX_PAIRS_PER_BATCH, len(checker.titles)))
        features = features_of(np.full_like(right, query), right)
        scores = _probabilities(checker, features)
        parts.append(np.column_stack([features[:, : len(FEATURES)], *scores]))
    return np.vstack(parts)


def _probabilities(checker: Checker, features: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``probability`` and ``asked`` of pairs; the latter is 0 if the model has none."""
    probability = checker.probability(features)
    asked = checker.asked(features, probability)
    return probability, asked if len(asked) else np.zeros(len(probability))


def _near_rows(scores: FloatArray) -> Rows:
    """Return the rows of pairs that may be judged: with a high score, or among the nearest."""
    either = scores[:, -2:].max(axis=1)
    parts = [
        np.flatnonzero(either >= min(_ASKED_BOUNDS[1], _SAME_BOUNDS[-1])),
        np.argsort(-either, kind="stable")[:_N_NEAREST],
    ]
    for column, n in _N_NEAREST_BY_FEATURE.items():
        parts.append(np.argsort(-scores[:, column], kind="stable")[:n])
    return np.unique(np.concatenate(parts))


def _distinct_pairs(near: FloatArray) -> pd.DataFrame:
    """Merge pairs that differ only in their order, and count them."""
    ends = np.sort(near[:, :2].astype(np.intp), axis=1)
    frame = pd.DataFrame({"left": ends[:, 0], "right": ends[:, 1], "probability": near[:, 2]})
    frame["asked"] = near[:, 3]
    by_pair = frame.groupby(["left", "right"], sort=True)
    return by_pair.first().assign(times=by_pair.size()).reset_index()


def strata(probability: FloatArray, asked: FloatArray) -> Rows:
    """Return the stratum of each pair, 0 for the most probable pairs.

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
    """Draw a stratified sample of pairs to judge.

    Parameters
    ----------
    pairs : DataFrame
        As in `Survey`.

    Returns
    -------
    DataFrame
        Columns ``left``, ``right``, ``stratum``, ``weight``; pairs and sides in random order.
    """
    rng = np.random.default_rng(random_state)
    stratum = strata(pairs["probability"].to_numpy(), pairs["asked"].to_numpy())
    available = np.bincount(stratum, minlength=len(_QUOTAS))
    sizes = np.zeros(len(_QUOTAS), dtype=int)
    for _ in range(min(n, len(pairs))):  # If a stratum has too few pairs, the others get more.
        sizes[np.argmax(np.where(sizes < available, np.array(_QUOTAS) / (sizes + 1), -1))] += 1
    parts = []
    for k in np.flatnonzero(sizes):
        rows = np.sort(rng.choice(np.flatnonzero(stratum == k), sizes[k], replace=False))
        weight = pairs["times"].to_numpy()[rows] * available[k] / sizes[k]
        parts.append(pairs.iloc[rows][["left", "right"]].assign(stratum=k, weight=weight))
    sample = pd.concat(parts).iloc[rng.permutation(int(sizes.sum()))].reset_index(drop=True)
    sides = sample[["left", "right"]].to_numpy()
    sides = np.where(rng.random(len(sides))[:, None] < 0.5, sides, sides[:, ::-1])
    return sample.assign(left=sides[:, 0], right=sides[:, 1])
