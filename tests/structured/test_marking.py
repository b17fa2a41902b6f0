"""Words are marked in both titles where the comparison has matched their units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.checking.registry import load_structured
from judul_lib.structured.marking import mark_pairs, word_spans
from judul_lib.structured.words import split_title
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def model():
    return load_structured(PROJECT / "outputs" / "structured")[0]


def marked(pieces):
    return [piece.text for piece in pieces if piece.is_matched]


@pytest.mark.parametrize(
    ("left", "right", "in_left", "in_right"),
    [
        (
            "Klasifikasi Penyakit Padi dengan Convolutional Neural Network",
            "KLASIFIKASI PENYAKIT PADI MENGGUNAKAN CNN DAN SVM",
            ["Klasifikasi Penyakit Padi", "Convolutional Neural Network"],
            ["KLASIFIKASI PENYAKIT PADI", "CNN"],
        ),
        ("Deteksi Hoaks", "Deteksi Berita Bohong", ["Deteksi Hoaks"], ["Deteksi Berita Bohong"]),
        ("Analisa Harga Padi", "Harga Jagung", ["Harga"], ["Harga"]),
        ("Kinerja Guru disleman", "Kinerja Guru di Sleman", ["Kinerja Guru disleman"], None),
        ("Judul: YOLOv8 pada Padi", "Penerapan YOLOv8 untuk Jagung", ["YOLOv8"], ["YOLOv8"]),
        ("Hama <b>Padi</b> &amp; Jagung", "Hama Padi", ["Hama", "Padi"], ["Hama Padi"]),
        ("Peramalan Curah Hujan", "Motif Batik", [], []),
    ],
)
def test_matched_units_are_marked_as_written(model, left, right, in_left, in_right):
    ((pieces, other_pieces),) = mark_pairs(model, left, [right])
    assert marked(pieces) == in_left
    if in_right is not None:
        assert marked(other_pieces) == in_right


def test_each_other_title_has_its_own_marks(model):
    others = ["Deteksi Spam", "Prediksi Hoaks"]
    first, second = mark_pairs(model, "Deteksi Hoaks", others)
    assert (marked(first[0]), marked(second[0])) == (["Deteksi"], ["Hoaks"])
    assert mark_pairs(model, "Deteksi Hoaks", []) == []


TITLES = st.text(st.sampled_from("aegiknpsu ADI 28.-&;<>/'é\u202e\u00ad\u0130ß"), max_size=40) | st.text(
    max_size=40
)


@given(left=TITLES, right=TITLES)
def test_pieces_are_the_whole_title(model, left, right):
    for title, pieces in zip((left, right), mark_pairs(model, left, [right])[0], strict=True):
        assert "".join(piece.text for piece in pieces) == title


@given(title=TITLES)
def test_every_word_has_a_place_in_order(title):
    spans = [span for span in word_spans(title) if span]
    assert len(word_spans(title)) == len(split_title(title))
    assert spans == sorted(spans)
    assert all(0 <= start < stop <= len(title) for start, stop in spans)
