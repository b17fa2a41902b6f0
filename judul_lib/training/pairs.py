"""Training sets of the structured model: real pairs, gold pairs, people's labels."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.core.array_types import FloatArray
from judul_lib.structured.gold import crossed_pairs
from judul_lib.structured.model import STRUCTURED_FEATURES, StructuredModel
from judul_lib.structured.real_pairs import ELSEWHERE_GRADE, RELATED_GRADE, SAME_GRADE, RealPairs
from judul_lib.study.preprocessing import pair_key, title_key

_PLACE_NAMED = STRUCTURED_FEATURES.index("place_named")
# A label by a user counts more than a pair of the shared data.
_PERSON_LABEL_WEIGHT = 5.0
_COMPARES = re.compile(
    r"\b(?:perbandingan|komparasi|komparatif|comparison|comparative)\b", re.IGNORECASE
)

_EFFECT = re.compile(
    r"(.*?\b(?:pengaruh|dampak|efek|kontribusi|peran)\s)(.+?)(\sterhadap\s)(.+?)"
    r"(\s(?:di|pada|dengan|menggunakan|studi|dalam)\s.*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TrainingSet:
    """Features, grades, weights and groups of pairs.

    Attributes
    ----------
    features : ndarray of float, shape (n, n_features)
    grades : ndarray of int, shape (n,)
    weights : ndarray of float, shape (n,)
    groups : ndarray of str, shape (n,)
        Cross-validation keeps a group together: the base study of gold pairs.
    """

    features: FloatArray
    grades: NDArray[np.int_]
    weights: FloatArray
    groups: NDArray[np.object_]

    def take(self, rows: NDArray) -> "TrainingSet":
        """Return a subset of the pairs."""
        return TrainingSet(self.features[rows], self.grades[rows], self.weights[rows], self.groups[rows])

    def __add__(self, other: "TrainingSet") -> "TrainingSet":
        return TrainingSet(
            np.vstack([self.features, other.features]),
            np.concatenate([self.grades, other.grades]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.groups, other.groups]),
        )

    @property
    def same(self) -> NDArray[np.int_]:
        """1 where the pair is the same study, shape (n,)."""
        return (self.grades >= SAME_GRADE).astype(int)

    @property
    def asked(self) -> NDArray[np.int_]:
        """1 where it is the same study, possibly in another place, shape (n,)."""
        return (self.grades >= ELSEWHERE_GRADE).astype(int)

    @property
    def related(self) -> NDArray[np.int_]:
        """1 where the two studies are related at all, shape (n,)."""
        return (self.grades >= RELATED_GRADE).astype(int)


def training_set(
    gold: pd.DataFrame, model: StructuredModel, *, labelled: pd.DataFrame | None = None
) -> TrainingSet:
    """Build a training set from gold pairs and people's labels.

    To the gold pairs are added `crossed_pairs`, each base title with itself,
    `swapped_pairs` and `comparison_pairs`. A person's label replaces the grade
    of the same pair.

    Parameters
    ----------
    gold : DataFrame
        As from `judul_lib.structured.gold.read_gold`.
    labelled : DataFrame
        People's labels: ``judul_a``, ``judul_b``, ``label`` (1 similar, 0 not).
    """
    identical = gold.drop_duplicates("base_id").assign(judul_b=lambda bases: bases["judul_a"], grade=4)
    crossed = crossed_pairs(gold).assign(grade=lambda pairs: np.where(pairs["label"] == 1, 3, 1))
    swapped = swapped_pairs(gold).assign(grade=1)
    comparisons = comparison_pairs(gold).assign(grade=1)
    pairs = _exclude_labelled(pd.concat([gold, crossed, identical, swapped, comparisons]), labelled)
    data = _to_set(pairs, model, pairs["grade"].to_numpy(dtype=int), pairs["base_id"], 1.0)
    # By the present guide a pair is the same study where only one title names a place; drop the
    # pairs that were graded otherwise before.
    is_outdated = (data.grades == ELSEWHERE_GRADE) & (data.features[:, _PLACE_NAMED] < 2)
    data = data.take(np.flatnonzero(~is_outdated))
    if labelled is None or labelled.empty:
        return data
    grades = np.where(labelled["label"] == 1, 4, 0)
    return data + _to_set(labelled, model, grades, _studies(labelled, gold), _PERSON_LABEL_WEIGHT)


def swapped_pairs(gold: pd.DataFrame) -> pd.DataFrame:
    """Pair each title on an effect with a copy in which cause and effect are swapped.

    Returns
    -------
    DataFrame
        ``base_id``, ``judul_a``, ``judul_b``.

    Examples
    --------
    >>> gold = pd.DataFrame({"base_id": ["1"], "judul_a": ["Pengaruh Pupuk terhadap Hasil di Solo"],
    ...                      "judul_b": ["Hasil dan Pupuk"]})
    >>> swapped_pairs(gold)["judul_b"].tolist()
    ['Pengaruh Hasil terhadap Pupuk di Solo']
    """
    rows: dict[str, tuple[str, str]] = {}
    for side in ("judul_a", "judul_b"):
        for base, title in zip(gold["base_id"], gold[side], strict=True):
            match = _EFFECT.fullmatch(title)
            if match:
                start, cause, on, effect, rest = match.groups(default="")
                rows[title] = (base, f"{start}{effect}{on}{cause}{rest}")
    pairs = [(base, title, other) for title, (base, other) in rows.items()]
    return pd.DataFrame(pairs, columns=["base_id", "judul_a", "judul_b"])


def comparison_pairs(gold: pd.DataFrame) -> pd.DataFrame:
    """Pair each base title with the title of a comparison (*Perbandingan ...*).

    Returns
    -------
    DataFrame
        ``base_id``, ``judul_a``, ``judul_b``.

    Examples
    --------
    >>> gold = pd.DataFrame({"base_id": ["1"], "judul_a": ["Deteksi Hoaks dengan CNN"]})
    >>> comparison_pairs(gold)["judul_b"].tolist()
    ['Perbandingan Deteksi Hoaks dengan CNN']
    """
    bases = gold.drop_duplicates("base_id")[["base_id", "judul_a"]]
    bases = bases[~bases["judul_a"].str.contains(_COMPARES)]
    return bases.assign(judul_b="Perbandingan " + bases["judul_a"]).reset_index(drop=True)


def real_set(real: RealPairs) -> TrainingSet:
    """Return real pairs as a training set, grouped by their left title."""
    n = len(real)
    return TrainingSet(real.features, real.grade.astype(int), np.ones(n), real.left.astype(object))


def _to_set(
    pairs: pd.DataFrame, model: StructuredModel, grades: NDArray, groups: Iterable[str], weight: float
) -> TrainingSet:
    features = model.pair_features(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())
    return TrainingSet(
        features, grades, np.full(len(pairs), weight), np.array(list(groups), dtype=object)
    )


def _exclude_labelled(pairs: pd.DataFrame, labelled: pd.DataFrame | None) -> pd.DataFrame:
    """Drop the pairs that people have labelled."""
    if labelled is None or labelled.empty:
        return pairs
    keys = set(map(pair_key, labelled["judul_a"], labelled["judul_b"]))
    return pairs[[key not in keys for key in map(pair_key, pairs["judul_a"], pairs["judul_b"])]]


def _studies(labelled: pd.DataFrame, gold: pd.DataFrame) -> list[str]:
    """Return the gold study that either title of a pair belongs to, else the left title."""
    titles = pd.concat([gold["judul_b"], gold["judul_a"]]).map(title_key)
    studies = dict(zip(titles, [*gold["base_id"]] * 2, strict=True))
    keys = (map(title_key, labelled[side]) for side in ("judul_a", "judul_b"))
    return [studies.get(a) or studies.get(b) or a for a, b in zip(*keys, strict=True)]
