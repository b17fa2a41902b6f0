"""Fit the structured model on the development part of the gold pairs, and package it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

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
from judul_lib.gold import crossed_pairs
from judul_lib.preprocessing import preprocess_titles
from judul_lib.settings import FULL, SEED
from judul_lib.signed_logistic import PENALTY, fit_logistic
from judul_lib.spelling import SPELLINGS_FILE, STEMS_FILE
from judul_lib.storage import content_version, sha256_of
from judul_lib.structured import MONOTONE, STRUCTURED_FEATURES, StructuredModel, Weights
from judul_lib.structured_checking import StructuredChecker
from judul_lib.table_files import TITLE_COLUMN
from judul_lib.title_parser import LEXICON_FILE, TitleParser
from judul_lib.training import recorded_packages
from judul_lib.word_vectors import VECTORS_FILE, WordVectors

FloatArray = NDArray[np.float64]

_FOLDS = 10
_STRANGERS = 8
_RESOURCES = (LEXICON_FILE, STEMS_FILE, SPELLINGS_FILE, VECTORS_FILE)


@dataclass(frozen=True)
class TrainingSet:
    """Pairs as numbers: ``features`` of shape (n, n_features), ``labels``, and the base of each."""

    features: FloatArray
    labels: NDArray[np.int_]
    bases: NDArray[np.object_]


def train_structured(
    gold: pd.DataFrame,
    *,
    parser: TitleParser | None = None,
    vectors: WordVectors | None = None,
    directions: Sequence[int] = MONOTONE,
    random_state: int = SEED,
) -> StructuredModel:
    """Fit on labelled gold pairs.

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
    """
    model = unfitted_model(gold, parser, vectors)
    data = training_set(gold, model, random_state)
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
    fitted = _calibrated(_fitted(model, data), unseen, data.labels)
    return fitted, pd.Series(expit(unseen[: len(rows)]), index=rows)


def training_set(
    gold: pd.DataFrame,
    model: StructuredModel,
    random_state: int = SEED,
    *,
    strangers: pd.DataFrame | None = None,
    placeless: bool = True,
) -> TrainingSet:
    """Turn gold pairs into features.

    The pairs as written are joined by `crossed_pairs` and by each base title
    with itself, and each counts twice, with its places and without, because
    many titles name none. In an archive nearly every pair is of two studies that
    nobody wrote to be alike; so rewordings paired with titles of other studies
    join as different ones, half drawn at random, half those that a first model
    takes for the most alike.

    Parameters
    ----------
    strangers : DataFrame
        As from `stranger_pairs`; drawn anew by default.
    placeless : bool
        Whether the pairs count a second time, without their places.
    """
    itself = gold.drop_duplicates("base_id").assign(judul_b=lambda bases: bases["judul_a"], label=1)
    pairs = pd.concat([gold[gold["label"].notna()], crossed_pairs(gold), itself])
    sides = pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
    parts = [
        model.pair_features(*sides, with_place=with_place)
        for with_place in ((True, False) if placeless else (True,))
    ]
    labels = np.tile(pairs["label"].to_numpy(dtype=int), len(parts))
    bases = np.tile(pairs["base_id"].to_numpy(dtype=object), len(parts))
    own = TrainingSet(np.vstack(parts), labels, bases)
    if strangers is None:
        strangers = stranger_pairs(gold, _fitted(model, own), random_state)
    strange = model.pair_features(*(strangers[side].tolist() for side in ("judul_a", "judul_b")))
    return TrainingSet(
        np.vstack([own.features, strange]),
        np.concatenate([labels, np.zeros(len(strangers), dtype=int)]),
        np.concatenate([bases, strangers["base_id"].to_numpy(dtype=object)]),
    )


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
    fitted = _fitted(model, data, directions, without)
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
        part = _fitted(model, seen, directions, without)
        unseen[test] = part.log_odds(data.features[test])
    return unseen


def _fitted(
    model: StructuredModel,
    data: TrainingSet,
    directions: Sequence[int] = MONOTONE,
    without: Sequence[str] = (),
) -> StructuredModel:
    kept = [k for k, name in enumerate(STRUCTURED_FEATURES) if name not in without]
    signs = [directions[k] for k in kept]
    centre, coefficients = np.zeros((2, len(STRUCTURED_FEATURES)))
    centre[kept], coefficients[kept], intercept = fit_logistic(
        data.features[:, kept], data.labels, signs
    )
    return replace(model, centre=centre, coefficients=coefficients, intercept=intercept)


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


def stranger_pairs(gold: pd.DataFrame, model: StructuredModel, random_state: int = SEED) -> pd.DataFrame:
    """Pair each rewording of a study with titles of other studies.

    Half of them are drawn at random, half are the most alike by a model.

    Returns
    -------
    DataFrame
        ``base_id`` (of the rewording), ``judul_a`` (of another base), ``judul_b``.
    """
    others = gold[gold["kind"].isin(["permukaan", "sulit_negatif_metode", "sulit_negatif_objek"])]
    titles = [
        *others.drop_duplicates("base_id")["judul_a"],
        *others.loc[others["label"] == 0, "judul_b"],
    ]
    bases = np.array([*others["base_id"].unique(), *others.loc[others["label"] == 0, "base_id"]])
    prepared = model.prepare(titles)
    rng = np.random.default_rng(random_state)
    rows = []
    for pair in gold[(gold["label"] == 1) & (gold["kind"] != "permukaan")].itertuples():
        foreign = np.flatnonzero(bases != pair.base_id)
        query = model.prepare([str(pair.judul_b)])
        features = model.features(query, prepared, np.zeros_like(foreign), foreign)
        near = foreign[np.argsort(-model.log_odds(features), kind="stable")[:_STRANGERS]]
        drawn = [*near, *rng.choice(foreign, size=min(_STRANGERS, len(foreign)), replace=False)]
        rows += [(pair.base_id, titles[row], pair.judul_b) for row in dict.fromkeys(drawn)]
    return pd.DataFrame(rows, columns=["base_id", "judul_a", "judul_b"])


def package_structured(
    model: StructuredModel,
    gold_path: str | Path,
    corpus: Corpus,
    folder: str | Path,
    *,
    random_state: int,
    recommended: bool = False,
    evaluation: Mapping[str, float] | None = None,
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
        Its row of the leaderboard.

    Returns
    -------
    bool
        Whether anything was written.
    """
    titles = corpus.titles[[TITLE_COLUMN, PROCESSED_COLUMN]]
    gold_sha256 = sha256_of(Path(gold_path).read_bytes())
    files = {
        registry.STRUCTURED_FILE: model.to_bytes(),
        registry.TITLES_FILE: titles.to_csv(index=False, lineterminator="\n").encode("utf-8"),
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
        "resources": {path.name: sha256_of(path.read_bytes()) for path in _RESOURCES},
        "packages": recorded_packages(),
    }
    baseline = baseline_of(StructuredChecker(model, titles[TITLE_COLUMN].tolist()))
    return registry.save_model(Path(folder), files, with_baseline(metadata, baseline))
