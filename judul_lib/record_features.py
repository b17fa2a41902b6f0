"""Compare two titles field by field: task, object, method, place.

Each title becomes a row of units (`TitleParser`). Two units are alike as far
as the lexicon, their vectors or their letters say so, and each unit of one
title looks for its best counterpart in the other: what finds none is what the
two studies do not share.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, Indel
from rapidfuzz.process import cdist, cpdist

from judul_lib.spelling import typed_alike, words_of
from judul_lib.title_parser import FIELDS, TitleParser, Unit
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

_MOST_UNITS, _MOST_JOINED = 32, 4
_CHUNK = 2000
_COSINE_FLOOR = 0.2  # A cosine below this says nothing.
_TYPO_FLOOR, _TYPO_WEIGHT, _TYPO_LETTERS = 0.75, 0.95, 5
# Titles with less in common are not compared word by word for typing errors.
_NEARLY_EQUAL = 0.8
_PLACE = FIELDS.index("place")

GROUPS: Mapping[str, tuple[int, ...]] = {
    "all": tuple(range(len(FIELDS))),
    "content": tuple(k for k in range(len(FIELDS)) if k != _PLACE),
    **{field: (k,) for k, field in enumerate(FIELDS)},
}
"""Groups of fields that are compared; the counterparts may stand in any field."""

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
        self.words = [words_of(title) for title in titles]
        self.is_word = parser.is_word
        number: dict[str, int] = {}
        kinds: list[Unit] = []
        shape = (len(self.parses), max(1, max(map(len, self.parses), default=1)))
        self.ids, self.fields = np.zeros(shape, dtype=np.intp), np.full(shape, -1)
        self.weights = np.zeros(shape)
        for row, parse in enumerate(self.parses):
            for column, unit in enumerate(parse):
                key = unit.name if unit.known else f"{unit.name} {unit.text}"
                if key not in number:
                    number[key] = len(kinds)
                    kinds.append(unit)
                self.ids[row, column] = number[key]
                self.fields[row, column] = FIELDS.index(unit.field)
                self.weights[row, column] = weight(unit.name)
        self.names = [unit.name for unit in kinds]
        self.known = np.array([unit.known for unit in kinds], dtype=bool)
        self.is_place = np.array([unit.known and unit.field == "place" for unit in kinds], dtype=bool)
        # An unknown word means what its own form means: "kebijakan" is not "bijak".
        self.vectors = vectors.of([unit.name if unit.known else unit.text for unit in kinds])
        self.means = [self._mean_vectors(GROUPS[group]) for group in ("all", "object")]
        self.spans = [_spans(parse) for parse in self.parses]
        self.keys = [_keys(parse) for parse in self.parses]

    def __len__(self) -> int:
        return len(self.parses)

    def _mean_vectors(self, fields: Sequence[int]) -> FloatArray:
        """Return the weighted mean vector of some fields of each title, length 1 or 0."""
        weights = self.weights * np.isin(self.fields, fields)
        flat = np.zeros((len(self), self.vectors.shape[1]))
        for column in range(self.ids.shape[1] if self.names else 0):
            flat += weights[:, column, None] * self.vectors[self.ids[:, column]]
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _spans(parse: Sequence[Unit]) -> dict[str, tuple[int, int]]:
    """Return what consecutive words can be met by, and the units that they span.

    Two to seven words by their initials, two to four by their letters without blanks.
    """
    words = [(word, column) for column, unit in enumerate(parse) for word in unit.text.split()]
    spans: dict[str, tuple[int, int]] = {}
    for start in range(len(words) - 2, -1, -1):  # Of equal keys, the first span counts.
        for stop in range(min(start + 7, len(words)), start + 1, -1):
            span = words[start][1], words[stop - 1][1]
            spans["".join(word[0] for word, _ in words[start:stop])] = span
            if stop - start <= _MOST_JOINED:
                spans["".join(word for word, _ in words[start:stop])] = span
    return spans


def _keys(parse: Sequence[Unit]) -> dict[str, int]:
    """Return units by their letters: abbreviations, and what may be written apart elsewhere."""
    texts = ((unit.text.replace(" ", ""), column) for column, unit in enumerate(parse))
    return {text: column for text, column in texts if len(text) >= 2 and text.isalpha()}


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
    alike = np.clip((cosine - _COSINE_FLOOR) / (1 - _COSINE_FLOOR), 0, 1)
    # Names of places have no meaning that a vector could hold.
    alike[np.ix_(left.is_place, right.is_place)] = 0
    spelling = _spelling(left, right)
    alike = np.maximum(alike, spelling)
    other_way = spelling if left is right else _spelling(right, left)
    alike = np.maximum(alike, other_way.T).astype(np.float64)
    columns: dict[str, list[int]] = {}
    for position, name in enumerate(right.names):
        columns.setdefault(name, []).append(position)
    for row, name in enumerate(left.names):
        alike[row, columns.get(name, [])] = 1.0
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
        _meet_spans(pairs[row], left.keys[a], right.spans[b])
        _meet_spans(pairs[row].T, right.keys[b], left.spans[a])
    for row in map(int, np.flatnonzero(_nearly_equal(left, right, i, j))):
        typed = typed_alike(left.words[i[row]], right.words[j[row]], left.is_word)
        pairs[row] = np.maximum(pairs[row], typed * (weight_a[row] > 0)[:, None] * (weight_b[row] > 0))
    sides = (
        (left.fields[i, :wide], weight_a, pairs.max(axis=2)),
        (right.fields[j, :high], weight_b, pairs.max(axis=1)),
    )
    columns = [column for fields in GROUPS.values() for column in _group_columns(sides, fields)]
    for mean_a, mean_b in zip(left.means, right.means, strict=True):
        columns.append(np.einsum("ij,ij->i", mean_a[i], mean_b[j]))
    return np.column_stack(columns)


def _nearly_equal(
    left: RecordTable, right: RecordTable, i: NDArray[np.intp], j: NDArray[np.intp]
) -> NDArray[np.bool_]:
    texts = ([" ".join(table.words[row]) for row in rows] for table, rows in ((left, i), (right, j)))
    likeness = cpdist(*texts, scorer=Indel.normalized_similarity, score_cutoff=_NEARLY_EQUAL)
    return likeness >= _NEARLY_EQUAL


def _meet_spans(
    pairs: FloatArray, keys: Mapping[str, int], spans: Mapping[str, tuple[int, int]]
) -> None:
    """Set to 1 where a unit of one title is an abbreviation of words of the other, or those joined."""
    for letters in keys.keys() & spans.keys():
        start, stop = spans[letters]
        pairs[keys[letters], start : stop + 1] = 1.0


def unit_pairs(table: RecordTable, left: int, right: int) -> FloatArray:
    """Return how alike the units of two rows of a table are, shape (n_left_units, n_right_units)."""
    alike = unit_similarity(table, table)
    counts = [len(table.parses[row]) for row in (left, right)]
    pairs = alike[np.ix_(table.ids[left, : counts[0]], table.ids[right, : counts[1]])]
    _meet_spans(pairs, table.keys[left], table.spans[right])
    _meet_spans(pairs.T, table.keys[right], table.spans[left])
    return pairs


def _used(weights: FloatArray) -> FloatArray:
    """Cut off the columns in which no title of this chunk has a unit."""
    return weights[:, : max(1, int((weights > 0).sum(axis=1).max(initial=0)))]


def _group_columns(
    sides: Sequence[tuple[NDArray[np.int_], FloatArray, FloatArray]], fields: Sequence[int]
) -> list[FloatArray]:
    shares, worst, present = [], [], []
    for field, weights, best in sides:
        own = weights * np.isin(field, fields)
        total = own.sum(axis=1)
        share = np.divide((own * best).sum(axis=1), total, out=np.ones(len(own)), where=total > 0)
        shares.append(share)
        worst.append(np.where(own > 0, best, 1.0).min(axis=1))
        present.append(total > 0)
    (left, right), count = shares, np.sum(present, axis=0)
    high = np.where(count == 1, np.minimum(left, right), np.maximum(left, right))
    columns = [np.minimum(left, right), high, 1 - np.minimum(*worst), count == 0, count == 1]
    return [column.astype(float) for column in columns]
