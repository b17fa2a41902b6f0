"""Tables and the summary box of notebooks and reports; every cell is escaped."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from judul_lib.core.formatting import format_label, format_number


@dataclass(frozen=True)
class Display:
    """An output with HTML for readers and text for comparison."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table(
    frame: pd.DataFrame, *, decimals: int = 3, index: bool = True, unbroken: bool = False
) -> Display:
    """Show a data frame with its names as by `format_label`.

    Parameters
    ----------
    frame : DataFrame
    decimals : int
        Of fractional numbers.
    index : bool
        Whether the row names are shown.
    unbroken : bool
        Keep every cell on one line and aligned to the right, like numbers.
    """
    names = [format_label(name) for name in frame.index] if index else []
    columns = [format_label(name) for name in frame.columns]
    rows = [[format_number(value, decimals) for value in row] for row in frame.itertuples(index=False)]
    numeric = [unbroken or pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    head = "".join(
        f"<th scope='col'{' class=angka' if is_number else ''}>{escape(name)}</th>"
        for name, is_number in zip(columns, numeric, strict=True)
    )
    lines = []
    for position, row in enumerate(rows):
        start = f"<th scope='row'>{escape(names[position])}</th>" if index else ""
        cells = "".join(
            f"<td{' class=angka' if is_number else ''}>{escape(cell)}</td>"
            for cell, is_number in zip(row, numeric, strict=True)
        )
        lines.append(f"<tr>{start}{cells}</tr>")
    axes = [str(name) for name in (frame.index.name, frame.columns.name) if name is not None]
    corner = f"<td>{escape(' ↓, '.join(axes) + (' →' if axes[1:] else ''))}</td>" if index else ""
    html = (
        f"<table class='judul-tabel'><thead><tr>{corner}{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    plain = pd.DataFrame(rows, columns=columns, index=names or None)
    return Display(html, plain.to_string(index=index))


def folded(shown: Display, label: str) -> Display:
    """Show only a label, which unfolds the table behind it.

    Parameters
    ----------
    shown : Display
        As from `table`.
    label : str
        What the table holds.
    """
    html = f"<details class='judul-rincian'><summary>{escape(label)}</summary>{shown.html}</details>"
    return Display(html, shown.text)


def intervals(tables: Mapping[str, pd.DataFrame]) -> Display:
    """Show estimates with their intervals, one column per key.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Each with columns ``estimate``, ``low``, ``high``.
    """
    columns = {
        name: [
            f"{format_number(estimate)} ({format_number(low)} – {format_number(high)})"
            for estimate, low, high in frame[["estimate", "low", "high"]].itertuples(index=False)
        ]
        for name, frame in tables.items()
    }
    return table(pd.DataFrame(columns, index=next(iter(tables.values())).index), unbroken=True)


def summary(facts: Mapping[str, Any], sentence: str = "") -> Display:
    """Show the main results of a notebook; reports put this box first.

    Parameters
    ----------
    facts : mapping of str to number or str
        Name to value.
    sentence : str
        Conclusion, with commands between backticks.
    """
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(format_number(value))}</dd></div>"
        for name, value in facts.items()
    )
    note = re.sub(r"`([^`]+)`", r"<code>\1</code>", f"<p>{escape(sentence)}</p>") if sentence else ""
    lines = [f"{name}: {format_number(value)}" for name, value in facts.items()]
    html = f"<div class='judul-ringkasan'><dl>{items}</dl>{note}</div>"
    return Display(html, "\n".join([*lines, *([sentence] if sentence else [])]))
