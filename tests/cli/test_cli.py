import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from judul_lib import __version__
from judul_lib.checking.matches import RESULT_COLUMNS
from judul_lib.cli.main import cli
from judul_lib.search.index import TitleIndex
from judul_lib.usage.database import opened_database, sqlite_url
from tests.conftest import PROJECT, assert_refused, judul, judul_process

QUERY = "Prediksi Harga Beras di Kota Medan Menggunakan Metode LSTM"


@pytest.fixture
def models(trained, tmp_path):
    folder = tmp_path / "outputs"
    shutil.copytree(trained.folder, folder / "light")
    return folder


def test_a_fresh_clone_can_check_a_title():
    result = judul_process("check", QUERY, "--model", "light")
    assert result.returncode == 0, result.stderr
    assert "MIRIP (peluang " in result.stdout
    assert "123 judul" in result.stdout
    assert len([line for line in result.stdout.splitlines() if line[:3].strip().isdigit()]) == 10


def test_json_and_csv_hold_the_same_answer(models, trained):
    arguments = ["check", QUERY, "--models", models, "--model", "light", "--top", 3]
    answer = json.loads(judul(*arguments, "--format", "json").stdout)
    assert answer["judul"] == QUERY
    assert answer["model"] == "light"
    assert len(answer["hasil"]) == 3
    rows = list(csv.DictReader(io.StringIO(judul(*arguments, "--format", "csv").stdout)))
    assert list(rows[0]) == list(RESULT_COLUMNS)
    assert [row["judul_ref"] for row in rows] == [row["judul_ref"] for row in answer["hasil"]]
    assert answer["rf_label"] == rows[0]["rf_label"]


def test_every_title_of_the_archive_is_written_on_demand(models, trained, tmp_path):
    target = tmp_path / "semua.csv"
    arguments = ["check", QUERY, "--models", models, "--model", "light", "--top", 3]
    result = judul(*arguments, "--csv", target)
    assert result.returncode == 0, result.stderr
    assert result.stdout == judul(*arguments).stdout
    rows = list(csv.DictReader(io.StringIO(target.read_bytes().decode("utf-8-sig"))))
    assert list(rows[0]) == ["judul_ref", "rf_probability", "rf_label"]
    assert sorted(row["judul_ref"] for row in rows) == sorted(trained.titles)
    chances = [float(row["rf_probability"]) for row in rows]
    assert chances == sorted(chances, reverse=True)


def test_the_archive_is_not_overwritten_by_its_own_download(models, write_csv):
    archive = write_csv(["Deteksi Hoaks Politik"])
    before = archive.read_bytes()
    result = judul("check", QUERY, "--models", models, "--corpus", archive, "--csv", archive)
    assert_refused(result, "menimpa")
    assert archive.read_bytes() == before


def test_the_available_model_answers_by_default_and_missing_ones_are_named(models):
    result = judul("check", QUERY, "--models", models)
    assert result.returncode == 0
    assert "Model Penuh, Model Terstruktur belum ada" in result.stderr
    assert "make run" in result.stderr


def test_a_missing_model_requested_by_name_is_refused(models):
    assert_refused(judul("check", QUERY, "--models", models, "--model", "full"), "make run")


def test_check_against_another_corpus(models, write_csv):
    path = write_csv(["Peramalan Harga Cabai", QUERY.lower(), ""])
    arguments = ["check", QUERY, "--models", models, "--model", "light", "--corpus", path]
    result = judul(*arguments, "--format", "json")
    found = json.loads(result.stdout)["hasil"]
    assert [row["judul_ref"] for row in found] == [QUERY.lower(), "Peramalan Harga Cabai"]
    assert "1 dari 3 baris" in result.stderr


def test_check_a_file_of_proposals(models, tmp_path, trained):
    source, target = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    existing = trained.titles[5]
    source.write_text(
        f'nim,JUDUL,=1+1\n01,"{existing}",a\n02,=HYPERLINK("x"),b\n03,,\n', encoding="utf-8"
    )
    result = judul("check", "--file", source, "--output", target, "--models", models, "--model", "light")
    assert result.returncode == 0, result.stderr
    rows = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert list(rows.columns) == ["nim", "JUDUL", "'=1+1", *RESULT_COLUMNS]
    assert rows["nim"].tolist() == ["01", "02", "03"]
    assert rows["judul_ref"][0] == existing
    assert rows["rf_label"][0] == "MIRIP"
    assert rows["JUDUL"][1].startswith("'=")  # No longer a formula.
    assert rows["rf_label"][2] == ""
    assert "1 baris" in result.stderr


def test_scored_pairs_keep_their_rows_and_columns(models, tmp_path, trained):
    source, target = tmp_path / "pasangan.csv", tmp_path / "hasil.csv"
    a, b = trained.titles[:2]
    rows = [["7", a, b, "x"], ["8", "", b, "y"], ["9", b, a, ""], ["10", a, a, "-1"]]
    frame = pd.DataFrame(rows, columns=["id", "judul_a", "judul_b", "catatan"])
    frame.to_csv(source, index=False)
    result = judul("score-pairs", source, target, "--models", models, "--model", "light")
    assert result.returncode == 0, result.stderr
    scored = pd.read_csv(target, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(scored[list(frame)], frame, check_dtype=False)
    assert list(scored.columns) == [*frame.columns, *RESULT_COLUMNS[1:]]
    assert scored.loc[1, "rf_probability"] == ""
    assert scored.loc[0, "cosine"] == scored.loc[2, "cosine"]
    assert float(scored.loc[3, "levenshtein"]) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check"], "judul"),
        (["check", ""], "kosong"),
        (["check", "yang dan di 123"], "kosong"),
        (["check", "a", "--file", "b.csv"], "judul"),
        (["check", "--file", "b.csv"], "--output"),
        (["check", QUERY, "--models", "tidak-ada"], "make run"),
        (["check", QUERY, "--model", "besar"], "full, light"),
        (["check", QUERY, "--top", "0"], "--top"),
        (["check", QUERY, "--jobs", "2"], "--jobs berlaku untuk --file"),
        (
            ["check", "--file", "b.csv", "--output", "x.csv", "--top", "3"],
            "--top berlaku untuk satu judul",
        ),
        (["check", "--file", "b.csv", "--output", "x.csv", "--format", "csv"], "--format berlaku"),
        (["check", "--file", "b.csv", "--output", "x.csv", "--csv", "y.csv"], "--csv berlaku"),
        (["check", QUERY, "--apa"], "--apa"),
        (["check", QUERY, "--corpus", "tidak-ada.csv"], "tidak ditemukan"),
        (["check", QUERY, "--corpus", "tests"], "folder"),
        (["check", "--file", "tidak-ada.csv", "--output", "x.csv"], "tidak ditemukan"),
        (["check", "--file", "pyproject.toml", "--output", "x.csv"], "pyproject.toml"),
        (["score-pairs", "data/dataset_TA.csv", "x.csv", "--model", "light"], "judul_a"),
        (["score-pairs", "data/dataset_TA.csv"], "HASIL.csv"),
        (["run", "--data", "tidak-ada.csv"], "tidak ditemukan"),
        (["run", "--notebooks", "tidak-ada"], "tidak ada"),
        (["run", "-p", "TIDAK_ADA", "1"], "TIDAK_ADA"),
        (["hapus"], "Pilih: run, check, score-pairs"),
    ],
)
def test_bad_input_is_refused_with_one_helpful_line(arguments, expected, tmp_path):
    if arguments[0] == "check" and "--model" not in arguments and "--models" not in arguments:
        arguments = [*arguments, "--model", "light"]
    if arguments[0] == "run":
        arguments = [*arguments, "--out", tmp_path / "o", "--reports", tmp_path / "r"]
    assert_refused(judul(*arguments), expected)
    assert not (PROJECT / "x.csv").exists()


def test_a_damaged_model_is_refused(models):
    path = models / "light" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1])
    result = judul("check", QUERY, "--models", models, "--model", "light")
    assert_refused(result, "ditolak", "make run")


def test_an_output_that_cannot_be_written_is_refused(models, write_csv):
    result = judul(
        "check", "--file", write_csv([QUERY]), "--output", "/proc/hasil.csv",
        "--models", models, "--model", "light",
    )  # fmt: skip
    assert_refused(result, "Periksa")


def alias_of(path, kind):
    """Return another path to the same file."""
    other = path.with_name("nama_lain.csv")
    if kind == "same":
        return path
    if kind == "roundabout":
        (path.parent / "sub").mkdir()
        return path.parent / "sub" / ".." / path.name
    (other.symlink_to if kind == "symlink" else other.hardlink_to)(path)
    return other


WRITERS = {
    "check": lambda source, target: ("check", "--file", source, "--output", target),
    "check, the archive": lambda source, target: (
        "check", "--file", PROJECT / "data" / "dataset_TA.csv", "--output", target, "--corpus", source,
    ),
    "score-pairs": lambda source, target: ("score-pairs", source, target),
    "dedup": lambda source, target: ("dedup", source, "--output", target),
    "dedup, its groups": lambda source, target: (
        "dedup", source, "--output", target.with_name("x"), "--groups", target,
    ),
}  # fmt: skip


def write_input(folder):
    path = folder / "masukan.csv"
    path.write_text(f"Judul,judul_a,judul_b\n{QUERY},{QUERY},Padi\nDeteksi Hoaks,Padi,Kopi\n")
    return path


@pytest.mark.parametrize("kind", ["same", "roundabout", "symlink", "hard link"])
@pytest.mark.parametrize("command", WRITERS)
def test_no_result_overwrites_an_input(command, kind, models, tmp_path):
    source = write_input(tmp_path)
    before, target = source.read_bytes(), alias_of(source, kind)
    arguments = WRITERS[command](source, target)
    result = judul(*arguments, "--models", models, "--model", "light")
    assert_refused(result, "menimpa", "Pilih nama lain")
    assert source.read_bytes() == before
    assert target.is_symlink() == (kind == "symlink")


@pytest.mark.parametrize("command", WRITERS)
def test_a_missing_output_folder_is_not_created(command, models, tmp_path):
    source = write_input(tmp_path)
    arguments = WRITERS[command](source, tmp_path / "salah" / "tulis" / "hasil.csv")
    result = judul(*arguments, "--models", models, "--model", "light")
    assert_refused(result, "Folder ", "tidak ada", "Buat dulu")
    assert not (tmp_path / "salah").exists()


def test_no_result_overwrites_another_result_or_a_model_or_the_log(models, write_csv):
    source, options = write_csv([QUERY, "Deteksi Hoaks"]), ("--models", models)
    titles = models / "light" / "titles_preprocessed.csv"
    before = titles.read_bytes()
    both = source.with_name("hasil.csv")
    logged = judul("check", QUERY, *options, "--model", "light", JUDUL_LOG="true")
    assert logged.returncode == 0, logged.stderr
    for arguments in (
        ("check", "--file", source, "--output", titles, "--model", "light"),
        ("dedup", source, "--output", both, "--groups", both, "--model", "light"),
        ("govern", "export", "--user", "0" * 16, "--output", models / "logs" / "judul.db"),
    ):
        assert_refused(judul(*arguments, *options), "menimpa")
    assert titles.read_bytes() == before
    assert not both.exists()


def test_an_output_that_is_not_a_regular_file_is_refused(models, write_csv, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipa")
    arguments = ("check", "--file", write_csv([QUERY]), "--output", pipe)
    result = judul(*arguments, "--models", models, "--model", "light")
    assert_refused(result, "bukan berkas")
    assert pipe.is_fifo()


def test_a_run_does_not_overwrite_its_data(models, tmp_path):
    data = models / "corpus.csv"
    shutil.copy(PROJECT / "data" / "dataset_TA.csv", data)
    before = data.read_bytes()
    result = judul("run", "--data", data, "--out", models, "--reports", tmp_path / "r")
    assert_refused(result, "akan ditimpa", "Salin dulu")
    assert data.read_bytes() == before


def test_a_row_with_an_unquoted_comma_does_not_stop_the_others(models, tmp_path):
    source, target = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    source.write_text(
        f"nim,Judul,Tahun\n1,{QUERY},2024\n2,Harga Beras, Gula, dan Jagung,2024\n3\n4,Hoaks,2025\n"
    )
    arguments = ("check", "--file", source, "--output", target, "--models", models, "--model", "light")
    result = judul(*arguments)
    assert result.returncode == 0, result.stderr
    assert "usulan.csv baris 3 dan 1 lainnya tidak diperiksa: jumlah kolom" in result.stderr
    assert "tidak berisi judul" not in result.stderr
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"))))
    assert [row["nim"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["rf_label"] == "TIDAK DIPERIKSA" for row in rows] == [False, True, True, False]
    assert [row["penjelasan"] != "" for row in rows] == [False, True, True, False]
    assert (rows[1]["Judul"], rows[1]["Tahun"]) == ("Harga Beras", "Gula, dan Jagung, 2024")


def test_a_result_starts_with_a_byte_order_mark(models, tmp_path):
    source, target = tmp_path / "masukan.csv", tmp_path / "hasil.csv"
    titles = "Analisis Naïve Bayes – Kudus", "Analisis Naïve Bayes – Pati"
    source.write_text("Judul,judul_a,judul_b\n" + "".join(f"{t},{t},Padi\n" for t in titles))
    for name in ("check", "score-pairs", "dedup", "dedup, its groups"):
        arguments = WRITERS[name](source, target)
        assert judul(*arguments, "--models", models, "--model", "light").returncode == 0
        assert target.read_bytes().startswith(b"\xef\xbb\xbf"), name
        assert titles[0] in target.read_text("utf-8-sig")
        # The mark does not show when the result is read back.
        again = judul("check", QUERY, "--models", models, "--model", "light", "--corpus", target)
        assert "ï»¿" not in again.stderr
        target.unlink()


def test_unusual_whitespace_is_shown_as_spaces(models, write_csv):
    path = write_csv(["Deteksi\xa0Hoaks\u202fPolitik\r\ndi\u3000Kudus", "Prediksi Beras"])
    result = judul("check", "Deteksi Hoaks", "--models", models, "--model", "light", "--corpus", path)
    assert "Deteksi Hoaks Politik di Kudus" in result.stdout
    write_csv(["Padi"], "tanpa.csv").write_text("Nama\xa0Topik\nPadi\n")
    arguments = ("check", QUERY, "--corpus", path.with_name("tanpa.csv"))
    assert_refused(judul(*arguments, "--models", models, "--model", "light"), "'Nama Topik'")


def test_control_characters_do_not_reach_the_terminal(models, write_csv):
    path = write_csv(["Deteksi \x1b[2J Hoaks", "Prediksi Beras"])
    result = judul("check", "Deteksi Hoaks", "--models", models, "--model", "light", "--corpus", path)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("has_index", [False, True])
def test_a_check_imports_neither_scikit_learn_nor_pandas(has_index, tmp_path):
    """They would take most of the 1.5 s allowed for a cold start."""
    options = ["--model", "light"]
    if has_index:
        TitleIndex.build(["Deteksi Hoaks"], PROJECT / "outputs" / "light").save(tmp_path / "indeks")
        options = ["--index", str(tmp_path / "indeks")]
    code = (
        "import sys; from judul_lib.cli.main import main\n"
        f"try: main(['check', 'Deteksi Hoaks', *{options}])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([name for name in ('sklearn', 'pandas', 'plotly') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def all_commands(group=cli, path=()):
    """Yield the path and the command of every command and group."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from all_commands(command, (*path, name))


COMMANDS = {" ".join(("judul", *path)): command for path, command in all_commands()}
ENGLISH = re.compile(
    r"\b(usage|options?|commands?|args|arguments?|default|required|this|message|and|exit|version|error|"
    r"for|no such|missing|invalid|value|is|not|a|choice|one of|range|integer|float|text|path|env|"
    r"did you mean|got|unexpected|takes?|requires?|aborted)\b",
    re.IGNORECASE,
)


def english_words(text):
    """Return click's English words in a text, except in names of options, files, models, variables."""
    return ENGLISH.findall(re.sub(r"--[\w-]+|`[^`]*`|\w+[./]\w+|\[(\w+\|)+\w+\]", "", text))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_is_in_indonesian(path):
    shown = CliRunner().invoke(cli, [*path.split()[1:], "--help"], prog_name="judul").output
    assert shown.startswith(f"Cara pakai: {path} [OPSI]")
    assert "Tampilkan bantuan ini." in shown
    assert "..." not in shown.replace("[ARGUMEN]...", "")  # No summary is cut off.
    assert english_words(shown) == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_parameter_is_explained(path):
    command = COMMANDS[path]
    assert command.help
    for param in command.params:
        explanation = getattr(param, "help_text", None) or param.help
        assert explanation.endswith("."), param.name
        if isinstance(param, click.Argument):
            row = f"  {param.metavar}  "
            assert row in CliRunner().invoke(cli, [*path.split()[1:], "--help"]).output, param.name


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "a", "--modle", "full"], "Opsi --modle tidak dikenal. Mungkin maksud Anda --model?"),
        (["check", "Prediksi", "Harga", "Beras"], "Apit judul dengan tanda kutip."),
        (["check", "a", "--model", "besar"], "Pilih: full, light, structured."),
        (["check", "a", "--top", "0"], "--top tidak berlaku. Berikan bilangan bulat, sedikitnya 1."),
        (["check", "a", "--top", "satu"], "Berikan bilangan bulat, sedikitnya 1."),
        (["check", "a", "--top"], "Opsi --top memerlukan nilai."),
        (["dedup", "a.csv", "--exact=ya", "--output", "b"], "Opsi --exact tidak menerima nilai."),
        (["dedup", "a.csv"], "--output belum diberikan."),
        (["dedup", "a.csv", "--output", "b", "--threshold", "0"], "lebih dari 0, paling besar 1."),
        (["app", "--port", "delapan"], "--port tidak berlaku. Berikan bilangan bulat."),
        (["index", "info"], "INDEKS belum diberikan."),
        (["models", "show", "besar"], "Nilai untuk MODEL tidak berlaku. Pilih: full"),
        (["govern", "hapus"], "Perintah itu tidak ada. Pilih: verify, audit"),
    ],
)
def test_usage_errors_are_in_indonesian(arguments, expected):
    result = judul(*arguments)
    assert_refused(result, expected)
    assert result.returncode == 2
    assert english_words(result.stderr) == []


def test_without_a_command_the_help_is_shown():
    result = judul()
    assert result.returncode == 2
    assert result.stderr.startswith("Cara pakai: judul")


def test_version():
    assert CliRunner().invoke(cli, ["--version"]).output == f"judul {__version__}\n"


def test_an_interrupted_command_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr("judul_lib.checking.loading.find_models", interrupt)
    result = judul("check", "Deteksi Hoaks")
    assert result.returncode == 130
    assert result.stderr.split("\n") == ["", "Dihentikan; hasil sebelumnya tidak berubah.", ""]


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_threshold_of_zero_is_explained():
    result = judul("check", "Xyzzy Qwerty Asdf", "--model", "light", JUDUL_THRESHOLD="0")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("MIRIP (ambang 0: setiap judul dihitung MIRIP;")


WITHOUT_UNIX = """
import os, sys
sys.modules.update(dict.fromkeys(("fcntl", "pwd", "resource"), None))
del os.getuid, os.fork
from judul_lib.cli.main import main
main(["check", "Deteksi Hoaks Politik dengan BERT", "--model", "light"])
"""


def test_a_title_is_checked_without_the_modules_of_unix(tmp_path):
    """As on Windows; with a log, because the log takes a lock."""
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX], cwd=PROJECT, capture_output=True, text=True, check=False,
        env={**os.environ, "JUDUL_LOG": "true", "JUDUL_MODELS": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "logs" / "judul.db").is_file()


WITHOUT_PLOTLY = """
import sys
sys.modules["plotly"] = None
from judul_lib.cli.main import main
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as end:
        assert not end.code, command
"""


def test_commands_of_the_server_need_no_plotly(tmp_path):
    """The image has what the page needs, without the notebooks."""
    with opened_database(sqlite_url(tmp_path / "logs")):
        pass
    commands = "monitor", "govern calendar", "govern playbook", "govern audit", "users list", "keys list"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PLOTLY, *commands],
        cwd=PROJECT, capture_output=True, text=True, check=False,
        env={**os.environ, "JUDUL_LOG": "true", "JUDUL_MODELS": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_proposal_of_several_students_is_shown_with_all_names(models, tmp_path):
    source, target = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    lines = [f"Ani,{QUERY}", "Budi,Deteksi Hoaks Politik", f"Cici,{QUERY.upper()}"]
    source.write_text("\n".join(["Nama,Judul", *lines]))
    words = ("check", "--file", source, "--output", target, "--models", models, "--model", "light")
    result = judul(*words)
    assert "1 judul diusulkan bersama" in result.stderr
    assert pd.read_csv(target, keep_default_na=False)["pengusul"].tolist() == [
        "Ani; Cici",
        "",
        "Ani; Cici",
    ]
    source.write_text("\n".join(["Nama,Judul", *lines[:2]]))
    assert "diusulkan bersama" not in judul(*words).stderr
    assert "pengusul" not in pd.read_csv(target, keep_default_na=False)
