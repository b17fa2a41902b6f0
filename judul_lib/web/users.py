"""The users of an installation, as the page asks for them."""

from judul_lib.core.config import Config
from judul_lib.core.pseudonyms import log_key
from judul_lib.governance import accounts
from judul_lib.governance.accounts import User
from judul_lib.governance.throttle import Throttle
from judul_lib.usage.database import database_url, opened_database
from judul_lib.usage.installation import has_log
from judul_lib.web.service import Service


def has_stored_users(config: Config) -> bool:
    """Return whether an installation has users; nothing is created where there is no log.

    Raises
    ------
    LogError
        The database of the log cannot be used.
    """
    url = database_url(config.logs)
    if not has_log(config.logs, url):
        return False
    with opened_database(url) as engine:
        return accounts.has_users(engine)


class StoredUsers:
    """The users in the database of the log, where there is one.

    Parameters
    ----------
    service : Service
        Started in this process.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def has_users(self) -> bool:
        """Whether there is any user."""
        return self._has_database() and accounts.has_users(self._service.database())

    def verify(self, name: str, password: str) -> User | None:
        """Return the user of that name if the password is theirs."""
        return (
            accounts.verify(self._service.database(), name, password) if self._has_database() else None
        )

    def find_session(self, name: str, session: str) -> User | None:
        """Return the user of a session, unless it has ended."""
        if not self._has_database():
            return None
        return accounts.find_session(self._service.database(), name, session)

    def _has_database(self) -> bool:
        folder = self._service.config.logs
        return has_log(folder, database_url(folder))


def shared_throttle(service: Service) -> Throttle | None:
    """Return the throttle that all processes share; None where there is no log to keep it in."""
    folder = service.config.logs
    if not service.config.log and not has_log(folder, database_url(folder)):
        return None
    return Throttle(service.database(), log_key(folder))
