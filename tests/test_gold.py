import pandas as pd
import pytest

from judul_lib.errors import GoldError
from judul_lib.gold import GRADES, read_gold
from tests.conftest import PROJECT

GOLD = PROJECT / "data" / "gold_pairs.csv"


@pytest.fixture(scope="module")
def gold():
    return read_gold(GOLD)


def test_every_base_has_each_kind_once(gold):
    kinds = gold.groupby("base_id")["kind"].agg(sorted)
    assert (kinds.map(tuple) == tuple(sorted(GRADES))).all()
    assert gold.groupby("base_id")["judul_a"].nunique().eq(1).all()


def test_no_title_stands_on_both_sides_of_the_split(gold):
    sides = {
        split: {t.casefold() for t in (*part["judul_a"], *part["judul_b"])}
        for split, part in gold.groupby("split")
    }
    assert not sides["dev"] & sides["test"]


def test_pairs_are_pairs_of_different_texts(gold):
    assert (gold["judul_a"] != gold["judul_b"]).all()
    assert not gold.duplicated(["judul_a", "judul_b"]).any()


def test_grade_2_has_no_label(gold):
    assert gold.loc[gold["grade"] == 2, "label"].isna().all()
    assert set(gold.loc[gold["grade"] >= 3, "label"]) == {1}
    assert set(gold.loc[gold["grade"] <= 1, "label"]) == {0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="kind"), "baris 1: kolom kind"),
        (lambda f: f.assign(kind=["aneh", *f["kind"][1:]]), "baris 2: jenis 'aneh'"),
        (lambda f: f.assign(grade=[0, *f["grade"][1:]]), "baris 2: derajat"),
        (lambda f: f.assign(split=["latih", *f["split"][1:]]), "baris 2: bagian"),
        (lambda f: f.assign(judul_b=["", *f["judul_b"][1:]]), "baris 2: judul kosong"),
        (lambda f: f.assign(id="sama"), "sudah dipakai"),
        (lambda f: f.assign(split=["dev", "test", *f["split"][2:]]), "kedua bagian"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_with_its_line(tmp_path, change, words):
    path = tmp_path / "gold.csv"
    change(pd.read_csv(GOLD, dtype={"base_id": str}).head(14)).to_csv(path, index=False)
    with pytest.raises(GoldError, match=words):
        read_gold(path)
