"""The usage log: every answer is stored once, no title is, and logging never blocks an answer."""

import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest
import sqlalchemy as sa

from judul_lib import load_checker
from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import KEY_FILE, assigned_model, keyed_hash, log_key
from judul_lib.governance import privacy
from judul_lib.usage.database import (
    SCHEMA_VERSION,
    database_url,
    events,
    feedback,
    open_database,
    opened_database,
    predictions,
    read_table,
    scores,
    transaction,
)
from judul_lib.usage.log import AnsweredQuery, Feedback, UsageLog, insert_units
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE, append_to_spool, has_spooled
from tests.conftest import PROJECT, assert_refused, judul

TITLE = "Prediksi Harga Cabai di Kabupaten Garut Menggunakan LSTM"

BATCH_SIZE = 5
WRITER = (
    f"BATCH_SIZE = {BATCH_SIZE}"
    + """
import sys
from pathlib import Path
from judul_lib.core.clock import utc_now
from judul_lib.usage.log import UsageLog
folder, url, n, name = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
log = UsageLog(folder, url=url, user=name)
stamp = {"source": "check", "query_hash": "0" * 16, "query_length": 9, "query_words": 2, "seconds": 0.01,
         "query_text": None, "difference": None, "n_results": 1, "simulated": False, "user": log.user}
print("ready", flush=True)
for start in range(0, n, BATCH_SIZE):
    rows = [{**stamp, "id": f"{name}-{k}", "time": utc_now()} for k in range(start, start + BATCH_SIZE)]
    scores = [{"prediction_id": row["id"], "model": "light", "version": None, "probability": 0.5,
               "match_hash": None, "match_text": None, "unknown_share": 0.0} for row in rows]
    log._write({"predictions": rows, "scores": scores})
"""
)
FINDER = """
import sys, time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from judul_lib.core.clock import utc_now
from judul_lib.usage.log import UsageLog
name = sys.argv[1]
for folder in map(Path, sys.argv[2:]):
    with closing(UsageLog(folder, user=name)) as log:
        def write(k):
            row = {**log._stamp(), "kind": "download", "model": None, "detail": "", "seconds": None}
            if log._write({"events": [{**row, "id": f"{name}-{k}"}]}):
                print(folder.name, f"{name}-{k}")
        if (folder / "judul.db").stat().st_size and not (folder / "broken").exists():
            write("early")
        (folder / f"ready-{name}").touch()
        while not (folder / "go").exists():
            time.sleep(0.0005)
        for k in range(4):
            write(k)
        (folder / f"done-{name}").touch()
"""
READER = """
import sys
from judul_lib.usage.database import events, opened_database, read_table
with opened_database(sys.argv[1]) as engine:
    print(len(read_table(engine, events)))
"""


@pytest.fixture(scope="module")
def matches():
    return load_checker(PROJECT / "outputs" / "light").check(TITLE, top_k=5)


def read_rows(url, table):
    with opened_database(url) as engine:
        return read_table(engine, table)


def answered(matches):
    return AnsweredQuery(TITLE, {"light": matches}, 0.01, {"light": 0.25})


def download_unit(log, **changes):
    row = {**log._stamp(), "kind": "download", "model": None, "detail": "", "seconds": None}
    return {"events": [row | changes]}


def test_predictions_are_logged_without_the_title(url, tmp_path, matches):
    versions = {"light": "20260101-abc"}
    with closing(UsageLog(tmp_path, url=url, user="siti", versions=versions)) as log:
        log.log_predictions([answered(matches)], "page")
    (row,), (score,) = read_rows(url, predictions), read_rows(url, scores)
    assert row["query_hash"] == keyed_hash(log_key(tmp_path), TITLE)
    assert len(row["query_hash"]) == len(row["user"]) == 16
    assert (row["query_length"], row["query_words"], row["n_results"]) == (len(TITLE), 8, 5)
    assert (score["probability"], score["version"]) == (float(matches.probability[0]), "20260101-abc")
    assert score["match_hash"] == log.hash(matches.titles[0])
    assert score["unknown_share"] == 0.25
    for secret in (TITLE, "Cabai", "siti", matches.titles[0]):
        assert secret not in str((row, score))


def test_text_is_logged_only_with_log_text(url, tmp_path, matches):
    with closing(UsageLog(tmp_path, url=url, log_text=True)) as log:
        log.log_predictions([answered(matches)], "check")
        log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, True, None, TITLE, matches.titles[0]))
    assert read_rows(url, predictions)[0]["query_text"] == TITLE
    (row,) = read_rows(url, feedback)
    assert (row["query_text"], row["match_text"]) == (TITLE, matches.titles[0])


def test_difference_is_between_the_two_models_of_the_study(url, tmp_path, matches):
    best = matches.decision
    lower = replace(best, probability=best.probability / 2)
    with closing(UsageLog(tmp_path, url=url)) as log:
        for models in (
            {"structured": best, "full": lower, "light": best},
            {"structured": best, "light": lower},
        ):
            log.log_predictions([AnsweredQuery(TITLE, models, 0.01)], "page")
    differences = [row["difference"] for row in read_rows(url, predictions)]
    assert differences == [pytest.approx(best.probability[0] / 2), None]
    assert {row["model"] for row in read_rows(url, scores)} == {"structured", "full", "light"}


def test_hash_depends_on_the_key_and_ignores_case_and_whitespace(tmp_path):
    one, other = UsageLog(tmp_path / "a"), UsageLog(tmp_path / "b")
    assert one.hash(TITLE) == one.hash(f"  {TITLE.upper()} ")
    assert one.hash(TITLE) != other.hash(TITLE)
    assert UsageLog(tmp_path / "a").hash(TITLE) == one.hash(TITLE)
    assert (tmp_path / "a" / KEY_FILE).stat().st_mode & 0o077 == 0
    assert one.user != UsageLog(tmp_path / "a").user  # Two sessions cannot be joined.


def test_eight_concurrent_writers_lose_nothing(url, tmp_path):
    n, writers = 1_250, 8
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, url, str(n), f"w{k}"], cwd=PROJECT)
        for k in range(writers)
    ]
    assert [process.wait() for process in processes] == [0] * writers
    with closing(UsageLog(tmp_path, url=url)) as log:
        log.flush_spool()
    expected = {f"w{k}-{number}" for k in range(writers) for number in range(n)}
    assert {row["id"] for row in read_rows(url, predictions)} == expected
    assert {row["prediction_id"] for row in read_rows(url, scores)} == expected
    assert not has_spooled(tmp_path)


def test_killed_writer_leaves_complete_transactions(url, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path, url, "100000", "w"], cwd=PROJECT, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    give_up = time.monotonic() + 30  # A busy machine needs a while for its first rows.
    while len(read_rows(url, predictions)) <= 10 and time.monotonic() < give_up:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    asked = {row["id"] for row in read_rows(url, predictions)}
    assert len(asked) > 10
    assert len(asked) % BATCH_SIZE == 0
    assert {row["prediction_id"] for row in read_rows(url, scores)} == asked


def test_logging_is_fast(url, tmp_path, matches):
    """The goal is 5 ms; the bound leaves room for a busy machine."""
    log = UsageLog(tmp_path, url=url)
    log.log_predictions([answered(matches)], "page")
    seconds = []
    for _ in range(60):
        start = time.perf_counter()
        log.log_predictions([answered(matches)], "page")
        seconds.append(time.perf_counter() - start)
    log.close()
    assert statistics.median(seconds) < 0.05


def test_rows_spooled_while_the_database_is_locked_are_inserted_once(tmp_path, matches):
    warnings = []
    log = UsageLog(tmp_path, warn=warnings.append)
    log.log_event("download")
    other = sqlite3.connect(tmp_path / "judul.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    log.log_predictions([answered(matches)], "page")
    log.log_predictions([answered(matches)], "page")  # The database is not tried again at once.
    assert len(warnings) == 1
    assert "dimasukkan kemudian" in warnings[0]
    other.execute("COMMIT")
    other.close()
    spooled = (tmp_path / SPOOL_FILE).read_bytes()
    assert TITLE.encode() not in spooled
    assert log.flush_spool() == 2
    (tmp_path / SPOOL_FILE).write_bytes(spooled)  # As if killed before the spool was cleared.
    assert log.flush_spool() == 2
    log.close()
    assert len(read_rows(database_url(tmp_path), predictions)) == 2


def test_unreachable_database_does_not_raise(tmp_path, matches):
    warnings = []
    log = UsageLog(tmp_path, url="postgresql://localhost:1/judul", warn=warnings.append)
    log.log_predictions([answered(matches)], "page")
    assert "JUDUL_DATABASE_URL" in warnings[0]
    assert has_spooled(tmp_path)
    with pytest.raises(LogError):
        log.flush_spool()
    assert has_spooled(tmp_path)


def test_unwritable_folder_only_warns(tmp_path, matches):
    warnings = []
    (tmp_path / "logs").write_text("a file")
    log = UsageLog(tmp_path / "logs", warn=warnings.append)
    log.log_predictions([answered(matches)], "page")
    assert warnings
    assert warnings[-1].endswith("jawaban tetap benar.")


def test_corrupt_file_is_renamed_and_replaced(tmp_path):
    warnings = []
    log = UsageLog(tmp_path, warn=warnings.append)
    log.log_event("download")
    log.close()
    content = b"not a database" * 500
    (tmp_path / "judul.db").write_bytes(content)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"judul.db{suffix}").unlink(missing_ok=True)
    log.log_event("error", detail="ValueError")
    log.close()
    assert [row["kind"] for row in read_rows(database_url(tmp_path), events)] == ["error"]
    (aside,) = tmp_path.glob("judul.db.rusak-*")
    assert aside.read_bytes() == content
    assert aside.name in warnings[0]


def test_title_with_words_of_an_error_message_does_not_quarantine_the_file(tmp_path):
    warnings = []
    title = "Deteksi Paket Malformed: file is not a database"
    with closing(UsageLog(tmp_path, log_text=True, warn=warnings.append)) as log:
        log.log_event("download")
        with closing(sqlite3.connect(tmp_path / "judul.db")) as other:
            other.execute("ALTER TABLE feedback RENAME COLUMN rating TO bintang")
        log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, True, None, title, title))
        assert list(tmp_path.glob("*rusak*")) == []
        with closing(sqlite3.connect(tmp_path / "judul.db")) as other:
            other.execute("ALTER TABLE feedback RENAME COLUMN bintang TO rating")
        assert log.flush_spool() == 1
    assert len(warnings) == 1
    url = database_url(tmp_path)
    assert [len(read_rows(url, table)) for table in (events, feedback)] == [1, 1]


def wait_for(folder, names):
    give_up = time.monotonic() + 120
    while not all((folder / name).exists() for name in names):
        assert time.monotonic() < give_up
        time.sleep(0.001)


def test_six_processes_quarantine_a_corrupt_file_once(tmp_path):
    """In every other round the file is corrupted while it is open, else before."""
    broken, names = b"not a database" * 500, [f"p{k}" for k in range(6)]
    folders = [tmp_path / f"round-{k}" for k in range(8)]
    for k, folder in enumerate(folders):
        with opened_database(database_url(folder)):
            pass
        if k % 2:
            (folder / "judul.db").write_bytes(broken)
            (folder / "broken").touch()
    command = [sys.executable, "-c", FINDER]
    pipe = {"stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, name, *folders], cwd=PROJECT, **pipe) for name in names]
    for folder in folders:
        wait_for(folder, [f"ready-{name}" for name in names])
        if not (folder / "broken").exists():
            with closing(sqlite3.connect(folder / "judul.db")) as file:
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with (folder / "judul.db").open("r+b") as stream:
                stream.write(broken)
        (folder / "go").touch()
        wait_for(folder, [f"done-{name}" for name in names])
    printed = [process.communicate()[0].splitlines() for process in processes]
    written = [line.split() for lines in printed for line in lines]
    assert [process.returncode for process in processes] == [0] * len(names)
    for folder in folders:
        with closing(UsageLog(folder)) as log:
            log.flush_spool()
        acknowledged = {name for where, name in written if where == folder.name and "early" not in name}
        assert len(acknowledged) == 4 * len(names)
        assert acknowledged <= {row["id"] for row in read_rows(database_url(folder), events)}
        asides = [path for path in folder.glob("*.rusak-*") if not path.name.endswith(("-wal", "-shm"))]
        assert [path.read_bytes()[: len(broken)] for path in asides] == [broken]


REMOVALS = {
    "the file": lambda folder, other: (folder / "judul.db").unlink(),
    "the file and what is beside it": lambda folder, other: [
        path.unlink() for path in folder.glob("judul.db*")
    ],
    "the folder": lambda folder, other: shutil.rmtree(folder),
    "the folder, moved": lambda folder, other: folder.rename(folder.with_name("arsip")),
    "the file, moved": lambda folder, other: (folder / "judul.db").rename(folder / "arsip.db"),
    "the file, replaced": lambda folder, other: (other / "judul.db").replace(folder / "judul.db"),
}


@pytest.mark.parametrize("name", REMOVALS)
def test_rows_logged_after_the_file_is_gone_are_in_the_new_file(name, tmp_path):
    folder, other, warnings = tmp_path / "logs", tmp_path / "lain", []
    with closing(UsageLog(other)) as log:
        log.log_event("error", detail="of the other file")
    with closing(UsageLog(folder, warn=warnings.append)) as log:
        for _ in range(3):
            log.log_event("download")
        with closing(UsageLog(folder)) as second:
            second.log_event("download")
            REMOVALS[name](folder, other)
            for _ in range(7):
                log.log_event("error")
                second.log_event("error")
            reader = [sys.executable, "-c", READER, database_url(folder)]
            count = subprocess.run(reader, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout
    assert int(count) == 14 + (name == "the file, replaced")
    assert {row["kind"] for row in read_rows(database_url(folder), events)} == {"error"}
    assert (folder / "judul.db").stat().st_mode & 0o077 == 0
    assert len(warnings) == 1
    assert "dihapus atau diganti" in warnings[0]


def test_transaction_fails_if_the_file_is_gone(tmp_path):
    """Even if it disappears during the transaction."""
    with opened_database(database_url(tmp_path)) as engine:
        with pytest.raises(LogError, match="dihapus atau diganti"), transaction(engine):
            (tmp_path / "judul.db").unlink()
        with pytest.raises(LogError, match="dihapus atau diganti"):
            read_table(engine, events)


def test_corruption_while_in_use_is_detected(tmp_path):
    warnings = []
    log = UsageLog(tmp_path, warn=warnings.append)
    for _ in range(300):
        log.log_event("download", detail="x" * 200)
    log.close()
    path = tmp_path / "judul.db"
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(size - 4096))
    log.log_event("error")
    log.close()
    assert "rusak" in warnings[0]
    assert [row["kind"] for row in read_rows(database_url(tmp_path), events)] == ["error"]


def test_torn_line_of_the_spool_is_quarantined(tmp_path):
    with closing(UsageLog(tmp_path)) as log:
        append_to_spool(tmp_path, download_unit(log))
        with (tmp_path / SPOOL_FILE).open("ab") as stream:
            stream.write(b'{"events": [{"id": "to')
        append_to_spool(tmp_path, download_unit(log))
        assert log.flush_spool() == 2
    assert (tmp_path / DAMAGED_FILE).read_text().startswith('{"events": [{"id": "to')
    assert len(read_rows(database_url(tmp_path), events)) == 2


INVALID_ROWS = {
    "no value in a column that needs one": lambda row: row | {"kind": None},
    "neither true nor false": lambda row: row | {"simulated": "mungkin"},
    "a column left out": lambda row: {name: row[name] for name in ("id", "time", "user")},
    "a word for a number": lambda row: row | {"seconds": "cepat"},
    "a truth value for a number": lambda row: row | {"seconds": True},
}


@pytest.mark.parametrize("name", INVALID_ROWS)
def test_rejected_row_does_not_block_the_others(name, url, tmp_path):
    warnings = []
    log = UsageLog(tmp_path, url=url, warn=warnings.append)
    units = [download_unit(log) for _ in range(5)]
    invalid = {"events": [INVALID_ROWS[name](download_unit(log)["events"][0])]}
    for unit in (*units[:3], invalid, *units[3:]):
        append_to_spool(tmp_path, unit)
    n = log.flush_spool()
    log.close()
    assert (n, len(read_rows(url, events)), has_spooled(tmp_path)) == (5, 5, False)
    assert invalid["events"][0]["id"] in (tmp_path / DAMAGED_FILE).read_text()
    assert DAMAGED_FILE in warnings[0]


@pytest.mark.parametrize(
    "line",
    [
        '{"visits": []}', '{"audit": [{"seq": 1}]}', '{"events": [{"id": "1", "kind": "download"}]}',
        '{"events": [{"id": "1", "time": "2026-01-02T03:04:05", "name": "Siti"}]}',
        '{"events": [{"id": "1", "time": "2026-01-02T03:04:05Z", "detail": "x"}]}',
        '{"events": [{"id": "1", "time": "2026-01-02T03:04:05", "detail": {"a": 1}}]}',
        '{"scores": [{"model": "light"}]}',
        b'{"events": [{"id": "1", "time": "2026-01-02T03:04:05", "detail": "caf\xe9"}]}',
        '{"events": [{"id": "1", "time": "2026-01-02T03:04:05", "detail": "caf\\udce9"}]}',
        '{"events": [{"id": "1", "time": "2026-01-02T03:04:05", "detail": "\\ud800"}]}',
    ],
)  # fmt: skip
def test_invalid_line_is_quarantined_unchanged(line, url, tmp_path):
    line = line if isinstance(line, bytes) else line.encode()
    log = UsageLog(tmp_path, url=url)
    append_to_spool(tmp_path, first := download_unit(log))
    with (tmp_path / SPOOL_FILE).open("ab") as stream:
        stream.write(line + b"\n")
    append_to_spool(tmp_path, last := download_unit(log))
    before = (tmp_path / SPOOL_FILE).read_bytes()
    with opened_database(url) as engine:
        counts = privacy.retention(engine, tmp_path, days=90, actor="a", dry_run=True)
        privacy.forget(engine, tmp_path, "0" * 16, actor="a")
    assert (tmp_path / SPOOL_FILE).read_bytes() == before
    assert log.flush_spool() == 2
    log.close()
    assert (tmp_path / DAMAGED_FILE).read_bytes() == line + b"\n"
    assert {row["id"] for row in read_rows(url, events)} == {
        unit["events"][0]["id"] for unit in (first, last)
    }
    assert counts["events"] == 0


def test_edited_line_does_not_overwrite_its_neighbour(tmp_path):
    """Times and numbers written shorter than by the log: the rewritten line would be longer."""
    old, new = '{"id":"0","time":"20200102"}', '{"id":"%d","time":"20990102","seconds":1e9}'
    line = f'{{"events":[{old},{",".join(new % k for k in range(1, 9))}]}}'
    with closing(UsageLog(tmp_path)) as log, opened_database(database_url(tmp_path)) as engine:
        (tmp_path / SPOOL_FILE).write_text(f"{line}\n")
        append_to_spool(tmp_path, neighbour := download_unit(log))
        privacy.retention(engine, tmp_path, days=90, actor="a")
        assert log.flush_spool() == 1
    assert (tmp_path / DAMAGED_FILE).read_text() == f"{line}\n"
    assert (tmp_path / DAMAGED_FILE).stat().st_mode & 0o077 == 0
    (kept,) = read_rows(database_url(tmp_path), events)
    assert kept["id"] == neighbour["events"][0]["id"]


def test_rejected_row_does_not_block_the_others_in_a_corrupt_file(tmp_path):
    url, warnings = database_url(tmp_path), []
    with closing(UsageLog(tmp_path, warn=warnings.append)) as log:
        log.log_event("download")
        valid, invalid = download_unit(log), download_unit(log, kind=None)
    for unit in (invalid, valid):
        append_to_spool(tmp_path, unit)
    with closing(sqlite3.connect(tmp_path / "judul.db")) as file:
        (page,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
        (size,) = file.execute("PRAGMA page_size").fetchone()
    with (tmp_path / "judul.db").open("r+b") as stream:  # Only inserting an event fails.
        stream.seek((page - 1) * size)
        stream.write(b"\xff" * size)
    with closing(UsageLog(tmp_path, warn=warnings.append)) as log:
        assert log.flush_spool() == 1
    assert "Basis data log rusak" in warnings[0]
    assert DAMAGED_FILE in warnings[1]
    assert [row["id"] for row in read_rows(url, events)] == [valid["events"][0]["id"]]


def test_rows_with_fewer_columns_are_inserted_beside_complete_ones(url, tmp_path):
    log = UsageLog(tmp_path, url=url)
    old = download_unit(log)
    del old["events"][0]["detail"]
    append_to_spool(tmp_path, old)
    append_to_spool(tmp_path, download_unit(log, detail="csv"))
    assert log.flush_spool() == 2
    log.close()
    assert sorted(str(row["detail"]) for row in read_rows(url, events)) == ["None", "csv"]


@pytest.mark.parametrize("content", [b"", b"00", b"zz" * 32, b"\xff" * 64])
def test_invalid_key_is_refused(content, models, tmp_path, matches):
    logs = models / "logs"
    logs.mkdir()
    (logs / KEY_FILE).write_bytes(content)
    with pytest.raises(LogError, match=r"log\.key rusak"):
        log_key(logs)
    warnings = []
    with closing(UsageLog(logs, user="siti", warn=warnings.append)) as log:
        log.log_predictions([answered(matches)], "page")
    assert len(warnings) == 1
    assert "log.key rusak" in warnings[0]
    (row,) = read_rows(database_url(logs), predictions)
    assert row["query_hash"] != keyed_hash(b"", TITLE)
    assert_refused(judul("govern", "user", "siti", "--models", models), "log.key rusak")
    backup = judul("govern", "backup", tmp_path / "x.zip", "--models", models)
    assert backup.returncode == 0, backup.stderr
    assert (logs / KEY_FILE).read_bytes() == content


def test_files_are_readable_by_their_owner_only(tmp_path):
    with closing(UsageLog(tmp_path)) as log:
        log.log_event("download")
        found = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(found, 0)
    assert {"judul.db", "judul.db-wal", KEY_FILE} <= found.keys()


def test_reading_in_one_process_keeps_its_other_locks(tmp_path):
    """Closing any handle of a file drops all locks of the process; others then clean up too soon."""
    url = database_url(tmp_path)

    def count_in_another_process():
        reader = [sys.executable, "-c", READER, url]
        return int(subprocess.run(reader, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout)

    with closing(UsageLog(tmp_path)) as log:
        log.log_event("download")
        assert len(read_rows(url, events)) == 1  # As a notebook does beside the page.
        assert count_in_another_process() == 1
        log.log_event("download")
        assert count_in_another_process() == 2


def test_folder_name_may_have_special_characters(tmp_path):
    folder = tmp_path / "apa? 100%41 #1"
    with closing(UsageLog(folder)) as log:
        log.log_event("download")
    assert (folder / "judul.db").is_file()
    assert len(read_rows(database_url(folder), events)) == 1


@pytest.mark.parametrize(
    "url", ["mysql://server/judul", "oracle://server", "sqlite://", "sqlite:///:memory:"]
)
def test_unsupported_databases_are_refused(url):
    with pytest.raises(LogError, match=r"log disimpan di PostgreSQL .* atau di berkas SQLite"):
        open_database(url)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgres_scheme_is_accepted(url):
    with opened_database(url.replace("postgresql://", "postgres://")) as engine:
        assert engine.dialect.name == "postgresql"


def test_database_of_a_newer_version_is_refused(url, tmp_path):
    with opened_database(url) as engine, engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE schema_version SET version = {SCHEMA_VERSION + 1}"))
    with pytest.raises(LogError, match="versi yang lebih baru"):
        open_database(url)
    warnings = []
    UsageLog(tmp_path, url=url, warn=warnings.append).log_event("download")
    assert "Perbarui judul-lib" in warnings[0]
    assert has_spooled(tmp_path)


def test_tables_of_version_1_are_migrated_with_their_rows(url):
    with opened_database(url) as engine, engine.begin() as connection:
        for column in ("unknown_share", "version"):
            connection.execute(sa.text(f"ALTER TABLE scores DROP COLUMN {column}"))
        connection.execute(sa.text("INSERT INTO scores (prediction_id, model) VALUES ('a', 'light')"))
        connection.execute(sa.text("UPDATE schema_version SET version = 1"))
    (row,) = read_rows(url, scores)
    assert row == {**dict.fromkeys(scores.c.keys()), "prediction_id": "a", "model": "light"}


def test_connection_error_does_not_show_the_password(monkeypatch, tmp_path):
    with pytest.raises(LogError, match="JUDUL_DATABASE_URL"):
        open_database("no address")
    with pytest.raises(LogError) as caught:
        open_database("postgresql://siti:rahasia@localhost:1/judul")
    assert "rahasia" not in str(caught.value)


def test_users_are_assigned_by_share_and_keep_their_model():
    users = [keyed_hash(b"k", str(number)) for number in range(4_000)]
    chosen = [assigned_model(user, {"full": 0.25, "light": 0.75}) for user in users]
    assert 0.22 < chosen.count("full") / len(chosen) < 0.28
    assert chosen == [assigned_model(user, {"full": 0.25, "light": 0.75}) for user in users]
    assert assigned_model("f" * 16, {"full": 1.0, "light": 0.0}) == "full"


def test_existing_rows_are_skipped(url, tmp_path):
    unit = download_unit(UsageLog(tmp_path), id="0")
    with opened_database(url) as engine:
        insert_units(engine, [unit, download_unit(UsageLog(tmp_path), id="0", detail="b")])
    assert [row["detail"] for row in read_rows(url, events)] == [""]


def test_check_command_logs_single_and_batch_queries(models, tmp_path, write_csv):
    catalogue = write_csv([TITLE, "", "Deteksi Hoaks Berbahasa Jawa"])
    options = ("--models", models, "--model", "light")
    assert judul("check", TITLE, *options, JUDUL_LOG="true").returncode == 0
    file = ("--file", catalogue, "--output", tmp_path / "out.csv")
    many = judul("check", *file, *options, JUDUL_LOG="true")
    assert many.returncode == 0, many.stderr
    logged = read_rows(database_url(models / "logs"), predictions)
    assert [row["source"] for row in logged] == ["check", "check_many", "check_many"]
    assert len({row["user"] for row in logged}) == 1
    assert judul("check", TITLE, *options, JUDUL_LOG="false").returncode == 0
    assert len(read_rows(database_url(models / "logs"), predictions)) == 3


def test_check_command_answers_without_a_writable_log(models):
    (models / "logs").write_text("a file")
    done = judul("check", TITLE, "--models", models, "--model", "light", JUDUL_LOG="true")
    assert done.returncode == 0
    assert "peluang" in done.stdout
    assert "jawaban tetap benar" in done.stderr
