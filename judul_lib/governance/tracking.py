"""Mirror model versions in MLflow: a registered run for each, and aliases.

The store in ``outputs/mlflow`` (SQLite, with its artifacts) can be rebuilt from the
models in ``outputs``. Needs the extra ``mlflow``, which is imported only to mirror.
Nothing leaves this machine.
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
_PARAMS = "type estimator features n_terms hyperparameters tfidf dataset corpus pairs labels".split()


@dataclass(frozen=True)
class _StoredVersion:
    version: str
    created: str
    folder: Path


@dataclass(frozen=True)
class MirrorResult:
    """State of a model in MLflow after mirroring.

    Attributes
    ----------
    new : list of str
        Versions that were registered, oldest first.
    n_versions : int
        Number of all registered versions.
    aliases : mapping of str to str
        Versions of ``current`` and ``candidate``, the newest version that is younger
        than the current one and was never promoted.
    notes : list of str
        Why a version is not registered, in Indonesian.
    """

    new: list[str]
    n_versions: int
    aliases: Mapping[str, str]
    notes: list[str]


def mirror_if_enabled(config: "Config", name: str, warn: Callable[[str], None]) -> None:
    """Mirror a model if the settings say so; warn about errors instead of raising them."""
    if not config.mlflow:
        return
    try:
        notes = mirror(config.models, name).notes
    except JudulError as error:
        notes = [str(error)]
    for note in notes:
        warn(f"Catatan: {note}")


def mirror(outputs: str | Path, name: str) -> MirrorResult:
    """Register the versions of a model in MLflow, and set its aliases.

    The model in ``outputs/<name>`` is included if it is in use, or newer than the
    version in use. Registered versions are not changed.

    Raises
    ------
    TrackingError
        MLflow is not installed, or its store cannot be used.
    ModelError
        The history of the versions is damaged, or no model has that name.
    """
    versions, notes = _versions(Path(outputs), name)
    if not versions:
        return MirrorResult([], 0, {}, notes)
    aliases = _aliases(Path(outputs), name, versions)
    new = []
    with _open_client(Path(outputs) / TRACKING_FOLDER) as client:
        numbers = _registered(client, name)
        for stored in versions:
            if stored.version in numbers:
                continue
            try:
                number = _register(client, name, stored, Path(outputs) / TRACKING_FOLDER)
            except ModelError as error:
                notes.append(str(error))
            else:
                numbers[stored.version] = number
                new.append(stored.version)
        aliases = {alias: version for alias, version in aliases.items() if version in numbers}
        for alias in {CURRENT, CANDIDATE} & set(client.get_registered_model(name).aliases):
            if alias not in aliases:
                client.delete_registered_model_alias(name, alias)
        for alias, version in aliases.items():
            client.set_registered_model_alias(name, alias, numbers[version])
    return MirrorResult(new, len(numbers), aliases, notes)


def run_params(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return hyperparameters and data of a model; values other than text as JSON.

    Examples
    --------
    >>> run_params({"type": "Forest", "hyperparameters": {"max_depth": None, "n_estimators": 9}})
    {'type': 'Forest', 'hyperparameters.max_depth': 'null', 'hyperparameters.n_estimators': '9'}
    """
    values = _flat({key: metadata[key] for key in _PARAMS if key in metadata})
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def run_metrics(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics and importances of a model, and its comparison with the previous version.

    Examples
    --------
    >>> run_metrics({"metrics": {"f1": 0.9, "roc_auc": None}, "importances": {"cosine": 1}})
    {'f1': 0.9, 'importances.cosine': 1.0}
    """
    others = {key: metadata[key] for key in ("importances", "comparison") if key in metadata}
    values = _flat({**metrics_of(metadata), **others})
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": inner_value for inner, inner_value in _flat(value).items()}
        else:
            flat[key] = value
    return flat


def _versions(outputs: Path, name: str) -> tuple[list[_StoredVersion], list[str]]:
    """Return the versions of a model, oldest first, and why others cannot be read."""
    folders = {version_folder(outputs, name, version) for version in list_versions(outputs, name)}
    unversioned = outputs / name
    is_in_use = current_version(outputs, name) is None
    is_candidate = candidate_metadata(outputs, name) is not None
    if (is_in_use or is_candidate) and (unversioned / METADATA_FILE).is_file():
        folders.add(unversioned)
    versions, notes = [], []
    for folder in sorted(folders):
        try:
            metadata = read_metadata(folder)
        except ModelError as error:
            notes.append(str(error))
        else:
            version = version_of(metadata) if folder == unversioned else folder.name
            versions.append(_StoredVersion(version, str(metadata.get("created", "")), folder))
    return sorted(versions, key=lambda stored: stored.created), notes


def _aliases(outputs: Path, name: str, versions: Iterable[_StoredVersion]) -> dict[str, str]:
    current = current_version(outputs, name)
    if current is None:
        current = next((v.version for v in versions if v.folder == outputs / name), None)
    created = max((v.created for v in versions if v.version == current), default="")
    decided = {entry["version"] for entry in history(outputs, name)}
    candidates = [v.version for v in versions if v.created > created and v.version not in decided]
    return {
        **({} if current is None else {CURRENT: current}),
        **({CANDIDATE: candidates[-1]} if candidates else {}),
    }


@contextmanager
def _open_client(folder: Path) -> "Iterator[MlflowClient]":
    """Yield a client of the store in a folder, which is created if necessary."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    try:
        from mlflow import MlflowClient

        if "?" in str(folder):  # SQLAlchemy would parse the rest as options.
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
    except Exception as error:  # Of MLflow, SQLAlchemy, Alembic or the disk.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingError(
            f"MLflow di {folder} tidak dapat dipakai ({reason}). Model dan versinya tidak terpengaruh; "
            "setelah itu diperbaiki, jalankan `judul models track`."
        ) from error


def _registered(client: "MlflowClient", name: str) -> dict[str, str]:
    """Return the numbers of the registered versions in MLflow, by our version."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=MODEL_TITLES[name])
    rows = client.search_model_versions(f"name = '{name}'")
    return {row.tags[VERSION_TAG]: row.version for row in rows if VERSION_TAG in row.tags}


def _register(client: "MlflowClient", name: str, stored: _StoredVersion, folder: Path) -> str:
    """Log a version as a run, register it, and return its number."""
    from mlflow.entities import Metric, Param

    metadata, files = verified_version(stored.folder, name, stored.version)
    try:
        created = int(datetime.fromisoformat(stored.created).timestamp() * 1000)
    except ValueError as error:
        raise ModelError(f"Model di {stored.folder} tidak mencatat tanggal pembuatannya.") from error
    experiment = _experiment(client, name, folder)
    for unfinished in client.search_runs([experiment], f"tags.{VERSION_TAG} = '{stored.version}'"):
        client.delete_run(unfinished.info.run_id)  # Of a process that was killed.
    tags = {VERSION_TAG: stored.version, PACKAGE_TAG: str(metadata.get("version"))}
    if "previous" in metadata:
        tags[PREVIOUS_TAG] = str(metadata["previous"])
    run = client.create_run(experiment, start_time=created, run_name=stored.version, tags=tags).info
    client.log_batch(
        run.run_id,
        metrics=[Metric(key, value, created, 0) for key, value in run_metrics(metadata).items()],
        params=[Param(key, value) for key, value in run_params(metadata).items()],
    )
    with tempfile.TemporaryDirectory() as staging:
        for file, content in files.items():
            write_bytes(Path(staging) / file, content)
        write_json(Path(staging) / METADATA_FILE, metadata)
        client.log_artifacts(run.run_id, staging, MODEL_ARTIFACT)
    client.set_terminated(run.run_id, end_time=created)
    source = f"{run.artifact_uri}/{MODEL_ARTIFACT}"
    return str(client.create_model_version(name, source, run.run_id, tags=tags).version)


def _experiment(client: "MlflowClient", name: str, folder: Path) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return experiment.experiment_id
    location = (folder / ARTIFACTS_FOLDER / name).resolve().as_uri()
    return client.create_experiment(name, artifact_location=location)
