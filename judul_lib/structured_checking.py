"""Compare a proposed title with every title of a corpus, by the structured model."""

from collections.abc import Sequence

import numpy as np

from judul_lib.features import FEATURES, FloatArray
from judul_lib.matches import ELSEWHERE_REMARK, Matches, label, ranking
from judul_lib.settings import DECISION_THRESHOLD, ELSEWHERE, ELSEWHERE_LABELS
from judul_lib.structured import StructuredModel
from judul_lib.verdicts import explain


class StructuredChecker:
    """The structured model with a corpus made ready once; used like `TitleChecker`.

    Parameters
    ----------
    model : StructuredModel
    titles : sequence of str, shape (n,)
        The corpus as typed.
    threshold : float
        Probability from which a title counts as similar.
    elsewhere : {"mirip", "tidak", "tanyakan"}
        How the same study in another place counts.
    """

    def __init__(
        self,
        model: StructuredModel,
        titles: Sequence[str],
        *,
        threshold: float = DECISION_THRESHOLD,
        elsewhere: str = ELSEWHERE,
    ) -> None:
        self.titles, self.threshold = list(titles), threshold
        self._elsewhere_label = ELSEWHERE_LABELS[elsewhere]
        self._model = model
        self._corpus = model.prepare(self.titles)

    def check(self, title: str, *, top_k: int | None = None) -> Matches:
        """Compare one title with the whole corpus; see `TitleChecker.check`.

        The same study in another place is named in the remark of its title.
        """
        rows = np.arange(len(self.titles))
        query = self._model.prepare([title])
        features = self._model.features(query, self._corpus, np.zeros_like(rows), rows)
        probability = self._model.probability(features)
        best = ranking(features, probability)[:top_k]
        titles = [self.titles[i] for i in best]
        elsewhere = self._is_elsewhere([title] * len(best), titles, features[best])
        labels = self._labels(probability[best], elsewhere)
        remarks = [
            f"{ELSEWHERE_REMARK}; " * is_elsewhere + explain(self._model, title, other)
            for other, is_elsewhere in zip(titles, elsewhere, strict=True)
        ]
        return Matches(
            titles,
            features[best][:, : len(FEATURES)],
            probability[best],
            self.threshold,
            labels,
            remarks,
        )

    def score(
        self, left: Sequence[str], right: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, list[str]]:
        """Compare row *i* of the one with row *i* of the other; see `TitleChecker.score`."""
        features = self._model.pair_features(left, right)
        probability = self._model.probability(features)
        labels = self._labels(probability, self._is_elsewhere(left, right, features))
        return features[:, : len(FEATURES)], probability, labels

    def _labels(self, probability: FloatArray, elsewhere: Sequence[bool]) -> list[str]:
        return [
            self._elsewhere_label if is_elsewhere else label(p, self.threshold)
            for p, is_elsewhere in zip(probability, elsewhere, strict=True)
        ]

    def _is_elsewhere(
        self, left: Sequence[str], right: Sequence[str], features: FloatArray
    ) -> list[bool]:
        if not len(features):
            return []
        without = self._model.pair_features(left, right, with_place=False)
        return self._model.elsewhere(features, without, threshold=self.threshold).tolist()
