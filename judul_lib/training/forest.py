"""Train the study's random forest on labelled pairs, and package it as a model folder."""

import io
import platform
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

import judul_lib
from judul_lib.checking import registry
from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.registry import Model
from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.errors import TrainingError
from judul_lib.core.parallel import parallel_backend, resolve_scheduler
from judul_lib.core.settings import SEED, TEST_SIZE, Profile
from judul_lib.core.storage import frame_text
from judul_lib.study import arrays
from judul_lib.study.corpus import PROCESSED_COLUMN, Corpus
from judul_lib.study.estimators import fit_vectorizer, make_classifier
from judul_lib.study.features import FEATURES, TitleTable, pair_features
from judul_lib.study.metrics import score_predictions
from judul_lib.training.drift import measure_baseline, with_baseline

_RECORDED_PACKAGES = ("scikit-learn", "numpy", "scipy", "joblib", "RapidFuzz", "PySastrawi")


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it was trained.

    Attributes
    ----------
    profile : Profile
    tfidf, scaler, forest
        The fitted parts.
    best_params : dict
        Hyperparameters chosen by the grid search.
    search : DataFrame
        One row a grid point: its parameters, and weighted F1 over the folds:
        ``score`` (mean), ``low`` and ``high`` (lowest and highest fold).
    test : DataFrame
        The held-out pairs: ``left``, ``right``, features, ``label``,
        ``probability``.
    metrics : dict of str to float
        Metrics on ``test``.
    n_train : int
        Pairs the model was fitted on.
    n_splits : int
        Folds of the cross-validation: the profile's, or fewer where a class has fewer pairs.
    notes : list of str
        Caveats for readers, in Indonesian; often empty.
    """

    profile: Profile
    tfidf: TfidfVectorizer
    scaler: StandardScaler
    forest: RandomForestClassifier
    best_params: dict[str, Any]
    search: pd.DataFrame
    test: pd.DataFrame
    metrics: dict[str, float]
    n_train: int
    n_splits: int
    notes: list[str] = field(default_factory=list)

    @property
    def importances(self) -> dict[str, float]:
        """Mean decrease in impurity of each feature; they sum to 1."""
        return dict(zip(FEATURES, map(float, self.forest.feature_importances_), strict=True))


def features_of_pairs(table: TitleTable, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return ``left``, ``right``, every feature and ``label`` of labelled pairs."""
    values = pair_features(table.take(pairs["left"]), table.take(pairs["right"]))
    frame = pd.DataFrame(values, columns=list(FEATURES), index=pairs.index)
    return pd.concat([pairs[["left", "right"]], frame, pairs[["label"]]], axis=1)


def train_model(
    titles: Sequence[str],
    processed: Sequence[str],
    pairs: pd.DataFrame,
    profile: Profile,
    *,
    vocabulary: Sequence[str] | None = None,
    random_state: int = SEED,
) -> TrainingResult:
    """Search the profile's grid on 80 % of the pairs and test the best on the rest.

    The search runs on the Dask cluster in ``JUDUL_SCHEDULER``, if that is set.

    Parameters
    ----------
    titles, processed : sequence of str, shape (n_titles,)
        The corpus as typed and preprocessed.
    pairs : DataFrame
        ``left``, ``right``, ``label`` as from `label_pairs`.
    profile : Profile
        Vocabulary, grid and folds.
    vocabulary : sequence of str
        Preprocessed titles that the TF-IDF is fitted on; ``processed`` by
        default. Pairs may contain titles outside it.
    random_state : int
        Seed of the split, the folds and the forest.

    Raises
    ------
    TrainingError
        Fewer than two similar or two not-similar pairs to train on.
    WorkerError
        The scheduler cannot be reached, or was lost.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from judul_lib.core.settings import LIGHT
    >>> titles = [f"deteksi {thing} dengan cnn" for thing in ("kantuk", "masker", "helm", "hama")]
    >>> pairs = [(a, b, int(a // 2 == b // 2)) for a in range(4) for b in range(4)]
    >>> pairs = pd.DataFrame(pairs, columns=["left", "right", "label"])
    >>> grid = {name: values[:1] for name, values in LIGHT.grid.items()}
    >>> profile = replace(LIGHT, tfidf={"min_df": 1}, grid=grid)
    >>> result = train_model(titles, titles, pairs, profile)
    >>> list(result.importances)
    ['cosine', 'jaccard', 'levenshtein']
    """
    tfidf = fit_vectorizer(processed if vocabulary is None else vocabulary, profile)
    samples = features_of_pairs(TitleTable.build(titles, processed, tfidf), pairs)
    _require_both_classes(samples["label"], "Korpus ini")
    train, test = _split(samples, random_state)
    rarest = _require_both_classes(train["label"], "Bagian latih")
    n_splits = min(profile.n_splits, rarest)
    notes = []
    if n_splits < profile.n_splits:
        notes.append(
            f"Hanya {rarest} pasangan di kelas yang lebih kecil pada data latih: validasi silang "
            f"memakai {n_splits} lipatan, bukan {profile.n_splits}."
        )
    if test["label"].nunique() < 2:
        notes.append("Data uji hanya berisi satu kelas: ROC AUC tidak dapat dihitung.")
    search = GridSearchCV(
        make_classifier(random_state),
        {f"forest__{name}": list(values) for name, values in profile.grid.items()},
        scoring="f1_weighted",
        cv=StratifiedKFold(n_splits, shuffle=True, random_state=random_state),
        n_jobs=-1,
        error_score="raise",  # Do not choose among the fits that succeeded.
    )
    with parallel_backend(resolve_scheduler()):
        search.fit(train[list(FEATURES)].to_numpy(), train["label"].to_numpy())
    probability = search.predict_proba(test[list(FEATURES)].to_numpy())[:, 1]
    test = test.assign(probability=probability)
    return TrainingResult(
        profile=profile,
        tfidf=tfidf,
        scaler=search.best_estimator_["scaler"],
        forest=search.best_estimator_["forest"],
        best_params={name.removeprefix("forest__"): v for name, v in search.best_params_.items()},
        search=_search_frame(search, profile),
        test=test,
        metrics=score_predictions(test["label"], probability),
        n_train=len(train),
        n_splits=n_splits,
        notes=notes,
    )


def _split(samples: pd.DataFrame, random_state: int) -> list[pd.DataFrame]:
    return train_test_split(
        samples, test_size=TEST_SIZE, stratify=samples["label"], random_state=random_state
    )


def held_out_predictions(model: Model, pairs: pd.DataFrame, *, random_state: int = SEED) -> pd.DataFrame:
    """Predict the pairs that `train_model` held out when it trained this model on these pairs.

    Returns
    -------
    DataFrame
        ``left``, ``right``, features, ``label``, ``probability``.
    """
    table = TitleTable.build(model.titles, model.processed, model.tfidf)
    _, test = _split(features_of_pairs(table, pairs), random_state)
    values = model.scaler.transform(test[list(FEATURES)].to_numpy())
    return test.assign(probability=model.forest.predict_proba(values)[:, 1])


def _require_both_classes(labels: pd.Series, where: str) -> int:
    """Return the size of the smaller class, at least 2."""
    counts = labels.value_counts().reindex([0, 1], fill_value=0)
    if counts.min() < 2:
        missing = "mirip" if counts[1] < 2 else "tidak mirip"
        raise TrainingError(
            f"{where} hanya memberi {counts.min()} pasangan {missing}, padahal pelatihan perlu "
            "sedikitnya 2. Tambahkan judul, atau turunkan ambang kemiripan "
            "(parameter SIMILAR_MIN) di notebook 02."
        )
    return int(counts.min())


def _search_frame(search: GridSearchCV, profile: Profile) -> pd.DataFrame:
    frame = pd.DataFrame(search.cv_results_["params"]).rename(
        columns=lambda n: n.removeprefix("forest__")
    )[list(profile.grid)]
    folds = [search.cv_results_[f"split{fold}_test_score"] for fold in range(search.n_splits_)]
    frame["score"] = search.cv_results_["mean_test_score"]
    frame["low"], frame["high"] = np.min(folds, axis=0), np.max(folds, axis=0)
    return frame.astype({"max_depth": object})


def package_model(
    result: TrainingResult,
    corpus: Corpus,
    folder: str | Path,
    extra_metadata: Mapping[str, Any] | None = None,
) -> bool:
    """Write a trained model as a folder; see `judul_lib.checking.registry.save_model`.

    Its metadata include the baseline for drift.

    Parameters
    ----------
    extra_metadata : mapping
        Added to the metadata, or replacing theirs.

    Returns
    -------
    bool
        Whether anything was written: the same data and seed give the same model.
    """
    parts = (result.tfidf, result.scaler, result.forest)
    files = {
        name: _dump(part, result.profile.compress)
        for name, part in zip(registry.ESTIMATOR_FILES, parts, strict=True)
    }
    files[registry.ARRAYS_FILE] = arrays.to_bytes(*parts)
    titles = corpus.titles[[TITLE_COLUMN, PROCESSED_COLUMN]]
    checker = TitleChecker(  # Of the stored arrays, since these answer later.
        *arrays.from_bytes(files[registry.ARRAYS_FILE]), *(titles[name].tolist() for name in titles)
    )
    files[registry.TITLES_FILE] = frame_text(titles).encode("utf-8")
    metadata = {
        "name": result.profile.name,
        "version": judul_lib.__version__,
        "type": result.profile.name,
        "estimator": "RandomForestClassifier",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": {
            "name": corpus.name,
            "version": corpus.version,
            "sha256": corpus.sha256,
            "n_rows": corpus.n_rows,
            "n_titles": len(corpus.titles),
            "n_rejected": len(corpus.rejected),
        },
        "n_terms": len(result.tfidf.vocabulary_),
        "features": list(FEATURES),
        "importances": {name: round(value, 6) for name, value in result.importances.items()},
        "tfidf": {**result.profile.tfidf},
        "hyperparameters": result.best_params,
        "folds": result.n_splits,
        "seed": result.forest.random_state,
        "pairs": {
            "train": result.n_train,
            "test": len(result.test),
            "test_similar": int(result.test["label"].sum()),
        },
        "metrics": {name: _json_number(value) for name, value in result.metrics.items()},
        "notes": result.notes,
        "packages": recorded_packages(),
        **(extra_metadata or {}),
    }
    return registry.save_model(Path(folder), files, with_baseline(metadata, measure_baseline(checker)))


def recorded_packages() -> dict[str, str]:
    """Return the package versions to record in a model's metadata.

    Examples
    --------
    >>> sorted(recorded_packages())
    ['PySastrawi', 'RapidFuzz', 'joblib', 'numpy', 'python', 'scikit-learn', 'scipy']
    """
    versions = {name: version(name) for name in _RECORDED_PACKAGES}
    return versions | {"python": platform.python_version()}


def _json_number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)


def _dump(part: Any, compress: int) -> bytes:
    part = copy(part)
    # A memory address, which differs in each process.
    vars(part).pop("_stop_words_id", None)
    stream = io.BytesIO()
    joblib.dump(part, stream, compress=compress)
    return stream.getvalue()
