"""The log as data frames: typed, in local time, rows of the future and simulated rows told apart."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from judul_lib.usage.database import USAGE_TABLES, predictions, read_table, scores

ZONE = "Asia/Jakarta"
"""Zone of the days and hours that readers see."""

# Two machines' clocks differ a little without either being wrong.
_TOLERANCE = timedelta(minutes=5)
_TYPES = {sa.Float: "float64", sa.Boolean: "boolean", sa.DateTime: "datetime64[ns]"}


@dataclass(frozen=True)
class Usage:
    """What was asked, answered, said and done.

    Attributes
    ----------
    predictions, scores, feedback, events : DataFrame
        The tables. Those with a ``time`` (UTC) have a local ``day`` and ``hour``
        too; scores have those of their prediction, and its ``query_hash``.
    """

    predictions: pd.DataFrame
    scores: pd.DataFrame
    feedback: pd.DataFrame
    events: pd.DataFrame

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> "Usage":
        """Take the rows of each table: data frames, or lists of mappings."""
        frames = {name: _typed(tables.get(name, ()), table) for name, table in USAGE_TABLES.items()}
        for name, frame in frames.items():
            if "time" in frame:
                frames[name] = _with_local_time(frame)
        asked = frames["predictions"][["id", "time", "day", "hour", "query_hash", "simulated"]]
        frames["scores"] = frames["scores"].merge(
            asked.rename(columns={"id": "prediction_id"}), on="prediction_id"
        )
        return cls(**frames)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by their names."""
        return {name: getattr(self, name) for name in USAGE_TABLES}

    @property
    def is_simulated(self) -> bool:
        """Whether some of the rows are made up."""
        return any(bool(frame["simulated"].any()) for frame in self.tables.values())

    def filter_rows(self, keep: Any) -> "Usage":
        """Return the rows of each table for which a function of the table says so."""
        return replace(self, **{name: frame[keep(frame)] for name, frame in self.tables.items()})

    def prefer_real_rows(self) -> "Usage":
        """Leave out simulated rows as soon as there are real ones: they must not hide each other."""
        is_real = any(bool((~frame["simulated"]).any()) for frame in self.tables.values())
        return self.filter_rows(lambda frame: ~frame["simulated"]) if is_real else self

    def split_off_future(self, now: datetime) -> tuple["Usage", int]:
        """Return the rows that are not of the future, and how many are (scores do not count)."""
        latest = now + _TOLERANCE
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


def local_day(time: datetime) -> pd.Timestamp:
    """Return the local day of a time in UTC.

    Examples
    --------
    >>> local_day(datetime(2026, 1, 1, 18)).date().isoformat()
    '2026-01-02'
    """
    return pd.Timestamp(time, tz="UTC").tz_convert(ZONE).tz_localize(None).normalize()


def _typed(rows: Any, table: sa.Table) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[column.name for column in table.columns])
    kinds = {column.name: _TYPES.get(type(column.type), "") for column in table.columns}
    # Numbers that may be missing are fractions to pandas, whichever database they come from.
    kinds |= {column.name: "float64" for column in table.columns if _is_nullable_integer(column)}
    kinds |= {"simulated": "bool"} if "simulated" in kinds else {}
    # One type of text, whatever the first rows hold: None where there is none.
    for column in table.columns:
        if isinstance(column.type, sa.String):
            values = frame[column.name].astype(object)
            frame[column.name] = values.where(values.notna(), None)
    return frame.astype({name: kind for name, kind in kinds.items() if kind})


def _is_nullable_integer(column: sa.Column[Any]) -> bool:
    return bool(column.nullable) and isinstance(column.type, sa.Integer)


def _with_local_time(frame: pd.DataFrame) -> pd.DataFrame:
    local = frame["time"].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.tz_localize(None)
    return frame.assign(day=local.dt.normalize(), hour=local.dt.hour).sort_values("time", kind="stable")
