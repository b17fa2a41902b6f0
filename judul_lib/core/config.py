"""The settings of an installation: ``judul.toml``, overridden by environment variables."""

import ipaddress
import os
import re
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
        Name shown on the page to a CSV or XLSX of titles, or to the folder of an
        index; the page starts with the first. If empty, each model uses its own corpus.
    threshold : float
        Probability from which a title counts as similar, in [0, 1].
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the same study in another place counts.
    top_k : int
        Number of results shown at first, 5 to 50.
    max_upload_mb, max_rows : int
        Largest file of titles that the page accepts.
    host, port : str, int
        Address of the page.
    log : bool
        Whether answers, feedback and errors are logged (`judul_lib.usage.log`).
    log_text : bool
        Whether the log keeps titles as text, and not only as keyed hashes.
    app_log : bool
        Whether, with `log`, a line is written to ``app.log`` too (`judul_lib.usage.app_log`).
    contact : str
        Mail or web address that harvested repositories are told (`judul archive harvest`).
    mlflow : bool
        Whether model versions are recorded in MLflow too (`judul_lib.governance.tracking`).
    ab_test : mapping of str to float
        Share of the users that each model answers alone; if empty, all models answer all users.
    workers : int
        Processes that answer; as many as processors by default, at most 4.
    min_free_disk_mb, max_log_mb : int
        Space on the disk of the log, and size of its folder, beyond which there is an alert.
    max_memory_percent : int
        Used memory of the machine above which there is an alert.
    sso_header : str
        Header in which a trusted proxy names the user who is logged in at the campus; empty: none.
    trusted_proxies : tuple of str
        Addresses of the proxies whose headers are believed.
    managers : tuple of str
        Names from `sso_header` of those who may manage archives and decide.
    token : str
        Secret that a visitor needs; required unless the page is on loopback. Read from
        ``JUDUL_TOKEN`` only, because the file may be shared.
    has_explicit_threshold : bool
        Whether the threshold was set; otherwise ``judul check`` prefers the one stored
        with an archive (`judul_lib.checking.stored_gauge`).
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
    app_log: bool = True
    contact: str = ""
    mlflow: bool = False
    ab_test: Mapping[str, float] = field(default_factory=dict)
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    min_free_disk_mb: int = 1_000
    max_memory_percent: int = 90
    max_log_mb: int = 1_000
    sso_header: str = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    managers: tuple[str, ...] = ()
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
        """Folder of the backups."""
        return self.models / "backups"


def find_config(start: Path | None = None) -> Path | None:
    """Return the file named by ``JUDUL_CONFIG``, or the nearest ``judul.toml`` upwards, or None.

    Examples
    --------
    >>> find_config(Path("docs")).name
    'judul.toml'
    """
    if path := os.environ.get(CONFIG_VARIABLE):
        return Path(path)
    folder = (start or Path.cwd()).resolve()
    candidates = (parent / CONFIG_FILE for parent in (folder, *folder.parents))
    return next(filter(Path.is_file, candidates), None)


def load_config(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    warn: Callable[[str], None] = lambda sentence: None,
    **overrides: Any,
) -> Config:
    """Read the configuration.

    Parameters
    ----------
    path : path
        That of `find_config` by default; without any file, the defaults apply.
    environment : mapping
        ``os.environ`` by default. ``JUDUL_PORT`` overrides ``port``, and so on;
        ``JUDUL_CORPUS`` names one file or index.
    warn : callable
        Called with a sentence for each key that is no longer used.
    **overrides
        Values that override both, unless None.

    Returns
    -------
    Config
        Relative paths start from the file's folder, or else from the current one.

    Raises
    ------
    ConfigError
        No such file, not TOML, an unknown key, or a value out of range.

    Examples
    --------
    >>> load_config(environment={"JUDUL_PORT": "9000"}).port
    9000
    """
    environment = os.environ if environment is None else environment
    path = find_config() if path is None else path
    values = {} if path is None else _read_file(path, warn)
    folder = Path.cwd() if path is None else path.resolve().parent
    for name in _PARSERS:
        if text := environment.get(f"JUDUL_{name.upper()}"):
            values[name] = _parse(name, text, f"variabel JUDUL_{name.upper()}")
    if corpus := environment.get("JUDUL_CORPUS"):
        values["corpora"] = {Path(corpus).stem: Path(corpus)}
    for name, value in overrides.items():
        if value is not None:
            values[name] = _parse(name, str(value), name)
    config = Config(**values, has_explicit_threshold="threshold" in values)
    corpora = {name: folder / corpus for name, corpus in config.corpora.items()}
    return replace(config, models=folder / config.models, corpora=corpora, source=path)


def _read_file(path: Path, warn: Callable[[str], None]) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad writes a BOM.
    except FileNotFoundError as error:
        raise ConfigError(f"Berkas pengaturan {path} tidak ada. Periksa {CONFIG_VARIABLE}.") from error
    except OSError as error:
        raise ConfigError(describe_os_error(error)) from error
    # ValueError also from a number too long for Python, RecursionError from deep nesting.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} bukan TOML yang benar ({error}). Perbaiki baris itu.") from error
    keys = [
        f.name for f in fields(Config) if f.name not in {"token", "has_explicit_threshold", "source"}
    ]
    if "token" in content:
        raise ConfigError(f"{path}: token tidak disimpan di berkas. Berikan lewat JUDUL_TOKEN.")
    for name in _UNUSED_KEYS & content.keys():
        del content[name]
        warn(f"{path}: kunci '{name}' tidak dipakai lagi; hapus baris itu.")
    if unknown := sorted(set(content) - set(keys)):
        raise ConfigError(f"{path}: kunci '{unknown[0]}' tidak dikenal. Yang ada: {', '.join(keys)}.")
    values: dict[str, Any] = {}
    for name, value in content.items():
        if name == "corpora":
            values[name] = _parse_corpora(value, path)
        elif name == "ab_test":
            values[name] = _parse_ab_test(value, path)
        elif isinstance(value, str | int | float) and isinstance(value, bool) == (name in _SWITCHES):
            values[name] = _parse(name, str(value), f"{path}: {name}")
        else:
            raise ConfigError(f"{path}: nilai untuk {name} tidak dapat dipakai. {_PARSERS[name][1]}")
    return values


def _parse_corpora(value: Any, path: Path) -> dict[str, Path]:
    files = value.values() if isinstance(value, dict) else [None]
    if not all(isinstance(v, str) and v and "\0" not in v for v in files):
        raise ConfigError(
            f"{path}: isi [corpora] harus berupa nama = berkas atau folder indeks, misalnya "
            '"Arsip" = "data/arsip.csv".'
        )
    return {name: Path(file) for name, file in value.items()}


def _parse_ab_test(value: Any, path: Path) -> dict[str, float]:
    names_models = isinstance(value, dict) and set(value) <= set(MODEL_TITLES)
    shares = list(value.values()) if names_models else []
    are_valid = all(isinstance(v, int | float) and 0 <= v <= _MAX_SHARE for v in shares)
    if not (shares and are_valid and sum(shares) > 0):
        raise ConfigError(
            f"{path}: isi [ab_test] harus berupa model = bagian, misalnya light = 0.5 dan full = 0.5."
        )
    return {name: float(share) / sum(shares) for name, share in value.items()}


def _parse(name: str, text: str, where: str) -> Any:
    parser, hint = _PARSERS[name]
    try:
        return parser(text.strip())
    except ValueError as error:
        raise ConfigError(f"{where}: nilai {text!r} tidak dapat dipakai. {hint}") from error


def _parser(
    convert: Callable[[str], Any], is_valid: Callable[[Any], bool], hint: str
) -> tuple[Callable[[str], Any], str]:
    def parse(text: str) -> Any:
        value = convert(text)
        if not is_valid(value):
            raise ValueError(text)
        return value

    return parse, hint


def _integer_between(minimum: int, maximum: int) -> tuple[Callable[[str], Any], str]:
    hint = f"Berikan bilangan bulat {minimum} sampai {maximum}."
    return _parser(int, lambda value: minimum <= value <= maximum, hint)


def _is_one_word(text: str) -> bool:
    return text.split() == [text]


def _split_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _are_addresses(texts: tuple[str, ...]) -> bool:
    """Whether all are IP addresses; raises ValueError where one is not."""
    return all(ipaddress.ip_address(text) for text in texts)


_MAX_SHARE = 1_000_000
_UNUSED_KEYS = {"ready_kernels", "max_pages"}
"""Keys of earlier versions."""
_BOOLEANS = {"true": True, "false": False}
_SWITCHES = ("log", "log_text", "app_log", "mlflow")
_SWITCH_PARSER = _parser(
    lambda text: _BOOLEANS.get(text.lower()), lambda value: value is not None, "Tulis true atau false."
)
_PARSERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "models": _parser(Path, lambda path: "\0" not in str(path), "Berikan nama folder."),
    "threshold": _parser(
        float, lambda value: 0 <= value <= 1, "Berikan bilangan 0 sampai 1, dengan titik desimal."
    ),
    "elsewhere": _parser(str, ELSEWHERE_LABELS.__contains__, f"Pilih: {', '.join(ELSEWHERE_LABELS)}."),
    "top_k": _integer_between(5, 50),
    "max_upload_mb": _integer_between(1, 1_000),
    "max_rows": _integer_between(1, 10_000_000),
    "contact": _parser(
        str, lambda text: not text or _is_one_word(text), "Berikan surel atau alamat web."
    ),
    "host": _parser(str, _is_one_word, "Berikan nama atau alamat, misalnya localhost."),
    "port": _integer_between(1, 65_535),
    **dict.fromkeys(_SWITCHES, _SWITCH_PARSER),
    "workers": _integer_between(1, 32),
    "min_free_disk_mb": _integer_between(0, 100_000_000),
    "max_memory_percent": _integer_between(1, 100),
    "max_log_mb": _integer_between(1, 100_000_000),
    "sso_header": _parser(
        str,
        lambda text: not text or re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", text) is not None,
        "Berikan nama kepala HTTP, misalnya X-Remote-User.",
    ),
    "trusted_proxies": _parser(_split_words, _are_addresses, "Berikan alamat IP, dipisahkan spasi."),
    "managers": _parser(_split_words, lambda names: True, "Berikan nama, dipisahkan spasi."),
    "token": _parser(str, _is_one_word, "Berikan satu kata tanpa spasi."),
}
