"""Figures of the labelling tool: what is chosen, what that is worth, what an archive is told."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots
from scipy.stats import sem, t

from judul_lib.core.formatting import format_number
from judul_lib.figures.style import SERIES_STYLES, rounded, style

_BINS = 10
_LIGHT = "2e"  # Opacity of a band, as the end of its colour.


def chosen_bars(probabilities: Mapping[str, ArrayLike]) -> go.Figure:
    """How a model's probabilities are spread, in percent of each group of pairs.

    Parameters
    ----------
    probabilities : mapping of str to array
        Name of a group to its probabilities: all candidates, those chosen.
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
    """ROC AUC of a model after so many labels, by the way they were chosen; a panel each test.

    Parameters
    ----------
    compared : DataFrame
        As from `judul_lib.labeling.simulation.Simulation.compare`: lines are means
        over the seeds, bands their 95 % intervals.
    """
    tests = list(dict.fromkeys(compared["uji"]))
    figure = make_subplots(1, len(tests), subplot_titles=[escape(name) for name in tests])
    strategies = list(dict.fromkeys(compared["strategi"]))
    for column, test in enumerate(tests, start=1):
        for strategy, look in zip(strategies, SERIES_STYLES, strict=False):
            of = compared[(compared["uji"] == test) & (compared["strategi"] == strategy)]
            by_number = of.groupby("label")["roc_auc"].apply(list)
            means = by_number.map(np.mean).to_numpy()
            half = by_number.map(lambda v: sem(v) * t.ppf(0.975, len(v) - 1)).to_numpy()
            x = by_number.index.tolist()
            figure.add_scatter(
                x=[*x, *x[::-1]], y=rounded([*(means + half), *(means - half)[::-1]]),
                mode="lines", line={"width": 0}, fill="toself", fillcolor=look.color + _LIGHT,
                hoverinfo="skip", showlegend=False, legendgroup=strategy, row=1, col=column,
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
    """How many of 100 titles of an archive get each answer, by the threshold or by another column.

    Parameters
    ----------
    shares : DataFrame
        As from `judul_lib.evaluation.gauge.Survey.shares`: bands are its intervals.
    by : {"ambang", "judul dalam arsip"}
    """
    figure = go.Figure()
    for (label, of), look in zip(shares.groupby("simpulan", sort=False), SERIES_STYLES, strict=False):
        x = of[by].tolist()
        bounds = [*(100 * of["high"]), *(100 * of["low"][::-1])]
        figure.add_scatter(
            x=[*x, *x[::-1]], y=rounded(bounds, 2), mode="lines", line={"width": 0}, fill="toself",
            fillcolor=look.color + _LIGHT, hoverinfo="skip", showlegend=False, legendgroup=label,
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=rounded(100 * of["estimate"], 2), mode="lines+markers", name=escape(str(label)),
            legendgroup=label, line=look.line, marker=look.marker(8),
        )  # fmt: skip
    style(figure, f"Judul yang mendapat MIRIP dan TANYAKAN, menurut {by}")
    figure.update_xaxes(title=by, type="linear" if by == "ambang" else "log")
    return figure.update_yaxes(title="dari 100 judul", rangemode="tozero")
