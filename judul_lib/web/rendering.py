"""HTML pages from templates."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.texts import page_text

WEB_FOLDER = Path(__file__).parent
FRAGMENT_HEADER = "X-Bagian"
"""A request with this header gets only the part of the page that changes."""


def is_fragment(request: Request) -> bool:
    """Whether the page's script asks, which replaces a part of the page."""
    return FRAGMENT_HEADER in request.headers


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    Parameters
    ----------
    template : str
        Name of a file in ``templates/``. It sees `page_text` as ``text``, `format_number` and
        `format_percent` as filters, ``request``, and ``visitor`` if the request has one.
    status : int
        HTTP status.
    """
    visitor = getattr(request.state, "visitor", None)
    html = environment().get_template(template).render(request=request, visitor=visitor, **values)
    return HTMLResponse(html, status_code=status)


@cache
def environment() -> jinja2.Environment:
    """Return the environment of the templates; everything is escaped, and a missing name is an error."""
    loaded = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loaded.globals["text"] = page_text
    loaded.filters["number"] = format_number
    loaded.filters["percent"] = format_percent
    return loaded
