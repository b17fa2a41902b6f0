"""Corpora and workbooks; `tests/core/test_nasty_files.py` has every kind of damaged file."""

import contextlib
import csv
import io
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from judul_lib.core.errors import CorpusError
from judul_lib.core.tables import parse_table
from judul_lib.study.corpus import (
    REASON_COLUMN,
    ROW_COLUMN,
    load_corpus,
    parse_corpus,
    read_corpus,
    read_table,
    save_corpus,
)

TITLES = ["Deteksi Hoaks", "Prediksi Harga Beras", "Klasifikasi Daun Naïve"]


def content(separator=",", header="Judul"):
    lines = [f"No{separator}{header}", *(f"{i}{separator}{t}" for i, t in enumerate(TITLES))]
    return "\n".join(lines)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["Judul", " judul ", "JUDUL"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separators_headers_and_encodings_are_recognised(tmp_path, separator, header, encoding):
    path = tmp_path / "judul.csv"
    path.write_bytes(content(separator, header).encode(encoding))
    corpus = read_corpus(path)
    assert corpus.titles["Judul"].tolist() == TITLES
    assert corpus.titles["No"].tolist() == ["0", "1", "2"]
    assert corpus.rejected.empty


def test_rejected_rows_have_their_number_and_reason(write_csv):
    path = write_csv(
        ["Deteksi Hoaks", "", "Prediksi Beras", "yang dan di", "deteksi  HOAKS!", "123 ???"]
    )
    corpus = read_corpus(path)
    assert corpus.titles["Judul"].tolist() == ["Deteksi Hoaks", "Prediksi Beras"]
    rows = corpus.rejected.set_index(ROW_COLUMN)[REASON_COLUMN]
    assert rows.index.tolist() == [3, 5, 6, 7]
    assert rows[3] == "judul kosong"
    assert rows[6] == "duplikat baris 2"
    assert rows[5] == rows[7] == "tidak ada kata yang tersisa setelah prapemrosesan"


@pytest.mark.parametrize("variant", ["Kafe\u0301 Jakarta", "\uff2bafé Jakarta", "KAFÉ\u00a0JAKARTA"])
def test_titles_in_other_unicode_forms_are_duplicates(write_csv, variant):
    corpus = read_corpus(write_csv(["Kafé Jakarta", variant, "Prediksi Beras"]))
    assert corpus.rejected[REASON_COLUMN].tolist() == ["duplikat baris 2"]


def test_duplicates_can_be_kept(write_csv):
    path = write_csv(["Deteksi Hoaks", "DETEKSI HOAKS", "Prediksi Beras"])
    assert len(read_corpus(path, drop_duplicates=False).titles) == 3
    assert len(read_corpus(path).titles) == 2


@given(st.lists(st.text(alphabet="ab Cd,;\"'\n\t1.", max_size=12), min_size=1, max_size=12))
def test_no_row_is_lost(tmp_path_factory, titles):
    path = tmp_path_factory.mktemp("csv") / "judul.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerows([["Judul"], *([t] for t in titles)])
    assert read_corpus(path, min_titles=0).n_rows == len(titles)


def test_columns_with_reserved_names_are_renamed(tmp_path):
    path = tmp_path / "judul.csv"
    path.write_text("judul_proc,Judul,x,x\nmilik saya,Deteksi Hoaks,1,2\nlagi,Prediksi Beras,3,4\n")
    titles = read_corpus(path).titles
    assert titles["judul_proc"].tolist() == ["deteksi hoaks", "prediksi beras"]
    assert titles["judul_proc_2"].tolist() == ["milik saya", "lagi"]
    assert titles["x_2"].tolist() == ["2", "4"]


def test_a_single_distinct_title_is_refused():
    with pytest.raises(CorpusError, match="hanya berisi 1 judul"):
        parse_corpus(b"Judul\n" + b"Deteksi Hoaks\n" * 5, "judul.csv")


def test_folder_and_missing_file_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="folder"):
        read_corpus(tmp_path)
    with pytest.raises(CorpusError, match="tidak ditemukan"):
        read_corpus(tmp_path / "tidak-ada.csv")


def test_saved_corpus_is_loaded_unchanged(write_csv, tmp_path):
    corpus = read_corpus(write_csv(["Deteksi Hoaks", "", "NA", "Prediksi Beras"]))
    save_corpus(corpus, tmp_path / "out")
    loaded = load_corpus(tmp_path / "out")
    assert loaded.titles.to_dict() == corpus.titles.to_dict()
    assert loaded.n_rows == corpus.n_rows == 4
    assert (loaded.sha256, loaded.name) == (corpus.sha256, corpus.name)
    with pytest.raises(CorpusError, match="notebook 01"):
        load_corpus(tmp_path / "lain")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.csv", b"Judul,judul_proc\nDeteksi Kantuk,deteksi kantuk\n"),
        ("corpus.csv", b"\0"), ("rejected.csv", b""),
        ("dataset.json", b"{"), ("dataset.json", b"[]"),
        ("dataset.json", b'{"name": "judul.csv", "sha256": "0", "files": {}}'),
    ],
)  # fmt: skip
def test_corpus_changed_after_saving_is_refused(write_csv, tmp_path, name, content):
    save_corpus(read_corpus(write_csv(["Deteksi Hoaks", "", "Prediksi Beras"])), tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(content)
    with pytest.raises(CorpusError, match="bukan yang ditulis notebook 01"):
        load_corpus(tmp_path / "out")


def test_table_keeps_all_rows_as_text(tmp_path):
    path = tmp_path / "pasangan.csv"
    path.write_text('id,judul_a,judul_b\n007,,NA\n8,"a,b",null\n\n')
    assert read_table(path).to_numpy().tolist() == [["007", "", "NA"], ["8", "a,b", "null"]]
    path.write_text("a,b\n1,2,3\n")
    with pytest.raises(CorpusError, match="baris 2"):
        read_table(path)


def workbook(*sheets):
    book = Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"s{number}")
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_workbook_is_read_like_a_csv():
    rows = [[], ["NIM", " judul ", "Nilai"], [123, "Deteksi Hoaks", 1.0], ["a", None], []]
    content = workbook([], [*rows, [1.5, "Beras, Gula"]])
    corpus = parse_corpus(content, "judul.xlsx")
    assert corpus.titles["Judul"].tolist() == ["Deteksi Hoaks", "Beras, Gula"]
    assert corpus.titles["Nilai"].tolist() == ["1", ""]
    assert "NIM" not in corpus.titles
    assert corpus.rows == [3, 6]
    assert corpus.rejected["alasan"].tolist() == ["judul kosong", "judul kosong"]


def test_too_many_rows_are_refused():
    rows = [["Judul"], *([f"Deteksi Hoaks {letter}"] for letter in "abcdef")]
    text = "\n".join(row[0] for row in rows).encode()
    for content in (workbook(rows), text):
        assert len(parse_corpus(content, "x", max_rows=6, drop_duplicates=False).titles) == 6
        with pytest.raises(CorpusError, match="lebih dari 5 baris"):
            parse_corpus(content, "x", max_rows=5)


def test_workbook_of_excessive_size_is_refused(monkeypatch):
    monkeypatch.setattr("judul_lib.core.packages._MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(CorpusError, match="terlalu besar"):
        parse_corpus(workbook([["Judul"], ["Deteksi Hoaks"]]), "x.xlsx")


def test_workbook_that_understates_its_size_is_refused():
    content = io.BytesIO(workbook([["Judul"], ["Deteksi Hoaks"]]))
    with zipfile.ZipFile(content) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_BZIP2) as archive:
        for name, part in members.items():
            archive.writestr(name, part + b" " * (64 << 20) * ("sheet1" in name))
            archive.getinfo(name).file_size = len(part)
    tracemalloc.start()
    with pytest.raises(CorpusError, match=r"x\.xlsx tidak dapat dibaca"):
        parse_corpus(bomb.getvalue(), "x.xlsx", min_titles=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("cut", [10, 200, 1500, 3000])
def test_damaged_workbook_is_refused_with_a_message(cut):
    content = workbook([["Judul"], ["Deteksi Hoaks"]])
    for damaged in (content[:cut], content[:cut] + b"\0" * 50 + content[cut + 50 :]):
        with contextlib.suppress(CorpusError):  # Any other error would be a traceback for the user.
            parse_corpus(damaged, "x.xlsx", min_titles=1)
    with pytest.raises(CorpusError, match=r"x\.xlsx tidak dapat dibaca"):
        parse_corpus(content[:cut], "x.xlsx")


def test_very_wide_rows_are_refused_or_trimmed():
    wide = ["x", *[None] * 16_000, "y"]
    with pytest.raises(CorpusError, match="lebih dari 1000 kolom"):
        parse_corpus(workbook([["Judul"], wide]), "x.xlsx")
    trailing = "Judul,Nama\n" + "\n".join(f"Deteksi Hoaks {k}a,b" + "," * 16_000 for k in range(50))
    assert len(parse_corpus(trailing.encode(), "x.csv", drop_duplicates=False).titles) == 50


def test_reading_stops_at_too_many_rows():
    with pytest.raises(CorpusError, match="lebih dari 10 baris"):
        parse_table(b"Judul\n" + b"\n" * 2_000_000, "x.csv", max_rows=10)
