"""What is refused before a page sees it, and the headers of all answers."""

import pytest
from fastapi.testclient import TestClient

from judul_lib.core.config import load_config
from judul_lib.web.app import create_app
from judul_lib.web.protection import MAX_FORM_BYTES
from judul_lib.web.service import Service

TITLE = "Deteksi Hoaks Politik dengan Naive Bayes"


@pytest.fixture(scope="module")
def page():
    app = create_app(Service(load_config(log="false")))
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/", "/static/judul.css", "/tidak-ada", "/health"])
def test_every_answer_is_protected(page, path):
    headers = page.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_pages_are_not_kept_by_browsers_and_proxies(page):
    assert page.get("/").headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_or_style(page):
    html = page.post("/periksa", data={"judul": TITLE}).text
    assert "<script>" not in html
    assert "<style" not in html
    assert " style=" not in html
    assert "onclick" not in html


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    ],
)
def test_another_site_cannot_send_a_form(page, headers):
    assert page.post("/periksa", data={"judul": TITLE}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}]
)
def test_the_page_itself_can(page, headers):
    assert page.post("/periksa", data={"judul": TITLE}, headers=headers).status_code == 200


def test_a_large_form_is_refused_with_and_without_its_length(page):
    large = f"judul={'a' * (MAX_FORM_BYTES + 1)}"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert page.post("/periksa", content=large, headers=kind).status_code == 413
    answer = page.post("/periksa", content=iter([large.encode()] * 2), headers=kind)
    assert answer.status_code in (400, 413, 422)


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 30])
def test_a_senseless_length_is_refused(page, length):
    answer = page.post("/periksa", content=b"", headers={"content-length": length})
    assert answer.status_code in (400, 413)


def test_an_unknown_page_says_so(page):
    answer = page.get("/tidak-ada")
    assert answer.status_code == 404
    assert "Halaman ini tidak ada" in answer.text


def test_a_wrong_form_is_answered_in_a_sentence(page):
    answer = page.post("/periksa", files={"judul": ("a.txt", b"x")})
    assert answer.status_code == 422
    assert "judul" in answer.text
