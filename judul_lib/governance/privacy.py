"""Retention, erasure and export, as Indonesia's data protection law asks (UU PDP, Law No. 27 of 2022).

A person is known only by a pseudonym of 16 hexadecimal digits.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import HASH_DIGITS, user_id
from judul_lib.core.sqlite import truncate_wal
from judul_lib.core.storage import sha256_of
from judul_lib.governance import audit as trail
from judul_lib.governance.log_copies import delete_files, delete_schemas, log_copies
from judul_lib.usage.app_log import prune_app_log
from judul_lib.usage.database import (
    audit,
    decisions,
    events,
    feedback,
    iter_row_dicts,
    predictions,
    read_table,
    scores,
    transaction,
)
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE, TableRows, edit_spool

LAW = "UU No. 27 Tahun 2022 tentang Pelindungan Data Pribadi"
SPOOL, COPIES, APP_LOG, DECIDERS = "spool", "copies", "app_log", "deciders"
"""Keys of the counts of rows in the spool, copies that were set aside, lines of ``app.log``, and names
in decisions."""
# A daily job may start a little later than the day before.
_MAX_LOG_GAP = timedelta(days=1, hours=1)
_USER_TABLES = (predictions, feedback, events)
_TIME = re.compile(r'"time": ?"([0-9T:.-]+)"')
_USER = re.compile(rf'"user": ?"([0-9a-f]{{{HASH_DIGITS}}})"')
# Values in one IN clause, below the limits of both databases.
_IDS_PER_QUERY = 500
Counts = Mapping[str, int]


@dataclass(frozen=True)
class ErasureResult:
    """Rows of a person that were deleted, and that a query found afterwards.

    Attributes
    ----------
    deleted, remaining : mapping of str to int
        Rows by table; ``spool`` counts those in files.
    copies : tuple of str
        Copies of the log from `judul_lib.governance.log_copies.log_copies`, which are
        not changed and may hold rows of that person.
    """

    deleted: Counts
    remaining: Counts
    copies: tuple[str, ...]


def retention(
    engine: sa.Engine,
    folder: Path,
    *,
    days: int,
    actor: str,
    dry_run: bool = False,
    force: bool = False,
    reason: str = "",
) -> Counts:
    """Delete old rows from the tables and the spool, old lines of ``app.log``, old copies of the log.

    Parameters
    ----------
    days : int
        Age in days from which rows are deleted; at least 1.
    actor : str
        A pseudonym.
    dry_run : bool
        Only count.
    force : bool
        Delete although nothing was logged for more than a day, as if the clock were ahead.
    reason : str
        For the audit trail.

    Returns
    -------
    mapping of str to int
        Rows by table; ``spool`` counts those in files, ``app_log`` and ``copies``, if
        there are any, the lines of ``app.log`` and the old copies of the log.

    Raises
    ------
    LogError
        Fewer than 1 day, the clock may be ahead, or the database cannot be used;
        nothing is deleted.
    """
    if days < 1:
        raise LogError("Masa simpan paling sedikit 1 hari. Berikan bilangan bulat yang lebih besar.")
    limit = utc_now() - timedelta(days=min(days, 100_000))
    if not (force or dry_run):
        _require_clock(engine)

    def keep_damaged_line(line: str) -> bool:
        times = _TIME.findall(line)
        return not times or max(times) >= limit.isoformat()

    n_lines = prune_app_log(folder, limit, dry_run=True)
    copies = [name for name, since in log_copies(engine, folder).items() if since < limit]
    counts, _ = _delete(
        engine, folder, lambda table: table.c.time < limit, lambda row: row["time"] < limit,
        keep_damaged_line, copies=copies, more_counts={APP_LOG: n_lines} if n_lines else {},
        dry_run=dry_run, actor=actor, action=trail.RETENTION,
        reason=reason or f"Masa simpan {days} hari ({LAW})",
        details={"days": days, "before": limit.isoformat()},
    )  # fmt: skip
    if not dry_run:
        prune_app_log(folder, limit)
    return counts


def _require_clock(engine: sa.Engine) -> None:
    """Refuse if the last row is old: with a clock that is ahead, young rows would be deleted."""
    queries = [sa.select(sa.func.max(table.c.time).label("time")) for table in (*_USER_TABLES, audit)]
    with transaction(engine, reads_only=True) as connection:
        times = [
            row["time"] for query in queries for row in iter_row_dicts(connection, query) if row["time"]
        ]
    last = max(times, default=utc_now())
    if utc_now() - last > _MAX_LOG_GAP:
        raise LogError(
            f"Baris log terbaru berasal dari {last:%d-%m-%Y}, sedangkan jam komputer menunjukkan "
            f"{utc_now():%d-%m-%Y} (UTC). Periksa jamnya (`date`); bila benar, ulangi dengan --force."
        )


def forget(engine: sa.Engine, folder: Path, user: str, *, actor: str, reason: str = "") -> ErasureResult:
    """Delete all rows of a person from the tables and the spool, and the name in their decisions.

    A decision itself is the committee's, and stays. The audit trail keeps only the counts and a
    short hash of the pseudonym.

    Raises
    ------
    LogError
        `user` is no pseudonym, or the database cannot be used.
    """
    user = user_id(user)
    counts, ids = _delete(
        engine, folder, lambda table: table.c.user == user, lambda row: row.get("user") == user,
        lambda line: not _mentions(line, user), dry_run=False, actor=actor, action=trail.FORGET,
        reason=reason or f"Permintaan subjek data pribadi ({LAW})",
        details={"user": short_hash(user)}, decider=user,
    )  # fmt: skip
    return ErasureResult(counts, remaining(engine, folder, user, ids), tuple(log_copies(engine, folder)))


def remaining(engine: sa.Engine, folder: Path, user: str, ids: list[str] | None = None) -> Counts:
    """Count the rows of a person, including scores of the predictions in `ids`, deleted before."""
    counts = {}
    with transaction(engine, reads_only=True) as connection:
        for table in _USER_TABLES:
            counts[table.name] = _count(connection, table, table.c.user == user)
        theirs = sa.select(predictions.c.id).where(predictions.c.user == user)
        counts[scores.name] = _count(connection, scores, scores.c.prediction_id.in_(theirs))
        for start in range(0, len(ids or []), _IDS_PER_QUERY):
            orphans = scores.c.prediction_id.in_((ids or [])[start : start + _IDS_PER_QUERY])
            counts[scores.name] += _count(connection, scores, orphans)
        counts |= _count_deciders(connection, user)
    units, damaged = _spooled_rows(folder, user)
    return {**counts, SPOOL: sum(map(_n_rows, units)) + len(damaged)}


def export(engine: sa.Engine, folder: Path, user: str, *, actor: str, reason: str = "") -> str:
    """Return all rows of a person as JSON.

    Raises
    ------
    LogError
        `user` is no pseudonym, or the database cannot be used.
    """
    user = user_id(user)
    # Files first: a unit inserted meanwhile is then exported twice, and not missed.
    units, damaged = _spooled_rows(folder, user)
    tables = {
        table.name: read_table(engine, table, table.c.user == user)
        for table in (*_USER_TABLES, decisions)
    }
    theirs = sa.select(predictions.c.id).where(predictions.c.user == user)
    tables[scores.name] = read_table(engine, scores, scores.c.prediction_id.in_(theirs))
    counts = {name: len(rows) for name, rows in tables.items()}
    counts[SPOOL] = sum(map(_n_rows, units)) + len(damaged)
    trail.append_row(
        engine, folder, actor=actor, action=trail.EXPORT,
        reason=reason or f"Permintaan subjek data pribadi ({LAW})",
        details={"user": short_hash(user), "counts": counts},
    )  # fmt: skip
    content = {
        "user": user, "time": utc_now(), "law": LAW,
        "tables": tables, "waiting": units, "damaged": damaged,
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=2, default=datetime.isoformat) + "\n"


def users(engine: sa.Engine, folder: Path) -> list[str]:
    """Return the pseudonyms that have rows in the tables or the spool."""
    pseudonyms: set[str] = set()
    with transaction(engine, reads_only=True) as connection:
        for table in (*_USER_TABLES, decisions):
            query = sa.select(table.c.user).where(table.c.user.is_not(None)).distinct()
            pseudonyms |= set(connection.execute(query).scalars())
    for name in (SPOOL_FILE, DAMAGED_FILE):
        if (folder / name).exists():
            with (folder / name).open(encoding="utf-8", errors="replace") as lines:
                pseudonyms |= {user for line in lines for user in _USER.findall(line)}
    return sorted(pseudonyms)


def short_hash(user: str) -> str:
    """Return the part of a pseudonym's hash that the audit trail stores: it cannot be reversed.

    Examples
    --------
    >>> short_hash("0123456789abcdef")
    '9f9f5111'
    """
    return sha256_of(user.encode())[:8]


def _delete(
    engine: sa.Engine,
    folder: Path,
    condition: Callable[[sa.Table], sa.ColumnElement[bool]],
    should_delete: Callable[[Mapping[str, Any]], bool],
    keep_damaged_line: Callable[[str], bool],
    *,
    dry_run: bool,
    copies: Sequence[str] = (),
    more_counts: Counts = MappingProxyType({}),
    decider: str | None = None,
    details: Mapping[str, Any],
    **audit_fields: Any,
) -> tuple[Counts, list[str]]:
    """Delete rows and record it in one transaction; return counts and the ids of the predictions."""
    n_spooled = 0

    def edit(unit: TableRows) -> TableRows:
        nonlocal n_spooled
        kept = _remove_rows(unit, should_delete)
        n_spooled += _n_rows(unit) - _n_rows(kept)
        return unit if dry_run else kept

    def keep_line(line: str) -> bool:
        nonlocal n_spooled
        is_kept = keep_damaged_line(line)
        n_spooled += not is_kept
        return is_kept or dry_run

    with transaction(engine, reads_only=dry_run) as connection:
        if engine.dialect.name == "sqlite" and not dry_run:
            # Otherwise deleted rows stay in the file until their pages are reused.
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        if not dry_run:
            delete_schemas(connection, copies)
        # Files first: a unit inserted by another process meanwhile is then found in the tables.
        edit_spool(folder, edit, keep_line)
        query = sa.select(predictions.c.id).where(condition(predictions))
        ids = list(connection.execute(query).scalars())
        counts = {table.name: _count(connection, table, condition(table)) for table in _USER_TABLES}
        counts[scores.name] = _count(connection, scores, scores.c.prediction_id.in_(query))
        counts |= {SPOOL: n_spooled, **more_counts}
        if copies:
            counts[COPIES] = len(copies)
        if decider is not None:
            counts |= _count_deciders(connection, decider)
        if not dry_run:
            connection.execute(scores.delete().where(scores.c.prediction_id.in_(query)))
            for table in _USER_TABLES:
                connection.execute(table.delete().where(condition(table)))
            if decider is not None:
                nobody = {"user": None, "decided_by": None, "reason": ""}
                theirs = decisions.c.user == decider
                connection.execute(decisions.update().where(theirs).values(nobody))
            trail.add_row(connection, folder, details={**details, "counts": counts}, **audit_fields)
    if not dry_run:
        delete_files(copies)
        trail.advance_head(engine, folder)
        truncate_wal(engine)
    return counts, ids


def _count_deciders(connection: sa.Connection, user: str) -> dict[str, int]:
    """Count the decisions with a person's name, if there are any."""
    count = _count(connection, decisions, decisions.c.user == user)
    return {DECIDERS: count} if count else {}


def _remove_rows(unit: TableRows, should_delete: Callable[[Mapping[str, Any]], bool]) -> TableRows:
    deleted = {row["id"] for row in unit.get(predictions.name, []) if should_delete(row)}
    return {
        name: [
            row for row in rows
            if not (row["prediction_id"] in deleted if name == scores.name else should_delete(row))
        ]
        for name, rows in unit.items()
    }  # fmt: skip


def _spooled_rows(folder: Path, user: str) -> tuple[list[TableRows], list[str]]:
    """Return what a person has in the files: units, and damaged lines."""
    units: list[TableRows] = []
    damaged: list[str] = []

    def collect_rows(unit: TableRows) -> TableRows:
        others = _remove_rows(unit, lambda row: row.get("user") == user)
        theirs = {name: [row for row in rows if row not in others[name]] for name, rows in unit.items()}
        if _n_rows(theirs):
            units.append(theirs)
        return unit

    def collect_line(line: str) -> bool:
        if _mentions(line, user):
            damaged.append(line)
        return True

    edit_spool(folder, collect_rows, collect_line)
    return units, damaged


def _mentions(line: str, user: str) -> bool:
    """Return whether a torn line is of a person, even if it is torn within the pseudonym."""
    end = re.search(r'"user": ?"([0-9a-f]+)$', line)
    return user in line or (end is not None and user.startswith(end[1]))


def _n_rows(unit: TableRows) -> int:
    return sum(map(len, unit.values()))


def _count(connection: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(condition)
    return int(connection.execute(query).scalar_one())
