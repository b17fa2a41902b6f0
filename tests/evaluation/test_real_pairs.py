"""Pairs of real titles as numbers, judged unseen; and what the titles say, where they are."""

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from judul_lib.core.errors import GoldError
from judul_lib.evaluation import real_archives
from judul_lib.evaluation.real_archives import (
    answer_groups,
    by_difference,
    calibrated_answers,
    grade_confusion,
    list_ndcg,
    measure_answers,
    reader_kappa,
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


def some(real, rows):
    """Return some of the pairs."""
    parts = {name: getattr(real, name) for name in vars(real) if name in RealPairs.__annotations__}
    arrays = {name: value[rows] for name, value in parts.items() if isinstance(value, np.ndarray)}
    return RealPairs(**arrays, counts=real.counts)


def table(n=60):
    """Pairs as readers write them down, with features that tell the grade."""
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


def test_what_is_written_is_read(real, tmp_path):
    (tmp_path / "pairs.npz").write_bytes(real.to_bytes())
    again = RealPairs.read(tmp_path / "pairs.npz")
    for name in RealPairs.__annotations__:
        np.testing.assert_equal(getattr(again, name), getattr(real, name))
    assert (tmp_path / "pairs.npz").read_bytes() == REAL_PAIRS_PATH.read_bytes()


def test_readers_rows_become_pairs():
    rows, features = table()
    pairs = real_pairs_from_columns(rows, features, UnitCounts({"padi": 3}, 60))
    assert len(pairs) == 60
    assert pairs.is_drawn.tolist() == [number <= 20_000 for number in rows["id"]]
    assert set(pairs.second_grade.tolist()) == {-1, 0, 4}
    assert (pairs.differs[0], pairs.differs[1]) == ("", "P")
    assert pairs.left[0] == pairs.left[1] == title_hash("PADI  0")
    assert pairs.labels.tolist() == [int(grade >= 3) for grade in rows["grade"]]
    assert pairs.is_faculty.sum() == 15


@pytest.mark.parametrize("content", [None, b"", b"no archive", "cut", "other"])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "real_pairs.npz"
    if content == "other":
        np.savez(path, grade=np.zeros(3))
    elif content is not None:
        path.write_bytes(REAL_PAIRS_PATH.read_bytes()[:50_000] if content == "cut" else content)
    with pytest.raises(GoldError, match="repositori"):
        RealPairs.read(path)


def test_a_file_for_other_features_is_refused(tmp_path, monkeypatch):
    rows, features = table()
    content = real_pairs_from_columns(rows, features, UnitCounts()).to_bytes()
    (tmp_path / "p.npz").write_bytes(content)
    monkeypatch.setattr("judul_lib.structured.real_pairs.STRUCTURED_FEATURES", STRUCTURED_FEATURES[::-1])
    with pytest.raises(GoldError, match="fitur lain"):
        RealPairs.read(tmp_path / "p.npz")


def test_no_title_is_among_the_pairs(real):
    assert all(re.fullmatch("[0-9a-f]{16}", title) for title in (*real.left, *real.right))
    lexicon = Lexicon.read()
    phrases = {name for name in real.counts.counts if " " in name}
    assert phrases <= {canonical for canonical, _ in lexicon.variants.values()} | lexicon.places


def test_every_pair_is_judged_once(real):
    judged = np.sum([own for own, _ in real.folds()], axis=0)
    assert judged.tolist() == [1] * len(real)


def test_no_fold_learns_from_what_it_judges(real):
    for judged, seen in real.folds():
        assert not (judged & seen).any()
        sources = {name for source in real.source[judged] for name in source.split("+")[:1]}
        if sources == {FACULTY}:
            titles = {*real.left[judged], *real.right[judged]}
            assert not titles & {*real.left[seen], *real.right[seen]}
        elif sources:
            (campus,) = sources
            assert not any(campus in source.split("+") for source in real.source[seen])
        assert seen.sum() > len(real) / 3


def test_unseen_scores_come_from_other_pairs(real, monkeypatch):
    """A model that knows by heart what it learnt would betray itself."""
    rows, features = table()
    pairs = real_pairs_from_columns(rows, features, UnitCounts({"padi": 3}, 60))
    learnt = []

    class Knowing:
        def __init__(self, data):
            self.known = {row.tobytes() for row in data.features}
            self.same = self.asked = self.related = self
            learnt.append(self)

        def log_odds(self, rows):
            return np.array([float(row.tobytes() in self.known) for row in rows])

    monkeypatch.setattr(
        structured_training, "fit_structured", lambda model, data, **settings: Knowing(data)
    )
    none = TrainingSet(np.empty((0, features.shape[1])), *(np.empty(0) for _ in range(3)))
    assert not out_of_fold_log_odds(None, pairs, none).any()
    assert len(learnt) > 2


def test_rare_words_that_nobody_knows_are_not_published():
    counts = UnitCounts({"siti": 2, "padi": 1, "harga": 3}, 9)
    assert published_counts(counts, ["padi"]).counts == {"padi": 1, "harga": 3}


def test_grades_teach_three_questions(real):
    data = real_set(real)
    assert (data.same <= data.asked).all()
    assert (data.asked <= data.related).all()
    assert data.related.sum() - data.asked.sum() == (real.grade == 1).sum()
    assert data.asked.sum() - data.same.sum() == (real.grade == 2).sum()


def answers(n=120):
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
    names = np.select([grade >= 3, grade == 2], ["MIRIP", "TANYAKAN"], "TIDAK MIRIP")
    return frame.assign(label=names)


def test_perfect_answers_are_perfect_and_wrong_ones_are_counted_as_by_hand():
    told = answers()
    assert (measure_answers(told, n_resamples=20).to_numpy() == 1).all()
    assert (reader_kappa(told) == 1).to_numpy().all()
    wrong = told.copy()
    hit = wrong.index[wrong["grade"] == 0][:5]
    wrong.loc[hit, ["label", "probability"]] = ["MIRIP", 0.95]  # Above all that are the same.
    found = measure_answers(wrong, n_resamples=50)
    same = (told["grade"] >= 3).sum()
    assert found.loc["presisi, MIRIP", "estimate"] == pytest.approx(same / (same + 5))
    assert found.loc["recall, MIRIP", "estimate"] == 1
    assert found.loc["presisi rata-rata, MIRIP", "estimate"] == pytest.approx(same / (same + 5))
    assert (found["low"] <= found["estimate"]).all()
    assert (found["estimate"] <= found["high"]).all()
    confused = grade_confusion(wrong)
    assert (confused.loc[0, "MIRIP"], confused.loc[4, "MIRIP"]) == (5, (told["grade"] == 4).sum())
    assert confused.to_numpy().sum() == len(told)


def test_titles_and_not_pairs_are_drawn_anew():
    one = answers().assign(title="x")
    wide = measure_answers(one.assign(probability=0.6, label="MIRIP"), n_resamples=20)
    assert (wide["low"] == wide["high"]).all()  # One title: nothing to draw.


def test_groups_are_the_faculty_the_campuses_and_those_graded_twice():
    told = answers()
    parts = answer_groups(told)
    assert len(parts["satu fakultas"]) + len(parts["kampus lain"]) == len(told)
    assert (parts["dinilai dua kali"]["second_grade"] >= 0).all()
    sure = parts["kampus lain, tanpa ragu"]
    assert not sure["doubted"].any()
    assert len(sure) == (~told["faculty"] & ~told["doubted"]).sum()


def test_a_list_is_worth_as_much_as_its_order():
    told = pd.DataFrame(
        {"title": "a", "other": list("bcdefg"), "grade": [0, 0, 1, 2, 3, 4],
         "relatedness": [0.1, 0.2, 0.9, 1.5, 2.4, 2.8], "probability": [0.5] * 6}
    )  # fmt: skip
    assert list_ndcg(told).to_dict() == {"a": 1}
    turned = told.assign(relatedness=-told["relatedness"])
    assert 0 < list_ndcg(turned)["a"] < list_ndcg(told, "probability")["a"] < 1
    assert list_ndcg(told.head(5)).empty
    assert list_ndcg(told.assign(grade=0)).empty


def test_grades_by_hash_find_their_titles_again():
    grades = pd.DataFrame({"left": [title_hash("Padi")], "right": ["0" * 16], "grade": [1]})
    with pytest.raises(GoldError, match="0000"):
        attach_titles(grades, ["Padi", "Jagung"])


def test_the_grades_of_the_project_tell_no_title():
    grades = pd.read_csv(REAL_PAIRS_PATH.with_name(REAL_GRADES_FILE))
    assert grades.columns.tolist() == [
        "id", "sumber", "left", "right", "grade", "diff", "doubt", "grade2"
    ]  # fmt: skip
    assert pd.concat([grades["left"], grades["right"]]).str.fullmatch("[0-9a-f]{16}").all()
    assert grades["diff"].str.fullmatch("-|X|[tTmMoOpP]+").all()
    assert len(grades) > 2000
    assert grades["grade2"].notna().mean() > 0.3


def test_recall_is_told_by_what_differs():
    told = answers()
    told.loc[(told["differs"] == "m") & (told["grade"] >= 3), "label"] = "TIDAK MIRIP"
    found = by_difference(told)
    assert found.loc["metode di satu judul", "sama, recall"] == 0
    assert found.loc["tidak ada", "sama, recall"] == 1
    both = told["differs"].eq("MO") & told["grade"].between(1, 1)
    assert found.loc["metode di kedua judul", "lain"] == both.sum()
    assert np.isnan(found.loc["tugas di satu judul", "lain, recall"])


def test_answers_are_calibrated_on_others_and_only_drawn_pairs_are_judged():
    rows, features = table()
    pairs = real_pairs_from_columns(rows, features, UnitCounts())
    rng = np.random.default_rng(0)
    truth = np.column_stack([pairs.labels, pairs.grade >= 2, pairs.grade >= 1])
    odds = truth * 2.0 - 1 + rng.normal(size=(60, 3))
    told = calibrated_answers(pairs, odds)
    assert len(told) == pairs.is_drawn.sum()
    assert told["probability"].between(0, 1).all()
    assert told["title"].tolist() == pairs.left[pairs.is_drawn].tolist()
    # What a fold is calibrated on is not what it judges.
    turned = odds.copy()
    judged, _ = next(iter(pairs.folds()))
    turned[judged] += 100
    own = judged[pairs.is_drawn]
    assert np.allclose(calibrated_answers(pairs, turned)["probability"][own], 1)


def test_the_package_judges_unseen_pairs_in_one_go(monkeypatch):
    rows, features = table()
    pairs = real_pairs_from_columns(rows, features, UnitCounts({"padi": 3}, 60))
    gold = pd.DataFrame(
        [("1", kind, grade, "Harga Padi di Solo", other) for kind, grade, other in (
            ("permukaan", 4, "HARGA PADI DI SOLO"), ("parafrase", 3, "Nilai Padi di Solo"),
            ("sulit_negatif_objek", 1, "Harga Kopi di Solo"))],
        columns=["base_id", "kind", "grade", "judul_a", "judul_b"],
    )  # fmt: skip
    told, odds = real_archives.out_of_fold_answers(gold, pairs)
    assert (len(told), odds.shape) == (pairs.is_drawn.sum(), (60, 3))
    assert np.isfinite(odds).all()


def test_cause_and_effect_in_each_others_place_are_learnt_as_another_study():
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
def test_the_numbers_are_what_is_read_from_the_titles(real):
    own = attach_titles(pd.read_csv(REAL_PAIRS_PATH.with_name(REAL_GRADES_FILE)), titles())
    pairs = pd.concat([pd.read_csv(SHARED / "pasangan_nyata.csv"), own], ignore_index=True)
    assert real.left.tolist() == [title_hash(title) for title in pairs["judul_a"]]
    rows = np.random.default_rng(0).choice(len(pairs), 400, replace=False)
    sample = pairs.iloc[rows]
    read = unfitted_model(real.counts).pair_features(
        sample["judul_a"].tolist(), sample["judul_b"].tolist()
    )
    np.testing.assert_allclose(read, real.features[rows], atol=2e-7)
    again = real_pairs_from_columns(sample.to_dict("list"), read, real.counts)
    for name in ("grade", "second_grade", "is_drawn", "is_doubted", "differs", "source"):
        assert getattr(again, name).tolist() == getattr(some(real, rows), name).tolist()


@NO_TITLES
def test_how_often_terms_occur_is_counted_from_the_titles(real):
    model = unfitted_model(UnitCounts())
    known = {canonical for canonical, _ in model.parser.lexicon.variants.values()}
    counted = published_counts(
        UnitCounts.fit(titles(), model.parser), known | model.parser.lexicon.places
    )
    assert counted == real.counts


@NO_TITLES
def test_nothing_is_told_as_shared_that_one_title_lacks(real):
    """Neighbours and strangers: what is told as shared is matched on both sides."""
    rng = np.random.default_rng(0)
    pairs = pd.read_csv(SHARED / "pasangan_nyata.csv").sample(2500, random_state=0)
    left = [*pairs["judul_a"], *rng.choice(titles(), 1500)]
    right = [*pairs["judul_b"], *rng.choice(titles(), 1500)]
    model = unfitted_model(real.counts)
    told = 0
    for start in range(0, len(left), 250):
        one, other = (model.records(side[start : start + 250]) for side in (left, right))
        rows = np.arange(len(one))
        relations = Relations.between(one.units, other.units)
        for row, fields in enumerate(compare_rows(one, other, rows, rows, relations)):
            units = [{unit.name: unit for unit in side.parse(row)} for side in (one, other)]
            for name in (name for field in fields for name in field.shared):
                told += 1
                assert has_counterpart(name, *units), (left[start + row], right[start + row], name)
    assert told > 5000


def has_counterpart(name, left, right):
    """Tell whether both titles say it: the same, a typing error of it, its initials, or its letters."""
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
    told = Lexicon.read().relations
    if any(told.get(own[name].name, {}).get(unit.name) == SAME for unit in others.values()):
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
