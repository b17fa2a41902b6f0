import pytest

from judul_lib.registry import load_structured
from judul_lib.verdicts import compare_fields, explain
from tests.conftest import PROJECT

BASE = "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman"


@pytest.fixture(scope="module")
def model():
    return load_structured(PROJECT / "outputs" / "structured")[0]


@pytest.mark.parametrize(
    ("other", "relations"),
    [
        (BASE.upper(), "sama sama sama sama"),
        ("Rice Leaf Disease Classification Using CNN in Sleman", "sama sama sama sama"),
        ("Klasifikasi Penyakit Daun Padi dengan SVM di Bantul", "sama berbeda sama berbeda"),
        ("Klasifikasi Motif Batik dengan CNN di Sleman", "berbeda sama sama sama"),
        ("Peramalan Curah Hujan", "berbeda disebut_di_satu_judul berbeda disebut_di_satu_judul"),
    ],
)
def test_the_fields_are_compared_one_by_one(model, other, relations):
    expected = [name.replace("_", " ") for name in relations.split()]
    assert [c.relation for c in compare_fields(model, BASE, other)] == expected


def test_what_neither_names_is_not_told(model):
    told = explain(model, "Penyakit Padi", "Hama Padi")
    assert "metode" not in told
    assert explain(model, "", "") == ""


def test_different_values_stand_side_by_side(model):
    told = explain(model, BASE, "Klasifikasi Penyakit Daun Padi dengan SVM di Bantul")
    assert "metode berbeda: cnn – svm" in told
    assert "tempat berbeda: sleman – bantul" in told


def test_comparing_the_other_way_round_says_the_same(model):
    other = "Peramalan Harga Beras di Bantul dengan LSTM"
    forward, backward = compare_fields(model, BASE, other), compare_fields(model, other, BASE)
    assert [(c.relation, c.left, c.right) for c in forward] == [
        (c.relation, c.right, c.left) for c in backward
    ]
