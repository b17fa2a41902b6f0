"""The third model: it reads both titles as records and compares them field by field.

A forest learns from the development part of the gold pairs how likeness of
task, object, method and place, beside the study's three features, speaks for
the same study. More likeness never lowers its answer.
"""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.arrays import FOREST_ARRAYS, ArrayForest, ArrayTfidf
from judul_lib.features import FEATURES, TitleTable, pair_features
from judul_lib.preprocessing import preprocess_titles
from judul_lib.record_features import (
    RECORD_FEATURES,
    RecordTable,
    record_features,
    unit_similarity,
)
from judul_lib.title_parser import TitleParser
from judul_lib.word_vectors import WordVectors

FloatArray = NDArray[np.float64]

STRUCTURED_FEATURES = (*FEATURES, *RECORD_FEATURES)
"""The study's three features, then those of the record."""

MONOTONE = tuple(
    0 if name.endswith("_sides") else -1 if name.endswith("_gap") else 1 for name in STRUCTURED_FEATURES
)
"""Direction of each feature: more likeness, also of the letters, never lowers the probability."""

WORSE_SIDE_ONLY = tuple(int(name.endswith("_min")) for name in STRUCTURED_FEATURES)
"""A looser rule, for comparison: likeness of the letters may then speak against a pair."""


@dataclass(frozen=True)
class PreparedTitles:
    """Titles made ready for the structured model, one row a title."""

    table: TitleTable
    records: RecordTable

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True)
class Weights:
    """How much a unit of a title weighs: the rarer, the more.

    Attributes
    ----------
    counts : mapping of str to int
        In how many titles a unit's name occurs.
    n_titles : int
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
    forest : ArrayForest
    weights : Weights
    slope, intercept : float
        Platt's calibration: ``1 / (1 + exp(-(slope * logit(p) + intercept)))``.

    References
    ----------
    Platt, J. (1999). *Probabilistic outputs for support vector machines*.
    """

    tfidf: ArrayTfidf
    forest: ArrayForest
    weights: Weights
    slope: float
    intercept: float
    parser: TitleParser
    vectors: WordVectors

    def prepare(self, titles: Sequence[str], *, with_place: bool = True) -> PreparedTitles:
        """Read titles once, for many comparisons."""
        table = TitleTable.build(titles, preprocess_titles(titles), self.tfidf)
        records = RecordTable(titles, self.parser, self.vectors, self.weights, with_place=with_place)
        return PreparedTitles(table, records)

    def features(
        self,
        left: PreparedTitles,
        right: PreparedTitles,
        left_rows: NDArray[np.intp],
        right_rows: NDArray[np.intp],
    ) -> FloatArray:
        """Return the features of pairs of rows, columns in the order of `STRUCTURED_FEATURES`."""
        alike = unit_similarity(left.records, right.records)
        parts = [
            pair_features(left.table.take(left_rows), right.table.take(right_rows)),
            record_features(left.records, right.records, left_rows, right_rows, alike),
        ]
        # Processors differ in the last digits of a sum; the fitted forest should not.
        joined: FloatArray = np.column_stack(parts)
        return np.round(joined, 9)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the calibrated probability that two titles are the same study, shape (n,)."""
        if not len(features):
            return np.empty(0)
        return calibrated(self.forest.predict_proba(features)[:, 1], self.slope, self.intercept)

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

    def pair_features(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Return the features of pairs of titles; a title that repeats is read once."""
        titles = list(dict.fromkeys([*left, *right]))
        row = {title: number for number, title in enumerate(titles)}
        prepared = self.prepare(titles)
        rows = (np.array([row[title] for title in side], dtype=np.intp) for side in (left, right))
        return self.features(prepared, prepared, *rows)

    def to_bytes(self) -> bytes:
        """Write the fitted parts as one compressed ``.npz`` without pickles."""
        stream = io.BytesIO()
        facts = {
            "terms": self.tfidf.terms,
            "counts": dict(sorted(self.weights.counts.items())),
            "n_titles": self.weights.n_titles,
            "slope": self.slope,
            "intercept": self.intercept,
        }
        text = json.dumps(facts, ensure_ascii=False).encode("utf-8")
        np.savez_compressed(
            stream,
            facts=np.frombuffer(text, dtype=np.uint8),
            idf=self.tfidf.idf,
            **{name: getattr(self.forest, name) for name in FOREST_ARRAYS},
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "StructuredModel":
        """Read what `to_bytes` wrote, with the package's own lexicon and vectors."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            facts: dict[str, Any] = json.loads(stored["facts"].tobytes())
            return cls(
                ArrayTfidf(facts["terms"], stored["idf"]),
                ArrayForest(*(stored[name] for name in FOREST_ARRAYS)),
                Weights(facts["counts"], facts["n_titles"]),
                facts["slope"],
                facts["intercept"],
                TitleParser(),
                WordVectors.read(),
            )


def calibrated(probability: FloatArray, slope: float, intercept: float) -> FloatArray:
    """Apply Platt's calibration to probabilities."""
    clipped = np.clip(probability, 1e-3, 1 - 1e-3)
    return 1 / (1 + np.exp(-(slope * np.log(clipped / (1 - clipped)) + intercept)))
