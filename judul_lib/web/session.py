"""The state of one visitor of the page: the models, and the archive to compare with."""

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
from judul_lib.core.delimited import Warn
from judul_lib.core.errors import ModelError
from judul_lib.core.formatting import format_number
from judul_lib.core.pseudonyms import assigned_model
from judul_lib.core.texts import page_text
from judul_lib.search.archives import read_archive
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import Corpus, parse_corpus
from judul_lib.study.preprocessing import preprocess_text
from judul_lib.usage.log import AnsweredQuery, UsageLog

MAX_TITLE_LENGTH = 500
MAX_RESULTS = 50
_WARM_UP_TITLE = "Pemeriksaan pertama"


@dataclass(frozen=True)
class TimedMatches:
    """The matches that one model found, and the seconds that it took."""

    matches: Matches
    seconds: float


def title_problem(title: str) -> str | None:
    """Return why a title cannot be checked, as a sentence for the page, or None if it can.

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
    """The available models, each with the chosen archive.

    Archives are read in a background thread: hold the `lock` to use `checkers` and `corpus` together
    or to change them.

    Parameters
    ----------
    config : Config
    log : UsageLog
        Gets an event for each model that is loaded or refused, and every answer.

    Attributes
    ----------
    checkers : dict of str to Checker
        Checkers by name of the model, the preferred one first. For an index, only its own model.
    models : list of str
        Names of all models that can be used with at least one archive.
    damaged : list of str
        One sentence for each refused model.
    missing : list of str
        Titles of the missing models.
    corpora : dict of str to (list of str, TitleIndex or None)
        Archives by name; None stands for each model's own corpus.
    corpus : str
        Name of the chosen archive.
    lock : RLock

    Raises
    ------
    ModelError
        There is no usable model.
    CorpusError
        An archive of the configuration is unusable.
    IndexFileError
        An index of the configuration is unusable.
    """

    def __init__(self, config: Config, log: UsageLog | None = None) -> None:
        self.config, self.lock = config, threading.RLock()
        self.log = log
        self._own_checkers: dict[str, Checker] = {}
        self.damaged: list[str] = []
        found = find_models(config.models, warn=self.damaged.append)
        for name, folder in self._select_assigned(found).items():
            start = time.perf_counter()
            try:
                self._own_checkers[name] = load_checker(
                    folder, threshold=config.threshold, elsewhere=config.elsewhere
                )
            except ModelError as error:
                self.damaged.append(str(error))
                self.log_event("model_failed", model=name, detail=type(error).__name__)
            else:
                self.log_event("model_loaded", model=name, seconds=time.perf_counter() - start)
        if not self._own_checkers:
            raise ModelError(self.damaged[0])
        self.checkers = dict(self._own_checkers)
        # The upload limit does not apply to archives that the operator configured.
        self.corpora: dict[str, list[str] | TitleIndex | None] = {
            name: read_archive(path, config) for name, path in config.corpora.items()
        }
        indexes = [archive for archive in self.corpora.values() if isinstance(archive, TitleIndex)]
        for checker in (*self._own_checkers.values(), *indexes):
            checker.check(_WARM_UP_TITLE, top_k=1)  # Loads what is read on first use.
        self.models = list(dict.fromkeys([*self._own_checkers, *(index.name for index in indexes)]))
        self.missing = missing_models(self.models)
        if not self.corpora:
            self.corpora[page_text("own_corpus")] = None
        self.corpus = ""
        self.use_corpus(next(iter(self.corpora)))

    def _select_assigned(self, found: dict[str, Path]) -> dict[str, Path]:
        """Return only the model assigned to this user if an A/B test is running."""
        shares = {name: share for name, share in self.config.ab_test.items() if name in found}
        if self.log is None or not shares:
            return found
        name = assigned_model(self.log.user, shares)
        return {name: found[name]}

    def log_event(self, kind: str, **facts: Any) -> None:
        """Log an event if there is a log; see `judul_lib.usage.log.UsageLog.log_event`."""
        if self.log is not None:
            self.log.log_event(kind, **facts)

    def read_upload(self, content: bytes, name: str, warn: Warn = lambda text: None) -> Corpus:
        """Parse an uploaded archive; see `judul_lib.study.corpus.parse_corpus`."""
        return parse_corpus(content, name, min_titles=1, max_rows=self.config.max_rows, warn=warn)

    def use_corpus(self, name: str, titles: list[str] | None = None) -> None:
        """Choose an archive by name; with *titles*, add or replace it first."""
        archive = self.corpora[name] if titles is None else titles
        checkers: dict[str, Checker]
        if isinstance(archive, TitleIndex):
            checkers = {archive.name: archive}
        elif archive is None:
            checkers = dict(self._own_checkers)
        else:
            checkers = {model: own.with_titles(archive) for model, own in self._own_checkers.items()}
        with self.lock:
            self.corpora[name] = archive
            self.corpus, self.checkers = name, checkers

    def describe(self, name: str) -> str:
        """Return the name of an archive with its number of titles, for the page."""
        archive = self.corpora[name]
        if isinstance(archive, TitleIndex):
            n = len(archive.titles)
        else:
            n = len(next(iter(self._own_checkers.values())).titles if archive is None else archive)
        return page_text("known_corpus", name=name, n=format_number(n))

    def check(self, title: str) -> dict[str, TimedMatches]:
        """Return the best `MAX_RESULTS` matches of each model."""
        answers = {}
        for name, checker in self.checkers.items():
            start = time.perf_counter()
            matches = checker.check(title, top_k=MAX_RESULTS)
            answers[name] = TimedMatches(matches, time.perf_counter() - start)
        return answers

    def log_answers(self, title: str, answers: Mapping[str, TimedMatches]) -> None:
        """Log the answers; called after they are shown, so that the visitor does not wait."""
        if self.log is not None:
            matches = {name: answer.matches for name, answer in answers.items()}
            seconds = sum(answer.seconds for answer in answers.values())
            unknown_shares = {name: self.checkers[name].unknown_share(title) for name in answers}
            self.log.log_predictions([AnsweredQuery(title, matches, seconds, unknown_shares)], "page")
