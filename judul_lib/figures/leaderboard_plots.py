"""Figures of the leaderboard, calibration, ablation and learning curves."""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from judul_lib.core.formatting import format_number
from judul_lib.figures.plots import annotated_heatmap, metric_intervals
from judul_lib.figures.style import GREY, SERIES_STYLES, SeriesStyle, rounded, style

_N_BINS = 10
_METRICS = (
    ("roc_auc", "semua pasangan", SERIES_STYLES[0]),
    ("roc_auc_hard", "pasangan sulit", SERIES_STYLES[1]),
    ("average_precision", "pasangan nyata, presisi rata-rata", SERIES_STYLES[2]),
)


def _metrics_of(table: pd.DataFrame) -> list[tuple[str, str, SeriesStyle]]:
    return [metric for metric in _METRICS if metric[0] in table]


def leaderboard_bars(board: pd.DataFrame) -> go.Figure:
    """ROC AUC of each method with its interval, on all pairs and on the hard ones."""
    columns = {
        "semua pasangan": ["roc_auc", "low", "high"],
        "pasangan sulit": ["roc_auc_hard", "hard_low", "hard_high"],
    }
    tables = {
        name: board[names].set_axis(["estimate", "low", "high"], axis=1)
        for name, names in columns.items()
    }
    figure = metric_intervals(tables, "ROC AUC pada pasangan emas (uji), selang 95 %", row_height=28)
    return figure.update_xaxes(title="ROC AUC (0,5 = menebak)", range=[0, 1.02])


def share_heatmap(shares: pd.DataFrame, title: str) -> go.Figure:
    """Shares in [0, 1] as an annotated heatmap."""
    figure = annotated_heatmap(shares, title, low=0, decimals=2)
    return figure.update_layout(height=170 + 32 * len(shares)).update_xaxes(tickangle=-40)


def reliability(curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> go.Figure:
    """Reliability diagram: predicted probability against observed share.

    Parameters
    ----------
    curves : mapping of str to (labels, probabilities)
        Each marker shows the mean probability and the share of similar pairs in one
        of ten bins of equal width; its size grows with the number of pairs.

    References
    ----------
    Niculescu-Mizil, A., & Caruana, R. (2005). *Predicting good probabilities
    with supervised learning*.
    """
    figure = go.Figure()
    line = {"color": GREY, "dash": "longdash"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="terkalibrasi sempurna")
    for (name, (labels, scores)), look in zip(curves.items(), SERIES_STYLES, strict=False):
        labels, scores = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
        bins = np.minimum((scores * _N_BINS).astype(int), _N_BINS - 1)
        counts = np.bincount(bins, minlength=_N_BINS)
        is_filled = counts > 0
        sizes = counts[is_filled]
        means = np.bincount(bins, scores, _N_BINS)[is_filled] / sizes
        shares = np.bincount(bins, labels, _N_BINS)[is_filled] / sizes
        figure.add_scatter(
            x=rounded(means, 3), y=rounded(shares, 3), mode="lines+markers", name=escape(name),
            line=look.line, marker=look.marker(size=rounded(6 + 1.2 * np.sqrt(sizes), 1)),
            text=[f"{format_number(count)} pasangan" for count in sizes],
            hovertemplate="peluang %{x}, mirip %{y}<br>%{text}<extra></extra>",
        )  # fmt: skip
    style(figure, "Kalibrasi: peluang yang disebut dan bagian yang benar mirip", height=400)
    figure.update_xaxes(title="peluang yang disebut", range=[-0.03, 1.03])
    return figure.update_yaxes(title="bagian yang benar mirip", range=[-0.03, 1.03])


def ablation_bars(table: pd.DataFrame, title: str) -> go.Figure:
    """Metrics with each part left out: all pairs, the hard ones and, if given, real pairs."""
    figure = go.Figure()
    names = [escape(str(name)) for name in table.index]
    for column, name, look in _metrics_of(table):
        figure.add_bar(
            x=rounded(table[column], 3), y=names, orientation="h", name=name, marker=look.bar,
            text=[format_number(float(value)) for value in table[column]], textposition="outside",
            cliponaxis=False,
        )  # fmt: skip
    style(figure, title, height=150 + 16 * len(figure.data) * len(names), barmode="group", bargap=0.25)
    figure.update_yaxes(autorange="reversed", ticksuffix=" ", title="yang diubah")
    return figure.update_xaxes(title="ROC AUC (0,5 = menebak)", range=[0, 1.12])


def learning_curves(tables: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Metrics by training size, side by side.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        What the training size counts, and a table with the sizes as its index.
    """
    figure = make_subplots(1, len(tables))
    named: set[str] = set()
    for k, (counted, table) in enumerate(tables.items(), start=1):
        for column, name, look in _metrics_of(table):
            figure.add_scatter(
                x=table.index.tolist(), y=rounded(table[column], 3), mode="lines+markers", name=name,
                line=look.line, marker=look.marker(), legendgroup=name, showlegend=name not in named,
                row=1, col=k,
            )  # fmt: skip
            named.add(name)
        figure.update_xaxes(title=f"jumlah {counted} untuk belajar", col=k)
    style(figure, "Kurva belajar model terstruktur", height=360)
    return figure.update_yaxes(title="ROC AUC, presisi rata-rata", col=1)
