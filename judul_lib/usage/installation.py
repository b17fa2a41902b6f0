"""The log of an installation: opened as its settings say, and written by what answers."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.errors import LogError, ModelError
from judul_lib.usage.log import AnsweredQuery, UsageLog, Warn

if TYPE_CHECKING:
    from judul_lib.checking.checker import Checker
    from judul_lib.checking.matches import Matches
    from judul_lib.core.config import Config

# Answers written down at once.
_BATCH = 1_000


class AnswerLogBuffer:
    """Many answers of one model, written down a thousand at a time.

    Parameters
    ----------
    log : UsageLog or None
        With None nothing is written.
    checker : Checker
    model : str
        Its name.
    """

    def __init__(self, log: UsageLog | None, checker: "Checker", model: str) -> None:
        self._log, self._checker, self._model = log, checker, model
        self._waiting: list[AnsweredQuery] = []
        self._last_answer_time = time.perf_counter()

    def add(self, title: str, matches: "Matches") -> None:
        """Take an answer; it took as long as has passed since the one before."""
        if self._log is None:
            return
        seconds = time.perf_counter() - self._last_answer_time
        unknown = {self._model: self._checker.unknown_share(title)}
        self._waiting.append(AnsweredQuery(title, {self._model: matches}, seconds, unknown))
        if len(self._waiting) >= _BATCH:
            self.close()
        self._last_answer_time = time.perf_counter()  # The log's own work is no answer's time.

    def close(self) -> None:
        """Write down what waits."""
        if self._log is not None:
            waiting, self._waiting = self._waiting, []
            self._log.log_predictions(waiting, "check_many")


def open_log(config: "Config", warn: Warn, *, user: str | None = None) -> UsageLog | None:
    """Return the log of an installation, or None where it is switched off.

    The name of a JupyterHub user, where there is one, is known to the log as a
    keyed hash; else each session is a user of its own, unless one is given.
    """
    if not config.log:
        return None
    return UsageLog(
        config.logs,
        log_text=config.log_text,
        user=user or os.environ.get("JUPYTERHUB_USER"),
        versions=model_versions(config.models),
        warn=warn,
    )


def has_log(folder: Path, url: str) -> bool:
    """Tell whether something was logged, or waits for its database: only a server may keep it elsewhere.

    Parameters
    ----------
    folder : path
        Of the log.
    url : str
        Of its database, as from `judul_lib.usage.database.database_url`.

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
    """Refuse a folder without a log: an empty one made there would look as if all were well.

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


def model_versions(models: Path) -> dict[str, str]:
    """Return for each model that is there when it was made and the beginning of its hash."""
    versions = {}
    with suppress(ModelError):
        for name, folder in find_models(models, warn=lambda sentence: None).items():
            with suppress(ModelError):
                versions[name] = version_of(read_metadata(folder))
    return versions
