"""The documentation page of the interface."""

import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from judul_lib.core.config import Config
from judul_lib.web.app import create_app
from judul_lib.web.problems import PROBLEM_KINDS, PROBLEM_TYPE
from judul_lib.web.service import Service
from tests.conftest import PROJECT


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.inline = set(), [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        self.links += [found[name] for name in ("href", "src") if name in found]
        has_source = tag == "script" and "src" in found
        if (tag in ("script", "style") and not has_source) or "style" in found:
            self.inline.append(tag)


@pytest.fixture(scope="module")
def client():
    service = Service(Config(log=False, models=PROJECT / "outputs"))
    return TestClient(create_app(service), "http://localhost")


def test_page_describes_every_operation_and_refusal(client):
    html = client.get("/docs").text
    page = Page(html)
    schema = client.get("/api/v1/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["operationId"] in page.ids
            assert f"{method.upper()} /api/v1{path}" in html
    assert {kind.slug for kind in PROBLEM_KINDS} <= page.ids
    for link in page.links:
        assert link.startswith(("/", "#"))
        assert not link.startswith("#") or link[1:] in page.ids


def test_page_needs_no_script_and_nothing_from_elsewhere(client):
    answer = client.get("/docs")
    assert Page(answer.text).inline == []
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_examples_of_the_page_are_answered(client):
    html = client.get("/docs").text
    commands = [unescape(text) for text in re.findall(r"<code>(curl.*?)</code>", html, re.DOTALL)]
    bodies = [words[words.index("-d") + 1] for c in commands if "-d" in (words := shlex.split(c))]
    assert len(bodies) == 2
    assert client.post("/api/v1/check", json=json.loads(bodies[0])).status_code == 200
    assert client.post("/api/v1/batch", json=json.loads(bodies[1])).status_code == 503  # has no runner


def test_description_names_refusals_as_problems_and_how_keys_are_sent(client):
    schema = client.get("/api/v1/openapi.json").json()
    assert schema["servers"] == [{"url": "/api/v1"}]
    responses = schema["paths"]["/check"]["post"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "413", "415", "422", "429", "500", "503"}
    for status, answer in responses.items():
        assert set(answer["content"]) == {"application/json" if status == "200" else PROBLEM_TYPE}
    assert schema["components"]["securitySchemes"]["kunci"]["scheme"] == "bearer"
    bodies = schema["paths"]["/batch"]["post"]["requestBody"]["content"]
    assert {"application/json", "text/csv"} <= set(bodies)
