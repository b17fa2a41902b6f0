"""The results as a Markdown table, and as a section of a document."""

import os
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import words

START, END = "<!-- bench:start -->", "<!-- bench:end -->"
_PACKAGES = (
    "numpy scipy scikit-learn rapidfuzz Levenshtein PySastrawi sparse-dot-topn bm25s judul-lib".split()
)
Result = Mapping[str, Any]


def machine() -> dict[str, Any]:
    """Describe the machine and the versions of the packages."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "ram_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def today() -> str:
    """Return the date in UTC."""
    return datetime.now(UTC).date().isoformat()


def table(results: Iterable[Result]) -> str:
    """Format results, as in ``data/benchmarks.json``, as a Markdown table."""
    rows = [words.HEADER, ["---"] + ["---:"] * 4 + ["---"] * 3]
    rows += [_row(result) for result in results]
    cells = ([_cell(text) for text in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _row(result: Result) -> list[str]:
    what = words.BENCHMARKS[result["what"]].format(model=f"`{result['model']}`")
    if "error" in result:
        return [what, f"{result['size']:,}", *["–"] * 4, words.FAILED, "–"]
    if "pairs" in result["more"]:
        what += f": {result['more']['pairs']:,} pairs"
    show = format_duration if result["unit"] == "s" else _format_exponent
    return [
        what,
        f"{result['size']:,}",
        show(result["median"]),
        "–" if result["p95"] is None else show(result["p95"]),
        _format_memory(result["peak_mb"]),
        _goal(result),
        "–" if result["reached"] is None else words.REACHED[result["reached"]],
        "; ".join(_peer(peer, show) for peer in result["peers"]),
    ]


def _peer(peer: Result, show: Any) -> str:
    star = r"\*" if peer["extrapolated"] else ""  # Unescaped, it would start an emphasis.
    ratio = _format_significant(peer["ratio"])
    return f"{words.PEERS[peer['name']]} {show(peer['median'])}{star} (×{ratio})"


def _goal(result: Result) -> str:
    goal = result["goal"]
    if goal is None:
        return "–"
    parts = []
    if goal["below"] is not None:
        show = format_duration if result["unit"] == "s" else _format_exponent
        on = "p95 " if goal["on"] == "p95" else ""
        parts.append(f"{on}< {show(goal['below'], exact=False)}")
    if goal["peak_mb"] is not None:
        parts.append(f"< {_format_memory(goal['peak_mb'])}")
    return ", ".join(parts)


def _cell(text: str) -> str:
    """Escape a text for a table cell."""
    return text.replace("|", r"\|").replace("\n", " ")


def format_duration(seconds: float, *, exact: bool = True) -> str:
    """Format a time in a suitable unit with three significant digits, or, if not *exact*, as it is.

    Examples
    --------
    >>> format_duration(0.01234), format_duration(200)
    ('12.3 ms', '3.33 min')
    >>> format_duration(60, exact=False)
    '60 s'
    """
    if not exact:
        value, unit = (seconds * 1000, "ms") if seconds < 1 else (seconds, "s")
        return f"{value:g} {unit}"
    if seconds < 1:
        value, unit = seconds * 1000, "ms"
    elif seconds < 120:
        value, unit = seconds, "s"
    else:
        value, unit = seconds / 60, "min"
    return f"{_format_significant(value)} {unit}"


def _format_exponent(value: float, *, exact: bool = True) -> str:
    return f"{value:.2f}" if exact else f"{value:g}"


def _format_memory(megabytes: float) -> str:
    return f"{megabytes:.0f} MB" if megabytes < 1024 else f"{megabytes / 1024:.1f} GB"


def _format_significant(value: float) -> str:
    """Format with three significant digits and thousands separators; below 0.1 with one digit."""
    if 0 < value < 0.1:
        return f"{float(f'{value:.1g}'):f}".rstrip("0")
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f}"


def section(results: Mapping[str, Any]) -> str:
    """Return the table with a description of the machine and notes."""
    facts = results["machine"]
    values = {**facts, "ram": _format_memory(facts["ram_mb"]), "date": results["date"]}
    parts = [words.MACHINE.format(**values)]
    if results["quick"]:
        parts.append(words.QUICK)
    parts += [table(results["benchmarks"]), words.NOTES]
    return "\n\n".join(parts)


def replace_section(text: str, section: str) -> str:
    """Replace the text between the two marker comments of a document.

    Raises
    ------
    ValueError
        The document does not have exactly one pair of markers.
    """
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise ValueError(f"The document needs one {START} and after it one {END}.")
    pattern = f"({re.escape(START)}).*({re.escape(END)})"
    return re.sub(pattern, lambda m: f"{m[1]}\n{section}\n{m[2]}", text, flags=re.DOTALL)
