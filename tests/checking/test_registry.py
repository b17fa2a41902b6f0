import json
import pickle
import shutil

import numpy as np
import pytest

from judul_lib.checking import registry
from judul_lib.checking.loading import load_checker
from judul_lib.checking.registry import (
    FILES,
    METADATA_FILE,
    load_estimators,
    load_model,
    load_models,
    load_structured,
    read_metadata,
)
from judul_lib.checking.versions import add_version
from judul_lib.core.errors import ModelError
from judul_lib.core.settings import SEED
from judul_lib.core.storage import recover_folder, replace_folder
from judul_lib.governance.promotions import missing_metadata
from judul_lib.training.drift import measure_baseline, stored_baseline
from judul_lib.training.forest import package_model, train_model
from tests.conftest import PROJECT, assert_refused, judul_process


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained.folder, tmp_path / "outputs" / "light")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_metadata_describe_the_model(trained, folder):
    metadata = read_metadata(folder)
    assert set(FILES) == set(metadata["files"]) == set(metadata["sizes"])
    assert metadata["dataset"]["sha256"] == trained.corpus.sha256
    assert metadata["dataset"]["n_titles"] == len(trained.titles)
    assert metadata["hyperparameters"] == trained.result.best_params
    assert metadata["n_terms"] == len(trained.result.tfidf.vocabulary_) <= 500
    assert metadata["metrics"]["accuracy"] == pytest.approx(trained.result.metrics["accuracy"], abs=1e-6)
    assert "scikit-learn" in metadata["packages"]
    assert {"name", "version", "type", "created", "features", "tfidf"} <= set(metadata)
    assert metadata["seed"] == trained.result.forest.random_state == SEED
    assert metadata["dataset"]["version"] == trained.corpus.sha256[:8]
    assert stored_baseline(metadata) == measure_baseline(load_checker(folder))
    assert missing_metadata(metadata) == []
    assert len(missing_metadata(metadata, is_promoted=True)) == 4


def test_light_model_needs_at_most_38_kilobytes(trained, folder):
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sum(sizes.values()) - sizes["titles_preprocessed.csv"] <= 38 * 1024


def retrain(trained, **options):
    pairs, profile = trained.labeled.pairs, trained.result.profile
    return train_model(trained.titles, trained.processed, pairs, profile, **options)


def test_same_data_and_seed_give_the_same_bytes_and_do_not_rewrite_a_model(trained, folder, tmp_path):
    before = content(folder)
    result = retrain(trained)
    assert not package_model(result, trained.corpus, folder)
    assert content(folder) == before
    assert result.metrics == trained.result.metrics
    assert package_model(result, trained.corpus, tmp_path / "other")
    other = content(tmp_path / "other")
    assert {name: other[name] for name in FILES} == {name: before[name] for name in FILES}


def test_another_seed_writes_another_model(trained, folder):
    before = content(folder)
    assert package_model(retrain(trained, random_state=7), trained.corpus, folder)
    assert content(folder) != before


@pytest.mark.parametrize("name", FILES)
def test_changed_file_is_refused_before_unpickling(folder, name, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    (folder / name).write_bytes(pickle.dumps(Bomb()))
    for load in (load_model, load_estimators):
        with pytest.raises(ModelError, match=f"{name} tidak sama"):
            load(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", [*FILES, METADATA_FILE])
def test_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError):
        load_model(folder)


@pytest.mark.parametrize(("name", "load"), [("light", load_model), ("structured", load_structured)])
def test_model_with_other_features_is_refused(tmp_path, name, load):
    folder = shutil.copytree(PROJECT / "outputs" / name, tmp_path / name)
    load(folder)
    metadata = json.loads((folder / METADATA_FILE).read_text())
    (folder / METADATA_FILE).write_text(json.dumps(metadata | {"features": metadata["features"][:-1]}))
    with pytest.raises(ModelError, match="fitur lain"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}', "{"])
def test_damaged_metadata_are_refused(folder, text):
    (folder / METADATA_FILE).write_text(text)
    with pytest.raises(ModelError):
        load_model(folder)


def test_available_models_are_loaded_and_missing_ones_are_reported(folder):
    models, notes = load_models(folder.parent)
    assert list(models) == ["light"]
    assert len(notes) == 1
    assert "Model Penuh" in notes[0]
    assert "make run" in notes[0]
    shutil.copytree(folder, folder.parent / "full")
    models, notes = load_models(folder.parent)
    assert list(models) == ["full", "light"]
    assert notes == []
    with pytest.raises(ModelError, match="make run"):
        load_models(folder / "kosong")


def test_failed_save_keeps_the_earlier_model(trained, folder, monkeypatch):
    before = content(folder)
    metadata = json.loads(before[METADATA_FILE])

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        registry.save_model(folder, dict.fromkeys(FILES, b"new"), metadata)
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["light"]


def test_replacement_killed_between_its_renames_is_undone(folder, tmp_path, monkeypatch):
    before = content(folder)
    new = tmp_path / "new"
    new.mkdir()
    rename, calls = type(folder).rename, []

    def rename_once(self, target):
        if calls:
            raise KeyboardInterrupt
        calls.append(target)
        return rename(self, target)

    monkeypatch.setattr(type(folder), "rename", rename_once)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(new, folder)
    monkeypatch.undo()
    assert not folder.exists()
    recover_folder(folder)
    assert content(folder) == before
    assert load_model(folder).name == "light"


def test_reader_between_the_renames_does_not_stop_a_replacement(folder, tmp_path, monkeypatch):
    new = tmp_path / "new"
    new.mkdir()
    rename, names = type(folder).rename, []

    def rename_and_read(self, target):
        result = rename(self, target)
        if self == folder and not names:
            names.append(read_metadata(folder)["name"])  # Recovers the folder, as after a kill.
        return result

    monkeypatch.setattr(type(folder), "rename", rename_and_read)
    replace_folder(new, folder)
    assert names == ["light"]
    assert content(folder) == {}
    assert list(folder.parent.iterdir()) == [folder]


def test_reader_that_is_too_late_to_recover_finds_the_new_folder(folder, monkeypatch):
    previous = folder.with_name(".light.previous")
    folder.rename(previous)
    rename = type(folder).rename

    def rename_late(self, target):
        shutil.copytree(previous, folder)  # The replacement has finished.
        return rename(self, target)

    monkeypatch.setattr(type(folder), "rename", rename_late)
    assert read_metadata(folder)["name"] == "light"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with copies of the package and of the structured model, also as a version."""
    home = tmp_path_factory.mktemp("package")
    shutil.copytree(
        PROJECT / "judul_lib", home / "judul_lib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(PROJECT / "outputs" / "structured", home / "outputs" / "structured")
    add_version(home / "outputs", home / "outputs" / "structured")
    assert run_in(home, *CHECK).returncode == 0
    assert run_in(home, "models", "verify").returncode == 0
    return home


CHECK = ("check", "Deteksi Berita Bohong dengan CNN", "--top", 1)


def run_in(package, *arguments):
    """Run a command of a copy of the package on its models."""
    models = "--models", package / "outputs"
    return judul_process(*arguments, *models, cwd=package, PYTHONPATH=str(package))


@pytest.mark.parametrize(
    "name",
    "lexicon.csv lexicon_stems.csv terms.csv siblings.csv relations.csv implications.csv "
    "places.csv spellings.csv stems.csv word_vectors.npz".split(),
)
def test_structured_model_is_refused_with_other_resources(package, name):
    path = package / "judul_lib" / "structured" / "resources" / name
    before = path.read_bytes()
    if name.endswith(".csv"):
        path.write_bytes(b"".join(before.splitlines(keepends=True)[:-3]))
    else:
        with np.load(path) as stored:
            changed = {"words": stored["words"], "vectors": stored["vectors"][::-1]}
        np.savez_compressed(path, **changed)
    try:
        assert_refused(run_in(package, *CHECK), name, "make run")
        verified = run_in(package, "models", "verify")
        assert verified.returncode == 1
        assert name in verified.stdout + verified.stderr
    finally:
        path.write_bytes(before)


def test_structured_model_without_named_resources_is_refused(tmp_path):
    folder = shutil.copytree(PROJECT / "outputs" / "structured", tmp_path / "structured")
    metadata = json.loads((folder / METADATA_FILE).read_text())
    (folder / METADATA_FILE).write_text(json.dumps(metadata | {"resources": None}))
    with pytest.raises(ModelError, match="lexicon"):
        load_structured(folder)


@pytest.mark.parametrize(
    ("name", "load"),
    [("structured", load_model), ("structured", load_estimators), ("light", load_structured)],
)
def test_model_of_another_kind_is_not_reported_as_damaged(name, load):
    with pytest.raises(ModelError, match=r"load_checker.*load_structured") as error:
        load(PROJECT / "outputs" / name)
    assert "Hapus" not in str(error.value)
