"""A copy of an installation to try things on: nothing that is done to it reaches the real one."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from judul_lib.core.config import Config
from judul_lib.core.errors import LogError
from judul_lib.governance.backup import FOLDERS, LOG_FILES, TABLES
from judul_lib.governance.compliance import newest_backup
from judul_lib.usage.database import (
    DATABASE_FILE,
    DATABASE_VARIABLE,
    audit_head,
    database_error,
    opened_database,
    read_table,
    sqlite_url,
)


def trial_installation(outputs: Path, folder: Path, logs: Path | None = None) -> Config:
    """Copy the models, and a log with the newest backup beside it if one is named, into a folder.

    Parameters
    ----------
    outputs : path
        Folder of the model folders.
    folder : path
        Where the copy is made.
    logs : path
        Folder of the log, which is only read; with ``JUDUL_DATABASE_URL`` its
        tables come from there. Without a folder the copy has no log yet.

    Returns
    -------
    Config
        Of the copy.

    Raises
    ------
    LogError
        There is no such log, or it cannot be read.
    """
    for name in FOLDERS:
        if (outputs / name).is_dir():
            shutil.copytree(outputs / name, folder / name)
    config = Config(models=folder)
    config.logs.mkdir(parents=True)
    if logs is not None:
        for file in LOG_FILES:
            if (logs / file).is_file():
                shutil.copy2(logs / file, config.logs / file)
        if (newest := newest_backup(logs.parent / config.backups.name)) is not None:
            config.backups.mkdir()
            shutil.copy2(newest, config.backups / newest.name)
        if url := os.environ.get(DATABASE_VARIABLE):
            _copy_tables(url, sqlite_url(config.logs))
        else:
            _copy_file(logs / DATABASE_FILE, config.logs / DATABASE_FILE)
    return config


def _copy_file(path: Path, target: Path) -> None:
    if not path.is_file():
        raise LogError(f"Tidak ada log di {path.parent}. Beri folder yang berisi {DATABASE_FILE}.")
    try:
        with (
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.DatabaseError as error:
        raise database_error(error) from error


def _copy_tables(source_url: str, target_url: str) -> None:
    with opened_database(source_url) as source, opened_database(target_url) as copy:
        for table in (*TABLES, audit_head):
            if rows := read_table(source, table):
                with copy.begin() as connection:
                    connection.execute(table.insert(), rows)
