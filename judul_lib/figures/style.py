"""Common style of all figures: colours, dashes, markers, number format and Indonesian controls.

Series differ in dash, marker or pattern and in lightness, not only in hue, because
reports are printed in grey.
"""

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from numpy.typing import ArrayLike

from judul_lib.core.texts import page_text

STYLE_FILE = Path(__file__).parent / "resources" / "style.css"
PRIMARY, ACCENT, BLUE, PURPLE = "#2c3e50", "#d27d2d", "#5d8aa8", "#74527a"
GREY, GRID = "#7b8794", "#dfe4ea"
RISE, FALL, ASKED, DANGER = "#cf6f5b", "#a9c9dd", "#9a6a00", "#a93226"
SHADES = [[0.0, "#ffffff"], [0.5, "#8fb3cc"], [1.0, PRIMARY]]


class SeriesStyle(NamedTuple):
    """Style of one series of a figure."""

    color: str
    dash: str
    symbol: str
    pattern: str

    @property
    def line(self) -> dict[str, str]:
        """Line of a scatter trace."""
        return {"color": self.color, "dash": self.dash}

    @property
    def bar(self) -> dict[str, Any]:
        """Marker of a bar trace."""
        return {"color": self.color, "pattern": {"shape": self.pattern}}

    def marker(self, size: float | list[float] = 10, **options: Any) -> dict[str, Any]:
        """Return the marker of a scatter trace; size in pixels."""
        return {"color": self.color, "symbol": self.symbol, "size": size, **options}


SERIES_STYLES = (
    SeriesStyle(PRIMARY, "solid", "circle", ""),
    SeriesStyle(ACCENT, "dash", "x", "/"),
    SeriesStyle(BLUE, "dot", "square", "."),
    SeriesStyle(PURPLE, "dashdot", "diamond", "x"),
)
"""Styles of the series of a figure, in order."""

_AXIS = {
    "gridcolor": GRID, "linecolor": GRID, "zeroline": False, "automargin": True,
    "title": {"standoff": 15}, "exponentformat": "none", "separatethousands": True,
}  # fmt: skip
_INDONESIAN = {
    "dictionary": {
        "Autoscale": "Skala otomatis",
        "Double-click on legend to isolate one trace": "Klik dua kali pada legenda: satu seri saja",
        "Double-click to zoom back out": "Klik dua kali untuk kembali ke ukuran semula",
        "Download plot": "Unduh gambar",
        "Download plot as a PNG": "Unduh gambar (PNG)",
        "Image download succeeded": "Gambar terunduh",
        "Pan": "Geser",
        "Preparing image - this may take a few seconds": "Menyiapkan gambar, tunggu sebentar",
        "Reset": "Kembalikan",
        "Reset axes": "Kembalikan sumbu",
        "Sorry, there was a problem downloading your image!": "Gambar tidak dapat diunduh.",
        "Zoom": "Perbesar sebagian",
        "Zoom in": "Perbesar",
        "Zoom out": "Perkecil",
    },
}


def figure_config() -> dict[str, Any]:
    """Return the plotly configuration: Indonesian buttons, and none that uploads the figure.

    Examples
    --------
    >>> figure_config()["locale"]
    'id'
    """
    return {
        "responsive": True, "displaylogo": False, "showSendToCloud": False, "plotlyServerURL": "",
        "modeBarButtonsToRemove": ["select2d", "lasso2d"],
        "locale": "id", "locales": {"id": _INDONESIAN},
    }  # fmt: skip


def use_in_notebook() -> None:
    """Store figures as data instead of scripts, to keep notebooks small and comparable."""
    pio.renderers["plotly_mimetype"].config = figure_config()
    pio.renderers.default = "plotly_mimetype"


def figure_label(figure: Mapping[str, Any]) -> str:
    """Describe a figure for screen readers: title, axes, series.

    Parameters
    ----------
    figure : mapping
        With ``data`` and ``layout``, as plotly writes it in JSON.

    Examples
    --------
    >>> bars = go.Figure(go.Bar(x=[1], y=[2], name="a"), {"title": {"text": "Panjang"}})
    >>> figure_label(bars.update_xaxes(title="kata").to_dict())
    'Panjang. Sumbu mendatar: kata. Isi: a.'
    """
    layout = figure["layout"]
    x_axes, y_axes = (
        [_title_text(axis) for name, axis in layout.items() if name.startswith(prefix)]
        for prefix in ("xaxis", "yaxis")
    )
    traces = [trace for trace in figure["data"] if trace.get("showlegend") is not False]
    series = [_plain_text(trace.get("name") or "") for trace in traces]
    parts = [_title_text(layout)]
    for key, texts in (("figure_across", x_axes), ("figure_up", y_axes), ("figure_series", series)):
        names = list(dict.fromkeys(filter(None, texts)))
        if names:
            parts.append(page_text(key, names=", ".join(names)))
    return ". ".join(filter(None, parts)) + "."


def _title_text(titled: Mapping[str, Any]) -> str:
    """Return the title of a figure or an axis as text."""
    title = titled.get("title") or ""
    return _plain_text(title.get("text") or "" if isinstance(title, Mapping) else title)


def _plain_text(html: str) -> str:
    text = re.sub(r"<[^>]+>", " ", html.replace("<br>", ": "))
    return " ".join(unescape(text).split()).replace(" :", ":")


def style(figure: go.Figure, title: str, *, height: int = 400, **layout: Any) -> go.Figure:
    """Set the title and the common style of a figure."""
    # An update instead of the assignment would keep the default template.
    figure.layout.template = {"layout": {"xaxis": _AXIS, "yaxis": _AXIS}}
    figure.update_layout(
        title={
            "text": title, "x": 0.01, "xref": "container", "y": 1, "pad": {"t": 14},
            "yanchor": "top", "font": {"size": 16},
        },
        height=height,
        margin={"l": 60, "r": 20, "t": 95, "b": 60},
        font={"family": "system-ui, Segoe UI, Roboto, sans-serif", "size": 13, "color": PRIMARY},
        colorway=[look.color for look in SERIES_STYLES],
        separators=",.",
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        **layout,
    )  # fmt: skip
    return figure


def rounded(values: ArrayLike, decimals: int = 4) -> list[Any]:
    """Return values as a list, rounded so that they print the same on every machine.

    Examples
    --------
    >>> rounded([1 / 3, 1])
    [0.3333, 1.0]
    """
    return np.round(np.asarray(values, dtype=float), decimals).tolist()
