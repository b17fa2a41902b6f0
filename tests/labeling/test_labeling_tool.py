"""The labelling tool: answers kept one by one, two labellers compared, the panel, and a real browser."""

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from judul_lib.checking.loading import load_checker
from judul_lib.checking.registry import TITLES_FILE
from judul_lib.cli.main import cli
from judul_lib.core import storage
from judul_lib.core.errors import LabelError
from judul_lib.labeling import session as labeling_session
from judul_lib.labeling.agreement import Agreement, compare_answer_files, compare_answers, gold_answers
from judul_lib.labeling.labels import read_label_file
from judul_lib.labeling.session import (
    ANSWER_COLUMNS,
    ANSWERS,
    LabelingSession,
    LabelRecord,
    answer_file,
    labeller_id,
    read_answers,
)
from judul_lib.structured.gold import read_gold, read_second_grades
from judul_lib.study.preprocessing import pair_key
from judul_lib.web.labeling_panel import LabelingPanel
from judul_lib.web.widgets import AnswerButtons
from tests.conftest import PROJECT
from tests.web.test_page_browser import HOSTILE, free_port

NOTEBOOK = PROJECT / "notebooks" / "11_labeling_tool.ipynb"
PAIRS = [(f"Prediksi Harga {a}", f"Peramalan Harga {a}") for a in ("Beras", "Gula", "Kopi", "Cabai")]


@pytest.fixture
def session(tmp_path):
    return LabelingSession(tmp_path / "labels", "Ani", PAIRS)


def saved(session):
    with session.path.open(encoding="utf-8", newline="") as stream:
        return [(row["judul_a"], row["label"]) for row in csv.DictReader(stream)]


def test_each_answer_is_saved_at_once_and_can_be_taken_back(session):
    assert not session.path.parent.exists()
    assert (session.n_done, session.total, session.current, session.can_undo) == (0, 4, PAIRS[0], False)
    for n, label in enumerate(ANSWERS, start=1):
        session.answer(label)
        assert saved(session) == [(PAIRS[k][0], ANSWERS[k]) for k in range(n)]
    assert session.counts == {"mirip": 1, "tidak": 1, "ragu": 1}
    assert session.undo() == PAIRS[2]
    assert session.current == PAIRS[2]
    assert len(saved(session)) == 2
    session.answer("tidak")
    session.answer("mirip")
    assert session.current is None
    with pytest.raises(LabelError, match="sudah dijawab"):
        session.answer("mirip")
    with pytest.raises(LabelError, match="mirip, tidak, ragu"):
        session.answer("ya")
    while session.can_undo:
        session.undo()
    assert session.undo() is None
    assert saved(session) == []


def test_who_comes_back_goes_on_and_may_take_back(session, tmp_path):
    session.answer("mirip")
    session.answer("ragu")
    turned = [(b.upper(), a) for a, b in PAIRS]  # Titles are known by their letters, in either order.
    again = LabelingSession(tmp_path / "labels", " ANI ", turned)
    assert (again.n_done, again.current) == (2, turned[2])
    assert again.undo() == turned[1]
    assert saved(again) == [(PAIRS[0][0], "mirip")]
    other = LabelingSession(tmp_path / "labels", "ani", [("Kopi Luwak", "Teh Hijau")])
    assert (other.n_done, other.can_undo) == (0, False)
    assert [answer.label for answer in other.answers] == ["mirip"]


def test_an_answer_to_a_title_like_a_formula_can_be_taken_back(tmp_path):
    session = LabelingSession(tmp_path, "Ani", [("=Sistem Pakar+1", "+Sistem Pakar")])
    session.answer("mirip")
    session.undo()
    assert (session.n_done, saved(session)) == (0, [])


def test_the_time_and_the_labeller_are_kept(tmp_path):
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    session = LabelingSession(tmp_path, "Bu Ani", PAIRS, clock=lambda: noon)
    session.answer("mirip")
    (answer,) = read_answers(session.path)
    assert answer == LabelRecord(PAIRS[0], "mirip", "bu-ani", "2026-01-02T12:00:00+00:00")
    header = session.path.read_text().splitlines()[0]
    assert header == ",".join(ANSWER_COLUMNS)


def test_a_name_leads_nowhere_else(tmp_path):
    for name in ("../../etc/x", "a/b\\c", ".label", "ani\x00", "Ani " * 50, "=1+1"):
        path = answer_file(tmp_path, name)
        assert path.parent == tmp_path
        assert path.name.startswith("label-")
        assert len(path.name) < 60
    assert labeller_id("Añi") == labeller_id("ani")
    for name in ("", " ../ ", "名前"):
        with pytest.raises(LabelError, match="huruf latin"):
            LabelingSession(tmp_path, name, PAIRS)


def test_a_file_of_someone_else_is_refused(session, tmp_path):
    session.answer("mirip")
    session.path.rename(answer_file(tmp_path / "labels", "Budi"))
    with pytest.raises(LabelError, match="pelabel lain"):
        LabelingSession(tmp_path / "labels", "Budi", PAIRS)


def rows(*lines):
    return "\n".join([",".join(ANSWER_COLUMNS), *lines]) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "judul_a,judul_b,label\nA,B,mirip\n",
        rows("Kopi,Teh,mirip,ani,2026-01-02T12:00:00+00:00", "Kopi,Susu,mir"),
        rows("Kopi,Teh,mirip,ani,2026-01"),
        rows("Kopi,Teh,serupa,ani,2026-01-02T12:00:00+00:00"),
        rows("Kopi,,mirip,ani,2026-01-02T12:00:00+00:00"),
        "\x00\x01\x02",
    ],
)
def test_a_damaged_file_is_said_and_left_alone(session, tmp_path, content):
    session.path.parent.mkdir()
    session.path.write_text(content)
    with pytest.raises(LabelError, match=r"label-ani\.csv rusak dan tidak diubah"):
        session.answer("mirip")
    with pytest.raises(LabelError, match="rusak"):
        LabelingSession(tmp_path / "labels", "ani", PAIRS)
    assert session.path.read_text() == content
    assert (session.n_done, session.current) == (0, PAIRS[0])


def test_a_file_saved_by_a_spreadsheet_is_read(session, tmp_path):
    session.answer("mirip")
    text = session.path.read_text().replace(",", ";").replace("\n", "\r\n")
    session.path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    again = LabelingSession(tmp_path / "labels", "ani", PAIRS)
    again.answer("tidak")
    assert saved(again) == [(PAIRS[0][0], "mirip"), (PAIRS[1][0], "tidak")]


def test_a_spreadsheet_runs_nothing_and_the_titles_are_known_again(tmp_path):
    hostile = [*HOSTILE, "=HYPERLINK(0) Beras", "Harga;=1+1", '@Kopi "baru",\nbaris dua']
    pairs = [(title, "Prediksi Harga Jagung") for title in hostile]
    session = LabelingSession(tmp_path, "ani", pairs)
    for _ in pairs:
        session.answer("tidak")
    cells = [cell for row in csv.reader(io.StringIO(session.path.read_text("utf-8"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))]
    again = LabelingSession(tmp_path, "ani", pairs)
    assert again.current is None
    again.undo()
    again.answer("ragu")
    assert len(read_answers(again.path)) == len(pairs)


def test_a_full_disk_loses_nothing(session, monkeypatch):
    session.answer("mirip")
    before = session.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        session.answer("tidak")
    assert session.path.read_bytes() == before
    assert session.current == PAIRS[1]
    assert not list(session.path.parent.glob(".label-ani.csv.[!l]*"))


def test_two_sessions_on_one_file_lose_no_answer(tmp_path):
    pairs = [(f"Judul A{k}", f"Judul B{k}") for k in range(40)]
    sessions = [LabelingSession(tmp_path, "ani", pairs[start::2]) for start in (0, 1)]

    def work(session):
        while session.current is not None:
            session.answer("mirip")

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.key for answer in read_answers(sessions[0].path)} == {pair_key(*p) for p in pairs}


def test_a_session_sees_what_another_has_answered(session, tmp_path):
    other = LabelingSession(tmp_path / "labels", "ani", PAIRS)
    other.answer("mirip")
    other.answer("mirip")
    session.answer("tidak")  # The pair that it shows.
    assert session.current == PAIRS[2]
    assert saved(session) == [(PAIRS[1][0], "mirip"), (PAIRS[0][0], "tidak")]
    other.undo()
    assert [label for _, label in saved(session)] == ["tidak"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([*ANSWERS, "undo", "reopen"]), max_size=12))
def test_the_file_is_what_was_answered_and_not_taken_back(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("labels")
    session, kept = LabelingSession(folder, "p1", PAIRS), []
    for step in steps:
        if step == "reopen":
            session = LabelingSession(folder, "p1", PAIRS)
        elif step == "undo":
            kept = kept[:-1]
            session.undo()
        elif session.current is not None:
            kept.append(step)
            session.answer(step)
    assert [answer.label for answer in read_answers(session.path)] == kept
    assert session.current == (PAIRS[len(kept)] if len(kept) < len(PAIRS) else None)


@pytest.fixture(scope="module")
def gold():
    return read_gold(PROJECT / "data" / "gold_pairs.csv")


def test_retraining_takes_the_file_as_it_is(tmp_path, monkeypatch, trained, gold):
    some = gold[(gold["split"] == "dev") & gold["label"].notna()].sample(40, random_state=0)
    session = LabelingSession(
        tmp_path / "labels", "ani", list(zip(some["judul_a"], some["judul_b"], strict=True))
    )
    for label in some["label"]:
        session.answer("mirip" if label else "tidak")
    session.extend([("Deteksi Hoaks Berita", "Klasifikasi Berita Palsu")])
    session.answer("ragu")
    answers = read_label_file(session.path)
    assert [label for *_, label in answers.rows] == some["label"].tolist()
    assert answers.n_unsure == 1
    shutil.copytree(trained.folder, tmp_path / "outputs" / "light")
    monkeypatch.chdir(PROJECT)
    words = ["retrain", "--models", tmp_path / "outputs", "--labels", session.path]
    result = CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)
    assert result.return_value == 0, result.exception
    assert "40 pasangan berlabel dari 40 jawaban; dilewati: 1 ragu" in result.stdout


def answered(labels, pairs=None):
    pairs = pairs or [(f"Judul A{k}", f"Judul B{k}") for k in range(len(labels))]
    return [LabelRecord(pair, label, "p", "") for pair, label in zip(pairs, labels, strict=False)]


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)), min_size=1, max_size=30))
@settings(deadline=None)
def test_kappa_is_scikit_learns(both):
    first, second = (list(side) for side in zip(*both, strict=True))
    found = compare_answers(answered(first), answered(second), n_resamples=50)
    assert found.share == pytest.approx(sum(a == b for a, b in both) / len(both))
    assert found.n_unsure == sum("ragu" in pair for pair in both)
    assert len(found.disagreements) == sum(a != b for a, b in both)
    if len({*first, *second}) == 1:
        assert pd.isna([found.kappa, found.low, found.high]).all()
    else:
        assert found.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_only_pairs_that_both_judged_count():
    first = answered(["mirip", "tidak", "ragu"], [("A", "B"), ("C", "D"), ("E", "F")])
    second = answered(["mirip", "mirip"], [("b", "A!"), ("D", "C")])
    found = compare_answers(first, second)
    assert (found.n_shared, found.share) == (2, 0.5)
    assert found.disagreements.to_numpy().tolist() == [["C", "D", "tidak", "mirip"]]
    nothing = compare_answers(first, answered(["mirip"], [("X", "Y")]))
    assert nothing.n_shared == 0
    assert pd.isna([nothing.share, nothing.kappa, nothing.low]).all()
    assert "Belum ada" in nothing.interpretation
    same = compare_answers(answered(["mirip"] * 5), answered(["mirip"] * 5))
    assert (same.share, same.interpretation.count("tidak terdefinisi")) == (1, 1)
    assert compare_answers(answered(["mirip"] * 5), answered(["mirip"] * 4 + ["tidak"])).kappa == 0


def test_the_interval_is_seeded_and_the_sentence_follows_kappa(gold):
    sides = gold_answers(read_second_grades(PROJECT / "data" / "gold_second.csv", gold))
    found = compare_answers(*sides)
    assert 0.8 < found.low <= found.kappa <= found.high <= 1
    pd.testing.assert_frame_equal(found.disagreements, compare_answers(*sides).disagreements)
    assert compare_answers(*sides).low == found.low
    said = {
        k: Agreement(9, 0, k, k, k, k, pd.DataFrame()).interpretation for k in (0.9, 0.8, 0.7, 0.3, -0.5)
    }
    assert "sangat sejalan" in said[0.8] == said[0.9]
    assert "cukup" in said[0.7]
    assert "belum sejalan" in said[0.3] == said[-0.5]


def test_two_files_are_compared_and_a_damaged_one_is_said(tmp_path):
    for name, labels in (("ani", ["mirip", "tidak", "ragu"]), ("budi", ["mirip", "mirip", "ragu"])):
        session = LabelingSession(tmp_path, name, PAIRS)
        for label in labels:
            session.answer(label)
    paths = answer_file(tmp_path, "ani"), answer_file(tmp_path, "budi")
    found = compare_answer_files(*paths)
    assert found.n_shared == 3
    assert found.disagreements["judul_a"].tolist() == [PAIRS[1][0]]
    assert compare_answer_files(paths[0], tmp_path / "none.csv").n_shared == 0
    paths[1].write_text("x")
    with pytest.raises(LabelError, match="budi"):
        compare_answer_files(*paths)


@pytest.fixture(scope="module")
def checker(trained):
    return load_checker(trained.folder)


def test_the_panel_asks_all_labellers_the_same_and_goes_on(checker, tmp_path):
    panel = LabelingPanel(checker, tmp_path, n=3)
    assert repr(panel) == "Panel pelabelan judul"
    assert panel.session is None
    panel.press("mirip")
    panel.start("../")
    assert "huruf latin" in panel.state.html
    assert list(tmp_path.iterdir()) == []
    panel.start("Ani")
    first = panel.session.queue
    assert len(first) == 3
    assert panel.buttons.enabled == list(ANSWERS)
    assert "0 dari 3" in panel.progress.value
    panel.press("mirip")
    panel.press("tidak")
    assert "Tersimpan: tidak mirip" in panel.state.html
    panel.press("batal")
    assert "Dibatalkan: tidak mirip" in panel.state.html
    assert "1 dari 3" in panel.progress.value
    again = LabelingPanel(checker, tmp_path, n=3)
    again.start("ani")
    assert (again.session.queue, again.session.current) == (first, first[1])
    again.press("tidak")
    again.press("ragu")
    assert "judul retrain --labels" in again.pair.html
    assert str(again.session.path) in again.pair.html
    assert again.buttons.enabled == ["batal"]
    assert again.more.layout.display == ""
    again.load_next_queue()
    assert "3 dari 6" in again.progress.value
    assert again.session.queue[:3] == first
    third = LabelingPanel(checker, tmp_path, n=3)
    third.start("budi")
    assert third.session.queue == first
    third.start("ani")
    assert third.session.queue == again.session.queue


def test_an_archive_that_is_all_judged_is_said(checker, tmp_path):
    panel = LabelingPanel(checker.with_titles(["Harga Beras", "Harga Gula"]), tmp_path)
    panel.start("ani")
    panel.press("ragu")
    panel.load_next_queue()
    assert "Tidak ada lagi" in panel.state.html
    assert panel.more.layout.display == "none"


def test_a_title_is_text_and_shared_words_are_marked(checker, tmp_path):
    panel = LabelingPanel(checker.with_titles(HOSTILE), tmp_path)
    panel.start("ani")
    while panel.session.current is not None:
        left, right = panel.session.current
        html = panel.pair.html
        assert html.count("<dd><bdi>") == html.count("</bdi></dd>") == 2
        assert set(re.findall(r"<(\w+)", html)) <= {"dl", "dt", "dd", "bdi", "mark"}
        text = unescape(re.sub(r"<[^>]+>", "", html))
        assert left in text
        assert right in text
        assert "<mark>Prediksi</mark>" in html
        panel.press("ragu")
    assert panel.session.n_done == 15


def test_what_cannot_be_saved_is_said_and_asked_again(checker, tmp_path, monkeypatch):
    panel = LabelingPanel(checker, tmp_path, n=3)
    panel.start("ani")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(labeling_session, "write_bytes", full)
    shown = panel.pair.html
    panel.press("mirip")
    assert "Ruang disk habis" in panel.state.html
    assert panel.pair.html == shown


def test_a_key_pressed_twice_answers_once():
    pressed = []
    buttons = AnswerButtons(pressed.append, enabled=["mirip"], question=4)
    for content in (
        {"kind": "press", "name": "mirip", "question": 4},
        {"kind": "press", "name": "mirip", "question": 3},
        {"kind": "press", "name": "batal", "question": 4},
        {"kind": "press", "name": ["mirip"], "question": 4},
        {"kind": "other"},
    ):
        buttons._received(None, content, None)
    assert pressed == ["mirip"]


@contextmanager
def serving(notebook, models):
    """Serve the notebook of the tool as the page is served; return its address."""
    port = free_port()
    code = (
        "from pathlib import Path; from judul_lib.core.config import Config;"
        "from judul_lib.web.serving import serve;"
        f"serve(Config(models=Path({str(models)!r}), port={port}, log=False), Path({str(notebook)!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    url = f"http://localhost:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/health").close()
                break
            except urllib.error.URLError:
                assert process.poll() is None
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_a_labeller_works_in_the_browser_and_goes_on_after_a_reload(browser, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    outputs = tmp_path / "outputs"
    shutil.copytree(PROJECT / "outputs" / "structured", outputs / "structured")
    titles = pd.read_csv(outputs / "structured" / TITLES_FILE)["Judul"].tolist()
    (tmp_path / "notebooks").mkdir()
    notebook = tmp_path / "notebooks" / NOTEBOOK.name
    notebook.write_bytes(NOTEBOOK.read_bytes())
    path = answer_file(outputs / "labels", "p1")
    page = browser.new_context(viewport={"width": 1000, "height": 900}, locale="id-ID").new_page()

    def begin():
        page.get_by_label("Nama atau kode Anda").fill("P1")
        page.get_by_role("button", name="Mulai").click()
        page.locator(".judul-jawaban:focus").wait_for()  # The keys count at once.

    def shown():
        return tuple(page.locator(".judul-pasangan dd").all_text_contents())

    def after(action, told):
        action()
        page.get_by_text(told).wait_for()
        return [answer.label for answer in read_answers(path)]

    with serving(notebook, outputs) as url:
        page.goto(url)
        begin()
        first = shown()
        assert set(first) <= set(titles)
        assert page.locator(".judul-pasangan mark").count() >= 2
        assert not path.exists()
        # By a click, by keys without touching the mouse, by a key twice at once.
        after(lambda: page.get_by_role("button", name="Tidak mirip").click(), "1 dari 50")
        assert after(lambda: page.keyboard.press("1"), "2 dari 50") == ["tidak", "mirip"]
        assert after(lambda: page.keyboard.press("R"), "3 dari 50") == ["tidak", "mirip", "ragu"]
        third = shown()
        assert after(lambda: page.keyboard.press("u"), "2 dari 50") == ["tidak", "mirip"]
        assert page.get_by_text("Dibatalkan: ragu").is_visible()
        assert shown() != third
        fourth = shown()
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response
        assert [violation["id"] for violation in found["violations"]] == []
        page.reload()
        begin()
        assert shown() == fourth
        assert after(lambda: page.keyboard.press("t"), "3 dari 50") == ["tidak", "mirip", "tidak"]
        page.context.close()
