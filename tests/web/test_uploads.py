"""Uploads are limited while they come in."""

from types import SimpleNamespace

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from judul_lib.core.config import Config
from judul_lib.core.errors import JudulError, UploadSizeError
from judul_lib.web import uploads
from judul_lib.web.uploads import UploadForm, clean_name, text_field, uploaded_file

MB = 1 << 20


@pytest.fixture
def client():
    app = FastAPI()
    app.state.service = SimpleNamespace(config=Config(max_upload_mb=1))

    @app.post("/")
    def size(form: UploadForm) -> str:
        file, name = uploaded_file(form)
        return f"{name} {len(file.file.read())} {text_field(form, 'arsip')}"

    @app.exception_handler(JudulError)
    def refuse(request: Request, error: JudulError) -> PlainTextResponse:
        return PlainTextResponse(str(error), 413 if isinstance(error, UploadSizeError) else 422)

    return TestClient(app)


def test_a_file_and_its_fields_are_read(client):
    response = client.post("/", files={"berkas": ("../a.csv", b"x" * MB)}, data={"arsip": " kudus "})
    assert response.json() == f"a.csv {MB} kudus"


def test_a_large_file_is_refused_by_its_claimed_size(client):
    response = client.post("/", files={"berkas": ("a.csv", b"x" * 3 * MB)})
    assert response.status_code == 413
    assert "1 MB" in response.text


def test_a_large_file_of_unknown_size_is_refused_while_it_comes(client, monkeypatch):
    sent = []
    head = b'--B\r\nContent-Disposition: form-data; name="berkas"; filename="a.csv"\r\n\r\n'

    def chunks():
        yield head
        for number in range(20):
            sent.append(number)
            yield b"x" * MB

    monkeypatch.setattr(uploads, "_MAX_DISCARDED", 4 * MB)
    response = client.post(
        "/", content=chunks(), headers={"Content-Type": "multipart/form-data; boundary=B"}
    )
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=B"),
        (b"--B\r\n\r\n", "multipart/form-data; boundary=B"),
        (b"berkas=x", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--B--", ""),
    ],
)
def test_broken_forms_are_refused_in_a_sentence(client, content, content_type):
    response = client.post("/", content=content, headers={"Content-Type": content_type})
    assert response.status_code == 422
    assert response.text in (uploads.BROKEN, uploads.NO_FILE)


def test_a_text_instead_of_a_file_is_refused(client):
    response = client.post("/", data={"berkas": "x"}, files={"lain": ("a.csv", b"x")})
    assert response.text == uploads.NO_FILE


@pytest.mark.parametrize("name", ["", "/", "..", "a\0b.csv", "x" * 500 + ".csv", "C:\\a\\b.xlsx"])
def test_names_have_no_folders(name):
    cleaned = clean_name(name)
    assert "/" not in cleaned
    assert "\\" not in cleaned
    assert "\0" not in cleaned
    assert len(cleaned) <= 120
