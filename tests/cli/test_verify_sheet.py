"""``judul verify-sheet`` tells an untouched sheet from a changed one."""

from datetime import datetime

import pytest

from judul_lib.core.pseudonyms import log_key
from judul_lib.web.sheets import SheetFacts, SheetRow, file_sheet
from tests.conftest import assert_refused, judul

ROW = SheetRow(2, "Deteksi Hoaks", "TIDAK MIRIP", 0.1, "Deteksi Spam", reason="tugas sama: deteksi")


@pytest.fixture
def outputs(tmp_path):
    (tmp_path / "outputs" / "logs").mkdir(parents=True)
    return tmp_path / "outputs"


@pytest.fixture
def sheet(outputs, tmp_path):
    facts = SheetFacts("TA (3 judul)", "Model Terstruktur", 0.5, datetime(2026, 1, 2), "usulan.xlsx")
    path = tmp_path / "lembar.html"
    path.write_bytes(file_sheet([ROW], facts, log_key(outputs / "logs")))
    return path


def test_an_untouched_sheet_is_whole(sheet, outputs):
    result = judul("verify-sheet", sheet, "--models", outputs)
    assert (result.returncode, result.stdout.split(":")[0]) == (0, "lembar.html utuh")


def test_other_line_ends_do_not_count(sheet, outputs):
    sheet.write_bytes(b"\xef\xbb\xbf" + sheet.read_bytes().replace(b"\n", b"\r\n"))
    assert judul("verify-sheet", sheet, "--models", outputs).returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TIDAK MIRIP", "MIRIP"),
        ("Hoaks", "Hoaxs"),
        ("</body>", "<p hidden>Diterima</p></body>"),
        ("</body>", "<script>document.body.textContent = 'MIRIP'</script></body>"),
        ("color: #111", "color: #fff"),
        ('<code id="sidik">', '<code id="sidik">0'),
    ],
)
def test_any_change_is_told(sheet, outputs, old, new):
    text = sheet.read_text()
    assert old in text
    sheet.write_text(text.replace(old, new, 1))
    result = judul("verify-sheet", sheet, "--models", outputs)
    assert result.returncode == 1
    assert "TIDAK utuh" in result.stderr or "bukan lembar" in result.stderr


def test_a_sheet_of_another_installation_is_told(sheet, tmp_path):
    log_key(tmp_path / "other" / "logs")
    result = judul("verify-sheet", sheet, "--models", tmp_path / "other")
    assert (result.returncode, "dibuat di komputer lain" in result.stderr) == (1, True)


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\xff\xfe\x00", b"PK\x03\x04"])
def test_another_file_is_no_sheet(tmp_path, outputs, content):
    log_key(outputs / "logs")
    (tmp_path / "a.html").write_bytes(content)
    result = judul("verify-sheet", tmp_path / "a.html", "--models", outputs)
    assert (result.returncode, "bukan lembar" in result.stderr) == (1, True)


def test_without_key_or_file_nothing_is_claimed(tmp_path, outputs):
    (tmp_path / "a.html").write_text("x")
    assert_refused(judul("verify-sheet", tmp_path / "a.html", "--models", outputs), "Kunci sidik")
    assert_refused(judul("verify-sheet", tmp_path / "none.html", "--models", outputs))
    assert not (outputs / "logs" / "log.key").exists()
