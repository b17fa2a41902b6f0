"""Other tools for the same task, or for an easier part of it.

scikit-learn, RapidFuzz, bm25s and sparse_dot_topn rank by one similarity; the library uses three
similarities and a forest, or the parts of a title.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from judul_lib.checking.registry import load_estimators
from judul_lib.search.index import TitleIndex
from judul_lib.search.index_files import read_index
from judul_lib.study.features import EXTRA_FEATURES, extract_pair_features, fold_titles
from judul_lib.study.preprocessing import STOP_WORDS, preprocess_text, preprocess_titles

TOP = 10


def study_loop(query: str, estimators: Any, titles: Sequence[str]) -> list[float]:
    """Compare a title with each of the others in a loop, as the study does, with case folding."""
    import Levenshtein
    from sklearn.metrics.pairwise import cosine_similarity

    tfidf, scaler, forest = estimators
    processed = preprocess_text(query)
    probabilities = []
    for title in titles:
        text = preprocess_text(title)
        rows = tfidf.transform([processed, text])
        a, b = set(processed.split()), set(text.split())
        features = [
            cosine_similarity(rows[0], rows[1])[0, 0],
            len(a & b) / len(a | b) if a or b else 0.0,
            Levenshtein.ratio(query.casefold(), title.strip().casefold()),
        ]
        if EXTRA_FEATURES:
            features += extract_pair_features(*rows, processed, text, query, title)[3:].tolist()
        probabilities.append(forest.predict_proba(scaler.transform([features]))[0, 1])
    return probabilities


def sastrawi_loop(titles: Sequence[str], stemmer: Any) -> list[str]:
    """Preprocess titles in a loop with an unmodified Sastrawi stemmer."""
    import re

    processed = []
    for title in titles:
        words = re.sub(r"[^a-z\s]", " ", title.lower()).split()
        terms = [word for word in words if len(word) > 1 and word not in STOP_WORDS]
        processed.append(" ".join(stemmer.stem(word) for word in terms))
    return processed


def stems_of(titles: Sequence[str]) -> list[list[str]]:
    """Return the stems of each title."""
    return [text.split() for text in preprocess_titles(titles)]


def write_bm25(stems: list[list[str]], folder: Path) -> None:
    """Build and save a bm25s index of stems."""
    import bm25s

    retriever = bm25s.BM25()
    retriever.index(stems, show_progress=False)
    retriever.save(folder, show_progress=False)


def bm25_answer(folder: Path) -> Callable[[str], Any]:
    """Return a function that finds the best titles by bm25s."""
    import bm25s

    retriever = bm25s.BM25.load(folder)

    def answer(query: str) -> Any:
        stems = [preprocess_text(query).split() or [""]]
        return retriever.retrieve(stems, k=TOP, show_progress=False, n_threads=0)

    return answer


def sklearn_answer(tfidf: Any, rows: Any) -> Callable[[str], Any]:
    """Return a function that finds the best titles by the cosine of their TF-IDF rows."""
    return lambda query: sklearn_block([query], tfidf, rows)


def sklearn_block(queries: Sequence[str], tfidf: Any, rows: Any) -> Any:
    """Find the best titles of all queries by the cosine, in one matrix product."""
    from sklearn.metrics.pairwise import cosine_similarity

    scores = cosine_similarity(tfidf.transform(preprocess_titles(queries)), rows)
    best = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def rapidfuzz_answer(titles: Sequence[str]) -> Callable[[str], Any]:
    """Return a function that finds the best titles by their letters."""
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import extract

    letters = fold_titles(titles)
    return lambda query: extract(
        query.casefold(), letters, scorer=Indel.normalized_similarity, limit=TOP
    )


def all_letters_answer(titles: Sequence[str]) -> Callable[[str], Any]:
    """Return a function that compares the letters with those of every title, on all cores."""
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    letters = fold_titles(titles)
    return lambda query: cdist(
        [query.casefold()], letters, scorer=Indel.normalized_similarity, workers=-1
    )


def all_units_answer(folder: Path) -> Callable[[str], Any]:
    """Return a function that sums a value per unit of every title, on all cores.

    The structured model needs at least this for each title.
    """
    _, parts, _ = read_index(folder, TitleIndex)
    tables = []
    for arrays in (part.arrays for part in parts):
        numbers, ends = arrays["read.numbers"], arrays["read.ends"]
        ones = np.ones(len(numbers), dtype=np.float32)
        shape = (len(ends) - 1, int(numbers.max(initial=0)) + 1)
        values = np.ones((shape[1], 2), dtype=np.float32)
        tables.append((csr_matrix((ones, numbers, ends), shape=shape), values))

    def answer(query: str) -> Any:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda table: table[0] @ table[1], tables))

    return answer


def tfidf_rows(titles: Sequence[str], model: Path) -> tuple[Any, Any]:
    """Return a model's vectorizer and its rows of the titles."""
    tfidf = load_estimators(model)[0]
    return tfidf, tfidf.transform(preprocess_titles(titles))


def sparse_pairs(rows: Any, threshold: float) -> Any:
    """Find the hundred best rows for each row by the cosine, from a threshold on."""
    from sparse_dot_topn import sp_matmul_topn

    return sp_matmul_topn(rows, rows.T.tocsr(), top_n=100, threshold=threshold, n_threads=2)
