"""``judul users`` and ``judul keys``: who may use the page and the HTTP interface."""

import sys
from datetime import datetime
from pathlib import Path

import click

from judul_lib.cli import shared
from judul_lib.cli.govern import open_log_database
from judul_lib.cli.indonesian import argument, group, option
from judul_lib.cli.shared import MODELS_OPTION, print_stderr
from judul_lib.core.errors import ArgumentError
from judul_lib.core.settings import ROLES, SCOPES

_MAX_LINE = 10_000
_NAME = argument("name", metavar="NAMA", help="Huruf kecil, angka, titik, garis bawah, tanda hubung.")
_ROLE = option(
    "--role", required=True, type=click.Choice(ROLES),
    help="pemeriksa memeriksa judul; pengelola juga mengurus arsip dan keputusan.",
)  # fmt: skip
_PASSWORD_STDIN = option(
    "--password-stdin", is_flag=True,
    help="Baca kata sandi dari baris pertama masukan standar, tanpa bertanya.",
)  # fmt: skip


@group()
def users() -> None:
    """Pengguna halaman: nama, peran, dan kata sandi.

    Kata sandi ditanyakan di terminal, tanpa terlihat; tidak pernah ditulis di baris perintah.
    """


@users.command("add")
@_NAME
@_ROLE
@_PASSWORD_STDIN
@MODELS_OPTION
def add_user(name: str, role: str, password_stdin: bool, outputs: Path | None) -> None:
    """Tambahkan pengguna."""
    from judul_lib.governance import accounts

    accounts.require_name(name)
    password = _read_password(password_stdin)
    with open_log_database(outputs, may_create=True) as (config, engine):
        actor = shared.actor(config)
        accounts.add_user(engine, config.logs, name, role, password, actor=actor)
    click.echo(f"Pengguna {name} ditambahkan sebagai {role}.")


@users.command("list")
@MODELS_OPTION
def list_users(outputs: Path | None) -> None:
    """Tampilkan pengguna dan perannya."""
    import pandas as pd

    from judul_lib.figures.tables import table
    from judul_lib.governance import accounts

    with open_log_database(outputs) as (_, engine):
        known = accounts.list_users(engine)
    if not known:
        click.echo("Belum ada pengguna. Tambahkan dengan `judul users add NAMA --role pengelola`.")
        return
    rows = [
        {
            "nama": user.name, "peran": user.role, "dibuat (WIB)": _day(user.created),
            "diubah (WIB)": _day(user.changed),
        }
        for user in known
    ]  # fmt: skip
    click.echo(table(pd.DataFrame(rows), index=False).text)


@users.command("role")
@_NAME
@_ROLE
@MODELS_OPTION
def change_role(name: str, role: str, outputs: Path | None) -> None:
    """Ganti peran seorang pengguna; berlaku segera."""
    from judul_lib.governance import accounts

    with open_log_database(outputs) as (config, engine):
        accounts.change_role(engine, config.logs, name, role, actor=shared.actor(config))
    click.echo(f"Pengguna {name} sekarang {role}.")


@users.command("password")
@_NAME
@_PASSWORD_STDIN
@MODELS_OPTION
def set_password(name: str, password_stdin: bool, outputs: Path | None) -> None:
    """Ganti kata sandi seorang pengguna; ia harus masuk lagi."""
    from judul_lib.governance import accounts

    password = _read_password(password_stdin)
    with open_log_database(outputs) as (config, engine):
        accounts.set_password(engine, config.logs, name, password, actor=shared.actor(config))
    click.echo(f"Kata sandi {name} diganti.")


@users.command("remove")
@_NAME
@MODELS_OPTION
def remove_user(name: str, outputs: Path | None) -> None:
    """Hapus seorang pengguna; sesinya berakhir segera."""
    from judul_lib.governance import accounts

    with open_log_database(outputs) as (config, engine):
        accounts.remove_user(engine, config.logs, name, actor=shared.actor(config))
        has_others = accounts.has_users(engine)
    click.echo(f"Pengguna {name} dihapus.")
    if not has_others:
        print_stderr("Tidak ada lagi pengguna.")


@group()
def keys() -> None:
    """Kunci bagi sistem kampus yang bertanya lewat HTTP."""


@keys.command("add")
@_NAME
@option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=("periksa",),
    help="Yang boleh dilakukan; boleh berulang [bawaan: periksa].",
)  # fmt: skip
@MODELS_OPTION
def add_key(name: str, scopes: tuple[str, ...], outputs: Path | None) -> None:
    """Buat kunci dan tampilkan sekali ini saja.

    Kunci ditulis ke keluaran standar; yang disimpan hanya sidiknya.
    """
    from judul_lib.governance import api_keys

    with open_log_database(outputs, may_create=True) as (config, engine):
        actor = shared.actor(config)
        plain = api_keys.add_key(engine, config.logs, name, scopes, actor=actor)
    click.echo(plain)
    print_stderr(
        f"Simpan kunci {name} ini sekarang; sesudah ini tidak dapat ditampilkan lagi. "
        f"Bila bocor: `judul keys revoke {name}`."
    )


@keys.command("list")
@MODELS_OPTION
def list_keys(outputs: Path | None) -> None:
    """Tampilkan kunci: awalnya, lingkupnya, dan kapan terakhir dipakai."""
    import pandas as pd

    from judul_lib.figures.tables import table
    from judul_lib.governance import api_keys

    with open_log_database(outputs) as (_, engine):
        known = api_keys.list_keys(engine)
    if not known:
        click.echo("Belum ada kunci. Buat dengan `judul keys add NAMA`.")
        return
    rows = [
        {
            "nama": key.name, "awal": f"{key.prefix}…", "lingkup": ", ".join(key.scopes),
            "dibuat (WIB)": _day(key.created), "terakhir dipakai": _day(key.last_used),
            "dicabut": _day(key.revoked),
        }
        for key in known
    ]  # fmt: skip
    click.echo(table(pd.DataFrame(rows), index=False).text)


@keys.command("revoke")
@_NAME
@MODELS_OPTION
def revoke_key(name: str, outputs: Path | None) -> None:
    """Cabut sebuah kunci; berlaku segera, dan tidak dapat dibatalkan."""
    from judul_lib.governance import api_keys

    with open_log_database(outputs) as (config, engine):
        api_keys.revoke_key(engine, config.logs, name, actor=shared.actor(config))
    click.echo(f"Kunci {name} dicabut.")


def _day(time: datetime | None) -> str:
    from judul_lib.usage.frames import local_time

    return f"{local_time(time):%d-%m-%Y}" if time else "–"


def _read_password(from_stdin: bool) -> str:
    """Return a password from the first line of standard input, or typed twice and not shown."""
    if from_stdin:
        try:
            return sys.stdin.buffer.readline(_MAX_LINE).decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ArgumentError("Kata sandi di masukan standar bukan teks UTF-8.") from error
    if not sys.stdin.isatty():
        raise ArgumentError(
            "Kata sandi hanya ditanyakan di terminal. Tanpa terminal, pakai --password-stdin."
        )
    first, second = (
        click.prompt(text, hide_input=True, default="", show_default=False, err=True)
        for text in ("Kata sandi", "Ulangi kata sandi")
    )
    if first != second:
        raise ArgumentError("Kedua kata sandi itu berbeda. Ulangi perintahnya.")
    return str(first)
