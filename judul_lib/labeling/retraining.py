"""Train a model again with labels that people gave, and compare it with the one before."""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from judul_lib.checking.registry import STRUCTURED, read_metadata, version_of
from judul_lib.checking.versions import add_version, model_folder
from judul_lib.core.errors import LabelError, TrainingError
from judul_lib.core.settings import DECISION_THRESHOLD, SEED
from judul_lib.core.storage import sha256_of
from judul_lib.labeling.labels import LABEL_COLUMNS, Labels
from judul_lib.labeling.learners import LEAST_GOLD, learn_structured, learn_study
from judul_lib.structured.gold import read_gold
from judul_lib.study.metrics import bootstrap_differences
from judul_lib.study.preprocessing import title_key

TOLERANCE = 0.02
"""How much worse a new version may be at the lower end of the interval and still count as not
worse: about what the interval itself leaves open on the gold pairs of a few hundred studies."""

DECIDING = ("roc_auc", "accuracy")
"""Metrics in which a new version must not be worse: the order of the pairs, and the verdicts."""


@dataclass(frozen=True)
class Retrained:
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
    gold: str | Path,
    *,
    random_state: int = SEED,
    noting: Callable[[Retrained], AbstractContextManager[object]] = nullcontext,
) -> Retrained:
    """Train a model on what it was trained on and new labels, and add it as a version.

    Its corpus is that of the model in use. Nothing is promoted. The structured
    model learns from real pairs and the development part of the gold pairs, so that
    the test part alone compares it with the one before.

    Parameters
    ----------
    outputs : path
        Folder of the models.
    name : {"full", "light", "structured"}
    labels : Labels
        As from `judul_lib.labeling.labels.settle`.
    gold : path
        Of the gold pairs; see `judul_lib.structured.gold.read_gold`.
    noting : callable
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
        learnt = learn_structured(folder, labels.pairs, gold, random_state)
    else:
        asked, n_left_out = unseen_gold(pairs, labels.pairs)
        learnt = learn_study(folder, labels.pairs, random_state)
    sides = asked["judul_a"].tolist(), asked["judul_b"].tolist()
    comparison = bootstrap_differences(
        asked["label"].to_numpy(dtype=int), learnt.before(*sides), learnt.after(*sides),
        asked["base_id"].to_numpy(), threshold=DECISION_THRESHOLD, random_state=random_state,
    )  # fmt: skip
    rounded = {
        str(metric): {key: round(float(value), 6) for key, value in row.items()}
        for metric, row in comparison.T.to_dict().items()
    }
    further = {
        "previous": previous,
        "labels": {
            "sha256": sha256_of(labels.pairs.to_csv(index=False).encode("utf-8", "surrogatepass")),
            "n_pairs": len(labels.pairs),
            "n_similar": int(labels.pairs["label"].sum()),
        },
        "comparison": {"n_pairs": len(asked), "n_left_out": n_left_out, **rounded},
    }
    with tempfile.TemporaryDirectory() as staging:
        learnt.package(Path(staging) / name, further)
        made = Retrained(
            name=name,
            version=version_of(read_metadata(Path(staging) / name)),
            previous=previous,
            comparison=comparison,
            n_gold=len(asked),
            n_left_out=n_left_out,
            n_labels=len(labels.pairs),
            n_strange=learnt.n_strange,
            notes=learnt.notes,
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
    if left["label"].astype(int).value_counts().reindex([0, 1], fill_value=0).min() < LEAST_GOLD:
        raise TrainingError(
            f"Setelah {n_left_out} pasangan emas dari studi yang judulnya ada di label baru "
            f"disisihkan, yang tersisa terlalu sedikit untuk membandingkan model (perlu {LEAST_GOLD} "
            f"mirip dan {LEAST_GOLD} tidak). Jangan memberi label pada semua pasangan emas."
        )
    return left, n_left_out
