"""Two models compared on users: a real difference is found, chance is not, and the user counts."""

import numpy as np
import pandas as pd
import pytest

from judul_lib.usage.ab_testing import MIN_USERS, compare_on_users, recommendation, user_means


def opinions(share_one, share_other, n_users=60, seed=0, each=6):
    rng = np.random.default_rng(seed)
    rows = []
    for model, share in (("full", share_one), ("light", share_other)):
        for user in range(n_users):
            said = rng.random(each) < share
            rows += [(f"{model}{user}", model, bool(right), int(right) * 4 + 1) for right in said]
    return pd.DataFrame(rows, columns=["user", "model", "is_right", "rating"])


def test_a_real_difference_is_recommended():
    found = [compare_on_users(opinions(0.9, 0.6), "full", "light", m) for m in ("is_right", "rating")]
    assert found[0].low > 0
    assert found[0].p_value < 0.01
    assert found[0].mean_one - found[0].mean_other == pytest.approx(0.3, abs=0.08)
    assert recommendation(found) == "full"
    swapped = compare_on_users(opinions(0.9, 0.6), "light", "full", "is_right")
    assert swapped.better == "full"
    assert swapped.mean_one == found[0].mean_other


def test_chance_is_not_recommended():
    falsely = [
        compare_on_users(opinions(0.8, 0.8, seed=seed), "full", "light", "is_right").better
        for seed in range(40)
    ]
    assert sum(name is not None for name in falsely) <= 6  # 2 are expected.


def test_few_users_are_never_enough():
    found = compare_on_users(opinions(1, 0, n_users=MIN_USERS - 1), "full", "light", "is_right")
    assert found.p_value < 0.01
    assert found.better is None
    nobody = compare_on_users(opinions(1, 0, n_users=1), "full", "light", "is_right")
    assert np.isnan(nobody.p_value)
    assert nobody.better is None
    assert recommendation([nobody]) is None


def test_opinions_of_one_user_are_one_and_those_of_both_models_none():
    frame = pd.DataFrame(
        {
            "user": ["a", "a", "b", "c", "c"],
            "model": ["full", "full", "light", "full", "light"],
            "is_right": [True, False, True, True, True],
        }
    )
    means = user_means(frame, "is_right").set_index("user")
    assert means["is_right"].to_dict() == {"a": 0.5, "b": 1.0}


def test_measures_that_disagree_recommend_nothing():
    frame = opinions(0.9, 0.5)
    frame["rating"] = 6 - frame["rating"]
    found = [compare_on_users(frame, "full", "light", m) for m in ("is_right", "rating")]
    assert {comparison.better for comparison in found} == {"full", "light"}
    assert recommendation(found) is None


def test_the_same_seed_gives_the_same_numbers():
    frame = opinions(0.8, 0.7)
    assert compare_on_users(frame, "full", "light", "rating") == compare_on_users(
        frame, "full", "light", "rating"
    )
