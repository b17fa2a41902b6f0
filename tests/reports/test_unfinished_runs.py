"""A run that fails or is stopped keeps what it has finished, and the next one goes on from there."""

import nbformat
import pytest

from judul_lib.core.errors import PipelineError
from judul_lib.reports.pipeline import STAGES, Paths, run_notebooks
from tests.conftest import judul
from tests.reports.test_pipeline import append_cell, numbers, snapshot, tiny  # noqa: F401

OLD, NEW = "", "\n"
"""Values of the parameter ``EXTRA``, which ends every output, also the JSON."""


@pytest.fixture
def quick(tiny: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:  # noqa: F811
    """Five small notebooks that run in this process."""

    def run(source, target, parameters, on_cell):
        notebook = nbformat.read(source, as_version=4)
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        values = {"EXTRA": OLD, **parameters, "OUT": source.parent / parameters["OUT"]}
        for cell in code[1:]:
            try:
                exec(cell, values)
            except ValueError as error:
                raise PipelineError(f"{source.stem} gagal.") from error
        target.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, target)

    def render(notebook):
        return "\n".join(cell.source for cell in notebook.cells)

    monkeypatch.setattr("judul_lib.reports.pipeline.STAGES", STAGES[:5])
    monkeypatch.setattr("judul_lib.reports.pipeline.run_notebook", run)
    monkeypatch.setattr("judul_lib.reports.pipeline.render_report", render)
    return tiny


class Told:
    """What a run says of its notebooks."""

    def __init__(self):
        self.ran, self.taken, self.reports = [], [], {}

    def __call__(self, stage, seconds, report):
        number = stage.notebook[:2]
        (self.taken if seconds is None else self.ran).append(number)
        self.reports[number] = report
        assert report.is_file()


def unfinished(paths):
    return list(paths.outputs.glob("unfinished-*"))


def break_notebook(paths, number):
    path = paths.notebooks / f"{STAGES[number].notebook}.ipynb"
    intact = path.read_bytes()
    append_cell(paths, number, "raise ValueError")
    return lambda: path.write_bytes(intact)


def test_the_run_after_a_failed_one_goes_on_with_the_notebook_that_failed(quick):
    run_notebooks(quick, parameters={"EXTRA": OLD})
    before = snapshot(quick.outputs), snapshot(quick.reports)
    repair = break_notebook(quick, 3)
    with pytest.raises(PipelineError) as failed:
        run_notebooks(quick, parameters={"EXTRA": NEW})

    (kept,) = unfinished(quick)
    assert f"04_train_full gagal. 3 notebook sudah selesai; hasilnya ada di {kept}" in str(failed.value)
    assert (kept / "features.csv").read_text() == "03_feature_analysis" + NEW
    assert not (kept / "full").exists()
    earlier = {
        path: value for path, value in snapshot(quick.outputs).items() if kept.name not in str(path)
    }
    assert (earlier, snapshot(quick.reports)) == before

    repair()
    told = Told()
    stale = run_notebooks(quick, parameters={"EXTRA": NEW}, on_stage=told)
    assert numbers(stale) == ["01", "02", "03", "04", "05"]
    assert (told.taken, told.ran) == (["01", "02", "03"], ["04", "05"])
    assert (quick.outputs / "features.csv").read_text() == "03_feature_analysis" + NEW
    assert (quick.outputs / "full" / "model").read_text() == "04_train_full" + NEW
    assert unfinished(quick) == []
    assert run_notebooks(quick, parameters={"EXTRA": NEW}) == []


def test_an_interrupted_run_is_continued_too(quick):
    def stop_after_second(stage, seconds, report):
        if stage.notebook.startswith("02"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_notebooks(quick, on_stage=stop_after_second)
    told = Told()
    run_notebooks(quick, on_stage=told)
    assert (told.taken, told.ran) == (["01", "02"], ["03", "04", "05"])


@pytest.mark.parametrize("change", ["parameter", "damage", "notebook", "force", "manifest"])
def test_nothing_is_taken_over_that_would_come_out_differently(quick, change):
    repair = break_notebook(quick, 3)
    with pytest.raises(PipelineError):
        run_notebooks(quick)
    repair()
    (kept,) = unfinished(quick)
    options, taken = {}, []
    if change == "parameter":
        options = {"parameters": {"EXTRA": NEW}}
    elif change == "damage":
        (kept / "pairs_full.csv").write_text("rusak")
        taken = ["01"]
    elif change == "notebook":
        append_cell(quick, 2, "1")
        taken = ["01", "02"]
    elif change == "force":
        options = {"force": True}
    else:
        (kept / "manifest.json").write_text('["01_preprocessing"]')
    told = Told()
    run_notebooks(quick, on_stage=told, **options)
    assert told.taken == taken
    assert (quick.outputs / "pairs_full.csv").read_text().startswith("02_labeling")
    assert unfinished(quick) == []


def test_a_run_that_was_killed_while_it_published_is_completed(quick):
    run_notebooks(quick, parameters={"EXTRA": OLD})
    repair = break_notebook(quick, 4)
    with pytest.raises(PipelineError):
        run_notebooks(quick, parameters={"EXTRA": NEW})
    repair()
    (kept,) = unfinished(quick)
    (kept / "corpus.csv").replace(quick.outputs / "corpus.csv")
    told = Told()
    run_notebooks(quick, parameters={"EXTRA": NEW}, on_stage=told)
    assert (told.taken, told.ran) == (["01", "02", "03", "04"], ["05"])


def test_each_report_is_written_at_once_but_never_over_an_earlier_one(quick):
    told = Told()
    run_notebooks(quick, on_stage=told)
    assert {report.parent for report in told.reports.values()} == {quick.reports}

    append_cell(quick, 1, "1")
    written = []

    def look(stage, seconds, report):
        final = quick.reports / report.name
        written.append((report.parent == quick.reports, report.read_text() == final.read_text()))

    run_notebooks(quick, on_stage=look)
    # Only the page of the changed notebook differs.
    assert written == [(False, False), (True, True), (True, True), (True, True)]
    assert "1" in (quick.reports / "02_labeling.html").read_text().splitlines()


def test_the_command_says_time_and_report_of_each_notebook_and_what_to_do(quick):
    arguments = ["run", "--data", quick.data, "--notebooks", quick.notebooks]
    arguments += ["--out", quick.outputs, "--reports", quick.reports]
    repair = break_notebook(quick, 2)
    failed = judul(*arguments)
    lines = failed.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["01_preprocessing", "02_labeling"]
    for line in lines:
        assert " lagi " in line
        assert line.endswith(f"{line.split()[0]}.html")
    assert failed.stderr.startswith("Galat: 03_feature_analysis gagal. 2 notebook sudah selesai")
    assert failed.stderr.count("\n") == 1

    repair()
    lines = judul(*arguments).stdout.splitlines()
    assert ["sudah selesai" in line for line in lines] == [True, True, False, False, False, False]
    assert " lagi" not in lines[4]
    assert lines[-1].endswith("index.html")
