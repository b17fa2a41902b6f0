"""What counts as the same in two titles: one term, a typing error, an abbreviation, joined letters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.structured.comparison import RECORD_FEATURES, align, record_features
from judul_lib.structured.lexicon import RELATIONS, RELATIONS_FILE, Lexicon, Term
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.records import ParsedTitles, RecordTable, UnitCounts
from judul_lib.structured.relations import (
    LEXICON_NEARNESS,
    Relations,
    find_abbreviations,
    mark_abbreviations,
)
from judul_lib.structured.vectors import WordVectors

PARSER, VECTORS = TitleParser(), WordVectors.read()
WORDS = (
    "padi jagung cnn svm siswa sma 1 2 v medan harga pengaruh terhadap kinerja xyzzy xzy pt di pada "
    "klasifikasi klasifkasi berbasis web untuk meningkatkan per quux pq perquux yolov5 ( )"
).split()
TITLES = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


def read(*titles, parser=PARSER, counts=None):
    return RecordTable.from_parsed(
        ParsedTitles.from_titles(titles, parser), parser.lexicon, VECTORS, counts
    )


def matched(left, right):
    """The texts of the left title that have a counterpart in the right one."""
    one, other = read(left), read(right)
    pairs = align(one, other, np.array([0]), np.array([0]), Relations.between(one.units, other.units))
    found = zip(one.parse(0), pairs.left.matched[0].tolist(), strict=False)
    return {unit.text for unit, is_matched in found if is_matched}


def features(left, right):
    one, other = read(left), read(right)
    row = record_features(one, other, np.array([0]), np.array([0]))[0]
    return dict(zip(RECORD_FEATURES, row.tolist(), strict=True))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Zyxwvut", "Zyxwvtu", True),  # two letters changed places
        ("Qwertzuiopas", "Qwertzuopsa", True),  # two errors in a long word
        ("Zyxwvut", "Zyxwvab", False),  # two errors in a short one
        ("Zyxwvut", "Ayxwvut", False),  # the first letter must be right
        ("Xolo", "Xola", False),  # too short to guess
        ("Padang", "Ladang", False),
        ("Kelapa", "Kepala", False),  # both words exist
        ("Tanaman", "Tanaaman", True),
    ],
)
def test_a_typing_error_is_the_same_word_and_a_word_that_exists_is_not(left, right, same):
    assert bool(matched(left, right)) is same
    assert bool(matched(right, left)) is same


def test_a_city_of_similar_name_and_another_number_are_not_the_same():
    assert "bandung" not in matched("Perpustakaan di Bandung", "Perpustakaan di Badung")
    assert "5" not in matched("Deteksi YOLO 5", "Deteksi YOLO 8")
    assert "2" not in matched("Budaya SMA Negeri 2 Xolo", "Deteksi Menggunakan Zyxwv 2")


@pytest.mark.parametrize(
    ("short", "long", "same"),
    [
        ("Metode PQZ", "Metode Porta Quux Zyx", {"porta", "quux", "zyx"}),
        ("Metode Portaquux", "Metode Porta Quux Zyx", {"porta", "quux"}),
        ("Metode Quu", "Metode Porta Quux Zyx", set()),
    ],
)
def test_an_abbreviation_meets_its_long_form_without_the_lexicon(short, long, same):
    units = {unit.text for unit in read(long).parse(0)}
    assert matched(long, short) == same & units


def test_two_letters_that_the_lexicon_knows_abbreviate_nothing_else():
    left, right = "Aset PT Xolo", "Pariwisata Tomohon"
    assert matched(left, right) == matched(right, left) == set()


@given(TITLES, st.lists(TITLES, min_size=1, max_size=8))
def test_abbreviations_of_many_titles_at_once_are_those_of_each_pair(title, others):
    one, table = read(title), read(*others)
    found = find_abbreviations(one, 0, table).tolist()
    for row in range(len(table)):
        left, right = one.parse(0), table.parse(row)
        same, at_once = np.zeros((2, len(left), len(right)), dtype=bool)
        mark_abbreviations(left, right, same)
        for _, first, last, other_first, other_last in (cell for cell in found if cell[0] == row):
            at_once[first : last + 1, other_first : other_last + 1] = True
        assert at_once.tolist() == same.tolist()


def test_siblings_exclude_each_other_and_are_never_the_same():
    lexicon = Lexicon(
        {"aaaaa": ("aaaaa", "object"), "aaaab": ("aaaab", "object")},
        {"aaaaa": Term("E", 3)},
        {"aaaaa": frozenset([0]), "aaaab": frozenset([0])},
    )
    table = read("aaaaa", "aaaab", "aaaac", parser=TitleParser(lexicon))
    relations = Relations.between(table.units, table.units)
    assert relations.siblings.tolist() == (~relations.same & relations.siblings).tolist()
    assert not (relations.same & relations.siblings).any()
    assert not relations.siblings[2].any()


def test_a_term_that_holds_the_words_of_another_is_near_but_not_the_same():
    table = read("Motivasi", "Motivasi Kerja")
    relations = Relations.between(table.units, table.units)
    assert relations.near[0, 1] >= 0.8
    assert not relations.same[0, 1]


def test_two_places_are_never_near():
    table = read("Harga di Sleman", "Harga di Bantul")
    near = Relations.between(table.units, table.units).near
    places = np.flatnonzero(table.units.is_place)
    assert len(places) == 2
    assert not near[np.ix_(places, places)].any()


@given(TITLES, TITLES)
def test_which_of_two_titles_comes_first_does_not_count(left, right):
    assert features(left, right) == pytest.approx(features(right, left), abs=1e-9)


@given(TITLES)
def test_a_title_against_itself_leaves_nothing_over(title):
    found = features(title, title)
    over = ("_left_", "_far_", "_worst_", "_count", "_sibling", "_numbers_", "_swapped")
    assert not any(value for name, value in found.items() if any(part in name for part in over))
    shares = [value for name, value in found.items() if "_share_" in name]
    assert all(share == pytest.approx(1) or share == 0 for share in shares)


@given(TITLES, TITLES, TITLES)
def test_a_pair_is_compared_as_if_it_were_alone(first, second, third):
    one, both = read(first, second), read(third, first)
    rows = np.array([0, 1, 1]), np.array([1, 0, 1])
    together = record_features(one, both, *rows)
    for (i, j), row in zip(zip(*rows, strict=True), together, strict=True):
        alone = features((first, second)[i], (third, first)[j])
        np.testing.assert_allclose(row, list(alone.values()), atol=1e-6)


def test_what_is_rare_in_the_archive_weighs_more():
    counts = UnitCounts.fit(["Padi di Solo", "Padi", "Padi", "Kopi"], PARSER)
    assert counts.rarity("padi") < counts.rarity("kopi") < counts.rarity("jambu") == 1
    joined = counts + UnitCounts.fit(["Kopi"] * 3, PARSER)
    assert (joined.counts["kopi"], joined.n_titles) == (2, 5 - 1 + 0)
    rare, common = (read(title, counts=counts) for title in ("Jambu", "Padi"))
    assert rare.units.rarity[0] > common.units.rarity[0]


@given(st.lists(TITLES, min_size=1, max_size=6), st.data())
def test_some_rows_of_a_table_are_the_table_of_these_titles(titles, data):
    rows = data.draw(st.lists(st.integers(0, len(titles) - 1), min_size=1, max_size=6))
    taken, fresh = read(*titles).take(np.array(rows)), read(*(titles[row] for row in rows))
    assert [taken.parse(k) for k in range(len(rows))] == [fresh.parse(k) for k in range(len(rows))]
    assert (taken.words.initials, taken.words.letters) == (fresh.words.initials, fresh.words.letters)
    np.testing.assert_array_equal(taken.roles, fresh.roles)


def test_what_is_the_cause_in_the_one_and_the_effect_in_the_other_is_seen():
    one, other = "Pengaruh Stres terhadap Tidur", "Pengaruh Tidur terhadap Stres"
    assert features(one, other)["text_roles_swapped"] > 0
    assert features(one, other)["text_inversions"] == 1
    assert features(one, one)["text_roles_swapped"] == features(one, one)["text_inversions"] == 0


def relation(one, other):
    left, right = read(one), read(other)
    found = Relations.between(left.units, right.units)
    return tuple(values[0, 0] for values in (found.same, found.siblings, found.near))


def test_what_the_lexicon_says_of_two_terms_holds_both_ways():
    for one, other in (("Motivasi", "Motivasi Kerja"), ("Motivasi Kerja", "Motivasi")):
        same, siblings, near = relation(one, other)
        assert (same, siblings) == (False, False)
        assert near == np.float32(LEXICON_NEARNESS)
    assert relation("Diversitas", "Keanekaragaman")[0]
    told = Lexicon.read().relations
    one, other = next((a, b) for a, row in told.items() for b, what in row.items() if what == "sibling")
    assert told[other][one] == "sibling"


def test_the_relations_are_known_terms_once_and_no_place():
    lexicon = Lexicon.read()
    for one, row in lexicon.relations.items():
        assert set(row.values()) <= set(RELATIONS)
        assert one not in row
    rows = RELATIONS_FILE.read_text(encoding="utf-8").splitlines()[1:]
    pairs = [tuple(row.rsplit(",", 1)[0].split(",")) for row in rows]
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) > 7000
    assert pairs == sorted(pairs)


def test_no_two_terms_say_each_other_already():
    implied = Lexicon.read().implied
    assert all(term not in implied.get(other, ()) for term, row in implied.items() for other in row)
    assert all(term not in row for term, row in implied.items())


def test_what_another_unit_says_already_is_not_left_over():
    plain = "Pemilihan Siswa Teladan dengan Simple Additive Weighting"
    found = features(f"Sistem Pendukung Keputusan {plain}", plain)
    assert found["text_far_weight_more"] == 0
    # Without the method in the title it says something of its own.
    found = features("Sistem Pendukung Keputusan Pemilihan Siswa Teladan", "Siswa Teladan")
    assert found["text_far_weight_more"] > 0


def test_the_subject_is_what_a_title_speaks_of_not_how():
    found = features(
        "Klasifikasi Buku Menggunakan Naive Bayes",
        "Klasifikasi Tipe Rumah Sakit Menggunakan Naive Bayes",
    )
    assert found["subject_share_more"] == 0  # The institution is what the second title speaks of.
    assert found["text_share_both_less"] > 0
    found = features("Klasifikasi Penyakit Padi dengan SVM", "Prediksi Penyakit Padi dengan CNN")
    assert found["subject_share_less"] == 1


def test_another_part_of_one_product_is_seen():
    found = features("Pembuatan Animasi pada Aplikasi Otoku", "Pembuatan Maskot pada Aplikasi Otoku")
    assert found["text_part_left"] > 0
    assert features("Aplikasi Otoku Modul Kasir", "Aplikasi Otoku Modul Gudang")["text_part_left"] > 0
    assert features("Animasi Otoku", "Maskot Otoku")["text_part_left"] == 0
