"""The log: every answer is there once, nobody's title is, and no answer waits or breaks for it."""

import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing

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

# Answers of one file, written in one transaction.
TOGETHER = 5
WRITER = (
    f"TOGETHER = {TOGETHER}"
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
for first in range(0, n, TOGETHER):
    rows = [{**stamp, "id": f"{name}-{k}", "time": utc_now()} for k in range(first, first + TOGETHER)]
    scores = [{"prediction_id": row["id"], "model": "light", "version": None, "probability": 0.5,
               "match_hash": None, "match_text": None, "unknown_share": 0.0} for row in rows]
    log._write({"predictions": rows, "scores": scores})
"""
)
FINDER = """
import sys, time
from contextlib import closing
from pathlib import Path
from judul_lib.core.clock import utc_now
from judul_lib.usage.log import UsageLog
name = sys.argv[1]
for place in sys.argv[2:]:
    folder = Path(place)
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


def rows(url, table):
    engine = open_database(url)
    try:
        return read_table(engine, table)
    finally:
        engine.dispose()


def answered(matches):
    return AnsweredQuery(TITLE, {"light": matches}, 0.01, {"light": 0.25})


def test_an_answer_is_kept_without_its_title(url, tmp_path, matches):
    log = UsageLog(tmp_path, url=url, user="siti", versions={"light": "20260101-abc"})
    log.log_predictions([answered(matches)], "page")
    log.close()
    (kept,), (score,) = rows(url, predictions), rows(url, scores)
    assert kept["query_hash"] == keyed_hash(log_key(tmp_path), TITLE)
    assert len(kept["query_hash"]) == len(kept["user"]) == 16
    assert (kept["query_length"], kept["query_words"], kept["n_results"]) == (len(TITLE), 8, 5)
    assert (score["probability"], score["version"]) == (float(matches.probability[0]), "20260101-abc")
    assert score["match_hash"] == log.hash(matches.titles[0])
    assert score["unknown_share"] == 0.25
    everything = str((kept, score))
    for secret in (TITLE, "Cabai", "siti", matches.titles[0]):
        assert secret not in everything


def test_text_is_kept_only_where_that_is_set(url, tmp_path, matches):
    log = UsageLog(tmp_path, url=url, log_text=True)
    log.log_predictions([answered(matches)], "check")
    log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, True, None, TITLE, matches.titles[0]))
    log.close()
    assert rows(url, predictions)[0]["query_text"] == TITLE
    (given,) = rows(url, feedback)
    assert (given["query_text"], given["match_text"]) == (TITLE, matches.titles[0])


def test_the_difference_is_that_of_the_first_two_models(url, tmp_path, matches):
    log = UsageLog(tmp_path, url=url)
    other = matches.first(2)
    log.log_predictions([AnsweredQuery(TITLE, {"full": matches, "light": other}, 0.01)], "page")
    log.close()
    assert rows(url, predictions)[0]["difference"] == 0
    assert {row["model"] for row in rows(url, scores)} == {"full", "light"}


def test_a_hash_needs_the_key_and_forgets_case_and_blanks(tmp_path):
    one, other = UsageLog(tmp_path / "a"), UsageLog(tmp_path / "b")
    assert one.hash(TITLE) == one.hash(f"  {TITLE.upper()} ")
    assert one.hash(TITLE) != other.hash(TITLE)
    assert UsageLog(tmp_path / "a").hash(TITLE) == one.hash(TITLE)
    assert (tmp_path / "a" / KEY_FILE).stat().st_mode & 0o077 == 0
    assert one.user != UsageLog(tmp_path / "a").user  # Two sessions cannot be joined.


def test_eight_writers_at_once_lose_nothing(url, tmp_path):
    n, writers = 1_250, 8
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, url, str(n), f"w{k}"], cwd=PROJECT)
        for k in range(writers)
    ]
    assert [process.wait() for process in processes] == [0] * writers
    log = UsageLog(tmp_path, url=url)
    log.flush_spool()
    log.close()
    expected = {f"w{k}-{number}" for k in range(writers) for number in range(n)}
    assert {row["id"] for row in rows(url, predictions)} == expected
    assert {row["prediction_id"] for row in rows(url, scores)} == expected
    assert not has_spooled(tmp_path)


def test_a_killed_writer_leaves_whole_transactions(url, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path, url, "100000", "w"], cwd=PROJECT, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    give_up = time.monotonic() + 30  # A busy machine needs a while for its first rows.
    while len(rows(url, predictions)) <= 10 and time.monotonic() < give_up:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    asked = {row["id"] for row in rows(url, predictions)}
    assert len(asked) > 10
    assert len(asked) % TOGETHER == 0
    assert {row["prediction_id"] for row in rows(url, scores)} == asked


def test_writing_takes_little(url, tmp_path, matches):
    """The whole promise is 5 ms; this bound is far above what a busy machine needs."""
    log = UsageLog(tmp_path, url=url)
    log.log_predictions([answered(matches)], "page")
    seconds = []
    for _ in range(60):
        start = time.perf_counter()
        log.log_predictions([answered(matches)], "page")
        seconds.append(time.perf_counter() - start)
    log.close()
    assert statistics.median(seconds) < 0.05


def test_what_a_locked_database_cannot_take_is_brought_in_later_once(tmp_path, matches):
    said = []
    log = UsageLog(tmp_path, warn=said.append)
    log.log_event("download")
    other = sqlite3.connect(tmp_path / "judul.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    log.log_predictions([answered(matches)], "page")
    log.log_predictions([answered(matches)], "page")  # Not tried again at once.
    assert len(said) == 1
    assert "dimasukkan kemudian" in said[0]
    other.execute("COMMIT")
    other.close()
    spooled = (tmp_path / SPOOL_FILE).read_bytes()
    assert TITLE.encode() not in spooled
    assert log.flush_spool() == 2
    (tmp_path / SPOOL_FILE).write_bytes(spooled)  # As if killed before the file was emptied.
    assert log.flush_spool() == 2
    log.close()
    assert len(rows(database_url(tmp_path), predictions)) == 2


def test_a_database_that_is_not_there_breaks_no_answer(tmp_path, matches):
    said = []
    log = UsageLog(tmp_path, url="postgresql://localhost:1/judul", warn=said.append)
    log.log_predictions([answered(matches)], "page")
    assert "JUDUL_DATABASE_URL" in said[0]
    assert has_spooled(tmp_path)
    with pytest.raises(LogError):
        log.flush_spool()
    assert has_spooled(tmp_path)


def test_a_folder_that_cannot_be_written_is_said_and_nothing_more(tmp_path, matches):
    said = []
    (tmp_path / "logs").write_text("a file")
    log = UsageLog(tmp_path / "logs", warn=said.append)
    log.log_predictions([answered(matches)], "page")
    assert said
    assert said[-1].endswith("jawaban tetap benar.")


def test_a_broken_file_is_set_aside_and_a_new_one_begun(tmp_path):
    said = []
    log = UsageLog(tmp_path, warn=said.append)
    log.log_event("download")
    log.close()
    content = b"not a database" * 500
    (tmp_path / "judul.db").write_bytes(content)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"judul.db{suffix}").unlink(missing_ok=True)
    log.log_event("error", detail="ValueError")
    log.close()
    assert [row["kind"] for row in rows(database_url(tmp_path), events)] == ["error"]
    (aside,) = tmp_path.glob("judul.db.rusak-*")
    assert aside.read_bytes() == content
    assert aside.name in said[0]


def test_no_word_of_a_title_makes_a_log_broken(tmp_path):
    said = []
    title = "Deteksi Paket Malformed: file is not a database"
    with closing(UsageLog(tmp_path, log_text=True, warn=said.append)) as log:
        log.log_event("download")
        with closing(sqlite3.connect(tmp_path / "judul.db")) as other:
            other.execute("ALTER TABLE feedback RENAME COLUMN rating TO bintang")
        log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, True, None, title, title))
        assert list(tmp_path.glob("*rusak*")) == []
        with closing(sqlite3.connect(tmp_path / "judul.db")) as other:
            other.execute("ALTER TABLE feedback RENAME COLUMN bintang TO rating")
        assert log.flush_spool() == 1
    assert len(said) == 1
    url = database_url(tmp_path)
    assert [len(rows(url, table)) for table in (events, feedback)] == [1, 1]


def wait_for(folder, names):
    give_up = time.monotonic() + 120
    while not all((folder / name).exists() for name in names):
        assert time.monotonic() < give_up
        time.sleep(0.001)


def test_six_processes_that_find_a_broken_log_set_aside_only_that_one(tmp_path):
    """Each second time it turns bad while they have it open, else it is bad from the beginning."""
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
    said = [process.communicate()[0].splitlines() for process in processes]
    written = [line.split() for lines in said for line in lines]
    assert [process.returncode for process in processes] == [0] * len(names)
    for folder in folders:
        with closing(UsageLog(folder)) as log:
            log.flush_spool()
        acknowledged = {name for where, name in written if where == folder.name and "early" not in name}
        assert len(acknowledged) == 4 * len(names)
        assert acknowledged <= {row["id"] for row in rows(database_url(folder), events)}
        asides = [path for path in folder.glob("*.rusak-*") if not path.name.endswith(("-wal", "-shm"))]
        assert [path.read_bytes()[: len(broken)] for path in asides] == [broken]


GONE = {
    "the file": lambda folder, other: (folder / "judul.db").unlink(),
    "the file and what is beside it": lambda folder, other: [
        path.unlink() for path in folder.glob("judul.db*")
    ],
    "the folder": lambda folder, other: shutil.rmtree(folder),
    "the folder, moved": lambda folder, other: folder.rename(folder.with_name("arsip")),
    "the file, moved": lambda folder, other: (folder / "judul.db").rename(folder / "arsip.db"),
    "the file, replaced": lambda folder, other: (other / "judul.db").replace(folder / "judul.db"),
}


@pytest.mark.parametrize("name", GONE)
def test_rows_written_after_the_file_is_gone_are_in_the_one_that_is_there(name, tmp_path):
    folder, other, said = tmp_path / "logs", tmp_path / "lain", []
    with closing(UsageLog(other)) as log:
        log.log_event("error", detail="of the other file")
    with closing(UsageLog(folder, warn=said.append)) as log:
        for _ in range(3):
            log.log_event("download")
        with closing(UsageLog(folder)) as second:
            second.log_event("download")
            GONE[name](folder, other)
            for _ in range(7):
                log.log_event("error")
                second.log_event("error")
            reader = [sys.executable, "-c", READER, database_url(folder)]
            seen = subprocess.run(reader, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout
    assert int(seen) == 14 + (name == "the file, replaced")
    assert {row["kind"] for row in rows(database_url(folder), events)} == {"error"}
    assert (folder / "judul.db").stat().st_mode & 0o077 == 0
    assert len(said) == 1
    assert "dihapus atau diganti" in said[0]


def test_a_transaction_in_a_file_that_is_gone_is_said(tmp_path):
    """Also where it goes while the transaction goes on: nothing is done as if it had been noted."""
    with opened_database(database_url(tmp_path)) as engine:
        with pytest.raises(LogError, match="dihapus atau diganti"), transaction(engine):
            (tmp_path / "judul.db").unlink()
        with pytest.raises(LogError, match="dihapus atau diganti"):
            read_table(engine, events)


def test_a_page_that_turns_bad_while_in_use_is_noticed(tmp_path):
    said = []
    log = UsageLog(tmp_path, warn=said.append)
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
    assert "rusak" in said[0]
    assert [row["kind"] for row in rows(database_url(tmp_path), events)] == ["error"]


def test_a_torn_line_of_the_spool_is_kept_aside_and_the_others_count(tmp_path):
    log = UsageLog(tmp_path)
    row = {**log._stamp(), "kind": "download", "model": None, "detail": "", "seconds": None}
    unit = {"events": [row]}
    append_to_spool(tmp_path, unit)
    with (tmp_path / SPOOL_FILE).open("ab") as stream:
        stream.write(b'{"events": [{"id": "to')
    append_to_spool(tmp_path, {"events": [{**row, "id": "f" * 32}]})
    assert log.flush_spool() == 2
    assert (tmp_path / DAMAGED_FILE).read_text().startswith('{"events": [{"id": "to')
    log.close()
    assert len(rows(database_url(tmp_path), events)) == 2


def download(log, **changes):
    row = {**log._stamp(), "kind": "download", "model": None, "detail": "", "seconds": None}
    return {"events": [row | changes]}


REFUSED = {
    "no value in a column that needs one": lambda row: row | {"kind": None},
    "neither true nor false": lambda row: row | {"simulated": "mungkin"},
    "a column left out": lambda row: {name: row[name] for name in ("id", "time", "user")},
    "a word for a number": lambda row: row | {"seconds": "cepat"},
    "a truth value for a number": lambda row: row | {"seconds": True},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(name, url, tmp_path):
    said = []
    log = UsageLog(tmp_path, url=url, warn=said.append)
    others = [download(log) for _ in range(5)]
    wrong = {"events": [REFUSED[name](download(log)["events"][0])]}
    for unit in (*others[:3], wrong, *others[3:]):
        append_to_spool(tmp_path, unit)
    n = log.flush_spool()
    log.close()
    assert (n, len(rows(url, events)), has_spooled(tmp_path)) == (5, 5, False)
    assert wrong["events"][0]["id"] in (tmp_path / DAMAGED_FILE).read_text()
    assert DAMAGED_FILE in said[0]


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
def test_what_is_no_row_of_a_table_is_kept_as_it_is(line, url, tmp_path):
    line = line if isinstance(line, bytes) else line.encode()
    log = UsageLog(tmp_path, url=url)
    append_to_spool(tmp_path, first := download(log))
    with (tmp_path / SPOOL_FILE).open("ab") as stream:
        stream.write(line + b"\n")
    append_to_spool(tmp_path, last := download(log))
    before = (tmp_path / SPOOL_FILE).read_bytes()
    with opened_database(url) as engine:
        counts = privacy.retention(engine, tmp_path, days=90, actor="a", dry_run=True)
        privacy.forget(engine, tmp_path, "0" * 16, actor="a")
    assert (tmp_path / SPOOL_FILE).read_bytes() == before
    assert log.flush_spool() == 2
    log.close()
    assert (tmp_path / DAMAGED_FILE).read_bytes() == line + b"\n"
    assert {row["id"] for row in rows(url, events)} == {
        unit["events"][0]["id"] for unit in (first, last)
    }
    assert counts["events"] == 0


def test_what_is_taken_out_of_a_line_leaves_its_neighbours_whole(tmp_path):
    """Times and numbers that somebody wrote shorter than the log does: what is kept has no room."""
    old, new = '{"id":"0","time":"20200102"}', '{"id":"%d","time":"20990102","seconds":1e9}'
    line = f'{{"events":[{old},{",".join(new % k for k in range(1, 9))}]}}'
    with closing(UsageLog(tmp_path)) as log, opened_database(database_url(tmp_path)) as engine:
        (tmp_path / SPOOL_FILE).write_text(f"{line}\n")
        append_to_spool(tmp_path, neighbour := download(log))
        privacy.retention(engine, tmp_path, days=90, actor="a")
        assert log.flush_spool() == 1
    assert (tmp_path / DAMAGED_FILE).read_text() == f"{line}\n"
    assert (tmp_path / DAMAGED_FILE).stat().st_mode & 0o077 == 0
    (kept,) = rows(database_url(tmp_path), events)
    assert kept["id"] == neighbour["events"][0]["id"]


def test_a_row_that_is_refused_holds_up_none_either_where_the_file_is_broken(tmp_path):
    url, said = database_url(tmp_path), []
    with closing(UsageLog(tmp_path, warn=said.append)) as log:
        log.log_event("download")
        good, wrong = download(log), download(log, kind=None)
    for unit in (wrong, good):
        append_to_spool(tmp_path, unit)
    with closing(sqlite3.connect(tmp_path / "judul.db")) as file:
        (page,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
        (size,) = file.execute("PRAGMA page_size").fetchone()
    with (tmp_path / "judul.db").open("r+b") as stream:  # Only inserting an event finds that out.
        stream.seek((page - 1) * size)
        stream.write(b"\xff" * size)
    with closing(UsageLog(tmp_path, warn=said.append)) as log:
        assert log.flush_spool() == 1
    assert "Basis data log rusak" in said[0]
    assert DAMAGED_FILE in said[1]
    assert [row["id"] for row in rows(url, events)] == [good["events"][0]["id"]]


def test_rows_of_another_version_lose_no_column(url, tmp_path):
    log = UsageLog(tmp_path, url=url)
    old = download(log)
    del old["events"][0]["detail"]
    append_to_spool(tmp_path, old)
    append_to_spool(tmp_path, download(log, detail="csv"))
    assert log.flush_spool() == 2
    log.close()
    assert sorted(str(row["detail"]) for row in rows(url, events)) == ["None", "csv"]


@pytest.mark.parametrize("content", [b"", b"00", b"zz" * 32, b"\xff" * 64])
def test_what_is_no_key_is_not_taken_for_one(content, tmp_path, matches):
    models = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light").parent
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / KEY_FILE).write_bytes(content)
    with pytest.raises(LogError, match=r"log\.key rusak"):
        log_key(logs)
    said = []
    with closing(UsageLog(logs, user="siti", warn=said.append)) as log:
        log.log_predictions([answered(matches)], "page")
    assert len(said) == 1
    assert "log.key rusak" in said[0]
    (row,) = rows(database_url(logs), predictions)
    assert row["query_hash"] != keyed_hash(b"", TITLE)
    assert_refused(judul("govern", "user", "siti", "--models", models), "log.key rusak")
    backup = judul("govern", "backup", tmp_path / "x.zip", "--models", models)
    assert backup.returncode == 0, backup.stderr  # A broken key keeps nobody from a backup.
    assert (logs / KEY_FILE).read_bytes() == content


def test_the_file_is_its_owners_only(tmp_path):
    with closing(UsageLog(tmp_path)) as log:
        log.log_event("download")
        found = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(found, 0)
    assert {"judul.db", "judul.db-wal", KEY_FILE} <= found.keys()


def test_what_is_read_here_takes_nothing_from_who_reads_elsewhere(tmp_path):
    """Closing any handle of a file drops all locks of that process; others then tidy up too soon."""
    url = database_url(tmp_path)

    def seen_elsewhere():
        reader = [sys.executable, "-c", READER, url]
        return int(subprocess.run(reader, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout)

    with closing(UsageLog(tmp_path)) as log:
        log.log_event("download")
        assert len(rows(url, events)) == 1  # As a notebook does beside the page.
        assert seen_elsewhere() == 1
        log.log_event("download")
        assert seen_elsewhere() == 2


def test_a_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "apa? 100%41 #1"
    with closing(UsageLog(folder)) as log:
        log.log_event("download")
    assert (folder / "judul.db").is_file()
    assert len(rows(database_url(folder), events)) == 1


@pytest.mark.parametrize(
    "url", ["mysql://server/judul", "oracle://server", "sqlite://", "sqlite:///:memory:"]
)
def test_what_is_neither_postgresql_nor_a_file_is_refused_by_name(url):
    with pytest.raises(LogError, match=r"log disimpan di PostgreSQL .* atau di berkas SQLite"):
        open_database(url)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_the_short_name_of_postgresql_is_one_too(url):
    with opened_database(url.replace("postgresql://", "postgres://")) as engine:
        assert engine.dialect.name == "postgresql"


def test_a_database_of_a_newer_version_is_left_alone(url, tmp_path):
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE schema_version SET version = {SCHEMA_VERSION + 1}"))
    engine.dispose()
    with pytest.raises(LogError, match="versi yang lebih baru"):
        open_database(url)
    said = []
    UsageLog(tmp_path, url=url, warn=said.append).log_event("download")
    assert "Perbarui judul-lib" in said[0]
    assert has_spooled(tmp_path)


def test_tables_of_the_first_version_are_brought_up_to_date_with_their_rows(url):
    engine = open_database(url)
    with engine.begin() as connection:
        for column in ("unknown_share", "version"):
            connection.execute(sa.text(f"ALTER TABLE scores DROP COLUMN {column}"))
        connection.execute(sa.text("INSERT INTO scores (prediction_id, model) VALUES ('a', 'light')"))
        connection.execute(sa.text("UPDATE schema_version SET version = 1"))
    engine.dispose()
    assert rows(url, scores) == [
        {
            "prediction_id": "a", "model": "light", "version": None, "probability": None,
            "match_hash": None, "match_text": None, "unknown_share": None,
        }
    ]  # fmt: skip


def test_a_wrong_address_is_said_without_its_password(monkeypatch, tmp_path):
    with pytest.raises(LogError, match="JUDUL_DATABASE_URL"):
        open_database("no address")
    with pytest.raises(LogError) as caught:
        open_database("postgresql://siti:rahasia@localhost:1/judul")
    assert "rahasia" not in str(caught.value)


def test_users_are_shared_out_as_stated_and_stay_with_their_model():
    users = [keyed_hash(b"k", str(number)) for number in range(4_000)]
    chosen = [assigned_model(user, {"full": 0.25, "light": 0.75}) for user in users]
    assert 0.22 < chosen.count("full") / len(chosen) < 0.28
    assert chosen == [assigned_model(user, {"full": 0.25, "light": 0.75}) for user in users]
    assert assigned_model("f" * 16, {"full": 1.0, "light": 0.0}) == "full"


def test_rows_that_are_there_already_are_left_alone(url, tmp_path):
    engine = open_database(url)
    row = {**UsageLog(tmp_path)._stamp(), "kind": "error", "model": None, "detail": "a", "seconds": None}
    insert_units(engine, [{"events": [row]}, {"events": [{**row, "detail": "b"}]}])
    assert [kept["detail"] for kept in read_table(engine, events)] == ["a"]
    engine.dispose()


def test_the_command_writes_down_one_and_many(tmp_path, write_csv):
    models = tmp_path / "models"
    models.mkdir()
    (models / "light").symlink_to(PROJECT / "outputs" / "light")
    catalogue = write_csv([TITLE, "", "Deteksi Hoaks Berbahasa Jawa"])
    options = ("--models", models, "--model", "light")
    assert judul("check", TITLE, *options, JUDUL_LOG="true").returncode == 0
    file = ("--file", catalogue, "--output", tmp_path / "out.csv")
    many = judul("check", *file, *options, JUDUL_LOG="true")
    assert many.returncode == 0, many.stderr
    kept = rows(database_url(models / "logs"), predictions)
    assert [row["source"] for row in kept] == ["check", "check_many", "check_many"]
    assert len({row["user"] for row in kept}) == 1
    assert judul("check", TITLE, *options, JUDUL_LOG="false").returncode == 0
    assert len(rows(database_url(models / "logs"), predictions)) == 3


def test_the_command_answers_also_where_nothing_can_be_written(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "light").symlink_to(PROJECT / "outputs" / "light")
    (models / "logs").write_text("a file")
    done = judul("check", TITLE, "--models", models, "--model", "light", JUDUL_LOG="true")
    assert done.returncode == 0
    assert "peluang" in done.stdout
    assert "jawaban tetap benar" in done.stderr
