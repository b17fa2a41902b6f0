"""Monitoring: simulated drift is found and dated, and normal usage raises no alert."""

import json
import math
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from judul_lib import load_checker
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError, PipelineError
from judul_lib.core.formatting import format_number
from judul_lib.reports.runner import run_notebook
from judul_lib.study.preprocessing import preprocess_titles
from judul_lib.training import drift
from judul_lib.training.drift import (
    MEAN_SHIFT_BOUND,
    MIN_VALUES,
    N_BINS,
    PSI_BOUND,
    DistributionSummary,
    ModelBaseline,
    compare,
    kolmogorov_smirnov,
    measure_baseline,
    stability_index,
    stored_baseline,
    top_probabilities,
    unknown_shares,
    with_baseline,
)
from judul_lib.usage import monitoring
from judul_lib.usage.alerts import ALERT_COLUMNS, INCIDENT_LEVELS, find_alerts, find_condition_start
from judul_lib.usage.database import (
    DATABASE_FILE,
    USAGE_TABLES,
    opened_database,
    predictions,
    read_table,
    sqlite_url,
)
from judul_lib.usage.frames import Usage, local_day, read_usage
from judul_lib.usage.log import UsageLog, insert_units
from judul_lib.usage.monitoring import (
    availability,
    common_words,
    correlations,
    daily_response_times,
    drift_by_day,
    drift_table,
    error_kinds,
    model_agreement,
    queries_per_day,
    queries_per_hour,
    query_lengths,
    read_baselines,
    response_times,
    shares,
    study_drift_table,
)
from judul_lib.usage.simulation import simulate_usage, simulated_tables, synthetic_baseline
from tests.conftest import PROJECT, assert_refused, copy_stored_models, judul

END = date(2026, 3, 1)
EVENING = datetime(2026, 3, 1, 16, 59)  # 23.59 in Jakarta.
DAYS, DRIFT_DAY = 60, 40
BASELINES = {name: synthetic_baseline() for name in ("full", "light")}
VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=200)


@pytest.fixture
def engine(url):
    """An empty log."""
    with opened_database(url) as opened:
        yield opened


def tables(seed=1, **options):
    return simulated_tables(seed=seed, end=END, days=DAYS, baselines=BASELINES, **options)


@pytest.fixture(scope="module")
def usage():
    return Usage.from_tables(tables())


def day(number):
    return END - timedelta(days=DAYS - 1 - number)


def with_columns(usage, table, **columns):
    return Usage(**{**usage.tables, table: usage.tables[table].assign(**columns)})


def event(kind, time, model=None):
    return {
        "id": f"{kind}{time}{model}", "user": "0" * 16, "time": time, "kind": kind, "model": model,
        "detail": "", "seconds": None, "simulated": False,
    }  # fmt: skip


# Distributions.


@given(VALUES, VALUES)
def test_drift_measures_are_bounded_and_symmetric(left, right):
    one, other = DistributionSummary.from_values(left), DistributionSummary.from_values(right)
    statistic, p_value = kolmogorov_smirnov(one, other)
    assert 0 <= statistic <= 1 + 1e-12
    assert 0 <= p_value <= 1
    assert kolmogorov_smirnov(other, one) == pytest.approx((statistic, p_value))
    assert stability_index(one, other) >= 0
    assert stability_index(other, one) == pytest.approx(stability_index(one, other))


@given(VALUES)
def test_distribution_does_not_drift_from_itself(values):
    spread = DistributionSummary.from_values(values)
    assert stability_index(spread, spread) == 0
    assert kolmogorov_smirnov(spread, spread) == (0, 1)
    same = compare(
        DistributionSummary.from_values(values * 100), DistributionSummary.from_values(values * 100)
    )
    assert same is not None
    assert not same.exceeded


def test_drift_measures_equal_those_of_a_plain_loop():
    rng = np.random.default_rng(3)
    left, right = rng.beta(2, 4, 300), rng.beta(3, 3, 200)
    one, other = DistributionSummary.from_values(left), DistributionSummary.from_values(right)
    edges = np.arange(1, N_BINS + 1) / N_BINS
    distances = [abs(np.mean(left < edge) - np.mean(right < edge)) for edge in edges]
    statistic, p_value = kolmogorov_smirnov(one, other)
    assert statistic == pytest.approx(max(distances))
    exact = stats.ks_2samp(np.floor(left * N_BINS), np.floor(right * N_BINS), method="asymp")
    assert statistic == pytest.approx(exact.statistic)
    root = statistic * np.sqrt(300 * 200 / 500)
    series = 2 * sum((-1) ** (k - 1) * np.exp(-2 * (k * root) ** 2) for k in range(1, 50))
    assert p_value == pytest.approx(series)
    assert np.log10(p_value) == pytest.approx(np.log10(exact.pvalue), rel=0.2)
    total = 0.0
    for k in range(10):
        p = np.mean((left >= k / 10) & (left < (k + 1) / 10)) * 0.98 + 0.002
        q = np.mean((right >= k / 10) & (right < (k + 1) / 10)) * 0.98 + 0.002
        total += (p - q) * np.log(p / q)
    assert stability_index(one, other) == pytest.approx(total)
    assert compare(one, other).mean_shift == pytest.approx(right.mean() - left.mean())


def test_baseline_describes_its_values_and_survives_json():
    spread = DistributionSummary.from_values([0.0, 0.5, 0.9, 1.0, float("nan")])
    assert (spread.n, spread.mean, spread.share_high) == (4, pytest.approx(0.6), 0.5)
    assert spread.deviation == pytest.approx(np.std([0, 0.5, 0.9, 1]))
    assert (spread.histogram[0], spread.histogram[25], sum(spread.histogram)) == (1, 1, 4)
    assert DistributionSummary.from_dict(json.loads(json.dumps(spread.to_dict()))) == spread
    metadata = with_baseline({"name": "light"}, BASELINES["light"])
    stored = stored_baseline(json.loads(json.dumps(metadata)), "v1")
    assert stored == ModelBaseline(BASELINES["light"].probability, BASELINES["light"].unknown, "v1")
    assert stored_baseline({"name": "light"}) is None


@given(VALUES)
def test_samples_of_a_baseline_have_its_histogram(values):
    spread = DistributionSummary.from_values(values)
    drawn = DistributionSummary.from_values(spread.quantiles((np.arange(2_000) + 0.5) / 2_000))
    assert np.abs(drawn.shares - spread.shares).max() < 0.002
    assert drawn.mean == pytest.approx(spread.mean, abs=1 / N_BINS)
    ends = spread.quantiles(np.array([0.0, 1.0]))
    assert ends == pytest.approx([min(values), max(values)], abs=1.01 / N_BINS)


def test_few_values_are_not_compared_and_a_clear_shift_is_found_by_every_measure():
    baseline = BASELINES["full"].probability
    assert compare(baseline, DistributionSummary.from_values([0.9] * (MIN_VALUES - 1))) is None
    drift = compare(baseline, DistributionSummary.from_values([0.9] * MIN_VALUES))
    assert len(drift.exceeded) == 3
    for value, bound in drift.exceeded.values():
        assert value > bound or value < bound == 0.001
    assert drift.mean_shift_bound >= MEAN_SHIFT_BOUND
    assert drift.psi_bound >= PSI_BOUND


def test_false_alarms_are_rare_for_a_sampled_baseline():
    """Each of three measures may err about once in a thousand pairs of samples."""
    rng = np.random.default_rng(0)
    for m, n in ((123, MIN_VALUES), (400, 280)):
        spreads = (
            (DistributionSummary.from_values(rng.beta(0.4, 0.4, k)) for k in (m, n))
            for _ in range(2_000)
        )
        alarms = sum(bool(compare(*pair).exceeded) for pair in spreads)
        assert alarms <= 10, (m, n, alarms)


# Baselines of models.


@pytest.mark.parametrize("name", ["light", "structured"])
def test_baseline_compares_each_title_with_the_others_only(name):
    checker = load_checker(PROJECT / "outputs" / name)
    small = checker.with_titles(list(checker.titles)[:12])
    top = top_probabilities(small)
    for k, title in enumerate(small.titles):
        others = [other for j, other in enumerate(small.titles) if j != k]
        expected = small.with_titles(others).check(title, top_k=1).probability[0]
        # The structured model weights terms by all titles of an archive, including this one.
        assert top[k] == pytest.approx(expected, abs=0.05 if name == "structured" else 1e-9)


def test_word_of_one_title_only_is_unknown_to_the_study_models(monkeypatch):
    light, structured = (load_checker(PROJECT / "outputs" / name) for name in ("light", "structured"))
    texts = [set(text.split()) for text in preprocess_titles(light.titles)]
    monkeypatch.setattr(light, "is_known", lambda stem: True)  # As in the full model's vocabulary.
    unknown = unknown_shares(light)
    assert ((unknown >= 0) & (unknown <= 1)).all()
    for stems, share in zip(texts, unknown, strict=True):
        unique = [stem for stem in stems if sum(stem in other for other in texts) == 1]
        assert share * len(stems) >= len(unique) - 1e-9
    assert unknown.mean() > 0.1
    exact = [structured.unknown_share(title) for title in structured.titles]
    assert unknown_shares(structured).tolist() == exact
    assert (unknown_shares(light) == unknown).all()


def test_usable_models_have_a_baseline_and_others_are_reported(models):
    (models / "full").mkdir()
    warnings = []
    baselines = read_baselines(models, warn=warnings.append)
    assert list(baselines) == ["light"]
    assert len(warnings) == 1
    assert baselines["light"].probability == measure_baseline(load_checker(models / "light")).probability
    assert read_baselines(models / "nothing", warn=warnings.append) == {}
    assert "Belum ada model" in warnings[1]


def test_stored_baseline_is_read_and_a_missing_one_is_computed(tmp_path):
    folder = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light")
    metadata = read_metadata(folder)
    computed = measure_baseline(load_checker(folder), version_of(metadata))
    assert read_baselines(tmp_path)["light"] == computed  # As stored.
    path = folder / "metadata.json"
    path.write_text(json.dumps(with_baseline(metadata, BASELINES["light"])))
    assert read_baselines(tmp_path)["light"].probability == BASELINES["light"].probability
    del metadata["baseline"]
    path.write_text(json.dumps(metadata))
    assert read_baselines(tmp_path)["light"] == computed


@pytest.mark.parametrize("name", ["light", "structured"])
def test_large_corpus_is_sampled(name, monkeypatch):
    checker = load_checker(PROJECT / "outputs" / name)
    small = checker.with_titles(list(checker.titles)[:20])
    all_tops = top_probabilities(small)
    monkeypatch.setattr(drift, "_MAX_TITLES", 7)
    sampled_tops = top_probabilities(small)
    assert len(sampled_tops) == 7
    assert set(sampled_tops) <= set(all_tops)  # Each is still compared with all others.


def test_rounding_error_does_not_change_the_bin():
    below, edge, above = (
        DistributionSummary.from_values([np.nextafter(0.58, to)]) for to in (0, 0.58, 1)
    )
    assert below == edge == above


# Measures.


def test_measures_equal_those_of_plain_loops(usage):
    queries = usage.predictions
    seconds = sorted(queries["seconds"])
    assert response_times(usage)["p95"] == pytest.approx(np.percentile(seconds, 95))
    daily = daily_response_times(usage)
    seconds = queries[queries["day"] == daily.index[7]]["seconds"]
    assert daily["p50"].iloc[7] == pytest.approx(np.median(seconds))
    local = [time + timedelta(hours=7) for time in queries["time"]]
    assert queries_per_hour(usage)[10] == sum(time.hour == 10 for time in local)
    per_day = queries_per_day(usage)
    assert per_day.iloc[5] == sum(time.date() == day(5) for time in local)
    assert per_day.sum() == len(queries)
    wide = {name: group.set_index("prediction_id") for name, group in usage.scores.groupby("model")}
    full, light = (wide[name]["probability"] for name in ("full", "light"))
    sides = [(full[k] >= 0.5) == (light[k] >= 0.5) for k in full.index if full[k] == full[k]]
    (row,) = model_agreement(usage).itertuples(index=False)
    assert (row.n, row.same_side) == (len(sides), pytest.approx(np.mean(sides)))
    assert row.difference == pytest.approx(np.nanmean(abs(full - light[full.index])))
    assert np.nanmean(queries["difference"]) == pytest.approx(row.difference)
    first, second = (wide[name]["match_hash"].to_dict() for name in ("full", "light"))
    found = [(first[k], second[k]) for k in first if first[k] is not None]
    assert row.same_match == pytest.approx(np.mean([one == other for one, other in found]))
    assert 0.5 < row.same_match < 1
    counts = shares(usage)
    n_errors = sum(usage.events["kind"] == "error")
    assert counts["error_rate"] == pytest.approx(n_errors / (n_errors + len(queries)))
    assert counts["empty_share"] == pytest.approx(np.mean(queries["n_results"] == 0))
    assert counts["downloads"] == sum(usage.events["kind"] == "download") > 0
    loads = availability(usage).loc["light"]
    assert loads["share"] == loads["loaded"] / (loads["loaded"] + loads["failed"])
    assert correlations(usage).loc["full", "light"] > 0.8
    expected = stats.spearmanr(queries["query_length"], queries["query_words"]).statistic
    assert correlations(usage).loc["query_length", "query_words"] == pytest.approx(expected)
    assert query_lengths(usage).loc["count", "query_words"] == len(queries)


def test_common_words_are_counted_where_text_is_stored(usage):
    assert common_words(usage).empty
    texts = ["Prediksi harga prediksi", "Prediksi cuaca"] + [None] * (len(usage.predictions) - 2)
    assert common_words(with_columns(usage, "predictions", query_text=texts))["prediksi"] == 2


def test_empty_log_gives_empty_tables_and_no_alert(engine):
    empty = read_usage(engine)
    alerts = find_alerts(empty, BASELINES, EVENING)
    assert alerts.empty
    assert list(alerts.columns) == list(ALERT_COLUMNS)
    for measure in (
        daily_response_times, availability, queries_per_day, model_agreement, common_words, correlations,
    ):  # fmt: skip
        assert measure(empty).fillna(0).to_numpy().sum() == 0
    assert queries_per_hour(empty).sum() == 0
    assert np.isnan(response_times(empty)["p50"])
    assert shares(empty)["downloads"] == 0
    assert drift_table(empty, BASELINES, local_day(EVENING)).empty
    assert query_lengths(empty).loc["count"].sum() == 0


def shifted_by(usage, amount):
    """Return the usage with the baseline's probabilities, all higher by an amount."""
    n = len(usage.scores)
    values = BASELINES["light"].probability.quantiles((np.arange(n) * 0.618) % 1) + amount
    return with_columns(usage, "scores", probability=values, unknown_share=np.nan)


def test_study_drift_compares_mean_spread_and_share_with_the_baseline(usage):
    moved = shifted_by(usage, 0.15)
    last = pd.Timestamp(END)
    shown = study_drift_table(moved, BASELINES, last).set_index(["model", "measure"])
    rows = moved.scores
    week = rows["day"].between(last - pd.Timedelta(days=6), last) & (rows["model"] == "light")
    values = rows.loc[week].drop_duplicates("query_hash")["probability"]
    high = (values > 0.8).mean()
    expected = {"mean": values.mean(), "deviation": values.std(ddof=0), "share_high": high}
    for measure, value in expected.items():
        row = shown.loc[("light", measure)]
        assert row["now"] == pytest.approx(value)
        assert row["baseline"] == getattr(BASELINES["light"].probability, measure)
        assert row["change"] == pytest.approx(value - row["baseline"])
    assert shown["drift"].tolist() == [True, None, None] * 2
    assert not study_drift_table(shifted_by(usage, 0), BASELINES, last)["drift"].iloc[0]
    few = moved.filter_rows(lambda frame: frame.index < 40)
    day_of_few = few.predictions["day"].max()
    few_rows = study_drift_table(few, BASELINES, day_of_few)
    assert few_rows["n"].iloc[0] < MIN_VALUES
    assert few_rows["drift"].isna().all()


def test_study_bound_alerts_where_ours_allows_for_chance(usage, monkeypatch):
    monkeypatch.setattr("judul_lib.training.drift.PSI_BOUND", 9)
    monkeypatch.setattr("judul_lib.training.drift.KS_P_VALUE_BOUND", 1e-30)  # A bound far above 0.1.
    for amount, n_alerts in ((0.09, 0), (0.13, 2)):
        moved = shifted_by(usage, amount)
        alerts = find_alerts(moved, BASELINES, EVENING)
        assert len(alerts) == n_alerts
        drift = drift_table(moved, BASELINES, pd.Timestamp(END))
        assert not drift["drift"].any()
    assert set(alerts["batas"]) == {MEAN_SHIFT_BOUND}
    assert (alerts["nilai"] > MEAN_SHIFT_BOUND).all()


def test_drift_of_a_day_is_computed_once(usage, monkeypatch):
    calls = []

    def measure_drift(rows, model, baseline, day):
        calls.append((model, day))
        return compute(rows, model, baseline, day)

    compute = monitoring.measure_drift
    monkeypatch.setattr(monitoring, "measure_drift", measure_drift)
    drifted = Usage.from_tables(tables(drift_from=DRIFT_DAY))
    by_day = drift_by_day(drifted, BASELINES)
    alerts = find_alerts(drifted, BASELINES, EVENING, by_day)
    table = drift_table(drifted, BASELINES, local_day(EVENING), by_day)
    assert len(calls) == len(set(calls)) > 2 * len(BASELINES)
    pd.testing.assert_frame_equal(table, drift_table(drifted, BASELINES, local_day(EVENING)))
    pd.testing.assert_frame_equal(alerts, find_alerts(drifted, BASELINES, EVENING))


# Alerts.


@pytest.mark.slow
def test_normal_usage_raises_no_alert_and_drift_is_dated():
    """No alert for 95 of 100 seeds of normal usage."""
    normal = [find_alerts(Usage.from_tables(tables(seed)), BASELINES, EVENING) for seed in range(100)]
    assert sum(len(alerts) > 0 for alerts in normal) <= 5
    for seed in range(20):
        alerts = find_alerts(Usage.from_tables(tables(seed, drift_from=DRIFT_DAY)), BASELINES, EVENING)
        drifts = alerts[alerts["apa"].str.startswith("Peluang teratas")]
        assert len(drifts) == len(BASELINES)
        for since in drifts["sejak"]:
            assert abs((since - day(DRIFT_DAY)).days) <= 3
        assert set(drifts["tingkat"]) == {"P2"}
        assert (drifts["tanggapan"] == INCIDENT_LEVELS["P2"].response_deadline).all()


def test_unknown_words_can_drift_alone(usage):
    unknown = usage.scores["unknown_share"].where(usage.scores["day"] < str(day(50)), 0.7)
    alerts = find_alerts(with_columns(usage, "scores", unknown_share=unknown), BASELINES, EVENING)
    assert alerts["apa"].str.startswith("Kata tak dikenal").tolist() == [True, True]
    assert all(day(50) <= since <= day(53) for since in alerts["sejak"])


def test_other_versions_and_repeated_titles_do_not_count_as_drift():
    baselines = {"light": replace(BASELINES["light"], version="v2")}
    drifted = tables(drift_from=DRIFT_DAY, models=("light",))
    drifted["scores"]["version"] = "v1"
    assert find_alerts(Usage.from_tables(drifted), baselines, EVENING).empty
    drifted["scores"]["version"] = "v2"
    assert len(find_alerts(Usage.from_tables(drifted), baselines, EVENING)) == 1
    drifted["predictions"]["query_hash"] = "a" * 16
    assert find_alerts(Usage.from_tables(drifted), baselines, EVENING).empty


def test_slow_answers_are_dated(usage):
    seconds = usage.predictions["seconds"].where(usage.predictions["day"] < str(day(55)), 6.5)
    (alert,) = find_alerts(with_columns(usage, "predictions", seconds=seconds), {}, EVENING).itertuples()
    assert (alert.tingkat, alert.nilai, alert.batas, alert.sejak) == ("P3", 6.5, 5, day(55))
    seconds = seconds.where(usage.predictions["day"] < str(day(58)), 0.2)
    assert find_alerts(with_columns(usage, "predictions", seconds=seconds), {}, EVENING).empty


def opinions(n_right, n, last, model="light"):
    """Opinions on the verdicts of a model, some of them "right", in the days up to *last*."""
    return [
        {
            "id": f"{model}{last}{k}", "time": last - timedelta(days=k % 7), "simulated": False,
            "model": model, "label": "MIRIP", "probability": 0.9, "threshold": 0.5,
            "is_right": k < n_right,
        }
        for k in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recent", "n", "is_alert"),
    [
        (60, 100, True),  # From 90 % to 60 %.
        (82, 100, False),  # Fewer than ten points.
        (75, 100, True),
        (12, 20, False),  # Too few opinions.
        (23, 30, False),  # From 90 % to 77 % may be chance.
    ],
)
def test_drop_in_accuracy_is_an_alert_of_level_2(recent, n, is_alert):
    earlier = opinions(90, 100, EVENING - timedelta(days=14))
    rows = [*earlier, *opinions(recent, n, EVENING), *opinions(90, 100, EVENING, "full")]
    alerts = find_alerts(Usage.from_tables({"feedback": rows}), {}, EVENING)
    assert alerts["jenis"].tolist() == ["ketepatan-turun"] * is_alert
    if is_alert:
        assert alerts.loc[0, ["tingkat", "tanggapan"]].tolist() == ["P2", "1 jam"]
        assert "Model Ringan" in alerts.loc[0, "apa"]
        assert alerts.loc[0, "nilai"] == pytest.approx(recent / n)
        assert alerts.loc[0, "batas"] == pytest.approx(0.8)


def test_failed_load_is_most_urgent_until_the_model_loads():
    start = EVENING - timedelta(days=3)
    events = [event("model_loaded", start - timedelta(days=1), "full")]
    events += [event("model_failed", start + timedelta(hours=k), "full") for k in (0, 1, 30)]
    alerts = find_alerts(Usage.from_tables({"events": events}), {}, EVENING)
    assert alerts.loc[0, ["tingkat", "nilai", "sejak"]].tolist() == ["P1", 3, local_day(start).date()]
    assert "Model Penuh" in alerts.loc[0, "apa"]
    events.append(event("model_loaded", EVENING, "full"))
    assert find_alerts(Usage.from_tables({"events": events}), {}, EVENING).empty


def test_errors_and_empty_answers_raise_alerts(usage):
    errors = [event("error", EVENING - timedelta(minutes=k)) for k in range(3)]
    assert find_alerts(Usage.from_tables({"events": errors[:2]}), {}, EVENING).empty
    assert find_alerts(Usage.from_tables({"events": errors}), {}, EVENING)["tingkat"].tolist() == ["P1"]
    simulated = tables()
    simulated["events"] = pd.DataFrame(
        [{**event("error", EVENING - timedelta(minutes=k)), "simulated": True} for k in range(40)]
    )
    (alert,) = find_alerts(Usage.from_tables(simulated), {}, EVENING).itertuples()
    assert (alert.tingkat, alert.sejak) == ("P3", END)
    (alert,) = find_alerts(with_columns(usage, "predictions", n_results=0), {}, EVENING).itertuples()
    assert (alert.tingkat, alert.nilai) == ("P3", 1)
    assert alert.sejak <= day(6)


def test_future_rows_raise_an_alert_and_are_ignored(engine):
    simulate_usage(engine, seed=1, end=END, days=DAYS, baselines=BASELINES)
    early = EVENING - timedelta(days=10)
    times = [row["time"] for row in read_table(engine, predictions)]
    alerts = find_alerts(read_usage(engine), BASELINES, early)
    assert alerts["tingkat"].tolist() == ["P3"]
    assert alerts.loc[0, "nilai"] > sum(time > early + timedelta(minutes=5) for time in times) > 0
    past, n_future = read_usage(engine).split_off_future(early)
    assert n_future == alerts.loc[0, "nilai"]
    assert (past.scores["time"] <= early + timedelta(minutes=5)).all()


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_condition_start_is_the_first_day_of_the_last_run(holds):
    today = pd.Timestamp(END)
    first = today - pd.Timedelta(days=len(holds) - 1)
    start = find_condition_start(lambda d: (d, 0) if holds[(d - first).days] else None, today, first)
    n_last = next((k for k, value in enumerate(reversed(holds)) if not value), len(holds))
    assert start == ((today - pd.Timedelta(days=n_last - 1), (today, 0)) if n_last else None)


# Simulated usage.


def test_simulation_depends_on_the_seed():
    one, same, other = tables(), tables(), tables(seed=2)
    for name, frame in one.items():
        pd.testing.assert_frame_equal(frame, same[name])
        assert list(frame.columns) == [column.name for column in USAGE_TABLES[name].columns]
        if "id" in frame:
            assert frame["id"].is_unique
            assert not set(frame["id"]) & set(other[name]["id"])
            assert frame["simulated"].all()
    local = one["predictions"]["time"] + pd.Timedelta(hours=7)
    assert (local.min().date(), local.max().date()) == (day(0), END)


def test_simulated_usage_survives_the_database(engine):
    count = simulate_usage(engine, seed=1, end=END, days=DAYS, baselines=BASELINES)
    simulated = Usage.from_tables(tables())
    stored = read_usage(engine)
    assert count == len(stored.predictions)
    assert stored.is_simulated
    for name, frame in simulated.tables.items():
        keys = ["prediction_id", "model"] if name == "scores" else ["id"]
        left, right = (f.sort_values(keys, ignore_index=True) for f in (frame, stored.tables[name]))
        pd.testing.assert_frame_equal(left, right, check_dtype=False)
    recent = read_usage(engine, since=EVENING - timedelta(days=5))
    assert set(recent.scores["prediction_id"]) == set(recent.predictions["id"])
    assert 0 < len(recent.predictions) < count
    assert simulate_usage(engine, seed=2, end=END, days=DAYS) == len(read_usage(engine).predictions)


def test_simulated_and_real_rows_are_not_mixed(engine):
    simulate_usage(engine, seed=1, end=END, days=5)
    insert_units(engine, [{"events": [event("download", EVENING)]}])
    with pytest.raises(LogError, match="nyata"):
        simulate_usage(engine, seed=1, end=END, days=5)
    usage = read_usage(engine)
    assert len(usage.predictions) > 0
    assert usage.prefer_real_rows().predictions.empty
    assert len(usage.prefer_real_rows().events) == 1


# The commands.


def test_monitor_command_shows_simulated_usage_and_sets_the_exit_status(models, tmp_path):
    logs = tmp_path / "sim"
    options = ("--models", models, "--log", logs)
    assert_refused(judul("monitor", *options, "--once"), "Belum ada log di")
    assert not logs.exists()
    with opened_database(sqlite_url(logs)):
        pass
    empty = judul("monitor", *options, "--once")
    assert (empty.returncode, "belum ada catatan" in empty.stdout) == (0, True)
    simulated = judul("simulate", "--into", logs, "--models", models, "--days", 30)
    assert simulated.returncode == 0, simulated.stderr
    normal = judul("monitor", *options, "--once")
    assert normal.returncode == 0, normal.stdout
    assert "data simulasi" in normal.stdout
    assert "Korelasi peringkat" in normal.stdout
    (words,) = (line for line in normal.stdout.splitlines() if "tersering" in line)
    assert "log_text = true" in words  # No text is stored.
    assert "Tidak ada peringatan." in normal.stdout
    assert judul("simulate", "--into", logs, "--models", models, "--drift-from", 40).returncode == 0
    alarm = judul("monitor", *options, "--once")
    assert (alarm.returncode, alarm.stderr) == (1, "")
    assert "Peluang teratas Model Ringan bergeser" in alarm.stdout
    short = judul("monitor", *options, "--once", "--days", 1)
    assert short.returncode == 1
    assert "Peluang teratas Model Ringan bergeser" in short.stdout  # Always measured over a week.
    shown = judul("monitor", *options, "--format", "json")
    assert shown.returncode == 0  # Only --once sets the status.
    facts = json.loads(shown.stdout)
    assert facts["simulated"] is True
    assert facts["alerts"][0]["tingkat"] == "P2"
    assert facts["common_words"] == {}
    assert -1 <= facts["correlations"]["light"]["query_words"] <= 1
    assert [row["measure"] for row in facts["study_drift"]] == ["mean", "deviation", "share_high"]
    assert facts["study_drift"][0]["drift"] is True
    assert "simpangan baku" in alarm.stdout
    assert facts["query_lengths"]["query_words"] > 5
    with opened_database(f"sqlite:///{logs / DATABASE_FILE}") as opened, opened.begin() as connection:
        connection.execute(predictions.update().values(query_text="Prediksi Harga Beras Harga"))
    (words,) = (line for line in judul("monitor", *options).stdout.splitlines() if "tersering" in line)
    n = format_number(facts["n_predictions"])
    assert all(f"{word} ({n})" in words for word in ("prediksi", "harga", "beras"))


def test_monitor_reads_the_spool_and_simulate_refuses_a_real_log(models):
    log = UsageLog(models / "logs")
    log._spool({"events": [event("model_failed", utc_now(), "light")]}, "")
    shown = judul("monitor", "--models", models, "--once")
    assert shown.returncode == 1
    assert "Model Ringan tidak dapat dimuat" in shown.stdout
    assert "simulasi" not in shown.stdout
    assert_refused(judul("simulate", "--models", models), "nyata", "--into")
    assert (models / "logs" / DATABASE_FILE).is_file()


def test_a_wrong_login_is_counted_but_is_no_failed_check(tmp_path):
    url = sqlite_url(tmp_path / "logs")
    with closing(UsageLog(tmp_path / "logs", url=url)) as log:
        log.log_event("refused", detail="WrongLogin")
    with opened_database(url) as engine:
        usage = read_usage(engine)
    assert math.isnan(shares(usage)["error_rate"])
    assert error_kinds(usage).to_dict() == {"WrongLogin": 1}


def test_monitor_shows_agreement_at_the_threshold_and_error_kinds(models):
    with closing(UsageLog(models / "logs", url=sqlite_url(models / "logs"))) as log:
        for kind in ("CorpusError", "CorpusError", "TimeoutError", ""):
            log.log_event("error", detail=kind)
        for k in range(4):
            row = {**log._stamp(), "source": "page", "query_hash": "0" * 16, "query_length": 9,
                   "query_words": 2, "seconds": 0.1, "n_results": 1}  # fmt: skip
            scores = [{"prediction_id": row["id"], "model": model, "probability": probability,
                       "match_hash": ("a" if k else model[0]) * 16}
                      for model, probability in (("light", 0.6), ("full", 0.8))]  # fmt: skip
            log._write({"predictions": [row], "scores": scores})
    for threshold, share in (("0.5", "100,0 %"), ("0.7", "0,0 %")):
        shown = judul("monitor", "--models", models, JUDUL_THRESHOLD=threshold, JUDUL_DATABASE_URL="")
        assert f"sependapat pada {share} dari 4 judul" in shown.stdout, shown
        assert "judul terdekat sama pada 75,0 %" in shown.stdout
    assert "CorpusError (2), TimeoutError (1)\n" in shown.stdout
    shown = judul("monitor", "--models", models, "--format", "json", JUDUL_DATABASE_URL="")
    assert json.loads(shown.stdout)["error_kinds"] == {"CorpusError": 2, "TimeoutError": 1}


def test_alert_start_does_not_depend_on_the_days_shown(models, tmp_path):
    logs = tmp_path / "sim"
    options = ("--models", models, "--log", logs)
    judul("simulate", "--into", logs, "--models", models, "--days", 70, "--drift-from", 20)
    facts = [
        json.loads(judul("monitor", *options, "--format", "json", "--days", days).stdout)
        for days in (1, 7, 30, 365)
    ]
    starts = [{alert["jenis"]: alert["sejak"] for alert in shown["alerts"]} for shown in facts]
    assert starts[0] == starts[1] == starts[2] == starts[3]
    drift_start = utc_now().date() - timedelta(days=70 - 20)
    assert abs((date.fromisoformat(starts[0]["bergeser"]) - drift_start).days) <= 7
    assert facts[0]["n_predictions"] < facts[1]["n_predictions"] < facts[2]["n_predictions"]


@pytest.mark.slow
def test_notebook_shows_a_new_log(tmp_path):
    outputs, logs = tmp_path / "outputs", tmp_path / "outputs" / "logs"
    copy_stored_models(outputs)
    notebook = PROJECT / "notebooks" / "08_monitoring.ipynb"
    parameters = {"OUT": str(outputs), "LOG": str(logs)}
    with closing(UsageLog(logs, url=sqlite_url(logs))):
        pass
    with pytest.raises(PipelineError, match="belum memuat pemeriksaan"):
        run_notebook(notebook, tmp_path / "08.ipynb", parameters)

    titles = ("Deteksi Hoaks", "Prediksi Harga Beras", "Sistem Pakar Padi", "Klasifikasi Daun", "Beras")
    for title in titles:
        judul("check", title, "--models", outputs, JUDUL_LOG="true", JUDUL_DATABASE_URL="")
    run_notebook(notebook, tmp_path / "08.ipynb", parameters)
    facts = json.loads((outputs / "monitoring.json").read_text())
    assert (facts["pemeriksaan"], facts["simulasi"], facts["bergeser"]) == (len(titles), False, [])
