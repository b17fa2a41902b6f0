import json
import string
from datetime import datetime, timedelta

import pytest

from judul_lib.core.errors import ArgumentError, LogError
from judul_lib.core.settings import SCOPES
from judul_lib.governance import api_keys as keys_module
from judul_lib.governance import audit
from judul_lib.governance.api_keys import add_key, has_keys, list_keys, revoke_key, verify_key
from judul_lib.usage.database import api_keys, read_table, transaction


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


def audit_text(engine):
    return " ".join(str(value) for row in read_table(engine, audit.audit) for value in row.values())


def test_key_is_random_and_belongs_to_its_name_and_scopes(engine, folder):
    first = add_key(engine, folder, "siakad", ["arsip", "periksa", "periksa"], actor="0f")
    second = add_key(engine, folder, "perpustakaan", SCOPES, actor="0f")
    assert first != second
    assert first.startswith("judul_")
    assert len(first) == len("judul_") + 43
    assert set(first) <= set(string.ascii_letters + string.digits + "_-")
    assert (key := verify_key(engine, first)).scopes == ("periksa", "arsip")
    assert (key.name, key.prefix) == ("siakad", first[:12])
    assert verify_key(engine, second).scopes == SCOPES
    assert [key.name for key in list_keys(engine)] == ["perpustakaan", "siakad"]


def test_wrong_keys_are_refused(engine, folder):
    plain = add_key(engine, folder, "siakad", actor="0f")
    (row,) = read_table(engine, api_keys)
    for wrong in (
        "", "judul_", plain[:-1], plain + "a", plain.swapcase(), plain.removeprefix("judul_"),
        f" {plain}", row["key_hash"], f"judul_{row['key_hash']}", row["prefix"], "judul_%", "judul_\0",
        "judul_\ud83d", "judul_" + "a" * 1_000_000,
    ):  # fmt: skip
        assert verify_key(engine, wrong) is None, wrong[:50]
    assert list_keys(engine)[0].last_used is None


def test_neither_database_nor_trail_has_the_key(engine, folder):
    plain = add_key(engine, folder, "siakad", actor="0f")
    verify_key(engine, plain)
    revoke_key(engine, folder, "siakad", actor="0f")
    (row,) = read_table(engine, api_keys)
    secret = plain[len(row["prefix"]) :]
    assert secret not in " ".join(map(str, row.values()))
    assert secret not in audit_text(engine)
    assert row["key_hash"] not in audit_text(engine)


def test_revoked_key_is_refused_at_once_and_for_good(engine, folder):
    plain, other = (add_key(engine, folder, name, actor="0f") for name in ("siakad", "lain"))
    revoke_key(engine, folder, "siakad", actor="1f")
    assert verify_key(engine, plain) is None
    assert verify_key(engine, other).name == "lain"
    assert [key.revoked is not None for key in list_keys(engine)] == [False, True]
    with pytest.raises(LogError, match="Tidak ada kunci 'siakad' yang berlaku"):
        revoke_key(engine, folder, "siakad", actor="1f")
    with pytest.raises(LogError, match="sudah pernah dipakai"):
        add_key(engine, folder, "siakad", actor="1f")
    assert has_keys(engine)
    revoke_key(engine, folder, "lain", actor="1f")
    assert not has_keys(engine)
    rows = sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])
    changes = [(json.loads(row["details"])["change"], row["actor"]) for row in rows]
    assert changes == [("add", "0f"), ("add", "0f"), ("revoke", "1f"), ("revoke", "1f")]
    assert audit.verify(engine, folder) == []


def test_day_of_last_use_is_noted_once_a_day(engine, folder, monkeypatch):
    plain = add_key(engine, folder, "siakad", actor="0f")
    morning = datetime(2026, 1, 1, 8)
    used = []
    for hours in (0, 2, 25):
        monkeypatch.setattr(keys_module, "utc_now", lambda hours=hours: morning + timedelta(hours=hours))
        assert verify_key(engine, plain)
        used.append(list_keys(engine)[0].last_used)
    assert used == [morning, morning, morning + timedelta(hours=25)]


def test_key_is_accepted_while_another_process_writes(url, folder):
    from judul_lib.usage.database import opened_database

    with opened_database(url) as engine, opened_database(url) as busy:
        plain = add_key(engine, folder, "siakad", actor="0f")
        with transaction(busy) as connection:
            connection.execute(api_keys.update().values(scopes="periksa"))
            assert verify_key(engine, plain).name == "siakad"


@pytest.mark.parametrize(
    ("name", "scopes", "problem"),
    [
        ("Siakad", ["periksa"], "Nama"),
        ("=1+1", ["periksa"], "Nama"),
        ("siakad", ["semua"], "Lingkup 'semua' tidak dikenal"),
        ("siakad", [], "memerlukan lingkup"),
    ],
)
def test_bad_keys_are_not_made(engine, folder, name, scopes, problem):
    with pytest.raises(ArgumentError, match=problem):
        add_key(engine, folder, name, scopes, actor="0f")
    assert list_keys(engine) == []
