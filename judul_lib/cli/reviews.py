"""``judul govern calendar``, ``reviewed``, ``playbook``: what is due, and what to do in an incident."""

from pathlib import Path

import click

from judul_lib.cli import parts
from judul_lib.cli.govern import opened
from judul_lib.cli.parts import MODELS_OPTION
from judul_lib.cli.words import argument, command, option
from judul_lib.core.formatting import number


@command()
@MODELS_OPTION
def calendar(outputs: Path | None) -> int:
    """Tampilkan tinjauan harian sampai triwulanan.

    Status keluar 1 bila ada yang terlambat.

    Yang belum pernah dilakukan mendapat satu periode penuh sejak catatan pertama; baru sesudah itu
    terlambat.
    """
    from judul_lib.core.clock import now
    from judul_lib.figures.governance_tables import calendar_table
    from judul_lib.figures.tables import table
    from judul_lib.governance.review_calendar import due

    with opened(outputs, may_begin=True) as (config, engine):
        found = due(config, engine, now())
    rows = calendar_table(found)
    columns = ["nama", "yang dilihat", "setiap", "terakhir", "paling lambat", "status"]
    click.echo(table(rows[columns], index=False).text)
    click.echo()
    to_do = [one for one in found if one.by <= one.today or one.last is None]
    for one in to_do:
        click.echo(f"{one.name}: {one.evidence} Lakukan dengan `{one.review.command}`.")
    ticked = [one.name for one in to_do if one.review.is_ticked]
    if ticked:
        how = "tandai dengan `judul govern reviewed NAMA --reason …`"
        click.echo(f"Setelah dilihat, {how}: {', '.join(ticked)}.")
    late = sum(one.overdue > 0 for one in found)
    click.echo(f"{number(late)} tinjauan terlambat." if late else "Tidak ada tinjauan yang terlambat.")
    return int(late > 0)


@command()
@argument("name", metavar="NAMA", help="Nama tinjauan, seperti di `judul govern calendar`.")
@option("--reason", required=True, help="Apa yang dilihat dan apa simpulannya; dicatat.")
@MODELS_OPTION
def reviewed(name: str, reason: str, outputs: Path | None) -> None:
    """Catat bahwa tinjauan NAMA sudah dilakukan.

    Catatannya masuk ke jejak audit. Cadangan dan masa simpan tidak ditandai: jejaknya
    ada bila memang dilakukan.
    """
    from judul_lib.governance.review_calendar import REVIEWS, tick

    with opened(outputs, may_begin=True) as (config, engine):
        tick(engine, config.logs, name, actor=parts.actor(config), reason=reason)
    review = REVIEWS[name]
    click.echo(f"{review.title}: tercatat sudah ditinjau; lagi dalam {review.days} hari.")


@command()
@argument("kind", metavar="[JENIS]", required=False, help="Jenis insiden [bawaan: daftar semua jenis].")
def playbook(kind: str | None) -> None:
    """Tampilkan langkah-langkah untuk sebuah JENIS insiden."""
    from judul_lib.core.errors import LogError
    from judul_lib.figures.governance_tables import playbook_table
    from judul_lib.figures.tables import table
    from judul_lib.governance.incident_playbook import PLAYBOOK

    if kind is None:
        columns = ["jenis", "tingkat", "ditanggapi dalam", "kejadian"]
        click.echo(table(playbook_table()[columns], index=False).text)
        click.echo("\nLangkah-langkahnya: `judul govern playbook JENIS`.")
        return
    if kind not in PLAYBOOK:
        raise LogError(f"Jenis insiden '{kind}' tidak dikenal. Pilih: {', '.join(PLAYBOOK)}.")
    known = PLAYBOOK[kind]
    click.echo(f"{known.level}  {known.title} (ditanggapi dalam {known.within})\n")
    for rank, step in enumerate(known.steps, start=1):
        click.echo(f"{rank}. {step}")
    click.echo()
    for label, text in (
        ("Diberi tahu", known.told), ("Dicatat", known.written), ("Selesai bila", known.over),
    ):  # fmt: skip
        click.echo(f"{label}: {text}.")
