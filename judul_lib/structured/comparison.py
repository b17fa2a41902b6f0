"""Compare two titles aspect by aspect: what both have, what differs, what only one names.

Units that are the same are matched. Units left unmatched on both sides are a
conflict; those on one side only narrow the study or leave it open. Weights say
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
# The abbreviations of a title that is compared with more others are looked up for all at once.
_MAX_SINGLE_LOOKUPS = 20
_PLACE, _TASK = ASPECT_NAMES.index("place"), ASPECT_NAMES.index("task")
# Aspects with features of their own; the others count in the subject and in the text.
_DECISIVE = ("thing", "variable", "method")
# Tasks that change the question when only one title has them.
_TASK_TERMS = {"compares": ("perbandingan",), "builds": ("rancang bangun", "sistem informasi")}
_MEASURES = ("weight", "rarity", "both")
_TEXT_MEASURES = ("share", "far", "worst_far")
_ROLES = {"cause": Role.CAUSE, "effect": Role.EFFECT, "part": Role.PART}
_SUBJECT = [ASPECT_NAMES.index(name) for name in ("thing", "variable", "activity", "audience", "medium")]
# In a short title even a word of no weight is the subject: "klasifikasi buku dengan SVM".
_MIN_SUBJECT_WEIGHT = 0.5


def _feature_names() -> tuple[str, ...]:
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


RECORD_FEATURES = _feature_names()
"""Names of the columns of `record_features`; each begins with an aspect.

``same``: weight of the matched units. ``left``: weight of the unmatched units, on the side where
it is ``less`` and where it is ``more``. ``far``: the same, each unit reduced by its nearness to the
other side. ``worst_far``: the largest of these. ``share``: matched weight as a share of the title.
``named``: how many of the titles name the aspect. The subject is the title without task, method,
platform and place. ``weight`` is `Term.weight`, ``rarity`` the inverse document frequency, ``both``
a product of the two.
"""


@dataclass(frozen=True)
class AlignedPairs:
    """Pairs of titles with their units, as padded arrays; the first axis is the pair.

    Attributes
    ----------
    left, right : _AlignedSide
    same, siblings : ndarray of bool, shape (n, n_left_units, n_right_units)
    near : ndarray of float32, shape (n, n_left_units, n_right_units)
        Nearness of units that are unmatched on both sides, else 0.
    """

    left: "_AlignedSide"
    right: "_AlignedSide"
    same: BoolArray
    siblings: BoolArray
    near: NDArray[np.float32]


@dataclass(frozen=True)
class _AlignedSide:
    """Units of one side of pairs, shape (n, n_units) each; False or 0 in the padding."""

    units: UnitTable
    numbers: Rows
    used: BoolArray
    roles: NDArray[np.integer]
    matched: BoolArray

    @property
    def unmatched(self) -> BoolArray:
        return self.used & ~self.matched & (self.roles != Role.IMPLIED)

    def row(self, pair: int) -> "_AlignedSide":
        """Return the units of one pair, shape (n_units,)."""
        values = self.numbers, self.used, self.roles, self.matched
        return _AlignedSide(self.units, *(value[pair] for value in values))

    def gather(self, values: NDArray, padding: int = 0) -> NDArray:
        """Return the value of each unit, given one for each unit of the table."""
        if not len(values):  # The table has no unit at all.
            return np.full(self.used.shape, padding, dtype=values.dtype)
        return np.where(self.used, values[self.numbers], values.dtype.type(padding))


def align(
    left: RecordTable,
    right: RecordTable,
    left_rows: Rows,
    right_rows: Rows,
    relations: Relations,
    abbreviations: Mapping[int, Rows] = MappingProxyType({}),
) -> AlignedPairs:
    """Match the units of each left title with those of its right title.

    Parameters
    ----------
    relations : Relations
        Between the units of the two tables.
    abbreviations : mapping of int to ndarray
        `find_abbreviations` of some left rows, where it has been called already.
    """
    tables, rows = (left, right), (left_rows, right_rows)
    padded = [t.padded(t.numbers, r, -1) for t, r in zip(tables, rows, strict=True)]
    used = [numbers >= 0 for numbers in padded]
    numbers = [np.maximum(side, 0) for side in padded]
    both_used = used[0][:, :, None] & used[1][:, None, :]
    if not both_used.any():
        same, siblings, near = both_used, both_used, np.zeros(both_used.shape, dtype=np.float32)
    else:
        cells = numbers[0][:, :, None].astype(np.intp) * len(right.units) + numbers[1][:, None, :]
        same, siblings = relations.same.take(cells), relations.siblings.take(cells)
        same, siblings, near = (
            same & both_used,
            siblings & both_used,
            relations.near.take(cells) * both_used,
        )
        _mark_all_abbreviations(left, right, left_rows, right_rows, same, abbreviations)
    sides = [
        _AlignedSide(
            tables[k].units,
            numbers[k],
            used[k],
            tables[k].padded(tables[k].roles, rows[k], 0),
            np.asarray(same.any(axis=2 - k)),
        )
        for k in (0, 1)
    ]
    both_unmatched = sides[0].unmatched[:, :, None] & sides[1].unmatched[:, None, :]
    return AlignedPairs(sides[0], sides[1], same, siblings & both_unmatched, near * both_unmatched)


def _mark_all_abbreviations(
    left: RecordTable,
    right: RecordTable,
    left_rows: Rows,
    right_rows: Rows,
    same: BoolArray,
    abbreviations: Mapping[int, Rows],
) -> None:
    for pair, (i, j) in enumerate(zip(left_rows.tolist(), right_rows.tolist(), strict=True)):
        if i not in abbreviations:
            mark_abbreviations(left.parse(i), right.parse(j), same[pair])
    for row, cells in abbreviations.items():
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
    abbreviations: Mapping[int, Rows] = MappingProxyType({}),
) -> FloatArray:
    """Compare pairs of titles aspect by aspect.

    Parameters
    ----------
    left, right : RecordTable
    left_rows, right_rows : ndarray of int, shape (n,)
        Row ``left_rows[i]`` of the left table is compared with row ``right_rows[i]`` of the right.
    relations : Relations
        Between the units of the tables; computed if missing.
    abbreviations : mapping of int to ndarray
        `find_abbreviations` of some left rows, where it has been called already.

    Returns
    -------
    ndarray of float, shape (n, n_features)
        Columns in the order of `RECORD_FEATURES`.
    """
    relations = relations or Relations.between(left.units, right.units)
    rows, counts = np.unique(left_rows, return_counts=True)
    often = set(rows[counts > _MAX_SINGLE_LOOKUPS].tolist()) - abbreviations.keys()
    abbreviations = {**abbreviations, **{row: find_abbreviations(left, row, right) for row in often}}
    features = np.empty((len(left_rows), len(RECORD_FEATURES)))
    # Titles with equally many units need no padding.
    order = np.argsort(np.diff(right.ends)[right_rows], kind="stable")
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        aligned = align(left, right, left_rows[chunk], right_rows[chunk], relations, abbreviations)
        features[chunk] = _compare(aligned)
    return features


class _Columns(dict[str, NDArray]):
    """Columns of features by name; symmetric in the two sides."""

    def add_both(self, name: str, left: NDArray, right: NDArray) -> None:
        self[f"{name}_less"] = np.minimum(left, right)
        self[f"{name}_more"] = np.maximum(left, right)

    def add_measures(
        self, prefix: str, measures: Sequence[Mapping[str, NDArray]], suffix: str = ""
    ) -> None:
        """Add the measures of the two sides: the lesser ``same``, and both values of the others."""
        left, right = measures
        for name in left:
            if name == "same":
                self[f"{prefix}_same{suffix}"] = np.minimum(left[name], right[name])
            else:
                self.add_both(f"{prefix}_{name}{suffix}", left[name], right[name])


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
    _add_tasks(columns, sides)
    _add_inversions(columns, pairs, content, aspects)
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in RECORD_FEATURES])


def _add_aspects(
    columns: _Columns,
    sides: Sequence[_AlignedSide],
    aspects: Sequence[NDArray],
    joint: Sequence[FloatArray],
    nearest: Sequence[NDArray],
) -> None:
    for name in (*_DECISIVE, "place"):
        rest = "far" if name in _DECISIVE else "left"
        measures = []
        for side, aspect, weight, near in zip(sides, aspects, joint, nearest, strict=True):
            is_aspect = np.asarray(aspect == ASPECT_NAMES.index(name))
            unmatched = weight * (is_aspect & side.unmatched)
            if rest == "far":
                unmatched = unmatched * (1 - near)
            same = (weight * (is_aspect & side.matched)).sum(axis=1)
            measures.append({"same": same, rest: unmatched.sum(axis=1)})
        columns.add_measures(name, measures)
    columns["place_named"] = np.sum([(aspect == _PLACE).any(axis=1) for aspect in aspects], axis=0)


def _add_subject(
    columns: _Columns,
    sides: Sequence[_AlignedSide],
    aspects: Sequence[NDArray],
    measures: tuple[Sequence[FloatArray], Sequence[FloatArray]],
    nearest: Sequence[NDArray],
) -> None:
    shares = []
    for side, aspect, weight, rarity, near in zip(sides, aspects, *measures, nearest, strict=True):
        is_subject = np.isin(aspect, _SUBJECT) & side.used
        # Without any other subject, the institution is the subject: "klasifikasi tipe rumah sakit".
        has_no_subject = ~(is_subject & (weight >= 1)).any(axis=1, keepdims=True)
        is_subject |= has_no_subject & (aspect == _PLACE) & side.used
        value = is_subject * np.maximum(weight, _MIN_SUBJECT_WEIGHT) / 3 * (0.4 + 0.6 * rarity)
        same, unmatched = (value * side.matched).sum(axis=1), value * side.unmatched
        total = np.maximum(same + unmatched.sum(axis=1), 1e-9)
        near_share = (same + (unmatched * near).sum(axis=1)) / total
        shares.append({"same": same, "share": same / total, "near_share": near_share})
    columns.add_measures("subject", shares)


def _add_text(
    columns: _Columns,
    measure: str,
    sides: Sequence[_AlignedSide],
    content: Sequence[BoolArray],
    values: Sequence[FloatArray],
    nearest: Sequence[NDArray],
) -> None:
    measures = []
    for side, is_content, value, near in zip(sides, content, values, nearest, strict=True):
        same = (value * (is_content & side.matched)).sum(axis=1)
        unmatched = value * (is_content & side.unmatched)
        far = unmatched * (1 - near)
        share = same / np.maximum(same + unmatched.sum(axis=1), 1e-9)
        measures.append(
            {"same": same, "share": share, "far": far.sum(axis=1), "worst_far": far.max(axis=1)}
        )
    columns.add_measures("text", measures, f"_{measure}")


def _add_counts(columns: _Columns, sides: Sequence[_AlignedSide], content: Sequence[BoolArray]) -> None:
    numbers = [side.gather(side.units.is_number) & side.unmatched for side in sides]
    is_place = [~is_content for is_content in content]
    for name, wanted in (("text_numbers", content), ("place_numbers", is_place)):
        columns.add_both(name, *((n & w).sum(axis=1) for n, w in zip(numbers, wanted, strict=True)))
    columns.add_both("text_units", *(side.used.sum(axis=1) for side in sides))


def _add_conflicts(
    columns: _Columns, pairs: AlignedPairs, content: Sequence[BoolArray], joint: Sequence[FloatArray]
) -> None:
    sides = pairs.left, pairs.right
    cells = content[0][:, :, None] & content[1][:, None, :]
    siblings = pairs.siblings & cells
    counts = siblings.any(axis=2).sum(axis=1), siblings.any(axis=1).sum(axis=1)
    columns["text_siblings"] = np.minimum(*counts)
    lesser = np.minimum(joint[0][:, :, None], joint[1][:, None, :])
    columns["text_sibling_weight"] = (lesser * siblings).max(axis=(1, 2))
    roles = pairs.left.roles[:, :, None] * pairs.right.roles[:, None, :]
    swapped = pairs.same & (roles == Role.CAUSE * Role.EFFECT) & cells
    swapped_weight = [(swapped.any(axis=2 - k) * joint[k]).sum(axis=1) for k in (0, 1)]
    columns["text_roles_swapped"] = np.minimum(*swapped_weight)
    for name, role in _ROLES.items():
        unmatched = [
            (weight * (side.unmatched & is_content & (side.roles == role))).sum(axis=1)
            for weight, side, is_content in zip(joint, sides, content, strict=True)
        ]
        columns[f"text_{name}_left"] = np.maximum(*unmatched)


def _add_tasks(columns: _Columns, sides: Sequence[_AlignedSide]) -> None:
    """Add whether only one title has a task of `_TASK_TERMS`."""
    for name, terms in _TASK_TERMS.items():
        has_task = []
        for side in sides:
            is_task = np.zeros(len(side.units), dtype=bool)
            is_task[[number for term in terms for number in side.units.by_name.get(term, [])]] = True
            has_task.append(side.gather(is_task).any(axis=1))
        columns[f"task_{name}"] = has_task[0] != has_task[1]


def _add_inversions(
    columns: _Columns, pairs: AlignedPairs, content: Sequence[BoolArray], aspects: Sequence[NDArray]
) -> None:
    """Add the share of pairs of matched units that stand in the other order."""
    counted = [c & (aspect != _TASK) for c, aspect in zip(content, aspects, strict=True)]
    same = pairs.same & counted[0][:, :, None] & counted[1][:, None, :]
    columns["text_inversions"] = (_inverted_share(same) + _inverted_share(same.swapaxes(1, 2))) / 2


def _inverted_share(same: BoolArray) -> FloatArray:
    """Return the share of pairs of matched left units whose right units stand in the other order."""
    is_matched, shares = np.asarray(same.any(axis=2)), np.zeros(len(same))
    rows = np.flatnonzero(is_matched.sum(axis=1) > 1)
    is_matched, position = is_matched[rows], same[rows].argmax(axis=2)
    n = position.shape[1]
    both = is_matched[:, :, None] & is_matched[:, None, :] & np.triu(np.ones((n, n), dtype=bool), 1)
    inverted = (position[:, :, None] > position[:, None, :]) & both
    shares[rows] = inverted.sum(axis=(1, 2)) / both.sum(axis=(1, 2))
    return shares
