"""All reports as one file."""

import json
import re
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from plotly.offline import get_plotlyjs

from judul_lib.cli.book import book
from judul_lib.core.errors import PipelineError
from judul_lib.figures.tables import summary
from judul_lib.reports.book import print_as_pdf, read_run, render_book
from judul_lib.reports.pipeline import STAGES
from tests.conftest import PROJECT, judul, open_page

FIGURE = {"data": [{"type": "bar", "y": [1], "name": "a"}], "layout": {"title": {"text": "Panjang"}}}


def notebook_with(title):
    box = summary({"Judul dipakai": 3}, "Begitu.")
    cells = [
        new_markdown_cell(f"# {title}"),
        new_markdown_cell("## Isi\n\n[ke ringkasan](#Ringkasan)"),
        new_code_cell(
            "plot", outputs=[new_output("display_data", {"application/vnd.plotly.v1+json": FIGURE})]
        ),
        new_markdown_cell("## Ringkasan"),
        new_code_cell(
            "summary",
            outputs=[new_output("display_data", {"text/html": box.html})],
            metadata={"tags": ["ringkasan"]},
        ),
    ]
    return new_notebook(cells=cells)


@pytest.fixture(scope="module")
def page():
    notebooks = {
        "01_preprocessing": notebook_with("01 · Satu & dua"),
        "12_study": notebook_with("12 · Tiga"),
    }
    return render_book(notebooks, "<judul>.csv")


@pytest.fixture
def finished(tmp_path):
    """Return the outputs of a run that only wrote its executed notebooks."""
    outputs = tmp_path / "outputs"
    (outputs / "notebooks").mkdir(parents=True)
    (outputs / "dataset.json").write_text(json.dumps({"name": "judul.csv"}))
    for stage in STAGES:
        nbformat.write(notebook_with(stage.notebook), outputs / stage.executed)
    return outputs


def test_the_book_has_every_report_and_one_copy_of_plotly(page):
    assert page.count('<section class="bab"') == 2
    assert page.count('class="gambar"') == 2
    assert page.count(get_plotlyjs()[:200]) == 1
    assert "<title>Laporan kemiripan judul tugas akhir</title>" in page
    assert "01 · Satu &amp; dua</a></li>" in page
    assert "<code>&lt;judul&gt;.csv</code>" in page


def test_every_link_of_the_book_leads_into_it(page):
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    anchors = re.findall(r'<[^>]* id="([^"]+)"', markup)
    targets = re.findall(r'<a [^>]*href="([^"]*)"', markup)
    assert len(anchors) == len(set(anchors))
    assert len(targets) > 8
    assert {target.removeprefix("#") for target in targets} <= set(anchors)
    assert "12_study:Ringkasan" in anchors


def test_a_folder_without_a_run_is_refused(finished):
    (finished / STAGES[-1].executed).unlink()
    with pytest.raises(PipelineError, match="judul run"):
        read_run(finished)


def test_the_command_writes_the_book(finished):
    reports = finished.parent / "reports"
    result = judul("book", "--out", finished, "--reports", reports, "--no-pdf")
    assert result.returncode == 0, result.stderr
    assert re.search(r"buku\.html \(\d,\d MB\)", result.stdout)
    assert (reports / "buku.html").read_text(encoding="utf-8").count('class="bab"') == len(STAGES)
    assert not (reports / "buku.pdf").exists()


def test_without_chromium_the_command_says_so(finished, monkeypatch, capsys):
    monkeypatch.setattr("judul_lib.reports.book.shutil.which", lambda name: None)
    reports = finished.parent / "reports"
    book.main(["--out", str(finished), "--reports", str(reports)], standalone_mode=False)
    assert "Chromium tidak terpasang" in capsys.readouterr().err
    assert [path.name for path in reports.iterdir()] == ["buku.html"]


@pytest.mark.slow
def test_the_book_is_printed_as_pdf(page):
    chromium = shutil.which("chromium") or pytest.skip("no Chromium here: install Debian's package")
    assert print_as_pdf(page, chromium).startswith(b"%PDF")


def test_a_browser_that_fails_is_reported(page):
    with pytest.raises(PipelineError, match="cetak ke PDF"):
        print_as_pdf(page, shutil.which("false"))


def test_the_stored_reports_fit_a_phone_as_a_book_and_draw_every_figure(browser, tmp_path):
    notebooks = {
        s.notebook: nbformat.read(PROJECT / "notebooks" / f"{s.notebook}.ipynb", 4) for s in STAGES
    }
    file = tmp_path / "buku.html"
    file.write_text(render_book(notebooks, "judul.csv"), encoding="utf-8")
    assert file.stat().st_size < 10_000_000
    page = open_page(browser, viewport={"width": 390, "height": 900}, offline=True)
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(file.as_uri(), timeout=300_000)
    figures = page.locator("figure.gambar").count()
    assert figures > len(STAGES)
    assert page.locator("figure.gambar:has(.gtitle)").count() == figures
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert messages == []
    page.context.close()
