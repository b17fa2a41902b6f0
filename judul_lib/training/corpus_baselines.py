"""What a model answers for the titles of its own corpus: the baseline that drift is measured from.

For every title, the best probability among the other titles, and the share of
words that the model would not have known had it never seen that title.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from judul_lib.checking.checker import Checker, TitleChecker
from judul_lib.core.settings import SEED
from judul_lib.study.features import FloatArray
from judul_lib.study.preprocessing import preprocess_titles
from judul_lib.training.drift import Baseline, ModelBaseline

# Titles that stand for a larger corpus, so that training is not held up (the measures of drift
# know how many they were), and pairs compared in one call.
_MOST_TITLES, _PAIRS = 500, 20_000
_FOLDS = 5


def baseline_of(checker: Checker, version: str | None = None) -> ModelBaseline:
    """Ask a model about the titles of its corpus.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> baseline_of(load_checker("outputs/light")).probability.n
    123
    """
    probability, unknown = Baseline.of(top_probabilities(checker)), Baseline.of(unknown_shares(checker))
    return ModelBaseline(probability, unknown, version)


def top_probabilities(checker: Checker) -> FloatArray:
    """Return for each title of a model's corpus the best probability among the other titles.

    Returns
    -------
    ndarray of float, shape (n,)
        Of a corpus with more than 500 titles, a seeded sample asks.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> checker = load_checker("outputs/light", ["Deteksi Hoaks", "Deteksi HOAKS", "Prediksi Beras"])
    >>> (top_probabilities(checker) >= 0.5).tolist()
    [True, True, False]
    """
    titles = list(checker.titles)
    n = len(titles)
    if n < 2:
        return np.empty(0)
    asked = np.arange(n)
    if n > _MOST_TITLES:
        asked = np.sort(np.random.default_rng(SEED).choice(n, _MOST_TITLES, replace=False))
    comparison = checker.compare(titles, titles)
    best = np.empty(len(asked))
    at_once = max(1, _PAIRS // n)
    for start in range(0, len(asked), at_once):
        rows = asked[start : start + at_once]
        left, right = np.repeat(rows, n), np.tile(np.arange(n), len(rows))
        probability = checker.probability(comparison.features(left, right)).reshape(len(rows), n)
        probability[np.arange(len(rows)), rows] = -1.0  # Itself.
        best[start : start + len(rows)] = probability.max(axis=1)
    return best


def unknown_shares(checker: Checker) -> FloatArray:
    """Return for each title of a model's corpus the share of its words that are not known.

    A word that a model of the study learned from this title alone counts as
    unknown too: it would be, had the title come as a question. To that end the
    titles are shared out over five seeded folds, and a word has to occur in
    another fold. The structured model's dictionaries know nothing of its corpus.

    Returns
    -------
    ndarray of float, shape (n,)
        Of the distinct stems; without any, 0.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> unknown_shares(load_checker("outputs/structured", ["Deteksi Hoaks", "Deteksi Xyzzy"])).tolist()
    [0.0, 0.5]
    """
    stems = [set(text.split()) for text in preprocess_titles(checker.titles)]
    folds = _folds(len(stems))
    places: dict[str, set[int]] = {}
    for own, fold in zip(stems, folds.tolist(), strict=True):
        for stem in own:
            places.setdefault(stem, set()).add(fold)
    learned = isinstance(checker, TitleChecker)
    known = {stem: checker.is_known(stem) for stem in places}
    where = places if learned else {}
    rows = zip(stems, folds.tolist(), strict=True)
    return np.array([_unknown(own, fold, known, where) for own, fold in rows])


def _unknown(
    stems: set[str], fold: int, known: Mapping[str, bool], places: Mapping[str, set[int]]
) -> float:
    if not stems:
        return 0.0
    return sum(not known[stem] or places.get(stem) == {fold} for stem in stems) / len(stems)


def _folds(n: int) -> NDArray[np.intp]:
    return np.random.default_rng(SEED).permutation(n) % _FOLDS
