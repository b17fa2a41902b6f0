"""The page that checks one title."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import HTMLResponse

from judul_lib.web.access import AnyVisitor
from judul_lib.web.rendering import render

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def show_form(request: Request, visitor: AnyVisitor) -> HTMLResponse:
    """Show the form."""
    return render(request, "title.html", result=None)


@router.post("/periksa", response_class=HTMLResponse)
def check_title(
    request: Request,
    visitor: AnyVisitor,
    tasks: BackgroundTasks,
    judul: Annotated[str, Form()] = "",
    arsip: Annotated[str | None, Form()] = None,
) -> HTMLResponse:
    """Check a title, and log the answer after it is sent."""
    service = request.app.state.service
    result = service.check(judul, arsip, user=visitor.user)
    tasks.add_task(service.log_result, result, "page", user=visitor.user)
    return render(request, "title.html", result=result)
