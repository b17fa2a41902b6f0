import re
import shutil
import socket
from pathlib import Path

import pytest

from judul_lib.core.config import Config, find_config, load_config
from judul_lib.core.errors import ConfigError, CorpusError, IndexFileError, ModelError, ServeError
from judul_lib.search.index import TitleIndex
from judul_lib.web.server import check_config
from tests.conftest import PROJECT, assert_refused, judul, judul_process


def write(folder: Path, text: str) -> Path:
    path = folder / "judul.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_project_file_contains_the_defaults():
    config = load_config(PROJECT / "judul.toml", {})
    assert config == Config(models=PROJECT / "outputs", source=PROJECT / "judul.toml")


def test_relative_paths_start_from_the_files_folder(tmp_path):
    path = write(tmp_path, 'models = "m"\n[corpora]\n"Arsip A" = "a.csv"\nB = "/b.xlsx"\n')
    config = load_config(path, {})
    assert config.models == tmp_path / "m"
    assert config.corpora == {"Arsip A": tmp_path / "a.csv", "B": Path("/b.xlsx")}


def test_environment_overrides_the_file_and_options_override_both(tmp_path):
    path = write(tmp_path, "port = 9001\nthreshold = 0.4\ntop_k = 20\n")
    environment = {"JUDUL_PORT": "9002", "JUDUL_THRESHOLD": "0.7", "JUDUL_CORPUS": "x/arsip.csv"}
    config = load_config(path, environment, port=9003)
    assert (config.port, config.threshold, config.top_k) == (9003, 0.7, 20)
    assert config.corpora == {"arsip": tmp_path / "x" / "arsip.csv"}


def test_models_variable_works_without_a_file(trained, tmp_path):
    package = tmp_path / "site" / "judul_lib"
    shutil.copytree(PROJECT / "judul_lib", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(trained.folder, tmp_path / "models" / "light")
    result = judul_process(
        "models", "list", cwd=tmp_path, PYTHONPATH=str(package.parent), JUDUL_MODELS="models"
    )
    assert "light" in result.stdout, result.stderr


def test_nearest_file_upwards_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("JUDUL_CONFIG", raising=False)
    path = write(tmp_path, "")
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_config(tmp_path / "a" / "b") == path.resolve()
    monkeypatch.setenv("JUDUL_CONFIG", "/there.toml")
    assert find_config() == Path("/there.toml")


@pytest.mark.parametrize(
    ("text", "message"),
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
        ("log = 1", "log tidak dapat dipakai"),
        ("log = 'ya'", "log tidak dapat dipakai"),
        ("[ab_test]\nx = 1", "[ab_test] harus berupa"),
        ("[ab_test]\nfull = 0", "[ab_test] harus berupa"),
        ("ab_test = 3", "[ab_test] harus berupa"),
    ],
)
def test_invalid_keys_and_values_are_reported(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_config(write(tmp_path, text), {})


def test_missing_or_binary_file_is_reported(tmp_path):
    with pytest.raises(ConfigError, match="tidak ada"):
        load_config(tmp_path / "none.toml", {})
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="bukan TOML"):
        load_config(path, {})


def test_repr_hides_the_token():
    assert "rahasia" not in repr(load_config(PROJECT / "judul.toml", {"JUDUL_TOKEN": "rahasia"}))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_page_beyond_loopback_needs_a_token(host):
    with pytest.raises(ServeError, match="harus dilindungi"):
        check_config(Config(models=PROJECT / "outputs", host=host))


def test_port_in_use_is_reported():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ServeError, match=f"localhost:{port}"):
            check_config(Config(models=PROJECT / "outputs", port=port))


def test_models_and_corpora_are_checked_before_the_page_starts(tmp_path):
    with pytest.raises(ModelError):
        check_config(Config(models=tmp_path))
    with pytest.raises(CorpusError, match=r"arsip\.csv"):
        check_config(Config(models=PROJECT / "outputs", corpora={"A": tmp_path / "arsip.csv"}))
    with pytest.raises(IndexFileError, match="judul index build"):
        check_config(Config(models=PROJECT / "outputs", corpora={"A": tmp_path}))


def test_commands_refuse_invalid_settings_in_one_line(tmp_path):
    path = write(tmp_path, "tresold = 1")
    assert_refused(judul("app", JUDUL_CONFIG=str(path)), "tresold")
    assert_refused(judul("check", "Prediksi Harga", JUDUL_CONFIG=str(path)), "tresold")
    assert_refused(judul("app", "--host", "0.0.0.0"), "TOKEN")
    assert_refused(judul("app", JUDUL_PORT="x"), "JUDUL_PORT")


def test_folder_in_corpora_is_an_index(tmp_path):
    models, folder = PROJECT / "outputs", tmp_path / "katalog"
    TitleIndex.build(["Prediksi Harga Gula di Kudus"], models / "light").save(folder)
    path = write(tmp_path, f'models = "{models}"\n[corpora]\n"Katalog" = "katalog"\n')
    result = judul("check", "Prediksi Harga Gula Kudus", JUDUL_CONFIG=str(path))
    assert result.returncode == 0, result.stderr
    assert "Model Ringan, 1 judul" in result.stdout
    refused = judul("check", "Prediksi Harga Gula", "--model", "structured", JUDUL_CONFIG=str(path))
    assert_refused(refused, "dibangun dengan model light, bukan structured")
    (folder / "index.json").write_text("{")
    assert_refused(judul("app", JUDUL_CONFIG=str(path)), "rusak", "judul index build")


def test_check_uses_threshold_and_corpus_of_the_file(tmp_path, write_csv):
    corpus = write_csv(["Prediksi Harga Gula di Kudus", "Deteksi Hoaks Politik"])
    path = write(
        tmp_path, f'models = "{PROJECT / "outputs"}"\nthreshold = 0.999\n[corpora]\nA = "{corpus}"\n'
    )
    result = judul("check", "Prediksi Harga Gula Kudus", JUDUL_CONFIG=str(path))
    assert result.returncode == 0, result.stderr
    assert "ambang 1,00" in result.stdout
    assert "2 judul" in result.stdout


def test_switches_and_ab_test_shares_are_read(tmp_path):
    path = write(tmp_path, "log_text = true\n[ab_test]\nfull = 1\nlight = 3\n")
    config = load_config(path, {"JUDUL_LOG": "false"})
    assert (config.log, config.log_text) == (False, True)
    assert config.ab_test == {"full": 0.25, "light": 0.75}
