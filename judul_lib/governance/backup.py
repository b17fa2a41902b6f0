"""Backups: log, keys, labels and models of an installation in one zip.

Tables are JSON lines, so that a backup of SQLite can be restored into
PostgreSQL and vice versa. ``manifest.json`` has the hash of each member.
"""

import hashlib
import io
import json
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib import __version__
from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import KEY_FILE
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import (
    atomic_file,
    exclusive_lock,
    files_in,
    recover_folder,
    refuse_overwrite,
    remove_unfinished_writes,
)
from judul_lib.governance import audit as trail
from judul_lib.usage.database import (
    FIRST_SCHEMAS,
    LOG_TABLES,
    SCHEMA_VERSION,
    audit,
    iter_row_dicts,
    transaction,
)
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE

MANIFEST, FORMAT = "manifest.json", 2
TABLES: tuple[sa.Table, ...] = tuple(LOG_TABLES.values())
LOG_FILES = (KEY_FILE, SPOOL_FILE, DAMAGED_FILE, trail.HEAD_FILE, trail.KEY_FILE)
LABELS_FOLDER = "labels"
FOLDERS = (*MODEL_TITLES, "models", LABELS_FOLDER)
_CHUNK = 1 << 20
_MAX_MANIFEST_BYTES = _MAX_ROW_BYTES = 1 << 24
# A backup may unpack to this many times its size (ours: 5), or to this many bytes if that is more.
_MAX_EXPANSION, _MIN_UNPACKED_LIMIT = 20, 1 << 25
_DAMAGE_ERRORS = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError,
    TypeError, AttributeError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """Contents of a backup.

    Attributes
    ----------
    time : str
        Start of the backup, in UTC.
    version : str
        Of the package that wrote it.
    schema : int
        Version of the tables.
    rows : mapping of str to int
        Number of rows by table.
    hashes : mapping of str to str
        SHA-256 of each member.
    format : int
        Version of the format of the zip.
    sizes : mapping of str to int
        Bytes of each member; empty in format 1.
    """

    time: str
    version: str
    schema: int
    rows: Mapping[str, int]
    hashes: Mapping[str, str]
    format: int = FORMAT
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def folders(self) -> list[str]:
        """Names of the folders of models and labels in the backup."""
        parts = (name.split("/") for name in self.hashes)
        return sorted({part[1] for part in parts if part[0] == "outputs"})


def backup(
    models: Path,
    engine: sa.Engine,
    logs: Path,
    target: Path,
    *,
    actor: str,
    reason: str,
    force: bool = False,
    copy_to: Path | None = None,
) -> Manifest:
    """Write a backup atomically, and record it in the audit trail.

    Only its owner can read the file: it holds the key of the pseudonyms.

    Parameters
    ----------
    copy_to : path
        Existing folder for a second copy, such as one that is kept in sync with a cloud.

    Raises
    ------
    LogError
        The file exists (without ``force``), another process writes it, the
        database cannot be used, a model does not match its hashes, a symbolic
        link is among the files, or the folder for the copy is missing or the same.
    OSError
        Disk full, no permission.
    """
    folders = [models / name for name in FOLDERS if (models / name).is_dir()]
    if any(target.resolve().is_relative_to(folder.resolve()) for folder in folders):
        raise LogError(f"{target} ada di dalam folder yang dicadangkan. Simpan cadangan di tempat lain.")
    if copy_to is not None and not copy_to.is_dir():
        raise LogError(f"Folder salinan {copy_to} tidak ada. Buat atau pasang dahulu.")
    if copy_to is not None and copy_to.resolve() == target.parent.resolve():
        raise LogError(f"Salinan cadangan tidak boleh di folder yang sama, {copy_to}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    refusal = LogError(f"Pencadangan lain sedang menulis {target}. Tunggu sampai selesai, lalu ulangi.")
    with exclusive_lock(target.with_name(f".{target.name}.lock"), refusal):
        remove_unfinished_writes(target.parent, escape(target.name))
        refuse_overwrite(target, force=force)
        manifest, digest = _write_zip(target, models, engine, logs)
        details = {"sha256": digest, "rows": manifest.rows, "folders": manifest.folders}
        if copy_to is not None:
            details["copy"] = str(_copy(target, copy_to, digest, force=force).resolve())
    trail.append_row(engine, logs, actor=actor, action=trail.BACKUP, reason=reason, details=details)
    return manifest


def _copy(source: Path, folder: Path, digest: str, *, force: bool) -> Path:
    """Copy a backup to another folder, and compare what can be read back from there."""
    target = folder / source.name
    refuse_overwrite(target, force=force)
    remove_unfinished_writes(folder, escape(target.name))
    with atomic_file(target) as stream, source.open("rb") as original:
        shutil.copyfileobj(original, stream, _CHUNK)
    if not BackupCopy(target, digest, utc_now()).is_intact():
        raise LogError(f"Salinan {target} berbeda dari cadangannya. Periksa folder itu, lalu ulangi.")
    return target


@dataclass(frozen=True)
class BackupCopy:
    """A copy of a backup in another folder, as recorded in the audit trail; `time` in UTC."""

    path: Path
    sha256: str
    time: datetime

    def is_intact(self) -> bool:
        """Whether the file is as it was written."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256


def newest_copy(engine: sa.Engine) -> BackupCopy | None:
    """Return the newest copy of a backup in another folder, or None if there was none.

    Raises
    ------
    LogError
        The database cannot be used.
    """
    query = sa.select(audit.c.details, audit.c.time).where(audit.c.action == trail.BACKUP)
    with transaction(engine, reads_only=True) as connection:
        rows = connection.execute(query.order_by(audit.c.seq.desc())).all()
    for row in rows:
        details = trail.read_details(row.details)
        if path := details.get("copy"):
            return BackupCopy(Path(str(path)), str(details.get("sha256")), row.time)
    return None


def _write_zip(target: Path, models: Path, engine: sa.Engine, logs: Path) -> tuple[Manifest, str]:
    with atomic_file(target) as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            manifest = _write(archive, models, engine, logs)
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return manifest, digest


def verify_backup(path: Path) -> Manifest:
    """Read a whole backup and compare every hash, without unpacking it.

    Raises
    ------
    LogError
        It is damaged, has members outside its folders, unpacks to far more than a
        backup should, or a newer version wrote it.
    OSError
        The file cannot be read.
    """
    try:
        if path.exists() and not path.is_file():  # Looking for the end of a device would not return.
            raise ValueError(path)
        with zipfile.ZipFile(path) as archive:
            sizes = _sizes(path, archive)
            manifest = _read_manifest(path, archive)
            for name in sizes:
                require_safe_name(name)
            sizes_match = manifest.format == 1 or manifest.sizes == {
                n: sizes[n] for n in manifest.hashes
            }
            if sorted(archive.namelist()) != sorted({MANIFEST, *manifest.hashes}) or not sizes_match:
                raise ValueError(sizes)
            for name, digest in manifest.hashes.items():
                if _digest(archive, name) != digest:
                    raise ValueError(name)
            for table in TABLES:
                if manifest.schema < FIRST_SCHEMAS.get(table.name, 0):
                    continue
                if sum(1 for _ in read_rows(archive, table)) != manifest.rows[table.name]:
                    raise ValueError(table.name)
    except _DAMAGE_ERRORS as error:
        raise LogError(
            f"Cadangan {path.name} rusak atau bukan cadangan; pakai cadangan lain."
        ) from error
    return manifest


def _sizes(path: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the declared size of each member; `zipfile` unpacks no more than that."""
    bounded = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Others may unpack into memory at once.
    if not all(member.compress_type in bounded for member in archive.infolist()):
        raise ValueError("unexpected compression")
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    limit = max(_MIN_UNPACKED_LIMIT, _MAX_EXPANSION * path.stat().st_size)
    if sizes[MANIFEST] > _MAX_MANIFEST_BYTES or sum(sizes.values()) > limit:
        raise LogError(
            f"Cadangan {path.name} ditolak: isinya akan jauh lebih besar daripada isi cadangan yang "
            "wajar. Pakai cadangan lain."
        )
    return sizes


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    content = json.loads(archive.read(MANIFEST))
    schema = int(content["schema"])
    if int(content["format"]) > FORMAT or schema > SCHEMA_VERSION:
        raise LogError(
            f"Cadangan {path.name} dibuat oleh versi yang lebih baru (skema {schema}; versi "
            f"ini mengenal {SCHEMA_VERSION}). Perbarui judul-lib, lalu ulangi."
        )
    if datetime.fromisoformat(content["time"]).tzinfo is not None:
        raise ValueError("time with a zone")
    return Manifest(**content)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def require_safe_name(name: str) -> None:
    """Refuse a member outside the folders of a backup.

    Raises
    ------
    LogError
        Such as for an absolute path, or one with ``..``.

    Examples
    --------
    >>> require_safe_name("outputs/light/metadata.json")
    >>> require_safe_name("../a")
    Traceback (most recent call last):
    judul_lib.core.errors.LogError: Cadangan ditolak: isinya '../a' mengarah ke luar folder cadangan.
    """
    parts = name.split("/")
    is_plain = not any(part in ("", ".", "..") or set(part) & {"\\", ":", "\0"} for part in parts)
    in_log = name in {*map(_member, TABLES), *(f"log/{file}" for file in LOG_FILES)}
    in_models = parts[0] == "outputs" and len(parts) > 2 and parts[1] in FOLDERS
    if not (name == MANIFEST or (is_plain and (in_log or in_models))):
        raise LogError(f"Cadangan ditolak: isinya {name!r} mengarah ke luar folder cadangan.")


def read_rows(archive: zipfile.ZipFile, table: sa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table in a backup, with all columns of the table.

    A backup of an older version may lack the table: nothing is yielded.

    Raises
    ------
    ValueError
        A row is no JSON, is too long, or has an unknown column.
    """
    if table.name in FIRST_SCHEMAS and _member(table) not in archive.namelist():
        return
    empty = dict.fromkeys(table.c.keys())
    times = [c.name for c in table.c if isinstance(c.type, sa.DateTime)]
    with archive.open(_member(table)) as member:
        stream = io.BufferedReader(member)  # type: ignore[type-var]
        while line := stream.readline(_MAX_ROW_BYTES):
            row = json.loads(line)
            for name in times:
                if name == "time" or row.get(name) is not None:
                    row[name] = datetime.fromisoformat(row[name])
            if not set(row) <= set(empty):
                raise ValueError(line)
            yield empty | row


def _member(table: sa.Table) -> str:
    return f"log/{table.name}.jsonl"


def _write(archive: zipfile.ZipFile, models: Path, engine: sa.Engine, logs: Path) -> Manifest:
    start, hashes, sizes = utc_now(), {}, {}

    def add(name: str, chunks: Iterable[bytes]) -> None:
        require_safe_name(name)
        info = zipfile.ZipInfo(name, time.gmtime()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        digest = hashlib.sha256()
        with archive.open(info, "w", force_zip64=True) as stream:
            for chunk in chunks:
                digest.update(chunk)
                stream.write(chunk)
        hashes[name], sizes[name] = digest.hexdigest(), info.file_size

    # Files before tables: a unit inserted meanwhile is then in both, and restored once; and the
    # head of the audit trail is not ahead of its rows.
    for file in LOG_FILES:
        if (logs / file).is_file():
            add(f"log/{file}", _chunks(logs / file))
    rows = _write_tables(engine, add)
    for name in FOLDERS:
        recover_folder(models / name)
        for path, member in files_in(models / name, f"outputs/{name}"):
            if path.is_symlink():
                raise LogError(
                    f"Cadangan tidak dibuat: {path} adalah tautan. Ganti dengan berkas biasa."
                )
            add(member, _chunks(path))
    for name in list(hashes):
        if name.endswith("/metadata.json"):
            _require_whole_model(models / name.removeprefix("outputs/"), name, hashes)
    time_text = start.isoformat(timespec="seconds")
    manifest = Manifest(time_text, __version__, SCHEMA_VERSION, rows, hashes, FORMAT, sizes)
    archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=2, ensure_ascii=False))
    return manifest


def _write_tables(engine: sa.Engine, add: Callable[[str, Iterable[bytes]], None]) -> dict[str, int]:
    rows = dict.fromkeys((table.name for table in TABLES), 0)
    options: dict[str, Any] = {"reads_only": True, "yield_per": 1_000}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"  # One snapshot of all tables.

    def lines(connection: sa.Connection, table: sa.Table) -> Iterator[bytes]:
        query = sa.select(table).order_by(*table.primary_key.columns)
        for row in iter_row_dicts(connection, query):
            rows[table.name] += 1
            text = json.dumps(row, ensure_ascii=False, default=datetime.isoformat)
            yield f"{text}\n".encode()

    with transaction(engine, **options) as connection:
        for table in TABLES:
            add(_member(table), lines(connection, table))
    return rows


def _require_whole_model(path: Path, member: str, hashes: Mapping[str, str]) -> None:
    folder = member.rpartition("/")[0]
    try:
        recorded = json.loads(path.read_bytes())["files"]
        is_whole = all(hashes.get(f"{folder}/{name}") == digest for name, digest in recorded.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise LogError(
            f"Model di {path.parent} rusak atau diganti saat dicadangkan. Ulangi; bila tetap begitu, "
            "buat lagi model itu dengan `make run`."
        )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
