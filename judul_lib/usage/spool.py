"""Rows that wait in a file, one unit per line, until the database can take them."""

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
_DAMAGE_ERRORS = (ValueError, TypeError, AttributeError, KeyError, RecursionError)
TableRows = dict[str, list[dict[str, Any]]]
"""A unit: rows by table name, inserted together or not at all."""


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
    ...     with locked_spool(folder) as (units, damaged, clear):
    ...         units, damaged
    ...         clear()
    ...     has_spooled(folder)
    ([{'feedback': []}], [])
    False
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = encode_unit(unit) + b"\n"
    with _open_locked(folder / SPOOL_FILE) as stream:
        size = stream.seek(0, os.SEEK_END)
        if size:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # A writer was killed in the middle of its line.
                line = b"\n" + line
        if (stream.write(line) or 0) < len(line):
            stream.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _open_locked(path: Path) -> Iterator[io.FileIO]:
    """Open a file for this process alone, unbuffered: a write reaches the file or raises."""
    with (
        file_lock(path.with_name(".spool.lock")),
        io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as stream,
    ):
        yield stream


def encode_unit(unit: TableRows) -> bytes:
    """Return a unit as a line of the spool, as short as JSON can be."""
    return json.dumps(
        unit, ensure_ascii=False, separators=(",", ":"), default=datetime.isoformat
    ).encode()


def quarantine_lines(folder: Path, lines: Iterable[bytes]) -> None:
    """Append lines that cannot be inserted to a file of their own.

    Raises
    ------
    OSError
        No permission, disk full.
    """
    handle = os.open(folder / DAMAGED_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "ab") as stream:
        stream.writelines(line + b"\n" for line in lines)


def has_spooled(folder: Path) -> bool:
    """Return whether the spool holds anything."""
    try:
        return (folder / SPOOL_FILE).stat().st_size > 0
    except OSError:
        return False


@contextmanager
def locked_spool(folder: Path) -> Iterator[tuple[list[TableRows], list[bytes], Callable[[], None]]]:
    """Yield the units in the spool, its damaged lines, and a function that clears it.

    Other processes wait until the block ends.
    """
    if not has_spooled(folder):
        yield [], [], lambda: None
        return
    with _open_locked(folder / SPOOL_FILE) as stream:
        units, damaged = [], []
        for line in filter(None, stream.readall().split(b"\n")):
            try:
                units.append(_read_unit(line))
            except _DAMAGE_ERRORS:
                damaged.append(line)

        def clear() -> None:
            stream.truncate(0)

        yield units, damaged, clear


def edit_spool(
    folder: Path, edit: Callable[[TableRows], TableRows], keep_damaged_line: Callable[[str], bool]
) -> None:
    """Remove rows from the spool and from the file of damaged lines.

    They are overwritten in place, since another process may have the file
    open; readers skip the empty lines that are left.

    Parameters
    ----------
    edit : callable
        Takes a unit and returns what is kept of it.
    keep_damaged_line : callable
        Takes a line that cannot be read; false removes it.
    """
    for name in (SPOOL_FILE, DAMAGED_FILE):
        if not (folder / name).exists():
            continue
        with _open_locked(folder / name) as stream:
            offset = 0
            for line in stream.readall().split(b"\n"):
                kept = _edit_line(line, edit, keep_damaged_line) if line else line
                if kept != line:
                    stream.seek(offset)
                    stream.write(kept.ljust(len(line), b"\n"))
                offset += len(line) + 1
            os.fsync(stream.fileno())


def _edit_line(
    line: bytes, edit: Callable[[TableRows], TableRows], keep_damaged_line: Callable[[str], bool]
) -> bytes:
    try:
        unit = _read_unit(line)
    except _DAMAGE_ERRORS:
        return line if keep_damaged_line(line.decode("utf-8", "replace")) else b""
    kept = {name: rows for name, rows in edit(unit).items() if rows}
    if kept == unit:
        return line
    return encode_unit(kept) if kept else b""


def _read_unit(line: bytes) -> TableRows:
    """Return the unit of a line, whose rows the tables can take; others would wait for ever.

    Raises
    ------
    ValueError, TypeError, AttributeError, KeyError, RecursionError
        No JSON, unknown tables or columns, a key or time is missing, or the line is shorter than
        `encode_unit` would write it, so that an edited one might not fit in its place.
    """
    from judul_lib.usage.database import USAGE_TABLES

    unit: TableRows = json.loads(line.decode("utf-8"))
    for name, rows in unit.items():
        table = USAGE_TABLES[name]
        for row in rows:
            if not ({c.name for c in table.primary_key} <= row.keys() <= set(table.c.keys())):
                raise ValueError(f"columns of {name}")
            if not all(_is_plain(value, table.c[column].type) for column, value in row.items()):
                raise ValueError("not a plain value")
            if "time" in table.c:
                row["time"] = datetime.fromisoformat(row["time"])
                if row["time"].tzinfo is not None:
                    raise ValueError("time with a zone")
    if len(encode_unit(unit)) > len(line):  # Raises ValueError for lone surrogates, too.
        raise ValueError("shorter than an edited line could be")
    return unit


def _is_plain(value: Any, kind: "TypeEngine[Any]") -> bool:
    """Return whether both databases store a value alike, or reject it as a wrong value."""
    if isinstance(value, bool):  # SQLite stores 1; PostgreSQL rejects the statement, not the value.
        return kind.python_type is bool
    return value is None or isinstance(value, str | int | float)
