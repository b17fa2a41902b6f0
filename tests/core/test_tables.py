"""Files as campuses and programs save them: where the titles are found, and what is refused."""

import io
import json
import resource
import subprocess
import sys
import zipfile
from datetime import date

import pytest
from openpyxl import Workbook

from judul_lib.core.delimited import BAD_QUOTES
from judul_lib.core.errors import ColumnChoiceError, CorpusError, MissingChoiceError, SheetChoiceError
from judul_lib.core.tables import SHEET_COLUMN, parse_table, parse_titles
from judul_lib.study.corpus import parse_corpus, parse_proposals
from judul_lib.study.title_text import clean_title
from tests.conftest import PROJECT, judul

TITLES = (
    "Klasifikasi Mutu Biji Kopi Menggunakan Random Forest",
    "Sistem Informasi Kas Masjid Berbasis Web di Kecamatan Jati",
    "Pengaruh Citra Merek terhadap Keputusan Pembelian Batik Kudus",
    "Prediksi Harga Bawang Merah Menggunakan LSTM",
)


def book(**sheets):
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return workbook


def saved(workbook):
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def secretary_book():
    """Return a list as a secretary keeps it: a caption, the header, the rows, a sum, a signature."""
    rows = [[n, f"A{n}", f"Mhs {n}", title] for n, title in enumerate(TITLES, start=1)]
    caption = [["DAFTAR JUDUL SKRIPSI"], ["Semester Gasal 2024/2025"], []]
    tail = [[], ["Jumlah judul: 4"], ["Dicetak dari SIAKAD"], [None, None, None, "Mengetahui, Kaprodi"]]
    return saved(book(Data=[*caption, ["No", "NIM", "Nama", "Judul Skripsi"], *rows, *tail]))


def spreadsheet_ml():
    cells = "".join(
        f"<Row><Cell><Data>{n}</Data></Cell><Cell><Data>{t}</Data></Cell></Row>"
        for n, t in enumerate(TITLES)
    )
    return (
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="S"><Table>'
        f"<Row><Cell><Data>No</Data></Cell><Cell><Data>Judul TA</Data></Cell></Row>{cells}"
        "</Table></Worksheet></Workbook>"
    ).encode()


def rows_of(header, separator=",", quote='"'):
    """Return a CSV whose column of titles has them, and whose others are filled."""
    lines = [separator.join(header)]
    names = [name.strip('"*').casefold() for name in header]
    for title in TITLES:
        cells = [f"{quote}{title}{quote}" if n.startswith(("judul", "title")) else "x" for n in names]
        lines.append(separator.join(cells))
    return "\n".join(lines).encode()


REAL_KINDS = {
    "an export of DSpace": (
        "id,dc.contributor.author,dc.title,dc.title[en],dc.title[id]\n"
        f"1,A,,A Coffee Study,{TITLES[0]}\n2,B,{TITLES[1]},,\n3,C,,,{TITLES[2]}\n4,D,,,{TITLES[3]}\n"
    ).encode(),
    "a library manager": rows_of(["Key", "Item Type", "Author", "Title", "Publication Title", "Url"]),
    "the title of a thesis": rows_of(["No", "Nama", "JUDUL SKRIPSI", "Tahun"]),
    "a starred form": rows_of(["No", "Nama*", "Judul*", "Tahun"]),
    "a header with a line break": rows_of(["No", '"Judul\nTugas Akhir"', "Tahun"]),
    "an export with sep=": b"sep=;\n" + rows_of(["No", "Judul", "Tahun"], ";"),
    "pipes": rows_of(["No", "Judul", "Tahun"], "|", quote=""),
    "a secretary's workbook": secretary_book(),
    "a web page named xls": (
        "<html><body><table><tr><td>Menu</td></tr></table><table><tr><th>No</th><th>Judul</th></tr>"
        + "".join(f"<tr><td>{n}</td><td>{t}</td></tr>" for n, t in enumerate(TITLES))
        + "</table></body></html>"
    ).encode(),
    "an old workbook in XML": spreadsheet_ml(),
    "JSON": json.dumps({"data": [{"judul": t, "penulis": ["A"]} for t in TITLES]}).encode(),
    "JSON lines": "\n".join(json.dumps({"judul": t}) for t in TITLES).encode(),
    "titles without a header": "\n".join(TITLES).encode(),
    "rows without a header": "\n".join(f"{n};Mhs;{t}" for n, t in enumerate(TITLES)).encode(),
}


@pytest.mark.parametrize("content", REAL_KINDS.values(), ids=REAL_KINDS)
def test_titles_are_found_in_files_as_they_occur(content):
    notes = []
    corpus = parse_corpus(content, "arsip", warn=notes.append)
    assert corpus.titles["Judul"].tolist() == list(TITLES)
    assert corpus.n_rows == len(corpus.titles) + len(corpus.rejected)
    assert all(note.startswith("Catatan: ") for note in notes)
    frame, titles, _ = parse_proposals(content, "usulan")
    assert [title for title in titles if title] == list(TITLES)
    assert len(frame) == len(titles)


def test_caption_sum_and_signature_of_a_secretary_are_set_aside_with_a_reason():
    notes = []
    corpus = parse_corpus(secretary_book(), "a.xlsx", warn=notes.append)
    assert corpus.rows == [5, 6, 7, 8]
    reasons = dict(zip(corpus.rejected["baris"], corpus.rejected["alasan"], strict=True))
    assert reasons[10] == "bukan judul: Jumlah judul: 4"
    assert reasons[11] == "bukan judul: Dicetak dari SIAKAD"
    assert reasons[12] == "bukan judul: Mengetahui, Kaprodi"
    assert "NIM" not in corpus.titles
    assert any("baris 5" in note for note in notes)


def test_titles_that_begin_like_a_caption_are_kept():
    titles = [
        "Total Quality Management pada UMKM",
        "Sumber Daya Manusia di Rumah Sakit",
        "Jumlah Leukosit",
    ]
    corpus = parse_corpus(("Judul\n" + "\n".join(titles)).encode(), "a.csv")
    assert corpus.titles["Judul"].tolist() == titles


def test_two_header_rows_are_joined():
    rows = [["No", "Judul", None, "Pembimbing", None], [None, "Indonesia", "Inggris", 1, 2]]
    workbook = book(Data=[*rows, *([n, t, "x", "A", "B"] for n, t in enumerate(TITLES))])
    for cells in ("A1:A2", "B1:C1", "D1:E1"):
        workbook["Data"].merge_cells(cells)
    table = parse_titles(saved(workbook), "a.xlsx")
    assert table.header == ["No", "Judul Indonesia", "Judul Inggris", "Pembimbing 1", "Pembimbing 2"]
    assert table.titles == (1, 2)
    assert [table.title(row) for row in table.rows] == list(TITLES)


def test_several_titles_in_a_row_are_asked_for():
    content = f"No,Judul Proposal,Judul Skripsi\n1,{TITLES[0]},{TITLES[1]}\n2,{TITLES[2]},{TITLES[3]}\n"
    with pytest.raises(ColumnChoiceError, match="Judul Proposal") as error:
        parse_corpus(content.encode(), "a.csv")
    assert error.value.columns == ["Judul Proposal", "Judul Skripsi"]
    assert TITLES[1][:20] in str(error.value)
    for column in ("Judul Skripsi", "judul skripsi", "3"):
        corpus = parse_corpus(content.encode(), "a.csv", column=column)
        assert corpus.titles["Judul"].tolist() == [TITLES[1], TITLES[3]]
    with pytest.raises(MissingChoiceError, match="'Topik' tidak ada"):
        parse_corpus(content.encode(), "a.csv", column="Topik")


def test_sheets_with_one_header_are_read_together():
    header = ["No", "Judul"]
    content = saved(book(Petunjuk=[["isi"]], A=[header, [1, TITLES[0]]], B=[header, [1, TITLES[1]]]))
    notes = []
    corpus = parse_corpus(content, "a.xlsx", warn=notes.append)
    assert corpus.titles["Judul"].tolist() == list(TITLES[:2])
    assert corpus.titles[SHEET_COLUMN].tolist() == ["A", "B"]
    assert any("A, B" in note for note in notes)
    assert any("'Petunjuk'" in note for note in notes)


def test_sheets_with_different_headers_are_asked_for():
    content = saved(book(A=[["No", "Judul"], [1, TITLES[0]]], B=[["Judul", "Nama"], [TITLES[1], "x"]]))
    with pytest.raises(SheetChoiceError, match="--sheet"):
        parse_corpus(content, "a.xlsx", min_titles=1)
    assert parse_corpus(content, "a.xlsx", min_titles=1, sheet="b").titles["Judul"].tolist() == [
        TITLES[1]
    ]
    with pytest.raises(MissingChoiceError, match="'C' tidak ada"):
        parse_corpus(content, "a.xlsx", sheet="C")


def test_merged_title_counts_for_each_of_its_rows():
    workbook = book(Data=[["Nama", "Judul"], ["Ani", TITLES[0]], ["Budi", None], ["Cici", TITLES[1]]])
    workbook["Data"].merge_cells("B2:B3")
    frame, titles, _ = parse_proposals(saved(workbook), "a.xlsx")
    assert frame["Nama"].tolist() == ["Ani", "Budi", "Cici"]
    assert titles == [TITLES[0], TITLES[0], TITLES[1]]


def test_row_with_stray_quotes_is_set_aside_alone():
    lines = ["No,Judul", *(f'{n},"{title}"' for n, title in enumerate(TITLES))]
    lines[2] = f'1,"Hitung "Cepat" {TITLES[1]}"'
    lines.append(r'9,"Hitung \"Cepat\" Pemilu, dan Opini"')
    corpus = parse_corpus("\n".join(lines).encode(), "a.csv")
    assert corpus.rejected[["baris", "alasan"]].to_numpy().tolist() == [[3, BAD_QUOTES]]
    assert corpus.titles["Judul"].iloc[-1] == 'Hitung "Cepat" Pemilu, dan Opini'


def test_zero_bytes_at_the_end_are_dropped_and_said():
    notes = []
    content = ("Judul\n" + "\n".join(TITLES) + "\n").encode()
    assert len(parse_corpus(content + bytes(512), "a.csv", warn=notes.append).titles) == 4
    assert "512 bita kosong" in notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"@article{a,\n title = {X}\n}\n", "BibTeX"),
        (b"TY  - THES\nTI  - X\nER  -\n", "RIS"),
        (b"-- phpMyAdmin SQL Dump\nCREATE TABLE skripsi (id int);\n", "phpMyAdmin"),
        (b"<?xml version='1.0'?><daftar><judul>X</judul></daftar>", "XML"),
        (b"<html><body>Masuk dulu</body></html>", "halaman web"),
        (b'[{"judul": "X"', "JSON"),
    ],
)
def test_other_forms_are_named_with_a_way_out(content, words):
    with pytest.raises(CorpusError, match=words):
        parse_corpus(content, "a.json", min_titles=1)


@pytest.mark.parametrize(
    ("cell", "title"),
    [
        ("Kadar CO<sub>2</sub> di <i>Smart Home</i>", "Kadar CO2 di Smart Home"),
        (r"Katalis TiO$_2$ \textit{in situ}", "Katalis TiO2 in situ"),
        ("Suhu < 5 derajat dan kadar > 3", "Suhu < 5 derajat dan kadar > 3"),
        ("Hama\u00a0Padi\u200b &amp;_x000D_\nJagung", "Hama Padi & Jagung"),
    ],
)
def test_markup_is_no_part_of_a_title(cell, title):
    assert clean_title(cell) == title
    corpus = parse_corpus(json.dumps([{"Judul": cell}]).encode(), "a.json", min_titles=1)
    assert corpus.titles["Judul"].tolist() == [title]


def test_numbers_and_dates_of_a_workbook_become_plain_text():
    content = saved(book(S=[["Judul", "Tahun", "Tanggal"], [TITLES[0], 2024.0, date(2024, 1, 31)]]))
    titles = parse_corpus(content, "a.xlsx", min_titles=1).titles
    assert titles[["Tahun", "Tanggal"]].to_numpy().tolist() == [["2024", "2024-01-31"]]


def _replaced(content, name, change):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part == name else old.read(part))
    return stream.getvalue()


def _ods(rows, columns):
    stream = io.BytesIO()
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in names)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
        package.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="S"><table:table-row table:number-rows-repeated="{rows}">'
            f'<table:table-cell table:number-columns-repeated="{columns}" office:value-type="string">'
            "<text:p>Judul</text:p></table:table-cell></table:table-row></table:table>"
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return stream.getvalue()


def _far_cell():
    def far(xml):
        row = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        return xml.replace(b"</sheetData>", row + b"</sheetData>")

    return _replaced(saved(book(S=[["Judul"], [TITLES[0]]])), "xl/worksheets/sheet1.xml", far)


def _empty_strings():
    stream = io.BytesIO(saved(book(S=[["Judul"], [TITLES[0]]])))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/sharedStrings.xml", b"<sst>" + b"<si/>" * 30_000_000 + b"</sst>")
    return stream.getvalue()


BOMBS = {
    "far cell": _far_cell,
    "empty strings": _empty_strings,
    "repeated rows": lambda: _ods(1_000_000, 100),
    "repeated columns": lambda: _ods(2_000, 16_384),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_file_that_would_fill_the_memory_is_refused(name, tmp_path):
    path = tmp_path / "bom.xlsx"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 300_000
    code = (
        "import sys; from pathlib import Path; from judul_lib.study.corpus import read_corpus\n"
        "read_corpus(Path(sys.argv[1]), min_titles=0)"
    )
    limit = 2 << 30
    run = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert "terlalu besar" in run.stderr.splitlines()[-1]


def test_command_takes_the_chosen_column_and_sheet(tmp_path):
    path = tmp_path / "a.xlsx"
    header = ["Judul Proposal", "Judul Skripsi"]
    path.write_bytes(saved(book(A=[header, [TITLES[0], TITLES[1]]], B=[["Judul"], [TITLES[2]]])))
    words = ("check", TITLES[1], "--corpus", path, "--model", "light", "--format", "json")
    refused = judul(*words)
    assert refused.returncode == 1
    assert "--column" in refused.stderr
    found = judul(*words, "--sheet", "A", "--column", "Judul Skripsi")
    assert json.loads(found.stdout)["hasil"][0]["judul_ref"] == TITLES[1]


@pytest.mark.parametrize(
    ("start", "refusal"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "bukan berkas teks CSV"),
        (b"\xff\xd8\xff\xe0\n", "bukan berkas teks CSV"),
        (b"%PDF-1.7\n1", "PDF.*Minta berkas Excel atau CSV dari pembuatnya"),
    ],
)
def test_image_or_pdf_named_csv_is_refused_as_such(start, refusal):
    with pytest.raises(CorpusError, match=refusal):
        parse_corpus(start, "arsip.csv")


def test_row_of_joined_sheets_is_named_with_its_sheet():
    header = ["No", "Judul"]
    old = [["Arsip lama"], header, [1, TITLES[0]], [2, None]]
    content = saved(book(A=old, B=[header, [1, TITLES[1]], [2, TITLES[0]]]))
    corpus = parse_corpus(content, "a.xlsx")
    assert corpus.describe_rejected() == (
        "lembar 'A' baris 4 (judul kosong), lembar 'B' baris 3 (duplikat lembar 'A' baris 3)"
    )
    assert corpus.n_rows == 4


def test_hidden_sheet_is_said_and_only_read_if_named():
    workbook = book(A=[["Judul"], [TITLES[0]]], Draf=[["Judul"], [TITLES[1]]])
    workbook["Draf"].sheet_state = "hidden"
    content, notes = saved(workbook), []
    corpus = parse_corpus(content, "a.xlsx", min_titles=1, warn=notes.append)
    assert corpus.titles["Judul"].tolist() == [TITLES[0]]
    assert any("lembar 'Draf' (tersembunyi) di a.xlsx tidak dibaca" in note for note in notes)
    named = parse_corpus(content, "a.xlsx", min_titles=1, sheet="draf")
    assert named.titles["Judul"].tolist() == [TITLES[1]]
    assert parse_table(content, "a.xlsx").rows[0].cells == [TITLES[0]]
    assert parse_table(content, "a.xlsx", sheet="Draf").rows[0].cells == [TITLES[1]]


def test_error_cells_are_blank_and_counted():
    workbook = book(A=[["Judul", "Tahun"], [TITLES[0], "#REF!"], ["#N/A", "2021"], ['t="e"', "2022"]])
    workbook["A"]["B2"].data_type = workbook["A"]["A3"].data_type = "e"
    notes = []
    corpus = parse_corpus(saved(workbook), "a.xlsx", min_titles=1, warn=notes.append)
    assert corpus.titles["Tahun"].iloc[0] == ""
    assert corpus.rejected["alasan"].iloc[0] == "judul kosong"
    assert [note for note in notes if "galat" in note] == [
        "Catatan: 2 sel di a.xlsx berisi galat rumus (seperti #N/A) dan dianggap kosong."
    ]


def test_pairs_and_their_archive_take_the_chosen_sheet(tmp_path):
    path = tmp_path / "pasangan.xlsx"
    pairs = [["judul_a", "judul_b"], [TITLES[0], TITLES[1]]]
    path.write_bytes(saved(book(Catatan=[["isi"], ["lihat lembar berikut"]], Pasangan=pairs)))
    words = ("score-pairs", path, tmp_path / "hasil.csv", "--model", "light")
    assert "judul_a" in judul(*words).stderr
    assert judul(*words, "--sheet", "Pasangan").returncode == 0
    refused = judul(*words, "--sheet", "Pasang")
    assert "'Pasang' tidak ada" in refused.stderr
