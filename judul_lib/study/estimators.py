"""The scikit-learn parts of a model: vectorizer, scaler, classifier.

They are a separate module because importing scikit-learn takes two seconds and
checking a title does not need it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import SEED, Profile


def fit_vectorizer(processed: Sequence[str], profile: Profile) -> TfidfVectorizer:
    """Fit the TF-IDF of a profile.

    Parameters
    ----------
    processed : sequence of str, shape (n_titles,)
        Preprocessed titles.
    profile : Profile

    Returns
    -------
    TfidfVectorizer
        Its weights are rounded to 12 decimals, because processors differ in the
        last digit of a logarithm and the saved model should not.

    Raises
    ------
    TrainingError
        No term passes the profile's limits, for example because all titles are alike.
    """
    vectorizer = TfidfVectorizer(**profile.tfidf)
    try:
        vectorizer.fit(processed)
    except ValueError as error:
        raise TrainingError(
            f"Tidak ada kata yang dapat dipakai {profile.title}: judul-judulnya terlalu sedikit atau "
            "terlalu seragam. Tambahkan judul yang beragam ke berkas itu."
        ) from error
    vectorizer.idf_ = np.round(vectorizer.idf_, 12)
    return vectorizer


def make_classifier(random_state: int = SEED, **forest_params: Any) -> Pipeline:
    """Return the study's unfitted classifier: steps ``scaler`` and ``forest``.

    Examples
    --------
    >>> list(make_classifier(n_estimators=10).named_steps)
    ['scaler', 'forest']
    """
    forest = RandomForestClassifier(random_state=random_state, **forest_params)
    return Pipeline([("scaler", StandardScaler()), ("forest", forest)])
