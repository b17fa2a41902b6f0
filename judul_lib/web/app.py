"""The application: the pages, the interface, and what all requests go through."""

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from judul_lib.core.errors import BusyError, JobError, JudulError, UploadSizeError
from judul_lib.web.rendering import WEB_FOLDER, render
from judul_lib.web.service import Service

_STATUS = {JobError: 404, UploadSizeError: 413, BusyError: 503}


def create_app(service: Service) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    service : Service
        Reached by requests as ``request.app.state.service``.
    """
    from judul_lib.web import file_pages, title_pages

    app = FastAPI(title="Periksa Judul", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    app.mount("/static", StaticFiles(directory=WEB_FOLDER / "static"), name="static")
    app.include_router(title_pages.router)
    app.include_router(file_pages.router)
    app.add_exception_handler(JudulError, _refused)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _refused(request: Request, error: Exception) -> Response:
    """Show why a request cannot be answered."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
    return render(request, "error.html", status=status, message=str(error))


def service_of(request: Request) -> Service:
    """Return the service of the application that a request came to."""
    service: Service = request.app.state.service
    return service
