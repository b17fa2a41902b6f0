"""The monitoring report for managers: tables, and lines as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import ASK, DIFFERENT, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.usage.database import database_url
from judul_lib.usage.frames import read_usage
from judul_lib.usage.infrastructure import MachineState, exceeded_limits, measure_machine
from judul_lib.usage.installation import has_log
from judul_lib.usage.monitoring import read_baselines
from judul_lib.web.access import Manager
from judul_lib.web.rendering import render
from judul_lib.web.report_numbers import (
    Report,
    Series,
    Table,
    build_report,
    describe_machine,
    first_time,
)
from judul_lib.web.service import Service

router = APIRouter()
WIDTH, HEIGHT = 320, 100
"""Size of a drawing, in its own units."""
_MARGIN = 4
_DASH = 5
DAYS = (7, 30, 90)


@dataclass(frozen=True)
class Chart:
    """A drawing of values by day.

    Attributes
    ----------
    heading, low, high, first_day, last_day : str
        What is written around it.
    lines : sequence of (str, str)
        Name of each line, and its path in a box of `WIDTH` and `HEIGHT`.
    bounds : sequence of (str, float)
        Name and height of each horizontal line.
    summary : str
        What it shows, for those who do not see it.
    """

    heading: str
    low: str
    high: str
    first_day: str
    last_day: str
    lines: Sequence[tuple[str, str]]
    bounds: Sequence[tuple[str, float]]
    summary: str


@router.get("/laporan", response_class=HTMLResponse)
def show_report(
    request: Request, visitor: Manager, hari: Annotated[int, Query(ge=1, le=366)] = 30
) -> HTMLResponse:
    """Show the numbers of the last days."""
    service: Service = request.app.state.service
    now = utc_now()
    machine = measure_machine(service.config.logs, now)
    report, problem = None, ""
    try:
        report = _read_report(service, now, hari, machine)
    except LogError as error:
        problem = str(error)
    tables = [] if report is None else [*report.tables]
    return render(
        request, "report.html", status=503 if problem else 200, problem=problem, report=report,
        days=hari, choices=DAYS, charts=[] if report is None else _charts(report),
        alerts=[] if report is None else _alert_rows(report),
        actions={} if report is None else _actions(report), is_off=not service.config.log,
        tables=[*tables, *_verdicts(service), describe_machine(machine)],
        width=WIDTH, height=HEIGHT,
    )  # fmt: skip


def _read_report(service: Service, now: datetime, days: int, machine: MachineState) -> Report | None:
    """Return the numbers of the last days; None without a log, or if nothing was logged."""
    config = service.config
    if not has_log(config.logs, database_url(config.logs)):
        return None
    if service.log is not None:
        service.log.flush_spool()
    usage = read_usage(service.database(), first_time(now, days))
    if usage.predictions.empty and usage.events.empty and usage.feedback.empty:
        return None
    stored = read_baselines(config.models)
    baselines = {name: stored[name] for name in service.models if name in stored}
    exceeded = exceeded_limits(machine, config)
    return build_report(usage, baselines, now, config.threshold, exceeded)


def _charts(report: Report) -> list[Chart]:
    """Draw what changes from day to day; of a single day, the tables say everything."""
    return [draw(series) for series in report.series if len(series.frame) > 1]


def _alert_rows(report: Report) -> list[Mapping[str, Any]]:
    return [
        {
            "level": alert.tingkat, "what": alert.apa, "since": format_number(alert.sejak),
            "value": format_number(alert.nilai), "bound": format_number(alert.batas),
            "deadline": alert.tanggapan,
        }
        for alert in report.alerts.itertuples()
    ]  # fmt: skip


def _actions(report: Report) -> dict[str, str]:
    """Return what to do first by kind of alert."""
    return dict(zip(report.alerts["jenis"], report.alerts["tindakan"], strict=True))


def _verdicts(service: Service) -> list[Table]:
    """Return how often each verdict was given since the page was started; the log has no verdicts."""
    counts = {} if service.metrics is None else service.metrics.checks_by_verdict()
    total = sum(counts.values())
    rows = [
        (verdict, format_number(counts.get(verdict, 0)), format_percent(counts.get(verdict, 0) / total))
        for verdict in (SIMILAR, ASK, DIFFERENT)
        if total
    ]
    columns = ("Simpulan", "Judul", "Bagian")
    return [Table(page_text("report_verdicts"), columns, rows)] if rows else []


def draw(series: Series) -> Chart:
    """Return the drawing of values by day.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=3)
    >>> chart = draw(Series("Per hari", pd.DataFrame({"n": [0.0, 2.0, 1.0]}, index=days)))
    >>> chart.lines, chart.high, chart.last_day
    ([('n', 'M0.0 96.0 L160.0 4.0 L320.0 50.0')], '2,00', '03-01-2026')
    """
    frame = series.frame
    values = [*frame.to_numpy(float).ravel(), *series.bounds.values()]
    known = [float(value) for value in values if value == value]
    low, high = min([0.0, *known]), max([0.0, *known])
    scale = (HEIGHT - 2 * _MARGIN) / (high - low or 1.0)

    def height(value: float) -> float:
        return round(HEIGHT - _MARGIN - (value - low) * scale, 1)

    step = WIDTH / max(1, len(frame) - 1)
    lines = []
    for name in frame.columns:
        points = [(round(k * step, 1), v) for k, v in enumerate(frame[name].to_numpy(float))]
        shown = [(x, height(v) if v == v else None) for x, v in points]
        lines.append((str(name), _path(shown)))
    first_day, last_day = (format_number(frame.index[k].date()) for k in (0, -1))
    summary = "; ".join(
        page_text(
            "report_line", name=str(name), low=series.show(column.min()),
            high=series.show(column.max()), last=series.show(column.dropna().iloc[-1]),
        )
        for name, column in frame.items()
        if column.notna().any()
    )  # fmt: skip
    return Chart(
        series.heading, series.show(low), series.show(high), first_day, last_day, lines,
        [(name, height(value)) for name, value in series.bounds.items()], summary,
    )  # fmt: skip


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Return the path through points, with a gap where one is missing; a lonely one is a dash."""
    parts = []
    for is_known, group in groupby(points, key=lambda point: point[1] is not None):
        if is_known:
            (x, y), *rest = group
            line = "".join(f" L{a} {b}" for a, b in rest)
            parts.append(f"M{x} {y}{line}" if line else f"M{min(x, WIDTH - _DASH)} {y} h{_DASH}")
    return " ".join(parts)
