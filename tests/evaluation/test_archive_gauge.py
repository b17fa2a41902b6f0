"""An archive's own gauge: its estimates, the sample that people judge, the threshold that is kept."""

import json
import re
import shutil
import warnings

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
from judul_lib.web.labeling_panel import LabelingPanel
from tests.conftest import DATA, PROJECT, assert_refused, judul

MODELS = PROJECT / "outputs"
TITLES = read_corpus(DATA).titles["Judul"].tolist()
QUERY = "Prediksi Harga Beras dengan LSTM"


def simulated(seed, n=3_000, shift=0.0):
    """Pairs of near titles as an archive has them, and their grades; a shift spoils the model."""
    rng = np.random.default_rng(seed)
    same = np.round(rng.beta(0.12, 1.3, n), 6)
    asked = np.clip(same + rng.beta(0.15, 1.5, n), 0, 1)
    odds = np.log(np.clip(same, 1e-6, 1 - 1e-6) / (1 - np.clip(same, 1e-6, 1 - 1e-6))) - shift
    drawn, chance = rng.random(n), 1 / (1 + np.exp(-odds))
    grade = np.where(drawn < chance, 3, np.where(drawn < np.maximum(asked, chance), 2, 1))
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
    found, weight = {}, pairs["times"]
    either = pairs[["probability", "asked"]].max(axis=1)
    for name, score, least, level in (
        ("MIRIP", pairs["probability"], 3, threshold),
        ("MIRIP atau TANYAKAN", either, 2, min(threshold, 0.5)),
    ):
        called, true = score >= level, grade >= least
        found[f"presisi, {name}"] = weight[called & true].sum() / weight[called].sum()
        found[f"recall, {name}"] = weight[called & true].sum() / weight[true].sum()
    return pd.Series(found)


@pytest.mark.parametrize(("threshold", "shift"), [(0.5, 0.0), (0.5, 1.5), (0.7, 0.0)])
def test_the_truth_of_a_simulated_archive_is_found(threshold, shift):
    pairs, grade = simulated(1, shift=shift)
    real = truth(pairs, grade, threshold)
    found = [judged(pairs, grade, 150, seed).measures(threshold) for seed in range(60)]
    mean = sum(one["estimate"] for one in found) / len(found)
    assert (mean - real).abs().max() < 0.04, pd.DataFrame({"mean": mean, "real": real})
    covered = np.mean([(one["low"] <= real) & (real <= one["high"]) for one in found], axis=0)
    assert covered.min() >= 0.85, covered


def test_a_sample_that_is_not_weighted_would_not_find_it():
    pairs, grade = simulated(1)
    real = truth(pairs, grade, 0.5)["recall, MIRIP"]
    plain = [judged(pairs, grade, 150, seed) for seed in range(20)]
    unweighted = [
        JudgedSample(one.probability, one.asked, one.grade, np.zeros(150, int), np.ones(150))
        for one in plain
    ]
    recalls = [one.measures(0.5).loc["recall, MIRIP", "estimate"] for one in unweighted]
    assert abs(np.mean(recalls) - real) > 0.1


def test_all_pairs_judged_give_the_truth_itself():
    pairs, grade = simulated(2, n=200)
    found = judged(pairs, grade, 200, 0).measures(0.5)["estimate"]
    assert (found - truth(pairs, grade, 0.5)).abs().max() < 1e-12


def test_a_few_labels_that_agree_are_not_certain():
    pairs, grade = simulated(3)
    one = judged(pairs, np.full_like(grade, 4), 20, 0)
    row = one.measures(0.5).loc["presisi, MIRIP"]
    assert row["estimate"] == row["high"] == 1
    assert 0.5 < row["low"] < 0.97


def test_the_threshold_suggested_is_the_lowest_that_is_right_often_enough():
    pairs, grade = simulated(4, n=20_000, shift=0.5)
    one = judged(pairs, grade, 1_000, 0)
    suggested, found = one.suggest(), one.precisions()
    assert suggested.threshold > CANDIDATE_THRESHOLDS[0]
    assert found["presisi"].is_monotonic_increasing
    assert (found.loc[: suggested.threshold - 0.01, "presisi"] < TARGET_PRECISION).all()
    assert found.loc[suggested.threshold, "presisi"] >= TARGET_PRECISION
    real = truth(pairs, grade, suggested.threshold)["presisi, MIRIP"]
    assert abs(real - TARGET_PRECISION) < 0.04
    assert judged(pairs, np.full_like(grade, 1), 100, 0).suggest() is None
    assert judged(pairs, np.full_like(grade, 3), MIN_LABELS - 1, 0).suggest() is None
    assert (
        judged(pairs, np.full_like(grade, 3), MIN_LABELS, 0).suggest().threshold
        == CANDIDATE_THRESHOLDS[0]
    )


@pytest.mark.parametrize("shift", [-1.0, 0.0])
def test_fifty_labels_say_how_sure_the_threshold_is(shift):
    """Of many estimates, one a threshold, the luckiest would be chosen, and sure of itself."""
    pairs, grade = simulated(4, n=20_000, shift=shift)
    real = {t: truth(pairs, grade, t)["presisi, MIRIP"] for t in CANDIDATE_THRESHOLDS}
    found = [one for seed in range(60) if (one := judged(pairs, grade, 50, seed).suggest())]
    assert len(found) > 40
    right = np.mean([real[one.threshold] >= TARGET_PRECISION for one in found])
    assert abs(right - np.mean([one.sure for one in found])) < 0.2
    assert np.mean([real[one.threshold] for one in found]) > 0.84


def test_how_sure_is_less_with_fewer_labels():
    pairs, grade = simulated(4, n=20_000, shift=0.5)
    few, many = (
        np.mean([judged(pairs, grade, n, seed).measures(0.8).loc["presisi, MIRIP", ["low", "high"]]
                 .diff().iloc[1] for seed in range(5)])
        for n in (30, 300)
    )  # fmt: skip
    assert few > 1.5 * many


def test_what_is_not_judged_is_shared_out_in_its_stratum():
    values = np.array([0.9, 0.9, 0.9, 0.0]), np.zeros(4)
    grade = np.array([3.0, 1.0, np.nan, 3.0])
    one = JudgedSample(*values, grade, np.array([0, 0, 0, 8]), np.array([10.0, 10.0, 10.0, 15.0]))
    assert one.measures(0.5).loc["recall, MIRIP", "estimate"] == pytest.approx(15 / 30)
    assert one.unseen_share == 0
    unseen = JudgedSample(
        *values, np.array([3.0, 1.0, 1.0, np.nan]), np.array([0, 0, 0, 8]), np.full(4, 10.0)
    )
    assert unseen.unseen_share == 0.25


def test_a_sample_stands_for_all_pairs_and_is_dense_where_it_matters():
    pairs, _ = simulated(5)
    sample = draw_sample(pairs, 50, random_state=7)
    assert len(sample) == 50
    assert sample["weight"].sum() == pytest.approx(pairs["times"].sum(), rel=0.1)
    assert not sample["stratum"].is_monotonic_increasing
    assert (sample["left"] > sample["right"]).any()
    assert (sample["left"] < sample["right"]).any()
    share = np.bincount(sample["stratum"], minlength=9)
    every = np.bincount(strata(pairs["probability"].to_numpy(), pairs["asked"].to_numpy()), minlength=9)
    assert share.min() >= 1
    assert share[:4].sum() / every[:4].sum() > 5 * share[7:].sum() / every[7:].sum()
    pd.testing.assert_frame_equal(sample, draw_sample(pairs, 50, random_state=7))
    assert not sample.equals(draw_sample(pairs, 50, random_state=8))
    assert len(draw_sample(pairs.head(30), 50)) == 30


@pytest.mark.parametrize("model", ["light", "structured"])
def test_a_title_is_compared_with_all_others_and_not_with_itself(model, tmp_path):
    titles = [*TITLES[:40], TITLES[0].lower()]  # A copy of a title is no other.
    checker = load_checker(MODELS / model, titles)
    found = survey(checker)
    assert len(found.best) == 40
    called = {SIMILAR: 0, ASK: 0}
    for number, title in enumerate(titles[:40]):
        matches = checker.check(title)
        others = [place for place, name in enumerate(matches.titles) if name.lower() != title.lower()]
        assert found.best[number, 0] == pytest.approx(matches.probability[others].max())
        labels = {matches.labels[place] for place in others}
        decided = SIMILAR if SIMILAR in labels else ASK if ASK in labels else None
        if decided:
            called[decided] += 1
    shares = found.shares([0.5]).set_index("simpulan")
    assert shares["estimate"].to_dict() == pytest.approx({k: n / 40 for k, n in called.items()})
    assert (shares["low"] <= shares["estimate"]).all()
    assert (shares["estimate"] <= shares["high"]).all()
    assert (found.pairs["left"] < found.pairs["right"]).all()
    assert (
        set(found.pairs["times"]) == {1, 2}
        if model == "structured"
        else {1, 2} >= set(found.pairs["times"])
    )
    index = TitleIndex.build(titles, MODELS / model)
    np.testing.assert_allclose(survey(index).best, found.best)


def test_titles_are_drawn_by_the_seed():
    checker = load_checker(MODELS / "light", TITLES)
    steps = []
    first = survey(checker, n_titles=30, on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (30, 30)
    np.testing.assert_array_equal(first.best, survey(checker, n_titles=30).best)
    assert not np.array_equal(first.best, survey(checker, n_titles=30, random_state=1).best)


def test_too_few_titles_are_refused():
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


def test_a_sample_shows_neither_score_nor_weight(drawn):
    assert drawn.columns.tolist() == ["id", "judul_a", "judul_b", "nilai", "kode"]
    assert (drawn["nilai"] == "").all()
    codes = drawn["kode"]
    assert codes.is_unique
    assert codes.str.fullmatch(r"k[a-z2-7]{15}").all()
    weights = [decode_pair_code(*row)[1] for row in drawn[["kode", "judul_a", "judul_b"]].to_numpy()]
    assert len(set(weights)) > 3
    # No sign of a code tells the stratum.
    kinds = [decode_pair_code(*row)[0] for row in drawn[["kode", "judul_a", "judul_b"]].to_numpy()]
    for at in range(1, 16):
        letters = codes.str[at]
        assert letters.groupby(kinds).nunique().max() > 1


def test_a_filled_sample_is_read_whatever_the_case(write):
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
    ("change", "said"),
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
def test_what_is_no_filled_sample_is_refused(write, change, said):
    with pytest.raises(GaugeError, match=said):
        read_sample(write(change), TITLES)


def test_a_sample_of_another_archive_is_refused(write):
    with pytest.raises(GaugeError, match="tidak ada di arsip ini"):
        read_sample(write(filled), TITLES[:100])
    assert len(read_sample(write(filled), [*TITLES[::-1], "Judul Baru"])) == 50  # It has grown.


def test_the_answers_of_the_tool_fill_a_sample(drawn, tmp_path):
    pairs = list(zip(drawn["judul_b"], drawn["judul_a"], strict=True))
    session = LabelingSession(tmp_path, "p1", pairs)
    for answer in ("mirip", "ragu", "tidak"):
        session.answer(answer)
    words = with_answers(drawn, session.answers)["nilai"].tolist()
    assert words == ["sama", "sama di tempat lain", "beda", *[""] * 47]


def test_the_panel_asks_the_pairs_of_a_sample_and_no_others(drawn, tmp_path):
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


def fill_by_model(source, target, *, least=0.8):
    """Judge as somebody would to whom only what the model finds very likely is the same."""
    frame = pd.read_csv(source, dtype=object, encoding="utf-8-sig")
    _, chance, _ = load_checker(MODELS / "light", TITLES).score(frame["judul_a"], frame["judul_b"])
    frame["nilai"] = np.where(chance >= least, "sama", "beda")
    frame.to_csv(target, index=False, encoding="utf-8-sig")
    return frame


@pytest.fixture
def measured(archive, tmp_path):
    """An archive with its gauge."""
    done = gauge(archive, "--model", "light", "--output", tmp_path / "sampel.csv")
    assert done.returncode == 0, done.stderr
    fill_by_model(tmp_path / "sampel.csv", tmp_path / "isi.csv")
    done = gauge(archive, "--model", "light", "--labels", tmp_path / "isi.csv")
    assert done.returncode == 0, done.stderr
    return archive, read_gauge(archive), done.stdout


def checked(archive, *arguments, **environment):
    done = run("check", QUERY, "--format", "json", "--corpus", archive, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["ambang"], done.stderr


def test_the_command_tells_the_shares_and_gives_a_sample(archive, tmp_path):
    target = tmp_path / "sampel.csv"
    done = gauge(archive, "--model", "light", "--titles", 60, "--output", target)
    assert "60 dari 123 judul diundi" in done.stdout
    assert re.search(r"^  0,50 +\d+ \(\d+ sampai \d+\).*ambang sekarang$", done.stdout, re.MULTILINE)
    assert f"--labels {target}" in done.stdout
    content = target.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid,judul_a,judul_b,nilai,kode\n")
    assert_refused(gauge(archive, "--model", "light", "--output", target), "--force")
    assert target.read_bytes() == content
    again = gauge(archive, "--model", "light", "--titles", 60, "--output", target, "--force")
    assert again.returncode == 0
    assert target.read_bytes() == content
    assert not gauge_file(archive).exists()


def test_a_formula_is_harmless_and_its_row_is_read_again(tmp_path):
    titles = [f"=Sistem Pakar {word} Padi" for word in "Penyakit Hama Gulma Bibit Pupuk".split()]
    archive, target = tmp_path / "a.csv", tmp_path / "s.csv"
    pd.DataFrame({"Judul": titles + TITLES[:20]}).to_csv(archive, index=False)
    assert gauge(archive, "--model", "light", "--output", target).returncode == 0
    frame = pd.read_csv(target, dtype=object, encoding="utf-8-sig")
    cells = pd.concat([frame["judul_a"], frame["judul_b"]])
    assert not cells.str.startswith("=").any()
    assert cells.str.startswith("'=Sistem").any()
    frame.assign(nilai="beda").to_csv(target, index=False)
    known = read_corpus(archive).titles["Judul"].tolist()
    assert len(read_sample(target, known)) == len(frame)


def test_a_measured_threshold_is_kept_and_taken(measured):
    archive, kept, said = measured
    assert kept.threshold != 0.5
    assert f"tepat sedikitnya 85 %: {kept.threshold:.2f}".replace(".", ",") in said
    assert kept.n_labels == 50
    assert kept.model == "light"
    assert kept.measures["presisi, MIRIP"][0] > 0.8
    assert 0 < kept.sure <= 1
    threshold, told = checked(archive, "--model", "light")
    assert threshold == kept.threshold
    assert told.count("\n") == 1
    assert "dipakai, menurut hasil ukur arsip ini (50 label" in told


def test_a_threshold_that_was_asked_for_counts_more(measured):
    archive, *_ = measured
    assert checked(archive, "--model", "light", "--threshold", "0.5") == (0.5, "")
    assert checked(archive, "--model", "light", JUDUL_THRESHOLD="0.7") == (0.7, "")


def test_a_file_of_proposals_is_judged_by_it(measured, tmp_path):
    archive, *_ = measured
    batch, result = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    pd.DataFrame({"Judul": TITLES[:10]}).to_csv(batch, index=False)
    given = ("check", "--file", batch, "--output", result, "--corpus", archive, "--model", "light")
    assert "menurut hasil ukur" in run(*given).stderr
    assert_refused(run(*given[:4], gauge_file(archive) / "x", *given[5:]), "Folder")


def test_no_title_is_kept(measured):
    archive, *_ = measured
    text = gauge_file(archive).read_text(encoding="utf-8").lower()
    words = set(re.findall(r"[a-z]{5,}", " ".join(TITLES).lower()))
    facts = {"model", "mirip", "presisi", "recall", "light", "alarm", "format", "date", "archive"}
    assert not words & set(re.findall(r"[a-z]{5,}", text)) - facts
    assert "arsip.csv" not in text


def test_what_is_kept_is_not_overwritten_unasked(measured, tmp_path):
    archive, *_ = measured
    before = gauge_file(archive).read_bytes()
    given = "--model", "light", "--labels", tmp_path / "isi.csv"
    assert_refused(gauge(archive, *given), "--force")
    assert gauge_file(archive).read_bytes() == before
    assert gauge(archive, *given, "--force").returncode == 0


def test_a_gauge_of_another_archive_or_model_is_not_taken(measured, tmp_path):
    archive, *_ = measured
    assert checked(archive, "--model", "structured")[0] == 0.5
    assert "Model Ringan" in checked(archive, "--model", "structured")[1]
    with archive.open("a", encoding="utf-8") as file:
        file.write("Deteksi Kantuk Pengemudi dengan YOLO\n")
    threshold, told = checked(archive, "--model", "light")
    assert threshold == 0.5
    assert "isi arsip sudah berubah" in told
    assert "judul archive gauge" in told
    # The labels hold for the archive that has grown.
    again = gauge(archive, "--model", "light", "--labels", tmp_path / "isi.csv", "--force")
    assert "isi arsip berubah sejak sampel itu" in again.stderr
    assert checked(archive, "--model", "light")[0] == read_gauge(archive).threshold
    facts = json.loads(gauge_file(archive).read_text())
    gauge_file(archive).write_text(json.dumps({**facts, "model_version": "0" * 64}))
    threshold, told = checked(archive, "--model", "light")
    assert threshold == 0.5
    assert "Model Ringan sudah berubah" in told


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "[" * 100_000, "\xff", '{"format": 2}', '{"format": 1, "threshold": 0.5}'],
)
def test_a_damaged_gauge_is_said_and_not_taken(archive, content):
    gauge_file(archive).write_bytes(content.encode("latin-1"))
    threshold, told = checked(archive, "--model", "light")
    assert threshold == 0.5
    assert told.startswith("Catatan: Hasil ukur ")
    assert "rusak" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", 1.5), ("threshold", "0.5"), ("threshold", True), ("threshold", None), ("sure", -1),
        ("threshold", float("nan")), ("n_labels", 0), ("n_labels", "x"), ("model", "besar"),
        ("model", []), ("archive", "abc"), ("model_version", 5), ("date", "kemarin"), ("measures", [1]),
        ("measures", {"presisi, MIRIP": [1]}), ("alarm", {"MIRIP": "abc"}), ("extra", 1),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_damage(measured, key, value):
    archive, *_ = measured
    facts = json.loads(gauge_file(archive).read_text())
    gauge_file(archive).write_text(json.dumps({**facts, key: value}))
    with pytest.raises(GaugeError, match="rusak"):
        read_gauge(archive)


def test_an_index_keeps_its_gauge_and_stays_whole(tmp_path, archive):
    folder, sample, labels = tmp_path / "indeks", tmp_path / "s.csv", tmp_path / "isi.csv"
    run("index", "build", archive, folder, "--model", "light")
    before = (folder / "index.json").read_bytes()
    assert_refused(gauge(folder, "--model", "structured"), "dibangun dengan model light")
    assert_refused(gauge(folder, "--output", folder / "s.csv"), "akan menimpa")
    assert gauge(folder, "--output", sample).returncode == 0
    fill_by_model(sample, labels)
    done = gauge(folder, "--labels", labels)
    assert f"Disimpan di {folder / 'gauge.json'}" in done.stdout
    assert (folder / "index.json").read_bytes() == before
    assert can_hold_index(folder)
    kept = read_gauge(folder).threshold
    assert checked(folder)[0] == kept
    assert checked(folder, "--threshold", "0.5") == (0.5, "")
    said = []
    opened = TitleIndex.load(folder, say=said.append)
    assert opened.threshold == opened.check(QUERY, top_k=1).threshold == kept
    assert len(said) == 1
    assert TitleIndex.load(folder, threshold=0.5).threshold == 0.5
    with warnings.catch_warnings(action="error"):  # Who adds a title asks for no threshold.
        added = judul("index", "add", folder, "--title", QUERY)
    assert added.returncode == 0, added.stderr
    assert "ukur" not in added.stderr
    threshold, told = checked(folder)
    assert threshold == 0.5
    assert "isi arsip sudah berubah" in told
    assert gauge(folder, "--labels", labels, "--force").returncode == 0
    assert checked(folder)[0] == read_gauge(folder).threshold


def test_a_higher_threshold_asks_about_what_it_no_longer_counts():
    pairs, grade = simulated(1)
    one = judged(pairs, grade, 150, 2)
    at_default, higher = (one.measures(level)["estimate"] for level in (0.5, 0.8))
    either = "recall, MIRIP atau TANYAKAN"
    assert higher[either] == at_default[either]
    assert higher["recall, MIRIP"] < at_default["recall, MIRIP"]


def test_labels_that_do_not_suffice_keep_nothing(archive, tmp_path):
    sample, labels = tmp_path / "s.csv", tmp_path / "isi.csv"
    gauge(archive, "--model", "light", "--output", sample)
    frame = fill_by_model(sample, labels)
    assert_refused(gauge(archive, "--model", "light", "--labels", sample), "masih kosong")
    frame.assign(nilai=frame["nilai"].where(frame.index < 7, "")).to_csv(labels, index=False)
    done = gauge(archive, "--model", "light", "--labels", labels)
    assert "7 dari 50 pasangan dinilai" in done.stdout
    assert "perlu sedikitnya 20 nilai" in done.stdout
    frame.assign(nilai="beda").to_csv(labels, index=False)
    done = gauge(archive, "--model", "light", "--labels", labels)
    assert "Tidak ada ambang" in done.stdout
    assert not gauge_file(archive).exists()


def test_options_that_would_do_nothing_are_refused(archive):
    for option in (("--sample", "30"), ("--output", "a.csv")):
        assert_refused(gauge(archive, "--labels", "b.csv", *option), f"{option[0]} tidak berlaku")
    assert_refused(gauge(archive, "--labels", "tidak-ada.csv"), "tidak ditemukan")
    assert_refused(gauge(archive, "--output", archive), "akan menimpa")
    assert_refused(gauge(archive.with_name("tidak.csv")), "tidak ditemukan")


def test_a_version_changes_with_what_a_model_answers_with(tmp_path):
    folder = tmp_path / "light"
    shutil.copytree(MODELS / "light", folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    first = model_version(folder)
    (folder / "metadata.json").write_text(json.dumps({**metadata, "created": "2000-01-01"}))
    assert model_version(folder) == first
    for change in ({"files": {**metadata["files"], "arrays.npz": "0"}}, {"resources": {"a": "b"}}):
        (folder / "metadata.json").write_text(json.dumps({**metadata, **change}))
        assert model_version(folder) != first


def test_without_a_gauge_nothing_is_said(archive):
    said = []
    assert stored_threshold(archive, MODELS / "light", "0" * 64, say=said.append) is None
    assert said == []
    assert checked(archive, "--model", "light") == (0.5, "")
