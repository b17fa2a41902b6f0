"""Baseline methods, sentence encoders among them."""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from judul_lib.core.array_types import FloatArray
from judul_lib.core.errors import ModelError
from judul_lib.core.settings import SEED
from judul_lib.study.features import FEATURES, TitleTable, distinct_titles, pair_features
from judul_lib.study.preprocessing import preprocess_titles

ENCODER_VARIABLE = "JUDUL_ENCODER"
Scorer = Callable[[Sequence[str], Sequence[str]], FloatArray]

_GRAM_LENGTH, _WINDOW_SIZE = 5, 4
_K1, _B = 1.5, 0.75  # Parameters of BM25.


@dataclass(frozen=True)
class Method:
    """A way to compare titles.

    Attributes
    ----------
    score : callable
        Maps two lists of titles to a score in [0, 1] for each pair.
    fitted : tuple
        Its fitted parts, if any.
    """

    score: Scorer
    fitted: tuple[Any, ...] = ()

    def __call__(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Score pairs of titles."""
        return self.score(left, right)

    @property
    def n_bytes(self) -> int:
        """Size of the fitted parts on disk."""
        if not self.fitted:
            return 0
        stream = io.BytesIO()
        joblib.dump(self.fitted, stream)
        return stream.getbuffer().nbytes


def encoder_methods() -> dict[str, Method]:
    """Return the sentence encoder in the folder ``JUDUL_ENCODER`` as a method, if there is one.

    The folder holds a model of ``sentence-transformers`` (extra ``semantic``).

    Returns
    -------
    dict of str to Method
        Empty if the environment variable is not set or the package is not installed.

    Raises
    ------
    ModelError
        The folder does not exist.
    """
    folder = os.environ.get(ENCODER_VARIABLE)
    if not folder or find_spec("sentence_transformers") is None:
        return {}
    if not Path(folder).is_dir():
        raise ModelError(f"{ENCODER_VARIABLE} menunjuk ke {folder}, tetapi folder itu tidak ada.")
    from sentence_transformers import SentenceTransformer

    return {f"encoder ({Path(folder).name})": encoder_method(SentenceTransformer(folder))}


def encoder_method(encoder: Any) -> Method:
    """Compare titles by the cosine of their encodings, scaled from [-1, 1] to [0, 1].

    Titles are lowercased first, since an encoder also encodes the case.

    Parameters
    ----------
    encoder : object
        Has a method ``encode(list of str) -> ndarray of shape (n, n_dimensions)``.

    References
    ----------
    Reimers, N., & Gurevych, I. (2019). *Sentence-BERT*.

    Examples
    --------
    >>> class Lengths:
    ...     def encode(self, titles):
    ...         return [[len(title), 10] for title in titles]
    >>> encoder_method(Lengths())(["abc"], ["abd"]).round(6).tolist()
    [1.0]
    """

    def score(left: Any, right: Any) -> Any:
        titles, *sides = distinct_titles(*([t.lower() for t in side] for side in (left, right)))
        vectors = np.asarray(encoder.encode(titles), dtype=float)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        a, b = (vectors[side] for side in sides)
        return np.clip((np.einsum("ij,ij->i", a, b) + 1) / 2, 0.0, 1.0)

    return Method(score)


def fit_baselines(titles: Sequence[str]) -> dict[str, Method]:
    """Fit the methods that need no labels.

    Parameters
    ----------
    titles : sequence of str
        Development titles, for vocabulary and weights.

    Returns
    -------
    dict of str to Method
        By displayed name.

    Examples
    --------
    >>> methods = fit_baselines(["Deteksi Hoaks", "Prediksi Harga Beras"])
    >>> methods["Jaccard"](["Deteksi Hoaks"], ["DETEKSI HOAKS"]).tolist()
    [1.0]
    """
    processed = preprocess_titles(titles)
    bigrams = TfidfVectorizer(ngram_range=(1, 2)).fit(processed)
    words = TfidfVectorizer(sublinear_tf=True).fit(processed)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit(titles)
    counter = CountVectorizer().fit(processed)
    return {
        "kosinus TF-IDF (1,2)": Method(_feature_scorer("cosine", bigrams), (bigrams,)),
        "Jaccard": Method(_feature_scorer("jaccard", bigrams)),
        "Levenshtein": Method(_feature_scorer("levenshtein", bigrams)),
        "kosinus TF-IDF kata, sublinear": Method(_cosine_scorer(words), (words,)),
        "kosinus TF-IDF huruf 2-4": Method(_cosine_scorer(letters, preprocess=False), (letters,)),
        "BM25": Method(_bm25_scorer(counter, processed), (counter,)),
        "Jaro-Winkler": Method(_string_scorer(JaroWinkler.normalized_similarity, 1.0)),
        "token-set ratio": Method(_string_scorer(fuzz.token_set_ratio, 100.0)),
        "Rabin-Karp (n-gram huruf)": Method(_dice_scorer(_letter_grams)),
        "Winnowing": Method(_dice_scorer(_winnowed_grams)),
    }


def fit_on_study_features(pairs: pd.DataFrame, random_state: int = SEED) -> dict[str, Method]:
    """Fit classifiers on the study's three features and gold labels.

    They show what the three features are worth with labels of meaning.

    Parameters
    ----------
    pairs : DataFrame
        Development pairs as from `judul_lib.structured.gold.read_gold`.
    """
    labelled = pairs[pairs["label"].notna()]
    titles = list(dict.fromkeys([*pairs["judul_a"], *pairs["judul_b"]]))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2)).fit(preprocess_titles(titles))
    features = _study_features(vectorizer, labelled["judul_a"].tolist(), labelled["judul_b"].tolist())
    labels = labelled["label"].to_numpy(dtype=int)
    forest = RandomForestClassifier(300, min_samples_leaf=5, random_state=random_state)
    return {
        name: Method(_classifier_scorer(vectorizer, model.fit(features, labels)), (vectorizer, model))
        for name, model in (
            ("regresi logistik, 3 fitur studi", LogisticRegression()),
            ("random forest, 3 fitur studi", forest),
        )
    }


def _study_features(
    vectorizer: TfidfVectorizer, left: Sequence[str], right: Sequence[str]
) -> FloatArray:
    return pair_features(*_tables(vectorizer, left, right))


def _tables(
    vectorizer: TfidfVectorizer, left: Sequence[str], right: Sequence[str]
) -> tuple[TitleTable, TitleTable]:
    titles, left_rows, right_rows = distinct_titles(left, right)
    table = TitleTable.build(titles, preprocess_titles(titles), vectorizer)
    return table.take(left_rows), table.take(right_rows)


def _classifier_scorer(vectorizer: TfidfVectorizer, classifier: ClassifierMixin) -> Scorer:
    return lambda left, right: classifier.predict_proba(_study_features(vectorizer, left, right))[:, 1]


def _feature_scorer(name: str, vectorizer: TfidfVectorizer) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        return FEATURES[name](*_tables(vectorizer, left, right))

    return score


def _cosine_scorer(vectorizer: TfidfVectorizer, *, preprocess: bool = True) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        titles, *sides = distinct_titles(left, right)
        rows = vectorizer.transform(preprocess_titles(titles) if preprocess else titles)
        a, b = (rows[side] for side in sides)
        return np.clip(np.asarray(a.multiply(b).sum(axis=1), dtype=float).ravel(), 0.0, 1.0)

    return score


def _bm25_scorer(counter: CountVectorizer, processed: Sequence[str]) -> Scorer:
    """Okapi BM25 divided by the query's score against itself, in the direction that scores higher.

    Robertson, S., & Zaragoza, H. (2009). *The Probabilistic Relevance Framework*.
    """
    counts = counter.transform(processed)
    frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    idf = np.log(1 + (len(processed) - frequency + 0.5) / (frequency + 0.5))
    mean_length = counts.sum() / max(len(processed), 1)

    def weighted(rows: csr_matrix) -> csr_matrix:
        lengths = np.asarray(rows.sum(axis=1)).ravel()
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        tf = rows.data.astype(float)
        saturated = tf * (_K1 + 1) / (tf + _K1 * (1 - _B + _B * lengths[row] / mean_length))
        return csr_matrix((saturated * idf[rows.indices], rows.indices, rows.indptr), rows.shape)

    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        titles, *sides = distinct_titles(left, right)
        rows = counter.transform(preprocess_titles(titles))
        a, b = (rows[side] for side in sides)
        best = np.zeros(len(left))
        for query, document in ((a, b), (b, a)):
            maximum = np.asarray(query.multiply(weighted(query)).sum(axis=1)).ravel()
            bm25 = np.asarray(query.multiply(weighted(document)).sum(axis=1)).ravel()
            share = np.divide(bm25, maximum, out=np.zeros(len(left)), where=maximum > 0)
            best = np.maximum(best, share)
        return np.clip(best, 0.0, 1.0)

    return score


def _string_scorer(scorer: Callable[..., float], max_score: float) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        folded = ([title.casefold() for title in side] for side in (left, right))
        return cpdist(*folded, scorer=scorer, dtype=np.float64) / max_score

    return score


def _dice_scorer(fingerprint: Callable[[str], set[str]]) -> Scorer:
    fingerprint = lru_cache(maxsize=20_000)(fingerprint)

    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        pairs = ((fingerprint(a), fingerprint(b)) for a, b in zip(left, right, strict=True))
        shares = (2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0 for a, b in pairs)
        return np.fromiter(shares, dtype=float, count=len(left))

    return score


def _grams(title: str) -> list[str]:
    letters = "".join(c for c in title.casefold() if c.isalnum())
    return [letters[i : i + _GRAM_LENGTH] for i in range(len(letters) - _GRAM_LENGTH + 1)]


def _letter_grams(title: str) -> set[str]:
    """Return all n-grams of letters, as a Rabin-Karp search compares them."""
    return set(_grams(title))


def _winnowed_grams(title: str) -> set[str]:
    """Return the minimum n-gram of each window, in the order of the reversed n-grams.

    The original takes the minimum hash: Schleimer, S., Wilkerson, D., & Aiken, A. (2003).
    *Winnowing: local algorithms for document fingerprinting*.
    """
    grams = [gram[::-1] for gram in _grams(title)]
    windows = range(max(1, len(grams) - _WINDOW_SIZE + 1))
    return {min(grams[i : i + _WINDOW_SIZE]) for i in windows if grams}
