"""The results as a file, as a table, and between two comments in the READMEs."""

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
READMES = {"en": "README.md", "id": "README.id.md"}
_PACKAGES = (
    "numpy scipy scikit-learn rapidfuzz Levenshtein PySastrawi sparse-dot-topn bm25s judul-lib".split()
)
Result = Mapping[str, Any]


def machine() -> dict[str, Any]:
    """Describe where and with what was measured."""
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
    """Return the day in UTC."""
    return datetime.now(UTC).date().isoformat()


def table(results: Iterable[Result], language: str) -> str:
    """Write results as a Markdown table.

    Parameters
    ----------
    results : iterable of mapping
        As in ``results.json``.
    language : str
        ``"en"`` or ``"id"``.
    """
    header = words.HEADER[language]
    rows = [header, ["---"] + ["---:"] * 4 + ["---"] * 3]
    rows += [_row(result, language) for result in results]
    cells = ([_cell(text) for text in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _row(result: Result, language: str) -> list[str]:
    what = _said(words.BENCHMARKS, result["what"], language).format(model=f"`{result['model']}`")
    if "error" in result:
        return [what, _count(result["size"], language), *["–"] * 4, words.FAILED[language], "–"]
    if "pairs" in result["more"]:
        what += f": {_count(result['more']['pairs'], language)} {words.PAIRS[language]}"
    is_time = result["unit"] == "s"
    show = duration if is_time else _plain
    return [
        what,
        _count(result["size"], language),
        show(result["median"], language),
        "–" if result["p95"] is None else show(result["p95"], language),
        _memory(result["peak_mb"], language),
        _goal(result, language),
        "–" if result["reached"] is None else words.REACHED[language][result["reached"]],
        "; ".join(_peer(peer, show, language) for peer in result["peers"]),
    ]


def _peer(peer: Result, show: Any, language: str) -> str:
    star = r"\*" if peer["extrapolated"] else ""  # Bare, it would open an emphasis.
    ratio = _separated(_significant(peer["ratio"]), language)
    name = _said(words.PEERS, peer["name"], language)
    return f"{name} {show(peer['median'], language)}{star} (×{ratio})"


def _goal(result: Result, language: str) -> str:
    goal = result["goal"]
    if goal is None:
        return "–"
    parts = []
    if goal["below"] is not None:
        show = duration if result["unit"] == "s" else _plain
        on = "p95 " if goal["on"] == "p95" else ""
        parts.append(f"{on}< {show(goal['below'], language, exact=False)}")
    if goal["peak_mb"] is not None:
        parts.append(f"< {_memory(goal['peak_mb'], language)}")
    return ", ".join(parts)


def _said(said: Mapping[str, tuple[str, str]], key: str, language: str) -> str:
    return said[key][words.LANGUAGES.index(language)]


def _cell(text: str) -> str:
    """Return a text that does not end its cell early."""
    return text.replace("|", r"\|").replace("\n", " ")


def duration(seconds: float, language: str, *, exact: bool = True) -> str:
    """Write a time in the unit that suits it, with three digits that count; a goal as it is set.

    Examples
    --------
    >>> duration(0.01234, "en"), duration(0.01234, "id"), duration(200, "id")
    ('12.3 ms', '12,3 ms', '3,33 menit')
    >>> duration(60, "en", exact=False)
    '60 s'
    """
    if not exact:
        value, unit = (seconds * 1000, "ms") if seconds < 1 else (seconds, "s")
        return f"{_separated(f'{value:g}', language)} {unit}"
    if seconds < 1:
        value, unit = seconds * 1000, "ms"
    elif seconds < 120:
        value, unit = seconds, "s"
    else:
        value, unit = seconds / 60, words.MINUTES[language]
    return f"{_separated(_significant(value), language)} {unit}"


def _plain(value: float, language: str, *, exact: bool = True) -> str:
    return _separated(f"{value:.2f}" if exact else f"{value:g}", language)


def _memory(megabytes: float, language: str) -> str:
    if megabytes < 1024:
        return f"{megabytes:.0f} MB"
    return f"{_separated(f'{megabytes / 1024:.1f}', language)} GB"


def _significant(value: float) -> str:
    """Write three digits that count, thousands apart; of what is nearly nothing, one."""
    if 0 < value < 0.1:
        return f"{float(f'{value:.1g}'):f}".rstrip("0")
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f}"


def _count(number: int, language: str) -> str:
    return _separated(f"{number:,}", language)


def _separated(text: str, language: str) -> str:
    return text.translate(str.maketrans(",.", ".,")) if language == "id" else text


def section(results: Mapping[str, Any], language: str) -> str:
    """Return the table with where it was measured and how it is to be read."""
    facts = results["machine"]
    ram = _memory(facts["ram_mb"], language)
    said = {**facts, "ram": ram, "date": results["date"]}
    parts = [words.MACHINE[language].format(**said)]
    if results["quick"]:
        parts.append(words.QUICK[language])
    parts += [table(results["benchmarks"], language), words.NOTES[language]]
    return "\n\n".join(parts)


def with_section(text: str, new: str) -> str:
    """Return a document with something else between its two comments.

    Raises
    ------
    ValueError
        It has not exactly one pair of them.
    """
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise ValueError(f"The document needs one {START} and after it one {END}.")
    pattern = f"({re.escape(START)}).*({re.escape(END)})"
    return re.sub(pattern, lambda m: f"{m[1]}\n{new}\n{m[2]}", text, flags=re.DOTALL)
