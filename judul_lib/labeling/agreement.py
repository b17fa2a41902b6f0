"""Agreement of two people who labelled the same pairs of titles."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import cohen_kappa_score

from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import SEED
from judul_lib.labeling.session import ANSWERS, LabelRecord, read_answers
from judul_lib.structured.gold import ELSEWHERE_GRADE, SIMILAR_GRADE
from judul_lib.study.metrics import resampled_weights

UNSURE = "ragu"


@dataclass(frozen=True)
class Agreement:
    """Agreement of two labellers on the pairs that both answered.

    Attributes
    ----------
    n_shared : int
        Pairs that both answered.
    n_unsure : int
        Shared pairs on which at least one is unsure.
    share : float
        Share of the shared pairs with the same answer; NaN without any.
    kappa, low, high : float
        Cohen's kappa of the three answers and its 95 % bootstrap interval. NaN
        if undefined: no shared pair, or both gave one answer to all.
    disagreements : DataFrame
        ``judul_a``, ``judul_b``, ``pertama``, ``kedua``: the shared pairs with
        different answers.
    """

    n_shared: int
    n_unsure: int
    share: float
    kappa: float
    low: float
    high: float
    disagreements: pd.DataFrame

    @property
    def interpretation(self) -> str:
        """Interpretation in Indonesian."""
        if not self.n_shared:
            return "Belum ada pasangan yang dinilai keduanya. Minta keduanya menilai antrean yang sama."
        if np.isnan(self.kappa):
            return (
                "Semua jawaban keduanya sama dan hanya satu macam, sehingga kappa tidak terdefinisi. "
                "Nilai lebih banyak pasangan."
            )
        return next(text for min_kappa, text in _KAPPA_INTERPRETATIONS if self.kappa >= min_kappa)


_KAPPA_INTERPRETATIONS = (
    (0.8, "Keduanya sangat sejalan; label mereka dapat digabung."),
    (0.6, "Keduanya cukup sejalan; bahas pasangan yang jawabannya berbeda sebelum labelnya dipakai."),
    (-1.0, "Keduanya belum sejalan; sepakati dulu apa yang disebut mirip, lalu nilai lagi."),
)


def compare_answer_files(
    first: str | Path, second: str | Path, *, random_state: int = SEED
) -> Agreement:
    """Compare two answer files of `judul_lib.labeling.session.LabelingSession`.

    Raises
    ------
    LabelError
        A file is damaged.
    """
    files = read_answers(first), read_answers(second)
    return compare_answers(*files, random_state=random_state)


def compare_answers(
    first: Sequence[LabelRecord],
    second: Sequence[LabelRecord],
    *,
    n_resamples: int = 1000,
    random_state: int = SEED,
) -> Agreement:
    """Compare two people's answers.

    References
    ----------
    Cohen, J. (1960). *A coefficient of agreement for nominal scales*; the
    bounds 0.6 and 0.8 are those of Landis, J. R., & Koch, G. G. (1977).
    """
    second_labels = {answer.key: answer.label for answer in second}
    shared = [
        (*answer.pair, answer.label, second_labels[answer.key])
        for answer in first
        if answer.key in second_labels
    ]
    labels = np.array([row[2:] for row in shared], dtype=str).reshape(-1, 2)
    kappa = low = high = float("nan")
    if shared:
        cells = np.searchsorted(sorted(ANSWERS), labels) @ [len(ANSWERS), 1]
        one_hot = np.eye(len(ANSWERS) ** 2)[cells]
        draws = resampled_weights(len(shared), None, n_resamples, random_state)
        counts = np.vstack([one_hot.sum(axis=0), np.array(list(draws)) @ one_hot])
        kappa, *resampled = map(_kappa, counts)
        if not np.isnan(kappa):
            low, high = np.nanquantile(resampled, [0.025, 0.975])
    rows = [row for row in shared if row[2] != row[3]]
    return Agreement(
        n_shared=len(shared),
        n_unsure=int((labels == UNSURE).any(axis=1).sum()),
        share=float((labels[:, 0] == labels[:, 1]).mean()) if shared else float("nan"),
        kappa=float(kappa),
        low=float(low),
        high=float(high),
        disagreements=pd.DataFrame(rows, columns=["judul_a", "judul_b", "pertama", "kedua"]),
    )


def gold_answers(gold: pd.DataFrame) -> tuple[list[LabelRecord], list[LabelRecord]]:
    """Convert the two gradings of gold pairs to answers: *mirip* from grade 3, *ragu* for grade 2.

    Parameters
    ----------
    gold : DataFrame
        As from `judul_lib.structured.gold.read_second_grades`.
    """

    def answers(column: str, labeller: str) -> list[LabelRecord]:
        rows = zip(gold["judul_a"], gold["judul_b"], gold[column].map(_answer_of_grade), strict=True)
        return [LabelRecord((left, right), label, labeller, "") for left, right, label in rows]

    return answers("grade", "pertama"), answers("second_grade", "kedua")


def _answer_of_grade(grade: int) -> str:
    if grade == ELSEWHERE_GRADE:
        return UNSURE
    return "mirip" if grade >= SIMILAR_GRADE else "tidak"


def _kappa(counts: FloatArray) -> float:
    """Return Cohen's kappa from a flat contingency table of answers; NaN if there is only one."""
    first, second = np.divmod(np.arange(len(counts)), len(ANSWERS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return float(cohen_kappa_score(first, second, sample_weight=counts))
