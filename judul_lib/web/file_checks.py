"""The work of a job: a file of proposals, or given titles, checked against an archive and each other."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from judul_lib.checking import batches
from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import REMARK_COLUMN, Matches
from judul_lib.core.errors import ColumnChoiceError, JudulError, SheetChoiceError
from judul_lib.core.formatting import format_number
from judul_lib.core.pseudonyms import assigned_model
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.sheets import read_sheets
from judul_lib.core.tables import unique_names
from judul_lib.core.texts import page_text
from judul_lib.governance.decisions import Decisions
from judul_lib.study.corpus import parse_proposals
from judul_lib.study.group_theses import NAMES_COLUMN, group_proposals
from judul_lib.usage.installation import AnswerLogBuffer
from judul_lib.web.jobs import UPLOAD_FILE, Job, JobStore
from judul_lib.web.offered_archives import OpenedArchive
from judul_lib.web.service import Service
from judul_lib.web.title_results import archive_line

CHECKED_TITLE = "judul_diperiksa"
"""Column of the result with the title as it was read."""
FIRST_ROW = "baris_pertama"
"""Column of the result with the first row of the proposal: its own, or that of the group."""
N_PREVIEW_ROWS = 3
_SECONDS_BETWEEN_REPORTS = 0.2


def job_work(service: Service) -> Callable[[JobStore, Job], None]:
    """Return the function that does the jobs of a service; see `judul_lib.web.job_runner`."""

    def work(store: JobStore, job: Job) -> None:
        service.start_worker()
        try:
            _check(service, store, job)
        except JudulError as error:
            if service.log is not None:
                service.log.log_event("error", detail=type(error).__name__, user=job.user)
            raise
        finally:
            service.close()

    return work


def _check(service: Service, store: JobStore, job: Job) -> None:
    start, notes = time.perf_counter(), list[str]()
    read = _read_upload(service, store, job, notes) if job.kind == "file" else _given(store, job)
    if read is None:
        return  # The visitor has to choose first.
    frame, titles = read
    archive = service.archives.open(job.archive)
    model, checker = _leading(service, archive, job.user)
    first_rows, names = group_proposals(frame, titles)
    result = _compared(service, store, job, titles, first_rows, model, checker)
    is_first = np.array(first_rows, dtype=int) == np.arange(len(first_rows))
    if not is_first.all():
        result[NAMES_COLUMN] = names
        n_groups = len({first for row, first in enumerate(first_rows) if first != row})
        notes.append(page_text("groups_note", n=format_number(n_groups)))
    found = _counts(result[is_first])
    result.index = frame.index
    # Row numbers of the file instead of positions.
    numbers = result[batches.OTHER_ROW]
    result[batches.OTHER_ROW] = numbers.map(lambda k: frame.index[k - 1], na_action="ignore")
    constants: dict[str, Any] = {
        CHECKED_TITLE: titles,
        FIRST_ROW: [int(frame.index[first]) for first in first_rows],
        "model": model,
        "arsip": archive.name,
        "ambang": checker.threshold,
    }
    frame.columns = pd.Index(unique_names(frame.columns, [*result.columns, *constants]))
    found |= {"columns": list(frame.columns), "notes": [*archive.notes, *notes]}
    found |= {"model": model, "threshold": checker.threshold, "archive": archive.name}
    found |= {"version": service.versions.get(model, ""), "archive_line": archive_line(archive)}
    found["archive_notes"] = list(archive.notes)
    message = _summary(found, time.perf_counter() - start)
    rows = pd.concat([frame, result], axis=1).assign(**constants)
    total = len(titles)
    store.finish(job.id, rows, done=total, total=total, message=message, found=found)


def _compared(
    service: Service,
    store: JobStore,
    job: Job,
    titles: list[str],
    first_rows: list[int],
    model: str,
    checker: Checker,
) -> pd.DataFrame:
    """Compare the titles, log the answers, and let decisions replace verdicts."""
    log_buffer = AnswerLogBuffer(service.log, checker, model, user=job.user)
    remarks: dict[str, str] = {}

    def add_answer(title: str, matches: Matches) -> None:
        log_buffer.add(title, matches)
        remarks[title] = next(iter(matches.decision.remarks), "")

    result = batches.check_proposals(
        titles, checker, first_rows=first_rows, on_progress=_reporter(store, job), on_answer=add_answer
    )
    log_buffer.close()
    place = list(result.columns).index(batches.CLOSEST) + 1
    result.insert(place, REMARK_COLUMN, [remarks.get(title, "") for title in titles])
    if (decisions := service.decisions(anew=True)) is not None:
        _apply_decisions(result, titles, checker, decisions)
    return result


def _given(store: JobStore, job: Job) -> tuple[pd.DataFrame, list[str]]:
    titles = store.titles(job.id)
    frame = pd.DataFrame({"Judul": titles}, index=range(1, len(titles) + 1), dtype=object)
    return frame, titles


def _read_upload(
    service: Service, store: JobStore, job: Job, notes: list[str]
) -> tuple[pd.DataFrame, list[str]] | None:
    """Read the uploaded file; None if a sheet or column has to be chosen, which is then asked."""
    content = (store.path(job.id) / UPLOAD_FILE).read_bytes()
    name, max_rows = str(job.facts["name"]), service.config.max_rows
    sheet, column = job.facts.get("sheet"), job.facts.get("column")
    try:
        frame, titles, _ = parse_proposals(
            content, name, max_rows=max_rows, warn=notes.append, sheet=sheet, column=column
        )
    except ColumnChoiceError as error:
        samples = error.samples or [""] * len(error.columns)
        choices = [[c, s] for c, s in zip(error.columns, samples, strict=True)]
        store.report(job.id, state="memilih", found={"ask": "column", "choices": choices})
        return None
    except SheetChoiceError as error:
        sheets = {s.name: s for s in read_sheets(content, name, max_rows, notes.append)}
        choices = [[name, _preview(sheets[name].rows)] for name in error.sheets]
        store.report(job.id, state="memilih", found={"ask": "sheet", "choices": choices})
        return None
    (store.path(job.id) / UPLOAD_FILE).unlink()
    return frame, titles


def _preview(rows: list[Any]) -> str:
    """Return the first rows of a sheet in a line."""
    filled = (list(filter(None, map(str.strip, row.cells))) for row in rows)
    lines = [", ".join(cells[:4])[:120] for cells in filled if cells]
    return " / ".join(lines[:N_PREVIEW_ROWS])


def _leading(service: Service, archive: OpenedArchive, user: str) -> tuple[str, Checker]:
    """Return the model that answers this user."""
    shares = {n: share for n, share in service.config.ab_test.items() if n in archive.checkers}
    name = next(iter(archive.checkers))
    if service.log is not None and shares:
        name = assigned_model(service.log.hash(user), shares)
    return name, archive.checkers[name]


def _reporter(store: JobStore, job: Job) -> Callable[[int, int], None]:
    """Return a function that reports the progress, but not for every title."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS_BETWEEN_REPORTS:
            last = time.monotonic()
            store.report(job.id, state="berjalan", done=done, total=total)

    return report


def _apply_decisions(
    result: pd.DataFrame, titles: list[str], checker: Checker, decisions: Decisions
) -> None:
    """Let decisions replace the model's verdicts."""
    for row, title in enumerate(titles):
        if result.loc[row, batches.VERDICT] == batches.NOT_COMPARED or not decisions.concern(title):
            continue
        decision = decisions.apply(title, checker.check(title)).decision
        if len(decision):
            result.loc[row, batches.VERDICT] = decision.labels[0]
            result.loc[row, batches.PROBABILITY] = float(decision.probability[0])
            result.loc[row, batches.CLOSEST] = decision.titles[0]
            result.loc[row, REMARK_COLUMN] = next(iter(decision.remarks), "")
        other = result.loc[row, batches.OTHER_CLOSEST]
        if isinstance(other, str) and decisions.decisions_for(title, [other])[0] is not None:
            pair = checker.with_titles([other]).check(title)
            result.loc[row, batches.OTHER_VERDICT] = decisions.apply(title, pair).labels[0]


def _counts(result: pd.DataFrame) -> dict[str, Any]:
    skipped = int((result[batches.VERDICT] == batches.NOT_COMPARED).sum())
    return {
        "n": len(result),
        "checked": len(result) - skipped,
        "skipped": skipped,
        "similar": int(result[batches.VERDICT].isin(batches.CLOSE).sum()),
        "among": int(result[batches.OTHER_VERDICT].isin(batches.CLOSE).sum()),
    }


def _summary(found: Mapping[str, Any], seconds: float) -> str:
    """Say what came out."""
    names = ("n", "checked", "skipped", "similar", "among")
    facts = {name: format_number(found[name]) for name in names}
    facts |= {"s": format_number(seconds, 1), "threshold": format_number(found["threshold"], 2)}
    facts |= {"model": MODEL_TITLES[found["model"]], "corpus": found["archive"]}
    sentences = [page_text("batch_done", **facts)]
    if found["checked"] > batches.MAX_PROPOSALS_COMPARED:
        sentences.append(page_text("too_many_among", n=format_number(batches.MAX_PROPOSALS_COMPARED)))
    return " ".join(sentences)
