"""The archive to compare with: a file of titles, or the folder of an index."""

import warnings
from collections.abc import Callable
from pathlib import Path

from judul_lib.core.config import Config
from judul_lib.core.errors import CorpusError, IndexFileError, describe_os_error
from judul_lib.search.index import TitleIndex


def is_index(path: Path) -> bool:
    """Tell whether an archive is to be read as an index: any folder is, so that errors name the index.

    Raises
    ------
    CorpusError
        The path cannot be looked up, such as one that is too long.
    """
    try:
        return path.is_dir()
    except OSError as error:
        raise CorpusError(describe_os_error(error)) from error


def load_index(
    folder: Path, config: Config, *, say: Callable[[str], object] | None = None
) -> TitleIndex:
    """Open an index to check titles with.

    Parameters
    ----------
    say : callable
        Called with a sentence on the threshold that is stored with the archive. That threshold is
        used if `say` is given and the configuration has none of its own.

    Raises
    ------
    IndexFileError
        It is missing, damaged, unreadable, or has no titles.
    ModelError
        Its copy of the model is damaged.
    """
    uses_stored = say is not None and not config.has_explicit_threshold
    threshold = None if uses_stored else config.threshold
    try:
        index = TitleIndex.load(
            folder, threshold=threshold, elsewhere=config.elsewhere, say=say or warnings.warn
        )
    except OSError as error:
        raise IndexFileError(describe_os_error(error)) from error
    if not len(index.titles):
        raise IndexFileError(
            f"Indeks {folder} tidak berisi judul. Tambahkan dengan "
            f"`judul index add {folder} KATALOG.csv`."
        )
    return index


def read_archive(path: Path, config: Config) -> list[str] | TitleIndex:
    """Return the titles of a file, or the index of a folder.

    Raises
    ------
    CorpusError
        The file cannot be used.
    IndexFileError, ModelError
        See `load_index`.

    Examples
    --------
    >>> is_index(Path("data/dataset_TA.csv")), len(read_archive(Path("data/dataset_TA.csv"), Config()))
    (False, 123)
    """
    if is_index(path):
        return load_index(path, config)
    from judul_lib.core.columns import TITLE_COLUMN
    from judul_lib.study.corpus import read_corpus  # Imports pandas, which an index does not need.

    return read_corpus(path, min_titles=1).titles[TITLE_COLUMN].tolist()
