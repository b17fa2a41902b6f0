"""Jobs: states, owners, several processes, stops and deaths."""

import multiprocessing
import os
import signal
import time

import pandas as pd
import pytest

from judul_lib.core.errors import BusyError, CorpusError, JobError
from judul_lib.web import jobs
from judul_lib.web.job_runner import MAX_RUNNING, RunningJobs
from judul_lib.web.jobs import DIED, GONE, NO_RUNNER, JobStore

TITLES = ["Deteksi Hoaks", "Prediksi Harga Beras"]


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "jobs")


def wait(store, job, *, until=lambda job: job.is_finished, seconds=15.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if until(found := store.get(job.id, job.user)):
            return found
        time.sleep(0.02)
    raise AssertionError(store.get(job.id, job.user))


def number_titles(store, job):
    titles = store.titles(job.id)
    rows = pd.DataFrame({"Judul": titles, "n": [None, 2]}, index=[2, 3])
    store.finish(job.id, rows, done=2, total=2, message="selesai")


def never_end(store, job):
    store.report(job.id, state="berjalan", done=1, total=2)
    (store.path(job.id) / "pid").write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)


def test_a_job_is_done_and_its_result_is_read_in_another_process():
    with RunningJobs(number_titles) as running:
        job = running.store.create("titles", TITLES, user="siti")
        found = wait(running.store, job)
        assert (found.state, found.done, found.total, found.message) == ("selesai", 2, 2, "selesai")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows = pool.apply(_result, (running.store.folder, job.id))
        assert rows == {"Judul": dict(zip((2, 3), TITLES, strict=True)), "n": {2: None, 3: 2}}
    assert not running.store.folder.exists()


def _result(folder, job_id):
    return JobStore(folder).result_rows(job_id).to_dict()


@pytest.mark.parametrize("job_id", ["0" * 32, "..", "../etc", "A" * 32, ""])
def test_unknown_ids_are_refused(store, job_id):
    with pytest.raises(JobError, match="tidak ada"):
        store.get(job_id, "siti")


def test_a_job_belongs_to_its_user(store):
    job = store.create("titles", TITLES, user="siti")
    for action in (store.get, store.stop, store.choose):
        with pytest.raises(JobError) as caught:
            action(job.id, "budi")
        assert str(caught.value) == GONE
    assert store.get(job.id, "siti").state == "menunggu"


def test_files_are_private(store):
    job = store.create("titles", TITLES, user="siti")
    for path in (store.folder, store.path(job.id)):
        assert path.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in store.path(job.id).iterdir())


def test_a_running_job_stops_within_a_second():
    with RunningJobs(never_end) as running:
        job = running.store.create("titles", TITLES, user="siti")
        wait(running.store, job, until=lambda job: job.done == 1)
        pid = int((running.store.path(job.id) / "pid").read_text())
        assert running.store.stop(job.id, "siti").state == "dihentikan"
        for _ in range(50):
            if not _is_alive(pid):
                break
            time.sleep(0.02)
        assert not _is_alive(pid)
        assert running.store.get(job.id, "siti").state == "dihentikan"


def test_a_killed_job_says_so():
    with RunningJobs(never_end) as running:
        job = running.store.create("titles", TITLES, user="siti")
        wait(running.store, job, until=lambda job: job.done == 1)
        os.kill(int((running.store.path(job.id) / "pid").read_text()), signal.SIGKILL)
        found = wait(running.store, job)
        assert (found.state, found.message) == ("gagal", DIED)


def test_a_killed_runner_is_replaced_and_its_jobs_say_so():
    with RunningJobs(never_end) as running:
        job = running.store.create("titles", TITLES, user="siti")
        wait(running.store, job, until=lambda job: job.done == 1)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.join()
        running.ensure()
        assert wait(running.store, job).message == DIED
        os.kill(int((running.store.path(job.id) / "pid").read_text()), signal.SIGKILL)
        other = running.store.create("titles", TITLES, user="siti")
        wait(running.store, other, until=lambda job: job.done == 1)


def test_few_jobs_run_at_the_same_time():
    with RunningJobs(never_end) as running:
        created = [running.store.create("titles", TITLES, user="siti") for _ in range(MAX_RUNNING + 1)]
        for job in created[:MAX_RUNNING]:
            wait(running.store, job, until=lambda job: job.done == 1)
        time.sleep(0.2)
        assert running.store.get(created[-1].id, "siti").state == "menunggu"
        running.store.stop(created[0].id, "siti")
        wait(running.store, created[-1], until=lambda job: job.done == 1)


def test_errors_are_told_in_a_sentence():
    def refuse(store, job):
        raise CorpusError("Berkas itu kosong.")

    def crash(store, job):
        raise ValueError("secret")

    for work, message in ((refuse, "Berkas itu kosong."), (crash, "Pemeriksaan gagal.")):
        with RunningJobs(work) as running:
            found = wait(running.store, running.store.create("titles", TITLES, user="siti"))
        assert found.state == "gagal"
        assert found.message.startswith(message)


def test_without_a_runner_a_waiting_job_fails(store, monkeypatch):
    job = store.create("titles", TITLES, user="siti")
    monkeypatch.setattr(jobs, "_PATIENCE", -1.0)
    assert store.get(job.id, "siti").message == NO_RUNNER
    with store.runner_lock():
        assert store.get(job.id, "siti").state == "menunggu"


def test_old_jobs_are_forgotten(store, monkeypatch):
    job = store.create("titles", TITLES, user="siti")
    store.remove_old()
    assert store.get(job.id, "siti") == job
    monkeypatch.setattr(jobs, "LIFETIME", -1.0)
    with pytest.raises(JobError):
        store.get(job.id, "siti")
    store.remove_old()
    assert not store.path(job.id).exists()


def test_too_many_waiting_jobs_are_refused(store, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_WAITING", 1)
    store.create("titles", TITLES, user="siti")
    with pytest.raises(BusyError):
        store.create("titles", TITLES, user="budi")


def test_nobody_keeps_all_others_waiting(store, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_WAITING_OF_ONE", 2)
    first, _ = (store.create("titles", TITLES, user="siti") for _ in range(2))
    with pytest.raises(BusyError, match="daftar Anda"):
        store.create("titles", TITLES, user="siti")
    assert store.create("titles", TITLES, user="budi").state == "menunggu"
    store.report(first.id, state="selesai")
    assert store.create("titles", TITLES, user="siti").state == "menunggu"


def test_the_oldest_finished_jobs_make_room(store, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_JOBS", 2)
    created = []
    for _ in range(3):
        created.append(store.create("titles", TITLES, user="siti"))
        store.report(created[-1].id, state="selesai")
    assert [job.id for job in store.all()] == [job.id for job in created[1:]]


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
