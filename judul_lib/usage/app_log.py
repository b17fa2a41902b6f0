"""``app.log``: one line per answer and event, without titles or names, for ``tail -f``.

Several processes write to it: each opens it for one batch of lines under a lock, so that
whichever finds it full can rotate it, and no other still writes to the renamed file.
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judul_lib.core.storage import file_lock, write_bytes

if TYPE_CHECKING:
    from judul_lib.checking.matches import Matches

APP_LOG = "app.log"
MAX_BYTES, N_BACKUPS = 1_000_000, 5
"""Size at which the file becomes ``app.log.1``, and how many such files are kept."""
_LOCK_FILE, _TIME_FORMAT = ".app.lock", "%Y-%m-%dT%H:%M:%S%z"
_NAME = re.compile(rf"{re.escape(APP_LOG)}(?:\.\d+)?")
_LINE = "%(asctime)s %(levelname)s %(message)s"
_FAILURES = ("error", "model_failed", "refused")


class AppLog:
    r"""Writer of ``app.log`` in a folder; raises nothing, a line that cannot be written is lost.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     AppLog(Path(name)).event("model_loaded", model="light", seconds=0.5)
    ...     (Path(name) / APP_LOG).read_text().split(" ", 1)[1]
    'INFO model_loaded model=light detik=0.500\n'
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answers(self, answers: Iterable[tuple[str, Mapping[str, "Matches"], float]]) -> None:
        """Log answered queries: the source, the deciding match of each model, and the seconds."""
        self._write(
            (
                logging.INFO,
                f"jawaban sumber={source} model={model} {_verdict(matches)} detik={seconds:.3f}",
            )
            for source, by_model, seconds in answers
            for model, matches in by_model.items()
        )

    def event(
        self, kind: str, *, model: str | None = None, detail: str = "", seconds: float | None = None
    ) -> None:
        """Log an event; see `judul_lib.usage.log.UsageLog.log_event`."""
        facts = {
            "model": model, "rincian": detail, "detik": "" if seconds is None else f"{seconds:.3f}",
        }  # fmt: skip
        words = [kind, *(f"{name}={value}" for name, value in facts.items() if value)]
        # A line break in a detail would start a line of its own.
        level = logging.ERROR if kind in _FAILURES else logging.INFO
        self._write([(level, " ".join(" ".join(words).split()))])

    def _write(self, lines: Iterable[tuple[int, str]]) -> None:
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with file_lock(self._folder / _LOCK_FILE):
                handler = _PrivateHandler(
                    self._folder / APP_LOG, maxBytes=MAX_BYTES, backupCount=N_BACKUPS,
                    encoding="utf-8", delay=True,
                )  # fmt: skip
                handler.setFormatter(logging.Formatter(_LINE, _TIME_FORMAT))
                try:
                    for level, text in lines:
                        handler.emit(logging.LogRecord("judul", level, "", 0, text, None, None))
                finally:
                    handler.close()


class _PrivateHandler(RotatingFileHandler):
    """Its file can be read by its owner only; an error is raised, not printed."""

    def _open(self) -> Any:
        return open(
            self.baseFilename, "a", encoding="utf-8",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )  # fmt: skip

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        raise


def prune_app_log(folder: Path, limit: datetime, *, dry_run: bool = False) -> int:
    """Delete the lines from before a time, in all files; return how many there were.

    Parameters
    ----------
    limit : datetime
        In UTC.
    dry_run : bool
        Only count.

    Raises
    ------
    OSError
        No permission, disk full.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     AppLog(Path(name)).event("download", detail="csv")
    ...     [prune_app_log(Path(name), datetime(year, 1, 1)) for year in (2000, 2999)]
    [0, 1]
    """
    files = [path for path in sorted(folder.glob(f"{APP_LOG}*")) if _NAME.fullmatch(path.name)]
    if not files:
        return 0
    n_deleted = 0
    with file_lock(folder / _LOCK_FILE):
        for path in filter(Path.is_file, files):
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if _is_since(line, limit)]
            n_deleted += len(lines) - len(kept)
            if dry_run:
                continue
            if kept:
                write_bytes(path, b"".join(kept), mode=0o600)
            else:
                path.unlink()
    return n_deleted


def _is_since(line: bytes, limit: datetime) -> bool:
    """Return whether a line is from after a time; one that is torn counts as old."""
    try:
        time = datetime.fromisoformat(line.split(b" ", 1)[0].decode())
        return time >= limit.replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return False


def _verdict(matches: "Matches") -> str:
    decision = matches.decision
    if not len(decision):
        return "simpulan=tanpa-hasil"
    return f"peluang={decision.probability[0]:.3f} simpulan={decision.labels[0]}"
