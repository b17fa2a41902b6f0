"""Fit the structured model on the development part of the gold pairs, and package it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.model_selection import GroupKFold

import judul_lib
from judul_lib import arrays, registry
from judul_lib.corpus import PROCESSED_COLUMN, Corpus
from judul_lib.corpus_baselines import baseline_of
from judul_lib.drift import with_baseline
from judul_lib.estimators import fit_vectorizer
from judul_lib.model_resources import resource_hashes
from judul_lib.preprocessing import preprocess_titles
from judul_lib.settings import FULL, SEED
from judul_lib.signed_logistic import PENALTY, fit_logistic
from judul_lib.storage import content_version, frame_text, sha256_of
from judul_lib.structured import MONOTONE, STRUCTURED_FEATURES, StructuredModel, Weights
from judul_lib.structured_checking import StructuredChecker
from judul_lib.structured_pairs import TrainingSet, fit_weights, training_set
from judul_lib.table_files import TITLE_COLUMN
from judul_lib.title_parser import TitleParser
from judul_lib.training import recorded_packages
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

_FOLDS = 10


def train_structured(
    gold: pd.DataFrame,
    *,
    parser: TitleParser | None = None,
    vectors: WordVectors | None = None,
    directions: Sequence[int] = MONOTONE,
    random_state: int = SEED,
    labelled: pd.DataFrame | None = None,
) -> StructuredModel:
    """Fit on labelled gold pairs, and on what people said where there is that.

    Parameters
    ----------
    gold : DataFrame
        As from `judul_lib.gold.read_gold`; rows without label are left out.
    parser, vectors
        The package's own by default.
    directions : sequence of {-1, 0, 1}
        Sign of the weight of each of `STRUCTURED_FEATURES`.
    random_state : int
        Seed of the draw of strangers; see `training_set`.
    labelled : DataFrame
        As for `training_set`.
    """
    model = unfitted_model(gold, parser, vectors)
    data = training_set(gold, model, random_state, labelled=labelled)
    return fit_structured(model, data, directions=directions)


def train_and_validate(
    gold: pd.DataFrame, random_state: int = SEED
) -> tuple[StructuredModel, pd.Series]:
    """Fit as `train_structured` does, and score the labelled pairs by cross-validation.

    A threshold must not be chosen on scores of pairs that were learnt from: no
    pair is scored by weights that saw its base.

    Returns
    -------
    model : StructuredModel
    scores : Series
        Probability, indexed as the labelled rows of ``gold``.
    """
    model = unfitted_model(gold)
    data = training_set(gold, model, random_state)
    rows = gold.index[gold["label"].notna()]
    unseen = _unseen_log_odds(model, data, MONOTONE, ())
    fitted = _calibrated(fit_weights(model, data), unseen, data.labels)
    return fitted, pd.Series(expit(unseen[: len(rows)]), index=rows)


def fit_structured(
    model: StructuredModel,
    data: TrainingSet,
    *,
    directions: Sequence[int] = MONOTONE,
    without: Sequence[str] = (),
    calibrate: bool = True,
) -> StructuredModel:
    """Fit the weights and calibrate them on unseen bases.

    Parameters
    ----------
    without : sequence of str
        Names out of `STRUCTURED_FEATURES` that get no weight.
    calibrate : bool
        False saves time where only the order of the scores counts.

    References
    ----------
    Platt, J. (1999). *Probabilistic outputs for support vector machines*.
    """
    fitted = fit_weights(model, data, directions, without)
    if not calibrate:
        return fitted
    return _calibrated(fitted, _unseen_log_odds(model, data, directions, without), data.labels)


def _calibrated(model: StructuredModel, unseen: FloatArray, labels: NDArray[np.int_]) -> StructuredModel:
    """Take Platt's calibration on the log-odds of unseen pairs into the weights."""
    centre, (slope,), shift = fit_logistic(unseen[:, None], labels, [1], 1e-6)
    return replace(
        model,
        coefficients=np.round(model.coefficients * slope, 5),
        intercept=round(float(shift + slope * (model.intercept - centre[0])), 5),
    )


def _unseen_log_odds(
    model: StructuredModel, data: TrainingSet, directions: Sequence[int], without: Sequence[str]
) -> FloatArray:
    """Return the log-odds of each pair by weights that have not seen its base."""
    unseen = np.zeros(len(data.labels))
    folds = GroupKFold(min(_FOLDS, len(np.unique(data.bases))))
    for train, test in folds.split(data.features, groups=data.bases):
        seen = TrainingSet(data.features[train], data.labels[train], data.bases[train])
        part = fit_weights(model, seen, directions, without)
        unseen[test] = part.log_odds(data.features[test])
    return unseen


def unfitted_model(
    gold: pd.DataFrame, parser: TitleParser | None = None, vectors: WordVectors | None = None
) -> StructuredModel:
    """Return a model that can read titles and knows how rare words are, but has no weights yet."""
    parser = parser or TitleParser()
    titles = list(dict.fromkeys([*gold["judul_a"], *gold["judul_b"]]))
    tfidf = fit_vectorizer(preprocess_titles(titles), FULL)
    none = np.zeros(len(STRUCTURED_FEATURES))
    return StructuredModel(
        tfidf=arrays.ArrayTfidf(list(tfidf.get_feature_names_out()), tfidf.idf_),
        weights=Weights.fit(titles, parser),
        centre=none,
        coefficients=none,
        intercept=0.0,
        parser=parser,
        vectors=vectors or WordVectors.read(),
    )


def package_structured(
    model: StructuredModel,
    gold_path: str | Path,
    corpus: Corpus,
    folder: str | Path,
    *,
    random_state: int,
    recommended: bool = False,
    evaluation: Mapping[str, float] | None = None,
    further: Mapping[str, Any] | None = None,
) -> bool:
    """Write the model as a folder; see `judul_lib.registry.save_model`.

    Its baseline, for measuring drift, is among the metadata.

    Parameters
    ----------
    random_state : int
        That it was trained with.
    recommended : bool
        Whether the leaderboard puts it first; the ``judul`` command then takes
        it unless another is asked for.
    evaluation : mapping of str to float
        Its row of the leaderboard, or other metrics on gold pairs.
    further : mapping
        What the metadata are to say besides.

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
        "type": "LogisticRegression",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {
            "name": Path(gold_path).name,
            "version": content_version(gold_sha256),
            "sha256": gold_sha256,
            "n_titles": model.weights.n_titles,
        },
        "corpus": {
            "name": corpus.name,
            "version": corpus.version,
            "sha256": corpus.sha256,
            "n_titles": len(corpus.titles),
        },
        "features": list(STRUCTURED_FEATURES),
        "hyperparameters": {"penalty": PENALTY},
        "seed": random_state,
        "recommended": recommended,
        "evaluation": dict(evaluation or {}),
        "resources": resource_hashes(),
        "packages": recorded_packages(),
        **(further or {}),
    }
    baseline = baseline_of(StructuredChecker(model, titles[TITLE_COLUMN].tolist()))
    return registry.save_model(Path(folder), files, with_baseline(metadata, baseline))
