"""Governance as tables that people read: reviews, incidents, the checklist, models, error rates."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import read_metadata
from judul_lib.core.formatting import percent
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.evaluation.fairness import disparities
from judul_lib.governance.compliance import Check
from judul_lib.governance.incident_playbook import PLAYBOOK
from judul_lib.governance.promotions import metrics_of, missing_metadata
from judul_lib.governance.review_calendar import LATE, Due


def calendar_table(reviews: Iterable[Due]) -> pd.DataFrame:
    """Return `judul_lib.governance.review_calendar.due` to be read, dates in Indonesian."""
    rows = [
        {
            "nama": one.name,
            "yang dilihat": one.review.title,
            "setiap": f"{one.review.days} hari",
            "terakhir": f"{one.last:%d-%m-%Y}" if one.last else "–",
            "paling lambat": f"{one.by:%d-%m-%Y}",
            "status": f"{LATE} {one.overdue} hari" if one.overdue else one.status,
            "buktinya": one.evidence,
            "perintah": one.review.command,
        }
        for one in reviews
    ]
    return pd.DataFrame(rows)


def playbook_table() -> pd.DataFrame:
    """Return every kind of incident: its level, how soon it is looked at, what it is."""
    rows = [
        {
            "jenis": kind,
            "tingkat": known.level,
            "ditanggapi dalam": known.within,
            "kejadian": known.title,
            "selesai bila": known.over,
        }
        for kind, known in PLAYBOOK.items()
    ]
    return pd.DataFrame(rows).sort_values("tingkat", kind="stable", ignore_index=True)


def model_table(outputs: Path) -> pd.DataFrame:
    """Return what the metadata of each model tell, and what they lack; one row a model."""
    rows = {}
    for name, folder in find_models(outputs).items():
        known = read_metadata(folder)
        dataset = known.get("dataset") or {}
        rows[MODEL_TITLES[name]] = {
            "jenis": str(known.get("type")),
            "versi": str(known.get("version")),
            "data": str(dataset.get("name")),
            "judul": int(dataset.get("n_titles") or 0),
            "berkas": len(known.get("files") or {}),
            "ukuran": len(metrics_of(known)),
            "belum ada": ", ".join(missing_metadata(known)) or "–",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def check_table(checks: Iterable[Check]) -> pd.DataFrame:
    """Return the checklist to be read."""
    rows = [(one.name, "lulus" if one.passed else "gagal", one.evidence) for one in checks]
    return pd.DataFrame(rows, columns=["yang diperiksa", "hasil", "buktinya"])


def rate_table(rates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return `judul_lib.evaluation.fairness.error_rates` of several groupings, one row a group."""
    rows = []
    for by, frame in rates.items():
        for group, row in frame.drop("semua").iterrows():
            cells = {name: with_interval(row, name) for name in ("alarm palsu", "luput")}
            rows.append({"menurut": by, "kelompok": group, "pasangan": int(row["pasangan"]), **cells})
    return pd.DataFrame(rows)


def reading(rates: pd.DataFrame) -> str:
    """Say in which group each error is the most frequent, and whether that is more than chance."""
    worse, overall = disparities(rates), rates.iloc[list(rates.index).index("semua")]
    sentences = []
    for name, words in (("alarm palsu", "Alarm palsu"), ("luput", "Yang luput")):
        known = rates.drop("semua").dropna(subset=[name])
        if known.empty:
            sentences.append(f"{words}: terlalu sedikit pasangan untuk menyimpulkan apa pun.")
            continue
        place = int(known[name].to_numpy(dtype=float).argmax())
        group = known.index[place]
        is_worse = ((worse["kelompok"] == group) & (worse["galat"] == name)).any()
        verdict = "lebih dari kebetulan" if is_worse else "selisihnya masih dapat kebetulan"
        sentences.append(
            f"{words} paling sering pada kelompok *{group}*: {with_interval(known.iloc[place], name)}, "
            f"dibandingkan {with_interval(overall, name)} pada semua pasangan; {verdict}."
        )
    return " ".join(sentences)


def with_interval(row: pd.Series, name: str) -> str:
    """Return an error rate of `judul_lib.evaluation.fairness.error_rates` with its interval, or a dash.

    Examples
    --------
    >>> row = pd.Series({"salah": 0.25, "salah, dari": 0.1, "salah, sampai": 0.4})
    >>> with_interval(row, "salah")
    '25,0 % (10,0 % sampai 40,0 %)'
    """
    if pd.isna(row[name]):
        return "–"
    low, high = (percent(row[f"{name}, {end}"]) for end in ("dari", "sampai"))
    return f"{percent(row[name])} ({low} sampai {high})"
