"""Catalogue boilerplate is found, left out of the comparison, and reported."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from judul_lib.checking.registry import load_structured
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.structured.boilerplate import find_boilerplate, without_boilerplate
from judul_lib.structured.parser import packaged_parser
from judul_lib.structured.records import ParsedTitles

PARSER = packaged_parser()
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


def parse(titles):
    return ParsedTitles.from_titles(titles, PARSER)


def names(parsed):
    return [
        [parsed.units[n].name for n in parsed.numbers[start:stop]]
        for start, stop in pairwise(parsed.ends)
    ]


@pytest.mark.parametrize("tail", TAILS)
def test_a_common_tail_is_found(tail):
    parsed = parse([title + tail for title in STUDIES])
    found = find_boilerplate(parsed, PARSER.lexicon)
    assert [part.at_end for part in found] == [True]
    assert names(without_boilerplate(parsed, found)) == names(parse(STUDIES))


def test_a_common_head_is_found():
    parsed = parse([HEAD + title for title in STUDIES])
    (found,) = find_boilerplate(parsed, PARSER.lexicon)
    assert not found.at_end
    assert found.text.endswith("politeknik sagara")
    assert names(without_boilerplate(parsed, [found])) == names(parse(STUDIES))


@pytest.mark.parametrize(
    "shared",
    [
        "Rancang Bangun Sistem Informasi {}",
        "{} dengan Naive Bayes",
        "Pengaruh {} terhadap Hasil Belajar Siswa",
        "{} pada Mahasiswa",
    ],
)
def test_a_subject_that_all_titles_share_is_no_boilerplate(shared):
    things = "Parkir Arisan Cabai Ulasan Burung Surat Kopi Batik Gempa Zakat".split()
    titles = [shared.format(f"{a} {b}") for a, b in permutations(things, 2)]
    assert find_boilerplate(parse(titles), PARSER.lexicon) == ()


def test_a_city_before_the_university_is_kept():
    cities = ["di Kota Medan"] * 5 + ["di Kota Solo", "di Kota Padang"]
    titles = [f"{t} {cities[k % 7]} - Repository IAIN Permata" for k, t in enumerate(STUDIES)]
    (found,) = find_boilerplate(parse(titles), PARSER.lexicon)
    assert found.text == "repository iain permata"


def test_few_titles_or_a_small_share_of_them_have_no_boilerplate():
    marked = [title + TAILS[0] for title in STUDIES]
    assert find_boilerplate(parse(marked[:19]), PARSER.lexicon) == ()
    assert find_boilerplate(parse([*marked[:15], *STUDIES[15:]]), PARSER.lexicon) == ()


def test_a_title_that_is_mostly_boilerplate_is_left_as_it_is():
    parsed = parse([title + TAILS[2] for title in STUDIES])
    found = find_boilerplate(parsed, PARSER.lexicon)
    short = parse(["Zakat" + TAILS[2]])
    assert names(without_boilerplate(short, found)) == names(short)


@pytest.fixture(scope="module")
def model():
    return load_structured("outputs/structured")[0]


def test_boilerplate_does_not_change_the_comparison(model):
    query = "Prediksi Panen Cabai dengan Naive Bayes di Brebes"
    plain = StructuredChecker(model, STUDIES).check(query)
    for tail in TAILS[:3]:
        checker = StructuredChecker(model, [title + tail for title in STUDIES])
        for asked in (query, query + tail):
            matches = checker.check(asked)
            assert matches.titles[0] == plain.titles[0] + tail
            # Only the three features of the study still see the tail.
            np.testing.assert_allclose(matches.probability[0], plain.probability[0], atol=0.1)


def test_boilerplate_is_reported(model):
    checker = StructuredChecker(model, [title + TAILS[0] for title in STUDIES])
    assert checker.notes == [
        'Catatan: "program studi manajemen" di akhir 100 % judul arsip dianggap tambahan katalog dan '
        "tidak ikut dibandingkan."
    ]
    assert StructuredChecker(model, STUDIES).notes == []
