"""All reports as one file: HTML with a single copy of Plotly, and PDF where Chromium is installed."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from judul_lib.core.errors import PipelineError
from judul_lib.reports.index_page import INDEX_TITLE, render_list
from judul_lib.reports.pipeline import read_results
from judul_lib.reports.rendering import RenderedNotebook, render_notebook, render_page

HTML_FILE, PDF_FILE = "buku.html", "buku.pdf"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ANCHOR = re.compile(r'(?<= id=")(?=[^"])|(?<= href="#)(?=[^"])')
_MAX_SECONDS = 300


def render_book(notebooks: Mapping[str, Any], data_name: str) -> str:
    """Render the list of reports and all reports as one page.

    Parameters
    ----------
    notebooks : mapping of str to NotebookNode
        Name of the report, such as ``"12_study"``, to its executed notebook.
    data_name : str
        File name of the titles that the run used.

    Returns
    -------
    str
        HTML that needs no network; its figures share one copy of Plotly.
    """
    chapters = {name: render_notebook(notebook) for name, notebook in notebooks.items()}
    body = render_list(notebooks, _chapter_address)
    return render_page(
        title=INDEX_TITLE,
        lead=f'<h1 id="awal">{INDEX_TITLE}</h1><p>Dihitung dari <code>{escape(data_name)}</code>.</p>',
        body=body + "".join(_render_chapter(name, chapter) for name, chapter in chapters.items()),
        sections=[(name, escape(chapter.title)) for name, chapter in chapters.items()],
        home=("#awal", "Awal buku"),
        with_plotly=any(chapter.has_figures for chapter in chapters.values()),
    )


def read_run(outputs: Path) -> tuple[dict[str, Any], str]:
    """Read what the last run left; see `judul_lib.reports.pipeline.read_results`.

    Raises
    ------
    PipelineError
        There was no complete run.
    """
    try:
        return read_results(outputs)
    except FileNotFoundError as error:
        raise PipelineError(f"Belum ada hasil di {outputs}. Jalankan `judul run` dulu.") from error


def find_browser() -> str | None:
    """Return the path of a Chromium that can print, or None."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def print_as_pdf(page: str, browser: str) -> bytes:
    """Print a page on A4 without a network.

    Parameters
    ----------
    page : str
        HTML, which must need no other file.
    browser : str
        Path of a Chromium, as by `find_browser`.

    Raises
    ------
    PipelineError
        Chromium failed, or took longer than five minutes.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, HTML_FILE), Path(folder, PDF_FILE)
        source.write_text(page, encoding="utf-8")
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--no-pdf-header-footer", f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}", *_without_sandbox(), source.as_uri(),
        ]  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_MAX_SECONDS)  # noqa: S603
            return target.read_bytes()
        except (subprocess.SubprocessError, FileNotFoundError) as error:
            raise PipelineError(
                f"{browser} tidak dapat mencetak buku. Buka {HTML_FILE} di peramban, lalu cetak ke PDF."
            ) from error


def _without_sandbox() -> list[str]:
    """Return the option without which Chromium refuses to run as root; the page is our own."""
    return ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []


def _chapter_address(name: str, anchor: str) -> str:
    return f"#{name}:{anchor}" if anchor else f"#{name}"


def _render_chapter(name: str, chapter: RenderedNotebook) -> str:
    """Return a report as a section whose anchors start with the report's name."""
    html = _ANCHOR.sub(f"{name}:", chapter.lead + chapter.body)
    return f'<section class="bab" id="{name}">{html}</section>'
