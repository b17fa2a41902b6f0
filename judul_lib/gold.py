"""The project's own pairs of titles with a known relation, written by hand.

`data/gold_pairs.csv` and its data card say how they were made. The split is
fixed in the file, by base study: models, lexicon and thresholds see only the
development part.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from judul_lib.corpus import read_table
from judul_lib.errors import GoldError

COLUMNS = ("id", "base_id", "kind", "grade", "judul_a", "judul_b", "split")
GRADES: Mapping[str, int] = MappingProxyType(
    {
        "permukaan": 4,
        "parafrase": 3,
        "singkatan_inggris": 3,
        "tempat_lain": 2,
        "sulit_negatif_metode": 1,
        "sulit_negatif_objek": 1,
        "acak": 0,
    }
)
"""Kinds of pairs and their grades; 3 and above is the same study, 2 the same study elsewhere."""

HARD_KINDS = ("parafrase", "singkatan_inggris", "sulit_negatif_metode", "sulit_negatif_objek")
"""Rewordings against look-alikes: where comparing words goes wrong."""

SPLITS = ("dev", "test")
SIMILAR_GRADE, ELSEWHERE_GRADE = 3, 2


def read_gold(path: str | Path) -> pd.DataFrame:
    """Read and check a gold file.

    Returns
    -------
    DataFrame
        The file's columns, ``grade`` as int, and ``label``: 1 from grade 3 up,
        0 up to grade 1, missing for grade 2.

    Raises
    ------
    GoldError
        A column is missing, a kind, grade or split is unknown, an id stands
        twice, or a base is on both splits; the message names file and line.
    """
    frame = read_table(path)
    name = Path(path).name
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise GoldError(f"{name} baris 1: kolom {', '.join(missing)} tidak ada.")
    rows: Any = frame.to_dict("records")
    for line, row in enumerate(rows, start=2):
        where = f"{name} baris {line}"
        if row["kind"] not in GRADES:
            raise GoldError(f"{where}: jenis {row['kind']!r} tidak dikenal. Pilih: {', '.join(GRADES)}.")
        grade = str(GRADES[row["kind"]])
        if row["grade"] != grade:
            raise GoldError(f"{where}: derajat {row['kind']} harus {grade}, bukan {row['grade']!r}.")
        if row["split"] not in SPLITS:
            raise GoldError(f"{where}: bagian {row['split']!r} bukan {' atau '.join(SPLITS)}.")
        if not row["judul_a"].strip() or not row["judul_b"].strip():
            raise GoldError(f"{where}: judul kosong.")
    _refuse_repeats(frame, name)
    frame = frame.assign(grade=frame["grade"].astype(int))
    label = frame["grade"].map(lambda g: None if g == ELSEWHERE_GRADE else int(g >= SIMILAR_GRADE))
    return frame.assign(label=label.astype("Int64"))


def _refuse_repeats(frame: pd.DataFrame, name: str) -> None:
    repeated = frame.index[frame["id"].duplicated()]
    if len(repeated):
        value = frame["id"][repeated[0]]
        raise GoldError(f"{name} baris {repeated[0] + 2}: id {value!r} sudah dipakai.")
    for keys in ("base_id", "judul_a"):
        sides = frame.groupby(frame[keys].str.casefold())["split"].transform("nunique")
        crossing = frame.index[sides > 1]
        if len(crossing):
            value = frame[keys][crossing[-1]]
            raise GoldError(
                f"{name} baris {crossing[-1] + 2}: {value!r} ada di kedua bagian. "
                "Satu studi dasar harus seluruhnya dev atau seluruhnya test."
            )
