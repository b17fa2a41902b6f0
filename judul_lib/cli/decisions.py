"""``judul decisions``: what a committee decided of pairs of titles."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judul_lib.cli import shared
from judul_lib.cli.govern import open_log_database
from judul_lib.cli.indonesian import argument, group, option
from judul_lib.cli.shared import MODELS_OPTION
from judul_lib.core.formatting import escape_control_characters, format_number
from judul_lib.core.settings import DECISIONS

if TYPE_CHECKING:
    import pandas as pd

_A = option("--a", "left", required=True, metavar="JUDUL", help="Judul yang satu, dalam tanda kutip.")
_B = option("--b", "right", required=True, metavar="JUDUL", help="Judul yang lain.")
_BY = option("--by", required=True, metavar="NAMA", help="Siapa yang memutuskan; ditampilkan.")
_REASON = option("--reason", required=True, help="Alasannya; dicatat juga di jejak audit.")


@group()
def decisions() -> None:
    """Keputusan tentang pasangan judul: bukan duplikat, atau sama.

    Pasangan yang sudah diputuskan bukan duplikat tidak lagi mendapat MIRIP atau TANYAKAN.
    """


@decisions.command()
@_A
@_B
@option(
    "--decision", required=True, type=click.Choice(list(DECISIONS)),
    help="bukan-duplikat, atau sama.",
)  # fmt: skip
@_BY
@_REASON
@option(
    "--consent", is_flag=True,
    help="Keputusan ini boleh dipakai `judul retrain` untuk melatih model [bawaan: tidak].",
)  # fmt: skip
@MODELS_OPTION
def add(
    left: str, right: str, decision: str, by: str, reason: str, consent: bool, outputs: Path | None
) -> None:
    """Catat sebuah keputusan.

    Keputusan yang lebih baru menggantikan yang lama; keduanya tetap di jejak audit.
    """
    from judul_lib.governance.decisions import decide

    with open_log_database(outputs, may_create=True) as (config, engine):
        decide(
            engine, config.logs, left, right, decision, by=by, reason=reason, consent=consent,
            actor=shared.actor(config), log_text=config.log_text,
        )  # fmt: skip
    click.echo(f"Tercatat: {decision.replace('-', ' ')}, oleh {escape_control_characters(by)}.")


@decisions.command()
@_A
@_B
@_BY
@_REASON
@MODELS_OPTION
def undo(left: str, right: str, by: str, reason: str, outputs: Path | None) -> None:
    """Cabut sebuah keputusan."""
    from judul_lib.governance import decisions as remembered

    with open_log_database(outputs) as (config, engine):
        remembered.undo(
            engine, config.logs, left, right, by=by, reason=reason, actor=shared.actor(config)
        )
    click.echo("Keputusan dicabut; pasangan itu diperiksa lagi seperti biasa.")


@decisions.command("list")
@MODELS_OPTION
def show_list(outputs: Path | None) -> None:
    """Tampilkan keputusan yang berlaku.

    Judulnya tampil sebagai sidik acak, kecuali bila log_text menyala saat diputuskan.
    """
    from judul_lib.figures.tables import table

    rows = _read_rows(outputs)
    if rows.empty:
        click.echo("Belum ada keputusan.")
        return
    columns = ["waktu (WIB)", "keputusan", "oleh", "alasan", "judul a", "judul b"]
    shown = rows[columns].map(escape_control_characters)
    click.echo(table(shown, index=False).text)


@decisions.command()
@argument("target", type=Path, metavar="BERKAS.csv", help="CSV yang ditulis.")
@option("--force", is_flag=True, help="Ganti berkas yang sudah ada.")
@MODELS_OPTION
def export(target: Path, force: bool, outputs: Path | None) -> None:
    """Tulis keputusan yang berlaku ke sebuah CSV."""
    from judul_lib.core.storage import refuse_overwrite, write_result

    shared.require_writable_output(target, shared.read_config(models=outputs))
    refuse_overwrite(target, force=force)
    rows = _read_rows(outputs)
    write_result(rows, target, mode=0o600)
    click.echo(f"{format_number(len(rows))} keputusan ditulis ke {target}.")


def _read_rows(outputs: Path | None) -> "pd.DataFrame":
    """Return the decisions in force with names for readers, in order of time."""
    import pandas as pd

    from judul_lib.usage.database import decisions as decision_table
    from judul_lib.usage.database import read_table
    from judul_lib.usage.frames import local_time

    with open_log_database(outputs) as (_, engine):
        rows = read_table(engine, decision_table)
    columns = {
        "waktu (WIB)": [f"{local_time(row['time']):%Y-%m-%d %H:%M:%S}" for row in rows],
        "keputusan": [row["decision"].replace("-", " ") for row in rows],
        "oleh": [row["decided_by"] or "" for row in rows],
        "alasan": [row["reason"] for row in rows],
        "judul a": [row["first_text"] or row["first_hash"] for row in rows],
        "judul b": [row["second_text"] or row["second_hash"] for row in rows],
        "boleh dipelajari": ["ya" if row["consent"] else "tidak" for row in rows],
    }
    return pd.DataFrame(columns)
