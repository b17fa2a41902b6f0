"""Monitoring: drift that was put in is found where it began, and quiet usage raises no alarm."""

import json
import shutil
from contextlib import closing
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
    model_agreement,
    queries_per_day,
    queries_per_hour,
    query_lengths,
    read_baselines,
    response_times,
    shares,
)
from judul_lib.usage.simulation import simulate_usage, simulated_tables, synthetic_baseline
from tests.conftest import PROJECT, assert_refused, judul

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


def tables(seed=1, **choices):
    return simulated_tables(
        **{"seed": seed, "end": END, "days": DAYS, "baselines": BASELINES, **choices}
    )


@pytest.fixture(scope="module")
def usage():
    return Usage.from_tables(tables())


def day(format_number):
    return END - timedelta(days=DAYS - 1 - format_number)


def changed(usage, table, **columns):
    return Usage(**{**usage.tables, table: usage.tables[table].assign(**columns)})


def event(kind, when, model=None):
    stamp = {"id": f"{kind}{when}{model}", "user": "0" * 16, "detail": "", "seconds": None}
    return {**stamp, "time": when, "kind": kind, "model": model, "simulated": False}


# How values are spread.


@given(VALUES, VALUES)
def test_measures_of_drift_are_bounded_and_do_not_mind_the_order(left, right):
    one, other = DistributionSummary.from_values(left), DistributionSummary.from_values(right)
    statistic, p_value = kolmogorov_smirnov(one, other)
    assert 0 <= statistic <= 1 + 1e-12
    assert 0 <= p_value <= 1
    assert kolmogorov_smirnov(other, one) == pytest.approx((statistic, p_value))
    assert stability_index(one, other) >= 0
    assert stability_index(other, one) == pytest.approx(stability_index(one, other))


@given(VALUES)
def test_nothing_drifts_from_itself(values):
    spread = DistributionSummary.from_values(values)
    assert stability_index(spread, spread) == 0
    assert kolmogorov_smirnov(spread, spread) == (0, 1)
    same = compare(
        DistributionSummary.from_values(values * 100), DistributionSummary.from_values(values * 100)
    )
    assert same is not None
    assert not same.exceeded


def test_the_measures_are_those_of_a_plain_loop():
    rng = np.random.default_rng(3)
    left, right = rng.beta(2, 4, 300), rng.beta(3, 3, 200)
    one, other = DistributionSummary.from_values(left), DistributionSummary.from_values(right)
    apart = [abs(np.mean(left < k / N_BINS) - np.mean(right < k / N_BINS)) for k in range(1, N_BINS + 1)]
    statistic, p_value = kolmogorov_smirnov(one, other)
    assert statistic == pytest.approx(max(apart))
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


def test_a_baseline_says_what_it_saw_and_survives_json():
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
def test_drawing_from_a_baseline_gives_its_histogram_back(values):
    spread = DistributionSummary.from_values(values)
    drawn = DistributionSummary.from_values(spread.quantiles((np.arange(2_000) + 0.5) / 2_000))
    assert np.abs(drawn.shares - spread.shares).max() < 0.002
    assert drawn.mean == pytest.approx(spread.mean, abs=1 / N_BINS)
    ends = spread.quantiles(np.array([0.0, 1.0]))
    assert ends == pytest.approx([min(values), max(values)], abs=1.01 / N_BINS)


def test_few_values_say_nothing_and_a_clear_move_is_named_by_every_measure():
    baseline = BASELINES["full"].probability
    assert compare(baseline, DistributionSummary.from_values([0.9] * (MIN_VALUES - 1))) is None
    drift = compare(baseline, DistributionSummary.from_values([0.9] * MIN_VALUES))
    assert len(drift.exceeded) == 3
    for value, bound in drift.exceeded.values():
        assert value > bound or value < bound == 0.001
    assert drift.mean_shift_bound >= MEAN_SHIFT_BOUND
    assert drift.psi_bound >= PSI_BOUND


def test_chance_alone_seldom_counts_even_where_the_baseline_is_a_sample_itself():
    """Fresh samples of both sides: each of three measures may err once in about a thousand."""
    rng = np.random.default_rng(0)
    for m, n in ((123, MIN_VALUES), (400, 280)):
        spreads = (
            (DistributionSummary.from_values(rng.beta(0.4, 0.4, k)) for k in (m, n))
            for _ in range(2_000)
        )
        alarms = sum(bool(compare(*pair).exceeded) for pair in spreads)
        assert alarms <= 10, (m, n, alarms)


# What a model gives for its own corpus.


@pytest.mark.parametrize("name", ["light", "structured"])
def test_the_baseline_asks_each_title_about_the_others_only(name):
    checker = load_checker(PROJECT / "outputs" / name)
    small = checker.with_titles(list(checker.titles)[:12])
    top = top_probabilities(small)
    for k, title in enumerate(small.titles):
        others = [other for j, other in enumerate(small.titles) if j != k]
        expected = small.with_titles(others).check(title, top_k=1).probability[0]
        # The structured model weighs terms by all titles of an archive, also by the one asked.
        assert top[k] == pytest.approx(expected, abs=0.05 if name == "structured" else 1e-9)


def test_a_word_of_one_title_only_is_unknown_to_the_study_and_not_to_a_dictionary(monkeypatch):
    light, structured = (load_checker(PROJECT / "outputs" / name) for name in ("light", "structured"))
    texts = [set(text.split()) for text in preprocess_titles(light.titles)]
    monkeypatch.setattr(light, "is_known", lambda stem: True)  # As the full model's vocabulary.
    found = unknown_shares(light)
    assert ((found >= 0) & (found <= 1)).all()
    for own, share in zip(texts, found, strict=True):
        alone = [stem for stem in own if sum(stem in other for other in texts) == 1]
        assert share * len(own) >= len(alone) - 1e-9
    assert found.mean() > 0.1
    exact = [structured.unknown_share(title) for title in structured.titles]
    assert unknown_shares(structured).tolist() == exact
    assert (unknown_shares(light) == found).all()


def test_models_that_are_there_have_a_baseline_and_others_are_said(tmp_path):
    (tmp_path / "light").symlink_to(PROJECT / "outputs" / "light")
    (tmp_path / "full").mkdir()
    said = []
    found = read_baselines(tmp_path, warn=said.append)
    assert list(found) == ["light"]
    assert len(said) == 1
    assert found["light"].probability == measure_baseline(load_checker(tmp_path / "light")).probability
    assert read_baselines(tmp_path / "nothing", warn=said.append) == {}
    assert "Belum ada model" in said[1]


def test_a_baseline_that_training_stored_is_taken_and_else_it_is_computed(tmp_path):
    folder = shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light")
    metadata = read_metadata(folder)
    computed = measure_baseline(load_checker(folder), version_of(metadata))
    assert read_baselines(tmp_path)["light"] == computed  # It was stored so.
    path = folder / "metadata.json"
    path.write_text(json.dumps(with_baseline(metadata, BASELINES["light"])))
    assert read_baselines(tmp_path)["light"].probability == BASELINES["light"].probability
    del metadata["baseline"]
    path.write_text(json.dumps(metadata))
    assert read_baselines(tmp_path)["light"] == computed


@pytest.mark.parametrize("name", ["light", "structured"])
def test_a_larger_corpus_is_asked_by_a_sample(name, monkeypatch):
    checker = load_checker(PROJECT / "outputs" / name)
    small = checker.with_titles(list(checker.titles)[:20])
    every = top_probabilities(small)
    monkeypatch.setattr(drift, "_MAX_TITLES", 7)
    some = top_probabilities(small)
    assert len(some) == 7
    assert set(some) <= set(every)  # Each asks all the others.


def test_a_last_digit_does_not_move_a_value_into_another_bin():
    below, edge, above = (
        DistributionSummary.from_values([np.nextafter(0.58, to)]) for to in (0, 0.58, 1)
    )
    assert below == edge == above


# What the log tells.


def test_measures_are_those_of_plain_loops(usage):
    asked = usage.predictions
    seconds = sorted(asked["seconds"])
    assert response_times(usage)["p95"] == pytest.approx(np.percentile(seconds, 95))
    daily = daily_response_times(usage)
    some = asked[asked["day"] == daily.index[7]]["seconds"]
    assert daily["p50"].iloc[7] == pytest.approx(np.median(some))
    local = [(moment + timedelta(hours=7)) for moment in asked["time"]]
    assert queries_per_hour(usage)[10] == sum(moment.hour == 10 for moment in local)
    per_day = queries_per_day(usage)
    assert per_day.iloc[5] == sum(moment.date() == day(5) for moment in local)
    assert per_day.sum() == len(asked)
    wide = {name: group.set_index("prediction_id") for name, group in usage.scores.groupby("model")}
    full, light = (wide[name]["probability"] for name in ("full", "light"))
    sides = [(full[k] >= 0.5) == (light[k] >= 0.5) for k in full.index if full[k] == full[k]]
    (row,) = model_agreement(usage).itertuples(index=False)
    assert (row.n, row.same_side) == (len(sides), pytest.approx(np.mean(sides)))
    assert row.difference == pytest.approx(np.nanmean(abs(full - light[full.index])))
    counts = shares(usage)
    n_errors = sum(usage.events["kind"] == "error")
    assert counts["error_rate"] == pytest.approx(n_errors / (n_errors + len(asked)))
    assert counts["empty_share"] == pytest.approx(np.mean(asked["n_results"] == 0))
    assert counts["downloads"] == sum(usage.events["kind"] == "download") > 0
    loads = availability(usage).loc["light"]
    assert loads["share"] == loads["loaded"] / (loads["loaded"] + loads["failed"])
    assert correlations(usage).loc["full", "light"] > 0.8
    expected = stats.spearmanr(asked["query_length"], asked["query_words"]).statistic
    assert correlations(usage).loc["query_length", "query_words"] == pytest.approx(expected)
    assert query_lengths(usage).loc["count", "query_words"] == len(asked)


def test_common_words_are_counted_where_text_is_kept(usage):
    assert common_words(usage).empty
    texts = ["Prediksi harga prediksi", "Prediksi cuaca"] + [None] * (len(usage.predictions) - 2)
    assert common_words(changed(usage, "predictions", query_text=texts))["prediksi"] == 2


def test_an_empty_log_gives_empty_tables_and_no_alert(engine):
    nothing = read_usage(engine)
    assert find_alerts(nothing, BASELINES, EVENING).empty
    assert list(find_alerts(nothing, BASELINES, EVENING).columns) == list(ALERT_COLUMNS)
    for measure in (
        daily_response_times, availability, queries_per_day, model_agreement, common_words, correlations,
    ):  # fmt: skip
        assert measure(nothing).fillna(0).to_numpy().sum() == 0
    assert queries_per_hour(nothing).sum() == 0
    assert np.isnan(response_times(nothing)["p50"])
    assert shares(nothing)["downloads"] == 0
    assert drift_table(nothing, BASELINES, local_day(EVENING)).empty
    assert query_lengths(nothing).loc["count"].sum() == 0


def test_the_drift_of_a_day_is_computed_once(usage, monkeypatch):
    asked = []

    def measure_drift(rows, model, baseline, day):
        asked.append((model, day))
        return compute(rows, model, baseline, day)

    compute = monitoring.measure_drift
    monkeypatch.setattr(monitoring, "measure_drift", measure_drift)
    moved = Usage.from_tables(tables(drift_from=DRIFT_DAY))
    by_day = drift_by_day(moved, BASELINES)
    alerts = find_alerts(moved, BASELINES, EVENING, by_day)
    table = drift_table(moved, BASELINES, local_day(EVENING), by_day)
    assert len(asked) == len(set(asked)) > 2 * len(BASELINES)
    pd.testing.assert_frame_equal(table, drift_table(moved, BASELINES, local_day(EVENING)))
    pd.testing.assert_frame_equal(alerts, find_alerts(moved, BASELINES, EVENING))


# Alerts.


def test_quiet_usage_raises_no_alarm_and_drift_is_found_where_it_began():
    """The promise: no alert in 95 of 100 seeds of quiet usage."""
    quiet = [find_alerts(Usage.from_tables(tables(seed)), BASELINES, EVENING) for seed in range(100)]
    assert sum(len(alerts) > 0 for alerts in quiet) <= 5
    for seed in range(20):
        alerts = find_alerts(Usage.from_tables(tables(seed, drift_from=DRIFT_DAY)), BASELINES, EVENING)
        drifts = alerts[alerts["apa"].str.startswith("Peluang teratas")]
        assert len(drifts) == len(BASELINES)
        for since in drifts["sejak"]:
            assert abs((since - day(DRIFT_DAY)).days) <= 3
        assert set(drifts["tingkat"]) == {"P2"}
        assert (drifts["tanggapan"] == INCIDENT_LEVELS["P2"].response_deadline).all()


def test_unknown_words_drift_by_themselves(usage):
    strange = usage.scores["unknown_share"].where(usage.scores["day"] < str(day(50)), 0.7)
    alerts = find_alerts(changed(usage, "scores", unknown_share=strange), BASELINES, EVENING)
    assert alerts["apa"].str.startswith("Kata tak dikenal").tolist() == [True, True]
    assert all(day(50) <= since <= day(53) for since in alerts["sejak"])


def test_answers_of_another_version_and_the_same_title_again_do_not_count():
    known = {
        "light": ModelBaseline(
            *(getattr(BASELINES["light"], n) for n in ("probability", "unknown")), "v2"
        )
    }
    moved = tables(drift_from=DRIFT_DAY, models=("light",))
    moved["scores"]["version"] = "v1"
    assert find_alerts(Usage.from_tables(moved), known, EVENING).empty
    moved["scores"]["version"] = "v2"
    assert len(find_alerts(Usage.from_tables(moved), known, EVENING)) == 1
    moved["predictions"]["query_hash"] = "a" * 16
    assert find_alerts(Usage.from_tables(moved), known, EVENING).empty


def test_slow_answers_are_found_since_the_day_they_became_slow(usage):
    seconds = usage.predictions["seconds"].where(usage.predictions["day"] < str(day(55)), 6.5)
    (alert,) = find_alerts(changed(usage, "predictions", seconds=seconds), {}, EVENING).itertuples()
    assert (alert.tingkat, alert.nilai, alert.batas, alert.sejak) == ("P2", 6.5, 5, day(55))
    seconds = seconds.where(usage.predictions["day"] < str(day(58)), 0.2)
    assert find_alerts(changed(usage, "predictions", seconds=seconds), {}, EVENING).empty


def test_a_model_that_does_not_load_is_the_most_urgent_until_it_does():
    begin = EVENING - timedelta(days=3)
    events = [event("model_loaded", begin - timedelta(days=1), "full")]
    events += [event("model_failed", begin + timedelta(hours=k), "full") for k in (0, 1, 30)]
    found = find_alerts(Usage.from_tables({"events": events}), {}, EVENING)
    assert found.loc[0, ["tingkat", "nilai", "sejak"]].tolist() == ["P1", 3, local_day(begin).date()]
    assert "Model Penuh" in found.loc[0, "apa"]
    events.append(event("model_loaded", EVENING, "full"))
    assert find_alerts(Usage.from_tables({"events": events}), {}, EVENING).empty


def test_errors_without_an_answer_and_many_errors_or_empty_answers_are_said(usage):
    errors = [event("error", EVENING - timedelta(minutes=k)) for k in range(3)]
    assert find_alerts(Usage.from_tables({"events": errors[:2]}), {}, EVENING).empty
    assert find_alerts(Usage.from_tables({"events": errors}), {}, EVENING)["tingkat"].tolist() == ["P1"]
    made = tables()
    made["events"] = pd.DataFrame(
        [{**event("error", EVENING - timedelta(minutes=k)), "simulated": True} for k in range(40)]
    )
    (alert,) = find_alerts(Usage.from_tables(made), {}, EVENING).itertuples()
    assert (alert.tingkat, alert.sejak) == ("P3", END)
    (alert,) = find_alerts(changed(usage, "predictions", n_results=0), {}, EVENING).itertuples()
    assert (alert.tingkat, alert.nilai) == ("P3", 1)
    assert alert.sejak <= day(6)


def test_rows_of_the_future_are_counted_said_and_break_nothing(engine):
    simulate_usage(engine, seed=1, end=END, days=DAYS, baselines=BASELINES)
    early = EVENING - timedelta(days=10)
    late = [row for row in read_table(engine, predictions) if row["time"] > early + timedelta(minutes=5)]
    frame = find_alerts(read_usage(engine), BASELINES, early)
    assert frame["tingkat"].tolist() == ["P3"]
    assert frame.loc[0, "nilai"] > len(late) > 0
    past, n_future = read_usage(engine).split_off_future(early)
    assert n_future == frame.loc[0, "nilai"]
    assert (past.scores["time"] <= early + timedelta(minutes=5)).all()


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_since_when_is_the_first_of_the_last_days_in_a_row(held):
    today = pd.Timestamp(END)
    first = today - pd.Timedelta(days=len(held) - 1)
    found = find_condition_start(lambda d: (d, 0) if held[(d - first).days] else None, today, first)
    n_last = next((k for k, value in enumerate(reversed(held)) if not value), len(held))
    assert found == ((today - pd.Timedelta(days=n_last - 1), (today, 0)) if n_last else None)


# Made-up usage, and the log it is written to.


def test_the_same_seed_gives_the_same_rows_and_another_gives_others():
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


def test_made_up_usage_comes_back_from_the_database_as_it_was(engine):
    count = simulate_usage(engine, seed=1, end=END, days=DAYS, baselines=BASELINES)
    made = Usage.from_tables(tables())
    kept = read_usage(engine)
    assert count == len(kept.predictions)
    assert kept.is_simulated
    for name, frame in made.tables.items():
        keys = ["prediction_id", "model"] if name == "scores" else ["id"]
        left, right = (one.sort_values(keys, ignore_index=True) for one in (frame, kept.tables[name]))
        pd.testing.assert_frame_equal(left, right, check_dtype=False)
    recent = read_usage(engine, since=EVENING - timedelta(days=5))
    assert set(recent.scores["prediction_id"]) == set(recent.predictions["id"])
    assert 0 < len(recent.predictions) < count
    assert simulate_usage(engine, seed=2, end=END, days=DAYS) == len(read_usage(engine).predictions)


def test_made_up_rows_and_real_ones_are_not_mixed(engine):
    simulate_usage(engine, seed=1, end=END, days=5)
    insert_units(engine, [{"events": [event("download", EVENING)]}])
    with pytest.raises(LogError, match="nyata"):
        simulate_usage(engine, seed=1, end=END, days=5)
    kept = read_usage(engine)
    assert len(kept.predictions) > 0
    assert kept.prefer_real_rows().predictions.empty
    assert len(kept.prefer_real_rows().events) == 1


# The commands.


def test_the_commands_show_what_was_made_up_and_tell_cron(tmp_path):
    models, logs = tmp_path / "models", tmp_path / "sim"
    models.mkdir()
    (models / "light").symlink_to(PROJECT / "outputs" / "light")
    options = ("--models", models, "--log", logs)
    assert_refused(judul("monitor", *options, "--once"), "Belum ada log di")
    assert not logs.exists()
    with opened_database(sqlite_url(logs)):
        pass
    empty = judul("monitor", *options, "--once")
    assert (empty.returncode, "belum ada catatan" in empty.stdout) == (0, True)
    made = judul("simulate", "--into", logs, "--models", models, "--days", 30)
    assert made.returncode == 0, made.stderr
    quiet = judul("monitor", *options, "--once")
    assert quiet.returncode == 0, quiet.stdout
    assert "data simulasi" in quiet.stdout
    assert "Korelasi peringkat" in quiet.stdout
    assert "kata tersering" not in quiet.stdout  # No text is kept.
    assert "Tidak ada peringatan." in quiet.stdout
    assert judul("simulate", "--into", logs, "--models", models, "--drift-from", 40).returncode == 0
    alarm = judul("monitor", *options, "--once")
    assert (alarm.returncode, alarm.stderr) == (1, "")
    assert "Peluang teratas Model Ringan bergeser" in alarm.stdout
    short = judul("monitor", *options, "--once", "--days", 1)
    assert short.returncode == 1
    assert "Peluang teratas Model Ringan bergeser" in short.stdout  # Of a week, however little is shown.
    shown = judul("monitor", *options, "--format", "json")
    assert shown.returncode == 0  # Only cron is told by the status.
    found = json.loads(shown.stdout)
    assert found["simulated"] is True
    assert found["alerts"][0]["tingkat"] == "P2"
    assert found["common_words"] == {}
    assert -1 <= found["correlations"]["light"]["query_words"] <= 1
    assert found["query_lengths"]["query_words"] > 5
    with opened_database(f"sqlite:///{logs / DATABASE_FILE}") as opened, opened.begin() as connection:
        connection.execute(predictions.update().values(query_text="Prediksi Harga Beras Harga"))
    (words,) = (line for line in judul("monitor", *options).stdout.splitlines() if "tersering" in line)
    n = format_number(found["n_predictions"])
    assert all(f"{word} ({n})" in words for word in ("prediksi", "harga", "beras"))


def test_what_was_spooled_is_looked_at_and_real_rows_keep_simulation_out(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "light").symlink_to(PROJECT / "outputs" / "light")
    log = UsageLog(models / "logs")
    log._spool({"events": [event("model_failed", utc_now(), "light")]}, "")
    shown = judul("monitor", "--models", models, "--once")
    assert shown.returncode == 1
    assert "Model Ringan tidak dapat dimuat" in shown.stdout
    assert "simulasi" not in shown.stdout
    assert_refused(judul("simulate", "--models", models), "nyata", "--into")
    assert (models / "logs" / DATABASE_FILE).is_file()


def test_the_configured_threshold_and_the_kinds_of_errors_are_shown(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "light").symlink_to(PROJECT / "outputs" / "light")
    with closing(UsageLog(models / "logs", url=sqlite_url(models / "logs"))) as log:
        for kind in ("CorpusError", "CorpusError", "TimeoutError", ""):
            log.log_event("error", detail=kind)
        for _ in range(4):
            row = {**log._stamp(), "source": "page", "query_hash": "0" * 16, "query_length": 9,
                   "query_words": 2, "seconds": 0.1, "n_results": 1}  # fmt: skip
            scores = [{"prediction_id": row["id"], "model": model, "probability": probability}
                      for model, probability in (("light", 0.6), ("full", 0.8))]  # fmt: skip
            log._write({"predictions": [row], "scores": scores})
    for threshold, share in (("0.5", "100,0 %"), ("0.7", "0,0 %")):
        shown = judul("monitor", "--models", models, JUDUL_THRESHOLD=threshold, JUDUL_DATABASE_URL="")
        assert f"sependapat pada {share} dari 4 judul" in shown.stdout, shown
    assert "CorpusError (2), TimeoutError (1)\n" in shown.stdout
    told = judul("monitor", "--models", models, "--format", "json", JUDUL_DATABASE_URL="")
    assert json.loads(told.stdout)["error_kinds"] == {"CorpusError": 2, "TimeoutError": 1}


def test_since_when_an_alert_holds_does_not_hang_on_the_days_that_are_shown(tmp_path):
    models, logs = tmp_path / "models", tmp_path / "sim"
    models.mkdir()
    (models / "light").symlink_to(PROJECT / "outputs" / "light")
    options = ("--models", models, "--log", logs)
    judul("simulate", "--into", logs, "--models", models, "--days", 70, "--drift-from", 20)
    told = [
        json.loads(judul("monitor", *options, "--format", "json", "--days", days).stdout)
        for days in (1, 7, 30, 365)
    ]
    since = [{alert["jenis"]: alert["sejak"] for alert in one["alerts"]} for one in told]
    assert since[0] == since[1] == since[2] == since[3]
    begun = utc_now().date() - timedelta(days=70 - 20)
    assert abs((date.fromisoformat(since[0]["bergeser"]) - begun).days) <= 4
    assert told[0]["n_predictions"] < told[1]["n_predictions"] < told[2]["n_predictions"]


def test_the_notebook_shows_a_log_that_has_just_begun(tmp_path):
    outputs, logs = tmp_path / "outputs", tmp_path / "outputs" / "logs"
    for name in ("light", "structured"):
        shutil.copytree(PROJECT / "outputs" / name, outputs / name)
    notebook = PROJECT / "notebooks" / "08_monitoring.ipynb"
    given = {"OUT": str(outputs), "LOG": str(logs)}
    with closing(UsageLog(logs, url=sqlite_url(logs))):
        pass
    with pytest.raises(PipelineError, match="belum memuat pemeriksaan"):
        run_notebook(notebook, tmp_path / "08.ipynb", given)

    titles = ("Deteksi Hoaks", "Prediksi Harga Beras", "Sistem Pakar Padi", "Klasifikasi Daun", "Beras")
    for title in titles:
        judul("check", title, "--models", outputs, JUDUL_LOG="true", JUDUL_DATABASE_URL="")
    run_notebook(notebook, tmp_path / "08.ipynb", given)
    facts = json.loads((outputs / "monitoring.json").read_text())
    assert (facts["pemeriksaan"], facts["simulasi"], facts["bergeser"]) == (len(titles), False, [])
