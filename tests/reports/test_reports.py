"""Reports in a browser without a network."""

import re

import nbformat
import pytest

from judul_lib.figures.style import figure_config
from judul_lib.reports.index_page import render_index
from judul_lib.reports.pipeline import STAGES
from judul_lib.reports.rendering import render_report
from tests.conftest import PROJECT, open_page

NAMES = sorted(stage.notebook for stage in STAGES)
BUTTON_TITLES = set(figure_config()["locales"]["id"]["dictionary"].values())


@pytest.fixture
def open_report(browser, installation):
    """Yield a function that opens a report offline and returns page, console messages and requests."""

    contexts = []

    def open_(name, width=1200):
        page = open_page(browser, viewport={"width": width, "height": 900}, offline=True)
        contexts.append(page.context)
        messages, requests = [], []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((installation.reports / f"{name}.html").as_uri())
        page.wait_for_load_state("load")
        return page, messages, [url for url in requests if not url.startswith(("data:", "blob:"))]

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_without_requests_or_errors(open_report, name):
    page, messages, requests = open_report(name)
    stored = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
    figures = sum(
        "application/vnd.plotly.v1+json" in output.get("data", {})
        for cell in stored.cells for output in cell.get("outputs", [])
    )  # fmt: skip
    assert figures >= 1
    assert page.locator("figure.gambar").count() == figures
    for figure in page.locator("figure.gambar").all():
        assert figure.locator(".main-svg").count() >= 1
        assert figure.locator(".gtitle").text_content()
        assert figure.locator("path, .heatmaplayer image").count() > 5
        label = figure.locator("svg.main-svg[role=img]").get_attribute("aria-label")
        for axis in figure.locator("[class*=xtitle] text, [class*=ytitle] text").all():
            assert axis.text_content() in label
        buttons = {button.get_attribute("data-title") for button in figure.locator(".modebar-btn").all()}
        assert buttons
        assert buttons <= BUTTON_TITLES
    assert page.locator("img:not([alt])").count() == 0
    assert messages == []
    assert requests == [page.url]


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_a_report_fits_a_phone(open_report, name):
    page, messages, _ = open_report(name, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert messages == []


@pytest.mark.parametrize("name", ["06_evaluation", "13_real_archives", "14_structured_model"])
def test_a_report_on_one_question_is_not_long(open_report, name):
    page, _, _ = open_report(name, width=1280)
    assert page.evaluate("document.documentElement.scrollHeight") <= 9_000


def test_a_table_behind_its_sentence_unfolds_and_is_printed(open_report):
    page, _, _ = open_report("14_structured_model")
    part = page.locator("details").first
    assert not part.locator("table").is_visible()
    part.locator("summary").click()
    assert part.locator("table").is_visible()
    part.locator("summary").click()
    page.emulate_media(media="print")
    page.pdf(format="A4")
    assert all(table.is_visible() for table in page.locator("details table").all())


@pytest.mark.parametrize("name", NAMES)
def test_one_switch_shows_the_code(open_report, name):
    page, _, _ = open_report(name)
    code = page.locator(".input").first
    assert not code.is_visible()
    page.get_by_label("Tampilkan kode").check()
    assert code.is_visible()


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_comes_first_and_the_contents_links_work(open_report, name):
    page, _, _ = open_report(name)
    assert page.locator("html").get_attribute("lang") == "id"
    order = page.evaluate(
        "[...document.querySelectorAll('h1, .judul-ringkasan, nav, main > div h2')].map(e => e.tagName)"
    )
    assert order[0] == "H1"
    assert page.locator("nav li").count() >= 3
    summary_is_before_nav = page.evaluate(
        "document.querySelector('.judul-ringkasan').compareDocumentPosition("
        "document.querySelector('nav')) & Node.DOCUMENT_POSITION_FOLLOWING"
    )
    assert summary_is_before_nav
    for link in page.locator("nav a").all():
        anchor = link.get_attribute("href").removeprefix("#")
        assert page.locator(f'[id="{anchor}"]').count() == 1


def test_the_index_links_to_every_report(open_report):
    page, messages, requests = open_report("index")
    links = page.locator("ul.laporan a")
    assert sorted(link.get_attribute("href") for link in links.all()) == [f"{n}.html" for n in NAMES]
    assert (messages, requests) == ([], [page.url])
    links.first.click()
    assert page.url.endswith("13_real_archives.html")


def test_the_index_links_to_sections_that_exist(open_report):
    index, _, _ = open_report("index")
    links = [link.get_attribute("href") for link in index.locator(".cara-baca a").all()]
    sections = [link.split("#") for link in links if "#" in link]
    assert len(sections) >= 5
    for file, anchor in sections:
        page, _, _ = open_report(file.removesuffix(".html"))
        assert page.locator(f'h2[id="{anchor}"]').count() == 1, anchor


def test_a_report_prints_with_its_figures(open_report):
    page, _, _ = open_report("02_labeling")
    page.emulate_media(media="print")
    assert not page.locator("header").is_visible()
    assert page.locator("figure.gambar .main-svg").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_a_report_is_one_file_under_6_megabytes(installation, name):
    html = (installation.reports / f"{name}.html").read_bytes()
    assert len(html) < 6_000_000
    tags = re.findall(rb"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?([^\"'> ]+)", html)
    assert all(source.startswith(b"data:") for source in tags)


def notebook_with_figure(figure):
    output = nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": figure})
    heading = nbformat.v4.new_markdown_cell("# 01 · Judul")
    code = nbformat.v4.new_code_cell("plot", outputs=[output])
    return nbformat.v4.new_notebook(cells=[heading, code])


def test_a_figure_is_one_image_with_an_accessible_name():
    figure = {
        "data": [{"type": "bar", "y": [1], "name": "a"}],
        "layout": {"title": {"text": "Panjang &amp; isi"}, "xaxis": {"title": {"text": "kata"}}},
    }
    body = render_report(notebook_with_figure(figure)).rsplit("<main>")[-1]
    tag = re.search("<figure [^>]*>", body)[0]
    assert 'role="img"' in tag
    assert 'aria-label="Panjang &amp; isi. Sumbu mendatar: kata. Isi: a."' in tag
    assert '"showSendToCloud": false' in body


def test_a_heading_is_escaped_once():
    heading = nbformat.v4.new_markdown_cell("# 01 · Padi & kopi, `p < 0,05`")
    notebook = nbformat.v4.new_notebook(cells=[heading])
    title = "01 · Padi &amp; kopi, p &lt; 0,05"
    assert f"<title>{title}</title>" in render_report(notebook)
    assert f'<a href="01.html">{title}</a>' in render_index({"01.html": notebook}, "data.csv")


def test_a_title_cannot_inject_markup_or_script():
    hostile = "</script><script>document.title='x'</script><img src=x onerror=alert(1)>"
    figure = {"data": [{"type": "bar", "y": [hostile]}], "layout": {"title": {"text": hostile}}}
    notebook = notebook_with_figure(figure)
    body = render_report(notebook).rsplit("<main>")[-1]
    assert "<img" not in body
    assert "<script>document" not in body
    assert body.count("</script>") == 2  # Of the figure's data, and of the page itself.
    assert "<script>x" not in render_index({"01.html": notebook}, "<script>x</script>")
