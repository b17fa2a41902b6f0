"""The fitted models of the study as plain arrays, and a forest as a lookup table."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from judul_lib.core.array_types import BoolArray, FloatArray
from judul_lib.study.features import FEATURES, row_sums

# Rows times trees evaluated at once: limits the memory of `ArrayForest` to about 50 MB.
_CELLS = 2_000_000
_MAX_CELLS = 2**62

FOREST_ARRAYS = ("roots", "feature", "threshold", "left", "right", "value")


class ArrayTfidf:
    """TF-IDF of unigrams and bigrams of blank-separated tokens, with L2-normalised rows.

    Parameters
    ----------
    terms : sequence of str, shape (n_terms,)
        Terms in column order.
    idf : ndarray of float, shape (n_terms,)

    Examples
    --------
    >>> tfidf = ArrayTfidf(["deteksi", "deteksi hoaks"], np.array([1.0, 2.0]))
    >>> tfidf.transform(["deteksi hoaks", "padi"]).toarray().round(3).tolist()
    [[0.447, 0.894], [0.0, 0.0]]
    """

    def __init__(self, terms: Sequence[str], idf: FloatArray) -> None:
        self.terms, self.idf = list(terms), idf
        self.vocabulary_ = {term: column for column, term in enumerate(terms)}

    def transform(self, processed: Sequence[str]) -> csr_matrix:
        """Return the TF-IDF rows of preprocessed titles, shape (n, n_terms)."""
        columns: list[int] = []
        ends = [0]
        for text in processed:
            tokens = text.split()
            terms = (*tokens, *map(" ".join, pairwise(tokens)))
            columns += [self.vocabulary_[term] for term in terms if term in self.vocabulary_]
            ends.append(len(columns))
        indices, indptr = np.array(columns, dtype=np.int32), np.array(ends, dtype=np.int32)
        rows = csr_matrix(
            (np.ones(len(columns)), indices, indptr), shape=(len(processed), len(self.idf))
        )
        rows.sum_duplicates()
        rows.data *= self.idf[rows.indices]
        norms = np.sqrt(row_sums(rows.multiply(rows)))
        rows.data /= np.repeat(norms, np.diff(rows.indptr))
        return rows


@dataclass(frozen=True)
class ArrayScaler:
    """``StandardScaler``: subtract the mean, divide by the scale, both of shape (n_features,).

    Examples
    --------
    >>> ArrayScaler(np.array([0.5]), np.array([0.25])).transform(np.array([[1.0]])).tolist()
    [[2.0]]
    """

    mean: FloatArray
    scale: FloatArray

    def transform(self, features: FloatArray) -> FloatArray:
        """Return the standardised features, shape (n, n_features)."""
        return (features - self.mean) / self.scale


@dataclass(frozen=True)
class ArrayForest:
    """A random forest of two classes, with the node arrays of all trees concatenated.

    Attributes
    ----------
    roots : ndarray of int, shape (n_trees,)
        Index of each tree's root node.
    feature, threshold, left, right : ndarray, shape (n_nodes,)
        A row goes left if ``float32(x[feature]) <= threshold``. A leaf points at itself.
    value : ndarray of float, shape (n_nodes,)
        Probability of the positive class.

    Examples
    --------
    >>> tree = {"roots": [0], "feature": [0, 0, 0], "threshold": [0.5, 0, 0]}
    >>> tree |= {"left": [1, 1, 2], "right": [2, 1, 2], "value": [0.5, 0.25, 1.0]}
    >>> forest = ArrayForest(**{name: np.array(values) for name, values in tree.items()})
    >>> forest.predict_proba(np.array([[0.2], [0.8]])).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    >>> base, parts = forest.contributions(np.array([[0.2], [0.8]]))
    >>> base, parts.tolist()
    (0.5, [[-0.25], [0.5]])
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: FloatArray
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: FloatArray

    def predict_proba(self, features: FloatArray) -> FloatArray:
        """Return the class probabilities, shape (n, 2), positive class last."""
        rows = np.asarray(features, dtype=np.float32)
        cells = self._cells(rows)
        if cells is None:
            positive = self._positive(rows)
        else:  # Rows in the same cell take the same way through all trees.
            _, first, cell_of_row = np.unique(cells, return_index=True, return_inverse=True)
            positive = self._positive(rows[first])[cell_of_row]
        return np.column_stack([1.0 - positive, positive])

    def _positive(self, rows: NDArray[np.float32]) -> FloatArray:
        total = np.zeros(len(rows))
        step = max(1, _CELLS // len(self.roots))
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            # Summed in the order of the trees, to round as scikit-learn does.
            for leaves in self._leaves(chunk):
                total[start : start + step] += self.value[leaves]
        return total / len(self.roots)

    @cached_property
    def _edges(self) -> list[FloatArray]:
        """Sorted thresholds of each feature that the trees ask for."""
        is_split = self.left != np.arange(len(self.left))
        feature, threshold = self.feature[is_split], self.threshold[is_split]
        n_features = int(feature.max(initial=-1)) + 1
        return [np.unique(threshold[feature == number]) for number in range(n_features)]

    def _cells(self, rows: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return for each row the number of its cell between thresholds; None if they are too many."""
        if math.prod(len(edges) + 1 for edges in self._edges) > _MAX_CELLS:
            return None
        cells = np.zeros(len(rows), dtype=np.int64)
        for number, edges in enumerate(self._edges):
            cells = cells * (len(edges) + 1) + np.searchsorted(edges, rows[:, number])
        return cells

    def contributions(self, features: FloatArray) -> tuple[float, FloatArray]:
        """Decompose the forest's probabilities by feature.

        From root to leaf each split changes the probability of the node; the
        change is attributed to the feature of the split. The mean of the roots plus
        the changes, averaged over the trees, is exactly the probability.

        Parameters
        ----------
        features : ndarray of float, shape (n, n_features)

        Returns
        -------
        base : float
            Mean probability of the roots.
        parts : ndarray of float, shape (n, n_features)

        References
        ----------
        Palczewska, A. et al. (2013). *Interpreting random forest models using
        a feature contribution method*.
        """
        rows = np.asarray(features, dtype=np.float32)
        parts = np.zeros(rows.shape)
        for nodes, children in pairwise(self._paths(rows)):
            row_numbers = np.broadcast_to(np.arange(len(rows)), nodes.shape)
            changes = self.value[children] - self.value[nodes]
            np.add.at(parts, (row_numbers, self.feature[nodes]), changes)
        return float(self.value[self.roots].mean()), parts / len(self.roots)

    def _leaves(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        for nodes in self._paths(rows):
            leaves = nodes
        return leaves

    def _paths(self, rows: NDArray[np.float32]) -> Iterator[NDArray[np.int32]]:
        """Yield the nodes of all rows, shape (n_trees, n), from the roots until all are leaves."""
        start = np.arange(len(rows), dtype=np.intp) * rows.shape[1]
        nodes = np.repeat(self.roots[:, None], len(rows), axis=1)
        while True:
            yield nodes
            values = rows.ravel().take(start + self.feature.take(nodes))
            is_left = values <= self.threshold.take(nodes)
            children = np.where(is_left, self.left.take(nodes), self.right.take(nodes))
            if np.array_equal(children, nodes):
                return
            nodes = children


def array_forest(forest: Any) -> ArrayForest:
    """Convert a fitted scikit-learn forest of two classes, the positive one last."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])], dtype=np.int32)
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    itself = np.arange(len(leaf), dtype=np.int32)

    def nodes(name: str) -> NDArray[np.int32]:
        shifted = [getattr(tree, name) + root for tree, root in zip(trees, roots, strict=True)]
        return np.where(leaf, itself, np.concatenate(shifted)).astype(np.int32)

    return ArrayForest(
        roots=roots,
        feature=np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
        threshold=np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees])),
        left=nodes("children_left"),
        right=nodes("children_right"),
        value=np.concatenate([tree.value[:, 0, 1] for tree in trees]),
    )


def to_bytes(tfidf: Any, scaler: Any, forest: Any) -> bytes:
    """Write a fitted vectorizer, scaler and forest of scikit-learn as a ``.npz`` without pickles.

    The forest has two classes, the positive one last.
    """
    plain = array_forest(forest)
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        terms=np.frombuffer("\n".join(tfidf.get_feature_names_out()).encode(), dtype=np.uint8),
        idf=tfidf.idf_,
        mean=scaler.mean_,
        scale=scaler.scale_,
        **{name: getattr(plain, name) for name in FOREST_ARRAYS},
    )
    return stream.getvalue()


def from_bytes(content: bytes) -> tuple[ArrayTfidf, ArrayScaler, ArrayForest]:
    """Read what `to_bytes` wrote, without unpickling.

    Examples
    --------
    >>> from pathlib import Path
    >>> content = Path("outputs/light/arrays.npz").read_bytes()
    >>> [type(part).__name__ for part in from_bytes(content)]
    ['ArrayTfidf', 'ArrayScaler', 'ArrayForest']
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        terms = stored["terms"].tobytes().decode().split("\n")
        return (
            ArrayTfidf(terms, stored["idf"]),
            ArrayScaler(stored["mean"], stored["scale"]),
            ArrayForest(*(stored[name] for name in FOREST_ARRAYS)),
        )


# A larger table takes longer to compute than it saves.
MAX_TABLE_CELLS = 2_000_000


@dataclass(frozen=True)
class ForestTable:
    """A forest over `FEATURES`, each in [0, 1], as a lookup table.

    A forest only compares features with thresholds, so its probability is
    constant between them and the table is exact.

    Attributes
    ----------
    cuts : tuple of ndarray of float, shape (n_cuts,) each
        For each threshold of a feature, the smallest value above it.
    probability : ndarray of float, shape (n_cuts + 1, ...), one axis per feature
        Probability in each cell.
    bound : ndarray of float, shape (n_cuts + 1, n_cuts + 1, n_cuts + 1)
        Largest probability if the first two features are in this cell, the third
        in this or a lower one, and `EXTRA_FEATURES` anywhere: an upper bound if
        only an upper bound of the third is known.
    """

    cuts: tuple[FloatArray, ...]
    probability: FloatArray
    bound: FloatArray

    @classmethod
    def from_forest(cls, scaler: Any, forest: Any) -> "ForestTable | None":
        """Tabulate a forest of this module or scikit-learn; None beyond `MAX_TABLE_CELLS`."""
        plain = forest if isinstance(forest, ArrayForest) else array_forest(forest)
        is_split = plain.left != np.arange(len(plain.left))
        cuts = []
        for feature in range(len(FEATURES)):
            thresholds = np.unique(plain.threshold[is_split & (plain.feature == feature)])
            cuts.append(_min_values_above(scaler, feature, thresholds))
        shape = tuple(len(cut) + 1 for cut in cuts)
        if np.prod(shape, dtype=np.int64) > MAX_TABLE_CELLS:
            return None
        edges = np.meshgrid(*([0.0, *cut] for cut in cuts), indexing="ij")
        features = np.stack(edges, axis=-1).reshape(-1, len(FEATURES))
        probability = plain.predict_proba(scaler.transform(features))[:, 1].reshape(shape)
        best = probability.max(axis=tuple(range(3, len(FEATURES))))
        return cls(tuple(cuts), probability, np.maximum.accumulate(best, axis=2))

    def cells(self, feature: int, values: FloatArray) -> NDArray[np.uint16]:
        """Return the cell number of each value of a feature, same shape."""
        cells = np.zeros(np.shape(values), dtype=np.uint16)
        for cut in self.cuts[feature]:
            cells += values >= cut
        return cells

    def predict(self, features: FloatArray) -> FloatArray:
        """Return the probability of each row, shape (n,); columns in the order of `FEATURES`."""
        cells = tuple(self.cells(feature, column) for feature, column in enumerate(features.T))
        return self.probability[cells]


def _min_values_above(scaler: Any, feature: int, thresholds: FloatArray) -> FloatArray:
    """Return by bisection the smallest values in [0, 1] that are above thresholds after scaling."""

    def is_above(values: FloatArray) -> BoolArray:
        rows = np.zeros((len(values), len(FEATURES)))
        rows[:, feature] = values
        return np.float32(scaler.transform(rows)[:, feature]) > thresholds

    low, high = np.zeros(len(thresholds)), np.ones(len(thresholds))
    is_inside = is_above(high) & ~is_above(low)
    while True:
        middle = (low + high) / 2
        if np.all((middle == low) | (middle == high)):
            return np.unique(high[is_inside])
        above = is_above(middle)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
