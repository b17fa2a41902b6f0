"""``judul index``."""

import tempfile
import time
from pathlib import Path

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, group, option
from judul_lib.cli.shared import JOBS_OPTION, MODEL_OPTION, MODELS_OPTION, title_choice_options
from judul_lib.core.errors import IndexFileError
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import DECISION_THRESHOLD, MODEL_TITLES

_FOLDER = argument("folder", type=Path, metavar="INDEKS", help="Folder indeks.")


@group()
def index() -> None:
    """Siapkan arsip besar sekali saja, sebagai indeks.

    Sesudah itu judul diperiksa tanpa dibandingkan dengan semua judul satu per satu.
    """


@index.command()
@argument("catalogue", type=Path, metavar="KATALOG.csv", help="CSV atau buku kerja.")
@_FOLDER
@title_choice_options
@MODEL_OPTION
@MODELS_OPTION
@JOBS_OPTION
def build(catalogue: Path, folder: Path, name: str | None, outputs: Path | None, jobs: int) -> None:
    """Bangun indeks dari KATALOG.csv di folder INDEKS."""
    from tqdm import tqdm

    from judul_lib.search.index import TitleIndex
    from judul_lib.search.index_files import can_hold_index, index_writer_lock

    start = time.perf_counter()
    if not can_hold_index(folder):
        raise IndexFileError(
            f"Folder {folder} berisi hal lain, jadi tidak ditimpa. Pilih folder yang baru atau kosong."
        )
    config = shared.read_config(models=outputs)
    model = shared.choose_model(name, config.models)
    titles = shared.read_titles(catalogue)
    with index_writer_lock(folder):
        with tempfile.TemporaryFile(dir=folder):
            pass  # Fails before the work if the folder is not writable.
        with tqdm(total=len(titles), unit="judul", leave=False, disable=None) as bar:
            built = TitleIndex.build(
                titles, model, n_jobs=jobs, on_progress=lambda done, _: bar.update(done - bar.n)
            )
        built.save(folder, holds_lock=True)
    seconds = format_number(time.perf_counter() - start, 1)
    click.echo(
        f"Indeks {folder} siap ({MODEL_TITLES[built.name]}): {format_number(len(built.titles))} judul, "
        f"{_format_size(folder)}, {seconds} detik."
    )


@index.command()
@_FOLDER
@argument(
    "catalogue",
    type=Path,
    required=False,
    metavar="[KATALOG.csv]",
    help="CSV atau buku kerja.",
)
@title_choice_options
@option("--title", help="Satu judul, sebagai ganti KATALOG.csv.")
def add(folder: Path, catalogue: Path | None, title: str | None) -> None:
    """Tambahkan judul yang belum ada di indeks."""
    from judul_lib.search.index import TitleIndex
    from judul_lib.study.preprocessing import title_key

    if catalogue is None and title is not None:
        shared.require_comparable_title(title)
        titles = [title.strip()]
    elif title is None and catalogue is not None:
        titles = shared.read_titles(catalogue)
    else:
        raise click.UsageError('Berikan KATALOG.csv, atau satu judul dengan --title "…".')
    opened = TitleIndex.load(folder, threshold=DECISION_THRESHOLD)
    indexed = set(map(title_key, opened.titles))
    new = [title for title in titles if title_key(title) not in indexed]
    if new:
        opened.add(new)
        opened.save(folder)
    n_skipped = format_number(len(titles) - len(new))
    click.echo(
        f"{format_number(len(new))} judul ditambahkan, {n_skipped} dilewati karena sudah ada. "
        f"Indeks {folder} kini berisi {format_number(len(opened.titles))} judul."
    )


@index.command()
@_FOLDER
@argument("title", metavar="JUDUL", help="Judul yang dihapus, persis seperti di arsip.")
def remove(folder: Path, title: str) -> None:
    """Hapus JUDUL dari indeks."""
    from judul_lib.search.index import TitleIndex

    opened = TitleIndex.load(folder, threshold=DECISION_THRESHOLD)
    n_removed = opened.remove(title.strip())
    opened.save(folder)
    times = f" (ada {format_number(n_removed)} kali)" if n_removed > 1 else ""
    click.echo(
        f"Judul itu dihapus{times}. Indeks {folder} kini berisi "
        f"{format_number(len(opened.titles))} judul."
    )


@index.command()
@_FOLDER
@MODELS_OPTION
def info(folder: Path, outputs: Path | None) -> None:
    """Tampilkan isi indeks: model, judul, bagian, ukuran."""
    from judul_lib.search.index_files import read_index

    model, parts, _ = read_index(folder, Path)
    name = shared.model_name(model)
    facts = {
        "model": f"{name} ({MODEL_TITLES[name]})",
        "judul": format_number(sum(part.n_kept for part in parts)),
        "dihapus": format_number(sum(len(part.removed) for part in parts)),
        "bagian": format_number(len(parts)),
        "ukuran": _format_size(folder),
    }
    click.echo("\n".join(f"{label:<8} {value}" for label, value in facts.items()))
    shared.note_outdated_model(folder, name, shared.read_config(models=outputs).models)


def _format_size(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size >= 1_000_000:
        return f"{format_number(size / 1_000_000, 1)} MB"
    return f"{format_number(size / 1_000, 0)} KB"
