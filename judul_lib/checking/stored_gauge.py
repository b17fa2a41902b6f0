"""What an archive's own gauge found, kept with the archive: the threshold that checks against it take.

It stands in ``<archive>.gauge.json`` beside a file, in ``gauge.json`` inside an index, and holds
figures and hashes but no title. It counts only as long as model and archive are those it was measured
with.
"""

import errno
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from judul_lib.checking.registry import read_metadata
from judul_lib.core.errors import GaugeError, describe_os_error
from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import sha256_of, write_bytes

GAUGE_FILE, _SUFFIX, _FORMAT = "gauge.json", ".gauge.json", 1
PRECISION = "presisi, MIRIP"
"""Name of the measure that the threshold is chosen by."""
_HASH = re.compile(r"[0-9a-f]{64}")
Interval = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class StoredGauge:
    """What was measured of an archive.

    Attributes
    ----------
    threshold : float
        Probability from which a title counts as similar in this archive.
    sure : float
        How probable it is that MIRIP is then right often enough, in [0, 1].
    n_labels : int
        Pairs that a person judged.
    measures, alarm : mapping of str to (float, float, float)
        At that threshold: precision and recall; share of titles that get each answer. Estimate and
        bounds, None where one is not defined.
    model, model_version : str
        Name of the model; see `model_version`.
    archive : str
        SHA-256 of the file, or of what an index holds.
    date : str
        Day of the measurement, ISO 8601.
    """

    threshold: float
    sure: float
    n_labels: int
    measures: Mapping[str, Interval]
    alarm: Mapping[str, Interval]
    model: str
    model_version: str
    archive: str
    date: str

    def describe(self) -> str:
        """Say in Indonesian that the threshold is used, and what it rests on."""
        right = self.measures.get(PRECISION, (None,))[0]
        told = "" if right is None else f"; MIRIP tepat kira-kira {format_percent(right, 0)}"
        day = format_number(date.fromisoformat(self.date))
        return (
            f"Ambang {format_number(self.threshold, 2)} dipakai, menurut hasil ukur arsip ini "
            f"({format_number(self.n_labels)} label, {day}{told})."
        )


def gauge_file(archive: str | Path) -> Path:
    """Return where the gauge of an archive is kept.

    Examples
    --------
    >>> gauge_file("data/dataset_TA.csv").as_posix()
    'data/dataset_TA.csv.gauge.json'
    """
    archive = Path(archive)
    return archive / GAUGE_FILE if archive.is_dir() else archive.with_name(archive.name + _SUFFIX)


def model_version(model: str | Path) -> str:
    """Return the hash of what a model answers with: its files and the package's that it needs.

    Examples
    --------
    >>> len(model_version("outputs/light"))
    64
    """
    metadata = read_metadata(model)
    facts = {key: metadata.get(key) for key in ("name", "files", "resources")}
    return sha256_of(json.dumps(facts, sort_keys=True).encode())


def write_gauge(gauge: StoredGauge, archive: str | Path, *, force: bool = False) -> Path:
    """Keep a gauge with its archive, whole or not at all; return where.

    Raises
    ------
    GaugeError
        There is one already, and nobody said that it may go.
    OSError
        Disk full, no permission; an earlier one is then as it was.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> kept = StoredGauge(0.6, 0.9, 50, {}, {}, "light", "0" * 64, "1" * 64, "2026-12-01")
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_gauge(kept, Path(folder, "arsip.csv"))
    ...     read_gauge(Path(folder, "arsip.csv")) == kept
    True
    """
    path = gauge_file(archive)
    require_no_gauge(archive, force=force)
    text = json.dumps({"format": _FORMAT, **asdict(gauge)}, indent=1, allow_nan=False)
    write_bytes(path, (text + "\n").encode())
    return path


def require_no_gauge(archive: str | Path, *, force: bool) -> None:
    """Refuse to measure for an archive that has a gauge.

    Raises
    ------
    GaugeError
        It has one, and nobody said that it may go.

    Examples
    --------
    >>> require_no_gauge("data/dataset_TA.csv", force=False)
    """
    path = gauge_file(archive)
    if path.exists() and not force:
        raise GaugeError(f"{path} sudah ada, jadi tidak ditimpa. Tambahkan --force untuk menggantinya.")


def read_gauge(archive: str | Path) -> StoredGauge | None:
    """Return the gauge kept with an archive; None where there is none.

    Raises
    ------
    GaugeError
        It is damaged, not to be read, or of another version of the package.

    Examples
    --------
    >>> read_gauge("data/dataset_TA.csv") is None
    True
    """
    path = gauge_file(archive)
    try:
        facts = json.loads(path.read_bytes())
        if not isinstance(facts, dict) or facts.pop("format", None) != _FORMAT:
            raise ValueError(path)
        return _checked(facts)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return None
        raise GaugeError(describe_os_error(error)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise GaugeError(
            f"Hasil ukur {path} rusak atau dari versi lain. Hapus berkas itu, atau ukur lagi dengan "
            f"`judul archive gauge {archive} --labels BERKAS.csv --force`."
        ) from error


def _checked(facts: dict[str, Any]) -> StoredGauge:
    """Make a gauge of what a file holds.

    Raises
    ------
    ValueError, TypeError
        A value is missing, of another kind, or out of range.
    """
    if set(facts) != {field.name for field in fields(StoredGauge)}:
        raise ValueError(list(facts))
    for name in ("threshold", "sure"):
        if isinstance(facts[name], bool) or not 0 <= facts[name] <= 1:
            raise ValueError(name)
    if not isinstance(facts["n_labels"], int) or facts["n_labels"] < 1:
        raise ValueError("n_labels")
    hashes = facts["model_version"], facts["archive"]
    if facts["model"] not in MODEL_TITLES or not all(map(_HASH.fullmatch, hashes)):
        raise ValueError(facts["model"])
    date.fromisoformat(facts["date"])
    for name in ("measures", "alarm"):
        facts[name] = {str(key): _interval(values) for key, values in dict(facts[name]).items()}
    return StoredGauge(**facts)


def _interval(values: Any) -> Interval:
    estimate, low, high = (None if value is None else float(value) for value in values)
    return estimate, low, high


def stored_threshold(
    archive: str | Path, model: str | Path, sha256: str, *, say: Callable[[str], object]
) -> float | None:
    """Return the threshold kept with an archive; None where there is none, or it does not count.

    Parameters
    ----------
    model : path
        Folder of the model that answers.
    sha256 : str
        As `StoredGauge.archive`, of the archive as it is.
    say : callable
        Told, in one Indonesian sentence, that the threshold is used, or why it is not.

    Examples
    --------
    >>> stored_threshold("data/dataset_TA.csv", "outputs/light", "0" * 64, say=print)
    """
    try:
        gauge = read_gauge(archive)
    except GaugeError as error:
        say(f"Catatan: {error} Sementara itu ambang bawaan dipakai.")
        return None
    if gauge is None:
        return None
    again = f"Ukur lagi dengan `judul archive gauge {archive} --labels BERKAS.csv --force"
    name = str(read_metadata(model)["name"])
    if gauge.model != name:
        why = f"dibuat untuk {MODEL_TITLES[gauge.model]}. {again} --model {name}`; label tetap berlaku."
    elif gauge.model_version != model_version(model):
        why = f"{MODEL_TITLES[name]} sudah berubah sejak itu. {again}`; label lama tetap berlaku."
    elif gauge.archive != sha256:
        why = f"isi arsip sudah berubah sejak itu. {again}`; label lama tetap berlaku."
    else:
        say(gauge.describe())
        return gauge.threshold
    say(f"Catatan: hasil ukur {gauge_file(archive)} tidak dipakai: {why}")
    return None
