"""Results of checks, put into the words of the interface."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from judul_lib.checking import batches
from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import Matches
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.columns import AUTHOR, LINK, YEAR
from judul_lib.core.settings import ASK, DIFFERENT, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.search.index import TitleIndex
from judul_lib.structured.explanation import ONE_SIDED, FieldComparison, compare_rows
from judul_lib.web.answers import (
    AmongProposals,
    Answer,
    CheckedTitle,
    FieldRelation,
    Fields,
    JobStatus,
    ListAnswer,
    UsedArchive,
    UsedModel,
)
from judul_lib.web.file_checks import CHECKED_TITLE
from judul_lib.web.jobs import Job
from judul_lib.web.service import Service, TitleResult

_SENTENCES = {
    SIMILAR: ("api_similar", "advice_similar"),
    ASK: ("api_ask", "advice_ask"),
    DIFFERENT: ("api_different", "advice_different"),
}


def title_answer(service: Service, result: TitleResult, top: int) -> Answer:
    """Return the answer for a title.

    Parameters
    ----------
    service : Service
    result : TitleResult
    top : int
        Number of near titles.
    """
    decision, archive = result.matches.decision, result.archive
    verdict = decision.labels[0] if len(decision) else DIFFERENT
    return Answer.model_validate(
        {
            "title": result.title,
            "verdict": verdict,
            "sentence": verdict_sentence(verdict) if len(decision) else page_text("api_no_titles"),
            "probability": float(decision.probability[0]) if len(decision) else None,
            "threshold": result.matches.threshold,
            "model": UsedModel(name=result.model, version=_version(service, result)),
            "archive": UsedArchive(
                name=archive.name, date=archive.choice.date, n_titles=archive.n_titles
            ),
            "matches": _near_titles(result, result.matches.first(top)),
            "notes": list(archive.notes),
        }
    )


def verdict_sentence(verdict: str) -> str:
    """Return a verdict with its advice.

    Examples
    --------
    >>> verdict_sentence("MIRIP")[:47]
    'MIRIP: penelitian ini tampaknya sudah ada. Baca'
    """
    sentence, advice = _SENTENCES[verdict]
    return page_text(sentence, advice=page_text(advice))


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


def _near_titles(result: TitleResult, matches: Matches) -> list[dict[str, Any]]:
    remarks = matches.remarks or [""] * len(matches)
    fields = compared_fields(result.checker, result.title, matches.titles)
    near = []
    columns = zip(matches.titles, matches.probability, matches.labels, remarks, fields, strict=True)
    for title, probability, label, remark, parts in columns:
        details, decided = result.archive.details.get(title, {}), matches.decided.get(title)
        link = details.get(LINK, "")
        near.append(
            {
                "title": title,
                "probability": float(probability),
                "label": label,
                "remark": remark,
                "fields": parts,
                "year": details.get(YEAR),
                "author": details.get(AUTHOR),
                "link": link if link.startswith(("https://", "http://")) else None,
                "decided": decided.remark if decided else None,
            }
        )
    return near


def compared_fields(checker: Checker, title: str, others: Sequence[str]) -> list[Fields | None]:
    """Compare a title with others field by field, shape (n,); None if the model reads no fields."""
    reader = checker.reference if isinstance(checker, TitleIndex) else checker
    if not isinstance(reader, StructuredChecker):
        return [None] * len(others)
    left, right = reader.model.records([title]), reader.model.records(others)
    pairs = compare_rows(left, right, np.zeros(len(others), dtype=int), np.arange(len(others)))
    return [Fields.model_validate({c.field: _relation(c) for c in pair}) for pair in pairs]


def _relation(comparison: FieldComparison) -> FieldRelation:
    relation = comparison.relation
    if relation == ONE_SIDED:
        relation = "hanya di usulan" if comparison.left else "hanya di arsip"
    return FieldRelation.model_validate(
        {
            "relation": relation,
            "shared": list(comparison.shared),
            "proposal": [*comparison.alike_left, *comparison.left],
            "archive": [*comparison.alike_right, *comparison.right],
        }
    )
