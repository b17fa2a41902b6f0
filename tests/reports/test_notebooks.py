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


def test_the_pipeline_runs_all_notebooks_and_each_has_its_own_number():
    assert sorted(stage.notebook for stage in STAGES) == list(NOTEBOOKS)
    numbers = [int(name[:2]) for name in NOTEBOOKS]
    assert numbers == sorted(set(numbers))


def test_a_notebook_runs_after_those_whose_outputs_it_names_as_its_inputs():
    written = []
    for stage in STAGES:
        text = NOTEBOOKS[stage.notebook].cells[1].source
        inputs = text.partition("**Masukan.**")[2].partition("**Keluaran.**")[0]
        written += stage.outputs
        for later in STAGES:
            for name in later.outputs:
                assert name in written or f"`{name}`" not in inputs, (stage.notebook, name)
                assert name in written or f"`{name}/`" not in inputs, (stage.notebook, name)


def test_make_notebooks_and_the_comparison_follow_the_order_of_the_pipeline():
    names = {stage.notebook: number for number, stage in enumerate(STAGES)}
    lines = (PROJECT / "Makefile").read_text().replace("\\\n", " ").splitlines()
    for command in ("nbconvert", "0[1-6]_"):
        line = next(line for line in lines if command in line)
        patterns = re.findall(r"notebooks/(\S*\d\S*\.ipynb)", line)
        listed = [p.stem for pattern in patterns for p in PATHS if p.match(pattern)]
        assert [names[name] for name in listed] == list(range(len(listed))), command


def test_the_chosen_model_is_trained_before_the_notebooks_that_check_with_it():
    order = [stage.notebook for stage in STAGES]
    assert order.index("14_structured_model") < order.index("07_check_titles")


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
