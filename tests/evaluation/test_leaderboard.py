import numpy as np
import pandas as pd
import pytest

from judul_lib.evaluation.ablation import (
    FEATURE_FAMILIES,
    feature_ablation,
    learning_curve,
    real_learning_curve,
    resource_ablation,
)
from judul_lib.evaluation.baselines import ENCODER_VARIABLE, Method, encoder_method, encoder_methods
from judul_lib.evaluation.leaderboard import (
    best_threshold,
    evaluate_retrieval,
    is_clear_winner,
    leaderboard,
    measure_costs,
    score_all,
)
from judul_lib.structured.gold import crossed_pairs, read_gold
from judul_lib.structured.model import STRUCTURED_FEATURES
from judul_lib.structured.real_pairs import RealPairs
from judul_lib.training.structured import REAL_PAIRS_PATH
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def gold():
    pairs = read_gold(PROJECT / "data" / "gold_pairs.csv")
    return pairs[pairs["base_id"].astype(int) <= 20].reset_index(drop=True)


@pytest.fixture(scope="module")
def splits(gold):
    return [gold[gold["split"] == name].reset_index(drop=True) for name in ("dev", "test")]


def test_best_threshold_is_in_the_middle_of_the_gap():
    assert best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9]) == pytest.approx(0.5)


def test_retrieval_ranks_and_false_alarms():
    same = Method(lambda a, b: np.array([float(x == y) for x, y in zip(a, b, strict=True)]))
    exact = evaluate_retrieval(same, ["x"], ["x"], ["x", "y"])
    assert exact == {"R@1": 1.0, "R@5": 1.0, "MRR": 1.0, "alarm palsu": 0.0}
    constant = evaluate_retrieval(Method(lambda a, _: np.ones(len(a))), ["x"], ["x"], ["x", "y"])
    assert (constant["R@1"], constant["alarm palsu"]) == (0, 1)  # A tie counts against the method.


def test_leaderboard_puts_an_oracle_before_random_scores(splits):
    development, test = splits
    labels = pd.concat([development, test]).set_index("judul_b")["label"].fillna(0).astype(float)
    rng = np.random.default_rng(0)
    methods = {
        "tahu": Method(lambda _, b: labels[list(b)].to_numpy()),
        "undi": Method(lambda a, _: rng.random(len(a))),
    }
    scores = [score_all(methods, pairs) for pairs in (development, test)]
    board = leaderboard(development, scores[0], test, scores[1], n_resamples=50)
    assert board.index.tolist() == ["tahu", "undi"]
    assert board.loc["tahu", "roc_auc_hard"] == board.loc["tahu", "accuracy"] == 1
    recalls = pd.DataFrame({"R@1": {"tahu": 1.0, "undi": 0.1}})
    assert is_clear_winner(board, recalls, "tahu")
    assert not is_clear_winner(board, recalls, "undi")
    assert not is_clear_winner(board, pd.DataFrame({"R@1": {"tahu": 0.1, "undi": 0.2}}), "tahu")
    assert (measure_costs(methods, test, n_rounds=1)["kilobytes"] == 0).all()


def test_crossed_pairs_combine_the_second_titles_of_one_study(gold):
    crossed = crossed_pairs(gold)
    assert len(crossed) == gold["base_id"].nunique() * (3 + 6)
    assert crossed.groupby("base_id")["label"].sum().eq(3).all()
    titles = {base: set(group["judul_b"]) for base, group in gold.groupby("base_id")}
    assert all({row.judul_a, row.judul_b} <= titles[row.base_id] for row in crossed.itertuples())
    assert not crossed["kind"].str.contains("tempat_lain|acak").any()


def test_each_feature_is_in_one_family():
    names = [name for family in FEATURE_FAMILIES.values() for name in family]
    assert sorted(names) == sorted(STRUCTURED_FEATURES)


@pytest.fixture(scope="module")
def real():
    pairs, rows = RealPairs.read(REAL_PAIRS_PATH), slice(None, None, 8)
    arrays = {name: getattr(pairs, name)[rows] for name in RealPairs.__annotations__ if name != "counts"}
    return RealPairs(**arrays, counts=pairs.counts)


@pytest.mark.slow
def test_feature_ablation_compares_families(splits, real):
    table = feature_ablation(*splits, real)
    assert table.index[0] == "semuanya"
    assert table.to_numpy().min() >= 0
    assert table.to_numpy().max() <= 1
    assert table["average_precision"].nunique() > 5
    assert table.loc["hanya tiga fitur studi", "average_precision"] < table["average_precision"].max()


@pytest.mark.slow
def test_resource_ablation_shows_the_worth_of_lexicon_and_vectors(splits):
    table = resource_ablation(*splits)
    assert table.index[0] == "semuanya"
    assert table.loc["tanpa leksikon dan vektor", "roc_auc"] < table.loc["semuanya", "roc_auc"]


def test_learning_curves_are_indexed_by_training_size(splits, real):
    development, test = splits
    curve = learning_curve(development, test, [4, 10**6], n_draws=1)
    assert curve.index.tolist() == [4, development["base_id"].nunique()]
    curve = real_learning_curve(development, test, real, [0, 0.5, 1])
    n = int((~real.is_faculty).sum())
    assert curve.index.tolist() == [0, round(n / 2), n]
    assert curve["average_precision"].iloc[-1] > curve["average_precision"].iloc[0]


class LetterCounts:
    """An encoder with the interface of sentence-transformers."""

    def encode(self, titles):
        return np.array([[title.count(chr(97 + k)) for k in range(26)] for title in titles])


def test_encoder_scores_are_scaled_cosines():
    method = encoder_method(LetterCounts())
    scores = method(["abc", "abc", ""], ["cab", "xyz", "abc"])
    np.testing.assert_allclose(scores, [1, 0.5, 0.5])


def test_encoder_receives_lowercase_titles():
    encoded = []

    class RecordingEncoder(LetterCounts):
        def encode(self, titles):
            encoded.extend(titles)
            return super().encode(titles)

    scores = encoder_method(RecordingEncoder())(["ABC def", "abc"], ["abc DEF", "Abc"])
    np.testing.assert_allclose(scores, 1)
    assert encoded == ["abc def", "abc"]


def test_no_encoder_is_silent(monkeypatch, recwarn):
    monkeypatch.delenv(ENCODER_VARIABLE, raising=False)
    assert encoder_methods() == {}
    assert not recwarn.list
