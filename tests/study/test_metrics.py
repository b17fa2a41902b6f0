import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from judul_lib.study.metrics import (
    METRICS,
    bootstrap_intervals,
    classification_report_frame,
    confusion_frame,
    intervals_of_tests,
    score_predictions,
)

samples = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.50001, 0.9, 1.0])), min_size=1
)


@given(samples)
def test_metrics_equal_scikit_learns(sample):
    labels, scores = (np.array(values) for values in zip(*sample, strict=True))
    predicted = scores >= 0.5
    result = score_predictions(labels, scores)
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    f1 = metrics.f1_score(labels, predicted, average="weighted", zero_division=0)
    assert result["f1_weighted"] == pytest.approx(f1)
    if len(set(labels)) == 2:
        assert result["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels, scores))
    else:
        assert np.isnan(result["roc_auc"])
    if labels.any():
        precision = metrics.average_precision_score(labels, scores)
        assert result["average_precision"] == pytest.approx(precision)
    else:
        assert np.isnan(result["average_precision"])


def test_intervals_contain_the_estimate_and_narrow_with_more_pairs():
    rng = np.random.default_rng(0)
    widths = []
    for n in (60, 2400):
        labels = rng.integers(2, size=n)
        scores = np.clip(0.5 + 0.25 * (labels - 0.5) + 0.25 * rng.standard_normal(n), 0, 1)
        table = bootstrap_intervals(labels, scores)
        assert (table["low"] <= table["estimate"]).all()
        assert (table["estimate"] <= table["high"]).all()
        widths.append(table["high"] - table["low"])
    assert (widths[1] < 0.5 * widths[0]).all()


def test_pairs_of_a_group_are_drawn_together():
    """Copies of a pair add no information, so they must not narrow the interval."""
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(2, size=40), rng.random(40)
    single = bootstrap_intervals(labels, scores)
    copied = np.repeat(np.arange(40), 10)
    grouped = bootstrap_intervals(labels[copied], scores[copied], copied)
    ungrouped = bootstrap_intervals(labels[copied], scores[copied])
    np.testing.assert_allclose(grouped, single)
    assert ungrouped.loc["roc_auc", "low"] > grouped.loc["roc_auc", "low"]


def test_the_same_seed_gives_the_same_interval():
    labels, scores = [0, 1, 0, 1, 1], [0.1, 0.8, 0.6, 0.4, 0.9]
    first = bootstrap_intervals(labels, scores, random_state=5)
    assert first.equals(bootstrap_intervals(labels, scores, random_state=5))
    assert list(first.index) == list(METRICS)


def test_report_and_confusion_matrix_count_all_pairs(trained):
    test = trained.result.test
    report = classification_report_frame(test["label"], test["probability"])
    matrix = confusion_frame(test["label"], test["probability"])
    assert report["support"].sum() == matrix.to_numpy().sum() == len(test)
    assert intervals_of_tests({"a": test}, group="left", n_resamples=10)["a"].shape == (4, 3)
