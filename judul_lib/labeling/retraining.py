"""Learn from people's labels: a new version, compared with the one before."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.registry import (
    STRUCTURED,
    Model,
    load_model,
    load_structured,
    read_metadata,
    version_of,
)
from judul_lib.checking.versions import add_version, model_folder
from judul_lib.core.array_types import FloatArray
from judul_lib.core.errors import LabelError, TrainingError
from judul_lib.core.settings import DECISION_THRESHOLD, FULL, PROFILES, SEED
from judul_lib.core.storage import sha256_of
from judul_lib.core.tables import TITLE_COLUMN
from judul_lib.labeling.labels import LABEL_COLUMNS, MajorityLabels
from judul_lib.structured.gold import read_gold
from judul_lib.study.corpus import PROCESSED_COLUMN, REASON_COLUMN, ROW_COLUMN, Corpus
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.labeling import label_pairs
from judul_lib.study.metrics import bootstrap_differences
from judul_lib.study.preprocessing import preprocess_titles, title_key
from judul_lib.training.forest import package_model, train_model
from judul_lib.training.structured import package_structured, train_structured

MIN_GOLD_PAIRS = 20
"""Fewer gold pairs of either kind tell nothing, and teach nothing."""

_MIN_STUDIES = 10

PairScorer = Callable[[Sequence[str], Sequence[str]], FloatArray]


@dataclass(frozen=True)
class RetrainedModel:
    """A model trained again, beside the one before.

    Attributes
    ----------
    score_before, score_after : callable
        Two lists of titles in, the probability of each pair out.
    package : callable
        Takes a folder to be written, and what its metadata are to say besides,
        ``comparison`` among that.
    n_unknown_titles : int
        Distinct labelled titles that the corpus does not hold.
    notes : list of str
        Of the training, in Indonesian.
    """

    score_before: PairScorer
    score_after: PairScorer
    package: Callable[[Path, Mapping[str, Any]], object]
    n_unknown_titles: int
    notes: list[str]


def retrain_forest(folder: str | Path, labelled: pd.DataFrame, random_state: int) -> RetrainedModel:
    """Train a model of the study on the study's pairs and new labels, with the same vocabulary.

    A new label counts more than the study's for the same pair.

    Parameters
    ----------
    folder : path
        Of the model before.
    labelled : DataFrame
        ``judul_a``, ``judul_b``, ``label`` (1 similar, 0 not).

    Raises
    ------
    ModelError
        The model is missing, or its hashes do not hold.
    TrainingError
        The pairs of one label are too few.
    """
    old = load_model(folder)
    strange = _unknown_titles(old.titles, labelled)
    titles, processed = [*old.titles, *strange], [*old.processed, *preprocess_titles(strange)]
    result = train_model(
        titles, processed, _training_pairs(old, titles, labelled, random_state), PROFILES[old.name],
        vocabulary=old.processed, random_state=random_state,
    )  # fmt: skip
    new = TitleChecker(result.tfidf, result.scaler, result.forest, old.titles, old.processed)
    corpus = _corpus(old.titles, old.processed, old.metadata["dataset"])

    def package(folder: Path, extra_metadata: Mapping[str, Any]) -> bool:
        return package_model(
            result, corpus, folder, {"dataset": old.metadata["dataset"], **extra_metadata}
        )

    return RetrainedModel(
        score_before=lambda left, right: TitleChecker.from_model(old, []).score(left, right)[1],
        score_after=lambda left, right: new.score(left, right)[1],
        package=package,
        n_unknown_titles=len(strange),
        notes=result.notes,
    )


def retrain_structured(
    folder: str | Path, labelled: pd.DataFrame, gold: str | Path, random_state: int
) -> RetrainedModel:
    """Train the structured model on real pairs, the development part of gold pairs and new labels.

    Parameters
    ----------
    folder, labelled
        As for `retrain_forest`.
    gold : path
        As for `judul_lib.structured.gold.read_gold`.

    Raises
    ------
    ModelError
        The model is missing, or its hashes do not hold.
    TrainingError
        The development part has too few pairs.
    """
    old, titles = load_structured(folder)
    metadata = read_metadata(folder)
    development = read_gold(gold).query("split == 'dev'").reset_index(drop=True)
    _require_enough(development, Path(gold).name)
    new = train_structured(development, random_state=random_state, labelled=labelled)
    corpus = _corpus(titles, preprocess_titles(titles), metadata["corpus"])

    def package(folder: Path, extra_metadata: Mapping[str, Any]) -> bool:
        judged = {
            name: row for name, row in extra_metadata["comparison"].items() if isinstance(row, dict)
        }
        return package_structured(
            new, gold, corpus, folder,
            random_state=random_state,
            recommended=bool(metadata.get("recommended")),
            evaluation={name: row["new"] for name, row in judged.items()},
            extra_metadata=extra_metadata,
        )  # fmt: skip

    return RetrainedModel(old.score, new.score, package, len(_unknown_titles(titles, labelled)), [])


def _require_enough(development: pd.DataFrame, name: str) -> None:
    counts = development["label"].value_counts().reindex([0, 1], fill_value=0)
    if counts.min() < MIN_GOLD_PAIRS or development["base_id"].nunique() < _MIN_STUDIES:
        raise TrainingError(
            f"Bagian dev dari {name} terlalu kecil untuk melatih model terstruktur: perlu sedikitnya "
            f"{MIN_GOLD_PAIRS} pasangan mirip dan {MIN_GOLD_PAIRS} tidak, dari "
            f"{_MIN_STUDIES} studi dasar. "
            "Tambahkan pasangan, atau pakai pasangan emas bawaan."
        )


def _unknown_titles(known: Sequence[str], labelled: pd.DataFrame) -> list[str]:
    """Return the distinct labelled titles that a corpus does not hold."""
    keys = set(map(title_key, known))
    found: dict[str, str] = {}
    for side in LABEL_COLUMNS[:2]:
        for title in labelled[side]:
            if title_key(title) not in keys:
                found.setdefault(title_key(title), title)
    return list(found.values())


def study_pairs(model: Model, random_state: int = SEED) -> pd.DataFrame:
    """Return ``left``, ``right``, ``label`` of the corpus pairs that the study's rule labels."""
    rows = fit_vectorizer(model.processed, FULL).transform(model.processed)
    return label_pairs(rows, random_state=random_state).pairs[["left", "right", "label"]]


def _training_pairs(
    old: Model, titles: Sequence[str], labelled: pd.DataFrame, random_state: int
) -> pd.DataFrame:
    study = study_pairs(old, random_state)
    row_of: dict[str, int] = {}
    for row, title in enumerate(titles):
        row_of.setdefault(title_key(title), row)
    sides = (labelled[side].map(lambda title: row_of[title_key(title)]) for side in LABEL_COLUMNS[:2])
    new = pd.concat([*sides, labelled["label"]], axis=1)
    new.columns = study.columns
    swap = new["left"] > new["right"]
    new.loc[swap, ["left", "right"]] = new.loc[swap, ["right", "left"]].to_numpy()
    both = pd.concat([study, new], ignore_index=True)
    # Of two labels for one pair the later, a person's, counts.
    both = both.drop_duplicates(["left", "right"], keep="last")
    return both.sort_values(["left", "right"], ignore_index=True)


def _corpus(titles: Sequence[str], processed: Sequence[str], source: Any) -> Corpus:
    """Return the corpus of a model as its folder holds it; its metadata name the source."""
    frame = pd.DataFrame({TITLE_COLUMN: titles, PROCESSED_COLUMN: processed})
    none = pd.DataFrame(columns=[ROW_COLUMN, REASON_COLUMN, TITLE_COLUMN])
    return Corpus(frame, none, str(source["sha256"]), str(source["name"]))


TOLERANCE = 0.02
"""How much worse a new version may be at the lower end of the interval and still count as not
worse: about what the interval itself leaves open on the gold pairs of a few hundred studies."""

DECIDING = ("roc_auc", "accuracy")
"""Metrics in which a new version must not be worse: the order of the pairs, and the verdicts."""


@dataclass(frozen=True)
class RetrainingResult:
    """A new version of a model, and how it does beside the one before.

    Attributes
    ----------
    name : str
    version, previous : str
        The new version and the one it was compared with; both stand among the versions.
    comparison : DataFrame
        As from `judul_lib.study.metrics.bootstrap_differences`, by base study.
    n_gold, n_left_out : int
        Gold pairs compared, and those left out because the new labels tell of their study.
    n_labels, n_unknown_titles : int
        Pairs with new labels, and their distinct titles that the model's corpus does not hold.
    notes : list of str
        Of the training, in Indonesian.
    """

    name: str
    version: str
    previous: str
    comparison: pd.DataFrame
    n_gold: int
    n_left_out: int
    n_labels: int
    n_unknown_titles: int
    notes: list[str]

    @property
    def possibly_worse_metrics(self) -> list[str]:
        """Metrics out of `DECIDING` whose interval reaches below ``-TOLERANCE``."""
        low = self.comparison["low"].to_dict()
        return [name for name in DECIDING if not low[name] >= -TOLERANCE]

    @property
    def is_not_worse(self) -> bool:
        """Whether no metric is in doubt."""
        return not self.possibly_worse_metrics


def retrain(
    outputs: str | Path,
    name: str,
    labels: MajorityLabels,
    gold: str | Path,
    *,
    random_state: int = SEED,
    recording: Callable[[RetrainingResult], AbstractContextManager[object]] = nullcontext,
) -> RetrainingResult:
    """Train a model on what it was trained on and new labels, and add it as a version.

    Its corpus is that of the model in use. Nothing is promoted. The structured
    model learns from real pairs and the development part of the gold pairs, so that
    the test part alone compares it with the one before.

    Parameters
    ----------
    outputs : path
        Folder of the models.
    name : {"full", "light", "structured"}
    labels : MajorityLabels
        As from `judul_lib.labeling.labels.settle`.
    gold : path
        Of the gold pairs; see `judul_lib.structured.gold.read_gold`.
    recording : callable
        Takes what is returned, and gives a context in which the version is
        added: if that fails on the way in, none is.

    Raises
    ------
    LabelError
        There are no new labels.
    GoldError, CorpusError
        The gold pairs cannot be read.
    ModelError
        There is no such model, or its hashes do not hold.
    TrainingError
        Too few gold pairs are left to compare on, or there are too few to learn from.
    """
    if labels.pairs.empty:
        raise LabelError(
            "Belum ada label baru untuk dipelajari. Berikan CSV berlabel dengan --labels, atau "
            "kumpulkan pendapat pengguna di halaman pemeriksaan."
        )
    pairs = read_gold(gold)
    folder = model_folder(outputs, name)
    previous = add_version(outputs, folder)  # So that there is a way back to it.
    if name == STRUCTURED:
        asked, n_left_out = unseen_gold(pairs[pairs["split"] == "test"], labels.pairs)
        learnt = retrain_structured(folder, labels.pairs, gold, random_state)
    else:
        asked, n_left_out = unseen_gold(pairs, labels.pairs)
        learnt = retrain_forest(folder, labels.pairs, random_state)
    sides = asked["judul_a"].tolist(), asked["judul_b"].tolist()
    comparison = bootstrap_differences(
        asked["label"].to_numpy(dtype=int), learnt.score_before(*sides), learnt.score_after(*sides),
        asked["base_id"].to_numpy(), threshold=DECISION_THRESHOLD, random_state=random_state,
    )  # fmt: skip
    rounded = {
        str(metric): {key: round(float(value), 6) for key, value in row.items()}
        for metric, row in comparison.T.to_dict().items()
    }
    extra_metadata = {
        "previous": previous,
        "labels": {
            "sha256": sha256_of(labels.pairs.to_csv(index=False).encode("utf-8", "surrogatepass")),
            "n_pairs": len(labels.pairs),
            "n_similar": int(labels.pairs["label"].sum()),
        },
        "comparison": {"n_pairs": len(asked), "n_left_out": n_left_out, **rounded},
    }
    with tempfile.TemporaryDirectory() as staging:
        learnt.package(Path(staging) / name, extra_metadata)
        made = RetrainingResult(
            name=name,
            version=version_of(read_metadata(Path(staging) / name)),
            previous=previous,
            comparison=comparison,
            n_gold=len(asked),
            n_left_out=n_left_out,
            n_labels=len(labels.pairs),
            n_unknown_titles=learnt.n_unknown_titles,
            notes=learnt.notes,
        )
        with recording(made):
            add_version(outputs, Path(staging) / name)
    return made


def unseen_gold(gold: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the labelled gold pairs that new labels tell nothing of, and the number of the others.

    All pairs of a base study are left out if one title of them is in the new labels.

    Raises
    ------
    TrainingError
        Too few are left.

    Examples
    --------
    >>> from judul_lib.structured.gold import read_gold
    >>> gold = read_gold("data/gold_pairs.csv")
    >>> left, n_left_out = unseen_gold(gold, gold.head(1))
    >>> n_left_out, int(gold["label"].notna().sum()) - len(left)
    (6, 6)
    """
    seen = {title_key(title) for side in LABEL_COLUMNS[:2] for title in pairs[side]}
    shared = gold["judul_a"].map(title_key).isin(seen) | gold["judul_b"].map(title_key).isin(seen)
    judged = gold[gold["label"].notna()]
    left = judged[~judged["base_id"].isin(gold.loc[shared, "base_id"])]
    n_left_out = len(judged) - len(left)
    if left["label"].astype(int).value_counts().reindex([0, 1], fill_value=0).min() < MIN_GOLD_PAIRS:
        raise TrainingError(
            f"Setelah {n_left_out} pasangan emas dari studi yang judulnya ada di label baru "
            f"disisihkan, yang tersisa terlalu sedikit untuk membandingkan model (perlu "
            f"{MIN_GOLD_PAIRS} "
            f"mirip dan {MIN_GOLD_PAIRS} tidak). Jangan memberi label pada semua pasangan emas."
        )
    return left, n_left_out
