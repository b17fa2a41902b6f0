"""Ways to compare two titles that are in common use, all under one interface.

Each is a function of two lists of titles that returns one score in [0, 1] a
pair. What has to be fitted is fitted on the development titles.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from judul_lib.features import FEATURES, TitleTable
from judul_lib.preprocessing import preprocess_titles

FloatArray = NDArray[np.float64]
Scorer = Callable[[Sequence[str], Sequence[str]], FloatArray]

_GRAM, _WINDOW = 5, 4
_K1, _B = 1.5, 0.75


def fit_baselines(titles: Sequence[str]) -> dict[str, Scorer]:
    """Return the baselines, fitted on some titles.

    Parameters
    ----------
    titles : sequence of str
        Development titles: their words are the vocabulary and the weights.

    Returns
    -------
    dict of str to callable
        Name (as readers see it) to scorer.

    Examples
    --------
    >>> methods = fit_baselines(["Deteksi Hoaks", "Prediksi Harga Beras"])
    >>> methods["Jaccard"](["Deteksi Hoaks"], ["DETEKSI HOAKS"]).tolist()
    [1.0]
    """
    processed = preprocess_titles(titles)
    bigrams = TfidfVectorizer(ngram_range=(1, 2)).fit(processed)
    return {
        "kosinus TF-IDF (1,2)": _feature("cosine", bigrams),
        "Jaccard": _feature("jaccard", bigrams),
        "Levenshtein": _feature("levenshtein", bigrams),
        "kosinus TF-IDF kata, sublinear": _cosine_of(TfidfVectorizer(sublinear_tf=True).fit(processed)),
        "kosinus TF-IDF huruf 2-4": _letters(titles),
        "BM25": _bm25(processed),
        "Jaro-Winkler": _letters_ratio(JaroWinkler.normalized_similarity, 1.0),
        "token-set ratio": _letters_ratio(fuzz.token_set_ratio, 100.0),
        "Rabin-Karp (n-gram huruf)": _grams(_all_grams),
        "Winnowing": _grams(_winnowed),
    }


def _feature(name: str, vectorizer: TfidfVectorizer) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        tables = (TitleTable.build(side, preprocess_titles(side), vectorizer) for side in (left, right))
        return FEATURES[name](*tables)

    return score


def _cosine_of(vectorizer: TfidfVectorizer) -> Scorer:
    def score(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        a, b = (vectorizer.transform(preprocess_titles(side)) for side in (left, right))
        return _row_dots(a, b)

    return score


def _letters(titles: Sequence[str]) -> Scorer:
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit(titles)
    return lambda left, right: _row_dots(vectorizer.transform(left), vectorizer.transform(right))


def _row_dots(a: csr_matrix, b: csr_matrix) -> FloatArray:
    return np.clip(np.asarray(a.multiply(b).sum(axis=1), dtype=float).ravel(), 0.0, 1.0)


def _bm25(processed: Sequence[str]) -> Scorer:
    """Score with Okapi BM25, divided by the query's score against itself; the better direction counts.

    Robertson, S., & Zaragoza, H. (2009). *The Probabilistic Relevance Framework*.
    """
    counter = CountVectorizer().fit(processed)
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
        a, b = (counter.transform(preprocess_titles(side)) for side in (left, right))
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
