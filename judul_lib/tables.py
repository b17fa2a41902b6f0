"""Tables, numbers and the summary box as a reader sees them: Indonesian separators, text as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from judul_lib.settings import FEATURE_TITLES


def number(value: Any, decimals: int = 3) -> str:
    """Write a number with a decimal comma and points between thousands, a day with its year last.

    What is not there is a dash.

    Examples
    --------
    >>> number(12345), number(0.5), number(float("nan")), number("LSTM")
    ('12.345', '0,500', '–', 'LSTM')
    """
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "–"
    if isinstance(value, date):
        return f"{value:%d-%m-%Y}" if value == value else "–"
    if isinstance(value, bool | np.bool_):
        return "ya" if value else "tidak"
    if isinstance(value, int | np.integer):
        return f"{value:,}".replace(",", ".")
    if isinstance(value, float | np.floating):
        return f"{value:,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return str(value)


READABLE: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "akurasi", "f1_weighted": "F1 berbobot", "f1": "F1", "precision": "presisi",
        "support": "pasangan", "roc_auc": "ROC AUC", "roc_auc_hard": "ROC AUC (sulit)",
        "average_precision": "presisi rata-rata", "threshold": "ambang", "brier": "skor Brier",
        "paraphrase_recall": "recall parafrase", "milliseconds": "milidetik", "kilobytes": "kilobyte",
        **FEATURE_TITLES,
        "rf_probability": "peluang mirip", "rf_label": "simpulan", "judul_ref": "judul dalam arsip",
        "judul_a": "judul A", "judul_b": "judul B", "kind": "jenis",
        "n_estimators": "banyak pohon (n_estimators)", "max_depth": "kedalaman (max_depth)",
        "min_samples_split": "isi cabang (min_samples_split)",
        "min_samples_leaf": "isi daun (min_samples_leaf)",
        "predictions": "pemeriksaan", "scores": "skor", "feedback": "pendapat", "events": "kejadian",
        "spool": "yang menunggu di berkas", "copies": "salinan yang disisihkan",
        "audit": "baris jejak audit",
    }
)  # fmt: skip
"""Names of columns, measures, settings and tables as readers see them; files keep their own."""


def readable(name: object) -> str:
    """Return a name as readers see it; names joined by a plus, one by one.

    Examples
    --------
    >>> readable("roc_auc"), readable("cosine + jaccard"), readable("ambang")
    ('ROC AUC', 'kosinus + Jaccard', 'ambang')
    """
    return " + ".join(READABLE.get(part, part) for part in str(name).split(" + "))


def setting(value: Any) -> str:
    """Write a setting of a model.

    Examples
    --------
    >>> setting(None), setting(10.0), setting([100, 200])
    ('tanpa batas', '10', '100, 200')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value))
    if value is None or value != value:
        return "tanpa batas"
    return number(int(value)) if isinstance(value, float) and value.is_integer() else number(value)


def percent(share: float, decimals: int = 1) -> str:
    """Write a share as a percentage.

    Examples
    --------
    >>> percent(0.125)
    '12,5 %'
    """
    return f"{number(100 * share, decimals)} %"


@dataclass(frozen=True)
class Display:
    """What a notebook shows: HTML where it can be read, text where it is compared."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table(
    frame: pd.DataFrame, *, decimals: int = 3, index: bool = True, unbroken: bool = False
) -> Display:
    """Show a data frame, its names as in `READABLE`; every cell is escaped.

    Parameters
    ----------
    frame : DataFrame
    decimals : int
        Of the fractional numbers.
    index : bool
        Whether the row names are shown.
    unbroken : bool
        Keep every cell on one line, aligned to the right, as numbers are.
    """
    names = [readable(name) for name in frame.index] if index else []
    columns = [readable(name) for name in frame.columns]
    rows = [[number(value, decimals) for value in row] for row in frame.itertuples(index=False)]
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
    corner = "<td></td>" if index else ""
    html = (
        f"<table class='judul-tabel'><thead><tr>{corner}{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    plain = pd.DataFrame(rows, columns=columns, index=names or None)
    return Display(html, plain.to_string(index=index))


def intervals(tables: Mapping[str, pd.DataFrame]) -> Display:
    """Show estimates with their intervals, one column a key.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Each with columns ``estimate``, ``low``, ``high``.
    """
    columns = {
        name: [
            f"{number(estimate)} ({number(low)} – {number(high)})"
            for estimate, low, high in frame[["estimate", "low", "high"]].itertuples(index=False)
        ]
        for name, frame in tables.items()
    }
    return table(pd.DataFrame(columns, index=next(iter(tables.values())).index), unbroken=True)


def summary(facts: Mapping[str, Any], sentence: str = "") -> Display:
    """Show the numbers a lecturer would quote; reports put this box first.

    Parameters
    ----------
    facts : mapping of str to number or str
        What is counted, and how much.
    sentence : str
        What to make of it.
    """
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(number(value))}</dd></div>"
        for name, value in facts.items()
    )
    note = f"<p>{escape(sentence)}</p>" if sentence else ""
    lines = [f"{name}: {number(value)}" for name, value in facts.items()]
    html = f"<div class='judul-ringkasan'><dl>{items}</dl>{note}</div>"
    return Display(html, "\n".join([*lines, *([sentence] if sentence else [])]))
