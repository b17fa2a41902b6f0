"""One process at a time: a lock on a file that goes when its holder goes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def locked_file(path: Path, *, wait: bool = True) -> Iterator[int]:
    """Hold a file, made if it is not there, and give its handle, opened for appending.

    Parameters
    ----------
    wait : bool
        Wait for another holder.

    Raises
    ------
    BlockingIOError
        Another process holds it, and `wait` is False.
    OSError
        The folder is not there, no permission.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, locked_file(Path(folder) / "lock") as handle:
    ...     os.write(handle, b"mine")
    4
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have removed it, and another may hold the one made since.
            if _is_at(handle, path):
                yield handle
                return
        finally:
            os.close(handle)


@contextmanager
def only_one(path: Path, refusal: Exception, *, stays: bool = False) -> Iterator[None]:
    """Hold a file, made if it is not there; raise `refusal` at once where another process holds it.

    Parameters
    ----------
    refusal : Exception
        Says to a person who works with what the file stands for.
    stays : bool
        Leave the file there at the end.

    Raises
    ------
    OSError
        The folder is not there, no permission.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with only_one(path := Path(folder) / "lock", RuntimeError("sedang dipakai")):
    ...         path.exists()
    ...     path.exists()
    True
    False
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked_file(path, wait=False))
        except BlockingIOError as error:
            raise refusal from error
        try:
            yield
        finally:
            if not stays:
                path.unlink(missing_ok=True)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
