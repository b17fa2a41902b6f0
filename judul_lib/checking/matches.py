"""The result of a check: corpus titles with their scores and labels, best first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from judul_lib.core.array_types import BoolArray, FloatArray, Rows
from judul_lib.core.errors import ArgumentError
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, DIFFERENT, SIMILAR
from judul_lib.core.storage import csv_text, escape_formula
from judul_lib.study.features import FEATURES

RESULT_COLUMNS = ("judul_ref", *FEATURES, "rf_probability", "rf_label")
STUDY_COLUMNS = ("judul_ref", "rf_probability", "rf_label")
"""Columns of the study's download."""
REMARK_COLUMN = "penjelasan"
ELSEWHERE_REMARK = "penelitian serupa di tempat lain"
PERHAPS_REMARK = "mungkin penelitian yang sama dengan kata lain"


@dataclass(frozen=True)
class DecidedPair:
    """What people decided of the query and a title: it replaces the model's label."""

    label: str
    remark: str


@dataclass(frozen=True)
class Matches:
    """Corpus titles compared with one query, best first.

    Attributes
    ----------
    titles : list of str, shape (n,)
        Corpus titles.
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.study.features.FEATURES`.
    probability : ndarray of float, shape (n,)
        ``rf_probability`` in [0, 1].
    threshold : float
        Probability from which a title counts as similar.
    shared : list of str, shape (n,) or (0,)
        What each title shares with the query, field by field; empty if the model cannot tell.
    asked : ndarray of float, shape (n,) or (0,)
        Probability of the same study, possibly elsewhere; empty if the model cannot tell.
    elsewhere_label : str
        Label of a title to ask about: the same study elsewhere, or possibly in other words.
    deciding : Matches
        The titles of the whole corpus that decide at any threshold, best first, also
        those not in ``titles``; see `decision`. By default these matches are the whole corpus.
    decided : mapping of str to DecidedPair
        By corpus title, where people have decided.

    Examples
    --------
    >>> matches = Matches(["Deteksi Hoaks"], np.array([[0.9, 0.8, 0.7]]), np.array([0.6]), threshold=0.5)
    >>> matches.labels, matches.with_threshold(0.7).labels
    (['MIRIP'], ['TIDAK MIRIP'])
    """

    titles: list[str]
    features: FloatArray
    probability: FloatArray
    threshold: float
    shared: list[str] = field(default_factory=list)
    asked: FloatArray = field(default_factory=lambda: np.empty(0))
    elsewhere_label: str = ASK
    deciding: "Matches | None" = None
    decided: Mapping[str, DecidedPair] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def labels(self) -> list[str]:
        """``rf_label`` of each title, shape (n,)."""
        labels = assign_labels(
            self.probability, self.asked, self.threshold, elsewhere_label=self.elsewhere_label
        )
        if not self.decided:
            return labels
        pairs = map(self.decided.get, self.titles)
        return [pair.label if pair else label for pair, label in zip(pairs, labels, strict=True)]

    @property
    def reasons(self) -> list[str]:
        """Why a label is not from the probability, shape (n,): a decision, or why to ask; else empty."""
        must_ask = is_to_ask(self.probability, self.asked, self.threshold).tolist()
        reasons = [""] * len(self)
        for row, title in enumerate(self.titles):
            if (pair := self.decided.get(title)) is not None:
                reasons[row] = pair.remark
            elif must_ask[row] and self.shared:
                reasons[row] = _reason_to_ask(self.shared[row])
        return reasons

    @property
    def remarks(self) -> list[str]:
        """`reasons`, each followed by `shared`; shape (n,), or (0,) if there can be neither."""
        if not self.shared and not self.decided:
            return []
        pairs = zip(self.reasons, self.shared or [""] * len(self), strict=True)
        return ["; ".join(filter(None, pair)) for pair in pairs]

    @property
    def decision(self) -> "Matches":
        """The deciding match of the whole corpus; empty if the corpus is.

        It is the first similar title, else the first to ask about, else the first.
        """
        matches = self if self.deciding is None else self.deciding.with_threshold(self.threshold)
        labels = matches.labels
        row = next((labels.index(label) for label in (SIMILAR, ASK) if label in labels), 0)
        return matches._slice(slice(row, row + 1))

    def with_threshold(self, threshold: float) -> "Matches":
        """Return the same matches with another threshold."""
        return replace(self, threshold=require_threshold(threshold))

    def first(self, n: int | None) -> "Matches":
        """Return the first *n* matches."""
        return self._slice(slice(n))

    def _slice(self, rows: slice) -> "Matches":
        return replace(
            self,
            titles=self.titles[rows],
            features=self.features[rows],
            probability=self.probability[rows],
            shared=self.shared[rows],
            asked=self.asked[rows],
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict per title with the keys `RESULT_COLUMNS`, and its remark if there are any."""
        columns = zip(self.titles, self.features, self.probability, self.labels, strict=True)
        rows: list[dict[str, Any]] = []
        for title, features, probability, label in columns:
            values = title, *map(float, features), float(probability), label
            rows.append(dict(zip(RESULT_COLUMNS, values, strict=True)))
        for row, remark in zip(rows, self.remarks, strict=False):
            row[REMARK_COLUMN] = remark
        return rows

    def rows_with_decision(self) -> list[dict[str, Any]]:
        """Return `rows`, followed by the deciding one if it is not among them."""
        rows, decision = self.rows(), self.decision.rows()
        return rows + [row for row in decision if row not in rows]


def study_csv(matches: Matches) -> bytes:
    """Return matches as the study's download: CSV with `STUDY_COLUMNS`, probabilities to three decimals.

    Parameters
    ----------
    matches : Matches
        Those of the whole corpus, for the whole download.

    Returns
    -------
    bytes
        UTF-8 with a BOM, formulas escaped. A label is that of the exact probability.

    Examples
    --------
    >>> matches = Matches(["=Hoaks"], np.array([[0.9, 0.8, 0.7]]), np.array([0.61257]), threshold=0.5)
    >>> study_csv(matches).decode("utf-8-sig").splitlines()
    ['judul_ref,rf_probability,rf_label', "'=Hoaks,0.613,MIRIP"]
    """
    columns = zip(matches.titles, matches.probability.tolist(), matches.labels, strict=True)
    rows = [
        dict(zip(STUDY_COLUMNS, (escape_formula(title), f"{p:.3f}", label), strict=True))
        for title, p, label in columns
    ]
    return csv_text(rows, STUDY_COLUMNS).encode("utf-8-sig")


@dataclass(frozen=True)
class Evidence:
    """The answer for a pair of titles, decomposed by feature or field.

    Attributes
    ----------
    base : float
        The model's value without any information on the pair.
    parts : mapping of str to float
        What each feature or field adds.
    total : float
        Sum of ``base`` and ``parts``.
    is_probability : bool
        Whether these are probabilities; else they are log-odds.
    probability : float
        The answer, in [0, 1].
    """

    base: float
    parts: Mapping[str, float]
    total: float
    is_probability: bool
    probability: float


def assign_labels(
    probability: FloatArray, asked: FloatArray, threshold: float, *, elsewhere_label: str
) -> list[str]:
    """Return ``rf_label`` of titles, shape (n,); see `Matches`.

    Examples
    --------
    >>> assign_labels(np.array([0.6, 0.3]), np.array([0.0, 0.9]), 0.5, elsewhere_label="TANYAKAN")
    ['MIRIP', 'TANYAKAN']
    """
    must_ask = is_to_ask(probability, asked, threshold).tolist()
    return [
        elsewhere_label if ask else SIMILAR if p >= threshold else DIFFERENT
        for p, ask in zip(probability, must_ask, strict=True)
    ]


def best_matches(
    title: Callable[[int], str],
    features: FloatArray,
    probability: FloatArray,
    asked: FloatArray,
    shared: Callable[[Rows], list[str]],
    *,
    threshold: float,
    elsewhere_label: str = ASK,
    top_k: int | None = None,
) -> Matches:
    """Return the first `top_k` of ordered titles, and those of all that can decide.

    Parameters
    ----------
    title, shared : callable
        Return the title of a row; what rows share with the query, as in `Matches`.
    features, probability, asked
        Of all titles in their order; as in `Matches`.

    Examples
    --------
    >>> titles, p, asked = ["Padi", "Padi di Solo"], np.array([0.3, 0.2]), np.array([0.1, 0.9])
    >>> columns = titles.__getitem__, np.ones((2, 3)), p, asked, lambda rows: []
    >>> matches = best_matches(*columns, threshold=0.5, top_k=1)
    >>> matches.titles, matches.decision.titles
    (['Padi'], ['Padi di Solo'])
    """
    shown, deciding = np.arange(len(probability))[:top_k], _deciding_rows(probability, asked)
    rows = np.union1d(shown, deciding)
    texts = dict(zip(rows.tolist(), shared(rows), strict=False))

    def select(rows: Rows, deciding: Matches | None = None) -> Matches:
        return Matches(
            list(map(title, rows.tolist())), features[rows, : len(FEATURES)], probability[rows],
            threshold, [texts[row] for row in rows.tolist() if texts],
            asked[rows] if len(asked) else asked, elsewhere_label, deciding,
        )  # fmt: skip

    return select(shown, select(deciding))


def _deciding_rows(probability: FloatArray, asked: FloatArray) -> Rows:
    """Return the rows of ordered titles that decide at any threshold.

    The first title that reaches a threshold has a higher value than all before it.
    """
    rows: Rows = _running_maxima(probability)
    if len(asked):
        rows = np.union1d(rows, _running_maxima(np.maximum(probability, asked)))
    return rows


def _running_maxima(values: FloatArray) -> Rows:
    earlier_maxima = np.concatenate([[-np.inf], np.maximum.accumulate(values)])[:-1]
    return np.flatnonzero(values > earlier_maxima)


def _reason_to_ask(shared: str) -> str:
    places = [part for part in shared.split("; ") if part.startswith("tempat ")]
    return ELSEWHERE_REMARK if any("berbeda" in part for part in places) else PERHAPS_REMARK


def is_to_ask(probability: FloatArray, asked: FloatArray, threshold: float) -> BoolArray:
    """Tell which titles are not similar but to ask about, shape (n,); see `Matches`.

    A higher threshold does not apply to asking: titles that are no longer similar are asked about.

    Examples
    --------
    >>> is_to_ask(np.array([0.4, 0.2, 0.6]), np.array([0.7, 0.3, 0.9]), 0.5).tolist()
    [True, False, False]
    >>> is_to_ask(np.array([0.4, 0.2, 0.6]), np.array([0.7, 0.3, 0.6]), 0.9).tolist()
    [True, False, True]
    """
    if not len(asked):
        return np.zeros(len(probability), dtype=bool)
    is_possible = np.maximum(probability, asked) >= min(threshold, DECISION_THRESHOLD)
    result: BoolArray = (probability < threshold) & is_possible
    return result


def require_threshold(threshold: float) -> float:
    """Return the threshold.

    Raises
    ------
    ArgumentError
        It is not a number from 0 to 1.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 <= threshold <= 1:
        raise ArgumentError(
            f"Ambang {threshold!r:.40} tidak dapat dipakai. Berikan bilangan 0 sampai 1."
        )
    return threshold


def require_top_k(top_k: int | None) -> int | None:
    """Return the number of matches.

    Raises
    ------
    ArgumentError
        It is neither None nor an integer from 1.
    """
    is_integer = isinstance(top_k, Integral) and not isinstance(top_k, bool)
    if top_k is not None and not (is_integer and top_k >= 1):
        raise ArgumentError(
            f"Jumlah hasil {top_k!r:.40} tidak dapat dipakai. Berikan bilangan bulat mulai dari 1, "
            "atau None untuk semuanya."
        )
    return top_k
