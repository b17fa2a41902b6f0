"""What can be checked of a deployment without Docker, systemd and a domain."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.conftest import PROJECT
from tests.web.test_page_browser import free_port

INSTRUCTION = re.compile(r"^([A-Z]+) +((?:.*\\\n)*.*)$", re.MULTILINE)


def instructions():
    text = (PROJECT / "Dockerfile").read_text()
    return [(name, body.replace("\\\n", " ").strip()) for name, body in INSTRUCTION.findall(text)]


def assignments(body):
    return dict(part.split("=", 1) for part in shlex.split(body))


@pytest.mark.slow
def test_the_steps_of_the_image_lead_to_a_healthy_page(tmp_path):
    root, environment, commands = tmp_path / "app", {}, {}
    root.mkdir()
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("JUDUL_", "PYTHON"))}
    plain["PIP_NO_COMPILE"] = "1"  # Compiling everything ahead takes most of the time.

    def run(command, **more):
        path = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
        return {"args": command, "cwd": root, "env": {**plain, **environment, **path, **more}}

    for name, body in instructions():
        if name == "ENV":
            given = assignments(body).items()
            environment |= {key: value.replace("/app", str(root)) for key, value in given}
            environment.pop("PIP_NO_CACHE_DIR", None)  # What is here need not come again.
        elif name == "COPY":
            *sources, target = body.split()
            for source in sources:
                goal = root / target / (source.rsplit("/")[-1] if target.endswith("/") else "")
                if (PROJECT / source).is_dir():
                    shutil.copytree(
                        PROJECT / source, root / target, ignore=shutil.ignore_patterns("__py*")
                    )
                else:
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(PROJECT / source, goal)
        elif name == "RUN" and "useradd" not in body:
            result = subprocess.run(
                **run(["sh", "-ec", body]), capture_output=True, text=True, check=False
            )
            if "ConnectionError" in result.stderr or "No matching distribution" in result.stderr:
                pytest.skip("no package index can be reached from here")
            assert result.returncode == 0, result.stderr[-2000:]
        elif name in {"CMD", "HEALTHCHECK"}:
            commands[name] = body
    port = free_port()
    place = {"JUDUL_HOST": "localhost", "JUDUL_PORT": str(port)}
    refused = subprocess.run(
        **run(json.loads(commands["CMD"])), capture_output=True, text=True, check=False
    )
    assert "dilindungi token" in refused.stderr
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        **run(json.loads(commands["CMD"]), JUDUL_TOKEN="rahasia", HOME="/dev/null/x", **place),
        stdout=log,
        stderr=log,
    )
    try:
        health = ["sh", "-c", commands["HEALTHCHECK"].split(" CMD ")[1]]
        for _ in range(100):
            if subprocess.run(**run(health, **place), capture_output=True, check=False).returncode == 0:
                break
            assert server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.2)
        page = urllib.request.urlopen(f"http://localhost:{port}/?token=rahasia").read().decode()
        assert "Menyiapkan halaman" in page
        assert "vnd.jupyter.widget-view+json" in page
        assert "error" not in (tmp_path / "log").read_text().lower()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def test_the_image_runs_as_nobody_special_and_can_be_asked_for_its_health():
    names = [name for name, _ in instructions()]
    assert dict(instructions())["USER"] not in {"root", "0"}
    assert names.index("USER") < names.index("CMD")
    assert "HEALTHCHECK" in names
    assert ("EXPOSE", "8866") in instructions()
    assert dict(instructions())["FROM"].endswith("-slim")


def test_the_image_gets_the_versions_that_the_tests_ran_with():
    def pins(name):
        text = (PROJECT / name).read_text()
        return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, re.MULTILINE))

    app, everything = pins("requirements-app.lock"), pins("requirements.lock")
    assert app.items() <= everything.items()
    assert "voila" in app
    assert not {"pytest", "mypy", "playwright", "uv"} & set(app)


def test_what_the_image_copies_is_not_left_out_of_its_context():
    kept = (PROJECT / ".dockerignore").read_text().split()
    for name, body in instructions():
        if name == "COPY":
            assert all(f"!{source}" in kept for source in body.split()[:-1]), body


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
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    command = [nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "syntax is ok" in checked.stderr, checked.stderr
