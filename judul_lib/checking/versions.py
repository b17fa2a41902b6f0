"""Versions of a model, one of them current: ``outputs/models/<name>/<version>/``.

A file ``current`` beside them contains the current version. The files of a
version never change, except for tags and governance metadata, which are not hashed.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judul_lib.checking.registry import (
    GOVERNANCE_KEY,
    METADATA_FILE,
    STRUCTURED,
    read_metadata,
    verified_files,
    version_of,
)
from judul_lib.core.errors import ModelError
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import file_lock, recover_folder, write_bytes
from judul_lib.structured.model import require_resources

VERSIONS_FOLDER, CURRENT_FILE, TAGS_FILE = "models", "current", "tags.json"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_TAG = re.compile(r"[\w.-]{1,40}")


@dataclass(frozen=True)
class VersionCheck:
    """Result of `verify` for one version.

    Attributes
    ----------
    name, version : str
        ``version`` is empty if the problem is the file ``current``.
    problem : str
        In Indonesian; empty if there is none.
    """

    name: str
    version: str
    problem: str = ""


def list_versions(outputs: str | Path, name: str) -> list[str]:
    """Return the versions of a model by date."""
    folder = versions_home(outputs, name)
    names = [path.parent.name for path in folder.glob(f"*/{METADATA_FILE}")]
    return sorted(version for version in names if _VERSION.fullmatch(version))


def current_version(outputs: str | Path, name: str) -> str | None:
    """Return the promoted version, or None.

    Raises
    ------
    ModelError
        Its folder is missing.
    """
    home = versions_home(outputs, name)
    version = stored_current(home)
    if version is not None and version not in list_versions(outputs, name):
        raise ModelError(
            f"Versi {version[:64]!r} dari model {name} tercatat sebagai yang berlaku, tetapi foldernya "
            f"tidak ada di {home}. Pulihkan dari cadangan, atau pilih versi lain dengan "
            f"`judul models promote`."
        )
    return version


def model_folder(outputs: str | Path, name: str) -> Path:
    """Return the folder of the model to use: the current version, else ``outputs/<name>``.

    Raises
    ------
    ModelError
        The current version's folder is missing.
    """
    version = current_version(outputs, name)
    if version is not None:
        return versions_home(outputs, name) / version
    folder = Path(outputs) / name
    recover_folder(folder)
    return folder


def candidate_metadata(outputs: str | Path, name: str) -> dict[str, Any] | None:
    """Return the metadata of ``outputs/<name>``, or None unless it is newer than the current version."""
    try:
        candidate = read_metadata(Path(outputs) / name)
        version = current_version(outputs, name)
    except ModelError:
        return None
    if version is not None:
        current = read_metadata(versions_home(outputs, name) / version)
        is_newer = str(candidate.get("created", "")) > str(current.get("created", ""))
        if version == version_of(candidate) or not is_newer:
            return None
    return candidate


def add_version(outputs: str | Path, folder: str | Path) -> str:
    """Copy a model folder atomically to the versions; return its version.

    An existing version is verified and left unchanged.

    Raises
    ------
    ModelError
        The model or the existing version is incomplete, or its hashes do not match.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as outputs:
    ...     version = add_version(outputs, "outputs/light")
    ...     list_versions(outputs, "light") == [version], current_version(outputs, "light")
    ...     tag(outputs, "light", version, "semester-ini")
    ...     verify_version(outputs, "light", version)["name"]
    (True, None)
    ['semester-ini']
    'light'
    """
    metadata, files = verified_files(folder)
    metadata.pop(GOVERNANCE_KEY, None)  # Decisions of another installation do not apply here.
    version = version_of(metadata)
    home = versions_home(outputs, str(metadata.get("name")))
    if not _VERSION.fullmatch(version):
        raise ModelError(f"Model di {folder} tidak mencatat tanggal pembuatannya dengan benar.")
    home.mkdir(parents=True, exist_ok=True)
    with versions_lock(home):
        if (home / version).exists():
            verify_version(outputs, home.name, version)
            return version
        for unfinished in home.glob(".new.*"):  # Of a process that was killed.
            shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".new.") as staging:
            new = Path(staging) / version
            for file, content in files.items():
                write_bytes(new / file, content)
            write_json(new / METADATA_FILE, metadata)
            new.rename(home / version)
    return version


def verify_version(outputs: str | Path, name: str, version: str) -> dict[str, Any]:
    """Verify the hashes and the name of a version without loading it; return its metadata.

    A structured model also needs the resources that it was packaged with.

    Raises
    ------
    ModelError
        There is no such version, or it is incomplete or does not match.
    """
    folder = version_folder(outputs, name, version)
    metadata, _ = verified_version(folder, name, version)
    if name == STRUCTURED:
        require_resources(folder, metadata)
    return metadata


def verified_version(folder: Path, name: str, version: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the metadata and files of a version in any folder; see `verify_version`.

    Raises
    ------
    ModelError
        It is incomplete or does not match.
    """
    metadata, files = verified_files(folder)
    # If a file and its hash were both replaced, the version no longer matches.
    if (metadata.get("name"), version_of(metadata)) != (name, version):
        raise ModelError(f"Versi {version} dari model {name} ditolak: metadatanya milik versi lain.")
    return metadata, files


def verify(outputs: str | Path) -> list[VersionCheck]:
    """Verify all versions of all models, and that each ``current`` names one of them."""
    checks = []
    for name in MODEL_TITLES:
        for version in list_versions(outputs, name):
            problem = ""
            try:
                verify_version(outputs, name, version)
            except ModelError as error:
                problem = str(error)
            checks.append(VersionCheck(name, version, problem))
        try:
            current_version(outputs, name)
        except ModelError as error:
            checks.append(VersionCheck(name, "", str(error)))
    return checks


def tags(outputs: str | Path, name: str, version: str) -> list[str]:
    """Return the tags of a version."""
    path = version_folder(outputs, name, version) / TAGS_FILE
    return read_json(path, [], is_entry=lambda label: isinstance(label, str))


def tag(outputs: str | Path, name: str, version: str, label: str, *, remove: bool = False) -> list[str]:
    """Add a tag to a version or remove it; return all its tags.

    Raises
    ------
    ModelError
        There is no such version, or the tag is not one word.
    """
    if not _TAG.fullmatch(label):
        raise ModelError(
            f"Tag {label[:40]!r} tidak dapat dipakai: tulis satu kata, paling panjang 40 huruf."
        )
    folder = version_folder(outputs, name, version)
    with versions_lock(folder.parent):
        old = set(tags(outputs, name, version))
        new = sorted(old - {label} if remove else old | {label})
        write_json(folder / TAGS_FILE, new)
    return new


def version_folder(outputs: str | Path, name: str, version: str) -> Path:
    """Return the folder of a version.

    Raises
    ------
    ModelError
        There is no such version.
    """
    existing = list_versions(outputs, name)
    if version not in existing:
        hint = f"Yang ada: {', '.join(existing)}." if existing else "Belum ada satu pun."
        raise ModelError(f"Tidak ada versi {version[:64]!r} dari model {name}. {hint}")
    return versions_home(outputs, name) / version


def versions_home(outputs: str | Path, name: str) -> Path:
    """Return the folder of a model's versions, which may not exist.

    Raises
    ------
    ModelError
        No model has that name.
    """
    if name not in MODEL_TITLES:
        raise ModelError(f"Model {name[:40]!r} tidak dikenal. Pilih: {', '.join(MODEL_TITLES)}.")
    return Path(outputs) / VERSIONS_FOLDER / name


def stored_current(home: Path) -> str | None:
    """Return the version in ``current``, which may not exist; None without that file.

    Raises
    ------
    ModelError
        The file cannot be read.
    """
    try:
        return (home / CURRENT_FILE).read_text("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelError(
            f"{home / CURRENT_FILE} tidak dapat dibaca ({error.strerror}). Pulihkan dari cadangan, atau "
            "hapus, lalu pilih versinya lagi dengan `judul models promote`."
        ) from error


def read_json(
    path: Path, default: list[Any], *, is_entry: Callable[[Any], bool] = lambda entry: True
) -> Any:
    """Return the list in a JSON file, or the default if the file is missing.

    Parameters
    ----------
    is_entry : callable
        Tells whether an entry of the list is valid.

    Raises
    ------
    ModelError
        The file is damaged.
    """
    try:
        content = json.loads(path.read_bytes())
        if not (isinstance(content, list) and all(map(is_entry, content))):
            raise ValueError(path)
    except FileNotFoundError:
        return default
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} rusak. Pulihkan dari cadangan, atau hapus berkas itu.") from error
    return content


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def versions_lock(home: Path) -> AbstractContextManager[Any]:
    """Return a lock for adding or switching versions, which one process at a time holds."""
    return file_lock(home / ".lock")
