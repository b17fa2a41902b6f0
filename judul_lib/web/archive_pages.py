"""The pages of the archives: the list for everybody; adding files and removing for managers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from judul_lib.archives import named
from judul_lib.archives.named import ArchiveInfo, NamedArchive, Source, archives_home, named_archive
from judul_lib.archives.titles import Change, parse_source, replace_source
from judul_lib.checking.loading import find_models
from judul_lib.checking.stored_gauge import read_gauge
from judul_lib.core.config import Config
from judul_lib.core.errors import (
    ArchiveError,
    ColumnChoiceError,
    FewerTitlesError,
    JudulError,
    SheetChoiceError,
    describe_os_error,
)
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.texts import page_text
from judul_lib.search.index import TitleIndex
from judul_lib.web.access import AnyVisitor, Manager
from judul_lib.web.offered_archives import ArchiveChoice
from judul_lib.web.rendering import render
from judul_lib.web.service import Service
from judul_lib.web.title_results import readable_day
from judul_lib.web.uploads import UploadForm, text_field, uploaded_file

router = APIRouter()
CHANGED = "archive_changed"
"""Kind of event in the log."""


@dataclass(frozen=True)
class ListedArchive:
    """An archive as the list shows it.

    Attributes
    ----------
    name : str
    day : str
        Of the last change, for readers; may be empty.
    n_titles : int or None
        None where it is not known before the archive is opened.
    origin : str
        Where it comes from, if it is no named archive.
    info : ArchiveInfo or None
        Sources of a named archive.
    facts : mapping of str to str
        Index, measured threshold, repeated words: what it is and what is known of it.
    notes : tuple of str
        Sentences on how it is compared, and what is wrong with it.
    is_named : bool
        Whether managers may add to it and remove it.
    """

    name: str
    day: str = ""
    n_titles: int | None = None
    origin: str = ""
    info: ArchiveInfo | None = None
    facts: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    is_named: bool = False


@dataclass(frozen=True)
class Adding:
    """A form that adds a file, as sent, and what has to be chosen before it is sent again.

    Attributes
    ----------
    name : str
        Of the archive.
    is_new : bool
        Whether the archive must not exist yet.
    sheet, column : str
        As chosen; empty for none.
    accepts_fewer : bool
        Whether the file may have fewer titles than before.
    ask : {"", "lembar", "kolom", "berkurang"}
        Field that has to be chosen.
    choices : sequence of (str, str)
        Values of that field, each with a sample.
    """

    name: str = ""
    is_new: bool = True
    sheet: str = ""
    column: str = ""
    accepts_fewer: bool = False
    ask: str = ""
    choices: Sequence[tuple[str, str]] = ()


@router.get("/arsip", response_class=HTMLResponse)
def show_archives(request: Request, visitor: AnyVisitor) -> HTMLResponse:
    """Show the archives."""
    return _page(request)


@router.post("/arsip", response_class=HTMLResponse)
def add_file(request: Request, visitor: Manager, form: UploadForm) -> HTMLResponse:
    """Add an uploaded file to a new or an existing archive, whole or not at all."""
    service: Service = request.app.state.service
    adding = Adding(
        text_field(form, "nama"), bool(text_field(form, "baru")), text_field(form, "lembar"),
        text_field(form, "kolom"), bool(text_field(form, "berkurang")),
    )  # fmt: skip
    try:
        file, file_name = uploaded_file(form)
        notice = _add(service, adding, file.file.read(), file_name)
    except ColumnChoiceError as error:
        samples = error.samples or [""] * len(error.columns)
        choices = list(zip(error.columns, samples, strict=True))
        problem = page_text("archives_choose_column", file=error.file_name)
        return _page(request, problem, adding=replace(adding, ask="kolom", choices=choices))
    except SheetChoiceError as error:
        choices = [(name, "") for name in error.sheets]
        problem = page_text("archives_choose_sheet", file=error.file_name)
        return _page(request, problem, adding=replace(adding, ask="lembar", choices=choices))
    except FewerTitlesError as error:
        numbers = {"now": error.n_now, "before": error.n_before, "lost": error.n_lost}
        shown = {name: format_number(n) for name, n in numbers.items()}
        problem = page_text("archives_fewer", file=error.source, name=error.archive, **shown)
        return _page(request, problem, adding=replace(adding, ask="berkurang"))
    except OSError as error:
        return _page(request, describe_os_error(error), adding=adding)
    except JudulError as error:
        return _page(request, str(error), adding=adding)
    service.log_event(CHANGED, detail=f"add {adding.name}", user=visitor.user)
    return _page(request, notice=notice)


@router.get("/arsip/{name}/hapus", response_class=HTMLResponse)
def ask_to_remove(request: Request, visitor: Manager, name: str) -> HTMLResponse:
    """Ask whether an archive shall be removed."""
    found = _find(request.app.state.service, name)
    if found is None:
        return _page(request, page_text("archives_missing", name=name[:80]), status=404)
    return render(request, "archive_remove.html", archive=found)


@router.post("/arsip/{name}/hapus", response_class=HTMLResponse)
def remove(request: Request, visitor: Manager, name: str) -> HTMLResponse:
    """Remove an archive with what was harvested for it."""
    service: Service = request.app.state.service
    if _find(service, name) is None:
        return _page(request, page_text("archives_missing", name=name[:80]), status=404)
    try:
        NamedArchive(archives_home(service.config), name).remove()
    except OSError as error:
        return _page(request, describe_os_error(error))
    except JudulError as error:
        return _page(request, str(error))
    service.log_event(CHANGED, detail=f"remove {name}", user=visitor.user)
    return _page(request, notice=page_text("archives_removed", name=name))


def _page(
    request: Request,
    problem: str = "",
    *,
    notice: str = "",
    adding: Adding | None = None,
    status: int | None = None,
) -> HTMLResponse:
    service: Service = request.app.state.service
    return render(
        request, "archives.html", status=status or (422 if problem else 200), problem=problem,
        notice=notice, adding=adding or Adding(), unasked=Adding(), archives=_list(service),
        config=service.config, readable_day=readable_day, set_aside=set_aside,
    )  # fmt: skip


def _add(service: Service, adding: Adding, content: bytes, file_name: str) -> str:
    """Put the titles of a file into an archive; return a sentence on what has changed."""
    config = service.config
    target = named_archive(config, adding.name)
    if adding.name in config.corpora:
        raise ArchiveError(page_text("archives_configured", name=adding.name))
    notes: list[str] = []
    titles = parse_source(
        content, file_name, max_rows=config.max_rows, warn=notes.append,
        sheet=adding.sheet or None, column=adding.column or None,
    )  # fmt: skip
    with target.lock():
        exists = any(archive.name == adding.name for archive in named.list_archives(target.home))
        if adding.is_new and exists:
            raise ArchiveError(page_text("archives_exists", name=adding.name))
        if not adding.is_new and not exists:
            raise ArchiveError(page_text("archives_missing", name=adding.name))
        build = partial(_build_index, config)
        change = replace_source(target, titles, force=adding.accepts_fewer, build_index=build)
    return " ".join([_describe(target.name, titles.source, change), *notes])


def _build_index(config: Config, titles: Sequence[str], folder: Path) -> str | None:
    """Build an index where it pays; return the name of its model."""
    if len(titles) < named.INDEX_MIN_TITLES:
        return None
    model = next(iter(find_models(config.models, warn=lambda sentence: None).values()))
    built = TitleIndex.build(titles, model)
    built.save(folder)
    return built.name


def _describe(name: str, source: Source, change: Change) -> str:
    if change.is_unchanged:
        n = format_number(change.n_titles)
        return page_text("archives_unchanged", name=name, file=source.name, n=n)
    numbers = {"added": change.n_added, "lost": change.n_lost, "n": change.n_titles}
    shown = {key: format_number(number) for key, number in numbers.items()}
    return page_text("archives_lost" if change.n_lost else "archives_added", name=name, **shown)


def _find(service: Service, name: str) -> ListedArchive | None:
    """Return a named archive by name."""
    return next((found for found in _list(service) if found.is_named and found.name == name), None)


def _list(service: Service) -> list[ListedArchive]:
    """Return the archives that can be chosen, and those that cannot yet, or no longer, be used."""
    home = archives_home(service.config)
    by_name = {archive.name: archive for archive in named.list_archives(home)}
    listed = []
    for choice in service.archives.choices():
        archive = by_name.get(choice.name)
        if archive is not None and archive.corpus == choice.path:
            listed.append(_describe_named(by_name.pop(choice.name), choice, service))
        else:
            listed.append(_describe_other(choice, service))
    # Without titles: a first harvest that is unfinished, or damaged.
    return listed + [_describe_unusable(archive) for archive in by_name.values()]


def _describe_named(archive: NamedArchive, choice: ArchiveChoice, service: Service) -> ListedArchive:
    try:
        info = archive.read_info()
        gauge = read_gauge(archive.corpus) or read_gauge(archive.index)
    except JudulError:
        notes = (page_text("archives_damaged"),)
        return ListedArchive(choice.name, readable_day(choice.date), notes=notes, is_named=True)
    facts = {}
    if info.index_model is not None:
        facts["archives_index"] = MODEL_TITLES.get(info.index_model, info.index_model)
    if gauge is not None:
        facts["archives_gauge"] = gauge.describe()
    if info.boilerplate:
        facts["archives_repeated"] = "; ".join(f"… {text} …" for text in info.boilerplate)
    day = readable_day(max((source.date for source in info.sources), default=choice.date))
    return ListedArchive(
        choice.name, day, info.n_titles, info=info, facts=facts, notes=_notes(choice, service),
        is_named=True,
    )  # fmt: skip


def _describe_other(choice: ArchiveChoice, service: Service) -> ListedArchive:
    origin = page_text("archives_own")
    if choice.path is not None:
        origin = page_text("archives_from_config", file=choice.path.name)
    size = service.archives.known_size(choice.name)
    day = readable_day(choice.date)
    return ListedArchive(choice.name, day, size, origin, notes=_notes(choice, service))


def _describe_unusable(archive: NamedArchive) -> ListedArchive:
    """Describe an archive that is not offered: without titles, or behind another of that name."""
    key = "archives_hidden" if archive.corpus.is_file() else "archives_unfinished"
    return ListedArchive(archive.name, notes=(page_text(key),), is_named=True)


def _notes(choice: ArchiveChoice, service: Service) -> tuple[str, ...]:
    """Return the notes of an archive that is open already; opening it may take long."""
    if service.archives.known_size(choice.name) is None:
        return ()
    try:
        return service.archives.open(choice.name).notes
    except JudulError as error:
        return (str(error),)


def set_aside(source: Source) -> list[str]:
    """Return how many rows of a source are not used, by reason, the most frequent first.

    Examples
    --------
    >>> set_aside(Source("ta.csv", "", "2026-01-31", 5, {"duplikat": 2, "tanpa judul": 1}))
    ['2 baris: duplikat', '1 baris: tanpa judul']
    """
    reasons, rest = source.main_reasons()
    shown = [page_text("archives_reason", n=format_number(n), reason=reason) for reason, n in reasons]
    if rest:
        shown.append(page_text("archives_other_reasons", n=format_number(rest)))
    return shown
