"""Waiting times after wrong logins, per address and per user name, shared by all processes.

Addresses and names are stored as keyed hashes only, and expire an hour after the last failure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Network, ip_address

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from judul_lib.core.clock import utc_now
from judul_lib.core.pseudonyms import keyed_hash
from judul_lib.usage.database import login_failures, transaction

MAX_WAIT = 900.0
"""Seconds that one waits at most."""
FREE_FAILURES: Mapping[str, int] = {"alamat": 20, "nama": 3}
"""Wrong logins without a wait; many people of a campus may share an address."""
_EXPIRY = timedelta(hours=1)
_ADVISORY_LOCK = 7485


def waiting_time(failures: int, free: int) -> float:
    """Return the seconds to wait after the last of some failures.

    Examples
    --------
    >>> [waiting_time(failures, 3) for failures in (3, 4, 5, 6, 100)]
    [0.0, 2.0, 4.0, 8.0, 900.0]
    """
    if failures <= free:
        return 0.0
    return min(MAX_WAIT, 2.0 ** min(failures - free, 60))


@dataclass(frozen=True)
class Throttle:
    """Wrong logins by address and by name.

    Ask `wait_for` before a password is verified, and tell `failed` or `succeeded` afterwards. A
    process should verify one password at a time: all that it has begun are verified.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    key : bytes
        From `judul_lib.core.pseudonyms.log_key`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.usage.database import database_url, opened_database
    >>> with TemporaryDirectory() as folder, opened_database(database_url(Path(folder))) as engine:
    ...     throttle = Throttle(engine, b"key")
    ...     for _ in range(5):
    ...         throttle.failed("192.0.2.1", "siti")
    ...     3 < throttle.wait_for("192.0.2.2", "siti") <= 4, throttle.wait_for("192.0.2.1", "budi")
    (True, 0.0)
    """

    engine: sa.Engine
    key: bytes

    def wait_for(self, address: str, name: str) -> float:
        """Return the seconds until an address may try a name again, 0 for now.

        Parameters
        ----------
        address : str
            Of the visitor.
        name : str
            Of a user, who need not exist; empty where there is none, as with a token.

        Raises
        ------
        LogError
            The database cannot be used.
        """
        subjects = self._subjects(address, name)
        query = sa.select(login_failures).where(login_failures.c.subject.in_(subjects))
        with transaction(self.engine, reads_only=True) as connection:
            rows = connection.execute(query).all()
        now = utc_now()
        waits = [0.0]
        for row in rows:
            passed = max((now - row.time).total_seconds(), 0.0)  # The clock may have been set back.
            if passed < _EXPIRY.total_seconds():
                waits.append(waiting_time(row.failures, subjects[row.subject]) - passed)
        return max(waits)

    def failed(self, address: str, name: str) -> None:
        """Count a wrong login; parameters and errors as in `wait_for`."""
        now = utc_now()
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        with transaction(self.engine) as connection:
            if dialect is postgresql:
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            connection.execute(login_failures.delete().where(login_failures.c.time < now - _EXPIRY))
            for subject in self._subjects(address, name):
                row = {"subject": subject, "failures": 1, "time": now}
                once_more = {"failures": login_failures.c.failures + 1, "time": now}
                insert = dialect.insert(login_failures).values(row)
                connection.execute(
                    insert.on_conflict_do_update(index_elements=["subject"], set_=once_more)
                )

    def succeeded(self, address: str, name: str) -> None:
        """Forget the failures of a name; parameters and errors as in `wait_for`.

        Those of the address stay: whoever has an account could otherwise guess on for others.
        """
        subject = list(self._subjects(address, name))[-1]
        with transaction(self.engine, reads_only=True) as connection:
            is_it = login_failures.c.subject == subject
            if not name or not connection.execute(sa.select(login_failures).where(is_it)).first():
                return
        with transaction(self.engine) as connection:
            connection.execute(login_failures.delete().where(is_it))

    def _subjects(self, address: str, name: str) -> dict[str, int]:
        """Return the hash of the address, then of the name if there is one, with their free failures."""
        of = {"alamat": _network(address), "nama": name}
        return {
            keyed_hash(self.key, f"{kind} {text}"): FREE_FAILURES[kind]
            for kind, text in of.items()
            if text or kind == "alamat"
        }


def _network(address: str) -> str:
    """Return an address, or the first half of an IPv6 address: one visitor has all the others."""
    try:
        parsed = ip_address(address)
    except ValueError:  # Such as "testclient".
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed), 64), strict=False))
