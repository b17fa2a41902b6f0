from itertools import pairwise

import numpy as np
import pytest

from judul_lib.evaluation.baselines import fit_baselines, fit_on_study_features
from judul_lib.structured.gold import read_gold
from judul_lib.structured.vectors import WordVectors
from tests.conftest import PROJECT

TITLES = ["Deteksi Hoaks Politik dengan SVM", "Prediksi Harga Beras dengan LSTM", "Klasifikasi Batik"]


@pytest.mark.parametrize("name", list(fit_baselines(TITLES)))
def test_baselines_are_bounded_symmetric_and_highest_for_the_same_title(name):
    score = fit_baselines(TITLES)[name]
    values = score([TITLES[0]] * 4, [TITLES[0], TITLES[1], "", "!!!"])
    assert ((values >= 0) & (values <= 1)).all()
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1]
    np.testing.assert_allclose(score([TITLES[1]], [TITLES[0]]), values[1:2], atol=1e-9)


def test_synonyms_have_near_vectors():
    vectors = WordVectors.read()
    siswa, murid, beton, unknown = vectors.embed(["siswa", "murid", "beton", "qqqqqqqq"])
    assert siswa @ murid > siswa @ beton
    assert not unknown.any()


def test_classifiers_on_study_features_are_fitted_on_gold_labels():
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv").head(210)
    for method in fit_on_study_features(gold).values():
        values = method([TITLES[0]] * 2, [TITLES[0], TITLES[1]])
        assert ((values >= 0) & (values <= 1)).all()
        assert method.n_bytes > 0


def test_vectors_are_bilingual_and_small_on_disk():
    vectors = WordVectors.read()
    pairs = [("keamanan", "security"), ("jalan", "road"), ("gempa", "earthquake"), ("guru", "teacher")]
    near = [float(np.dot(*vectors.embed(pair))) for pair in pairs]
    far = [float(np.dot(*vectors.embed((a, b)))) for (a, _), (_, b) in pairwise(pairs)]
    assert min(near) > max(far)
    path = PROJECT / "judul_lib" / "structured" / "resources" / "word_vectors.npz"
    assert path.stat().st_size <= 4_000_000
