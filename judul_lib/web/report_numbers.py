"""The numbers of the monitoring report: from the log, the models' baselines and the machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import ASK, DIFFERENT, MODEL_TITLES, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.training.drift import ModelBaseline
from judul_lib.usage import monitoring
from judul_lib.usage.alerts import Measured, find_alerts
from judul_lib.usage.frames import Usage, local_day, local_time
from judul_lib.usage.infrastructure import MachineState
from judul_lib.usage.monitoring import DRIFT_DAYS, MEASURED, DriftByDay

_MIN_SHOWN_P = 0.001
_MAX_SHIFTS = 15


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes
    ----------
    heading : str
    columns : sequence of str
    rows : sequence of sequence of str
        Formatted; the first cell names the row.
    hint : str
        A sentence on how to read it.
    """

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    hint: str = ""


@dataclass(frozen=True)
class Series:
    """Values by day, one line or more.

    Attributes
    ----------
    heading : str
    frame : DataFrame, shape (n_days, n_lines)
        Columns: names for readers. NaN where there is no value.
    bounds : mapping of str to float
        Horizontal lines by name.
    is_share : bool
        Whether the values are shares, shown in percent.
    decimals : int
        Of other values.
    """

    heading: str
    frame: pd.DataFrame
    bounds: Mapping[str, float] = field(default_factory=dict)
    is_share: bool = False
    decimals: int = 2

    def show(self, value: float) -> str:
        """Return a value for readers."""
        return format_percent(value, 0) if self.is_share else format_number(float(value), self.decimals)


@dataclass(frozen=True)
class Report:
    """The numbers of the last days.

    Attributes
    ----------
    is_simulated : bool
    alerts : DataFrame
        From `judul_lib.usage.alerts.find_alerts`.
    series : sequence of Series
    tables : sequence of Table
        Only those with rows.
    """

    is_simulated: bool
    alerts: pd.DataFrame
    series: Sequence[Series]
    tables: Sequence[Table]


def build_report(
    logged: Usage,
    baselines: Mapping[str, ModelBaseline],
    now: datetime,
    threshold: float,
    exceeded: Sequence[Measured] = (),
) -> Report:
    """Compute the numbers.

    Parameters
    ----------
    logged : Usage
        Of the days of the report.
    baselines : mapping of str to ModelBaseline
        By model, the leading one first.
    now : datetime
        In UTC.
    threshold : float
        From which a probability counts as MIRIP.
    exceeded : sequence
        From `judul_lib.usage.infrastructure.exceeded_limits`.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> tables = simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=9)
    >>> report = build_report(Usage.from_tables(tables), {}, datetime(2026, 1, 10), 0.5)
    >>> report.is_simulated, len(report.series[0].frame)
    (True, 9)
    """
    usage, _ = logged.prefer_real_rows().split_off_future(now)
    by_day = monitoring.drift_by_day(usage, baselines)
    reached = _reaching(usage, list(baselines), threshold)
    tables = [
        _summary(usage, reached, threshold), _opinions(usage), _agreement(usage, threshold),
        _drift(usage, baselines, now, by_day), _availability(usage),
    ]  # fmt: skip
    series = [_daily_checks(usage), _daily_shares(reached), _daily_times(usage)]
    if len(shifts := _daily_shifts(usage, baselines, by_day)):
        series.append(Series(page_text("report_shift"), shifts))
    return Report(
        usage.is_simulated,
        find_alerts(logged, baselines, now, by_day, exceeded),
        [part for part in series if len(part.frame)],
        [table for table in tables if table.rows],
    )


def _reaching(usage: Usage, models: Sequence[str], threshold: float) -> pd.DataFrame:
    """Return for each answered query its day and whether the leading model reached the threshold."""
    order = {name: position for position, name in enumerate(models)}
    scores = usage.scores.assign(order=usage.scores["model"].map(order).fillna(len(order)))
    scores = scores.sort_values("order", kind="stable").drop_duplicates("prediction_id")
    return scores[["day"]].assign(reached=scores["probability"] >= threshold)


def _summary(usage: Usage, reached: pd.DataFrame, threshold: float) -> Table:
    n_checks, counts = len(usage.predictions), monitoring.shares(usage)
    facts = {"checks": format_number(n_checks), "downloads": format_number(counts["downloads"])}
    if n_checks:
        times = monitoring.response_times(usage)
        facts["per_day"] = format_number(float(monitoring.queries_per_day(usage).mean()), 1)
        facts["busiest"] = f"{monitoring.queries_per_hour(usage).to_numpy().argmax():02d}.00 WIB"
        facts["times"] = " · ".join(format_number(times[name], 2) for name in ("p50", "p95", "p99"))
        facts["within"] = format_percent(times["within_target"])
        facts["empty_share"] = format_percent(counts["empty_share"])
    if len(reached):
        facts["reached"] = format_percent(float(reached["reached"].mean()))
    if n_checks or counts["error_rate"] > 0:
        facts["errors"] = format_percent(counts["error_rate"])
    target, shown = format_number(monitoring.TARGET_SECONDS, 0), format_number(threshold, 2)
    rows = [
        (page_text(f"report_{name}", target=target, threshold=shown), value)
        for name, value in facts.items()
    ]
    return Table(page_text("report_summary"), (), rows)


def _opinions(usage: Usage) -> Table:
    rows = []
    for label in (SIMILAR, ASK, DIFFERENT):
        given = usage.feedback[usage.feedback["label"] == label]
        is_right, ratings = given["is_right"].dropna(), given["rating"].dropna()
        if len(is_right) or len(ratings):
            right = format_percent(float(is_right.astype(float).mean())) if len(is_right) else "–"
            rating = format_number(float(ratings.mean()), 1) if len(ratings) else "–"
            counts = format_number(len(is_right)), format_number(len(ratings))
            rows.append((label, counts[0], right, counts[1], rating))
    columns = ("Simpulan", "Pendapat", "Tepat", "Nilai", "Rata-rata (1–5)")
    return Table(page_text("report_opinions"), columns, rows)


def _agreement(usage: Usage, threshold: float) -> Table:
    agreement = monitoring.model_agreement(usage, threshold)
    rows = [
        (
            f"{_title(one)} dan {_title(other)}", format_number(n), format_percent(same_side),
            format_percent(same_match), format_number(difference),
        )
        for one, other, n, same_match, same_side, difference in agreement.itertuples(index=False)
    ]  # fmt: skip
    columns = ("Model", "Judul", "Sependapat", "Terdekat sama", "Selisih")
    return Table(page_text("report_agreement"), columns, rows)


def _drift(
    usage: Usage, baselines: Mapping[str, ModelBaseline], now: datetime, by_day: DriftByDay
) -> Table:
    table = monitoring.drift_table(usage, baselines, local_day(now), by_day)
    rows = [
        (
            f"{_title(model)}, {MEASURED[measured]}", format_number(mean_shift), format_number(psi),
            _format_p(p), "bergeser" if is_drift else "tetap",
        )
        for model, measured, mean_shift, psi, _, p, is_drift in table.itertuples(index=False)
    ]  # fmt: skip
    hint = page_text("report_drift_hint", days=format_number(DRIFT_DAYS))
    columns = ("Yang diukur", "Selisih rata-rata", "PSI", "p", "Simpulan")
    return Table(page_text("report_drift"), columns, rows, hint)


def _format_p(p: float) -> str:
    return f"< {format_number(_MIN_SHOWN_P)}" if p < _MIN_SHOWN_P else format_number(p)


def _availability(usage: Usage) -> Table:
    rows = [
        (_title(name), format_number(int(row["loaded"])), format_number(int(row["failed"])))
        for name, row in monitoring.availability(usage).iterrows()
    ]
    return Table(page_text("report_loaded"), ("Model", "Berhasil dimuat", "Gagal"), rows)


def _daily_checks(usage: Usage) -> Series:
    counts = monitoring.queries_per_day(usage)
    return Series(page_text("report_daily"), counts.astype(float).to_frame("pemeriksaan"), decimals=0)


def _daily_shares(reached: pd.DataFrame) -> Series:
    shares = reached.groupby("day")["reached"].mean()
    return Series(page_text("report_daily_share"), _all_days(shares.to_frame("bagian")), is_share=True)


def _daily_times(usage: Usage) -> Series:
    frame = _all_days(monitoring.daily_response_times(usage)[["p95", "p50"]])
    bounds = {page_text("report_target"): monitoring.TARGET_SECONDS}
    return Series(page_text("report_daily_times"), frame, bounds)


def _daily_shifts(
    usage: Usage, baselines: Mapping[str, ModelBaseline], by_day: DriftByDay
) -> pd.DataFrame:
    """Return the shift of the mean probability of the days up to a day, one column per model.

    Of many days, only some are compared: each comparison covers a week anyway.
    """
    asked = usage.predictions["day"]
    if asked.empty:
        return pd.DataFrame()
    days = pd.date_range(asked.min(), asked.max())
    days = days[:: -max(1, len(days) // _MAX_SHIFTS)][::-1]
    shifts: dict[str, dict[pd.Timestamp, float]] = {}
    for model in baselines:
        for day in days:
            if (drift := by_day(model, day)["probability"]) is not None:
                shifts.setdefault(_title(model), {})[day] = drift.mean_shift
    return pd.DataFrame(shifts, index=days) if shifts else pd.DataFrame()


def _all_days(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all days from the first to the last."""
    if frame.empty:
        return frame
    return frame.reindex(pd.date_range(frame.index[0], frame.index[-1]))


def describe_machine(machine: MachineState) -> Table:
    """Return the load of the machine and of the page for readers.

    Examples
    --------
    >>> describe_machine(MachineState(5.0, 40.0, 50_000.0, 2.0, None)).rows[0]
    ('CPU', '5 % terpakai')
    """
    rows = [
        ("CPU", f"{format_number(machine.cpu_percent, 0)} % terpakai"),
        ("Memori", f"{format_number(machine.memory_percent, 0)} % terpakai"),
        ("Disk untuk log", f"{format_number(machine.free_disk_mb, 0)} MB tersisa"),
        ("Folder log", f"{format_number(machine.log_mb, 1)} MB"),
    ]
    if page := machine.page:
        since = f"{local_time(page.started):%d-%m-%Y %H.%M} WIB"
        rows.append(
            (
                "Halaman ini",
                f"berjalan sejak {since}; memori {format_number(page.memory_mb, 0)} MB, "
                f"{format_number(page.n_processes)} proses",
            )
        )
    return Table(page_text("report_machine"), (), rows)


def first_time(now: datetime, days: int) -> datetime:
    """Return the start of the first of so many days, in UTC, today included.

    Examples
    --------
    >>> first_time(datetime(2026, 1, 9, 12), 2)
    datetime.datetime(2026, 1, 7, 17, 0)
    """
    since_midnight = local_time(now) - local_day(now)
    return now - since_midnight.to_pytimedelta() - timedelta(days=days - 1)


def _title(model: object) -> str:
    return MODEL_TITLES.get(str(model), str(model))
