"""Evaluate methods of comparing titles on the gold pairs."""

from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import DECISION_THRESHOLD, SEED
from judul_lib.evaluation.baselines import Method, Scorer
from judul_lib.structured.gold import HARD_KINDS
from judul_lib.study.metrics import bootstrap_intervals, score_predictions

_FALSE_ALARM_RATE = 0.05
# Bounds the memory of `evaluate_retrieval`.
_MAX_PAIRS_PER_BATCH = 60_000


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold with the highest accuracy, in the middle of its gap between scores.

    Examples
    --------
    >>> best_threshold([0, 0, 1], [0.1, 0.2, 0.6])
    0.4
    """
    labels, scores = np.asarray(labels, dtype=int), np.asarray(scores, dtype=float)
    values = np.unique(scores)
    cuts = np.concatenate([[values[0]], (values[:-1] + values[1:]) / 2, [values[-1] + 1e-9]])
    accuracy = [(labels == (scores >= cut)).mean() for cut in cuts]
    return float(cuts[int(np.argmax(accuracy))])


def score_all(scorers: Mapping[str, Scorer], pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the score of each pair (row) by each method (column)."""
    left, right = pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
    scores = {name: scorer(left, right) for name, scorer in scorers.items()}
    return pd.DataFrame(scores, index=pairs.index)


def leaderboard(
    development: pd.DataFrame,
    development_scores: pd.DataFrame,
    test: pd.DataFrame,
    test_scores: pd.DataFrame,
    *,
    n_resamples: int = 1000,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Evaluate each method on the test pairs, with its threshold chosen on the development pairs.

    Parameters
    ----------
    development, test : DataFrame
        Gold pairs as from `judul_lib.structured.gold.read_gold`.
    development_scores, test_scores : DataFrame
        As from `score_all`.

    Returns
    -------
    DataFrame
        One row a method, best first: ``roc_auc``, ``low``, ``high`` (95 %, by
        base study), ``roc_auc_hard``, ``hard_low``, ``hard_high``,
        ``average_precision``, ``f1_weighted`` and ``accuracy`` at
        ``threshold``, ``paraphrase_recall`` (at 5 % false alarms), ``brier``.
    """
    options = {"n_resamples": n_resamples, "random_state": random_state}
    dev_rows = development["label"].notna().to_numpy()
    dev_labels = development["label"][dev_rows].to_numpy(dtype=int)
    rows, hard = test["label"].notna().to_numpy(), test["kind"].isin(HARD_KINDS).to_numpy()
    labels, bases = test["label"].fillna(0).to_numpy(dtype=int), test["base_id"].to_numpy()
    table = {}
    for name in test_scores:
        scores = test_scores[name].to_numpy()
        threshold = best_threshold(dev_labels, development_scores[name][dev_rows])
        metrics = score_predictions(labels[rows], scores[rows], threshold=threshold)
        on_all, on_hard = (
            bootstrap_intervals(labels[part], scores[part], bases[part], **options).loc["roc_auc"]
            for part in (rows, hard)
        )
        table[name] = {
            "roc_auc": on_all["estimate"],
            "low": on_all["low"],
            "high": on_all["high"],
            "roc_auc_hard": on_hard["estimate"],
            "hard_low": on_hard["low"],
            "hard_high": on_hard["high"],
            "average_precision": metrics["average_precision"],
            "f1_weighted": metrics["f1_weighted"],
            "accuracy": metrics["accuracy"],
            "threshold": threshold,
            "paraphrase_recall": _paraphrase_recall(test, scores),
            "brier": float(np.mean((scores[rows] - labels[rows]) ** 2)),
        }
    frame = pd.DataFrame(table).T
    return frame.sort_values("roc_auc_hard", ascending=False, kind="stable")


def _paraphrase_recall(test: pd.DataFrame, scores: FloatArray) -> float:
    """Return the recall of paraphrases at 5 % false alarms on different studies."""
    different = (test["label"] == 0).fillna(False).to_numpy(dtype=bool)
    threshold = np.quantile(scores[different], 1 - _FALSE_ALARM_RATE)
    return float((scores[(test["kind"] == "parafrase").to_numpy()] > threshold).mean())


def similar_share_by_kind(
    test: pd.DataFrame, scores: pd.DataFrame, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Return the share of each kind of pair that each method calls similar."""
    return pd.DataFrame(
        {
            name: (scores[name] >= thresholds[str(name)]).groupby(test["kind"], sort=False).mean()
            for name in scores
        }
    )


def evaluate_retrieval(
    scorer: Scorer,
    queries: Sequence[str],
    originals: Sequence[str],
    corpus: Sequence[str],
    *,
    threshold: float = DECISION_THRESHOLD,
) -> dict[str, float]:
    """Search a corpus for the original of each query.

    Parameters
    ----------
    queries, originals : sequence of str, shape (n,)
        ``originals[i]``, a title of the corpus, is what ``queries[i]`` paraphrases.
    corpus : sequence of str, shape (m,)
        Distinct titles.
    threshold : float
        Score from which a title is called similar.

    Returns
    -------
    dict
        ``R@1``, ``R@5`` and ``MRR``, ties counting against the method;
        ``alarm palsu``: share of the queries for which another title reaches
        the threshold.
    """
    position = {title: row for row, title in enumerate(corpus)}
    step = max(1, _MAX_PAIRS_PER_BATCH // len(corpus))
    ranks, alarms = [], []
    for start in range(0, len(queries), step):
        batch = queries[start : start + step]
        left = [query for query in batch for _ in corpus]
        scores = np.asarray(scorer(left, list(corpus) * len(batch))).reshape(len(batch), len(corpus))
        for row, original in zip(scores, originals[start : start + step], strict=True):
            target = position[original]
            ranks.append(int((row >= row[target]).sum()))
            alarms.append(bool((np.delete(row, target) >= threshold).any()))
    rank = np.array(ranks)
    return {
        "R@1": float((rank <= 1).mean()),
        "R@5": float((rank <= 5).mean()),
        "MRR": float((1 / rank).mean()),
        "alarm palsu": float(np.mean(alarms)),
    }


def measure_costs(
    methods: Mapping[str, Method], pairs: pd.DataFrame, *, n_rounds: int = 3
) -> pd.DataFrame:
    """Measure the time of each method on some pairs, and the size of its fitted parts.

    Returns
    -------
    DataFrame
        Index: method; ``milliseconds`` for 1,000 pairs (median of the rounds),
        ``kilobytes`` of the fitted parts.
    """
    left, right = pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
    table = {}
    for name, method in methods.items():
        seconds = []
        for _ in range(n_rounds):
            start = perf_counter()
            method(left, right)
            seconds.append(perf_counter() - start)
        table[name] = {
            "milliseconds": 1e6 * float(np.median(seconds)) / len(pairs),
            "kilobytes": method.n_bytes / 1024,
        }
    return pd.DataFrame(table).T


def is_clear_winner(board: pd.DataFrame, retrieval: pd.DataFrame, name: str) -> bool:
    """Return whether a method is good enough to become the default.

    Its interval on the hard pairs must lie above that of every other method, and
    no other method may have a higher ``R@1``.

    Parameters
    ----------
    board : DataFrame
        As from `leaderboard`.
    retrieval : DataFrame
        One row a method with ``R@1``, as from `evaluate_retrieval`.
    """
    others = board.drop(index=name)
    is_best = board.loc[name, "hard_low"] > others["hard_high"].max()
    return bool(is_best and retrieval.loc[name, "R@1"] >= retrieval["R@1"].max())
