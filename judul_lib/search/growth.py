"""How the cost of a check grows with the catalogue, and what an index costs to make."""

import cProfile
import pstats
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import ParamSpec, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import Matches
from judul_lib.checking.registry import STRUCTURED, load_model, load_structured, read_metadata
from judul_lib.core.array_files import Arrays
from judul_lib.search.index import TitleIndex
from judul_lib.search.index_files import read_index
from judul_lib.search.study_search import study_arrays
from judul_lib.structured.records import Reading
from judul_lib.study.features import TitleTable
from judul_lib.study.preprocessing import preprocess_titles, stem_word

P = ParamSpec("P")
T = TypeVar("T")
READING, FEATURES, POSTINGS = "prapemrosesan", "fitur", "daftar per istilah"
SAVING, OPENING = "menyimpan", "membuka"


def timed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, float]:
    """Return what a function returns, and the seconds that it took.

    Examples
    --------
    >>> result, seconds = timed(sorted, [2, 1])
    >>> result, seconds < 1
    ([1, 2], True)
    """
    start = perf_counter()
    result = function(*args, **kwargs)
    return result, perf_counter() - start


def growth_exponent(sizes: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """Fit ``values = factor * sizes ** exponent`` by least squares on the logarithms.

    An exponent of 1 is a cost that grows as the catalogue does, 0 one that does
    not grow.

    Parameters
    ----------
    sizes, values : array_like, shape (n,)
        Above 0; at least two different sizes.

    Returns
    -------
    exponent, factor : float

    Raises
    ------
    ValueError
        All sizes are the same.

    Examples
    --------
    >>> exponent, factor = growth_exponent([10, 100, 1000], [2, 20, 200])
    >>> round(exponent, 6), round(factor, 6)
    (1.0, 0.2)
    """
    x, y = (np.log(np.asarray(part, dtype=float)) for part in (sizes, values))
    around = x - x.mean()
    if not around.any():
        raise ValueError("one size has no growth")
    exponent = float(around @ y / (around @ around))
    return exponent, float(np.exp(y.mean() - exponent * x.mean()))


def check_all(checker: Checker, queries: Sequence[str], *, top_k: int) -> pd.DataFrame:
    """Check titles one at a time.

    Returns
    -------
    DataFrame
        One row a query: ``jawaban``, its `Matches`; ``detik``; ``dibandingkan``,
        the number of titles that were compared in full.
    """
    rows = []
    for query in queries:
        matches, seconds = timed(checker.check, query, top_k=top_k)
        rows.append((matches, seconds, getattr(checker, "n_scored", len(checker.titles))))
    return pd.DataFrame(rows, columns=["jawaban", "detik", "dibandingkan"])


def same_answers(plain: Iterable[Matches], other: Iterable[Matches]) -> dict[str, int]:
    """Count the queries that two checkers answer alike, bit by bit.

    Returns
    -------
    dict of str to int
        Number of queries, those with the same titles in the same order, and
        those whose every feature and probability is the same.
    """
    pairs = list(zip(plain, other, strict=True))
    titles = [a.titles == b.titles for a, b in pairs]
    features = [np.array_equal(a.features, b.features) for a, b in pairs]
    answers = [np.array_equal(a.probability, b.probability) for a, b in pairs]
    return {
        "judul yang diperiksa": len(pairs),
        "judul dan urutan sama": sum(titles),
        "semua nilai sama": sum(map(all, zip(titles, features, answers, strict=True))),
    }


def making_costs(titles: Sequence[str], model: str | Path) -> pd.Series:
    """Time the steps by which titles become the arrays of an index; no word is stemmed beforehand.

    Returns
    -------
    Series
        Seconds of `READING`, `FEATURES` and `POSTINGS`; reading titles into
        their units is the structured model's `FEATURES`.
    """
    stem_word.cache_clear()
    if read_metadata(model).get("name") == STRUCTURED:
        own = load_structured(model)[0]
        table, reading = timed(own.study_table, titles)
        units, features = timed(Reading.of, titles, own.parser)
        _, postings = timed(lambda: (study_arrays(table), units.arrays()))
        return pd.Series({READING: reading, FEATURES: features, POSTINGS: postings})
    tfidf = load_model(model).tfidf
    processed, reading = timed(preprocess_titles, titles)
    table, features = timed(TitleTable.build, titles, processed, tfidf)
    _, postings = timed(study_arrays, table)
    return pd.Series({READING: reading, FEATURES: features, POSTINGS: postings})


def storing_costs(index: TitleIndex, folder: str | Path) -> pd.Series:
    """Save an index to a new folder and open it.

    Returns
    -------
    Series
        Seconds of `SAVING` and of `OPENING`, in which all hashes are compared.
    """
    _, saving = timed(index.save, folder)
    _, opening = timed(TitleIndex.load, folder)
    return pd.Series({SAVING: saving, OPENING: opening})


def checking_costs(index: TitleIndex, queries: Sequence[str], *, top_k: int) -> pd.Series:
    """Say where the time of checks goes, in one thread and warm.

    Returns
    -------
    Series
        Milliseconds a check of each of `CHECK_STEPS` and of all else, as Python's profiler
        counts them: it slows small steps down, so they are shares rather than times.
    """
    threads, index.n_threads = index.n_threads, 1
    list(index.check_many(queries, top_k=top_k))
    profiler = cProfile.Profile()
    profiler.runcall(lambda: list(index.check_many(queries, top_k=top_k)))
    index.n_threads = threads
    stats = pstats.Stats(profiler)
    seconds = dict.fromkeys(CHECK_STEPS.values(), 0.0)
    for (file, _, function), (_, _, _, spent, _) in stats.stats.items():  # type: ignore[attr-defined]
        if step := CHECK_STEPS.get((Path(file).stem, function)):
            seconds[step] += spent
    rest = stats.total_tt - sum(seconds.values())  # type: ignore[attr-defined]
    return pd.Series({**seconds, _REST: rest}) * 1000 / len(queries)


CHECK_STEPS: Mapping[tuple[str, str], str] = {
    ("engines", "read"): "membaca judul yang diperiksa",
    ("study_search", "cosine"): "kosinus dan kata bersama",
    ("study_search", "shared_stems"): "kosinus dan kata bersama",
    ("structured_checker", "compare"): "membaca judul yang diperiksa",
    ("relations", "between"): "bagian judul yang berpasangan",
    ("comparison", "record_features"): "perbandingan penuh",
    ("features", "pair_features"): "kemiripan teks",
    ("boosting", "log_odds"): "pohon keputusan",
    ("arrays", "cells"): "batas atas",
    ("study_search", "levenshtein_bound"): "batas atas",
    ("study_search", "letters_bound"): "batas atas",
    ("study_search", "levenshtein"): "huruf",
    ("matches", "best_matches"): "keterangan hasil",
}
"""Functions of a check, none of which calls another, and the step that each belongs to."""


def bytes_per_title(folder: str | Path) -> pd.Series:
    """Weigh the arrays of a saved index.

    Returns
    -------
    Series
        Bytes for each title by kind of array, the heaviest first.
    """
    _, parts, _ = read_index(Path(folder), Path)
    weights: dict[str, int] = {}
    for part in parts:
        for name, size in _sizes(part.arrays):
            weights[name] = weights.get(name, 0) + size
    n_titles = sum(part.n_stored for part in parts)
    series = pd.Series(weights, dtype=float) / max(n_titles, 1)
    return series.sort_values(ascending=False, kind="stable")


def _sizes(arrays: Arrays) -> list[tuple[str, int]]:
    return [(_KINDS.get(name.split(".")[0], _REST), array.nbytes) for name, array in arrays.items()]


_REST = "lainnya"
_KINDS = {
    "titles": "judul seperti ditulis",
    "letters": "hitungan huruf judul",
    "terms": "daftar per istilah TF-IDF",
    "stems": "daftar per kata dasar",
    "read": "bagian setiap judul",
}
