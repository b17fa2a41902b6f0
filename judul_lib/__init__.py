"""Find out whether a proposed Indonesian thesis title is too similar to an existing one.

The public names below are imported from their modules on first use, so that
``import judul_lib`` is fast.

Examples
--------
>>> import judul_lib
>>> judul_lib.preprocess_text("Implementasi ML")
'implementasi ml'
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "preprocess_text": "study.preprocessing",
    "preprocess_titles": "study.preprocessing",
    "read_corpus": "study.corpus",
    "extract_pair_features": "study.features",
    "pair_features": "study.features",
    "label_pairs": "study.labeling",
    "train_model": "training.forest",
    "load_model": "checking.registry",
    "load_models": "checking.registry",
    "load_estimators": "checking.registry",
    "TitleChecker": "checking.checker",
    "compute_similarities": "checking.checker",
    "StructuredChecker": "checking.structured_checker",
    "load_checker": "checking.loading",
    "TitleIndex": "search.index",
    "score_pairs": "checking.batches",
    "JudulError": "core.errors",
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
