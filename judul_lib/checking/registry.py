"""Model folders: written atomically, and read only if their hashes match.

A folder holds ``tfidf.joblib``, ``scaler.joblib``, ``best_rf.joblib`` (the
fitted scikit-learn objects), ``arrays.npz`` (the same, see `judul_lib.study.arrays`),
``titles_preprocessed.csv`` and ``metadata.json``.
"""

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judul_lib.core.errors import ModelError
from judul_lib.core.settings import MODEL_TITLES, PROFILES
from judul_lib.core.storage import recover_folder, replace_folder, sha256_of, write_bytes
from judul_lib.structured.model import STRUCTURED_FEATURES, StructuredModel, require_resources
from judul_lib.study import arrays
from judul_lib.study.features import FEATURES

ESTIMATOR_FILES = ("tfidf.joblib", "scaler.joblib", "best_rf.joblib")
ARRAYS_FILE, TITLES_FILE, METADATA_FILE = "arrays.npz", "titles_preprocessed.csv", "metadata.json"
GOVERNANCE_KEY = "governance"
"""Key of the metadata on who approved a version, why, since when, and when to review it."""
STRUCTURED, STRUCTURED_FILE = "structured", "structured.npz"
FILES = (*ESTIMATOR_FILES, ARRAYS_FILE, TITLES_FILE)
# Metadata that may differ between two trainings of the same model.
_INCIDENTAL_KEYS = ("created", "packages")
_FILE_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,99}")


@dataclass(frozen=True)
class Model:
    """A model ready to check titles.

    Attributes
    ----------
    name : str
        ``"full"`` or ``"light"``.
    tfidf, scaler, forest
        Objects with ``transform``, ``transform`` and ``predict_proba``.
    titles, processed : list of str, shape (n,)
        The corpus that the model was trained on.
    metadata : mapping
        Content of ``metadata.json``.
    """

    name: str
    tfidf: Any
    scaler: Any
    forest: Any
    titles: list[str]
    processed: list[str]
    metadata: Mapping[str, Any]


def save_model(folder: Path, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> bool:
    """Write a model folder; return whether it was written.

    Parameters
    ----------
    folder : path
        Replaced as a whole; unchanged if only its date and package versions would change.
    files : mapping of str to bytes
        Content of each file; `FILES` for a model of the study.
    metadata : mapping
        Without sizes and hashes, which are added here.

    Raises
    ------
    OSError
        Disk full, no permission; an existing model is unchanged.
    """
    recover_folder(folder)
    complete = {
        **metadata,
        "size": sum(map(len, files.values())),
        "sizes": {name: len(content) for name, content in files.items()},
        "files": {name: sha256_of(content) for name, content in files.items()},
    }
    has_same_metadata = _comparable(_metadata_or_none(folder) or {}) == _comparable(complete)
    if has_same_metadata and _has_files(folder, complete["files"]):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as staging:
        new = Path(staging) / folder.name
        for name, content in files.items():
            write_bytes(new / name, content)
        text = json.dumps(complete, indent=2, ensure_ascii=False) + "\n"
        write_bytes(new / METADATA_FILE, text.encode("utf-8"))
        replace_folder(new, folder)
    return True


def load_model(folder: str | Path) -> Model:
    """Load a model of the study for checking titles, without scikit-learn or unpickling.

    Raises
    ------
    ModelError
        The folder is missing or incomplete, its hashes do not match, or the model
        needs other features than `FEATURES`.

    Examples
    --------
    >>> load_model("outputs/light").name
    'light'
    """
    folder = Path(folder)
    metadata, files = verified_files(folder, (ARRAYS_FILE, TITLES_FILE))
    _require_features(folder, metadata, FEATURES)
    tfidf, scaler, forest = arrays.from_bytes(files[ARRAYS_FILE])
    titles, processed = (_column(files, name) for name in ("Judul", "judul_proc"))
    return Model(metadata["name"], tfidf, scaler, forest, titles, processed, metadata)


def load_estimators(folder: str | Path) -> tuple[Any, Any, Any]:
    """Load the fitted scikit-learn objects of a model: vectorizer, scaler, forest.

    Hashes are compared before unpickling, which runs code. They protect from damage
    and mix-ups, but not from someone who can also write ``metadata.json``.

    Raises
    ------
    ModelError
        The folder is missing or incomplete, or its hashes do not match.

    Examples
    --------
    >>> tfidf, scaler, forest = load_estimators("outputs/light")
    >>> forest.n_features_in_
    3
    """
    import joblib

    _, files = verified_files(folder, ESTIMATOR_FILES)
    tfidf, scaler, forest = (joblib.load(io.BytesIO(files[name])) for name in ESTIMATOR_FILES)
    return tfidf, scaler, forest


def load_structured(folder: str | Path) -> tuple[StructuredModel, list[str]]:
    """Load the structured model and its corpus, without scikit-learn or unpickling.

    Raises
    ------
    ModelError
        The folder is missing or incomplete, its hashes do not match, or the model needs other
        features than `STRUCTURED_FEATURES` or other resources than those of the package.
    """
    metadata, files = verified_files(folder, (STRUCTURED_FILE, TITLES_FILE))
    _require_features(folder, metadata, STRUCTURED_FEATURES)
    require_resources(folder, metadata)
    return StructuredModel.from_bytes(files[STRUCTURED_FILE]), _column(files, "Judul")


def load_titles(folder: str | Path) -> list[str]:
    """Load the corpus of a model of any kind, without the model.

    Raises
    ------
    ModelError
        The folder is missing or incomplete, or its hashes do not match.

    Examples
    --------
    >>> len(load_titles("outputs/light"))
    123
    """
    _, files = verified_files(folder, (TITLES_FILE,))
    return _column(files, "Judul")


def _require_features(folder: str | Path, metadata: Mapping[str, Any], names: Iterable[str]) -> None:
    if metadata.get("features", list(names)) != list(names):
        raise ModelError(
            f"Model di {folder} dilatih dengan fitur lain daripada yang dikenal versi program ini. "
            "Latih lagi dengan `make run`."
        )


def _column(files: Mapping[str, bytes], name: str) -> list[str]:
    rows = csv.DictReader(io.StringIO(files[TITLES_FILE].decode("utf-8"), newline=""))
    return [row[name] for row in rows]


def load_models(outputs: str | Path) -> tuple[dict[str, Model], list[str]]:
    """Load the available models of the study.

    Parameters
    ----------
    outputs : path
        Folder that contains ``full/`` and ``light/``.

    Returns
    -------
    models : dict of str to Model
        The full one first.
    notes : list of str
        One Indonesian sentence for each missing model.

    Raises
    ------
    ModelError
        There is no model, or one is damaged.

    Examples
    --------
    >>> models, notes = load_models("outputs")
    >>> "light" in models
    True
    """
    models: dict[str, Model] = {}
    notes: list[str] = []
    for profile in PROFILES.values():
        folder = Path(outputs) / profile.name
        recover_folder(folder)
        if folder.is_dir():
            models[profile.name] = load_model(folder)
        else:
            notes.append(f"{profile.title} belum ada di {folder}; buat dengan `make run`.")
    if not models:
        raise ModelError(f"Belum ada model di {outputs}. Buat dengan `make run`.")
    return models, notes


def read_metadata(folder: str | Path) -> dict[str, Any]:
    """Read a model's ``metadata.json`` without loading the model.

    Raises
    ------
    ModelError
        The file is missing or damaged.
    """
    folder = Path(folder)
    recover_folder(folder)
    try:
        metadata = json.loads((folder / METADATA_FILE).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"Tidak ada model di {folder}. Buat dengan `make run`.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, METADATA_FILE) from error
    files = metadata.get("files") if isinstance(metadata, dict) else None
    # The pattern allows no subfolder and no path out of the folder.
    has_valid_files = isinstance(files, dict) and all(map(_FILE_NAME.fullmatch, files))
    if not has_valid_files or metadata.get("name") not in list(MODEL_TITLES):
        raise _damaged(folder, METADATA_FILE)
    return metadata


def verified_files(
    folder: str | Path, names: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read all files of a model folder once and compare their hashes, without interpreting them.

    Parameters
    ----------
    names : tuple of str
        Files that this kind of model must have.

    Returns
    -------
    metadata : dict
    contents : dict of str to bytes
        Every file named in the metadata.

    Raises
    ------
    ModelError
        The folder is missing or incomplete, its hashes do not match, or it contains
        another kind of model.
    """
    folder = Path(folder)
    metadata = read_metadata(folder)
    contents = {}
    for name in dict.fromkeys((*metadata["files"], *names)):
        if name not in metadata["files"] and not (folder / name).exists():
            raise ModelError(
                f"Model di {folder} jenisnya lain: tidak berisi {name}. Panggil `load_checker` untuk "
                "memeriksa judul; untuk modelnya saja, `load_structured` atau `load_model`."
            )
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError as error:
            raise _damaged(folder, name) from error
        if sha256_of(content) != metadata["files"].get(name):
            raise _damaged(folder, name)
        contents[name] = content
    return metadata, contents


def version_of(metadata: Mapping[str, Any]) -> str:
    """Return a model's version: the date of its creation and eight digits of its files' hash.

    Examples
    --------
    >>> version_of({"created": "2026-01-02T03:04:05+00:00", "files": {"arrays.npz": "0" * 64}})
    '20260102-f289d03c'
    """
    content = json.dumps(sorted(metadata["files"].items())).encode()
    day = str(metadata.get("created", ""))[:10].replace("-", "")
    return "-".join(part for part in (day, sha256_of(content)[:8]) if part)


def model_type(metadata: Mapping[str, Any]) -> str:
    """Return ``full``, ``light`` or ``structured``, also for a model from before `type` said so.

    Examples
    --------
    >>> model_type({"name": "light", "type": "RandomForestClassifier"})
    'light'
    """
    kind = metadata.get("type")
    return str(kind if kind in list(MODEL_TITLES) else metadata.get("name"))


def total_size(metadata: Mapping[str, Any]) -> int:
    """Return the bytes of all files of a model, but for ``metadata.json``.

    Examples
    --------
    >>> total_size({"sizes": {"arrays.npz": 20, "scaler.joblib": 3}})
    23
    """
    sizes = metadata.get("sizes")
    values = sizes.values() if isinstance(sizes, Mapping) else ()
    return sum(value for value in values if isinstance(value, int))


def is_recommended(folder: str | Path) -> bool:
    """Tell whether a folder contains a model that the leaderboard recommends."""
    metadata = _metadata_or_none(Path(folder))
    return bool(metadata and metadata.get("recommended"))


def _damaged(folder: Path, name: str) -> ModelError:
    return ModelError(
        f"Model di {folder} ditolak: isi {name} tidak sama dengan yang dicatat saat pelatihan. "
        f"Hapus folder itu, lalu buat lagi dengan `make run`."
    )


def _metadata_or_none(folder: Path) -> dict[str, Any] | None:
    try:
        return read_metadata(folder)
    except ModelError:
        return None


def _comparable(metadata: Mapping[str, Any]) -> Any:
    stable = {key: value for key, value in metadata.items() if key not in _INCIDENTAL_KEYS}
    return json.loads(json.dumps(stable))


def _has_files(folder: Path, hashes: Mapping[str, str]) -> bool:
    return all(
        (folder / name).is_file() and sha256_of((folder / name).read_bytes()) == sha256
        for name, sha256 in hashes.items()
    )
