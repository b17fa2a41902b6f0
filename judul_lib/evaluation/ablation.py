"""Ablation of the structured model and its learning curves.

Only the order of the scores counts here: nothing is calibrated, and only the
trees for the same study are fitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import SEED
from judul_lib.structured.explanation import FIELD_NAMES
from judul_lib.structured.gold import HARD_KINDS
from judul_lib.structured.lexicon import Lexicon
from judul_lib.structured.model import STRUCTURED_FEATURES, StructuredModel
from judul_lib.structured.parser import TitleParser, packaged_parser
from judul_lib.structured.real_pairs import RealPairs
from judul_lib.structured.records import UnitCounts
from judul_lib.structured.vectors import WordVectors
from judul_lib.study.features import FEATURES
from judul_lib.study.metrics import score_predictions
from judul_lib.study.preprocessing import stem_word
from judul_lib.training.pairs import TrainingSet, real_set, training_set
from judul_lib.training.structured import fit_structured, unfitted_model

ASPECTS: Mapping[str, str] = {
    "thing": "benda", "variable": "variabel", "activity": "kegiatan", "method": "metode",
    "platform": "platform", "audience": "orang", "medium": "data dan media", "task": "tugas",
    "place": "tempat",
}  # fmt: skip
"""Aspects of a study and their displayed names."""


def _features_starting_with(*prefixes: str) -> tuple[str, ...]:
    return tuple(name for name in STRUCTURED_FEATURES if name.startswith(prefixes))


_EXCLUSIVE = _features_starting_with("text_sibling", "text_inversions")
_CAUSAL = _features_starting_with("text_roles", "text_cause", "text_effect")
FEATURE_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "tiga fitur studi": tuple(FEATURES),
    **{name: _features_starting_with(f"{aspect}_") for aspect, name in ASPECTS.items()},
    "pokok judul sebagai keseluruhan": _features_starting_with("subject_"),
    "hal yang saling meniadakan dan urutan": _EXCLUSIVE,
    "sebab dan akibat": _CAUSAL,
    "seluruh judul": tuple(
        name for name in _features_starting_with("text_") if name not in (*_EXCLUSIVE, *_CAUSAL)
    ),
}
"""Families of features by their displayed names."""


def feature_ablation(
    development: pd.DataFrame, test: pd.DataFrame, real: RealPairs, random_state: int = SEED
) -> pd.DataFrame:
    """Fit without each family of features, with the study's features alone, and without directions.

    The training data are the gold pairs and the real pairs of the campuses.

    Returns
    -------
    DataFrame
        Index: the change; ``roc_auc`` and ``roc_auc_hard`` on the test pairs,
        ``average_precision`` on the drawn real pairs of the one faculty.
    """
    model = unfitted_model(real.counts)
    data = real_set(real).take(~real.is_faculty) + training_set(development, model)
    changes: dict[str, dict[str, Any]] = {"semuanya": {}}
    changes |= {f"tanpa {name}": {"without": family} for name, family in FEATURE_FAMILIES.items()}
    others = [name for name in STRUCTURED_FEATURES if name not in FEATURES]
    changes["hanya tiga fitur studi"] = {"without": others}
    changes["arah bebas"] = {"directions": None}
    test_features, table = _gold_features(model, test), {}
    for name, change in changes.items():
        fitted = _fit(model, data, random_state, **change)
        table[name] = _gold_roc_auc(fitted, test_features, test) | _real_average_precision(fitted, real)
    return pd.DataFrame(table).T


def resource_ablation(
    development: pd.DataFrame, test: pd.DataFrame, random_state: int = SEED
) -> pd.DataFrame:
    """Retrain without each part of the lexicon, without all of it, and without word vectors.

    On gold pairs alone: of real pairs only the features are stored, so they cannot be parsed again.

    Returns
    -------
    DataFrame
        Index: the change; ``roc_auc`` and ``roc_auc_hard`` on the test pairs.
    """
    lexicon, vectors, empty = Lexicon.read(), WordVectors.read(), Lexicon({})
    parts = {**FIELD_NAMES, "template": "kata templat"}.items()
    no_vectors = WordVectors(["-"], np.zeros((1, 2), dtype=np.float32))
    settings = {
        "semuanya": (packaged_parser(), vectors),
        **{f"leksikon tanpa {n}": (TitleParser(lexicon.without(f)), vectors) for f, n in parts},
        "leksikon hanya istilah baku": (TitleParser(lexicon.canonical_only()), vectors),
        "tanpa bobot istilah": (TitleParser(replace(lexicon, terms={})), vectors),
        "tanpa hal yang saling meniadakan": (TitleParser(replace(lexicon, siblings={})), vectors),
        "tanpa leksikon": (TitleParser(empty), vectors),
        "tanpa vektor kata": (packaged_parser(), no_vectors),
        "tanpa leksikon dan vektor": (TitleParser(empty), no_vectors),
        "kata dasar Sastrawi apa adanya": (TitleParser(stem=stem_word), vectors),
    }
    table = {}
    for name, (parser, word_vectors) in settings.items():
        table[name] = _train_and_test(development, test, parser, word_vectors, random_state)
    return pd.DataFrame(table).T


def learning_curve(
    development: pd.DataFrame,
    test: pd.DataFrame,
    sizes: Sequence[int] = (10, 20, 40, 80),
    *,
    n_draws: int = 2,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Train on random subsets of the development bases and on all of them, without real pairs.

    Returns
    -------
    DataFrame
        Index: number of bases; columns: the mean of ``roc_auc`` and ``roc_auc_hard``
        over the draws.
    """
    bases = development["base_id"].unique()
    rng = np.random.default_rng(random_state)
    parser, vectors = packaged_parser(), WordVectors.read()
    table = {}
    for size in (*(n for n in sizes if n < len(bases)), len(bases)):
        results = []
        for _ in range(n_draws if size < len(bases) else 1):
            drawn = rng.choice(bases, size=size, replace=False)
            subset = development[development["base_id"].isin(drawn)]
            results.append(_train_and_test(subset, test, parser, vectors, random_state))
        table[size] = pd.DataFrame(results).mean()
    return pd.DataFrame(table).T


def real_learning_curve(
    development: pd.DataFrame,
    test: pd.DataFrame,
    real: RealPairs,
    shares: Sequence[float] = (0, 0.1, 0.3, 1),
    *,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Train on all gold pairs and a random share of the campuses' real pairs.

    Returns
    -------
    DataFrame
        Index: number of real pairs; columns as from `feature_ablation`.
    """
    model = unfitted_model(real.counts)
    gold_data, test_features = training_set(development, model), _gold_features(model, test)
    order = np.random.default_rng(random_state).permutation(np.flatnonzero(~real.is_faculty))
    table = {}
    for n in (round(share * len(order)) for share in shares):
        fitted = _fit(model, real_set(real).take(order[:n]) + gold_data, random_state)
        table[n] = _gold_roc_auc(fitted, test_features, test) | _real_average_precision(fitted, real)
    return pd.DataFrame(table).T


def _fit(model: StructuredModel, data: TrainingSet, random_state: int, **change: Any) -> StructuredModel:
    return fit_structured(model, data, random_state=random_state, questions=["same"], **change)


def _train_and_test(
    gold: pd.DataFrame, test: pd.DataFrame, parser: TitleParser, vectors: WordVectors, random_state: int
) -> dict[str, float]:
    """Train on gold pairs alone, whose titles also give the term counts."""
    counts = UnitCounts.fit([*gold["judul_a"], *gold["judul_b"]], parser)
    model = unfitted_model(counts, parser, vectors)
    fitted = _fit(model, training_set(gold, model), random_state)
    return _gold_roc_auc(fitted, _gold_features(model, test), test)


def _gold_features(model: StructuredModel, pairs: pd.DataFrame) -> FloatArray:
    return model.pair_features(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())


def _gold_roc_auc(model: StructuredModel, features: FloatArray, test: pd.DataFrame) -> dict[str, float]:
    """Return the ROC AUC over all labelled pairs and over the hard ones."""
    scores = model.probability(features)
    labelled, hard = test["label"].notna(), test["kind"].isin(HARD_KINDS)
    return {
        name: score_predictions(test.loc[rows, "label"].astype(int), scores[rows])["roc_auc"]
        for name, rows in (("roc_auc", labelled), ("roc_auc_hard", hard))
    }


def _real_average_precision(model: StructuredModel, real: RealPairs) -> dict[str, float]:
    rows = real.is_faculty & real.is_drawn
    scores = model.log_odds(real.features[rows])
    return {"average_precision": float(average_precision_score(real.labels[rows], scores))}
