"""The numbers that executed notebooks printed, by name, and sentences filled with them.

What the index quotes comes from what the reports show, so that the two can never disagree.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from string import Formatter
from typing import Any

from judul_lib.core.formatting import format_percent

PLOTLY_MIMETYPE = "application/vnd.plotly.v1+json"
SUMMARY_TAG = "ringkasan"
_SHARE = re.compile(r"\b[01],\d+")
_ROW, _CELL = (
    re.compile(r"<tr>(.*?)</tr>", re.DOTALL),
    re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL),
)
_SUMMARY_FACT = re.compile(r"<dt>(.*?)</dt><dd>(.*?)</dd>", re.DOTALL)


class Fact(str):
    """A printed value; the format ``%`` or ``.1%`` shows its shares as percentages.

    Examples
    --------
    >>> f"{Fact('0,840 (0,738 – 0,930)'):%}", f"{Fact('0,9975'):.1%}", f"{Fact('–'):%}"
    ('84 % (74–93 %)', '99,8 %', '–')
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if not spec.endswith("%"):
            return super().__format__(spec)
        decimals = int(spec.strip(".%") or 0)
        shares = _SHARE.sub(lambda m: format_percent(float(m[0].replace(",", ".")), decimals), self)
        return re.sub(r"\s% – ", "–", shares)


@dataclass(frozen=True)
class PrintedFacts:
    """What one executed notebook shows.

    Attributes
    ----------
    summary : mapping of str to Fact
        The box of the cell tagged ``ringkasan``: name to value.
    text : str
        That cell's text output.
    cells : mapping of (str, str) to Fact
        Row and column to value, of the tables and of the bar figures that write their values; the
        first one counts where several share both names.
    """

    summary: Mapping[str, Fact] = field(default_factory=dict)
    text: str = ""
    cells: Mapping[tuple[str, str], Fact] = field(default_factory=dict)


def read_printed_facts(notebook: Any) -> PrintedFacts:
    """Read what an executed notebook shows.

    Parameters
    ----------
    notebook : NotebookNode

    Returns
    -------
    PrintedFacts
        Empty where the notebook has no outputs.
    """
    summary: dict[str, Fact] = {}
    cells: dict[tuple[str, str], Fact] = {}
    text = ""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            html = data.get("text/html", "")
            if SUMMARY_TAG in cell.metadata.get("tags", []):
                text += data.get("text/plain", "")
                summary |= {_plain(name): Fact(_plain(v)) for name, v in _SUMMARY_FACT.findall(html)}
            for key, value in (*_table_cells(html), *_bar_values(data.get(PLOTLY_MIMETYPE, {}))):
                cells.setdefault(key, Fact(value))
    return PrintedFacts(summary, text, cells)


def fill_sentence(template: str, facts: Mapping[str, str]) -> str | None:
    """Fill the named numbers into a sentence; None if one is missing.

    Examples
    --------
    >>> fill_sentence("{Judul dipakai} judul dipakai.", {"Judul dipakai": "123"})
    '123 judul dipakai.'
    >>> fill_sentence("{Judul dipakai} judul dipakai.", {}) is None
    True
    """
    return template.format_map(facts) if names_in(template) <= facts.keys() else None


def names_in(template: str) -> set[str]:
    """Return the names of the numbers that a sentence needs.

    Examples
    --------
    >>> sorted(names_in("{presisi:%} dari {Judul dipakai} judul"))
    ['Judul dipakai', 'presisi']
    """
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def _table_cells(html: str) -> Iterator[tuple[tuple[str, str], str]]:
    columns: list[str] = []
    for row in _ROW.findall(html):
        values = [_plain(value) for value in _CELL.findall(row)]
        if "scope='col'" in row:
            columns = values
            continue
        for column, value in zip(columns[1:], values[1:], strict=False):
            yield (values[0], column), value


def _bar_values(figure: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for trace in figure.get("data", []):
        names, values = trace.get("y"), trace.get("text")
        if (
            trace.get("orientation") != "h"
            or not isinstance(names, list)
            or not isinstance(values, list)
        ):
            continue
        for name, value in zip(names, values, strict=False):
            yield (_plain(str(name)), _plain(str(trace.get("name", "")))), str(value)


def _plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))
