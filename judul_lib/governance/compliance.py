"""The study's compliance checklist: each item is checked, and reported with its evidence."""

import ast
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from judul_lib.checking.loading import find_models
from judul_lib.checking.registry import METADATA_FILE, STRUCTURED, read_metadata, version_of
from judul_lib.core.clock import utc_now
from judul_lib.core.config import Config
from judul_lib.core.errors import JudulError, LogError, describe_os_error
from judul_lib.core.formatting import format_label, format_number
from judul_lib.core.settings import MODEL_TITLES, SEED
from judul_lib.core.storage import sha256_of
from judul_lib.governance import audit as trail
from judul_lib.governance import privacy
from judul_lib.governance.backup import newest_copy, verify_backup
from judul_lib.governance.bias import read_error_rates
from judul_lib.governance.promotions import missing_metadata, unaudited_switch
from judul_lib.governance.security import failed_barriers
from judul_lib.structured.model import STRUCTURED_FEATURES
from judul_lib.usage.database import (
    audit,
    decisions,
    feedback,
    predictions,
    read_table,
    scores,
    transaction,
)
from judul_lib.usage.spool import locked_spool

KEPT_DAYS, BACKUP_DAYS, FAIRNESS_DAYS = 90, 7, 31
"""Retention period (the study's), maximal age of the newest backup and of the error rates (ours)."""
_NAMES_RANDOMNESS = re.compile("random|default_rng", re.IGNORECASE)
_TEXT_COLUMNS = ("query_text", "match_text", "first_text", "second_text")


@dataclass(frozen=True)
class ChecklistItem:
    """One item of the checklist, with a sentence on what was found."""

    name: str
    passed: bool
    evidence: str


def run_checklist(
    config: Config, engine: sa.Engine, project: Path, backups: Path, *, backup_days: int = BACKUP_DAYS
) -> list[ChecklistItem]:
    """Run the checklist; an item that cannot be checked fails.

    Parameters
    ----------
    config : Config
    engine : Engine
        Of the log.
    project : path
        Folder that should be under version control.
    backups : path
        A backup, or a folder of them.
    backup_days : int
        Maximal age of the newest backup.
    """
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "Log tanpa teks asli": lambda: _no_text(config, engine),
        "Masa simpan dipatuhi": lambda: _retention(config, engine),
        "Metadata dan hash model cocok": lambda: _hashes(config.models),
        "Kode di bawah kendali versi dan bersih": lambda: _version_control(project),
        "Benih acak tetap": lambda: _seeds(config.models),
        "Bobot fitur tersedia": lambda: _importances(config.models),
        "Galat menurut kelompok dipantau": lambda: _fairness(config.models),
        "Masukan, model, dan kunci terlindung": lambda: _security(config),
        "Jejak audit utuh": lambda: _trail(config, engine),
        "Cadangan baru dan dapat dipulihkan": lambda: _backup(backups, backup_days),
        "Salinan cadangan di tempat lain": lambda: _copy(engine, backup_days),
    }
    return [_run_check(name, check) for name, check in checks.items()]


def _run_check(name: str, check: Callable[[], tuple[bool, str]]) -> ChecklistItem:
    try:
        return ChecklistItem(name, *check())
    except JudulError as error:
        return ChecklistItem(name, False, str(error))
    except OSError as error:
        return ChecklistItem(name, False, describe_os_error(error))


def _no_text(config: Config, engine: sa.Engine) -> tuple[bool, str]:
    with locked_spool(config.logs) as (units, _, _):
        rows = [row for unit in units for table_rows in unit.values() for row in table_rows]
    for table in (predictions, scores, feedback, decisions):
        rows += read_table(engine, table)
    n_with_text = sum(any(row.get(column) is not None for column in _TEXT_COLUMNS) for row in rows)
    counts = f"{format_number(n_with_text)} dari {format_number(len(rows))} baris"
    if config.log_text:
        return True, f"log_text = true: teks disimpan dengan sengaja; {counts} memuatnya."
    return not n_with_text, f"{counts} memuat teks."


def _retention(config: Config, engine: sa.Engine) -> tuple[bool, str]:
    counts = privacy.retention(engine, config.logs, days=KEPT_DAYS, actor="", dry_run=True)
    n_copies = counts.get(privacy.COPIES, 0)
    n_rows = sum(counts.values()) - n_copies
    copies = f" dan {format_number(n_copies)} salinan yang disisihkan" if n_copies else ""
    advice = " Jalankan `judul govern retention`." if n_rows or n_copies else ""
    return not advice, f"{format_number(n_rows)} baris{copies} lebih tua dari {KEPT_DAYS} hari.{advice}"


def _models(outputs: Path) -> list[Path]:
    """Return the folders of the models in use and of all versions, each once."""
    versions = (file.parent for file in sorted((outputs / "models").rglob(METADATA_FILE)))
    return list(dict.fromkeys([*find_models(outputs, warn=lambda sentence: None).values(), *versions]))


def _hashes(outputs: Path) -> tuple[bool, str]:
    good: list[str] = []
    bad: list[str] = []
    used = find_models(outputs, warn=bad.append).values()
    for folder in _models(outputs):
        name = folder.relative_to(outputs).as_posix()
        metadata = read_metadata(folder)
        # A model that `make run` put beside the versions is in use without a promotion.
        wrong = missing_metadata(metadata, is_promoted=folder in used and folder.parent != outputs)
        for file, digest in metadata["files"].items():
            path = folder / file
            if not path.is_file() or sha256_of(path.read_bytes()) != digest:
                wrong.append(file)
        if wrong:
            bad.append(f"{name}: {', '.join(wrong)}")
        else:
            good.append(f"{name} ({len(metadata['files'])} berkas)")
    return not bad, f"Tidak cocok: {'; '.join(bad)}." if bad else f"Cocok: {', '.join(good)}."


def _version_control(project: Path) -> tuple[bool, str]:
    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=False  # noqa: S607
        )  # fmt: skip
        if done.returncode:
            raise LogError(f"{project} tidak berada di bawah kendali versi (git).")
        return done.stdout.rstrip()

    commit = git("rev-parse", "--short=12", "HEAD")
    changed = [line[3:] for line in git("status", "--porcelain").splitlines()]
    if changed:
        more = f" dan {len(changed) - 3} lagi" if len(changed) > 3 else ""
        return False, f"Belum disimpan sejak {commit}: {', '.join(changed[:3])}{more}."
    return True, f"Versi {commit}, tanpa perubahan yang belum disimpan."


def _seeds(outputs: Path) -> tuple[bool, str]:
    # From the metadata: reading the seed of the forest itself would unpickle it.
    seeds = {
        folder.relative_to(outputs).as_posix(): read_metadata(folder).get("seed")
        for folder in _models(outputs)
    }
    package = Path(__file__).parents[1]
    unseeded = [
        f"{path.relative_to(package).as_posix()}:{line}"
        for path in sorted(package.rglob("*.py"))
        for line in unseeded_lines(path.read_text("utf-8"))
    ]
    of_models = ", ".join(f"{name} {'–' if seed is None else seed}" for name, seed in seeds.items())
    in_code = ", ".join(unseeded) or "tidak ada"
    return all(seed == SEED for seed in seeds.values()) and not unseeded, (
        f"Benih {SEED}; pada model: {of_models}; pengacakan tanpa benih di kode: {in_code}."
    )


def unseeded_lines(code: str) -> list[int]:
    """Return the numbers of the lines that use random numbers without a seed.

    Examples
    --------
    >>> unseeded_lines("default_rng(42)")
    []
    >>> unseeded_lines("np.random.default_rng().normal() + np.random.rand(3)")
    [1, 1]
    """
    if not _NAMES_RANDOMNESS.search(code):  # Parsing the whole package takes a second.
        return []
    lines = []
    nodes = list(ast.walk(ast.parse(code)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules = {"np.random", "numpy.random", *({"random"} & imported)}
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        owner, _, name = ast.unparse(node.func).rpartition(".")
        is_generator = name in ("default_rng", "RandomState", "Random")
        is_none = any(
            keyword.arg == "random_state" and ast.unparse(keyword.value) == "None"
            for keyword in node.keywords
        )
        is_unseeded = is_generator and not (node.args or node.keywords)
        if is_unseeded or is_none or (owner in modules and not is_generator):
            lines.append(node.lineno)
    return lines


def _importances(outputs: Path) -> tuple[bool, str]:
    sentences, passed = [], True
    for folder in _models(outputs):
        metadata = read_metadata(folder)
        n = n_weighted = 0
        with suppress(TypeError, AttributeError):  # Anybody can edit metadata.
            features = set(metadata.get("features") or [])
            n = len(features)
            if metadata["name"] == STRUCTURED:  # Its weights are the model.
                n_weighted = len(set(STRUCTURED_FEATURES) & features)
            else:
                weights = metadata.get("importances") or {}
                n_weighted = len(set(weights) & features) if abs(sum(weights.values()) - 1) < 1e-3 else 0
        passed = passed and n_weighted == n > 0
        sentences.append(f"{folder.relative_to(outputs).as_posix()} {n_weighted} dari {n} fitur")
    return passed, f"{', '.join(sentences)}."


def _fairness(outputs: Path) -> tuple[bool, str]:
    record = read_error_rates(outputs)
    if record is None:
        return False, "Belum pernah dihitung. Jalankan `judul govern fairness`."
    used = find_models(outputs, warn=lambda sentence: None)
    is_used = record.model in used and record.version == version_of(read_metadata(used[record.model]))
    days = _age_in_days(record.time)
    measured = (
        f"{format_number(record.n_groups)} kelompok, model {record.model} versi {record.version}, "
        f"{days:.0f} hari"
    )
    if not is_used:
        return False, f"{measured}; versi itu tidak berlaku lagi. Jalankan `judul govern fairness`."
    return record.n_groups > 0 and days <= FAIRNESS_DAYS, f"{measured} (batas {FAIRNESS_DAYS} hari)."


def _security(config: Config) -> tuple[bool, str]:
    used = find_models(config.models, warn=lambda sentence: None)
    if failed := failed_barriers(used, config.logs):
        return False, " ".join(failed)
    return True, (
        "Berkas yang salah dan model yang diubah ditolak, rumus dinonaktifkan, kunci hanya terbaca "
        f"pemiliknya; dicoba pada {format_number(len(used))} model."
    )


def _trail(config: Config, engine: sa.Engine) -> tuple[bool, str]:
    problems = trail.verify(engine, config.logs)
    with transaction(engine, reads_only=True) as connection:
        for name in MODEL_TITLES:
            if switch := unaudited_switch(connection, config.models, name):
                problems.append(
                    f"Pemberlakuan versi {switch['version']} dari model {name} belum ada di jejak "
                    "audit; pemberlakuan berikutnya memasukkannya."
                )
    if problems:
        return False, " ".join(problems)
    n = format_number(len(read_table(engine, audit)))
    unkeyed_rows = trail.describe_unkeyed_rows(engine)
    return True, f"{n} baris, semuanya tersambung. {unkeyed_rows}".rstrip()


def newest_backup(backups: Path) -> Path | None:
    """Return the newest backup in a folder, or the one whose path is given."""
    paths = backups.glob("*.zip") if backups.is_dir() else [backups] if backups.is_file() else []
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)


def _backup(backups: Path, days: int) -> tuple[bool, str]:
    newest = newest_backup(backups)
    if newest is None:
        return False, f"Tidak ada cadangan di {backups}. Buat dengan `judul govern backup`."
    manifest = verify_backup(newest)
    age = _age_in_days(datetime.fromisoformat(manifest.time))
    content = ", ".join(f"{format_number(n)} {format_label(name)}" for name, n in manifest.rows.items())
    return age <= days, f"{newest.name}, {age:.0f} hari, semua hash cocok ({content})."


def _copy(engine: sa.Engine, days: int) -> tuple[bool, str]:
    copy = newest_copy(engine)
    if copy is None:
        return False, "Belum ada. Buat dengan `judul govern backup CADANGAN.zip --to FOLDER`."
    age = _age_in_days(copy.time)
    if not copy.path.is_file():
        return False, f"{copy.path} tidak ada lagi, atau foldernya tidak terpasang."
    if not copy.is_intact():
        return False, f"{copy.path} berbeda dari hash yang tercatat. Buat cadangan baru."
    return age <= days, f"{copy.path}, {age:.0f} hari, hash cocok."


def _age_in_days(time: datetime) -> float:
    return max((utc_now() - time).total_seconds() / 86_400, 0)
