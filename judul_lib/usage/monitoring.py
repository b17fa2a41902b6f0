"""Measures of the log, and drift from the models' baselines."""

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
    MEAN_SHIFT_BOUND,
    MIN_VALUES,
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
    """Return the baselines of the models in a folder.

    For a model trained before baselines were stored, it is computed from its corpus.

    Parameters
    ----------
    outputs : path
        Folder of the model folders.
    warn : callable
        Called with a sentence for each model that cannot be used.
    """
    models: dict[str, Path] = {}
    try:
        models = find_models(outputs, warn=warn)
    except ModelError as error:
        warn(str(error))
    baselines = {}
    for name, folder in models.items():
        try:
            metadata = read_metadata(folder)
            version = version_of(metadata)
            stored = stored_baseline(metadata, version)
            baselines[name] = stored or measure_baseline(load_checker(folder), version)
        except ModelError as error:
            warn(str(error))
    return baselines


TARGET_SECONDS, SLOW_SECONDS = 2.0, 5.0
"""Target for the time of an answer, and the bound above which it is too slow (the study's)."""

DRIFT_DAYS = 7
"""Days that are compared with a baseline together: a week has every weekday once."""

DriftByDay = Callable[[str, pd.Timestamp], dict[str, Drift | None]]

MEASURED = {"probability": "peluang teratas", "unknown": "kata tak dikenal"}
"""The distributions that are watched for drift, and their names for readers."""

_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def response_times(usage: Usage) -> dict[str, float]:
    """Return percentiles of the response time in seconds, and the share within the target."""
    seconds = usage.predictions["seconds"]
    percentiles = {name: float(seconds.quantile(rank)) for name, rank in _PERCENTILES.items()}
    return {**percentiles, "within_target": _share(seconds < TARGET_SECONDS)}


def daily_response_times(usage: Usage) -> pd.DataFrame:
    """Return percentiles of the response time for each day with answers."""
    groups = usage.predictions.groupby("day")["seconds"]
    return pd.DataFrame({name: groups.quantile(rank) for name, rank in _PERCENTILES.items()})


def availability(usage: Usage) -> pd.DataFrame:
    """Return how often each model was loaded, how often that failed, and the success rate.

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
    """Return the number of queries on each day from the first to the last."""
    counts = usage.predictions["day"].value_counts().sort_index()
    if counts.empty:
        return counts
    days = pd.date_range(counts.index[0], counts.index[-1], name="day")
    return counts.reindex(days, fill_value=0)


def queries_per_hour(usage: Usage) -> pd.Series:
    """Return the number of queries in each local hour of the day."""
    counts = usage.predictions["hour"].value_counts()
    return counts.reindex(pd.RangeIndex(24, name="hour"), fill_value=0)


def query_lengths(usage: Usage) -> pd.DataFrame:
    """Summarize the characters and words of the queries."""
    return usage.predictions[["query_length", "query_words"]].astype(float).describe()


def shares(usage: Usage) -> dict[str, float]:
    """Return the number of downloads, the error rate of all checks, and the share of empty answers."""
    n_errors = int((usage.events["kind"] == "error").sum())
    n_asked = len(usage.predictions) + n_errors
    return {
        "downloads": int((usage.events["kind"] == "download").sum()),
        "error_rate": n_errors / n_asked if n_asked else float("nan"),
        "empty_share": _share(usage.predictions["n_results"] == 0),
    }


def error_kinds(usage: Usage) -> pd.Series:
    """Count errors by kind, including failed model loads and logins, the most frequent first.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> usage = Usage.from_tables(simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=9))
    >>> error_kinds(usage).to_dict()
    {}
    """
    errors = usage.events[usage.events["kind"].isin(["error", "model_failed", "refused"])]
    return errors.loc[errors["detail"].fillna("") != "", "detail"].value_counts()


def model_agreement(usage: Usage, threshold: float = DECISION_THRESHOLD) -> pd.DataFrame:
    """Compare each pair of models on the queries that both answered.

    Returns
    -------
    DataFrame
        ``one``, ``other``, ``n`` queries, ``same_match``: share with the same
        closest title (the study's agreement), ``same_side``: share on the same
        side of the threshold, ``difference``: mean absolute difference.
    """
    wide, matches = _by_model(usage), _by_model(usage, "match_hash")
    rows = []
    for one, other in combinations(wide.columns, 2):
        both = wide[[one, other]].dropna()
        if len(both):
            found = matches.reindex(index=both.index, columns=[one, other]).dropna()
            same_side = (both[one] >= threshold) == (both[other] >= threshold)
            apart = float((both[one] - both[other]).abs().mean())
            same = _share(found[one] == found[other]), _share(same_side)
            rows.append((one, other, len(both), *same, apart))
    columns = ["one", "other", "n", "same_match", "same_side", "difference"]
    return pd.DataFrame(rows, columns=columns)


def correlations(usage: Usage) -> pd.DataFrame:
    """Return Spearman's correlations of characters, words and each model's top probability.

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


NO_WORDS = (
    "tidak diketahui, sebab isi judul tidak dicatat; log_text = true di `judul.toml` mencatatnya untuk "
    "pemeriksaan berikutnya"
)
"""What readers see where no text is kept."""


def common_words(usage: Usage, top: int = 20) -> pd.Series:
    """Count the stems of the queries stored as text, each once per title.

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

    A repeated title counts once; answers of other versions of the model do not count.

    Returns
    -------
    dict of str to Drift or None
        For ``probability`` and ``unknown``; None with too few answers.

    Examples
    --------
    >>> from judul_lib.usage.simulation import synthetic_baseline, simulated_tables
    >>> tables = simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 30).date(), days=30, drift_from=15)
    >>> usage, day = Usage.from_tables(tables), pd.Timestamp(2026, 1, 30)
    >>> drift = measure_drift(usage, "light", synthetic_baseline(), day)
    >>> list(drift["probability"].exceeded)
    ['pergeseran rata-rata', 'PSI', 'p Kolmogorov-Smirnov']
    """
    rows = _recent_scores(usage, model, baseline, day)
    return {
        "probability": compare(
            baseline.probability, DistributionSummary.from_values(rows["probability"])
        ),
        "unknown": compare(baseline.unknown, DistributionSummary.from_values(rows["unknown_share"])),
    }


def _recent_scores(usage: Usage, model: str, baseline: ModelBaseline, day: pd.Timestamp) -> pd.DataFrame:
    rows = usage.scores
    first = day - pd.Timedelta(days=DRIFT_DAYS - 1)
    rows = rows[(rows["model"] == model) & rows["day"].between(first, day)]
    if baseline.version is not None:
        rows = rows[rows["version"].isna() | (rows["version"] == baseline.version)]
    return rows.drop_duplicates("query_hash")


def study_drift_table(
    usage: Usage, baselines: Mapping[str, ModelBaseline], day: pd.Timestamp
) -> pd.DataFrame:
    """Compare the top probabilities with the baselines as the study does: mean, spread, share above 0.8.

    The same answers as in `measure_drift`, however few they are.

    Returns
    -------
    DataFrame
        One row per model and measure: ``model``, ``measure`` (``mean``, ``deviation``
        or ``share_high``), ``now``, ``baseline``, ``change``, ``n`` answers, and
        ``drift``: for the mean, whether it moved by more than 0.1, None with fewer
        than `judul_lib.training.drift.MIN_VALUES` answers; else None.

    Examples
    --------
    >>> from judul_lib.usage.simulation import synthetic_baseline, simulated_tables
    >>> tables = simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 30).date(), days=30, drift_from=15)
    >>> baselines = {"light": synthetic_baseline()}
    >>> table = study_drift_table(Usage.from_tables(tables), baselines, pd.Timestamp(2026, 1, 30))
    >>> table["measure"].tolist(), table["drift"].tolist()
    (['mean', 'deviation', 'share_high'], [True, None, None])
    """
    rows = []
    for model, baseline in baselines.items():
        scores = _recent_scores(usage, model, baseline, day)
        now = DistributionSummary.from_values(scores["probability"])
        for measure in ("mean", "deviation", "share_high") if now.n else ():
            value, usual = getattr(now, measure), getattr(baseline.probability, measure)
            is_judged = measure == "mean" and now.n >= MIN_VALUES
            drift = abs(value - usual) > MEAN_SHIFT_BOUND if is_judged else None
            rows.append((model, measure, value, usual, value - usual, now.n, drift))
    columns = ["model", "measure", "now", "baseline", "change", "n", "drift"]
    return pd.DataFrame(rows, columns=columns).astype({"drift": object})


def drift_by_day(usage: Usage, baselines: Mapping[str, ModelBaseline]) -> DriftByDay:
    """Return a cached `measure_drift`, called with a model and a day."""

    @cache
    def drift(model: str, day: pd.Timestamp) -> dict[str, Drift | None]:
        return measure_drift(usage, model, baselines[model], day)

    return drift


def drift_table(
    usage: Usage,
    baselines: Mapping[str, ModelBaseline],
    day: pd.Timestamp,
    by_day: DriftByDay | None = None,
) -> pd.DataFrame:
    """Compare every model with its baseline: one row per model and distribution.

    Parameters
    ----------
    by_day : callable
        From `drift_by_day` for the same usage and baselines; computed by default.
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


def _by_model(usage: Usage, column: str = "probability") -> pd.DataFrame:
    """Return a column of the scores: one row per query, one column per model."""
    return usage.scores.pivot_table(
        index="prediction_id", columns="model", values=column, aggfunc="first"
    )


def _share(flags: pd.Series) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
