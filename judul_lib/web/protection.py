"""What every request goes through before a page sees it, and the headers of every answer."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse, Response

from judul_lib.core.texts import page_text
from judul_lib.web.problems import TOO_LARGE_STATE, is_api, problem_of_status

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MAX_FORM_BYTES = 100_000
"""Size of a request that uploads nothing."""
_UPLOADS = re.compile(r"/(berkas|arsip)(/.*)?|/api/v1/batch")
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Peer:
    """ASGI middleware: keeps the address of the connection, before a proxy's headers replace it."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        client = scope.get("client")
        scope["peer"] = client[0] if client else ""
        await self._app(scope, receive, send)


class Protection:
    """ASGI middleware: refuses what no page has to see, and adds headers to all answers.

    Parameters
    ----------
    app : callable
        The ASGI application behind it.
    is_open : callable
        Whether nothing is asked of visitors: then only this machine's own names are accepted as host,
        so that a page elsewhere cannot reach the application under a name of its own (DNS rebinding).
    max_upload_bytes : int
        Size of a request that uploads a file.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], is_open: Callable[[], bool], max_upload_bytes: int
    ) -> None:
        self._app, self._is_open, self._max_upload_bytes = app, is_open, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        state = scope.setdefault("state", {})

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                added = [
                    (name.lower().encode(), value.encode())
                    for name, value in _headers(scope)
                    if name.lower().encode() not in own
                ]
                if cookie := state.get("new_cookie"):
                    added.append((b"set-cookie", cookie.encode("latin-1")))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        if (refusal := self._refusal(scope, headers)) is not None:
            status, sentence = refusal
            answer: Response = PlainTextResponse(sentence, status)
            if is_api(scope["path"]):
                answer = problem_of_status(status, sentence)
            await answer(scope, receive, send_protected)
            return
        await self._app(scope, self._limited(scope, receive), send_protected)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self._is_open() and _name(host) not in _LOCAL_HOSTS:
            return 400, page_text("wrong_host")
        if scope["method"] not in _SAFE_METHODS and is_cross_origin(headers):
            return 403, page_text("wrong_origin")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            return 400, page_text("bad_request")
        if len(length) > 15 or int(length) > self._limit(scope):
            return 413, page_text("too_much")
        return None

    def _limit(self, scope: Scope) -> int:
        return self._max_upload_bytes if _UPLOADS.fullmatch(scope["path"]) else MAX_FORM_BYTES

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that ends a body without a length once it is too large."""
        left = self._limit(scope)

        async def receive_limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                scope["state"][TOO_LARGE_STATE] = True
                return {"type": "http.disconnect"}
            return message

        return receive_limited


def is_cross_origin(headers: dict[str, str]) -> bool:
    """Whether a browser sends this request for a page of another origin.

    Browsers say where a request comes from in ``Sec-Fetch-Site``, older ones in ``Origin`` only;
    other programs say neither, and hold no cookies of a visitor.

    Parameters
    ----------
    headers : dict of str to str
        By name in lower case.

    Examples
    --------
    >>> is_cross_origin({"host": "localhost:8866", "origin": "http://localhost:8866"})
    False
    >>> is_cross_origin({"host": "localhost:8866", "origin": "https://example.org"})
    True
    >>> is_cross_origin({"host": "localhost:8866", "sec-fetch-site": "cross-site"})
    True
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _headers(scope: Scope) -> list[tuple[str, str]]:
    headers = list(SECURITY_HEADERS.items())
    if not scope["path"].startswith("/static/"):
        headers.append(("Cache-Control", "no-store"))
    if scope.get("scheme") == "https":
        headers.append(("Strict-Transport-Security", "max-age=31536000"))
    return headers


def _name(host: str) -> str:
    """Return a host without its port."""
    return re.sub(r":\d*$", "", host) if host.count(":") == 1 or host.startswith("[") else host
