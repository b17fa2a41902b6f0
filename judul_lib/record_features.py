"""Compare two titles field by field: task, object, method, place.

Each title becomes a row of units (`TitleParser`). Two units are alike as far
as the lexicon, their vectors or their letters say so, and each unit of one
title looks for its best counterpart in the other: what finds none is what the
two studies do not share.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, Indel
from rapidfuzz.process import cdist, cpdist

from judul_lib.records import GROUPS, RecordTable, UnitTable, is_in
from judul_lib.spelling import typed_alike

FloatArray = NDArray[np.float64]

_CHUNK = 2000
_COSINE_FLOOR = 0.2  # A cosine below this says nothing.
_TYPO_FLOOR, _TYPO_WEIGHT = 0.75, 0.95
# Titles with less in common, in letters or in equal units, are not compared word by word for
# typing errors.
NEARLY_EQUAL, LEAST_EQUAL = 0.8, 0.2
_MEASURES = ("min", "max", "gap", "neither", "one")
RECORD_FEATURES = (
    *(f"{group}_{measure}" for group in GROUPS for measure in _MEASURES),
    "meaning",
    "object_meaning",
)
"""Names of the columns of `record_features`.

``min``, ``max``: share of the group's weight that finds a counterpart in the
other title, for the worse and for the better side; 1 where neither title has
the group. ``gap``: how badly the worst unit is matched, 0 where there is none.
``neither``, ``one``: 1 where neither or only one of the titles has the group.
``meaning``, ``object_meaning``: cosine of the weighted mean vectors, -1 to 1.
All others are in [0, 1].
"""


def unit_similarity(left: UnitTable, right: UnitTable) -> FloatArray:
    """Compare every name of one table with every name of the other.

    Returns
    -------
    ndarray of float in [0, 1], shape (n_left_names, n_right_names)
        1 for equal units; else the better of meaning and spelling.

    Examples
    --------
    >>> from judul_lib.registry import load_structured
    >>> units = load_structured("outputs/structured")[0].records(["Gempa", "Tsunami"]).units
    >>> alike = unit_similarity(units, units)
    >>> float(alike[0, 0]), bool(0 < alike[0, 1] < 1)
    (1.0, True)
    """
    if not left.names or not right.names:
        return np.zeros((max(1, len(left.names)), max(1, len(right.names))))
    cosine = left.vectors @ right.vectors.T
    alike = np.clip((cosine - _COSINE_FLOOR) / (1 - _COSINE_FLOOR), 0, 1)
    # Names of places have no meaning that a vector could hold.
    alike[np.ix_(left.is_place, right.is_place)] = 0
    spelling = _spelling(left, right)
    alike = np.maximum(alike, spelling)
    other_way = spelling if left is right else _spelling(right, left)
    alike = np.maximum(alike, other_way.T).astype(np.float64)
    for row, name in enumerate(left.names):
        alike[row, right.rows_of_name.get(name, [])] = 1.0
    return alike


def _spelling(left: UnitTable, right: UnitTable) -> NDArray[np.float32]:
    """Compare the letters of the unknown words of one table with all units of the other."""
    alike = np.zeros((len(left.names), len(right.names)), dtype=np.float32)
    if len(left.typed):
        scores = cdist(
            [left.names[row] for row in left.typed.tolist()], right.names,
            scorer=OSA.normalized_similarity, score_cutoff=_TYPO_FLOOR, dtype=np.float32,
        )  # fmt: skip
        alike[left.typed] = _TYPO_WEIGHT * scores
    return alike


def record_features(
    left: RecordTable,
    right: RecordTable,
    left_rows: NDArray[np.intp],
    right_rows: NDArray[np.intp],
    alike: FloatArray | None = None,
) -> FloatArray:
    """Compare rows of two tables.

    Parameters
    ----------
    left_rows, right_rows : ndarray of int, shape (n,)
        Row ``left_rows[i]`` is compared with row ``right_rows[i]``.
    alike : ndarray
        As from `unit_similarity`, where it is at hand already.

    Returns
    -------
    ndarray of float, shape (n, n_features)
        Columns in the order of `RECORD_FEATURES`.

    Examples
    --------
    >>> from judul_lib.registry import load_structured
    >>> model, _ = load_structured("outputs/structured")
    >>> table = model.records(["Deteksi Hoaks dengan CNN", "Deteksi Berita Bohong Memakai CNN"])
    >>> row = record_features(table, table, np.array([0]), np.array([1]))[0]
    >>> float(row[RECORD_FEATURES.index("method_min")])
    1.0
    """
    alike = unit_similarity(left.units, right.units) if alike is None else alike
    parts = [
        _compare(left, right, left_rows[s : s + _CHUNK], right_rows[s : s + _CHUNK], alike)
        for s in range(0, len(left_rows), _CHUNK)
    ]
    return np.vstack(parts) if parts else np.empty((0, len(RECORD_FEATURES)))


def _compare(
    left: RecordTable, right: RecordTable, i: NDArray[np.intp], j: NDArray[np.intp], alike: FloatArray
) -> FloatArray:
    weight_a, weight_b = _used(left.weights[i]), _used(right.weights[j])
    pairs = _unit_pairs(left, right, i, j, alike, weight_a > 0, weight_b > 0)
    sides = (
        (left.fields[i, : weight_a.shape[1]], weight_a, pairs.max(axis=2)),
        (right.fields[j, : weight_b.shape[1]], weight_b, pairs.max(axis=1)),
    )
    columns = [column for fields in GROUPS.values() for column in _group_columns(sides, fields)]
    for mean_a, mean_b in zip(left.means, right.means, strict=True):
        columns.append(np.einsum("ij,ij->i", mean_a[i], mean_b[j]))
    return np.column_stack(columns)


def _unit_pairs(
    left: RecordTable,
    right: RecordTable,
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    alike: FloatArray,
    used_a: NDArray[np.bool_],
    used_b: NDArray[np.bool_],
) -> FloatArray:
    """Return how alike the units of each pair of rows are, shape (n, n_left_units, n_right_units)."""
    wide, high = used_a.shape[1], used_b.shape[1]
    pairs: FloatArray = alike[left.ids[i, :wide][:, :, None], right.ids[j, :high][:, None, :]]
    pairs *= used_a[:, :, None]
    pairs *= used_b[:, None, :]
    meeting = {row: left.meeting(right, row) for row in set(i.tolist())}
    for row, (a, b) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        if b in meeting[a]:
            _meet_spans(pairs[row], left.keys[a], right.spans[b])
            _meet_spans(pairs[row].T, right.keys[b], left.spans[a])
    for row in map(int, np.flatnonzero(_nearly_equal(left, right, i, j))):
        equal = pairs[row] == 1
        sides = (equal.any(axis=1), used_a[row]), (equal.any(axis=0), used_b[row])
        if any(found.sum() < LEAST_EQUAL * used.sum() for found, used in sides):
            continue
        words = left.texts[i[row]].split(), right.texts[j[row]].split()
        typed = typed_alike(*words, left.is_word)
        pairs[row] = np.maximum(pairs[row], typed * used_a[row][:, None] * used_b[row])
    return pairs


def _nearly_equal(
    left: RecordTable, right: RecordTable, i: NDArray[np.intp], j: NDArray[np.intp]
) -> NDArray[np.bool_]:
    texts = ([table.texts[row] for row in rows.tolist()] for table, rows in ((left, i), (right, j)))
    likeness = cpdist(*texts, scorer=Indel.normalized_similarity, score_cutoff=NEARLY_EQUAL)
    return likeness >= NEARLY_EQUAL


def _meet_spans(
    pairs: FloatArray, keys: Mapping[str, int], spans: Mapping[str, tuple[int, int]]
) -> None:
    """Set to 1 where a unit of one title is an abbreviation of words of the other, or those joined."""
    for letters in keys.keys() & spans.keys():
        start, stop = spans[letters]
        pairs[keys[letters], start : stop + 1] = 1.0


def unit_pairs(
    left: RecordTable,
    right: RecordTable,
    left_rows: NDArray[np.intp],
    right_rows: NDArray[np.intp],
    alike: FloatArray,
) -> FloatArray:
    """Return how alike the units of pairs of rows are, as `record_features` sees them.

    Parameters
    ----------
    left_rows, right_rows : ndarray of int, shape (n,)
    alike : ndarray
        As from `unit_similarity`.

    Returns
    -------
    ndarray of float in [0, 1], shape (n, most left units, most right units)
        0 beyond a title's units.
    """
    used = _used(left.weights[left_rows]) > 0, _used(right.weights[right_rows]) > 0
    return _unit_pairs(left, right, left_rows, right_rows, alike, *used)


def _used(weights: FloatArray) -> FloatArray:
    """Cut off the columns in which no title of this chunk has a unit."""
    return weights[:, : max(1, int((weights > 0).sum(axis=1).max(initial=0)))]


def _group_columns(
    sides: Sequence[tuple[NDArray[np.integer], FloatArray, FloatArray]], fields: Sequence[int]
) -> list[FloatArray]:
    shares, worst, present = [], [], []
    for field, weights, best in sides:
        own = weights * is_in(field, fields)
        total = own.sum(axis=1)
        share = np.divide((own * best).sum(axis=1), total, out=np.ones(len(own)), where=total > 0)
        shares.append(share)
        worst.append(np.where(own > 0, best, 1.0).min(axis=1))
        present.append(total > 0)
    (left, right), count = shares, np.sum(present, axis=0)
    high = np.where(count == 1, np.minimum(left, right), np.maximum(left, right))
    columns = [np.minimum(left, right), high, 1 - np.minimum(*worst), count == 0, count == 1]
    return [column.astype(float) for column in columns]
