"""Run the notebooks that are out of date, in order, and render each as a report.

A run works in a staging folder inside the outputs and publishes its results at the end, so that a
failed run leaves the earlier results unchanged.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat

import judul_lib
from judul_lib.core.errors import BusyError, PipelineError
from judul_lib.core.settings import RUN_PROFILES
from judul_lib.core.storage import (
    exclusive_lock,
    remove_unfinished_writes,
    replace_folder,
    sha256_of,
    write_bytes,
)
from judul_lib.reports.index_page import render_index
from judul_lib.reports.rendering import render_report
from judul_lib.reports.runner import parameter_names, read_notebook, run_notebook
from judul_lib.study.synthetic import SOURCES

PROFILE_PARAMETER = "PROFILE"
"""Run parameter that stands for the notebook parameters in `RUN_PROFILES`."""

MANIFEST_FILE, EXECUTED_FOLDER = "manifest.json", "notebooks"
_LOCK_FILE, _STAGING_PREFIX = ".lock", ".run."
_FIGURES = ("benchmarks.json", "study.json")
_DECISIVE_PACKAGES = (
    "scikit-learn", "numpy", "scipy", "pandas", "PySastrawi", "RapidFuzz", "sparse-dot-topn", "plotly",
    "nbconvert",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One notebook, and the files or folders that it writes under the outputs."""

    notebook: str
    outputs: tuple[str, ...]

    @property
    def executed(self) -> str:
        """Path of the executed copy under the outputs."""
        return f"{EXECUTED_FOLDER}/{self.notebook}.ipynb"


STAGES = (
    Stage("01_preprocessing", ("corpus.csv", "rejected.csv", "dataset.json")),
    Stage("02_labeling", ("pairs_full.csv", "pairs_light.csv")),
    Stage("03_feature_analysis", ("features.csv",)),
    Stage("04_train_full", ("full",)),
    Stage("05_train_light", ("light",)),
    Stage("06_evaluation", ("structured", "evaluation.json", "real_pairs.json")),
    Stage("07_check_titles", ("check_example.csv",)),
    Stage("08_monitoring", ("monitoring.json",)),
    Stage("09_governance", ("governance.json",)),
    Stage("10_large_corpus", ("large_corpus.json",)),
    Stage("11_labeling_tool", ("labeling.json", "gauge_sample.csv")),
    Stage("12_study", ("study.csv",)),
)


@dataclass(frozen=True)
class Paths:
    """Paths that a run reads and writes: data file, notebooks, outputs, reports."""

    data: Path
    notebooks: Path
    outputs: Path
    reports: Path


def run_notebooks(
    paths: Paths,
    *,
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    on_stage: Callable[[Stage, float | None], None] = lambda stage, seconds: None,
) -> list[Stage]:
    """Bring outputs and reports up to date.

    Parameters
    ----------
    paths : Paths
    parameters : mapping
        Values by name, for the notebooks whose ``parameters`` cell assigns that name. ``PROFILE``
        stands for the values of a profile in `judul_lib.core.settings.RUN_PROFILES`; a value
        given by its own name goes before it.
    force : bool
        Run every notebook, up to date or not.
    on_stage : callable
        Called with the stage and None before each notebook, and with its seconds afterwards.

    Returns
    -------
    list of Stage
        The stages that ran; empty when all were up to date.

    Raises
    ------
    PipelineError
        A notebook failed or a folder is missing.
    BusyError
        Another run is writing to the same outputs.
    OSError
        Disk full, no permission.
    """
    parameters = _expand_profile(parameters or {})
    fingerprints = _fingerprints(paths, parameters)
    lock = paths.outputs / _LOCK_FILE
    was_killed = lock.exists() or any(paths.outputs.glob(f"{_STAGING_PREFIX}*"))
    if not (force or was_killed or _stale_stages(paths, fingerprints)) and _has_intact_reports(paths):
        return []
    paths.outputs.mkdir(parents=True, exist_ok=True)
    refusal = f"`judul run` lain sedang menulis ke {paths.outputs}. Tunggu sampai selesai, lalu ulangi."
    with exclusive_lock(lock, BusyError(refusal)):
        remove_unfinished_writes(paths.outputs)
        remove_unfinished_writes(paths.reports)
        for abandoned in paths.outputs.glob(f"{_STAGING_PREFIX}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        stale = STAGES if force else _stale_stages(paths, fingerprints)
        if not stale:
            if not _has_intact_reports(paths):
                _publish_reports(paths, _render_folder(paths.outputs))
            return []
        with tempfile.TemporaryDirectory(dir=paths.outputs, prefix=_STAGING_PREFIX) as folder:
            staging = Path(folder)
            _copy_earlier_outputs(paths.outputs, staging)
            for stage in stale:
                on_stage(stage, None)
                start = time.perf_counter()
                _run_stage(stage, staging, paths, parameters)
                on_stage(stage, time.perf_counter() - start)
            _publish(staging, paths, fingerprints, _render_folder(staging))
    return list(stale)


def _expand_profile(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Replace ``PROFILE`` by the parameters it stands for."""
    expanded = dict(parameters)
    name = expanded.pop(PROFILE_PARAMETER, "bawaan")
    if name not in RUN_PROFILES:
        raise PipelineError(f"Tidak ada profil {name!r}. Yang ada: {', '.join(RUN_PROFILES)}.")
    return {**RUN_PROFILES[name], **expanded}


def _fingerprints(paths: Paths, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Hash everything that each stage's results depend on, the earlier stages included."""
    package = Path(judul_lib.__file__).parent
    digest = hashlib.sha256(paths.data.read_bytes())
    for name in (*SOURCES, *_FIGURES):
        source = paths.notebooks.parent / "data" / name
        if source.is_file():
            digest.update(source.read_bytes())
    digest.update("".join(version(name) for name in _DECISIVE_PACKAGES).encode())
    for path in sorted(p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    result = {}
    known_names: set[str] = set()
    for stage in STAGES:
        notebook = read_notebook(paths.notebooks / f"{stage.notebook}.ipynb")
        names = parameter_names(notebook)
        values = {name: parameters[name] for name in sorted(names & parameters.keys())}
        files = [_file_fingerprint(value, paths.notebooks) for value in values.values()]
        sources = [(cell.cell_type, cell.source) for cell in notebook.cells]
        digest.update(json.dumps([values, files, sources], default=str).encode())
        result[stage.notebook] = digest.hexdigest()
        known_names |= names
    unknown_names = sorted(parameters.keys() - known_names)
    if unknown_names:
        raise PipelineError(
            f"Tidak ada notebook dengan parameter {', '.join(unknown_names)}. "
            f"Yang ada: {', '.join(sorted({*known_names, PROFILE_PARAMETER}))}."
        )
    return result


def _file_fingerprint(value: Any, notebooks: Path) -> str:
    """Return a text that changes when the file or folder that a parameter names changes."""
    path = notebooks / value if isinstance(value, str) and value else None
    if path is None or not path.exists():
        return ""
    if path.is_file():
        return sha256_of(path.read_bytes())
    from judul_lib.usage.database import DATABASE_VARIABLE

    # A log folder whose rows are on a database server always counts as changed.
    now = time.time_ns() if DATABASE_VARIABLE in os.environ else 0
    stats = {file.name: file.stat() for file in sorted(path.iterdir()) if file.is_file()}
    return str([now, *((name, s.st_size, s.st_mtime_ns) for name, s in stats.items())])


def _stale_stages(paths: Paths, fingerprints: Mapping[str, str]) -> Sequence[Stage]:
    """Return the first stage whose inputs or results differ from the manifest, and all after it."""
    manifest = _read_manifest(paths)
    for position, stage in enumerate(STAGES):
        if manifest.get(stage.notebook) != _stage_record(paths, stage, fingerprints):
            return STAGES[position:]
    return ()


def _read_manifest(paths: Paths) -> dict[str, Any]:
    try:
        manifest = json.loads((paths.outputs / MANIFEST_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _stage_record(paths: Paths, stage: Stage, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    outputs = _hash_files(paths.outputs, (*stage.outputs, stage.executed))
    return {"fingerprint": fingerprints[stage.notebook], "outputs": outputs}


def _hash_files(folder: Path, names: Sequence[str]) -> dict[str, str]:
    files = (path for name in names for path in _files(folder / name))
    return {path.relative_to(folder).as_posix(): sha256_of(path.read_bytes()) for path in files}


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.is_file())
    elif path.is_file():
        yield path


def _copy_earlier_outputs(outputs: Path, staging: Path) -> None:
    """Copy the earlier results, so that a model that comes out the same keeps its date."""
    for stage in STAGES:
        for source in (p for name in (*stage.outputs, stage.executed) for p in _files(outputs / name)):
            target = staging / source.relative_to(outputs)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _run_stage(stage: Stage, staging: Path, paths: Paths, parameters: Mapping[str, Any]) -> None:
    # Relative paths keep this machine's folders out of artifacts and reports.
    parameters = {
        "DATA": os.path.relpath(paths.data, paths.notebooks),
        "OUT": os.path.relpath(staging, paths.notebooks),
        **parameters,
    }
    run_notebook(paths.notebooks / f"{stage.notebook}.ipynb", staging / stage.executed, parameters)


def _render_folder(folder: Path) -> dict[str, bytes]:
    dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    notebooks = (nbformat.read(folder / stage.executed, as_version=4) for stage in STAGES)
    return render_stages(notebooks, dataset["name"])


def render_stages(notebooks: Iterable[Any], dataset: str) -> dict[str, bytes]:
    """Render the executed notebooks of all stages, in order, and their index page.

    Parameters
    ----------
    notebooks : iterable of NotebookNode
    dataset : str
        Name of the file of titles, shown on the index page.

    Returns
    -------
    dict of str to bytes
        File names to pages.
    """
    by_file = {
        f"{stage.notebook}.html": notebook for stage, notebook in zip(STAGES, notebooks, strict=True)
    }
    pages = {name: render_report(notebook) for name, notebook in by_file.items()}
    pages["index.html"] = render_index(by_file, dataset)
    return {name: page.encode("utf-8") for name, page in pages.items()}


def _publish(
    staging: Path, paths: Paths, fingerprints: Mapping[str, str], reports: Mapping[str, bytes]
) -> None:
    """Move the results to their final paths; the manifest last, so that a killed run is repeated."""
    _publish_reports(paths, reports)
    for stage in STAGES:
        for name in (*stage.outputs, stage.executed):
            source, target = staging / name, paths.outputs / name
            if _hash_files(staging, [name]) == _hash_files(paths.outputs, [name]):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                replace_folder(source, target)
            else:
                source.replace(target)
    manifest: dict[str, Any] = {
        stage.notebook: _stage_record(paths, stage, fingerprints) for stage in STAGES
    }
    manifest["reports"] = {name: sha256_of(page) for name, page in reports.items()}
    text = json.dumps(manifest, indent=2) + "\n"
    write_bytes(paths.outputs / MANIFEST_FILE, text.encode("utf-8"))


def _publish_reports(paths: Paths, reports: Mapping[str, bytes]) -> None:
    for name, page in reports.items():
        write_bytes(paths.reports / name, page)


def _has_intact_reports(paths: Paths) -> bool:
    recorded = _read_manifest(paths).get("reports")
    return isinstance(recorded, dict) and _hash_files(paths.reports, sorted(recorded)) == recorded
