"""Compare two titles field by field: task, object, method, place.

Each title becomes a row of units (`TitleParser`). Two units are alike as far
as the lexicon, their vectors or their letters say so, and each unit of one
title looks for its best counterpart in the other: what finds none is what the
two studies do not share.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from judul_lib.title_parser import FIELDS, TitleParser, Unit
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

_MOST_UNITS = 32
_CHUNK = 2000
# A cosine below this says nothing; a word alike by its vector alone is not the same word.
_COSINE_FLOOR, _VECTOR_WEIGHT = 0.25, 0.85
_TYPO_FLOOR, _TYPO_WEIGHT, _TYPO_LETTERS = 0.75, 0.95, 5
_PLACE = FIELDS.index("place")

GROUPS: Mapping[str, tuple[int, ...]] = {
    "all": tuple(range(len(FIELDS))),
    "content": tuple(k for k in range(len(FIELDS)) if k != _PLACE),
    **{field: (k,) for k, field in enumerate(FIELDS)},
}
"""Groups of fields that are compared; the counterparts may stand in any field."""

_MEASURES = ("min", "max", "mean", "gap", "exact", "sides")
RECORD_FEATURES = (
    *(f"{group}_{measure}" for group in GROUPS for measure in _MEASURES),
    "meaning",
    "object_meaning",
)
"""Names of the columns of `record_features`.

``min``, ``max``, ``mean``: share of the group's weight that finds a counterpart
in the other title, for the worse side, the better side, both together.
``gap``: how badly the worst unit is matched. ``exact``: the same as ``mean``
with equal units only. ``sides``: how many of the two titles have the group.
``meaning``: cosine of the weighted mean vectors. All but ``sides`` (0, 1, 2)
and ``meaning`` (-1 to 1) are in [0, 1]; -1 where a group is missing.
"""


class RecordTable:
    """Titles read into units and made ready for comparison, one row a title.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    parser : TitleParser
    vectors : WordVectors
    weight : callable
        Weight of a unit's name, positive; rare names weigh more.
    with_place : bool
        False leaves places out, as in titles that name none.
    """

    def __init__(
        self,
        titles: Sequence[str],
        parser: TitleParser,
        vectors: WordVectors,
        weight: Callable[[str], float],
        *,
        with_place: bool = True,
    ) -> None:
        self.parses = [
            [unit for unit in parser.parse(title) if with_place or unit.field != "place"][:_MOST_UNITS]
            for title in titles
        ]
        first: dict[str, Unit] = {}
        for unit in (unit for parse in self.parses for unit in parse):
            first.setdefault(unit.name, unit)
        self.names = list(first)
        self.known = np.array([unit.known for unit in first.values()], dtype=bool)
        number = {name: position for position, name in enumerate(self.names)}
        shape = (len(self.parses), max(1, max(map(len, self.parses), default=1)))
        self.ids, self.fields = np.zeros(shape, dtype=np.intp), np.full(shape, -1)
        self.weights = np.zeros(shape)
        for row, parse in enumerate(self.parses):
            for column, unit in enumerate(parse):
                self.ids[row, column] = number[unit.name]
                self.fields[row, column] = FIELDS.index(unit.field)
                self.weights[row, column] = weight(unit.name)
        in_table = vectors.of(self.names)
        as_written = vectors.of([unit.text for unit in first.values()])
        missing = ~in_table.any(axis=1)
        in_table[missing] = as_written[missing]
        self.vectors = in_table
        self.means = [self._mean_vectors(GROUPS[group]) for group in ("all", "object")]
        self.initials = [_initials(parse) for parse in self.parses]
        self.short = [_short_words(parse) for parse in self.parses]

    def __len__(self) -> int:
        return len(self.parses)

    def _mean_vectors(self, fields: Sequence[int]) -> FloatArray:
        """Return the weighted mean vector of some fields of each title, length 1 or 0."""
        weights = self.weights * np.isin(self.fields, fields)
        flat = np.zeros((len(self), self.vectors.shape[1]))
        for column in range(self.ids.shape[1] if self.names else 0):
            flat += weights[:, column, None] * self.vectors[self.ids[:, column]]
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _initials(parse: Sequence[Unit]) -> dict[str, tuple[int, int]]:
    """Return the initials of two to seven consecutive words, and the units they span."""
    words = [(word[0], column) for column, unit in enumerate(parse) for word in unit.text.split()]
    letters = "".join(letter for letter, _ in words)
    return {
        letters[start:stop]: (words[start][1], words[stop - 1][1])
        for start in range(len(words) - 2, -1, -1)  # Of equal initials, the first span counts.
        for stop in range(min(start + 7, len(words)), start + 1, -1)
    }


def _short_words(parse: Sequence[Unit]) -> dict[str, int]:
    texts = ((unit.text, column) for column, unit in enumerate(parse))
    return {text: column for text, column in texts if 2 <= len(text) <= 7 and text.isalpha()}


def unit_similarity(left: RecordTable, right: RecordTable) -> FloatArray:
    """Compare every unit of one table with every unit of the other.

    Returns
    -------
    ndarray of float in [0, 1], shape (n_left_names, n_right_names)
        1 for equal units; else the better of meaning and spelling.
    """
    if not left.names or not right.names:
        return np.zeros((max(1, len(left.names)), max(1, len(right.names))))
    cosine = left.vectors @ right.vectors.T
    alike = np.clip((cosine - _COSINE_FLOOR) / (1 - _COSINE_FLOOR), 0, 1) * _VECTOR_WEIGHT
    alike = np.maximum(alike, _spelling(left, right))
    alike = np.maximum(alike, _spelling(right, left).T).astype(np.float64)
    column = {name: position for position, name in enumerate(right.names)}
    for row, name in enumerate(left.names):
        if name in column:
            alike[row, column[name]] = 1.0
    return alike


def _spelling(left: RecordTable, right: RecordTable) -> NDArray[np.float32]:
    """Compare the letters of the unknown words of one table with all units of the other."""
    alike = np.zeros((len(left.names), len(right.names)), dtype=np.float32)
    rows = [
        row
        for row, name in enumerate(left.names)
        if not left.known[row] and len(name) >= _TYPO_LETTERS and name.isalpha()
    ]
    if rows:
        scores = cdist(
            [left.names[row] for row in rows], right.names,
            scorer=OSA.normalized_similarity, score_cutoff=_TYPO_FLOOR, dtype=np.float32,
        )  # fmt: skip
        alike[rows] = _TYPO_WEIGHT * scores
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
    """
    alike = unit_similarity(left, right) if alike is None else alike
    parts = [
        _compare(left, right, left_rows[s : s + _CHUNK], right_rows[s : s + _CHUNK], alike)
        for s in range(0, len(left_rows), _CHUNK)
    ]
    return np.vstack(parts) if parts else np.empty((0, len(RECORD_FEATURES)))


def _compare(
    left: RecordTable, right: RecordTable, i: NDArray[np.intp], j: NDArray[np.intp], alike: FloatArray
) -> FloatArray:
    weight_a, weight_b = _used(left.weights[i]), _used(right.weights[j])
    wide, high = weight_a.shape[1], weight_b.shape[1]
    pairs = alike[left.ids[i, :wide][:, :, None], right.ids[j, :high][:, None, :]]
    pairs *= (weight_a > 0)[:, :, None]
    pairs *= (weight_b > 0)[:, None, :]
    for row, (a, b) in enumerate(zip(i, j, strict=True)):
        for letters in left.short[a].keys() & right.initials[b].keys():
            start, stop = right.initials[b][letters]
            pairs[row, left.short[a][letters], start : stop + 1] = 1.0
        for letters in right.short[b].keys() & left.initials[a].keys():
            start, stop = left.initials[a][letters]
            pairs[row, start : stop + 1, right.short[b][letters]] = 1.0
    sides = (
        (left.fields[i, :wide], weight_a, pairs.max(axis=2)),
        (right.fields[j, :high], weight_b, pairs.max(axis=1)),
    )
    columns = [column for fields in GROUPS.values() for column in _group_columns(sides, fields)]
    for a, b in zip(left.means, right.means, strict=True):
        columns.append(np.einsum("ij,ij->i", a[i], b[j]))
    return np.column_stack(columns)


def _used(weights: FloatArray) -> FloatArray:
    """Cut off the columns in which no title of this chunk has a unit."""
    return weights[:, : max(1, int((weights > 0).sum(axis=1).max(initial=0)))]


def _group_columns(
    sides: Sequence[tuple[NDArray[np.int_], FloatArray, FloatArray]], fields: Sequence[int]
) -> list[FloatArray]:
    totals, matched, exact, worst = [], [], [], []
    for field, weights, best in sides:
        own = weights * np.isin(field, fields)
        totals.append(own.sum(axis=1))
        matched.append((own * best).sum(axis=1))
        exact.append((own * (best > 0.999)).sum(axis=1))
        worst.append(np.where(own > 0, best, 1.0).min(axis=1))
    total, present = np.array(totals), np.array(totals) > 0
    shares = np.divide(np.array(matched), total, out=np.full(total.shape, np.nan), where=present)
    whole = total.sum(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # A group missing on both sides.
        low, high = np.nanmin(shares, axis=0), np.nanmax(shares, axis=0)
    mean, equal = (
        np.divide(np.sum(part, axis=0), whole, out=np.full(len(whole), np.nan), where=whole > 0)
        for part in (matched, exact)
    )
    columns = [low, high, mean, 1 - np.minimum(*worst), equal]
    return [*(np.nan_to_num(column, nan=-1.0) for column in columns), present.sum(axis=0).astype(float)]
