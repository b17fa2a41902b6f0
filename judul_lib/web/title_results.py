"""What the page shows of the answers to one title."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from judul_lib.archives.details import parse_years
from judul_lib.checking.comparison import RankingComparison, compare_rankings
from judul_lib.checking.matches import ELSEWHERE_REMARK, Matches, require_threshold
from judul_lib.core.errors import ArgumentError
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import ASK, MODEL_TITLES, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.web.explaining import ExplainedMatch, advice, explain_matches, years_filter
from judul_lib.web.offered_archives import OfferedArchives, OpenedArchive
from judul_lib.web.service import MAX_RESULTS, TitleResult


@dataclass(frozen=True)
class Asked:
    """What a visitor asks, as typed into the form.

    Attributes
    ----------
    title : str
    archive : str or None
        None takes the first.
    threshold : float or None
        None takes that of the archive.
    years : str
        A span for the shown titles, such as ``2019..2024``; empty for all.
    count : int
        Titles to show.
    """

    title: str
    archive: str | None = None
    threshold: float | None = None
    years: str = ""
    count: int = 10

    @property
    def n_wanted(self) -> int:
        """Matches to find: those of some years are chosen among as many as are shown at most."""
        return MAX_RESULTS if self.years.strip() else self.count


@dataclass(frozen=True)
class ShownResult:
    """The answers to one title, as the page shows them.

    Attributes
    ----------
    result : TitleResult
    asked : Asked
    matches : list of ExplainedMatch
        To be shown, in order of relatedness.
    deciding : ExplainedMatch or None
        The title that decides; None for an empty archive.
    n_left_out : int
        Matches that are not of the span of years, or have no year.
    """

    result: TitleResult
    asked: Asked
    matches: list[ExplainedMatch]
    deciding: ExplainedMatch | None
    n_left_out: int

    @property
    def threshold(self) -> float:
        """The threshold in force."""
        return self.result.matches.threshold

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return verdict_sentence(self.deciding)

    @property
    def advice(self) -> list[str]:
        """What to do for this title; see `judul_lib.web.explaining.advice`."""
        found = self.deciding
        return advice(found.label, found.comparisons) if found is not None else []

    @property
    def archive_line(self) -> str:
        """The archive, its size and its date."""
        return archive_line(self.result.archive)

    @property
    def deciding_by_model(self) -> list[tuple[str, Matches, float]]:
        """Displayed name, deciding match and milliseconds of each model."""
        return [
            (MODEL_TITLES[name], answer.matches.decision, 1000 * answer.seconds)
            for name, answer in self.result.answers.items()
        ]

    @cached_property
    def compared(self) -> RankingComparison | None:
        """The rankings of the models, where there are several; made when it is asked for."""
        answers = self.result.answers
        top = {name: answer.matches.first(self.asked.count) for name, answer in answers.items()}
        if len(top) < 2 or not all(map(len, top.values())):
            return None
        return compare_rankings(self.result.title, top, self.result.archive.checkers)

    @property
    def agreement(self) -> list[str]:
        """Sentences on how far the models agree."""
        deciding = [answer.matches.decision for answer in self.result.answers.values()]
        return agreement(deciding) if len(deciding) > 1 and all(map(len, deciding)) else []


def show_result(result: TitleResult, asked: Asked) -> ShownResult:
    """Prepare the answers for the page.

    Raises
    ------
    ArgumentError
        The threshold or the years cannot be used.
    """
    years = _years(asked.years)
    if asked.threshold is not None:
        result = result.with_threshold(require_threshold(asked.threshold))
    details = result.archive.details
    shown = result.matches.first(asked.n_wanted)
    matches, n_left_out = explain_matches(result.title, shown, result.checker, details), 0
    if years is not None:
        kept = years_filter(matches, details, years)
        n_left_out, matches = len(matches) - len(kept), kept[: asked.count]
    decision = result.matches.decision
    deciding = [match for match in matches if match.title in decision.titles]
    deciding = deciding or explain_matches(result.title, decision, result.checker, details)
    return ShownResult(result, asked, matches, deciding[0] if deciding else None, n_left_out)


def _years(text: str) -> tuple[int, int] | None:
    if not text.strip():
        return None
    try:
        return parse_years(text.replace("–", "..").replace("-", ".."))
    except ValueError as error:
        raise ArgumentError(page_text("years_wrong")) from error


def verdict_sentence(deciding: ExplainedMatch | None) -> str:
    """Return the verdict of the deciding title in one sentence."""
    if deciding is None:
        return page_text("no_titles")
    if deciding.is_decided:
        return page_text("sentence_decided")
    if deciding.label == SIMILAR:
        return page_text("sentence_similar")
    if deciding.label == ASK:
        is_elsewhere = deciding.reason == ELSEWHERE_REMARK
        return page_text("sentence_elsewhere" if is_elsewhere else "sentence_perhaps")
    return page_text("sentence_different")


def archive_line(archive: OpenedArchive) -> str:
    """Return name, size and date of an archive in one line."""
    line = page_text("known_corpus", name=archive.name, n=format_number(archive.n_titles))
    day = readable_day(archive.choice.date)
    return page_text("archive_of", archive=line, day=day) if day else line


def archive_choices(archives: OfferedArchives) -> list[tuple[str, str]]:
    """Return name and description of each archive that can be chosen, with its size if it is open."""
    choices = []
    for choice in archives.choices():
        size, day = archives.known_size(choice.name), readable_day(choice.date)
        text = choice.name
        if size is not None:
            text = page_text("known_corpus", name=text, n=format_number(size))
        choices.append((choice.name, page_text("archive_of", archive=text, day=day) if day else text))
    return choices


def readable_day(day: str) -> str:
    """Return a day for readers.

    Examples
    --------
    >>> readable_day("2026-01-31")
    '31-01-2026'
    """
    return format_number(date.fromisoformat(day)) if day else ""


def agreement(deciding: Sequence[Matches]) -> list[str]:
    """Return sentences on how far the deciding matches of several models agree."""
    chances = [float(match.probability[0]) for match in deciding]
    labels = {match.labels[0] for match in deciding}
    closest = {match.titles[0] for match in deciding}
    return [
        page_text("agree", verdict=labels.pop()) if len(labels) == 1 else page_text("disagree"),
        page_text("difference", d=format_number(max(chances) - min(chances), 2)),
        page_text("same_title" if len(closest) == 1 else "other_titles"),
    ]


def ranking_sentences(compared: RankingComparison) -> list[str]:
    """Return sentences on the top titles that several models name."""
    n = int(compared.ranks.max(initial=0))
    key = "shared_same" if compared.has_same_first else "shared_other"
    names = (MODEL_TITLES[name] for name in compared.models)
    means = "; ".join(
        f"{name} {format_number(float(mean), 2)}"
        for name, mean in zip(names, compared.mean_of_ranked, strict=True)
    )
    return [page_text(key, n=n, shared=compared.n_shared), page_text("mean_top", n=n, means=means)]


def csv_rows(shown: ShownResult) -> list[Mapping[str, object]]:
    """Return the rows of the download: what is known of each shown title, and the deciding one."""
    result, details = shown.result, shown.result.archive.details
    titles = {match.title for match in shown.matches} | set(result.matches.decision.titles)
    columns = sorted({name for known in details.values() for name in known})
    rows: list[Mapping[str, object]] = []
    for row in result.matches.rows_with_decision():
        title = str(row["judul_ref"])
        if title in titles:
            known = {name: details.get(title, {}).get(name, "") for name in columns}
            checked = {"judul": result.title, "model": result.model}
            rows.append({**checked, **row, "ambang": shown.threshold, **known})
    return rows
