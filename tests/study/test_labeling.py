from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import normalize

from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import LabelingSettings
from judul_lib.study import labeling
from judul_lib.study.labeling import label_pairs

matrices = st.integers(2, 12).flatmap(
    lambda n: arrays(float, (n, 4), elements=st.sampled_from([0.0, 0.2, 0.5, 1.0]))
).map(normalize)  # fmt: skip


@given(matrices)
def test_labels_equal_those_of_a_plain_loop(rows):
    result = label_pairs(rows, settings=LabelingSettings(negatives_per_title=99))
    cosines = np.clip(rows @ rows.T, 0, 1)
    n = len(rows)
    expected = {
        (i, j): int(cosines[i, j] >= 0.6)
        for i in range(n) for j in range(i + 1, n)
        if cosines[i, j] >= 0.6 or cosines[i, j] <= 0.2
    }  # fmt: skip
    labels = {(p.left, p.right): p.label for p in result.pairs.itertuples()}
    assert labels == expected
    assert result.n_similar + result.n_grey + result.n_different == n * (n - 1) // 2


@given(matrices, st.integers(0, 3))
def test_number_of_negatives_per_title_is_limited(rows, n_max):
    settings = LabelingSettings(negatives_per_title=n_max)
    pairs = label_pairs(rows, settings=settings).pairs
    negatives = pairs[pairs["label"] == 0]
    assert len(negatives) <= n_max * len(rows)
    assert not pairs.duplicated(["left", "right"]).any()
    assert (pairs["left"] < pairs["right"]).all()


def test_sample_depends_on_the_seed_and_not_on_the_block_size(monkeypatch):
    rows = np.eye(40)
    first = label_pairs(rows, random_state=1)
    monkeypatch.setattr(labeling, "_BLOCK_CELLS", 40 * 7)
    assert label_pairs(rows, random_state=1).pairs.equals(first.pairs)
    assert not label_pairs(rows, random_state=2).pairs.equals(first.pairs)


@given(matrices, st.integers(0, 3))
def test_ordered_pairs_are_those_of_the_study(rows, n_max):
    """Similar pairs in both orders; not-similar ones as each title drew them."""
    settings = LabelingSettings(negatives_per_title=n_max)
    once = label_pairs(rows, settings=settings).pairs
    pairs = label_pairs(rows, settings=replace(settings, ordered=True)).pairs
    similar, drawn = (pairs[pairs["label"] == label] for label in (1, 0))
    assert {*zip(similar["left"], similar["right"], strict=True)} == {
        pair
        for left, right in once[once["label"] == 1][["left", "right"]].itertuples(index=False)
        for pair in ((left, right), (right, left))
    }
    cosines = np.clip(rows @ rows.T, 0, 1)
    for title, row in enumerate(cosines):
        available = int((row <= 0.2).sum()) - int(row[title] <= 0.2)
        assert (drawn["left"] == title).sum() == min(n_max, available)
    unordered = {frozenset(pair) for pair in zip(drawn["left"], drawn["right"], strict=True)}
    negatives = once[once["label"] == 0]
    assert unordered == {
        frozenset(pair) for pair in zip(negatives["left"], negatives["right"], strict=True)
    }


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.6), (0.7, 0.6), (-0.1, 0.6), (0.2, 1.1)])
def test_invalid_thresholds_are_refused(low, high):
    with pytest.raises(TrainingError, match="Ambang"):
        label_pairs(np.eye(3), settings=LabelingSettings(high, low))
