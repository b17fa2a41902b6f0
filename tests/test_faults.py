"""Writers that are killed, run out of disk space or meet another writer keep the earlier state intact.

`JUDUL_FAULT_ROUNDS` is the number of faults per writer, `JUDUL_FAULT_SEED` the seed of their moments.
`make test-slow` takes twenty and prints a table (without `-n`). The writers are in `tests/faults.py`.
"""

import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from judul_lib.core.storage import file_lock
from judul_lib.reports.run_files import MANIFEST_FILE
from tests import faults
from tests.conftest import NO_POSTGRES, POSTGRES, PROJECT
from tests.faults import WRITE_SCENARIOS, WriteScenario

ROUNDS = int(os.environ.get("JUDUL_FAULT_ROUNDS", "2"))
SEED = int(os.environ.get("JUDUL_FAULT_SEED", "0"))
TABLE: list[tuple[object, ...]] = []
# Without kernels, which take a second each, the same files are written.
QUICK_SCENARIOS = [name for name in WRITE_SCENARIOS if "kernels" not in name]


@pytest.fixture(scope="module", autouse=True)
def print_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print a table of the faults if the number of rounds was set."""
    yield
    if "JUDUL_FAULT_ROUNDS" not in os.environ:
        return
    rows = [("writer", "fault", "rounds", "hits", "all intact"), *TABLE]
    widths = [max(len(str(row[k])) for row in rows) for k in range(len(rows[0]))]
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\nseed {SEED}; hits: the fault occurred before the writer had finished")
        for row in rows:
            cells = (f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())


class WriterProcess:
    """A writer in its own process."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["tests.faults"])

    def __init__(self, write, folder, output_path, stop_before=0, stop_signal=signal.SIGKILL):
        self._output_path = output_path
        has_started, self._n_changes, self._duration = (
            self._context.Value(typecode, 0, lock=False) for typecode in "iid"
        )
        shared = has_started, self._n_changes, self._duration
        self._process = self._context.Process(
            target=faults.run_writer,
            args=(write, folder, output_path, *shared, stop_before, stop_signal),
        )
        self._process.start()
        while not has_started.value and self._process.exitcode is None:
            time.sleep(0.0005)
        self._handle = None
        with suppress(psutil.NoSuchProcess):
            self._handle = psutil.Process(self._process.pid)  # Detects a reused process id.

    @property
    def n_changes(self) -> int:
        return self._n_changes.value

    @property
    def seconds(self) -> float:
        return self._duration.value

    @property
    def output(self) -> str:
        return self._output_path.read_text()

    def wait(self) -> int:
        """Return the exit status, negative for a signal."""
        self._process.join(120)
        assert self._process.exitcode is not None, "the process does not end"
        return self._process.exitcode

    def kill(self, *, with_children: bool) -> list[psutil.Process]:
        """Kill the process; return the children that are left."""
        with suppress(psutil.NoSuchProcess, AttributeError):
            children = self._handle.children(recursive=True)
            kill_processes([self._handle])
            if not with_children:
                return children
            kill_processes(children)
        return []

    def wait_until_stopped(self) -> None:
        deadline = time.monotonic() + 60
        while self._handle.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def resume(self) -> None:
        self._handle.resume()


def kill_processes(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class UndisturbedRun:
    """States before and after a writer that nothing disturbs, and its duration."""

    def __init__(self, scenario: WriteScenario, folder: Path) -> None:
        self.scenario, self._folder = scenario, folder
        self._n_processes = 0
        self._initial_folder = self._prepare("before")
        copy = self.copy_initial_state("undisturbed")
        self.old, files_before = scenario.read(copy), faults.read_files(copy, hidden=True)
        process = self.run(copy)
        self.seconds, self.n_changes = process.seconds, process.n_changes
        self.new, self.result = scenario.read(copy), scenario.read_result(copy)
        files = faults.read_files(copy, hidden=True)
        self.n_bytes = sum(map(len, files.values()))
        self.n_written = sum(len(files[name]) for name in files if files[name] != files_before.get(name))
        shutil.rmtree(copy)

    def _prepare(self, name: str) -> Path:
        self.run(self._folder / name, self.scenario.prepare)
        return self._folder / name

    def copy_initial_state(self, name: str) -> Path:
        """Return a new folder with the initial state."""
        if self.scenario.has_external_state:
            return self._prepare(name)
        return Path(shutil.copytree(self._initial_folder, self._folder / name))

    def start(self, folder, write=None, **options) -> WriterProcess:
        self._n_processes += 1
        output_path = self._folder / f"output-{self._n_processes}.txt"
        return WriterProcess(write or self.scenario.write, folder, output_path, **options)

    def run(self, folder, write=None) -> WriterProcess:
        """Run the writer to its end, which must be a success."""
        process = self.start(folder, write)
        assert process.wait() == 0, process.output
        return process

    def assert_intact(self, folder: Path) -> None:
        """Check that everything a reader gets is in its old or in its new state."""
        values = self.scenario.read(folder)
        assert values.keys() == self.old.keys()
        for name, value in values.items():
            assert value in (self.old[name], self.new[name]), name

    def assert_completes(self, folder: Path, orphans: Sequence[psutil.Process] = ()) -> None:
        self.run(folder)
        if orphans:
            assert_ended(orphans)  # Until then they write to folders that only the next run removes.
            self.run(folder)
        assert self.scenario.read_result(folder) == self.result
        shutil.rmtree(folder)


@contextmanager
def record_rounds(name: str, fault: str, rounds: list[str]) -> Iterator[list[str]]:
    """Yield a list for the rounds that the fault hit; add a row to the table and name a failed round.

    The test appends a description to *rounds* when a round begins.
    """
    hits: list[str] = []
    intact = "NO"
    try:
        yield hits
        intact = "yes"
    except Exception as error:
        error.add_note(f"{name}, {fault}, seed {SEED}: {rounds[-1] if rounds else 'before round 0'}")
        raise
    finally:
        TABLE.append((name, fault, len(rounds), len(hits), intact))


def draw_positions(name: str) -> list[float]:
    """Return positions in [0, 1), one drawn from each of `ROUNDS` equal intervals."""
    rng = random.Random(f"{SEED} {name}")
    return [(k + rng.random()) / ROUNDS for k in range(ROUNDS)]


def kill_at_moments(name: str, scenario: WriteScenario, folder: Path) -> None:
    baseline, rounds = UndisturbedRun(scenario, folder), []
    with record_rounds(name, "killed at a moment", rounds) as hits:
        for k, position in enumerate(draw_positions(name)):
            for attempt in range(3):
                copy = baseline.copy_initial_state(f"round-{k}-{attempt}")
                delay = position * baseline.seconds
                rounds[k:] = [f"round {k}, after {delay:.4f} of {baseline.seconds:.4f} s"]
                process = baseline.start(copy)
                time.sleep(delay)
                orphans = process.kill(with_children=k % 2 == 0)
                if process.wait() == -signal.SIGKILL:
                    hits.append(rounds[-1])
                    break
                baseline.seconds = min(baseline.seconds, process.seconds)  # Faster than the last time.
            baseline.assert_intact(copy)
            baseline.assert_completes(copy, orphans)


def assert_ended(orphans: Sequence[psutil.Process]) -> None:
    """Check that children of a killed process end: a kernel looks for its parent every second."""
    _, alive = psutil.wait_procs(list(orphans), timeout=20)
    # Where orphans get a parent other than process 1, a kernel that was starting does not notice.
    survivors = [process for process in alive if process.is_running() and process.ppid() == 1]
    kill_processes(alive)
    assert survivors == []


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITE_SCENARIOS)
def test_writer_killed_at_a_random_moment_leaves_an_intact_state(name, tmp_path):
    kill_at_moments(name, WRITE_SCENARIOS[name], tmp_path)


def test_postgresql_log_killed_at_a_random_moment_stays_intact(tmp_path):
    if not POSTGRES:
        pytest.skip(NO_POSTGRES)
    from benchmarks.writing import new_database

    with new_database(POSTGRES) as address:
        kill_at_moments("log in PostgreSQL", faults.server_log_scenario(address), tmp_path)


@pytest.mark.parametrize("name", QUICK_SCENARIOS)
def test_writer_killed_before_a_random_file_change_leaves_an_intact_state(name, tmp_path):
    """Writers spend most of their time before they write; here every change is equally likely."""
    baseline, rounds = UndisturbedRun(WRITE_SCENARIOS[name], tmp_path), []
    numbers = sorted({1 + int(position * baseline.n_changes) for position in draw_positions(name)})
    with record_rounds(name, "killed before a change", rounds) as hits:
        for number in numbers:
            rounds.append(f"before change {number} of {baseline.n_changes}")
            copy = baseline.copy_initial_state(f"change-{number}")
            if baseline.start(copy, stop_before=number).wait() == -signal.SIGKILL:
                hits.append(rounds[-1])
            baseline.assert_intact(copy)
            baseline.assert_completes(copy)


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[Path]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def fill_disk(path: Path, n_left: int) -> None:
    disk = os.statvfs(path.parent)
    with path.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, disk.f_bavail * disk.f_frsize - n_left)


@pytest.mark.parametrize("name", QUICK_SCENARIOS)
def test_full_disk_is_reported_and_leaves_an_intact_state(name, tmp_path):
    baseline, rounds = UndisturbedRun(WRITE_SCENARIOS[name], tmp_path), []
    with record_rounds(name, "full disk", rounds) as hits:
        for k, position in enumerate(draw_positions(name)):
            with small_disk(tmp_path / "disk", 4 * baseline.n_bytes + 2_000_000) as disk:
                n_left = 4096 * (1 + int(position * baseline.n_written / 4096))
                rounds.append(f"round {k}, {n_left} bytes left")
                copy = Path(shutil.copytree(baseline.copy_initial_state(f"round-{k}"), disk / "work"))
                fill_disk(disk / "filler", n_left)
                process = baseline.start(copy)
                assert process.wait() in (0, 1), process.output
                assert "Traceback" not in process.output
                if re.search(baseline.scenario.disk_full_pattern, process.output):
                    hits.append(rounds[-1])
                else:
                    assert process.wait() == 0, process.output
                (disk / "filler").unlink()
                baseline.assert_intact(copy)
                baseline.assert_completes(copy)


@pytest.mark.parametrize(
    "name", [name for name in QUICK_SCENARIOS if WRITE_SCENARIOS[name].busy_message]
)
def test_second_writer_is_refused_while_the_first_one_completes(name, tmp_path):
    baseline, rounds = UndisturbedRun(WRITE_SCENARIOS[name], tmp_path), []
    positions = sorted(
        {6 + int(position * (baseline.n_changes // 2 - 6)) for position in draw_positions(name)}
    )
    with record_rounds(name, "two at once", rounds) as hits:
        for position in positions:  # The first five changes create folder and lock.
            rounds.append(f"the first one stopped before change {position} of {baseline.n_changes}")
            copy = baseline.copy_initial_state(f"both-{position}")
            first = baseline.start(copy, stop_before=position, stop_signal=signal.SIGSTOP)
            try:
                first.wait_until_stopped()
                second = baseline.start(copy)
                assert second.wait() == 1
                (line,) = second.output.splitlines()
                assert line.startswith("Galat: ")
                assert baseline.scenario.busy_message in line
                assert "ulangi" in line
                hits.append(rounds[-1])
            finally:
                first.resume()
            assert first.wait() == 0, first.output
            assert baseline.scenario.read_result(copy) == baseline.result
            shutil.rmtree(copy)


def test_changed_outputs_are_rebuilt(tmp_path):
    baseline = UndisturbedRun(WRITE_SCENARIOS["judul run"], tmp_path)
    copy = baseline.copy_initial_state("changed")
    baseline.run(copy)
    for name in ("corpus.csv", "pairs_full.csv", "light/arrays.npz", MANIFEST_FILE):
        path = copy / "outputs" / name
        path.write_bytes(b"[]")
        baseline.run(copy)
        assert path.read_bytes() != b"[]"
        assert baseline.scenario.read_result(copy) == baseline.result
    assert "mutakhir" in baseline.run(copy).output


def test_worker_processes_of_a_killed_command_end(tmp_path):
    script = tmp_path / "tasks.py"
    script.write_text(
        "import time\n"
        "from judul_lib.core.parallel import run_tasks\n\n"
        "def wait(seconds, task):\n    time.sleep(seconds)\n    return task\n\n"
        "if __name__ == '__main__':\n"
        "    for place, _ in run_tasks(wait, range(400), 0.05, n_jobs=2):\n"
        "        print(place, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script], cwd=PROJECT, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    process.stdout.readline()
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    kill_processes(alive)
    assert alive == []


def test_waiting_for_a_removed_lock_file_locks_the_new_one(tmp_path):
    """A lock on the removed file would not exclude processes that open the new one."""
    path, results = tmp_path / "lock", []

    def wait_for_lock():
        with file_lock(path), pytest.raises(TimeoutError), file_lock(path, wait=False):
            pass
        results.append("locked")

    thread = threading.Thread(target=wait_for_lock)
    with file_lock(path):
        thread.start()
        time.sleep(0.05)
        path.unlink()
        with file_lock(path, wait=False):
            time.sleep(0.05)
    thread.join(10)
    assert results == ["locked"]
