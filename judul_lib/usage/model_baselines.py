"""The baselines of the models that are there, as training stored them."""

from collections.abc import Callable
from pathlib import Path

from judul_lib.checking.loading import find_models, load_checker
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.errors import ModelError
from judul_lib.training.corpus_baselines import baseline_of
from judul_lib.training.drift import ModelBaseline, stored_baseline


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
