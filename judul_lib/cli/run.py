"""``judul run``: the notebooks, and how far they are."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import command, option
from judul_lib.core.errors import PipelineError
from judul_lib.core.formatting import format_number

if TYPE_CHECKING:
    from judul_lib.reports.pipeline import Stage
    from judul_lib.reports.progress import RunEstimate
    from judul_lib.reports.runner import CellPosition


@command()
@option("--data", type=Path, help="Berkas judul: CSV, XLSX, ODS [bawaan: data/dataset_TA.csv].")
@shared.title_choice_options
@option("--out", type=Path, metavar="FOLDER", help="Folder artefak [bawaan: outputs].")
@option("--reports", type=Path, metavar="FOLDER", help="Folder laporan HTML [bawaan: reports].")
@option("--notebooks", type=Path, metavar="FOLDER", help="Folder notebook [bawaan: notebooks].")
@option(
    "-p", "--parameter", "parameters", nargs=2, multiple=True, metavar="NAMA NILAI",
    help="Nilai untuk sel parameters sebuah notebook; boleh berulang.",
)  # fmt: skip
@option("--force", is_flag=True, help="Jalankan semuanya walau tidak ada yang berubah.")
def run(
    data: Path | None,
    out: Path | None,
    reports: Path | None,
    notebooks: Path | None,
    parameters: tuple[tuple[str, str], ...],
    force: bool,
) -> None:
    """Jalankan semua notebook yang belum mutakhir.

    Artefak (model dan hasil) ditulis ke outputs/, laporan ke reports/. Bila sebuah notebook gagal, hasil
    sebelumnya tidak berubah, dan perintah yang sama melanjutkan dari notebook itu.
    """
    from judul_lib.reports.pipeline import STAGES, Paths, run_notebooks

    project = shared.project_folder()
    paths = Paths(
        data=(data or project / "data" / "dataset_TA.csv").resolve(),
        notebooks=(notebooks or project / "notebooks").resolve(),
        outputs=(out or project / "outputs").resolve(),
        reports=(reports or project / "reports").resolve(),
    )
    targets = [paths.outputs / name for stage in STAGES for name in stage.files]
    if any(map(paths.data.is_relative_to, targets)):
        raise PipelineError(
            f"{paths.data} akan ditimpa, sebab di tempat itu hasil ditulis. Salin dulu ke folder lain, "
            "atau pilih --out yang lain."
        )
    shared.read_corpus(paths.data, min_titles=2)  # Refuse a bad file before anything starts.
    values = {name.upper(): text for name, text in shared.title_choice().items() if text is not None}
    values |= {name: _parse_value(text) for name, text in parameters}
    with _Display(STAGES, paths.outputs) as display:
        stale = run_notebooks(
            paths,
            parameters=values,
            force=force,
            on_cell=display.show_cell,
            on_stage=display.show_stage,
        )
    if not stale:
        click.echo("Semua sudah mutakhir; tidak ada yang perlu dijalankan.")
    click.echo(f"Laporan: {paths.reports / 'index.html'}")


def _parse_value(text: str) -> Any:
    """Parse a parameter as JSON (numbers, true, false, lists), or else as plain text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class _Display:
    """A line for each notebook, and on a terminal a bar below them, redrawn each second."""

    def __init__(self, stages: Sequence["Stage"], outputs: Path) -> None:
        from tqdm import tqdm

        self._stages, self._outputs = stages, outputs
        self._estimate: RunEstimate | None = None
        self._place, self._start = "", time.monotonic()
        form = "{percentage:3.0f} % {bar:20} {desc}"
        self._bar = tqdm(total=1.0, bar_format=form, leave=False, disable=None, dynamic_ncols=True)
        self._end = Event()
        self._ticker = Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if not self._bar.disable:
            self._ticker.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        if self._ticker.is_alive():
            self._ticker.join()
        self._bar.close()

    def show_cell(self, stage: "Stage", position: "CellPosition") -> None:
        share = position.n_done / position.n_cells
        self._bar.n = self._estimate_from(stage).share_done(share)
        number = f"sel {position.n_done + 1}/{position.n_cells}"
        self._place = f" · {stage.notebook}, {number}: {position.section}"
        self._redraw()

    def show_stage(self, stage: "Stage", seconds: float | None, report: Path) -> None:
        estimate = self._estimate_from(stage)
        estimate.finish(stage.notebook, seconds)
        self._bar.n, self._place, self._start = estimate.share_done(), "", time.monotonic()
        took = "sudah selesai" if seconds is None else f"{format_number(seconds, 1)} s"
        rest = time_left(estimate.seconds_left()) if stage is not self._stages[-1] else ""
        here = Path.cwd()
        place = report.relative_to(here) if report.is_relative_to(here) else report
        with self._bar.external_write_mode():
            click.echo(f"{stage.notebook:<20} {took:>13}  {rest:<22}  {place}")

    def _estimate_from(self, first: "Stage") -> "RunEstimate":
        """Return the estimate of this run, which begins with this stage."""
        from judul_lib.reports.progress import RunEstimate, measured_seconds

        if self._estimate is None:
            stages = self._stages[self._stages.index(first) :]
            usual = {
                stage.notebook: measured_seconds(self._outputs / stage.executed) or stage.usual_seconds
                for stage in stages
            }
            self._estimate = RunEstimate(usual)
        return self._estimate

    def _tick(self) -> None:
        while not self._end.wait(1.0):
            self._redraw()

    def _redraw(self) -> None:
        if self._estimate and not self._bar.disable:
            left = time_left(self._estimate.seconds_left(time.monotonic() - self._start))
            self._bar.set_description_str(left + self._place)


def time_left(seconds: float) -> str:
    """Return a remaining time in words, as exact as an estimate can be.

    Examples
    --------
    >>> time_left(0), time_left(41.2), time_left(200)
    ('sekitar 5 detik lagi', 'sekitar 45 detik lagi', 'sekitar 3 menit lagi')
    """
    if seconds <= 55:
        return f"sekitar {max(5 * math.ceil(seconds / 5), 5)} detik lagi"
    return f"sekitar {max(round(seconds / 60), 1)} menit lagi"
