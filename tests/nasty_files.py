"""Files as people and programs really make them, built in code, and what should become of each.

`NASTY` is the one table: how the bytes of a file are made, and either words of the sentence that refuses
it or every row with its fate. Each can be made as a file of titles, of pairs or of answers.
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

# The fate of a row: words of its reason in `rejected.csv`.
KEPT, DOUBLE, BLANK, WORDLESS = "dipakai", "duplikat baris", "judul kosong", "tidak ada kata"
RAGGED, ENDLESS, FAULTY = "jumlah kolom", "lebih dari", "galat rumus"
LINE = "baris kosong"  # Set aside by a corpus; for other tables it is no row at all.

GOOD = ("Deteksi Hoaks Politik", "Prediksi Harga Beras", "Ramalan Prediksi Harga Beras Naïve")
ASCII = (*GOOD[:2], "Ramalan Prediksi Harga Beras")  # Near the one before.
TITLES = ("Judul", "No")
PAIRS = ("judul_a", "judul_b", "label")
ANSWERS = (*PAIRS, "pelabel", "waktu")
Table = list[list[Any]]
Build = Callable[[Table], bytes]
Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True, repr=False)
class Nasty:
    """One file.

    Attributes
    ----------
    build : callable
        Takes a table, its header first and its titles in the first column, and gives the bytes.
    rows : sequence of (title, fate)
        What is to be read, in the order of the file; empty where the file is refused.
    refused, noted : str
        Words of the sentence that refuses the file, or of a note beside its rows.
    typed : sequence
        What goes into the title cells, where that is not what is read.
    """

    name: str
    build: Build
    rows: Rows = ()
    refused: str = ""
    noted: str = ""
    typed: Sequence[Any] | None = None
    suffix: str = ""

    def content(self, header: Sequence[str] = TITLES) -> bytes:
        """Return the bytes of the file with this header."""
        titles = self.typed
        if titles is None:
            titles = [title for title, _ in self.table] or ASCII
        rows = [[title, *other_cells(number, header)] for number, title in enumerate(titles)]
        return self.build([list(header), *rows])

    def numbered(self, *fates: str) -> dict[int, str]:
        """Return the titles with these fates by their row, the header being row 1."""
        return {row: title for row, (title, fate) in enumerate(self.rows, start=2) if fate in fates}

    @property
    def table(self) -> Rows:
        """The rows without blank lines, which only a corpus counts."""
        return [(title, fate) for title, fate in self.rows if fate != LINE]


def other_cells(number: int, header: Sequence[str]) -> list[str]:
    """Return what stands beside the title of a row; the other title of a pair is never the same."""
    if tuple(header) == TITLES:
        return [str(number + 1)]
    other = f"Analisis Kualitas Air Sungai {chr(97 + number // 26 % 26)}{chr(97 + number % 26)}x"
    return [other, "mirip", "p1", "2026-01-02T03:04:05+00:00"][: len(header) - 1]


def kept(*titles: str) -> list[tuple[str, str]]:
    return [(title, KEPT) for title in titles]


def rejected(fate: str, *titles: str) -> list[tuple[str, str]]:
    """Return rows that share a fate, and good titles after them."""
    return [(title, fate) for title in titles] + kept(*ASCII)


# CSV.


def csv_line(row: Sequence[Any], separator: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    stream = io.StringIO()
    # Where lines end in "\r\n" the writer quotes a lone "\r" too, as spreadsheets do.
    csv.writer(stream, delimiter=separator, lineterminator="\r\n", quoting=quoting).writerow(row)
    return stream.getvalue().removesuffix("\r\n")


def csv_text(table: Table, *, end: str = "\n", **options: Any) -> str:
    return "".join(csv_line(row, **options) + end for row in table)


def csv_file(encoding: str = "utf-8", mark: bytes = b"", **options: Any) -> Build:
    return lambda table: mark + csv_text(table, **options).encode(encoding)


def csv_edited(*edits: tuple[str, str], encoding: str = "utf-8") -> Build:
    """Make a CSV in which the first place of each text is replaced by another."""

    def build(table: Table) -> bytes:
        made = csv_text(table)
        for old, new in edits:
            assert old in made, old
            made = made.replace(old, new, 1)
        return made.encode(encoding)

    return build


def csv_lines(change: Callable[[list[str]], list[str]]) -> Build:
    """Make a CSV whose lines are changed."""
    return lambda table: ("\n".join(change([csv_line(row) for row in table])) + "\n").encode()


def with_tail(build: Build, end: bytes) -> Build:
    return lambda table: build(table) + end


def raw(content: bytes) -> Build:
    return lambda table: content


def csv_header(change: Callable[[list[str]], list[str]], *fill: str) -> Build:
    """Make a CSV with another header, the rows filled up on the left."""

    def build(table: Table) -> bytes:
        return csv_text([change(table[0]), *([*fill, *row] for row in table[1:])]).encode()

    return build


def mixed_ends(table: Table) -> bytes:
    ends = ("\r\n", "\r", "\n", "\r\n")
    return "".join(csv_line(row) + end for row, end in zip(table, ends, strict=True)).encode()


# Workbooks.


def one_sheet(table: Table) -> dict[str, Table]:
    return {"Sheet": table}


def workbook(
    layout: Callable[[Table], dict[str, Table]] = one_sheet,
    adjust: Callable[[Workbook], object] = lambda book: None,
) -> Build:
    """Make a workbook of named sheets, adjusted before it is saved."""

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
    """Make a workbook whose parts are changed."""

    def remade(table: Table) -> bytes:
        with zipfile.ZipFile(io.BytesIO(build(table))) as old:
            parts = {name: old.read(name).decode() for name in old.namelist()}
        before = dict(parts)
        change(parts)
        assert parts != before
        return zipped(**{name: content.encode() for name, content in parts.items()})(table)

    return remade


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
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def sheet_xml(old: str, new: str) -> Build:
    """Make a workbook in whose sheet one pattern is replaced."""

    def change(parts: dict[str, str]) -> None:
        parts[_SHEET] = re.sub(old, new, parts[_SHEET], count=1)

    return repacked(workbook(), change)


def shared_strings(change: Callable[[str], str]) -> Build:
    """Make a workbook whose texts stand in a part of their own, which is changed."""

    def move(parts: dict[str, str]) -> None:
        texts: list[str] = []

        def number(found: re.Match[str]) -> str:
            texts.append(f"<si>{found[1]}</si>")
            return f't="s"><v>{len(texts) - 1}</v></c>'

        parts[_SHEET] = re.sub('t="inlineStr"><is>(.*?)</is></c>', number, parts[_SHEET])
        assert texts
        parts[_STRINGS] = change(f"<sst {_MAIN}>{''.join(texts)}</sst>")
        kind = f'<Override PartName="/{_STRINGS}" ContentType="{_KIND}" /></Types>'
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace("</Types>", kind)

    return repacked(workbook(), move)


def first_title(new: str, declared: str = "") -> Callable[[str], str]:
    """Replace the first title in a part."""

    def change(part: str) -> str:
        assert ASCII[0] in part
        return declared + part.replace(ASCII[0], new)

    return change


# Each text is ten times the one before.
_GROWS = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 9))
_LAUGHS = f'<!DOCTYPE sst [<!ENTITY l0 "ha">{_GROWS}]>'
_ELSEWHERE = '<!DOCTYPE sst [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
_RULES = (
    '<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}" '
    'xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"/></extLst></worksheet>'
)


def first_part(build: Build, share: float) -> Build:
    return lambda table: build(table)[: int(len(build(table)) * share)]


def with_password(table: Table) -> bytes:
    """Set the bit that says that the members of a zip are encrypted."""
    content = bytearray(workbook()(table))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 4)
    return bytes(content)


def huge_when_unpacked(table: Table) -> bytes:
    """Declare a member that unpacks to more than may be unpacked."""
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
_NO_TABLE, _NO_XLSX = "bukan berkas teks CSV", "tidak dapat dibaca sebagai XLSX"
_NO_COLUMN, _QUOTE, _BROKEN = "tidak ada di", "tanda kutip", "pergantian baris"
_TWO = kept(*ASCII[1:])
_A2 = '<c r="A2" t="inlineStr">.*?</c>'
OURS = ["judul_proc", "rf_label", "judul_ref", "baris", "alasan", "model", "simpulan", "rf_label"]


ENCODINGS = (
    Nasty("utf-8", csv_file(), kept(*GOOD)),
    Nasty("utf-8 with a mark", csv_file("utf-8-sig"), kept(*GOOD)),
    Nasty("utf-16, little end first", csv_file("utf-16-le", codecs.BOM_UTF16_LE), kept(*GOOD)),
    Nasty("utf-16, big end first", csv_file("utf-16-be", codecs.BOM_UTF16_BE), kept(*GOOD)),
    Nasty("utf-16 without a mark", csv_file("utf-16-le"), refused=_NO_TABLE),
    Nasty("utf-16 cut within a letter", with_tail(csv_file("utf-16"), b"x"), refused=_NO_TABLE),
    Nasty("utf-16 with half a letter", with_tail(csv_file("utf-16"), b"\x3d\xd8,\0x\0"),
          refused=_NO_TABLE),
    Nasty("utf-32, little end first", csv_file("utf-32-le", codecs.BOM_UTF32_LE), refused=_NO_TABLE),
    Nasty("utf-32, big end first", csv_file("utf-32-be", codecs.BOM_UTF32_BE), refused=_NO_TABLE),
    Nasty("windows-1252", csv_file("cp1252"), [*kept(*GOOD), (GOOD[0].upper(), DOUBLE)], noted="1252"),
    Nasty("signs of windows-1252", csv_file("cp1252"), kept("“Deteksi” Hoaks – 5 €", *ASCII),
          noted="1252"),
    Nasty("mac roman", csv_file("mac-roman"), kept("Ramalan Prediksi Harga Beras Na•ve", *ASCII[:2]),
          typed=(GOOD[2], *ASCII[:2]), noted="1252"),
    Nasty("bytes of no encoding", csv_edited(("Beras", "Beras \x81\xe9"), encoding="latin-1"),
          refused=_NO_TABLE),
    Nasty("utf-8 cut within a letter", with_tail(csv_file(), b"Padi Na\xc3"), refused="UTF-8",
          typed=GOOD),
    Nasty("utf-8 cut within a sign", with_tail(csv_file(), b"Padi \xe2\x80"), refused="UTF-8",
          typed=GOOD),
    Nasty("a damaged letter of utf-8", with_tail(csv_file(), b"\xc3 Har\xc3ga,,"), refused="UTF-8",
          typed=("Naïve Bayes é", "Kafé", *GOOD)),
    Nasty("a mark before a damaged letter", with_tail(csv_file("utf-8-sig"), b"Har\xc3ga"),
          refused="UTF-8"),
    Nasty("two marks", csv_file("utf-8-sig", codecs.BOM_UTF8), refused=_NO_COLUMN),
    Nasty("shift-jis", csv_file("shift-jis"), rejected(WORDLESS, "˜_•¶‚Ì‘è–¼"), noted="1252",
          typed=("論文の題名", *ASCII)),
    Nasty("koi8", csv_file("koi8-r"), rejected(WORDLESS, "ðÒÏÇÎÏÚ"), noted="1252",
          typed=("Прогноз", *ASCII)),
)  # fmt: skip

SEPARATORS = (
    Nasty("semicolons", csv_file(separator=";"), kept("Beras, Gula, dan Jagung", *GOOD)),
    Nasty("tabs", csv_file(separator="\t"), kept("Beras, Gula; Jagung", *GOOD)),
    Nasty("pipes", csv_file(separator="|"), refused=_NO_COLUMN),
    Nasty("everything in quotes", csv_file(quoting=csv.QUOTE_ALL), kept(*GOOD)),
    Nasty("another separator in one row", csv_lines(lambda r: [*r[:2], r[2].replace(",", ";"), *r[3:]]),
          [(ASCII[0], KEPT), (f"{ASCII[1]};2", RAGGED), (ASCII[2], KEPT)], typed=ASCII),
    Nasty("separators at the end of lines", csv_lines(lambda r: [f"{x},,," for x in r]), kept(*ASCII)),
    Nasty("separators at the end of rows", csv_lines(lambda r: [r[0], *(f"{x},, ," for x in r[1:])]),
          kept(*ASCII)),
    Nasty("separators in front", csv_lines(lambda r: [f",{x}" for x in r]), kept(*ASCII)),
    Nasty("a line that names the separator", csv_lines(lambda r: ["sep=,", *r]), refused=_NO_COLUMN),
    Nasty("only separators", raw(b",,,\n,,,\n"), refused="kosong"),
    Nasty("one column with commas", raw(b"Judul\nBeras, Gula, dan Jagung\nDeteksi Hoaks; Politik\n"),
          kept("Beras, Gula, dan Jagung", "Deteksi Hoaks; Politik")),
)  # fmt: skip

QUOTES = (
    Nasty("a quote that is never closed", csv_edited(("Deteksi", '"Deteksi')), refused=_QUOTE),
    Nasty("the last quote not closed", csv_edited(("Ramalan", '"Ramalan')), refused=_QUOTE),
    Nasty("text after a closing quote", csv_edited(("Deteksi", '"Deteksi"')), refused=_QUOTE),
    Nasty("quotes in the middle", csv_edited(("Hoaks", '"Hoaks"')),
          kept('Deteksi "Hoaks" Politik', *ASCII[1:]), typed=ASCII),
    Nasty("doubled quotes", csv_file(), kept('"Deteksi" Hoaks ""', *GOOD)),
    Nasty("a quote in each of two rows",
          csv_edited(("Deteksi", '"Deteksi'), ("Prediksi H", 'Prediksi" H')), refused=_QUOTE),
    Nasty("quotes that swallow the end of a row",
          raw(b'Judul,No\n"Deteksi Hoaks,1\nPrediksi Beras",2\nKlasifikasi Padi,3\n'),
          kept("Deteksi Hoaks,1\nPrediksi Beras", "Klasifikasi Padi"), noted=_BROKEN),
)  # fmt: skip

ENDS_OF_LINES = (
    Nasty("line feeds in titles", csv_file(), kept("Deteksi\nHoaks", *GOOD), noted=_BROKEN),
    Nasty("carriage returns in titles", csv_file(), kept("Deteksi\rHoaks", *GOOD), noted=_BROKEN),
    Nasty("both in titles", csv_file(), kept("Deteksi\r\nHoaks\n\nCepat", *GOOD), noted=_BROKEN),
    Nasty("lines of windows", csv_file(end="\r\n"), kept(*GOOD)),
    Nasty("lines of an old mac", csv_file(end="\r"), kept(*GOOD)),
    Nasty("mixed ends of lines", mixed_ends, kept(*GOOD)),
    Nasty("no end of the last line", lambda table: csv_file()(table).rstrip(), kept(*GOOD)),
    Nasty("line ends in titles and blank lines", csv_lines(lambda r: [*r[:2], "", *r[2:], "", ""]),
          [("Deteksi\r\nHoaks", KEPT), ("", LINE), *_TWO, ("", LINE), ("", LINE)], noted=_BROKEN),
    Nasty("blank lines in front", csv_lines(lambda r: ["", "  ", *r]), kept(*ASCII)),
    Nasty("lines of separators", csv_lines(lambda r: [*r[:2], "," * r[0].count(","), *r[2:]]),
          [(ASCII[0], KEPT), ("", LINE), *_TWO]),
    Nasty("other ends of lines that unicode knows", csv_file(), kept("Deteksi\u2028Hoaks",
          "Prediksi\u2029Harga", "Ramalan\x85Gula", "Padi\x0bGogo", "Ubi\x0cJalar")),
)  # fmt: skip

IN_TITLES = (
    Nasty("a title of a million letters", csv_file(), rejected(ENDLESS, "x" * 1_000_000)),
    Nasty("a title of many words", csv_file(), rejected(ENDLESS, "kata " * 19_999 + "kata")),
    Nasty("a long title", csv_file(), kept("Deteksi Hoaks " * 99 + "Politik", *ASCII[1:])),
    Nasty("a zero byte", csv_edited(("Hoaks", "Ho\0aks")), refused=_NO_TABLE),
    Nasty("control characters", csv_file(), kept("Deteksi\x01\x08\x7f Hoaks\x9b", *GOOD)),
    Nasty("formulas and escapes of a terminal", csv_file(), kept("\x1b[2J\x1b]0;x\x07Deteksi Hoaks",
          '=HYPERLINK("http://x.test","Deteksi")', "+Prediksi Harga", "-Ramalan Gula",
          "@Klasifikasi Padi", "Beras;=Gula Pasir", "=cmd|' /C calc'!A0", *ASCII)),
    Nasty("markup", csv_file(), kept("<script>alert('Deteksi')</script>",
          "<img src=x onerror=alert(1)> Prediksi", "&lt;b&gt; Hoaks &amp;", "$\\alpha$ Beras <!--",
          "{{ Gula }} ${Jagung}", *ASCII)),
    Nasty("numbers", csv_file(), rejected(WORDLESS, "2024", "3.14", "1e5", "-0", "٣٤٥", "½", "007")),
    Nasty("dates", csv_file(),
          [("31 Januari 2024", KEPT), *rejected(WORDLESS, "2024-01-31", "31/01/2024")]),
    Nasty("words for nothing", csv_file(), [*kept("NaN", "None", "NULL", "NA", "undefined"),
          ("nan", DOUBLE), *rejected(WORDLESS, "N/A", "-")]),
    Nasty("errors of a spreadsheet", csv_file(), rejected(FAULTY, "#N/A", "#REF!", "#NAME?", "#VALUE!",
          "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!")),
    Nasty("emoji", csv_file(), [("🎓 Deteksi 👩‍💻 Hoaks", KEPT), *rejected(WORDLESS, "🎓📚")]),
    Nasty("marks of direction", csv_file(), kept("\u202eDeteksi\u202c Hoaks \u200fBeras", *ASCII)),
    Nasty("letters of no width", csv_file(), kept("De\u200bteksi\u200d Hoaks\ufeff Beras", *ASCII)),
    Nasty("letters with their marks apart", csv_file(),
          kept("Klasifikasi Nai\u0308ve Baye\u0301s", *ASCII)),
    Nasty("letters of full width", csv_file(), rejected(WORDLESS, "ＤＥＴＥＫＳＩ")),
    Nasty("other scripts", csv_file(),
          rejected(WORDLESS, "Прогноз цен", "論文の題名", "كشف الأخبار", "ᬅᬓ᭄ᬱᬭ")),
    Nasty("letters of no character", csv_file(),
          kept("Deteksi \ufffd\ufffe\U0010ffff Hoaks", *ASCII[1:])),
    Nasty("only blanks", csv_file(), rejected(BLANK, "   ", "\u00a0\u2003", " \t ")),
    Nasty("only letters of no width", csv_file(), rejected(WORDLESS, "\u200b\u200b", "\ufeff")),
    Nasty("only signs", csv_file(), rejected(WORDLESS, "!!!", '""', "...", "a", "yang dan di")),
    Nasty("blanks around", csv_file(), kept("  Deteksi  Hoaks \u00a0", *ASCII[1:])),
    Nasty("one title many times", csv_file(),
          [(ASCII[0], KEPT), *[(ASCII[0].upper(), DOUBLE)] * 200, *_TWO]),
    Nasty("titles that differ in signs only", csv_file(),
          [*kept(*ASCII), ("deteksi-hoaks: (politik)", DOUBLE), ("Deteksi_Hoaks_Politik!", DOUBLE)]),
    Nasty("letters that grow with their case", csv_file(), kept("İstanbul Straße ﬁsika Ǆ", *ASCII)),
)  # fmt: skip

HEADERS = (
    Nasty("the column twice", csv_header(lambda h: [h[0], *h], "x"), refused="2 kali"),
    Nasty("another column twice", csv_header(lambda h: ["x", "x", "", "", *h], *"abcd"), kept(*ASCII)),
    Nasty("blanks and case", csv_header(lambda h: [f" {h[0].upper()}\u00a0", *h[1:]]), kept(*ASCII)),
    Nasty("no header", lambda table: csv_file()(table[1:]), refused=_NO_COLUMN),
    Nasty("a longer name", csv_header(lambda h: [f"{h[0]} Skripsi", *h[1:]]), refused=_NO_COLUMN),
    Nasty("a letter of no width in a name", csv_header(lambda h: [f"\u200b{h[0]}", *h[1:]]),
          refused=_NO_COLUMN),
    Nasty("escapes in a name", csv_header(lambda h: ["\x1b[31mTitle", *h[1:]]), refused=_NO_COLUMN),
    Nasty("only a header", lambda table: csv_file()(table[:1])),
    Nasty("lines before the header", csv_lines(lambda r: ["Universitas", "", *r]), refused=_NO_COLUMN),
    Nasty("names of our own columns", csv_header(lambda h: [*OURS, *h], *OURS), kept(*ASCII)),
    Nasty("a name that is a formula", csv_header(lambda h: ["=1+1", *h], "x"), kept(*ASCII)),
    Nasty("nothing at all", raw(b""), refused="kosong"),
    Nasty("only blank lines", raw(b"\n \n\r\n\t\n"), refused="kosong"),
    Nasty("only a mark", raw(codecs.BOM_UTF8), refused="kosong"),
    Nasty("only a mark of utf-16", raw(codecs.BOM_UTF16_LE), refused="kosong"),
    Nasty("a row too short", csv_lines(lambda r: [r[0], r[1].split(",")[0], *r[2:]]),
          [(ASCII[0], RAGGED), *_TWO], typed=ASCII),
    Nasty("a row too long", csv_lines(lambda r: [r[0], f"{r[1]},x,y", *r[2:]]),
          [(ASCII[0], RAGGED), *_TWO]),
    Nasty("many columns", csv_header(lambda h: [*map(str, range(300)), *h], *"x" * 300), kept(*ASCII)),
    Nasty("too many columns", csv_header(lambda h: [*map(str, range(1_001)), *h], *"x" * 1_001),
          refused="1000 kolom"),
)  # fmt: skip

_WORKBOOKS = (
    Nasty("workbook", workbook(), kept(*GOOD)),
    Nasty("workbook named csv", workbook(), kept(*GOOD), suffix=".csv"),
    Nasty("csv named workbook", csv_file(), kept(*GOOD)),
    Nasty("texts in a part of their own", shared_strings(first_title("Peramalan &amp; Hoaks")),
          kept("Peramalan & Hoaks", *ASCII[1:]), typed=ASCII),
    Nasty("a merged line above", workbook(lambda t: {"Sheet": [["Daftar Judul Skripsi"], *t]},
          lambda b: b["Sheet"].merge_cells("A1:B1")), refused=_NO_COLUMN),
    Nasty("merged titles", workbook(adjust=lambda b: b["Sheet"].merge_cells("A2:A3")),
          [(ASCII[0], KEPT), ("", BLANK), (ASCII[2], KEPT)], typed=ASCII),
    Nasty("an empty first sheet", workbook(lambda t: {"Sheet": [], "isi": t}), kept(*GOOD)),
    Nasty("several sheets", workbook(lambda t: {"Sheet": t, "Arsip 2024": t[:2], "kosong": []}),
          kept(*GOOD), noted="'Arsip 2024' tidak"),
    Nasty("a hidden first sheet",
          workbook(lambda t: {"Sheet": [["kode"], ["1"]], "isi": t}, hide_first_sheet), kept(*GOOD),
          noted="'Sheet' tidak"),
    Nasty("hidden rows", workbook(adjust=hide_row), kept(*GOOD)),
    Nasty("blank rows", workbook(lambda t: {"Sheet": [*t[:2], [], *t[2:], [], []]}),
          [(ASCII[0], KEPT), ("", LINE), *_TWO]),
    Nasty("blank rows in front", workbook(lambda t: {"Sheet": [[], [], *t]}), kept(*GOOD)),
    Nasty("formulas without results", workbook(), rejected(BLANK, ""), typed=('=UPPER("x")', *ASCII)),
    Nasty("formulas with results", sheet_xml(_A2, f'<c r="A2" t="str"><f>A9</f><v>{GOOD[0]}</v></c>'),
          kept(*ASCII), typed=("x", *ASCII[1:])),
    Nasty("cells with errors", workbook(), rejected(FAULTY, "#REF!", "#N/A")),
    Nasty("a cell that is an error", sheet_xml(_A2, '<c r="A2" t="e"><v>#NUM!</v></c>'),
          [("#NUM!", FAULTY), *_TWO], typed=ASCII),
    Nasty("cells of other kinds", workbook(), [("12", WORDLESS), ("1.5", WORDLESS),
          ("2024-01-31 00:00:00", WORDLESS), ("2024-01-31 10:00:00", WORDLESS), ("True", KEPT),
          ("", BLANK), ("#REF!", FAULTY), *kept(*ASCII)],
          typed=(12.0, 1.5, date(2024, 1, 31), datetime(2024, 1, 31, 10), True, None, "#REF!", *ASCII)),
    Nasty("rich text", workbook(), kept(*ASCII),
          typed=(CellRichText("Deteksi ", TextBlock(InlineFont(b=True), "Hoaks"), " Politik"),
          *ASCII[1:])),
    Nasty("several lines in a cell", workbook(), kept("Deteksi\nHoaks", *ASCII[1:])),
    Nasty("rules that would be lost", sheet_xml("</worksheet>", _RULES), kept(*GOOD)),
    Nasty("a workbook without titles", workbook(lambda t: {"Sheet": [["Nama", "Tahun"], ["Ani", 2024]]}),
          refused=_NO_COLUMN),
    Nasty("an empty workbook", workbook(lambda t: {"Sheet": []}), refused="kosong"),
    Nasty("a chart in front", workbook(adjust=add_chart), kept(*GOOD)),
    Nasty("only a chart", workbook(lambda t: {}, add_chart), refused="kosong"),
    Nasty("a cell far to the right", workbook(adjust=lambda b: b["Sheet"].cell(2, 16_384, "x")),
          refused="1000 kolom"),
    Nasty("half a workbook", first_part(workbook(), 0.5), refused=_NO_XLSX),
    Nasty("the start of a workbook", first_part(workbook(), 0.01), refused=_NO_XLSX),
    Nasty("a size of a million rows",
          sheet_xml('dimension ref="[^"]*"', 'dimension ref="A1:XFD1048576"'), kept(*GOOD)),
    Nasty("an empty cell far below",
          sheet_xml("</sheetData>", '<row r="9999"><c r="A9999"/></row></sheetData>'), kept(*GOOD)),
    Nasty("a text that is not there", sheet_xml('t="inlineStr"><is>.*?</is>', 't="s"><v>999999</v>'),
          refused=_NO_XLSX),
    Nasty("a text that grows", shared_strings(first_title("&l8;", _LAUGHS)), refused=_NO_XLSX),
    Nasty("a text from elsewhere", shared_strings(first_title("&f;", _ELSEWHERE)), refused=_NO_XLSX),
    Nasty("a workbook that unpacks to much", shared_strings(first_title("x" * 500_000)),
          [("x" * 500_000, ENDLESS), *_TWO], typed=ASCII),
    Nasty("a workbook that unpacks to gigabytes", huge_when_unpacked, refused="terlalu besar"),
    Nasty("half a letter in a workbook", shared_strings(first_title("Deteksi &#xD800; Hoaks")),
          refused=_NO_XLSX),
    Nasty("escaped letters", shared_strings(first_title("Deteksi_x000D_ Hoaks_xD800_")),
          kept("Deteksi\r Hoaks_xD800_", *ASCII[1:]), typed=ASCII),
    Nasty("ends of lines that are escaped",
          shared_strings(first_title("Deteksi_x000D_\nHoaks_x000d_&#10;Politik_x0009_")),
          kept("Deteksi\r\nHoaks\r\nPolitik\t", *ASCII[1:]), typed=ASCII),
    Nasty("an escape that is escaped", workbook(), kept("Deteksi_x000D_ Hoaks", *ASCII[1:]),
          typed=("Deteksi_x005F_x000D_ Hoaks", *ASCII[1:])),
    Nasty("a zip that is no workbook", zipped(**{"foto.jpg": b"\xff\xd8\xff"}), refused=_NO_XLSX),
    Nasty("a zip with a password", with_password, refused=_NO_XLSX),
    Nasty("an empty zip", raw(b"PK\5\6" + bytes(18)), refused=_NO_TABLE),
    Nasty("libreoffice", zipped(**_ODS), refused=_NO_XLSX, suffix=".ods"),
    Nasty("an old workbook", raw(_OLE), refused="Excel lama", suffix=".xls"),
    Nasty("a workbook with a password", raw(_OLE + "EncryptedPackage".encode("utf-16-le")),
          refused="kata sandi"),
)  # fmt: skip

OTHERS = (
    Nasty("picture", png, refused=_NO_TABLE),
    Nasty("pdf", raw(_PDF), refused=_NO_TABLE),
    Nasty("gzip", lambda table: gzip.compress(csv_file()(table), mtime=0), refused=_NO_TABLE),
    Nasty("html", raw(b"<table><tr><td>Judul</td></tr></table>\n"), refused=_NO_COLUMN, suffix=".xls"),
    Nasty("json", raw(b'[{"Judul": "Deteksi Hoaks"}]\n'), refused=_NO_COLUMN),
    Nasty("rtf", raw(b"{\\rtf1\\ansi Judul\\par Deteksi}"), refused=_NO_COLUMN),
)  # fmt: skip

NASTY: tuple[Nasty, ...] = (
    *ENCODINGS, *SEPARATORS, *QUOTES, *ENDS_OF_LINES, *IN_TITLES, *HEADERS, *OTHERS,
    *(replace(nasty, suffix=nasty.suffix or ".xlsx") for nasty in _WORKBOOKS),
)  # fmt: skip
