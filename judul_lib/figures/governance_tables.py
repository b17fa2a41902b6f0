"""Tables of models, reviews and error rates, with displayed names; they need no Plotly."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import model_type, read_metadata, total_size, version_of
from judul_lib.checking.version_metrics import gold_metrics, measured_on_gold
from judul_lib.checking.versions import (
    candidate_metadata,
    current_version,
    list_versions,
    version_folder,
)
from judul_lib.core.formatting import format_percent
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.evaluation.fairness import disparities
from judul_lib.governance.compliance import ChecklistItem
from judul_lib.governance.promotions import metrics_of, missing_metadata
from judul_lib.governance.reviews import LATE, ReviewStatus, playbook

ERROR_KINDS = ("alarm palsu", "luput")
"""Column names of the error rates by group."""

_GOLD_COLUMNS = {"roc_auc": "ROC-AUC", "low": "dari", "high": "sampai", "accuracy": "akurasi"}


def calendar_table(reviews: Iterable[ReviewStatus]) -> pd.DataFrame:
    """Return the result of `judul_lib.governance.reviews.due` as a displayed table."""
    rows = [
        {
            "nama": entry.name,
            "yang dilihat": entry.review.title,
            "setiap": f"{entry.review.days} hari",
            "terakhir": f"{entry.last:%d-%m-%Y}" if entry.last else "–",
            "paling lambat": f"{entry.due_date:%d-%m-%Y}",
            "status": f"{LATE} {entry.days_overdue} hari" if entry.days_overdue else entry.status,
            "buktinya": entry.evidence,
            "perintah": entry.review.command,
        }
        for entry in reviews
    ]
    return pd.DataFrame(rows)


def playbook_table() -> pd.DataFrame:
    """Return all kinds of incidents with their level and response time."""
    rows = [
        {
            "jenis": kind,
            "tingkat": incident.level,
            "ditanggapi dalam": incident.response_deadline,
            "kejadian": incident.title,
            "selesai bila": incident.resolved_when,
        }
        for kind, incident in playbook().items()
    ]
    return pd.DataFrame(rows).sort_values("tingkat", kind="stable", ignore_index=True)


def model_table(outputs: Path) -> pd.DataFrame:
    """Return the metadata of each model (rows), and what is missing in them."""
    rows = {}
    for name, folder in find_models(outputs).items():
        metadata = read_metadata(folder)
        dataset = metadata.get("dataset") or {}
        rows[MODEL_TITLES[name]] = {
            "jenis": model_type(metadata),
            "byte": total_size(metadata),
            "versi": str(metadata.get("version")),
            "data": str(dataset.get("name")),
            "judul": int(dataset.get("n_titles") or 0),
            "berkas": len(metadata.get("files") or {}),
            "ukuran": len(metrics_of(metadata)),
            "belum ada": ", ".join(missing_metadata(metadata)) or "–",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def version_table(outputs: Path) -> pd.DataFrame:
    """Return the versions of all models by date, with what they are worth on the gold pairs.

    Returns
    -------
    DataFrame
        ``model``, ``versi``, ``dibuat`` (date), ``berlaku`` (bool), ``ROC-AUC``, ``dari``,
        ``sampai`` (its 95 % interval), ``akurasi``; NaN where nothing is stored.

    Examples
    --------
    >>> version_table(Path("outputs"))["berlaku"].all()
    np.True_
    """
    rows = []
    for name, title in MODEL_TITLES.items():
        current = current_version(outputs, name)
        metrics = gold_metrics(outputs, name)
        stored = [
            (version, read_metadata(version_folder(outputs, name, version)), version == current)
            for version in list_versions(outputs, name)
        ]
        if candidate := candidate_metadata(outputs, name):
            version = version_of(candidate)
            metrics[version] = metrics.get(version) or measured_on_gold(candidate)
            stored = [row for row in stored if row[0] != version]
            stored.append((version, candidate, current is None))
        for version, metadata, is_current in stored:
            values = {label: metrics[version].get(key) for key, label in _GOLD_COLUMNS.items()}
            created = pd.Timestamp(str(metadata.get("created"))[:10])
            row = {"model": title, "versi": version, "dibuat": created, "berlaku": is_current}
            rows.append(row | values)
    columns = ["model", "versi", "dibuat", "berlaku", *_GOLD_COLUMNS.values()]
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.astype(dict.fromkeys(_GOLD_COLUMNS.values(), float))
    return frame.sort_values(["model", "dibuat", "versi"], ignore_index=True)


def check_table(checks: Iterable[ChecklistItem]) -> pd.DataFrame:
    """Return the checklist as a displayed table."""
    rows = [(item.name, "lulus" if item.passed else "gagal", item.evidence) for item in checks]
    return pd.DataFrame(rows, columns=["yang diperiksa", "hasil", "buktinya"])


def rate_table(rates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the `judul_lib.evaluation.fairness.error_rates` of several groupings as one table."""
    rows = []
    for by, frame in rates.items():
        for group, row in frame.drop("semua").iterrows():
            cells = {kind: with_interval(row, kind) for kind in ERROR_KINDS}
            rows.append({"menurut": by, "kelompok": group, "pasangan": int(row["pasangan"]), **cells})
    return pd.DataFrame(rows)


def describe_disparities(rates: pd.DataFrame) -> str:
    """Describe in Indonesian in which group each error is most frequent, and whether by chance."""
    worse, overall = disparities(rates), rates.T["semua"]
    sentences = []
    for name, words in (("alarm palsu", "Alarm palsu"), ("luput", "Yang luput")):
        groups = rates.drop("semua").dropna(subset=[name])
        if groups.empty:
            sentences.append(f"{words}: terlalu sedikit pasangan untuk menyimpulkan apa pun.")
            continue
        row = int(groups[name].to_numpy(dtype=float).argmax())
        group = groups.index[row]
        is_worse = ((worse["kelompok"] == group) & (worse["galat"] == name)).any()
        verdict = "lebih dari kebetulan" if is_worse else "selisihnya masih dapat kebetulan"
        sentences.append(
            f"{words} paling sering pada kelompok *{group}*: {with_interval(groups.iloc[row], name)}, "
            f"dibandingkan {with_interval(overall, name)} pada semua pasangan; {verdict}."
        )
    return " ".join(sentences)


def with_interval(row: pd.Series, name: str) -> str:
    """Return an error rate with its interval as text, or a dash if it is missing.

    Examples
    --------
    >>> row = pd.Series({"salah": 0.25, "salah, dari": 0.1, "salah, sampai": 0.4})
    >>> with_interval(row, "salah")
    '25,0 % (10,0 % sampai 40,0 %)'
    """
    if pd.isna(row[name]):
        return "–"
    low, high = (format_percent(row[f"{name}, {end}"]) for end in ("dari", "sampai"))
    return f"{format_percent(row[name])} ({low} sampai {high})"
