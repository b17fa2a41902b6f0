"""Retrain a model with people's labels as a new version, compared with the previous one."""

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
from judul_lib.checking.version_metrics import DECISIVE_METRICS, TOLERANCE
from judul_lib.checking.versions import add_version, model_folder
from judul_lib.core.array_types import FloatArray
from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.errors import LabelError, TrainingError
from judul_lib.core.settings import DECISION_THRESHOLD, PROFILES, SEED
from judul_lib.core.storage import sha256_of
from judul_lib.labeling.labels import LABEL_COLUMNS, MajorityLabels
from judul_lib.structured.gold import read_gold
from judul_lib.study.corpus import PROCESSED_COLUMN, REASON_COLUMN, ROW_COLUMN, Corpus
from judul_lib.study.labeling import label_pairs
from judul_lib.study.metrics import bootstrap_differences
from judul_lib.study.preprocessing import preprocess_titles, title_key
from judul_lib.training.forest import package_model, train_model
from judul_lib.training.structured import package_structured, train_structured

MIN_GOLD_PAIRS = 20
"""Gold pairs of each label needed for training, and for comparing models."""

_MIN_STUDIES = 10

PairScorer = Callable[[Sequence[str], Sequence[str]], FloatArray]


@dataclass(frozen=True)
class _RetrainedModel:
    """A retrained model; ``package`` writes it to a folder with additional metadata."""

    score_before: PairScorer
    score_after: PairScorer
    package: Callable[[Path, Mapping[str, Any]], object]
    n_unknown_titles: int
    notes: list[str]


def _retrain_forest(folder: Path, labelled: pd.DataFrame, random_state: int) -> _RetrainedModel:
    """Retrain a model of the study on its pairs and new labels, with the same vocabulary."""
    old = load_model(folder)
    unknown = _unknown_titles(old.titles, labelled)
    titles, processed = [*old.titles, *unknown], [*old.processed, *preprocess_titles(unknown)]
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

    return _RetrainedModel(
        score_before=lambda left, right: TitleChecker.from_model(old, []).score(left, right)[1],
        score_after=lambda left, right: new.score(left, right)[1],
        package=package,
        n_unknown_titles=len(unknown),
        notes=result.notes,
    )


def _retrain_structured(
    folder: Path, labelled: pd.DataFrame, gold: str | Path, random_state: int
) -> _RetrainedModel:
    """Retrain the structured model on real pairs, development gold pairs and new labels."""
    old, titles = load_structured(folder)
    metadata = read_metadata(folder)
    development = read_gold(gold).query("split == 'dev'").reset_index(drop=True)
    _require_enough(development, Path(gold).name)
    new = train_structured(development, random_state=random_state, labelled=labelled)
    corpus = _corpus(titles, preprocess_titles(titles), metadata["corpus"])

    def package(folder: Path, extra_metadata: Mapping[str, Any]) -> bool:
        comparison = extra_metadata["comparison"].items()
        return package_structured(
            new, gold, corpus, folder,
            random_state=random_state,
            recommended=bool(metadata.get("recommended")),
            evaluation={name: row["new"] for name, row in comparison if isinstance(row, dict)},
            extra_metadata=extra_metadata,
        )  # fmt: skip

    return _RetrainedModel(old.score, new.score, package, len(_unknown_titles(titles, labelled)), [])


def _require_enough(development: pd.DataFrame, name: str) -> None:
    counts = development["label"].value_counts().reindex([0, 1], fill_value=0)
    if counts.min() < MIN_GOLD_PAIRS or development["base_id"].nunique() < _MIN_STUDIES:
        raise TrainingError(
            f"Bagian dev dari {name} terlalu kecil untuk melatih model terstruktur: perlu sedikitnya "
            f"{MIN_GOLD_PAIRS} pasangan mirip dan {MIN_GOLD_PAIRS} tidak, dari {_MIN_STUDIES} studi "
            "dasar. Tambahkan pasangan, atau pakai pasangan emas bawaan."
        )


def _unknown_titles(corpus_titles: Sequence[str], labelled: pd.DataFrame) -> list[str]:
    """Return the distinct labelled titles outside a corpus."""
    keys = set(map(title_key, corpus_titles))
    unknown: dict[str, str] = {}
    for title in pd.concat([labelled[side] for side in LABEL_COLUMNS[:2]]):
        if title_key(title) not in keys:
            unknown.setdefault(title_key(title), title)
    return list(unknown.values())


def study_pairs(model: Model, random_state: int = SEED) -> pd.DataFrame:
    """Return ``left``, ``right``, ``label`` of the corpus pairs labelled by the model's own cosine."""
    rows = model.tfidf.transform(model.processed)
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
    # A person's label, which comes later, replaces the study's.
    both = both.drop_duplicates(["left", "right"], keep="last")
    return both.sort_values(["left", "right"], ignore_index=True)


def _corpus(titles: Sequence[str], processed: Sequence[str], source: Any) -> Corpus:
    """Return the corpus stored in a model folder; ``source`` is its entry in the metadata."""
    frame = pd.DataFrame({TITLE_COLUMN: titles, PROCESSED_COLUMN: processed})
    rejected = pd.DataFrame(columns=[ROW_COLUMN, REASON_COLUMN, TITLE_COLUMN])
    return Corpus(frame, rejected, str(source["sha256"]), str(source["name"]))


@dataclass(frozen=True)
class RetrainingResult:
    """A new version of a model and its comparison with the previous one.

    Attributes
    ----------
    name : str
    version, previous : str
        The new version and the one it was compared with; both are stored.
    comparison : DataFrame
        As from `judul_lib.study.metrics.bootstrap_differences`, by base study.
    n_gold, n_left_out : int
        Gold pairs compared on, and those left out because a title of their study has new labels.
    n_labels, n_unknown_titles : int
        Pairs with new labels, and their distinct titles outside the model's corpus.
    notes : list of str
        Caveats of the training, in Indonesian.
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
        """Metrics in `DECISIVE_METRICS` whose interval reaches below ``-TOLERANCE``."""
        low = self.comparison["low"].to_dict()
        return [name for name in DECISIVE_METRICS if not low[name] >= -TOLERANCE]

    @property
    def is_not_worse(self) -> bool:
        """Whether no metric is possibly worse."""
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
    """Retrain a model with new labels and add it as a version, without promoting it.

    The corpus stays that of the model in use. The structured model is trained on
    the development part of the gold pairs, so it is compared on the test part.

    Parameters
    ----------
    outputs : path
        Folder of the models.
    name : {"full", "light", "structured"}
    labels : MajorityLabels
        As from `judul_lib.labeling.labels.majority_vote`.
    gold : path
        Of the gold pairs; see `judul_lib.structured.gold.read_gold`.
    recording : callable
        Takes the result and returns a context manager in which the version is
        added; if entering it fails, no version is added.

    Raises
    ------
    LabelError
        There are no new labels.
    GoldError, CorpusError
        The gold pairs cannot be read.
    ModelError
        The model is missing, or its hashes do not match.
    TrainingError
        Too few gold pairs are left for the comparison or the training.
    """
    if labels.pairs.empty:
        raise LabelError(
            "Belum ada label baru untuk dipelajari. Berikan CSV berlabel dengan --labels, atau "
            "kumpulkan pendapat pengguna di halaman pemeriksaan."
        )
    pairs = read_gold(gold)
    folder = model_folder(outputs, name)
    previous = add_version(outputs, folder)  # Allows a rollback.
    if name == STRUCTURED:
        test, n_left_out = unseen_gold(pairs[pairs["split"] == "test"], labels.pairs)
        retrained = _retrain_structured(folder, labels.pairs, gold, random_state)
    else:
        test, n_left_out = unseen_gold(pairs, labels.pairs)
        retrained = _retrain_forest(folder, labels.pairs, random_state)
    sides = test["judul_a"].tolist(), test["judul_b"].tolist()
    comparison = bootstrap_differences(
        test["label"].to_numpy(dtype=int), retrained.score_before(*sides), retrained.score_after(*sides),
        test["base_id"].to_numpy(), threshold=DECISION_THRESHOLD, random_state=random_state,
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
        "comparison": {"n_pairs": len(test), "n_left_out": n_left_out, **rounded},
    }
    with tempfile.TemporaryDirectory() as staging:
        retrained.package(Path(staging) / name, extra_metadata)
        result = RetrainingResult(
            name=name,
            version=version_of(read_metadata(Path(staging) / name)),
            previous=previous,
            comparison=comparison,
            n_gold=len(test),
            n_left_out=n_left_out,
            n_labels=len(labels.pairs),
            n_unknown_titles=retrained.n_unknown_titles,
            notes=retrained.notes,
        )
        with recording(result):
            add_version(outputs, Path(staging) / name)
    return result


def unseen_gold(gold: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the labelled gold pairs of studies without new labels, and the number of the others.

    A base study is left out if any of its titles is in the new labels.

    Raises
    ------
    TrainingError
        Too few pairs are left.

    Examples
    --------
    >>> from judul_lib.structured.gold import read_gold
    >>> gold = read_gold("data/gold_pairs.csv")
    >>> unseen, n_left_out = unseen_gold(gold, gold.head(1))
    >>> n_left_out, int(gold["label"].notna().sum()) - len(unseen)
    (6, 6)
    """
    keys = {title_key(title) for side in LABEL_COLUMNS[:2] for title in pairs[side]}
    is_seen = gold["judul_a"].map(title_key).isin(keys) | gold["judul_b"].map(title_key).isin(keys)
    labelled = gold[gold["label"].notna()]
    unseen = labelled[~labelled["base_id"].isin(gold.loc[is_seen, "base_id"])]
    n_left_out = len(labelled) - len(unseen)
    if unseen["label"].astype(int).value_counts().reindex([0, 1], fill_value=0).min() < MIN_GOLD_PAIRS:
        raise TrainingError(
            f"Setelah {n_left_out} pasangan emas dari studi yang judulnya ada di label baru "
            "disisihkan, yang tersisa terlalu sedikit untuk membandingkan model (perlu "
            f"{MIN_GOLD_PAIRS} mirip dan {MIN_GOLD_PAIRS} tidak). Jangan memberi label pada semua "
            "pasangan emas."
        )
    return unseen, n_left_out
