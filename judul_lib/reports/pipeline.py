"""Run the notebooks that are out of date, in order, and render each as a report.

A run works in a folder of its own inside the outputs and publishes its results at the end, so that a
failed run leaves the earlier results unchanged. What it had finished stays in that folder, and the next
run goes on from there.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat

from judul_lib.core.errors import BusyError, PipelineError
from judul_lib.core.storage import (
    exclusive_lock,
    remove_unfinished_writes,
    sha256_of,
    write_bytes,
)
from judul_lib.reports.index_page import render_index
from judul_lib.reports.rendering import render_report
from judul_lib.reports.run_files import (
    copy_files,
    hash_files,
    move,
    read_manifest,
    remove,
    write_manifest,
)
from judul_lib.reports.run_inputs import expand_profile, stage_fingerprints
from judul_lib.reports.runner import CellPosition, run_notebook

EXECUTED_FOLDER, _REPORTS_FOLDER = "notebooks", "reports"
_LOCK_FILE, _UNFINISHED_PREFIX = ".lock", "unfinished-"


@dataclass(frozen=True)
class Stage:
    """One notebook, the files or folders that it writes under the outputs, and its usual duration.

    Attributes
    ----------
    notebook : str
    outputs : tuple of str
    usual_seconds : float
        On a busy machine with two cores; a run estimates from it how long it still takes.
    """

    notebook: str
    outputs: tuple[str, ...]
    usual_seconds: float = 10

    @property
    def executed(self) -> str:
        """Path of the executed copy under the outputs."""
        return f"{EXECUTED_FOLDER}/{self.notebook}.ipynb"

    @property
    def report(self) -> str:
        """File name of the report."""
        return f"{self.notebook}.html"

    @property
    def files(self) -> tuple[str, ...]:
        """Paths under the outputs of all that it leaves there."""
        return (*self.outputs, self.executed)


STAGES = (
    Stage("01_preprocessing", ("corpus.csv", "rejected.csv", "dataset.json"), usual_seconds=5),
    Stage("02_labeling", ("pairs_full.csv", "pairs_light.csv"), usual_seconds=10),
    Stage("03_feature_analysis", ("features.csv",), usual_seconds=10),
    Stage("04_train_full", ("full",), usual_seconds=120),
    Stage("05_train_light", ("light",), usual_seconds=20),
    Stage("06_evaluation", ("evaluation.json",), usual_seconds=25),
    # The notebooks from 07 on need the model that 14 trains.
    Stage("13_real_archives", ("real_log_odds.csv", "real_pairs.json"), usual_seconds=170),
    Stage("14_structured_model", ("structured", "structured_evaluation.json"), usual_seconds=190),
    Stage("07_check_titles", ("check_example.csv",), usual_seconds=7),
    Stage("08_monitoring", ("monitoring.json",), usual_seconds=7),
    Stage("09_governance", ("governance.json",), usual_seconds=17),
    Stage("10_large_corpus", ("large_corpus.json",), usual_seconds=22),
    Stage("11_labeling_tool", ("labeling.json", "gauge_sample.csv"), usual_seconds=31),
    Stage("12_study", ("study.csv",), usual_seconds=7),
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
    on_cell: Callable[[Stage, CellPosition], None] = lambda stage, position: None,
    on_stage: Callable[[Stage, float | None, Path], None] = lambda stage, seconds, report: None,
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
    on_cell : callable
        Called before each cell.
    on_stage : callable
        Called after each notebook with its seconds and the path of its report. The seconds are None
        if an earlier run, which did not end, had finished it.

    Returns
    -------
    list of Stage
        The stages that were out of date; empty when all were up to date.

    Raises
    ------
    PipelineError
        A notebook failed or a folder is missing.
    BusyError
        Another run is writing to the same outputs.
    OSError
        Disk full, no permission.
    """
    parameters = expand_profile(parameters or {})
    names = [stage.notebook for stage in STAGES]
    fingerprints = stage_fingerprints(names, paths.data, paths.notebooks, parameters)
    lock = paths.outputs / _LOCK_FILE
    was_killed = lock.exists() or any(paths.outputs.glob(f"{_UNFINISHED_PREFIX}*"))
    if not (force or was_killed or _stale_stages(paths, fingerprints)) and _has_intact_reports(paths):
        return []
    paths.outputs.mkdir(parents=True, exist_ok=True)
    refusal = f"`judul run` lain sedang menulis ke {paths.outputs}. Tunggu sampai selesai, lalu ulangi."
    with exclusive_lock(lock, BusyError(refusal)):
        remove_unfinished_writes(paths.outputs)
        remove_unfinished_writes(paths.reports)
        unfinished = sorted(paths.outputs.glob(f"{_UNFINISHED_PREFIX}*"))
        stale = STAGES if force else _stale_stages(paths, fingerprints)
        if stale:
            staging = Path(tempfile.mkdtemp(dir=paths.outputs, prefix=_UNFINISHED_PREFIX))
            run = _Run(paths, parameters, fingerprints, staging, on_cell, on_stage)
            run.execute(stale, [] if force else unfinished)
        elif not _has_intact_reports(paths):
            _publish_reports(paths, _render_folder(paths.outputs))
        for folder in unfinished:
            remove(folder)
    return list(stale)


@dataclass
class _Run:
    """A run in its own folder, which outlives a failure."""

    paths: Paths
    parameters: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    staging: Path
    on_cell: Callable[[Stage, CellPosition], None]
    on_stage: Callable[[Stage, float | None, Path], None]
    pages: dict[str, bytes] = field(default_factory=dict)

    def execute(self, stale: Sequence[Stage], unfinished: Sequence[Path]) -> None:
        """Run the stages that no unfinished run has finished; publish the results of all."""
        try:
            copy_files(
                self.paths.outputs, self.staging, [name for stage in STAGES for name in stage.files]
            )
            n_taken = self._take_over(stale, unfinished)
            for folder in unfinished:
                remove(folder)
            for stage in stale[n_taken:]:
                start = time.perf_counter()
                self._run_stage(stage)
                self._finish(stage, time.perf_counter() - start)
            pages = _render_folder(self.staging, self.pages)
            _publish(self.staging, self.paths, self.fingerprints, pages)
        except BaseException as error:
            n_finished = self._drop_unfinished()
            if n_finished and isinstance(error, PipelineError):
                raise PipelineError(
                    f"{error} {n_finished} notebook sudah selesai; hasilnya ada di {self.staging}, "
                    "dan `judul run` berikutnya melanjutkan dari sana."
                ) from error
            raise
        remove(self.staging)

    def _take_over(self, stages: Sequence[Stage], unfinished: Sequence[Path]) -> int:
        """Move the results of stages that unfinished runs had finished here; return their number."""
        for number, stage in enumerate(stages):
            if not any(self._take_stage(stage, folder) for folder in unfinished):
                return number
            self._finish(stage, None)
        return len(stages)

    def _take_stage(self, stage: Stage, folder: Path) -> bool:
        record = read_manifest(folder).get(stage.notebook)
        if (
            not isinstance(record, dict)
            or record.get("fingerprint") != self.fingerprints[stage.notebook]
        ):
            return False
        for name in stage.files:
            if (folder / name).exists():  # Else the run was killed after it had published it.
                move(folder / name, self.staging / name)
        return record == _stage_record(self.staging, stage, self.fingerprints)

    def _run_stage(self, stage: Stage) -> None:
        # Relative paths keep this machine's folders out of artifacts and reports.
        parameters = {
            "DATA": os.path.relpath(self.paths.data, self.paths.notebooks),
            "OUT": os.path.relpath(self.staging, self.paths.notebooks),
            **self.parameters,
        }
        source = self.paths.notebooks / f"{stage.notebook}.ipynb"
        on_cell = partial(self.on_cell, stage)
        run_notebook(source, self.staging / stage.executed, parameters, on_cell)

    def _finish(self, stage: Stage, seconds: float | None) -> None:
        """Write the report of a stage, and record that it is finished."""
        executed = nbformat.read(self.staging / stage.executed, as_version=4)
        self.pages[stage.report] = render_report(executed).encode()
        report = self.paths.reports / stage.report
        if report.exists() and report.read_bytes() != self.pages[stage.report]:
            report = self.staging / _REPORTS_FOLDER / stage.report  # Earlier results stay until the end.
        write_bytes(report, self.pages[stage.report])
        record = _stage_record(self.staging, stage, self.fingerprints)
        write_manifest(self.staging, {**read_manifest(self.staging), stage.notebook: record})
        self.on_stage(stage, seconds, report)

    def _drop_unfinished(self) -> int:
        """Remove what is not the result of a finished stage; return how many are finished."""
        finished = read_manifest(self.staging)
        for name in (n for stage in STAGES if stage.notebook not in finished for n in stage.files):
            remove(self.staging / name)
        if not finished:
            remove(self.staging)
        return len(finished)


def _stale_stages(paths: Paths, fingerprints: Mapping[str, str]) -> Sequence[Stage]:
    """Return the first stage whose inputs or results differ from the manifest, and all after it."""
    manifest = read_manifest(paths.outputs)
    for position, stage in enumerate(STAGES):
        if manifest.get(stage.notebook) != _stage_record(paths.outputs, stage, fingerprints):
            return STAGES[position:]
    return ()


def _stage_record(folder: Path, stage: Stage, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    return {"fingerprint": fingerprints[stage.notebook], "outputs": hash_files(folder, stage.files)}


def read_results(outputs: Path) -> tuple[dict[str, Any], str]:
    """Read the executed notebooks of a run, and the name of its file of titles.

    Parameters
    ----------
    outputs : path
        Folder that the run wrote to.

    Returns
    -------
    notebooks : dict of str to NotebookNode
        By name of the report, in order.
    data_name : str

    Raises
    ------
    FileNotFoundError
        There was no complete run.
    """
    dataset = json.loads((outputs / "dataset.json").read_bytes())
    notebooks = {s.notebook: nbformat.read(outputs / s.executed, as_version=4) for s in STAGES}
    return notebooks, dataset["name"]


def _render_folder(folder: Path, rendered: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    notebooks, data_name = read_results(folder)
    return render_stages(notebooks.values(), data_name, rendered or {})


def render_stages(
    notebooks: Iterable[Any], dataset: str, rendered: Mapping[str, bytes] = MappingProxyType({})
) -> dict[str, bytes]:
    """Render the executed notebooks of all stages, in order, and their index page.

    Parameters
    ----------
    notebooks : iterable of NotebookNode
    dataset : str
        Name of the file of titles, shown on the index page.
    rendered : mapping of str to bytes
        Pages that need not be rendered again, by file name.

    Returns
    -------
    dict of str to bytes
        File names to pages.
    """
    by_file = {stage.report: notebook for stage, notebook in zip(STAGES, notebooks, strict=True)}
    pages = {
        name: rendered[name] if name in rendered else render_report(notebook).encode()
        for name, notebook in by_file.items()
    }
    return {**pages, "index.html": render_index(by_file, dataset).encode()}


def _publish(
    staging: Path, paths: Paths, fingerprints: Mapping[str, str], reports: Mapping[str, bytes]
) -> None:
    """Move the results to their final paths; the manifest last, so that a killed run is repeated."""
    _publish_reports(paths, reports)
    for stage in STAGES:
        for name in stage.files:
            if hash_files(staging, [name]) != hash_files(paths.outputs, [name]):
                move(staging / name, paths.outputs / name)
    manifest: dict[str, Any] = {
        stage.notebook: _stage_record(paths.outputs, stage, fingerprints) for stage in STAGES
    }
    manifest["reports"] = {name: sha256_of(page) for name, page in reports.items()}
    write_manifest(paths.outputs, manifest)


def _publish_reports(paths: Paths, reports: Mapping[str, bytes]) -> None:
    for name, page in reports.items():
        write_bytes(paths.reports / name, page)


def _has_intact_reports(paths: Paths) -> bool:
    recorded = read_manifest(paths.outputs).get("reports")
    return isinstance(recorded, dict) and hash_files(paths.reports, sorted(recorded)) == recorded
