import numpy as np
import pytest

from judul_lib.baselines import fit_baselines
from judul_lib.word_vectors import WordVectors

TITLES = ["Deteksi Hoaks Politik dengan SVM", "Prediksi Harga Beras dengan LSTM", "Klasifikasi Batik"]


@pytest.mark.parametrize("name", list(fit_baselines(TITLES)))
def test_every_baseline_is_bounded_and_prefers_the_same_title(name):
    score = fit_baselines(TITLES)[name]
    values = score([TITLES[0]] * 4, [TITLES[0], TITLES[1], "", "!!!"])
    assert ((values >= 0) & (values <= 1)).all()
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1]
    np.testing.assert_allclose(score([TITLES[1]], [TITLES[0]]), values[1:2], atol=1e-9)


def test_words_of_one_meaning_are_near():
    vectors = WordVectors.read()
    siswa, murid, beton, nothing = vectors.of(["siswa", "murid", "beton", "qqqqqqqq"])
    assert siswa @ murid > siswa @ beton
    assert not nothing.any()
