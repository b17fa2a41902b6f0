"""Requests to the page's server that no browser sends: what a visitor could do to others."""

import asyncio
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from judul_lib.web.serving import SUBPROTOCOL, has_valid_offsets
from tests.conftest import PROJECT
from tests.web.test_page_browser import serving

SECRET = "kata-rahasia-12"

pytestmark = pytest.mark.slow


def run(coroutine):
    """Run a coroutine in another thread: the browser tests have an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@contextmanager
def small_server(folder, **environment):
    """Serve the page with the committed models, without preheated kernels and log."""
    variables = {"JUDUL_LOG": "false", "JUDUL_READY_KERNELS": "0", **environment}
    with serving(PROJECT / "outputs", log=folder / "log", **variables) as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with small_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def request(url, path="/", *, source="127.0.0.1", form=None, **headers):
    """Return status, text and headers of one request from the local address *source*."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", urlsplit(url).port, source_address=(source, 0), timeout=60
    )
    body = None if form is None else urlencode(form)
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request("GET" if form is None else "POST", path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def open_page(url):
    """Open the page; return the id of its kernel."""
    status, text, _ = request(url)
    assert status == 200
    return re.search(r'"kernelId": "([\w-]+)"', text)[1]


def is_alive(url, kernel):
    return request(url, f"/api/kernels/{kernel}")[0] == 200


async def connect(url, kernel, subprotocols=(SUBPROTOCOL,)):
    address = f"ws{url.removeprefix('http')}/api/kernels/{kernel}/channels?session_id=x"
    return await websocket_connect(HTTPRequest(address), subprotocols=list(subprotocols))


def message(kind, name, content=None, channel="shell", buffers=()):
    """Return the parts of a message in the order of the v1 subprotocol."""
    header = {"msg_id": name, "msg_type": kind, "username": "", "session": "x", "version": "5.3",
              "date": "2026-01-01T00:00:00Z"}  # fmt: skip
    parts = [json.dumps(part).encode() for part in (header, {}, {}, content or {})]
    return [channel.encode(), *parts, *buffers]


def frame_of(parts, extra_offsets=()):
    """Return a frame of these parts, with superfluous offsets after its own."""
    start = 8 * (len(parts) + 2 + len(extra_offsets))
    offsets = [start + sum(map(len, parts[:n])) for n in range(len(parts) + 1)]
    numbers = [len(offsets) + len(extra_offsets), *offsets, *extra_offsets]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def parent_and_kind(frame):
    count = int.from_bytes(frame[:8], "little")
    offsets = [int.from_bytes(frame[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    header, parent = (json.loads(frame[offsets[n] : offsets[n + 1]]) for n in (1, 2))
    return parent.get("msg_id"), header["msg_type"]


async def replies(socket, last):
    """Return the ids of the answered messages, up to *last*."""
    names = []
    while last not in names:
        name, kind = parent_and_kind(await asyncio.wait_for(socket.read_message(), 60))
        names += [name] if kind.endswith("_reply") else []
    return names


@pytest.mark.parametrize("subprotocols", [[], ["other"], [f"x{SUBPROTOCOL}"]])
def test_a_channel_in_another_subprotocol_is_refused(server, subprotocols):
    kernel = open_page(server)
    with pytest.raises(HTTPClientError) as refused:
        run(connect(server, kernel, subprotocols))
    assert refused.value.code == 400
    assert is_alive(server, kernel)


def test_a_frame_with_invalid_offsets_is_dropped(server):
    kernel = open_page(server)
    info = message("kernel_info_request", "invalid")
    valid = frame_of(info)
    invalid = [
        (100_000_000).to_bytes(8, "little") + bytes(8),
        b"",
        valid[:40],
        "text",
        (1_000).to_bytes(8, "little") + valid[8:],  # More offsets than the frame holds.
        frame_of(info, extra_offsets=[0, len(valid)] * 20),  # The whole frame repeatedly as a part.
        frame_of(info, extra_offsets=[10**9]),
        frame_of([*info, *[b""] * 100]),
    ]

    async def send_all():
        socket = await connect(server, kernel)
        for frame in invalid:
            await socket.write_message(frame, binary=isinstance(frame, bytes))
        await socket.write_message(frame_of(message("kernel_info_request", "valid")), binary=True)
        return await replies(socket, "valid")

    assert run(send_all()) == ["valid"]
    assert [has_valid_offsets(frame) for frame in invalid] == [False] * len(invalid)
    assert has_valid_offsets(valid)
    assert has_valid_offsets(frame_of([*info, b"x" * 1_000_000]))


def test_code_from_the_browser_is_not_run(server, tmp_path):
    kernel, target = open_page(server), tmp_path / "written"
    code = {"code": f"open({str(target)!r}, 'w').write('x')", "silent": False}
    messages = [
        message("execute_request", "code", code),
        message("shutdown_request", "end", {"restart": False}, "control"),
        message("shutdown_request", "end too", {"restart": False}),
        message("interrupt_request", "interrupt", channel="control"),
        message("kernel_info_request", "info"),
    ]

    async def send_all():
        socket = await connect(server, kernel)
        for parts in messages:
            await socket.write_message(frame_of(parts), binary=True)
        return await replies(socket, "info")

    assert run(send_all()) == ["info"]
    assert not target.exists()
    assert is_alive(server, kernel)


def test_every_handler_asks_for_the_token(tmp_path):
    async def connect_to(url):
        return await websocket_connect(f"ws{url.removeprefix('http')}/voila/query/{'-'.join('abcde')}")

    variables = {"JUDUL_READY_KERNELS": "1", "JUDUL_TOKEN": SECRET}
    with small_server(tmp_path, **variables) as url, pytest.raises(HTTPClientError):
        run(connect_to(url))


def test_a_full_server_says_so_and_reuses_the_place_of_a_closed_page(tmp_path):
    code = (
        "import judul_lib.web.serving as s; s.ABANDONED_SECONDS = 0; "
        "from judul_lib.cli.main import main; main()"
    )

    async def visit():
        first, second = open_page(url), open_page(url)
        remaining, leaving = await connect(url, first), await connect(url, second)
        status, text, _ = await asyncio.to_thread(request, url)
        assert status == 503
        assert "Semua tempat sedang dipakai" in text
        leaving.close()
        for _ in range(100):
            status = (await asyncio.to_thread(request, url))[0]
            if status == 200:
                break
            await asyncio.sleep(0.1)
        assert status == 200
        assert [is_alive(url, first), is_alive(url, second)] == [True, False]
        remaining.close()

    with small_server(tmp_path, program=("-c", code), JUDUL_MAX_PAGES="2") as url:
        run(visit())


def test_simultaneous_visits_respect_the_limit(tmp_path):
    with small_server(tmp_path, JUDUL_MAX_PAGES="2") as url, ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: request(url)[0], range(6)))
    assert set(statuses) == {200, 503}
    assert statuses.count(200) <= 2


def test_wrong_tokens_slow_down_only_their_own_address(tmp_path):
    with small_server(tmp_path, JUDUL_TOKEN=SECRET) as url, ThreadPoolExecutor(40) as pool:
        _, _, headers = request(url, f"/login?token={SECRET}", **{"X-Real-IP": "10.0.0.66"})
        cookie = "; ".join(line.split(";")[0] for line in headers.get_all("Set-Cookie"))

        def guess(number, source="127.0.0.1", address="10.0.0.66"):
            path = f"/api/kernels/{'-'.join('abcde')}?token=salah{number}"
            return request(url, path, source=source, **{"X-Real-IP": address})[0]

        behind_a_proxy = [pool.submit(guess, number) for number in range(20)]
        # The header is ignored unless it comes from a local proxy.
        directly = [pool.submit(guess, n, "127.0.0.2", f"10.0.1.{n}") for n in range(20)]
        other = request(url, f"/login?token={SECRET}", **{"X-Real-IP": "10.0.0.7"})
        same = request(url, "/login", **{"X-Real-IP": "10.0.0.66", "Cookie": cookie})
        assert (other[0], same[0]) == (302, 302)
        for guesses in (behind_a_proxy, directly):
            assert {guess.result() for guess in guesses} == {403, 429}

        def log_in(token, **fields):
            _, _, headers = request(url, "/login")
            xsrf = SimpleCookie(headers["Set-Cookie"])["_xsrf"].value
            form = {"password": token, "_xsrf": xsrf, **fields}
            return request(url, "/login", form=form, Cookie=f"_xsrf={xsrf}")

        answers = list(pool.map(log_in, map(str, range(10))))
        assert {status for status, _, _ in answers} == {401, 429}
        refused = next(text for status, text, _ in answers if status == 429)
        assert "Terlalu banyak token yang salah dari alamat Anda" in refused
        # The form cannot change the token.
        assert log_in(SECRET, new_password="baru")[0] == 302
        assert log_in("baru")[0] == 401
    assert not (PROJECT / "jupyter_server_config.json").exists()
