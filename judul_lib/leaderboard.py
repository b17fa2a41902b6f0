"""Judge ways to compare titles on the gold pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from judul_lib.baselines import Scorer
from judul_lib.evaluation import bootstrap_intervals, score_predictions
from judul_lib.gold import HARD_KINDS
from judul_lib.settings import SEED

FloatArray = NDArray[np.float64]

_FALSE_ALARMS = 0.05


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
        Gold pairs as from `judul_lib.gold.read_gold`.
    development_scores, test_scores : DataFrame
        As from `score_all`.

    Returns
    -------
    DataFrame
        One row a method, best first: ``roc_auc``, ``low``, ``high`` (95 %, by
        base study), ``roc_auc_hard``, ``hard_low``, ``hard_high``,
        ``average_precision``, ``f1_weighted``, ``accuracy``, ``paraphrase_recall`` (at 5 %
        false alarms), ``brier``.
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


def by_kind(test: pd.DataFrame, scores: pd.DataFrame, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """Share of the pairs of each kind that each method calls similar."""
    return pd.DataFrame(
        {
            name: (scores[name] >= thresholds[str(name)]).groupby(test["kind"], sort=False).mean()
            for name in scores
        }
    )


def retrieval(
    scorer: Scorer, queries: Sequence[str], originals: Sequence[str], corpus: Sequence[str]
) -> dict[str, float]:
    """Seek the original of each query in a corpus.

    Parameters
    ----------
    queries, originals : sequence of str, shape (n,)
        ``originals[i]`` is the title that ``queries[i]`` rewords, and is in the corpus.
    corpus : sequence of str, shape (m,)
        Distinct titles.

    Returns
    -------
    dict
        ``R@1``, ``R@5`` and ``MRR``; a tie counts against the method.
    """
    position = {title: number for number, title in enumerate(corpus)}
    ranks = []
    for query, original in zip(queries, originals, strict=True):
        scores = scorer([query] * len(corpus), corpus)
        ranks.append(int((scores >= scores[position[original]]).sum()))
    rank = np.array(ranks)
    return {
        "R@1": float((rank <= 1).mean()),
        "R@5": float((rank <= 5).mean()),
        "MRR": float((1 / rank).mean()),
    }
