"""Say in words, field by field, what two titles share and what not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from judul_lib.features import FloatArray
from judul_lib.record_features import unit_pairs, unit_similarity
from judul_lib.records import RecordTable
from judul_lib.structured import StructuredModel
from judul_lib.title_parser import Unit

SAME, PARTLY, DIFFERENT_FIELD, ONE_SIDED, UNNAMED = (
    "sama",
    "sebagian sama",
    "berbeda",
    "disebut di satu judul",
    "tidak disebut",
)
FIELD_NAMES = {"task": "tugas", "object": "objek", "method": "metode", "place": "tempat"}
_ORDER = ("object", "method", "task", "place")

# From which likeness a unit has found its counterpart, and which share makes a field equal.
_FOUND, _MOST, _FEW = 0.5, 0.75, 0.34


@dataclass(frozen=True)
class FieldComparison:
    """One field of two titles.

    Attributes
    ----------
    field : str
        One of `judul_lib.title_parser.FIELDS`.
    relation : str
        ``"sama"``, ``"sebagian sama"``, ``"berbeda"``, ``"disebut di satu
        judul"`` or ``"tidak disebut"``.
    shared : tuple of str
        What both titles name, as the lexicon calls it.
    left, right : tuple of str
        What only the one or only the other names, as written.
    """

    field: str
    relation: str
    shared: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]

    def __str__(self) -> str:
        """Return an Indonesian phrase, such as *metode berbeda: cnn – svm*."""
        name = f"{FIELD_NAMES[self.field]} {self.relation}"
        if self.relation in {SAME, PARTLY}:
            named = self.shared
        elif self.relation == DIFFERENT_FIELD:
            return f"{name}: {' '.join(self.left)} – {' '.join(self.right)}"
        else:
            named = self.left or self.right
        return f"{name}: {', '.join(named)}" if named else name


def compare_fields(model: StructuredModel, left: str, right: str) -> list[FieldComparison]:
    """Compare two titles field by field: object, method, task, place.

    Examples
    --------
    >>> from judul_lib.registry import load_structured
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
    records = model.records([left, right])
    alike = unit_similarity(records.units, records.units)
    return compare_rows(records, records, np.array([0]), np.array([1]), alike)[0]


def compare_rows(
    left: RecordTable,
    right: RecordTable,
    left_rows: NDArray[np.intp],
    right_rows: NDArray[np.intp],
    alike: FloatArray,
) -> list[list[FieldComparison]]:
    """Compare rows of one table with rows of another; for each pair see `compare_fields`.

    Parameters
    ----------
    left_rows, right_rows : ndarray of int, shape (n,)
    alike : ndarray
        As from `unit_similarity`.
    """
    if not len(left_rows):
        return []
    pairs = unit_pairs(left, right, left_rows, right_rows, alike)
    compared = []
    rows = zip(
        left_rows.tolist(), right_rows.tolist(), pairs.max(axis=2), pairs.max(axis=1), strict=True
    )
    for left_row, right_row, of_left, of_right in rows:
        sides = [
            _Side(table.parse(row), table.weights[row].tolist(), (best >= _FOUND).tolist())
            for table, row, best in ((left, left_row, of_left), (right, right_row, of_right))
        ]
        compared.append([_compare_field(sides, field) for field in _ORDER])
    return compared


class _Side(NamedTuple):
    """The units of one title, their weights, and which of them find a counterpart."""

    units: Sequence[Unit]
    weights: Sequence[float]
    found: Sequence[bool]


def _compare_field(sides: Sequence[_Side], field: str) -> FieldComparison:
    shares: list[float | None] = []
    alone, named = [], []
    for side in sides:
        own = [unit_facts for unit_facts in zip(*side, strict=False) if unit_facts[0].field == field]
        total = sum(weight for _, weight, _ in own)
        shares.append(sum(weight for _, weight, paired in own if paired) / total if own else None)
        alone.append(tuple(unit.text for unit, _, paired in own if not paired))
        named += [unit.name for unit, _, paired in own if paired]
    return FieldComparison(field, _relation(*shares), tuple(dict.fromkeys(named)), *alone)


def _relation(left: float | None, right: float | None) -> str:
    given = [share for share in (left, right) if share is not None]
    if not given:
        return UNNAMED
    if min(given) >= _MOST:
        return SAME
    if len(given) == 1:
        return ONE_SIDED
    return DIFFERENT_FIELD if max(given) <= _FEW else PARTLY


def explain(model: StructuredModel, left: str, right: str) -> str:
    """Return one Indonesian sentence on what two titles share, field by field."""
    return told(compare_fields(model, left, right))


def told(comparisons: Sequence[FieldComparison]) -> str:
    """Return comparisons as one sentence; what neither title names is not told."""
    return "; ".join(str(c) for c in comparisons if c.relation != UNNAMED)
