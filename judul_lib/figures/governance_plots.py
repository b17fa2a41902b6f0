"""Figures of notebook 09: governance."""

from collections.abc import Sequence
from html import escape
from itertools import compress

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.figures.governance_tables import ERROR_KINDS
from judul_lib.figures.style import ACCENT, BLUE, GREY, PRIMARY, SERIES_STYLES, rounded, style
from judul_lib.governance.reviews import LATE, LATER, NEVER, TODAY, ReviewStatus

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
    for column, (kind, look) in enumerate(zip(ERROR_KINDS, SERIES_STYLES, strict=False), start=1):
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
    upper = groups[[f"{kind}, sampai" for kind in ERROR_KINDS]].astype(float)
    highest = max(100 * float(upper.fillna(0).to_numpy().max()), 1.0)
    # Both panels have the same range, which leaves room for a marker at 0.
    figure.update_xaxes(title="persen pasangan", range=rounded([-0.03 * highest, 1.05 * highest], 1))
    figure.update_yaxes(categoryorder="array", categoryarray=names, autorange="reversed", ticksuffix=" ")
    return figure.update_yaxes(title="kelompok judul", col=1)


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
