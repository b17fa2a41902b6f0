"""The settings of an installation: ``judul.toml``, which environment variables override."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from judul_lib.core.errors import ConfigError, describe_os_error
from judul_lib.core.settings import DECISION_THRESHOLD, ELSEWHERE, ELSEWHERE_LABELS, MODEL_TITLES

CONFIG_FILE, CONFIG_VARIABLE = "judul.toml", "JUDUL_CONFIG"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Config:
    """How this installation checks titles and serves its page.

    Attributes
    ----------
    models : path
        Folder with the model folders.
    corpora : mapping of str to path
        Name that the page shows to a CSV or XLSX of titles, or to the folder
        of an index; the first is the one to start with. Without any, each
        model has its own corpus.
    threshold : float
        Probability from which a title counts as similar, in [0, 1].
    has_explicit_threshold : bool
        Whether somebody set it; else the one that is kept with an archive counts more in
        ``judul check`` (`judul_lib.checking.stored_gauge`).
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the same study in another place counts.
    top_k : int
        Number of results shown at first, 5 to 50.
    max_upload_mb, max_rows : int
        Largest file of titles that the page takes.
    host, port : str, int
        Where the page listens.
    log : bool
        Whether answers, opinions and faults are written down (`judul_lib.usage.log`).
    log_text : bool
        Whether titles are kept as text too, and not only as keyed hashes.
    mlflow : bool
        Whether versions of models are recorded in MLflow too (`judul_lib.governance.tracking`).
    ab_test : mapping of str to float
        Share of the users that each model answers alone; without any, all
        models answer everybody.
    ready_kernels : int
        Kernels started ahead, so that the page is there at once.
    max_pages : int
        Pages that may be open at the same time; each has a kernel of about 200 MB.
    token : str
        What a visitor has to know; required where the page is not on loopback.
        Read from ``JUDUL_TOKEN`` only: a secret does not belong in a file that is shared.
    source : path or None
        The file that was read.
    """

    models: Path = Path("outputs")
    corpora: Mapping[str, Path] = field(default_factory=dict)
    threshold: float = DECISION_THRESHOLD
    elsewhere: str = ELSEWHERE
    top_k: int = 10
    max_upload_mb: int = 50
    max_rows: int = 100_000
    host: str = "localhost"
    port: int = 8866
    log: bool = True
    log_text: bool = False
    mlflow: bool = False
    ab_test: Mapping[str, float] = field(default_factory=dict)
    ready_kernels: int = 2
    max_pages: int = 15
    token: str = field(default="", repr=False)
    has_explicit_threshold: bool = False
    source: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.host in LOOPBACK

    @property
    def logs(self) -> Path:
        """Folder of the log."""
        return self.models / "logs"

    @property
    def backups(self) -> Path:
        """Folder in which backups are looked for."""
        return self.models / "backups"


def find_config(start: Path | None = None) -> Path | None:
    """Return the file named by ``JUDUL_CONFIG``, or the nearest ``judul.toml`` upwards, or None.

    Examples
    --------
    >>> find_config(Path("docs")).name
    'judul.toml'
    """
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    here = (start or Path.cwd()).resolve()
    return next((f / CONFIG_FILE for f in (here, *here.parents) if (f / CONFIG_FILE).is_file()), None)


def load_config(
    path: Path | None = None, environment: Mapping[str, str] | None = None, **overrides: Any
) -> Config:
    """Read the configuration.

    Parameters
    ----------
    path : path
        As `find_config` finds it by default; without a file, the defaults
        count, with ``outputs`` of the current folder.
    environment : mapping
        ``os.environ`` by default. ``JUDUL_PORT`` overrides ``port``, and so on;
        ``JUDUL_CORPUS`` names one file or index.
    overrides
        Values that count more than both, where they are not None.

    Returns
    -------
    Config
        Relative paths are taken from the file's folder, or from the current one.

    Raises
    ------
    ConfigError
        No such file, no TOML, an unknown key, or a value out of range.

    Examples
    --------
    >>> load_config(environment={"JUDUL_PORT": "9000"}).port
    9000
    """
    environment = os.environ if environment is None else environment
    path = find_config() if path is None else path
    values = {} if path is None else _from_file(path)
    folder = Path.cwd() if path is None else path.resolve().parent
    for name in _READERS:
        if text := environment.get(f"JUDUL_{name.upper()}"):
            values[name] = _read(name, text, f"variabel JUDUL_{name.upper()}")
    if corpus := environment.get("JUDUL_CORPUS"):
        values["corpora"] = {Path(corpus).stem: Path(corpus)}
    values |= {
        name: _read(name, str(value), name) for name, value in overrides.items() if value is not None
    }
    config = Config(**values, has_explicit_threshold="threshold" in values)
    corpora = {name: folder / corpus for name, corpus in config.corpora.items()}
    return replace(config, models=folder / config.models, corpora=corpora, source=path)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad puts a mark in front.
    except FileNotFoundError as error:
        raise ConfigError(f"Berkas pengaturan {path} tidak ada. Periksa {CONFIG_VARIABLE}.") from error
    except OSError as error:
        raise ConfigError(describe_os_error(error)) from error
    # The parser lets numbers without end and nesting without end through as they are.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} bukan TOML yang benar ({error}). Perbaiki baris itu.") from error
    known = [f.name for f in fields(Config) if f.name not in {"token", "has_explicit_threshold", "source"}]
    if "token" in content:
        raise ConfigError(f"{path}: token tidak disimpan di berkas. Berikan lewat JUDUL_TOKEN.")
    if unknown := sorted(set(content) - set(known)):
        raise ConfigError(f"{path}: kunci '{unknown[0]}' tidak dikenal. Yang ada: {', '.join(known)}.")
    values: dict[str, Any] = {}
    for name, value in content.items():
        if name == "corpora":
            values[name] = _corpora(value, path)
        elif name == "ab_test":
            values[name] = _ab_test(value, path)
        elif isinstance(value, str | int | float) and isinstance(value, bool) == (name in _SWITCHES):
            values[name] = _read(name, str(value), f"{path}: {name}")
        else:
            raise ConfigError(f"{path}: nilai untuk {name} tidak dapat dipakai. {_READERS[name][1]}")
    return values


def _corpora(value: Any, path: Path) -> dict[str, Path]:
    files = value.values() if isinstance(value, dict) else [None]
    if not all(isinstance(v, str) and v and "\0" not in v for v in files):
        raise ConfigError(
            f"{path}: isi [corpora] harus berupa nama = berkas atau folder indeks, misalnya "
            '"Arsip" = "data/arsip.csv".'
        )
    return {name: Path(file) for name, file in value.items()}


def _ab_test(value: Any, path: Path) -> dict[str, float]:
    good = isinstance(value, dict) and set(value) <= set(MODEL_TITLES)
    shares = list(value.values()) if good else []
    numbers = all(isinstance(v, int | float) and 0 <= v <= _MAX_SHARE for v in shares)
    if not (shares and numbers and sum(shares) > 0):
        raise ConfigError(
            f"{path}: isi [ab_test] harus berupa model = bagian, misalnya light = 0.5 dan full = 0.5."
        )
    return {name: float(share) / sum(shares) for name, share in value.items()}


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _read(name: str, text: str, where: str) -> Any:
    reader, hint = _READERS[name]
    try:
        return reader(text.strip())
    except ValueError as error:
        raise ConfigError(f"{where}: nilai {text!r} tidak dapat dipakai. {hint}") from error


def _integer_between(least: int, most: int) -> tuple[Callable[[str], Any], str]:
    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read, f"Berikan bilangan bulat {least} sampai {most}."


def _one_of(*choices: str) -> tuple[Callable[[str], Any], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return read, f"Pilih: {', '.join(choices)}."


def _parse_share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _folder(text: str) -> Path:
    if "\0" in text:
        raise ValueError(text)
    return Path(text)


def _word(text: str) -> str:
    if not text or text.split() != [text]:
        raise ValueError(text)
    return text


_MAX_SHARE = 1_000_000
_SWITCHES = ("log", "log_text", "mlflow")
_READERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "models": (_folder, "Berikan nama folder."),
    "threshold": (_parse_share, "Berikan bilangan 0 sampai 1, dengan titik desimal."),
    "elsewhere": _one_of(*ELSEWHERE_LABELS),
    "top_k": _integer_between(5, 50),
    "max_upload_mb": _integer_between(1, 1_000),
    "max_rows": _integer_between(1, 10_000_000),
    "host": (_word, "Berikan nama atau alamat, misalnya localhost."),
    "port": _integer_between(1, 65_535),
    **dict.fromkeys(_SWITCHES, (_parse_bool, "Tulis true atau false.")),
    "ready_kernels": _integer_between(0, 32),
    "max_pages": _integer_between(1, 10_000),
    "token": (_word, "Berikan satu kata tanpa spasi."),
}
