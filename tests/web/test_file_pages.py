"""A file of proposals on the page, without a browser."""

import io
import re
import time

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook, load_workbook

from judul_lib.core.config import Config
from judul_lib.web.app import create_app
from judul_lib.web.file_checks import job_work
from judul_lib.web.job_runner import RunningJobs
from judul_lib.web.service import Service
from tests.conftest import copy_stored_models, judul

ARCHIVE = [f"Prediksi Harga {crop} di Kudus" for crop in ("Gula", "Padi", "Tebu", "Teh", "Kopi")]
PROPOSALS = (
    "Nama,NIM,Judul\n"
    "Siti,0012,Prediksi Harga Padi di Kudus\n"
    "=1+1,13,Deteksi Penyakit Daun Tomat dengan CNN\n"
    "Rini,14,\n"
    "<b>Joko</b>,15,Deteksi Penyakit pada Daun Tomat Menggunakan CNN\n"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    path = folder / "arsip.csv"
    rows = [{"Judul": title, "Tahun": "2024", "Penulis": "Dewi"} for title in ARCHIVE]
    pd.DataFrame(rows).to_csv(path, index=False)
    copy_stored_models(folder / "outputs")
    config = Config(
        log=False,
        models=folder / "outputs",
        corpora={"kudus": path},
        max_upload_mb=1,
        max_rows=300,
        source=folder / "judul.toml",
    )
    service = Service(config)
    with RunningJobs(job_work(service)) as running:
        service.jobs = running.store
        yield service


@pytest.fixture
def client(service):
    return TestClient(create_app(service), base_url="http://localhost")


def send(client, content=PROPOSALS, name="usulan.csv", **fields):
    if isinstance(content, str):
        content = content.encode()
    response = client.post("/berkas", files={"berkas": (name, content)}, data=fields)
    return settle(client, response)


def settle(client, response):
    end = time.monotonic() + 20
    while 'data-poll="' in response.text and time.monotonic() < end:
        time.sleep(0.05)
        response = client.get(response.url)
    return response


def rows_of(page):
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells if row]


def test_the_form_offers_the_archives(client):
    page = client.get("/berkas")
    assert page.status_code == 200
    assert '<option value="kudus">' in page.text


def test_a_file_is_checked(client):
    page = send(client)
    assert page.status_code == 200
    rows = rows_of(page)
    assert [row[0] for row in rows] == ["2", "3", "5", "4"]  # The closest first.
    assert rows[0][1].startswith("▲ MIRIP")
    assert rows[0][2:5] == ["Siti", "0012", "Prediksi Harga Padi di Kudus"]
    assert rows[0][5] == "Prediksi Harga Padi di Kudus (Dewi, 2024)"
    assert rows[-1][1].startswith("– TIDAK DIPERIKSA")
    assert rows[1][-1] == "▲ MIRIP baris 5"
    assert "&lt;b&gt;Joko&lt;/b&gt;" in page.text
    assert "<b>Joko" not in page.text


def test_filter_order_and_search(client):
    page = send(client)
    by_number = client.get(f"{page.url}?urut=baris")
    assert [row[0] for row in rows_of(by_number)] == ["2", "3", "4", "5"]
    similar = client.get(f"{page.url}?saring=mirip&urut=baris")
    assert [row[0] for row in rows_of(similar)] == ["2", "3", "5"]
    assert not rows_of(client.get(f"{page.url}?saring=tanyakan"))
    found = client.post(f"{page.url}/cari", data={"cari": "JOKO tomat"})
    assert [row[0] for row in rows_of(found)] == ["5"]
    assert "tomat" not in str(found.url)
    assert client.get(f"{page.url}?saring=x").status_code == 422


def test_pages_of_a_hundred_rows(client):
    words = "satu dua tiga empat lima enam tujuh delapan sembilan sepuluh sebelas".split()
    lines = [f"Analisis {a} {b} {c}" for a in words for b in words for c in words[:1]]
    page = send(client, "Judul\n" + "\n".join(lines), "a.csv")
    assert len(rows_of(page)) == 100
    assert len(rows_of(client.get(f"{page.url}?hal=2"))) == len(lines) - 100
    assert not rows_of(client.get(f"{page.url}?hal=9"))


def test_the_reason_for_a_row(client):
    page = send(client)
    reason = client.get(f"{page.url}/baris/5")
    assert "&lt;b&gt;Joko" in reason.text
    assert "/baris/3" in reason.text
    assert "Usulan lain" in reason.text
    assert "tidak dapat dibandingkan" in client.get(f"{page.url}/baris/4").text
    assert client.get(f"{page.url}/baris/99").status_code == 404


def test_a_row_is_explained_as_a_single_title(client):
    content = (
        "Judul\nPrediksi Harga Padi dengan LSTM di Demak\nPrediksi Harga Padi dengan LSTM di Pati\n"
    )
    text = client.get(f"{send(client, content).url}/baris/2").text
    archived, _, proposed = text.partition("Usulan lain yang terdekat")
    assert "<mark>Prediksi Harga Padi</mark>" in archived
    assert "Dewi, 2024" in archived
    fields = re.findall(
        r'<th scope="row">(\w+)</th><td class="\w+" data-kolom="Hubungan">([\w ]+)</td>', archived
    )
    assert dict(fields)["metode"] == "hanya di usulan"
    assert "Pertanyaan pembimbing" in archived or "Yang sama dengan judul itu" in archived
    assert re.search(
        r'<th scope="row">tempat</th><td class="lain" data-kolom="\w+">berbeda</td>', proposed
    )
    assert "Hanya di usulan lain" in proposed
    assert "arsip" not in proposed.partition("</section>")[0]


def test_students_who_share_a_title_are_one_proposal(client):
    title = "Prediksi Harga Padi dengan LSTM di Demak"
    content = f"Nama,NIM,Judul\nSiti,11,{title}\nBudi,12,Motif Batik Pesisir\nTono,13,{title.upper()}\n"
    page = send(client, content)
    rows = {row[0]: row for row in rows_of(page)}
    assert set(rows) == {"2, 4", "3"}
    assert rows["2, 4"][2:4] == ["Siti; Tono", "11; 13"]
    assert "baris 3" in rows["2, 4"][-1]
    assert "Dari 2 usulan, 2 diperiksa" in page.text
    assert "1 judul diusulkan bersama" in page.text
    found = client.post(f"{page.url}/cari", data={"cari": "Tono"})
    assert [row[0] for row in rows_of(found)] == ["2, 4"]
    assert "Siti; Tono (baris 2, 4)" in client.get(f"{page.url}/baris/4").text
    frame = pd.read_csv(io.BytesIO(client.get(f"{page.url}/unduh.csv").content), dtype=str)
    assert list(frame["pengusul"].fillna("")) == ["Siti; Tono", "", "Siti; Tono"]
    assert not {"baris_pertama", "judul_diperiksa"} & set(frame.columns)
    sheet = client.get(f"{page.url}/lembar").text
    assert "Siti, 11; Tono, 13 (baris 4)" in sheet
    assert "2 usulan" in sheet


def test_one_person_with_a_title_twice_is_no_group(client):
    page = send(client, "Nama,Judul\nSiti,Hama Padi di Demak\nSiti,Hama Padi di Demak\n")
    assert [row[0] for row in rows_of(page)] == ["2", "3"]
    assert "▲ MIRIP baris 3" in rows_of(page)[0][-1]


def test_the_sheet_of_a_file_is_sealed(client, service, tmp_path):
    page = send(client)
    answer = client.get(f"{page.url}/lembar")
    assert f'href="{page.url.path}/lembar"' in page.text
    assert "usulan.csv" in answer.text
    assert "usulan" not in answer.headers["content-disposition"]
    assert "kudus (5 judul)" in answer.text
    assert "&lt;b&gt;Joko" in answer.text
    assert "Usulan lain yang terdekat: baris 3 (MIRIP)" in answer.text
    path = tmp_path / "lembar.html"
    path.write_bytes(answer.content)
    arguments = "verify-sheet", path, "--models", service.config.models
    assert judul(*arguments).returncode == 0
    path.write_bytes(answer.content.replace(b"Joko", b"Joki"))
    assert judul(*arguments).returncode == 1


def test_downloads_escape_formulas(client):
    page = send(client)
    csv = client.get(f"{page.url}/unduh.csv")
    assert csv.content.startswith(b"\xef\xbb\xbf")
    frame = pd.read_csv(io.BytesIO(csv.content), dtype=str)
    assert frame["Nama"][1] == "'=1+1"
    assert frame["NIM"][0] == "0012"
    assert frame["baris_usulan_terdekat"][1] == "5"
    sheet = load_workbook(io.BytesIO(client.get(f"{page.url}/unduh.xlsx").content)).active
    assert sheet["A3"].value == "'=1+1"
    assert "usulan" not in csv.headers["content-disposition"]
    assert client.get(f"{page.url}/unduh.exe").status_code == 422


def test_a_column_is_chosen_without_another_upload(client):
    content = "Nama,Judul A,Judul B\nSiti,Analisis Sentimen Ulasan Film,Prediksi Harga Padi di Kudus\n"
    page = send(client, content)
    assert 'value="Judul A"' in page.text
    assert "Analisis Sentimen Ulasan Film" in page.text
    done = settle(client, client.post(f"{page.url}/pilih", data={"kolom": "Judul B"}))
    assert rows_of(done)[0][2:4] == ["Siti", "Prediksi Harga Padi di Kudus"]


def test_a_sheet_is_chosen_without_another_upload(client):
    workbook = Workbook()
    workbook.active.title = "S1"
    workbook.active.append(["Judul", "Nama"])
    workbook.active.append(["Analisis Sentimen Ulasan Film Horor", "Siti"])
    other = workbook.create_sheet("D3")
    other.append(["NIM", "Judul Tugas Akhir"])
    other.append(["7", "Prediksi Harga Padi di Kudus"])
    workbook.save(stream := io.BytesIO())
    page = send(client, stream.getvalue(), "a.xlsx")
    assert 'value="D3"' in page.text
    assert "Analisis Sentimen Ulasan Film Horor" in page.text
    done = settle(client, client.post(f"{page.url}/pilih", data={"lembar": "D3"}))
    assert rows_of(done)[0][2:4] == ["7", "Prediksi Harga Padi di Kudus"]


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.csv", "kosong"),
        (b"%PDF-1.7 ...", "a.csv", "PDF"),
        ("Judul\n" + "Hama Padi\n" * 400, "a.csv", "300"),
    ],
)
def test_unusable_files_are_refused_in_a_sentence(client, content, name, words):
    page = send(client, content, name)
    assert 'role="alert"' in page.text
    assert words in page.text


def test_an_unknown_archive_is_refused(client):
    assert "tidak ada" in send(client, arsip="rahasia").text


def test_jobs_of_others_are_not_found(client):
    page = send(client)
    other = TestClient(client.app, base_url="http://localhost")
    for address in (page.url, f"{page.url}/baris/2", f"{page.url}/unduh.csv", f"{page.url}/lembar"):
        assert other.get(address).status_code == 404
    for action in ("henti", "pilih", "cari"):
        assert other.post(f"{page.url}/{action}").status_code == 404
    assert str(page.url.path) not in other.get("/berkas").text
    assert str(page.url.path) in client.get("/berkas").text


def test_a_fragment_is_only_the_result(client):
    page = send(client)
    part = client.get(page.url, headers={"X-Bagian": "1"})
    assert "<html" not in part.text
    assert 'id="pemeriksaan"' in part.text


def test_without_a_runner_the_visitor_reads_a_sentence(service, client):
    store, service.jobs = service.jobs, None
    try:
        page = send(client)
    finally:
        service.jobs = store
    assert "tidak berjalan" in page.text
