"""Catalogues of up to a million titles: preprocessed, indexed, opened, and compared with themselves."""

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.measuring import (
    LIGHT,
    OUTPUTS,
    PROJECT,
    Case,
    Measured,
    Peer,
    peak_memory,
    seconds_of,
    timed,
    timed_peer,
)
from judul_lib.core.settings import PAIR_THRESHOLD

# Titles of the loop with Sastrawi, of which a larger catalogue's time is made.
_SAMPLE = 2_000
# A million recombined titles have a hundred million pairs from 0.6 on: more than anyone reads.
_HIGH_THRESHOLD = 0.8

_OPEN = """
import json, resource, sys, time
from judul_lib.search.index import TitleIndex
start = time.perf_counter()
index = TitleIndex.load(sys.argv[1])
opened = time.perf_counter()
index.check("Prediksi Harga Beras di Kota Medan Menggunakan Metode LSTM", top_k=10)
answered = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([opened - start, answered - opened, peak]))
"""
_OPEN_BM25 = """
import json, sys, time
import bm25s
start = time.perf_counter()
bm25s.BM25.load(sys.argv[1], mmap=True)
print(json.dumps([time.perf_counter() - start]))
"""


def preprocess(case: Case) -> Measured:
    """Preprocess titles, no word of which has been seen."""
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    from judul_lib.study.preprocessing import preprocess_titles, stem_word

    def anew() -> None:
        stem_word.cache_clear()
        preprocess_titles(titles)

    with peak_memory() as peak:
        titles, rounds = case.titles(), case.rounds(3)
        seconds = timed(anew, rounds)
        memory = peak()
    sample, other = titles[:_SAMPLE], titles[-_SAMPLE:]
    times = len(titles) / len(sample)
    stemmers = [StemmerFactory().create_stemmer() for _ in range(case.rounds(3))]
    cold, warm = iter(stemmers), iter(stemmers)
    loops = (
        timed_peer(
            "sastrawi_cold",
            lambda: peers.sastrawi_loop(sample, next(cold)),
            len(stemmers),
            times=times,
        ),
        timed_peer(
            "sastrawi_warm",
            lambda: peers.sastrawi_loop(other, next(warm)),
            len(stemmers),
            times=times,
        ),
    )
    return Measured(case.size, rounds, median(seconds), memory, peers=loops)


def build(case: Case, *, n_jobs: int, rounds: int) -> Measured:
    """Make an index of a list of titles and save it."""
    from judul_lib.search.index import TitleIndex

    seconds = []
    with peak_memory() as peak:
        titles = case.titles()
        for _ in range(case.rounds(rounds)):
            shutil.rmtree(case.index_folder, ignore_errors=True)
            seconds.append(
                seconds_of(
                    lambda: TitleIndex.build(titles, case.folder, n_jobs=n_jobs).save(case.index_folder)
                )
            )
        memory = peak()
    stems = peers.stems_of(titles)

    def write() -> None:
        shutil.rmtree(case.bm25_folder, ignore_errors=True)
        peers.write_bm25(stems, case.bm25_folder)

    peer = timed_peer("bm25s_index", write, len(seconds))
    size = sum(path.stat().st_size for path in case.index_folder.rglob("*") if path.is_file())
    more = {"n_jobs": n_jobs, "index_mb": size / 1024**2}
    return Measured(case.size, len(seconds), median(seconds), memory, peers=(peer,), more=more)


def build_alone(case: Case) -> Measured:
    """Build in one process."""
    return build(case, n_jobs=1, rounds=3)


def build_in_two(case: Case) -> Measured:
    """Build in two processes."""
    return build(case, n_jobs=2, rounds=3 if case.size <= 100_000 else 1)


def open_index(case: Case) -> Measured:
    """Open an index in a new process that has imported the package."""

    def run(code: str, folder: object) -> list[float]:
        command = [sys.executable, "-c", code, str(folder)]
        shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        return json.loads(shown.stdout)

    rounds = case.rounds(7)
    ours = [run(_OPEN, case.index_folder) for _ in range(rounds)]
    theirs = [run(_OPEN_BM25, case.bm25_folder)[0] for _ in range(rounds)]
    opened, answered, peaks = zip(*ours, strict=True)
    files = [path for path in case.index_folder.rglob("*") if path.is_file()]

    def hash_all() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(_sha256, files))

    found = (Peer("bm25s_open", median(theirs), rounds), timed_peer("hashes", hash_all, rounds))
    more = {"first_check": median(answered)}
    return Measured(case.size, rounds, median(opened), max(peaks), peers=found, more=more)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def duplicates(case: Case) -> Measured:
    """Find all near-duplicates, from the list of titles to the last pair."""
    return _duplicates(case, PAIR_THRESHOLD, rounds=3, kept=False)


def duplicates_kept(case: Case) -> Measured:
    """Find all that are as good as the same once, finished blocks kept in a folder."""
    return _duplicates(case, _HIGH_THRESHOLD, rounds=1, kept=True)


def _duplicates(case: Case, threshold: float, *, rounds: int, kept: bool) -> Measured:
    from judul_lib.search.dedup import find_duplicates

    seconds, n_pairs = [], 0
    folder = case.work / f"blocks-{case.model}-{case.size}" if kept else None

    def find() -> None:
        nonlocal n_pairs
        found = find_duplicates(titles, case.folder, threshold=threshold, folder=folder, n_jobs=2)
        n_pairs = len(found)

    with peak_memory() as peak:
        titles = case.titles()
        for _ in range(case.rounds(rounds)):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            seconds.append(seconds_of(find))
        memory = peak()
    _, rows = peers.tfidf_rows(titles, OUTPUTS / LIGHT)
    peer = timed_peer("sparse_dot_topn", lambda: peers.sparse_pairs(rows, threshold), len(seconds))
    more = {"pairs": n_pairs, "n_jobs": 2}
    return Measured(case.size, len(seconds), median(seconds), memory, peers=(peer,), more=more)
