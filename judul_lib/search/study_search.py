"""Find a query's best titles for a model of the study without comparing it with every title.

Each term has a list of the titles that contain it (*postings*), so that the
cosine and the shared stems of all titles cost only the query's terms. The
Levenshtein ratio, which costs most, is first bounded by the lengths of both
titles; the tabulated forest turns that into an upper bound of the probability.
If many titles remain, letter counts tighten the bound. The ratio is computed
only for titles whose bound reaches the best titles so far, best bounds first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from scipy.sparse import csc_matrix, csr_matrix

from judul_lib.checking.ranking import TopRows
from judul_lib.core.array_files import Arrays, StringColumn
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.study.arrays import ForestTable
from judul_lib.study.features import (
    EXTRA_FEATURES,
    TitleTable,
    cosine_from_products,
    divide_or_zero,
    fold_titles,
    pair_features,
    row_sums,
)
from judul_lib.study.preprocessing import preprocess_titles

# Titles that are scored first, and at a time after that; letters are counted for more than so many.
_FIRST, _NEXT, _MANY = 256, 16_384, 1024
_BUCKETS, _MAX_LETTER_COUNT = 32, 255
# More comparisons than this are done in threads.
_MIN_THREADED = 4_096
# If more than one title in so many is needed at once, the whole part is decoded.
_MAX_SPARSITY = 20


def study_arrays(table: TitleTable) -> dict[str, NDArray]:
    """Return the arrays of a part of a corpus for `StudySearch`.

    Parameters
    ----------
    table : TitleTable, shape (n,)
    """
    words, by_title = stem_matrix(table.tokens)
    stems, terms = by_title.tocsc(), table.tfidf.tocsc()
    return {
        "lengths": np.fromiter(map(len, table.letters), dtype=np.int32, count=len(table)),
        "letters": count_letters(table.letters.tolist()),
        "squares": row_sums(table.tfidf.multiply(table.tfidf)),
        "terms.ends": terms.indptr.astype(np.int64),
        "terms.rows": terms.indices.astype(np.int32),
        "terms.values": terms.data,
        "stem_counts": np.diff(by_title.indptr).astype(np.int32),
        "stems.ends": stems.indptr.astype(np.int64),
        "stems.rows": stems.indices.astype(np.int32),
        **StringColumn.from_strings(words).arrays("words"),
    }


def study_table(arrays: Arrays, titles: Sequence[str]) -> TitleTable:
    """Return the table that `study_arrays` stored.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
        As typed.
    """
    words, n = StringColumn.from_arrays(arrays, "words")[:], len(titles)
    stems, terms = (
        csc_matrix((values, arrays[f"{name}.rows"], arrays[f"{name}.ends"]), shape=(n, n_columns))
        for name, values, n_columns in (
            ("stems", np.ones(len(arrays["stems.rows"]), np.int8), len(arrays["stems.ends"]) - 1),
            ("terms", arrays["terms.values"], len(arrays["terms.ends"]) - 1),
        )
    )
    by_title = stems.tocsr()
    letters, tokens = np.empty(n, dtype=object), np.empty(n, dtype=object)
    letters[:] = fold_titles(titles)
    for row, (start, stop) in enumerate(pairwise(by_title.indptr.tolist())):
        tokens[row] = frozenset(words[column] for column in by_title.indices[start:stop].tolist())
    return TitleTable(letters, tokens, terms.tocsr())


def stem_matrix(tokens: NDArray[np.object_]) -> tuple[list[str], csr_matrix]:
    """Return the stems of titles, in byte order, and a matrix with a 1 where a title has a stem.

    Parameters
    ----------
    tokens : ndarray of frozenset objects, shape (n,)

    Returns
    -------
    words : list of str, shape (n_words,)
    matrix : csr_matrix of int8, shape (n, at least n_words)

    Examples
    --------
    >>> words, has = stem_matrix(np.array([{"padi", "daun"}, {"padi"}]))
    >>> words, has.toarray().tolist()
    (['daun', 'padi'], [[1, 1], [0, 1]])
    """
    words = sorted(set().union(*tokens), key=str.encode)
    column_of = {word: column for column, word in enumerate(words)}
    ends = np.concatenate([[0], np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)))])
    by_title = (sorted(column_of[word] for word in title) for title in tokens)
    columns = np.fromiter((column for title in by_title for column in title), np.int32, ends[-1])
    ones = np.ones(len(columns), dtype=np.int8)
    return words, csr_matrix((ones, columns, ends), shape=(len(tokens), max(1, len(words))))


def count_letters(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Count the letters of texts in 32 buckets, each count at most 255; shape (n, 32).

    Examples
    --------
    >>> counts = count_letters(["aab"])
    >>> counts.shape, counts[0, [ord("a") % 32, ord("b") % 32]].tolist()
    ((1, 32), [2, 1])
    """
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    places = np.repeat(np.arange(len(texts)) * _BUCKETS, lengths) + codes % _BUCKETS
    counts = np.bincount(places, minlength=len(texts) * _BUCKETS)
    return np.minimum(counts, _MAX_LETTER_COUNT).astype(np.uint8).reshape(-1, _BUCKETS)


def length_bound(length: int | NDArray[np.integer], lengths: NDArray[np.integer]) -> FloatArray:
    """Return an upper bound of the Levenshtein ratio from the lengths of texts, shape (n,).

    Examples
    --------
    >>> length_bound(4, np.array([4, 12])).tolist()
    [1.0, 0.5]
    """
    return 1 - np.abs(length - lengths) / np.maximum(length + lengths, 1)


def letters_bound(text: str, letters: NDArray[np.uint8], lengths: NDArray[np.int32]) -> FloatArray:
    """Return an upper bound of the Levenshtein ratio of a text with others, shape (n,).

    Parameters
    ----------
    letters : ndarray, shape (n, 32)
        `count_letters` of the others.
    lengths : ndarray, shape (n,)

    Examples
    --------
    >>> text, others = "padi", ["dapi", "cnn"]
    >>> letters_bound(text, count_letters(others), np.array([4, 3], dtype=np.int32)).tolist()
    [1.0, 0.0]
    """
    counts = count_letters([text])
    if counts.max() == _MAX_LETTER_COUNT:  # The true count may be higher.
        return np.ones(len(letters))
    common = np.minimum(letters, counts).sum(axis=1, dtype=np.int32)
    total = lengths + len(text)
    return 1 - (total - 2 * common) / np.maximum(total, 1)


@dataclass(frozen=True)
class StudySearch:
    """A part of a corpus, searched with the features of the study.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As from `study_arrays`.
    titles : StringColumn, shape (n,)
        The titles as typed.
    tfidf
        Vectorizer of the model, to prepare titles for `EXTRA_FEATURES`.
    """

    arrays: Arrays
    titles: StringColumn
    tfidf: Any

    def __len__(self) -> int:
        return len(self.titles)

    def cosine(self, query: TitleTable) -> FloatArray:
        """Return the cosine of the query with each title, bit-identical to `features.cosine`."""
        terms, dots = query.tfidf, np.zeros(len(self))
        ends, rows, values = (self.arrays[f"terms.{name}"] for name in ("ends", "rows", "values"))
        for term, weight in zip(terms.indices.tolist(), terms.data.tolist(), strict=True):
            postings = slice(ends[term], ends[term + 1])
            dots[rows[postings]] += weight * values[postings]
        return cosine_from_products(dots, self.arrays["squares"] * row_sums(terms.multiply(terms))[0])

    def shared_stems(self, query: TitleTable) -> NDArray[np.int32]:
        """Return the number of stems that the query shares with each title, shape (n,)."""
        shared = np.zeros(len(self), dtype=np.int32)
        words = StringColumn.from_arrays(self.arrays, "words")
        ends, rows = self.arrays["stems.ends"], self.arrays["stems.rows"]
        for word in query.tokens[0]:
            column = words.find(word)
            if column >= 0:
                shared[rows[ends[column] : ends[column + 1]]] += 1
        return shared

    def jaccard(self, query: TitleTable, shared: NDArray[np.int32]) -> FloatArray:
        """Return the Jaccard index of the query with each title, shape (n,)."""
        union = len(query.tokens[0]) + self.arrays["stem_counts"] - shared
        return divide_or_zero(shared, union)

    def levenshtein_bound(self, query: TitleTable) -> FloatArray:
        """Return the `length_bound` of the query with each title, shape (n,)."""
        lengths = self.arrays["lengths"]
        distinct_lengths = np.arange(int(lengths.max(initial=0)) + 1)
        return length_bound(len(query.letters[0]), distinct_lengths)[lengths]

    def levenshtein(self, query: TitleTable, rows: Rows) -> FloatArray:
        """Return the Levenshtein ratio of the query with some titles, shape (len(rows),)."""
        decodes_all = len(rows) > len(self) // _MAX_SPARSITY or "_letters" in vars(self)
        letters = self._letters[rows] if decodes_all else fold_titles(self.titles.take(rows))
        return cdist(
            [query.letters[0]], letters,
            scorer=Indel.normalized_similarity, dtype=np.float64,
            workers=-1 if len(rows) > _MIN_THREADED else 1,
        )[0]  # fmt: skip

    def extra_features(self, query: TitleTable, rows: Rows) -> FloatArray:
        """Return the `EXTRA_FEATURES` of the query with some titles, one row each."""
        if not EXTRA_FEATURES:
            return np.empty((len(rows), 0))
        titles = self.titles.take(rows)
        table = TitleTable.build(titles, preprocess_titles(titles), self.tfidf)
        return pair_features(query.take(np.zeros(len(rows), dtype=np.intp)), table, EXTRA_FEATURES)

    def features(
        self, query: TitleTable, rows: Rows, cosine: FloatArray, jaccard: FloatArray
    ) -> FloatArray:
        """Return the `FEATURES` of the query with some titles, given two of them for all titles."""
        others = self.levenshtein(query, rows), self.extra_features(query, rows)
        return np.column_stack([cosine[rows], jaccard[rows], *others])

    @cached_property
    def _letters(self) -> NDArray[np.object_]:
        """The folded titles; kept in memory once a query needs many of them."""
        return np.array(fold_titles(self.titles.take(np.arange(len(self)))), dtype=object)


def search(
    part: StudySearch,
    query: TitleTable,
    table: ForestTable,
    top: TopRows,
    start: int = 0,
    removed: NDArray[np.int32] | None = None,
) -> None:
    """Add the titles of a part of a corpus that are among the best.

    Parameters
    ----------
    query : TitleTable, shape (1,)
    top : TopRows
        The best titles so far, changed in place.
    start : int
        Row of the part's first title in the corpus.
    removed : ndarray of int
        Removed rows of the part.
    """
    cosine, jaccard = part.cosine(query), part.jaccard(query, part.shared_stems(query))
    max_ratio = part.levenshtein_bound(query)
    cells = table.cells(0, cosine), table.cells(1, jaccard)
    bound = table.bound[(*cells, table.cells(2, max_ratio))]
    if removed is not None:
        bound[removed] = -np.inf

    def may_enter(rows: Rows) -> Rows:
        return rows[top.may_enter(bound[rows], cosine[rows], max_ratio[rows])]

    def score(rows: Rows) -> None:
        features = part.features(query, rows, cosine, jaccard)
        top.offer(rows + start, table.predict(features), features)
        bound[rows] = -np.inf

    def priority(rows: Rows) -> FloatArray:
        # By bound, then by cosine, which is at most 1.
        return bound[rows] * 1e3 + cosine[rows]

    candidates: Rows = np.flatnonzero(top.may_enter(bound, cosine, max_ratio))
    if len(candidates):
        score(np.sort(candidates[largest_positions(priority(candidates), _FIRST)]))
        candidates = may_enter(candidates)
    if len(candidates) > _MANY:
        counts = part.arrays["letters"][candidates], part.arrays["lengths"][candidates]
        by_letters = letters_bound(query.letters[0], *counts)
        max_ratio[candidates] = np.minimum(max_ratio[candidates], by_letters)
        last_cells = table.cells(2, max_ratio[candidates])
        bound[candidates] = table.bound[(cells[0][candidates], cells[1][candidates], last_cells)]
        candidates = may_enter(candidates)
    candidates = candidates[np.argsort(-priority(candidates), kind="stable")]
    for at in range(0, len(candidates), _NEXT):
        score(may_enter(np.sort(candidates[at : at + _NEXT])))


def search_nearest(
    part: StudySearch,
    query: TitleTable,
    table: ForestTable,
    top: TopRows,
    start: int,
    removed: NDArray[np.int32],
    below: float,
) -> None:
    """Add the titles of a part that share most with the query, if they are less probable than `below`.

    Parameters
    ----------
    query, table, top, start, removed
        As in `search`.
    """
    cosine, jaccard = part.cosine(query), part.jaccard(query, part.shared_stems(query))
    priority = cosine + jaccard
    priority[removed] = -np.inf
    rows = np.sort(largest_positions(priority, _FIRST))
    rows = rows[priority[rows] > -np.inf]
    features = part.features(query, rows, cosine, jaccard)
    probability = table.predict(features)
    is_new = probability < below
    top.offer(rows[is_new] + start, probability[is_new], features[is_new])


def largest_positions(values: NDArray[np.floating], n: int) -> Rows:
    """Return the positions of the *n* largest values, in no order; all if there are fewer.

    Examples
    --------
    >>> sorted(largest_positions(np.array([0.1, 0.9, 0.5]), 2).tolist())
    [1, 2]
    """
    return np.arange(len(values)) if len(values) <= n else np.argpartition(-values, n - 1)[:n]
