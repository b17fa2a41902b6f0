"""The gold pairs: pairs of titles with a known relation, written by hand.

The data card of `data/gold_pairs.csv` says how they were made. The split is
fixed in the file, by base study: models, lexicon and thresholds see only the
development part.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from judul_lib.core.errors import GoldError
from judul_lib.study.corpus import read_table

COLUMNS = ("id", "base_id", "kind", "grade", "judul_a", "judul_b", "split")
GRADE_BY_KIND: Mapping[str, int] = MappingProxyType(
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

_SAME = (
    "tempat_ditambah", "platform_ditambah", "metode_ditambah", "urutan_klausa", "sinonim_ahli",
    "sinonim_sehari", "ubah_kata", "bahasa_lain", "pembuka_lain",
)  # fmt: skip
_OTHER = (
    "arah_dibalik", "versi_lain", "lawan_pembanding", "variabel_lain", "luaran_lain", "objek_saudara",
    "metode_saudara", "bagian_lain", "kota_sama", "templat_sama", "katalog_beda",
)  # fmt: skip
SINGLE_CHANGE_GRADE_BY_KIND: Mapping[str, int] = MappingProxyType(
    {"salah_ketik": 4, "katalog_sama": 4, "tempat_lain_baru": 2}
    | dict.fromkeys(_SAME, 3)
    | dict.fromkeys(_OTHER, 1)
)
"""Kinds of pairs that differ in one thing, each with its own base study, and their grades."""

_GRADES = {**GRADE_BY_KIND, **SINGLE_CHANGE_GRADE_BY_KIND}

HARD_KINDS = ("parafrase", "singkatan_inggris", "sulit_negatif_metode", "sulit_negatif_objek")
"""Rewordings and look-alikes: kinds on which comparing words fails."""

SPLITS = ("dev", "test")
SIMILAR_GRADE, ELSEWHERE_GRADE = 3, 2
_SAME_GRADES = tuple(grade for grade in set(GRADE_BY_KIND.values()) if grade >= SIMILAR_GRADE)


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
        A column is missing, a kind, grade or split is unknown, an id is repeated,
        or a base is in both splits; the message names file and line.
    """
    frame, name = read_table(path), Path(path).name
    _require_columns(frame, COLUMNS, name)
    rows: Any = frame[list(COLUMNS)].to_dict("records")
    for line, row in zip(frame.index, rows, strict=True):
        where = f"{name} baris {line}"
        if row["kind"] not in _GRADES:
            raise GoldError(
                f"{where}: jenis {row['kind']!r} tidak dikenal. Pilih: {', '.join(_GRADES)}."
            )
        grade = str(_GRADES[row["kind"]])
        if row["grade"] != grade:
            raise GoldError(f"{where}: derajat {row['kind']} harus {grade}, bukan {row['grade']!r}.")
        if row["split"] not in SPLITS:
            raise GoldError(f"{where}: bagian {row['split']!r} bukan {' atau '.join(SPLITS)}.")
        if not row["judul_a"].strip() or not row["judul_b"].strip():
            raise GoldError(f"{where}: judul kosong.")
    _refuse_repeats(frame, name)
    frame = frame.assign(grade=frame["grade"].astype(int)).reset_index(drop=True)
    label = frame["grade"].map(lambda g: None if g == ELSEWHERE_GRADE else int(g >= SIMILAR_GRADE))
    return frame.assign(label=label.astype("Int64"))


def _require_columns(frame: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Refuse a table in which one of the columns is missing or repeated."""
    header = list(frame.columns)
    missing = [column for column in columns if column not in header]
    repeated = [column for column in columns if header.count(column) > 1]
    for wrong, problem in ((missing, "tidak ada"), (repeated, "ada lebih dari sekali")):
        if wrong:
            raise GoldError(f"{name} baris 1: kolom {', '.join(wrong)} {problem}.")


def _refuse_repeats(frame: pd.DataFrame, name: str) -> None:
    repeated = frame.index[frame["id"].duplicated()]
    if len(repeated):
        value = frame["id"][repeated[0]]
        raise GoldError(f"{name} baris {repeated[0]}: id {value!r} sudah dipakai.")
    for column in ("base_id", "judul_a"):
        n_splits = frame.groupby(frame[column].str.casefold())["split"].transform("nunique")
        crossing = frame.index[n_splits > 1]
        if len(crossing):
            value = frame[column][crossing[-1]]
            raise GoldError(
                f"{name} baris {crossing[-1]}: {value!r} ada di kedua bagian. "
                "Satu studi dasar harus seluruhnya dev atau seluruhnya test."
            )


def crossed_pairs(gold: pd.DataFrame) -> pd.DataFrame:
    """Pair the second titles of each study with one another.

    Two rewordings of a study are the same study; a rewording and a look-alike
    are not. Nobody wrote these pairs to be hard or easy, so a method that has
    only learnt how the gold pairs were written fails here.

    Parameters
    ----------
    gold : DataFrame
        As from `read_gold`.

    Returns
    -------
    DataFrame
        ``base_id``, ``kind`` (both kinds, joined by ``×``), ``label``,
        ``judul_a``, ``judul_b``.
    """
    rows = []
    for base, study in gold[gold["grade"].isin([1, *_SAME_GRADES])].groupby("base_id", sort=False):
        seconds = zip(study["kind"], study["grade"] >= SIMILAR_GRADE, study["judul_b"], strict=True)
        for (kind_a, same_a, a), (kind_b, same_b, b) in combinations(seconds, 2):
            if same_a or same_b:  # Two look-alikes may or may not be alike.
                rows.append((base, f"{kind_a} × {kind_b}", int(same_a and same_b), a, b))
    return pd.DataFrame(rows, columns=["base_id", "kind", "label", "judul_a", "judul_b"])


def read_second_grades(path: str | Path, gold: pd.DataFrame) -> pd.DataFrame:
    """Read the grades of a second, blind grading.

    Parameters
    ----------
    path : path
        CSV with ``id`` and ``grade``.
    gold : DataFrame
        As from `read_gold`.

    Returns
    -------
    DataFrame
        The rows of ``gold`` that have a second grade, with ``second_grade``.

    Raises
    ------
    GoldError
        A column is missing, an id is unknown or repeated, or a grade is not one
        of 0 to 4; the message names file and line.
    """
    frame, name = read_table(path), Path(path).name
    _require_columns(frame, ("id", "grade"), name)
    ungraded = set(gold["id"])
    for line, pair, grade in zip(frame.index, frame["id"], frame["grade"], strict=True):
        if pair not in ungraded:
            raise GoldError(f"{name} baris {line}: id {pair!r} tidak dikenal atau berulang.")
        if grade not in {str(value) for value in GRADE_BY_KIND.values()}:
            raise GoldError(f"{name} baris {line}: derajat {grade!r} bukan 0 sampai 4.")
        ungraded.remove(pair)
    second = frame[["id", "grade"]].rename(columns={"grade": "second_grade"})
    joined = gold.merge(second, on="id", validate="one_to_one")
    return joined.assign(second_grade=joined["second_grade"].astype(int))


def grade_agreement(second: pd.DataFrame) -> pd.DataFrame:
    """Compare the first and the second grades.

    Parameters
    ----------
    second : DataFrame
        As from `read_second_grades`.

    Returns
    -------
    DataFrame
        Rows: all five grades, the same with quadratic weights, and *the same
        study or not* (grade 3 and above; pairs with a grade 2 are left out).
        Columns: ``pasangan``, ``sepakat`` (share), ``kappa``.

    References
    ----------
    Cohen, J. (1960). *A coefficient of agreement for nominal scales*; with
    weights: Cohen, J. (1968). *Weighted kappa*.
    """
    from sklearn.metrics import cohen_kappa_score

    grades = second[["grade", "second_grade"]].to_numpy()
    is_same = grades[(grades != ELSEWHERE_GRADE).all(axis=1)] >= SIMILAR_GRADE
    rows = {
        "derajat 0 sampai 4": (grades, None),
        "derajat, bobot kuadrat": (grades, "quadratic"),
        "studi yang sama atau bukan": (is_same, None),
    }
    return pd.DataFrame(
        {
            name: {
                "pasangan": len(pairs),
                "sepakat": float((pairs[:, 0] == pairs[:, 1]).mean()),
                "kappa": float(cohen_kappa_score(pairs[:, 0], pairs[:, 1], weights=weights)),
            }
            for name, (pairs, weights) in rows.items()
        }
    ).T.astype({"pasangan": int})
