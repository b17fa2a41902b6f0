"""``judul dedup``: all near-duplicates of a catalogue, and the groups that they form."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

import click

from judul_lib.cli import parts
from judul_lib.cli.parts import JOBS_OPTION, MODEL_OPTION, MODELS_OPTION, SCHEDULER_OPTION, say
from judul_lib.cli.words import argument, command, option
from judul_lib.core.errors import BusyError
from judul_lib.core.formatting import number
from judul_lib.core.locks import only_one
from judul_lib.core.settings import PAIR_THRESHOLD
from judul_lib.core.storage import clear_killed


@command()
@argument("source", type=Path, metavar="KATALOG.csv", help="CSV atau XLSX berkolom Judul.")
@option("--output", type=Path, required=True, help="CSV untuk pasangan yang ditemukan.")
@option(
    "--threshold", type=click.FloatRange(0, 1, min_open=True), default=PAIR_THRESHOLD,
    help=f"Peluang terkecil sebuah pasangan, dengan titik desimal [bawaan: {PAIR_THRESHOLD}].",
)  # fmt: skip
@MODEL_OPTION
@MODELS_OPTION
@option("--groups", type=Path, help="CSV untuk kelompok tiap judul yang punya pasangan.")
@option("--exact", is_flag=True, help="Cari tiap judul lewat indeks: lebih lama, tidak ada yang luput.")
@JOBS_OPTION
@SCHEDULER_OPTION
def dedup(
    source: Path,
    output: Path,
    threshold: float,
    name: str | None,
    outputs: Path | None,
    groups: Path | None,
    exact: bool,
    jobs: int,
    scheduler: str | None,
) -> None:
    """Temukan semua pasangan judul yang hampir sama dalam katalog.

    Bila dihentikan, perintah yang sama melanjutkan dari bagian yang sudah selesai.
    """
    import numpy as np
    from tqdm import tqdm

    from judul_lib.core.storage import write_result
    from judul_lib.core.tables import TITLE_COLUMN
    from judul_lib.search.dedup import find_duplicates, recall

    config = parts.read_config(models=outputs)
    parts.require_place(output, config, source)
    if groups is not None:
        parts.require_place(groups, config, source, output)
    model = parts.choose_model(name, config.models)
    catalogue = parts.read_catalogue(source)
    titles, rows = catalogue.titles[TITLE_COLUMN].tolist(), np.array(catalogue.rows)
    with tqdm(unit="blok", leave=False, disable=None) as bar, _kept_for(output) as kept:

        def show(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        found = find_duplicates(
            titles, model, threshold=threshold, exact=exact, folder=kept, n_jobs=jobs,
            scheduler=scheduler, on_progress=show,
        )  # fmt: skip
        # Rows as a spreadsheet counts them, as in all that is said of a file.
        in_file = {"baris_a": lambda f: rows[f["baris_a"]], "baris_b": lambda f: rows[f["baris_b"]]}
        write_result(found.pairs.assign(**in_file), output)
        if groups is not None:
            numbered = found.groups.assign(baris=lambda f: rows[f["baris"]])
            write_result(numbered, groups)
        for path in filter(None, (output, groups)):
            clear_killed(path.parent, escape(path.name))
        shutil.rmtree(kept, ignore_errors=True)
    n_groups = found.groups["kelompok"].nunique()
    click.echo(
        f"Dari {number(len(titles))} judul: {number(len(found))} pasangan dalam {number(n_groups)} "
        f"kelompok. Hasil: {output}"
    )
    if not found.complete:
        seen, every = recall(found, model, threshold=threshold)
        say(
            f"Catatan: hanya judul yang berbagi istilah yang dibandingkan. Dari sampel judul, "
            f"{number(seen)} dari {number(every)} pasangan ditemukan; --exact menemukan semuanya."
        )


@contextmanager
def _kept_for(output: Path) -> Iterator[Path]:
    """Give the folder of finished blocks, to one command at a time; it stays if there are any."""
    kept = output.with_name(f".{output.name}.blocks")
    kept.mkdir(exist_ok=True)
    refusal = f"Perintah lain sedang mengerjakan {output}. Tunggu sampai selesai, lalu ulangi."
    try:
        with only_one(kept / ".lock", BusyError(refusal)):
            yield kept
    finally:
        with suppress(OSError):  # There are blocks in it.
            kept.rmdir()
