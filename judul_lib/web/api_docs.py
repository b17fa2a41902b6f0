"""The documentation of the interface as a page, made of its OpenAPI description."""

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from judul_lib.web.access import LoginRequiredError, visitor
from judul_lib.web.api import API_PATH, JSON_TYPE
from judul_lib.web.problems import PROBLEM_KINDS
from judul_lib.web.rendering import render

router = APIRouter()
_NO_KEY = "/health"


@dataclass(frozen=True)
class Row:
    """A parameter or a field: its name, where it stands, whether it must be there, what it means."""

    name: str
    place: str
    is_required: bool
    meaning: str


@dataclass(frozen=True)
class Operation:
    """An operation as the page shows it.

    Attributes
    ----------
    anchor, method, path, summary : str
    parameters, fields : list of Row
        Of the address, and of the JSON that is sent.
    body_types : list of str
        Media types of what is sent.
    statuses : list of str
        Documented statuses of the answer.
    curl, answer : str
        A request and its answer; the answer may be missing.
    """

    anchor: str
    method: str
    path: str
    summary: str
    parameters: list[Row]
    fields: list[Row]
    body_types: list[str]
    statuses: list[str]
    curl: str
    answer: str


@router.get("/docs", response_class=HTMLResponse)
def show_docs(request: Request) -> HTMLResponse:
    """Show the operations with their parameters and examples."""
    with suppress(LoginRequiredError):
        visitor(request)  # Whom the navigation is for; the page itself is for everyone.
    schema = request.app.state.api_schema()
    base = f"{request.url.scheme}://{request.url.netloc}{API_PATH}"
    operations = describe_operations(schema, base)
    return render(
        request, "api_docs.html", operations=operations, problems=PROBLEM_KINDS, api_path=API_PATH
    )


def describe_operations(schema: Mapping[str, Any], base: str) -> list[Operation]:
    """Return the operations of an OpenAPI description.

    Parameters
    ----------
    schema : mapping
        The description.
    base : str
        Address of the interface, for the examples.
    """
    return [
        _describe(schema, base, path, method, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def _describe(
    schema: Mapping[str, Any], base: str, path: str, method: str, operation: Mapping[str, Any]
) -> Operation:
    bodies = operation.get("requestBody", {}).get("content", {})
    body = _resolve(schema, bodies.get(JSON_TYPE, {}).get("schema", {}))
    success = next(a for s, a in operation["responses"].items() if s.startswith("2"))
    answer = _resolve(schema, success["content"][JSON_TYPE].get("schema", {}))
    parameters = [
        Row(p["name"], _PLACES[p["in"]], p.get("required", False), p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    return Operation(
        operation["operationId"], method.upper(), path, operation["summary"], parameters,
        _field_rows(body), list(bodies), sorted(operation["responses"]),
        _curl(base + path, method.upper(), _example(body), has_key=path != _NO_KEY),
        _shown(_example(answer)),
    )  # fmt: skip


_PLACES = {"path": "alamat", "query": "kueri", "header": "kepala"}


def _resolve(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to the components."""
    name = part.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = schema["components"]["schemas"][name] if name else part
    return found


def _field_rows(body: Mapping[str, Any]) -> list[Row]:
    required = body.get("required", [])
    return [
        Row(name, "isi", name in required, field.get("description", ""))
        for name, field in body.get("properties", {}).items()
    ]


def _example(part: Mapping[str, Any]) -> Any:
    return next(iter(part.get("examples", [])), None)


def _shown(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _curl(address: str, method: str, body: Any, *, has_key: bool) -> str:
    lines = ["curl" + (f" -X {method}" if method == "DELETE" else "")]
    if has_key:
        lines.append("-H 'Authorization: Bearer judul_…'")
    if body is not None:
        lines += [
            f"-H 'Content-Type: {JSON_TYPE}'",
            f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
        ]
    lines.append(shlex.quote(address.replace("{job_id}", "ID")))
    return " \\\n  ".join(lines)
