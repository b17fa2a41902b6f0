"""A part of a corpus as the structured model reads it, as plain arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from judul_lib.array_files import Arrays, StringColumn
from judul_lib.records import GROUPS, RecordTable, UnitTable
from judul_lib.structured import PreparedTitles
from judul_lib.study_search import count_letters, study_arrays
from judul_lib.title_parser import FIELDS, Unit


def record_arrays(prepared: PreparedTitles) -> dict[str, NDArray]:
    """Return what `RecordSearch` needs of a part of a corpus, as arrays."""
    records = prepared.records
    units, numbers = records.units, records.numbers
    counts = np.diff(records.ends)
    of_unit = csr_matrix(
        (np.ones(len(numbers), dtype=np.int8), numbers, records.ends),
        shape=(len(records), max(1, len(units.units))),
    ).tocsc()
    rows = np.repeat(np.arange(len(records)), counts)
    totals = np.bincount(
        rows * len(FIELDS) + units.fields[numbers],
        weights=units.weights[numbers], minlength=len(records) * len(FIELDS),
    )  # fmt: skip
    # Every word of a unit by its first letter, unit by unit and title by title.
    letters = ["".join(word[0] for word in unit.text.split()) for unit in units.units]
    n_words = np.array([len(initials) for initials in letters], dtype=np.int64)
    per_title = (records.unit_numbers(row).tolist() for row in range(len(records)))
    initials = StringColumn.of("".join(letters[k] for k in part) for part in per_title)
    return {
        **study_arrays(prepared.table),
        "unit_ends": records.ends.astype(np.int64),
        "unit_numbers": numbers,
        "unit_rows.ends": of_unit.indptr.astype(np.int64),
        "unit_rows": of_unit.indices.astype(np.int32),
        "totals": np.ascontiguousarray(totals.reshape(-1, len(FIELDS)).T, dtype=np.float32),
        "norms": np.ascontiguousarray(_norms(records).T),
        **initials.arrays("initials"),
        "initials.units": np.repeat(numbers, n_words[numbers]),
        "text_letters": count_letters(records.texts),
        "text_lengths": np.array([len(text) for text in records.texts], dtype=np.int32),
        **StringColumn.of(records.texts).arrays("texts"),
        "weights": units.weights,
        "name_ids": units.name_ids,
        "vectors": units.vectors,
        "fields": units.fields,
        "known": np.array([unit.known for unit in units.units], dtype=bool),
        **StringColumn.of(unit.name for unit in units.units).arrays("unit_names"),
        **StringColumn.of(unit.text for unit in units.units).arrays("unit_texts"),
    }


def _norms(records: RecordTable) -> NDArray[np.float32]:
    """Return the lengths of the vector sums behind `RecordTable.means`, shape (n, 2)."""
    norms = []
    for part in records.parts():
        sums = (part.vector_sums(GROUPS[group]) for group in ("all", "object"))
        norms.append(np.column_stack([np.linalg.norm(flat, axis=1) for flat in sums]))
    return np.vstack(norms).astype(np.float32)


class StoredUnits(Sequence[Unit]):
    """The distinct units of a part of a corpus, made where they are asked for."""

    def __init__(self, arrays: Arrays) -> None:
        self._names, self._texts = (StringColumn.at(arrays, f"unit_{n}") for n in ("names", "texts"))
        self._fields, self._known = arrays["fields"], arrays["known"]
        self._made: dict[int, Unit] = {}

    def __len__(self) -> int:
        return len(self._fields)

    def __getitem__(self, number: Any) -> Any:
        if number not in self._made:
            field, known = FIELDS[self._fields[number]], bool(self._known[number])
            self._made[number] = Unit(self._names[number], field, self._texts[number], known)
        return self._made[number]


def stored_units(arrays: Arrays) -> UnitTable:
    """Return the distinct units of arrays as from `record_arrays`."""
    names = "weights", "name_ids", "vectors", "fields"
    return UnitTable(StoredUnits(arrays), *(arrays[name] for name in names))
