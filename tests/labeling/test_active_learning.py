"""Choice of pairs to label, and simulations of what it is worth."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from judul_lib.checking.loading import load_checker
from judul_lib.core.errors import LabelError
from judul_lib.core.settings import FULL
from judul_lib.figures.labeling_plots import strategy_curves
from judul_lib.labeling import active_learning
from judul_lib.labeling.active_learning import (
    CHOSEN_COLUMNS,
    STRATEGIES,
    candidate_pairs,
    choose_diverse,
    choose_unsure,
    score_candidates,
    select_pairs,
    uncertainty,
)
from judul_lib.labeling.simulation import N_INITIAL_LABELS, Learner, Simulation, advantage, gold_pool
from judul_lib.structured.gold import crossed_pairs, read_gold
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.preprocessing import pair_key
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def checkers(trained):
    """A model of the study and the structured model."""
    return {"light": load_checker(trained.folder), "structured": load_checker("outputs/structured")}


@pytest.fixture(params=["light", "structured"])
def checker(request, checkers):
    return checkers[request.param]


def keys(pairs):
    return [pair_key(*pair) for pair in zip(pairs["judul_a"], pairs["judul_b"], strict=True)]


def test_candidates_are_nearest_neighbours_and_random_pairs(trained):
    left, right = candidate_pairs(trained.titles, n_neighbours=3)
    pairs = set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(pairs) == len(left)
    assert (left < right).all()
    rows = fit_vectorizer(trained.processed, FULL).transform(trained.processed)
    cosines = np.round((rows @ rows.T).toarray() - 2 * np.eye(rows.shape[0]), 9)
    for title, row in enumerate(cosines):
        third = np.sort(row)[-3]
        for other in np.flatnonzero(row > max(third, 0)):
            assert (min(title, other), max(title, other)) in pairs
    share_words = cosines[left, right] > 0
    assert 0 < (~share_words).sum() < share_words.sum()
    assert np.array_equal(candidate_pairs(trained.titles, n_neighbours=3)[1], right)
    other_seed = candidate_pairs(trained.titles, n_neighbours=3, random_state=1)
    assert not np.array_equal(other_seed[1], right)


def test_titles_of_a_large_corpus_are_sampled(trained, monkeypatch):
    monkeypatch.setattr(active_learning, "_MAX_TITLES", 10)
    left, right = candidate_pairs(trained.titles, n_neighbours=3)
    assert 0 < len(left) <= 10 * 5
    assert len({*left, *right}) > 10


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_uncertainty_is_highest_at_the_threshold(threshold):
    values = uncertainty([0, threshold, 1], threshold)
    assert values[1] == 1
    assert {values[0], values[2]} <= {0, 1}
    assert (np.diff(uncertainty(np.linspace(0, threshold, 5), threshold)) >= 0).all()


def test_near_duplicates_do_not_fill_the_batch():
    rng = np.random.default_rng(0)
    copies = np.tile([5.0, 5.0], (40, 1)) + rng.normal(0, 1e-3, (40, 2))
    features = np.vstack([copies, rng.uniform(-5, 5, (20, 2))])
    uncertainties = np.r_[np.full(40, 0.95), np.full(20, 0.9)]
    assert (choose_unsure(uncertainties, features, 10, np.random.default_rng(1)) < 40).all()
    chosen = choose_diverse(uncertainties, features, 10, np.random.default_rng(1))
    assert len(set(chosen)) == 10
    assert (chosen < 40).sum() <= 2
    longer = choose_diverse(uncertainties, features, 30, np.random.default_rng(1))
    assert longer[:10].tolist() == chosen.tolist()  # Every prefix is diverse.


def test_certain_outliers_are_not_chosen():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 3))
    features[:5] += 100
    uncertainties = np.r_[np.zeros(5), rng.uniform(0.5, 1, 45)]
    assert (choose_diverse(uncertainties, features, 45, np.random.default_rng(0)) >= 5).all()


def test_diverse_pairs_are_uncertain_and_distant(checker):
    scored, features = score_candidates(checker)
    row_of = {key: row for row, key in enumerate(keys(scored))}
    points = StandardScaler().fit_transform(features)

    def mean_uncertainty_and_distance(strategy):
        chosen = select_pairs(checker, 20, strategy=strategy)
        assert list(chosen.columns) == list(CHOSEN_COLUMNS)
        selected = points[[row_of[key] for key in keys(chosen)]]
        distances = np.sqrt(((selected[:, None] - selected) ** 2).sum(axis=2)) + 1e9 * np.eye(20)
        return chosen["ketidakpastian"].mean(), distances.min(axis=1).mean()

    means = {strategy: mean_uncertainty_and_distance(strategy) for strategy in STRATEGIES}
    assert means["ragu"][0] >= means["beragam"][0] > 2 * means["acak"][0]
    assert means["beragam"][1] > means["ragu"][1]


def test_selection_is_reproducible_by_seed(checker):
    chosen = select_pairs(checker, 15)
    pd.testing.assert_frame_equal(chosen, select_pairs(checker, 15))
    random_pairs = (select_pairs(checker, 15, strategy="acak", random_state=n) for n in (42, 42, 7))
    first, repeated, other = map(keys, random_pairs)
    assert first == repeated != other
    scores = checker.score(chosen["judul_a"].tolist(), chosen["judul_b"].tolist())
    assert np.allclose(scores[1], chosen["probability"])


def test_labelled_pairs_are_not_selected_again(checker):
    first = select_pairs(checker, 15)
    labelled = list(zip(first["judul_b"].str.lower(), first["judul_a"], strict=True))
    second = select_pairs(checker, 15, labelled=labelled)
    assert not set(keys(first)) & set(keys(second))
    candidates, _ = score_candidates(checker)
    assert len(select_pairs(checker, 10_000)) == len(candidates)
    labelled = list(zip(candidates["judul_a"], candidates["judul_b"], strict=True))
    assert select_pairs(checker, 5, labelled=labelled).empty


def test_copies_and_titles_without_words_are_not_paired(checkers):
    titles = ["Prediksi Harga Beras", "PREDIKSI  harga beras!", "...", "Deteksi Hoaks Berita"]
    chosen = select_pairs(checkers["light"].with_titles(titles), 10)
    assert chosen[["judul_a", "judul_b"]].to_numpy().tolist() == [[titles[0], titles[3]]]
    assert select_pairs(checkers["light"].with_titles(titles[:3]), 10).empty


def test_invalid_strategy_or_number_is_refused(checkers):
    with pytest.raises(LabelError, match="beragam, ragu, acak"):
        select_pairs(checkers["light"], 5, strategy="entropi")
    with pytest.raises(LabelError, match="sedikitnya 1"):
        select_pairs(checkers["light"], 0)


@pytest.fixture(scope="module")
def gold():
    return read_gold(PROJECT / "data" / "gold_pairs.csv")


def labels_by_pair(pairs):
    sides = zip(pairs["judul_a"], pairs["judul_b"], strict=True)
    return dict(zip(map(frozenset, sides), pairs["label"], strict=True))


def test_pool_has_gold_labels_and_no_test_title(gold):
    development, test = gold[gold["split"] == "dev"], gold[gold["split"] == "test"]
    pool = gold_pool(development)
    titles = {*pool["judul_a"], *pool["judul_b"]}
    assert not titles & {*test["judul_a"], *test["judul_b"]}
    labelled = pd.concat([development[development["label"].notna()], crossed_pairs(development)])
    gold_labels, pool_labels = labels_by_pair(labelled), labels_by_pair(pool)
    both = gold_labels.keys() & pool_labels.keys()
    assert all(pool_labels[pair] == gold_labels[pair] for pair in both)
    assert sum(pool_labels[pair] for pair in both) == pool["label"].sum() > 500
    assert not labels_by_pair(development[development["label"].isna()]).keys() & pool_labels.keys()


def toy_problem(n=400):
    """Return pairs that are similar above a boundary, and a learner that finds the boundary."""
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame({"value": rng.uniform(size=n)})
    pairs["label"] = (pairs["value"] > 0.83).astype(int)

    def fit(features, labels):
        boundary = (features[labels == 0].max() + features[labels == 1].min()) / 2
        return lambda rows: 1 / (1 + np.exp(-30 * (rows[:, 0] - boundary)))

    return pairs, Learner(lambda pairs: pairs[["value"]].to_numpy(), fit)


def test_strategies_share_initial_labels_and_uncertain_ones_are_near_the_boundary():
    pairs, learner = toy_problem()
    simulation = Simulation(pairs, {"uji": pairs}, {"toy": learner})
    order = {s: simulation._labelling_order(s, "toy", 5, 20, 3) for s in STRATEGIES}
    for rows in order.values():
        assert len(set(rows.tolist())) == N_INITIAL_LABELS + 20
        assert rows[:N_INITIAL_LABELS].tolist() == order["acak"][:N_INITIAL_LABELS].tolist()
    distance = (pairs["value"] - 0.83).abs()
    means = {s: distance[rows[N_INITIAL_LABELS:]].mean() for s, rows in order.items()}
    assert means["ragu"] < means["beragam"] < means["acak"]
    compared, repeated = (
        simulation.compare("toy", strategies=STRATEGIES, seeds=range(4), at=(5, 20), step=5)
        for _ in range(2)
    )
    assert len(compared) == 3 * 4 * 2
    assert len(strategy_curves(compared).data) == 2 * len(STRATEGIES)
    pd.testing.assert_frame_equal(compared, repeated)


def test_advantage_is_paired_by_seed_and_named_only_if_significant():
    def advantage_of(gains):
        rows = [("acak", seed, 100, "uji", 0.5 + seed / 10) for seed in range(5)]
        rows += [("beragam", seed, 100, "uji", 0.5 + seed / 10 + g) for seed, g in enumerate(gains)]
        rows += [("beragam", seed, 20, "uji", 0.0) for seed in range(5)]
        frame = pd.DataFrame(rows, columns=["strategi", "benih", "label", "uji", "roc_auc"])
        return advantage(frame).loc["uji"]

    clear = advantage_of([0.01, 0.02, 0.01, 0.02, 0.015])
    assert clear["selisih"] == pytest.approx(0.015)
    assert (clear["simpulan"], clear["menang"], clear["benih"]) == ("lebih baik", 5, 5)
    assert advantage_of([-0.01, -0.02, -0.01, -0.02, -0.015])["simpulan"] == "lebih buruk"
    assert advantage_of([0.01, -0.02, 0.03, -0.01, 0.0])["simpulan"] == "tidak berbeda nyata"
