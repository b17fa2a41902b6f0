"""Versions of models in MLflow. What needs it is skipped where the extra ``mlflow`` is not installed."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from judul_lib.checking.registry import load_model, read_metadata, version_of
from judul_lib.checking.versions import add_version, current_version, list_versions, version_folder
from judul_lib.cli.main import cli
from judul_lib.core.errors import ModelError, TrackingError
from judul_lib.core.storage import sha256_of
from judul_lib.governance import tracking
from judul_lib.governance.promotions import promote
from judul_lib.governance.tracking import CANDIDATE, CURRENT, VERSION_TAG, mirror
from judul_lib.labeling import retraining
from tests.conftest import PROJECT, judul

WHO = {"reason": "lebih baik pada pasangan emas", "approver": "Koordinator TA"}
WHO_OPTIONS = [f"--{key}={value}" for key, value in WHO.items()]
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="MLflow is not installed: the extra `mlflow`"
)


def change_metadata(folder, **changes):
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def set_created(outputs, day):
    """Set the day on which the model was made, and return its new version."""
    change_metadata(outputs / "light", created=f"2026-03-0{day}T08:00:00+00:00")
    return version_of(read_metadata(outputs / "light"))


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """An empty store, created once because it takes seconds."""
    folder = tmp_path_factory.mktemp("store") / tracking.TRACKING_FOLDER
    with tracking._open_client(folder):
        return folder


@pytest.fixture
def bare(tmp_path):
    """A folder with one model without versions, whose path has a space."""
    outputs = tmp_path / "model model" / "outputs"
    shutil.copytree(PROJECT / "outputs" / "light", outputs / "light")
    return outputs


@pytest.fixture
def outputs(bare, empty_store):
    shutil.copytree(empty_store, bare / tracking.TRACKING_FOLDER)
    return bare


@pytest.fixture
def models(monkeypatch):
    """Run ``judul models`` in this process."""
    monkeypatch.setenv("JUDUL_MLFLOW", "true")

    def run(*arguments):
        words = [str(word) for word in ("models", *arguments)]
        result = CliRunner().invoke(cli, words, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result

    return run


class Store:
    """The store of a folder, read with MLflow's client."""

    def __init__(self, outputs):
        from mlflow import MlflowClient

        url = f"sqlite:///{outputs / 'mlflow' / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=url, registry_uri=url)

    def versions(self):
        rows = self.client.search_model_versions("name = 'light'")
        return {row.tags[VERSION_TAG]: row for row in rows}

    def runs(self):
        experiment = self.client.get_experiment_by_name("light")
        return self.client.search_runs([experiment.experiment_id])

    def aliases(self):
        tags = {row.version: version for version, row in self.versions().items()}
        aliases = self.client.get_registered_model("light").aliases
        return {alias: tags[number] for alias, number in aliases.items()}


def test_disabled_mlflow_is_not_imported(bare, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # An import would fail.
    version = add_version(bare, bare / "light")
    words = ["models", "promote", "light", version, *WHO_OPTIONS, "--models", str(bare)]
    result = CliRunner().invoke(cli, words, standalone_mode=False)
    assert result.exception is None
    assert result.stderr == ""
    assert current_version(bare, "light") == version
    assert not (bare / "mlflow").exists()
    refused = judul("models", "track", "--models", bare)
    assert refused.returncode != 0
    assert "JUDUL_MLFLOW=true" in refused.stderr


def test_promotion_without_the_extra_succeeds_with_a_hint(bare, models, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    version = add_version(bare, bare / "light")
    result = models("promote", "light", version, *WHO_OPTIONS, "--models", bare)
    assert result.return_value in (0, None)
    assert 'pip install "judul-lib[mlflow]"' in result.stderr
    assert current_version(bare, "light") == version
    assert not (bare / "mlflow").exists()
    with pytest.raises(TrackingError, match=r"judul-lib\[mlflow\]"):
        models("track", "light", "--models", bare)


@needs_mlflow
@pytest.mark.parametrize("name", ["light", "structured"])
def test_run_has_the_metadata(outputs, name):
    if name != "light":
        shutil.copytree(PROJECT / "outputs" / name, outputs / name)
    metadata = read_metadata(outputs / name)
    assert mirror(outputs, name).new == [version_of(metadata)]
    client = Store(outputs).client
    (row,) = client.search_model_versions(f"name = '{name}'")
    run = client.get_run(row.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == row.tags[VERSION_TAG] == version_of(metadata)
    params = run.data.params
    assert params["type"] == metadata["type"]
    assert params["dataset.sha256"] == metadata["dataset"]["sha256"]
    assert json.loads(params["features"]) == metadata["features"]
    for group in ("hyperparameters", "tfidf"):
        for key, value in metadata.get(group, {}).items():
            assert json.loads(params[f"{group}.{key}"]) == value
    measured = metadata.get("metrics") or metadata["evaluation"]
    assert len(measured) > 2
    assert {key: run.data.metrics[key] for key in measured} == measured
    copied = Path(client.download_artifacts(row.run_id, tracking.MODEL_ARTIFACT))
    names = {*metadata["files"], "metadata.json"}
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        file: (outputs / name / file).read_bytes() for file in names
    }
    assert row.source == f"{run.info.artifact_uri}/{tracking.MODEL_ARTIFACT}"


@needs_mlflow
def test_logged_artifact_is_a_loadable_model(outputs):
    mirror(outputs, "light")
    store = Store(outputs)
    (row,) = store.versions().values()
    copied = load_model(store.client.download_artifacts(row.run_id, tracking.MODEL_ARTIFACT))
    assert copied.titles == load_model(outputs / "light").titles


@needs_mlflow
def test_aliases_follow_promotions_and_rollbacks(outputs, models):
    first = set_created(outputs, 1)
    assert mirror(outputs, "light").aliases == {CURRENT: first}  # In use without a promotion.
    versions = [first]
    add_version(outputs, outputs / "light")
    models("promote", "light", first, *WHO_OPTIONS, "--models", outputs)
    for day in (2, 3):
        versions.append(set_created(outputs, day))
        add_version(outputs, outputs / "light")
    store = Store(outputs)
    models("promote", "light", versions[1], *WHO_OPTIONS, "--models", outputs)
    assert store.aliases() == {CURRENT: versions[1], CANDIDATE: versions[2]}
    models("promote", "light", versions[2], *WHO_OPTIONS, "--models", outputs)
    assert store.aliases() == {CURRENT: versions[2]}
    models("rollback", "light", *WHO_OPTIONS, "--models", outputs)
    # A version that was rolled back is no candidate.
    assert store.aliases() == {CURRENT: versions[1]}
    assert set(store.versions()) == set(versions)


@needs_mlflow
def test_newer_model_beside_the_versions_is_the_candidate(outputs):
    set_created(outputs, 1)
    version = add_version(outputs, outputs / "light")
    promote(outputs, "light", version, **WHO)
    candidate = set_created(outputs, 2)
    assert mirror(outputs, "light").aliases == {CURRENT: version, CANDIDATE: candidate}
    assert list_versions(outputs, "light") == [version]  # Only MLflow changes.


@needs_mlflow
def test_retrained_version_is_logged_with_its_comparison(outputs, tmp_path, monkeypatch):
    def fake_retrain(*_, **__):  # Training is slow, and tested elsewhere.
        old = add_version(outputs, outputs / "light")
        comparison = {metric: dict.fromkeys(("old", "new", "difference", "low", "high"), 0.25)
                      for metric in ("roc_auc", "accuracy")}  # fmt: skip
        folder = shutil.copytree(outputs / "light", tmp_path / "retrained" / "light")
        change_metadata(folder, created="2030-01-01T08:00:00+00:00", previous=old,
                        comparison=comparison, labels={"n_pairs": 1})  # fmt: skip
        new = add_version(outputs, folder)
        return retraining.RetrainingResult("light", new, old, pd.DataFrame(comparison).T, 1, 0, 1, 0, [])

    monkeypatch.setenv("JUDUL_MLFLOW", "true")
    monkeypatch.setattr(retraining, "retrain", fake_retrain)
    result = CliRunner().invoke(
        cli, ["retrain", "--no-feedback", "--models", str(outputs)], standalone_mode=False
    )
    assert result.exception is None
    old, new = list_versions(outputs, "light")
    store = Store(outputs)
    # Nothing is promoted: the old version stays in use.
    assert store.aliases() == {CURRENT: old, CANDIDATE: new}
    run = store.client.get_run(store.versions()[new].run_id)
    assert run.data.tags[tracking.PREVIOUS_TAG] == old
    assert run.data.params["labels.n_pairs"] == "1"
    assert run.data.metrics["comparison.roc_auc.low"] == 0.25


@needs_mlflow
def test_version_is_registered_once(outputs, models):
    version = add_version(outputs, outputs / "light")
    assert "1 versi baru" in models("track", "light", "--models", outputs).stdout
    again = models("track", "--models", outputs)
    assert f"light: 0 versi baru, 1 seluruhnya; current = {version}." in again.stdout
    assert "full: 0 versi baru, 0 seluruhnya." in again.stdout
    store = Store(outputs)
    assert len(store.runs()) == len(store.versions()) == 1


@needs_mlflow
def test_interrupted_mirroring_is_resumed(outputs, monkeypatch):
    from mlflow import MlflowClient

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", full_disk)
        with pytest.raises(TrackingError, match="No space left"):
            mirror(outputs, "light")
    store = Store(outputs)
    assert store.versions() == {}
    mirror(outputs, "light")
    assert [run.info.status for run in store.runs()] == ["FINISHED"]
    assert len(store.versions()) == 1


@needs_mlflow
def test_promotion_with_a_corrupt_store_succeeds_with_a_warning(bare, models):
    (bare / "mlflow").mkdir()
    (bare / "mlflow" / "mlflow.db").write_bytes(b"no database" * 1000)
    version = add_version(bare, bare / "light")
    result = models("promote", "light", version, *WHO_OPTIONS, "--models", bare)
    assert "kini berlaku" in result.stdout
    assert "Catatan: MLflow di" in result.stderr
    assert "judul models track" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert current_version(bare, "light") == version
    with pytest.raises(TrackingError, match="tidak dapat dipakai"):
        models("track", "light", "--models", bare)


@needs_mlflow
def test_damaged_version_is_skipped_and_reported(outputs, models):
    good = set_created(outputs, 1)
    add_version(outputs, outputs / "light")
    set_created(outputs, 2)
    bad = add_version(outputs, outputs / "light")
    (version_folder(outputs, "light", bad) / "arrays.npz").write_bytes(b"x")
    promote(outputs, "light", good, **WHO)
    shutil.rmtree(outputs / "light")
    result = models("track", "light", "--models", outputs)
    assert result.return_value == 1
    assert "arrays.npz" in result.stderr
    assert set(Store(outputs).versions()) == {good}
    assert Store(outputs).aliases() == {CURRENT: good}


@needs_mlflow
def test_version_with_a_replaced_file_and_hash_is_refused(outputs):
    version = add_version(outputs, outputs / "light")
    shutil.rmtree(outputs / "light")
    folder = version_folder(outputs, "light", version)
    files = read_metadata(folder)["files"]
    (folder / "scaler.joblib").write_bytes(b"other")
    change_metadata(folder, files=files | {"scaler.joblib": sha256_of(b"other")})
    result = mirror(outputs, "light")
    assert (result.new, result.n_versions) == ([], 0)
    assert "milik versi lain" in result.notes[0]


def test_unknown_model_is_refused(bare):
    with pytest.raises(ModelError, match="tidak dikenal"):
        mirror(bare, "berat")


@needs_mlflow
def test_folder_with_a_question_mark_is_refused(bare):
    odd = bare.rename(bare.with_name("apa?"))
    with pytest.raises(TrackingError, match="tanda tanya"):
        mirror(odd, "light")


_MIRROR_WITH_AUDIT_HOOK = """
import sys
from judul_lib.governance.tracking import mirror

events = []
watched = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.system")
sys.addaudithook(lambda name, details: name in watched and events.append((name, str(details))))
mirror(sys.argv[1], "light")
from mlflow.telemetry import get_telemetry_client

events = [event for event in events if "uname" not in event[1]]
print(events, get_telemetry_client(), "git" in sys.modules)
"""


@needs_mlflow
def test_mirroring_uses_no_network_and_leaves_the_working_folder_empty(outputs, tmp_path):
    # MLflow sends no telemetry from tests or CI, so their variables are hidden.
    hidden = "CI GITHUB_ACTIONS PYTEST_CURRENT_TEST MLFLOW_DISABLE_TELEMETRY DO_NOT_TRACK".split()
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"PYTHONPATH": str(PROJECT), "MLFLOW_TRACKING_URI": "http://192.0.2.1:5000"}
    working_folder = tmp_path / "here"
    working_folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _MIRROR_WITH_AUDIT_HOOK, str(outputs)],
        cwd=working_folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[] None False"
    assert list(working_folder.iterdir()) == []
