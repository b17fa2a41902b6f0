"""Units of two titles are the same, near or siblings as specified, and so are record features."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.structured.comparison import RECORD_FEATURES, align, record_features
from judul_lib.structured.lexicon import RELATIONS, RELATIONS_FILE, Lexicon, Term
from judul_lib.structured.parser import TitleParser, packaged_parser
from judul_lib.structured.records import ParsedTitles, RecordTable, UnitCounts
from judul_lib.structured.relations import (
    LEXICON_NEARNESS,
    Relations,
    find_abbreviations,
    mark_abbreviations,
)
from judul_lib.structured.vectors import WordVectors

PARSER, VECTORS = packaged_parser(), WordVectors.read()
WORDS = (
    "padi jagung cnn svm siswa sma 1 2 v medan harga pengaruh terhadap kinerja xyzzy xzy pt di pada "
    "klasifikasi klasifkasi berbasis web untuk meningkatkan per quux pq perquux yolov5 ( ) "
    "data mining datamining sistem informasi sisteminformasi naive bayes sekolah menengah atas xper"
).split()
TITLES = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


def make_table(*titles, parser=PARSER, counts=None):
    return RecordTable.from_parsed(
        ParsedTitles.from_titles(titles, parser), parser.lexicon, VECTORS, counts
    )


def matched(left, right):
    """Return the texts of the units of the left title that are matched in the right one."""
    tables, row = (make_table(left), make_table(right)), np.array([0])
    pairs = align(*tables, row, row, Relations.between(*(table.units for table in tables)))
    units = zip(tables[0].parse(0), pairs.left.matched[0].tolist(), strict=False)
    return {unit.text for unit, is_matched in units if is_matched}


def features(left, right):
    row = np.array([0])
    values = record_features(make_table(left), make_table(right), row, row)[0]
    return dict(zip(RECORD_FEATURES, values.tolist(), strict=True))


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
def test_a_typing_error_is_the_same_word_and_another_dictionary_word_is_not(left, right, same):
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
def test_an_abbreviation_matches_its_long_form_without_the_lexicon(short, long, same):
    units = {unit.text for unit in make_table(long).parse(0)}
    assert matched(long, short) == same & units


def test_two_letters_in_the_lexicon_are_no_other_abbreviation():
    left, right = "Aset PT Xolo", "Pariwisata Tomohon"
    assert matched(left, right) == matched(right, left) == set()


@given(TITLES, st.lists(TITLES, min_size=1, max_size=8))
def test_abbreviations_of_many_titles_at_once_are_those_of_each_pair(title, others):
    table, other_table = make_table(title), make_table(*others)
    cells = find_abbreviations(table, 0, other_table).tolist()
    for row in range(len(other_table)):
        left, right = table.parse(0), other_table.parse(row)
        same, at_once = np.zeros((2, len(left), len(right)), dtype=bool)
        mark_abbreviations(left, right, same)
        for _, first, last, other_first, other_last in (cell for cell in cells if cell[0] == row):
            at_once[first : last + 1, other_first : other_last + 1] = True
        equal = [[(a.text, a.field) == (b.text, b.field) for b in right] for a in left]
        equal = np.array(equal, dtype=bool).reshape(same.shape)
        assert (at_once | equal).tolist() == (same | equal).tolist()


def test_siblings_are_never_the_same():
    lexicon = Lexicon(
        {"aaaaa": ("aaaaa", "object"), "aaaab": ("aaaab", "object")},
        {"aaaaa": Term("E", 3)},
        {"aaaaa": frozenset([0]), "aaaab": frozenset([0])},
    )
    table = make_table("aaaaa", "aaaab", "aaaac", parser=TitleParser(lexicon))
    relations = Relations.between(table.units, table.units)
    assert not (relations.same & relations.siblings).any()
    assert not relations.siblings[2].any()


def test_a_term_that_contains_another_is_near_but_not_the_same():
    table = make_table("Motivasi", "Motivasi Kerja")
    relations = Relations.between(table.units, table.units)
    assert relations.near[0, 1] >= 0.8
    assert not relations.same[0, 1]


def test_two_places_are_never_near():
    table = make_table("Harga di Sleman", "Harga di Bantul")
    near = Relations.between(table.units, table.units).near
    places = np.flatnonzero(table.units.is_place)
    assert len(places) == 2
    assert not near[np.ix_(places, places)].any()


@given(TITLES, TITLES)
def test_features_are_symmetric(left, right):
    assert features(left, right) == pytest.approx(features(right, left), abs=1e-9)


@given(TITLES)
def test_a_title_is_matched_completely_with_itself(title):
    values = features(title, title)
    differences = ("_left_", "_far_", "_worst_", "_count", "_sibling", "_numbers_", "_swapped")
    assert not any(v for name, v in values.items() if any(part in name for part in differences))
    shares = [value for name, value in values.items() if "_share_" in name]
    assert all(share == pytest.approx(1) or share == 0 for share in shares)


@given(TITLES, TITLES, TITLES)
def test_a_pair_does_not_depend_on_its_batch(first, second, third):
    left, right = (first, second), (third, first)
    rows = np.array([0, 1, 1]), np.array([1, 0, 1])
    together = record_features(make_table(*left), make_table(*right), *rows)
    for (i, j), row in zip(zip(*rows, strict=True), together, strict=True):
        alone = features(left[i], right[j])
        np.testing.assert_allclose(row, list(alone.values()), atol=1e-6)


def test_units_that_are_rare_in_the_archive_weigh_more():
    counts = UnitCounts.fit(["Padi di Solo", "Padi", "Padi", "Kopi"], PARSER)
    assert counts.rarity("padi") < counts.rarity("kopi") < counts.rarity("jambu") == 1
    joined = counts + UnitCounts.fit(["Kopi"] * 3, PARSER)
    assert (joined.counts["kopi"], joined.n_titles) == (2, 4)
    rare, common = (make_table(title, counts=counts) for title in ("Jambu", "Padi"))
    assert rare.units.rarity[0] > common.units.rarity[0]


@given(st.lists(TITLES, min_size=1, max_size=6), st.data())
def test_some_rows_of_a_table_are_the_table_of_these_titles(titles, data):
    rows = data.draw(st.lists(st.integers(0, len(titles) - 1), min_size=1, max_size=6))
    taken = make_table(*titles).take(np.array(rows))
    expected = make_table(*(titles[row] for row in rows))
    for row in range(len(rows)):
        assert taken.parse(row) == expected.parse(row)
    assert taken.words.initials == expected.words.initials
    assert taken.words.letters == expected.words.letters
    np.testing.assert_array_equal(taken.roles, expected.roles)


def test_swapped_cause_and_effect_are_noticed():
    left, right = "Pengaruh Stres terhadap Tidur", "Pengaruh Tidur terhadap Stres"
    assert features(left, right)["text_roles_swapped"] > 0
    assert features(left, right)["text_inversions"] == 1
    assert features(left, left)["text_roles_swapped"] == features(left, left)["text_inversions"] == 0


def relation(left, right):
    relations = Relations.between(make_table(left).units, make_table(right).units)
    return relations.same[0, 0], relations.siblings[0, 0], relations.near[0, 0]


def test_relations_of_the_lexicon_hold_both_ways():
    for terms in (("Motivasi", "Motivasi Kerja"), ("Motivasi Kerja", "Motivasi")):
        assert relation(*terms) == (False, False, np.float32(LEXICON_NEARNESS))
    assert relation("Diversitas", "Keanekaragaman")[0]
    relations = Lexicon.read().relations
    for term, row in relations.items():
        assert all(relations[other][term] == kind for other, kind in row.items())


def test_each_pair_of_terms_has_one_known_relation_and_no_term_has_one_with_itself():
    for term, row in Lexicon.read().relations.items():
        assert set(row.values()) <= set(RELATIONS)
        assert term not in row
    rows = RELATIONS_FILE.read_text(encoding="utf-8").splitlines()[1:]
    pairs = [tuple(row.rsplit(",", 1)[0].split(",")) for row in rows]
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) > 7000
    assert pairs == sorted(pairs)


def test_no_two_terms_imply_each_other():
    implied = Lexicon.read().implied
    assert all(term not in implied.get(other, ()) for term, row in implied.items() for other in row)
    assert all(term not in row for term, row in implied.items())


def test_implied_units_are_no_difference():
    title = "Pemilihan Siswa Teladan dengan Simple Additive Weighting"
    values = features(f"Sistem Pendukung Keputusan {title}", title)
    assert values["text_far_weight_more"] == 0
    # It is not implied by a title without the method.
    values = features("Sistem Pendukung Keputusan Pemilihan Siswa Teladan", "Siswa Teladan")
    assert values["text_far_weight_more"] > 0


def test_the_subject_excludes_task_and_method():
    values = features(
        "Klasifikasi Buku Menggunakan Naive Bayes",
        "Klasifikasi Tipe Rumah Sakit Menggunakan Naive Bayes",
    )
    assert values["subject_share_more"] == 0  # The subject of the second title is the institution.
    assert values["text_share_both_less"] > 0
    values = features("Klasifikasi Penyakit Padi dengan SVM", "Prediksi Penyakit Padi dengan CNN")
    assert values["subject_share_less"] == 1


def test_another_part_of_one_product_is_noticed():
    values = features("Pembuatan Animasi pada Aplikasi Otoku", "Pembuatan Maskot pada Aplikasi Otoku")
    assert values["text_part_left"] > 0
    assert features("Aplikasi Otoku Modul Kasir", "Aplikasi Otoku Modul Gudang")["text_part_left"] > 0
    assert features("Animasi Otoku", "Maskot Otoku")["text_part_left"] == 0
