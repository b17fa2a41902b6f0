"""The application: the pages, the interface, and what all requests go through."""

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from judul_lib.core.errors import JudulError
from judul_lib.web.rendering import WEB_FOLDER, render
from judul_lib.web.service import Service


def create_app(service: Service) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    service : Service
        Reached by requests as ``request.app.state.service``.
    """
    from judul_lib.web import title_pages

    app = FastAPI(title="Periksa Judul", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    app.mount("/static", StaticFiles(directory=WEB_FOLDER / "static"), name="static")
    app.include_router(title_pages.router)
    app.add_exception_handler(JudulError, _refused)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _refused(request: Request, error: Exception) -> Response:
    """Show why a request cannot be answered."""
    return render(request, "error.html", status=422, message=str(error))


def service_of(request: Request) -> Service:
    """Return the service of the application that a request came to."""
    service: Service = request.app.state.service
    return service
