"""What is to be looked at daily to quarterly, when that was last done, and what is due.

Whether something was done is seen, not asked: by the audit trail, the newest
backup, the promotion of the versions in use. What leaves no trace of its own is
ticked off in the audit trail (`tick`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.checking.versions import current_version
from judul_lib.core.config import Config
from judul_lib.core.errors import JudulError, LogError
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.governance import audit as trail
from judul_lib.governance.backup import verify_backup
from judul_lib.governance.compliance import newest_backup
from judul_lib.governance.promotions import REVIEW_DAYS, promotion
from judul_lib.usage.database import USAGE_TABLES, audit, read_table, transaction
from judul_lib.usage.frames import local_day

DAILY, WEEKLY, MONTHLY = 1, 7, 30
NEVER, LATE, TODAY, LATER = "belum pernah", "terlambat", "hari ini", "nanti"


@dataclass(frozen=True)
class Review:
    """Something that is looked at again and again.

    Attributes
    ----------
    title : str
    days : int
        From one time to the next.
    command : str
        What one looks with.
    actions : tuple of str
        Rows of the audit trail that show that it was done.
    is_ticked : bool
        Whether it counts as done, too, when somebody says so.
    """

    title: str
    days: int
    command: str
    actions: tuple[str, ...] = ()
    is_ticked: bool = True


BACKUP, MODEL = "cadangan", "model"
REVIEWS: Mapping[str, Review] = {
    "peringatan": Review("Peringatan, galat, dan ketersediaan model", DAILY, "judul monitor --once"),
    "pergeseran": Review("Pergeseran dari garis dasar", WEEKLY, "judul monitor --days 7"),
    "pendapat": Review("Pendapat pengguna", WEEKLY, "judul run -p LOG ../outputs/logs"),
    BACKUP: Review(
        "Cadangan", WEEKLY, "judul govern backup outputs/backups/mingguan.zip --force",
        (trail.BACKUP,), is_ticked=False,
    ),
    "masa-simpan": Review(
        "Masa simpan", MONTHLY, "judul govern retention --days 90", (trail.RETENTION,), is_ticked=False
    ),
    "galat-kelompok": Review("Galat menurut kelompok judul", MONTHLY, "judul govern fairness"),
    "jejak-audit": Review("Jejak audit utuh", MONTHLY, "judul govern verify"),
    "daftar-periksa": Review("Daftar periksa kepatuhan", MONTHLY, "judul govern check"),
    MODEL: Review("Model yang berlaku", REVIEW_DAYS, "judul models list"),
    "ambang": Review("Ambang keputusan dan kalibrasi", REVIEW_DAYS, "judul run"),
    "pemulihan": Review(
        "Uji pemulihan di folder lain", REVIEW_DAYS,
        "judul govern restore outputs/backups/mingguan.zip --models build/uji-pemulihan",
        (trail.RESTORE,),
    ),
    "akses": Review("Hak akses, kunci, dan token", REVIEW_DAYS, "judul govern audit"),
}  # fmt: skip
"""The study's rhythm, daily to quarterly; what is looked at is ours."""


@dataclass(frozen=True)
class Due:
    """When something was last done, and when it is to be done again.

    Attributes
    ----------
    name : str
        Of the review in `REVIEWS`.
    last : date or None
        Local day on which it was last done.
    by : date
        Day until which it is to be done.
    overdue : int
        Days since then; 0 when there is time left.
    evidence : str
        Where that is seen.
    today : date
    """

    name: str
    last: date | None
    by: date
    overdue: int
    evidence: str
    today: date

    @property
    def review(self) -> Review:
        """What is to be done."""
        return REVIEWS[self.name]

    @property
    def status(self) -> str:
        """``terlambat``, ``belum pernah``, ``hari ini`` or ``nanti``."""
        if self.overdue:
            return LATE
        if self.last is None:
            return NEVER
        return TODAY if self.by == self.today else LATER


@dataclass(frozen=True)
class _Trace:
    """That something was done: on which day, until when that suffices, and where it is seen."""

    day: date
    by: date
    evidence: str


def due(config: Config, engine: sa.Engine, now: datetime) -> list[Due]:
    """Return each review with the day on which it was last done, and when it is due.

    What was never done has a whole period from the first record of the
    installation on; without any record, from today. A trace of the future, left
    by a clock that was wrong, does not count until its day comes.

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
    """
    today = _day(now)
    rows = read_table(engine, audit)
    start = _first_day(engine, rows, today)
    found = []
    for name, review in REVIEWS.items():
        traces, notes = _traces(config, rows, name)
        past = [trace for trace in traces if trace.day <= today]
        if len(past) < len(traces):
            notes.append(
                f"{len(traces) - len(past)} jejak bertanggal di masa depan tidak dihitung; periksa jam "
                "mesin."
            )
        last = max(past, key=lambda trace: (trace.day, trace.by), default=None)
        by = last.by if last else start + timedelta(days=review.days)
        evidence = " ".join([last.evidence if last else "Belum ada jejaknya.", *notes])
        overdue = max((today - by).days, 0)
        found.append(Due(name, last.day if last else None, by, overdue, evidence, today))
    return found


def tick(engine: sa.Engine, folder: Path, name: str, *, actor: str, reason: str) -> None:
    """Write in the audit trail that something was looked at.

    Raises
    ------
    LogError
        There is no such review, it shows by itself whether it was done, or there is no reason.
    """
    known = [key for key, review in REVIEWS.items() if review.is_ticked]
    if name not in known:
        raise LogError(f"'{name}' tidak dapat ditandai. Pilih: {', '.join(known)}.")
    trail.append(
        engine, folder, actor=actor, action=trail.REVIEW, reason=reason, details={"review": name}
    )


def _traces(config: Config, rows: list[dict[str, Any]], name: str) -> tuple[list[_Trace], list[str]]:
    """Return every trace of a review, and a sentence for each that cannot be read."""
    review = REVIEWS[name]
    period = timedelta(days=review.days)
    traces, notes = [], []
    for row in rows:
        if row["action"] in review.actions or (review.is_ticked and _ticked(row) == name):
            day = _day(row["time"])
            action = trail.ACTION_NAMES.get(row["action"], row["action"])
            seen = f"Baris {row['seq']} jejak audit ({action})."
            traces.append(_Trace(day, day + period, seen))
    try:
        if name == BACKUP and (path := newest_backup(config.backups)) is not None:
            day = _day(datetime.fromisoformat(verify_backup(path).time))
            traces.append(_Trace(day, day + period, f"{path.name}, semua hash cocok."))
        if name == MODEL and (trace := _promoted(config.models)) is not None:
            traces.append(trace)
    except JudulError as error:
        notes.append(str(error))
        traces = [] if name == BACKUP else traces  # What cannot be put back was not saved.
    except (KeyError, ValueError, TypeError):
        notes.append("Catatan pemberlakuannya tidak dapat dibaca.")
    return traces, notes


def _promoted(models: Path) -> _Trace | None:
    """Return the promotion of the version in use that is to be looked at first."""
    traces = []
    for name in MODEL_TITLES:
        version = current_version(models, name)
        entry = promotion(models, name, version) if version else {}
        if entry:
            deployed = datetime.fromisoformat(entry["deployed"]).replace(tzinfo=None)
            by = date.fromisoformat(entry["next_review"])
            traces.append(_Trace(_day(deployed), by, f"{name} {version} berlaku sejak hari itu."))
    return min(traces, key=lambda trace: trace.by, default=None)


def _ticked(row: Mapping[str, Any]) -> Any:
    try:
        return row["action"] == trail.REVIEW and json.loads(row["details"])["review"]
    except (ValueError, TypeError, KeyError):  # Somebody changed the row; `audit.verify` says so.
        return None


def _first_day(engine: sa.Engine, rows: list[dict[str, Any]], today: date) -> date:
    """Return the day of the first record that is neither made up nor of the future."""
    days = [_day(row["time"]) for row in rows]
    with transaction(engine, reads_only=True) as connection:
        for table in USAGE_TABLES.values():
            if "time" in table.c:
                query = sa.select(sa.func.min(table.c.time)).where(~table.c.simulated)
                first = connection.execute(query).scalar()
                days += [_day(first)] if first else []
    return min([day for day in days if day <= today], default=today)


def _day(time: datetime) -> date:
    return local_day(time).date()
