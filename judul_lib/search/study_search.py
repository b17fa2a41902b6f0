"""Find a query's best titles for a model of the study without comparing it with every title.

For each term the titles that have it are stored (*postings*), so that the
cosine and the shared stems of all titles cost only the query's terms. The
Levenshtein ratio, which costs most, is at first only known not to exceed what
the lengths of both titles allow; the forest, written out as a table, turns
that into an upper bound of the answer. Where many titles remain, how often
each letter occurs in both tightens the bound. Letters are compared where it
can still reach the best titles found, best bounds first, and nowhere else.
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

# Titles whose letters are compared at a time; with more left, their letters are counted first.
_FIRST, _NEXT, _MANY = 256, 16_384, 1024
_BUCKETS, _MAX_LETTER_COUNT = 32, 255
# Fewer comparisons than this take less time than to start threads for them.
_THREADED = 4_096
# A part of which more than one title in so many is wanted at once is decoded as a whole.
_SHARE = 20


def study_arrays(table: TitleTable) -> dict[str, NDArray]:
    """Return what `StudySearch` needs of a part of a corpus, as arrays.

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
    """Return the table of which `study_arrays` made arrays.

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
    """Return the stems that titles have, in the order of their bytes, and a 1 where a title has one.

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
    column = {word: number for number, word in enumerate(words)}
    ends = np.concatenate([[0], np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)))])
    has = (sorted(column[word] for word in title) for title in tokens)
    columns = np.fromiter((number for title in has for number in title), np.int32, ends[-1])
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
    """Return what the Levenshtein ratio of texts of some lengths cannot exceed, shape (n,).

    Examples
    --------
    >>> length_bound(4, np.array([4, 12])).tolist()
    [1.0, 0.5]
    """
    return 1 - np.abs(length - lengths) / np.maximum(length + lengths, 1)


def letters_bound(text: str, letters: NDArray[np.uint8], lengths: NDArray[np.int32]) -> FloatArray:
    """Return what the Levenshtein ratio of a text with others cannot exceed, shape (n,).

    Parameters
    ----------
    letters : ndarray, shape (n, 32)
        Of the others, as from `count_letters`.
    lengths : ndarray, shape (n,)

    Examples
    --------
    >>> text, others = "padi", ["dapi", "cnn"]
    >>> letters_bound(text, count_letters(others), np.array([4, 3], dtype=np.int32)).tolist()
    [1.0, 0.0]
    """
    own = count_letters([text])
    if own.max() == _MAX_LETTER_COUNT:  # Beyond this, the counts are not known.
        return np.ones(len(letters))
    common = np.minimum(letters, own).sum(axis=1, dtype=np.int32)
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
        The model's, to read titles again for the features in `EXTRA_FEATURES`.
    """

    arrays: Arrays
    titles: StringColumn
    tfidf: Any

    def __len__(self) -> int:
        return len(self.titles)

    def cosine(self, query: TitleTable) -> FloatArray:
        """Return the cosine of one title with each title; digit by digit that of `features.cosine`."""
        terms, dots = query.tfidf, np.zeros(len(self))
        ends, rows, values = (self.arrays[f"terms.{part}"] for part in ("ends", "rows", "values"))
        for term, weight in zip(terms.indices.tolist(), terms.data.tolist(), strict=True):
            part = slice(ends[term], ends[term + 1])
            dots[rows[part]] += weight * values[part]
        return cosine_from_products(dots, self.arrays["squares"] * row_sums(terms.multiply(terms))[0])

    def shared_stems(self, query: TitleTable) -> NDArray[np.int32]:
        """Return how many distinct stems one title shares with each title, shape (n,)."""
        shared = np.zeros(len(self), dtype=np.int32)
        words = StringColumn.from_arrays(self.arrays, "words")
        ends, rows = self.arrays["stems.ends"], self.arrays["stems.rows"]
        for word in query.tokens[0]:
            column = words.find(word)
            if column >= 0:
                shared[rows[ends[column] : ends[column + 1]]] += 1
        return shared

    def jaccard(self, query: TitleTable, shared: NDArray[np.int32]) -> FloatArray:
        """Return the Jaccard index of one title with each title, shape (n,)."""
        union = len(query.tokens[0]) + self.arrays["stem_counts"] - shared
        return divide_or_zero(shared, union)

    def levenshtein_bound(self, query: TitleTable) -> FloatArray:
        """Return what the Levenshtein ratio cannot exceed, given the lengths; shape (n,)."""
        lengths = self.arrays["lengths"]
        of_length = np.arange(int(lengths.max(initial=0)) + 1)
        return length_bound(len(query.letters[0]), of_length)[lengths]

    def levenshtein(self, query: TitleTable, rows: Rows) -> FloatArray:
        """Return the Levenshtein ratio of one title with some titles, shape (len(rows),)."""
        many = len(rows) > len(self) // _SHARE
        known = self._letters if many or "_letters" in vars(self) else None
        letters = fold_titles(self.titles.take(rows)) if known is None else known[rows]
        return cdist(
            [query.letters[0]], letters,
            scorer=Indel.normalized_similarity, dtype=np.float64,
            workers=-1 if len(rows) > _THREADED else 1,
        )[0]  # fmt: skip

    def extra_features(self, query: TitleTable, rows: Rows) -> FloatArray:
        """Return the features in `EXTRA_FEATURES` of one title with some titles, one row each."""
        if not EXTRA_FEATURES:
            return np.empty((len(rows), 0))
        titles = self.titles.take(rows)
        known = TitleTable.build(titles, preprocess_titles(titles), self.tfidf)
        return pair_features(query.take(np.zeros(len(rows), dtype=np.intp)), known, EXTRA_FEATURES)

    @cached_property
    def _letters(self) -> NDArray[np.object_]:
        """The titles as compared; kept in memory once a query needed most of them."""
        return np.array(fold_titles(self.titles.take(np.arange(len(self)))), dtype=object)


def search(
    part: StudySearch,
    query: TitleTable,
    table: ForestTable,
    top: TopRows,
    start: int = 0,
    removed: NDArray[np.int32] | None = None,
) -> None:
    """Offer every title of a part of a corpus that may be among the best.

    Parameters
    ----------
    query : TitleTable, shape (1,)
    top : TopRows
        What was found before; those found here are added.
    start : int
        Number of the part's first row in the corpus.
    removed : ndarray of int
        Rows of this part that do not count.
    """
    cosine, shared = part.cosine(query), part.shared_stems(query)
    reach = part.levenshtein_bound(query)
    jaccard = part.jaccard(query, shared)
    cells = table.cells(0, cosine), table.cells(1, jaccard)
    bound = table.bound[(*cells, table.cells(2, reach))]
    if removed is not None:
        bound[removed] = -np.inf

    def may_enter(rows: Rows) -> Rows:
        return rows[top.may_enter(bound[rows], cosine[rows], reach[rows])]

    def score(rows: Rows) -> None:
        ratio, extra_features = part.levenshtein(query, rows), part.extra_features(query, rows)
        last = table.cells(2, ratio), *table.extra_feature_cells(extra_features)
        answer = table.probability[(cells[0][rows], cells[1][rows], *last)]
        top.offer(
            rows + start, answer, np.column_stack([cosine[rows], jaccard[rows], ratio, extra_features])
        )
        bound[rows] = -np.inf

    def hope(rows: Rows) -> FloatArray:
        # No title has a cosine above 1: the bound comes first, then the cosine.
        return bound[rows] * 1e3 + cosine[rows]

    left: Rows = np.flatnonzero(top.may_enter(bound, cosine, reach))
    if len(left):
        score(np.sort(left[largest_positions(hope(left), _FIRST)]))
        left = may_enter(left)
    if len(left) > _MANY:
        counts = part.arrays["letters"][left], part.arrays["lengths"][left]
        reach[left] = np.minimum(reach[left], letters_bound(query.letters[0], *counts))
        bound[left] = table.bound[(cells[0][left], cells[1][left], table.cells(2, reach[left]))]
        left = may_enter(left)
    left = left[np.argsort(-hope(left), kind="stable")]
    for at in range(0, len(left), _NEXT):
        score(may_enter(np.sort(left[at : at + _NEXT])))


def largest_positions(values: NDArray[np.floating], n: int) -> Rows:
    """Return the places of the *n* largest values, in no order; all where there are fewer.

    Examples
    --------
    >>> sorted(largest_positions(np.array([0.1, 0.9, 0.5]), 2).tolist())
    [1, 2]
    """
    return np.arange(len(values)) if len(values) <= n else np.argpartition(-values, n - 1)[:n]
