"""Sheets show what was found, as text, and are sealed."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.governance.seal import SEAL_MARK, SealState, check_seal, seal
from judul_lib.web.sheets import SheetFacts, SheetRow, file_sheet, sheet_name

FACTS = SheetFacts("TA (3 judul)", "Model Terstruktur", 0.5, datetime(2026, 1, 2, 20), "usulan <b>.xlsx")
KEY = b"k" * 32


def test_a_file_has_a_row_each_and_its_counts():
    rows = [
        SheetRow(2, "Hama Padi", "MIRIP", 0.91, "Hama Jagung", "Siti, 2020", "objek", "Budi (123)"),
        SheetRow(3, "", "TIDAK DIPERIKSA", None),
    ]
    text = file_sheet(rows, FACTS, KEY).decode()
    for shown in (
        "Budi (123)",
        "Siti, 2020",
        "0,91",
        "MIRIP: 1; TIDAK DIPERIKSA: 1",
        "03-01-2026 03:00 WIB",
    ):
        assert shown in text
    assert "usulan &lt;b&gt;.xlsx" in text


@given(title=st.text(max_size=60), reason=st.text(max_size=30))
def test_titles_are_text_and_do_not_break_the_seal(title, reason):
    row = SheetRow(1, f"{title}</td><script>{SEAL_MARK}", "MIRIP", 0.5, title, title, reason, title)
    sheet = file_sheet([row], FACTS, KEY)
    assert b"<script" not in sheet
    assert check_seal(sheet.decode(), KEY) is SealState.UNCHANGED


def test_a_sheet_needs_no_other_file():
    text = file_sheet([SheetRow(1, "Hama", "MIRIP", 0.5)], FACTS, KEY).decode()
    assert not re.search(r"<(script|img|link|iframe)|\b(src|href)=|url\(|@import", text)


SHEET = seal(f'<p>Hama Padi: TIDAK MIRIP</p> <code id="sidik">{SEAL_MARK}</code> <p>akhir</p>', KEY)


@given(data=st.data())
def test_each_changed_letter_is_told(data):
    place = data.draw(st.integers(0, len(SHEET) - 1))
    letter = data.draw(st.characters(categories=["L", "N", "P"]))
    changed = SHEET[:place] + letter + SHEET[place + 1 :]
    expected = changed == SHEET
    assert (check_seal(changed, KEY) is SealState.UNCHANGED) == expected
    assert check_seal(SHEET[:place] + letter + SHEET[place:], KEY) is not SealState.UNCHANGED


def test_another_key_and_a_second_seal_are_told():
    assert check_seal(SHEET, b"x") is SealState.CHANGED
    assert check_seal(SHEET + SHEET, KEY) is SealState.CHANGED
    assert check_seal(SHEET.replace("\n", " "), KEY) is SealState.UNCHANGED


@pytest.mark.parametrize("html", ["", "<p></p>", f'<code id="sidik">{SEAL_MARK}</code>' * 2])
def test_only_one_place_can_be_sealed(html):
    with pytest.raises(ValueError, match="exactly one"):
        seal(html, KEY)


def test_file_names_are_plain():
    assert re.fullmatch(r"lembar_2026-01-03_judul\.html", sheet_name('"\r\n../\u202e', FACTS))
