"""All near-duplicates of a catalogue, and the groups that they form.

The catalogue is compared with itself block by block. Finished blocks are stored
in a folder, so that an interrupted run can be resumed.
"""

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib import __version__
from judul_lib.checking.registry import STRUCTURED, load_model, load_structured, read_metadata
from judul_lib.core.errors import ArgumentError, CorpusError
from judul_lib.core.formatting import format_number
from judul_lib.core.parallel import resolve_scheduler, run_tasks
from judul_lib.core.settings import PAIR_THRESHOLD
from judul_lib.core.storage import sha256_of, write_bytes
from judul_lib.search.groups import star_groups
from judul_lib.search.index import Progress, TitleIndex
from judul_lib.search.pair_blocks import (
    IndexPairFinder,
    PairFinder,
    Pairs,
    StructuredPairFinder,
    StudyPairFinder,
)
from judul_lib.study.features import FEATURES
from judul_lib.study.preprocessing import title_key

MAX_COPIES = 5_000
"""A catalogue with more copies of one title is refused."""
MAX_PAIRS = 30_000_000
"""More pairs are refused: nobody reads them, and they need 120 bytes of memory each."""
_PLAN_FILE = "plan.json"


@dataclass(frozen=True)
class Duplicates:
    """The near-duplicates of a catalogue.

    Attributes
    ----------
    titles : sequence of str, shape (n,)
    found : Pairs
        Ordered by probability, then cosine, then Levenshtein ratio, then rows.
    complete : bool
        Whether no pair can be missing; those of the structured model as far as `Checker.check` promises.
    threshold : float
        Minimum probability of a pair.

    Examples
    --------
    >>> titles = ["Deteksi Hoaks", "Deteksi HOAKS", "Prediksi Beras", "Prediksi Harga Beras"]
    >>> duplicates = find_duplicates(titles, "outputs/light")
    >>> duplicates.groups["kelompok"].tolist()
    [1, 1, 2, 2]
    >>> duplicates.least_similar(1)[["judul_a", "judul_b"]].values.tolist()
    [['Prediksi Beras', 'Prediksi Harga Beras']]
    >>> duplicates.rethreshold(1).groups["Judul"].tolist()
    ['Deteksi Hoaks', 'Deteksi HOAKS']
    """

    titles: Sequence[str]
    found: Pairs
    complete: bool
    threshold: float

    def __len__(self) -> int:
        return len(self.found)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """One row a pair: ``baris_a``, ``baris_b`` (from 0), titles, features and probability."""
        return self._frame(self.found)

    def least_similar(self, n: int) -> pd.DataFrame:
        """Return the `n` pairs of lowest probability, lowest first, like `pairs`.

        If they are no duplicates, the threshold is too low; see `rethreshold`.
        """
        return self._frame(self.found.take(np.arange(len(self))[::-1][:n]))

    def rethreshold(self, threshold: float) -> "Duplicates":
        """Return the result at another threshold without comparing again.

        Parameters
        ----------
        threshold : float
            Minimum probability of a pair, not below that of this result.

        Raises
        ------
        ArgumentError
            Pairs below the threshold of this result are unknown.
        """
        if not threshold >= self.threshold:
            raise ArgumentError(
                f"Katalog itu dibandingkan dengan ambang {format_number(self.threshold)}; pasangan di "
                "bawahnya tidak diketahui. Naikkan ambangnya, atau bandingkan lagi katalognya."
            )
        n_pairs = np.count_nonzero(self.found.probability >= threshold)
        return replace(self, found=self.found.take(np.arange(n_pairs)), threshold=threshold)

    def _frame(self, pairs: Pairs) -> pd.DataFrame:
        frame = pd.DataFrame({"baris_a": pairs.left, "baris_b": pairs.right})
        for name in ("a", "b"):
            frame[f"judul_{name}"] = [self.titles[row] for row in frame[f"baris_{name}"].tolist()]
        frame[list(FEATURES)] = pairs.features
        frame["rf_probability"] = pairs.probability
        return frame

    @cached_property
    def groups(self) -> pd.DataFrame:
        """One row for each title in a pair: ``kelompok`` (from 1), ``baris`` (from 0), ``Judul``."""
        rows = np.unique(np.concatenate([self.found.left, self.found.right]))
        frame = pd.DataFrame({"kelompok": self.clusters[rows], "baris": rows})
        frame["kelompok"] = frame["kelompok"].rank(method="dense").astype(int)
        frame["Judul"] = [self.titles[row] for row in rows.tolist()]
        return frame.sort_values(["kelompok", "baris"], ignore_index=True)

    @cached_property
    def clusters(self) -> NDArray[np.int32]:
        """Group of each title, shape (n,), from 0; see `judul_lib.search.groups.star_groups`."""
        return star_groups(self.titles, self.found)


def find_duplicates(
    titles: Sequence[str],
    model: str | Path,
    *,
    threshold: float = PAIR_THRESHOLD,
    exact: bool = False,
    folder: str | Path | None = None,
    n_jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Duplicates:
    """Find all near-duplicates of a catalogue.

    For models of the study no pair is missed. For the structured model only
    titles that share units are compared, unless `exact`; see `recall`.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    model : path
        Folder of a model.
    threshold : float
        Minimum probability of a pair, above 0.
    exact : bool
        Look up each title in an index: slower, but no pair is missed; the structured model keeps what
        `judul_lib.checking.checker.Checker.check` promises, and below 0.05 compares all pairs.
    folder : path
        Folder for finished blocks. Those of an earlier run with the same
        titles, model, threshold and `exact` are used again.
    n_jobs : int
        Number of parallel processes.
    scheduler : str
        Address of a Dask scheduler whose workers are used instead;
        ``JUDUL_SCHEDULER`` by default.
    on_progress : callable
        Called with the number of finished blocks and of all blocks.

    Raises
    ------
    CorpusError
        A title occurs more than `MAX_COPIES` times, or there are more than
        `MAX_PAIRS` pairs.
    ModelError
        The model cannot be loaded, or titles without a common word can be a pair.
    WorkerError
        A process died, or the scheduler cannot be reached.
    """
    _refuse_many_copies(titles)
    finder = _make_finder(titles, Path(model), threshold, exact=exact)
    starts = range(0, len(titles), finder.block_rows)
    blocks = [(start, min(start + finder.block_rows, len(titles))) for start in starts]
    plan = _plan(titles, Path(model), threshold, finder)
    store = _BlockStore(None if folder is None else Path(folder), plan)
    todo = [block for block in blocks if block not in store]
    on_progress(len(blocks) - len(todo), len(blocks))
    results = run_tasks(_find_pairs, todo, finder, n_jobs=n_jobs, scheduler=resolve_scheduler(scheduler))
    for n_done, (number, pairs) in enumerate(results, start=len(blocks) - len(todo) + 1):
        store.add(todo[number], pairs)
        _refuse_many_pairs(store.n_pairs, threshold)
        on_progress(n_done, len(blocks))
    pairs = Pairs.joined([store.pairs(block) for block in blocks])
    cosine, _, ratio, *_ = pairs.features.T
    order = np.lexsort((pairs.right, pairs.left, -ratio, -cosine, -pairs.probability))
    complete = not isinstance(finder, StructuredPairFinder)
    return Duplicates(titles, pairs.take(order), complete, threshold)


def recall(
    duplicates: Duplicates,
    model: str | Path,
    *,
    threshold: float = PAIR_THRESHOLD,
    n_titles: int = 200,
    seed: int = 0,
) -> tuple[int, int]:
    """Measure on a sample of titles how many of their near-duplicates were found.

    Returns
    -------
    n_found, n_pairs : int
        Pairs of the sampled titles that were found, and that an exact search finds.
    """
    titles = duplicates.titles
    sample = np.random.default_rng(seed).permutation(len(titles))[:n_titles]
    index = TitleIndex.build(titles, model)
    exact = index.rows_above([titles[row] for row in sample], threshold)
    pairs = {
        (min(row, other), max(row, other))
        for row, others in zip(sample.tolist(), exact, strict=True)
        for other in others.tolist()
        if row != other
    }
    found = set(zip(duplicates.found.left.tolist(), duplicates.found.right.tolist(), strict=True))
    return len(pairs & found), len(pairs)


def _refuse_many_copies(titles: Sequence[str]) -> None:
    """Refuse many copies of one title: the number of their pairs grows with the square."""
    key, n_copies = max(Counter(map(title_key, titles)).items(), key=itemgetter(1), default=("", 0))
    if n_copies > MAX_COPIES:
        copy = next(title for title in titles if title_key(title) == key)
        raise CorpusError(
            f"Katalog itu berisi {n_copies} salinan dari satu judul ({copy[:60]!r}). Buang dulu "
            "salinannya, misalnya dengan `read_corpus`, lalu ulangi."
        )


def _refuse_many_pairs(n_pairs: int, threshold: float) -> None:
    if n_pairs > MAX_PAIRS:
        raise CorpusError(
            f"Lebih dari {format_number(MAX_PAIRS)} pasangan mencapai ambang "
            f"{format_number(threshold)}. Naikkan --threshold, atau bagi katalognya lalu ulangi."
        )


def _make_finder(titles: Sequence[str], model: Path, threshold: float, *, exact: bool) -> PairFinder:
    if exact:
        return IndexPairFinder(model, titles, threshold)
    if read_metadata(model).get("name") == STRUCTURED:
        return StructuredPairFinder(load_structured(model)[0], titles, threshold)
    return StudyPairFinder(load_model(model), titles, threshold)


def _find_pairs(finder: PairFinder, block: tuple[int, int]) -> Pairs:
    return finder.pairs(*block)


def _plan(titles: Sequence[str], model: Path, threshold: float, finder: PairFinder) -> dict[str, Any]:
    """Return what finished blocks depend on."""
    return {
        "titles": sha256_of(json.dumps(list(titles)).encode()),
        "model": read_metadata(model)["files"],
        "threshold": threshold,
        "way": type(finder).__name__,
        "rows": finder.block_rows,
        "version": __version__,
    }


class _BlockStore:
    """Finished blocks, in a folder or, without one, in memory.

    The name of a file ends in the hash of its content; files with another content are deleted.
    """

    def __init__(self, folder: Path | None, plan: dict[str, Any]) -> None:
        self._folder, self._blocks = folder, dict[int, Path | Pairs]()
        self.n_pairs = 0
        if folder is None:
            return
        text = json.dumps(plan, indent=1, sort_keys=True).encode()
        path = folder / _PLAN_FILE
        if not path.is_file() or path.read_bytes() != text:
            for old in folder.glob("*.npz"):
                old.unlink()
            write_bytes(path, text)
        for path in folder.glob("*.npz"):
            try:
                self.n_pairs += len(_read_block(path))
                self._blocks[int(path.stem.partition("-")[0])] = path
            except ValueError:
                path.unlink()

    def __contains__(self, block: tuple[int, int]) -> bool:
        return block[0] in self._blocks

    def add(self, block: tuple[int, int], pairs: Pairs) -> None:
        start = block[0]
        self.n_pairs += len(pairs)
        self._blocks[start] = pairs if self._folder is None else _write_block(self._folder, start, pairs)

    def pairs(self, block: tuple[int, int]) -> Pairs:
        stored = self._blocks[block[0]]
        return stored if isinstance(stored, Pairs) else _read_block(stored)


def _write_block(folder: Path, start: int, pairs: Pairs) -> Path:
    stream = io.BytesIO()
    np.savez(stream, **vars(pairs))
    content = stream.getvalue()
    path = folder / f"{start:09d}-{sha256_of(content)}.npz"
    write_bytes(path, content)
    return path


def _read_block(path: Path) -> Pairs:
    content = path.read_bytes()
    if sha256_of(content) != path.stem.partition("-")[2]:
        raise ValueError(path)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return Pairs(**stored)
