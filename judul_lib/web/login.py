"""Logging in and out."""

import time
from typing import Annotated, Protocol
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from judul_lib.core.formatting import format_number
from judul_lib.core.texts import page_text
from judul_lib.web.access import Access, User, access_of
from judul_lib.web.rendering import is_fragment, render

router = APIRouter()
_MAX_TYPED = 200


class PasswordStore(Protocol):
    """Where passwords are checked."""

    def verify(self, name: str, password: str) -> User | None:
        """Return the user of that name if the password is theirs."""


class Throttle(Protocol):
    """Counts wrong logins for all processes; see `judul_lib.governance.throttle`."""

    def wait_for(self, address: str, name: str) -> float:
        """Return the seconds to wait before the next try."""

    def failed(self, address: str, name: str) -> None:
        """Count a wrong login."""

    def succeeded(self, address: str, name: str) -> None:
        """Forget wrong logins of a name."""


class LocalThrottle:
    """Wrong logins of one process, where there is no log to share them; the wait doubles each time.

    Examples
    --------
    >>> throttle = LocalThrottle()
    >>> for _ in range(4):
    ...     throttle.failed("10.0.0.1", "")
    >>> throttle.wait_for("10.0.0.1", "") > 0, throttle.wait_for("10.0.0.2", "")
    (True, 0.0)
    """

    _FREE, _LONGEST, _KEPT = 3, 900.0, 10_000

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait_for(self, address: str, name: str) -> float:
        """Return the seconds to wait before the next try."""
        n, last = self._wrong.get(address, (0, 0.0))
        if n <= self._FREE:
            return 0.0
        return max(0.0, last + min(2.0 ** (n - self._FREE), self._LONGEST) - time.monotonic())

    def failed(self, address: str, name: str) -> None:
        """Count a wrong login."""
        n, _ = self._wrong.pop(address, (0, 0.0))
        self._wrong[address] = n + 1, time.monotonic()
        if len(self._wrong) > self._KEPT:
            del self._wrong[next(iter(self._wrong))]

    def succeeded(self, address: str, name: str) -> None:
        """Forget the wrong logins of an address."""
        self._wrong.pop(address, None)


def safe_target(address: str) -> str:
    r"""Return a path of this site to go to after logging in; ``/`` for anything else.

    Examples
    --------
    >>> safe_target("/berkas"), safe_target("//example.org/x"), safe_target("/\\example.org")
    ('/berkas', '/', '/')
    """
    parts = urlsplit(address)
    is_own = address.startswith("/") and not parts.netloc and not address.startswith(("//", "/\\"))
    is_plain = all(32 < ord(letter) < 127 and letter != "\\" for letter in address)
    return address if is_own and is_plain else "/"


def ask_to_log_in(request: Request) -> Response:
    """Answer a visitor who has to log in first: with the form, or with a sentence for the script."""
    if is_fragment(request) or request.method != "GET":
        return _form(request, "/", page_text("login_needed"), status=401)
    return RedirectResponse(f"/masuk?ke={quote(request.url.path)}", 303)


@router.get("/masuk", response_class=HTMLResponse)
def show_login(request: Request, ke: str = "/") -> Response:
    """Show the form, unless nothing is asked."""
    if access_of(request).is_open():
        return RedirectResponse("/", 303)
    return _form(request, ke)


@router.post("/masuk", response_class=HTMLResponse)
def log_in(
    request: Request,
    nama: Annotated[str, Form()] = "",
    sandi: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    ke: Annotated[str, Form()] = "/",
) -> Response:
    """Log in with name and password, or with the token; wrong ones have to wait longer and longer."""
    name = nama.strip()[:_MAX_TYPED]
    # Guesses at the same time must not all come before the first count.
    with request.app.state.one_login:
        seconds, is_admitted = _try_to_log_in(request, name, sandi, token)
    if seconds > 0:
        sentence = page_text("login_wait", n=format_number(int(seconds) + 1))
        answer = _form(request, ke, sentence, status=429)
        answer.headers["Retry-After"] = str(int(seconds) + 1)
        return answer
    if is_admitted:
        return RedirectResponse(safe_target(ke), 303)
    request.app.state.service.log_event("refused", detail="WrongLogin")
    return _form(request, ke, page_text("login_wrong"), status=401)


@router.post("/keluar")
def log_out(request: Request) -> Response:
    """Log out."""
    access_of(request).log_out(request)
    return RedirectResponse("/", 303)


def _try_to_log_in(request: Request, name: str, password: str, token: str) -> tuple[float, bool]:
    """Return the seconds to wait before a try, and whether this one succeeded."""
    throttle = request.app.state.throttle
    address = request.client.host if request.client else ""
    if (seconds := throttle.wait_for(address, name)) > 0:
        return seconds, False
    is_admitted = _is_admitted(request, access_of(request), name, password, token)
    (throttle.succeeded if is_admitted else throttle.failed)(address, name)
    return 0.0, is_admitted


def _is_admitted(request: Request, access: Access, name: str, password: str, token: str) -> bool:
    if max(map(len, (password, token))) > _MAX_TYPED:
        return False
    if token and access.is_token(token):
        access.log_in_token(request)
        return True
    store: PasswordStore | None = request.app.state.accounts
    if name and password and store is not None and (user := store.verify(name, password)) is not None:
        access.log_in_user(request, user)
        return True
    return False


def _form(request: Request, target: str, problem: str = "", *, status: int = 200) -> HTMLResponse:
    access = access_of(request)
    return render(
        request, "login.html", status=status, target=safe_target(target), problem=problem,
        asks_token=bool(access.config.token), asks_name=access.has_users(),
    )  # fmt: skip
