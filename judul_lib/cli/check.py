"""``judul check`` and ``judul score-pairs``: compare titles with an archive, or with each other."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from judul_lib.cli import parts
from judul_lib.cli.parts import (
    ELSEWHERE_OPTION,
    JOBS_OPTION,
    MODEL_OPTION,
    MODELS_OPTION,
    SCHEDULER_OPTION,
    say,
)
from judul_lib.cli.words import argument, command, option
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import ASK, SIMILAR

if TYPE_CHECKING:
    import pandas as pd

    from judul_lib.checking.checker import Checker
    from judul_lib.core.config import Config
    from judul_lib.usage.installation import AnswerLogBuffer


@command()
@argument("title", required=False, metavar="[JUDUL]", help="Judul yang diperiksa, dalam tanda kutip.")
@option("--file", "file", type=Path, help="CSV atau XLSX berkolom Judul: periksa semua barisnya.")
@option("--output", type=Path, help="CSV hasil untuk --file.")
@MODEL_OPTION
@option(
    "--corpus", type=Path, metavar="ARSIP",
    help="Arsip pembanding: CSV, XLSX, atau folder indeks [bawaan: arsip bawaan model itu].",
)  # fmt: skip
@option("--index", "folder", type=Path, metavar="INDEKS", help="Folder indeks sebagai arsip pembanding.")
@option("--top", type=click.IntRange(min=1), default=10, help="Jumlah hasil [bawaan: 10].")
@option(
    "--format", "style", type=click.Choice(["table", "json", "csv"]), default="table",
    help="Bentuk keluaran [bawaan: table].",
)  # fmt: skip
@ELSEWHERE_OPTION
@option(
    "--threshold", type=click.FloatRange(0, 1),
    help="Ambang MIRIP, dengan titik desimal [bawaan: dari hasil ukur arsip itu, atau 0.5].",
)  # fmt: skip
@MODELS_OPTION
@JOBS_OPTION
@SCHEDULER_OPTION
def check(
    title: str | None,
    file: Path | None,
    output: Path | None,
    name: str | None,
    corpus: Path | None,
    folder: Path | None,
    top: int,
    style: str,
    elsewhere: str | None,
    threshold: float | None,
    outputs: Path | None,
    jobs: int,
    scheduler: str | None,
) -> None:
    """Bandingkan satu JUDUL, atau satu berkas judul, dengan arsip."""
    if (title is None) == (file is None):
        raise click.UsageError("Berikan satu judul dalam tanda kutip, atau --file berkas.csv.")
    if (file is None) != (output is None):
        raise click.UsageError("--file dan --output harus dipakai bersama.")
    if corpus is not None and folder is not None:
        raise click.UsageError("Pilih salah satu: --corpus atau --index.")
    _refuse_ignored(is_file=file is not None)
    if title is not None:
        parts.require_comparable_title(title)
    config = parts.read_config(models=outputs, elsewhere=elsewhere, threshold=threshold)
    archive = folder or corpus or next(iter(config.corpora.values()), None)
    if output is not None:
        parts.require_writable_output(output, config, file, archive)
    model, checker = _make_checker(name, archive, folder is not None, config)
    for note in checker.notes:
        say(note)
    if title is not None:
        from judul_lib.cli import answers

        start = time.perf_counter()
        matches = checker.check(title, top_k=top)
        seconds = time.perf_counter() - start
        click.echo(answers.format_answer(title, matches, checker, model, style), nl=False)
        if log := parts.open_log(config):
            from judul_lib.usage.log import AnsweredQuery

            unknown = {model: checker.unknown_share(title)}
            log.log_predictions([AnsweredQuery(title, {model: matches}, seconds, unknown)], "check")
    elif file is not None and output is not None:
        from judul_lib.usage.installation import AnswerLogBuffer

        batch = AnswerLogBuffer(parts.open_log(config), checker, model)
        _check_file(file, output, checker, batch, jobs, scheduler)
        batch.close()


def _refuse_ignored(is_file: bool) -> None:
    """Refuse options that were given and would do nothing."""
    useless, here, there = (
        ({"top", "style"}, "--file", "satu judul")
        if is_file
        else ({"jobs", "scheduler"}, "satu judul", "--file")
    )
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in useless and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} berlaku untuk {there}, tidak untuk {here}.")


def _make_checker(
    name: str | None, archive: Path | None, is_index: bool, config: "Config"
) -> tuple[str, "Checker"]:
    """Return the name of the model that answers, and the model with its archive."""
    if archive is not None:
        from judul_lib.search import archives

        if is_index or archives.is_index(archive):
            opened = parts.open_index(archive, name, config, say=say)
            return opened.name, opened
    from judul_lib.checking.loading import load_checker
    from judul_lib.checking.registry import read_metadata

    model, titles = parts.choose_model(name, config.models), None
    threshold = config.threshold
    if archive is not None:
        from judul_lib.checking.stored_gauge import stored_threshold
        from judul_lib.core.tables import TITLE_COLUMN

        read = parts.read_catalogue(archive)
        titles = read.titles[TITLE_COLUMN].tolist()
        if not config.has_explicit_threshold:
            kept = stored_threshold(archive, model, read.sha256, say=say)
            threshold = threshold if kept is None else kept
    checker = load_checker(model, titles, threshold=threshold, elsewhere=config.elsewhere)
    return str(read_metadata(model)["name"]), checker


def _check_file(
    file: Path,
    output: Path,
    checker: "Checker",
    batch: "AnswerLogBuffer",
    jobs: int,
    scheduler: str | None,
) -> None:
    from judul_lib.checking.batches import check_comparable_titles
    from judul_lib.checking.matches import RESULT_COLUMNS
    from judul_lib.core.storage import write_result
    from judul_lib.core.tables import TITLE_COLUMN

    proposals, (titles,), mismatched_rows = _read_columns(file, TITLE_COLUMN)
    usable, answers = check_comparable_titles(titles, checker, n_jobs=jobs, scheduler=scheduler)
    blank: dict[str, Any] = dict.fromkeys(RESULT_COLUMNS)
    rows = [blank] * len(titles)
    for row, matches in zip(usable, parts.with_progress(answers, len(usable)), strict=True):
        rows[row] = matches.decision.rows()[0]
        batch.add(titles[row], matches)
    write_result(_with_results(proposals, RESULT_COLUMNS, rows, mismatched_rows), output)
    n, similar, ask = map(
        format_number, (len(rows), *(sum(row["rf_label"] == k for row in rows) for k in (SIMILAR, ASK)))
    )
    click.echo(f"Dari {n} baris: {similar} MIRIP, {ask} TANYAKAN. Hasil: {output}")
    _say_blank(sum(row is blank for row in rows) - len(mismatched_rows))


@command("score-pairs")
@argument("source", type=Path, metavar="MASUKAN.csv", help="CSV atau XLSX berkolom judul_a dan judul_b.")
@argument("target", type=Path, metavar="HASIL.csv", help="CSV yang ditulis.")
@option(
    "--corpus",
    type=Path,
    metavar="ARSIP.csv",
    help="Arsip yang menentukan seberapa langka sebuah istilah (model structured).",
)
@MODEL_OPTION
@ELSEWHERE_OPTION
@MODELS_OPTION
def score_pairs(
    source: Path,
    target: Path,
    corpus: Path | None,
    name: str | None,
    elsewhere: str | None,
    outputs: Path | None,
) -> None:
    """Nilai pasangan-pasangan judul, baris demi baris."""
    from judul_lib.checking import batches
    from judul_lib.checking.loading import load_checker
    from judul_lib.checking.matches import RESULT_COLUMNS
    from judul_lib.core.storage import write_result
    from judul_lib.core.tables import TITLE_COLUMN

    config = parts.read_config(models=outputs, elsewhere=elsewhere)
    parts.require_writable_output(target, config, source, corpus)
    chosen = parts.choose_model(name, config.models)
    archive: list[str] = []
    if corpus is not None:
        archive = parts.read_catalogue(corpus).titles[TITLE_COLUMN].tolist()
    checker = load_checker(chosen, archive, threshold=config.threshold, elsewhere=config.elsewhere)
    pairs, (left, right), mismatched_rows = _read_columns(source, "judul_a", "judul_b")
    rows = batches.score_pairs(left, right, checker)
    write_result(_with_results(pairs, RESULT_COLUMNS[1:], rows, mismatched_rows), target)
    n_blank = sum(row["rf_label"] is None for row in rows)
    click.echo(f"{format_number(len(rows) - n_blank)} pasangan dinilai: {target}")
    _say_blank(n_blank - len(mismatched_rows))


def _read_columns(file: Path, *names: str) -> tuple["pd.DataFrame", list[list[str]], set[int]]:
    """Read a table and the titles in some of its columns.

    Also returned are the places of the rows whose fields are not one for each column: nobody can tell
    what is their title, so it is blank.
    """
    from judul_lib.core.tables import find_column
    from judul_lib.study.corpus import read_table

    mismatched_rows = set[int]()
    table = read_table(file, warn=say, mismatched_rows=mismatched_rows)
    titles = []
    for name in names:
        column = table.iloc[:, find_column(list(table.columns), name, file.name)].tolist()
        titles.append([cell if n not in mismatched_rows else "" for n, cell in enumerate(column)])
    return table, titles, mismatched_rows


def _with_results(
    frame: "pd.DataFrame", columns: Iterable[str], rows: list[dict[str, Any]], mismatched_rows: set[int]
) -> Any:
    """Put results beside a table; a column of its own that has one of their names gets a number.

    In ``mismatched_rows`` are the places of rows that could not be read, which is said of them.
    """
    from judul_lib.checking.batches import NOT_COMPARED
    from judul_lib.checking.matches import REMARK_COLUMN
    from judul_lib.core.tables import unique_names
    from judul_lib.study.corpus import COLUMN_COUNT_MISMATCH

    said = {"rf_label": NOT_COMPARED, REMARK_COLUMN: COLUMN_COUNT_MISMATCH}
    rows = [row | said if place in mismatched_rows else row for place, row in enumerate(rows)]
    if any(REMARK_COLUMN in row for row in rows):
        columns = (*columns, REMARK_COLUMN)
    results: dict[str, Any] = {name: [row.get(name) for row in rows] for name in columns}
    theirs = iter(unique_names(filter(results.__contains__, frame.columns), [*results, *frame.columns]))
    names = [next(theirs) if name in results else name for name in frame.columns]
    return frame.set_axis(names, axis="columns").assign(**results)


def _say_blank(count: int) -> None:
    if count:
        say(
            f"Catatan: {format_number(count)} baris tidak berisi judul yang dapat dibandingkan; "
            "kolom hasilnya dikosongkan."
        )
