"""What several of the ``judul`` commands need: where things are, which model, what is said aside."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judul_lib.cli.words import option
from judul_lib.core.errors import CorpusError, LogError, OutputError
from judul_lib.core.formatting import escape_control_characters, format_number
from judul_lib.core.settings import ELSEWHERE_LABELS, MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.core.config import Config
    from judul_lib.search.index import TitleIndex
    from judul_lib.study.corpus import Corpus
    from judul_lib.usage.log import UsageLog

MODEL_OPTION = option(
    "--model", "name", type=click.Choice(list(MODEL_TITLES)),
    help="Model [bawaan: structured bila papan peringkat menganjurkannya, lalu full, lalu light].",
)  # fmt: skip
MODELS_OPTION = option(
    "--models",
    "outputs",
    type=Path,
    metavar="FOLDER",
    help="Folder yang berisi model-model [bawaan: outputs].",
)
ELSEWHERE_OPTION = option(
    "--elsewhere", type=click.Choice(list(ELSEWHERE_LABELS)),
    help="Penelitian serupa di tempat lain (hanya model structured) [bawaan: tanyakan].",
)  # fmt: skip
JOBS_OPTION = option("--jobs", type=click.IntRange(min=1), default=1, help="Jumlah proses [bawaan: 1].")
SCHEDULER_OPTION = option(
    "--scheduler", metavar="ALAMAT",
    help="Penjadwal Dask, misalnya tcp://10.0.0.1:8786 [bawaan: JUDUL_SCHEDULER, atau mesin ini].",
)  # fmt: skip


def project_folder() -> Path:
    """Return the folder with the notebooks: here, or where the package lies."""
    here = Path.cwd()
    return here if (here / "notebooks").is_dir() else Path(__file__).resolve().parents[2]


def read_config(**overrides: Any) -> "Config":
    """Return the configuration of the folder we are in, or else the project's."""
    from judul_lib.core.config import find_config, load_config

    if overrides.get("models"):
        overrides["models"] = overrides["models"].resolve()
    project = project_folder()
    file = find_config() or find_config(project)
    if file is None and not os.environ.get("JUDUL_MODELS"):
        overrides["models"] = overrides.get("models") or project / "outputs"
    return load_config(file, **overrides)


def say(text: str) -> None:
    """Write a sentence to standard error; a name in it must not steer the terminal."""
    click.echo(escape_control_characters(text), err=True)


def open_log(config: "Config") -> "UsageLog | None":
    """Return the log, under a pseudonym of whoever is logged in here."""
    from judul_lib.usage import installation

    return installation.open_log(config, say, user=_login())


def actor(config: "Config") -> str:
    """Return a pseudonym of whoever is logged in here, for the audit trail.

    It differs from the one that answers are logged under: the trail is kept
    when that person's records are deleted.
    """
    from judul_lib.core.pseudonyms import has_key, keyed_hash, log_key

    account = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "uid-?"  # Windows has none.
    if not has_key(config.logs):
        return account  # No key is made only for this: a backup may be about to bring one.
    try:
        return keyed_hash(log_key(config.logs), f"petugas {_login() or account}")
    except LogError:
        return account  # A backup may be about to replace what is no key.


def _login() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # A container without an entry for its user; Windows.
        return None


def choose_model(name: str | None, outputs: Path) -> Path:
    """Return the folder of the model asked for, or the first of those that are there."""
    from judul_lib.checking.loading import find_models, missing_models
    from judul_lib.checking.registry import is_recommended
    from judul_lib.checking.versions import model_folder

    if name is not None:
        return model_folder(outputs, name)
    found = find_models(outputs, warn=lambda sentence: say(f"Catatan: {sentence}"))
    folder = next(iter(found.values()))
    if not is_recommended(folder) and (missing := missing_models(found)):
        say(f"Catatan: {', '.join(missing)} belum ada di {outputs}; buat dengan `make run`.")
    return folder


def require_writable_output(output: Path, config: "Config", *inputs: Path | None) -> None:
    """Refuse, before the work, a place for a result that would harm what is read, or is none.

    Parameters
    ----------
    config : Config
        Its models and log are read, too.
    inputs : path or None
        Files and folders that are read, by whatever name; None for what is not given.

    Raises
    ------
    OutputError
        The file is an input or in one, its folder does not exist, or it is no file.
    """
    from judul_lib.checking.versions import versions_home

    if not output.parent.is_dir():
        raise OutputError(
            f"Folder {output.parent} tidak ada. Buat dulu folder itu, atau pilih yang lain."
        )
    if output.exists() and not output.is_file():
        raise OutputError(f"{output} sudah ada dan bukan berkas. Pilih nama lain untuk hasilnya.")
    ours = (
        place
        for name in MODEL_TITLES
        for place in (config.models / name, versions_home(config.models, name))
    )
    for given in filter(None, (*inputs, config.logs, *ours)):
        # Another name of the same file is seen by its place on the disk.
        is_same = output.exists() and given.exists() and output.samefile(given)
        if is_same or output.resolve().is_relative_to(given.resolve()):
            raise OutputError(
                f"Hasil tidak ditulis ke {output}, sebab akan menimpa {given} yang dipakai di sini. "
                "Pilih nama lain untuk hasilnya."
            )


def require_comparable_title(title: str) -> None:
    """Refuse a title in which there is nothing to compare.

    Raises
    ------
    CorpusError
        No word is left of it.
    """
    from judul_lib.study.preprocessing import preprocess_cells

    stems = preprocess_cells([title])[0].split()
    if len(stems) == 1:
        say("Catatan: hanya satu kata yang dapat dibandingkan. Tulis judul lengkapnya.")
    if not stems:
        raise CorpusError(
            "Judul itu kosong, terlalu panjang, atau tidak berisi kata yang dapat dibandingkan. "
            "Tulis judul lengkapnya."
        )


def read_catalogue(path: Path, *, min_titles: int = 1) -> "Corpus":
    """Read an archive of titles, and say how many rows are not used."""
    from judul_lib.study.corpus import read_corpus

    read = read_corpus(path, min_titles=min_titles, warn=say)
    if len(read.rejected):
        left_out, every = format_number(len(read.rejected)), format_number(read.n_rows)
        which = read.describe_rejected()
        say(f"Catatan: {left_out} dari {every} baris {path.name} tidak dipakai: {which}.")
    return read


def open_index(
    folder: Path, name: str | None, config: "Config", *, say: Callable[[str], object] | None = None
) -> "TitleIndex":
    """Open an index to check titles with; see `judul_lib.search.archives.load_index`.

    Parameters
    ----------
    name : str
        The model that was asked for, if any.

    Raises
    ------
    ModelError
        The index was built with another one, or its copy of the model is damaged.
    IndexFileError
        The index cannot be used.
    """
    from judul_lib.core.errors import ModelError
    from judul_lib.search import archives

    opened = archives.load_index(folder, config, say=say)
    if name not in (None, opened.name):
        raise ModelError(
            f"Indeks {folder} dibangun dengan model {opened.name}, bukan {name}. "
            f"Hapus --model, atau bangun indeks lain: `judul index build … --model {name}`."
        )
    note_other_model(folder, opened.name, config.models)
    return opened


def note_other_model(folder: Path, name: str, outputs: Path) -> None:
    """Say where an index answers with an earlier copy of a model than the one that is there."""
    from judul_lib.checking.versions import model_folder
    from judul_lib.core.errors import ModelError
    from judul_lib.search.index_files import has_outdated_model

    try:
        is_other = has_outdated_model(folder, model_folder(outputs, name))
    except ModelError:  # There is no such model, or none that could be used.
        return
    if is_other:
        say(
            f"Catatan: indeks {folder} menjawab dengan salinan model {name} yang berbeda dari yang "
            f"kini ada di {outputs}. Bangun lagi dengan "
            f"`judul index build KATALOG.csv {folder} --model {name}`."
        )


def with_progress(items: Iterable[Any], total: int) -> Iterable[Any]:
    """Show a bar in titles while items are taken."""
    from tqdm import tqdm

    return tqdm(items, total=total, unit="judul", leave=False, disable=None)
