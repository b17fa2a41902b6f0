"""The files of a run: their hashes, the manifest that records them, and moving them."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from judul_lib.core.storage import replace_folder, sha256_of, write_bytes

MANIFEST_FILE = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a folder's manifest records; nothing where it is missing or damaged."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a folder's manifest."""
    write_bytes(folder / MANIFEST_FILE, (json.dumps(manifest, indent=2) + "\n").encode())


def hash_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of the named files, and of all files in the named folders, that exist.

    Parameters
    ----------
    folder : path
    names : iterable of str
        Paths below `folder`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     _ = write_bytes(Path(name, "full", "model.json"), b"{}")
    ...     list(hash_files(Path(name), ["full", "corpus.csv"]))
    ['full/model.json']
    """
    return {
        path.relative_to(folder).as_posix(): sha256_of(path.read_bytes())
        for path in _files(folder, names)
    }


def copy_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy the named files and folders that exist, with their times, to another folder."""
    for path in _files(source, names):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def move(source: Path, target: Path) -> None:
    """Move a file or folder on the same disk; it replaces what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        replace_folder(source, target)
    else:
        source.replace(target)


def remove(path: Path) -> None:
    """Remove a file or folder as far as the system lets us."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def _files(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    for path in (folder / name for name in names):
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file())
        elif path.is_file():
            yield path
