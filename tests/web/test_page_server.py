"""The page's server, asked by programs instead of browsers: what a visitor could do to the others."""

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


def run(coroutine):
    """Run a coroutine in a thread of its own: the browser of other tests has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@contextmanager
def small_server(folder, **environment):
    """The page with the models that come with the project, no kernel ahead and no log."""
    given = {"JUDUL_LOG": "false", "JUDUL_READY_KERNELS": "0", **environment}
    with serving(PROJECT / "outputs", log=folder / "log", **given) as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with small_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def ask(url, path="/", *, source="127.0.0.1", form=None, **headers):
    """Return status, text and headers of one request from an address of this machine."""
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
    """Open the page as a browser would; return its kernel's id."""
    status, text, _ = ask(url)
    assert status == 200
    return re.search(r'"kernelId": "([\w-]+)"', text)[1]


def lives(url, kernel):
    return ask(url, f"/api/kernels/{kernel}")[0] == 200


async def connect(url, kernel, subprotocols=(SUBPROTOCOL,)):
    request = HTTPRequest(f"ws{url.removeprefix('http')}/api/kernels/{kernel}/channels?session_id=x")
    return await websocket_connect(request, subprotocols=list(subprotocols))


def message(kind, name, content=None, channel="shell", buffers=()):
    """Return the parts of a message in the order of the v1 subprotocol."""
    header = {"msg_id": name, "msg_type": kind, "username": "", "session": "x", "version": "5.3",
              "date": "2026-01-01T00:00:00Z"}  # fmt: skip
    parts = [json.dumps(part).encode() for part in (header, {}, {}, content or {})]
    return [channel.encode(), *parts, *buffers]


def framed(parts, more=()):
    """Return a frame of these parts, with more offsets than it needs behind its own."""
    start = 8 * (len(parts) + 2 + len(more))
    offsets = [start + sum(map(len, parts[:n])) for n in range(len(parts) + 1)]
    numbers = [len(offsets) + len(more), *offsets, *more]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def parent_and_kind(frame):
    count = int.from_bytes(frame[:8], "little")
    offsets = [int.from_bytes(frame[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    header, parent = (json.loads(frame[offsets[n] : offsets[n + 1]]) for n in (1, 2))
    return parent.get("msg_id"), header["msg_type"]


async def replies(socket, last):
    """Return what was replied to, until that message was."""
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
    assert lives(server, kernel)


def test_a_frame_whose_offsets_do_not_fit_is_dropped(server):
    kernel = open_page(server)
    info = message("kernel_info_request", "unsound")
    sound = framed(info)
    unsound = [
        (100_000_000).to_bytes(8, "little") + bytes(8),
        b"",
        sound[:40],
        "text",
        (1_000).to_bytes(8, "little") + sound[8:],  # More than it holds.
        framed(info, more=[0, len(sound)] * 20),  # The whole frame as a part, again and again.
        framed(info, more=[10**9]),
        framed([*info, *[b""] * 100]),
    ]

    async def talk():
        socket = await connect(server, kernel)
        for frame in unsound:
            await socket.write_message(frame, binary=isinstance(frame, bytes))
        await socket.write_message(framed(message("kernel_info_request", "sound")), binary=True)
        return await replies(socket, "sound")

    assert run(talk()) == ["sound"]
    assert [has_valid_offsets(frame) for frame in unsound] == [False] * len(unsound)
    assert has_valid_offsets(sound)
    assert has_valid_offsets(framed([*info, b"x" * 1_000_000]))


def test_code_from_the_browser_is_not_run(server, tmp_path):
    kernel, target = open_page(server), tmp_path / "written"
    code = {"code": f"open({str(target)!r}, 'w').write('x')", "silent": False}
    sent = [
        message("execute_request", "code", code),
        message("shutdown_request", "end", {"restart": False}, "control"),
        message("shutdown_request", "end too", {"restart": False}),
        message("interrupt_request", "interrupt", channel="control"),
        message("kernel_info_request", "info"),
    ]

    async def talk():
        socket = await connect(server, kernel)
        for parts in sent:
            await socket.write_message(framed(parts), binary=True)
        return await replies(socket, "info")

    assert run(talk()) == ["info"]
    assert not target.exists()
    assert lives(server, kernel)


def test_nothing_is_told_of_a_visit_without_asking_for_a_token(tmp_path):
    async def connect_to(url):
        return await websocket_connect(f"ws{url.removeprefix('http')}/voila/query/{'-'.join('abcde')}")

    given = {"JUDUL_READY_KERNELS": "1", "JUDUL_TOKEN": SECRET}
    with small_server(tmp_path, **given) as url, pytest.raises(HTTPClientError):
        run(connect_to(url))


def test_a_full_server_says_so_and_gives_the_place_of_a_page_that_is_gone(tmp_path):
    at_once = (
        "import judul_lib.web.serving as p; p.ABANDONED_SECONDS = 0; from judul_lib.cli.main import main"
    )

    async def visit():
        first, second = open_page(url), open_page(url)
        staying, leaving = await connect(url, first), await connect(url, second)
        status, text, _ = await asyncio.to_thread(ask, url)
        assert status == 503
        assert "Semua tempat sedang dipakai" in text
        leaving.close()
        for _ in range(100):
            status = (await asyncio.to_thread(ask, url))[0]
            if status == 200:
                break
            await asyncio.sleep(0.1)
        assert status == 200
        assert [lives(url, first), lives(url, second)] == [True, False]
        staying.close()

    program = ("-c", f"{at_once}; main()")
    with small_server(tmp_path, program=program, JUDUL_MAX_PAGES="2") as url:
        run(visit())


def test_pages_that_arrive_at_once_are_counted_too(tmp_path):
    with small_server(tmp_path, JUDUL_MAX_PAGES="2") as url, ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: ask(url)[0], range(6)))
    assert set(statuses) == {200, 503}
    assert statuses.count(200) <= 2


def test_wrong_tokens_slow_down_only_the_address_they_come_from(tmp_path):
    with small_server(tmp_path, JUDUL_TOKEN=SECRET) as url, ThreadPoolExecutor(40) as pool:
        _, _, headers = ask(url, f"/login?token={SECRET}", **{"X-Real-IP": "10.0.0.66"})
        known = "; ".join(line.split(";")[0] for line in headers.get_all("Set-Cookie"))

        def guess(number, source="127.0.0.1", address="10.0.0.66"):
            path = f"/api/kernels/{'-'.join('abcde')}?token=salah{number}"
            return ask(url, path, source=source, **{"X-Real-IP": address})[0]

        behind_a_proxy = [pool.submit(guess, number) for number in range(20)]
        # Who is not on this machine may name any address, and it counts for nothing.
        directly = [pool.submit(guess, n, "127.0.0.2", f"10.0.1.{n}") for n in range(20)]
        other = ask(url, f"/login?token={SECRET}", **{"X-Real-IP": "10.0.0.7"})
        same = ask(url, "/login", **{"X-Real-IP": "10.0.0.66", "Cookie": known})
        assert (other[0], same[0]) == (302, 302)
        for guesses in (behind_a_proxy, directly):
            assert {guess.result() for guess in guesses} == {403, 429}

        def type_in(word, **headers):
            _, _, found = ask(url, "/login")
            xsrf = SimpleCookie(found["Set-Cookie"])["_xsrf"].value
            form = {"password": word, "_xsrf": xsrf, **headers}
            return ask(url, "/login", form=form, Cookie=f"_xsrf={xsrf}")

        answers = list(pool.map(type_in, map(str, range(10))))
        assert {status for status, _, _ in answers} == {401, 429}
        refused = next(text for status, text, _ in answers if status == 429)
        assert "Terlalu banyak token yang salah dari alamat Anda" in refused
        # The one token is all there is: who knows it sets no other.
        assert type_in(SECRET, new_password="baru")[0] == 302
        assert type_in("baru")[0] == 401
    assert not (PROJECT / "jupyter_server_config.json").exists()
