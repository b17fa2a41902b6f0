"""The application: the pages, the interface, and what all requests go through."""

import secrets
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from judul_lib.core.errors import BusyError, JobError, JudulError, UploadSizeError
from judul_lib.core.texts import page_text
from judul_lib.web import api_docs, archive_pages, file_pages, login, report_pages, title_pages
from judul_lib.web.access import Access, ForbiddenError, LoginRequiredError
from judul_lib.web.api import API_PATH, create_api
from judul_lib.web.problems import is_api, problem_of_status
from judul_lib.web.protection import Peer, Protection
from judul_lib.web.rendering import WEB_FOLDER, render
from judul_lib.web.service import Service

_STATUS = {ForbiddenError: 403, JobError: 404, UploadSizeError: 413, BusyError: 503}
_ROUTERS = (
    title_pages.router,
    file_pages.router,
    archive_pages.router,
    report_pages.router,
    login.router,
    api_docs.router,
)
# A form with its file is a little larger than the file.
_FORM_BYTES = 100_000


def create_app(
    service: Service,
    *,
    accounts: Any = None,
    throttle: login.Throttle | None = None,
    session_key: bytes | None = None,
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    service : Service
        Reached by requests as ``request.app.state.service``.
    accounts : Accounts or None
        Users of the installation; without them, nobody can log in by name.
    throttle : Throttle
        Of wrong logins; that of this process by default.
    session_key : bytes
        Signs the sessions; random by default, so that they end with the process.
    """
    app = FastAPI(title="Periksa Judul", docs_url=None, redoc_url=None, openapi_url=None)
    access = Access(service.config, session_key or secrets.token_bytes(32), accounts)
    app.state.service, app.state.access, app.state.accounts = service, access, accounts
    app.state.throttle, app.state.one_login = throttle or login.LocalThrottle(), Lock()
    app.mount("/static", StaticFiles(directory=WEB_FOLDER / "static"), name="static")
    api = create_api(app.state)
    app.state.api_schema = api.openapi
    app.mount(API_PATH, api, name="api")
    for router in _ROUTERS:
        app.include_router(router)
    app.add_exception_handler(LoginRequiredError, _ask_to_log_in)
    for error in (JudulError, HTTPException, RequestValidationError):
        app.add_exception_handler(error, _refuse)
    max_upload_bytes = 1_000_000 * service.config.max_upload_mb + _FORM_BYTES
    app.add_middleware(Protection, is_open=access.is_open, max_upload_bytes=max_upload_bytes)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(service.config.trusted_proxies))
    app.add_middleware(Peer)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _ask_to_log_in(request: Request, error: Exception) -> Response:
    return login.ask_to_log_in(request)


def _refuse(request: Request, error: Exception) -> Response:
    """Show why a request cannot be answered."""
    if isinstance(error, HTTPException):
        if is_api(request.url.path):
            return problem_of_status(error.status_code)
        status, message = error.status_code, _STATUS_TEXTS.get(error.status_code, "bad_request")
        return render(request, "error.html", status=status, message=page_text(message))
    if isinstance(error, RequestValidationError):
        names = sorted({str(problem["loc"][-1]) for problem in error.errors()})
        message = page_text("form_invalid", fields=", ".join(names))
        return render(request, "error.html", status=422, message=message)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
    return render(request, "error.html", status=status, message=str(error))


_STATUS_TEXTS = {404: "page_not_found", 405: "wrong_method", 413: "too_much"}
