"""Do many tasks: one after the other, in several processes, or on a Dask cluster."""

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
# Seconds to wait for a scheduler to answer, for a first worker, and between looks at what may be gone.
_CONNECT, _FIRST_WORKER, _POLL_SECONDS = 10, 30, 2
# How often in a row all that is left is handed out anew, after every worker that had it is gone.
_MAX_RETRIES = 3
# The second has a level of its own.
_LOGGERS = ("distributed", "distributed.client")
T = TypeVar("T")
_shared: list[Any] = []


def resolve_scheduler(scheduler: str | None = None) -> str | None:
    """Return the address given, or the one in ``JUDUL_SCHEDULER``, or None for this machine alone."""
    return scheduler or os.environ.get(SCHEDULER_VARIABLE) or None


def run_tasks(
    function: Callable[[Any, Any], T],
    tasks: Sequence[Any],
    shared: Any,
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[tuple[int, T]]:
    """Yield the place of each task and ``function(shared, task)``, in the order of completion.

    Parameters
    ----------
    function : callable
        A function of a module, so that other processes can find it.
    shared : object
        Sent to each process once.
    n_jobs : int
        Number of processes; with 1 everything happens in this one.
    scheduler : str
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``; its
        workers do the work instead, and take over from one that dies.

    Raises
    ------
    WorkerError
        A process died, the scheduler is not there or went away, or the extra
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
        yield from ((place, function(shared, task)) for place, task in enumerate(tasks))
    else:
        yield from _in_processes(function, tasks, shared, min(n_jobs, len(tasks)))


def _in_processes(
    function: Callable[[Any, Any], T], tasks: Sequence[Any], shared: Any, n_jobs: int
) -> Iterator[tuple[int, T]]:
    # A forked copy of a process with threads may wait for a lock for ever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        n_jobs, context, initializer=_initialize_worker, initargs=(os.getpid(), shared)
    ) as pool:
        try:
            places = {pool.submit(_call, function, task): place for place, task in enumerate(tasks)}
            for future in as_completed(places):
                yield places[future], future.result()
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
    """End too when the process that hands out the tasks was killed: nobody else would say that."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _call(function: Callable[[Any, Any], T], task: Any) -> T:
    return function(_shared[0], task)


@contextmanager
def dask_client(scheduler: str) -> "Iterator[Client]":
    """Connect to a Dask scheduler that has at least one worker, and the same version of this package.

    Raises
    ------
    WorkerError
        It is not there, has no workers or another version, went away while it
        was in use, or the extra ``dask`` is not installed.
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
    """Keep Dask from logging in forty lines what `_translated_dask_errors` says in one sentence."""
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
        lost = isinstance(error, CommClosedError | CancelledError | TimeoutError)
        if not lost and client.status == "running":
            raise  # By a task: a file, a disk.
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
        where = client.scheduler.address
        raise WorkerError(
            f"Penjadwal di {where} tidak punya pekerja. Jalankan `dask worker {where}`."
        ) from error


def _require_same_version(client: "Client") -> None:
    """Refuse what would fail later, or give other results: both sides exchange pickled objects."""
    try:
        there = client.run_on_scheduler(_own_version)
        answers = [there, *client.run(_own_version, on_error="return").values()]
    except ImportError as error:
        answers = [error]
    for answer in answers:
        # A worker that has just gone away answers with an OSError, and needs no version.
        if answer != __version__ and not isinstance(answer, OSError):
            raise WorkerError(
                f"Penjadwal dan semua pekerja harus memakai judul-lib {__version__} seperti di sini, "
                f"tetapi ada yang lain atau tidak memasangnya ({answer})."
            )


def _own_version() -> str:
    return __version__


def _on_cluster(
    client: "Client", function: Callable[[Any, Any], T], tasks: Sequence[Any], shared: Any
) -> Iterator[tuple[int, T]]:
    left, setbacks = dict(enumerate(tasks)), 0
    while left:
        try:
            for place, result in _submit_tasks(client, function, left, shared):
                del left[place]
                setbacks = 0
                yield place, result
        except CancelledError as error:
            # With the last worker that had what is shared, all tasks are lost, but not the scheduler.
            if client.status != "running":
                raise
            setbacks += 1
            if setbacks > _MAX_RETRIES:
                raise WorkerError(
                    "Semua pekerja mati berulang kali, mungkin karena kehabisan memori. Beri tiap "
                    "pekerja lebih banyak memori; yang sudah selesai dan disimpan tidak diulang."
                ) from error
            _require_worker(client)


def _submit_tasks(
    client: "Client", function: Callable[[Any, Any], T], tasks: dict[int, Any], shared: Any
) -> Iterator[tuple[int, T]]:
    from distributed import wait

    # Functions and arguments are told apart from those of an earlier run by the client itself.
    everywhere = client.scatter(shared, broadcast=True, hash=False)
    waiting = {
        client.submit(function, everywhere, task, pure=False): place for place, task in tasks.items()
    }
    while waiting:
        try:
            with client.as_current():
                done = wait(list(waiting), timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        if not done and client.status != "running":
            raise CancelledError(client.status)
        for future in done:
            yield waiting.pop(future), future.result()


def parallel_backend(scheduler: str | None) -> Any:
    """Return a context in which scikit-learn's searches use a cluster, or processes ended with ours."""
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
            # joblib meets a closed client with errors of many kinds.
            if client.status == "running":
                raise
            raise CancelledError(client.status) from error
