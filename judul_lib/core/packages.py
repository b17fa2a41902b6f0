"""Refuse workbooks that would fill the memory: their reader reserves whatever the file asks for."""

import io
import re
import zipfile

import numpy as np
import numpy.typing as npt

from judul_lib.core.errors import CorpusError

_ERROR_CELL = re.compile(rb"<c\s[^>]*\bt=[\"']e[\"']")
_MAX_UNPACKED_BYTES = 500_000_000
_MAX_RATIO, _MIN_BYTES_FOR_RATIO = 200, 5_000_000
_MAX_AREA, _MAX_CELLS_PER_FILLED = 20_000_000, 50
# For these two, `zipfile` unpacks no more than the declared size.
_BOUNDED_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# The start of a plain cell or row, with its number, is not longer.
_LONGEST_START = 24
_CHUNK = 1 << 20
_TAG = re.compile(rb"<(?:[^\s<>/:]*:)?(c|row)(?=[\s/>])((?:[^>\"']|\"[^\"]*\"|'[^']*')*)")
_PREFIXED_TAG = re.compile(rb"<[^\s<>/:]*:(c|row)[\s/>]")
_PLACE = re.compile(rb"\sr\s*=\s*[\"']\s*([A-Za-z]*)(\d*)")
_ENDS_NAME = np.isin(np.arange(256), list(b" \t\r\n/>"))
_HAS_ONE_LETTER = np.isin(np.arange(256), list(b"vtf"))
_Places = npt.NDArray[np.intp]
_Numbers = npt.NDArray[np.int32]
_Bytes = npt.NDArray[np.uint8]


def too_large(file_name: str) -> CorpusError:
    """Return the error for a workbook that would fill the memory."""
    return CorpusError(
        f"{file_name} terlalu besar setelah dibuka. Simpan hanya lembar yang berisi judul."
    )


def check_package(content: bytes, file_name: str, unreadable: CorpusError) -> int:
    """Refuse an XLSX or ODS that is damaged, or larger than a file of titles can be.

    Parameters
    ----------
    content : bytes
    file_name : str
        For error messages.
    unreadable : CorpusError
        Raised for a package of another kind.

    Returns
    -------
    int
        Number of cells with an error: the reader gives them as blank ones.

    Raises
    ------
    CorpusError
        It would fill the memory, or is no workbook.
    zipfile.BadZipFile, zlib.error
        It is damaged.
    """
    n_errors = 0
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = package.infolist()
        names = {part.filename for part in parts}
        if "word/document.xml" in names:
            raise CorpusError(
                f"{file_name} adalah dokumen Word. "
                "Salin tabelnya ke Excel, simpan sebagai .xlsx, lalu ulangi."
            )
        is_bounded = all(part.compress_type in _BOUNDED_COMPRESSION for part in parts)
        if "xl/workbook.bin" in names or not is_bounded:
            raise unreadable
        if sum(part.file_size for part in parts) > _MAX_UNPACKED_BYTES:
            raise too_large(file_name)
        for part in parts:
            is_dense = part.file_size > _MIN_BYTES_FOR_RATIO
            if is_dense and part.file_size > _MAX_RATIO * max(part.compress_size, 1):
                raise too_large(file_name)
            # Also compares the checksum, and so the declared size.
            xml = package.read(part)
            if b"<!ENTITY" in xml:
                raise unreadable
            # A sheet may be called anything.
            if b"sheetData" in xml and _has_far_cells(xml):
                raise too_large(file_name)
            if part.filename == "content.xml" and _repeats_too_often(xml):
                raise too_large(file_name)
            # The search for a single sign is ten times as fast.
            if b't="e"' in xml or (b"'" in xml and b"t='e'" in xml):
                n_errors += len(_ERROR_CELL.findall(xml))
    return n_errors


def _has_far_cells(xml: bytes) -> bool:
    """Tell whether a sheet's rectangle is far larger than its cells are many."""
    n_rows, n_columns = _plain_extent(xml) or _extent(xml)
    area = n_rows * n_columns
    return area > _MAX_AREA and area > _MAX_CELLS_PER_FILLED * (xml.count(b"<v>") + xml.count(b"<t"))


def _repeats_too_often(xml: bytes) -> bool:
    """Tell whether cells with content are repeated to more than a sheet of titles can hold."""
    area = 0
    for row in re.finditer(rb"<table:table-row\b([^>]*)>(.*?)</table:table-row>", xml, re.DOTALL):
        rows = re.search(rb"number-rows-repeated=[\"'](\d{1,9})", row[1])
        width, filled = 0, False
        for cell in re.finditer(rb"<table:(?:covered-)?table-cell\b([^>]*?)(/?)>", row[2]):
            columns = re.search(rb"number-columns-repeated=[\"'](\d{1,9})", cell[1])
            has_content = not cell[2] or b"value" in cell[1]
            filled |= has_content
            width += int(columns[1]) if columns and has_content else 1
        area += (int(rows[1]) if rows else 1) * width if filled else 0
    return area > _MAX_AREA


def _extent(xml: bytes) -> tuple[int, int]:
    """Return how many rows and columns a sheet has at most, however its places are written."""
    last_row = last_column = n_unnamed_rows = n_unnamed = most_unnamed = 0
    for number, tag in enumerate(_TAG.finditer(xml)):
        if number > _MAX_AREA:  # Counting on would take minutes.
            return number, _MAX_CELLS_PER_FILLED * number
        places = _PLACE.findall(tag[2])
        if tag[1] == b"row":
            n_unnamed_rows, n_unnamed = n_unnamed_rows + (not places), 0
        elif not places:
            n_unnamed += 1
            most_unnamed = max(most_unnamed, n_unnamed)
        for letters, digits in places:
            last_row = max(last_row, int(digits or 0))
            last_column = max(last_column, _column_number(letters))
    return last_row + n_unnamed_rows, max(last_column + most_unnamed, 1)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _plain_extent(xml: bytes) -> tuple[int, int] | None:
    """Do the same for many cells at once; None unless each is written as Excel does, with its place."""
    text = np.frombuffer(xml, np.uint8)
    if _TAG.search(xml[-_LONGEST_START:]):
        return None
    n_rows = n_columns = 0
    for start in range(0, len(text) - _LONGEST_START, _CHUNK):
        end = min(start + _CHUNK, len(text) - _LONGEST_START)
        tags = np.flatnonzero(text[start:end] == ord("<")) + start
        places = _plain_places(xml, text, tags)
        if places is None:
            return None
        if any(len(numbers) and not numbers.min() for numbers in places):
            return None
        rows, cell_rows, columns = (int(numbers.max(initial=0)) for numbers in places)
        n_rows, n_columns = max(n_rows, rows, cell_rows), max(n_columns, columns)
    return n_rows, max(n_columns, 1)


def _plain_places(xml: bytes, text: _Bytes, tags: _Places) -> tuple[_Numbers, ...] | None:
    """Return the numbers of rows, and of the rows and columns of cells, that begin at tags."""
    first, second = text[1:][tags], text[2:][tags]
    is_short = _ENDS_NAME[second]
    is_cell = (first == ord("c")) & is_short
    is_row = (first == ord("r")) & (second == ord("o")) & _ENDS_NAME[text[4:][tags]]
    is_other = (first == ord("/")) | (_HAS_ONE_LETTER[first] & is_short)
    is_other |= (first == ord("i")) & (second == ord("s")) & _ENDS_NAME[text[3:][tags]]
    rest = tags[~(is_cell | is_row | is_other)].tolist()
    if any(_PREFIXED_TAG.match(xml, tag) for tag in rest):
        return None
    cells, rows = tags[is_cell], tags[is_row]
    if not (_all_begin(text, cells, b'<c r="') and _all_begin(text, rows, b'<row r="')):
        return None
    columns, ends = _read_numbers(text, cells + len(b'<c r="'), ord("A"), 26)
    cell_rows, cell_ends = _read_numbers(text, ends, ord("0"), 10)
    row_numbers, row_ends = _read_numbers(text, rows + len(b'<row r="'), ord("0"), 10)
    if not (_all_begin(text, cell_ends, b'"') and _all_begin(text, row_ends, b'"')):
        return None
    return row_numbers, cell_rows, columns


def _all_begin(text: _Bytes, places: _Places, start: bytes) -> bool:
    return all(bool((text[i:][places] == sign).all()) for i, sign in enumerate(start))


def _read_numbers(text: _Bytes, places: _Places, zero: int, base: int) -> tuple[_Numbers, _Places]:
    """Return the numbers that begin at places, digits or the letters of columns, and where they end."""
    numbers, least = np.zeros(len(places), np.int32), int(base == 26)
    for _ in range(3 if least else 8):
        digits = text[places] - np.uint8(zero)
        is_digit = digits < base
        if not is_digit.any():
            break
        numbers = np.where(is_digit, numbers * base + digits + least, numbers)
        places = places + is_digit
    return numbers, places
