"""Refusals of the interface as problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from judul_lib.core.errors import (
    ArchiveError,
    BusyError,
    CorpusError,
    IndexFileError,
    JobError,
    JudulError,
    LogError,
    ModelError,
)
from judul_lib.core.texts import page_text

PROBLEM_TYPE = "application/problem+json"
TOO_LARGE_STATE = "too_large"
"""Set in the state of a request whose body was cut off because it is too large."""
RETRY_SECONDS = 10
"""After which it makes sense to ask again where nothing better is known."""


@dataclass(frozen=True)
class ProblemKind:
    """A kind of refusal.

    Attributes
    ----------
    slug : str
        Anchor of its description in the documentation.
    status : int
        HTTP status.
    title : str
        The same for all refusals of this kind.
    """

    slug: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """Address of its description, relative to the server."""
        return f"/docs#{self.slug}"


UNREADABLE = ProblemKind("permintaan-tidak-terbaca", 400, "Permintaan tidak terbaca")
KEY_NEEDED = ProblemKind("kunci-diperlukan", 401, "Kunci diperlukan")
NOT_ALLOWED = ProblemKind("tidak-diizinkan", 403, "Tidak diizinkan")
NOT_FOUND = ProblemKind("tidak-ditemukan", 404, "Tidak ditemukan")
WRONG_METHOD = ProblemKind("metode-keliru", 405, "Metode keliru")
NO_RESULT = ProblemKind("belum-ada-hasil", 409, "Belum ada hasil")
TOO_LARGE = ProblemKind("terlalu-besar", 413, "Terlalu besar")
WRONG_TYPE = ProblemKind("jenis-isi-keliru", 415, "Jenis isi keliru")
INVALID = ProblemKind("isian-tidak-sah", 422, "Isian tidak sah")
UNUSABLE = ProblemKind("tidak-dapat-diperiksa", 422, "Tidak dapat diperiksa")
TOO_OFTEN = ProblemKind("terlalu-sering", 429, "Terlalu sering")
FAILED = ProblemKind("galat-server", 500, "Galat di server")
UNAVAILABLE = ProblemKind("sedang-tidak-tersedia", 503, "Sedang tidak tersedia")
PROBLEM_KINDS = (
    UNREADABLE, KEY_NEEDED, NOT_ALLOWED, NOT_FOUND, WRONG_METHOD, NO_RESULT, TOO_LARGE,
    WRONG_TYPE, INVALID, UNUSABLE, TOO_OFTEN, FAILED, UNAVAILABLE,
)  # fmt: skip

_BY_STATUS = {kind.status: kind for kind in reversed(PROBLEM_KINDS)}
_DETAILS = {400: "bad_request", 404: "api_not_found", 405: "wrong_method", 413: "too_much"}
_BY_ERROR: Mapping[type[JudulError], ProblemKind] = {
    JobError: NOT_FOUND,
    ArchiveError: UNUSABLE,
    **dict.fromkeys((BusyError, CorpusError, IndexFileError, LogError, ModelError), UNAVAILABLE),
}


class ProblemError(Exception):
    """A refusal of the interface.

    Parameters
    ----------
    kind : ProblemKind
    detail : str
        An Indonesian sentence: what is wrong, and what to do.
    errors : sequence of mapping
        ``field`` and ``detail`` of each invalid field.
    headers : mapping of str to str
        Further headers of the answer.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors, self.headers = kind, detail, errors, dict(headers or {})


def problem_response(
    kind: ProblemKind,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a refusal as an answer; parameters as in `ProblemError`.

    Examples
    --------
    >>> answer = problem_response(NOT_FOUND, "Tidak ada.")
    >>> answer.status_code, answer.media_type
    (404, 'application/problem+json')
    """
    content: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, kind.status, dict(headers or {}), PROBLEM_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Let an application answer every error with a problem document."""
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(JudulError, answer_judul_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_failure)


def is_api(path: str) -> bool:
    """Whether an address belongs to the interface.

    Examples
    --------
    >>> is_api("/api/v2/check"), is_api("/apik")
    (True, False)
    """
    return path == "/api" or path.startswith("/api/")


def problem_of_status(status: int, detail: str = "") -> Response:
    """Return the refusal of a status, with its usual sentence by default.

    Examples
    --------
    >>> problem_of_status(413).body.decode()[:80]
    '{"type":"/docs#terlalu-besar","title":"Terlalu besar","status":413,"detail":"Isi'
    """
    kind = _BY_STATUS.get(status, UNREADABLE if status < 500 else FAILED)
    return problem_response(kind, detail or page_text(_DETAILS.get(status, "bad_request")))


def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error.kind, error.detail, errors=error.errors, headers=error.headers)


def answer_judul_error(request: Request | None, error: Exception) -> Response:
    """Answer an error whose sentence a reader can act on."""
    kind = next((k for cause, k in _BY_ERROR.items() if isinstance(error, cause)), UNUSABLE)
    headers = {"Retry-After": str(RETRY_SECONDS)} if kind is UNAVAILABLE else None
    return problem_response(kind, str(error), headers=headers)


def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    is_cut_off = getattr(request.state, TOO_LARGE_STATE, False)  # FastAPI cannot read the body then.
    answer = problem_of_status(413 if is_cut_off else error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def _answer_invalid(request: Request, error: Exception) -> Response:
    """Name the invalid fields, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return problem_response(UNREADABLE, page_text("api_no_json"))
    errors = [{"field": _field(p["loc"]), "detail": _describe(p)} for p in problems[:20]]
    fields = ", ".join(dict.fromkeys(e["field"] for e in errors))
    return problem_response(INVALID, page_text("api_invalid", fields=fields), errors=errors)


def _answer_failure(request: Request, error: Exception) -> Response:
    """Say that the server failed; the trace stays in its own log."""
    return problem_response(FAILED, page_text("api_failed"))


def _field(location: Sequence[Any]) -> str:
    """Return the name of a field as it stands in the JSON; ``isi`` for the whole body."""
    names = [str(part)[:60].encode(errors="replace").decode() for part in location[1:]]
    return ".".join(names) or "isi"


def _describe(problem: Mapping[str, Any]) -> str:
    """Say in Indonesian what is wrong with a field."""
    limits = problem.get("ctx", {})
    key = SENTENCES.get(problem["type"])
    if key is None:
        key = "api_wrong_type" if problem["type"].endswith(("_type", "_parsing")) else "api_wrong_value"
    return page_text(key, **{name: value for name, value in limits.items() if name != "error"})


SENTENCES = {
    "missing": "api_missing",
    "extra_forbidden": "api_extra",
    "string_too_long": "api_long",
    "too_long": "api_many",
    "too_short": "api_few",
    "greater_than_equal": "api_low",
    "less_than_equal": "api_high",
}
"""Texts by type of the problem that pydantic reports."""
