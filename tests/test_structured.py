import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judul_lib.checkers import load_checker
from judul_lib.errors import ModelError
from judul_lib.gold import read_gold
from judul_lib.registry import load_structured, read_metadata
from judul_lib.structured import COPIED_FEATURES, MONOTONE, PARTS, STRUCTURED_FEATURES
from judul_lib.structured_checking import StructuredChecker
from judul_lib.structured_pairs import stranger_pairs
from judul_lib.structured_training import train_structured
from tests.conftest import PROJECT, judul

FOLDER = PROJECT / "outputs" / "structured"
BASE = "Klasifikasi Penyakit Daun Padi Menggunakan Convolutional Neural Network (CNN)"
words = st.lists(
    st.sampled_from("padi jagung cnn lstm siswa sma medan harga prediksi xyzzy".split()), max_size=8
).map(" ".join)


@pytest.fixture(scope="module")
def model():
    return load_structured(FOLDER)[0]


def test_same_study_in_other_words_beats_the_same_template(model):
    rewordings = [
        "PENERAPAN CNN UNTUK MENGENALI PENYAKIT PADA DAUN TANAMAN PADI",
        "Rice Leaf Disease Classification Using Convolutional Neural Network",
        "klasifikasi penyakit daun padi menggunakan convolutionl neural netwok",
    ]
    others = [
        "Klasifikasi Motif Kain Batik Menggunakan Convolutional Neural Network (CNN)",
        "Peramalan Produksi Padi Menggunakan Metode ARIMA",
        "Pengaruh Motivasi terhadap Kinerja Karyawan",
    ]
    scores = model.score([BASE] * 6, rewordings + others)
    assert scores[:3].min() > 0.5 > scores[3:].max()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=6))
def test_scores_are_bounded_symmetric_and_do_not_depend_on_the_batch(model, pairs):
    left, right = (list(side) for side in zip(*pairs, strict=True))
    forward, backward = model.score(left, right), model.score(right, left)
    assert ((forward >= 0) & (forward <= 1)).all()
    np.testing.assert_allclose(forward, backward, atol=1e-9)
    single = [model.score([a], [b])[0] for a, b in pairs]
    np.testing.assert_allclose(forward, single, atol=1e-9)


def test_an_abbreviation_meets_its_long_form_without_the_lexicon(model):
    both = model.prepare(["Penyeimbangan dengan PQZ", "Penyeimbangan dengan Per Quux Zyx"])
    features = model.features(both, both, np.array([0]), np.array([1]))[0]
    assert features[STRUCTURED_FEATURES.index("all_min")] == pytest.approx(1)


def test_more_likeness_of_a_field_never_lowers_the_answer(model):
    rng = np.random.default_rng(0)
    rows = rng.random((300, len(STRUCTURED_FEATURES)))
    for column in np.flatnonzero(MONOTONE):
        raised = rows.copy()
        raised[:, column] = rows[:, column] + rng.random(300) * (1 - rows[:, column])
        change = model.probability(raised) - model.probability(rows)
        assert (MONOTONE[column] * change >= -1e-12).all()


def test_features_have_their_names(model):
    both = model.prepare([BASE, ""])
    values = model.features(both, both, np.array([0, 0]), np.array([0, 1]))
    assert values.shape == (2, len(STRUCTURED_FEATURES))
    named = dict(zip(STRUCTURED_FEATURES, values[0], strict=True))
    assert all(named[f"{group}_min"] == pytest.approx(1) for group in ("all", "task", "method"))
    assert named["place_neither"] == 1
    assert not any(named[name] for name in COPIED_FEATURES)
    assert np.isfinite(values).all()


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
    assert (model.score([a] * 2, others) < model.score([a], [a.upper()])).all()


def test_the_parts_of_an_answer_add_up(model):
    features = model.pair_features([BASE, BASE], ["Peramalan Padi dengan ARIMA", BASE])
    parts = sum(model.contributions(features).values())
    np.testing.assert_allclose(parts + model.intercept, model.log_odds(features))
    assert sorted(k for columns in PARTS.values() for k in columns) == list(
        range(len(STRUCTURED_FEATURES))
    )


def test_every_weight_has_the_sign_of_its_feature(model):
    assert (np.asarray(MONOTONE) * model.coefficients >= 0).all()


def test_training_is_deterministic_and_sees_only_what_it_is_given(model):
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv")
    some = gold[(gold["split"] == "dev") & (gold["base_id"].astype(int) <= 30)]
    first, second = train_structured(some), train_structured(some)
    assert first.to_bytes() == second.to_bytes()
    assert first.weights.n_titles == len({*some["judul_a"], *some["judul_b"]})


def test_the_committed_model_learnt_from_the_development_part_only(model):
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv")
    development = gold[gold["split"] == "dev"]
    assert model.weights.n_titles == len({*development["judul_a"], *development["judul_b"]})


def test_a_saved_model_answers_the_same(model):
    again = type(model).from_bytes(model.to_bytes())
    np.testing.assert_array_equal(again.score([BASE], ["CNN padi"]), model.score([BASE], ["CNN padi"]))


def test_the_folder_is_small_and_its_hashes_hold(tmp_path):
    import shutil

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
    expected = model.score(["Pengenalan Penyakit Daun Padi dengan CNN"] * 3, matches.titles)
    np.testing.assert_allclose(matches.probability, expected)
    assert (np.diff(matches.probability) <= 0).all()
    assert matches.titles[0] == BASE


def test_strangers_never_belong_to_the_study(model):
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv")
    some = gold[gold["base_id"].astype(int) <= 12]
    drawn = stranger_pairs(some, model)
    own = {base: {*g["judul_a"], *g["judul_b"]} for base, g in some.groupby("base_id")}
    assert len(drawn) > 100
    assert not [row for row in drawn.itertuples() if row.judul_a in own[row.base_id]]


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
    p, elsewhere = float(matches.probability[0]), float(matches.without_place[0])
    assert p < 0.7 < 0.98 < elsewhere
    assert matches.labels == ["TANYAKAN"]
    assert matches.at(0.98).labels == ["TIDAK MIRIP"]
    sides = ([title] for title in PLACES)
    with_place = model.pair_features(*sides)
    without = model.pair_features(*([title] for title in PLACES), with_place=False)
    assert model.elsewhere(with_place, without).tolist() == [True]
    assert model.elsewhere(with_place, without, threshold=0.98).tolist() == [False]


def test_another_study_or_the_same_place_is_not_elsewhere():
    checker = load_checker(FOLDER, ["Peramalan Curah Hujan di Bantul", PLACES[0].lower()])
    labels = [row["rf_label"] for row in checker.check(PLACES[0]).rows()]
    assert labels == ["MIRIP", "TIDAK MIRIP"]


def test_the_command_takes_it_by_name(tmp_path):
    result = judul("check", BASE, "--model", "structured", "--format", "json", "--top", 1)
    assert result.returncode == 0, result.stderr
    assert '"model": "structured"' in result.stdout
    source, target = tmp_path / "pairs.csv", tmp_path / "scored.csv"
    source.write_text(f"judul_a,judul_b\n{BASE},Pengenalan Penyakit Daun Padi dengan CNN\n")
    assert judul("score-pairs", source, target, "--model", "structured").returncode == 0
    assert target.read_text().splitlines()[1].endswith(",MIRIP")


def test_the_command_takes_what_the_leaderboard_put_first(tmp_path):
    import json
    import shutil

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


def test_two_known_letters_abbreviate_nothing_else(model):
    assets = (
        "Pengembangan Sistem Informasi Manajemen Aset Berbasis Web Studi Kasus PT. X di Kota Bandung"
    )
    tourism = "Perancangan Sistem Informasi Pariwisata Kota Tomohon Berbasis Web"
    assert model.score([assets], [tourism])[0] < 0.1
