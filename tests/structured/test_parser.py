"""Titles are parsed into units with the right names, fields and roles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.core.errors import LexiconError
from judul_lib.structured.lexicon import (
    ASPECTS,
    FIELDS,
    LEXICON_FILE,
    MAX_WEIGHT,
    Lexicon,
    packaged_stems,
)
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.units import Role
from judul_lib.structured.words import standard_words
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def parser():
    return TitleParser()


def fields(parser, title):
    return {unit.name: unit.field for unit in parser.parse(title)}


def names(parser, title):
    return [unit.name for unit in parser.parse(title)]


def test_units_have_their_fields(parser):
    field = fields(parser, "Klasifikasi Penyakit Daun Padi Menggunakan CNN di SMK Negeri 2 Surakarta")
    assert (field["klasifikasi"], field["cnn"], field["padi"]) == ("task", "method", "object")
    assert (field["2"], field["surakarta"]) == ("place", "place")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Convolutional Neural Network", "CNN"),
        ("citra", "gambar"),
        ("absensi", "presensi"),
        ("peramalan", "forecasting"),
        ("siswa", "peserta didik"),
        ("kelas VIII", "kelas 8"),
        ("menggunakan algoritma semut", "ant colony optimization"),  # a template word before a phrase
        ("classification", "klasifikasi"),
    ],
)
def test_variants_have_one_name(parser, first, second):
    assert names(parser, first) == names(parser, second)


@pytest.mark.parametrize(("first", "second"), [("padi", "jagung"), ("naive bayes", "svm")])
def test_different_terms_have_different_names(parser, first, second):
    assert names(parser, first) != names(parser, second)


@given(st.text() | st.lists(st.sampled_from("di pt padi cnn 2 ( ) pengaruh xyz".split())).map(" ".join))
def test_no_word_is_in_two_units_and_every_unit_has_a_field(parser, title):
    units = parser.parse(title)
    assert all(unit.field in FIELDS and unit.name and unit.text for unit in units)
    words = standard_words(title, parser.lexicon.places)
    assert sum(len(unit.text.split()) for unit in units) <= len(words)


def test_an_unknown_word_has_the_field_of_its_part_of_the_title(parser):
    assert fields(parser, "Zyxwvut Menggunakan Qwertzu di Asdfgh") == {
        "zyxwvut": "object", "qwertzu": "method", "asdfgh": "place",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("Sistem Penggajian pada PT Jagung Emas Raya", {"jagung", "emas", "raya"}),
        ("Sistem Antrean di Klinik Gigi Sehat Menggunakan FIFO", {"gigi", "sehat"}),
        ("Aplikasi Menu untuk Kedai Xolo", {"xolo"}),
        ("Analisis Biaya (Studi Kasus: Toko Batik Sari)", {"batik", "sari"}),
        ("Kinerja Guru SMA Negeri 7 Tanjungbatu", {"7", "tanjungbatu"}),
    ],
)
def test_all_words_of_the_name_of_a_firm_or_school_are_a_place(parser, title, place):
    units = parser.parse(title)
    words = {word for unit in units if unit.field == "place" for word in unit.text.split()}
    assert place <= words
    assert not any(place & set(unit.text.split()) for unit in units if unit.field != "place")


def test_a_name_ends_where_the_next_part_begins(parser):
    field = fields(parser, "Prediksi Penjualan PT Xolo Menggunakan Regresi Linear untuk Padi")
    assert (field["xolo"], field["padi"]) == ("place", "object")
    assert "method" in field.values()


def test_a_kind_of_place_without_a_name_is_an_object(parser):
    assert fields(parser, "Kualitas Air Sungai Menggunakan Sensor")["sungai"] == "object"
    assert fields(parser, "Kualitas Air pada Sungai Xolo")["sungai"] == "place"


def test_cause_and_effect_are_distinguished(parser):
    roles = {u.name: u.role for u in parser.parse("Pengaruh Pupuk Kandang terhadap Hasil Jagung")}
    assert roles["pupuk kandang" if "pupuk kandang" in roles else "pupuk"] == Role.CAUSE
    assert roles["jagung"] == Role.EFFECT
    improved = {u.name: u.role for u in parser.parse("Peningkatan Minat Membaca Siswa")}
    assert improved["minat baca"] == Role.EFFECT
    assert not any(u.role for u in parser.parse("Klasifikasi Jagung terhadap Padi"))


def test_the_packaged_stems_are_those_of_the_lexicon():
    assert packaged_stems() == Lexicon.read().stems(), "run scripts/stem_lexicon.py"


def test_a_parser_with_an_explicit_lexicon_parses_like_the_default_one(parser):
    explicit = TitleParser(Lexicon.read())
    titles = (PROJECT / "data" / "dataset_TA.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [explicit.parse(title) for title in titles] == [parser.parse(title) for title in titles]


def test_parts_of_the_lexicon_can_be_left_out():
    lexicon = Lexicon.read()
    without = TitleParser(lexicon.without("method"))
    assert not any(unit.field == "method" and unit.is_known for unit in without.parse("Random Forest"))
    assert not lexicon.without("place").places
    assert TitleParser(Lexicon({})).parse("Random Forest")[0].name == "random"
    assert set(lexicon.canonical_only().variants) == {c for c, _ in lexicon.variants.values()}


def test_the_lexicon_file_is_sorted_and_broad():
    canonical = [line.split(",")[0] for line in LEXICON_FILE.read_text().splitlines()[1:]]
    assert canonical == sorted(canonical)
    assert len(Lexicon.read().variants) >= 1500


def test_terms_are_of_a_known_kind_and_siblings_have_company():
    lexicon = Lexicon.read()
    assert {term.kind for term in lexicon.terms.values()} <= set(ASPECTS)
    assert {term.weight for term in lexicon.terms.values()} == set(range(MAX_WEIGHT + 1))
    sizes = [group for groups in lexicon.siblings.values() for group in groups]
    assert all(sizes.count(group) >= 2 for group in set(sizes))
    assert lexicon.ambiguous <= lexicon.places


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
def test_an_invalid_lexicon_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "lexicon.csv"
    path.write_text(text)
    with pytest.raises(LexiconError, match=words):
        Lexicon.read(path)
