"""Documents are correct: their commands run, their links work, and every name in them exists."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
from functools import cache
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from click import Group
from click.testing import CliRunner

from judul_lib.cli.main import cli
from judul_lib.core.config import load_config
from judul_lib.reports.run_inputs import PROFILE_PARAMETER
from judul_lib.reports.runner import parameter_names
from judul_lib.usage.database import opened_database, sqlite_url
from tests.conftest import DATA, PROJECT
from tests.page_process import free_port

TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
).stdout.splitlines()
DOCUMENTS = ["README.md", "README.id.md", "CONTRIBUTING.md", "data/README.md"]
DOCUMENTS += [name for name in TRACKED if re.fullmatch(r"docs/\w+\.md", name)]
# Commands that are not run here, with the reason; those of make are checked with --dry-run.
NOT_RUN = {
    r"make install": "installed this environment",
    r"make (lint|test|test-slow)": "runs this test, or runs beside it",
    r"make run.*": "takes minutes; the fixture finished_run runs it",
    r"make app.*": "test_documented_command_serves_the_page runs it",
    r"pip install .*": "changes the environment",
    r"dask (scheduler|worker) .*": "test_cluster.py runs it on this machine",
    r"judul dedup .* --scheduler tcp://10\.0\.0\.1:8786": "needs a scheduler; test_cluster.py has one",
    r"python klaster\.py &|sleep 60|export JUDUL_SCHEDULER=.*|kill %1": "needs SLURM",
    r"docker .*": "needs Docker; test_deploy.py follows the steps of the image",
    r"gh attestation verify .*": "needs GitHub and a published image",
    r"curl .*": "needs a server; test_interface_examples.py has one",
    r"judul archive harvest .*": "needs a repository; test_harvest.py has one",
    r"export JUDUL_DATABASE_URL=.*": "needs that server; test_usage_log.py has one",
}
# Exit status 1 is a finding here: code that is not committed yet, or no audit trail.
MAY_RETURN_1 = ("monitor --once", "govern calendar", "govern check", "govern verify")
# Files that a reader has before the first command.
INPUT_FILES = [
    "usulan.csv", "katalog.csv", "arsip.csv", "data/katalog.csv", "data/arsip_informatika.csv",
]  # fmt: skip


def read_document(name):
    return (PROJECT / name).read_text(encoding="utf-8")


def code_blocks(name):
    """Return the code blocks of a document as (language, text)."""
    return re.findall(r"^```(\w*)\n(.*?)^```", read_document(name), re.MULTILINE | re.DOTALL)


def split_commands(block):
    """Yield the commands of a block, without comments and the times of cron lines."""
    for line in block.replace("\\\n", " ").splitlines():
        line = re.sub(r"^(?:[\d*/]+\s+){5}", "", re.sub(r"(^|\s+)#.*", "", line)).strip()
        if line:
            yield re.sub(r"\s+", " ", line)


def all_commands():
    return [
        (name, command)
        for name in DOCUMENTS
        for language, block in code_blocks(name)
        if language in {"sh", ""}
        for command in split_commands(block)
    ]


def is_run(command):
    return not any(re.fullmatch(pattern, command) for pattern in NOT_RUN)


def prose(name):
    return re.sub(r"^```.*?^```", "", read_document(name), flags=re.MULTILINE | re.DOTALL)


def code_spans(name):
    """Return the inline code of a document."""
    return re.findall(r"`([^`\n]+)`", prose(name))


@pytest.fixture
def project_copy(tmp_path, monkeypatch):
    """Copy the tracked files to the current folder of the test, and log answers there."""
    for name in TRACKED:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, target)
    for name in INPUT_FILES:
        pd.read_csv(DATA).head(40).to_csv(tmp_path / name, index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDUL_LOG", "true")
    with opened_database(sqlite_url(tmp_path / "outputs" / "logs")):
        pass  # The page creates it when it starts.
    return tmp_path


def run_command(words):
    program, *arguments = words
    assert program in {"judul", ".venv/bin/judul"}, f"{shlex.join(words)}: run it here or add a reason"
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    command = shlex.join(arguments)
    statuses = {None, 0, 1} if command.startswith(MAY_RETURN_1) else {None, 0}
    assert result.return_value in statuses, command


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "README.id.md"])
def test_code_of_documents_runs(name, project_copy):
    for language, block in code_blocks(name):
        if language in {"sh", ""}:
            for command in filter(is_run, split_commands(block)):
                run_command(shlex.split(command))
        elif language == "python":
            code = compile(block, name, "exec")
            if "SLURM" not in block:
                exec(code, {"__name__": "__main__"})
        elif language == "toml":
            assert set(tomllib.loads(block)) == {"corpora"}
            (project_copy / "judul.toml").write_text(block)
            assert load_config().corpora
        elif language == "json":
            json.loads(block)
        elif language == "yaml":
            assert set(yaml.safe_load(block)) == {"distributed"}
        else:
            assert language == "mermaid"


def test_both_readmes_show_the_same_code():
    english, indonesian = (
        [re.sub(r"\s*#.*", "", block) for _, block in code_blocks(name)]
        for name in ("README.md", "README.id.md")
    )
    assert len(english) >= 3
    assert english == indonesian


def test_every_exception_matches_a_documented_command():
    commands = [command for _, command in all_commands()]
    assert len(commands) > 60
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, command) for command in commands), pattern


def dry_run(command):
    """Return the variables and arguments of the `judul` command that make would run, or None."""
    process = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", *shlex.split(command)[1:]],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, (command, process.stderr)
    match = re.fullmatch(r"(.*?)\S+/judul (.*)", process.stdout.splitlines()[-1])
    if match is None:
        return None
    return dict(word.split("=", 1) for word in shlex.split(match[1])), shlex.split(match[2])


def test_make_commands_are_valid():
    commands = {command for _, command in all_commands() if command.startswith("make ")}
    commands |= {span for name in DOCUMENTS for span in code_spans(name) if re.match("make [a-z]", span)}
    assert len(commands) > 10
    notebooks = [nbformat.read(path, 4) for path in (PROJECT / "notebooks").glob("*.ipynb")]
    parameters = {PROFILE_PARAMETER}.union(*map(parameter_names, notebooks))
    runs = [run for command in sorted(commands) if (run := dry_run(command))]
    assert len(runs) > 5
    for _, words in runs:
        assert_valid(words)
        assert {words[k + 1] for k, word in enumerate(words) if word == "-p"} <= parameters


@pytest.mark.parametrize(
    "command",
    [
        command
        for name, command in all_commands()
        if name in {"README.md", "docs/commands.md"} and command.startswith("make app")
    ],
)
def test_documented_command_serves_the_page(command, project_copy, tmp_path):
    environment, words = dry_run(command)
    port, host = str(free_port()), "localhost"
    if "--port" in words:
        words[words.index("--port") + 1] = port
    if "--host" in words:  # Needs a token like other addresses, but is reached from this machine only.
        words[words.index("--host") + 1] = host = "127.0.0.2"
    environment |= {"JUDUL_PORT": port, "JUDUL_READY_KERNELS": "0", "PYTHONPATH": str(PROJECT)}
    log = tmp_path / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "judul_lib", *words], env={**os.environ, **environment}, stderr=stream
        )
    try:
        assert fetch(f"http://{host}:{port}/health", server) == b'{"status":"ok"}'
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert ("dengan token" in log.read_text()) == ("TOKEN=" in command)


def fetch(url, server):
    """Return the body of the response, as soon as the server answers."""
    for _ in range(900):
        assert server.poll() is None
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(url)


def assert_valid(words):
    """Check that `judul` has this command with these options."""
    command, arguments = cli, list(words)
    while isinstance(command, Group) and arguments and not arguments[0].startswith("-"):
        assert arguments[0] in command.commands, words
        command = command.commands[arguments.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in arguments if word.startswith("--")} <= options, words


def test_every_command_in_a_sentence_is_valid():
    spans = [span.removeprefix(".venv/bin/").split() for name in DOCUMENTS for span in code_spans(name)]
    commands = [words[1:] for words in spans if words[0] == "judul" and len(words) > 1]
    assert len(commands) > 10
    for words in commands:
        assert_valid(words)


def heading_anchors(path):
    """Return the anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", read_document(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_local_link_has_a_target(name):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", prose(name))
    for path, anchor in links:
        target = Path(os.path.normpath(Path(name).parent / path)) if path else Path(name)
        assert (PROJECT / target).exists(), path
        assert not anchor or anchor in heading_anchors(target), (path, anchor)


@cache
def all_identifiers():
    code = [path for path in TRACKED if not path.endswith((".md", ".ipynb", ".npz", ".joblib", ".png"))]
    words = re.findall(r"\w+", "\n".join(map(read_document, code)))
    return {*words, *(Path(path).stem for path in TRACKED)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_and_identifier_in_a_document_exists(name):
    folders = {path.split("/")[0] for path in TRACKED if "/" in path} - {"outputs", "reports"}
    spans = code_spans(name)
    paths = [span for span in spans if span.split("/")[0] in folders and re.fullmatch(r"[\w/.-]+", span)]
    assert [path for path in paths if not (PROJECT / path).exists() and "NN_name" not in path] == []
    words = re.findall(r"\w+", " ".join(span for span in spans if re.fullmatch(r"[\w.:]+", span)))
    named = {word for word in words if "_" in word.strip("_") or re.search(r"[a-z][A-Z]", word)}
    assert named <= all_identifiers()


@pytest.mark.parametrize("name", ["README.md", "README.id.md"])
def test_readme_lists_every_notebook(name):
    notebooks = [path for path in TRACKED if re.fullmatch(r"notebooks/.*\.ipynb", path)]
    assert [path for path in notebooks if f"]({path}) |" not in read_document(name)] == []


def test_contributing_lists_every_package_once():
    packages = re.findall(r"^\| `(\w+)/` \|", read_document("CONTRIBUTING.md"), re.MULTILINE)
    config = tomllib.loads(read_document("pyproject.toml"))
    assert packages == config["tool"]["importlinter"]["contracts"][0]["layers"][::-1]
