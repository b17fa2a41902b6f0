"""Versions of a model side by side, one of them current: ``outputs/models/<name>/<version>/``.

Beside the versions stands ``current``, a file with the name of the one that
answers. A version's files never change; what is decided about it stands in its
metadata and its tags, which its hashes do not cover.
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
    """What `verify` says of one version.

    Attributes
    ----------
    name, version : str
        ``version`` is empty where ``current`` itself is wrong.
    problem : str
        What is wrong, in Indonesian; empty when all hashes hold.
    """

    name: str
    version: str
    problem: str = ""


def list_versions(outputs: str | Path, name: str) -> list[str]:
    """Return the versions of a model, by the day they were made."""
    folder = versions_home(outputs, name)
    names = [path.parent.name for path in folder.glob(f"*/{METADATA_FILE}")]
    return sorted(version for version in names if _VERSION.fullmatch(version))


def current_version(outputs: str | Path, name: str) -> str | None:
    """Return the version that was promoted, or None.

    Raises
    ------
    ModelError
        Its folder is not there.
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
    """Return the folder of the model that answers: the current version, else ``outputs/<name>``.

    Raises
    ------
    ModelError
        The current version's folder is not there.
    """
    version = current_version(outputs, name)
    if version is not None:
        return versions_home(outputs, name) / version
    folder = Path(outputs) / name
    recover_folder(folder)
    return folder


def candidate_metadata(outputs: str | Path, name: str) -> dict[str, Any] | None:
    """Return the metadata of the model in ``outputs/<name>``, or None.

    None too where it is the current version, or was made earlier than that.
    """
    try:
        made = read_metadata(Path(outputs) / name)
        version = current_version(outputs, name)
    except ModelError:
        return None
    if version is not None:
        current = read_metadata(versions_home(outputs, name) / version)
        is_later = str(made.get("created", "")) > str(current.get("created", ""))
        if version == version_of(made) or not is_later:
            return None
    return made


def add_version(outputs: str | Path, folder: str | Path) -> str:
    """Copy a model folder to its place among the versions, whole or not at all.

    Returns
    -------
    str
        The version; one that is there already is verified and left alone.

    Raises
    ------
    ModelError
        The model, or the same version that is there already, is incomplete or
        its hashes do not hold.

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
    metadata.pop(GOVERNANCE_KEY, None)  # What was decided elsewhere does not count here.
    version = version_of(metadata)
    home = versions_home(outputs, str(metadata.get("name")))
    if not _VERSION.fullmatch(version):
        raise ModelError(f"Model di {folder} tidak mencatat tanggal pembuatannya dengan benar.")
    home.mkdir(parents=True, exist_ok=True)
    with versions_lock(home):
        if (home / version).exists():
            verify_version(outputs, home.name, version)
            return version
        for left in home.glob(".new.*"):  # By a process that was killed.
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".new.") as staging:
            new = Path(staging) / version
            for file, content in files.items():
                write_bytes(new / file, content)
            write_json(new / METADATA_FILE, metadata)
            new.rename(home / version)
    return version


def verify_version(outputs: str | Path, name: str, version: str) -> dict[str, Any]:
    """Compare the hashes of a version, and its name with what its metadata give; nothing is opened.

    The structured model's lexicon and vectors must be those it was packaged with.

    Returns
    -------
    dict
        Its metadata.

    Raises
    ------
    ModelError
        There is no such version, it is incomplete, or something does not hold.
    """
    folder = version_folder(outputs, name, version)
    metadata, _ = verified_version(folder, name, version)
    if name == STRUCTURED:
        require_resources(folder, metadata)
    return metadata


def verified_version(folder: Path, name: str, version: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the metadata and the files of a version, wherever it lies.

    Raises
    ------
    ModelError
        See `verify_version`.
    """
    metadata, files = verified_files(folder)
    # Whoever replaced a file and its hash alike still has another version than the folder's name.
    if (metadata.get("name"), version_of(metadata)) != (name, version):
        raise ModelError(f"Versi {version} dari model {name} ditolak: metadatanya milik versi lain.")
    return metadata, files


def verify(outputs: str | Path) -> list[VersionCheck]:
    """Verify every version of every model, and that each ``current`` names one of them."""
    found = []
    for name in MODEL_TITLES:
        for version in list_versions(outputs, name):
            problem = ""
            try:
                verify_version(outputs, name, version)
            except ModelError as error:
                problem = str(error)
            found.append(VersionCheck(name, version, problem))
        try:
            current_version(outputs, name)
        except ModelError as error:
            found.append(VersionCheck(name, "", str(error)))
    return found


def tags(outputs: str | Path, name: str, version: str) -> list[str]:
    """Return the tags of a version."""
    path = version_folder(outputs, name, version) / TAGS_FILE
    return read_json(path, [], is_entry=lambda label: isinstance(label, str))


def tag(outputs: str | Path, name: str, version: str, label: str, *, remove: bool = False) -> list[str]:
    """Put a tag on a version, or take it off; return its tags.

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
        known = set(tags(outputs, name, version))
        wanted = sorted(known - {label} if remove else known | {label})
        write_json(folder / TAGS_FILE, wanted)
    return wanted


def version_folder(outputs: str | Path, name: str, version: str) -> Path:
    """Return the folder of a version.

    Raises
    ------
    ModelError
        There is no such version.
    """
    known = list_versions(outputs, name)
    if version not in known:
        there = f"Yang ada: {', '.join(known)}." if known else "Belum ada satu pun."
        raise ModelError(f"Tidak ada versi {version[:64]!r} dari model {name}. {there}")
    return versions_home(outputs, name) / version


def versions_home(outputs: str | Path, name: str) -> Path:
    """Return the folder of a model's versions, whether it is there or not.

    Raises
    ------
    ModelError
        No model has that name.
    """
    if name not in MODEL_TITLES:
        raise ModelError(f"Model {name[:40]!r} tidak dikenal. Pilih: {', '.join(MODEL_TITLES)}.")
    return Path(outputs) / VERSIONS_FOLDER / name


def stored_current(home: Path) -> str | None:
    """Return what ``current`` says, without looking whether that is there.

    Raises
    ------
    ModelError
        It is no file that can be read.
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
    path: Path, otherwise: list[Any], *, is_entry: Callable[[Any], bool] = lambda entry: True
) -> Any:
    """Return the list in a JSON file, or another where there is none.

    Parameters
    ----------
    is_entry : callable
        Tells whether an entry is one of such a list.

    Raises
    ------
    ModelError
        The file is not what it should be.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return otherwise
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} rusak. Pulihkan dari cadangan, atau hapus berkas itu.") from error
    if not (isinstance(content, list) and all(map(is_entry, content))):
        raise ModelError(f"{path} rusak. Pulihkan dari cadangan, atau hapus berkas itu.")
    return content


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def versions_lock(home: Path) -> AbstractContextManager[Any]:
    """Let one process at a time add or switch versions."""
    return file_lock(home / ".lock")
