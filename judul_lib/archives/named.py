"""The archives of an installation by name: folders in ``archives/`` beside ``judul.toml``."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from judul_lib.checking.stored_gauge import gauge_file
from judul_lib.core.config import Config
from judul_lib.core.errors import ArchiveError, BusyError, ModelError
from judul_lib.core.storage import exclusive_lock, recover_folder, sha256_of

CORPUS_FILE, INFO_FILE, INDEX_FOLDER, STORE_SUFFIX = (
    "corpus.csv",
    "archive.json",
    "index",
    ".harvest.sqlite",
)
INDEX_MIN_TITLES = 2_000
"""With fewer titles, opening an index takes a check as long as preparing the titles themselves."""
_FORMAT = 1
_MAX_REASONS = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Source:
    """A file or repository whose titles are in an archive.

    Attributes
    ----------
    name : str
        Name of the file without its folder, or address of the repository.
    sha256 : str
        Hash of the content.
    date : str
        Date on which it was read, ISO 8601.
    n_titles : int
        Titles that it gave, each once.
    set_aside : mapping of str to int
        Reason in Indonesian to number of rows or records that are not used.
    """

    name: str
    sha256: str
    date: str
    n_titles: int
    set_aside: Mapping[str, int] = field(default_factory=dict)

    def main_reasons(self) -> tuple[list[tuple[str, int]], int]:
        """Return the most frequent reasons with their numbers, and the number for all others.

        Examples
        --------
        >>> Source("ta.csv", "", "2026-01-31", 5, {"duplikat": 2, "tanpa judul": 1}).main_reasons()
        ([('duplikat', 2), ('tanpa judul', 1)], 0)
        """
        reasons = list(self.set_aside.items())
        rest = sum(n for _, n in reasons[_MAX_REASONS:])
        return reasons[:_MAX_REASONS], rest


@dataclass(frozen=True)
class ArchiveInfo:
    """What ``archive.json`` says about an archive.

    Attributes
    ----------
    sha256 : str
        Hash of ``corpus.csv``.
    n_titles : int
    sources : tuple of Source
    boilerplate : tuple of str
        Words with which many of its titles begin or end, which say nothing about the subject.
    index_model : str or None
        Name of the model of its index, if it has one.
    """

    sha256: str
    n_titles: int
    sources: tuple[Source, ...]
    boilerplate: tuple[str, ...] = ()
    index_model: str | None = None

    def to_json(self) -> bytes:
        """Return the content of ``archive.json``."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        return (text + "\n").encode()


@dataclass(frozen=True)
class NamedArchive:
    """An archive that may not exist yet.

    Attributes
    ----------
    home : path
        Folder of all archives.
    name : str
    """

    home: Path
    name: str

    @property
    def folder(self) -> Path:
        """Folder of the archive."""
        return self.home / self.name

    @property
    def corpus(self) -> Path:
        """File of its titles."""
        return self.folder / CORPUS_FILE

    @property
    def index(self) -> Path:
        """Folder of its index, which it need not have."""
        return self.folder / INDEX_FOLDER

    @property
    def store(self) -> Path:
        """File of what was harvested; outside the folder, which is replaced as a whole."""
        return self.home / f"{self.name}{STORE_SUFFIX}"

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the archive; the lock ends with the process.

        Raises
        ------
        BusyError
            Another process is changing it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        refusal = (
            f"Arsip {self.name} sedang diubah oleh perintah lain. Tunggu sampai selesai, lalu ulangi."
        )
        return exclusive_lock(self.home / f".{self.name}.lock", BusyError(refusal))

    def read_info(self) -> ArchiveInfo:
        """Return what is known about the archive.

        Raises
        ------
        ArchiveError
            It does not exist, or its ``archive.json`` is damaged.
        """
        recover_folder(self.folder)
        path = self.folder / INFO_FILE
        try:
            return _parse_info(json.loads(path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError) as error:
            names = ", ".join(archive.name for archive in list_archives(self.home)) or "belum ada"
            raise ArchiveError(
                f"Arsip '{self.name}' tidak ada di {self.home} (yang ada: {names}). Lihat "
                "`judul archive list`."
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArchiveError(
                f"{path} rusak atau dari versi lain. Hapus arsip itu dengan "
                f"`judul archive remove {self.name}`, lalu buat lagi."
            ) from error

    def best_path(self, model: str | None, models: Path, say: Callable[[str], object]) -> Path:
        """Return the index where it answers for the model as the titles do, else the file of titles.

        Parameters
        ----------
        model : str or None
            Name of the requested model; None accepts any.
        models : path
            Folder of the models; an index with another copy of its model is not used.
        say : callable
            Called with a sentence if there is an index that is out of date.

        Raises
        ------
        ArchiveError
            See `read_info`; or the file of titles is missing.
        """
        info = self.read_info()
        if not self.corpus.is_file():
            raise ArchiveError(
                f"{self.corpus} tidak ada. Buat lagi arsip itu dari berkas atau repositorinya."
            )
        has_index = info.index_model is not None and self.index.is_dir()
        is_measured = gauge_file(self.corpus).exists() and not gauge_file(self.index).exists()
        if not has_index or is_measured or model not in (None, info.index_model):
            return self.corpus
        if sha256_of(self.corpus.read_bytes()) != info.sha256:
            say(f"Catatan: {self.corpus} diubah sesudah indeksnya dibangun; indeks itu tidak dipakai.")
            return self.corpus
        if _has_outdated_model(self.index, models, str(info.index_model)):
            say(f"Catatan: modelnya berubah sesudah {self.index} dibangun; indeks itu tidak dipakai.")
            return self.corpus
        return self.index

    def remove(self) -> None:
        """Delete the archive with all that was harvested for it.

        Raises
        ------
        ArchiveError
            It does not exist.
        BusyError
            Another process is changing it.
        """
        with self.lock():
            recover_folder(self.folder)
            if not self.folder.is_dir() and not self.store.exists():
                self.read_info()  # Says that it does not exist.
            shutil.rmtree(self.folder, ignore_errors=True)
            for suffix in ("", "-journal"):
                self.store.with_name(self.store.name + suffix).unlink(missing_ok=True)


def archives_home(config: Config) -> Path:
    """Return the folder of the archives: beside the configuration's file, or in the current folder.

    Examples
    --------
    >>> archives_home(Config(source=Path("/srv/judul/judul.toml"))).as_posix()
    '/srv/judul/archives'
    """
    return (Path.cwd() if config.source is None else config.source.resolve().parent) / "archives"


def named_archive(config: Config, name: str) -> NamedArchive:
    """Return the archive of a name, which need not exist.

    Raises
    ------
    ArchiveError
        The name has other characters than letters, digits, hyphens and underscores.

    Examples
    --------
    >>> named_archive(Config(source=Path("/srv/judul/judul.toml")), "informatika").corpus.as_posix()
    '/srv/judul/archives/informatika/corpus.csv'
    """
    if not _NAME.fullmatch(name):
        raise ArchiveError(
            f"'{name}' tidak dapat menjadi nama arsip. Pakai huruf, angka, - dan _ saja, misalnya "
            "informatika-2026."
        )
    return NamedArchive(archives_home(config), name)


def list_archives(home: Path) -> list[NamedArchive]:
    """Return the archives of a folder by name, those whose first harvest is unfinished included.

    Examples
    --------
    >>> list_archives(Path("tidak-ada"))
    []
    """
    paths = list(home.iterdir()) if home.is_dir() else []
    folders = {path.name for path in paths if path.is_dir()}
    stores = {path.name.removesuffix(STORE_SUFFIX) for path in paths if path.name.endswith(STORE_SUFFIX)}
    return [NamedArchive(home, name) for name in sorted(filter(_NAME.fullmatch, folders | stores))]


def _has_outdated_model(index: Path, models: Path, name: str) -> bool:
    from judul_lib.checking.versions import model_folder
    from judul_lib.search.index_files import has_outdated_model

    try:
        return has_outdated_model(index, model_folder(models, name))
    except ModelError:  # The model is missing: the index has its own copy.
        return False


def _parse_info(values: dict[str, Any]) -> ArchiveInfo:
    if values.pop("format") != _FORMAT:
        raise ValueError("format")
    sources = tuple(Source(**source) for source in values.pop("sources"))
    return ArchiveInfo(**values | {"boilerplate": tuple(values["boilerplate"])}, sources=sources)
