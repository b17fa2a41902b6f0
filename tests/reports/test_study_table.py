import json
import os
from pathlib import Path

import joblib
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from judul_lib import load_checker
from judul_lib.core.formatting import format_number, format_setting
from judul_lib.core.settings import FULL, LIGHT, RUN_PROFILES, LabelingSettings
from judul_lib.reports.pipeline import STAGES, Paths, run_notebooks
from judul_lib.reports.study_table import (
    OWN_COLUMNS,
    SOURCE_COLUMNS,
    compare_training,
    compare_with_code,
    measure_run,
    read_study_table,
    render_markdown,
    rule_values,
)
from tests.conftest import DATA, PROJECT, assert_refused, judul

TABLE = PROJECT / "data" / "study.json"
# Not-similar pairs are drawn at random.
ALLOWED_DIFFERENCES = {"own_full": 2, "own_light": 2}


@pytest.fixture(scope="module")
def study():
    return read_study_table(TABLE, rule_values())


def test_every_row_has_a_value_of_the_study_and_two_of_ours(study):
    assert study.index.is_unique
    assert (study[list(OWN_COLUMNS.values())] != "–").all(axis=None)
    unsourced = study.index[(study[list(SOURCE_COLUMNS.values())] == "–").all(axis=1)]
    assert [*unsourced] == ["similar_light"]  # Shown beside that of the full model.
    assert (study != "").drop(columns="catatan").all(axis=None)


def test_what_differs_from_the_code_is_explained(study):
    same = compare_with_code(study)
    assert {"terms_full", "terms_light", "pairs_light", "best_light"} <= {*same.index[same]}
    assert "query_full" not in same
    for key in same.index[~same]:
        family = key.rsplit("_", 1)[0]
        assert study.loc[study.index.str.startswith(family), "catatan"].ne("").any(), key


def test_a_value_that_changes_is_no_longer_counted_as_the_same(study):
    assert compare_with_code(study)["terms_full"]
    study = study.copy()
    study.loc["terms_full", OWN_COLUMNS["studi"]] = "1.794"
    assert not compare_with_code(study)["terms_full"]


def test_a_trained_model_is_shown_beside_the_study(study):
    metadata = json.loads((PROJECT / "outputs" / "light" / "metadata.json").read_text())
    frame = compare_training(study, metadata, LIGHT)
    assert {"terms_light", "folds_light", "best_light", "size_light"} <= {*frame.index}
    assert frame.loc["best_light", "bagian"] == "setelan terpilih"
    assert frame.loc["best_light", SOURCE_COLUMNS["document"]] == "100 / 15 / 5"
    assert frame.loc["terms_light", "run ini"] == format_number(metadata["n_terms"])
    fewer = compare_training(study, metadata | {"folds": 2}, LIGHT)
    assert fewer.loc["folds_light", "run ini"] == "2"
    with pytest.raises(KeyError):
        compare_training(study.drop("size_light"), metadata, LIGHT)


def reproduction_rows():
    """Return the first table of the guide: report, the document's number and ours, by name."""
    text = (PROJECT / "docs" / "reproduce.md").read_text(encoding="utf-8").split("## 5.")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return pd.DataFrame(rows[1:]).set_index(0)


def test_the_guide_quotes_the_document_and_names_sections_that_exist(study):
    rows = reproduction_rows()
    quoted = study.set_index("bagian")[SOURCE_COLUMNS["document"]]
    assert (rows[2] == quoted[rows.index]).all()
    for number, section in rows[1].str.extract(r"(\d\d), \*(.+)\*").itertuples(index=False):
        (path,) = (PROJECT / "notebooks").glob(f"{number}_*.ipynb")
        assert f'"## {section}' in path.read_text(encoding="utf-8"), (number, section)


def test_the_page_of_the_docs_shows_the_table(study):
    assert render_markdown(study) in (PROJECT / "docs" / "study.md").read_text(encoding="utf-8")


def test_unknown_profiles_are_refused(tmp_path):
    result = judul(
        "run", "-p", "PROFILE", "skripsi", "--out", tmp_path / "o", "--reports", tmp_path / "r"
    )
    assert_refused(result, "skripsi", *RUN_PROFILES)


def run_of(data, outputs, monkeypatch, **parameters):
    monkeypatch.setattr("judul_lib.reports.pipeline.STAGES", STAGES[:5])
    paths = Paths(Path(data), PROJECT / "notebooks", outputs, outputs.parent / "reports")
    run_notebooks(paths, parameters=parameters)
    settings = LabelingSettings.from_parameters(RUN_PROFILES[parameters["PROFILE"]])
    return measure_run(outputs, settings)


@pytest.mark.slow
def test_profile_studi_gives_each_number_as_computed_anew_from_the_titles(tmp_path, monkeypatch):
    outputs = tmp_path / "outputs"
    measured = run_of(DATA, outputs, monkeypatch, PROFILE="studi")
    names = read_study_table(TABLE)["bagian"]
    assert reproduction_rows()[3].to_dict() == {
        names[key]: value for key, value in measured.items() if not key.startswith("query")
    }
    corpus = pd.read_csv(outputs / "corpus.csv")
    n = len(corpus)
    assert measured["titles"] == str(n) == str(len(pd.read_csv(DATA)))
    for profile in (FULL, LIGHT):
        ours = {key.removesuffix(f"_{profile.name}"): value for key, value in measured.items()}
        tfidf = TfidfVectorizer(**profile.tfidf)
        rows = tfidf.fit_transform(corpus["judul_proc"])
        assert ours["terms"] == format_number(len(tfidf.vocabulary_))
        similar = int(((rows @ rows.T).toarray() >= 0.6).sum()) - n
        n_pairs, n_test = similar + 5 * n, -(-(similar + 5 * n) // 5)
        assert ours["thresholds"] == "0,60 / 0,25"
        assert ours["pairs"] == f"{n_pairs} ({similar} mirip)"
        assert ours["split"] == f"{n_pairs - n_test} / {n_test}"
        assert abs(int(ours["similar"]) - similar / 5) <= 1
        assert int(ours["folds"]) == profile.n_splits
        checker = load_checker(outputs / profile.name)
        chosen = joblib.load(outputs / profile.name / "best_rf.joblib").get_params()
        assert ours["best"] == " / ".join(format_setting(chosen[name]) for name in profile.grid)
        assert all(chosen[name] in values for name, values in profile.grid.items())
        own = [max(r["rf_probability"] for r in others(checker, title)) for title in corpus["Judul"]]
        assert int(ours["own"]) == sum(value >= 0.5 for value in own)
        names = ("tfidf", "scaler", "best_rf")
        size = sum((outputs / profile.name / f"{name}.joblib").stat().st_size for name in names)
        assert ours["size"] == f"{format_number(size / 1024, 1)} KB"
        assert {"accuracy", "f1", "auc", "query", "grid"} <= ours.keys()
    assert measured["grid_light"] == "50, 100 / 10, 15 / 5 / 2"


def others(checker, title):
    rows = checker.check(title, top_k=len(checker.titles)).rows()
    assert len(rows) == len(checker.titles)
    rows.remove(next(row for row in rows if row["judul_ref"] == title))
    return rows


@pytest.mark.slow
@pytest.mark.skipif(
    "JUDUL_ORIGINAL_DATA" not in os.environ,
    reason="JUDUL_ORIGINAL_DATA does not name the original study's titles",
)
@pytest.mark.parametrize("profile", OWN_COLUMNS)
def test_the_original_titles_give_the_numbers_of_the_table(profile, tmp_path, monkeypatch):
    data = os.environ["JUDUL_ORIGINAL_DATA"]
    measured = run_of(data, tmp_path / "outputs", monkeypatch, PROFILE=profile)
    rows = {row["key"]: row for row in json.loads(TABLE.read_text(encoding="utf-8"))}
    for key, value in measured.items():
        if not key.startswith("query"):
            assert value == rows[key][profile], key
    if profile == "studi":
        for key in ("terms", "pairs", "split", "best"):
            for model in ("full", "light"):
                assert measured[f"{key}_{model}"] == rows[f"{key}_{model}"]["variant"]
        for key, allowed in ALLOWED_DIFFERENCES.items():
            assert abs(int(measured[key]) - int(rows[key]["variant"])) <= allowed
