"""The code of the study's document, run on what this project offers under the same names.

The document itself is not part of the project; where it is at hand beside the original titles, its
own blocks run here. The other tests state the same in our words.
"""

import os
import re
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from judul_lib import compute_similarities, extract_pair_features, load_checker, preprocess_text
from judul_lib.usage.database import sqlite_url
from judul_lib.usage.log import AnsweredQuery, UsageLog
from tests.conftest import PROJECT, Trained, judul

ORIGINAL = os.environ.get("JUDUL_ORIGINAL_DATA")
DOCUMENTS = sorted((Path(ORIGINAL).parent.parent / "seed").glob("*.txt")) if ORIGINAL else []
QUERIES = ["Deteksi Hoaks dengan CNN", "Prediksi Harga Beras", "Sistem Pakar Penyakit Cabai"]


def blocks(*needles):
    """Return the document's Python blocks that have one of these words, in order."""
    found = re.findall(r"```python\n(.*?)```", DOCUMENTS[0].read_text(encoding="utf-8"), re.DOTALL)
    chosen = [block for block in found if any(needle in block for needle in needles)]
    assert len(chosen) == len(needles)
    return chosen


needs_document = pytest.mark.skipif(
    not DOCUMENTS, reason="the study's document is not beside JUDUL_ORIGINAL_DATA"
)


@pytest.fixture
def names(trained: Trained):
    """The names that the document's test cases use."""
    model = trained.model
    raw1, raw2 = model.titles[:2]
    text1, text2 = model.processed[:2]
    vec1, vec2 = (model.tfidf.transform([text]) for text in (text1, text2))
    return {
        "preprocess_text": preprocess_text, "extract_pair_features": extract_pair_features,
        "compute_similarities": compute_similarities, "vec1": vec1, "vec2": vec2, "text1": text1,
        "text2": text2, "raw1": raw1, "raw2": raw2, "query": QUERIES[0], "tfidf": model.tfidf,
        "scaler": model.scaler, "rf_model": model.forest, "df_corpus": trained.corpus.titles,
    }  # fmt: skip


@pytest.fixture
def predictions(tmp_path, monkeypatch):
    """Write ``logs/predictions.csv`` in the current folder: the export of a log of three answers."""
    models = tmp_path / "models"
    logs = models / "logs"
    checker = load_checker(PROJECT / "outputs" / "light")
    with closing(UsageLog(logs, url=sqlite_url(logs), log_text=True)) as log:
        for number, query in enumerate(QUERIES):
            light = checker.check(query, top_k=2).decision
            full = replace(light, probability=np.clip(light.probability + 0.2 * number, 0, 1))
            log.log_predictions([AnsweredQuery(query, {"full": full, "light": light}, 0.1)], "page")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    file = tmp_path / "logs" / "predictions.csv"
    done = judul("monitor", "--models", models, "--export", file, cwd=tmp_path, JUDUL_DATABASE_URL="")
    assert done.returncode == 0, done.stderr
    return file


def test_exported_answers_can_be_analysed_as_in_the_document(predictions):
    rows = pd.read_csv(predictions)
    assert (rows["full_model_top_match"] == rows["light_model_top_match"]).all()
    assert (rows["probability_diff"].round(9) > 0).sum() == len(QUERIES) - 1
    assert rows["query"].tolist() == QUERIES
    age = datetime.now() - timedelta(days=1) < pd.to_datetime(rows["timestamp"])
    assert age.all()


def test_vectors_texts_and_titles_of_a_pair_give_three_features(names):
    arguments = [names[name] for name in ("vec1", "vec2", "text1", "text2", "raw1", "raw2")]
    assert len(extract_pair_features(*arguments)) == 3


@needs_document
def test_test_cases_of_the_document_hold(names):
    (cases,) = blocks("assert preprocess_text")
    exec(compile(cases, "document", "exec"), names)
    assert names["result"]["rf_probability"].is_monotonic_decreasing
    assert names["features"][0] <= 1


@needs_document
def test_analyses_of_the_document_run_on_the_export(predictions, monkeypatch, capsys):
    monkeypatch.setattr(go.Figure, "show", lambda figure: None)
    names = {"pd": pd, "datetime": datetime, "timedelta": timedelta}
    for block in blocks("agreement_rate", "baseline_stats", "most_common", "def cleanup_old_logs"):
        exec(compile(block, "document", "exec"), names)
    rows = pd.read_csv(predictions)
    assert len(rows) == len(QUERIES)  # None is older than 90 days.
    assert "Model Agreement: 100.0%" in capsys.readouterr().out
    assert names["current_stats"]["mean_probability"] == pytest.approx(
        rows["full_model_top_prob"].mean()
    )
    assert ("deteksi", 1) in names["most_common"]
    assert names["peak_hours"].sum() == len(QUERIES)
