"""Boosted trees as plain arrays: log-odds and the contribution of each feature, with numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import BoolArray, FloatArray, Rows

# Rows per batch: its arrays fit in the processor's cache.
_ROWS = 512
_ARRAY_NAMES = ("feature", "left", "right", "threshold", "value")


@dataclass(frozen=True)
class BoostedTrees:
    """Small regression trees whose sum is a log-odds.

    Attributes
    ----------
    base : float
        Log-odds before any tree.
    feature, left, right : ndarray of int, shape (n_trees, n_nodes)
        Feature on which a node splits, and its children; a leaf is its own child.
    threshold : ndarray of float, shape (n_trees, n_nodes)
        Rows up to this value go left.
    value : ndarray of float, shape (n_trees, n_nodes)
        Output of a leaf; at other nodes, the mean output of the training rows that reached it.

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

        The outcomes of all splits of a tree are the bits of a number, which is looked up in a
        table of leaves.

        References
        ----------
        Lucchese, C., et al. (2015). *QuickScorer: a fast algorithm to rank documents with additive
        ensembles of regression trees*.
        """
        starts = range(0, len(features), _ROWS)
        batches = (self._log_odds(features[start : start + _ROWS]) for start in starts)
        return np.concatenate([np.empty(0), *batches])

    def _log_odds(self, features: FloatArray) -> FloatArray:
        splits, table = self._split_tables
        columns = np.ascontiguousarray(features.T)
        codes = np.zeros((len(table), len(features)), dtype=np.uint16)
        for bit, (feature, threshold) in enumerate(splits):
            codes += (columns[feature] <= threshold[:, None]) * np.uint16(1 << bit)
        leaves = np.ascontiguousarray(np.take_along_axis(table, codes.astype(np.intp), axis=1).T)
        # Rounded, so that ties are ties on every processor.
        return np.round(self.base + leaves.sum(axis=1), 9)

    @cached_property
    def _split_tables(self) -> tuple[list[tuple[Rows, FloatArray]], FloatArray]:
        """Features and thresholds of each tree's first split, second split ..., and the leaf outputs."""
        is_split = self.left != np.arange(self.left.shape[1])
        bit = np.cumsum(is_split, axis=1) - 1
        n_splits = max(1, int(is_split.sum(axis=1).max(initial=0)))
        feature = np.zeros((n_splits, len(self.left)), dtype=np.intp)
        threshold = np.full(feature.shape, -np.inf)
        tree, node = np.nonzero(is_split)
        feature[bit[tree, node], tree] = self.feature[tree, node]
        threshold[bit[tree, node], tree] = self.threshold[tree, node]
        codes = np.arange(2**n_splits)
        trees = np.arange(len(self.left))[:, None]
        node = np.zeros((len(self.left), len(codes)), dtype=np.intp)
        for _ in range(self.depth):
            goes_left = (codes >> np.maximum(bit[trees, node], 0)) & 1 == 1
            step = np.where(goes_left, self.left[trees, node], self.right[trees, node])
            node = np.where(is_split[trees, node], step, node)
        return list(zip(feature, threshold, strict=True)), self.value[trees, node]

    def contributions(self, features: FloatArray) -> FloatArray:
        """Return what each feature adds to `start` on the way to the leaves, shape (n, n_features).

        References
        ----------
        Saabas, A. (2014). *Interpreting random forests*.
        """
        added = np.zeros(features.shape)
        rows = np.arange(len(features))
        for tree in range(len(self.value)):
            node: Rows = np.zeros(len(features), dtype=np.intp)
            for _ in range(self.depth):
                feature = self.feature[tree, node]
                goes_left = features[rows, feature] <= self.threshold[tree, node]
                child = np.where(goes_left, self.left[tree, node], self.right[tree, node])
                added[rows, feature] += self.value[tree, child] - self.value[tree, node]
                node = child
        return added

    @property
    def start(self) -> float:
        """`base` plus the mean output of every tree: `contributions` add to this."""
        return float(self.base + self.value[:, 0].sum())

    def arrays(self, prefix: str) -> dict[str, NDArray]:
        """Return the trees as arrays for `from_arrays`."""
        return {f"{prefix}_base": np.array(self.base)} | {
            f"{prefix}_{name}": getattr(self, name) for name in _ARRAY_NAMES
        }

    @classmethod
    def from_arrays(cls, arrays: Any, prefix: str) -> "BoostedTrees":
        """Return the trees that `arrays` stored."""
        parts = (arrays[f"{prefix}_{name}"] for name in _ARRAY_NAMES)
        return cls(float(arrays[f"{prefix}_base"]), *parts)


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
        Whether the output may only fall, is free, or may only rise with a feature.
    weights : ndarray of float, shape (n,)
        Row weights.
    n_bins : int
        Bins of a feature: few are fast and do not fit noise.
    share : float in (0, 1]
        Share of the features that are drawn for each split.

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
    # Trees this small are fitted faster than a second thread starts.
    with threadpool_limits(limits=1, user_api="openmp"):
        fitted = learner.fit(features, labels, sample_weight=weights)
    nodes = [predictor.nodes for (predictor,) in fitted._predictors]
    shape = len(nodes), max(len(tree) for tree in nodes)
    structure = {name: np.zeros(shape, dtype=np.int16) for name in ("feature", "left", "right")}
    threshold, value = np.zeros(shape), np.zeros(shape)
    for row, tree in enumerate(nodes):
        node = np.arange(len(tree))
        is_leaf = tree["is_leaf"].astype(bool)
        structure["feature"][row, node] = np.where(is_leaf, 0, tree["feature_idx"])
        for side in ("left", "right"):
            structure[side][row, node] = np.where(is_leaf, node, tree[side])
        threshold[row, node] = np.where(is_leaf, 0.0, tree["num_threshold"])
        value[row, node] = _node_values(tree, is_leaf)
    base = float(np.ravel(fitted._baseline_prediction)[0])
    return BoostedTrees(
        round(base, 7), **structure, threshold=np.round(threshold, 7), value=np.round(value, 7)
    )


def _node_values(tree: Any, is_leaf: BoolArray) -> FloatArray:
    """Return the mean output of the training rows that reached each node."""
    total = np.where(is_leaf, tree["value"] * tree["count"], 0.0)
    for node in range(len(tree) - 1, -1, -1):  # Children come after their parents.
        if not is_leaf[node]:
            total[node] = total[tree["left"][node]] + total[tree["right"][node]]
    means: FloatArray = total / np.maximum(tree["count"], 1)
    return means
