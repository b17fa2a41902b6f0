"""Compare proposed titles with every title of a corpus.

pandas is imported only for tables and scikit-learn not at all, so that the
``judul check`` command starts fast.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from judul_lib.checking.matches import (
    RESULT_COLUMNS,
    Evidence,
    Matches,
    assign_labels,
    best_matches,
    require_threshold,
    require_top_k,
)
from judul_lib.checking.ranking import ranking
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.settings import ASK, DECISION_THRESHOLD
from judul_lib.study.features import FEATURES, TitleTable, distinct_titles, pair_features
from judul_lib.study.preprocessing import (
    preprocess_cells,
    preprocess_titles,
    require_titles,
    warn_incomparable_titles,
)

if TYPE_CHECKING:
    import pandas as pd

    from judul_lib.checking.registry import Model

MIN_PROMISED = 0.05
"""Every title that reaches this probability is found without comparing all; see `Checker.check`."""
_TITLES_PER_BATCH = 64
# Pairs compared in one call: more need memory, fewer need time.
_PAIRS_PER_CALL = 4_000
# From this size of a corpus, a model may leave out titles that are not related.
_MIN_SEARCHED = 500
# At lower thresholds a person is asked about titles that retrieval may leave out.
_MIN_SEARCHED_THRESHOLD = 0.2
# Titles of a corpus that are compared in full for each one in a list of results.
_COMPARED_PER_RESULT = 3
_TEXT_COLUMNS = ("judul_ref", "rf_label")


class Comparison(Protocol):
    """Two lists of titles, prepared for comparing rows of the left with rows of the right."""

    def features(self, left_rows: Rows, right_rows: Rows) -> FloatArray:
        """Return the model's inputs for each pair; the first columns are the study's features."""

    def related(self, left_row: int, min_found: int) -> Rows:
        """Return the right rows that may be related to a left row, at least so many, in order."""

    def shared(self, left_rows: Rows, right_rows: Rows) -> list[str]:
        """Return `Matches.shared` of each pair."""


class Checker(ABC):
    """A model with a corpus that is prepared once, to check many titles.

    Attributes
    ----------
    titles : sequence of str, shape (n,)
        The corpus as typed.
    threshold : float
        Probability from which a title counts as similar.
    elsewhere_label : str
        Label of the same study in another place, if the model knows places.
    """

    titles: Sequence[str]
    threshold: float
    elsewhere_label: str = ASK

    @abstractmethod
    def with_titles(self, titles: Sequence[str]) -> "Checker":
        """Return the same model with another corpus."""

    @abstractmethod
    def compare(self, left: Sequence[str], right: Sequence[str] | None = None) -> Comparison:
        """Prepare two lists of titles; the second is the corpus by default."""

    @abstractmethod
    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probabilities of pairs, given the model's inputs, shape (n,)."""

    @property
    def notes(self) -> list[str]:
        """Sentences for readers on how the model treats the corpus."""
        return []

    def asked(self, features: FloatArray, probability: FloatArray) -> FloatArray:
        """Return `Matches.asked` of pairs; empty if the model cannot tell."""
        return np.empty(0)

    @abstractmethod
    def evidence(self, title: str, other: str) -> Evidence:
        """Decompose the answer for one pair."""

    @abstractmethod
    def is_known(self, stem: str) -> bool:
        """Tell whether the model knows a stem."""

    def unknown_share(self, title: str) -> float:
        """Return the share of a title's distinct stems that the model does not know; 0 without stems."""
        stems = set(preprocess_titles([title])[0].split())
        return sum(not self.is_known(stem) for stem in stems) / len(stems) if stems else 0.0

    def check(self, title: str, *, top_k: int | None = None) -> Matches:
        """Compare one title with the whole corpus.

        Parameters
        ----------
        title : str
            The title as typed.
        top_k : int
            Number of matches, at least 1; all by default.

        Returns
        -------
        Matches
            By probability, then cosine, then Levenshtein ratio, then the order of the
            corpus. `Matches.decision` is that of the whole corpus whatever `top_k`. With
            `top_k`, every title with a probability of at least 0.05 and every one that is MIRIP
            or TANYAKAN, at thresholds from 0.2, is found, with exactly the numbers of a full
            comparison; below that the list holds the most related titles that retrieval found,
            exact in themselves.

        Warns
        -----
        UserWarning
            The title has no word that can be compared, so the answer means nothing.
        """
        return next(self.check_many([title], top_k=top_k))

    def check_many(self, titles: Sequence[str], *, top_k: int | None = None) -> Iterator[Matches]:
        """Check titles one after the other; see `check`."""
        warn_incomparable_titles(titles)
        require_top_k(top_k)
        for compared in self._compared(titles, top_k):
            yield self._best_matches(compared, top_k)

    def _compared(self, titles: Sequence[str], top_k: int | None = None) -> Iterator["_Compared"]:
        """Compare each title with the whole corpus, or with all that `check` promises to find."""
        n = len(self.titles)
        min_found = n
        if top_k is not None and self._may_leave_out:
            min_found = _COMPARED_PER_RESULT * top_k
        for start in range(0, len(titles), _TITLES_PER_BATCH):
            batch = titles[start : start + _TITLES_PER_BATCH]
            comparison = self.compare(batch)
            found = (
                comparison.related(query, min_found) if min_found < n else np.arange(n)
                for query in range(len(batch))
            )
            for first, rows in _groups(found):
                queries = range(first, first + len(rows))
                ends = np.cumsum([0, *map(len, rows)]).tolist()
                features = comparison.features(np.repeat(queries, np.diff(ends)), np.concatenate(rows))
                probability = self.probability(features)
                for query, others, pairs in zip(queries, rows, pairwise(ends), strict=True):
                    of_query = slice(*pairs)
                    yield _Compared(comparison, query, others, features[of_query], probability[of_query])

    @property
    def _may_leave_out(self) -> bool:
        """Whether a list of results may leave out titles that `check` does not promise to find."""
        return len(self.titles) >= _MIN_SEARCHED and self.threshold >= _MIN_SEARCHED_THRESHOLD

    def order(self, features: FloatArray, probability: FloatArray, asked: FloatArray) -> Rows:
        """Return the rows of the compared titles in the order of a list of results."""
        return ranking(features, probability)

    def _best_matches(self, compared: "_Compared", top_k: int | None) -> Matches:
        """Return the best matches of a title."""
        features, probability = compared.features, compared.probability
        asked = self.asked(features, probability)
        order = self.order(features, probability, asked)
        rows = compared.rows[order]
        return best_matches(
            lambda position: self.titles[rows[position]], features[order], probability[order],
            asked[order] if len(asked) else asked,
            lambda shown: compared.comparison.shared(np.full_like(shown, compared.query), rows[shown]),
            threshold=self.threshold, elsewhere_label=self.elsewhere_label, top_k=top_k,
        )  # fmt: skip

    def score(
        self, left: Sequence[str], right: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, list[str]]:
        """Compare the pairs ``left[i]``, ``right[i]``.

        Returns
        -------
        features : ndarray of float, shape (n, n_features)
        probability : ndarray of float, shape (n,)
        labels : list of str, shape (n,)
        """
        comparison, left_rows, right_rows = self._compare_rows(left, right)
        features = comparison.features(left_rows, right_rows)
        probability = self.probability(features)
        asked = self.asked(features, probability)
        labels = assign_labels(probability, asked, self.threshold, elsewhere_label=self.elsewhere_label)
        return features[:, : len(FEATURES)], probability, labels

    def pair_features(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Return the model's inputs for the pairs ``left[i]``, ``right[i]``."""
        comparison, left_rows, right_rows = self._compare_rows(left, right)
        return comparison.features(left_rows, right_rows)

    def _compare_rows(self, left: Sequence[str], right: Sequence[str]) -> tuple[Comparison, Rows, Rows]:
        titles, left_rows, right_rows = distinct_titles(left, right)
        return self.compare(titles, titles), left_rows, right_rows


def _groups(found: Iterable[Rows]) -> Iterator[tuple[int, list[Rows]]]:
    """Yield consecutive arrays that hold few enough rows for one call, and the number of the first."""
    first, group = 0, list[Rows]()
    for rows in found:
        if group and sum(map(len, group)) + len(rows) > _PAIRS_PER_CALL:
            yield first, group
            first, group = first + len(group), []
        group.append(rows)
    if group:
        yield first, group


class _Compared(NamedTuple):
    """A row of a comparison, and the rows of the corpus with which it was compared."""

    comparison: Comparison
    query: int
    rows: Rows
    features: FloatArray
    probability: FloatArray


@dataclass(frozen=True)
class _StudyComparison:
    left: TitleTable
    right: TitleTable

    def features(self, left_rows: Rows, right_rows: Rows) -> FloatArray:
        return pair_features(self.left.take(left_rows), self.right.take(right_rows))

    def related(self, left_row: int, min_found: int) -> Rows:
        return np.arange(len(self.right))

    def shared(self, left_rows: Rows, right_rows: Rows) -> list[str]:
        return []


class TitleChecker(Checker):
    """A model of the study with a corpus.

    Parameters
    ----------
    tfidf, scaler, forest
        Fitted parts of scikit-learn or `judul_lib.study.arrays`.
    titles, processed : sequence of str, shape (n,)
        The corpus as typed and preprocessed.
    threshold : float
        Probability from which a title counts as similar.

    Examples
    --------
    >>> from judul_lib import load_model
    >>> checker = TitleChecker.from_model(load_model("outputs/light"))
    >>> len(checker.check("Prediksi Harga Beras dengan LSTM", top_k=3))
    3
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
        require_titles(titles)
        self.titles = list(titles)
        self.threshold = require_threshold(threshold)
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
        """Return a checker of a model, with its own corpus by default."""
        processed = model.processed if titles is None else preprocess_titles(titles)
        titles = model.titles if titles is None else titles
        return cls(model.tfidf, model.scaler, model.forest, titles, processed, threshold=threshold)

    def with_titles(self, titles: Sequence[str]) -> "TitleChecker":
        """Return the same model with another corpus."""
        parts = self._tfidf, self._scaler, self._forest
        return TitleChecker(*parts, titles, preprocess_titles(titles), threshold=self.threshold)

    def compare(self, left: Sequence[str], right: Sequence[str] | None = None) -> Comparison:
        """Prepare two lists of titles; the second is the corpus by default."""
        right_table = self._table if right is None else self._prepare(right)
        return _StudyComparison(self._prepare(left), right_table)

    def _prepare(self, titles: Sequence[str]) -> TitleTable:
        return TitleTable.build(titles, preprocess_titles(titles), self._tfidf)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the forest's probabilities of pairs, shape (n,)."""
        if not len(features):
            return np.empty(0)
        return self._forest.predict_proba(self._scaler.transform(features))[:, 1]

    def evidence(self, title: str, other: str) -> Evidence:
        """Decompose the answer for one pair; see `judul_lib.study.arrays.ArrayForest.contributions`."""
        features, probability, _ = self.score([title], [other])
        base, parts = self._forest.contributions(self._scaler.transform(features))
        part_by_feature = dict(zip(FEATURES, map(float, parts[0]), strict=True))
        p = float(probability[0])
        return Evidence(base, part_by_feature, p, is_probability=True, probability=p)

    def is_known(self, stem: str) -> bool:
        """Tell whether a stem is one of the model's terms."""
        return stem in self._tfidf.vocabulary_


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
        Column ``Judul``; ``judul_proc`` is computed if missing.

    Returns
    -------
    DataFrame, shape (n, 3 + n_features)
        Columns `RESULT_COLUMNS`, best first; ``rf_probability`` is in [0, 1]. No row if
        the title has no word that can be compared.

    Warns
    -----
    UserWarning
        The title has no word that can be compared.

    Examples
    --------
    >>> from pandas import DataFrame
    >>> from judul_lib import load_model
    >>> model, corpus = load_model("outputs/light"), DataFrame({"Judul": ["Deteksi Hoaks", "Padi"]})
    >>> compute_similarities("Hoaks", model.tfidf, model.scaler, model.forest, corpus)["judul_ref"][0]
    'Deteksi Hoaks'
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    if preprocess_cells([query]) == [""]:
        warnings.warn(
            f"Judul {query!r:.60} kosong, terlalu panjang, atau tanpa kata Latin yang dapat "
            "dibandingkan; hasilnya tidak berbaris.",
            stacklevel=2,
        )
    else:
        titles = df_corpus["Judul"].tolist()
        has_stems = "judul_proc" in df_corpus.columns
        processed = df_corpus["judul_proc"].tolist() if has_stems else preprocess_titles(titles)
        rows = TitleChecker(tfidf, scaler, rf_model, titles, processed).check(query).rows()
    dtypes = {name: str if name in _TEXT_COLUMNS else float for name in RESULT_COLUMNS}
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS)).astype(dtypes)
