"""Who asks, and what they may do.

On loopback nothing is asked as long as nothing is set up. Else a visitor shows the shared token, or
logs in as a user, or comes from the campus's single sign-on through a trusted proxy.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from fastapi import Depends, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from judul_lib.core.config import Config
from judul_lib.core.errors import JudulError
from judul_lib.core.texts import page_text

Role = Literal["pemeriksa", "pengelola"]
CHECKER: Role = "pemeriksa"
MANAGER: Role = "pengelola"
COOKIE = "judul_sesi"
SESSION_SECONDS = 12 * 3_600
_FRESH_SECONDS = 5.0


class LoginRequiredError(JudulError):
    """A visitor has to log in first."""


class ForbiddenError(JudulError):
    """A visitor may not do this."""


class User(Protocol):
    """A user of the installation; see `judul_lib.governance.accounts`."""

    @property
    def name(self) -> str:
        """Login name."""

    @property
    def role(self) -> str:
        """``pemeriksa`` or ``pengelola``."""

    @property
    def session(self) -> str:
        """Changes when earlier sessions end."""


class UserStore(Protocol):
    """Where users are kept."""

    def has_users(self) -> bool:
        """Whether there is any user."""

    def find_session(self, name: str, session: str) -> User | None:
        """Return the user of a session, unless it has ended."""


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes
    ----------
    name : str
        Of a user who is logged in; empty for others.
    role : {"pemeriksa", "pengelola"}
    user : str
        Name under which the log keeps what they do, as a keyed hash: that of a user, or a random one
        of this browser.
    """

    name: str
    role: Role
    user: str

    @property
    def is_manager(self) -> bool:
        """Whether they may change archives, decide, and read the monitoring report."""
        return self.role == MANAGER


class Access:
    """Decides who a visitor is.

    Parameters
    ----------
    config : Config
    session_key : bytes
        Signs the sessions; the same in all processes.
    users : UserStore or None
        None where there can be no users.

    Examples
    --------
    >>> Access(Config(), b"k" * 32).is_open(), Access(Config(token="rahasia"), b"k" * 32).is_open()
    (True, False)
    """

    def __init__(self, config: Config, session_key: bytes, users: UserStore | None = None) -> None:
        self.config, self.users = config, users
        self._sessions = URLSafeTimedSerializer(session_key, salt="judul-sesi")
        self._has_users = CachedFact(lambda: users is not None and users.has_users())
        self._known: dict[tuple[str, str], tuple[float, User | None]] = {}

    def has_users(self) -> bool:
        """Whether there is any user; known some seconds late."""
        return self._has_users()

    def is_open(self) -> bool:
        """Whether nothing is asked: a page on loopback with neither token nor users nor sign-on."""
        config = self.config
        return config.is_local and not (config.token or config.sso_header or self.has_users())

    def visitor(self, request: Request) -> Visitor:
        """Return who asks.

        Raises
        ------
        LoginRequiredError
            They have to log in first.
        """
        if (found := self._single_sign_on(request)) is not None:
            return found
        session = self._session(request)
        if self.is_open():
            if not session.get("id"):
                session = self.start_session(request, {})
            return Visitor("", MANAGER, session["id"])
        found = self._token_holder(session) or self._logged_in_user(session)
        if found is None:
            raise LoginRequiredError(page_text("login_needed"))
        return found

    def _token_holder(self, session: dict[str, Any]) -> Visitor | None:
        shown, is_set = str(session.get("token", "")), bool(self.config.token)
        is_current = is_set and hmac.compare_digest(shown.encode(), self._token_digest().encode())
        return Visitor("", CHECKER, session["id"]) if is_current else None

    def _logged_in_user(self, session: dict[str, Any]) -> Visitor | None:
        if "name" not in session:
            return None
        user = self._find_user(str(session["name"]), str(session.get("session", "")))
        if user is None:
            return None
        return Visitor(user.name, MANAGER if user.role == MANAGER else CHECKER, user.name)

    def start_session(self, request: Request, facts: dict[str, Any]) -> dict[str, Any]:
        """Give this browser a new session; the answer carries its cookie.

        Parameters
        ----------
        facts : dict
            What it proves; see `log_in_user` and `log_in_token`.
        """
        session = {"id": secrets.token_hex(16), **facts}
        secure = "; Secure" if request.url.scheme == "https" else ""
        request.state.new_cookie = (
            f"{COOKIE}={self._sessions.dumps(session)}; Path=/; HttpOnly; SameSite=Lax; "
            f"Max-Age={SESSION_SECONDS}{secure}"
        )
        return session

    def log_in_user(self, request: Request, user: User) -> None:
        """Start the session of a user."""
        self.start_session(request, {"name": user.name, "session": user.session})

    def is_token(self, typed: str) -> bool:
        """Whether a text is the shared token."""
        token = self.config.token
        return bool(token) and hmac.compare_digest(typed.encode(), token.encode())

    def log_in_token(self, request: Request) -> None:
        """Start the session of a visitor who has shown the token."""
        self.start_session(request, {"token": self._token_digest()})

    def log_out(self, request: Request) -> None:
        """End the session of this browser."""
        request.state.new_cookie = f"{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"

    def _token_digest(self) -> str:
        return hashlib.sha256(self.config.token.encode()).hexdigest()

    def _session(self, request: Request) -> dict[str, Any]:
        try:
            session = self._sessions.loads(request.cookies.get(COOKIE, ""), max_age=SESSION_SECONDS)
        except (BadSignature, json.JSONDecodeError):
            return {}
        return session if isinstance(session, dict) else {}

    def _single_sign_on(self, request: Request) -> Visitor | None:
        """Return the user whom a trusted proxy names; a header from elsewhere means nothing."""
        header, address = self.config.sso_header, request.scope.get("peer", "")
        if not header or address not in self.config.trusted_proxies:
            return None
        name = request.headers.get(header, "").strip()
        if not name:
            return None
        role = MANAGER if name in self.config.managers else CHECKER
        return Visitor(name[:100], role, name)

    def _find_user(self, name: str, session: str) -> User | None:
        """Return the user of a session, at most some seconds late."""
        key, now = (name, session), time.monotonic()
        read_at, user = self._known.get(key, (-_FRESH_SECONDS, None))
        if now - read_at >= _FRESH_SECONDS and self.users is not None:
            user = self.users.find_session(name, session)
            self._known = {**self._known, key: (now, user)} if len(self._known) < 1_000 else {}
        return user


class CachedFact:
    """A fact that is looked up at most every few seconds."""

    def __init__(self, read: Callable[[], bool]) -> None:
        self._read, self._value, self._read_at = read, False, -_FRESH_SECONDS

    def __call__(self) -> bool:
        """Return the fact."""
        now = time.monotonic()
        if now - self._read_at >= _FRESH_SECONDS:
            self._value, self._read_at = self._read(), now
        return self._value


def access_of(request: Request) -> Access:
    """Return the access rules of the application that a request came to."""
    access: Access = request.app.state.access
    return access


def visitor(request: Request) -> Visitor:
    """Return who asks, as a dependency of a page.

    Raises
    ------
    LoginRequiredError
        They have to log in first.
    """
    found = access_of(request).visitor(request)
    request.state.visitor = found
    return found


def manager(request: Request) -> Visitor:
    """Return who asks if they are a manager, as a dependency of a page.

    Raises
    ------
    LoginRequiredError
        They have to log in first.
    ForbiddenError
        They are no manager.
    """
    found = visitor(request)
    if not found.is_manager:
        raise ForbiddenError(page_text("managers_only"))
    return found


AnyVisitor = Annotated[Visitor, Depends(visitor)]
Manager = Annotated[Visitor, Depends(manager)]
