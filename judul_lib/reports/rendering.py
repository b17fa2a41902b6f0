"""Render executed notebooks as self-contained HTML files that need no network."""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from judul_lib.figures.style import STYLE_FILE, figure_config, figure_label
from judul_lib.reports.printed_facts import PLOTLY_MIMETYPE, SUMMARY_TAG

_WIDGET_MIMETYPE = "application/vnd.jupyter.widget-view+json"
_TEMPLATES = Path(__file__).parent / "resources" / "report"
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)<a class="anchor-link"')


@dataclass(frozen=True)
class RenderedNotebook:
    """The content of a report, without the page around it.

    Attributes
    ----------
    title : str
        Text of the first heading.
    lead, body : str
        HTML of title and summary, and of the rest.
    sections : list of (str, str)
        Anchor and HTML of each section's heading.
    has_figures : bool
    """

    title: str
    lead: str
    body: str
    sections: list[tuple[str, str]]
    has_figures: bool


def render_notebook(notebook: Any) -> RenderedNotebook:
    """Render the cells of one executed notebook.

    Parameters
    ----------
    notebook : NotebookNode
    """
    summary, body = _split_summary(notebook)
    body_html = _render_cells(body)
    return RenderedNotebook(
        title=notebook_title(notebook),
        lead=_render_cells(summary),
        body=body_html,
        sections=_HEADING.findall(body_html),
        has_figures=PLOTLY_MIMETYPE in json.dumps([*summary.cells, *body.cells]),
    )


def render_report(notebook: Any) -> str:
    """Render one executed notebook as a page.

    The cell tagged ``ringkasan`` and its heading come first; one switch shows the code.

    Parameters
    ----------
    notebook : NotebookNode

    Returns
    -------
    str
        HTML that contains its styles, Plotly and data; its content security policy forbids requests.
    """
    report = render_notebook(notebook)
    return render_page(
        title=report.title,
        lead=report.lead,
        body=report.body,
        sections=report.sections,
        home=("index.html", "Daftar laporan"),
        with_plotly=report.has_figures,
    )


def render_page(
    *,
    title: str,
    lead: str,
    body: str,
    sections: Sequence[tuple[str, str]] = (),
    home: tuple[str, str] = ("", ""),
    with_plotly: bool = False,
) -> str:
    """Render the page around the content of a report or of the index.

    Parameters
    ----------
    title : str
        Text, escaped here.
    lead, body : str
        HTML before and after the table of contents.
    sections : sequence of (str, str)
        Anchor and HTML of each entry of the table of contents; without, the page has none.
    home : (str, str)
        Address and text of the link at the top of a page with sections.
    with_plotly : bool
        Whether the page has figures to draw.
    """
    style = "".join(path.read_text(encoding="utf-8") for path in (_TEMPLATES / "style.css", STYLE_FILE))
    return Template((_TEMPLATES / "page.html.j2").read_text(encoding="utf-8")).render(
        title=escape(title),
        lead=lead,
        body=body,
        sections=sections,
        home=home,
        style=style + HtmlFormatter(style="default").get_style_defs(".highlight"),
        plotly_js=get_plotlyjs().replace("</script", "<\\/script") if with_plotly else "",
        figure_config=json.dumps(figure_config(), ensure_ascii=False),
    )


def _split_summary(notebook: Any) -> tuple[Any, Any]:
    """Return two notebooks: title and summary, and the rest without Papermill's injected cell."""
    summary, body = _copy_without_widgets(notebook), _copy_without_widgets(notebook)
    cells = [cell for cell in body.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    summary.cells = [cells.pop(0)]
    position = next((i for i, cell in enumerate(cells) if _is_summary(cell)), None)
    if position is not None:
        start = position - 1 if cells[position - 1].cell_type == "markdown" else position
        summary.cells += cells[start : position + 1]
        del cells[start : position + 1]
    body.cells = cells
    return summary, body


def _copy_without_widgets(notebook: Any) -> Any:
    """Copy a notebook; a widget, which is dead without its kernel, keeps only its text output."""
    copy = deepcopy(notebook)
    copy.metadata.pop("widgets", None)
    for cell in copy.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(_WIDGET_MIMETYPE, None)
    return copy


def _is_summary(cell: Any) -> bool:
    return SUMMARY_TAG in cell.metadata.get("tags", [])


def notebook_title(notebook: Any) -> str:
    """Return a notebook's first heading as text.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> notebook_title(new_notebook(cells=[new_markdown_cell("# 01 · *Padi* & kopi")]))
    '01 · Padi & kopi'
    """
    heading = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    return unescape(re.sub(r"<[^>]+>", "", markdown2html(heading))).strip()


def _render_cells(notebook: Any) -> str:
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES.parent)],
        filters={"figure_json": _figure_json, "figure_label": figure_label},
    )
    html, _ = exporter.from_notebook_node(notebook)
    return str(html)


def _figure_json(figure: Mapping[str, Any]) -> Markup:
    """Return a figure as JSON in which ``</script>`` cannot occur."""
    content = {"data": figure["data"], "layout": figure["layout"]}
    return Markup(json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704
