"""How many titles of real archives get an alarm, by the size of the archive.

A title is judged by a model that has seen no title of its campus, and it is not
in the archive. What is kept of it are counts: see ``data/alarm_share.csv``.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.settings import ASK, SEED, SIMILAR
from judul_lib.structured.model import StructuredModel
from judul_lib.study.metrics import share_interval
from judul_lib.training.structured import REAL_PAIRS

ALARM_SHARE = REAL_PAIRS.with_name("alarm_share.csv")
"""The counts, as `scripts/alarm_share.py` writes them where the titles are."""

SIZES = (100, 300, 1_000, 3_000)
N_TITLES = 320


def alarm_counts(
    titles: pd.DataFrame,
    models: Mapping[str, StructuredModel],
    *,
    sizes: Sequence[int] = SIZES,
    n_titles: int = N_TITLES,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Check some titles against archives that grow.

    Parameters
    ----------
    titles : DataFrame, shape (n, ...)
        ``Sumber`` and ``Judul``.
    models : mapping of str to StructuredModel
        By source, a model that has not seen its titles; titles of other sources are only in the
        archives.
    sizes : sequence of int
        Titles in the archives; the last archive holds all that are not checked.
    n_titles : int
        How many titles are checked.

    Returns
    -------
    DataFrame
        One row an archive: ``arsip`` (titles in it), ``judul`` (titles checked), ``mirip`` and
        ``tanyakan`` (how many of them got that answer).
    """
    shuffled = titles.sample(frac=1, random_state=random_state)
    chosen = shuffled[shuffled["Sumber"].isin(list(models))].head(n_titles)
    others = shuffled.drop(chosen.index)["Judul"].tolist()
    rows = []
    for size in [*(size for size in sizes if size < len(others)), len(others)]:
        labels = pd.Series(list(_labels(chosen, models, others[:size])))
        rows.append((size, len(labels), (labels == SIMILAR).sum(), (labels == ASK).sum()))
    return pd.DataFrame(rows, columns=["arsip", "judul", "mirip", "tanyakan"])


def _labels(
    chosen: pd.DataFrame, models: Mapping[str, StructuredModel], archive: list[str]
) -> Iterator[str]:
    for source, own in chosen.groupby("Sumber"):
        checker = StructuredChecker(models[str(source)], archive)
        for matches in checker.check_many(own["Judul"].tolist(), top_k=1):
            yield matches.decision.labels[0]


def read_alarm_shares(path: str | Path = ALARM_SHARE) -> pd.DataFrame:
    """Read the counts as shares with Wilson's intervals.

    Returns
    -------
    DataFrame
        One row an archive and answer: ``judul dalam arsip``, ``simpulan``, ``estimate``, ``low``,
        ``high``.

    Examples
    --------
    >>> bool(read_alarm_shares()["estimate"].between(0, 1).all())
    True
    """
    read = pd.read_csv(path)[["arsip", "judul", "mirip", "tanyakan"]]
    rows = [
        (size, label, *share_interval(count, n_checked))
        for size, n_checked, *counts in read.to_numpy(dtype=int).tolist()
        for label, count in zip((SIMILAR, ASK), counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["judul dalam arsip", "simpulan", "estimate", "low", "high"])
