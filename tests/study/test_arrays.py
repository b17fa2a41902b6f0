"""The numpy-only model answers as scikit-learn does, bit by bit."""

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
def test_tfidf_rows_are_equal(fitted, texts):
    ours = arrays.from_bytes(arrays.to_bytes(*fitted))[0].transform(texts)
    theirs = fitted[0].transform(texts) if texts else ours
    np.testing.assert_array_equal(ours.toarray(), theirs.toarray())


def test_probabilities_are_equal_also_on_the_edge_of_a_split(fitted):
    _, scaler, forest = fitted
    _, our_scaler, our_forest = arrays.from_bytes(arrays.to_bytes(*fitted))
    rng = np.random.default_rng(1)
    edges = np.concatenate([tree.tree_.threshold for tree in forest.estimators_])
    scaled = np.vstack([rng.choice(edges, (2000, 3)), scaler.transform(rng.random((2000, 3)))])
    ours, theirs = our_forest.predict_proba(scaled), forest.predict_proba(scaled)
    np.testing.assert_array_equal(ours[:, 1], theirs[:, 1])
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    raw = rng.random((500, 3))
    np.testing.assert_array_equal(our_scaler.transform(raw), scaler.transform(raw))


def test_large_batches_are_cut_without_a_seam(fitted, monkeypatch):
    _, _, forest = arrays.from_bytes(arrays.to_bytes(*fitted))
    rows = np.random.default_rng(2).standard_normal((1000, 3))
    whole = forest.predict_proba(rows)
    monkeypatch.setattr(arrays, "_CELLS", 40 * 7)
    np.testing.assert_array_equal(forest.predict_proba(rows), whole)


def test_a_saved_model_holds_the_same_model_twice(trained):
    tfidf, scaler, forest = load_estimators(trained.folder)
    rows = np.random.default_rng(3).random((200, len(FEATURES)))
    ours = trained.model.forest.predict_proba(trained.model.scaler.transform(rows))
    np.testing.assert_array_equal(ours[:, 1], forest.predict_proba(scaler.transform(rows))[:, 1])
    texts = trained.processed
    assert (trained.model.tfidf.transform(texts) != tfidf.transform(texts)).nnz == 0
