"""Who may see what: nothing asked on loopback, token, users, single sign-on, sessions."""

from dataclasses import dataclass, replace

import pytest
from fastapi.testclient import TestClient

from judul_lib.core.config import Config, load_config
from judul_lib.web.access import COOKIE
from judul_lib.web.app import create_app
from judul_lib.web.login import LocalThrottle, safe_target
from judul_lib.web.service import Service

TITLE = "Deteksi Hoaks Politik dengan Naive Bayes"


@dataclass
class Person:
    name: str
    role: str
    session: str = "1"


class People:
    """Users in memory."""

    def __init__(self, *people):
        self.people = {person.name: person for person in people}

    def has_users(self):
        return bool(self.people)

    def find_session(self, name, session):
        person = self.people.get(name)
        return person if person and person.session == session else None

    def verify(self, name, password):
        return self.people.get(name) if password == f"sandi-{name}" else None


@pytest.fixture(scope="module")
def service():
    return Service(load_config(log="false"))


@pytest.fixture
def client(service):
    """Make a client of a page with other settings."""

    def make(*, users=None, base_url="http://localhost", client=("127.0.0.1", 5000), **settings):
        service.config = replace(Config(), log=False, **settings)
        app = create_app(service, accounts=users)
        return TestClient(app, base_url=base_url, client=client, follow_redirects=False)

    config = service.config
    yield make
    service.config = config


def test_on_loopback_nothing_is_asked(client):
    page = client()
    assert page.get("/").status_code == 200
    assert page.get("/masuk").headers["location"] == "/"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_another_name_of_this_machine_is_refused_while_nothing_is_asked(client, host):
    assert client().get("/", headers={"host": host}).status_code == 400


def test_a_token_is_asked_for_once(client):
    page = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    assert page.get("/").headers["location"] == "/masuk?ke=/"
    assert page.post("/periksa", data={"judul": TITLE}).status_code == 401
    assert page.post("/masuk", data={"token": "salah"}).status_code == 401
    assert page.get("/").status_code == 303
    assert page.post("/masuk", data={"token": "rahasia"}).headers["location"] == "/"
    assert page.get("/").status_code == 200


def test_the_token_is_in_no_cookie(client):
    page = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    answer = page.post("/masuk", data={"token": "rahasia"})
    assert "rahasia" not in answer.headers["set-cookie"]


def test_a_session_ends_when_the_token_changes(client):
    page = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    page.post("/masuk", data={"token": "rahasia"})
    cookie = page.cookies[COOKIE]
    other = client(host="0.0.0.0", token="baru", base_url="http://kampus.example")
    other.cookies.set(COOKIE, cookie)
    assert other.get("/").status_code == 303


def test_a_forged_or_changed_session_is_none(client):
    page = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    page.post("/masuk", data={"token": "rahasia"})
    cookie = page.cookies[COOKIE]
    for forged in (cookie[:-1] + "x", "e30.x.y", "", "\x7f", cookie.split(".")[0]):
        page.cookies.clear()
        assert page.get("/", headers={"cookie": f"{COOKIE}={forged}"}).status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client):
    page = client(host="0.0.0.0", token="rahasia", base_url="https://kampus.example")
    cookie = page.post("/masuk", data={"token": "rahasia"}).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(cookie.split("; "))
    plain = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    assert "Secure" not in plain.post("/masuk", data={"token": "rahasia"}).headers["set-cookie"]


def test_users_log_in_and_out(client):
    users = People(Person("siti", "pemeriksa"), Person("budi", "pengelola"))
    page = client(users=users)
    assert page.get("/").status_code == 303
    assert page.post("/masuk", data={"nama": "siti", "sandi": "salah"}).status_code == 401
    assert page.post("/masuk", data={"nama": "siti", "sandi": "sandi-siti"}).status_code == 303
    assert "siti" in page.get("/").text
    assert "/laporan" not in page.get("/").text
    page.post("/keluar")
    assert page.get("/").status_code == 303
    page.post("/masuk", data={"nama": "budi", "sandi": "sandi-budi"})
    assert "/laporan" in page.get("/").text


def test_a_session_ends_when_its_user_changes(client):
    users = People(Person("siti", "pemeriksa"))
    page = client(users=users)
    page.post("/masuk", data={"nama": "siti", "sandi": "sandi-siti"})
    cookie = page.cookies[COOKIE]
    users.people["siti"].session = "2"
    page.app.state.access._known.clear()
    page.cookies.set(COOKIE, cookie)
    assert page.get("/").status_code == 303


def test_only_a_trusted_proxy_names_users(client):
    settings = {"host": "0.0.0.0", "sso_header": "X-Remote-User", "trusted_proxies": ("10.0.0.1",)}
    named = {"X-Remote-User": "siti"}
    inside = client(**settings, base_url="http://kampus.example", client=("10.0.0.1", 1))
    assert "siti" in inside.get("/", headers=named).text
    assert inside.get("/").status_code == 303
    outside = client(**settings, base_url="http://kampus.example", client=("10.0.0.2", 1))
    assert outside.get("/", headers=named).status_code == 303
    # What a proxy says of the visitor's address does not make the visitor a proxy.
    forwarded = {**named, "X-Forwarded-For": "10.0.0.1"}
    assert outside.get("/", headers=forwarded).status_code == 303


def test_managers_of_single_sign_on_are_named_in_the_configuration(client):
    settings = {"host": "0.0.0.0", "sso_header": "X-Remote-User", "managers": ("budi",)}
    page = client(**settings, base_url="http://kampus.example")
    assert "/laporan" in page.get("/", headers={"X-Remote-User": "budi"}).text
    assert "/laporan" not in page.get("/", headers={"X-Remote-User": "siti"}).text


def test_a_wrong_login_is_logged(client, service, monkeypatch):
    logged = []
    monkeypatch.setattr(service, "log_event", lambda kind, **facts: logged.append((kind, facts)))
    page = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    page.post("/masuk", data={"token": "salah"})
    page.post("/masuk", data={"token": "rahasia"})
    assert logged == [("refused", {"detail": "WrongLogin"})]


def test_wrong_logins_wait_longer_and_longer(client, monkeypatch):
    clock = [1_000.0]
    monkeypatch.setattr("judul_lib.web.login.time.monotonic", lambda: clock[0])
    page = client(host="0.0.0.0", token="rahasia", base_url="http://kampus.example")
    statuses = [page.post("/masuk", data={"token": "salah"}).status_code for _ in range(6)]
    assert statuses == [401, 401, 401, 401, 429, 429]
    assert page.post("/masuk", data={"token": "rahasia"}).status_code == 429
    clock[0] += 2.5
    assert page.post("/masuk", data={"token": "rahasia"}).status_code == 303


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("judul_lib.web.login.time.monotonic", lambda: clock[0])
    throttle, waits = LocalThrottle(), []
    for _ in range(20):
        throttle.failed("a", "")
        waits.append(throttle.wait_for("a", ""))
    assert waits[:6] == [0, 0, 0, 2, 4, 8]
    assert max(waits) == 900


def test_after_logging_in_one_stays_on_this_site():
    for address in ("https://example.org", "//example.org", "/\\example.org", "\\/x", "/a\nb", "x", ""):
        assert safe_target(address) == "/"
    assert safe_target("/berkas/1?saring=mirip") == "/berkas/1?saring=mirip"
