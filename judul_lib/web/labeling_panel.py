"""The tool in which a person judges pairs of titles: two titles, three answers, one step back."""

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
from judul_lib.web.widgets import AnswerButtons, Notice

_TEXTS = {"mirip": "label_mirip", "tidak": "label_tidak", "ragu": "label_ragu", "batal": "label_undo"}
_KEYS = {"mirip": ["1", "m"], "tidak": ["2", "t"], "ragu": ["3", "r"], "batal": ["u"]}
_UNDO = "batal"


class LabelingPanel(widgets.VBox):
    """Ask a person about pairs of a model's corpus.

    What the model says is not shown. All labellers are asked the same pairs in
    the same order, so that their answers can be compared; who comes back goes
    on where they stopped. Nothing is chosen or written before a name is given.

    Parameters
    ----------
    checker : Checker
        The model whose doubts choose the pairs, with the corpus.
    folder : path
        Of the answers, a file each labeller.
    n : int
        Pairs of a queue.
    strategy, random_state
        As for `judul_lib.labeling.active_learning.select_pairs`.
    pairs : sequence of (str, str)
        The queue, where it is drawn already: then none is chosen.

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
        self._given = pairs
        self._checker, self._folder, self._n = checker, Path(folder), n
        self._choose = partial(select_pairs, strategy=strategy, random_state=random_state)
        self.session: LabelingSession | None = None
        self.name = widgets.Text(description=page_text("labeller"))
        self.start_button = widgets.Button(description=page_text("label_start"))
        self.start_button.on_click(lambda _: self.start(self.name.value))
        named = widgets.HBox([self.name, self.start_button]).add_class("judul-pelabel")
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
        self._show(self._work, is_shown=False)
        self._show(self.more, is_shown=False)
        style = widgets.HTML(f"<style>{STYLE_FILE.read_text(encoding='utf-8')}</style>")
        intro = widgets.HTML(
            f"<p>{escape(page_text('label_intro'))}</p>"
            f"<p class='judul-petunjuk'>{escape(page_text('labeller_hint'))}</p>"
        )
        super().__init__([style, intro, named, self._work, self.state, self.more])
        self.add_class("judul-page")

    def __repr__(self) -> str:
        return "Panel pelabelan judul"

    def start(self, name: str) -> None:
        """Open the file of a labeller and ask the first pair that is not answered."""
        self.session = None
        self._show(self._work, is_shown=False)
        self._show(self.more, is_shown=False)
        self._say(page_text("label_preparing"))
        with self._showing_errors():
            session = LabelingSession(self._folder, name, [])
            self._extend_queue(session)
            self.session = session
            self._say("")
            self._show(self._work, is_shown=True)
            self._refresh()
            self.buttons.take_focus()

    def press(self, name: str) -> None:
        """Answer the pair that is shown (a name out of `ANSWERS`), or take back the last answer."""
        session = self.session
        if session is None:
            return
        with self._showing_errors():
            if name == _UNDO:
                said = self._undo(session)
            else:
                session.answer(name)
                said = page_text("label_saved", answer=page_text(_TEXTS[name]).lower())
            self._say(said)
            self._refresh()

    def load_next_queue(self) -> None:
        """Go on with a further queue once this one is done."""
        session = self.session
        if session is None:
            return
        before = session.total
        self._say(page_text("label_preparing"))
        with self._showing_errors():
            self._extend_queue(session, at_least=before + 1)
            self._say("" if session.total > before else page_text("label_no_more"))
            self._refresh()
            self.buttons.take_focus()
        self._show(self.more, is_shown=session.current is None and session.total > before)

    @contextmanager
    def _showing_errors(self) -> Iterator[None]:
        """Tell in the panel what cannot be done, and why."""
        try:
            yield
        except JudulError as error:
            self._say(str(error), is_error=True)
        except OSError as error:
            self._say(describe_os_error(error), is_error=True)

    def _extend_queue(self, session: LabelingSession, *, at_least: int = 1) -> None:
        """Ask queue after queue until one is not answered: each depends on those before it alone."""
        if self._given:
            session.extend(self._given)
            return
        while session.total < at_least or session.current is None:
            chosen = self._choose(self._checker, self._n, labelled=session.queue)
            before = session.total
            session.extend(list(zip(chosen["judul_a"], chosen["judul_b"], strict=True)))
            if session.total == before:  # The archive is used up.
                return
            at_least = 0

    def _undo(self, session: LabelingSession) -> str:
        before = {answer.key: answer for answer in session.answers}
        session.undo()
        taken = set(before) - {answer.key for answer in session.answers}
        words = [page_text(_TEXTS[before[key].label]).lower() for key in taken]
        return page_text("label_undone", answer=words[0]) if words else ""

    def _refresh(self) -> None:
        session = self.session
        assert session is not None
        is_done = session.current is None
        self.pair.html = (
            self._finished(session)
            if session.current is None
            else result_html.title_pair(*session.current).html
        )
        self.buttons.question += 1
        self.buttons.enabled = [*(() if is_done else ANSWERS), *((_UNDO,) if session.can_undo else ())]
        self._show(self.more, is_shown=is_done)
        # Last: where the count is seen, a key counts for the pair beside it.
        facts = {"done": format_number(session.n_done), "total": format_number(session.total)}
        counts = {name: format_number(count) for name, count in session.counts.items()}
        told = f"{page_text('label_progress', **facts)}: {page_text('label_counts', **counts)}"
        self.progress.value = result_html.progress(told, session.n_done, session.total)

    def _finished(self, session: LabelingSession) -> str:
        command = f"judul retrain --labels {shlex.quote(str(session.path.resolve()))}"
        return (
            f"<p><strong>{escape(page_text('label_finished'))}</strong></p>"
            f"<pre class='judul-perintah'>{escape(command)}</pre>"
            f"<p>{escape(page_text('label_ask_other'))}</p>"
        )

    def _say(self, text: str, *, is_error: bool = False) -> None:
        style = "judul-galat" if is_error else "judul-petunjuk"
        self.state.html = f"<p class='{style}'>{escape(text)}</p>" if text else ""

    @staticmethod
    def _show(part: widgets.Widget, *, is_shown: bool) -> None:
        part.layout.display = "" if is_shown else "none"
