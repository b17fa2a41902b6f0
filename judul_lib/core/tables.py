"""Read a table in any form that programs and campuses save: the one way from a file to its rows."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from judul_lib.core.columns import (
    TITLE_COLUMN,
    continues_header,
    find_titles,
    header_score,
    normalize_name,
)
from judul_lib.core.delimited import Row, Warn
from judul_lib.core.errors import ColumnChoiceError, CorpusError, MissingChoiceError, SheetChoiceError
from judul_lib.core.sheets import (
    MAX_HEADER_ROW,
    MIN_TITLE_SHARE,
    looks_like_title,
    read_sheets,
    too_many_rows,
)
from judul_lib.core.workbooks import Sheet

COLUMN_COUNT_MISMATCH = "jumlah kolom tidak sama dengan judul kolom"
"""Reason for rejecting a row with more or fewer fields than the header."""
SHEET_COLUMN = "Lembar"
"""Column that is added where sheets are read together: the name of the row's sheet."""
_FOOTER_ROWS, _FOOTER_CELLS = 20, 2
_FOOTER = re.compile(
    r"(jumlah|total|sub ?total|grand total)( (judul|data|skripsi|mahasiswa|baris|keseluruhan|semua))*"
    r"\s*[:=]?\s*[\d.,]*( (judul|data|skripsi|mahasiswa|baris))?"
    r"|(dicetak|diunduh|diekspor|dihasilkan|dibuat|generated|printed|exported)"
    r"(\s*:.*| (dari|pada|oleh|tanggal|from|on|by|at)\b.*)|(sumber|keterangan|catatan|source)\s*:.*"
    r"|(halaman|page|hal)\.? \d+.*|(tahun|angkatan|periode|semester) [\d/ -]+|mengetahui[,:]?.*",
    re.IGNORECASE,
)
_NO_TITLE, _REPEATED_HEADER = "bukan judul: ", "pengulangan judul kolom"


@dataclass(frozen=True)
class Table:
    """A header and the rows below it.

    Attributes
    ----------
    header : list of str
    rows : list of Row
        Those with a fault have any number of cells, the others as many as the header.
    first_row : int
        Number of the first row in the file, that of its first row being 1.
    titles : tuple of int
        Columns that give a row's title, the preferred one first; empty if none was looked for.
    n_above : int
        Number of rows with text above the header.
    sheets : tuple of (str, int, int)
        Of sheets read together: name, number of the first row below the header, number of rows.
    """

    header: list[str]
    rows: list[Row]
    first_row: int = 2
    titles: tuple[int, ...] = ()
    n_above: int = 0
    sheets: tuple[tuple[str, int, int], ...] = ()

    def row_name(self, position: int) -> str:
        """Return how people find the row at a position (from 0): its number, and its sheet.

        Examples
        --------
        >>> Table([], [], 2).row_name(3), Table([], [], 2, sheets=(("A", 2, 3), ("B", 4, 9))).row_name(3)
        ('baris 5', "lembar 'B' baris 4")
        """
        rest = position
        for name, first_row, n_rows in self.sheets:
            if rest < n_rows:
                return f"lembar '{name}' baris {first_row + rest}"
            rest -= n_rows
        return f"baris {self.first_row + position}"

    def title(self, row: Row) -> str:
        """Return the title of a row as typed; of a row with a fault, what is known of it."""
        cells = (row.cells[column].strip() for column in self.titles if column < len(row.cells))
        title = next(filter(None, cells), "")
        return title or (row.cells[0] if row.fault and len(row.cells) == 1 else "")


def find_column(header: list[str], name: str, file_name: str) -> int:
    """Return the position of a column, ignoring case and blanks around its name.

    Raises
    ------
    CorpusError
        The column is missing or occurs twice.

    Examples
    --------
    >>> find_column(["No", " JUDUL "], "Judul", "a.csv")
    1
    """
    columns = [i for i, cell in enumerate(header) if cell.strip().casefold() == name.casefold()]
    if len(columns) == 1:
        return columns[0]
    if columns:
        raise CorpusError(f"Kolom '{name}' ada {len(columns)} kali di {file_name}. Sisakan satu saja.")
    existing = _quoted(cell[:40] for cell in header[:8])
    content = "judul" if name.startswith(TITLE_COLUMN.lower()) else name
    raise CorpusError(
        f"Kolom '{name}' tidak ada di {file_name} (yang ada: {existing}). "
        f"Beri nama '{name}' pada kolom yang berisi {content.lower()}."
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def unique_names(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Append numbers to names that repeat or are taken.

    Examples
    --------
    >>> unique_names(["x", "x", "rf_label"], ["rf_label"])
    ['x', 'x_2', 'rf_label_2']
    """
    used, result = set(taken), list[str]()
    for name in names:
        unique, n = name, 2
        while unique in used:
            unique, n = f"{name}_{n}", n + 1
        used.add(unique)
        result.append(unique)
    return result


def parse_table(
    content: bytes,
    file_name: str,
    *,
    max_rows: int | None = None,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
) -> Table:
    r"""Split the bytes of a table into its header, the first row that is not empty, and the rows below.

    In a CSV of one column, unquoted separators are part of the field. Of a
    workbook, the first sheet that is not empty is read; a hidden one only if it is named or alone.

    Parameters
    ----------
    file_name : str
        For error messages.
    max_rows : int
        More rows than this are an error.
    warn : callable
        See `judul_lib.core.delimited.Warn`: a guessed encoding, sheets not read, cells of several lines.
    sheet : str
        Name of the sheet that the user has chosen.

    Returns
    -------
    Table

    Raises
    ------
    MissingChoiceError
        The chosen sheet does not exist.
    CorpusError
        Empty, binary, too long, or not a table.

    Examples
    --------
    >>> table = parse_table(b"No;Judul\n1;Deteksi Hoaks\n", "a.csv")
    >>> table.header, table.rows[0].cells
    (['No', 'Judul'], ['1', 'Deteksi Hoaks'])
    """
    sheets = read_sheets(content, file_name, max_rows, warn)
    chosen = _chosen_sheets(sheets, file_name, sheet)[0]
    if others := [other for other in sheets if other is not chosen]:
        warn(
            f"Catatan: dari {file_name} hanya {_describe_sheets([chosen])} yang dibaca; "
            f"{_describe_sheets(others)} tidak."
        )
    start = next(i for i, row in enumerate(chosen.rows) if any(map(str.strip, row.cells)))
    return _table(chosen, chosen.rows[start].cells, start + 1, file_name, max_rows)


def parse_titles(
    content: bytes,
    file_name: str,
    *,
    max_rows: int | None = None,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> Table:
    r"""Split the bytes of a file of titles into header and rows; see `parse_table`.

    The header is looked for in the first 20 rows by the names of its columns,
    also in two rows that belong together. A file without one is read if
    exactly one of its columns holds titles. Sheets with one header are read
    together, hidden ones only if named or alone. Captions below the table are rows with a fault.

    Parameters
    ----------
    sheet, column : str
        What the user has chosen: the name of a sheet; the name or number (from 1) of the
        column of titles.

    Raises
    ------
    ColumnChoiceError, SheetChoiceError
        Several columns or sheets could be meant.
    CorpusError
        As `parse_table` does, or no column holds titles.

    Examples
    --------
    >>> table = parse_titles(b"DAFTAR\n\nNo;Judul Skripsi*\n1;Deteksi Hoaks\nJumlah: 1\n", "a.csv")
    >>> table.header, table.titles, table.first_row, [row.fault for row in table.rows]
    (['No', 'Judul Skripsi*'], (1,), 4, ['', 'bukan judul: Jumlah: 1'])
    """
    sheets = read_sheets(content, file_name, max_rows, warn)
    chosen = _chosen_sheets(sheets, file_name, sheet)
    tables = {s.name: _find_table(s, file_name, column, max_rows) for s in chosen}
    found = {name: table for name, table in tables.items() if table is not None}
    if not found:
        found = {chosen[0].name: _table_without_header(chosen[0], file_name, column, max_rows)}
        warn(f"Catatan: {file_name} tidak mempunyai baris judul kolom; "
             f"kolom {found[chosen[0].name].titles[0] + 1} dibaca sebagai judul.")  # fmt: skip
    if len({tuple(map(normalize_name, table.header)) for table in found.values()}) > 1:
        raise SheetChoiceError(file_name, list(found))
    if unread := [s for s in sheets if s.name not in found]:
        warn(f"Catatan: {_describe_sheets(unread)} di {file_name} tidak dibaca.")
    table = next(iter(found.values()))
    _note_choice(table, file_name, warn)
    if len(found) > 1:
        table = _join(found)
        warn(f"Catatan: {len(found)} lembar {file_name} dibaca bersama: {', '.join(found)}.")
    if max_rows is not None and len(table.rows) > max_rows:
        raise too_many_rows(file_name, max_rows)
    return table


def _chosen_sheets(sheets: list[Sheet], file_name: str, name: str | None) -> list[Sheet]:
    """Return the sheet that was named; else those that are visible, if any is."""
    if name is None:
        return [sheet for sheet in sheets if sheet.is_visible] or sheets
    chosen = [sheet for sheet in sheets if sheet.name.strip().casefold() == name.strip().casefold()]
    if not chosen:
        existing = _quoted(sheet.name for sheet in sheets if sheet.name) or "tidak ada"
        raise MissingChoiceError(
            f"Lembar '{name}' tidak ada di {file_name}. Lembar yang berisi: {existing}."
        )
    return chosen


def _describe_sheets(sheets: list[Sheet]) -> str:
    hidden = {True: "", False: " (tersembunyi)"}
    return "lembar " + ", ".join(f"'{sheet.name}'{hidden[sheet.is_visible]}" for sheet in sheets)


def _find_table(sheet: Sheet, file_name: str, column: str | None, max_rows: int | None) -> Table | None:
    """Return the table below the best header in the first rows; None if there is no header."""
    rows = sheet.rows[:MAX_HEADER_ROW]
    if column is None:
        start = max(range(len(rows)), key=lambda i: header_score(rows[i].cells))
        if not header_score(rows[start].cells):
            return None
    else:
        start = _row_of_chosen_column(rows, column)
    header, end = rows[start].cells, start + 1
    if start and any(not cell.strip() for cell in header):
        header = _take_from_above(header, rows[start - 1].cells)
    if end < len(sheet.rows) and (joined := continues_header(header, sheet.rows[end].cells)):
        header, end = joined, end + 1
    table = _table(sheet, header, end, file_name, max_rows)
    try:
        titles = find_titles(table.header, file_name, column)
    except ColumnChoiceError as error:
        raise _with_samples(error, table) from error
    n_above = sum(any(map(str.strip, row.cells)) for row in rows[:start])
    return _mark_captions(replace(table, titles=titles, n_above=n_above))


def _row_of_chosen_column(rows: list[Row], column: str) -> int:
    names = [[normalize_name(cell) for cell in row.cells] for row in rows]
    matches = [i for i, cells in enumerate(names) if normalize_name(column) in cells]
    filled = (i for i, cells in enumerate(names) if any(cells))
    best = max(range(len(rows)), key=lambda i: header_score(rows[i].cells))
    return matches[0] if matches else best if header_score(rows[best].cells) else next(filled)


def _take_from_above(header: list[str], above: list[str]) -> list[str]:
    """Name blank cells after a header row that begins one row higher; a caption is no header."""
    if sum(bool(cell.strip()) for cell in above) < 2:
        return header
    padded = [*above, *[""] * len(header)]
    return [cell if cell.strip() else padded[i] for i, cell in enumerate(header)]


def _table(sheet: Sheet, header: list[str], start: int, file_name: str, max_rows: int | None) -> Table:
    rows, separator = sheet.rows[start:], sheet.separator
    if max_rows is not None and len(rows) > max_rows:
        raise too_many_rows(file_name, max_rows)
    names = [" ".join(cell.split()) for cell in header]
    width = len(names)
    fitting = [r if len(r.cells) == width else _fit_to_width(r, width, separator) for r in rows]
    return Table(names, fitting, start + 1)


def _table_without_header(
    sheet: Sheet, file_name: str, column: str | None, max_rows: int | None
) -> Table:
    """Read a sheet whose every row is data, if exactly one column holds titles."""
    filled = [row.cells for row in sheet.rows if any(map(str.strip, row.cells)) and not row.fault]
    width = max(map(len, filled), default=0)
    columns = [[cells[i] if i < len(cells) else "" for cells in filled] for i in range(width)]
    titles = [
        i
        for i, cells in enumerate(columns)
        if sum(map(looks_like_title, cells)) >= MIN_TITLE_SHARE * len(cells)
        and looks_like_title(cells[0])
    ]
    if len(titles) != 1:
        header = next(iter(filled), [])
        existing = _quoted(cell[:40] for cell in header[:8])
        raise CorpusError(
            f"Kolom '{TITLE_COLUMN}' tidak ada di {file_name} (yang ada: {existing}). "
            f"Beri nama '{TITLE_COLUMN}' pada kolom yang berisi judul, "
            "atau pilih kolomnya dengan --column."
        )
    header = [TITLE_COLUMN if i in titles else "" for i in range(width)]
    table = _table(sheet, header, 0, file_name, max_rows)
    return _mark_captions(replace(table, titles=tuple(titles)))


def _note_choice(table: Table, file_name: str, warn: Warn) -> None:
    names = [table.header[column] for column in table.titles]
    if any(names) and [normalize_name(name) for name in names] != [TITLE_COLUMN.casefold()]:
        shown = ", lalu ".join(f"'{name}'" for name in names)
        warn(f"Catatan: judul di {file_name} dibaca dari kolom {shown}.")
    if table.n_above:
        warn(
            f"Catatan: judul-judul di {file_name} dimulai di baris {table.first_row}; "
            f"{table.n_above} baris di atas judul kolomnya tidak dibaca."
        )


def _with_samples(error: ColumnChoiceError, table: Table) -> ColumnChoiceError:
    samples = []
    for name in error.columns:
        column = table.header.index(name)
        cells = (row.cells[column].strip() for row in table.rows if column < len(row.cells))
        samples.append(next((cell[:60] for cell in cells if cell), "kosong"))
    return ColumnChoiceError(error.file_name, error.columns, samples)


def _mark_captions(table: Table) -> Table:
    """Set aside what is no row of the table: captions, sums, the header repeated on a new page."""
    names = [normalize_name(cell) for cell in table.header]
    column = table.titles[0]
    name, least_cells = table.header[column].casefold(), max(column, 1)
    # Few rows need a closer look, and there may be a million.
    suspects = [
        position
        for position, (cells, _) in enumerate(table.rows)
        if len(cells) - cells.count("") <= _FOOTER_CELLS
        or (len(cells) > least_cells and cells[column].casefold() == name)
    ]
    if not suspects:
        return table
    rows = table.rows.copy()
    for position in suspects:
        cells = rows[position].cells
        text = " ".join(" ".join(cells).split())
        is_caption = position >= len(rows) - _FOOTER_ROWS or len(names) > 1
        if len(cells) > least_cells and [normalize_name(cell) for cell in cells] == names:
            rows[position] = Row(cells, _REPEATED_HEADER)
        elif is_caption and len(cells) - cells.count("") <= _FOOTER_CELLS and _FOOTER.fullmatch(text):
            rows[position] = Row(cells, _NO_TITLE + text[:60])
    return replace(table, rows=rows)


def _join(tables: dict[str, Table]) -> Table:
    """Put the tables of several sheets below each other, with the sheet as a last column."""
    first = next(iter(tables.values()))
    rows = [Row([*row.cells, name], row.fault) for name, table in tables.items() for row in table.rows]
    sheets = tuple((name, table.first_row, len(table.rows)) for name, table in tables.items())
    return replace(first, header=[*first.header, SHEET_COLUMN], rows=rows, sheets=sheets)


def _fit_to_width(row: Row, width: int, separator: str) -> Row:
    cells = row.cells
    if row.fault:
        return row
    if width == 1 and len(cells) > 1 and separator:
        return Row([separator.join(cells)])
    if not cells:  # A blank line.
        return Row([""] * width)
    if len(cells) > width:
        n = len(cells)
        while n > width and not cells[n - 1].strip():
            n -= 1
        cells = cells[:n]
    return Row(cells, "" if len(cells) == width else COLUMN_COUNT_MISMATCH)
