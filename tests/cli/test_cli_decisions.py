import csv
import io
import json

import pandas as pd
import pytest

from judul_lib.core.errors import LabelError
from judul_lib.search.index import TitleIndex
from judul_lib.usage.database import audit, opened_database, read_table, sqlite_url
from tests.conftest import PROJECT, assert_refused, copy_stored_models, judul, judul_process

QUERY = "Deteksi Hoaks dengan IndoBERT"
WHO = ("--by", "Komisi TA", "--reason", "objeknya lain")


@pytest.fixture
def models(tmp_path):
    return copy_stored_models(tmp_path / "outputs")


@pytest.fixture
def archive(write_csv):
    """An archive with two titles that resemble the query, and one that does not."""
    return write_csv(
        [
            "Deteksi Hoaks Menggunakan IndoBERT",
            "Deteksi Berita Hoaks dengan IndoBERT",
            "Prediksi Harga Beras di Kota Medan dengan LSTM",
        ]
    )


def decide(models, title, decision="bukan-duplikat", query=QUERY, *options):
    pair = ("--a", query, "--b", title, "--decision", decision)
    result = judul("decisions", "add", *pair, *WHO, "--models", models, *options)
    assert result.returncode == 0, result.stderr


def answer(models, archive, query=QUERY, model="light", *options):
    arguments = ("check", query, "--corpus", archive, "--models", models, "--model", model)
    result = judul(*arguments, "--format", "json", *options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("model", ["light", "structured"])
def test_decided_pair_no_longer_alarms_but_others_do(models, archive, model):
    before = answer(models, archive, model=model)
    first, second, other = (row["judul_ref"] for row in before["hasil"])
    assert [row["rf_label"] for row in before["hasil"]] == ["MIRIP", "MIRIP", "TIDAK MIRIP"]
    decide(models, first)
    after = answer(models, archive, f" {QUERY.upper()}!", model)
    assert [row["judul_ref"] for row in after["hasil"]] == [first, second, other]
    assert [row["rf_label"] for row in after["hasil"]] == ["TIDAK MIRIP", "MIRIP", "TIDAK MIRIP"]
    assert "sudah diputuskan: bukan duplikat oleh Komisi TA, " in after["hasil"][0]["penjelasan"]
    assert "diputuskan" not in after["hasil"][1].get("penjelasan", "")
    assert after["rf_label"] == "MIRIP"
    decide(models, second)
    # The decision also holds where only one result is shown.
    assert answer(models, archive, QUERY, model, "--top", 1)["rf_label"] == "TIDAK MIRIP"
    assert answer(models, archive, f"{QUERY} Kudus", model)["rf_label"] != "TIDAK MIRIP"
    judul("decisions", "undo", "--b", QUERY, "--a", first, *WHO, "--models", models)
    assert answer(models, archive, model=model)["rf_label"] == "MIRIP"


def test_what_would_be_asked_is_not_asked_once_decided(models, write_csv):
    archive = write_csv(["Deteksi Hoaks di Kota Medan dengan IndoBERT", "Prediksi Harga Beras"])
    query = "Deteksi Hoaks di Kota Kudus dengan IndoBERT"
    before = answer(models, archive, query, "structured")
    assert before["rf_label"] == "TANYAKAN"
    decide(models, before["hasil"][0]["judul_ref"], query=query)
    assert answer(models, archive, query, "structured")["rf_label"] == "TIDAK MIRIP"


def test_same_study_is_similar_and_the_answer_says_so(models, archive):
    decide(models, "Prediksi Harga Beras di Kota Medan dengan LSTM", "sama", "Peramalan Cuaca")
    arguments = ("check", "Peramalan Cuaca", "--corpus", archive, "--models", models)
    text = judul(*arguments, "--model", "light", "--top", 1).stdout
    assert text.startswith("MIRIP (sudah diputuskan: sama oleh Komisi TA, ")
    assert "Prediksi Harga Beras" in text
    rows = list(csv.DictReader(io.StringIO(judul(*arguments, "--format", "csv").stdout)))
    assert "MIRIP" in [row["rf_label"] for row in rows if "Beras" in row["judul_ref"]]


def test_file_and_index_respect_decisions(models, archive, tmp_path):
    TitleIndex.build(
        pd.read_csv(archive)["Judul"].tolist(), models / "light"
    ).save(tmp_path / "indeks")  # fmt: skip
    for title in pd.read_csv(archive)["Judul"][:2]:
        decide(models, title)
    source, target = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    pd.DataFrame({"Judul": [QUERY, f"{QUERY} Kudus"]}).to_csv(source, index=False)
    for corpus in (archive, tmp_path / "indeks"):
        result = judul(
            "check", "--file", source, "--output", target, "--corpus", corpus, "--models", models,
            "--model", "light",
        )  # fmt: skip
        assert "Dari 2 baris: 1 MIRIP, 0 TANYAKAN" in result.stdout, result.stderr
        rows = pd.read_csv(target, keep_default_na=False)
        assert rows["rf_label"].tolist() == ["TIDAK MIRIP", "MIRIP"]
        assert "Komisi TA" in rows["penjelasan"][0]
        assert rows["penjelasan"][1] == ""


def test_list_and_export_show_what_holds(models, archive, tmp_path):
    target = tmp_path / "keputusan.csv"
    assert_refused(judul("decisions", "list", "--models", models), "Belum ada log")
    decide(models, "Judul Lain")
    assert (
        "bukan duplikat Komisi TA objeknya lain" in judul("decisions", "list", "--models", models).stdout
    )
    judul(
        "decisions", "add", "--a", QUERY, "--b", "=1+1 Judul", "--decision", "sama", "--by", "=cmd()",
        "--reason", "\x1b[2J", "--consent", "--models", models, JUDUL_LOG_TEXT="true",
    )  # fmt: skip
    assert "\x1b" not in judul("decisions", "list", "--models", models).stdout
    assert judul("decisions", "export", target, "--models", models).returncode == 0
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    assert target.stat().st_mode & 0o077 == 0
    rows = pd.read_csv(target, keep_default_na=False)
    assert rows["keputusan"].tolist() == ["bukan duplikat", "sama"]
    assert rows["oleh"].tolist() == ["Komisi TA", "'=cmd()"]
    assert rows["boleh dipelajari"].tolist() == ["tidak", "ya"]
    assert {"'=1+1 Judul", QUERY} == set(rows.loc[1, ["judul a", "judul b"]])
    assert_refused(judul("decisions", "export", target, "--models", models), "--force")


def test_check_without_decisions_creates_no_database(models, tmp_path):
    before = sorted(models.rglob("*"))
    result = judul_process(
        "check", QUERY, "--models", models, "--model", "light", "--top", 1, JUDUL_LOG="false"
    )
    assert result.returncode == 0, result.stderr
    assert sorted(models.rglob("*")) == before


def test_check_answers_although_decisions_cannot_be_read(models, archive):
    decide(models, "Judul Lain")
    result = judul(
        "check", QUERY, "--models", models, "--model", "light",
        JUDUL_DATABASE_URL="postgresql://siti:rahasia@localhost:1/judul", JUDUL_LOG="false",
    )  # fmt: skip
    assert result.returncode == 0
    assert "MIRIP" in result.stdout
    assert "tidak terbaca, jadi tidak dipakai" in result.stderr
    assert "rahasia" not in result.stderr


def test_every_decision_and_undo_is_in_the_audit_trail(models):
    decide(models, "Judul Lain")
    decide(models, "Judul Lain", "sama")
    assert_refused(
        judul("decisions", "undo", "--a", QUERY, "--b", "Lain", *WHO, "--models", models),
        "Belum ada keputusan",
    )
    judul("decisions", "undo", "--a", "Judul Lain", "--b", QUERY, *WHO, "--models", models)
    with opened_database(sqlite_url(models / "logs")) as engine:
        actions = [row["action"] for row in read_table(engine, audit)]
    assert actions == ["decide", "decide", "undo"]
    assert judul("govern", "verify", "--models", models).returncode == 0
    assert "Belum ada keputusan." in judul("decisions", "list", "--models", models).stdout


def test_retraining_learns_decisions_with_consent(models, monkeypatch):
    from judul_lib.labeling import retraining

    seen = []

    def stop(outputs, name, labels, gold, **options):
        seen.append(labels.pairs)
        raise LabelError("cukup")

    monkeypatch.setattr(retraining, "retrain", stop)
    titles = pd.read_csv(PROJECT / "data" / "dataset_TA.csv")["Judul"].tolist()
    decide(models, titles[0], "sama", titles[1], "--consent")
    decide(models, titles[0], "bukan-duplikat", titles[2])
    for option in ((), ("--no-decisions",), ("--no-feedback",)):
        judul("retrain", "light", *option, "--models", models)
    assert [pairs["label"].tolist() for pairs in seen] == [[1], [], [1]]
    assert {*seen[0]["judul_a"], *seen[0]["judul_b"]} == set(titles[:2])
