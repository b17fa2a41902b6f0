"""The page for one title, without script and as its script asks."""

import csv
import html
import io
import re

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from judul_lib.core.config import Config
from judul_lib.core.pseudonyms import log_key
from judul_lib.governance.seal import SealState, check_seal
from judul_lib.usage.database import (
    audit,
    database_url,
    feedback,
    opened_database,
    predictions,
    read_table,
)
from judul_lib.web.app import create_app
from judul_lib.web.service import Service
from tests.conftest import PROJECT, copy_stored_models
from tests.hostile_titles import HOSTILE

TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge"
CLOSEST = "Prediksi Harga Rumah di Kota Bekasi Menggunakan Regresi Ridge dan Lasso"
ARCHIVE = {
    "Judul": [
        CLOSEST,
        "Prediksi Harga Rumah di Depok dengan Regresi Ridge",
        "=Motif Batik <script>Pesisir</script> Tegal",
    ],
    "Tahun": ["2021", "2018", ""],
    "Penulis": ["Siti <x>", "Budi", ""],
}
SCRIPT = {"X-Bagian": "1"}


@pytest.fixture
def service(tmp_path):
    copy_stored_models(tmp_path / "outputs")
    pd.DataFrame(ARCHIVE).to_csv(tmp_path / "ta.csv", index=False)
    corpora = {"ta": tmp_path / "ta.csv", "lain": PROJECT / "data" / "dataset_TA.csv"}
    service = Service(Config(models=tmp_path / "outputs", corpora=corpora))
    service.start_worker()
    yield service
    service.close()


@pytest.fixture
def client(service):
    return TestClient(create_app(service), base_url="http://localhost")


def ask(client, address="/periksa", *, script=False, **fields):
    return client.post(address, data={"judul": TITLE, **fields}, headers=SCRIPT if script else {})


def rows_of(service, table):
    with opened_database(database_url(service.config.logs)) as engine:
        return read_table(engine, table)


def text_of(answer):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_the_form_offers_archives_with_size_and_date(client, service):
    service.archives.open("ta")
    text = text_of(client.get("/"))
    assert re.search(r"ta \(3 judul\), per \d\d-\d\d-\d{4}", text)
    assert 'name="judul"' in client.get("/").text


def test_a_title_gets_a_verdict_and_what_to_do(client):
    answer = ask(client)
    text = text_of(answer)
    assert answer.status_code == 200
    assert f"Hasil untuk: {TITLE}" in text
    assert "▲ MIRIP" in text
    assert "Yang sama dengan judul itu: objek (harga, rumah), metode (regresi ridge)" in text
    assert "Hanya disebut di judul arsip: metode (lasso)." in text
    assert "Pertanyaan pembimbing:" in text
    assert "Siti <x>, 2021" in text
    assert "<mark>Prediksi Harga Rumah</mark>" in answer.text


def test_the_script_gets_the_result_only(client):
    answer = ask(client, script=True)
    assert answer.text.lstrip().startswith("<article")
    assert "<html" not in answer.text
    assert "Hasil untuk" in answer.text


def test_the_models_are_compared_when_they_are_asked_for(client, service):
    assert "judul per model" not in ask(client).text
    for script in (False, True):
        answer = ask(client, "/model", script=script, ambang="0.6")
        text = text_of(answer)
        assert answer.status_code == 200
        assert re.search(r"Model Ringan .*MIRIP.* Peluang 10 judul per model", text)
        assert ("<article" in answer.text) != script
        assert all(html.escape(name, quote=False) in answer.text for name in ARCHIVE["Judul"])
    refused = ask(client, "/model", script=True, judul="Padi")
    assert (refused.status_code, "terlalu pendek" in refused.text) == (422, True)
    service.close()  # Writes what waits to be logged.
    assert len(rows_of(service, predictions)) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"judul": ""}, "belum diisi"),
        ({"judul": "  "}, "belum diisi"),
        ({"judul": "Padi"}, "terlalu pendek"),
        ({"judul": "di dan yang"}, "Tidak ada kata"),
        ({"judul": "padi " * 120}, "padahal batasnya 500"),
        ({"arsip": "tak ada"}, "tidak ada"),
        ({"ambang": "banyak"}, "bukan bilangan"),
        ({"ambang": "nan"}, "bukan bilangan"),
        ({"ambang": "7"}, "Ambang"),
        ({"ambang": "-0.5"}, "Ambang"),
        ({"tahun": "dulu"}, "Tahun itu"),
        ({"jumlah": "x"}, "Jumlah judul"),
    ],
)
def test_what_cannot_be_checked_is_told_at_the_field(client, service, fields, sentence):
    for script in (False, True):
        answer = ask(client, script=script, **fields)
        assert answer.status_code == 422
        assert re.search(f'role="alert">[^<]*{sentence}', html.unescape(answer.text))
        assert "MIRIP</strong>" not in answer.text
    assert not rows_of(service, predictions)


def test_each_check_is_logged_once_and_not_by_its_title(client, service):
    ask(client)
    ask(client, ulang="1", ambang="0.9")
    service.close()  # Writes what waits to be logged.
    (row,) = rows_of(service, predictions)
    assert (row["source"], row["query_text"]) == ("page", None)


def test_the_threshold_judges(client):
    assert "▲ MIRIP" in text_of(ask(client, ambang="0,5"))
    assert "▲ MIRIP" not in text_of(ask(client, ambang="0.99"))
    # As shown in the form: the archive's own threshold, not its rounded value.
    assert "▲ MIRIP" in text_of(ask(client, ambang="0.99", ambang_bawaan="0.99"))
    assert "▲ MIRIP" in text_of(ask(client, ambang="0.990", ambang_bawaan="0.99"))
    assert ">0,60</output>" in ask(client, ambang="0.6", ambang_bawaan="0.90").text


def test_titles_of_other_years_are_left_out_and_counted(client):
    text = text_of(ask(client, tahun="2019-2024", script=True))
    assert "Di luar tahun itu atau tanpa tahun: 2 judul" in text
    assert "Budi" not in text
    assert "MIRIP" in text
    assert "Tidak ada judul terdekat dari tahun itu" in text_of(ask(client, tahun="1990"))


def test_the_number_of_titles_is_chosen(client):
    assert ask(client, jumlah="1").text.count('class="judul-arsip"') == 1
    assert ask(client, jumlah="900").status_code == 200


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_are_text(client, title):
    for script in (False, True):
        answer = ask(client, judul=title, script=script)
        assert answer.status_code == 200
        body = answer.text.replace('<script src="/static/judul.js" defer></script>', "")
        assert not re.search(r"<script|<img|<svg onload|<b>", body)
        assert body.count("</textarea>") == (0 if script else 1)
    sheet = ask(client, "/lembar", judul=title)
    assert not re.search(r"<script|<img|<b>", sheet.text)


def test_titles_of_the_archive_are_text(client):
    answer = ask(client, judul="Motif Batik Pesisir Tegal")
    assert "=Motif Batik &lt;script&gt;" in answer.text.replace("<mark>", "").replace("</mark>", "")
    assert "<script>" not in answer.text
    assert "<x>" not in answer.text


def test_no_title_is_in_an_address(client):
    text = client.get("/").text + ask(client).text
    assert not re.findall(r'(?:href|action|src)="[^"]*\?', text)


def test_the_download_has_what_is_shown(client):
    answer = ask(client, "/unduh", isi="tampil")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0]["judul_ref"] == CLOSEST
    assert (rows[0]["rf_label"], rows[0]["Tahun"], rows[0]["judul"]) == ("MIRIP", "2021", TITLE)
    assert any(row["judul_ref"].startswith("'=") for row in rows)
    assert answer.headers["content-disposition"].endswith('regresi-ridge.csv"')


@pytest.mark.parametrize("model", ["light", "structured", "unknown"])
def test_the_whole_download_has_the_columns_of_the_study(client, model):
    answer = ask(client, "/unduh", isi=f"semua:{model}")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 3
    assert list(rows[0]) == ["judul_ref", "rf_probability", "rf_label"]


def test_the_sheet_is_sealed(client, service):
    answer = ask(client, "/lembar")
    text = text_of(answer)
    for shown in (
        TITLE,
        "ta (3 judul), per ",
        "Model Terstruktur 20",
        "MIRIP",
        "Siti <x>, 2021",
        "tanda tangan",
    ):
        assert shown in text
    key = log_key(service.config.logs)
    assert check_seal(answer.text, key) is SealState.UNCHANGED
    assert answer.headers["content-disposition"].startswith('attachment; filename="lembar_')


def test_an_opinion_is_of_the_verdict_that_the_server_finds(client, service):
    answer = ask(client, "/pendapat", tepat="tidak", label="TIDAK MIRIP", script=True)
    assert "Terima kasih" in answer.text
    ask(client, "/pendapat", nilai="4", ambang="0.99")
    first, second = rows_of(service, feedback)
    assert (first["label"], first["is_right"], first["model"]) == ("MIRIP", False, "structured")
    assert (second["label"] != "MIRIP", second["rating"], second["is_right"]) == (True, 4, None)
    assert not rows_of(service, predictions)


@pytest.mark.parametrize("fields", [{}, {"nilai": "6"}, {"tepat": "x"}, {"tepat": "ya", "judul": ""}])
def test_an_unusable_opinion_is_told(client, service, fields):
    answer = ask(client, "/pendapat", script=True, **fields)
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    assert not rows_of(service, feedback)


def decide(client, decision="bukan-duplikat", *, script=True, **fields):
    given = {
        "ref": CLOSEST,
        "keputusan": decision,
        "oleh": "Komisi <TA>",
        "alasan": "objeknya lain",
        **fields,
    }
    return ask(client, "/keputusan", script=script, **given)


def test_a_decision_counts_at_once_until_it_is_taken_back(client, service):
    answer = decide(client)
    assert answer.status_code == 200
    assert "Keputusan tersimpan" in answer.text
    text = text_of(ask(client))
    assert "▲ MIRIP" not in text
    assert "sudah diputuskan: bukan duplikat oleh Komisi <TA>" in text
    assert decide(client, "cabut").status_code == 200
    assert "▲ MIRIP" in text_of(ask(client))
    assert [row["action"] for row in rows_of(service, audit)] == ["decide", "undo"]


@pytest.mark.parametrize(
    ("decision", "fields", "sentence"),
    [
        ("entah", {}, "tidak dikenal"),
        ("cabut", {}, "Belum ada keputusan"),
        ("sama", {"oleh": " "}, "siapa yang memutuskan"),
        ("sama", {"alasan": ""}, "alasan"),
        ("sama", {"alasan": "x" * 501}, "paling panjang"),
        ("sama", {"ref": ""}, "dua judul"),
        ("sama", {"ref": TITLE}, "sama"),
    ],
)
def test_an_unusable_decision_is_told_beside_the_result(client, decision, fields, sentence):
    answer = decide(client, decision, **fields)
    assert answer.status_code == 422
    assert re.search(f'role="alert">[^<]*{sentence}', answer.text)
    assert "Hasil untuk" in answer.text
    assert "▲ MIRIP" in text_of(ask(client))


def test_without_a_log_no_opinion_is_asked(service):
    service.log = None
    client = TestClient(create_app(service), base_url="http://localhost")
    assert "/pendapat" not in ask(client).text
    assert ask(client, "/pendapat", tepat="ya", script=True).status_code == 422
