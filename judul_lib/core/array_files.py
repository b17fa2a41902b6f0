"""Arrays in one file that is mapped into memory: opened at once, read only where needed.

A JSON header, whose length has a fixed width, names the type, shape and offset
of each array; the arrays follow. No pickle is read.
"""

import hashlib
import json
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import Rows
from judul_lib.core.errors import IndexFileError

_MAGIC = b"judul-arrays-1\n"
_ALIGNMENT = 64
_LENGTH_WIDTH = 12
_WRITE_BYTES = 1 << 22
Arrays = Mapping[str, NDArray]


def write_arrays(path: Path, arrays: Arrays) -> str:
    """Write arrays to a new file; return its SHA-256 in hexadecimal.

    Raises
    ------
    OSError
        Disk full, no permission; the incomplete file is removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "part.arrays"
    ...     digest = write_arrays(path, {"lengths": np.array([3, 5])})
    ...     map_arrays(path, digest)["lengths"].tolist()
    [3, 5]
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    entries, offset = {}, 0
    for name, array in contiguous.items():
        entries[name] = {"type": array.dtype.str, "shape": array.shape, "place": offset}
        offset += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    header = json.dumps(entries).encode()
    header += b" " * (-(len(_MAGIC) + _LENGTH_WIDTH + len(header)) % _ALIGNMENT)
    digest = hashlib.sha256()
    try:
        with path.open("xb") as stream:
            for block in _file_blocks(header, contiguous.values()):
                stream.write(block)
                digest.update(block)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _file_blocks(header: bytes, arrays: Iterable[NDArray]) -> Iterator[bytes | memoryview]:
    yield _MAGIC + f"{len(header):{_LENGTH_WIDTH}d}".encode() + header
    for array in arrays:
        content = memoryview(array.reshape(-1).view(np.uint8).data)
        yield from (content[at : at + _WRITE_BYTES] for at in range(0, len(content), _WRITE_BYTES))
        yield b"\0" * (-len(content) % _ALIGNMENT)


def map_arrays(path: Path, sha256: str | None = None) -> dict[str, NDArray]:
    """Map the arrays of a file written by `write_arrays`, read-only.

    Parameters
    ----------
    sha256 : str
        Expected hash; to check it the whole file is read once.

    Raises
    ------
    IndexFileError
        The file is missing, damaged or truncated.
    """
    try:
        with path.open("rb") as stream:
            if sha256 and hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                raise _damaged(path)
        content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    except FileNotFoundError as error:
        raise _damaged(path) from error
    start = len(_MAGIC) + _LENGTH_WIDTH
    end = start + int(content[len(_MAGIC) : start].tobytes())
    arrays = {}
    for name, entry in json.loads(content[start:end].tobytes()).items():
        dtype, offset = np.dtype(entry["type"]), end + entry["place"]
        n_bytes = int(np.prod(entry["shape"], dtype=np.int64)) * dtype.itemsize
        arrays[name] = content[offset : offset + n_bytes].view(dtype).reshape(entry["shape"])
    return arrays


def _damaged(path: Path) -> IndexFileError:
    return IndexFileError(
        f"Indeks ditolak: isi {path} hilang, terpotong, atau tidak sama dengan yang dicatat saat "
        "dibangun. Bangun lagi dengan `judul index build`."
    )


class StringColumn(Sequence[str]):
    """Strings as one array of UTF-8 and one of ends, decoded on access.

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
        """Return the column that `arrays` stored under a name."""
        return cls(arrays[name], arrays[f"{name}.ends"])

    def arrays(self, name: str) -> dict[str, NDArray]:
        """Return the column as arrays stored under a name."""
        return {name: self.letters, f"{name}.ends": self.ends}

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        selected = range(len(self))[row]
        if isinstance(selected, range):
            return self.take(np.array(selected, dtype=np.intp))
        return str(self._encoded(selected), "utf-8", "surrogatepass")

    def _encoded(self, row: int) -> memoryview:
        return self._bytes[self.ends[row] : self.ends[row + 1]]

    def take(self, rows: NDArray[np.integer]) -> list[str]:
        """Return the strings of some rows."""
        starts, stops = self.ends[rows].tolist(), self.ends[rows + 1].tolist()
        letters = self._bytes
        return [
            str(letters[start:stop], "utf-8", "surrogatepass")
            for start, stop in zip(starts, stops, strict=True)
        ]

    def rows_of(self, string: str) -> Rows:
        """Return the rows that hold a string."""
        n_bytes = len(string.encode("utf-8", "surrogatepass"))
        rows = np.flatnonzero(np.diff(self.ends) == n_bytes)
        return rows[np.fromiter((other == string for other in self.take(rows)), bool, len(rows))]

    def find(self, string: str) -> int:
        """Return the row of a string, or -1; the column must be sorted by UTF-8 bytes."""
        wanted = string.encode("utf-8", "surrogatepass")
        row = bisect_left(range(len(self)), wanted, key=lambda row: bytes(self._encoded(row)))
        return row if row < len(self) and self[row] == string else -1
