"""Figures and tables of notebook 09: governance."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import read_metadata
from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.evaluation.fairness import disparities
from judul_lib.figures.style import ACCENT, BLUE, GREY, PRIMARY, SERIES_STYLES, rounded, style
from judul_lib.governance.compliance import ChecklistItem
from judul_lib.governance.promotions import metrics_of, missing_metadata
from judul_lib.governance.reviews import LATE, LATER, NEVER, TODAY, ReviewStatus, playbook

_KINDS = ("alarm palsu", "luput")
# Full and hollow, round and pointed: a grey print tells them apart.
_MARKS = {
    LATE: (ACCENT, "x"),
    NEVER: (BLUE, "diamond-open"),
    TODAY: (PRIMARY, "diamond"),
    LATER: (PRIMARY, "circle"),
}


def review_timeline(reviews: Sequence[ReviewStatus]) -> go.Figure:
    """When each review was last done and when it is due, in days from today.

    Parameters
    ----------
    reviews : sequence of ReviewStatus
        As from `judul_lib.governance.reviews.due`.
    """
    names = [f"{escape(one.review.title)} ({one.review.days} hari)" for one in reviews]
    by = [(one.due_date - one.today).days for one in reviews]
    last = [(one.last - one.today).days if one.last else None for one in reviews]
    figure = go.Figure()
    for name, start, end in zip(names, last, by, strict=True):
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
        rows = [format_number for format_number, one in enumerate(reviews) if one.status == status]
        if rows:
            figure.add_scatter(
                x=[by[row] for row in rows], y=[names[row] for row in rows], mode="markers",
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
    """Both error rates of each group with their 95 % intervals; a dashed line is that of all pairs.

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
        share = 100 * groups[[kind, f"{kind}, dari", f"{kind}, sampai"]].astype(float)
        known = share[kind].notna().to_numpy()
        shown = share[known].to_numpy().T
        figure.add_scatter(
            x=rounded(shown[0], 1), y=[name for name, kept in zip(names, known, strict=True) if kept],
            mode="markers", name=kind, showlegend=False,
            marker=look.marker(11),
            error_x={
                "type": "data", "symmetric": False, "color": look.color, "thickness": 2, "width": 6,
                "array": rounded(shown[2] - shown[0], 1),
                "arrayminus": rounded(shown[0] - shown[1], 1),
            },
            hovertemplate="%{y}: %{x} %<extra></extra>", row=1, col=column,
        )  # fmt: skip
        overall = 100 * float(rates[kind].to_numpy(dtype=float)[rates.index.get_loc("semua")])
        if overall == overall:  # Too few pairs have no rate.
            line = {"color": GREY, "dash": "dash"}
            figure.add_vline(round(overall, 1), line=line, row=1, col=column)
    style(figure, escape(title), height=190 + 60 * len(names))
    figure.update_annotations(font_size=13)
    ends = groups[[f"{kind}, sampai" for kind in _KINDS]].astype(float)
    most = max(100 * float(ends.fillna(0).to_numpy().max()), 1.0)
    # Both halves alike, and room for a mark at 0.
    figure.update_xaxes(title="persen pasangan", range=rounded([-0.03 * most, 1.05 * most], 1))
    figure.update_yaxes(categoryorder="array", categoryarray=names, autorange="reversed", ticksuffix=" ")
    return figure.update_yaxes(title="kelompok judul", col=1)


def calendar_table(reviews: Iterable[ReviewStatus]) -> pd.DataFrame:
    """Return `judul_lib.governance.reviews.due` to be read, dates in Indonesian."""
    rows = [
        {
            "nama": one.name,
            "yang dilihat": one.review.title,
            "setiap": f"{one.review.days} hari",
            "terakhir": f"{one.last:%d-%m-%Y}" if one.last else "–",
            "paling lambat": f"{one.due_date:%d-%m-%Y}",
            "status": f"{LATE} {one.days_overdue} hari" if one.days_overdue else one.status,
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
            "ditanggapi dalam": known.response_deadline,
            "kejadian": known.title,
            "selesai bila": known.resolved_when,
        }
        for kind, known in playbook().items()
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


def check_table(checks: Iterable[ChecklistItem]) -> pd.DataFrame:
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


def describe_disparities(rates: pd.DataFrame) -> str:
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
    low, high = (format_percent(row[f"{name}, {end}"]) for end in ("dari", "sampai"))
    return f"{format_percent(row[name])} ({low} sampai {high})"
