"""Measures of the log, and the baselines that they are compared with."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path

import pandas as pd

from judul_lib.checking.loading import find_models, load_checker
from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.errors import ModelError
from judul_lib.core.settings import DECISION_THRESHOLD
from judul_lib.study.preprocessing import preprocess_titles
from judul_lib.training.drift import (
    DistributionSummary,
    Drift,
    ModelBaseline,
    compare,
    measure_baseline,
    stored_baseline,
)
from judul_lib.usage.frames import Usage


def read_baselines(
    outputs: str | Path, *, warn: Callable[[str], None] = lambda sentence: None
) -> dict[str, ModelBaseline]:
    """Return the baselines of the models that are there.

    That of a model trained before baselines were stored is computed from its corpus.

    Parameters
    ----------
    outputs : path
        Folder with the model folders.
    warn : callable
        Told of a model that cannot be used, which then has no baseline.
    """
    found: dict[str, Path] = {}
    try:
        found = find_models(outputs, warn=warn)
    except ModelError as error:
        warn(str(error))
    baselines = {}
    for name, folder in found.items():
        try:
            metadata = read_metadata(folder)
            version = version_of(metadata)
            stored = stored_baseline(metadata, version)
            baselines[name] = stored or measure_baseline(load_checker(folder), version)
        except ModelError as error:
            warn(str(error))
    return baselines


TARGET_SECONDS, SLOW_SECONDS = 2.0, 5.0
"""What an answer should take, and from where on it is too slow (the study)."""

DRIFT_DAYS = 7
"""Days taken together to be compared with a baseline: a whole week has every weekday once."""

DriftByDay = Callable[[str, pd.Timestamp], dict[str, Drift | None]]

MEASURED = {"probability": "peluang teratas", "unknown": "kata tak dikenal"}
"""What is watched for drift, as readers see it."""

_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def response_times(usage: Usage) -> dict[str, float]:
    """Return percentiles of the seconds, and the share answered within the target."""
    seconds = usage.predictions["seconds"]
    found = {name: float(seconds.quantile(rank)) for name, rank in _PERCENTILES.items()}
    return {**found, "within_target": _share(seconds < TARGET_SECONDS)}


def daily_response_times(usage: Usage) -> pd.DataFrame:
    """Return percentiles of the seconds for each day with answers."""
    groups = usage.predictions.groupby("day")["seconds"]
    return pd.DataFrame({name: groups.quantile(rank) for name, rank in _PERCENTILES.items()})


def availability(usage: Usage) -> pd.DataFrame:
    """Return how often each model was loaded, how often that failed, and the share that went well.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> usage = Usage.from_tables(simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=9))
    >>> availability(usage)["failed"].to_dict()
    {'full': 1, 'light': 0}
    """
    events = usage.events
    counts = {
        column: events.loc[events["kind"] == kind, "model"].value_counts()
        for column, kind in (("loaded", "model_loaded"), ("failed", "model_failed"))
    }
    frame = pd.DataFrame(counts).fillna(0).astype(int).sort_index().rename_axis("model")
    return frame.assign(share=frame["loaded"] / frame.sum(axis=1))


def queries_per_day(usage: Usage) -> pd.Series:
    """Return how many titles were asked on each day from the first to the last, quiet days too."""
    counts = usage.predictions["day"].value_counts().sort_index()
    if counts.empty:
        return counts
    days = pd.date_range(counts.index[0], counts.index[-1], name="day")
    return counts.reindex(days, fill_value=0)


def queries_per_hour(usage: Usage) -> pd.Series:
    """Return how many titles were asked in each local hour of the day."""
    counts = usage.predictions["hour"].value_counts()
    return counts.reindex(pd.RangeIndex(24, name="hour"), fill_value=0)


def query_lengths(usage: Usage) -> pd.DataFrame:
    """Describe the letters and words of the titles asked."""
    return usage.predictions[["query_length", "query_words"]].astype(float).describe()


def shares(usage: Usage) -> dict[str, float]:
    """Return the shares of errors among all questions and of answers without a result, and downloads."""
    n_errors = int((usage.events["kind"] == "error").sum())
    n_asked = len(usage.predictions) + n_errors
    return {
        "downloads": int((usage.events["kind"] == "download").sum()),
        "error_rate": n_errors / n_asked if n_asked else float("nan"),
        "empty_share": _share(usage.predictions["n_results"] == 0),
    }


def error_kinds(usage: Usage) -> pd.Series:
    """Count the errors by their kind, the most frequent first; models that did not load are among them.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> usage = Usage.from_tables(simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=9))
    >>> error_kinds(usage).to_dict()
    {}
    """
    errors = usage.events[usage.events["kind"].isin(["error", "model_failed"])]
    return errors.loc[errors["detail"].fillna("") != "", "detail"].value_counts()


def model_agreement(usage: Usage, threshold: float = DECISION_THRESHOLD) -> pd.DataFrame:
    """Compare each two models on the titles that both answered.

    Returns
    -------
    DataFrame
        ``one``, ``other``, ``n``, ``same_side``: share for which both are on
        the same side of the threshold, ``difference``: mean absolute one.
    """
    wide = _by_model(usage)
    rows = []
    for one, other in combinations(wide.columns, 2):
        both = wide[[one, other]].dropna()
        if len(both):
            same = (both[one] >= threshold) == (both[other] >= threshold)
            apart = float((both[one] - both[other]).abs().mean())
            rows.append((one, other, len(both), float(same.mean()), apart))
    return pd.DataFrame(rows, columns=["one", "other", "n", "same_side", "difference"])


def correlations(usage: Usage) -> pd.DataFrame:
    """Return Spearman's correlations of letters, words and each model's best probability.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> usage = Usage.from_tables(simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=2))
    >>> correlations(usage).columns.tolist()
    ['query_length', 'query_words', 'full', 'light']
    """
    wide = _by_model(usage)
    lengths = usage.predictions.set_index("id")[["query_length", "query_words"]]
    return lengths.join(wide).corr(method="spearman")


def common_words(usage: Usage, top: int = 20) -> pd.Series:
    """Count the stems of the titles asked, where text is kept: each once a title.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> usage = Usage.from_tables(simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=2))
    >>> len(common_words(usage, top=3))
    0
    """
    counts: Counter[str] = Counter()
    for text in preprocess_titles(usage.predictions["query_text"].dropna()):
        counts.update(set(text.split()))
    return pd.Series(dict(counts.most_common(top)), dtype=int)


def measure_drift(
    usage: Usage, model: str, baseline: ModelBaseline, day: pd.Timestamp
) -> dict[str, Drift | None]:
    """Compare a model's answers in the `DRIFT_DAYS` up to a day with its baseline.

    A title asked again and again counts once, and answers of another version
    of the model do not count.

    Returns
    -------
    dict of str to Drift or None
        By ``probability`` and ``unknown``; None with too few answers to say.

    Examples
    --------
    >>> from judul_lib.usage.simulation import synthetic_baseline, simulated_tables
    >>> tables = simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 30).date(), days=30, drift_from=15)
    >>> usage, day = Usage.from_tables(tables), pd.Timestamp(2026, 1, 30)
    >>> found = measure_drift(usage, "light", synthetic_baseline(), day)
    >>> list(found["probability"].exceeded)
    ['pergeseran rata-rata', 'PSI', 'p Kolmogorov-Smirnov']
    """
    rows = usage.scores
    first = day - pd.Timedelta(days=DRIFT_DAYS - 1)
    rows = rows[(rows["model"] == model) & rows["day"].between(first, day)]
    if baseline.version is not None:
        rows = rows[rows["version"].isna() | (rows["version"] == baseline.version)]
    rows = rows.drop_duplicates("query_hash")
    return {
        "probability": compare(
            baseline.probability, DistributionSummary.from_values(rows["probability"])
        ),
        "unknown": compare(baseline.unknown, DistributionSummary.from_values(rows["unknown_share"])),
    }


def drift_by_day(usage: Usage, baselines: Mapping[str, ModelBaseline]) -> DriftByDay:
    """Return `measure_drift` by model and day, computed once however often it is asked for."""

    @cache
    def found(model: str, day: pd.Timestamp) -> dict[str, Drift | None]:
        return measure_drift(usage, model, baselines[model], day)

    return found


def drift_table(
    usage: Usage,
    baselines: Mapping[str, ModelBaseline],
    day: pd.Timestamp,
    by_day: DriftByDay | None = None,
) -> pd.DataFrame:
    """Compare every model with its baseline: one row a model and what is measured.

    Parameters
    ----------
    by_day : callable
        As from `drift_by_day`, for the same answers and baselines.
    """
    by_day = by_day or drift_by_day(usage, baselines)
    rows = []
    for model in baselines:
        for name, drift in by_day(model, day).items():
            if drift is not None:
                values = (drift.mean_shift, drift.psi, drift.statistic, drift.p_value)
                rows.append((model, name, *values, bool(drift.exceeded)))
    columns = ["model", "measured", "mean_shift", "psi", "ks", "p_value", "drift"]
    return pd.DataFrame(rows, columns=columns)


def _by_model(usage: Usage) -> pd.DataFrame:
    """Return the best probabilities: one row a title asked, one column a model."""
    return usage.scores.pivot_table(
        index="prediction_id", columns="model", values="probability", aggfunc="first"
    )


def _share(flags: pd.Series) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
