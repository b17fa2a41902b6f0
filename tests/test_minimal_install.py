"""The smallest install, in its own environment: checks work, and other commands name their extra."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT, assert_refused, judul_process

pytestmark = pytest.mark.slow
TITLE = "Deteksi Hoaks Politik Menggunakan Metode LSTM"


@pytest.fixture(scope="module")
def minimal(tmp_path_factory):
    """Return a function that runs `judul` in an environment with nothing but the core dependencies."""
    folder = tmp_path_factory.mktemp("minimal")
    python = folder / "env" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, folder / "env"], check=True)
    subprocess.run(
        [
            *uv, "pip", "install", "-q", "--python", python, "-c", "requirements.lock",
            # Its cache would give back a package built before the last change of a module.
            "--refresh-package", "judul-lib", ".",
        ],
        cwd=PROJECT, check=True,
    )  # fmt: skip
    for model in ("light", "structured"):
        shutil.copytree(PROJECT / "outputs" / model, folder / "outputs" / model)
    (folder / "judul.toml").write_text('models = "outputs"\nlog = true\n')
    (folder / "titles.csv").write_text(f"Judul\n{TITLE}\nPrediksi Harga Beras di Kota Medan\n")
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "JUDUL_LOG"}}

    def run(*arguments):
        return subprocess.run(
            [python, "-m", "judul_lib", *arguments],
            cwd=folder, env=kept, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("model", ["light", "structured"])
def test_it_answers_as_the_full_install_does(minimal, model):
    arguments = ["check", TITLE, "--model", model, "--format", "json"]
    answer = minimal(*arguments)
    assert answer.returncode == 0, answer.stderr
    full = judul_process(*arguments)
    assert full.returncode == 0, full.stderr
    assert json.loads(answer.stdout) == json.loads(full.stdout)


@pytest.mark.parametrize(
    "command",
    [
        ["check", "--file", "titles.csv", "--output", "answers.csv"],
        ["index", "build", "titles.csv", "index"],
        ["dedup", "titles.csv", "--output", "pairs.csv"],
        ["models", "list"],
        ["govern", "audit"],
    ],
    ids=" ".join,
)
def test_the_command_needs_no_extra(minimal, command):
    done = minimal(*command)
    assert done.returncode == 0, done.stderr


def test_the_log_is_read_without_an_extra(minimal):
    assert minimal("check", TITLE, "--model", "light").returncode == 0
    done = minimal("monitor")
    assert done.returncode == 0, done.stderr
    assert re.search(r"pemeriksaan +[1-9]", done.stdout)


@pytest.mark.parametrize(
    ("command", "extra"),
    [(["app"], "app"), (["run"], "notebooks"), (["retrain"], "train")],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_the_command_names_the_extra_that_it_needs(minimal, command, extra):
    done = minimal(*command)
    assert done.returncode == 1
    assert_refused(done, f"judul-lib[{extra}]")
