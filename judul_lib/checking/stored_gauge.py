"""The gauge of an archive: the measured threshold for checks against it, stored with it.

The file is ``<archive>.gauge.json`` beside a table, or ``gauge.json`` inside an index. It contains
figures and hashes but no titles, and is valid only for the model and archive it was measured with.
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
"""Name of the measure by which the threshold is chosen."""
_HASH = re.compile(r"[0-9a-f]{64}")
Interval = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class StoredGauge:
    """The measurement of an archive.

    Attributes
    ----------
    threshold : float
        Probability from which a title counts as similar in this archive.
    sure : float
        Probability that MIRIP is then precise enough, in [0, 1].
    n_labels : int
        Number of labelled pairs.
    measures, alarm : mapping of str to (float, float, float)
        At that threshold: precision and recall; share of titles that get each answer. Estimate and
        bounds, None if undefined.
    model, model_version : str
        Name of the model; see `model_version`.
    archive : str
        SHA-256 of the file, or of the content of an index.
    date : str
        Date of the measurement, ISO 8601.
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
        """Say in Indonesian that the threshold is used, and what it is based on."""
        precision = self.measures.get(PRECISION, (None,))[0]
        quality = "" if precision is None else f"; MIRIP tepat kira-kira {format_percent(precision, 0)}"
        day = format_number(date.fromisoformat(self.date))
        return (
            f"Ambang {format_number(self.threshold, 2)} dipakai, menurut hasil ukur arsip ini "
            f"({format_number(self.n_labels)} label, {day}{quality})."
        )


def gauge_file(archive: str | Path) -> Path:
    """Return the path of an archive's gauge.

    Examples
    --------
    >>> gauge_file("data/dataset_TA.csv").as_posix()
    'data/dataset_TA.csv.gauge.json'
    """
    archive = Path(archive)
    return archive / GAUGE_FILE if archive.is_dir() else archive.with_name(archive.name + _SUFFIX)


def model_version(model: str | Path) -> str:
    """Return the SHA-256 that identifies a model's files and its resources in the package."""
    metadata = read_metadata(model)
    identity = {key: metadata.get(key) for key in ("name", "files", "resources")}
    return sha256_of(json.dumps(identity, sort_keys=True).encode())


def write_gauge(gauge: StoredGauge, archive: str | Path, *, force: bool = False) -> Path:
    """Store a gauge with its archive; return the path.

    Raises
    ------
    GaugeError
        There is one already and `force` is not set.
    OSError
        Disk full, no permission; an existing gauge is unchanged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> gauge = StoredGauge(0.6, 0.9, 50, {}, {}, "light", "0" * 64, "1" * 64, "2026-12-01")
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_gauge(gauge, Path(folder, "arsip.csv"))
    ...     read_gauge(Path(folder, "arsip.csv")) == gauge
    True
    """
    path = gauge_file(archive)
    require_no_gauge(archive, force=force)
    text = json.dumps({"format": _FORMAT, **asdict(gauge)}, indent=1, allow_nan=False)
    write_bytes(path, (text + "\n").encode())
    return path


def require_no_gauge(archive: str | Path, *, force: bool) -> None:
    """Refuse to overwrite the gauge of an archive.

    Raises
    ------
    GaugeError
        There is one and `force` is not set.
    """
    path = gauge_file(archive)
    if path.exists() and not force:
        raise GaugeError(f"{path} sudah ada, jadi tidak ditimpa. Tambahkan --force untuk menggantinya.")


def read_gauge(archive: str | Path) -> StoredGauge | None:
    """Return the gauge stored with an archive, or None.

    Raises
    ------
    GaugeError
        It is damaged, unreadable, or of another version of the package.
    """
    path = gauge_file(archive)
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
            raise ValueError(path)
        return _parse_gauge(content)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return None
        raise GaugeError(describe_os_error(error)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise GaugeError(
            f"Hasil ukur {path} rusak atau dari versi lain. Hapus berkas itu, atau ukur lagi dengan "
            f"`judul archive gauge {archive} --labels BERKAS.csv --force`."
        ) from error


def _parse_gauge(values: dict[str, Any]) -> StoredGauge:
    """Make a gauge; ValueError or TypeError if a value is missing, of another type or out of range."""
    if set(values) != {field.name for field in fields(StoredGauge)}:
        raise ValueError(list(values))
    for name in ("threshold", "sure"):
        if isinstance(values[name], bool) or not 0 <= values[name] <= 1:
            raise ValueError(name)
    if not isinstance(values["n_labels"], int) or values["n_labels"] < 1:
        raise ValueError("n_labels")
    hashes = values["model_version"], values["archive"]
    if values["model"] not in MODEL_TITLES or not all(map(_HASH.fullmatch, hashes)):
        raise ValueError(values["model"])
    date.fromisoformat(values["date"])
    for name in ("measures", "alarm"):
        intervals = dict(values[name]).items()
        values[name] = {str(key): _parse_interval(interval) for key, interval in intervals}
    return StoredGauge(**values)


def _parse_interval(values: Any) -> Interval:
    estimate, low, high = (None if value is None else float(value) for value in values)
    return estimate, low, high


def stored_threshold(
    archive: str | Path, model: str | Path, sha256: str, *, say: Callable[[str], object]
) -> float | None:
    """Return the threshold stored with an archive, or None if there is none or it is not valid.

    Parameters
    ----------
    model : path
        Folder of the model.
    sha256 : str
        Current value for `StoredGauge.archive`.
    say : callable
        Called with an Indonesian sentence that the threshold is used, or why it is not.
    """
    try:
        gauge = read_gauge(archive)
    except GaugeError as error:
        say(f"Catatan: {error} Sementara itu ambang bawaan dipakai.")
        return None
    if gauge is None:
        return None
    hint = f"Ukur lagi dengan `judul archive gauge {archive} --labels BERKAS.csv --force"
    name = str(read_metadata(model)["name"])
    if gauge.model != name:
        reason = (
            f"dibuat untuk {MODEL_TITLES[gauge.model]}. {hint} --model {name}`; label tetap berlaku."
        )
    elif gauge.model_version != model_version(model):
        reason = f"{MODEL_TITLES[name]} sudah berubah sejak itu. {hint}`; label lama tetap berlaku."
    elif gauge.archive != sha256:
        reason = f"isi arsip sudah berubah sejak itu. {hint}`; label lama tetap berlaku."
    else:
        say(gauge.describe())
        return gauge.threshold
    say(f"Catatan: hasil ukur {gauge_file(archive)} tidak dipakai: {reason}")
    return None
