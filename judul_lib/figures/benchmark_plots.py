"""Figures of the stored benchmarks: time of a check by archive size, and times of peers."""

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from judul_lib.core.formatting import format_number
from judul_lib.figures.style import ACCENT, PRIMARY, SERIES_STYLES, rounded, style

WORK: Mapping[str, str] = MappingProxyType(
    {
        "preprocess": "mencari kata dasar semua judul",
        "build": "membangun dan menyimpan indeks",
        "build_two": "membangun dan menyimpan indeks, dua proses",
        "open": "membuka indeks",
        "check": "satu pemeriksaan",
        "strange": "satu pemeriksaan judul tanpa kata bersama",
        "many": "1.000 pemeriksaan",
        "dedup": "mencari semua kembar mulai 0,6",
        "dedup_million": "mencari semua kembar mulai 0,8",
    }
)
"""Displayed names of the measured tasks."""

PEERS: Mapping[str, str] = MappingProxyType(
    {
        "study_loop": "program seperti dalam studi",
        "sklearn": "cosine_similarity (scikit-learn)",
        "rapidfuzz": "RapidFuzz",
        "bm25s": "BM25 (bm25s)",
        "all_units": "arti semua kata saja",
    }
)
"""Displayed names of the peers."""


def check_times(seconds: Mapping[str, pd.Series]) -> go.Figure:
    """Time of one check against the number of titles, both on a log scale.

    Parameters
    ----------
    seconds : mapping of str to Series
        Index: number of titles.
    """
    figure = go.Figure()
    sizes = sorted({int(size) for series in seconds.values() for size in series.index})
    for (name, series), look in zip(seconds.items(), SERIES_STYLES, strict=False):
        figure.add_scatter(
            x=series.index.tolist(), y=rounded(1000 * series, 3), mode="lines+markers",
            name=escape(name), line=look.line, marker=look.marker(),
            hovertemplate="%{x} judul: %{y} milidetik<extra></extra>",
        )  # fmt: skip
    style(figure, "Waktu satu pemeriksaan menurut besar katalog", height=460)
    below = {"y": 0, "yref": "container", "yanchor": "bottom", "orientation": "v"}
    figure.update_layout(legend=below, margin={"t": 50, "b": 75 + 22 * len(seconds)})
    figure.update_yaxes(type="log", title="milidetik (skala log)", tickformat=",~f", dtick=1)
    return figure.update_xaxes(
        type="log", title="judul dalam katalog (skala log)",
        tickvals=sizes, ticktext=[format_number(size) for size in sizes],
    )  # fmt: skip


def peer_bars(seconds: pd.Series, n_titles: int) -> go.Figure:
    """Time of one check by this library and its peers, on a log scale.

    Parameters
    ----------
    seconds : Series
        Index: displayed names, this library first.
    n_titles : int
        Size of the catalogue.
    """
    milliseconds = 1000 * seconds
    figure = go.Figure(
        go.Bar(
            x=rounded(milliseconds, 3), y=[escape(str(name)) for name in seconds.index],
            orientation="h", marker_color=[PRIMARY, *[ACCENT] * (len(seconds) - 1)],
            text=[format_number(float(value), 1) for value in milliseconds], textposition="outside",
            cliponaxis=False,
        )
    )  # fmt: skip
    title = f"Satu pemeriksaan di antara {format_number(n_titles)} judul"
    style(figure, title, height=150 + 36 * len(seconds))
    figure.update_layout(margin={"t": 50, "r": 90})
    figure.update_yaxes(autorange="reversed", ticksuffix=" ", title="yang menjawab")
    low, high = np.log10([milliseconds.min(), milliseconds.max()])
    return figure.update_xaxes(
        type="log", title="milidetik (skala log)", tickformat=",~f", dtick=2,
        range=rounded([np.floor(low), high + 0.1], 2),
    )  # fmt: skip
