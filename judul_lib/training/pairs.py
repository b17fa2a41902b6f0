"""Pairs of titles as the structured model learns from them: real pairs, gold pairs, people's labels."""

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
# What a person said weighs more than a pair that was graded for everybody.
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
    """Pairs as numbers.

    Attributes
    ----------
    features : ndarray of float, shape (n, n_features)
    grades : ndarray of int, shape (n,)
    weights : ndarray of float, shape (n,)
    groups : ndarray of str, shape (n,)
        Pairs of one group are learnt from together or not at all: the base of gold pairs.
    """

    features: FloatArray
    grades: NDArray[np.int_]
    weights: FloatArray
    groups: NDArray[np.object_]

    def take(self, rows: NDArray) -> "TrainingSet":
        """Return some of the pairs."""
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
        """1 where it is the same study in whatever place, shape (n,)."""
        return (self.grades >= ELSEWHERE_GRADE).astype(int)

    @property
    def related(self) -> NDArray[np.int_]:
        """1 where the two have anything to do with each other, shape (n,)."""
        return (self.grades >= RELATED_GRADE).astype(int)


def training_set(
    gold: pd.DataFrame, model: StructuredModel, *, labelled: pd.DataFrame | None = None
) -> TrainingSet:
    """Turn gold pairs and people's labels into features.

    The pairs as written are joined by `crossed_pairs`, by each base title
    with itself, by `swapped_pairs` and by `compared_pairs`. What a person says of a pair takes the
    place of what is said of it here.

    Parameters
    ----------
    labelled : DataFrame
        What people said: ``judul_a``, ``judul_b``, ``label`` (1 similar, 0 not).
    """
    itself = gold.drop_duplicates("base_id").assign(judul_b=lambda bases: bases["judul_a"], grade=4)
    crossed = crossed_pairs(gold).assign(grade=lambda pairs: np.where(pairs["label"] == 1, 3, 1))
    swapped = swapped_pairs(gold).assign(grade=1)
    compared = compared_pairs(gold).assign(grade=1)
    pairs = _exclude_labelled(pd.concat([gold, crossed, itself, swapped, compared]), labelled)
    own = _set(pairs, model, pairs["grade"].to_numpy(dtype=int), pairs["base_id"], 1.0)
    # Where only one title names a place it is the same study by the guide; some pairs are older.
    is_open = (own.grades == ELSEWHERE_GRADE) & (own.features[:, _PLACE_NAMED] < 2)
    own = own.take(np.flatnonzero(~is_open))
    if labelled is None or labelled.empty:
        return own
    grades = np.where(labelled["label"] == 1, 4, 0)
    return own + _set(labelled, model, grades, _studies(labelled, gold), _PERSON_LABEL_WEIGHT)


def swapped_pairs(gold: pd.DataFrame) -> pd.DataFrame:
    """Pair titles on an effect with those in which cause and effect have changed places.

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
            found = _EFFECT.fullmatch(title)
            if found:
                start, cause, on, effect, rest = found.groups(default="")
                rows[title] = (base, f"{start}{effect}{on}{cause}{rest}")
    pairs = [(base, title, other) for title, (base, other) in rows.items()]
    return pd.DataFrame(pairs, columns=["base_id", "judul_a", "judul_b"])


def compared_pairs(gold: pd.DataFrame) -> pd.DataFrame:
    """Pair base titles with a comparison in their words.

    Returns
    -------
    DataFrame
        ``base_id``, ``judul_a``, ``judul_b``.

    Examples
    --------
    >>> gold = pd.DataFrame({"base_id": ["1"], "judul_a": ["Deteksi Hoaks dengan CNN"]})
    >>> compared_pairs(gold)["judul_b"].tolist()
    ['Perbandingan Deteksi Hoaks dengan CNN']
    """
    bases = gold.drop_duplicates("base_id")[["base_id", "judul_a"]]
    bases = bases[~bases["judul_a"].str.contains(_COMPARES)]
    return bases.assign(judul_b="Perbandingan " + bases["judul_a"]).reset_index(drop=True)


def real_set(real: RealPairs) -> TrainingSet:
    """Return real pairs as what is learnt from; each title is a group by itself."""
    n = len(real)
    return TrainingSet(real.features, real.grade.astype(int), np.ones(n), real.left.astype(object))


def _set(
    pairs: pd.DataFrame, model: StructuredModel, grades: NDArray, groups: Iterable[str], weight: float
) -> TrainingSet:
    features = model.pair_features(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())
    return TrainingSet(
        features, grades, np.full(len(pairs), weight), np.array(list(groups), dtype=object)
    )


def _exclude_labelled(pairs: pd.DataFrame, labelled: pd.DataFrame | None) -> pd.DataFrame:
    """Leave out the pairs on which there is a person's label."""
    if labelled is None or labelled.empty:
        return pairs
    told = set(map(pair_key, labelled["judul_a"], labelled["judul_b"]))
    return pairs[[key not in told for key in map(pair_key, pairs["judul_a"], pairs["judul_b"])]]


def _studies(labelled: pd.DataFrame, gold: pd.DataFrame) -> list[str]:
    """Return the gold study that one of two titles is of, else the left title."""
    known = pd.concat([gold["judul_b"], gold["judul_a"]]).map(title_key)
    studies = dict(zip(known, [*gold["base_id"]] * 2, strict=True))
    keys = (map(title_key, labelled[side]) for side in ("judul_a", "judul_b"))
    return [studies.get(a) or studies.get(b) or a for a, b in zip(*keys, strict=True)]
