"""Answers on their way to the log: visitors do not wait for its database."""

import queue
import sys
import threading
import time
from typing import Protocol

from judul_lib.core.texts import page_text
from judul_lib.usage.log import AnsweredQuery

MAX_WAITING = 10_000
"""Answers that wait while the database does not answer; later ones are not logged."""
# Answers are written together, at most this many, at the latest after so many seconds.
_BATCH, _SECONDS = 500, 0.5
_CLOSING_SECONDS = 5.0


class AnswerLog(Protocol):
    """A log that takes many answers at once; see `judul_lib.usage.log.UsageLog`."""

    def log_predictions(self, queries: list[AnsweredQuery], source: str) -> None:
        """Log answers."""


class AnswerQueue:
    """Writes answers to the log in one background thread, in batches.

    A process that is killed loses the answers of the last half second.

    Parameters
    ----------
    log : AnswerLog

    Examples
    --------
    >>> class Lines:
    ...     def log_predictions(self, queries, source):
    ...         print(source, [query.title for query in queries])
    >>> answers = AnswerQueue(Lines())
    >>> answers.put(AnsweredQuery("Deteksi Hoaks Politik", {}, 0.01), "page")
    True
    >>> answers.close()
    page ['Deteksi Hoaks Politik']
    """

    def __init__(self, log: AnswerLog) -> None:
        self._log = log
        self._waiting: queue.Queue[tuple[AnsweredQuery, str] | None] = queue.Queue(MAX_WAITING)
        self._is_closed = False
        self._thread = threading.Thread(target=self._write_all, name="answers", daemon=True)
        self._thread.start()

    def put(self, query: AnsweredQuery, source: str) -> bool:
        """Let an answer be logged; return at once whether there was room for it.

        Parameters
        ----------
        query : AnsweredQuery
        source : {"page", "api"}
        """
        if self._is_closed:
            return False
        try:
            self._waiting.put_nowait((query, source))
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Write what waits, for at most a few seconds, and end the thread."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._waiting.put(None, timeout=_CLOSING_SECONDS)
        except queue.Full:
            return
        self._thread.join(_CLOSING_SECONDS)

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            for source in dict.fromkeys(source for _, source in batch):
                self._write([query for query, own in batch if own == source], source)

    def _next_batch(self) -> tuple[list[tuple[AnsweredQuery, str]], bool]:
        """Wait for an answer and collect those that follow soon; return them, and whether more come."""
        first = self._waiting.get()
        if first is None:
            return [], False
        batch, deadline = [first], time.monotonic() + _SECONDS
        while len(batch) < _BATCH:
            try:
                following = self._waiting.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if following is None:
                return batch, False
            batch.append(following)
        return batch, True

    def _write(self, queries: list[AnsweredQuery], source: str) -> None:
        try:
            self._log.log_predictions(queries, source)
        except Exception as error:  # One bad answer must not end the thread.
            # Only the kind of error: its text may hold a title.
            print(page_text("answers_not_logged", kind=type(error).__name__), file=sys.stderr)
