"""What every benchmark needs: its titles and indexes, seconds, memory, and a form for the result."""

import resource
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread
from time import perf_counter
from typing import Any

from judul_lib.study.synthetic import KINDS, read_pieces, synthetic_titles

PROJECT = Path(__file__).parent.parent
DATA, OUTPUTS = PROJECT / "data", PROJECT / "outputs"
LIGHT, FULL, STRUCTURED = "light", "full", "structured"
SEED = 1
STRANGE = "strange"
# Seconds between two looks at the memory of other processes.
_LOOK = 0.1
# A slow peer answers as many queries as fit into so many seconds, but at least so many.
_PEER_SECONDS, _PEER_LEAST = 5.0, 5


@dataclass(frozen=True)
class Peer:
    """What something else needs for the same titles, in the same process.

    Attributes
    ----------
    name : str
        Key in `benchmarks.words.PEERS`.
    median : float
        Seconds.
    rounds : int
        How often it was measured.
    extrapolated : bool
        It was measured on a part of the titles and multiplied.
    """

    name: str
    median: float
    rounds: int
    extrapolated: bool = False


@dataclass(frozen=True)
class Measured:
    """What one benchmark found.

    Attributes
    ----------
    size, rounds : int
        Number of titles; how often ours was measured.
    median, p95 : float
        Seconds, or for the growth of an index the exponent.
    peak_mb : float
        Most memory in use until ours was done, all processes together.
    peers : tuple of Peer
    more : dict
        Further numbers, for the file only.
    """

    size: int
    rounds: int
    median: float
    peak_mb: float
    p95: float | None = None
    peers: tuple[Peer, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """The size and the model of a benchmark, and where titles and indexes are kept meanwhile."""

    work: Path
    size: int
    model: str
    quick: bool
    near_duplicates: float

    @property
    def folder(self) -> Path:
        """Folder of the model."""
        return OUTPUTS / self.model

    @property
    def index_folder(self) -> Path:
        """Folder of the index of the titles."""
        return self.work / f"index-{self.model}-{self.size}"

    @property
    def bm25_folder(self) -> Path:
        """Folder of the same titles in bm25s."""
        return self.work / f"bm25s-{self.size}"

    def rounds(self, usual: int) -> int:
        """Return how often to measure."""
        return min(2, usual) if self.quick else usual

    def titles(self) -> list[str]:
        """Return the titles, made by an earlier process."""
        return self._titles_file().read_text("utf-8").splitlines()

    def _titles_file(self) -> Path:
        return self.work / f"titles-{self.size}-{self.near_duplicates}.txt"

    def prepare_titles(self) -> None:
        """Write the titles, unless they are there."""
        path = self._titles_file()
        if not path.exists():
            options = {"seed": SEED, "near_duplicates": self.near_duplicates, "data": DATA}
            made = synthetic_titles(self.size, **options)
            path.write_text("\n".join(made.titles), "utf-8")

    def prepare_index(self) -> None:
        """Build and save the index, unless a benchmark did."""
        from judul_lib.search.index import TitleIndex

        if not (self.index_folder / "index.json").exists():
            TitleIndex.build(self.titles(), self.folder, n_jobs=2).save(self.index_folder)

    def prepare_bm25(self) -> None:
        """Write the titles as a bm25s index, unless a benchmark did."""
        from benchmarks.peers import stems_of, write_bm25

        if not self.bm25_folder.exists():
            staging = self.bm25_folder.with_suffix(".new")
            shutil.rmtree(staging, ignore_errors=True)
            write_bm25(stems_of(self.titles()), staging)
            staging.rename(self.bm25_folder)


def usual_queries(titles: Sequence[str], n: int, seed: int) -> list[str]:
    """Return titles as people type them: near one that is there, or put together anew."""
    mixed = mixed_queries(titles, n * 3 // 2 + 3, seed)
    return [text for kind, text in mixed if kind != STRANGE][:n]


def mixed_queries(titles: Sequence[str], n: int, seed: int) -> list[tuple[str, str]]:
    """Return kinds and titles: near one that is there, put together anew, sharing no word with any."""
    import numpy as np

    random = np.random.default_rng(seed)
    names = [*KINDS]
    recombined = synthetic_titles(max(n, 10), seed=seed + 1_000, near_duplicates=0, data=DATA).titles
    pieces = read_pieces(DATA)
    known = {word.casefold() for kind in vars(pieces).values() for text in kind for word in text.split()}
    queries = []
    for number in range(n):
        if number % 3 == 0:
            kind, title = "near", titles[int(random.integers(len(titles)))]
            text = KINDS[names[number // 3 % len(names)]](title, random)
        elif number % 3 == 1:
            kind, text = "recombined", recombined[number]
        else:
            kind, text = STRANGE, " ".join(_strange_word(random, known) for _ in range(8))
        queries.append((kind, text))
    return queries


def _strange_word(random: Any, known: set[str]) -> str:
    while True:
        word = "".join(
            "bcdfghjkmprstvwxz"[random.integers(17)] + "aeiou"[random.integers(5)]
            for _ in range(random.integers(3, 6))
        )
        if word not in known:
            return word


def seconds_of(function: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    start = perf_counter()
    function()
    return perf_counter() - start


def timed(function: Callable[[], Any], rounds: int) -> list[float]:
    """Return the seconds of some calls."""
    return [seconds_of(function) for _ in range(rounds)]


def answer_times(answer: Callable[[str], Any], queries: Sequence[str], *, limit: bool) -> list[float]:
    """Return the seconds that each query takes; with *limit* as many as a slow peer is given."""
    seconds: list[float] = []
    for query in queries:
        if limit and len(seconds) >= _PEER_LEAST and sum(seconds) > _PEER_SECONDS:
            break
        seconds.append(seconds_of(lambda q=query: answer(q)))
    return seconds


def p95(seconds: Sequence[float]) -> float:
    """Return what 95 % of them do not exceed."""
    return quantiles(seconds, n=20, method="inclusive")[-1]


def timed_peer(name: str, function: Callable[[], Any], rounds: int, *, times: float = 1) -> Peer:
    """Measure a peer; what it does is multiplied to the size of the whole."""
    seconds = median(timed(function, rounds))
    return Peer(name, seconds * times, rounds, extrapolated=times != 1)


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Give a function that returns the most memory of this process and of those it started, in MB.

    The peaks of processes that were there together are added up, so that it is
    never less than what was used. (What ``getrusage`` says of children begins
    with what their parent had when it started them.)
    """
    stop, most = Event(), 0

    def watch() -> None:
        nonlocal most
        while not stop.wait(_LOOK):
            most = max(most, _children_peak("self"))

    thread = Thread(target=watch, daemon=True)
    thread.start()

    def peak() -> float:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return (own + most) / 1024

    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _children_peak(process: str) -> int:
    """Return the sum of the peaks of a process's descendants in KB; 0 where the system does not tell."""
    total = 0
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue
        for child in children:
            try:
                status = Path(f"/proc/{child}/status").read_text()
            except OSError:
                continue
            peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
            total += sum(map(int, peaks)) + _children_peak(child)
    return total
