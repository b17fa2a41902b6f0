"""Active learning: choose uncertain and diverse pairs of titles for a person to label.

A model learns little from a label on a pair that it is sure of, or from the
tenth label on similar pairs. Notebook 11 shows what the choice is worth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.preprocessing import StandardScaler
from sparse_dot_topn import sp_matmul_topn

from judul_lib.checking.checker import Checker
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.errors import LabelError
from judul_lib.core.settings import DECISION_THRESHOLD, FULL, SEED
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.preprocessing import pair_key, preprocess_titles, title_key

Strategy = Callable[[FloatArray, FloatArray, int, np.random.Generator], Rows]

CHOSEN_COLUMNS = ("judul_a", "judul_b", "probability", "ketidakpastian")
N_NEIGHBOURS = 8
"""Nearest titles that each title is paired with; nearly all pairs of an archive share nothing."""
# Random pairs per near pair: titles that share no word may still be the same study.
_RANDOM_SHARE = 0.25
_MAX_TITLES_ALL_PAIRS = 30
# Titles sampled from a larger corpus.
_MAX_TITLES = 2_000
_MAX_PAIRS_PER_BATCH = 4_000


def candidate_pairs(
    titles: list[str],
    *,
    n_neighbours: int = N_NEIGHBOURS,
    random_state: int = SEED,
) -> tuple[Rows, Rows]:
    """Return pairs worth labelling: nearest neighbours by TF-IDF, and random pairs.

    Parameters
    ----------
    titles : list of str, shape (n,)
        Up to 30 titles give all pairs; of more than 2,000, a random 2,000 are paired.

    Returns
    -------
    left, right : ndarray of int, shape (n_pairs,)
        ``left < right``; sorted and distinct.

    Examples
    --------
    >>> left, right = candidate_pairs(["Harga beras", "Harga padi", "Citra paru"])
    >>> left.tolist(), right.tolist()
    ([0, 0, 1], [1, 2, 2])
    """
    n = len(titles)
    if n <= _MAX_TITLES_ALL_PAIRS:
        return np.triu_indices(n, k=1)
    rng = np.random.default_rng(random_state)
    queries = np.sort(rng.permutation(n)[:_MAX_TITLES])
    processed = preprocess_titles(titles)
    tfidf = fit_vectorizer(processed, FULL).transform(processed)
    near = sp_matmul_topn(tfidf[queries], tfidf.T.tocsr(), top_n=n_neighbours + 1).tocoo()
    n_random = round(_RANDOM_SHARE * len(near.row))
    left = np.concatenate([queries[near.row], rng.choice(queries, n_random)])
    right = np.concatenate([near.col, rng.integers(n, size=n_random)])
    pairs = np.unique(np.sort(np.column_stack([left, right]), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]].astype(np.intp)
    return pairs[:, 0], pairs[:, 1]


def uncertainty(probability: ArrayLike, threshold: float = DECISION_THRESHOLD) -> FloatArray:
    """Return the closeness of probabilities to the threshold, from 0 (at 0 or 1) to 1 (at it).

    Examples
    --------
    >>> uncertainty([0.0, 0.3, 0.6, 0.8, 1.0], threshold=0.6).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    p = np.asarray(probability, dtype=float)
    distance = np.abs(p - threshold)
    max_distance = np.where(p >= threshold, 1 - threshold, threshold)
    relative = np.divide(distance, max_distance, out=np.zeros_like(p), where=max_distance > 0)
    return np.round(1 - relative, 9)


def choose_random(
    uncertainties: FloatArray, features: FloatArray, n: int, rng: np.random.Generator
) -> Rows:
    """Choose pairs at random.

    Examples
    --------
    >>> sorted(choose_random(np.zeros(3), np.zeros((3, 2)), 3, np.random.default_rng(0)).tolist())
    [0, 1, 2]
    """
    return rng.permutation(len(uncertainties))[:n]


def choose_unsure(
    uncertainties: FloatArray, features: FloatArray, n: int, rng: np.random.Generator
) -> Rows:
    """Choose the most uncertain pairs; ties are broken at random.

    Examples
    --------
    >>> choose_unsure(np.array([0.1, 0.9, 0.5]), np.zeros((3, 2)), 2, np.random.default_rng(0)).tolist()
    [1, 2]
    """
    order = rng.permutation(len(uncertainties))
    return order[np.argsort(-uncertainties[order], kind="stable")[:n]]


def choose_diverse(
    uncertainties: FloatArray, features: FloatArray, n: int, rng: np.random.Generator
) -> Rows:
    """Choose pairs that are uncertain and unlike one another.

    The most uncertain pair comes first, then always the pair with the largest
    product of uncertainty and distance from those before it (weighted greedy
    *k-centre*). Every prefix of the list is diverse; near-duplicates and certain
    pairs come last.

    On the development pairs this did as well as uncertainty alone where the
    model is retrained after every 20 labels, and better after 100; k-means on
    the features and density weighting did no better.

    Parameters
    ----------
    uncertainties : ndarray of float, shape (n_pairs,)
        As from `uncertainty`.
    features : ndarray of float, shape (n_pairs, n_features)
        Features of the model; standardized here.
    n : int
    rng : Generator
        Breaks ties.

    Returns
    -------
    ndarray of int, shape (min(n, n_pairs),)

    References
    ----------
    Gonzalez, T. (1985). *Clustering to minimize the maximum intercluster
    distance*; for labels: Sener, O., & Savarese, S. (2018). *Active learning for
    convolutional neural networks: a core-set approach*.

    Examples
    --------
    >>> uncertainties, features = np.array([0.9, 0.9, 0.8]), np.array([[0.5], [0.5], [0.1]])
    >>> 2 in choose_diverse(uncertainties, features, 2, np.random.default_rng(0))
    True
    """
    order = choose_unsure(uncertainties, features, len(uncertainties), rng)
    if len(order) <= n:
        return order
    points, weight = StandardScaler().fit_transform(features)[order], uncertainties[order]
    chosen, squared_distance = [0], np.full(len(points), np.inf)
    while len(chosen) < n:
        squares = ((points - points[chosen[-1]]) ** 2).sum(axis=1)
        squared_distance = np.minimum(squared_distance, squares)
        # The last digits of a sum depend on the processor; the choice should not.
        score = np.round(weight * np.sqrt(squared_distance), 9)
        score[chosen] = -1
        chosen.append(int(np.argmax(score)))
    return order[chosen]


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {"beragam": choose_diverse, "ragu": choose_unsure, "acak": choose_random}
)
"""Strategies by their user-facing names: diverse and uncertain, uncertain, random."""


def select_pairs(
    checker: Checker,
    n: int,
    *,
    labelled: Iterable[tuple[str, str]] = (),
    strategy: str = "beragam",
    random_state: int = SEED,
) -> pd.DataFrame:
    """Choose pairs of a model's corpus for a person to label.

    Parameters
    ----------
    checker : Checker
        With the corpus.
    n : int
        Number of pairs; fewer are returned if there are no more.
    labelled : iterable of (str, str)
        Pairs to leave out, in either order.
    strategy : {"beragam", "ragu", "acak"}
        Name in `STRATEGIES`.
    random_state : int
        The same seed, model and corpus give the same pairs in the same order.

    Returns
    -------
    DataFrame, shape (n, 4)
        ``judul_a``, ``judul_b``, ``probability`` and ``ketidakpastian`` (see
        `uncertainty`), in the order of asking.

    Raises
    ------
    LabelError
        There is no such strategy, or ``n`` is below 1.
    """
    if strategy not in STRATEGIES:
        raise LabelError(f"Cara memilih {strategy!r} tidak dikenal. Pilih: {', '.join(STRATEGIES)}.")
    if n < 1:
        raise LabelError(f"Jumlah pasangan harus sedikitnya 1, bukan {n}.")
    scored, features = score_candidates(checker, labelled=labelled, random_state=random_state)
    rng = np.random.default_rng(random_state)
    rows = STRATEGIES[strategy](scored["ketidakpastian"].to_numpy(), features, n, rng)
    return scored.iloc[rows].reset_index(drop=True)


def score_candidates(
    checker: Checker, *, labelled: Iterable[tuple[str, str]] = (), random_state: int = SEED
) -> tuple[pd.DataFrame, FloatArray]:
    """Score the pairs from which `select_pairs` chooses.

    Returns
    -------
    DataFrame, shape (n_pairs, 4)
        As from `select_pairs`, in the order of `candidate_pairs`.
    features : ndarray of float, shape (n_pairs, n_features)
        Features of the model.
    """
    titles = _distinct_titles(checker.titles)
    left, right = candidate_pairs(titles, random_state=random_state)
    excluded = {pair_key(*pair) for pair in labelled}
    pairs = [(titles[a], titles[b]) for a, b in zip(left, right, strict=True)]
    pairs = [pair for pair in pairs if pair_key(*pair) not in excluded]
    parts = [
        checker.pair_features(*zip(*pairs[start : start + _MAX_PAIRS_PER_BATCH], strict=True))
        for start in range(0, len(pairs), _MAX_PAIRS_PER_BATCH)
    ]
    features = np.vstack(parts) if parts else np.empty((0, 1))
    probability = np.concatenate([checker.probability(part) for part in parts] or [np.empty(0)])
    frame = pd.DataFrame(pairs, columns=list(CHOSEN_COLUMNS[:2]))
    uncertainties = uncertainty(probability, checker.threshold)
    return frame.assign(probability=np.round(probability, 9), ketidakpastian=uncertainties), features


def _distinct_titles(titles: Sequence[str]) -> list[str]:
    """Return the titles with a stem, without copies up to case and punctuation."""
    distinct: dict[str, str] = {}
    for title, stems in zip(titles, preprocess_titles(titles), strict=True):
        if stems:
            distinct.setdefault(title_key(title), title)
    return list(distinct.values())
