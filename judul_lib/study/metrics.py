"""Metrics of predictions, with bootstrap intervals."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import DECISION_THRESHOLD, DIFFERENT, SEED, SIMILAR
from judul_lib.study.features import divide_or_zero

CONFIDENCE = 0.95
"""Coverage of every interval."""


METRICS = ("accuracy", "f1_weighted", "roc_auc", "average_precision")
"""Names and values as in ``sklearn.metrics``; NaN where a metric is undefined."""


def ratio(part: float, whole: float, if_undefined: float = 0.0) -> float:
    """Divide; return the other value if the whole is 0.

    Examples
    --------
    >>> ratio(1, 4), ratio(0, 0)
    (0.25, 0.0)
    """
    return float(part / whole) if whole else if_undefined


class SortedScores:
    """Labels and scores, sorted once: a bootstrap only changes the weights of the pairs.

    Parameters
    ----------
    labels : array of {0, 1}, shape (n,)
    scores : array of float, shape (n,)
    threshold : float
        Score from which a pair counts as similar.

    Examples
    --------
    >>> pairs = SortedScores([1, 0, 1], [0.9, 0.8, 0.7], 0.5)
    >>> pairs.metrics(np.array([1.0, 0.0, 2.0]))["average_precision"]
    1.0
    """

    def __init__(
        self, labels: ArrayLike, scores: ArrayLike, threshold: float = DECISION_THRESHOLD
    ) -> None:
        self._labels = np.asarray(labels, dtype=float)
        values, self._rank = np.unique(-np.asarray(scores, dtype=float), return_inverse=True)
        self._n_scores = len(values)
        self._n_positive_scores = int((-values >= threshold).sum())

    def metrics(self, weights: FloatArray | None = None) -> dict[str, float]:
        """Compute every metric; `weights` are how often each pair counts."""
        weights = np.ones(len(self._labels)) if weights is None else weights
        positives = np.bincount(self._rank, weights * self._labels, self._n_scores)
        negatives = np.bincount(self._rank, weights, self._n_scores) - positives
        # Cumulative by distinct score, best first; `tp` and `fp` are those at the threshold.
        tps, fps = np.cumsum(positives), np.cumsum(negatives)
        last = self._n_positive_scores - 1
        tp, fp = (tps[last], fps[last]) if last >= 0 else (0, 0)
        fn, tn = tps[-1] - tp, fps[-1] - fp
        n = tp + fp + fn + tn
        f1_similar = ratio(2 * tp, 2 * tp + fp + fn)
        f1_different = ratio(2 * tn, 2 * tn + fp + fn)
        area = float(np.trapezoid(np.append(0.0, tps), np.append(0.0, fps)))
        precision_sum = float(np.diff(tps, prepend=0.0) @ divide_or_zero(tps, tps + fps))
        return {
            "accuracy": ratio(tp + tn, n),
            "f1_weighted": ratio((tp + fn) * f1_similar + (tn + fp) * f1_different, n),
            "roc_auc": ratio(area, tps[-1] * fps[-1], if_undefined=float("nan")),
            "average_precision": ratio(precision_sum, tps[-1], if_undefined=float("nan")),
        }


def score_predictions(
    labels: ArrayLike, scores: ArrayLike, *, threshold: float = DECISION_THRESHOLD
) -> dict[str, float]:
    """Compute every metric of `METRICS`.

    Parameters
    ----------
    labels : array of {0, 1}, shape (n,)
    scores : array of float in [0, 1], shape (n,), n >= 1
    threshold : float
        Score from which a pair counts as similar.

    Examples
    --------
    >>> score_predictions([0, 1], [0.2, 0.9])["roc_auc"]
    1.0
    """
    return SortedScores(labels, scores, threshold).metrics()


def bootstrap_intervals(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    threshold: float = DECISION_THRESHOLD,
    n_resamples: int = 1000,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Percentile bootstrap interval of every metric, with coverage `CONFIDENCE`.

    Parameters
    ----------
    labels, scores : arrays, shape (n,)
        As in `score_predictions`.
    groups : array, shape (n,)
        Pairs of one group are drawn together, because pairs that share a title
        are not independent. By default each pair is a group.
    n_resamples : int

    Returns
    -------
    DataFrame
        Index: metric; columns ``estimate``, ``low``, ``high``.

    References
    ----------
    Efron, B., & Tibshirani, R. (1993). *An Introduction to the Bootstrap*;
    for groups: Field, C. A., & Welsh, A. H. (2007), *Bootstrapping clustered data*.

    Examples
    --------
    >>> table = bootstrap_intervals([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], n_resamples=20)
    >>> table.columns.tolist(), float(table.loc["accuracy", "estimate"])
    (['estimate', 'low', 'high'], 0.5)
    """
    sorted_scores = SortedScores(labels, scores, threshold)
    resamples = resampled_weights(len(np.asarray(labels)), groups, n_resamples, random_state)
    table = pd.DataFrame([sorted_scores.metrics(weights) for weights in resamples])
    return _intervals(pd.Series(sorted_scores.metrics()), table)


def bootstrap_differences(
    labels: ArrayLike,
    old: ArrayLike,
    new: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    threshold: float = DECISION_THRESHOLD,
    n_resamples: int = 1000,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Percentile bootstrap interval of the gain of new scores over old ones, on the same resamples.

    Parameters
    ----------
    labels, old, new : arrays, shape (n,)
        Scores of two models for the same pairs; else as in `bootstrap_intervals`.

    Returns
    -------
    DataFrame
        Index: metric; columns ``old``, ``new``, ``difference``, ``low``, ``high``.

    Examples
    --------
    >>> better = bootstrap_differences([0, 1] * 20, [0.4, 0.3] * 20, [0.1, 0.9] * 20)
    >>> better.loc["accuracy", ["old", "new", "difference"]].tolist()
    [0.5, 1.0, 0.5]
    """
    models = [SortedScores(labels, scores, threshold) for scores in (old, new)]
    resamples = resampled_weights(len(np.asarray(labels)), groups, n_resamples, random_state)
    pairs = [[model.metrics(weights) for model in models] for weights in resamples]
    old_resampled, new_resampled = (pd.DataFrame(list(side)) for side in zip(*pairs, strict=True))
    old_metrics, new_metrics = (pd.Series(model.metrics()) for model in models)
    intervals = _intervals(new_metrics - old_metrics, new_resampled - old_resampled)
    gains = intervals.rename(columns={"estimate": "difference"})
    return pd.DataFrame({"old": old_metrics, "new": new_metrics}).join(gains)


def resampled_weights(
    n: int, groups: ArrayLike | None, n_resamples: int, random_state: int
) -> Iterator[FloatArray]:
    """Yield for each resample how often each of *n* pairs counts; see `bootstrap_intervals`.

    Examples
    --------
    >>> [weights.tolist() for weights in resampled_weights(3, ["a", "a", "b"], 3, 0)]
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 2.0]]
    """
    names, group = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
    rng = np.random.default_rng(random_state)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    return (group_counts[group].astype(float) for group_counts in counts)


def share_interval(count: int, n: int) -> tuple[float, float, float]:
    """Return a share and the bounds of Wilson's interval.

    Examples
    --------
    >>> [round(value, 3) for value in share_interval(1, 10)]
    [0.1, 0.018, 0.404]
    """
    test = binomtest(count, n)
    bounds = test.proportion_ci(CONFIDENCE, method="wilson")
    return float(test.statistic), float(bounds.low), float(bounds.high)


def _intervals(estimates: pd.Series, resampled: pd.DataFrame) -> pd.DataFrame:
    tail = (1 - CONFIDENCE) / 2
    low, high = resampled.quantile(tail), resampled.quantile(1 - tail)
    return pd.DataFrame({"estimate": estimates, "low": low, "high": high})


def intervals_of_tests(
    tests: Mapping[str, pd.DataFrame], *, group: str | None = None, **options: Any
) -> dict[str, pd.DataFrame]:
    """Apply `bootstrap_intervals` to several test sets.

    Parameters
    ----------
    tests : mapping of str to DataFrame
        Each with ``label`` and ``probability``.
    group : str
        Column with the groups.
    **options
        Of `bootstrap_intervals`.
    """
    return {
        name: bootstrap_intervals(
            test["label"], test["probability"], test[group] if group else None, **options
        )
        for name, test in tests.items()
    }


def classification_report_frame(
    labels: ArrayLike, scores: ArrayLike, *, threshold: float = DECISION_THRESHOLD
) -> pd.DataFrame:
    """Precision, recall, F1 and support of each class.

    Examples
    --------
    >>> classification_report_frame([0, 1, 1], [0.2, 0.9, 0.4])["recall"].tolist()
    [1.0, 0.5]
    """
    predicted = np.asarray(scores, dtype=float) >= threshold
    values = precision_recall_fscore_support(labels, predicted, labels=[0, 1], zero_division=0)
    columns = ["precision", "recall", "f1", "support"]
    frame = pd.DataFrame(np.transpose(values), index=[DIFFERENT, SIMILAR], columns=columns)
    return frame.astype({"support": int})


def confusion_frame(
    labels: ArrayLike, scores: ArrayLike, *, threshold: float = DECISION_THRESHOLD
) -> pd.DataFrame:
    """Count pairs: rows the label, columns the prediction."""
    predicted = np.asarray(scores, dtype=float) >= threshold
    names = [DIFFERENT, SIMILAR]
    return pd.DataFrame(confusion_matrix(labels, predicted, labels=[0, 1]), names, names)
