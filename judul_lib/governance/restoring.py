"""Restore a backup: it is verified first, and what it replaces is kept beside it."""

import filecmp
import hashlib
import json
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import KEY_FILE
from judul_lib.core.storage import files_in, recover_folder, replace_folder
from judul_lib.governance import audit as trail
from judul_lib.governance.backup import LOG_FILES, TABLES, Manifest, read_rows, verify_backup
from judul_lib.governance.privacy import forget, short_hash
from judul_lib.governance.privacy import users as known_users
from judul_lib.usage.database import (
    COMMAND_LOCK_WAIT,
    QUARANTINE_TIME_FORMAT,
    api_keys,
    audit,
    opened_database,
    read_table,
    transaction,
    users,
)
from judul_lib.usage.spool import has_spooled

_KEPT_TABLES = (audit, users, api_keys)
"""Kept where the trail continues the backup's: a removed user or a revoked key does not come back."""
_AGAIN = "Sudah dihapus setelah cadangan dibuat, jadi dihapus lagi setelah pemulihan"


@dataclass(frozen=True)
class RestoreResult:
    """What a restore did.

    Attributes
    ----------
    manifest : Manifest
        Of the backup.
    aside : list of str
        Names of what was set aside because it differed from the backup: files in
        the log folder, a PostgreSQL schema, folders of models or labels.
    versions : list of str
        Model and name of each version set aside that is not in the backup.
    has_key : bool
        Whether the backup holds the key of the pseudonyms.
    forgotten : int
        Number of people in the backup whose rows were deleted again, because
        they had been forgotten since.
    """

    manifest: Manifest
    aside: list[str]
    versions: list[str]
    has_key: bool
    forgotten: int


def restore(
    path: Path,
    models: Path,
    url: str,
    logs: Path,
    *,
    actor: str,
    reason: str,
    force: bool = False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> RestoreResult:
    """Restore the log, its keys, the labels and the models of a backup.

    An audit trail that continues the backup's is kept, and so are users and API keys then.
    People who were forgotten after the backup are forgotten again.

    Parameters
    ----------
    path : path
        The zip.
    models, logs : path
        Folder of the model folders; folder of the log.
    url : str
        Of the database; the backup may be of the other kind.
    actor, reason : str
        For the audit trail.
    force : bool
        Replace a log that has rows; it is kept beside the new one.

    Raises
    ------
    LogError
        The backup is damaged, unsafe or from a newer version, or the log has rows
        (without ``force``); nothing is changed.
    """
    manifest = verify_backup(path)
    stamp = f"{utc_now():{QUARANTINE_TIME_FORMAT}}"
    models.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    with opened_database(url, warn=warn, lock_wait=COMMAND_LOCK_WAIT) as engine:
        with (
            zipfile.ZipFile(path) as archive,
            tempfile.TemporaryDirectory(dir=models, prefix=".pemulihan.") as staging,
            tempfile.TemporaryDirectory(dir=logs, prefix=".pemulihan.") as log_staging,
        ):
            _unpack(archive, manifest, "outputs", Path(staging))
            _unpack(archive, manifest, "log", Path(log_staging))
            key_file = Path(log_staging) / trail.KEY_FILE
            backup_key = key_file.read_bytes() if key_file.exists() else None
            details = {"sha256": _digest(path), "time": manifest.time}
            aside, keeps_audit_rows = _replace_rows(
                engine, archive, logs, stamp, backup_key, force=force, actor=actor, reason=reason,
                details=details,
            )  # fmt: skip
            kept_files = {trail.HEAD_FILE} if keeps_audit_rows else set()
            if backup_key is None or (keeps_audit_rows and (logs / trail.KEY_FILE).exists()):
                kept_files.add(trail.KEY_FILE)
            files = [file for file in LOG_FILES if file not in kept_files]
            aside += _replace_files(logs, Path(log_staging), files, stamp)
            versions = []
            for name in manifest.folders:
                recover_folder(models / name)
                others = _not_in_backup(models / name, manifest)
                if others:
                    aside.append((models / name).rename(models / f"{name}.{stamp}").name)
                if name == "models":
                    versions = _new_versions(others, manifest)
                replace_folder(Path(staging) / name, models / name)
        trail.advance_head(engine, logs)
        forgotten = _users_to_forget_again(engine, logs)
        for user in forgotten:
            forget(engine, logs, user, actor=actor, reason=_AGAIN)
    has_key = f"log/{KEY_FILE}" in manifest.hashes
    return RestoreResult(manifest, aside, versions, has_key, len(forgotten))


def _users_to_forget_again(engine: sa.Engine, logs: Path) -> list[str]:
    """Return the users with rows who were forgotten after the backup that was just restored."""
    rows = read_table(engine, audit)
    restore_row = max(
        (row for row in rows if row["action"] == trail.RESTORE), key=lambda row: int(row["seq"])
    )
    end_of_backup = json.loads(restore_row["details"])["trail_of_backup"]
    forgotten = {
        trail.read_details(row["details"]).get("user")
        for row in rows if row["action"] == trail.FORGET and row["seq"] > end_of_backup
    }  # fmt: skip
    return [user for user in known_users(engine, logs) if short_hash(user) in forgotten]


def _unpack(archive: zipfile.ZipFile, manifest: Manifest, folder: str, staging: Path) -> None:
    """Unpack the files of one folder of the backup, except for the tables."""
    tables = {f"log/{table.name}.jsonl" for table in TABLES}
    for member, digest in manifest.hashes.items():
        if not member.startswith(f"{folder}/") or member in tables:
            continue
        target = staging / member.removeprefix(f"{folder}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as stream:
            shutil.copyfileobj(source, stream)
        if _digest(target) != digest:
            raise LogError("Cadangan berubah selagi dibaca. Ulangi.")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _not_in_backup(folder: Path, manifest: Manifest) -> list[str]:
    """Return the member names of the files in a folder that the backup lacks or has otherwise."""
    return [
        member for path, member in files_in(folder, f"outputs/{folder.name}")
        if path.is_symlink() or _digest(path) != manifest.hashes.get(member)
    ]  # fmt: skip


def _new_versions(members: Iterable[str], manifest: Manifest) -> list[str]:
    parts = (member.split("/") for member in members if member not in manifest.hashes)
    return [f"{part[2]} {part[3]}" for part in parts if len(part) == 5 and part[4] == "metadata.json"]


def _replace_rows(
    engine: sa.Engine,
    archive: zipfile.ZipFile,
    logs: Path,
    stamp: str,
    backup_key: bytes | None,
    *,
    force: bool,
    details: Mapping[str, object],
    **audit_fields: str,
) -> tuple[list[str], bool]:
    """Replace all rows by those of a backup, in one transaction.

    Returns
    -------
    aside : list of str
        Name of the copy of the old rows.
    keeps_audit_rows : bool
        Whether the old audit trail continues the backup's, and is kept.
    """
    aside: list[str] = []
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            names = ", ".join(table.name for table in TABLES)
            connection.execute(sa.text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
        if has_spooled(logs) or _has_rows(connection, *TABLES):
            if not force:
                raise LogError(
                    "Log di sini tidak kosong, jadi tidak ditimpa. Dengan --force, isinya disimpan "
                    "di sampingnya lalu diganti."
                )
            aside = [_copy_existing_rows(engine, connection, stamp)]
        last_seq, last_hash = max(
            ((row["seq"], row["hash"]) for row in read_rows(archive, audit)), default=(0, "")
        )
        keeps_audit_rows = _has_rows(connection, audit) and (
            last_seq == 0 or trail.hash_at(connection, last_seq) == last_hash
        )
        for table in TABLES:
            if keeps_audit_rows and table in _KEPT_TABLES:
                continue
            connection.execute(table.delete())
            rows = read_rows(archive, table)
            while batch := list(islice(rows, 1_000)):
                _insert(connection, table, batch)
        head = trail.read_head(logs)
        head_before = {"seq": head.seq, "hash": head.hash}
        keeps_key = keeps_audit_rows and (logs / trail.KEY_FILE).exists()
        key = trail.audit_key(logs, None if keeps_key else backup_key)
        if not keeps_audit_rows:
            trail.reset_stored_head(connection, key)
        trail.add_row(
            connection, logs, key=key, action=trail.RESTORE,
            details={
                **details, "aside": aside, "head_before": head_before, "trail_of_backup": last_seq,
            },
            **audit_fields,
        )  # fmt: skip
    return aside, keeps_audit_rows


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    try:
        connection.execute(table.insert(), rows)
    except sa.exc.DatabaseError:
        raise
    except (sa.exc.StatementError, ValueError, OverflowError) as error:
        raise LogError(
            f"Cadangan ditolak: barisnya tidak cocok dengan tabel {table.name}. Pakai cadangan lain."
        ) from error


def _has_rows(connection: sa.Connection, *tables: sa.Table) -> bool:
    return any(
        connection.execute(sa.select(*table.primary_key.columns).limit(1)).first() for table in tables
    )


def _copy_existing_rows(engine: sa.Engine, connection: sa.Connection, stamp: str) -> str:
    """Copy all rows, within a transaction that keeps other writers out; return the copy's name."""
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        copy = path.with_name(f"{path.name}.lama-{stamp}")
        copy.touch(mode=0o600)
        with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
        return copy.name
    schema = f"judul_lama_{stamp}"
    connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    for table in TABLES:
        connection.execute(sa.text(f"CREATE TABLE {schema}.{table.name} AS TABLE {table.name}"))
    return schema


def _replace_files(logs: Path, staging: Path, files: Iterable[str], stamp: str) -> list[str]:
    aside = []
    for file in files:
        path, new = logs / file, staging / file
        if path.exists() and not (new.exists() and filecmp.cmp(path, new, shallow=False)):
            path.rename(kept := path.with_name(f"{file}.lama-{stamp}"))
            aside.append(kept.name)
        if new.exists() and not path.exists():
            new.chmod(0o600)
            new.replace(path)
    return aside
