"""Connections of visitors: those that do not send their request in time are closed."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 15.0
"""Time for the headers of a request, and after that for each `MIN_BODY_BYTES` of its body."""
MIN_BODY_BYTES = 15_000
_RECEIVED = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR, h11.SWITCHED_PROTOCOL)


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with a deadline for each request.

    uvicorn waits without end for a request that has begun, and for the first byte of a connection.
    """

    _deadline: asyncio.TimerHandle | None = None
    _n_received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        self._n_received += len(data)
        super().data_received(data)
        if self.conn.their_state in _RECEIVED:
            self._clear_deadline()
        elif self._deadline is None:
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._clear_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn closes a connection that stays idle."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self._deadline is None and self.conn.trailing_data[0]:
            self._set_deadline()

    def _set_deadline(self) -> None:
        self._n_received = 0
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._on_deadline)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        flow: Any = self.flow
        is_uploading = self.conn.their_state is h11.SEND_BODY
        if is_uploading and (flow.read_paused or self._n_received >= MIN_BODY_BYTES):
            self._set_deadline()
        elif self.conn.their_state not in _RECEIVED:
            self.transport.abort()
