"""The log of an installation, opened as `judul.toml` and the environment say."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.errors import LogError, ModelError
from judul_lib.core.pseudonyms import has_key
from judul_lib.core.settings import DATABASE_FILE, DATABASE_VARIABLE
from judul_lib.usage.log import AnsweredQuery, UsageLog, Warn

if TYPE_CHECKING:
    from judul_lib.checking.checker import Checker
    from judul_lib.checking.matches import Matches
    from judul_lib.core.config import Config

_BATCH_SIZE = 1_000


class AnswerLogBuffer:
    """Logs the answers of one model in batches; with None for the log, it does nothing."""

    def __init__(self, log: UsageLog | None, checker: "Checker", model: str, *, user: str = "") -> None:
        self._log, self._checker, self._model, self._user = log, checker, model, user
        self._waiting: list[AnsweredQuery] = []
        self._last_answer_time = time.perf_counter()

    def add(self, title: str, matches: "Matches") -> None:
        """Add an answer; its duration is the time since the previous one."""
        if self._log is None:
            return
        seconds = time.perf_counter() - self._last_answer_time
        unknown = {self._model: self._checker.unknown_share(title)}
        self._waiting.append(AnsweredQuery(title, {self._model: matches}, seconds, unknown, self._user))
        if len(self._waiting) >= _BATCH_SIZE:
            self.close()
        self._last_answer_time = time.perf_counter()  # Logging does not count.

    def close(self) -> None:
        """Log the answers that are left."""
        if self._log is not None:
            waiting, self._waiting = self._waiting, []
            self._log.log_predictions(waiting, "check_many")


def open_log(config: "Config", warn: Warn, *, user: str | None = None) -> UsageLog | None:
    """Return the log of an installation, or None where it is switched off.

    Without a user, that of JupyterHub is taken, or a random one for this session.
    """
    if not config.log:
        return None
    return UsageLog(
        config.logs,
        log_text=config.log_text,
        user=user or os.environ.get("JUPYTERHUB_USER"),
        versions=model_versions(config.models),
        warn=warn,
        app_log=config.app_log,
    )


def has_log(folder: Path, url: str) -> bool:
    """Return whether a folder holds a log, or its database is elsewhere.

    Examples
    --------
    >>> from judul_lib.usage.database import sqlite_url
    >>> has_log(Path("docs"), sqlite_url(Path("docs"))), has_log(Path("docs"), "postgresql://server/judul")
    (False, True)
    """
    from judul_lib.usage.database import DATABASE_FILE, sqlite_url
    from judul_lib.usage.spool import SPOOL_FILE

    return url != sqlite_url(folder) or any(
        (folder / name).is_file() for name in (DATABASE_FILE, SPOOL_FILE)
    )


def require_log(folder: Path, url: str) -> None:
    """Refuse a folder without a log: a new, empty one would look as if all were well.

    Raises
    ------
    LogError
        There is none.
    """
    if not has_log(folder, url):
        raise LogError(
            f"Belum ada log di {folder}. Periksa foldernya, atau catat dulu satu pemeriksaan dengan "
            "`judul check` atau `judul app`."
        )


def may_have_decisions(folder: Path) -> bool:
    """Return whether decisions may be stored, without creating anything or importing SQLAlchemy.

    Parameters
    ----------
    folder : path
        Folder of the log.

    Examples
    --------
    >>> may_have_decisions(Path("docs"))
    False
    """
    url = os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{folder.resolve() / DATABASE_FILE}"
    if not has_key(folder) or not url.startswith("sqlite:///"):
        return has_key(folder)
    file = Path(url.removeprefix("sqlite:///")).absolute()
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM decisions LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        # A missing file or table has no decisions; other errors are reported when it is opened.
        return error.sqlite_errorcode not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_ERROR)


def model_versions(models: Path) -> dict[str, str]:
    """Return the version of each model: when it was made, and the start of its hash."""
    versions = {}
    with suppress(ModelError):
        for name, folder in find_models(models, warn=lambda sentence: None).items():
            with suppress(ModelError):
                versions[name] = version_of(read_metadata(folder))
    return versions
