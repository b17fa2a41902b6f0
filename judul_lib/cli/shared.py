"""Options and steps shared by several commands: configuration, model, log, input and output."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from judul_lib.cli.indonesian import option
from judul_lib.core.errors import CorpusError, LogError, MissingChoiceError, OutputError
from judul_lib.core.formatting import escape_control_characters, format_number
from judul_lib.core.settings import ELSEWHERE_LABELS, MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.core.config import Config
    from judul_lib.governance.decisions import Decisions
    from judul_lib.search.index import TitleIndex
    from judul_lib.study.corpus import Corpus
    from judul_lib.usage.log import UsageLog

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
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


def _remember_choice(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Keep a chosen column or sheet for the files that the command reads."""
    if value is not None:
        context.meta[f"{__name__}.{parameter.name}"] = value


_COLUMN_OPTION = option(
    "--column", metavar="KOLOM", expose_value=False, callback=_remember_choice,
    help="Kolom judul: nama atau nomornya, bila lebih dari satu yang mungkin.",
)  # fmt: skip
_SHEET_OPTION = option(
    "--sheet", metavar="LEMBAR", expose_value=False, callback=_remember_choice,
    help="Lembar buku kerja yang dibaca, bila judul kolomnya berbeda-beda.",
)  # fmt: skip


def title_choice_options(function: F) -> F:
    """Add ``--column`` and ``--sheet``, which `read_as_chosen` reads, to a command."""
    return _COLUMN_OPTION(_SHEET_OPTION(function))


def title_choice() -> dict[str, str | None]:
    """Return the ``column`` and ``sheet`` that the user has chosen."""
    meta = click.get_current_context().meta
    return {name: meta.get(f"{__name__}.{name}") for name in ("column", "sheet")}


JOBS_OPTION = option("--jobs", type=click.IntRange(min=1), default=1, help="Jumlah proses [bawaan: 1].")
SCHEDULER_OPTION = option(
    "--scheduler", metavar="ALAMAT",
    help="Penjadwal Dask, misalnya tcp://10.0.0.1:8786 [bawaan: JUDUL_SCHEDULER, atau mesin ini].",
)  # fmt: skip


def project_folder() -> Path:
    """Return the folder with the notebooks: the working directory, or the package's checkout."""
    here = Path.cwd()
    return here if (here / "notebooks").is_dir() else Path(__file__).resolve().parents[2]


def read_config(**overrides: Any) -> "Config":
    """Return the configuration of the working directory, or else the project's."""
    from judul_lib.core.config import find_config, load_config

    if overrides.get("models"):
        overrides["models"] = overrides["models"].resolve()
    project = project_folder()
    file = find_config() or find_config(project)
    if file is None and not os.environ.get("JUDUL_MODELS"):
        overrides["models"] = overrides.get("models") or project / "outputs"
    return load_config(file, warn=print_stderr, **overrides)


def print_stderr(text: str) -> None:
    """Write a line to standard error; control characters in it (of a file name, say) are escaped."""
    click.echo(escape_control_characters(text), err=True)


def open_log(config: "Config") -> "UsageLog | None":
    """Open the usage log under the pseudonym of the logged-in user; None where logging is off."""
    from judul_lib.usage import installation

    return installation.open_log(config, print_stderr, user=_login())


def read_decisions(config: "Config") -> "Decisions | None":
    """Return the decisions in force, or None without any; where they cannot be read, that is noted."""
    from judul_lib.usage.installation import may_have_decisions

    if not may_have_decisions(config.logs):
        return None
    from judul_lib.governance import decisions
    from judul_lib.usage.database import database_url, opened_database

    try:
        with opened_database(database_url(config.logs), warn=print_stderr) as engine:
            return decisions.read_decisions(engine, config.logs)
    except (LogError, OSError) as error:
        print_stderr(
            f"Catatan: keputusan tentang pasangan judul tidak terbaca, jadi tidak dipakai. {error}"
        )
        return None


def actor(config: "Config") -> str:
    """Return the pseudonym of the logged-in user for the audit trail.

    It differs from the one in the usage log, because the trail stays when a user's records are deleted.
    """
    from judul_lib.core.pseudonyms import has_key, keyed_hash, log_key

    account = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "uid-?"  # Windows has none.
    if not has_key(config.logs):
        return account  # Do not create a key for this: `restore` may be about to bring one.
    try:
        return keyed_hash(log_key(config.logs), f"petugas {_login() or account}")
    except LogError:
        return account  # The key is invalid; `restore` may be about to replace it.


def _login() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # A container without an entry for its user; Windows.
        return None


def choose_model(name: str | None, outputs: Path) -> Path:
    """Return the folder of the named model, or of the preferred one that is available."""
    from judul_lib.checking.loading import find_models, missing_models
    from judul_lib.checking.registry import is_recommended
    from judul_lib.checking.versions import model_folder

    if name is not None:
        return model_folder(outputs, name)
    found = find_models(outputs, warn=lambda sentence: print_stderr(f"Catatan: {sentence}"))
    folder = next(iter(found.values()))
    if not is_recommended(folder) and (missing := missing_models(found)):
        print_stderr(f"Catatan: {', '.join(missing)} belum ada di {outputs}; buat dengan `make run`.")
    return folder


def require_writable_output(output: Path, config: "Config", *inputs: Path | None) -> None:
    """Refuse, before the work starts, an output path that is unusable or would overwrite an input.

    Parameters
    ----------
    config : Config
        Its models and log count as inputs.
    inputs : path or None
        Files and folders that the command reads; None is ignored.

    Raises
    ------
    OutputError
        The path is an input or inside one, its folder does not exist, or it is not a regular file.
    """
    from judul_lib.checking.versions import versions_home

    if not output.parent.is_dir():
        raise OutputError(
            f"Folder {output.parent} tidak ada. Buat dulu folder itu, atau pilih yang lain."
        )
    if output.exists() and not output.is_file():
        raise OutputError(f"{output} sudah ada dan bukan berkas. Pilih nama lain untuk hasilnya.")
    model_folders = (
        folder
        for name in MODEL_TITLES
        for folder in (config.models / name, versions_home(config.models, name))
    )
    for source in filter(None, (*inputs, config.logs, *model_folders)):
        is_same = output.exists() and source.exists() and output.samefile(source)  # Hard links, too.
        if is_same or output.resolve().is_relative_to(source.resolve()):
            raise OutputError(
                f"Hasil tidak ditulis ke {output}, sebab akan menimpa {source} yang dipakai di sini. "
                "Pilih nama lain untuk hasilnya."
            )


def require_comparable_title(title: str) -> None:
    """Refuse a title that preprocessing leaves empty, and note one of a single stem.

    Raises
    ------
    CorpusError
        No word is left.
    """
    from judul_lib.study.preprocessing import preprocess_cells

    stems = preprocess_cells([title])[0].split()
    if len(stems) == 1:
        print_stderr("Catatan: hanya satu kata yang dapat dibandingkan. Tulis judul lengkapnya.")
    if not stems:
        raise CorpusError(
            "Judul itu kosong, terlalu panjang, atau tidak berisi kata yang dapat dibandingkan. "
            "Tulis judul lengkapnya."
        )


def read_as_chosen(read: Callable[..., T], *, is_only_file: bool) -> T:
    """Read a file with the column and sheet that the user has chosen.

    Parameters
    ----------
    read : callable
        Called with ``column`` and ``sheet``.
    is_only_file : bool
        Whether the command reads no other file; one of two may be without the choice.
    """
    try:
        return read(**title_choice())
    except MissingChoiceError as error:
        if is_only_file:
            raise
        print_stderr(f"Catatan: {error}")
        return read(column=None, sheet=None)


def read_corpus(path: Path, *, min_titles: int = 1, is_only_file: bool = True) -> "Corpus":
    """Read a file of titles, and note on standard error how many rows are not used."""
    from judul_lib.study import corpus

    read = read_as_chosen(
        partial(corpus.read_corpus, path, min_titles=min_titles, warn=print_stderr),
        is_only_file=is_only_file,
    )
    if len(read.rejected):
        n_rejected, n_rows = format_number(len(read.rejected)), format_number(read.n_rows)
        reasons = read.describe_rejected()
        print_stderr(f"Catatan: {n_rejected} dari {n_rows} baris {path.name} tidak dipakai: {reasons}.")
    return read


def read_titles(path: Path, *, is_only_file: bool = True) -> list[str]:
    """Return the usable titles of a file; see `read_corpus`."""
    from judul_lib.core.columns import TITLE_COLUMN

    return list(read_corpus(path, is_only_file=is_only_file).titles[TITLE_COLUMN])


def model_name(folder: Path) -> str:
    """Return the name that a model's metadata gives."""
    from judul_lib.checking.registry import read_metadata

    return str(read_metadata(folder)["name"])


def open_index(
    folder: Path, name: str | None, config: "Config", *, use_stored_threshold: bool = False
) -> "TitleIndex":
    """Open an index to check titles with; see `judul_lib.search.archives.load_index`.

    Parameters
    ----------
    name : str or None
        The requested model; None accepts any.
    use_stored_threshold : bool
        Whether the threshold stored beside the index replaces the default one.

    Raises
    ------
    ModelError
        The index was built with another model, or its copy of the model is damaged.
    IndexFileError
        The index cannot be used.
    """
    from judul_lib.core.errors import ModelError
    from judul_lib.search import archives

    index = archives.load_index(folder, config, say=print_stderr if use_stored_threshold else None)
    if name not in (None, index.name):
        raise ModelError(
            f"Indeks {folder} dibangun dengan model {index.name}, bukan {name}. "
            f"Hapus --model, atau bangun indeks lain: `judul index build … --model {name}`."
        )
    note_outdated_model(folder, index.name, config.models)
    return index


def note_outdated_model(folder: Path, name: str, outputs: Path) -> None:
    """Note that an index holds another copy of a model than the one in *outputs*."""
    from judul_lib.checking.versions import model_folder
    from judul_lib.core.errors import ModelError
    from judul_lib.search.index_files import has_outdated_model

    try:
        is_outdated = has_outdated_model(folder, model_folder(outputs, name))
    except ModelError:  # The model is missing or unusable.
        return
    if is_outdated:
        print_stderr(
            f"Catatan: indeks {folder} menjawab dengan salinan model {name} yang berbeda dari yang "
            f"kini ada di {outputs}. Bangun lagi dengan "
            f"`judul index build KATALOG.csv {folder} --model {name}`."
        )


def progress_bar(items: Iterable[Any], total: int) -> Iterable[Any]:
    """Show a progress bar, in titles, while the items are consumed."""
    from tqdm import tqdm

    return tqdm(items, total=total, unit="judul", leave=False, disable=None)
