"""Check many titles: proposals against a corpus and each other, and given pairs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import RESULT_COLUMNS, Matches, assign_labels
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.parallel import resolve_scheduler, run_tasks
from judul_lib.core.settings import ASK, DIFFERENT, SIMILAR
from judul_lib.study.features import FEATURES
from judul_lib.study.preprocessing import preprocess_cells

_TITLES_PER_TASK = 50


def check_in_batches(
    titles: Sequence[str],
    checker: Checker,
    *,
    top_k: int | None = None,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[Matches]:
    """Run `Checker.check_many` in several processes or on a cluster.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    checker : Checker
        Sent to each process once.
    top_k : int
        Number of matches per title; all by default.
    n_jobs : int
        Number of processes.
    scheduler : str
        Address of a Dask scheduler, that in ``JUDUL_SCHEDULER`` by default.

    Raises
    ------
    WorkerError
        A process died, or the scheduler is unreachable or was lost.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> titles = ["Deteksi Hoaks", "Prediksi Harga Beras"]
    >>> [len(matches) for matches in check_in_batches(titles, load_checker("outputs/light"), top_k=3)]
    [3, 3]
    """
    scheduler = resolve_scheduler(scheduler)
    if n_jobs == 1 and scheduler is None:
        yield from checker.check_many(titles, top_k=top_k)
        return
    starts = range(0, len(titles), _TITLES_PER_TASK)
    tasks = [(titles[start : start + _TITLES_PER_TASK], top_k) for start in starts]
    finished: dict[int, list[Matches]] = {}
    next_position = 0
    for position, matches in run_tasks(_check, tasks, checker, n_jobs=n_jobs, scheduler=scheduler):
        finished[position] = matches
        while next_position in finished:
            yield from finished.pop(next_position)
            next_position += 1


def _check(checker: Checker, task: tuple[Sequence[str], int | None]) -> list[Matches]:
    titles, top_k = task
    return list(checker.check_many(titles, top_k=top_k))


def score_pairs(left: Sequence[str], right: Sequence[str], checker: Checker) -> list[dict[str, Any]]:
    """Score pairs of titles.

    Parameters
    ----------
    left, right : sequence of str, shape (n,)
        Pair *i* is ``left[i]`` and ``right[i]``.
    checker : Checker

    Returns
    -------
    list of dict, shape (n,)
        The features, ``rf_probability`` and ``rf_label`` of each pair, in order; all
        None if one of the titles has no word that can be compared.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> rows = score_pairs(["Deteksi Hoaks"], ["DETEKSI HOAKS"], load_checker("outputs/light"))
    >>> rows[0]["levenshtein"], rows[0]["rf_label"]
    (1.0, 'MIRIP')
    """
    columns = RESULT_COLUMNS[1:]
    stems = preprocess_cells(left), preprocess_cells(right)
    comparable = [i for i, pair in enumerate(zip(*stems, strict=True)) if all(pair)]
    scores = checker.score([left[i] for i in comparable], [right[i] for i in comparable])
    rows: list[dict[str, Any]] = [dict.fromkeys(columns) for _ in left]
    for i, features, probability, label in zip(comparable, *scores, strict=True):
        values = *map(float, features), float(probability), label
        rows[i] = dict(zip(columns, values, strict=True))
    return rows


MAX_PROPOSALS_COMPARED = 5_000
"""More proposals than this are compared with the corpus only."""

VERDICT, PROBABILITY, CLOSEST = "simpulan", "peluang", "judul_terdekat"
OTHER_VERDICT, OTHER_PROBABILITY = "simpulan_antarusulan", "peluang_antarusulan"
OTHER_CLOSEST, OTHER_ROW = "usulan_terdekat", "baris_usulan_terdekat"
NOT_COMPARED = "TIDAK DIPERIKSA"
CLOSE = (SIMILAR, ASK)
"""Verdicts that need a second look."""
# Proposals compared with all others at once: limits the memory.
_BATCH = 16
_RANK = {SIMILAR: 2, ASK: 1, DIFFERENT: 0}
_TIE_BREAKERS = [list(FEATURES).index(name) for name in ("cosine", "levenshtein")]

Progress = Callable[[int, int], None]


def check_comparable_titles(
    titles: Sequence[str], checker: Checker, *, n_jobs: int = 1, scheduler: str | None = None
) -> tuple[list[int], Iterator[Matches]]:
    """Check each title that has a word to compare.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    checker : Checker
    n_jobs, scheduler
        See `check_in_batches`.

    Returns
    -------
    rows : list of int
        Rows of these titles.
    answers : iterator of Matches
        Their best match and `Matches.decision`, computed lazily.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> rows, answers = check_comparable_titles(["Deteksi Hoaks", "123"], load_checker("outputs/light"))
    >>> rows, len(list(answers))
    ([0], 1)
    """
    rows = [row for row, text in enumerate(preprocess_cells(titles)) if text]
    comparable = [titles[row] for row in rows]
    return rows, check_in_batches(comparable, checker, top_k=1, n_jobs=n_jobs, scheduler=scheduler)


def check_proposals(
    titles: Sequence[str],
    checker: Checker,
    *,
    first_rows: Sequence[int] | None = None,
    on_progress: Progress = lambda done, total: None,
    on_answer: Callable[[str, Matches], None] = lambda title, matches: None,
) -> pd.DataFrame:
    """Find for each proposal the closest title of the corpus and the closest other proposal.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
        As typed; those without a word that can be compared are not compared.
    checker : Checker
        A model with the corpus.
    first_rows : sequence of int, shape (n,)
        See `judul_lib.study.group_theses.group_proposals`: rows of a group are one proposal,
        so they are not compared with each other.
    on_progress : callable
        Called with the number of finished comparisons of a title with a list, and their
        total; an exception that it raises stops the work.
    on_answer : callable
        Called with each proposal and its matches in the corpus.

    Returns
    -------
    DataFrame, shape (n, 7)
        Verdict, probability and title of the deciding match in the corpus;
        the same and the position (from 1) of the closest other proposal, empty
        with more than `MAX_PROPOSALS_COMPARED` proposals.
    """
    comparable, answers = check_comparable_titles(titles, checker)
    firsts = range(len(titles)) if first_rows is None else first_rows
    compared = [row for row in comparable if firsts[row] == row]
    proposals = [titles[row] for row in compared]
    n = len(comparable)
    has_others = 1 < len(proposals) <= MAX_PROPOSALS_COMPARED
    total = n + has_others * len(proposals)
    rows: list[dict[str, Any]] = [{VERDICT: NOT_COMPARED} for _ in titles]
    for n_done, (row, matches) in enumerate(zip(comparable, answers, strict=True), start=1):
        on_answer(titles[row], matches)
        if len(decision := matches.decision):
            rows[row] = {
                VERDICT: decision.labels[0],
                PROBABILITY: float(decision.probability[0]),
                CLOSEST: decision.titles[0],
            }
        on_progress(n_done, total)
    if has_others:
        nearest = nearest_proposals(
            proposals, checker, on_progress=lambda n_done, _: on_progress(n + n_done, total)
        )
        _, probability, labels = checker.score(proposals, [proposals[other] for other in nearest])
        found = {
            row: {
                OTHER_VERDICT: label,
                OTHER_PROBABILITY: float(p),
                OTHER_CLOSEST: proposals[other],
                OTHER_ROW: compared[other] + 1,
            }
            for row, other, p, label in zip(compared, nearest, probability, labels, strict=True)
        }
        for row in comparable:
            rows[row] |= found[firsts[row]]
    columns = [VERDICT, PROBABILITY, CLOSEST]
    columns += [OTHER_VERDICT, OTHER_PROBABILITY, OTHER_CLOSEST, OTHER_ROW]
    return pd.DataFrame(rows, columns=columns).astype({OTHER_ROW: "Int64"})


def nearest_proposals(
    titles: Sequence[str], checker: Checker, *, on_progress: Progress = lambda done, total: None
) -> list[int]:
    """Find for each title the deciding one among the others; each pair is compared once.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
        At least two.
    checker : Checker

    Returns
    -------
    list of int, shape (n,)
        Row of the deciding other title; see `Matches.decision`.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> titles = ["Deteksi Hoaks", "Prediksi Harga Beras", "DETEKSI HOAKS"]
    >>> nearest_proposals(titles, load_checker("outputs/light"))[0]
    2
    """
    n, comparison = len(titles), checker.compare(titles, titles)
    best = np.full((n, 4), -np.inf)
    nearest = np.zeros(n, dtype=int)
    for start in range(0, n - 1, _BATCH):
        batch = range(start, min(start + _BATCH, n - 1))
        left = np.repeat(batch, [n - 1 - row for row in batch])
        right = np.concatenate([np.arange(row + 1, n) for row in batch])
        features = comparison.features(left, right)
        probability = checker.probability(features)
        asked = checker.asked(features, probability)
        verdicts = assign_labels(
            probability, asked, checker.threshold, elsewhere_label=checker.elsewhere_label
        )
        ranks = [_RANK[verdict] for verdict in verdicts]
        keys = np.column_stack([ranks, probability, features[:, _TIE_BREAKERS]])
        for row in batch:
            is_left = left == row
            _update_nearest(row, right[is_left], keys[is_left], best, nearest)
        on_progress(batch.stop, n)
    on_progress(n, n)
    return nearest.tolist()


def _update_nearest(
    row: int, others: Rows, keys: FloatArray, best: FloatArray, nearest: NDArray[np.int_]
) -> None:
    """Enter the comparisons of a title with later ones; ties keep the first title."""
    closest = int(np.lexsort(-keys.T[::-1])[0])
    if tuple(keys[closest]) > tuple(best[row]):
        best[row], nearest[row] = keys[closest], others[closest]
    # Compare keys lexicographically: by the first column in which they differ.
    column = (keys != best[others]).argmax(axis=1)[:, None]
    is_closer = np.take_along_axis(keys, column, 1) > np.take_along_axis(best[others], column, 1)
    closer = is_closer.ravel()
    best[others[closer]], nearest[others[closer]] = keys[closer], row
