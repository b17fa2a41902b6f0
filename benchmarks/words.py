"""What is measured and against what, in English and Indonesian."""

from collections.abc import Mapping

LANGUAGES = ("en", "id")

BENCHMARKS: Mapping[str, tuple[str, str]] = {
    "preprocess": ("preprocess all titles", "prapemrosesan semua judul"),
    "build": ("build and save an index, {model}", "membangun dan menyimpan indeks, {model}"),
    "build_two": (
        "build and save an index, {model}, 2 processes",
        "membangun dan menyimpan indeks, {model}, 2 proses",
    ),
    "open": ("open an index, {model}", "membuka indeks, {model}"),
    "check": (
        "one check with an index, ten best, {model}",
        "satu pemeriksaan dengan indeks, sepuluh terbaik, {model}",
    ),
    "strange": (
        "one check of a title that shares no word with any, {model}",
        "satu pemeriksaan judul yang tidak berbagi kata dengan judul mana pun, {model}",
    ),
    "scored": (
        "titles compared in full: exponent of growth, {model}",
        "judul yang dibandingkan penuh: pangkat pertumbuhan, {model}",
    ),
    "many": (
        "1,000 titles with an index, ten best each, {model}",
        "1.000 judul dengan indeks, masing-masing sepuluh terbaik, {model}",
    ),
    "dedup": (
        "all near-duplicates from 0.6, {model}, 2 processes",
        "semua judul hampir sama mulai 0,6, {model}, 2 proses",
    ),
    "dedup_million": (
        "all near-duplicates from 0.8, {model}, 2 processes",
        "semua judul hampir sama mulai 0,8, {model}, 2 proses",
    ),
    "light_check": ("one check without an index, light", "satu pemeriksaan tanpa indeks, light"),
    "structured_check": (
        "one check without an index, structured",
        "satu pemeriksaan tanpa indeks, structured",
    ),
    "pairs": ("10,000 pairs, structured", "10.000 pasangan, structured"),
    "proposals": (
        "500 proposals against the titles and each other, {model}",
        "500 usulan terhadap judul dan satu sama lain, {model}",
    ),
    "log_answer": (
        "writing an answer to the log, SQLite: what it adds",
        "mencatat satu jawaban di log, SQLite: tambahan waktunya",
    ),
    "log_answer_postgres": (
        "writing an answer to the log, PostgreSQL: what it adds",
        "mencatat satu jawaban di log, PostgreSQL: tambahan waktunya",
    ),
}

PEERS: Mapping[str, tuple[str, str]] = {
    "sastrawi_cold": (
        "Sastrawi, 2,000 titles title by title",
        "Sastrawi, 2.000 judul satu per satu",
    ),
    "sastrawi_warm": (
        "the same, its memory filled by 2,000 others",
        "sama, ingatannya sudah berisi 2.000 judul lain",
    ),
    "bm25s_index": (
        "bm25s, stems given, with saving",
        "bm25s, kata dasar sudah ada, dengan penyimpanan",
    ),
    "bm25s_open": ("bm25s, mapped", "bm25s, dipetakan"),
    "hashes": (
        "only the SHA-256 of its files, all cores",
        "hanya SHA-256 berkas-berkasnya, semua inti",
    ),
    "bm25s": ("bm25s", "bm25s"),
    "study_loop": ("the study's loop", "perulangan cara studi"),
    "sklearn": ("cosine_similarity", "cosine_similarity"),
    "sklearn_block": ("cosine_similarity, one block", "cosine_similarity, satu blok"),
    "rapidfuzz": ("rapidfuzz.process.extract", "rapidfuzz.process.extract"),
    "all_letters": (
        "only the letters of all titles, all cores",
        "hanya huruf semua judul, semua inti",
    ),
    "all_units": (
        "only what the words of all titles mean, all cores",
        "hanya makna kata semua judul, semua inti",
    ),
    "json_line": (
        "appending a JSON line to a text file",
        "menambahkan satu baris JSON ke berkas teks",
    ),
    "plain_check": ("comparing with all", "membandingkan dengan semua"),
    "sparse_dot_topn": (
        "sparse_dot_topn on ready TF-IDF rows",
        "sparse_dot_topn pada baris TF-IDF yang sudah ada",
    ),
}

HEADER = {
    "en": ("what", "titles", "median", "p95", "memory", "goal", "reached", "peers (times ours)"),
    "id": (
        "apa",
        "judul",
        "median",
        "p95",
        "memori",
        "sasaran",
        "hasil",
        "pembanding (kali waktu kami)",
    ),
}
REACHED = {"en": {True: "reached", False: "**missed**"}, "id": {True: "tercapai", False: "**tidak**"}}
FAILED = {"en": "**broke off**", "id": "**gagal dijalankan**"}
PAIRS = {"en": "pairs", "id": "pasangan"}
MINUTES = {"en": "min", "id": "menit"}

MACHINE = {
    "en": "Measured by `make bench` on {date}: {cpu}, {cores} cores, {ram}, Python {python}.",
    "id": "Diukur dengan `make bench` pada {date}: {cpu}, {cores} inti, {ram}, Python {python}.",
}
QUICK = {
    "en": "**A quick try at small sizes, not the sizes that the words name.**",
    "id": "**Percobaan singkat dengan ukuran kecil, bukan ukuran yang disebut.**",
}
NOTES = {
    "en": (
        "All catalogues but those of the checks without an index are put together from pieces of the "
        "project's own titles, so their vocabulary stays small. A check is of titles as people type "
        "them: half near one that is there, half put together anew. Memory is the sum of the peaks of "
        "all processes. Behind a peer stand its time and how many times ours that is; below 1 it is the "
        "faster one. `*`: measured on a part and multiplied. cosine_similarity, RapidFuzz, bm25s and "
        "sparse_dot_topn answer an easier question, the best by one similarity; only the study's loop "
        "gives the answers of `light` and `full`. `structured` stands beside the peers of `light`."
    ),
    "id": (
        "Semua katalog selain yang dipakai tanpa indeks dirangkai dari potongan judul proyek ini, "
        "sehingga kosakatanya tetap kecil. Yang diperiksa adalah judul seperti yang diketik orang: "
        "separuh dekat dengan judul yang ada, separuh rangkaian baru. Memori adalah jumlah puncak "
        "semua proses. Di belakang pembanding ada waktunya dan berapa kali waktu kami; di bawah 1 "
        "berarti ia lebih cepat. "
        "`*`: diukur pada sebagian lalu dikalikan. cosine_similarity, RapidFuzz, bm25s dan "
        "sparse_dot_topn menjawab pertanyaan yang lebih mudah, yaitu yang terbaik menurut satu "
        "kemiripan; hanya perulangan cara studi memberi jawaban `light` dan `full`. `structured` "
        "disandingkan dengan pembanding `light`."
    ),
}
