"""How much a MIRIP is worth in one archive: how often it is said there, and how often it is right.

Titles of the archive are drawn at random and each is compared with all *others*, as if it were
proposed now; units are weighed by the whole archive, as in any check against it. That gives the share
of titles that get each answer. Whether an answer is right, only a person can tell: of the pairs of the
drawn titles with the titles nearest to them, a sample is judged.

The sample is stratified by what the model says: dense near the threshold and above, thin below. Each
pair stands for so many of its stratum (Horvitz & Thompson, 1952), so that what is estimated from it
(`judul_lib.evaluation.gauge_estimates`) is true of all these pairs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import require_threshold
from judul_lib.core.errors import CorpusError
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, SEED, SIMILAR
from judul_lib.study.features import FEATURES, FloatArray
from judul_lib.study.metrics import share_interval
from judul_lib.study.preprocessing import title_key

Rows = NDArray[np.intp]
N_TITLES, N_SAMPLE, FEWEST_TITLES = 300, 50, 20
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
        The archive has fewer titles than `FEWEST_TITLES`.
    """
    titles = list(checker.titles)
    keys = np.array(list(map(title_key, titles)), dtype=object)
    _, first = np.unique(keys, return_index=True)
    if len(first) < FEWEST_TITLES:
        raise CorpusError(
            f"Arsip ini hanya berisi {len(first)} judul yang berbeda; untuk mengukurnya perlu "
            f"sedikitnya {FEWEST_TITLES}. Tambahkan judul ke arsip itu."
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
