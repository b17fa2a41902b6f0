"""``judul models``: versions of models, which one answers, and what is recorded of them."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judul_lib.cli import parts
from judul_lib.cli.parts import MODELS_OPTION, say
from judul_lib.cli.words import argument, group, option
from judul_lib.core.formatting import number, printable, readable
from judul_lib.core.settings import MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.core.config import Config
    from judul_lib.governance.switches import Trail

_MODELS = ", ".join(MODEL_TITLES)
_NAME = argument(
    "name", type=click.Choice(list(MODEL_TITLES)), metavar="MODEL", help=f"Salah satu dari: {_MODELS}."
)
_VERSION = argument("version", metavar="VERSI", help="Seperti di `judul models list`.")
_REASON = option("--reason", required=True, help="Alasan; dicatat bersama versi itu.")
_APPROVER = option("--approver", required=True, help="Siapa yang menyetujui.")


def audit_trail(config: "Config") -> "Trail":
    """Return the audit trail as whoever is logged in here writes it."""
    from judul_lib.governance.switches import Trail
    from judul_lib.usage.database import database_url

    return Trail(database_url(config.logs), config.logs, parts.actor(config), say)


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
    dataset = promotions.mapping(metadata.get("dataset"))
    n_titles = number(dataset.get("n_titles"))
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
    from judul_lib.governance import switches

    config = parts.read_config(models=outputs)
    entry = switches.promote(
        audit_trail(config), config.models, name, version, reason=reason, approver=approver
    )
    tell_switch(config, name, entry)


@models.command()
@_NAME
@_REASON
@_APPROVER
@MODELS_OPTION
def rollback(name: str, reason: str, approver: str, outputs: Path | None) -> None:
    """Kembali ke versi yang berlaku sebelum yang sekarang."""
    from judul_lib.governance import switches

    config = parts.read_config(models=outputs)
    entry = switches.rollback(audit_trail(config), config.models, name, reason=reason, approver=approver)
    tell_switch(config, name, entry)


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


def tell_switch(config: "Config", name: str, entry: Mapping[str, Any]) -> None:
    """Say what answers from now on, and tell MLflow of it."""
    from judul_lib.governance import tracking

    before = f" (sebelumnya {entry['previous']})" if entry["previous"] else ""
    click.echo(
        f"Versi {entry['version']} dari model {name} kini berlaku{before}; ditinjau lagi paling lambat "
        f"{_day(entry['next_review'])}. Halaman yang sedang berjalan memakainya setelah dimuat ulang."
    )
    tracking.follow(config, name, say)


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
    waiting = versions.candidate(config.models, name)
    if waiting is not None:
        status = "berlaku" if current is None else "kandidat"
        place = f"{config.models.name}/{name}"
        made = _day(waiting.get("created", "–"))
        rows.append((name, place, status, made, "–", f"= {version_of(waiting)}"))
    return rows


def _day(value: Any) -> str:
    """Return the day of a date in ISO 8601 as readers write it; what is no date, as it is."""
    try:
        return number(date.fromisoformat(str(value)[:10]))
    except ValueError:
        return str(value)


def _metrics(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{readable(key)} {number(value)}" for key, value in (values or {}).items())


def _print_columns(rows: Iterable[tuple[str, ...]]) -> None:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(printable("  ".join(cells).rstrip()))
