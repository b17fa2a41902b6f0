"""Reviews and incidents: due dates follow from traces, and every documented command exists."""

import json
import re
import shlex
import shutil
from datetime import date, datetime, timedelta

import click
import pandas as pd
import pytest
import sqlalchemy as sa

from judul_lib.checking.versions import add_version
from judul_lib.cli.main import cli
from judul_lib.core.clock import frozen_clock, utc_now
from judul_lib.core.config import Config
from judul_lib.core.errors import LogError
from judul_lib.figures import governance_plots, governance_tables
from judul_lib.governance import audit
from judul_lib.governance.backup import backup
from judul_lib.governance.bias import save_error_rates
from judul_lib.governance.privacy import LAW, retention
from judul_lib.governance.promotions import promote
from judul_lib.governance.restoring import restore
from judul_lib.governance.reviews import (
    BREACH,
    BREACH_NOTICE,
    LATE,
    LATER,
    NEVER,
    TODAY,
    mark_reviewed,
    playbook,
    review_statuses,
    reviews,
)
from judul_lib.usage.alerts import ALERT_COLUMNS, ALERTS, INCIDENT_LEVELS, find_alerts
from judul_lib.usage.database import database_url, events, opened_database, read_table, sqlite_url
from judul_lib.usage.frames import Usage
from judul_lib.usage.log import insert_units
from judul_lib.usage.simulation import simulate_usage
from tests.conftest import PROJECT, assert_refused, copy_stored_models, judul

NOW = datetime(2026, 6, 30, 5)  # Noon in Jakarta.
LOCAL_TODAY = date(2026, 6, 30)


@pytest.fixture
def config(tmp_path):
    return Config(models=tmp_path / "outputs")


def review_status(config, engine, name, now=NOW):
    return next(status for status in review_statuses(config, engine, now) if status.name == name)


def tick_ago(config, engine, name, days):
    with frozen_clock(NOW - timedelta(days=days)):
        mark_reviewed(engine, config.logs, name, actor="a", reason="dilihat")


def audit_ago(config, engine, action, days):
    with frozen_clock(NOW - timedelta(days=days)):
        audit.append_row(engine, config.logs, actor="a", action=action, reason="ya")


def error_event(days, *, simulated=False):
    return {
        "id": f"{days:032x}", "time": NOW - timedelta(days=days), "user": None, "simulated": simulated,
        "kind": "error", "model": None, "detail": "", "seconds": None,
    }  # fmt: skip


def test_new_installation_has_a_whole_period_for_each_review(config, engine):
    statuses = review_statuses(config, engine, NOW)
    assert [status.name for status in statuses] == list(reviews())
    assert {(status.status, status.is_due) for status in statuses} == {(NEVER, True)}
    days = [status.review.days for status in statuses]
    assert days == sorted(days)
    assert [status.due_date for status in statuses] == [LOCAL_TODAY + timedelta(days=n) for n in days]


def test_review_never_done_is_overdue_a_period_after_the_first_record(config, engine):
    insert_units(engine, [{"events": [error_event(400, simulated=True)]}])  # Not real usage.
    assert review_status(config, engine, "akses").days_overdue == 0
    insert_units(engine, [{"events": [error_event(91)]}, {"events": [error_event(-5)]}])
    status = review_status(config, engine, "akses")
    assert (status.days_overdue, status.status) == (1, LATE)
    assert review_status(config, engine, "peringatan").days_overdue == 90


@pytest.mark.parametrize(
    ("days", "status", "days_overdue"), [(0, LATER, 0), (6, LATER, 0), (7, TODAY, 0), (8, LATE, 1)]
)
def test_tick_counts_from_its_day_and_for_its_review_only(config, engine, days, status, days_overdue):
    tick_ago(config, engine, "pergeseran", 30)
    tick_ago(config, engine, "pergeseran", days)
    drift = review_status(config, engine, "pergeseran")
    assert (drift.status, drift.days_overdue, drift.is_due) == (status, days_overdue, status != LATER)
    assert drift.last == LOCAL_TODAY - timedelta(days=days)
    assert "Baris 2 jejak audit (tinjauan)" in drift.evidence
    assert review_status(config, engine, "pendapat").last is None
    assert audit.verify(engine, config.logs) == []


def test_audit_rows_count_as_reviews_on_their_local_day(config, engine):
    audit_ago(config, engine, audit.EXPORT, 1)
    assert all(status.last is None for status in review_statuses(config, engine, NOW))
    audit_ago(config, engine, audit.RESTORE, 5)
    with frozen_clock(datetime(2026, 6, 29, 18)):  # Already the 30th in Jakarta.
        retention(engine, config.logs, days=90, actor="a")
    statuses = review_statuses(config, engine, NOW)
    assert {status.name: status.last for status in statuses if status.last} == {
        "masa-simpan": LOCAL_TODAY,
        "pemulihan": LOCAL_TODAY - timedelta(days=5),
    }


def test_backup_in_its_folder_counts_unless_it_is_damaged(config, engine):
    config.models.mkdir()
    path = config.backups / "a.zip"
    with frozen_clock(NOW - timedelta(days=3)):
        backup(config.models, engine, config.logs, path, actor="a", reason="ya")
    assert review_status(config, engine, "cadangan").last == LOCAL_TODAY - timedelta(days=3)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit"))
    assert "a.zip, semua hash cocok" in review_status(config, engine, "cadangan").evidence
    audit_ago(config, engine, audit.BACKUP, 1)
    path.write_bytes(path.read_bytes()[:-50])
    status = review_status(config, engine, "cadangan")
    assert status.last is None
    assert "rusak" in status.evidence


def test_calendar_has_the_schedule_of_the_study():
    scheduled = {
        1: ["peringatan", "waktu-jawab"],
        7: ["pergeseran", "kesepakatan", "pendapat"],
        30: ["latih-ulang", "uji-ab", "dokumentasi", "masa-simpan"],
        90: ["model", "keamanan", "daftar-periksa", "presentasi"],
    }
    for days, names in scheduled.items():
        assert {reviews()[name].days for name in names} == {days}
    periods = [review.days for review in reviews().values()]
    assert periods == sorted(periods)


def test_training_and_error_rates_count_as_reviews(config, engine):
    audit_ago(config, engine, audit.TRAIN, 4)
    assert review_status(config, engine, "latih-ulang").last == LOCAL_TODAY - timedelta(days=4)
    model = config.models / "light"
    shutil.copytree(PROJECT / "outputs" / "light", model)
    assert review_status(config, engine, "galat-kelompok").last is None
    with frozen_clock(NOW - timedelta(days=2)):
        save_error_rates(config.models, model, {"bidang": pd.DataFrame({"luput": [0.1]}, index=["a"])})
    assert review_status(config, engine, "galat-kelompok").last == LOCAL_TODAY - timedelta(days=2)


def test_model_review_is_due_as_its_promotion_says(config, engine):
    version = add_version(config.models, PROJECT / "outputs" / "light")
    with frozen_clock(NOW - timedelta(days=100)):
        promote(config.models, "light", version, reason="ya", approver="a")
    status = review_status(config, engine, "model")
    assert (status.last, status.days_overdue) == (LOCAL_TODAY - timedelta(days=100), 69)
    assert version in status.evidence
    tick_ago(config, engine, "model", 2)
    assert review_status(config, engine, "model").due_date == LOCAL_TODAY + timedelta(days=88)
    (config.models / "models" / "light" / "history.json").write_text("[")
    status = review_status(config, engine, "model")
    assert status.last == LOCAL_TODAY - timedelta(days=2)
    assert "rusak" in status.evidence


def test_traces_dated_in_the_future_do_not_count(config, engine):
    tick_ago(config, engine, "akses", 40)
    tick_ago(config, engine, "akses", -200)
    tick_ago(config, engine, "akses", 50)
    status = review_status(config, engine, "akses")
    assert status.last == LOCAL_TODAY - timedelta(days=40)
    assert "masa depan" in status.evidence
    assert status.days_overdue == 0
    earlier = review_status(config, engine, "akses", NOW - timedelta(days=1000))
    assert (earlier.last, earlier.days_overdue, earlier.status) == (None, 0, NEVER)
    assert review_status(config, engine, "akses", NOW + timedelta(days=201)).last == date(2027, 1, 16)


def test_tampered_row_is_not_a_tick(config, engine):
    tick_ago(config, engine, "akses", 1)
    for details in ("{", "[]", '{"review": ["akses"]}'):
        with engine.begin() as connection:
            connection.execute(sa.update(audit.audit).values(details=details))
        assert review_status(config, engine, "akses").last is None


def test_unknown_reviews_and_those_with_traces_cannot_be_ticked(config, engine):
    for name in ("cadangan", "masa-simpan", "lain", ""):
        with pytest.raises(LogError, match="Pilih: peringatan"):
            mark_reviewed(engine, config.logs, name, actor="a", reason="ya")
    assert read_table(engine, audit.audit) == []


def test_calendar_and_playbook_commands(tmp_path):
    models = tmp_path / "outputs"
    logs = Config(models=models).logs
    with opened_database(database_url(logs)) as engine, frozen_clock(utc_now() - timedelta(days=3)):
        mark_reviewed(engine, logs, "peringatan", actor="a", reason="ya")
    calendar = judul("govern", "calendar", "--models", models)
    assert calendar.returncode == 1
    assert "2 tinjauan terlambat." in calendar.stdout
    assert "terlambat 2 hari" in calendar.stdout
    options = ["--reason", "tenang", "--models", models]
    for name in ("peringatan", "waktu-jawab"):
        assert judul("govern", "reviewed", name, *options).returncode == 0
    calendar = judul("govern", "calendar", "--models", models)
    assert calendar.returncode == 0
    assert "Tidak ada tinjauan yang terlambat." in calendar.stdout
    assert_refused(judul("govern", "reviewed", "cadangan", *options), "tidak dapat ditandai")
    listed = judul("govern", "playbook").stdout
    assert all(kind in listed for kind in playbook())
    breach = judul("govern", "playbook", "data-pribadi").stdout
    assert all(f". {step}\n" in breach for step in playbook()["data-pribadi"].steps)
    assert_refused(judul("govern", "playbook", "banjir"), "Pilih: model-gagal")


def test_every_incident_is_complete():
    assert list(playbook())[: len(ALERTS)] == list(ALERTS)
    assert len(playbook()) == len(ALERTS) + 6
    for kind, incident in playbook().items():
        assert incident.response_deadline == INCIDENT_LEVELS[incident.level].response_deadline
        assert kind not in ALERTS or incident.level == ALERTS[kind].level
        assert len(incident.steps) >= 3, kind
        assert "`" in incident.record or "tercatat sendiri" in incident.record, kind
        texts = [*incident.steps, incident.notify, incident.record, incident.resolved_when]
        assert all(text and text == " ".join(text.split()) for text in texts), kind


def test_data_files_agree_with_the_code():
    assert not reviews()["cadangan"].can_be_ticked
    assert {a for review in reviews().values() for a in review.actions} <= set(audit.ACTIONS)
    breach = playbook()[BREACH]
    assert breach.level == "P1"
    assert any(BREACH_NOTICE in step and LAW in step for step in breach.steps)
    assert BREACH_NOTICE in breach.notify


def test_levels_and_actions_are_those_of_the_study():
    deadlines = {level: entry.response_deadline for level, entry in INCIDENT_LEVELS.items()}
    assert deadlines == {"P1": "15 menit", "P2": "1 jam", "P3": "4 jam"}
    expected = {
        "tanpa-jawaban": ("P1", ["judul models rollback", "pengguna", "rapat darurat"]),
        "ketepatan-turun": ("P2", ["bergeser", "judul models verify", "judul retrain"]),
        "lambat": ("P3", ["Optimalkan", "Tambah kapasitas", "Simpan hasil antara"]),
    }
    for kind, (level, actions) in expected.items():
        incident = playbook()[kind]
        assert incident.level == level
        assert all(any(action in step for step in incident.steps) for action in actions), kind


def test_alert_names_its_kind():
    (row,) = find_alerts(Usage.from_tables({"events": [error_event(-1)]}), {}, NOW).to_dict("records")
    assert list(row) == list(ALERT_COLUMNS)
    assert row["tindakan"] == ALERTS[row["jenis"]].first_action


def documented_commands():
    """Return every command in the playbook, the alerts and the calendar."""
    texts = [alert.first_action for alert in ALERTS.values()]
    for incident in playbook().values():
        texts += [*incident.steps, incident.notify, incident.record, incident.resolved_when]
    quoted = [part for text in texts for part in re.findall(r"`([^`]+)`", text)]
    return sorted({*quoted, *(review.command for review in reviews().values())})


def parse_command(words):
    """Parse a command line; click raises on unknown commands, options and arguments."""
    command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    if words:
        command.make_context(command.name, words)


@pytest.mark.parametrize("line", documented_commands())
def test_documented_command_exists_with_its_options(line):
    first, *words = shlex.split(line)
    if first == "make":
        assert re.search(rf"^{words[0]}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    elif first == "judul" and words:
        parse_command(list(words))
        if words[:2] == ["govern", "playbook"]:
            assert words[2] in playbook()
        if words[:2] == ["govern", "reviewed"]:
            assert reviews()[words[2]].can_be_ticked
    else:
        others = ("judul", "git status", "judul.toml", "log.key", "log/log.key", "--force")
        assert line in others or line.startswith(("JUDUL_", "judul.db.")), line


@pytest.mark.parametrize("line", ["hapus", "govern hapus", "monitor --apa", "models rollback light"])
def test_wrong_command_is_not_parsed(line):
    with pytest.raises((KeyError, click.UsageError)):
        parse_command(line.split())


def figure_titles(figure):
    layout = figure.to_dict()["layout"]
    axes = [layout[name].get("title", {}).get("text") for name in layout if name.startswith("xaxis")]
    return layout["title"]["text"], axes, layout["yaxis"]["title"]["text"]


def test_timeline_shows_each_review_once_at_its_day(config, engine):
    tick_ago(config, engine, "peringatan", 3)
    tick_ago(config, engine, "pergeseran", 7)
    tick_ago(config, engine, "ambang", 5)
    tick_ago(config, engine, "waktu-jawab", 0)
    figure = governance_plots.review_timeline(review_statuses(config, engine, NOW))
    marks = {trace.name: trace for trace in figure.data if (trace.name or "").startswith("paling")}
    assert {name: len(trace.x) for name, trace in marks.items()} == {
        f"paling lambat: {LATE}": 1, f"paling lambat: {TODAY}": 1, f"paling lambat: {LATER}": 2,
        f"paling lambat: {NEVER}": len(reviews()) - 4,
    }  # fmt: skip
    assert marks[f"paling lambat: {LATE}"].x == (-2,)
    assert marks[f"paling lambat: {LATER}"].x == (1, 85)
    assert len({trace.marker.symbol for trace in marks.values()}) == 4  # Distinct in greyscale, too.
    title, (x_title,), y_title = figure_titles(figure)
    assert (title, y_title) == ("Kalender tinjauan", "yang ditinjau")
    assert "hari dari hari ini" in x_title


@pytest.fixture
def rates():
    columns = [f"{kind}{end}" for kind in ("alarm palsu", "luput") for end in ("", ", dari", ", sampai")]
    rows = {
        "semua": [30, 0.2, 0.1, 0.3, 0.1, 0.0, 0.2],
        "a<b": [20, 0.5, 0.4, 0.6, 0.0, 0.0, 0.1],
        "c": [10, 0.1, 0.0, 0.2, None, None, None],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["pasangan", *columns], dtype=float)


def test_error_rates_are_drawn_with_their_intervals(rates):
    figure = governance_plots.error_rate_intervals(rates, "Galat menurut bidang")
    false_alarms, missed = figure.data
    assert false_alarms.x == (50, 10)
    assert false_alarms.error_x.array == (10, 10)
    assert false_alarms.error_x.arrayminus == (10, 10)
    assert missed.x == (0,)
    assert "a&lt;b" in false_alarms.y[0]
    assert false_alarms.marker.symbol != missed.marker.symbol
    assert [line.x0 for line in figure.layout.shapes] == [20, 10]
    assert figure_titles(figure) == ("Galat menurut bidang", ["persen pasangan"] * 2, "kelompok judul")


def test_description_distinguishes_chance_from_disparity(rates):
    text = governance_tables.describe_disparities(rates)
    assert "kelompok *a<b*: 50,0 % (40,0 % sampai 60,0 %)" in text
    assert "lebih dari kebetulan" in text
    assert text.count("masih dapat kebetulan") == 1
    missing = rates.assign(luput=None).astype(float)
    assert "terlalu sedikit pasangan" in governance_tables.describe_disparities(missing)
    table = governance_tables.rate_table({"bidang": rates})
    assert table["luput"].tolist() == ["0,0 % (0,0 % sampai 10,0 %)", "–"]


def files_in(folder):
    """Return the contents of all files, without those that SQLite keeps while it is read."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if not path.name.endswith(("-wal", "-shm"))}


def test_work_on_a_restored_copy_leaves_the_original_unchanged(tmp_path):
    outputs = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", outputs / "light")
    logs, zip_file = outputs / "logs", outputs / "backups" / "a.zip"
    with opened_database(sqlite_url(logs)) as original:
        simulate_usage(original, seed=1, end=LOCAL_TODAY, days=5)
        backup(outputs, original, logs, zip_file, actor="a", reason="ya")
    before = files_in(outputs)
    copy = Config(models=tmp_path / "copy")
    restore(zip_file, copy.models, sqlite_url(copy.logs), copy.logs, actor="a", reason="ya")
    with opened_database(sqlite_url(copy.logs)) as copied:
        assert len(read_table(copied, events)) > 0
        assert audit.verify(copied, copy.logs) == []
        assert sum(retention(copied, copy.logs, days=1, actor="a").values()) > 0
    assert files_in(outputs) == before


def test_quality_of_versions_is_shown_over_time(tmp_path):
    outputs = tmp_path / "outputs"
    copy_stored_models(outputs)
    path = outputs / "light" / "metadata.json"
    metadata = json.loads(path.read_text())
    first = add_version(outputs, outputs / "light")
    comparison = {"roc_auc": {"old": 0.7, "new": 0.8}, "accuracy": {"old": 0.6, "new": 0.65}}
    changes = {"created": "2026-12-24T00:00:00+00:00", "previous": first, "comparison": comparison}
    path.write_text(json.dumps(metadata | changes))
    second = add_version(outputs, outputs / "light")
    promote(outputs, "light", second, reason="uji", approver="a")
    frame = governance_tables.version_table(outputs)
    light = frame[frame["model"] == "Model Ringan"].set_index("versi")
    assert light["ROC-AUC"].to_dict() == {first: 0.7, second: 0.8}
    assert light["berlaku"].to_dict() == {first: False, second: True}
    structured = frame[frame["model"] == "Model Terstruktur"].iloc[0]
    assert structured["dari"] < structured["ROC-AUC"] < structured["sampai"]
    figure = governance_plots.quality_over_versions(frame)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["Model Ringan"].y) == [0.7, 0.8]
    small, large = traces["Model Ringan"].marker.size
    assert large > small
    title, (x_title,), y_title = figure_titles(figure)
    assert "pasangan emas" in title
    assert (x_title, y_title) == ("tanggal dibuat", "ROC-AUC pada pasangan emas")


def test_model_table_shows_missing_metadata(tmp_path):
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light")
    assert governance_tables.model_table(tmp_path)["belum ada"].tolist() == ["–"]
    path = tmp_path / "light" / "metadata.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "metrics": {}, "evaluation": {}}))
    assert governance_tables.model_table(tmp_path)["belum ada"].tolist() == ["metrics"]


def test_frozen_clock_is_released():
    before = utc_now()
    with frozen_clock(NOW):
        assert utc_now() == NOW
    with pytest.raises(LogError), frozen_clock(NOW):
        raise LogError("berhenti")
    assert before <= utc_now() < before + timedelta(minutes=5)
