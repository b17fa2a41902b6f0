"""The writers that `tests/test_faults.py` interrupts, and functions that read what they wrote.

Each writer runs in a process forked from one that has imported this module, so that
faults hit the writer and not its imports.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

# Imported for the forked processes.
import nbconvert  # noqa: F401
import nbformat
import papermill
import sklearn.ensemble  # noqa: F401

from judul_lib import TitleIndex
from judul_lib.checking.registry import load_model
from judul_lib.checking.versions import add_version, verify
from judul_lib.cli.main import main
from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError, describe_os_error
from judul_lib.governance import audit
from judul_lib.reports import pipeline, run_files
from judul_lib.search.dedup import find_duplicates  # noqa: F401
from judul_lib.search.index_files import INDEX_FILE
from judul_lib.search.pair_blocks import StudyPairFinder
from judul_lib.usage.database import (
    COMMAND_LOCK_WAIT,
    USAGE_TABLES,
    opened_database,
    predictions,
    read_table,
    scores,
    sqlite_url,
)
from judul_lib.usage.database import audit as audit_table
from judul_lib.usage.log import UsageLog
from judul_lib.usage.spool import DAMAGED_FILE, append_to_spool, has_spooled
from tests.conftest import PROJECT, gold_titles

LIGHT = PROJECT / "outputs" / "light"
OLD, NEW = "lama", "baru"
# Stages that write files, and one that replaces a folder.
STAGES = tuple(pipeline.STAGES[number] for number in (0, 1, 4))
N_ROWS = 40
CELLS = {
    "01_preprocessing": """
from pathlib import Path
for name in ("corpus.csv", "rejected.csv"):
    _ = (Path(OUT) / name).write_text(f"Judul\\n{name} {EXTRA}\\n")
_ = (Path(OUT) / "dataset.json").write_text('{"name": "judul.csv", "extra": "' + EXTRA + '"}')
""",
    "02_labeling": """
from pathlib import Path
_ = (Path(OUT) / "pairs_full.csv").write_text((Path(OUT) / "corpus.csv").read_text() + EXTRA)
""",
    "05_train_light": f"""
import json
from pathlib import Path
from judul_lib.checking.registry import METADATA_FILE, TITLES_FILE, save_model
light = Path({str(LIGHT)!r})
files = {{path.name: path.read_bytes() for path in light.iterdir()}}
metadata = json.loads(files.pop(METADATA_FILE))
files[TITLES_FILE] += f"Judul {{EXTRA}},judul {{EXTRA}}\\n".encode()
_ = save_model(Path(OUT) / "light", files, {{**metadata, "extra": EXTRA}})
""",
}


@dataclass(frozen=True)
class WriteScenario:
    """A writer to a folder and its readers; each callable takes the folder.

    Attributes
    ----------
    write : callable
        Writes, and exits the process like a command.
    read : callable
        Returns what a reader gets, by name; raises if it cannot be read.
    read_result : callable
        Returns the complete final state, in a form that can be compared.
    prepare : callable
        Creates the initial state.
    busy_message : str
        Message to a second process; empty if both may write.
    disk_full_pattern : str
        Pattern of the message on a full disk.
    has_external_state : bool
        Part of the state is outside the folder, so that copying the folder is not enough.
    """

    write: Callable[[Path], None]
    read: Callable[[Path], dict[str, Any]]
    read_result: Callable[[Path], Any]
    prepare: Callable[[Path], None]
    busy_message: str = ""
    disk_full_pattern: str = "Ruang disk habis"
    has_external_state: bool = False


def read_files(folder: Path, *, hidden: bool = False) -> dict[str, bytes]:
    """Return the contents of all files by relative path."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        name.as_posix(): (folder / name).read_bytes()
        for name in names
        if hidden or not any(part.startswith(".") for part in name.parts)
    }


def run_command(*arguments: object) -> None:
    main([*map(str, arguments)])


# The notebooks. ------------------------------------------------------------------------------------


def save_light(folder: Path, extra: str) -> None:
    """Save a model with `extra` in its titles and metadata."""
    exec(CELLS["05_train_light"], {"OUT": folder, "EXTRA": extra})


def prepare_run(folder: Path, *, n_skipped: int = 0) -> None:
    (folder / "notebooks").mkdir(parents=True)
    for stage in STAGES:
        notebook = nbformat.v4.new_notebook(
            metadata={
                "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}
            },
            cells=[
                nbformat.v4.new_markdown_cell(f"# {stage.notebook}"),
                nbformat.v4.new_code_cell('OUT = "."\nEXTRA = ""', metadata={"tags": ["parameters"]}),
                nbformat.v4.new_code_cell(CELLS[stage.notebook].strip()),
            ],
        )
        nbformat.write(notebook, folder / "notebooks" / f"{stage.notebook}.ipynb")
    (folder / "judul.csv").write_text("Judul\nDeteksi Hoaks\nPrediksi Beras\n")
    run_notebooks(folder, OLD, n_skipped=n_skipped)


def run_notebooks(
    folder: Path, extra: str = NEW, *, use_kernels: bool = False, n_skipped: int = 0
) -> None:
    """Run the notebooks, in this process unless kernels are asked for, which take longer."""

    def execute(source: Path, target: Path, *, parameters: dict[str, Any], **options: Any) -> None:
        values = {**parameters, "OUT": str(target.parent.parent)}
        exec(CELLS[source.stem], values)
        shutil.copy(source, target)

    pipeline.STAGES = STAGES[:: 1 + n_skipped]
    pipeline.render_report = lambda notebook: notebook.cells[0].source + extra  # Rendering is slow.
    if not use_kernels:
        papermill.execute_notebook = execute
    run_command(
        "run", "--data", folder / "judul.csv", "--notebooks", folder / "notebooks", "--out",
        folder / "outputs", "--reports", folder / "reports", "-p", "EXTRA", extra,
    )  # fmt: skip


def run_with_kernels(folder: Path) -> None:
    run_notebooks(folder, use_kernels=True, n_skipped=1)


def prepare_run_with_kernels(folder: Path) -> None:
    prepare_run(folder, n_skipped=1)


def read_run(folder: Path) -> dict[str, Any]:
    outputs = folder / "outputs"
    model = load_model(outputs / "light")  # Rejects a damaged model and restores one that was set aside.
    assert model.titles[-1] == f"Judul {model.metadata['extra']}"
    texts = {path.name: path.read_text() for path in outputs.glob("*.csv")}
    reports = {path.name: path.read_text() for path in (folder / "reports").glob("0*.html")}
    return {"light": model.metadata["extra"], **texts, **reports}


def read_run_result(folder: Path) -> Any:
    """Return leftovers and files, without the executed notebooks, which contain times."""
    leftovers = [path.name for path in (folder / "outputs").glob(".*")]
    files = {
        name: content
        for name, content in read_files(folder / "outputs").items()
        if not name.startswith((pipeline.EXECUTED_FOLDER, run_files.MANIFEST_FILE))
    }
    manifest = json.loads((folder / "outputs" / run_files.MANIFEST_FILE).read_bytes())
    return leftovers, files, sorted(manifest), sorted(read_files(folder / "reports"))


# A model. ------------------------------------------------------------------------------------------


def prepare_model(folder: Path) -> None:
    save_light(folder, OLD)
    add_version(folder, folder / "light")


def write_model(folder: Path) -> None:
    try:
        save_light(folder, NEW)
        add_version(folder, folder / "light")
    except OSError as error:
        sys.exit(describe_os_error(error))


def read_model(folder: Path) -> dict[str, Any]:
    model = load_model(folder / "light")
    assert model.titles[-1] == f"Judul {model.metadata['extra']}"
    versions = verify(folder)
    assert versions
    assert [version for version in versions if version.problem] == []
    return {"light": model.metadata["extra"]}


# An index. -----------------------------------------------------------------------------------------


def write_catalogue(folder: Path, n_titles: int) -> Path:
    path = folder / f"katalog-{n_titles}.csv"
    path.write_text("Judul\n" + "".join(f'"{title}"\n' for title in gold_titles()[:n_titles]))
    return path


def prepare_catalogue(folder: Path) -> None:
    folder.mkdir(parents=True)
    write_catalogue(folder, 60)


def prepare_index(folder: Path) -> None:
    prepare_catalogue(folder)
    TitleIndex.build(gold_titles()[:40], LIGHT).save(folder / "indeks")


def build_index(folder: Path) -> None:
    source, target = folder / "katalog-60.csv", folder / "indeks"
    run_command("index", "build", source, target, "--model", "light", "--models", LIGHT.parent)


def add_to_index(folder: Path) -> None:
    run_command("index", "add", folder / "indeks", folder / "katalog-60.csv")


def read_index(folder: Path) -> dict[str, Any]:
    if not (folder / "indeks" / INDEX_FILE).exists():
        return {"titles": None}
    return {"titles": list(TitleIndex.load(folder / "indeks").titles)}


def read_index_result(folder: Path) -> Any:
    return read_files(folder / "indeks", hidden=True)


# Near-duplicates. ----------------------------------------------------------------------------------


def prepare_dedup(folder: Path) -> None:
    folder.mkdir(parents=True)
    titles = [f"{title} bagian {k}" for k in range(3) for title in gold_titles()[:50]]
    (folder / "katalog.csv").write_text("Judul\n" + "".join(f'"{title}"\n' for title in titles))
    for name in ("pasangan.csv", "kelompok.csv"):
        (folder / name).write_text(OLD)


def write_dedup(folder: Path) -> None:
    StudyPairFinder.block_rows = 20
    run_command(
        "dedup", folder / "katalog.csv", "--model", "light", "--models", LIGHT.parent,
        "--output", folder / "pasangan.csv", "--groups", folder / "kelompok.csv",
    )  # fmt: skip


def read_dedup(folder: Path) -> dict[str, Any]:
    return {name: (folder / name).read_text() for name in ("pasangan.csv", "kelompok.csv")}


def read_dedup_result(folder: Path) -> Any:
    assert len((folder / "pasangan.csv").read_text().splitlines()) > 10
    return read_files(folder, hidden=True)


# The log. ------------------------------------------------------------------------------------------


def read_log_url(folder: Path) -> str:
    address = folder / "address.txt"
    return address.read_text() if address.exists() else sqlite_url(folder / "logs")


def make_rows(log: UsageLog, prediction_id: str) -> dict[str, list[dict[str, Any]]]:
    prediction = {
        "id": prediction_id, "time": utc_now(), "user": log.user, "source": "check",
        "query_hash": "0" * 16, "query_length": 9, "query_words": 2, "query_text": None,
        "difference": None, "seconds": 0.01, "n_results": 1, "simulated": False,
    }  # fmt: skip
    score = {
        "prediction_id": prediction_id, "model": "light", "version": None, "probability": 0.5,
        "match_hash": None, "match_text": None, "unknown_share": 0.0,
    }  # fmt: skip
    return {"predictions": [prediction], "scores": [score]}


def write_log(folder: Path, prefix: str, n_rows: int) -> None:
    """Log rows, some of them through the spool."""
    log = UsageLog(folder / "logs", url=read_log_url(folder), warn=partial(print, file=sys.stderr))
    for k in range(n_rows):
        rows = make_rows(log, f"{prefix}-{k}")
        if k % 4:
            log._write(rows)
        else:
            try:
                append_to_spool(folder / "logs", rows)
            except OSError as error:
                print(describe_os_error(error), file=sys.stderr)
    try:
        log.flush_spool()
    except LogError as error:
        sys.exit(str(error))
    finally:
        log.close()


def prepare_folder(folder: Path) -> None:
    folder.mkdir(parents=True)


def prepare_log(folder: Path, address: str = "") -> None:
    prepare_folder(folder)
    if address:
        (folder / "address.txt").write_text(address)
        with opened_database(address) as engine, engine.begin() as connection:
            for table in USAGE_TABLES.values():
                connection.execute(table.delete())
    write_log(folder, OLD, 5)


def extend_log(folder: Path) -> None:
    write_log(folder, NEW, N_ROWS)


def read_log(folder: Path) -> dict[str, Any]:
    path = folder / "logs" / "judul.db"
    if path.exists():
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    warnings: list[str] = []
    with opened_database(read_log_url(folder), warn=warnings.append) as engine:
        ids = {row["id"] for row in read_table(engine, predictions)}
        assert {row["prediction_id"] for row in read_table(engine, scores)} == ids
    assert warnings == []  # No corrupt database was set aside.
    assert not (folder / "logs" / DAMAGED_FILE).exists()
    return {"before": sorted(name for name in ids if name.startswith(OLD))}


def read_log_result(folder: Path) -> Any:
    with opened_database(read_log_url(folder)) as engine:
        ids = sorted(row["id"] for row in read_table(engine, predictions))
        score_ids = sorted(row["prediction_id"] for row in read_table(engine, scores))
    assert len(ids) >= N_ROWS
    return ids, score_ids, has_spooled(folder / "logs")


# The audit trail. ----------------------------------------------------------------------------------


def write_trail(folder: Path, n_rows: int) -> None:
    try:
        with opened_database(sqlite_url(folder / "logs"), lock_wait=COMMAND_LOCK_WAIT) as engine:
            for k in range(len(read_table(engine, audit_table)), n_rows):
                audit.append_row(
                    engine, folder / "logs", actor="a", action=audit.TRAIN, reason=f"uji {k}"
                )
    except LogError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(describe_os_error(error))


def prepare_trail(folder: Path) -> None:
    write_trail(folder, 3)


def extend_trail(folder: Path) -> None:
    write_trail(folder, 20)


def read_trail_reasons(folder: Path) -> list[str]:
    with opened_database(sqlite_url(folder / "logs")) as engine:
        assert audit.verify(engine, folder / "logs") == []
        return [row["reason"] for row in read_table(engine, audit_table)]


def read_trail(folder: Path) -> dict[str, Any]:
    return {"before": read_trail_reasons(folder)[:3]}


_INDEX_BUSY_MESSAGE = "sedang ditulis oleh proses lain"
_DATABASE_FULL = "[Rr]uang disk|No space"
WRITE_SCENARIOS = {
    "judul run": WriteScenario(
        run_notebooks, read_run, read_run_result, prepare_run, "`judul run` lain sedang menulis"
    ),
    "judul run, kernels": WriteScenario(
        run_with_kernels, read_run, read_run_result, prepare_run_with_kernels
    ),
    "saving a model": WriteScenario(write_model, read_model, read_files, prepare_model),
    "judul index build, first": WriteScenario(
        build_index, read_index, read_index_result, prepare_catalogue, _INDEX_BUSY_MESSAGE
    ),
    "judul index build": WriteScenario(
        build_index, read_index, read_index_result, prepare_index, _INDEX_BUSY_MESSAGE
    ),
    "judul index add": WriteScenario(
        add_to_index, read_index, read_index_result, prepare_index, _INDEX_BUSY_MESSAGE
    ),
    "judul dedup": WriteScenario(
        write_dedup, read_dedup, read_dedup_result, prepare_dedup, "Perintah lain sedang mengerjakan"
    ),
    "log, first": WriteScenario(
        extend_log, read_log, read_log_result, prepare_folder, disk_full_pattern=_DATABASE_FULL
    ),
    "log": WriteScenario(
        extend_log, read_log, read_log_result, prepare_log, disk_full_pattern=_DATABASE_FULL
    ),
    "audit trail": WriteScenario(
        extend_trail, read_trail, read_trail_reasons, prepare_trail, disk_full_pattern=_DATABASE_FULL
    ),
}


# The process. --------------------------------------------------------------------------------------


def run_writer(
    write: Callable[[Path], None],
    folder: Path,
    output: Path,
    has_started: Any,
    n_changes: Any,
    duration: Any,
    stop_before: int = 0,
    stop_signal: int = signal.SIGKILL,
) -> None:
    """Run a writer, time it and count its changes; send itself a signal before change `stop_before`."""
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(handle, stream)
    pid = os.getpid()

    def count_change(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or os.getpid() != pid or not _is_change(event, arguments, folder):
            return
        n_changes.value += 1
        if n_changes.value == stop_before:
            os.kill(pid, stop_signal)

    sys.addaudithook(count_change)
    has_started.value, start_time = 1, time.perf_counter()
    try:
        write(folder)
    finally:
        duration.value = time.perf_counter() - start_time


_EVENTS = set("open os.mkdir os.rename os.remove os.rmdir os.chmod os.link os.truncate".split())


def _is_change(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return False
    path = arguments[0]
    if isinstance(path, int):
        return event == "os.truncate"
    path = os.fsdecode(path)
    # rmtree names the files relative to their folder.
    return path.startswith(str(folder)) or (event in ("os.remove", "os.rmdir") and "/" not in path)


def server_log_scenario(address: str) -> WriteScenario:
    """Return the scenario of a log in the database at this URL."""
    prepare = partial(prepare_log, address=address)
    return WriteScenario(extend_log, read_log, read_log_result, prepare, has_external_state=True)
