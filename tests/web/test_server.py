"""The page's processes: real ones on loopback, killed, stopped and kept busy."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from judul_lib.core.config import Config, load_config
from judul_lib.core.errors import ConfigError, ServeError
from judul_lib.web.server import check_config
from tests.conftest import PROJECT

TITLE = "Sistem Pakar Diagnosis Penyakit Padi"
PROGRAM = """
import sys
from judul_lib.core.config import load_config
from judul_lib.web import connections, server
connections.REQUEST_SECONDS = float(sys.argv[2])
server.serve(load_config(port=int(sys.argv[1]), workers=2, log="false"))
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read(url, *, title=None, timeout=20, **headers):
    body = None if title is None else urllib.parse.urlencode({"judul": title}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=timeout) as answer:
        return answer.read().decode()


def wait_for(is_true):
    for _ in range(200):
        if is_true():
            return
        time.sleep(0.1)
    pytest.fail("waited in vain")


def workers_of(supervisor):
    """Return the processes that answer; the first child runs the jobs."""
    return sorted(supervisor.children(), key=lambda child: child.pid)[1:]


def is_up(url):
    try:
        return "ok" in read(f"{url}/health")
    except OSError:
        return False


@contextmanager
def serving(request_seconds=15.0):
    """Serve with two workers; yield the address and the supervisor."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port), str(request_seconds)], cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, start_new_session=True,
    )  # fmt: skip
    supervisor = psutil.Process(process.pid)
    try:
        wait_for(lambda: process.poll() is not None or is_up(f"http://127.0.0.1:{port}"))
        wait_for(lambda: len(workers_of(supervisor)) == 2)
        yield f"http://127.0.0.1:{port}", supervisor, process
    finally:
        process.terminate()
        process.wait(30)


def test_a_killed_worker_is_replaced_and_the_next_request_answered():
    with serving() as (url, supervisor, _):
        before = {worker.pid for worker in workers_of(supervisor)}
        os.kill(min(before), signal.SIGKILL)
        wait_for(lambda: len({worker.pid for worker in workers_of(supervisor)} - before) == 1)
        assert TITLE in read(f"{url}/periksa", title=TITLE)
        assert "judul_worker_restarts_total 1.0" in read(f"{url}/metrics")


def test_metrics_are_summed_over_the_workers_and_shown_to_this_machine_only():
    with serving() as (url, supervisor, _):
        # While one worker is stopped, the other must answer.
        for stopped in workers_of(supervisor):
            stopped.suspend()
            try:
                for _ in range(3):
                    read(f"{url}/periksa", title=TITLE)
            finally:
                stopped.resume()
        text = read(f"{url}/metrics")
        assert re.search(r'judul_requests_total\{.*route="/periksa".*\} 6\.0', text)
        assert sum(map(float, re.findall(r"judul_checks_total\{.*\} (\S+)", text))) == 6
        assert "Padi" not in text
        with pytest.raises(urllib.error.HTTPError) as refused:
            read(f"{url}/metrics", **{"X-Forwarded-For": "10.0.0.7"})
        assert refused.value.code == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_processes(number):
    with serving() as (url, supervisor, process):
        workers = supervisor.children()
        process.send_signal(number)
        assert process.wait(15) == 0
        assert not any(worker.is_running() for worker in workers)
        assert not is_up(url)


def test_workers_end_with_their_supervisor():
    with serving() as (_, supervisor, process):
        workers = supervisor.children()
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(workers, timeout=15)
        assert not alive


def test_slow_connections_are_closed_and_do_not_stop_others():
    with serving(request_seconds=3.0) as (url, _, _), ExitStack() as opened:
        address = ("127.0.0.1", urllib.parse.urlsplit(url).port)
        slow = [opened.enter_context(socket.create_connection(address)) for _ in range(200)]
        for connection in slow[::2]:
            connection.sendall(b"POST /periksa HTTP/1.1\r\nHost: localhost\r\n")
        body = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\njudul="
        for connection in slow[::4]:
            connection.sendall(body)
        assert TITLE in read(f"{url}/periksa", title=TITLE)
        for connection in slow:
            connection.settimeout(15)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""


def test_a_port_in_use_is_refused():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ServeError, match="Pilih port lain"):
            check_config(load_config(host="127.0.0.1", port=other.getsockname()[1]))


def test_beyond_loopback_the_page_needs_protection():
    settings = {"host": "0.0.0.0", "port": free_port(), "models": PROJECT / "outputs"}
    with pytest.raises(ServeError, match="JUDUL_TOKEN"):
        check_config(Config(**settings))
    check_config(Config(**settings, token="rahasia"))
    check_config(Config(**settings, sso_header="X-Remote-User"))


@pytest.mark.parametrize("workers", ["0", "33", "dua"])
def test_the_number_of_workers_is_checked(workers):
    with pytest.raises(ConfigError, match="1 sampai 32"):
        load_config(environment={"JUDUL_WORKERS": workers})


def test_keys_of_the_old_page_are_named_and_ignored(tmp_path):
    file = tmp_path / "judul.toml"
    file.write_text("max_pages = 15\nworkers = 3\n")
    told = []
    assert load_config(file, {}, warn=told.append).workers == 3
    assert len(told) == 1
    assert "max_pages" in told[0]
    assert "hapus baris itu" in told[0]
