"""The log of answers and feedback."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.usage.spool import (
    DAMAGED_FILE,
    TableRows,
    append_to_spool,
    encode_unit,
    has_spooled,
    locked_spool,
    quarantine_lines,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from judul_lib.checking.matches import Matches
    from judul_lib.usage.app_log import AppLog


@dataclass(frozen=True)
class Feedback:
    """A user's opinion of one verdict.

    Attributes
    ----------
    model : str
        Name of the model whose verdict was shown.
    label : str
        The verdict.
    probability : float
        Of the closest title.
    threshold : float
    is_right : bool or None
        Whether the user finds the verdict right; None where it was not asked.
    rating : int or None
        1 to 5; None where it was not asked.
    title, match : str
        The title checked and the match that decided. The log stores a hash of
        each, and the text only with ``log_text``.
    user : str
        Name of the user, where the log serves several.
    """

    model: str
    label: str
    probability: float
    threshold: float
    is_right: bool | None = None
    rating: int | None = None
    title: str = field(default="", repr=False)
    match: str = field(default="", repr=False)
    user: str = field(default="", repr=False)


# Seconds before a database that failed is tried again.
_PAUSE = 5.0
Warn = Callable[[str], None]


class _RefusedRowsError(LogError):
    """The database works but rejects these rows."""


@dataclass(frozen=True)
class AnsweredQuery:
    """One title and the answers of the models.

    Attributes
    ----------
    title : str
        As typed.
    matches : mapping of str to Matches
        By model, best match first; the first model is the leading one.
    seconds : float
        Time that all models took together.
    unknown : mapping of str to float
        By model, the share of the title's words that it has never seen.
    user : str
        Name of the user, where the log serves several.
    """

    title: str
    matches: Mapping[str, "Matches"]
    seconds: float
    unknown: Mapping[str, float] = field(default_factory=dict)
    user: str = field(default="", repr=False)


class UsageLog:
    """Writer of the log.

    Logging does not raise when the database or the disk fails: rows wait in
    the spool, and `warn` is called.

    Parameters
    ----------
    folder : path
        Folder of ``judul.db``, the spool and the key.
    url : str
        Of the database; as `judul_lib.usage.database.database_url` by default.
    log_text : bool
        Store titles as text, too.
    user : str
        Name of the user, of which only a keyed hash is stored. Random by
        default, so that sessions cannot be linked.
    versions : mapping of str to str
        Version of each model.
    warn : callable
        Called with a sentence.
    app_log : bool
        Write a line to ``app.log`` too; see `judul_lib.usage.app_log`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     log = UsageLog(Path(folder), user="siti")
    ...     "siti" in log.user, len(log.user)
    (False, 16)
    """

    def __init__(
        self,
        folder: Path,
        *,
        url: str | None = None,
        log_text: bool = False,
        user: str | None = None,
        versions: Mapping[str, str] | None = None,
        warn: Warn = lambda sentence: None,
        app_log: bool = False,
    ) -> None:
        self._folder, self._url, self._log_text = folder, url, log_text
        self._name = secrets.token_hex(16) if user is None else user
        self._versions, self._warn = dict(versions or {}), warn
        self._engine: sa.Engine | None = None
        self._retry_at, self._lock = 0.0, threading.Lock()
        self._key: bytes | None = None
        self._app_log: AppLog | None = None
        if app_log:
            from judul_lib.usage import app_log as text_log

            self._app_log = text_log.AppLog(folder)

    @property
    def user(self) -> str:
        """The pseudonym under which this session is logged; 16 hexadecimal digits."""
        return self.hash(self._name)

    def hash(self, text: str) -> str:
        """Return a keyed hash of a text, 16 hexadecimal digits."""
        if self._key is None:
            try:
                self._key = log_key(self._folder)
            except (OSError, LogError) as error:
                self._key = secrets.token_bytes(32)  # Rows of this session cannot be linked later.
                if isinstance(error, LogError):
                    self._warn(str(error))
        return keyed_hash(self._key, text)

    def log_predictions(self, queries: Iterable[AnsweredQuery], source: str) -> None:
        """Log answers.

        Parameters
        ----------
        queries : iterable of AnsweredQuery
        source : {"page", "api", "check", "check_many"}
        """
        unit: TableRows = {"predictions": [], "scores": []}
        queries = list(queries)
        for query in queries:
            row, scores = self._prediction(query, source)
            unit["predictions"].append(row)
            unit["scores"] += scores
        if unit["predictions"]:
            self._write(unit)
        if self._app_log is not None and queries:
            self._app_log.answers((source, query.matches, query.seconds) for query in queries)

    def log_feedback(self, feedback: Feedback) -> bool:
        """Log a user's opinion of a verdict; return whether that succeeded."""
        row = {
            **self._stamp(feedback.user), "model": feedback.model, "label": feedback.label,
            "probability": feedback.probability, "threshold": feedback.threshold,
            "is_right": feedback.is_right, "rating": feedback.rating,
            **self._text_columns("query", feedback.title),
            **self._text_columns("match", feedback.match),
        }  # fmt: skip
        return self._write({"feedback": [row]})

    def log_event(
        self,
        kind: str,
        *,
        model: str | None = None,
        detail: str = "",
        seconds: float | None = None,
        user: str = "",
    ) -> None:
        """Log an event.

        Parameters
        ----------
        kind : {"model_loaded", "model_failed", "download", "error", "refused", "archive_changed"}
        detail : str
            The kind of error or file, or the archive; never a title.
        user : str
            Name of the user, where the log serves several.
        """
        facts = {"kind": kind, "model": model, "detail": detail[:200], "seconds": seconds}
        self._write({"events": [{**self._stamp(user), **facts}]})
        if self._app_log is not None:
            self._app_log.event(kind, model=model, detail=detail, seconds=seconds)

    def flush_spool(self) -> int:
        """Insert the spooled units; return how many were inserted.

        Raises
        ------
        LogError
            The database cannot be used; the spool is unchanged.
        """
        with locked_spool(self._folder) as (units, damaged, clear):
            refused = [encode_unit(unit) for unit in self._insert_or_split(units)]
            if damaged or refused:
                quarantine_lines(self._folder, [*damaged, *refused])
                self._warn(
                    f"{len(damaged) + len(refused)} baris yang menunggu tidak dapat dimasukkan ke log; "
                    f"baris itu disimpan di {self._folder / DAMAGED_FILE}."
                )
            clear()
            return len(units) - len(refused)

    def _insert_or_split(self, units: Sequence[TableRows]) -> list[TableRows]:
        """Insert the units that the database accepts; return those that it rejects."""
        try:
            if units:
                self._insert(units)
            return []
        except _RefusedRowsError:
            if len(units) == 1:
                return list(units)
            half = len(units) // 2
            return self._insert_or_split(units[:half]) + self._insert_or_split(units[half:])

    def close(self) -> None:
        """Close the database."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _stamp(self, user: str = "") -> dict[str, Any]:
        from judul_lib.core.clock import utc_now

        pseudonym = self.hash(user) if user else self.user
        return {"id": uuid4().hex, "time": utc_now(), "user": pseudonym, "simulated": False}

    def _text_columns(self, name: str, text: str | None) -> dict[str, Any]:
        if not text:
            return {f"{name}_hash": None, f"{name}_text": None}
        # Neither NUL (PostgreSQL) nor lone surrogates can be stored.
        plain = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        return {f"{name}_hash": self.hash(text), f"{name}_text": plain if self._log_text else None}

    def _prediction(
        self, query: AnsweredQuery, source: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        stamp = self._stamp(query.user)
        answers = {name: matches.decision for name, matches in query.matches.items()}
        non_empty = {name: matches for name, matches in answers.items() if len(matches)}
        tops = {name: float(matches.probability[0]) for name, matches in non_empty.items()}
        title = " ".join(query.title.split())
        row = {
            **stamp, "source": source,
            **self._text_columns("query", title), "query_hash": self.hash(title),
            "query_length": len(title), "query_words": len(title.split()),
            "difference": _difference(tops),
            "seconds": query.seconds, "n_results": max(map(len, query.matches.values()), default=0),
        }  # fmt: skip
        scores = [
            {
                "prediction_id": stamp["id"], "model": name, "version": self._versions.get(name),
                "probability": tops.get(name),
                **self._text_columns("match", matches.titles[0] if name in non_empty else None),
                "unknown_share": query.unknown.get(name),
            }
            for name, matches in answers.items()
        ]  # fmt: skip
        return row, scores

    def _write(self, unit: TableRows) -> bool:
        with self._lock:
            problem = ""
            if time.monotonic() >= self._retry_at:
                try:
                    self._insert([unit])
                    if has_spooled(self._folder):
                        self.flush_spool()
                    return True
                except LogError as error:
                    self._retry_at, problem = time.monotonic() + _PAUSE, str(error)
                except OSError:  # From flushing the spool; this unit is inserted.
                    return True
            return self._spool(unit, problem)

    def _spool(self, unit: TableRows, problem: str) -> bool:
        try:
            append_to_spool(self._folder, unit)
        except OSError as error:
            self._warn(f"Catatan penggunaan tidak tersimpan ({error.strerror}); jawaban tetap benar.")
            return False
        if problem:
            self._warn(f"{problem} Catatan disimpan sementara dan dimasukkan kemudian.")
        return True

    def _insert(self, units: Sequence[TableRows], *, may_reopen: bool = True) -> None:
        import sqlalchemy as sa

        from judul_lib.core import sqlite
        from judul_lib.usage import database

        url = self._url or database.database_url(self._folder)
        if self._engine is None:
            self._engine = database.open_database(url, warn=self._warn)
        try:
            insert_units(self._engine, units)
        except sqlite.ReplacedError:
            self.close()
            if not may_reopen:
                raise
            self._warn(
                f"Berkas log di {self._folder} dihapus atau diganti selagi dipakai. Catatan berikutnya "
                "masuk ke berkas yang ada di sana; pulihkan yang lama dari cadangan bila ada."
            )
            self._insert(units, may_reopen=False)
        except (sa.exc.StatementError, ValueError, OverflowError) as error:
            # Raised by SQLAlchemy, the driver or a column type: the database itself works.
            is_value_error = isinstance(error, sa.exc.DataError | sa.exc.IntegrityError)
            if is_value_error or not isinstance(error, sa.exc.DBAPIError):
                raise _RefusedRowsError(str(database.database_error(error))) from error
            engine, self._engine = self._engine, None
            if not (may_reopen and sqlite.is_corruption_error(error)):
                engine.dispose()
                raise database.database_error(error) from error
            if aside := sqlite.quarantine_broken(engine):
                database.warn_of_quarantine(aside, self._warn)
            self._insert(units, may_reopen=False)


def _difference(tops: Mapping[str, float]) -> float | None:
    """Return the study's measure, the difference of its two models; None where one did not answer."""
    return abs(tops["full"] - tops["light"]) if {"full", "light"} <= tops.keys() else None


def insert_units(engine: "sa.Engine", units: Iterable[TableRows]) -> None:
    """Insert units in one transaction; rows whose key exists already are skipped."""
    from importlib import import_module

    from judul_lib.core.sqlite import begin_transaction
    from judul_lib.usage.database import USAGE_TABLES

    rows: TableRows = {}
    for unit in units:
        for name, table_rows in unit.items():
            rows.setdefault(name, []).extend(table_rows)
    insert = import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert
    with begin_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            # As with SQLite here, an answer does not wait for the disk; it is lost only if the server
            # crashes within the same second. The audit trail does wait.
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
        for name, table_rows in rows.items():
            if table_rows:
                table = USAGE_TABLES[name]
                # SQLAlchemy inserts the columns of the first row; rows of older versions have fewer.
                complete = [
                    {column.name: row.get(column.name) for column in table.c} for row in table_rows
                ]
                connection.execute(insert(table).on_conflict_do_nothing(), complete)
