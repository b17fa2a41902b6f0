"""Figures and tables of notebook 08: usage, drift, alerts."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.figures.style import GREY, PRIMARY, SERIES_STYLES, rounded, style
from judul_lib.training.drift import DistributionSummary, ModelBaseline
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


# Smaller values are shown as a bound, as tables have three decimals.
_MIN_SHOWN_P = 0.001
_OPINIONS = {"is_right": "simpulan dinilai tepat", "rating": "nilai 1 sampai 5"}


def baseline_table(baselines: Mapping[str, ModelBaseline]) -> pd.DataFrame:
    """Return the baseline of each model (rows)."""
    rows = {
        MODEL_TITLES[name]: {
            "judul": baseline.probability.n,
            "rata-rata peluang": baseline.probability.mean,
            "simpangan baku": baseline.probability.deviation,
            "bagian di atas 0,8": baseline.probability.share_high,
            "kata tak dikenal": baseline.unknown.mean,
        }
        for name, baseline in baselines.items()
    }
    return pd.DataFrame(rows).T.astype({"judul": int})


def availability_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.availability` with displayed names."""
    names = {"loaded": "berhasil dimuat", "failed": "gagal", "share": "bagian yang berhasil"}
    return availability(usage).rename(index=MODEL_TITLES, columns=names)


def agreement_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.model_agreement` with displayed names."""
    names = {
        "one": "model", "other": "model lain", "n": "judul", "same_match": "judul terdekat sama",
        "same_side": "sependapat", "difference": "selisih rata-rata",
    }  # fmt: skip
    return (
        model_agreement(usage)
        .replace({"one": MODEL_TITLES, "other": MODEL_TITLES})
        .rename(columns=names)
    )


def correlation_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.correlations` with displayed names."""
    names = {"query_length": "panjang", "query_words": "kata", **MODEL_TITLES}
    return correlations(usage).rename(index=names, columns=names)


def drift_rows(drifts: pd.DataFrame) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.drift_table` with displayed names and values."""
    names = {
        "measured": "ukuran", "mean_shift": "pergeseran rata-rata", "psi": "PSI", "ks": "KS",
        "p_value": "p", "drift": "bergeser",
    }  # fmt: skip
    shown = drifts.replace({"model": MODEL_TITLES, "measured": MEASURED}).rename(columns=names)
    bound = f"< {format_number(_MIN_SHOWN_P)}"
    return shown.assign(p=[bound if p < _MIN_SHOWN_P else format_number(p) for p in shown["p"]])


def study_drift_rows(drifts: pd.DataFrame) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.study_drift_table` with displayed names and values."""
    names = {
        "measure": "ukuran", "now": "sekarang", "baseline": "garis dasar", "change": "selisih",
        "n": "judul", "drift": "bergeser",
    }  # fmt: skip
    measures = {"mean": "rata-rata", "deviation": "simpangan baku", "share_high": "bagian di atas 0,8"}
    shown = drifts.replace({"model": MODEL_TITLES, "measure": measures})
    too_few = (drifts["measure"] == "mean") & drifts["drift"].isna()
    verdicts = drifts["drift"].map({True: "ya", False: "tidak"}).fillna("")
    return shown.assign(drift=verdicts.mask(too_few, "terlalu sedikit")).rename(columns=names)


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


def level_table() -> pd.DataFrame:
    """Return the levels of incidents with their response times."""
    rows = {
        level: {"artinya": info.meaning, "ditanggapi dalam": info.response_deadline}
        for level, info in INCIDENT_LEVELS.items()
    }
    return pd.DataFrame(rows).T


def opinion_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    """Return comparisons of two models by users' feedback, one row per measure."""
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
