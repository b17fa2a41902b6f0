"""Read the rows of a CSV or XLSX file of any program and locale."""

import codecs
import csv
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from judul_lib.core.errors import CorpusError

TITLE_COLUMN = "Judul"
SEPARATORS = ",;\t"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_NON_ASCII = bytes(range(128, 256))
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MAX_UNPACKED_BYTES = 500_000_000
_XLSX_ESCAPE = re.compile("_x00(09|0A|0D|5F)_", re.IGNORECASE)
# For these two, `zipfile` unpacks no more than the declared size.
_BOUNDED_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_LEADING_BLANK_LINES = 100
_MAX_COLUMNS = 1000
Row = TypeVar("Row")
Warn = Callable[[str], None]
"""Called with one Indonesian sentence on what was guessed or not read."""


def find_column(header: list[str], name: str, file_name: str) -> int:
    """Return the position of a column, ignoring case and blanks around its name.

    Raises
    ------
    CorpusError
        The column is missing or occurs twice.

    Examples
    --------
    >>> find_column(["No", " JUDUL "], "Judul", "a.csv")
    1
    """
    columns = [i for i, cell in enumerate(header) if cell.strip().casefold() == name.casefold()]
    if len(columns) == 1:
        return columns[0]
    if columns:
        raise CorpusError(f"Kolom '{name}' ada {len(columns)} kali di {file_name}. Sisakan satu saja.")
    existing = ", ".join(f"'{cell[:40]}'" for cell in header[:8])
    content = "judul" if name.startswith(TITLE_COLUMN.lower()) else name
    raise CorpusError(
        f"Kolom '{name}' tidak ada di {file_name} (yang ada: {existing}). "
        f"Beri nama '{name}' pada kolom yang berisi {content.lower()}."
    )


def unique_names(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Append numbers to names that repeat or are taken.

    Examples
    --------
    >>> unique_names(["x", "x", "rf_label"], ["rf_label"])
    ['x', 'x_2', 'rf_label_2']
    """
    used, result = set(taken), list[str]()
    for name in names:
        unique, n = name, 2
        while unique in used:
            unique, n = f"{name}_{n}", n + 1
        used.add(unique)
        result.append(unique)
    return result


def parse_table(
    content: bytes, file_name: str, *, max_rows: int | None = None, warn: Warn = lambda text: None
) -> tuple[list[str], list[tuple[list[str], bool]]]:
    r"""Split the bytes of a CSV or XLSX into its header and its records.

    In a CSV of one column, unquoted separators are part of the title. Of a
    workbook, the first sheet that is not empty is read, hidden ones last.

    Parameters
    ----------
    file_name : str
        For error messages.
    max_rows : int
        More records than this are an error.
    warn : callable
        See `Warn`: a guessed encoding, sheets not read, cells of several lines.

    Returns
    -------
    header : list of str
    records : list of (fields, fits)
        ``fits`` is False if the header has another number of fields.

    Raises
    ------
    CorpusError
        Empty, binary, too long, or not a table.

    Examples
    --------
    >>> parse_table(b"No;Judul\n1;Deteksi Hoaks\n", "a.csv")
    (['No', 'Judul'], [(['1', 'Deteksi Hoaks'], True)])
    """
    if content.startswith(_ZIP):
        lines, separator = _sheet_lines(content, file_name, max_rows, warn), ""
    else:
        lines, separator = _csv_lines(content, file_name, max_rows, warn)
    start = next((i for i, fields in enumerate(lines) if any(cell.strip() for cell in fields)), None)
    if start is None:
        raise CorpusError(f"{file_name} kosong. Isi dengan kolom '{TITLE_COLUMN}' dan judul-judulnya.")
    if max_rows is not None and len(lines) - start - 1 > max_rows:
        raise _too_many_rows(file_name, max_rows)
    header = [cell.strip() for cell in lines[start]]
    return header, [_fit_to_width(fields, len(header), separator) for fields in lines[start + 1 :]]


def _csv_lines(
    content: bytes, file_name: str, max_rows: int | None, warn: Warn
) -> tuple[list[list[str]], str]:
    text = _decode(content, file_name, warn)
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first_line.count)
    # The limit is global and other threads may be reading too, so it is never lowered.
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        rows = _limit_rows(reader, file_name, max_rows)
        lines = [_require_max_columns(line, file_name) for line in rows]
    except csv.Error as error:
        raise CorpusError(
            f"{file_name} tidak dapat dibaca sebagai CSV ({error}). "
            "Periksa tanda kutip yang tidak ditutup, lalu simpan ulang sebagai CSV."
        ) from error
    n_multiline = sum("\n" in cell or "\r" in cell for line in lines for cell in map(str.strip, line))
    if n_multiline:
        warn(
            f"Catatan: {n_multiline} sel di {file_name} berisi pergantian baris. Bila itu tidak "
            "disengaja, periksa tanda kutip: baris-baris itu terbaca sebagai satu."
        )
    return lines, separator


def _sheet_lines(content: bytes, file_name: str, max_rows: int | None, warn: Warn) -> list[list[str]]:
    from openpyxl import load_workbook

    unreadable = CorpusError(
        f"{file_name} tidak dapat dibaca sebagai XLSX. Buka di Excel atau LibreOffice, "
        "simpan ulang sebagai .xlsx atau 'CSV UTF-8', lalu ulangi."
    )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(part.compress_type not in _BOUNDED_COMPRESSION for part in archive.infolist()):
                raise unreadable
            if sum(part.file_size for part in archive.infolist()) > _MAX_UNPACKED_BYTES:
                raise CorpusError(
                    f"{file_name} terlalu besar setelah dibuka. Simpan hanya lembar yang berisi judul."
                )
        with warnings.catch_warnings(action="ignore"):  # openpyxl warns of features it cannot write.
            workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = iter(sorted(workbook.worksheets, key=lambda sheet: sheet.sheet_state != "visible"))
            for sheet in sheets:
                sheet.reset_dimensions()  # The declared size may be too large.
                rows = _limit_rows(sheet.iter_rows(values_only=True), file_name, max_rows)
                texts = (_strip_trailing_blanks(map(_cell_text, row)) for row in rows)
                lines = [_require_max_columns(line, file_name) for line in texts]
                if any(map(any, lines)):
                    others = [f"'{other.title}'" for other in sheets if _has_content(other)]
                    if others:
                        warn(
                            f"Catatan: dari {file_name} hanya lembar '{sheet.title}' yang dibaca; "
                            f"lembar {', '.join(others)} tidak."
                        )
                    return _pad_rows(lines)
    except CorpusError:
        raise
    # openpyxl has no base class for its errors: a damaged workbook raises any of these.
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, OSError, SyntaxError,
            IndexError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:  # fmt: skip
        raise unreadable from error
    return []


def _has_content(sheet: Any) -> bool:
    """Tell whether the first rows of a sheet contain text."""
    sheet.reset_dimensions()
    rows = islice(sheet.iter_rows(values_only=True), _MAX_LEADING_BLANK_LINES)
    return any(_cell_text(value).strip() for row in rows for value in row)


def _limit_rows(rows: Iterable[Row], file_name: str, max_rows: int | None) -> Iterator[Row]:
    """Yield the rows; fail at the first one too many, before the rest fills the memory."""
    for number, row in enumerate(rows):
        if max_rows is not None and number > max_rows + _MAX_LEADING_BLANK_LINES:
            raise _too_many_rows(file_name, max_rows)
        yield row


def _require_max_columns(line: list[str], file_name: str) -> list[str]:
    if len(line) > _MAX_COLUMNS and len(_strip_trailing_blanks(line)) > _MAX_COLUMNS:
        raise CorpusError(
            f"{file_name} berisi lebih dari {_MAX_COLUMNS} kolom. Sisakan kolom yang diperlukan saja."
        )
    return line


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _XLSX_ESCAPE.sub(lambda match: chr(int(match[1], 16)), str(value))


def _strip_trailing_blanks(cells: Iterable[str], min_width: int = 0) -> list[str]:
    row = list(cells)
    while len(row) > min_width and not row[-1].strip():
        row.pop()
    return row


def _pad_rows(lines: list[list[str]]) -> list[list[str]]:
    """Return the rows padded to one width, without empty rows at the end."""
    while lines and not lines[-1]:
        lines.pop()
    width = max(map(len, lines), default=0)
    return [row + [""] * (width - len(row)) for row in lines]


def _too_many_rows(file_name: str, max_rows: int) -> CorpusError:
    limit = f"{max_rows:,}".replace(",", ".")
    return CorpusError(
        f"{file_name} berisi lebih dari {limit} baris. "
        "Kurangi barisnya, atau minta pengelola menaikkan max_rows di judul.toml."
    )


def _fit_to_width(fields: list[str], width: int, separator: str) -> tuple[list[str], bool]:
    if not fields:  # A blank line.
        return [""] * width, True
    if width == 1 and len(fields) > 1:
        return [separator.join(fields)], True
    fields = _strip_trailing_blanks(fields, width)
    return fields, len(fields) == width


def _decode(content: bytes, file_name: str, warn: Warn) -> str:
    if content.startswith(_OLE):
        raise CorpusError(
            f"{file_name} berformat Excel lama (.xls) atau dikunci kata sandi. "
            "Buka di Excel, simpan sebagai .xlsx tanpa kata sandi, lalu ulangi."
        )
    encodings = [name for bom, name in _BOMS if content.startswith(bom)] or ["utf-8", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding != "utf-16" and _is_damaged_utf8(content):
                raise CorpusError(
                    f"{file_name} adalah teks UTF-8 yang rusak di bita {error.start + 1}. "
                    "Salin atau unduh lagi berkas itu, lalu ulangi."
                ) from error
            continue
        if "\0" in text:
            continue
        if encoding == "cp1252":
            warn(
                f"Catatan: {file_name} bukan UTF-8 dan dibaca sebagai Windows-1252. Bila huruf beraksen "
                "keliru, simpan sebagai 'CSV UTF-8'."
            )
        return text
    raise CorpusError(
        f"{file_name} bukan berkas teks CSV (mungkin PDF atau gambar). "
        "Simpan sebagai 'CSV UTF-8' dari Excel atau LibreOffice, lalu ulangi."
    )


def _is_damaged_utf8(content: bytes) -> bool:
    """Tell whether bytes that are not UTF-8 are damaged UTF-8, and not another encoding."""
    if b"\0" in content:
        return False
    rest, n_letters = _UTF8_MULTIBYTE.subn(b"", content)
    n_invalid = len(rest) - len(rest.translate(None, _NON_ASCII))
    is_truncated = re.search(rb"[\xc2-\xf4][\x80-\xbf]{0,2}\Z", rest) is not None
    return (
        n_letters > n_invalid or (n_letters > 0 and is_truncated) or content.startswith(codecs.BOM_UTF8)
    )
