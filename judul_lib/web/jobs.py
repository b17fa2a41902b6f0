"""Jobs: checks of many titles that run beside the pages, known to all processes through a folder."""

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

import pandas as pd

from judul_lib.core.errors import BusyError, JobError
from judul_lib.core.storage import file_lock, write_bytes

State = Literal["menunggu", "berjalan", "memilih", "selesai", "dihentikan", "gagal"]
"""``memilih``: the visitor has to choose a sheet or a column first."""
LIFETIME = 3_600.0
"""Seconds after which a job is forgotten."""
MAX_JOBS, MAX_WAITING = 60, 20
"""Jobs kept, and jobs that wait or run, in the whole installation."""
MAX_WAITING_OF_ONE = 5
"""Jobs of one user that wait or run, so that nobody keeps all others waiting."""
UPLOAD_FILE = "berkas"
_FINAL = ("selesai", "dihentikan", "gagal")
_ID = re.compile(r"[0-9a-f]{32}")
_JOB, _STATE, _RESULT, _STOPPED = "job.json", "state.json", "result.json", "stopped"
_RUNNER_LOCK = ".runner.lock"
_PATIENCE = 10.0
GONE = "Pemeriksaan ini tidak ada, atau sudah lebih dari satu jam. Unggah daftarnya lagi."
DIED = (
    "Pemeriksaan terhenti sebelum selesai. Unggah daftarnya lagi; bila tetap gagal, beri tahu pengelola."
)
NO_RUNNER = (
    "Pemeriksa daftar sedang tidak berjalan. Coba lagi sebentar; bila tetap gagal, beri tahu pengelola."
)
TOO_MANY = "Terlalu banyak daftar yang sedang diperiksa. Tunggu beberapa menit, lalu coba lagi."
TOO_MANY_OF_ONE = "Beberapa daftar Anda masih diperiksa. Tunggu salah satunya selesai, atau hentikan."


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes
    ----------
    id : str
        32 hexadecimal digits, random.
    kind : {"file", "titles"}
        What it checks: an uploaded file, or given titles.
    user : str
        To whom it belongs.
    archive : str or None
        Name of the archive; None for the first.
    created : float
        Seconds since 1970.
    state : str
        See `State`.
    done, total : int
        Comparisons finished, and all of them; 0 of 0 before they are known.
    message : str
        For readers: what came out, or why it failed.
    facts : mapping
        Given at its creation: name of the file, chosen sheet and column.
    found : mapping
        What the work has found: choices, notes, counts.
    """

    id: str
    kind: str
    user: str = field(repr=False)
    archive: str | None
    created: float
    state: State = "menunggu"
    done: int = 0
    total: int = 0
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _FINAL

    @property
    def is_active(self) -> bool:
        """Whether it waits for its turn, or runs."""
        return self.state in ("menunggu", "berjalan")


class JobStore:
    """The jobs of an installation; any number of processes may use the same folder.

    Parameters
    ----------
    folder : path
        Private to the server; created if missing.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     job = JobStore(Path(folder)).create("titles", ["Deteksi Hoaks"], user="a")
    ...     JobStore(Path(folder)).get(job.id, "a").state
    'menunggu'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(
        self,
        kind: Literal["file", "titles"],
        titles: Sequence[str] = (),
        *,
        user: str,
        archive: str | None = None,
        upload: IO[bytes] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Job:
        """Add a job, which starts when its turn comes.

        Parameters
        ----------
        titles : sequence of str
            For the kind ``titles``.
        upload : binary file
            For the kind ``file``; it is copied.
        facts : mapping
            Anything that JSON holds.

        Raises
        ------
        BusyError
            Too many jobs wait already, of this user or in all.
        """
        self._make_room(user)
        job_id = secrets.token_hex(16)
        job = Job(job_id, kind, user, archive, time.time(), facts=dict(facts or {}))
        new = self.folder / f".{job_id}"
        new.mkdir(mode=0o700)
        if upload is not None:
            with (new / UPLOAD_FILE).open("xb") as file:
                shutil.copyfileobj(upload, file)
        _write(new / _JOB, _described(job) | {"titles": list(titles)})
        new.rename(self.folder / job_id)  # From now on it is a job.
        return job

    def get(self, job_id: str, user: str) -> Job:
        """Return a job of a user.

        Raises
        ------
        JobError
            There is none, it is too old, or it belongs to somebody else.
        """
        job = self.read(job_id)
        if job is None or not secrets.compare_digest(job.user.encode(), user.encode()):
            raise JobError(GONE)
        is_late = job.is_active and time.time() - job.created > _PATIENCE
        if is_late and not self.has_runner():
            return replace(job, state="gagal", message=NO_RUNNER)
        return job

    def read(self, job_id: str) -> Job | None:
        """Return a job, whoever owns it; None if there is none."""
        if not _ID.fullmatch(job_id):
            return None
        folder = self.path(job_id)
        try:
            described, state = _read(folder / _JOB), _read(folder / _STATE)
        except (OSError, ValueError):
            return None
        if not described or time.time() - described["created"] > LIFETIME:
            return None
        described.pop("titles", None)
        job = Job(id=job_id, **described, **state)
        is_stopped = (folder / _STOPPED).exists() and job.state not in ("selesai", "gagal")
        return replace(job, state="dihentikan") if is_stopped else job

    def stop(self, job_id: str, user: str) -> Job:
        """Stop a job of a user, at the latest within a second; one that has finished stays as it is.

        Raises
        ------
        JobError
            See `get`.
        """
        self.get(job_id, user)
        (self.path(job_id) / _STOPPED).touch()
        return self.get(job_id, user)

    def choose(self, job_id: str, user: str, **chosen: str) -> Job:
        """Add to the facts of a job what its owner has chosen, and let it start again.

        Raises
        ------
        JobError
            See `get`.
        """
        job = self.get(job_id, user)
        if job.state == "memilih":
            job = replace(job, facts={**job.facts, **chosen})
            _write(self.path(job_id) / _JOB, _described(job))
            self.report(job_id, state="menunggu")
        return self.get(job_id, user)

    def result_rows(self, job_id: str) -> pd.DataFrame:
        """Return the result of a finished job; its index is the row number in the file, or from 1.

        Raises
        ------
        JobError
            There is no result.
        """
        try:
            stored = json.loads((self.path(job_id) / _RESULT).read_bytes())
        except (OSError, ValueError) as error:
            raise JobError(GONE) from error
        return pd.DataFrame(
            stored["rows"], index=stored["index"], columns=stored["columns"], dtype=object
        )

    def titles(self, job_id: str) -> list[str]:
        """Return the titles given at the creation."""
        titles: list[str] = _read(self.path(job_id) / _JOB).get("titles", [])
        return titles

    def report(self, job_id: str, *, state: State, **values: Any) -> None:
        """Write how far a job is: ``done``, ``total``, ``message``, ``found``."""
        with suppress(FileNotFoundError):  # It was forgotten in the meantime.
            _write(self.path(job_id) / _STATE, {"state": state, **values})

    def finish(self, job_id: str, rows: pd.DataFrame, **values: Any) -> None:
        """Write the result of a job; see `result_rows` and `report`."""
        cells = rows.astype(object).where(rows.notna(), None)
        stored = {
            "columns": [str(name) for name in cells.columns],
            "index": [int(number) for number in cells.index],
            "rows": cells.to_numpy().tolist(),
        }
        _write(self.path(job_id) / _RESULT, stored)
        self.report(job_id, state="selesai", **values)

    def all(self) -> list[Job]:
        """Return all jobs, the oldest first."""
        jobs = (self.read(path.name) for path in self.folder.iterdir())
        return sorted((job for job in jobs if job is not None), key=lambda job: job.created)

    def remove_old(self) -> None:
        """Delete what is older than `LIFETIME`."""
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                is_old = time.time() - path.stat().st_mtime > LIFETIME
                if path.is_dir() and (is_old if path.name[0] == "." else self.read(path.name) is None):
                    shutil.rmtree(path, ignore_errors=True)

    def has_runner(self) -> bool:
        """Whether a process is there that runs the jobs."""
        try:
            with file_lock(self.folder / _RUNNER_LOCK, wait=False):
                return False
        except TimeoutError:
            return True

    def runner_lock(self) -> Any:
        """Return the lock that the process holds which runs the jobs."""
        return file_lock(self.folder / _RUNNER_LOCK, wait=False)

    def is_stopped(self, job_id: str) -> bool:
        """Whether a job was stopped, or forgotten."""
        folder = self.path(job_id)
        return (folder / _STOPPED).exists() or not folder.exists()

    def path(self, job_id: str) -> Path:
        """Return the folder of a job."""
        return self.folder / job_id

    def _make_room(self, user: str) -> None:
        """Forget the oldest finished jobs if there are too many."""
        jobs = self.all()
        users = [job.user for job in jobs if job.is_active]
        if len(users) >= MAX_WAITING:
            raise BusyError(TOO_MANY)
        if users.count(user) >= MAX_WAITING_OF_ONE:
            raise BusyError(TOO_MANY_OF_ONE)
        idle = [job for job in jobs if not job.is_active]
        for job in idle[: max(0, len(jobs) - MAX_JOBS + 1)]:
            shutil.rmtree(self.path(job.id), ignore_errors=True)


Work = Callable[[JobStore, Job], None]
"""Does a job: reports, and finishes it; see `JobStore.report` and `JobStore.finish`."""


def _described(job: Job) -> dict[str, Any]:
    names = ("kind", "user", "archive", "created", "facts")
    return {name: getattr(job, name) for name in names}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(path.parent)
    write_bytes(path, json.dumps(values, ensure_ascii=False).encode(), mode=0o600)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a file, empty if it is not written yet."""
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return values
