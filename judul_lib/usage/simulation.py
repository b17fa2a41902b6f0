"""Simulated usage, seeded and marked as such: for a fresh clone, and for tests with known drift."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from scipy import stats

from judul_lib.core.errors import LogError
from judul_lib.core.pseudonyms import assigned_model
from judul_lib.core.settings import DECISION_THRESHOLD, DIFFERENT, SIMILAR
from judul_lib.training.drift import DistributionSummary, ModelBaseline
from judul_lib.usage.database import USAGE_TABLES, database_error, predictions, scores, transaction
from judul_lib.usage.database import events as event_table
from judul_lib.usage.frames import ZONE
from judul_lib.usage.log import insert_units

# Relative traffic of the days (Monday first) and of the hours.
_WEEKDAYS = np.array([1.1, 1.2, 1.2, 1.1, 0.9, 0.4, 0.3])
_HOURS = np.array([1, 1, 0, 0, 0, 1, 2, 5, 9, 11, 12, 9, 6, 9, 11, 10, 8, 5, 4, 6, 8, 7, 4, 2])
# Of the latent normal variables behind the probabilities: correlation of two models, shift by drift,
# and the largest difference from the first model with which a model finds the same title.
_CORRELATION, _DRIFT, _SAME_MATCH = 0.9, 1.2, 0.5
_N_USERS = 60
# Shares of the queries.
_FEEDBACK, _DOWNLOADS, _ERRORS, _EMPTY, _FAILED_LOADS = 0.08, 0.06, 0.004, 0.004, 0.01
_RIGHT, _RATINGS = 0.85, (0.03, 0.05, 0.17, 0.4, 0.35)
_N_BASELINE_TITLES = 400
Tables = dict[str, pd.DataFrame]


def synthetic_baseline() -> ModelBaseline:
    """Return a baseline that needs no model: beta-distributed probabilities, few unknown words.

    Examples
    --------
    >>> synthetic_baseline().probability.n
    400
    """
    ranks = (np.arange(_N_BASELINE_TITLES) + 0.5) / _N_BASELINE_TITLES
    probability, unknown = (
        DistributionSummary.from_values(stats.beta(a, b).ppf(ranks)) for a, b in ((2, 4), (1, 7))
    )
    return ModelBaseline(probability, unknown)


def simulated_tables(
    *,
    seed: int,
    end: date,
    days: int = 60,
    n_per_day: float = 40,
    models: tuple[str, ...] = ("full", "light"),
    baselines: Mapping[str, ModelBaseline] = MappingProxyType({}),
    drift_from: int | None = None,
) -> Tables:
    """Simulate usage.

    Parameters
    ----------
    seed : int
        The same arguments give the same rows, including their ids.
    end : date
        The last day, in local time.
    days : int
        Number of days; the first is day 0.
    n_per_day : float
        Mean number of queries per day over a week.
    models : tuple of str
        Models that answer every query.
    baselines : mapping of str to ModelBaseline
        Distribution of each model's answers; `synthetic_baseline` where missing.
    drift_from : int
        First day on which every model's probabilities are higher; no drift by default.

    Returns
    -------
    dict of str to DataFrame
        Rows of `judul_lib.usage.database.USAGE_TABLES`, marked as simulated.
    """
    rng = np.random.default_rng(seed)
    all_baselines = {name: baselines.get(name) or synthetic_baseline() for name in models}
    day, time = _times(rng, end, days, n_per_day)
    n = len(day)
    words = rng.poisson(11, n) + 3
    queries = pd.DataFrame(
        {
            "id": _digits(rng, n, 32), "time": time,
            "source": rng.choice(["page", "check"], n, p=[0.8, 0.2]),
            "user": rng.choice(_digits(rng, _N_USERS, 16), n), "query_hash": _digits(rng, n, 16),
            "query_length": (words * rng.normal(7.6, 0.6, n)).round().astype(int), "query_words": words,
            "query_text": None, "difference": np.nan, "seconds": rng.lognormal(np.log(0.3), 0.5, n),
            "n_results": np.where(rng.random(n) < _EMPTY, 0, 10), "simulated": True,
        }
    )[list(predictions.c.keys())]  # fmt: skip
    shift = _DRIFT * (day >= drift_from) if drift_from is not None else 0.0
    scores_by_model = _scores(rng, queries, all_baselines, shift)
    if {"full", "light"} <= scores_by_model.keys():
        full, light = (scores_by_model[name]["probability"] for name in ("full", "light"))
        queries["difference"] = (full - light).abs()
    return {
        "predictions": queries,
        "scores": pd.concat(scores_by_model.values(), ignore_index=True),
        "feedback": _feedback(rng, queries, scores_by_model),
        "events": _events(rng, queries, models),
    }


def simulate_usage(engine: sa.Engine, **options: Any) -> int:
    """Replace the simulated usage in a log.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    **options
        As for `simulated_tables`.

    Returns
    -------
    int
        Number of queries.

    Raises
    ------
    LogError
        The log holds real rows, or the database cannot be used.
    """
    flagged_tables = [table for table in USAGE_TABLES.values() if "simulated" in table.c]
    with transaction(engine) as connection:
        for table in flagged_tables:
            if connection.execute(sa.select(table.c.id).where(~table.c.simulated).limit(1)).first():
                raise LogError(
                    "Log ini berisi catatan penggunaan yang nyata, jadi tidak dicampur dengan data "
                    "simulasi. Pilih folder lain dengan --into FOLDER."
                )
        simulated = sa.select(predictions.c.id).where(predictions.c.simulated)
        connection.execute(scores.delete().where(scores.c.prediction_id.in_(simulated)))
        for table in flagged_tables:
            connection.execute(table.delete().where(table.c.simulated))
    tables = simulated_tables(**options)
    try:
        insert_units(engine, [{name: _rows(frame) for name, frame in tables.items()}])
    except sa.exc.DatabaseError as error:
        raise database_error(error) from error
    return len(tables["predictions"])


def _times(
    rng: np.random.Generator, end: date, days: int, n_per_day: float
) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """Return the day (from 0) and the time in UTC of each query, in order."""
    calendar = pd.date_range(end=pd.Timestamp(end), periods=days)
    traffic = _WEEKDAYS[calendar.day_of_week] / _WEEKDAYS.mean()
    day = np.repeat(np.arange(days), rng.poisson(n_per_day * traffic))
    hour = rng.choice(24, len(day), p=_HOURS / _HOURS.sum())
    second = np.sort(86_400 * day + 3_600 * hour + rng.integers(0, 3_600, len(day)))
    local = pd.DatetimeIndex(calendar[0] + pd.to_timedelta(second, unit="s")).tz_localize(ZONE)
    return second // 86_400, local.tz_convert("UTC").tz_localize(None)


def _scores(
    rng: np.random.Generator, queries: pd.DataFrame, baselines: Mapping[str, ModelBaseline], shift: Any
) -> Tables:
    n, is_empty = len(queries), (queries["n_results"] == 0).to_numpy()
    common = rng.normal(size=n)
    scores_by_model: Tables = {}
    first: tuple[np.ndarray, np.ndarray] | None = None
    for name, baseline in baselines.items():
        latent = np.sqrt(_CORRELATION) * common + np.sqrt(1 - _CORRELATION) * rng.normal(size=n)
        probability = baseline.probability.quantiles(stats.norm.cdf(latent + shift))
        match = _digits(rng, n, 16)
        first = first or (latent, match)
        match = np.where(np.abs(latent - first[0]) < _SAME_MATCH, first[1], match)
        scores_by_model[name] = pd.DataFrame(
            {
                "prediction_id": queries["id"], "model": name, "version": baseline.version,
                "probability": np.where(is_empty, np.nan, probability),
                "match_hash": _mask_values(~is_empty, match),
                "match_text": None, "unknown_share": baseline.unknown.quantiles(rng.random(n)),
            }
        )  # fmt: skip
    return scores_by_model


def _feedback(rng: np.random.Generator, queries: pd.DataFrame, scores_by_model: Tables) -> pd.DataFrame:
    chosen = np.flatnonzero((rng.random(len(queries)) < _FEEDBACK) & (queries["n_results"] > 0))
    rated, n = queries.iloc[chosen], len(chosen)
    # As in an A/B test, each user is answered by one model.
    shares = dict.fromkeys(scores_by_model, 1.0)
    model = np.array([assigned_model(user, shares) for user in rated["user"]])
    shown = np.array([frame["probability"].to_numpy()[chosen] for frame in scores_by_model.values()])
    probability = shown[pd.Index(list(shares)).get_indexer(pd.Index(model)), np.arange(n)]
    is_rated = rng.random(n) < 0.5
    ratings = rng.choice([1, 2, 3, 4, 5], n, p=_RATINGS)
    return pd.DataFrame(
        {
            "id": _digits(rng, n, 32), "time": rated["time"].to_numpy(),
            "user": rated["user"].to_numpy(), "model": model,
            "label": np.where(probability >= DECISION_THRESHOLD, SIMILAR, DIFFERENT),
            "probability": probability, "threshold": DECISION_THRESHOLD,
            "is_right": _mask_values(~is_rated, rng.random(n) < _RIGHT),
            "rating": _mask_values(is_rated, ratings),
            "query_hash": rated["query_hash"].to_numpy(), "match_hash": None,
            "query_text": None, "match_text": None, "simulated": True,
        }
    )  # fmt: skip


def _events(rng: np.random.Generator, queries: pd.DataFrame, models: tuple[str, ...]) -> pd.DataFrame:
    def sample(share: float, kind: str, detail: str) -> pd.DataFrame:
        rows = queries.loc[rng.random(len(queries)) < share, ["time", "user"]]
        return rows.assign(kind=kind, model=None, detail=detail, seconds=np.nan)

    # One session per ten queries; a load that fails is retried at once.
    sessions = queries.loc[rng.random(len(queries)) < 0.1, ["time", "user"]]
    parts = [sample(_DOWNLOADS, "download", "csv"), sample(_ERRORS, "error", "CorpusError")]
    for model in models:
        seconds = rng.lognormal(np.log(0.8), 0.3, len(sessions))
        loaded = sessions.assign(kind="model_loaded", model=model, detail="", seconds=seconds)
        failed = loaded[rng.random(len(loaded)) < _FAILED_LOADS]
        before = failed["time"] - pd.Timedelta(seconds=5)
        parts += [loaded, failed.assign(kind="model_failed", seconds=np.nan, time=before)]
    events = pd.concat([part.astype({"model": object}) for part in parts if len(part)] or parts[:1])
    events = events.sort_values("time", kind="stable", ignore_index=True)
    return events.assign(id=_digits(rng, len(events), 32), simulated=True)[list(event_table.c.keys())]


def _mask_values(keep: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values as objects, None where `keep` is false."""
    return pd.Series(values, dtype=object).where(keep, None).to_numpy()


def _digits(rng: np.random.Generator, n: int, digits: int) -> np.ndarray:
    text = rng.bytes(n * digits // 2).hex()
    return np.array([text[k : k + digits] for k in range(0, n * digits, digits)], dtype=f"U{digits}")


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows with Python values, None where they are missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    if "time" in plain:
        plain["time"] = pd.Series(
            list(frame["time"].dt.to_pydatetime()), index=frame.index, dtype=object
        )
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
