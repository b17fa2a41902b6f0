"""The pages that check a file of proposals: upload, progress, result, downloads."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import pandas as pd
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from judul_lib.checking import batches
from judul_lib.core.columns import AUTHOR, STUDENT_NUMBER, YEAR, metadata_column
from judul_lib.core.errors import JobError
from judul_lib.core.settings import ASK, SIMILAR
from judul_lib.core.storage import write_result
from judul_lib.web.access import AnyVisitor, Visitor
from judul_lib.web.file_checks import CHECKED_TITLE
from judul_lib.web.jobs import GONE, NO_RUNNER, Job, JobStore
from judul_lib.web.rendering import is_fragment, render
from judul_lib.web.service import Service
from judul_lib.web.uploads import UploadForm, text_field, uploaded_file

router = APIRouter()
ROWS_PER_PAGE = 100
PATIENCE = 1.5
"""Seconds that an upload waits for the result, so that small files need no second look."""
Filter = Literal["semua", "mirip", "tanyakan"]
Order = Literal["dekat", "baris"]
_VERDICTS = {"mirip": SIMILAR, "tanyakan": ASK}
_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class View:
    """Which rows of a result are shown.

    Attributes
    ----------
    only : {"semua", "mirip", "tanyakan"}
        Rows with this verdict, in the archive or among the proposals.
    order : {"dekat", "baris"}
        The closest first, or as in the file.
    page : int
        From 1.
    search : str
        Rows with this text in any uploaded cell or in the title; sent by POST only.
    """

    only: Filter = "semua"
    order: Order = "dekat"
    page: int = 1
    search: str = ""

    def link(self, **changed: Any) -> str:
        """Return the query of a link to another view."""
        values = {"saring": self.only, "urut": self.order, "hal": 1} | changed
        return "?" + urlencode(values)

    def select(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of all pages of this view, in order."""
        if self.only != "semua":
            verdict = _VERDICTS[self.only]
            is_wanted = (rows[batches.VERDICT] == verdict) | (rows[batches.OTHER_VERDICT] == verdict)
            rows = rows[is_wanted]
        if words := self.search.casefold().split():
            texts = [" ".join(map(str, row)).casefold() for row in rows.itertuples(index=False)]
            rows = rows[[all(word in text for word in words) for text in texts]]
        if self.order == "dekat":
            columns = [batches.PROBABILITY, batches.OTHER_PROBABILITY]
            highest = rows[columns].astype(float).max(axis=1).fillna(-1)
            rows = rows.loc[highest.sort_values(ascending=False, kind="stable").index]
        return rows


@router.get("/berkas", response_class=HTMLResponse)
def show_form(request: Request, visitor: AnyVisitor) -> HTMLResponse:
    """Show the form, and the visitor's own earlier files."""
    return _form(request, visitor)


@router.post("/berkas")
def upload(request: Request, visitor: AnyVisitor, form: UploadForm) -> Response:
    """Check an uploaded file; small ones are finished before the answer."""
    file, name = uploaded_file(form)
    service: Service = request.app.state.service
    archive = service.archives.choose(text_field(form, "arsip") or None).name
    facts = {"name": name}
    for key, field in (("sheet", "lembar"), ("column", "kolom")):
        if value := text_field(form, field):
            facts[key] = value
    store = _store(request)
    job = store.create("file", user=visitor.user, archive=archive, upload=file.file, facts=facts)
    return _wait(store, job)


@router.get("/berkas/{job_id}", response_class=HTMLResponse)
def show_job(
    request: Request,
    visitor: AnyVisitor,
    job_id: str,
    saring: Annotated[Filter, Query()] = "semua",
    urut: Annotated[Order, Query()] = "dekat",
    hal: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """Show how far a check is, what has to be chosen, or the result."""
    return _job_page(request, visitor, job_id, View(saring, urut, hal))


@router.post("/berkas/{job_id}/cari", response_class=HTMLResponse)
def search(
    request: Request,
    visitor: AnyVisitor,
    job_id: str,
    cari: Annotated[str, Form(max_length=500)] = "",
    saring: Annotated[Filter, Form()] = "semua",
    urut: Annotated[Order, Form()] = "dekat",
    hal: Annotated[int, Form(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """Show the rows with a text; by POST, because the text may be a title."""
    return _job_page(request, visitor, job_id, View(saring, urut, hal, cari))


@router.post("/berkas/{job_id}/pilih")
def choose(
    request: Request,
    visitor: AnyVisitor,
    job_id: str,
    lembar: Annotated[str, Form(max_length=500)] = "",
    kolom: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Go on with the sheet or the column that the visitor has chosen."""
    chosen = {name: value for name, value in (("sheet", lembar), ("column", kolom)) if value}
    store = _store(request)
    return _wait(store, store.choose(job_id, visitor.user, **chosen))


@router.post("/berkas/{job_id}/henti")
def stop(request: Request, visitor: AnyVisitor, job_id: str) -> Response:
    """Stop a check."""
    _store(request).stop(job_id, visitor.user)
    return RedirectResponse(f"/berkas/{job_id}", status_code=303)


@router.get("/berkas/{job_id}/baris/{number}", response_class=HTMLResponse)
def show_row(request: Request, visitor: AnyVisitor, job_id: str, number: int) -> HTMLResponse:
    """Show the reason for the verdict on a row."""
    job, rows = _finished(request, visitor, job_id)
    if number not in rows.index:
        raise JobError("Baris itu tidak ada dalam daftar ini.")
    row: dict[str, Any] = {str(name): cell for name, cell in rows.loc[number].items()}
    service: Service = request.app.state.service
    archive = service.archives.open(job.found["archive"])
    checker = archive.checkers.get(job.found["model"], next(iter(archive.checkers.values())))
    pairs = []
    for heading, verdict, closest in (
        ("archive", batches.VERDICT, batches.CLOSEST),
        ("proposals", batches.OTHER_VERDICT, batches.OTHER_CLOSEST),
    ):
        if isinstance(row[closest], str):
            matches = checker.with_titles([row[closest]]).check(row[CHECKED_TITLE])
            remark = matches.remarks[0] if len(matches) else ""
            details = archive.details.get(row[closest], {}) if heading == "archive" else {}
            pairs.append(
                {"kind": heading, "verdict": row[verdict], "title": row[closest], "remark": remark,
                 "details": details, "row": row[batches.OTHER_ROW]}
            )  # fmt: skip
    return render(
        request, "file_row.html", job=job, number=number, title=row[CHECKED_TITLE], pairs=pairs,
        uploaded=_uploaded_cells(row, job.found),
    )  # fmt: skip


@router.get("/berkas/{job_id}/unduh.{form}")
def download(
    request: Request, visitor: AnyVisitor, job_id: str, form: Literal["csv", "xlsx"]
) -> Response:
    """Return the result as a file, its formulas escaped."""
    job, rows = _finished(request, visitor, job_id)
    service: Service = request.app.state.service
    if service.log is not None:
        service.log.log_event("download", detail=form, user=visitor.user)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"hasil.{form}"
        numbers = pd.to_numeric(rows[batches.OTHER_ROW]).astype("Int64")
        write_result(rows.drop(columns=CHECKED_TITLE).assign(**{batches.OTHER_ROW: numbers}), path)
        content = path.read_bytes()
    # An ASCII name: that of the upload may be a title.
    headers = {"Content-Disposition": f'attachment; filename="hasil-{job.id[:8]}.{form}"'}
    return Response(content, media_type=_MEDIA_TYPES[form], headers=headers)


def _form(request: Request, visitor: Visitor, *, status: int = 200, problem: str = "") -> HTMLResponse:
    service: Service = request.app.state.service
    store = service.jobs
    own = [job for job in store.all() if job.user == visitor.user] if store is not None else []
    return render(
        request, "files.html", status=status, problem=problem, own=own[::-1],
        choices=service.archives.choices(), config=service.config,
    )  # fmt: skip


def _store(request: Request) -> JobStore:
    store: JobStore | None = request.app.state.service.jobs
    if store is None:
        raise JobError(NO_RUNNER)
    return store


def _wait(store: JobStore, job: Job) -> Response:
    """Answer with the page of a job, after a moment in which it may be finished."""
    end = time.monotonic() + PATIENCE
    while job.is_active and time.monotonic() < end:
        time.sleep(0.03)
        job = store.get(job.id, job.user)
    return RedirectResponse(f"/berkas/{job.id}", status_code=303)


def _job_page(request: Request, visitor: Visitor, job_id: str, view: View) -> HTMLResponse:
    store = _store(request)
    job = store.get(job_id, visitor.user)
    template = "file_job_part.html" if is_fragment(request) else "file_job.html"
    if job.state != "selesai":
        return render(request, template, job=job, view=view)
    archive_details = _details(request.app.state.service, job)
    selected = view.select(store.result_rows(job_id))
    first = (view.page - 1) * ROWS_PER_PAGE
    shown = [
        _shown_row(number, row, job.found, archive_details)
        for number, row in selected.iloc[first : first + ROWS_PER_PAGE].iterrows()
    ]
    n_pages = max(1, -(-len(selected) // ROWS_PER_PAGE))
    return render(
        request, template, job=job, view=view, rows=shown, n_rows=len(selected), n_pages=n_pages,
        columns=_shown_columns(job.found),
    )  # fmt: skip


def _finished(request: Request, visitor: Visitor, job_id: str) -> tuple[Job, pd.DataFrame]:
    store = _store(request)
    job = store.get(job_id, visitor.user)
    if job.state != "selesai":
        raise JobError(GONE)
    return job, store.result_rows(job_id)


def _details(service: Service, job: Job) -> Mapping[str, Mapping[str, str]]:
    return service.archives.open(job.found["archive"]).details


def _shown_columns(found: Mapping[str, Any]) -> list[str]:
    """Return the uploaded columns that say who proposes: names and student numbers."""
    return [name for name in found["columns"] if metadata_column(name) in (AUTHOR, STUDENT_NUMBER)]


def _uploaded_cells(row: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in found["columns"] if row[name]}


def _shown_row(
    number: Any,
    row: "pd.Series[Any]",
    found: Mapping[str, Any],
    details: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    closest = row[batches.CLOSEST]
    known = details.get(closest, {}) if isinstance(closest, str) else {}
    return {
        "number": number,
        "cells": [row[name] for name in _shown_columns(found)],
        "title": row[CHECKED_TITLE],
        "verdict": row[batches.VERDICT],
        "probability": row[batches.PROBABILITY],
        "closest": closest,
        "known": ", ".join(filter(None, (known.get(AUTHOR), known.get(YEAR)))),
        "other_verdict": row[batches.OTHER_VERDICT],
        "other_row": row[batches.OTHER_ROW],
    }
