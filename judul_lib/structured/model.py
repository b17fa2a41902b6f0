"""The structured model: trees over the comparison of two titles, and the resources it needs."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.errors import ModelError
from judul_lib.core.storage import sha256_of
from judul_lib.structured.boilerplate import Boilerplate, find_boilerplate, without_boilerplate
from judul_lib.structured.boosting import BoostedTrees
from judul_lib.structured.comparison import RECORD_FEATURES, record_features
from judul_lib.structured.lexicon import (
    IMPLICATIONS_FILE,
    LEXICON_FILE,
    LEXICON_STEMS_FILE,
    PLACES_FILE,
    RELATIONS_FILE,
    SIBLINGS_FILE,
    TERMS_FILE,
)
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.records import ParsedTitles, RecordTable, UnitCounts
from judul_lib.structured.relations import Relations
from judul_lib.structured.vectors import VECTORS_FILE, WordVectors
from judul_lib.structured.words import SPELLINGS_FILE, STEMS_FILE
from judul_lib.study.arrays import ArrayTfidf
from judul_lib.study.features import FEATURES, TitleTable, distinct_titles, pair_features
from judul_lib.study.preprocessing import preprocess_titles

_FILES = (
    LEXICON_FILE, LEXICON_STEMS_FILE, TERMS_FILE, SIBLINGS_FILE, PLACES_FILE, SPELLINGS_FILE, STEMS_FILE,
    RELATIONS_FILE, IMPLICATIONS_FILE, VECTORS_FILE,
)  # fmt: skip


def resource_hashes() -> dict[str, str]:
    """Return the SHA-256 of each of these files by its name, as a packaged model names them.

    Examples
    --------
    >>> list(resource_hashes())[:2]
    ['lexicon.csv', 'lexicon_stems.csv']
    """
    return {path.name: sha256_of(path.read_bytes()) for path in _FILES}


def require_resources(folder: str | Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a structured model that was packaged with other files than are there now.

    Raises
    ------
    ModelError
        The hash of one is not the one that the metadata tell.

    Examples
    --------
    >>> from judul_lib.checking.registry import read_metadata
    >>> require_resources("outputs/structured", read_metadata("outputs/structured"))
    """
    recorded = metadata.get("resources")
    known = recorded if isinstance(recorded, dict) else {}
    changed = [name for name, digest in resource_hashes().items() if known.get(name) != digest]
    if changed:
        raise ModelError(
            f"Model di {folder} ditolak: {', '.join(changed)} di program ini berbeda dari yang dicatat "
            "saat pelatihan, sehingga jawabannya bisa lain. Pasang lagi versi program yang dipakai "
            "melatihnya, atau latih lagi dengan `make run`."
        )


STRUCTURED_FEATURES = (*FEATURES, *RECORD_FEATURES)
"""Those of `FEATURES`, and those of the record."""

# What only one title names may narrow the study or leave it open, so that it is left free.
_RISES = ("_same", "_share")
_FALLS = (
    "_left_less", "_far_less", "_worst", "_siblings", "_sibling_weight", "_roles_swapped",
    "_numbers_less", "_compares",
)  # fmt: skip


def _direction(name: str) -> int:
    if name in FEATURES or any(part in name for part in _RISES):
        return 1 if name not in FEATURES else 0
    if name.endswith("_more"):
        return 0
    return -1 if any(part in name for part in _FALLS) else 0


MONOTONE_DIRECTIONS = tuple(_direction(name) for name in STRUCTURED_FEATURES)
"""1 where the answer may only rise with a feature, -1 where it may only fall, 0 where it is free."""

QUESTIONS = ("same", "asked", "related")
"""What the model is asked of two titles, the strictest question first."""

PART_NAMES = ("task", "object", "method", "place", "text")
_PART_BY_ASPECT = {
    "task": "task", "thing": "object", "variable": "object", "activity": "object", "audience": "object",
    "medium": "object", "subject": "object", "method": "method", "platform": "method", "place": "place",
}  # fmt: skip
PART_COLUMNS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        part: tuple(
            k
            for k, name in enumerate(STRUCTURED_FEATURES)
            if ("text" if name in FEATURES else _PART_BY_ASPECT.get(name.split("_")[0], "text")) == part
        )
        for part in PART_NAMES
    }
)
"""Columns that speak of each field, and of the text as a whole."""

_PLACE_NAMED = STRUCTURED_FEATURES.index("place_named")


MIN_ASK_PROBABILITY = 0.15
"""Probability of the same study from which one asks whether it is that in other words."""


def ask_score(same: FloatArray, elsewhere: FloatArray) -> FloatArray:
    """Return how much speaks for asking, in [0, 1], shape (n,); 0.5 is where one asks.

    One asks where it is the same study elsewhere, and where it may be the same in other words.

    Parameters
    ----------
    same : ndarray of float, shape (n,)
        Probability of the same study; 0.5 is reached at `MIN_ASK_PROBABILITY`.
    elsewhere : ndarray of float, shape (n,)
        That it is the same study in whatever place, 0.5 where one asks.

    Examples
    --------
    >>> ask_score(np.array([0.15, 0.0]), np.array([0.1, 0.9])).round(2).tolist()
    [0.5, 0.9]
    """
    perhaps = (
        same
        * (1 - MIN_ASK_PROBABILITY)
        / (same * (1 - MIN_ASK_PROBABILITY) + (1 - same) * MIN_ASK_PROBABILITY)
    )
    asked: FloatArray = np.maximum(perhaps, elsewhere)
    return asked


def expected_grade(*chances: FloatArray) -> FloatArray:
    """Return the sum of the probabilities of `QUESTIONS`, shape (n,).

    None of them counts less than that of a stricter question.

    Examples
    --------
    >>> expected_grade(np.array([0.5]), np.array([0.25]), np.array([1.0])).tolist()
    [2.0]
    """
    total: FloatArray = np.maximum.accumulate(chances).sum(axis=0)
    return total


@dataclass(frozen=True)
class PreparedTitles:
    """Titles made ready for the structured model, one row a title."""

    table: TitleTable
    records: RecordTable

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: NDArray[np.integer]) -> "PreparedTitles":
        """Return some of the titles, with no unit but theirs."""
        return PreparedTitles(self.table.take(rows), self.records.take(rows))


@dataclass(frozen=True)
class StructuredModel:
    """A fitted structured model; numpy only.

    Attributes
    ----------
    tfidf : ArrayTfidf
        For the study's cosine.
    counts : UnitCounts
        How often units occur in real titles, and in the archive where that was given.
    same, asked, related : BoostedTrees
        Log-odds that two titles are the same study; that a committee would at
        least ask, because it is the same study, if only elsewhere; that they are related at all.
    boilerplate : tuple of Boilerplate
        What the archive's catalogue adds to its titles.
    """

    tfidf: ArrayTfidf
    counts: UnitCounts
    same: BoostedTrees
    asked: BoostedTrees
    related: BoostedTrees
    parser: TitleParser
    vectors: WordVectors
    boilerplate: tuple[Boilerplate, ...] = ()

    def for_archive(
        self, titles: Sequence[str], reading: ParsedTitles | None = None
    ) -> "StructuredModel":
        """Return the same model, made ready for an archive.

        Its titles weigh the units, on top of the general counts, and its boilerplate is left out.

        Parameters
        ----------
        reading : ParsedTitles
            Of the titles, where they are read already.
        """
        reading = reading or ParsedTitles.from_titles(titles, self.parser)
        found = find_boilerplate(reading, self.parser.lexicon)
        counts = UnitCounts.from_parsed(titles, without_boilerplate(reading, found))
        return replace(self, counts=self.counts + counts, boilerplate=found)

    def prepare(self, titles: Sequence[str]) -> PreparedTitles:
        """Read titles once, for many comparisons."""
        return self.prepare_parsed(
            self.study_table(titles), ParsedTitles.from_titles(titles, self.parser)
        )

    def study_table(self, titles: Sequence[str]) -> TitleTable:
        """Return titles made ready for the study's features."""
        return TitleTable.build(titles, preprocess_titles(titles), self.tfidf)

    def prepare_parsed(self, table: TitleTable, reading: ParsedTitles) -> PreparedTitles:
        """Return titles that are read already, their units weighed."""
        return PreparedTitles(table, self._records(reading))

    def records(self, titles: Sequence[str]) -> RecordTable:
        """Read titles into their units."""
        return self._records(ParsedTitles.from_titles(titles, self.parser))

    def _records(self, reading: ParsedTitles) -> RecordTable:
        reading = without_boilerplate(reading, self.boilerplate)
        return RecordTable.from_parsed(reading, self.parser.lexicon, self.vectors, self.counts)

    def features(
        self,
        left: PreparedTitles,
        right: PreparedTitles,
        left_rows: Rows,
        right_rows: Rows,
        relations: Relations | None = None,
    ) -> FloatArray:
        """Return the features of pairs of rows, columns in the order of `STRUCTURED_FEATURES`.

        Parameters
        ----------
        relations : Relations
            Between the units of the two, where they are at hand already. Without them some pairs
            are compared after the other: the relations of all units would fill the memory.
        """
        if relations is None and len(left_rows) > _AT_ONCE:
            parts = [slice(at, at + _AT_ONCE) for at in range(0, len(left_rows), _AT_ONCE)]
            return np.vstack([self.features(left, right, left_rows[p], right_rows[p]) for p in parts])
        if relations is None:
            (own, left_rows), (others, right_rows) = (
                np.unique(rows, return_inverse=True) for rows in (left_rows, right_rows)
            )
            left, right = left.take(own), right.take(others)
        letters = pair_features(left.table.take(left_rows), right.table.take(right_rows))
        record = record_features(left.records, right.records, left_rows, right_rows, relations)
        # Processors differ in the last digits of a sum; the fitted model should not.
        joined: FloatArray = np.column_stack([letters, record])
        return np.round(joined, 7)

    def log_odds(self, features: FloatArray) -> FloatArray:
        """Return the log-odds that two titles are the same study, shape (n,)."""
        return self.same.log_odds(features)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probability that two titles are the same study, shape (n,)."""
        return 1 / (1 + np.exp(-self.log_odds(features)))

    def asked_probability(self, features: FloatArray, probability: FloatArray) -> FloatArray:
        """Return the `ask_score` of pairs, shape (n,), given the probability of the same study."""
        elsewhere = 1 / (1 + np.exp(-self.asked.log_odds(features)))
        return ask_score(probability, elsewhere)

    def relatedness(
        self, features: FloatArray, probability: FloatArray, asked: FloatArray
    ) -> FloatArray:
        """Return how related titles are, in [0, 3], shape (n,): the grade that a reader would give.

        Parameters
        ----------
        probability, asked : ndarray of float, shape (n,)
            As from `probability` and `asked_probability`.
        """
        related = 1 / (1 + np.exp(-self.related.log_odds(features)))
        return np.round(expected_grade(probability, asked, related), 9)

    def contributions(self, features: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return where the log-odds of pairs begin, and what each of `PART_COLUMNS` adds to it.

        Where neither title names a place, the place adds nothing: what the
        model makes of that belongs to the beginning.
        """
        each = self.same.contributions(features)
        parts = {name: each[:, list(columns)].sum(axis=1) for name, columns in PART_COLUMNS.items()}
        start = np.full(len(features), self.same.start)
        unnamed = features[:, _PLACE_NAMED] == 0
        start[unnamed] += parts["place"][unnamed]
        parts["place"][unnamed] = 0.0
        return start, parts

    def score(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Score pairs of titles: row *i* of the one with row *i* of the other.

        Examples
        --------
        >>> from judul_lib.checking.registry import load_structured
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
        titles, left_rows, right_rows = distinct_titles(left, right)
        prepared = self.prepare(titles)
        return self.features(prepared, prepared, left_rows, right_rows)

    def to_bytes(self) -> bytes:
        """Write the fitted parts as one compressed ``.npz`` without pickles."""
        stream = io.BytesIO()
        facts = {
            "terms": self.tfidf.terms,
            "counts": dict(sorted(self.counts.counts.items())),
            "n_titles": self.counts.n_titles,
        }
        text = json.dumps(facts, ensure_ascii=False).encode("utf-8")
        arrays: dict[str, Any] = {}
        for question in QUESTIONS:
            arrays |= getattr(self, question).arrays(question)
        np.savez_compressed(
            stream, facts=np.frombuffer(text, dtype=np.uint8), idf=self.tfidf.idf,
            **arrays,
        )  # fmt: skip
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "StructuredModel":
        """Read what `to_bytes` wrote, with the package's own lexicon and vectors."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            facts: dict[str, Any] = json.loads(stored["facts"].tobytes())
            same, asked, related = (BoostedTrees.from_arrays(stored, name) for name in QUESTIONS)
            return cls(
                ArrayTfidf(facts["terms"], stored["idf"]),
                UnitCounts(facts["counts"], facts["n_titles"]),
                same,
                asked,
                related,
                TitleParser(),
                WordVectors.read(),
            )


_AT_ONCE = 500
