"""The page for one title in a browser: with its script, on a phone, by keyboard, on paper."""

import re
import threading
import time

import pandas as pd
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe

from judul_lib.core.config import Config
from judul_lib.web.app import create_app
from judul_lib.web.service import Service
from tests.conftest import DATA, copy_stored_models, open_page
from tests.hostile_titles import HOSTILE
from tests.page_process import free_port

TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge"
OTHER = "Deteksi Penyakit Daun Padi dengan Convolutional Neural Network"


class Served:
    """An application served in a thread."""

    def __init__(self, app):
        self.port = free_port()
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self.url = f"http://127.0.0.1:{self.port}/"

    def start(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def stop(self):
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    copy_stored_models(folder / "outputs")
    titles = pd.read_csv(DATA)["Judul"]
    years = [str(2015 + n % 10) for n in range(len(titles))]
    frame = pd.DataFrame({"Judul": titles, "Tahun": years, "Penulis": "Siti Aminah"})
    frame.to_csv(folder / "ta.csv", index=False)
    corpora = {"Tugas akhir": folder / "ta.csv", "Lain": DATA}
    service = Service(Config(models=folder / "outputs", corpora=corpora))
    service.start_worker()
    service.archives.open_all()
    yield service
    service.close()


@pytest.fixture(scope="module")
def served(service):
    served = Served(create_app(service)).start()
    yield served
    served.stop()


@pytest.fixture
def page(browser, served):
    page = open_page(browser, viewport={"width": 1100, "height": 900}, locale="id-ID")
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    page.goto(served.url)
    yield page
    page.context.close()


def check(page, title=TITLE):
    page.get_by_label("Judul yang diusulkan").fill(title)
    page.get_by_role("button", name="Periksa", exact=True).click()
    page.locator(f".hasil[data-judul={title!r}]").wait_for()


def verdict(page):
    return page.locator(".vonis-kata").text_content().strip()


def test_a_title_is_checked_without_leaving_the_page(page, served):
    page.evaluate("window.mark = 1")
    check(page)
    assert verdict(page) == "▲ MIRIP"
    assert page.evaluate("window.mark") == 1
    assert page.locator(".terdekat > li").count() == 10
    assert page.locator(".terdekat .bidang").first.is_visible()
    assert page.get_by_role("button", name="Periksa", exact=True).is_enabled()
    assert {url for url in page.requests if not url.startswith(served.url)} == set()
    assert not page.problems


def test_an_old_result_goes_grey_and_comes_back(page):
    check(page)
    field = page.get_by_label("Judul yang diusulkan")
    field.press("End")
    field.type("x")
    page.locator(".hasil.judul-lama").wait_for()
    assert "sudah berbeda" in page.locator(".pesan-lama").text_content()
    field.press("Backspace")
    assert page.locator(".judul-lama, .pesan-lama").count() == 0


def test_no_verdict_is_left_under_a_title_that_was_not_checked(page):
    check(page)
    page.get_by_label("Judul yang diusulkan").fill("Padi")
    page.get_by_role("button", name="Periksa", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert "terlalu pendek" in page.get_by_role("alert").text_content()
    assert page.locator(".hasil").count() == 0
    check(page)
    page.context.set_offline(True)
    page.get_by_label("Judul yang diusulkan").fill(OTHER)
    page.get_by_role("button", name="Periksa", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert "Sambungan terputus" in page.get_by_role("alert").text_content()
    assert page.locator(".hasil").count() == 0
    page.context.set_offline(False)
    check(page, OTHER)
    assert page.get_by_role("alert").count() == 0


def test_the_threshold_judges_at_once(page):
    check(page)
    slider = page.get_by_label("Ambang MIRIP")
    slider.focus()
    slider.press("End")
    page.locator(".vonis:not(.mirip)").wait_for()
    assert page.locator("#ambang-nilai").text_content() == "1,00"
    slider.press("Home")
    page.locator(".vonis.mirip").wait_for()


def test_a_link_opens_the_result_and_reaches_no_server(page, served):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    check(page)
    page.get_by_role("button", name="Salin tautan").click()
    link = page.get_by_label("Tautan ke hasil ini").input_value()
    page.get_by_text("Tautan disalin.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert link.startswith(f"{served.url}#judul=")
    page.goto("about:blank")
    page.requests.clear()
    page.goto(link)
    page.locator(".hasil").wait_for()
    assert page.get_by_label("Judul yang diusulkan").input_value() == TITLE
    assert not [url for url in page.requests if "Ridge" in url.partition("#")[0]]


def test_a_link_to_a_missing_archive_says_so(page, served):
    page.goto("about:blank")
    page.goto(f"{served.url}#judul=Hama+Padi&arsip=hilang")
    assert "tidak ada di sini" in page.get_by_role("alert").text_content()


def test_the_history_stays_here_and_can_be_deleted(page, served):
    for title in (TITLE, OTHER, TITLE):
        check(page, title)
    items = page.locator("#riwayat li")
    assert items.count() == 2
    assert TITLE in items.first.text_content()
    items.nth(1).get_by_role("link").click()
    page.locator(f".hasil[data-judul={OTHER!r}]").wait_for()
    page.reload()
    assert items.count() == 2
    items.first.get_by_role("button").click()
    assert items.count() == 1
    page.get_by_role("button", name="Hapus semua").click()
    assert not page.locator("#riwayat").is_visible()
    assert page.evaluate("localStorage.getItem('judul-riwayat')") == "[]"


def test_it_works_by_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "loncat"
    for _ in range(20):
        if page.evaluate("document.activeElement.id") == "judul":
            break
        page.keyboard.press("Tab")
    page.keyboard.type(TITLE)
    page.keyboard.press("Enter")
    page.locator(".hasil").wait_for()
    for _ in range(60):
        if page.evaluate(
            "document.activeElement.closest('.terdekat > li:nth-child(2) summary') !== null"
        ):
            break
        page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator(".terdekat > li").nth(1).locator(".bidang").is_visible()


def test_opinion_and_decision_answer_in_place(page):
    check(page)
    page.get_by_role("button", name="Keliru").click()
    page.get_by_text("Terima kasih").wait_for()
    assert page.locator(".hasil").count() == 1
    first = page.locator(".terdekat > li").first
    first.get_by_text("Catat keputusan").click()
    first.get_by_label("Bukan duplikat").check()
    first.get_by_label("Diputuskan oleh").fill("Komisi")
    first.get_by_label("Alasan").fill("objeknya lain")
    first.get_by_role("button", name="Simpan keputusan").click()
    page.get_by_text("Keputusan tersimpan").wait_for()
    assert verdict(page) != "▲ MIRIP"
    first = page.locator(".terdekat > li").filter(has_text="sudah diputuskan").first
    first.evaluate("li => li.querySelector('details').open = true")
    first.get_by_text("Catat keputusan").click()
    first.get_by_label("Cabut keputusan").check()
    first.get_by_label("Diputuskan oleh").fill("Komisi")
    first.get_by_label("Alasan").fill("keliru")
    first.get_by_role("button", name="Simpan keputusan").click()
    page.get_by_text("Keputusan dicabut").wait_for()
    assert verdict(page) == "▲ MIRIP"


def test_the_models_are_compared_when_their_fold_is_opened(page, served):
    check(page)
    address = f"{served.url}model"
    assert address not in page.requests
    page.get_by_text("Model-model lain").click()
    page.locator("#isi-model table").first.wait_for()
    assert page.get_by_role("heading", name="Peluang 10 judul per model").is_visible()
    page.get_by_text("Model-model lain").click()
    page.get_by_text("Model-model lain").click()
    assert page.requests.count(address) == 1
    assert not page.problems


def test_a_lost_connection_is_told_where_the_models_would_be(page):
    check(page)
    page.route("**/model", lambda route: route.abort())
    page.get_by_text("Model-model lain").click()
    assert "perbandingan" in page.locator("#isi-model [role=alert]").text_content()
    assert verdict(page) == "▲ MIRIP"
    page.unroute("**/model")
    page.get_by_role("button", name="Bandingkan model").click()
    page.locator("#isi-model table").first.wait_for()


@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for title in (None, TITLE, "Prediksi " + "harga" * 90):
        if title:
            check(page, title)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            page.locator("#isi-model table").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        result = Axe().run(page)
        assert result.violations_count == 0, result.generate_report()


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_do_nothing(page, title):
    page.get_by_label("Judul yang diusulkan").fill(title)
    page.get_by_role("button", name="Periksa", exact=True).click()
    page.locator(".hasil, [role=alert]").first.wait_for()
    assert page.evaluate("window.hacked") is None
    page.reload()
    assert page.evaluate("window.hacked") is None
    assert not page.problems


def pages_of(pdf):
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_paper_has_the_result_and_no_blank_page(page):
    check(page)
    page.emulate_media(media="print")
    assert not page.get_by_role("button", name="Periksa", exact=True).is_visible()
    assert page.locator(".tanda-tangan").is_visible()
    top = page.locator(".vonis").bounding_box()["y"]
    assert top < 400
    assert 1 <= pages_of(page.pdf(prefer_css_page_size=True)) <= 5


def test_the_sheet_prints_on_paper(page, browser, tmp_path):
    check(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Unduh lembar hasil").click()
    path = tmp_path / "lembar.html"
    download.value.save_as(path)
    page.goto(path.as_uri())
    assert TITLE in page.locator("body").text_content()
    assert 1 <= pages_of(page.pdf(prefer_css_page_size=True)) <= 2


def test_without_script_it_works_too(browser, served):
    page = open_page(browser, java_script_enabled=False)
    page.goto(served.url)
    page.get_by_label("Judul yang diusulkan").fill(TITLE)
    page.get_by_role("button", name="Periksa", exact=True).click()
    assert verdict(page) == "▲ MIRIP"
    page.get_by_role("button", name="Tepat", exact=True).click()
    assert "Terima kasih" in page.locator("main").text_content()
    assert not page.get_by_role("button", name="Salin tautan").is_visible()
    page.get_by_text("Model-model lain").click()
    page.get_by_role("button", name="Bandingkan model").click()
    assert page.get_by_role("heading", name="Peluang 10 judul per model").is_visible()
    assert verdict(page) == "▲ MIRIP"
    page.context.close()
