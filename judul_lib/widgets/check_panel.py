"""The panel in which titles are checked in JupyterLab: one title, or a file of proposals."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from judul_lib.archives.named import archives_home, list_archives
from judul_lib.checking import batches
from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import Matches
from judul_lib.checking.typed_title import require_title
from judul_lib.core.config import Config, load_config
from judul_lib.core.errors import CorpusError, JudulError
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.texts import page_text
from judul_lib.figures import result_html
from judul_lib.figures.style import STYLE_FILE
from judul_lib.search.archives import read_archive
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import parse_proposals
from judul_lib.widgets.notice import Notice

MAX_UPLOAD_MB = 5
"""A larger message than about 10 MB ends the connection of JupyterLab with its kernel."""
MAX_SHOWN_ROWS = 200


class CheckPanel(widgets.VBox):
    """Check titles in JupyterLab, with a choice of model, threshold and archive.

    A new verdict replaces the previous one; while the field holds another title than the checked one,
    the verdict is grey and says which title it belongs to. Nothing is logged or written.

    Parameters
    ----------
    checkers : mapping of str to Checker
        The models by name, the preferred one first, each with its own corpus. They are not changed.
    config : Config
        Names further archives and limits; by default as `judul_lib.core.config.load_config` finds it.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> panel = CheckPanel({"light": load_checker("outputs/light")})
    >>> panel.check("Prediksi Harga Beras dengan LSTM")
    >>> panel
    Panel pemeriksaan judul
    """

    def __init__(self, checkers: Mapping[str, Checker], config: Config | None = None) -> None:
        self._config = config or load_config()
        self._own = dict(checkers)
        self._archives = _archives(self._config)
        self._opened: dict[str, dict[str, Checker]] = {}
        self._typed, self._title = "", ""
        self._matches: Matches | None = None
        self._has_table = False
        self.title = widgets.Text(
            description=page_text("title_label"), placeholder=page_text("title_placeholder")
        )
        self.button = widgets.Button(description=page_text("check"))
        self.model = widgets.Dropdown(description=page_text("model"))
        self.archive = widgets.Dropdown(description=page_text("corpus"), options=list(self._archives))
        self.threshold = widgets.FloatSlider(
            next(iter(checkers.values())).threshold,
            description=page_text("threshold"), min=0, max=1, step=0.01,
        )  # fmt: skip
        self.file = widgets.FileUpload(
            accept=".csv,.xlsx,.xls,.ods", description=page_text("choose_file")
        )
        self.state, self.verdict, self.table = Notice(), Notice(), widgets.HTML()
        self.progress, self.proposals = widgets.HTML(), widgets.HTML()
        self._observe()
        self._list_models(self._own)
        super().__init__(self._parts())
        self.add_class("judul-page").add_class("judul-satu")

    def __repr__(self) -> str:
        return "Panel pemeriksaan judul"

    def _parts(self) -> list[widgets.Widget]:
        mb = min(MAX_UPLOAD_MB, self._config.max_upload_mb)
        hint = page_text("upload_hint", mb=mb, rows=format_number(self._config.max_rows))
        row = widgets.HBox([self.title, self.button]).add_class("judul-pelabel")
        self.title.layout.flex = "1 1 30rem"
        return [
            widgets.HTML(f"<style>{STYLE_FILE.read_text(encoding='utf-8')}</style>"),
            row, self.model, self.archive, self.threshold,
            self.state, self.verdict, self.table,
            widgets.HTML(
                f"<p>{escape(page_text('proposals_label'))}</p>"
                f"<p class='judul-petunjuk'>{escape(hint)}</p>"
            ),
            self.file, self.progress, self.proposals,
        ]  # fmt: skip

    def _observe(self) -> None:
        self.button.on_click(lambda _: self.check(self.title.value))
        self.title.on_msg(self._on_title_message)
        self.title.observe(lambda _: self._mark_earlier_title(), "value")
        self.threshold.observe(lambda _: self._refresh(), "value")
        self.model.observe(self._on_model, "value")
        self.archive.observe(self._on_archive, "value")
        self.file.observe(self._on_file, "value")

    def check(self, title: str) -> None:
        """Show the verdict on a title instead of the previous one, or why it cannot be checked."""
        self.title.value = title
        self._show_message("")
        self._check(title)

    def check_file(self, name: str, content: bytes) -> None:
        """Show a table of proposals with the closest titles, or why the file cannot be checked.

        Parameters
        ----------
        name : str
            Name of the file; its ending tells the form.
        content : bytes
        """
        self._show_proposals("")
        self._show_message(page_text("corpus_preparing", name=name))
        with self._showing_errors():
            mb = min(MAX_UPLOAD_MB, self._config.max_upload_mb)
            if len(content) > 1_000_000 * mb:
                raise CorpusError(page_text("too_large", name=name, mb=mb))
            notes: list[str] = []
            frame, titles, _ = parse_proposals(
                content, name, max_rows=self._config.max_rows, warn=notes.append
            )
            model, checker = self._chosen()
            start = time.perf_counter()
            result = batches.check_proposals(titles, checker, on_progress=self._show_progress)
            seconds = time.perf_counter() - start
            facts = {"model": MODEL_TITLES[model], "corpus": self.archive.value}
            sentences = [_summary(result, seconds, checker.threshold, **facts), *notes]
            self._show_message(" ".join(sentences))
            self._show_proposals(_proposal_table(titles, result, frame.index, checker.threshold))
        self.progress.value = ""

    def _check(self, typed: str) -> None:
        """Check a title; a message stays unless there is an error."""
        self._typed, self._title, self._matches = typed, "", None
        try:
            with self._showing_errors():
                title = require_title(typed)
                _, checker = self._chosen()
                self._matches = checker.check(title, top_k=self._config.top_k)
                self._title = title
        finally:  # Whatever happens, no earlier verdict stays.
            self._show_answer()

    def _chosen(self) -> tuple[str, Checker]:
        """Return the chosen model for the chosen archive, with the threshold of the slider."""
        checkers = self._open(self.archive.value)
        name = self.model.value if self.model.value in checkers else next(iter(checkers))
        checker = copy(checkers[name])
        checker.threshold = self.threshold.value
        return name, checker

    def _open(self, name: str) -> dict[str, Checker]:
        """Return the models that answer for an archive; an index has only its own."""
        if (path := self._archives[name]) is None:
            return self._own
        if name not in self._opened:
            archive = read_archive(path, self._config)
            self._opened[name] = (
                {archive.name: archive}
                if isinstance(archive, TitleIndex)
                else {model: checker.with_titles(archive) for model, checker in self._own.items()}
            )
        return self._opened[name]

    def _on_title_message(self, _: Any, content: Any, __: Any) -> None:
        if content.get("event") == "submit":  # Enter in the field.
            self.check(self.title.value)

    def _on_model(self, _: Any) -> None:
        self._forget_proposals()
        if self._typed:
            self._check(self._typed)

    def _on_archive(self, _: Any) -> None:
        self._forget_proposals()
        self._matches, name = None, self.archive.value
        self._show_answer()
        self._show_message(page_text("corpus_preparing", name=name))
        with self._showing_errors():
            self._list_models(self._open(name))
            self._show_message(page_text("corpus_ready", name=name))
            if self._typed:
                self._check(self._typed)

    def _on_file(self, _: Any) -> None:
        if self.file.value:
            upload = self.file.value[0]
            self.file.value = ()  # So that the same file can be given again.
            self.check_file(upload["name"], bytes(upload["content"]))

    def _list_models(self, checkers: Mapping[str, Checker]) -> None:
        """Offer models without triggering `_on_model`."""
        chosen = self.model.value
        self.model.unobserve(self._on_model, "value")
        self.model.options = [(MODEL_TITLES[name], name) for name in checkers]
        self.model.value = chosen if chosen in checkers else next(iter(checkers))
        self.model.observe(self._on_model, "value")

    def _refresh(self) -> None:
        """Judge by another threshold; the title is not checked again."""
        self._forget_proposals()
        self._show_answer()

    def _show_answer(self) -> None:
        if self._matches is None:
            self.verdict.html = self.table.value = ""
        else:
            matches = self._matches.with_threshold(self.threshold.value)
            self.verdict.html = (
                f"<p>{escape(page_text('answered'))} <q><bdi>{escape(self._title)}</bdi></q></p>"
                f"<p class='judul-galat judul-belum'>{escape(page_text('changed'))}</p>"
                f"{result_html.verdict(matches).html}"
            )
            self.table.value = _scrollable(result_html.match_table(self._title, matches).html)
        self._mark_earlier_title()

    def _mark_earlier_title(self) -> None:
        """Grey the verdict while the field holds another title."""
        is_earlier = self._matches is not None and self.title.value != self._typed
        (self.add_class if is_earlier else self.remove_class)("judul-lama")

    def _show_proposals(self, html: str) -> None:
        self.proposals.value, self._has_table = html, bool(html)

    def _forget_proposals(self) -> None:
        if self._has_table:
            self._show_message(page_text("panel_changed"))
        self._show_proposals("")

    def _show_progress(self, done: int, total: int) -> None:
        text = page_text("running", done=format_number(done), total=format_number(total))
        if 100 * done // total != 100 * (done - 1) // total:  # Not a message for every title.
            self.progress.value = result_html.progress(text, done, total)

    @contextmanager
    def _showing_errors(self) -> Iterator[None]:
        """Show why something cannot be done; the log has what is unexpected."""
        try:
            yield
        except JudulError as error:
            self._show_message(str(error), is_error=True)
        except Exception:
            self._show_message(page_text("panel_failed"), is_error=True)
            raise

    def _show_message(self, text: str, *, is_error: bool = False) -> None:
        style = "judul-galat" if is_error else "judul-petunjuk"
        self.state.html = f"<p class='{style}'>{escape(text)}</p>" if text else ""


def _archives(config: Config) -> dict[str, Path | None]:
    """Return the models' own corpus, the archives of the configuration, and the named ones."""
    named = list_archives(archives_home(config))
    found = {archive.name: archive.corpus for archive in named if archive.corpus.is_file()}
    return {page_text("own_corpus"): None, **found, **config.corpora}


def _scrollable(table: str) -> str:
    return f"<div class='judul-gulir' tabindex='0'>{table}</div>"


def _summary(result: pd.DataFrame, seconds: float, threshold: float, *, model: str, corpus: str) -> str:
    counts = {
        "n": len(result),
        "similar": int(result[batches.VERDICT].isin(batches.CLOSE).sum()),
        "among": int(result[batches.OTHER_VERDICT].isin(batches.CLOSE).sum()),
        "skipped": int((result[batches.VERDICT] == batches.NOT_COMPARED).sum()),
    }
    counts["checked"] = counts["n"] - counts["skipped"]
    facts = {name: format_number(count) for name, count in counts.items()}
    facts |= {"s": format_number(seconds, 1), "threshold": format_number(threshold, 2)}
    sentences = [page_text("batch_done", model=model, corpus=corpus, **facts)]
    if len(result) > MAX_SHOWN_ROWS:
        sentences.append(page_text("panel_shown", n=format_number(MAX_SHOWN_ROWS)))
    if counts["checked"] > batches.MAX_PROPOSALS_COMPARED:
        most = format_number(batches.MAX_PROPOSALS_COMPARED)
        sentences.append(page_text("too_many_among", n=most))
    return " ".join(sentences)


def _proposal_table(titles: list[str], result: pd.DataFrame, rows: pd.Index, threshold: float) -> str:
    """Return the closest proposals first, with the row numbers of the file."""
    position = result[batches.OTHER_ROW]
    result = result.set_axis(rows)
    result[batches.OTHER_ROW] = [rows[k - 1] if pd.notna(k) else pd.NA for k in position]
    highest = result[[batches.PROBABILITY, batches.OTHER_PROBABILITY]].astype(float).max(axis=1)
    order = highest.fillna(-1).sort_values(ascending=False, kind="stable").index[:MAX_SHOWN_ROWS]
    shown = pd.Series(titles, rows).loc[order]
    return _scrollable(result_html.proposal_table(shown, result.loc[order], threshold=threshold).html)
