"""Compare proposed titles with every title of a corpus, by the structured model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from judul_lib.checking import Checker, Rows
from judul_lib.features import FloatArray
from judul_lib.matches import Evidence, require_threshold
from judul_lib.preprocessing import require_titles
from judul_lib.record_features import unit_similarity
from judul_lib.settings import DECISION_THRESHOLD, ELSEWHERE, ELSEWHERE_LABELS
from judul_lib.structured import PreparedTitles, StructuredModel
from judul_lib.verdicts import compare_rows, told


@dataclass(frozen=True)
class _RecordComparison:
    model: StructuredModel
    titles: tuple[Sequence[str], Sequence[str]]
    left: PreparedTitles
    right: PreparedTitles

    @cached_property
    def _alike(self) -> FloatArray:
        return unit_similarity(self.left.records.units, self.right.records.units)

    def features(self, left_rows: Rows, right_rows: Rows) -> FloatArray:
        return self.model.features(self.left, self.right, left_rows, right_rows, self._alike)

    def without_place(self, left_rows: Rows, right_rows: Rows, features: FloatArray) -> FloatArray:
        rows = zip(self.titles, (left_rows, right_rows), strict=True)
        left, right = ([titles[row] for row in of.tolist()] for titles, of in rows)
        return without_place(self.model, left, right, features)

    def shared(self, left_rows: Rows, right_rows: Rows) -> list[str]:
        records = self.left.records, self.right.records
        return list(map(told, compare_rows(*records, left_rows, right_rows, self._alike)))


def without_place(
    model: StructuredModel, left: Sequence[str], right: Sequence[str], features: FloatArray
) -> FloatArray:
    """Return the probability of pairs if neither title named its place; see `Matches.without_place`.

    Parameters
    ----------
    left, right : sequence of str, shape (n,)
    features : ndarray, shape (n, n_features)
        Of the pairs as they are.
    """
    probability = np.zeros(len(features))
    apart = np.flatnonzero(model.may_be_elsewhere(features))
    if len(apart):
        pairs = ([titles[row] for row in apart.tolist()] for titles in (left, right))
        bare = model.pair_features(*pairs, with_place=False)
        probability[apart] = model.probability(bare)
    return probability


class StructuredChecker(Checker):
    """The structured model with a corpus.

    The same study in another place is named in the remark of its title.

    Parameters
    ----------
    model : StructuredModel
    titles : sequence of str, shape (n,)
        The corpus as typed.
    threshold : float
        Probability from which a title counts as similar.
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the same study in another place counts.

    Examples
    --------
    >>> from judul_lib.registry import load_structured
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
    ) -> None:
        require_titles(titles)
        self.titles, self.threshold = list(titles), require_threshold(threshold)
        self.elsewhere_label = ELSEWHERE_LABELS[elsewhere]
        self._elsewhere = elsewhere
        self._model = model
        self._corpus = model.prepare(self.titles)

    def with_titles(self, titles: Sequence[str]) -> "StructuredChecker":
        """Return the same model with another corpus."""
        return StructuredChecker(
            self._model, titles, threshold=self.threshold, elsewhere=self._elsewhere
        )

    def compare(self, left: Sequence[str], right: Sequence[str] | None = None) -> _RecordComparison:
        """Make two lists of titles ready; the second is the corpus by default."""
        read = self._model.prepare(left)
        if right is None:
            return _RecordComparison(self._model, (left, self.titles), read, self._corpus)
        other = read if right is left else self._model.prepare(right)
        return _RecordComparison(self._model, (left, right), read, other)

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the probability that pairs are the same study, shape (n,)."""
        return self._model.probability(features)

    def is_known(self, stem: str) -> bool:
        """Tell whether a stem is in a dictionary or the lexicon."""
        return self._model.parser.is_word(stem)

    def evidence(self, title: str, other: str) -> Evidence:
        """Take apart the answer for one pair: what each field adds to the log-odds."""
        features = self._model.pair_features([title], [other])
        parts = {name: float(v[0]) for name, v in self._model.contributions(features).items()}
        total, probability = self._model.log_odds(features), self._model.probability(features)
        return Evidence(
            float(self._model.intercept),
            parts,
            float(total[0]),
            is_probability=False,
            probability=float(probability[0]),
        )
