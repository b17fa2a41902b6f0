"""Error rates by group: counted right, with an interval, and a group that is treated worse is named."""

import numpy as np
import pandas as pd
import pytest

from judul_lib.evaluation.fairness import (
    GROUPINGS,
    MIN_PAIRS,
    disparities,
    error_rates,
    foreign_share,
    language_class,
    length_class,
)
from judul_lib.structured.gold import read_gold
from tests.conftest import PROJECT, judul


def pairs_of(groups, n_bases=40, each=4):
    """Pairs of some base studies in each group, half of them the same study."""
    rows = [
        (f"{group}{base}", number % 2, group)
        for group in groups
        for base in range(n_bases)
        for number in range(each)
    ]
    return pd.DataFrame(rows, columns=["base_id", "label", "group"])


def test_rates_are_counted_as_by_hand():
    pairs = pairs_of(["a", "b"])
    rng = np.random.default_rng(0)
    probability = rng.random(len(pairs))
    rates = error_rates(pairs, probability, pairs["group"])
    for group in ("a", "b"):
        of = pairs["group"] == group
        called = probability[of] >= 0.5
        label = pairs.loc[of, "label"].to_numpy()
        assert rates.loc[group, "alarm palsu"] == pytest.approx(called[label == 0].mean())
        assert rates.loc[group, "luput"] == pytest.approx((~called[label == 1]).mean())
        for name in ("alarm palsu", "luput"):
            low, high = rates.loc[group, [f"{name}, dari", f"{name}, sampai"]]
            assert 0 <= low <= rates.loc[group, name] <= high <= 1
    assert rates.loc["semua", "pasangan"] == len(pairs)
    pd.testing.assert_frame_equal(rates, error_rates(pairs, probability, pairs["group"]))


def test_a_group_that_is_treated_worse_is_named_and_chance_is_not():
    pairs = pairs_of(["a", "b", "c"])
    rng = np.random.default_rng(1)
    right = rng.random(len(pairs)) < 0.95
    probability = np.where(right, pairs["label"], 1 - pairs["label"])
    assert disparities(error_rates(pairs, probability, pairs["group"])).empty
    is_hit = (pairs["group"] == "c") & (pairs["label"] == 0) & (rng.random(len(pairs)) < 0.4)
    probability = np.where(is_hit, 1, probability)
    found = disparities(error_rates(pairs, probability, pairs["group"]))
    assert found[["kelompok", "galat"]].to_numpy().tolist() == [["c", "alarm palsu"]]


def test_pairs_of_one_study_hang_together():
    rng = np.random.default_rng(2)
    apart, together = pairs_of(["a"], n_bases=240, each=2), pairs_of(["a"], n_bases=12, each=40)
    widths = []
    for pairs in (apart, together):
        wrong = pd.Series(rng.random(pairs["base_id"].nunique()) < 0.3, index=pairs["base_id"].unique())
        probability = np.where(pairs["base_id"].map(wrong), 1 - pairs["label"], pairs["label"])
        rates = error_rates(pairs, probability, pairs["group"]).loc["semua"]
        widths.append(rates["luput, sampai"] - rates["luput, dari"])
    assert widths[1] > 2 * widths[0]


def test_few_pairs_have_no_rate():
    pairs = pairs_of(["a"], n_bases=MIN_PAIRS - 1, each=2)
    rates = error_rates(pairs, pairs["label"], pairs["group"])
    assert rates["alarm palsu"].isna().all()
    assert disparities(rates).empty


def test_no_error_at_all_is_not_certainty():
    pairs = pairs_of(["a"], n_bases=40)
    rates = error_rates(pairs, pairs["label"], pairs["group"]).loc["semua"]
    assert (rates["luput"], rates["luput, dari"]) == (0, 0)
    assert rates["luput, sampai"] == pytest.approx(1 - 0.025 ** (1 / 40))
    rates = error_rates(pairs, 1 - pairs["label"], pairs["group"]).loc["semua"]
    assert rates["luput, sampai"] == 1
    assert 0.9 < rates["luput, dari"] < 1


def test_groups_of_the_gold_pairs_cover_every_pair():
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv")
    for name, group in GROUPINGS.items():
        groups = group(gold)
        assert groups.notna().all(), name
        assert "nan" not in set(groups), name
        assert groups.nunique() >= 2, name


def test_length_and_language_of_titles():
    frame = pd.DataFrame(
        {
            "judul_a": ["prediksi harga beras", "deep learning " * 8],
            "judul_b": ["prediksi harga beras di pasar", "machine learning " * 9],
        }
    )
    assert length_class(frame).tolist() == ["sampai 9 kata", "mulai 14 kata"]
    assert language_class(frame).tolist() == ["hampir semua kata Indonesia", "banyak istilah asing"]
    assert foreign_share("") == 0


def test_the_command_shows_every_group():
    done = judul("govern", "fairness", "--model", "light")
    assert done.returncode == 0, done.stderr
    for name in GROUPINGS:
        assert name in done.stdout
    assert "informatika" in done.stdout
    assert "88" in done.stdout
