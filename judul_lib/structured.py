"""The third model: it reads both titles as records and compares them field by field.

A logistic regression learns from the development part of the gold pairs how
likeness of task, object, method and place, beside the study's three features,
speaks for the same study. Each weight has the sign that its feature allows, so
that more likeness of a field never lowers the answer, and each answer is a sum
that can be shown part by part.
"""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.arrays import ArrayTfidf
from judul_lib.features import FEATURES, TitleTable, distinct_titles, pair_features
from judul_lib.matches import LEAST_ALIKE, is_elsewhere
from judul_lib.preprocessing import preprocess_titles
from judul_lib.record_features import RECORD_FEATURES, record_features, unit_similarity
from judul_lib.records import GROUPS, RecordTable
from judul_lib.settings import DECISION_THRESHOLD
from judul_lib.title_parser import FIELDS, TitleParser
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

# Share of a place that is found again in the other title, up to which they are two places.
_PLACES_APART = 0.6
_LOST = ("min", "max", "gap")
COPIED_FEATURES = tuple(
    f"{group}_{measure}_{how}" for how in ("copied", "worded") for group in GROUPS for measure in _LOST
)
"""What differs, times how literally the rest was taken over (letters, words).

Who rewords a study rewords all of it; who sets another object or method into a
title leaves the rest as it stands. The same difference therefore weighs more,
the more of the text is equal. All are 0 where nothing differs.
"""

STRUCTURED_FEATURES = (*FEATURES, *RECORD_FEATURES, *COPIED_FEATURES)
"""Those of `FEATURES`, those of the record, and what differs in a copied text."""


def _direction(name: str) -> int:
    if name in FEATURES:
        return 1
    if name.endswith(("_neither", "_one")):
        return 0
    return -1 if name in COPIED_FEATURES or name.endswith("_gap") else 1


MONOTONE = tuple(_direction(name) for name in STRUCTURED_FEATURES)
"""Sign of each weight: likeness counts for the same study, what differs against it."""

FREE = (0,) * len(MONOTONE)
"""No sign is prescribed; for comparison."""


def _part(name: str) -> str:
    group = name.split("_")[0]
    return group if group in FIELDS and name not in FEATURES else "text"


PARTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        part: tuple(k for k, name in enumerate(STRUCTURED_FEATURES) if _part(name) == part)
        for part in (*FIELDS, "text")
    }
)
"""Columns that speak of each field, and of the text as a whole."""


@dataclass(frozen=True)
class PreparedTitles:
    """Titles made ready for the structured model, one row a title."""

    table: TitleTable
    records: RecordTable

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: NDArray[np.integer]) -> "PreparedTitles":
        """Return some of the titles, with no unit but theirs."""
        return PreparedTitles(self.table.take(rows), self.records.take(rows).compact())


@dataclass(frozen=True)
class Weights:
    """How much a unit of a title weighs: the rarer, the more.

    Attributes
    ----------
    counts : mapping of str to int
        In how many titles a unit's name occurs.
    n_titles : int

    Examples
    --------
    >>> weights = Weights({"hoaks": 1, "cnn": 9}, n_titles=10)
    >>> weights("hoaks") > weights("cnn") > 0
    True
    """

    counts: Mapping[str, int]
    n_titles: int

    def __call__(self, name: str) -> float:
        """Return the smoothed inverse document frequency of a name, above 0."""
        rarity = np.log((self.n_titles + 1) / (self.counts.get(name, 0) + 1))
        return float(np.round(rarity, 9)) + 0.3

    @classmethod
    def fit(cls, titles: Sequence[str], parser: TitleParser) -> "Weights":
        """Count the units of distinct titles."""
        parses = [{unit.name for unit in parser.parse(title)} for title in dict.fromkeys(titles)]
        return cls(Counter(name for names in parses for name in names), len(parses))


@dataclass(frozen=True)
class StructuredModel:
    """A fitted structured model; numpy only.

    Attributes
    ----------
    tfidf : ArrayTfidf
        For the study's cosine.
    weights : Weights
    centre, coefficients : ndarray of float, shape (n_features,)
        The log-odds of a pair are ``intercept + (features - centre) @ coefficients``.
    intercept : float
    """

    tfidf: ArrayTfidf
    weights: Weights
    centre: FloatArray
    coefficients: FloatArray
    intercept: float
    parser: TitleParser
    vectors: WordVectors

    def prepare(self, titles: Sequence[str], *, with_place: bool = True) -> PreparedTitles:
        """Read titles once, for many comparisons."""
        table = TitleTable.build(titles, preprocess_titles(titles), self.tfidf)
        return PreparedTitles(table, self.records(titles, with_place=with_place))

    def records(self, titles: Sequence[str], *, with_place: bool = True) -> RecordTable:
        """Read titles into their units."""
        return RecordTable.read(titles, self.parser, self.vectors, self.weights, with_place=with_place)

    def features(
        self,
        left: PreparedTitles,
        right: PreparedTitles,
        left_rows: NDArray[np.intp],
        right_rows: NDArray[np.intp],
        alike: FloatArray | None = None,
    ) -> FloatArray:
        """Return the features of pairs of rows, columns in the order of `STRUCTURED_FEATURES`.

        Parameters
        ----------
        alike : ndarray
            As from `unit_similarity`, where it is at hand already.
        """
        if alike is None:
            alike = unit_similarity(left.records.units, right.records.units)
        letters = pair_features(left.table.take(left_rows), right.table.take(right_rows))
        record = record_features(left.records, right.records, left_rows, right_rows, alike)
        return self.join(letters, record)

    def join(self, letters: FloatArray, record: FloatArray) -> FloatArray:
        """Return the features of pairs from those of `pair_features` and of `record_features`."""
        # Processors differ in the last digits of a sum; the fitted model should not.
        joined: FloatArray = np.column_stack([letters, record, _copied(letters, record)])
        return np.round(joined, 9)

    def log_odds(self, features: FloatArray) -> FloatArray:
        """Return the log-odds that two titles are the same study, shape (n,)."""
        answer: FloatArray = (features - self.centre) @ self.coefficients + self.intercept
        # The last digits of a product depend on how many rows it has; ties must not.
        return np.round(answer, 9)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probability that two titles are the same study, shape (n,)."""
        return 1 / (1 + np.exp(-self.log_odds(features)))

    def contributions(self, features: FloatArray) -> dict[str, FloatArray]:
        """Return what each of `PARTS` adds to the log-odds of pairs, beside the intercept."""
        parts = (features - self.centre) * self.coefficients
        return {name: parts[:, list(columns)].sum(axis=1) for name, columns in PARTS.items()}

    def elsewhere(
        self,
        features: FloatArray,
        features_without_place: FloatArray,
        *,
        threshold: float = DECISION_THRESHOLD,
    ) -> NDArray[np.bool_]:
        """Tell which pairs are the same study in another place.

        Both titles name a place, the places have next to nothing in common,
        the rest is not plainly another study (`may_be_elsewhere`), and without
        the places the two would be the same study.

        Parameters
        ----------
        features, features_without_place : ndarray, shape (n, n_features)
            Of the same pairs, the titles prepared with their places and without.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        probability = self.probability(features), self.probability(features_without_place)
        return self.may_be_elsewhere(features) & is_elsewhere(*probability, threshold)

    def may_be_elsewhere(self, features: FloatArray) -> NDArray[np.bool_]:
        """Tell which pairs name two places and are not plainly different otherwise, shape (n,).

        On the development pairs the floor of the probability keeps 66 of 70
        per cent of the pairs that are the same study elsewhere, and names 2
        instead of 7 per cent of those with another object.
        """
        names = STRUCTURED_FEATURES
        neither, one, alike = (features[:, names.index(f"place_{n}")] for n in ("neither", "one", "max"))
        apart: NDArray[np.bool_] = (neither + one == 0) & (alike <= _PLACES_APART)
        return apart & (self.probability(features) >= LEAST_ALIKE)

    def score(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Score pairs of titles: row *i* of the one with row *i* of the other.

        Examples
        --------
        >>> from judul_lib.registry import load_structured
        >>> model, _ = load_structured("outputs/structured")
        >>> a = "Klasifikasi Penyakit Daun Padi Menggunakan Convolutional Neural Network"
        >>> b = "Penerapan CNN untuk Mengenali Penyakit pada Daun Tanaman Padi"
        >>> c = "Klasifikasi Motif Kain Batik Menggunakan Convolutional Neural Network"
        >>> same, other = model.score([a, a], [b, c])
        >>> bool(same > other)
        True
        """
        return self.probability(self.pair_features(left, right))

    def pair_features(
        self, left: Sequence[str], right: Sequence[str], *, with_place: bool = True
    ) -> FloatArray:
        """Return the features of pairs of titles; a title that repeats is read once."""
        titles, left_rows, right_rows = distinct_titles(left, right)
        prepared = self.prepare(titles, with_place=with_place)
        return self.features(prepared, prepared, left_rows, right_rows)

    def to_bytes(self) -> bytes:
        """Write the fitted parts as one compressed ``.npz`` without pickles."""
        stream = io.BytesIO()
        facts = {
            "terms": self.tfidf.terms,
            "counts": dict(sorted(self.weights.counts.items())),
            "n_titles": self.weights.n_titles,
            "intercept": self.intercept,
        }
        text = json.dumps(facts, ensure_ascii=False).encode("utf-8")
        np.savez_compressed(
            stream,
            facts=np.frombuffer(text, dtype=np.uint8),
            idf=self.tfidf.idf,
            centre=self.centre,
            coefficients=self.coefficients,
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "StructuredModel":
        """Read what `to_bytes` wrote, with the package's own lexicon and vectors."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            facts: dict[str, Any] = json.loads(stored["facts"].tobytes())
            return cls(
                ArrayTfidf(facts["terms"], stored["idf"]),
                Weights(facts["counts"], facts["n_titles"]),
                stored["centre"],
                stored["coefficients"],
                facts["intercept"],
                TitleParser(),
                WordVectors.read(),
            )


def _copied(letters: FloatArray, record: FloatArray) -> FloatArray:
    """Return the columns of `COPIED_FEATURES`."""
    columns = [RECORD_FEATURES.index(f"{group}_{measure}") for group in GROUPS for measure in _LOST]
    shares = [k for k, name in enumerate(RECORD_FEATURES) if name.endswith(("_min", "_max"))]
    lost = record.copy()
    lost[:, shares] = 1 - record[:, shares]
    likeness = (letters[:, list(FEATURES).index(name)] for name in ("levenshtein", "jaccard"))
    return np.hstack([lost[:, columns] * alike[:, None] for alike in likeness])
