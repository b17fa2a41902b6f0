"""Results of `judul_lib.search.dedup` as tables for people, and such tables read back."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.errors import CorpusError
from judul_lib.core.tables import find_column
from judul_lib.search.dedup import Duplicates
from judul_lib.search.groups import GROUP_COLUMN, LAST_NUMBER_COLUMN, STATUS_COLUMN, in_thousandths
from judul_lib.search.pair_blocks import Pairs
from judul_lib.study.corpus import read_table
from judul_lib.study.features import FEATURES

THRESHOLD_COLUMN = "ambang"


def pairs_table(duplicates: Duplicates, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Return the pairs for a file: rows of the catalogue's file, rounded numbers, the threshold.

    Probabilities are rounded down (see `judul_lib.search.groups.in_thousandths`), so that the file
    can be read at another threshold.

    Parameters
    ----------
    duplicates : Duplicates
    rows : ndarray of int, shape (n,)
        Row of each title in its file.

    Examples
    --------
    >>> from judul_lib.search.dedup import find_duplicates
    >>> duplicates = find_duplicates(["Deteksi Hoaks", "Deteksi HOAKS"], "outputs/light")
    >>> pairs_table(duplicates, np.array([2, 3]))[["baris_a", "baris_b", "ambang"]].values.tolist()
    [[2.0, 3.0, 0.6]]
    """
    pairs = duplicates.pairs
    return pairs.round(dict.fromkeys(FEATURES, 3)).assign(
        baris_a=rows[pairs["baris_a"]],
        baris_b=rows[pairs["baris_b"]],
        rf_probability=in_thousandths(duplicates.found.probability) / 1000,
        ambang=duplicates.threshold,
    )


def read_pairs(path: Path) -> tuple[Duplicates, NDArray[np.int64]]:
    """Read a file written from `pairs_table`; titles without a pair are not in it.

    Returns
    -------
    duplicates : Duplicates
    rows : ndarray of int, shape (n,)
        Row of each title in the catalogue's file.

    Raises
    ------
    CorpusError
        The file is missing, has no pairs, or is not such a file.

    Examples
    --------
    >>> import tempfile
    >>> from judul_lib.core.storage import write_result
    >>> from judul_lib.search.dedup import find_duplicates
    >>> duplicates = find_duplicates(["Deteksi Hoaks", "Deteksi HOAKS"], "outputs/light")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pasangan.csv"
    ...     write_result(pairs_table(duplicates, np.array([2, 3])), path)
    ...     len(read_pairs(path)[0])
    1
    """
    table = read_table(path)
    if table.empty:
        raise CorpusError(f"{path.name} tidak berisi pasangan. Bandingkan lagi katalognya.")
    sides = [_numbers(table, f"baris_{side}", path, whole=True).astype(np.int64) for side in "ab"]
    titles = [_column(table, f"judul_{side}", path) for side in "ab"]
    title_of = dict(zip(np.concatenate(sides).tolist(), pd.concat(titles), strict=True))
    rows = np.array(sorted(title_of))
    left, right = (np.searchsorted(rows, side).astype(np.int32) for side in sides)
    features = np.column_stack([_numbers(table, name, path) for name in FEATURES])
    probability = _numbers(table, "rf_probability", path)
    threshold = float(_numbers(table, THRESHOLD_COLUMN, path).max())
    order = np.argsort(-probability, kind="stable")  # A spreadsheet may have sorted the rows.
    found = Pairs(np.minimum(left, right), np.maximum(left, right), features, probability).take(order)
    return Duplicates([title_of[row] for row in rows.tolist()], found, False, threshold), rows


def read_groups(path: Path) -> pd.DataFrame:
    r"""Read a file of groups, for `judul_lib.search.groups.continue_groups`.

    Raises
    ------
    CorpusError
        The file is missing or is not such a file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "kelompok.csv"
    ...     _ = path.write_text("kelompok,Judul\n4,Padi\n")
    ...     read_groups(path).values.tolist()
    [[4, 'Padi']]
    """
    table = read_table(path)
    groups = pd.DataFrame(
        {
            GROUP_COLUMN: _numbers(table, GROUP_COLUMN, path, whole=True).astype(np.int64),
            TITLE_COLUMN: _column(table, TITLE_COLUMN, path).to_numpy(),
        }
    )
    if LAST_NUMBER_COLUMN in table:
        last = _numbers(table, LAST_NUMBER_COLUMN, path, whole=True)
        status = _column(table, STATUS_COLUMN, path).to_numpy()
        groups = groups.assign(nomor_terakhir=last.astype(np.int64), status=status)
    return groups


def _column(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    return table.iloc[:, find_column(list(table.columns), name, path.name)]


def _numbers(table: pd.DataFrame, name: str, path: Path, *, whole: bool = False) -> NDArray[np.float64]:
    # A spreadsheet may have written decimal commas.
    texts = _column(table, name, path).str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    is_wrong = ~np.isfinite(numbers) | (whole & (numbers != np.rint(numbers)))
    if is_wrong.any():
        row = table.index[is_wrong.argmax()]
        raise CorpusError(
            f"{path.name} baris {row}: {texts[row]!r} di kolom '{name}' bukan bilangan yang berlaku. "
            "Berikan berkas yang ditulis `judul dedup`, tanpa diubah."
        )
    return numbers
