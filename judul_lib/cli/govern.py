"""``judul govern``: audit trail, retention, rights of data subjects, backups, reviews."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, group, option
from judul_lib.cli.shared import MODEL_OPTION, MODELS_OPTION, print_stderr
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
        problems = trail.verify(engine, config.logs)
        unkeyed_note = "" if problems else trail.describe_unkeyed_rows(engine)
        n_rows = 0 if problems else len(read_table(engine, audit))
    for sentence in problems:
        print_stderr(sentence)
    if problems:
        print_stderr(
            "Jejak audit tidak utuh, atau tidak dapat dipastikan. Bandingkan dengan cadangan terakhir."
        )
        return 1
    click.echo(f"Jejak audit utuh: {format_number(n_rows)} baris.")
    if unkeyed_note:
        print_stderr(unkeyed_note)
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
        reason = escape_control_characters(row["reason"])
        action = ACTION_NAMES.get(row["action"], row["action"])
        click.echo(
            f"{row['seq']:>4}  {when}  {row['actor']:<16}  {action:<16}  {reason}; {row['details']}"
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
            actor=shared.actor(config),
        )  # fmt: skip
    verb = "Akan dihapus" if dry_run else "Dihapus"
    click.echo(f"{verb}, karena lebih tua dari {format_number(days)} hari: {_format_counts(counts)}.")


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

    logs = shared.read_config(models=outputs).logs
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
        erasure = privacy.forget(engine, config.logs, user, reason=reason, actor=shared.actor(config))
    click.echo(f"Dihapus: {_format_counts(erasure.deleted)}.")
    click.echo(f"Tersisa menurut pencarian ulang: {_format_counts(erasure.remaining)}.")
    if any(erasure.remaining.values()):
        print_stderr("Pengguna itu masih menulis catatan. Ulangi setelah halamannya ditutup.")
        return 1
    if erasure.copies:
        print_stderr(
            f"Salinan log yang disisihkan mungkin memuat catatan itu juga: {', '.join(erasure.copies)}. "
            "Hapus salinan itu, atau ulangi setelah `judul govern retention` menghapusnya."
        )
        return 1
    print_stderr("Cadangan lama masih memuat catatan itu; hapus cadangannya bila tidak diperlukan lagi.")
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
            shared.require_writable_output(output, config)
            refuse_overwrite(output, force=force)
        text = privacy.export(engine, config.logs, user, reason=reason, actor=shared.actor(config))
    if output is None:
        click.echo(text, nl=False)
        return
    write_bytes(output, text.encode("utf-8"), mode=0o600)
    click.echo(f"Catatan pengguna itu tersimpan di {output}.")


@govern.command()
@_ZIP
@option(
    "--to", "copy_to", type=Path, metavar="FOLDER",
    help="Folder lain untuk salinan kedua, misalnya yang disinkronkan ke awan; hash-nya dibandingkan.",
)  # fmt: skip
@_REPLACE
@_REASON
@MODELS_OPTION
def backup(path: Path, copy_to: Path | None, force: bool, reason: str, outputs: Path | None) -> None:
    """Simpan log, kunci, label, dan model dalam satu zip."""
    from judul_lib.governance import backup as backups

    with open_log_database(outputs, may_create=True) as (config, engine):
        manifest = backups.backup(
            config.models, engine, config.logs, path, actor=shared.actor(config),
            reason=reason or "Pencadangan", force=force, copy_to=copy_to,
        )  # fmt: skip
    backups.verify_backup(path)
    folders = ", ".join(manifest.folders) or "tidak ada"
    click.echo(
        f"Cadangan {path} siap dan sudah diperiksa: {_format_counts(manifest.rows)}; folder: {folders}."
    )
    if copy_to is None:
        print_stderr("Simpan di tempat lain yang aman: kunci nama samaran ada di dalamnya.")
    else:
        click.echo(f"Salinannya ada di {copy_to / path.name}; hash-nya cocok.")


@govern.command()
@_ZIP
@option("--force", is_flag=True, help="Ganti log yang berisi; isi lamanya disimpan di sampingnya.")
@_REASON
@MODELS_OPTION
def restore(path: Path, force: bool, reason: str, outputs: Path | None) -> None:
    """Pulihkan log, kunci, label, dan semua model dari cadangan."""
    from judul_lib.governance import restoring
    from judul_lib.usage.database import database_url

    config = shared.read_config(models=outputs)
    restored = restoring.restore(
        path, config.models, database_url(config.logs), config.logs, actor=shared.actor(config),
        reason=reason or "Pemulihan dari cadangan", force=force, warn=print_stderr,
    )  # fmt: skip
    folders = ", ".join(restored.manifest.folders) or "tidak ada"
    click.echo(f"Dipulihkan dari {path}: {_format_counts(restored.manifest.rows)}; folder: {folders}.")
    if restored.aside:
        print_stderr(f"Yang sebelumnya ada disimpan sebagai {', '.join(restored.aside)}.")
    if restored.versions:
        print_stderr(
            "Versi model yang tidak ada di cadangan ikut disimpan di situ: "
            f"{', '.join(restored.versions)}. Bila masih diperlukan, salin foldernya kembali ke "
            f"{config.models / 'models'}."
        )
    if restored.forgotten:
        n_users = format_number(restored.forgotten)
        print_stderr(f"Data {n_users} pengguna yang dihapus setelah cadangan itu dibuat, dihapus lagi.")
    if not restored.has_key:
        print_stderr(
            "Kunci nama samaran tidak ada di cadangan; berikan yang dahulu lewat JUDUL_LOG_KEY."
        )
    print_stderr("Mulai ulang halaman pemeriksaan bila sedang berjalan.")


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
            config, engine, shared.project_folder(), backups or config.backups,
            backup_days=days,
        )  # fmt: skip
    for item in checks:
        click.echo(f"{'LULUS' if item.passed else 'GAGAL'}  {item.name}: {item.evidence}")
    return int(not all(item.passed for item in checks))


@govern.command()
@MODEL_OPTION
@MODELS_OPTION
def fairness(name: str | None, outputs: Path | None) -> None:
    """Tampilkan galat model menurut kelompok judul.

    Galat dihitung pada pasangan emas uji, menurut bidang studi, panjang judul, dan bahasanya.
    Hasilnya disimpan di fairness.json di folder model, untuk `judul govern check`.
    """
    from judul_lib.checking.loading import load_checker
    from judul_lib.evaluation.fairness import GROUPINGS, disparities, error_rates
    from judul_lib.figures.governance_tables import with_interval
    from judul_lib.governance.bias import save_error_rates
    from judul_lib.structured.gold import read_gold

    config = shared.read_config(models=outputs)
    folder = shared.choose_model(name, config.models)
    checker = load_checker(folder, [], threshold=config.threshold)
    gold = read_gold(shared.project_folder() / "data" / "gold_pairs.csv")
    pairs = gold[(gold["split"] == "test") & gold["label"].notna()].reset_index(drop=True)
    _, probability, _ = checker.score(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())
    n_studies = format_number(pairs["base_id"].nunique())
    click.echo(f"{format_number(len(pairs))} pasangan uji dari {n_studies} studi; selang 95 %.")
    rates_by_grouping = {
        grouping: error_rates(pairs, probability, group_of(pairs), threshold=config.threshold)
        for grouping, group_of in GROUPINGS.items()
    }
    save_error_rates(config.models, folder, rates_by_grouping)
    for grouping, rates in rates_by_grouping.items():
        click.echo(f"\nMenurut {grouping}")
        for label, row in rates.iterrows():
            n_pairs = format_number(int(row["pasangan"]))
            errors = "; ".join(f"{kind} {with_interval(row, kind)}" for kind in ("alarm palsu", "luput"))
            click.echo(f"  {label!s:<28} {n_pairs:>5} pasangan  {errors}")
        for disparity in disparities(rates).itertuples():
            click.echo(f"  Lebih sering keliru: {disparity.kelompok} ({disparity.galat}).")


@contextmanager
def open_log_database(
    outputs: Path | None, *, may_create: bool = False
) -> "Iterator[tuple[Config, sa.Engine]]":
    """Yield the configuration and the log's database, whether or not logging is on.

    A missing log is created only with *may_create*, and only where there are models.
    """
    from judul_lib.checking.loading import find_models
    from judul_lib.usage.database import COMMAND_LOCK_WAIT, database_url, opened_database
    from judul_lib.usage.installation import has_log, require_log

    config = shared.read_config(models=outputs)
    url = database_url(config.logs)
    if not may_create:
        require_log(config.logs, url)
    elif not has_log(config.logs, url):
        find_models(config.models, warn=print_stderr)
    with opened_database(url, warn=print_stderr, lock_wait=COMMAND_LOCK_WAIT) as engine:
        yield config, engine


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{format_number(count)} {format_label(name)}" for name, count in counts.items())


@govern.command()
@MODELS_OPTION
def calendar(outputs: Path | None) -> int:
    """Tampilkan tinjauan harian sampai triwulanan.

    Status keluar 1 bila ada yang terlambat.

    Yang belum pernah dilakukan mendapat satu periode penuh sejak catatan pertama; baru sesudah itu
    terlambat.
    """
    from judul_lib.core.clock import utc_now
    from judul_lib.figures.governance_tables import calendar_table
    from judul_lib.figures.tables import table
    from judul_lib.governance.reviews import review_statuses

    with open_log_database(outputs, may_create=True) as (config, engine):
        statuses = review_statuses(config, engine, utc_now())
    columns = ["nama", "yang dilihat", "setiap", "terakhir", "paling lambat", "status"]
    click.echo(table(calendar_table(statuses)[columns], index=False).text)
    click.echo()
    due = [status for status in statuses if status.is_due]
    for status in due:
        click.echo(f"{status.name}: {status.evidence} Lakukan dengan `{status.review.command}`.")
    if names := [status.name for status in due if status.review.can_be_ticked]:
        click.echo(
            "Setelah dilihat, tandai dengan `judul govern reviewed NAMA --reason …`: "
            f"{', '.join(names)}."
        )
    n_overdue = sum(status.days_overdue > 0 for status in statuses)
    if n_overdue:
        click.echo(f"{format_number(n_overdue)} tinjauan terlambat.")
    else:
        click.echo("Tidak ada tinjauan yang terlambat.")
    return int(n_overdue > 0)


@govern.command()
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
        mark_reviewed(engine, config.logs, name, actor=shared.actor(config), reason=reason)
    review = reviews()[name]
    click.echo(f"{review.title}: tercatat sudah ditinjau; lagi dalam {review.days} hari.")


@govern.command()
@argument("kind", metavar="[JENIS]", required=False, help="Jenis insiden [bawaan: daftar semua jenis].")
def playbook(kind: str | None) -> None:
    """Tampilkan langkah-langkah untuk sebuah JENIS insiden."""
    from judul_lib.core.errors import LogError
    from judul_lib.figures.governance_tables import playbook_table
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
    incident = incidents[kind]
    click.echo(f"{incident.level}  {incident.title} (ditanggapi dalam {incident.response_deadline})\n")
    for rank, step in enumerate(incident.steps, start=1):
        click.echo(f"{rank}. {step}")
    click.echo()
    click.echo(f"Diberi tahu: {incident.notify}.")
    click.echo(f"Dicatat: {incident.record}.")
    click.echo(f"Selesai bila: {incident.resolved_when}.")
