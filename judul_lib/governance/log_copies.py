"""Copies of the log that were set aside when it was corrupt or replaced, and when that was."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from judul_lib.core.errors import LogError
from judul_lib.usage.database import (
    DATABASE_FILE,
    FIRST_SCHEMAS,
    LOG_TABLES,
    QUARANTINE_TIME_FORMAT,
    transaction,
)
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE

_STAMP = r"(?P<stamp>\d{8}_\d{6}_\d{6})"
_SCHEMA_NAME = re.compile(rf"judul_lama_{_STAMP}")
_FILE_NAME = re.compile(rf"(?P<original>.+)\.(?:lama|rusak)-{_STAMP}(?:-wal|-shm)?")
_DEPENDENT_OBJECTS_EXIST = "2BP01"  # Error code of PostgreSQL.


def log_copies(engine: sa.Engine, folder: Path) -> Mapping[str, datetime]:
    """Find the copies of a log: files beside it, or schemas on its server.

    Returns
    -------
    mapping of str to datetime
        Path of each file, or name of each schema, and when it was set aside (UTC).

    Raises
    ------
    LogError
        The database cannot be used.
    """
    # The folder may hold copies of a file from before the log moved to a server.
    copies = _file_copies(folder.resolve(), (DATABASE_FILE, SPOOL_FILE, DAMAGED_FILE))
    if engine.dialect.name == "sqlite":
        database = Path(str(engine.url.database)).resolve()
        copies |= _file_copies(database.parent, (database.name,))
    else:
        with transaction(engine, reads_only=True) as connection:
            copies |= _schema_copies(sa.inspect(connection))
    return dict(sorted(copies.items()))


def delete_schemas(connection: sa.Connection, names: Iterable[str]) -> None:
    """Drop those of some copies that are schemas, within a transaction.

    Raises
    ------
    LogError
        Something depends on one of them; nothing is dropped.
    """
    for name in names:
        if not Path(name).is_absolute():
            try:
                for table in LOG_TABLES:
                    connection.execute(sa.text(f"DROP TABLE IF EXISTS {name}.{table}"))
                connection.execute(sa.schema.DropSchema(name))
            except sa.exc.DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") != _DEPENDENT_OBJECTS_EXIST:
                    raise
                raise LogError(
                    f"Salinan log {name} tidak dihapus, karena ada yang bergantung padanya. Pindahkan "
                    "dahulu, lalu ulangi."
                ) from error


def delete_files(names: Iterable[str]) -> None:
    """Delete those of some copies that are files; `OSError` without permission."""
    for name in names:
        if Path(name).is_absolute():
            Path(name).unlink(missing_ok=True)


def _file_copies(folder: Path, originals: Iterable[str]) -> dict[str, datetime]:
    copies = {}
    for path in folder.glob("*"):
        match = _FILE_NAME.fullmatch(path.name)
        if match and match["original"] in originals:
            copies[str(path)] = datetime.strptime(match["stamp"], QUARANTINE_TIME_FORMAT)
    return copies


def _schema_copies(schemas: sa.Inspector) -> dict[str, datetime]:
    copies = {}
    for name in schemas.get_schema_names():
        match = _SCHEMA_NAME.fullmatch(name)
        if match and _has_only_our_tables(schemas, name):
            copies[name] = datetime.strptime(match["stamp"], QUARANTINE_TIME_FORMAT)
    return copies


def _has_only_our_tables(schemas: sa.Inspector, schema: str) -> bool:
    """Return whether a schema is as a restore creates it: our tables and columns, nothing else."""
    tables = set(schemas.get_table_names(schema))
    return (
        tables | set(FIRST_SCHEMAS) == set(LOG_TABLES)  # Older versions had fewer.
        and not schemas.get_view_names(schema)
        and not schemas.get_materialized_view_names(schema)
        and all(
            {column["name"] for column in schemas.get_columns(name, schema)} <= set(table.c.keys())
            for name, table in LOG_TABLES.items()
            if name in tables
        )
    )
