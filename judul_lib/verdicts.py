"""Say in words, field by field, what two titles share and what not."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    return compare_rows(records, records, 0, 1, unit_similarity(records.units, records.units))


def compare_rows(
    left: RecordTable, right: RecordTable, left_row: int, right_row: int, alike: FloatArray
) -> list[FieldComparison]:
    """Compare a row of one table with a row of another; see `compare_fields`.

    Parameters
    ----------
    alike : ndarray
        As from `unit_similarity`.
    """
    pairs = unit_pairs(left, right, left_row, right_row, alike)
    found = (pairs.max(axis=1, initial=0) >= _FOUND, pairs.max(axis=0, initial=0) >= _FOUND)
    parses = left.parse(left_row), right.parse(right_row)
    weights = left.weights[left_row], right.weights[right_row]
    return [_compare_field(parses, weights, found, field) for field in _ORDER]


def _compare_field(
    parses: tuple[Sequence[Unit], ...],
    weights: tuple[FloatArray, ...],
    found: tuple[NDArray[np.bool_], ...],
    field: str,
) -> FieldComparison:
    units: list[list[tuple[Unit, bool]]] = []
    shares: list[float | None] = []
    for side in (0, 1):
        own = [column for column, unit in enumerate(parses[side]) if unit.field == field]
        total = weights[side][own].sum()
        shares.append(weights[side][own][found[side][own]].sum() / total if own else None)
        units.append([(parses[side][column], bool(found[side][column])) for column in own])
    alone = [tuple(unit.text for unit, paired in units[side] if not paired) for side in (0, 1)]
    named = [unit.name for side in (0, 1) for unit, paired in units[side] if paired]
    shared = tuple(dict.fromkeys(named))
    return FieldComparison(field, _relation(*shares), shared, *alone)


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
