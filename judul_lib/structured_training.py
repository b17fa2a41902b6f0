"""Fit the structured model on the development part of the gold pairs, and package it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

import judul_lib
from judul_lib import arrays, registry
from judul_lib.corpus import PROCESSED_COLUMN, TITLE_COLUMN, Corpus
from judul_lib.estimators import fit_vectorizer
from judul_lib.preprocessing import preprocess_titles
from judul_lib.settings import FULL, SEED
from judul_lib.storage import sha256_of
from judul_lib.structured import MONOTONE, STRUCTURED_FEATURES, StructuredModel, Weights
from judul_lib.title_parser import LEXICON_FILE, STEMS_FILE, TitleParser
from judul_lib.training import recorded_packages
from judul_lib.word_vectors import VECTORS_FILE, WordVectors

FOREST = {"n_estimators": 150, "min_samples_leaf": 2, "max_features": 0.5}
"""Chosen by cross-validation over the development bases."""

_FOLDS = 10
_STRANGERS, _STRANGER_WEIGHT = 8, 0.3


def make_forest(random_state: int = SEED, monotone: Sequence[int] = MONOTONE) -> ExtraTreesClassifier:
    """Return the unfitted forest: extremely randomised trees, monotone as told.

    References
    ----------
    Geurts, P., Ernst, D., & Wehenkel, L. (2006). *Extremely randomized trees*.
    """
    return ExtraTreesClassifier(**FOREST, monotonic_cst=list(monotone), random_state=random_state)


def train_structured(
    gold: pd.DataFrame,
    *,
    parser: TitleParser | None = None,
    vectors: WordVectors | None = None,
    monotone: Sequence[int] = MONOTONE,
    random_state: int = SEED,
) -> StructuredModel:
    """Fit on labelled gold pairs.

    Each pair counts twice, with its places and without, because many titles
    name none. Rewordings paired with base titles of other studies, drawn at
    random, join them as different studies with a smaller weight: in an archive
    nearly every pair is of that kind.

    Parameters
    ----------
    gold : DataFrame
        As from `judul_lib.gold.read_gold`; rows without label are left out.
    parser, vectors
        The package's own by default.
    monotone : sequence of {-1, 0, 1}
        Direction of each of `STRUCTURED_FEATURES`.
    random_state : int
        Seed of the forest.
    """
    model = _unfitted(gold, parser or TitleParser(), vectors or WordVectors.read())
    features, labels, groups = training_features(gold[gold["label"].notna()], model)
    strangers = stranger_pairs(gold, random_state)
    features = np.vstack(
        [features, model.pair_features(*(strangers[side].tolist() for side in ("judul_a", "judul_b")))]
    )
    labels = np.concatenate([labels, np.zeros(len(strangers), dtype=int)])
    groups = np.concatenate([groups, strangers["base_id"].to_numpy(dtype=object)])
    weights = np.ones(len(labels))
    weights[len(labels) - len(strangers) :] = _STRANGER_WEIGHT
    forest = make_forest(random_state, monotone)
    unseen = np.zeros(len(labels))
    for train, test in GroupKFold(min(_FOLDS, len(np.unique(groups)))).split(features, groups=groups):
        forest.fit(features[train], labels[train], sample_weight=weights[train])
        unseen[test] = forest.predict_proba(features[test])[:, 1]
    clipped = np.clip(unseen, 1e-3, 1 - 1e-3)
    platt = LogisticRegression(C=1e6)
    platt.fit(np.log(clipped / (1 - clipped))[:, None], labels, sample_weight=weights)
    forest.fit(features, labels, sample_weight=weights)
    return replace(
        model,
        forest=arrays.array_forest(forest),
        slope=round(float(platt.coef_[0, 0]), 6),
        intercept=round(float(platt.intercept_[0]), 6),
    )


def _unfitted(gold: pd.DataFrame, parser: TitleParser, vectors: WordVectors) -> StructuredModel:
    titles = list(dict.fromkeys([*gold["judul_a"], *gold["judul_b"]]))
    tfidf = fit_vectorizer(preprocess_titles(titles), FULL)
    return StructuredModel(
        tfidf=arrays.ArrayTfidf(list(tfidf.get_feature_names_out()), tfidf.idf_),
        forest=arrays.empty_forest(),
        weights=Weights.fit(titles, parser),
        slope=1.0,
        intercept=0.0,
        parser=parser,
        vectors=vectors,
    )


def stranger_pairs(gold: pd.DataFrame, random_state: int = SEED) -> pd.DataFrame:
    """Pair each rewording of a study with base titles of other studies, drawn at random.

    Returns
    -------
    DataFrame
        ``base_id`` (of the rewording), ``judul_a`` (of another base), ``judul_b``.
    """
    bases = gold.drop_duplicates("base_id")[["base_id", "judul_a"]]
    rng = np.random.default_rng(random_state)
    rows = []
    for pair in gold[gold["label"] == 1].itertuples():
        others = bases.loc[bases["base_id"] != pair.base_id, "judul_a"].to_numpy()
        drawn = rng.choice(others, size=min(_STRANGERS, len(others)), replace=False)
        rows += [(pair.base_id, other, pair.judul_b) for other in drawn]
    return pd.DataFrame(rows, columns=["base_id", "judul_a", "judul_b"])


def training_features(
    pairs: pd.DataFrame, model: StructuredModel
) -> tuple[NDArray[np.float64], NDArray[np.int_], NDArray[np.object_]]:
    """Return features, labels and bases of pairs, each once with places and once without."""
    titles = [*pairs["judul_a"], *pairs["judul_b"]]
    rows = np.arange(len(pairs))
    parts = []
    for with_place in (True, False):
        both = model.prepare(titles, with_place=with_place)
        parts.append(model.features(both, both, rows, rows + len(pairs)))
    labels = np.tile(pairs["label"].to_numpy(dtype=int), 2)
    return np.vstack(parts), labels, np.tile(pairs["base_id"].to_numpy(dtype=object), 2)


def package_structured(
    model: StructuredModel, gold_path: str | Path, corpus: Corpus, folder: str | Path
) -> bool:
    """Write the model as a folder; see `judul_lib.registry.save_model`.

    Returns
    -------
    bool
        Whether anything was written.
    """
    titles = corpus.titles[[TITLE_COLUMN, PROCESSED_COLUMN]]
    files = {
        registry.STRUCTURED_FILE: model.to_bytes(),
        registry.TITLES_FILE: titles.to_csv(index=False, lineterminator="\n").encode("utf-8"),
    }
    metadata = {
        "name": registry.STRUCTURED,
        "version": judul_lib.__version__,
        "type": "ExtraTreesClassifier",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {
            "name": Path(gold_path).name,
            "sha256": sha256_of(Path(gold_path).read_bytes()),
            "n_titles": model.weights.n_titles,
        },
        "corpus": {"name": corpus.name, "sha256": corpus.sha256, "n_titles": len(corpus.titles)},
        "features": list(STRUCTURED_FEATURES),
        "hyperparameters": FOREST,
        "resources": {
            path.name: sha256_of(path.read_bytes()) for path in (LEXICON_FILE, STEMS_FILE, VECTORS_FILE)
        },
        "packages": recorded_packages(),
    }
    return registry.save_model(Path(folder), files, metadata)
