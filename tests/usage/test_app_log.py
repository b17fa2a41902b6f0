"""``app.log``: one line per answer and event, no title in any of them, safe rotation."""

import logging
import re
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from logging.handlers import RotatingFileHandler

import pytest

from judul_lib import load_checker
from judul_lib.core.clock import utc_now
from judul_lib.core.config import Config
from judul_lib.core.errors import ModelError
from judul_lib.governance import privacy
from judul_lib.governance.log_copies import log_copies
from judul_lib.usage import app_log
from judul_lib.usage.app_log import APP_LOG, AppLog, prune_app_log
from judul_lib.usage.database import DATABASE_FILE, opened_database, sqlite_url
from judul_lib.usage.installation import has_log, open_log
from judul_lib.usage.log import AnsweredQuery, UsageLog
from judul_lib.web.service import Service
from tests.conftest import PROJECT, judul

TITLE = "Sistem Pakar Diagnosa Penyakit Cabai Rawit"
WORDS = re.compile("sistem|pakar|diagnosa|penyakit|cabai|rawit|siti", re.IGNORECASE)
WRITER = """
import sys
from pathlib import Path
from judul_lib.usage import app_log
app_log.MAX_BYTES, app_log.N_BACKUPS = 2_000, 100
for k in range(150):
    app_log.AppLog(Path(sys.argv[1])).event("download", detail=f"{sys.argv[2]}-{k}")
"""


@pytest.fixture(scope="module")
def matches():
    return load_checker(PROJECT / "outputs" / "light").check(TITLE, top_k=5)


def lines_of(folder):
    return (folder / APP_LOG).read_text().splitlines()


def test_each_answer_and_event_is_one_line_without_title_and_user(tmp_path, matches):
    with closing(UsageLog(tmp_path, url=sqlite_url(tmp_path), user="siti", app_log=True)) as log:
        answers = {"full": matches, "light": matches.first(2)}
        log.log_predictions([AnsweredQuery(TITLE, answers, 0.25)], "page")
        log.log_predictions([], "check_many")
        log.log_event("model_loaded", model="light", seconds=0.5)
        log.log_event("error", detail="CorpusError")
        user = log.user
    full, light, loaded, error = lines_of(tmp_path)
    decision = matches.decision
    told = f"peluang={decision.probability[0]:.3f} simpulan={decision.labels[0]} detik=0.250"
    assert full.endswith(f" INFO jawaban sumber=page model=full {told}")
    assert light.endswith(f" INFO jawaban sumber=page model=light {told}")
    assert loaded.endswith(" INFO model_loaded model=light detik=0.500")
    assert error.endswith(" ERROR error rincian=CorpusError")
    written = datetime.fromisoformat(full.split()[0])
    assert abs(written.timestamp() - datetime.now().timestamp()) < 60
    content = (tmp_path / APP_LOG).read_text()
    assert not WORDS.search(content)
    assert user not in content
    assert stat.S_IMODE((tmp_path / APP_LOG).stat().st_mode) == 0o600


def test_answer_without_a_match_says_so(tmp_path, matches):
    nothing = replace(matches.first(0), deciding=None)
    AppLog(tmp_path).answers([("check", {"light": nothing}, 0.1)])
    (line,) = lines_of(tmp_path)
    assert line.endswith(" model=light simpulan=tanpa-hasil detik=0.100")


def test_title_in_an_exception_or_with_log_text_stays_out(models, monkeypatch):
    def fail(*_, **__):
        raise ModelError(f"Gagal: {TITLE}")

    config = Config(models=models, log_text=True)
    service = Service(config)
    service.log_loading()
    service.start_worker()
    service.log_result(service.check(TITLE), "page")
    service.close()
    monkeypatch.setattr("judul_lib.web.service.load_checker", fail)
    with pytest.raises(ModelError, match="Cabai"):
        Service(config)
    with closing(open_log(config, print, user="siti")) as log:
        log.log_event("error", detail="CorpusError\n2026-01-01 INFO model_loaded")
    lines = lines_of(models / "logs")
    assert [line.split()[2] for line in lines] == ["model_loaded", "jawaban", "error"]
    assert not WORDS.search("\n".join(lines))


def test_rotation_by_several_processes_loses_no_line(tmp_path):
    names = ("a", "b", "c", "d")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, name]) for name in names]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * len(names)
    files = sorted(tmp_path.glob("app.log*"))
    assert len(files) > 5
    assert all(path.stat().st_size <= 2_000 for path in files)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    found = [line.split("rincian=")[1] for path in files for line in path.read_text().splitlines()]
    assert sorted(found) == sorted(f"{name}-{k}" for name in names for k in range(150))


def test_only_a_few_old_files_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(app_log, "MAX_BYTES", 200)
    for k in range(40):
        AppLog(tmp_path).event("download", detail=str(k))
    names = {path.name for path in tmp_path.glob("app.log*")}
    assert names == {APP_LOG, *(f"{APP_LOG}.{k}" for k in range(1, 6))}
    assert lines_of(tmp_path)[-1].endswith("rincian=39")


def test_unwritable_folder_and_file_lose_the_line_only(tmp_path, capfd):
    folder = tmp_path / "logs"
    folder.write_text("a file")
    AppLog(folder).event("download")
    folder.unlink()
    (folder / APP_LOG).mkdir(parents=True)
    AppLog(folder).event("download")
    assert capfd.readouterr() == ("", "")


def test_settings_switch_it_off(models):
    options = ("check", TITLE, "--models", models, "--model", "light")
    on = {"JUDUL_DATABASE_URL": "", "JUDUL_LOG": "true"}
    assert judul(*options, **on, JUDUL_APP_LOG="false").returncode == 0
    assert judul(*options, JUDUL_LOG="false").returncode == 0
    assert not (models / "logs" / APP_LOG).exists()
    assert judul(*options, **on).returncode == 0
    (line,) = lines_of(models / "logs")
    assert "jawaban sumber=check model=light" in line
    assert not WORDS.search(line)


def write_lines(path, *days):
    handler = RotatingFileHandler(path)
    for age in days:
        time = (datetime.now().astimezone() - timedelta(days=age)).isoformat(timespec="seconds")
        handler.emit(logging.makeLogRecord({"msg": f"{time} INFO download rincian={age}"}))
    handler.close()


def test_retention_deletes_old_lines_and_files(tmp_path):
    write_lines(tmp_path / APP_LOG, 10, 1)
    write_lines(tmp_path / f"{APP_LOG}.1", 100, 95, 80)
    write_lines(tmp_path / f"{APP_LOG}.2", 200)
    (tmp_path / "app.log.bak").write_text("not ours")
    with opened_database(sqlite_url(tmp_path)) as engine:
        assert log_copies(engine, tmp_path) == {}
        for dry_run in (True, False):
            counts = privacy.retention(engine, tmp_path, days=90, actor="a", dry_run=dry_run)
            assert counts[privacy.APP_LOG] == 3
            assert (tmp_path / f"{APP_LOG}.2").exists() == dry_run
        again = privacy.retention(engine, tmp_path, days=90, actor="a", force=True)
        assert privacy.APP_LOG not in again
    assert [line.rsplit("=", 1)[1] for line in lines_of(tmp_path)] == ["10", "1"]
    assert (tmp_path / f"{APP_LOG}.1").read_text().endswith("rincian=80\n")
    assert (tmp_path / "app.log.bak").exists()
    assert prune_app_log(tmp_path, utc_now()) == 3
    assert not (tmp_path / APP_LOG).exists()


def test_it_is_no_log_to_monitor(tmp_path):
    AppLog(tmp_path).event("download")
    assert not has_log(tmp_path, sqlite_url(tmp_path))
    assert not (tmp_path / DATABASE_FILE).exists()
