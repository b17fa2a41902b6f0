"""Arrays kept in one file and mapped into memory: opened in a moment, read where they are needed.

A file begins with a JSON header of fixed-width length that names each array,
its type, shape and place; the arrays follow. No pickle is ever read.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import Rows
from judul_lib.core.errors import IndexFileError

_MAGIC = b"judul-arrays-1\n"
_ALIGN = 64
_LENGTH = 12
_BLOCK = 1 << 22
Arrays = Mapping[str, NDArray]


def write_arrays(path: Path, arrays: Arrays) -> str:
    """Write arrays to a new file.

    Returns
    -------
    str
        SHA-256 of the file, hexadecimal.

    Raises
    ------
    OSError
        Disk full, no permission; what was written is removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "part.arrays"
    ...     digest = write_arrays(path, {"lengths": np.array([3, 5])})
    ...     map_arrays(path, digest)["lengths"].tolist()
    [3, 5]
    """
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    facts, place = {}, 0
    for name, array in plain.items():
        facts[name] = {"type": array.dtype.str, "shape": array.shape, "place": place}
        place += -(-array.nbytes // _ALIGN) * _ALIGN
    header = json.dumps(facts).encode()
    start = len(_MAGIC) + _LENGTH + len(header)
    header += b" " * (-start % _ALIGN)
    digest = hashlib.sha256()
    try:
        with path.open("xb") as stream:
            for part in _parts(header, plain.values()):
                stream.write(part)
                digest.update(part)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _parts(header: bytes, arrays: Iterable[NDArray]) -> Iterator[bytes | memoryview]:
    yield _MAGIC + f"{len(header):{_LENGTH}d}".encode() + header
    for array in arrays:
        content = memoryview(array.reshape(-1).view(np.uint8).data)
        yield from (content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK))
        yield b"\0" * (-len(content) % _ALIGN)


def map_arrays(path: Path, sha256: str | None = None) -> dict[str, NDArray]:
    """Map the arrays of a file that `write_arrays` made, read-only.

    Parameters
    ----------
    sha256 : str
        The file's hash, where it is to be compared; the whole file is read once for that.

    Raises
    ------
    IndexFileError
        The file is missing, damaged or cut off.
    """
    try:
        with path.open("rb") as stream:
            if sha256 and hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                raise _damaged(path)
        content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    except FileNotFoundError as error:
        raise _damaged(path) from error
    start = len(_MAGIC) + _LENGTH
    length = int(content[len(_MAGIC) : start].tobytes())
    facts = json.loads(content[start : start + length].tobytes())
    arrays = {}
    for name, fact in facts.items():
        kind, at = np.dtype(fact["type"]), start + length + fact["place"]
        size = int(np.prod(fact["shape"], dtype=np.int64)) * kind.itemsize
        arrays[name] = content[at : at + size].view(kind).reshape(fact["shape"])
    return arrays


def _damaged(path: Path) -> IndexFileError:
    return IndexFileError(
        f"Indeks ditolak: isi {path} hilang, terpotong, atau tidak sama dengan yang dicatat saat "
        "dibangun. Bangun lagi dengan `judul index build`."
    )


class StringColumn(Sequence[str]):
    """Strings as one array of UTF-8 and one of ends; decoded where they are asked for.

    Parameters
    ----------
    letters : ndarray of uint8
    ends : ndarray of int64, shape (n + 1,)
        String *i* is ``letters[ends[i]:ends[i + 1]]``.

    Examples
    --------
    >>> column = StringColumn.from_strings(["padi", "jagung"])
    >>> column[1], len(column)
    ('jagung', 2)
    """

    def __init__(self, letters: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.letters, self.ends = letters, ends
        self._bytes = memoryview(letters.data)

    def __reduce__(self) -> tuple[Any, ...]:
        return StringColumn, (self.letters, self.ends)

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> "StringColumn":
        """Encode strings; unpaired surrogates are kept."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        ends = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in encoded], out=ends[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str) -> "StringColumn":
        """Take the column of a name from arrays that `arrays` made."""
        return cls(arrays[name], arrays[f"{name}.ends"])

    def arrays(self, name: str) -> dict[str, NDArray]:
        """Return the column as arrays under a name."""
        return {name: self.letters, f"{name}.ends": self.ends}

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        places = range(len(self))[row]
        if isinstance(places, range):
            return self.take(np.array(places, dtype=np.intp))
        return str(self._bytes[self.ends[places] : self.ends[places + 1]], "utf-8", "surrogatepass")

    def take(self, rows: NDArray[np.integer]) -> list[str]:
        """Return the strings of some rows."""
        starts, stops = self.ends[rows].tolist(), self.ends[rows + 1].tolist()
        letters = self._bytes
        return [
            str(letters[start:stop], "utf-8", "surrogatepass")
            for start, stop in zip(starts, stops, strict=True)
        ]

    def rows_of(self, string: str) -> Rows:
        """Return the rows of the strings that equal one."""
        long = len(string.encode("utf-8", "surrogatepass"))
        rows = np.flatnonzero(np.diff(self.ends) == long)
        return rows[np.fromiter((found == string for found in self.take(rows)), bool, len(rows))]

    def find(self, string: str) -> int:
        """Return the row of a string, or -1; the strings must stand in the order of `encoded`."""
        low, high = 0, len(self)
        wanted = string.encode("utf-8", "surrogatepass")
        while low < high:
            middle = (low + high) // 2
            if bytes(self._bytes[self.ends[middle] : self.ends[middle + 1]]) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self[low] == string else -1
