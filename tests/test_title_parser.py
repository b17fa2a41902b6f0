import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.errors import LexiconError
from judul_lib.title_parser import FIELDS, Lexicon, TitleParser, right_stem, words_of

HEADER = "canonical,variants,field,language\n"


@pytest.fixture(scope="module")
def parser():
    return TitleParser()


def fields(parser, title):
    return {unit.name: unit.field for unit in parser.parse(title)}


def test_a_title_is_read_as_a_record(parser):
    read = fields(parser, "Klasifikasi Penyakit Daun Padi Menggunakan CNN di SMK Negeri 2 Surakarta")
    assert read["klasifikasi"] == "task"
    assert read["cnn"] == "method"
    assert read["padi"] == "object"
    assert read["surakarta"] == "place"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Convolutional Neural Network", "CNN"),
        ("citra", "gambar"),
        ("absensi", "presensi"),
        ("peramalan", "forecasting"),
        ("siswa", "peserta didik"),
    ],
)
def test_words_for_one_thing_come_out_equal(parser, first, second):
    assert [u.name for u in parser.parse(first)] == [u.name for u in parser.parse(second)]


@pytest.mark.parametrize(("first", "second"), [("padi", "jagung"), ("naive bayes", "svm")])
def test_words_for_different_things_stay_different(parser, first, second):
    assert [u.name for u in parser.parse(first)] != [u.name for u in parser.parse(second)]


@given(st.text())
def test_no_word_is_read_twice_and_every_unit_has_a_field(parser, title):
    units = parser.parse(title)
    assert all(unit.field in FIELDS for unit in units)
    assert sum(len(unit.text.split()) for unit in units) <= len(words_of(title))


def test_an_unknown_word_is_content(parser):
    assert [u.text for u in parser.parse("Zyxwvut")] == ["zyxwvut"]


def test_wrong_stems_are_put_right():
    stems = {word: right_stem(word) for word in ("peramalan", "berbasis", "perawat", "bali")}
    assert stems == {"peramalan": "ramal", "berbasis": "basis", "perawat": "perawat", "bali": "bali"}


def test_the_lexicon_is_broad():
    assert len(Lexicon.read().variants) >= 1500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("istilah,field\n", "baris 1"),
        ("canonical,variants,field,language\ncnn,,warna,en\n", "baris 2: bidang 'warna'"),
        (
            "canonical,variants,field,language\ncnn,konvolusi,method,en\nrnn,konvolusi,method,en\n",
            "baris 3",
        ),
    ],
)
def test_a_lexicon_that_contradicts_itself_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "lexicon.csv"
    path.write_text(text)
    with pytest.raises(LexiconError, match=words):
        Lexicon.read(path)
