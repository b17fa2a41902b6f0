"""Workbooks: the quick way of reading gives what a plain one gives; no small file fills the memory."""

import gc
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from judul_lib.core import packages, tables
from judul_lib.core.columns import normalize_name
from judul_lib.core.delimited import Row
from judul_lib.core.errors import CorpusError
from judul_lib.core.tables import COLUMN_COUNT_MISMATCH, parse_titles
from judul_lib.core.workbooks import OLE, ZIP, read_workbook
from tests.core.test_tables import REAL_KINDS, TITLES, _replaced, book, saved
from tests.nasty_files import NASTY

FILES = {
    **REAL_KINDS,
    **{nasty.name: nasty.content() for nasty in NASTY},
    "values of all kinds": saved(
        book(
            S=[
                [None, "Judul", "Tahun", "Angka"],
                [None, TITLES[0], 2020.0, 1e22],
                [True, TITLES[1], "2021", -0.5],
                [None, 1, 0.1, 1],
                [None, "judul ", "Tahun", "Angka"],
                ["Jumlah: 3", None, None, None],
            ]
        )
    ),
}
WORKBOOKS = {name: content for name, content in FILES.items() if content.startswith((ZIP, OLE))}


def plain_text(value):
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def plain_sheets(content):
    """Read a workbook cell by cell; yield name, lines of text, and whether it is visible."""
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    for metadata in sorted(
        workbook.sheets_metadata, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible
    ):
        sheet = workbook.get_sheet_by_name(metadata.name)
        lines = [list(map(plain_text, row)) for row in sheet.to_python(skip_empty_area=False)]
        for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
            for line in lines[top + 1 : bottom + 1]:
                if column < len(line):
                    line[column] = line[column] or lines[top][column]
        while lines and not "".join(lines[-1]).strip():
            lines.pop()
        width = max((i + 1 for line in lines for i, cell in enumerate(line) if cell.strip()), default=0)
        yield (
            metadata.name,
            [line[:width] for line in lines],
            metadata.visible == SheetVisibleEnum.Visible,
        )


@pytest.mark.parametrize("name", WORKBOOKS)
def test_sheets_are_those_of_a_plain_reading(name):
    try:
        sheets = list(read_workbook(WORKBOOKS[name], "a.xlsx"))
    except CorpusError:
        assert not [nasty for nasty in NASTY if nasty.name == name and not nasty.refused]
        return
    read = [(sheet.name, [row.cells for row in sheet.rows], sheet.is_visible) for sheet in sheets]
    assert read == list(plain_sheets(WORKBOOKS[name]))
    assert all(type(cell) is str for _, lines, _ in read for line in lines for cell in line)
    assert not any(row.fault for sheet in sheets for row in sheet.rows)
    assert gc.isenabled()


def plain_mark(table):
    """Look at each row of a table for captions, sums and repeated headers."""
    names = [normalize_name(cell) for cell in table.header]
    rows = []
    for position, row in enumerate(table.rows):
        fault, filled = row.fault, [cell for cell in row.cells if cell != ""]
        is_caption = position >= len(table.rows) - 20 or len(names) > 1
        text = " ".join(" ".join(row.cells).split())
        column = table.titles[0]
        if (
            len(row.cells) > max(column, 1)
            and row.cells[column].casefold() == table.header[column].casefold()
            and [normalize_name(cell) for cell in row.cells] == names
        ):
            fault = "pengulangan judul kolom"
        elif len(filled) <= 2 and is_caption and tables._FOOTER.fullmatch(text):
            fault = f"bukan judul: {text[:60]}"
        rows.append(Row(row.cells, fault))
    return rows


def plain_fit(row, width, separator):
    """Fit any row to a width, whether it has that width already or not."""
    cells = row.cells
    if row.fault:
        return row
    if width == 1 and len(cells) > 1 and separator:
        return Row([separator.join(cells)])
    if not cells:
        return Row([""] * width)
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return Row(cells, "" if len(cells) == width else COLUMN_COUNT_MISMATCH)


@pytest.mark.parametrize("name", FILES)
def test_rows_are_those_of_a_plain_reading(name, monkeypatch):
    seen = []
    quick_table, quick_mark = tables._table, tables._mark_captions

    def compare_table(sheet, header, start, *rest):
        result = quick_table(sheet, header, start, *rest)
        expected = [plain_fit(row, len(header), sheet.separator) for row in sheet.rows[start:]]
        seen.append((result.rows, expected))
        return result

    def compare_mark(table):
        expected, result = plain_mark(table), quick_mark(table)
        seen.append((result.rows, expected))
        return result

    monkeypatch.setattr(tables, "_table", compare_table)
    monkeypatch.setattr(tables, "_mark_captions", compare_mark)
    try:
        parse_titles(FILES[name], "a")
    except CorpusError:
        assert name not in REAL_KINDS
    assert all(result == expected for result, expected in seen)
    assert seen or name not in REAL_KINDS


def test_search_for_garbage_goes_on_after_a_damaged_sheet():
    def cut(xml):
        return xml[: len(xml) // 2]

    content = _replaced(saved(book(S=[["Judul"], [TITLES[0]]])), "xl/worksheets/sheet1.xml", cut)
    with pytest.raises(CorpusError):
        list(read_workbook(content, "a.xlsx"))
    assert gc.isenabled()
    gc.disable()
    try:
        list(read_workbook(saved(book(S=[["Judul"]])), "a.xlsx"))
        assert not gc.isenabled()
    finally:
        gc.enable()


# How large a sheet is.

FAR_CELLS = {
    "in a near row": '<row r="3"><c r="XFD999999"><v>1</v></c></row>',
    "in small letters": '<row r="3"><c r="xfd99999"><v>1</v></c></row>',
    "with blanks": '<row r="3"><c  r = "XFD99999"><v>1</v></c></row>',
    "with zeros": '<row r="3"><c r="XFD00099999"><v>1</v></c></row>',
    "after another attribute": '<row r="3"><c t="n" r="XFD99999"><v>1</v></c></row>',
    "behind a sign": "<row r='3'><c t='>' r='XFD99999'><v>1</v></c></row>",
    "behind a false place": "<row r='3'><c t=\" r='A1'\" r='XFD99999'><v>1</v></c></row>",
    "with a prefix": '<x:row r="3"><x:c r="XFD99999"><x:v>1</x:v></x:c></x:row>',
    "without a place": '<row r="99999">' + "<c><v>1</v></c>" * 3_000 + "</row>",
    "in rows without a place": f"<row>{'<c><v>1</v></c>' * 9_000}</row>" + "<row><c/></row>" * 9_000,
    "in a row with blanks": '<row r = "99999"><c r="XFD3"/><c><v>1</v></c></row>',
}


def with_xml(xml, n_plain_rows=0, part="xl/worksheets/sheet1.xml"):
    """Return a workbook with rows as Excel writes them, and then the given ones."""
    plain = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(3, n_plain_rows))

    def extend(old):
        return old.replace(b"</sheetData>", (plain + xml).encode() + b"</sheetData>")

    return _replaced(saved(book(S=[["Judul"], [TITLES[0]]])), part, extend)


@pytest.mark.parametrize("n_plain_rows", [0, 50_000])
@pytest.mark.parametrize("name", FAR_CELLS)
def test_far_cell_is_refused_however_it_is_written(name, n_plain_rows):
    with pytest.raises(CorpusError, match="terlalu besar"):
        list(read_workbook(with_xml(FAR_CELLS[name], n_plain_rows), "a.xlsx"))


def test_far_cell_of_a_sheet_with_a_strange_name_is_refused():
    content, stream = with_xml(FAR_CELLS["in a near row"]), io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w") as new,
    ):
        for name in old.namelist():
            data = old.read(name).replace(b"worksheets/sheet1.xml", b"media/image.png")
            new.writestr(name.replace("worksheets/sheet1.xml", "media/image.png"), data)
    with pytest.raises(CorpusError, match="terlalu besar"):
        list(read_workbook(stream.getvalue(), "a.xlsx"))


def test_sheet_whose_cells_have_no_places_is_read():
    rows = "<row><c><v>5</v></c><c><v>6</v></c></row>" * 2
    (sheet,) = read_workbook(with_xml(rows), "a.xlsx")
    assert [row.cells for row in sheet.rows[-2:]] == [["5", "6"]] * 2


def test_extent_is_that_of_the_cells():
    xml = (
        b'<sheetData><row r="7" spans="1:3"><c r="AB7" t="s"><v>1</v></c><c r="C12"/></row></sheetData>'
    )
    padded = xml + b"<pageMargins/></worksheet>" * 3
    assert packages._plain_extent(padded) == packages._extent(padded) == (12, 28)


_PIECES = st.one_of(
    st.builds(
        lambda tag, name, letters, number, end: f"<{tag}{name}{letters}{number}{end}",
        st.sampled_from(["c", "row", "x:c", "x:row", "col", "rowBreaks", "v:c", "t:row"]),
        st.sampled_from([' r="', " r='", ' r = "', ' t="n" r="', ' q="']),
        st.sampled_from(["", "A", "Z", "AA", "XFD", "b", "ABCD"]),
        st.sampled_from(["", "1", "27", "0", "0009", "1048576", "99999999", "123456789"]),
        st.sampled_from(['">', '"/>', "'>", '" s="1">']),
    ),
    st.sampled_from(["<c>", "<c/>", "<row>", "<v>7</v>", "<is><t>a</t></is>", "</c>", "</row>", "x"]),
)


@given(st.lists(_PIECES, max_size=12), st.sampled_from([16, 40, 1 << 20]))
def test_quick_extent_is_none_or_that_of_a_walk_over_the_tags(pieces, chunk):
    xml = "".join(["<sheetData>", *pieces, "</sheetData>", "</worksheet>"]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "_CHUNK", chunk)
        quick = packages._plain_extent(xml)
    assert quick in (None, packages._extent(xml))


def test_count_of_endless_cells_is_broken_off(monkeypatch):
    monkeypatch.setattr(packages, "_MAX_AREA", 1_000)
    with pytest.raises(CorpusError, match="terlalu besar"):
        list(read_workbook(with_xml("<row>" + "<c/>" * 2_000 + "</row>"), "a.xlsx"))
