import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from judul_lib.governance import throttle as module
from judul_lib.governance.throttle import FREE_FAILURES, MAX_WAIT, Throttle
from judul_lib.usage.database import login_failures, read_table
from tests.conftest import PROJECT

HOME, CAMPUS = "192.0.2.1", "198.51.100.7"

GUESSER = """
import sys
from judul_lib.governance.throttle import Throttle
from judul_lib.usage.database import open_database
throttle = Throttle(open_database(sys.argv[1], lock_wait=60), b"key")
for _ in range(10):
    throttle.failed("192.0.2.1", "siti")
"""


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, 8)

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(module, "utc_now", clock := Clock())
    return clock


@pytest.fixture
def throttle(engine):
    return Throttle(engine, b"key")


def fail(throttle, times, address=HOME, name="siti"):
    for _ in range(times):
        throttle.failed(address, name)


def test_waits_double_up_to_a_limit(clock, throttle):
    waits = []
    for _ in range(16):
        throttle.failed(HOME, "siti")
        waits.append(throttle.wait_for(HOME, "siti"))
    assert waits[: FREE_FAILURES["nama"]] == [0.0] * 3
    assert waits[3:8] == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert waits[-1] == MAX_WAIT == 900.0
    clock.wait(880)
    assert throttle.wait_for(HOME, "siti") == 20.0
    clock.wait(20)
    assert throttle.wait_for(HOME, "siti") == 0.0


def test_name_is_guarded_from_all_addresses_and_others_do_not_wait(clock, throttle):
    for k in range(6):
        throttle.failed(f"192.0.2.{k}", "siti")
    assert throttle.wait_for(CAMPUS, "siti") == 8.0
    assert throttle.wait_for(CAMPUS, "SITI ") == 8.0
    assert throttle.wait_for("192.0.2.1", "budi") == 0.0


def test_address_that_tries_many_names_waits_but_others_do_not(clock, throttle):
    for k in range(FREE_FAILURES["alamat"] + 5):
        throttle.failed(HOME, f"nama{k}")
    assert throttle.wait_for(HOME, "siti") == throttle.wait_for(HOME, "") == 32.0
    assert throttle.wait_for(CAMPUS, "siti") == 0.0


def test_tokens_without_a_name_are_counted_by_address(clock, throttle):
    fail(throttle, FREE_FAILURES["alamat"] + 1, name="")
    assert throttle.wait_for(HOME, "") == 2.0
    assert throttle.wait_for(CAMPUS, "") == 0.0
    throttle.succeeded(HOME, "")
    assert throttle.wait_for(HOME, "") == 2.0


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("testclient", "testclient", ""),
    ],
)
def test_addresses_of_one_visitor_count_as_one(clock, throttle, address, same, other):
    fail(throttle, FREE_FAILURES["alamat"] + 1, address, "")
    assert (throttle.wait_for(same, ""), throttle.wait_for(other, "")) == (2.0, 0.0)


def test_success_forgets_the_failures_of_the_name_only(clock, throttle):
    fail(throttle, 22)
    throttle.succeeded(HOME, "siti")
    assert throttle.wait_for(CAMPUS, "siti") == 0.0
    # Otherwise somebody with an account could guess on for others.
    assert throttle.wait_for(HOME, "budi") == 4.0


def test_failures_expire(clock, throttle, engine):
    fail(throttle, 30)
    clock.wait(3_599)
    fail(throttle, 1, CAMPUS, "budi")
    assert len(read_table(engine, login_failures)) == 4
    clock.wait(2)
    assert throttle.wait_for(HOME, "siti") == 0.0
    fail(throttle, 1)
    assert throttle.wait_for(HOME, "siti") == 0.0
    assert sorted(row["failures"] for row in read_table(engine, login_failures)) == [1] * 4


def test_clock_that_was_set_back_does_not_lengthen_the_wait(clock, throttle):
    fail(throttle, 5)
    clock.wait(-86_400)
    assert throttle.wait_for(HOME, "siti") == 4.0


def test_addresses_and_names_are_stored_hashed_with_the_key(throttle, engine):
    fail(throttle, 4)
    rows = read_table(engine, login_failures)
    assert len(rows) == 2
    assert not any(text in str(rows) for text in (HOME, "siti"))
    assert Throttle(engine, b"another").wait_for(HOME, "siti") == 0.0


@pytest.mark.parametrize("text", ["\0", "\ud83d", "a" * 100_000, "' OR 1=1 --"])
def test_any_text_is_counted(clock, throttle, text):
    fail(throttle, 21, text, text)
    assert throttle.wait_for(text, text) > 0
    throttle.succeeded(text, text)
    assert throttle.wait_for(text, "") == 2.0


def test_processes_count_together(engine, url, throttle):
    processes = [subprocess.Popen([sys.executable, "-c", GUESSER, url], cwd=PROJECT) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert [row["failures"] for row in read_table(engine, login_failures)] == [20, 20]
    assert throttle.wait_for(HOME, "siti") > MAX_WAIT - 60
