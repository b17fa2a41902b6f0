"""Catalogues of up to a million titles: preprocessing, indexing, opening, deduplication."""

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

# Titles that the loop with Sastrawi is measured on; its time is scaled up to the catalogue.
_N_SASTRAWI_TITLES = 2_000
# At 0.6, a million recombined titles have a hundred million pairs.
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
    """Preprocess titles with an empty stem cache."""
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    from judul_lib.study.preprocessing import preprocess_titles, stem_word

    def preprocess_uncached() -> None:
        stem_word.cache_clear()
        preprocess_titles(titles)

    with peak_memory() as peak:
        titles, rounds = case.titles(), case.rounds(3)
        seconds = timed(preprocess_uncached, rounds)
        memory = peak()
    sample, other = titles[:_N_SASTRAWI_TITLES], titles[-_N_SASTRAWI_TITLES:]
    scale = len(titles) / len(sample)
    stemmers = [StemmerFactory().create_stemmer() for _ in range(case.rounds(3))]
    cold, warm = iter(stemmers), iter(stemmers)
    loops = (
        timed_peer(
            "sastrawi_cold",
            lambda: peers.sastrawi_loop(sample, next(cold)),
            len(stemmers),
            scale=scale,
        ),
        timed_peer(
            "sastrawi_warm",
            lambda: peers.sastrawi_loop(other, next(warm)),
            len(stemmers),
            scale=scale,
        ),
    )
    return Measured(case.size, rounds, median(seconds), memory, peers=loops)


def build(case: Case, *, n_jobs: int, rounds: int) -> Measured:
    """Build and save an index."""
    from judul_lib.search.index import TitleIndex

    def build_and_save() -> None:
        TitleIndex.build(titles, case.folder, n_jobs=n_jobs).save(case.index_folder)

    seconds = []
    with peak_memory() as peak:
        titles = case.titles()
        for _ in range(case.rounds(rounds)):
            shutil.rmtree(case.index_folder, ignore_errors=True)
            seconds.append(seconds_of(build_and_save))
        memory = peak()
    stems = peers.stems_of(titles)

    def write() -> None:
        shutil.rmtree(case.bm25_folder, ignore_errors=True)
        peers.write_bm25(stems, case.bm25_folder)

    peer = timed_peer("bm25s_index", write, len(seconds))
    size = sum(path.stat().st_size for path in case.index_folder.rglob("*") if path.is_file())
    more = {"n_jobs": n_jobs, "index_mb": size / 1024**2}
    return Measured(case.size, len(seconds), median(seconds), memory, peers=(peer,), more=more)


def build_in_one_process(case: Case) -> Measured:
    """Build in one process."""
    return build(case, n_jobs=1, rounds=3)


def build_in_two_processes(case: Case) -> Measured:
    """Build in two processes."""
    return build(case, n_jobs=2, rounds=3 if case.size <= 100_000 else 1)


def open_index(case: Case) -> Measured:
    """Open an index in a new process, without the time of the imports."""

    def run(code: str, folder: object) -> list[float]:
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    rounds = case.rounds(7)
    measured = [run(_OPEN, case.index_folder) for _ in range(rounds)]
    bm25s = [run(_OPEN_BM25, case.bm25_folder)[0] for _ in range(rounds)]
    opened, answered, peaks = zip(*measured, strict=True)
    files = [path for path in case.index_folder.rglob("*") if path.is_file()]

    def hash_all() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(_sha256, files))

    peers_measured = (
        Peer("bm25s_open", median(bm25s), rounds),
        timed_peer("hashes", hash_all, rounds),
    )
    more = {"first_check": median(answered)}
    return Measured(case.size, rounds, median(opened), max(peaks), peers=peers_measured, more=more)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def duplicates(case: Case) -> Measured:
    """Find all near-duplicates."""
    return _duplicates(case, PAIR_THRESHOLD, rounds=3, with_checkpoints=False)


def duplicates_with_checkpoints(case: Case) -> Measured:
    """Find near-duplicates at a high threshold, keeping finished blocks in a folder."""
    return _duplicates(case, _HIGH_THRESHOLD, rounds=1, with_checkpoints=True)


def _duplicates(case: Case, threshold: float, *, rounds: int, with_checkpoints: bool) -> Measured:
    from judul_lib.search.dedup import find_duplicates

    seconds, n_pairs = [], 0
    folder = case.work / f"blocks-{case.model}-{case.size}" if with_checkpoints else None

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
