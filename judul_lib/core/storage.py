"""Files written whole or not at all, by one writer at a time."""

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


def file_lock(path: Path, *, wait: bool = True) -> FileLock:
    """Return a lock that one process or thread at a time holds, to be used with ``with``.

    The lock goes with the process that holds it, also when that is killed.

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
    """Hold the lock at `path`; raise `refusal` at once where another process holds it.

    Parameters
    ----------
    refusal : Exception
        Tells a person who else works with what the file stands for.
    keep : bool
        Leave the file there at the end.

    Raises
    ------
    OSError
        The folder is not there, no permission.

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
                with suppress(OSError):  # Windows lets nobody remove an open file.
                    path.unlink()


_Quoting: TypeAlias = Literal[0, 1, 2, 3]
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
# Of a rename to a folder that a reader has brought back in between.
_TARGET_EXISTS_ERRNOS = (errno.EEXIST, errno.ENOTEMPTY)
TEMPORARY_SUFFIX, _PREVIOUS = ".tmp", ".previous"
"""How the name of a file ends that is still being written."""
_NUMBER = re.compile(r"[+-]?\d[\d.,]*")
_INNER_START = re.compile(r"([;\t\r\n]\s*)(?=[=+\-@])")


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def content_version(sha256: str) -> str:
    """Return the version of data: eight digits of its hash.

    A number that somebody counts up can be forgotten, and a file's day is that
    of its copy; other content always has another hash.

    Examples
    --------
    >>> content_version(sha256_of(b"Judul"))
    '93b40491'
    """
    return sha256[:8]


def write_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> bool:
    """Write a file whole or not at all; leave it alone when it holds the same bytes already.

    Parameters
    ----------
    mode : int
        Who may read it; 0o600 for its owner only, from the first byte on.

    Returns
    -------
    bool
        Whether the file was written.

    Raises
    ------
    OSError
        Disk full, no permission; an earlier file is then as it was.
    """
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(TEMPORARY_SUFFIX, f".{path.name}.", path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def escape_formula(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Source: OWASP, *CSV Injection*.

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
    # Where a semicolon parts the cells, what follows one inside a text is a cell of its own.
    value = _INNER_START.sub(r"\1'", value)
    return "'" + value if value.startswith(_FORMULA_START) else value


def escape_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table that a spreadsheet runs nothing of: neither its cells nor its column names.

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

    def written(quoting: _Quoting) -> str:
        stream = io.StringIO()
        writer = csv.DictWriter(
            stream, columns, lineterminator="\n", extrasaction="ignore", quoting=quoting
        )
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()

    return _quoted_where_needed(written)


def frame_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Return a table as CSV text, the same on every system."""
    return _quoted_where_needed(
        lambda quoting: frame.to_csv(None, index=False, lineterminator="\n", quoting=quoting, **options)
    )


def write_result(frame: "pd.DataFrame", path: Path) -> None:
    """Write a table for people: their spreadsheet runs nothing of it, and reads its accents.

    The mark in front of it says that it is UTF-8.
    """
    write_bytes(path, frame_text(escape_formulas(frame)).encode("utf-8-sig"))


def _quoted_where_needed(written: Callable[[_Quoting], str]) -> str:
    """Write all texts in quotes where one holds a carriage return.

    It ends a line for whoever reads the file, but where lines end in a line feed, `csv` writes it bare.
    """
    text = written(csv.QUOTE_MINIMAL)
    return written(csv.QUOTE_NONNUMERIC) if "\r" in text else text


def csv_with_escaped_formulas(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows of one kind as CSV text that a spreadsheet runs nothing of; at least one row.

    Examples
    --------
    >>> csv_with_escaped_formulas([{"Judul": "=1+1"}])
    "Judul\n'=1+1\n"
    """
    cells = ({name: escape_formula(value) for name, value in row.items()} for row in rows)
    return csv_text(cells, list(rows[0]))


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in the place of an old one.

    The old folder stands aside under a hidden name for the moment between the
    two renames; `recover_folder` brings it back if the process dies just there.

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
    aside = _aside(target)
    recover_folder(target)
    if aside.exists():
        shutil.rmtree(aside)
    while True:
        if target.exists():
            target.rename(aside)
        try:
            new.rename(target)
        except OSError as error:
            if error.errno not in _TARGET_EXISTS_ERRNOS:
                raise
        else:
            break
    shutil.rmtree(aside, ignore_errors=True)


def files_in(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Give the files and links of a folder, each with its name below a name for the folder.

    What begins with a point is being written just now, and left out.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        below = f"{name}/{path.name}"
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files_in(path, below)
        else:
            yield path, below


def refuse_overwrite(path: Path, *, force: bool) -> None:
    """Refuse to write where a file is.

    Raises
    ------
    LogError
        There is one, and nobody said that it may go.

    Examples
    --------
    >>> refuse_overwrite(Path("baru.zip"), force=False)
    """
    if path.exists() and not force:
        raise LogError(f"{path} sudah ada, jadi tidak ditimpa. Pilih nama lain, atau tambahkan --force.")


def recover_folder(target: Path) -> None:
    """Undo a `replace_folder` that was killed between its two renames."""
    if not target.exists() and _aside(target).is_dir():
        try:
            _aside(target).rename(target)
        except OSError as error:
            # It was not killed, and has gone on meanwhile.
            if error.errno not in (errno.ENOENT, *_TARGET_EXISTS_ERRNOS):
                raise


def remove_unfinished_writes(folder: Path, pattern: str = "*") -> None:
    """Remove what `write_bytes` and `replace_folder` left where they were killed, or bring it back.

    Only for whoever keeps other writers out.

    Parameters
    ----------
    pattern : str
        Of the names of those files and folders, as `Path.glob` has it.
    """
    for unfinished in folder.glob(f".{pattern}.*{TEMPORARY_SUFFIX}"):
        unfinished.unlink(missing_ok=True)
    for aside in folder.glob(f".{pattern}{_PREVIOUS}"):
        recover_folder(aside.with_name(aside.name.removeprefix(".").removesuffix(_PREVIOUS)))
        shutil.rmtree(aside, ignore_errors=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}{_PREVIOUS}")
