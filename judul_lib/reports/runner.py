"""Run one notebook with parameters, and describe a failure in Indonesian."""

import builtins
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager

from judul_lib.core import errors
from judul_lib.core.errors import PipelineError

_ERRNO = re.compile(r"\[Errno (\d+)\] ([^:]*)(?:: '(.*)')?")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
# How long a finished cell's output may lag behind on a busy machine; nbclient's 4 s fail the run.
_OUTPUT_SECONDS = 120
_INJECTED_TAG = "injected-parameters"  # Papermill's name for the cell that it adds.


@dataclass(frozen=True)
class CellPosition:
    """A cell of a running notebook: how many lie before it, how many there are, under which heading."""

    n_done: int
    n_cells: int
    section: str


def read_notebook(path: Path) -> Any:
    """Read a notebook.

    Raises
    ------
    PipelineError
        The file does not exist.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise PipelineError(
            f"Notebook {path} tidak ada. Jalankan dari folder proyek, atau beri --notebooks."
        ) from error


def parameter_names(notebook: Any) -> set[str]:
    """Return the names assigned in a notebook's ``parameters`` cell.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("SEED = 42  # benih", metadata={"tags": ["parameters"]})
    >>> parameter_names(nbformat.v4.new_notebook(cells=[cell]))
    {'SEED'}
    """
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    lines = [line for cell in cells for line in cell.source.splitlines()]
    return {line.split("=")[0].split(":")[0].strip() for line in lines if "=" in line.split("#")[0]}


def run_notebook(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    on_cell: Callable[[CellPosition], None] = lambda position: None,
) -> None:
    """Execute a notebook in its own folder and write the executed copy.

    Parameters
    ----------
    source, target : path
    parameters : mapping
        Values for the names in its ``parameters`` cell; other names are ignored.
    on_cell : callable
        Called with the position of each cell before it runs.

    Raises
    ------
    PipelineError
        A cell failed, or the kernel died.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    notebook = read_notebook(source)
    names = parameter_names(notebook)
    values = {name: value for name, value in parameters.items() if name in names}
    tracker = _CellTracker(len(notebook.cells) + bool(values), on_cell)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=values,
            cwd=source.parent,
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,  # Saving twice a cell costs seconds.
            iopub_timeout=_OUTPUT_SECONDS,
            kernel_manager_class=_QuietKernelManager,
            on_cell_start=tracker.start_cell,
        )
    except PapermillExecutionError as error:
        raise PipelineError(_describe_failure(source, tracker.place, error)) from error
    except DeadKernelError as error:
        raise PipelineError(
            f"Kernel notebook {source.stem} mati di {tracker.place}, mungkin karena memori habis. "
            "Tutup program lain atau kurangi jumlah judul, lalu ulangi."
        ) from error


class _CellTracker:
    """Where a running notebook is; it outlives the kernel."""

    def __init__(self, n_cells: int, on_cell: Callable[[CellPosition], None]) -> None:
        self._n_cells, self._on_cell = n_cells, on_cell
        self._section, self._n_code_cells = "", 0

    def start_cell(self, cell: Any, cell_index: int) -> None:
        if cell.cell_type == "markdown":
            self._section = [self._section, *_HEADING.findall(cell.source)][-1].strip()
        elif _INJECTED_TAG not in cell.metadata.get("tags", []):
            self._n_code_cells += 1
        self._on_cell(CellPosition(cell_index, self._n_cells, self._section))

    @property
    def place(self) -> str:
        """The present cell, as a reader finds it in the notebook."""
        return f'bagian "{self._section}" (sel kode ke-{self._n_code_cells})'


class _QuietKernelManager(AsyncKernelManager):
    """Kernels whose own standard error is discarded; that of the notebook's cells is stored in it."""

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        await super()._async_launch_kernel(kernel_cmd, **{**options, "stderr": subprocess.DEVNULL})


def _describe_failure(notebook: Path, place: str, error: Any) -> str:
    """Return where a notebook failed, why, and what to do, which errors of ours say themselves."""
    where = f"Notebook {notebook.stem} gagal di {place}: "
    error_class = getattr(errors, error.ename, getattr(builtins, error.ename, Exception))
    if issubclass(error_class, errors.JudulError):
        return where + str(error.evalue)
    match = _ERRNO.match(error.evalue)
    if issubclass(error_class, OSError) and match:
        return where + errors.describe_os_error(OSError(int(match[1]), match[2], match[3]))
    reason = " ".join(f"{error.ename}: {error.evalue}".split()).rstrip(".:")
    return (
        f"{where}{reason}. Lihat sel itu di notebooks/{notebook.name} dengan `make lab`, "
        "perbaiki, lalu ulangi `judul run`."
    )
