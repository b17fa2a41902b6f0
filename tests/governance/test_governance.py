"""Governance: the trail shows every change, a person's records go wholly, a backup brings all back."""

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
from judul_lib.governance import audit, privacy, promotions
from judul_lib.governance import compliance as compliance_module
from judul_lib.governance.backup import FORMAT, backup, verify_backup
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
from tests.conftest import PROJECT, assert_refused, judul

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
def engine(url):
    opened = open_database(url, lock_wait=30)
    yield opened
    opened.dispose()


def appended(engine, folder, n=6):
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


def test_a_trail_that_nobody_touched_is_whole(engine, tmp_path):
    appended(engine, tmp_path, 30)
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
    ("statements", "said"),
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
def test_what_was_done_to_the_trail_is_found(engine, tmp_path, statements, said):
    appended(engine, tmp_path)
    execute(engine, *statements)
    assert any(said in sentence for sentence in audit.verify(engine, tmp_path))


def test_rows_written_after_a_cut_do_not_hide_it(engine, tmp_path):
    appended(engine, tmp_path)
    execute(engine, "DELETE FROM audit WHERE seq = 6")
    appended(engine, tmp_path, 3)
    assert audit.verify(engine, tmp_path) == [
        f"Baris 6 jejak audit bukan yang tercatat di {place}."
        for place in (audit.HEAD_FILE, "Tabel audit_head")
    ]


def test_a_trail_written_anew_with_right_hashes_is_found(engine, tmp_path):
    appended(engine, tmp_path)
    execute(engine, "DELETE FROM audit")
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(tmp_path / audit.KEY_FILE, tmp_path / "elsewhere")
    appended(engine, tmp_path / "elsewhere")
    assert "bukan yang tercatat" in audit.verify(engine, tmp_path)[0]


def test_a_head_that_is_gone_or_torn_is_said(engine, tmp_path):
    appended(engine, tmp_path)
    (tmp_path / audit.HEAD_FILE).write_text('{"seq": 6, "ha')
    assert "tidak dapat dibaca" in audit.verify(engine, tmp_path)[0]
    (tmp_path / audit.HEAD_FILE).unlink()
    assert "tidak ada" in audit.verify(engine, tmp_path)[0]


def forged(engine, key=b"", **changes):
    """Append a row as anybody can who may write to the database, but has not the key."""
    rows = in_audit(engine)
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
def test_a_row_appended_to_the_database_alone_is_found(engine, tmp_path, key):
    appended(engine, tmp_path)
    forged(engine, key)
    (found,) = audit.verify(engine, tmp_path)
    assert found.startswith("Baris 7 jejak audit")
    appended(engine, tmp_path, 1)  # Nor does a row behind it hide it.
    assert found in audit.verify(engine, tmp_path)


def test_a_trail_rewritten_without_its_key_is_found(engine, tmp_path):
    appended(engine, tmp_path)
    execute(engine, "DELETE FROM audit", "DELETE FROM audit_head")
    for _ in range(6):
        forged(engine)
    audit.write_head(tmp_path, audit.ChainHead(6, in_audit(engine)[-1]["hash"]))
    assert "tidak dapat dipastikan" in " ".join(audit.verify(engine, tmp_path))


def test_a_note_on_the_end_cannot_be_set_back_without_the_key(engine, tmp_path):
    appended(engine, tmp_path)
    execute(engine, "DELETE FROM audit WHERE seq > 4")
    third = in_audit(engine)[3]["hash"]
    audit.write_head(tmp_path, audit.ChainHead(4, third, "0" * 64))
    execute(engine, f"UPDATE audit_head SET seq = 4, hash = '{third}'")
    for _ in range(2):
        found = " ".join(audit.verify(engine, tmp_path))
        assert f"{audit.HEAD_FILE} tidak ditulis dengan kunci" in found
        appended(engine, tmp_path, 1)  # What was done there stays to be seen.


def test_where_there_is_no_note_nothing_is_said_to_be_whole(engine, url, tmp_path):
    models = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light").parent
    logs = models / "logs"
    verify = "govern", "verify", "--models", models

    def verified():
        return judul(*verify, JUDUL_DATABASE_URL="" if url.startswith("sqlite") else url)

    with opened_database(sqlite_url(logs) if url.startswith("sqlite") else url) as opened:
        fresh = verified()
        assert (fresh.returncode, "tidak dapat dipastikan" in fresh.stderr) == (1, True)
        appended(opened, logs)
        assert verified().stdout == "Jejak audit utuh: 6 baris.\n"
        execute(opened, "DELETE FROM audit")
        (logs / audit.HEAD_FILE).unlink()
        assert "Baris 1–6 di ujung jejak audit hilang" in verified().stderr
        execute(opened, "DELETE FROM audit_head")
        assert "tidak dapat dipastikan" in verified().stderr
        assert verified().returncode == 1


def test_the_key_is_its_owners_only_comes_back_and_is_not_made_anew(engine, url, tmp_path):
    models = tmp_path / "outputs"
    appended(engine, models / "logs")
    key = models / "logs" / audit.KEY_FILE
    assert key.stat().st_mode & 0o077 == 0
    content = key.read_bytes()
    made(engine, models, tmp_path / "cadangan.zip")
    key.unlink()
    assert "audit.key hilang" in audit.verify(engine, models / "logs")[0]
    with pytest.raises(LogError, match=audit.KEY_FILE):
        appended(engine, models / "logs", 1)
    assert not key.exists()
    put_back(url, models, tmp_path / "cadangan.zip", force=True)
    assert (key.read_bytes(), key.stat().st_mode & 0o077) == (content, 0)
    assert audit.verify(engine, models / "logs") == []


def test_several_machines_share_a_key_that_is_given(engine, tmp_path, monkeypatch):
    monkeypatch.setenv(audit.KEY_VARIABLE, "kunci bersama")
    appended(engine, tmp_path / "a")
    appended(engine, tmp_path / "b")
    assert audit.verify(engine, tmp_path / "b") == []
    assert not (tmp_path / "a" / audit.KEY_FILE).exists()


def before_there_was_a_key(engine, folder, n=5):
    """A trail, and the note on its end, as earlier versions wrote them."""
    folder.mkdir(exist_ok=True)
    for _ in range(n):
        forged(engine)
    head = {"seq": n, "hash": in_audit(engine)[-1]["hash"]}
    (folder / audit.HEAD_FILE).write_text(json.dumps(head))


def test_a_trail_from_before_there_was_a_key_goes_on_with_one(engine, tmp_path):
    before_there_was_a_key(engine, tmp_path)
    (said,) = audit.verify(engine, tmp_path)
    assert "belum berkunci, jadi tidak dapat dipastikan" in said
    appended(engine, tmp_path, 3)
    assert audit.verify(engine, tmp_path) == []
    assert audit.describe_unkeyed_rows(engine).startswith(
        "Baris 1–5 ditulis sebelum jejak audit berkunci"
    )
    execute(engine, "UPDATE audit SET reason = 'lain' WHERE seq = 5")
    assert "Baris 5 jejak audit berubah setelah ditulis (pemberlakuan)." in audit.verify(
        engine, tmp_path
    )


def test_an_old_row_changed_with_its_plain_hash_is_found_by_the_first_with_a_key(engine, tmp_path):
    before_there_was_a_key(engine, tmp_path)
    appended(engine, tmp_path, 3)
    kept = in_audit(engine)[5:]
    execute(engine, "DELETE FROM audit WHERE seq > 4")
    forged(engine, reason="lain")
    with engine.begin() as connection:
        connection.execute(audit.audit.insert(), kept)
    assert audit.verify(engine, tmp_path) == [
        "Baris 6 jejak audit tidak menyambung ke baris sebelumnya."
    ]


def test_a_backup_from_before_there_was_a_key_comes_back(engine, url, tmp_path):
    models = tmp_path / "outputs"
    models.mkdir()
    before_there_was_a_key(engine, models / "logs")
    made(engine, models, tmp_path / "cadangan.zip")
    execute(engine, "DELETE FROM audit")
    put_back(url, models, tmp_path / "cadangan.zip", force=True)
    assert audit.verify(engine, models / "logs") == []
    assert audit.describe_unkeyed_rows(engine).startswith("Baris 1–5")


@pytest.mark.parametrize("value", ["'abc'", "x'00ff'", "12"])
@pytest.mark.parametrize("column", ["time", "actor", "action", "reason", "details", "previous", "hash"])
def test_a_value_of_another_kind_is_found_and_said(tmp_path, column, value):
    models = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light").parent
    with opened_database(sqlite_url(models / "logs")) as engine:
        appended(engine, models / "logs")
        execute(engine, f"UPDATE audit SET {column} = {value} WHERE seq = 3")
    found = judul("govern", "verify", "--models", models)
    assert (found.returncode, "Baris 3 jejak audit berubah" in found.stderr) == (1, True)
    for command in (("audit",), ("check",), ("calendar",), ("backup", tmp_path / "x.zip")):
        done = judul("govern", *command, "--models", models)
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 1)


def test_a_clock_that_goes_backwards_breaks_no_trail(engine, tmp_path, monkeypatch):
    appended(engine, tmp_path, 2)
    monkeypatch.setattr(audit, "utc_now", lambda: utc_now() - timedelta(days=400))
    appended(engine, tmp_path, 2)
    assert audit.verify(engine, tmp_path) == []
    times = {row["seq"]: row["time"] for row in read_table(engine, audit.audit)}
    assert times[3] < times[1]


@pytest.mark.parametrize("reason", ["", "  \n", "\0"])
def test_a_row_without_a_reason_is_refused(engine, tmp_path, reason):
    with pytest.raises(LogError, match="alasan"):
        audit.append_row(engine, tmp_path, actor="a", action=audit.TRAIN, reason=reason)
    with pytest.raises(LogError, match="tidak dikenal"):
        audit.append_row(engine, tmp_path, actor="a", action="mengubah", reason="ya")
    assert read_table(engine, audit.audit) == []


def test_any_text_can_be_a_reason(engine, tmp_path):
    for reason in ("é ☃ 😀", 'a "b" \\ c', "a\0b", "separuh \ud83d"):
        audit.append_row(engine, tmp_path, actor="x" * 99, action=audit.TRAIN, reason=reason)
    assert audit.verify(engine, tmp_path) == []


def random_unit(random, k):
    """A prediction with its scores, or one opinion, or one event, of some user and age."""
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


def filled(engine, folder, seed=1):
    """Write random units to tables and spool; return both."""
    source = random.Random(seed)
    units = [random_unit(source, k) for k in range(120)]
    kept, waiting = units[:90], units[90:]
    insert_units(engine, kept)
    for one, two in zip(waiting[::2], waiting[1::2], strict=True):  # Some lines hold several units.
        append_to_spool(folder, {n: one.get(n, []) + two.get(n, []) for n in {**one, **two}})
    return kept, waiting


def flat(units):
    """All rows, as text that can be compared, by table."""
    rows = {name: set() for name in USAGE_TABLES}
    for unit in units:
        for name, new in unit.items():
            rows[name] |= {json.dumps(row, sort_keys=True, default=str) for row in new}
    return rows


def in_tables(engine):
    return flat([{name: read_table(engine, table)} for name, table in USAGE_TABLES.items()])


def in_spool(folder):
    with locked_spool(folder) as (units, damaged, _):
        assert damaged == []
        return flat(units)


def sizes(rows):
    return {name: len(found) for name, found in rows.items()}


def owner(unit):
    return next(rows[0] for name, rows in unit.items() if name != "scores")


@pytest.mark.parametrize("seed", range(3))
def test_retention_deletes_what_is_older_and_nothing_else(engine, tmp_path, seed):
    kept, waiting = filled(engine, tmp_path, seed)
    limit = utc_now() - timedelta(days=90)
    old = [unit for unit in kept if owner(unit)["time"] < limit]
    expected = sizes(flat(old)) | {
        "spool": sum(sizes(flat([u for u in waiting if owner(u)["time"] < limit])).values())
    }
    before = (in_tables(engine), (tmp_path / SPOOL_FILE).read_bytes())
    counted = privacy.retention(engine, tmp_path, days=90, actor="a", dry_run=True)
    assert counted == expected
    assert (in_tables(engine), (tmp_path / SPOOL_FILE).read_bytes()) == before
    assert read_table(engine, audit.audit) == []
    assert privacy.retention(engine, tmp_path, days=90, actor="a", force=True) == expected
    assert in_tables(engine) == flat([unit for unit in kept if owner(unit)["time"] >= limit])
    assert in_spool(tmp_path) == flat([unit for unit in waiting if owner(unit)["time"] >= limit])
    (noted,) = read_table(engine, audit.audit)
    assert json.loads(noted["details"])["counts"] == expected
    assert "UU No. 27 Tahun 2022" in noted["reason"]
    assert set(privacy.retention(engine, tmp_path, days=90, actor="a").values()) == {0}
    assert audit.verify(engine, tmp_path) == []
    with pytest.raises(LogError, match="1 hari"):
        privacy.retention(engine, tmp_path, days=0, actor="a")


MORNING = datetime(2026, 5, 4, 2)


def aged(engine, n):
    """Write an event on each of some days up to that morning."""
    rows = [{**event(age), "time": MORNING - timedelta(days=age)} for age in range(n)]
    insert_units(engine, [{"events": rows}])


def test_a_clock_that_is_ahead_deletes_nothing_without_asking(engine, tmp_path):
    aged(engine, 40)
    before = in_tables(engine)
    for days in (2, 3650):
        with frozen_clock(MORNING + timedelta(days=days)):
            with pytest.raises(LogError, match=r"04-05-2026.*Periksa jamnya.*--force"):
                privacy.retention(engine, tmp_path, days=30, actor="a")
            privacy.retention(engine, tmp_path, days=30, actor="a", dry_run=True)
    assert in_tables(engine) == before
    assert read_table(engine, audit.audit) == []
    with frozen_clock(MORNING + timedelta(days=3650)):
        assert privacy.retention(engine, tmp_path, days=30, actor="a", force=True)["events"] == 40


def test_retention_that_runs_each_day_goes_on_where_nobody_asks_anything(engine, tmp_path):
    aged(engine, 9)
    left = []
    for day in range(8):
        with frozen_clock(MORNING + timedelta(days=day, seconds=day * day)):
            privacy.retention(engine, tmp_path, days=5, actor="a")
        left.append(len(read_table(engine, USAGE_TABLES["events"])))
    assert left == [6, 4, 3, 2, 1, 0, 0, 0]


def test_the_command_asks_before_it_believes_its_clock(tmp_path):
    models = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light").parent
    with opened_database(sqlite_url(models / "logs")) as engine:
        insert_units(engine, [{"events": [event(100)]}])
        retention = "govern", "retention", "--models", models
        assert_refused(judul(*retention), "--force")
        assert "1 kejadian" in judul(*retention, "--force").stdout
        assert read_table(engine, USAGE_TABLES["events"]) == []


@pytest.mark.parametrize("user", USERS)
def test_one_person_is_forgotten_and_the_others_are_not(engine, url, tmp_path, user):
    kept, waiting = filled(engine, tmp_path)
    torn = [f'{{"events":[{{"id": "1","user": "{u}", "k' for u in USERS] + [
        '{"events": [{"id": "2", "time": "2026-01-01T00:00:00", "user": "' + user[:15]
    ]
    (tmp_path / DAMAGED_FILE).write_text("".join(f"{line}\n" for line in torn))
    theirs = [unit for unit in kept if owner(unit)["user"] == user]
    others = [unit for unit in kept if owner(unit)["user"] != user]
    there = privacy.remaining(engine, tmp_path, user)
    done = privacy.forget(engine, tmp_path, user, actor="a")
    expected = sizes(flat(theirs)) | {
        "spool": 2 + sum(sizes(flat([u for u in waiting if owner(u)["user"] == user])).values())
    }
    assert min(expected.values()) > 0
    assert done.deleted == there == expected
    assert set(done.remaining.values()) == {0}
    assert in_tables(engine) == flat(others)
    assert in_spool(tmp_path) == flat([unit for unit in waiting if owner(unit)["user"] != user])
    assert [line for line in (tmp_path / DAMAGED_FILE).read_text().split("\n") if line] == [
        line for line in torn[:3] if user not in line
    ]
    (noted,) = read_table(engine, audit.audit)
    assert user not in str(noted)
    assert json.loads(noted["details"])["counts"] == expected
    if url.startswith("sqlite"):
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path for path in files if user.encode() in path.read_bytes()] == []


def test_an_export_has_all_and_only_what_is_of_that_person(engine, tmp_path):
    kept, waiting = filled(engine, tmp_path)
    user = USERS[1]
    before = (tmp_path / SPOOL_FILE).read_bytes()
    content = json.loads(privacy.export(engine, tmp_path, user, actor="a"))
    assert (tmp_path / SPOOL_FILE).read_bytes() == before

    def plain(units):
        return flat(json.loads(json.dumps(units, default=lambda time: time.isoformat())))

    assert flat([content["tables"]]) == plain([u for u in kept if owner(u)["user"] == user])
    assert flat(content["waiting"]) == plain([u for u in waiting if owner(u)["user"] == user])
    assert all(other not in json.dumps(content) for other in USERS if other != user)
    (noted,) = read_table(engine, audit.audit)
    assert (noted["action"], user in str(noted)) == (audit.EXPORT, False)


@pytest.mark.parametrize("user", ["siti", "", "0" * 15, "0" * 17, "g" * 16, "' OR '1'='1"])
def test_what_is_no_pseudonym_is_refused(engine, tmp_path, user):
    kept, _ = filled(engine, tmp_path)
    for act in (privacy.forget, privacy.export):
        with pytest.raises(LogError, match="16 digit heksadesimal"):
            act(engine, tmp_path, user, actor="a")
    assert in_tables(engine) == flat(kept)
    assert read_table(engine, audit.audit) == []


@pytest.fixture
def installation(engine, url, tmp_path):
    """Models, a version of one, and a log with rows."""
    models = tmp_path / "outputs"
    for name in ("light", "structured"):
        shutil.copytree(PROJECT / "outputs" / name, models / name)
    shutil.copytree(PROJECT / "outputs" / "light", models / "models" / "light" / "1")
    (models / "models" / "light" / "current").write_text("1\n")
    logs = models / "logs"
    log_key(logs)
    filled(engine, logs)
    appended(engine, logs)
    return models


def tree(folder):
    """What is in a folder, apart from what SQLite writes by itself, and from locks."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("judul.db", ".audit", ".spool.lock"))
    }


def in_audit(engine):
    return sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])


def made(engine, models, target, **options):
    return backup(models, engine, models / "logs", target, actor="a", reason="uji", **options)


def put_back(url, models, path, **options):
    return restore(path, models, url, models / "logs", actor="a", reason="uji", **options)


def test_what_was_lost_is_there_again_after_a_restore(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    rows, trail, files = in_tables(engine), in_audit(engine), tree(installation)
    manifest = made(engine, installation, target)
    assert target.stat().st_mode & 0o077 == 0
    assert verify_backup(target) == manifest
    assert manifest.folders == ["light", "models", "structured"]
    assert in_audit(engine)[-1]["action"] == audit.BACKUP
    shutil.rmtree(installation)
    execute(engine, *(f"DELETE FROM {name}" for name in (*USAGE_TABLES, "audit")))
    done = put_back(url, installation, target)
    assert done.has_key
    assert done.aside == []
    assert in_tables(engine) == rows
    assert in_audit(engine)[:-1] == trail
    assert in_audit(engine)[-1]["action"] == audit.RESTORE
    assert audit.verify(engine, installation / "logs") == []
    assert audit.read_head(installation / "logs").seq == len(trail) + 1
    after = tree(installation)
    head = Path("logs") / audit.HEAD_FILE
    assert {**after, head: b""} == {**files, head: b""}
    assert (installation / "logs" / "log.key").stat().st_mode & 0o077 == 0
    for folder in ("light", "structured", "models/light/1"):
        assert len(load_checker(installation / folder).check("Prediksi Harga Cabai", top_k=3)) == 3


def test_labels_come_back_and_newer_ones_are_kept(url, engine, installation, tmp_path):
    target, labels = tmp_path / "cadangan.zip", installation / "labels" / "label-a.csv"
    labels.parent.mkdir()
    labels.write_text("lama")
    assert "labels" in made(engine, installation, target).folders
    labels.write_text("baru")
    done = put_back(url, installation, target, force=True)
    assert labels.read_text() == "lama"
    [aside] = [name for name in done.aside if name.startswith("labels.")]
    assert (installation / aside / "label-a.csv").read_text() == "baru"


def test_models_made_after_the_backup_are_kept_beside(engine, url, installation, tmp_path):
    target, models = tmp_path / "cadangan.zip", installation / "models"
    made(engine, installation, target)
    files = tree(installation)
    assert put_back(url, installation, target, force=True).versions == []
    assert not list(installation.glob("*.*"))  # The same is not kept twice.
    path = installation / "light" / METADATA_FILE
    metadata = json.loads(path.read_text()) | {"created": "2027-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(metadata))
    version = add_version(installation, installation / "light")
    promotions.promote(installation, "light", version, reason="diuji", approver="Kaprodi")
    later = tree(models)
    done = put_back(url, installation, target, force=True)
    assert done.versions == [f"light {version}"]
    kept = {name.split(".")[0]: installation / name for name in done.aside if "lama" not in name}
    assert set(kept) == {"light", "models"}
    assert tree(kept["models"]) == later
    assert json.loads((kept["light"] / METADATA_FILE).read_text()) == metadata
    for name in ("light", "models"):
        there = {path for path in tree(installation) if path.parts[0] == name}
        assert there == {path for path in files if path.parts[0] == name}
        assert all((installation / path).read_bytes() == files[path] for path in there)
    shutil.copytree(kept["models"] / "light" / version, models / "light" / version)
    assert versions.verify_version(installation, "light", version)["name"] == "light"


def test_the_command_tells_of_versions_made_after_the_backup(tmp_path):
    models, target = tmp_path / "outputs", tmp_path / "cadangan.zip"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    (models / "models" / "light").mkdir(parents=True)
    (models / "models" / "light" / "history.json").write_text("[]")
    assert judul("govern", "backup", target, "--models", models).returncode == 0
    version = add_version(models, models / "light")
    told = judul("govern", "restore", target, "--force", "--models", models)
    assert told.returncode == 0
    assert f"tidak ada di cadangan ikut disimpan di situ: light {version}" in told.stderr
    [kept] = models.glob("models.*")
    assert kept.name in told.stderr
    assert (kept / "light" / version / METADATA_FILE).is_file()


def test_a_log_with_rows_is_replaced_only_when_told_and_then_kept(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    rows = in_tables(engine)
    made(engine, installation, target)
    privacy.retention(engine, installation / "logs", days=50, actor="a")
    trail = in_audit(engine)
    before, files = in_tables(engine), tree(installation)
    with pytest.raises(LogError, match="--force"):
        put_back(url, installation, target)
    assert (in_tables(engine), tree(installation)) == (before, files)
    done = put_back(url, installation, target, force=True)
    assert in_tables(engine) == rows
    assert in_audit(engine)[:-1] == trail  # It goes on from the backup's, and none of it is lost.
    assert audit.verify(engine, installation / "logs") == []
    if engine.dialect.name == "postgresql":
        count = f"SELECT count(*) FROM {done.aside[0]}.predictions"
        with engine.connect() as connection:
            kept = connection.execute(sa.text(count)).scalar()
        assert kept == len(before["predictions"])
    else:
        old = open_database(f"sqlite:///{tmp_path / done.aside[0]}")
        assert in_tables(old) == before
        old.dispose()
    assert {name.split(".lama-")[0] for name in done.aside[1:]} == {SPOOL_FILE}


def test_a_restore_brings_nobody_back_who_was_forgotten(engine, url, installation, tmp_path):
    target, logs = tmp_path / "cadangan.zip", installation / "logs"
    privacy.forget(engine, logs, USERS[1], actor="a")
    filled(engine, logs)  # Who came back after being forgotten is there in the backup.
    rows = in_tables(engine)
    made(engine, installation, target)
    privacy.forget(engine, logs, USERS[0], actor="a")
    for _ in range(2):
        assert put_back(url, installation, target, force=True).forgotten == 1
        assert set(privacy.remaining(engine, logs, USERS[0]).values()) == {0}
        others = {name: {row for row in found if USERS[0] not in row} for name, found in rows.items()}
        now_there = in_tables(engine)
        assert {**now_there, "scores": 0} == {**others, "scores": 0}
        assert now_there["scores"] < rows["scores"]
        assert audit.verify(engine, logs) == []


def test_another_trail_gives_way_to_that_of_the_backup(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    trail = in_audit(engine)
    made(engine, installation, target)
    execute(engine, "DELETE FROM audit")
    (installation / "logs" / audit.HEAD_FILE).unlink()
    appended(engine, installation / "logs", 9)
    put_back(url, installation, target, force=True)
    assert in_audit(engine)[:-1] == trail
    assert audit.verify(engine, installation / "logs") == []


def test_a_backup_of_one_database_goes_into_the_other(engine, url, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    rows, trail = in_tables(engine), in_audit(engine)
    made(engine, installation, target)
    other = tmp_path / "lain"
    put_back(database_url(other / "logs"), other, target)
    sqlite = open_database(database_url(other / "logs"))
    assert (in_tables(sqlite), in_audit(sqlite)[:-1]) == (rows, trail)
    again = tmp_path / "lagi.zip"
    made(sqlite, other, again)
    sqlite.dispose()
    put_back(url, installation, again, force=True)
    assert in_tables(engine) == rows
    assert in_audit(engine)[: len(trail)] == trail
    assert audit.verify(engine, installation / "logs") == []


def rewritten(path, change, extra=(), *, content=b"x", compression=zipfile.ZIP_STORED):
    """Write a zip anew with another manifest and further members, of which it tells the truth."""
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


def exchange(name, content):
    def change(manifest, members):
        members[name] = content
        manifest["sizes"][name] = len(content)

    return lambda path: rewritten(path, change)


def nothing(manifest, members):
    pass


def grow(path, change=nothing, compression=zipfile.ZIP_DEFLATED):
    zeros = b"\0" * (64 << 20)
    rewritten(path, change, ["outputs/light/nol"], content=zeros, compression=compression)


REFUSED = {
    "a bit": (flip, "rusak"),
    "cut off": (shorten, "rusak"),
    "no zip": (lambda path: path.write_bytes(b"PK"), "rusak"),
    "another table": (exchange("log/events.jsonl", b""), "rusak"),
    "a row too few": (lambda p: rewritten(p, lambda m, _: m["rows"].update(events=1)), "rusak"),
    "a member missing": (lambda p: rewritten(p, lambda _, f: f.pop("log/log.key")), "rusak"),
    "a member too many": (lambda p: rewritten(p, lambda _, f: f.update({"log/x": b""})), "ke luar"),
    "a hash too few": (lambda p: rewritten(p, lambda m, _: m["hashes"].pop("log/log.key")), "rusak"),
    "upwards": (lambda p: rewritten(p, nothing, ["outputs/light/../../../../jahat"]), "ke luar"),
    "absolute": (lambda p: rewritten(p, nothing, ["/tmp/jahat"]), "ke luar"),
    "backslash": (lambda p: rewritten(p, nothing, ["outputs/light/..\\..\\jahat"]), "ke luar"),
    "elsewhere": (lambda p: rewritten(p, nothing, ["outputs/logs/judul.db"]), "ke luar"),
    "a fact too many": (lambda p: rewritten(p, lambda m, _: m.update(links={})), "rusak"),
    "newer": (lambda p: rewritten(p, lambda m, _: m.update(schema=SCHEMA_VERSION + 1)), "lebih baru"),
    "newer form": (lambda p: rewritten(p, lambda m, _: m.update(format=FORMAT + 1)), "lebih baru"),
    "no form": (lambda p: rewritten(p, lambda m, _: m.update(format=float("inf"))), "rusak"),
    "a time with a zone": (
        lambda p: rewritten(p, lambda m, _: m.update(time="2026-01-01T00:00:00+07:00")), "rusak",
    ),
    "no time": (lambda p: rewritten(p, lambda m, _: m.update(time=None)), "rusak"),
    "another size": (
        lambda p: rewritten(p, lambda m, _: m["sizes"].update({"log/log.key": 9})), "rusak",
    ),
    "no sizes": (lambda p: rewritten(p, lambda m, _: m.pop("sizes")), "rusak"),
    "a member that grows": (grow, "jauh lebih besar"),
    "one that grows, of the first form": (
        lambda p: grow(p, lambda m, _: m.update(format=1, sizes={})), "jauh lebih besar",
    ),
    "one that grows without a bound": (lambda p: grow(p, compression=zipfile.ZIP_BZIP2), "rusak"),
    "a manifest too large": (
        lambda p: rewritten(p, lambda m, _: m.update(version="x" * (17 << 20))), "jauh lebih besar",
    ),
}  # fmt: skip


@contextmanager
def at_most(n_bytes):
    """Fail where more than so much memory is taken in between."""
    tracemalloc.start()
    try:
        yield
    finally:
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert taken < n_bytes


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_backup_is_refused_and_changes_nothing(tmp_path, name):
    engine = open_database(database_url(tmp_path), lock_wait=30)
    models = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    log_key(models / "logs")
    filled(engine, models / "logs")
    target = tmp_path / "zip" / "cadangan.zip"
    made(engine, models, target)
    before = (in_tables(engine), in_audit(engine), tree(models), set(tmp_path.iterdir()))
    plant_pickle_bomb, said = REFUSED[name]
    plant_pickle_bomb(target)
    with pytest.raises(LogError, match=said), at_most(16 << 20):
        put_back(database_url(tmp_path), models, target, force=True)
    assert (in_tables(engine), in_audit(engine), tree(models), set(tmp_path.iterdir())) == before
    engine.dispose()


def test_a_large_backup_is_put_back_in_pieces(tmp_path):
    engine = open_database(database_url(tmp_path))
    large = random.Random(1).randbytes(32 << 20)
    for path in (tmp_path / "a" / "light" / "large.bin", tmp_path / "a" / "logs" / DAMAGED_FILE):
        path.parent.mkdir(parents=True)
        path.write_bytes(large)
    made(engine, tmp_path / "a", tmp_path / "cadangan.zip")
    engine.dispose()
    with at_most(16 << 20):
        put_back(database_url(tmp_path / "b"), tmp_path / "b", tmp_path / "cadangan.zip")
    for path in ("light/large.bin", f"logs/{DAMAGED_FILE}"):
        assert (tmp_path / "b" / path).read_bytes() == large
    assert (tmp_path / "b" / "logs" / DAMAGED_FILE).stat().st_mode & 0o077 == 0
    assert not [path.name for path in tmp_path.rglob(".pemulihan.*")]


def test_a_backup_of_the_first_form_is_put_back(engine, url, installation, tmp_path):
    target, rows = tmp_path / "cadangan.zip", in_tables(engine)
    made(engine, installation, target)
    rewritten(target, lambda manifest, _: (manifest.pop("sizes"), manifest.update(format=1)))
    put_back(url, installation, target, force=True)
    assert in_tables(engine) == rows


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("events", {"simulated": "ya"}), ("events", {"user": "separuh \ud83d"}),
        ("events", {"user": {"a": 1}}), ("events", {"time": 5}), ("events", {"kind": "x" * (17 << 20)}),
        ("predictions", {"query_length": 10**30}),
    ],
)  # fmt: skip
def test_a_row_that_no_table_takes_changes_nothing(engine, url, installation, tmp_path, table, row):
    target = tmp_path / "cadangan.zip"
    made(engine, installation, target)

    def change(manifest, members):
        name = f"log/{table}.jsonl"
        first = json.loads(members[name].splitlines()[0])
        members[name] += json.dumps({**first, "id": "0" * 32, **row}).encode() + b"\n"
        manifest["hashes"][name] = sha256_of(members[name])
        manifest["sizes"][name] = len(members[name])
        manifest["rows"][table] += 1

    rewritten(target, change)
    before = (in_tables(engine), in_audit(engine), tree(installation))
    with pytest.raises(LogError):
        put_back(url, installation, target, force=True)
    assert (in_tables(engine), in_audit(engine), tree(installation)) == before


def test_a_file_that_is_there_is_replaced_only_when_told(tmp_path):
    models, there = tmp_path / "outputs", tmp_path / "skripsi.docx"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    with opened_database(sqlite_url(models / "logs")):
        pass
    for command in (("backup", there), ("export", "--user", USERS[0], "--output", there)):
        there.write_text("penting")
        govern = ("govern", *command, "--models", models)
        assert_refused(judul(*govern), "skripsi.docx sudah ada", "--force")
        assert there.read_text() == "penting"
        assert judul(*govern, "--force").returncode == 0
        assert there.read_bytes() != b"penting"


def test_a_backup_is_written_whole_or_not_at_all(tmp_path):
    engine = open_database(database_url(tmp_path), lock_wait=30)
    models, target = tmp_path / "outputs", tmp_path / "zip" / "cadangan.zip"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    made(engine, models, target)
    content = target.read_bytes()
    (models / "light" / "arrays.npz").write_bytes(b"x")
    with pytest.raises(LogError, match="make run"):
        made(engine, models, target, force=True)
    with pytest.raises(LogError, match="di dalam folder yang dicadangkan"):
        made(engine, models, models / "light" / "cadangan.zip")
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]
    engine.dispose()


def test_the_commands(tmp_path):
    models = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    target, copy = tmp_path / "cadangan.zip", tmp_path / "salinan.json"
    url = database_url(models / "logs")
    engine = open_database(url)
    filled(engine, models / "logs")

    def govern(*arguments):
        return judul("govern", *arguments, "--models", models)

    assert_refused(govern("forget", "--user", "siti"), "16 digit heksadesimal")
    pseudonym = UsageLog(models / "logs", user="siti").user
    assert govern("user", "Siti").stdout == f"{pseudonym}\n"
    told = govern("retention", "--days", 90, "--dry-run")
    assert told.stdout.startswith("Akan dihapus"), told.stderr
    assert "audit" not in told.stdout
    saved = govern("backup", target)
    assert "sudah diperiksa" in saved.stdout, saved.stderr
    assert govern("export", "--user", USERS[0], "--output", copy).returncode == 0
    assert json.loads(copy.read_text())["user"] == USERS[0]
    gone = govern("forget", "--user", USERS[0], "--reason", "surat 12")
    assert gone.returncode == 0
    assert "0 pemeriksaan" in gone.stdout.splitlines()[1]
    assert_refused(govern("restore", target), "--force")
    assert govern("restore", target, "--force").returncode == 0
    assert set(privacy.remaining(engine, models / "logs", USERS[0]).values()) == {0}
    assert govern("retention").stdout.startswith("Dihapus")
    whole = govern("verify")
    assert (whole.returncode, whole.stdout) == (0, "Jejak audit utuh: 6 baris.\n")
    shown = govern("audit").stdout
    assert "pemulihan" in shown
    assert "Masa simpan 90 hari" in shown
    execute(engine, "UPDATE audit SET reason = 'lain' WHERE seq = 1")
    engine.dispose()
    broken = govern("verify")
    assert broken.returncode == 1
    assert "Baris 1 jejak audit berubah" in broken.stderr


def test_a_login_has_no_pseudonym_where_there_is_no_key(tmp_path):
    assert_refused(judul("govern", "user", "siti", "--models", tmp_path), "kunci", "JUDUL_LOG_KEY")
    assert list(tmp_path.iterdir()) == []
    given = judul("govern", "user", "siti", "--models", tmp_path, JUDUL_LOG_KEY="rahasia")
    assert re.fullmatch(r"[0-9a-f]{16}\n", given.stdout)


def commit(project):
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (["add", "-A"], [*author, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=project, check=True)


@pytest.fixture
def compliant(tmp_path):
    """An installation in which everything is as it should be, and how its checklist looks."""
    project = tmp_path / "project"
    models = project / "outputs"
    for name in ("light", "structured"):
        shutil.copytree(PROJECT / "outputs" / name, models / name)
    (project / ".gitignore").write_text("logs/\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    commit(project)
    config = Config(models=models)
    engine = open_database(database_url(config.logs), lock_wait=30)
    appended(engine, config.logs)
    insert_units(engine, [{"events": [event()]}])
    backups = tmp_path / "backups"
    made(engine, models, backups / "a.zip")

    def failing(**options):
        checks = run_checklist(config, engine, project, backups, **options)
        assert len(checks) == 8
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


def promoted(config, engine):
    """Return the metadata of a version that was promoted as it should be, committed and backed up."""
    version = add_version(config.models, config.models / "light")
    trail = AuditWriter(engine.url.render_as_string(hide_password=False), config.logs, "petugas")
    promotions.promote_with_audit(
        trail, config.models, "light", version, reason="diuji", approver="Kaprodi"
    )
    commit(config.models.parent)
    return config.models / "models" / "light" / version / METADATA_FILE


def forget_approver(config, engine):
    path = promoted(config, engine)
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


UNDONE = {
    "a promotion": (promoted, []),
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
    "no backup": (
        lambda c, e: shutil.rmtree(c.models.parent.parent / "backups"),
        ["Cadangan baru dan dapat dipulihkan"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDONE)
def test_the_checklist_sees_what_is_wrong(compliant, name):
    config, engine, failing = compliant
    undo, expected = UNDONE[name]
    undo(config, engine)
    assert failing() == expected


def test_an_old_backup_is_too_old(compliant, monkeypatch):
    _, _, failing = compliant
    monkeypatch.setattr(compliance_module, "utc_now", lambda: utc_now() + timedelta(days=8))
    assert failing() == ["Cadangan baru dan dapat dipulihkan"]
    assert failing(backup_days=9) == []


def test_the_command_of_the_checklist_fails_where_an_item_does(tmp_path):
    models = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    with opened_database(sqlite_url(models / "logs")):
        pass
    done = judul("govern", "check", "--models", models)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    assert any(line.startswith("GAGAL  Jejak audit utuh: Jejak audit kosong") for line in lines)
    assert any(line.startswith("GAGAL  Cadangan baru") for line in lines)


@pytest.mark.parametrize(
    "facts",
    [{"features": 5}, {"features": [[]]}, {"importances": [1]}, {"importances": {"cosine": "1"}},
     {"dataset": "judul.csv"}],
)  # fmt: skip
def test_facts_of_another_form_are_told_as_what_is_wrong(facts, tmp_path):
    models = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    with opened_database(sqlite_url(models / "logs")):
        pass
    path = models / "light" / METADATA_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    done = judul("govern", "check", "--models", models)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 8)
    wrong = "Metadata dan hash model cocok" if "dataset" in facts else "Bobot fitur tersedia"
    assert f"GAGAL  {wrong}: " in done.stdout
    assert judul("models", "show", "light", "--models", models).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        "govern verify", "govern audit", "govern retention", "govern check", "monitor",
        f"govern forget --user {'0' * 16}", f"govern export --user {'0' * 16}",
    ],
)  # fmt: skip
def test_a_mistyped_folder_is_no_log_that_looks_well(command, tmp_path):
    mistyped = tmp_path / "oututs"
    assert_refused(judul(*command.split(), "--models", mistyped), f"Belum ada log di {mistyped}")
    assert not mistyped.exists()


@pytest.mark.parametrize("command", ["backup cadangan.zip", "calendar"])
def test_what_needs_no_log_still_needs_models(command, tmp_path):
    mistyped = tmp_path / "oututs"
    refused = judul("govern", *command.split(), "--models", mistyped, cwd=tmp_path)
    assert_refused(refused, f"Belum ada model di {mistyped}")
    assert list(tmp_path.iterdir()) == []


def test_copies_that_were_set_aside_are_told_and_go_with_time(engine, url, installation, tmp_path):
    logs = installation / "logs"
    made(engine, installation, tmp_path / "cadangan.zip")
    append_to_spool(logs, {"events": []})
    with frozen_clock(utc_now() - timedelta(days=100)):
        put_back(url, installation, tmp_path / "cadangan.zip", force=True)
    with frozen_clock(utc_now() - timedelta(days=10)):
        put_back(url, installation, tmp_path / "cadangan.zip", force=True)
    broken = logs / f"judul.db.rusak-{utc_now() - timedelta(days=100):{QUARANTINE_TIME_FORMAT}}"
    for suffix in ("", "-wal"):
        broken.with_name(broken.name + suffix).write_bytes(b"broken")
    (logs / "catatan.lama-20200101_000000_000000").write_text("of somebody else")

    before = log_copies(engine, logs)
    assert not any(Path(name).stat().st_mode & 0o077 for name in before if ".db.lama-" in name)
    old = {name for name, since in before.items() if since < utc_now() - timedelta(days=90)}
    assert (len(before), len(old)) == (
        5,
        4,
    )  # Two tables' copies, the spool's, the broken file with its -wal.
    assert privacy.forget(engine, logs, USERS[0], actor="a").copies == tuple(before)

    counts = privacy.retention(engine, logs, days=90, actor="a", dry_run=True)
    assert (counts["copies"], set(log_copies(engine, logs))) == (4, set(before))
    assert privacy.retention(engine, logs, days=90, actor="a")["copies"] == 4
    assert set(log_copies(engine, logs)) == set(before) - old
    assert json.loads(in_audit(engine)[-1]["details"])["counts"]["copies"] == 4
    assert (logs / "catatan.lama-20200101_000000_000000").exists()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_retention_deletes_no_schema_that_is_not_ours(engine, url, installation, tmp_path):
    logs = installation / "logs"
    made(engine, installation, tmp_path / "cadangan.zip")
    names = []
    for age in (130, 120, 110, 100):
        with frozen_clock(utc_now() - timedelta(days=age)):
            done = put_back(url, installation, tmp_path / "cadangan.zip", force=True)
        names += [name for name in done.aside if name.startswith("judul_lama_")]
    ours, with_table, with_column, with_view = names
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
    assert {name for name in log_copies(engine, logs) if "/" not in name} == {ours}
    execute(engine, f"CREATE VIEW public.laporan AS SELECT id FROM {ours}.predictions")
    rows = in_tables(engine), in_spool(logs)
    with pytest.raises(LogError, match=f"{ours} tidak dihapus, karena ada yang bergantung"):
        privacy.retention(engine, logs, days=90, actor="a")
    assert (in_tables(engine), in_spool(logs)) == rows
    execute(engine, "DROP VIEW public.laporan")
    privacy.retention(engine, logs, days=90, actor="a")
    assert set(sa.inspect(engine).get_schema_names()) == before - {ours}


def test_the_commands_tell_of_copies_too(installation, tmp_path, monkeypatch):
    logs = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "m" / "light").parent / "logs"
    with opened_database(sqlite_url(logs)):
        pass
    copy = logs / "judul.db.rusak-20200101_000000_000000"
    copy.write_bytes(b"broken")
    options = ("--models", logs.parent)
    told = judul("govern", "forget", "--user", USERS[0], *options)
    assert (told.returncode, str(copy) in told.stderr) == (1, True)
    checked = judul("govern", "check", *options).stdout
    assert "GAGAL  Masa simpan dipatuhi: 0 baris dan 1 salinan yang disisihkan lebih tua" in checked
    cleared = judul("govern", "retention", *options)
    assert "1 salinan yang disisihkan" in cleared.stdout
    assert judul("govern", "forget", "--user", USERS[0], *options).returncode == 0
    assert "LULUS  Masa simpan dipatuhi" in judul("govern", "check", *options).stdout


def test_a_link_is_no_part_of_a_backup(engine, installation, tmp_path):
    (installation / "models" / "light" / "tautan").symlink_to("/etc/hostname")
    with pytest.raises(LogError, match="tautan adalah tautan"):
        made(engine, installation, tmp_path / "cadangan.zip")
    assert not (tmp_path / "cadangan.zip").exists()


def test_what_a_killed_backup_left_goes_with_the_next(engine, installation, tmp_path):
    target = tmp_path / "cadangan.zip"
    (tmp_path / ".cadangan.zip.x1y2.tmp").write_bytes(b"half, with the key of the log in it")
    (tmp_path / ".lain.zip.x1y2.tmp").write_bytes(b"of another, which is being written")
    with file_lock(tmp_path / ".cadangan.zip.lock"), pytest.raises(LogError, match="sedang menulis"):
        made(engine, installation, target)
    assert not target.exists()
    made(engine, installation, target)
    assert sorted(p.name for p in tmp_path.glob("*.zip*")) == [".lain.zip.x1y2.tmp", "cadangan.zip"]
    verify_backup(target)
