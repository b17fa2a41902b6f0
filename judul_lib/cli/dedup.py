"""``judul dedup``."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.core import ParameterSource

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, command, option
from judul_lib.cli.shared import (
    JOBS_OPTION,
    MODEL_OPTION,
    MODELS_OPTION,
    SCHEDULER_OPTION,
    print_stderr,
    title_choice_options,
)
from judul_lib.core.errors import BusyError
from judul_lib.core.formatting import escape_control_characters, format_number
from judul_lib.core.settings import PAIR_THRESHOLD
from judul_lib.core.storage import exclusive_lock, remove_unfinished_writes, write_result

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from judul_lib.search.dedup import Duplicates

_Found: TypeAlias = "tuple[Duplicates, NDArray[np.int64], str]"
"""Duplicates, the row of each title in its file, and what they were found in."""
# Options that have no effect without a comparison.
_COMPARING = {"name", "exact", "jobs", "scheduler"}


@command()
@argument(
    "source",
    type=Path,
    required=False,
    metavar="[KATALOG.csv]",
    help="CSV atau buku kerja.",
)
@title_choice_options
@option("--output", type=Path, required=True, help="CSV untuk pasangan yang ditemukan.")
@option(
    "--threshold", type=click.FloatRange(0, 1, min_open=True), default=PAIR_THRESHOLD,
    help=f"Peluang terkecil sebuah pasangan, dengan titik desimal [bawaan: {PAIR_THRESHOLD}].",
)  # fmt: skip
@MODEL_OPTION
@MODELS_OPTION
@option("--groups", type=Path, help="CSV untuk kelompok tiap judul yang punya pasangan.")
@option(
    "--previous", type=Path, metavar="KELOMPOK_LAMA.csv",
    help="Hasil --groups sebelumnya: nomor kelompok dipertahankan, perubahannya ditandai.",
)  # fmt: skip
@option("--exact", is_flag=True, help="Cari tiap judul lewat indeks: lebih lama, tidak ada yang luput.")
@option(
    "--rethreshold", type=Path, metavar="PASANGAN.csv",
    help="Hasil --output sebelumnya, sebagai ganti KATALOG.csv: ambang dinaikkan tanpa membandingkan.",
)  # fmt: skip
@option(
    "--least", type=click.IntRange(min=0), default=3,
    help="Tampilkan sekian pasangan yang paling kurang mirip, untuk menilai ambangnya [bawaan: 3].",
)  # fmt: skip
@JOBS_OPTION
@SCHEDULER_OPTION
def dedup(
    source: Path | None,
    output: Path,
    threshold: float,
    name: str | None,
    outputs: Path | None,
    groups: Path | None,
    previous: Path | None,
    exact: bool,
    rethreshold: Path | None,
    least: int,
    jobs: int,
    scheduler: str | None,
) -> None:
    """Temukan semua pasangan judul yang hampir sama dalam katalog.

    Bila dihentikan, perintah yang sama melanjutkan dari bagian yang sudah selesai.
    """
    from judul_lib.search.dedup_files import pairs_table, read_groups
    from judul_lib.search.groups import continue_groups, describe_changes

    _require_consistent_options(source, threshold, groups, previous, rethreshold)
    config = shared.read_config(models=outputs)
    shared.require_writable_output(output, config, source, rethreshold, previous)
    if groups is not None:
        shared.require_writable_output(groups, config, source, rethreshold, previous, output)
    earlier = None if previous is None else read_groups(previous)
    model = None if source is None else shared.choose_model(name, config.models)
    options = {"threshold": threshold, "exact": exact, "n_jobs": jobs, "scheduler": scheduler}
    if source is not None:
        found = _compare(source, output, model=model, **options)
    elif rethreshold is not None:
        found = _reread(rethreshold, threshold)
    with found as (duplicates, rows, of_what):
        members = duplicates.groups.assign(baris=rows[duplicates.groups["baris"]])
        if earlier is not None:
            members = continue_groups(members, earlier)
        _write_results({output: pairs_table(duplicates, rows), groups: members})
    click.echo(_summary(duplicates, of_what, output))
    if earlier is not None:
        click.echo(describe_changes(members))
    _show_least_similar(duplicates, least)
    if model is not None and not duplicates.complete:
        _note_recall(duplicates, model)


def _require_consistent_options(
    source: Path | None,
    threshold: float,
    groups: Path | None,
    previous: Path | None,
    rethreshold: Path | None,
) -> None:
    if (source is None) == (rethreshold is None):
        raise click.UsageError("Berikan KATALOG.csv, atau hasil sebelumnya dengan --rethreshold.")
    if previous is not None and groups is None:
        raise click.UsageError("--previous memerlukan --groups, tempat nomor kelompok ditulis.")
    if rethreshold is None:
        return
    if round(threshold, 3) != threshold:
        raise click.UsageError("--rethreshold menerima --threshold dengan paling banyak tiga desimal.")
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in _COMPARING:
            raise click.UsageError(
                f"{parameter.opts[0]} tidak berlaku untuk --rethreshold, yang tidak membandingkan lagi."
            )


@contextmanager
def _reread(path: Path, threshold: float) -> Iterator[_Found]:
    from judul_lib.search.dedup_files import read_pairs

    compared, rows = read_pairs(path)
    yield compared.rethreshold(threshold), rows, f"{format_number(len(compared))} pasangan"


@contextmanager
def _compare(source: Path, output: Path, **options: Any) -> Iterator[_Found]:
    """Yield the duplicates of a catalogue; finished blocks are removed once they have been written."""
    import numpy as np
    from tqdm import tqdm

    from judul_lib.core.columns import TITLE_COLUMN
    from judul_lib.search.dedup import find_duplicates

    corpus = shared.read_corpus(source)
    titles, rows = corpus.titles[TITLE_COLUMN].tolist(), np.array(corpus.rows)
    assert len(rows) == len(titles), "each row is either used or set aside"
    with _checkpoint_folder(output) as checkpoints:
        with tqdm(unit="blok", leave=False, disable=None) as bar:

            def show_progress(done: int, total: int) -> None:
                bar.total, bar.n = total, done
                bar.refresh()

            found = find_duplicates(titles, folder=checkpoints, on_progress=show_progress, **options)
        yield found, rows, f"{format_number(len(titles))} judul"
        shutil.rmtree(checkpoints, ignore_errors=True)


@contextmanager
def _checkpoint_folder(output: Path) -> Iterator[Path]:
    """Yield the folder of finished blocks, locked; remove it at the end if it is empty."""
    folder = output.with_name(f".{output.name}.blocks")
    folder.mkdir(exist_ok=True)
    refusal = f"Perintah lain sedang mengerjakan {output}. Tunggu sampai selesai, lalu ulangi."
    try:
        with exclusive_lock(folder / ".lock", BusyError(refusal)):
            yield folder
    finally:
        with suppress(OSError):  # Not empty: finished blocks stay.
            folder.rmdir()


def _write_results(tables: "dict[Path | None, pd.DataFrame]") -> None:
    paths = [path for path in tables if path is not None]
    for path in paths:
        write_result(tables[path], path)
    for path in paths:
        remove_unfinished_writes(path.parent, escape(path.name))


def _summary(duplicates: "Duplicates", of_what: str, output: Path) -> str:
    sizes = duplicates.groups["kelompok"].value_counts()
    text = (
        f"Dari {of_what}: {format_number(len(duplicates))} pasangan "
        f"dalam {format_number(int((sizes > 1).sum()))} kelompok. Hasil: {output}"
    )
    if n_alone := int((sizes == 1).sum()):
        text += (
            f"\n{format_number(n_alone)} judul hanya berpasangan dengan anggota kelompok lain, tidak "
            "dengan pusatnya, jadi berdiri sendiri."
        )
    return text


def _show_least_similar(duplicates: "Duplicates", n: int) -> None:
    pairs = duplicates.least_similar(n)
    if len(pairs):
        click.echo("Yang paling kurang mirip:")
    for left, right, probability in pairs[["judul_a", "judul_b", "rf_probability"]].itertuples(
        index=False
    ):
        line = f"{format_number(probability)}  {left}  |  {right}"
        click.echo(f"  {escape_control_characters(line)}")


def _note_recall(duplicates: "Duplicates", model: Path) -> None:
    from judul_lib.search.dedup import recall

    n_found, n_sampled = recall(duplicates, model, threshold=duplicates.threshold)
    print_stderr(
        "Catatan: hanya judul yang berbagi istilah yang dibandingkan. Dari sampel judul, "
        f"{format_number(n_found)} dari {format_number(n_sampled)} pasangan ditemukan; "
        "--exact menemukan semuanya."
    )
