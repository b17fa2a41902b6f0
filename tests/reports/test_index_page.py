"""The index of the reports: answers with the numbers that the notebooks printed."""

import re
from html import unescape

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from judul_lib.figures.leaderboard_plots import ablation_bars
from judul_lib.figures.tables import intervals, summary, table
from judul_lib.reports.index_page import _texts, render_index
from judul_lib.reports.pipeline import STAGES
from judul_lib.reports.printed_facts import fill_sentence, read_printed_facts
from tests.conftest import PROJECT

NAMES = sorted(stage.notebook for stage in STAGES)
MADE_UP = {"08_monitoring", "09_governance", "10_large_corpus"}


@pytest.fixture(scope="module")
def stored():
    """Return the committed notebooks by the file name of their report."""
    return {f"{n}.html": nbformat.read(PROJECT / "notebooks" / f"{n}.ipynb", 4) for n in NAMES}


@pytest.fixture(scope="module")
def page(stored):
    return render_index(stored, "judul.csv")


def shown(display):
    return new_output("display_data", {"text/html": display.html, "text/plain": display.text})


def notebook_of(*outputs, tags=()):
    cell = new_code_cell("", outputs=list(outputs), metadata={"tags": list(tags)})
    return new_notebook(cells=[new_markdown_cell("# 01 · Judul"), cell])


def text_of(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def entries(page):
    items = re.findall(r"<li[^>]*>\s*<h3>.*?</li>", page, re.DOTALL)
    return {re.search(r'href="([^"]+)\.html"', item)[1]: text_of(item) for item in items}


def test_the_project_is_answered_in_three_sentences_with_the_numbers_of_the_notebooks(page, stored):
    answers = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page.split("</dl>")[0], re.DOTALL)
    assert len(answers) == 3
    for _, answer in answers:
        assert re.search(r"\d", answer)
        assert re.search(r'href="\d\d_\w+\.html"', answer)
    summary_cell = stored["13_real_archives.html"].cells[-1].outputs[0]["data"]["text/plain"]
    for measure in ("Presisi", "Recall"):
        value = re.search(rf"{measure} MIRIP, kampus yang tak pernah dilihat: (\d,\d+)", summary_cell)[1]
        percent = round(100 * float(value.replace(",", ".")))
        assert re.search(rf"\b{percent} % \(\d+–\d+ %\) dari", answers[0][1]), measure


def test_every_report_has_a_question_and_one_sentence_that_answers_it(page):
    listed = entries(page)
    assert sorted(listed) == NAMES
    for name, text in listed.items():
        title, question, answer, *rest = [line for line in text.splitlines() if line.strip()]
        assert title.startswith(name[:2])
        assert question.endswith("?")
        assert answer.endswith(".")
        assert rest == []
        assert name in MADE_UP or re.search(r"\d", answer)


def test_made_up_numbers_are_marked_and_not_quoted(page, stored):
    listed = entries(page)
    for name in MADE_UP:
        marks = _texts()["reports"][name]["made_up"]
        assert marks in listed[name]
        assert not re.search(r"\d", listed[name].splitlines()[-2])
        assert not any(name == place[0] for place in _texts()["facts"].values())
    assert page.count('class="tanda"') == len(MADE_UP)


def test_a_real_log_is_quoted_and_not_marked(stored):
    facts = {
        "Pemeriksaan": 17, "Jawaban dalam sasaran": "99,0 %", "Peringatan": 2,
        "Model yang bergeser": "tidak ada",
    }  # fmt: skip
    real = notebook_of(shown(summary(facts, "`judul monitor --once`")), tags=["ringkasan"])
    page = render_index({"08_monitoring.html": real}, "judul.csv")
    assert "17 pemeriksaan, 99,0 % di antaranya" in page
    assert 'class="tanda"' not in page


def test_every_quoted_number_is_printed_by_its_notebook(stored):
    for name, (notebook, *place) in _texts()["facts"].items():
        facts = read_printed_facts(stored[f"{notebook}.html"])
        value = facts.summary[place[0]] if len(place) == 1 else facts.cells[tuple(place)]
        assert re.search(r"\d", value), name


def test_each_report_is_in_one_group():
    grouped = [name for group in _texts()["groups"] for name in group["reports"]]
    assert sorted(grouped) == sorted(_texts()["reports"]) == NAMES


def test_facts_are_read_from_summaries_tables_intervals_and_bars():
    frame = pd.DataFrame({"estimate": [0.84], "low": [0.738], "high": [0.93]}, index=["presisi & <b>"])
    bars = ablation_bars(pd.DataFrame({"roc_auc": [0.5]}, index=["semuanya"]), "Judul")
    name = bars.data[0].name
    notebook = notebook_of(
        shown(intervals({"kampus lain": frame})),
        shown(table(pd.DataFrame({"bagian": ["judul"], "studi": ["123"]}), index=False)),
        new_output("display_data", {"application/vnd.plotly.v1+json": bars.to_plotly_json()}),
    )
    notebook.cells.append(
        notebook_of(shown(summary({"Akurasi": 0.5}, "Begitu.")), tags=["ringkasan"]).cells[1]
    )
    facts = read_printed_facts(notebook)
    assert facts.cells["presisi & <b>", "kampus lain"] == "0,840 (0,738 – 0,930)"
    assert facts.cells["judul", "studi"] == "123"
    assert facts.cells["semuanya", name] == "0,500"
    assert facts.summary == {"Akurasi": "0,500"}
    assert f"{facts.cells['presisi & <b>', 'kampus lain']:%}" == "84 % (74–93 %)"


def test_a_sentence_without_its_number_is_left_out():
    assert fill_sentence("{a} dari {b}", {"a": "1"}) is None
    page = render_index(
        {"01_preprocessing.html": notebook_of(), "99_sendiri.html": notebook_of()}, "x.csv"
    )
    assert 'class="jawaban"' not in page
    assert "{" not in page.split("<main>")[1]
    assert "Laporan lain" in page
    assert 'href="99_sendiri.html"' in page


def test_a_fact_is_text_not_markup():
    hostile = {"Judul dipakai": "<img src=x>[a](07_check_titles)", "Baris disisihkan": "{x}"}
    hostile |= {"Istilah model penuh": "`kode`", "Istilah model ringan": 1}
    notebook = notebook_of(shown(summary(hostile)), tags=["ringkasan"])
    page = render_index(
        {"01_preprocessing.html": notebook, "07_check_titles.html": notebook_of()}, "x.csv"
    )
    body = page.split("<main>")[1]
    assert "&lt;img src=x&gt;[a](07_check_titles) judul dipakai" in body
    assert "<img" not in body
