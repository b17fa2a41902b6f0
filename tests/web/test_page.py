"""The page without a browser."""

import io
import json
import re
import shutil
import time
import tomllib
from datetime import date

import pandas as pd
import pytest

from judul_lib.checking.batches import check_proposals
from judul_lib.checking.comparison import compare_rankings
from judul_lib.checking.loading import load_checker
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.cli.answers import format_answer
from judul_lib.core.config import Config
from judul_lib.core.formatting import distinguishing_decimals, format_number
from judul_lib.core.texts import TEXTS_FILE, page_text
from judul_lib.figures import result_html
from judul_lib.figures.match_plots import evidence_waterfall, match_bars, ranking_bars
from judul_lib.search.index import TitleIndex
from judul_lib.study.features import FEATURES
from judul_lib.usage.database import events, feedback, opened_database, read_table, scores, sqlite_url
from judul_lib.usage.log import UsageLog
from judul_lib.web import proposals_panel
from judul_lib.web.page import CheckPage
from judul_lib.web.session import Session, title_problem
from judul_lib.web.title_panel import file_name
from judul_lib.web.widgets import FileInput, TitleForm
from tests.conftest import PROJECT, judul

MODELS = PROJECT / "outputs"
TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge dan Lasso"
HOSTILE = "<img src=x onerror=alert(1)> Prediksi $x$ {n} & <b>Harga</b>"

ARCHIVE = [
    f"Prediksi Harga {crop} di Kudus" for crop in ("Gula", "Padi", "Tebu", "Teh", "Kopi", "Cabai")
]


@pytest.fixture(scope="module")
def session():
    return Session(Config(log=False, models=MODELS))


@pytest.fixture
def page(tmp_path):
    return CheckPage(Config(log=False, models=MODELS))


def test_every_text_is_used():
    sources = "".join(path.read_text() for path in (PROJECT / "judul_lib").rglob("*.py"))
    for key in tomllib.loads(TEXTS_FILE.read_text()):
        assert f'"{key}"' in sources or f"'{key}'" in sources, key


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("", "belum diisi"), (" \n\t", "belum diisi"), ("Hoaks", "terlalu pendek"),
        ("yang di dan 2024 !!", "Tidak ada kata"), ("🙂🙂", "Tidak ada kata"),
        ("=" * 400, "Tidak ada kata"), ("a" * 501, "501 karakter"), ("x " * 5_000, "10.000 karakter"),
        (TITLE, None),
        ("<script>alert(1)</script> Prediksi Harga", None), ("x" * 499 + " y", "501 karakter"),
    ],
)  # fmt: skip
def test_a_title_that_cannot_be_checked_is_explained(title, expected):
    problem = title_problem(title)
    assert problem is None if expected is None else expected in problem


def test_each_available_model_gets_a_tab(tmp_path):
    shutil.copytree(MODELS / "light", tmp_path / "light")
    alone = CheckPage(Config(models=tmp_path))
    assert alone.one.tabs.titles == ("Model Ringan",)
    assert "Baru Model Ringan yang tersedia" in alone.one.children[-1].value
    assert "make run" in alone.one.children[-1].value
    shutil.copytree(MODELS / "structured", tmp_path / "structured")
    both = CheckPage(Config(models=tmp_path))
    assert both.one.tabs.titles == ("Model Terstruktur", "Model Ringan", "Perbandingan")
    assert "Belum tersedia: Model Penuh" in both.one.children[-1].value


def test_without_a_model_the_page_says_what_to_do(tmp_path):
    page = CheckPage(Config(models=tmp_path))
    assert "Buat dengan `make run`" in page.children[-1].value


def test_a_damaged_model_is_reported_and_the_others_answer(tmp_path):
    for name in ("light", "structured"):
        shutil.copytree(MODELS / name, tmp_path / name)
    (tmp_path / "structured" / "structured.npz").write_bytes(b"x")
    page = CheckPage(Config(models=tmp_path))
    assert any("ditolak" in getattr(part, "value", "") for part in page.children)
    page.one.check(TITLE)
    assert "MIRIP" in page.one.panels["light"].verdict.html


def test_another_threshold_needs_no_new_check(page, monkeypatch):
    page.one.check(TITLE)
    panel = page.one.panels["structured"]
    assert "judul-mirip" in panel.verdict.html
    monkeypatch.setattr(page.session, "check", lambda title: pytest.fail("computed again"))
    page.one.threshold.value = 1.0
    assert "judul-tanya" in panel.verdict.html
    page.one.top_k.value = 5
    assert panel.table.html.count("<tr data-row") == 5
    page.one.threshold.value = 0.5
    assert "judul-mirip" in panel.verdict.html


def test_the_comparison_shows_the_top_titles_of_all_models(page):
    page.one.check(TITLE)
    panel = page.one.comparison
    assert panel.rankings.value == ""  # Nothing is drawn before the tab is open.
    page.one.tabs.selected_index = len(page.one.panels)
    answers = page.session.check(TITLE)
    tops = {name: set(answer.matches.first(10).titles) for name, answer in answers.items()}
    table = panel.rankings.value
    assert all(f"<bdi>{title}</bdi>" in table for title in set.union(*tops.values()))
    assert table.count("<tr>") == 1 + len(set.union(*tops.values()))
    shared = len(set.intersection(*tops.values()))
    assert f"Dari 10 judul teratas setiap model, {shared} disebut oleh semua model" in table
    assert panel.bars.output.outputs
    page.one.top_k.value = 5
    assert "Dari 5 judul teratas" in panel.rankings.value


def test_the_whole_download_has_every_title_at_the_threshold_of_the_page(page):
    page.archive.add("arsip.csv", "\n".join(["Judul", "=1+1 Deteksi", TITLE, *ARCHIVE]).encode()).join()
    page.one.check(TITLE)
    page.one.top_k.value = 5
    page.one.threshold.value = 0.0
    name, content = page.one.panels["light"]._whole_csv()
    assert name.startswith(f"{date.today():%Y-%m-%d}_semua-peramalan-harga-rumah")
    rows = pd.read_csv(io.BytesIO(content))
    assert list(rows.columns) == ["judul_ref", "rf_probability", "rf_label"]
    assert sorted(rows["judul_ref"]) == sorted(["'=1+1 Deteksi", TITLE, *ARCHIVE])
    assert rows["judul_ref"][0] == TITLE
    assert set(rows["rf_label"]) == {"MIRIP"}


def test_matches_with_another_threshold_equal_a_check_with_it(session):
    for name, checker in session.checkers.items():
        matches = checker.check(TITLE)
        for threshold in (0.0, 0.3, 0.55, 0.9, 1.0):
            fresh = load_checker(MODELS / name, threshold=threshold).check(TITLE)
            assert matches.with_threshold(threshold).rows() == fresh.rows()
            assert matches.first(3).rows() == matches.rows()[:3]


def test_everything_typed_is_shown_as_text(session):
    checker = session.checkers["structured"].with_titles([HOSTILE, "Deteksi Hoaks Politik"])
    matches = checker.check(HOSTILE)
    compared = compare_rankings(HOSTILE, {"structured": matches}, {"structured": checker})
    parts = [
        result_html.ranking_comparison(compared),
        result_html.verdict(matches),
        result_html.match_table(HOSTILE, matches, interactive=True),
        result_html.comparison({HOSTILE: matches, "b": matches}, seconds={HOSTILE: 1, "b": 2}),
        result_html.proposal_table(
            pd.Series([HOSTILE, HOSTILE]), check_proposals([HOSTILE, HOSTILE], checker)
        ),
    ]
    for part in parts:
        assert "<img" not in part.html
        assert "<b>" not in part.html
        assert "&lt;img src=x onerror=alert(1)&gt;" in part.html.replace("<mark>", "").replace(
            "</mark>", ""
        )
    evidence = evidence_waterfall(checker.evidence(HOSTILE, HOSTILE), HOSTILE)
    for figure in (match_bars(matches), evidence, ranking_bars(compared, threshold=0.5)):
        drawn = json.dumps(figure.to_plotly_json(), default=str)
        assert "<img" not in drawn
        assert "$" not in drawn


@pytest.mark.parametrize(
    ("title", "query", "expected"),
    [
        ("Pengelompokan Data", "mengelompokkan", ["Pengelompokan", "mengelompokkan"]),
        ("CNN-LSTM, dan CNN", "cnn", ["CNN", "CNN", "cnn"]),
        ("yang dan di", "yang dan di", []),
        ("Analisis", "", []),
    ],
)
def test_shared_words_are_marked_by_their_stems(title, query, expected):
    shown = result_html.title_pair(title, query)
    assert re.findall("<mark>(.*?)</mark>", shown.html) == expected


@pytest.mark.parametrize("name", ["light", "structured"])
def test_the_evidence_adds_up_to_the_answer(session, name):
    checker = session.checkers[name]
    matches = checker.check(TITLE, top_k=20)
    for other, p in zip(matches.titles, matches.probability, strict=True):
        evidence = checker.evidence(TITLE, other)
        assert evidence.base + sum(evidence.parts.values()) == pytest.approx(evidence.total, abs=1e-9)
        assert evidence.probability == pytest.approx(p)
        assert evidence.is_probability == (name == "light")


def test_forest_contributions_equal_a_walk_through_its_trees(trained):
    import numpy as np

    from judul_lib.checking.registry import load_estimators

    forest = load_estimators(trained.folder)[2]
    rows = np.random.default_rng(0).normal(size=(20, len(FEATURES)))
    base, parts = trained.model.forest.contributions(rows)
    expected = np.zeros_like(parts)
    roots = []
    for estimator in forest.estimators_:
        tree = estimator.tree_
        values = tree.value[:, 0, 1]
        roots.append(values[0])
        for position, row in enumerate(rows.astype(np.float32)):
            node = 0
            while tree.children_left[node] >= 0:
                goes_left = row[tree.feature[node]] <= tree.threshold[node]
                child = (tree.children_left if goes_left else tree.children_right)[node]
                expected[position, tree.feature[node]] += values[child] - values[node]
                node = child
    np.testing.assert_allclose(parts, expected / len(roots), atol=1e-12)
    np.testing.assert_allclose(base, np.mean(roots))
    np.testing.assert_allclose(base + parts.sum(axis=1), forest.predict_proba(rows)[:, 1], atol=1e-12)


def test_an_uploaded_archive_is_used_in_the_session(page, monkeypatch):
    messages = []
    monkeypatch.setattr(page.archive.file, "show_message", lambda text, **_: messages.append(text))
    titles = "\n".join(["Judul", "Prediksi Harga Gula di Kudus", "", "Prediksi Harga Gula di Kudus"])
    page.archive.add("arsip <b>.csv", titles.encode()).join()
    assert page.session.corpus == "arsip <b>.csv"
    assert "&lt;b&gt;.csv (1 judul)" in page._archive_name.value
    assert "baris 3 (judul kosong), baris 4 (duplikat baris 2)" in messages[-1]
    page.one.check(TITLE)
    assert "Prediksi Harga Gula di Kudus" in page.one.panels["structured"].verdict.html
    # The same name with other titles replaces what was there.
    page.archive.add("arsip <b>.csv", b"Judul\nDeteksi Hoaks Politik\n").join()
    assert "Deteksi Hoaks" in page.one.panels["structured"].verdict.html
    page.archive.choice.value = "arsip <b>.csv"
    page.archive.add("rusak.xlsx", b"PK\x03\x04 nothing").join()
    assert page.session.corpus == "arsip <b>.csv"


def test_a_configured_archive_is_chosen_first(write_csv):
    path = write_csv(["Prediksi Harga Gula di Kudus", "Deteksi Hoaks Politik"])
    page = CheckPage(Config(log=False, models=MODELS, corpora={"Arsip Kudus": path}))
    assert "Arsip Kudus (2 judul)" in page._archive_name.value
    assert len(page.session.checkers["light"].titles) == 2


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arsip") / "indeks"
    titles = ["Prediksi Harga Gula di Kudus", "Deteksi Hoaks Politik"]
    TitleIndex.build(titles, MODELS / "light").save(folder)
    return folder


def test_an_index_is_checked_by_its_own_model_only(index_folder, write_csv, tmp_path):
    path = write_csv(["Prediksi Harga Rumah di Bekasi", "Deteksi Hoaks Politik"])
    models = link_models(tmp_path)
    page = CheckPage(Config(models=models, corpora={"Katalog <b>": index_folder, "Arsip": path}))
    one, light, structured = page.one, page.one.panels["light"], page.one.panels["structured"]
    note = "Model Terstruktur tidak tersedia untuk Katalog &lt;b&gt;"
    assert "Katalog &lt;b&gt; (2 judul)" in page._archive_name.value
    assert "Hasil pemeriksaan tampil di sini" in light.verdict.html
    assert note in structured.verdict.html
    assert page.many.model.options == (("Model Ringan", "light"),)

    def choose(name):
        page.session.use_corpus(name)
        page._on_archive_change()

    one.check(TITLE)
    assert "Kudus" in light.table.html
    one.tabs.selected_index = list(one.panels).index("light")
    assert light.evidence.output.outputs
    light._log_feedback(is_right=False)
    structured._log_feedback(is_right=True)
    assert [row["model"] for row in read_log(models, feedback)] == ["light"]
    assert note in structured.verdict.html
    assert structured._result.layout.display == "none"
    assert "Perbandingan tidak tersedia" in one.comparison.summary.html
    one.threshold.value = 0.9
    assert note in structured.verdict.html
    page.many.start("usul.csv", f"Judul\n{TITLE}\nDeteksi Hoaks Politik\n".encode()).join()
    assert "Katalog &lt;b&gt; oleh Model Ringan" in page.many.state.html
    assert ",light,Katalog <b>,0.5" in page.many._csv()[1].decode()

    choose("Arsip")
    assert "Prediksi Harga Rumah di Bekasi" in structured.verdict.html
    assert structured._result.layout.display == ""
    assert "Bekasi" in light.table.html
    assert "tidak tersedia" not in one.comparison.summary.html
    assert [name for _, name in page.many.model.options] == list(page.session.checkers)
    assert page.many.model.value == "light"
    page.many.model.value = "structured"
    choose("Katalog <b>")
    assert note in structured.verdict.html
    structured.table.selected = 1  # Must not draw anything of the previous archive.
    assert structured._matches is None
    assert page.many.model.value == "light"


def test_the_model_of_an_index_gets_a_tab(index_folder, tmp_path):
    shutil.copytree(MODELS / "structured", tmp_path / "structured")
    page = CheckPage(Config(models=tmp_path, corpora={"Katalog": index_folder}))
    assert page.one.tabs.titles == ("Model Terstruktur", "Model Ringan", "Perbandingan")
    assert "Model Penuh" in page.one.children[-1].value
    assert "Model Ringan" not in page.one.children[-1].value
    page.archive.add("x.csv", b"Judul\nDeteksi Hoaks Politik\n").join()
    assert "Model Ringan tidak tersedia untuk x.csv" in page.one.panels["light"].verdict.html
    page.one.check(TITLE)
    assert "Deteksi Hoaks" in page.one.panels["structured"].table.html


def test_many_proposals_are_compared_with_each_other_as_without_an_index(index_folder):

    index = TitleIndex.load(index_folder)
    plain = load_checker(MODELS / "light", list(index.titles))
    proposals = [TITLE, "", "Deteksi Hoaks Politik", TITLE.lower(), "Prediksi Harga Gula"]
    pd.testing.assert_frame_equal(check_proposals(proposals, index), check_proposals(proposals, plain))


def test_an_index_that_cannot_be_used_is_named_at_the_start(index_folder, tmp_path):
    shutil.copytree(index_folder, tmp_path / "x")
    part = next((tmp_path / "x" / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-1])
    page = CheckPage(Config(log=False, models=MODELS, corpora={"Katalog": tmp_path / "x"}))
    assert "judul index build" in page.children[-1].value


def test_a_batch_runs_in_the_background_and_can_be_stopped(page, monkeypatch):
    titles = ["Judul", *(f"Prediksi Harga Beras nomor {word}" for word in "abcdefghij" * 30)]
    content = "\n".join(titles).encode()
    page.many.start("usul.csv", content).join()
    assert "Dari 300 usulan" in page.many.state.html
    assert page.many.table.layout.display == ""
    name, body = page.many._csv()
    assert name.endswith("_usul.csv")
    assert len(body.decode("utf-8-sig").splitlines()) == 301
    slow = page.session.checkers["structured"]
    original = slow.check_many
    monkeypatch.setattr(
        slow, "check_many", lambda *a, **k: (time.sleep(0.01) or m for m in original(*a, **k))
    )
    thread = page.many.start("usul.csv", content)
    time.sleep(0.3)
    page.many.stop.click()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert "Dihentikan" in page.many.state.html
    assert page.many.table.layout.display == "none"


def test_a_second_file_replaces_the_first(page):
    many = "\n".join(["Judul", *["Prediksi Harga Beras di Kudus"] * 400]).encode()
    first = page.many.start("lama.csv", many)
    second = page.many.start("baru.csv", b"Judul\nDeteksi Hoaks Politik\nPrediksi Harga Gula\n")
    first.join(timeout=20)
    second.join(timeout=20)
    assert "Dari 2 usulan" in page.many.state.html
    assert page.many._csv()[0].endswith("_baru.csv")
    assert page.many.stop.layout.display == "none"


def test_a_late_error_does_not_replace_the_result_of_a_later_file(page, monkeypatch):
    original = proposals_panel.parse_proposals

    def slow(content, name, **limits):
        time.sleep(0.5 if name == "salah.csv" else 0)
        return original(content, name, **limits)

    monkeypatch.setattr(proposals_panel, "parse_proposals", slow)
    wrong = page.many.start("salah.csv", b"Nama\nA\n")
    page.many.start("baik.csv", b"Judul\nDeteksi Hoaks Politik\n").join()
    wrong.join()
    assert "Dari 1 usulan" in page.many.state.html
    assert page.many.table.layout.display == ""


def test_another_archive_discards_the_result_of_the_previous_one(page):
    page.many.start("usul.csv", b"Judul\nDeteksi Hoaks Politik\n").join()
    assert "arsip bawaan model oleh Model Terstruktur, ambang 0,50" in page.many.state.html
    assert page.many.download.layout.display == ""
    page.archive.add("baru.csv", b"Judul\nDeteksi Hoaks Politik\n").join()
    assert "Arsipnya berganti" in page.many.state.html
    assert page.many.download.layout.display == "none"
    page.many.start("usul.csv", b"Judul\nDeteksi Hoaks Politik\n").join()
    assert ",structured,baru.csv,0.5" in page.many._csv()[1].decode()


def test_rows_are_numbered_as_in_the_file_and_formulas_are_escaped(page):
    content = b"Judul,=1+1\nDeteksi Hoaks Politik,@x\n,\n\nDeteksi Hoaks Politik;=2+2,y\n"
    page.many.start("usul.csv", content).join()
    rows = pd.read_csv(io.BytesIO(page.many._csv()[1]))
    assert rows["baris_usulan_terdekat"].tolist() == [5, 2]
    assert "data-row='5'" in page.many.table.html
    assert rows.columns[1] == "'=1+1"
    assert rows.iloc[0, 1] == "'@x"
    assert rows.iloc[1, 0] == "Deteksi Hoaks Politik;'=2+2"


def test_every_row_is_checked_or_counted_as_not_comparable(page, monkeypatch):
    monkeypatch.setattr("judul_lib.checking.batches.MAX_PROPOSALS_COMPARED", 3)
    few = ["Judul", TITLE, "Deteksi Hoaks Politik", "Prediksi Harga Gula", "-", "123"]
    page.many.start("usul.csv", "\n".join(few).encode()).join()
    assert "Dari 5 usulan, 3 diperiksa dan 2 tidak dapat diperiksa." in page.many.state.html
    assert "tidak satu sama lain" not in page.many.state.html  # Three are compared with each other.
    page.many.start("usul.csv", "\n".join([*few, "Prediksi Harga Beras"]).encode()).join()
    assert "Dari 6 usulan, 4 diperiksa dan 2 tidak dapat diperiksa." in page.many.state.html
    assert "lebih dari 3, usulan hanya dibandingkan dengan arsip" in page.many.state.html
    page.many.start("usul.csv", "\n".join([*few, *["-"] * 300]).encode()).join()
    assert "Ditampilkan 200 usulan, yang paling dekat lebih dulu" in page.many.state.html
    assert page.many.table.html.count("data-row=") == 200


def test_progress_covers_both_comparisons(page):
    values = []
    page.many.progress.observe(lambda change: values.append(change["new"]), "value")
    titles = "\n".join(["Judul", *(f"Prediksi Harga Beras {chr(97 + k % 26)}x{k}" for k in range(167))])
    page.many.start("usul.csv", titles.encode()).join()
    done = [int(value.split("value='")[1].split("'")[0]) for value in values if value]
    assert done == sorted(done)
    assert len([d for d in done if 167 < d < 334]) > 3
    assert len(values) < 150


@pytest.mark.parametrize("is_second_check", [True, False])
def test_a_check_while_an_archive_is_read_is_repeated_with_it(page, monkeypatch, is_second_check):
    checker = page.session._own_checkers["structured"]
    original = checker.with_titles

    def slow(titles):
        time.sleep(0.3)
        return original(titles)

    monkeypatch.setattr(checker, "with_titles", slow)
    if is_second_check:
        page.one.check("Peramalan Curah Hujan dengan ARIMA")
    thread = page.archive.add("baru.csv", b"Judul\nPrediksi Harga Rumah di Bekasi\nDeteksi Hoaks\n")
    page.one.check(TITLE)
    thread.join()
    panel = page.one.panels["structured"]
    assert "Prediksi Harga Rumah di Bekasi" in panel.verdict.html
    assert panel._title == TITLE
    assert "baru.csv (2 judul)" in page._archive_name.value


PLACED = "Klasifikasi Penyakit Daun Padi Menggunakan Convolutional Neural Network di Kabupaten Sleman"
ELSEWHERE = "Identifikasi Penyakit Daun Tanaman Padi dengan CNN di Bantul"
# Other studies in the same place, with a higher probability than ELSEWHERE.
PLANTS = "Apel", "Tomat", "Cabai", "Jagung", "Kentang", "Teh", "Kopi"
OTHERS = [f"Klasifikasi Penyakit Daun {p} Menggunakan CNN di Kabupaten Sleman" for p in PLANTS]


def test_the_same_study_elsewhere_does_not_hide_one_that_is_similar():
    archive = [ELSEWHERE, "Klasifikasi Penyakit Daun Padi Menggunakan CNN"]
    for treatment, last in [("tidak", "TIDAK MIRIP"), ("tanyakan", "TANYAKAN")]:
        checker = load_checker(MODELS / "structured", archive, elsewhere=treatment)
        matches = checker.check(PLACED)
        assert matches.labels == ["MIRIP", last]
        assert "judul-mirip" in result_html.verdict(matches).html
        assert archive[1] in result_html.verdict(matches).text
        assert checker.check(PLACED, top_k=1).decision.titles == [archive[1]]
        assert check_proposals([PLACED], checker)["simpulan"].tolist() == ["MIRIP"]


def test_command_and_page_and_log_give_the_same_decision(tmp_path):
    """More probable TIDAK MIRIP titles hide no TANYAKAN, however few rows are shown."""
    title, decisive, archive = PLACED, ELSEWHERE, [*OTHERS, ELSEWHERE]
    best = load_checker(MODELS / "structured", archive).check(title, top_k=3)
    assert best.labels == ["TANYAKAN", "TIDAK MIRIP", "TIDAK MIRIP"]
    corpus, file = tmp_path / "arsip.csv", tmp_path / "usulan.csv"
    corpus.write_text("Judul\n" + "\n".join(archive) + "\n")
    file.write_text(f"Judul\n{title}\n")
    TitleIndex.build(archive, MODELS / "structured").save(tmp_path / "indeks")
    decisions = []
    for source in (("--corpus", corpus), ("--index", tmp_path / "indeks")):
        options = (*source, "--models", MODELS, "--elsewhere", "tanyakan")
        for top in (1, 10):
            answer = json.loads(judul("check", title, *options, "--top", top, "--format", "json").stdout)
            decisions.append(
                (answer["rf_label"], decisive in [row["judul_ref"] for row in answer["hasil"]])
            )
        judul("check", "--file", file, "--output", tmp_path / "hasil.csv", *options)
        row = pd.read_csv(tmp_path / "hasil.csv").iloc[0]
        decisions.append((row["rf_label"], row["judul_ref"] == decisive))
    config = Config(models=MODELS, elsewhere="tanyakan", log=False, corpora={"Arsip": corpus})
    logs = UsageLog(tmp_path / "logs", log_text=True)
    session = Session(config, logs)
    answers = session.check(title)
    session.log_answers(title, answers)
    verdict = result_html.verdict(answers["structured"].matches.first(3)).text
    decisions.append((verdict.split(" (")[0], decisive in verdict))
    page = CheckPage(config)
    page.one.top_k.value = 3
    page.one.check(title)
    panel = page.one.panels["structured"]
    assert "judul-tanya" in panel.verdict.html
    decisions.append(("TANYAKAN", decisive in panel._csv()[1].decode("utf-8-sig")))
    with opened_database(sqlite_url(tmp_path / "logs")) as engine:
        (logged,) = [row for row in read_table(engine, scores) if row["model"] == "structured"]
    decisions.append(("TANYAKAN", logged["match_text"] == decisive))
    assert set(decisions) == {("TANYAKAN", True)}


def test_a_more_probable_proposal_does_not_hide_a_tanyakan():
    checker = load_checker(MODELS / "structured", [])
    row = check_proposals([PLACED, *OTHERS, ELSEWHERE], checker).iloc[0]
    assert (row["simpulan_antarusulan"], row["usulan_terdekat"]) == ("TANYAKAN", ELSEWHERE)


def test_a_threshold_of_zero_is_stated_instead_of_a_probability(session):
    matches = session.checkers["light"].check("Xyzzy Qwerty Asdf").with_threshold(0.0)
    verdict = result_html.verdict(matches)
    assert page_text("all_similar") in verdict.html
    assert "0,00" not in verdict.text


def test_enough_digits_are_shown_to_tell_probability_and_threshold_apart(session):
    matches = session.checkers["structured"].check(TITLE)
    p = float(matches.probability[0])
    assert format_number(p, 2) == format_number(p + 1e-4, 2)
    digits = format_number(p, distinguishing_decimals(p, p + 1e-4))
    assert len(digits) > len("0,00")
    judged = matches.with_threshold(p + 1e-4)
    assert f"peluang mirip {digits}" in result_html.verdict(judged).text
    assert f">{digits}<" in result_html.match_table(TITLE, judged).html
    assert f">{digits}<" in result_html.comparison({"x": judged}).html
    checker = StructuredChecker(
        session.checkers["structured"]._model, session.checkers["structured"].titles, threshold=p + 1e-4
    )
    summary = format_answer(TITLE, checker.check(TITLE), checker, "structured", "table").splitlines()[0]
    assert f"peluang {digits}, ambang {format_number(p + 1e-4, len(digits) - 2)};" in summary


def test_a_threshold_of_zero_makes_everything_mirip(session):
    matches = session.checkers["structured"].check(TITLE)
    asked = matches.asked[(matches.probability < 0.5) & (matches.asked >= 0.5)]
    assert len(asked) == matches.labels.count("TANYAKAN") > 0
    assert set(matches.with_threshold(0.0).labels) == {"MIRIP"}


def test_a_file_without_a_title_column_is_refused(page):
    page.many.start("usul.csv", b"Nama\nA\n").join()
    assert "Kolom &#x27;Judul&#x27; tidak ada" in page.many.state.html
    assert page.many.download.layout.display == "none"


def test_a_file_comes_in_pieces_and_a_large_one_is_refused():
    received, sent = [], []
    part = FileInput(lambda *file: received.append(file), label="", config=Config(max_upload_mb=1))
    part.send = lambda content, buffers=None: sent.append(content)
    part._received(None, {"kind": "start", "name": "../x/a.csv", "size": 6}, None)
    part._received(None, {"kind": "piece", "start": 0}, [b"abc"])
    part._received(None, {"kind": "piece", "start": 0}, [b"twice"])
    part._received(None, {"kind": "piece", "start": 3}, [b"def"])
    assert received == [("a.csv", b"abcdef")]
    assert [message["start"] for message in sent] == [0, 3]
    part._received(None, {"kind": "start", "name": "b.csv", "size": 1_000_001}, None)
    assert sent[-1]["is_error"]
    assert sent[-1]["text"].startswith("b.csv lebih besar dari 1 MB")
    # A file larger than announced is refused, too.
    part._received(None, {"kind": "start", "name": "c.csv", "size": 4}, None)
    part._received(None, {"kind": "piece", "start": 0}, [b"x" * 1_000_001])
    assert sent[-1]["text"].startswith("c.csv lebih besar")
    assert len(received) == 1
    part._received(None, {"kind": "start", "name": "leer.csv", "size": 0}, None)
    assert received[-1] == ("leer.csv", b"")


def test_the_button_is_enabled_again_after_an_error():
    def fails(_):
        raise RuntimeError

    form = TitleForm(fails)
    with pytest.raises(RuntimeError):
        form._received(None, {"kind": "submit", "value": "x"}, None)
    assert not form.busy


def test_file_names_are_made_of_date_and_title():
    day = date(2026, 1, 2)
    assert file_name("../../etc/passwd", day) == "2026-01-02_etc-passwd.csv"
    assert file_name("<>:*?", day) == "2026-01-02_judul.csv"
    assert len(file_name("kata " * 100, day)) < 80


def link_models(folder):
    """Return a new folder with links to the models, and with an empty log."""
    (folder / "outputs").mkdir()
    for name in ("light", "structured"):
        (folder / "outputs" / name).symlink_to(MODELS / name)
    return folder / "outputs"


def read_log(models, table):
    with opened_database(sqlite_url(models / "logs")) as engine:
        return read_table(engine, table)


@pytest.mark.parametrize("log_text", [False, True])
def test_feedback_is_logged_and_the_thanks_say_what_is_stored(log_text, tmp_path):
    models = link_models(tmp_path)
    page = CheckPage(Config(models=models, log_text=log_text))
    panel = page.one.panels["structured"]
    panel._log_feedback(rating=3)
    assert read_log(models, feedback) == []  # Nothing has been checked yet.
    page.one.check(TITLE)
    panel._log_feedback(is_right=True)
    panel._log_feedback(rating=5)
    rows = read_log(models, feedback)
    assert [(row["label"], row["is_right"], row["rating"]) for row in rows] == [
        ("MIRIP", True, None),
        ("MIRIP", None, 5),
    ]
    assert {row["query_hash"] for row in rows} == {page.session.log.hash(TITLE)}
    assert {row["query_text"] for row in rows} == {TITLE if log_text else None}
    assert ("beserta judulnya" if log_text else "tanpa judul") in panel.thanks.html


def test_feedback_that_cannot_be_stored_gets_a_warning_instead_of_thanks(tmp_path):
    models = link_models(tmp_path)
    (models / "logs").write_text("a file where the folder should be")
    page = CheckPage(Config(models=models))
    page.one.check(TITLE)
    page.one.panels["light"]._log_feedback(is_right=False)
    assert page.one.panels["light"].thanks.html == ""
    assert "tidak tersimpan" in page._warning.value


def test_without_a_log_no_feedback_is_asked_for(page):
    page.one.check(TITLE)
    panel = page.one.panels["light"]
    assert panel.thanks not in panel._result.children
    panel._log_feedback(is_right=False)
    assert panel.thanks.html == ""


def test_a_refused_file_is_logged_by_the_type_of_error(tmp_path):
    models = link_models(tmp_path)
    page = CheckPage(Config(models=models))
    page.many.start("usul.csv", b"nama\nSiti\n").join()
    page.archive.add("arsip.csv", b"nama\nSiti\n").join()
    details = [row["detail"] for row in read_log(models, events) if row["kind"] == "error"]
    assert details == ["CorpusError", "CorpusError"]
    assert "Siti" not in str(read_log(models, events))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unexpected_error_is_shown_and_logged_by_its_type(tmp_path):
    models, sent = link_models(tmp_path), []
    page = CheckPage(Config(models=models))
    page.archive.file.send = lambda content, buffers=None: sent.append(content)
    page.many.start("usul Siti.csv", None).join()  # A browser never sends None.
    page.archive.add("arsip Siti.csv", None).join()
    assert "Pemeriksaan gagal" in page.many.state.html
    assert sent[-1]["is_error"]
    assert sent[-1]["text"].startswith("Arsip arsip Siti.csv tidak dapat disiapkan")
    details = [row["detail"] for row in read_log(models, events) if row["kind"] == "error"]
    assert details == ["AttributeError", "AttributeError"]
    assert "Siti" not in str(read_log(models, events))


def test_numbers_are_in_indonesian_format(write_csv):
    path = write_csv([f"Prediksi Harga Barang {n}" for n in range(1_200)])
    page = CheckPage(Config(log=False, models=MODELS, corpora={"x": path}))
    assert "1.200" in page._archive_name.value
    page.one.check("Prediksi Harga Barang 7")
    page.many.start("usul.csv", f"Judul\n{TITLE}\n".encode()).join()
    panel = page.one.panels["structured"]
    parts = panel.verdict, panel.table, page.one.comparison.summary, page.many.table, page.many.state
    shown = [re.sub(r"<[^>]*>", " ", part.html) for part in parts]
    assert all(re.search(r"\d,\d\d\b", text) for text in shown)
    assert not any(re.search(r"\b\d\.\d\d\b", text) for text in shown)
    evidence = page.session.checkers["light"].evidence(TITLE, TITLE)
    for figure in (match_bars(panel._matches), evidence_waterfall(evidence, TITLE)):
        assert figure.layout.separators == ",."
        assert "," in str(figure.data[0].text or figure.data[0].y)
