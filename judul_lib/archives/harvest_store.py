"""What has been harvested from a repository, and how far: an SQLite file, one transaction a page."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from judul_lib.archives.dublin_core import HarvestedRecord
from judul_lib.core.errors import ArchiveError

_RECORD_FIELDS = [field.name for field in fields(HarvestedRecord) if field.name != "is_deleted"]
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS records ({", ".join(_RECORD_FIELDS)}, PRIMARY KEY (identifier));
CREATE TABLE IF NOT EXISTS progress (content TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Progress:
    """How far a harvest has come.

    Attributes
    ----------
    url, set_spec : str
        What is harvested.
    types : tuple of str
        Types that are kept for the archive.
    token : str
        Asks for the next page of the running list; ``""`` if no list is running.
    list_from : str
        Date from which the running list was requested, or ``""``.
    list_started : str
        The repository's clock at the first page of the running list.
    n_received : int
        Records of the running list, deleted ones included.
    size : int or None
        What the repository says that the running list contains.
    next_from : str
        Date from which the next list has to be requested; ``""`` before the first is complete.
    """

    url: str
    set_spec: str = ""
    types: tuple[str, ...] = ()
    token: str = ""
    list_from: str = ""
    list_started: str = ""
    n_received: int = 0
    size: int | None = None
    next_from: str = ""


class HarvestStore:
    """The records harvested so far; a killed process leaves the state after its last whole page.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> records = [HarvestedRecord("oai:x:1", title="Hama Padi")]
    >>> with TemporaryDirectory() as folder, HarvestStore.open(Path(folder, "a.sqlite")) as store:
    ...     store.save(records, Progress("https://x.example/oai"))
    ...     [record.title for record in store.records()], store.progress().url
    (['Hama Padi'], 'https://x.example/oai')
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["HarvestStore"]:
        """Open a store, created if it is missing.

        Raises
        ------
        ArchiveError
            The file is damaged, or cannot be written.
        """
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.executescript(_SCHEMA)
                yield cls(connection)
        except sqlite3.DatabaseError as error:
            raise ArchiveError(
                f"Hasil panen {path} tidak dapat dipakai ({error}). Periksa ruang disk dan hak "
                "aksesnya; bila berkas itu rusak, hapus, lalu panen lagi."
            ) from error

    def progress(self) -> Progress | None:
        """Return how far the harvest has come; None in a new store."""
        row = self._connection.execute("SELECT content FROM progress").fetchone()
        if row is None:
            return None
        values = json.loads(row[0])
        return Progress(**values | {"types": tuple(values["types"])})

    def save(self, records: list[HarvestedRecord], progress: Progress) -> None:
        """Keep the records of a page, forget deleted ones, and note the progress, all or nothing."""
        kept = [record for record in records if not record.is_deleted]
        deleted = [(record.identifier,) for record in records if record.is_deleted]
        holes = ", ".join("?" * len(_RECORD_FIELDS))
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                f"INSERT OR REPLACE INTO records VALUES ({holes})",  # noqa: S608 (only question marks)
                map(_row, kept),
            )
            self._connection.executemany("DELETE FROM records WHERE identifier = ?", deleted)
            self._connection.execute("DELETE FROM progress")
            self._connection.execute("INSERT INTO progress VALUES (?)", [json.dumps(asdict(progress))])
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def records(self) -> Iterator[HarvestedRecord]:
        """Yield the records in the order of their identifiers."""
        for row in self._connection.execute("SELECT * FROM records ORDER BY identifier"):
            values = dict(zip(_RECORD_FIELDS, row, strict=True))
            for name in ("other_titles", "types"):
                values[name] = tuple(json.loads(values[name]))
            yield HarvestedRecord(**values)

    def n_records(self) -> int:
        """Return the number of records."""
        return int(self._connection.execute("SELECT count(*) FROM records").fetchone()[0])


def _row(record: HarvestedRecord) -> list[str]:
    values = [getattr(record, name) for name in _RECORD_FIELDS]
    return [json.dumps(value) if isinstance(value, tuple) else value for value in values]
