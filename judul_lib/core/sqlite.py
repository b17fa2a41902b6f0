"""The SQLite file of the log: created, checked while open, quarantined when corrupt.

A lock protects opening and quarantining the file, so that no process mistakes a
new file, or its write-ahead log, for the corrupt one.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.storage import file_lock

QUARANTINE_TIME_FORMAT = "%Y%m%d_%H%M%S_%f"
"""Format of the time in the name of a quarantined file."""
_WAL_SUFFIXES = ("-wal", "-shm")
_CORRUPTION_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class ReplacedError(LogError):
    """The file was removed or replaced while open: what was written to it is lost."""


def database_path(address: sa.URL) -> Path:
    """Return the absolute path of a database file."""
    return Path(str(address.database)).absolute()


@contextmanager
def database_file_lock(path: Path) -> Iterator[None]:
    """Keep other processes from opening or quarantining a database file within a block.

    Raises
    ------
    LogError
        The folder cannot be made or written.
    """
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(file_lock(path.with_name(f".{path.name}.lock")))
        except OSError as error:
            raise LogError(
                f"Folder log {path.parent} tidak dapat dibuat. Periksa hak aksesnya."
            ) from error
        yield


def file_engine(address: sa.URL, lock_wait: float) -> sa.Engine:
    """Return an engine of a file, created if missing; call it within `database_file_lock` only.

    Raises
    ------
    LogError
        The file cannot be created.
    """
    path = database_path(address)
    try:
        if not path.exists():
            quarantine(path)  # SQLite would apply a leftover write-ahead log to the new file.
            # Readable by the owner only; SQLite gives its other files the same mode. An existing file
            # is not opened here: closing it would drop the locks of other engines of this process.
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))
        opened = _file_id(path)
    except OSError as error:
        raise LogError(f"Folder log {path.parent} tidak dapat dibuat. Periksa hak aksesnya.") from error

    def connect() -> sqlite3.Connection:
        # mode=rw does not recreate a removed file, which would have no tables and another mode.
        uri = f"{path.as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=lock_wait, check_same_thread=False)

    engine = sa.create_engine(address, creator=connect, execution_options={"opened": opened})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # `_begin` below begins the transactions, not sqlite3.
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.execute("SELECT 1 FROM sqlite_master").fetchall()  # Creates the write-ahead log.
        record.info["opened"] = (opened, _file_id(_with_suffix(path, "-wal")))

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A reader that later becomes a writer could find the file locked.
        only_reads = connection.get_execution_options().get("reads_only")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def begin_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Run a transaction, and check before and after it that the file has not been replaced.

    Raises
    ------
    ReplacedError
        It was replaced; repeat the transaction.
    """
    with engine.connect() as connection:
        with connection.begin():
            _require_in_place(connection)
            yield connection
        _require_in_place(connection)


def _require_in_place(connection: sa.Connection) -> None:
    if "opened" not in connection.info:  # A database server.
        return
    path = database_path(connection.engine.url)
    wal = _with_suffix(path, "-wal")
    opened, opened_wal = connection.info["opened"]
    if (_file_id(path), _file_id(wal)) == (opened, opened_wal):
        return
    with database_file_lock(path):
        if _file_id(path) != opened and _file_id(wal) == opened_wal:
            quarantine(path, _WAL_SUFFIXES)  # SQLite would apply it to the new file.
    raise ReplacedError(
        f"Berkas log {path} dihapus atau diganti selagi dipakai. Ulangi, lalu periksa isinya; pulihkan "
        "dengan `judul govern restore` bila ada cadangan."
    )


def is_corruption_error(error: BaseException) -> bool:
    """Tell by the driver's error code whether SQLite found a file that is no valid database.

    Examples
    --------
    >>> is_corruption_error(ValueError("malformed"))
    False
    """
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in _CORRUPTION_CODES  # The upper bits give details.


def quarantine_broken(engine: sa.Engine) -> Path | None:
    """Quarantine the corrupt file of an engine; return its new path, or None if it was replaced.

    Raises
    ------
    LogError
        The folder cannot be written.
    """
    engine.dispose()
    path = database_path(engine.url)
    with database_file_lock(path):
        is_same_file = _file_id(path) == engine.get_execution_options()["opened"]
        return quarantine(path) if is_same_file else None


def quarantine(path: Path, suffixes: tuple[str, ...] = ("", *_WAL_SUFFIXES)) -> Path:
    """Rename a database file and its write-ahead log; return the new path."""
    target = path.with_name(f"{path.name}.rusak-{utc_now():{QUARANTINE_TIME_FORMAT}}")
    for suffix in suffixes:
        with suppress(FileNotFoundError):
            _with_suffix(path, suffix).rename(_with_suffix(target, suffix))
    return target


def truncate_wal(engine: sa.Engine) -> None:
    """Empty SQLite's write-ahead log, so that it keeps no deleted data."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _file_id(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, or None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
