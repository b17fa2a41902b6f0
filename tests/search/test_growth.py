from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from judul_lib.checking.checker import TitleChecker
from judul_lib.figures import growth_plots
from judul_lib.search.growth import (
    CHECK_STEPS,
    bytes_per_title,
    check_all,
    checking_costs,
    growth_exponent,
    making_costs,
    same_answers,
    storing_costs,
    timed,
)
from judul_lib.search.index import TitleIndex
from judul_lib.study.synthetic import synthetic_titles
from tests.conftest import DATA, PROJECT

SIZES = [100, 1000, 10_000]


@pytest.mark.parametrize(("exponent", "factor"), [(1.0, 3.0), (0.5, 0.01), (0.0, 7.0), (-0.25, 2.0)])
def test_the_exponent_of_a_power_is_found(exponent, factor):
    found = growth_exponent(SIZES, [factor * size**exponent for size in SIZES])
    assert found == pytest.approx((exponent, factor))


def test_the_exponent_is_the_least_squares_line_of_the_logarithms():
    values = [3.0, 20.0, 90.0]
    slope, start = np.polyfit(np.log(SIZES), np.log(values), 1)
    assert growth_exponent(SIZES, values) == pytest.approx((slope, np.exp(start)))


def test_one_size_has_no_exponent():
    with pytest.raises(ValueError, match="one size"):
        growth_exponent([10, 10], [1, 2])


def test_time_and_result_of_a_call_are_returned():
    result, seconds = timed(sorted, [2, 1], reverse=True)
    assert result == [2, 1]
    assert 0 <= seconds < 5


def answers(checker, queries, top_k):
    return check_all(checker, queries, top_k=top_k)["jawaban"]


def test_answers_that_differ_are_not_counted_as_the_same(trained):
    plain = TitleChecker.from_model(trained.model, trained.titles)
    index = TitleIndex.build(trained.titles, trained.folder)
    queries = trained.titles[:5]
    ten, own = answers(plain, queries, 10), answers(plain, queries, 1)
    assert list(same_answers(ten, answers(index, queries, 10)).values()) == [5, 5, 5]
    other = TitleChecker.from_model(trained.model, trained.titles[1:])
    assert list(same_answers(own, answers(other, queries, 1)).values()) == [5, 4, 4]
    features = [replace(matches, features=matches.features + 1e-9) for matches in own]
    assert list(same_answers(own, features).values()) == [5, 5, 0]
    probability = [replace(matches, probability=matches.probability + 1e-9) for matches in own]
    assert list(same_answers(own, probability).values()) == [5, 5, 0]


def test_a_check_says_how_many_titles_were_compared(trained):
    plain = TitleChecker.from_model(trained.model, trained.titles)
    assert check_all(plain, trained.titles[:3], top_k=5)["dibandingkan"].tolist() == [123] * 3
    titles = synthetic_titles(2000, seed=1, data=DATA.parent).titles
    index = TitleIndex.build(titles + trained.titles, trained.folder)
    costs = check_all(index, trained.titles[:3], top_k=1)
    assert costs["dibandingkan"].between(1, 2000).all()
    assert (costs["detik"] > 0).all()
    assert [matches.titles for matches in costs["jawaban"]] == [[t] for t in trained.titles[:3]]


@pytest.mark.parametrize("name", ["light", "structured"])
def test_steps_of_making_an_index_are_timed_and_its_arrays_weighed(tmp_path, name):
    model, titles = PROJECT / "outputs" / name, synthetic_titles(300, seed=1, data=DATA.parent).titles
    costs = making_costs(titles, model)
    assert list(costs.index) == ["prapemrosesan", "fitur", "daftar per istilah"]
    assert (costs > 0).all()
    stored = storing_costs(TitleIndex.build(titles, model), tmp_path / "index")
    assert list(stored.index) == ["menyimpan", "membuka"]
    assert (stored > 0).all()
    weights = bytes_per_title(tmp_path / "index")
    assert weights.is_monotonic_decreasing
    stored = sum(path.stat().st_size for path in (tmp_path / "index" / "parts").iterdir())
    assert weights.sum() * 300 == pytest.approx(stored, rel=0.05)
    letters = len("".join(titles).encode()) / 300
    assert letters < weights["judul seperti ditulis"] < letters + 16


@pytest.mark.parametrize("name", ["light", "structured"])
def test_the_time_of_checks_is_taken_apart(name):
    titles = synthetic_titles(300, seed=1, data=DATA.parent).titles
    index = TitleIndex.build(titles, PROJECT / "outputs" / name)
    index.n_threads = 7
    costs = checking_costs(index, titles[:3], top_k=5)
    assert set(costs.index) == {*CHECK_STEPS.values(), "lainnya"}
    assert (costs >= 0).all()
    compared = costs[["bagian judul yang berpasangan", "perbandingan penuh", "pohon keputusan"]] > 0
    assert compared.all() == compared.any() == (name == "structured")
    searched = costs[["huruf", "batas atas", "kosinus dan kata bersama"]] > 0
    assert searched.all() == searched.any() == (name == "light")
    assert (costs[["membaca judul yang diperiksa", "keterangan hasil", "lainnya"]] > 0).all()
    assert index.n_threads == 7


def test_figures_of_growth_show_points_line_and_exponent():
    series = {
        "indeks <b>": pd.Series([0.002, 0.002, 0.002], SIZES),
        "biasa": pd.Series([0.01, 0.1, 1], SIZES),
    }
    figure = growth_plots.time_growth(series)
    assert [t.name for t in figure.data if t.mode == "markers"] == [
        "indeks &lt;b&gt;: pangkat 0,00", "biasa: pangkat 1,00",
    ]  # fmt: skip
    assert list(figure.data[2].y) == [10, 100, 1000]
    assert list(figure.data[3].y) == pytest.approx([10, 1000])
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert list(figure.layout.xaxis.ticktext) == ["100", "1.000", "10.000"]
    counted = growth_plots.scored_growth({"indeks": pd.Series([50, 60, 70], SIZES)})
    assert list(counted.data[0].y) == [50, 60, 70]


def test_bars_of_steps_have_one_series_a_model():
    frame = pd.DataFrame({"Model A": [1.0, 2.5], "Model B": [0.5, 0.0]}, ["membaca", "menyimpan"])
    figure = growth_plots.stage_bars(frame, 30_000)
    assert figure.layout.title.text == "Biaya setiap langkah, 30.000 judul"
    assert [list(bar.x) for bar in figure.data] == [[1.0, 2.5], [0.5, 0.0]]
    assert list(figure.data[0].text) == ["1,00", "2,50"]
