"""Users of the page: their roles, and their passwords as argon2 hashes.

Each user has a random `session`, which changes with the password. A session of the page holds
it, and ends when it no longer matches: when the password changed or the user was removed.
"""

import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import ArgumentError, LogError
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.core.settings import ROLES
from judul_lib.governance import audit as trail
from judul_lib.governance.privacy import short_hash
from judul_lib.usage.database import transaction, users

MIN_PASSWORD, MAX_PASSWORD = 10, 1_000
_NAME = re.compile(r"[a-z0-9._-]{2,40}")
# As OWASP advises for argon2id; with 64 MiB, many logins at once would fill a small server.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "add": "Pengguna ditambahkan", "password": "Kata sandi diganti", "role": "Peran diganti",
        "remove": "Pengguna dihapus",
    }
)  # fmt: skip


@dataclass(frozen=True)
class User:
    """A user of the page.

    Attributes
    ----------
    name : str
    role : {"pemeriksa", "pengelola"}
    session : str
        Changes with the password; see `find_session`.
    created, changed : datetime
        In UTC; `changed` when role or password last did.
    """

    name: str
    role: str
    session: str
    created: datetime
    changed: datetime


def add_user(
    engine: sa.Engine, folder: Path, name: str, role: str, password: str, *, actor: str
) -> User:
    """Add a user.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    folder : path
        Folder of the log.
    name : str
        2 to 40 of a-z, 0-9, dot, underscore and hyphen.
    role : {"pemeriksa", "pengelola"}
    password : str
        At least 10 characters, and not the name.
    actor : str
        Pseudonym of the person who adds the user, for the audit trail.

    Raises
    ------
    ArgumentError
        Name, role or password are not allowed.
    LogError
        There is such a user, or the database cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.usage.database import database_url, opened_database
    >>> with TemporaryDirectory() as name, opened_database(database_url(folder := Path(name))) as engine:
    ...     user = add_user(engine, folder, "siti", "pemeriksa", "kopi tubruk 7", actor="0f")
    ...     verify(engine, "siti", "kopi tubruk 7") == user, verify(engine, "siti", "kopi tubruk 8")
    (True, None)
    """
    _require_role(role)
    user = User(require_name(name), role, secrets.token_hex(16), now := utc_now(), now)
    row = {**vars(user), "password_hash": _hash(name, password)}
    with _audited(engine, folder, "add", name, actor, role=role) as (connection, _):
        if connection.execute(sa.select(users.c.name).where(users.c.name == name)).first():
            raise LogError(
                f"Pengguna {name} sudah ada. Ganti kata sandinya dengan `judul users password {name}`."
            )
        connection.execute(users.insert().values(row))
    return user


def set_password(engine: sa.Engine, folder: Path, name: str, password: str, *, actor: str) -> None:
    """Change a user's password, which ends all sessions; parameters and errors as in `add_user`."""
    values = {"password_hash": _hash(name, password), "session": secrets.token_hex(16)}
    _change(engine, folder, "password", name, values, actor=actor)


def change_role(engine: sa.Engine, folder: Path, name: str, role: str, *, actor: str) -> None:
    """Change a user's role, also in sessions that have begun; parameters and errors as in `add_user`."""
    _require_role(role)
    _change(engine, folder, "role", name, {"role": role}, actor=actor, role=role)


def remove_user(engine: sa.Engine, folder: Path, name: str, *, actor: str) -> None:
    """Remove a user, which ends the user's sessions.

    Raises
    ------
    LogError
        There is no such user, or the database cannot be used.
    """
    with _audited(engine, folder, "remove", name, actor) as (connection, _):
        _require_found(connection.execute(users.delete().where(users.c.name == name)), name)


def list_users(engine: sa.Engine) -> Sequence[User]:
    """Return all users, ordered by name; `LogError` if the database cannot be used."""
    with transaction(engine, reads_only=True) as connection:
        rows = connection.execute(sa.select(users).order_by(users.c.name)).all()
    return [_user(row) for row in rows]


def has_users(engine: sa.Engine) -> bool:
    """Return whether there is any user; `LogError` if the database cannot be used."""
    with transaction(engine, reads_only=True) as connection:
        return connection.execute(sa.select(users.c.name).limit(1)).first() is not None


def verify(engine: sa.Engine, name: str, password: str) -> User | None:
    """Return the user of a name and a password, or None if one of them is wrong.

    An unknown name takes as long as a wrong password. A hash with older parameters is renewed.

    Raises
    ------
    LogError
        The database cannot be used.
    """
    decoy = _decoy()
    row = _find(engine, name)
    stored = row.password_hash if row else decoy
    try:
        is_right = _HASHER.verify(stored, _normalized(password[: MAX_PASSWORD + 1]))
    except (VerificationError, InvalidHashError):
        return None
    if row is None or not is_right:
        return None
    if _HASHER.check_needs_rehash(stored):
        renewed = users.update().values(password_hash=_HASHER.hash(_normalized(password)))
        with transaction(engine) as connection:  # Unless the password was changed meanwhile.
            connection.execute(renewed.where(users.c.name == row.name, users.c.password_hash == stored))
    return _user(row)


def find_session(engine: sa.Engine, name: str, session: str) -> User | None:
    """Return the user of a session with the present role, or None if the session has ended.

    Parameters
    ----------
    name, session : str
        Attributes of the `User` that `verify` returned at the login.

    Raises
    ------
    LogError
        The database cannot be used.
    """
    row = _find(engine, name)
    if row is None or not secrets.compare_digest(row.session.encode(), _encoded(session)):
        return None
    return _user(row)


def require_name(name: str) -> str:
    """Return the name of a user or a key, if it is allowed.

    Raises
    ------
    ArgumentError
        It is too short or too long, or has other characters.

    Examples
    --------
    >>> require_name("siti.aminah")
    'siti.aminah'
    """
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"Nama {name!r:.60} tidak dapat dipakai. Pakai 2 sampai 40 huruf kecil, angka, titik, garis "
            "bawah atau tanda hubung, misalnya siti.aminah."
        )
    return name


def _require_role(role: str) -> None:
    if role not in ROLES:
        raise ArgumentError(f"Peran {role!r:.40} tidak dikenal. Pilih: {', '.join(ROLES)}.")


def _hash(name: str, password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise ArgumentError(
            f"Kata sandi terdiri dari {MIN_PASSWORD} sampai {MAX_PASSWORD} karakter. "
            "Pakai beberapa kata yang mudah diingat, tetapi sulit ditebak."
        )
    if name in (password.casefold(), password.strip().casefold()):
        raise ArgumentError("Kata sandi tidak boleh sama dengan nama. Pilih yang lain.")
    return _HASHER.hash(_normalized(password))


def _normalized(password: str) -> bytes:
    """Return the bytes of a password, the same from every keyboard."""
    return _encoded(unicodedata.normalize("NFC", password))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@cache
def _decoy() -> str:
    """Return the hash of a password that nobody knows."""
    return _HASHER.hash(secrets.token_bytes(16))


def _find(engine: sa.Engine, name: str) -> Any:
    if not _NAME.fullmatch(name):
        return None
    with transaction(engine, reads_only=True) as connection:
        return connection.execute(sa.select(users).where(users.c.name == name)).first()


def _user(row: Any) -> User:
    return User(row.name, row.role, row.session, row.created, row.changed)


def _change(
    engine: sa.Engine,
    folder: Path,
    change: str,
    name: str,
    values: Mapping[str, Any],
    *,
    actor: str,
    **details: str,
) -> None:
    with _audited(engine, folder, change, name, actor, **details) as (connection, _):
        update = users.update().where(users.c.name == name).values(**values, changed=utc_now())
        _require_found(connection.execute(update), name)


def _audited(engine: sa.Engine, folder: Path, change: str, name: str, actor: str, **details: str) -> Any:
    """Return the transaction of a change with its row of the trail, which has no name and no secret."""
    pseudonym = short_hash(keyed_hash(log_key(folder), name))
    row = {"actor": actor, "action": trail.ACCOUNT, "reason": _REASONS[change]}
    return trail.row_added(
        engine, folder, **row, details={"change": change, "user": pseudonym, **details}
    )


def _require_found(result: sa.CursorResult[Any], name: str) -> None:
    if not result.rowcount:
        raise LogError(f"Pengguna {name!r:.60} tidak ada. Lihat yang ada dengan `judul users list`.")
