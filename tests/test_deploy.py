"""Deployment files, as far as they can be checked without Docker, systemd and a domain."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.page_process import free_port

INSTRUCTION = re.compile(r"^([A-Z]+) +((?:.*\\\n)*.*)$", re.MULTILINE)


def instructions():
    text = (PROJECT / "Dockerfile").read_text()
    return [(name, body.replace("\\\n", " ").strip()) for name, body in INSTRUCTION.findall(text)]


@pytest.mark.slow
def test_steps_of_the_image_lead_to_a_healthy_page(tmp_path):
    root, environment, commands = tmp_path / "app", {}, {}
    root.mkdir()
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("JUDUL_", "PYTHON"))}
    outside["PIP_NO_COMPILE"] = "1"  # Compiling takes most of the time.

    def options(command, **variables):
        """Return the arguments of a process in the image."""
        path = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
        return {"args": command, "cwd": root, "env": {**outside, **environment, **path, **variables}}

    def run(command, **variables):
        return subprocess.run(
            **options(command, **variables), capture_output=True, text=True, check=False
        )

    for name, body in instructions():
        if name == "ENV":
            assignments = dict(part.split("=", 1) for part in shlex.split(body))
            environment |= {key: value.replace("/app", str(root)) for key, value in assignments.items()}
            environment.pop("PIP_NO_CACHE_DIR", None)  # Do not download packages again.
        elif name == "COPY":
            *sources, target = body.split()
            for source in sources:
                if (PROJECT / source).is_dir():
                    shutil.copytree(
                        PROJECT / source, root / target, ignore=shutil.ignore_patterns("__py*")
                    )
                else:
                    path = root / target / (Path(source).name if target.endswith("/") else "")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(PROJECT / source, path)
        elif name == "RUN" and "useradd" not in body:
            result = run(["sh", "-ec", body])
            if "ConnectionError" in result.stderr or "No matching distribution" in result.stderr:
                pytest.skip("no package index can be reached from here")
            assert result.returncode == 0, result.stderr[-2000:]
        elif name in {"CMD", "HEALTHCHECK"}:
            commands[name] = body
    port = free_port()
    address = {"JUDUL_HOST": "localhost", "JUDUL_PORT": str(port)}
    command = json.loads(commands["CMD"])
    assert "harus dilindungi" in run(command).stderr
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        **options(command, JUDUL_TOKEN="rahasia", HOME="/dev/null/x", **address),
        stdout=log,
        stderr=log,
    )
    try:
        health_check = ["sh", "-c", commands["HEALTHCHECK"].split(" CMD ")[1]]
        for _ in range(100):
            if run(health_check, **address).returncode == 0:
                break
            assert server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.2)
        body = urllib.parse.urlencode({"token": "rahasia", "ke": "/"}).encode()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(f"http://localhost:{port}/masuk", body).read().decode()
        assert '<textarea id="judul"' in page
        assert "error" not in (tmp_path / "log").read_text().lower()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def test_image_runs_without_root_and_has_a_health_check():
    names, bodies = [name for name, _ in instructions()], dict(instructions())
    assert bodies["USER"] not in {"root", "0"}
    assert names.index("USER") < names.index("CMD")
    assert "HEALTHCHECK" in names
    assert ("EXPOSE", "8866") in instructions()
    assert bodies["FROM"].endswith("-slim")


def test_image_installs_the_tested_versions():
    def pins(name):
        text = (PROJECT / name).read_text()
        return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, re.MULTILINE))

    app, development = pins("requirements-app.lock"), pins("requirements.lock")
    assert app.items() <= development.items()
    assert "uvicorn" in app
    assert not {"jupyterlab", "plotly", "pytest", "mypy", "playwright", "uv"} & set(app)


def test_everything_the_image_copies_is_in_its_build_context():
    included = (PROJECT / ".dockerignore").read_text().split()
    for name, body in instructions():
        if name == "COPY":
            assert all(f"!{source}" in included for source in body.split()[:-1]), body


def test_nginx_accepts_its_configuration(tmp_path):
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("no nginx here: install Debian's package 'nginx-light' to check docs/nginx.conf")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=judul",
         "-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    site = (PROJECT / "docs" / "nginx.conf").read_text().replace("/etc/ssl/judul", str(tmp_path))
    (tmp_path / "site.conf").write_text(site)
    config = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include site.conf; }}"
    (tmp_path / "nginx.conf").write_text(config)
    command = [nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "syntax is ok" in process.stderr, process.stderr
