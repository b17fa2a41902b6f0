"""The page in a process of its own, as `judul app` serves it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from tests.conftest import PROJECT


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(models, *, log, program=("-m", "judul_lib"), **environment):
    """Run ``judul app`` in another process; yield its address."""
    port = free_port()
    variables = {**os.environ, "JUDUL_LOG": "true", "JUDUL_MODELS": str(models), **environment}
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, *program, "app", "--port", str(port)],
            cwd=PROJECT, env=variables, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    url = f"http://localhost:{port}"
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{url}/health") as answer:
                    assert json.load(answer) == {"status": "ok"}
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
