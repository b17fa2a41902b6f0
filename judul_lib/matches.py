"""What a check returns: corpus titles with their scores and labels, best first."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.features import FEATURES, FloatArray
from judul_lib.settings import DECISION_THRESHOLD, DIFFERENT, SIMILAR

RESULT_COLUMNS = ("judul_ref", *FEATURES, "rf_probability", "rf_label")
REMARK_COLUMN = "penjelasan"
ELSEWHERE_REMARK = "penelitian serupa di tempat lain"


@dataclass(frozen=True)
class Matches:
    """Corpus titles compared with one query, best first.

    Attributes
    ----------
    titles : list of str, shape (n,)
        Corpus titles.
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.features.FEATURES`.
    probability : ndarray of float, shape (n,)
        ``rf_probability`` in [0, 1].
    threshold : float
        Probability from which a title counts as similar.
    labels : list of str, shape (n,)
        ``rf_label`` of each title.
    remarks : list of str, shape (n,) or (0,)
        What each title shares with the query, field by field, where the model
        can tell.
    """

    titles: list[str]
    features: FloatArray
    probability: FloatArray
    threshold: float
    labels: list[str]
    remarks: list[str] = field(default_factory=list)

    @property
    def is_similar(self) -> bool:
        """Whether the best match counts as similar."""
        return bool(self.labels) and self.labels[0] == SIMILAR

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict a title with the keys `RESULT_COLUMNS`, and the remark where there is one."""
        columns = (*RESULT_COLUMNS, *([REMARK_COLUMN] if self.remarks else []))
        features = [list(map(float, values)) for values in self.features]
        parts = zip(self.titles, features, map(float, self.probability), self.labels, strict=True)
        rows = [(title, *values, p, name) for title, values, p, name in parts]
        if self.remarks:
            rows = [(*row, remark) for row, remark in zip(rows, self.remarks, strict=True)]
        return [dict(zip(columns, row, strict=True)) for row in rows]


def label(probability: float, threshold: float = DECISION_THRESHOLD) -> str:
    """Return ``rf_label`` for a probability.

    Examples
    --------
    >>> label(0.5), label(0.49)
    ('MIRIP', 'TIDAK MIRIP')
    """
    return SIMILAR if probability >= threshold else DIFFERENT


def ranking(features: FloatArray, probability: FloatArray) -> NDArray[np.intp]:
    """Return the rows by probability, then cosine, then Levenshtein ratio, then their own order."""
    cosine, levenshtein = (features[:, list(FEATURES).index(n)] for n in ("cosine", "levenshtein"))
    return np.lexsort((-levenshtein, -cosine, -probability))
