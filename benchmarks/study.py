"""Checks without an index, compared with a plain loop as the study writes it."""

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.measuring import (
    LIGHT,
    OUTPUTS,
    STRUCTURED,
    Case,
    Measured,
    Peer,
    peak_memory,
    timed,
    timed_peer,
)
from judul_lib.checking.batches import check_proposals
from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.registry import load_estimators, load_model, load_structured
from judul_lib.checking.structured_checker import StructuredChecker

QUERY = "Prediksi Harga Beras di Kota Medan Menggunakan Metode LSTM"
_N_COPIES = 10


def _measure_loop(n_pairs: int, rounds: int) -> Peer:
    """Measure the study's loop over the model's titles, scaled to a number of pairs."""
    estimators, titles = load_estimators(OUTPUTS / LIGHT), load_model(OUTPUTS / LIGHT).titles
    return timed_peer(
        "study_loop",
        lambda: peers.study_loop(QUERY, estimators, titles),
        rounds,
        scale=n_pairs / len(titles),
    )


def _copied(titles: list[str], copies: int = _N_COPIES) -> list[str]:
    return [f"{title} {copy}" for copy in range(copies) for title in titles]


def _measure(
    case: Case, size: int, n_pairs: int, make: Callable[[], Callable[[], Any]], rounds: int
) -> Measured:
    """Measure the function that *make* returns, then the study's loop for as many pairs."""
    with peak_memory() as peak:
        function, rounds = make(), case.rounds(rounds)
        function()
        seconds = timed(function, rounds)
        memory = peak()
    loop = _measure_loop(n_pairs, case.rounds(5))
    return Measured(
        size, rounds, median(seconds), memory, peers=(loop,), more={"pairs_compared": n_pairs}
    )


def light_check(case: Case) -> Measured:
    """Check a title against the model's corpus; library and loop must give the same answer."""
    model = load_model(OUTPUTS / LIGHT)
    checker, n = TitleChecker.from_model(model), len(model.titles)
    measured = _measure(case, n, n, lambda: lambda: checker.check(QUERY), 50)
    matches = checker.check(QUERY)
    probability_of = dict(zip(matches.titles, matches.probability, strict=True))
    expected = peers.study_loop(QUERY, load_estimators(OUTPUTS / LIGHT), model.titles)
    if not np.allclose([probability_of[title] for title in model.titles], expected):
        raise ValueError("The library and the study's loop disagree.")
    return measured


def structured_check(case: Case) -> Measured:
    """Check a title against the structured model's corpus."""
    return _structured_check(case, 1)


def structured_check_copies(case: Case) -> Measured:
    """Check a title against ten copies of each."""
    return _structured_check(case, _N_COPIES)


def _structured_check(case: Case, copies: int) -> Measured:
    model, titles = load_structured(OUTPUTS / STRUCTURED)
    checker = StructuredChecker(model, _copied(titles, copies))
    n = len(checker.titles)
    return _measure(case, n, n, lambda: lambda: checker.check(QUERY, top_k=peers.TOP), 20)


def structured_pairs(case: Case) -> Measured:
    """Score pairs of titles that have not been parsed before."""
    model, titles = load_structured(OUTPUTS / STRUCTURED)
    n = 500 if case.quick else 10_000
    left = [titles[k % len(titles)] for k in range(n)]
    right = [titles[k // len(titles) % len(titles)] for k in range(n)]
    return _measure(case, n, n, lambda: lambda: model.score(left, right), 3)


def proposals(case: Case) -> Measured:
    """Check proposals against ten copies of each title and against each other."""
    structured, titles = load_structured(OUTPUTS / STRUCTURED)
    corpus = _copied(titles)
    if case.model == STRUCTURED:
        checker: Any = StructuredChecker(structured, corpus)
    else:
        checker = TitleChecker.from_model(load_model(case.folder), corpus)
    n = 20 if case.quick else 500
    proposed = [f"{title} versi {k}" for k in range(5) for title in titles][:n]
    n_pairs = n * len(corpus) + n * (n - 1) // 2
    return _measure(case, len(corpus), n_pairs, lambda: lambda: check_proposals(proposed, checker), 3)
