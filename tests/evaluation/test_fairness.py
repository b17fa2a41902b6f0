"""Error rates by group, their intervals, and groups that are treated worse."""

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


def make_pairs(groups, n_bases=40, n_pairs=4):
    """Return pairs of base studies in each group, half of them with label 1."""
    rows = [
        (f"{group}{base}", number % 2, group)
        for group in groups
        for base in range(n_bases)
        for number in range(n_pairs)
    ]
    return pd.DataFrame(rows, columns=["base_id", "label", "group"])


def test_rates_match_plain_counts():
    pairs = make_pairs(["a", "b"])
    rng = np.random.default_rng(0)
    probability = rng.random(len(pairs))
    rates = error_rates(pairs, probability, pairs["group"])
    for group in ("a", "b"):
        rows = pairs["group"] == group
        called = probability[rows] >= 0.5
        label = pairs.loc[rows, "label"].to_numpy()
        assert rates.loc[group, "alarm palsu"] == pytest.approx(called[label == 0].mean())
        assert rates.loc[group, "luput"] == pytest.approx((~called[label == 1]).mean())
        for name in ("alarm palsu", "luput"):
            low, high = rates.loc[group, [f"{name}, dari", f"{name}, sampai"]]
            assert 0 <= low <= rates.loc[group, name] <= high <= 1
    assert rates.loc["semua", "pasangan"] == len(pairs)
    pd.testing.assert_frame_equal(rates, error_rates(pairs, probability, pairs["group"]))


def test_disparities_name_the_worse_group_but_no_chance_difference():
    pairs = make_pairs(["a", "b", "c"])
    rng = np.random.default_rng(1)
    right = rng.random(len(pairs)) < 0.95
    probability = np.where(right, pairs["label"], 1 - pairs["label"])
    assert disparities(error_rates(pairs, probability, pairs["group"])).empty
    is_hit = (pairs["group"] == "c") & (pairs["label"] == 0) & (rng.random(len(pairs)) < 0.4)
    probability = np.where(is_hit, 1, probability)
    worse = disparities(error_rates(pairs, probability, pairs["group"]))
    assert worse[["kelompok", "galat"]].to_numpy().tolist() == [["c", "alarm palsu"]]


def test_correlated_pairs_of_a_study_widen_the_interval():
    rng = np.random.default_rng(2)
    widths = []
    for n_bases, n_pairs in ((240, 2), (12, 40)):
        pairs = make_pairs(["a"], n_bases, n_pairs)
        wrong = pd.Series(rng.random(pairs["base_id"].nunique()) < 0.3, index=pairs["base_id"].unique())
        probability = np.where(pairs["base_id"].map(wrong), 1 - pairs["label"], pairs["label"])
        rates = error_rates(pairs, probability, pairs["group"]).loc["semua"]
        widths.append(rates["luput, sampai"] - rates["luput, dari"])
    assert widths[1] > 2 * widths[0]


def test_too_few_pairs_have_no_rate():
    pairs = make_pairs(["a"], n_bases=MIN_PAIRS - 1, n_pairs=2)
    rates = error_rates(pairs, pairs["label"], pairs["group"])
    assert rates["alarm palsu"].isna().all()
    assert disparities(rates).empty


def test_rates_of_0_and_1_have_an_interval():
    pairs = make_pairs(["a"])
    rates = error_rates(pairs, pairs["label"], pairs["group"]).loc["semua"]
    assert (rates["luput"], rates["luput, dari"]) == (0, 0)
    assert rates["luput, sampai"] == pytest.approx(1 - 0.025 ** (1 / 40))
    rates = error_rates(pairs, 1 - pairs["label"], pairs["group"]).loc["semua"]
    assert rates["luput, sampai"] == 1
    assert 0.9 < rates["luput, dari"] < 1


def test_groupings_cover_every_gold_pair():
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv")
    for name, group in GROUPINGS.items():
        groups = group(gold)
        assert groups.notna().all(), name
        assert "nan" not in set(groups), name
        assert groups.nunique() >= 2, name


def test_length_and_language_classes():
    frame = pd.DataFrame(
        {
            "judul_a": ["prediksi harga beras", "deep learning " * 8],
            "judul_b": ["prediksi harga beras di pasar", "machine learning " * 9],
        }
    )
    assert length_class(frame).tolist() == ["sampai 9 kata", "mulai 14 kata"]
    assert language_class(frame).tolist() == ["hampir semua kata Indonesia", "banyak istilah asing"]
    assert foreign_share("") == 0


def test_command_shows_every_grouping():
    result = judul("govern", "fairness", "--model", "light")
    assert result.returncode == 0, result.stderr
    for text in (*GROUPINGS, "informatika", "88"):
        assert text in result.stdout
