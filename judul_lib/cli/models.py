"""judul models, judul retrain."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judul_lib.cli import parts
from judul_lib.cli.parts import MODELS_OPTION, say
from judul_lib.cli.words import argument, command, group, option
from judul_lib.core.formatting import escape_control_characters, format_label, format_number
from judul_lib.core.settings import MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.core.config import Config
    from judul_lib.governance.promotions import AuditWriter
    from judul_lib.labeling.labels import PairVotes
    from judul_lib.labeling.retraining import RetrainingResult

_MODELS = ", ".join(MODEL_TITLES)
_NAME = argument(
    "name", type=click.Choice(list(MODEL_TITLES)), metavar="MODEL", help=f"Salah satu dari: {_MODELS}."
)
_VERSION = argument("version", metavar="VERSI", help="Seperti di `judul models list`.")
_REASON = option("--reason", required=True, help="Alasan; dicatat bersama versi itu.")
_APPROVER = option("--approver", required=True, help="Siapa yang menyetujui.")


def audit_writer(config: "Config") -> "AuditWriter":
    """Return the audit trail as whoever is logged in here writes it."""
    from judul_lib.governance.promotions import AuditWriter
    from judul_lib.usage.database import database_url

    return AuditWriter(database_url(config.logs), config.logs, parts.actor(config), say)


@group()
def models() -> None:
    """Lihat, periksa, dan berlakukan versi-versi model."""


@models.command(name="list")
@MODELS_OPTION
def list_models(outputs: Path | None) -> None:
    """Tampilkan semua versi, dan mana yang berlaku.

    Model baru yang belum diberlakukan tampil sebagai kandidat.
    """
    rows = [row for name in MODEL_TITLES for row in _rows(parts.read_config(models=outputs), name)]
    _print_columns([("model", "versi", "status", "dibuat", "tinjau lagi", "tag atau kesamaan"), *rows])


@models.command()
@_NAME
@argument("version", metavar="[VERSI]", required=False, help="Sebuah versi [bawaan: yang berlaku].")
@MODELS_OPTION
def show(name: str, version: str | None, outputs: Path | None) -> None:
    """Tampilkan catatan sebuah versi.

    Isinya: data, hasil uji, siapa yang menyetujui, dan mengapa.
    """
    from judul_lib.checking import versions
    from judul_lib.checking.registry import read_metadata, version_of
    from judul_lib.governance import promotions

    folder = parts.read_config(models=outputs).models
    version = version or versions.current_version(folder, name)
    where = versions.version_folder(folder, name, version) if version else folder / name
    metadata = read_metadata(where)
    dataset = promotions.as_mapping(metadata.get("dataset"))
    n_titles = format_number(dataset.get("n_titles"))
    data = (f"{dataset.get('name')} versi {dataset.get('version')}", f"{n_titles} judul")
    facts = {
        "model": f"{name} ({MODEL_TITLES[name]})",
        "versi": version or version_of(metadata),
        "folder": where,
        "dibuat": _day(metadata.get("created")),
        "data": ", ".join((*data, str(dataset.get("sha256")))),
        "hasil uji": _metrics(promotions.metrics_of(metadata)),
    }
    if version:
        decided = promotions.promotion(folder, name, version)
        said = {"approver": "penyetuju", "reason": "alasan"}
        dated = {"deployed": "berlaku sejak", "next_review": "tinjau lagi"}
        facts |= {label: decided[key] for key, label in said.items() if key in decided}
        facts |= {label: _day(decided[key]) for key, label in dated.items() if key in decided}
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
    from judul_lib.checking.versions import verify as verify_all

    found = verify_all(parts.read_config(models=outputs).models)
    for one in found:
        version = one.version or "yang berlaku"
        click.echo(f"{one.name} {version}: {one.problem or 'utuh'}")
    if not found:
        click.echo("Belum ada versi yang disimpan.")
    return int(any(one.problem for one in found))


@models.command()
@_NAME
@_VERSION
@_REASON
@_APPROVER
@MODELS_OPTION
def promote(name: str, version: str, reason: str, approver: str, outputs: Path | None) -> None:
    """Berlakukan VERSI: sejak itu versi inilah yang menjawab."""
    from judul_lib.governance import promotions

    config = parts.read_config(models=outputs)
    entry = promotions.promote_with_audit(
        audit_writer(config), config.models, name, version, reason=reason, approver=approver
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

    config = parts.read_config(models=outputs)
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

    folder = parts.read_config(models=outputs).models
    now = versions.tag(folder, name, version, label, remove=remove)
    click.echo(f"Tag {name} {version}: {', '.join(now) or '–'}.")


@models.command()
@argument(
    "name", type=click.Choice(list(MODEL_TITLES)), metavar="[MODEL]", required=False,
    help=f"Salah satu dari: {_MODELS} [bawaan: semua].",
)  # fmt: skip
@MODELS_OPTION
def track(name: str | None, outputs: Path | None) -> int:
    """Catat versi-versi MODEL di MLflow, dan mana yang berlaku."""
    from judul_lib.governance import tracking

    config = parts.read_config(models=outputs)
    if not config.mlflow:
        raise click.UsageError(
            "MLflow belum dinyalakan: tulis mlflow = true di judul.toml, atau beri JUDUL_MLFLOW=true."
        )
    notes = []
    for model in [name] if name else MODEL_TITLES:
        found = tracking.mirror(config.models, model)
        notes += found.notes
        aliases = "".join(f"; {alias} = {version}" for alias, version in found.aliases.items())
        click.echo(f"{model}: {len(found.new)} versi baru, {found.n_versions} seluruhnya{aliases}.")
    for note in notes:
        say(f"Catatan: {note}")
    return int(bool(notes))


def announce_switch(config: "Config", name: str, entry: Mapping[str, Any]) -> None:
    """Say what answers from now on, and tell MLflow of it."""
    from judul_lib.governance import tracking

    before = f" (sebelumnya {entry['previous']})" if entry["previous"] else ""
    click.echo(
        f"Versi {entry['version']} dari model {name} kini berlaku{before}; ditinjau lagi paling lambat "
        f"{_day(entry['next_review'])}. Halaman yang sedang berjalan memakainya setelah dimuat ulang."
    )
    tracking.mirror_if_enabled(config, name, say)


def _rows(config: "Config", name: str) -> list[tuple[str, ...]]:
    from judul_lib.checking import versions
    from judul_lib.checking.registry import read_metadata, version_of
    from judul_lib.core.errors import ModelError
    from judul_lib.governance import promotions

    rows: list[tuple[str, ...]] = []
    try:
        current = versions.current_version(config.models, name)
    except ModelError as error:
        say(f"Catatan: {error}")
        current = ""
    for version in versions.list_versions(config.models, name):
        try:
            made = _day(read_metadata(versions.version_folder(config.models, name, version))["created"])
            review = _day(promotions.promotion(config.models, name, version).get("next_review", "–"))
            words = ", ".join(versions.tags(config.models, name, version))
        except (ModelError, KeyError):
            rows.append((name, version, "rusak", "–", "–", "–"))
            continue
        is_current = version == current
        rows.append(
            (name, version, "berlaku" if is_current else "–", made, review if is_current else "–",
             words or "–")
        )  # fmt: skip
    waiting = versions.candidate_metadata(config.models, name)
    if waiting is not None:
        status = "berlaku" if current is None else "kandidat"
        place = f"{config.models.name}/{name}"
        made = _day(waiting.get("created", "–"))
        rows.append((name, place, status, made, "–", f"= {version_of(waiting)}"))
    return rows


def _day(value: Any) -> str:
    """Return the day of a date in ISO 8601 as readers write it; what is no date, as it is."""
    try:
        return format_number(date.fromisoformat(str(value)[:10]))
    except ValueError:
        return str(value)


def _metrics(values: Mapping[str, Any] | None) -> str:
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
    help=f"Salah satu dari: {', '.join(MODEL_TITLES)} [bawaan: yang menjawab `judul check`].",
)  # fmt: skip
@option("--labels", "file", type=Path, help="CSV berkolom judul_a, judul_b, label.")
@option(
    "--feedback/--no-feedback", default=True,
    help="Pakai pendapat pengguna (tepat atau keliru) dari log, atau tidak [bawaan: pakai].",
)  # fmt: skip
@option(
    "--titles", type=Path,
    help="CSV berkolom Judul untuk mengenali judul yang di log hanya tersimpan sebagai hash.",
)  # fmt: skip
@option("--gold", type=Path, help="Pasangan emas [bawaan: data/gold_pairs.csv].")
@option("--promote", "wanted", is_flag=True, help="Berlakukan versi baru bila tidak lebih buruk.")
@option("--reason", default="", help="Alasan; wajib dengan --promote.")
@option("--approver", default="", help="Penyetuju; wajib dengan --promote.")
@MODELS_OPTION
def retrain(
    name: str | None,
    file: Path | None,
    feedback: bool,
    titles: Path | None,
    gold: Path | None,
    wanted: bool,
    reason: str,
    approver: str,
    outputs: Path | None,
) -> int:
    """Latih ulang MODEL dengan label baru, lalu bandingkan.

    Labelnya berasal dari pendapat pengguna dan dari CSV; pembandingnya versi yang berlaku.
    Model structured belajar dari label itu bersama pasangan nyata dan pasangan emas bagian dev;
    pembandingnya bagian test. Full dan light belajar dari korpusnya, dan dibandingkan pada semua
    pasangan emas. Studi emas yang judulnya ada di label tidak ikut dibandingkan.

    Status keluar 1 bila --promote diminta tetapi versi baru tidak diberlakukan.
    """
    if wanted and not (reason.strip() and approver.strip()):
        raise click.UsageError("--promote memerlukan --reason dan --approver.")
    from judul_lib.checking.registry import read_metadata
    from judul_lib.governance import promotions, tracking
    from judul_lib.labeling import retraining
    from judul_lib.labeling.labels import PairVotes, majority_vote, read_label_file

    config = parts.read_config(models=outputs)
    name = name or str(read_metadata(parts.choose_model(None, config.models)).get("name"))
    gold = gold or parts.project_folder() / "data" / "gold_pairs.csv"
    answers = PairVotes() if file is None else read_label_file(file, warn=say)
    if feedback:
        own = [title for left, right, _ in answers.rows for title in (left, right)]
        answers += _feedback(config, name, own, titles)
    labels = majority_vote(answers)
    click.echo(
        f"{format_number(len(labels.pairs))} pasangan berlabel dari "
        f"{format_number(labels.n_answers)} jawaban; "
        f"dilewati: {format_number(answers.n_unsure)} ragu, "
        f"{format_number(answers.n_unreadable)} yang judulnya tidak "
        f"dikenal, {format_number(labels.n_ties)} pasangan dengan jawaban seimbang."
    )
    trail = audit_writer(config)

    def recording(made: "RetrainingResult") -> "AbstractContextManager[None]":
        details = {
            "model": name, "version": made.version, "previous": made.previous,
            "labels": made.n_labels, "not_worse": made.is_not_worse,
            "old": made.comparison["old"].to_dict(), "new": made.comparison["new"].to_dict(),
            "approver": approver.strip() or "judul retrain",
        }  # fmt: skip
        why = reason.strip() or "pelatihan ulang dengan label baru"
        return trail.recording("train", reason=why, details=details)

    made = retraining.retrain(config.models, name, labels, gold, recording=recording)
    _tell_comparison(made)
    promoted = wanted and made.is_not_worse
    if promoted:
        entry = promotions.promote_with_audit(
            trail, config.models, name, made.version, reason=reason, approver=approver
        )
        announce_switch(config, name, entry)
    elif wanted:
        click.echo(
            f"Versi {made.version} disimpan tetapi tidak diberlakukan, karena bisa lebih buruk dalam "
            f"{' dan '.join(map(format_label, made.possibly_worse_metrics))}. Versi yang "
            f"berlaku tetap {made.previous}."
        )
    else:
        click.echo(
            f"Versi {made.version} disimpan dan belum diberlakukan; berlakukan dengan "
            f"`judul models promote {name} {made.version} --reason … --approver …`."
        )
    if not promoted:
        tracking.mirror_if_enabled(config, name, say)
    return int(wanted and not promoted)


def _feedback(config: "Config", name: str, own: list[str], titles: Path | None) -> "PairVotes":
    """Read the log's feedback; where there is no log yet, none is made."""
    from judul_lib.checking.registry import load_titles
    from judul_lib.checking.versions import model_folder
    from judul_lib.core.pseudonyms import log_key
    from judul_lib.core.tables import TITLE_COLUMN
    from judul_lib.labeling.labels import PairVotes, feedback_votes
    from judul_lib.usage import database
    from judul_lib.usage.installation import has_log
    from judul_lib.usage.log import UsageLog

    url = database.database_url(config.logs)
    if not has_log(config.logs, url):
        return PairVotes()
    with closing(UsageLog(config.logs, warn=say)) as log:
        log.flush_spool()
    known = [*load_titles(model_folder(config.models, name)), *own]
    if titles is not None:
        known += parts.read_catalogue(titles).titles[TITLE_COLUMN].tolist()
    with database.opened_database(url, warn=say) as engine:
        rows = database.read_table(engine, database.feedback)
    return feedback_votes(rows, known, log_key(config.logs))


def _tell_comparison(made: "RetrainingResult") -> None:
    from judul_lib.labeling.retraining import DECISIVE_METRICS, TOLERANCE

    if made.n_unknown_titles:
        say(
            f"Catatan: {format_number(made.n_unknown_titles)} judul berlabel tidak ada di "
            f"korpus model; dipakai apa "
            "adanya dan tidak menambah korpus."
        )
    for note in made.notes:
        say(f"Catatan: {note}")
    click.echo(
        f"Versi {made.version} dibandingkan dengan {made.previous} pada "
        f"{format_number(made.n_gold)} pasangan "
        f"emas ({format_number(made.n_left_out)} disisihkan karena studinya ada di label baru):"
    )
    for metric in DECISIVE_METRICS:
        row = {key: format_number(value) for key, value in made.comparison.loc[metric].items()}
        click.echo(
            f"  {format_label(metric):<11} {row['old']} → {row['new']}, selisih {row['difference']} "
            f"(95 %: {row['low']} sampai {row['high']})"
        )
    verdict = "tidak lebih buruk" if made.is_not_worse else "mungkin lebih buruk"
    click.echo(
        f"Versi baru {verdict} (batas bawah selisih paling sedikit {format_number(-TOLERANCE, 2)})."
    )
