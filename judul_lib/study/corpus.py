"""Read a file of titles: keep the usable rows and reject the others with a reason."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISREG
from typing import Any

import pandas as pd

from judul_lib.core.columns import STUDENT_NUMBER, TITLE_COLUMN, metadata_column
from judul_lib.core.delimited import Warn
from judul_lib.core.errors import CorpusError, describe_os_error
from judul_lib.core.formatting import format_number
from judul_lib.core.storage import content_version, frame_text, sha256_of, write_bytes
from judul_lib.core.tables import COLUMN_COUNT_MISMATCH, Table, parse_table, parse_titles, unique_names
from judul_lib.study.group_theses import AuthorColumns
from judul_lib.study.preprocessing import preprocess_cells, title_fault, title_key
from judul_lib.study.title_text import clean_title

CORPUS_FILE, REJECTED_FILE, DATASET_FILE = "corpus.csv", "rejected.csv", "dataset.json"
PROCESSED_COLUMN = "judul_proc"
ROW_COLUMN, REASON_COLUMN, PLACE_COLUMN = "baris", "alasan", "letak"


@dataclass(frozen=True)
class Corpus:
    """A validated corpus.

    Attributes
    ----------
    titles : DataFrame, shape (n, 2 or more)
        ``Judul`` (as typed, outer blanks removed), ``judul_proc`` and the
        file's other columns.
    rejected : DataFrame
        ``baris`` (row number as in a spreadsheet), ``alasan`` and ``Judul``; where sheets are
        read together, also ``letak`` (sheet and row).
    sha256 : str
        Hash of the file's bytes.
    name : str
        Name of the file, without its folder.
    first_row : int
        Number of the first row below the header, the first row of the file being 1.
        Where sheets are read together, the numbers go on from sheet to sheet.
    """

    titles: pd.DataFrame
    rejected: pd.DataFrame
    sha256: str
    name: str
    first_row: int = 2

    @property
    def rows(self) -> list[int]:
        """Row number of each title as in a spreadsheet; shape (n,)."""
        rejected = set(self.rejected[ROW_COLUMN].astype(int))
        last = self.first_row + self.n_rows
        return [row for row in range(self.first_row, last) if row not in rejected]

    @property
    def version(self) -> str:
        """Version of the file; see `content_version`."""
        return content_version(self.sha256)

    @property
    def n_rows(self) -> int:
        """Number of rows in the file: kept and rejected."""
        return len(self.titles) + len(self.rejected)

    def describe_rejected(self, max_shown: int = 3) -> str:
        r"""Say in Indonesian which rows are rejected, and why; ``""`` if none is.

        Examples
        --------
        >>> corpus = parse_corpus(b"Judul\nDeteksi Hoaks\n?\nPadi\nPADI\n", "a.csv")
        >>> corpus.describe_rejected(max_shown=1)
        'baris 3 (tidak ada kata yang tersisa setelah prapemrosesan), dan 1 lainnya'
        """
        shown = self.rejected[:max_shown]
        numbers = [f"baris {format_number(int(row))}" for row in shown[ROW_COLUMN]]
        places = shown.get(PLACE_COLUMN, numbers)
        reasons = zip(places, shown[REASON_COLUMN], strict=True)
        parts = [f"{place} ({reason})" for place, reason in reasons]
        if n_more := len(self.rejected) - len(shown):
            parts.append(f"dan {format_number(n_more)} lainnya")
        return ", ".join(parts)


def read_corpus(
    path: str | Path,
    *,
    drop_duplicates: bool = True,
    min_titles: int = 2,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> Corpus:
    """Read and validate a file of titles.

    Parameters
    ----------
    path : path
        A table with a column of titles, in any form of `judul_lib.core.tables.parse_titles`:
        CSV in UTF-8, UTF-16 or Windows-1252, XLSX, XLS, ODS, a saved web page, JSON.
    drop_duplicates : bool
        Reject titles that equal an earlier one up to case, blanks and punctuation. Authors of
        such rows are added to the first row, unless they are of another year.
    min_titles : int
        Fewer usable titles than this are an error.
    warn : callable
        See `judul_lib.core.delimited.Warn`.
    sheet, column : str
        Which sheet and which column of titles to read, where several could be meant.

    Returns
    -------
    Corpus
        Every row of the file is in ``titles`` or in ``rejected``.

    Raises
    ------
    CorpusError
        The file is missing, not a table of titles, or has too few usable titles.

    Examples
    --------
    >>> corpus = read_corpus("data/dataset_TA.csv")
    >>> len(corpus.titles), len(corpus.rejected)
    (123, 0)
    """
    path = Path(path)
    return parse_corpus(
        _read_bytes(path),
        path.name,
        drop_duplicates=drop_duplicates,
        min_titles=min_titles,
        warn=warn,
        sheet=sheet,
        column=column,
    )


def parse_corpus(
    content: bytes,
    name: str,
    *,
    drop_duplicates: bool = True,
    min_titles: int = 2,
    max_rows: int | None = None,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> Corpus:
    r"""Validate the bytes of a file of titles; see `read_corpus`.

    Parameters
    ----------
    name : str
        Name of the file, for error messages.
    max_rows : int
        More rows than this are an error.

    Raises
    ------
    CorpusError
        As `read_corpus` does, or there are too many rows.

    Examples
    --------
    >>> corpus = parse_corpus(b"Judul\nDeteksi Hoaks\ndeteksi  HOAKS\nPrediksi Beras\n", "a.csv")
    >>> corpus.titles["judul_proc"].tolist(), corpus.rejected["alasan"].tolist()
    (['deteksi hoaks', 'prediksi beras'], ['duplikat baris 2'])
    """
    table = parse_titles(content, name, max_rows=max_rows, warn=warn, sheet=sheet, column=column)
    titles, rejected = _validate(table, drop_duplicates=drop_duplicates)
    if len(titles) < min_titles:
        usable, rows = format_number(len(titles)), format_number(len(table.rows))
        raise CorpusError(
            f"{name} hanya berisi {usable} judul yang dapat dipakai (dari {rows} baris); "
            f"perlu sedikitnya {min_titles} judul yang berbeda. Tambahkan judul ke berkas itu."
        )
    corpus = Corpus(titles, rejected, sha256_of(content), name, table.first_row)
    if len(titles) + len(rejected) != len(table.rows):
        raise AssertionError(
            f"{len(table.rows)} rows, but {len(titles)} used and {len(rejected)} set aside"
        )
    return corpus


def save_corpus(corpus: Corpus, folder: str | Path) -> None:
    """Write ``corpus.csv``, ``rejected.csv`` and ``dataset.json`` to a folder."""
    folder = Path(folder)
    write_frame(corpus.titles, folder / CORPUS_FILE)
    write_frame(corpus.rejected, folder / REJECTED_FILE)
    hashes = {name: sha256_of((folder / name).read_bytes()) for name in (CORPUS_FILE, REJECTED_FILE)}
    metadata: dict[str, Any] = {"name": corpus.name, "sha256": corpus.sha256, "files": hashes}
    if corpus.first_row != 2:
        metadata["first_row"] = corpus.first_row
    write_bytes(folder / DATASET_FILE, (json.dumps(metadata, indent=2) + "\n").encode())


def load_corpus(folder: str | Path) -> Corpus:
    """Read what `save_corpus` wrote.

    Raises
    ------
    CorpusError
        Notebook 01 has not run for this folder, or a file has changed since.
    """
    folder = Path(folder)
    try:
        metadata = json.loads((folder / DATASET_FILE).read_bytes())
        name, sha256, hashes = metadata["name"], metadata["sha256"], metadata["files"]
        first_row = int(metadata.get("first_row", 2))
        contents = [(folder / file).read_bytes() for file in (CORPUS_FILE, REJECTED_FILE)]
        if [sha256_of(content) for content in contents] != [hashes[CORPUS_FILE], hashes[REJECTED_FILE]]:
            raise ValueError(folder)
    except FileNotFoundError as error:
        raise CorpusError(
            f"Korpus belum disiapkan di {folder}. Jalankan notebook 01 dulu, atau `make run`."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            f"Korpus di {folder} ditolak: {CORPUS_FILE}, {REJECTED_FILE} atau {DATASET_FILE} bukan yang "
            "ditulis notebook 01. Jalankan notebook 01 lagi, atau `make run`."
        ) from error
    titles, rejected = (
        pd.read_csv(io.BytesIO(content), dtype=object, keep_default_na=False) for content in contents
    )
    return Corpus(titles, rejected, sha256, name, first_row)


def read_table(
    path: str | Path,
    *,
    warn: Warn = lambda text: None,
    faults: dict[int, str] | None = None,
    sheet: str | None = None,
) -> pd.DataFrame:
    """Read a table in any format of `read_corpus`, all columns as text; only blank lines are dropped.

    Parameters
    ----------
    warn : callable
        See `judul_lib.core.tables.parse_table`; called for blank lines too.
    faults : dict of int to str
        Filled with the positions (from 0) of the rows that cannot be used, and why; surplus
        fields go into the last column. Without it such a row is an error.
    sheet : str
        Which sheet to read [the first one].

    Returns
    -------
    DataFrame
        Its index is the row number as in a spreadsheet, the header being 1.

    Raises
    ------
    CorpusError
        The file is missing or not a table.
    """
    path = Path(path)
    return table_frame(_read_bytes(path), path.name, warn=warn, faults=faults, sheet=sheet)


def table_frame(
    content: bytes,
    name: str,
    *,
    max_rows: int | None = None,
    warn: Warn = lambda text: None,
    faults: dict[int, str] | None = None,
    sheet: str | None = None,
) -> pd.DataFrame:
    r"""Parse the bytes of a table; see `read_table`.

    Raises
    ------
    CorpusError
        As `parse_table` does, or a row has more or fewer fields than the header.

    Examples
    --------
    >>> table_frame(b"judul_a;judul_b\nx;y\n", "pasangan.csv").columns.tolist()
    ['judul_a', 'judul_b']
    """
    table = parse_table(content, name, max_rows=max_rows, warn=warn, sheet=sheet)
    return rows_frame(table, name, warn=warn, faults=faults)


def rows_frame(
    table: Table,
    name: str,
    *,
    warn: Warn = lambda text: None,
    faults: dict[int, str] | None = None,
) -> pd.DataFrame:
    """Return the rows of a table that are not blank; see `read_table`.

    Raises
    ------
    CorpusError
        A row cannot be used, and ``faults`` is not given.
    """
    places = [place for place, row in enumerate(table.rows) if any(row.cells)]
    filled = [table.rows[place] for place in places]
    if n_blank := len(table.rows) - len(filled):
        warn(f"Catatan: {n_blank} baris kosong di {name} dilewati.")
    if faulty := [position for position, row in enumerate(filled) if row.fault]:
        more = f" dan {format_number(len(faulty) - 1)} lainnya" if len(faulty) > 1 else ""
        first = filled[faulty[0]]
        hint = f"{first.fault}."
        if first.fault == COLUMN_COUNT_MISMATCH:
            hint = f"{first.fault}nya. Apit isi yang mengandung pemisah dengan tanda kutip ganda."
        where = f"{name} {table.row_name(places[faulty[0]])}{more}"
        if faults is None:
            raise CorpusError(f"{where}: {hint}")
        warn(f"Catatan: {where} tidak diperiksa: {hint}")
        faults.update({position: filled[position].fault for position in faulty})
    last = len(table.header) - 1
    rows = [
        row.cells
        if len(row.cells) == last + 1
        else [*(row.cells + [""] * last)[:last], ", ".join(map(str.strip, row.cells[last:]))]
        for row in filled
    ]
    index = [table.first_row + place for place in places]
    return pd.DataFrame(rows, index=index, columns=table.header, dtype=object)


def read_proposals(
    path: str | Path,
    *,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> tuple[pd.DataFrame, list[str], dict[int, str]]:
    """Read a file of titles to check, of which every row gets an answer; see `parse_proposals`."""
    path = Path(path)
    return parse_proposals(_read_bytes(path), path.name, warn=warn, sheet=sheet, column=column)


def parse_proposals(
    content: bytes,
    name: str,
    *,
    max_rows: int | None = None,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> tuple[pd.DataFrame, list[str], dict[int, str]]:
    r"""Parse a file of titles to check, in any form of `parse_corpus`.

    Returns
    -------
    table : DataFrame, shape (n, n_columns)
        All columns as text, without blank lines; its index is the row number in the file.
    titles : list of str, shape (n,)
        Blank for the rows that cannot be used.
    faults : dict of int to str
        Positions (from 0) of these rows, and why, in Indonesian.

    Raises
    ------
    CorpusError
        As `parse_corpus` does; but any number of titles will do.

    Examples
    --------
    >>> _, titles, faults = parse_proposals(b"Nama,Judul\nA,Hoaks\nB,Padi, Jagung\n", "a.csv")
    >>> titles, faults
    (['Hoaks', ''], {1: 'jumlah kolom tidak sama dengan judul kolom'})
    """
    table = parse_titles(content, name, max_rows=max_rows, warn=warn, sheet=sheet, column=column)
    faults = dict[int, str]()
    frame = rows_frame(table, name, warn=warn, faults=faults)
    filled = [row for row in table.rows if any(row.cells)]
    titles = ["" if row.fault else clean_title(table.title(row)) for row in filled]
    return frame, titles, faults


def write_frame(frame: pd.DataFrame, path: str | Path, **options: Any) -> None:
    """Write a table atomically as UTF-8 CSV, with the same bytes on every system."""
    write_bytes(Path(path), frame_text(frame, **options).encode("utf-8"))


def _read_bytes(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if S_ISDIR(mode):
            raise CorpusError(f"{path} adalah folder, bukan berkas CSV. Berikan nama berkasnya.")
        if not (S_ISREG(mode) or S_ISFIFO(mode)):  # Reading a device may never end.
            raise CorpusError(f"{path} bukan berkas. Berikan nama berkas CSV atau XLSX.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CorpusError(f"Berkas {path} tidak ditemukan. Periksa nama dan foldernya.") from error
    except PermissionError as error:
        raise CorpusError(f"Tidak ada izin membaca {path}. Periksa hak aksesnya.") from error
    except OSError as error:
        raise CorpusError(describe_os_error(error)) from error


def _validate(table: Table, *, drop_duplicates: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    first_of_key: dict[str, tuple[int, list[str]]] = {}
    kept: list[tuple[str, str, list[str]]] = []
    rejected: list[tuple[int, str, str]] = []
    titles = [clean_title(table.title(row)) for row in table.rows]
    processed = preprocess_cells(titles)
    others = [
        i
        for i, name in enumerate(table.header)
        if i not in table.titles and metadata_column(name) != STUDENT_NUMBER
    ]
    columns = AuthorColumns([table.header[i] for i in others])
    for position, (record, title, stems) in enumerate(zip(table.rows, titles, processed, strict=True)):
        key = title_key(title)
        if record.fault:
            rejected.append((position, record.fault, title))
            continue
        cells = [record.cells[i] for i in others]
        if fault := title_fault(title):
            rejected.append((position, fault, title))
        elif not stems:
            rejected.append((position, "tidak ada kata yang tersisa setelah prapemrosesan", title))
        elif drop_duplicates and key in first_of_key:
            first, thesis = first_of_key[key]
            joined = ", penulisnya digabung" if columns.add_authors(thesis, cells) else ""
            rejected.append((position, f"duplikat {table.row_name(first)}{joined}", title))
        else:
            first_of_key.setdefault(key, (position, cells))
            kept.append((title, stems, cells))
    names = [TITLE_COLUMN, PROCESSED_COLUMN]
    names += unique_names((table.header[i] or "kolom" for i in others), names)
    rows = [[title, stems, *cells] for title, stems, cells in kept]
    return pd.DataFrame(rows, columns=names, dtype=object), _rejected_frame(table, rejected)


def _rejected_frame(table: Table, rejected: list[tuple[int, str, str]]) -> pd.DataFrame:
    rows = [(table.first_row + position, reason, title) for position, reason, title in rejected]
    frame = pd.DataFrame(rows, columns=[ROW_COLUMN, REASON_COLUMN, TITLE_COLUMN])
    if table.sheets:
        frame[PLACE_COLUMN] = [table.row_name(position) for position, _, _ in rejected]
    return frame
