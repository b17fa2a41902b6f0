"""Harvest a repository: all records at first, later only what has changed, resumed where it stopped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from judul_lib.archives.harvest_store import HarvestStore, Progress
from judul_lib.archives.repository import ExpiredTokenError, Page, Repository
from judul_lib.core.errors import ArchiveError

_MAX_RESTARTS = 3


@dataclass(frozen=True)
class HarvestResult:
    """What one harvest brought.

    Attributes
    ----------
    n_received : int
        Records of the list, deleted ones included; with a resumed list, also those received before.
    size : int or None
        What the repository says that the list contains.
    n_restarts : int
        How often the list had to begin anew because the repository had forgotten the place.
    was_resumed : bool
        Whether an interrupted list was continued.
    """

    n_received: int
    size: int | None
    n_restarts: int
    was_resumed: bool


def run_harvest(
    repository: Repository,
    store: HarvestStore,
    *,
    set_spec: str | None = None,
    from_date: str | None = None,
    types: Sequence[str] | None = None,
    on_page: Callable[[int, int | None], None] = lambda received, size: None,
) -> HarvestResult:
    """Bring a store up to date with a repository.

    Parameters
    ----------
    set_spec : str
        Only records of this set; by default that of the last harvest, or all.
    from_date : str
        Only records that changed on this date (YYYY-MM-DD) or later. By default an interrupted list
        is continued; else the list starts when the last complete one was requested.
    types : sequence of str
        Noted in the store; see `judul_lib.archives.dublin_core.is_thesis`.
    on_page : callable
        Called after each page with the number of records received and that of the list, or None.

    Raises
    ------
    ArchiveError
        The repository cannot be used, or the store is of another repository or set. What was
        received stays in the store.
    """
    known = store.progress()
    progress = known or Progress(repository.url, set_spec or "")
    wanted_set = progress.set_spec if set_spec is None else set_spec
    if (progress.url, progress.set_spec) != (repository.url, wanted_set):
        source = progress.url + (f", set {progress.set_spec}" if progress.set_spec else "")
        raise ArchiveError(f"Arsip itu dipanen dari {source}. Pilih nama lain untuk yang ini.")
    progress = replace(progress, types=progress.types if types is None else tuple(types))
    granularity = repository.granularity()
    if from_date is not None or not progress.token:
        begin = progress.next_from if from_date is None else from_date
        # A date with a time is refused where dates have none.
        begin = begin if "T" in granularity else begin[:10]
        progress = replace(progress, token="", list_from=begin)
    was_resumed, n_restarts = bool(progress.token), 0
    while True:
        try:
            page = repository.list_records(
                token=progress.token, from_=progress.list_from, set_=progress.set_spec
            )
        except ExpiredTokenError:
            if not progress.token or n_restarts == _MAX_RESTARTS:
                raise
            # The list need not be in the order of dates, so its rest cannot be requested by date.
            n_restarts += 1
            progress = replace(progress, token="")
            continue
        if page is None and not progress.token:  # Nothing new.
            store.save([], replace(progress, n_received=0, size=None))
            return HarvestResult(0, None, n_restarts, was_resumed)
        page = page or Page([], "", None, "")  # Some repositories end a list like this.
        if page.token and page.token == progress.token:
            raise ArchiveError(
                f"Repositori {repository.url} mengirim halaman yang sama terus-menerus. Beri tahu "
                "pengelolanya."
            )
        progress = _advance(progress, page)
        store.save(page.records, progress)
        on_page(progress.n_received, progress.size)
        if not page.token:
            return HarvestResult(progress.n_received, progress.size, n_restarts, was_resumed)


def _advance(progress: Progress, page: Page) -> Progress:
    """Return the progress after a page."""
    is_first = not progress.token
    started = page.response_date if is_first else progress.list_started
    return replace(
        progress,
        token=page.token,
        list_started=started,
        n_received=len(page.records) + (0 if is_first else progress.n_received),
        size=page.size or (None if is_first else progress.size),
        # By the repository's own clock at the first page: what changes meanwhile comes again.
        next_from=progress.next_from if page.token else started,
    )
