"""What a catalogue adds to the titles of an archive is found, left out of the comparison, and said."""

import numpy as np
import pytest

from judul_lib.checking.registry import load_structured
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.structured.boilerplate import find_boilerplate, without_boilerplate
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.records import ParsedTitles

PARSER = TitleParser()
STUDIES = [
    f"{task} {thing} {means}"
    for task in ("Rancang Bangun Sistem Informasi", "Prediksi", "Klasifikasi", "Analisis Sentimen")
    for thing in ("Parkir", "Arisan", "Panen Cabai", "Ulasan Hotel", "Suara Burung", "Surat Masuk")
    for means in ("dengan Naive Bayes", "Berbasis Web")
]
TAILS = (
    " (Program Studi Manajemen)",
    ". Other Thesis, Universitas Cakra Buana",
    " - Repository IAIN Bukit Permata",
    ", Fakultas Teknik Universitas Cakra Buana",
)
HEAD = "Laporan Tugas Akhir Diploma III Teknik Elektro Politeknik Sagara: "


def read(titles):
    return ParsedTitles.from_titles(titles, PARSER)


def names(reading):
    return [
        [reading.units[n].name for n in reading.numbers[start:stop]]
        for start, stop in zip(reading.ends, reading.ends[1:], strict=False)
    ]


@pytest.mark.parametrize("tail", TAILS)
def test_what_stands_behind_every_title_is_found(tail):
    reading = read([title + tail for title in STUDIES])
    found = find_boilerplate(reading, PARSER.lexicon)
    assert [part.at_end for part in found] == [True]
    assert names(without_boilerplate(reading, found)) == names(read(STUDIES))


def test_what_stands_before_every_title_is_found():
    reading = read([HEAD + title for title in STUDIES])
    (found,) = find_boilerplate(reading, PARSER.lexicon)
    assert not found.at_end
    assert found.text.endswith("politeknik sagara")
    assert names(without_boilerplate(reading, [found])) == names(read(STUDIES))


@pytest.mark.parametrize(
    "shared",
    [
        "Rancang Bangun Sistem Informasi {}",
        "{} dengan Naive Bayes",
        "Pengaruh {} terhadap Hasil Belajar Siswa",
        "{} pada Mahasiswa",
    ],
)
def test_what_studies_are_about_is_none_however_many_are_about_it(shared):
    things = "Parkir Arisan Cabai Ulasan Burung Surat Kopi Batik Gempa Zakat".split()
    titles = [shared.format(f"{one} {other}") for one in things for other in things if one != other]
    assert find_boilerplate(read(titles), PARSER.lexicon) == ()


def test_a_city_before_the_university_stays_the_titles_own():
    cities = ["di Kota Medan"] * 5 + ["di Kota Solo", "di Kota Padang"]
    titles = [f"{t} {cities[k % 7]} - Repository IAIN Permata" for k, t in enumerate(STUDIES)]
    (found,) = find_boilerplate(read(titles), PARSER.lexicon)
    assert found.text == "repository iain permata"


def test_few_titles_or_a_small_share_are_no_archives_habit():
    marked = [title + TAILS[0] for title in STUDIES]
    assert find_boilerplate(read(marked[:19]), PARSER.lexicon) == ()
    assert find_boilerplate(read([*marked[:15], *STUDIES[15:]]), PARSER.lexicon) == ()


def test_a_title_that_is_little_else_is_left_whole():
    reading = read([title + TAILS[2] for title in STUDIES])
    found = find_boilerplate(reading, PARSER.lexicon)
    short = read(["Zakat" + TAILS[2]])
    assert names(without_boilerplate(short, found)) == names(short)


@pytest.fixture(scope="module")
def model():
    return load_structured("outputs/structured")[0]


def test_a_title_is_compared_as_if_the_catalogue_had_added_nothing(model):
    query = "Prediksi Panen Cabai dengan Naive Bayes di Brebes"
    plain = StructuredChecker(model, STUDIES).check(query)
    for tail in TAILS[:3]:
        checker = StructuredChecker(model, [title + tail for title in STUDIES])
        for asked in (query, query + tail):
            found = checker.check(asked)
            assert found.titles[0] == plain.titles[0] + tail
            # The study's three features see the letters; little of the answer is theirs.
            np.testing.assert_allclose(found.probability[0], plain.probability[0], atol=0.1)


def test_it_is_said(model):
    checker = StructuredChecker(model, [title + TAILS[0] for title in STUDIES])
    assert checker.notes == [
        'Catatan: "program studi manajemen" di akhir 100 % judul arsip dianggap tambahan katalog dan '
        "tidak ikut dibandingkan."
    ]
    assert StructuredChecker(model, STUDIES).notes == []
