"""Boosted trees as plain arrays: answers and what each feature adds, with numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import BoolArray, FloatArray, Rows

# So many rows at once that their numbers stay in a processor's cache.
_ROWS = 512


@dataclass(frozen=True)
class BoostedTrees:
    """Small regression trees whose sum is a log-odds.

    Attributes
    ----------
    base : float
        The log-odds before any tree: the mean over what was learnt from.
    feature, left, right : ndarray of int, shape (n_trees, n_nodes)
        Feature on which a node splits, and where its rows go; a leaf leads to itself.
    threshold : ndarray of float, shape (n_trees, n_nodes)
        Rows with at most this go left.
    value : ndarray of float, shape (n_trees, n_nodes)
        Mean answer of the training rows that reached a node; at a leaf, its answer.

    Examples
    --------
    >>> zero = np.zeros((1, 3), dtype=int)
    >>> tree = BoostedTrees(
    ...     0.5, zero, np.array([[1, 1, 2]]), np.array([[2, 1, 2]]),
    ...     np.zeros((1, 3)), np.array([[0.0, -1.0, 1.0]]),
    ... )
    >>> tree.log_odds(np.array([[-3.0], [3.0]])).tolist()
    [-0.5, 1.5]
    """

    base: float
    feature: NDArray[np.int16]
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    threshold: FloatArray
    value: FloatArray

    @property
    def depth(self) -> int:
        """Number of steps after which every row is in a leaf."""
        return self.feature.shape[1] // 2

    def log_odds(self, features: FloatArray) -> FloatArray:
        """Return the log-odds of rows, shape (n,).

        The answers of all splits of a tree are the digits of a number, and a
        table holds the leaf to which each number leads.

        References
        ----------
        Lucchese, C., et al. (2015). *QuickScorer: a fast algorithm to rank documents with additive
        ensembles of regression trees*.
        """
        parts = [features[at : at + _ROWS] for at in range(0, len(features), _ROWS)]
        return np.concatenate([np.empty(0), *map(self._log_odds, parts)])

    def _log_odds(self, features: FloatArray) -> FloatArray:
        splits, table = self._split_tables
        columns = np.ascontiguousarray(features.T)
        codes = np.zeros((len(table), len(features)), dtype=np.uint16)
        for digit, (feature, threshold) in enumerate(splits):
            codes += (columns[feature] <= threshold[:, None]) * np.uint16(1 << digit)
        leaves = np.ascontiguousarray(np.take_along_axis(table, codes.astype(np.intp), axis=1).T)
        # Ties must be ties on every processor.
        return np.round(self.base + leaves.sum(axis=1), 9)

    @cached_property
    def _split_tables(self) -> tuple[list[tuple[Rows, FloatArray]], FloatArray]:
        """Feature and threshold of the first split of every tree, of the second ..., and the leaves."""
        is_split = self.left != np.arange(self.left.shape[1])
        digit = np.cumsum(is_split, axis=1) - 1
        n_splits = max(1, int(is_split.sum(axis=1).max(initial=0)))
        feature = np.zeros((n_splits, len(self.left)), dtype=np.intp)
        threshold = np.full(feature.shape, -np.inf)
        tree, node = np.nonzero(is_split)
        feature[digit[tree, node], tree] = self.feature[tree, node]
        threshold[digit[tree, node], tree] = self.threshold[tree, node]
        codes = np.arange(2**n_splits)
        table = np.zeros((len(self.left), len(codes)))
        trees = np.arange(len(self.left))[:, None]
        node = np.zeros(table.shape, dtype=np.intp)
        for _ in range(self.depth):
            goes_left = (codes >> np.maximum(digit[trees, node], 0)) & 1 == 1
            step = np.where(goes_left, self.left[trees, node], self.right[trees, node])
            node = np.where(is_split[trees, node], step, node)
        return list(zip(feature, threshold, strict=True)), self.value[trees, node]

    def _next(self, tree: int, node: Rows, features: FloatArray) -> Rows:
        seen = features[np.arange(len(features)), self.feature[tree, node]]
        goes_left = seen <= self.threshold[tree, node]
        step: Rows = np.where(goes_left, self.left[tree, node], self.right[tree, node])
        return step

    def contributions(self, features: FloatArray) -> FloatArray:
        """Return what each feature adds to `base` on the way to each leaf, shape (n, n_features).

        References
        ----------
        Saabas, A. (2014). *Interpreting random forests*.
        """
        parts = np.zeros(features.shape)
        rows = np.arange(len(features))
        for tree in range(len(self.value)):
            node: Rows = np.zeros(len(features), dtype=np.intp)
            for _ in range(self.depth):
                new = self._next(tree, node, features)
                change = self.value[tree, new] - self.value[tree, node]
                parts[rows, self.feature[tree, node]] += change
                node = new
        return parts

    @property
    def start(self) -> float:
        """`base` and the mean answer of every tree: where `contributions` begin."""
        return float(self.base + self.value[:, 0].sum())

    def arrays(self, prefix: str) -> dict[str, NDArray]:
        """Return what `from_arrays` reads."""
        names = ("feature", "left", "right", "threshold", "value")
        return {f"{prefix}_base": np.array(self.base)} | {
            f"{prefix}_{name}": getattr(self, name) for name in names
        }

    @classmethod
    def from_arrays(cls, arrays: Any, prefix: str) -> "BoostedTrees":
        """Read what `arrays` gave."""
        names = ("feature", "left", "right", "threshold", "value")
        return cls(float(arrays[f"{prefix}_base"]), *(arrays[f"{prefix}_{name}"] for name in names))


def fit_trees(
    features: FloatArray,
    labels: NDArray[np.int_],
    *,
    directions: Sequence[int] | None = None,
    weights: FloatArray | None = None,
    n_trees: int = 150,
    n_leaves: int = 6,
    rate: float = 0.05,
    min_rows: int = 20,
    penalty: float = 5.0,
    n_bins: int = 31,
    share: float = 0.4,
    random_state: int = 0,
) -> BoostedTrees:
    """Fit trees by gradient boosting on the log-loss.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
    labels : ndarray of {0, 1}, shape (n,)
    directions : sequence of {-1, 0, 1}, shape (n_features,)
        Whether the answer may only fall, move freely, or only rise with a feature.
    weights : ndarray of float, shape (n,)
        How much each row counts.
    n_bins : int
        Number of steps in which a feature is seen: few of them fit no noise, and are fast.
    share : float in (0, 1]
        Of the features, drawn anew for each split.

    References
    ----------
    Friedman, J. H. (2001). *Greedy function approximation: a gradient boosting machine*.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    learner = HistGradientBoostingClassifier(
        max_iter=n_trees, learning_rate=rate, max_leaf_nodes=n_leaves, min_samples_leaf=min_rows,
        l2_regularization=penalty, monotonic_cst=directions, early_stopping=False, max_bins=n_bins,
        max_features=share, random_state=random_state,
    )  # fmt: skip
    # Trees this small are done before a second thread has begun.
    with threadpool_limits(limits=1, user_api="openmp"):
        fitted = learner.fit(features, labels, sample_weight=weights)
    nodes = [predictor.nodes for (predictor,) in fitted._predictors]
    shape = len(nodes), max(len(tree) for tree in nodes)
    found = {name: np.zeros(shape, dtype=np.int16) for name in ("feature", "left", "right")}
    threshold, value = np.zeros(shape), np.zeros(shape)
    for row, tree in enumerate(nodes):
        own = np.arange(len(tree))
        leaf = tree["is_leaf"].astype(bool)
        found["feature"][row, own] = np.where(leaf, 0, tree["feature_idx"])
        for side in ("left", "right"):
            found[side][row, own] = np.where(leaf, own, tree[side])
        threshold[row, own] = np.where(leaf, 0.0, tree["num_threshold"])
        value[row, own] = _node_values(tree, leaf)
    base = float(np.ravel(fitted._baseline_prediction)[0])
    return BoostedTrees(
        round(base, 7), **found, threshold=np.round(threshold, 7), value=np.round(value, 7)
    )


def _node_values(tree: Any, leaf: BoolArray) -> FloatArray:
    """Return the mean answer of the training rows that reached each node."""
    total = np.where(leaf, tree["value"] * tree["count"], 0.0)
    for node in range(len(tree) - 1, -1, -1):  # Children come after their parents.
        if not leaf[node]:
            total[node] = total[tree["left"][node]] + total[tree["right"][node]]
    means: FloatArray = total / np.maximum(tree["count"], 1)
    return means
