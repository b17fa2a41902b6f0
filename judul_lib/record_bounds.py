"""What the log-odds of the structured model cannot exceed, given what is known of many pairs."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from judul_lib.errors import ModelError
from judul_lib.features import FloatArray
from judul_lib.records import GROUPS
from judul_lib.structured import MONOTONE, STRUCTURED_FEATURES, StructuredModel

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class PartSums:
    """What is known of a query with each of *n* titles.

    Attributes
    ----------
    query_found : ndarray, shape (n, n_fields)
        Weight of the query's units in each field that find a counterpart, or more.
    query_totals : ndarray, shape (n_fields,)
        Weight of the query's units in each field.
    title_found : ndarray, shape (n, n_fields)
        Weight of the title's units in each field that find a counterpart.
    title_totals : ndarray, shape (n, n_fields)
    meaning : ndarray, shape (n, 2)
        ``meaning`` and ``object_meaning`` as in `RECORD_FEATURES`.
    """

    query_found: Singles
    query_totals: Singles
    title_found: Singles
    title_totals: Singles
    meaning: Singles

    def take(self, rows: NDArray[np.intp]) -> "PartSums":
        """Return what is known of some titles."""
        return PartSums(
            self.query_found[rows], self.query_totals, self.title_found[rows],
            self.title_totals[rows], self.meaning[rows],
        )  # fmt: skip

    def all_found(self) -> "PartSums":
        """Return the same as if every unit found a counterpart."""
        every = np.broadcast_to(self.query_totals, self.query_found.shape)
        return replace(self, query_found=every, title_found=self.title_totals)


class UpperBound:
    """The upper bound of a model's log-odds.

    A weight whose sign is prescribed says in which direction a feature can
    raise the answer: likeness counts as high, what differs as low, as it can be.

    Parameters
    ----------
    model : StructuredModel

    Raises
    ------
    ModelError
        A weight has not the sign that `MONOTONE` prescribes.
    """

    def __init__(self, model: StructuredModel) -> None:
        if np.any(model.coefficients * MONOTONE < 0):
            raise ModelError("Tanda bobot model ini tidak tetap; indeks tidak dapat dibuat untuknya.")
        self._weight = dict(zip(STRUCTURED_FEATURES, model.coefficients.tolist(), strict=True))
        self._start = float(model.intercept - model.centre @ model.coefficients)

    def log_odds(
        self, sums: PartSums, cosine: FloatArray, jaccard: FloatArray, ratio: FloatArray | None = None
    ) -> Singles:
        """Bound the log-odds of pairs, shape (n,).

        Parameters
        ----------
        sums : PartSums
        cosine, jaccard : ndarray, shape (n,)
        ratio : ndarray, shape (n,)
            Levenshtein ratios; where they are not known, whatever raises most.
        """
        weight = self._weight
        odds = np.full(len(cosine), self._start, dtype=np.float32)
        high, low = (1.0, 0.0) if ratio is None else (ratio, ratio)
        for name, value in zip(
            ("cosine", "jaccard", "levenshtein", "meaning", "object_meaning"),
            (cosine, jaccard, high, *sums.meaning.T), strict=True,
        ):  # fmt: skip
            if weight[name]:
                odds += np.float32(weight[name]) * value
        for group, fields in GROUPS.items():
            names = [f"{group}_{part}" for part in ("min", "max", "neither", "one")]
            lost = [f"{name}_{how}" for name in names[:2] for how in ("copied", "worded")]
            if not any(weight[name] for name in (*names, *lost)):
                continue
            worse, better, neither, one = _shares(sums, list(fields))
            for name, value in zip(names, (worse, better, neither, one), strict=True):
                odds += np.float32(weight[name]) * value
            for share, (copied, worded) in ((worse, lost[:2]), (better, lost[2:])):
                odds += (1 - share) * (weight[copied] * low + weight[worded] * jaccard)
        return odds


def _shares(sums: PartSums, fields: list[int]) -> tuple[Singles, ...]:
    """Return upper bounds of the columns ``min`` and ``max``, and ``neither`` and ``one``."""
    own = float(sums.query_totals[fields].sum())
    totals = sums.title_totals[:, fields].sum(axis=1)
    present = totals > 0
    title = np.divide(
        sums.title_found[:, fields].sum(axis=1), totals, out=np.ones_like(totals), where=present
    )
    query = sums.query_found[:, fields].sum(axis=1) / own if own > 0 else np.ones_like(totals)
    worse = np.minimum(np.minimum(query, title), 1)
    single = present != (own > 0)
    better = np.where(single, worse, np.minimum(np.maximum(query, title), 1))
    return worse, better, ~present & (own <= 0), single
