"""The structured model: what it makes of kinds of titles, and how it is trained, packaged and used."""

import json
import shutil

import numpy as np
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
BASE = "Klasifikasi Penyakit Daun Padi Menggunakan Convolutional Neural Network (CNN)"
words = st.lists(
    st.sampled_from("padi jagung cnn lstm siswa sma medan harga prediksi xyzzy di 2".split()), max_size=8
).map(" ".join)


@pytest.fixture(scope="module")
def model():
    return load_structured(FOLDER)[0]


def labels(model, left, right):
    checker = StructuredChecker(model, [])
    return checker.score([left], [right])[2][0]


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
def test_what_differs_decides(model, left, right, label):
    assert labels(model, left, right) == label
    assert labels(model, right, left) == label
    assert labels(model, left.upper(), right) == label


def test_same_study_in_other_words_beats_the_same_template(model):
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


def test_a_title_typed_carelessly_is_the_same_title(model):
    careless = [
        "KLASIFIKASI PENYAKIT DAUN PADI MENGGUNAKAN CONVOLUTIONAL NEURAL NETWORK",
        "klasifkasi penyakit daun padi mengunakan Convolutional Neural Netwrok (CNN)",
        "Klasifikasi Penyakit DaunPadi dgn CNN",
    ]
    assert model.score([BASE] * 3, careless).min() > 0.5


def test_a_number_or_a_city_of_similar_name_is_no_typing_error(model):
    a = "Sistem Informasi Perpustakaan di SMA Negeri 1 Bandung"
    others = [a.replace("1", "2"), a.replace("Bandung", "Badung")]
    assert (model.score([a] * 2, others) < 0.5).all()
    assert model.score([a], [a.upper()])[0] > 0.5


@settings(max_examples=40)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=6))
def test_scores_are_bounded_symmetric_and_do_not_depend_on_the_batch(model, pairs):
    left, right = (list(side) for side in zip(*pairs, strict=True))
    forward, backward = model.score(left, right), model.score(right, left)
    assert ((forward >= 0) & (forward <= 1)).all()
    np.testing.assert_allclose(forward, backward, atol=1e-9)
    single = [model.score([a], [b])[0] for a, b in pairs]
    np.testing.assert_allclose(forward, single, atol=1e-9)


@settings(max_examples=60)
@given(
    words, words, st.sampled_from([k for k, d in enumerate(MONOTONE_DIRECTIONS) if d]), st.floats(0, 3)
)
def test_the_answer_rises_and_falls_only_where_its_meaning_lets_it(model, left, right, column, more):
    features = model.pair_features([left], [right])
    raised = features.copy()
    raised[:, column] += more
    for trees in (model.same, model.asked):
        change = float((trees.log_odds(raised) - trees.log_odds(features))[0])
        assert MONOTONE_DIRECTIONS[column] * change >= -1e-5, STRUCTURED_FEATURES[column]


@settings(max_examples=40)
@given(words, words)
def test_the_parts_of_an_answer_add_up(model, left, right):
    features = model.pair_features([left], [right])
    start, parts = model.contributions(features)
    np.testing.assert_allclose(start + sum(parts.values()), model.log_odds(features), atol=1e-5)
    if not features[0, STRUCTURED_FEATURES.index("place_named")]:
        assert parts["place"] == 0


def test_each_feature_belongs_to_one_part():
    assert sorted(k for columns in PART_COLUMNS.values() for k in columns) == list(
        range(len(STRUCTURED_FEATURES))
    )


def test_a_place_speaks_against_and_the_object_for_it(model):
    left = "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman"
    _, elsewhere = model.contributions(model.pair_features([left], [left.replace("Sleman", "Bantul")]))
    _, same = model.contributions(model.pair_features([left], [left]))
    assert elsewhere["place"][0] < 0 < same["text"][0] + same["object"][0]
    assert elsewhere["place"][0] < same["place"][0]


def test_the_studys_cosine_is_shown_but_not_learnt_from(model):
    features = model.pair_features([BASE, BASE], [BASE, "Padi"])
    changed = features.copy()
    changed[:, STRUCTURED_FEATURES.index("cosine")] = 0.123
    assert model.log_odds(features).tolist() == model.log_odds(changed).tolist()
    assert not mask_unused_features(features)[:, 0].any()


def small(gold_path=PROJECT / "data" / "gold_pairs.csv", bases=24):
    gold = read_gold(gold_path)
    gold = gold[gold["split"] == "dev"]
    return gold[gold["base_id"].isin(gold["base_id"].unique()[:bases])].reset_index(drop=True)


@pytest.fixture(scope="module")
def some_real():
    """Every tenth real pair: what is learnt from few pairs is learnt quickly."""
    real, rows = RealPairs.read(REAL_PAIRS_PATH), slice(None, None, 10)
    parts = {name: getattr(real, name)[rows] for name in RealPairs.__annotations__ if name != "counts"}
    return RealPairs(**parts, counts=real.counts)


def test_training_is_deterministic_and_calibration_keeps_the_order(some_real):
    gold = small()
    plain, again = (train_structured(gold, some_real, calibrate=False) for _ in range(2))
    assert plain.to_bytes() == again.to_bytes()
    unseen = np.random.default_rng(0).normal(size=(len(some_real), 3))
    unseen += 2 * some_real.labels[:, None]
    calibrated = train_structured(gold, some_real, real_log_odds=unseen)
    raw, told = plain.log_odds(some_real.features), calibrated.log_odds(some_real.features)
    slope, shift = np.polyfit(raw, told, 1)
    np.testing.assert_allclose(told, slope * raw + shift, atol=1e-4)
    assert slope > 0
    assert not np.allclose(raw, told)


def test_calibrated_answers_are_as_often_right_as_they_say(model):
    """On the pairs as an archive meets them; seen ones, so the model may be a little surer."""
    real = RealPairs.read(REAL_PAIRS_PATH)
    drawn = real.features[real.is_drawn]
    questions = (model.same, 3), (model.asked, 2), (model.related, 1)
    for (trees, least), odds in zip(questions, MIN_ODDS, strict=True):
        found = 1 / (1 + np.exp(-trees.log_odds(drawn)) / odds)
        assert found.mean() == pytest.approx((real.grade[real.is_drawn] >= least).mean(), abs=0.02)


def test_gold_pairs_are_judged_by_models_that_saw_no_pair_of_their_base(some_real):
    gold = small()
    scores = out_of_fold_gold_scores(gold, some_real)
    assert scores.index.equals(gold.index)
    label = gold["label"].fillna(0).astype(int)
    seen = train_structured(gold, some_real, calibrate=False)
    known = seen.score(gold["judul_a"].tolist(), gold["judul_b"].tolist())
    assert scores[label == 1].mean() > scores[label == 0].mean() + 0.3
    assert np.abs(known - label).mean() < np.abs(scores - label).mean()


def test_what_is_left_out_is_not_learnt_from(some_real):
    gold = small()
    model = unfitted_model(some_real.counts)
    data = real_set(some_real) + training_set(gold, model)
    without = [name for name in STRUCTURED_FEATURES if name.startswith("place_")]
    fitted = fit_structured(model, data, without=without)
    for trees in (fitted.same, fitted.asked):
        splits = trees.left != np.arange(trees.left.shape[1])
        used = {STRUCTURED_FEATURES[k] for k in trees.feature[splits]}
        assert used
        assert not used & {*without, "cosine"}


def test_a_persons_label_is_learnt(some_real):
    import pandas as pd

    gold = small()
    left, right = "Peta Xolo Menggunakan Zyxwvut", "Peta Xolo Menggunakan Qwertzu"
    said = pd.DataFrame({"judul_a": [left] * 30, "judul_b": [right] * 30, "label": [1] * 30})
    before = train_structured(gold, some_real, calibrate=False).score([left], [right])
    after = train_structured(gold, some_real, calibrate=False, labelled=said).score([left], [right])
    assert after > before + 0.1


def test_the_packaged_model_knows_real_counts_and_only_these(model):
    assert model.counts == RealPairs.read(REAL_PAIRS_PATH).counts


def test_an_archive_says_how_rare_a_term_is(model):
    own = model.for_archive(["Harga Padi"] * 3 + ["Harga Kopi", "Harga Padi di Solo"])
    assert own.counts.n_titles == model.counts.n_titles + 3
    assert own.counts.counts["harga"] == model.counts.counts["harga"] + 3
    assert own.same is model.same


def test_a_saved_model_answers_the_same(model):
    again = type(model).from_bytes(model.to_bytes())
    sides = [BASE, BASE], ["CNN padi", "Klasifikasi Padi di Solo"]
    features = model.pair_features(*sides)
    np.testing.assert_array_equal(again.pair_features(*sides), features)
    chances = model.probability(features)
    np.testing.assert_array_equal(again.probability(features), chances)
    asked = model.asked_probability(features, chances)
    np.testing.assert_array_equal(again.asked_probability(features, chances), asked)


def test_one_asks_about_the_same_elsewhere_and_about_what_may_be_the_same():
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


def test_a_list_begins_with_what_counts_and_goes_on_by_relatedness(model):
    titles = (
        read_gold(PROJECT / "data" / "gold_pairs.csv")
        .query("split == 'test'")["judul_a"]
        .drop_duplicates()
        .tolist()
    )
    checker = load_checker(FOLDER, [*titles, *PLACES[1:]])
    for query in (PLACES[0], titles[0], titles[0].split(" di ")[0]):
        matches = checker.check(query)
        level = {"MIRIP": 0, "TANYAKAN": 1, "TIDAK MIRIP": 2}
        levels = [level[name] for name in matches.labels]
        assert levels == sorted(levels)
        own = model.for_archive(checker.titles)
        features = own.pair_features([query] * len(matches), matches.titles)
        related = own.relatedness(features, matches.probability, matches.asked)
        assert ((related >= 0) & (related <= 3)).all()
        for wanted in set(levels):
            assert (np.diff(related[np.array(levels) == wanted]) <= 1e-9).all()


PLACES = [
    "Klasifikasi Penyakit Daun Padi dengan CNN di Sleman",
    "Klasifikasi Penyakit Daun Padi dengan CNN di Bantul",
]


@pytest.mark.parametrize(
    ("treatment", "label"), [("mirip", "MIRIP"), ("tidak", "TIDAK MIRIP"), ("tanyakan", "TANYAKAN")]
)
def test_the_same_study_elsewhere_is_named_and_counted_as_the_department_says(treatment, label):
    checker = load_checker(FOLDER, PLACES[1:], elsewhere=treatment)
    row = checker.check(PLACES[0]).rows()[0]
    assert row["rf_label"] == label
    assert row["penjelasan"].startswith("penelitian serupa di tempat lain; ")
    assert checker.score(*([title] for title in PLACES))[2] == [label]


def test_what_is_plainly_below_a_threshold_is_not_to_be_asked_about(model):
    checker = load_checker(FOLDER, PLACES[1:])
    matches = checker.check(PLACES[0])
    p, asked = float(matches.probability[0]), float(matches.asked[0])
    assert p < 0.5 < asked < 1
    assert matches.labels == ["TANYAKAN"]
    assert matches.with_threshold((1 + asked) / 2).labels == ["TANYAKAN"]  # Who counts less still asks.
    other = checker.check("Peramalan Curah Hujan dengan ARIMA")
    assert [other.with_threshold(level).labels for level in (0.5, 0.9)] == [["TIDAK MIRIP"]] * 2
    assert matches.with_threshold(p / 2).labels == ["MIRIP"]


def test_another_study_or_the_same_place_is_not_elsewhere():
    checker = load_checker(FOLDER, ["Peramalan Curah Hujan di Bantul", PLACES[0].lower()])
    found = [row["rf_label"] for row in checker.check(PLACES[0]).rows()]
    assert found == ["MIRIP", "TIDAK MIRIP"]


def test_titles_without_a_word_are_compared_too(model):
    assert np.isfinite(model.score(["", "12", "di"], ["", "di", BASE])).all()


def test_the_command_takes_it_by_name(tmp_path):
    result = judul("check", BASE, "--model", "structured", "--format", "json", "--top", 1)
    assert result.returncode == 0, result.stderr
    assert '"model": "structured"' in result.stdout
    source, target = tmp_path / "pairs.csv", tmp_path / "scored.csv"
    source.write_text(f"judul_a,judul_b\n{BASE},Pengenalan Penyakit Daun Padi dengan CNN\n")
    assert judul("score-pairs", source, target, "--model", "structured").returncode == 0
    assert target.read_text().splitlines()[1].endswith(",MIRIP")


def test_the_command_takes_what_the_leaderboard_put_first(tmp_path):
    result = judul("check", BASE, "--format", "json", "--top", 2)
    assert '"model": "structured"' in result.stdout
    assert all(row["penjelasan"] for row in json.loads(result.stdout)["hasil"])
    models = shutil.copytree(PROJECT / "outputs" / "structured", tmp_path / "m" / "structured").parent
    shutil.copytree(PROJECT / "outputs" / "light", models / "light")
    metadata = models / "structured" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"recommended": true', '"recommended": false'))
    result = judul("check", BASE, "--format", "json", "--models", models)
    assert '"model": "light"' in result.stdout


def test_a_file_of_titles_is_explained_too(tmp_path):
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
