import numpy as np
import pytest

from judul_lib.checking.comparison import RankingComparison, compare_rankings
from judul_lib.checking.loading import load_checker
from tests.conftest import PROJECT

TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge"


@pytest.fixture(scope="module")
def checkers():
    return {name: load_checker(PROJECT / "outputs" / name) for name in ("light", "structured")}


def compare(checkers, top_k):
    answers = {name: checker.check(TITLE, top_k=top_k) for name, checker in checkers.items()}
    return answers, compare_rankings(TITLE, answers, checkers)


def test_every_ranked_title_appears_once_with_the_rank_and_probability_of_each_model(checkers):
    answers, compared = compare(checkers, 10)
    whole = {name: checker.check(TITLE) for name, checker in checkers.items()}
    assert compared.models == ["light", "structured"]
    assert len(set(compared.titles)) == len(compared.titles)
    assert set(compared.titles) == {t for matches in answers.values() for t in matches.titles}
    for row, title in enumerate(compared.titles):
        for column, name in enumerate(compared.models):
            ranked = answers[name].titles
            rank = ranked.index(title) + 1 if title in ranked else 0
            assert compared.ranks[row, column] == rank
            place = whole[name].titles.index(title)
            assert compared.probability[row, column] == pytest.approx(whole[name].probability[place])


def test_titles_come_by_mean_probability(checkers):
    _, compared = compare(checkers, 10)
    np.testing.assert_allclose(compared.mean_probability, compared.probability.sum(axis=1) / 2)
    assert (np.diff(compared.mean_probability) <= 0).all()


def test_agreement_counts_shared_titles_and_compares_the_first(checkers):
    answers, compared = compare(checkers, 10)
    light, structured = (answers[name].titles for name in ("light", "structured"))
    assert compared.n_shared == len(set(light) & set(structured))
    assert 0 < compared.n_shared < 10
    assert compared.has_same_first == (light[0] == structured[0])
    ranks = np.array([[1, 2], [2, 1], [0, 3]])
    swapped = RankingComparison(["a", "b"], ["x", "y", "z"], ranks, np.full((3, 2), 0.5))
    assert not swapped.has_same_first
    assert swapped.n_shared == 2


def test_the_mean_of_a_model_is_that_of_the_titles_that_it_ranks(checkers):
    answers, compared = compare(checkers, 7)
    expected = [matches.probability.mean() for matches in answers.values()]
    np.testing.assert_allclose(compared.mean_of_ranked, expected)


def test_a_title_that_the_archive_has_twice_keeps_its_best_rank():
    twice = ["Deteksi Hoaks Politik", "Prediksi Harga Gula", "Deteksi Hoaks Politik"]
    checkers = {"light": load_checker(PROJECT / "outputs" / "light", twice)}
    answers = {"light": checkers["light"].check("Deteksi Hoaks Politik")}
    compared = compare_rankings("Deteksi Hoaks Politik", answers, checkers)
    assert compared.titles == twice[:2]
    assert compared.ranks.tolist() == [[1], [3]]


def test_an_empty_archive_leaves_nothing_to_compare(checkers):
    empty = {name: checker.with_titles([]) for name, checker in checkers.items()}
    _, compared = compare(empty, 10)
    assert compared.titles == []
    assert not compared.has_same_first
    assert np.isnan(compared.mean_of_ranked).all()
