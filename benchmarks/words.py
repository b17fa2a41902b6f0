"""Labels of benchmarks and peers, and the texts around the table."""

from collections.abc import Mapping

BENCHMARKS: Mapping[str, str] = {
    "read_workbook": "read an XLSX of five columns",
    "preprocess": "preprocess all titles",
    "build": "build and save an index, {model}",
    "build_two": "build and save an index, {model}, 2 processes",
    "open": "open an index, {model}",
    "check": "one check with an index, ten best, {model}",
    "strange": "one check of a title that shares no word with any, {model}",
    "scored": "titles compared in full: exponent of growth, {model}",
    "many": "1,000 titles with an index, ten best each, {model}",
    "dedup": "all near-duplicates from 0.6, {model}, 2 processes",
    "dedup_million": "all near-duplicates from 0.8, {model}, 2 processes",
    "light_check": "one check without an index, light",
    "structured_check": "one check without an index, structured",
    "pairs": "10,000 pairs, structured",
    "proposals": "500 proposals against the titles and each other, {model}",
    "log_answer": "writing an answer to the log, SQLite: what it adds",
    "log_answer_postgres": "writing an answer to the log, PostgreSQL: what it adds",
}

PEERS: Mapping[str, str] = {
    "openpyxl": "openpyxl, its rows only",
    "sastrawi_cold": "Sastrawi, 2,000 titles title by title",
    "sastrawi_warm": "the same, its memory filled by 2,000 others",
    "bm25s_index": "bm25s, stems given, with saving",
    "bm25s_open": "bm25s, mapped",
    "hashes": "only the SHA-256 of its files, all cores",
    "bm25s": "bm25s",
    "study_loop": "the study's loop",
    "sklearn": "cosine_similarity",
    "sklearn_block": "cosine_similarity, one block",
    "rapidfuzz": "rapidfuzz.process.extract",
    "all_letters": "only the letters of all titles, all cores",
    "all_units": "only what the words of all titles mean, all cores",
    "json_line": "appending a JSON line to a text file",
    "plain_check": "comparing with all",
    "sparse_dot_topn": "sparse_dot_topn on ready TF-IDF rows",
}

HEADER = ("what", "titles", "median", "p95", "memory", "goal", "reached", "peers (times ours)")
REACHED = {True: "reached", False: "**missed**"}
FAILED = "**broke off**"

MACHINE = "Measured by `make bench` on {date}: {cpu}, {cores} cores, {ram}, Python {python}."
QUICK = "**A quick try at small sizes, not the sizes that the words name.**"
NOTES = (
    "Except for the checks without an index, catalogues are assembled from pieces of the project's own "
    "titles, so their vocabulary stays small. The titles that are checked look as people type them: "
    "half are close to one in the catalogue, half are new combinations. Memory is the sum of the peaks "
    "of all processes. Each peer has its time and, in brackets, that time divided by ours; below 1 the "
    "peer is faster. `*`: measured on a part and scaled up. cosine_similarity, RapidFuzz, bm25s and "
    "sparse_dot_topn answer an easier question, the best by one similarity; only the study's loop gives "
    "the answers of `light` and `full`. `structured` is compared with the peers of `light`."
)
