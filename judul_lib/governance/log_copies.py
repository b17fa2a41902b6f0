"""Copies of the log that were set aside when it was broken or replaced: who has them, and since when."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from judul_lib.core.errors import LogError
from judul_lib.usage.database import (
    DATABASE_FILE,
    QUARANTINE_TIME_FORMAT,
    USAGE_TABLES,
    audit,
    transaction,
)
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE

_STAMP = r"(?P<stamp>\d{8}_\d{6}_\d{6})"
_STAMPED = re.compile(rf"(?P<of>.+)[._](?:lama|rusak)[-_]{_STAMP}(?:-wal|-shm)?")
_DEPENDED_ON = "2BP01"  # PostgreSQL's code.
_TABLES: Mapping[str, sa.Table] = {**USAGE_TABLES, audit.name: audit}


def log_copies(engine: sa.Engine, folder: Path) -> Mapping[str, datetime]:
    """Find the copies of what users did, beside the log or as schemas of its server.

    Parameters
    ----------
    engine : Engine
        The log.
    folder : path
        Of the log.

    Returns
    -------
    mapping of str to datetime
        Path of each file, or name of each schema, and when it was set aside (UTC).

    Raises
    ------
    LogError
        The database cannot be used.
    """
    if engine.dialect.name == "sqlite":
        database = Path(str(engine.url.database)).resolve()
        found = [(str(path), path.name) for path in _files(database.parent, (database.name,))]
    else:
        with transaction(engine, reads_only=True) as connection:
            schemas = sa.inspect(connection)
            found = [(name, name) for name in schemas.get_schema_names() if _is_ours(schemas, name)]
    # A folder may hold copies of a file from before the log moved to a server.
    names = (DATABASE_FILE, SPOOL_FILE, DAMAGED_FILE)
    found += [(str(path), path.name) for path in _files(folder.resolve(), names)]
    return {where: _time(name) for where, name in sorted(found) if _STAMPED.fullmatch(name)}


def delete_schemas(connection: sa.Connection, names: Iterable[str]) -> None:
    """Delete those of some copies that are schemas, within a transaction; nothing goes with them.

    Raises
    ------
    LogError
        Something has been made since that hangs on one of them; nothing is deleted then.
    """
    for name in names:
        if not Path(name).is_absolute():
            try:
                for table in _TABLES:
                    connection.execute(sa.text(f"DROP TABLE {name}.{table}"))
                connection.execute(sa.schema.DropSchema(name))
            except sa.exc.DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") != _DEPENDED_ON:
                    raise
                raise LogError(
                    f"Salinan log {name} tidak dihapus, karena ada yang bergantung padanya. Pindahkan "
                    "dahulu, lalu ulangi."
                ) from error


def delete_files(names: Iterable[str]) -> None:
    """Delete those of some copies that are files.

    Raises
    ------
    OSError
        No permission.
    """
    for name in names:
        if Path(name).is_absolute():
            Path(name).unlink(missing_ok=True)


def _files(folder: Path, names: Iterable[str]) -> Iterable[Path]:
    for path in folder.glob("*") if folder.is_dir() else ():
        stamped = _STAMPED.fullmatch(path.name)
        if stamped and stamped["of"] in names:
            yield path


def _is_ours(schemas: sa.Inspector, name: str) -> bool:
    """Tell whether a schema is as a restore makes it: our tables with our columns, and nothing else."""
    return (
        re.fullmatch(rf"judul_lama_{_STAMP}", name) is not None
        and set(schemas.get_table_names(name)) == set(_TABLES)
        and not schemas.get_view_names(name)
        and not schemas.get_materialized_view_names(name)
        and all(
            {column["name"] for column in schemas.get_columns(table, name)} <= set(known.c.keys())
            for table, known in _TABLES.items()
        )
    )


def _time(name: str) -> datetime:
    stamped = _STAMPED.fullmatch(name)
    assert stamped is not None
    return datetime.strptime(stamped["stamp"], QUARANTINE_TIME_FORMAT)
