import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.errors import LexiconError
from judul_lib.spelling import words_of
from judul_lib.title_parser import FIELDS, LEXICON_FILE, LEXICON_STEMS_FILE, Lexicon, TitleParser
from tests.conftest import PROJECT

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


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("pekan baru", "pekanbaru"),  # blanks
        ("klasfikasi", "klasifikasi"),  # a typing error
        ("menggunakan algoritma semut", "ant colony optimization"),  # a template word before a phrase
        ("kelas VIII", "kelas 8"),
        ("disekolah", "di sekolah"),
    ],
)
def test_ways_of_writing_one_thing_come_out_equal(parser, first, second):
    assert [u.name for u in parser.parse(first)] == [u.name for u in parser.parse(second)]


def test_what_follows_a_place_belongs_to_it(parser):
    read = fields(parser, "Sistem Presensi SMA Negeri 7 Tanjungbatu Menggunakan Zyxwvut")
    assert (read["7"], read["tanjungbatu"], read["zyxwvut"]) == ("place", "place", "method")


def test_the_stems_kept_with_the_lexicon_are_its_stems():
    kept = dict(line.split(",") for line in LEXICON_STEMS_FILE.read_text().splitlines()[1:])
    assert kept == Lexicon.read().stems(), "run scripts/stem_lexicon.py"


def test_a_parser_with_the_lexicon_given_reads_as_the_default_one(parser):
    given = TitleParser(Lexicon.read())
    titles = (PROJECT / "data" / "dataset_TA.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [given.parse(title) for title in titles] == [parser.parse(title) for title in titles]


def test_parts_of_the_lexicon_can_be_left_out(parser):
    lexicon = Lexicon.read()
    without = TitleParser(lexicon.without("method"))
    assert not any(unit.field == "method" and unit.known for unit in without.parse("Random Forest"))
    assert TitleParser(Lexicon({})).parse("Random Forest")[0].name == "random"
    assert set(lexicon.canonical_only().variants) == {c for c, _ in lexicon.variants.values()}


def test_the_lexicon_file_is_sorted():
    names = [line.split(",")[0] for line in LEXICON_FILE.read_text().splitlines()[1:]]
    assert names == sorted(names)


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
