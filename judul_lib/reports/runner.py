"""Run one notebook with parameters, and describe a failure in Indonesian."""

import builtins
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager

from judul_lib.core import errors
from judul_lib.core.errors import PipelineError

_ERRNO = re.compile(r"\[Errno (\d+)\] ([^:]*)(?:: '(.*)')?")


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


def run_notebook(source: Path, target: Path, parameters: Mapping[str, Any]) -> None:
    """Execute a notebook in its own folder and write the executed copy.

    Parameters
    ----------
    source, target : path
    parameters : mapping
        Values for the names in its ``parameters`` cell; other names are ignored.

    Raises
    ------
    PipelineError
        A cell failed, or the kernel died.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    names = parameter_names(read_notebook(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters={name: value for name, value in parameters.items() if name in names},
            cwd=source.parent,
            kernel_name="python3",
            progress_bar=False,
            kernel_manager_class=_QuietKernelManager,
        )
    except PapermillExecutionError as error:
        raise PipelineError(_describe_failure(source, error)) from error
    except DeadKernelError as error:
        raise PipelineError(
            f"Kernel notebook {source.stem} mati, mungkin karena memori habis. "
            "Tutup program lain atau kurangi jumlah judul, lalu ulangi."
        ) from error


class _QuietKernelManager(AsyncKernelManager):
    """Kernels whose own standard error is discarded; that of the notebook's cells is stored in it."""

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        await super()._async_launch_kernel(kernel_cmd, **{**options, "stderr": subprocess.DEVNULL})


def _describe_failure(notebook: Path, error: Any) -> str:
    """Return the message of a JudulError or OSError; for any other error, the cell and the error."""
    error_class = getattr(errors, error.ename, getattr(builtins, error.ename, Exception))
    if issubclass(error_class, errors.JudulError):
        return str(error.evalue)
    match = _ERRNO.match(error.evalue)
    if issubclass(error_class, OSError) and match:
        return errors.describe_os_error(OSError(int(match[1]), match[2], match[3]))
    return (
        f"Notebook {notebook.stem} berhenti di sel {error.exec_count}: "
        f"{error.ename}: {error.evalue.rstrip('.')}. "
        f"Buka notebooks/{notebook.name} dengan `make lab` untuk melihat sel itu."
    )
