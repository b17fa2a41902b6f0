"""judul govern."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judul_lib.cli import parts
from judul_lib.cli.parts import MODEL_OPTION, MODELS_OPTION, say
from judul_lib.cli.words import argument, command, group, option
from judul_lib.core.formatting import escape_control_characters, format_label, format_number

if TYPE_CHECKING:
    import sqlalchemy as sa

    from judul_lib.core.config import Config

_USER = option("--user", required=True, metavar="ID", help="ID pengguna: 16 digit heksadesimal.")
_REASON = option("--reason", default="", help="Alasan yang dicatat di jejak audit.")
_REPLACE = option("--force", is_flag=True, help="Ganti berkas yang sudah ada.")
_ZIP = argument("path", type=Path, metavar="CADANGAN.zip", help="Berkas cadangan.")


@group()
def govern() -> None:
    """Jejak audit, masa simpan, hak subjek data, dan cadangan.

    Hak subjek data pribadi diatur UU PDP No. 27/2022.
    """


@govern.command()
@MODELS_OPTION
def verify(outputs: Path | None) -> int:
    """Periksa apakah jejak audit utuh.

    Baris yang diubah, dihapus, dipindahkan, atau ditulis tanpa kuncinya disebutkan satu per satu.
    """
    from judul_lib.governance import audit as trail
    from judul_lib.usage.database import audit, read_table

    with open_log_database(outputs) as (config, engine):
        found = trail.verify(engine, config.logs)
        limits = "" if found else trail.describe_unkeyed_rows(engine)
        n = 0 if found else len(read_table(engine, audit))
    for sentence in found:
        say(sentence)
    if found:
        say("Jejak audit tidak utuh, atau tidak dapat dipastikan. Bandingkan dengan cadangan terakhir.")
        return 1
    click.echo(f"Jejak audit utuh: {format_number(n)} baris.")
    if limits:
        say(limits)
    return 0


@govern.command("audit")
@MODELS_OPTION
def show_audit(outputs: Path | None) -> None:
    """Tampilkan jejak audit: kapan, siapa, apa, dan mengapa."""
    from judul_lib.governance.audit import ACTION_NAMES
    from judul_lib.usage.database import audit, read_table

    with open_log_database(outputs) as (_, engine):
        rows = sorted(read_table(engine, audit), key=lambda row: row["seq"])
    if not rows:
        click.echo("Jejak audit masih kosong.")
        return
    click.echo(f"{'No.':>4}  {'Waktu (UTC)':<19}  {'Pelaku':<16}  {'Tindakan':<16}  Alasan; rincian")
    for row in rows:
        when = row["time"].isoformat(sep=" ", timespec="seconds")
        # A reason is somebody's text: what would move the cursor is shown, not done.
        text = escape_control_characters(row["reason"])
        action = ACTION_NAMES.get(row["action"], row["action"])
        click.echo(
            f"{row['seq']:>4}  {when}  {row['actor']:<16}  {action:<16}  {text}; {row['details']}"
        )


@govern.command()
@option(
    "--days", type=click.IntRange(1, 36_500), default=90, help="Masa simpan, dalam hari [bawaan: 90]."
)
@option("--dry-run", is_flag=True, help="Hitung saja; tidak ada yang dihapus.")
@option("--force", is_flag=True, help="Hapus juga bila lebih dari sehari tidak ada yang dicatat.")
@_REASON
@MODELS_OPTION
def retention(days: int, dry_run: bool, force: bool, reason: str, outputs: Path | None) -> None:
    """Hapus catatan penggunaan yang lebih tua dari masa simpannya."""
    from judul_lib.governance import privacy

    with open_log_database(outputs) as (config, engine):
        counts = privacy.retention(
            engine, config.logs, days=days, dry_run=dry_run, force=force, reason=reason,
            actor=parts.actor(config),
        )  # fmt: skip
    verb = "Akan dihapus" if dry_run else "Dihapus"
    click.echo(f"{verb}, karena lebih tua dari {format_number(days)} hari: {_listed(counts)}.")


@govern.command()
@argument("login", metavar="LOGIN", help="Nama login di JupyterHub atau di komputer ini.")
@MODELS_OPTION
def user(login: str, outputs: Path | None) -> None:
    """Tampilkan ID pengguna dari sebuah nama LOGIN.

    ID itu diperlukan untuk `forget` dan `export`.

    Berlaku bagi pengguna JupyterHub dan perintah `judul`. Tanpa JupyterHub, ID di
    halaman acak pada setiap sesi: mintalah ID yang tertulis di halaman pengguna itu.
    """
    from judul_lib.core.errors import LogError
    from judul_lib.core.pseudonyms import KEY_VARIABLE, has_key, keyed_hash, log_key

    logs = parts.read_config(models=outputs).logs
    if not has_key(logs):
        raise LogError(
            f"Belum ada kunci nama samaran di {logs}, jadi belum ada yang tercatat di sana. Bila "
            f"kuncinya di tempat lain, berikan lewat {KEY_VARIABLE}."
        )
    click.echo(keyed_hash(log_key(logs), login))


@govern.command()
@_USER
@_REASON
@MODELS_OPTION
def forget(user: str, reason: str, outputs: Path | None) -> int:
    """Hapus semua catatan seorang pengguna, dan buktikan itu.

    Setelah dihapus, catatan itu dicari lagi dengan kueri terpisah.
    """
    from judul_lib.governance import privacy

    with open_log_database(outputs) as (config, engine):
        done = privacy.forget(engine, config.logs, user, reason=reason, actor=parts.actor(config))
    click.echo(f"Dihapus: {_listed(done.deleted)}.")
    click.echo(f"Tersisa menurut pencarian ulang: {_listed(done.remaining)}.")
    if any(done.remaining.values()):
        say("Pengguna itu masih menulis catatan. Ulangi setelah halamannya ditutup.")
        return 1
    if done.copies:
        say(
            f"Salinan log yang disisihkan mungkin memuat catatan itu juga: {', '.join(done.copies)}. "
            "Hapus salinan itu, atau ulangi setelah `judul govern retention` menghapusnya."
        )
        return 1
    say("Cadangan lama masih memuat catatan itu; hapus cadangannya bila tidak diperlukan lagi.")
    return 0


@govern.command()
@_USER
@option("--output", type=Path, help="Berkas JSON [bawaan: tampilkan di sini].")
@_REPLACE
@_REASON
@MODELS_OPTION
def export(user: str, output: Path | None, force: bool, reason: str, outputs: Path | None) -> None:
    """Salin semua catatan seorang pengguna sebagai JSON."""
    from judul_lib.core.storage import refuse_overwrite, write_bytes
    from judul_lib.governance import privacy

    with open_log_database(outputs) as (config, engine):
        if output is not None:
            parts.require_writable_output(output, config)
            refuse_overwrite(output, force=force)
        text = privacy.export(engine, config.logs, user, reason=reason, actor=parts.actor(config))
    if output is None:
        click.echo(text, nl=False)
        return
    write_bytes(output, text.encode("utf-8"), mode=0o600)
    click.echo(f"Catatan pengguna itu tersimpan di {output}.")


@govern.command()
@_ZIP
@_REPLACE
@_REASON
@MODELS_OPTION
def backup(path: Path, force: bool, reason: str, outputs: Path | None) -> None:
    """Simpan log, kunci, label, dan model dalam satu zip."""
    from judul_lib.governance import backup as backups

    with open_log_database(outputs, may_create=True) as (config, engine):
        manifest = backups.backup(
            config.models, engine, config.logs, path, actor=parts.actor(config),
            reason=reason or "Pencadangan", force=force,
        )  # fmt: skip
    backups.verify_backup(path)
    folders = ", ".join(manifest.folders) or "tidak ada"
    click.echo(f"Cadangan {path} siap dan sudah diperiksa: {_listed(manifest.rows)}; folder: {folders}.")
    say("Simpan di tempat lain yang aman: kunci nama samaran ada di dalamnya.")


@govern.command()
@_ZIP
@option("--force", is_flag=True, help="Ganti log yang berisi; isi lamanya disimpan di sampingnya.")
@_REASON
@MODELS_OPTION
def restore(path: Path, force: bool, reason: str, outputs: Path | None) -> None:
    """Pulihkan log, kunci, label, dan semua model dari cadangan."""
    from judul_lib.governance.restoring import restore as put_back
    from judul_lib.usage.database import database_url

    config = parts.read_config(models=outputs)
    done = put_back(
        path, config.models, database_url(config.logs), config.logs, actor=parts.actor(config),
        reason=reason or "Pemulihan dari cadangan", force=force, warn=say,
    )  # fmt: skip
    folders = ", ".join(done.manifest.folders) or "tidak ada"
    click.echo(f"Dipulihkan dari {path}: {_listed(done.manifest.rows)}; folder: {folders}.")
    if done.aside:
        say(f"Yang sebelumnya ada disimpan sebagai {', '.join(done.aside)}.")
    if done.versions:
        say(
            f"Versi model yang tidak ada di cadangan ikut disimpan di situ: {', '.join(done.versions)}. "
            f"Bila masih diperlukan, salin foldernya kembali ke {config.models / 'models'}."
        )
    if done.forgotten:
        again = format_number(done.forgotten)
        say(f"Data {again} pengguna yang dihapus setelah cadangan itu dibuat, dihapus lagi.")
    if not done.has_key:
        say("Kunci nama samaran tidak ada di cadangan; berikan yang dahulu lewat JUDUL_LOG_KEY.")
    say("Mulai ulang halaman pemeriksaan bila sedang berjalan.")


@govern.command()
@option(
    "--backups", type=Path, metavar="BERKAS/FOLDER",
    help="Cadangan, atau folder berisi cadangan [bawaan: backups di folder model].",
)  # fmt: skip
@option(
    "--days", type=click.IntRange(min=1), default=7,
    help="Umur cadangan terbaru yang masih cukup, dalam hari [bawaan: 7].",
)  # fmt: skip
@MODELS_OPTION
def check(backups: Path | None, days: int, outputs: Path | None) -> int:
    """Jalankan daftar periksa kepatuhan.

    Status keluar 1 bila ada yang gagal.
    """
    from judul_lib.governance.compliance import run_checklist

    with open_log_database(outputs) as (config, engine):
        checks = run_checklist(
            config, engine, parts.project_folder(), backups or config.backups,
            backup_days=days,
        )  # fmt: skip
    for one in checks:
        click.echo(f"{'LULUS' if one.passed else 'GAGAL'}  {one.name}: {one.evidence}")
    return int(not all(one.passed for one in checks))


@govern.command()
@MODEL_OPTION
@MODELS_OPTION
def fairness(name: str | None, outputs: Path | None) -> None:
    """Tampilkan galat model menurut kelompok judul.

    Galat dihitung pada pasangan emas uji, menurut bidang studi, panjang judul, dan bahasanya.
    """
    from judul_lib.checking.loading import load_checker
    from judul_lib.evaluation.fairness import GROUPINGS, disparities, error_rates
    from judul_lib.figures.governance_plots import with_interval
    from judul_lib.structured.gold import read_gold

    config = parts.read_config(models=outputs)
    checker = load_checker(parts.choose_model(name, config.models), [], threshold=config.threshold)
    gold = read_gold(parts.project_folder() / "data" / "gold_pairs.csv")
    pairs = gold[(gold["split"] == "test") & gold["label"].notna()].reset_index(drop=True)
    _, probability, _ = checker.score(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())
    studies = format_number(pairs["base_id"].nunique())
    click.echo(f"{format_number(len(pairs))} pasangan uji dari {studies} studi; selang 95 %.")
    for grouping, group_of in GROUPINGS.items():
        rates = error_rates(pairs, probability, group_of(pairs), threshold=config.threshold)
        click.echo(f"\nMenurut {grouping}")
        for label, row in rates.iterrows():
            said = [f"{kind} {with_interval(row, kind)}" for kind in ("alarm palsu", "luput")]
            click.echo(
                f"  {label!s:<28} {format_number(int(row['pasangan'])):>5} pasangan  {'; '.join(said)}"
            )
        for worse in disparities(rates).itertuples():
            click.echo(f"  Lebih sering keliru: {worse.kelompok} ({worse.galat}).")


@contextmanager
def open_log_database(
    outputs: Path | None, *, may_create: bool = False
) -> "Iterator[tuple[Config, sa.Engine]]":
    """Give the settings and the database of the log, whether or not answers are logged.

    Where nothing was logged yet, one is begun only for what makes sense without, and beside models.
    """
    from judul_lib.checking.loading import find_models
    from judul_lib.usage.database import COMMAND_LOCK_WAIT, database_url, opened_database
    from judul_lib.usage.installation import has_log, require_log

    config = parts.read_config(models=outputs)
    url = database_url(config.logs)
    if not may_create:
        require_log(config.logs, url)
    elif not has_log(config.logs, url):
        find_models(config.models, warn=say)
    with opened_database(url, warn=say, lock_wait=COMMAND_LOCK_WAIT) as engine:
        yield config, engine


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{format_number(count)} {format_label(name)}" for name, count in counts.items())


@command()
@MODELS_OPTION
def calendar(outputs: Path | None) -> int:
    """Tampilkan tinjauan harian sampai triwulanan.

    Status keluar 1 bila ada yang terlambat.

    Yang belum pernah dilakukan mendapat satu periode penuh sejak catatan pertama; baru sesudah itu
    terlambat.
    """
    from judul_lib.core.clock import utc_now
    from judul_lib.figures.governance_plots import calendar_table
    from judul_lib.figures.tables import table
    from judul_lib.governance.reviews import review_statuses

    with open_log_database(outputs, may_create=True) as (config, engine):
        found = review_statuses(config, engine, utc_now())
    rows = calendar_table(found)
    columns = ["nama", "yang dilihat", "setiap", "terakhir", "paling lambat", "status"]
    click.echo(table(rows[columns], index=False).text)
    click.echo()
    to_do = [one for one in found if one.is_due]
    for one in to_do:
        click.echo(f"{one.name}: {one.evidence} Lakukan dengan `{one.review.command}`.")
    ticked = [one.name for one in to_do if one.review.can_be_ticked]
    if ticked:
        how = "tandai dengan `judul govern reviewed NAMA --reason …`"
        click.echo(f"Setelah dilihat, {how}: {', '.join(ticked)}.")
    late = sum(one.days_overdue > 0 for one in found)
    click.echo(
        f"{format_number(late)} tinjauan terlambat." if late else "Tidak ada tinjauan yang terlambat."
    )
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
    from judul_lib.governance.reviews import mark_reviewed, reviews

    with open_log_database(outputs, may_create=True) as (config, engine):
        mark_reviewed(engine, config.logs, name, actor=parts.actor(config), reason=reason)
    review = reviews()[name]
    click.echo(f"{review.title}: tercatat sudah ditinjau; lagi dalam {review.days} hari.")


@command()
@argument("kind", metavar="[JENIS]", required=False, help="Jenis insiden [bawaan: daftar semua jenis].")
def playbook(kind: str | None) -> None:
    """Tampilkan langkah-langkah untuk sebuah JENIS insiden."""
    from judul_lib.core.errors import LogError
    from judul_lib.figures.governance_plots import playbook_table
    from judul_lib.figures.tables import table
    from judul_lib.governance import reviews

    if kind is None:
        columns = ["jenis", "tingkat", "ditanggapi dalam", "kejadian"]
        click.echo(table(playbook_table()[columns], index=False).text)
        click.echo("\nLangkah-langkahnya: `judul govern playbook JENIS`.")
        return
    incidents = reviews.playbook()
    if kind not in incidents:
        raise LogError(f"Jenis insiden '{kind}' tidak dikenal. Pilih: {', '.join(incidents)}.")
    known = incidents[kind]
    click.echo(f"{known.level}  {known.title} (ditanggapi dalam {known.response_deadline})\n")
    for rank, step in enumerate(known.steps, start=1):
        click.echo(f"{rank}. {step}")
    click.echo()
    for label, text in (
        ("Diberi tahu", known.notify), ("Dicatat", known.record), ("Selesai bila", known.resolved_when),
    ):  # fmt: skip
        click.echo(f"{label}: {text}.")
