"""The panel for JupyterLab without a browser."""

import re
from html import unescape

import pandas as pd
import pytest

from judul_lib.checking.loading import load_checker
from judul_lib.core.config import Config
from judul_lib.search.index import TitleIndex
from judul_lib.widgets import check_panel
from judul_lib.widgets.check_panel import CheckPanel
from tests.conftest import PROJECT

MODELS = PROJECT / "outputs"
TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge dan Lasso"
OTHER = "Deteksi Penyakit Daun Padi dengan Convolutional Neural Network"
ARCHIVE = [
    f"Prediksi Harga {crop} di Kudus" for crop in ("Gula", "Padi", "Tebu", "Teh", "Kopi", "Cabai")
]


@pytest.fixture(scope="module")
def checkers():
    return {name: load_checker(MODELS / name) for name in ("structured", "light")}


@pytest.fixture
def panel(checkers, tmp_path):
    return CheckPanel(checkers, Config(log=False, source=tmp_path / "judul.toml"))


def press_enter(panel):
    panel.title._handle_custom_msg({"event": "submit"}, [])


def upload(panel, name, content):
    panel.file.set_state(
        {"value": [{"name": name, "type": "", "size": len(content), "content": memoryview(content),
                    "last_modified": 1}]}
    )  # fmt: skip


def is_grey(panel):
    return "judul-lama" in panel._dom_classes


def test_a_title_gets_a_verdict_and_the_closest_titles(panel, checkers):
    assert panel.verdict.html == panel.table.value == ""
    panel.title.value = TITLE
    panel.button.click()
    assert f"<bdi>{TITLE}</bdi>" in panel.verdict.html
    assert "judul-mirip" in panel.verdict.html
    assert panel.table.value.count("<tr data-row") == 10
    matches = checkers["structured"].check(TITLE, top_k=1)
    assert re.sub("<.*?>", "", panel.table.value).count(matches.titles[0]) == 1


def test_enter_checks_too(panel):
    panel.title.value = TITLE
    panel.title._handle_custom_msg({"event": "other"}, [])
    assert panel.verdict.html == ""
    press_enter(panel)
    assert "judul-vonis" in panel.verdict.html


def test_the_verdict_is_marked_while_the_field_holds_another_title(panel):
    panel.title.value = OTHER
    assert not is_grey(panel)
    panel.check(TITLE)
    assert not is_grey(panel)
    panel.title.value = OTHER
    assert is_grey(panel)
    assert f"<bdi>{TITLE}</bdi>" in panel.verdict.html
    panel.threshold.value = 0.9
    assert is_grey(panel)
    panel.title.value = TITLE
    assert not is_grey(panel)
    panel.title.value = OTHER
    press_enter(panel)
    assert not is_grey(panel)
    assert f"<bdi>{OTHER}</bdi>" in panel.verdict.html
    assert TITLE not in panel.verdict.html


@pytest.mark.parametrize(
    ("title", "reason"),
    [("", "belum diisi"), ("Hoaks", "terlalu pendek"), ("yang dan 2024", "Tidak ada kata"),
     ("x " * 300, "600 karakter")],
)  # fmt: skip
def test_a_title_that_cannot_be_checked_leaves_no_earlier_verdict(panel, title, reason):
    panel.check(TITLE)
    panel.check(title)
    assert reason in panel.state.html
    assert panel.verdict.html == panel.table.value == ""
    assert not is_grey(panel)
    panel.check(TITLE)
    assert panel.state.html == ""


def test_an_unexpected_error_leaves_no_earlier_verdict(panel, checkers, monkeypatch):
    panel.check(TITLE)
    monkeypatch.setattr(type(checkers["structured"]), "check", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        panel.check(OTHER)
    assert "Pemeriksaan gagal" in panel.state.html
    assert panel.verdict.html == ""


def test_another_threshold_needs_no_new_check_and_changes_no_model(panel, checkers, monkeypatch):
    panel.check(TITLE)
    monkeypatch.setattr(type(checkers["structured"]), "check", lambda *_, **__: pytest.fail("computed"))
    before = panel.verdict.html
    panel.threshold.value = 1.0
    assert "judul-mirip" not in panel.verdict.html
    panel.threshold.value = 0.5
    assert panel.verdict.html == before
    assert checkers["structured"].threshold == 0.5


def test_another_model_answers_for_the_same_title(panel, checkers):
    panel.check(TITLE)
    panel.title.value = OTHER  # Only typed.
    panel.model.value = "light"
    assert f"<bdi>{TITLE}</bdi>" in panel.verdict.html
    assert is_grey(panel)
    best = float(checkers["light"].check(TITLE, top_k=1).probability[0])
    assert f"data-value='{best:.9f}'" in panel.table.value


def test_hostile_titles_are_shown_as_text(panel, checkers, tmp_path):
    hostile = "<img src=x onerror=alert(1)> Prediksi $x$ {n} & <b>Harga</b>"
    panel._own = {name: checker.with_titles([hostile, *ARCHIVE]) for name, checker in checkers.items()}
    panel.check(hostile)
    upload(panel, "a.csv", f'Judul\n"{hostile}"\nPrediksi Harga Gula\n'.encode())
    for html in (panel.verdict.html, panel.table.value, panel.proposals.value):
        assert "<img" not in html
        assert "<b>" not in html
        assert hostile in unescape(re.sub("<.*?>", "", html))
    upload(panel, "<img src=x>.csv", b"")
    assert "<img" not in panel.state.html


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    pd.DataFrame({"Judul": ARCHIVE}).to_csv(folder / "katalog.csv", index=False)
    TitleIndex.build(ARCHIVE, MODELS / "light").save(folder / "index")
    (folder / "rusak.csv").write_text("Nama\nAni\n")
    named = folder / "archives" / "informatika"
    named.mkdir(parents=True)
    (named / "corpus.csv").write_bytes((folder / "katalog.csv").read_bytes())
    corpora = {
        "Katalog": folder / "katalog.csv",
        "Indeks": folder / "index",
        "Rusak": folder / "rusak.csv",
    }
    return Config(log=False, source=folder / "judul.toml", corpora=corpora)


def test_configured_and_named_archives_are_offered_and_used(checkers, archives):
    panel = CheckPanel(checkers, archives)
    own, *others = panel.archive.options
    assert own == panel.archive.value == "arsip bawaan model"
    assert set(others) == {"Katalog", "Indeks", "Rusak", "informatika"}
    panel.check("Prediksi Harga Gula di Kudus")
    for name in ("Katalog", "informatika"):
        panel.archive.value = own
        assert "Harga Gula" not in re.sub("<.*?>", "", panel.table.value)
        panel.archive.value = name
        assert "Prediksi Harga Gula di Kudus" in re.sub("<.*?>", "", panel.table.value)
        assert panel.table.value.count("<tr data-row") == len(ARCHIVE)


def test_an_index_offers_only_its_model_and_the_choice_returns(checkers, archives):
    panel = CheckPanel(checkers, archives)
    panel.check("Prediksi Harga Gula di Kudus")
    panel.archive.value = "Indeks"
    assert panel.model.options == (("Model Ringan", "light"),)
    assert "judul-mirip" in panel.verdict.html
    panel.threshold.value = 0.3
    upload(panel, "a.csv", b"Judul\nPrediksi Harga Gula di Kudus\n")
    assert "ambang 0,3" in panel.state.html
    panel.archive.value = "Katalog"
    assert [name for _, name in panel.model.options] == ["structured", "light"]


def test_an_unusable_archive_is_explained_and_shows_no_verdict(checkers, archives):
    panel = CheckPanel(checkers, archives)
    panel.check(TITLE)
    panel.archive.value = "Rusak"
    assert "Judul" in panel.state.html
    assert "judul-galat" in panel.state.html
    assert panel.verdict.html == panel.table.value == ""
    panel.button.click()
    assert "judul-galat" in panel.state.html
    panel.archive.value = "Katalog"
    assert "judul-vonis" in panel.verdict.html


def test_a_file_of_proposals_gets_a_table_with_the_rows_of_the_file(panel):
    lines = ["Nama,Judul", "A,Deteksi Hoaks Politik", "B,", f"C,{TITLE}", "D,123", f"E,{TITLE.lower()}"]
    upload(panel, "usulan.csv", "\n".join(lines).encode())
    assert re.findall(r"<tr data-row='(\d+)'", panel.proposals.value)[:2] == ["4", "6"]
    assert "baris 6:" in panel.proposals.value
    assert "Dari 5 usulan, 3 diperiksa dan 2 tidak dapat diperiksa" in panel.state.html
    assert "yang dekat dengan usulan lain: 2" in panel.state.html
    assert panel.file.value == ()
    assert panel.progress.value == ""
    panel.threshold.value = 0.7
    assert panel.proposals.value == ""
    assert "Pilihannya berganti" in panel.state.html


def test_a_title_that_is_checked_again_leaves_what_is_said_of_the_file(panel):
    panel.check(TITLE)
    upload(panel, "usulan.csv", f"Judul\n{TITLE}\nDeteksi Hoaks Politik\n".encode())
    panel.model.value = next(value for _, value in panel.model.options if value != panel.model.value)
    assert "Pilihannya berganti" in panel.state.html
    assert "judul-vonis" in panel.verdict.html
    panel.check(TITLE)
    assert panel.state.html == ""


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("a.csv", b"Nama\nAni\n", "Judul"), ("a.csv", b"x" * 5_000_001, "lebih besar dari 5 MB"),
     ("a.xlsx", b"PK\x03\x04" * 9, "a.xlsx")],
)  # fmt: skip
def test_a_file_that_cannot_be_checked_is_explained(panel, name, content, reason):
    upload(panel, "a.csv", b"Judul\nDeteksi Hoaks Politik\n")
    assert panel.proposals.value
    upload(panel, name, content)
    assert "judul-galat" in panel.state.html
    assert reason in panel.state.html
    assert panel.proposals.value == ""


def test_only_the_closest_proposals_of_a_long_file_are_shown(panel, monkeypatch):
    monkeypatch.setattr(check_panel, "MAX_SHOWN_ROWS", 2)
    upload(panel, "a.csv", f"Judul\nDeteksi Hoaks Politik\n123\n{TITLE}\n".encode())
    assert re.findall(r"<tr data-row='(\d+)'", panel.proposals.value)[0] == "4"
    assert panel.proposals.value.count("<tr data-row") == 2
    assert "Ditampilkan 2 usulan" in panel.state.html
