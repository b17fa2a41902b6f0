"""The examples for programmers of other systems, run against a server process."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

from judul_lib.governance.api_keys import add_key
from judul_lib.usage.database import opened_database, sqlite_url
from judul_lib.web.answers import Answer, Question, SentTitles
from tests.conftest import PROJECT
from tests.page_process import free_port

EXAMPLES = PROJECT / "docs" / "examples"
TITLE = "Deteksi Hoaks Politik di Twitter dengan Naive Bayes"
NO_PHP = "no PHP here: install php-cli"
SERVER = """
import sys
from pathlib import Path
import uvicorn
from judul_lib.core.config import Config
from judul_lib.web.app import create_app
from judul_lib.web.file_checks import job_work
from judul_lib.web.job_runner import RunningJobs
from judul_lib.web.service import Service

folder, archive, port = sys.argv[1:]
service = Service(Config(log=False, models=Path("outputs"), corpora={"arsip": Path(archive)}))
service.config = Config(models=Path(folder))
with RunningJobs(job_work(service)) as running:
    service.jobs = running.store
    uvicorn.run(create_app(service), host="127.0.0.1", port=int(port), log_level="error")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start a server that asks for a key; return its address and the key."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    with opened_database(sqlite_url(folder / "logs")) as engine:
        key = add_key(engine, folder / "logs", "siakad", ["periksa"], actor="0f")
    archive = folder / "arsip.csv"
    archive.write_text(f"Judul\n{TITLE}\nPrediksi Harga Beras dengan LSTM\n", encoding="utf-8")
    command = [sys.executable, "-c", SERVER, str(folder), str(archive), str(port)]
    process = subprocess.Popen(command, cwd=PROJECT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        yield address, key
    finally:
        process.terminate()
        process.wait(20)


def wait_for(address, process):
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/api/v1/health", timeout=5).close()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return


def run(command, address, key, title=TITLE):
    environment = os.environ | {"JUDUL_SERVER": address, "JUDUL_KUNCI": key}
    options = {"capture_output": True, "text": True, "timeout": 120, "encoding": "utf-8"}
    return subprocess.run([*command, title], env=environment, check=False, **options)


@pytest.fixture(params=["check.py", "check.php"])
def command(request):
    if request.param.endswith(".py"):
        return [sys.executable, EXAMPLES / request.param]
    if shutil.which("php") is None:
        pytest.skip(NO_PHP)
    return ["php", EXAMPLES / request.param]


def test_example_checks_a_title_and_a_list(server, command):
    result = run(command, *server)
    assert (result.returncode, result.stderr) == (0, ""), result
    lines = result.stdout.splitlines()
    assert lines[0].startswith("MIRIP: ")
    assert f" {TITLE} (objek sama: " in lines[1]
    assert lines[-2:] == ["A11: MIRIP", "A12: MIRIP"]


def test_example_shows_the_sentence_of_a_refusal(server, command):
    result = run(command, *server, title="123")
    assert result.returncode == 1
    assert result.stderr.startswith("Tidak dapat diperiksa: ")
    address, _ = server
    result = run(command, address, "judul_guessed")
    assert result.returncode == 1
    assert result.stderr.startswith("Kunci diperlukan: ")


def test_document_shows_what_the_models_allow():
    document = (PROJECT / "docs" / "interface.md").read_text(encoding="utf-8")
    blocks = [json.loads(b) for b in re.findall(r"^```json\n(.*?)^```", document, re.M | re.S)]
    question, answer, titles, problem = blocks
    assert Question.model_validate(question).title == answer["title"]
    assert set(answer) == set(Answer.model_fields)
    (match,) = answer["matches"]
    fields = dict.fromkeys(("task", "object"), match["fields"]["method"])
    answer["matches"] = [{**match, "fields": {**fields, **match["fields"]}}]
    assert Answer.model_validate(answer).verdict == "TANYAKAN"
    assert len(SentTitles.model_validate(titles).titles) == 2
    assert set(problem) == {"type", "title", "status", "detail"}


def test_commands_of_the_document_are_answered(server):
    address, key = server
    document = (PROJECT / "docs" / "interface.md").read_text(encoding="utf-8")
    commands = re.findall(r"^curl .*", document, re.M)
    assert len(commands) == 3
    for line in commands:
        line = line.replace("http://localhost:8866", address).replace("judul_…", key)
        line = line.replace("@usulan.csv", "@-").replace(
            "curl ", "curl -sS -o /dev/null -w '%{http_code}' "
        )
        if "Authorization" not in line:
            line += f" -H 'Authorization: Bearer {key}'"
        if shutil.which("curl") is None:
            pytest.skip("no curl here")
        options = {"input": f"Judul\n{TITLE}\n", "capture_output": True, "text": True, "check": True}
        assert subprocess.run(line, shell=True, **options).stdout in ("200", "202"), line
