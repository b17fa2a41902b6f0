"""Cross-validation in which no title, nor its family, is on both sides of a split."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupKFold

from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import SEED, LabelingSettings, Profile
from judul_lib.study.estimators import fit_vectorizer, make_classifier
from judul_lib.study.features import FEATURES, TitleTable
from judul_lib.study.labeling import label_pairs
from judul_lib.training.forest import features_of_pairs

_MAX_FOLDS = 5


def title_disjoint_predictions(
    titles: Sequence[str],
    processed: Sequence[str],
    profile: Profile,
    forest_params: dict[str, Any],
    *,
    features: Sequence[str] = tuple(FEATURES),
    settings: LabelingSettings | None = None,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Predict each fold of titles with a model trained on none of its titles.

    Pairs are labelled by the profile's own cosine. Titles connected by similar pairs
    form a family and stay in one fold, so that no similar pair is split. Vectorizer,
    scaler and forest are fitted on the other folds only. Pairs between folds are not
    used, nor is a fold without which no similar pair is left for training.

    Parameters
    ----------
    features : sequence of str
        Names in `FEATURES` to train on.

    Returns
    -------
    DataFrame
        The pairs of all folds: ``left``, ``right``, features, ``label``,
        ``probability`` and ``family`` (of the left title).

    Raises
    ------
    TrainingError
        All similar pairs are in one family.
    """
    rows = fit_vectorizer(processed, profile).transform(processed)
    truth = label_pairs(rows, settings=settings, random_state=random_state).pairs
    families = title_families(truth, len(titles))
    groups = GroupKFold(
        min(_MAX_FOLDS, len(np.unique(families))), shuffle=True, random_state=random_state
    )
    parts = []
    for fold in groups.split(np.zeros(len(titles)), groups=families):
        tfidf = fit_vectorizer([processed[i] for i in fold[0]], profile)
        table = TitleTable.build(titles, processed, tfidf)
        train, test = (_label_subset(rows, part, table, settings, random_state) for part in fold)
        if train["label"].nunique() < 2 or test.empty:
            continue
        model = make_classifier(random_state, **forest_params)
        model.fit(train[list(features)].to_numpy(), train["label"].to_numpy())
        probability = model.predict_proba(test[list(features)].to_numpy())[:, 1]
        parts.append(test.assign(probability=probability))
    if not parts:
        raise TrainingError(
            "Semua pasangan mirip ada dalam satu keluarga judul: tidak ada yang tersisa untuk dilatih "
            "bila keluarga itu disisihkan. Tambahkan judul ke korpus."
        )
    result = pd.concat(parts, ignore_index=True)
    return result.assign(family=families[result["left"]])


def _label_subset(
    rows: Any,
    subset: NDArray[np.int_],
    table: TitleTable,
    settings: LabelingSettings | None,
    random_state: int,
) -> pd.DataFrame:
    pairs = label_pairs(rows[subset], settings=settings, random_state=random_state).pairs
    pairs = pairs.assign(left=subset[pairs["left"]], right=subset[pairs["right"]])
    return features_of_pairs(table, pairs)


def title_families(pairs: pd.DataFrame, n_titles: int) -> NDArray[np.int32]:
    """Return the family of each title: its connected component in the graph of similar pairs.

    Returns
    -------
    ndarray of int, shape (n_titles,)

    Examples
    --------
    >>> pairs = pd.DataFrame({"left": [0, 1], "right": [1, 2], "label": [1, 0]})
    >>> title_families(pairs, 3).tolist()
    [0, 0, 1]
    """
    similar = pairs[pairs["label"] == 1]
    edges = (np.ones(len(similar)), (similar["left"], similar["right"]))
    return connected_components(coo_matrix(edges, shape=(n_titles, n_titles)), directed=False)[1]
