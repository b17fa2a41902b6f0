import io
import os
import pty
import shlex
import shutil
import sys
import time
from subprocess import PIPE, Popen

import click
import pytest

from judul_lib.cli.main import cli
from judul_lib.governance import accounts, api_keys
from judul_lib.usage.database import opened_database, sqlite_url
from tests.conftest import PROJECT, assert_refused, judul, judul_process

PASSWORD, OTHER = "kopi tubruk 7", "teh poci manis"


@pytest.fixture
def models(tmp_path):
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "outputs" / "light")
    return tmp_path / "outputs"


@pytest.fixture
def run(models, monkeypatch):
    """Run a command with a text on standard input."""

    def run(line, text=""):
        stdin = io.TextIOWrapper(io.BytesIO(text if isinstance(text, bytes) else text.encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        return judul(*shlex.split(line), "--models", models)

    return run


@pytest.fixture
def log(models):
    """Return what a function says of the log's database."""

    def ask(function, *arguments):
        with opened_database(sqlite_url(models / "logs")) as engine:
            return function(engine, *arguments)

    return ask


def test_first_user_creates_the_log(run, log):
    done = run("users add siti --role pemeriksa --password-stdin", f"{PASSWORD}\r\nbaris lain\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Pengguna siti ditambahkan sebagai pemeriksa.\n"
    assert log(accounts.verify, "siti", PASSWORD).role == "pemeriksa"


def test_life_of_a_user(run, log):
    add = "users add {} --role {} --password-stdin"
    assert run(add.format("siti", "pemeriksa"), PASSWORD).returncode == 0
    assert run(add.format("budi", "pengelola"), PASSWORD).returncode == 0
    listed = run("users list").stdout
    assert listed.index("budi") < listed.index("siti")
    assert "pengelola" in listed
    assert "argon2" not in listed
    assert run("users role siti --role pengelola").stdout == "Pengguna siti sekarang pengelola.\n"
    assert run("users password siti --password-stdin", OTHER).stdout == "Kata sandi siti diganti.\n"
    assert log(accounts.verify, "siti", PASSWORD) is None
    assert log(accounts.verify, "siti", OTHER).role == "pengelola"
    done = run("users remove siti")
    assert (done.stdout, done.stderr) == ("Pengguna siti dihapus.\n", "")
    assert run("users remove budi").stderr == "Tidak ada lagi pengguna.\n"
    assert "Belum ada pengguna" in run("users list").stdout
    assert "Jejak audit utuh: 6 baris." in run("govern verify").stdout
    assert PASSWORD not in (trail := run("govern audit").stdout)
    assert trail.count("pengguna") == 6


@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        ("users add Siti --role pemeriksa --password-stdin", PASSWORD, ["siti.aminah"]),
        ("users add siti --role pemeriksa --password-stdin", "pendek", ["10 sampai"]),
        ("users add siti --role pemeriksa --password-stdin", "", ["10 sampai"]),
        ("users add siti --role pemeriksa --password-stdin", b"\xff" * 12, ["UTF-8"]),
        ("users add siti --role pemeriksa", PASSWORD, ["--password-stdin"]),
        ("users list", "", ["log"]),
        ("keys revoke siakad", "", ["log"]),
        ("keys add Siakad", "", ["siti.aminah"]),
    ],
)
def test_mistakes_are_explained_in_one_line(run, line, text, words):
    assert_refused(run(line, text), *words)


def test_unknown_users_and_keys_are_named(run):
    assert run("users add siti --role pemeriksa --password-stdin", PASSWORD).returncode == 0
    assert_refused(run("users add siti --role pengelola --password-stdin", OTHER), "sudah ada")
    assert_refused(run("users password joko --password-stdin", OTHER), "joko", "users list")
    assert_refused(run("users role joko --role pengelola"), "joko")
    assert_refused(run("users remove joko"), "joko")
    assert_refused(run("keys revoke siakad"), "siakad", "keys list")


def test_password_cannot_be_given_on_the_command_line(run, log):
    """Other users of the machine see command lines in the list of processes."""

    def parameters(command):
        if isinstance(command, click.Group):
            return [name for sub in command.commands.values() for name in parameters(sub)]
        return [
            (command.name, param.name) for param in command.params
            if "password" in param.name and not getattr(param, "is_flag", False)
        ]  # fmt: skip

    assert parameters(cli) == []
    for words in (f"'{PASSWORD}'", f"--password '{PASSWORD}'", f"--password-stdin='{PASSWORD}'"):
        done = run(f"users add siti --role pemeriksa {words}")
        assert done.returncode == 2
    assert run("users add siti --role pemeriksa --password-stdin", PASSWORD).returncode == 0
    assert log(accounts.verify, "siti", PASSWORD)


def type_at_terminal(models, *typed):
    """Add a user at a terminal; return the exit status and what the terminal shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "judul_lib", "users", "add", "siti", "--role", "pengelola"]
    process = Popen(
        [*command, "--models", models], stdin=theirs, stdout=theirs, stderr=theirs, cwd=PROJECT,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    for k, line in enumerate((*typed, None), 1):
        while line is None or shown.lower().count(b"kata sandi: ") < k:
            try:
                if not (part := os.read(ours, 1_000)):
                    break
            except OSError:  # The other side is closed.
                break
            shown += part
        if line is not None:
            time.sleep(0.2)  # Echo is switched off before the prompt, input flushed after it.
            os.write(ours, f"{line}\n".encode())
    os.close(ours)
    return process.wait(60), shown.decode()


@pytest.mark.parametrize("second", [PASSWORD, OTHER])
def test_password_is_asked_twice_at_a_terminal_and_not_shown(models, log, second):
    status, shown = type_at_terminal(models, PASSWORD, second)
    assert PASSWORD not in shown
    assert OTHER not in shown
    if second == PASSWORD:
        assert status == 0, shown
        assert log(accounts.verify, "siti", PASSWORD).role == "pengelola"
    else:
        assert status == 1
        assert "Kedua kata sandi itu berbeda" in shown
        assert not log(accounts.has_users)


def test_key_is_printed_once_and_alone_on_standard_output(run, log):
    done = run("keys add siakad --scope periksa --scope arsip")
    assert done.returncode == 0, done.stderr
    plain = done.stdout.strip()
    assert "Simpan kunci siakad" in done.stderr
    assert plain not in done.stderr
    assert log(api_keys.verify_key, plain).scopes == ("periksa", "arsip")
    listed = run("keys list").stdout
    assert plain[:12] in listed
    assert plain not in listed
    assert "periksa, arsip" in listed
    assert plain not in run("govern audit").stdout
    assert run("keys revoke siakad").stdout == "Kunci siakad dicabut.\n"
    assert log(api_keys.verify_key, plain) is None
    assert_refused(run("keys add siakad"), "siakad-2")


def test_scope_is_to_check_unless_another_is_given(run, log):
    assert run("users add siti --role pemeriksa --password-stdin", PASSWORD).returncode == 0
    assert "Belum ada kunci" in run("keys list").stdout
    plain = run("keys add siakad").stdout.strip()
    assert log(api_keys.verify_key, plain).scopes == ("periksa",)
    assert run("keys add lain --scope semua").returncode == 2


def test_first_user_needs_models(tmp_path):
    process = Popen(
        [sys.executable, "-m", "judul_lib", "users", "add", "siti", "--role", "pemeriksa",
         "--password-stdin", "--models", tmp_path / "kosong"],
        stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, cwd=PROJECT,
    )  # fmt: skip
    _, error = process.communicate(PASSWORD)
    assert process.returncode == 1
    assert error.startswith("Galat: ")
    assert not (tmp_path / "kosong").exists()


def test_help_is_indonesian():
    for group in ("users", "keys"):
        done = judul_process(group, "--help")
        assert done.returncode == 0
        assert "Perintah:" in done.stdout
