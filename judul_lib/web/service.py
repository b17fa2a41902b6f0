"""What page and interface share: the models, the archives, the log, and the check of a title."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.checking.checker import Checker
from judul_lib.checking.loading import find_models, load_checker, missing_models
from judul_lib.checking.matches import Matches
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.checking.typed_title import require_title
from judul_lib.core.config import Config
from judul_lib.core.errors import ModelError
from judul_lib.core.pseudonyms import assigned_model
from judul_lib.governance.decisions import Decisions, read_decisions
from judul_lib.usage.database import COMMAND_LOCK_WAIT, database_url, open_database
from judul_lib.usage.installation import may_have_decisions, open_log
from judul_lib.usage.log import AnsweredQuery, UsageLog
from judul_lib.web.answer_queue import AnswerQueue
from judul_lib.web.jobs import JobStore
from judul_lib.web.metrics import Metrics
from judul_lib.web.offered_archives import OfferedArchives, OpenedArchive

MAX_RESULTS = 50
_SECONDS_BETWEEN_READS = 2.0


@dataclass(frozen=True)
class TimedMatches:
    """The matches that one model found, and the seconds that it took."""

    matches: Matches
    seconds: float


@dataclass(frozen=True)
class TitleResult:
    """The answers of all models for one title.

    Attributes
    ----------
    title : str
        As typed, blanks joined.
    archive : OpenedArchive
    answers : mapping of str to TimedMatches
        By model, the leading one first; as many matches each as were wanted.
    """

    title: str
    archive: OpenedArchive
    answers: Mapping[str, TimedMatches]

    @property
    def model(self) -> str:
        """Name of the leading model."""
        return next(iter(self.answers))

    @property
    def matches(self) -> Matches:
        """Matches of the leading model."""
        return self.answers[self.model].matches

    @property
    def checker(self) -> Checker:
        """The leading model with the archive."""
        return self.archive.checkers[self.model]

    @property
    def seconds(self) -> float:
        """Time that all models took together."""
        return sum(answer.seconds for answer in self.answers.values())

    def with_threshold(self, threshold: float) -> "TitleResult":
        """Return the same answers with another threshold."""
        answers = {
            name: replace(answer, matches=answer.matches.with_threshold(threshold))
            for name, answer in self.answers.items()
        }
        return replace(self, answers=answers)


class Service:
    """The models and archives of an installation, loaded once and shared by all requests.

    `start_worker` opens what processes must not share; call it after a fork, or once in a single
    process.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    config : Config
    models : mapping of str to Checker
        By name, the preferred one first; each with its own corpus.
    versions : mapping of str to str
        Of the models, by name.
    damaged : list of str
        One sentence for each refused model.
    missing : list of str
        Titles of the missing models.
    archives : OfferedArchives
    log : UsageLog or None
    engine : Engine or None
        Database of the log.
    jobs : JobStore or None
        Checks of many titles; set by who runs them (`judul_lib.web.job_runner.RunningJobs`).

    Raises
    ------
    ModelError
        There is no usable model.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log: UsageLog | None = None
        self.engine: sa.Engine | None = None
        self.jobs: JobStore | None = None
        self.metrics: Metrics | None = None
        self._answers: AnswerQueue | None = None
        self._events: list[dict[str, Any]] = []
        self.damaged: list[str] = []
        self.warnings: list[str] = []
        self._decisions: Decisions | None = None
        self._decisions_read = -_SECONDS_BETWEEN_READS
        # Checks at the same time would share one core, and each needs memory of its own.
        self._turn = threading.Lock()
        self.models: dict[str, Checker] = {}
        self.versions: dict[str, str] = {}
        folders = find_models(config.models, warn=self.damaged.append)
        for name, folder in folders.items():
            self._load(name, folder)
        if not self.models:
            raise ModelError(self.damaged[0])
        self.missing = missing_models(self.models)
        self.archives = OfferedArchives(config, self.models, folders)

    def _load(self, name: str, folder: Path) -> None:
        config, start = self.config, time.perf_counter()
        try:
            self.models[name] = load_checker(
                folder, threshold=config.threshold, elsewhere=config.elsewhere
            )
            self.versions[name] = version_of(read_metadata(folder))
        except ModelError as error:
            self.damaged.append(str(error))
            self._events.append({"kind": "model_failed", "model": name, "detail": type(error).__name__})
        else:
            seconds = time.perf_counter() - start
            self._events.append({"kind": "model_loaded", "model": name, "seconds": seconds})

    def log_loading(self) -> None:
        """Log which models were loaded and refused; once, before `start_worker`."""
        if (log := open_log(self.config, self.warnings.append)) is not None:
            for event in self._events:
                log.log_event(**event)
            log.close()

    def start_worker(self) -> None:
        """Open the log and its database in this process."""
        self.log = open_log(self.config, self.warnings.append)
        self._answers = None if self.log is None else AnswerQueue(self.log)

    def close(self) -> None:
        """Write the answers that wait, and close the log and its database."""
        if self._answers is not None:
            self._answers.close()
        if self.log is not None:
            self.log.close()
        if self.engine is not None:
            self.engine.dispose()
        self.log = self.engine = self._answers = None

    def database(self) -> sa.Engine:
        """Return the database of the log, opened once in a process.

        Raises
        ------
        LogError
            It cannot be used.
        """
        if self.engine is None:
            url = database_url(self.config.logs)
            self.engine = open_database(url, lock_wait=COMMAND_LOCK_WAIT)
        return self.engine

    def decisions(self, *, anew: bool = False) -> Decisions | None:
        """Return the decisions in force, at most two seconds old; None where there are none.

        Parameters
        ----------
        anew : bool
            Read them again, as after a decision was entered.

        Raises
        ------
        LogError
            The database cannot be used.
        """
        now = time.monotonic()
        if anew or now - self._decisions_read >= _SECONDS_BETWEEN_READS:
            has_some = may_have_decisions(self.config.logs)
            self._decisions = read_decisions(self.database(), self.config.logs) if has_some else None
            self._decisions_read = now
        return self._decisions

    def check(
        self, title: str, archive: str | None = None, *, user: str = "", count: int = MAX_RESULTS
    ) -> TitleResult:
        """Compare a title with an archive by every model that answers for it.

        Parameters
        ----------
        archive : str or None
            Name of the archive; the first by default.
        user : str
            Who asks; decides on the model while an A/B test runs.
        count : int
            Matches wanted from each model.

        Raises
        ------
        TitleError
            See `require_title`.
        ArchiveError, CorpusError, IndexFileError, LogError
            The archive, or the decisions on its titles, cannot be used.
        """
        title, opened = require_title(title), self.archives.open(archive)
        decisions = self.decisions()
        is_decided = decisions is not None and decisions.concern(title)
        answers = {}
        for name, checker in self._assigned(opened.checkers, user).items():
            start = time.perf_counter()
            # A decision may concern any title of the archive, not only the best.
            with self._turn:
                matches = checker.check(title, top_k=None if is_decided else count)
            if is_decided and decisions is not None:
                matches = decisions.apply(title, matches).first(count)
            answers[name] = TimedMatches(matches, time.perf_counter() - start)
        return TitleResult(title, opened, answers)

    def log_result(self, result: TitleResult, source: str, *, user: str = "") -> None:
        """Count the answers and let them be logged; called after they are sent."""
        if self.metrics is not None:
            labels = result.matches.decision.labels
            self.metrics.count_check(source, labels[0] if labels else "")
        if self._answers is None:
            return
        matches = {name: answer.matches for name, answer in result.answers.items()}
        checkers = result.archive.checkers
        unknown = {name: checkers[name].unknown_share(result.title) for name in matches}
        query = AnsweredQuery(result.title, matches, result.seconds, unknown, user=user)
        self._answers.put(query, source)

    def log_event(self, kind: str, *, detail: str = "", user: str = "") -> None:
        """Log an event if there is a log; see `judul_lib.usage.log.UsageLog.log_event`."""
        if self.log is not None:
            self.log.log_event(kind, detail=detail, user=user)

    def _assigned(self, checkers: Mapping[str, Checker], user: str) -> Mapping[str, Checker]:
        """Return only the model assigned to this user if an A/B test is running."""
        shares = {name: share for name, share in self.config.ab_test.items() if name in checkers}
        if self.log is None or not shares:
            return checkers
        name = assigned_model(self.log.hash(user), shares)
        return {name: checkers[name]}
