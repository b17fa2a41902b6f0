"""What is done to models, each together with its row in the audit trail: both, or neither.

The row is added before anything is changed and committed after it; where that
fails, a switch is put back. A process that is killed between the two has
switched without a row: ``history.json`` knows of it, and the next switch of
that model brings the row in.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.checking.registry import read_metadata
from judul_lib.checking.versions import list_versions, version_folder
from judul_lib.core.errors import LogError
from judul_lib.governance import audit, promotions
from judul_lib.usage.database import PATIENCE, opened_database, transaction
from judul_lib.usage.database import audit as table

# Who made a switch whose row is brought in later; only the approver is known.
_UNKNOWN = "tidak diketahui"


@dataclass(frozen=True)
class Trail:
    """The audit trail, as somebody who works here writes it.

    Attributes
    ----------
    url : str
        Of the database.
    folder : path
        The log's.
    actor : str
        A pseudonym.
    warn : callable
        Takes a sentence.
    """

    url: str
    folder: Path
    actor: str
    warn: Callable[[str], None] = lambda sentence: None

    @contextmanager
    def noting(self, action: str, *, reason: str, details: Mapping[str, Any]) -> Iterator[None]:
        """Add a row to the trail, unless the block fails.

        Raises
        ------
        LogError
            The database cannot be used, or there is no reason.
        """
        with self.transaction() as connection:
            audit.add(
                connection, self.folder, actor=self.actor, action=action, reason=reason, details=details
            )
            yield

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Give a transaction for several rows."""
        with opened_database(self.url, warn=self.warn, lock_wait=PATIENCE) as engine:
            with transaction(engine) as connection:
                yield connection
            try:
                audit.advance_head(engine, self.folder)
            except (OSError, LogError) as error:  # The rows stand; the next one will do it.
                self.warn(f"Peringatan: ujung jejak audit belum dicatat ({error}).")


def promote(
    trail: Trail, outputs: Path, name: str, version: str, *, reason: str, approver: str
) -> dict[str, Any]:
    """Promote a version and note it; see `judul_lib.governance.promotions.promote`.

    Raises
    ------
    LogError
        The switch cannot be noted; the version from before answers then.
    ModelError
        As in `judul_lib.governance.promotions.promote`; nothing is noted then.
    """
    noting = partial(_noting, trail, outputs, name)
    return promotions.promote(outputs, name, version, reason=reason, approver=approver, noting=noting)


def rollback(trail: Trail, outputs: Path, name: str, *, reason: str, approver: str) -> dict[str, Any]:
    """Roll back and note it; see `promote`."""
    noting = partial(_noting, trail, outputs, name)
    return promotions.rollback(outputs, name, reason=reason, approver=approver, noting=noting)


def without_row(connection: sa.Connection, outputs: Path, name: str) -> dict[str, Any] | None:
    """Return the last switch of a model if the audit trail does not tell of it, or None."""
    past = promotions.history(outputs, name)
    if not past:
        return None
    last = {"model": name} | {key: past[-1][key] for key in ("version", "previous", "deployed")}
    query = sa.select(table.c.details).where(table.c.action == past[-1]["action"])
    rows = map(audit.read_details, connection.execute(query).scalars())
    return None if any(last.items() <= row.items() for row in rows) else past[-1]


@contextmanager
def _noting(trail: Trail, outputs: Path, name: str, entry: Mapping[str, Any]) -> Iterator[None]:
    with trail.transaction() as connection:
        if late := without_row(connection, outputs, name):
            audit.add(connection, trail.folder, actor=_UNKNOWN, **_row(outputs, name, late))
        audit.add(connection, trail.folder, actor=trail.actor, **_row(outputs, name, entry))
        yield


def _row(outputs: Path, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    def metrics(version: str | None) -> Any:
        if version is None or version not in list_versions(outputs, name):
            return None
        return promotions.metrics_of(read_metadata(version_folder(outputs, name, version))) or None

    told = {key: entry[key] for key in ("version", "previous", "approver", "deployed")}
    details = {
        "model": name,
        **told,
        "old": metrics(entry["previous"]),
        "new": metrics(entry["version"]),
    }
    return {"action": entry["action"], "reason": entry["reason"], "details": details}
