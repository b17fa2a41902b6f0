"""``judul index``, and ``judul check`` with an index."""

import json
import shutil

import pandas as pd
import pytest

from judul_lib.search.index_files import can_hold_index
from tests.conftest import PROJECT, assert_refused, judul

MODELS = PROJECT / "outputs"
TITLES = [
    "Prediksi Harga Beras di Kota Medan", "Deteksi Hoaks: Politik", "Sistem Pakar Penyakit Kucing",
    "Klasifikasi Daun Padi dengan CNN", "Klasifikasi Daun Padi dengan CNN di Bantul",
]  # fmt: skip
QUERY = "Prediksi Harga Beras dengan LSTM"


@pytest.fixture
def index(write_csv, tmp_path):
    folder = tmp_path / "indeks"
    built = judul("index", "build", write_csv(TITLES), folder, "--model", "light", "--models", MODELS)
    assert built.returncode == 0, built.stderr
    return folder


def answer(*arguments):
    result = judul("check", QUERY, "--format", "json", *arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("model", ["light", "structured"])
def test_an_index_answers_like_its_catalogue(write_csv, tmp_path, model):
    catalogue, folder = write_csv(["", *TITLES, TITLES[0].upper()]), tmp_path / "baru" / "indeks"
    built = judul("index", "build", catalogue, folder, "--model", model, "--models", MODELS)
    assert "5 judul" in built.stdout
    assert " KB, " in built.stdout
    assert "detik" in built.stdout
    assert "2 dari 7 baris" in built.stderr
    plain = answer("--corpus", catalogue, "--model", model, "--models", MODELS)
    assert answer("--index", folder, "--models", MODELS) == plain
    assert answer("--corpus", folder, "--model", model) == plain
    info = judul("index", "info", folder, "--models", MODELS).stdout
    assert f"model    {model}" in info
    assert "judul    5" in info


def test_titles_are_added_once_and_can_be_removed(index, write_csv):
    new = write_csv(["DETEKSI hoaks, politik", "Peramalan Cuaca Bogor", "Analisis Sentimen Film"])
    output = judul("index", "add", index, new).stdout
    assert output.startswith("2 judul ditambahkan, 1 dilewati")
    assert "kini berisi 7 judul" in output
    before = (index / "index.json").read_bytes()
    output = judul("index", "add", index, "--title", " peramalan CUACA Bogor! ").stdout
    assert output.startswith("0 judul ditambahkan, 1 dilewati")
    assert (index / "index.json").read_bytes() == before
    assert judul("index", "add", index, "--title", " Deteksi Kantuk ").stdout.startswith("1 judul")
    assert "kini berisi 7 judul" in judul("index", "remove", index, "Deteksi Kantuk").stdout
    assert_refused(judul("index", "remove", index, "Deteksi Kantuk"), "persis")
    assert "dihapus  1" in judul("index", "info", index).stdout
    found = [row["judul_ref"] for row in answer("--index", index)["hasil"]]
    assert sorted(found) == sorted([*TITLES, "Peramalan Cuaca Bogor", "Analisis Sentimen Film"])


def test_a_file_of_proposals_against_an_index(index, write_csv, tmp_path):
    proposals, target = write_csv([TITLES[2], "yang dan", QUERY], "usulan.csv"), tmp_path / "hasil.csv"
    result = judul("check", "--file", proposals, "--output", target, "--index", index)
    assert result.returncode == 0, result.stderr
    rows = pd.read_csv(target, keep_default_na=False)
    assert rows["judul_ref"].tolist() == [TITLES[2], "", TITLES[0]]
    assert "1 baris" in result.stderr


def test_an_index_can_be_rebuilt_in_any_state(index, write_csv):
    (index / "index.json").write_text("{}")
    assert_refused(judul("check", QUERY, "--index", index), "versi lain", "judul index build")
    build = ["index", "build", write_csv(TITLES[:2]), index, "--model", "light", "--models", MODELS]
    assert judul(*build).returncode == 0
    assert "judul    2" in judul("index", "info", index).stdout
    (index / "index.json").unlink()  # As if the first build had been killed.
    assert judul(*build).returncode == 0
    assert len(list((index / "parts").iterdir())) == 1
    empty = index.with_name("baru")
    empty.mkdir()
    (empty / ".lock").touch()  # As if a build had been killed before its first part.
    build[3] = empty
    assert judul(*build).returncode == 0


def test_a_folder_with_other_files_is_not_overwritten(write_csv, tmp_path):
    folder = tmp_path / "dokumen"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "mine.txt").write_text("mine")
    assert not can_hold_index(folder)
    assert_refused(judul("index", "build", write_csv(TITLES), folder, "--model", "light"), "hal lain")
    assert (folder / "parts" / "mine.txt").read_text() == "mine"


def test_an_index_with_an_outdated_model_says_so(index, tmp_path):
    assert judul("check", QUERY, "--index", index, "--models", MODELS).stderr == ""
    assert judul("check", QUERY, "--index", index, "--models", tmp_path).stderr == ""
    shutil.copytree(MODELS / "light", tmp_path / "light")
    metadata = json.loads((tmp_path / "light" / "metadata.json").read_text())
    metadata["files"]["arrays.npz"] = "0" * 64
    (tmp_path / "light" / "metadata.json").write_text(json.dumps(metadata))
    for arguments in (["check", QUERY, "--index", index], ["index", "info", index]):
        result = judul(*arguments, "--models", tmp_path)
        assert result.returncode == 0
        assert f"judul index build KATALOG.csv {index} --model light" in result.stderr


def test_a_truncated_part_is_refused(index):
    part = next((index / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-7])
    for arguments in (["check", QUERY, "--index"], ["index", "info"], ["index", "remove"]):
        title = [TITLES[0]] if arguments[-1] == "remove" else []
        assert_refused(judul(*arguments, index, *title), "terpotong", "judul index build")


def test_an_index_of_another_format_is_refused(index):
    facts = json.loads((index / "index.json").read_text())
    (index / "index.json").write_text(json.dumps(facts | {"format": 1}))
    assert_refused(judul("check", QUERY, "--corpus", index), "versi lain", "judul index build")


def test_an_empty_index_is_refused(index):
    for title in TITLES:
        assert judul("index", "remove", index, title).returncode == 0
    assert_refused(judul("check", QUERY, "--index", index), "tidak berisi judul", "judul index add")
    assert "judul    0" in judul("index", "info", index).stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", QUERY, "--index", "I", "--corpus", "K"], "--corpus, --index, atau --archive"),
        (["check", QUERY, "--index", "I", "--model", "structured"], "dibangun dengan model light"),
        (["check", QUERY, "--index", "K"], "bukan folder indeks"),
        (["check", QUERY, "--index", "tidak-ada"], "Tidak ada indeks di folder tidak-ada"),
        (["check", QUERY, "--corpus", "docs"], "Tidak ada indeks di folder docs"),
        (["check", "yang", "--index", "I"], "kosong"),
        (["index", "build", "tidak-ada.csv", "x-indeks", "--model", "light"], "tidak ditemukan"),
        (["index", "build", "N", "x-indeks", "--model", "light"], "Kolom 'Judul' tidak ada"),
        (["index", "build", "K", "x-indeks", "--models", "docs"], "make run"),
        (["index", "build", "K", "x-indeks", "--jobs", "0"], "--jobs"),
        (["index", "build", "K", "K", "--model", "light"], "berkas"),
        (["index", "build", "K"], "INDEKS belum diberikan"),
        (["index", "add", "I"], "--title"),
        (["index", "add", "I", "K", "--title", "Deteksi Hoaks"], "--title"),
        (["index", "add", "I", "--title", ""], "kosong"),
        (["index", "add", "I", "N"], "Kolom 'Judul' tidak ada"),
        (["index", "add", "tidak-ada", "K"], "Tidak ada indeks"),
        (["index", "remove", "I"], "JUDUL belum diberikan"),
        (["index", "remove", "I", ""], "tidak ada di indeks"),
        (["index", "info", "tidak-ada"], "Tidak ada indeks"),
        (["index", "hapus"], "Pilih: build, add, remove, info. Lihat `judul index --help`"),
    ],
)
def test_wrong_usage_is_refused_with_one_helpful_line(index, write_csv, tmp_path, arguments, expected):
    nameless = tmp_path / "n.csv"
    nameless.write_text("Nama\na\n")
    places = {"I": index, "K": write_csv(TITLES), "N": nameless}
    before = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    assert_refused(judul(*(places.get(argument, argument) for argument in arguments)), expected)
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == before
    assert not (PROJECT / "x-indeks").exists()


def test_without_a_subcommand_the_help_is_shown():
    result = judul("index")
    assert result.returncode == 2
    assert result.stderr.startswith("Cara pakai: judul index")
    assert all(name in result.stderr for name in ("build", "add", "remove", "info"))


def test_an_index_can_be_built_by_several_processes_and_chosen_by_variable(tmp_path, write_csv):
    folder = tmp_path / "indeks"
    built = judul("index", "build", write_csv(TITLES), folder, "--model", "light", "--jobs", 2)
    assert built.returncode == 0, built.stderr
    result = judul("check", QUERY, JUDUL_CORPUS=str(folder))
    assert result.returncode == 0, result.stderr
    assert "Model Ringan, 5 judul" in result.stdout
