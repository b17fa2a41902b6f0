"""Killed at any moment, on a full disk, two at once: what was there is there, and a second run is whole.

`JUDUL_FAULT_ROUNDS` says how often each work is disturbed, `JUDUL_FAULT_SEED` when;
`make test-slow` takes twenty rounds; without `-n` a table is shown. The works are in `tests/faults.py`.
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
from judul_lib.reports.pipeline import MANIFEST_FILE
from tests import faults
from tests.conftest import NO_POSTGRES, POSTGRES, PROJECT
from tests.faults import WRITE_SCENARIOS, WriteScenario

ROUNDS = int(os.environ.get("JUDUL_FAULT_ROUNDS", "2"))
SEED = int(os.environ.get("JUDUL_FAULT_SEED", "0"))
TABLE: list[tuple[object, ...]] = []
# Kernels take a second each, and the same files are written without them.
QUICK = [name for name in WRITE_SCENARIOS if "kernels" not in name]


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what was done, where somebody asked for rounds."""
    yield
    if "JUDUL_FAULT_ROUNDS" not in os.environ:
        return
    rows = [("work", "fault", "rounds", "met", "all intact"), *TABLE]
    widths = [max(len(str(row[k])) for row in rows) for k in range(len(rows[0]))]
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\nseed {SEED}; met: the fault came before the work had ended")
        for row in rows:
            cells = (f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())


class Started:
    """A work in a process of its own."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["tests.faults"])

    def __init__(self, act, folder, said, stop_at=0, with_signal=signal.SIGKILL):
        self._said = said
        begun, self._changes, self._lasted = (self._context.Value(t, 0, lock=False) for t in "iid")
        self._process = self._context.Process(
            target=faults.worker,
            args=(act, folder, said, begun, self._changes, self._lasted, stop_at, with_signal),
        )
        self._process.start()
        while not begun.value and self._process.exitcode is None:
            time.sleep(0.0005)
        self._known = None
        with suppress(psutil.NoSuchProcess):
            self._known = psutil.Process(self._process.pid)  # Never another one with its number.

    @property
    def n_changes(self) -> int:
        return self._changes.value

    @property
    def seconds(self) -> float:
        return self._lasted.value

    @property
    def said(self) -> str:
        return self._said.read_text()

    def end(self) -> int:
        """Wait for the end; return the status, negative for a signal."""
        self._process.join(120)
        assert self._process.exitcode is not None, "it does not end"
        return self._process.exitcode

    def kill(self, *, alone: bool) -> list[psutil.Process]:
        """Kill it, with all that it started or alone; return what it leaves."""
        with suppress(psutil.NoSuchProcess, AttributeError):
            started = self._known.children(recursive=True)
            end([self._known])
            if alone:
                return started
            end(started)
        return []

    def wait_until_stopped(self) -> None:
        give_up = time.monotonic() + 60
        while self._known.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < give_up
            time.sleep(0.01)

    def resume(self) -> None:
        self._known.resume()


def end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class Usual:
    """A work when nothing happens: what is there before and after it, how long it takes."""

    def __init__(self, work: WriteScenario, folder: Path) -> None:
        self.work, self._folder = work, folder
        self._n_started = 0
        self._before = self._prepared("before")
        here = self.begin("undisturbed")
        self.old, before = work.seen(here), faults.tree(here, hidden=True)
        process = self.start(here)
        assert process.end() == 0, process.said
        self.seconds, self.n_changes = process.seconds, process.n_changes
        self.new, self.result = work.seen(here), work.result(here)
        after = faults.tree(here, hidden=True)
        self.n_bytes = sum(map(len, after.values()))
        self.n_written = sum(len(after[name]) for name in after if after[name] != before.get(name))
        shutil.rmtree(here)

    def _prepared(self, name: str) -> Path:
        process = self.start(self._folder / name, self.work.prepare)
        assert process.end() == 0, process.said
        return self._folder / name

    def begin(self, name: str) -> Path:
        """Return a folder with what is there before."""
        if self.work.is_elsewhere:
            return self._prepared(name)
        return Path(shutil.copytree(self._before, self._folder / name))

    def start(self, folder, act=None, **options) -> Started:
        self._n_started += 1
        said = self._folder / f"said-{self._n_started}.txt"
        return Started(act or self.work.act, folder, said, **options)

    def assert_intact(self, folder: Path) -> None:
        """Whatever a reader sees is as it was before, or as it is after."""
        seen = self.work.seen(folder)
        assert seen.keys() == self.old.keys()
        for name, value in seen.items():
            assert value in (self.old[name], self.new[name]), name

    def assert_completes(self, folder: Path, orphans: Sequence[psutil.Process] = ()) -> None:
        process = self.start(folder)
        assert process.end() == 0, process.said
        if orphans:
            assert_ended(orphans)  # Until then they write where nobody looks; it goes with the next run.
            assert self.start(folder).end() == 0
        assert self.work.result(folder) == self.result
        shutil.rmtree(folder)


@contextmanager
def rounds(name: str, fault: str, told: list[str]) -> Iterator[list[str]]:
    """Give a list of the rounds that met the fault; make the line of the table, and say which failed."""
    met: list[str] = []
    intact = "NO"
    try:
        yield met
        intact = "yes"
    except Exception as error:
        error.add_note(f"{name}, {fault}, seed {SEED}: {told[-1] if told else 'before the first round'}")
        raise
    finally:
        TABLE.append((name, fault, len(told), len(met), intact))


def drawn(name: str) -> list[float]:
    """Return places in [0, 1): one drawn from each of as many stretches as there are rounds."""
    draw = random.Random(f"{SEED} {name}")
    return [(k + draw.random()) / ROUNDS for k in range(ROUNDS)]


def kill_at_moments(name: str, work: WriteScenario, folder: Path) -> None:
    usual, told = Usual(work, folder), []
    with rounds(name, "killed at a moment", told) as met:
        for k, place in enumerate(drawn(name)):
            for attempt in range(3):
                here = usual.begin(f"round-{k}-{attempt}")
                told[k:] = [f"round {k}, after {place * usual.seconds:.4f} of {usual.seconds:.4f} s"]
                process = usual.start(here)
                time.sleep(place * usual.seconds)
                orphans = process.kill(alone=k % 2 == 1)
                if process.end() == -signal.SIGKILL:
                    met.append(told[-1])
                    break
                usual.seconds = min(usual.seconds, process.seconds)  # It was faster than the one before.
            usual.assert_intact(here)
            usual.assert_completes(here, orphans)


def assert_ended(orphans: Sequence[psutil.Process]) -> None:
    """What a killed process had started ends by itself: a kernel looks for its parent each second."""
    _, alive = psutil.wait_procs(list(orphans), timeout=20)
    # Where orphans come to another process than 1, a kernel that was just starting does not notice.
    found = [process for process in alive if process.is_running() and process.ppid() == 1]
    end(alive)
    assert found == []


@pytest.mark.parametrize("name", WRITE_SCENARIOS)
def test_killed_at_a_random_moment(name, tmp_path):
    kill_at_moments(name, WRITE_SCENARIOS[name], tmp_path)


def test_a_log_in_postgresql_killed_at_a_random_moment(tmp_path):
    if not POSTGRES:
        pytest.skip(NO_POSTGRES)
    from benchmarks.writing import new_database

    with new_database(POSTGRES) as address:
        kill_at_moments("log in PostgreSQL", faults.log_in(address), tmp_path)


@pytest.mark.parametrize("name", QUICK)
def test_killed_before_a_random_change_of_a_file(name, tmp_path):
    """Most of a work's time is spent before it writes; here each change is as likely."""
    usual, told = Usual(WRITE_SCENARIOS[name], tmp_path), []
    numbers = sorted({1 + int(place * usual.n_changes) for place in drawn(name)})
    with rounds(name, "killed before a change", told) as met:
        for number in numbers:
            told.append(f"before change {number} of {usual.n_changes}")
            here = usual.begin(f"change-{number}")
            if usual.start(here, stop_at=number).end() == -signal.SIGKILL:
                met.append(told[-1])
            usual.assert_intact(here)
            usual.assert_completes(here)


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[Path]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk to fill")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def fill(path: Path, n_left: int) -> None:
    free = os.statvfs(path.parent)
    with path.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, free.f_bavail * free.f_frsize - n_left)


@pytest.mark.parametrize("name", QUICK)
def test_on_a_full_disk(name, tmp_path):
    usual, told = Usual(WRITE_SCENARIOS[name], tmp_path), []
    with rounds(name, "full disk", told) as met:
        for k, place in enumerate(drawn(name)):
            with small_disk(tmp_path / "disk", 4 * usual.n_bytes + 2_000_000) as disk:
                n_left = 4096 * (1 + int(place * usual.n_written / 4096))
                told.append(f"round {k}, {n_left} bytes left")
                here = Path(shutil.copytree(usual.begin(f"round-{k}"), disk / "work"))
                fill(disk / "filler", n_left)
                process = usual.start(here)
                assert process.end() in (0, 1), process.said
                assert "Traceback" not in process.said
                if re.search(usual.work.full, process.said):
                    met.append(told[-1])
                else:
                    assert process.end() == 0, process.said
                (disk / "filler").unlink()
                usual.assert_intact(here)
                usual.assert_completes(here)


@pytest.mark.parametrize("name", [name for name in QUICK if WRITE_SCENARIOS[name].busy])
def test_of_two_at_once_the_second_is_told_and_the_first_goes_on(name, tmp_path):
    usual, told = Usual(WRITE_SCENARIOS[name], tmp_path), []
    places = sorted({6 + int(place * (usual.n_changes // 2 - 6)) for place in drawn(name)})
    with rounds(name, "two at once", told) as met:
        for place in places:  # The first five make the folder and the lock.
            told.append(f"the first stands before change {place} of {usual.n_changes}")
            here = usual.begin(f"both-{place}")
            first = usual.start(here, stop_at=place, with_signal=signal.SIGSTOP)
            try:
                first.wait_until_stopped()
                second = usual.start(here)
                assert second.end() == 1
                (line,) = second.said.splitlines()
                assert line.startswith("Galat: ")
                assert usual.work.busy in line
                assert "ulangi" in line
                met.append(told[-1])
            finally:
                first.resume()
            assert first.end() == 0, first.said
            assert usual.work.result(here) == usual.result
            shutil.rmtree(here)


def test_what_was_changed_in_the_outputs_is_made_anew(tmp_path):
    usual = Usual(WRITE_SCENARIOS["judul run"], tmp_path)
    here = usual.begin("changed")
    assert usual.start(here).end() == 0
    for name in ("corpus.csv", "pairs.csv", "light/arrays.npz", MANIFEST_FILE):
        path = here / "outputs" / name
        path.write_bytes(b"[]")
        process = usual.start(here)
        assert process.end() == 0, process.said
        assert path.read_bytes() != b"[]"
        assert usual.work.result(here) == usual.result
    process = usual.start(here)
    assert process.end() == 0
    assert "mutakhir" in process.said


def test_processes_of_a_killed_command_end_by_themselves(tmp_path):
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
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(started, timeout=20)
    end(alive)
    assert alive == []


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path):
    """Whoever waited for the removed file would not keep out those who find the new one."""
    path, taken = tmp_path / "lock", []

    def wait():
        with file_lock(path), pytest.raises(TimeoutError), file_lock(path, wait=False):
            pass
        taken.append(True)

    waiting = threading.Thread(target=wait)
    with file_lock(path):
        waiting.start()
        time.sleep(0.05)
        path.unlink()
        with file_lock(path, wait=False):
            time.sleep(0.05)
    waiting.join(10)
    assert taken == [True]
