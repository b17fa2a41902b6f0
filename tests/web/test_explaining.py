"""What is the same, what to change, what to ask: only what the comparison has found."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib import load_checker
from judul_lib.checking.matches import ELSEWHERE_REMARK, DecidedPair
from judul_lib.search.index import TitleIndex
from judul_lib.structured.explanation import FIELD_NAMES, FieldComparison
from judul_lib.structured.parser import TitleParser
from judul_lib.web.explaining import (
    advice,
    explain_matches,
    field_rows,
    relation_of,
    structured_checker,
    years_filter,
)
from tests.conftest import PROJECT

TITLE = "Klasifikasi Penyakit Padi dengan CNN di Sleman"
OTHERS = ["Klasifikasi Penyakit Padi dengan SVM di Bantul", "Motif Batik Pesisir"]
DETAILS = {OTHERS[0]: {"Penulis": "Siti", "Tahun": "2020", "NIM": "123"}, OTHERS[1]: {"Tahun": "?"}}


@pytest.fixture(scope="module")
def checker():
    return load_checker(PROJECT / "outputs" / "structured", OTHERS)


@pytest.mark.parametrize(
    ("comparison", "relation"),
    [
        (FieldComparison("object", ("padi",), (), ()), "sama"),
        (FieldComparison("object", ("padi",), ("hama",), ()), "sebagian sama"),
        (FieldComparison("object", ("padi",), ("hama",), ("gulma",)), "sebagian sama"),
        (FieldComparison("object", (), (), (), ("siswa",), ("murid",)), "serupa"),
        (FieldComparison("object", (), ("padi",), ("jagung",)), "berbeda"),
        (FieldComparison("object", (), ("padi",), ()), "hanya di usulan"),
        (FieldComparison("object", (), (), ("padi",)), "hanya di arsip"),
        (FieldComparison("object", (), (), ()), "tidak disebut"),
    ],
)
def test_the_relation_says_who_has_more(comparison, relation):
    assert relation_of(comparison) == relation


def test_a_match_is_explained_field_by_field(checker):
    first, second = explain_matches(TITLE, checker.check(TITLE), checker, DETAILS)
    assert (first.title, first.about) == (OTHERS[0], "Siti, 2020")
    relations = {row.name: row.relation for row in first.fields}
    assert relations == {"tugas": "sama", "objek": "sama", "metode": "berbeda", "tempat": "berbeda"}
    assert [piece.text for piece in first.right if piece.is_matched] == ["Klasifikasi Penyakit Padi"]
    assert not any(piece.is_matched for piece in second.left)


def test_the_models_of_the_study_mark_common_stems():
    light = load_checker(PROJECT / "outputs" / "light", OTHERS)
    assert structured_checker(light) is None
    first = explain_matches(TITLE, light.check(TITLE), light, {})[0]
    assert (first.fields, first.comparisons) == ([], [])
    assert [piece.text for piece in first.right if piece.is_matched] == [
        "Klasifikasi",
        "Penyakit",
        "Padi",
    ]


def test_titles_of_the_archive_are_not_read_again_and_compare_as_if_they_were(checker, monkeypatch):
    rows = np.zeros(2, dtype=np.intp), np.arange(2)
    unknown = "Hama Jagung"  # Makes the checker read all.
    expected = checker.compare([TITLE], [*OTHERS, unknown]).features(*rows)
    explained = explain_matches(TITLE, checker.check(TITLE), checker.with_titles([unknown]), {})
    read = []
    parse = TitleParser.parse
    monkeypatch.setattr(
        TitleParser, "parse", lambda self, title: (read.append(title), parse(self, title))[1]
    )
    np.testing.assert_array_equal(checker.compare([TITLE], OTHERS).features(*rows), expected)
    again = explain_matches(TITLE, checker.check(TITLE), checker, {})
    assert set(read) == {TITLE}
    assert [match.fields for match in again] == [match.fields for match in explained]


def test_an_index_is_explained_as_its_checker(checker):
    index = TitleIndex.build(OTHERS, PROJECT / "outputs" / "structured")
    found = explain_matches(TITLE, index.check(TITLE), index, {})
    assert [match.fields for match in found] == [
        match.fields for match in explain_matches(TITLE, checker.check(TITLE), checker, {})
    ]


@pytest.mark.parametrize(
    ("object_", "method", "place", "question"),
    [
        ((("padi",), (), ()), (("cnn",), (), ()), ((), ("solo",), ("bantul",)), "berbeda di solo"),
        ((("padi",), (), ()), ((), ("cnn",), ("svm",)), ((), (), ()), "terjawab dengan cnn"),
        (((), ("padi",), ("jagung",)), (("cnn",), (), ()), ((), (), ()), "meneliti padi dengan"),
        ((("padi",), (), ()), (("cnn",), ("svm",), ()), ((), (), ()), "apakah svm mengubah"),
        ((("padi",), (), ()), (("cnn",), (), ("svm",)), ((), (), ()), "apakah svm sengaja"),
        ((("padi",), (), ()), (("cnn",), (), ()), ((), (), ()), "apa yang akan diketahui"),
    ],
)
def test_the_question_is_about_the_difference(object_, method, place, question):
    named = zip(("object", "method", "place"), (object_, method, place), strict=True)
    sentences = advice("MIRIP", [FieldComparison(field, *values) for field, values in named])
    assert question in sentences[-1]
    assert sentences[-1].startswith("Pertanyaan pembimbing")


NAMES = st.lists(st.sampled_from(["padi", "cnn", "solo", "siswa"]), max_size=2, unique=True).map(tuple)
COMPARISONS = st.tuples(NAMES, NAMES, NAMES)


@given(
    found=st.dictionaries(st.sampled_from(list(FIELD_NAMES)), COMPARISONS),
    label=st.sampled_from(["MIRIP", "TANYAKAN", "TIDAK MIRIP"]),
)
def test_nothing_is_said_that_was_not_found(found, label):
    comparisons = [FieldComparison(field, *values) for field, values in found.items()]
    text = " ".join(advice(label, comparisons))
    known = {name for values in found.values() for names in values for name in names}
    assert {name for name in ("padi", "cnn", "solo", "siswa") if name in text} <= known
    assert bool(text) == bool(known)
    if label == "TIDAK MIRIP":
        assert "Pertanyaan" not in text
    assert len(field_rows(comparisons)) == sum(any(values) for values in found.values())


def test_years_leave_out_titles_without_a_year(checker):
    matches = explain_matches(TITLE, checker.check(TITLE), checker, DETAILS)
    assert [match.title for match in years_filter(matches, DETAILS, (2019, 2021))] == [OTHERS[0]]
    assert years_filter(matches, DETAILS, (2021, 9999)) == []


def test_the_label_of_a_match_has_a_class(checker):
    matches = checker.check(TITLE).with_threshold(0.0)
    assert np.all([match.style == "mirip" for match in explain_matches(TITLE, matches, checker, {})])


def test_the_reason_is_the_part_of_the_remark_that_the_table_does_not_tell(checker):
    matches = checker.check(TITLE)
    decided = DecidedPair("TIDAK MIRIP", "sudah diputuskan: sama oleh Komisi, 02-01-2026")
    for changed, reason in (
        (matches, ""),
        (replace(matches, probability=np.zeros(2), asked=np.full(2, 0.9)), ELSEWHERE_REMARK),
        (replace(matches, decided={OTHERS[0]: decided}), decided.remark),
    ):
        first, _ = explain_matches(TITLE, changed, checker, {})
        assert first.reason == reason
        assert first.remark == "; ".join(filter(None, (reason, matches.shared[0])))


def test_the_advice_cuts_no_name_off_in_silence():
    places = tuple("abcdefghij")
    few, many = (FieldComparison("place", places[:n], (), ()) for n in (8, 10))
    assert "tempat (a, b, c, d, e, f, g, h)." in advice("TIDAK MIRIP", [few])[0]
    assert "h, dan lain-lain)." in advice("TIDAK MIRIP", [many])[0]
