"""The trees as plain arrays predict what scikit-learn predicts; their contributions add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import HistGradientBoostingClassifier

from judul_lib.structured.boosting import BoostedTrees, fit_trees

N_FEATURES = 4
DIRECTIONS = (1, -1, 0, 1)
SETTINGS = {"n_trees": 30, "n_leaves": 6, "rate": 0.2, "min_rows": 5}
ROWS = arrays(float, st.tuples(st.integers(0, 12), st.just(N_FEATURES)), elements=st.floats(-3, 3))


def make_sample(n=500):
    rng = np.random.default_rng(0)
    features = np.round(rng.normal(size=(n, N_FEATURES)), 2)
    log_odds = features[:, 0] - features[:, 1] + np.sin(3 * features[:, 2])
    return features, (log_odds + rng.normal(size=n) > 0).astype(int), rng.uniform(0.5, 2, n)


FEATURES, LABELS, WEIGHTS = make_sample()
TREES = fit_trees(FEATURES, LABELS, directions=DIRECTIONS, weights=WEIGHTS, **SETTINGS)


def test_log_odds_equal_those_of_scikit_learn():
    learner = HistGradientBoostingClassifier(
        max_iter=30, learning_rate=0.2, max_leaf_nodes=6, min_samples_leaf=5, l2_regularization=5.0,
        monotonic_cst=DIRECTIONS, early_stopping=False, max_bins=31, max_features=0.4, random_state=0,
    )  # fmt: skip
    learner.fit(FEATURES, LABELS, sample_weight=WEIGHTS)
    new_rows = np.random.default_rng(1).normal(size=(300, N_FEATURES))
    for rows in (FEATURES, new_rows):
        np.testing.assert_allclose(TREES.log_odds(rows), learner.decision_function(rows), atol=1e-5)


@given(ROWS)
def test_contributions_add_up_to_the_log_odds(rows):
    added = TREES.contributions(rows)
    assert added.shape == rows.shape
    np.testing.assert_allclose(TREES.start + added.sum(axis=1), TREES.log_odds(rows), atol=1e-6)


@given(ROWS, st.integers(0, N_FEATURES - 1), st.floats(0, 5))
def test_log_odds_are_monotone_in_constrained_features(rows, column, increase):
    raised = rows.copy()
    raised[:, column] += increase
    change = TREES.log_odds(raised) - TREES.log_odds(rows)
    assert DIRECTIONS[column] == 0 or (DIRECTIONS[column] * change >= -1e-6).all()


@given(ROWS)
def test_rows_do_not_depend_on_their_batch(rows):
    single = [TREES.log_odds(row[None])[0] for row in rows]
    assert TREES.log_odds(rows).tolist() == single


def test_arrays_round_trip():
    restored = BoostedTrees.from_arrays(TREES.arrays("x"), "x")
    assert restored.log_odds(FEATURES).tolist() == TREES.log_odds(FEATURES).tolist()


def test_fitting_is_deterministic_and_weights_count():
    same = fit_trees(FEATURES, LABELS, directions=DIRECTIONS, weights=WEIGHTS, **SETTINGS)
    assert same.log_odds(FEATURES).tolist() == TREES.log_odds(FEATURES).tolist()
    contradictory = np.vstack([FEATURES, FEATURES]), np.concatenate([LABELS, 1 - LABELS])
    weights = np.concatenate([np.ones(len(LABELS)), np.full(len(LABELS), 1e-6)])
    predicted = fit_trees(*contradictory, weights=weights, **SETTINGS).log_odds(FEATURES) > 0
    assert (predicted == LABELS).mean() > 0.8


def test_trees_of_a_single_leaf():
    flat = fit_trees(np.zeros((60, 2)), np.arange(60) % 2, n_trees=2)
    assert flat.log_odds(np.ones((3, 2))) == pytest.approx(np.zeros(3), abs=1e-6)
