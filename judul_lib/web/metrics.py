"""What the page counts about itself, for Prometheus: requests, checks, restarts of workers."""

import ipaddress
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from judul_lib.web.protection import Message, Receive, Scope, Send

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

router = APIRouter()


class Metrics:
    """Counters of one process, kept in files of a folder, so that any process can add them up.

    Parameters
    ----------
    folder : path
        Private to this page, the same for all its processes.
    place : str
        Of this process; a successor in the same place goes on counting in the same files.
    """

    def __init__(self, folder: Path, place: str) -> None:
        # prometheus_client decides on its first import whether values are kept in files.
        os.environ[FOLDER_VARIABLE] = str(folder)
        from prometheus_client import CollectorRegistry, Counter, Histogram, values

        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: place)
        own = CollectorRegistry()
        self._folder = folder
        self._requests = Counter(
            "judul_requests",
            "Requests by route and status.",
            ["method", "route", "status"],
            registry=own,
        )  # fmt: skip
        self._seconds = Histogram(
            "judul_request_seconds", "Response time by route.", ["route"], buckets=_BUCKETS, registry=own
        )
        self._checks = Counter(
            "judul_checks", "Checked titles by verdict.", ["source", "verdict"], registry=own
        )
        self._restarts = Counter("judul_worker_restarts", "Replaced workers.", registry=own)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Parameters
        ----------
        route : str
            The pattern of the address, never the address itself.
        """
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_check(self, source: str, verdict: str) -> None:
        """Count a checked title."""
        self._checks.labels(source, verdict).inc()

    def count_restart(self) -> None:
        """Count a replaced worker."""
        self._restarts.inc()

    def text(self) -> bytes:
        """Return the sums over all processes in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self._sums())

    def checks_by_verdict(self) -> dict[str, int]:
        """Return how many titles got each verdict, summed over all processes."""
        counts: dict[str, int] = {}
        for family in self._sums().collect():
            for sample in family.samples if family.name == "judul_checks" else ():
                if sample.name == "judul_checks_total":
                    verdict = sample.labels["verdict"]
                    counts[verdict] = counts.get(verdict, 0) + int(sample.value)
        return counts

    def _sums(self) -> Any:
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))
        return registry


class Measured:
    """ASGI middleware: counts requests by route.

    Parameters
    ----------
    app : callable
    metrics : Metrics
    """

    def __init__(self, app: Callable[..., Awaitable[None]], metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, counted = time.perf_counter(), 500, False

        def count() -> None:
            nonlocal counted
            counted = True
            took = time.perf_counter() - start
            self._metrics.count_request(scope["method"], _route(scope), status, took)

        async def send_counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body", False):
                # Before the end is sent: whoever has the answer finds it counted, and what runs
                # afterwards, such as logging, is not part of the response time.
                count()
            await send(message)

        try:
            await self._app(scope, receive, send_counting)
        finally:
            if not counted:
                count()


@router.get("/metrics", include_in_schema=False)
def show_metrics(request: Request) -> Response:
    """Show the counters to this machine; for others, there is no such page."""
    metrics: Metrics | None = getattr(request.app.state, "metrics", None)
    if metrics is None or not is_from_this_machine(request.scope.get("peer", ""), request.headers):
        raise HTTPException(404)
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def is_from_this_machine(peer: str, headers: Any) -> bool:
    """Whether a request comes from this machine, and not through a proxy.

    Parameters
    ----------
    peer : str
        Address of the connection.
    headers : mapping
        Of the request, by name in lower case.

    Examples
    --------
    >>> is_from_this_machine("127.0.0.1", {}), is_from_this_machine("10.0.0.7", {})
    (True, False)
    >>> is_from_this_machine("127.0.0.1", {"x-forwarded-for": "10.0.0.7"})
    False
    """
    try:
        is_loopback = ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
    return is_loopback and not any(name in headers for name in _FORWARDING_HEADERS)


def _route(scope: Scope) -> str:
    """Return the pattern of the address that answered."""
    if (path := getattr(scope.get("route"), "path", None)) is not None:
        return str(path)
    return "/static" if scope["path"].startswith("/static/") else "other"
