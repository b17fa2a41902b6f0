"""Every nasty file goes through the reader, and one of each kind through every command and the page.

A file is refused with an error message or has an answer for each row, and never causes a traceback.
"""

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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from judul_lib.checking.batches import NOT_COMPARED
from judul_lib.cli.main import main
from judul_lib.core.config import Config
from judul_lib.core.errors import CorpusError, JudulError, LabelError
from judul_lib.core.storage import escape_formula
from judul_lib.core.tables import find_column
from judul_lib.labeling import retraining
from judul_lib.labeling.session import LabelingSession, read_answers
from judul_lib.reports import pipeline
from judul_lib.search.archives import read_archive
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import load_corpus, read_corpus, read_table, save_corpus
from judul_lib.study.preprocessing import title_key
from judul_lib.study.title_text import clean_title
from judul_lib.usage import database
from judul_lib.usage.log import UsageLog
from judul_lib.usage.spool import DAMAGED_FILE, SPOOL_FILE
from judul_lib.web.app import create_app
from judul_lib.web.file_checks import job_work
from judul_lib.web.jobs import JobStore
from judul_lib.web.service import Service
from tests import nasty_files
from tests.conftest import PROJECT
from tests.nasty_files import (
    ASCII,
    BAD_QUOTES,
    BLANK,
    DOUBLE,
    KEPT,
    LINE,
    NASTY,
    PAIR_HEADER,
    RAGGED,
    TITLE_HEADER,
    Nasty,
)

COMPARED = (KEPT, DOUBLE)
QUERY = "Deteksi Hoaks Politik di Kudus"
LIGHT = ("--model", "light")
BY_NAME = {nasty.name: nasty for nasty in NASTY}
# One of each kind; together they have every fate of a row, a warning, and refusals.
KINDS = {
    "encoding": "windows-1252",  # Guessed with a warning, and a duplicate title.
    "delimiter": "a row too long",
    "workbook": "cells of other types",  # Numbers, dates, errors and empty cells as titles.
    "binary": "picture",
    "formulas": "formulas and terminal escapes",
    "huge cell": "a title of 20,000 words",
    "header": "the column twice",
    "line ends": "line ends in titles and blank lines",
}
EXAMPLES = [BY_NAME[name] for name in KINDS.values()]
every_file = pytest.mark.parametrize("nasty", NASTY, ids=lambda nasty: nasty.name)
every_kind = pytest.mark.parametrize("nasty", EXAMPLES, ids=KINDS)
every_kind_or_no_rows = pytest.mark.parametrize(
    "nasty", [*EXAMPLES, BY_NAME["only a header"]], ids=[*KINDS, "no rows"]
)


@dataclass(frozen=True)
class Result:
    """Exit status and output of a command."""

    status: int | None
    out: str
    err: str


def run(*arguments: object) -> Result:
    """Run the command in this process; the test fails on any other exception than SystemExit."""
    with CliRunner().isolation() as (out, err, _):
        with pytest.raises(SystemExit) as exit_info:
            main([str(argument) for argument in arguments])
        return Result(exit_info.value.code, *(stream.getvalue().decode() for stream in (out, err)))


def assert_refused(result: Result, words: str) -> None:
    *notes, last = result.err.splitlines()
    assert result.status == 1, result
    assert last.startswith("Galat: "), result
    assert words in last
    assert all(note.startswith("Catatan: ") for note in notes), result
    assert last.isprintable()


@dataclass(frozen=True)
class Installation:
    """A folder of models, an index, and a log without entries."""

    models: Path
    index: Path

    def run(self, *arguments: object) -> Result:
        return run(*arguments, "--models", self.models)

    def copy(self, folder: Path) -> "Installation":
        return Installation(
            shutil.copytree(self.models, folder / "outputs"),
            shutil.copytree(self.index, folder / "indeks"),
        )


@pytest.fixture(scope="session")
def installation(tmp_path_factory) -> Installation:
    folder, light = tmp_path_factory.mktemp("installation"), PROJECT / "outputs" / "light"
    shutil.copytree(light, folder / "outputs" / "light")
    TitleIndex.build(ASCII[:1], light).save(folder / "index")
    with database.opened_database(database.sqlite_url(folder / "outputs" / "logs")):
        pass
    return Installation(folder / "outputs", folder / "index")


@pytest.fixture(scope="session")
def page(installation, tmp_path_factory) -> TestClient:
    service = Service(Config(models=installation.models, log=False))
    service.jobs = JobStore(tmp_path_factory.mktemp("jobs"))
    return TestClient(create_app(service), base_url="http://localhost", follow_redirects=False)


def check_on_page(page: TestClient, name: str, content: bytes) -> tuple[str, bytes]:
    """Upload a file and do its job; return the text of its page, and its result as CSV."""
    address = page.post("/berkas", files={"berkas": (name, content)}).headers["location"]
    service, job_id = page.app.state.service, address.rsplit("/", 1)[1]
    try:
        job_work(service)(service.jobs, service.jobs.read(job_id))
    except JudulError as error:
        service.jobs.report(job_id, state="gagal", message=str(error))
    return unescape(page.get(address).text), page.get(f"{address}/unduh.csv").content


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def write(nasty: Nasty, header: tuple[str, ...] = TITLE_HEADER) -> Path:
        path = tmp_path / f"judul{nasty.suffix or '.csv'}"
        path.write_bytes(nasty.content(header))
        return path

    return write


def rows_of(content: bytes) -> list[dict[str, str]]:
    """Read a result, which needs a BOM for spreadsheets to show accents."""
    csv.field_size_limit(10_000_000)
    assert content.startswith(codecs.BOM_UTF8)
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def title_csv(titles: Iterable[str]) -> bytes:
    return nasty_files.csv_text([["Judul"], *([title] for title in titles)]).encode()


def count(pattern: str, text: str) -> int:
    """Return the number in the group of a pattern, or 0 without a match."""
    match = re.search(pattern, text)
    return int(match[1].replace(".", "")) if match else 0


# The reader keeps or rejects each row.


@every_file
def test_corpus_rows_are_kept_or_rejected_with_a_reason(nasty, write, tmp_path):
    path, notes = write(nasty), []
    if nasty.refused:
        with pytest.raises(CorpusError, match=re.escape(nasty.refused)):
            read_corpus(path, min_titles=0)
        return
    if (n_kept := len(nasty.numbered(KEPT))) < 2:
        with pytest.raises(CorpusError, match=f"hanya berisi {n_kept} judul"):
            read_corpus(path)
    corpus = read_corpus(path, min_titles=0, warn=notes.append)
    reasons = dict(zip(corpus.rejected["baris"], corpus.rejected["alasan"], strict=True))
    titles = dict(zip(corpus.rows, corpus.titles["Judul"], strict=True))
    titles |= dict(zip(corpus.rejected["baris"], corpus.rejected["Judul"], strict=True))
    first = nasty.first_row
    assert sorted(titles) == list(range(first, len(nasty.rows) + first))
    for row, (title, fate) in enumerate(nasty.rows, first):
        assert titles[row] == clean_title(title)
        assert (BLANK if fate == LINE else fate) in reasons.get(row, KEPT)
    assert nasty.noted in " ".join(notes)
    save_corpus(corpus, tmp_path / "out")
    loaded = load_corpus(tmp_path / "out")
    pd.testing.assert_frame_equal(loaded.titles, corpus.titles)
    assert loaded.rejected.astype(str).to_dict() == corpus.rejected.astype(str).to_dict()
    assert loaded.rows == corpus.rows


@every_file
def test_table_rows_are_read_unchanged(nasty, write):
    path, notes, faults = write(nasty), [], {}
    if nasty.titles_only:
        return
    if nasty.refused:
        with pytest.raises(CorpusError, match=re.escape(nasty.refused)):
            find_column(read_table(path).columns.tolist(), "Judul", path.name)
        return
    unusable = nasty.numbered(RAGGED, BAD_QUOTES)
    if unusable:
        with pytest.raises(CorpusError, match=rf"baris {min(unusable)}.*: ({RAGGED}|{BAD_QUOTES})"):
            read_table(path)
    frame = read_table(path, warn=notes.append, faults=faults)
    column = find_column(frame.columns.tolist(), "Judul", path.name)
    titles = dict(zip(frame.index, frame.iloc[:, column], strict=True))
    assert titles == {
        row: title for row, (title, fate) in enumerate(nasty.rows, nasty.first_row) if fate != LINE
    }
    assert {frame.index[place] for place in faults} == set(unusable)
    assert count(r"(\d+) baris kosong", " ".join(notes)) == len(nasty.numbered(LINE))
    assert nasty.noted in " ".join(notes)


# Commands that read a corpus use the kept rows and count the others.


def expected(nasty: Nasty, min_titles: int = 1) -> tuple[str, list[str]]:
    """Return why a corpus is refused, or else its titles."""
    kept = [clean_title(title) for title in nasty.numbered(KEPT).values()]
    if nasty.refused or len(kept) < min_titles:
        return nasty.refused or f"hanya berisi {len(kept)} judul", []
    return "", kept


def assert_noted(nasty: Nasty, result: Result, n_kept: int) -> None:
    """Assert that all rows of a corpus are kept or reported as not used, and guesses reported."""
    assert result.status == 0, result
    n_rejected = count(r"(\d+) dari \d+ baris \S+ tidak dipakai", result.err)
    assert n_kept + n_rejected == len(nasty.rows)
    if n_rejected:
        row, fate = next(
            (n, fate) for n, (_, fate) in enumerate(nasty.rows, nasty.first_row) if fate != KEPT
        )
        reason = BLANK if fate == LINE else fate
        assert re.search(rf"baris {row} \([^)]*{reason}", result.err), result.err
    assert nasty.noted in result.err
    assert bool(result.err) == bool(n_rejected or nasty.noted), result.err


@every_kind
def test_check_compares_with_its_kept_rows(nasty, write, installation):
    result = installation.run(
        "check", QUERY, "--corpus", write(nasty), "--format", "json", "--top", 9999
    )
    refused, kept = expected(nasty)
    if refused:
        assert_refused(result, refused)
        return
    titles = [row["judul_ref"] for row in json.loads(result.out)["hasil"]]
    assert sorted(titles) == sorted(kept)
    notes = re.sub("Catatan: Model .*\n", "", result.err)
    assert_noted(nasty, Result(result.status, result.out, notes), len(titles))


@every_kind
def test_index_is_built_from_and_extended_by_its_kept_rows(nasty, write, installation, tmp_path):
    new_index, extended = tmp_path / "baru", installation.copy(tmp_path).index
    result = installation.run("index", "build", write(nasty), new_index, *LIGHT)
    added = run("index", "add", extended, write(nasty))
    refused, kept = expected(nasty)
    if refused:
        assert_refused(result, refused)
        assert_refused(added, refused)
        assert not new_index.exists()
        assert list(TitleIndex.load(extended).titles) == [ASCII[0]]
        return
    assert list(TitleIndex.load(new_index).titles) == kept
    assert_noted(nasty, result, count(r"([\d.]+) judul,", result.out))
    new = [title for title in kept if title_key(title) != title_key(ASCII[0])]
    assert list(TitleIndex.load(extended).titles) == [ASCII[0], *new]
    n_new = count(r"([\d.]+) judul ditambahkan", added.out)
    n_skipped = count(r"([\d.]+) dilewati", added.out)
    assert (n_new, n_skipped) == (len(new), len(kept) - len(new))
    assert_noted(nasty, added, n_new + n_skipped)


@every_kind
def test_dedup_reports_row_numbers_of_the_file(nasty, write, installation, tmp_path):
    pairs, groups = tmp_path / "pasangan.csv", tmp_path / "kelompok.csv"
    result = installation.run(
        "dedup", write(nasty), "--output", pairs, "--groups", groups, "--threshold", 0.3, *LIGHT
    )
    refused, kept = expected(nasty)
    if refused:
        assert_refused(result, refused)
        assert not pairs.exists()
        return
    assert_noted(nasty, result, count(r"Dari ([\d.]+) judul", result.out))
    rows = rows_of(pairs.read_bytes())
    named = [(row[f"baris_{side}"], row[f"judul_{side}"]) for row in rows for side in "ab"]
    named += [(row["baris"], row["Judul"]) for row in rows_of(groups.read_bytes())]
    titles = nasty.numbered(KEPT)
    assert all(escape_formula(clean_title(titles[int(row)])) == title for row, title in named)
    assert len(rows) == count(r"([\d.]+) pasangan", result.out)
    assert named or not {*ASCII[1:]} <= {*kept}


@every_kind
def test_run_checks_the_file_before_any_notebook(nasty, write, monkeypatch):
    monkeypatch.setattr(pipeline, "run_notebooks", lambda paths, **_: started.append(paths.data) or [])
    started, path = [], write(nasty)
    result = run("run", "--data", path)
    refused, kept = expected(nasty, min_titles=2)
    if refused:
        assert_refused(result, refused)
    else:
        assert_noted(nasty, result, len(kept))
    assert started == ([] if refused else [path])


@every_kind
def test_retrain_reads_titles_from_the_file(nasty, write, installation):
    result = installation.run("retrain", "light", "--titles", write(nasty))
    refused, kept = expected(nasty)
    assert_refused(result, refused or "Belum ada label baru")
    if not refused:
        notes = "".join(result.err.splitlines(keepends=True)[:-1])
        assert_noted(nasty, Result(0, "", notes), len(kept))


@every_kind
def test_page_reads_the_file_as_an_archive(nasty, write):
    path, notes = write(nasty), []
    refused, kept = expected(nasty)
    if refused:
        with pytest.raises(CorpusError, match=re.escape(refused)):
            read_archive(path, Config())
        return
    corpus = read_corpus(path, min_titles=1, warn=notes.append)
    assert corpus.titles["Judul"].tolist() == kept == read_archive(path, Config())
    assert len(kept) + len(corpus.rejected) == len(nasty.rows)
    assert nasty.noted in " ".join(notes)


# Commands that read proposals or pairs return every row, with an answer or without.


def assert_answered(
    nasty: Nasty, output: str, rows: list[dict[str, str]], column: str, answer: str
) -> int:
    """Assert that all rows are returned in order; return how many have an answer."""
    assert [row[column] for row in rows] == [escape_formula(title) for title, _ in nasty.table]
    answered = [row[answer] not in ("", NOT_COMPARED) for row in rows]
    assert answered == [fate in COMPARED for _, fate in nasty.table]
    mismatched_rows = nasty.numbered(RAGGED)
    assert all(f"baris {row} tidak diperiksa: {RAGGED}" in output for row in mismatched_rows)
    assert len(rows) + count(r"(\d+) baris kosong", output) == len(nasty.rows)
    assert nasty.noted in output
    return sum(answered)


def assert_marked(nasty: Nasty, output: str, rows: list[dict[str, str]]) -> None:
    """Assert that ragged rows are marked and keep their text, and that blank rows are counted."""
    for (title, fate), row in zip(nasty.table, rows, strict=True):
        assert (row["rf_label"] == NOT_COMPARED) == (fate == RAGGED)
        assert (RAGGED in (row.get("penjelasan") or "")) == (fate == RAGGED)
        assert title in ";".join(row.values()) or escape_formula(title) in row.values()
    n_without = sum(fate not in COMPARED for _, fate in nasty.table) - len(nasty.numbered(RAGGED))
    assert count(r"(\d+) baris tidak berisi judul", output) == n_without


def assert_refused_or_answered(
    nasty: Nasty, result: Result, output: Path, column: str
) -> tuple[int, int]:
    """Assert that a command refuses the file or answers it; return how many rows and answers it has."""
    if nasty.refused:
        assert_refused(result, nasty.refused)
        assert not output.exists()
        return 0, 0
    assert result.status == 0, result
    rows = rows_of(output.read_bytes())
    n_answered = assert_answered(nasty, result.err, rows, column, "rf_label")
    assert_marked(nasty, result.err, rows)
    return len(rows), n_answered


@every_kind_or_no_rows
def test_check_answers_each_proposal(nasty, write, installation, tmp_path):
    output = tmp_path / "hasil.csv"
    result = installation.run("check", "--file", write(nasty), "--output", output, *LIGHT)
    n_rows, _ = assert_refused_or_answered(nasty, result, output, "Judul")
    assert count(r"Dari (\d+) baris", result.out) == n_rows


@every_kind_or_no_rows
def test_page_answers_each_proposal(nasty, write, page):
    path = write(nasty)
    html, result = check_on_page(page, path.name, path.read_bytes())
    if nasty.refused:
        assert nasty.refused in html
        assert 'class="galat"' in html
        return
    rows = rows_of(result)
    n_answered = assert_answered(nasty, html, rows, "Judul", "simpulan")
    assert count(r"dan ([\d.]+) tidak dapat diperiksa", html) == len(rows) - n_answered
    assert count(r"Dari ([\d.]+) usulan", html) == len(rows)


@every_kind_or_no_rows
def test_score_pairs_scores_each_pair(nasty, write, installation, tmp_path):
    output = tmp_path / "hasil.csv"
    result = installation.run("score-pairs", write(nasty, PAIR_HEADER), output, *LIGHT)
    _, n_scored = assert_refused_or_answered(nasty, result, output, "judul_a")
    assert count(r"(\d+) pasangan dinilai", result.out) == n_scored


def test_columns_named_like_those_of_the_result_are_kept(write, installation, tmp_path, page):
    nasty, output = BY_NAME["names of result columns"], tmp_path / "hasil.csv"
    installation.run("check", "--file", write(nasty), "--output", output, *LIGHT)
    tables = [output.read_bytes()]
    installation.run("score-pairs", write(nasty, PAIR_HEADER), output, *LIGHT)
    tables.append(output.read_bytes())
    tables.append(check_on_page(page, "x.csv", nasty.content())[1])
    for table in tables:
        header, first, *_ = csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""))
        assert len(header) == len(set(header))
        # The cells of these columns are their names.
        assert not Counter(nasty_files.RESULT_COLUMNS) - Counter(first)


# Labels.


def refusal_of_labels(nasty: Nasty) -> str:
    return "jumlah kolom tidak sama" if nasty.numbered(RAGGED) else nasty.refused


@every_kind
def test_retrain_learns_from_each_row(nasty, write, installation, monkeypatch):
    def retrain(outputs: Path, name: str, labels: object, *_: object, **__: object) -> None:
        received.append(labels)
        raise LabelError("sampai di sini")

    monkeypatch.setattr(retraining, "retrain", retrain)
    received: list = []
    result = installation.run("retrain", "light", "--labels", write(nasty, PAIR_HEADER), "--no-feedback")
    bad = [row for row, (_, fate) in enumerate(nasty.rows, start=2) if fate not in (*COMPARED, LINE)]
    wordless = f"baris {bad[0]}: judul_a kosong atau tidak berisi kata" if bad else ""
    if refused := refusal_of_labels(nasty) or wordless:
        assert_refused(result, refused)
        assert not received
        return
    assert_refused(result, "sampai di sini")
    n_answers = count(r"berlabel dari (\d+) jawaban", result.out)
    assert n_answers + count(r"(\d+) baris kosong", result.err) == len(nasty.rows)
    assert received[0].pairs["judul_a"].tolist() == [title.strip() for title, _ in nasty.table]
    assert nasty.noted in result.err


@every_kind
def test_file_of_titles_is_refused_as_gold_pairs(nasty, write, installation, tmp_path):
    labels = tmp_path / "label.csv"
    labels.write_text("judul_a,judul_b,label\nDeteksi Hoaks,Prediksi Beras,tidak\n")
    result = installation.run(
        "retrain", "light", "--labels", labels, "--no-feedback", "--gold", write(nasty)
    )
    assert_refused(result, "kolom" if nasty.refused in ("", "2 kali") else nasty.refused)


@every_kind
def test_answers_of_a_labeller_are_read_or_the_file_stays_unchanged(nasty, tmp_path):
    path, content = tmp_path / "label-p1.csv", nasty.content(nasty_files.ANSWER_HEADER)
    path.write_bytes(content)
    blank = [
        row for row, (title, fate) in enumerate(nasty.rows, 2) if not title.strip() and fate != LINE
    ]
    if refused := refusal_of_labels(nasty) or (f"Baris {blank[0]} tidak lengkap" if blank else ""):
        for read in (lambda: read_answers(path), lambda: LabelingSession(tmp_path, "p1", [])):
            with pytest.raises(LabelError, match="rusak dan tidak diubah.*" + re.escape(refused)):
                read()
        assert path.read_bytes() == content
        return
    before = read_answers(path)
    assert [answer.pair[0] for answer in before] == [title for title, _ in nasty.table]
    LabelingSession(tmp_path, "p1", [("Kopi Luwak", "Teh Hijau")]).answer("ragu")
    after = read_answers(path)
    assert [(a.key, a.label, a.time) for a in after[:-1]] == [(b.key, b.label, b.time) for b in before]
    assert after[-1].pair == ("Kopi Luwak", "Teh Hijau")


# Inputs that are not tables: an index, a backup, a folder of models or logs, settings.


@every_kind
def test_file_is_refused_as_index_backup_log_models_or_settings(nasty, write, installation, monkeypatch):
    path = write(nasty)
    content, models = path.read_bytes(), ("--models", installation.models)
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
    assert_refused(installation.run("check", QUERY), "bukan TOML yang benar")
    assert path.read_bytes() == content


@every_kind
def test_damaged_spool_of_the_log_is_set_aside_completely(nasty, tmp_path):
    content = nasty.content()
    (tmp_path / SPOOL_FILE).write_bytes(content)
    assert UsageLog(tmp_path).flush_spool() == 0
    lines = [line for line in content.split(b"\n") if line]
    assert (tmp_path / DAMAGED_FILE).read_bytes() == b"".join(line + b"\n" for line in lines)


INVALID_METADATA = {
    "empty file": b"", "null": b"null", "list": b"[]", "empty object": b"{}",
    "deeply nested": b"[" * 100_000, "number": b'{"name": 3, "format": 1}',
    "truncated": b'{"name": "light", ', "not utf-8": b"\xff\xfe\0", "long number": b"9" * 5_000,
    "hash of another type": b'{"name": "light", "files": {"arrays.npz": 1}}',
    "a path": b'{"name": "light", "files": {"../../etc/hostname": "0"}}',
    "parent folder": b'{"name": "light", "files": {"..": "0"}}',
    "null character": b'{"name": "light", "files": {"a\\u0000b": "0"}}',
    "lone surrogate": b'{"name": "light", "files": {"\\ud83d": "0"}}',
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID_METADATA)
def test_invalid_metadata_of_a_model_an_index_or_a_backup_is_refused(name, installation, tmp_path):
    copy, backup = installation.copy(tmp_path), tmp_path / "x.zip"
    (copy.index / "index.json").write_bytes(INVALID_METADATA[name])
    assert_refused(copy.run("check", QUERY, "--index", copy.index), "judul index build")
    with zipfile.ZipFile(backup, "w") as archive:
        archive.writestr("manifest.json", INVALID_METADATA[name])
    assert_refused(copy.run("govern", "restore", backup), "cadangan")
    (copy.models / "light" / "metadata.json").write_bytes(INVALID_METADATA[name])
    assert_refused(copy.run("check", QUERY), "make run")
    assert copy.run("models", "list").status == 0


@pytest.mark.parametrize("changes", [{}, {"name": None}, {"name": ["light"]}, {"name": "\0"}])
def test_model_without_a_valid_name_is_refused(changes, installation, tmp_path):
    copy = installation.copy(tmp_path)
    path = copy.models / "light" / "metadata.json"
    metadata = json.loads(path.read_text())
    del metadata["name"]
    path.write_text(json.dumps({**metadata, **changes}))
    for arguments in (("check", QUERY), ("check", QUERY, *LIGHT), ("models", "show", "light")):
        assert_refused(copy.run(*arguments), "metadata.json tidak sama")
    checked = copy.run("govern", "check")
    assert checked.status == 1
    assert "metadata.json tidak sama" in checked.out
    assert "Traceback" not in checked.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = " + b"[" * 100_000, "bukan TOML"), (b"port = " + b"9" * 5_000, "bukan TOML"),
        (b"port = 99999999999999999999", "bilangan bulat"),
        (b"port = 1979-05-27", "port tidak dapat dipakai"), (b"port = inf", "bilangan bulat"),
        (b"port = [1, 2]", "port tidak dapat dipakai"), (b"[port]\nx = 1", "port tidak dapat dipakai"),
        (b"port = 1\nport = 2", "bukan TOML"), (b"threshold = inf", "threshold"),
        (b'models = "a\\u0000b"', "Berikan nama folder"),
        (b'[corpora]\nA = "a\\u0000b"', "[corpora] harus berupa"),
        (b'[corpora]\nA = ""', "[corpora] harus berupa"),
        (b"[[corpora]]\nA = 1", "[corpora] harus berupa"),
        (b"[ab_test]\nlight = inf", "[ab_test] harus berupa"),
        (b"[ab_test]\nlight = nan", "[ab_test] harus berupa"),
        (b"[ab_test]\nlight = " + b"9" * 400, "[ab_test] harus berupa"),
        (b'"\\u001b[2J" = 1', "tidak dikenal"), (b'host = "a\\nb"', "host"),
        ("port = 9001".encode("utf-16"), "bukan TOML"), (b"# \xe9\nport = 9001", "bukan TOML"),
        (b"\0", "bukan TOML"),
    ],
)  # fmt: skip
def test_invalid_settings_are_refused(content, words, tmp_path, monkeypatch):
    path = tmp_path / "judul.toml"
    path.write_bytes(content)
    monkeypatch.setenv("JUDUL_CONFIG", str(path))
    assert_refused(run("check", QUERY), words)


def test_settings_may_begin_with_a_bom(installation, tmp_path, monkeypatch):
    path = tmp_path / "judul.toml"
    path.write_bytes(b"\xef\xbb\xbf" + f'models = "{installation.models}"\nthreshold = 0.9\n'.encode())
    monkeypatch.setenv("JUDUL_CONFIG", str(path))
    assert "ambang 0,90" in run("check", QUERY).out


# Special files and strange names.

READERS: dict[str, Callable[[Path, Path], tuple[object, ...]]] = {
    "check --file": lambda path, out: ("check", "--file", path, "--output", out, *LIGHT),
    "check --corpus": lambda path, out: ("check", QUERY, "--corpus", path, *LIGHT),
    "index build": lambda path, out: ("index", "build", path, out, *LIGHT),
    "dedup": lambda path, out: ("dedup", path, "--output", out, *LIGHT),
    "score-pairs": lambda path, out: ("score-pairs", path, out, *LIGHT),
    "retrain": lambda path, out: ("retrain", "light", "--labels", path, "--no-feedback"),
    "run": lambda path, out: ("run", "--data", path),
    "restore": lambda path, out: ("govern", "restore", path),
}


def run_reader(command: str, path: Path, out: Path, installation: Installation) -> Result:
    arguments = READERS[command](path, out)
    return run(*arguments) if command == "run" else installation.run(*arguments)


@pytest.mark.parametrize("command", READERS)
def test_path_that_is_no_regular_file_is_reported(command, installation, tmp_path):
    folder, loop, dangling = (tmp_path / f"{name}.csv" for name in ("folder", "putar", "hilang"))
    folder.mkdir()
    loop.symlink_to(loop)
    dangling.symlink_to(tmp_path / "tidak-ada.csv")
    (tmp_path / "judul.csv").write_bytes(b"")
    out = tmp_path / "hasil"
    for path, words in {
        folder: "folder", loop: "link", dangling: "tidak ditemukan", Path("/dev/null"): "bukan berkas",
        Path("/dev/zero"): "bukan berkas", tmp_path / ("x" * 300): "terlalu panjang", Path(): "",
        tmp_path / "judul.csv" / "x.csv": "berkas", tmp_path / "baru\x1b[2J.csv": "tidak ditemukan",
    }.items():  # fmt: skip
        result = run_reader(command, path, out, installation)
        assert_refused(result, "")  # Worded differently where the path may be an index or a backup.
        assert command in ("check --corpus", "restore") or words in result.err.lower(), (path, result)
        assert not out.exists()


@pytest.mark.parametrize("command", READERS)
def test_file_without_permission_is_reported(command, installation, tmp_path):
    path = tmp_path / "judul.csv"
    path.write_bytes(NASTY[0].content())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert_refused(run_reader(command, path, tmp_path / "x", installation), "izin")


@pytest.mark.parametrize(
    "name",
    [
        "-judul.csv", "judul \x1b[31m\x07.csv", "ju\ndul.csv", "judul\udcff.csv",
        "%s{0}$(x)`y`'\".csv", "." * 200, "\u202ejudul.csv", "=1+1.csv",
    ],
    ids=ascii,
)  # fmt: skip
def test_strange_file_names_are_accepted(name, installation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target, wrong = tmp_path / f"hasil{name}", tmp_path / f"salah{name}"
    (tmp_path / name).write_bytes(title_csv(ASCII))
    source = (f"--file={name}",) if name.startswith("-") else ("--file", Path(name))
    result = installation.run("check", *source, "--output", target, *LIGHT)
    assert result.status == 0, result
    assert len(rows_of(target.read_bytes())) == 3
    assert "\x1b" not in result.err
    wrong.write_bytes(b"Nama\nAni\n")
    refused = installation.run("check", "--file", wrong, "--output", target, *LIGHT)
    assert_refused(refused, "Kolom 'Judul' tidak ada")


def test_pipe_is_read_to_its_end(installation, tmp_path):
    path = tmp_path / "pipa"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(NASTY[0].content(),), daemon=True)
    writer.start()
    result = installation.run("check", "--file", path, "--output", tmp_path / "hasil.csv", *LIGHT)
    writer.join(timeout=10)
    assert result.out.startswith("Dari 3 baris"), result


def test_every_answered_nasty_title_is_logged(installation, tmp_path, monkeypatch):
    titles = [
        title for nasty in NASTY for title in nasty.numbered(*COMPARED).values() if len(title) < 2_000
    ]
    path, copy = tmp_path / "usulan.csv", installation.copy(tmp_path)
    path.write_bytes(title_csv(titles))
    monkeypatch.setenv("JUDUL_LOG", "true")
    monkeypatch.setenv("JUDUL_LOG_TEXT", "true")
    result = copy.run("check", "--file", path, "--output", tmp_path / "x.csv", *LIGHT)
    assert result.status == 0, result
    assert (copy.models / "logs" / database.DATABASE_FILE).is_file()
    with database.opened_database(database.sqlite_url(copy.models / "logs")) as engine:
        rows = database.read_table(engine, database.predictions)
        logged = [" ".join(row["query_text"].split()) for row in rows]
    assert sorted(logged) == sorted(map(clean_title, titles))
    assert copy.run("monitor", "--format", "json").status == 0


def test_title_with_a_lone_surrogate_is_answered(installation):
    result = installation.run("check", "Deteksi \udcff Hoaks", *LIGHT, "--format", "json")
    assert json.loads(result.out)["judul"] == "Deteksi \udcff Hoaks"
