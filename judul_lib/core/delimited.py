"""Split a text into rows of separated fields, row by row even where it is damaged."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from judul_lib.core.errors import CorpusError

SEPARATORS = ",;\t|"
BAD_QUOTES = "tanda kutip tidak berpasangan"
"""Why a row is set aside that has a quotation mark too many or too few."""
# Without a NUL inside, the start of one of these would be read as a column name.
_IMAGES = b"\x89PNG", b"\xff\xd8\xff", b"GIF8"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_NON_ASCII = bytes(range(128, 256))
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?[;,\t]*\s*$", re.IGNORECASE)
_MAX_LINES_PER_ROW = 200
_SAMPLE_LINES = 40
Warn = Callable[[str], None]
"""Called with one Indonesian sentence on what was guessed or not read."""


class Row(NamedTuple):
    """A row of a table.

    Attributes
    ----------
    cells : list of str
        Of a row with bad quotes, its whole line.
    fault : str
        Why it cannot be used, in Indonesian; empty if it can.
    """

    cells: list[str]
    fault: str = ""


def decode(content: bytes, file_name: str, warn: Warn) -> str:
    """Return the text of UTF-8, UTF-16 (with a byte-order mark) or Windows-1252.

    Raises
    ------
    CorpusError
        It is damaged UTF-8, or no text.
    """
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        n_bytes = len(content)
        content = content.rstrip(b"\0") if b"\n" in content else content
        if len(content) < n_bytes:
            warn(
                f"Catatan: {n_bytes - len(content)} bita kosong di akhir {file_name} dibuang; "
                "berkas itu mungkin tidak tersalin utuh. Periksa baris terakhirnya."
            )
    encodings = [name for bom, name in _BOMS if content.startswith(bom)] or ["utf-8", "cp1252"]
    if content.startswith(_IMAGES):
        encodings = []
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


def split_rows(text: str, score: Callable[[Sequence[str]], int]) -> tuple[Iterator[Row], str]:
    r"""Split a text into rows.

    A first line ``sep=;`` names the separator. A row whose quotation marks do
    not match is read with backslashes as escapes; if that fails too, its line
    is set aside and reading goes on in the next.

    Parameters
    ----------
    text : str
    score : callable
        How much a row looks like a header: the separator is the one with the best.

    Returns
    -------
    rows : iterator of Row
    separator : str

    Examples
    --------
    >>> rows, separator = split_rows('No;Judul\n1;"Hitung "Cepat" Suara"\n2;Padi\n', len)
    >>> [row.cells for row in rows], separator
    ([['No', 'Judul'], ['1;"Hitung "Cepat" Suara"'], ['2', 'Padi']], ';')
    """
    lines = list(io.StringIO(text, newline=""))
    named = _SEPARATOR_LINE.match(lines[0]) if lines else None
    if named:
        lines[0] = "\n" if lines[0].endswith(("\n", "\r")) else ""
    # The limit is global and other threads may be reading too, so it is never lowered.
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    separator = named[1] if named else _guess_separator(lines, score)
    return _rows(lines, separator), separator


def _guess_separator(lines: list[str], score: Callable[[Sequence[str]], int]) -> str:
    start = next((i for i, line in enumerate(lines) if line.strip()), 0)
    sample = lines[start : start + _SAMPLE_LINES]

    def quality(separator: str) -> tuple[int, int]:
        rows = [row.cells for row in _rows(sample, separator)]
        header = max(rows, key=score, default=[])
        n_fields = len(header) if score(header) else len(rows[0]) if rows else 0
        return score(header), n_fields

    return max(SEPARATORS, key=quality)


class _LineFeeder:
    """Give lines to a reader, and know where its row began; a row that does not end is cut off."""

    def __init__(self, lines: list[str], start: int) -> None:
        self.lines, self.row_start, self.position = lines, start, start

    def __iter__(self) -> "_LineFeeder":
        return self

    def __next__(self) -> str:
        if self.position >= min(len(self.lines), self.row_start + _MAX_LINES_PER_ROW):
            raise StopIteration
        self.position += 1
        return self.lines[self.position - 1]


def _rows(lines: list[str], separator: str) -> Iterator[Row]:
    start = 0
    while start < len(lines):
        feeder = _LineFeeder(lines, start)
        reader = csv.reader(feeder, delimiter=separator, strict=True)
        try:
            for cells in reader:
                yield Row(cells)
                feeder.row_start = feeder.position
            return
        except csv.Error:
            start = feeder.row_start
        feeder = _LineFeeder(lines, start)
        try:
            escaped = csv.reader(feeder, delimiter=separator, strict=True, escapechar="\\")
            yield Row(next(escaped))
            start = feeder.position
        except csv.Error:
            yield Row([lines[start].strip()], BAD_QUOTES)
            start += 1
