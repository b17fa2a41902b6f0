import csv
import re
import runpy

import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from judul_lib.core.errors import GoldError
from judul_lib.structured.gold import (
    GRADE_BY_KIND,
    SINGLE_CHANGE_GRADE_BY_KIND,
    SPLITS,
    grade_agreement,
    read_gold,
    read_second_grades,
)
from tests.conftest import PROJECT

GOLD = PROJECT / "data" / "gold_pairs.csv"


@pytest.fixture(scope="module")
def gold():
    return read_gold(GOLD)


def test_each_base_has_each_kind_once(gold):
    kinds = gold.groupby("base_id")["kind"].agg(sorted)
    assert (kinds.map(tuple) == tuple(sorted(GRADE_BY_KIND))).all()
    assert gold.groupby("base_id")["judul_a"].nunique().eq(1).all()


def test_pairs_are_pairs_of_different_texts(gold):
    assert (gold["judul_a"] != gold["judul_b"]).all()
    assert not gold.duplicated(["judul_a", "judul_b"]).any()


def test_the_set_is_as_large_as_the_data_card_says(gold):
    bases = gold.drop_duplicates("base_id")
    computing = bases["bidang"].isin(["informatika", "statistika", "elektro", "geodesi", "geografi"])
    assert len(bases) >= 150
    assert 0.5 <= computing.mean() <= 0.65
    assert bases["bidang"].nunique() >= 10


def test_word_overlap_does_not_tell_paraphrases_from_look_alikes(gold):

    def overlap(row):
        a, b = (set(title.lower().split()) for title in (row.judul_a, row.judul_b))
        return len(a & b) / len(a | b)

    shares = gold.assign(overlap=[overlap(row) for row in gold.itertuples()])
    rewordings = shares.loc[shares["kind"] == "parafrase", "overlap"]
    assert rewordings.quantile(0.1) <= 0.15
    assert rewordings.quantile(0.9) >= 0.45
    alike = shares[shares["kind"].str.startswith("sulit")]["overlap"]
    assert alike.median() > rewordings.median()


def letter_case(title):
    """Return whether a title is in capitals, in title case, or small."""
    if title.isupper():
        return "capitals"
    words = re.findall(r"[^\W\d_]{4,}", title)
    return "title" if sum(word[0].isupper() for word in words) > len(words) / 2 else "small"


def test_letter_case_is_independent_of_the_kind(gold):
    cases = gold["judul_a"].map(letter_case) + " – " + gold["judul_b"].map(letter_case)
    for split in SPLITS:
        part = gold["split"] == split
        assert chi2_contingency(pd.crosstab(gold["kind"][part], cases[part])).pvalue > 0.5
    mixed = gold["judul_a"].str.isupper() != gold["judul_b"].str.isupper()
    shares = mixed.groupby(gold["kind"]).mean()
    assert shares.max() - shares.min() < 0.01
    assert 0.2 < shares.mean() < 0.4


def test_letter_case_is_that_of_the_recase_script():
    recase = runpy.run_path(str(PROJECT / "scripts" / "recase_gold.py"))["recase"]
    with GOLD.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert recase(rows) == rows, "run scripts/recase_gold.py"
    lower = [row | {"judul_b": row["judul_b"].lower()} for row in rows]
    recased = recase(lower)
    assert [row["judul_b"].lower() for row in recased] == [row["judul_b"] for row in lower]


def test_second_grades_cover_a_sample_and_agreement_is_measured(gold):
    second = read_second_grades(PROJECT / "data" / "gold_second.csv", gold)
    assert len(second) == 150
    assert set(second["kind"]) == set(GRADE_BY_KIND)
    kappa = grade_agreement(second)["kappa"]
    assert kappa.between(-1, 1).all()
    same = grade_agreement(second.assign(second_grade=second["grade"]))
    assert (same["kappa"] == 1).all()
    shifted = second.assign(second_grade=(second["grade"] + 1) % 5)
    assert (grade_agreement(shifted)["sepakat"].iloc[:2] == 0).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id\n001-1\n", "baris 1: kolom grade"),
        ("id,grade\n001-1,4\n999-1,3\n", "baris 3: id '999-1'"),
        ("id,grade\n001-1,4\n001-1,4\n", "baris 3: id '001-1'"),
        ("id,grade\n001-1,5\n", "baris 2: derajat '5'"),
        ("id,grade\n\n\n001-1,5\n", "baris 4: derajat '5'"),
        ("id,grade,id\n001-1,5,x\n", "baris 1: kolom id ada lebih dari sekali"),
    ],
)
def test_invalid_second_grades_are_refused_with_their_line(tmp_path, gold, text, words):
    path = tmp_path / "second.csv"
    path.write_text(text)
    with pytest.raises(GoldError, match=words):
        read_second_grades(path, gold)


def test_grade_2_has_no_label(gold):
    assert gold.loc[gold["grade"] == 2, "label"].isna().all()
    assert set(gold.loc[gold["grade"] >= 3, "label"]) == {1}
    assert set(gold.loc[gold["grade"] <= 1, "label"]) == {0}


def test_line_numbers_include_blank_lines(tmp_path):
    path = tmp_path / "gold.csv"
    header, *rows = GOLD.read_text().splitlines()[:3]
    path.write_text(
        "\n".join([header, "", rows[0], rows[1].replace(",dev", ",x").replace(",test", ",x")])
    )
    with pytest.raises(GoldError, match=r"gold\.csv baris 4:"):
        read_gold(path)
    path.write_text("\n".join([header, rows[0], "", rows[0]]))
    with pytest.raises(GoldError, match=r"baris 4: id .* sudah dipakai"):
        read_gold(path)
    path.write_text("\n".join([f"{header},kind", f"{rows[0]},x"]))
    with pytest.raises(GoldError, match="kolom kind ada lebih dari sekali"):
        read_gold(path)


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
def test_an_invalid_file_is_refused_with_its_line(tmp_path, change, words):
    path = tmp_path / "gold.csv"
    change(pd.read_csv(GOLD, dtype={"base_id": str}).head(14)).to_csv(path, index=False)
    with pytest.raises(GoldError, match=words):
        read_gold(path)


def test_single_change_pairs_cover_each_kind_and_mix_letter_case_evenly():
    kinds = read_gold(PROJECT / "data" / "gold_kinds.csv")
    counts = pd.crosstab(kinds["kind"], kinds["split"])
    assert set(counts.index) == set(SINGLE_CHANGE_GRADE_BY_KIND)
    assert counts.sum(axis=1).min() >= 60
    assert counts["test"].min() >= 24
    upper = kinds[["judul_a", "judul_b"]].map(str.isupper)
    mixed = (upper["judul_a"] != upper["judul_b"]).groupby(kinds["kind"]).mean()
    assert mixed.between(0.2, 0.5).all(), mixed


def test_no_title_is_in_both_splits():
    gold = pd.concat([read_gold(PROJECT / "data" / f"gold_{name}.csv") for name in ("pairs", "kinds")])
    sides = gold.melt(id_vars="split", value_vars=["judul_a", "judul_b"])
    assert sides.groupby(sides["value"].str.casefold())["split"].nunique().max() == 1
