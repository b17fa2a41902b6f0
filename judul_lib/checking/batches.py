"""Check many titles at the same time, in several processes or on a cluster."""

from collections.abc import Iterator, Sequence
from typing import Any

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import RESULT_COLUMNS, Matches
from judul_lib.core.parallel import known_scheduler, run_tasks
from judul_lib.study.preprocessing import readable_stems

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
    scheduler = known_scheduler(scheduler)
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
    stems = readable_stems(left), readable_stems(right)
    written = [i for i, sides in enumerate(zip(*stems, strict=True)) if all(sides)]
    scored = checker.score([left[i] for i in written], [right[i] for i in written])
    result: list[dict[str, Any]] = [dict.fromkeys(names) for _ in left]
    for i, values, p, name in zip(written, *scored, strict=True):
        result[i] = dict(zip(names, (*map(float, values), float(p), name), strict=True))
    return result
