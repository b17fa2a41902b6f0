import json
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
import sqlalchemy as sa

from judul_lib.checking.matches import best_matches
from judul_lib.core.errors import ArgumentError, LogError
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.core.settings import DECISIONS
from judul_lib.governance import audit, privacy
from judul_lib.governance.backup import backup, verify_backup
from judul_lib.governance.compliance import run_checklist
from judul_lib.governance.decisions import decide, read_decisions, undo
from judul_lib.governance.restoring import restore
from judul_lib.labeling.labels import PairVotes, decision_votes
from judul_lib.usage.database import decisions, opened_database, read_table
from judul_lib.usage.installation import may_have_decisions
from tests.conftest import PROJECT
from tests.governance.test_governance import rewrite_zip

A, B, C = "Deteksi Hoaks: Studi Kasus Twitter", "Deteksi Hoaks di Facebook", "Prediksi Harga Beras"
WHO = {"by": "Komisi TA", "reason": "objek lain", "actor": "0f"}
NOT_DUPLICATE, SAME = DECISIONS

DECIDER = """
import sys
from pathlib import Path
from judul_lib.governance.decisions import decide
from judul_lib.usage.database import open_database
folder, url, by = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
engine = open_database(url, lock_wait=60)
for k in range(10):
    decide(engine, folder, "Deteksi Hoaks", "Deteksi Spam", "sama", by=by, reason=str(k), actor=by)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


def lookup(engine, folder, title, *candidates):
    """Return what was decided of a title and each candidate."""
    rows = read_decisions(engine, folder).decisions_for(title, candidates)
    return [row and row["decision"] for row in rows]


def audit_rows(engine):
    return sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])


def test_decision_is_found_in_either_order_and_spelling(engine, folder):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    assert lookup(engine, folder, B, C, A) == [None, NOT_DUPLICATE]
    assert lookup(engine, folder, "deteksi  HOAKS (studi kasus, twitter)", B.upper() + ".") == [
        NOT_DUPLICATE
    ]
    assert lookup(engine, folder, C, A, B) == [None, None]
    known = read_decisions(engine, folder)
    assert [known.concern(title) for title in (A, B.lower(), C)] == [True, True, False]


def test_later_decision_counts_and_the_trail_has_both(engine, folder):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    decide(engine, folder, B, A, SAME, by="Rapat", reason="dibahas lagi", actor="0f")
    (row,) = read_decisions(engine, folder).rows
    assert (row["decision"], row["decided_by"], row["reason"]) == (SAME, "Rapat", "dibahas lagi")
    rows = audit_rows(engine)
    assert [json.loads(row["details"])["decision"] for row in rows] == [NOT_DUPLICATE, SAME]
    assert [row["action"] for row in rows] == [audit.DECIDE] * 2
    assert audit.verify(engine, folder) == []


def test_undone_decision_is_gone_but_in_the_trail(engine, folder):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    undo(engine, folder, B, A.upper(), by="Rapat", reason="keliru", actor="0f")
    assert lookup(engine, folder, A, B) == [None]
    assert [(row["action"], row["reason"]) for row in audit_rows(engine)] == [
        (audit.DECIDE, "objek lain"), (audit.UNDO, "keliru"),
    ]  # fmt: skip
    with pytest.raises(LogError, match="Belum ada keputusan"):
        undo(engine, folder, A, B, by="Rapat", reason="lagi", actor="0f")
    assert len(audit_rows(engine)) == 2
    assert audit.verify(engine, folder) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"right": " ?! "}, "dua judul"),
        ({"right": A.upper()}, "Kedua judul itu sama"),
        ({"decision": "mirip"}, "tidak dikenal"),
        ({"by": " "}, "siapa yang memutuskan"),
        ({"reason": "\0"}, "memerlukan alasan"),
    ],
)  # fmt: skip
def test_incomplete_decision_is_refused(engine, folder, change, problem):
    arguments = {"left": A, "right": B, "decision": SAME, **WHO, **change}
    with pytest.raises((ArgumentError, LogError), match=problem):
        decide(engine, folder, **arguments)
    assert read_table(engine, decisions) == audit_rows(engine) == []


def test_any_text_can_be_a_name_or_a_title(engine, folder):
    name = "Komisi\n\0 ☃ \ud83d"
    decide(engine, folder, A + "\0\ud83d", B, SAME, **{**WHO, "by": name}, log_text=True)
    assert lookup(engine, folder, B, A + "\ud83d") == [SAME]
    assert read_decisions(engine, folder).rows[0]["decided_by"] == "Komisi ☃ ?"


@pytest.mark.parametrize("log_text", [False, True])
def test_titles_are_stored_as_text_only_on_demand(engine, url, folder, log_text):
    decide(engine, folder, A, B, SAME, **WHO, log_text=log_text)
    (row,) = read_table(engine, decisions)
    texts = {row["first_text"], row["second_text"]}
    assert texts == ({A, B} if log_text else {None})
    everything = [*map(str, row.values()), *map(str, audit_rows(engine))]
    assert any("Hoaks" in text for text in everything) == log_text


def test_processes_decide_at_the_same_time(engine, url, folder):
    audit.append_row(engine, folder, actor="a", action=audit.TRAIN, reason="awal")
    log_key(folder)
    processes = [
        subprocess.Popen([sys.executable, "-c", DECIDER, folder, url, f"p{k}"], cwd=PROJECT)
        for k in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    (row,) = read_table(engine, decisions)
    rows = audit_rows(engine)
    assert len(rows) == 21
    assert (row["decided_by"], row["reason"]) == (rows[-1]["actor"], rows[-1]["reason"])
    assert audit.verify(engine, folder) == []


def ranked(probability, asked, titles, threshold=0.5):
    n = len(titles)
    return best_matches(
        titles.__getitem__, np.ones((n, 3)), np.array(probability), np.array(asked),
        lambda rows: [f"bersama {row}" for row in rows], threshold=threshold,
    )  # fmt: skip


def test_next_title_decides_after_one_that_is_no_duplicate(engine, folder):
    matches = ranked([0.9, 0.7, 0.2], [0.9, 0.7, 0.2], [A, B, C])
    query = "Deteksi Hoaks"
    decide(engine, folder, query, A, NOT_DUPLICATE, **WHO)
    result = read_decisions(engine, folder).apply(query, matches)
    assert result.labels == ["TIDAK MIRIP", "MIRIP", "TIDAK MIRIP"]
    assert result.decision.titles == result.first(1).decision.titles == [B]
    assert result.remarks[0].startswith("sudah diputuskan: bukan duplikat oleh Komisi TA, ")
    assert result.remarks[1:] == matches.remarks[1:]
    assert result.with_threshold(0.0).labels[0] == "TIDAK MIRIP"
    # A title that nobody has decided of is judged as before.
    assert read_decisions(engine, folder).apply(C, matches) is matches


def test_decided_title_is_neither_similar_nor_asked_about(engine, folder):
    matches = ranked([0.3, 0.2], [0.8, 0.1], [A, B])
    assert matches.decision.labels == ["TANYAKAN"]
    decide(engine, folder, "Hoaks", A, NOT_DUPLICATE, **WHO)
    assert read_decisions(engine, folder).apply("Hoaks", matches).decision.labels == ["TIDAK MIRIP"]


def test_same_study_is_similar_at_any_probability(engine, folder):
    matches = ranked([0.3, 0.2], [], [A, B])
    decide(engine, folder, "Hoaks", B, SAME, **WHO)
    result = read_decisions(engine, folder).apply("Hoaks", matches).first(1)
    (decided,) = result.decision.rows()
    assert (decided["judul_ref"], decided["rf_label"]) == (B, "MIRIP")
    assert "sama oleh Komisi TA" in decided["penjelasan"]


def test_only_decisions_with_consent_and_known_titles_are_learnt(engine, folder):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO, consent=True)
    decide(engine, folder, A, C, SAME, **WHO, consent=True, log_text=True)
    decide(engine, folder, B, C, SAME, **WHO)
    decide(engine, folder, "Judul Asing", C, SAME, **WHO, consent=True)
    votes = decision_votes(read_table(engine, decisions), [A, B.upper()], log_key(folder))
    assert votes.n_unreadable == 1
    assert {frozenset(row) for row in votes.rows} == {
        frozenset((A, B.upper(), 0)), frozenset((A, C, 1)),
    }  # fmt: skip
    assert votes.n_unsure == PairVotes().n_unsure


def test_forgotten_person_is_no_longer_named_but_the_decision_stays(engine, folder):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    decide(engine, folder, A, C, SAME, **{**WHO, "by": "Rapat"})
    user = keyed_hash(log_key(folder), "komisi ta")
    exported = json.loads(privacy.export(engine, folder, user, actor="a"))["tables"]["decisions"]
    assert [row["decided_by"] for row in exported] == ["Komisi TA"]
    assert user in privacy.users(engine, folder)
    result = privacy.forget(engine, folder, user, actor="a")
    assert (result.deleted["deciders"], sum(result.remaining.values())) == (1, 0)
    known = read_decisions(engine, folder)
    decided, other = known.decisions_for(A, [B, C])
    assert (decided["decision"], decided["decided_by"], decided["reason"]) == (NOT_DUPLICATE, None, "")
    assert other["decided_by"] == "Rapat"
    assert "bukan duplikat, " in known.apply(A, ranked([0.9], [], [B])).remarks[0]


def test_retention_keeps_decisions(engine, folder):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    with engine.begin() as connection:
        connection.execute(decisions.update().values(time=sa.func.date("2020-01-01")))
    privacy.retention(engine, folder, days=1, actor="a", force=True)
    assert lookup(engine, folder, A, B) == [NOT_DUPLICATE]


def test_backup_restores_decisions(engine, url, folder, tmp_path):
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    decide(engine, folder, A, C, SAME, **WHO)
    target, before = tmp_path / "cadangan.zip", read_table(engine, decisions)
    (tmp_path / "models").mkdir()
    backup(tmp_path / "models", engine, folder, target, actor="a", reason="coba")
    assert verify_backup(target).rows["decisions"] == 2
    undo(engine, folder, A, B, **WHO)
    decide(engine, folder, B, C, SAME, **WHO)
    restore(target, tmp_path / "models", url, folder, actor="a", reason="coba", force=True)
    assert read_table(engine, decisions) == before
    assert audit.verify(engine, folder) == []


def test_backup_from_before_there_were_decisions_is_restored(engine, url, folder, tmp_path):
    target = tmp_path / "cadangan.zip"
    (tmp_path / "models").mkdir()
    audit.append_row(engine, folder, actor="a", action=audit.TRAIN, reason="lama")
    backup(tmp_path / "models", engine, folder, target, actor="a", reason="coba")

    def remove_decisions(manifest, members):
        del members["log/decisions.jsonl"], manifest["rows"]["decisions"]
        for entry in ("hashes", "sizes"):
            del manifest[entry]["log/decisions.jsonl"]

    rewrite_zip(target, remove_decisions)
    with pytest.raises(LogError, match="rusak"):
        verify_backup(target)
    rewrite_zip(target, lambda manifest, members: manifest.update(schema=3))
    decide(engine, folder, A, B, NOT_DUPLICATE, **WHO)
    restore(target, tmp_path / "models", url, folder, actor="a", reason="coba", force=True)
    assert read_table(engine, decisions) == []
    assert audit.verify(engine, folder) == []


def test_text_of_a_decision_is_found_by_the_checklist(engine, folder, tmp_path):
    from judul_lib.core.config import Config

    config = Config(models=tmp_path)
    for log_text in (False, True):
        decide(engine, folder, A, B, SAME, **WHO, log_text=log_text)
        item = run_checklist(config, engine, tmp_path, tmp_path)[0]
        assert item.passed is not log_text
    assert "1 dari 1 baris" in item.evidence


def test_older_database_gets_the_table_and_keeps_its_rows(url, folder):
    with opened_database(url) as engine:
        audit.append_row(engine, folder, actor="a", action=audit.TRAIN, reason="lama")
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE decisions"))
            connection.execute(sa.text("UPDATE schema_version SET version = 3"))
    with opened_database(url) as engine:
        decide(engine, folder, A, B, SAME, **WHO, consent=True)
        (row,) = read_table(engine, decisions)
        assert (row["consent"], set(row)) == (True, set(decisions.c.keys()))
        assert [row["reason"] for row in audit_rows(engine)] == ["lama", "objek lain"]


def test_looking_for_decisions_creates_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("JUDUL_DATABASE_URL", raising=False)
    assert not may_have_decisions(tmp_path)
    log_key(tmp_path)
    assert not may_have_decisions(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.key"]
    with opened_database(f"sqlite:///{tmp_path / 'judul.db'}") as engine:
        assert not may_have_decisions(tmp_path)
        decide(engine, tmp_path, A, B, SAME, **WHO)
        assert may_have_decisions(tmp_path)
    with closing((tmp_path / "judul.db").open("r+b")) as stream:
        stream.write(b"not a database")
    assert may_have_decisions(tmp_path)  # Opening it says what is wrong.
