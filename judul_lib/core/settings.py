"""The constants that were chosen, each with its source.

"The study" is the undergraduate study that this project reproduces; its own
results on its own titles are in ``docs/results.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Self

SEED = 42
"""Seed of every random choice."""

TEST_SIZE = 0.2
"""Share of the labelled pairs held out (the study: 80/20)."""

DECISION_THRESHOLD = 0.5
"""``rf_probability`` from which a pair is called similar (the study; a forest's majority vote)."""

PAIR_THRESHOLD = 0.6
"""Probability from which two titles of a catalogue are near-duplicates."""

SIMILAR, DIFFERENT, ASK = "MIRIP", "TIDAK MIRIP", "TANYAKAN"

ELSEWHERE = "tanyakan"
"""How the same study in another place counts: ``mirip``, ``tidak`` or ``tanyakan`` (the
department decides). Only the structured model recognises such pairs."""

ELSEWHERE_LABELS: Mapping[str, str] = MappingProxyType(
    {"mirip": SIMILAR, "tidak": DIFFERENT, "tanyakan": ASK}
)
"""The label of each treatment."""

ROLES = ("pemeriksa", "pengelola")
"""Roles of the users of the page."""
SCOPES = ("periksa", "arsip")
"""What an API key may allow: checks, the list of archives."""
DECISIONS: Mapping[str, str] = MappingProxyType({"bukan-duplikat": DIFFERENT, "sama": SIMILAR})
"""What a committee can decide of a pair of titles, with the label that the pair then gets."""

DATABASE_FILE, DATABASE_VARIABLE = "judul.db", "JUDUL_DATABASE_URL"
"""The SQLite file in the folder of the log, and the variable that names another database."""


@dataclass(frozen=True)
class LabelingSettings:
    """How pairs are labelled by their cosine (the study's rule).

    Attributes
    ----------
    similar_min : float
        Cosine from which a pair is labelled similar.
    different_max : float
        Cosine up to which a pair is labelled not similar; the study's range is
        0.20 to 0.25. Pairs between the two are the grey zone and get no label.
    negatives_per_title : int
        Not-similar partners drawn for each title (the study: 5).
    ordered : bool
        As the study did: similar pairs in both orders, and every draw of a
        not-similar pair kept, so that two titles that drew each other count twice.
    """

    similar_min: float = 0.60
    different_max: float = 0.20
    negatives_per_title: int = 5
    ordered: bool = False

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Take them from the parameters of notebook 02; other names are ignored.

        Examples
        --------
        >>> LabelingSettings.from_parameters({"ORDERED": True, "DROP_DUPLICATES": False}).ordered
        True
        """
        names = (field.name for field in fields(cls))
        return cls(**{name: parameters[name.upper()] for name in names if name.upper() in parameters})


def _frozen(**entries: Any) -> Mapping[str, Any]:
    return MappingProxyType(entries)


@dataclass(frozen=True)
class Profile:
    """A size of model: its vocabulary and the grid searched for its forest.

    Attributes
    ----------
    name : str
        Name of the model folder under ``outputs/``.
    title : str
        Name that readers see.
    tfidf : mapping
        Keyword arguments of ``TfidfVectorizer``.
    grid : mapping
        Keyword arguments of ``RandomForestClassifier`` and the values tried.
    n_splits : int
        Folds of the cross-validation.
    compress : int
        ``joblib.dump`` compression level, 0 for none.
    """

    name: str
    title: str
    tfidf: Mapping[str, Any]
    grid: Mapping[str, tuple[Any, ...]]
    n_splits: int
    compress: int


FULL = Profile(
    name="full",
    title="Model Penuh",
    tfidf=_frozen(ngram_range=(1, 2), min_df=1, max_df=0.95),
    grid=_frozen(
        n_estimators=(100, 200, 300),
        max_depth=(None, 10, 20),
        min_samples_split=(2, 5),
        min_samples_leaf=(1, 2),
    ),
    n_splits=5,
    compress=0,
)

LIGHT = Profile(
    name="light",
    title="Model Ringan",
    tfidf=_frozen(ngram_range=(1, 2), min_df=2, max_df=0.9, max_features=500),
    grid=_frozen(
        n_estimators=(50, 100), max_depth=(10, 15), min_samples_split=(5,), min_samples_leaf=(2,)
    ),
    n_splits=3,
    compress=3,
)

PROFILES: Mapping[str, Profile] = MappingProxyType({p.name: p for p in (FULL, LIGHT)})

STUDY_PARAMETERS: Mapping[str, Any] = _frozen(
    DROP_DUPLICATES=False, SIMILAR_MIN=0.60, DIFFERENT_MAX=0.25, NEGATIVES_PER_TITLE=5, ORDERED=True
)
"""Notebook parameters that repeat the study, with the thresholds of its document."""

RUN_PROFILES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"bawaan": _frozen(), "studi": STUDY_PARAMETERS}
)
"""Values of the run parameter ``PROFILE``, and the notebook parameters that each sets."""

MODEL_TITLES: Mapping[str, str] = MappingProxyType(
    {**{p.name: p.title for p in PROFILES.values()}, "structured": "Model Terstruktur"}
)
"""Names of the models for readers, by folder."""

FEATURE_TITLES: Mapping[str, str] = MappingProxyType(
    {"cosine": "kosinus", "jaccard": "Jaccard", "levenshtein": "Levenshtein"}
)
"""Names of the features for readers."""
