"""An OAI-PMH server in a process of its own, and the command that harvests it."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.conftest import PROJECT, gold_titles, judul

CONTACT = "admin@example.ac.id"


def now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def thesis(title, *elements, datestamp="2024-05-01T00:00:00Z", **values):
    """Return a record of the server with a title."""
    dc = [["title", title, ""], ["type", "Skripsi", ""], *elements]
    return {"datestamp": datestamp, "dc": dc, **values}


def theses(n):
    """Return n records with distinct titles, made of the project's own."""
    titles = gold_titles()  # Some differ in capitals only.
    return {f"oai:uji:{k}": thesis(f"{titles[k % len(titles)]} Studi {k}") for k in range(n)}


class OaiServer:
    """A running server: its address, its state, and the requests it got."""

    def __init__(self, folder, port):
        self.folder, self.url = folder, f"http://127.0.0.1:{port}/oai"

    def set(self, records, **values):
        temporary = self.folder / "state.new"
        temporary.write_text(json.dumps({"records": records, **values}))
        temporary.replace(self.folder / "state.json")  # The server may be reading it.

    def requests(self):
        path = self.folder / "requests.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def oai_server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archives.oai_server", str(folder)],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        server = OaiServer(folder, int(process.stdout.readline()))
        server.set({})
        yield server
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def home(tmp_path):
    """Return a folder with a ``judul.toml`` of its own, hence with archives of its own."""
    folder = tmp_path / "kampus"
    folder.mkdir()
    (folder / "judul.toml").write_text(f'models = "{PROJECT / "outputs"}"\ncontact = "{CONTACT}"\n')
    return folder


@pytest.fixture
def harvest(oai_server, home):
    """Return a function that harvests the server into the archive *ta*."""

    def run(*options, url=None, name="ta"):
        return judul("archive", "harvest", name, url or oai_server.url, "--pause", 0, *options, cwd=home)

    return run
