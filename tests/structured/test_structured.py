"""The structured model: its answers, training, packaging and use."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judul_lib.checking.loading import load_checker
from judul_lib.checking.registry import load_structured, read_metadata
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.errors import ModelError
from judul_lib.structured.gold import read_gold
from judul_lib.structured.model import MONOTONE_DIRECTIONS, PART_COLUMNS, STRUCTURED_FEATURES, ask_score
from judul_lib.structured.real_pairs import RealPairs
from judul_lib.training.pairs import real_set, training_set
from judul_lib.training.structured import (
    MIN_ODDS,
    REAL_PAIRS_PATH,
    fit_structured,
    mask_unused_features,
    out_of_fold_gold_scores,
    train_structured,
    unfitted_model,
)
from tests.conftest import PROJECT, judul

FOLDER = PROJECT / "outputs" / "structured"
GOLD_PAIRS = PROJECT / "data" / "gold_pairs.csv"
BASE = "Klasifikasi Penyakit Daun Padi Menggunakan Convolutional Neural Network (CNN)"
TITLES = st.lists(
    st.sampled_from("padi jagung cnn lstm siswa sma medan harga prediksi xyzzy di 2".split()), max_size=8
).map(" ".join)


@pytest.fixture(scope="module")
def model():
    return load_structured(FOLDER)[0]


def label_of(model, left, right):
    return StructuredChecker(model, []).score([left], [right])[2][0]


@pytest.mark.parametrize(
    ("left", "right", "label"),
    [
        # A firm called after a thing is a place, and another firm is elsewhere.
        ("Sistem Informasi Penjualan pada Toko Padi Jaya",
         "Sistem Informasi Penjualan pada Toko Jagung Jaya", "TANYAKAN"),
        ("Sistem Informasi Penjualan pada Toko Padi Jaya", "Klasifikasi Penyakit Daun Padi",
         "TIDAK MIRIP"),
        # Another version is another method.
        ("Deteksi Masker Menggunakan YOLOv5", "Deteksi Masker Menggunakan YOLOv8", "TIDAK MIRIP"),
        # Cause and effect in each other's place.
        ("Pengaruh Motivasi Kerja terhadap Kinerja Pegawai",
         "Pengaruh Kinerja Pegawai terhadap Motivasi Kerja", "TIDAK MIRIP"),
        # One names a platform, one names a place: the study is the same.
        ("Sistem Informasi Penyewaan Alat Pesta", "Sistem Informasi Penyewaan Alat Pesta Berbasis Web",
         "MIRIP"),
        ("Rancang Bangun Sistem Informasi Inventaris Barang",
         "Rancang Bangun Sistem Informasi Inventaris Barang di SMK Negeri 3 Malang", "MIRIP"),
        # Both name a place.
        ("Rancang Bangun Sistem Informasi Inventaris Barang di SMK Negeri 1 Tegal",
         "Rancang Bangun Sistem Informasi Inventaris Barang di SMK Negeri 3 Malang", "TANYAKAN"),
        # On another platform: a person is to look.
        ("Aplikasi Kasir Berbasis Android", "Aplikasi Kasir Berbasis Web", "TANYAKAN"),
        # Another method, learning model or crop.
        ("Analisis Sentimen Ulasan Belanja dengan Naive Bayes",
         "Analisis Sentimen Ulasan Belanja dengan Support Vector Machine", "TIDAK MIRIP"),
        ("Pengaruh Model Problem Based Learning terhadap Hasil Belajar Siswa SMA Negeri 1 Kendal",
         "Pengaruh Model Discovery Learning terhadap Hasil Belajar Siswa SMA Negeri 1 Kendal",
         "TIDAK MIRIP"),
        ("Budidaya Jagung Manis", "Budidaya Padi Ladang", "TIDAK MIRIP"),
        # Two known letters abbreviate nothing else.
        ("Sistem Informasi Manajemen Aset Berbasis Web Studi Kasus PT. Xolo di Kota Bandung",
         "Perancangan Sistem Informasi Pariwisata Kota Tomohon Berbasis Web", "TIDAK MIRIP"),
    ],
)  # fmt: skip
def test_the_difference_of_two_titles_decides_their_label(model, left, right, label):
    assert label_of(model, left, right) == label
    assert label_of(model, right, left) == label
    assert label_of(model, left.upper(), right) == label


def test_rewordings_score_higher_than_titles_of_the_same_template(model):
    rewordings = [
        "PENERAPAN CNN UNTUK MENGENALI PENYAKIT PADA DAUN TANAMAN PADI",
        "Rice Leaf Disease Classification Using Convolutional Neural Network",
    ]
    others = [
        "Klasifikasi Motif Kain Batik Menggunakan Convolutional Neural Network (CNN)",
        "Peramalan Produksi Padi Menggunakan Metode ARIMA",
        "Pengaruh Motivasi terhadap Kinerja Karyawan",
    ]
    scores = model.score([BASE] * 5, rewordings + others)
    assert scores[:2].min() > 0.5 > scores[2:].max()


def test_a_title_with_typing_errors_is_the_same_title(model):
    misspelt = [
        "KLASIFIKASI PENYAKIT DAUN PADI MENGGUNAKAN CONVOLUTIONAL NEURAL NETWORK",
        "klasifkasi penyakit daun padi mengunakan Convolutional Neural Netwrok (CNN)",
        "Klasifikasi Penyakit DaunPadi dgn CNN",
    ]
    assert model.score([BASE] * 3, misspelt).min() > 0.5


def test_another_number_or_a_city_of_similar_name_is_no_typing_error(model):
    title = "Sistem Informasi Perpustakaan di SMA Negeri 1 Bandung"
    others = [title.replace("1", "2"), title.replace("Bandung", "Badung")]
    assert (model.score([title] * 2, others) < 0.5).all()
    assert model.score([title], [title.upper()])[0] > 0.5


@settings(max_examples=40)
@given(st.lists(st.tuples(TITLES, TITLES), min_size=1, max_size=6))
def test_scores_are_bounded_symmetric_and_do_not_depend_on_the_batch(model, pairs):
    left, right = (list(side) for side in zip(*pairs, strict=True))
    forward, backward = model.score(left, right), model.score(right, left)
    assert ((forward >= 0) & (forward <= 1)).all()
    np.testing.assert_allclose(forward, backward, atol=1e-9)
    single = [model.score([a], [b])[0] for a, b in pairs]
    np.testing.assert_allclose(forward, single, atol=1e-9)


@settings(max_examples=60)
@given(
    TITLES, TITLES, st.sampled_from([k for k, d in enumerate(MONOTONE_DIRECTIONS) if d]), st.floats(0, 3)
)
def test_log_odds_are_monotone_in_constrained_features(model, left, right, column, increase):
    features = model.pair_features([left], [right])
    raised = features.copy()
    raised[:, column] += increase
    for trees in (model.same, model.asked):
        change = float((trees.log_odds(raised) - trees.log_odds(features))[0])
        assert MONOTONE_DIRECTIONS[column] * change >= -1e-5, STRUCTURED_FEATURES[column]


@settings(max_examples=40)
@given(TITLES, TITLES)
def test_contributions_add_up_to_the_log_odds(model, left, right):
    features = model.pair_features([left], [right])
    start, parts = model.contributions(features)
    np.testing.assert_allclose(start + sum(parts.values()), model.log_odds(features), atol=1e-5)
    if not features[0, STRUCTURED_FEATURES.index("place_named")]:
        assert parts["place"] == 0


def test_each_feature_belongs_to_one_part():
    assert sorted(k for columns in PART_COLUMNS.values() for k in columns) == list(
        range(len(STRUCTURED_FEATURES))
    )


def test_another_place_lowers_the_log_odds_and_the_same_object_raises_them(model):
    left = "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman"
    _, elsewhere = model.contributions(model.pair_features([left], [left.replace("Sleman", "Bantul")]))
    _, same = model.contributions(model.pair_features([left], [left]))
    assert elsewhere["place"][0] < 0 < same["text"][0] + same["object"][0]
    assert elsewhere["place"][0] < same["place"][0]


def test_the_cosine_of_the_study_is_shown_but_not_used(model):
    features = model.pair_features([BASE, BASE], [BASE, "Padi"])
    changed = features.copy()
    changed[:, STRUCTURED_FEATURES.index("cosine")] = 0.123
    assert model.log_odds(features).tolist() == model.log_odds(changed).tolist()
    assert not mask_unused_features(features)[:, 0].any()


@pytest.fixture(scope="module")
def gold():
    """The gold pairs of 24 bases of the development part."""
    gold = read_gold(GOLD_PAIRS)
    gold = gold[gold["split"] == "dev"]
    return gold[gold["base_id"].isin(gold["base_id"].unique()[:24])].reset_index(drop=True)


@pytest.fixture(scope="module")
def some_real():
    """Every tenth real pair, for quick training."""
    real, rows = RealPairs.read(REAL_PAIRS_PATH), slice(None, None, 10)
    parts = {name: getattr(real, name)[rows] for name in RealPairs.__annotations__ if name != "counts"}
    return RealPairs(**parts, counts=real.counts)


@pytest.mark.slow
def test_training_is_deterministic_and_calibration_keeps_the_order(gold, some_real):
    plain, repeated = (train_structured(gold, some_real, calibrate=False) for _ in range(2))
    assert plain.to_bytes() == repeated.to_bytes()
    unseen = np.random.default_rng(0).normal(size=(len(some_real), 3))
    unseen += 2 * some_real.labels[:, None]
    calibrated = train_structured(gold, some_real, real_log_odds=unseen)
    raw, scaled = plain.log_odds(some_real.features), calibrated.log_odds(some_real.features)
    slope, intercept = np.polyfit(raw, scaled, 1)
    np.testing.assert_allclose(scaled, slope * raw + intercept, atol=1e-4)
    assert slope > 0
    assert not np.allclose(raw, scaled)


def test_mean_probabilities_are_the_shares_of_the_grades(model):
    """On the randomly drawn pairs; these are training pairs, hence the tolerance."""
    real = RealPairs.read(REAL_PAIRS_PATH)
    features, grades = real.features[real.is_drawn], real.grade[real.is_drawn]
    questions = (model.same, 3), (model.asked, 2), (model.related, 1)
    for (trees, min_grade), odds in zip(questions, MIN_ODDS, strict=True):
        probability = 1 / (1 + np.exp(-trees.log_odds(features)) / odds)
        assert probability.mean() == pytest.approx((grades >= min_grade).mean(), abs=0.02)


@pytest.mark.slow
def test_gold_scores_are_out_of_fold(gold, some_real):
    scores = out_of_fold_gold_scores(gold, some_real)
    assert scores.index.equals(gold.index)
    label = gold["label"].fillna(0).astype(int)
    trained_on_all = train_structured(gold, some_real, calibrate=False)
    in_sample = trained_on_all.score(gold["judul_a"].tolist(), gold["judul_b"].tolist())
    assert scores[label == 1].mean() > scores[label == 0].mean() + 0.3
    assert np.abs(in_sample - label).mean() < np.abs(scores - label).mean()


def test_left_out_features_are_not_used(gold, some_real):
    model = unfitted_model(some_real.counts)
    data = real_set(some_real) + training_set(gold, model)
    without = [name for name in STRUCTURED_FEATURES if name.startswith("place_")]
    fitted = fit_structured(model, data, without=without)
    for trees in (fitted.same, fitted.asked):
        splits = trees.left != np.arange(trees.left.shape[1])
        used = {STRUCTURED_FEATURES[k] for k in trees.feature[splits]}
        assert used
        assert not used & {*without, "cosine"}


@pytest.mark.slow
def test_labels_of_persons_are_learnt(gold, some_real):
    left, right = "Peta Xolo Menggunakan Zyxwvut", "Peta Xolo Menggunakan Qwertzu"
    labelled = pd.DataFrame({"judul_a": [left] * 30, "judul_b": [right] * 30, "label": [1] * 30})
    before = train_structured(gold, some_real, calibrate=False).score([left], [right])
    after = train_structured(gold, some_real, calibrate=False, labelled=labelled).score([left], [right])
    assert after > before + 0.1


def test_the_packaged_model_has_the_counts_of_the_real_pairs(model):
    assert model.counts == RealPairs.read(REAL_PAIRS_PATH).counts


def test_the_titles_of_an_archive_are_counted_too(model):
    adapted = model.for_archive(["Harga Padi"] * 3 + ["Harga Kopi", "Harga Padi di Solo"])
    assert adapted.counts.n_titles == model.counts.n_titles + 3
    assert adapted.counts.counts["harga"] == model.counts.counts["harga"] + 3
    assert adapted.same is model.same


def test_a_saved_model_answers_the_same(model):
    restored = type(model).from_bytes(model.to_bytes())
    sides = [BASE, BASE], ["CNN padi", "Klasifikasi Padi di Solo"]
    features = model.pair_features(*sides)
    np.testing.assert_array_equal(restored.pair_features(*sides), features)
    probability = model.probability(features)
    np.testing.assert_array_equal(restored.probability(features), probability)
    asked = model.asked_probability(features, probability)
    np.testing.assert_array_equal(restored.asked_probability(features, probability), asked)


def test_a_person_is_asked_about_the_same_study_elsewhere_or_in_other_words():
    same, elsewhere = np.array([0.0, 0.15, 0.14, 0.6]), np.array([0.9, 0.0, 0.4, 0.0])
    asked = ask_score(same, elsewhere)
    assert (asked >= 0.5 - 1e-9).tolist() == [True, True, False, True]
    assert (asked >= elsewhere).all()
    rising = ask_score(np.linspace(0, 1, 50), np.zeros(50))
    assert (np.diff(rising) > 0).all()


def test_the_folder_is_small_and_its_hashes_hold(tmp_path):
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 1_000_000
    assert read_metadata(FOLDER)["name"] == "structured"
    copy = shutil.copytree(FOLDER, tmp_path / "structured")
    (copy / "structured.npz").write_bytes(b"x")
    with pytest.raises(ModelError, match="ditolak"):
        load_checker(copy)


def test_the_checker_ranks_as_single_scores_do(model):
    titles = [BASE, "Peramalan Produksi Padi dengan ARIMA", "Deteksi Penyakit Daun Jagung dengan CNN"]
    checker = load_checker(FOLDER, titles)
    assert isinstance(checker, StructuredChecker)
    matches = checker.check("Pengenalan Penyakit Daun Padi dengan CNN")
    query = ["Pengenalan Penyakit Daun Padi dengan CNN"] * 3
    expected = model.for_archive(titles).score(query, matches.titles)
    np.testing.assert_allclose(matches.probability, expected)
    assert matches.titles[0] == BASE


def test_matches_are_ordered_by_label_then_relatedness(model):
    titles = read_gold(GOLD_PAIRS).query("split == 'test'")["judul_a"].drop_duplicates().tolist()
    checker = load_checker(FOLDER, [*titles, *PLACES[1:]])
    for query in (PLACES[0], titles[0], titles[0].split(" di ")[0]):
        matches = checker.check(query)
        level = {"MIRIP": 0, "TANYAKAN": 1, "TIDAK MIRIP": 2}
        levels = [level[name] for name in matches.labels]
        assert levels == sorted(levels)
        adapted = model.for_archive(checker.titles)
        features = adapted.pair_features([query] * len(matches), matches.titles)
        related = adapted.relatedness(features, matches.probability, matches.asked)
        assert ((related >= 0) & (related <= 3)).all()
        for number in set(levels):
            assert (np.diff(related[np.array(levels) == number]) <= 1e-9).all()


PLACES = [
    "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman",
    "Klasifikasi Penyakit Daun Padi dengan CNN di Bantul",
]


@pytest.mark.parametrize(
    ("treatment", "label"), [("mirip", "MIRIP"), ("tidak", "TIDAK MIRIP"), ("tanyakan", "TANYAKAN")]
)
def test_the_same_study_elsewhere_is_labelled_as_configured(treatment, label):
    checker = load_checker(FOLDER, PLACES[1:], elsewhere=treatment)
    row = checker.check(PLACES[0]).rows()[0]
    assert row["rf_label"] == label
    assert row["penjelasan"].startswith("penelitian serupa di tempat lain; ")
    assert checker.score(*([title] for title in PLACES))[2] == [label]


def test_labels_follow_the_threshold(model):
    checker = load_checker(FOLDER, PLACES[1:])
    matches = checker.check(PLACES[0])
    p, asked = float(matches.probability[0]), float(matches.asked[0])
    assert p < 0.5 < asked < 1
    assert matches.labels == ["TANYAKAN"]
    assert matches.with_threshold((1 + asked) / 2).labels == ["TANYAKAN"]
    other = checker.check("Peramalan Curah Hujan dengan ARIMA")
    assert [other.with_threshold(level).labels for level in (0.5, 0.9)] == [["TIDAK MIRIP"]] * 2
    assert matches.with_threshold(p / 2).labels == ["MIRIP"]


def test_another_study_or_the_same_place_is_not_the_same_study_elsewhere():
    checker = load_checker(FOLDER, ["Peramalan Curah Hujan di Bantul", PLACES[0].lower()])
    assert checker.check(PLACES[0]).labels == ["MIRIP", "TIDAK MIRIP"]


def test_titles_without_content_words_are_compared(model):
    assert np.isfinite(model.score(["", "12", "di"], ["", "di", BASE])).all()


def test_the_command_takes_the_model_by_name(tmp_path):
    result = judul("check", BASE, "--model", "structured", "--format", "json", "--top", 1)
    assert result.returncode == 0, result.stderr
    assert '"model": "structured"' in result.stdout
    source, target = tmp_path / "pairs.csv", tmp_path / "scored.csv"
    source.write_text(f"judul_a,judul_b\n{BASE},Pengenalan Penyakit Daun Padi dengan CNN\n")
    assert judul("score-pairs", source, target, "--model", "structured").returncode == 0
    assert target.read_text().splitlines()[1].endswith(",MIRIP")


def test_the_command_takes_the_recommended_model_by_default(tmp_path):
    result = judul("check", BASE, "--format", "json", "--top", 2)
    assert '"model": "structured"' in result.stdout
    assert all(row["penjelasan"] for row in json.loads(result.stdout)["hasil"])
    models = shutil.copytree(PROJECT / "outputs" / "structured", tmp_path / "m" / "structured").parent
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    metadata = models / "structured" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"recommended": true', '"recommended": false'))
    result = judul("check", BASE, "--format", "json", "--models", models)
    assert '"model": "light"' in result.stdout


def test_the_matches_of_a_file_of_titles_are_explained(tmp_path):
    source, target = tmp_path / "usul.csv", tmp_path / "hasil.csv"
    source.write_text(f'Judul\n{BASE}\n""\n')
    result = judul("check", "--file", source, "--output", target, "--model", "structured")
    assert result.returncode == 0, result.stderr
    header, first, *_ = target.read_text(encoding="utf-8-sig").splitlines()
    assert header.endswith(",penjelasan")
    assert "objek" in first


def test_an_unknown_treatment_of_places_is_refused():
    result = judul("check", BASE, "--elsewhere", "mungkin")
    assert result.returncode == 2
    assert "mirip, tidak, tanyakan" in result.stderr
