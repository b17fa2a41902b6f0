"""Find out in which form a file of titles comes, and read its sheets or name the form."""

import re
from collections.abc import Iterable, Iterator

from judul_lib.core.columns import TITLE_COLUMN, header_score
from judul_lib.core.delimited import Row, Warn, decode, split_rows
from judul_lib.core.errors import CorpusError
from judul_lib.core.formatting import format_number
from judul_lib.core.workbooks import (
    OLE,
    ZIP,
    Sheet,
    read_html,
    read_json,
    read_spreadsheet_ml,
    read_workbook,
)

MAX_HEADER_ROW = 20
"""The header is looked for in so many rows."""
MIN_TITLE_WORDS, MIN_TITLE_SHARE = 4, 0.6
_MAX_COLUMNS = 1000
_MAX_LEADING_ROWS = 100
_FORMS = (
    (re.compile(r"\s*(%[^\n]*\n\s*)*@\w+\s*[{(]"), "BibTeX",
     "Di Zotero atau Mendeley, ekspor koleksi itu sebagai CSV"),
    (re.compile(r"\s*TY  ?-"), "RIS", "Di Zotero atau Mendeley, ekspor koleksi itu sebagai CSV"),
    (re.compile(r"\s*%0 \w"), "EndNote", "Ekspor koleksi itu sebagai CSV"),
    (re.compile(r"(?:.*\n){0,60}?\s*(INSERT (IGNORE )?INTO|CREATE TABLE|REPLACE INTO"
                r"|-- (MySQL|MariaDB|PostgreSQL|phpMyAdmin))\b", re.IGNORECASE),
     "cadangan SQL", "Di phpMyAdmin, buka tabelnya dan pilih Ekspor dengan format CSV"),
    (re.compile(r"%PDF-"), "PDF",
     "Minta berkas Excel atau CSV dari pembuatnya, atau salin tabelnya ke Excel"),
    (re.compile(r"\{\\rtf"), "RTF", "Salin tabelnya ke Excel dan simpan sebagai .xlsx"),
    (re.compile(r"\s*<\?xml|\s*<\w+[\s>]"), "XML",
     "Buka di Excel atau LibreOffice dan simpan sebagai .xlsx"),
)  # fmt: skip
_HTML = re.compile(
    r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<(!doctype html|html|head|meta|body|table|div|style)\b",
    re.IGNORECASE | re.DOTALL,
)
_SPREADSHEET_ML = b"urn:schemas-microsoft-com:office:spreadsheet"


def read_sheets(content: bytes, file_name: str, max_rows: int | None, warn: Warn) -> list[Sheet]:
    """Return the sheets of a file that have content, visible ones first.

    Parameters
    ----------
    content : bytes
    file_name : str
        For error messages.
    max_rows : int
        More rows of text than this are an error.
    warn : callable
        See `judul_lib.core.delimited.Warn`.

    Returns
    -------
    list of Sheet
        At least one.

    Raises
    ------
    CorpusError
        Empty, damaged, or of a form that is not read; its text says how to convert it.

    Examples
    --------
    >>> [sheet.rows[0].cells for sheet in read_sheets(b"No;Judul", "a.csv", None, print)]
    [['No', 'Judul']]
    """
    if content.startswith((ZIP, OLE)):
        sheets = list(read_workbook(content, file_name, warn))
    elif _SPREADSHEET_ML in content[:4000]:
        sheets = list(read_spreadsheet_ml(content, file_name))
    else:
        sheets = _read_text(decode(content, file_name, warn), file_name, max_rows, warn)
    for sheet in sheets:
        for row in sheet.rows[:MAX_HEADER_ROW]:
            if len(row.cells) > _MAX_COLUMNS and any(map(str.strip, row.cells[_MAX_COLUMNS:])):
                raise CorpusError(
                    f"{file_name} berisi lebih dari {_MAX_COLUMNS} kolom. "
                    "Sisakan kolom yang diperlukan saja."
                )
    sheets = [sheet for sheet in sheets if sheet.has_content]
    if not sheets:
        raise CorpusError(f"{file_name} kosong. Isi dengan kolom '{TITLE_COLUMN}' dan judul-judulnya.")
    return sheets


def _read_text(text: str, file_name: str, max_rows: int | None, warn: Warn) -> list[Sheet]:
    if _HTML.match(text):
        sheets = list(read_html(text))
        if sheets:
            return sheets
        raise CorpusError(
            f"{file_name} adalah halaman web tanpa tabel. "
            "Unduh lagi datanya sebagai Excel atau CSV, lalu ulangi."
        )
    if text.lstrip("\ufeff \t\r\n")[:1] in ("[", "{") and (json_sheets := read_json(text)) is not None:
        return json_sheets
    for pattern, form, advice in _FORMS:
        if pattern.match(text[:20_000]):
            raise CorpusError(f"{file_name} berbentuk {form}, yang tidak dibaca. {advice}, lalu ulangi.")
    if file_name.lower().endswith((".json", ".jsonl")):
        raise CorpusError(f"{file_name} bukan JSON yang utuh. Unduh lagi berkas itu, lalu ulangi.")
    rows, separator = split_rows(text, header_score)
    kept = list(_limit_rows(rows, file_name, max_rows))
    n_multiline = sum("\n" in cell or "\r" in cell for row in kept for cell in map(str.strip, row.cells))
    if n_multiline:
        warn(
            f"Catatan: {n_multiline} sel di {file_name} berisi pergantian baris. Bila itu tidak "
            "disengaja, periksa tanda kutip: baris-baris itu terbaca sebagai satu."
        )
    return [Sheet("", _rejoin_single_column(kept, separator), separator=separator)]


def _rejoin_single_column(rows: list[Row], separator: str) -> list[Row]:
    """Undo the splitting of a file whose only column holds titles with commas."""
    filled = [row.cells for row in rows if any(map(str.strip, row.cells))]
    has_header = any(header_score(cells) for cells in filled[:MAX_HEADER_ROW])
    is_ragged = len({len(cells) for cells in filled}) > 1
    if has_header or not is_ragged or len(filled) < 2:
        return rows
    joined = [separator.join(cells) for cells in filled]
    is_single = sum(map(looks_like_title, joined)) >= MIN_TITLE_SHARE * len(joined) and not any(
        cells[0].strip().isdecimal() for cells in filled[1:]
    )
    return [Row([separator.join(row.cells)], row.fault) for row in rows] if is_single else rows


def looks_like_title(text: str) -> bool:
    """Tell whether a text may be a title: four words or more, mostly letters.

    Examples
    --------
    >>> looks_like_title("Prediksi Harga Cabai di Brebes"), looks_like_title("Budi Santoso")
    (True, False)
    """
    words = text.split()
    return len(words) >= MIN_TITLE_WORDS and sum(map(str.isalpha, text)) > len(text) / 2


def _limit_rows(rows: Iterable[Row], file_name: str, max_rows: int | None) -> Iterator[Row]:
    """Yield the rows; fail at the first one too many, before the rest fills the memory."""
    for number, row in enumerate(rows):
        if max_rows is not None and number > max_rows + _MAX_LEADING_ROWS:
            raise too_many_rows(file_name, max_rows)
        yield row


def too_many_rows(file_name: str, max_rows: int) -> CorpusError:
    """Return the error for a file of too many rows."""
    return CorpusError(
        f"{file_name} berisi lebih dari {format_number(max_rows)} baris. "
        "Kurangi barisnya, atau minta pengelola menaikkan max_rows di judul.toml."
    )
