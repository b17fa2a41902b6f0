"""Versions of models in MLflow: a run for each, registered, with aliases for the one that answers.

The models in ``outputs`` are what counts; the store in ``outputs/mlflow`` (SQLite,
its artifacts beside it) mirrors them and can be made again from them. Needs the
extra ``mlflow``, which is imported only to mirror. Nothing leaves this machine.
"""

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judul_lib.checking.registry import METADATA_FILE, read_metadata, version_of
from judul_lib.checking.versions import (
    candidate_metadata,
    current_version,
    list_versions,
    verified_version,
    version_folder,
    write_json,
)
from judul_lib.core.errors import JudulError, ModelError, TrackingError
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import file_lock, write_bytes
from judul_lib.governance.promotions import history, metrics_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from judul_lib.core.config import Config

TRACKING_FOLDER, STORE_FILE, ARTIFACTS_FOLDER = "mlflow", "mlflow.db", "artifacts"
MODEL_ARTIFACT = "model"
VERSION_TAG, PACKAGE_TAG, PREVIOUS_TAG = "judul_version", "judul_package", "judul_previous"
CURRENT, CANDIDATE = "current", "candidate"
_PARAMS = "type features n_terms hyperparameters tfidf dataset corpus pairs labels".split()


@dataclass(frozen=True)
class _StoredVersion:
    """A version, when it was made, and where it lies."""

    version: str
    created: str
    folder: Path


@dataclass(frozen=True)
class MirrorResult:
    """What MLflow knows of a model by now.

    Attributes
    ----------
    new : list of str
        Versions that were registered just now, oldest first.
    n_versions : int
        All that are registered.
    aliases : mapping of str to str
        ``current``, the version that answers, and ``candidate_metadata``, the newest
        made since that was never promoted; those that there are.
    notes : list of str
        Why a version is not registered, in Indonesian.
    """

    new: list[str]
    n_versions: int
    aliases: Mapping[str, str]
    notes: list[str]


def mirror_if_enabled(config: "Config", name: str, warn: Callable[[str], None]) -> None:
    """Mirror a model where the settings say so; what goes wrong is told and stops nothing."""
    if not config.mlflow:
        return
    try:
        notes = mirror(config.models, name).notes
    except JudulError as error:
        notes = [str(error)]
    for note in notes:
        warn(f"Catatan: {note}")


def mirror(outputs: str | Path, name: str) -> MirrorResult:
    """Bring the versions of a model, and which one answers, into MLflow.

    The model in ``outputs/<name>`` is among them where it answers or is newer
    than what does. A version that MLflow knows is left alone.

    Raises
    ------
    TrackingError
        MLflow is not installed, or its store cannot be used.
    ModelError
        What is recorded of the versions is damaged, or no model has that name.
    """
    found, notes = _versions(Path(outputs), name)
    if not found:
        return MirrorResult([], 0, {}, notes)
    aliases = _aliases(Path(outputs), name, found)
    new = []
    with _open_client(Path(outputs) / TRACKING_FOLDER) as client:
        known = _registered(client, name)
        for one in found:
            if one.version in known:
                continue
            try:
                known[one.version] = _register(client, name, one, Path(outputs) / TRACKING_FOLDER)
            except ModelError as error:
                notes.append(str(error))
            else:
                new.append(one.version)
        aliases = {alias: version for alias, version in aliases.items() if version in known}
        for alias in {CURRENT, CANDIDATE} & set(client.get_registered_model(name).aliases):
            if alias not in aliases:
                client.delete_registered_model_alias(name, alias)
        for alias, version in aliases.items():
            client.set_registered_model_alias(name, alias, known[version])
    return MirrorResult(new, len(known), aliases, notes)


def run_params(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return what a model was made with and from; anything but text as JSON.

    Examples
    --------
    >>> run_params({"type": "Forest", "hyperparameters": {"max_depth": None, "n_estimators": 9}})
    {'type': 'Forest', 'hyperparameters.max_depth': 'null', 'hyperparameters.n_estimators': '9'}
    """
    values = _flat({key: metadata[key] for key in _PARAMS if key in metadata})
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def run_metrics(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return how well a model did, what its features are worth, and how it did beside the one before.

    Examples
    --------
    >>> run_metrics({"metrics": {"f1": 0.9, "roc_auc": None}, "importances": {"cosine": 1}})
    {'f1': 0.9, 'importances.cosine': 1.0}
    """
    further = {key: metadata[key] for key in ("importances", "comparison") if key in metadata}
    values = _flat({**metrics_of(metadata), **further})
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": found for inner, found in _flat(value).items()}
        else:
            flat[key] = value
    return flat


def _versions(outputs: Path, name: str) -> tuple[list[_StoredVersion], list[str]]:
    """Return the versions there are, oldest first, and what is wrong with others."""
    folders = {version_folder(outputs, name, version) for version in list_versions(outputs, name)}
    own = outputs / name
    answers_or_waits = (
        current_version(outputs, name) is None or candidate_metadata(outputs, name) is not None
    )
    if answers_or_waits and (own / METADATA_FILE).is_file():
        folders.add(own)
    found, notes = [], []
    for folder in sorted(folders):
        try:
            metadata = read_metadata(folder)
        except ModelError as error:
            notes.append(str(error))
        else:
            version = version_of(metadata) if folder == own else folder.name
            found.append(_StoredVersion(version, str(metadata.get("created", "")), folder))
    return sorted(found, key=lambda one: one.created), notes


def _aliases(outputs: Path, name: str, found: Iterable[_StoredVersion]) -> dict[str, str]:
    current = current_version(outputs, name)
    if current is None:
        current = next((one.version for one in found if one.folder == outputs / name), None)
    since = max((one.created for one in found if one.version == current), default="")
    decided = {entry["version"] for entry in history(outputs, name)}
    waiting = [one.version for one in found if one.created > since and one.version not in decided]
    return {
        **({} if current is None else {CURRENT: current}),
        **({CANDIDATE: waiting[-1]} if waiting else {}),
    }


@contextmanager
def _open_client(folder: Path) -> "Iterator[MlflowClient]":
    """Give a client of the store in a folder, which is made if it is not there."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    try:
        from mlflow import MlflowClient

        if "?" in str(folder):  # SQLAlchemy would take what follows for options.
            raise TrackingError(f"MLflow tidak dapat memakai folder dengan tanda tanya: {folder}.")
        folder.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{folder.resolve() / STORE_FILE}"
        with file_lock(folder / ".lock"):
            yield MlflowClient(tracking_uri=url, registry_uri=url)
    except JudulError:
        raise
    except ImportError as error:
        raise TrackingError(
            'MLflow belum terpasang. Pasang dengan `pip install "judul-lib[mlflow]"`, atau tulis '
            "mlflow = false di judul.toml."
        ) from error
    except Exception as error:  # MLflow's own, SQLAlchemy's, Alembic's, the disk's.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingError(
            f"MLflow di {folder} tidak dapat dipakai ({reason}). Model dan versinya tidak terpengaruh; "
            "setelah itu diperbaiki, jalankan `judul models track`."
        ) from error


def _registered(client: "MlflowClient", name: str) -> dict[str, str]:
    """Return by our versions the numbers under which MLflow has them."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=MODEL_TITLES[name])
    rows = client.search_model_versions(f"name = '{name}'")
    return {row.tags[VERSION_TAG]: row.version for row in rows if VERSION_TAG in row.tags}


def _register(client: "MlflowClient", name: str, one: _StoredVersion, folder: Path) -> str:
    """Record a version as a run, register it, and return its number."""
    from mlflow.entities import Metric, Param

    metadata, files = verified_version(one.folder, name, one.version)
    try:
        made = int(datetime.fromisoformat(one.created).timestamp() * 1000)
    except ValueError as error:
        raise ModelError(f"Model di {one.folder} tidak mencatat tanggal pembuatannya.") from error
    experiment = _experiment(client, name, folder)
    for left in client.search_runs([experiment], f"tags.{VERSION_TAG} = '{one.version}'"):
        client.delete_run(left.info.run_id)  # Of a process that did not come to its end.
    tags = {VERSION_TAG: one.version, PACKAGE_TAG: str(metadata.get("version"))}
    if "previous" in metadata:
        tags[PREVIOUS_TAG] = str(metadata["previous"])
    run = client.create_run(experiment, start_time=made, run_name=one.version, tags=tags).info
    client.log_batch(
        run.run_id,
        metrics=[Metric(key, value, made, 0) for key, value in run_metrics(metadata).items()],
        params=[Param(key, value) for key, value in run_params(metadata).items()],
    )
    with tempfile.TemporaryDirectory() as staging:
        for file, content in files.items():
            write_bytes(Path(staging) / file, content)
        write_json(Path(staging) / METADATA_FILE, metadata)
        client.log_artifacts(run.run_id, staging, MODEL_ARTIFACT)
    client.set_terminated(run.run_id, end_time=made)
    source = f"{run.artifact_uri}/{MODEL_ARTIFACT}"
    return str(client.create_model_version(name, source, run.run_id, tags=tags).version)


def _experiment(client: "MlflowClient", name: str, folder: Path) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return experiment.experiment_id
    place = (folder / ARTIFACTS_FOLDER / name).resolve().as_uri()
    return client.create_experiment(name, artifact_location=place)
