"""Pairs of titles as the structured model learns from them: gold pairs, strangers, people's labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.gold import crossed_pairs
from judul_lib.preprocessing import pair_key, title_key
from judul_lib.settings import SEED
from judul_lib.signed_logistic import fit_logistic
from judul_lib.structured import MONOTONE, STRUCTURED_FEATURES, StructuredModel

FloatArray = NDArray[np.float64]

_STRANGERS = 8


@dataclass(frozen=True)
class TrainingSet:
    """Pairs as numbers: ``features`` of shape (n, n_features), ``labels``, and the base of each."""

    features: FloatArray
    labels: NDArray[np.int_]
    bases: NDArray[np.object_]


def training_set(
    gold: pd.DataFrame,
    model: StructuredModel,
    random_state: int = SEED,
    *,
    strangers: pd.DataFrame | None = None,
    placeless: bool = True,
    labelled: pd.DataFrame | None = None,
) -> TrainingSet:
    """Turn gold pairs into features.

    The pairs as written are joined by `crossed_pairs` and by each base title
    with itself, and each counts twice, with its places and without, because
    many titles name none. In an archive nearly every pair is of two studies that
    nobody wrote to be alike; so rewordings paired with titles of other studies
    join as different ones, half drawn at random, half those that a first model
    takes for the most alike.

    What a person says of a pair takes the place of what is said of it here,
    and weighs as much as a gold pair together with all that is made from it.

    Parameters
    ----------
    strangers : DataFrame
        As from `stranger_pairs`; drawn anew by default.
    placeless : bool
        Whether the pairs count a second time, without their places.
    labelled : DataFrame
        What people said: ``judul_a``, ``judul_b``, ``label`` (1 similar, 0 not).
    """
    itself = gold.drop_duplicates("base_id").assign(judul_b=lambda bases: bases["judul_a"], label=1)
    judged = gold[gold["label"].notna()]
    pairs = _without(pd.concat([judged, crossed_pairs(gold), itself]), labelled)
    sides = pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
    parts = [
        model.pair_features(*sides, with_place=with_place)
        for with_place in ((True, False) if placeless else (True,))
    ]
    labels = np.tile(pairs["label"].to_numpy(dtype=int), len(parts))
    bases = np.tile(pairs["base_id"].to_numpy(dtype=object), len(parts))
    own = TrainingSet(np.vstack(parts), labels, bases)
    if strangers is None:
        strangers = stranger_pairs(gold, fit_weights(model, own), random_state)
    strangers = _without(strangers, labelled)
    strange = model.pair_features(*(strangers[side].tolist() for side in ("judul_a", "judul_b")))
    foreign = strangers["base_id"].to_numpy(dtype=object)
    whole = _joined(own, TrainingSet(strange, np.zeros(len(strangers), dtype=int), foreign))
    if labelled is None:
        return whole
    times = max(1, round(len(whole.labels) / len(judged) / 2))
    return _joined(whole, *[_said_by_people(labelled, gold, model)] * times)


def _without(pairs: pd.DataFrame, labelled: pd.DataFrame | None) -> pd.DataFrame:
    """Leave out the pairs on which there is a person's label."""
    if labelled is None:
        return pairs
    told = set(map(pair_key, labelled["judul_a"], labelled["judul_b"]))
    return pairs[[key not in told for key in map(pair_key, pairs["judul_a"], pairs["judul_b"])]]


def _said_by_people(labelled: pd.DataFrame, gold: pd.DataFrame, model: StructuredModel) -> TrainingSet:
    """Turn labels into features, each twice as a gold pair.

    Their base is the study that one of the titles is of, else the left title.
    """
    sides = labelled["judul_a"].tolist(), labelled["judul_b"].tolist()
    labels = labelled["label"].to_numpy(dtype=int)
    written, bare = (model.pair_features(*sides, with_place=with_place) for with_place in (True, False))
    # Whoever finds a study in two places different may do so because of the places.
    by_place = (labels == 0) & model.may_be_elsewhere(written)
    bare = np.where(by_place[:, None], written, bare)
    known = pd.concat([gold["judul_b"], gold["judul_a"]]).map(title_key)
    studies = dict(zip(known, [*gold["base_id"]] * 2, strict=True))
    keys = (map(title_key, side) for side in sides)
    bases = [studies.get(a) or studies.get(b) or a for a, b in zip(*keys, strict=True)]
    return TrainingSet(
        np.vstack([written, bare]), np.tile(labels, 2), np.tile(np.array(bases, dtype=object), 2)
    )


def _joined(*parts: TrainingSet) -> TrainingSet:
    return TrainingSet(
        np.vstack([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.bases for part in parts]),
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


def fit_weights(
    model: StructuredModel,
    data: TrainingSet,
    directions: Sequence[int] = MONOTONE,
    without: Sequence[str] = (),
) -> StructuredModel:
    """Fit the weights alone, not calibrated; see `judul_lib.structured_training.fit_structured`."""
    kept = [k for k, name in enumerate(STRUCTURED_FEATURES) if name not in without]
    signs = [directions[k] for k in kept]
    centre, coefficients = np.zeros((2, len(STRUCTURED_FEATURES)))
    centre[kept], coefficients[kept], intercept = fit_logistic(
        data.features[:, kept], data.labels, signs
    )
    return replace(model, centre=centre, coefficients=coefficients, intercept=intercept)
