"""Who uses the interface: keys, their scopes, and how often they may ask."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import State

from judul_lib.core.formatting import format_number
from judul_lib.core.settings import SCOPES
from judul_lib.core.texts import page_text
from judul_lib.governance.api_keys import ApiKey, has_keys, verify_key
from judul_lib.usage.database import database_url
from judul_lib.usage.installation import has_log
from judul_lib.web.problems import KEY_NEEDED, NOT_ALLOWED, TOO_OFTEN, ProblemError
from judul_lib.web.service import Service

REQUESTS_PER_SECOND, BURST = 20.0, 40
"""How often a key may ask for long, and at once; in each process of the server."""
_MAX_REMEMBERED = 10_000
_BEARER = HTTPBearer(
    auto_error=False, scheme_name="kunci", description="Kunci dari `judul keys add`: judul_…"
)


@dataclass(frozen=True)
class ApiUser:
    """A system that uses the interface.

    Attributes
    ----------
    name : str
        Of its key; empty where no key is asked for.
    """

    name: str


@dataclass
class RateLimit:
    """A token bucket for each user.

    Parameters
    ----------
    rate : float
        Requests per second for long.
    burst : int
        Requests at once.
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> limit = RateLimit(rate=2.0, burst=1, clock=lambda: 0.0)
    >>> limit.wait_for("siakad"), limit.wait_for("siakad"), limit.wait_for("lain")
    (0.0, 0.5, 0.0)
    """

    rate: float = REQUESTS_PER_SECOND
    burst: int = BURST
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait_for(self, user: str) -> float:
        """Count a request of a user; return 0, or the seconds to wait if it is one too many."""
        now = self.clock()
        left, seen = self._left.pop(user, (float(self.burst), now))
        left = min(self.burst, left + (now - seen) * self.rate)
        is_allowed = left >= 1
        self._left[user] = (left - is_allowed, now)
        if len(self._left) > _MAX_REMEMBERED:
            del self._left[next(iter(self._left))]
        return 0.0 if is_allowed else (1 - left) / self.rate


def api_user(*scopes: str) -> Callable[..., ApiUser]:
    """Return a dependency that lets in only keys with one of some scopes.

    On loopback without token, users, single sign-on and keys, nothing is asked.

    Parameters
    ----------
    *scopes : str
        Some of `judul_lib.core.settings.SCOPES`; all by default.

    Raises
    ------
    ProblemError
        By the dependency: there is no valid key, it has none of the scopes, or it asks too often.
    """
    allowed = scopes or SCOPES

    def authenticate(
        request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> ApiUser:
        state = request.app.state
        address = request.client.host if request.client else ""
        if shown is None:
            if _is_open(request):
                _limit(state.rate_limit, f"@{address}")
                return ApiUser("")
            raise _key_needed("api_key_needed")
        key = _find_key(state.service, shown.credentials)
        if key is None:
            raise _refused_key(state, address)
        _limit(state.rate_limit, key.name)
        if not set(key.scopes) & set(allowed):
            detail = page_text("api_scope", name=key.name, scope=" / ".join(allowed))
            raise ProblemError(NOT_ALLOWED, detail)
        return ApiUser(key.name)

    return authenticate


def any_key_in_force(service: Service) -> bool:
    """Whether a key is in force, without creating a database."""
    return _may_have_keys(service) and has_keys(service.database())


def _may_have_keys(service: Service) -> bool:
    folder = service.config.logs
    return has_log(folder, database_url(folder))


def _find_key(service: Service, shown: str) -> ApiKey | None:
    return verify_key(service.database(), shown) if _may_have_keys(service) else None


def _refused_key(state: State, address: str) -> ProblemError:
    """Count a wrong key; only the answers to wrong ones have to wait, not those to the others."""
    if (seconds := state.throttle.wait_for(address, "")) > 0:
        return _too_often("api_key_wait", seconds)
    state.throttle.failed(address, "")
    state.service.log_event("refused", detail="WrongKey")
    return _key_needed("api_key_wrong")


def _is_open(request: Request) -> bool:
    state = request.app.state
    return state.access.is_open() and not state.has_keys()


def _limit(limit: RateLimit, user: str) -> None:
    if (seconds := limit.wait_for(user)) > 0:
        raise _too_often("api_too_often", seconds, rate=format_number(limit.rate, 0))


def _too_often(text: str, seconds: float, **values: str) -> ProblemError:
    whole = max(1, math.ceil(seconds))
    detail = page_text(text, n=format_number(whole), **values)
    return ProblemError(TOO_OFTEN, detail, headers={"Retry-After": str(whole)})


def _key_needed(text: str) -> ProblemError:
    return ProblemError(KEY_NEEDED, page_text(text), headers={"WWW-Authenticate": "Bearer"})
