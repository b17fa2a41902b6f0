import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from subprocess import CompletedProcess

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from judul_lib import __version__
from judul_lib.checking.matches import RESULT_COLUMNS
from judul_lib.cli.main import cli, main
from tests.conftest import PROJECT, assert_refused, judul, judul_process

QUERY = "Prediksi Harga Beras di Kota Medan Menggunakan Metode LSTM"


def ended(arguments, capsys):
    """Run the command in this process, which takes no second and a half to start; return its end."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return CompletedProcess(arguments, end.value.code, said.out, said.err)


@pytest.fixture
def models(trained, tmp_path):
    folder = tmp_path / "outputs"
    shutil.copytree(trained.folder, folder / "light")
    return folder


def test_a_fresh_clone_can_check_a_title_at_once():
    result = judul_process("check", QUERY, "--model", "light")
    assert result.returncode == 0, result.stderr
    assert "MIRIP (peluang " in result.stdout
    assert "123 judul" in result.stdout
    assert len([line for line in result.stdout.splitlines() if line[:3].strip().isdigit()]) == 10


def test_the_same_answer_as_json_and_csv(models, trained):
    arguments = ["check", QUERY, "--models", models, "--model", "light", "--top", 3]
    answer = json.loads(judul(*arguments, "--format", "json").stdout)
    assert answer["judul"] == QUERY
    assert answer["model"] == "light"
    assert len(answer["hasil"]) == 3
    rows = list(csv.DictReader(io.StringIO(judul(*arguments, "--format", "csv").stdout)))
    assert list(rows[0]) == list(RESULT_COLUMNS)
    assert [row["judul_ref"] for row in rows] == [row["judul_ref"] for row in answer["hasil"]]
    assert answer["rf_label"] == rows[0]["rf_label"]


def test_without_a_wish_the_model_that_is_there_answers_and_the_missing_one_is_named(models):
    result = judul("check", QUERY, "--models", models)
    assert result.returncode == 0
    assert "Model Penuh, Model Terstruktur belum ada" in result.stderr
    assert "make run" in result.stderr


def test_a_model_asked_for_by_name_is_not_replaced_by_another(models):
    assert_refused(judul("check", QUERY, "--models", models, "--model", "full"), "make run")


def test_another_corpus(models, write_csv):
    path = write_csv(["Peramalan Harga Cabai", QUERY.lower(), ""])
    arguments = ["check", QUERY, "--models", models, "--model", "light", "--corpus", path]
    result = judul(*arguments, "--format", "json")
    found = json.loads(result.stdout)["hasil"]
    assert [row["judul_ref"] for row in found] == [QUERY.lower(), "Peramalan Harga Cabai"]
    assert "1 dari 3 baris" in result.stderr


def test_a_file_of_proposals(models, tmp_path, trained):
    source, target = tmp_path / "usulan.csv", tmp_path / "hasil.csv"
    known = trained.titles[5]
    source.write_text(f'nim,JUDUL,=1+1\n01,"{known}",a\n02,=HYPERLINK("x"),b\n03,,\n', encoding="utf-8")
    result = judul("check", "--file", source, "--output", target, "--models", models, "--model", "light")
    assert result.returncode == 0, result.stderr
    rows = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert list(rows.columns) == ["nim", "JUDUL", "'=1+1", *RESULT_COLUMNS]
    assert rows["nim"].tolist() == ["01", "02", "03"]
    assert rows["judul_ref"][0] == known
    assert rows["rf_label"][0] == "MIRIP"
    assert rows["JUDUL"][1].startswith("'=")  # Not a formula any more.
    assert rows["rf_label"][2] == ""
    assert "1 baris" in result.stderr


def test_pairs_keep_their_rows_and_columns(models, tmp_path, trained):
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
    ("arguments", "word"),
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
def test_bad_input_gets_one_line_that_helps(arguments, word, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(PROJECT)
    if arguments[0] == "check" and "--model" not in arguments and "--models" not in arguments:
        arguments = [*arguments, "--model", "light"]
    if arguments[0] == "run":
        arguments = [*arguments, "--out", tmp_path / "o", "--reports", tmp_path / "r"]
    assert_refused(ended(arguments, capsys), word)
    assert not (PROJECT / "x.csv").exists()


def test_a_damaged_model_is_refused(models):
    path = models / "light" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1])
    result = judul("check", QUERY, "--models", models, "--model", "light")
    assert_refused(result, "ditolak", "make run")


def test_an_output_that_cannot_be_written_is_said(models, write_csv):
    result = judul(
        "check", "--file", write_csv([QUERY]), "--output", "/proc/hasil.csv",
        "--models", models, "--model", "light",
    )  # fmt: skip
    assert_refused(result, "Periksa")


def named_anew(path, way):
    """Give another name of the same file."""
    other = path.with_name("nama_lain.csv")
    if way == "same":
        return path
    if way == "roundabout":
        (path.parent / "sub").mkdir()
        return path.parent / "sub" / ".." / path.name
    (other.symlink_to if way == "symlink" else other.hardlink_to)(path)
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


@pytest.mark.parametrize("way", ["same", "roundabout", "symlink", "hard link"])
@pytest.mark.parametrize("command", WRITERS)
def test_no_result_takes_the_place_of_what_is_read(command, way, models, tmp_path, capsys):
    source = tmp_path / "masukan.csv"
    source.write_text(f"Judul,judul_a,judul_b\n{QUERY},{QUERY},Padi\nDeteksi Hoaks,Padi,Kopi\n")
    before, target = source.read_bytes(), named_anew(source, way)
    arguments = WRITERS[command](source, target)
    result = ended([*arguments, "--models", models, "--model", "light"], capsys)
    assert_refused(result, "menimpa", "Pilih nama lain")
    assert source.read_bytes() == before
    assert target.is_symlink() == (way == "symlink")


@pytest.mark.parametrize("command", WRITERS)
def test_a_folder_that_is_missing_is_not_made_for_a_result(command, models, tmp_path, capsys):
    source = tmp_path / "masukan.csv"
    source.write_text(f"Judul,judul_a,judul_b\n{QUERY},{QUERY},Padi\nDeteksi Hoaks,Padi,Kopi\n")
    arguments = WRITERS[command](source, tmp_path / "salah" / "tulis" / "hasil.csv")
    result = ended([*arguments, "--models", models, "--model", "light"], capsys)
    assert_refused(result, "Folder ", "tidak ada", "Buat dulu")
    assert not (tmp_path / "salah").exists()


def test_no_result_takes_the_place_of_the_other_one_of_a_model_or_of_the_log(models, write_csv, capsys):
    source, own = write_csv([QUERY, "Deteksi Hoaks"]), ("--models", models)
    titles = models / "light" / "titles_preprocessed.csv"
    before = titles.read_bytes()
    both = source.with_name("hasil.csv")
    logged = judul("check", QUERY, *own, "--model", "light", JUDUL_LOG="true")
    assert logged.returncode == 0, logged.stderr
    for arguments in (
        ("check", "--file", source, "--output", titles, "--model", "light"),
        ("dedup", source, "--output", both, "--groups", both, "--model", "light"),
        ("govern", "export", "--user", "0" * 16, "--output", models / "logs" / "judul.db"),
    ):
        assert_refused(ended([*arguments, *own], capsys), "menimpa")
    assert titles.read_bytes() == before
    assert not both.exists()


def test_what_is_no_file_is_not_replaced_by_one(models, write_csv, tmp_path, capsys):
    os.mkfifo(pipe := tmp_path / "pipa")
    arguments = ("check", "--file", write_csv([QUERY]), "--output", pipe)
    result = ended([*arguments, "--models", models, "--model", "light"], capsys)
    assert_refused(result, "bukan berkas")
    assert pipe.is_fifo()


def test_a_run_does_not_write_over_its_own_data(models, tmp_path, capsys):
    data = models / "corpus.csv"
    shutil.copy(PROJECT / "data" / "dataset_TA.csv", data)
    before = data.read_bytes()
    result = ended(["run", "--data", data, "--out", models, "--reports", tmp_path / "r"], capsys)
    assert_refused(result, "akan ditimpa", "Salin dulu")
    assert data.read_bytes() == before


def test_a_row_with_an_unquoted_comma_does_not_keep_the_others_from_being_checked(models, tmp_path):
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


def test_a_result_says_to_a_spreadsheet_in_what_encoding_it_is(models, tmp_path):
    source, target = tmp_path / "masukan.csv", tmp_path / "hasil.csv"
    titles = "Analisis Naïve Bayes – Kudus", "Analisis Naïve Bayes – Pati"
    source.write_text("Judul,judul_a,judul_b\n" + "".join(f"{t},{t},Padi\n" for t in titles))
    for name in ("check", "score-pairs", "dedup", "dedup, its groups"):
        arguments = WRITERS[name](source, target)
        assert judul(*arguments, "--models", models, "--model", "light").returncode == 0
        assert target.read_bytes().startswith(b"\xef\xbb\xbf"), name
        assert titles[0] in target.read_text("utf-8-sig")
        # It is read again as it was written.
        again = judul("check", QUERY, "--models", models, "--model", "light", "--corpus", target)
        assert "ï»¿" not in again.stderr
        target.unlink()


def test_every_blank_of_a_title_is_shown_as_a_blank(models, write_csv):
    path = write_csv(["Deteksi\xa0Hoaks\u202fPolitik\r\ndi\u3000Kudus", "Prediksi Beras"])
    result = judul("check", "Deteksi Hoaks", "--models", models, "--model", "light", "--corpus", path)
    assert "Deteksi Hoaks Politik  di Kudus" in result.stdout
    write_csv(["Padi"], "tanpa.csv").write_text("Judul\xa0Skripsi\nPadi\n")
    arguments = ("check", QUERY, "--corpus", path.with_name("tanpa.csv"))
    assert_refused(judul(*arguments, "--models", models, "--model", "light"), "'Judul Skripsi'")


def test_control_characters_of_a_title_do_not_reach_the_terminal(models, write_csv):
    path = write_csv(["Deteksi \x1b[2J Hoaks", "Prediksi Beras"])
    result = judul("check", "Deteksi Hoaks", "--models", models, "--model", "light", "--corpus", path)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout


def test_the_first_answer_needs_neither_scikit_learn_nor_pandas():
    """They take most of the 1.5 seconds that a cold start may take."""
    import subprocess
    import sys

    code = (
        "import sys; from judul_lib.cli.main import main\n"
        "try: main(['check', 'Deteksi Hoaks', '--model', 'light'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([name for name in ('sklearn', 'pandas', 'plotly') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "[]"


def commands(group=cli, path=()):
    """Give every command with the words that lead to it, groups among them."""
    yield path, group
    for name, one in getattr(group, "commands", {}).items():
        yield from commands(one, (*path, name))


COMMANDS = {" ".join(("judul", *path)): command for path, command in commands()}
ENGLISH = re.compile(
    r"\b(usage|options?|commands?|args|arguments?|default|required|this|message|and|exit|version|error|"
    r"for|no such|missing|invalid|value|is|not|a|choice|one of|range|integer|float|text|path|env|"
    r"did you mean|got|unexpected|takes?|requires?|aborted)\b",
    re.IGNORECASE,
)


def english(text):
    """Return click's words; names of options, files, models and variables are no words."""
    return ENGLISH.findall(re.sub(r"--[\w-]+|`[^`]*`|\w+[./]\w+|\[(\w+\|)+\w+\]", "", text))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_is_in_indonesian(path):
    shown = CliRunner().invoke(cli, [*path.split()[1:], "--help"], prog_name="judul").output
    assert shown.startswith(f"Cara pakai: {path} [OPSI]")
    assert "Tampilkan bantuan ini." in shown
    assert "..." not in shown.replace("[ARGUMEN]...", "")  # No command is told in half a sentence.
    assert english(shown) == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_parameter_is_explained(path):
    command = COMMANDS[path]
    assert command.help
    for param in command.params:
        told = getattr(param, "help_text", None) or param.help
        assert told.endswith("."), param.name
        if isinstance(param, click.Argument):
            row = f"  {param.metavar}  "
            assert row in CliRunner().invoke(cli, [*path.split()[1:], "--help"]).output, param.name


@pytest.mark.parametrize(
    ("arguments", "said"),
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
def test_what_is_wrong_with_a_command_line_is_said_in_indonesian(arguments, said, capsys):
    result = ended(arguments, capsys)
    assert_refused(result, said)
    assert result.returncode == 2
    assert english(result.stderr) == []


def test_without_a_command_the_help_is_shown(capsys):
    result = ended([], capsys)
    assert result.returncode == 2
    assert result.stderr.startswith("Cara pakai: judul")


def test_the_version():
    assert CliRunner().invoke(cli, ["--version"]).output == f"judul {__version__}\n"


@pytest.mark.parametrize(("threshold", "said"), [("0", "MIRIP (ambang 0: setiap judul dihitung MIRIP;")])
def test_a_threshold_of_nothing_is_said(threshold, said):
    result = judul("check", "Xyzzy Qwerty Asdf", "--model", "light", JUDUL_THRESHOLD=threshold)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(said)


WITHOUT_UNIX = """
import os, sys
sys.modules.update(dict.fromkeys(("fcntl", "pwd", "resource"), None))
del os.getuid, os.fork
from judul_lib.cli.main import main
main(["check", "Deteksi Hoaks Politik dengan BERT", "--model", "light"])
"""


def test_a_title_is_checked_where_the_modules_of_unix_are_missing(tmp_path):
    """As on Windows, with a log: it is the log that takes a lock."""
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "light")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX], cwd=PROJECT, capture_output=True, text=True, check=False,
        env={**os.environ, "JUDUL_LOG": "true", "JUDUL_MODELS": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "logs" / "judul.db").is_file()
