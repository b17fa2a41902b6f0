"""What one visitor of the page works with: the models, and the archive to compare with."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judul_lib.checking.checker import Checker
from judul_lib.checking.loading import find_models, load_checker, missing_models
from judul_lib.checking.matches import Matches
from judul_lib.core.config import Config
from judul_lib.core.errors import ModelError
from judul_lib.core.formatting import format_number
from judul_lib.core.pseudonyms import assigned_model
from judul_lib.core.tables import Warn
from judul_lib.core.texts import page_text
from judul_lib.search.archives import read_archive
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import Corpus, parse_corpus
from judul_lib.study.preprocessing import preprocess_text
from judul_lib.usage.log import AnsweredQuery, UsageLog

MAX_TITLE_LENGTH = 500
MAX_RESULTS = 50
_FIRST_TITLE = "Pemeriksaan pertama"


@dataclass(frozen=True)
class TimedMatches:
    """One model's matches of a title, and how many seconds they took."""

    matches: Matches
    seconds: float


def title_problem(title: str) -> str | None:
    """Return a friendly sentence where a title cannot be checked, else None.

    Examples
    --------
    >>> title_problem("Deteksi Hoaks Politik") is None
    True
    >>> title_problem("yang dan 2024").split(":")[0]
    'Tidak ada kata yang dapat dibandingkan'
    """
    if not title.strip():
        return page_text("empty")
    if len(title) > MAX_TITLE_LENGTH:
        return page_text("long", length=format_number(len(title)), most=format_number(MAX_TITLE_LENGTH))
    words = preprocess_text(title).split()
    if not words:
        return page_text("nothing_left")
    return page_text("short") if len(words) < 2 else None


class Session:
    """The models found, each with the archive that is chosen.

    Reading an archive is slow and may be done in a thread beside; who uses
    `checkers` and `corpus` together, or changes them, holds the `lock`.

    Parameters
    ----------
    config : Config
    log : UsageLog
        Told of models that are loaded or refused, and of every answer.

    Attributes
    ----------
    checkers : dict of str to Checker
        Name of the model to its checker, the one to ask first in front. Where
        the archive is an index, it holds only the model of that index.
    models : list of str
        Names of all models that some archive can be asked with.
    damaged : list of str
        One sentence for each model that was refused.
    missing : list of str
        Titles of the models that are not there.
    corpora : dict of str to (list of str, TitleIndex or None)
        Archives by name; None stands for each model's own corpus.
    corpus : str
        The one that is chosen.
    lock : RLock

    Raises
    ------
    ModelError
        There is no model that can be used.
    CorpusError
        An archive of the configuration cannot be used.
    IndexFileError
        An index of the configuration cannot be used.
    """

    def __init__(self, config: Config, log: UsageLog | None = None) -> None:
        self.config, self.lock = config, threading.RLock()
        self.log = log
        self._own: dict[str, Checker] = {}
        self.damaged: list[str] = []
        found = find_models(config.models, warn=self.damaged.append)
        for name, folder in self._assigned(found).items():
            start = time.perf_counter()
            try:
                self._own[name] = load_checker(
                    folder, threshold=config.threshold, elsewhere=config.elsewhere
                )
            except ModelError as error:
                self.damaged.append(str(error))
                self.log_event("model_failed", model=name, detail=type(error).__name__)
            else:
                self.log_event("model_loaded", model=name, seconds=time.perf_counter() - start)
        if not self._own:
            raise ModelError(self.damaged[0])
        self.checkers = dict(self._own)
        # Whoever runs the page answers for the size of these, so the limit on uploads is not theirs.
        self.corpora: dict[str, list[str] | TitleIndex | None] = {
            name: read_archive(path, config) for name, path in config.corpora.items()
        }
        indexes = [archive for archive in self.corpora.values() if isinstance(archive, TitleIndex)]
        for checker in (*self._own.values(), *indexes):
            checker.check(_FIRST_TITLE, top_k=1)  # What is read on first use is read now.
        self.models = list(dict.fromkeys([*self._own, *(index.name for index in indexes)]))
        self.missing = missing_models(self.models)
        if not self.corpora:
            self.corpora[page_text("own_corpus")] = None
        self.corpus = ""
        self.use_corpus(next(iter(self.corpora)))

    def _assigned(self, found: dict[str, Path]) -> dict[str, Path]:
        """Leave only the model that answers this user, where models are compared on users."""
        shares = {name: share for name, share in self.config.ab_test.items() if name in found}
        if self.log is None or not shares:
            return found
        chosen = assigned_model(self.log.user, shares)
        return {chosen: found[chosen]}

    def log_event(self, kind: str, **facts: Any) -> None:
        """Log that something happened, where there is a log; see `UsageLog.event`."""
        if self.log is not None:
            self.log.log_event(kind, **facts)

    def read_upload(self, content: bytes, name: str, warn: Warn = lambda text: None) -> Corpus:
        """Return the titles in the bytes of an archive, and the rows set aside.

        What was guessed or left out is told to `warn`; see `judul_lib.core.tables.parse_table`.

        Raises
        ------
        CorpusError
            No table of titles, too many rows, or none that can be used.
        """
        return parse_corpus(content, name, min_titles=1, max_rows=self.config.max_rows, warn=warn)

    def use_corpus(self, name: str, titles: list[str] | None = None) -> None:
        """Compare with the archive of that name from now on; with titles, it is a new one."""
        archive = self.corpora[name] if titles is None else titles
        checkers: dict[str, Checker]
        if isinstance(archive, TitleIndex):
            checkers = {archive.name: archive}
        elif archive is None:
            checkers = dict(self._own)
        else:
            checkers = {model: own.with_titles(archive) for model, own in self._own.items()}
        with self.lock:
            self.corpora[name] = archive
            self.corpus, self.checkers = name, checkers

    def describe(self, name: str) -> str:
        """Return an archive's name with its number of titles."""
        archive = self.corpora[name]
        if isinstance(archive, TitleIndex):
            n = len(archive.titles)
        else:
            n = len(next(iter(self._own.values())).titles if archive is None else archive)
        return page_text("known_corpus", name=name, n=format_number(n))

    def check(self, title: str) -> dict[str, TimedMatches]:
        """Ask every model; return the best `MAX_RESULTS` matches of each."""
        answers = {}
        for name, checker in self.checkers.items():
            start = time.perf_counter()
            matches = checker.check(title, top_k=MAX_RESULTS)
            answers[name] = TimedMatches(matches, time.perf_counter() - start)
        return answers

    def log_answers(self, title: str, answers: Mapping[str, TimedMatches]) -> None:
        """Log what was answered; after the answer is shown, so that it does not wait."""
        if self.log is not None:
            matches = {name: answer.matches for name, answer in answers.items()}
            seconds = sum(answer.seconds for answer in answers.values())
            unknown = {name: self.checkers[name].unknown_share(title) for name in answers}
            self.log.log_predictions([AnsweredQuery(title, matches, seconds, unknown)], "page")
