"""The audit trail: who did what to models and records, and why, as a chain that shows every change.

Each row carries the hash of the one before. The hash of the last one stands in
``audit.head.json`` too, so that rows cut off at the end are missed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from judul_lib.clock import now
from judul_lib.database import audit, read_table, transaction
from judul_lib.errors import LogError
from judul_lib.file_locks import locked_file
from judul_lib.storage import sha256_of, write_bytes

TRAIN, PROMOTE, ROLLBACK = "train", "promote", "rollback"
RETENTION, FORGET, EXPORT, BACKUP, RESTORE = "retention", "forget", "export", "backup", "restore"
REVIEW = "review"
ACTIONS = (TRAIN, PROMOTE, ROLLBACK, RETENTION, FORGET, EXPORT, BACKUP, RESTORE, REVIEW)
ACTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        TRAIN: "pelatihan", PROMOTE: "pemberlakuan", ROLLBACK: "pengembalian",
        RETENTION: "masa simpan", FORGET: "penghapusan data", EXPORT: "penyalinan",
        BACKUP: "pencadangan", RESTORE: "pemulihan", REVIEW: "tinjauan",
    }
)  # fmt: skip
"""What readers call each action."""

HEAD_FILE, _LOCK_FILE = "audit.head.json", ".audit.lock"
# What the first row has in the place of the hash of the one before.
_BEGINNING = "0" * 64
_ADVISORY_LOCK = 7484


@dataclass(frozen=True)
class Head:
    """The last row of a trail: its number and its hash."""

    seq: int
    hash: str


def append(
    engine: sa.Engine,
    folder: Path,
    *,
    actor: str,
    action: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
) -> Head:
    """Add a row to the trail.

    Parameters
    ----------
    engine : Engine
        As `judul_lib.database.open_database` returns it.
    folder : path
        The log's, where ``audit.head.json`` is.
    actor : str
        Who did it: a pseudonym.
    action : str
        One of `ACTIONS`.
    reason : str
        Why; not empty.
    details : mapping
        Anything that JSON can hold, such as old and new metrics.

    Returns
    -------
    Head
        Of the row that was added.

    Raises
    ------
    LogError
        No reason, or the database cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.database import database_url, opened_database
    >>> with TemporaryDirectory() as name, opened_database(database_url(folder := Path(name))) as engine:
    ...     head = append(engine, folder, actor="0f", action="retention", reason="90 hari")
    ...     head.seq, read_head(folder) == head, verify(engine, folder)
    (1, True, [])
    """
    with transaction(engine) as connection:
        added = add(connection, actor=actor, action=action, reason=reason, details=details)
    advance_head(engine, folder)
    return added


def add(
    connection: sa.Connection,
    *,
    actor: str,
    action: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
) -> Head:
    """Add a row within a transaction that does what it tells of; `advance_head` comes after it.

    Raises
    ------
    LogError
        No reason, or no such action.
    """
    # Neither database takes a zero byte or half a character, which no reason needs.
    reason = " ".join(reason.replace("\0", " ").encode("utf-8", "replace").decode().split())
    if not reason:
        raise LogError("Jejak audit memerlukan alasan. Tuliskan mengapa hal ini dilakukan.")
    if action not in ACTIONS:
        raise LogError(f"Tindakan '{action}' tidak dikenal jejak audit. Pilih: {', '.join(ACTIONS)}.")
    if connection.dialect.name == "postgresql":
        # Held until the transaction ends; SQLite's writers are alone from its beginning.
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    last = _last(connection)
    row: dict[str, Any] = {
        "seq": last.seq + 1, "time": now(), "actor": actor[:64], "action": action, "reason": reason,
        "details": _canonical(dict(details or {})), "previous": last.hash,
    }  # fmt: skip
    row["hash"] = _hash(row)
    connection.execute(audit.insert().values(row))
    return Head(row["seq"], row["hash"])


def advance_head(engine: sa.Engine, folder: Path) -> None:
    """Write down which row is the last one, unless the table contradicts the earlier note.

    Such a note is evidence, and stays until a backup is restored.

    Raises
    ------
    LogError
        The database cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked_file(folder / _LOCK_FILE):  # A late writer must not put an earlier row in it.
        known = read_head(folder)
        with transaction(engine, reads_only=True) as connection:
            last = _last(connection)
            found = _BEGINNING if known.seq == 0 else hash_at(connection, known.seq)
        if found == known.hash and last.seq > known.seq:
            write_head(folder, last)


def hash_at(connection: sa.Connection, seq: int) -> str | None:
    """Return the hash of a row, or None where there is no such row."""
    return connection.execute(sa.select(audit.c.hash).where(audit.c.seq == seq)).scalar()


def read_head(folder: Path) -> Head:
    """Return the note on the last row; number 0 where there is none.

    A note that cannot be read has a number that no row has.
    """
    try:
        text = (folder / HEAD_FILE).read_text("utf-8")
    except FileNotFoundError:
        return Head(0, _BEGINNING)
    except (OSError, UnicodeDecodeError):
        return Head(-1, "")
    try:
        content = json.loads(text)
        return Head(int(content["seq"]), str(content["hash"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Head(-1, "")


def write_head(folder: Path, head: Head) -> None:
    """Write the note on the last row, whole or not at all."""
    content = json.dumps({"seq": head.seq, "hash": head.hash}) + "\n"
    write_bytes(folder / HEAD_FILE, content.encode())


def verify(engine: sa.Engine, folder: Path) -> list[str]:
    """Return a sentence for each row that was changed, removed or moved; none when all is whole.

    Raises
    ------
    LogError
        The database cannot be used.
    """
    # The note first: rows may be added meanwhile, but none of those it counts may be gone.
    head = read_head(folder)
    rows = sorted(read_table(engine, audit), key=lambda row: row["seq"])
    found, expected, previous = [], 1, _BEGINNING
    for row in rows:
        seq = row["seq"]
        if seq > expected:
            missing = f"Baris {expected}" if seq == expected + 1 else f"Baris {expected}–{seq - 1}"
            found.append(f"{missing} jejak audit hilang.")
        elif seq < expected:
            found.append(f"Baris {seq} jejak audit tidak pada tempatnya.")
        elif row["previous"] != previous:
            found.append(f"Baris {seq} jejak audit tidak menyambung ke baris sebelumnya.")
        if row["hash"] != _hash(row):
            action = ACTION_NAMES.get(row["action"], row["action"])
            found.append(f"Baris {seq} jejak audit berubah setelah ditulis ({action}).")
        expected, previous = max(expected, seq + 1), row["hash"]
    return found + _check_head(head, rows)


def _check_head(head: Head, rows: list[dict[str, Any]]) -> list[str]:
    if head.seq < 0:
        return [f"{HEAD_FILE} tidak dapat dibaca, jadi ujung jejak audit tidak dapat dipastikan."]
    if head.seq == 0:
        missing = f"{HEAD_FILE} tidak ada, jadi ujung jejak audit tidak dapat dipastikan."
        return [missing] if rows else []
    last = rows[-1]["seq"] if rows else 0
    if head.seq > last:
        gone = f"Baris {head.seq}" if head.seq == last + 1 else f"Baris {last + 1}–{head.seq}"
        return [f"{gone} di ujung jejak audit hilang."]
    noted = next((row["hash"] for row in rows if row["seq"] == head.seq), None)
    if noted != head.hash:
        return [f"Baris {head.seq} jejak audit bukan yang tercatat di {HEAD_FILE}."]
    return []


def _last(connection: sa.Connection) -> Head:
    query = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return Head(0, _BEGINNING) if row is None else Head(row.seq, row.hash)


def _hash(row: Mapping[str, Any]) -> str:
    kept = {name: row[name] for name in ("seq", "actor", "action", "reason", "details", "previous")}
    kept["time"] = row["time"].isoformat(timespec="microseconds")
    return sha256_of(_canonical(kept).encode())


def _canonical(content: Mapping[str, Any]) -> str:
    """Return the one way in which something is written as JSON."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
