"""Compare two titles aspect by aspect: what both have, what is left over on both sides, on one.

Units that are the same are set aside; what is left over on both sides is a
conflict, what only one title names narrows it or leaves it open. Weights say
how decisive a unit is (``terms.csv``) and how rare in the archive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import BoolArray, FloatArray, Rows
from judul_lib.structured.records import ASPECT_NAMES, RecordTable, UnitTable
from judul_lib.structured.relations import Relations, find_abbreviations, mark_abbreviations
from judul_lib.structured.units import Role

_CHUNK = 1000
# A title that meets more others than this meets all of them together.
_MAX_SINGLE_LOOKUPS = 20
_PLACE, _TASK = ASPECT_NAMES.index("place"), ASPECT_NAMES.index("task")
# Aspects that decide by themselves; the others count in the subject and in the whole.
_DECISIVE = ("thing", "variable", "method")
# Tasks that make it another question when only one title has them.
_TASK_TERMS = {"compares": ("perbandingan",), "builds": ("rancang bangun", "sistem informasi")}
_MEASURES = ("weight", "rarity", "both")
_TEXT_MEASURES = ("share", "far", "worst_far")
_ROLES = {"cause": Role.CAUSE, "effect": Role.EFFECT, "part": Role.PART}
# Of these a title speaks; task, method and platform are how it does so.
_SUBJECT = [ASPECT_NAMES.index(name) for name in ("thing", "variable", "activity", "audience", "medium")]
# A word that says little elsewhere is all that a short title has: "klasifikasi buku dengan SVM".
_MIN_WEIGHT = 0.5


def _names() -> tuple[str, ...]:
    sides = ("less", "more")
    names = []
    for aspect in _DECISIVE:
        names += [f"{aspect}_same", *(f"{aspect}_far_{side}" for side in sides)]
    names += ["place_same", "place_left_less", "place_left_more", "place_named", "subject_same"]
    names += [f"subject_{what}_{side}" for what in ("share", "near_share") for side in sides]
    for measure in _MEASURES:
        names += [f"text_same_{measure}"]
        names += [f"text_{what}_{measure}_{side}" for what in _TEXT_MEASURES for side in sides]
    names += ["text_siblings", "text_sibling_weight", "text_roles_swapped"]
    names += [f"text_{role}_left" for role in _ROLES]
    names += [f"{what}_{side}" for what in ("text_numbers", "place_numbers") for side in sides]
    names += [f"task_{name}" for name in _TASK_TERMS]
    return (*names, "text_inversions", "text_units_less", "text_units_more")


RECORD_FEATURES = _names()
"""Names of the columns of `record_features`, by the aspect of which they speak.

``same``: weight of what both titles have. ``left``: weight of what has no
counterpart, on the side where it is less and on the other. ``far``: the same,
less what is near on the other side. ``worst_far``: the weightiest unit of it.
``share``: what has a counterpart, as a share of the title.
``named``: how many of the titles name the aspect. The subject is what a title speaks of, apart
from task, method and place. ``weight`` is `Term.weight`,
``rarity`` the inverse document frequency, ``both`` a product of the two.
"""


@dataclass(frozen=True)
class AlignedPairs:
    """Pairs of titles with their units, as padded arrays; the first axis counts pairs.

    Attributes
    ----------
    left, right : _AlignedSide
    same, siblings : ndarray of bool, shape (n, n_left_units, n_right_units)
    near : ndarray of float32, shape (n, n_left_units, n_right_units)
        Of units that are left over on both sides, else 0.
    """

    left: "_AlignedSide"
    right: "_AlignedSide"
    same: BoolArray
    siblings: BoolArray
    near: NDArray[np.float32]


@dataclass(frozen=True)
class _AlignedSide:
    """Units of one side of pairs, shape (n, n_units) each; False or 0 beyond a title's units."""

    units: UnitTable
    numbers: Rows
    used: BoolArray
    roles: NDArray[np.integer]
    matched: BoolArray

    @property
    def unmatched(self) -> BoolArray:
        return self.used & ~self.matched & (self.roles != Role.IMPLIED)

    def gather(self, values: NDArray, blank: int = 0) -> NDArray:
        """Return what is known of each unit; blank beyond a title's units."""
        if not len(values):  # No title of the table has any.
            return np.full(self.used.shape, blank, dtype=values.dtype)
        return np.where(self.used, values[self.numbers], values.dtype.type(blank))


def align(
    left: RecordTable,
    right: RecordTable,
    left_rows: Rows,
    right_rows: Rows,
    relations: Relations,
    known: Mapping[int, Rows] = MappingProxyType({}),
) -> AlignedPairs:
    """Find what each unit of a title corresponds to in the other title.

    Parameters
    ----------
    relations : Relations
        Between the units of the two tables.
    known : mapping of int to ndarray
        The `find_abbreviations` of some rows of the one table with the other.
    """
    numbers = left.padded(left.numbers, left_rows, -1), right.padded(right.numbers, right_rows, -1)
    used = numbers[0] >= 0, numbers[1] >= 0
    a, b = (np.maximum(side, 0) for side in numbers)
    both = used[0][:, :, None] & used[1][:, None, :]
    cells = a[:, :, None], b[:, None, :]
    if not both.any():
        same, siblings, near = both, both, np.zeros(both.shape, dtype=np.float32)
    else:
        same, siblings, near = (
            values[cells] & both if values.dtype == bool else values[cells] * both
            for values in (relations.same, relations.siblings, relations.near)
        )
        _abbreviations(left, right, left_rows, right_rows, same, known)
    sides = [
        _AlignedSide(
            table.units,
            side,
            used[k],
            table.padded(table.roles, rows, 0),
            np.asarray(same.any(axis=2 - k)),
        )
        for k, (table, side, rows) in enumerate(((left, a, left_rows), (right, b, right_rows)))
    ]
    open_cells = sides[0].unmatched[:, :, None] & sides[1].unmatched[:, None, :]
    return AlignedPairs(sides[0], sides[1], same, siblings & open_cells, near * open_cells)


def _abbreviations(
    left: RecordTable,
    right: RecordTable,
    left_rows: Rows,
    right_rows: Rows,
    same: BoolArray,
    known: Mapping[int, Rows],
) -> None:
    for pair, (i, j) in enumerate(zip(left_rows.tolist(), right_rows.tolist(), strict=True)):
        if i not in known:
            mark_abbreviations(left.parse(i), right.parse(j), same[pair])
    for row, cells in known.items():
        pairs = np.flatnonzero(left_rows == row)
        starts, stops = (
            np.searchsorted(cells[:, 0], right_rows[pairs], side=side) for side in ("left", "right")
        )
        for pair, start, stop in zip(pairs.tolist(), starts.tolist(), stops.tolist(), strict=True):
            for _, first, last, other_first, other_last in cells[start:stop].tolist():
                same[pair, first : last + 1, other_first : other_last + 1] = True


def record_features(
    left: RecordTable,
    right: RecordTable,
    left_rows: Rows,
    right_rows: Rows,
    relations: Relations | None = None,
) -> FloatArray:
    """Compare pairs of titles aspect by aspect.

    Parameters
    ----------
    left, right : RecordTable
    left_rows, right_rows : ndarray of int, shape (n,)
        Row ``left_rows[i]`` of the one is compared with row ``right_rows[i]`` of the other.
    relations : Relations
        Between the units of the tables, where they are at hand already.

    Returns
    -------
    ndarray of float, shape (n, n_features)
        Columns in the order of `RECORD_FEATURES`.
    """
    relations = relations or Relations.between(left.units, right.units)
    rows, counts = np.unique(left_rows, return_counts=True)
    known = {
        row: find_abbreviations(left, row, right) for row in rows[counts > _MAX_SINGLE_LOOKUPS].tolist()
    }
    parts = []
    for start in range(0, len(left_rows), _CHUNK):
        chunk = left_rows[start : start + _CHUNK], right_rows[start : start + _CHUNK]
        parts.append(_compare(align(left, right, *chunk, relations, known)))
    return np.vstack(parts) if parts else np.empty((0, len(RECORD_FEATURES)))


class _Columns:
    """Columns of features while they are collected; symmetric in the two sides."""

    def __init__(self) -> None:
        self.found: dict[str, NDArray] = {}

    def both(self, name: str, left: NDArray, right: NDArray) -> None:
        self.found[f"{name}_less"] = np.minimum(left, right)
        self.found[f"{name}_more"] = np.maximum(left, right)

    def shares(self, start: str, found: dict[str, list[NDArray]], end: str = "") -> None:
        """Enter what was found on either side: of what is the same the lesser, of the rest both."""
        self.found[f"{start}_same{end}"] = np.minimum(*found.pop("same"))
        for what, (left, right) in found.items():
            self.both(f"{start}_{what}{end}", left, right)


def _compare(pairs: AlignedPairs) -> FloatArray:
    columns = _Columns()
    sides = pairs.left, pairs.right
    aspects = [side.gather(side.units.aspects, -1) for side in sides]
    weights = [side.gather(side.units.weights) for side in sides]
    rarity = [side.gather(side.units.rarity) for side in sides]
    joint = [w / 3 * (0.4 + 0.6 * r) for w, r in zip(weights, rarity, strict=True)]
    nearest = [pairs.near.max(axis=2), pairs.near.max(axis=1)]
    _add_aspects(columns, sides, aspects, joint, nearest)
    _add_subject(columns, sides, aspects, (weights, rarity), nearest)
    content = [(aspect != _PLACE) & side.used for aspect, side in zip(aspects, sides, strict=True)]
    for measure, values in zip(_MEASURES, (weights, rarity, joint), strict=True):
        _add_text(columns, measure, sides, content, values, nearest)
    _add_counts(columns, sides, content)
    _add_conflicts(columns, pairs, content, joint)
    _add_questions(columns, sides)
    _add_order(columns, pairs, content, aspects)
    found = columns.found
    return np.column_stack([np.asarray(found[name], dtype=np.float64) for name in RECORD_FEATURES])


def _add_aspects(
    columns: _Columns,
    sides: Sequence[_AlignedSide],
    aspects: Sequence[NDArray],
    joint: Sequence[FloatArray],
    nearest: Sequence[NDArray],
) -> None:
    for name in (*_DECISIVE, "place"):
        own = [np.asarray(aspect == ASPECT_NAMES.index(name)) for aspect in aspects]
        same, over = [], []
        for side, is_own, weight, near in zip(sides, own, joint, nearest, strict=True):
            left = weight * (is_own & side.unmatched)
            same.append((weight * (is_own & side.matched)).sum(axis=1))
            over.append((left * (1 - near) if name in _DECISIVE else left).sum(axis=1))
        columns.found[f"{name}_same"] = np.minimum(*same)
        columns.both(f"{name}_far" if name in _DECISIVE else f"{name}_left", *over)
    columns.found["place_named"] = np.sum([(aspect == _PLACE).any(axis=1) for aspect in aspects], axis=0)


def _add_subject(
    columns: _Columns,
    sides: Sequence[_AlignedSide],
    aspects: Sequence[NDArray],
    measures: tuple[Sequence[FloatArray], Sequence[FloatArray]],
    nearest: Sequence[NDArray],
) -> None:
    found: dict[str, list[NDArray]] = {}
    for side, aspect, weight, rarity, near in zip(sides, aspects, *measures, nearest, strict=True):
        is_subject = np.isin(aspect, _SUBJECT) & side.used
        # Where nothing else is spoken of, the institution is it: "klasifikasi tipe rumah sakit".
        bare = ~(is_subject & (weight >= 1)).any(axis=1, keepdims=True)
        is_subject |= bare & (aspect == _PLACE) & side.used
        value = is_subject * np.maximum(weight, _MIN_WEIGHT) / 3 * (0.4 + 0.6 * rarity)
        same, left = (value * side.matched).sum(axis=1), value * side.unmatched
        whole = np.maximum(same + left.sum(axis=1), 1e-9)
        for what, column in (
            ("same", same),
            ("share", same / whole),
            ("near_share", (same + (left * near).sum(axis=1)) / whole),
        ):
            found.setdefault(what, []).append(column)
    columns.shares("subject", found)


def _add_text(
    columns: _Columns,
    measure: str,
    sides: Sequence[_AlignedSide],
    content: Sequence[BoolArray],
    values: Sequence[FloatArray],
    nearest: Sequence[NDArray],
) -> None:
    found: dict[str, list[NDArray]] = {}
    for side, is_content, value, near in zip(sides, content, values, nearest, strict=True):
        over = value * (is_content & side.unmatched)
        same, left, far = (
            (value * (is_content & side.matched)).sum(axis=1),
            over.sum(axis=1),
            over * (1 - near),
        )
        for what, column in (
            ("same", same),
            ("share", same / np.maximum(same + left, 1e-9)),
            ("far", far.sum(axis=1)),
            ("worst_far", far.max(axis=1)),
        ):
            found.setdefault(what, []).append(column)
    columns.shares("text", found, f"_{measure}")


def _add_counts(columns: _Columns, sides: Sequence[_AlignedSide], content: Sequence[BoolArray]) -> None:
    numbers = [side.gather(side.units.is_number) & side.unmatched for side in sides]
    for name, wanted in (("text_numbers", content), ("place_numbers", [~own for own in content])):
        columns.both(name, *((n & own).sum(axis=1) for n, own in zip(numbers, wanted, strict=True)))
    columns.both("text_units", *(side.used.sum(axis=1) for side in sides))


def _add_conflicts(
    columns: _Columns, pairs: AlignedPairs, content: Sequence[BoolArray], joint: Sequence[FloatArray]
) -> None:
    sides = pairs.left, pairs.right
    cells = content[0][:, :, None] & content[1][:, None, :]
    siblings = pairs.siblings & cells
    counts = siblings.any(axis=2).sum(axis=1), siblings.any(axis=1).sum(axis=1)
    columns.found["text_siblings"] = np.minimum(*counts)
    lesser = np.minimum(joint[0][:, :, None], joint[1][:, None, :])
    columns.found["text_sibling_weight"] = (lesser * siblings).max(axis=(1, 2))
    roles = pairs.left.roles[:, :, None] * pairs.right.roles[:, None, :]
    swapped = pairs.same & (roles == Role.CAUSE * Role.EFFECT) & cells
    swapped_weight = [(swapped.any(axis=2 - k) * joint[k]).sum(axis=1) for k in (0, 1)]
    columns.found["text_roles_swapped"] = np.minimum(*swapped_weight)
    for name, role in _ROLES.items():
        left = [
            (weight * (side.unmatched & own & (side.roles == role))).sum(axis=1)
            for weight, side, own in zip(joint, sides, content, strict=True)
        ]
        columns.found[f"text_{name}_left"] = np.maximum(*left)


def _add_questions(columns: _Columns, sides: Sequence[_AlignedSide]) -> None:
    for name, terms in _TASK_TERMS.items():
        asks = []
        for side in sides:
            units = np.zeros(len(side.units), dtype=bool)
            units[[number for term in terms for number in side.units.by_name.get(term, [])]] = True
            asks.append(side.gather(units).any(axis=1))
        columns.found[f"task_{name}"] = asks[0] != asks[1]


def _add_order(
    columns: _Columns, pairs: AlignedPairs, content: Sequence[BoolArray], aspects: Sequence[NDArray]
) -> None:
    """Add the share of matched units, two and two, that stand in the other order."""
    placed = [own & (aspect != _TASK) for own, aspect in zip(content, aspects, strict=True)]
    cells = pairs.same & placed[0][:, :, None] & placed[1][:, None, :]
    columns.found["text_inversions"] = (_inverted(cells) + _inverted(cells.swapaxes(1, 2))) / 2


def _inverted(cells: BoolArray) -> FloatArray:
    """Return the share of the units of one side, two and two, that have changed their order."""
    is_placed, position = np.asarray(cells.any(axis=2)), cells.argmax(axis=2)
    n = position.shape[1]
    both = is_placed[:, :, None] & is_placed[:, None, :] & np.triu(np.ones((n, n), dtype=bool), 1)
    inverted = (position[:, :, None] > position[:, None, :]) & both
    share: FloatArray = inverted.sum(axis=(1, 2)) / np.maximum(both.sum(axis=(1, 2)), 1)
    return share
