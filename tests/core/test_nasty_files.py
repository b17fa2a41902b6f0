"""Every command that reads a file gets every nasty file: a sentence or all rows, never a traceback."""

import codecs
import csv
import io
import json
import os
import re
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from judul_lib.checking.batches import NOT_COMPARED
from judul_lib.cli.main import main
from judul_lib.core.config import Config
from judul_lib.core.errors import CorpusError, LabelError
from judul_lib.core.storage import harmless_cell
from judul_lib.core.texts import read_texts
from judul_lib.labeling import retraining
from judul_lib.labeling.session import LabelingSession, read_answers
from judul_lib.reports import pipeline
from judul_lib.search.archives import read_archive
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import load_corpus, read_corpus, save_corpus
from judul_lib.study.preprocessing import title_key
from judul_lib.usage.database import DATABASE_FILE, opened_database, predictions, read_table, sqlite_url
from judul_lib.usage.log import UsageLog
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE
from judul_lib.web.proposals_panel import ProposalsPanel
from judul_lib.web.session import Session
from tests.conftest import PROJECT
from tests.nasty_files import (
    ANSWERS,
    ASCII,
    BLANK,
    DOUBLE,
    KEPT,
    LINE,
    NASTY,
    OURS,
    PAIRS,
    RAGGED,
    TITLES,
    Nasty,
    csv_text,
)

# What openpyxl would not write again is of no interest to who reads a file.
pytestmark = pytest.mark.filterwarnings("error::UserWarning:openpyxl.*")

COMPARED = (KEPT, DOUBLE)
QUERY = "Deteksi Hoaks Politik di Kudus"

files = pytest.mark.parametrize("one", NASTY, ids=lambda one: one.name)
pairs = pytest.mark.parametrize("one", [n for n in NASTY if not n.only_titles], ids=lambda one: one.name)


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    status: int | None
    out: str
    err: str


def run(*arguments: object) -> Told:
    """Run the command in this process. Where it does not end by itself, the test fails."""
    with CliRunner().isolation() as (out, err, _):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return Told(end.value.code, *(stream.getvalue().decode() for stream in (out, err)))


def assert_refused(told: Told, words: str) -> None:
    *notes, last = told.err.splitlines()
    assert told.status == 1, told
    assert last.startswith("Galat: "), told
    assert words in last
    assert all(note.startswith("Catatan: ") for note in notes), told
    assert last.isprintable()


@dataclass(frozen=True)
class Installation:
    """A folder of models, an index, and a log without entries."""

    models: Path
    index: Path


@pytest.fixture(scope="module")
def installation(tmp_path_factory) -> Installation:
    folder, light = tmp_path_factory.mktemp("installation"), PROJECT / "outputs" / "light"
    shutil.copytree(light, folder / "outputs" / "light")
    TitleIndex.build(ASCII[:1], light).save(folder / "index")
    with opened_database(sqlite_url(folder / "outputs" / "logs")):
        pass
    return Installation(folder / "outputs", folder / "index")


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def write(one: Nasty, header: tuple[str, ...] = TITLES) -> Path:
        path = tmp_path / f"judul{one.suffix or '.csv'}"
        path.write_bytes(one.content(header))
        return path

    return write


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a result as a spreadsheet does: without the mark in front it would show no accents."""
    csv.field_size_limit(10_000_000)
    content = path.read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def count(pattern: str, text: str) -> int:
    """Return the number that stands where the pattern has a group, or 0."""
    found = re.search(pattern, text)
    return int(found[1].replace(".", "")) if found else 0


# A catalogue: what is kept is used, the rest is counted.


def expected(one: Nasty, least: int = 1) -> tuple[str, list[str]]:
    """Return why a catalogue is refused, or else its titles."""
    kept = [title.strip() for title in one.fated(KEPT)]
    if one.refused or len(kept) < least:
        return one.refused or f"hanya berisi {len(kept)} judul", []
    return "", kept


def assert_noted(one: Nasty, told: Told, n_kept: int) -> None:
    """All rows of a catalogue are kept or counted as not used, and what was guessed is said."""
    assert told.status == 0, told
    n_rejected = count(r"(\d+) dari \d+ baris \S+ tidak dipakai", told.err)
    assert n_kept + n_rejected == len(one.rows)
    if n_rejected:
        row, fate = next((n, fate) for n, (_, fate) in enumerate(one.rows, start=2) if fate != KEPT)
        assert re.search(rf"baris {row} \([^)]*{BLANK if fate == LINE else fate}", told.err), told.err
    assert one.noted in told.err
    assert bool(told.err) == bool(n_rejected or one.noted), told.err


@files
def test_rows_of_a_catalogue_are_kept_or_rejected_with_their_reason(one, write, tmp_path):
    path, notes = write(one), []
    if one.refused:
        with pytest.raises(CorpusError, match=re.escape(one.refused)):
            read_corpus(path, min_titles=0)
        return
    corpus = read_corpus(path, min_titles=0, warn=notes.append)
    reasons = dict(zip(corpus.rejected["baris"], corpus.rejected["alasan"], strict=True))
    titles = dict(zip(corpus.rows, corpus.titles["Judul"], strict=True))
    titles |= dict(zip(corpus.rejected["baris"], corpus.rejected["Judul"], strict=True))
    assert sorted(titles) == list(range(2, len(one.rows) + 2))
    for row, (title, fate) in enumerate(one.rows, start=2):
        assert titles[row] == title.strip()
        assert (BLANK if fate == LINE else fate) in reasons.get(row, KEPT)
    assert one.noted in " ".join(notes)
    # As the second notebook reads what the first has written.
    save_corpus(corpus, tmp_path / "out")
    again = load_corpus(tmp_path / "out")
    pd.testing.assert_frame_equal(again.titles, corpus.titles)
    assert again.rejected.astype(str).to_dict() == corpus.rejected.astype(str).to_dict()
    assert again.rows == corpus.rows


@files
def test_a_title_is_checked_against_it(one, write, installation):
    told = run(
        "check", QUERY, "--corpus", write(one), "--models", installation.models,
        "--format", "json", "--top", 9999,
    )  # fmt: skip
    refused, kept = expected(one)
    if refused:
        assert_refused(told, refused)
        return
    found = [row["judul_ref"] for row in json.loads(told.out)["hasil"]]
    assert sorted(found) == sorted(kept)
    told = Told(told.status, told.out, re.sub("Catatan: Model .*\n", "", told.err))
    assert_noted(one, told, len(found))


@files
def test_an_index_is_built_of_it(one, write, installation, tmp_path):
    folder = tmp_path / "indeks"
    told = run("index", "build", write(one), folder, "--model", "light", "--models", installation.models)
    refused, kept = expected(one)
    if refused:
        assert_refused(told, refused)
        assert not folder.exists()
        return
    assert list(TitleIndex.load(folder).titles) == kept
    assert_noted(one, told, count(r"([\d.]+) judul,", told.out))


@files
def test_it_is_added_to_an_index(one, write, installation, tmp_path):
    folder = shutil.copytree(installation.index, tmp_path / "indeks")
    told = run("index", "add", folder, write(one))
    refused, kept = expected(one)
    if refused:
        assert_refused(told, refused)
        assert list(TitleIndex.load(folder).titles) == [ASCII[0]]
        return
    new = [title for title in kept if title_key(title) != title_key(ASCII[0])]
    assert list(TitleIndex.load(folder).titles) == [ASCII[0], *new]
    added, known = count(r"([\d.]+) judul ditambahkan", told.out), count(r"([\d.]+) dilewati", told.out)
    assert (added, known) == (len(new), len(kept) - len(new))
    assert_noted(one, told, added + known)


@files
def test_its_near_duplicates_are_found(one, write, installation, tmp_path):
    found, groups = tmp_path / "pasangan.csv", tmp_path / "kelompok.csv"
    told = run(
        "dedup", write(one), "--output", found, "--groups", groups, "--threshold", 0.3,
        "--model", "light", "--models", installation.models,
    )  # fmt: skip
    refused, kept = expected(one)
    if refused:
        assert_refused(told, refused)
        assert not found.exists()
        return
    assert_noted(one, told, count(r"Dari ([\d.]+) judul", told.out))
    titles = {str(row): title for row, (title, fate) in enumerate(one.rows, start=2) if fate == KEPT}
    named = [(row[f"baris_{side}"], row[f"judul_{side}"]) for row in rows_of(found) for side in "ab"]
    named += [(row["baris"], row["Judul"]) for row in rows_of(groups)]
    assert all(harmless_cell(titles[row].strip()) == title for row, title in named)
    assert len(rows_of(found)) == count(r"([\d.]+) pasangan", told.out)
    assert named or not {*ASCII[1:]} <= {*kept}


@files
def test_a_run_looks_at_it_before_anything_starts(one, write, monkeypatch):
    monkeypatch.setattr(pipeline, "run_notebooks", lambda paths, **_: started.append(paths.data) or [])
    started, path = [], write(one)
    told = run("run", "--data", path)
    refused, kept = expected(one, least=2)
    if refused:
        assert_refused(told, refused)
        assert not started
        return
    assert started == [path]
    assert_noted(one, told, len(kept))


@files
def test_titles_that_a_log_knows_by_hash_are_read_from_it(one, write, installation):
    told = run("retrain", "light", "--titles", write(one), "--models", installation.models)
    refused, kept = expected(one)
    assert_refused(told, refused or "Belum ada label baru")
    if not refused:
        notes = "".join(told.err.splitlines(keepends=True)[:-1])
        assert_noted(one, Told(0, "", notes), len(kept))


@pytest.fixture(scope="module")
def session(installation) -> Session:
    return Session(Config(models=installation.models, log=False), read_texts())


@files
def test_the_page_takes_it_as_an_archive(one, write, session):
    path, notes = write(one), []
    refused, kept = expected(one)
    if refused:
        for read in (lambda: session.read_upload(path.read_bytes(), path.name),
                     lambda: read_archive(path, session.config)):  # fmt: skip
            with pytest.raises(CorpusError, match=re.escape(refused)):
                read()
        return
    corpus = session.read_upload(path.read_bytes(), path.name, notes.append)
    assert corpus.titles["Judul"].tolist() == kept == read_archive(path, session.config)
    assert len(kept) + len(corpus.rejected) == len(one.rows)
    assert one.noted in " ".join(notes)


# A table of proposals or pairs: every row comes back, with an answer or without.


def refusal(one: Nasty) -> str:
    """Return why a table of labels is refused: one that is lost might be the one that counts."""
    return "jumlah kolom tidak sama" if one.fated(RAGGED) else one.refused


def assert_answered(one: Nasty, told: Told, rows: list[dict[str, str]], column: str, answer: str) -> int:
    """Assert that all rows are there in their order; return how many have an answer."""
    assert told.status == 0, told
    assert [row[column] for row in rows] == [harmless_cell(title) for title, _ in one.table]
    answered = [row[answer] not in ("", NOT_COMPARED) for row in rows]
    assert answered == [fate in COMPARED for _, fate in one.table]
    misfits = [row for row, (_, fate) in enumerate(one.rows, start=2) if fate == RAGGED]
    assert [f"baris {row} tidak diperiksa: {RAGGED}" in told.err for row in misfits] == [True] * len(
        misfits
    )
    n_blank = count(r"(\d+) baris tidak berisi judul", told.err)
    assert sum(answered) + n_blank + len(misfits) == len(rows)
    assert len(rows) + count(r"(\d+) baris kosong", told.err) == len(one.rows)
    assert one.noted in told.err
    return sum(answered)


def assert_marked(one: Nasty, rows: list[dict[str, str]]) -> None:
    """A row that does not fit its columns says so; no text of it is lost."""
    for (title, fate), row in zip(one.table, rows, strict=True):
        assert (row["rf_label"] == NOT_COMPARED) == (fate == RAGGED)
        assert (RAGGED in (row.get("penjelasan") or "")) == (fate == RAGGED)
        assert title.split(";")[0] in ";".join(row.values())


def named(rows: list[dict[str, str]], name: str) -> str:
    """Return a column's own name, whatever its case."""
    return next((key for row in rows[:1] for key in row if key.casefold() == name.casefold()), name)


@files
def test_every_proposal_of_it_is_checked(one, write, installation, tmp_path):
    output = tmp_path / "hasil.csv"
    told = run(
        "check", "--file", write(one), "--output", output, "--model", "light",
        "--models", installation.models,
    )  # fmt: skip
    if refused := one.refused:
        assert_refused(told, refused)
        assert not output.exists()
        return
    rows = rows_of(output)
    assert_answered(one, told, rows, named(rows, "Judul"), "rf_label")
    assert_marked(one, rows)
    assert count(r"Dari (\d+) baris", told.out) == len(rows)


@files
def test_the_page_checks_every_proposal_of_it(one, write, panel):
    path = write(one)
    panel.start(path.name, path.read_bytes()).join()
    said = unescape(panel.state.html)
    if refused := one.refused:
        assert refused in said
        assert "judul-galat" in said
        return
    rows = list(csv.DictReader(io.StringIO(panel._csv()[1].decode("utf-8-sig"), newline="")))
    told = Told(0, "", said)
    skipped = count(r"dan ([\d.]+) tidak dapat diperiksa", said) - len(one.fated(RAGGED))
    told = Told(0, "", f"{said} {skipped} baris tidak berisi judul")
    assert_answered(one, told, rows, named(rows, "Judul"), "simpulan")
    assert count(r"Dari ([\d.]+) usulan", said) == len(rows)


@pytest.fixture(scope="module")
def panel(session) -> ProposalsPanel:
    return ProposalsPanel(session, read_texts())


@pairs
def test_every_pair_of_it_is_scored(one, write, installation, tmp_path):
    output = tmp_path / "hasil.csv"
    told = run(
        "score-pairs", write(one, PAIRS), output, "--model", "light", "--models", installation.models
    )
    if refused := one.refused:
        assert_refused(told, refused)
        assert not output.exists()
        return
    rows = rows_of(output)
    n_scored = assert_answered(one, told, rows, named(rows, "judul_a"), "rf_label")
    assert_marked(one, rows)
    assert count(r"(\d+) pasangan dinilai", told.out) == n_scored


def test_columns_of_a_file_that_are_named_like_ours_are_kept(write, installation, tmp_path, panel):
    one = next(one for one in NASTY if one.name == "names of our own columns")
    output, models = tmp_path / "hasil.csv", ("--model", "light", "--models", installation.models)
    run("check", "--file", write(one), "--output", output, *models)
    tables = [output.read_text("utf-8-sig")]
    run("score-pairs", write(one, PAIRS), output, *models)
    tables.append(output.read_text("utf-8-sig"))
    panel.start("x.csv", one.content()).join()
    tables.append(panel._csv()[1].decode("utf-8-sig"))
    for table in tables:
        header, first, *_ = csv.reader(io.StringIO(table, newline=""))
        assert len(header) == len(set(header))
        assert not Counter(OURS) - Counter(first)  # The cells of these columns are their names.


# Labels.


@pairs
def test_it_is_learnt_from_row_by_row(one, write, installation, monkeypatch):
    def learnt(outputs: Path, name: str, labels: object, *_: object, **__: object) -> None:
        seen.append(labels)
        raise LabelError("sampai di sini")

    monkeypatch.setattr(retraining, "retrain", learnt)
    seen: list = []
    told = run(
        "retrain", "light", "--labels", write(one, PAIRS), "--no-feedback",
        "--models", installation.models,
    )  # fmt: skip
    bad = [row for row, (_, fate) in enumerate(one.rows, start=2) if fate not in (*COMPARED, LINE)]
    if refused := refusal(one):
        assert_refused(told, refused)
    elif bad:
        assert_refused(told, f"baris {bad[0]}: judul_a kosong atau tidak berisi kata")
    else:
        assert_refused(told, "sampai di sini")
        n_answers = count(r"berlabel dari (\d+) jawaban", told.out)
        assert n_answers + count(r"(\d+) baris kosong", told.err) == len(one.rows)
        assert seen[0].pairs["judul_a"].tolist() == [title.strip() for title, _ in one.table]
        assert one.noted in told.err
        return
    assert not seen


@files
def test_it_is_no_file_of_gold_pairs(one, write, installation, tmp_path):
    labels = tmp_path / "label.csv"
    labels.write_text("judul_a,judul_b,label\nDeteksi Hoaks,Prediksi Beras,tidak\n")
    told = run(
        "retrain", "light", "--labels", labels, "--no-feedback", "--gold", write(one),
        "--models", installation.models,
    )  # fmt: skip
    assert_refused(told, "kolom" if one.refused in ("", "tidak ada di", "2 kali") else one.refused)


@pairs
def test_it_is_read_as_the_answers_of_a_labeller(one, tmp_path):
    path = tmp_path / "label-p1.csv"
    path.write_bytes(content := one.content(ANSWERS))
    blank = [row for row, (title, _) in enumerate(one.rows, start=2) if not title.strip() and _ != LINE]
    if refused := refusal(one) or (f"Baris {blank[0]} tidak lengkap" if blank else ""):
        for read in (lambda: read_answers(path), lambda: LabelingSession(tmp_path, "p1", [])):
            with pytest.raises(LabelError, match="rusak dan tidak diubah.*" + re.escape(refused)):
                read()
        assert path.read_bytes() == content
        return
    before = read_answers(path)
    assert [answer.pair[0] for answer in before] == [title for title, _ in one.table]
    LabelingSession(tmp_path, "p1", [("Kopi Luwak", "Teh Hijau")]).answer("ragu")
    after = read_answers(path)
    assert [(a.key, a.label, a.time) for a in after[:-1]] == [(b.key, b.label, b.time) for b in before]
    assert after[-1].pair == ("Kopi Luwak", "Teh Hijau")


# What no table can be: an index, a backup, a folder of models or logs, settings.


@files
def test_it_is_nothing_else(one, write, installation, tmp_path, monkeypatch):
    path, models = write(one), ("--models", installation.models)
    content = path.read_bytes()
    for arguments, words in (
        (("check", QUERY, "--index", path, *models), "bukan folder indeks"),
        (("index", "info", path, *models), "bukan folder indeks"),
        (("index", "remove", path, QUERY), "bukan folder indeks"),
        (("index", "add", path, "--title", QUERY), "bukan folder indeks"),
        (("index", "build", path, path, *models), "adalah berkas"),
        (("govern", "restore", path, *models), "rusak atau bukan cadangan"),
        (("monitor", "--log", path, *models), "Belum ada log di"),
        (("check", QUERY, "--models", path), "adalah berkas"),
    ):
        assert_refused(run(*arguments), words)
    monkeypatch.setenv("JUDUL_CONFIG", str(path))
    told = run("check", QUERY, *models)
    if content.removeprefix(b"\xef\xbb\xbf").strip():
        assert_refused(told, "bukan TOML yang benar")
    else:
        assert told.status == 0, told
    assert path.read_bytes() == content


@files
def test_it_is_set_aside_whole_where_rows_of_the_log_are_expected(one, tmp_path):
    content = one.content()
    (tmp_path / SPOOL_FILE).write_bytes(content)
    log = UsageLog(tmp_path)
    assert log.bring_in() == 0
    lines = [line for line in content.split(b"\n") if line]
    aside = (tmp_path / DAMAGED_FILE).read_bytes() if lines else b""
    assert aside == b"".join(line + b"\n" for line in lines)


FACTS = {
    "nothing": b"", "null": b"null", "list": b"[]", "empty": b"{}", "deep": b"[" * 100_000,
    "number": b'{"name": 3, "format": 1}', "half": b'{"name": "light", ', "no text": b"\xff\xfe\0",
    "long": b"9" * 5_000,
    "no hash": b'{"name": "light", "files": {"arrays.npz": 1}}',
    "a path": b'{"name": "light", "files": {"../../etc/hostname": "0"}}',
    "the folder above": b'{"name": "light", "files": {"..": "0"}}',
    "no letter": b'{"name": "light", "files": {"a\\u0000b": "0"}}',
    "half a letter": b'{"name": "light", "files": {"\\ud83d": "0"}}',
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_nonsense_in_the_facts_of_a_model_an_index_or_a_backup(name, installation, tmp_path):
    models = shutil.copytree(installation.models, tmp_path / "outputs")
    index = shutil.copytree(installation.index, tmp_path / "indeks")
    (index / "index.json").write_bytes(FACTS[name])
    assert_refused(run("check", QUERY, "--index", index, "--models", models), "judul index build")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("manifest.json", FACTS[name])
    assert_refused(run("govern", "restore", tmp_path / "x.zip", "--models", models), "cadangan")
    (models / "light" / "metadata.json").write_bytes(FACTS[name])
    assert_refused(run("check", QUERY, "--models", models), "make run")
    assert run("models", "list", "--models", models).status == 0


@pytest.mark.parametrize("facts", [{}, {"name": None}, {"name": ["light"]}, {"name": "\0"}])
def test_a_model_whose_name_is_not_told_is_answered_with_a_sentence(facts, installation, tmp_path):
    models = shutil.copytree(installation.models, tmp_path / "outputs")
    path = models / "light" / "metadata.json"
    metadata = json.loads(path.read_text())
    del metadata["name"]
    path.write_text(json.dumps({**metadata, **facts}))
    for arguments in (
        ("check", QUERY),
        ("check", QUERY, "--model", "light"),
        ("models", "show", "light"),
    ):
        assert_refused(run(*arguments, "--models", models), "metadata.json tidak sama")
    checked = run("govern", "check", "--models", models)
    assert checked.status == 1
    assert "metadata.json tidak sama" in checked.out
    assert "Traceback" not in checked.err


DEEP = "a = " + "[" * 100_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (DEEP.encode(), "bukan TOML"),
        (b"port = " + b"9" * 5_000, "bukan TOML"),
        (b"port = 99999999999999999999", "bilangan bulat"),
        (b"port = 1979-05-27", "port tidak dapat dipakai"),
        (b"port = inf", "bilangan bulat"),
        (b"port = [1, 2]", "port tidak dapat dipakai"),
        (b"[port]\nx = 1", "port tidak dapat dipakai"),
        (b"port = 1\nport = 2", "bukan TOML"),
        (b"threshold = inf", "threshold"),
        (b'models = "a\\u0000b"', "Berikan nama folder"),
        (b'[corpora]\nA = "a\\u0000b"', "[corpora] harus berupa"),
        (b'[corpora]\nA = ""', "[corpora] harus berupa"),
        (b"[[corpora]]\nA = 1", "[corpora] harus berupa"),
        (b"[ab_test]\nlight = inf", "[ab_test] harus berupa"),
        (b"[ab_test]\nlight = nan", "[ab_test] harus berupa"),
        (b"[ab_test]\nlight = " + b"9" * 400, "[ab_test] harus berupa"),
        (b'"\\u001b[2J" = 1', "tidak dikenal"),
        (b'host = "a\\nb"', "host"),
        ("port = 9001".encode("utf-16"), "bukan TOML"),
        (b"# \xe9\nport = 9001", "bukan TOML"),
        (b"\0", "bukan TOML"),
    ],
)  # fmt: skip
def test_nonsense_in_the_settings_is_answered_with_a_sentence(content, words, tmp_path, monkeypatch):
    path = tmp_path / "judul.toml"
    path.write_bytes(content)
    monkeypatch.setenv("JUDUL_CONFIG", str(path))
    assert_refused(run("check", QUERY), words)


def test_settings_may_begin_with_a_mark(installation, tmp_path, monkeypatch):
    path = tmp_path / "judul.toml"
    path.write_bytes(b"\xef\xbb\xbf" + f'models = "{installation.models}"\nthreshold = 0.9\n'.encode())
    monkeypatch.setenv("JUDUL_CONFIG", str(path))
    assert "ambang 0,90" in run("check", QUERY).out


# Files that are none, and names that are strange.


@pytest.fixture
def strange(tmp_path) -> dict[str, Path]:
    folder, loop, nowhere = tmp_path / "folder.csv", tmp_path / "putar.csv", tmp_path / "hilang.csv"
    folder.mkdir()
    loop.symlink_to(loop)
    nowhere.symlink_to(tmp_path / "tidak-ada.csv")
    return {
        "folder": folder, "loop": loop, "nowhere": nowhere, "nothing": Path("/dev/null"),
        "without end": Path("/dev/zero"), "long": tmp_path / ("x" * 300), "empty": Path(),
        "beyond": tmp_path / "judul.csv" / "x.csv", "new": tmp_path / "baru\x1b[2J.csv",
    }  # fmt: skip


READERS: dict[str, Callable[[Path, Path], tuple[object, ...]]] = {
    "check --file": lambda path, out: ("check", "--file", path, "--output", out, "--model", "light"),
    "check --corpus": lambda path, out: ("check", QUERY, "--corpus", path, "--model", "light"),
    "index build": lambda path, out: ("index", "build", path, out, "--model", "light"),
    "dedup": lambda path, out: ("dedup", path, "--output", out, "--model", "light"),
    "score-pairs": lambda path, out: ("score-pairs", path, out, "--model", "light"),
    "retrain": lambda path, out: ("retrain", "light", "--labels", path, "--no-feedback"),
    "run": lambda path, out: ("run", "--data", path),
    "restore": lambda path, out: ("govern", "restore", path),
}


def models_of(command: str, installation: Installation) -> tuple[object, ...]:
    return () if command == "run" else ("--models", installation.models)


@pytest.mark.parametrize("command", READERS)
def test_what_is_no_file_is_named(command, strange, installation, tmp_path):
    (tmp_path / "judul.csv").write_bytes(b"")
    words = {
        "folder": "folder", "loop": "link", "nowhere": "tidak ditemukan", "long": "terlalu panjang",
        "beyond": "berkas", "new": "tidak ditemukan", "nothing": "bukan berkas",
        "without end": "bukan berkas",
    }  # fmt: skip
    out = tmp_path / "hasil"
    for kind, path in strange.items():
        told = run(*READERS[command](path, out), *models_of(command, installation))
        assert_refused(told, "")
        sentence = told.err.lower()
        is_other = command in ("check --corpus", "restore")  # A folder may be an index.
        assert is_other or words.get(kind, "") in sentence, (kind, sentence)
        assert not out.exists()


@pytest.mark.parametrize("command", READERS)
def test_what_may_not_be_read_is_named(command, installation, tmp_path):
    path = tmp_path / "judul.csv"
    path.write_bytes(NASTY[0].content())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("whoever runs this may read everything")
    told = run(*READERS[command](path, tmp_path / "x"), *models_of(command, installation))
    assert_refused(told, "izin")


@pytest.mark.parametrize(
    "name",
    [
        "-judul.csv",
        "judul \x1b[31m\x07.csv",
        "ju\ndul.csv",
        "judul\udcff.csv",
        "%s{0}$(x)`y`'\".csv",
        "." * 200,
        "\u202ejudul.csv",
        "=1+1.csv",
    ],
    ids=ascii,
)
def test_a_strange_name_is_a_name(name, installation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, target = tmp_path / name, tmp_path / f"hasil{name}"
    source.write_bytes(csv_text([["Judul"], *([title] for title in ASCII)]).encode())
    relative = Path("./") / name if not name.startswith("-") else f"--file={name}"
    models = ("--model", "light", "--models", installation.models)
    argument = (relative,) if name.startswith("-") else ("--file", relative)
    told = run("check", *argument, "--output", target, *models)
    assert told.status == 0, told
    assert len(rows_of(target)) == 3
    assert "\x1b" not in told.err
    wrong = tmp_path / f"salah{name}"
    wrong.write_bytes(b"Nama\nAni\n")
    assert_refused(run("check", "--file", wrong, "--output", target, *models), "Kolom 'Judul' tidak ada")


def test_a_pipe_is_read_to_its_end(installation, tmp_path):
    path = tmp_path / "pipa"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(NASTY[0].content(),), daemon=True)
    writer.start()
    told = run("check", "--file", path, "--output", tmp_path / "hasil.csv", "--model", "light",
               "--models", installation.models)  # fmt: skip
    writer.join(timeout=10)
    assert told.out.startswith("Dari 3 baris"), told


# What is left in the log.


def test_every_nasty_title_that_is_answered_is_in_the_log(installation, tmp_path, monkeypatch):
    titles = [pair for one in NASTY for pair in one.rows if len(pair[0]) < 2_000 and pair[1] in COMPARED]
    path = tmp_path / "usulan.csv"
    path.write_text(csv_text([["Judul"], *([title] for title, _ in titles)]), newline="")
    models = shutil.copytree(installation.models, tmp_path / "outputs")
    monkeypatch.setenv("JUDUL_LOG", "true")
    monkeypatch.setenv("JUDUL_LOG_TEXT", "true")
    told = run("check", "--file", path, "--output", tmp_path / "x.csv", "--model", "light",
               "--models", models)  # fmt: skip
    assert told.status == 0, told
    assert (models / "logs" / DATABASE_FILE).is_file()
    with opened_database(sqlite_url(models / "logs")) as engine:
        logged = [" ".join(row["query_text"].split()) for row in read_table(engine, predictions)]
    assert sorted(logged) == sorted(" ".join(title.split()) for title, _ in titles)
    assert run("monitor", "--models", models, "--format", "json").status == 0


def test_a_title_that_is_no_text_is_answered(installation):
    told = run("check", "Deteksi \udcff Hoaks", "--model", "light", "--models", installation.models,
               "--format", "json")  # fmt: skip
    assert json.loads(told.out)["judul"] == "Deteksi \udcff Hoaks"
