"""What the results of a run depend on: parameters, data, notebooks, code and packages."""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import judul_lib
from judul_lib.core.errors import PipelineError
from judul_lib.core.settings import RUN_PROFILES
from judul_lib.core.storage import sha256_of
from judul_lib.reports.runner import parameter_names, read_notebook
from judul_lib.study.synthetic import SOURCES

PROFILE_PARAMETER = "PROFILE"
"""Run parameter that stands for the notebook parameters in `RUN_PROFILES`."""

_FIGURES = ("benchmarks.json", "study.json")
_DECISIVE_PACKAGES = (
    "scikit-learn", "numpy", "scipy", "pandas", "PySastrawi", "RapidFuzz", "sparse-dot-topn", "plotly",
    "nbconvert",
)  # fmt: skip


def expand_profile(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Replace ``PROFILE`` by the parameters that it stands for.

    Raises
    ------
    PipelineError
        There is no such profile.

    Examples
    --------
    >>> expand_profile({"PROFILE": "bawaan", "SEED": 7})["SEED"]
    7
    """
    expanded = dict(parameters)
    name = expanded.pop(PROFILE_PARAMETER, "bawaan")
    if name not in RUN_PROFILES:
        raise PipelineError(f"Tidak ada profil {name!r}. Yang ada: {', '.join(RUN_PROFILES)}.")
    return {**RUN_PROFILES[name], **expanded}


def stage_fingerprints(
    names: Sequence[str], data: Path, notebooks: Path, parameters: Mapping[str, Any]
) -> dict[str, str]:
    """Hash everything that the results of each notebook depend on, the earlier notebooks included.

    Parameters
    ----------
    names : sequence of str
        Names of the notebooks, without ``.ipynb``, in order.
    data, notebooks : path
        The file of titles, and the folder of the notebooks.
    parameters : mapping

    Returns
    -------
    dict of str to str
        A hash for each name.

    Raises
    ------
    PipelineError
        A notebook is missing, or none has a parameter of that name.
    """
    package = Path(judul_lib.__file__).parent
    digest = hashlib.sha256(data.read_bytes())
    for name in (*SOURCES, *_FIGURES):
        source = notebooks.parent / "data" / name
        if source.is_file():
            digest.update(source.read_bytes())
    digest.update("".join(version(name) for name in _DECISIVE_PACKAGES).encode())
    for path in sorted(p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    result = {}
    known_names: set[str] = set()
    for stage in names:
        notebook = read_notebook(notebooks / f"{stage}.ipynb")
        assigned = parameter_names(notebook)
        values = {name: parameters[name] for name in sorted(assigned & parameters.keys())}
        files = [_file_fingerprint(value, notebooks) for value in values.values()]
        sources = [(cell.cell_type, cell.source) for cell in notebook.cells]
        digest.update(json.dumps([values, files, sources], default=str).encode())
        result[stage] = digest.hexdigest()
        known_names |= assigned
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
