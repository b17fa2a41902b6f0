import csv
import io
import warnings

import numpy as np
import pandas as pd
import pytest

from judul_lib import TitleIndex, compute_similarities, load_checker, score_pairs
from judul_lib.checking.batches import check_proposals
from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.matches import RESULT_COLUMNS, assign_labels, study_csv
from judul_lib.checking.registry import load_estimators
from judul_lib.core.errors import ArgumentError, CorpusError
from judul_lib.study.features import FEATURES, extract_pair_features
from judul_lib.study.preprocessing import preprocess_text
from tests.conftest import PROJECT, gold_titles

QUERY = "Prediksi Harga Beras di Kota Medan Menggunakan Metode LSTM"


@pytest.fixture(scope="module")
def result(trained):
    return compute_similarities(QUERY, *load_estimators(trained.folder), trained.corpus.titles)


def test_probabilities_are_a_column_in_0_to_1(result):
    assert "rf_probability" in result.columns
    assert result["rf_probability"].between(0, 1).all()


def test_all_titles_are_returned_once_best_first(result, trained):
    assert list(result.columns) == list(RESULT_COLUMNS)
    assert sorted(result["judul_ref"]) == sorted(trained.titles)
    keys = result[["rf_probability", "cosine", "levenshtein"]]
    assert keys.equals(keys.sort_values(list(keys), ascending=False, kind="stable"))
    assert set(result["rf_label"]) <= {"MIRIP", "TIDAK MIRIP"}


def test_scores_equal_those_of_a_loop_over_pairs(result, trained):
    tfidf, scaler, forest = load_estimators(trained.folder)
    query = preprocess_text(QUERY)
    expected = {}
    for title, text in zip(trained.titles, trained.processed, strict=True):
        rows = tfidf.transform([query, text])
        features = extract_pair_features(rows[0], rows[1], query, text, QUERY, title)
        expected[title] = [*features, forest.predict_proba(scaler.transform([features]))[0, 1]]
    columns = [*FEATURES, "rf_probability"]
    result_rows = {row.judul_ref: [getattr(row, c) for c in columns] for row in result.itertuples()}
    for title, values in expected.items():
        assert result_rows[title] == pytest.approx(values), title


def test_forest_is_called_once_for_the_corpus(trained):
    class CountingForest:
        n_calls = 0

        def predict_proba(self, rows):
            CountingForest.n_calls += 1
            return trained.model.forest.predict_proba(rows)

    model = trained.model
    TitleChecker(model.tfidf, model.scaler, CountingForest(), model.titles, model.processed).check(QUERY)
    assert CountingForest.n_calls == 1


def test_arrays_and_scikit_learn_give_the_same_table(result, trained):
    model = trained.model
    from_arrays = compute_similarities(
        QUERY, model.tfidf, model.scaler, model.forest, trained.corpus.titles
    )
    pd.testing.assert_frame_equal(from_arrays, result, check_exact=True)


def test_corpus_without_stems_is_preprocessed(result, trained):
    bare = trained.corpus.titles[["Judul"]]
    from_titles = compute_similarities(QUERY, *load_estimators(trained.folder), bare)
    pd.testing.assert_frame_equal(from_titles, result)


def test_the_download_of_the_study_has_every_title_in_order(trained):
    matches = TitleChecker.from_model(trained.model).check(QUERY).with_threshold(0.3)
    content = study_csv(matches)
    assert content.startswith(b"\xef\xbb\xbfjudul_ref,rf_probability,rf_label\n")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["judul_ref"] for row in rows] == matches.titles
    assert len(rows) == len(trained.titles)
    assert [row["rf_probability"] for row in rows] == [f"{p:.3f}" for p in matches.probability]
    assert [row["rf_label"] for row in rows] == matches.labels
    assert {"MIRIP", "TIDAK MIRIP"} == set(matches.labels)


def test_the_download_of_an_empty_archive_has_only_its_header(trained):
    matches = TitleChecker.from_model(trained.model, []).check(QUERY)
    assert study_csv(matches).decode("utf-8-sig") == "judul_ref,rf_probability,rf_label\n"


@pytest.mark.parametrize("query", ["", " \n", "yang dan 2024", "🙂", "x " * 5_000])
def test_a_title_without_words_gets_a_warning_and_an_empty_table(result, trained, query):
    with pytest.warns(UserWarning, match="tanpa kata Latin") as caught:
        empty = compute_similarities(query, *load_estimators(trained.folder), trained.corpus.titles)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    pd.testing.assert_frame_equal(empty, result.iloc[:0], check_index_type=False)


def test_an_empty_corpus_gives_an_empty_table(result, trained):
    model, corpus = trained.model, trained.corpus.titles.iloc[:0]
    empty = compute_similarities(QUERY, model.tfidf, model.scaler, model.forest, corpus)
    pd.testing.assert_frame_equal(empty, result.iloc[:0], check_index_type=False)


def test_titles_of_the_corpus_match_themselves_in_any_case(trained):
    checker = TitleChecker.from_model(trained.model)
    for title in trained.titles[::10]:
        best = checker.check(title.swapcase(), top_k=1)
        assert best.titles == [title]
        assert best.labels == ["MIRIP"]


def test_ties_keep_the_order_of_the_corpus(trained):
    titles = ["Deteksi Hoaks Politik", "deteksi hoaks politik", "DETEKSI HOAKS POLITIK"]
    checker = TitleChecker.from_model(trained.model, titles)
    assert checker.check("Deteksi Hoaks Politik").titles == titles


@pytest.mark.filterwarnings("ignore:.*tanpa kata Latin")
@pytest.mark.parametrize(
    "query", ["", "   ", "yang dan", "🙂", "=1+1", "<script>alert(1)</script>", "x" * 10_000]
)
def test_strange_titles_are_answered(trained, query):
    matches = TitleChecker.from_model(trained.model).check(query)
    assert len(matches.titles) == len(trained.titles)
    assert np.isfinite(matches.probability).all()


def test_empty_corpus_gives_no_match(trained):
    matches = TitleChecker.from_model(trained.model, []).check(QUERY)
    assert matches.titles == matches.labels == []


def test_pairs_are_scored_in_order_and_blank_ones_get_none(trained):
    left = [QUERY, "", trained.titles[0]]
    right = [trained.titles[0], QUERY, trained.titles[0].lower()]
    rows = score_pairs(left, right, TitleChecker.from_model(trained.model))
    assert [tuple(row) for row in rows] == [RESULT_COLUMNS[1:]] * 3
    assert set(rows[1].values()) == {None}
    assert [rows[2][name] for name in FEATURES] == pytest.approx([1] * len(FEATURES))
    assert rows[2]["rf_label"] == "MIRIP"
    checked = TitleChecker.from_model(trained.model, right[:1]).check(left[0]).rows()[0]
    assert {k: checked[k] for k in rows[0]} == rows[0]
    assert score_pairs([], [], TitleChecker.from_model(trained.model)) == []


def test_threshold_itself_counts_as_similar():
    labels = assign_labels(np.array([0.7, 0.69]), np.empty(0), 0.7, elsewhere_label="TANYAKAN")
    assert labels == ["MIRIP", "TIDAK MIRIP"]


STRUCTURED = PROJECT / "outputs" / "structured"
LIGHT = PROJECT / "outputs" / "light"
FACTORIES = {
    "light": lambda titles, **options: load_checker(LIGHT, titles, **options),
    "structured": lambda titles, **options: load_checker(STRUCTURED, titles, **options),
    "index": lambda titles, **options: TitleIndex.build(titles, STRUCTURED, **options),
}
every_checker = pytest.mark.parametrize("make_checker", FACTORIES.values(), ids=FACTORIES)
ARCHIVE = ["Deteksi Hoaks Politik", "Prediksi Harga Beras", "Analisis Sentimen"]


@every_checker
@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), -0.1, 1.1, "0.5", None, True])
def test_invalid_thresholds_are_refused(make_checker, threshold):
    with pytest.raises(ArgumentError, match="bilangan 0 sampai 1"):
        make_checker(ARCHIVE, threshold=threshold)
    with pytest.raises(ArgumentError, match="Ambang"):
        make_checker(ARCHIVE).check(QUERY).with_threshold(threshold)


@every_checker
@pytest.mark.parametrize("top_k", [0, -1, 1.5, "3", float("nan"), True])
def test_invalid_top_k_is_refused(make_checker, top_k):
    checker = make_checker(ARCHIVE)
    with pytest.raises(ArgumentError, match="bilangan bulat mulai dari 1"):
        checker.check(QUERY, top_k=top_k)
    with pytest.raises(ArgumentError, match="Jumlah hasil"):
        list(checker.check_many([QUERY], top_k=top_k))


@every_checker
def test_bounds_and_numpy_numbers_are_accepted(make_checker):
    for threshold in (0, 1, np.float32(0.5), np.float64(0.25)):
        assert make_checker(ARCHIVE, threshold=threshold).threshold == threshold
    assert len(make_checker(ARCHIVE).check(QUERY, top_k=np.int64(2))) == 2
    assert (
        len(make_checker(ARCHIVE).check(QUERY, top_k=99)) == len(make_checker(ARCHIVE).check(QUERY)) == 3
    )


@every_checker
@pytest.mark.parametrize("invalid", [None, 2024, 1.5, float("nan"), b"Deteksi", ["Deteksi"]])
def test_titles_that_are_not_text_are_refused_with_their_number(make_checker, invalid):
    message = "Judul ke-2 bukan teks"
    with pytest.raises(CorpusError, match=message):
        make_checker([QUERY, invalid])
    checker = make_checker(ARCHIVE)
    with pytest.raises(CorpusError, match="Judul ke-1 bukan teks"):
        checker.check(invalid)
    for call in (
        lambda: list(checker.check_many([QUERY, invalid])),
        lambda: checker.with_titles([QUERY, invalid]),
        lambda: checker.score([QUERY, QUERY], [QUERY, invalid]),
        lambda: checker.score([QUERY, invalid], [QUERY, QUERY]),
        lambda: score_pairs([QUERY, invalid], [QUERY, QUERY], checker),
        lambda: check_proposals([QUERY, invalid], checker),
    ):
        with pytest.raises(CorpusError, match=message):
            call()


@every_checker
def test_single_text_is_refused_as_a_list_of_titles(make_checker):
    with pytest.raises(CorpusError, match="bukan daftar judul"):
        make_checker("Deteksi Hoaks")
    checker = make_checker(ARCHIVE)
    for call in (lambda: list(checker.check_many(QUERY)), lambda: checker.score(QUERY, QUERY)):
        with pytest.raises(CorpusError, match="bukan daftar judul"):
            call()


@every_checker
@pytest.mark.parametrize("title", ["كشف الأخبار الكاذبة", "深度学习", "2024", "", "yang dan"])
def test_title_without_comparable_words_gives_a_warning(make_checker, title):
    checker = make_checker([title, *ARCHIVE])
    with pytest.warns(UserWarning, match="tanpa kata Latin yang dapat dibandingkan"):
        checker.check(title)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check(QUERY)  # An archive may hold such titles.


def test_answers_do_not_depend_on_batch_sizes(monkeypatch):
    titles = gold_titles()[:700]
    checker = load_checker(STRUCTURED, titles)
    queries, pairs = titles[:3], (titles[:40], titles[40:80])
    expected = [matches.rows() for matches in checker.check_many(queries)], checker.pair_features(*pairs)
    monkeypatch.setattr("judul_lib.checking.structured_checker._MAX_RELATION_CELLS", 0)
    monkeypatch.setattr("judul_lib.structured.model._AT_ONCE", 7)
    monkeypatch.setattr("judul_lib.structured.boosting._ROWS", 3)
    monkeypatch.setattr("judul_lib.structured.comparison._MAX_SINGLE_LOOKUPS", 2)
    batched = [matches.rows() for matches in checker.check_many(queries)], checker.pair_features(*pairs)
    assert batched[0] == expected[0]
    np.testing.assert_array_equal(batched[1], expected[1])
