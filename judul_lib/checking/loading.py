"""Which models are there, which one to ask, and loading them with a corpus."""

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
    """Return the folders of the models that are there, the one to ask first in front.

    That is the structured model if the leaderboard recommends it, then the
    full one, then the light one; of each the current version where one was
    promoted, else ``outputs/<name>``.

    Parameters
    ----------
    warn : callable
        Told of a model that is left out, as its current version is not there
        or its metadata cannot be read.

    Raises
    ------
    ModelError
        There is none, or it is no folder.
    """
    if Path(outputs).is_file():
        raise ModelError(f"{outputs} adalah berkas, bukan folder model. Berikan foldernya.")
    found: dict[str, Path] = {}
    broken: list[str] = []
    for name, title in MODEL_TITLES.items():
        try:
            folder = model_folder(outputs, name)
            if folder.is_dir():
                read_metadata(folder)
                found[name] = folder
        except ModelError as error:
            broken.append(f"{title} tidak dipakai. {error}")
    if not found:
        raise ModelError(
            broken[0] if broken else f"Belum ada model di {outputs}. Buat dengan `make run`."
        )
    for sentence in broken:
        warn(sentence)
    return dict(sorted(found.items(), key=lambda item: not is_recommended(item[1])))


def missing_models(found: Collection[str]) -> list[str]:
    """Return the titles of the models that are not among those found, such as *Model Penuh*.

    Examples
    --------
    >>> missing_models({"light": Path("outputs/light")})
    ['Model Penuh', 'Model Terstruktur']
    """
    return [title for name, title in MODEL_TITLES.items() if name not in found]


def load_checker(
    folder: str | Path,
    titles: Sequence[str] | None = None,
    *,
    threshold: float = DECISION_THRESHOLD,
    elsewhere: str = ELSEWHERE,
) -> Checker:
    """Load any model for checking, with its own corpus unless other titles are given.

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
        model, own = load_structured(folder)
        known = own if titles is None else titles
        return StructuredChecker(model, known, threshold=threshold, elsewhere=elsewhere)
    return TitleChecker.from_model(load_model(folder), titles, threshold=threshold)
