"""Rows of the log that wait in a file, one unit a line, until the database can take them."""

import errno
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judul_lib.core.storage import file_lock

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

SPOOL_FILE, DAMAGED_FILE = "spool.jsonl", "spool.rusak.jsonl"
_LOCK_FILE = ".spool.lock"
# Of bytes that are no UTF-8: read and written without a change.
_DECODING_ERRORS = "surrogateescape"
_DAMAGE_ERRORS = (ValueError, TypeError, AttributeError, KeyError, RecursionError)
TableRows = dict[str, list[dict[str, Any]]]
"""Rows by the name of their table; they are taken in together or not at all."""


def append_to_spool(folder: Path, unit: TableRows) -> None:
    """Append a unit as one line.

    Raises
    ------
    OSError
        No permission, disk full.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     append_to_spool(folder := Path(name), {"feedback": []})
    ...     with locked_spool(folder) as (units, damaged, empty):
    ...         units, damaged
    ...         empty()
    ...     has_spooled(folder)
    ([{'feedback': []}], [])
    False
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = (spool_line(unit) + "\n").encode()
    with file_lock(folder / _LOCK_FILE), _open_unbuffered(folder / SPOOL_FILE) as stream:
        size = stream.seek(0, os.SEEK_END)
        if size and _last_byte(stream) != b"\n":
            line = b"\n" + line  # A writer was killed within its line.
        if (stream.write(line) or 0) < len(line):
            stream.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_unbuffered(path: Path) -> io.FileIO:
    """Open a file without a buffer, for its owner only: what is written is written, or raises."""
    return io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")


def _last_byte(stream: io.FileIO) -> bytes:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1)


def spool_line(unit: TableRows) -> str:
    """Return a unit as a line of the spool."""
    return json.dumps(unit, ensure_ascii=False, default=datetime.isoformat)


def quarantine_lines(folder: Path, lines: Iterable[str]) -> None:
    """Append lines that cannot be taken in to a file of their own.

    Raises
    ------
    OSError
        No permission, disk full.
    """
    handle = os.open(folder / DAMAGED_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8", errors=_DECODING_ERRORS) as stream:
        stream.writelines(f"{line}\n" for line in lines)


def has_spooled(folder: Path) -> bool:
    """Tell whether something waits in the spool."""
    try:
        return (folder / SPOOL_FILE).stat().st_size > 0
    except OSError:
        return False


@contextmanager
def locked_spool(folder: Path) -> Iterator[tuple[list[TableRows], list[str], Callable[[], None]]]:
    """Give the units in the spool, damaged lines, and what empties it; others wait meanwhile."""
    if not has_spooled(folder):
        yield [], [], lambda: None
        return
    with file_lock(folder / _LOCK_FILE), _open_unbuffered(folder / SPOOL_FILE) as stream:
        units, damaged = [], []
        for line in filter(None, stream.readall().split(b"\n")):
            try:
                units.append(_read_unit(line))
            except _DAMAGE_ERRORS:
                damaged.append(line.decode("utf-8", _DECODING_ERRORS))

        def empty() -> None:
            stream.truncate(0)

        yield units, damaged, empty


def edit_spool(
    folder: Path, edit: Callable[[TableRows], TableRows], keep_damaged_line: Callable[[str], bool]
) -> None:
    """Take rows out of the spool and out of the file of damaged lines.

    What goes is overwritten where it stands, since another process may have the
    file open; an empty line means nothing.

    Parameters
    ----------
    edit : callable
        Takes a unit and returns what is kept of it.
    keep_damaged_line : callable
        Tells whether a line that cannot be read is kept.
    """
    for name in (SPOOL_FILE, DAMAGED_FILE):
        if (folder / name).exists():
            with file_lock(folder / _LOCK_FILE), _open_unbuffered(folder / name) as stream:
                _edit_lines(stream, edit, keep_damaged_line)


def _edit_lines(
    stream: io.FileIO, edit: Callable[[TableRows], TableRows], keep_damaged_line: Callable[[str], bool]
) -> None:
    offset = 0
    for line in stream.readall().split(b"\n"):
        kept = _edited(line, edit, keep_damaged_line) if line else line
        if kept != line:
            stream.seek(offset)
            stream.write(kept.ljust(len(line), b"\n"))
        offset += len(line) + 1
    os.fsync(stream.fileno())


def _edited(
    line: bytes, edit: Callable[[TableRows], TableRows], keep_damaged_line: Callable[[str], bool]
) -> bytes:
    try:
        unit = _read_unit(line)
    except _DAMAGE_ERRORS:
        return line if keep_damaged_line(line.decode("utf-8", _DECODING_ERRORS)) else b""
    kept = {name: rows for name, rows in edit(unit).items() if rows}
    if kept == unit:
        return line
    return _compact_json(kept) if kept else b""


def _compact_json(unit: TableRows) -> bytes:
    """Return a unit without blanks: what is kept of a line takes its place."""
    return json.dumps(
        unit, ensure_ascii=False, separators=(",", ":"), default=datetime.isoformat
    ).encode()


def _read_unit(line: bytes) -> TableRows:
    """Read a line as rows that the tables can have: what fits none of them would wait for ever.

    Raises
    ------
    ValueError, TypeError, AttributeError, KeyError, RecursionError
        There are none: other tables or columns, no time, no text, or longer in the form of the log.
    """
    from judul_lib.usage.database import USAGE_TABLES

    unit: TableRows = json.loads(line.decode("utf-8"))
    for name, rows in unit.items():
        table = USAGE_TABLES[name]
        for row in rows:
            if not ({c.name for c in table.primary_key} <= row.keys() <= set(table.c.keys())):
                raise ValueError(f"no row of {name}")
            if not all(_is_plain(value, table.c[column].type) for column, value in row.items()):
                raise ValueError("not a plain value")
            if "time" in table.c:
                row["time"] = datetime.fromisoformat(row["time"])
                if row["time"].tzinfo is not None:
                    raise ValueError("not in UTC without a zone")
    if len(_compact_json(unit)) > len(line):  # Half a letter is no text: this finds that too.
        raise ValueError("what is kept of it would have no room")
    return unit


def _is_plain(value: Any, kind: "TypeEngine[Any]") -> bool:
    """Tell whether each database takes a value for the same, or says that the value is wrong."""
    if isinstance(value, bool):  # SQLite has 1 for it; PostgreSQL refuses the statement, not the value.
        return kind.python_type is bool
    return value is None or isinstance(value, str | int | float)
