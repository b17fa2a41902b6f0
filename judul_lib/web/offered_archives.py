"""The archives that the page and the interface offer, opened with the models that answer for them."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from judul_lib.archives.details import title_details
from judul_lib.archives.named import CORPUS_FILE, NamedArchive, archives_home, list_archives
from judul_lib.checking.checker import Checker, TitleChecker
from judul_lib.checking.stored_gauge import stored_threshold
from judul_lib.core.columns import TITLE_COLUMN, Details
from judul_lib.core.config import Config
from judul_lib.core.errors import ArchiveError, JudulError, ModelError
from judul_lib.core.texts import page_text
from judul_lib.search.archives import is_index, load_index
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import read_corpus

MAX_OPENED = 8
"""Archives kept open at the same time; the least recently used one is closed."""
MAX_COMPARED_TITLES = 20_000
"""Named archives with more titles are searched by their index, where they have one."""
# From this size on, an index answers in a fraction of the time of comparing all titles.
_MIN_INDEXED = 1_000

_Stamp = tuple[int, int]


@dataclass(frozen=True)
class ArchiveChoice:
    """An archive that can be chosen.

    Attributes
    ----------
    name : str
        Shown, and given back to choose it.
    path : path or None
        A file of titles or the folder of an index; None stands for each model's own corpus.
    date : str
        Day of the last change, ISO 8601; empty for the models' own corpus.
    """

    name: str
    path: Path | None
    date: str = ""


@dataclass(frozen=True)
class OpenedArchive:
    """An archive with its checkers.

    Attributes
    ----------
    choice : ArchiveChoice
    checkers : mapping of str to Checker
        By name of the model, the preferred one first. For an index, only its own model.
    details : mapping of str to mapping
        By title: year, author and more, where the archive knows them.
    notes : tuple of str
        Sentences for readers on how the archive is compared.
    """

    choice: ArchiveChoice
    checkers: Mapping[str, Checker]
    details: Mapping[str, Details] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the archive."""
        return self.choice.name

    @property
    def n_titles(self) -> int:
        """Number of titles."""
        return len(next(iter(self.checkers.values())).titles)


class OfferedArchives:
    """The archives of the configuration and the named ones, opened when they are asked for.

    An archive whose file has changed is opened anew. Safe to use from several threads.

    Parameters
    ----------
    config : Config
    own_checkers : mapping of str to Checker
        The models, each with its own corpus.
    model_folders : mapping of str to path

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> archives = OfferedArchives(Config(), {"light": load_checker("outputs/light")}, {})
    >>> archives.choices()[0].name, archives.open().n_titles
    ('arsip bawaan model', 123)
    """

    def __init__(
        self,
        config: Config,
        own_checkers: Mapping[str, Checker],
        model_folders: Mapping[str, Path],
    ) -> None:
        self._config, self._own, self._folders = config, dict(own_checkers), dict(model_folders)
        self._opened: dict[str, tuple[_Stamp, OpenedArchive]] = {}
        self._lock, self._opening = threading.Lock(), threading.Lock()

    def choices(self) -> list[ArchiveChoice]:
        """Return the archives that can be chosen now, the one used first in front."""
        choices = [_choice(name, path) for name, path in self._config.corpora.items()]
        taken = {choice.name for choice in choices}
        named = list_archives(archives_home(self._config))
        choices += [
            _choice(archive.name, archive.corpus)
            for archive in named
            if archive.corpus.is_file() and archive.name not in taken
        ]
        return choices or [ArchiveChoice(page_text("own_corpus"), None)]

    def choose(self, name: str | None) -> ArchiveChoice:
        """Return an archive by name; None takes the first.

        Raises
        ------
        ArchiveError
            There is none of that name.
        """
        choices = self.choices()
        if name is None:
            return choices[0]
        for choice in choices:
            if choice.name == name:
                return choice
        names = ", ".join(choice.name for choice in choices)
        raise ArchiveError(f"Arsip '{name[:80]}' tidak ada. Pilih salah satu: {names}.")

    def open(self, name: str | None = None) -> OpenedArchive:
        """Return an archive with its checkers; the first time, its titles are read and prepared.

        Raises
        ------
        ArchiveError, CorpusError, IndexFileError, ModelError
            There is none of that name, or it cannot be used.
        """
        choice = self.choose(name)
        stamp = _stamp(choice)
        if (opened := self._find(choice.name, stamp)) is not None:
            return opened
        with self._opening:  # One at a time: another thread may just have opened it.
            if (opened := self._find(choice.name, stamp)) is None:
                opened = self._open(choice)
                with self._lock:
                    self._opened[choice.name] = stamp, opened
                    while len(self._opened) > MAX_OPENED:
                        del self._opened[next(iter(self._opened))]
        return opened

    def open_all(self) -> list[str]:
        """Open all archives, as many as are kept open; return a sentence for each that is unusable."""
        problems = []
        for choice in self.choices()[:MAX_OPENED]:
            try:
                self.open(choice.name)
            except JudulError as error:
                problems.append(str(error))
        return problems

    def known_size(self, name: str) -> int | None:
        """Return the number of titles of an archive if it is open."""
        with self._lock:
            stored = self._opened.get(name)
        return None if stored is None else stored[1].n_titles

    def _find(self, name: str, stamp: _Stamp) -> OpenedArchive | None:
        with self._lock:
            stored = self._opened.get(name)
            if stored is None or stored[0] != stamp:
                return None
            self._opened[name] = self._opened.pop(name)  # Now the most recently used.
            return stored[1]

    def _open(self, choice: ArchiveChoice) -> OpenedArchive:
        if choice.path is None:
            return _opened(choice, self._own)
        path, notes = choice.path, list[str]()
        if choice.path.name == CORPUS_FILE and choice.path.parent.parent == archives_home(self._config):
            named = NamedArchive(archives_home(self._config), choice.name)
            if named.read_info().n_titles > MAX_COMPARED_TITLES:
                path = named.best_path(None, self._config.models, notes.append)
        if is_index(path):
            index = load_index(path, self._config, say=notes.append)
            return _opened(choice, {index.name: index}, notes=notes)
        corpus = read_corpus(path, min_titles=1, warn=notes.append)
        titles = corpus.titles[TITLE_COLUMN].tolist()
        checkers = {}
        for name, own in self._own.items():
            checker = _with_titles(own, titles, self._folders.get(name))
            if not self._config.has_explicit_threshold and name in self._folders:
                stored = stored_threshold(path, self._folders[name], corpus.sha256, say=notes.append)
                checker.threshold = checker.threshold if stored is None else stored
            checkers[name] = checker
        if not checkers:
            raise ModelError(page_text("no_models"))
        return _opened(choice, checkers, title_details(corpus.titles), notes)


def _with_titles(own: Checker, titles: list[str], model: Path | None) -> Checker:
    """Return a model with an archive; a model of the study with an index in memory, where that pays."""
    if model is not None and isinstance(own, TitleChecker) and len(titles) >= _MIN_INDEXED:
        with suppress(ModelError):  # Its forest may be too large for an index.
            return TitleIndex.build(titles, model, threshold=own.threshold)
    return own.with_titles(titles)


def _choice(name: str, path: Path) -> ArchiveChoice:
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return ArchiveChoice(name, path)
    return ArchiveChoice(name, path, changed.date().isoformat())


def _stamp(choice: ArchiveChoice) -> _Stamp:
    """Return what changes with the content of an archive."""
    try:
        status = choice.path.stat() if choice.path else None
    except OSError:
        status = None
    return (status.st_mtime_ns, status.st_size) if status else (0, 0)


def _opened(
    choice: ArchiveChoice,
    checkers: Mapping[str, Checker],
    details: Mapping[str, Details] | None = None,
    notes: list[str] | None = None,
) -> OpenedArchive:
    for checker in checkers.values():
        checker.check(page_text("warm_up_title"), top_k=1)  # Loads what is read on first use.
    found = [*(notes or []), *(note for checker in checkers.values() for note in checker.notes)]
    return OpenedArchive(choice, dict(checkers), details or {}, tuple(dict.fromkeys(found)))
