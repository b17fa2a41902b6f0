"""Train a model of the study again with labels that people gave, and compare it with the one before."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from judul_lib.checking import TitleChecker
from judul_lib.corpus import PROCESSED_COLUMN, REASON_COLUMN, ROW_COLUMN, Corpus, title_key
from judul_lib.errors import LabelError, ModelError, TrainingError
from judul_lib.estimators import fit_vectorizer
from judul_lib.evaluation import FloatArray, bootstrap_differences
from judul_lib.features import distinct_titles
from judul_lib.labeling import label_pairs
from judul_lib.labels import LABEL_COLUMNS, Labels
from judul_lib.preprocessing import preprocess_titles
from judul_lib.registry import Model, load_model, read_metadata, version_of
from judul_lib.settings import DECISION_THRESHOLD, FULL, PROFILES, SEED
from judul_lib.storage import sha256_of
from judul_lib.table_files import TITLE_COLUMN
from judul_lib.training import TrainingResult, package_model, train_model
from judul_lib.versions import add_version, model_folder

TOLERANCE = 0.02
"""How much worse a new version may be at the lower end of the interval and still count as not
worse: about what the interval itself leaves open on the gold pairs of a few hundred studies."""

DECIDING = ("roc_auc", "accuracy")
"""Metrics in which a new version must not be worse: the order of the pairs, and the verdicts."""

# Fewer gold pairs of either kind tell nothing.
_LEAST_GOLD = 20


@dataclass(frozen=True)
class Retrained:
    """A new version of a model, and how it does beside the one before.

    Attributes
    ----------
    name : str
    version, previous : str
        The new version and the one it was compared with; both stand among the versions.
    comparison : DataFrame
        As from `judul_lib.evaluation.bootstrap_differences`, by base study.
    n_gold, n_left_out : int
        Gold pairs compared, and those left out because the new labels tell of their study.
    n_labels, n_strange : int
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
    n_strange: int
    notes: list[str]

    @property
    def doubtful(self) -> list[str]:
        """Metrics out of `DECIDING` whose interval reaches below ``-TOLERANCE``."""
        low = self.comparison["low"].to_dict()
        return [name for name in DECIDING if not low[name] >= -TOLERANCE]

    @property
    def not_worse(self) -> bool:
        """Whether no metric is in doubt."""
        return not self.doubtful


def retrain(
    outputs: str | Path,
    name: str,
    labels: Labels,
    gold: pd.DataFrame,
    *,
    random_state: int = SEED,
    noting: Callable[[Retrained], AbstractContextManager[object]] = nullcontext,
) -> Retrained:
    """Train a model of the study on the study's pairs and new labels, and add it as a version.

    Corpus and vocabulary are those of the model in use; a new label counts
    more than the study's for the same pair. Nothing is promoted.

    Parameters
    ----------
    outputs : path
        Folder of the models.
    name : {"full", "light"}
    labels : Labels
        As from `judul_lib.labels.settle`.
    gold : DataFrame
        As from `judul_lib.gold.read_gold`.
    noting : callable
        Takes what is returned, and gives a context in which the version is
        added: if that fails on the way in, none is.

    Raises
    ------
    LabelError
        There are no new labels.
    ModelError
        There is no such model, its hashes do not hold, or it is none of the study's.
    TrainingError
        Too few gold pairs are left to compare on.
    """
    if name not in PROFILES:
        raise ModelError(f"Model {name} tidak dilatih ulang dari label. Pilih: {', '.join(PROFILES)}.")
    if labels.pairs.empty:
        raise LabelError(
            "Belum ada label baru untuk dipelajari. Berikan CSV berlabel dengan --labels, atau "
            "kumpulkan umpan balik di halaman pemeriksaan."
        )
    folder = model_folder(outputs, name)
    old = load_model(folder)
    previous = add_version(outputs, folder)  # So that there is a way back to it.
    asked, n_left_out = unseen_gold(gold, labels.pairs)
    titles, processed = _with_strangers(old, labels.pairs)
    pairs = _training_pairs(old, titles, labels.pairs, random_state)
    result = train_model(
        titles, processed, pairs, PROFILES[name],
        vocabulary=old.processed, random_state=random_state,
    )  # fmt: skip
    comparison = _compare(old, result, asked, random_state)
    further = {
        "dataset": old.metadata["dataset"],
        "previous": previous,
        "labels": {
            "sha256": sha256_of(labels.pairs.to_csv(index=False).encode("utf-8", "surrogatepass")),
            "n_pairs": len(labels.pairs),
            "n_similar": int(labels.pairs["label"].sum()),
        },
        "comparison": {
            "n_pairs": len(asked),
            "n_left_out": n_left_out,
            **{
                str(metric): {key: round(float(value), 6) for key, value in row.items()}
                for metric, row in comparison.T.to_dict().items()
            },
        },
    }
    with tempfile.TemporaryDirectory() as staging:
        package_model(result, _corpus_of(old), Path(staging) / name, further)
        made = Retrained(
            name=name,
            version=version_of(read_metadata(Path(staging) / name)),
            previous=previous,
            comparison=comparison,
            n_gold=len(asked),
            n_left_out=n_left_out,
            n_labels=len(labels.pairs),
            n_strange=len(titles) - len(old.titles),
            notes=result.notes,
        )
        with noting(made):
            add_version(outputs, Path(staging) / name)
    return made


def unseen_gold(gold: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the labelled gold pairs that new labels tell nothing of, and the number of the others.

    All pairs of a base study are left out if one title of them is in the new labels.

    Raises
    ------
    TrainingError
        Too few are left.
    """
    seen = {title_key(title) for side in LABEL_COLUMNS[:2] for title in pairs[side]}
    shared = gold["judul_a"].map(title_key).isin(seen) | gold["judul_b"].map(title_key).isin(seen)
    judged = gold[gold["label"].notna()]
    left = judged[~judged["base_id"].isin(gold.loc[shared, "base_id"])]
    n_left_out = len(judged) - len(left)
    if left["label"].astype(int).value_counts().reindex([0, 1], fill_value=0).min() < _LEAST_GOLD:
        raise TrainingError(
            f"Setelah {n_left_out} pasangan emas dari studi yang judulnya ada di label baru "
            f"disisihkan, yang tersisa terlalu sedikit untuk membandingkan model (perlu {_LEAST_GOLD} "
            f"mirip dan {_LEAST_GOLD} tidak). Jangan memberi label pada semua pasangan emas."
        )
    return left, n_left_out


def _with_strangers(old: Model, pairs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the corpus followed by the labelled titles that it does not hold, and all preprocessed."""
    known = {title_key(title) for title in old.titles}
    strangers: dict[str, str] = {}
    for side in LABEL_COLUMNS[:2]:
        for title in pairs[side]:
            if title_key(title) not in known:
                strangers.setdefault(title_key(title), title)
    further = list(strangers.values())
    return [*old.titles, *further], [*old.processed, *preprocess_titles(further)]


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


def _compare(old: Model, result: TrainingResult, gold: pd.DataFrame, random_state: int) -> pd.DataFrame:
    parts = result.tfidf, result.scaler, result.forest
    checkers = (TitleChecker.from_model(old), TitleChecker(*parts, old.titles, old.processed))
    before, after = (_probabilities(checker, gold) for checker in checkers)
    return bootstrap_differences(
        gold["label"].to_numpy(dtype=int), before, after, gold["base_id"].to_numpy(),
        threshold=DECISION_THRESHOLD, random_state=random_state,
    )  # fmt: skip


def _probabilities(checker: TitleChecker, pairs: pd.DataFrame) -> FloatArray:
    titles, left, right = distinct_titles(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())
    return checker.probability(checker.compare(titles, titles).features(left, right))


def _corpus_of(model: Model) -> Corpus:
    """Return the corpus that a model was trained on, as its folder holds it."""
    frame = pd.DataFrame({TITLE_COLUMN: model.titles, PROCESSED_COLUMN: model.processed})
    none = pd.DataFrame(columns=[ROW_COLUMN, REASON_COLUMN, TITLE_COLUMN])
    dataset: Any = model.metadata["dataset"]
    return Corpus(frame, none, str(dataset["sha256"]), str(dataset["name"]))
