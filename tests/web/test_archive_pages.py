"""The pages of the archives: who may change them, what is said, and what stays when it goes wrong."""

import html
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook

from judul_lib import load_checker
from judul_lib.archives.named import NamedArchive
from judul_lib.core.config import Config
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import read_corpus
from judul_lib.usage.database import database_url, events, opened_database, read_table
from judul_lib.web.app import create_app
from judul_lib.web.offered_archives import OfferedArchives
from judul_lib.web.service import Service
from tests.conftest import PROJECT
from tests.web.test_access import People, Person

TITLES = "Judul\nDeteksi Hama Padi\nPrediksi Harga Cabai\nprediksi harga cabai\n"
TITLE = "Sistem Pakar Diagnosis Penyakit Padi"
TWO_COLUMNS = "Judul Skripsi,Judul Tesis\nDeteksi Hama Padi,Mutu Jagung Manis\n"


@pytest.fixture(scope="module")
def loaded():
    """Load the models once."""
    return Service(Config(models=PROJECT / "outputs", log=False))


@pytest.fixture
def service(loaded, tmp_path):
    loaded.config = Config(
        models=PROJECT / "outputs", source=tmp_path / "judul.toml", max_upload_mb=1, max_rows=50,
        log=False,
    )  # fmt: skip
    loaded.archives = OfferedArchives(loaded.config, loaded.models, {})
    return loaded


@pytest.fixture
def client(service):
    return TestClient(create_app(service), base_url="http://localhost")


def send(client, content=TITLES, name="ta.csv", **fields):
    content = content.encode() if isinstance(content, str) else content
    data = {"nama": "informatika", "baru": "1", **fields}
    return client.post("/arsip", data=data, files={"berkas": (name, content)})


def text_of(answer):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def archive(service, name="informatika"):
    return NamedArchive(service.config.source.parent / "archives", name)


def titles_of(service, name="informatika"):
    return pd.read_csv(archive(service, name).corpus)["Judul"].tolist()


def workbook(*sheets):
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_model_of_the_study_answers_from_an_index_as_without(tmp_path, monkeypatch):
    titles = read_corpus(PROJECT / "data" / "dataset_TA.csv").titles["Judul"].tolist()
    path = tmp_path / "arsip.csv"
    path.write_text("Judul\n" + "".join(f'"{title}"\n' for title in titles), encoding="utf-8")
    config = Config(corpora={"Arsip": path})
    folders = {name: PROJECT / "outputs" / name for name in ("light", "structured")}
    models = {name: load_checker(folder) for name, folder in folders.items()}
    plain = OfferedArchives(config, models, folders).open().checkers
    monkeypatch.setattr("judul_lib.web.offered_archives._MIN_INDEXED", len(titles))
    indexed = OfferedArchives(config, models, folders).open().checkers
    assert isinstance(indexed["light"], TitleIndex)
    assert not isinstance(plain["light"], TitleIndex)
    for name in folders:
        expected, found = (checkers[name].check(TITLE, top_k=20) for checkers in (plain, indexed))
        assert (found.titles, found.labels) == (expected.titles, expected.labels)
        np.testing.assert_array_equal(found.probability, expected.probability)
        assert found.decision.titles == expected.decision.titles


def test_without_any_archive_the_models_own_one_is_listed(client):
    assert "arsip bawaan model" in text_of(client.get("/arsip"))


def test_an_uploaded_file_becomes_an_archive_that_answers(client, service):
    answer = send(client)
    assert answer.status_code == 200
    text = text_of(answer)
    assert "2 judul baru. Arsip informatika kini berisi 2 judul." in text
    assert "1 baris: duplikat" in text
    assert re.search(r"2 judul, per \d\d-\d\d-\d{4}", text)
    assert titles_of(service) == ["Deteksi Hama Padi", "Prediksi Harga Cabai"]
    result = client.post("/periksa", data={"judul": "Deteksi Hama Padi Sawah", "arsip": "informatika"})
    assert "Deteksi Hama Padi" in text_of(result)


def test_a_configured_archive_is_listed_but_not_changed(client, service, tmp_path):
    path = tmp_path / "lama.csv"
    path.write_text(TITLES)
    service.config = replace(service.config, corpora={"lama": path})
    service.archives = OfferedArchives(service.config, service.models, {})
    assert "Berkas lama.csv, diatur di judul.toml." in text_of(client.get("/arsip"))
    assert "/arsip/lama/hapus" not in client.get("/arsip").text
    assert client.post("/arsip/lama/hapus").status_code == 404
    assert "sudah dipakai oleh arsip di judul.toml" in text_of(send(client, nama="lama"))
    assert path.read_text() == TITLES
    service.archives.open("lama")
    assert "2 judul, per" in text_of(client.get("/arsip"))


def test_a_second_file_is_added_and_the_same_again_changes_nothing(client, service):
    send(client)
    answer = send(client, "Judul\nMutu Jagung Manis\n", "lain.csv", baru="")
    assert "1 judul baru. Arsip informatika kini berisi 3 judul." in text_of(answer)
    before = archive(service).corpus.stat().st_mtime_ns
    again = text_of(send(client, "Judul\nMutu Jagung Manis\n", "lain.csv", baru=""))
    assert "tidak ada yang ditambahkan" in again
    assert archive(service).corpus.stat().st_mtime_ns == before


def test_a_new_archive_does_not_mix_with_an_existing_one(client, service):
    send(client)
    answer = send(client, "Judul\nMutu Jagung Manis\n", "lain.csv")
    assert answer.status_code == 422
    assert "Arsip informatika sudah ada." in text_of(answer)
    assert len(titles_of(service)) == 2


def test_a_file_with_fewer_titles_needs_a_word(client, service):
    send(client)
    fewer = "Judul\nDeteksi Hama Padi\n"
    answer = send(client, fewer, baru="")
    assert answer.status_code == 422
    assert "kini berisi 1 judul, sebelumnya 2; 1 judul akan hilang" in text_of(answer)
    assert "--force" not in answer.text
    assert 'name="berkurang"' in answer.text
    assert len(titles_of(service)) == 2
    assert "0 judul baru, 1 hilang." in text_of(send(client, fewer, baru="", berkurang="1"))
    assert titles_of(service) == ["Deteksi Hama Padi"]


def test_columns_are_chosen_by_sending_again(client, service):
    answer = send(client, TWO_COLUMNS)
    assert answer.status_code == 422
    assert "--column" not in answer.text
    choice = re.search(r'<select[^>]* name="kolom".*?</select>', answer.text, re.DOTALL).group()
    assert re.findall(r'value="([^"]*)"', choice) == ["Judul Skripsi", "Judul Tesis"]
    assert not archive(service).folder.exists()
    assert send(client, TWO_COLUMNS, kolom="Judul Tesis").status_code == 200
    assert titles_of(service) == ["Mutu Jagung Manis"]


def test_sheets_are_chosen_by_sending_again(client, service):
    content = workbook(
        ("2024", [["Judul", "Nama"], ["Deteksi Hama Padi", "Siti"]]),
        ("2025", [["Nama", "Tahun", "Judul"], ["Budi", "2025", "Mutu Jagung Manis"]]),
    )
    answer = send(client, content, "ta.xlsx")
    assert "--sheet" not in answer.text
    choice = re.search(r'<select[^>]* name="lembar".*?</select>', answer.text, re.DOTALL).group()
    assert re.findall(r'value="([^"]*)"', choice) == ["2024", "2025"]
    assert send(client, content, "ta.xlsx", lembar="2025").status_code == 200
    assert titles_of(service) == ["Mutu Jagung Manis"]


def test_the_sheet_stays_chosen_while_the_column_is_asked(client, service):
    header = ["Judul Skripsi", "Judul Tesis"]
    content = workbook(
        ("2024", [header, ["Deteksi Hama Padi", "Prediksi Harga Cabai"]]),
        ("2025", [header, ["Analisis Sentimen", "Mutu Jagung Manis"]]),
    )
    answer = send(client, content, "ta.xlsx", lembar="2025")
    assert 'name="kolom"' in answer.text
    assert '<input type="hidden" name="lembar" value="2025">' in answer.text
    assert send(client, content, "ta.xlsx", lembar="2025", kolom="Judul Tesis").status_code == 200
    assert titles_of(service) == ["Mutu Jagung Manis"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"nama": ""}, "tidak dapat menjadi nama arsip"),
        ({"nama": "../lain"}, "tidak dapat menjadi nama arsip"),
        ({"nama": "<script>alert(1)</script>"}, "tidak dapat menjadi nama arsip"),
        ({"content": ""}, "ta.csv"),
        ({"content": b"\x00\x01\x02" * 50}, "ta.csv"),
        ({"content": "Nama\nSiti\n"}, "ta.csv"),
        ({"content": "Judul\n" + "".join(f"Hama Padi {n}\n" for n in range(60))}, "50"),
        ({"kolom": "Tak Ada"}, "Tak Ada"),
        ({"baru": ""}, "Arsip informatika tidak ada"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_left(client, service, fields, sentence):
    answer = send(client, **fields)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert "<script>alert" not in answer.text
    assert not archive(service).folder.exists()


def test_a_form_without_file_and_one_that_is_too_large_are_refused(client):
    answer = client.post("/arsip", data={"nama": "x", "baru": "1"}, files={"lain": ("", b"")})
    assert answer.status_code == 422
    assert send(client, b"Judul\n" + b"x" * 3_000_000).status_code == 413


def test_a_full_disk_leaves_the_archive_as_it_was(client, service, monkeypatch):
    send(client)

    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("judul_lib.archives.titles.write_result", fail)
    answer = send(client, "Judul\nMutu Jagung Manis\n", "lain.csv", baru="")
    assert answer.status_code == 422
    assert "Ruang disk habis" in text_of(answer)
    assert len(titles_of(service)) == 2


def test_an_archive_that_is_being_changed_is_left_alone(client, service):
    send(client)
    with archive(service).lock():
        answer = send(client, "Judul\nMutu Jagung Manis\n", "lain.csv", baru="")
        assert "sedang diubah" in text_of(answer)
        assert "sedang diubah" in text_of(client.post("/arsip/informatika/hapus"))
    assert len(titles_of(service)) == 2


def test_a_large_archive_gets_an_index(client, service, monkeypatch):
    monkeypatch.setattr("judul_lib.archives.named.INDEX_MIN_TITLES", 2)
    assert "lebih cepat: Model" in text_of(send(client))
    assert archive(service).read_info().index_model == "structured"


def test_removing_asks_first(client, service):
    send(client)
    question = client.get("/arsip/informatika/hapus")
    assert "Hapus arsip informatika?" in text_of(question)
    assert archive(service).corpus.is_file()
    assert "Arsip informatika dihapus." in text_of(client.post("/arsip/informatika/hapus"))
    assert not archive(service).folder.exists()
    assert client.get("/arsip/informatika/hapus").status_code == 404
    assert client.post("/arsip/informatika/hapus").status_code == 404
    assert client.post("/arsip/%2e%2e%2foutputs/hapus").status_code == 404


def test_a_damaged_archive_is_said_and_can_be_removed(client, service):
    send(client)
    (archive(service).folder / "archive.json").write_text("{")
    text = text_of(client.get("/arsip"))
    assert "Keterangan arsip ini rusak." in text
    assert str(service.config.source.parent) not in text
    assert client.post("/arsip/informatika/hapus").status_code == 200


def test_an_unfinished_harvest_is_listed(client, service):
    home = archive(service).home
    home.mkdir()
    (home / "panen.harvest.sqlite").write_bytes(b"")
    assert "panen pertamanya belum selesai" in text_of(client.get("/arsip"))
    assert client.post("/arsip/panen/hapus").status_code == 200


def test_cells_of_the_file_are_text(client, service):
    rows = "Judul\n<script>alert(1)</script> Hama Padi\n=HYPERLINK(1) Harga Cabai\n"
    answer = send(client, rows, "<img src=x>|=1.csv")
    assert answer.status_code == 200
    assert "<img src=x>" not in answer.text
    assert "&lt;img src=x&gt;_=1.csv" in answer.text
    assert "<script>alert" not in answer.text


def test_only_managers_change_archives(service):
    users = People(Person("siti", "pemeriksa"), Person("budi", "pengelola"))
    app = create_app(service, accounts=users)
    manager, checker = (TestClient(app, base_url="http://localhost") for _ in range(2))
    assert TestClient(app, base_url="http://localhost").get("/arsip").url.path == "/masuk"
    for page, name in ((manager, "budi"), (checker, "siti")):
        page.post("/masuk", data={"nama": name, "sandi": f"sandi-{name}"})
    assert send(checker).status_code == 403
    assert not archive(service).folder.exists()
    assert send(manager).status_code == 200
    listed = checker.get("/arsip")
    assert "informatika" in listed.text
    assert '<form method="post" action="/arsip' not in listed.text
    assert "hapus" not in listed.text
    for call in (checker.get, checker.post):
        assert call("/arsip/informatika/hapus").status_code == 403
    assert archive(service).corpus.is_file()


def test_another_site_cannot_send_the_forms(client, service):
    send(client)
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.post("/arsip/informatika/hapus", headers=foreign).status_code == 403
    assert archive(service).corpus.is_file()


def test_changes_are_logged_without_titles(tmp_path):
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "outputs" / "light")
    service = Service(Config(models=tmp_path / "outputs", source=tmp_path / "judul.toml"))
    service.start_worker()
    client = TestClient(create_app(service), base_url="http://localhost")
    send(client)
    client.post("/arsip/informatika/hapus")
    service.close()
    with opened_database(database_url(service.config.logs)) as engine:
        rows = [row for row in read_table(engine, events) if row["kind"] == "archive_changed"]
    assert [row["detail"] for row in rows] == ["add informatika", "remove informatika"]
    assert "Hama" not in str(rows)
