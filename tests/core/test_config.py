import re
import shutil
from pathlib import Path

import pytest

from judul_lib.core.config import Config, find_config, load_config
from judul_lib.core.errors import ConfigError, CorpusError, IndexFileError, ModelError, ServeError
from judul_lib.search.index import TitleIndex
from judul_lib.web.serving import check_config
from tests.conftest import PROJECT, assert_refused, judul, judul_process


def write(folder: Path, text: str) -> Path:
    path = folder / "judul.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_of_the_project_states_the_defaults():
    config = load_config(PROJECT / "judul.toml", {})
    assert config == Config(models=PROJECT / "outputs", source=PROJECT / "judul.toml")


def test_paths_are_taken_from_the_files_folder(tmp_path):
    path = write(tmp_path, 'models = "m"\n[corpora]\n"Arsip A" = "a.csv"\nB = "/b.xlsx"\n')
    config = load_config(path, {})
    assert config.models == tmp_path / "m"
    assert config.corpora == {"Arsip A": tmp_path / "a.csv", "B": Path("/b.xlsx")}


def test_the_environment_wins_over_the_file_and_an_option_over_both(tmp_path):
    path = write(tmp_path, "port = 9001\nthreshold = 0.4\ntop_k = 20\n")
    environment = {"JUDUL_PORT": "9002", "JUDUL_THRESHOLD": "0.7", "JUDUL_CORPUS": "x/arsip.csv"}
    config = load_config(path, environment, port=9003)
    assert (config.port, config.threshold, config.top_k) == (9003, 0.7, 20)
    assert config.corpora == {"arsip": tmp_path / "x" / "arsip.csv"}


def test_the_variable_for_the_models_counts_without_a_file_too(trained, tmp_path):
    package = tmp_path / "site" / "judul_lib"
    shutil.copytree(PROJECT / "judul_lib", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(trained.folder, tmp_path / "models" / "light")
    shown = judul_process(
        "models", "list", cwd=tmp_path, PYTHONPATH=str(package.parent), JUDUL_MODELS="models"
    )
    assert "light" in shown.stdout, shown.stderr


def test_the_nearest_file_upwards_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("JUDUL_CONFIG", raising=False)
    path = write(tmp_path, "")
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_config(tmp_path / "a" / "b") == path.resolve()
    monkeypatch.setenv("JUDUL_CONFIG", "/there.toml")
    assert find_config() == Path("/there.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tresold = 1", "kunci 'tresold' tidak dikenal. Yang ada: models"),
        ("threshold = 1.5", "threshold: nilai '1.5' tidak dapat dipakai. Berikan bilangan 0 sampai 1"),
        ("threshold = true", "threshold tidak dapat dipakai"),
        ("threshold = nan", "threshold: nilai 'nan' tidak dapat dipakai"),
        ("port = 0", "bilangan bulat 1 sampai 65535"),
        ('port = "https"', "bilangan bulat"),
        ("top_k = 4", "5 sampai 50"),
        ("max_upload_mb = -1", "max_upload_mb"),
        ('elsewhere = "mungkin"', "Pilih: mirip, tidak, tanyakan"),
        ('host = "a b"', "host"),
        ("models = [1]", "models tidak dapat dipakai"),
        ('corpora = "a.csv"', "[corpora] harus berupa"),
        ("[corpora]\nA = 1", "[corpora] harus berupa"),
        ('token = "x"', "JUDUL_TOKEN"),
        ("port = ", "bukan TOML"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, text, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_config(write(tmp_path, text), {})


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(ConfigError, match="tidak ada"):
        load_config(tmp_path / "none.toml", {})
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="bukan TOML"):
        load_config(path, {})


def test_the_token_is_not_shown():
    assert "rahasia" not in repr(load_config(PROJECT / "judul.toml", {"JUDUL_TOKEN": "rahasia"}))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_an_open_page_needs_a_token(host):
    with pytest.raises(ServeError, match="dilindungi token"):
        check_config(Config(models=PROJECT / "outputs", host=host))


def test_a_taken_port_is_named():
    import socket

    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"localhost:{port}"):
            check_config(Config(models=PROJECT / "outputs", port=port))


def test_what_the_page_would_need_is_looked_at_before_it_starts(tmp_path):
    with pytest.raises(ModelError):
        check_config(Config(models=tmp_path))
    with pytest.raises(CorpusError, match=r"arsip\.csv"):
        check_config(Config(models=PROJECT / "outputs", corpora={"A": tmp_path / "arsip.csv"}))
    with pytest.raises(IndexFileError, match="judul index build"):
        check_config(Config(models=PROJECT / "outputs", corpora={"A": tmp_path}))


def test_the_commands_refuse_with_one_line(tmp_path):
    path = write(tmp_path, "tresold = 1")
    assert_refused(judul("app", JUDUL_CONFIG=str(path)), "tresold")
    assert_refused(judul("check", "Prediksi Harga", JUDUL_CONFIG=str(path)), "tresold")
    assert_refused(judul("app", "--host", "0.0.0.0"), "token")
    assert_refused(judul("app", JUDUL_PORT="x"), "JUDUL_PORT")


def test_a_folder_among_the_archives_is_an_index(tmp_path):
    models, folder = PROJECT / "outputs", tmp_path / "katalog"
    TitleIndex.build(["Prediksi Harga Gula di Kudus"], models / "light").save(folder)
    path = write(tmp_path, f'models = "{models}"\n[corpora]\n"Katalog" = "katalog"\n')
    told = judul("check", "Prediksi Harga Gula Kudus", JUDUL_CONFIG=str(path))
    assert told.returncode == 0, told.stderr
    assert "Model Ringan, 1 judul" in told.stdout
    refused = judul("check", "Prediksi Harga Gula", "--model", "structured", JUDUL_CONFIG=str(path))
    assert_refused(refused, "dibangun dengan model light, bukan structured")
    (folder / "index.json").write_text("{")
    assert_refused(judul("app", JUDUL_CONFIG=str(path)), "rusak", "judul index build")


def test_a_check_takes_threshold_and_archive_from_the_file(tmp_path, write_csv):
    corpus = write_csv(["Prediksi Harga Gula di Kudus", "Deteksi Hoaks Politik"])
    path = write(
        tmp_path, f'models = "{PROJECT / "outputs"}"\nthreshold = 0.999\n[corpora]\nA = "{corpus}"\n'
    )
    told = judul("check", "Prediksi Harga Gula Kudus", JUDUL_CONFIG=str(path))
    assert told.returncode == 0, told.stderr
    assert "ambang 1,00" in told.stdout
    assert "2 judul" in told.stdout


def test_switches_and_shares_of_an_ab_test(tmp_path):
    path = tmp_path / "judul.toml"
    path.write_text("log_text = true\n[ab_test]\nfull = 1\nlight = 3\n")
    config = load_config(path, {"JUDUL_LOG": "false"})
    assert (config.log, config.log_text) == (False, True)
    assert config.ab_test == {"full": 0.25, "light": 0.75}
    for text in ("log = 1", "log = 'ya'", "[ab_test]\nx = 1", "[ab_test]\nfull = 0", "ab_test = 3"):
        path.write_text(text)
        with pytest.raises(ConfigError):
            load_config(path, {})
    path.write_text("threshold = true")
    with pytest.raises(ConfigError):
        load_config(path, {})
