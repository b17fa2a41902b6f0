import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from judul_lib.signed_logistic import fit_logistic


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 3)) * [1, 5, 0.2] + [0, 3, 1]
    odds = 2 * features[:, 0] - features[:, 1] + 3
    return features, (rng.random(400) < 1 / (1 + np.exp(-odds))).astype(int)


def test_without_signs_it_is_ordinary_logistic_regression(sample):
    features, labels = sample
    centre, coefficients, intercept = fit_logistic(features, labels, [0, 0, 0], penalty=1.0)
    scale = features.std(axis=0)
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
    peer.fit((features - features.mean(axis=0)) / scale, labels)
    np.testing.assert_allclose(coefficients * scale, peer.coef_[0], atol=1e-4)
    assert intercept == pytest.approx(peer.intercept_[0], abs=1e-4)
    np.testing.assert_allclose(centre, features.mean(axis=0), atol=1e-8)


def test_a_weight_against_its_sign_is_zero(sample):
    _, coefficients, _ = fit_logistic(*sample, [-1, -1, 1])
    assert coefficients[0] == 0
    assert coefficients[1] < 0


def test_a_constant_feature_gets_no_weight(sample):
    features, labels = sample
    features = np.column_stack([features, np.full(len(features), 7.0)])
    assert fit_logistic(features, labels, [1, 0, 0, 1])[1][3] == 0


def test_the_answer_is_the_optimum_whatever_the_order_of_the_rows(sample):
    features, labels = sample
    order = np.random.default_rng(1).permutation(len(labels))
    first = fit_logistic(features, labels, [1, -1, 1])
    second = fit_logistic(features[order], labels[order], [1, -1, 1])
    np.testing.assert_array_equal(first[1], second[1])
    assert first[2] == second[2]
