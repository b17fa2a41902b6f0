"""One process at a time: a lock on a file that goes when its holder goes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)
