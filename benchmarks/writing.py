"""Time to log an answer, compared with appending a line to a text file as the study does."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import peers
from benchmarks.measuring import SEED, Case, Measured, Peer, p95, peak_memory, seconds_of, usual_queries
from judul_lib.checking.checker import Checker
from judul_lib.checking.loading import load_checker
from judul_lib.checking.matches import Matches
from judul_lib.usage.database import sqlite_url
from judul_lib.usage.log import AnsweredQuery, UsageLog

POSTGRES = "JUDUL_TEST_POSTGRES"
"""Variable with the URL of a server on which databases may be created and dropped."""

_TERMINATE_OWN_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = :name AND usename = current_user
"""

Write = Callable[[str, Matches, float], Any]


def log_sqlite(case: Case) -> Measured:
    """Write answers to the log in a SQLite file."""
    return _log_answers(case, sqlite_url(case.work / "log"))


def log_postgres(case: Case) -> Measured:
    """Write answers to the log in a temporary PostgreSQL database."""
    with new_database(os.environ[POSTGRES]) as url:
        return _log_answers(case, url)


def _log_answers(case: Case, url: str) -> Measured:
    n, rounds = (20, 2) if case.quick else (200, 5)
    checker = load_checker(case.folder)
    queries = usual_queries(checker.titles, n, SEED)
    log = UsageLog(case.work / "log", url=url, versions={case.model: "0"}, warn=_fail)

    def write(title: str, matches: Matches, seconds: float) -> None:
        unknown_shares = {case.model: checker.unknown_share(title)}
        query = AnsweredQuery(title, {case.model: matches}, seconds, unknown_shares)
        log.log_predictions([query], "page")

    with peak_memory() as peak, closing(log):
        first = median(_write_times(checker, queries[:1], write))  # Opens the database.
        measured = [_write_times(checker, queries, write) for _ in range(rounds)]
        memory = peak()
    lines = [
        _write_times(checker, queries, _line_writer(case.work / "log.jsonl")) for _ in range(rounds)
    ]
    return Measured(
        len(checker.titles),
        rounds,
        median(median(part) for part in measured),
        memory,
        median(p95(part) for part in measured),
        (Peer("json_line", median(median(part) for part in lines), rounds),),
        {"answers": n, "first_write": first, "json_line_p95": median(p95(part) for part in lines)},
    )


def _write_times(checker: Checker, queries: list[str], write: Write) -> list[float]:
    """Return the seconds of writing each answer, without those of answering."""
    times = []
    for query in queries:
        start = perf_counter()
        matches = checker.check(query, top_k=peers.TOP)
        seconds = perf_counter() - start
        times.append(seconds_of(lambda q=query, m=matches, s=seconds: write(q, m, s)))
    return times


def _line_writer(path: Path) -> Write:
    def write(title: str, matches: Matches, seconds: float) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(), "title": title, "match": matches.titles[0],
            "probability": float(matches.probability[0]), "seconds": seconds,
        }  # fmt: skip
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write


def _fail(sentence: str) -> None:
    """Stop: writing to the spool instead of the database would be another measurement."""
    raise RuntimeError(sentence)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Create a database on a PostgreSQL server, yield its URL, and drop it afterwards."""
    import sqlalchemy as sa

    address = sa.make_url(server)
    name = f"judul_bench_{os.getpid()}_{time.monotonic_ns()}"
    engine = sa.create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield address.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            # WITH (FORCE) needs a superuser while autovacuum works on the database. A plain DROP cancels
            # autovacuum itself, and waits for closing connections.
            connection.execute(sa.text(_TERMINATE_OWN_CONNECTIONS), {"name": name})
            connection.execute(sa.text(f"DROP DATABASE {name}"))
        engine.dispose()
