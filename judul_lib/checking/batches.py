"""Many titles at once: proposals against a corpus and against each other, pairs that are given."""

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

# Titles that a process takes at a time.
_TITLES = 50


def check_in_batches(
    titles: Sequence[str],
    checker: Checker,
    *,
    top_k: int | None = None,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[Matches]:
    """Yield what `Checker.check_many` yields, the work shared out.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    checker : Checker
        Sent to each process once.
    top_k : int
        Number of matches returned; all by default.
    n_jobs : int
        Processes that work at the same time.
    scheduler : str
        Address of a Dask scheduler, that in ``JUDUL_SCHEDULER`` by default.

    Raises
    ------
    WorkerError
        A process died, or the scheduler is not there or went away.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> titles = ["Deteksi Hoaks", "Prediksi Harga Beras"]
    >>> [len(found) for found in check_in_batches(titles, load_checker("outputs/light"), top_k=3)]
    [3, 3]
    """
    scheduler = resolve_scheduler(scheduler)
    if n_jobs == 1 and scheduler is None:
        yield from checker.check_many(titles, top_k=top_k)
        return
    parts = [(titles[at : at + _TITLES], top_k) for at in range(0, len(titles), _TITLES)]
    done: dict[int, list[Matches]] = {}
    following = 0
    for place, matches in run_tasks(_check, parts, checker, n_jobs=n_jobs, scheduler=scheduler):
        done[place] = matches
        while following in done:
            yield from done.pop(following)
            following += 1


def _check(checker: Checker, part: tuple[Sequence[str], int | None]) -> list[Matches]:
    titles, top_k = part
    return list(checker.check_many(titles, top_k=top_k))


def score_pairs(left: Sequence[str], right: Sequence[str], checker: Checker) -> list[dict[str, Any]]:
    """Score pairs of titles.

    Parameters
    ----------
    left, right : sequence of str, shape (n,)
        Row *i* of the one is compared with row *i* of the other.
    checker : Checker
        As from `load_checker`.

    Returns
    -------
    list of dict, shape (n,)
        The features, ``rf_probability`` and ``rf_label`` of each pair, in
        order; every value ``None`` where one of the two holds no word that can be compared.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> rows = score_pairs(["Deteksi Hoaks"], ["DETEKSI HOAKS"], load_checker("outputs/light"))
    >>> rows[0]["levenshtein"], rows[0]["rf_label"]
    (1.0, 'MIRIP')
    """
    names = RESULT_COLUMNS[1:]
    stems = preprocess_cells(left), preprocess_cells(right)
    written = [i for i, sides in enumerate(zip(*stems, strict=True)) if all(sides)]
    scored = checker.score([left[i] for i in written], [right[i] for i in written])
    result: list[dict[str, Any]] = [dict.fromkeys(names) for _ in left]
    for i, values, p, name in zip(written, *scored, strict=True):
        result[i] = dict(zip(names, (*map(float, values), float(p), name), strict=True))
    return result


MAX_PROPOSALS_COMPARED = 5_000
"""With more proposals than this, they are compared with the corpus only."""

VERDICT, PROBABILITY, CLOSEST = "simpulan", "peluang", "judul_terdekat"
OTHER_VERDICT, OTHER_PROBABILITY = "simpulan_antarusulan", "peluang_antarusulan"
OTHER_CLOSEST, OTHER_ROW = "usulan_terdekat", "baris_usulan_terdekat"
NOT_COMPARED = "TIDAK DIPERIKSA"
CLOSE = (SIMILAR, ASK)
"""Verdicts that call for a second look."""
# Proposals compared with the others at a time: bounds the memory.
_BATCH = 16
_WEIGHT = {SIMILAR: 2, ASK: 1, DIFFERENT: 0}
_TIE_BREAKERS = [list(FEATURES).index(name) for name in ("cosine", "levenshtein")]

Progress = Callable[[int, int], None]


def check_comparable_titles(
    titles: Sequence[str], checker: Checker, *, n_jobs: int = 1, scheduler: str | None = None
) -> tuple[list[int], Iterator[Matches]]:
    """Check each title with a word that can be compared, for the match that decides.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    checker : Checker
    n_jobs, scheduler
        As for `judul_lib.checking.batches.check_in_batches`.

    Returns
    -------
    rows : list of int
        Places of these titles among all.
    answers : iterator of Matches
        The best match, and the `Matches.decision`; computed as they are taken.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> rows, answers = check_comparable_titles(["Deteksi Hoaks", "123"], load_checker("outputs/light"))
    >>> rows, len(list(answers))
    ([0], 1)
    """
    rows = [row for row, text in enumerate(preprocess_cells(titles)) if text]
    readable = [titles[row] for row in rows]
    return rows, check_in_batches(readable, checker, top_k=1, n_jobs=n_jobs, scheduler=scheduler)


def check_proposals(
    titles: Sequence[str],
    checker: Checker,
    *,
    on_progress: Progress = lambda done, total: None,
    on_answer: Callable[[str, Matches], None] = lambda title, matches: None,
) -> pd.DataFrame:
    """Find for each proposal the closest title of the corpus and the closest other proposal.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
        As typed; one without a word that can be compared is not compared.
    checker : Checker
        A model with the corpus.
    on_progress : callable
        Told how many comparisons of a title with a list are done, and of how
        many; an exception that it raises ends the work.
    on_answer : callable
        Given each proposal with its answer from the corpus.

    Returns
    -------
    DataFrame, shape (n, 7)
        Verdict, probability and title of the match in the corpus that decides;
        the same and the position (from 1) of the closest other proposal.
        Beyond `MAX_PROPOSALS_COMPARED` proposals the latter are empty.
    """
    usable, answers = check_comparable_titles(titles, checker)
    asked = [titles[row] for row in usable]
    among = 1 < len(asked) <= MAX_PROPOSALS_COMPARED
    total = len(asked) * (1 + among)
    rows: list[dict[str, Any]] = [{VERDICT: NOT_COMPARED} for _ in titles]
    for done, (row, matches) in enumerate(zip(usable, answers, strict=True)):
        on_answer(titles[row], matches)
        if len(decision := matches.decision):
            rows[row] = {
                VERDICT: decision.labels[0],
                PROBABILITY: float(decision.probability[0]),
                CLOSEST: decision.titles[0],
            }
        on_progress(done + 1, total)
    if among:
        nearest = nearest_proposals(
            asked, checker, on_progress=lambda done, _: on_progress(len(asked) + done, total)
        )
        _, probability, labels = checker.score(asked, [asked[k] for k in nearest])
        for row, k, p, label in zip(usable, nearest, probability, labels, strict=True):
            rows[row] |= {
                OTHER_VERDICT: label,
                OTHER_PROBABILITY: float(p),
                OTHER_CLOSEST: asked[k],
                OTHER_ROW: usable[k] + 1,
            }
    columns = [VERDICT, PROBABILITY, CLOSEST]
    columns += [OTHER_VERDICT, OTHER_PROBABILITY, OTHER_CLOSEST, OTHER_ROW]
    return pd.DataFrame(rows, columns=columns).astype({OTHER_ROW: "Int64"})


def nearest_proposals(
    titles: Sequence[str], checker: Checker, *, on_progress: Progress = lambda done, total: None
) -> list[int]:
    """Find for each title which of the others decides; each pair is compared once.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
        At least two.
    checker : Checker

    Returns
    -------
    list of int, shape (n,)
        Row of the other title that decides, as `Matches.decision` does.

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
        ranks = [_WEIGHT[verdict] for verdict in verdicts]
        keys = np.column_stack([ranks, probability, features[:, _TIE_BREAKERS]])
        for row in batch:
            own = left == row
            _keep_closest(row, right[own], keys[own], best, nearest)
        on_progress(batch.stop, n)
    on_progress(n, n)
    return nearest.tolist()


def _keep_closest(
    row: int, others: Rows, keys: FloatArray, best: FloatArray, nearest: NDArray[np.int_]
) -> None:
    """Enter what a title has in common with later ones; of equally close titles the first stays."""
    closest = int(np.lexsort(-keys.T[::-1])[0])
    if tuple(keys[closest]) > tuple(best[row]):
        best[row], nearest[row] = keys[closest], others[closest]
    first = (keys != best[others]).argmax(axis=1)[:, None]
    closer = (np.take_along_axis(keys, first, 1) > np.take_along_axis(best[others], first, 1)).ravel()
    best[others[closer]], nearest[others[closer]] = keys[closer], row
