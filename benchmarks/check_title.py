"""One check of a title against 123: ours, and a plain loop written the study's way, in one run.

The loop preprocesses, vectorises and scores title by title, with one call of
the forest each; its letters are case folded as ours are, so that both must give
the same answer. Then the structured model on the same titles, on ten copies of
them, and on 10,000 pairs; and 500 proposals against ten copies and each other.
Prints medians and ratios.
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import Levenshtein
import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from judul_lib.checking import TitleChecker
from judul_lib.preprocessing import preprocess_text
from judul_lib.proposals import check_proposals
from judul_lib.registry import load_estimators, load_model, load_structured
from judul_lib.structured_checking import StructuredChecker

OUTPUTS = Path(__file__).parent.parent / "outputs"
LIGHT, STRUCTURED = OUTPUTS / "light", OUTPUTS / "structured"
QUERY = "Prediksi Harga Beras di Kota Medan Menggunakan Metode LSTM"


def study_loop(query: str, tfidf: Any, scaler: Any, forest: Any, titles: list[str]) -> list[float]:
    """Compare the query with one title after the other."""
    processed = preprocess_text(query)
    probabilities = []
    for title in titles:
        text = preprocess_text(title)
        rows = tfidf.transform([processed, text])
        a, b = set(processed.split()), set(text.split())
        features = [
            cosine_similarity(rows[0], rows[1])[0, 0],
            len(a & b) / len(a | b),
            Levenshtein.ratio(query.casefold(), title.strip().casefold()),
        ]
        probabilities.append(forest.predict_proba(scaler.transform([features]))[0, 1])
    return probabilities


def timed(function: Any, rounds: int) -> tuple[float, Any]:
    """Return the median seconds of some calls, and what the last returned."""
    seconds = []
    for _ in range(rounds):
        start = perf_counter()
        result = function()
        seconds.append(perf_counter() - start)
    return median(seconds), result


def main() -> None:
    """Measure both and compare their answers."""
    model = load_model(LIGHT)
    estimators = load_estimators(LIGHT)
    checker = TitleChecker.from_model(model)
    checker.check(QUERY)
    study, expected = timed(lambda: study_loop(QUERY, *estimators, model.titles), rounds=5)
    ours, matches = timed(lambda: checker.check(QUERY), rounds=50)
    found = dict(zip(matches.titles, matches.probability, strict=True))
    if not np.allclose([found[title] for title in model.titles], expected):
        sys.exit("The two ways disagree.")
    print(f"titles: {len(model.titles)}")
    print(f"study's loop: {1000 * study:.1f} ms")
    print(f"TitleChecker.check: {1000 * ours:.2f} ms")
    print(f"ratio: {study / ours:.0f}")
    structured, titles = load_structured(STRUCTURED)
    for copies in (1, 10):
        known = [f"{title} {copy}" for copy in range(copies) for title in titles]
        third = StructuredChecker(structured, known)
        third.check(QUERY, top_k=10)
        seconds, _ = timed(lambda c=third: c.check(QUERY, top_k=10), rounds=20)
        print(f"StructuredChecker.check, {len(known)} titles: {1000 * seconds:.1f} ms")
        print(f"ratio to the study's loop, title by title: {study * copies / seconds:.0f}")
    left = [titles[k % len(titles)] for k in range(10_000)]
    right = [titles[k // len(titles) % len(titles)] for k in range(10_000)]
    seconds, _ = timed(lambda: structured.score(left, right), rounds=3)
    print(f"StructuredModel.score, {len(left)} pairs: {seconds:.2f} s")
    proposals = [f"{title} versi {k}" for k in range(5) for title in titles][:500]
    for name, many in (("light", checker.with_titles(known)), ("structured", third)):
        seconds, _ = timed(lambda c=many: check_proposals(proposals, c), rounds=3)
        print(f"check_proposals, {name}: 500 against {len(known)} and each other: {seconds:.1f} s")


if __name__ == "__main__":
    main()
