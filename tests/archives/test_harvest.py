"""Harvesting over OAI-PMH against a server on this machine."""

import os
import random
import subprocess
import sys
import time
from itertools import pairwise

import pandas as pd
import pytest

from judul_lib.archives.harvest_store import HarvestStore
from judul_lib.archives.repository import Repository
from judul_lib.core.errors import ArchiveError
from tests.archives.conftest import CONTACT, now, theses, thesis
from tests.conftest import assert_refused

OAI = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f"{OAI}<x>&b;</x></OAI-PMH>"
)


def corpus(home, name="ta"):
    path = home / "archives" / name / "corpus.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def titles_of(records):
    return sorted(record["dc"][0][1] for record in records.values() if not record.get("deleted"))


def test_all_pages_become_an_archive(oai_server, home, harvest):
    records = theses(25)
    oai_server.set(records)
    result = harvest()
    assert result.returncode == 0, result.stderr
    assert "25 catatan diterima" in result.stdout
    assert sorted(corpus(home)["Judul"]) == titles_of(records)
    agents = {request["agent"] for request in oai_server.requests()}
    assert len(agents) == 1
    assert agents.pop().startswith("judul_lib/")
    assert CONTACT in oai_server.requests()[0]["agent"]


def test_metadata_are_taken_and_student_numbers_are_not(oai_server, home, harvest):
    record = thesis(
        "Pest Detection in Rice", ["title", "Deteksi Hama Padi", "id"],
        ["creator", "Siti (2010512001)", ""], ["contributor", "Dr. Budi, NIDN 0012345678", ""],
        ["date", "2021-07-01", ""], ["identifier", "http://x.ac.id/9/1/2010512001.pdf", ""],
        ["identifier", "http://x.ac.id/id/eprint/9", ""],
        ["publisher", "Program Studi Agroteknologi, Universitas Uji", ""],
    )  # fmt: skip
    oai_server.set({"oai:uji:1": record})
    assert harvest().returncode == 0
    assert corpus(home).iloc[0].tolist() == [
        "Deteksi Hama Padi", "Siti", "2021", "Dr. Budi", "Agroteknologi", "http://x.ac.id/id/eprint/9",
        oai_server.url,
    ]  # fmt: skip
    kept = b"".join(path.read_bytes() for path in (home / "archives").rglob("*") if path.is_file())
    assert b"2010512001" not in kept


def test_other_types_are_set_aside_with_their_number(oai_server, home, harvest):
    article = {
        "datestamp": "2024-01-01T00:00:00Z",
        "dc": [["title", "Mutu Jagung", ""], ["type", "Article", ""]],
    }
    untyped = {"datestamp": "2024-01-01T00:00:00Z", "dc": [["title", "Harga Cabai", ""]]}
    oai_server.set({"oai:uji:1": thesis("Hama Padi"), "oai:uji:2": article, "oai:uji:3": untyped})
    assert "1 tidak dipakai: jenis Article" in harvest().stdout
    assert sorted(corpus(home)["Judul"]) == ["Hama Padi", "Harga Cabai"]
    assert harvest("--types", "article").returncode == 0
    assert sorted(corpus(home)["Judul"]) == ["Harga Cabai", "Mutu Jagung"]


def test_second_harvest_asks_for_changes_only_and_forgets_deleted_records(oai_server, home, harvest):
    records = theses(12)
    oai_server.set(records)
    harvest()
    first = len(oai_server.requests())
    records["oai:uji:3"] |= {"deleted": True, "datestamp": now()}
    records["oai:uji:5"] = thesis("Judul yang Diperbaiki", datestamp=now())
    records["oai:uji:99"] = thesis("Judul Baru Sekali", datestamp=now())
    oai_server.set(records)
    result = harvest()
    assert "3 catatan diterima" in result.stdout
    assert sorted(corpus(home)["Judul"]) == titles_of(records)
    lists = [r for r in oai_server.requests()[first:] if r["verb"] == "ListRecords"]
    assert len(lists) == 1
    assert lists[0]["from"] >= "2024-05-02"


def test_nothing_new_is_said(oai_server, home, harvest):
    oai_server.set(theses(3))
    harvest()
    before = (home / "archives" / "ta" / "archive.json").stat().st_mtime_ns
    result = harvest()
    assert result.returncode == 0, result.stderr
    assert "Tidak ada yang berubah" in result.stdout
    assert (home / "archives" / "ta" / "archive.json").stat().st_mtime_ns == before


def test_dates_without_a_time_are_asked_where_the_repository_has_none(oai_server, home, harvest):
    oai_server.set(theses(3), granularity="YYYY-MM-DD")
    harvest()
    assert harvest().returncode == 0
    assert [len(r["from"]) for r in oai_server.requests() if "from" in r] == [10]


def test_a_set_is_harvested_alone(oai_server, home, harvest):
    oai_server.set(
        {"oai:uji:1": thesis("Hama Padi", set="faperta"), "oai:uji:2": thesis("Hoaks", set="ti")}
    )
    harvest("--set", "faperta")
    assert corpus(home)["Judul"].tolist() == ["Hama Padi"]
    assert_refused(harvest("--set", "ti"), "set faperta", "nama lain")


def test_busy_repository_is_asked_again_after_the_time_it_names(oai_server, home, harvest):
    oai_server.set(theses(25), faults=[
        {"verb": "ListRecords", "status": 503, "headers": {"Retry-After": "1"}},
        {"verb": "ListRecords", "status": 503, "token": True,
         "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}},
    ])  # fmt: skip
    started = time.monotonic()
    result = harvest()
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - started >= 1
    assert len(corpus(home)) == 25


def test_long_wait_is_left_to_the_user(oai_server, harvest):
    oai_server.set(theses(3), faults=[
        {"verb": "ListRecords", "status": 503, "headers": {"Retry-After": "7200"}},
    ])  # fmt: skip
    assert_refused(harvest(), "120 menit")


def test_expired_token_starts_the_list_again_without_doubles(oai_server, home, harvest):
    expired = (
        f"{OAI}<responseDate>2024-06-01T00:00:00Z</responseDate>"
        '<error code="badResumptionToken">expired</error></OAI-PMH>'
    )
    records = theses(25)
    oai_server.set(
        records, faults=[{"verb": "ListRecords", "token": True, "status": 200, "body": expired}]
    )
    result = harvest()
    assert "dari awal" in result.stderr
    assert "25 catatan" in result.stdout
    assert sorted(corpus(home)["Judul"]) == titles_of(records)


def test_broken_page_stops_the_harvest_and_the_next_run_goes_on(oai_server, home, harvest):
    records = theses(25)
    # A page that was cut off: a lenient parser would take it for the last one.
    cut = (
        f"{OAI}<responseDate>2024-06-01T00:00:00Z</responseDate>"
        "<ListRecords><record><header><identifier>oai:uji:x</identifier></header>"
    )
    oai_server.set(records, faults=[{"verb": "ListRecords", "token": True, "status": 200, "body": cut}])
    assert_refused(harvest(), "bukan XML yang utuh", "melanjutkan")
    assert not (home / "archives" / "ta").exists()
    n_requests = len(oai_server.requests())
    assert "melanjutkan panen yang terhenti" in harvest().stdout
    assert sorted(corpus(home)["Judul"]) == titles_of(records)
    assert len(oai_server.requests()) - n_requests == 3  # Identify, and the two pages left.


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, BOMB, ["DOCTYPE"]),
        (200, BOMB.encode("utf-16").decode("latin-1"), ["DOCTYPE"]),
        (200, "<!DOCTYPE html><html><body>Selamat datang</body></html>", ["halaman web", "cgi/oai2"]),
        (200, "<rss/>", ["bukan OAI-PMH"]),
        (200, "", ["XML"]),
        (200, "halo", ["XML"]),
        (404, "<!DOCTYPE html><html></html>", ["HTTP 404", "Periksa alamatnya"]),
        (403, "", ["HTTP 403", "izin"]),
        (500, "oops", ["HTTP 500"]),
    ],
)
def test_other_answers_are_refused(oai_server, home, harvest, status, body, words):
    oai_server.set(theses(3), faults=[{"verb": "Identify", "status": status, "body": body}])
    assert_refused(harvest(), *words)
    assert not (home / "archives" / "ta").exists()


def test_repository_without_sets_says_so(oai_server, harvest):
    oai_server.set(theses(3), faults=[{
        "verb": "ListRecords", "status": 200,
        "body": OAI + '<error code="noSetHierarchy"/></OAI-PMH>',
    }])  # fmt: skip
    assert_refused(harvest("--set", "x"), "tidak mengenal set", "--set")


def test_unreachable_repository_and_unusable_arguments_are_refused(home, harvest):
    assert_refused(harvest(url="http://127.0.0.1:1/oai"), "tidak terjangkau")
    assert_refused(harvest(url="ftp://x/oai"), "bukan alamat web")
    assert_refused(harvest(name="../x"), "nama arsip")
    (home / "judul.toml").write_text("")
    assert_refused(harvest(), "--contact")


def test_pause_is_kept_between_requests(oai_server):
    oai_server.set(theses(25))
    with Repository(oai_server.url, CONTACT, pause=0.2) as repository:
        repository.granularity()
        token = repository.list_records().token
        repository.list_records(token=token)
    times = [request["time"] for request in oai_server.requests()]
    assert len(times) == 3
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(times))


def test_damaged_store_is_refused(tmp_path):
    path = tmp_path / "x.harvest.sqlite"
    path.write_bytes(b"bukan basis data" * 100)
    with pytest.raises(ArchiveError, match="hapus"), HarvestStore.open(path):
        pass


@pytest.mark.slow
def test_harvest_killed_at_any_moment_loses_and_doubles_nothing(oai_server, home):
    records = theses(5_000)
    for k in range(0, 5_000, 100):
        records[f"oai:uji:{k}"]["deleted"] = True
    busy = {"verb": "ListRecords", "status": 503, "token": True, "headers": {"Retry-After": "1"}}
    oai_server.set(records, limit=100, delay=0.02, faults=[busy | {"skip": 7}, busy | {"skip": 31}])
    command = [
        sys.executable, "-m", "judul_lib", "archive", "harvest", "ta", oai_server.url, "--pause", "0",
    ]  # fmt: skip
    randomness = random.Random(int(os.environ.get("JUDUL_FAULT_SEED", "0")))
    store, interrupted = home / "archives" / "ta.harvest.sqlite", []
    for _ in range(10):
        n_requests = len(oai_server.requests())
        process = subprocess.Popen(
            command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(oai_server.requests()) == n_requests:
            time.sleep(0.02)
        time.sleep(randomness.uniform(0, 1))
        process.kill()
        process.wait()
        with HarvestStore.open(store) as opened:
            progress = opened.progress()
        interrupted.append(progress is not None and bool(progress.token))
    assert any(interrupted)
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert sorted(corpus(home)["Judul"]) == titles_of(records)
