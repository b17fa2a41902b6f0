"""Results of checks, put into the words of the interface."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from judul_lib.checking import batches
from judul_lib.checking.matches import Matches
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.columns import AUTHOR, LINK, YEAR, Details
from judul_lib.core.settings import DIFFERENT
from judul_lib.core.texts import page_text
from judul_lib.search.index import TitleIndex
from judul_lib.structured.explanation import FieldComparison
from judul_lib.web.answers import AmongProposals, Answer, CheckedTitle, JobStatus, ListAnswer
from judul_lib.web.explaining import ExplainedMatch, advice, explain_matches, relation_of
from judul_lib.web.file_checks import CHECKED_TITLE
from judul_lib.web.jobs import Job
from judul_lib.web.service import Service, TitleResult
from judul_lib.web.title_results import verdict_sentence


def title_answer(service: Service, result: TitleResult, top: int) -> Answer:
    """Return the answer for a title.

    Parameters
    ----------
    service : Service
    result : TitleResult
    top : int
        Number of near titles.
    """
    archive, matches = result.archive, result.matches.first(top)
    near = explain_matches(result.title, matches, result.checker, archive.details)
    deciding = _deciding(result, near)
    return Answer.model_validate(
        {
            "title": result.title,
            "verdict": deciding.label if deciding else DIFFERENT,
            "sentence": verdict_sentence(deciding),
            "advice": advice(deciding.label, deciding.comparisons) if deciding else [],
            "probability": deciding.probability if deciding else None,
            "threshold": result.matches.threshold,
            "model": {"name": result.model, "version": _version(service, result)},
            "archive": {
                "name": archive.name,
                "date": archive.choice.date,
                "n_titles": archive.n_titles,
            },
            "matches": [_near_title(m, matches, archive.details.get(m.title, {})) for m in near],
            "notes": list(archive.notes),
        }
    )


def _deciding(result: TitleResult, near: list[ExplainedMatch]) -> ExplainedMatch | None:
    """Return the title that decides, which need not be among the near ones; None without titles."""
    decision = result.matches.decision
    found = [match for match in near if match.title in decision.titles]
    found = found or explain_matches(result.title, decision, result.checker, result.archive.details)
    return found[0] if found else None


def job_status(job: Job, path: str) -> JobStatus:
    """Return how far a job is.

    Parameters
    ----------
    path : str
        Of the job in the interface.
    """
    message = job.message
    if job.state == "memilih":
        names = ", ".join(str(choice[0]) for choice in job.found.get("choices", []))
        message = page_text(f"api_choose_{job.found.get('ask', 'column')}", names=names)
    created = datetime.fromtimestamp(job.created, UTC).isoformat(timespec="seconds")
    return JobStatus(
        id=job.id, state=job.state, done=job.done, total=job.total, message=message, created=created,
        result=f"{path}/result" if job.state == "selesai" else None,
    )  # fmt: skip


def list_answer(job: Job, rows: pd.DataFrame) -> ListAnswer:
    """Return the answer for a list of titles.

    Parameters
    ----------
    job : Job
        A finished one.
    rows : DataFrame
        See `judul_lib.web.jobs.JobStore.result_rows`.
    """
    ids = job.facts.get("ids") or [None] * len(rows)
    records = rows.to_dict("records")
    titles = [
        _checked_title(int(number), id_, record)
        for number, id_, record in zip(rows.index, ids, records, strict=True)
    ]
    found = job.found
    return ListAnswer(
        message=job.message, model=found["model"], threshold=found["threshold"],
        archive=found["archive"], notes=found["notes"], titles=titles,
    )  # fmt: skip


def _checked_title(number: int, id_: str | None, record: dict[Any, Any]) -> CheckedTitle:
    verdict, among = record[batches.VERDICT], None
    if record[batches.OTHER_ROW] is not None:
        among = AmongProposals(
            row=record[batches.OTHER_ROW],
            title=record[batches.OTHER_CLOSEST],
            verdict=record[batches.OTHER_VERDICT],
            probability=record[batches.OTHER_PROBABILITY],
        )
    return CheckedTitle(
        row=number, id=id_, title=str(record[CHECKED_TITLE] or ""), verdict=verdict,
        probability=record[batches.PROBABILITY], nearest=record[batches.CLOSEST], among=among,
    )  # fmt: skip


def _version(service: Service, result: TitleResult) -> str:
    """Return the version of the leading model; an index has a copy of its own."""
    if isinstance(result.checker, TitleIndex):
        return version_of(read_metadata(result.checker.model))
    return service.versions[result.model]


def _near_title(match: ExplainedMatch, matches: Matches, details: Details) -> dict[str, Any]:
    link, decided = details.get(LINK, ""), matches.decided.get(match.title)
    return {
        "title": match.title,
        "probability": match.probability,
        "label": match.label,
        "remark": match.remark,
        "fields": {c.field: _relation(c) for c in match.comparisons} or None,
        "year": details.get(YEAR),
        "author": details.get(AUTHOR),
        "link": link if link.startswith(("https://", "http://")) else None,
        "decided": decided.remark if decided else None,
    }


def _relation(comparison: FieldComparison) -> dict[str, Any]:
    return {
        "relation": relation_of(comparison),
        "shared": list(comparison.shared),
        "proposal": [*comparison.alike_left, *comparison.left],
        "archive": [*comparison.alike_right, *comparison.right],
    }
