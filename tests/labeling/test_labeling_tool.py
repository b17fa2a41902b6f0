"""The labelling tool: sessions and their files, agreement, the panel, and its use in a browser."""

import csv
import io
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from html import unescape

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from judul_lib.checking.loading import load_checker
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
from judul_lib.widgets.answer_buttons import AnswerButtons
from judul_lib.widgets.labeling_panel import LabelingPanel
from tests.conftest import PROJECT
from tests.hostile_titles import HOSTILE_CELLS

NOTEBOOK = PROJECT / "notebooks" / "11_labeling_tool.ipynb"
PAIRS = [(f"Prediksi Harga {a}", f"Peramalan Harga {a}") for a in ("Beras", "Gula", "Kopi", "Cabai")]


@pytest.fixture
def session(tmp_path):
    return LabelingSession(tmp_path / "labels", "Ani", PAIRS)


def saved(session):
    with session.path.open(encoding="utf-8", newline="") as stream:
        return [(row["judul_a"], row["label"]) for row in csv.DictReader(stream)]


def test_each_answer_is_saved_at_once_and_can_be_undone(session):
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


def test_session_is_resumed_and_undone_from_its_file(session, tmp_path):
    session.answer("mirip")
    session.answer("ragu")
    swapped = [(b.upper(), a) for a, b in PAIRS]  # Case and order do not identify a pair.
    resumed = LabelingSession(tmp_path / "labels", " ANI ", swapped)
    assert (resumed.n_done, resumed.current) == (2, swapped[2])
    assert resumed.undo() == swapped[1]
    assert saved(resumed) == [(PAIRS[0][0], "mirip")]
    other = LabelingSession(tmp_path / "labels", "ani", [("Kopi Luwak", "Teh Hijau")])
    assert (other.n_done, other.can_undo) == (0, False)
    assert [answer.label for answer in other.answers] == ["mirip"]


def test_answer_to_a_formula_like_title_can_be_undone(tmp_path):
    session = LabelingSession(tmp_path, "Ani", [("=Sistem Pakar+1", "+Sistem Pakar")])
    session.answer("mirip")
    session.undo()
    assert (session.n_done, saved(session)) == (0, [])


def test_file_stores_time_and_labeller(tmp_path):
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    session = LabelingSession(tmp_path, "Bu Ani", PAIRS, clock=lambda: noon)
    session.answer("mirip")
    (answer,) = read_answers(session.path)
    assert answer == LabelRecord(PAIRS[0], "mirip", "bu-ani", "2026-01-02T12:00:00+00:00")
    header = session.path.read_text().splitlines()[0]
    assert header == ",".join(ANSWER_COLUMNS)


def test_labeller_names_cannot_leave_the_folder(tmp_path):
    for name in ("../../etc/x", "a/b\\c", ".label", "ani\x00", "Ani " * 50, "=1+1"):
        path = answer_file(tmp_path, name)
        assert path.parent == tmp_path
        assert path.name.startswith("label-")
        assert len(path.name) < 60
    assert labeller_id("Añi") == labeller_id("ani")
    for name in ("", " ../ ", "名前"):
        with pytest.raises(LabelError, match="huruf latin"):
            LabelingSession(tmp_path, name, PAIRS)


def test_file_of_another_labeller_is_refused(session, tmp_path):
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
def test_damaged_file_is_reported_and_not_changed(session, tmp_path, content):
    session.path.parent.mkdir()
    session.path.write_text(content)
    with pytest.raises(LabelError, match=r"label-ani\.csv rusak dan tidak diubah"):
        session.answer("mirip")
    with pytest.raises(LabelError, match="rusak"):
        LabelingSession(tmp_path / "labels", "ani", PAIRS)
    assert session.path.read_text() == content
    assert (session.n_done, session.current) == (0, PAIRS[0])


def test_file_saved_by_a_spreadsheet_is_read(session, tmp_path):
    session.answer("mirip")
    text = session.path.read_text().replace(",", ";").replace("\n", "\r\n")
    session.path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    resumed = LabelingSession(tmp_path / "labels", "ani", PAIRS)
    resumed.answer("tidak")
    assert saved(resumed) == [(PAIRS[0][0], "mirip"), (PAIRS[1][0], "tidak")]


def test_formulas_are_escaped_and_titles_recognized_again(tmp_path):
    hostile = [*HOSTILE_CELLS, "=HYPERLINK(0) Beras", "Harga;=1+1", '@Kopi "baru",\nbaris dua']
    pairs = [(title, "Prediksi Harga Jagung") for title in hostile]
    session = LabelingSession(tmp_path, "ani", pairs)
    for _ in pairs:
        session.answer("tidak")
    cells = [cell for row in csv.reader(io.StringIO(session.path.read_text("utf-8"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))]
    resumed = LabelingSession(tmp_path, "ani", pairs)
    assert resumed.current is None
    resumed.undo()
    resumed.answer("ragu")
    assert len(read_answers(resumed.path)) == len(pairs)


def raise_disk_full(*_):
    raise OSError(28, "No space left on device")


def test_full_disk_loses_no_answer(session, monkeypatch):
    session.answer("mirip")
    before = session.path.read_bytes()
    monkeypatch.setattr(storage.os, "fsync", raise_disk_full)
    with pytest.raises(OSError, match="No space"):
        session.answer("tidak")
    assert session.path.read_bytes() == before
    assert session.current == PAIRS[1]
    assert not list(session.path.parent.glob(".label-ani.csv.[!l]*"))


def test_concurrent_sessions_lose_no_answer(tmp_path):
    pairs = [(f"Judul A{k}", f"Judul B{k}") for k in range(40)]
    sessions = [LabelingSession(tmp_path, "ani", pairs[start::2]) for start in (0, 1)]

    def answer_all(session):
        while session.current is not None:
            session.answer("mirip")

    with ThreadPoolExecutor() as pool:
        list(pool.map(answer_all, sessions))
    assert {answer.key for answer in read_answers(sessions[0].path)} == {pair_key(*p) for p in pairs}


def test_session_sees_answers_of_another_session(session, tmp_path):
    other = LabelingSession(tmp_path / "labels", "ani", PAIRS)
    other.answer("mirip")
    other.answer("mirip")
    session.answer("tidak")  # Answers the pair that it shows.
    assert session.current == PAIRS[2]
    assert saved(session) == [(PAIRS[1][0], "mirip"), (PAIRS[0][0], "tidak")]
    other.undo()
    assert [label for _, label in saved(session)] == ["tidak"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([*ANSWERS, "undo", "reopen"]), max_size=12))
def test_file_contains_the_answers_that_were_not_undone(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("labels")
    session, expected = LabelingSession(folder, "p1", PAIRS), []
    for step in steps:
        if step == "reopen":
            session = LabelingSession(folder, "p1", PAIRS)
        elif step == "undo":
            expected = expected[:-1]
            session.undo()
        elif session.current is not None:
            expected.append(step)
            session.answer(step)
    assert [answer.label for answer in read_answers(session.path)] == expected
    assert session.current == (PAIRS[len(expected)] if len(expected) < len(PAIRS) else None)


@pytest.fixture(scope="module")
def gold():
    return read_gold(PROJECT / "data" / "gold_pairs.csv")


def test_retraining_accepts_the_answer_file(tmp_path, monkeypatch, trained, gold):
    sample = gold[(gold["split"] == "dev") & gold["label"].notna()].sample(40, random_state=0)
    pairs = list(zip(sample["judul_a"], sample["judul_b"], strict=True))
    session = LabelingSession(tmp_path / "labels", "ani", pairs)
    for label in sample["label"]:
        session.answer("mirip" if label else "tidak")
    session.extend([("Deteksi Hoaks Berita", "Klasifikasi Berita Palsu")])
    session.answer("ragu")
    answers = read_label_file(session.path)
    assert [label for *_, label in answers.rows] == sample["label"].tolist()
    assert answers.n_unsure == 1
    shutil.copytree(trained.folder, tmp_path / "outputs" / "light")
    monkeypatch.chdir(PROJECT)
    arguments = ["retrain", "--models", str(tmp_path / "outputs"), "--labels", str(session.path)]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.return_value == 0, result.exception
    assert "40 pasangan berlabel dari 40 jawaban; dilewati: 1 ragu" in result.stdout


def records(labels, pairs=None):
    pairs = pairs or [(f"Judul A{k}", f"Judul B{k}") for k in range(len(labels))]
    return [LabelRecord(pair, label, "p", "") for pair, label in zip(pairs, labels, strict=False)]


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)), min_size=1, max_size=30))
@settings(max_examples=40)
def test_kappa_matches_scikit_learn(labels):
    first, second = (list(side) for side in zip(*labels, strict=True))
    agreement = compare_answers(records(first), records(second), n_resamples=5)
    assert agreement.share == pytest.approx(sum(a == b for a, b in labels) / len(labels))
    assert agreement.n_unsure == sum("ragu" in pair for pair in labels)
    assert len(agreement.disagreements) == sum(a != b for a, b in labels)
    if len({*first, *second}) == 1:
        assert pd.isna([agreement.kappa, agreement.low, agreement.high]).all()
    else:
        assert agreement.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_agreement_counts_only_shared_pairs():
    first = records(["mirip", "tidak", "ragu"], [("A", "B"), ("C", "D"), ("E", "F")])
    second = records(["mirip", "mirip"], [("b", "A!"), ("D", "C")])
    agreement = compare_answers(first, second, n_resamples=9)
    assert (agreement.n_shared, agreement.share) == (2, 0.5)
    assert agreement.disagreements.to_numpy().tolist() == [["C", "D", "tidak", "mirip"]]
    disjoint = compare_answers(first, records(["mirip"], [("X", "Y")]), n_resamples=9)
    assert disjoint.n_shared == 0
    assert pd.isna([disjoint.share, disjoint.kappa, disjoint.low]).all()
    assert "Belum ada" in disjoint.interpretation
    identical = compare_answers(records(["mirip"] * 5), records(["mirip"] * 5), n_resamples=9)
    assert identical.share == 1
    assert "tidak terdefinisi" in identical.interpretation
    other = records(["mirip"] * 4 + ["tidak"])
    assert compare_answers(records(["mirip"] * 5), other, n_resamples=9).kappa == 0


def test_interval_is_seeded_and_interpretation_follows_kappa(gold):
    sides = gold_answers(read_second_grades(PROJECT / "data" / "gold_second.csv", gold))
    agreement, repeated = compare_answers(*sides), compare_answers(*sides)
    assert 0.8 < agreement.low <= agreement.kappa <= agreement.high <= 1
    pd.testing.assert_frame_equal(agreement.disagreements, repeated.disagreements)
    assert repeated.low == agreement.low
    texts = {
        k: Agreement(9, 0, k, k, k, k, pd.DataFrame()).interpretation for k in (0.9, 0.8, 0.7, 0.3, -0.5)
    }
    assert "sangat sejalan" in texts[0.8] == texts[0.9]
    assert "cukup" in texts[0.7]
    assert "belum sejalan" in texts[0.3] == texts[-0.5]


def test_answer_files_are_compared_and_a_damaged_one_is_reported(tmp_path):
    for name, labels in (("ani", ["mirip", "tidak", "ragu"]), ("budi", ["mirip", "mirip", "ragu"])):
        session = LabelingSession(tmp_path, name, PAIRS)
        for label in labels:
            session.answer(label)
    paths = answer_file(tmp_path, "ani"), answer_file(tmp_path, "budi")
    agreement = compare_answer_files(*paths)
    assert agreement.n_shared == 3
    assert agreement.disagreements["judul_a"].tolist() == [PAIRS[1][0]]
    assert compare_answer_files(paths[0], tmp_path / "none.csv").n_shared == 0
    paths[1].write_text("x")
    with pytest.raises(LabelError, match="budi"):
        compare_answer_files(*paths)


@pytest.fixture(scope="module")
def checker(trained):
    return load_checker(trained.folder)


def test_panel_asks_all_labellers_the_same_pairs_and_resumes(checker, tmp_path):
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
    resumed = LabelingPanel(checker, tmp_path, n=3)
    resumed.start("ani")
    assert (resumed.session.queue, resumed.session.current) == (first, first[1])
    resumed.press("tidak")
    resumed.press("ragu")
    assert "judul retrain --labels" in resumed.pair.html
    assert str(resumed.session.path) in resumed.pair.html
    assert resumed.buttons.enabled == ["batal"]
    assert resumed.more.layout.display == ""
    resumed.load_next_queue()
    assert "3 dari 6" in resumed.progress.value
    assert resumed.session.queue[:3] == first
    third = LabelingPanel(checker, tmp_path, n=3)
    third.start("budi")
    assert third.session.queue == first
    third.start("ani")
    assert third.session.queue == resumed.session.queue


def test_panel_reports_that_no_pairs_are_left(checker, tmp_path):
    panel = LabelingPanel(checker.with_titles(["Harga Beras", "Harga Gula"]), tmp_path)
    panel.start("ani")
    panel.press("ragu")
    panel.load_next_queue()
    assert "Tidak ada lagi" in panel.state.html
    assert panel.more.layout.display == "none"


def test_panel_escapes_titles_and_marks_shared_words(checker, tmp_path):
    panel = LabelingPanel(checker.with_titles(HOSTILE_CELLS), tmp_path)
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


def test_panel_reports_a_full_disk_and_keeps_the_pair(checker, tmp_path, monkeypatch):
    panel = LabelingPanel(checker, tmp_path, n=3)
    panel.start("ani")
    monkeypatch.setattr(labeling_session, "write_bytes", raise_disk_full)
    shown = panel.pair.html
    panel.press("mirip")
    assert "Ruang disk habis" in panel.state.html
    assert panel.pair.html == shown


def test_repeated_key_press_answers_once():
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
