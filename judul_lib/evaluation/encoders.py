"""A sentence encoder as one more method, where somebody has one."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from judul_lib.core.errors import ModelError
from judul_lib.evaluation.baselines import Method
from judul_lib.study.features import distinct_titles

ENCODER_VARIABLE = "JUDUL_ENCODER"


def encoder_methods(folder: str | None = None) -> dict[str, Method]:
    """Return the encoder of a local folder as a method, or nothing where there is none.

    Parameters
    ----------
    folder : str
        Model folder of ``sentence-transformers`` (extra ``semantic``); by
        default what the environment variable ``JUDUL_ENCODER`` names.

    Returns
    -------
    dict of str to Method
        Empty when no folder is named or the package is not installed.

    Raises
    ------
    ModelError
        The folder is named but is not there.
    """
    folder = folder or os.environ.get(ENCODER_VARIABLE)
    if not folder or find_spec("sentence_transformers") is None:
        return {}
    if not Path(folder).is_dir():
        raise ModelError(f"{ENCODER_VARIABLE} menunjuk ke {folder}, tetapi folder itu tidak ada.")
    from sentence_transformers import SentenceTransformer

    return {f"encoder ({Path(folder).name})": encoder_method(SentenceTransformer(folder))}


def encoder_method(encoder: Any) -> Method:
    """Compare titles by the cosine of their encodings, scaled from [-1, 1] to [0, 1].

    The encoder is given lower case: as typed, titles would seem alike for being typed alike.

    Parameters
    ----------
    encoder : object
        With ``encode(list of str) -> ndarray of shape (n, n_dimensions)``.

    References
    ----------
    Reimers, N., & Gurevych, I. (2019). *Sentence-BERT*.

    Examples
    --------
    >>> class Lengths:
    ...     def encode(self, titles):
    ...         return [[len(title), 10] for title in titles]
    >>> encoder_method(Lengths())(["abc"], ["abd"]).round(6).tolist()
    [1.0]
    """

    def score(left: Any, right: Any) -> Any:
        titles, *sides = distinct_titles(*([t.lower() for t in side] for side in (left, right)))
        vectors = np.asarray(encoder.encode(titles), dtype=float)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        a, b = (vectors[side] for side in sides)
        return np.clip((np.einsum("ij,ij->i", a, b) + 1) / 2, 0.0, 1.0)

    return Method(score)
