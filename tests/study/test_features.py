import Levenshtein
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from judul_lib.core.settings import FEATURE_TITLES
from judul_lib.core.texts import page_text
from judul_lib.study.features import FEATURES, TitleTable, extract_pair_features, pair_features
from judul_lib.study.preprocessing import preprocess_titles

TITLES = [
    "KLASIFIKASI PENYAKIT DAUN PADI MENGGUNAKAN CNN",
    "Klasifikasi Penyakit Daun Jagung Menggunakan CNN",
    "Peramalan Harga Cabai dengan LSTM",
    "yang dan di",
    "",
]
words = st.lists(st.sampled_from("padi jagung daun citra cnn lstm harga".split()), max_size=6)


@pytest.fixture(scope="module")
def table():
    processed = preprocess_titles(TITLES)
    return TitleTable.build(TITLES, processed, TfidfVectorizer(ngram_range=(1, 2)).fit(processed))


def every_pair(table):
    left, right = np.meshgrid(np.arange(len(table)), np.arange(len(table)), indexing="ij")
    return left.ravel(), right.ravel()


def test_features_of_the_study_come_first_and_all_have_titles_and_texts():
    processed = preprocess_titles(TITLES[:2])
    rows = TfidfVectorizer().fit_transform(processed)
    features = extract_pair_features(rows[0], rows[1], *processed, *TITLES[:2])
    assert len(features) == len(FEATURES)
    assert list(FEATURES)[:3] == ["cosine", "jaccard", "levenshtein"]
    assert set(FEATURES) <= set(FEATURE_TITLES)
    assert all(page_text(name) for name in FEATURES)


def test_features_equal_those_of_a_plain_loop(table):
    left, right = every_pair(table)
    features = pair_features(table.take(left), table.take(right))
    processed = preprocess_titles(TITLES)
    cosines = cosine_similarity(table.tfidf)
    for (i, j), (cosine, jaccard, levenshtein, *_) in zip(
        zip(left, right, strict=True), features, strict=True
    ):
        a, b = set(processed[i].split()), set(processed[j].split())
        assert cosine == pytest.approx(cosines[i, j])
        assert jaccard == pytest.approx(len(a & b) / len(a | b) if a | b else 0)
        assert levenshtein == pytest.approx(Levenshtein.ratio(TITLES[i].lower(), TITLES[j].lower()))


def test_features_are_symmetric_bounded_and_1_for_equal_titles(table):
    left, right = every_pair(table)
    forward = pair_features(table.take(left), table.take(right))
    backward = pair_features(table.take(right), table.take(left))
    np.testing.assert_allclose(forward, backward, atol=1e-12)
    assert ((forward >= 0) & (forward <= 1)).all()
    same = pair_features(table.take([0, 1, 2]), table.take([0, 1, 2]))
    np.testing.assert_allclose(same, 1.0)


@given(words, words)
def test_single_pairs_equal_batches(first, second):
    titles = [" ".join(first), " ".join(second)]
    vectorizer = TfidfVectorizer().fit(["padi jagung daun citra cnn lstm harga"])
    table = TitleTable.build(titles, titles, vectorizer)
    rows = vectorizer.transform(titles)
    single = extract_pair_features(rows[0], rows[1].toarray(), *titles, *titles)
    batch = pair_features(table.take([0, 0]), table.take([1, 1]))
    np.testing.assert_array_equal(batch, [single, single])


@given(st.lists(st.tuples(st.text(), st.text()), min_size=2))
def test_many_ratios_equal_those_that_python_levenshtein_gives_for_single_pairs(pairs):
    lefts, rights = (
        TitleTable.from_tfidf_rows(side, side, np.zeros((len(pairs), 1)), fold_case=False)
        for side in zip(*pairs, strict=True)
    )
    expected = [Levenshtein.ratio(*pair) for pair in pairs]
    np.testing.assert_array_equal(FEATURES["levenshtein"](lefts, rights), expected)


def test_a_single_pair_is_compared_by_python_levenshtein(monkeypatch):
    calls = []
    monkeypatch.setattr(Levenshtein, "ratio", lambda *pair: calls.append(pair) or 0.25)
    row = [[1.0]]
    features = extract_pair_features(row, row, "padi", "padi", "Padi A", "padi b")
    assert features[2] == 0.25
    assert calls == [("padi a", "padi b")]


def test_letter_case_counts_only_without_fold_case():
    upper, lower = TITLES[0], TITLES[0].lower()
    text, row = preprocess_titles([upper])[0], [[1.0]]
    folded = extract_pair_features(row, row, text, text, upper, lower)
    study = extract_pair_features(row, row, text, text, upper, lower, fold_case=False)
    assert folded[2] == 1.0
    assert study[2] == pytest.approx(Levenshtein.ratio(upper, lower))
    assert study[2] < 0.3


def test_tables_of_different_length_are_refused(table):
    with pytest.raises(ValueError, match="cannot be paired"):
        pair_features(table.take([0]), table.take([0, 1]))


def test_no_pairs_give_an_empty_array(table):
    assert pair_features(table.take([]), table.take([])).shape == (0, len(FEATURES))
