"""The monitoring report: its numbers, its drawings, and what it says where there is nothing."""

import html
import re
import shutil
from datetime import timedelta

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from judul_lib.core.clock import utc_now
from judul_lib.core.config import Config
from judul_lib.core.errors import LogError
from judul_lib.usage.database import database_url, opened_database
from judul_lib.usage.frames import Usage, local_day
from judul_lib.usage.monitoring import read_baselines
from judul_lib.usage.simulation import simulate_usage, simulated_tables
from judul_lib.web.app import create_app
from judul_lib.web.metrics import FOLDER_VARIABLE, Metrics
from judul_lib.web.report_numbers import Series, build_report, first_time
from judul_lib.web.report_pages import HEIGHT, draw
from judul_lib.web.service import Service
from tests.conftest import PROJECT
from tests.web.test_access import People, Person

END = pd.Timestamp(2026, 6, 30)
NOW = END.to_pydatetime() + timedelta(hours=16)


@pytest.fixture
def service(tmp_path):
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "outputs" / "light")
    service = Service(Config(models=tmp_path / "outputs"))
    service.start_worker()
    yield service
    service.close()


@pytest.fixture
def client(service):
    return TestClient(create_app(service), base_url="http://localhost")


@pytest.fixture(scope="module")
def baselines():
    return read_baselines(PROJECT / "outputs")


def fill(service, **options):
    """Write simulated usage up to yesterday."""
    baselines = read_baselines(service.config.models)
    with opened_database(database_url(service.config.logs)) as engine:
        simulate_usage(
            engine, seed=3, baselines=baselines, models=tuple(baselines),
            end=(local_day(utc_now()) - timedelta(days=1)).date(), **options,
        )  # fmt: skip


def text_of(answer):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def report_of(baselines, *, days=30, threshold=0.5, **options):
    tables = simulated_tables(
        seed=3, end=END.date(), days=days, baselines=baselines, models=tuple(baselines), **options
    )
    return build_report(Usage.from_tables(tables), baselines, NOW, threshold)


def table(report, heading):
    return next(table for table in report.tables if table.heading == heading)


def test_without_a_log_the_page_says_what_to_do(client):
    answer = client.get("/laporan")
    assert answer.status_code == 200
    assert "Belum ada yang tercatat dalam 30 hari terakhir. Periksa sebuah judul" in text_of(answer)
    assert "Mesin ini" in text_of(answer)


def test_a_switched_off_log_is_said(tmp_path):
    shutil.copytree(PROJECT / "outputs" / "light", tmp_path / "outputs" / "light")
    service = Service(Config(models=tmp_path / "outputs", log=False))
    page = TestClient(create_app(service), base_url="http://localhost")
    assert "log = true di judul.toml" in text_of(page.get("/laporan"))
    assert not service.config.logs.exists()


def test_a_check_is_in_the_report(client, service):
    client.post("/periksa", data={"judul": "Deteksi Hoaks Politik dengan Naive Bayes"})
    service.close()
    service.start_worker()
    answer = client.get("/laporan")
    text = text_of(answer)
    assert "Pemeriksaan 1 " in text
    assert "kartu grafik" not in answer.text  # Nothing changes from day to day yet.
    assert "Deteksi Hoaks" not in text
    assert "Ini data simulasi" not in text


def test_simulated_usage_shows_numbers_lines_and_alerts(client, service):
    fill(service, days=30, drift_from=15)
    answer = client.get("/laporan")
    text = text_of(answer)
    assert "Ini data simulasi" in text
    assert "judul govern playbook bergeser" in text
    assert "Waktu jawab p50 · p95 · p99 (detik) 0," in text
    assert "Pendapat pengguna" in text
    assert answer.text.count('class="kartu grafik"') == 4
    assert "style=" not in answer.text
    assert "nan" not in re.findall(r' d="([^"]*)"', answer.text)
    assert "<script>" not in answer.text


def test_the_days_can_be_chosen(client, service):
    fill(service, days=30, n_per_day=20)
    numbers = {}
    for days in (7, 30):
        found = re.search(r"Pemeriksaan ([\d.]+) ", text_of(client.get(f"/laporan?hari={days}")))
        numbers[days] = int(found.group(1).replace(".", ""))
    assert 3 * numbers[7] < numbers[30]
    assert client.get("/laporan?hari=0").status_code == 422
    assert client.get("/laporan?hari=banyak").status_code == 422


def test_a_log_that_cannot_be_used_is_a_sentence(client, service, monkeypatch):
    fill(service, days=2)

    def fail(*args):
        raise LogError("Basis data log tidak dapat dibuka.")

    monkeypatch.setattr("judul_lib.web.report_pages.read_usage", fail)
    answer = client.get("/laporan")
    assert answer.status_code == 503
    assert "Basis data log tidak dapat dibuka." in text_of(answer)
    assert "Mesin ini" in text_of(answer)


def test_only_managers_see_it(service):
    users = People(Person("siti", "pemeriksa"), Person("budi", "pengelola"))
    app = create_app(service, accounts=users)
    for name, status in (("siti", 403), ("budi", 200)):
        page = TestClient(app, base_url="http://localhost")
        assert page.get("/laporan").url.path == "/masuk"
        page.post("/masuk", data={"nama": name, "sandi": f"sandi-{name}"})
        assert page.get("/laporan").status_code == status


def test_verdicts_are_those_of_all_processes(client, service, tmp_path, monkeypatch):
    (tmp_path / "metrics").mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "metrics"))
    metrics = Metrics(tmp_path / "metrics", "1")
    for verdict in ("MIRIP", "TANYAKAN", "TIDAK MIRIP", "TIDAK MIRIP"):
        metrics.count_check("page", verdict)
    metrics.count_check("api", "MIRIP")
    assert metrics.checks_by_verdict() == {"MIRIP": 2, "TANYAKAN": 1, "TIDAK MIRIP": 2}
    service.metrics = metrics
    assert "TANYAKAN 1 20,0 %" in text_of(client.get("/laporan"))


def test_the_share_is_that_of_the_leading_model(baselines):
    report = report_of(baselines)
    tables = simulated_tables(
        seed=3, end=END.date(), days=30, baselines=baselines, models=tuple(baselines)
    )
    scores = tables["scores"]
    leading = scores[scores["model"] == next(iter(baselines))]["probability"]
    shown = dict(table(report, "Ringkasan").rows)
    name = next(key for key in shown if key.startswith("Mencapai ambang 0,50"))
    assert float(shown[name].split()[0].replace(",", ".")) == pytest.approx(
        100 * (leading >= 0.5).mean(), abs=0.06
    )


def test_drift_is_shown_and_alarmed_only_where_there_is_any(baselines):
    calm, moved = report_of(baselines), report_of(baselines, drift_from=10)
    heading = "Pergeseran dari garis dasar"
    assert {row[-1] for row in table(moved, heading).rows if "peluang" in row[0]} == {"bergeser"}
    assert {row[-1] for row in table(calm, heading).rows} == {"tetap"}
    assert "bergeser" in set(moved.alerts["jenis"])
    assert "bergeser" not in set(calm.alerts["jenis"])


def test_an_empty_log_has_neither_lines_nor_errors():
    report = build_report(Usage.from_tables({}), {}, NOW, 0.5)
    assert not report.series
    assert dict(report.tables[0].rows)["Pemeriksaan"] == "0"


def test_days_without_a_value_are_a_gap():
    days = pd.date_range("2026-01-01", periods=5)
    frame = pd.DataFrame({"x": [1.0, 2.0, float("nan"), 3.0, 4.0]}, index=days)
    assert draw(Series("x", frame)).lines[0][1].count("M") == 2
    lonely = frame.assign(x=[float("nan"), 2.0, float("nan"), 3.0, 4.0])
    assert " h5" in draw(Series("x", lonely)).lines[0][1]


@pytest.mark.parametrize("values", [[0.0], [5.0], [-1.0, 2.0], [0.0, 0.0]])
def test_every_drawing_stays_in_its_box(values):
    frame = pd.DataFrame({"x": values}, index=pd.date_range("2026-01-01", periods=len(values)))
    chart = draw(Series("x", frame, {"batas": 3.0}))
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([-\d.]+)", chart.lines[0][1])]
    assert all(0 <= y <= HEIGHT for y in [*heights, chart.bounds[0][1]])


def test_the_first_day_begins_at_local_midnight():
    assert first_time(NOW, 1) < NOW
    assert local_day(first_time(NOW, 30)) == local_day(NOW) - timedelta(days=29)
    assert local_day(first_time(NOW, 30) - timedelta(seconds=1)) == local_day(NOW) - timedelta(days=30)


@pytest.mark.parametrize("days", [7, 14, 31, 90])
def test_the_shift_is_drawn_for_some_days_up_to_the_last(baselines, days):
    report = report_of(baselines, days=days, n_per_day=60)
    shifts = report.series[-1]
    assert shifts.heading == "Pergeseran rata-rata peluang"
    assert shifts.frame.index[-1] == END
    assert len(shifts.frame) <= 30
    assert shifts.frame.iloc[-1].notna().all()
