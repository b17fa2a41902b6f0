"""Atomic writes, locks, CSV text, and folders replaced as a whole."""

import csv
import errno
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from filelock import FileLock

from judul_lib.core.errors import LogError

if TYPE_CHECKING:
    import pandas as pd

TEMPORARY_SUFFIX, _PREVIOUS_SUFFIX = ".tmp", ".previous"
"""How the name of a file ends that is still being written."""
_Quoting: TypeAlias = Literal[0, 1, 2, 3]
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d[\d.,]*")
_INNER_START = re.compile(r"([;\t\r\n]\s*)(?=[=+\-@])")
# Of a rename to a folder that a reader has restored in the meantime.
_TARGET_EXISTS_ERRNOS = (errno.EEXIST, errno.ENOTEMPTY)


def file_lock(path: Path, *, wait: bool = True) -> FileLock:
    """Return a lock that one process or thread at a time holds; it ends with the process.

    Parameters
    ----------
    wait : bool
        Wait for another holder; else ``TimeoutError`` is raised at once.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, file_lock(Path(folder) / "lock") as lock:
    ...     lock.is_locked
    True
    """
    return FileLock(path, timeout=-1 if wait else 0, mode=0o600, poll_interval=0.01)


@contextmanager
def exclusive_lock(path: Path, refusal: Exception, *, keep: bool = False) -> Iterator[None]:
    """Hold the lock at `path`; raise `refusal` at once if another process holds it.

    Parameters
    ----------
    keep : bool
        Leave the lock file at the end.

    Raises
    ------
    OSError
        The folder is missing, no permission.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "lock"
    ...     with exclusive_lock(path, RuntimeError("sedang dipakai")):
    ...         path.exists()
    True
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(path, wait=False))
        except TimeoutError as error:
            raise refusal from error
        try:
            yield
        finally:
            if not keep:
                with suppress(OSError):  # Windows does not remove open files.
                    path.unlink()


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def content_version(sha256: str) -> str:
    """Return the version of data: the first eight digits of its hash."""
    return sha256[:8]


def write_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> bool:
    """Write a file atomically, unless it holds the same bytes; return whether it was written.

    Parameters
    ----------
    mode : int
        Permissions; with 0o600 nobody else can read the file at any moment.

    Raises
    ------
    OSError
        Disk full, no permission; an existing file is unchanged.
    """
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, mode=mode) as stream:
        stream.write(content)
    return True


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o600) -> Iterator[io.BufferedRandom]:
    """Open a file for writing and reading back; it replaces ``path`` when the block ends without error.

    Parameters
    ----------
    path : path
        In an existing folder.
    mode : int
        Permissions; nobody else can read the file before it is complete.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "judul.txt"
    ...     with atomic_file(path) as stream:
    ...         _ = stream.write(b"Deteksi")
    ...     path.read_bytes()
    b'Deteksi'
    """
    handle, temporary = tempfile.mkstemp(TEMPORARY_SUFFIX, f".{path.name}.", path.parent)
    try:
        with os.fdopen(handle, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def escape_formula(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    References
    ----------
    OWASP, *CSV Injection*.

    Examples
    --------
    >>> escape_formula("=1+1")
    "'=1+1"
    >>> escape_formula("Beras;=1+1")
    "Beras;'=1+1"
    >>> escape_formula("-0,5")
    '-0,5'
    >>> escape_formula("Analisis Sentimen")
    'Analisis Sentimen'
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    # In a file read with another separator, text after an inner separator is a cell of its own.
    value = _INNER_START.sub(r"\1'", value)
    return "'" + value if value.startswith(_FORMULA_START) else value


def escape_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Apply `escape_formula` to the cells and column names of a table.

    Examples
    --------
    >>> import pandas as pd
    >>> escape_formulas(pd.DataFrame({"=A": ["=1+1", "Deteksi"]})).to_dict("list")
    {"'=A": ["'=1+1", 'Deteksi']}
    """
    return frame.map(escape_formula).rename(columns=escape_formula)


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    r"""Return rows as CSV text with a header.

    Examples
    --------
    >>> csv_text([{"Judul": "Deteksi, Cepat"}], ["Judul"])
    'Judul\n"Deteksi, Cepat"\n'
    """
    rows = list(rows)

    def write(quoting: _Quoting) -> str:
        stream = io.StringIO()
        writer = csv.DictWriter(
            stream, columns, lineterminator="\n", extrasaction="ignore", quoting=quoting
        )
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()

    return _quote_if_needed(write)


def frame_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Return a table as CSV text, the same on every system."""
    return _quote_if_needed(
        lambda quoting: frame.to_csv(None, index=False, lineterminator="\n", quoting=quoting, **options)
    )


def write_result(frame: "pd.DataFrame", path: Path, *, mode: int = 0o644) -> None:
    """Write a table for people, its formulas escaped.

    As XLSX if the name ends so, else as CSV with a BOM, by which spreadsheets know UTF-8.
    """
    if path.suffix.lower() == ".xlsx":
        write_bytes(path, _workbook_bytes(escape_formulas(frame)), mode=mode)
        return
    write_bytes(path, frame_text(escape_formulas(frame)).encode("utf-8-sig"), mode=mode)


def _workbook_bytes(frame: "pd.DataFrame") -> bytes:
    """Return a table as a workbook of one sheet, its header fixed and bold."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Hasil")
    sheet.freeze_panes = "A2"
    names = [ILLEGAL_CHARACTERS_RE.sub("", name) for name in frame.columns]
    for position, name in enumerate(names):
        longest = int(frame.iloc[:, position].astype(str).str.len().max()) if len(frame) else 0
        width = min(60, max(8, longest, len(name)) + 2)
        sheet.column_dimensions[get_column_letter(position + 1)].width = width
    header = [WriteOnlyCell(sheet, name) for name in names]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    for row in frame.astype(object).where(frame.notna(), None).itertuples(index=False):
        cells = (ILLEGAL_CHARACTERS_RE.sub("", v)[:32_767] if isinstance(v, str) else v for v in row)
        sheet.append(list(cells))
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _quote_if_needed(write: Callable[[_Quoting], str]) -> str:
    """Quote all texts if one contains a carriage return, which `csv` would leave unquoted.

    Readers take it as the end of a line.
    """
    text = write(csv.QUOTE_MINIMAL)
    return write(csv.QUOTE_NONNUMERIC) if "\r" in text else text


def csv_with_escaped_formulas(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return at least one row as CSV text with `escape_formula` applied; the first gives the columns.

    Examples
    --------
    >>> csv_with_escaped_formulas([{"Judul": "=1+1"}])
    "Judul\n'=1+1\n"
    """
    cells = ({name: escape_formula(value) for name, value in row.items()} for row in rows)
    return csv_text(cells, list(rows[0]))


def replace_folder(new: Path, target: Path) -> None:
    """Replace a folder by a finished new one.

    Between the two renames the old folder has a hidden name; `recover_folder`
    restores it if the process dies at that moment.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     new, target = Path(name, "new"), Path(name, "light")
    ...     write_bytes(new / "a.txt", b"2"), write_bytes(target / "a.txt", b"1")
    ...     replace_folder(new, target)
    ...     (target / "a.txt").read_bytes(), new.exists()
    (True, True)
    (b'2', False)
    """
    previous = _previous_path(target)
    recover_folder(target)
    if previous.exists():
        shutil.rmtree(previous)
    while True:
        if target.exists():
            target.rename(previous)
        try:
            new.rename(target)
        except OSError as error:
            if error.errno not in _TARGET_EXISTS_ERRNOS:
                raise
        else:
            break
    shutil.rmtree(previous, ignore_errors=True)


def files_in(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Yield the files and links below a folder except hidden ones, each with its path below `name`."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files_in(path, f"{name}/{path.name}")
        else:
            yield path, f"{name}/{path.name}"


def refuse_overwrite(path: Path, *, force: bool) -> None:
    """Refuse to overwrite a file.

    Raises
    ------
    LogError
        The file exists and `force` is not set.
    """
    if path.exists() and not force:
        raise LogError(f"{path} sudah ada, jadi tidak ditimpa. Pilih nama lain, atau tambahkan --force.")


def recover_folder(target: Path) -> None:
    """Undo a `replace_folder` that was killed between its two renames."""
    if not target.exists() and _previous_path(target).is_dir():
        try:
            _previous_path(target).rename(target)
        except OSError as error:
            # It was not killed, and has finished in the meantime.
            if error.errno not in (errno.ENOENT, *_TARGET_EXISTS_ERRNOS):
                raise


def remove_unfinished_writes(folder: Path, pattern: str = "*") -> None:
    """Clean up after `write_bytes` and `replace_folder` that were killed; exclude other writers first.

    Parameters
    ----------
    pattern : str
        Glob of the names of the files and folders that were written.
    """
    for temporary in folder.glob(f".{pattern}.*{TEMPORARY_SUFFIX}"):
        temporary.unlink(missing_ok=True)
    for previous in folder.glob(f".{pattern}{_PREVIOUS_SUFFIX}"):
        recover_folder(
            previous.with_name(previous.name.removeprefix(".").removesuffix(_PREVIOUS_SUFFIX))
        )
        shutil.rmtree(previous, ignore_errors=True)


def _previous_path(target: Path) -> Path:
    return target.with_name(f".{target.name}{_PREVIOUS_SUFFIX}")
