"""The current time in UTC, which can be frozen to simulate usage."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_clock: ContextVar[datetime | None] = ContextVar("clock", default=None)


def utc_now() -> datetime:
    """Return the time in UTC without a time zone, as the log's tables store it."""
    return _clock.get() or datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def frozen_clock(moment: datetime) -> Iterator[None]:
    """Let `utc_now` return `moment` within a block.

    Examples
    --------
    >>> with frozen_clock(datetime(2026, 6, 30)):
    ...     utc_now()
    datetime.datetime(2026, 6, 30, 0, 0)
    """
    token = _clock.set(moment)
    try:
        yield
    finally:
        _clock.reset(token)
