"""The rows of a CSV or XLSX file, whatever program and country it comes from."""

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

from judul_lib.errors import CorpusError

TITLE_COLUMN = "Judul"
SEPARATORS = ",;\t"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MOST_UNPACKED = 500_000_000
_LEADING_LINES = 100  # Blank lines that may stand before the header.
_MOST_COLUMNS = 1000
Row = TypeVar("Row")


def find_column(header: list[str], name: str, file_name: str) -> int:
    """Return the position of a column, forgiving case and blanks around its name.

    Raises
    ------
    CorpusError
        The column is missing or stands there twice.

    Examples
    --------
    >>> find_column(["No", " JUDUL "], "Judul", "a.csv")
    1
    """
    wanted = name.casefold()
    found = [i for i, cell in enumerate(header) if cell.strip().casefold() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise CorpusError(f"Kolom '{name}' ada {len(found)} kali di {file_name}. Sisakan satu saja.")
    shown = ", ".join(repr(cell[:40]) for cell in header[:8])
    raise CorpusError(
        f"Kolom '{name}' tidak ada di {file_name} (yang ada: {shown}). "
        f"Beri nama '{name}' pada kolom yang berisi judul."
    )


def parse_table(
    content: bytes, file_name: str, *, max_rows: int | None = None
) -> tuple[list[str], list[tuple[list[str], bool]]]:
    r"""Split the bytes of a CSV or XLSX into its header and its records.

    A title with an unquoted comma in a CSV of one column is put together again.
    Of a workbook, the first sheet that is not empty counts.

    Parameters
    ----------
    file_name : str
        For error messages.
    max_rows : int
        More records than this are an error.

    Returns
    -------
    header : list of str
    records : list of (fields, fits)
        ``fits`` is False where the number of fields is not the header's.

    Raises
    ------
    CorpusError
        Empty, binary, too long, or not to be read as a table.

    Examples
    --------
    >>> parse_table(b"No;Judul\n1;Deteksi Hoaks\n", "a.csv")
    (['No', 'Judul'], [(['1', 'Deteksi Hoaks'], True)])
    """
    if content.startswith(_ZIP):
        lines, separator = _sheet_lines(content, file_name, max_rows), ""
    else:
        lines, separator = _csv_lines(content, file_name, max_rows)
    start = next((i for i, fields in enumerate(lines) if any(cell.strip() for cell in fields)), None)
    if start is None:
        raise CorpusError(f"{file_name} kosong. Isi dengan kolom '{TITLE_COLUMN}' dan judul-judulnya.")
    if max_rows is not None and len(lines) - start - 1 > max_rows:
        raise _too_long(file_name, max_rows)
    header = [cell.strip() for cell in lines[start]]
    return header, [_fit(fields, len(header), separator) for fields in lines[start + 1 :]]


def _csv_lines(content: bytes, file_name: str, max_rows: int | None) -> tuple[list[list[str]], str]:
    text = _decode(content, file_name)
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first_line.count)
    limit = csv.field_size_limit(max(len(text), 131_072))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [_no_wider(line, file_name) for line in _at_most(reader, file_name, max_rows)]
    except csv.Error as error:
        raise CorpusError(
            f"{file_name} tidak dapat dibaca sebagai CSV ({error}). "
            "Periksa tanda kutip yang tidak ditutup, lalu simpan ulang sebagai CSV."
        ) from error
    finally:
        csv.field_size_limit(limit)
    return lines, separator


def _sheet_lines(content: bytes, file_name: str, max_rows: int | None) -> list[list[str]]:
    from openpyxl import load_workbook

    broken = CorpusError(
        f"{file_name} tidak dapat dibaca sebagai XLSX. Buka di Excel atau LibreOffice, "
        "simpan ulang sebagai .xlsx atau 'CSV UTF-8', lalu ulangi."
    )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # What a small file would unpack to; `zipfile` reads no more than it declares.
            if sum(part.file_size for part in archive.infolist()) > _MOST_UNPACKED:
                raise CorpusError(
                    f"{file_name} terlalu besar setelah dibuka. Simpan hanya lembar yang berisi judul."
                )
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for sheet in workbook.worksheets:
            sheet.reset_dimensions()  # A sheet may claim to be larger than it is.
            rows = _at_most(sheet.iter_rows(values_only=True), file_name, max_rows)
            texts = (_without_end(_cell_text(value) for value in row) for row in rows)
            lines = [_no_wider(line, file_name) for line in texts]
            if any(map(any, lines)):
                return _rectangular(lines)
    except CorpusError:
        raise
    # openpyxl has no base for its errors: a damaged workbook shows as any of these.
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, OSError, SyntaxError,
            IndexError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:  # fmt: skip
        raise broken from error
    return []


def _at_most(rows: Iterable[Row], file_name: str, max_rows: int | None) -> Iterator[Row]:
    """Pass on rows, and stop at the first that is too many: what is not read fills no memory."""
    for number, row in enumerate(rows):
        if max_rows is not None and number > max_rows + _LEADING_LINES:
            raise _too_long(file_name, max_rows)
        yield row


def _no_wider(line: list[str], file_name: str) -> list[str]:
    if len(line) > _MOST_COLUMNS and len(_without_end(line)) > _MOST_COLUMNS:
        raise CorpusError(
            f"{file_name} berisi lebih dari {_MOST_COLUMNS} kolom. Sisakan kolom yang diperlukan saja."
        )
    return line


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _without_end(cells: Iterable[str]) -> list[str]:
    """Return a row without the blank cells at its end."""
    row = list(cells)
    while row and not row[-1].strip():
        row.pop()
    return row


def _rectangular(lines: list[list[str]]) -> list[list[str]]:
    """Return the rows with one width, without the blank rows at the end."""
    while lines and not lines[-1]:
        lines.pop()
    width = max(map(len, lines), default=0)
    return [row + [""] * (width - len(row)) for row in lines]


def _too_long(file_name: str, max_rows: int) -> CorpusError:
    most = f"{max_rows:,}".replace(",", ".")
    return CorpusError(
        f"{file_name} berisi lebih dari {most} baris. "
        "Kurangi barisnya, atau minta pengelola menaikkan max_rows di judul.toml."
    )


def _fit(fields: list[str], width: int, separator: str) -> tuple[list[str], bool]:
    if not fields:  # A blank line.
        return [""] * width, True
    if width == 1 and len(fields) > 1:
        return [separator.join(fields)], True
    end = len(fields)
    while end > width and not fields[end - 1].strip():
        end -= 1
    return fields[:end], end == width


def _decode(content: bytes, file_name: str) -> str:
    if content.startswith(_OLE):
        raise CorpusError(
            f"{file_name} berformat Excel lama (.xls) atau dikunci kata sandi. "
            "Buka di Excel, simpan sebagai .xlsx tanpa kata sandi, lalu ulangi."
        )
    encodings = [name for bom, name in _BOMS if content.startswith(bom)] or ["utf-8", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise CorpusError(
        f"{file_name} bukan berkas teks CSV (mungkin PDF atau gambar). "
        "Simpan sebagai 'CSV UTF-8' dari Excel atau LibreOffice, lalu ulangi."
    )
