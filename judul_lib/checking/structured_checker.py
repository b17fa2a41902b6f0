"""Compare proposed titles with every title of a corpus by the structured model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import Evidence, require_threshold
from judul_lib.checking.ranking import ranking
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.formatting import format_percent
from judul_lib.core.settings import DECISION_THRESHOLD, ELSEWHERE, ELSEWHERE_LABELS
from judul_lib.structured.boilerplate import Boilerplate
from judul_lib.structured.explanation import compare_rows, describe
from judul_lib.structured.model import PreparedTitles, StructuredModel
from judul_lib.structured.records import ParsedTitles, RecordTable
from judul_lib.structured.relations import Relations, find_abbreviations
from judul_lib.structured.retrieval import MIN_FOUND
from judul_lib.study.features import TitleTable
from judul_lib.study.preprocessing import require_titles

# Relations between units are kept up to this many pairs, at six bytes each.
_MAX_RELATION_CELLS = 20_000_000
# In larger corpora, reading a few titles again costs less than a table of all.
_MAX_LOOKED_UP = 50_000


@dataclass(frozen=True)
class _StructuredComparison:
    model: StructuredModel
    left: PreparedTitles
    right: PreparedTitles
    _abbreviations: dict[int, Rows] = field(default_factory=dict)

    @cached_property
    def _relations(self) -> Relations | None:
        """Relations between all units, or None if they need too much memory."""
        left, right = self.left.records.units, self.right.records.units
        return Relations.between(left, right) if len(left) * len(right) <= _MAX_RELATION_CELLS else None

    def related(self, left_row: int, min_found: int) -> Rows:
        left, right = self.left, self.right
        relations, row = self._relations, left_row
        if relations is None:
            left, row = left.take(np.array([left_row])), 0
            relations = Relations.between(left.records.units, right.records.units)
        abbreviations = find_abbreviations(left.records, row, right.records)
        self._abbreviations[left_row] = abbreviations
        n = max(MIN_FOUND, min_found)
        return right.retrieval.find(left.records, row, relations, abbreviations, n)

    def features(self, left_rows: Rows, right_rows: Rows) -> FloatArray:
        return self.model.features(
            self.left, self.right, left_rows, right_rows, self._relations, self._abbreviations
        )

    def shared(self, left_rows: Rows, right_rows: Rows) -> list[str]:
        left, right = self.left.records, self.right.records
        abbreviations = self._abbreviations
        if self._relations is None:
            left, right = left.take(left_rows), right.take(right_rows)
            left_rows, abbreviations = np.arange(len(left)), {}
            right_rows = left_rows
        compared = compare_rows(left, right, left_rows, right_rows, self._relations, abbreviations)
        return list(map(describe, compared))


def _boilerplate_note(boilerplate: Boilerplate) -> str:
    where = "akhir" if boilerplate.at_end else "awal"
    return (
        f'Catatan: "{boilerplate.text}" di {where} {format_percent(boilerplate.share, 0)} judul arsip '
        "dianggap tambahan katalog dan tidak ikut dibandingkan."
    )


class StructuredChecker(Checker):
    """The structured model with a corpus, which determines how rare each term is.

    Parameters
    ----------
    model : StructuredModel
    titles : sequence of str, shape (n,)
        The corpus as typed.
    threshold : float
        Probability from which a title counts as similar.
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the same study in another place, or possibly in other words, counts.
    read : tuple of (TitleTable, ParsedTitles)
        The corpus, if it is parsed already.

    Examples
    --------
    >>> from judul_lib.checking.registry import load_structured
    >>> model, _ = load_structured("outputs/structured")
    >>> checker = StructuredChecker(model, ["Deteksi Hoaks dengan CNN di Medan"])
    >>> checker.check("Deteksi Berita Bohong dengan CNN di Solo").remarks[0].split("; ")[0]
    'penelitian serupa di tempat lain'
    """

    def __init__(
        self,
        model: StructuredModel,
        titles: Sequence[str],
        *,
        threshold: float = DECISION_THRESHOLD,
        elsewhere: str = ELSEWHERE,
        read: tuple[TitleTable, ParsedTitles] | None = None,
    ) -> None:
        require_titles(titles)
        self.titles, self.threshold = list(titles), require_threshold(threshold)
        self.elsewhere_label = ELSEWHERE_LABELS[elsewhere]
        self._elsewhere = elsewhere
        table, parsed = read or (
            model.study_table(self.titles),
            ParsedTitles.from_titles(self.titles, model.parser),
        )
        self._general_model, self._model = model, model.for_archive(self.titles, parsed)
        self._corpus = self._model.prepare_parsed(table, parsed)

    def with_titles(self, titles: Sequence[str]) -> "StructuredChecker":
        """Return the same model with another corpus."""
        return StructuredChecker(
            self._general_model, titles, threshold=self.threshold, elsewhere=self._elsewhere
        )

    def compare(self, left: Sequence[str], right: Sequence[str] | None = None) -> _StructuredComparison:
        """Prepare two lists of titles; the second is the corpus by default."""
        prepared = self._model.prepare(left)
        if right is None:
            return _StructuredComparison(self._model, prepared, self._corpus)
        other = prepared if right is left else self._prepared(right)
        return _StructuredComparison(self._model, prepared, other)

    def records(self, titles: Sequence[str]) -> RecordTable:
        """Return titles as the model reads them for the comparison with this corpus."""
        rows = self._rows_of(titles)
        return self._model.records(titles) if rows is None else self._corpus.records.take(rows)

    def _prepared(self, titles: Sequence[str]) -> PreparedTitles:
        rows = self._rows_of(titles)
        return self._model.prepare(titles) if rows is None else self._corpus.take(rows)

    def _rows_of(self, titles: Sequence[str]) -> Rows | None:
        """Return the rows of titles of the corpus, which are read already; None if one is not there."""
        if not len(titles) or len(self.titles) > _MAX_LOOKED_UP:
            return None
        rows = [self._row_by_title.get(title, -1) for title in titles]
        return None if min(rows) < 0 else np.array(rows)

    @cached_property
    def _row_by_title(self) -> Mapping[str, int]:
        return {title: row for row, title in enumerate(self.titles)}

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probabilities that pairs are the same study, shape (n,)."""
        return self._model.probability(features)

    @property
    def model(self) -> StructuredModel:
        """The model with the counts and the boilerplate of the corpus."""
        return self._model

    @property
    def notes(self) -> list[str]:
        """Sentences on boilerplate of the catalogue that is not compared."""
        return list(map(_boilerplate_note, self._model.boilerplate))

    def asked(self, features: FloatArray, probability: FloatArray) -> FloatArray:
        """Return `Matches.asked` of pairs, shape (n,)."""
        return self._model.asked_probability(features, probability)

    def order(self, features: FloatArray, probability: FloatArray, asked: FloatArray) -> Rows:
        """Return the rows of the compared titles: similar, then to ask about; each by relatedness."""
        level = np.maximum(2 * (probability >= DECISION_THRESHOLD), asked >= DECISION_THRESHOLD)
        order = ranking(features, probability)
        relatedness = self._model.relatedness(features, probability, asked)[order]
        return order[np.lexsort((-relatedness, -level[order]))]

    def is_known(self, stem: str) -> bool:
        """Tell whether a stem is in a dictionary or the lexicon."""
        return self._model.parser.is_word(stem)

    def evidence(self, title: str, other: str) -> Evidence:
        """Decompose the log-odds for one pair by field."""
        features = self._model.pair_features([title], [other])
        base, parts = self._model.contributions(features)
        total, probability = self._model.log_odds(features), self._model.probability(features)
        return Evidence(
            float(base[0]),
            {name: float(values[0]) for name, values in parts.items()},
            float(total[0]),
            is_probability=False,
            probability=float(probability[0]),
        )
