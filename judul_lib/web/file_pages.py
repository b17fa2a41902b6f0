"""The pages that check a file of proposals: upload, progress, result, downloads."""

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, get_args

import pandas as pd
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from judul_lib.checking import batches
from judul_lib.core.errors import JobError
from judul_lib.core.storage import write_result
from judul_lib.study.group_theses import NAMES_COLUMN
from judul_lib.web import file_results, sheets
from judul_lib.web.access import AnyVisitor, Visitor
from judul_lib.web.explaining import advice
from judul_lib.web.file_checks import CHECKED_TITLE, FIRST_ROW
from judul_lib.web.file_results import Filter, Order, View
from judul_lib.web.jobs import GONE, NO_RUNNER, Job, JobStore
from judul_lib.web.rendering import is_fragment, render
from judul_lib.web.service import Service
from judul_lib.web.title_results import archive_choices, verdict_sentence
from judul_lib.web.uploads import UploadForm, text_field, uploaded_file

router = APIRouter()
ROWS_PER_PAGE = 100
PATIENCE = 1.5
"""Seconds that an upload waits for the result, so that small files need no second look."""
_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


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
    row = rows.loc[number].to_dict()
    title = row[CHECKED_TITLE]
    service: Service = request.app.state.service
    archive = service.archives.open(job.found["archive"])
    checker = archive.checkers.get(job.found["model"], next(iter(archive.checkers.values())))
    pairs = file_results.explain_row(row, checker, archive.details)
    first = next((pair.match for pair in pairs if pair.is_archived), None)
    return render(
        request, "file_row.html", job=job, number=number, title=title, pairs=pairs,
        uploaded={name: row[name] for name in job.found["columns"] if row[name] not in ("", title)},
        members=file_results.group_rows(rows)[row[FIRST_ROW]], names=row.get(NAMES_COLUMN),
        advice=advice(first.label, first.comparisons) if first is not None else [],
        sentence=verdict_sentence(first) if first is not None else "",
        threshold=job.found["threshold"],
    )  # fmt: skip


@router.get("/berkas/{job_id}/lembar")
def download_sheet(request: Request, visitor: AnyVisitor, job_id: str) -> Response:
    """Return the result sheet of a file as one HTML file."""
    job, rows = _finished(request, visitor, job_id)
    service: Service = request.app.state.service
    details = service.archives.open(job.found["archive"]).details
    lines, facts = file_results.sheet_rows(rows, job, details), file_results.sheet_facts(job)
    content = sheets.file_sheet(lines, facts, sheets.seal_key(service))
    service.log_event("download", detail="html", user=visitor.user)
    # The name of the upload may be a title.
    headers = sheets.attachment(sheets.sheet_name(f"daftar {job.id[:8]}", facts))
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/berkas/{job_id}/unduh.{form}")
def download(
    request: Request, visitor: AnyVisitor, job_id: str, form: Literal["csv", "xlsx"]
) -> Response:
    """Return the result as a file, its formulas escaped."""
    job, rows = _finished(request, visitor, job_id)
    service: Service = request.app.state.service
    service.log_event("download", detail=form, user=visitor.user)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"hasil.{form}"
        numbers = pd.to_numeric(rows[batches.OTHER_ROW]).astype("Int64")
        write_result(
            rows.drop(columns=[CHECKED_TITLE, FIRST_ROW]).assign(**{batches.OTHER_ROW: numbers}), path
        )
        content = path.read_bytes()
    # An ASCII name: that of the upload may be a title.
    headers = sheets.attachment(f"hasil-{job.id[:8]}.{form}")
    return Response(content, media_type=_MEDIA_TYPES[form], headers=headers)


def _form(request: Request, visitor: Visitor, *, status: int = 200, problem: str = "") -> HTMLResponse:
    service: Service = request.app.state.service
    store = service.jobs
    own = [job for job in store.all() if job.user == visitor.user] if store is not None else []
    return render(
        request, "files.html", status=status, problem=problem, own=own[::-1],
        choices=archive_choices(service.archives), config=service.config,
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
    rows = store.result_rows(job_id)
    selected = view.select(rows)
    first = (view.page - 1) * ROWS_PER_PAGE
    shown = selected.iloc[first : first + ROWS_PER_PAGE]
    details = request.app.state.service.archives.open(job.found["archive"]).details
    return render(
        request, template, job=job, view=view, n_rows=len(selected),
        rows=list(file_results.shown_proposals(shown, rows, job, details)),
        n_pages=max(1, -(-len(selected) // ROWS_PER_PAGE)),
        columns=file_results.who_columns(job.found["columns"]), look=file_results.label_look,
        threshold=job.found["threshold"],
        n_by_filter={only: len(replace(view, only=only).select(rows)) for only in get_args(Filter)},
    )  # fmt: skip


def _finished(request: Request, visitor: Visitor, job_id: str) -> tuple[Job, pd.DataFrame]:
    store = _store(request)
    job = store.get(job_id, visitor.user)
    if job.state != "selesai":
        raise JobError(GONE)
    return job, store.result_rows(job_id)
