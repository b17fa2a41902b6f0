"""Shared fixtures and helpers: running the command, trained models, one full run, a browser."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import pytest

from judul_lib.checking.registry import Model, load_model
from judul_lib.cli.main import main
from judul_lib.core.settings import FULL, LIGHT, Profile
from judul_lib.core.storage import sha256_of
from judul_lib.study.corpus import Corpus, read_corpus
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.labeling import LabeledPairs, label_pairs
from judul_lib.training.forest import TrainingResult, package_model, train_model
from judul_lib.usage.database import database_url

# Tests write no log unless they ask for one.
os.environ["JUDUL_LOG"] = "false"
# No deadline: the first example may load a dictionary, and the machine may be busy.
hypothesis.settings.register_profile("judul", deadline=None)
hypothesis.settings.load_profile("judul")

PROJECT = Path(__file__).parent.parent
DATA = PROJECT / "data" / "dataset_TA.csv"
POSTGRES = os.environ.get("JUDUL_TEST_POSTGRES", "")
NO_POSTGRES = "no PostgreSQL here: set JUDUL_TEST_POSTGRES to the URL of a server that may be written to"


def gold_titles() -> list[str]:
    """Return the distinct titles of the gold pairs, those of the left column first."""
    frame = pd.read_csv(PROJECT / "data" / "gold_pairs.csv")
    return list(dict.fromkeys([*frame["judul_a"], *frame["judul_b"]]))


def copy_stored_models(outputs: Path) -> Path:
    """Copy the two models of the repository into a folder of models, and return it."""
    for name in ("light", "structured"):
        shutil.copytree(PROJECT / "outputs" / name, outputs / name)
    return outputs


def judul(
    *arguments: object, cwd: Path = PROJECT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the ``judul`` command in this process, which saves the start-up time."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    args = list(map(str, arguments))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as exit_info:
            main(args)
    outputs = []
    for stream in (out, err):
        stream.flush()
        outputs.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(args, int(exit_info.value.code or 0), *outputs)


def judul_process(
    *arguments: object, cwd: Path = PROJECT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the ``judul`` command in a process of its own, as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "judul_lib", *map(str, arguments)],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Assert a nonzero status, and one line on standard error that has these words."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode != 0, result.stdout
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Galat: ")
    for word in words:
        assert word in lines[0], (word, lines[0])


@pytest.hookimpl(tryfirst=True)  # Before ``-m`` selects by marks.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as slow that need a full run, a browser or a database server."""
    for item in items:
        values = getattr(getattr(item, "callspec", None), "params", {}).values()
        fixtures = getattr(item, "fixturenames", ())
        if "finished_run" in fixtures or "browser" in fixtures or "postgresql" in values:
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def no_fsync() -> Iterator[None]:
    """Do not wait for the disk: no test simulates a power failure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


def plant_pickle_bomb(folder: Path, model: str, *, with_hashes: bool = True) -> Path:
    """Write a model whose pickles create a file when opened; return the path of that file."""
    exploded = folder.parent / "exploded"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(exploded), "w"))

    shutil.copytree(PROJECT / "outputs" / "light", folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    for name in ("tfidf.joblib", "scaler.joblib", "best_rf.joblib"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
        if with_hashes:
            metadata["files"][name] = sha256_of((folder / name).read_bytes())
    (folder / "metadata.json").write_text(json.dumps({**metadata, "name": model}))
    return exploded


@dataclass(frozen=True)
class Trained:
    """A light model trained on the project's titles."""

    corpus: Corpus
    labeled: LabeledPairs
    result: TrainingResult
    folder: Path
    model: Model

    @property
    def titles(self) -> list[str]:
        return self.corpus.titles["Judul"].tolist()

    @property
    def processed(self) -> list[str]:
        return self.corpus.titles["judul_proc"].tolist()


def train_on(corpus: Corpus, labeled: LabeledPairs, profile: Profile) -> TrainingResult:
    titles, processed = (corpus.titles[name].tolist() for name in ("Judul", "judul_proc"))
    return train_model(titles, processed, labeled.pairs, profile)


@pytest.fixture(scope="session")
def project_corpus() -> Corpus:
    return read_corpus(DATA)


def label_by_own_cosine(corpus: Corpus, profile: Profile) -> LabeledPairs:
    processed = corpus.titles["judul_proc"].tolist()
    return label_pairs(fit_vectorizer(processed, profile).transform(processed))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, project_corpus: Corpus) -> Trained:
    corpus, labeled = project_corpus, label_by_own_cosine(project_corpus, LIGHT)
    result = train_on(corpus, labeled, LIGHT)
    folder = tmp_path_factory.mktemp("models") / "light"
    package_model(result, corpus, folder)
    return Trained(corpus, labeled, result, folder, load_model(folder))


@dataclass(frozen=True)
class Run:
    """Results of ``judul run`` on the data of the project."""

    outputs: Path
    reports: Path
    stdout: str
    exploded: Path


# Shortens the longest measurements; nbval compares the notebooks at full size.
SMALL_RUN = ("-p", "N_TITLES", "500", "-p", "CURVE", "[20]")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    copy_stored_models(folder / "outputs")
    exploded = plant_pickle_bomb(folder / "outputs" / "full", "full")  # The run replaces it.
    outputs, reports = folder / "outputs", folder / "reports"
    result = judul_process("run", "--out", outputs, "--reports", reports, *SMALL_RUN)
    assert result.returncode == 0, result.stderr
    return Run(outputs, reports, result.stdout, exploded)


@dataclass(frozen=True)
class Installation:
    """Models and reports like those of a run: trained on a small grid, with stored notebooks."""

    outputs: Path
    reports: Path


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, project_corpus: Corpus) -> Installation:
    # Not at the top: the environment of the MLflow tests has no notebooks.
    import nbformat

    from judul_lib.reports.pipeline import STAGES, render_stages

    folder = tmp_path_factory.mktemp("installation")
    outputs, reports = folder / "outputs", folder / "reports"
    copy_stored_models(outputs)
    corpus, labeled = project_corpus, label_by_own_cosine(project_corpus, FULL)
    profile = replace(FULL, grid={name: values[:1] for name, values in FULL.grid.items()})
    package_model(train_on(corpus, labeled, profile), corpus, outputs / "full")
    reports.mkdir()
    notebooks = (nbformat.read(PROJECT / "notebooks" / f"{stage.notebook}.ipynb", 4) for stage in STAGES)
    for name, page in render_stages(notebooks, DATA.name).items():
        (reports / name).write_bytes(page)
    return Installation(outputs, reports)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium here: install Debian's package 'chromium' for the browser tests")
    from playwright.sync_api import sync_playwright

    arguments = (
        "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments.split())
        yield chromium
        chromium.close()


def open_page(browser: Any, **options: object) -> Any:
    """Return an empty page in a context of its own, with time for a busy machine to answer."""
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)
    return context.new_page()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield database_url(tmp_path)
        return
    if not POSTGRES:
        pytest.skip(NO_POSTGRES)
    from benchmarks.writing import new_database

    with new_database(POSTGRES) as address:
        yield address


@pytest.fixture
def write_csv(tmp_path: Path):
    """Write titles to a CSV and return its path."""

    def write(titles: list[str], name: str = "judul.csv") -> Path:
        path = tmp_path / name
        pd.DataFrame({"Judul": titles}).to_csv(path, index=False)
        return path

    return write
