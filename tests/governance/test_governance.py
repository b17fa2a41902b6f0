"""Audit trail, privacy, backups and the compliance checklist."""

import hmac
import json
import random
import re
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from judul_lib import load_checker
from judul_lib.checking import versions
from judul_lib.checking.registry import METADATA_FILE
from judul_lib.checking.versions import add_version
from judul_lib.core.clock import frozen_clock, utc_now
from judul_lib.core.config import Config
from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import log_key
from judul_lib.core.storage import file_lock, sha256_of
from judul_lib.governance import audit, privacy, promotions, security
from judul_lib.governance import backup as backup_module
from judul_lib.governance import compliance as compliance_module
from judul_lib.governance.backup import FORMAT, backup, newest_copy, verify_backup
from judul_lib.governance.bias import FAIRNESS_FILE, read_error_rates, save_error_rates
from judul_lib.governance.compliance import run_checklist
from judul_lib.governance.log_copies import log_copies
from judul_lib.governance.promotions import AuditWriter
from judul_lib.governance.restoring import restore
from judul_lib.usage.database import (
    QUARANTINE_TIME_FORMAT,
    SCHEMA_VERSION,
    USAGE_TABLES,
    database_url,
    open_database,
    opened_database,
    read_table,
    sqlite_url,
)
from judul_lib.usage.log import UsageLog, insert_units
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE, append_to_spool, locked_spool
from tests.conftest import PROJECT, assert_refused, copy_stored_models, judul

USERS = [f"{number:016x}" for number in (0xABC1230000000001, 0xABC1230000000002, 0xF00D)]

APPENDER = """
import sys
from pathlib import Path
from judul_lib.governance import audit
from judul_lib.usage.database import open_database
engine = open_database(sys.argv[2], lock_wait=60)
for k in range(25):
    audit.append_row(engine, Path(sys.argv[1]), actor=sys.argv[3], action=audit.TRAIN, reason=str(k))
"""


@pytest.fixture
def models(tmp_path):
    """A folder of models with the light one."""
    return shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "outputs" / "light").parent


def append_rows(engine, folder, n=6):
    for k in range(n):
        action = audit.ACTIONS[k % len(audit.ACTIONS)]
        audit.append_row(
            engine, folder, actor="a", action=action, reason=f"alasan {k}",
            details={"lama": {"f1": 0.9}, "baru": {"f1": k / 10}},
        )  # fmt: skip


def execute(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_untouched_trail_is_intact(engine, tmp_path):
    append_rows(engine, tmp_path, 30)
    assert audit.verify(engine, tmp_path) == []
    assert [row["seq"] for row in read_table(engine, audit.audit)] == list(range(1, 31))
    assert audit.read_head(tmp_path).seq == 30


def test_four_processes_append_to_one_trail(engine, url, tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", APPENDER, tmp_path, url, f"p{k}"], cwd=PROJECT)
        for k in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    assert audit.verify(engine, tmp_path) == []
    rows = read_table(engine, audit.audit)
    assert sorted(row["seq"] for row in rows) == list(range(1, 101))
    assert {(row["actor"], row["reason"]) for row in rows} == {
        (f"p{k}", str(n)) for k in range(4) for n in range(25)
    }
    assert audit.read_head(tmp_path).seq == 100


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["UPDATE audit SET reason = 'lain' WHERE seq = 3"], "Baris 3 jejak audit berubah"),
        (["UPDATE audit SET actor = 'b' WHERE seq = 6"], "Baris 6 jejak audit berubah"),
        (["UPDATE audit SET details = '{}' WHERE seq = 1"], "Baris 1 jejak audit berubah"),
        (["UPDATE audit SET time = '2020-01-01 00:00:00' WHERE seq = 2"], "Baris 2 jejak audit berubah"),
        (["DELETE FROM audit WHERE seq = 3"], "Baris 3 jejak audit hilang"),
        (["DELETE FROM audit WHERE seq < 3"], "Baris 1–2 jejak audit hilang"),
        (
            [f"UPDATE audit SET seq = {b} WHERE seq = {a}" for a, b in ((3, 99), (4, 3), (99, 4))],
            "Baris 3 jejak audit tidak menyambung",
        ),
        (
            ["DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
             "UPDATE audit SET seq = 4 WHERE seq = 5", "UPDATE audit SET seq = 5 WHERE seq = 6"],
            "Baris 3 jejak audit tidak menyambung",
        ),
        (["DELETE FROM audit WHERE seq = 6"], "Baris 6 di ujung jejak audit hilang"),
        (["DELETE FROM audit WHERE seq > 3"], "Baris 4–6 di ujung jejak audit hilang"),
        (["DELETE FROM audit"], "Baris 1–6 di ujung jejak audit hilang"),
    ],
)  # fmt: skip
def test_tampering_is_detected(engine, tmp_path, statements, problem):
    append_rows(engine, tmp_path)
    execute(engine, *statements)
    assert any(problem in sentence for sentence in audit.verify(engine, tmp_path))


def test_rows_appended_after_a_cut_do_not_hide_it(engine, tmp_path):
    append_rows(engine, tmp_path)
    execute(engine, "DELETE FROM audit WHERE seq = 6")
    append_rows(engine, tmp_path, 3)
    assert audit.verify(engine, tmp_path) == [
        f"Baris 6 jejak audit bukan yang tercatat di {place}."
        for place in (audit.HEAD_FILE, "Tabel audit_head")
    ]


def test_rewritten_trail_with_valid_hashes_is_detected(engine, tmp_path):
    append_rows(engine, tmp_path)
    execute(engine, "DELETE FROM audit")
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(tmp_path / audit.KEY_FILE, tmp_path / "elsewhere")
    append_rows(engine, tmp_path / "elsewhere")
    assert "bukan yang tercatat" in audit.verify(engine, tmp_path)[0]


def test_missing_or_torn_head_is_reported(engine, tmp_path):
    append_rows(engine, tmp_path)
    (tmp_path / audit.HEAD_FILE).write_text('{"seq": 6, "ha')
    assert "tidak dapat dibaca" in audit.verify(engine, tmp_path)[0]
    (tmp_path / audit.HEAD_FILE).unlink()
    assert "tidak ada" in audit.verify(engine, tmp_path)[0]


def forge_row(engine, key=b"", **changes):
    """Append a row as somebody can who may write to the database, but does not have the key."""
    rows = audit_rows(engine)
    last = rows[-1] if rows else {"seq": 0, "hash": "0" * 64}
    row = {
        "seq": last["seq"] + 1, "time": utc_now(),
        "actor": "a", "action": audit.PROMOTE, "reason": "palsu",
        "details": "{}", "previous": last["hash"], **changes,
    }  # fmt: skip
    content = json.dumps(
        {**row, "time": row["time"].isoformat(timespec="microseconds")},
        sort_keys=True, separators=(",", ":"),
    ).encode()  # fmt: skip
    row["hash"] = hmac.new(key, content, "sha256").hexdigest() if key else sha256_of(content)
    with engine.begin() as connection:
        connection.execute(audit.audit.insert().values(row))


@pytest.mark.parametrize("key", [b"", b"another"])
def test_row_forged_without_the_key_is_detected(engine, tmp_path, key):
    append_rows(engine, tmp_path)
    forge_row(engine, key)
    (problem,) = audit.verify(engine, tmp_path)
    assert problem.startswith("Baris 7 jejak audit")
    append_rows(engine, tmp_path, 1)  # The next row does not hide it.
    assert problem in audit.verify(engine, tmp_path)


def test_trail_rewritten_without_the_key_is_detected(engine, tmp_path):
    append_rows(engine, tmp_path)
    execute(engine, "DELETE FROM audit", "DELETE FROM audit_head")
    for _ in range(6):
        forge_row(engine)
    audit.write_head(tmp_path, audit.ChainHead(6, audit_rows(engine)[-1]["hash"]))
    assert "tidak dapat dipastikan" in " ".join(audit.verify(engine, tmp_path))


def test_head_cannot_be_set_back_without_the_key(engine, tmp_path):
    append_rows(engine, tmp_path)
    execute(engine, "DELETE FROM audit WHERE seq > 4")
    third = audit_rows(engine)[3]["hash"]
    audit.write_head(tmp_path, audit.ChainHead(4, third, "0" * 64))
    execute(engine, f"UPDATE audit_head SET seq = 4, hash = '{third}'")
    for _ in range(2):
        problems = " ".join(audit.verify(engine, tmp_path))
        assert f"{audit.HEAD_FILE} tidak ditulis dengan kunci" in problems
        append_rows(engine, tmp_path, 1)  # The head stays as evidence.


def test_trail_without_a_head_is_not_reported_intact(url, models):
    logs = models / "logs"
    verify = "govern", "verify", "--models", models

    def verified():
        return judul(*verify, JUDUL_DATABASE_URL="" if url.startswith("sqlite") else url)

    with opened_database(sqlite_url(logs) if url.startswith("sqlite") else url) as opened:
        fresh = verified()
        assert (fresh.returncode, "tidak dapat dipastikan" in fresh.stderr) == (1, True)
        append_rows(opened, logs)
        assert verified().stdout == "Jejak audit utuh: 6 baris.\n"
        execute(opened, "DELETE FROM audit")
        (logs / audit.HEAD_FILE).unlink()
        assert "Baris 1–6 di ujung jejak audit hilang" in verified().stderr
        execute(opened, "DELETE FROM audit_head")
        assert "tidak dapat dipastikan" in verified().stderr
        assert verified().returncode == 1


def test_key_is_private_and_restored_but_not_recreated(engine, url, tmp_path):
    models = tmp_path / "outputs"
    append_rows(engine, models / "logs")
    key = models / "logs" / audit.KEY_FILE
    assert key.stat().st_mode & 0o077 == 0
    content = key.read_bytes()
    make_backup(engine, models, tmp_path / "cadangan.zip")
    key.unlink()
    assert "audit.key hilang" in audit.verify(engine, models / "logs")[0]
    with pytest.raises(LogError, match=audit.KEY_FILE):
        append_rows(engine, models / "logs", 1)
    assert not key.exists()
    restore_backup(url, models, tmp_path / "cadangan.zip", force=True)
    assert (key.read_bytes(), key.stat().st_mode & 0o077) == (content, 0)
    assert audit.verify(engine, models / "logs") == []


def test_machines_share_a_key_from_the_environment(engine, tmp_path, monkeypatch):
    monkeypatch.setenv(audit.KEY_VARIABLE, "kunci bersama")
    append_rows(engine, tmp_path / "a")
    append_rows(engine, tmp_path / "b")
    assert audit.verify(engine, tmp_path / "b") == []
    assert not (tmp_path / "a" / audit.KEY_FILE).exists()


def write_unkeyed_trail(engine, folder, n=5):
    """Write a trail and its head as earlier versions did."""
    folder.mkdir(exist_ok=True)
    for _ in range(n):
        forge_row(engine)
    head = {"seq": n, "hash": audit_rows(engine)[-1]["hash"]}
    (folder / audit.HEAD_FILE).write_text(json.dumps(head))


def test_unkeyed_trail_is_continued_with_a_key(engine, tmp_path):
    write_unkeyed_trail(engine, tmp_path)
    (problem,) = audit.verify(engine, tmp_path)
    assert "belum berkunci, jadi tidak dapat dipastikan" in problem
    append_rows(engine, tmp_path, 3)
    assert audit.verify(engine, tmp_path) == []
    assert audit.describe_unkeyed_rows(engine).startswith(
        "Baris 1–5 ditulis sebelum jejak audit berkunci"
    )
    execute(engine, "UPDATE audit SET reason = 'lain' WHERE seq = 5")
    assert "Baris 5 jejak audit berubah setelah ditulis (pemberlakuan)." in audit.verify(
        engine, tmp_path
    )


def test_first_keyed_row_detects_a_changed_unkeyed_row(engine, tmp_path):
    write_unkeyed_trail(engine, tmp_path)
    append_rows(engine, tmp_path, 3)
    keyed_rows = audit_rows(engine)[5:]
    execute(engine, "DELETE FROM audit WHERE seq > 4")
    forge_row(engine, reason="lain")
    with engine.begin() as connection:
        connection.execute(audit.audit.insert(), keyed_rows)
    assert audit.verify(engine, tmp_path) == [
        "Baris 6 jejak audit tidak menyambung ke baris sebelumnya."
    ]


def test_backup_of_an_unkeyed_trail_is_restored(engine, url, tmp_path):
    models = tmp_path / "outputs"
    models.mkdir()
    write_unkeyed_trail(engine, models / "logs")
    make_backup(engine, models, tmp_path / "cadangan.zip")
    execute(engine, "DELETE FROM audit")
    restore_backup(url, models, tmp_path / "cadangan.zip", force=True)
    assert audit.verify(engine, models / "logs") == []
    assert audit.describe_unkeyed_rows(engine).startswith("Baris 1–5")


@pytest.mark.parametrize("value", ["'abc'", "x'00ff'", "12"])
@pytest.mark.parametrize("column", ["time", "actor", "action", "reason", "details", "previous", "hash"])
def test_value_of_another_type_is_reported(models, tmp_path, column, value):
    with opened_database(sqlite_url(models / "logs")) as engine:
        append_rows(engine, models / "logs")
        execute(engine, f"UPDATE audit SET {column} = {value} WHERE seq = 3")
    verified = judul("govern", "verify", "--models", models)
    assert (verified.returncode, "Baris 3 jejak audit berubah" in verified.stderr) == (1, True)
    for command in (("audit",), ("check",), ("calendar",), ("backup", tmp_path / "x.zip")):
        done = judul("govern", *command, "--models", models)
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 1)


def test_clock_going_backwards_keeps_the_trail_intact(engine, tmp_path, monkeypatch):
    append_rows(engine, tmp_path, 2)
    monkeypatch.setattr(audit, "utc_now", lambda: utc_now() - timedelta(days=400))
    append_rows(engine, tmp_path, 2)
    assert audit.verify(engine, tmp_path) == []
    times = {row["seq"]: row["time"] for row in read_table(engine, audit.audit)}
    assert times[3] < times[1]


@pytest.mark.parametrize("reason", ["", "  \n", "\0"])
def test_row_needs_a_reason_and_a_known_action(engine, tmp_path, reason):
    with pytest.raises(LogError, match="alasan"):
        audit.append_row(engine, tmp_path, actor="a", action=audit.TRAIN, reason=reason)
    with pytest.raises(LogError, match="tidak dikenal"):
        audit.append_row(engine, tmp_path, actor="a", action="mengubah", reason="ya")
    assert read_table(engine, audit.audit) == []


def test_reason_may_be_any_text(engine, tmp_path):
    for reason in ("é ☃ 😀", 'a "b" \\ c', "a\0b", "separuh \ud83d"):
        audit.append_row(engine, tmp_path, actor="x" * 99, action=audit.TRAIN, reason=reason)
    assert audit.verify(engine, tmp_path) == []


def random_unit(random, k):
    """Return a prediction with its scores, a feedback or an event, of random user and age."""
    stamp = {
        "id": f"{k:032x}", "time": utc_now() - timedelta(days=random.uniform(0, 200)),
        "user": random.choice([*USERS, None]), "simulated": False,
    }  # fmt: skip
    hashes = {"query_hash": f"{k:016x}", "query_text": None}
    kind = random.choice(["predictions", "feedback", "events"])
    if kind == "predictions":
        row = {**stamp, **hashes, "source": "page", "query_length": 9, "query_words": 2,
               "difference": None, "seconds": 0.1, "n_results": 1}  # fmt: skip
        score = {"prediction_id": row["id"], "version": "v", "probability": random.random(),
                 "match_hash": None, "match_text": None, "unknown_share": 0.0}  # fmt: skip
        models = random.sample(["full", "light", "structured"], random.randint(1, 3))
        return {kind: [row], "scores": [{**score, "model": model} for model in models]}
    if kind == "feedback":
        row = {**stamp, **hashes, "model": "light", "label": "MIRIP", "probability": 0.7,
               "threshold": 0.5, "is_right": True, "rating": 4, "match_hash": None,
               "match_text": None}  # fmt: skip
    else:
        row = {**stamp, "kind": "download", "model": None, "detail": "", "seconds": None}
    return {kind: [row]}


def fill_log(engine, folder, seed=1):
    """Write random units to tables and spool; return both."""
    source = random.Random(seed)
    units = [random_unit(source, k) for k in range(120)]
    inserted, spooled = units[:90], units[90:]
    insert_units(engine, inserted)
    for one, two in zip(spooled[::2], spooled[1::2], strict=True):  # Two units a line.
        append_to_spool(folder, {n: one.get(n, []) + two.get(n, []) for n in {**one, **two}})
    return inserted, spooled


def rows_by_table(units):
    """Return all rows by table, as text that can be compared."""
    rows = {name: set() for name in USAGE_TABLES}
    for unit in units:
        for name, unit_rows in unit.items():
            rows[name] |= {json.dumps(row, sort_keys=True, default=str) for row in unit_rows}
    return rows


def inserted_rows(engine):
    return rows_by_table([{name: read_table(engine, table)} for name, table in USAGE_TABLES.items()])


def spooled_rows(folder):
    with locked_spool(folder) as (units, damaged, _):
        assert damaged == []
        return rows_by_table(units)


def expected_counts(inserted, spooled):
    counts = {name: len(rows) for name, rows in rows_by_table(inserted).items()}
    return {**counts, "spool": sum(map(len, rows_by_table(spooled).values()))}


def split_units(units, condition):
    """Return the units whose prediction, feedback or event meets a condition, and the others."""
    matching, others = [], []
    for unit in units:
        row = next(rows[0] for name, rows in unit.items() if name != "scores")
        (matching if condition(row) else others).append(unit)
    return matching, others


@pytest.mark.parametrize("seed", range(3))
def test_retention_deletes_only_older_rows(engine, tmp_path, seed):
    inserted, spooled = fill_log(engine, tmp_path, seed)
    limit = utc_now() - timedelta(days=90)
    old, young = split_units(inserted, lambda row: row["time"] < limit)
    old_spooled, young_spooled = split_units(spooled, lambda row: row["time"] < limit)
    expected = expected_counts(old, old_spooled)
    before = (inserted_rows(engine), (tmp_path / SPOOL_FILE).read_bytes())
    assert privacy.retention(engine, tmp_path, days=90, actor="a", dry_run=True) == expected
    assert (inserted_rows(engine), (tmp_path / SPOOL_FILE).read_bytes()) == before
    assert read_table(engine, audit.audit) == []
    assert privacy.retention(engine, tmp_path, days=90, actor="a", force=True) == expected
    assert inserted_rows(engine) == rows_by_table(young)
    assert spooled_rows(tmp_path) == rows_by_table(young_spooled)
    (row,) = read_table(engine, audit.audit)
    assert json.loads(row["details"])["counts"] == expected
    assert "UU No. 27 Tahun 2022" in row["reason"]
    assert set(privacy.retention(engine, tmp_path, days=90, actor="a").values()) == {0}
    assert audit.verify(engine, tmp_path) == []
    with pytest.raises(LogError, match="1 hari"):
        privacy.retention(engine, tmp_path, days=0, actor="a")


MORNING = datetime(2026, 5, 4, 2)


def log_daily_events(engine, n):
    """Log an event on each of `n` days up to that morning."""
    rows = [{**event(age), "time": MORNING - timedelta(days=age)} for age in range(n)]
    insert_units(engine, [{"events": rows}])


def test_retention_refuses_a_clock_that_is_ahead(engine, tmp_path):
    log_daily_events(engine, 40)
    before = inserted_rows(engine)
    for days in (2, 3650):
        with frozen_clock(MORNING + timedelta(days=days)):
            with pytest.raises(LogError, match=r"04-05-2026.*Periksa jamnya.*--force"):
                privacy.retention(engine, tmp_path, days=30, actor="a")
            privacy.retention(engine, tmp_path, days=30, actor="a", dry_run=True)
    assert inserted_rows(engine) == before
    assert read_table(engine, audit.audit) == []
    with frozen_clock(MORNING + timedelta(days=3650)):
        assert privacy.retention(engine, tmp_path, days=30, actor="a", force=True)["events"] == 40


def test_daily_retention_works_without_new_rows(engine, tmp_path):
    log_daily_events(engine, 9)
    left = []
    for day in range(8):
        with frozen_clock(MORNING + timedelta(days=day, seconds=day * day)):
            privacy.retention(engine, tmp_path, days=5, actor="a")
        left.append(len(read_table(engine, USAGE_TABLES["events"])))
    assert left == [6, 4, 3, 2, 1, 0, 0, 0]


def test_retention_command_needs_force_after_a_gap(models):
    with opened_database(sqlite_url(models / "logs")) as engine:
        insert_units(engine, [{"events": [event(100)]}])
        retention = "govern", "retention", "--models", models
        assert_refused(judul(*retention), "--force")
        assert "1 kejadian" in judul(*retention, "--force").stdout
        assert read_table(engine, USAGE_TABLES["events"]) == []


@pytest.mark.parametrize("user", USERS)
def test_forget_deletes_the_rows_of_one_person_only(engine, url, tmp_path, user):
    inserted, spooled = fill_log(engine, tmp_path)
    torn = [f'{{"events":[{{"id": "1","user": "{u}", "k' for u in USERS] + [
        '{"events": [{"id": "2", "time": "2026-01-01T00:00:00", "user": "' + user[:15]
    ]
    (tmp_path / DAMAGED_FILE).write_text("".join(f"{line}\n" for line in torn))
    theirs, others = split_units(inserted, lambda row: row["user"] == user)
    their_spooled, other_spooled = split_units(spooled, lambda row: row["user"] == user)
    before = privacy.remaining(engine, tmp_path, user)
    result = privacy.forget(engine, tmp_path, user, actor="a")
    expected = expected_counts(theirs, their_spooled)
    expected["spool"] += 2  # Torn lines.
    assert min(expected.values()) > 0
    assert result.deleted == before == expected
    assert set(result.remaining.values()) == {0}
    assert inserted_rows(engine) == rows_by_table(others)
    assert spooled_rows(tmp_path) == rows_by_table(other_spooled)
    assert [line for line in (tmp_path / DAMAGED_FILE).read_text().split("\n") if line] == [
        line for line in torn[:3] if user not in line
    ]
    (row,) = read_table(engine, audit.audit)
    assert user not in str(row)
    assert json.loads(row["details"])["counts"] == expected
    if url.startswith("sqlite"):
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path for path in files if user.encode() in path.read_bytes()] == []


def test_export_has_exactly_the_rows_of_one_person(engine, tmp_path):
    user = USERS[1]
    theirs, their_spooled = (
        split_units(units, lambda row: row["user"] == user)[0] for units in fill_log(engine, tmp_path)
    )
    before = (tmp_path / SPOOL_FILE).read_bytes()
    content = json.loads(privacy.export(engine, tmp_path, user, actor="a"))
    assert (tmp_path / SPOOL_FILE).read_bytes() == before

    def plain(units):
        return rows_by_table(json.loads(json.dumps(units, default=lambda time: time.isoformat())))

    assert content["tables"].pop("decisions") == []
    assert rows_by_table([content["tables"]]) == plain(theirs)
    assert rows_by_table(content["waiting"]) == plain(their_spooled)
    assert all(other not in json.dumps(content) for other in USERS if other != user)
    (row,) = read_table(engine, audit.audit)
    assert (row["action"], user in str(row)) == (audit.EXPORT, False)


@pytest.mark.parametrize("user", ["siti", "", "0" * 15, "0" * 17, "g" * 16, "' OR '1'='1"])
def test_invalid_pseudonym_is_refused(engine, tmp_path, user):
    inserted, _ = fill_log(engine, tmp_path)
    for act in (privacy.forget, privacy.export):
        with pytest.raises(LogError, match="16 digit heksadesimal"):
            act(engine, tmp_path, user, actor="a")
    assert inserted_rows(engine) == rows_by_table(inserted)
    assert read_table(engine, audit.audit) == []


@pytest.fixture
def installation(engine, models):
    """Models, a version of one, and a log with rows."""
    shutil.copytree(PROJECT / "outputs" / "structured", models / "structured")
    shutil.copytree(PROJECT / "outputs" / "light", models / "models" / "light" / "1")
    (models / "models" / "light" / "current").write_text("1\n")
    logs = models / "logs"
    log_key(logs)
    fill_log(engine, logs)
    append_rows(engine, logs)
    return models


def read_files(folder):
    """Return the contents of the files in a folder, without those of SQLite and locks."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("judul.db", ".audit", ".spool.lock"))
    }


def audit_rows(engine):
    return sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])


def make_backup(engine, models, target, **options):
    return backup(models, engine, models / "logs", target, actor="a", reason="uji", **options)


def restore_backup(url, models, path, **options):
    return restore(path, models, url, models / "logs", actor="a", reason="uji", **options)


def test_restore_recovers_a_lost_installation(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    rows, trail, files = inserted_rows(engine), audit_rows(engine), read_files(installation)
    manifest = make_backup(engine, installation, target)
    assert target.stat().st_mode & 0o077 == 0
    assert verify_backup(target) == manifest
    assert manifest.folders == ["light", "models", "structured"]
    assert audit_rows(engine)[-1]["action"] == audit.BACKUP
    shutil.rmtree(installation)
    execute(engine, *(f"DELETE FROM {name}" for name in (*USAGE_TABLES, "audit")))
    done = restore_backup(url, installation, target)
    assert done.has_key
    assert done.aside == []
    assert inserted_rows(engine) == rows
    assert audit_rows(engine)[:-1] == trail
    assert audit_rows(engine)[-1]["action"] == audit.RESTORE
    assert audit.verify(engine, installation / "logs") == []
    assert audit.read_head(installation / "logs").seq == len(trail) + 1
    after = read_files(installation)
    head = Path("logs") / audit.HEAD_FILE
    assert {**after, head: b""} == {**files, head: b""}
    assert (installation / "logs" / "log.key").stat().st_mode & 0o077 == 0
    for folder in ("light", "structured", "models/light/1"):
        assert len(load_checker(installation / folder).check("Prediksi Harga Cabai", top_k=3)) == 3


def test_restore_keeps_newer_labels_aside(url, engine, installation, tmp_path):
    target, labels = tmp_path / "cadangan.zip", installation / "labels" / "label-a.csv"
    labels.parent.mkdir()
    labels.write_text("lama")
    assert "labels" in make_backup(engine, installation, target).folders
    labels.write_text("baru")
    done = restore_backup(url, installation, target, force=True)
    assert labels.read_text() == "lama"
    [aside] = [name for name in done.aside if name.startswith("labels.")]
    assert (installation / aside / "label-a.csv").read_text() == "baru"


def test_restore_keeps_newer_models_aside(engine, url, installation, tmp_path):
    target, models = tmp_path / "cadangan.zip", installation / "models"
    make_backup(engine, installation, target)
    files = read_files(installation)
    assert restore_backup(url, installation, target, force=True).versions == []
    assert not list(installation.glob("*.*"))  # Identical folders are not set aside.
    path = installation / "light" / METADATA_FILE
    metadata = json.loads(path.read_text()) | {"created": "2027-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(metadata))
    version = add_version(installation, installation / "light")
    promotions.promote(installation, "light", version, reason="diuji", approver="Kaprodi")
    later = read_files(models)
    done = restore_backup(url, installation, target, force=True)
    assert done.versions == [f"light {version}"]
    aside = {name.split(".")[0]: installation / name for name in done.aside if "lama" not in name}
    assert set(aside) == {"light", "models"}
    assert read_files(aside["models"]) == later
    assert json.loads((aside["light"] / METADATA_FILE).read_text()) == metadata
    for folder in ("light", "models"):
        restored, original = (
            {path: content for path, content in contents.items() if path.parts[0] == folder}
            for contents in (read_files(installation), files)
        )
        assert restored == original
    shutil.copytree(aside["models"] / "light" / version, models / "light" / version)
    assert versions.verify_version(installation, "light", version)["name"] == "light"


def test_restore_command_names_newer_versions(models, tmp_path):
    target = tmp_path / "cadangan.zip"
    (models / "models" / "light").mkdir(parents=True)
    (models / "models" / "light" / "history.json").write_text("[]")
    assert judul("govern", "backup", target, "--models", models).returncode == 0
    version = add_version(models, models / "light")
    restored = judul("govern", "restore", target, "--force", "--models", models)
    assert restored.returncode == 0
    assert f"tidak ada di cadangan ikut disimpan di situ: light {version}" in restored.stderr
    [aside] = models.glob("models.*")
    assert aside.name in restored.stderr
    assert (aside / "light" / version / METADATA_FILE).is_file()


def test_restore_over_rows_needs_force_and_keeps_them_aside(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    rows = inserted_rows(engine)
    make_backup(engine, installation, target)
    privacy.retention(engine, installation / "logs", days=50, actor="a")
    trail = audit_rows(engine)
    before, files = inserted_rows(engine), read_files(installation)
    with pytest.raises(LogError, match="--force"):
        restore_backup(url, installation, target)
    assert (inserted_rows(engine), read_files(installation)) == (before, files)
    done = restore_backup(url, installation, target, force=True)
    assert inserted_rows(engine) == rows
    assert audit_rows(engine)[:-1] == trail  # It continues the backup's, and is kept.
    assert audit.verify(engine, installation / "logs") == []
    if engine.dialect.name == "postgresql":
        count = f"SELECT count(*) FROM {done.aside[0]}.predictions"
        with engine.connect() as connection:
            assert connection.execute(sa.text(count)).scalar() == len(before["predictions"])
    else:
        with opened_database(f"sqlite:///{tmp_path / done.aside[0]}") as old:
            assert inserted_rows(old) == before
    assert {name.split(".lama-")[0] for name in done.aside[1:]} == {SPOOL_FILE}


def test_restore_forgets_people_again(engine, url, installation, tmp_path):
    target, logs = tmp_path / "cadangan.zip", installation / "logs"
    privacy.forget(engine, logs, USERS[1], actor="a")
    fill_log(engine, logs)  # The user came back before the backup.
    rows = inserted_rows(engine)
    make_backup(engine, installation, target)
    privacy.forget(engine, logs, USERS[0], actor="a")
    for _ in range(2):
        assert restore_backup(url, installation, target, force=True).forgotten == 1
        assert set(privacy.remaining(engine, logs, USERS[0]).values()) == {0}
        others = {name: {row for row in old if USERS[0] not in row} for name, old in rows.items()}
        restored = inserted_rows(engine)
        assert {**restored, "scores": 0} == {**others, "scores": 0}
        assert restored["scores"] < rows["scores"]
        assert audit.verify(engine, logs) == []


def test_restore_replaces_an_unrelated_trail(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    trail = audit_rows(engine)
    make_backup(engine, installation, target)
    execute(engine, "DELETE FROM audit")
    (installation / "logs" / audit.HEAD_FILE).unlink()
    append_rows(engine, installation / "logs", 9)
    restore_backup(url, installation, target, force=True)
    assert audit_rows(engine)[:-1] == trail
    assert audit.verify(engine, installation / "logs") == []


def test_backup_is_restored_into_the_other_database(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    rows, trail = inserted_rows(engine), audit_rows(engine)
    make_backup(engine, installation, target)
    other = tmp_path / "lain"
    restore_backup(database_url(other / "logs"), other, target)
    sqlite = open_database(database_url(other / "logs"))
    assert (inserted_rows(sqlite), audit_rows(sqlite)[:-1]) == (rows, trail)
    again = tmp_path / "lagi.zip"
    make_backup(sqlite, other, again)
    sqlite.dispose()
    restore_backup(url, installation, again, force=True)
    assert inserted_rows(engine) == rows
    assert audit_rows(engine)[: len(trail)] == trail
    assert audit.verify(engine, installation / "logs") == []


def rewrite_zip(path, change, extra=(), *, content=b"x", compression=zipfile.ZIP_STORED):
    """Rewrite a zip with a changed manifest and extra members, whose hashes and sizes are right."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    for name in extra:
        members[name] = content
        manifest["hashes"][name], manifest["sizes"][name] = sha256_of(content), len(content)
    change(manifest, members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-100])


def replace_member(name, content):
    def change(manifest, members):
        members[name] = content
        manifest["sizes"][name] = len(content)

    return lambda path: rewrite_zip(path, change)


def no_change(manifest, members):
    pass


def add_zeros(path, change=no_change, compression=zipfile.ZIP_DEFLATED):
    zeros = b"\0" * (64 << 20)
    rewrite_zip(path, change, ["outputs/light/nol"], content=zeros, compression=compression)


INVALID_BACKUPS = {
    "a bit": (flip, "rusak"),
    "cut off": (shorten, "rusak"),
    "no zip": (lambda path: path.write_bytes(b"PK"), "rusak"),
    "another table": (replace_member("log/events.jsonl", b""), "rusak"),
    "a row too few": (lambda p: rewrite_zip(p, lambda m, _: m["rows"].update(events=1)), "rusak"),
    "a member missing": (lambda p: rewrite_zip(p, lambda _, f: f.pop("log/log.key")), "rusak"),
    "a member too many": (lambda p: rewrite_zip(p, lambda _, f: f.update({"log/x": b""})), "ke luar"),
    "a hash too few": (lambda p: rewrite_zip(p, lambda m, _: m["hashes"].pop("log/log.key")), "rusak"),
    "upwards": (lambda p: rewrite_zip(p, no_change, ["outputs/light/../../../../jahat"]), "ke luar"),
    "absolute": (lambda p: rewrite_zip(p, no_change, ["/tmp/jahat"]), "ke luar"),
    "backslash": (lambda p: rewrite_zip(p, no_change, ["outputs/light/..\\..\\jahat"]), "ke luar"),
    "elsewhere": (lambda p: rewrite_zip(p, no_change, ["outputs/logs/judul.db"]), "ke luar"),
    "a key too many": (lambda p: rewrite_zip(p, lambda m, _: m.update(links={})), "rusak"),
    "newer": (lambda p: rewrite_zip(p, lambda m, _: m.update(schema=SCHEMA_VERSION + 1)), "lebih baru"),
    "newer format": (lambda p: rewrite_zip(p, lambda m, _: m.update(format=FORMAT + 1)), "lebih baru"),
    "no format": (lambda p: rewrite_zip(p, lambda m, _: m.update(format=float("inf"))), "rusak"),
    "a time with a zone": (
        lambda p: rewrite_zip(p, lambda m, _: m.update(time="2026-01-01T00:00:00+07:00")), "rusak",
    ),
    "no time": (lambda p: rewrite_zip(p, lambda m, _: m.update(time=None)), "rusak"),
    "another size": (
        lambda p: rewrite_zip(p, lambda m, _: m["sizes"].update({"log/log.key": 9})), "rusak",
    ),
    "no sizes": (lambda p: rewrite_zip(p, lambda m, _: m.pop("sizes")), "rusak"),
    "a member that grows": (add_zeros, "jauh lebih besar"),
    "a member that grows, of format 1": (
        lambda p: add_zeros(p, lambda m, _: m.update(format=1, sizes={})), "jauh lebih besar",
    ),
    "a member that grows, as bzip2": (lambda p: add_zeros(p, compression=zipfile.ZIP_BZIP2), "rusak"),
    "a manifest too large": (
        lambda p: rewrite_zip(p, lambda m, _: m.update(version="x" * (17 << 20))), "jauh lebih besar",
    ),
}  # fmt: skip


@contextmanager
def memory_limit(n_bytes):
    """Fail if the block allocates more memory at once."""
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < n_bytes


@pytest.mark.parametrize("name", INVALID_BACKUPS)
def test_invalid_backup_is_refused_without_changes(models, tmp_path, name):
    def state():
        return inserted_rows(engine), audit_rows(engine), read_files(models), set(tmp_path.iterdir())

    target = tmp_path / "zip" / "cadangan.zip"
    with opened_database(database_url(tmp_path), lock_wait=30) as engine:
        log_key(models / "logs")
        fill_log(engine, models / "logs")
        make_backup(engine, models, target)
        before = state()
        damage, message = INVALID_BACKUPS[name]
        damage(target)
        with pytest.raises(LogError, match=message), memory_limit(16 << 20):
            restore_backup(database_url(tmp_path), models, target, force=True)
        assert state() == before


def test_large_backup_is_restored_in_little_memory(tmp_path):
    large = random.Random(1).randbytes(32 << 20)
    for path in (tmp_path / "a" / "light" / "large.bin", tmp_path / "a" / "logs" / DAMAGED_FILE):
        path.parent.mkdir(parents=True)
        path.write_bytes(large)
    with opened_database(database_url(tmp_path)) as engine:
        make_backup(engine, tmp_path / "a", tmp_path / "cadangan.zip")
    with memory_limit(16 << 20):
        restore_backup(database_url(tmp_path / "b"), tmp_path / "b", tmp_path / "cadangan.zip")
    for path in ("light/large.bin", f"logs/{DAMAGED_FILE}"):
        assert (tmp_path / "b" / path).read_bytes() == large
    assert (tmp_path / "b" / "logs" / DAMAGED_FILE).stat().st_mode & 0o077 == 0
    assert not [path.name for path in tmp_path.rglob(".pemulihan.*")]


def test_backup_of_format_1_is_restored(engine, url, installation, tmp_path):
    target, rows = tmp_path / "cadangan.zip", inserted_rows(engine)
    make_backup(engine, installation, target)
    rewrite_zip(target, lambda manifest, _: (manifest.pop("sizes"), manifest.update(format=1)))
    restore_backup(url, installation, target, force=True)
    assert inserted_rows(engine) == rows


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("events", {"simulated": "ya"}), ("events", {"user": "separuh \ud83d"}),
        ("events", {"user": {"a": 1}}), ("events", {"time": 5}), ("events", {"kind": "x" * (17 << 20)}),
        ("predictions", {"query_length": 10**30}),
    ],
)  # fmt: skip
def test_invalid_row_in_a_backup_changes_nothing(engine, url, installation, tmp_path, table, row):
    target = tmp_path / "cadangan.zip"
    make_backup(engine, installation, target)

    def change(manifest, members):
        name = f"log/{table}.jsonl"
        first = json.loads(members[name].splitlines()[0])
        members[name] += json.dumps({**first, "id": "0" * 32, **row}).encode() + b"\n"
        manifest["hashes"][name] = sha256_of(members[name])
        manifest["sizes"][name] = len(members[name])
        manifest["rows"][table] += 1

    rewrite_zip(target, change)
    before = (inserted_rows(engine), audit_rows(engine), read_files(installation))
    with pytest.raises(LogError):
        restore_backup(url, installation, target, force=True)
    assert (inserted_rows(engine), audit_rows(engine), read_files(installation)) == before


def test_existing_file_is_replaced_only_with_force(models, tmp_path):
    existing = tmp_path / "skripsi.docx"
    with opened_database(sqlite_url(models / "logs")):
        pass
    for command in (("backup", existing), ("export", "--user", USERS[0], "--output", existing)):
        existing.write_text("penting")
        govern = ("govern", *command, "--models", models)
        assert_refused(judul(*govern), "skripsi.docx sudah ada", "--force")
        assert existing.read_text() == "penting"
        assert judul(*govern, "--force").returncode == 0
        assert existing.read_bytes() != b"penting"


def test_failed_backup_leaves_the_old_one(models, tmp_path):
    target = tmp_path / "zip" / "cadangan.zip"
    with opened_database(database_url(tmp_path), lock_wait=30) as engine:
        make_backup(engine, models, target)
        content = target.read_bytes()
        (models / "light" / "arrays.npz").write_bytes(b"x")
        with pytest.raises(LogError, match="make run"):
            make_backup(engine, models, target, force=True)
        with pytest.raises(LogError, match="di dalam folder yang dicadangkan"):
            make_backup(engine, models, models / "light" / "cadangan.zip")
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_govern_commands(models, tmp_path):
    target, copy = tmp_path / "cadangan.zip", tmp_path / "salinan.json"
    engine = open_database(database_url(models / "logs"))
    fill_log(engine, models / "logs")

    def govern(*arguments):
        return judul("govern", *arguments, "--models", models)

    assert_refused(govern("forget", "--user", "siti"), "16 digit heksadesimal")
    pseudonym = UsageLog(models / "logs", user="siti").user
    assert govern("user", "Siti").stdout == f"{pseudonym}\n"
    dry_run = govern("retention", "--days", 90, "--dry-run")
    assert dry_run.stdout.startswith("Akan dihapus"), dry_run.stderr
    assert "audit" not in dry_run.stdout
    saved = govern("backup", target)
    assert "sudah diperiksa" in saved.stdout, saved.stderr
    assert govern("export", "--user", USERS[0], "--output", copy).returncode == 0
    assert json.loads(copy.read_text())["user"] == USERS[0]
    forgotten = govern("forget", "--user", USERS[0], "--reason", "surat 12")
    assert forgotten.returncode == 0
    assert "0 pemeriksaan" in forgotten.stdout.splitlines()[1]
    assert_refused(govern("restore", target), "--force")
    assert govern("restore", target, "--force").returncode == 0
    assert set(privacy.remaining(engine, models / "logs", USERS[0]).values()) == {0}
    assert govern("retention").stdout.startswith("Dihapus")
    intact = govern("verify")
    assert (intact.returncode, intact.stdout) == (0, "Jejak audit utuh: 6 baris.\n")
    shown = govern("audit").stdout
    assert "pemulihan" in shown
    assert "Masa simpan 90 hari" in shown
    execute(engine, "UPDATE audit SET reason = 'lain' WHERE seq = 1")
    engine.dispose()
    changed = govern("verify")
    assert changed.returncode == 1
    assert "Baris 1 jejak audit berubah" in changed.stderr


def test_pseudonym_command_needs_a_key(tmp_path):
    assert_refused(judul("govern", "user", "siti", "--models", tmp_path), "kunci", "JUDUL_LOG_KEY")
    assert list(tmp_path.iterdir()) == []
    with_key = judul("govern", "user", "siti", "--models", tmp_path, JUDUL_LOG_KEY="rahasia")
    assert re.fullmatch(r"[0-9a-f]{16}\n", with_key.stdout)


def commit(project):
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (["add", "-A"], [*author, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=project, check=True)


@pytest.fixture
def compliant(tmp_path):
    """An installation that passes the checklist, and a function that returns its failing items."""
    project = tmp_path / "project"
    models = project / "outputs"
    copy_stored_models(models)
    (project / ".gitignore").write_text("logs/\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    commit(project)
    config = Config(models=models)
    engine = open_database(database_url(config.logs), lock_wait=30)
    append_rows(engine, config.logs)
    insert_units(engine, [{"events": [event()]}])
    backups = tmp_path / "backups"
    other = tmp_path / "elsewhere"
    other.mkdir()
    make_backup(engine, models, backups / "a.zip", copy_to=other)
    rates = pd.DataFrame({"luput": [0.1, 0.2]}, index=["semua", "hukum"])
    save_error_rates(models, models / "structured", {"bidang": rates})
    commit(project)

    def failing(**options):
        checks = run_checklist(config, engine, project, backups, **options)
        assert len(checks) == 11
        assert all(check.evidence for check in checks)
        return [check.name for check in checks if not check.passed]

    yield config, engine, failing
    engine.dispose()


def event(age=0):
    return {
        "id": f"{age:032x}", "time": utc_now() - timedelta(days=age), "user": None, "simulated": False,
        "kind": "error", "model": None, "detail": "", "seconds": None,
    }  # fmt: skip


def forget_weights(config, engine):
    path = config.models / "light" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "importances": {}}))


def write_text_in_spool(config, engine):
    unit = {"feedback": [{"id": "a", "time": utc_now(), "query_text": "Prediksi Harga Cabai"}]}
    append_to_spool(config.logs, unit)


def write_text(config, engine):
    execute(
        engine,
        "INSERT INTO scores (prediction_id, model, match_text) VALUES ('a', 'light', 'Prediksi Harga')",
    )


def promote_and_commit(config, engine):
    """Promote a version properly, commit it, and return the path of its metadata."""
    version = add_version(config.models, config.models / "light")
    trail = AuditWriter(engine.url.render_as_string(hide_password=False), config.logs, "petugas")
    promotions.promote_with_audit(
        trail, config.models, "light", version, reason="diuji", approver="Kaprodi"
    )
    commit(config.models.parent)
    return config.models / "models" / "light" / version / METADATA_FILE


def forget_approver(config, engine):
    path = promote_and_commit(config, engine)
    metadata = json.loads(path.read_text())
    del metadata["governance"]["approver"]
    path.write_text(json.dumps(metadata))
    commit(config.models.parent)


def forget_seed(config, engine, name="structured"):
    path = config.models / name / METADATA_FILE
    metadata = json.loads(path.read_text())
    del metadata["seed"]
    path.write_text(json.dumps(metadata))
    commit(config.models.parent)


def promote_silently(config, engine):
    version = add_version(config.models, config.models / "light")
    promotions.promote(config.models, "light", version, reason="diam", approver="?")
    commit(config.models.parent)


def forget_error_rates(config, engine):
    (config.models / FAIRNESS_FILE).unlink()
    commit(config.models.parent)


def measure_another_version(config, engine):
    path = config.models / FAIRNESS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": "20250101-00000000"}))
    commit(config.models.parent)


PROBLEMS = {
    "a promotion": (promote_and_commit, []),
    "an approver": (forget_approver, ["Metadata dan hash model cocok"]),
    "a seed": (forget_seed, ["Metadata dan hash model cocok", "Benih acak tetap"]),
    "a seed of a forest": (
        lambda c, e: forget_seed(c, e, "light"), ["Metadata dan hash model cocok", "Benih acak tetap"],
    ),
    "a switch without a row": (promote_silently, ["Jejak audit utuh"]),
    "nothing": (lambda config, engine: None, []),
    "text": (write_text, ["Log tanpa teks asli"]),
    "text that waits": (write_text_in_spool, ["Log tanpa teks asli"]),
    "old rows": (lambda c, e: insert_units(e, [{"events": [event(91)]}]), ["Masa simpan dipatuhi"]),
    "rows young enough": (lambda c, e: insert_units(e, [{"events": [event(89)]}]), []),
    "weights": (
        forget_weights, ["Kode di bawah kendali versi dan bersih", "Bobot fitur tersedia"],
    ),
    "a file": (
        lambda c, e: (c.models / "light" / "titles_preprocessed.csv").write_text("x"),
        ["Metadata dan hash model cocok", "Kode di bawah kendali versi dan bersih"],
    ),
    "another file": (
        lambda c, e: (c.models.parent / "new.py").touch(), ["Kode di bawah kendali versi dan bersih"],
    ),
    "no version control": (
        lambda c, e: shutil.rmtree(c.models.parent / ".git"), ["Kode di bawah kendali versi dan bersih"],
    ),
    "trail": (lambda c, e: execute(e, "DELETE FROM audit WHERE seq = 2"), ["Jejak audit utuh"]),
    "backup": (
        lambda c, e: shorten(c.models.parent.parent / "backups" / "a.zip"),
        ["Cadangan baru dan dapat dipulihkan"],
    ),
    "a copy": (
        lambda c, e: shorten(c.models.parent.parent / "elsewhere" / "a.zip"),
        ["Salinan cadangan di tempat lain"],
    ),
    "no copy": (
        lambda c, e: shutil.rmtree(c.models.parent.parent / "elsewhere"),
        ["Salinan cadangan di tempat lain"],
    ),
    "no error rates": (
        forget_error_rates, ["Galat menurut kelompok dipantau"],
    ),
    "error rates of another version": (
        measure_another_version, ["Galat menurut kelompok dipantau"],
    ),
    "a key that others can read": (
        lambda c, e: (c.logs / "audit.key").chmod(0o644), ["Masukan, model, dan kunci terlindung"],
    ),
    "no backup": (
        lambda c, e: shutil.rmtree(c.models.parent.parent / "backups"),
        ["Cadangan baru dan dapat dipulihkan"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_checklist_finds_each_problem(compliant, name):
    config, engine, failing = compliant
    cause, expected = PROBLEMS[name]
    cause(config, engine)
    assert failing() == expected


def test_checklist_refuses_an_old_backup(compliant, monkeypatch):
    _, _, failing = compliant
    monkeypatch.setattr(compliance_module, "utc_now", lambda: utc_now() + timedelta(days=8))
    assert failing() == ["Cadangan baru dan dapat dipulihkan", "Salinan cadangan di tempat lain"]
    assert failing(backup_days=9) == []
    monkeypatch.setattr(compliance_module, "utc_now", lambda: utc_now() + timedelta(days=32))
    assert failing(backup_days=99) == ["Galat menurut kelompok dipantau"]


@pytest.mark.parametrize(
    ("name", "broken", "sentence"),
    [
        ("parse_corpus", lambda *_, **__: None, "terlalu panjang"),
        ("write_result", lambda frame, path: frame.to_csv(path, index=False), "Rumus"),
        ("verified_files", lambda folder: None, "Model light"),
    ],
)
def test_barrier_that_does_not_hold_is_named(models, monkeypatch, name, broken, sentence):
    used = {"light": models / "light"}
    assert security.failed_barriers(used, models / "logs") == []
    monkeypatch.setattr(security, name, broken)
    (found,) = security.failed_barriers(used, models / "logs")
    assert sentence in found


def test_copy_of_a_backup_is_verified_and_recorded(engine, installation, tmp_path, monkeypatch):
    other = tmp_path / "elsewhere"
    with pytest.raises(LogError, match="tidak ada"):
        make_backup(engine, installation, tmp_path / "a" / "a.zip", copy_to=other)
    other.mkdir()
    with pytest.raises(LogError, match="folder yang sama"):
        make_backup(engine, installation, other / "a.zip", copy_to=other)
    assert newest_copy(engine) is None
    make_backup(engine, installation, tmp_path / "a" / "a.zip", copy_to=other)
    assert (other / "a.zip").read_bytes() == (tmp_path / "a" / "a.zip").read_bytes()
    assert (other / "a.zip").stat().st_mode & 0o077 == 0
    copy = newest_copy(engine)
    assert copy.path == (other / "a.zip").resolve()
    assert copy.is_intact()
    assert verify_backup(copy.path)
    (other / "a.zip").write_bytes(b"x")
    assert not copy.is_intact()
    monkeypatch.setattr(backup_module.shutil, "copyfileobj", lambda source, target, size: None)
    with pytest.raises(LogError, match="berbeda dari cadangannya"):
        make_backup(engine, installation, tmp_path / "a" / "b.zip", copy_to=other)


def test_fairness_command_stores_its_table(models):
    done = judul("govern", "fairness", "--model", "light", "--models", models)
    assert done.returncode == 0, done.stderr
    record = read_error_rates(models)
    assert record.model == "light"
    assert record.n_groups > 3
    (models / FAIRNESS_FILE).write_text("{}")
    with pytest.raises(LogError, match="govern fairness"):
        read_error_rates(models)


def test_check_command_fails_if_an_item_does(models):
    with opened_database(sqlite_url(models / "logs")):
        pass
    done = judul("govern", "check", "--models", models)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 11
    assert any(line.startswith("GAGAL  Jejak audit utuh: Jejak audit kosong") for line in lines)
    assert any(line.startswith("GAGAL  Cadangan baru") for line in lines)


@pytest.mark.parametrize(
    "changes",
    [{"features": 5}, {"features": [[]]}, {"importances": [1]}, {"importances": {"cosine": "1"}},
     {"dataset": "judul.csv"}],
)  # fmt: skip
def test_metadata_of_another_type_are_reported(changes, models):
    with opened_database(sqlite_url(models / "logs")):
        pass
    path = models / "light" / METADATA_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    done = judul("govern", "check", "--models", models)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 11)
    wrong = "Metadata dan hash model cocok" if "dataset" in changes else "Bobot fitur tersedia"
    assert f"GAGAL  {wrong}: " in done.stdout
    assert judul("models", "show", "light", "--models", models).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        "govern verify", "govern audit", "govern retention", "govern check", "monitor",
        f"govern forget --user {'0' * 16}", f"govern export --user {'0' * 16}",
    ],
)  # fmt: skip
def test_mistyped_folder_is_refused(command, tmp_path):
    mistyped = tmp_path / "oututs"
    assert_refused(judul(*command.split(), "--models", mistyped), f"Belum ada log di {mistyped}")
    assert not mistyped.exists()


@pytest.mark.parametrize("command", ["backup cadangan.zip", "calendar"])
def test_commands_without_a_log_need_models(command, tmp_path):
    mistyped = tmp_path / "oututs"
    refused = judul("govern", *command.split(), "--models", mistyped, cwd=tmp_path)
    assert_refused(refused, f"Belum ada model di {mistyped}")
    assert list(tmp_path.iterdir()) == []


def test_log_copies_are_reported_and_deleted_by_retention(engine, url, installation, tmp_path):
    logs = installation / "logs"
    make_backup(engine, installation, tmp_path / "cadangan.zip")
    append_to_spool(logs, {"events": []})
    with frozen_clock(utc_now() - timedelta(days=100)):
        restore_backup(url, installation, tmp_path / "cadangan.zip", force=True)
    with frozen_clock(utc_now() - timedelta(days=10)):
        restore_backup(url, installation, tmp_path / "cadangan.zip", force=True)
    broken = logs / f"judul.db.rusak-{utc_now() - timedelta(days=100):{QUARANTINE_TIME_FORMAT}}"
    for suffix in ("", "-wal"):
        broken.with_name(broken.name + suffix).write_bytes(b"broken")
    (logs / "catatan.lama-20200101_000000_000000").write_text("of somebody else")

    before = log_copies(engine, logs)
    assert not any(Path(name).stat().st_mode & 0o077 for name in before if ".db.lama-" in name)
    old = {name for name, since in before.items() if since < utc_now() - timedelta(days=90)}
    # Two copies of the tables, one of the spool, the corrupt file and its -wal.
    assert (len(before), len(old)) == (5, 4)
    assert privacy.forget(engine, logs, USERS[0], actor="a").copies == tuple(before)

    counts = privacy.retention(engine, logs, days=90, actor="a", dry_run=True)
    assert (counts["copies"], set(log_copies(engine, logs))) == (4, set(before))
    assert privacy.retention(engine, logs, days=90, actor="a")["copies"] == 4
    assert set(log_copies(engine, logs)) == set(before) - old
    assert json.loads(audit_rows(engine)[-1]["details"])["counts"]["copies"] == 4
    assert (logs / "catatan.lama-20200101_000000_000000").exists()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_retention_drops_only_our_schemas(engine, url, installation, tmp_path):
    logs = installation / "logs"
    make_backup(engine, installation, tmp_path / "cadangan.zip")
    names = []
    for age in (130, 120, 110, 100):
        with frozen_clock(utc_now() - timedelta(days=age)):
            done = restore_backup(url, installation, tmp_path / "cadangan.zip", force=True)
        names += [name for name in done.aside if name.startswith("judul_lama_")]
    unchanged, with_table, with_column, with_view = names
    execute(
        engine,
        "CREATE SCHEMA arsip_lama_20200101_000000_000000",
        "CREATE TABLE arsip_lama_20200101_000000_000000.surat (isi text)",
        "CREATE SCHEMA judul_lama_20200101_000000_000000",
        f"CREATE TABLE {with_table}.surat (isi text)",
        f"ALTER TABLE {with_column}.events ADD COLUMN catatan text",
        f"CREATE VIEW {with_view}.laporan AS SELECT 1 AS satu",
    )
    before = set(sa.inspect(engine).get_schema_names())
    assert {name for name in log_copies(engine, logs) if "/" not in name} == {unchanged}
    execute(engine, f"CREATE VIEW public.laporan AS SELECT id FROM {unchanged}.predictions")
    rows = inserted_rows(engine), spooled_rows(logs)
    with pytest.raises(LogError, match=f"{unchanged} tidak dihapus, karena ada yang bergantung"):
        privacy.retention(engine, logs, days=90, actor="a")
    assert (inserted_rows(engine), spooled_rows(logs)) == rows
    execute(engine, "DROP VIEW public.laporan")
    privacy.retention(engine, logs, days=90, actor="a")
    assert set(sa.inspect(engine).get_schema_names()) == before - {unchanged}


def test_govern_commands_report_log_copies(models):
    logs = models / "logs"
    with opened_database(sqlite_url(logs)):
        pass
    copy = logs / "judul.db.rusak-20200101_000000_000000"
    copy.write_bytes(b"broken")
    options = ("--models", logs.parent)
    forgotten = judul("govern", "forget", "--user", USERS[0], *options)
    assert (forgotten.returncode, str(copy) in forgotten.stderr) == (1, True)
    checked = judul("govern", "check", *options).stdout
    assert "GAGAL  Masa simpan dipatuhi: 0 baris dan 1 salinan yang disisihkan lebih tua" in checked
    cleared = judul("govern", "retention", *options)
    assert "1 salinan yang disisihkan" in cleared.stdout
    assert judul("govern", "forget", "--user", USERS[0], *options).returncode == 0
    assert "LULUS  Masa simpan dipatuhi" in judul("govern", "check", *options).stdout


def test_symbolic_link_is_not_backed_up(engine, installation, tmp_path):
    (installation / "models" / "light" / "tautan").symlink_to("/etc/hostname")
    with pytest.raises(LogError, match="tautan adalah tautan"):
        make_backup(engine, installation, tmp_path / "cadangan.zip")
    assert not (tmp_path / "cadangan.zip").exists()


def test_next_backup_removes_the_files_of_a_killed_one(engine, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    (tmp_path / ".cadangan.zip.x1y2.tmp").write_bytes(b"half, with the key of the log in it")
    (tmp_path / ".lain.zip.x1y2.tmp").write_bytes(b"of another, which is being written")
    with file_lock(tmp_path / ".cadangan.zip.lock"), pytest.raises(LogError, match="sedang menulis"):
        make_backup(engine, installation, target)
    assert not target.exists()
    make_backup(engine, installation, target)
    assert sorted(p.name for p in tmp_path.glob("*.zip*")) == [".lain.zip.x1y2.tmp", "cadangan.zip"]
    verify_backup(target)
