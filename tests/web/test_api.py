"""The interface: one title, lists, archives, keys, limits; and what it refuses."""

import io
import time
from dataclasses import replace

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from judul_lib.core.config import Config
from judul_lib.governance.api_keys import add_key, revoke_key
from judul_lib.governance.decisions import decide
from judul_lib.search.index import TitleIndex
from judul_lib.usage.frames import read_usage
from judul_lib.web.answers import MAX_TITLES_SENT
from judul_lib.web.api_access import RateLimit
from judul_lib.web.app import create_app
from judul_lib.web.file_checks import job_work
from judul_lib.web.job_runner import RunningJobs
from judul_lib.web.problems import PROBLEM_TYPE
from judul_lib.web.service import Service
from tests.conftest import PROJECT

ARCHIVE = [
    "Klasifikasi Penyakit Daun Padi dengan CNN di Bantul",
    "Prediksi Harga Cabai dengan LSTM",
    "Deteksi Hoaks Politik di Twitter dengan Naive Bayes",
]
TITLE = "Klasifikasi Penyakit Daun Padi Menggunakan CNN di Sleman"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    links = ["https://repo.example/1", "javascript:alert(1)", ""]
    rows = {"Judul": ARCHIVE, "Tahun": "2024", "Penulis": "Dewi", "Tautan": links}
    pd.DataFrame(rows).to_csv(folder / "arsip.csv", index=False)
    TitleIndex.build(ARCHIVE, PROJECT / "outputs" / "structured").save(folder / "indeks")
    corpora = {"kudus": folder / "arsip.csv", "indeks": folder / "indeks"}
    return Config(log=False, models=PROJECT / "outputs", corpora=corpora, max_upload_mb=1, max_rows=300)


@pytest.fixture(scope="module")
def service(config):
    service = Service(config)
    with RunningJobs(job_work(service)) as running:
        service.jobs = running.store
        yield service


@pytest.fixture
def client(service):
    return client_of(service)


def client_of(service, key=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    app = create_app(service)
    return TestClient(app, "http://localhost", raise_server_exceptions=False, headers=headers)


@pytest.fixture
def keyed(service, tmp_path):
    """Give the service a folder for keys and log; return it."""
    config = service.config
    service.config = replace(config, models=tmp_path, log=True)
    yield service
    service.close()
    service.config = config


def make_key(service, name, *scopes):
    return add_key(service.database(), service.config.logs, name, scopes, actor="0f")


def check(client, title=TITLE, **fields):
    return client.post("/api/v1/check", json={"title": title, **fields})


def problem(answer, status, slug):
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_TYPE), answer.text
    found = answer.json()
    assert (found["status"], found["type"]) == (status, f"/docs#{slug}")
    assert found["detail"].endswith((".", ";")), found
    assert "Traceback" not in answer.text
    return found


def finished(client, job):
    end = time.monotonic() + 60
    while (found := client.get(f"/api/v1/jobs/{job['id']}").json())["state"] in ("menunggu", "berjalan"):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_answer_says_what_the_page_says(client, service):
    answer = check(client, top=2).json()
    expected = service.check(TITLE)
    assert answer["title"] == TITLE
    assert answer["verdict"] == expected.matches.decision.labels[0] == "TANYAKAN"
    assert answer["probability"] == pytest.approx(expected.matches.decision.probability[0])
    assert answer["archive"]["n_titles"] == 3
    assert answer["archive"]["name"] == "kudus"
    assert answer["model"] == {"name": "structured", "version": service.versions["structured"]}
    assert [m["title"] for m in answer["matches"]] == expected.matches.titles[:2]
    assert "tempat lain" in answer["sentence"]


def test_match_has_what_the_archive_knows_and_how_each_part_relates(client):
    matches = {m["title"]: m for m in check(client).json()["matches"]}
    near = matches[ARCHIVE[0]]
    assert (near["year"], near["author"], near["link"]) == ("2024", "Dewi", "https://repo.example/1")
    assert near["fields"]["method"]["relation"] == "sama"
    place = {"relation": "berbeda", "shared": [], "proposal": ["sleman"], "archive": ["bantul"]}
    assert near["fields"]["place"] == place
    assert matches[ARCHIVE[1]]["link"] is None  # A link that is no web address might be a script.


def test_index_answers_as_the_archive_that_it_holds(client):
    answers = [check(client, archive=name).json() for name in ("kudus", "indeks")]
    assert answers[0]["verdict"] == answers[1]["verdict"]
    assert answers[0]["matches"][0]["fields"] == answers[1]["matches"][0]["fields"]
    assert answers[1]["model"]["version"]


def test_threshold_of_the_question_decides(client):
    probability = check(client).json()["probability"]
    assert check(client, threshold=probability).json()["verdict"] == "MIRIP"
    assert check(client, threshold=0.999).json()["verdict"] != "MIRIP"


def test_decision_of_people_is_told(service, tmp_path):
    changed = replace(service.config, models=tmp_path)
    own = service.config
    service.config = changed
    try:
        arguments = {"reason": "tempat lain", "actor": "0f"}
        decide(service.database(), changed.logs, TITLE, ARCHIVE[0], "sama", by="Komisi", **arguments)
        service.decisions(anew=True)
        answer = check(client_of(service)).json()
    finally:
        service.close()
        service.config = own
        service.decisions(anew=True)
    assert answer["verdict"] == "MIRIP"
    assert "Komisi" in answer["matches"][0]["decided"]


@pytest.mark.parametrize(
    ("body", "status", "slug", "fields"),
    [
        ({"title": ""}, 422, "tidak-dapat-diperiksa", None),
        ({"title": "dan 123"}, 422, "tidak-dapat-diperiksa", None),
        ({"title": TITLE, "archive": "solo"}, 422, "tidak-dapat-diperiksa", None),
        ({}, 422, "isian-tidak-sah", ["title"]),
        ({"title": 5}, 422, "isian-tidak-sah", ["title"]),
        ({"title": "padi " * 101}, 422, "isian-tidak-sah", ["title"]),
        ({"title": TITLE, "treshold": 1}, 422, "isian-tidak-sah", ["treshold"]),
        ({"title": TITLE, "threshold": 2, "top": 0}, 422, "isian-tidak-sah", ["threshold", "top"]),
        ([], 422, "isian-tidak-sah", ["isi"]),
    ],
)
def test_refused_question_says_why(client, body, status, slug, fields):
    found = problem(client.post("/api/v1/check", json=body), status, slug)
    assert [error["field"] for error in found["errors"]] == fields if fields else "errors" not in found


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 90_000, "application/json", 400),  # deeper than Python can nest
        ('{"title": "café hoaks"}'.encode("latin-1"), "application/json", 400),
        (b'{"title": "\\ud800 hoaks politik"}', "application/json", 422),
        (b'{"title": "hoaks politik", "threshold": NaN}', "application/json", 422),
        (b"title=hoaks", "application/x-www-form-urlencoded", 415),
        (b"x" * 200_000, "application/json", 413),
        ((b"x" * 50_000 for _ in range(4)), "application/json", 413),  # without a length
    ],
)
def test_hostile_body_is_refused(client, content, kind, status):
    answer = client.post("/api/v1/check", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_TYPE)


def test_unknown_addresses_and_methods_are_problems_too(client):
    problem(client.get("/api/v1/nothing"), 404, "tidak-ditemukan")
    problem(client.get("/api/v9/check"), 404, "tidak-ditemukan")
    problem(client.get("/api/v1/check"), 405, "metode-keliru")
    assert client.get("/api/v1/check").headers["allow"] == "POST"
    other_page = {"Origin": "https://example.org"}
    problem(client.post("/api/v1/check", json={}, headers=other_page), 403, "tidak-diizinkan")


def test_failure_shows_no_trace(service, client, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("secret path")

    monkeypatch.setattr(service, "check", fail)
    answer = check(client)
    problem(answer, 500, "galat-server")
    assert "secret" not in answer.text


def test_titles_are_checked_as_a_job(client):
    titles = [{"id": "A1", "title": TITLE}, {"title": TITLE.upper()}, {"id": "A3", "title": "123"}]
    started = client.post("/api/v1/batch", json={"titles": titles})
    assert started.status_code == 202
    assert started.headers["location"] == f"/api/v1/jobs/{started.json()['id']}"
    found = finished(client, started.json())
    assert (found["state"], found["result"]) == ("selesai", f"/api/v1/jobs/{found['id']}/result")
    result = client.get(found["result"]).json()
    assert [(t["id"], t["verdict"]) for t in result["titles"]] == [
        ("A1", "TANYAKAN"), (None, "TANYAKAN"), ("A3", "TIDAK DIPERIKSA"),
    ]  # fmt: skip
    among = result["titles"][0]["among"]
    assert (among["row"], among["verdict"]) == (2, "MIRIP")
    assert result["titles"][0]["nearest"] == ARCHIVE[0]
    assert (result["archive"], result["model"]) == ("kudus", "structured")


def test_result_is_csv_on_request_with_formulas_escaped(client):
    titles = [{"id": "=1+1", "title": '=HYPERLINK("x") Hoaks Politik'}]
    found = finished(client, client.post("/api/v1/batch", json={"titles": titles}).json())
    answer = client.get(found["result"], headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    frame = pd.read_csv(io.BytesIO(answer.content))
    assert frame["id"].tolist() == ["'=1+1"]
    assert frame["Judul"][0].startswith("'=HYPERLINK")


def test_file_is_checked_and_its_column_chosen(client):
    content = f"Judul A,Judul B\n{TITLE},Hama Jagung di Blora\n".encode()
    headers = {"Content-Type": "text/csv"}
    first = client.post("/api/v1/batch", content=content, headers=headers)
    found = finished(client, first.json())
    assert found["state"] == "memilih"
    assert "Judul A, Judul B" in found["message"]
    problem(client.get(f"/api/v1/jobs/{found['id']}/result"), 409, "belum-ada-hasil")
    chosen = {"column": "Judul A", "archive": "kudus"}
    again = client.post("/api/v1/batch", content=content, headers=headers, params=chosen)
    found = finished(client, again.json())
    (title,) = client.get(found["result"]).json()["titles"]
    assert (title["row"], title["title"], title["verdict"]) == (2, TITLE, "TANYAKAN")


def test_unreadable_file_fails_with_a_sentence(client):
    headers = {"Content-Type": "application/vnd.ms-excel"}
    found = finished(client, client.post("/api/v1/batch", content=b"\0\1\2", headers=headers).json())
    assert (found["state"], found["result"]) == ("gagal", None)
    assert found["message"].endswith(".")
    problem(client.get(f"/api/v1/jobs/{found['id']}/result"), 409, "belum-ada-hasil")


def test_job_is_stopped(client):
    titles = [{"title": f"{TITLE} {n}"} for n in range(MAX_TITLES_SENT)]
    started = client.post("/api/v1/batch", json={"titles": titles}).json()
    problem(client.get(f"/api/v1/jobs/{started['id']}/result"), 409, "belum-ada-hasil")
    assert client.delete(f"/api/v1/jobs/{started['id']}").json()["state"] == "dihentikan"
    assert finished(client, started)["state"] == "dihentikan"


def test_list_is_refused_before_it_becomes_a_job(client, service):
    n_jobs = len(service.jobs.all())
    post = client.post
    problem(post("/api/v1/batch", json={"titles": []}), 422, "isian-tidak-sah")
    problem(post("/api/v1/batch", json={"titles": [{"title": 1}]}), 422, "isian-tidak-sah")
    too_many = {"titles": [{"title": "a"}] * (MAX_TITLES_SENT + 1)}
    problem(post("/api/v1/batch", json=too_many), 422, "isian-tidak-sah")
    one = {"titles": [{"title": TITLE}], "archive": "solo"}
    problem(post("/api/v1/batch", json=one), 422, "tidak-dapat-diperiksa")
    json_type, csv_type = ({"Content-Type": kind} for kind in ("application/json", "text/csv"))
    problem(post("/api/v1/batch", content=b"{", headers=json_type), 400, "permintaan-tidak-terbaca")
    chunks = (b"x" * 100_000 for _ in range(20))
    problem(post("/api/v1/batch", content=chunks, headers=csv_type), 413, "terlalu-besar")
    problem(
        post("/api/v1/batch", content=b"x", headers={"Content-Type": "a/b"}), 415, "jenis-isi-keliru"
    )
    assert len(service.jobs.all()) == n_jobs


def test_archives_health_and_version(client, service):
    archives = client.get("/api/v1/archives").json()["archives"]
    assert [a["name"] for a in archives] == ["kudus", "indeks"]
    assert client.get("/api/v1/health").json() == {"status": "ok"}
    version = client.get("/api/v1/version").json()
    assert version["api"] == "v1"
    assert {m["name"]: m["version"] for m in version["models"]} == service.versions


def test_without_any_key_nothing_is_asked_and_no_database_made(keyed):
    assert check(client_of(keyed)).status_code == 200
    problem(check(client_of(keyed, "judul_guessed")), 401, "kunci-diperlukan")
    assert not keyed.config.logs.exists()


def test_once_there_is_a_key_it_is_needed(keyed):
    key = make_key(keyed, "siakad", "periksa")
    assert check(client_of(keyed, key)).status_code == 200
    for wrong in (None, key + "x", "judul_", "x"):
        answer = check(client_of(keyed, wrong))
        problem(answer, 401, "kunci-diperlukan")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client_of(keyed).get("/api/v1/health").status_code == 200


def test_token_protects_the_interface_too(keyed):
    keyed.config = replace(keyed.config, token="rahasia")
    problem(check(client_of(keyed)), 401, "kunci-diperlukan")
    problem(check(client_of(keyed, "rahasia")), 401, "kunci-diperlukan")
    assert check(client_of(keyed, make_key(keyed, "siakad", "periksa"))).status_code == 200


def test_key_reaches_only_its_scope(keyed):
    client = client_of(keyed, make_key(keyed, "katalog", "arsip"))
    assert client.get("/api/v1/archives").status_code == 200
    assert "periksa" in problem(check(client), 403, "tidak-diizinkan")["detail"]


def test_revoked_key_is_refused_at_once(keyed):
    client = client_of(keyed, make_key(keyed, "siakad", "periksa"))
    assert check(client).status_code == 200
    revoke_key(keyed.database(), keyed.config.logs, "siakad", actor="0f")
    problem(check(client), 401, "kunci-diperlukan")


def test_jobs_of_another_key_are_not_found(keyed):
    client = client_of(keyed, make_key(keyed, "siakad", "periksa"))
    other = client_of(keyed, make_key(keyed, "lain", "periksa"))
    job = client.post("/api/v1/batch", json={"titles": [{"title": TITLE}]}).json()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/result")):
        problem(other.request(method, f"/api/v1/jobs/{job['id']}{path}"), 404, "tidak-ditemukan")
    assert finished(client, job)["state"] == "selesai"


def test_wrong_keys_wait_but_the_right_one_does_not(keyed):
    key = make_key(keyed, "siakad", "periksa")
    client = client_of(keyed)
    statuses = [check_with(client, "judul_wrong").status_code for _ in range(8)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    answer = check_with(client, "judul_wrong")
    problem(answer, 429, "terlalu-sering")
    assert int(answer.headers["retry-after"]) >= 1
    assert check_with(client, key).status_code == 200


def check_with(client, key):
    body = {"title": TITLE, "top": 1}
    return client.post("/api/v1/check", json=body, headers={"Authorization": f"Bearer {key}"})


def test_key_that_asks_too_often_waits(client):
    clock = [0.0]
    client.app.state.rate_limit = RateLimit(rate=2.0, burst=3, clock=lambda: clock[0])
    path = "/api/v1/version"
    assert [client.get(path).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get(path)
    problem(answer, 429, "terlalu-sering")
    clock[0] += float(answer.headers["retry-after"])
    assert client.get(path).status_code == 200


def test_answers_are_logged_under_the_key_without_its_name(keyed):
    key = make_key(keyed, "siakad", "periksa")
    keyed.start_worker()
    assert check(client_of(keyed, key)).status_code == 200
    user = keyed.log.hash("siakad")
    keyed.close()  # Writes what waits to be logged.
    log = read_usage(keyed.database())
    assert log.predictions["source"].tolist() == ["api"]
    assert log.predictions["user"].tolist() == [user]
