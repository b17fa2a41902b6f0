"""The panel in which a person labels pairs of titles: three answers, and an undo."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from html import escape
from pathlib import Path

import ipywidgets as widgets

from judul_lib.checking.checker import Checker
from judul_lib.core.errors import JudulError, describe_os_error
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import SEED
from judul_lib.core.texts import page_text
from judul_lib.figures import result_html
from judul_lib.figures.style import STYLE_FILE
from judul_lib.labeling.active_learning import select_pairs
from judul_lib.labeling.session import ANSWERS, LabelingSession, Pair
from judul_lib.widgets.answer_buttons import AnswerButtons
from judul_lib.widgets.notice import Notice

_TEXTS = {"mirip": "label_mirip", "tidak": "label_tidak", "ragu": "label_ragu", "batal": "label_undo"}
_KEYS = {"mirip": ["1", "m"], "tidak": ["2", "t"], "ragu": ["3", "r"], "batal": ["u"]}
_UNDO = "batal"


class LabelingPanel(widgets.VBox):
    """Ask a person to label pairs of a model's corpus.

    The model's own answer is not shown. All labellers get the same pairs in the same order, so that
    their answers can be compared, and continue where they stopped. Nothing is selected or written
    before the labeller has entered a name.

    Parameters
    ----------
    checker : Checker
        The model whose uncertainty selects the pairs, with the corpus.
    folder : path
        Folder of the answers, one file per labeller.
    n : int
        Number of pairs in a queue.
    strategy, random_state
        As for `judul_lib.labeling.active_learning.select_pairs`.
    pairs : sequence of (str, str)
        A ready queue; without it, pairs are selected from the corpus.

    Examples
    --------
    >>> from judul_lib.checking.loading import load_checker
    >>> LabelingPanel(load_checker("outputs/light"), "outputs/labels")
    Panel pelabelan judul
    """

    def __init__(
        self,
        checker: Checker,
        folder: str | Path,
        *,
        n: int = 50,
        strategy: str = "beragam",
        random_state: int = SEED,
        pairs: Sequence[Pair] = (),
    ) -> None:
        self._ready_pairs = pairs
        self._checker, self._folder, self._n = checker, Path(folder), n
        self._select_pairs = partial(select_pairs, strategy=strategy, random_state=random_state)
        self.session: LabelingSession | None = None
        self.name = widgets.Text(description=page_text("labeller"))
        self.start_button = widgets.Button(description=page_text("label_start"))
        self.start_button.on_click(lambda _: self.start(self.name.value))
        name_row = widgets.HBox([self.name, self.start_button]).add_class("judul-pelabel")
        self.pair, self.state, self.progress = Notice(), Notice(), widgets.HTML()
        choices = [
            {"name": k, "text": page_text(_TEXTS[k]), "keys": _KEYS[k]} for k in (*ANSWERS, _UNDO)
        ]
        self.buttons = AnswerButtons(
            self.press, choices=choices, label=page_text("label_question"), hint=page_text("label_keys")
        )
        self.more = widgets.Button(description=page_text("label_more"))
        self.more.on_click(lambda _: self.load_next_queue())
        self._work = widgets.VBox([self.progress, self.pair, self.buttons])
        self._set_visible(self._work, is_visible=False)
        self._set_visible(self.more, is_visible=False)
        style = widgets.HTML(f"<style>{STYLE_FILE.read_text(encoding='utf-8')}</style>")
        intro = widgets.HTML(
            f"<p>{escape(page_text('label_intro'))}</p>"
            f"<p class='judul-petunjuk'>{escape(page_text('labeller_hint'))}</p>"
        )
        super().__init__([style, intro, name_row, self._work, self.state, self.more])
        self.add_class("judul-page")

    def __repr__(self) -> str:
        return "Panel pelabelan judul"

    def start(self, name: str) -> None:
        """Open the file of a labeller and show the first unanswered pair."""
        self.session = None
        self._set_visible(self._work, is_visible=False)
        self._set_visible(self.more, is_visible=False)
        self._show_message(page_text("label_preparing"))
        with self._showing_errors():
            session = LabelingSession(self._folder, name, [])
            self._extend_queue(session)
            self.session = session
            self._show_message("")
            self._set_visible(self._work, is_visible=True)
            self._refresh()
            self.buttons.take_focus()

    def press(self, name: str) -> None:
        """Answer the current pair with a name of `ANSWERS`, or undo the last answer."""
        session = self.session
        if session is None:
            return
        with self._showing_errors():
            if name == _UNDO:
                message = self._undo(session)
            else:
                session.answer(name)
                message = page_text("label_saved", answer=page_text(_TEXTS[name]).lower())
            self._show_message(message)
            self._refresh()

    def load_next_queue(self) -> None:
        """Continue with another queue after this one."""
        session = self.session
        if session is None:
            return
        before = session.total
        self._show_message(page_text("label_preparing"))
        with self._showing_errors():
            self._extend_queue(session, at_least=before + 1)
            self._show_message("" if session.total > before else page_text("label_no_more"))
            self._refresh()
            self.buttons.take_focus()
        self._set_visible(self.more, is_visible=session.current is None and session.total > before)

    @contextmanager
    def _showing_errors(self) -> Iterator[None]:
        """Show errors in the panel."""
        try:
            yield
        except JudulError as error:
            self._show_message(str(error), is_error=True)
        except OSError as error:
            self._show_message(describe_os_error(error), is_error=True)

    def _extend_queue(self, session: LabelingSession, *, at_least: int = 1) -> None:
        """Add queues until one has unanswered pairs; each depends only on the earlier ones."""
        if self._ready_pairs:
            session.extend(self._ready_pairs)
            return
        while session.total < at_least or session.current is None:
            selected = self._select_pairs(self._checker, self._n, labelled=session.queue)
            before = session.total
            session.extend(list(zip(selected["judul_a"], selected["judul_b"], strict=True)))
            if session.total == before:  # No pairs are left.
                return
            at_least = 0

    def _undo(self, session: LabelingSession) -> str:
        before = {answer.key: answer for answer in session.answers}
        session.undo()
        undone = set(before) - {answer.key for answer in session.answers}
        labels = [page_text(_TEXTS[before[key].label]).lower() for key in undone]
        return page_text("label_undone", answer=labels[0]) if labels else ""

    def _refresh(self) -> None:
        session = self.session
        assert session is not None
        is_done = session.current is None
        self.pair.html = (
            self._finished_html(session)
            if session.current is None
            else result_html.title_pair(*session.current).html
        )
        self.buttons.question += 1
        self.buttons.enabled = [*(() if is_done else ANSWERS), *((_UNDO,) if session.can_undo else ())]
        self._set_visible(self.more, is_visible=is_done)
        # The progress comes last: when it has changed, keys already apply to the new pair.
        facts = {"done": format_number(session.n_done), "total": format_number(session.total)}
        counts = {name: format_number(count) for name, count in session.counts.items()}
        text = f"{page_text('label_progress', **facts)}: {page_text('label_counts', **counts)}"
        self.progress.value = result_html.progress(text, session.n_done, session.total)

    def _finished_html(self, session: LabelingSession) -> str:
        command = f"judul retrain --labels {shlex.quote(str(session.path.resolve()))}"
        return (
            f"<p><strong>{escape(page_text('label_finished'))}</strong></p>"
            f"<pre class='judul-perintah'>{escape(command)}</pre>"
            f"<p>{escape(page_text('label_ask_other'))}</p>"
        )

    def _show_message(self, text: str, *, is_error: bool = False) -> None:
        style = "judul-galat" if is_error else "judul-petunjuk"
        self.state.html = f"<p class='{style}'>{escape(text)}</p>" if text else ""

    @staticmethod
    def _set_visible(part: widgets.Widget, *, is_visible: bool) -> None:
        part.layout.display = "" if is_visible else "none"
