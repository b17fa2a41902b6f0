"""CPU, memory, disk and log size of the machine, and of the running page with its workers.

The page writes a sample of itself to a file every minute, so that another process,
even in another container, can read it. A page that is killed leaves a sample that ages.
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

import psutil

from judul_lib.core.clock import utc_now
from judul_lib.core.config import Config
from judul_lib.core.storage import write_bytes
from judul_lib.usage.alerts import DISK, LOG_SIZE, MEMORY, Measured

PAGE_FILE = "page.json"
MAX_SAMPLE_AGE = timedelta(minutes=3)
"""A page whose last sample is older is not running."""
# Seconds before the first sample (CPU is measured since the start), and between the others.
_FIRST_WAIT, _INTERVAL = 1.0, 60.0
_CPU_SECONDS = 0.2
_MB = 1_000_000


@dataclass(frozen=True)
class PageSample:
    """What the page used at one time, with all its processes.

    Attributes
    ----------
    time, started : datetime
        In UTC.
    pid, n_processes : int
    cpu_percent : float
        Since the sample before, in percent of one core.
    memory_mb : float
        Resident memory; what the processes share counts more than once.
    """

    time: datetime
    started: datetime
    pid: int
    n_processes: int
    cpu_percent: float
    memory_mb: float


@dataclass(frozen=True)
class MachineState:
    """The load of this machine, the space left for the log, and its size.

    Attributes
    ----------
    cpu_percent, memory_percent : float
        Of the whole machine.
    free_disk_mb : float
        On the disk of the log.
    log_mb : float
        All files in the folder of the log.
    page : PageSample or None
        Last sample of the page, if it is running.
    """

    cpu_percent: float
    memory_percent: float
    free_disk_mb: float
    log_mb: float
    page: PageSample | None


@contextmanager
def recorded_page(folder: Path) -> Iterator[None]:
    """Sample this process and its children every minute while the block runs.

    Parameters
    ----------
    folder : path
        Folder of the log. While it cannot be written, there is no sample.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     with recorded_page(Path(name)):
    ...         pass  # Serve the page.
    ...     read_page_sample(Path(name), utc_now()) is None
    True
    """
    stopped = threading.Event()
    thread = threading.Thread(target=_record, args=(folder, stopped), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        with suppress(OSError):
            (folder / PAGE_FILE).unlink(missing_ok=True)


def _record(folder: Path, stopped: threading.Event) -> None:
    own, started = psutil.Process(), utc_now()
    own.cpu_percent()
    known = {own: own}  # A process knows its CPU time of the sample before.
    for wait in chain([_FIRST_WAIT], repeat(_INTERVAL)):
        if stopped.wait(wait):
            return
        with suppress(OSError, psutil.Error):
            known = {process: known.get(process, process) for process in _with_children(own)}
            sample = _sample(known.values(), started)
            content = json.dumps(asdict(sample), default=datetime.isoformat)
            write_bytes(folder / PAGE_FILE, content.encode(), mode=0o600)


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _sample(processes: Iterable[psutil.Process], started: datetime) -> PageSample:
    n, cpu, memory = 0, 0.0, 0
    for process in processes:
        with suppress(psutil.Error):  # A process that ended meanwhile.
            cpu += process.cpu_percent()
            memory += process.memory_info().rss
            n += 1
    return PageSample(utc_now(), started, os.getpid(), n, round(cpu, 1), round(memory / _MB, 1))


def read_page_sample(folder: Path, now: datetime) -> PageSample | None:
    """Return the last sample of the page, or None where it is missing, damaged or too old."""
    try:
        stored = json.loads((folder / PAGE_FILE).read_text("utf-8"))
        times = {name: datetime.fromisoformat(stored[name]) for name in ("time", "started")}
        sample = PageSample(**{**stored, **times})
        return sample if abs(now - sample.time) <= MAX_SAMPLE_AGE else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def measure_machine(folder: Path, now: datetime) -> MachineState:
    """Measure this machine, and read the last sample of the page.

    Parameters
    ----------
    folder : path
        Folder of the log; may be missing.

    Examples
    --------
    >>> state = measure_machine(Path("docs"), utc_now())
    >>> 0 < state.memory_percent <= 100, state.log_mb > 0
    (True, True)
    """
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())
    return MachineState(
        cpu_percent=psutil.cpu_percent(_CPU_SECONDS),
        memory_percent=psutil.virtual_memory().percent,
        free_disk_mb=round(psutil.disk_usage(str(existing)).free / _MB, 1),
        log_mb=round(_size(folder) / _MB, 3),
        page=read_page_sample(folder, now),
    )


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # Removed meanwhile.
            size += path.stat().st_size if path.is_file() else 0
    return size


def exceeded_limits(state: MachineState, config: Config) -> list[Measured]:
    """Return what is beyond the limits in the settings, for `judul_lib.usage.alerts.find_alerts`.

    Examples
    --------
    >>> state = MachineState(5.0, 97.0, 50_000.0, 2.0, None)
    >>> exceeded_limits(state, Config())
    [('memori-penuh', 'Memori mesin yang terpakai (persen)', 97.0, 90)]
    """
    free, memory, log = state.free_disk_mb, state.memory_percent, state.log_mb
    disk_limit, memory_limit, log_limit = (
        config.min_free_disk_mb, config.max_memory_percent, config.max_log_mb,
    )  # fmt: skip
    rows: list[tuple[bool, Measured]] = [
        (free < disk_limit, (DISK, "Sisa ruang disk untuk log (MB)", free, disk_limit)),
        (memory > memory_limit, (MEMORY, "Memori mesin yang terpakai (persen)", memory, memory_limit)),
        (log > log_limit, (LOG_SIZE, "Ukuran folder log (MB)", log, log_limit)),
    ]
    return [row for is_exceeded, row in rows if is_exceeded]
