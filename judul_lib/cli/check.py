"""``judul check`` and ``judul score-pairs``: compare titles with an archive, or with each other."""

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, command, option
from judul_lib.cli.shared import (
    ELSEWHERE_OPTION,
    JOBS_OPTION,
    MODEL_OPTION,
    MODELS_OPTION,
    SCHEDULER_OPTION,
    print_stderr,
    title_choice_options,
)
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import ASK, SIMILAR

if TYPE_CHECKING:
    import pandas as pd

    from judul_lib.checking.checker import Checker
    from judul_lib.checking.matches import Matches
    from judul_lib.core.columns import Details
    from judul_lib.core.config import Config
    from judul_lib.governance.decisions import Decisions
    from judul_lib.usage.installation import AnswerLogBuffer


_DECIMALS = 4
"""Of the numbers in files for people."""


def _years_of(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    from judul_lib.archives.details import parse_years

    try:
        return parse_years(value)
    except ValueError as error:
        raise click.UsageError("--year: tulis 2020, 2019.., ..2021, atau 2019..2021.") from error


@command()
@argument("title", required=False, metavar="[JUDUL]", help="Judul yang diperiksa, dalam tanda kutip.")
@option("--file", "file", type=Path, help="CSV atau buku kerja berisi judul: periksa semua barisnya.")
@option("--output", type=Path, help="Hasil untuk --file: CSV, atau XLSX menurut namanya.")
@MODEL_OPTION
@option(
    "--corpus", type=Path, metavar="ARSIP",
    help="Arsip pembanding: CSV, buku kerja, atau folder indeks [bawaan: arsip bawaan model itu].",
)  # fmt: skip
@title_choice_options
@option("--archive", "archive_name", metavar="NAMA", help="Arsip bernama; lihat `judul archive list`.")
@option("--index", "folder", type=Path, metavar="INDEKS", help="Folder indeks sebagai arsip pembanding.")
@option(
    "--year", "years", metavar="TAHUN", callback=_years_of,
    help="Bandingkan hanya dengan tahun ini: 2020, 2019.., atau 2019..2021.",
)  # fmt: skip
@option("--top", type=click.IntRange(min=1), default=10, help="Jumlah hasil [bawaan: 10].")
@option(
    "--format", "style", type=click.Choice(["table", "json", "csv"]), default="table",
    help="Bentuk keluaran [bawaan: table].",
)  # fmt: skip
@option(
    "--csv", "whole", type=Path, metavar="CSV",
    help="Tulis juga semua judul arsip ke CSV: judul_ref, rf_probability, rf_label.",
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
    archive_name: str | None,
    folder: Path | None,
    years: tuple[int, int] | None,
    top: int,
    style: str,
    whole: Path | None,
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
    if sum(choice is not None for choice in (corpus, folder, archive_name)) > 1:
        raise click.UsageError("Pilih salah satu: --corpus, --index, atau --archive.")
    _refuse_ineffective_options(is_file=file is not None)
    if title is not None:
        shared.require_comparable_title(title)
    config = shared.read_config(models=outputs, elsewhere=elsewhere, threshold=threshold)
    catalogue: pd.DataFrame | None = None
    if archive_name is not None:
        from judul_lib.archives.named import named_archive
        from judul_lib.archives.titles import read_archive_file

        named = named_archive(config, archive_name)
        corpus = named.best_path(name, config.models, print_stderr)
        if years is not None:
            corpus = named.corpus
        if title is not None:
            catalogue = read_archive_file(named.corpus)
    archive = folder or corpus or next(iter(config.corpora.values()), None)
    for target in filter(None, (output, whole)):
        shared.require_writable_output(target, config, file, archive)
    model, checker, read = _load_checker(
        name, archive, folder is not None, config, reads_file=file is not None, years=years
    )
    catalogue = read if catalogue is None else catalogue
    for note in checker.notes:
        print_stderr(note)
    decisions = shared.read_decisions(config)
    if title is not None:
        from judul_lib.checking.matches import study_csv
        from judul_lib.cli import answers
        from judul_lib.core.storage import write_bytes

        start = time.perf_counter()
        is_decided = decisions is not None and decisions.concern(title)
        ranked = checker.check(title, top_k=None if whole or is_decided else top)
        if decisions is not None:
            ranked = decisions.apply(title, ranked)
        matches = ranked.first(top)
        seconds = time.perf_counter() - start
        details = _details_of(matches, catalogue)
        click.echo(answers.format_answer(title, matches, checker, model, style, details), nl=False)
        if whole is not None:
            write_bytes(whole, study_csv(ranked))
        if log := shared.open_log(config):
            from judul_lib.usage.log import AnsweredQuery

            unknown_shares = {model: checker.unknown_share(title)}
            query = AnsweredQuery(title, {model: matches}, seconds, unknown_shares)
            log.log_predictions([query], "check")
    elif file is not None and output is not None:
        from judul_lib.usage.installation import AnswerLogBuffer

        log_buffer = AnswerLogBuffer(shared.open_log(config), checker, model)
        _check_file(
            file,
            output,
            checker,
            log_buffer,
            decisions,
            jobs,
            scheduler,
            has_archive_file=archive is not None,
        )
        log_buffer.close()


def _details_of(matches: "Matches", catalogue: "pd.DataFrame | None") -> dict[str, "Details"]:
    """Return what the archive knows of the titles that are shown; it may have a million others."""
    if catalogue is None:
        return {}
    from judul_lib.archives.details import title_details
    from judul_lib.core.columns import TITLE_COLUMN

    shown = {row["judul_ref"] for row in matches.rows_with_decision()}
    return title_details(catalogue[catalogue[TITLE_COLUMN].isin(shown)])


def _refuse_ineffective_options(is_file: bool) -> None:
    """Refuse options on the command line that have no effect in this mode."""
    ineffective, mode, other_mode = (
        ({"top", "style", "whole"}, "--file", "satu judul")
        if is_file
        else ({"jobs", "scheduler"}, "satu judul", "--file")
    )
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in ineffective and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{parameter.opts[0]} berlaku untuk {other_mode}, tidak untuk {mode}."
            )


def _load_checker(
    name: str | None,
    archive: Path | None,
    is_index: bool,
    config: "Config",
    *,
    reads_file: bool,
    years: tuple[int, int] | None,
) -> tuple[str, "Checker", "pd.DataFrame | None"]:
    """Return the name of the model, its checker for the archive, and the archive as a table."""
    if archive is not None:
        from judul_lib.search import archives

        if is_index or archives.is_index(archive):
            if years is not None:
                raise click.UsageError(
                    "--year memerlukan arsip berupa berkas (--corpus) atau --archive."
                )
            index = shared.open_index(archive, name, config, use_stored_threshold=True)
            return index.name, index, None
    from judul_lib.checking.loading import load_checker

    model, titles, catalogue = shared.choose_model(name, config.models), None, None
    threshold = config.threshold
    if archive is not None:
        from judul_lib.archives.details import title_details, titles_of_years
        from judul_lib.checking.stored_gauge import stored_threshold
        from judul_lib.core.columns import TITLE_COLUMN

        corpus = shared.read_corpus(archive, is_only_file=not reads_file)
        catalogue = corpus.titles
        titles = catalogue[TITLE_COLUMN].tolist()
        if years is not None:
            titles, n_undated = titles_of_years(title_details(catalogue), years)
            undated = f"; {format_number(n_undated)} tanpa tahun tidak dibandingkan" if n_undated else ""
            print_stderr(f"Catatan: {format_number(len(titles))} judul dari tahun itu{undated}.")
        if not config.has_explicit_threshold:
            stored = stored_threshold(archive, model, corpus.sha256, say=print_stderr)
            threshold = threshold if stored is None else stored
    checker = load_checker(model, titles, threshold=threshold, elsewhere=config.elsewhere)
    return shared.model_name(model), checker, catalogue


def _check_file(
    file: Path,
    output: Path,
    checker: "Checker",
    log_buffer: "AnswerLogBuffer",
    decisions: "Decisions | None",
    jobs: int,
    scheduler: str | None,
    *,
    has_archive_file: bool,
) -> None:
    from judul_lib.checking.batches import check_comparable_titles
    from judul_lib.checking.matches import RESULT_COLUMNS
    from judul_lib.core.storage import write_result
    from judul_lib.study.corpus import read_proposals

    read = partial(read_proposals, file, warn=print_stderr)
    proposals, titles, faults = shared.read_as_chosen(read, is_only_file=not has_archive_file)
    comparable, answers = check_comparable_titles(titles, checker, n_jobs=jobs, scheduler=scheduler)
    blank: dict[str, Any] = dict.fromkeys(RESULT_COLUMNS)
    rows = [blank] * len(titles)
    for position, matches in zip(comparable, shared.progress_bar(answers, len(comparable)), strict=True):
        if decisions is not None and decisions.concern(titles[position]):
            title = titles[position]
            matches = decisions.apply(title, checker.check(title)).first(1)
        rows[position] = matches.decision.rows()[0]
        log_buffer.add(titles[position], matches)
    result = _add_results(proposals, RESULT_COLUMNS, rows, faults)
    write_result(_add_groups(result, proposals, titles), output)
    labels = [row["rf_label"] for row in rows]
    n_similar, n_ask = labels.count(SIMILAR), labels.count(ASK)
    click.echo(
        f"Dari {format_number(len(rows))} baris: {format_number(n_similar)} MIRIP, "
        f"{format_number(n_ask)} TANYAKAN. Hasil: {output}"
    )
    _note_blank_rows(sum(row is blank for row in rows) - len(faults))


@command("score-pairs")
@argument("source", type=Path, metavar="MASUKAN.csv", help="CSV atau XLSX berkolom judul_a dan judul_b.")
@argument("target", type=Path, metavar="HASIL.csv", help="CSV yang ditulis.")
@option(
    "--corpus",
    type=Path,
    metavar="ARSIP.csv",
    help="Arsip yang menentukan seberapa langka sebuah istilah (model structured).",
)
@title_choice_options
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

    config = shared.read_config(models=outputs, elsewhere=elsewhere)
    shared.require_writable_output(target, config, source, corpus)
    model = shared.choose_model(name, config.models)
    archive = [] if corpus is None else shared.read_titles(corpus, is_only_file=False)
    checker = load_checker(model, archive, threshold=config.threshold, elsewhere=config.elsewhere)
    pairs, (left, right), faults = shared.read_as_chosen(
        partial(_read_columns, source, ("judul_a", "judul_b")), is_only_file=corpus is None
    )
    rows = batches.score_pairs(left, right, checker)
    write_result(_add_results(pairs, RESULT_COLUMNS[1:], rows, faults), target)
    n_blank = sum(row["rf_label"] is None for row in rows)
    click.echo(f"{format_number(len(rows) - n_blank)} pasangan dinilai: {target}")
    _note_blank_rows(n_blank - len(faults))


def _read_columns(
    file: Path, names: Iterable[str], *, sheet: str | None, column: str | None
) -> tuple["pd.DataFrame", list[list[str]], dict[int, str]]:
    """Read a table; return it, the titles in the named columns, and why rows cannot be used.

    The column that was chosen is the archive's: pairs have two.

    The titles of such a row are unknown, hence blank.
    """
    from judul_lib.core.tables import find_column
    from judul_lib.study.corpus import read_table

    faults = dict[int, str]()
    table = read_table(file, warn=print_stderr, faults=faults, sheet=sheet)
    titles = []
    for name in names:
        cells = table.iloc[:, find_column(list(table.columns), name, file.name)].tolist()
        titles.append(["" if row in faults else cell for row, cell in enumerate(cells)])
    return table, titles, faults


def _add_results(
    frame: "pd.DataFrame", columns: Iterable[str], rows: list[dict[str, Any]], faults: dict[int, str]
) -> "pd.DataFrame":
    """Append result columns to a table; an input column with the same name gets a number.

    Rows that cannot be used get a remark instead of a result.
    """
    from judul_lib.checking.batches import NOT_COMPARED
    from judul_lib.checking.matches import REMARK_COLUMN
    from judul_lib.core.tables import unique_names

    rows = [
        row | {"rf_label": NOT_COMPARED, REMARK_COLUMN: faults[n]} if n in faults else row
        for n, row in enumerate(rows)
    ]
    if any(REMARK_COLUMN in row for row in rows):
        columns = (*columns, REMARK_COLUMN)
    results: dict[str, Any] = {name: [row.get(name) for row in rows] for name in columns}
    renamed = iter(unique_names(filter(results.__contains__, frame.columns), [*results, *frame.columns]))
    names = [next(renamed) if name in results else name for name in frame.columns]
    return frame.set_axis(names, axis="columns").assign(**results).round(_DECIMALS)


def _add_groups(result: "pd.DataFrame", proposals: "pd.DataFrame", titles: list[str]) -> "pd.DataFrame":
    """Append all names of each proposal that several people share, if there is one."""
    from judul_lib.core.tables import unique_names
    from judul_lib.study.group_theses import NAMES_COLUMN, group_proposals

    first_rows, names = group_proposals(proposals, titles)
    groups = {first for row, first in enumerate(first_rows) if row != first}
    if not groups:
        return result
    (column,) = unique_names([NAMES_COLUMN], list(result.columns))
    print_stderr(
        f"Catatan: {format_number(len(groups))} judul diusulkan bersama oleh beberapa orang; "
        f"namanya di kolom {column}."
    )
    return result.assign(**{column: names})


def _note_blank_rows(n_blank: int) -> None:
    if n_blank:
        print_stderr(
            f"Catatan: {format_number(n_blank)} baris tidak berisi judul yang dapat dibandingkan; "
            "kolom hasilnya dikosongkan."
        )
