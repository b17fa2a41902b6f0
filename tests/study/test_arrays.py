"""The models of plain arrays equal those of scikit-learn exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from judul_lib.checking.registry import load_estimators
from judul_lib.study import arrays
from judul_lib.study.features import FEATURES

words = st.sampled_from("padi jagung daun citra cnn lstm harga asing".split())
titles = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=6)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    features = rng.random((300, 3))
    labels = (features @ [1, 1, 1] + 0.3 * rng.standard_normal(300) > 1.5).astype(int)
    scaler = StandardScaler().fit(features)
    forest = RandomForestClassifier(40, random_state=0).fit(scaler.transform(features), labels)
    tfidf = TfidfVectorizer(ngram_range=(1, 2)).fit(["padi jagung daun citra", "cnn lstm harga padi"])
    return tfidf, scaler, forest


@given(titles)
def test_tfidf_rows_equal_scikit_learns(fitted, texts):
    result = arrays.from_bytes(arrays.to_bytes(*fitted))[0].transform(texts)
    expected = fitted[0].transform(texts) if texts else result
    np.testing.assert_array_equal(result.toarray(), expected.toarray())


def test_probabilities_equal_scikit_learns_also_at_thresholds(fitted):
    _, scaler, forest = fitted
    _, array_scaler, array_forest = arrays.from_bytes(arrays.to_bytes(*fitted))
    rng = np.random.default_rng(1)
    thresholds = np.concatenate([tree.tree_.threshold for tree in forest.estimators_])
    scaled = np.vstack([rng.choice(thresholds, (2000, 3)), scaler.transform(rng.random((2000, 3)))])
    result, expected = array_forest.predict_proba(scaled), forest.predict_proba(scaled)
    np.testing.assert_array_equal(result[:, 1], expected[:, 1])
    np.testing.assert_allclose(result, expected, atol=1e-12)
    raw = rng.random((500, 3))
    np.testing.assert_array_equal(array_scaler.transform(raw), scaler.transform(raw))


def test_probabilities_do_not_depend_on_the_chunk_size(fitted, monkeypatch):
    _, _, forest = arrays.from_bytes(arrays.to_bytes(*fitted))
    rows = np.random.default_rng(2).standard_normal((1000, 3))
    expected = forest.predict_proba(rows)
    monkeypatch.setattr(arrays, "_CELLS", 40 * 7)
    np.testing.assert_array_equal(forest.predict_proba(rows), expected)


def test_probabilities_do_not_depend_on_whether_rows_share_a_cell(fitted, monkeypatch):
    _, _, forest = arrays.from_bytes(arrays.to_bytes(*fitted))
    rows = np.repeat(np.random.default_rng(4).standard_normal((300, 3)), 2, axis=0)
    rows[::7, 1] = np.inf
    expected = forest.predict_proba(rows)
    monkeypatch.setattr(arrays, "_MAX_CELLS", 0)
    np.testing.assert_array_equal(forest.predict_proba(rows), expected)


def test_saved_arrays_equal_the_saved_estimators(trained):
    tfidf, scaler, forest = load_estimators(trained.folder)
    rows = np.random.default_rng(3).random((200, len(FEATURES)))
    result = trained.model.forest.predict_proba(trained.model.scaler.transform(rows))
    np.testing.assert_array_equal(result[:, 1], forest.predict_proba(scaler.transform(rows))[:, 1])
    texts = trained.processed
    assert (trained.model.tfidf.transform(texts) != tfidf.transform(texts)).nnz == 0
