"""Run the notebooks in order and render each as a report; do only what is out of date.

A run works in a staging folder beside the outputs and puts its results in their
places at the end, so that a run that fails leaves the earlier results alone.
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
from judul_lib.core.storage import (
    exclusive_lock,
    remove_unfinished_writes,
    replace_folder,
    sha256_of,
    write_bytes,
)
from judul_lib.reports.rendering import render_index, render_report
from judul_lib.reports.runner import parameter_names, read_notebook, run_notebook
from judul_lib.study.synthetic import SOURCES

MANIFEST_FILE, EXECUTED_FOLDER = "manifest.json", "notebooks"
_LOCK_FILE, _STAGING = ".lock", ".run."
_BENCHMARKS = "benchmarks.json"
_DECISIVE_PACKAGES = (
    "scikit-learn", "numpy", "scipy", "pandas", "PySastrawi", "RapidFuzz", "sparse-dot-topn", "plotly",
    "nbconvert",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One notebook and the files or folders that it makes under the outputs."""

    notebook: str
    outputs: tuple[str, ...]

    @property
    def executed(self) -> str:
        """Path of the executed copy under the outputs."""
        return f"{EXECUTED_FOLDER}/{self.notebook}.ipynb"


STAGES = (
    Stage("01_preprocessing", ("corpus.csv", "rejected.csv", "dataset.json")),
    Stage("02_labeling", ("pairs.csv",)),
    Stage("03_feature_analysis", ("features.csv",)),
    Stage("04_train_full", ("full",)),
    Stage("05_train_light", ("light",)),
    Stage("06_evaluation", ("structured", "evaluation.json", "real_pairs.json")),
    Stage("07_check_titles", ("check_example.csv",)),
    Stage("08_monitoring", ("monitoring.json",)),
    Stage("09_governance", ("governance.json",)),
    Stage("10_large_corpus", ("large_corpus.json",)),
    Stage("11_labeling_tool", ("labeling.json", "gauge_sample.csv")),
)


@dataclass(frozen=True)
class Paths:
    """Where a run reads and writes: data file, notebooks, outputs, reports."""

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
        Values for notebooks whose ``parameters`` cell has that name.
    force : bool
        Run everything, up to date or not.
    on_stage : callable
        Told before each notebook (seconds None) and after it.

    Returns
    -------
    list of Stage
        What was run; empty when all was up to date.

    Raises
    ------
    PipelineError
        A notebook failed or a folder is missing.
    BusyError
        Another run is writing to the same outputs.
    OSError
        Disk full, no permission.
    """
    parameters = dict(parameters or {})
    fingerprints = _fingerprints(paths, parameters)
    lock = paths.outputs / _LOCK_FILE
    is_left = lock.exists() or any(paths.outputs.glob(f"{_STAGING}*"))  # By a run that was killed.
    if not (force or is_left or _stale(paths, fingerprints)) and _reports_hold(paths):
        return []
    paths.outputs.mkdir(parents=True, exist_ok=True)
    refusal = f"`judul run` lain sedang menulis ke {paths.outputs}. Tunggu sampai selesai, lalu ulangi."
    with exclusive_lock(lock, BusyError(refusal)):
        remove_unfinished_writes(paths.outputs)
        remove_unfinished_writes(paths.reports)
        for left in paths.outputs.glob(f"{_STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)
        stale = STAGES if force else _stale(paths, fingerprints)
        if not stale:
            if not _reports_hold(paths):
                _publish_reports(paths, _render(paths.outputs))
            return []
        with tempfile.TemporaryDirectory(dir=paths.outputs, prefix=_STAGING) as folder:
            staging = Path(folder)
            _copy_earlier(paths.outputs, staging)
            for stage in stale:
                on_stage(stage, None)
                start = time.perf_counter()
                _run_stage(stage, staging, paths, parameters)
                on_stage(stage, time.perf_counter() - start)
            _publish(staging, paths, fingerprints, _render(staging))
    return list(stale)


def _fingerprints(paths: Paths, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Hash, for each stage, all that its results depend on; a stage depends on those before it."""
    package = Path(judul_lib.__file__).parent
    digest = hashlib.sha256(paths.data.read_bytes())
    for name in (*SOURCES, _BENCHMARKS):
        source = paths.notebooks.parent / "data" / name
        if source.is_file():
            digest.update(source.read_bytes())
    digest.update("".join(version(name) for name in _DECISIVE_PACKAGES).encode())
    for path in sorted(p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    result = {}
    known: set[str] = set()
    for stage in STAGES:
        notebook = read_notebook(paths.notebooks / f"{stage.notebook}.ipynb")
        names = parameter_names(notebook)
        given = {name: parameters[name] for name in sorted(names & parameters.keys())}
        named = [_named_by(value, paths.notebooks) for value in given.values()]
        sources = [(cell.cell_type, cell.source) for cell in notebook.cells]
        digest.update(json.dumps([given, named, sources], default=str).encode())
        result[stage.notebook] = digest.hexdigest()
        known |= names
    unknown = sorted(parameters.keys() - known)
    if unknown:
        raise PipelineError(
            f"Tidak ada notebook dengan parameter {', '.join(unknown)}. "
            f"Yang ada: {', '.join(sorted(known))}."
        )
    return result


def _named_by(value: Any, notebooks: Path) -> str:
    """Return what tells whether the file or folder that a parameter names has changed."""
    path = notebooks / value if isinstance(value, str) and value else None
    if path is None or not path.exists():
        return ""
    if path.is_file():
        return sha256_of(path.read_bytes())
    from judul_lib.usage.database import DATABASE_VARIABLE

    # A folder with a log: what a server keeps in its place can't be seen from here.
    moment = time.time_ns() if DATABASE_VARIABLE in os.environ else 0
    stats = {file.name: file.stat() for file in sorted(path.iterdir()) if file.is_file()}
    return str([moment, *((name, s.st_size, s.st_mtime_ns) for name, s in stats.items())])


def _stale(paths: Paths, fingerprints: Mapping[str, str]) -> Sequence[Stage]:
    """Return the stages from the first one on whose inputs or results are not as recorded."""
    manifest = _manifest(paths)
    for position, stage in enumerate(STAGES):
        if manifest.get(stage.notebook) != _record(paths, stage, fingerprints):
            return STAGES[position:]
    return ()


def _manifest(paths: Paths) -> dict[str, Any]:
    try:
        manifest = json.loads((paths.outputs / MANIFEST_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _record(paths: Paths, stage: Stage, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    outputs = _hashes(paths.outputs, (*stage.outputs, stage.executed))
    return {"fingerprint": fingerprints[stage.notebook], "outputs": outputs}


def _hashes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    files = (path for name in names for path in _files(folder / name))
    return {path.relative_to(folder).as_posix(): sha256_of(path.read_bytes()) for path in files}


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.is_file())
    elif path.is_file():
        yield path


def _copy_earlier(outputs: Path, staging: Path) -> None:
    """Start from the earlier results: a model that comes out the same then keeps its date."""
    for stage in STAGES:
        for source in (p for name in (*stage.outputs, stage.executed) for p in _files(outputs / name)):
            target = staging / source.relative_to(outputs)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _run_stage(stage: Stage, staging: Path, paths: Paths, parameters: Mapping[str, Any]) -> None:
    # Relative, so that no path of this machine gets into an artifact or a report.
    given = {
        "DATA": os.path.relpath(paths.data, paths.notebooks),
        "OUT": os.path.relpath(staging, paths.notebooks),
        **parameters,
    }
    run_notebook(paths.notebooks / f"{stage.notebook}.ipynb", staging / stage.executed, given)


def _render(folder: Path) -> dict[str, bytes]:
    dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    notebooks = (nbformat.read(folder / stage.executed, as_version=4) for stage in STAGES)
    return render_stages(notebooks, dataset["name"])


def render_stages(notebooks: Iterable[Any], dataset: str) -> dict[str, bytes]:
    """Render the executed notebooks of all stages, in their order, and the index of them.

    Parameters
    ----------
    notebooks : iterable of NotebookNode
    dataset : str
        Name of the file of titles, for the index.

    Returns
    -------
    dict of str to bytes
        Pages by the names of their files.
    """
    by_page = {
        f"{stage.notebook}.html": notebook for stage, notebook in zip(STAGES, notebooks, strict=True)
    }
    pages = {name: render_report(notebook) for name, notebook in by_page.items()}
    pages["index.html"] = render_index(by_page, dataset)
    return {name: page.encode("utf-8") for name, page in pages.items()}


def _publish(
    staging: Path, paths: Paths, fingerprints: Mapping[str, str], reports: Mapping[str, bytes]
) -> None:
    """Put finished results in their places; the manifest last, so that a kill here means a new run."""
    _publish_reports(paths, reports)
    for stage in STAGES:
        for name in (*stage.outputs, stage.executed):
            source, target = staging / name, paths.outputs / name
            if _hashes(staging, [name]) == _hashes(paths.outputs, [name]):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                replace_folder(source, target)
            else:
                source.replace(target)
    manifest: dict[str, Any] = {stage.notebook: _record(paths, stage, fingerprints) for stage in STAGES}
    manifest["reports"] = {name: sha256_of(page) for name, page in reports.items()}
    text = json.dumps(manifest, indent=2) + "\n"
    write_bytes(paths.outputs / MANIFEST_FILE, text.encode("utf-8"))


def _publish_reports(paths: Paths, reports: Mapping[str, bytes]) -> None:
    for name, page in reports.items():
        write_bytes(paths.reports / name, page)


def _reports_hold(paths: Paths) -> bool:
    recorded = _manifest(paths).get("reports")
    return isinstance(recorded, dict) and _hashes(paths.reports, sorted(recorded)) == recorded
