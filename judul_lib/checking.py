"""Compare a proposed title with every title of a corpus.

Nothing here needs scikit-learn or pandas until a table is asked for: the first
answer of the ``judul check`` command depends on it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from judul_lib.features import FloatArray, TitleTable, distinct_titles, pair_features
from judul_lib.matches import RESULT_COLUMNS, Matches, label, ranking
from judul_lib.preprocessing import preprocess_titles
from judul_lib.settings import DECISION_THRESHOLD, ELSEWHERE

if TYPE_CHECKING:
    import pandas as pd

    from judul_lib.registry import Model
    from judul_lib.structured_checking import StructuredChecker


class TitleChecker:
    """A model with a corpus made ready once, to check many titles.

    Parameters
    ----------
    tfidf, scaler, forest
        Fitted parts: scikit-learn's, or those of `judul_lib.arrays`.
    titles, processed : sequence of str, shape (n,)
        The corpus as typed and preprocessed.
    threshold : float
        Probability from which a title counts as similar.

    Examples
    --------
    >>> from judul_lib import load_model
    >>> checker = TitleChecker.from_model(load_model("outputs/light"))
    >>> checker.check("Prediksi Harga Beras dengan LSTM", top_k=3).features.shape
    (3, 3)
    """

    def __init__(
        self,
        tfidf: Any,
        scaler: Any,
        forest: Any,
        titles: Sequence[str],
        processed: Sequence[str],
        *,
        threshold: float = DECISION_THRESHOLD,
    ) -> None:
        self.titles = list(titles)
        self.threshold = threshold
        self._tfidf, self._scaler, self._forest = tfidf, scaler, forest
        self._table = TitleTable.build(self.titles, processed, tfidf)

    @classmethod
    def from_model(
        cls,
        model: "Model",
        titles: Sequence[str] | None = None,
        *,
        threshold: float = DECISION_THRESHOLD,
    ) -> "TitleChecker":
        """Take a model's parts, and its own corpus unless other titles are given."""
        processed = model.processed if titles is None else preprocess_titles(titles)
        known = model.titles if titles is None else titles
        return cls(model.tfidf, model.scaler, model.forest, known, processed, threshold=threshold)

    def check(self, title: str, *, top_k: int | None = None) -> Matches:
        """Compare one title with the whole corpus.

        Parameters
        ----------
        title : str
            The title as typed.
        top_k : int
            Number of matches returned; all by default.

        Returns
        -------
        Matches
            By probability, then cosine, then Levenshtein ratio, then the
            corpus's own order.
        """
        query = TitleTable.build([title], preprocess_titles([title]), self._tfidf)
        left = query.take(np.zeros(len(self.titles), dtype=np.intp))
        features = pair_features(left, self._table)
        probability = self._probability(features)
        best = ranking(features, probability)[:top_k]
        return Matches(
            [self.titles[i] for i in best],
            features[best],
            probability[best],
            self.threshold,
            [label(p, self.threshold) for p in probability[best]],
        )

    def score(
        self, left: Sequence[str], right: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, list[str]]:
        """Compare row *i* of the one with row *i* of the other.

        Returns
        -------
        features : ndarray of float, shape (n, 3)
        probability : ndarray of float, shape (n,)
        labels : list of str, shape (n,)
        """
        titles, left_rows, right_rows = distinct_titles(left, right)
        table = TitleTable.build(titles, preprocess_titles(titles), self._tfidf)
        features = pair_features(table.take(left_rows), table.take(right_rows))
        probability = self._probability(features)
        return features, probability, [label(p, self.threshold) for p in probability]

    def _probability(self, features: FloatArray) -> FloatArray:
        if not len(features):
            return np.empty(0)
        return self._forest.predict_proba(self._scaler.transform(features))[:, 1]


def load_checker(
    folder: str | Path,
    titles: Sequence[str] | None = None,
    *,
    threshold: float = DECISION_THRESHOLD,
    elsewhere: str = ELSEWHERE,
) -> "TitleChecker | StructuredChecker":
    """Load any model for checking, with its own corpus unless other titles are given.

    Parameters
    ----------
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the structured model counts the same study in another place.

    Raises
    ------
    ModelError
        The folder is missing, incomplete, or its hashes do not hold.
    """
    from judul_lib.registry import STRUCTURED, load_model, load_structured, read_metadata

    if read_metadata(folder).get("name") == STRUCTURED:
        from judul_lib.structured_checking import StructuredChecker

        model, own = load_structured(folder)
        known = own if titles is None else titles
        return StructuredChecker(model, known, threshold=threshold, elsewhere=elsewhere)
    return TitleChecker.from_model(load_model(folder), titles, threshold=threshold)


def compute_similarities(
    query: str, tfidf: Any, scaler: Any, rf_model: Any, df_corpus: "pd.DataFrame"
) -> "pd.DataFrame":
    """Compare a title with every title of a corpus, with the study's signature.

    Parameters
    ----------
    query : str
        The title as typed.
    tfidf, scaler, rf_model
        Fitted parts of a model.
    df_corpus : DataFrame, shape (n, 1 or more)
        Column ``Judul``; ``judul_proc`` is computed where it is missing.

    Returns
    -------
    DataFrame, shape (n, 6)
        ``judul_ref``, ``cosine``, ``jaccard``, ``levenshtein``,
        ``rf_probability`` in [0, 1] and ``rf_label``, best first.
    """
    import pandas as pd

    titles = df_corpus["Judul"].tolist()
    known = "judul_proc" in df_corpus.columns
    processed = df_corpus["judul_proc"].tolist() if known else preprocess_titles(titles)
    matches = TitleChecker(tfidf, scaler, rf_model, titles, processed).check(query)
    return pd.DataFrame(matches.rows(), columns=list(RESULT_COLUMNS))


def score_pairs(
    left: Sequence[str], right: Sequence[str], checker: "TitleChecker | StructuredChecker"
) -> list[dict[str, Any]]:
    """Score pairs of titles.

    Parameters
    ----------
    left, right : sequence of str, shape (n,)
        Row *i* of the one is compared with row *i* of the other.
    checker : TitleChecker or StructuredChecker
        As from `load_checker`.

    Returns
    -------
    list of dict, shape (n,)
        The features, ``rf_probability`` and ``rf_label`` of each pair, in
        order; every value ``None`` where one of the two titles is blank.
    """
    names = RESULT_COLUMNS[1:]
    written = [i for i in range(len(left)) if left[i].strip() and right[i].strip()]
    scored = checker.score([left[i] for i in written], [right[i] for i in written])
    result: list[dict[str, Any]] = [dict.fromkeys(names) for _ in left]
    for i, values, p, name in zip(written, *scored, strict=True):
        result[i] = dict(zip(names, (*map(float, values), float(p), name), strict=True))
    return result
