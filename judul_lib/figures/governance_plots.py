"""Figures and tables of notebook 09: governance."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import model_type, read_metadata, total_size, version_of
from judul_lib.checking.version_metrics import gold_metrics, measured_on_gold
from judul_lib.checking.versions import (
    candidate_metadata,
    current_version,
    list_versions,
    version_folder,
)
from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.evaluation.fairness import disparities
from judul_lib.figures.style import ACCENT, BLUE, GREY, PRIMARY, SERIES_STYLES, rounded, style
from judul_lib.governance.compliance import ChecklistItem
from judul_lib.governance.promotions import metrics_of, missing_metadata
from judul_lib.governance.reviews import LATE, LATER, NEVER, TODAY, ReviewStatus, playbook

_KINDS = ("alarm palsu", "luput")
_GOLD_COLUMNS = {"roc_auc": "ROC-AUC", "low": "dari", "high": "sampai", "accuracy": "akurasi"}
# The symbols differ in shape and fill, for prints in grey.
_MARKS = {
    LATE: (ACCENT, "x"),
    NEVER: (BLUE, "diamond-open"),
    TODAY: (PRIMARY, "diamond"),
    LATER: (PRIMARY, "circle"),
}


def review_timeline(reviews: Sequence[ReviewStatus]) -> go.Figure:
    """Timeline of when each review was last done and is due, in days from today.

    Parameters
    ----------
    reviews : sequence of ReviewStatus
        As from `judul_lib.governance.reviews.due`.
    """
    names = [f"{escape(entry.review.title)} ({entry.review.days} hari)" for entry in reviews]
    due = [(entry.due_date - entry.today).days for entry in reviews]
    last = [(entry.last - entry.today).days if entry.last else None for entry in reviews]
    figure = go.Figure()
    for name, start, end in zip(names, last, due, strict=True):
        figure.add_scatter(
            x=[0 if start is None else start, end], y=[name, name], mode="lines", showlegend=False,
            line={"color": GREY, "width": 2, "dash": "dot" if start is None else "solid"},
            hoverinfo="skip",
        )  # fmt: skip
    done = [(day, name) for day, name in zip(last, names, strict=True) if day is not None]
    figure.add_scatter(
        x=[day for day, _ in done], y=[name for _, name in done], mode="markers",
        name="terakhir dilakukan", marker={"color": PRIMARY, "symbol": "line-ns-open", "size": 11},
    )  # fmt: skip
    for status, (color, symbol) in _MARKS.items():
        rows = [row for row, entry in enumerate(reviews) if entry.status == status]
        if rows:
            figure.add_scatter(
                x=[due[row] for row in rows], y=[names[row] for row in rows], mode="markers",
                name=f"paling lambat: {status}",
                marker={"color": color, "symbol": symbol, "size": 11, "line": {"color": color}},
            )  # fmt: skip
    figure.add_vline(0, line={"color": PRIMARY, "dash": "dash"}, annotation_text="hari ini")
    style(figure, "Kalender tinjauan", height=190 + 30 * len(names))
    figure.update_yaxes(
        categoryorder="array", categoryarray=names, autorange="reversed", ticksuffix=" ",
        title="yang ditinjau",
    )  # fmt: skip
    return figure.update_xaxes(title="hari dari hari ini (negatif: sudah lewat)")


def error_rate_intervals(rates: pd.DataFrame, title: str) -> go.Figure:
    """Both error rates of each group with 95 % intervals, and dashed lines for all pairs.

    Parameters
    ----------
    rates : DataFrame
        As from `judul_lib.evaluation.fairness.error_rates`.
    title : str
    """
    groups = rates.drop("semua")
    names = [
        f"{escape(str(name))}<br>({format_number(int(n))} pasangan)"
        for name, n in groups["pasangan"].items()
    ]
    figure = make_subplots(
        1, 2, shared_yaxes=True, horizontal_spacing=0.06,
        subplot_titles=[
            "alarm palsu: studi lain disebut mirip", "luput: studi yang sama tidak ditemukan",
        ],
    )  # fmt: skip
    for column, (kind, look) in enumerate(zip(_KINDS, SERIES_STYLES, strict=False), start=1):
        percent = 100 * groups[[kind, f"{kind}, dari", f"{kind}, sampai"]].astype(float)
        has_rate = percent[kind].notna().to_numpy()
        rate, low, high = percent[has_rate].to_numpy().T
        figure.add_scatter(
            x=rounded(rate, 1), y=list(compress(names, has_rate)),
            mode="markers", name=kind, showlegend=False,
            marker=look.marker(11),
            error_x={
                "type": "data", "symmetric": False, "color": look.color, "thickness": 2, "width": 6,
                "array": rounded(high - rate, 1), "arrayminus": rounded(rate - low, 1),
            },
            hovertemplate="%{y}: %{x} %<extra></extra>", row=1, col=column,
        )  # fmt: skip
        overall = 100 * float(rates[kind].to_numpy(dtype=float)[rates.index.get_loc("semua")])
        if not np.isnan(overall):  # With too few pairs there is no rate.
            line = {"color": GREY, "dash": "dash"}
            figure.add_vline(round(overall, 1), line=line, row=1, col=column)
    style(figure, escape(title), height=190 + 60 * len(names))
    figure.update_annotations(font_size=13)
    upper = groups[[f"{kind}, sampai" for kind in _KINDS]].astype(float)
    highest = max(100 * float(upper.fillna(0).to_numpy().max()), 1.0)
    # Both panels have the same range, which leaves room for a marker at 0.
    figure.update_xaxes(title="persen pasangan", range=rounded([-0.03 * highest, 1.05 * highest], 1))
    figure.update_yaxes(categoryorder="array", categoryarray=names, autorange="reversed", ticksuffix=" ")
    return figure.update_yaxes(title="kelompok judul", col=1)


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


def quality_over_versions(versions: pd.DataFrame) -> go.Figure:
    """ROC-AUC of each version on the gold pairs by date; a large marker for the one that answers.

    Parameters
    ----------
    versions : DataFrame
        From `version_table`.
    """
    figure = go.Figure()
    measured = versions[versions["ROC-AUC"].notna()]
    looks = dict(zip(MODEL_TITLES.values(), SERIES_STYLES, strict=False))
    for model, frame in measured.groupby("model", sort=False):
        look = looks[str(model)]
        value = frame["ROC-AUC"]
        figure.add_scatter(
            x=frame["dibuat"], y=rounded(value), name=escape(str(model)), mode="lines+markers",
            line=look.line, marker=look.marker([16 if one else 8 for one in frame["berlaku"]]),
            error_y={
                "type": "data", "symmetric": False, "color": look.color,
                "array": rounded((frame["sampai"] - value).fillna(0)),
                "arrayminus": rounded((value - frame["dari"]).fillna(0)),
            },
            text=frame["versi"], hovertemplate="%{text}: %{y}<extra></extra>",
        )  # fmt: skip
    style(figure, "Mutu versi-versi model pada pasangan emas, selang 95 %", height=380)
    figure.update_xaxes(title="tanggal dibuat", tickformat="%d-%m-%Y")
    return figure.update_yaxes(title="ROC-AUC pada pasangan emas")


def check_table(checks: Iterable[ChecklistItem]) -> pd.DataFrame:
    """Return the checklist as a displayed table."""
    rows = [(item.name, "lulus" if item.passed else "gagal", item.evidence) for item in checks]
    return pd.DataFrame(rows, columns=["yang diperiksa", "hasil", "buktinya"])


def rate_table(rates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the `judul_lib.evaluation.fairness.error_rates` of several groupings as one table."""
    rows = []
    for by, frame in rates.items():
        for group, row in frame.drop("semua").iterrows():
            cells = {kind: with_interval(row, kind) for kind in _KINDS}
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
