"""A/B test: a real difference is found, chance is not, and the unit of analysis is the user."""

import numpy as np
import pandas as pd
import pytest

from judul_lib.usage.ab_testing import MIN_USERS, compare_on_users, recommendation, user_means


def opinions(share_one, share_other, n_users=60, seed=0, n_per_user=6):
    rng = np.random.default_rng(seed)
    rows = []
    for model, share in (("full", share_one), ("light", share_other)):
        for user in range(n_users):
            is_right = rng.random(n_per_user) < share
            rows += [(f"{model}{user}", model, bool(right), int(right) * 4 + 1) for right in is_right]
    return pd.DataFrame(rows, columns=["user", "model", "is_right", "rating"])


def test_significant_difference_is_recommended():
    by_right, by_rating = (
        compare_on_users(opinions(0.9, 0.6), "full", "light", m) for m in ("is_right", "rating")
    )
    assert by_right.low > 0
    assert by_right.p_value < 0.01
    assert by_right.mean_one - by_right.mean_other == pytest.approx(0.3, abs=0.08)
    assert recommendation([by_right, by_rating]) == "full"
    swapped = compare_on_users(opinions(0.9, 0.6), "light", "full", "is_right")
    assert swapped.better == "full"
    assert swapped.mean_one == by_right.mean_other


def test_chance_is_not_recommended():
    better = [
        compare_on_users(opinions(0.8, 0.8, seed=seed), "full", "light", "is_right").better
        for seed in range(40)
    ]
    assert sum(name is not None for name in better) <= 6  # 2 are expected.


def test_few_users_give_no_recommendation():
    few = compare_on_users(opinions(1, 0, n_users=MIN_USERS - 1), "full", "light", "is_right")
    assert few.p_value < 0.01
    assert few.better is None
    single = compare_on_users(opinions(1, 0, n_users=1), "full", "light", "is_right")
    assert np.isnan(single.p_value)
    assert single.better is None
    assert recommendation([single]) is None


def test_opinions_are_averaged_per_user_and_users_of_both_models_are_left_out():
    frame = pd.DataFrame(
        {
            "user": ["a", "a", "b", "c", "c"],
            "model": ["full", "full", "light", "full", "light"],
            "is_right": [True, False, True, True, True],
        }
    )
    means = user_means(frame, "is_right").set_index("user")
    assert means["is_right"].to_dict() == {"a": 0.5, "b": 1.0}


def test_contradicting_measures_give_no_recommendation():
    frame = opinions(0.9, 0.5)
    frame["rating"] = 6 - frame["rating"]
    comparisons = [compare_on_users(frame, "full", "light", m) for m in ("is_right", "rating")]
    assert {comparison.better for comparison in comparisons} == {"full", "light"}
    assert recommendation(comparisons) is None


def test_comparison_is_reproducible():
    first, second = (compare_on_users(opinions(0.8, 0.7), "full", "light", "rating") for _ in range(2))
    assert first == second
