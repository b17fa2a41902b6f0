"""The log as typed data frames in local time, without simulated or future rows if asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from judul_lib.usage.database import USAGE_TABLES, predictions, read_table, scores

ZONE = "Asia/Jakarta"
"""Time zone of the days and hours that readers see."""

# Clocks of two machines may differ by this much.
_CLOCK_TOLERANCE = timedelta(minutes=5)
_DTYPES = {sa.Float: "float64", sa.Boolean: "boolean", sa.DateTime: "datetime64[ns]"}


@dataclass(frozen=True)
class Usage:
    """The tables of the log.

    Attributes
    ----------
    predictions, scores, feedback, events : DataFrame
        With ``time`` in UTC, ``day`` and ``hour`` in local time; scores have
        those of their prediction, its ``query_hash`` and ``simulated``.
    """

    predictions: pd.DataFrame
    scores: pd.DataFrame
    feedback: pd.DataFrame
    events: pd.DataFrame

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> "Usage":
        """Build from the rows of each table: data frames, or lists of mappings."""
        frames = {name: _typed(tables.get(name, ()), table) for name, table in USAGE_TABLES.items()}
        for name, frame in frames.items():
            if "time" in frame:
                frames[name] = _with_local_time(frame)
        asked = frames["predictions"][["id", "time", "day", "hour", "query_hash", "simulated"]]
        asked = asked.rename(columns={"id": "prediction_id"})
        frames["scores"] = frames["scores"].merge(asked, on="prediction_id")
        return cls(**frames)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {name: getattr(self, name) for name in USAGE_TABLES}

    @property
    def is_simulated(self) -> bool:
        """Whether any row is simulated."""
        return any(bool(frame["simulated"].any()) for frame in self.tables.values())

    def filter_rows(self, keep: Any) -> "Usage":
        """Return the rows of each table that a mask, computed from the table by `keep`, selects."""
        return replace(self, **{name: frame[keep(frame)] for name, frame in self.tables.items()})

    def prefer_real_rows(self) -> "Usage":
        """Return the real rows only, if there are any; else all, which are simulated."""
        has_real = any(bool((~frame["simulated"]).any()) for frame in self.tables.values())
        return self.filter_rows(lambda frame: ~frame["simulated"]) if has_real else self

    def split_off_future(self, now: datetime) -> tuple["Usage", int]:
        """Return the rows up to now, and how many others there are, not counting scores."""
        latest = now + _CLOCK_TOLERANCE
        past = self.filter_rows(lambda frame: frame["time"] <= latest)
        frames = {name: frame for name, frame in self.tables.items() if name != "scores"}
        return past, sum(len(frame) - len(past.tables[name]) for name, frame in frames.items())


def read_usage(engine: sa.Engine, since: datetime | None = None) -> Usage:
    """Read the log.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    since : datetime
        In UTC; everything by default.

    Raises
    ------
    LogError
        The database cannot be used.
    """
    rows = {}
    for name, table in USAGE_TABLES.items():
        conditions: list[sa.ColumnElement[bool]] = []
        if since is not None and "time" in table.c:
            conditions = [table.c.time >= since]
        elif since is not None:
            later = sa.select(predictions.c.id).where(predictions.c.time >= since)
            conditions = [scores.c.prediction_id.in_(later)]
        rows[name] = read_table(engine, table, *conditions)
    return Usage.from_tables(rows)


def local_time(time: datetime) -> pd.Timestamp:
    """Return the local time of a time in UTC.

    Examples
    --------
    >>> local_time(datetime(2026, 1, 1, 18)).isoformat()
    '2026-01-02T01:00:00'
    """
    return pd.Timestamp(time, tz="UTC").tz_convert(ZONE).tz_localize(None)


def local_times(times: pd.Series) -> pd.Series:
    """Return the local times of times in UTC.

    Examples
    --------
    >>> local_times(pd.Series([pd.Timestamp(2026, 1, 1, 18)]))[0].isoformat()
    '2026-01-02T01:00:00'
    """
    return times.dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.tz_localize(None)


def local_day(time: datetime) -> pd.Timestamp:
    """Return the local day of a time in UTC.

    Examples
    --------
    >>> local_day(datetime(2026, 1, 1, 18)).date().isoformat()
    '2026-01-02'
    """
    return local_time(time).normalize()


def _typed(rows: Any, table: sa.Table) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[column.name for column in table.columns])
    dtypes = {}
    for column in table.columns:
        if dtype := _DTYPES.get(type(column.type)):
            dtypes[column.name] = dtype
        if column.nullable and isinstance(column.type, sa.Integer):
            dtypes[column.name] = "float64"  # Integers with missing values, from either database.
        if isinstance(column.type, sa.String):
            values = frame[column.name].astype(object)
            frame[column.name] = values.where(values.notna(), None)
    if "simulated" in dtypes:
        dtypes["simulated"] = "bool"
    return frame.astype(dtypes)


def _with_local_time(frame: pd.DataFrame) -> pd.DataFrame:
    local = local_times(frame["time"])
    return frame.assign(day=local.dt.normalize(), hour=local.dt.hour).sort_values("time", kind="stable")
