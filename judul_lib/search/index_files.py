"""The folder of an index: parts that never change, a copy of the model, and ``index.json``.

``index.json`` is replaced atomically. It names the parts, their SHA-256 and the
rows removed from each; parts that it does not name are ignored.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from judul_lib.checking.registry import METADATA_FILE, read_metadata, verified_files
from judul_lib.core.array_files import Arrays, StringColumn, map_arrays, write_arrays
from judul_lib.core.array_types import Rows
from judul_lib.core.errors import IndexFileError, ModelError
from judul_lib.core.storage import exclusive_lock, remove_unfinished_writes, sha256_of, write_bytes
from judul_lib.structured.model import resource_hashes

FORMAT = 2
"""Version of the file format; indexes of another version are refused."""
INDEX_FILE, PARTS_FOLDER, _LOCK_FILE = "index.json", "parts", ".lock"
Opened = TypeVar("Opened")


@dataclass(frozen=True)
class StoredPart:
    """A part of a corpus: immutable arrays, and the rows that were removed.

    Attributes
    ----------
    arrays : mapping of str to ndarray
    removed : ndarray of int
        Removed rows.
    name, sha256 : str
        File in the folder of parts and its hash; empty until the part is saved.
    folder : path
        Folder of the index in which the part is saved.
    """

    arrays: Arrays
    removed: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    name: str = ""
    sha256: str = ""
    folder: Path | None = None

    @cached_property
    def titles(self) -> StringColumn:
        """All titles as typed, including removed ones."""
        return StringColumn.from_arrays(self.arrays, "titles")

    @property
    def n_stored(self) -> int:
        """Number of titles, including removed ones."""
        return len(self.titles)

    @property
    def n_kept(self) -> int:
        """Number of titles without the removed ones."""
        return self.n_stored - len(self.removed)

    @cached_property
    def kept_rows(self) -> Rows:
        """Rows that were not removed, in order."""
        return np.setdiff1d(np.arange(self.n_stored), self.removed)

    def kept_row(self, number: int) -> int:
        """Return the row of a title by its position among the kept ones."""
        return int(self.kept_rows[number]) if len(self.removed) else number

    def kept_titles(self) -> list[str]:
        """Return the titles without the removed ones."""
        return self.titles.take(self.kept_rows)

    def without(self, rows: NDArray[np.integer]) -> "StoredPart":
        """Return the part with more rows removed."""
        return replace(self, removed=np.union1d(self.removed, rows).astype(np.int32))


def read_index(
    folder: Path, open_model: Callable[[Path], Opened]
) -> tuple[Opened, list[StoredPart], str]:
    """Verify an index; return its model, its parts, and its state (the hash of ``index.json``).

    Parameters
    ----------
    folder : path
    open_model : callable
        Called with the folder of the verified model, while the parts are hashed.

    Raises
    ------
    IndexFileError
        The index is missing, damaged, or made by another version.
    """
    try:
        return _read(folder, open_model)
    except IndexFileError:
        # A writer may have replaced the files after index.json was read: read once more.
        return _read(folder, open_model)


def _read(folder: Path, open_model: Callable[[Path], Opened]) -> tuple[Opened, list[StoredPart], str]:
    facts = _read_facts(folder)
    model = folder / Path(facts["model"]["name"]).name
    if not model.is_dir() or model_hash(model) != facts["model"]["sha256"]:
        raise _damaged(model)
    if _resources() != facts["resources"]:
        raise IndexFileError(
            f"Indeks {folder} dibangun dengan kamus atau vektor kata versi lain, sehingga jawabannya "
            "bisa berbeda. Bangun lagi dengan `judul index build`."
        )
    with ThreadPoolExecutor() as pool:  # Hashing releases the interpreter lock.
        parts = pool.map(lambda entry: _read_part(folder, entry), facts["parts"])
        opened = open_model(model)
        return opened, list(parts), _facts_hash(facts)


def _read_part(folder: Path, entry: dict[str, Any]) -> StoredPart:
    arrays = map_arrays(folder / PARTS_FOLDER / Path(entry["name"]).name, entry["sha256"])
    removed = np.array(entry["removed"], dtype=np.int32)
    return StoredPart(arrays, removed, entry["name"], entry["sha256"], folder)


def _read_facts(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_FILE
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise IndexFileError(
            f"Tidak ada indeks di folder {folder}. Bangun dengan "
            f"`judul index build KATALOG.csv {folder}`."
        ) from error
    except NotADirectoryError as error:
        raise IndexFileError(
            f"{folder} adalah berkas, bukan folder indeks. Berikan folder yang dibuat dengan "
            "`judul index build`."
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise IndexFileError(
            f"Indeks {folder} dibangun oleh versi lain dari judul_lib. Bangun lagi dengan "
            "`judul index build`."
        )
    if facts.pop("sha256", None) != _facts_hash(facts):
        raise _damaged(path)
    return facts


def can_hold_index(folder: Path) -> bool:
    """Tell whether a folder is missing, empty, or has a complete or unfinished index."""
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    is_empty = names <= {_LOCK_FILE}
    return is_empty or (PARTS_FOLDER in names and bool(names & {INDEX_FILE, _LOCK_FILE}))


def has_outdated_model(folder: Path, model: Path) -> bool:
    """Tell whether the model's files have changed since they were copied into the index."""
    return _read_facts(folder)["model"]["sha256"] != model_hash(model)


def write_index(
    folder: Path,
    model: Path,
    parts: Sequence[StoredPart],
    state: str | None,
    *,
    holds_lock: bool = False,
) -> tuple[list[StoredPart], str]:
    """Write an index; parts that are saved there already are not written again.

    Parameters
    ----------
    state : str
        State that the index in the folder must have, as from `read_index`; None overwrites any.
    holds_lock : bool
        Whether the caller holds `index_writer_lock` of this folder.

    Returns
    -------
    parts : list of StoredPart
        The parts as saved.
    state : str
        New state of the index.

    Raises
    ------
    IndexFileError
        Another process is writing, or has changed the folder since the parts were read from it.
    OSError
        Disk full, no permission; an earlier index is then as it was.
    """
    with nullcontext() if holds_lock else index_writer_lock(folder):
        (folder / PARTS_FOLDER).mkdir(exist_ok=True)
        if state is not None and _facts_hash(_read_facts(folder)) != state:
            raise IndexFileError(
                f"Indeks {folder} sementara itu diganti oleh proses lain. Buka lagi, lalu ulangi."
            )
        written: list[Path] = []
        try:
            saved = [_save_part(folder, part, written) for part in parts]
            facts: dict[str, Any] = {
                "format": FORMAT,
                "n_titles": sum(part.n_kept for part in saved),
                "model": _copy_model(model, folder),
                "resources": _resources(),
                "parts": [
                    {"name": part.name, "sha256": part.sha256, "removed": part.removed.tolist()}
                    for part in saved
                ],
            }
            state = _facts_hash(facts)
            text = json.dumps({**facts, "sha256": state}, indent=1) + "\n"
            write_bytes(folder / INDEX_FILE, text.encode())
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        _remove_unused(folder, {part.name for part in saved}, facts["model"]["name"])
        return saved, state


def _remove_unused(folder: Path, parts: Collection[str], model: str) -> None:
    """Remove files that the index no longer names, and those that a killed writer left."""
    for path in (folder / PARTS_FOLDER).iterdir():
        if path.name not in parts:
            path.unlink(missing_ok=True)
    for path in folder.glob("*model-*"):
        if path.name != model:
            shutil.rmtree(path, ignore_errors=True)
    remove_unfinished_writes(folder)


def _save_part(folder: Path, part: StoredPart, written: list[Path]) -> StoredPart:
    """Write a part to a file named by its hash, unless it is saved there; add new files to a list."""
    if part.folder == folder:
        return part
    temporary = folder / PARTS_FOLDER / f".{uuid4().hex}"
    written.append(temporary)
    sha256 = write_arrays(temporary, part.arrays)
    path = temporary.with_name(f"{sha256[:16]}.bin")
    if not path.exists():
        written.append(path)
    temporary.replace(path)
    return replace(part, arrays=map_arrays(path), name=path.name, sha256=sha256, folder=folder)


def index_writer_lock(folder: Path) -> AbstractContextManager[None]:
    """Make a folder and lock it for writing an index; the lock ends with the process.

    Raises
    ------
    IndexFileError
        Another process has the lock.
    OSError
        No permission.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refusal = f"Indeks {folder} sedang ditulis oleh proses lain. Tunggu, lalu ulangi."
    return exclusive_lock(folder / _LOCK_FILE, IndexFileError(refusal), keep=True)


def _copy_model(model: Path, folder: Path) -> dict[str, str]:
    """Copy a model into an index, unless an intact copy is there; return its name and hash."""
    sha256 = model_hash(model)
    target = folder / f"model-{sha256[:16]}"
    if not _is_intact_copy(target, sha256):
        metadata, files = verified_files(model)
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".model-") as staging:
            new = Path(staging) / "model"
            for name, content in files.items():
                write_bytes(new / name, content)
            write_bytes(new / METADATA_FILE, json.dumps(metadata).encode())
            new.rename(target)
    return {"name": target.name, "sha256": sha256}


def _is_intact_copy(model: Path, sha256: str) -> bool:
    try:
        verified_files(model)
        return model_hash(model) == sha256
    except ModelError:
        return False


def model_hash(model: Path) -> str:
    """Return the hash of a model's files, without other metadata such as its date."""
    return sha256_of(json.dumps(read_metadata(model)["files"], sort_keys=True).encode())


def _resources() -> str:
    """Return the hash of the package's files that parses of titles depend on."""
    return sha256_of("".join(resource_hashes().values()).encode())


def _facts_hash(facts: Mapping[str, Any]) -> str:
    return sha256_of(json.dumps(facts, sort_keys=True).encode())


def _damaged(path: Path) -> IndexFileError:
    return IndexFileError(
        f"Indeks ditolak: {path} rusak atau hilang. Bangun lagi dengan `judul index build`."
    )
