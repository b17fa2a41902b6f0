"""Every page in a browser, on a screen and on a phone: accessible, and no wider than the window."""

import copy
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.testclient import TestClient

from judul_lib.core.config import Config
from judul_lib.web.app import create_app
from judul_lib.web.file_checks import job_work
from judul_lib.web.job_runner import RunningJobs
from judul_lib.web.service import Service
from tests.conftest import DATA, copy_stored_models, open_page
from tests.web.test_file_browser import send_and_wait
from tests.web.test_report_pages import fill
from tests.web.test_title_browser import OTHER, TITLE, Served, check

WIDTHS = pytest.mark.parametrize("width", [360, 1280])
FIXED = ("/", "/berkas", "/arsip", "/arsip/ta/hapus", "/laporan", "/docs", "/halaman-yang-tidak-ada")
TEMPLATES = {"/arsip/ta/hapus": "/arsip/{name}/hapus"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    copy_stored_models(folder / "outputs")
    service = Service(Config(models=folder / "outputs", source=folder / "judul.toml"))
    service.start_worker()
    fill(service)
    files = {"berkas": ("ta.csv", DATA.read_bytes())}
    client = TestClient(create_app(service), base_url="http://localhost")
    assert client.post("/arsip", data={"nama": "ta", "baru": "1"}, files=files).status_code == 200
    with RunningJobs(job_work(service)) as running:
        service.jobs = running.store
        yield service
    service.close()


@pytest.fixture(scope="module")
def served(service):
    served = Served(create_app(service)).start()
    yield served
    served.stop()


@pytest.fixture
def page(browser, served, width):
    page = open_page(browser, viewport={"width": width, "height": 800}, locale="id-ID")
    yield page
    page.context.close()


def look(page):
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert page.locator("h1").count() == 1
    assert page.title()
    result = Axe().run(page)
    assert result.violations_count == 0, f"{page.url}\n{result.generate_report()}"


def open_everything(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


@WIDTHS
def test_pages_of_their_own(page, served, width):
    for address in FIXED:
        page.goto(served.url.rstrip("/") + address)
        open_everything(page)
        look(page)


@WIDTHS
def test_an_old_result(page, served, width):
    page.goto(served.url)
    check(page)
    page.get_by_label("Judul yang diusulkan").fill(OTHER)
    page.locator(".judul-lama").wait_for()
    open_everything(page)
    look(page)


@WIDTHS
def test_a_list_and_one_of_its_rows(page, served, width):
    page.goto(f"{served.url}berkas")
    send_and_wait(page, f"NIM,Nama,Judul\n1,Siti,{TITLE}\n2,Budi,Motif Batik Pesisir Tegal\n3,Rini,\n")
    look(page)
    table = page.locator(".usulan").bounding_box()
    assert table["x"] >= 0
    assert table["x"] + table["width"] <= width
    page.get_by_label("Cari nama").fill("tidak ada")
    page.get_by_role("button", name="Cari").click()
    page.get_by_text("Tidak ada usulan yang cocok.").wait_for()
    look(page)
    page.get_by_role("link", name="Hapus pencarian").click()
    page.get_by_role("link", name="Lihat alasan untuk baris 2").click()
    page.locator(".bidang").first.wait_for()
    look(page)


@WIDTHS
def test_the_login(browser, service, width):
    protected = copy.copy(service)
    protected.config = replace(service.config, token="rahasia")
    served = Served(create_app(protected)).start()
    page = open_page(browser, viewport={"width": width, "height": 800})
    page.goto(served.url)
    look(page)
    page.get_by_label("Token").fill("salah")
    page.get_by_role("button", name="Masuk").click()
    page.get_by_role("alert").wait_for()
    look(page)
    page.context.close()
    served.stop()


def test_no_page_is_forgotten(service):
    """A new page is added to the tests above."""
    paths = create_app(service).openapi()["paths"].items()
    pages = {path for path, found in paths if "text/html" in str(found.get("get"))}
    looked_at = {TEMPLATES.get(address, address) for address in FIXED}
    looked_at |= {"/berkas/{job_id}", "/berkas/{job_id}/baris/{number}", "/masuk"}
    assert pages
    assert pages - looked_at == set()


@pytest.mark.parametrize("height", [500, 2000])
def test_a_check_shows_its_verdict(browser, served, height):
    page = open_page(browser, viewport={"width": 360, "height": height})
    page.goto(served.url)
    check(page)
    top = page.locator(".vonis-kata").bounding_box()["y"]
    assert 0 <= top < height
    assert (page.evaluate("scrollY") == 0) == (height == 2000)
    page.context.close()
