"""Figures of notebook 08: usage, drift, alerts."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.figures.style import GREY, PRIMARY, SERIES_STYLES, rounded, style
from judul_lib.training.drift import DistributionSummary, ModelBaseline
from judul_lib.usage.frames import Usage
from judul_lib.usage.monitoring import (
    DRIFT_DAYS,
    SLOW_SECONDS,
    TARGET_SECONDS,
    measure_drift,
)

# Indonesian date formats.
_DAY, _DATE = "%d-%m", "%d-%m-%Y"
_N_DRAWN_BINS = 10


def response_time_lines(daily: pd.DataFrame) -> go.Figure:
    """Percentiles of the response time by day, with the target and the alert bound.

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
    """Shift of the mean probability by day, one line per model, with the bounds of drift.

    Parameters
    ----------
    shifts : DataFrame
        Index: day; columns: models.
    bounds : mapping of str to float
        By model.
    """
    figure = _lines(shifts, "Pergeseran rata-rata peluang terhadap garis dasar", "pergeseran")
    levels = sorted({round(value, 3) for value in bounds.values()})
    for level in levels:
        figure.add_hline(level, line={"color": GREY, "dash": "dot"})
    if levels:
        extremes = " – ".join(format_number(level) for level in dict.fromkeys((levels[0], levels[-1])))
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=levels[-1], yanchor="bottom", showarrow=False,
            text=f"batas {extremes}", font={"color": GREY},
        )  # fmt: skip
    return figure


def _lines(frame: pd.DataFrame, title: str, axis: str) -> go.Figure:
    figure = go.Figure()
    for (name, values), look in zip(frame.items(), SERIES_STYLES, strict=False):
        figure.add_scatter(
            x=[f"{day:%Y-%m-%d}" for day in frame.index], y=rounded(values, 3), mode="lines",
            name=escape(str(name)), line=look.line,
        )  # fmt: skip
    style(figure, title)
    figure.update_yaxes(title=axis)
    return figure.update_xaxes(title="hari", tickformat=_DAY, hoverformat=_DATE)


def count_bars(counts: pd.Series, title: str, axis: str) -> go.Figure:
    """Bars of the number of checks by day or hour.

    Parameters
    ----------
    counts : Series
        Index: days or hours.
    axis : str
        Title of the horizontal axis.
    """
    is_daily = isinstance(counts.index, pd.DatetimeIndex)
    x = [f"{day:%Y-%m-%d}" for day in counts.index] if is_daily else counts.index.tolist()
    figure = go.Figure(go.Bar(x=x, y=counts.tolist(), marker={"color": PRIMARY}))
    style(figure, title, height=320)
    figure.update_yaxes(title="pemeriksaan")
    ticks = {"tickformat": _DAY, "hoverformat": _DATE} if is_daily else {"dtick": 2}
    return figure.update_xaxes(title=axis, **ticks)


def probability_bars(
    baseline: DistributionSummary, current: DistributionSummary, model: str
) -> go.Figure:
    """Distribution of a model's highest probabilities in its baseline and in the log.

    Parameters
    ----------
    model : str
        Displayed name.
    """
    edges = [format_number(k / _N_DRAWN_BINS, 1) for k in range(_N_DRAWN_BINS + 1)]
    names = [f"{low}–{high}" for low, high in pairwise(edges)]
    figure = go.Figure()
    for name, summary, look in (
        ("garis dasar", baseline, SERIES_STYLES[0]),
        ("catatan penggunaan", current, SERIES_STYLES[1]),
    ):
        shares = summary.shares.reshape(_N_DRAWN_BINS, -1).sum(axis=1)
        figure.add_bar(x=names, y=rounded(100 * shares, 1), name=name, marker=look.bar)
    style(figure, f"Sebaran peluang teratas, {escape(model)}", barmode="group")
    figure.update_yaxes(title="persen")
    return figure.update_xaxes(title="peluang judul terdekat")


def daily_shifts(
    usage: Usage, baselines: Mapping[str, ModelBaseline]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the shifts of the mean probability by day and the bounds of drift.

    Returns
    -------
    shifts : DataFrame
        Index: day; columns: displayed names of the models.
    bounds : dict of str to float
        By model, of the last day.
    """
    days = usage.predictions["day"]
    shifts: dict[str, dict[pd.Timestamp, float]] = {}
    bounds: dict[str, float] = {}
    for name, baseline in baselines.items():
        for day in pd.date_range(days.min() + pd.Timedelta(days=DRIFT_DAYS), days.max()):
            drift = measure_drift(usage, name, baseline, day)["probability"]
            if drift is not None:
                shifts.setdefault(MODEL_TITLES[name], {})[day] = drift.mean_shift
                bounds[MODEL_TITLES[name]] = drift.mean_shift_bound
    return pd.DataFrame(shifts).sort_index(), bounds
