"""``judul book``: all reports as one file."""

from pathlib import Path

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import command, option
from judul_lib.cli.shared import print_stderr
from judul_lib.core.formatting import format_number


@command("book")
@option("--out", type=Path, metavar="FOLDER", help="Folder artefak [bawaan: outputs].")
@option("--reports", type=Path, metavar="FOLDER", help="Folder laporan HTML [bawaan: reports].")
@option("--no-pdf", is_flag=True, help="Hanya HTML, tanpa PDF.")
def book(out: Path | None, reports: Path | None, no_pdf: bool) -> None:
    """Satukan semua laporan menjadi satu berkas.

    Ditulis ke reports/: buku.html, dan buku.pdf bila peramban Chromium terpasang.
    """
    from judul_lib.core.storage import write_bytes
    from judul_lib.reports.book import (
        HTML_FILE,
        PDF_FILE,
        find_browser,
        print_as_pdf,
        read_run,
        render_book,
    )

    project = shared.project_folder()
    folder = (reports or project / "reports").resolve()
    page = render_book(*read_run((out or project / "outputs").resolve()))

    def write(name: str, content: bytes) -> None:
        write_bytes(folder / name, content)
        click.echo(f"{folder / name} ({format_number(len(content) / 1e6, 1)} MB)")

    write(HTML_FILE, page.encode())
    if no_pdf:
        return
    browser = find_browser()
    if browser is None:
        print_stderr(
            f"{PDF_FILE} tidak dibuat: Chromium tidak terpasang. Buka {HTML_FILE}, cetak ke PDF."
        )
    else:
        write(PDF_FILE, print_as_pdf(page, browser))
