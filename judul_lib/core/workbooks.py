"""Read the sheets of a workbook (XLSX, XLS, ODS), of a saved web page, and of JSON."""

import gc
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from judul_lib.core.delimited import Row, Warn
from judul_lib.core.errors import CorpusError
from judul_lib.core.formatting import format_number
from judul_lib.core.packages import check_package, too_large

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MAX_XLS_SHEETS = 20
_XLS_SHEET = b"\x09\x08\x10\x00\x00\x06\x10\x00"
_SPREADSHEET_ML = "{urn:schemas-microsoft-com:office:spreadsheet}"


@dataclass
class Sheet:
    """A sheet; of a file without sheets, its one table, whose name is empty.

    Attributes
    ----------
    name : str
    rows : list of Row
        From the first row of the sheet on, empty ones at the end left out.
    is_visible : bool
    separator : str
        Of a text.
    """

    name: str
    rows: list[Row]
    is_visible: bool = True
    separator: str = ""

    @property
    def has_content(self) -> bool:
        """Whether a cell is not blank."""
        return any(cell.strip() for row in self.rows for cell in row.cells)


def read_workbook(content: bytes, file_name: str, warn: Warn = lambda text: None) -> Iterator[Sheet]:
    """Yield the sheets of an XLSX, ODS or XLS, visible ones first.

    Merged cells give their value to each of their rows. Those with an error, such as
    ``#N/A``, are blank; how many there are in an XLSX is said.

    Raises
    ------
    CorpusError
        Damaged, encrypted, or much larger than it seems.
    """
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

    unreadable = CorpusError(
        f"{file_name} tidak dapat dibaca sebagai buku kerja. Buka di Excel atau LibreOffice, "
        "simpan ulang sebagai .xlsx tanpa kata sandi atau 'CSV UTF-8', lalu ulangi."
    )
    try:
        if content.startswith(ZIP):
            if n_errors := check_package(content, file_name, unreadable):
                warn(
                    f"Catatan: {format_number(n_errors)} sel di {file_name} berisi galat rumus "
                    "(seperti #N/A) dan dianggap kosong."
                )
        elif content.count(_XLS_SHEET) > _MAX_XLS_SHEETS:
            raise too_large(file_name)
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = sorted(
            workbook.sheets_metadata, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible
        )
        for metadata in sheets:
            sheet = workbook.get_sheet_by_name(metadata.name)
            with _no_collection():
                lines = _read_lines(sheet)
                _fill_merged(lines, sheet.merged_cell_ranges or ())
                rows = list(map(Row, _without_margin(lines)))
            yield Sheet(metadata.name, rows, metadata.visible == SheetVisibleEnum.Visible)
    except PasswordError as error:
        raise CorpusError(
            f"{file_name} dikunci kata sandi. Buka di Excel, simpan tanpa kata sandi, lalu ulangi."
        ) from error
    except (CalamineError, zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError,
            NotImplementedError, RuntimeError, KeyError) as error:  # fmt: skip
        raise unreadable from error


def _cell_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read_lines(sheet: Any) -> list[list[str]]:
    lines = list(sheet.iter_rows())
    for line in lines:
        for column, value in enumerate(line):
            if type(value) is not str:  # Most cells are text already.
                line[column] = _cell_text(value)
    return lines


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the search for garbage: it would look at each of a million new rows again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _fill_merged(lines: list[list[str]], ranges: Any) -> None:
    for (top, column), (bottom, _) in ranges:
        if top >= len(lines) or not 0 <= column < len(lines[top]):
            continue
        for line in lines[top + 1 : bottom + 1]:
            if column < len(line) and not line[column]:
                line[column] = lines[top][column]


def _without_margin(lines: list[list[str]]) -> list[list[str]]:
    """Return the lines without empty rows at the end and empty columns on the right, of one width."""
    while lines and not any(map(str.strip, lines[-1])):
        lines.pop()
    width = max((len(line) for line in lines), default=0)
    while width and not any(line[width - 1].strip() for line in lines if len(line) >= width):
        width -= 1
    if all(len(line) == width for line in lines):
        return lines
    return [line[:width] + [""] * (width - len(line)) for line in lines]


class _TableParser(HTMLParser):
    """Collect the tables of a web page; a table within a cell is a table of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._open: list[tuple[list[list[str]], dict[int, tuple[int, str]]]] = []
        self._cells: list[tuple[list[str], int] | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._open.append(([], {}))
            self._cells.append(None)
            self.tables.append(self._open[-1][0])
        elif not self._open:
            return
        elif tag == "tr":
            self._end_cell()
            self._open[-1][0].append([])
        elif tag in ("td", "th"):
            self._end_cell()
            span = next((value for name, value in attrs if name == "rowspan"), None) or "1"
            self._cells[-1] = ([], int(span) if span.isdecimal() and len(span) < 5 else 1)
        elif tag == "br" and self._cells[-1] is not None:
            self._cells[-1][0].append("\n")

    def handle_endtag(self, tag: str) -> None:
        if not self._open:
            return
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag == "table":
            self._open.pop()
            self._cells.pop()

    def handle_data(self, data: str) -> None:
        if self._cells and self._cells[-1] is not None:
            self._cells[-1][0].append(data)

    def _end_cell(self) -> None:
        cell, self._cells[-1] = self._cells[-1], None
        if cell is None:
            return
        rows, spans = self._open[-1]
        if not rows:
            rows.append([])
        while (column := len(rows[-1])) in spans:
            left, text = spans.pop(column)
            rows[-1].append(text)
            if left > 1:
                spans[column] = (left - 1, text)
        text = " ".join("".join(cell[0]).split())
        if cell[1] > 1:
            spans[len(rows[-1])] = (cell[1] - 1, text)
        rows[-1].append(text)


def read_html(text: str) -> Iterator[Sheet]:
    """Yield the tables of a web page, in order.

    Examples
    --------
    >>> [sheet.rows[0].cells for sheet in read_html("<table><tr><th>No<th>Judul</table>")]
    [['No', 'Judul']]
    """
    parser = _TableParser()
    parser.feed(text)
    parser.close()
    for number, lines in enumerate(parser.tables, start=1):
        name = f"Tabel {number}" if len(parser.tables) > 1 else ""
        yield Sheet(name, [Row(line) for line in _without_margin(lines)])


def read_spreadsheet_ml(content: bytes, file_name: str) -> Iterator[Sheet]:
    """Yield the sheets of an Excel 2003 workbook in XML.

    Raises
    ------
    CorpusError
        It is damaged, or defines entities.
    """
    unreadable = CorpusError(
        f"{file_name} tidak dapat dibaca sebagai XML Excel. "
        "Buka di Excel, simpan sebagai .xlsx, lalu ulangi."
    )
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise unreadable
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - without entities it is harmless
    except ElementTree.ParseError as error:
        raise unreadable from error
    for sheet in root.iter(f"{_SPREADSHEET_ML}Worksheet"):
        lines: list[list[str]] = []
        merged: list[tuple[tuple[int, int], tuple[int, int]]] = []
        for row in sheet.iter(f"{_SPREADSHEET_ML}Row"):
            _skip(lines, row, [])
            lines.append([])
            for cell in row.iter(f"{_SPREADSHEET_ML}Cell"):
                _skip(lines[-1], cell, "")
                data = cell.find(f"{_SPREADSHEET_ML}Data")
                down = cell.get(f"{_SPREADSHEET_ML}MergeDown", "0")
                if down.isdecimal() and int(down):
                    at = len(lines) - 1, len(lines[-1])
                    merged.append((at, (at[0] + min(int(down), 10_000), at[1])))
                lines[-1].append("" if data is None else "".join(data.itertext()))
                across = cell.get(f"{_SPREADSHEET_ML}MergeAcross", "0")
                lines[-1].extend([""] * min(int(across) if across.isdecimal() else 0, 1000))
        lines = _without_margin(lines)
        _fill_merged(lines, merged)
        yield Sheet(sheet.get(f"{_SPREADSHEET_ML}Name", ""), [Row(line) for line in lines])


def _skip(items: list[Any], element: ElementTree.Element, blank: Any) -> None:
    """Fill up to the place that an element gives; places far off are ignored."""
    index = element.get(f"{_SPREADSHEET_ML}Index", "")
    if index.isdecimal() and len(items) < int(index) - 1 < len(items) + 1000:
        items.extend(type(blank)() for _ in range(int(index) - 1 - len(items)))


def read_json(text: str) -> list[Sheet] | None:
    """Return each list of objects, or of texts, as a sheet; None if the text is not JSON.

    Examples
    --------
    >>> (sheet,) = read_json('{"data": [{"judul": "Padi", "tahun": 2020}]}')
    >>> sheet.name, [row.cells for row in sheet.rows]
    ('data', [['judul', 'tahun'], ['Padi', '2020']])
    """
    try:
        value = json.loads(text)
    except RecursionError:
        return None
    except ValueError:
        try:  # One object on each line.
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            return None
    try:
        return list(_json_sheets(value, ""))
    except RecursionError:
        return None


def _json_sheets(value: Any, name: str) -> Iterator[Sheet]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _json_sheets(item, key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        objects = [item for item in value if isinstance(item, dict)]
        is_container = all(any(isinstance(v, list) for v in o.values()) or "type" in o for o in objects)
        nested = [sheet for o in objects for sheet in _json_sheets(o, name)] if is_container else []
        if any(sheet.has_content and len(sheet.rows[0].cells) > 1 for sheet in nested):
            yield from nested
            return
        header = list(dict.fromkeys(key for item in objects for key in item))
        rows = [Row([_json_text(item.get(key)) for key in header]) for item in objects]
        yield Sheet(name, [Row(header), *rows])
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        yield Sheet(name, [Row([item]) for item in value])


def _json_text(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_json_text, value))
    if isinstance(value, dict):
        return next((item for item in map(_json_text, value.values()) if item), "")
    return "" if value is None else _cell_text(value)
