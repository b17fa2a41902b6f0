"""Describe in words, field by field, what two titles share, what differs and what only one names.

Only units that the comparison itself has matched are called shared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from judul_lib.core.array_types import Rows
from judul_lib.structured.comparison import AlignedPairs, align
from judul_lib.structured.model import StructuredModel
from judul_lib.structured.records import RecordTable
from judul_lib.structured.relations import LEXICON_NEARNESS, Relations
from judul_lib.structured.units import Unit

SAME, PARTLY, ALIKE, DIFFERENT_FIELD, ONE_SIDED, UNNAMED = (
    "sama",
    "sebagian sama",
    "serupa",
    "berbeda",
    "hanya di satu judul",
    "tidak disebut",
)
FIELD_NAMES = {"task": "tugas", "object": "objek", "method": "metode", "place": "tempat"}
_ORDER = ("object", "method", "task", "place")
_ONE_SIDED_PHRASES = ("hanya di usulan", "hanya di arsip")


@dataclass(frozen=True)
class FieldComparison:
    """One field of two titles.

    Attributes
    ----------
    field : str
        One of `judul_lib.structured.lexicon.FIELDS`.
    shared : tuple of str
        Names of the matched units.
    left, right : tuple of str
        Texts of the units that only one title has; those of no weight, and those that another unit
        implies, are left out.
    alike_left, alike_right : tuple of str
        Texts of the units that may stand for each other without making another study.
    """

    field: str
    shared: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]
    alike_left: tuple[str, ...] = ()
    alike_right: tuple[str, ...] = ()

    @property
    def relation(self) -> str:
        """`SAME`, `PARTLY`, `ALIKE`, `DIFFERENT_FIELD`, `ONE_SIDED` or `UNNAMED`."""
        if self.shared:
            return PARTLY if self.left and self.right else SAME
        if self.alike_left:
            return PARTLY if self.left and self.right else ALIKE
        if self.left and self.right:
            return DIFFERENT_FIELD
        return ONE_SIDED if self.left or self.right else UNNAMED

    def __str__(self) -> str:
        """Return an Indonesian phrase, such as *metode berbeda: cnn – svm*."""
        parts = [f"{self.relation}: {', '.join(self.shared)}"] if self.shared else []
        if self.alike_left:
            parts.append(f"{ALIKE}: {', '.join(self.alike_left)} – {', '.join(self.alike_right)}")
        if self.left and self.right:
            parts.append(f"{DIFFERENT_FIELD}: {', '.join(self.left)} – {', '.join(self.right)}")
        elif self.left or self.right:
            parts.append(f"{_ONE_SIDED_PHRASES[bool(self.right)]}: {', '.join(self.left or self.right)}")
        return f"{FIELD_NAMES[self.field]} {', '.join(parts)}" if parts else ""


def compare_fields(model: StructuredModel, left: str, right: str) -> list[FieldComparison]:
    """Compare a proposed title with one of an archive: object, method, task, place.

    Examples
    --------
    >>> from judul_lib.checking.registry import load_structured
    >>> model, _ = load_structured("outputs/structured")
    >>> a = "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman"
    >>> b = "Klasifikasi Penyakit Daun Padi dengan SVM di Bantul"
    >>> for comparison in compare_fields(model, a, b):
    ...     print(comparison)
    objek sama: penyakit tanaman, padi
    metode berbeda: cnn – svm
    tugas sama: klasifikasi
    tempat berbeda: sleman – bantul
    """
    row = np.array([0])
    return compare_rows(model.records([left]), model.records([right]), row, row)[0]


def compare_rows(
    left: RecordTable,
    right: RecordTable,
    left_rows: Rows,
    right_rows: Rows,
    relations: Relations | None = None,
    abbreviations: Mapping[int, Rows] = MappingProxyType({}),
) -> list[list[FieldComparison]]:
    """Compare rows of one table with rows of another, each pair as `compare_fields` does.

    Parameters
    ----------
    left_rows, right_rows : ndarray of int, shape (n,)
    relations : Relations
        Between the units of the tables; computed if missing.
    abbreviations : mapping of int to ndarray
        `find_abbreviations` of some left rows, where it has been called already.
    """
    if not len(left_rows):
        return []
    relations = relations or Relations.between(left.units, right.units)
    pairs = align(left, right, left_rows, right_rows, relations, abbreviations)
    rows = zip(left_rows.tolist(), right_rows.tolist(), strict=True)
    return [
        _compare_pair(pairs, number, left.parse(left_row), right.parse(right_row))
        for number, (left_row, right_row) in enumerate(rows)
    ]


def _compare_pair(
    pairs: AlignedPairs, number: int, left: Sequence[Unit], right: Sequence[Unit]
) -> list[FieldComparison]:
    sides, titles = [side.row(number) for side in (pairs.left, pairs.right)], (left, right)
    fields = [np.array([_ORDER.index(unit.field) for unit in units], dtype=int) for units in titles]
    n_left, n_right = map(len, titles)
    is_alike = pairs.near[number, :n_left, :n_right] >= LEXICON_NEARNESS
    is_alike &= fields[0][:, None] == fields[1]
    alike = is_alike.any(axis=1), is_alike.any(axis=0)
    shared: dict[str, list[str]] = {field: [] for field in _ORDER}
    texts: list[dict[str, list[str]]] = []
    for side, units, near in zip(sides, titles, alike, strict=True):
        n = len(units)
        has_weight = side.gather(side.units.weights)[:n] > 0
        for k in np.flatnonzero(side.matched[:n]).tolist():
            shared[units[k].field].append(units[k].name)
        for chosen in (side.unmatched[:n] & ~near & has_weight, near):
            texts.append({field: [] for field in _ORDER})
            for k in np.flatnonzero(chosen).tolist():
                texts[-1][units[k].field].append(units[k].text)
    comparisons = []
    for field in _ORDER:
        left_only, left_alike, right_only, right_alike = (tuple(of_field[field]) for of_field in texts)
        names = tuple(dict.fromkeys(shared[field]))
        comparisons.append(FieldComparison(field, names, left_only, right_only, left_alike, right_alike))
    return comparisons


def explain(model: StructuredModel, left: str, right: str) -> str:
    """Return one Indonesian sentence that compares two titles field by field."""
    return describe(compare_fields(model, left, right))


def describe(comparisons: Sequence[FieldComparison]) -> str:
    """Join comparisons into one sentence; fields that neither title names are left out."""
    return "; ".join(str(c) for c in comparisons if c.relation != UNNAMED)
