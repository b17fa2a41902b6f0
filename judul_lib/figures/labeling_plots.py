"""Figures of the labelling tool: chosen pairs, strategies, alarms in an archive."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots
from scipy.stats import sem, t

from judul_lib.core.formatting import format_number
from judul_lib.figures.style import SERIES_STYLES, SeriesStyle, rounded, style

_BINS = 10
_BAND_OPACITY = "2e"  # Alpha channel appended to a colour.


def chosen_bars(probabilities: Mapping[str, ArrayLike]) -> go.Figure:
    """Distribution of a model's probabilities, in percent of each group of pairs.

    Parameters
    ----------
    probabilities : mapping of str to array
        Name of a group, such as all candidates or the chosen pairs, to its probabilities.
    """
    edges = np.round(np.linspace(0, 1, _BINS + 1), 2)
    names = [f"{format_number(a, 1)}–{format_number(b, 1)}" for a, b in pairwise(edges)]
    figure = go.Figure()
    for (name, values), look in zip(probabilities.items(), SERIES_STYLES, strict=False):
        counts, _ = np.histogram(np.asarray(values, dtype=float), edges)
        figure.add_bar(
            x=names, y=rounded(100 * counts / max(counts.sum(), 1), 1), name=escape(name),
            marker=look.bar,
        )  # fmt: skip
    style(figure, "Peluang mirip: semua calon dan yang dipilih", barmode="group")
    figure.update_yaxes(title="persen pasangan")
    return figure.update_xaxes(title="peluang mirip menurut model", type="category")


def strategy_curves(compared: pd.DataFrame) -> go.Figure:
    """ROC AUC of a model by number of labels and strategy, one panel per test set.

    Parameters
    ----------
    compared : DataFrame
        As from `judul_lib.labeling.simulation.Simulation.compare`. Lines are means
        over the seeds, bands their 95 % intervals.
    """
    tests = list(dict.fromkeys(compared["uji"]))
    figure = make_subplots(1, len(tests), subplot_titles=[escape(name) for name in tests])
    strategies = list(dict.fromkeys(compared["strategi"]))
    for column, test in enumerate(tests, start=1):
        for strategy, look in zip(strategies, SERIES_STYLES, strict=False):
            rows = compared[(compared["uji"] == test) & (compared["strategi"] == strategy)]
            by_size = rows.groupby("label")["roc_auc"].apply(list)
            means = by_size.map(np.mean).to_numpy()
            half = by_size.map(lambda v: sem(v) * t.ppf(0.975, len(v) - 1)).to_numpy()
            x = by_size.index.tolist()
            _add_band(
                figure, x, rounded(means - half), rounded(means + half), look,
                legendgroup=strategy, row=1, col=column,
            )  # fmt: skip
            figure.add_scatter(
                x=x, y=rounded(means), mode="lines+markers", name=escape(strategy),
                legendgroup=strategy, showlegend=column == 1,
                line=look.line, marker=look.marker(9),
                row=1, col=column,
            )  # fmt: skip
    style(figure, "ROC AUC menurut jumlah label dan cara memilihnya", height=430)
    figure.update_xaxes(title="label yang dipilih")
    figure.update_layout(legend={"y": -0.25, "yanchor": "top"}, margin={"b": 110})
    return figure.update_yaxes(title="ROC AUC", col=1)


def alarm_curves(shares: pd.DataFrame, by: str = "ambang") -> go.Figure:
    """Titles out of 100 with each answer, by threshold or archive size.

    Parameters
    ----------
    shares : DataFrame
        As from `judul_lib.evaluation.gauge.Survey.shares`. Bands are its intervals.
    by : {"ambang", "judul dalam arsip"}
    """
    figure = go.Figure()
    for (label, rows), look in zip(shares.groupby("simpulan", sort=False), SERIES_STYLES, strict=False):
        x = rows[by].tolist()
        low, high = (rounded(100 * rows[end], 2) for end in ("low", "high"))
        _add_band(figure, x, low, high, look, legendgroup=label)
        figure.add_scatter(
            x=x, y=rounded(100 * rows["estimate"], 2), mode="lines+markers", name=escape(str(label)),
            legendgroup=label, line=look.line, marker=look.marker(8),
        )  # fmt: skip
    style(figure, f"Judul yang mendapat MIRIP dan TANYAKAN, menurut {by}")
    figure.update_xaxes(title=by, type="linear" if by == "ambang" else "log")
    return figure.update_yaxes(title="dari 100 judul", rangemode="tozero")


def _add_band(
    figure: go.Figure,
    x: list[Any],
    low: list[Any],
    high: list[Any],
    look: SeriesStyle,
    **options: Any,
) -> None:
    figure.add_scatter(
        x=[*x, *x[::-1]], y=[*high, *low[::-1]], mode="lines", line={"width": 0}, fill="toself",
        fillcolor=look.color + _BAND_OPACITY, hoverinfo="skip", showlegend=False, **options,
    )  # fmt: skip
