"""What the log-odds of the structured model cannot exceed, given what is known of many pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judul_lib.errors import ModelError
from judul_lib.features import FURTHER
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
        most = sum(self._weight[name] for name in FURTHER)  # None of them is above 1.
        self._start = float(model.intercept - model.centre @ model.coefficients) + most

    def log_odds(
        self, sums: PartSums, cosine: Singles, jaccard: Singles, ratio: Singles | None = None
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
        low = np.float32(0) if ratio is None else ratio
        odds = self._whole(sums, cosine, jaccard, np.float32(1) if ratio is None else ratio)
        copied = worded = np.float32(0)
        for group, fields in GROUPS.items():
            neither, one = (np.float32(weight[f"{group}_{part}"]) for part in ("neither", "one"))
            sides = [
                [np.float32(weight[f"{group}_{part}{how}"]) for how in ("", "_copied", "_worded")]
                for part in ("min", "max")
            ]
            if not any((neither, one, *sides[0], *sides[1])):
                continue
            own = float(sums.query_totals[list(fields)].sum())
            present = _sum(sums.title_totals, fields) > 0
            for share, (found, as_copied, as_worded) in zip(
                _shares(sums, fields, own, present), sides, strict=True
            ):
                # What finds no counterpart counts by how alike the letters and words are.
                copied, worded = copied + as_copied, worded + as_worded
                if found or as_copied or as_worded:
                    odds += share * (found - as_copied * low - as_worded * jaccard)
            if neither or one:
                odds += np.where(present, *((0, one) if own > 0 else (one, neither)))
        odds += copied * low + worded * jaccard
        return odds

    def ceiling(self, sums: PartSums, cosine: Singles, jaccard: Singles) -> Singles:
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
        odds = self._whole(sums, cosine, jaccard, np.float32(1))
        odds += bonus[pattern]
        return odds

    def _whole(
        self, sums: PartSums, cosine: Singles, jaccard: Singles, high: Singles | np.float32
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


def _shares(
    sums: PartSums, fields: Sequence[int], own: float, present: NDArray[np.bool_]
) -> tuple[Singles, Singles]:
    """Return upper bounds of the columns ``min`` and ``max`` of a group."""
    totals = np.maximum(_sum(sums.title_totals, fields), np.float32(1e-9))
    title = np.minimum(_sum(sums.title_found, fields) / totals, np.float32(1))
    whole = np.where(present, title, np.float32(1))
    if own <= 0:
        return whole, whole
    query = np.minimum(_sum(sums.query_found, fields) / np.float32(own), np.float32(1))
    return np.minimum(query, whole), np.maximum(query, title)


def _sum(columns: Singles, fields: Sequence[int]) -> Singles:
    return columns[fields[0]] if len(fields) == 1 else columns[list(fields)].sum(axis=0)
