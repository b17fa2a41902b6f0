"""Checks against an index: one title, many titles, and how many titles are compared in full."""

from collections.abc import Callable
from statistics import fmean, median
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.measuring import (
    LIGHT,
    OUTPUTS,
    SEED,
    STRANGE,
    STRUCTURED,
    Case,
    Measured,
    Peer,
    answer_times,
    mixed_queries,
    p95,
    peak_memory,
    timed,
    timed_peer,
    usual_queries,
)
from judul_lib.checking.registry import load_estimators
from judul_lib.search.index import TitleIndex

# Titles that the study's loop is measured on; its time is scaled up to the catalogue.
_N_STUDY_TITLES = 100


def check_one(case: Case) -> Measured:
    """Find the ten best titles for usual queries, with a warm index."""
    return _check(case, lambda kind: kind != STRANGE, _measure_peers)


def check_strange(case: Case) -> Measured:
    """Find the ten best titles for queries that share no word with any title."""
    return _check(case, lambda kind: kind == STRANGE, _measure_letters_peer)


def _check(
    case: Case,
    is_wanted_kind: Callable[[str], bool],
    measure_peers: Callable[[Case, list[str]], tuple[Peer, ...]],
) -> Measured:
    n, rounds = (30, 2) if case.quick else (240, 3)
    with peak_memory() as peak:
        index = TitleIndex.load(case.index_folder)
        for _, query in mixed_queries(index.titles, 30, SEED):
            index.check(query, top_k=peers.TOP)
        seconds, kinds = [], []
        for number in range(rounds):
            queries = mixed_queries(index.titles, n, SEED + 1 + number)
            queries = [(kind, text) for kind, text in queries if is_wanted_kind(kind)]
            texts = [text for _, text in queries]
            seconds.append(answer_times(lambda q: index.check(q, top_k=peers.TOP), texts, limit=False))
            kinds += [kind for kind, _ in queries]
        memory = peak()
    by_kind: dict[str, list[float]] = {}
    for kind, value in zip(kinds, np.concatenate(seconds).tolist(), strict=True):
        by_kind.setdefault(kind, []).append(value)
    return Measured(
        case.size,
        rounds,
        median(median(part) for part in seconds),
        memory,
        median(p95(part) for part in seconds),
        measure_peers(case, texts),
        {
            "queries": len(texts),
            "median_by_kind": {kind: median(part) for kind, part in by_kind.items()},
            "p95_by_kind": {kind: p95(part) for kind, part in by_kind.items()},
        },
    )


def _measure_letters_peer(case: Case, queries: list[str]) -> tuple[Peer, ...]:
    answer = peers.all_letters_answer(case.titles())
    answer(queries[0])
    seconds = answer_times(answer, queries, limit=True)
    return (Peer("all_letters", median(seconds), len(seconds)),)


def _measure_peers(case: Case, queries: list[str]) -> tuple[Peer, ...]:
    titles = case.titles()
    # The structured model has neither TF-IDF nor forest; it is compared with the peers of the light one.
    estimators = load_estimators(OUTPUTS / (LIGHT if case.model == STRUCTURED else case.model))
    sample = titles[:_N_STUDY_TITLES]
    loop = timed_peer(
        "study_loop",
        lambda: peers.study_loop(queries[0], estimators, sample),
        case.rounds(3),
        scale=case.size / len(sample),
    )
    rows = estimators[0].transform([" ".join(stems) for stems in peers.stems_of(titles)])
    answers = {
        "sklearn": peers.sklearn_answer(estimators[0], rows),
        "rapidfuzz": peers.rapidfuzz_answer(titles),
        "bm25s": peers.bm25_answer(case.bm25_folder),
    }
    if case.model == STRUCTURED:
        answers["all_units"] = peers.all_units_answer(case.index_folder)
    measured = [loop]
    for name, answer in answers.items():
        answer(queries[0])
        seconds = answer_times(answer, queries, limit=True)
        measured.append(Peer(name, median(seconds), len(seconds)))
    return tuple(measured)


def scored_in_full(case: Case) -> Measured:
    """Fit the exponent of the number of fully compared titles over the size of the catalogue."""
    sizes = sorted({case.size // 10**power for power in range(4)} - {0})
    n = 12 if case.quick else 60
    means, kinds = [], []
    with peak_memory() as peak:
        titles = case.titles()
        for size in sizes:
            if size == case.size:
                index = TitleIndex.load(case.index_folder)
            else:
                index = TitleIndex.build(titles[:size], case.folder)
            scored: dict[str, list[int]] = {}
            for kind, query in mixed_queries(titles[:size], n, SEED):
                index.check(query, top_k=peers.TOP)
                scored.setdefault(kind, []).append(index.n_scored)
            means.append(fmean(number for part in scored.values() for number in part))
            kinds.append({kind: fmean(part) for kind, part in scored.items()})
        memory = peak()
    exponent = float(np.polyfit(np.log(sizes), np.log(np.maximum(means, 1)), 1)[0])
    more: dict[str, Any] = {"sizes": sizes, "mean_scored": means, "mean_scored_by_kind": kinds}
    return Measured(case.size, n, exponent, memory, None, (Peer("plain_check", 1.0, 1),), more)


def check_thousand(case: Case) -> Measured:
    """Find the ten best titles for each of 1,000 usual queries."""
    n = 20 if case.quick else 1_000
    with peak_memory() as peak:
        index = TitleIndex.load(case.index_folder)
        queries = usual_queries(index.titles, n, SEED)
        index.check(queries[0], top_k=peers.TOP)
        rounds = case.rounds(3)
        seconds = timed(lambda: list(index.check_many(queries, top_k=peers.TOP)), rounds)
        memory = peak()
    titles = case.titles()
    tfidf, rows = peers.tfidf_rows(titles, OUTPUTS / LIGHT)
    block = timed_peer(
        "sklearn_block", lambda: peers.sklearn_block(queries, tfidf, rows), case.rounds(3)
    )
    return Measured(case.size, rounds, median(seconds), memory, peers=(block,), more={"queries": n})
