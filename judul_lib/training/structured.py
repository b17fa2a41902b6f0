"""Fit the structured model on real pairs and on the development part of the gold pairs; package it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

import judul_lib
from judul_lib.checking import registry
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.array_types import BoolArray, FloatArray
from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.settings import FULL, SEED
from judul_lib.core.storage import content_version, frame_text, sha256_of
from judul_lib.structured.boosting import BoostedTrees, fit_trees
from judul_lib.structured.gold import read_gold
from judul_lib.structured.model import (
    MONOTONE_DIRECTIONS,
    QUESTIONS,
    STRUCTURED_FEATURES,
    StructuredModel,
    resource_hashes,
)
from judul_lib.structured.parser import TitleParser, packaged_parser
from judul_lib.structured.real_pairs import REAL_PAIRS_FILE, RealPairs
from judul_lib.structured.records import UnitCounts
from judul_lib.structured.vectors import WordVectors
from judul_lib.study import arrays
from judul_lib.study.corpus import PROCESSED_COLUMN, Corpus
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.features import FEATURES
from judul_lib.study.preprocessing import preprocess_titles
from judul_lib.training.drift import measure_baseline, with_baseline
from judul_lib.training.forest import recorded_packages
from judul_lib.training.pairs import TrainingSet, real_set, training_set

REAL_PAIRS_PATH = Path(__file__).parents[2] / "data" / REAL_PAIRS_FILE
"""Real pairs of the project."""

GOLD_KINDS_PATH = REAL_PAIRS_PATH.with_name("gold_kinds.csv")
"""Additional kinds of gold pairs: differences that decide, and differences that do not."""

MIN_ODDS = (1.25, 14.0, 1.0)
"""Odds that are calibrated to a probability of 0.5: same study, same study elsewhere, related.

Chosen on unseen real pairs. At 1.25 to one, *MIRIP* is right in at least 85 of 100 cases. Even odds
for the same study elsewhere would give *TANYAKAN* to one title in five; fourteen to one gives it to
one in ten, pairs that may be the same in other words included.
"""

_N_GOLD_FOLDS = 5
# The study's cosine is shown, but not used: it depends on a vocabulary.
_IS_USED = np.array([name != next(iter(FEATURES)) for name in STRUCTURED_FEATURES])
_NONE, _ZERO = np.zeros((1, 1), dtype=np.int16), np.zeros((1, 1))
_NO_TREES = BoostedTrees(0.0, _NONE, _NONE, _NONE, _ZERO, _ZERO)


def unfitted_model(
    counts: UnitCounts, parser: TitleParser | None = None, vectors: WordVectors | None = None
) -> StructuredModel:
    """Return a model with term counts, parser and vectors, but without trees."""
    parser = parser or packaged_parser()
    tfidf = arrays.ArrayTfidf([], np.empty(0))
    return StructuredModel(
        tfidf, counts, _NO_TREES, _NO_TREES, _NO_TREES, parser, vectors or WordVectors.read()
    )


def train_structured(
    gold: pd.DataFrame,
    real: RealPairs | None = None,
    *,
    random_state: int = SEED,
    labelled: pd.DataFrame | None = None,
    calibrate: bool = True,
    real_log_odds: FloatArray | None = None,
) -> StructuredModel:
    """Fit on real pairs, gold pairs and, if given, people's labels.

    Parameters
    ----------
    gold : DataFrame
        The development part, as from `judul_lib.structured.gold.read_gold`.
    real : RealPairs
        Those of the project by default.
    labelled : DataFrame
        As for `training_set`.
    calibrate : bool
        False saves time where only the order of the scores counts.
    real_log_odds : ndarray of float, shape (n_real, 3)
        As from `out_of_fold_log_odds`, if already computed.
    """
    real = real if real is not None else RealPairs.read(REAL_PAIRS_PATH)
    model = _with_vocabulary(unfitted_model(real.counts), gold)
    gold_data = training_set(add_gold_kinds(gold), model, labelled=labelled)
    real_data = real_set(real)
    fitted = fit_structured(model, real_data + gold_data, random_state=random_state)
    if not calibrate:
        return fitted
    if real_log_odds is None:
        real_log_odds = out_of_fold_log_odds(model, real, gold_data, random_state=random_state)
    return _calibrate_model(fitted, real_log_odds, real_data, real.is_drawn)


def _calibrate_model(
    fitted: StructuredModel, log_odds: FloatArray, data: TrainingSet, rows: BoolArray
) -> StructuredModel:
    """Calibrate each question on some rows of a training set, whose out-of-fold log-odds are given."""
    calibrated: Any = {
        name: _calibrate(
            getattr(fitted, name), log_odds[rows, k], getattr(data, name)[rows], min_odds=MIN_ODDS[k]
        )
        for k, name in enumerate(QUESTIONS)
    }
    return replace(fitted, **calibrated)


def add_gold_kinds(gold: pd.DataFrame) -> pd.DataFrame:
    """Append the development part of `GOLD_KINDS_PATH` to gold pairs."""
    kinds = read_gold(GOLD_KINDS_PATH).query("split == 'dev'")
    return pd.concat([gold, kinds], ignore_index=True)


def _with_vocabulary(model: StructuredModel, gold: pd.DataFrame) -> StructuredModel:
    """Give a model the vocabulary of the gold titles, for the displayed cosine."""
    titles = list(dict.fromkeys([*gold["judul_a"], *gold["judul_b"]]))
    tfidf = fit_vectorizer(preprocess_titles(titles), FULL)
    return replace(model, tfidf=arrays.ArrayTfidf(list(tfidf.get_feature_names_out()), tfidf.idf_))


def fit_structured(
    model: StructuredModel,
    data: TrainingSet,
    *,
    directions: Sequence[int] | None = MONOTONE_DIRECTIONS,
    without: Sequence[str] = (),
    random_state: int = SEED,
    questions: Sequence[str] = QUESTIONS,
) -> StructuredModel:
    """Fit the trees of a model for some questions, without calibration.

    Parameters
    ----------
    directions : sequence of {-1, 0, 1}
        As `MONOTONE_DIRECTIONS`; None leaves every feature unconstrained.
    without : sequence of str
        Names in `STRUCTURED_FEATURES` not to use.
    questions : sequence of str
        Names in `QUESTIONS`.
    """
    features = mask_unused_features(data.features, without)
    settings: Mapping[str, Any] = {
        "directions": directions, "weights": data.weights, "random_state": random_state,
    }  # fmt: skip
    fitted: Any = {name: fit_trees(features, getattr(data, name), **settings) for name in questions}
    return replace(model, **fitted)


def mask_unused_features(features: FloatArray, without: Sequence[str] = ()) -> FloatArray:
    """Return features with 0 in the columns not used: the study's cosine, and those named."""
    return np.where(_IS_USED & ~np.isin(STRUCTURED_FEATURES, list(without)), features, 0.0)


def out_of_fold_log_odds(
    model: StructuredModel,
    real: RealPairs,
    gold_data: TrainingSet,
    *,
    random_state: int = SEED,
    questions: Sequence[str] = QUESTIONS,
    trainable: BoolArray | None = None,
) -> FloatArray:
    """Return the log-odds of real pairs by models trained on neither their campus nor their titles.

    Parameters
    ----------
    gold_data : TrainingSet
        Added to the training data of every fold.
    questions : sequence of str
        Names in `QUESTIONS`; the log-odds of the others are 0.
    trainable : ndarray of bool, shape (n,)
        Which real pairs may be trained on, all by default.

    Returns
    -------
    ndarray of float, shape (n, 3)
        Columns in the order of `QUESTIONS`.
    """
    real_data = real_set(real)
    log_odds = np.zeros((len(real), len(QUESTIONS)))

    def predict_fold(fold: tuple[BoolArray, BoolArray]) -> None:
        test, train = fold
        data = real_data.take(train if trainable is None else train & trainable) + gold_data
        fitted = fit_structured(model, data, random_state=random_state, questions=questions)
        for name in questions:
            log_odds[test, QUESTIONS.index(name)] = getattr(fitted, name).log_odds(real.features[test])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(predict_fold, [fold for fold in real.folds() if fold[0].any()]))
    return log_odds


def campus_models(real: RealPairs, gold: pd.DataFrame) -> Iterator[tuple[str, StructuredModel]]:
    """Yield each campus of the real pairs with a model that was trained on none of its titles.

    The models have no vocabulary for the study's cosine, which they do not use.

    Parameters
    ----------
    gold : DataFrame
        As for `train_structured`.
    """
    model, real_data = unfitted_model(real.counts), real_set(real)
    gold_data = training_set(add_gold_kinds(gold), model)
    log_odds = out_of_fold_log_odds(model, real, gold_data)
    for test, train in real.folds():
        if (real.is_faculty & test).any() or not test.any():
            continue
        fitted = fit_structured(model, real_data.take(train) + gold_data)
        campus = str(real.source[test][0]).split("+")[0]
        yield campus, _calibrate_model(fitted, log_odds, real_data, train & real.is_drawn)


def out_of_fold_gold_scores(
    gold: pd.DataFrame,
    real: RealPairs,
    *,
    random_state: int = SEED,
    real_log_odds: FloatArray | None = None,
) -> pd.Series:
    """Return the probability of gold pairs by models trained on no pair of their base study.

    Parameters
    ----------
    real_log_odds : ndarray of float, shape (n_real, 3)
        As for `train_structured`; without it the probabilities are not calibrated.
    """
    model = _with_vocabulary(unfitted_model(real.counts), gold)
    data = training_set(gold, model)
    scores = np.zeros(len(gold))
    features = model.pair_features(gold["judul_a"].tolist(), gold["judul_b"].tolist())
    folds = GroupKFold(min(_N_GOLD_FOLDS, gold["base_id"].nunique()))
    for train, test in folds.split(data.features, groups=data.groups):
        fitted = fit_structured(
            model, real_set(real) + data.take(train), random_state=random_state, questions=["same"]
        )
        if real_log_odds is not None:
            drawn = real.is_drawn
            same = _calibrate(fitted.same, real_log_odds[drawn, 0], real.labels[drawn])
            fitted = replace(fitted, same=same)
        rows = gold["base_id"].isin(data.groups[test]).to_numpy()
        scores[rows] = fitted.probability(features[rows])
    return pd.Series(scores, index=gold.index)


def _calibrate(
    trees: BoostedTrees, log_odds: FloatArray, labels: NDArray[np.int_], *, min_odds: float = 1.0
) -> BoostedTrees:
    """Apply Platt scaling to the base and the leaf values of trees; see `fit_platt_scaling`."""
    slope, shift = fit_platt_scaling(log_odds, labels, min_odds)
    return replace(
        trees, base=round(shift + slope * trees.base, 7), value=np.round(slope * trees.value, 7)
    )


def fit_platt_scaling(
    log_odds: FloatArray, labels: NDArray[np.int_], min_odds: float = 1.0
) -> tuple[float, float]:
    """Return slope and intercept of Platt's calibration of log-odds.

    Parameters
    ----------
    min_odds : float
        Calibrated odds that become log-odds of 0.

    References
    ----------
    Platt, J. (1999). *Probabilistic outputs for support vector machines*.

    Examples
    --------
    >>> slope, shift = fit_platt_scaling(np.array([-1.0, -1.0, 1.0, 1.0]), np.array([0, 1, 1, 0]))
    >>> round(slope, 3), round(shift, 3)
    (0.0, 0.0)
    """
    fitted = LogisticRegression(C=1e6).fit(log_odds[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0] - np.log(min_odds))


def package_structured(
    model: StructuredModel,
    gold_path: str | Path,
    corpus: Corpus,
    folder: str | Path,
    *,
    random_state: int,
    recommended: bool = False,
    evaluation: Mapping[str, float] | None = None,
    extra_metadata: Mapping[str, Any] | None = None,
) -> bool:
    """Write the model as a folder; see `judul_lib.checking.registry.save_model`.

    Its metadata include the baseline for drift.

    Parameters
    ----------
    random_state : int
        The seed it was trained with.
    recommended : bool
        Whether it leads the leaderboard; the ``judul`` command then uses it by
        default.
    evaluation : mapping of str to float
        Its metrics.
    extra_metadata : mapping
        Added to the metadata.

    Returns
    -------
    bool
        Whether anything was written.
    """
    titles = corpus.titles[[TITLE_COLUMN, PROCESSED_COLUMN]]
    gold_sha256 = sha256_of(Path(gold_path).read_bytes())
    files = {
        registry.STRUCTURED_FILE: model.to_bytes(),
        registry.TITLES_FILE: frame_text(titles).encode("utf-8"),
    }
    metadata = {
        "name": registry.STRUCTURED,
        "version": judul_lib.__version__,
        "type": registry.STRUCTURED,
        "estimator": "GradientBoosting",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {
            "name": Path(gold_path).name,
            "version": content_version(gold_sha256),
            "sha256": gold_sha256,
            "n_titles": model.counts.n_titles,
        },
        "corpus": {
            "name": corpus.name,
            "version": corpus.version,
            "sha256": corpus.sha256,
            "n_titles": len(corpus.titles),
        },
        "features": list(STRUCTURED_FEATURES),
        "hyperparameters": {"n_trees": len(model.same.value)},
        "seed": random_state,
        "recommended": recommended,
        "evaluation": dict(evaluation or {}),
        "resources": resource_hashes(),
        "packages": recorded_packages(),
        **(extra_metadata or {}),
    }
    baseline = measure_baseline(StructuredChecker(model, titles[TITLE_COLUMN].tolist()))
    return registry.save_model(Path(folder), files, with_baseline(metadata, baseline))
