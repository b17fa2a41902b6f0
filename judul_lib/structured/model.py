"""The structured model: boosted trees over the comparison of two titles, and the files it needs."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
from judul_lib.structured.parser import TitleParser, packaged_parser
from judul_lib.structured.records import ParsedTitles, RecordTable, UnitCounts
from judul_lib.structured.relations import Relations
from judul_lib.structured.retrieval import Retrieval
from judul_lib.structured.vectors import VECTORS_FILE, WordVectors
from judul_lib.structured.words import SPELLINGS_FILE, STEMS_FILE
from judul_lib.study.arrays import ArrayTfidf
from judul_lib.study.features import FEATURES, TitleTable, distinct_titles, pair_features
from judul_lib.study.preprocessing import preprocess_titles

_RESOURCE_FILES = (
    LEXICON_FILE, LEXICON_STEMS_FILE, TERMS_FILE, SIBLINGS_FILE, PLACES_FILE, SPELLINGS_FILE, STEMS_FILE,
    RELATIONS_FILE, IMPLICATIONS_FILE, VECTORS_FILE,
)  # fmt: skip
# Pairs whose features are computed at once, unless the relations of their units are given.
_AT_ONCE = 500


def resource_hashes() -> dict[str, str]:
    """Return the SHA-256 of the lexicon, spelling and vector files by file name.

    Examples
    --------
    >>> list(resource_hashes())[:2]
    ['lexicon.csv', 'lexicon_stems.csv']
    """
    return {path.name: sha256_of(path.read_bytes()) for path in _RESOURCE_FILES}


def require_resources(folder: str | Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a structured model that was trained with other resource files than the present ones.

    Raises
    ------
    ModelError
        A hash differs from the one in the metadata.

    Examples
    --------
    >>> from judul_lib.checking.registry import read_metadata
    >>> require_resources("outputs/structured", read_metadata("outputs/structured"))
    """
    recorded = metadata.get("resources")
    trained_with = recorded if isinstance(recorded, dict) else {}
    changed = [name for name, digest in resource_hashes().items() if trained_with.get(name) != digest]
    if changed:
        raise ModelError(
            f"Model di {folder} ditolak: {', '.join(changed)} di program ini berbeda dari yang dicatat "
            "saat pelatihan, sehingga jawabannya bisa lain. Pasang lagi versi program yang dipakai "
            "melatihnya, atau latih lagi dengan `make run`."
        )


STRUCTURED_FEATURES = (*FEATURES, *RECORD_FEATURES)
"""Those of `FEATURES`, then those of `RECORD_FEATURES`."""

# The others are free: what only one title names may narrow the study or leave it open.
_RISES = ("_same", "_share")
_FALLS = (
    "_left_less", "_far_less", "_worst", "_siblings", "_sibling_weight", "_roles_swapped",
    "_numbers_less", "_compares",
)  # fmt: skip


def _direction(name: str) -> int:
    if name in FEATURES:
        return 0
    if any(part in name for part in _RISES):
        return 1
    return -1 if any(part in name for part in _FALLS) and not name.endswith("_more") else 0


MONOTONE_DIRECTIONS = tuple(_direction(name) for name in STRUCTURED_FEATURES)
"""1 where the probability may only rise with a feature, -1 where it may only fall, 0 where free."""

QUESTIONS = ("same", "asked", "related")
"""The questions that the model answers about two titles, the strictest first."""

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
"""Columns of the features of each field, and of the text as a whole."""

_PLACE_NAMED = STRUCTURED_FEATURES.index("place_named")

MIN_ASK_PROBABILITY = 0.15
"""Probability of the same study from which a person is asked: it may be the same in other words."""


def ask_score(same: FloatArray, elsewhere: FloatArray) -> FloatArray:
    """Return the score for asking a person, in [0, 1], shape (n,); a person is asked from 0.5.

    A person is asked about the same study elsewhere, and about what may be the same in other words.

    Parameters
    ----------
    same : ndarray of float, shape (n,)
        Probability of the same study; `MIN_ASK_PROBABILITY` gives a score of 0.5.
    elsewhere : ndarray of float, shape (n,)
        Probability of the same study in any place.

    Examples
    --------
    >>> ask_score(np.array([0.15, 0.0]), np.array([0.1, 0.9])).round(2).tolist()
    [0.5, 0.9]
    """
    weighted = same * (1 - MIN_ASK_PROBABILITY)
    in_other_words = weighted / (weighted + (1 - same) * MIN_ASK_PROBABILITY)
    score: FloatArray = np.maximum(in_other_words, elsewhere)
    return score


def expected_grade(*probabilities: FloatArray) -> FloatArray:
    """Return the sum of the probabilities of `QUESTIONS`, shape (n,).

    Each counts at least as much as that of a stricter question.

    Examples
    --------
    >>> expected_grade(np.array([0.5]), np.array([0.25]), np.array([1.0])).tolist()
    [2.0]
    """
    total: FloatArray = np.maximum.accumulate(probabilities).sum(axis=0)
    return total


def _sigmoid(log_odds: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-log_odds))


@dataclass(frozen=True)
class PreparedTitles:
    """Titles prepared for the structured model, one row a title."""

    table: TitleTable
    records: RecordTable

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: NDArray[np.integer]) -> "PreparedTitles":
        """Return some of the titles, with only their units."""
        return PreparedTitles(self.table.take(rows), self.records.take(rows))

    @cached_property
    def retrieval(self) -> Retrieval:
        """The titles, prepared to be searched."""
        return Retrieval(self.records)


@dataclass(frozen=True)
class StructuredModel:
    """A fitted structured model; numpy only.

    Attributes
    ----------
    tfidf : ArrayTfidf
        For the cosine of the study.
    counts : UnitCounts
        How often units occur in real titles, and in the archive of `for_archive`.
    same, asked, related : BoostedTrees
        Log-odds that two titles are the same study; that they are the same study in any place; that
        they are related at all.
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
        self, titles: Sequence[str], parsed: ParsedTitles | None = None
    ) -> "StructuredModel":
        """Return the model for an archive: its units are counted too, its boilerplate is left out.

        Parameters
        ----------
        parsed : ParsedTitles
            The same titles; parsed if missing.
        """
        parsed = parsed or ParsedTitles.from_titles(titles, self.parser)
        boilerplate = find_boilerplate(parsed, self.parser.lexicon)
        counts = UnitCounts.from_parsed(titles, without_boilerplate(parsed, boilerplate))
        return replace(self, counts=self.counts + counts, boilerplate=boilerplate)

    def prepare(self, titles: Sequence[str]) -> PreparedTitles:
        """Prepare titles once for many comparisons."""
        return PreparedTitles(self.study_table(titles), self.records(titles))

    def study_table(self, titles: Sequence[str]) -> TitleTable:
        """Prepare titles for the features of the study."""
        return TitleTable.build(titles, preprocess_titles(titles), self.tfidf)

    def prepare_parsed(self, table: TitleTable, parsed: ParsedTitles) -> PreparedTitles:
        """Prepare titles of which `study_table` and parsing are done."""
        return PreparedTitles(table, self._weighed(parsed))

    def records(self, titles: Sequence[str]) -> RecordTable:
        """Parse titles into weighed units."""
        return self._weighed(ParsedTitles.from_titles(titles, self.parser))

    def _weighed(self, parsed: ParsedTitles) -> RecordTable:
        parsed = without_boilerplate(parsed, self.boilerplate)
        return RecordTable.from_parsed(parsed, self.parser.lexicon, self.vectors, self.counts)

    def features(
        self,
        left: PreparedTitles,
        right: PreparedTitles,
        left_rows: Rows,
        right_rows: Rows,
        relations: Relations | None = None,
        abbreviations: Mapping[int, Rows] = MappingProxyType({}),
    ) -> FloatArray:
        """Return the features of pairs of rows, columns in the order of `STRUCTURED_FEATURES`.

        Parameters
        ----------
        relations : Relations
            Between the units of both tables. Computed for a batch of pairs at a time if missing:
            the relations of all units would fill the memory.
        abbreviations : mapping of int to ndarray
            `find_abbreviations` of some left rows, where it has been called already; with `relations`.
        """
        if relations is None and len(left_rows) > _AT_ONCE:
            starts = range(0, len(left_rows), _AT_ONCE)
            batches = [slice(start, start + _AT_ONCE) for start in starts]
            return np.vstack([self.features(left, right, left_rows[b], right_rows[b]) for b in batches])
        if relations is None:
            used_left, left_rows = np.unique(left_rows, return_inverse=True)
            used_right, right_rows = np.unique(right_rows, return_inverse=True)
            left, right, abbreviations = left.take(used_left), right.take(used_right), {}
        study = pair_features(left.table.take(left_rows), right.table.take(right_rows))
        record = record_features(
            left.records, right.records, left_rows, right_rows, relations, abbreviations
        )
        features: FloatArray = np.column_stack([study, record])
        # Rounded, as processors differ in the last digits of a sum.
        return np.round(features, 7)

    def log_odds(self, features: FloatArray) -> FloatArray:
        """Return the log-odds that two titles are the same study, shape (n,)."""
        return self.same.log_odds(features)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probability that two titles are the same study, shape (n,)."""
        return _sigmoid(self.log_odds(features))

    def asked_probability(self, features: FloatArray, probability: FloatArray) -> FloatArray:
        """Return the `ask_score` of pairs, shape (n,), given the probability of the same study."""
        return ask_score(probability, _sigmoid(self.asked.log_odds(features)))

    def relatedness(
        self, features: FloatArray, probability: FloatArray, asked: FloatArray
    ) -> FloatArray:
        """Return the expected grade of pairs, in [0, 3], shape (n,).

        Parameters
        ----------
        probability, asked : ndarray of float, shape (n,)
            As from `probability` and `asked_probability`.
        """
        related = _sigmoid(self.related.log_odds(features))
        return np.round(expected_grade(probability, asked, related), 9)

    def contributions(self, features: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return the starting log-odds of pairs, and what each of `PART_COLUMNS` adds to it.

        Where neither title names a place, the contribution of the place is moved to the start.
        """
        by_feature = self.same.contributions(features)
        parts = {name: by_feature[:, list(cols)].sum(axis=1) for name, cols in PART_COLUMNS.items()}
        start = np.full(len(features), self.same.start)
        has_no_place = features[:, _PLACE_NAMED] == 0
        start[has_no_place] += parts["place"][has_no_place]
        parts["place"][has_no_place] = 0.0
        return start, parts

    def score(self, left: Sequence[str], right: Sequence[str]) -> FloatArray:
        """Return the probability of pairs of titles, ``left[i]`` with ``right[i]``, shape (n,).

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
        """Return the features of pairs of titles; a repeated title is prepared once."""
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
        facts_bytes = np.frombuffer(text, dtype=np.uint8)
        np.savez_compressed(stream, facts=facts_bytes, idf=self.tfidf.idf, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "StructuredModel":
        """Return the model that `to_bytes` stored, with the package's lexicon and vectors."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            facts: dict[str, Any] = json.loads(stored["facts"].tobytes())
            same, asked, related = (BoostedTrees.from_arrays(stored, name) for name in QUESTIONS)
            return cls(
                ArrayTfidf(facts["terms"], stored["idf"]),
                UnitCounts(facts["counts"], facts["n_titles"]),
                same,
                asked,
                related,
                packaged_parser(),
                WordVectors.read(),
            )
