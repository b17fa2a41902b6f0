"""Find the models of an installation, and load them with a corpus."""

import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from judul_lib.checking.checker import Checker, TitleChecker
from judul_lib.checking.registry import (
    STRUCTURED,
    is_recommended,
    load_model,
    load_structured,
    read_metadata,
)
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.checking.versions import model_folder
from judul_lib.core.errors import ModelError
from judul_lib.core.settings import DECISION_THRESHOLD, ELSEWHERE, MODEL_TITLES


def find_models(
    outputs: str | Path, *, warn: Callable[[str], object] = warnings.warn
) -> dict[str, Path]:
    """Return the folders of the available models by name, in order of preference.

    First comes a structured model that the leaderboard recommends, then the full
    and the light one. Of each, this is the promoted version, else ``outputs/<name>``.

    Parameters
    ----------
    warn : callable
        Called for a model that is left out because its current version is missing
        or its metadata cannot be read.

    Raises
    ------
    ModelError
        There is no usable model, or `outputs` is a file.
    """
    if Path(outputs).is_file():
        raise ModelError(f"{outputs} adalah berkas, bukan folder model. Berikan foldernya.")
    folders: dict[str, Path] = {}
    problems: list[str] = []
    for name, title in MODEL_TITLES.items():
        try:
            folder = model_folder(outputs, name)
            if folder.is_dir():
                read_metadata(folder)
                folders[name] = folder
        except ModelError as error:
            problems.append(f"{title} tidak dipakai. {error}")
    if not folders:
        raise ModelError(
            problems[0] if problems else f"Belum ada model di {outputs}. Buat dengan `make run`."
        )
    for problem in problems:
        warn(problem)
    return dict(sorted(folders.items(), key=lambda item: not is_recommended(item[1])))


def missing_models(available: Collection[str]) -> list[str]:
    """Return the titles of the models whose names are not available, such as *Model Penuh*."""
    return [title for name, title in MODEL_TITLES.items() if name not in available]


def load_checker(
    folder: str | Path,
    titles: Sequence[str] | None = None,
    *,
    threshold: float = DECISION_THRESHOLD,
    elsewhere: str = ELSEWHERE,
) -> Checker:
    """Load a model of any kind for checking, with its own corpus by default.

    Parameters
    ----------
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the structured model counts the same study in another place.

    Raises
    ------
    ModelError
        The folder is missing, incomplete, or its hashes do not hold.

    Examples
    --------
    >>> checker = load_checker("outputs/light", ["Deteksi Hoaks", "Prediksi Harga Beras"])
    >>> checker.check("Deteksi Hoaks dengan SVM", top_k=1).titles
    ['Deteksi Hoaks']
    """
    if read_metadata(folder).get("name") == STRUCTURED:
        model, stored_titles = load_structured(folder)
        titles = stored_titles if titles is None else titles
        return StructuredChecker(model, titles, threshold=threshold, elsewhere=elsewhere)
    return TitleChecker.from_model(load_model(folder), titles, threshold=threshold)
