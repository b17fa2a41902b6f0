"""``judul archive harvest``, ``add``, ``list``, ``info`` and ``remove``: archives by name."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judul_lib.cli import shared
from judul_lib.cli.archive import archive
from judul_lib.cli.indonesian import argument, option
from judul_lib.cli.shared import MODELS_OPTION, print_stderr, title_choice_options
from judul_lib.core.errors import ArchiveError
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.archives.harvest import HarvestResult
    from judul_lib.archives.named import NamedArchive, Source
    from judul_lib.archives.titles import Change, SourceTitles

__all__ = ["archive"]
_NAME = argument("name", metavar="NAMA", help="Nama arsip: huruf, angka, - dan _.")
_FORCE = option("--force", is_flag=True, help="Terima sumber yang kini berisi lebih sedikit judul.")


@archive.command()
@_NAME
@argument("url", metavar="URL", help="Alamat OAI-PMH repositori, misalnya https://…/cgi/oai2.")
@option("--set", "set_spec", metavar="SET", help="Hanya set ini, misalnya sebuah fakultas.")
@option(
    "--from", "from_date", metavar="TANGGAL", type=click.DateTime(["%Y-%m-%d"]),
    help="Hanya yang berubah sejak tanggal ini, TTTT-BB-HH [bawaan: sejak panen terakhir].",
)  # fmt: skip
@option(
    "--types", multiple=True, metavar="JENIS",
    help="Jenis dokumen yang diambil; boleh berulang [bawaan: skripsi, tesis, disertasi, tugas akhir].",
)  # fmt: skip
@option(
    "--contact", metavar="ALAMAT", help="Surel atau alamat web Anda [bawaan: contact di judul.toml]."
)
@option(
    "--pause", type=click.FloatRange(0), default=1.0, metavar="DETIK",
    help="Jeda antara dua permintaan [bawaan: 1].",
)  # fmt: skip
@MODELS_OPTION
def harvest(
    name: str,
    url: str,
    set_spec: str | None,
    from_date: object,
    types: tuple[str, ...],
    contact: str | None,
    pause: float,
    outputs: Path | None,
) -> None:
    """Ambil judul dari repositori kampus lewat OAI-PMH ke arsip NAMA.

    Kali berikutnya hanya perubahannya yang diambil. Bila terhenti, perintah yang sama melanjutkan.
    """
    from tqdm import tqdm

    from judul_lib.archives.dublin_core import DEFAULT_TYPES
    from judul_lib.archives.harvest import run_harvest
    from judul_lib.archives.harvest_store import HarvestStore
    from judul_lib.archives.named import named_archive
    from judul_lib.archives.repository import Repository
    from judul_lib.archives.titles import harvested_titles

    config = shared.read_config(models=outputs)
    target = named_archive(config, name)
    with (
        Repository(url, contact or config.contact, pause=pause) as repository,
        target.lock(),
        HarvestStore.open(target.store) as store,
    ):
        with tqdm(unit="catatan", leave=False, disable=None) as bar:

            def show_progress(received: int, size: int | None) -> None:
                bar.total = size
                bar.update(received - bar.n)

            result = run_harvest(
                repository, store, set_spec=set_spec, types=types or None, on_page=show_progress,
                from_date=None if from_date is None else f"{from_date:%Y-%m-%d}",
            )  # fmt: skip
        progress = store.progress()
        wanted = progress.types if progress is not None and progress.types else DEFAULT_TYPES
        titles = harvested_titles(store.records(), url, wanted)
        click.echo(_describe_harvest(result))
        _put(target, titles, outputs, force=True)


def _describe_harvest(result: "HarvestResult") -> str:
    received = format_number(result.n_received)
    if not result.n_received:
        return "Tidak ada yang berubah di repositori sejak panen terakhir."
    if result.n_restarts:
        print_stderr(
            "Catatan: repositori lupa sampai mana daftarnya; daftar itu diminta lagi dari awal."
        )
    if result.size is not None and result.size != result.n_received:
        print_stderr(
            f"Catatan: repositori menyebut {format_number(result.size)} catatan, tetapi mengirim "
            f"{received}. Tanyakan kepada pengelolanya bila selisihnya besar."
        )
    resumed = " (melanjutkan panen yang terhenti)" if result.was_resumed else ""
    return f"{received} catatan diterima{resumed}."


@archive.command()
@_NAME
@argument("source", metavar="BERKAS", type=Path, help="CSV atau buku kerja.")
@title_choice_options
@_FORCE
@MODELS_OPTION
def add(name: str, source: Path, force: bool, outputs: Path | None) -> None:
    """Masukkan judul dari BERKAS ke arsip NAMA.

    Berkas dengan nama yang sama menggantikan isinya yang lama; judul dari berkas lain tetap.
    """
    from judul_lib.archives.named import named_archive
    from judul_lib.archives.titles import read_source

    target = named_archive(shared.read_config(models=outputs), name)
    titles = shared.read_as_chosen(partial(read_source, source, warn=print_stderr), is_only_file=True)
    with target.lock():
        _put(target, titles, outputs, force=force)


def _put(target: "NamedArchive", titles: "SourceTitles", outputs: Path | None, *, force: bool) -> None:
    """Put the titles of a source into an archive, and say what has changed."""
    from judul_lib.archives.titles import replace_source

    change = replace_source(target, titles, force=force, build_index=_index_builder(outputs))
    click.echo(_describe_change(target, titles.source, change))


def _describe_change(target: "NamedArchive", source: "Source", change: "Change") -> str:
    total = f"Arsip {target.name} berisi {format_number(change.n_titles)} judul."
    if change.is_unchanged:
        return f"Isi {source.name} sudah ada; tidak ada yang ditambahkan. {total}"
    lost = f", {format_number(change.n_lost)} hilang" if change.n_lost else ""
    lines = [f"{format_number(change.n_added)} judul baru{lost}. {total}"]
    lines += _set_aside_lines(source)
    return "\n".join(lines)


def _set_aside_lines(source: "Source") -> list[str]:
    reasons, rest = source.main_reasons()
    lines = [f"  {format_number(n)} tidak dipakai: {reason}" for reason, n in reasons]
    if rest:
        lines.append(f"  {format_number(rest)} tidak dipakai karena alasan lain")
    return lines


def _index_builder(outputs: Path | None) -> Callable[[Sequence[str], Path], str | None]:
    """Return a function that builds an index of an archive where it pays."""

    def build(titles: Sequence[str], folder: Path) -> str | None:
        from judul_lib.archives.named import INDEX_MIN_TITLES

        if len(titles) < INDEX_MIN_TITLES:
            return None
        from tqdm import tqdm

        from judul_lib.search.index import TitleIndex

        model = shared.choose_model(None, shared.read_config(models=outputs).models)
        with tqdm(total=len(titles), unit="judul", leave=False, disable=None) as bar:
            built = TitleIndex.build(titles, model, on_progress=lambda done, _: bar.update(done - bar.n))
        built.save(folder)
        return built.name

    return build


@archive.command("list")
def list_() -> None:
    """Tampilkan semua arsip bernama."""
    from judul_lib.archives.named import archives_home, list_archives

    home = archives_home(shared.read_config())
    archives = list_archives(home)
    if not archives:
        click.echo(
            f"Belum ada arsip di {home}. Buat dengan `judul archive add` atau `judul archive harvest`."
        )
    for named in archives:
        if not named.folder.is_dir():
            click.echo(f"{named.name:<24} panen pertama belum selesai")
            continue
        info = named.read_info()
        day = max(source.date for source in info.sources)
        click.echo(f"{named.name:<24} {format_number(info.n_titles):>9} judul, {day}")


@archive.command()
@_NAME
def info(name: str) -> None:
    """Tampilkan isi arsip NAMA: sumber, jumlah, hasil ukur, indeks."""
    from judul_lib.archives.named import named_archive
    from judul_lib.checking.stored_gauge import read_gauge

    named = named_archive(shared.read_config(), name)
    found = named.read_info()
    lines = [f"judul      {format_number(found.n_titles)} ({named.corpus}, sha256 {found.sha256[:12]})"]
    for source in found.sources:
        lines.append(f"sumber     {source.name}: {format_number(source.n_titles)} judul, {source.date}")
        lines += _set_aside_lines(source)
    lines += [f"berulang   … {text} …" for text in found.boilerplate]
    index = "belum ada" if found.index_model is None else MODEL_TITLES[found.index_model]
    gauge = read_gauge(named.corpus) or read_gauge(named.index)
    measured = "belum; lihat `judul archive gauge`" if gauge is None else gauge.describe()
    lines += [f"indeks     {index}", f"hasil ukur {measured}"]
    click.echo("\n".join(lines))


@archive.command()
@_NAME
@option("--yes", is_flag=True, help="Hapus tanpa bertanya.")
def remove(name: str, yes: bool) -> None:
    """Hapus arsip NAMA beserta hasil panennya."""
    from judul_lib.archives.named import named_archive

    named = named_archive(shared.read_config(), name)
    if not yes:
        if not sys.stdin.isatty():
            raise ArchiveError(f"Arsip {name} tidak dihapus. Tambahkan --yes untuk menghapusnya.")
        if click.prompt(f"Hapus arsip {name}? (ya/tidak)", default="tidak").strip().lower() != "ya":
            click.echo("Tidak ada yang dihapus.")
            return
    named.remove()
    click.echo(f"Arsip {name} dihapus.")
