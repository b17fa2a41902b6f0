"""The usual methods to compare with, sentence encoders among them."""

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

_GRAM, _WINDOW = 5, 4
_K1, _B = 1.5, 0.75


@dataclass(frozen=True)
class Method:
    """A way to compare titles.

    Attributes
    ----------
    score : callable
        Two lists of titles to one score in [0, 1] a pair.
    fitted : tuple
        What was fitted for it; empty where nothing was.
    """

    score: Scorer
    fitted: tuple[Any, ...] = ()

    def __call__(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Score pairs of titles."""
        return self.score(left, right)

    @property
    def n_bytes(self) -> int:
        """Size on disk of what was fitted."""
        if not self.fitted:
            return 0
        stream = io.BytesIO()
        joblib.dump(self.fitted, stream)
        return stream.getbuffer().nbytes


def encoder_methods(folder: str | None = None) -> dict[str, Method]:
    """Return the encoder of a local folder as a method, or nothing where there is none.

    Parameters
    ----------
    folder : str
        Model folder of ``sentence-transformers`` (extra ``semantic``); by
        default what the environment variable ``JUDUL_ENCODER`` names.

    Returns
    -------
    dict of str to Method
        Empty when no folder is named or the package is not installed.

    Raises
    ------
    ModelError
        The folder is named but is not there.
    """
    folder = folder or os.environ.get(ENCODER_VARIABLE)
    if not folder or find_spec("sentence_transformers") is None:
        return {}
    if not Path(folder).is_dir():
        raise ModelError(f"{ENCODER_VARIABLE} menunjuk ke {folder}, tetapi folder itu tidak ada.")
    from sentence_transformers import SentenceTransformer

    return {f"encoder ({Path(folder).name})": encoder_method(SentenceTransformer(folder))}


def encoder_method(encoder: Any) -> Method:
    """Compare titles by the cosine of their encodings, scaled from [-1, 1] to [0, 1].

    The encoder is given lower case: as typed, titles would seem alike for being typed alike.

    Parameters
    ----------
    encoder : object
        With ``encode(list of str) -> ndarray of shape (n, n_dimensions)``.

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
    """Return the methods that need no labels, fitted on some titles.

    Parameters
    ----------
    titles : sequence of str
        Development titles: their words are the vocabulary and the weights.

    Returns
    -------
    dict of str to Method
        By the name that readers see.

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
        "kosinus TF-IDF (1,2)": Method(_feature("cosine", bigrams), (bigrams,)),
        "Jaccard": Method(_feature("jaccard", bigrams)),
        "Levenshtein": Method(_feature("levenshtein", bigrams)),
        "kosinus TF-IDF kata, sublinear": Method(_cosine_of(words), (words,)),
        "kosinus TF-IDF huruf 2-4": Method(_cosine_of(letters, processed=False), (letters,)),
        "BM25": Method(_bm25(counter, processed), (counter,)),
        "Jaro-Winkler": Method(_letters_ratio(JaroWinkler.normalized_similarity, 1.0)),
        "token-set ratio": Method(_letters_ratio(fuzz.token_set_ratio, 100.0)),
        "Rabin-Karp (n-gram huruf)": Method(_grams(_all_grams)),
        "Winnowing": Method(_grams(_winnowed)),
    }


def fit_on_study_features(pairs: pd.DataFrame, random_state: int = SEED) -> dict[str, Method]:
    """Return classifiers on the study's three features alone, fitted on gold labels.

    What the three features could tell if the study had had labels of meaning.

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
        name: Method(_classified(vectorizer, classifier.fit(features, labels)), (vectorizer, classifier))
        for name, classifier in (
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


def _classified(vectorizer: TfidfVectorizer, classifier: ClassifierMixin) -> Scorer:
    return lambda left, right: classifier.predict_proba(_study_features(vectorizer, left, right))[:, 1]


def _feature(name: str, vectorizer: TfidfVectorizer) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        return FEATURES[name](*_tables(vectorizer, left, right))

    return score


def _cosine_of(vectorizer: TfidfVectorizer, *, processed: bool = True) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        titles, *sides = distinct_titles(left, right)
        rows = vectorizer.transform(preprocess_titles(titles) if processed else titles)
        return _row_dots(*(rows[side] for side in sides))

    return score


def _row_dots(a: csr_matrix, b: csr_matrix) -> FloatArray:
    return np.clip(np.asarray(a.multiply(b).sum(axis=1), dtype=float).ravel(), 0.0, 1.0)


def _bm25(counter: CountVectorizer, processed: Sequence[str]) -> Scorer:
    """Score with Okapi BM25, divided by the query's score against itself; the better direction counts.

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
            own = np.asarray(query.multiply(weighted(query)).sum(axis=1)).ravel()
            found = np.asarray(query.multiply(weighted(document)).sum(axis=1)).ravel()
            best = np.maximum(best, np.divide(found, own, out=np.zeros(len(own)), where=own > 0))
        return np.clip(best, 0.0, 1.0)

    return score


def _letters_ratio(scorer: Callable[..., float], whole: float) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        folded = ([title.casefold() for title in side] for side in (left, right))
        return cpdist(*folded, scorer=scorer, dtype=np.float64) / whole

    return score


def _grams(fingerprint: Callable[[str], set[str]]) -> Scorer:
    fingerprint = lru_cache(maxsize=20_000)(fingerprint)

    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        pairs = ((fingerprint(a), fingerprint(b)) for a, b in zip(left, right, strict=True))
        shares = (2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0 for a, b in pairs)
        return np.fromiter(shares, dtype=float, count=len(left))

    return score


def _all_grams(title: str) -> set[str]:
    """Return all n-grams of letters, as a Rabin-Karp search compares them (Dice)."""
    letters = "".join(c for c in title.casefold() if c.isalnum())
    return {letters[i : i + _GRAM] for i in range(len(letters) - _GRAM + 1)}


def _winnowed(title: str) -> set[str]:
    """Return the least n-gram of each window.

    Schleimer, S., Wilkerson, D., & Aiken, A. (2003). *Winnowing: local
    algorithms for document fingerprinting*. The grams themselves stand for
    their hashes, by a fixed order.
    """
    letters = "".join(c for c in title.casefold() if c.isalnum())
    grams = [letters[i : i + _GRAM][::-1] for i in range(len(letters) - _GRAM + 1)]
    windows = range(max(1, len(grams) - _WINDOW + 1))
    return {min(grams[i : i + _WINDOW]) for i in windows if grams[i : i + _WINDOW]}
