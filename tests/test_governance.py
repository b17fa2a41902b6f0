"""Governance: the trail shows every change, a person's records go wholly, a backup brings all back."""

import json
import random
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa

from judul_lib import audit, privacy
from judul_lib.database import USAGE_TABLES, now, open_database, read_table
from judul_lib.errors import LogError
from judul_lib.spool import DAMAGED_FILE, SPOOL_FILE, append_to_spool, spooled
from judul_lib.usage_log import insert_units
from tests.conftest import PROJECT

USERS = [f"{number:016x}" for number in (0xABC1230000000001, 0xABC1230000000002, 0xF00D)]

APPENDER = """
import sys
from pathlib import Path
from judul_lib import audit
from judul_lib.database import open_database
engine = open_database(sys.argv[2], lock_wait=60)
for k in range(25):
    audit.append(engine, Path(sys.argv[1]), actor=sys.argv[3], action=audit.TRAIN, reason=str(k))
"""


@pytest.fixture
def engine(url):
    opened = open_database(url, lock_wait=30)
    yield opened
    opened.dispose()


def appended(engine, folder, n=6):
    for k in range(n):
        action = audit.ACTIONS[k % len(audit.ACTIONS)]
        audit.append(
            engine, folder, actor="a", action=action, reason=f"alasan {k}",
            details={"lama": {"f1": 0.9}, "baru": {"f1": k / 10}},
        )  # fmt: skip


def execute(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_a_trail_that_nobody_touched_is_whole(engine, tmp_path):
    assert audit.verify(engine, tmp_path) == []
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
        f"Baris 6 jejak audit bukan yang tercatat di {audit.HEAD_FILE}."
    ]


def test_a_trail_written_anew_with_right_hashes_is_found(engine, tmp_path):
    appended(engine, tmp_path)
    execute(engine, "DELETE FROM audit")
    appended(engine, tmp_path / "elsewhere")
    assert "bukan yang tercatat" in audit.verify(engine, tmp_path)[0]


def test_a_head_that_is_gone_or_torn_is_said(engine, tmp_path):
    appended(engine, tmp_path)
    (tmp_path / audit.HEAD_FILE).write_text('{"seq": 6, "ha')
    assert "tidak dapat dibaca" in audit.verify(engine, tmp_path)[0]
    (tmp_path / audit.HEAD_FILE).unlink()
    assert "tidak ada" in audit.verify(engine, tmp_path)[0]


def test_a_clock_that_goes_backwards_breaks_no_trail(engine, tmp_path, monkeypatch):
    appended(engine, tmp_path, 2)
    monkeypatch.setattr(audit, "now", lambda: now() - timedelta(days=400))
    appended(engine, tmp_path, 2)
    assert audit.verify(engine, tmp_path) == []
    times = {row["seq"]: row["time"] for row in read_table(engine, audit.audit)}
    assert times[3] < times[1]


@pytest.mark.parametrize("reason", ["", "  \n", "\0"])
def test_a_row_without_a_reason_is_refused(engine, tmp_path, reason):
    with pytest.raises(LogError, match="alasan"):
        audit.append(engine, tmp_path, actor="a", action=audit.TRAIN, reason=reason)
    with pytest.raises(LogError, match="tidak dikenal"):
        audit.append(engine, tmp_path, actor="a", action="mengubah", reason="ya")
    assert read_table(engine, audit.audit) == []


def test_any_text_can_be_a_reason(engine, tmp_path):
    for reason in ("é ☃ 😀", 'a "b" \\ c', "a\0b", "separuh \ud83d"):
        audit.append(engine, tmp_path, actor="x" * 99, action=audit.TRAIN, reason=reason)
    assert audit.verify(engine, tmp_path) == []


def random_unit(random, k):
    """A prediction with its scores, or one opinion, or one event, of some user and age."""
    stamp = {
        "id": f"{k:032x}", "time": now() - timedelta(days=random.uniform(0, 200)),
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
    with spooled(folder) as (units, damaged, _):
        assert damaged == []
        return flat(units)


def sizes(rows):
    return {name: len(found) for name, found in rows.items()}


def owner(unit):
    return next(rows[0] for name, rows in unit.items() if name != "scores")


@pytest.mark.parametrize("seed", range(3))
def test_retention_deletes_what_is_older_and_nothing_else(engine, tmp_path, seed):
    kept, waiting = filled(engine, tmp_path, seed)
    limit = now() - timedelta(days=90)
    old = [unit for unit in kept if owner(unit)["time"] < limit]
    expected = sizes(flat(old)) | {
        "spool": sum(sizes(flat([u for u in waiting if owner(u)["time"] < limit])).values())
    }
    before = (in_tables(engine), (tmp_path / SPOOL_FILE).read_bytes())
    counted = privacy.retention(engine, tmp_path, days=90, actor="a", dry_run=True)
    assert counted == expected
    assert (in_tables(engine), (tmp_path / SPOOL_FILE).read_bytes()) == before
    assert read_table(engine, audit.audit) == []
    assert privacy.retention(engine, tmp_path, days=90, actor="a") == expected
    assert in_tables(engine) == flat([unit for unit in kept if owner(unit)["time"] >= limit])
    assert in_spool(tmp_path) == flat([unit for unit in waiting if owner(unit)["time"] >= limit])
    (noted,) = read_table(engine, audit.audit)
    assert json.loads(noted["details"])["counts"] == expected
    assert "UU No. 27 Tahun 2022" in noted["reason"]
    assert set(privacy.retention(engine, tmp_path, days=90, actor="a").values()) == {0}
    assert audit.verify(engine, tmp_path) == []
    with pytest.raises(LogError, match="1 hari"):
        privacy.retention(engine, tmp_path, days=0, actor="a")


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
