import json
import os
import shutil
import subprocess

import nbformat
import pandas as pd
import pytest

from judul_lib.checking.registry import read_metadata
from judul_lib.core.errors import PipelineError
from judul_lib.core.settings import FULL, LIGHT
from judul_lib.reports.pipeline import STAGES, Paths, run_notebooks
from judul_lib.reports.runner import parameter_names, run_notebook
from judul_lib.structured.gold import read_gold
from judul_lib.study.corpus import read_corpus, save_corpus, write_frame
from judul_lib.training.forest import package_model, train_model
from tests.conftest import DATA, PROJECT, SMALL_RUN, assert_refused, judul, label_by_own_cosine

KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3"}


def snapshot(folder):
    """Return content and modification time of every file, so that a rewrite shows, too."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def tiny(tmp_path):
    """Return paths with small notebooks that only write each stage's outputs."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for stage in STAGES:
        code = ["from pathlib import Path"]
        for name in stage.outputs:
            target = f"{name}/model" if "." not in name else name
            text = '{"name": "judul.csv"}' if name == "dataset.json" else stage.notebook
            code += [
                f"(Path(OUT) / {target!r}).parent.mkdir(parents=True, exist_ok=True)",
                f"_ = (Path(OUT) / {target!r}).write_text({text!r} + str(EXTRA))",
            ]
        cells = [
            nbformat.v4.new_markdown_cell(f"# {stage.notebook}"),
            nbformat.v4.new_code_cell('OUT = "."\nEXTRA = ""', metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("\n".join(code)),
        ]
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, folder / f"{stage.notebook}.ipynb")
    data = tmp_path / "judul.csv"
    data.write_text("Judul\nDeteksi Hoaks\nPrediksi Beras\n")
    return Paths(data, folder, tmp_path / "outputs", tmp_path / "reports")


def append_cell(paths, number, source, heading=""):
    path = paths.notebooks / f"{STAGES[number].notebook}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    if heading:
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"## {heading}\n\nKalimat."))
    notebook.cells.append(nbformat.v4.new_code_cell(source))
    nbformat.write(notebook, path)


def numbers(stages):
    return [stage.notebook[:2] for stage in stages]


@pytest.mark.slow
def test_only_stages_that_are_out_of_date_run(tiny, monkeypatch):
    monkeypatch.setattr("judul_lib.reports.pipeline.STAGES", STAGES[:6])
    assert numbers(run_notebooks(tiny)) == ["01", "02", "03", "04", "05", "06"]
    before = snapshot(tiny.outputs), snapshot(tiny.reports)
    assert run_notebooks(tiny) == []
    assert (snapshot(tiny.outputs), snapshot(tiny.reports)) == before

    append_cell(tiny, 4, "1 + 1")
    assert numbers(run_notebooks(tiny)) == ["05", "06"]

    (tiny.outputs / "full" / "model").write_text("damaged")
    assert numbers(run_notebooks(tiny)) == ["04", "05", "06"]
    assert (tiny.outputs / "full" / "model").read_text() == "04_train_full"

    (tiny.reports / "03_feature_analysis.html").unlink()
    assert run_notebooks(tiny) == []
    assert (tiny.reports / "03_feature_analysis.html").exists()

    tiny.data.write_text("Judul\nDeteksi Hoaks\nPrediksi Jagung\n")
    assert len(run_notebooks(tiny)) == 6

    # A failing notebook: its error is reported, and the results of the earlier run stay.
    before = snapshot(tiny.outputs), snapshot(tiny.reports)
    append_cell(tiny, 1, "raise ValueError('rusak')")
    with pytest.raises(PipelineError, match=r"02_labeling gagal di .* ValueError: rusak"):
        run_notebooks(tiny)
    assert (snapshot(tiny.outputs), snapshot(tiny.reports)) == before


def test_parameters_reach_the_notebooks_that_assign_them(tiny):
    with pytest.raises(PipelineError, match=r"parameter NAMA.*EXTRA, OUT"):
        run_notebooks(tiny, parameters={"NAMA": 1})
    append_cell(tiny, 1, "raise SystemError(f'EXTRA adalah {EXTRA}')")
    with pytest.raises(PipelineError, match="EXTRA adalah satu"):
        run_notebooks(tiny, parameters={"EXTRA": "satu"})


def test_chosen_column_and_sheet_reach_the_notebooks(tmp_path, monkeypatch):
    monkeypatch.setattr("judul_lib.reports.pipeline.STAGES", STAGES[:1])
    data = tmp_path / "judul.xlsx"
    rows = pd.read_csv(DATA)
    table = pd.DataFrame({"Judul Skripsi": rows["Judul"], "Judul Proposal": rows["Judul"].str[::-1]})
    with pd.ExcelWriter(data) as writer:
        table.to_excel(writer, sheet_name="2023", index=False)
        table.rename(columns=str.upper).head(60).to_excel(writer, sheet_name="2024", index=False)
    folders = ("--out", tmp_path / "o", "--reports", tmp_path / "r")
    assert_refused(judul("run", "--data", data, *folders), "--column")
    result = judul("run", "--data", data, "--column", "Judul Skripsi", "--sheet", "2024", *folders)
    assert result.returncode == 0, result.stderr
    read = pd.read_csv(tmp_path / "o" / "corpus.csv")
    assert read["Judul"].tolist() == rows["Judul"].head(60).tolist()


@pytest.mark.slow
def test_a_changed_file_behind_a_parameter_reruns_only_the_notebooks_with_that_parameter(
    tiny, monkeypatch
):
    path = tiny.notebooks / f"{STAGES[4].notebook}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += '\nLOG = ""'
    nbformat.write(notebook, path)
    monkeypatch.setattr("judul_lib.reports.pipeline.STAGES", STAGES[:5])
    monkeypatch.delenv("JUDUL_DATABASE_URL", raising=False)
    run_notebooks(tiny)

    answers = tiny.notebooks.parent / "answers.csv"
    answers.write_text("mirip\n")
    assert numbers(run_notebooks(tiny, parameters={"LOG": "../answers.csv"})) == ["05"]
    assert run_notebooks(tiny, parameters={"LOG": "../answers.csv"}) == []
    answers.write_text("tidak\n")
    assert numbers(run_notebooks(tiny, parameters={"LOG": "../answers.csv"})) == ["05"]

    logs = tiny.notebooks.parent / "logs"
    logs.mkdir()
    assert numbers(run_notebooks(tiny, parameters={"LOG": "../logs"})) == ["05"]
    assert run_notebooks(tiny, parameters={"LOG": "../logs"}) == []
    (logs / "judul.db-wal").write_bytes(b"row")
    assert numbers(run_notebooks(tiny, parameters={"LOG": "../logs"})) == ["05"]

    # Rows on a database server always count as changed.
    monkeypatch.setenv("JUDUL_DATABASE_URL", "postgresql://server/judul")
    for _ in range(2):
        assert numbers(run_notebooks(tiny, parameters={"LOG": "../logs"})) == ["05"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from judul_lib.core.errors import GoldError; raise GoldError('Pasangan emas kosong.')",
         "Pasangan emas kosong."),
        ("open('tidak-ada.csv')", "tidak-ada.csv"),
        ("raise ValueError('rusak\\nsekali.')", "ValueError: rusak sekali. Lihat sel itu"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memori habis"),
    ],
)  # fmt: skip
def test_a_failing_notebook_says_where_and_why_in_one_line(tiny, code, expected):
    append_cell(tiny, 0, code, heading="Membaca berkas")
    with pytest.raises(PipelineError) as failed:
        run_notebooks(tiny)
    assert expected in str(failed.value)
    assert "01_preprocessing" in str(failed.value)
    assert 'di bagian "Membaca berkas" (sel kode ke-3)' in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_notebook_tells_the_position_of_each_cell(tiny, tmp_path):
    append_cell(tiny, 0, "1", heading="Membaca berkas")
    positions = []
    source = tiny.notebooks / f"{STAGES[0].notebook}.ipynb"
    run_notebook(source, tmp_path / "done.ipynb", {"OUT": str(tmp_path)}, positions.append)
    assert [position.n_done for position in positions] == list(range(6))
    assert {position.n_cells for position in positions} == {6}  # One is of Papermill.
    sections = [position.section for position in positions]
    assert sections == 4 * ["01_preprocessing"] + 2 * ["Membaca berkas"]


def test_parameter_names_are_read_from_the_cell():
    cell = nbformat.v4.new_code_cell(
        "A = 1  # b = 2\nC: int = 3\n# D = 4", metadata={"tags": ["parameters"]}
    )
    assert parameter_names(nbformat.v4.new_notebook(cells=[cell])) == {"A", "C"}


def test_a_run_writes_all_outputs_and_reports(finished_run):
    outputs = finished_run.outputs
    for stage in STAGES:
        assert stage.notebook in finished_run.stdout
        assert all((outputs / name).exists() for name in (*stage.outputs, stage.executed))
        assert (finished_run.reports / f"{stage.notebook}.html").is_file()
    assert (finished_run.reports / "index.html").is_file()
    assert read_metadata(outputs / "full")["dataset"]["n_titles"] == 123
    assert not [path for path in outputs.iterdir() if path.name.startswith((".", "unfinished"))]


def test_a_second_run_does_nothing(finished_run):
    before = snapshot(finished_run.outputs), snapshot(finished_run.reports)
    folders = "--out", finished_run.outputs, "--reports", finished_run.reports
    again = judul("run", *folders, *SMALL_RUN)
    assert again.returncode == 0
    assert "mutakhir" in again.stdout
    assert (snapshot(finished_run.outputs), snapshot(finished_run.reports)) == before


def test_no_notebook_opens_a_pickle(finished_run):
    assert not finished_run.exploded.exists()


def test_diverse_labels_beat_random_ones_for_the_structured_model(finished_run):
    """As measured by notebook 11 with 20 seeds, on test studies that are not in the pool."""
    gains = json.loads((finished_run.outputs / "labeling.json").read_text())["selisih"]
    for test in ("pasangan emas", "pasangan silang"):
        assert gains[f"terstruktur, tiap 20 label, {test}"]["low"] > 0


def test_diverse_labels_do_not_beat_random_ones_for_the_forest(finished_run):
    """Three features leave little to learn; if this changes, revise notebook 11."""
    gains = json.loads((finished_run.outputs / "labeling.json").read_text())["selisih"]
    for asking in ("ditanya terstruktur", "bertanya sendiri"):
        names = (f"random forest studi, {asking}, pasangan {test}" for test in ("emas", "silang"))
        assert min(gains[name]["low"] for name in names) <= 0


@pytest.mark.parametrize("name", ["light", "structured"])
def test_a_run_on_the_projects_data_reproduces_the_committed_models(finished_run, name):
    """The run started with a copy of the committed models; not even a date may change."""
    reproduced, committed = finished_run.outputs / name, PROJECT / "outputs" / name
    for path in committed.iterdir():
        assert (reproduced / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Nama\nDeteksi Hoaks\n", "Kolom 'Judul' tidak ada"),
        (b"", "kosong"),
        (bytes(range(256)), "bukan berkas teks"),
        (b"Judul\nDeteksi Hoaks\n", "1 judul"),
        (b"Judul\n" + b"Deteksi Hoaks\n" * 9, "1 judul"),
        (None, "folder"),
    ],
)
def test_unusable_data_is_refused_and_earlier_results_stay(finished_run, tmp_path, content, words):
    path = tmp_path / "judul.csv"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    before = snapshot(finished_run.outputs)
    result = judul(
        "run", "--data", path, "--out", finished_run.outputs, "--reports", finished_run.reports
    )
    assert_refused(result, words)
    assert snapshot(finished_run.outputs) == before


@pytest.mark.slow
def test_titles_without_similar_pairs_are_refused(tmp_path):
    path = tmp_path / "judul.csv"
    words = "padi jagung hoaks saham gempa kopi batik hujan sungai jembatan".split()
    path.write_text("Judul\n" + "\n".join(f"Deteksi {a}\nPrediksi {a}{a}" for a in words) + "\n")
    result = judul("run", "--data", path, "--out", tmp_path / "o", "--reports", tmp_path / "r")
    assert_refused(result, "pasangan mirip", "SIMILAR_MIN")


@pytest.mark.slow
def test_notebook_06_copes_with_a_test_set_without_similar_pairs(tmp_path):
    """The corpus has exactly two similar pairs."""
    bases = read_gold(PROJECT / "data" / "gold_pairs.csv").drop_duplicates("base_id")["judul_a"].head(30)
    data = tmp_path / "judul.csv"
    pd.DataFrame({"Judul": [*bases, *(f"{title} Semarang" for title in bases[:2])]}).to_csv(data)
    corpus, out = read_corpus(data), tmp_path / "outputs"
    titles, processed = corpus.titles["Judul"].tolist(), corpus.titles["judul_proc"].tolist()
    labeled = label_by_own_cosine(corpus, FULL)
    assert labeled.n_similar == 2
    save_corpus(corpus, out)
    for profile in (FULL, LIGHT):
        write_frame(labeled.pairs, out / f"pairs_{profile.name}.csv")
        package_model(train_model(titles, processed, labeled.pairs, profile), corpus, out / profile.name)
    notebook = nbformat.read(PROJECT / "notebooks" / "06_evaluation.ipynb", as_version=4)
    nbformat.write(notebook, tmp_path / "06.ipynb")
    run_notebook(tmp_path / "06.ipynb", tmp_path / "done.ipynb", {"OUT": str(out), "N_RESAMPLES": 20})
    outputs = [
        o for cell in nbformat.read(tmp_path / "done.ipynb", 4).cells for o in cell.get("outputs", [])
    ]
    assert "hanya berisi 0 pasangan mirip" in str(outputs)
    assert "(satu kelas saja)" in str(outputs)
    assert [o["text"] for o in outputs if o["output_type"] == "stream"] == []
    written = json.loads((out / "evaluation.json").read_text(), parse_constant=pytest.fail)
    assert written["aturan kosinus"]["roc_auc"] is None


def can_mount():
    return os.geteuid() == 0 and shutil.which("mount") is not None


@pytest.mark.slow
def test_a_full_disk_is_reported_and_earlier_results_stay(tiny, tmp_path):
    if not can_mount():
        pytest.skip("only root can mount a small disk to fill")
    tiny.outputs.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", tiny.outputs],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        run_notebooks(tiny)
        before = snapshot(tiny.outputs)
        append_cell(tiny, 2, "_ = (Path(OUT) / 'features.csv').write_bytes(bytes(1_000_000))")
        arguments = ["run", "--data", tiny.data, "--notebooks", tiny.notebooks]
        result = judul(*arguments, "--out", tiny.outputs, "--reports", tiny.reports)
        assert result.returncode == 1
        assert "Ruang disk habis" in result.stderr
        assert "Traceback" not in result.stderr
        assert snapshot(tiny.outputs) == before
    finally:
        subprocess.run(["umount", tiny.outputs], check=True)


def test_a_folder_without_permission_is_refused(tmp_path):
    if os.geteuid() == 0:
        target = "/proc/outputs"  # Not writable, not even for root.
    else:
        target = tmp_path / "closed"
        target.mkdir(mode=0o500)
        target = target / "outputs"
    result = judul("run", "--data", DATA, "--out", target, "--reports", tmp_path / "reports")
    assert_refused(result, "Periksa")
