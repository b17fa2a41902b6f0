"""Serve the page: load everything once, fork workers that share it, and supervise them."""

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import uvicorn

from judul_lib.checking.loading import find_models
from judul_lib.core.config import Config
from judul_lib.core.errors import ServeError
from judul_lib.core.texts import page_text
from judul_lib.search.archives import read_archive
from judul_lib.usage.infrastructure import recorded_page
from judul_lib.web import metrics as page_metrics
from judul_lib.web.app import create_app
from judul_lib.web.connections import TimedProtocol
from judul_lib.web.file_checks import job_work
from judul_lib.web.job_runner import RunningJobs
from judul_lib.web.metrics import Measured, Metrics
from judul_lib.web.service import Service
from judul_lib.web.supervisor import Supervisor
from judul_lib.web.users import StoredUsers, has_stored_users, shared_throttle

MAX_OWN_BYTES = 400_000_000
"""A worker with more memory of its own, not shared with the others, is replaced."""
_MAX_CONNECTIONS = 4_000  # Of a worker; connections that send nothing count, too.
_BACKLOG, _MAX_HEADER_BYTES = 2_048, 32_768
_KEEP_ALIVE_SECONDS, _ENDING_SECONDS = 15, 4
_SECONDS_BETWEEN_MEASUREMENTS = 10.0


class _SharedSocket(socket.socket):
    """A listening socket whose queue stays long.

    asyncio accepts as many connections at once as its ``backlog``. With 1, a burst is spread over the
    workers; the queue in the kernel must not shrink with it.
    """

    def listen(self, backlog: int = _BACKLOG, /) -> None:
        """Listen with a long queue, whatever is asked for."""
        super().listen(_BACKLOG)


def check_config(config: Config) -> None:
    """Refuse a configuration that cannot be served, before anything starts.

    Parameters
    ----------
    config : Config

    Raises
    ------
    ServeError
        The page would be open to other computers without protection, or the port is in use.
    ModelError, CorpusError, IndexFileError
        There is no model, or an archive of the configuration is unusable.
    """
    if not (config.is_local or config.token or config.sso_header or has_stored_users(config)):
        raise ServeError(page_text("serve_unprotected", host=config.host))
    find_models(config.models, warn=lambda sentence: None)  # The page shows these warnings.
    for path in config.corpora.values():
        read_archive(path, config)
    _bind(config).close()


def serve(
    config: Config,
    *,
    on_start: Callable[[], None] = lambda: None,
) -> None:
    """Serve the page until the process is stopped by SIGTERM or SIGINT.

    Parameters
    ----------
    config : Config
    on_start : callable
        Called after all checks, just before the page answers.

    Raises
    ------
    ServeError
        See `check_config`.
    """
    check_config(config)
    _raise_file_limit()
    service, key = Service(config), secrets.token_bytes(32)
    service.log_loading()
    _load_archives(service)
    with tempfile.TemporaryDirectory(prefix="judul-") as folder, _bind(config) as listening:
        listening.listen()
        on_start()
        work = partial(_work, service, listening, Path(folder), key)
        if not hasattr(os, "fork"):
            work(0, -1)
            return
        # Before any thread starts: the process of the jobs is forked, too.
        with RunningJobs(job_work(service)) as jobs, _recorded(config):
            service.jobs = jobs.store
            counted = Metrics(Path(folder), "supervisor")
            Supervisor(
                config.workers, work, prepare=partial(_load_archives, service),
                on_restart=counted.count_restart, on_tick=jobs.ensure,
            ).run()  # fmt: skip


def _recorded(config: Config) -> AbstractContextManager[None]:
    return recorded_page(config.logs) if config.log else nullcontext()


def _bind(config: Config) -> _SharedSocket:
    """Return a socket bound to the address of the page, not yet listening."""
    bound = None
    try:
        infos = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = min(infos, key=lambda info: info[0] != socket.AF_INET)
        bound = _SharedSocket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        if bound is not None:
            bound.close()
        other, reason = config.port % 65_535 + 1, error.strerror or str(error)
        raise ServeError(
            page_text("port_unusable", host=config.host, port=config.port, reason=reason, other=other)
        ) from error
    return bound


def _raise_file_limit() -> None:
    """Allow as many open connections as the system lets this process have."""
    try:
        import resource
    except ImportError:  # Windows.
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _load_archives(service: Service) -> None:
    """Open the archives, those that have changed anew, so that forked workers share them."""
    service.archives.open_all()  # What cannot be used is told to whoever chooses it.
    gc.collect()
    gc.freeze()  # The collector would write into the shared memory of all that is loaded.


def _work(
    service: Service,
    listening: socket.socket,
    folder: Path,
    key: bytes,
    place: int,
    parent_pipe: int,
) -> None:
    """Serve as one worker until it is told to end."""
    service.start_worker()
    try:
        app = create_app(
            service,
            accounts=StoredUsers(service),
            throttle=shared_throttle(service),
            session_key=key,
        )
        metrics = Metrics(folder, f"worker{place}")
        app.state.metrics = service.metrics = metrics
        app.include_router(page_metrics.router)
        app.add_middleware(Measured, metrics=metrics)
        server = uvicorn.Server(_server_config(app))
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # Its warnings are about requests.
        asyncio.run(_serve_until_end(server, listening, parent_pipe))
    finally:
        service.close()


def _server_config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app, http=TimedProtocol, ws="none", loop="asyncio", lifespan="off", log_config=None,
        access_log=False, server_header=False, proxy_headers=False,  # `create_app` knows the proxies.
        backlog=1, limit_concurrency=_MAX_CONNECTIONS, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_ENDING_SECONDS, h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
    )  # fmt: skip


async def _serve_until_end(server: uvicorn.Server, listening: socket.socket, parent_pipe: int) -> None:
    def end() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    if parent_pipe >= 0:
        loop.add_reader(parent_pipe, end)  # Readable once the supervisor has gone.
    watching = asyncio.create_task(_watch_memory(end))
    # uvicorn raises the signal again when it has ended; this process still has to close its log.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    await server.serve(sockets=[listening])
    watching.cancel()
    if parent_pipe >= 0:
        loop.remove_reader(parent_pipe)


async def _watch_memory(end: Callable[[], None]) -> None:
    """End this worker when its own memory is over the limit; its requests end first."""
    process = psutil.Process()
    while True:
        await asyncio.sleep(_SECONDS_BETWEEN_MEASUREMENTS)
        with suppress(psutil.Error):
            if process.memory_full_info().uss > MAX_OWN_BYTES:
                end()
                return
