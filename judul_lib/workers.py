"""Do many tasks: one after the other, in several processes, or on a Dask cluster."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_shared: list[Any] = []


def run_tasks(
    function: Callable[[Any, Any], T],
    tasks: Sequence[Any],
    shared: Any,
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[T]:
    """Yield ``function(shared, task)`` for every task, in their order.

    Parameters
    ----------
    function : callable
        A function of a module, so that other processes can find it.
    shared : object
        Sent to each process once.
    n_jobs : int
        Number of processes; with 1 everything happens in this one.
    """
    if n_jobs == 1 or len(tasks) < 2:
        yield from (function(shared, task) for task in tasks)
        return
    # A forked copy of a process with threads may wait for a lock for ever.
    context = multiprocessing.get_context("spawn")
    workers = min(n_jobs, len(tasks))
    with ProcessPoolExecutor(workers, context, initializer=_keep, initargs=(shared,)) as pool:
        yield from pool.map(_call, [function] * len(tasks), tasks)


def _keep(shared: Any) -> None:
    _shared[:] = [shared]


def _call(function: Callable[[Any, Any], T], task: Any) -> T:
    return function(_shared[0], task)
