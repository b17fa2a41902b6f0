"""Figures of a check: probabilities of the matches, and their evidence."""

from collections.abc import Sequence
from html import escape
from itertools import takewhile

import numpy as np
import plotly.graph_objects as go

from judul_lib.checking.comparison import RankingComparison
from judul_lib.checking.matches import Evidence, Matches
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import ASK, DIFFERENT, MODEL_TITLES, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.figures.result_html import part_title, verdict_title
from judul_lib.figures.style import (
    ACCENT,
    ASKED,
    BLUE,
    DANGER,
    FALL,
    GRID,
    PRIMARY,
    RISE,
    SERIES_STYLES,
    rounded,
    style,
)

_LABEL_STYLE = {SIMILAR: (DANGER, ""), ASK: (ASKED, "."), DIFFERENT: (BLUE, "/")}
_PATTERN = {"fillmode": "overlay", "fgcolor": "#ffffff"}
# Leaves room for bars on a phone.
_MAX_TITLE_LENGTH = 20
_SMALL = {"size": 12}


def short_title(title: str, max_length: int = _MAX_TITLE_LENGTH) -> str:
    """Return a truncated title for a figure, with markup and formulas escaped.

    Examples
    --------
    >>> short_title("<b>$x$</b>")
    '&lt;b&gt;&#36;x&#36;&lt;/b&gt;'
    """
    title = " ".join(title.split())
    short = title if len(title) <= max_length else title[: max_length - 1].rstrip() + "…"
    return escape(short).replace("$", "&#36;")


def distinguishing_names(titles: Sequence[str]) -> list[str]:
    """Return short names for titles, without the common start of titles whose short names are equal.

    Examples
    --------
    >>> titles = ["Prediksi Harga Rumah di Bekasi", "Prediksi Harga Rumah di Depok", "Deteksi Hoaks"]
    >>> distinguishing_names(titles)
    ['…Bekasi', '…Depok', 'Deteksi Hoaks']
    """
    shorts = [short_title(title) for title in titles]
    families: dict[str, list[list[str]]] = {}
    for short, title in zip(shorts, titles, strict=True):
        families.setdefault(short.casefold(), []).append(title.casefold().split())
    names = []
    for short, title in zip(shorts, titles, strict=True):
        positions = zip(*families[short.casefold()], strict=False)
        n_shared = sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, positions))
        rest = " ".join(title.split()[n_shared:])
        is_shortened = n_shared and rest
        names.append(short_title(f"…{rest}", _MAX_TITLE_LENGTH - 2) if is_shortened else short)
    return names


def match_bars(matches: Matches) -> go.Figure:
    """Bars of the probability of each match, with the threshold."""
    names = [f"{k + 1}. {name}" for k, name in enumerate(distinguishing_names(matches.titles))]
    figure = go.Figure()
    for label, (colour, pattern) in _LABEL_STYLE.items():
        rows = [k for k, match_label in enumerate(matches.labels) if match_label == label]
        if rows:
            figure.add_bar(
                x=rounded(matches.probability[rows], 3), y=rows, orientation="h",
                name=verdict_title(label),
                marker={"color": colour, "pattern": {"shape": pattern, **_PATTERN}},
                text=[format_number(float(p), 2) for p in matches.probability[rows]],
                textposition="outside", cliponaxis=False,
                customdata=[short_title(matches.titles[k], 120) for k in rows],
                hovertemplate="%{customdata}: %{x}<extra></extra>",
            )  # fmt: skip
    height = 150 + 26 * len(matches)
    style(figure, page_text("bars_title", n=len(matches)), height=height, barmode="overlay")
    return _finish_bars(figure, names, matches.threshold)


def ranking_bars(compared: RankingComparison, *, threshold: float, max_titles: int = 10) -> go.Figure:
    """Draw grouped bars of the probability that each model gives to the first titles.

    Parameters
    ----------
    compared : RankingComparison
        Of at most four models.
    threshold : float
        Drawn as a dashed line.
    max_titles : int
        The first ones are those with the highest mean probability.
    """
    titles = compared.titles[:max_titles]
    names = [f"{k + 1}. {name}" for k, name in enumerate(distinguishing_names(titles))]
    figure = go.Figure()
    for column, (name, look) in enumerate(zip(compared.models, SERIES_STYLES, strict=False)):
        chances = compared.probability[:max_titles, column]
        figure.add_bar(
            x=rounded(chances, 3), y=list(range(len(titles))), orientation="h",
            name=MODEL_TITLES[name], marker=look.bar,
            text=[format_number(float(p), 2) for p in chances],
            textposition="outside", cliponaxis=False, textfont=_SMALL,
            customdata=[short_title(title, 120) for title in titles],
            hovertemplate="%{customdata}: %{x}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    height = 160 + (18 * len(compared.models) + 10) * len(titles)
    style(figure, page_text("ranking_title", n=len(titles)), height=height, barmode="group", bargap=0.2)
    return _finish_bars(figure, names, threshold)


def _finish_bars(figure: go.Figure, names: list[str], threshold: float) -> go.Figure:
    """Add the threshold, the axes and the legend of horizontal bars of probabilities."""
    figure.add_vline(x=threshold, line={"color": PRIMARY, "dash": "dash"})
    below = {"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xref": "container"}
    figure.update_layout(showlegend=True, legend=below, margin={"t": 50, "b": 95})
    # Leaves room for the numbers without a tick above 1.
    figure.update_xaxes(title=page_text("chance_axis"), title_font=_SMALL, range=[0, 1.19])
    return figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6],
        ticksuffix=" ", tickfont=_SMALL, gridcolor="rgba(0,0,0,0)",
    )  # fmt: skip


def evidence_waterfall(evidence: Evidence, title: str) -> go.Figure:
    """Waterfall from the base value of the model to its answer, part by part.

    Parameters
    ----------
    evidence : Evidence
    title : str
        The corpus title that was compared.
    """
    parts = dict(sorted(evidence.parts.items(), key=lambda part: -abs(part[1])))
    values = rounded([evidence.base, *parts.values(), evidence.total], 4)
    names = [page_text("base"), *(part_title(name) for name in parts), page_text("total")]
    signed = [f"{value:+.2f}".replace("-", "−") for value in values]
    shown = [f"{name} ({value})" for name, value in zip(names, signed, strict=True)]
    figure = go.Figure(
        go.Waterfall(
            orientation="h", x=values, cliponaxis=False,
            y=[text.replace(".", ",") for text in shown],
            measure=["absolute", *["relative"] * len(parts), "total"],
            # Waterfalls have no patterns: use three tones, and the sign beside each name.
            increasing={"marker": {"color": RISE, "line": {"color": PRIMARY, "width": 1}}},
            decreasing={"marker": {"color": FALL, "line": {"color": PRIMARY, "width": 1}}},
            totals={"marker": {"color": PRIMARY}}, connector={"line": {"color": GRID}},
            hovertemplate="%{y}<extra></extra>",
        )
    )  # fmt: skip
    answer = page_text("probability", p=format_number(evidence.probability, 2))
    heading = f"{page_text('why_title')}<br><sub>{answer}<br>{short_title(title, 38)}</sub>"
    style(figure, heading, height=130 + 34 * len(names))
    subtotals = np.cumsum([evidence.base, *parts.values()])
    low, high = min(0, subtotals.min()), max(0, subtotals.max())
    margin = 0.04 * (high - low)
    figure.update_xaxes(range=rounded([low - margin, high + margin], 3), title=page_text("chance_axis"))
    figure.update_xaxes(title_font=_SMALL).update_yaxes(tickfont=_SMALL)
    if not evidence.is_probability:
        figure.add_vline(x=0, line={"color": ACCENT, "dash": "dot"})
        figure.update_xaxes(title_text=page_text("odds_axis"))
    return figure.update_yaxes(autorange="reversed", ticksuffix=" ")
