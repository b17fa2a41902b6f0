"""The baselines of the models that are there, as training stored them."""

from collections.abc import Callable
from pathlib import Path

from judul_lib.checkers import find_models, load_checker
from judul_lib.corpus_baselines import baseline_of
from judul_lib.drift import ModelBaseline, stored_baseline
from judul_lib.errors import ModelError
from judul_lib.registry import read_metadata, version_of


def read_baselines(
    outputs: str | Path, *, warn: Callable[[str], None] = lambda sentence: None
) -> dict[str, ModelBaseline]:
    """Return the baselines of the models that are there.

    That of a model trained before baselines were stored is computed from its corpus.

    Parameters
    ----------
    outputs : path
        Folder with the model folders.
    warn : callable
        Told of a model that cannot be used, which then has no baseline.
    """
    found: dict[str, Path] = {}
    try:
        found = find_models(outputs, warn=warn)
    except ModelError as error:
        warn(str(error))
    baselines = {}
    for name, folder in found.items():
        try:
            metadata = read_metadata(folder)
            version = version_of(metadata)
            stored = stored_baseline(metadata, version)
            baselines[name] = stored or baseline_of(load_checker(folder), version)
        except ModelError as error:
            warn(str(error))
    return baselines
