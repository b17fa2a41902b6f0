"""Figures and tables of notebook 08: usage, drift, alerts."""

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.figures.style import GREY, PRIMARY, SERIES_STYLES, rounded, style
from judul_lib.training.drift import N_BINS, DistributionSummary, ModelBaseline
from judul_lib.usage.ab_testing import Comparison
from judul_lib.usage.alerts import INCIDENT_LEVELS
from judul_lib.usage.frames import Usage
from judul_lib.usage.monitoring import (
    DRIFT_DAYS,
    MEASURED,
    SLOW_SECONDS,
    TARGET_SECONDS,
    availability,
    correlations,
    measure_drift,
    model_agreement,
)

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
        told = " – ".join(format_number(bound) for bound in dict.fromkeys((known[0], known[-1])))
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=known[-1], yanchor="bottom", showarrow=False,
            text=f"batas {told}", font={"color": GREY},
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


def probability_bars(
    baseline: DistributionSummary, current: DistributionSummary, model: str
) -> go.Figure:
    """How a model's best probabilities are spread, in its baseline and in the log.

    Parameters
    ----------
    model : str
        Its title.
    """
    wide = N_BINS // _DRAWN
    edges = [
        f"{format_number(k / _DRAWN, 1)}–{format_number((k + 1) / _DRAWN, 1)}" for k in range(_DRAWN)
    ]
    figure = go.Figure()
    for name, spread, look in (
        ("garis dasar", baseline, SERIES_STYLES[0]),
        ("catatan penggunaan", current, SERIES_STYLES[1]),
    ):
        shares = spread.shares.reshape(_DRAWN, wide).sum(axis=1)
        figure.add_bar(
            x=edges, y=rounded(100 * shares, 1), name=name, marker=look.bar,
        )  # fmt: skip
    style(figure, f"Sebaran peluang teratas, {escape(model)}", barmode="group")
    figure.update_yaxes(title="persen")
    return figure.update_xaxes(title="peluang judul terdekat")


# What three decimals can tell.
_MIN_SHOWN_P = 0.001
_OPINIONS = {"is_right": "simpulan dinilai tepat", "rating": "nilai 1 sampai 5"}


def baseline_table(baselines: Mapping[str, ModelBaseline]) -> pd.DataFrame:
    """Return how each model answers on its own corpus, one row a model."""
    rows = {
        MODEL_TITLES[name]: {
            "judul": known.probability.n,
            "rata-rata peluang": known.probability.mean,
            "simpangan baku": known.probability.deviation,
            "bagian di atas 0,8": known.probability.share_high,
            "kata tak dikenal": known.unknown.mean,
        }
        for name, known in baselines.items()
    }
    return pd.DataFrame(rows).T.astype({"judul": int})


def availability_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.availability` to be read."""
    names = {"loaded": "berhasil dimuat", "failed": "gagal", "share": "bagian yang berhasil"}
    return availability(usage).rename(index=MODEL_TITLES, columns=names)


def agreement_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.model_agreement` to be read."""
    names = {
        "one": "model", "other": "model lain", "n": "judul", "same_side": "sependapat",
        "difference": "selisih rata-rata",
    }  # fmt: skip
    return (
        model_agreement(usage)
        .replace({"one": MODEL_TITLES, "other": MODEL_TITLES})
        .rename(columns=names)
    )


def correlation_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.correlations` to be read."""
    names = {"query_length": "panjang", "query_words": "kata", **MODEL_TITLES}
    return correlations(usage).rename(index=names, columns=names)


def drift_rows(drifts: pd.DataFrame) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.drift_table` to be read."""
    names = {
        "measured": "ukuran", "mean_shift": "pergeseran rata-rata", "psi": "PSI", "ks": "KS",
        "p_value": "p", "drift": "bergeser",
    }  # fmt: skip
    shown = drifts.replace({"model": MODEL_TITLES, "measured": MEASURED}).rename(columns=names)
    return shown.assign(
        p=[
            f"< {format_number(_MIN_SHOWN_P)}" if p < _MIN_SHOWN_P else format_number(p)
            for p in shown["p"]
        ]
    )


def daily_shifts(
    usage: Usage, baselines: Mapping[str, ModelBaseline]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return by how much the mean probability moved, and from where on that is drift.

    Returns
    -------
    shifts : DataFrame
        Index: day; one column a model's title.
    bounds : dict of str to float
        Of the last day.
    """
    days = usage.predictions["day"]
    shifts: dict[str, dict[pd.Timestamp, float]] = {}
    bounds: dict[str, float] = {}
    for name, known in baselines.items():
        for day in pd.date_range(days.min() + pd.Timedelta(days=DRIFT_DAYS), days.max()):
            drift = measure_drift(usage, name, known, day)["probability"]
            if drift is not None:
                shifts.setdefault(MODEL_TITLES[name], {})[day] = drift.mean_shift
                bounds[MODEL_TITLES[name]] = drift.mean_shift_bound
    return pd.DataFrame(shifts).sort_index(), bounds


def level_table() -> pd.DataFrame:
    """Return the levels of incident, and how soon somebody has to look."""
    rows = {
        level: {"artinya": known.meaning, "ditanggapi dalam": known.response_deadline}
        for level, known in INCIDENT_LEVELS.items()
    }
    return pd.DataFrame(rows).T


def opinion_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    """Return two models compared on users, one row a measure."""
    rows = {
        _OPINIONS[c.measure]: {
            MODEL_TITLES[c.one]: c.mean_one,
            MODEL_TITLES[c.other]: c.mean_other,
            "pengguna": f"{c.n_one} dan {c.n_other}",
            "selang selisih": f"{format_number(c.low)} sampai {format_number(c.high)}",
            "p": c.p_value,
        }
        for c in compared
    }
    return pd.DataFrame(rows).T
