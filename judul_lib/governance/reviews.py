"""Calendar of reviews and incident playbook, from ``calendar.toml`` and ``playbook.toml``.

Whether a review was done is derived from the audit trail, the newest backup, the stored error
rates by group and the promotion of the versions in use. Reviews that leave no such trace are
recorded in the audit trail by `mark_reviewed`.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from judul_lib.checking.versions import current_version
from judul_lib.core.config import Config
from judul_lib.core.errors import JudulError, LogError
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.governance import audit as trail
from judul_lib.governance.backup import verify_backup
from judul_lib.governance.bias import FAIRNESS_FILE, read_error_rates
from judul_lib.governance.compliance import newest_backup
from judul_lib.governance.promotions import promotion
from judul_lib.usage.alerts import ALERTS, INCIDENT_LEVELS
from judul_lib.usage.database import USAGE_TABLES, audit, read_table, transaction
from judul_lib.usage.frames import local_day

BACKUP, MODEL, FAIRNESS = "cadangan", "model", "galat-kelompok"
NEVER, LATE, TODAY, LATER = "belum pernah", "terlambat", "hari ini", "nanti"
BREACH = "data-pribadi"
BREACH_NOTICE = "3 × 24 jam"
"""Deadline for the written notice of a data breach (Law No. 27 of 2022, article 46)."""


_Completion = tuple[date, date, str]
"""A completed review: its day, the day on which it is due again, and the evidence."""


@dataclass(frozen=True)
class Review:
    """A review that is due every `days` days, and its command.

    Rows of the audit trail with one of its actions show that it was done, or, if
    it can be ticked, those of `mark_reviewed`.
    """

    title: str
    days: int
    command: str
    actions: Sequence[str] = ()
    can_be_ticked: bool = True


@dataclass(frozen=True)
class Incident:
    """A kind of incident: steps in order, whom to notify, what to record, when it is resolved."""

    title: str
    level: str
    steps: Sequence[str]
    notify: str
    record: str
    resolved_when: str

    @property
    def response_deadline(self) -> str:
        """Deadline for a response."""
        return INCIDENT_LEVELS[self.level].response_deadline


@cache
def reviews() -> Mapping[str, Review]:
    """Return the reviews by name, from daily to quarterly.

    Examples
    --------
    >>> reviews()["pergeseran"].days
    7
    """
    return MappingProxyType({name: Review(**fields) for name, fields in _read("calendar.toml").items()})


@cache
def playbook() -> Mapping[str, Incident]:
    """Return the kinds of incident by name: the alerts first, then the others.

    Examples
    --------
    >>> playbook()["jam"].steps[0]
    'Betulkan jam mesin (NTP), juga zona waktunya.'
    """
    levels = {kind: {"level": alert.level} for kind, alert in ALERTS.items()}
    incidents = _read("playbook.toml").items()
    return MappingProxyType(
        {kind: Incident(**levels.get(kind, {}), **fields) for kind, fields in incidents}
    )


@dataclass(frozen=True)
class ReviewStatus:
    """When a review was last done, and when it is due; days are local.

    `days_overdue` is 0 before the due date; `evidence` is a sentence.
    """

    name: str
    last: date | None
    due_date: date
    days_overdue: int
    evidence: str
    today: date

    @property
    def review(self) -> Review:
        """The review of this name."""
        return reviews()[self.name]

    @property
    def is_due(self) -> bool:
        """Whether it is due by today, or was never done."""
        return self.due_date <= self.today or self.last is None

    @property
    def status(self) -> str:
        """``terlambat``, ``belum pernah``, ``hari ini`` or ``nanti``."""
        if self.days_overdue:
            return LATE
        if self.last is None:
            return NEVER
        return TODAY if self.due_date == self.today else LATER


def review_statuses(config: Config, engine: sa.Engine, now: datetime) -> list[ReviewStatus]:
    """Return the status of each review.

    A review that was never done is due one period after the first record of the
    installation, or after today without any record. Traces dated in the future,
    from a wrong clock, do not count yet.

    Parameters
    ----------
    config : Config
    engine : Engine
        Of the log.
    now : datetime
        In UTC.

    Raises
    ------
    LogError
        The database cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.usage.database import open_database, sqlite_url
    >>> with TemporaryDirectory() as folder:
    ...     engine = open_database(sqlite_url(Path(folder)))
    ...     statuses = review_statuses(Config(models=Path(folder)), engine, datetime(2026, 6, 30))
    ...     engine.dispose()
    >>> statuses[0].name, str(statuses[0].due_date)
    ('peringatan', '2026-07-01')
    """
    today = _day(now)
    rows = read_table(engine, audit)
    start = _first_day(engine, rows, today)
    statuses = []
    for name, review in reviews().items():
        traces, notes = _completions(config, rows, name)
        past = [trace for trace in traces if trace[0] <= today]
        if n_future := len(traces) - len(past):
            notes.append(f"{n_future} jejak bertanggal di masa depan tidak dihitung; periksa jam mesin.")
        never = (None, start + timedelta(days=review.days), "Belum ada jejaknya.")
        last, due, evidence = max(past, key=lambda trace: trace[:2], default=never)
        days_overdue = max((today - due).days, 0)
        statuses.append(ReviewStatus(name, last, due, days_overdue, " ".join([evidence, *notes]), today))
    return statuses


def mark_reviewed(engine: sa.Engine, folder: Path, name: str, *, actor: str, reason: str) -> None:
    """Record in the audit trail that a review was done.

    Raises
    ------
    LogError
        The review is unknown or leaves a trace of its own, or there is no reason.

    Examples
    --------
    >>> engine = sa.create_engine("sqlite://")
    >>> mark_reviewed(engine, Path("logs"), "cadangan", actor="a", reason="b")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    judul_lib.core.errors.LogError: 'cadangan' tidak dapat ditandai. Pilih: peringatan...
    """
    tickable = [key for key, review in reviews().items() if review.can_be_ticked]
    if name not in tickable:
        raise LogError(f"'{name}' tidak dapat ditandai. Pilih: {', '.join(tickable)}.")
    trail.append_row(
        engine, folder, actor=actor, action=trail.REVIEW, reason=reason, details={"review": name}
    )


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))


def _completions(
    config: Config, rows: list[dict[str, Any]], name: str
) -> tuple[list[_Completion], list[str]]:
    """Return all traces of a review, and a sentence for each that cannot be read."""
    review = reviews()[name]
    period = timedelta(days=review.days)
    traces: list[_Completion] = []
    notes = []
    for row in rows:
        if row["action"] in review.actions or (review.can_be_ticked and _ticked_review(row) == name):
            day = _day(row["time"])
            action = trail.ACTION_NAMES.get(row["action"], row["action"])
            traces.append((day, day + period, f"Baris {row['seq']} jejak audit ({action})."))
    try:
        if name == BACKUP and (path := newest_backup(config.backups)) is not None:
            day = _day(datetime.fromisoformat(verify_backup(path).time))
            traces.append((day, day + period, f"{path.name}, semua hash cocok."))
        if name == MODEL:
            traces += _promotions(config.models)
        if name == FAIRNESS and (measured := read_error_rates(config.models)) is not None:
            day = _day(measured.time)
            traces.append((day, day + period, f"{FAIRNESS_FILE}, model {measured.model}."))
    except JudulError as error:
        notes.append(str(error))
        traces = [] if name == BACKUP else traces  # A backup that cannot be restored is none.
    except (KeyError, ValueError, TypeError):
        notes.append("Catatan pemberlakuannya tidak dapat dibaca.")
    return traces, notes


def _promotions(models: Path) -> list[_Completion]:
    """Return the promotion of a version in use whose review is due first, if there is one."""
    traces = []
    for name in MODEL_TITLES:
        version = current_version(models, name)
        entry = promotion(models, name, version) if version else {}
        if entry:
            deployed = datetime.fromisoformat(entry["deployed"]).replace(tzinfo=None)
            due = date.fromisoformat(entry["next_review"])
            traces.append((_day(deployed), due, f"{name} {version} berlaku sejak hari itu."))
    return sorted(traces, key=lambda trace: trace[1])[:1]


def _ticked_review(row: Mapping[str, Any]) -> Any:
    try:
        return row["action"] == trail.REVIEW and json.loads(row["details"])["review"]
    except (ValueError, TypeError, KeyError):  # Tampered with, as `audit.verify` reports.
        return None


def _first_day(engine: sa.Engine, rows: list[dict[str, Any]], today: date) -> date:
    """Return the day of the first record that is neither simulated nor dated in the future."""
    tables = [table for table in USAGE_TABLES.values() if "time" in table.c]
    queries = [sa.select(sa.func.min(table.c.time)).where(~table.c.simulated) for table in tables]
    with transaction(engine, reads_only=True) as connection:
        times = [row["time"] for row in rows] + [connection.scalar(query) for query in queries]
    days = [_day(time) for time in times if time]
    return min([day for day in days if day <= today], default=today)


def _day(time: datetime) -> date:
    return local_day(time).date()
