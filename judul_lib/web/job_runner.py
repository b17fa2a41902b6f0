"""The process that runs jobs: it shares the models, and forks a process of low priority for each job."""

import logging
import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from judul_lib.core.errors import JudulError
from judul_lib.core.texts import page_text
from judul_lib.web.jobs import DIED, Job, JobStore, State, Work

MAX_RUNNING = 2
"""Jobs that run at the same time."""
_STEP_SECONDS, _CLEANING_SECONDS = 0.05, 30.0
_LOGGER = logging.getLogger(__name__)


class JobRunner:
    """Runs the jobs of a folder, the oldest first, each in a forked process.

    Keep it in a process of its own that has a single thread: a lock that another thread holds at
    the moment of a fork would stay locked in the new process.

    Parameters
    ----------
    store : JobStore
    work : callable
        Called with the store and a job in the new process; a `JudulError` is shown to the visitor.
    """

    def __init__(self, store: JobStore, work: Work) -> None:
        self._store, self._work = store, work
        self._running: dict[str, int] = {}
        self._cleaned = 0.0

    def run(self) -> None:
        """Run jobs until the folder is gone, the parent process has died, or forever."""
        parent = os.getppid()
        lock = self._store.runner_lock()
        lock.acquire(timeout=10)
        try:
            self._give_up_unfinished()
            while self._store.folder.is_dir() and os.getppid() == parent:
                self.step()
                time.sleep(_STEP_SECONDS)
        finally:
            for pid in self._running.values():
                _kill(pid)
            lock.release()

    def step(self) -> None:
        """See which processes have ended or are to be stopped, and start the next jobs."""
        for job_id, pid in list(self._running.items()):
            if self._store.is_stopped(job_id):
                _kill(pid)
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._running[job_id]
                job = self._store.read(job_id)
                if job is not None and job.state == "berjalan":
                    self._store.report(job_id, state="gagal", message=DIED)
        if time.monotonic() - self._cleaned > _CLEANING_SECONDS:
            self._cleaned = time.monotonic()
            self._store.remove_old()
        if len(self._running) < MAX_RUNNING:
            waiting = [job for job in self._store.all() if job.state == "menunggu"]
            # One whose question was answered at once may still have its old process.
            waiting = [job for job in waiting if job.id not in self._running]
            for job in waiting[: MAX_RUNNING - len(self._running)]:
                self._start(job)

    def _start(self, job: Job) -> None:
        self._store.report(job.id, state="berjalan")
        runner = os.getpid()
        if pid := os.fork():
            self._running[job.id] = pid
            return
        try:
            self._do(job, runner)
        finally:
            os._exit(0)  # Nothing of the runner may be cleaned up here.

    def _do(self, job: Job, runner: int) -> None:
        """Do a job in its own process."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(10)
        try:
            self._work(_WatchedStore(self._store.folder, runner), job)
        except JudulError as error:
            self._store.report(job.id, state="gagal", message=str(error))
        except Exception:
            _LOGGER.exception("job failed")
            self._store.report(job.id, state="gagal", message=page_text("failed"))

    def _give_up_unfinished(self) -> None:
        """Mark the jobs of a runner that has died."""
        for job in self._store.all():
            if job.state == "berjalan":
                self._store.report(job.id, state="gagal", message=DIED)


class _WatchedStore(JobStore):
    """The store as a job sees it, which ends when the runner is no longer there to stop it."""

    def __init__(self, folder: Path, runner: int) -> None:
        self.folder, self._runner = folder, runner

    def report(self, job_id: str, *, state: State, **values: Any) -> None:
        if os.getppid() != self._runner:
            os._exit(1)
        super().report(job_id, state=state, **values)


class RunningJobs:
    """The store of jobs and its runner; as a context, from the start of a server to its end.

    Enter it before any thread is started and before workers are forked.

    Parameters
    ----------
    work : callable
        See `JobRunner`.

    Attributes
    ----------
    store : JobStore
        In a private temporary folder.
    process : Process
        The runner.
    """

    store: JobStore
    process: BaseProcess

    def __init__(self, work: Work) -> None:
        self._work = work

    def __enter__(self) -> "RunningJobs":
        self.store = JobStore(Path(tempfile.mkdtemp(prefix="judul-")))
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        self.process.join(5)
        shutil.rmtree(self.store.folder, ignore_errors=True)

    def ensure(self) -> None:
        """Start the runner again if it has died."""
        if not self.process.is_alive():
            self._start()

    def _start(self) -> None:
        arguments = (self.store, self._work)
        self.process = get_context("fork").Process(
            target=_run, args=arguments, name="judul-jobs", daemon=True
        )
        self.process.start()


def _run(store: JobStore, work: Work) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    JobRunner(store, work).run()


def _exit(number: int, frame: object) -> None:
    raise SystemExit(0)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
