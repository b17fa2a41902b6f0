"""Group theses: rows that share a title, because several authors wrote it together."""

import re
from collections.abc import Sequence

import pandas as pd

from judul_lib.core.columns import AUTHOR, YEAR, metadata_column
from judul_lib.study.preprocessing import title_key

NAMES_COLUMN = "pengusul"
"""Column of a result with all names of a group."""
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_SEPARATOR = "; "


class AuthorColumns:
    """The columns of a table that tell of a group: authors and years.

    Parameters
    ----------
    header : sequence of str

    Examples
    --------
    >>> columns, thesis = AuthorColumns(["Judul", "Nama"]), ["Hama Padi", "Siti"]
    >>> columns.add_authors(thesis, ["Hama Padi", "Budi"]), thesis
    (True, ['Hama Padi', 'Siti; Budi'])
    """

    def __init__(self, header: Sequence[str]) -> None:
        kinds = [metadata_column(str(name)) for name in header]
        self._authors = [i for i, kind in enumerate(kinds) if kind == AUTHOR]
        self._years = [i for i, kind in enumerate(kinds) if kind == YEAR]

    def add_authors(self, thesis: list[str], row: Sequence[str]) -> bool:
        """Add the authors of another row with the same title, unless it is of another year.

        Parameters
        ----------
        thesis : list of str
            Cells of the first row; changed.
        row : sequence of str
            Cells of the other row.

        Returns
        -------
        bool
            Whether the row had authors that the thesis had not.
        """
        if any(_differ(thesis[i], row[i]) for i in self._years):
            return False
        is_added = False
        for i in self._authors:
            known = set(map(_name_key, thesis[i].split(_SEPARATOR)))
            if row[i].strip() and _name_key(row[i]) not in known:
                thesis[i] = _SEPARATOR.join(filter(None, (thesis[i].strip(), row[i].strip())))
                is_added = True
        return is_added

    def authors(self, thesis: Sequence[str]) -> str:
        """Return the authors of a thesis, separated by semicolons."""
        return _SEPARATOR.join(filter(None, (thesis[i].strip() for i in self._authors)))


def _differ(date: str, other: str) -> bool:
    years, other_years = _YEAR.findall(date), _YEAR.findall(other)
    return bool(years and other_years) and years != other_years


def _name_key(name: str) -> frozenset[str]:
    """Return the words of a name: *Aminah, Siti* is *Siti Aminah*."""
    return frozenset(re.findall(r"\w+", name.casefold()))


def group_proposals(frame: pd.DataFrame, titles: Sequence[str]) -> tuple[list[int], list[str]]:
    """Find the rows that are one proposal of several people: one title, and different names.

    Parameters
    ----------
    frame : DataFrame, shape (n, n_columns)
        All text; without a column of names, there are no groups.
    titles : sequence of str, shape (n,)

    Returns
    -------
    first_rows : list of int, shape (n,)
        Position of the first row of the row's group; its own if it has none.
    names : list of str, shape (n,)
        All names of the row's group; empty if it has none.

    Examples
    --------
    >>> frame = pd.DataFrame({"Nama": ["Siti", "Budi", "Tono"]})
    >>> group_proposals(frame, ["Hama Padi", "HAMA PADI", "Hama Jagung"])
    ([0, 0, 2], ['Siti; Budi', 'Siti; Budi', ''])
    """
    columns = AuthorColumns(list(frame.columns))
    cells = frame.to_numpy(dtype=object).tolist()
    first_rows, first_of_key = list(range(len(titles))), dict[str, int]()
    for row, title in enumerate(titles):
        if key := title_key(title):
            first = first_of_key.setdefault(key, row)
            if first != row and columns.add_authors(cells[first], cells[row]):
                first_rows[row] = first
    groups = {first for row, first in enumerate(first_rows) if row != first}
    names = [columns.authors(cells[first]) if first in groups else "" for first in first_rows]
    return first_rows, names
