import json
import os
from pathlib import Path

import pandas as pd
import pytest

from judul_lib.core.errors import PipelineError
from judul_lib.core.settings import FULL, RUN_PROFILES, LabelingSettings
from judul_lib.reports.pipeline import STAGES, Paths, run_notebooks
from judul_lib.reports.study_table import (
    OWN_COLUMNS,
    SOURCE_COLUMNS,
    compare_with_code,
    measure_run,
    read_study_table,
    render_markdown,
    rule_values,
)
from judul_lib.study.estimators import fit_vectorizer
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
    assert (study[list(SOURCE_COLUMNS.values())] != "–").any(axis=1).all()
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
def test_profile_studi_labels_the_projects_titles_as_the_study_does(tmp_path, monkeypatch):
    """Each number of a run, computed anew from the titles."""
    outputs = tmp_path / "outputs"
    measured = run_of(DATA, outputs, monkeypatch, PROFILE="studi")
    corpus = pd.read_csv(outputs / "corpus.csv")
    n = len(corpus)
    assert measured["titles"] == str(n) == str(len(pd.read_csv(DATA)))
    rows = fit_vectorizer(corpus["judul_proc"], FULL).transform(corpus["judul_proc"])
    cosines = (rows @ rows.T).toarray()
    similar = int((cosines >= 0.6).sum()) - n
    assert measured["pairs_full"] == f"{similar + 5 * n} ({similar} mirip)"
    test = -(-(similar + 5 * n) // 5)
    assert measured["split_full"] == f"{similar + 5 * n - test} / {test}"
    assert measured["thresholds_light"] == "0,60 / 0,25"
    assert measured["grid_light"].endswith(" / 5 / 2")
    with pytest.raises(PipelineError, match="Tidak ada profil"):
        run_of(DATA, outputs, monkeypatch, PROFILE="kode")


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
