"""Run many tasks: one after the other, in several processes, or on a Dask cluster."""

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from judul_lib import __version__
from judul_lib.core.errors import WorkerError

if TYPE_CHECKING:
    from distributed import Client

SCHEDULER_VARIABLE = "JUDUL_SCHEDULER"
# Timeouts in seconds for the scheduler and the first worker; interval of checks for lost processes.
_CONNECT, _FIRST_WORKER, _POLL_SECONDS = 10, 30, 2
# Consecutive submissions of the remaining tasks after all workers were lost.
_MAX_RETRIES = 3
_LOGGERS = ("distributed", "distributed.client")  # The second has its own level.
T = TypeVar("T")
_shared: list[Any] = []


def resolve_scheduler(scheduler: str | None = None) -> str | None:
    """Return the given address, else that in ``JUDUL_SCHEDULER``, else None for this machine."""
    return scheduler or os.environ.get(SCHEDULER_VARIABLE) or None


def run_tasks(
    function: Callable[[Any, Any], T],
    tasks: Sequence[Any],
    shared: Any,
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[tuple[int, T]]:
    """Yield the position of each task and ``function(shared, task)``, in the order of completion.

    Parameters
    ----------
    function : callable
        A module-level function, so that other processes can import it.
    shared : object
        Sent to each process once.
    n_jobs : int
        Number of processes; 1 for this process only.
    scheduler : str
        Address of a Dask scheduler whose workers run the tasks instead, such as
        ``tcp://10.0.0.1:8786``; tasks of a worker that dies are repeated.

    Raises
    ------
    WorkerError
        A process died, the scheduler is unreachable or was lost, or the extra
        ``dask`` is not installed.

    Examples
    --------
    >>> sorted(run_tasks(pow, [1, 2, 3], 2))
    [(0, 2), (1, 4), (2, 8)]
    """
    if scheduler is not None:
        with dask_client(scheduler) as client:
            yield from _on_cluster(client, function, tasks, shared)
    elif n_jobs == 1 or len(tasks) < 2:
        yield from ((position, function(shared, task)) for position, task in enumerate(tasks))
    else:
        yield from _in_processes(function, tasks, shared, min(n_jobs, len(tasks)))


def _in_processes(
    function: Callable[[Any, Any], T], tasks: Sequence[Any], shared: Any, n_jobs: int
) -> Iterator[tuple[int, T]]:
    # A forked copy of a process with threads may deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        n_jobs, context, initializer=_initialize_worker, initargs=(os.getpid(), shared)
    ) as pool:
        try:
            positions = {pool.submit(_call, function, task): at for at, task in enumerate(tasks)}
            for future in as_completed(positions):
                yield positions[future], future.result()
        except BrokenProcessPool as error:
            raise WorkerError(
                "Sebuah proses pekerja berhenti tiba-tiba, mungkin karena kehabisan memori. "
                "Jalankan lagi dengan lebih sedikit proses; yang sudah disimpan tidak diulang."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _initialize_worker(parent: int, shared: Any) -> None:
    _shared[:] = [shared]
    _exit_with_parent(parent)


def _exit_with_parent(parent: int) -> None:
    """End this worker process when its parent was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _call(function: Callable[[Any, Any], T], task: Any) -> T:
    return function(_shared[0], task)


@contextmanager
def dask_client(scheduler: str) -> "Iterator[Client]":
    """Connect to a Dask scheduler that has at least one worker and the same version of this package.

    Raises
    ------
    WorkerError
        It is unreachable, has no workers or another version, was lost while in
        use, or the extra ``dask`` is not installed.
    """
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise WorkerError(
            "Untuk memakai klaster, pasang ekstra dask: pip install 'judul-lib[dask]'."
        ) from error
    context = Security().get_connection_args("client").get("ssl_context")
    if scheduler.startswith("tls:") and context is None:
        raise WorkerError(
            f"Alamat {scheduler} memerlukan sertifikat TLS. Tulis letaknya di pengaturan Dask: "
            "distributed.comm.tls.ca-file, client.cert dan client.key; lihat docs/cluster.md."
        )
    with _silenced_dask_logging():
        try:
            client = Client(scheduler, timeout=_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"Tidak ada penjadwal Dask yang menjawab di {scheduler}. Jalankan `dask scheduler`, "
                "lalu periksa alamatnya; tanpa --scheduler pekerjaan dilakukan di mesin ini."
            ) from error
        with client, _translated_dask_errors(client):
            _require_worker(client)
            _require_same_version(client)
            yield client


@contextmanager
def _silenced_dask_logging() -> Iterator[None]:
    """Silence Dask's long log of errors that `_translated_dask_errors` reports in one sentence."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _translated_dask_errors(client: "Client") -> Iterator[None]:
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise WorkerError(
            "Satu tugas mematikan beberapa pekerja berturut-turut, mungkin karena kehabisan memori. "
            "Beri tiap pekerja lebih banyak memori; yang sudah selesai dan disimpan tidak diulang."
        ) from error
    except (OSError, CancelledError) as error:
        is_lost = isinstance(error, CommClosedError | CancelledError | TimeoutError)
        if not is_lost and client.status == "running":
            raise  # An OSError of a task.
        raise WorkerError(
            "Hubungan dengan penjadwal Dask terputus. Jalankan lagi penjadwalnya, lalu ulangi perintah "
            "yang sama; yang sudah selesai dan disimpan tidak diulang."
        ) from error


def _require_worker(client: "Client") -> None:
    try:
        client.wait_for_workers(1, timeout=_FIRST_WORKER)
    except TimeoutError as error:
        if client.status != "running":
            raise
        assert client.scheduler is not None
        address = client.scheduler.address
        raise WorkerError(
            f"Penjadwal di {address} tidak punya pekerja. Jalankan `dask worker {address}`."
        ) from error


def _require_same_version(client: "Client") -> None:
    """Refuse another version, which could fail or give other results: both exchange pickled objects."""
    try:
        versions = [client.run_on_scheduler(_own_version)]
        versions += client.run(_own_version, on_error="return").values()
    except ImportError as error:
        versions = [error]
    for version in versions:
        # A worker that has just been lost answers with an OSError.
        if version != __version__ and not isinstance(version, OSError):
            raise WorkerError(
                f"Penjadwal dan semua pekerja harus memakai judul-lib {__version__} seperti di sini, "
                f"tetapi ada yang lain atau tidak memasangnya ({version})."
            )


def _own_version() -> str:  # Other versions must find it by this name.
    return __version__


def _on_cluster(
    client: "Client", function: Callable[[Any, Any], T], tasks: Sequence[Any], shared: Any
) -> Iterator[tuple[int, T]]:
    remaining, n_retries = dict(enumerate(tasks)), 0
    while remaining:
        try:
            for position, result in _submit_tasks(client, function, remaining, shared):
                del remaining[position]
                n_retries = 0
                yield position, result
        except CancelledError as error:
            # If all workers that held the shared object died, the tasks are lost, but not the scheduler.
            if client.status != "running":
                raise
            n_retries += 1
            if n_retries > _MAX_RETRIES:
                raise WorkerError(
                    "Semua pekerja mati berulang kali, mungkin karena kehabisan memori. Beri tiap "
                    "pekerja lebih banyak memori; yang sudah selesai dan disimpan tidak diulang."
                ) from error
            _require_worker(client)


def _submit_tasks(
    client: "Client", function: Callable[[Any, Any], T], tasks: dict[int, Any], shared: Any
) -> Iterator[tuple[int, T]]:
    from distributed import wait

    # Without hash and pure, the client does not reuse results of an earlier run.
    scattered = client.scatter(shared, broadcast=True, hash=False)
    pending = {client.submit(function, scattered, task, pure=False): at for at, task in tasks.items()}
    while pending:
        try:
            with client.as_current():
                done = wait(list(pending), timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        if not done and client.status != "running":
            raise CancelledError(client.status)
        for future in done:
            yield pending.pop(future), future.result()


def parallel_backend(scheduler: str | None) -> Any:
    """Return a context in which scikit-learn uses a cluster, or processes that end with this one."""
    if scheduler is not None:
        return _joblib_on(scheduler)
    import joblib

    return joblib.parallel_config(backend="loky", initializer=_exit_with_parent, initargs=(os.getpid(),))


@contextmanager
def _joblib_on(scheduler: str) -> Iterator[None]:
    import joblib

    with dask_client(scheduler) as client, client.as_current(), joblib.parallel_config(backend="dask"):
        try:
            yield
        except Exception as error:
            # With a closed client joblib raises errors of many types.
            if client.status == "running":
                raise
            raise CancelledError(client.status) from error
