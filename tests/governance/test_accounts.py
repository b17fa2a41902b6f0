import json
import subprocess
import sys
import unicodedata

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from judul_lib.core.errors import ArgumentError, LogError
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.governance import accounts, api_keys, audit, privacy
from judul_lib.governance.backup import backup, verify_backup
from judul_lib.governance.restoring import restore
from judul_lib.usage.database import MIGRATIONS, SCHEMA_VERSION, opened_database, read_table, users
from tests.conftest import PROJECT
from tests.governance.test_governance import rewrite_zip

PASSWORD, OTHER = "kopi tubruk 7", "teh poci manis"

ADDER = """
import sys
from pathlib import Path
from judul_lib.core.errors import LogError
from judul_lib.governance.accounts import add_user
from judul_lib.usage.database import open_database
engine = open_database(sys.argv[2], lock_wait=60)
for k in range(5):
    try:
        add_user(engine, Path(sys.argv[1]), f"siti{k}", "pemeriksa", "kopi tubruk 7", actor="a")
    except LogError as error:
        assert "sudah ada" in str(error), error
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def siti(engine, folder):
    return accounts.add_user(engine, folder, "siti", "pemeriksa", PASSWORD, actor="0f")


def stored_hash(engine):
    (row,) = read_table(engine, users)
    return row["password_hash"]


def audit_rows(engine):
    return sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])


def test_only_the_right_password_of_the_right_user_is_accepted(engine, folder, siti):
    accounts.add_user(engine, folder, "budi", "pengelola", OTHER, actor="0f")
    assert accounts.verify(engine, "siti", PASSWORD) == siti
    assert accounts.verify(engine, "budi", OTHER).role == "pengelola"
    for name, password in [
        ("siti", OTHER), ("budi", PASSWORD), ("siti", ""), ("", ""), ("siti", PASSWORD + "\0"),
        ("SITI", PASSWORD), ("siti\0", PASSWORD), ("' OR 1=1 --", PASSWORD), ("joko", PASSWORD),
        ("siti", "a" * 1_000_000), ("siti", "\ud83d"),
    ]:  # fmt: skip
        assert accounts.verify(engine, name, password) is None, (name, password[:20])


@pytest.mark.parametrize(
    "password", ["é" * 10, " spasi di ujung ", "a" * accounts.MAX_PASSWORD, "\ud83d" * 10]
)
def test_any_long_text_is_a_password_whatever_the_keyboard(engine, folder, password):
    accounts.add_user(engine, folder, "siti", "pemeriksa", password, actor="0f")
    assert accounts.verify(engine, "siti", unicodedata.normalize("NFD", password))
    assert not accounts.verify(engine, "siti", password[:-1])
    assert not accounts.verify(engine, "siti", password + "a")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "S"}, "Nama"),
        ({"name": "Siti"}, "Nama"),
        ({"name": "a" * 41}, "Nama"),
        ({"name": "../siti"}, "Nama"),
        ({"name": "siti\n"}, "Nama"),
        ({"role": "admin"}, "Peran"),
        ({"password": "kopi tubr"}, "10 sampai"),
        ({"password": "a" * 1_001}, "10 sampai"),
        ({"name": "siti.aminah", "password": " Siti.Aminah"}, "sama dengan nama"),
    ],
)
def test_unsafe_accounts_are_refused(engine, folder, change, problem):
    arguments = {"name": "siti", "role": "pemeriksa", "password": PASSWORD, **change}
    with pytest.raises(ArgumentError, match=problem) as caught:
        accounts.add_user(engine, folder, **arguments, actor="0f")
    assert arguments["password"] not in str(caught.value)
    assert not accounts.has_users(engine)
    assert audit_rows(engine) == []


def test_name_is_taken_only_once(engine, folder, siti):
    with pytest.raises(LogError, match="siti sudah ada"):
        accounts.add_user(engine, folder, "siti", "pengelola", OTHER, actor="0f")
    assert accounts.verify(engine, "siti", PASSWORD) == siti
    assert len(audit_rows(engine)) == 1


def test_processes_add_users_at_the_same_time(engine, url, folder):
    log_key(folder)
    audit.append_row(engine, folder, actor="a", action=audit.TRAIN, reason="awal")
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDER, folder, url], cwd=PROJECT) for _ in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert [user.name for user in accounts.list_users(engine)] == [f"siti{k}" for k in range(5)]
    assert len(audit_rows(engine)) == 6
    assert audit.verify(engine, folder) == []


def test_new_password_ends_sessions_but_a_new_role_does_not(engine, folder, siti):
    accounts.change_role(engine, folder, "siti", "pengelola", actor="0f")
    assert accounts.find_session(engine, "siti", siti.session).role == "pengelola"
    accounts.set_password(engine, folder, "siti", OTHER, actor="0f")
    assert accounts.find_session(engine, "siti", siti.session) is None
    assert accounts.verify(engine, "siti", PASSWORD) is None
    changed = accounts.verify(engine, "siti", OTHER)
    assert accounts.find_session(engine, "siti", changed.session) == changed
    assert changed.changed > changed.created == siti.created
    for name, session in [("siti", ""), ("siti", "\ud83d"), ("budi", changed.session), ("\0", "")]:
        assert accounts.find_session(engine, name, session) is None


def test_sessions_of_a_removed_user_do_not_come_back_with_the_name(engine, folder, siti):
    accounts.remove_user(engine, folder, "siti", actor="0f")
    assert accounts.verify(engine, "siti", PASSWORD) is None
    assert accounts.find_session(engine, "siti", siti.session) is None
    accounts.add_user(engine, folder, "siti", "pengelola", PASSWORD, actor="0f")
    assert accounts.find_session(engine, "siti", siti.session) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda *log: accounts.set_password(*log, "joko", PASSWORD, actor="0f"),
        lambda *log: accounts.change_role(*log, "joko", "pengelola", actor="0f"),
        lambda *log: accounts.remove_user(*log, "joko", actor="0f"),
    ],
)
def test_unknown_user_cannot_be_changed(engine, folder, siti, change):
    with pytest.raises(LogError, match="'joko' tidak ada"):
        change(engine, folder)
    assert accounts.list_users(engine) == [siti]
    assert len(audit_rows(engine)) == 1


def test_changes_are_audited_without_names_and_secrets(engine, folder, siti):
    accounts.set_password(engine, folder, "siti", OTHER, actor="1f")
    accounts.change_role(engine, folder, "siti", "pengelola", actor="1f")
    hashed = stored_hash(engine)
    accounts.remove_user(engine, folder, "siti", actor="1f")
    rows = audit_rows(engine)
    assert [json.loads(row["details"])["change"] for row in rows] == [
        "add",
        "password",
        "role",
        "remove",
    ]
    assert [row["actor"] for row in rows] == ["0f", "1f", "1f", "1f"]
    everything = " ".join(str(value) for row in rows for value in row.values())
    for secret in ("siti", PASSWORD, OTHER, "argon2", hashed, siti.session):
        assert secret not in everything
    user = privacy.short_hash(keyed_hash(log_key(folder), "siti"))
    assert {json.loads(row["details"])["user"] for row in rows} == {user}
    assert audit.verify(engine, folder) == []


def test_database_has_salted_slow_hashes_of_passwords(engine, folder, siti):
    accounts.add_user(engine, folder, "budi", "pengelola", PASSWORD, actor="0f")
    rows = read_table(engine, users)
    assert PASSWORD not in str(rows)
    hashes = {row["password_hash"] for row in rows}
    assert len(hashes) == 2
    assert all(text.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for text in hashes)


def test_unknown_name_costs_as_much_as_a_wrong_password(engine, siti, monkeypatch):
    verified = []

    class Counting(PasswordHasher):
        def verify(self, stored, password):
            verified.append(stored.rsplit("$", 2)[0])
            return super().verify(stored, password)

    monkeypatch.setattr(accounts, "_HASHER", Counting(time_cost=2, memory_cost=19 * 1024, parallelism=1))
    for name in ("siti", "joko", "tidak boleh"):
        assert accounts.verify(engine, name, OTHER) is None
    assert verified == [verified[0]] * 3


def test_hash_with_older_parameters_is_renewed_at_the_login(engine, siti):
    old = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    with engine.begin() as connection:
        connection.execute(users.update().values(password_hash=old))
    assert accounts.verify(engine, "siti", OTHER) is None
    assert stored_hash(engine) == old
    assert accounts.verify(engine, "siti", PASSWORD) == siti
    assert stored_hash(engine).startswith("$argon2id$v=19$m=19456,")
    assert accounts.verify(engine, "siti", PASSWORD) == siti


def test_damaged_hash_lets_nobody_in(engine, siti):
    with engine.begin() as connection:
        connection.execute(users.update().values(password_hash=PASSWORD))
    assert accounts.verify(engine, "siti", PASSWORD) is None


def test_log_of_version_4_gets_the_tables(url, folder):
    with opened_database(url) as engine, engine.begin() as connection:
        for table in ("users", "api_keys", "login_failures"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("UPDATE schema_version SET version = 4"))
    with opened_database(url) as engine:
        columns = {
            name: [column["name"] for column in sa.inspect(engine).get_columns(name)]
            for name in ("users", "api_keys", "login_failures")
        }
        metadata = users.metadata.tables
        assert columns == {name: list(metadata[name].c.keys()) for name in columns}
        user = accounts.add_user(engine, folder, "siti", "pemeriksa", PASSWORD, actor="0f")
        assert accounts.verify(engine, "siti", PASSWORD) == user
        assert api_keys.verify_key(engine, api_keys.add_key(engine, folder, "siakad", actor="0f"))
    assert max(MIGRATIONS) == SCHEMA_VERSION - 1


def test_exports_and_the_erasure_of_usage_do_not_touch_the_account(engine, folder, siti):
    user = keyed_hash(log_key(folder), "siti")
    assert "argon2" not in privacy.export(engine, folder, user, actor="0f")
    privacy.forget(engine, folder, user, actor="0f")
    privacy.retention(engine, folder, days=1, actor="0f", force=True)
    assert accounts.verify(engine, "siti", PASSWORD) == siti


@pytest.fixture
def models(tmp_path):
    (models := tmp_path / "models").mkdir()
    return models


def test_backup_brings_users_and_keys_to_another_machine(engine, folder, siti, models, tmp_path):
    plain = api_keys.add_key(engine, folder, "siakad", ["arsip"], actor="0f")
    assert api_keys.verify_key(engine, plain)
    api_keys.add_key(engine, folder, "lama", actor="0f")
    api_keys.revoke_key(engine, folder, "lama", actor="0f")
    target = tmp_path / "cadangan.zip"
    backup(models, engine, folder, target, actor="a", reason="coba")
    rows = verify_backup(target).rows
    assert (rows["users"], rows["api_keys"]) == (1, 2)
    new_url = f"sqlite:///{tmp_path / 'baru.db'}"
    restore(target, models, new_url, tmp_path / "baru", actor="a", reason="coba")
    with opened_database(new_url) as restored:
        assert accounts.verify(restored, "siti", PASSWORD) == siti
        assert accounts.find_session(restored, "siti", siti.session) == siti
        assert api_keys.list_keys(restored) == api_keys.list_keys(engine)
        assert api_keys.verify_key(restored, plain).scopes == ("arsip",)


def test_old_backup_revives_neither_users_nor_keys(engine, url, folder, siti, models, tmp_path):
    plain = api_keys.add_key(engine, folder, "siakad", actor="0f")
    target = tmp_path / "cadangan.zip"
    backup(models, engine, folder, target, actor="a", reason="coba")
    accounts.remove_user(engine, folder, "siti", actor="0f")
    api_keys.revoke_key(engine, folder, "siakad", actor="0f")
    accounts.add_user(engine, folder, "budi", "pengelola", OTHER, actor="0f")
    restore(target, models, url, folder, actor="a", reason="coba", force=True)
    assert accounts.verify(engine, "siti", PASSWORD) is None
    assert api_keys.verify_key(engine, plain) is None
    assert accounts.verify(engine, "budi", OTHER).role == "pengelola"
    assert audit.verify(engine, folder) == []


def test_backup_from_before_there_were_accounts_is_restored(engine, folder, models, tmp_path):
    audit.append_row(engine, folder, actor="a", action=audit.TRAIN, reason="lama")
    target = tmp_path / "cadangan.zip"
    backup(models, engine, folder, target, actor="a", reason="coba")

    def make_old(manifest, members):
        manifest.update(schema=4)
        for table in ("users", "api_keys"):
            del members[f"log/{table}.jsonl"], manifest["rows"][table]
            for entry in ("hashes", "sizes"):
                del manifest[entry][f"log/{table}.jsonl"]

    rewrite_zip(target, make_old)
    new_url = f"sqlite:///{tmp_path / 'baru.db'}"
    restore(target, models, new_url, tmp_path / "baru", actor="a", reason="coba")
    with opened_database(new_url) as restored:
        assert not accounts.has_users(restored)
