"""The audit trail: who did what to models and records, and why, as a tamper-evident hash chain.

Each row has a keyed hash that covers the hash of the previous row: only the
holder of ``audit.key`` can write one. The hash of the last row, the head, is
stored in ``audit.head.json`` and in a table of its own, too, so that a cut at
the end is detected. Rows from before there was a key are covered by the first
keyed one: their author is unknown, but they have not changed since.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import secret_key
from judul_lib.core.storage import file_lock, write_bytes
from judul_lib.governance.audit_chain import (
    GENESIS_HASH,
    ChainHead,
    canonical_json,
    check_hashes,
    check_head,
    check_order,
    is_unkeyed,
    row_hash,
    signed_head,
)
from judul_lib.usage.database import audit, audit_head, storable_text, transaction

TRAIN, PROMOTE, ROLLBACK = "train", "promote", "rollback"
RETENTION, FORGET, EXPORT, BACKUP, RESTORE = "retention", "forget", "export", "backup", "restore"
REVIEW = "review"
DECIDE, UNDO = "decide", "undo"
ACCOUNT, API_KEY = "account", "api-key"
ACTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        TRAIN: "pelatihan", PROMOTE: "pemberlakuan", ROLLBACK: "pengembalian",
        RETENTION: "masa simpan", FORGET: "penghapusan data", EXPORT: "penyalinan",
        BACKUP: "pencadangan", RESTORE: "pemulihan", REVIEW: "tinjauan",
        DECIDE: "keputusan", UNDO: "pencabutan",
        ACCOUNT: "pengguna", API_KEY: "kunci API",
    }
)  # fmt: skip
"""Names of the actions for readers."""
ACTIONS = tuple(ACTION_NAMES)

HEAD_FILE, KEY_FILE = "audit.head.json", "audit.key"
KEY_VARIABLE = "JUDUL_AUDIT_KEY"
_ADVISORY_LOCK = 7484


def append_row(
    engine: sa.Engine,
    folder: Path,
    *,
    actor: str,
    action: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
) -> ChainHead:
    """Add a row to the trail.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    folder : path
        Folder of the log.
    actor : str
        A pseudonym.
    action : str
        One of `ACTIONS`.
    reason : str
        Not empty.
    details : mapping
        JSON values, such as old and new metrics.

    Returns
    -------
    ChainHead
        The row that was added.

    Raises
    ------
    LogError
        No reason, or the database cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.usage.database import database_url, opened_database
    >>> with TemporaryDirectory() as name, opened_database(database_url(folder := Path(name))) as engine:
    ...     head = append_row(engine, folder, actor="0f", action="retention", reason="90 hari")
    ...     head.seq, read_head(folder) == head, verify(engine, folder)
    (1, True, [])
    """
    with row_added(engine, folder, actor=actor, action=action, reason=reason, details=details) as (
        _,
        added,
    ):
        return added


@contextmanager
def row_added(engine: sa.Engine, folder: Path, **row: Any) -> Iterator[tuple[sa.Connection, ChainHead]]:
    """Yield a transaction with a new row of the trail, for the action itself; see `append_row`.

    The row comes first: others who write meanwhile then wait, in PostgreSQL too. If the
    action fails, there is no row.

    Raises
    ------
    LogError
        No reason, or the database cannot be used.
    """
    with transaction(engine) as connection:
        yield connection, add_row(connection, folder, **row)
    advance_head(engine, folder)


def audit_key(folder: Path, backup_key: bytes | None = None) -> bytes:
    """Return the key of the trail: ``JUDUL_AUDIT_KEY``, or that of a file created on first use.

    Parameters
    ----------
    backup_key : bytes
        Content of the file in a backup, used instead of the one in the folder.

    Raises
    ------
    OSError
        The file can be neither read nor created.
    LogError
        The file holds no key.
    """
    loss = "jejak audit sebelumnya tidak lagi dapat dipastikan"
    return secret_key(folder / KEY_FILE, KEY_VARIABLE, loss, backup_key)


def add_row(
    connection: sa.Connection,
    folder: Path,
    *,
    actor: str,
    action: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
    key: bytes | None = None,
) -> ChainHead:
    """Add a row in the transaction of the action itself; call `advance_head` after the commit.

    Parameters are those of `append_row`, and the key, by default from `audit_key`.

    Raises
    ------
    LogError
        No reason, an unknown action, or the key of the existing rows is missing.
    """
    reason = storable_text(reason)
    if not reason:
        raise LogError("Jejak audit memerlukan alasan. Tuliskan mengapa hal ini dilakukan.")
    if action not in ACTIONS:
        raise LogError(f"Tindakan '{action}' tidak dikenal jejak audit. Pilih: {', '.join(ACTIONS)}.")
    if connection.dialect.name == "postgresql":
        # Held until the transaction ends; in SQLite, a write transaction is exclusive.
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    stored, last = _stored_head(connection), _last(connection)
    if key is None:
        if stored and not _has_key(folder):
            raise LogError(
                f"Kunci jejak audit tidak ada di {folder}. Salin `log/{KEY_FILE}` dari cadangan ke "
                f"sana, atau berikan lewat {KEY_VARIABLE}."
            )
        key = audit_key(folder)
    is_first = last.seq == 0 or is_unkeyed(_rows(connection, audit.c.seq == last.seq)[0])
    row: dict[str, Any] = {
        "seq": last.seq + 1, "time": utc_now(), "actor": actor[:64], "action": action, "reason": reason,
        "details": canonical_json(dict(details or {})), "previous": last.hash,
    }  # fmt: skip
    row["hash"] = row_hash(row, key)
    connection.execute(audit.insert().values(row))
    added = signed_head(key, row["seq"], row["hash"])
    # A missing head, or one that contradicts the rows, is evidence until a backup is restored.
    if (stored.seq, stored.hash) == (last.seq, last.hash) if stored else is_first:
        _store_head(connection, added)
    return added


def reset_stored_head(connection: sa.Connection, key: bytes) -> None:
    """Store the last row as the head in the database, after the rows were replaced."""
    last = _last(connection)
    connection.execute(audit_head.delete())
    if last.seq:
        _store_head(connection, signed_head(key, last.seq, last.hash))


def _store_head(connection: sa.Connection, head: ChainHead) -> None:
    connection.execute(audit_head.delete())
    connection.execute(audit_head.insert().values(seq=head.seq, hash=head.hash, mac=head.mac))


def advance_head(engine: sa.Engine, folder: Path) -> None:
    """Write the last row to the head file, unless the file contradicts the rows.

    A contradicting file is evidence, and stays until a backup is restored.

    Raises
    ------
    LogError
        The database cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / ".audit.lock"):  # A slow process must not write an earlier row.
        head = read_head(folder)
        with transaction(engine, reads_only=True) as connection:
            last = _last(connection)
            rows = _rows(connection, audit.c.seq == head.seq)
        key = audit_key(folder)
        if last.seq > head.seq and not check_head(HEAD_FILE, head, rows, key):
            write_head(folder, signed_head(key, last.seq, last.hash))


def read_details(text: Any) -> dict[str, Any]:
    """Return the details of a row; an empty dict where they were tampered with, as `verify` reports."""
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return {}


def hash_at(connection: sa.Connection, seq: int) -> str | None:
    """Return the hash of a row, or None without such a row."""
    return connection.execute(sa.select(audit.c.hash).where(audit.c.seq == seq)).scalar()


def read_head(folder: Path) -> ChainHead:
    """Return the head in the file: number 0 without a file, -1 where it cannot be read."""
    try:
        text = (folder / HEAD_FILE).read_text("utf-8")
    except FileNotFoundError:
        return ChainHead(0, GENESIS_HASH)
    except (OSError, UnicodeDecodeError):
        return ChainHead(-1, "")
    try:
        content = json.loads(text)
        return ChainHead(int(content["seq"]), str(content["hash"]), str(content.get("mac", "")))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return ChainHead(-1, "")


def write_head(folder: Path, head: ChainHead) -> None:
    """Write the head to the file, atomically."""
    content = json.dumps({"seq": head.seq, "hash": head.hash, "mac": head.mac}) + "\n"
    write_bytes(folder / HEAD_FILE, content.encode())


def verify(engine: sa.Engine, folder: Path) -> list[str]:
    """Return a sentence for each row that was changed, removed or moved, and for each doubt.

    Returns
    -------
    list of str
        Empty for an intact trail; see `describe_unkeyed_rows`, too.

    Raises
    ------
    LogError
        The database cannot be used, or the key file holds no key.
    """
    # Heads first: rows may be added meanwhile, but not removed.
    head = read_head(folder)
    with transaction(engine, reads_only=True) as connection:
        stored = _stored_head(connection)
        rows = _rows(connection)
    key = audit_key(folder) if _has_key(folder) else None
    if not rows and head.seq == 0 and stored is None:
        return [
            "Jejak audit kosong dan ujungnya tidak tercatat, jadi tidak dapat dipastikan apakah ada "
            "yang dihapus."
        ]
    problems = check_order(rows)
    problems += check_hashes(rows, key, ACTION_NAMES, was_keyed=bool(stored or head.mac))
    problems += check_head(HEAD_FILE, head, rows, key)
    stored = stored or ChainHead(0, GENESIS_HASH)
    problems += check_head(f"Tabel {audit_head.name}", stored, rows, key, is_old=False)
    return list(dict.fromkeys(problems))


def describe_unkeyed_rows(engine: sa.Engine) -> str:
    """Return a sentence on the rows from before there was a key; empty without such rows."""
    with transaction(engine, reads_only=True) as connection:
        rows = _rows(connection)
    n = sum(map(is_unkeyed, rows))
    if not n:
        return ""
    return (
        f"Baris 1–{n} ditulis sebelum jejak audit berkunci: sejak baris {n + 1} ditulis, tidak ada yang "
        "berubah; apa yang terjadi sebelum itu tidak dapat dipastikan."
    )


def _has_key(folder: Path) -> bool:
    return bool(os.environ.get(KEY_VARIABLE)) or (folder / KEY_FILE).exists()


def _last(connection: sa.Connection) -> ChainHead:
    query = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return ChainHead(0, GENESIS_HASH) if row is None else ChainHead(row.seq, str(row.hash))


def _stored_head(connection: sa.Connection) -> ChainHead | None:
    row = connection.execute(sa.select(audit_head).order_by(audit_head.c.seq.desc())).first()
    return None if row is None else ChainHead(row.seq, str(row.hash), str(row.mac))


def _rows(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """Return rows in order, with their time unparsed: it may have been tampered with."""
    time = sa.type_coerce(audit.c.time, sa.Text).label("time")
    others = [column for column in audit.c if column is not audit.c.time]
    query = sa.select(*others, time).where(*conditions).order_by(audit.c.seq)
    return [dict(row) for row in connection.execute(query).mappings()]
