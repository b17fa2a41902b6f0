"""Worker processes: forked from one that has loaded everything, and replaced when they end."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from judul_lib.core.formatting import format_number
from judul_lib.core.texts import page_text

GRACE_SECONDS = 8.0
"""Time that workers have to end before they are killed; longer than they wait for their requests."""
# A worker that ends sooner than this failed; its successor waits, twice as long each time.
_SHORT_LIFE, _LONGEST_WAIT = 5.0, 30.0
_TICK = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class _Slot:
    """The place of a worker, and who holds it."""

    number: int
    pid: int = 0
    started: float = 0.0
    start_at: float = 0.0
    n_failures: int = 0


class Supervisor:
    """Keeps a number of forked workers running until it is told to stop.

    Parameters
    ----------
    n_workers : int
    work : callable
        Runs in each worker with the number of its place and a file descriptor that becomes readable
        when this process has ended; returns when the worker ends.
    prepare : callable
        Runs here before each fork, so that a successor shares what has been loaded since.
    on_restart : callable
        Runs here for each worker that is replaced.
    on_tick : callable
        Runs here several times a second.
    """

    def __init__(
        self,
        n_workers: int,
        work: Callable[[int, int], None],
        *,
        prepare: Callable[[], None] = lambda: None,
        on_restart: Callable[[], None] = lambda: None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._work, self._prepare, self._on_restart = work, prepare, on_restart
        self._on_tick = on_tick
        self._slots = [_Slot(number) for number in range(n_workers)]
        self._is_stopping = False
        self._read_end, self._write_end = -1, -1

    @property
    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        return [slot.pid for slot in self._slots if slot.pid]

    def run(self) -> None:
        """Start the workers, and replace those that end, until SIGTERM or SIGINT."""
        self._read_end, self._write_end = os.pipe()
        earlier = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        try:
            while not self._is_stopping:
                self._reap()
                self._start_missing()
                self._on_tick()
                time.sleep(_TICK)
        finally:
            self._end_workers()
            for number, handler in earlier.items():
                signal.signal(number, handler)
            os.close(self._write_end)
            os.close(self._read_end)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def _start_missing(self) -> None:
        now = time.monotonic()
        missing = [slot for slot in self._slots if not slot.pid and slot.start_at <= now]
        if missing:
            self._prepare()
        for slot in missing:
            if not self._is_stopping:
                self._fork(slot)

    def _fork(self, slot: _Slot) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            slot.pid, slot.started = pid, time.monotonic()
            return
        status = 1
        try:
            for number in _SIGNALS:  # A signal that arrives before the server listens to it ends it.
                signal.signal(number, signal.SIG_DFL)
            os.close(self._write_end)
            self._work(slot.number, self._read_end)
            status = 0
        except BaseException as error:
            # Only the kind of error: its text may hold a title.
            print(page_text("worker_failed", kind=type(error).__name__), file=sys.stderr)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(status)  # What this process inherited is not its own to clean up.

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid and _has_ended(slot.pid):
                self._on_end(slot)

    def _on_end(self, slot: _Slot) -> None:
        now, pid = time.monotonic(), slot.pid
        slot.pid = 0
        if self._is_stopping:
            return
        self._on_restart()
        slot.n_failures = slot.n_failures + 1 if now - slot.started < _SHORT_LIFE else 0
        wait = min(2.0 ** (slot.n_failures - 1), _LONGEST_WAIT) if slot.n_failures else 0.0
        slot.start_at = now + wait
        sentence = page_text("worker_replaced", pid=str(pid), seconds=format_number(int(wait)))
        print(sentence, file=sys.stderr, flush=True)

    def _end_workers(self) -> None:
        self._is_stopping = True
        self._signal_workers(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self.pids and time.monotonic() < deadline:
            time.sleep(_TICK / 2)
            self._reap()
        self._signal_workers(signal.SIGKILL)
        for pid in self.pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # Somebody else has waited for it.
        return True
