"""The HTTP interface for the campus's own systems, version 1."""

import tempfile
from typing import IO, Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Query, Request
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.datastructures import State
from starlette.requests import ClientDisconnect

import judul_lib
from judul_lib.core.storage import escape_formulas, frame_text
from judul_lib.core.texts import page_text
from judul_lib.web import problems
from judul_lib.web.access import CachedFact
from judul_lib.web.answers import (
    Answer,
    ArchiveEntry,
    ArchiveList,
    Health,
    JobStatus,
    ListAnswer,
    Problem,
    Question,
    SentTitles,
    UsedModel,
    Version,
)
from judul_lib.web.api_access import ApiUser, RateLimit, any_key_in_force, api_user
from judul_lib.web.api_answers import job_status, list_answer, title_answer
from judul_lib.web.jobs import Job, JobStore
from judul_lib.web.problems import ProblemError
from judul_lib.web.service import Service

API_PATH = "/api/v1"
JSON_TYPE, CSV_TYPE = "application/json", "text/csv"
FILE_TYPES = {
    CSV_TYPE: "kiriman.csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "kiriman.xlsx",
    "application/vnd.ms-excel": "kiriman.xls",
    "application/vnd.oasis.opendocument.spreadsheet": "kiriman.ods",
}
"""Names under which files of these types are read."""
_MEMORY_BYTES = 1_000_000
_POLL_SECONDS = 1

CheckUser = Annotated[ApiUser, Depends(api_user("periksa"))]
ArchiveUser = Annotated[ApiUser, Depends(api_user("periksa", "arsip"))]
JobId = Annotated[str, PathParameter(max_length=64, description="Dari jawaban POST /batch.")]
AnyUser = Annotated[ApiUser, Depends(api_user())]


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the refusals that an operation documents."""
    return {status: {"model": Problem} for status in (400, *statuses, 500)}


_KEYED = (401, 403, 429, 503)
_BATCH_BODIES: dict[str, Any] = {
    JSON_TYPE: {"schema": {"$ref": "#/components/schemas/SentTitles"}},
    **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in FILE_TYPES},
}


def _require_json(request: Request) -> None:
    if _content_type(request) != JSON_TYPE:
        raise _wrong_type(request, [JSON_TYPE])


router = APIRouter()


@router.post(
    "/check",
    responses=_refusals(*_KEYED, 413, 415, 422),
    dependencies=[Depends(_require_json)],
    summary="Periksa satu judul",
)
def check(question: Question, user: CheckUser, request: Request, tasks: BackgroundTasks) -> Answer:
    """Check a title, and log the answer after it is sent."""
    service = _service(request)
    count = question.top or service.config.top_k
    result = service.check(question.title, question.archive, user=user.name, count=count)
    if question.threshold is not None:
        result = result.with_threshold(question.threshold)
    tasks.add_task(service.log_result, result, "api", user=user.name)
    return title_answer(service, result, count)


@router.post(
    "/batch",
    status_code=202,
    responses=_refusals(*_KEYED, 413, 415, 422),
    summary="Periksa daftar judul",
    openapi_extra={"requestBody": {"required": True, "content": _BATCH_BODIES}},
)
async def start_batch(
    request: Request,
    response: Response,
    user: CheckUser,
    archive: Annotated[
        str | None, Query(max_length=200, description="Nama arsip, untuk kiriman berkas.")
    ] = None,
    column: Annotated[
        str | None, Query(max_length=200, description="Kolom judul, bila ada beberapa.")
    ] = None,
    sheet: Annotated[
        str | None, Query(max_length=200, description="Lembar kerja, bila ada beberapa.")
    ] = None,
) -> JobStatus:
    """Start the check of a list of titles or of a file; the answer says where it is followed.

    Raises
    ------
    ProblemError
        The media type is none of those accepted.
    """
    kind = _content_type(request)
    if kind == JSON_TYPE:
        sent = await _sent_titles(request)
        job = await run_in_threadpool(_start_titles, request, sent, user)
    elif kind in FILE_TYPES:
        facts = {"name": FILE_TYPES[kind], "column": column, "sheet": sheet}
        with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as upload:
            async for chunk in request.stream():
                upload.write(chunk)
            upload.seek(0)
            job = await run_in_threadpool(_start_file, request, upload, archive, facts, user)
    else:
        raise _wrong_type(request, [JSON_TYPE, *FILE_TYPES])
    path = f"{API_PATH}/jobs/{job.id}"
    response.headers["Location"] = path
    response.headers["Retry-After"] = str(_POLL_SECONDS)
    return job_status(job, path)


@router.get("/jobs/{job_id}", responses=_refusals(*_KEYED, 404, 422), summary="Kemajuan sebuah daftar")
def show_job(job_id: JobId, request: Request, user: CheckUser) -> JobStatus:
    """Return how far a job is."""
    return job_status(_jobs(request).get(job_id, user.name), f"{API_PATH}/jobs/{job_id}")


@router.delete(
    "/jobs/{job_id}", responses=_refusals(*_KEYED, 404, 422), summary="Hentikan sebuah daftar"
)
def stop_job(job_id: JobId, request: Request, user: CheckUser) -> JobStatus:
    """Stop a job; one that has finished stays as it is."""
    return job_status(_jobs(request).stop(job_id, user.name), f"{API_PATH}/jobs/{job_id}")


@router.get(
    "/jobs/{job_id}/result",
    response_model=ListAnswer,
    responses=_refusals(*_KEYED, 404, 409, 422) | {200: {"content": {CSV_TYPE: {}}}},
    summary="Hasil sebuah daftar: JSON, atau CSV bila diminta kepala Accept",
)
def show_result(job_id: JobId, request: Request, user: CheckUser) -> Any:
    """Return the result of a finished job."""
    store = _jobs(request)
    job = _require_finished(store.get(job_id, user.name))
    rows = store.result_rows(job_id)
    if not _prefers_csv(request.headers.get("accept", "")):
        return list_answer(job, rows)
    if job.facts.get("ids"):
        rows.insert(0, "id", job.facts["ids"], allow_duplicates=True)
    content = frame_text(escape_formulas(rows)).encode("utf-8-sig")
    disposition = {"Content-Disposition": 'attachment; filename="hasil.csv"'}
    return Response(content, 200, disposition, f"{CSV_TYPE}; charset=utf-8")


@router.get("/archives", responses=_refusals(*_KEYED), summary="Arsip yang dapat dipilih")
def list_archives(request: Request, user: ArchiveUser) -> ArchiveList:
    """Return the archives, the one used first in front."""
    archives = _service(request).archives
    entries = [
        ArchiveEntry(name=c.name, date=c.date, n_titles=archives.known_size(c.name))
        for c in archives.choices()
    ]
    return ArchiveList(archives=entries)


@router.get("/health", responses=_refusals(), summary="Apakah server menjawab; tanpa kunci")
def health() -> Health:
    """Tell that the server answers."""
    return Health(status="ok")


@router.get("/version", responses=_refusals(*_KEYED), summary="Versi program dan model")
def version(request: Request, user: AnyUser) -> Version:
    """Return the versions of the interface, the program and its models."""
    versions = _service(request).versions
    models = [UsedModel(name=name, version=version) for name, version in versions.items()]
    return Version(api="v1", program=judul_lib.__version__, models=models)


def create_api(state: State) -> FastAPI:
    """Return the interface, to be mounted at `API_PATH`.

    Parameters
    ----------
    state : State
        Of the application that it is mounted in: ``service``, ``access``, ``throttle``.
    """
    api = FastAPI(
        title="Periksa Judul",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    api.state = state
    state.rate_limit = RateLimit()
    state.has_keys = CachedFact(lambda: any_key_in_force(state.service))
    problems.add_problem_handlers(api)
    api.add_exception_handler(ClientDisconnect, _answer_interrupted)
    api.include_router(router)
    api.openapi = lambda: _described(api)  # type: ignore[method-assign]
    return api


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _jobs(request: Request) -> JobStore:
    store = _service(request).jobs
    if store is None:
        raise ProblemError(problems.UNAVAILABLE, page_text("api_no_jobs"))
    return store


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _wrong_type(request: Request, accepted: list[str]) -> ProblemError:
    given = _content_type(request)[:60] or "yang tidak disebut"
    detail = page_text("api_wrong_content", given=given, accepted=", ".join(accepted))
    return ProblemError(problems.WRONG_TYPE, detail)


async def _sent_titles(request: Request) -> SentTitles:
    """Read a list of titles; errors as FastAPI reports them."""
    content = await request.body()
    try:
        return await run_in_threadpool(SentTitles.model_validate_json, content)
    except ValidationError as error:
        found = [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
        raise RequestValidationError(found) from error


def _start_titles(request: Request, sent: SentTitles, user: ApiUser) -> Job:
    titles = [entry.title for entry in sent.titles]
    facts = {"ids": [entry.id for entry in sent.titles]}
    archive = sent.archive
    if archive is not None:
        _service(request).archives.choose(archive)  # Refuses an unknown name now, not in the job.
    return _jobs(request).create("titles", titles, user=user.name, archive=archive, facts=facts)


def _start_file(
    request: Request, upload: IO[bytes], archive: str | None, facts: dict[str, Any], user: ApiUser
) -> Job:
    if archive is not None:
        _service(request).archives.choose(archive)
    return _jobs(request).create("file", user=user.name, archive=archive, upload=upload, facts=facts)


def _require_finished(job: Job) -> Job:
    if job.state == "selesai":
        return job
    status = job_status(job, "")
    if job.is_active:
        detail = page_text("api_unfinished", state=job.state, done=job.done, total=job.total)
        retry = {"Retry-After": str(_POLL_SECONDS)}
        raise ProblemError(problems.NO_RESULT, detail, headers=retry)
    detail = page_text("api_no_result", state=job.state, message=status.message).strip()
    raise ProblemError(problems.NO_RESULT, detail)


def _prefers_csv(accept: str) -> bool:
    """Whether a client prefers CSV to JSON.

    Examples
    --------
    >>> _prefers_csv("text/csv"), _prefers_csv("application/json, text/csv;q=0.5"), _prefers_csv("*/*")
    (True, False, False)
    """
    weights = {"*/*": 0.0, JSON_TYPE: 0.0, CSV_TYPE: 0.0}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    return weights[CSV_TYPE] > max(weights[JSON_TYPE], weights["*/*"])


def _answer_interrupted(request: Request, error: Exception) -> Response:
    """Answer a body that was cut off because it is too large."""
    return problems.problem_of_status(413)


def _described(api: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, in which refusals have their own media type."""
    if api.openapi_schema is None:
        schema = get_openapi(
            title=api.title, version=api.version, routes=api.routes, servers=[{"url": API_PATH}]
        )
        sent = SentTitles.model_json_schema(ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"] |= {**sent.pop("$defs"), "SentTitles": sent}
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation.pop("description", None)  # Written for programmers of this package.
                for status, answer in operation["responses"].items():
                    if int(status) >= 400:
                        answer["content"] = {problems.PROBLEM_TYPE: answer["content"][JSON_TYPE]}
        api.openapi_schema = schema
    return api.openapi_schema
