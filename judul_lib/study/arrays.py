"""A fitted model as plain arrays: checking a title needs no scikit-learn and no pickle.

scikit-learn takes two seconds to import, more than a whole check may take, and
a pickle runs code when it is read. So every model folder also holds
``arrays.npz``, from which these three classes answer exactly as the fitted
scikit-learn objects do (the tests compare them bit by bit).
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

FloatArray = NDArray[np.float64]
# Rows times trees walked at once: bounds the memory of `ArrayForest` to some 50 MB.
_CELLS = 2_000_000

FOREST_ARRAYS = ("roots", "feature", "threshold", "left", "right", "value")


class ArrayTfidf:
    """TF-IDF of unigrams and bigrams over blank-separated tokens, L2-normalised rows.

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
        counts: list[int] = []
        ends = [0]
        for text in processed:
            tokens = text.split()
            bigrams = (f"{first} {second}" for first, second in pairwise(tokens))
            row: dict[int, int] = {}
            for term in (*tokens, *bigrams):
                column = self.vocabulary_.get(term)
                if column is not None:
                    row[column] = row.get(column, 0) + 1
            columns.extend(sorted(row))
            counts.extend(row[column] for column in sorted(row))
            ends.append(len(columns))
        index = np.array(columns, dtype=np.int32)
        values = np.array(counts, dtype=np.float64) * self.idf[index]
        rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        norms = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(ends) - 1))
        return csr_matrix(
            (values / norms[rows], index, np.array(ends, dtype=np.int32)),
            shape=(len(ends) - 1, len(self.idf)),
        )


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
    """A random forest of two classes; node arrays of all trees one after the other.

    Attributes
    ----------
    roots : ndarray of int, shape (n_trees,)
        Number of each tree's root node.
    feature, threshold, left, right : ndarray, shape (n_nodes,)
        A row goes left where ``float32(x[feature]) <= threshold``. A leaf
        points at itself.
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
        total = np.zeros(len(features))
        step = max(1, _CELLS // len(self.roots))
        rows = np.asarray(features, dtype=np.float32)
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            # Tree by tree and in order: the sums then round as scikit-learn's do.
            for leaves in self._leaves(chunk):
                total[start : start + step] += self.value[leaves]
        positive = total / len(self.roots)
        return np.column_stack([1.0 - positive, positive])

    def contributions(self, features: FloatArray) -> tuple[float, FloatArray]:
        """Take the forest's probabilities apart, feature by feature.

        On the way from root to leaf each split changes the probability of the
        node; the change belongs to the feature that was asked. Summed over a
        tree and averaged over the forest, the changes and the mean of the
        roots are the probability, exactly.

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
        nodes = np.repeat(self.roots[:, None], len(rows), axis=1)
        places = np.broadcast_to(np.arange(len(rows)), nodes.shape)
        while True:
            following = self._step(rows, nodes)
            if np.array_equal(following, nodes):
                return float(self.value[self.roots].mean()), parts / len(self.roots)
            np.add.at(parts, (places, self.feature[nodes]), self.value[following] - self.value[nodes])
            nodes = following

    def _leaves(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        nodes = np.repeat(self.roots[:, None], len(rows), axis=1)
        while True:
            following = self._step(rows, nodes)
            if np.array_equal(following, nodes):
                return nodes
            nodes = following

    def _step(self, rows: NDArray[np.float32], nodes: NDArray[np.int32]) -> NDArray[np.int32]:
        start = np.arange(len(rows), dtype=np.intp) * rows.shape[1]
        goes_left = rows.ravel().take(start + self.feature.take(nodes)) <= self.threshold.take(nodes)
        return np.where(goes_left, self.left.take(nodes), self.right.take(nodes))


def array_forest(forest: Any) -> ArrayForest:
    """Take over a fitted forest of scikit-learn: two classes, the positive one last."""
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
    """Write fitted scikit-learn objects as one compressed ``.npz`` without pickles.

    Parameters
    ----------
    tfidf : TfidfVectorizer
    scaler : StandardScaler
    forest : RandomForestClassifier
        Two classes, the positive one last.
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
    """Read what `to_bytes` wrote; nothing is unpickled.

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
