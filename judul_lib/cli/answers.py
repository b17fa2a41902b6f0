"""Formatting of the answer to one check: a table, JSON or CSV."""

import json
import shutil
import textwrap
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import REMARK_COLUMN, Matches
from judul_lib.core.columns import METADATA_COLUMNS, Details, describe_thesis
from judul_lib.core.formatting import distinguishing_decimals, escape_control_characters, format_number
from judul_lib.core.settings import FEATURE_TITLES, MODEL_TITLES
from judul_lib.core.storage import csv_with_escaped_formulas
from judul_lib.study.features import FEATURES

ALL_SIMILAR = "ambang 0: setiap judul dihitung MIRIP"


def format_answer(
    title: str,
    matches: Matches,
    checker: Checker,
    model: str,
    style: str,
    details: Mapping[str, Details] = MappingProxyType({}),
) -> str:
    """Format the matches of a title.

    Parameters
    ----------
    title : str
        As typed.
    matches : Matches
    checker : Checker
        The checker that returned them.
    model : str
        Name of the model's folder.
    style : {"table", "json", "csv"}
    details : mapping of str to mapping
        What is known of corpus titles; see `title_details`.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> checker = load_checker("outputs/light", ["Deteksi Hoaks", "Prediksi Harga Beras"])
    >>> text = format_answer("Deteksi Hoaks", checker.check("Deteksi Hoaks"), checker, "light", "csv")
    >>> text.splitlines()[0][:36]
    'judul_ref,cosine,jaccard,levenshtein'
    """
    rows, best = matches.rows_with_decision(), matches.decision.rows()[0]
    known = {name for row in rows for name in details.get(row["judul_ref"], {})}
    names = [name for name in METADATA_COLUMNS if name in known]
    if style in ("json", "csv"):
        rows = [row | {n: details.get(row["judul_ref"], {}).get(n, "") for n in names} for row in rows]
    if style == "json":
        answer = {
            "judul": title,
            "model": model,
            "ambang": checker.threshold,
            "rf_label": best["rf_label"],
            "hasil": rows,
        }
        return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"
    if style == "csv":
        return csv_with_escaped_formulas(rows)
    decided = matches.decided.get(best["judul_ref"])
    about = {title: describe_thesis(row) for title, row in details.items()}
    return _text_table(
        rows, best, len(matches), checker, model, decided.remark if decided else "", about
    )


def _text_table(
    rows: list[dict[str, Any]],
    best: dict[str, Any],
    n_ranked: int,
    checker: Checker,
    model: str,
    decided: str,
    about: Mapping[str, str],
) -> str:
    threshold, probability = checker.threshold, best["rf_probability"]
    decimals = distinguishing_decimals(probability, threshold)
    basis = (
        f"peluang {format_number(probability, decimals)}, ambang {format_number(threshold, decimals)}"
        if threshold
        else ALL_SIMILAR
    )
    if decided:
        basis = escape_control_characters(decided)
    n_titles = format_number(len(checker.titles))
    summary = f"{best['rf_label']} ({basis}; {MODEL_TITLES[model]}, {n_titles} judul)"
    headings = {name: FEATURE_TITLES.get(name, name) for name in FEATURES}
    widths = {name: max(5, len(heading)) for name, heading in headings.items()}
    feature_headings = "  ".join(f"{text:>{widths[name]}}" for name, text in headings.items())
    header = f" no  peluang  {feature_headings}  simpulan     "
    lines = [summary, "", f"{header}judul"]
    indent = " " * len(header)
    title_width = max(40, shutil.get_terminal_size((120, 24)).columns - len(indent))
    for position, row in enumerate(rows, start=1):
        rank = str(position) if position <= n_ranked else "…"
        features = "  ".join(f"{format_number(row[name]):>{width}}" for name, width in widths.items())
        decimals = distinguishing_decimals(row["rf_probability"], threshold, 3)
        shown = format_number(row["rf_probability"], decimals)
        values = f"{rank:>3}  {shown:>7}  {features}  {row['rf_label']:<11}  "
        wrapped = textwrap.wrap(escape_control_characters(row["judul_ref"]), title_width) or [""]
        if known := about.get(row["judul_ref"]):
            wrapped += textwrap.wrap(f"[{escape_control_characters(known)}]", title_width)
        if remark := row.get(REMARK_COLUMN):
            wrapped += textwrap.wrap(f"({escape_control_characters(remark)})", title_width)
        lines.append(values + f"\n{indent}".join(wrapped))
    return "\n".join(lines) + "\n"
