"""What all benchmarks share: titles and indexes, timing, memory, and the form of a result."""

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
# Seconds between two samples of the memory of other processes.
_SAMPLING_INTERVAL = 0.1
# A slow peer gets at least so many queries, and no more after so many seconds.
_MIN_PEER_QUERIES, _MAX_PEER_SECONDS = 5, 5.0


@dataclass(frozen=True)
class Peer:
    """The time of another tool for the same titles, in the same process.

    Attributes
    ----------
    name : str
        Key in `benchmarks.words.PEERS`.
    median : float
        Seconds.
    rounds : int
        Number of measurements.
    extrapolated : bool
        Whether it was measured on a part of the titles and scaled up.
    """

    name: str
    median: float
    rounds: int
    extrapolated: bool = False


@dataclass(frozen=True)
class Measured:
    """The result of one benchmark.

    Attributes
    ----------
    size, rounds : int
        Number of titles; number of measurements of the library.
    median, p95 : float
        Seconds, or for the growth of an index the exponent.
    peak_mb : float
        Peak memory of all processes together, before the peers are measured.
    peers : tuple of Peer
    more : dict
        Additional numbers, for the file only.
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
    """Size and model of a benchmark, and the folder of its titles and indexes."""

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
        """Folder of the titles' index."""
        return self.work / f"index-{self.model}-{self.size}"

    @property
    def bm25_folder(self) -> Path:
        """Folder of the titles' bm25s index."""
        return self.work / f"bm25s-{self.size}"

    def rounds(self, default: int) -> int:
        """Return the number of measurements."""
        return min(2, default) if self.quick else default

    def titles(self) -> list[str]:
        """Return the titles that `prepare_titles` wrote."""
        return self._titles_file().read_text("utf-8").splitlines()

    def _titles_file(self) -> Path:
        return self.work / f"titles-{self.size}-{self.near_duplicates}.txt"

    def prepare_titles(self) -> None:
        """Write the titles unless they exist."""
        path = self._titles_file()
        if not path.exists():
            synthetic = synthetic_titles(
                self.size, seed=SEED, near_duplicates=self.near_duplicates, data=DATA
            )
            path.write_text("\n".join(synthetic.titles), "utf-8")

    @property
    def workbook_file(self) -> Path:
        """File that `prepare_workbook` writes."""
        return self.work / f"titles-{self.size}.xlsx"

    def prepare_workbook(self) -> None:
        """Write the titles as a campus keeps them, with five columns, unless they exist."""
        from openpyxl import Workbook

        if self.workbook_file.exists():
            return
        workbook = Workbook(write_only=True)
        sheet = workbook.create_sheet("Data")
        sheet.append(["No", "NIM", "Nama", "Judul Skripsi", "Tahun"])
        for number, title in enumerate(self.titles(), start=1):
            sheet.append([number, f"A{number:06}", f"Mahasiswa {number}", title, 2010 + number % 14])
        workbook.save(self.workbook_file)

    def prepare_index(self) -> None:
        """Build and save the index unless it exists."""
        from judul_lib.search.index import TitleIndex

        if not (self.index_folder / "index.json").exists():
            TitleIndex.build(self.titles(), self.folder, n_jobs=2).save(self.index_folder)

    def prepare_bm25(self) -> None:
        """Build and save the bm25s index unless it exists."""
        from benchmarks.peers import stems_of, write_bm25

        if not self.bm25_folder.exists():
            staging = self.bm25_folder.with_suffix(".new")
            shutil.rmtree(staging, ignore_errors=True)
            write_bm25(stems_of(self.titles()), staging)
            staging.rename(self.bm25_folder)


def usual_queries(titles: Sequence[str], n: int, seed: int) -> list[str]:
    """Return queries as people type them: near a title of the catalogue, or a new combination."""
    mixed = mixed_queries(titles, n * 3 // 2 + 3, seed)
    return [text for kind, text in mixed if kind != STRANGE][:n]


def mixed_queries(titles: Sequence[str], n: int, seed: int) -> list[tuple[str, str]]:
    """Return kinds and queries: near a title, recombined, or sharing no word with any title."""
    import numpy as np

    random = np.random.default_rng(seed)
    names = [*KINDS]
    recombined = synthetic_titles(max(n, 10), seed=seed + 1_000, near_duplicates=0, data=DATA).titles
    pieces = read_pieces(DATA)
    known_words = {
        word.casefold() for kind in vars(pieces).values() for text in kind for word in text.split()
    }
    queries = []
    for number in range(n):
        if number % 3 == 0:
            kind, title = "near", titles[int(random.integers(len(titles)))]
            text = KINDS[names[number // 3 % len(names)]](title.split(), random)
        elif number % 3 == 1:
            kind, text = "recombined", recombined[number]
        else:
            kind, text = STRANGE, " ".join(_strange_word(random, known_words) for _ in range(8))
        queries.append((kind, text))
    return queries


def _strange_word(random: Any, known_words: set[str]) -> str:
    while True:
        word = "".join(
            "bcdfghjkmprstvwxz"[random.integers(17)] + "aeiou"[random.integers(5)]
            for _ in range(random.integers(3, 6))
        )
        if word not in known_words:
            return word


def seconds_of(function: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    start = perf_counter()
    function()
    return perf_counter() - start


def timed(function: Callable[[], Any], rounds: int) -> list[float]:
    """Return the seconds of each of *rounds* calls."""
    return [seconds_of(function) for _ in range(rounds)]


def answer_times(answer: Callable[[str], Any], queries: Sequence[str], *, limit: bool) -> list[float]:
    """Return the seconds of each query; with *limit*, a slow peer gets fewer queries."""
    seconds: list[float] = []
    for query in queries:
        if limit and len(seconds) >= _MIN_PEER_QUERIES and sum(seconds) > _MAX_PEER_SECONDS:
            break
        seconds.append(seconds_of(lambda q=query: answer(q)))
    return seconds


def p95(seconds: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return quantiles(seconds, n=20, method="inclusive")[-1]


def timed_peer(name: str, function: Callable[[], Any], rounds: int, *, scale: float = 1) -> Peer:
    """Measure a peer; *scale* extrapolates from a part of the titles to all."""
    seconds = median(timed(function, rounds))
    return Peer(name, seconds * scale, rounds, extrapolated=scale != 1)


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the peak memory of this process and its descendants, in MB.

    The peaks of simultaneous processes are added, so it is an upper bound. ``getrusage`` cannot be used
    for children: their peak starts at their parent's size.
    """
    stop, children_peak = Event(), 0

    def watch() -> None:
        nonlocal children_peak
        while not stop.wait(_SAMPLING_INTERVAL):
            children_peak = max(children_peak, _descendants_peak("self"))

    thread = Thread(target=watch, daemon=True)
    thread.start()

    def peak() -> float:
        own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return (own_peak + children_peak) / 1024

    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _descendants_peak(process: str) -> int:
    """Return the sum of the peaks of a process's descendants in KB; 0 without ``/proc``."""
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
            total += sum(map(int, peaks)) + _descendants_peak(child)
    return total
