"""Figures of the log: how fast, how often, how probabilities are spread, and since when they drift."""

from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from judul_lib.core.formatting import number
from judul_lib.figures.style import GREY, LOOKS, PRIMARY, rounded, style
from judul_lib.training.drift import N_BINS, Baseline
from judul_lib.usage.monitoring import SLOW_SECONDS, TARGET_SECONDS

# As days are written in Indonesia.
_DAY, _DATE = "%d-%m", "%d-%m-%Y"
# Bins of a drawn histogram: few enough to see the shape.
_DRAWN = 10


def response_time_lines(daily: pd.DataFrame) -> go.Figure:
    """Percentiles of the response time by day, with the target and the alert.

    Parameters
    ----------
    daily : DataFrame
        As from `judul_lib.usage.monitoring.daily_response_times`.
    """
    figure = _lines(daily, "Waktu jawab per hari", "detik")
    for seconds, words in ((TARGET_SECONDS, "sasaran"), (SLOW_SECONDS, "peringatan")):
        figure.add_hline(seconds, line={"color": GREY, "dash": "longdash"}, annotation_text=words)
    return figure.update_yaxes(range=[0, max(1.1 * SLOW_SECONDS, float(daily.max().max()))])


def drift_lines(shifts: pd.DataFrame, bounds: Mapping[str, float]) -> go.Figure:
    """Shift of the mean probability by day, one line a model, with each one's bound.

    Parameters
    ----------
    shifts : DataFrame
        Index: day; one column a model.
    bounds : mapping of str to float
        By model.
    """
    figure = _lines(shifts, "Pergeseran rata-rata peluang terhadap garis dasar", "pergeseran")
    known = sorted({round(value, 3) for value in bounds.values()})
    for bound in known:
        figure.add_hline(bound, line={"color": GREY, "dash": "dot"})
    if known:
        told = " – ".join(number(bound) for bound in dict.fromkeys((known[0], known[-1])))
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=known[-1], yanchor="bottom", showarrow=False,
            text=f"batas {told}", font={"color": GREY},
        )  # fmt: skip
    return figure


def _lines(frame: pd.DataFrame, title: str, axis: str) -> go.Figure:
    figure = go.Figure()
    for (name, values), look in zip(frame.items(), LOOKS, strict=False):
        figure.add_scatter(
            x=[f"{day:%Y-%m-%d}" for day in frame.index], y=rounded(values, 3), mode="lines",
            name=escape(str(name)), line=look.line,
        )  # fmt: skip
    style(figure, title)
    figure.update_yaxes(title=axis)
    return figure.update_xaxes(title="hari", tickformat=_DAY, hoverformat=_DATE)


def count_bars(counts: pd.Series, title: str, axis: str) -> go.Figure:
    """How often something happened, by day or hour.

    Parameters
    ----------
    counts : Series
        Index: what the horizontal axis shows.
    """
    days = isinstance(counts.index, pd.DatetimeIndex)
    shown = [f"{day:%Y-%m-%d}" for day in counts.index] if days else counts.index.tolist()
    figure = go.Figure(go.Bar(x=shown, y=counts.tolist(), marker={"color": PRIMARY}))
    style(figure, title, height=320)
    figure.update_yaxes(title="pemeriksaan")
    ticks = {"tickformat": _DAY, "hoverformat": _DATE} if days else {"dtick": 2}
    return figure.update_xaxes(title=axis, **ticks)


def probability_bars(baseline: Baseline, current: Baseline, model: str) -> go.Figure:
    """How a model's best probabilities are spread, in its baseline and in the log.

    Parameters
    ----------
    model : str
        Its title.
    """
    wide = N_BINS // _DRAWN
    edges = [f"{number(k / _DRAWN, 1)}–{number((k + 1) / _DRAWN, 1)}" for k in range(_DRAWN)]
    figure = go.Figure()
    for name, spread, look in (
        ("garis dasar", baseline, LOOKS[0]),
        ("catatan penggunaan", current, LOOKS[1]),
    ):
        shares = spread.shares.reshape(_DRAWN, wide).sum(axis=1)
        figure.add_bar(
            x=edges, y=rounded(100 * shares, 1), name=name, marker=look.bar,
        )  # fmt: skip
    style(figure, f"Sebaran peluang teratas, {escape(model)}", barmode="group")
    figure.update_yaxes(title="persen")
    return figure.update_xaxes(title="peluang judul terdekat")
