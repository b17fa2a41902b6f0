"""Find out whether a proposed Indonesian thesis title is too similar to an existing one.

The names below are the public face of the package; each is imported from its
module on first use, so that ``import judul_lib`` costs nothing.

Examples
--------
>>> import judul_lib
>>> judul_lib.preprocess_text("Implementasi ML")
'implementasi ml'
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "preprocess_text": "preprocessing",
    "preprocess_titles": "preprocessing",
    "read_corpus": "corpus",
    "extract_pair_features": "features",
    "pair_features": "features",
    "label_pairs": "labeling",
    "train_model": "training",
    "load_model": "registry",
    "load_models": "registry",
    "load_estimators": "registry",
    "TitleChecker": "checking",
    "compute_similarities": "checking",
    "StructuredChecker": "structured_checking",
    "load_checker": "checkers",
    "TitleIndex": "index",
    "score_pairs": "batches",
    "JudulError": "errors",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
