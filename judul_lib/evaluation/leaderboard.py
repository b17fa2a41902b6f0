"""Judge ways to compare titles on the gold pairs."""

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

_FALSE_ALARMS = 0.05
# Pairs scored at once in `retrieval`: bounds the memory.
_PAIRS_AT_ONCE = 60_000


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold with the highest accuracy; the middle of the gap it lies in.

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
    """Return the scores of all methods for all pairs, one column a method."""
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
    """Judge every method on the test pairs, its threshold chosen on the development pairs.

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
    rows, hard = test["label"].notna().to_numpy(), test["kind"].isin(HARD_KINDS).to_numpy()
    labels, bases = test["label"].fillna(0).to_numpy(dtype=int), test["base_id"].to_numpy()
    table = {}
    for name in test_scores:
        scores = test_scores[name].to_numpy()
        dev_labels = development["label"][dev_rows].to_numpy(dtype=int)
        threshold = best_threshold(dev_labels, development_scores[name][dev_rows])
        metrics = score_predictions(labels[rows], scores[rows], threshold=threshold)
        every, difficult = (
            bootstrap_intervals(labels[part], scores[part], bases[part], **options).loc["roc_auc"]
            for part in (rows, hard)
        )
        table[name] = {
            "roc_auc": every["estimate"],
            "low": every["low"],
            "high": every["high"],
            "roc_auc_hard": difficult["estimate"],
            "hard_low": difficult["low"],
            "hard_high": difficult["high"],
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
    """Share of paraphrases found when 5 % of the different studies raise a false alarm."""
    different = (test["label"] == 0).fillna(False).to_numpy(dtype=bool)
    cut = np.quantile(scores[different], 1 - _FALSE_ALARMS)
    return float((scores[(test["kind"] == "parafrase").to_numpy()] > cut).mean())


def similar_share_by_kind(
    test: pd.DataFrame, scores: pd.DataFrame, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Share of the pairs of each kind that each method calls similar."""
    return pd.DataFrame(
        {
            name: (scores[name] >= thresholds[str(name)]).groupby(test["kind"], sort=False).mean()
            for name in scores
        }
    )


def retrieval(
    scorer: Scorer,
    queries: Sequence[str],
    originals: Sequence[str],
    corpus: Sequence[str],
    *,
    threshold: float = DECISION_THRESHOLD,
) -> dict[str, float]:
    """Seek the original of each query in a corpus.

    Parameters
    ----------
    queries, originals : sequence of str, shape (n,)
        ``originals[i]`` is the title that ``queries[i]`` rewords, and is in the corpus.
    corpus : sequence of str, shape (m,)
        Distinct titles.
    threshold : float
        Score from which a title is called similar.

    Returns
    -------
    dict
        ``R@1``, ``R@5`` and ``MRR``, where a tie counts against the method;
        ``alarm palsu``: share of the queries for which another title than
        the original reaches the threshold.
    """
    position = {title: number for number, title in enumerate(corpus)}
    step = max(1, _PAIRS_AT_ONCE // len(corpus))
    ranks, alarms = [], []
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        left = [query for query in some for _ in corpus]
        scores = np.asarray(scorer(left, list(corpus) * len(some))).reshape(len(some), len(corpus))
        for row, original in zip(scores, originals[start : start + step], strict=True):
            own = position[original]
            ranks.append(int((row >= row[own]).sum()))
            alarms.append(bool((np.delete(row, own) >= threshold).any()))
    rank = np.array(ranks)
    return {
        "R@1": float((rank <= 1).mean()),
        "R@5": float((rank <= 5).mean()),
        "MRR": float((1 / rank).mean()),
        "alarm palsu": float(np.mean(alarms)),
    }


def costs(methods: Mapping[str, Method], pairs: pd.DataFrame, *, rounds: int = 3) -> pd.DataFrame:
    """Time each method on some pairs, and weigh what it keeps.

    Returns
    -------
    DataFrame
        Index: method; ``milliseconds`` for 1,000 pairs (median of the rounds),
        ``kilobytes`` of what was fitted.
    """
    left, right = pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
    table = {}
    for name, method in methods.items():
        seconds = []
        for _ in range(rounds):
            start = perf_counter()
            method(left, right)
            seconds.append(perf_counter() - start)
        table[name] = {
            "milliseconds": 1e6 * float(np.median(seconds)) / len(pairs),
            "kilobytes": method.n_bytes / 1024,
        }
    return pd.DataFrame(table).T


def is_clear_winner(board: pd.DataFrame, found: pd.DataFrame, name: str) -> bool:
    """Tell whether a method may become the default.

    On the hard pairs its interval lies above that of every other method, and
    it finds the original at the first place at least as often as any.

    Parameters
    ----------
    board : DataFrame
        As from `leaderboard`.
    found : DataFrame
        One row a method with ``R@1``, as from `retrieval`.
    """
    others = board.drop(index=name)
    apart = board.loc[name, "hard_low"] > others["hard_high"].max()
    return bool(apart and found.loc[name, "R@1"] >= found["R@1"].max())
