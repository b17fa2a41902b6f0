"""Reviews and incidents: what is due is seen by its traces, and every step is a command that exists."""

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
from judul_lib.cli.main import cli, main
from judul_lib.core.clock import clock_at, now
from judul_lib.core.config import Config
from judul_lib.core.errors import LogError
from judul_lib.figures import governance_plots
from judul_lib.governance import audit, incident_playbook
from judul_lib.governance.backup import backup
from judul_lib.governance.incident_playbook import PLAYBOOK
from judul_lib.governance.privacy import retention
from judul_lib.governance.promotions import promote
from judul_lib.governance.review_calendar import LATE, LATER, NEVER, REVIEWS, TODAY, due, tick
from judul_lib.governance.trial import trial_installation
from judul_lib.usage.alerts import ALERT_COLUMNS, ALERTS, INCIDENT_LEVELS, find_alerts
from judul_lib.usage.database import database_url, events, open_database, read_table, sqlite_url
from judul_lib.usage.frames import Usage
from judul_lib.usage.log import insert_units
from judul_lib.usage.simulation import simulate_usage
from tests.conftest import PROJECT

NOW = datetime(2026, 6, 30, 5)  # Noon in Jakarta.
TODAY_THERE = date(2026, 6, 30)


@pytest.fixture
def engine(url):
    opened = open_database(url, lock_wait=30)
    yield opened
    opened.dispose()


@pytest.fixture
def config(tmp_path):
    return Config(models=tmp_path / "outputs")


def review(config, engine, name, at=NOW):
    return next(one for one in due(config, engine, at) if one.name == name)


def ticked(config, engine, name, days):
    with clock_at(NOW - timedelta(days=days)):
        tick(engine, config.logs, name, actor="a", reason="dilihat")


def noted(config, engine, action, days):
    with clock_at(NOW - timedelta(days=days)):
        audit.append(engine, config.logs, actor="a", action=action, reason="ya")


def record(engine, days, *, simulated=False):
    row = {
        "id": f"{days:032x}", "time": NOW - timedelta(days=days), "user": None, "simulated": simulated,
        "kind": "error", "model": None, "detail": "", "seconds": None,
    }  # fmt: skip
    insert_units(engine, [{"events": [row]}])


def test_a_fresh_installation_has_a_whole_period_for_everything(config, engine):
    found = due(config, engine, NOW)
    assert [one.name for one in found] == list(REVIEWS)
    assert {one.status for one in found} == {NEVER}
    assert all(one.by == TODAY_THERE + timedelta(days=one.review.days) for one in found)
    assert [one.review.days for one in found] == sorted(one.review.days for one in found)


def test_what_was_never_done_is_late_a_period_after_the_first_record(config, engine):
    record(engine, 400, simulated=True)  # Nobody used it then.
    assert review(config, engine, "akses").overdue == 0
    record(engine, 91)
    assert (review(config, engine, "akses").overdue, review(config, engine, "akses").status) == (1, LATE)
    assert review(config, engine, "peringatan").overdue == 90
    record(engine, -5)  # Nor in the future.
    assert review(config, engine, "akses").overdue == 1


@pytest.mark.parametrize(
    ("days", "status", "overdue"), [(0, LATER, 0), (6, LATER, 0), (7, TODAY, 0), (8, LATE, 1)]
)
def test_a_tick_counts_from_its_day_and_for_its_review_only(config, engine, days, status, overdue):
    ticked(config, engine, "pergeseran", 30)
    ticked(config, engine, "pergeseran", days)
    found = review(config, engine, "pergeseran")
    assert (found.status, found.overdue) == (status, overdue)
    assert found.last == TODAY_THERE - timedelta(days=days)
    assert "Baris 2 jejak audit (tinjauan)" in found.evidence
    assert review(config, engine, "pendapat").last is None
    assert audit.verify(engine, config.logs) == []


@pytest.mark.parametrize(
    ("action", "name"), [(audit.RETENTION, "masa-simpan"), (audit.RESTORE, "pemulihan")]
)
def test_what_leaves_a_trace_is_seen_in_the_trail(config, engine, action, name):
    noted(config, engine, audit.EXPORT, 1)
    assert review(config, engine, name).last is None
    noted(config, engine, action, 5)
    assert review(config, engine, name).last == TODAY_THERE - timedelta(days=5)


def test_days_are_local(config, engine):
    with clock_at(datetime(2026, 6, 29, 18)):  # Already the 30th in Jakarta.
        retention(engine, config.logs, days=90, actor="a")
    assert review(config, engine, "masa-simpan").last == TODAY_THERE


def test_a_backup_is_seen_in_its_folder_and_a_damaged_one_does_not_count(config, engine):
    config.models.mkdir()
    path = config.backups / "a.zip"
    with clock_at(NOW - timedelta(days=3)):
        backup(config.models, engine, config.logs, path, actor="a", reason="ya")
    assert review(config, engine, "cadangan").last == TODAY_THERE - timedelta(days=3)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit"))
    assert "a.zip, semua hash cocok" in review(config, engine, "cadangan").evidence
    noted(config, engine, audit.BACKUP, 1)
    path.write_bytes(path.read_bytes()[:-50])
    found = review(config, engine, "cadangan")
    assert found.last is None
    assert "rusak" in found.evidence


def test_the_model_in_use_is_due_when_its_promotion_says_so(config, engine):
    version = add_version(config.models, PROJECT / "outputs" / "light")
    with clock_at(NOW - timedelta(days=100)):
        promote(config.models, "light", version, reason="ya", approver="a")
    found = review(config, engine, "model")
    assert (found.last, found.overdue) == (TODAY_THERE - timedelta(days=100), 10)
    assert version in found.evidence
    ticked(config, engine, "model", 2)
    assert review(config, engine, "model").by == TODAY_THERE + timedelta(days=88)
    (config.models / "models" / "light" / "history.json").write_text("[")
    found = review(config, engine, "model")
    assert found.last == TODAY_THERE - timedelta(days=2)
    assert "rusak" in found.evidence


def test_a_clock_that_was_wrong_breaks_nothing(config, engine):
    ticked(config, engine, "akses", 40)
    ticked(config, engine, "akses", -200)
    ticked(config, engine, "akses", 50)
    found = review(config, engine, "akses")
    assert found.last == TODAY_THERE - timedelta(days=40)
    assert "masa depan" in found.evidence
    assert found.overdue == 0
    earlier = review(config, engine, "akses", NOW - timedelta(days=1000))
    assert (earlier.last, earlier.overdue, earlier.status) == (None, 0, NEVER)
    assert review(config, engine, "akses", NOW + timedelta(days=201)).last == date(2027, 1, 16)


def test_a_row_that_somebody_changed_is_no_tick_and_no_fault(config, engine):
    ticked(config, engine, "akses", 1)
    for details in ("{", "[]", '{"review": ["akses"]}'):
        with engine.begin() as connection:
            connection.execute(sa.update(audit.audit).values(details=details))
        assert review(config, engine, "akses").last is None


@pytest.mark.parametrize("name", ["cadangan", "masa-simpan", "lain", ""])
def test_what_shows_by_itself_or_is_unknown_cannot_be_ticked(config, engine, name):
    with pytest.raises(LogError, match="Pilih: peringatan"):
        tick(engine, config.logs, name, actor="a", reason="ya")
    assert read_table(engine, audit.audit) == []


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code, capsys.readouterr()


def test_the_commands(tmp_path, capsys):
    models = tmp_path / "outputs"
    config = Config(models=models)
    opened = open_database(database_url(config.logs))
    with clock_at(now() - timedelta(days=3)):
        tick(opened, config.logs, "peringatan", actor="a", reason="ya")
    opened.dispose()
    code, said = run(capsys, "govern", "calendar", "--models", models)
    assert code == 1
    assert "1 tinjauan terlambat." in said.out
    assert "terlambat 2 hari" in said.out
    arguments = ["govern", "reviewed", "peringatan", "--reason", "tenang", "--models", models]
    assert run(capsys, *arguments)[0] == 0
    code, said = run(capsys, "govern", "calendar", "--models", models)
    assert code == 0
    assert "Tidak ada tinjauan yang terlambat." in said.out
    code, said = run(capsys, "govern", "reviewed", "cadangan", "--reason", "ya", "--models", models)
    assert (code, said.err.count("\n")) == (1, 1)
    assert all(kind in run(capsys, "govern", "playbook")[1].out for kind in PLAYBOOK)
    assert "3 × 24 jam" in run(capsys, "govern", "playbook", "data-pribadi")[1].out
    assert "Pilih: model-gagal" in run(capsys, "govern", "playbook", "banjir")[1].err


def test_every_alert_and_every_other_incident_has_its_steps():
    others = {
        value for name, value in vars(incident_playbook).items()
        if name in ("BREACH", "TAMPERED", "TRAIL", "KEY", "DATABASE", "BAD_VERSION")
    }  # fmt: skip
    assert set(PLAYBOOK) == set(ALERTS) | others
    assert len(others) == 6
    for kind, known in PLAYBOOK.items():
        assert known.within == INCIDENT_LEVELS[known.level].within
        assert known.level == ALERTS[kind].level if kind in ALERTS else known.level in INCIDENT_LEVELS
        assert len(known.steps) >= 3, kind
        assert "`" in known.written or "tercatat sendiri" in known.written, kind
        assert known.told
        assert known.over


def test_an_alert_names_its_kind():
    future = {"id": "1", "time": NOW + timedelta(days=1), "user": None, "simulated": False,
              "kind": "error", "model": None, "detail": "", "seconds": None}  # fmt: skip
    (row,) = find_alerts(Usage.of({"events": [future]}), {}, NOW).to_dict("records")
    assert list(row) == list(ALERT_COLUMNS)
    assert row["tindakan"] == ALERTS[row["jenis"]].to_do


def told_commands():
    """Every command that the playbook, the alerts and the calendar tell somebody to run."""
    texts = [one.to_do for one in ALERTS.values()]
    for known in PLAYBOOK.values():
        texts += [*known.steps, known.told, known.written, known.over]
    quoted = [part for text in texts for part in re.findall(r"`([^`]+)`", text)]
    return sorted({*quoted, *(one.command for one in REVIEWS.values())})


def resolve(words):
    """Find the command and let it read its arguments; click refuses what it does not know."""
    command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    if words:
        command.make_context(command.name, words)
    return command


@pytest.mark.parametrize("line", told_commands())
def test_a_command_that_is_told_exists_with_its_options(line):
    first, *words = shlex.split(line)
    if first == "make":
        assert re.search(rf"^{words[0]}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    elif first == "judul" and words:
        resolve(list(words))
        if words[:2] == ["govern", "playbook"]:
            assert words[2] in PLAYBOOK
        if words[:2] == ["govern", "reviewed"]:
            assert REVIEWS[words[2]].is_ticked
    else:
        known = ("judul", "git status", "judul.toml", "log.key", "log/log.key", "--force")
        assert line in known or line.startswith(("JUDUL_", "judul.db.")), line


@pytest.mark.parametrize("line", ["hapus", "govern hapus", "monitor --apa", "models rollback light"])
def test_that_test_would_find_a_wrong_command(line):
    with pytest.raises((KeyError, click.UsageError)):
        resolve(line.split())


def titles(figure):
    layout = figure.to_dict()["layout"]
    axes = [layout[name].get("title", {}).get("text") for name in layout if name.startswith("xaxis")]
    return layout["title"]["text"], axes, layout["yaxis"]["title"]["text"]


def test_the_timeline_shows_each_review_once_at_its_day(config, engine):
    ticked(config, engine, "peringatan", 3)
    ticked(config, engine, "pergeseran", 7)
    ticked(config, engine, "ambang", 5)
    reviews = due(config, engine, NOW)
    figure = governance_plots.review_timeline(reviews)
    marks = {trace.name: trace for trace in figure.data if (trace.name or "").startswith("paling")}
    assert {name: len(trace.x) for name, trace in marks.items()} == {
        f"paling lambat: {LATE}": 1, f"paling lambat: {TODAY}": 1, f"paling lambat: {LATER}": 1,
        f"paling lambat: {NEVER}": len(REVIEWS) - 3,
    }  # fmt: skip
    assert marks[f"paling lambat: {LATE}"].x == (-2,)
    assert marks[f"paling lambat: {LATER}"].x == (85,)
    assert len({trace.marker.symbol for trace in marks.values()}) == 4  # Told apart in grey, too.
    title, (across,), up = titles(figure)
    assert (title, up) == ("Kalender tinjauan", "yang ditinjau")
    assert "hari dari hari ini" in across


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
    title, across, up = titles(figure)
    assert (title, across, up) == ("Galat menurut bidang", ["persen pasangan"] * 2, "kelompok judul")


def test_the_reading_tells_chance_from_more(rates):
    said = governance_plots.reading(rates)
    assert "kelompok *a<b*: 50,0 % (40,0 % sampai 60,0 %)" in said
    assert "lebih dari kebetulan" in said
    assert said.count("masih dapat kebetulan") == 1
    nobody = rates.assign(luput=None).astype(float)
    assert "terlalu sedikit pasangan" in governance_plots.reading(nobody)
    shown = governance_plots.rate_table({"bidang": rates})
    assert shown["luput"].tolist() == ["0,0 % (0,0 % sampai 10,0 %)", "–"]


def test_what_is_tried_on_a_copy_does_not_reach_the_original(tmp_path, monkeypatch):
    outputs = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", outputs / "light")
    logs = outputs / "logs"
    with_log = open_database(database_url(logs))
    simulate_usage(with_log, seed=1, end=TODAY_THERE, days=5)
    audit.append(with_log, logs, actor="a", action=audit.EXPORT, reason="ya")
    backup(outputs, with_log, logs, outputs / "backups" / "a.zip", actor="a", reason="ya")
    with_log.dispose()
    before = {p.relative_to(outputs): p.read_bytes() for p in outputs.rglob("*") if p.is_file()}
    trial = trial_installation(outputs, tmp_path / "copy", logs)
    monkeypatch.setenv("JUDUL_DATABASE_URL", database_url(logs))  # Not even then.
    copied = open_database(sqlite_url(trial.logs))
    assert len(read_table(copied, events)) > 0
    assert audit.verify(copied, trial.logs) == []
    assert review(trial, copied, "cadangan", now()).last is not None
    assert sum(retention(copied, trial.logs, days=1, actor="a").values()) > 0
    copied.dispose()
    after = {p.relative_to(outputs): p.read_bytes() for p in outputs.rglob("*") if p.is_file()}
    assert {p: c for p, c in after.items() if not p.name.endswith(("-wal", "-shm"))} == before
    again = trial_installation(outputs, tmp_path / "third", logs)  # By the database's address.
    third = open_database(sqlite_url(again.logs))
    assert len(read_table(third, audit.audit)) == 2
    third.dispose()
    monkeypatch.delenv("JUDUL_DATABASE_URL")
    with pytest.raises(LogError, match="Tidak ada log"):
        trial_installation(outputs, tmp_path / "fourth", tmp_path / "lain")


def test_models_are_told_with_what_their_metadata_lack(tmp_path):
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light")
    assert governance_plots.model_table(tmp_path)["belum ada"].tolist() == ["–"]
    path = tmp_path / "light" / "metadata.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "metrics": {}, "evaluation": {}}))
    assert governance_plots.model_table(tmp_path)["belum ada"].tolist() == ["metrics"]


def test_the_clock_goes_on_after_a_demonstration():
    before = now()
    with clock_at(NOW):
        assert now() == NOW
    with pytest.raises(LogError), clock_at(NOW):
        raise LogError("berhenti")
    assert before <= now() < before + timedelta(minutes=5)
