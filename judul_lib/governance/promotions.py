"""Promotion and rollback of model versions, with their reasons, in history and audit trail."""

import calendar
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.checking.registry import GOVERNANCE_KEY, METADATA_FILE, read_metadata
from judul_lib.checking.version_metrics import VersionComparison, compare_versions
from judul_lib.checking.versions import (
    CURRENT_FILE,
    add_version,
    read_json,
    stored_current,
    verify_version,
    version_folder,
    versions_home,
    versions_lock,
    write_json,
)
from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError, ModelError
from judul_lib.core.formatting import format_label, format_number
from judul_lib.core.storage import write_bytes
from judul_lib.governance import audit
from judul_lib.usage.database import COMMAND_LOCK_WAIT, opened_database, transaction
from judul_lib.usage.database import audit as table

HISTORY_FILE = "history.json"
FIRST_RUN = "first-run"
"""Action of the history for the model of `make run` that answered before the first promotion."""

REQUIRED = (
    "name", "version", "type", "created", "dataset.name", "dataset.version", "dataset.sha256",
    "dataset.n_titles", "features", "seed", "files", "sizes", "metrics", "baseline",
)  # fmt: skip
"""Keys of the metadata that a model needs to be promoted."""
_GOVERNANCE = ("approver", "reason", "deployed", "next_review")
_EMPTY: tuple[Any, ...] = (None, "", [], {})
Recorder = Callable[[Mapping[str, Any]], AbstractContextManager[object]]


def missing_metadata(metadata: Mapping[str, Any], *, is_promoted: bool = False) -> list[str]:
    """Return the keys that metadata lack for a promotion, or those of a promoted version lack.

    Examples
    --------
    >>> missing_metadata({key: 1 for key in REQUIRED} | {"dataset": {"name": "judul.csv"}, "files": {}})
    ['dataset.version', 'dataset.sha256', 'dataset.n_titles', 'files', 'sizes', 'metrics']
    """
    governance = tuple(f"{GOVERNANCE_KEY}.{key}" for key in _GOVERNANCE)
    required = REQUIRED + (governance if is_promoted else ())
    is_present = {key: _nested_value(metadata, key) not in _EMPTY for key in required}
    files, sizes = (as_mapping(metadata.get(key)) for key in ("files", "sizes"))
    is_present |= {
        "files": bool(files) and all(files.values()),
        "sizes": bool(files) and all(isinstance(sizes.get(file), int) for file in files),
        "metrics": any(isinstance(value, int | float) for value in metrics_of(metadata).values()),
    }
    return [key for key, present in is_present.items() if not present]


def metrics_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metrics of a model; the structured one has only those on the gold pairs.

    Examples
    --------
    >>> metrics_of({"metrics": {"f1": 0.9}}), metrics_of({"metrics": "none"})
    ({'f1': 0.9}, {})
    """
    return as_mapping(metadata.get("metrics") or metadata.get("evaluation"))


def _nested_value(metadata: Mapping[str, Any], path: str) -> Any:
    value: Any = metadata
    for key in path.split("."):
        value = as_mapping(value).get(key)
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a value if it is a mapping, else an empty one: anybody can edit metadata."""
    return value if isinstance(value, Mapping) else {}


def promote(
    outputs: str | Path,
    name: str,
    version: str,
    *,
    reason: str,
    approver: str,
    force: bool = False,
    recording: Recorder = nullcontext,
) -> dict[str, Any]:
    """Make a version the current one.

    The model of `make run` that answered before the first promotion becomes a version, too, so
    that a rollback returns to it.

    Parameters
    ----------
    force : bool
        Promote the version even if it may be worse on the gold pairs.
    recording : callable
        Takes the returned entry, and returns a context manager around the
        switch. If it raises on entry, nothing is switched; if it raises on
        exit, the switch is undone.

    Returns
    -------
    dict
        Entry of the history: ``version``, ``previous``, ``action``,
        ``approver``, ``reason``, ``deployed``, ``next_review``.

    Raises
    ------
    ModelError
        The version is unknown, current already or damaged, its metadata are
        incomplete, it may be worse (without ``force``), or reason or approver is blank.
    """
    return _switch(outputs, name, version, "promote", reason, approver, recording, force=force)


def rollback(
    outputs: str | Path, name: str, *, reason: str, approver: str, recording: Recorder = nullcontext
) -> dict[str, Any]:
    """Make the previous version current again; see `promote`.

    Raises
    ------
    ModelError
        There is no previous version, or as in `promote`.
    """
    return _switch(outputs, name, None, "rollback", reason, approver, recording)


def history(outputs: str | Path, name: str) -> list[dict[str, Any]]:
    """Return the completed promotions and rollbacks of a model, oldest first.

    The first entry may be that of the model of `make run` (`FIRST_RUN`).
    """
    home = versions_home(outputs, name)
    entries = _entries(home)
    # The history is written before `current`: a switch that was killed in between does not count.
    if entries and entries[-1]["version"] != stored_current(home):
        return entries[:-1]
    return entries


def _entries(home: Path) -> list[dict[str, Any]]:
    def is_entry(entry: Any) -> bool:
        values = as_mapping(entry)
        texts = [values.get(key) for key in ("action", "version", *_GOVERNANCE)]
        has_previous = isinstance(values.get("previous", 0), str | None)
        return has_previous and all(isinstance(text, str) for text in texts)

    entries: list[dict[str, Any]] = read_json(home / HISTORY_FILE, [], is_entry=is_entry)
    return entries


def promotion(outputs: str | Path, name: str, version: str) -> dict[str, Any]:
    """Return the last entry of the history for a version, or an empty dict."""
    return _last_entry(history(outputs, name), version)


def _last_entry(entries: Sequence[dict[str, Any]], version: str) -> dict[str, Any]:
    return next((entry for entry in reversed(entries) if entry["version"] == version), {})


def _switch(
    outputs: str | Path,
    name: str,
    version: str | None,
    action: str,
    reason: str,
    approver: str,
    recording: Recorder,
    *,
    force: bool = False,
) -> dict[str, Any]:
    if not reason.strip() or not approver.strip():
        raise ModelError("Alasan dan penyetuju harus disebut; keduanya dicatat bersama versi itu.")
    home = versions_home(outputs, name)
    if not home.is_dir():
        raise ModelError(f"Belum ada versi model {name} di {home}. Buat dengan `judul retrain`.")
    if version is not None:
        version_folder(outputs, name, version)  # Must exist before anything is written.
    first_run = _first_run(outputs, name) if stored_current(home) is None else None
    with versions_lock(home):
        past, current = history(outputs, name), stored_current(home)
        if current is None and first_run and first_run["version"] != version:
            current = first_run["version"]
            if not past or past[-1]["version"] != current:  # A killed switch may have added it.
                past = [*past, first_run]
        version = _previous_version(past, name) if version is None else version
        metadata = verify_version(outputs, name, version)
        if missing := missing_metadata(metadata):
            raise ModelError(
                f"Versi {version} dari model {name} tidak dapat diberlakukan: metadata.json belum "
                f"memuat {', '.join(missing)}. Latih ulang model itu agar catatannya lengkap."
            )
        if version == current:
            raise ModelError(f"Versi {version} dari model {name} sudah berlaku.")
        if action == "promote" and not force:
            _require_not_worse(compare_versions(outputs, name, version, current), version, current)
        time = utc_now().replace(tzinfo=UTC)
        entry: dict[str, Any] = {
            "action": action, "version": version, "previous": current,
            "approver": approver.strip(), "reason": reason.strip(),
            "deployed": time.isoformat(timespec="seconds"),
            "next_review": next_month(time.date()).isoformat(),
        }  # fmt: skip
        if force:
            entry["forced"] = True
        _undo_interrupted_switch(home, past)
        changed = [version]
        if past and past[-1]["action"] == FIRST_RUN:
            changed.append(past[-1]["version"])
        metadata_files = [home / one / METADATA_FILE for one in changed]
        files = home / HISTORY_FILE, *metadata_files, home / CURRENT_FILE
        with _restore_files_on_failure(*files), recording(entry):
            # `current` last: a process that is killed before has not switched anything.
            write_json(home / HISTORY_FILE, [*past, entry])
            for one in changed:
                _write_governance(home / one, [*past, entry])
            write_bytes(home / CURRENT_FILE, f"{version}\n".encode())
    return entry


def next_month(day: date) -> date:
    """Return the same day of the next month, or its last day; the study reviews after a month.

    Examples
    --------
    >>> str(next_month(date(2025, 12, 14))), str(next_month(date(2026, 1, 31)))
    ('2026-01-14', '2026-02-28')
    """
    year, month = day.year + day.month // 12, day.month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def first_run_entry(metadata: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the entry of the history for a model of `make run`, in use since it was written."""
    entry: dict[str, Any] = {
        "action": FIRST_RUN, "version": version, "previous": None, "approver": "tanpa persetujuan",
        "reason": "Model dari `make run`, yang menjawab sebelum ada pemberlakuan.",
    }  # fmt: skip
    with suppress(ValueError):  # A damaged date does not prevent a switch, nor a look at the model.
        created = datetime.fromisoformat(str(metadata.get("created")))
        entry["deployed"] = created.isoformat(timespec="seconds")
        entry["next_review"] = next_month(created.date()).isoformat()
    return entry


def _first_run(outputs: str | Path, name: str) -> dict[str, Any] | None:
    """Store the model of `make run` as a version; return its entry, or None without a whole model."""
    try:
        version = add_version(outputs, Path(outputs) / name)
        entry = first_run_entry(read_metadata(version_folder(outputs, name, version)), version)
    except ModelError:  # A damaged model must not prevent the switch to a whole one.
        return None
    return entry if "deployed" in entry else None


def _require_not_worse(comparison: VersionComparison, version: str, current: str | None) -> None:
    if worse := comparison.possibly_worse:
        figures = ", ".join(
            f"{format_label(metric)} {format_number(comparison.old[metric])} → "
            f"{format_number(comparison.new[metric])}"
            for metric in worse
        )
        raise ModelError(
            f"Versi {version} mungkin lebih buruk daripada {current} pada pasangan emas: {figures}. "
            "Bila tetap harus berlaku, tambahkan --force, dan sebutkan mengapa di --reason."
        )


@contextmanager
def _restore_files_on_failure(*paths: Path) -> Iterator[None]:
    """Restore the contents of files if a block fails, the last file first."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in reversed(before.items()):
            if content is None:
                path.unlink(missing_ok=True)
            else:
                write_bytes(path, content)
        raise


def _undo_interrupted_switch(home: Path, past: Sequence[dict[str, Any]]) -> None:
    """Remove the metadata of a switch that was killed before it completed."""
    entries = _entries(home)
    if len(entries) > len(past):
        with suppress(ModelError):  # That version may have been deleted.
            _write_governance(home / entries[-1]["version"], past)


def _write_governance(folder: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write the last entry for a version to its metadata."""
    metadata, entry = read_metadata(folder), _last_entry(entries, folder.name)
    metadata.pop(GOVERNANCE_KEY, None)
    if entry:
        metadata[GOVERNANCE_KEY] = {key: entry[key] for key in _GOVERNANCE}
    write_json(folder / METADATA_FILE, metadata)


def _previous_version(past: list[dict[str, Any]], name: str) -> str:
    """Return the version below the current one on the stack: promotions push, rollbacks pop."""
    stack: list[str] = []
    for entry in past:
        if entry["action"] == "rollback":
            del stack[-1:]
        else:
            stack.append(entry["version"])
    if len(stack) < 2:
        raise ModelError(
            f"Tidak ada versi model {name} yang berlaku sebelum ini. Pilih satu dengan "
            f"`judul models promote`; daftarnya ada di `judul models list`."
        )
    return stack[-2]


# Actor of a switch whose row is added later.
_UNKNOWN_ACTOR = "tidak diketahui"


@dataclass(frozen=True)
class AuditWriter:
    """Writes rows of one actor to the audit trail.

    Attributes
    ----------
    url : str
        Of the database.
    folder : path
        Folder of the log.
    actor : str
        A pseudonym.
    warn : callable
        Called with a sentence.
    """

    url: str
    folder: Path
    actor: str
    warn: Callable[[str], None] = lambda sentence: None

    @contextmanager
    def recording(self, action: str, *, reason: str, details: Mapping[str, Any]) -> Iterator[None]:
        """Add a row to the trail, unless the block raises; `LogError` as in `audit.append_row`."""
        with self.transaction() as connection:
            audit.add_row(
                connection, self.folder, actor=self.actor, action=action, reason=reason, details=details
            )
            yield

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run a block that adds rows in a transaction, and advance the head of the trail."""
        with opened_database(self.url, warn=self.warn, lock_wait=COMMAND_LOCK_WAIT) as engine:
            with transaction(engine) as connection:
                yield connection
            try:
                audit.advance_head(engine, self.folder)
            except (OSError, LogError) as error:  # The rows are stored; the next one advances the head.
                self.warn(f"Peringatan: ujung jejak audit belum dicatat ({error}).")


def promote_with_audit(
    trail: AuditWriter,
    outputs: Path,
    name: str,
    version: str,
    *,
    reason: str,
    approver: str,
    force: bool = False,
) -> dict[str, Any]:
    """Promote a version and record it in the audit trail; see `promote`.

    Raises
    ------
    LogError
        The switch cannot be recorded; the current version stays.
    ModelError
        As in `promote`; nothing is recorded.
    """
    recording = partial(_recording, trail, outputs, name)
    return promote(
        outputs, name, version, reason=reason, approver=approver, force=force, recording=recording
    )


def rollback_with_audit(
    trail: AuditWriter, outputs: Path, name: str, *, reason: str, approver: str
) -> dict[str, Any]:
    """Roll back and record it in the audit trail; see `promote_with_audit`."""
    recording = partial(_recording, trail, outputs, name)
    return rollback(outputs, name, reason=reason, approver=approver, recording=recording)


def unaudited_switch(connection: sa.Connection, outputs: Path, name: str) -> dict[str, Any] | None:
    """Return the last switch of a model if the audit trail lacks it, else None."""
    past = history(outputs, name)
    if not past or past[-1]["action"] == FIRST_RUN:
        return None
    last = {"model": name} | {key: past[-1][key] for key in ("version", "previous", "deployed")}
    query = sa.select(table.c.details).where(table.c.action == past[-1]["action"])
    rows = map(audit.read_details, connection.execute(query).scalars())
    return None if any(last.items() <= row.items() for row in rows) else past[-1]


@contextmanager
def _recording(trail: AuditWriter, outputs: Path, name: str, entry: Mapping[str, Any]) -> Iterator[None]:
    with trail.transaction() as connection:
        if missed := unaudited_switch(connection, outputs, name):
            audit.add_row(connection, trail.folder, actor=_UNKNOWN_ACTOR, **_row(outputs, name, missed))
        audit.add_row(connection, trail.folder, actor=trail.actor, **_row(outputs, name, entry))
        yield


def _row(outputs: Path, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("version", "previous", "approver", "deployed", "next_review", "forced")
    details = {"model": name} | {key: entry[key] for key in keys if key in entry}
    details |= compare_versions(outputs, name, entry["version"], entry["previous"]).details
    return {"action": entry["action"], "reason": entry["reason"], "details": details}
