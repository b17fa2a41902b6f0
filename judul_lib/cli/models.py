"""``judul models`` and ``judul retrain``."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, command, group, option
from judul_lib.cli.shared import MODELS_OPTION, print_stderr
from judul_lib.core.formatting import escape_control_characters, format_label, format_number
from judul_lib.core.settings import MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.core.config import Config
    from judul_lib.governance.promotions import AuditWriter
    from judul_lib.labeling.labels import PairVotes
    from judul_lib.labeling.retraining import RetrainingResult

_CHOICES = ", ".join(MODEL_TITLES)
_NAME = argument(
    "name", type=click.Choice(list(MODEL_TITLES)), metavar="MODEL", help=f"Salah satu dari: {_CHOICES}."
)
_VERSION = argument("version", metavar="VERSI", help="Seperti di `judul models list`.")
_REASON = option("--reason", required=True, help="Alasan; dicatat bersama versi itu.")
_APPROVER = option("--approver", required=True, help="Siapa yang menyetujui.")


def audit_writer(config: "Config") -> "AuditWriter":
    """Return a writer of the audit trail for the logged-in user."""
    from judul_lib.governance.promotions import AuditWriter
    from judul_lib.usage.database import database_url

    return AuditWriter(database_url(config.logs), config.logs, shared.actor(config), print_stderr)


@group()
def models() -> None:
    """Lihat, periksa, dan berlakukan versi-versi model."""


@models.command(name="list")
@MODELS_OPTION
def list_models(outputs: Path | None) -> None:
    """Tampilkan semua versi, dan mana yang berlaku.

    Mutunya menurut pasangan emas, dengan selang 95 % bila tersimpan; "–" bila belum diukur di sana.
    Model baru yang belum diberlakukan tampil sebagai kandidat.
    """
    config = shared.read_config(models=outputs)
    rows = [row for name in MODEL_TITLES for row in _version_rows(config, name)]
    headings = ("model", "versi", "status", "dibuat", "tinjau lagi", "ROC-AUC pasangan emas")
    _print_columns([(*headings, "tag atau kesamaan"), *rows])


@models.command()
@_NAME
@argument("version", metavar="[VERSI]", required=False, help="Sebuah versi [bawaan: yang berlaku].")
@MODELS_OPTION
def show(name: str, version: str | None, outputs: Path | None) -> None:
    """Tampilkan catatan sebuah versi.

    Isinya: data, hasil uji, siapa yang menyetujui, dan mengapa.
    """
    from judul_lib.checking import versions
    from judul_lib.checking.registry import model_type, read_metadata, total_size, version_of
    from judul_lib.governance import promotions

    folder = shared.read_config(models=outputs).models
    version = version or versions.current_version(folder, name)
    model = versions.version_folder(folder, name, version) if version else folder / name
    metadata = read_metadata(model)
    dataset = promotions.as_mapping(metadata.get("dataset"))
    facts = {
        "model": f"{name} ({MODEL_TITLES[name]})",
        "jenis": model_type(metadata),
        "ukuran": f"{format_number(total_size(metadata))} byte",
        "versi": version or version_of(metadata),
        "folder": model,
        "dibuat": _format_day(metadata.get("created")),
        "data": (
            f"{dataset.get('name')} versi {dataset.get('version')}, "
            f"{format_number(dataset.get('n_titles'))} judul, {dataset.get('sha256')}"
        ),
        "hasil uji": _format_metrics(promotions.metrics_of(metadata)),
    }
    promotion = (
        promotions.promotion(folder, name, version)
        if version
        else promotions.first_run_entry(metadata, version_of(metadata))
    )
    texts = {"approver": "penyetuju", "reason": "alasan"}
    dates = {"deployed": "berlaku sejak", "next_review": "tinjau lagi"}
    facts |= {label: promotion[key] for key, label in texts.items() if key in promotion}
    facts |= {label: _format_day(promotion[key]) for key, label in dates.items() if key in promotion}
    if version:
        facts["tag"] = ", ".join(versions.tags(folder, name, version))
    if missing := promotions.missing_metadata(metadata):
        facts["belum ada"] = ", ".join(missing)
    _print_columns([(label, str(value)) for label, value in facts.items() if value])


@models.command()
@MODELS_OPTION
def verify(outputs: Path | None) -> int:
    """Bandingkan isi semua versi dengan hash yang tercatat.

    Status keluar 1 bila ada yang berbeda.
    """
    from judul_lib.checking import versions

    results = versions.verify(shared.read_config(models=outputs).models)
    for result in results:
        version = result.version or "yang berlaku"
        click.echo(f"{result.name} {version}: {result.problem or 'utuh'}")
    if not results:
        click.echo("Belum ada versi yang disimpan.")
    return int(any(result.problem for result in results))


@models.command()
@_NAME
@_VERSION
@_REASON
@_APPROVER
@option("--force", is_flag=True, help="Berlakukan juga bila mungkin lebih buruk pada pasangan emas.")
@MODELS_OPTION
def promote(
    name: str, version: str, reason: str, approver: str, force: bool, outputs: Path | None
) -> None:
    """Berlakukan VERSI: sejak itu versi inilah yang menjawab.

    Versi yang mungkin lebih buruk daripada yang berlaku ditolak tanpa --force.
    """
    from judul_lib.governance import promotions

    config = shared.read_config(models=outputs)
    entry = promotions.promote_with_audit(
        audit_writer(config), config.models, name, version, reason=reason, approver=approver, force=force
    )
    announce_switch(config, name, entry)


@models.command()
@_NAME
@_REASON
@_APPROVER
@MODELS_OPTION
def rollback(name: str, reason: str, approver: str, outputs: Path | None) -> None:
    """Kembali ke versi yang berlaku sebelum yang sekarang."""
    from judul_lib.governance import promotions

    config = shared.read_config(models=outputs)
    entry = promotions.rollback_with_audit(
        audit_writer(config), config.models, name, reason=reason, approver=approver
    )
    announce_switch(config, name, entry)


@models.command()
@_NAME
@_VERSION
@argument("label", metavar="TAG", help="Satu kata, misalnya semester-genap.")
@option("--remove", is_flag=True, help="Lepaskan tag itu.")
@MODELS_OPTION
def tag(name: str, version: str, label: str, remove: bool, outputs: Path | None) -> None:
    """Beri VERSI sebuah TAG."""
    from judul_lib.checking import versions

    folder = shared.read_config(models=outputs).models
    tags = versions.tag(folder, name, version, label, remove=remove)
    click.echo(f"Tag {name} {version}: {', '.join(tags) or '–'}.")


@models.command()
@argument(
    "name", type=click.Choice(list(MODEL_TITLES)), metavar="[MODEL]", required=False,
    help=f"Salah satu dari: {_CHOICES} [bawaan: semua].",
)  # fmt: skip
@MODELS_OPTION
def track(name: str | None, outputs: Path | None) -> int:
    """Catat versi-versi MODEL di MLflow, dan mana yang berlaku."""
    from judul_lib.governance import tracking

    config = shared.read_config(models=outputs)
    if not config.mlflow:
        raise click.UsageError(
            "MLflow belum dinyalakan: tulis mlflow = true di judul.toml, atau beri JUDUL_MLFLOW=true."
        )
    notes = []
    for model in [name] if name else MODEL_TITLES:
        mirrored = tracking.mirror(config.models, model)
        notes += mirrored.notes
        aliases = "".join(f"; {alias} = {version}" for alias, version in mirrored.aliases.items())
        click.echo(
            f"{model}: {len(mirrored.new)} versi baru, {mirrored.n_versions} seluruhnya{aliases}."
        )
    for note in notes:
        print_stderr(f"Catatan: {note}")
    return int(bool(notes))


def announce_switch(config: "Config", name: str, entry: Mapping[str, Any]) -> None:
    """Print which version answers from now on, and mirror the switch to MLflow."""
    from judul_lib.governance import tracking

    previous = f" (sebelumnya {entry['previous']})" if entry["previous"] else ""
    click.echo(
        f"Versi {entry['version']} dari model {name} kini berlaku{previous}; ditinjau lagi paling "
        f"lambat {_format_day(entry['next_review'])}. Halaman yang sedang berjalan memakainya setelah "
        "dimuat ulang."
    )
    tracking.mirror_if_enabled(config, name, print_stderr)


def _version_rows(config: "Config", name: str) -> list[tuple[str, ...]]:
    from judul_lib.checking import version_metrics, versions
    from judul_lib.checking.registry import read_metadata, version_of
    from judul_lib.core.errors import ModelError
    from judul_lib.governance import promotions

    rows: list[tuple[str, ...]] = []
    try:
        current = versions.current_version(config.models, name)
    except ModelError as error:
        print_stderr(f"Catatan: {error}")
        current = ""
    metrics = version_metrics.gold_metrics(config.models, name)
    for version in versions.list_versions(config.models, name):
        try:
            metadata = read_metadata(versions.version_folder(config.models, name, version))
            created = _format_day(metadata["created"])
            promotion = promotions.promotion(config.models, name, version)
            review = _format_day(promotion.get("next_review", "–"))
            tags = ", ".join(versions.tags(config.models, name, version))
        except (ModelError, KeyError):
            rows.append((name, version, "rusak", "–", "–", "–", "–"))
            continue
        status = "berlaku" if version == current else "–"
        quality = version_metrics.describe_metrics(metrics[version])
        review = review if version == current else "–"
        rows.append((name, version, status, created, review, quality, tags or "–"))
    candidate = versions.candidate_metadata(config.models, name)
    if candidate is not None:
        status = "berlaku" if current is None else "kandidat"
        folder = f"{config.models.name}/{name}"
        created = _format_day(candidate.get("created", "–"))
        quality = version_metrics.describe_metrics(version_metrics.measured_on_gold(candidate))
        review = "–"
        if current is None:
            entry = promotions.first_run_entry(candidate, version_of(candidate))
            review = _format_day(entry.get("next_review", "–"))
        rows.append((name, folder, status, created, review, quality, f"= {version_of(candidate)}"))
    return rows


def _format_day(value: Any) -> str:
    """Format the day of an ISO 8601 date for readers; return anything else unchanged."""
    try:
        return format_number(date.fromisoformat(str(value)[:10]))
    except ValueError:
        return str(value)


def _format_metrics(values: Mapping[str, Any] | None) -> str:
    return ", ".join(
        f"{format_label(key)} {format_number(value)}" for key, value in (values or {}).items()
    )


def _print_columns(rows: Iterable[tuple[str, ...]]) -> None:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(escape_control_characters("  ".join(cells).rstrip()))


@command()
@argument(
    "name", type=click.Choice(list(MODEL_TITLES)), required=False, metavar="[MODEL]",
    help=f"Salah satu dari: {_CHOICES} [bawaan: yang menjawab `judul check`].",
)  # fmt: skip
@option("--labels", "file", type=Path, help="CSV berkolom judul_a, judul_b, label.")
@option(
    "--feedback/--no-feedback", default=True,
    help="Pakai pendapat pengguna (tepat atau keliru) dari log, atau tidak [bawaan: pakai].",
)  # fmt: skip
@option(
    "--decisions/--no-decisions", default=True,
    help="Pakai keputusan yang dicatat dengan --consent, atau tidak [bawaan: pakai].",
)  # fmt: skip
@option(
    "--titles", type=Path,
    help="CSV berkolom Judul untuk mengenali judul yang di log hanya tersimpan sebagai hash.",
)  # fmt: skip
@option("--gold", type=Path, help="Pasangan emas [bawaan: data/gold_pairs.csv].")
@option(
    "--promote", "should_promote", is_flag=True, help="Berlakukan versi baru bila tidak lebih buruk."
)
@option("--reason", default="", help="Alasan; wajib dengan --promote.")
@option("--approver", default="", help="Penyetuju; wajib dengan --promote.")
@shared.title_choice_options
@MODELS_OPTION
def retrain(
    name: str | None,
    file: Path | None,
    feedback: bool,
    decisions: bool,
    titles: Path | None,
    gold: Path | None,
    should_promote: bool,
    reason: str,
    approver: str,
    outputs: Path | None,
) -> int:
    """Latih ulang MODEL dengan label baru, lalu bandingkan.

    Labelnya berasal dari pendapat pengguna, keputusan, dan CSV; pembandingnya versi yang berlaku.
    Model structured belajar dari label itu bersama pasangan nyata dan pasangan emas bagian dev;
    pembandingnya bagian test. Full dan light belajar dari korpusnya, dan dibandingkan pada semua
    pasangan emas. Studi emas yang judulnya ada di label tidak ikut dibandingkan.

    Status keluar 1 bila --promote diminta tetapi versi baru tidak diberlakukan.
    """
    if should_promote and not (reason.strip() and approver.strip()):
        raise click.UsageError("--promote memerlukan --reason dan --approver.")
    from judul_lib.governance import promotions, tracking
    from judul_lib.labeling import retraining
    from judul_lib.labeling.labels import PairVotes, majority_vote, read_label_file

    config = shared.read_config(models=outputs)
    name = name or shared.model_name(shared.choose_model(None, config.models))
    gold = gold or shared.project_folder() / "data" / "gold_pairs.csv"
    answers = PairVotes()
    if file is not None:
        answers = shared.read_as_chosen(
            lambda sheet, column: read_label_file(file, warn=print_stderr, sheet=sheet),
            is_only_file=titles is None,
        )
    if feedback or decisions:
        known_titles = [title for left, right, _ in answers.rows for title in (left, right)]
        if titles is not None:
            known_titles += shared.read_titles(titles, is_only_file=file is None)
        answers += _read_votes(config, name, known_titles, feedback=feedback, decisions=decisions)
    labels = majority_vote(answers)
    click.echo(
        f"{format_number(len(labels.pairs))} pasangan berlabel dari {format_number(labels.n_answers)} "
        f"jawaban; dilewati: {format_number(answers.n_unsure)} ragu, "
        f"{format_number(answers.n_unreadable)} yang judulnya tidak dikenal, "
        f"{format_number(labels.n_ties)} pasangan dengan jawaban seimbang."
    )
    trail = audit_writer(config)

    def recording(result: "RetrainingResult") -> "AbstractContextManager[None]":
        details = {
            "model": name, "version": result.version, "previous": result.previous,
            "labels": result.n_labels, "not_worse": result.is_not_worse,
            "old": result.comparison["old"].to_dict(), "new": result.comparison["new"].to_dict(),
            "approver": approver.strip() or "judul retrain",
        }  # fmt: skip
        why = reason.strip() or "pelatihan ulang dengan label baru"
        return trail.recording("train", reason=why, details=details)

    result = retraining.retrain(config.models, name, labels, gold, recording=recording)
    _print_comparison(result)
    if should_promote and result.is_not_worse:
        entry = promotions.promote_with_audit(
            trail, config.models, name, result.version, reason=reason, approver=approver
        )
        announce_switch(config, name, entry)
        return 0
    if should_promote:
        click.echo(
            f"Versi {result.version} disimpan tetapi tidak diberlakukan, karena bisa lebih buruk dalam "
            f"{' dan '.join(map(format_label, result.possibly_worse_metrics))}. Versi yang "
            f"berlaku tetap {result.previous}."
        )
    else:
        click.echo(
            f"Versi {result.version} disimpan dan belum diberlakukan; berlakukan dengan "
            f"`judul models promote {name} {result.version} --reason … --approver …`."
        )
    tracking.mirror_if_enabled(config, name, print_stderr)
    return int(should_promote)


def _read_votes(
    config: "Config", name: str, titles: list[str], *, feedback: bool, decisions: bool
) -> "PairVotes":
    """Read feedback and decisions in the log; a missing log is not created."""
    from judul_lib.checking.registry import load_titles
    from judul_lib.checking.versions import model_folder
    from judul_lib.core.pseudonyms import log_key
    from judul_lib.labeling.labels import PairVotes, decision_votes, feedback_votes
    from judul_lib.usage import database
    from judul_lib.usage.installation import has_log
    from judul_lib.usage.log import UsageLog

    url = database.database_url(config.logs)
    if not has_log(config.logs, url):
        return PairVotes()
    with closing(UsageLog(config.logs, warn=print_stderr)) as log:
        log.flush_spool()
    titles = [*load_titles(model_folder(config.models, name)), *titles]
    key, votes = log_key(config.logs), PairVotes()
    with database.opened_database(url, warn=print_stderr) as engine:
        if feedback:
            votes += feedback_votes(database.read_table(engine, database.feedback), titles, key)
        if decisions:
            votes += decision_votes(database.read_table(engine, database.decisions), titles, key)
    return votes


def _print_comparison(result: "RetrainingResult") -> None:
    from judul_lib.checking.version_metrics import DECISIVE_METRICS, TOLERANCE

    if result.n_unknown_titles:
        print_stderr(
            f"Catatan: {format_number(result.n_unknown_titles)} judul berlabel tidak ada di korpus "
            "model; dipakai apa adanya dan tidak menambah korpus."
        )
    for note in result.notes:
        print_stderr(f"Catatan: {note}")
    click.echo(
        f"Versi {result.version} dibandingkan dengan {result.previous} pada "
        f"{format_number(result.n_gold)} pasangan emas "
        f"({format_number(result.n_left_out)} disisihkan karena studinya ada di label baru):"
    )
    for metric in DECISIVE_METRICS:
        row = {key: format_number(value) for key, value in result.comparison.loc[metric].items()}
        click.echo(
            f"  {format_label(metric):<11} {row['old']} → {row['new']}, selisih {row['difference']} "
            f"(95 %: {row['low']} sampai {row['high']})"
        )
    verdict = "tidak lebih buruk" if result.is_not_worse else "mungkin lebih buruk"
    click.echo(
        f"Versi baru {verdict} (batas bawah selisih paling sedikit {format_number(-TOLERANCE, 2)})."
    )
