"""What the documents say is true: commands run, links lead somewhere, what is named is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from click import Group
from click.testing import CliRunner

from judul_lib.cli.main import cli
from judul_lib.core.config import load_config
from judul_lib.reports.runner import parameter_names
from judul_lib.usage.database import opened_database, sqlite_url
from tests.conftest import DATA, PROJECT
from tests.web.test_page_browser import free_port

TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
).stdout.splitlines()
DOCUMENTS = ["README.md", "README.id.md", "CONTRIBUTING.md", "data/README.md"]
DOCUMENTS += [name for name in TRACKED if re.fullmatch(r"docs/\w+\.md", name)]
# Commands of the documents that are not run here, and why; those of make are tried with --dry-run.
NOT_RUN = {
    r"make install": "made the environment that runs this",
    r"make (lint|test|test-slow)": "runs beside this, or runs this",
    r"make run.*": "takes minutes; the fixture finished_run does it",
    r"make app.*": "test_the_page_is_served_as_the_documents_say does it",
    r"pip install .*": "changes the environment",
    r"dask (scheduler|worker) .*": "test_cluster.py does it on this machine",
    r"judul dedup .* --scheduler tcp://10\.0\.0\.1:8786": "needs it; test_cluster.py has one",
    r"python klaster\.py &|sleep 60|export JUDUL_SCHEDULER=.*|kill %1": "needs SLURM",
    r"docker .*": "needs Docker; test_deploy.py does the steps of the image",
    r"export JUDUL_DATABASE_URL=.*": "needs that server; test_usage_log.py has one",
}
# Their status of 1 says that there is something to look at: code that is not committed yet, or an
# audit trail that nobody has begun.
MAY_SAY_1 = ("monitor --once", "govern calendar", "govern check", "govern verify")
# What a reader has before the first command.
GIVEN = ["usulan.csv", "katalog.csv", "arsip.csv", "data/katalog.csv", "data/arsip_informatika.csv"]


def text_of(name):
    return (PROJECT / name).read_text(encoding="utf-8")


def blocks(name):
    """The code blocks of a document, with their languages; lines of cron are commands too."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text_of(name), re.MULTILINE | re.DOTALL)


def commands(block):
    for line in block.replace("\\\n", " ").splitlines():
        line = re.sub(r"^(?:[\d*/]+\s+){5}", "", re.sub(r"(^|\s+)#.*", "", line)).strip()
        if line:
            yield re.sub(r"\s+", " ", line)


def all_commands():
    return [
        (name, command)
        for name in DOCUMENTS
        for language, block in blocks(name)
        if language in {"sh", ""}
        for command in commands(block)
    ]


def reason(command):
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, command)), None)


def prose(name):
    return re.sub(r"^```.*?^```", "", text_of(name), flags=re.MULTILINE | re.DOTALL)


def spans(name):
    """What a document shows as code within its sentences."""
    return re.findall(r"`([^`\n]+)`", prose(name))


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """What Git tracks in another folder, in which we are; answers are logged there."""
    for name in TRACKED:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, target)
    for name in GIVEN:
        pd.read_csv(DATA).head(40).to_csv(tmp_path / name, index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDUL_LOG", "true")
    with opened_database(sqlite_url(tmp_path / "outputs" / "logs")):
        pass  # As a page that runs has begun it.
    return tmp_path


def run_command(words):
    program, *arguments = words
    assert program in {"judul", ".venv/bin/judul"}, f"{shlex.join(words)}: run it here, or say why not"
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    shown = shlex.join(arguments)
    assert done.return_value in ({None, 0, 1} if shown.startswith(MAY_SAY_1) else {None, 0}), shown


# The commands of README.id.md are those of README.md: test_project.py.
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "README.id.md"])
def test_what_a_document_shows_runs(name, copy):
    for language, block in blocks(name):
        if language in {"sh", ""}:
            for command in commands(block):
                if not reason(command):
                    run_command(shlex.split(command))
        elif language == "python":
            code = compile(block, name, "exec")
            if "SLURM" not in block:
                exec(code, {"__name__": "__main__"})
        elif language == "toml":
            assert set(tomllib.loads(block)) == {"corpora"}
            (copy / "judul.toml").write_text(block)
            assert load_config().corpora
        elif language == "yaml":
            assert set(yaml.safe_load(block)) == {"distributed"}
        else:
            assert language == "mermaid"


def test_what_is_not_run_is_still_in_a_document():
    shown = [command for _, command in all_commands()]
    assert len(shown) > 60
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, command) for command in shown), pattern


def made(command):
    """The variables and words of the `judul` command that make would run; None where it runs none."""
    dry = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", *shlex.split(command)[1:]],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert dry.returncode == 0, (command, dry.stderr)
    found = re.fullmatch(r"(.*?)\S+/judul (.*)", dry.stdout.splitlines()[-1])
    if found is None:
        return None
    return dict(word.split("=", 1) for word in shlex.split(found[1])), shlex.split(found[2])


def test_make_knows_its_commands():
    shown = {command for _, command in all_commands() if command.startswith("make ")}
    shown |= {span for name in DOCUMENTS for span in spans(name) if re.match(r"make [a-z]", span)}
    assert len(shown) > 10
    notebooks = [nbformat.read(path, 4) for path in (PROJECT / "notebooks").glob("*.ipynb")]
    parameters = set().union(*map(parameter_names, notebooks))
    runs = [run for command in sorted(shown) if (run := made(command))]
    assert len(runs) > 5
    for _, words in runs:
        assert_known(words)
        assert {words[k + 1] for k, word in enumerate(words) if word == "-p"} <= parameters


@pytest.mark.parametrize(
    "command",
    [
        command
        for name, command in all_commands()
        if name in {"README.md", "docs/commands.md"} and command.startswith("make app")
    ],
)
def test_the_page_is_served_as_the_documents_say(command, copy, tmp_path):
    environment, words = made(command)
    port, host = str(free_port()), "localhost"
    if "--port" in words:
        words[words.index("--port") + 1] = port
    if "--host" in words:  # Asks for a token too, and is reached from this machine only.
        words[words.index("--host") + 1] = host = "127.0.0.2"
    environment |= {"JUDUL_PORT": port, "JUDUL_READY_KERNELS": "0", "PYTHONPATH": str(PROJECT)}
    with (tmp_path / "said").open("w") as said:
        page = subprocess.Popen(
            [sys.executable, "-m", "judul_lib", *words], env={**os.environ, **environment}, stderr=said
        )
    try:
        assert answer(f"http://{host}:{port}/health", page) == b'{"status": "ok"}'
    finally:
        page.terminate()
        page.wait(timeout=30)
    assert ("dengan token" in (tmp_path / "said").read_text()) == ("TOKEN=" in command)


def answer(url, process):
    for _ in range(900):
        assert process.poll() is None
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(url)


def assert_known(words):
    """Such a command of `judul` is there, with these options."""
    command, rest = cli, list(words)
    while isinstance(command, Group) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, words
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= {*known, "--help"}, words


def test_every_command_that_a_sentence_names_is_there():
    named = [span.removeprefix(".venv/bin/").split() for name in DOCUMENTS for span in spans(name)]
    named = [words[1:] for words in named if words[0] == "judul" and len(words) > 1]
    assert len(named) > 10
    for words in named:
        assert_known(words)


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", prose(name))
    for path, anchor in links:
        target = Path(os.path.normpath(Path(name).parent / path)) if path else Path(name)
        assert (PROJECT / target).exists(), path
        assert not anchor or anchor in anchors(target), (path, anchor)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_names_is_there(name):
    code = [path for path in TRACKED if not path.endswith((".md", ".ipynb", ".npz", ".joblib", ".png"))]
    known = set(re.findall(r"\w+", "\n".join(map(text_of, code)))) | {Path(p).stem for p in TRACKED}
    tops = {path.split("/")[0] for path in TRACKED if "/" in path} - {"outputs", "reports"}
    named = spans(name)
    paths = [span for span in named if span.split("/")[0] in tops and re.fullmatch(r"[\w/.-]+", span)]
    assert [path for path in paths if not (PROJECT / path).exists() and "NN_name" not in path] == []
    words = re.findall(r"\w+", " ".join(span for span in named if re.fullmatch(r"[\w.:]+", span)))
    assert {word for word in words if "_" in word.strip("_") or re.search(r"[a-z][A-Z]", word)} <= known


@pytest.mark.parametrize("name", ["README.md", "README.id.md"])
def test_every_notebook_is_in_the_readme(name):
    notebooks = [path for path in TRACKED if re.fullmatch(r"notebooks/.*\.ipynb", path)]
    assert [path for path in notebooks if f"]({path}) |" not in text_of(name)] == []


def test_contributing_tells_of_every_package_once():
    told = re.findall(r"^\| `(\w+)/` \|", text_of("CONTRIBUTING.md"), re.MULTILINE)
    layers = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]
    assert told == layers[::-1]
