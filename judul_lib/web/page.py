"""The page on which titles are checked, in JupyterLab or served by Voilà."""

import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.config import Config, load_config
from judul_lib.core.errors import JudulError
from judul_lib.core.formatting import format_number
from judul_lib.core.texts import page_text
from judul_lib.figures.style import STYLE_FILE
from judul_lib.study.corpus import Corpus
from judul_lib.usage.installation import open_log
from judul_lib.usage.log import UsageLog
from judul_lib.web.proposals_panel import ProposalsPanel
from judul_lib.web.session import Session
from judul_lib.web.title_panel import TitlePanel
from judul_lib.web.widgets import FileInput

# Reads an archive; returns None for one that the session already has.
_ReadArchive = Callable[[], Corpus | None]


class ArchivePanel(widgets.VBox):
    """Choice of the archive to compare with, and an upload of one for this session.

    Parameters
    ----------
    session : Session
    on_change : callable
        Called after the archive has changed.
    """

    def __init__(self, session: Session, on_change: Callable[[], None]) -> None:
        self._session, self._on_change = session, on_change
        self._corpus_lock = threading.Lock()
        self.choice = widgets.Dropdown(description=page_text("corpus"))
        self.choice.observe(self._on_choice, "value")
        self._refresh_choices()
        self.file = FileInput(self.add, label=page_text("upload_corpus"), config=session.config)
        super().__init__([self.choice, self.file])

    def add(self, name: str, content: bytes) -> threading.Thread:
        """Read an uploaded archive in the background and use it; return the thread."""
        notes: list[str] = []
        return self._start(name, lambda: self._session.read_upload(content, name, notes.append), notes)

    def _on_choice(self, change: Any) -> None:
        if change["new"] and change["new"] != self._session.corpus:
            self._start(change["new"], lambda: None)

    def _start(self, name: str, read: _ReadArchive, notes: Sequence[str] = ()) -> threading.Thread:
        self.file.show_message(page_text("corpus_preparing", name=name))
        thread = threading.Thread(target=self._use, args=(name, read, notes), daemon=True)
        thread.start()
        return thread

    def _use(self, name: str, read: _ReadArchive, notes: Sequence[str]) -> None:
        try:
            with self._corpus_lock:
                corpus = read()
                titles = None if corpus is None else corpus.titles[TITLE_COLUMN].tolist()
                self._session.use_corpus(name, titles)
        except JudulError as error:
            self._session.log_event("error", detail=type(error).__name__)
            self.file.show_message(str(error), is_error=True)
            return
        except Exception as error:
            self._session.log_event("error", detail=type(error).__name__)
            self.file.show_message(page_text("corpus_failed", name=name), is_error=True)
            raise
        with self._session.lock:
            message = page_text("corpus_ready", name=self._session.describe(name))
            if corpus is not None and (n := len(corpus.rejected)):
                rows = corpus.describe_rejected()
                message += " " + page_text("corpus_rejected", n=format_number(n), rows=rows)
            self.file.show_message(" ".join([message, *notes]))
            self._refresh_choices()
            self._on_change()

    def _refresh_choices(self) -> None:
        """List the archives without triggering `_on_choice`."""
        self.choice.unobserve(self._on_choice, "value")
        self.choice.options = [(self._session.describe(n), n) for n in self._session.corpora]
        self.choice.value = self._session.corpus
        self.choice.observe(self._on_choice, "value")


class CheckPage(widgets.VBox):
    """The whole page.

    Parameters
    ----------
    config : Config
        By default, as `judul_lib.core.config.load_config` finds it.

    Examples
    --------
    >>> page = CheckPage()
    >>> page.one.check("Prediksi Harga Beras dengan LSTM")
    >>> page
    Halaman pemeriksaan judul
    """

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.add_class("judul-page")
        self._warning = widgets.HTML()
        try:
            config = config or load_config()
        except JudulError as error:
            self.children = [_error(str(error))]
            return
        style = widgets.HTML(f"<style>{STYLE_FILE.read_text(encoding='utf-8')}</style>")
        header = widgets.HTML(
            f"<header class='judul-kepala'><h1>{page_text('title')}</h1>"
            f"<p>{page_text('subtitle')}</p></header>"
        )
        log = open_log(config, self._warn)
        try:
            self.session = Session(config, log)
        except JudulError as error:
            self.children = [style, header, _error(str(error))]
            return
        self.one = TitlePanel(self.session)
        self.many = ProposalsPanel(self.session)
        self._archive_name = widgets.HTML()
        self.archive = ArchivePanel(self.session, self._on_archive_change)
        titles = [page_text("one"), page_text("many"), page_text("archive")]
        self.tabs = widgets.Tab([self.one, self.many, self.archive], titles=titles)
        self._show_archive_name()
        damaged = [_error(sentence) for sentence in self.session.damaged]
        footer = [] if log is None else [widgets.HTML(_privacy_html(log, config))]
        self.children = [style, header, *damaged, self._archive_name, self.tabs, *footer, self._warning]

    def _warn(self, sentence: str) -> None:
        """Show that something could not be logged; the answers are not affected."""
        self._warning.value = f"<p class='judul-petunjuk' role='status'>{escape(sentence)}</p>"

    def __repr__(self) -> str:
        return "Halaman pemeriksaan judul"

    def _on_archive_change(self) -> None:
        self._show_archive_name()
        self.one.check_again()
        self.many.forget()

    def _show_archive_name(self) -> None:
        text = page_text("compared", name=self.session.describe(self.session.corpus))
        self._archive_name.value = f"<p class='judul-petunjuk'>{escape(text)}</p>"


def _privacy_html(log: UsageLog, config: Config) -> str:
    text = page_text("privacy_text" if config.log_text else "privacy", user=log.user)
    return f"<p class='judul-petunjuk'>{escape(text)}</p>"


def _error(sentence: str) -> widgets.HTML:
    return widgets.HTML(f"<p class='judul-galat' role='alert'>{escape(sentence)}</p>")
