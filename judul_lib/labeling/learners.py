"""How each kind of model learns from labels that people gave, beside what it was trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.registry import Model, load_model, load_structured, read_metadata
from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import FULL, PROFILES, SEED
from judul_lib.core.tables import TITLE_COLUMN
from judul_lib.labeling.labels import LABEL_COLUMNS
from judul_lib.structured.gold import read_gold
from judul_lib.study.corpus import PROCESSED_COLUMN, REASON_COLUMN, ROW_COLUMN, Corpus
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.features import FloatArray
from judul_lib.study.labeling import label_pairs
from judul_lib.study.preprocessing import preprocess_titles, title_key
from judul_lib.training.forest import package_model, train_model
from judul_lib.training.structured import package_structured, train_structured

LEAST_GOLD = 20
"""Fewer gold pairs of either kind tell nothing, and teach nothing."""

_LEAST_STUDIES = 10

Score = Callable[[Sequence[str], Sequence[str]], FloatArray]


@dataclass(frozen=True)
class Learnt:
    """A model trained again, beside the one before.

    Attributes
    ----------
    before, after : callable
        Two lists of titles in, the probability of each pair out.
    package : callable
        Takes a folder to be written, and what its metadata are to say besides,
        ``comparison`` among that.
    n_strange : int
        Distinct labelled titles that the corpus does not hold.
    notes : list of str
        Of the training, in Indonesian.
    """

    before: Score
    after: Score
    package: Callable[[Path, Mapping[str, Any]], object]
    n_strange: int
    notes: list[str]


def learn_study(folder: str | Path, labelled: pd.DataFrame, random_state: int) -> Learnt:
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
    strange = _strange_titles(old.titles, labelled)
    titles, processed = [*old.titles, *strange], [*old.processed, *preprocess_titles(strange)]
    result = train_model(
        titles, processed, _training_pairs(old, titles, labelled, random_state), PROFILES[old.name],
        vocabulary=old.processed, random_state=random_state,
    )  # fmt: skip
    new = TitleChecker(result.tfidf, result.scaler, result.forest, old.titles, old.processed)
    corpus = _corpus(old.titles, old.processed, old.metadata["dataset"])

    def package(folder: Path, further: Mapping[str, Any]) -> bool:
        return package_model(result, corpus, folder, {"dataset": old.metadata["dataset"], **further})

    return Learnt(
        before=lambda left, right: TitleChecker.from_model(old, []).score(left, right)[1],
        after=lambda left, right: new.score(left, right)[1],
        package=package,
        n_strange=len(strange),
        notes=result.notes,
    )


def learn_structured(
    folder: str | Path, labelled: pd.DataFrame, gold: str | Path, random_state: int
) -> Learnt:
    """Train the structured model on real pairs, the development part of gold pairs and new labels.

    Parameters
    ----------
    folder, labelled
        As for `learn_study`.
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

    def package(folder: Path, further: Mapping[str, Any]) -> bool:
        judged = {name: row for name, row in further["comparison"].items() if isinstance(row, dict)}
        return package_structured(
            new, gold, corpus, folder,
            random_state=random_state,
            recommended=bool(metadata.get("recommended")),
            evaluation={name: row["new"] for name, row in judged.items()},
            further=further,
        )  # fmt: skip

    return Learnt(old.score, new.score, package, len(_strange_titles(titles, labelled)), [])


def _require_enough(development: pd.DataFrame, name: str) -> None:
    counts = development["label"].value_counts().reindex([0, 1], fill_value=0)
    if counts.min() < LEAST_GOLD or development["base_id"].nunique() < _LEAST_STUDIES:
        raise TrainingError(
            f"Bagian dev dari {name} terlalu kecil untuk melatih model terstruktur: perlu sedikitnya "
            f"{LEAST_GOLD} pasangan mirip dan {LEAST_GOLD} tidak, dari {_LEAST_STUDIES} studi dasar. "
            "Tambahkan pasangan, atau pakai pasangan emas bawaan."
        )


def _strange_titles(known: Sequence[str], labelled: pd.DataFrame) -> list[str]:
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
