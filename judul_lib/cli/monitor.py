"""``judul monitor`` and ``judul simulate``: summarize the usage log, fill one with simulated usage."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import command, option
from judul_lib.cli.shared import MODELS_OPTION, print_stderr
from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import SEED

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa

    from judul_lib.usage.frames import Usage
    from judul_lib.usage.infrastructure import MachineState


@command()
@option("--days", type=click.IntRange(min=1), default=30, help="Jumlah hari yang dilihat [bawaan: 30].")
@option("--once", is_flag=True, help="Status keluar 1 bila ada peringatan (untuk cron).")
@option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table",
    help="Bentuk keluaran [bawaan: table].",
)  # fmt: skip
@option(
    "--log",
    "logs",
    type=Path,
    metavar="FOLDER",
    help="Folder log lain, misalnya hasil `judul simulate --into`.",
)
@option(
    "--export", "table_file", type=Path, metavar="BERKAS.csv",
    help="Tulis juga setiap pemeriksaan pada hari-hari itu ke sebuah CSV.",
)  # fmt: skip
@MODELS_OPTION
def monitor(
    days: int, once: bool, style: str, logs: Path | None, table_file: Path | None, outputs: Path | None
) -> int:
    """Ringkas penggunaan, dan tampilkan peringatan.

    Ada peringatan bila jawaban lambat atau gagal, atau bila data bergeser dari garis dasar.
    """
    from datetime import timedelta

    from judul_lib.core.clock import utc_now
    from judul_lib.usage.alerts import find_alerts
    from judul_lib.usage.frames import local_day, read_usage
    from judul_lib.usage.infrastructure import exceeded_limits, measure_machine
    from judul_lib.usage.monitoring import (
        drift_by_day,
        drift_table,
        read_baselines,
        study_drift_table,
    )

    config = shared.read_config(models=outputs)
    if table_file is not None:
        shared.require_writable_output(table_file, config, logs)
    with _open_log_database(logs, config.logs, may_create=False) as engine:
        usage = read_usage(engine)  # All of it: the start of an alert does not depend on --days.
    now = utc_now()
    baselines = read_baselines(config.models, warn=print_stderr)
    past, _ = usage.prefer_real_rows().split_off_future(now)
    by_day = drift_by_day(past, baselines)
    # Another log may be of another machine.
    machine = measure_machine(config.logs, now) if logs is None else None
    limits = exceeded_limits(machine, config) if machine else ()
    alerts = find_alerts(usage, baselines, now, by_day, limits)
    drift = drift_table(past, baselines, local_day(now), by_day)
    study_drift = study_drift_table(past, baselines, local_day(now))
    recent = past.filter_rows(lambda frame: frame["time"] >= now - timedelta(days=days))
    if table_file is not None:
        _export(recent, table_file)
    if style == "json":
        click.echo(_to_json(recent, drift, study_drift, alerts, machine, days, config.threshold))
    else:
        sections = (
            _summary_lines(recent, drift, days, config.threshold),
            _study_drift_lines(study_drift),
            _correlation_lines(recent),
            _machine_lines(machine),
            _alert_lines(alerts),
        )
        click.echo("\n\n".join("\n".join(lines) for lines in sections if lines))
    return int(once and len(alerts) > 0)


def _export(usage: "Usage", file: Path) -> None:
    from judul_lib.core.storage import write_result
    from judul_lib.usage.export import prediction_rows

    rows = prediction_rows(usage)
    write_result(rows, file, mode=0o600)
    simulated = " (data simulasi)" if usage.is_simulated else ""
    print_stderr(f"{format_number(len(rows))} pemeriksaan{simulated} ditulis ke {file}.")


@contextmanager
def _open_log_database(
    logs: Path | None, default_logs: Path, *, may_create: bool = True
) -> "Iterator[sa.Engine]":
    """Yield the database of the log in *logs*, or of the installation's, after flushing the spool."""
    from judul_lib.usage.database import database_url, opened_database, sqlite_url
    from judul_lib.usage.installation import require_log
    from judul_lib.usage.log import UsageLog

    url = database_url(default_logs) if logs is None else sqlite_url(logs)
    if not may_create:
        require_log(logs or default_logs, url)
    with closing(UsageLog(logs or default_logs, url=url, warn=print_stderr)) as log:
        log.flush_spool()
    with opened_database(url, warn=print_stderr) as engine:
        yield engine


def _summary_lines(usage: "Usage", drift: "pd.DataFrame", days: int, threshold: float) -> list[str]:
    from judul_lib.core.settings import MODEL_TITLES
    from judul_lib.usage import monitoring

    simulated = " (data simulasi)" if usage.is_simulated else ""
    heading = f"Penggunaan {format_number(days)} hari terakhir{simulated}"
    n_checks = len(usage.predictions)
    if not n_checks and usage.events.empty:
        return [f"{heading}: belum ada catatan."]
    counts = monitoring.shares(usage)
    facts = {"pemeriksaan": format_number(n_checks), "unduhan": format_number(counts["downloads"])}
    if n_checks:
        hours = monitoring.queries_per_hour(usage)
        times = monitoring.response_times(usage)
        facts["per hari"] = format_number(float(monitoring.queries_per_day(usage).mean()), 1)
        facts["jam tersibuk"] = f"{hours.to_numpy().argmax():02d}.00 WIB"
        facts["waktu jawab"] = ", ".join(
            f"{name} {format_number(times[name], 2)} detik" for name in ("p50", "p95", "p99")
        )
        facts["dalam sasaran"] = (
            f"{format_percent(times['within_target'])} di bawah "
            f"{format_number(monitoring.TARGET_SECONDS, 0)} detik"
        )
        facts["tanpa hasil"] = format_percent(counts["empty_share"])
        lengths = monitoring.query_lengths(usage).loc["mean"]
        facts["panjang judul"] = (
            f"rata-rata {format_number(lengths['query_words'], 1)} kata, "
            f"{format_number(lengths['query_length'], 0)} karakter"
        )
        words = monitoring.common_words(usage)
        facts["kata tersering"] = (
            ", ".join(f"{word} ({format_number(n)})" for word, n in words.items()) or monitoring.NO_WORDS
        )
    if n_checks or counts["error_rate"] > 0:
        facts["galat"] = format_percent(counts["error_rate"])
    if len(kinds := monitoring.error_kinds(usage)):
        facts["jenis galat"] = ", ".join(f"{kind} ({format_number(n)})" for kind, n in kinds.items())
    for name, row in monitoring.availability(usage).iterrows():
        title = MODEL_TITLES.get(str(name), str(name))
        facts[title] = (
            f"{format_percent(row['share'])} berhasil dimuat, "
            f"{format_number(int(row['failed']))} kali gagal"
        )
    agreement = monitoring.model_agreement(usage, threshold)
    for left, right, n, same_match, same_side, difference in agreement.itertuples(index=False):
        facts[f"{MODEL_TITLES.get(left, left)} dan {MODEL_TITLES.get(right, right)}"] = (
            f"sependapat pada {format_percent(same_side)} dari {format_number(n)} judul, "
            f"judul terdekat sama pada {format_percent(same_match)}, "
            f"selisih rata-rata {format_number(difference)}"
        )
    for model, measured, mean_shift, psi, _, p_value, is_drift in drift.itertuples(index=False):
        facts[f"{monitoring.MEASURED[measured]}, {MODEL_TITLES.get(model, model)}"] = (
            f"{'bergeser' if is_drift else 'tetap'}: rata-rata {format_number(mean_shift)}, "
            f"PSI {format_number(psi)}, p {format_number(p_value)}"
        )
    width = max(map(len, facts))
    return [heading, *(f"  {name:<{width}}  {fact}" for name, fact in facts.items())]


def _study_drift_lines(drifts: "pd.DataFrame") -> list[str]:
    from judul_lib.figures.monitoring_tables import study_drift_rows
    from judul_lib.figures.tables import table
    from judul_lib.training.drift import MEAN_SHIFT_BOUND, MIN_VALUES
    from judul_lib.usage.monitoring import DRIFT_DAYS

    if drifts.empty:
        return []
    return [
        f"Peluang teratas {format_number(DRIFT_DAYS)} hari terakhir dan garis dasar (bergeser bila "
        f"rata-ratanya berubah lebih dari {format_number(MEAN_SHIFT_BOUND, 1)} pada sedikitnya "
        f"{format_number(MIN_VALUES)} judul):",
        table(study_drift_rows(drifts), index=False).text,
    ]


def _correlation_lines(usage: "Usage") -> list[str]:
    from judul_lib.figures.monitoring_tables import correlation_table
    from judul_lib.figures.tables import table

    if usage.predictions.empty:
        return []
    return [
        "Korelasi peringkat (Spearman) antara panjang judul, jumlah kata, dan peluang teratas:",
        table(correlation_table(usage), decimals=2).text,
    ]


def _machine_lines(machine: "MachineState | None") -> list[str]:
    from judul_lib.usage.frames import local_time

    if machine is None:
        return []
    facts = {
        "CPU": f"{format_number(machine.cpu_percent, 0)} % terpakai",
        "memori": f"{format_number(machine.memory_percent, 0)} % terpakai",
        "disk untuk log": f"{format_number(machine.free_disk_mb, 0)} MB tersisa",
        "folder log": f"{format_number(machine.log_mb, 1)} MB",
        "halaman": "tidak berjalan di sini",
    }
    if page := machine.page:
        facts["halaman"] = (
            f"berjalan (proses {page.pid}) sejak {local_time(page.started):%d-%m-%Y %H.%M} WIB; CPU "
            f"{format_number(page.cpu_percent, 0)} % satu inti, "
            f"memori {format_number(page.memory_mb, 0)} MB, {format_number(page.n_processes)} proses"
        )
    width = max(map(len, facts))
    return ["Mesin ini", *(f"  {name:<{width}}  {fact}" for name, fact in facts.items())]


def _alert_lines(alerts: "pd.DataFrame") -> list[str]:
    from judul_lib.figures.tables import table

    if alerts.empty:
        return ["Tidak ada peringatan."]
    shown = alerts[["tingkat", "apa", "sejak", "nilai", "batas", "tanggapan"]]
    kinds = alerts.drop_duplicates("jenis")
    actions = kinds[["tingkat", "jenis", "tindakan"]].itertuples(index=False)
    return [
        f"{format_number(len(alerts))} peringatan:",
        table(shown, index=False).text,
        "",
        "Yang perlu dilakukan:",
        *(f"  {level}  {action} (`judul govern playbook {kind}`)" for level, kind, action in actions),
    ]


def _to_json(
    usage: "Usage", drift: "pd.DataFrame", study_drift: "pd.DataFrame", alerts: "pd.DataFrame",
    machine: "MachineState | None", days: int, threshold: float,
) -> str:  # fmt: skip
    from judul_lib.usage import monitoring

    per_day = monitoring.queries_per_day(usage)
    summary: dict[str, Any] = {
        "days": days,
        "simulated": usage.is_simulated,
        "n_predictions": len(usage.predictions),
        **monitoring.shares(usage),
        "response_times": monitoring.response_times(usage),
        "queries_per_day": {f"{day:%Y-%m-%d}": int(n) for day, n in per_day.items()},
        "queries_per_hour": monitoring.queries_per_hour(usage).tolist(),
        "availability": monitoring.availability(usage).reset_index().to_dict("records"),
        "error_kinds": monitoring.error_kinds(usage).to_dict(),
        "agreement": monitoring.model_agreement(usage, threshold).to_dict("records"),
        "query_lengths": monitoring.query_lengths(usage).loc["mean"].to_dict(),
        "common_words": monitoring.common_words(usage).to_dict(),
        "correlations": monitoring.correlations(usage).to_dict(),
        "drift": drift.to_dict("records"),
        "study_drift": study_drift.to_dict("records"),
        "machine": None if machine is None else asdict(machine),
        "alerts": alerts.to_dict("records"),
    }
    return json.dumps(_nan_to_none(summary), ensure_ascii=False, indent=2, default=str)


def _nan_to_none(value: Any) -> Any:
    """Replace NaN, which is not valid JSON."""
    if isinstance(value, dict):
        return {key: _nan_to_none(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_nan_to_none(part) for part in value]
    return None if isinstance(value, float) and value != value else value


@command()
@option("--seed", type=click.IntRange(min=0), default=SEED, help=f"Benih acak [bawaan: {SEED}].")
@option("--days", type=click.IntRange(min=1), default=60, help="Jumlah hari [bawaan: 60].")
@option(
    "--per-day", type=click.FloatRange(min=0), default=40,
    help="Rata-rata pemeriksaan per hari [bawaan: 40].",
)  # fmt: skip
@option(
    "--drift-from", type=click.IntRange(min=0), metavar="HARI",
    help="Hari (dari 0) sejak peluang bergeser [bawaan: tidak pernah].",
)  # fmt: skip
@option("--into", type=Path, metavar="FOLDER", help="Folder log lain [bawaan: log pemasangan ini].")
@MODELS_OPTION
def simulate(
    seed: int, days: int, per_day: float, drift_from: int | None, into: Path | None, outputs: Path | None
) -> None:
    """Isi log dengan penggunaan buatan sampai kemarin.

    Barisnya ditandai sebagai simulasi.
    """
    from datetime import timedelta

    from judul_lib.core.clock import utc_now
    from judul_lib.usage.frames import local_day
    from judul_lib.usage.monitoring import read_baselines
    from judul_lib.usage.simulation import simulate_usage

    config = shared.read_config(models=outputs)
    baselines = read_baselines(config.models, warn=print_stderr)
    with _open_log_database(into, config.logs) as engine:
        count = simulate_usage(
            engine, seed=seed, days=days, n_per_day=per_day, drift_from=drift_from, baselines=baselines,
            end=(local_day(utc_now()) - timedelta(days=1)).date(),
            **({"models": tuple(baselines)} if baselines else {}),
        )  # fmt: skip
    log_option = f" --log {into}" if into else ""
    click.echo(
        f"{format_number(count)} pemeriksaan buatan selama {format_number(days)} hari "
        f"ditulis sebagai data simulasi. Lihat dengan `judul monitor{log_option}`."
    )
