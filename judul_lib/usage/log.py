"""The log of answers and opinions."""

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
    has_spooled,
    locked_spool,
    quarantine_lines,
    spool_line,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from judul_lib.checking.matches import Matches


@dataclass(frozen=True)
class Feedback:
    """One answer of a user.

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
        Whether the user finds the verdict right, where that was asked.
    rating : int or None
        1 to 5, where that was asked.
    title, match : str
        The title asked and the one that decides; how much of them is kept is
        the log's to say.
    """

    model: str
    label: str
    probability: float
    threshold: float
    is_right: bool | None = None
    rating: int | None = None
    title: str = field(default="", repr=False)
    match: str = field(default="", repr=False)


# Seconds for which a database that failed is left alone.
_PAUSE = 5.0
Warn = Callable[[str], None]


class _RefusedRowsError(LogError):
    """The database works, and does not take these rows."""


@dataclass(frozen=True)
class AnsweredQuery:
    """One title and what the models said of it.

    Attributes
    ----------
    title : str
        As typed.
    matches : mapping of str to Matches
        By model, best first; the first model's lead.
    seconds : float
        How long all of them took.
    unknown : mapping of str to float
        Share of the title's words that each model has never seen.
    """

    title: str
    matches: Mapping[str, "Matches"]
    seconds: float
    unknown: Mapping[str, float] = field(default_factory=dict)


class UsageLog:
    """The log as it is written.

    Nothing here raises because of the database or the disk: `warn` is told.

    Parameters
    ----------
    folder : path
        Where ``judul.db``, the spool and the key are.
    url : str
        Of the database; as `judul_lib.usage.database.database_url` by default.
    log_text : bool
        Keep what was typed as text too.
    user : str
        Who asks: only a keyed hash of it is kept. Random by default, so that
        two sessions cannot be joined.
    versions : mapping of str to str
        Version of each model.
    warn : callable
        Takes a sentence.

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
    ) -> None:
        self._folder, self._url, self._log_text = folder, url, log_text
        self._name = secrets.token_hex(16) if user is None else user
        self._versions, self._warn = dict(versions or {}), warn
        self._engine: sa.Engine | None = None
        self._retry_at, self._lock = 0.0, threading.Lock()
        self._key: bytes | None = None

    @property
    def user(self) -> str:
        """The pseudonym under which this session is logged; 16 hexadecimal digits."""
        return self.hash(self._name)

    def hash(self, text: str) -> str:
        """Return a keyed hash of a text, 16 hexadecimal digits."""
        if self._key is None:
            try:
                self._key = log_key(self._folder)
            # What is written then cannot be joined with anything later.
            except OSError:
                self._key = secrets.token_bytes(32)
            except LogError as error:
                self._key = secrets.token_bytes(32)
                self._warn(str(error))
        return keyed_hash(self._key, text)

    def log_predictions(self, answered: Iterable[AnsweredQuery], source: str) -> None:
        """Write down answers.

        Parameters
        ----------
        answered : iterable of AnsweredQuery
        source : {"page", "check", "check_many"}
        """
        unit: TableRows = {"predictions": [], "scores": []}
        for one in answered:
            row, scores = self._prediction(one, source)
            unit["predictions"].append(row)
            unit["scores"] += scores
        if unit["predictions"]:
            self._write(unit)

    def log_feedback(self, given: "Feedback") -> bool:
        """Write down what a user says of a verdict; return whether that was possible."""
        row = {
            **self._stamp(), "model": given.model, "label": given.label,
            "probability": given.probability, "threshold": given.threshold,
            "is_right": given.is_right, "rating": given.rating,
            **self._text_columns("query", given.title), **self._text_columns("match", given.match),
        }  # fmt: skip
        return self._write({"feedback": [row]})

    def log_event(
        self, kind: str, *, model: str | None = None, detail: str = "", seconds: float | None = None
    ) -> None:
        """Write down that something happened.

        Parameters
        ----------
        kind : {"model_loaded", "model_failed", "download", "error"}
        detail : str
            The kind of error or file, never what a user typed.
        """
        row = {**self._stamp(), "kind": kind, "model": model, "detail": detail[:200], "seconds": seconds}
        self._write({"events": [row]})

    def flush_spool(self) -> int:
        """Take in what was spooled; return how many units.

        Raises
        ------
        LogError
            The database cannot be used; the spool is then as it was.
        """
        with locked_spool(self._folder) as (units, damaged, done):
            refused = [spool_line(unit) for unit in self._insert_or_split(units)]
            if damaged or refused:
                quarantine_lines(self._folder, [*damaged, *refused])
                self._warn(
                    f"{len(damaged) + len(refused)} baris yang menunggu tidak dapat dimasukkan ke log; "
                    f"baris itu disimpan di {self._folder / DAMAGED_FILE}."
                )
            done()
            return len(units) - len(refused)

    def _insert_or_split(self, units: Sequence[TableRows]) -> list[TableRows]:
        """Insert what the database takes; return what it refuses, which must not hold up the rest."""
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
        """Let go of the database."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _stamp(self) -> dict[str, Any]:
        from judul_lib.core.clock import utc_now

        return {"id": uuid4().hex, "time": utc_now(), "user": self.user, "simulated": False}

    def _text_columns(self, name: str, text: str | None) -> dict[str, Any]:
        if not text:
            return {f"{name}_hash": None, f"{name}_text": None}
        # PostgreSQL takes no zero, and no database half a letter: such a row would wait for ever.
        plain = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        return {f"{name}_hash": self.hash(text), f"{name}_text": plain if self._log_text else None}

    def _prediction(
        self, one: AnsweredQuery, source: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        stamp = self._stamp()
        answers = {name: matches.decision for name, matches in one.matches.items()}
        found = {name: matches for name, matches in answers.items() if len(matches)}
        tops = [float(matches.probability[0]) for matches in found.values()]
        title = " ".join(one.title.split())
        row = {
            **stamp, "source": source,
            **self._text_columns("query", title), "query_hash": self.hash(title),
            "query_length": len(title), "query_words": len(title.split()),
            "difference": tops[0] - tops[1] if tops[1:] else None,
            "seconds": one.seconds, "n_results": max(map(len, one.matches.values()), default=0),
        }  # fmt: skip
        scores = [
            {
                "prediction_id": stamp["id"], "model": name, "version": self._versions.get(name),
                "probability": float(matches.probability[0]) if name in found else None,
                **self._text_columns("match", matches.titles[0] if name in found else None),
                "unknown_share": one.unknown.get(name),
            }
            for name, matches in answers.items()
        ]  # fmt: skip
        return row, scores

    def _write(self, unit: TableRows) -> bool:
        with self._lock:
            sentence = ""
            if time.monotonic() >= self._retry_at:
                try:
                    self._insert([unit])
                    if has_spooled(self._folder):
                        self.flush_spool()
                    return True
                except LogError as error:
                    self._retry_at, sentence = time.monotonic() + _PAUSE, str(error)
                except OSError:  # Of the spool: what was to be written is written.
                    return True
            return self._spool(unit, sentence)

    def _spool(self, unit: TableRows, sentence: str) -> bool:
        try:
            append_to_spool(self._folder, unit)
        except OSError as error:
            self._warn(f"Catatan penggunaan tidak tersimpan ({error.strerror}); jawaban tetap benar.")
            return False
        if sentence:
            self._warn(f"{sentence} Catatan disimpan sementara dan dimasukkan kemudian.")
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
            # By SQLAlchemy, the driver or a column; the database itself works.
            is_value = isinstance(error, sa.exc.DataError | sa.exc.IntegrityError)
            if is_value or not isinstance(error, sa.exc.DBAPIError):
                raise _RefusedRowsError(str(database.database_error(error))) from error
            engine, self._engine = self._engine, None
            if not (may_reopen and sqlite.is_corruption_error(error)):
                engine.dispose()
                raise database.database_error(error) from error
            if aside := sqlite.quarantine_broken(engine):
                database.warn_of_quarantine(aside, self._warn)
            self._insert(units, may_reopen=False)


def insert_units(engine: "sa.Engine", units: Iterable[TableRows]) -> None:
    """Insert rows in one transaction; those that are there already are left alone.

    Parameters
    ----------
    units : iterable of mapping
        Name of a table to its rows.
    """
    from importlib import import_module

    from judul_lib.core.sqlite import begin_transaction
    from judul_lib.usage.database import USAGE_TABLES

    rows: TableRows = {}
    for unit in units:
        for name, new in unit.items():
            rows.setdefault(name, []).extend(new)
    insert = import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert
    with begin_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            # As SQLite here: an answer does not wait for the disk. Only a server that crashes within
            # the same second loses it; the audit trail does wait.
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
        for name, new in rows.items():
            if new:
                table = USAGE_TABLES[name]
                # Rows of other versions too: SQLAlchemy takes the columns of the first row for all.
                whole = [{column.name: row.get(column.name) for column in table.c} for row in new]
                connection.execute(insert(table).on_conflict_do_nothing(), whole)
