"""What the page's server does otherwise than Voilà, so that no visitor takes it down for the others."""

import asyncio
import hmac
import struct
from collections import Counter
from typing import Any, ClassVar

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import User
from tornado.web import HTTPError, authenticated
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler
from voila.voila_identity_provider import VoilaIdentityProvider, VoilaLoginHandler

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
ABANDONED_SECONDS = 60
"""A page that has been gone so long gives its place away when all are taken."""

_LEAST_OFFSETS, _MOST_OFFSETS = 6, 64
_WRONG_TOKEN_SECONDS, _MOST_WRONG_AT_ONCE = 2.0, 3


def is_sound(frame: str | bytes) -> bool:
    """Whether the offsets in front of a message of the v1 subprotocol are few, in order and inside it.

    Examples
    --------
    >>> is_sound((100_000_000).to_bytes(8, "little") + bytes(8))
    False
    """
    if not isinstance(frame, bytes) or len(frame) < 8 * (1 + _LEAST_OFFSETS):
        return False
    (count,) = struct.unpack_from("<Q", frame)
    if not _LEAST_OFFSETS <= count <= min(_MOST_OFFSETS, len(frame) // 8 - 1):
        return False
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    return offsets[0] >= 8 * (1 + count) and [*offsets] == sorted(offsets) and offsets[-1] <= len(frame)


class KernelChannel(VoilaKernelWebsocketHandler):
    """The channel to a kernel, in one subprotocol; a message is read when its sizes are right."""

    async def get(self, kernel_id: str) -> None:
        """Refuse the older subprotocol: it takes any count for true, and so does who answers in it."""
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if SUBPROTOCOL not in map(str.strip, offered):
            raise HTTPError(400)
        await super().get(kernel_id=kernel_id)

    def on_message(self, ws_message: str | bytes) -> None:
        """Hand over what is sound."""
        if is_sound(ws_message):
            super().on_message(ws_message)


class Page(TornadoVoilaHandler):
    """The page, as long as there is room for one more kernel."""

    _arriving = 0
    _sweeping = asyncio.Lock()

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Send the page, or say that there is no room."""
        if not path:
            await self._find_room()
        Page._arriving += 1
        try:
            _ = self.xsrf_token  # A cookie: without it the page may not end its kernel when it is left.
            await super().get(path)
        finally:
            Page._arriving -= 1

    async def _find_room(self) -> None:
        if self._is_full():
            kernels = self.kernel_manager
            async with self._sweeping:
                usual, kernels.cull_idle_timeout = kernels.cull_idle_timeout, ABANDONED_SECONDS
                try:
                    await kernels.cull_kernels()
                finally:
                    kernels.cull_idle_timeout = usual
            if self._is_full():
                raise HTTPError(503)

    def _is_full(self) -> bool:
        """Whether visitors have all kernels that they may; those started ahead are nobody's yet."""
        pools: dict[str, list[asyncio.Task]] = getattr(self.kernel_manager, "_pools", {})
        ahead = sum(task.done() for pool in pools.values() for task in pool)
        return len(self.kernel_manager) - ahead + Page._arriving >= self.settings["max_pages"]


class OneToken(VoilaIdentityProvider):
    """One token for all. A wrong one is answered late, and of one address only few are looked at."""

    _late: ClassVar[Counter[str]] = Counter()

    async def is_token(self, handler: Any, typed: str) -> bool:
        """Whether that is the token; what an address sends while others of its own wait is not seen."""
        address = handler.request.remote_ip
        if address in ("127.0.0.1", "::1"):  # Behind a proxy of this machine it says who asks.
            address = handler.request.headers.get("X-Real-IP", address)
        if self._late[address] >= _MOST_WRONG_AT_ONCE:
            handler.current_user = None  # Who draws the answer asks.
            raise HTTPError(429)
        if hmac.compare_digest(typed.encode(), self.token.encode()):
            return True
        self._late[address] += 1
        try:
            await asyncio.sleep(_WRONG_TOKEN_SECONDS)
        finally:
            self._late[address] -= 1
            if not self._late[address]:
                del self._late[address]
        return False

    async def get_user_token(self, handler: Any) -> User | None:
        """Return a user for the token in an address or a header; who is known by a cookie needs none."""
        typed = self.get_token(handler)
        if not self.token or not typed or self.get_user_cookie(handler):
            return None
        return self.generate_anonymous_user(handler) if await self.is_token(handler, typed) else None


class Login(VoilaLoginHandler):
    """The form for the token; it changes no password."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Let in who knows the token."""
        people = self.identity_provider
        if await people.is_token(self, self.get_argument("password", "")):
            self.current_user = people.generate_anonymous_user(self)
            people.set_login_cookie(self, self.current_user)
            self._redirect_safe(self.get_argument("next", self.base_url))
        else:
            self.set_status(401)
            self._render(message={"error": ""})


def with_ours(handlers: list[tuple]) -> list[tuple]:
    """Return Voilà's handlers with ours in their place, and without the one that asks nobody's token."""
    ours = {VoilaKernelWebsocketHandler: KernelChannel, TornadoVoilaHandler: Page}
    return [
        (path, ours.get(handler, handler), *more)
        for path, handler, *more in handlers
        if handler is not RequestInfoSocketHandler
    ]
