"""What an archive knows of its theses beside their titles: by whom, when, with whom, and where."""

import re
from collections.abc import Mapping

import pandas as pd

from judul_lib.archives.titles import archive_columns
from judul_lib.core.columns import METADATA_COLUMNS, TITLE_COLUMN, YEAR, Details
from judul_lib.core.errors import ArchiveError

_YEARS = re.compile(r"(\d{4})?(\.\.)?(\d{4})?")


def title_details(frame: pd.DataFrame) -> dict[str, Details]:
    """Return what columns say of each title.

    Parameters
    ----------
    frame : DataFrame, shape (n, n_columns)
        Has ``Judul``; the others are recognised by their names.

    Returns
    -------
    dict of str to mapping
        By title; each maps those of `METADATA_COLUMNS` that are not empty to their text.

    Examples
    --------
    >>> frame = pd.DataFrame({"Judul": ["Hama Padi"], "Nama": ["Siti"], "Tahun Lulus": ["2021"]})
    >>> title_details(frame)
    {'Hama Padi': {'Penulis': 'Siti', 'Tahun': '2021'}}
    """
    columns = archive_columns(frame)
    names = [name for name in METADATA_COLUMNS if (columns[name] != "").any()]
    rows = columns[names].to_dict("records")
    details = ({str(name): text for name, text in row.items() if text} for row in rows)
    return dict(zip(columns[TITLE_COLUMN], details, strict=True))


def parse_years(text: str) -> tuple[int, int]:
    """Return the first and last year of a span: ``2020``, ``2019..``, ``..2021`` or ``2019..2021``.

    Raises
    ------
    ValueError
        It is no such span.

    Examples
    --------
    >>> parse_years("2019.."), parse_years("2020")
    ((2019, 9999), (2020, 2020))
    """
    match = _YEARS.fullmatch(text.replace(" ", ""))
    if match is None or not (match[1] or match[3]) or (match[1] and match[3] and not match[2]):
        raise ValueError(text)
    first, last = int(match[1] or 0), int(match[3] or 9999)
    if not match[2]:
        last = first or last
    return (first, last) if first <= last else (last, first)


def titles_of_years(details: Mapping[str, Details], years: tuple[int, int]) -> tuple[list[str], int]:
    """Return the titles of a span of years, and how many titles have no year and so are left out.

    Raises
    ------
    ArchiveError
        No title is of these years.

    Examples
    --------
    >>> details = {"Padi": {"Tahun": "2021"}, "Jagung": {"Tahun": "2015"}, "Tebu": {}}
    >>> titles_of_years(details, (2019, 9999))
    (['Padi'], 1)
    """
    known = {title: int(row[YEAR]) for title, row in details.items() if row.get(YEAR, "").isdecimal()}
    chosen = [title for title, year in known.items() if years[0] <= year <= years[1]]
    if not chosen:
        existing = f"{min(known.values())}–{max(known.values())}" if known else "tidak ada"
        raise ArchiveError(
            f"Tidak ada judul dari tahun itu; tahun di arsip: {existing}. "
            "Pilih rentang lain untuk --year."
        )
    return chosen, len(details) - len(known)
