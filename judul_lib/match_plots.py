"""Figures of one check: how close the first titles are, and what speaks for and against one."""

from html import escape

import plotly.graph_objects as go

from judul_lib.matches import Evidence, Matches
from judul_lib.page_parts import part_title
from judul_lib.plots import ACCENT, GRID, PRIMARY, rounded, style
from judul_lib.settings import ASK, DIFFERENT, SIMILAR

_LABEL_STYLE = {SIMILAR: ("#a93226", ""), ASK: ("#9a6a00", "."), DIFFERENT: ("#5d8aa8", "/")}
_LONGEST = 46


def plain(title: str, longest: int = _LONGEST) -> str:
    """Return a title for a figure: short, and neither markup nor a formula.

    Examples
    --------
    >>> plain("<b>$x$</b>")
    '&lt;b&gt;&#36;x&#36;&lt;/b&gt;'
    """
    title = " ".join(title.split())
    short = title if len(title) <= longest else title[: longest - 1].rstrip() + "…"
    return escape(short).replace("$", "&#36;")


def match_bars(matches: Matches) -> go.Figure:
    """Probability of each match, the likeliest on top, the threshold drawn."""
    names = [f"{k + 1}. {plain(title)}" for k, title in enumerate(matches.titles)]
    figure = go.Figure()
    for label, (colour, pattern) in _LABEL_STYLE.items():
        rows = [k for k, own in enumerate(matches.labels) if own == label]
        if rows:
            figure.add_bar(
                x=rounded(matches.probability[rows], 3), y=rows, orientation="h", name=label,
                marker={"color": colour, "pattern": {"shape": pattern}},
                text=[f"{p:.2f}".replace(".", ",") for p in matches.probability[rows]],
                customdata=[names[k] for k in rows],
                hovertemplate="%{customdata}: %{x}<extra></extra>",
            )  # fmt: skip
    height = 150 + 26 * len(matches)
    style(figure, f"Peluang {len(matches)} judul terdekat", height=height, barmode="overlay")
    figure.add_vline(x=matches.threshold, line={"color": PRIMARY, "dash": "dash"})
    figure.update_layout(showlegend=True, margin={"t": 80, "b": 50})
    figure.update_xaxes(title="peluang", range=[0, 1.08])
    return figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6],
        ticksuffix=" ", gridcolor="rgba(0,0,0,0)",
    )  # fmt: skip


def evidence_waterfall(evidence: Evidence, title: str) -> go.Figure:
    """Walk from where the model starts to its answer for one title, part by part.

    Parameters
    ----------
    evidence : Evidence
    title : str
        The title that is compared with the proposed one.
    """
    parts = dict(sorted(evidence.parts.items(), key=lambda part: -abs(part[1])))
    values = rounded([evidence.base, *parts.values(), evidence.total], 4)
    names = ["titik awal", *(part_title(name) for name in parts), "hasil"]
    shown = [f"{value:+.2f}".replace(".", ",") for value in values]
    figure = go.Figure(
        go.Waterfall(
            orientation="h", y=names, x=values, text=shown, textposition="outside", cliponaxis=False,
            measure=["absolute", *["relative"] * len(parts), "total"],
            increasing={"marker": {"color": "#a93226"}}, decreasing={"marker": {"color": "#5d8aa8"}},
            totals={"marker": {"color": PRIMARY}}, connector={"line": {"color": GRID}},
        )
    )  # fmt: skip
    answer = f"{evidence.probability:.2f}".replace(".", ",")
    heading = f"Yang mendukung dan menentang (peluang {answer})"
    style(figure, f"{heading}<br><sub>{plain(title, 70)}</sub>", height=130 + 34 * len(names))
    if evidence.is_probability:
        figure.update_xaxes(title="peluang", range=[-0.08, 1.15])
    else:
        figure.add_vline(x=0, line={"color": ACCENT, "dash": "dot"})
        figure.update_xaxes(title="log-odds (di atas 0: lebih mungkin penelitian yang sama)")
    return figure.update_yaxes(autorange="reversed", ticksuffix=" ")
