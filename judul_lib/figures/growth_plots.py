"""Figures of growth: what a catalogue costs, by its size and by the step that costs it."""

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from judul_lib.core.formatting import number
from judul_lib.figures.style import LOOKS, rounded, style
from judul_lib.search.growth import growth_exponent


def time_growth(seconds: Mapping[str, pd.Series]) -> go.Figure:
    """Time of one check against the size of the catalogue, with the fitted power of each.

    Parameters
    ----------
    seconds : mapping of str to Series
        Index: number of titles; at least two.
    """
    shown = {name: 1000 * series for name, series in seconds.items()}
    return _growth(shown, "Waktu satu pemeriksaan", "milidetik")


def scored_growth(counts: Mapping[str, pd.Series]) -> go.Figure:
    """How many titles are compared in full, against the size of the catalogue.

    Parameters
    ----------
    counts : mapping of str to Series
        Index: number of titles; at least two.
    """
    return _growth(counts, "Judul yang dibandingkan sepenuhnya", "judul")


def _growth(values: Mapping[str, pd.Series], title: str, axis: str) -> go.Figure:
    figure = go.Figure()
    sizes = sorted({int(size) for series in values.values() for size in series.index})
    for (name, series), look in zip(values.items(), LOOKS, strict=False):
        exponent, factor = growth_exponent(series.index, series)
        fitted = [factor * size**exponent for size in (series.index.min(), series.index.max())]
        figure.add_scatter(
            x=series.index.tolist(), y=rounded(series, 3), mode="markers", legendgroup=name,
            marker=look.marker(),
            name=f"{escape(name)}: pangkat {number(exponent, 2)}",
            hovertemplate="%{x} judul: %{y} " + axis + "<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[int(series.index.min()), int(series.index.max())], y=rounded(fitted, 3), mode="lines",
            line=look.line, legendgroup=name, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    style(figure, title, height=360 + 22 * len(values))
    below = {"y": 0, "yref": "container", "yanchor": "bottom", "orientation": "v"}
    figure.update_layout(legend=below, margin={"t": 50, "b": 75 + 22 * len(values)})
    figure.update_yaxes(type="log", title=f"{axis} (skala log)", tickformat=",~g", dtick="D2")
    return figure.update_xaxes(
        type="log", title="judul dalam katalog (skala log)", tickvals=sizes, ticktext=_names(sizes)
    )


def _names(sizes: Sequence[int]) -> list[str]:
    return [number(size) for size in sizes]


def stage_bars(
    costs: pd.DataFrame, n_titles: int, *, of: str = "setiap langkah", unit: str = "detik"
) -> go.Figure:
    """Time of each step of making an index, or of a check, one series a model.

    Parameters
    ----------
    costs : DataFrame
        Index: step, in the order in which they happen; one column a model.
    n_titles : int
        Size of the catalogue.
    of, unit : str
        What costs so much, for the title; of what, for the axis.
    """
    figure = go.Figure()
    steps = [escape(str(step)) for step in costs.index]
    for (name, values), look in zip(costs.items(), LOOKS, strict=False):
        figure.add_bar(
            x=rounded(values, 3), y=steps, orientation="h", name=escape(str(name)),
            marker=look.bar,
            text=[number(float(value), 2) for value in values], textposition="outside",
            cliponaxis=False,
        )  # fmt: skip
    style(
        figure, f"Biaya {of}, {number(n_titles)} judul", barmode="group",
        height=150 + 24 * len(steps) * (1 + len(costs.columns)),
    )  # fmt: skip
    top = 1.2 * float(costs.max().max())
    figure.update_yaxes(autorange="reversed", ticksuffix=" ")
    return figure.update_xaxes(title=unit, range=[0, top])
