"""A small forest written out as a table: what it answers in every cell between its thresholds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.study.arrays import ArrayForest, array_forest
from judul_lib.study.features import FEATURES

FloatArray = NDArray[np.float64]
# A table of more cells takes longer to make than it saves.
MOST_CELLS = 2_000_000


@dataclass(frozen=True)
class ForestTable:
    """The answers of a forest of the features in `FEATURES`, each in [0, 1].

    A forest asks only whether a feature lies above a threshold. Between the
    thresholds its answer is constant, so that a table of all cells is the
    forest itself, exactly.

    Attributes
    ----------
    cuts : tuple of ndarray of float, shape (n_cuts,) each
        The least value of each feature that lies above each threshold.
    probability : ndarray of float, shape (n_cuts + 1, ...), one axis a feature
        The answer in each cell.
    bound : ndarray of float, shape (n_cuts + 1, n_cuts + 1, n_cuts + 1)
        The best answer where the first two features are in this cell, the third
        in it or in one below, and those of `FURTHER` anywhere: an upper bound
        where the third is only known not to be larger.
    """

    cuts: tuple[FloatArray, ...]
    probability: FloatArray
    bound: FloatArray

    @classmethod
    def of(cls, scaler: Any, forest: Any) -> "ForestTable | None":
        """Tabulate a forest; None where the table would have more than `MOST_CELLS`.

        Parameters
        ----------
        scaler, forest
            Those of `judul_lib.study.arrays`, or fitted ones of scikit-learn.
        """
        plain = forest if isinstance(forest, ArrayForest) else array_forest(forest)
        inner = plain.left != np.arange(len(plain.left))
        cuts = []
        for feature in range(len(FEATURES)):
            thresholds = np.unique(plain.threshold[inner & (plain.feature == feature)])
            cuts.append(_least_above(scaler, feature, thresholds))
        shape = tuple(len(cut) + 1 for cut in cuts)
        if np.prod(shape, dtype=np.int64) > MOST_CELLS:
            return None
        edges = np.meshgrid(*([0.0, *cut] for cut in cuts), indexing="ij")
        features = np.stack(edges, axis=-1).reshape(-1, len(FEATURES))
        probability = plain.predict_proba(scaler.transform(features))[:, 1].reshape(shape)
        best = probability.max(axis=tuple(range(3, len(FEATURES))))
        return cls(tuple(cuts), probability, np.maximum.accumulate(best, axis=2))

    def cells(self, feature: int, values: FloatArray) -> NDArray[np.uint16]:
        """Return the cell of each value of a feature, same shape."""
        cells = np.zeros(np.shape(values), dtype=np.uint16)
        for cut in self.cuts[feature]:
            cells += values >= cut
        return cells

    def further_cells(self, values: FloatArray) -> tuple[NDArray[np.uint16], ...]:
        """Return the cells of the features in `FURTHER`, from their values of shape (n, n_further)."""
        return tuple(self.cells(feature, column) for feature, column in enumerate(values.T, start=3))


def _least_above(scaler: Any, feature: int, thresholds: FloatArray) -> FloatArray:
    """Return the least values in [0, 1] that a forest, behind its scaler, finds above thresholds."""

    def above(values: FloatArray) -> NDArray[np.bool_]:
        rows = np.zeros((len(values), len(FEATURES)))
        rows[:, feature] = values
        return np.float32(scaler.transform(rows)[:, feature]) > thresholds

    low, high = np.zeros(len(thresholds)), np.ones(len(thresholds))
    reached = above(high) & ~above(low)
    while True:
        middle = (low + high) / 2
        if np.all((middle == low) | (middle == high)):
            return np.unique(high[reached])
        up = above(middle)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
