"""The explanation names what two titles share, what differs and what only one has."""

import pytest

from judul_lib.checking.registry import load_structured
from judul_lib.structured.explanation import compare_fields, explain
from tests.conftest import PROJECT

BASE = "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman"


@pytest.fixture(scope="module")
def model():
    return load_structured(PROJECT / "outputs" / "structured")[0]


@pytest.mark.parametrize(
    ("other", "relations"),
    [
        (BASE.upper(), "sama sama sama sama"),
        ("Classification of Penyakit Daun Padi Using CNN in Sleman", "sama sama sama sama"),
        ("Klasifikasi Penyakit Daun Padi dengan SVM di Bantul", "sama berbeda sama berbeda"),
        ("Klasifikasi Motif Batik dengan CNN di Sleman", "berbeda sama sama sama"),
        ("Klasifikasi Penyakit Daun Jagung dengan CNN", "sebagian_sama sama sama hanya_di_satu_judul"),
        ("Peramalan Curah Hujan", "berbeda hanya_di_satu_judul berbeda hanya_di_satu_judul"),
    ],
)
def test_fields_are_compared_separately(model, other, relations):
    expected = [name.replace("_", " ") for name in relations.split()]
    assert [comparison.relation for comparison in compare_fields(model, BASE, other)] == expected


def test_fields_that_neither_title_names_are_left_out(model):
    assert "metode" not in explain(model, "Penyakit Padi", "Hama Padi")
    assert explain(model, "", "") == ""
    assert [c.relation for c in compare_fields(model, "", "")] == ["tidak disebut"] * 4


def test_different_values_are_shown_as_written(model):
    text = explain(model, BASE, "Klasifikasi Penyakit Daun Padi dengan SVM di Bantul")
    assert "metode berbeda: cnn – svm" in text
    assert "tempat berbeda: sleman – bantul" in text


def test_what_only_one_title_names_is_shown_with_its_side(model):
    longer = f"{BASE} Berbasis Android"
    assert "hanya di arsip: berbasis android" in explain(model, BASE, longer)
    assert "hanya di usulan: berbasis android" in explain(model, longer, BASE)
    assert "tempat hanya di usulan: sleman" in explain(model, BASE, BASE.removesuffix(" di Sleman"))


def test_an_abbreviation_is_shared_and_a_look_alike_is_not(model):
    assert "porta" in explain(model, "Pola PQZ", "Pola Porta Quux Zyx")
    text = explain(model, "Wisata Kota Bandung", "Wisata Kota Badung")
    assert "bandung – badung" in text
    assert "bandung" not in text.split("berbeda")[0]


def test_a_word_of_no_weight_is_not_a_difference(model):
    comparisons = compare_fields(model, "Gejala Penyakit Padi", "Penyakit Padi")
    assert all("gejala" not in comparison.left for comparison in comparisons)


def test_swapping_the_titles_swaps_the_sides(model):
    other = "Peramalan Harga Beras di Bantul dengan LSTM"
    forward, backward = compare_fields(model, BASE, other), compare_fields(model, other, BASE)
    assert [(c.relation, c.left, c.right) for c in forward] == [
        (c.relation, c.right, c.left) for c in backward
    ]


def test_near_terms_are_shown_as_alike(model):
    left = "Pengaruh Motivasi terhadap Kinerja Karyawan"
    right = "Pengaruh Motivasi Kerja terhadap Kinerja Karyawan"
    comparison = compare_fields(model, left, right)[0]
    assert (comparison.alike_left, comparison.alike_right) == (("motivasi",), ("motivasi kerja",))
    assert str(comparison) == "objek sama: kinerja karyawan, serupa: motivasi – motivasi kerja"


def test_an_implied_unit_is_not_a_difference(model):
    title = "Siswa Teladan dengan SAW"
    assert "sistem pendukung keputusan" not in explain(
        model, f"Sistem Pendukung Keputusan {title}", title
    )
