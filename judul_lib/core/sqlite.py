"""The SQLite file of the log: made, watched while it is open, set aside where broken.

Whoever opens the file or sets it aside keeps the others out meanwhile, so that
nobody takes a new file, or what SQLite writes beside it, for the broken one.
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
"""How the time stands in the name of what was set aside."""
_WAL_SUFFIXES = ("-wal", "-shm")
_CORRUPTION_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class ReplacedError(LogError):
    """The file was removed or replaced while it was open: what is written to it is nowhere."""


def database_path(address: sa.URL) -> Path:
    """Return the path of a database file, wherever the process goes meanwhile."""
    return Path(str(address.database)).absolute()


@contextmanager
def database_file_lock(path: Path) -> Iterator[None]:
    """Let no other process open a file, or set it aside, within a block.

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
    """Return an engine of a file, which is made if it is not there; only within `database_file_lock`.

    Raises
    ------
    LogError
        The file cannot be made.
    """
    path = database_path(address)
    try:
        if not path.exists():
            quarantine(path)  # SQLite would take what a file from before left for this one's.
            # For its owner only; SQLite gives what it writes beside it the same rights. A file that is
            # there is not opened: closing it would drop the locks of other engines of this process.
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))
        opened = _identity(path)
    except OSError as error:
        raise LogError(f"Folder log {path.parent} tidak dapat dibuat. Periksa hak aksesnya.") from error

    def connect() -> sqlite3.Connection:
        # A file that is gone is not made anew: it would have no tables, and others' rights.
        where = f"{path.as_uri()}?mode=rw"
        return sqlite3.connect(where, uri=True, timeout=lock_wait, check_same_thread=False)

    engine = sa.create_engine(address, creator=connect, execution_options={"opened": opened})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        # Transactions begin where SQLAlchemy says so, not where Python's sqlite3 guesses.
        connection.isolation_level = None
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.execute("SELECT 1 FROM sqlite_master").fetchall()  # Makes the write-ahead log.
        record.info["opened"] = (opened, _identity(_beside(path, "-wal")))

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A reader that becomes a writer later could find the file locked halfway.
        only_reads = connection.get_execution_options().get("reads_only")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def begin_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a transaction of the log, whose file is in place when it begins and when it has ended.

    Raises
    ------
    ReplacedError
        It is not; what was written has to be written again.
    """
    with engine.connect() as connection:
        with connection.begin():
            _require_in_place(connection)
            yield connection
        _require_in_place(connection)


def _require_in_place(connection: sa.Connection) -> None:
    if "opened" not in connection.info:  # A server.
        return
    path = database_path(connection.engine.url)
    wal = _beside(path, "-wal")
    opened, opened_wal = connection.info["opened"]
    if (_identity(path), _identity(wal)) == (opened, opened_wal):
        return
    with database_file_lock(path):
        if _identity(path) != opened and _identity(wal) == opened_wal:
            quarantine(path, _WAL_SUFFIXES)  # It would be taken for that of the file that is there now.
    raise ReplacedError(
        f"Berkas log {path} dihapus atau diganti selagi dipakai. Ulangi, lalu periksa isinya; pulihkan "
        "dengan `judul govern restore` bila ada cadangan."
    )


def is_corruption_error(error: BaseException) -> bool:
    """Tell whether SQLite found that a file is not, or no longer, a database.

    The driver's code says so: a message, or what was to be written, may have any words.

    Examples
    --------
    >>> is_corruption_error(ValueError("malformed"))
    False
    """
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in _CORRUPTION_CODES  # The rest of the code tells where.


def quarantine_broken(engine: sa.Engine) -> Path | None:
    """Set aside the file of an engine that found it broken, unless another process has done so.

    Returns
    -------
    path or None
        Where it is now.

    Raises
    ------
    LogError
        The folder cannot be written.
    """
    engine.dispose()
    path = database_path(engine.url)
    with database_file_lock(path):
        is_there = _identity(path) == engine.get_execution_options()["opened"]
        return quarantine(path) if is_there else None


def quarantine(path: Path, suffixes: tuple[str, ...] = ("", *_WAL_SUFFIXES)) -> Path:
    """Rename a database file, and what belongs to it, so that nothing of it is lost."""
    aside = path.with_name(f"{path.name}.rusak-{utc_now():{QUARANTINE_TIME_FORMAT}}")
    for suffix in suffixes:
        with suppress(FileNotFoundError):
            _beside(path, suffix).rename(_beside(aside, suffix))
    return aside


def truncate_wal(engine: sa.Engine) -> None:
    """Let nothing deleted stay in SQLite's write-ahead log, where no reader needs it."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells one file from another of the same name, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
