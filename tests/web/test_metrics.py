"""Counting requests: each once, and before the client has the whole answer."""

import anyio
import pytest

from judul_lib.web.metrics import Measured

SCOPE = {"type": "http", "method": "GET", "path": "/periksa"}
START = {"type": "http.response.start", "status": 200, "headers": []}


class Counted(list):
    """Stands in for the counters; keeps the status of each request counted."""

    def count_request(self, method, route, status, seconds):
        self.append(status)


def request(app, counted):
    """Run one request; return how many were counted when each message left."""
    at_message = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        at_message.append(len(counted))

    anyio.run(Measured(app, counted), SCOPE, receive, send)
    return at_message


def test_a_request_is_counted_before_the_end_of_its_answer_is_sent():
    async def app(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await send({"type": "http.response.body", "body": b"2"})

    counted = Counted()
    assert request(app, counted) == [0, 0, 1]
    assert counted == [200]


def test_a_request_that_breaks_is_counted_once():
    async def before_the_answer(scope, receive, send):
        raise ValueError

    async def within_the_answer(scope, receive, send):
        await send(START)
        raise ValueError

    for app, status in ((before_the_answer, 500), (within_the_answer, 200)):
        counted = Counted()
        with pytest.raises(ValueError):
            request(app, counted)
        assert counted == [status]
