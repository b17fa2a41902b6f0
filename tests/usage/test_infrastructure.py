"""What the machine and the page use: sampled by the page, read by `judul monitor`, with alerts."""

import json
import stat
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from judul_lib.core.clock import utc_now
from judul_lib.core.config import Config
from judul_lib.usage import infrastructure
from judul_lib.usage.alerts import DISK, LOG_SIZE, MEMORY, find_alerts
from judul_lib.usage.database import sqlite_url
from judul_lib.usage.frames import Usage
from judul_lib.usage.infrastructure import (
    MAX_SAMPLE_AGE,
    PAGE_FILE,
    MachineState,
    exceeded_limits,
    measure_machine,
    read_page_sample,
    recorded_page,
)
from judul_lib.usage.log import UsageLog
from tests.conftest import judul

CALM = MachineState(5.0, 50.0, 50_000.0, 10.0, None)
PAGE = """
import subprocess, sys, time
from pathlib import Path
from judul_lib.usage import infrastructure
infrastructure._INTERVAL = 0.3
kernel = subprocess.Popen([sys.executable, "-c", "import time\\nwhile True: pass"])
try:
    with infrastructure.recorded_page(Path(sys.argv[1])):
        sys.stdin.read()
finally:
    kernel.kill()
"""


def wait_for_sample(folder, is_wanted=lambda sample: True):
    for _ in range(600):
        sample = read_page_sample(folder, utc_now())
        if sample and is_wanted(sample):
            return sample
        time.sleep(0.05)
    raise AssertionError("no sample")


def test_page_records_itself_with_its_kernels_until_it_ends(tmp_path):
    page = subprocess.Popen([sys.executable, "-c", PAGE, tmp_path], stdin=subprocess.PIPE)
    try:
        sample = wait_for_sample(tmp_path, lambda sample: sample.cpu_percent > 0)
        assert (sample.pid, sample.n_processes) == (page.pid, 2)
        assert sample.memory_mb > psutil.Process(page.pid).memory_info().rss / 2e6
        assert sample.started <= sample.time <= utc_now()
        assert stat.S_IMODE((tmp_path / PAGE_FILE).stat().st_mode) == 0o600
    finally:
        page.communicate(timeout=60)
    assert not (tmp_path / PAGE_FILE).exists()


def test_old_and_damaged_samples_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(infrastructure, "_FIRST_WAIT", 0)
    with recorded_page(tmp_path):
        now = wait_for_sample(tmp_path).time
        content = (tmp_path / PAGE_FILE).read_text()
    file = tmp_path / PAGE_FILE
    file.write_text(content)
    assert read_page_sample(tmp_path, now + MAX_SAMPLE_AGE)
    assert read_page_sample(tmp_path, now + MAX_SAMPLE_AGE + timedelta(seconds=1)) is None
    for damaged in (content[:20], "[]", "{}", '{"time": 1}', content.replace("pid", "id")):
        file.write_text(damaged)
        assert read_page_sample(tmp_path, now) is None


def test_page_runs_where_the_log_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(infrastructure, "_FIRST_WAIT", 0)
    monkeypatch.setattr(infrastructure, "_INTERVAL", 0.01)
    folder = tmp_path / "logs"
    folder.write_text("a file")
    with recorded_page(folder):
        time.sleep(0.2)
        folder.unlink()  # From now on, it can.
        wait_for_sample(folder)


def test_state_measures_the_folder_of_the_log(tmp_path):
    (tmp_path / "a").write_bytes(bytes(2_000_000))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b").write_bytes(bytes(1_000_000))
    state = measure_machine(tmp_path, utc_now())
    assert state.log_mb == 3
    assert state.free_disk_mb == pytest.approx(psutil.disk_usage(str(tmp_path)).free / 1e6, rel=0.2)
    assert state.page is None
    assert measure_machine(tmp_path / "none", utc_now()).log_mb == 0


@pytest.mark.parametrize(
    ("kind", "below", "beyond"),
    [
        (DISK, {"free_disk_mb": 1_000.0}, {"free_disk_mb": 999.0}),
        (MEMORY, {"memory_percent": 90.0}, {"memory_percent": 90.5}),
        (LOG_SIZE, {"log_mb": 1_000.0}, {"log_mb": 1_000.5}),
    ],
)
def test_limits_raise_alerts(kind, below, beyond):
    assert exceeded_limits(replace(CALM, **below), Config()) == []
    machine = exceeded_limits(replace(CALM, **beyond), Config())
    (alert,) = find_alerts(Usage.from_tables({}), {}, utc_now(), machine=machine).to_dict("records")
    assert (alert["jenis"], alert["nilai"]) == (kind, *beyond.values())
    free = Config(min_free_disk_mb=0, max_memory_percent=100, max_log_mb=100_000)
    assert exceeded_limits(replace(CALM, **beyond), free) == []


def test_monitor_shows_the_machine_and_alerts_at_the_limits_of_the_settings(models):
    logs = models / "logs"
    with closing(UsageLog(logs, url=sqlite_url(logs))) as log:
        log.log_event("download", detail="csv")
    (logs / "judul.db.lama").write_bytes(bytes(1_500_000))
    options = {
        "JUDUL_DATABASE_URL": "", "JUDUL_MIN_FREE_DISK_MB": "0", "JUDUL_MAX_MEMORY_PERCENT": "100",
    }  # fmt: skip
    quiet = judul("monitor", "--models", models, "--once", **options, JUDUL_MAX_LOG_MB="5")
    assert quiet.returncode == 0, quiet.stdout
    assert "tidak berjalan di sini" in quiet.stdout
    large = judul("monitor", "--models", models, "--once", **options, JUDUL_MAX_LOG_MB="1")
    assert large.returncode == 1
    assert "judul govern playbook log-besar" in large.stdout
    page = subprocess.Popen([sys.executable, "-c", PAGE, logs], stdin=subprocess.PIPE)
    try:
        wait_for_sample(logs)
        shown = judul("monitor", "--models", models, **options)
        assert f"berjalan (proses {page.pid})" in shown.stdout
        facts = json.loads(judul("monitor", "--models", models, "--format", "json", **options).stdout)
        assert facts["machine"]["page"]["n_processes"] == 2
        other = judul("monitor", "--models", models, "--log", logs, **options)
        assert "Mesin ini" not in other.stdout
    finally:
        page.communicate(timeout=60)
