import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judul_lib.checking import StructuredChecker, load_checker
from judul_lib.errors import ModelError
from judul_lib.gold import read_gold
from judul_lib.leaderboard import best_threshold, retrieval
from judul_lib.record_features import RECORD_FEATURES
from judul_lib.registry import load_structured, read_metadata
from judul_lib.structured import MONOTONE, STRUCTURED_FEATURES
from judul_lib.structured_training import stranger_pairs
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
    assert features[STRUCTURED_FEATURES.index("all_mean")] == pytest.approx(1)


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
    assert all(named[f"{group}_mean"] == pytest.approx(1) for group in ("all", "task", "method"))
    assert named["place_sides"] == 0
    assert np.isfinite(values).all()
    assert len(RECORD_FEATURES) + 3 == len(STRUCTURED_FEATURES)


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


def test_strangers_never_belong_to_the_study():
    gold = read_gold(PROJECT / "data" / "gold_pairs.csv")
    drawn = stranger_pairs(gold)
    own = gold.drop_duplicates("base_id").set_index("base_id")["judul_a"]
    assert (drawn["judul_a"].to_numpy() != own[drawn["base_id"]].to_numpy()).all()


def test_thresholds_and_ranks():
    assert best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9]) == pytest.approx(0.5)
    exact = retrieval(
        lambda a, b: np.array([float(x == y) for x, y in zip(a, b, strict=True)]),
        ["x"], ["x"], ["x", "y"],
    )  # fmt: skip
    assert exact == {"R@1": 1.0, "R@5": 1.0, "MRR": 1.0}
    blind = retrieval(lambda a, _: np.zeros(len(a)), ["x"], ["x"], ["x", "y"])
    assert blind["R@1"] == 0  # A tie counts against the method.


def test_the_command_takes_it_by_name(tmp_path):
    result = judul("check", BASE, "--model", "structured", "--format", "json", "--top", 1)
    assert result.returncode == 0, result.stderr
    assert '"model": "structured"' in result.stdout
    source, target = tmp_path / "pairs.csv", tmp_path / "scored.csv"
    source.write_text(f"judul_a,judul_b\n{BASE},Pengenalan Penyakit Daun Padi dengan CNN\n")
    assert judul("score-pairs", source, target, "--model", "structured").returncode == 0
    assert target.read_text().splitlines()[1].endswith(",MIRIP")
