"""What docs/security.md promises: its tests are there, and nothing that is written holds a secret."""

import re
import subprocess
import sys

from judul_lib.registry import load_model
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
TITLE = "Deteksi Kantuk Pengemudi Truk Tambang dengan YOLO"


def rows():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_threat_has_a_test_that_is_there():
    assert len(rows()) >= 15
    for _, threat, answer, tests in rows():
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", tests)
        assert named, threat
        assert answer
        for file, name in named:
            assert f"\ndef {name}(" in (PROJECT / "tests" / file).read_text(), (threat, file, name)


def test_no_secret_is_in_what_is_written(tmp_path):
    token, user = "kata-rahasia-12", "siti-aminah"
    done = subprocess.run(
        [sys.executable, "-m", "judul_lib", "check", TITLE, "--model", "light"],
        cwd=PROJECT, capture_output=True, check=True,
        env={
            "PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "USER": user, "LOGNAME": user,
            "JUDUL_TOKEN": token, "JUDUL_MODELS": str(PROJECT / "outputs"),
            "JUDUL_DATABASE_URL": f"sqlite:///{tmp_path / 'judul.db'}", "JUDUL_LOG": "true",
            "JUDUL_LOG_KEY": "0f" * 32,
        },
    )  # fmt: skip
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (tmp_path / "judul.db") in written
    known = load_model(PROJECT / "outputs" / "light").titles[0]
    for content in (done.stderr, *(path.read_bytes() for path in written)):
        for secret in (token, user, TITLE, known, "0f" * 32):
            assert secret.encode() not in content


def test_what_git_tracks_holds_no_key_and_no_log():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(tracked) > 100
    assert not [name for name in tracked if name.endswith((".key", ".db", ".pem", ".env", ".jsonl"))]
    assert not [name for name in tracked if name.startswith(("outputs/logs", "outputs/labels"))]
