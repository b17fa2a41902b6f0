"""The tables of the log, of decisions and of accounts in SQLite or PostgreSQL, created and migrated.

SQLite needs no set-up and suits one machine; PostgreSQL suits a server with
several users. Times are UTC. Titles are stored as keyed hashes.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.core.errors import LogError
from judul_lib.core.settings import DATABASE_FILE as DATABASE_FILE
from judul_lib.core.settings import DATABASE_VARIABLE as DATABASE_VARIABLE
from judul_lib.core.sqlite import QUARANTINE_TIME_FORMAT as QUARANTINE_TIME_FORMAT
from judul_lib.core.sqlite import (
    begin_transaction,
    database_file_lock,
    database_path,
    file_engine,
    is_corruption_error,
    quarantine,
)

SCHEMA_VERSION = 5
# Seconds to wait for another transaction, and for a connection to a server.
_LOCK_WAIT, _CONNECT_WAIT = 0.25, 3
COMMAND_LOCK_WAIT = 10.0
"""Seconds that a command waits for other writers; answers wait less."""

metadata = sa.MetaData()
schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, primary_key=True))


def _usage_table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """Return a table of user actions, real or simulated."""
    return sa.Table(
        name, metadata,
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("time", sa.DateTime, nullable=False, index=True),
        sa.Column("user", sa.String(16), index=True),
        *columns,
        sa.Column("simulated", sa.Boolean, nullable=False),
    )  # fmt: skip


predictions = _usage_table(
    "predictions",
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("query_hash", sa.String(16), nullable=False),
    sa.Column("query_length", sa.Integer, nullable=False),
    sa.Column("query_words", sa.Integer, nullable=False),
    sa.Column("query_text", sa.Text),
    sa.Column("difference", sa.Float),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("n_results", sa.Integer, nullable=False),
)
scores = sa.Table(
    "scores", metadata,
    sa.Column("prediction_id", sa.String(32), primary_key=True),
    sa.Column("model", sa.String(32), primary_key=True),
    sa.Column("version", sa.String(64)),
    sa.Column("probability", sa.Float),
    sa.Column("match_hash", sa.String(16)),
    sa.Column("match_text", sa.Text),
    sa.Column("unknown_share", sa.Float),
)  # fmt: skip
feedback = _usage_table(
    "feedback",
    sa.Column("model", sa.String(32), nullable=False),
    sa.Column("label", sa.String(16), nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("is_right", sa.Boolean),
    sa.Column("rating", sa.Integer),
    sa.Column("query_hash", sa.String(16)),
    sa.Column("match_hash", sa.String(16)),
    sa.Column("query_text", sa.Text),
    sa.Column("match_text", sa.Text),
)
events = _usage_table(
    "events",
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("model", sa.String(32)),
    sa.Column("detail", sa.String(200)),
    sa.Column("seconds", sa.Float),
)
decisions = sa.Table(
    "decisions", metadata,
    sa.Column("first_hash", sa.String(16), primary_key=True),
    sa.Column("second_hash", sa.String(16), primary_key=True),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("user", sa.String(16)),
    sa.Column("decided_by", sa.Text),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("consent", sa.Boolean, nullable=False),
    sa.Column("first_text", sa.Text),
    sa.Column("second_text", sa.Text),
)  # fmt: skip
users = sa.Table(
    "users", metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("session", sa.String(32), nullable=False),
    sa.Column("created", sa.DateTime, nullable=False),
    sa.Column("changed", sa.DateTime, nullable=False),
)  # fmt: skip
api_keys = sa.Table(
    "api_keys", metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.String(64), nullable=False),
    sa.Column("created", sa.DateTime, nullable=False),
    sa.Column("last_used", sa.DateTime),
    sa.Column("revoked", sa.DateTime),
)  # fmt: skip
login_failures = sa.Table(
    "login_failures", metadata,
    sa.Column("subject", sa.String(16), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("time", sa.DateTime, nullable=False),
)  # fmt: skip
audit = sa.Table(
    "audit", metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)  # fmt: skip
audit_head = sa.Table(
    "audit_head", metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("mac", sa.String(64), nullable=False),
)  # fmt: skip
USAGE_TABLES: Mapping[str, sa.Table] = {t.name: t for t in (predictions, scores, feedback, events)}
"""The tables of user actions, without decisions, accounts and the audit trail."""
LOG_TABLES: Mapping[str, sa.Table] = {
    **USAGE_TABLES, **{t.name: t for t in (decisions, users, api_keys, audit)},
}  # fmt: skip
"""The tables that are backed up, restored and set aside."""
FIRST_SCHEMAS: Mapping[str, int] = {decisions.name: 4, users.name: 5, api_keys.name: 5}
"""Versions of the schema from which on there are the tables that older logs lack."""


def database_url(folder: Path) -> str:
    """Return ``JUDUL_DATABASE_URL``, or the URL of ``judul.db`` in a folder.

    Examples
    --------
    >>> database_url(Path("/srv/logs"))
    'sqlite:////srv/logs/judul.db'
    """
    return os.environ.get(DATABASE_VARIABLE) or sqlite_url(folder)


def sqlite_url(folder: Path) -> str:
    """Return the URL of ``judul.db`` in a folder, whatever ``JUDUL_DATABASE_URL`` says."""
    path = str(folder.resolve() / DATABASE_FILE)
    return sa.URL.create("sqlite", database=path).render_as_string()


def open_database(
    url: str, *, warn: Callable[[str], None] = lambda text: None, lock_wait: float = _LOCK_WAIT
) -> sa.Engine:
    """Connect to the log, and create or migrate its tables.

    Parameters
    ----------
    url : str
        Such as ``sqlite:///judul.db`` or ``postgresql://host/judul``.
    warn : callable
        Called with a sentence when a corrupt file was renamed and replaced by a new one.
    lock_wait : float
        Seconds to wait for another writer.

    Raises
    ------
    LogError
        The database cannot be reached or written, or a newer version of the
        package created it.
    """
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number.
        raise LogError(
            f"{DATABASE_VARIABLE} bukan alamat basis data. Contoh: postgresql://server/judul."
        ) from error
    if address.drivername in ("postgresql", "postgres"):
        address = address.set(drivername="postgresql+psycopg")
    is_file = address.drivername == "sqlite" and address.database not in (None, "", ":memory:")
    if not is_file and address.drivername != "postgresql+psycopg":
        raise LogError(
            f"{DATABASE_VARIABLE} menyebut {address.drivername}; log disimpan di PostgreSQL "
            "(postgresql://…) atau di berkas SQLite (sqlite:///…/judul.db)."
        )
    if is_file:
        return _open_file(address, warn, lock_wait)
    waits = {"connect_timeout": _CONNECT_WAIT, "options": "-c lock_timeout=2000 -c timezone=UTC"}
    try:
        engine = sa.create_engine(address, connect_args=waits, pool_pre_ping=True)
    except ImportError as error:
        raise LogError(
            "Untuk PostgreSQL, pasang ekstra postgres: pip install 'judul-lib[postgres]'."
        ) from error
    return _migrated(engine)


def _open_file(address: sa.URL, warn: Callable[[str], None], lock_wait: float) -> sa.Engine:
    path = database_path(address)
    with database_file_lock(path):
        try:
            return _migrated(file_engine(address, lock_wait))
        except LogError as error:
            if error.__cause__ is None or not is_corruption_error(error.__cause__):
                raise
            warn_of_quarantine(quarantine(path), warn)
            return _migrated(file_engine(address, lock_wait))


def warn_of_quarantine(path: Path, warn: Callable[[str], None]) -> None:
    """Warn that a corrupt file was renamed."""
    warn(
        f"Basis data log rusak. Berkas itu disimpan sebagai {path.name} dan yang baru dimulai; "
        "pulihkan isinya dengan `judul govern restore` bila ada cadangan."
    )


@contextmanager
def opened_database(
    url: str, *, warn: Callable[[str], None] = lambda text: None, lock_wait: float = _LOCK_WAIT
) -> Iterator[sa.Engine]:
    """Open the log as `open_database` does, and close it at the end of the block."""
    engine = open_database(url, warn=warn, lock_wait=lock_wait)
    try:
        yield engine
    finally:
        engine.dispose()


def _migrated(engine: sa.Engine) -> sa.Engine:
    try:
        _migrate(engine)
    except sa.exc.DatabaseError as error:
        engine.dispose()
        raise database_error(error) from error
    return engine


def _migrate(engine: sa.Engine) -> None:
    with engine.execution_options(reads_only=True).connect() as connection:
        stored = _stored_version(connection)
    if stored == SCHEMA_VERSION:
        return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7483)"))
        stored = _stored_version(connection)  # Another process may have been faster.
        if stored is not None and stored > SCHEMA_VERSION:
            raise LogError(
                f"Basis data log dibuat oleh versi yang lebih baru (skema {stored}; versi ini mengenal "
                f"{SCHEMA_VERSION}). Perbarui judul-lib, atau pilih basis data lain."
            )
        if stored is None:
            metadata.create_all(connection)
            connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
            return
        for version in range(stored, SCHEMA_VERSION):
            for statement in MIGRATIONS[version]:
                connection.execute(sa.text(statement))
        connection.execute(schema_version.update().values(version=SCHEMA_VERSION))


MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE scores ADD COLUMN unknown_share FLOAT",
        "ALTER TABLE scores ADD COLUMN version VARCHAR(64)",
    ),
    2: (
        "CREATE TABLE IF NOT EXISTS audit_head (seq INTEGER NOT NULL PRIMARY KEY, "
        "hash VARCHAR(64) NOT NULL, mac VARCHAR(64) NOT NULL)",
    ),
    3: (
        "CREATE TABLE IF NOT EXISTS decisions (first_hash VARCHAR(16) NOT NULL, "
        'second_hash VARCHAR(16) NOT NULL, time TIMESTAMP NOT NULL, "user" VARCHAR(16), '
        "decided_by TEXT, decision VARCHAR(16) NOT NULL, reason TEXT NOT NULL, "
        "consent BOOLEAN NOT NULL, first_text TEXT, second_text TEXT, "
        "PRIMARY KEY (first_hash, second_hash))",
    ),
    4: (
        "CREATE TABLE IF NOT EXISTS users (name VARCHAR(40) NOT NULL PRIMARY KEY, "
        "role VARCHAR(16) NOT NULL, password_hash TEXT NOT NULL, session VARCHAR(32) NOT NULL, "
        "created TIMESTAMP NOT NULL, changed TIMESTAMP NOT NULL)",
        "CREATE TABLE IF NOT EXISTS api_keys (name VARCHAR(40) NOT NULL PRIMARY KEY, "
        "prefix VARCHAR(16) NOT NULL, key_hash VARCHAR(64) NOT NULL UNIQUE, "
        "scopes VARCHAR(64) NOT NULL, created TIMESTAMP NOT NULL, last_used TIMESTAMP, "
        "revoked TIMESTAMP)",
        "CREATE TABLE IF NOT EXISTS login_failures (subject VARCHAR(16) NOT NULL PRIMARY KEY, "
        "failures INTEGER NOT NULL, time TIMESTAMP NOT NULL)",
    ),
}
"""Statements that migrate from each version of the schema to the next."""


def _stored_version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema_version.name):
        return None
    return connection.execute(sa.select(schema_version.c.version)).scalar()


def database_error(error: Exception) -> LogError:
    """Return the error of a database that cannot be used, without its URL or password."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    return LogError(
        f"Basis data log tidak dapat dipakai ({reason[0] if reason else type(error).__name__}). Periksa "
        f"folder log, ruang disk, atau {DATABASE_VARIABLE}."
    )


@contextmanager
def transaction(engine: sa.Engine, **options: Any) -> Iterator[sa.Connection]:
    """Run a block in a transaction, which is rolled back if the block raises.

    Parameters
    ----------
    engine : Engine
    **options
        Execution options; with ``reads_only=True`` it does not wait for writers.

    Raises
    ------
    LogError
        The database cannot be used; nothing is written.
    """
    try:
        with begin_transaction(engine.execution_options(**options)) as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        raise database_error(error) from error


def storable_text(text: str) -> str:
    r"""Return a text on one line, without what PostgreSQL cannot store: NUL and lone surrogates.

    Examples
    --------
    >>> storable_text(" sudah\ndibahas\0")
    'sudah dibahas'
    """
    return " ".join(text.replace("\0", " ").encode("utf-8", "replace").decode().split())


def read_table(
    engine: sa.Engine, table: sa.Table, *conditions: sa.ColumnElement[bool]
) -> list[dict[str, Any]]:
    """Return rows of a table as dictionaries, ordered by time; `LogError` as in `transaction`."""
    query = sa.select(table).where(*conditions)
    if "time" in table.c:
        query = query.order_by(table.c.time, *table.primary_key.columns)
    with transaction(engine, reads_only=True) as connection:
        return list(iter_row_dicts(connection, query))


def iter_row_dicts(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query as dictionaries.

    Raises
    ------
    LogError
        SQLite holds a value of another type than the column's, written by another program.
    """
    try:
        for row in connection.execute(query).mappings():
            if bytes in map(type, row.values()):
                raise TypeError("bytes")
            yield dict(row)
    except (ValueError, TypeError) as error:
        raise LogError(
            f"Basis data log memuat nilai yang tidak ditulis oleh judul-lib ({error}). Periksa dengan "
            "`judul govern verify`, dan pulihkan dari cadangan: `judul govern restore`."
        ) from error
