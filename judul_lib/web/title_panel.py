"""The tab for one title: its field, and the verdict and evidence of each model."""

import json
import re
from collections.abc import Mapping
from datetime import date
from html import escape

import ipywidgets as widgets
import plotly.graph_objects as go

from judul_lib.checking.comparison import compare_rankings
from judul_lib.checking.matches import Matches, study_csv
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import csv_with_escaped_formulas
from judul_lib.core.texts import page_text
from judul_lib.figures import result_html
from judul_lib.figures.match_plots import evidence_waterfall, match_bars, ranking_bars
from judul_lib.figures.style import figure_config, figure_label
from judul_lib.usage.log import Feedback
from judul_lib.web.session import MAX_RESULTS, MAX_TITLE_LENGTH, Session, TimedMatches, title_problem
from judul_lib.web.widgets import (
    DownloadButton,
    FigureName,
    RangeInput,
    SortableTable,
    TitleForm,
)
from judul_lib.widgets.notice import Notice


class FigureBox(widgets.VBox):
    """One figure with an accessible name."""

    def __init__(self) -> None:
        self._config = figure_config()
        self.name, self.output = FigureName(), widgets.Output()
        super().__init__([self.name, self.output])

    def draw(self, figure: go.Figure) -> None:
        """Show a figure instead of the previous one."""
        content = {**json.loads(figure.to_json()), "config": self._config}
        data = {"application/vnd.plotly.v1+json": content}
        self.output.layout.height = f"{figure.layout.height}px"
        self.output.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
        self.name.text = figure_label(content)


def file_name(title: str, day: date) -> str:
    """Return a file name made of date and title.

    Examples
    --------
    >>> file_name("Prediksi Harga: Beras/LSTM", date(2026, 1, 2))
    '2026-01-02_prediksi-harga-beras-lstm.csv'
    """
    words = re.findall(r"[a-z0-9]+", title.lower())
    return f"{day:%Y-%m-%d}_{'-'.join(words)[:60].strip('-') or 'judul'}.csv"


def not_prepared_html(what: str, session: Session) -> str:
    """Return a note that *what* is not available for the chosen archive, and which models are."""
    available = ", ".join(MODEL_TITLES[name] for name in session.checkers)
    text = page_text("not_prepared", what=what, name=session.corpus, models=available)
    return f"<p class='judul-petunjuk'>{escape(text)}</p>"


class ModelPanel(widgets.VBox):
    """The answer of one model: verdict, table, figures, download, feedback."""

    def __init__(self, name: str, session: Session) -> None:
        self._name, self._session = name, session
        self._title = ""
        self._matches: Matches | None = None
        self.verdict = Notice()
        self.table = SortableTable(label=page_text("table_name", model=MODEL_TITLES[name]))
        self.table.observe(lambda _: self._draw_evidence(), "selected")
        self.bars, self.evidence = FigureBox(), FigureBox()
        self.thanks = Notice()
        self._result = widgets.VBox(
            [
                widgets.HTML(f"<p class='judul-petunjuk'>{page_text('legend')}</p>"),
                self.table,
                widgets.Box(
                    [
                        DownloadButton(self._csv, label=page_text("download")),
                        DownloadButton(self._whole_csv, label=page_text("download_all")),
                    ]
                ).add_class("judul-umpan-balik"),
                widgets.Box([self.bars, self.evidence]).add_class("judul-gambar"),
                *([] if session.log is None else [self._feedback_row(), self.thanks]),
            ]
        )
        self.show_waiting()
        super().__init__([self.verdict, self._result])

    def show(self, title: str, matches: Matches) -> None:
        """Show verdict and table; `draw` adds the figures."""
        self._title, self._matches = title, matches
        self.verdict.html = result_html.verdict(matches).html
        self.table.html = result_html.match_table(title, matches, interactive=True).html
        self._result.layout.display = "" if len(matches) else "none"

    def show_not_prepared(self) -> None:
        """Show that this model has no answer for the archive, and which models have."""
        self._matches = None
        self.verdict.html = not_prepared_html(MODEL_TITLES[self._name], self._session)
        self._result.layout.display = "none"

    def show_waiting(self) -> None:
        """Show that there is no answer yet."""
        self._matches = None
        self._result.layout.display = "none"
        self.verdict.html = f"<p class='judul-petunjuk'>{page_text('waiting')}</p>"

    def reset_feedback(self) -> None:
        """Reset the selected row and the thanks for the previous title."""
        self.table.selected, self.thanks.html = 0, ""

    def draw(self) -> None:
        """Draw the figures of the current matches."""
        if self._matches is not None and len(self._matches):
            self.bars.draw(match_bars(self._matches))
            self._draw_evidence()

    def _draw_evidence(self) -> None:
        checker = self._session.checkers.get(self._name)
        if checker is not None and self._matches is not None and len(self._matches):
            other = self._matches.titles[min(self.table.selected, len(self._matches) - 1)]
            evidence = evidence_waterfall(checker.evidence(self._title, other), other)
            self.evidence.draw(evidence)

    def _csv(self) -> tuple[str, bytes]:
        assert self._matches is not None
        self._session.log_event("download", model=self._name, detail="csv")
        rows = [
            {"judul": self._title, "model": self._name, **row, "ambang": self._matches.threshold}
            for row in self._matches.rows_with_decision()
        ]
        return file_name(self._title, date.today()), csv_with_escaped_formulas(rows).encode("utf-8-sig")

    def _whole_csv(self) -> tuple[str, bytes]:
        """Return every title of the archive; checked again, because the page keeps only the best."""
        assert self._matches is not None
        self._session.log_event("download", model=self._name, detail="csv_all")
        with self._session.lock:
            matches = self._session.checkers[self._name].check(self._title)
        name = file_name(f"semua {self._title}", date.today())
        return name, study_csv(matches.with_threshold(self._matches.threshold))

    def _feedback_row(self) -> widgets.Widget:
        right = widgets.Button(description=page_text("right"))
        wrong = widgets.Button(description=page_text("wrong"))
        right.on_click(lambda _: self._log_feedback(is_right=True))
        wrong.on_click(lambda _: self._log_feedback(is_right=False))
        rates = []
        for n in range(1, 6):
            rate = widgets.Button(description=str(n), tooltip=page_text("rate", n=n))
            rate.on_click(lambda _, n=n: self._log_feedback(rating=n))
            rates.append(rate.add_class("judul-nilai"))
        row = [
            widgets.Label(page_text("feedback")),
            right,
            wrong,
            widgets.Label(page_text("rating")),
            *rates,
        ]
        return widgets.Box(row).add_class("judul-umpan-balik")

    def _log_feedback(self, *, is_right: bool | None = None, rating: int | None = None) -> None:
        log = self._session.log
        if log is None or self._matches is None or not len(self._matches):
            return
        decision = self._matches.decision
        probability = float(decision.probability[0])
        answer = (self._name, decision.labels[0], probability, decision.threshold, is_right, rating)
        is_logged = log.log_feedback(Feedback(*answer, self._title, decision.titles[0]))
        thanks = page_text("thanks_text" if self._session.config.log_text else "thanks")
        self.thanks.html = f"<p class='judul-petunjuk'>{thanks}</p>" if is_logged else ""


class ComparisonPanel(widgets.VBox):
    """The answers of all models side by side: verdicts, top titles, figure."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._title = ""
        self._answers: dict[str, Matches] = {}
        self.summary, self.rankings, self.bars = Notice(), widgets.HTML(), FigureBox()
        figure = widgets.Box([self.bars]).add_class("judul-gambar")
        self._result = widgets.VBox([self.rankings, figure])
        super().__init__([self.summary, self._result])

    def show(self, title: str, answers: dict[str, Matches], seconds: Mapping[str, float]) -> None:
        """Show the verdicts; `draw` adds the top titles and the figure."""
        has_models, has_matches = len(self._session.checkers) > 1, all(map(len, answers.values()))
        self._title, self._answers = title, answers if has_models and has_matches else {}
        if not has_models:
            self.summary.html = not_prepared_html(page_text("comparison"), self._session)
        elif self._answers:
            named = {MODEL_TITLES[name]: matches for name, matches in answers.items()}
            times = {MODEL_TITLES[name]: time for name, time in seconds.items()}
            self.summary.html = result_html.comparison(named, seconds=times).html
        else:
            self.summary.html = ""
        self._result.layout.display = "" if self._answers else "none"

    def draw(self) -> None:
        """Show the top titles of the models, in a table and a figure."""
        if self._answers:
            with self._session.lock:
                compared = compare_rankings(self._title, self._answers, self._session.checkers)
            threshold = next(iter(self._answers.values())).threshold
            self.rankings.value = result_html.ranking_comparison(compared, threshold=threshold).html
            self.bars.draw(ranking_bars(compared, threshold=threshold))


class TitlePanel(widgets.VBox):
    """The title field, and a tab for each model and for their comparison.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._title = self._typed = ""
        self._answers: dict[str, TimedMatches] = {}
        self.form = TitleForm(
            self.check,
            max_length=MAX_TITLE_LENGTH,
            texts={
                "label": page_text("title_label"), "placeholder": page_text("title_placeholder"),
                "hint": page_text("title_hint"), "button": page_text("check"),
                "busy": page_text("checking"),
            },
        )  # fmt: skip
        config = session.config
        self.threshold = RangeInput(label=page_text("threshold"), value=config.threshold)
        self.top_k = RangeInput(
            label=page_text("top_k"), value=config.top_k,
            min=5, max=MAX_RESULTS, step=1, decimals=0,
        )  # fmt: skip
        self.threshold.observe(lambda _: self._show(), "value")
        self.top_k.observe(lambda _: self._show(), "value")
        self.panels = {name: ModelPanel(name, session) for name in session.models}
        self.comparison = ComparisonPanel(session)
        children: list[widgets.Widget] = list(self.panels.values())
        titles = [MODEL_TITLES[name] for name in self.panels]
        if len(self.panels) > 1:
            children, titles = [*children, self.comparison], [*titles, page_text("comparison")]
        self.tabs = widgets.Tab(children, titles=titles)
        self.tabs.observe(lambda _: self._draw(), "selected_index")
        sliders = widgets.Box([self.threshold, self.top_k]).add_class("judul-geseran")
        self.answered_title = Notice()
        super().__init__(
            [
                self.form,
                sliders,
                self.answered_title,
                self.tabs,
                widgets.HTML(self._missing_models_html()),
            ]
        )
        self.add_class("judul-satu")
        self._show()

    def check(self, title: str) -> None:
        """Show the answer of every model, or why the title cannot be checked."""
        self.form.message = title_problem(title) or ""
        if self.form.message:
            return
        with self._session.lock:  # The archive may change in a background thread.
            try:
                self._answers = self._session.check(title)
            except Exception as error:
                self._answers = {}
                self._show()
                self.form.message = page_text("failed")
                self._session.log_event("error", detail=type(error).__name__)
                raise
            self._title, self._typed = " ".join(title.split()), title
            for panel in self.panels.values():
                panel.reset_feedback()
            self._show()
            self._session.log_answers(self._title, self._answers)

    def check_again(self) -> None:
        """Check the title again after the archive has changed."""
        with self._session.lock:
            self._answers = {}
            if self._title:
                self.check(self._title)
            else:
                self._show()

    def _show(self) -> None:
        """Show the answers at the current threshold; nothing is computed again."""
        with self._session.lock:
            self.form.answered = self._typed if self._answers else ""
            self.answered_title.html = self._answered_title_html() if self._answers else ""
            top, threshold = int(self.top_k.value), self.threshold.value
            visible = {
                n: a.matches.with_threshold(threshold).first(top) for n, a in self._answers.items()
            }
            for name, panel in self.panels.items():
                if name in visible:
                    panel.show(self._title, visible[name])
                elif name in self._session.checkers:
                    panel.show_waiting()
                else:
                    panel.show_not_prepared()
            seconds = {name: answer.seconds for name, answer in self._answers.items()}
            self.comparison.show(self._title, visible, seconds)
            self._draw()

    def _draw(self) -> None:
        """Draw the figures of the open tab only: a hidden one has no width yet."""
        open_tab = self.tabs.children[self.tabs.selected_index or 0]
        if isinstance(open_tab, ModelPanel | ComparisonPanel):
            open_tab.draw()

    def _answered_title_html(self) -> str:
        """Return the answered title, and a note shown only while the field holds another one."""
        answered = f"{escape(page_text('answered'))} <q><bdi>{escape(self._title)}</bdi></q>"
        return f"<p>{answered}</p><p class='judul-galat judul-belum'>{escape(page_text('changed'))}</p>"

    def _missing_models_html(self) -> str:
        missing = self._session.missing
        if not missing:
            return ""
        if len(self.panels) == 1:
            note = page_text("only_model", name=MODEL_TITLES[next(iter(self.panels))])
        else:
            note = page_text("missing_model", names=", ".join(missing))
        return f"<p class='judul-petunjuk'>{note.replace('`make run`', '<code>make run</code>')}</p>"
