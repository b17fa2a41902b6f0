"""The page in a browser, served by Voilà."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd
import pytest

from judul_lib.figures.style import figure_config
from judul_lib.study.title_text import clean_title
from judul_lib.usage.database import database_url, feedback, open_database, predictions, read_table
from tests.conftest import DATA, PROJECT, open_page

TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge"
OTHER = "Deteksi Penyakit Daun Padi dengan Convolutional Neural Network"
HOSTILE = [
    "<script>window.hacked = 1</script> Prediksi Harga Beras",
    "<img src=x onerror='window.hacked = 1'> Prediksi Harga Beras",
    "Prediksi $x^2$ Harga \\(y\\) Beras",
    "\u202eProduk\u202c Prediksi Harga 🌾 Beras",
    '"><svg onload=window.hacked=1> Prediksi Harga',
    "{{7*7}} ${7*7} Prediksi Harga <b>Beras</b> &lt;i&gt;",
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(models, *, log, program=("-m", "judul_lib"), **environment):
    """Run ``judul app`` in another process; yield its address."""
    port = free_port()
    variables = {**os.environ, "JUDUL_LOG": "true", "JUDUL_MODELS": str(models), **environment}
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, *program, "app", "--port", str(port)],
            cwd=PROJECT, env=variables, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    url = f"http://localhost:{port}"
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{url}/health") as answer:
                    assert json.load(answer) == {"status": "ok"}
                break
            except urllib.error.URLError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def app(browser, installation, tmp_path_factory):
    log = tmp_path_factory.mktemp("app") / "log"
    with serving(installation.outputs, log=log, JUDUL_MAX_PAGES="100") as url:
        time.sleep(4)  # Let the kernels preheat.
        yield url


@dataclass
class Visit:
    """An open page with its requests and its errors."""

    page: object
    requests: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    @property
    def title_field(self):
        return self.page.get_by_label("Judul yang diusulkan")

    def check(self, title):
        self.title_field.fill(title)
        self.title_field.press("Enter")
        self.page.get_by_role("button", name="Periksa", exact=True).wait_for()

    def verdict(self):
        verdict = self.page.locator(".judul-vonis").locator("visible=true")
        verdict.wait_for()
        return verdict.text_content()

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()

    def upload(self, label, path):
        self.page.get_by_label(label).set_input_files(path)


@pytest.fixture
def visit(browser, app):
    contexts = []

    def start(url=app, width=1200):
        page = open_page(browser, viewport={"width": width, "height": 900}, locale="id-ID")
        contexts.append(page.context)
        visit = Visit(page)
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
        visit.page.on("dialog", lambda dialog: visit.problems.append(dialog.message))
        visit.page.goto(url)
        visit.title_field.wait_for()
        return visit

    yield start
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Return a file of 1,260 different titles, made from those of the project."""
    titles = pd.read_csv(DATA)["Judul"].tolist()
    places = "Kudus Jepara Blora Rembang Pati Demak Tegal Brebes Batang Kendal".split()
    more = [f"{title} pada Kabupaten {place}" for place in places for title in titles]
    path = tmp_path_factory.mktemp("archive") / "arsip.csv"
    pd.DataFrame({"Judul": [*titles, *more][:1260]}).to_csv(path, index=False)
    return path


def test_a_title_gets_verdict_and_table_and_figures(visit):
    visitor = visit()
    visitor.title_field.fill(TITLE)
    visitor.page.get_by_role("button", name="Periksa").click()
    verdict = visitor.verdict()
    assert "MIRIP" in verdict
    assert "PREDIKSI HARGA RUMAH DI KOTA BEKASI" in verdict
    assert "objek sama: harga, rumah" in verdict
    rows = visitor.page.locator(".judul-hasil tbody tr").locator("visible=true")
    rows.nth(9).wait_for()  # The verdict comes first.
    assert rows.count() == 10
    marked = rows.first.locator("mark").all_text_contents()
    assert marked == ["HARGA", "RUMAH", "BEKASI", "REGRESI", "RIDGE"]
    for name in ("Peluang 10 judul terdekat", "Yang menaikkan dan menurunkan"):
        visitor.page.locator(".gtitle", has_text=name).first.wait_for()
        visitor.page.get_by_role("img", name=name).wait_for()
    buttons = visitor.page.locator(".modebar-btn[data-title]").all()
    button_titles = {button.get_attribute("data-title") for button in buttons}
    assert button_titles
    assert button_titles <= set(figure_config()["locales"]["id"]["dictionary"].values())
    assert visitor.problems == []


def test_no_request_goes_to_another_server(visit, app, archive):
    visitor = visit()
    visitor.check(TITLE)
    visitor.page.locator(".gtitle").first.wait_for()
    visitor.tab("Perbandingan")
    visitor.tab("Arsip")
    visitor.upload("Arsip lain", archive)
    visitor.page.get_by_text("siap dipakai").wait_for()
    external = [url for url in visitor.requests if not url.startswith((app, "data:", "blob:"))]
    assert len(visitor.requests) > 20
    assert external == []


def test_models_are_compared_side_by_side(visit):
    visitor = visit()
    visitor.check(TITLE)
    assert [tab.text_content() for tab in visitor.page.get_by_role("tab").all()] == [
        "Satu judul", "Banyak judul", "Arsip",
        "Model Terstruktur", "Model Penuh", "Model Ringan", "Perbandingan",
    ]  # fmt: skip
    visitor.tab("Perbandingan")
    rows = visitor.page.locator("table.judul-tabel tbody tr").locator("visible=true")
    rows.nth(2).wait_for()
    verdicts = [text for text in rows.all_text_contents() if " ms" in text]
    assert len(verdicts) == 3
    assert visitor.page.get_by_text("Selisih peluang terbesar").is_visible()
    rankings = visitor.page.get_by_role("region", name="Judul teratas setiap model berdampingan")
    rankings.wait_for()
    assert rankings.get_by_role("columnheader").all_text_contents() == [
        "Judul dalam arsip", "Model Terstruktur", "Model Penuh", "Model Ringan", "Rata-rata",
    ]  # fmt: skip
    assert rankings.locator("tbody tr").count() >= 10
    # The front end may show the figure it replaces for a moment.
    figures = visitor.page.locator(".js-plotly-plot").filter(has_text="Peluang 10 judul per model")
    figures.first.wait_for()


def test_the_button_says_that_a_check_is_running(visit):
    visitor = visit()
    visitor.page.evaluate(
        """() => {
          window.shown = new Set();
          new MutationObserver(() => {
            const button = document.querySelector(".judul-utama");
            window.shown.add(`${button.textContent} ${button.disabled} ${button.className}`);
          }).observe(document.body, {subtree: true, childList: true, attributes: true});
        }"""
    )
    visitor.check(TITLE)
    shown = visitor.page.evaluate("[...window.shown]")
    assert "Memeriksa… true judul-tombol judul-utama judul-sibuk" in shown
    assert visitor.page.locator(".judul-utama").text_content() == "Periksa"


def test_the_threshold_changes_the_labels(visit):
    visitor = visit()
    visitor.check(TITLE)
    visitor.tab("Model Ringan")
    before = visitor.verdict()
    assert "MIRIP" in before
    assert "TIDAK" not in before
    slider = visitor.page.get_by_label("Ambang MIRIP")
    slider.focus()
    slider.press("End")
    visitor.page.locator(".judul-vonis", has_text="TIDAK MIRIP").locator("visible=true").wait_for()
    labels = (
        visitor.page.locator(".judul-hasil .judul-label").locator("visible=true").all_text_contents()
    )
    assert all("TIDAK MIRIP" in label for label in labels)
    visitor.page.get_by_label("Jumlah hasil").press("Home")
    visitor.page.locator(".judul-hasil:visible tbody tr:nth-child(6)").wait_for(state="detached")


def test_the_download_is_safe_for_a_spreadsheet(visit, tmp_path):
    visitor = visit()
    archive = tmp_path / "formula.csv"
    archive.write_text('Judul\n"=HYPERLINK(""x"") Prediksi Harga Beras"\n+62 Prediksi Harga Gula\n')
    visitor.tab("Arsip")
    visitor.upload("Arsip lain", archive)
    visitor.page.get_by_text("siap dipakai").wait_for()
    visitor.tab("Satu judul")
    visitor.check("Prediksi Harga Beras: LSTM")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Unduh hasil").locator("visible=true").click()
    assert download.value.suggested_filename.endswith("_prediksi-harga-beras-lstm.csv")
    download.value.save_as(tmp_path / "hasil.csv")
    content = (tmp_path / "hasil.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert {row["judul_ref"][0] for row in rows} == {"'"}
    assert {row["model"] for row in rows} == {"structured"}
    assert all(0 <= float(row["rf_probability"]) <= 1 for row in rows)


def test_proposals_are_checked_against_the_archive_and_each_other(visit, tmp_path):
    visitor = visit()
    visitor.tab("Banyak judul")
    path = tmp_path / "usulan.xlsx"
    twin = "Prediksi Harga Rumah Menggunakan Ridge Regression pada Kota Bekasi"
    pd.DataFrame(
        {
            "Nama": ["A", "B", "C", "D"],
            "Judul": [TITLE, twin, "Analisis Kekuatan Beton Serat Bambu", "-"],
        }
    ).to_excel(path, index=False)
    visitor.upload("Daftar judul usulan", path)
    visitor.page.get_by_text("Dari 4 usulan").wait_for()
    assert visitor.page.get_by_text("1 tidak dapat diperiksa").is_visible()
    first = visitor.page.locator(".judul-hasil:visible tbody tr").first
    first.locator(".judul-label").first.wait_for()  # The sentence above comes before the table.
    assert first.locator(".judul-label").all_text_contents() == ["▲ MIRIP", "▲ MIRIP"]
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Unduh hasil").locator("visible=true").click()
    download.value.save_as(tmp_path / "hasil.csv")
    result = pd.read_csv(tmp_path / "hasil.csv")
    assert result["Nama"].tolist() == ["A", "B", "C", "D"]
    assert result["baris_usulan_terdekat"].tolist()[:2] == [3, 2]
    assert result["simpulan"].tolist()[3] == "TIDAK DIPERIKSA"


def test_a_file_that_is_not_a_table_is_explained(visit, tmp_path):
    visitor = visit()
    visitor.tab("Banyak judul")
    path = tmp_path / "gambar.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    visitor.upload("Daftar judul usulan", path)
    visitor.page.get_by_text("bukan berkas teks CSV").wait_for()
    path.write_text("Nama\nA\n")
    visitor.upload("Daftar judul usulan", path)
    visitor.page.get_by_text("Kolom 'Judul' tidak ada").wait_for()


def test_an_unusable_title_is_explained(visit):
    visitor = visit()
    for title, expected in [
        ("", "belum diisi"),
        ("yang di", "Tidak ada kata"),
        ("x" * 10_000, "10.000 karakter"),
    ]:
        visitor.check(title)
        visitor.page.get_by_role("alert").filter(has_text=expected).wait_for()
    visitor.check(TITLE)
    assert "MIRIP" in visitor.verdict()
    assert not visitor.page.get_by_role("alert").filter(has_text="belum").is_visible()


def test_an_answer_is_grey_while_the_field_holds_another_title(visit):
    visitor = visit(width=360)
    visitor.check(TITLE)
    visitor.verdict()
    answered = visitor.page.get_by_text(f"Hasil untuk judul: {TITLE}")
    changed = visitor.page.get_by_text("Isi kolom judul sudah berbeda")
    banner = visitor.page.locator(".judul-vonis").locator("visible=true")

    def colour():
        return banner.evaluate("element => getComputedStyle(element).backgroundColor")

    red = colour()
    visitor.title_field.fill(f"  {TITLE} ")  # The same words.
    assert answered.is_visible()
    assert not changed.is_visible()
    for text, expected in [(OTHER, ""), ("", "belum diisi"), ("yang di", "Tidak ada kata")]:
        visitor.title_field.fill(text)
        changed.wait_for()
        if expected:
            visitor.title_field.press("Enter")
            visitor.page.get_by_role("alert").filter(has_text=expected).wait_for()
        assert changed.is_visible()
        assert answered.is_visible()
        assert colour() != red
    visitor.title_field.fill(TITLE)
    changed.wait_for(state="hidden")
    assert colour() == red
    visitor.check(OTHER)
    visitor.page.get_by_text(f"Hasil untuk judul: {OTHER}").wait_for()
    assert not changed.is_visible()
    long = f"{'x' * 480} Harga Beras"
    visitor.check(long)
    visitor.page.get_by_text(f"Hasil untuk judul: {long}").wait_for()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_figures_keep_their_size_when_tabs_change_and_a_phone_is_turned(visit):
    visitor = visit(width=360)
    visitor.check(TITLE)
    figures = visitor.page.locator(".js-plotly-plot").locator("visible=true")
    figures.nth(1).locator(".gtitle").first.wait_for()

    def settled_heights():
        """Wait until the heights of the visible figures no longer change, and return them."""
        seen = []
        while seen[-3:] != seen[-1:] * 3 or not seen:
            visitor.page.wait_for_timeout(500)
            # All in one call, since figures may be removed meanwhile.
            seen.append(
                visitor.page.locator(".js-plotly-plot").evaluate_all(
                    "all => all.map(figure => Math.round(figure.getBoundingClientRect().height))"
                    ".filter(Boolean)"
                )
            )
        return seen[-1]

    heights = settled_heights()
    assert len(heights) == 2
    assert min(heights) > 200
    for _ in range(2):
        visitor.tab("Model Ringan")
        assert min(settled_heights()) > 200
        visitor.tab("Model Terstruktur")
        assert settled_heights() == heights
    visitor.page.set_viewport_size({"width": 800, "height": 360})
    assert settled_heights() == heights
    visitor.tab("Banyak judul")
    visitor.page.set_viewport_size({"width": 360, "height": 800})
    visitor.tab("Satu judul")
    assert settled_heights() == heights
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360
    widths = figures.evaluate_all("all => all.map(figure => figure.getBoundingClientRect().width)")
    assert max(widths) <= 360


def test_a_closed_page_shuts_down_its_kernel(visit, app):
    visitor = visit()
    kernel = visitor.page.evaluate(
        "() => JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"
    )

    def status():
        return visitor.page.request.get(f"{app}/api/kernels/{kernel}").status

    visitor.check(TITLE)
    with visitor.page.expect_download():
        visitor.page.get_by_role("button", name="Unduh hasil").locator("visible=true").click()
    assert status() == 200
    visitor.page.reload()
    visitor.title_field.wait_for()
    for _ in range(100):
        if status() == 404:
            break
        time.sleep(0.1)
    assert status() == 404


def test_hostile_titles_are_shown_as_text(visit, tmp_path):
    visitor = visit()
    path = tmp_path / "<b>arsip<img src=x onerror='window.hacked=1'>.csv"
    pd.DataFrame({"Judul": [*HOSTILE, f"{'x' * 10_000} {HOSTILE[0]}"]}).to_csv(path, index=False)
    visitor.tab("Arsip")
    visitor.upload("Arsip lain", path)
    visitor.page.get_by_text("siap dipakai").wait_for()
    visitor.tab("Satu judul")
    for title in HOSTILE:
        visitor.check(title)
        cleaned = clean_title(title)
        visitor.page.locator(".judul-vonis q", has_text=cleaned).locator("visible=true").wait_for()
    shown = visitor.page.locator(".judul-hasil .judul-pilih").locator("visible=true").all_text_contents()
    titles = [*HOSTILE, f"{'x' * 10_000} {HOSTILE[0]}"]
    assert sorted(shown) == sorted(map(clean_title, titles))
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 1200
    visitor.tab("Perbandingan")
    visitor.tab("Banyak judul")
    visitor.upload("Daftar judul usulan", path)
    visitor.page.get_by_text("Dari 7 usulan").wait_for()
    assert visitor.page.evaluate("window.hacked") is None
    injected = visitor.page.locator(".judul-page").locator("img:not(.plot-img), svg[onload], script, b")
    assert injected.count() == 0
    assert visitor.page.locator(".MathJax, mjx-container").count() == 0
    assert visitor.problems == []


def test_the_page_fits_a_phone(visit):
    visitor = visit(width=360)
    visitor.check(TITLE)
    assert visitor.page.locator(".judul-vonis").locator("visible=true").is_visible()
    visitor.page.locator(".gtitle").first.wait_for()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360
    figures = visitor.page.locator(".js-plotly-plot").locator("visible=true").all()
    assert len(figures) == 2
    assert all(figure.bounding_box()["width"] <= 360 for figure in figures)
    # No text of a figure is cut off.
    for figure in figures:
        box = figure.bounding_box()
        for text in figure.locator("svg text").locator("visible=true").all():
            place = text.bounding_box()
            assert place["x"] >= box["x"] - 1, text.text_content()
            assert place["x"] + place["width"] <= box["x"] + box["width"] + 1, text.text_content()
    visitor.tab("Arsip")
    for label in visitor.page.locator(".judul-berkas label").locator("visible=true").all():
        place = label.bounding_box()
        assert place["x"] + place["width"] <= 360 - 8


def test_two_visitors_have_separate_answers(visit):
    first, second = visit(), visit()
    first.check(TITLE)
    second.check(OTHER)
    assert "HARGA RUMAH" in first.verdict()
    assert "HARGA RUMAH" not in second.verdict()
    first.page.get_by_label("Ambang MIRIP").press("End")
    first.page.locator(".judul-vonis", has_text="TANYAKAN").first.wait_for()
    assert second.page.get_by_label("Ambang MIRIP").input_value() == "0.5"


def test_the_page_works_with_the_keyboard_only(visit):
    visitor = visit()
    keyboard = visitor.page.keyboard
    visitor.title_field.focus()
    keyboard.type(TITLE)
    keyboard.press("Enter")
    visitor.verdict()
    visitor.page.get_by_role("button", name="Periksa", exact=True).wait_for()
    focused = []
    for _ in range(40):
        keyboard.press("Tab")
        focused.append(
            visitor.page.evaluate(
                "(document.activeElement.textContent || document.activeElement.type).trim()"
            )
        )
        if focused[-1].startswith("PREDIKSI HARGA RUMAH DI KOTA DEPOK"):
            break
    assert focused[0] == "Periksa"
    assert focused[1:3] == ["range", "range"]
    assert "Model Terstruktur" in focused
    keyboard.press("Enter")
    visitor.page.locator(".gtitle", has_text="KOTA DEP").first.wait_for()
    visitor.page.get_by_role("tab", name="Model Terstruktur").focus()
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    visitor.page.get_by_role("tab", name="Model Penuh", selected=True).wait_for()


def test_a_table_sorts_by_its_headers(visit):
    visitor = visit()
    visitor.check(TITLE)
    header = visitor.page.get_by_role("columnheader", name="Levenshtein").locator("visible=true")
    header.get_by_role("button").click()
    column = visitor.page.locator(".judul-hasil:visible tbody td:nth-child(7)")
    values = [float(cell.get_attribute("data-value")) for cell in column.all()]
    assert values == sorted(values, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"


def test_the_page_passes_the_accessibility_checks(visit):
    from axe_playwright_python.sync_playwright import Axe

    def violations():
        result = Axe().run(visitor.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response
        assert len(result["passes"]) > 10
        return [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in result["violations"]]

    visitor = visit()
    visitor.check(TITLE)
    visitor.page.locator(".gtitle").first.wait_for()
    assert violations() == []
    visitor.title_field.fill(OTHER)
    assert violations() == []
    for tab in ("Perbandingan", "Banyak judul", "Arsip"):
        visitor.tab(tab)
        assert violations() == []
    visitor.page.add_style_tag(content=".judul-petunjuk { color: #ddd !important }")
    assert [name for name, _ in violations()] == ["color-contrast"]


def test_feedback_is_logged(visit, installation):
    visitor = visit()
    visitor.check(TITLE)
    logs = installation.outputs / "logs"

    def read_log(table):
        return read_table(open_database(database_url(logs)), table)

    before = len(read_log(feedback))
    visitor.page.get_by_role("button", name="Keliru").locator("visible=true").click()
    visitor.page.get_by_text("Terima kasih").locator("visible=true").wait_for()
    visitor.page.get_by_role("button", name="4", exact=True).locator("visible=true").click()
    for _ in range(50):
        entries = read_log(feedback)[before:]
        if len(entries) == 2:
            break
        time.sleep(0.1)
    assert [entry["is_right"] for entry in entries] == [False, None]
    assert [entry["rating"] for entry in entries] == [None, 4]
    query = read_log(predictions)[-1]
    assert (query["source"], query["query_text"]) == ("page", None)
    assert entries[0]["query_hash"] == query["query_hash"]
    assert entries[0]["user"] == query["user"]
    assert visitor.page.get_by_text(f"Sebut ID {query['user']}").is_visible()


def test_response_time_is_printed(visit, archive, capsys):
    start = time.perf_counter()
    visitor = visit()
    ready = time.perf_counter() - start
    visitor.tab("Arsip")
    visitor.upload("Arsip lain", archive)
    visitor.page.get_by_text("Siap dipakai: arsip.csv (1.260 judul)").wait_for()
    visitor.tab("Satu judul")
    visitor.check(OTHER)
    visitor.verdict()
    # Measured in the browser, from the click to the verdict.
    milliseconds = visitor.page.evaluate(
        """() => new Promise((done) => {
          const panel = document.querySelector('.judul-vonis').closest('[role=status]');
          let start;
          new MutationObserver(() => done(performance.now() - start)).observe(panel, {childList: true});
          const area = document.querySelector('.judul-form textarea');
          area.value = 'Peramalan Harga Rumah di Bekasi dengan Regresi Ridge';
          start = performance.now();
          document.querySelector('.judul-form button').click();
        })"""
    )
    with capsys.disabled():
        print(f"\npage ready: {ready:.1f} s; click to verdict, 1,260 titles: {milliseconds:.0f} ms")
    assert "HARGA RUMAH" in visitor.verdict()


def test_neither_source_nor_files_are_served(app):
    def get(path):
        with urllib.request.urlopen(f"{app}{path}") as answer:
            return answer.read().decode()

    page = get("/")
    assert "CheckPage" not in page
    assert "judul_lib" not in page
    for path in ("/voila/files/07_check_titles.ipynb", "/voila/files/../judul.toml", "/api/contents"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(path)
        assert refused.value.code in {403, 404}


def test_headers_restrict_what_the_page_may_load(app):
    with urllib.request.urlopen(app) as answer:
        policy = dict(
            part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
        )
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert policy["default-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert not [rule for rule in policy.values() if "http" in rule or "*" in rule]


def test_requests_for_another_host_name_are_refused(app):
    request = urllib.request.Request(app, headers={"Host": "jahat.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403


def test_the_page_asks_for_the_token(browser, visit, installation, tmp_path):
    secret = "kata-rahasia-12"
    with serving(installation.outputs, log=tmp_path / "log", JUDUL_TOKEN=secret) as url:
        page = open_page(browser)
        page.goto(url)
        assert page.get_by_role("heading", name="Periksa Judul Tugas Akhir").is_visible()
        assert page.get_by_label("Judul yang diusulkan").count() == 0
        page.get_by_label("Token").fill("salah")
        page.get_by_role("button", name="Masuk").click()
        page.get_by_text("Token itu tidak benar").wait_for()
        page.get_by_label("Token").fill(secret)
        page.get_by_role("button", name="Masuk").click()
        page.get_by_label("Judul yang diusulkan").wait_for()
        page.context.close()
        visit(f"{url}/?token={secret}")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/login", data=b"password=x")  # Without the form's XSRF token.
        assert "Permintaan itu ditolak" in refused.value.read().decode()
    assert secret not in (tmp_path / "log").read_text()


def test_the_page_works_with_a_long_temporary_path(browser, installation, tmp_path):
    long = tmp_path / ("x" * 80)
    long.mkdir()
    with serving(installation.outputs, log=tmp_path / "log", TMPDIR=str(long)) as url:
        page = open_page(browser)
        page.goto(url)
        page.get_by_label("Judul yang diusulkan").wait_for()
        page.context.close()
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{url}/voila/templates/none/static/x.js")
        assert "jsdelivr" not in missing.value.read().decode()
    assert "longer than" not in (tmp_path / "log").read_text()
