"""Year and author beside a match, and checks against some years only."""

import json

import pytest
from openpyxl import load_workbook

from judul_lib.archives.details import parse_years
from tests.conftest import judul

ROWS = (
    "No,NIM,Nama,Judul Skripsi,Tahun Lulus,Pembimbing 1,Pembimbing 2\n"
    "1,A11,Ani,Prediksi Harga Cabai di Brebes Menggunakan LSTM,2021,Dr. X,Dr. Y\n"
    "2,A12,Budi,Klasifikasi Daun Padi dengan CNN,2015,Dr. Z,\n"
    "3,A13,Cici,Deteksi Hoaks Politik di Twitter,,,\n"
)
QUERY = "Prediksi Harga Cabai Menggunakan LSTM"


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "arsip.csv"
    path.write_text(ROWS)
    return path


def check(archive, *options):
    return judul("check", QUERY, "--corpus", archive, "--model", "light", *options)


def test_author_and_year_stand_beside_a_match_and_the_student_number_does_not(archive):
    table = check(archive).stdout
    assert "[Ani, 2021]" in table
    assert "A11" not in table
    first = json.loads(check(archive, "--format", "json").stdout)["hasil"][0]
    known = {name: first[name] for name in ("Penulis", "Tahun", "Pembimbing")}
    assert known == {"Penulis": "Ani", "Tahun": "2021", "Pembimbing": "Dr. X; Dr. Y"}


@pytest.mark.parametrize(
    ("years", "found"),
    [("2019..", {"2021"}), ("..2016", {"2015"}), ("2015", {"2015"}), ("2000..2030", {"2015", "2021"})],
)
def test_only_titles_of_the_years_are_compared(archive, years, found):
    result = check(archive, "--year", years, "--format", "json")
    assert {row["Tahun"] for row in json.loads(result.stdout)["hasil"]} == found
    assert "1 tanpa tahun tidak dibandingkan" in result.stderr


def test_years_without_titles_are_refused_with_those_there_are(archive):
    result = check(archive, "--year", "1990")
    assert result.returncode == 1
    assert "2015–2021" in result.stderr


@pytest.mark.parametrize("text", ["", "..", "abc", "20192021", "2019-2021"])
def test_what_is_no_span_of_years_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        parse_years(text)


def test_index_has_no_years(archive, tmp_path):
    assert judul("index", "build", archive, tmp_path / "i", "--model", "light").returncode == 0
    result = judul("check", QUERY, "--index", tmp_path / "i", "--year", "2020")
    assert result.returncode == 2
    assert "--year" in result.stderr


def test_result_as_a_workbook_has_the_rows_of_the_csv(archive, tmp_path):
    proposals = tmp_path / "usulan.csv"
    proposals.write_text(f"Nama,Judul\nAni,{QUERY}\n=1+1,Hoaks \x0b Politik\n")
    words = ("check", "--file", proposals, "--corpus", archive, "--model", "light", "--output")
    for name in ("hasil.xlsx", "hasil.csv"):
        assert judul(*words, tmp_path / name).returncode == 0
    sheet = load_workbook(tmp_path / "hasil.xlsx").active
    header, first, second = sheet.iter_rows(values_only=True)
    lines = (tmp_path / "hasil.csv").read_text("utf-8-sig").splitlines()
    assert ",".join(header) == lines[0]
    assert first[0] == "Ani"
    assert second[0] == "'=1+1"
    probability = first[header.index("rf_probability")]
    assert probability == round(probability, 4)
    assert sheet.freeze_panes == "A2"
