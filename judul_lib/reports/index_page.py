"""The page that lists the reports: the answer, ways of reading, each one's question and answer."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Template
from markupsafe import Markup

from judul_lib.reports.printed_facts import PrintedFacts, fill_sentence, names_in, read_printed_facts
from judul_lib.reports.rendering import notebook_title, render_page

INDEX_TITLE = "Laporan kemiripan judul tugas akhir"
_RESOURCES = Path(__file__).parent / "resources"
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)(?:#([^)]+))?\)")
_OTHERS = "Laporan lain"

Link = Callable[[str, str], str]
"""Function of a report's name and a section's anchor (or "") that returns the address."""


@dataclass(frozen=True)
class Entry:
    """A report in the list.

    Attributes
    ----------
    link, title, question : str
    answer : str
        One sentence with numbers; where these are made up, what the report demonstrates.
    made_up : str
        What is simulated or made up in it, or "".
    """

    link: str
    title: str
    question: str
    answer: str
    made_up: str


def report_address(name: str, anchor: str) -> str:
    """Return the address of a report, or of a section in it, from its neighbours in the folder.

    Examples
    --------
    >>> report_address("12_study", ""), report_address("12_study", "Setiap-angka")
    ('12_study.html', '12_study.html#Setiap-angka')
    """
    return f"{name}.html" + (f"#{anchor}" if anchor else "")


def render_index(notebooks: Mapping[str, Any], data_name: str) -> str:
    """Render the page that lists all reports.

    Parameters
    ----------
    notebooks : mapping of str to NotebookNode
        File name of the report to its executed notebook.
    data_name : str
        File name of the titles that the run used.
    """
    by_name = {name.removesuffix(".html"): notebook for name, notebook in notebooks.items()}
    lead = (
        f"<h1>{INDEX_TITLE}</h1><p>Dihitung dari <code>{escape(data_name)}</code>. Setiap laporan "
        "adalah satu berkas yang dapat dibuka, dicetak dan dikirim tanpa jaringan; "
        "<code>judul book</code> menyatukan semuanya.</p>"
    )
    return render_page(title=INDEX_TITLE, lead=lead, body=render_list(by_name, report_address))


def render_list(notebooks: Mapping[str, Any], link: Link) -> str:
    """Render answers, ways of reading and the list of reports, without the page around them.

    Parameters
    ----------
    notebooks : mapping of str to NotebookNode
        Name of the report, such as ``"12_study"``, to its executed notebook.
    link : callable
        Takes a report's name and an anchor in it, or "", and returns the address.
    """
    texts = _texts()
    facts = {name: read_printed_facts(notebook) for name, notebook in notebooks.items()}
    quoted = {
        key: value
        for key, (name, *place) in texts["facts"].items()
        if (value := _find(facts.get(name, PrintedFacts()), place)) is not None
    }
    answers = [
        (answer["about"], filled, _links(_sources(answer["text"]), link))
        for answer in texts["answers"]
        if (filled := fill_sentence(answer["text"], quoted)) is not None
    ]
    readings = [
        (reading["reader"], [_markup(step, notebooks, link) for step in reading["steps"]])
        for reading in texts["readings"]
    ]
    groups = [
        (title, _markup(note), [_entry(name, notebooks[name], facts[name], link) for name in names])
        for title, note, names in _group(list(notebooks))
    ]
    source = (_RESOURCES / "report_list.html.j2").read_text(encoding="utf-8")
    return Template(source, autoescape=True).render(answers=answers, readings=readings, groups=groups)


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads((_RESOURCES / "index.toml").read_text(encoding="utf-8"))


def _find(facts: PrintedFacts, place: list[str]) -> str | None:
    return facts.summary.get(place[0]) if len(place) == 1 else facts.cells.get((place[0], place[1]))


def _sources(template: str) -> list[str]:
    """Return the reports that show the numbers of one of the project's answers."""
    return sorted({_texts()["facts"][name][0] for name in names_in(template)})


def _links(names: list[str], link: Link) -> list[tuple[str, str]]:
    return [(link(name, ""), name.partition("_")[0]) for name in names]


def _group(names: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield title, note and reports of each group that has some; unknown reports come last."""
    left = list(names)
    for group in _texts()["groups"]:
        members = [name for name in group["reports"] if name in left]
        left = [name for name in left if name not in members]
        if members:
            yield group["title"], group.get("note", ""), members
    if left:
        yield _OTHERS, "", left


def _entry(name: str, notebook: Any, facts: PrintedFacts, link: Link) -> Entry:
    texts: Mapping[str, str] = _texts()["reports"].get(name, {})
    is_made_up = "made_up" in texts and texts.get("made_up_if", "") in facts.text
    answer = texts["shows"] if is_made_up else fill_sentence(texts.get("answer", ""), facts.summary)
    return Entry(
        link=link(name, ""),
        title=notebook_title(notebook),
        question=texts.get("question", ""),
        answer=_markup(answer or ""),
        made_up=texts["made_up"] if is_made_up else "",
    )


def _anchor_of(heading: str) -> str:
    """Return the anchor that nbconvert gives a heading."""
    return quote(heading.replace(" ", "-"), safe="?/:@!$&'()*+,;=")


def _markup(
    text: str, notebooks: Mapping[str, Any] | None = None, link: Link = report_address
) -> Markup:
    """Return a sentence as HTML, with code between backticks and links to reports of this run."""

    def anchor(found: re.Match[str]) -> str:
        label, name, section = found.groups(default="")
        if notebooks is None or name not in notebooks:
            return label
        return f'<a href="{escape(link(name, _anchor_of(section)))}">{label}</a>'

    html = _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
    return Markup(html if notebooks is None else _LINK.sub(anchor, html))  # noqa: S704 escaped above
