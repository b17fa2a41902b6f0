"""Several processes and Dask clusters give the results of one process, also when some are killed.

All tests start real processes on this machine.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest

from judul_lib import TitleIndex, load_checker
from judul_lib.checking.batches import check_in_batches
from judul_lib.cli.main import main
from judul_lib.core import parallel
from judul_lib.core.errors import WorkerError
from judul_lib.core.parallel import SCHEDULER_VARIABLE, run_tasks
from judul_lib.core.settings import LIGHT as LIGHT_PROFILE
from judul_lib.search import dedup
from judul_lib.search.dedup import find_duplicates
from judul_lib.search.pair_blocks import IndexPairFinder, Pairs, StructuredPairFinder, StudyPairFinder
from judul_lib.study import arrays
from judul_lib.study.corpus import read_corpus
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.labeling import label_pairs
from judul_lib.training.forest import train_model
from tests.conftest import DATA, PROJECT, judul

LIGHT, STRUCTURED = PROJECT / "outputs" / "light", PROJECT / "outputs" / "structured"
GOLD = pd.read_csv(PROJECT / "data" / "gold_pairs.csv")
TITLES = pd.unique(GOLD[["judul_a", "judul_b"]].to_numpy().ravel()).tolist()
FIRST_TITLES = TITLES[:500]
distributed = pytest.importorskip(
    "distributed", reason="no Dask here: pip install 'judul-lib[dask]' for the tests on clusters"
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Many blocks of few titles, so that processes can be killed between blocks."""
    monkeypatch.delenv(SCHEDULER_VARIABLE, raising=False)
    for kind, rows in ((StudyPairFinder, 110), (StructuredPairFinder, 110), (IndexPairFinder, 25)):
        monkeypatch.setattr(kind, "block_rows", rows)


@pytest.fixture
def short_waits(monkeypatch):
    monkeypatch.setattr(parallel, "_CONNECT", 1)
    monkeypatch.setattr(parallel, "_FIRST_WORKER", 1)


@contextmanager
def dask_command(*arguments, **environment):
    """Start a command of Dask, and kill it at the end."""
    command = [sys.executable, "-m", "dask", *map(str, arguments), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--no-dashboard"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment}, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def scheduler_command(**environment):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with dask_command("scheduler", "--port", port, **environment) as process:
        yield process, f"tcp://127.0.0.1:{port}"


def worker_command(address):
    # Without a nanny, which would restart a killed worker.
    return dask_command("worker", address, "--nthreads", 1, "--no-nanny")


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def n_workers(address):
    with distributed.Client(address, set_as_default=False, timeout=20) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes, restarted by their nannies when they die."""
    with distributed.LocalCluster(
        2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def address(cluster):
    """The address of the cluster, which the test must use."""
    before = cluster.scheduler.transition_counter
    yield cluster.scheduler_address
    assert cluster.scheduler.transition_counter > before


@pytest.fixture(scope="module")
def commands():
    """A scheduler and two workers, started as separate commands."""
    with (
        scheduler_command() as (_, address),
        worker_command(address) as first,
        worker_command(address) as second,
    ):
        wait_until(lambda: n_workers(address) == 2)
        yield address, first, second


@pytest.fixture(scope="module")
def bare_scheduler():
    """A scheduler without workers that does not repeat a task whose worker died."""
    with scheduler_command(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as started:
        yield started


@pytest.fixture(scope="module")
def exact():
    return find_duplicates(FIRST_TITLES, LIGHT, exact=True)


def assert_same_pairs(found, expected):
    assert len(expected) > 20
    pd.testing.assert_frame_equal(found.pairs, expected.pairs, check_exact=True)
    pd.testing.assert_frame_equal(found.groups, expected.groups)
    assert found.complete == expected.complete


def assert_same_matches(found, expected):
    assert len(found) == len(expected) > 50
    for matches, others in zip(found, expected, strict=True):
        assert matches.titles == others.titles
        assert np.array_equal(matches.features, others.features)
        assert matches.rows() == others.rows()
        assert matches.decision.rows() == others.decision.rows()


@pytest.mark.parametrize("model", [LIGHT, STRUCTURED], ids=["light", "structured"])
def test_near_duplicates_are_the_same_on_a_cluster_and_in_processes(address, model):
    titles = TITLES[:310]
    expected = find_duplicates(titles, model)
    assert_same_pairs(find_duplicates(titles, model, scheduler=address), expected)
    if model == STRUCTURED:
        assert_same_pairs(find_duplicates(titles, model, n_jobs=2), expected)


@pytest.mark.parametrize("is_index", [False, True])
def test_checks_are_the_same_on_a_cluster_and_in_processes(address, monkeypatch, tmp_path, is_index):
    checker = load_checker(LIGHT, TITLES[200:600])
    expected = list(check_in_batches(TITLES[:180], checker, top_k=5))
    if not is_index:
        found = check_in_batches(TITLES[:180], checker, n_jobs=2, top_k=5)
        assert_same_matches(list(found), expected)
    monkeypatch.setenv(SCHEDULER_VARIABLE, address)
    if is_index:
        # A loaded index maps its arrays from files, which must reach the workers too.
        TitleIndex.build(TITLES[200:600], LIGHT).save(tmp_path)
        checker = TitleIndex.load(tmp_path)
    assert_same_matches(list(check_in_batches(TITLES[:180], checker, top_k=5)), expected)


def test_the_same_model_is_trained_on_a_cluster(address, monkeypatch):
    corpus = read_corpus(DATA).titles
    titles, processed = corpus["Judul"].tolist(), corpus["judul_proc"].tolist()
    pairs = label_pairs(fit_vectorizer(processed, LIGHT_PROFILE).transform(processed)).pairs
    grid = {name: values[:2] for name, values in LIGHT_PROFILE.grid.items()}
    profile = replace(LIGHT_PROFILE, grid={**grid, "n_estimators": (10,), "max_depth": (5,)})
    with joblib.parallel_config(backend="threading"):  # Starts faster than processes.
        expected = train_model(titles, processed, pairs, profile)
    monkeypatch.setenv(SCHEDULER_VARIABLE, address)
    result = train_model(titles, processed, pairs, profile)
    pd.testing.assert_frame_equal(result.search, expected.search, check_exact=True)
    assert result.best_params == expected.best_params
    assert result.metrics == expected.metrics
    stored = [arrays.to_bytes(r.tfidf, r.scaler, r.forest) for r in (result, expected)]
    assert stored[0] == stored[1]


def test_another_version_of_the_package_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(parallel, "__version__", "9.9")
    with pytest.raises(WorkerError, match=r"harus memakai judul-lib 9\.9 .*\(\d+\.\d+"):
        find_duplicates(TITLES[:50], LIGHT, scheduler=cluster.scheduler_address)


def _missing_file(shared, task):
    raise FileNotFoundError(2, "missing", task)


def test_an_error_of_a_task_is_raised_as_it_is(address):
    with pytest.raises(FileNotFoundError):
        list(run_tasks(_missing_file, ["x"], None, scheduler=address))


def test_killing_every_worker_in_the_middle_loses_nothing(address, cluster, exact):
    """The shared data is lost too, and is sent again to the restarted workers."""
    killed = []

    def kill_all(done, total):
        if done == 3 < total and not killed:
            killed.extend(worker.process.pid for worker in cluster.workers.values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    found = find_duplicates(FIRST_TITLES, LIGHT, exact=True, scheduler=address, on_progress=kill_all)
    assert len(killed) == 2
    assert_same_pairs(found, exact)


def test_the_command_writes_the_same_bytes_on_a_cluster(commands, write_csv, tmp_path):
    source = write_csv(TITLES[:300])
    written = []
    for place, more in enumerate([(), ("--scheduler", commands[0])]):
        output, groups = tmp_path / f"{place}.csv", tmp_path / f"{place}-groups.csv"
        result = judul(
            "dedup", source, "--model", "light", "--output", output, "--groups", groups, *more
        )
        assert result.returncode == 0, result.stderr
        written.append((result.stderr, output.read_bytes(), groups.read_bytes()))
    assert written[0] == written[1]
    assert len(written[0][1].splitlines()) > 20
    assert not list(tmp_path.glob(".*"))


def test_killing_one_of_two_workers_in_the_middle_loses_nothing(commands, exact):
    address, first, _ = commands

    def kill_one(done, total):
        if done == 3 < total:
            first.kill()

    found = find_duplicates(FIRST_TITLES, LIGHT, exact=True, scheduler=address, on_progress=kill_one)
    wait_until(lambda: n_workers(address) == 1)
    assert_same_pairs(found, exact)


class KillingFinder:
    """A pair finder that kills its process in the third block."""

    block_rows = 10

    def pairs(self, start, stop):
        if start == 20:
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        return Pairs.joined([])


@pytest.fixture
def killing_finder(monkeypatch):
    monkeypatch.setattr(dedup, "_make_finder", lambda *arguments, **options: KillingFinder())


def test_a_dying_process_leaves_the_finished_blocks(killing_finder, tmp_path):
    with pytest.raises(WorkerError, match="Jalankan lagi dengan lebih sedikit proses"):
        find_duplicates(TITLES[:40], LIGHT, folder=tmp_path, n_jobs=2)
    assert list(tmp_path.glob("000000000-*.npz"))
    assert not list(tmp_path.glob("000000020-*.npz"))


def test_a_missing_scheduler_is_reported(short_waits, capfd, write_csv, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        command = ["dedup", write_csv(["Deteksi Hoaks", "Prediksi Harga Beras"]), "--model", "light"]
        command += ["--models", LIGHT.parent, "--output", tmp_path / "pasangan.csv"]
        for where in (address, "bukan://alamat"):
            with pytest.raises(SystemExit) as end:
                main([*map(str, command), "--scheduler", where])
            assert end.value.code == 1
            (line,) = capfd.readouterr().err.splitlines()
            assert line.startswith(f"Galat: Tidak ada penjadwal Dask yang menjawab di {where}. Jalankan")
    assert not (tmp_path / "pasangan.csv").exists()


def test_without_dask_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkerError, match=r"judul-lib\[dask\]"):
        find_duplicates(TITLES[:50], LIGHT, scheduler="tcp://127.0.0.1:1")


def test_without_a_certificate_the_error_says_so():
    with pytest.raises(WorkerError, match="memerlukan sertifikat TLS"):
        find_duplicates(TITLES[:50], LIGHT, scheduler="tls://127.0.0.1:1")


def test_a_scheduler_without_workers_is_reported(bare_scheduler, monkeypatch):
    monkeypatch.setattr(parallel, "_FIRST_WORKER", 1)
    address = bare_scheduler[1]
    with pytest.raises(WorkerError, match=f"tidak punya pekerja. Jalankan `dask worker {address}`"):
        find_duplicates(TITLES[:50], LIGHT, scheduler=address)


def test_a_task_that_kills_its_worker_is_given_up(bare_scheduler, killing_finder):
    address = bare_scheduler[1]
    with worker_command(address), worker_command(address):
        wait_until(lambda: n_workers(address) == 2)
        with pytest.raises(WorkerError, match="Beri tiap pekerja lebih banyak memori"):
            find_duplicates(TITLES[:40], LIGHT, scheduler=address)


def test_killing_the_scheduler_keeps_the_finished_blocks(
    bare_scheduler, short_waits, monkeypatch, capfd, tmp_path, exact
):
    process, address = bare_scheduler
    options = {"exact": True, "folder": tmp_path}

    def kill(done, total):
        if done == 3 < total:
            process.kill()

    with worker_command(address):
        wait_until(lambda: n_workers(address) == 1)
        capfd.readouterr()
        with pytest.raises(WorkerError, match="Jalankan lagi penjadwalnya"):
            find_duplicates(FIRST_TITLES, LIGHT, scheduler=address, on_progress=kill, **options)
    assert capfd.readouterr().err == ""
    kept = len(list(tmp_path.glob("*.npz")))
    assert 3 <= kept < 20

    computed, compute = [], IndexPairFinder.pairs
    monkeypatch.setattr(
        IndexPairFinder, "pairs", lambda self, *block: computed.append(block) or compute(self, *block)
    )
    found = find_duplicates(FIRST_TITLES, LIGHT, **options)
    assert len(computed) == 20 - kept
    assert_same_pairs(found, exact)
    # Blocks of an exact search are not used by another search.
    calls = []
    find_duplicates(FIRST_TITLES, LIGHT, folder=tmp_path, on_progress=lambda *done: calls.append(done))
    assert calls[0] == (0, 5)
