"""Keys of the HTTP interface: shown once, stored as hashes, limited to scopes, revocable."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.core.clock import utc_now
from judul_lib.core.errors import ArgumentError, LogError
from judul_lib.core.settings import SCOPES
from judul_lib.governance import audit as trail
from judul_lib.governance.accounts import require_name
from judul_lib.usage.database import api_keys, transaction

KEY_START = "judul_"
_KEY_BYTES, _PREFIX_LENGTH, _MAX_LENGTH = 32, len(KEY_START) + 6, 100


@dataclass(frozen=True)
class ApiKey:
    """A key, without its secret.

    Attributes
    ----------
    name : str
        Of the system that uses it.
    prefix : str
        First characters of the key, by which its holder recognizes it.
    scopes : tuple of str
        Some of `SCOPES`.
    created : datetime
        In UTC, like the others.
    last_used : datetime or None
        To the day: a later use on the same day is not noted.
    revoked : datetime or None
    """

    name: str
    prefix: str
    scopes: tuple[str, ...]
    created: datetime
    last_used: datetime | None
    revoked: datetime | None


def add_key(
    engine: sa.Engine, folder: Path, name: str, scopes: Collection[str] = ("periksa",), *, actor: str
) -> str:
    """Add a key, and return it: it cannot be shown again.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    folder : path
        Folder of the log.
    name : str
        Of the system that uses it, as in `judul_lib.governance.accounts.require_name`.
    scopes : collection of str
        Some of `SCOPES`.
    actor : str
        A pseudonym, for the audit trail.

    Raises
    ------
    ArgumentError
        The name is not allowed, or a scope is unknown or missing.
    LogError
        There is or was such a key, or the database cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.usage.database import database_url, opened_database
    >>> with TemporaryDirectory() as name, opened_database(database_url(folder := Path(name))) as engine:
    ...     key = add_key(engine, folder, "siakad", ["periksa"], actor="0f")
    ...     verify_key(engine, key).scopes, verify_key(engine, key + "x")
    (('periksa',), None)
    """
    require_name(name)
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise ArgumentError(f"Lingkup {unknown[0]!r:.40} tidak dikenal. Pilih: {', '.join(SCOPES)}.")
    allowed = [scope for scope in SCOPES if scope in scopes]
    if not allowed:
        raise ArgumentError(f"Kunci memerlukan lingkup. Pilih: {', '.join(SCOPES)}.")
    plain = KEY_START + secrets.token_urlsafe(_KEY_BYTES)
    row = {
        "name": name, "prefix": plain[:_PREFIX_LENGTH], "key_hash": _hash(plain),
        "scopes": " ".join(allowed), "created": utc_now(),
    }  # fmt: skip
    details = {"change": "add", "key": name, "prefix": row["prefix"], "scopes": allowed}
    audit_row = {"actor": actor, "action": trail.API_KEY, "reason": "Kunci ditambahkan"}
    with trail.row_added(engine, folder, **audit_row, details=details) as (connection, _):
        if connection.execute(sa.select(api_keys.c.name).where(api_keys.c.name == name)).first():
            raise LogError(
                f"Nama kunci {name} sudah pernah dipakai. Pilih nama lain, misalnya {name[:38]}-2."
            )
        connection.execute(api_keys.insert().values(row))
    return plain


def revoke_key(engine: sa.Engine, folder: Path, name: str, *, actor: str) -> None:
    """Revoke a key at once and for good; it stays in the list.

    Raises
    ------
    LogError
        There is no such key in force, or the database cannot be used.
    """
    details = {"change": "revoke", "key": name[:40]}
    audit_row = {"actor": actor, "action": trail.API_KEY, "reason": "Kunci dicabut"}
    in_force = (api_keys.c.name == name, api_keys.c.revoked.is_(None))
    with trail.row_added(engine, folder, **audit_row, details=details) as (connection, _):
        if not connection.execute(api_keys.update().where(*in_force).values(revoked=utc_now())).rowcount:
            raise LogError(
                f"Tidak ada kunci {name!r:.60} yang berlaku. Lihat yang ada dengan `judul keys list`."
            )


def list_keys(engine: sa.Engine) -> Sequence[ApiKey]:
    """Return all keys, revoked ones too, ordered by name; `LogError` if the database cannot be used."""
    with transaction(engine, reads_only=True) as connection:
        return [_key(row) for row in connection.execute(sa.select(api_keys).order_by(api_keys.c.name))]


def has_keys(engine: sa.Engine) -> bool:
    """Return whether a key is in force; `LogError` if the database cannot be used."""
    query = sa.select(api_keys.c.name).where(api_keys.c.revoked.is_(None)).limit(1)
    with transaction(engine, reads_only=True) as connection:
        return connection.execute(query).first() is not None


def verify_key(engine: sa.Engine, plain: str) -> ApiKey | None:
    """Return the key in force that somebody presents, or None; the day of its use is noted.

    The database is searched for the hash, so that the time of the answer tells nothing of the key.

    Raises
    ------
    LogError
        The database cannot be used.
    """
    if not plain.startswith(KEY_START) or len(plain) > _MAX_LENGTH:
        return None
    is_it = (api_keys.c.key_hash == _hash(plain), api_keys.c.revoked.is_(None))
    with transaction(engine, reads_only=True) as connection:
        row = connection.execute(sa.select(api_keys).where(*is_it)).first()
    if row is None:
        return None
    now = utc_now()
    if row.last_used is None or row.last_used.date() != now.date():
        try:
            with transaction(engine) as connection:
                connection.execute(api_keys.update().where(*is_it).values(last_used=now))
        except LogError:
            pass  # Another process is writing; a later use is noted.
    return _key(row)


def _hash(plain: str) -> str:
    """Return the hash of a key; 32 random bytes cannot be guessed, so that a fast one will do."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Any) -> ApiKey:
    scopes = tuple(row.scopes.split())
    return ApiKey(row.name, row.prefix, scopes, row.created, row.last_used, row.revoked)
