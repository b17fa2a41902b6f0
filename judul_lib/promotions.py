"""Which version of a model answers: promoted with a reason and an approver, or rolled back.

``history.json`` beside the versions has every switch that took place, and
``promotion.json`` in a version's folder the last one that led to it.
"""

from collections.abc import Mapping
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from judul_lib import database
from judul_lib.errors import ModelError
from judul_lib.storage import write_bytes
from judul_lib.versions import (
    CURRENT_FILE,
    locked,
    read_json,
    stored_current,
    verify_version,
    version_folder,
    versions_home,
    write_json,
)

HISTORY_FILE, PROMOTION_FILE = "history.json", "promotion.json"
REVIEW_DAYS = 90
"""Days after which a version in use is looked at again (the study reviews its models quarterly)."""


def missing_metadata(metadata: Mapping[str, Any]) -> list[str]:
    """Return what a model's metadata lack to be promoted.

    Examples
    --------
    >>> missing_metadata({"version": "0.1.0", "dataset": {"name": "judul.csv"}, "files": {"a": "0"}})
    ['dataset.sha256', 'dataset.n_titles', 'sizes', 'metrics']
    """
    dataset = metadata.get("dataset") or {}
    files, sizes = metadata.get("files") or {}, metadata.get("sizes") or {}
    there = {
        "version": bool(metadata.get("version")),
        **{f"dataset.{key}": bool(dataset.get(key)) for key in ("name", "sha256", "n_titles")},
        "files": bool(files) and all(files.values()),
        "sizes": bool(files) and all(isinstance(sizes.get(file), int) for file in files),
        "metrics": any(isinstance(value, int | float) for value in metrics_of(metadata).values()),
    }
    return [key for key, is_there in there.items() if not is_there]


def metrics_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how well a model did; the structured one is measured on the gold pairs alone."""
    return metadata.get("metrics") or metadata.get("evaluation") or {}


def promote(
    outputs: str | Path, name: str, version: str, *, reason: str, approver: str
) -> dict[str, Any]:
    """Make a version the one that answers.

    Returns
    -------
    dict
        What `promotion.json` holds by now: ``version``, ``previous``,
        ``action``, ``approver``, ``reason``, ``deployed``, ``next_review``.

    Raises
    ------
    ModelError
        There is no such version, it is current already, its hashes do not
        hold, its metadata are incomplete, or reason or approver is blank.
    """
    return _switch(outputs, name, version, "promote", reason, approver)


def rollback(outputs: str | Path, name: str, *, reason: str, approver: str) -> dict[str, Any]:
    """Make the version current again that was so before this one; see `promote`.

    Raises
    ------
    ModelError
        There was none before, or as in `promote`.
    """
    return _switch(outputs, name, None, "rollback", reason, approver)


def history(outputs: str | Path, name: str) -> list[dict[str, Any]]:
    """Return every promotion and rollback of a model that took place, oldest first."""
    home = versions_home(outputs, name)
    entries = read_json(home / HISTORY_FILE, [])
    # The history is written before `current`: of a switch that was killed between, nothing counts.
    if entries and entries[-1]["version"] != stored_current(home):
        return entries[:-1]
    return entries


def promotion(outputs: str | Path, name: str, version: str) -> dict[str, Any]:
    """Return what was last decided about a version, or an empty dict."""
    return read_json(version_folder(outputs, name, version) / PROMOTION_FILE, {})


def _switch(
    outputs: str | Path, name: str, version: str | None, action: str, reason: str, approver: str
) -> dict[str, Any]:
    if not reason.strip() or not approver.strip():
        raise ModelError("Alasan dan penyetuju harus disebut; keduanya dicatat bersama versi itu.")
    home = versions_home(outputs, name)
    if not home.is_dir():
        raise ModelError(f"Belum ada versi model {name} di {home}. Buat dengan `judul retrain`.")
    with locked(home):
        past, current = history(outputs, name), stored_current(home)
        version = _before(past, name) if version is None else version
        metadata = verify_version(outputs, name, version)
        if missing := missing_metadata(metadata):
            raise ModelError(
                f"Versi {version} dari model {name} tidak dapat diberlakukan: metadata.json belum "
                f"memuat {', '.join(missing)}. Latih ulang model itu agar catatannya lengkap."
            )
        if version == current:
            raise ModelError(f"Versi {version} dari model {name} sudah berlaku.")
        now = database.now().replace(tzinfo=UTC)
        entry = {
            "action": action, "version": version, "previous": current,
            "approver": approver.strip(), "reason": reason.strip(),
            "deployed": now.isoformat(timespec="seconds"),
            "next_review": (now + timedelta(days=REVIEW_DAYS)).date().isoformat(),
        }  # fmt: skip
        # `current` last: a process that dies before that has changed nothing of what answers.
        write_json(home / version / PROMOTION_FILE, entry)
        write_json(home / HISTORY_FILE, [*past, entry])
        write_bytes(home / CURRENT_FILE, f"{version}\n".encode())
    return entry


def _before(past: list[dict[str, Any]], name: str) -> str:
    """Return the version under the current one: a promotion puts one on top, a rollback takes it off."""
    pile: list[str] = []
    for entry in past:
        if entry["action"] == "rollback":
            pile.pop()
        else:
            pile.append(entry["version"])
    if len(pile) < 2:
        raise ModelError(
            f"Tidak ada versi model {name} yang berlaku sebelum ini. Pilih satu dengan "
            f"`judul models promote`; daftarnya ada di `judul models list`."
        )
    return pile[-2]
