"""Damaged and unusual files as people and programs make them, and the expected result of reading each.

An entry of `NASTY` says how the bytes are made, and either the error message or the fate of each row.
Each can be built as a file of titles, of pairs or of answers.
"""

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart

# Fates of a row: words of the reason in `rejected.csv`.
KEPT, DOUBLE, BLANK, WORDLESS = "dipakai", "duplikat baris", "judul kosong", "tidak ada kata"
RAGGED, TOO_LONG, FAULTY = "jumlah kolom", "lebih dari", "galat rumus"
BAD_QUOTES = "tanda kutip"
LINE = "baris kosong"  # A corpus lists blank lines as rejected; other tables skip them.

GOOD = ("Deteksi Hoaks Politik", "Prediksi Harga Beras", "Ramalan Prediksi Harga Beras Naïve")
ASCII = (*GOOD[:2], "Ramalan Prediksi Harga Beras")  # Similar to the second.
TITLE_HEADER = ("Judul", "No")
PAIR_HEADER = ("judul_a", "judul_b", "label")
ANSWER_HEADER = (*PAIR_HEADER, "pelabel", "waktu")
Table = list[list[Any]]
Build = Callable[[Table], bytes]
Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True, repr=False)
class Nasty:
    """A file and the expected result of reading it.

    Attributes
    ----------
    build : callable
        Returns the bytes for a table: the header, then rows with the title in the first column.
    rows : sequence of (title, fate)
        Expected rows, in the order of the file; empty if the file is refused.
    refused, noted : str
        Words of the error message, or of a warning.
    cells : sequence
        Values of the title cells, if they differ from the titles that are read.
    first_row : int
        Number of the row below the header.
    titles_only : bool
        Whether only readers of titles know the header, and readers of other tables do not.
    """

    name: str
    build: Build
    rows: Rows = ()
    refused: str = ""
    noted: str = ""
    cells: Sequence[Any] | None = None
    suffix: str = ""
    first_row: int = 2
    titles_only: bool = False

    def content(self, header: Sequence[str] = TITLE_HEADER) -> bytes:
        """Return the bytes of the file with this header."""
        cells = self.cells
        if cells is None:
            cells = [title for title, _ in self.table] or ASCII
        rows = [[cell, *other_cells(number, header)] for number, cell in enumerate(cells)]
        return self.build([list(header), *rows])

    def numbered(self, *fates: str) -> dict[int, str]:
        """Return the titles with these fates by row number, as in the file."""
        return {
            row: title for row, (title, fate) in enumerate(self.rows, self.first_row) if fate in fates
        }

    @property
    def table(self) -> Rows:
        """The rows without blank lines."""
        return [(title, fate) for title, fate in self.rows if fate != LINE]


def other_cells(number: int, header: Sequence[str]) -> list[str]:
    """Return the cells beside the title of a row; each pair has a different second title."""
    if tuple(header) == TITLE_HEADER:
        return [str(number + 1)]
    other = f"Analisis Kualitas Air Sungai {chr(97 + number // 26 % 26)}{chr(97 + number % 26)}x"
    return [other, "mirip", "p1", "2026-01-02T03:04:05+00:00"][: len(header) - 1]


def kept(*titles: str) -> list[tuple[str, str]]:
    return [(title, KEPT) for title in titles]


def rejected(fate: str, *titles: str) -> list[tuple[str, str]]:
    """Return rows with this fate, followed by good titles."""
    return [(title, fate) for title in titles] + kept(*ASCII)


# CSV.


def csv_line(row: Sequence[Any], separator: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    stream = io.StringIO()
    # With this line ending the writer quotes a lone "\r" too, as spreadsheets do.
    csv.writer(stream, delimiter=separator, lineterminator="\r\n", quoting=quoting).writerow(row)
    return stream.getvalue().removesuffix("\r\n")


def csv_text(table: Table, *, line_end: str = "\n", **options: Any) -> str:
    return "".join(csv_line(row, **options) + line_end for row in table)


def csv_file(encoding: str = "utf-8", bom: bytes = b"", **options: Any) -> Build:
    return lambda table: bom + csv_text(table, **options).encode(encoding)


def csv_edited(*edits: tuple[str, str], encoding: str = "utf-8") -> Build:
    """Build a CSV in which the first occurrence of each old text is replaced."""

    def build(table: Table) -> bytes:
        text = csv_text(table)
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new, 1)
        return text.encode(encoding)

    return build


def csv_lines(change: Callable[[list[str]], list[str]]) -> Build:
    """Build a CSV with changed lines."""
    return lambda table: ("\n".join(change([csv_line(row) for row in table])) + "\n").encode()


def with_tail(build: Build, tail: bytes) -> Build:
    return lambda table: build(table) + tail


def raw(content: bytes) -> Build:
    return lambda table: content


def csv_header(change: Callable[[list[str]], list[str]], *added: str) -> Build:
    """Build a CSV with a changed header and additional cells on the left of each row."""

    def build(table: Table) -> bytes:
        return csv_text([change(table[0]), *([*added, *row] for row in table[1:])]).encode()

    return build


def mixed_line_ends(table: Table) -> bytes:
    line_ends = ("\r\n", "\r", "\n", "\r\n")
    return "".join(csv_line(row) + end for row, end in zip(table, line_ends, strict=True)).encode()


# Workbooks.


def one_sheet(table: Table) -> dict[str, Table]:
    return {"Sheet": table}


def workbook(
    layout: Callable[[Table], dict[str, Table]] = one_sheet,
    adjust: Callable[[Workbook], object] = lambda book: None,
) -> Build:
    """Build a workbook of named sheets, adjusted before it is saved."""

    def build(table: Table) -> bytes:
        book = Workbook()
        book.remove(book.active)
        for name, rows in layout(table).items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        adjust(book)
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()

    return build


def hide_first_sheet(book: Workbook) -> None:
    book["Sheet"].sheet_state = "hidden"
    book.active = 1


def hide_row(book: Workbook) -> None:
    book["Sheet"].row_dimensions[3].hidden = True
    book["Sheet"].auto_filter.ref = "A1:B4"


def add_chart(book: Workbook) -> None:
    book.create_chartsheet("grafik", 0).add_chart(BarChart())


def repacked(build: Build, change: Callable[[dict[str, str]], None]) -> Build:
    """Build a workbook with changed parts."""

    def rebuild(table: Table) -> bytes:
        with zipfile.ZipFile(io.BytesIO(build(table))) as old:
            parts = {name: old.read(name).decode() for name in old.namelist()}
        before = dict(parts)
        change(parts)
        assert parts != before
        return zipped(**{name: content.encode() for name, content in parts.items()})(table)

    return rebuild


def zipped(**members: bytes) -> Build:
    def build(table: Table) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return stream.getvalue()

    return build


_SHEET, _STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_STRINGS_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def sheet_xml(old: str, new: str) -> Build:
    """Build a workbook with one pattern replaced in its sheet."""

    def change(parts: dict[str, str]) -> None:
        parts[_SHEET] = re.sub(old, new, parts[_SHEET], count=1)

    return repacked(workbook(), change)


def shared_strings(change: Callable[[str], str]) -> Build:
    """Build a workbook whose texts are in the part of shared strings, which is changed."""

    def change_parts(parts: dict[str, str]) -> None:
        texts: list[str] = []

        def move_text(match: re.Match[str]) -> str:
            texts.append(f"<si>{match[1]}</si>")
            return f't="s"><v>{len(texts) - 1}</v></c>'

        parts[_SHEET] = re.sub('t="inlineStr"><is>(.*?)</is></c>', move_text, parts[_SHEET])
        assert texts
        parts[_STRINGS] = change(f"<sst {_MAIN}>{''.join(texts)}</sst>")
        override = f'<Override PartName="/{_STRINGS}" ContentType="{_STRINGS_TYPE}" /></Types>'
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace("</Types>", override)

    return repacked(workbook(), change_parts)


def first_title(new: str, doctype: str = "") -> Callable[[str], str]:
    """Return a function that replaces the first title in a part."""

    def change(part: str) -> str:
        assert ASCII[0] in part
        return doctype + part.replace(ASCII[0], new)

    return change


# Billion laughs: each entity is ten times as long as the one before.
_ENTITIES = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 9))
_LAUGHS = f'<!DOCTYPE sst [<!ENTITY l0 "ha">{_ENTITIES}]>'
_EXTERNAL = '<!DOCTYPE sst [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
_CONDITIONAL_FORMATS = (
    '<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}" '
    'xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"/></extLst></worksheet>'
)


def truncated(build: Build, share: float) -> Build:
    def truncate(table: Table) -> bytes:
        content = build(table)
        return content[: int(len(content) * share)]

    return truncate


def encrypted(table: Table) -> bytes:
    """Build a workbook whose members are flagged as encrypted."""
    content = bytearray(workbook()(table))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 4)
    return bytes(content)


def zip_bomb(table: Table) -> bytes:
    """Build a zip with a member that declares to unpack to gigabytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(_SHEET, b"0")
        archive.getinfo(_SHEET).file_size = 2_000_000_000
    return stream.getvalue()


def png(table: Table) -> bytes:
    chunk = b"IHDR" + bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + zlib.crc32(chunk).to_bytes(4, "big")


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
_PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\nstream\n\0\1\nendstream\n%%EOF\n"
_ODS = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<office/>"}
_NO_TABLE, _NO_XLSX = "bukan berkas teks CSV", "tidak dapat dibaca sebagai buku kerja"
_NO_COLUMN, _BROKEN = "tidak ada di", "pergantian baris"
_LAST_TWO = kept(*ASCII[1:])
_A2 = '<c r="A2" t="inlineStr">.*?</c>'
RESULT_COLUMNS = "judul_proc rf_label judul_ref baris alasan model simpulan rf_label".split()


ENCODINGS = (
    Nasty("utf-8", csv_file(), kept(*GOOD)),
    Nasty("utf-8 with a bom", csv_file("utf-8-sig"), kept(*GOOD)),
    Nasty("utf-16 little-endian", csv_file("utf-16-le", codecs.BOM_UTF16_LE), kept(*GOOD)),
    Nasty("utf-16 big-endian", csv_file("utf-16-be", codecs.BOM_UTF16_BE), kept(*GOOD)),
    Nasty("utf-16 without a bom", csv_file("utf-16-le"), refused=_NO_TABLE),
    Nasty("utf-16 cut within a character", with_tail(csv_file("utf-16"), b"x"), refused=_NO_TABLE),
    Nasty("utf-16 with a lone surrogate", with_tail(csv_file("utf-16"), b"\x3d\xd8,\0x\0"),
          refused=_NO_TABLE),
    Nasty("utf-32 little-endian", csv_file("utf-32-le", codecs.BOM_UTF32_LE), refused=_NO_TABLE),
    Nasty("utf-32 big-endian", csv_file("utf-32-be", codecs.BOM_UTF32_BE), refused=_NO_TABLE),
    Nasty("windows-1252", csv_file("cp1252"), [*kept(*GOOD), (GOOD[0].upper(), DOUBLE)], noted="1252"),
    Nasty("punctuation of windows-1252", csv_file("cp1252"), kept("“Deteksi” Hoaks – 5 €", *ASCII),
          noted="1252"),
    Nasty("mac roman", csv_file("mac-roman"), kept("Ramalan Prediksi Harga Beras Na•ve", *ASCII[:2]),
          cells=(GOOD[2], *ASCII[:2]), noted="1252"),
    Nasty("bytes of no known encoding", csv_edited(("Beras", "Beras \x81\xe9"), encoding="latin-1"),
          refused=_NO_TABLE),
    Nasty("utf-8 cut within a letter", with_tail(csv_file(), b"Padi Na\xc3"), refused="UTF-8",
          cells=GOOD),
    Nasty("utf-8 cut within a dash", with_tail(csv_file(), b"Padi \xe2\x80"), refused="UTF-8",
          cells=GOOD),
    Nasty("a damaged utf-8 character", with_tail(csv_file(), b"\xc3 Har\xc3ga,,"), refused="UTF-8",
          cells=("Naïve Bayes é", "Kafé", *GOOD)),
    Nasty("a bom and a damaged character", with_tail(csv_file("utf-8-sig"), b"Har\xc3ga"),
          refused="UTF-8"),
    Nasty("two boms", csv_file("utf-8-sig", codecs.BOM_UTF8), kept(*GOOD), titles_only=True),
    Nasty("shift-jis", csv_file("shift-jis"), rejected(WORDLESS, "˜_•¶‚Ì‘è–¼"), noted="1252",
          cells=("論文の題名", *ASCII)),
    Nasty("koi8", csv_file("koi8-r"), rejected(WORDLESS, "ðÒÏÇÎÏÚ"), noted="1252",
          cells=("Прогноз", *ASCII)),
)  # fmt: skip

SEPARATORS = (
    Nasty("semicolons", csv_file(separator=";"), kept("Beras, Gula, dan Jagung", *GOOD)),
    Nasty("tabs", csv_file(separator="\t"), kept("Beras, Gula; Jagung", *GOOD)),
    Nasty("pipes", csv_file(separator="|"), kept("Beras, Gula; Jagung", *GOOD)),
    Nasty("everything in quotes", csv_file(quoting=csv.QUOTE_ALL), kept(*GOOD)),
    Nasty("another separator in one row", csv_lines(lambda r: [*r[:2], r[2].replace(",", ";"), *r[3:]]),
          [(ASCII[0], KEPT), (f"{ASCII[1]};2", RAGGED), (ASCII[2], KEPT)], cells=ASCII),
    Nasty("trailing separators", csv_lines(lambda r: [f"{x},,," for x in r]), kept(*ASCII)),
    Nasty("trailing separators except in the header",
          csv_lines(lambda r: [r[0], *(f"{x},, ," for x in r[1:])]), kept(*ASCII)),
    Nasty("leading separators", csv_lines(lambda r: [f",{x}" for x in r]), kept(*ASCII)),
    Nasty("a sep= line", csv_lines(lambda r: ["sep=,", *r]), kept(*ASCII), first_row=3),
    Nasty("only separators", raw(b",,,\n,,,\n"), refused="kosong"),
    Nasty("one column with commas", raw(b"Judul\nBeras, Gula, dan Jagung\nDeteksi Hoaks; Politik\n"),
          kept("Beras, Gula, dan Jagung", "Deteksi Hoaks; Politik")),
)  # fmt: skip

QUOTES = (
    Nasty("an unclosed quote", csv_edited(("Deteksi", '"Deteksi')),
          [(f'"{ASCII[0]},1', BAD_QUOTES), *_LAST_TWO], cells=ASCII),
    Nasty("an unclosed quote in the last row", csv_edited(("Ramalan", '"Ramalan')),
          [*kept(*ASCII[:2]), (f'"{ASCII[2]},3', BAD_QUOTES)], cells=ASCII),
    Nasty("text after a closing quote", csv_edited(("Deteksi", '"Deteksi"')),
          [('"Deteksi" Hoaks Politik,1', BAD_QUOTES), *_LAST_TWO], cells=ASCII),
    Nasty("quotes in the middle", csv_edited(("Hoaks", '"Hoaks"')),
          kept('Deteksi "Hoaks" Politik', *ASCII[1:]), cells=ASCII),
    Nasty("doubled quotes", csv_file(), kept('"Deteksi" Hoaks ""', *GOOD)),
    Nasty("a stray quote in each of two rows",
          csv_edited(("Deteksi", '"Deteksi'), ("Prediksi H", 'Prediksi" H')),
          [(f'"{ASCII[0]},1', BAD_QUOTES), ('Prediksi" Harga Beras', KEPT), (ASCII[2], KEPT)],
          cells=ASCII),
    Nasty("quotes around the end of a row",
          raw(b'Judul,No\n"Deteksi Hoaks,1\nPrediksi Beras",2\nKlasifikasi Padi,3\n'),
          kept("Deteksi Hoaks,1\nPrediksi Beras", "Klasifikasi Padi"), noted=_BROKEN),
)  # fmt: skip

LINE_ENDS = (
    Nasty("line feeds in titles", csv_file(), kept("Deteksi\nHoaks", *GOOD), noted=_BROKEN),
    Nasty("carriage returns in titles", csv_file(), kept("Deteksi\rHoaks", *GOOD), noted=_BROKEN),
    Nasty("both line ends in titles", csv_file(), kept("Deteksi\r\nHoaks\n\nCepat", *GOOD),
          noted=_BROKEN),
    Nasty("windows line ends", csv_file(line_end="\r\n"), kept(*GOOD)),
    Nasty("old mac line ends", csv_file(line_end="\r"), kept(*GOOD)),
    Nasty("mixed line ends", mixed_line_ends, kept(*GOOD)),
    Nasty("no final line end", lambda table: csv_file()(table).rstrip(), kept(*GOOD)),
    Nasty("line ends in titles and blank lines", csv_lines(lambda r: [*r[:2], "", *r[2:], "", ""]),
          [("Deteksi\r\nHoaks", KEPT), ("", LINE), *_LAST_TWO, ("", LINE), ("", LINE)], noted=_BROKEN),
    Nasty("leading blank lines", csv_lines(lambda r: ["", "  ", *r]), kept(*ASCII), first_row=4),
    Nasty("lines with separators only", csv_lines(lambda r: [*r[:2], "," * r[0].count(","), *r[2:]]),
          [(ASCII[0], KEPT), ("", LINE), *_LAST_TWO]),
    Nasty("unicode line separators", csv_file(), kept("Deteksi\u2028Hoaks",
          "Prediksi\u2029Harga", "Ramalan\x85Gula", "Padi\x0bGogo", "Ubi\x0cJalar")),
)  # fmt: skip

IN_TITLES = (
    Nasty("a title of a million letters", csv_file(), rejected(TOO_LONG, "x" * 1_000_000)),
    Nasty("a title of 20,000 words", csv_file(), rejected(TOO_LONG, "kata " * 19_999 + "kata")),
    Nasty("a long title", csv_file(), kept("Deteksi Hoaks " * 99 + "Politik", *ASCII[1:])),
    Nasty("a zero byte", csv_edited(("Hoaks", "Ho\0aks")), refused=_NO_TABLE),
    Nasty("control characters", csv_file(), kept("Deteksi\x01\x08\x7f Hoaks\x9b", *GOOD)),
    Nasty("formulas and terminal escapes", csv_file(), kept("\x1b[2J\x1b]0;x\x07Deteksi Hoaks",
          '=HYPERLINK("http://x.test","Deteksi")', "+Prediksi Harga", "-Ramalan Gula",
          "@Klasifikasi Padi", "Beras;=Gula Pasir", "=cmd|' /C calc'!A0", *ASCII)),
    Nasty("markup", csv_file(), kept("<script>alert('Deteksi')</script>",
          "<img src=x onerror=alert(1)> Prediksi", "&lt;b&gt; Hoaks &amp;", "$\\alpha$ Beras <!--",
          "{{ Gula }} ${Jagung}", *ASCII)),
    Nasty("numbers", csv_file(), rejected(WORDLESS, "2024", "3.14", "1e5", "-0", "٣٤٥", "½", "007")),
    Nasty("dates", csv_file(),
          [("31 Januari 2024", KEPT), *rejected(WORDLESS, "2024-01-31", "31/01/2024")]),
    Nasty("words for missing values", csv_file(), [*kept("NaN", "None", "NULL", "NA", "undefined"),
          ("nan", DOUBLE), *rejected(WORDLESS, "N/A", "-")]),
    Nasty("spreadsheet errors", csv_file(), rejected(FAULTY, "#N/A", "#REF!", "#NAME?", "#VALUE!",
          "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!")),
    Nasty("emoji", csv_file(), [("🎓 Deteksi 👩‍💻 Hoaks", KEPT), *rejected(WORDLESS, "🎓📚")]),
    Nasty("direction marks", csv_file(), kept("\u202eDeteksi\u202c Hoaks \u200fBeras", *ASCII)),
    Nasty("zero-width characters", csv_file(), kept("De\u200bteksi\u200d Hoaks\ufeff Beras", *ASCII)),
    Nasty("decomposed accents", csv_file(),
          kept("Klasifikasi Nai\u0308ve Baye\u0301s", *ASCII)),
    Nasty("full-width letters", csv_file(), rejected(WORDLESS, "ＤＥＴＥＫＳＩ")),
    Nasty("other scripts", csv_file(),
          rejected(WORDLESS, "Прогноз цен", "論文の題名", "كشف الأخبار", "ᬅᬓ᭄ᬱᬭ")),
    Nasty("noncharacters", csv_file(),
          kept("Deteksi \ufffd\ufffe\U0010ffff Hoaks", *ASCII[1:])),
    Nasty("only blanks", csv_file(), rejected(BLANK, "   ", "\u00a0\u2003", " \t ")),
    Nasty("only zero-width characters", csv_file(), rejected(BLANK, "\u200b\u200b", "\ufeff")),
    Nasty("only punctuation and stop words", csv_file(),
          rejected(WORDLESS, "!!!", '""', "...", "a", "yang dan di")),
    Nasty("surrounding blanks", csv_file(), kept("  Deteksi  Hoaks \u00a0", *ASCII[1:])),
    Nasty("a title repeated many times", csv_file(),
          [(ASCII[0], KEPT), *[(ASCII[0].upper(), DOUBLE)] * 200, *_LAST_TWO]),
    Nasty("titles that differ only in punctuation", csv_file(),
          [*kept(*ASCII), ("deteksi-hoaks: (politik)", DOUBLE), ("Deteksi_Hoaks_Politik!", DOUBLE)]),
    Nasty("letters that case folding lengthens", csv_file(), kept("İstanbul Straße ﬁsika Ǆ", *ASCII)),
)  # fmt: skip

HEADERS = (
    Nasty("the column twice", csv_header(lambda h: [h[0], *h], "x"), refused="2 kali"),
    Nasty("another column twice", csv_header(lambda h: ["x", "x", "", "", *h], *"abcd"), kept(*ASCII)),
    Nasty("a column name in other case with blanks",
          csv_header(lambda h: [f" {h[0].upper()}\u00a0", *h[1:]]), kept(*ASCII)),
    Nasty("no header", lambda table: csv_file()(table[1:]), refused=_NO_COLUMN),
    Nasty("a longer column name", csv_header(lambda h: [f"{h[0]} Skripsi", *h[1:]]), kept(*ASCII),
          noted="Judul Skripsi", titles_only=True),
    Nasty("a zero-width character in a column name",
          csv_header(lambda h: [f"\u200b{h[0]}", *h[1:]]), kept(*ASCII), titles_only=True),
    Nasty("terminal escapes in a column name", csv_header(lambda h: ["\x1b[31mTitle", *h[1:]]),
          refused=_NO_COLUMN),
    Nasty("only a header", lambda table: csv_file()(table[:1])),
    Nasty("lines before the header", csv_lines(lambda r: ["Universitas", "", *r]), kept(*ASCII),
          first_row=4, noted="1 baris di atas", titles_only=True),
    Nasty("names of result columns", csv_header(lambda h: [*RESULT_COLUMNS, *h], *RESULT_COLUMNS),
          kept(*ASCII)),
    Nasty("a column name that is a formula", csv_header(lambda h: ["=1+1", *h], "x"), kept(*ASCII)),
    Nasty("an empty file", raw(b""), refused="kosong"),
    Nasty("only blank lines", raw(b"\n \n\r\n\t\n"), refused="kosong"),
    Nasty("only a bom", raw(codecs.BOM_UTF8), refused="kosong"),
    Nasty("only a bom of utf-16", raw(codecs.BOM_UTF16_LE), refused="kosong"),
    Nasty("a row too short", csv_lines(lambda r: [r[0], r[1].split(",")[0], *r[2:]]),
          [(ASCII[0], RAGGED), *_LAST_TWO], cells=ASCII),
    Nasty("a row too long", csv_lines(lambda r: [r[0], f"{r[1]},x,y", *r[2:]]),
          [(ASCII[0], RAGGED), *_LAST_TWO]),
    Nasty("many columns", csv_header(lambda h: [*map(str, range(300)), *h], *"x" * 300), kept(*ASCII)),
    Nasty("too many columns", csv_header(lambda h: [*map(str, range(1_001)), *h], *"x" * 1_001),
          refused="1000 kolom"),
)  # fmt: skip

_WORKBOOKS = (
    Nasty("workbook", workbook(), kept(*GOOD)),
    Nasty("workbook named csv", workbook(), kept(*GOOD), suffix=".csv"),
    Nasty("csv named workbook", csv_file(), kept(*GOOD)),
    Nasty("shared strings", shared_strings(first_title("Peramalan &amp; Hoaks")),
          kept("Peramalan & Hoaks", *ASCII[1:]), cells=ASCII),
    Nasty("a merged title line above the header",
          workbook(lambda t: {"Sheet": [["Daftar Judul Skripsi"], *t]},
          lambda b: b["Sheet"].merge_cells("A1:B1")), kept(*ASCII),
          first_row=3, noted="1 baris di atas", titles_only=True),
    Nasty("merged titles", workbook(adjust=lambda b: b["Sheet"].merge_cells("A2:A3")),
          [(ASCII[0], KEPT), (ASCII[0], DOUBLE), (ASCII[2], KEPT)], cells=ASCII),
    Nasty("an empty first sheet", workbook(lambda t: {"Sheet": [], "isi": t}), kept(*GOOD)),
    Nasty("several sheets", workbook(lambda t: {"Sheet": t, "Arsip 2024": t[:2], "kosong": []}),
          [*kept(*GOOD), (GOOD[0], "duplikat lembar 'Sheet' baris 2")], noted="dibaca bersama",
          cells=GOOD, titles_only=True),
    Nasty("a hidden first sheet",
          workbook(lambda t: {"Sheet": [["kode"], ["1"]], "isi": t}, hide_first_sheet), kept(*GOOD),
          noted="'Sheet' (tersembunyi)"),
    Nasty("hidden rows", workbook(adjust=hide_row), kept(*GOOD)),
    Nasty("blank rows", workbook(lambda t: {"Sheet": [*t[:2], [], *t[2:], [], []]}),
          [(ASCII[0], KEPT), ("", LINE), *_LAST_TWO]),
    Nasty("leading blank rows", workbook(lambda t: {"Sheet": [[], [], *t]}), kept(*GOOD), first_row=4),
    Nasty("formulas without results", workbook(), rejected(BLANK, ""), cells=('=UPPER("x")', *ASCII)),
    Nasty("formulas with results", sheet_xml(_A2, f'<c r="A2" t="str"><f>A9</f><v>{GOOD[0]}</v></c>'),
          kept(*ASCII), cells=("x", *ASCII[1:])),
    Nasty("cells with errors", workbook(), rejected(BLANK, "", ""), cells=("#REF!", "#N/A", *ASCII)),
    Nasty("a cell that is an error", sheet_xml(_A2, '<c r="A2" t="e"><v>#NUM!</v></c>'),
          [("", BLANK), *_LAST_TWO], cells=ASCII, noted="1 sel"),
    Nasty("cells of other types", workbook(), [("12", WORDLESS), ("1.5", WORDLESS),
          ("2024-01-31", WORDLESS), ("2024-01-31 10:00:00", WORDLESS), ("True", KEPT),
          ("", BLANK), ("", BLANK), *kept(*ASCII)],
          cells=(12.0, 1.5, date(2024, 1, 31), datetime(2024, 1, 31, 10), True, None, "#REF!", *ASCII)),
    Nasty("rich text", workbook(), kept(*ASCII),
          cells=(CellRichText("Deteksi ", TextBlock(InlineFont(b=True), "Hoaks"), " Politik"),
          *ASCII[1:])),
    Nasty("several lines in a cell", workbook(), kept("Deteksi\nHoaks", *ASCII[1:])),
    Nasty("conditional formats", sheet_xml("</worksheet>", _CONDITIONAL_FORMATS), kept(*GOOD)),
    Nasty("a workbook without titles", workbook(lambda t: {"Sheet": [["Nama", "Tahun"], ["Ani", 2024]]}),
          refused=_NO_COLUMN),
    Nasty("an empty workbook", workbook(lambda t: {"Sheet": []}), refused="kosong"),
    Nasty("a chart sheet first", workbook(adjust=add_chart), kept(*GOOD)),
    Nasty("only a chart sheet", workbook(lambda t: {}, add_chart), refused="kosong"),
    Nasty("a cell far to the right", workbook(adjust=lambda b: b["Sheet"].cell(2, 16_384, "x")),
          refused="1000 kolom"),
    Nasty("half a workbook", truncated(workbook(), 0.5), refused=_NO_XLSX),
    Nasty("the start of a workbook", truncated(workbook(), 0.01), refused=_NO_XLSX),
    Nasty("a declared size of a million rows",
          sheet_xml('dimension ref="[^"]*"', 'dimension ref="A1:XFD1048576"'), kept(*GOOD)),
    Nasty("an empty cell far below",
          sheet_xml("</sheetData>", '<row r="9999"><c r="A9999"/></row></sheetData>'), kept(*GOOD)),
    Nasty("a missing shared string", sheet_xml('t="inlineStr"><is>.*?</is>', 't="s"><v>999999</v>'),
          refused=_NO_XLSX),
    Nasty("billion laughs", shared_strings(first_title("&l8;", _LAUGHS)), refused=_NO_XLSX),
    Nasty("an external entity", shared_strings(first_title("&f;", _EXTERNAL)), refused=_NO_XLSX),
    Nasty("a workbook with a very long title", shared_strings(first_title("x" * 500_000)),
          [("x" * 500_000, TOO_LONG), *_LAST_TWO], cells=ASCII),
    Nasty("a workbook that unpacks to gigabytes", zip_bomb, refused="terlalu besar"),
    Nasty("a lone surrogate in a workbook", shared_strings(first_title("Deteksi &#xD800; Hoaks")),
          refused=_NO_XLSX),
    Nasty("escaped characters", shared_strings(first_title("Deteksi_x000D_ Hoaks_xD800_")),
          kept("Deteksi\r Hoaks_xD800_", *ASCII[1:]), cells=ASCII),
    Nasty("escaped line ends",
          shared_strings(first_title("Deteksi_x000D_\nHoaks_x000d_&#10;Politik_x0009_")),
          kept("Deteksi\r\nHoaks\r\nPolitik\t", *ASCII[1:]), cells=ASCII),
    Nasty("an escape that is escaped", workbook(), kept("Deteksi_x000D_ Hoaks", *ASCII[1:]),
          cells=("Deteksi_x005F_x000D_ Hoaks", *ASCII[1:])),
    Nasty("a zip that is no workbook", zipped(**{"foto.jpg": b"\xff\xd8\xff"}), refused=_NO_XLSX),
    Nasty("a zip with a password", encrypted, refused=_NO_XLSX),
    Nasty("an empty zip", raw(b"PK\5\6" + bytes(18)), refused=_NO_TABLE),
    Nasty("libreoffice", zipped(**_ODS), refused=_NO_XLSX, suffix=".ods"),
    Nasty("an old workbook", raw(_OLE), refused=_NO_XLSX, suffix=".xls"),
    Nasty("a workbook with a password", raw(_OLE + "EncryptedPackage".encode("utf-16-le")),
          refused="kata sandi"),
)  # fmt: skip

OTHERS = (
    Nasty("picture", png, refused=_NO_TABLE),
    Nasty("pdf", raw(_PDF), refused=_NO_TABLE),
    Nasty("gzip", lambda table: gzip.compress(csv_file()(table), mtime=0), refused=_NO_TABLE),
    Nasty("html", raw(b"<table><tr><td>Judul</td></tr></table>\n"), suffix=".xls"),
    Nasty("json", raw(b'[{"Judul": "Deteksi Hoaks"}]\n'), kept("Deteksi Hoaks")),
    Nasty("rtf", raw(b"{\\rtf1\\ansi Judul\\par Deteksi}"), refused="berbentuk RTF"),
)  # fmt: skip

NASTY: tuple[Nasty, ...] = (
    *ENCODINGS, *SEPARATORS, *QUOTES, *LINE_ENDS, *IN_TITLES, *HEADERS, *OTHERS,
    *(replace(nasty, suffix=nasty.suffix or ".xlsx") for nasty in _WORKBOOKS),
)  # fmt: skip
