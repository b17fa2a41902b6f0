"""The tab for a file of proposals, checked against the archive and against each other."""

import threading
import time
from datetime import date
from functools import partial
from html import escape

import ipywidgets as widgets
import pandas as pd

from judul_lib.checking import batches
from judul_lib.core.errors import JudulError
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import escape_formulas, frame_text
from judul_lib.core.tables import unique_names
from judul_lib.core.texts import page_text
from judul_lib.figures import result_html
from judul_lib.study.corpus import parse_proposals
from judul_lib.usage.installation import AnswerLogBuffer
from judul_lib.web.session import Session
from judul_lib.web.title_panel import file_name
from judul_lib.web.widgets import DownloadButton, FileInput, SortableTable
from judul_lib.widgets.notice import Notice

MAX_SHOWN_ROWS = 200


class _StoppedError(Exception):
    """The visitor has stopped the check."""


class ProposalsPanel(widgets.VBox):
    """A file field, a progress bar, and the result as a table and a download.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stopped = threading.Event()
        self._result: pd.DataFrame | None = None
        self._source = ""
        self.model = widgets.Dropdown(description=page_text("model"))
        self._list_models()
        self.file = FileInput(
            self.start,
            label=page_text("proposals_label"),
            config=session.config,
        )
        self.state, self.progress = Notice(), widgets.HTML()
        self._percent = -1
        self.stop = widgets.Button(description=page_text("stop"))
        self.stop.on_click(lambda _: self._stopped.set())
        self.table = SortableTable(label=page_text("proposal_table"), selected=-1)
        self.download = DownloadButton(self._csv, label=page_text("download"))
        intro = widgets.HTML(f"<p class='judul-petunjuk'>{page_text('proposals_intro')}</p>")
        self._show_buttons(stop=False, result=False)
        status = [self.progress, self.state, self.stop]
        super().__init__([intro, self.model, self.file, *status, self.download, self.table])

    def start(self, name: str, content: bytes) -> threading.Thread:
        """Check a file in the background and return the thread; a check still running is stopped."""
        self._stopped.set()
        stopped = self._stopped = threading.Event()
        self._result, self._percent = None, -1
        self.state.html = ""
        self._show_buttons(stop=True, result=False)
        self.file.show_message(name)
        thread = threading.Thread(target=self._run, args=(name, content, stopped), daemon=True)
        thread.start()
        return thread

    def forget(self) -> None:
        """Discard the result for the previous archive."""
        is_running = self.stop.layout.display == ""
        self._stopped.set()
        self._stopped = threading.Event()
        if is_running or self._result is not None:
            self._show_message(page_text("archive_changed"))
        self._result, self.progress.value = None, ""
        self._show_buttons(stop=False, result=False)
        self._list_models()

    def _list_models(self) -> None:
        """List the models that can be used with the archive."""
        chosen, names = self.model.value, list(self._session.checkers)
        self.model.options = [(MODEL_TITLES[name], name) for name in names]
        self.model.value = chosen if chosen in names else names[0]

    def _run(self, name: str, content: bytes, stopped: threading.Event) -> None:
        message, is_error = page_text("failed"), True
        try:
            message, is_error = self._check(name, content, stopped), False
        except _StoppedError:
            message, is_error = page_text("stopped"), False
        except Exception as error:
            self._session.log_event("error", detail=type(error).__name__)
            if not isinstance(error, JudulError):
                raise
            message = str(error)
        finally:
            if stopped is self._stopped:  # Otherwise another file has been started.
                self.progress.value = ""
                self._show_message(message, is_error=is_error)
                self._show_buttons(stop=False, result=self._result is not None)

    def _check(self, name: str, content: bytes, stopped: threading.Event) -> str:
        notes: list[str] = []
        max_rows = self._session.config.max_rows
        frame, titles, _ = parse_proposals(content, name, max_rows=max_rows, warn=notes.append)
        start = time.perf_counter()
        with self._session.lock:
            checkers, corpus = self._session.checkers, self._session.corpus
        # The archive may have changed since the model was chosen.
        model = self.model.value if self.model.value in checkers else next(iter(checkers))
        checker = checkers[model]
        log_buffer = AnswerLogBuffer(self._session.log, checker, model)
        result = batches.check_proposals(
            titles,
            checker,
            on_progress=partial(self._show_progress, stopped),
            on_answer=log_buffer.add,
        )
        log_buffer.close()
        seconds = time.perf_counter() - start
        result.index = frame.index
        # Row numbers of the file instead of positions.
        position = result[batches.OTHER_ROW]
        result[batches.OTHER_ROW] = position.map(lambda k: frame.index[k - 1], na_action="ignore")
        constants = {"model": model, "arsip": corpus, "ambang": checker.threshold}
        order = _rows_by_probability(result)[:MAX_SHOWN_ROWS]
        table = result_html.proposal_table(
            pd.Series(titles, frame.index).loc[order], result.loc[order], interactive=True,
            threshold=checker.threshold,
        )  # fmt: skip
        with self._session.lock:
            if stopped.is_set():
                raise _StoppedError
            frame.columns = pd.Index(unique_names(frame.columns, [*result.columns, *constants]))
            self._source, self._result = name, pd.concat([frame, result], axis=1).assign(**constants)
            self.table.html = table.html
        return " ".join([self._summary(result, seconds, checker.threshold, model, corpus), *notes])

    def _show_progress(self, stopped: threading.Event, done: int, total: int) -> None:
        if stopped.is_set():
            raise _StoppedError
        # One message per title would take longer than the check.
        percent = 100 * done // total
        if percent != self._percent:
            self._percent = percent
            numbers = {"done": format_number(done), "total": format_number(total)}
            text = page_text("running", **numbers)
            self.progress.value = result_html.progress(text, done, total)

    def _summary(
        self, result: pd.DataFrame, seconds: float, threshold: float, model: str, corpus: str
    ) -> str:
        counts = {
            "n": len(result),
            "similar": int(result[batches.VERDICT].isin(batches.CLOSE).sum()),
            "among": int(result[batches.OTHER_VERDICT].isin(batches.CLOSE).sum()),
            "skipped": int((result[batches.VERDICT] == batches.NOT_COMPARED).sum()),
        }
        counts["checked"] = counts["n"] - counts["skipped"]
        facts = {name: format_number(count) for name, count in counts.items()}
        facts |= {"s": format_number(seconds, 1), "threshold": format_number(threshold, 2)}
        facts |= {"model": MODEL_TITLES[model], "corpus": corpus}
        sentences = [page_text("batch_done", **facts)]
        if len(result) > MAX_SHOWN_ROWS:
            sentences.append(page_text("batch_shown", n=format_number(MAX_SHOWN_ROWS)))
        if counts["checked"] > batches.MAX_PROPOSALS_COMPARED:
            sentences.append(
                page_text("too_many_among", n=format_number(batches.MAX_PROPOSALS_COMPARED))
            )
        return " ".join(sentences)

    def _show_message(self, text: str, *, is_error: bool = False) -> None:
        style = "judul-galat" if is_error else "judul-petunjuk"
        self.state.html = f"<p class='{style}'>{escape(text)}</p>"

    def _show_buttons(self, *, stop: bool, result: bool) -> None:
        self.stop.layout.display = "" if stop else "none"
        for part in (self.download, self.table):
            part.layout.display = "" if result else "none"

    def _csv(self) -> tuple[str, bytes]:
        if self._result is None:
            return file_name("", date.today()), b""
        self._session.log_event("download", detail="csv")
        text = frame_text(escape_formulas(self._result))
        return file_name(self._source.rsplit(".", 1)[0], date.today()), text.encode("utf-8-sig")


def _rows_by_probability(result: pd.DataFrame) -> list[int]:
    """Return the rows in descending order of the larger of their two probabilities."""
    highest = result[[batches.PROBABILITY, batches.OTHER_PROBABILITY]].astype(float).max(axis=1)
    return highest.fillna(-1).sort_values(ascending=False, kind="stable").index.tolist()
