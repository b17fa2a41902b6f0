"""Conventions that every notebook follows; nbval compares their outputs (`make test`)."""

import re
from statistics import median

import nbformat
import pytest

from judul_lib.reports.pipeline import STAGES
from tests.conftest import PROJECT

PATHS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
IGNORE_TAG = "nbval-ignore-output"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def nonempty_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


@pytest.fixture(params=NOTEBOOKS, ids=str)
def notebook(request):
    return NOTEBOOKS[request.param]


def test_the_pipeline_runs_all_notebooks_in_the_order_of_their_numbers():
    assert [stage.notebook for stage in STAGES] == list(NOTEBOOKS)
    numbers = [int(name[:2]) for name in NOTEBOOKS]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_title_starts_with_the_number(name):
    assert re.match(rf"# {name[:2]} · \w", NOTEBOOKS[name].cells[0].source)


def test_purpose_input_and_output_come_after_the_title(notebook):
    text = notebook.cells[1].source
    assert all(f"**{word}.**" in text for word in ("Tujuan", "Masukan", "Keluaran"))


def test_the_first_code_cell_holds_commented_parameters(notebook):
    first = code_cells(notebook)[0]
    assert first.metadata.tags == ["parameters"]
    assert all("#" in line for line in nonempty_lines(first))


def test_the_summary_is_last(notebook):
    assert notebook.cells[-2].source == "## Ringkasan"
    assert notebook.cells[-1].metadata.tags == ["ringkasan"]


def test_code_cells_are_short_and_define_nothing(notebook):
    sizes = [len(nonempty_lines(cell)) for cell in code_cells(notebook)]
    assert median(sizes) <= 5
    assert max(sizes) <= 15
    assert not [c for c in code_cells(notebook) if re.search(r"^\s*(def|class) ", c.source, re.M)]


def test_outputs_of_one_complete_run_are_stored(notebook):
    """nbval never compares a cell without an execution count."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert sum(bool(cell.outputs) for cell in code_cells(notebook)) >= 5


def test_no_output_is_an_error_or_on_stderr(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_no_path_of_the_machine_is_stored(notebook):
    text = nbformat.writes(notebook)
    assert not re.search(r"/(home|root|work|tmp|Users)/", text)


def test_few_outputs_are_exempt_from_comparison_and_each_says_why():
    cells = [cell for notebook in NOTEBOOKS.values() for cell in code_cells(notebook)]
    exempt = [cell for cell in cells if IGNORE_TAG in cell.metadata.get("tags", [])]
    assert len(exempt) <= 0.02 * len(cells)
    for notebook in NOTEBOOKS.values():
        for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
            if IGNORE_TAG in cell.metadata.get("tags", []):
                assert "bergantung pada mesin" in before.source
    assert not [c for c in cells if "nbval-skip" in c.metadata.get("tags", [])]
