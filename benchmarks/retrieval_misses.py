"""Count what retrieval misses on real titles; ``python benchmarks/retrieval_misses.py --help``.

Every query is compared with each title of an archive, and found in it as a check finds it. The
titles are read from a folder and stay there: only counts are printed.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import LIGHT, OUTPUTS, SEED, STRUCTURED, p95
from judul_lib.checking.checker import MIN_PROMISED, Checker
from judul_lib.checking.loading import load_checker
from judul_lib.checking.matches import Matches, assign_labels
from judul_lib.core.settings import ASK, DIFFERENT, SIMILAR
from judul_lib.search.index import TitleIndex
from judul_lib.study.corpus import read_corpus
from judul_lib.study.preprocessing import title_key
from judul_lib.study.synthetic import KINDS, cut_titles

REAL_TITLES = "JUDUL_REAL_TITLES"
"""Variable with the folder of files of real titles, ``judul_*.csv``."""
TOP = 20
# Of the queries, so many are titles of no archive as they are; the others are titles slightly changed.
_UNCHANGED = 0.5


@dataclass
class Misses:
    """Counts over some queries, and the 95th percentiles of the seconds that each took.

    Attributes
    ----------
    likely, asked : int
        Titles with at least `MIN_PROMISED`; titles that are MIRIP or TANYAKAN.
    missed : int
        Of both together, those that were not found.
    other_verdicts, other_probabilities : int
        Queries with another verdict; listed titles with another probability.
    """

    queries: int = 0
    likely: int = 0
    asked: int = 0
    missed: int = 0
    other_verdicts: int = 0
    other_probabilities: int = 0
    found: int = 0
    p95_full: float = 0.0
    p95_check: float = 0.0


class Catalogue(NamedTuple):
    """An archive, and queries that are none of its titles."""

    titles: list[str]
    queries: list[str]
    n_recombined: int


class Scored(NamedTuple):
    """A query compared with every title."""

    probability: NDArray[np.float64]
    labels: list[str]


Find = Callable[[str], NDArray[np.integer]]


def main() -> None:
    """Compare, and print a line of JSON."""
    options = _parse_options()
    real = read_titles(options.folder)
    catalogue = make_catalogue(real, options.titles, options.queries, options.seed)
    model = OUTPUTS / options.model
    full = load_checker(model, catalogue.titles)
    if options.model == STRUCTURED:
        searched, find = full, _structured_finder(full)
    else:
        searched = TitleIndex.build(catalogue.titles, model)
        find = _index_finder(searched)
    queries = catalogue.queries[options.part - 1 :: options.parts]
    misses = count_misses(full, searched, find, queries)
    facts = {
        "model": options.model, "titles": len(catalogue.titles), "recombined": catalogue.n_recombined,
        "part": f"{options.part}/{options.parts}",
    }  # fmt: skip
    print(json.dumps(facts | asdict(misses)))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count what retrieval misses on real titles.")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=os.environ.get(REAL_TITLES),
        help=f"folder of the files judul_*.csv; {REAL_TITLES} by default",
    )  # fmt: skip
    parser.add_argument("--model", default=STRUCTURED, help=f"folder in outputs/, such as {LIGHT}")
    parser.add_argument("--titles", type=int, default=20_000, help="size of the archive")
    parser.add_argument("--queries", type=int, default=500, help="of all parts")
    parser.add_argument("--parts", type=int, default=1, help="split the queries into parts")
    parser.add_argument("--part", type=int, default=1, help="run this one of the parts")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    if options.folder is None:
        parser.error(f"give the folder of the titles, or set {REAL_TITLES}")
    return options


def read_titles(folder: Path) -> list[str]:
    """Return the titles of the files ``judul_*.csv`` of a folder, each once."""
    titles: dict[str, str] = {}
    for path in sorted(Path(folder).glob("judul_*.csv")):
        for title in read_corpus(path, min_titles=1).titles["Judul"].tolist():
            titles.setdefault(title_key(title), title)
    return list(titles.values())


def make_catalogue(real: Sequence[str], n_titles: int, n_queries: int, seed: int) -> Catalogue:
    """Draw an archive and queries from real titles; recombine titles if they are too few.

    Half of the queries are real titles that are not in the archive, half are titles of the archive
    slightly changed. Recombined titles take beginning, method and place from three titles of the
    archive, so that pieces are as frequent as they are there.
    """
    random = np.random.default_rng(seed)
    order = [real[row] for row in random.permutation(len(real)).tolist()]
    n_new = round(n_queries * _UNCHANGED)
    new, titles = order[:n_new], order[n_new : n_new + n_titles]
    keys = {title_key(title) for title in titles}
    changed = _changed_titles(titles, keys, random)
    queries = new + [next(changed) for _ in range(n_queries - n_new)]
    keys |= {title_key(query) for query in queries}
    recombined = _recombined_titles(titles, keys, random)
    n_recombined = n_titles - len(titles)
    titles = titles + [next(recombined) for _ in range(n_recombined)]
    # So that each part has both kinds of queries.
    return Catalogue(titles, [queries[row] for row in random.permutation(n_queries)], n_recombined)


def _changed_titles(titles: list[str], keys: set[str], random: np.random.Generator) -> Iterator[str]:
    names = [*KINDS]
    while True:
        words = titles[random.integers(len(titles))].split()
        if len(words) < 3:
            continue
        query = KINDS[names[random.integers(len(names) - 1)]](words, random)
        if title_key(query) not in keys:
            yield query


def _recombined_titles(titles: list[str], keys: set[str], random: np.random.Generator) -> Iterator[str]:
    cut = [cut_titles([title]) for title in titles]
    kinds = [[text for pieces in cut for text in getattr(pieces, f.name)] for f in fields(cut[0])]
    while True:
        title = " ".join(texts[random.integers(len(texts))] for texts in kinds)
        if title_key(title) not in keys:
            keys.add(title_key(title))
            yield title


def _structured_finder(checker: Checker) -> Find:
    return lambda query: checker.compare([query]).related(0, 1)


def _index_finder(index: TitleIndex) -> Find:
    return lambda query: index.rows_above([query], MIN_PROMISED)[0]


def count_misses(full: Checker, searched: Checker, find: Find, queries: Sequence[str]) -> Misses:
    """Compare what is found with a comparison of all titles.

    Parameters
    ----------
    full : Checker
        Compares each query with all its titles.
    searched : Checker
        The same titles; its lists are checked.
    find : callable
        Returns the rows of the titles that a list is drawn from.
    """
    misses, full_seconds, check_seconds = Misses(queries=len(queries)), [], []
    row_of = {title: row for row, title in enumerate(full.titles)}
    for query in queries:
        start = perf_counter()
        scored = _compare_all(full, query)
        compared = perf_counter()
        matches = searched.check(query, top_k=TOP)
        check_seconds.append(perf_counter() - compared)
        full_seconds.append(compared - start)
        _add_query(misses, scored, matches, find(query), row_of)
    misses.p95_full, misses.p95_check = p95(full_seconds), p95(check_seconds)
    return misses


def _add_query(
    misses: Misses,
    scored: Scored,
    matches: Matches,
    found: NDArray[np.integer],
    row_of: dict[str, int],
) -> None:
    likely = scored.probability >= MIN_PROMISED
    asked = np.array([label != DIFFERENT for label in scored.labels], dtype=bool)
    is_found = np.zeros(len(likely), dtype=bool)
    is_found[found] = True
    verdict = next((label for label in (SIMILAR, ASK) if label in scored.labels), DIFFERENT)
    listed = scored.probability[[row_of[title] for title in matches.titles]]
    misses.likely += int(likely.sum())
    misses.asked += int(asked.sum())
    misses.missed += int(((likely | asked) & ~is_found).sum())
    misses.other_verdicts += matches.decision.labels != [verdict]
    misses.other_probabilities += int((listed != matches.probability).sum())
    misses.found += len(found)


def _compare_all(checker: Checker, query: str) -> Scored:
    rows = np.arange(len(checker.titles))
    features = checker.compare([query]).features(np.zeros_like(rows), rows)
    probability = checker.probability(features)
    asked = checker.asked(features, probability)
    labels = assign_labels(
        probability, asked, checker.threshold, elsewhere_label=checker.elsewhere_label
    )
    return Scored(probability, labels)


if __name__ == "__main__":
    main()
