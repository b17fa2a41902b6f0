"""What the log-odds of the structured model cannot exceed, given what is known of many pairs."""

from dataclasses import dataclass
from typing import Any

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
    query_found : ndarray, shape (n_fields, n)
        Weight of the query's units in each field that find a counterpart, or more.
    query_totals : ndarray, shape (n_fields,)
        Weight of the query's units in each field.
    title_found : ndarray, shape (n_fields, n)
        Weight of the title's units in each field that find a counterpart, or more.
    title_totals : ndarray, shape (n_fields, n)
    meaning : ndarray, shape (2, n)
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
            self.query_found[:, rows], self.query_totals, self.title_found[:, rows],
            self.title_totals[:, rows], self.meaning[:, rows],
        )  # fmt: skip


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
        high, low = (1.0, 0.0) if ratio is None else (ratio, ratio)
        odds = self._whole(sums, cosine, jaccard, high)
        for group, fields in GROUPS.items():
            names = [f"{group}_{part}" for part in ("min", "max", "neither", "one")]
            lost = [f"{name}_{how}" for name in names[:2] for how in ("copied", "worded")]
            if not any(weight[name] for name in (*names, *lost)):
                continue
            worse, better, neither, one = _shares(sums, list(fields))
            for name, value in zip(names, (worse, better, neither, one), strict=True):
                if weight[name]:
                    odds += np.float32(weight[name]) * value
            for share, (copied, worded) in ((worse, lost[:2]), (better, lost[2:])):
                if weight[copied] or weight[worded]:
                    odds += (1 - share) * (weight[copied] * low + weight[worded] * jaccard)
        return odds

    def ceiling(self, sums: PartSums, cosine: FloatArray, jaccard: FloatArray) -> Singles:
        """Bound the log-odds as if every unit of both titles found a counterpart, shape (n,)."""
        weight, n_fields = self._weight, len(sums.title_totals)
        # It depends on which fields the title has, so on as many bits.
        has = (sums.title_totals > 0).astype(np.uint8)
        pattern = sum(has[field] << field for field in range(n_fields))
        every = np.arange(2**n_fields)
        bonus = np.zeros(len(every), dtype=np.float32)
        for group, fields in GROUPS.items():
            present = np.bitwise_and(every, sum(1 << field for field in fields)) > 0
            own = bool(sums.query_totals[list(fields)].sum() > 0)
            bonus += weight[f"{group}_min"] + weight[f"{group}_max"]
            bonus += weight[f"{group}_neither"] * (~present & (not own))
            bonus += weight[f"{group}_one"] * (present != own)
        odds = self._whole(sums, cosine, jaccard, 1.0)
        odds += bonus[pattern]
        return odds

    def _whole(
        self, sums: PartSums, cosine: FloatArray, jaccard: FloatArray, high: FloatArray | float
    ) -> Singles:
        """Return the part that does not depend on the shares."""
        odds = np.full(len(cosine), self._start, dtype=np.float32)
        for name, value in zip(
            ("cosine", "jaccard", "levenshtein", "meaning", "object_meaning"),
            (cosine, jaccard, high, *sums.meaning), strict=True,
        ):  # fmt: skip
            if self._weight[name]:
                odds += np.float32(self._weight[name]) * value
        return odds


def _shares(sums: PartSums, fields: list[int]) -> tuple[NDArray[Any], ...]:
    """Return upper bounds of the columns ``min`` and ``max``, and ``neither`` and ``one``."""
    own = float(sums.query_totals[fields].sum())
    totals = _sum(sums.title_totals, fields)
    present = totals > 0
    title = np.divide(_sum(sums.title_found, fields), totals, out=np.ones_like(totals), where=present)
    np.minimum(title, 1, out=title)
    if own <= 0:
        return title, title, ~present, present
    query = np.minimum(_sum(sums.query_found, fields) / np.float32(own), 1)
    worse = np.minimum(query, title)
    better = np.where(present, np.maximum(query, title), worse)
    return worse, better, np.zeros_like(present), ~present


def _sum(columns: Singles, fields: list[int]) -> Singles:
    return columns[fields[0]] if len(fields) == 1 else columns[fields].sum(axis=0)
