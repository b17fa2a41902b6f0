"""The models on their own titles, without an index, against a plain loop written the study's way."""

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
_COPIES = 10


def _loop(n_pairs: int, rounds: int) -> Peer:
    """Measure the study's loop over the model's titles, for so many pairs."""
    estimators, titles = load_estimators(OUTPUTS / LIGHT), load_model(OUTPUTS / LIGHT).titles
    return timed_peer(
        "study_loop",
        lambda: peers.study_loop(QUERY, estimators, titles),
        rounds,
        times=n_pairs / len(titles),
    )


def _copied(titles: list[str], copies: int = _COPIES) -> list[str]:
    return [f"{title} {copy}" for copy in range(copies) for title in titles]


def _measured(
    case: Case, size: int, n_pairs: int, make: Callable[[], Callable[[], Any]], rounds: int
) -> Measured:
    """Measure what a function made ready does, then the loop on as many pairs."""
    with peak_memory() as peak:
        function, rounds = make(), case.rounds(rounds)
        function()
        seconds = timed(function, rounds)
        memory = peak()
    loop = _loop(n_pairs, case.rounds(5))
    return Measured(
        size, rounds, median(seconds), memory, peers=(loop,), more={"pairs_compared": n_pairs}
    )


def light_check(case: Case) -> Measured:
    """Check a title against the model's own; both ways must give the same answer."""
    model = load_model(OUTPUTS / LIGHT)
    checker, n = TitleChecker.from_model(model), len(model.titles)
    measured = _measured(case, n, n, lambda: lambda: checker.check(QUERY), 50)
    matches = checker.check(QUERY)
    found = dict(zip(matches.titles, matches.probability, strict=True))
    expected = peers.study_loop(QUERY, load_estimators(OUTPUTS / LIGHT), model.titles)
    if not np.allclose([found[title] for title in model.titles], expected):
        raise ValueError("The library and the study's loop disagree.")
    return measured


def structured_check(case: Case) -> Measured:
    """Check a title against the structured model's own."""
    return _structured_check(case, 1)


def structured_check_copies(case: Case) -> Measured:
    """Check a title against ten copies of each."""
    return _structured_check(case, _COPIES)


def _structured_check(case: Case, copies: int) -> Measured:
    model, titles = load_structured(OUTPUTS / STRUCTURED)
    checker = StructuredChecker(model, _copied(titles, copies))
    n = len(checker.titles)
    return _measured(case, n, n, lambda: lambda: checker.check(QUERY, top_k=peers.TOP), 20)


def structured_pairs(case: Case) -> Measured:
    """Score pairs of titles that were not made ready."""
    model, titles = load_structured(OUTPUTS / STRUCTURED)
    n = 500 if case.quick else 10_000
    left = [titles[k % len(titles)] for k in range(n)]
    right = [titles[k // len(titles) % len(titles)] for k in range(n)]
    return _measured(case, n, n, lambda: lambda: model.score(left, right), 3)


def proposals(case: Case) -> Measured:
    """Check proposals against ten copies of each title and against each other."""
    structured, titles = load_structured(OUTPUTS / STRUCTURED)
    known = _copied(titles)
    if case.model == STRUCTURED:
        checker: Any = StructuredChecker(structured, known)
    else:
        checker = TitleChecker.from_model(load_model(case.folder), known)
    n = 20 if case.quick else 500
    proposed = [f"{title} versi {k}" for k in range(5) for title in titles][:n]
    n_pairs = n * len(known) + n * (n - 1) // 2
    return _measured(case, len(known), n_pairs, lambda: lambda: check_proposals(proposed, checker), 3)
