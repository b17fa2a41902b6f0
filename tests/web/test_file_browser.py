"""The page for a file of proposals in a browser: upload, progress, result, stop, without script."""

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from judul_lib.core.config import Config
from judul_lib.web import file_pages
from judul_lib.web.app import create_app
from judul_lib.web.file_checks import job_work
from judul_lib.web.job_runner import RunningJobs
from judul_lib.web.service import Service
from tests.conftest import DATA, copy_stored_models, open_page
from tests.hostile_titles import HOSTILE_CELLS
from tests.web.test_title_browser import Served

TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge"
PROPOSALS = (
    f"Nama,NIM,Judul\nSiti,0012,{TITLE}\nBudi,13,Motif Batik Pesisir Tegal\nTono,14,{TITLE}\nRini,15,\n"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    copy_stored_models(folder / "outputs")
    service = Service(
        Config(models=folder / "outputs", corpora={"ta": DATA}, log=False, max_upload_mb=1)
    )
    with RunningJobs(job_work(service)) as running:
        service.jobs = running.store
        served = Served(create_app(service)).start()
        yield served
        served.stop()


@pytest.fixture
def page(served, browser):
    page = open_page(browser, viewport={"width": 1000, "height": 900}, locale="id-ID")
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(f"{served.url}berkas")
    yield page
    page.context.close()


def send(page, content=PROPOSALS, name="usulan.csv"):
    file = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    page.get_by_label("Daftar judul usulan").set_input_files(file)
    page.get_by_role("button", name="Periksa", exact=True).click()


def send_and_wait(page, content=PROPOSALS):
    send(page, content)
    page.get_by_role("link", name="Unduh lembar hasil").wait_for()


def long_list(n):
    words = pd.read_csv(DATA)["Judul"].str.split().sum()
    titles = (" ".join(words[k * 3 % 900 : k * 3 % 900 + 6]).replace(",", " ") for k in range(n))
    return "Judul\n" + "\n".join(f"{title} {k}" for k, title in enumerate(titles))


def test_the_result_comes_without_reloading(page, served, monkeypatch):
    monkeypatch.setattr(file_pages, "PATIENCE", 0.0)
    send(page, long_list(400))
    page.get_by_role("progressbar").wait_for()
    page.evaluate("window.mark = 1")
    page.get_by_role("link", name="Unduh lembar hasil").wait_for()
    assert page.evaluate("window.mark") == 1
    assert page.locator(".usulan tbody tr").count() == 100
    page.get_by_role("link", name="Berikutnya").click()
    page.get_by_text("Halaman 2 dari 4.").wait_for()
    assert {url for url in page.requests if not url.startswith(served.url)} == set()
    assert not page.problems


def test_a_check_is_stopped(page, monkeypatch):
    monkeypatch.setattr(file_pages, "PATIENCE", 0.0)
    send(page, long_list(4_000))
    page.get_by_role("button", name="Hentikan").click()
    page.get_by_text("Dihentikan.").wait_for()
    assert page.locator("[data-poll]").count() == 0


def test_filter_search_row_and_downloads(page):
    send_and_wait(page)
    rows = page.locator(".usulan tbody tr")
    assert rows.count() == 3
    assert "2, 4" in rows.first.text_content()
    page.get_by_role("link", name="MIRIP", exact=True).click()
    page.get_by_text("1 usulan.").wait_for()
    page.get_by_role("link", name="semua", exact=True).click()
    page.get_by_label("Cari nama").fill("tono")
    page.get_by_role("button", name="Cari").click()
    page.get_by_text("1 usulan.").wait_for()
    assert "tono" not in page.url
    for name, suffix in (("lembar hasil", ".html"), ("XLSX", ".xlsx"), ("CSV", ".csv")):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Unduh {name}").click()
        assert download.value.suggested_filename.endswith(suffix)
    page.get_by_role("link", name="Alasan untuk baris 2").click()
    page.locator(".bidang").first.wait_for()
    assert page.locator("mark").count() > 0
    page.get_by_role("button", name="Periksa judul ini sendiri").click()
    page.locator(".hasil").wait_for()
    assert TITLE in page.locator(".hasil h2").text_content()


def test_a_column_is_chosen(page):
    send(page, f"Judul A,Judul B\nMotif Batik Pesisir,{TITLE}\n")
    page.get_by_label("Judul B").check()
    page.get_by_role("button", name="Periksa", exact=True).click()
    page.locator(".usulan").wait_for()
    assert TITLE in page.locator(".usulan tbody").text_content()


def test_a_file_that_is_too_large_is_not_sent(page):
    send(page, "Judul\n" + "x" * 1_100_000)
    field = page.get_by_label("Daftar judul usulan")
    assert "lebih besar dari 1 MB" in field.evaluate("field => field.validationMessage")
    assert page.url.endswith("/berkas")
    send_and_wait(page)


def test_hostile_cells_do_nothing(page):
    cells = [title.replace('"', '""') for title in HOSTILE_CELLS]
    send_and_wait(page, "Nama,Judul\n" + "".join(f'"{cell}","{cell}"\n' for cell in cells))
    page.get_by_role("link", name="Alasan untuk baris 2").click()
    page.locator(".bidang, .kartu").first.wait_for()
    assert page.evaluate("window.hacked") is None
    assert not page.problems


@pytest.mark.parametrize("width", [360, 1000])
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing(page, width):
    page.set_viewport_size({"width": width, "height": 800})

    def look():
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        result = Axe().run(page)
        assert result.violations_count == 0, result.generate_report()

    look()
    send(page, f"Judul A,Judul B\nMotif Batik Pesisir,{TITLE}\n")
    page.get_by_label("Judul B").wait_for()
    look()
    page.goto(page.url.partition("/berkas")[0] + "/berkas")
    send_and_wait(page)
    look()
    page.get_by_role("link", name="Alasan untuk baris 2").click()
    page.locator(".bidang").first.wait_for()
    look()


def test_without_script_it_works_too(browser, served, monkeypatch):
    monkeypatch.setattr(file_pages, "PATIENCE", 0.0)
    page = open_page(browser, java_script_enabled=False)
    page.goto(f"{served.url}berkas")
    send(page, long_list(200))
    while page.get_by_role("link", name="Muat ulang").count():
        page.get_by_role("link", name="Muat ulang").click()
        page.wait_for_timeout(200)
    assert page.locator(".usulan tbody tr").count() == 100
    page.context.close()
