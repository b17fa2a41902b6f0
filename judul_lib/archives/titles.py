"""The titles of a named archive: read from files and harvests, merged, written whole or not at all."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from judul_lib.archives.dublin_core import HarvestedRecord, earliest_year, is_thesis, person_names
from judul_lib.archives.named import (
    CORPUS_FILE,
    INDEX_FOLDER,
    INFO_FILE,
    ArchiveInfo,
    NamedArchive,
    Source,
)
from judul_lib.checking.stored_gauge import gauge_file
from judul_lib.core.clock import utc_now
from judul_lib.core.columns import METADATA_COLUMNS, TITLE_COLUMN, metadata_column
from judul_lib.core.delimited import Warn
from judul_lib.core.errors import ArchiveError, FewerTitlesError
from judul_lib.core.formatting import format_number
from judul_lib.core.storage import frame_text, replace_folder, sha256_of, write_bytes, write_result
from judul_lib.study.corpus import REASON_COLUMN, Corpus, parse_corpus, read_corpus
from judul_lib.study.preprocessing import title_key

SOURCE_COLUMN = "Sumber"
COLUMNS = (TITLE_COLUMN, *METADATA_COLUMNS, SOURCE_COLUMN)
_SOURCE_SEPARATOR = " | "
_ROW_NUMBER = re.compile(r"( lembar '.*')? baris \d[\d.]*")


@dataclass(frozen=True)
class SourceTitles:
    """The usable titles of one file or repository.

    Attributes
    ----------
    frame : DataFrame, shape (n, 6)
        Columns ``Judul`` and `METADATA_COLUMNS`, all text; titles are distinct.
    source : Source
    """

    frame: pd.DataFrame
    source: Source


@dataclass(frozen=True)
class Change:
    """What a source has changed in an archive.

    Attributes
    ----------
    n_added, n_lost, n_titles : int
        Titles that are new, gone, and now in the archive.
    is_unchanged : bool
        Whether the archive had exactly this content of the source, so that nothing was written.
    """

    n_added: int
    n_lost: int
    n_titles: int
    is_unchanged: bool = False


def archive_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns of an archive, those that are missing empty.

    Parameters
    ----------
    frame : DataFrame, shape (n, any)
        Has ``Judul``; the others are recognised by `metadata_column`.

    Examples
    --------
    >>> frame = pd.DataFrame({"Judul": ["Hama Padi"], "NAMA": ["Siti, NIM 2010512001"], "Nilai": ["A"]})
    >>> archive_columns(frame).iloc[0].tolist()
    ['Hama Padi', 'Siti', '', '', '', '']
    """
    columns = {TITLE_COLUMN: frame[TITLE_COLUMN]}
    for name in METADATA_COLUMNS:
        found = [column for column in frame.columns if metadata_column(str(column)) == name]
        cells = zip(*(frame[column].str.strip() for column in found), strict=True)
        joined = ["; ".join(filter(None, row)) for row in cells] if found else ""
        columns[name] = pd.Series(joined, frame.index)
    for name in ("Penulis", "Pembimbing"):
        columns[name] = columns[name].map(lambda text: person_names([text]))
    columns["Tahun"] = columns["Tahun"].map(lambda text: earliest_year([text]))
    return pd.DataFrame(columns, dtype=object)


def read_source(
    path: Path,
    *,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> SourceTitles:
    """Read a file of titles for an archive.

    Parameters
    ----------
    warn, sheet, column
        See `judul_lib.study.corpus.read_corpus`.

    Raises
    ------
    CorpusError
        See `judul_lib.study.corpus.read_corpus`.

    Examples
    --------
    >>> titles = read_source(Path("data/dataset_TA.csv"))
    >>> titles.source.name, titles.source.n_titles == len(titles.frame)
    ('dataset_TA.csv', True)
    """
    corpus = read_corpus(path, min_titles=1, warn=warn, sheet=sheet, column=column)
    return _source_titles(corpus, path.name, corpus.sha256, Counter())


def parse_source(
    content: bytes,
    name: str,
    *,
    max_rows: int | None = None,
    warn: Warn = lambda text: None,
    sheet: str | None = None,
    column: str | None = None,
) -> SourceTitles:
    r"""Read the bytes of a file of titles for an archive; see `read_source`.

    Parameters
    ----------
    name : str
        Name of the file, by which it is replaced later.
    max_rows, warn, sheet, column
        See `judul_lib.study.corpus.parse_corpus`.

    Raises
    ------
    CorpusError
        See `judul_lib.study.corpus.parse_corpus`.

    Examples
    --------
    >>> parse_source(b"Judul\nHama Padi\nhama  padi\n", "a.csv").source.set_aside
    {'duplikat': 1}
    """
    corpus = parse_corpus(
        content, name, min_titles=1, max_rows=max_rows, warn=warn, sheet=sheet, column=column
    )
    # A bar separates the sources of a title.
    return _source_titles(corpus, name.replace("|", "_"), corpus.sha256, Counter())


def harvested_titles(
    records: Iterable[HarvestedRecord], url: str, wanted: Sequence[str]
) -> SourceTitles:
    """Choose the theses among harvested records.

    Parameters
    ----------
    url : str
        Address of the repository.
    wanted : sequence of str
        See `judul_lib.archives.dublin_core.is_thesis`.

    Raises
    ------
    ArchiveError
        No usable title is among them.

    Examples
    --------
    >>> records = [HarvestedRecord("oai:x:1", title="Hama Padi", types=("Skripsi",)),
    ...            HarvestedRecord("oai:x:2", title="Mutu Padi", types=("Article",))]
    >>> titles = harvested_titles(records, "https://x.example/oai", ["skripsi"])
    >>> titles.frame["Judul"].tolist(), titles.source.set_aside
    (['Hama Padi'], {'jenis Article': 1})
    """
    rows, set_aside = [], Counter[str]()
    for record in records:
        if not is_thesis(record.types, wanted):
            set_aside[f"jenis {', '.join(record.types)}"] += 1
        elif not record.title:
            set_aside["tanpa judul"] += 1
        else:
            row = [record.title, record.authors, record.year, record.supervisors, record.programme]
            rows.append([*row, record.link])
    if not rows:
        kinds = "; ".join(f"{reason}: {format_number(n)}" for reason, n in set_aside.most_common(3))
        raise ArchiveError(
            f"Tidak ada judul skripsi di {url} ({kinds or 'tidak ada catatan'}). Bila perlu, pilih "
            "jenis lain dengan --types."
        )
    content = frame_text(pd.DataFrame(rows, columns=[TITLE_COLUMN, *METADATA_COLUMNS])).encode()
    corpus = parse_corpus(content, url, min_titles=1)
    return _source_titles(corpus, url, corpus.sha256, set_aside)


def _source_titles(corpus: Corpus, name: str, sha256: str, set_aside: Counter[str]) -> SourceTitles:
    set_aside.update(_ROW_NUMBER.sub("", reason) for reason in corpus.rejected[REASON_COLUMN])
    frame = archive_columns(corpus.titles)
    day = utc_now().date().isoformat()
    return SourceTitles(frame, Source(name, sha256, day, len(frame), dict(set_aside.most_common())))


def replace_source(
    archive: NamedArchive,
    titles: SourceTitles,
    *,
    force: bool,
    build_index: Callable[[Sequence[str], Path], str | None] = lambda titles, folder: None,
) -> Change:
    """Put the titles of a source into an archive, instead of those it gave before.

    Titles of several sources that are equal up to case, blanks and punctuation become one. Call it
    within `NamedArchive.lock`.

    Parameters
    ----------
    force : bool
        Accept fewer titles than the source gave before.
    build_index : callable
        Called with all titles and a new folder for their index; returns the name of its model, or
        None if it has not built one.

    Raises
    ------
    FewerTitlesError
        The source has fewer titles than before and `force` is not set.
    ArchiveError
        The archive is damaged.
    OSError
        Disk full, no permission; the archive is then as it was.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home:
    ...     archive, titles = NamedArchive(Path(home), "ta"), read_source(Path("data/dataset_TA.csv"))
    ...     changes = [replace_source(archive, titles, force=False) for _ in range(2)]
    >>> changes[0].n_added == titles.source.n_titles, changes[1].is_unchanged
    (True, True)
    """
    name, is_new = titles.source.name, not archive.folder.is_dir()
    info = None if is_new else archive.read_info()
    sources = {} if info is None else {source.name: source for source in info.sources}
    old = [] if info is None else _read_rows(archive.corpus)
    before = sources.get(name)
    if before is not None and before.sha256 == titles.source.sha256:
        return Change(0, 0, len(old), is_unchanged=True)
    merged = _merge(old, titles)
    n_lost = sum(title_key(row[TITLE_COLUMN]) not in merged for row in old)
    if before is not None and len(titles.frame) < before.n_titles and not force:
        raise FewerTitlesError(
            archive.name, name, n_now=len(titles.frame), n_before=before.n_titles, n_lost=n_lost
        )
    _write(
        archive,
        pd.DataFrame(merged.values(), columns=list(COLUMNS)),
        sources | {name: titles.source},
        build_index,
    )
    return Change(len(merged) - (len(old) - n_lost), n_lost, len(merged))


def read_archive_file(path: Path) -> pd.DataFrame:
    """Return the table of titles of a named archive, all text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _read_rows(path: Path) -> list[dict[str, str]]:
    frame = read_archive_file(path)
    if missing := set(COLUMNS) - set(frame.columns):
        raise ArchiveError(
            f"Kolom {', '.join(sorted(missing))} tidak ada lagi di {path}. Kembalikan kolom itu, "
            "atau buat lagi arsipnya."
        )
    rows = frame[list(COLUMNS)].to_numpy().tolist()
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def _merge(old: list[dict[str, str]], titles: SourceTitles) -> dict[str, dict[str, str]]:
    """Return the rows of an archive by the key of their title, with a source replaced."""
    name = titles.source.name
    merged = {title_key(row[TITLE_COLUMN]): dict(row) for row in old}
    for row in merged.values():
        others = [source for source in row[SOURCE_COLUMN].split(_SOURCE_SEPARATOR) if source != name]
        row[SOURCE_COLUMN] = _SOURCE_SEPARATOR.join(others)
    for texts in titles.frame.to_numpy().tolist():
        row = merged.setdefault(title_key(texts[0]), dict.fromkeys(COLUMNS, ""))
        row.update({column: text for column, text in zip(COLUMNS, texts, strict=False) if text})
        row[SOURCE_COLUMN] = _SOURCE_SEPARATOR.join(filter(None, (row[SOURCE_COLUMN], name)))
    return {key: row for key, row in merged.items() if row[SOURCE_COLUMN]}


def _write(
    archive: NamedArchive,
    frame: pd.DataFrame,
    sources: dict[str, Source],
    build_index: Callable[[Sequence[str], Path], str | None],
) -> None:
    """Write an archive to a new folder, which then takes the place of the old one."""
    titles = frame[TITLE_COLUMN].tolist()
    new = archive.home / f".{archive.name}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        write_result(frame, new / CORPUS_FILE)
        model = build_index(titles, new / INDEX_FOLDER)
        # A gauge stays: whether it still fits is checked where it is used, and its labels are work.
        for path, target in ((archive.corpus, new / CORPUS_FILE), (archive.index, new / INDEX_FOLDER)):
            if gauge_file(path).is_file() and target.exists():
                shutil.copyfile(gauge_file(path), gauge_file(target))
        info = ArchiveInfo(
            sha256_of((new / CORPUS_FILE).read_bytes()), len(titles), tuple(sources.values()),
            _describe_boilerplate(titles), model,
        )  # fmt: skip
        write_bytes(new / INFO_FILE, info.to_json())
        replace_folder(new, archive.folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _describe_boilerplate(titles: Sequence[str]) -> tuple[str, ...]:
    from judul_lib.structured.boilerplate import find_boilerplate
    from judul_lib.structured.parser import packaged_parser
    from judul_lib.structured.records import ParsedTitles

    parser = packaged_parser()
    found = find_boilerplate(ParsedTitles.from_titles(titles, parser), parser.lexicon)
    return tuple(part.text for part in found)
