"""What each part of the structured model is worth: leave it out and look.

To save time, the pairs are not learnt from a second time without their places,
as the model itself does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.evaluation import score_predictions
from judul_lib.features import FEATURES
from judul_lib.gold import HARD_KINDS
from judul_lib.preprocessing import stem_word
from judul_lib.settings import SEED
from judul_lib.structured import COPIED_FEATURES, FREE, STRUCTURED_FEATURES, StructuredModel
from judul_lib.structured_pairs import stranger_pairs, training_set
from judul_lib.structured_training import fit_structured, unfitted_model
from judul_lib.title_parser import Lexicon, TitleParser
from judul_lib.verdicts import FIELD_NAMES
from judul_lib.word_vectors import WordVectors

FEATURE_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "tiga fitur studi": tuple(FEATURES),
    **{
        name: tuple(n for n in STRUCTURED_FEATURES if n.startswith(f"{field}_"))
        for field, name in FIELD_NAMES.items()
    },
    "seluruh judul": tuple(n for n in STRUCTURED_FEATURES if n.startswith(("all_", "content_"))),
    "arah makna": ("meaning", "object_meaning"),
    "beda dalam teks yang disalin": COPIED_FEATURES,
}
"""Families of features, by the names that readers see."""

_PARTS = {**FIELD_NAMES, "template": "kata templat"}


def feature_ablation(
    development: pd.DataFrame, test: pd.DataFrame, random_state: int = SEED
) -> pd.DataFrame:
    """Fit without each family of features, with each family alone, and without signs.

    Returns
    -------
    DataFrame
        Index: what was done; ``roc_auc`` and ``roc_auc_hard`` on the test pairs.
    """
    model = unfitted_model(development)
    data = training_set(development, model, random_state, placeless=False)
    features = _test_features(model, test)
    changes: dict[str, dict[str, Any]] = {"semuanya": {}}
    for name, family in FEATURE_FAMILIES.items():
        changes[f"tanpa {name}"] = {"without": family}
    for name, family in FEATURE_FAMILIES.items():
        changes[f"hanya {name}"] = {"without": [f for f in STRUCTURED_FEATURES if f not in family]}
    changes["tanda bobot bebas"] = {"directions": FREE}
    fitted = {
        name: fit_structured(model, data, calibrate=False, **change) for name, change in changes.items()
    }
    return pd.DataFrame({name: _auc(part, features, test) for name, part in fitted.items()}).T


def resource_ablation(
    development: pd.DataFrame, test: pd.DataFrame, random_state: int = SEED
) -> pd.DataFrame:
    """Train anew without each part of the lexicon, without it, and without word vectors.

    Returns
    -------
    DataFrame
        As from `feature_ablation`.
    """
    lexicon, vectors, empty = Lexicon.read(), WordVectors.read(), Lexicon({})
    no_vectors = WordVectors(["-"], np.zeros((1, 2), dtype=np.float32))
    settings = {
        "semuanya": (TitleParser(), vectors),
        **{f"leksikon tanpa {n}": (TitleParser(lexicon.without(f)), vectors) for f, n in _PARTS.items()},
        "leksikon hanya istilah baku": (TitleParser(lexicon.canonical_only()), vectors),
        "tanpa leksikon": (TitleParser(empty), vectors),
        "tanpa vektor kata": (TitleParser(), no_vectors),
        "tanpa leksikon dan vektor": (TitleParser(empty), no_vectors),
        "kata dasar Sastrawi apa adanya": (TitleParser(stem=stem_word), vectors),
        "tanpa perbaikan ejaan": (TitleParser(correct=False), vectors),
    }
    model = unfitted_model(development)
    whole = training_set(development, model, random_state, placeless=False)
    strangers = stranger_pairs(development, fit_structured(model, whole, calibrate=False), random_state)
    table = {}
    for name, (parser, meaning) in settings.items():
        model = unfitted_model(development, parser, meaning)
        data = training_set(development, model, strangers=strangers, placeless=False)
        fitted = fit_structured(model, data, calibrate=False)
        table[name] = _auc(fitted, _test_features(model, test), test)
    return pd.DataFrame(table).T


def learning_curve(
    development: pd.DataFrame,
    test: pd.DataFrame,
    sizes: Sequence[int] = (10, 20, 40, 80),
    *,
    draws: int = 2,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Train on some of the development bases, drawn at random, and on all of them.

    Returns
    -------
    DataFrame
        Index: number of bases; the mean of ``roc_auc`` and ``roc_auc_hard``
        over the draws.
    """
    bases = development["base_id"].unique()
    rng = np.random.default_rng(random_state)
    table = {}
    for size in (*(n for n in sizes if n < len(bases)), len(bases)):
        results = []
        for _ in range(draws if size < len(bases) else 1):
            drawn = rng.choice(bases, size=size, replace=False)
            part = development[development["base_id"].isin(drawn)]
            model = unfitted_model(part)
            data = training_set(part, model, random_state, placeless=False)
            fitted = fit_structured(model, data, calibrate=False)
            results.append(_auc(fitted, _test_features(model, test), test))
        table[size] = pd.DataFrame(results).mean()
    return pd.DataFrame(table).T


def _test_features(model: StructuredModel, test: pd.DataFrame) -> NDArray[np.float64]:
    return model.pair_features(test["judul_a"].tolist(), test["judul_b"].tolist())


def _auc(model: StructuredModel, features: NDArray[np.float64], test: pd.DataFrame) -> dict[str, float]:
    """Return the area over all labelled pairs and over the hard ones."""
    scores = model.probability(features)
    labelled, hard = test["label"].notna(), test["kind"].isin(HARD_KINDS)
    return {
        name: score_predictions(test.loc[rows, "label"].astype(int), scores[rows])["roc_auc"]
        for name, rows in (("roc_auc", labelled), ("roc_auc_hard", hard))
    }
