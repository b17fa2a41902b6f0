"""Stored features of real pairs, out-of-fold answers, and checks against the titles where available."""

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from judul_lib.core.errors import GoldError
from judul_lib.evaluation.real_archives import (
    answer_groups,
    calibrated_answers,
    grade_confusion,
    list_ndcg,
    measure_answers,
    out_of_fold_answers,
    reader_kappa,
    recall_by_difference,
)
from judul_lib.structured.explanation import compare_rows
from judul_lib.structured.lexicon import SAME, Lexicon
from judul_lib.structured.model import STRUCTURED_FEATURES
from judul_lib.structured.real_pairs import (
    FACULTY,
    REAL_GRADES_FILE,
    RealPairs,
    attach_titles,
    published_counts,
    real_pairs_from_columns,
    title_hash,
)
from judul_lib.structured.records import UnitCounts
from judul_lib.structured.relations import Relations
from judul_lib.training import structured as structured_training
from judul_lib.training.pairs import TrainingSet, real_set, swapped_pairs, training_set
from judul_lib.training.structured import REAL_PAIRS_PATH, out_of_fold_log_odds, unfitted_model
from tests.conftest import PROJECT

ORIGINAL = os.environ.get("JUDUL_ORIGINAL_DATA")
SHARED = Path(ORIGINAL).parent if ORIGINAL else PROJECT.parent / "shared" / "data"
NO_TITLES = pytest.mark.skipif(not SHARED.is_dir(), reason="the real titles are not here")


@pytest.fixture(scope="module")
def real():
    return RealPairs.read(REAL_PAIRS_PATH)


def graded_columns(n=60):
    """Return the columns of graded pairs, and features of which one is the grade."""
    rng = np.random.default_rng(0)
    sources = [FACULTY, "a", "b", "a+b"]
    rows = {
        "id": [20_000 + k if k % 5 == 0 else k for k in range(1, n + 1)],
        "sumber": [sources[k % 4] for k in range(n)],
        "judul_a": [f"Padi {k // 3}" for k in range(n)],
        "judul_b": [f"Jagung {k}" for k in range(n)],
        "grade": [4 if k % 3 == 0 else (2 if k % 3 == 1 else 0) for k in range(n)],
        "grade2": [float("nan") if k % 4 else float(4 * (k % 3 == 0)) for k in range(n)],
        "diff": [float("nan"), "P", "X"] * (n // 3),
        "doubt": [int(k % 7 == 0) for k in range(n)],
    }
    features = np.round(rng.random((n, len(STRUCTURED_FEATURES))), 7)
    features[:, STRUCTURED_FEATURES.index("text_share_both_less")] = np.array(rows["grade"]) / 4
    return rows, features


def test_pairs_are_restored_from_their_file(real, tmp_path):
    (tmp_path / "pairs.npz").write_bytes(real.to_bytes())
    restored = RealPairs.read(tmp_path / "pairs.npz")
    for name in RealPairs.__annotations__:
        np.testing.assert_equal(getattr(restored, name), getattr(real, name))
    assert (tmp_path / "pairs.npz").read_bytes() == REAL_PAIRS_PATH.read_bytes()


@pytest.fixture
def graded():
    columns, features = graded_columns()
    return real_pairs_from_columns(columns, features, UnitCounts({"padi": 3}, 60))


def test_graded_columns_become_pairs(graded):
    columns, _ = graded_columns()
    assert len(graded) == 60
    assert graded.is_drawn.tolist() == [number <= 20_000 for number in columns["id"]]
    assert set(graded.second_grade.tolist()) == {-1, 0, 4}
    assert (graded.differs[0], graded.differs[1]) == ("", "P")
    assert graded.left[0] == graded.left[1] == title_hash("PADI  0")
    assert graded.labels.tolist() == [int(grade >= 3) for grade in columns["grade"]]
    assert graded.is_faculty.sum() == 15


@pytest.mark.parametrize("content", [None, b"", b"no archive", "cut", "other"])
def test_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "real_pairs.npz"
    if content == "other":
        np.savez(path, grade=np.zeros(3))
    elif content is not None:
        path.write_bytes(REAL_PAIRS_PATH.read_bytes()[:50_000] if content == "cut" else content)
    with pytest.raises(GoldError, match="repositori"):
        RealPairs.read(path)


def test_file_with_other_features_is_refused(graded, tmp_path, monkeypatch):
    (tmp_path / "p.npz").write_bytes(graded.to_bytes())
    monkeypatch.setattr("judul_lib.structured.real_pairs.STRUCTURED_FEATURES", STRUCTURED_FEATURES[::-1])
    with pytest.raises(GoldError, match="fitur lain"):
        RealPairs.read(tmp_path / "p.npz")


def test_real_pairs_contain_no_title(real):
    assert all(re.fullmatch("[0-9a-f]{16}", title) for title in (*real.left, *real.right))
    lexicon = Lexicon.read()
    phrases = {name for name in real.counts.counts if " " in name}
    assert phrases <= {canonical for canonical, _ in lexicon.variants.values()} | lexicon.places


def test_each_pair_is_in_one_test_fold(real):
    counts = np.sum([test for test, _ in real.folds()], axis=0)
    assert counts.tolist() == [1] * len(real)


def test_folds_share_no_campus_and_no_faculty_title(real):
    for test, train in real.folds():
        assert not (test & train).any()
        sources = {source.split("+")[0] for source in real.source[test]}
        if sources == {FACULTY}:
            test_titles = {*real.left[test], *real.right[test]}
            assert not test_titles & {*real.left[train], *real.right[train]}
        elif sources:
            (campus,) = sources
            assert not any(campus in source.split("+") for source in real.source[train])
        assert train.sum() > len(real) / 3


def test_out_of_fold_log_odds_come_from_models_trained_on_other_pairs(graded, monkeypatch):
    fitted = []

    class MemorizingModel:
        """Returns 1 for the pairs that it was trained on."""

        def __init__(self, data):
            self.rows = {row.tobytes() for row in data.features}
            self.same = self.asked = self.related = self
            fitted.append(self)

        def log_odds(self, rows):
            return np.array([float(row.tobytes() in self.rows) for row in rows])

    monkeypatch.setattr(
        structured_training, "fit_structured", lambda model, data, **settings: MemorizingModel(data)
    )
    no_gold = TrainingSet(np.empty((0, graded.features.shape[1])), *(np.empty(0) for _ in range(3)))
    assert not out_of_fold_log_odds(None, graded, no_gold).any()
    assert len(fitted) > 2


def test_published_counts_leave_out_rare_unknown_words():
    counts = UnitCounts({"siti": 2, "padi": 1, "harga": 3}, 9)
    assert published_counts(counts, ["padi"]).counts == {"padi": 1, "harga": 3}


def test_grades_give_nested_labels_for_three_questions(real):
    data = real_set(real)
    assert (data.same <= data.asked).all()
    assert (data.asked <= data.related).all()
    assert data.related.sum() - data.asked.sum() == (real.grade == 1).sum()
    assert data.asked.sum() - data.same.sum() == (real.grade == 2).sum()


def perfect_answers(n=120):
    rng = np.random.default_rng(1)
    grade = rng.integers(0, 5, n)
    frame = pd.DataFrame(
        {
            "grade": grade, "second_grade": np.where(rng.random(n) < 0.5, grade, -1),
            "differs": rng.choice(["-", "m", "MO", "P", "X", ""], n),
            "title": rng.integers(0, n // 2, n).astype(str), "faculty": rng.random(n) < 0.5,
            "other": rng.integers(n, 2 * n, n).astype(str), "doubted": rng.random(n) < 0.2,
            "relatedness": grade + rng.random(n) / 2,
            "probability": np.where(grade >= 3, 0.9, 0.1), "asked": np.where(grade >= 2, 0.8, 0.2),
        }
    )  # fmt: skip
    labels = np.select([grade >= 3, grade == 2], ["MIRIP", "TANYAKAN"], "TIDAK MIRIP")
    return frame.assign(label=labels)


def test_measures_match_plain_counts():
    perfect = perfect_answers()
    assert (measure_answers(perfect, n_resamples=20).to_numpy() == 1).all()
    assert (reader_kappa(perfect) == 1).to_numpy().all()
    wrong = perfect.copy()
    errors = wrong.index[wrong["grade"] == 0][:5]
    wrong.loc[errors, ["label", "probability"]] = ["MIRIP", 0.95]  # Above all pairs of one study.
    measures = measure_answers(wrong, n_resamples=50)
    n_same = (perfect["grade"] >= 3).sum()
    assert measures.loc["presisi, MIRIP", "estimate"] == pytest.approx(n_same / (n_same + 5))
    assert measures.loc["recall, MIRIP", "estimate"] == 1
    assert measures.loc["presisi rata-rata, MIRIP", "estimate"] == pytest.approx(n_same / (n_same + 5))
    assert (measures["low"] <= measures["estimate"]).all()
    assert (measures["estimate"] <= measures["high"]).all()
    confusion = grade_confusion(wrong)
    assert confusion["MIRIP"][[0, 4]].tolist() == [5, (perfect["grade"] == 4).sum()]
    assert confusion.to_numpy().sum() == len(perfect)


def test_bootstrap_resamples_titles_rather_than_pairs():
    one_title = perfect_answers().assign(title="x", probability=0.6, label="MIRIP")
    measures = measure_answers(one_title, n_resamples=20)
    assert (measures["low"] == measures["high"]).all()


def test_answer_groups_split_by_source_doubt_and_second_grade():
    answers = perfect_answers()
    groups = answer_groups(answers)
    assert len(groups["satu fakultas"]) + len(groups["kampus lain"]) == len(answers)
    assert (groups["dinilai dua kali"]["second_grade"] >= 0).all()
    undoubted = groups["kampus lain, tanpa ragu"]
    assert not undoubted["doubted"].any()
    assert len(undoubted) == (~answers["faculty"] & ~answers["doubted"]).sum()


def test_ndcg_measures_the_order_of_a_list():
    ordered = pd.DataFrame(
        {"title": "a", "other": list("bcdefg"), "grade": [0, 0, 1, 2, 3, 4],
         "relatedness": [0.1, 0.2, 0.9, 1.5, 2.4, 2.8], "probability": [0.5] * 6}
    )  # fmt: skip
    assert list_ndcg(ordered).to_dict() == {"a": 1}
    reversed_list = ordered.assign(relatedness=-ordered["relatedness"])
    assert 0 < list_ndcg(reversed_list)["a"] < list_ndcg(ordered, "probability")["a"] < 1
    assert list_ndcg(ordered.head(5)).empty
    assert list_ndcg(ordered.assign(grade=0)).empty


def test_unknown_title_hash_is_refused():
    grades = pd.DataFrame({"left": [title_hash("Padi")], "right": ["0" * 16], "grade": [1]})
    with pytest.raises(GoldError, match="0000"):
        attach_titles(grades, ["Padi", "Jagung"])


def test_grades_of_the_project_contain_no_title():
    grades = pd.read_csv(REAL_PAIRS_PATH.with_name(REAL_GRADES_FILE))
    assert grades.columns.tolist() == [
        "id", "sumber", "left", "right", "grade", "diff", "doubt", "grade2"
    ]  # fmt: skip
    assert pd.concat([grades["left"], grades["right"]]).str.fullmatch("[0-9a-f]{16}").all()
    assert grades["diff"].str.fullmatch("-|X|[tTmMoOpP]+").all()
    assert len(grades) > 2000
    assert grades["grade2"].notna().mean() > 0.3


def test_recall_by_difference():
    answers = perfect_answers()
    answers.loc[(answers["differs"] == "m") & (answers["grade"] >= 3), "label"] = "TIDAK MIRIP"
    recalls = recall_by_difference(answers)
    assert recalls.loc["metode di satu judul", "sama, recall"] == 0
    assert recalls.loc["tidak ada", "sama, recall"] == 1
    n_other = (answers["differs"].eq("MO") & answers["grade"].eq(1)).sum()
    assert recalls.loc["metode di kedua judul", "lain"] == n_other
    assert np.isnan(recalls.loc["tugas di satu judul", "lain, recall"])


def test_folds_are_calibrated_on_the_others_and_only_drawn_pairs_are_answered(graded):
    truth = np.column_stack([graded.labels, graded.grade >= 2, graded.grade >= 1])
    log_odds = truth * 2.0 - 1 + np.random.default_rng(0).normal(size=(60, 3))
    answers = calibrated_answers(graded, log_odds)
    assert len(answers) == graded.is_drawn.sum()
    assert answers["probability"].between(0, 1).all()
    assert answers["title"].tolist() == graded.left[graded.is_drawn].tolist()
    test, _ = next(iter(graded.folds()))
    log_odds[test] += 100  # Would change the calibration of this fold if it were used there.
    assert np.allclose(calibrated_answers(graded, log_odds)["probability"][test[graded.is_drawn]], 1)


@pytest.mark.slow
def test_out_of_fold_answers_are_finite_for_drawn_pairs(graded):
    gold = pd.DataFrame(
        [("1", kind, grade, "Harga Padi di Solo", other) for kind, grade, other in (
            ("permukaan", 4, "HARGA PADI DI SOLO"), ("parafrase", 3, "Nilai Padi di Solo"),
            ("sulit_negatif_objek", 1, "Harga Kopi di Solo"))],
        columns=["base_id", "kind", "grade", "judul_a", "judul_b"],
    )  # fmt: skip
    answers, log_odds = out_of_fold_answers(gold, graded)
    assert (len(answers), log_odds.shape) == (graded.is_drawn.sum(), (60, 3))
    assert np.isfinite(log_odds).all()


def test_swapped_cause_and_effect_are_a_different_study():
    gold = pd.DataFrame(
        {
            "base_id": ["1"], "kind": ["permukaan"], "grade": [4],
            "judul_a": ["Pengaruh Stres terhadap Tidur di Solo"],
            "judul_b": ["PENGARUH STRES TERHADAP TIDUR DI SOLO"],
        }
    )  # fmt: skip
    swapped = swapped_pairs(gold)
    assert swapped["judul_b"].tolist() == [
        "Pengaruh Tidur terhadap Stres di Solo", "PENGARUH TIDUR TERHADAP STRES DI SOLO",
    ]  # fmt: skip
    data = training_set(gold, unfitted_model(UnitCounts()))
    swaps = data.features[:, STRUCTURED_FEATURES.index("text_roles_swapped")] > 0
    assert data.grades[swaps].tolist() == [1, 1]


@cache
def titles():
    archives = [pd.read_csv(SHARED / name)["Judul"] for name in ("judul_nyata.csv", "judul_kampus.csv")]
    return pd.concat(archives).astype(str).tolist()


@NO_TITLES
@pytest.mark.slow
def test_stored_features_match_the_titles(real):
    project_pairs = attach_titles(pd.read_csv(REAL_PAIRS_PATH.with_name(REAL_GRADES_FILE)), titles())
    shared_pairs = pd.read_csv(SHARED / "pasangan_nyata.csv")
    pairs = pd.concat([shared_pairs, project_pairs], ignore_index=True)
    assert real.left.tolist() == [title_hash(title) for title in pairs["judul_a"]]
    rows = np.random.default_rng(0).choice(len(pairs), 400, replace=False)
    sample = pairs.iloc[rows]
    sides = (sample[side].tolist() for side in ("judul_a", "judul_b"))
    features = unfitted_model(real.counts).pair_features(*sides)
    np.testing.assert_allclose(features, real.features[rows], atol=2e-7)
    rebuilt = real_pairs_from_columns(sample.to_dict("list"), features, real.counts)
    for name in ("grade", "second_grade", "is_drawn", "is_doubted", "differs", "source"):
        assert getattr(rebuilt, name).tolist() == getattr(real, name)[rows].tolist()


@NO_TITLES
@pytest.mark.slow
def test_stored_counts_match_the_titles(real):
    model = unfitted_model(UnitCounts())
    lexicon = model.parser.lexicon
    terms = {canonical for canonical, _ in lexicon.variants.values()} | lexicon.places
    assert published_counts(UnitCounts.fit(titles(), model.parser), terms) == real.counts


@NO_TITLES
@pytest.mark.slow
def test_shared_units_have_a_counterpart_in_the_other_title(real):
    """Check graded and random pairs."""
    rng = np.random.default_rng(0)
    pairs = pd.read_csv(SHARED / "pasangan_nyata.csv").sample(2500, random_state=0)
    left = [*pairs["judul_a"], *rng.choice(titles(), 1500)]
    right = [*pairs["judul_b"], *rng.choice(titles(), 1500)]
    model = unfitted_model(real.counts)
    n_shared = 0
    for start in range(0, len(left), 250):
        one, other = (model.records(side[start : start + 250]) for side in (left, right))
        rows = np.arange(len(one))
        relations = Relations.between(one.units, other.units)
        for row, fields in enumerate(compare_rows(one, other, rows, rows, relations)):
            units = [{unit.name: unit for unit in side.parse(row)} for side in (one, other)]
            for name in (name for field in fields for name in field.shared):
                n_shared += 1
                assert has_counterpart(name, *units), (left[start + row], right[start + row], name)
    assert n_shared > 5000


def has_counterpart(name, left, right):
    """Return whether both titles contain a unit, also as a typing error, initials or joined letters."""
    if name in left and name in right:
        return True
    own, others = (left, right) if name in left else (right, left)
    text = own[name].text
    mine = {text, name}
    words = [word for unit in others.values() for word in unit.text.split()]
    if mine & {word for unit in others.values() for word in (unit.text, unit.name)}:
        return True
    joined, initials = "".join(words), "".join(word[0] for word in words)
    all_own = [word for unit in own.values() for word in unit.text.split()]
    own_joined, own_initials = "".join(all_own), "".join(word[0] for word in all_own)
    if text.replace(" ", "") in joined or text.replace(" ", "") in initials:
        return True
    relations = Lexicon.read().relations.get(own[name].name, {})
    if any(relations.get(unit.name) == SAME for unit in others.values()):
        return True
    for unit in others.values():
        letters = unit.text.replace(" ", "")
        if letters in own_joined or letters in own_initials:
            return True
        if edits(name, unit.name) <= 2 and name[0] == unit.name[0]:
            return True
    return False


def edits(one, other):
    from rapidfuzz.distance import OSA

    return OSA.distance(one, other)
