"""Gauge of an archive: estimates, samples for people to judge, stored threshold."""

import json
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from judul_lib.checking.loading import load_checker
from judul_lib.checking.stored_gauge import gauge_file, model_version, read_gauge, stored_threshold
from judul_lib.core.errors import CorpusError, GaugeError
from judul_lib.core.settings import ASK, SIMILAR
from judul_lib.evaluation.gauge import (
    CANDIDATE_THRESHOLDS,
    MIN_LABELS,
    TARGET_PRECISION,
    JudgedSample,
    draw_sample,
    strata,
    survey,
)
from judul_lib.labeling.gauge_sample import (
    GRADE_BY_WORD,
    decode_pair_code,
    read_sample,
    sample_frame,
    with_answers,
)
from judul_lib.labeling.session import LabelingSession, read_answers
from judul_lib.search.index import TitleIndex
from judul_lib.search.index_files import can_hold_index
from judul_lib.study.corpus import read_corpus
from judul_lib.widgets.labeling_panel import LabelingPanel
from tests.conftest import DATA, PROJECT, assert_refused, judul

MODELS = PROJECT / "outputs"
TITLES = read_corpus(DATA).titles["Judul"].tolist()
QUERY = "Prediksi Harga Beras dengan LSTM"


def simulated(seed, n=3_000, shift=0.0):
    """Return simulated near pairs of an archive and their grades; a shift biases the model."""
    rng = np.random.default_rng(seed)
    same = np.round(rng.beta(0.12, 1.3, n), 6)
    asked = np.clip(same + rng.beta(0.15, 1.5, n), 0, 1)
    odds = np.log(np.clip(same, 1e-6, 1 - 1e-6) / (1 - np.clip(same, 1e-6, 1 - 1e-6))) - shift
    u, p = rng.random(n), 1 / (1 + np.exp(-odds))
    grade = np.where(u < p, 3, np.where(u < np.maximum(asked, p), 2, 1))
    pairs = pd.DataFrame(
        {
            "left": np.arange(n), "right": np.arange(n) + n, "probability": same, "asked": asked,
            "times": rng.integers(1, 3, n),
        }
    )  # fmt: skip
    return pairs, grade


def judged(pairs, grade, n, seed):
    sample = draw_sample(pairs, n, random_state=seed)
    row = sample[["left", "right"]].min(axis=1).to_numpy()
    scores = (pairs[name].to_numpy()[row] for name in ("probability", "asked"))
    return JudgedSample(
        *scores, grade[row].astype(float), sample["stratum"].to_numpy(), sample["weight"].to_numpy()
    )


def truth(pairs, grade, threshold):
    measures, weight = {}, pairs["times"]
    either = pairs[["probability", "asked"]].max(axis=1)
    for name, score, min_grade, min_score in (
        ("MIRIP", pairs["probability"], 3, threshold),
        ("MIRIP atau TANYAKAN", either, 2, min(threshold, 0.5)),
    ):
        called, true = score >= min_score, grade >= min_grade
        measures[f"presisi, {name}"] = weight[called & true].sum() / weight[called].sum()
        measures[f"recall, {name}"] = weight[called & true].sum() / weight[true].sum()
    return pd.Series(measures)


@pytest.mark.parametrize(("threshold", "shift"), [(0.5, 0.0), (0.5, 1.5), (0.7, 0.0)])
@pytest.mark.slow
def test_estimates_are_unbiased_and_intervals_cover_the_truth(threshold, shift):
    pairs, grade = simulated(1, shift=shift)
    real = truth(pairs, grade, threshold)
    samples = [judged(pairs, grade, 150, seed).measures(threshold) for seed in range(60)]
    mean = sum(measures["estimate"] for measures in samples) / len(samples)
    assert (mean - real).abs().max() < 0.04, pd.DataFrame({"mean": mean, "real": real})
    covered = [(measures["low"] <= real) & (real <= measures["high"]) for measures in samples]
    assert np.mean(covered, axis=0).min() >= 0.85


def test_unweighted_estimates_are_biased():
    pairs, grade = simulated(1)
    real = truth(pairs, grade, 0.5)["recall, MIRIP"]
    recalls = [
        replace(judged(pairs, grade, 150, seed), stratum=np.zeros(150, int), weight=np.ones(150))
        .measures(0.5)
        .loc["recall, MIRIP", "estimate"]
        for seed in range(20)
    ]
    assert abs(np.mean(recalls) - real) > 0.1


def test_estimates_are_exact_when_all_pairs_are_judged():
    pairs, grade = simulated(2, n=200)
    estimate = judged(pairs, grade, 200, 0).measures(0.5)["estimate"]
    assert (estimate - truth(pairs, grade, 0.5)).abs().max() < 1e-12


def test_few_unanimous_labels_leave_uncertainty():
    pairs, grade = simulated(3)
    row = judged(pairs, np.full_like(grade, 4), 20, 0).measures(0.5).loc["presisi, MIRIP"]
    assert row["estimate"] == row["high"] == 1
    assert 0.5 < row["low"] < 0.97


def test_suggested_threshold_is_the_lowest_with_the_target_precision():
    pairs, grade = simulated(4, n=20_000, shift=0.5)
    sample = judged(pairs, grade, 1_000, 0)
    threshold, precision = sample.suggest().threshold, sample.precisions()["presisi"]
    assert threshold > CANDIDATE_THRESHOLDS[0]
    assert precision.is_monotonic_increasing
    assert (precision.loc[: threshold - 0.01] < TARGET_PRECISION).all()
    assert precision[threshold] >= TARGET_PRECISION
    assert abs(truth(pairs, grade, threshold)["presisi, MIRIP"] - TARGET_PRECISION) < 0.04
    assert judged(pairs, np.full_like(grade, 1), 100, 0).suggest() is None
    similar = np.full_like(grade, 3)
    assert judged(pairs, similar, MIN_LABELS - 1, 0).suggest() is None
    assert judged(pairs, similar, MIN_LABELS, 0).suggest().threshold == CANDIDATE_THRESHOLDS[0]


@pytest.mark.parametrize("shift", [-1.0, 0.0])
def test_stated_certainty_of_the_suggestion_is_calibrated(shift):
    """Separate estimates per threshold would be overconfident, as the luckiest is chosen."""
    pairs, grade = simulated(4, n=20_000, shift=shift)
    real = {t: truth(pairs, grade, t)["presisi, MIRIP"] for t in CANDIDATE_THRESHOLDS}
    suggestions = [judged(pairs, grade, 50, seed).suggest() for seed in range(60)]
    suggestions = [suggestion for suggestion in suggestions if suggestion]
    assert len(suggestions) > 40
    precisions = np.array([real[suggestion.threshold] for suggestion in suggestions])
    stated = np.mean([suggestion.sure for suggestion in suggestions])
    assert abs(np.mean(precisions >= TARGET_PRECISION) - stated) < 0.2
    assert precisions.mean() > 0.84


def test_fewer_labels_give_wider_intervals():
    pairs, grade = simulated(4, n=20_000, shift=0.5)
    few, many = (
        np.mean([judged(pairs, grade, n, seed).measures(0.8).loc["presisi, MIRIP", ["low", "high"]]
                 .diff().iloc[1] for seed in range(5)])
        for n in (30, 300)
    )  # fmt: skip
    assert few > 1.5 * many


def test_weight_of_unjudged_pairs_goes_to_their_stratum():
    sample = JudgedSample(
        probability=np.array([0.9, 0.9, 0.9, 0.0]), asked=np.zeros(4),
        grade=np.array([3.0, 1.0, np.nan, 3.0]), stratum=np.array([0, 0, 0, 8]),
        weight=np.array([10.0, 10.0, 10.0, 15.0]),
    )  # fmt: skip
    assert sample.measures(0.5).loc["recall, MIRIP", "estimate"] == pytest.approx(15 / 30)
    assert sample.unseen_share == 0
    sample = replace(sample, grade=np.array([3.0, 1.0, 1.0, np.nan]), weight=np.full(4, 10.0))
    assert sample.unseen_share == 0.25


def test_sample_represents_all_pairs_and_oversamples_probable_ones():
    pairs, _ = simulated(5)
    sample = draw_sample(pairs, 50, random_state=7)
    assert len(sample) == 50
    assert sample["weight"].sum() == pytest.approx(pairs["times"].sum(), rel=0.1)
    assert not sample["stratum"].is_monotonic_increasing
    assert (sample["left"] > sample["right"]).any()
    assert (sample["left"] < sample["right"]).any()
    n_sampled = np.bincount(sample["stratum"], minlength=9)
    n_pairs = np.bincount(strata(pairs["probability"].to_numpy(), pairs["asked"].to_numpy()))
    assert n_sampled.min() >= 1
    assert n_sampled[:4].sum() / n_pairs[:4].sum() > 5 * n_sampled[7:].sum() / n_pairs[7:].sum()
    pd.testing.assert_frame_equal(sample, draw_sample(pairs, 50, random_state=7))
    assert not sample.equals(draw_sample(pairs, 50, random_state=8))
    assert len(draw_sample(pairs.head(30), 50)) == 30


@pytest.mark.parametrize("model", ["light", "structured"])
def test_survey_compares_each_title_with_all_others(model, tmp_path):
    titles = [*TITLES[:40], TITLES[0].lower()]  # A copy does not count as another title.
    checker = load_checker(MODELS / model, titles)
    surveyed = survey(checker)
    assert len(surveyed.best) == 40
    counts = {SIMILAR: 0, ASK: 0}
    for row, title in enumerate(titles[:40]):
        matches = checker.check(title)
        others = [k for k, match in enumerate(matches.titles) if match.lower() != title.lower()]
        assert surveyed.best[row, 0] == pytest.approx(matches.probability[others].max())
        labels = {matches.labels[k] for k in others}
        verdict = next((label for label in counts if label in labels), None)
        if verdict:
            counts[verdict] += 1
    shares = surveyed.shares([0.5]).set_index("simpulan")
    assert shares["estimate"].to_dict() == pytest.approx({k: n / 40 for k, n in counts.items()})
    assert (shares["low"] <= shares["estimate"]).all()
    assert (shares["estimate"] <= shares["high"]).all()
    assert (surveyed.pairs["left"] < surveyed.pairs["right"]).all()
    times = set(surveyed.pairs["times"])
    assert times == {1, 2} if model == "structured" else times <= {1, 2}
    index = TitleIndex.build(titles, MODELS / model)
    np.testing.assert_allclose(survey(index).best, surveyed.best)


def test_survey_draws_titles_by_seed():
    checker = load_checker(MODELS / "light", TITLES)
    steps = []
    first = survey(checker, n_titles=30, on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (30, 30)
    np.testing.assert_array_equal(first.best, survey(checker, n_titles=30).best)
    assert not np.array_equal(first.best, survey(checker, n_titles=30, random_state=1).best)


def test_survey_refuses_too_few_titles():
    with pytest.raises(CorpusError, match="hanya berisi 19 judul"):
        survey(load_checker(MODELS / "light", [*TITLES[:19], TITLES[3].lower()]))


@pytest.fixture(scope="module")
def drawn():
    pairs = survey(load_checker(MODELS / "light", TITLES)).pairs
    return sample_frame(draw_sample(pairs), TITLES, "ab" * 32)


@pytest.fixture
def write(drawn, tmp_path):
    def write(change=lambda frame: frame, name="isi.csv"):
        frame = change(drawn.copy())
        frame.to_csv(tmp_path / name, index=False, sep=";", encoding="utf-8-sig")
        return tmp_path / name

    return write


def filled(frame, word="beda"):
    return frame.assign(nilai=word)


def test_sample_file_reveals_neither_score_nor_weight(drawn):
    assert drawn.columns.tolist() == ["id", "judul_a", "judul_b", "nilai", "kode"]
    assert (drawn["nilai"] == "").all()
    codes = drawn["kode"]
    assert codes.is_unique
    assert codes.str.fullmatch(r"k[a-z2-7]{15}").all()
    decoded = [decode_pair_code(*row) for row in drawn[["kode", "judul_a", "judul_b"]].to_numpy()]
    strata_of_codes, weights = zip(*decoded, strict=True)
    assert len(set(weights)) > 3
    for position in range(1, 16):  # No character of a code reveals the stratum.
        assert codes.str[position].groupby(list(strata_of_codes)).nunique().max() > 1


def test_filled_sample_is_read_in_any_case_and_number_format(write):
    words = ["Sama", " sama  di tempat lain ", "BEDA", "4", "0", "3,0", ""]

    def fill(frame):
        return frame.assign(nilai=[words[k % 7] for k in range(len(frame))])

    read = read_sample(write(fill), TITLES)
    assert read["grade"].head(6).tolist() == [3, 2, 1, 4, 0, 3]
    assert np.isnan(read["grade"][6])
    assert (read["archive"] == "ab" * 4).all()
    assert set(GRADE_BY_WORD.values()) == set(range(5))


def set_cell(column, value, row=2):
    def change(frame):
        frame = filled(frame)
        frame.loc[row, column] = value(frame) if callable(value) else value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell("nilai", "mungkin"), "baris 4: nilai 'mungkin' tidak dikenal. Tulis sama"),
        (set_cell("nilai", "5"), "baris 4: nilai '5'"),
        (set_cell("judul_a", "Judul Lain Sama Sekali"), "baris 4: judul dan kodenya tidak cocok"),
        (set_cell("kode", "kabc"), "baris 4: judul dan kodenya"),
        (set_cell("kode", "!"), "baris 4: judul dan kodenya"),
        (set_cell("kode", lambda frame: frame["kode"][5]), "baris 4: judul dan kodenya"),
        (set_cell("id", lambda frame: frame["id"][0]), "baris 4: id .* sudah ada di baris 2"),
        (set_cell("id", "abababab-0000-001"), "baris 4: id .* dari sampel lain"),
        (lambda frame: frame, "masih kosong"),
        (lambda frame: filled(frame, " "), "masih kosong"),
        (lambda frame: frame.drop(columns="kode"), "Kolom 'kode' tidak ada.*harus berupa sampel"),
    ],
)
def test_invalid_sample_is_refused(write, change, message):
    with pytest.raises(GaugeError, match=message):
        read_sample(write(change), TITLES)


def test_sample_of_another_archive_is_refused(write):
    with pytest.raises(GaugeError, match="tidak ada di arsip ini"):
        read_sample(write(filled), TITLES[:100])
    assert len(read_sample(write(filled), [*TITLES[::-1], "Judul Baru"])) == 50  # A grown archive.


def test_answers_of_the_labelling_tool_fill_a_sample(drawn, tmp_path):
    pairs = list(zip(drawn["judul_b"], drawn["judul_a"], strict=True))
    session = LabelingSession(tmp_path, "p1", pairs)
    for answer in ("mirip", "ragu", "tidak"):
        session.answer(answer)
    words = with_answers(drawn, session.answers)["nilai"].tolist()
    assert words == ["sama", "sama di tempat lain", "beda", *[""] * 47]


def test_labeling_panel_asks_only_the_pairs_of_the_sample(drawn, tmp_path):
    pairs = list(zip(drawn["judul_a"], drawn["judul_b"], strict=True))[:2]
    panel = LabelingPanel(load_checker(MODELS / "light", TITLES), tmp_path, pairs=pairs)
    panel.start("ani")
    assert panel.session.queue == pairs
    panel.press("mirip")
    panel.press("tidak")
    panel.load_next_queue()
    assert panel.session.queue == pairs
    assert with_answers(drawn, read_answers(panel.session.path))["nilai"].head(2).tolist() == [
        "sama", "beda",
    ]  # fmt: skip


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "arsip.csv"
    shutil.copy(DATA, path)
    return path


def run(*arguments, **environment):
    return judul(*arguments, "--models", MODELS, **environment)


def gauge(archive, *arguments):
    return run("archive", "gauge", archive, *arguments)


def fill_by_model(source, target):
    """Fill in a sample like a person who accepts only the most probable pairs."""
    frame = pd.read_csv(source, dtype=object, encoding="utf-8-sig")
    _, p, _ = load_checker(MODELS / "light", TITLES).score(frame["judul_a"], frame["judul_b"])
    frame["nilai"] = np.where(p >= 0.8, "sama", "beda")
    frame.to_csv(target, index=False, encoding="utf-8-sig")
    return frame


@pytest.fixture(scope="module")
def measured_files(tmp_path_factory):
    """A folder with an archive, its sample, labels and gauge, and the output of the command."""
    folder = tmp_path_factory.mktemp("measured")
    archive, sample, labels = (folder / name for name in ("arsip.csv", "sampel.csv", "isi.csv"))
    shutil.copy(DATA, archive)
    gauge(archive, "--model", "light", "--output", sample)
    fill_by_model(sample, labels)
    result = gauge(archive, "--model", "light", "--labels", labels)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


@pytest.fixture
def measured(measured_files, tmp_path):
    """An archive with a gauge, the gauge, and the output of the command."""
    folder, output = measured_files
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    archive = tmp_path / "arsip.csv"
    return archive, read_gauge(archive), output


def checked(archive, *arguments, **environment):
    """Check a title; return the threshold that was used and the notes."""
    result = run("check", QUERY, "--format", "json", "--corpus", archive, *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["ambang"], result.stderr


def test_command_prints_shares_and_writes_a_sample(archive, tmp_path):
    target = tmp_path / "sampel.csv"
    result = gauge(archive, "--model", "light", "--titles", 60, "--output", target)
    assert "60 dari 123 judul diundi" in result.stdout
    assert re.search(r"^  0,50 +\d+ \(\d+ sampai \d+\).*ambang sekarang$", result.stdout, re.MULTILINE)
    assert f"--labels {target}" in result.stdout
    content = target.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid,judul_a,judul_b,nilai,kode\n")
    assert_refused(gauge(archive, "--model", "light", "--output", target), "--force")
    assert target.read_bytes() == content
    again = gauge(archive, "--model", "light", "--titles", 60, "--output", target, "--force")
    assert again.returncode == 0
    assert target.read_bytes() == content
    assert not gauge_file(archive).exists()


def test_formulas_in_a_sample_are_escaped_and_read_back(tmp_path):
    titles = [f"=Sistem Pakar {word} Padi" for word in "Penyakit Hama Gulma Bibit Pupuk".split()]
    archive, target = tmp_path / "a.csv", tmp_path / "s.csv"
    pd.DataFrame({"Judul": titles + TITLES[:20]}).to_csv(archive, index=False)
    assert gauge(archive, "--model", "light", "--output", target).returncode == 0
    frame = pd.read_csv(target, dtype=object, encoding="utf-8-sig")
    cells = pd.concat([frame["judul_a"], frame["judul_b"]])
    assert not cells.str.startswith("=").any()
    assert cells.str.startswith("'=Sistem").any()
    frame.assign(nilai="beda").to_csv(target, index=False)
    titles = read_corpus(archive).titles["Judul"].tolist()
    assert len(read_sample(target, titles)) == len(frame)


def test_suggested_threshold_is_stored_and_used(measured):
    archive, stored, messages = measured
    assert stored.threshold != 0.5
    assert f"tepat sedikitnya 85 %: {stored.threshold:.2f}".replace(".", ",") in messages
    assert stored.n_labels == 50
    assert stored.model == "light"
    assert stored.measures["presisi, MIRIP"][0] > 0.8
    assert 0 < stored.sure <= 1
    threshold, notes = checked(archive, "--model", "light")
    assert threshold == stored.threshold
    assert notes.count("\n") == 1
    assert "dipakai, menurut hasil ukur arsip ini (50 label" in notes


def test_explicit_threshold_overrides_the_stored_one(measured):
    archive, *_ = measured
    assert checked(archive, "--model", "light", "--threshold", "0.5") == (0.5, "")
    assert checked(archive, "--model", "light", JUDUL_THRESHOLD="0.7") == (0.7, "")


def test_stored_threshold_applies_to_a_file_of_proposals(measured, tmp_path):
    archive, *_ = measured
    batch, result = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    pd.DataFrame({"Judul": TITLES[:10]}).to_csv(batch, index=False)
    arguments = ("check", "--file", batch, "--output", result, "--corpus", archive, "--model", "light")
    assert "menurut hasil ukur" in run(*arguments).stderr
    assert_refused(run(*arguments[:4], gauge_file(archive) / "x", *arguments[5:]), "Folder")


def test_gauge_file_contains_no_title(measured):
    archive, *_ = measured
    text = gauge_file(archive).read_text(encoding="utf-8").lower()
    words = set(re.findall(r"[a-z]{5,}", " ".join(TITLES).lower()))
    facts = {"model", "mirip", "presisi", "recall", "light", "alarm", "format", "date", "archive"}
    assert not words & set(re.findall(r"[a-z]{5,}", text)) - facts
    assert "arsip.csv" not in text


def test_stored_gauge_is_overwritten_only_with_force(measured, tmp_path):
    archive, *_ = measured
    before = gauge_file(archive).read_bytes()
    arguments = "--model", "light", "--labels", tmp_path / "isi.csv"
    assert_refused(gauge(archive, *arguments), "--force")
    assert gauge_file(archive).read_bytes() == before
    assert gauge(archive, *arguments, "--force").returncode == 0


def test_gauge_of_another_archive_or_model_is_ignored(measured, tmp_path):
    archive, *_ = measured
    assert checked(archive, "--model", "structured")[0] == 0.5
    assert "Model Ringan" in checked(archive, "--model", "structured")[1]
    with archive.open("a", encoding="utf-8") as file:
        file.write("Deteksi Kantuk Pengemudi dengan YOLO\n")
    threshold, notes = checked(archive, "--model", "light")
    assert threshold == 0.5
    assert "isi arsip sudah berubah" in notes
    assert "judul archive gauge" in notes
    # Labels of the smaller archive are still accepted.
    again = gauge(archive, "--model", "light", "--labels", tmp_path / "isi.csv", "--force")
    assert "isi arsip berubah sejak sampel itu" in again.stderr
    assert checked(archive, "--model", "light")[0] == read_gauge(archive).threshold
    facts = json.loads(gauge_file(archive).read_text())
    gauge_file(archive).write_text(json.dumps({**facts, "model_version": "0" * 64}))
    threshold, notes = checked(archive, "--model", "light")
    assert threshold == 0.5
    assert "Model Ringan sudah berubah" in notes


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "[" * 100_000, "\xff", '{"format": 2}', '{"format": 1, "threshold": 0.5}'],
)
def test_damaged_gauge_is_reported_and_ignored(archive, content):
    gauge_file(archive).write_bytes(content.encode("latin-1"))
    threshold, notes = checked(archive, "--model", "light")
    assert threshold == 0.5
    assert notes.startswith("Catatan: Hasil ukur ")
    assert "rusak" in notes
    assert notes.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", 1.5), ("threshold", "0.5"), ("threshold", True), ("threshold", None), ("sure", -1),
        ("threshold", float("nan")), ("n_labels", 0), ("n_labels", "x"), ("model", "besar"),
        ("model", []), ("archive", "abc"), ("model_version", 5), ("date", "kemarin"), ("measures", [1]),
        ("measures", {"presisi, MIRIP": [1]}), ("alarm", {"MIRIP": "abc"}), ("extra", 1),
    ],
)  # fmt: skip
def test_invalid_value_in_a_gauge_is_damage(measured, key, value):
    archive, *_ = measured
    facts = json.loads(gauge_file(archive).read_text())
    gauge_file(archive).write_text(json.dumps({**facts, key: value}))
    with pytest.raises(GaugeError, match="rusak"):
        read_gauge(archive)


def test_index_stores_its_gauge_and_stays_valid(tmp_path, archive):
    folder, sample, labels = tmp_path / "indeks", tmp_path / "s.csv", tmp_path / "isi.csv"
    run("index", "build", archive, folder, "--model", "light")
    before = (folder / "index.json").read_bytes()
    assert_refused(gauge(folder, "--model", "structured"), "dibangun dengan model light")
    assert_refused(gauge(folder, "--output", folder / "s.csv"), "akan menimpa")
    assert gauge(folder, "--output", sample).returncode == 0
    fill_by_model(sample, labels)
    result = gauge(folder, "--labels", labels)
    assert f"Disimpan di {folder / 'gauge.json'}" in result.stdout
    assert (folder / "index.json").read_bytes() == before
    assert can_hold_index(folder)
    stored = read_gauge(folder).threshold
    assert checked(folder)[0] == stored
    assert checked(folder, "--threshold", "0.5") == (0.5, "")
    messages = []
    opened = TitleIndex.load(folder, say=messages.append)
    assert opened.threshold == opened.check(QUERY, top_k=1).threshold == stored
    assert len(messages) == 1
    assert TitleIndex.load(folder, threshold=0.5).threshold == 0.5
    with warnings.catch_warnings(action="error"):  # Adding a title needs no threshold.
        added = judul("index", "add", folder, "--title", QUERY)
    assert added.returncode == 0, added.stderr
    assert "ukur" not in added.stderr
    threshold, notes = checked(folder)
    assert threshold == 0.5
    assert "isi arsip sudah berubah" in notes
    assert gauge(folder, "--labels", labels, "--force").returncode == 0
    assert checked(folder)[0] == read_gauge(folder).threshold


def test_higher_threshold_turns_similar_into_ask():
    pairs, grade = simulated(1)
    sample = judged(pairs, grade, 150, 2)
    at_default, higher = (sample.measures(level)["estimate"] for level in (0.5, 0.8))
    either = "recall, MIRIP atau TANYAKAN"
    assert higher[either] == at_default[either]
    assert higher["recall, MIRIP"] < at_default["recall, MIRIP"]


def test_insufficient_labels_store_no_gauge(archive, tmp_path):
    sample, labels = tmp_path / "s.csv", tmp_path / "isi.csv"
    gauge(archive, "--model", "light", "--output", sample)
    frame = fill_by_model(sample, labels)
    assert_refused(gauge(archive, "--model", "light", "--labels", sample), "masih kosong")
    frame.assign(nilai=frame["nilai"].where(frame.index < 7, "")).to_csv(labels, index=False)
    result = gauge(archive, "--model", "light", "--labels", labels)
    assert "7 dari 50 pasangan dinilai" in result.stdout
    assert "perlu sedikitnya 20 nilai" in result.stdout
    frame.assign(nilai="beda").to_csv(labels, index=False)
    result = gauge(archive, "--model", "light", "--labels", labels)
    assert "Tidak ada ambang" in result.stdout
    assert not gauge_file(archive).exists()


def test_uncertain_suggestion_names_a_surer_threshold(archive, tmp_path):
    sample, labels = tmp_path / "s.csv", tmp_path / "isi.csv"
    gauge(archive, "--model", "light", "--output", sample)
    frame = fill_by_model(sample, labels)
    frame.loc[frame.index[frame["nilai"] == "sama"][3], "nilai"] = "beda"
    frame.assign(nilai=frame["nilai"].where(frame.index < 30, "")).to_csv(labels, index=False)
    result = gauge(archive, "--model", "light", "--labels", labels)
    assert "30 nilai belum cukup untuk memastikannya" in result.stdout
    assert "Agar lebih pasti, pakai ambang 0,95 (--threshold)" in result.stdout


def test_options_without_effect_are_refused(archive):
    for option in (("--sample", "30"), ("--output", "a.csv")):
        assert_refused(gauge(archive, "--labels", "b.csv", *option), f"{option[0]} tidak berlaku")
    assert_refused(gauge(archive, "--labels", "tidak-ada.csv"), "tidak ditemukan")
    assert_refused(gauge(archive, "--output", archive), "akan menimpa")
    assert_refused(gauge(archive.with_name("tidak.csv")), "tidak ditemukan")


def test_model_version_changes_with_files_and_resources(tmp_path):
    folder = tmp_path / "light"
    shutil.copytree(MODELS / "light", folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    first = model_version(folder)
    (folder / "metadata.json").write_text(json.dumps({**metadata, "created": "2000-01-01"}))
    assert model_version(folder) == first
    for change in ({"files": {**metadata["files"], "arrays.npz": "0"}}, {"resources": {"a": "b"}}):
        (folder / "metadata.json").write_text(json.dumps({**metadata, **change}))
        assert model_version(folder) != first


def test_no_gauge_is_silent(archive):
    messages = []
    assert stored_threshold(archive, MODELS / "light", "0" * 64, say=messages.append) is None
    assert messages == []
    assert checked(archive, "--model", "light") == (0.5, "")
