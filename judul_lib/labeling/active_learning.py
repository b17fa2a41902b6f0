"""Which pairs of titles a person should judge next: those a model is least sure of, unlike one another.

A label on a pair that the model is sure of teaches it little, and so does the
tenth label on the same kind of pair. Notebook 11 shows what the choice is worth.
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
# Random pairs for each near one: what shares no word may be the same study all the same.
_RANDOM_SHARE = 0.25
_MAX_TITLES_ALL_PAIRS = 30
# Of a larger catalogue, pairs of this many titles drawn at random are looked at.
_MAX_TITLES = 2_000
# Pairs that a model is asked for at once.
_MAX_PAIRS_PER_BATCH = 4_000


def candidate_pairs(
    titles: list[str],
    *,
    n_neighbours: int = N_NEIGHBOURS,
    random_state: int = SEED,
) -> tuple[Rows, Rows]:
    """Return pairs worth asking about: near neighbours by TF-IDF, and some at random.

    Parameters
    ----------
    titles : list of str, shape (n,)
        Of up to 30, all pairs; of more than 2,000, the neighbours of 2,000 drawn at random.

    Returns
    -------
    left, right : ndarray of int, shape (n_pairs,)
        ``left < right``; sorted, none twice.

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
    asked = np.sort(rng.permutation(n)[:_MAX_TITLES])
    processed = preprocess_titles(titles)
    tfidf = fit_vectorizer(processed, FULL).transform(processed)
    near = sp_matmul_topn(tfidf[asked], tfidf.T.tocsr(), top_n=n_neighbours + 1).tocoo()
    n_random = round(_RANDOM_SHARE * len(near.row))
    left = np.concatenate([asked[near.row], rng.choice(asked, n_random)])
    right = np.concatenate([near.col, rng.integers(n, size=n_random)])
    pairs = np.unique(np.sort(np.column_stack([left, right]), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]].astype(np.intp)
    return pairs[:, 0], pairs[:, 1]


def uncertainty(probability: ArrayLike, threshold: float = DECISION_THRESHOLD) -> FloatArray:
    """Return how near probabilities are to the threshold: 1 on it, 0 where they are 0 or 1.

    Examples
    --------
    >>> uncertainty([0.0, 0.3, 0.6, 0.8, 1.0], threshold=0.6).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    given = np.asarray(probability, dtype=float)
    is_above = given >= threshold
    room = np.where(is_above, 1 - threshold, threshold)
    distance = np.abs(given - threshold)
    return np.round(1 - np.divide(distance, room, out=np.zeros_like(given), where=room > 0), 9)


def choose_random(
    uncertainties: FloatArray, features: FloatArray, n: int, rng: np.random.Generator
) -> Rows:
    """Choose pairs whatever the model says.

    Examples
    --------
    >>> sorted(choose_random(np.zeros(3), np.zeros((3, 2)), 3, np.random.default_rng(0)).tolist())
    [0, 1, 2]
    """
    return rng.permutation(len(uncertainties))[:n]


def choose_unsure(
    uncertainties: FloatArray, features: FloatArray, n: int, rng: np.random.Generator
) -> Rows:
    """Choose the pairs that the model is least sure of; ties are drawn.

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
    """Choose pairs that the model is unsure of and that are unlike one another.

    The least sure pair comes first, then always the one whose doubt times its
    distance from all before it is largest (greedy *k-centre*, weighted). So
    the start of the list is as diverse as a list of its length can be,
    near-copies wait for the end, and pairs that the model is sure of too.

    On the development pairs this did as well as the least sure pairs alone
    where the model learns after every 20 labels, and better where it learns
    after 100; k-means on the features and density did no better.

    Parameters
    ----------
    uncertainties : ndarray of float, shape (n_pairs,)
        As from `uncertainty`.
    features : ndarray of float, shape (n_pairs, n_features)
        What the model sees; each column is brought to the same scale.
    n : int
    rng : Generator
        Draws the order of ties.

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
    chosen, farness = [0], np.full(len(points), np.inf)
    while len(chosen) < n:
        squares = ((points - points[chosen[-1]]) ** 2).sum(axis=1)
        farness = np.minimum(farness, squares)
        # Processors differ in the last digits of a sum; the choice should not.
        worth = np.round(weight * np.sqrt(farness), 9)
        worth[chosen] = -1
        chosen.append(int(np.argmax(worth)))
    return order[chosen]


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {"beragam": choose_diverse, "ragu": choose_unsure, "acak": choose_random}
)
"""Ways to choose, as a user names them: unsure and diverse, unsure alone, random."""


def select_pairs(
    checker: Checker,
    n: int,
    *,
    labelled: Iterable[tuple[str, str]] = (),
    strategy: str = "beragam",
    random_state: int = SEED,
) -> pd.DataFrame:
    """Choose pairs of a model's corpus for a person to judge.

    Parameters
    ----------
    checker : Checker
        Any model with the corpus.
    n : int
        Pairs wanted; fewer come back where there are no more.
    labelled : iterable of (str, str)
        Pairs not to ask again, in either order.
    strategy : {"beragam", "ragu", "acak"}
        Name out of `STRATEGIES`.
    random_state : int
        The same seed, model and corpus give the same pairs in the same order.

    Returns
    -------
    DataFrame, shape (n, 4)
        ``judul_a``, ``judul_b``, ``probability`` and ``ketidakpastian`` (see
        `uncertainty`), the pair to ask first in front.

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
    """Score the pairs out of which `select_pairs` chooses.

    Returns
    -------
    DataFrame, shape (n_pairs, 4)
        As from `select_pairs`, in the order of `candidate_pairs`.
    features : ndarray of float, shape (n_pairs, n_features)
        What the model sees of them.
    """
    titles = _comparable(checker.titles)
    left, right = candidate_pairs(titles, random_state=random_state)
    known = {pair_key(*pair) for pair in labelled}
    pairs = [(titles[a], titles[b]) for a, b in zip(left, right, strict=True)]
    pairs = [pair for pair in pairs if pair_key(*pair) not in known]
    chunks = (pairs[at : at + _MAX_PAIRS_PER_BATCH] for at in range(0, len(pairs), _MAX_PAIRS_PER_BATCH))
    parts = [checker.pair_features(*zip(*chunk, strict=True)) for chunk in chunks]
    features = np.vstack(parts) if parts else np.empty((0, 1))
    probability = np.concatenate([checker.probability(part) for part in parts] or [np.empty(0)])
    frame = pd.DataFrame(pairs, columns=list(CHOSEN_COLUMNS[:2]))
    uncertainties = uncertainty(probability, checker.threshold)
    return frame.assign(probability=np.round(probability, 9), ketidakpastian=uncertainties), features


def _comparable(titles: Sequence[str]) -> list[str]:
    """Return the titles that hold a word, those that are the same but for case and signs once."""
    distinct: dict[str, str] = {}
    for title, stems in zip(titles, preprocess_titles(titles), strict=True):
        if stems:
            distinct.setdefault(title_key(title), title)
    return list(distinct.values())
