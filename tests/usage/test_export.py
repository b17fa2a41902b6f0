"""The answers as CSV: the study's columns, titles only where the log has them."""

import stat
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from judul_lib import load_checker
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.usage.database import sqlite_url
from judul_lib.usage.export import EXPORT_COLUMNS
from judul_lib.usage.log import AnsweredQuery, UsageLog
from tests.conftest import PROJECT, assert_refused, judul

TITLE = "=Sistem Pakar Diagnosa Penyakit Cabai"


@pytest.fixture(scope="module")
def best():
    return load_checker(PROJECT / "outputs" / "light").check(TITLE, top_k=1).decision


def log_answers(models, best, **options):
    logs = models / "logs"
    with closing(UsageLog(logs, url=sqlite_url(logs), **options)) as log:
        lower = replace(best, probability=best.probability / 2)
        for answers in ({"full": lower, "light": best}, {"structured": best, "light": best}):
            log.log_predictions([AnsweredQuery(TITLE, answers, 0.1)], "page")


def export(models, file):
    done = judul("monitor", "--models", models, "--export", file, JUDUL_DATABASE_URL="")
    assert done.returncode == 0, done.stderr
    return pd.read_csv(file)


@pytest.mark.parametrize("log_text", [True, False])
def test_export_has_the_columns_of_the_study(models, best, tmp_path, log_text):
    log_answers(models, best, log_text=log_text)
    rows = export(models, file := tmp_path / "jawaban.csv")
    assert tuple(rows.columns) == EXPORT_COLUMNS
    top = float(best.probability[0])
    both, light_only = rows.to_dict("records")
    assert both["full_model_top_prob"] == pytest.approx(top / 2)
    assert both["light_model_top_prob"] == light_only["light_model_top_prob"] == pytest.approx(top)
    assert both["probability_diff"] == pytest.approx(top / 2)
    assert pd.isna([light_only[f"full_model_top_{name}"] for name in ("prob", "match")]).all()
    assert pd.isna(light_only["probability_diff"])
    now = datetime.now(ZoneInfo("Asia/Jakarta")).replace(tzinfo=None)
    assert abs(now - datetime.fromisoformat(both["timestamp"])) < timedelta(minutes=10)
    key, match = log_key(models / "logs"), best.titles[0]
    query, found = ("'" + TITLE, match) if log_text else (keyed_hash(key, TITLE), keyed_hash(key, match))
    assert {row["query"] for row in (both, light_only)} == {query}
    assert both["full_model_top_match"] == both["light_model_top_match"] == found
    assert (TITLE in file.read_text()) == log_text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_export_is_refused_where_it_would_overwrite_the_log(models, best, tmp_path):
    log_answers(models, best)
    before = (models / "logs" / "judul.db").read_bytes()
    for file in (models / "logs" / "judul.db", tmp_path / "none" / "a.csv"):
        assert_refused(judul("monitor", "--models", models, "--export", file, JUDUL_DATABASE_URL=""))
    assert (models / "logs" / "judul.db").read_bytes() == before


def test_export_of_a_log_without_answers_has_only_a_header(models, tmp_path):
    with closing(UsageLog(models / "logs", url=sqlite_url(models / "logs"))) as log:
        log.log_event("download", detail="csv")
    rows = export(models, tmp_path / "kosong.csv")
    assert (tuple(rows.columns), len(rows)) == (EXPORT_COLUMNS, 0)
