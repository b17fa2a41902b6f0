"""The scikit-learn parts of a model: preprocessing, vectorizer, classifier.

They have a module of their own because scikit-learn takes two seconds to import
and a check of a title does not need it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import SEED, Profile
from judul_lib.study.preprocessing import preprocess_titles


class TitlePreprocessor(TransformerMixin, BaseEstimator):
    """Turn titles into strings of stems; stateless, each distinct word is stemmed once.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> titles = ["Klasifikasi Penyakit Padi", "Klasifikasi Penyakit Jagung"]
    >>> make_pipeline(TitlePreprocessor(), TfidfVectorizer()).fit_transform(titles).shape
    (2, 4)
    """

    def fit(self, X: Iterable[object], y: Any = None) -> Self:
        """Do nothing: there is nothing to learn."""
        return self

    def transform(self, X: Iterable[object]) -> NDArray[np.object_]:
        """Preprocess the titles.

        Parameters
        ----------
        X : iterable of object, shape (n,)
            Titles as typed.

        Returns
        -------
        ndarray of str objects, shape (n,)
        """
        return np.array(preprocess_titles(X), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def fit_vectorizer(processed: Sequence[str], profile: Profile) -> TfidfVectorizer:
    """Fit the TF-IDF of a profile.

    Parameters
    ----------
    processed : sequence of str, shape (n_titles,)
        Preprocessed titles.
    profile : Profile
        Says which terms are kept.

    Returns
    -------
    TfidfVectorizer
        Its weights are rounded to 12 decimals: processors differ in the last
        digit of a logarithm, and the saved model should not.

    Raises
    ------
    TrainingError
        No term passes the profile's limits, as when all titles are alike.
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
