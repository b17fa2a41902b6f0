"""The study's three similarities of a pair of titles, computed for many pairs at once.

Each feature is a function of two `TitleTable` objects of equal length, compared
row by row. `FEATURES` lists them in the order of the models' inputs; a new
feature is one function and one line after the study's own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import Levenshtein
import numpy as np
from numpy.typing import ArrayLike, NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix, vstack

from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.study.preprocessing import require_titles


@dataclass(frozen=True)
class TitleTable:
    """Titles prepared for comparison, one row per title.

    Attributes
    ----------
    letters : ndarray of str objects, shape (n,)
        The titles as typed, case folded.
    tokens : ndarray of frozenset objects, shape (n,)
        The distinct stems of each title.
    tfidf : csr_matrix, shape (n, n_terms)
    """

    letters: NDArray[np.object_]
    tokens: NDArray[np.object_]
    tfidf: csr_matrix

    @classmethod
    def build(
        cls, titles: Sequence[str], processed: Sequence[str], tfidf: Any, *, fold_case: bool = True
    ) -> Self:
        """Prepare titles.

        Parameters
        ----------
        titles, processed : sequence of str, shape (n,)
            Titles as typed, and after `preprocess_titles`.
        tfidf : fitted vectorizer
            Any object with ``transform``.
        fold_case : bool
            ``False`` compares letters with their case as the study did, where a
            title-case query has almost no similarity to an upper-case corpus.
        """
        rows = tfidf.transform(list(processed))
        return cls.from_tfidf_rows(titles, processed, rows, fold_case=fold_case)

    @classmethod
    def from_tfidf_rows(
        cls, titles: Sequence[str], processed: Sequence[str], tfidf_rows: Any, *, fold_case: bool = True
    ) -> Self:
        """Prepare titles with their TF-IDF rows, shape (n, n_terms); see `build`."""
        require_titles(titles)
        return cls(
            _objects(fold_titles(titles) if fold_case else titles),
            _objects([frozenset(text.split()) for text in processed]),
            csr_matrix(tfidf_rows),
        )

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """Concatenate at least one table."""
        letters, tokens = (
            np.concatenate([getattr(table, name) for table in tables]) for name in ("letters", "tokens")
        )
        return cls(letters, tokens, csr_matrix(vstack([table.tfidf for table in tables])))

    def __len__(self) -> int:
        return len(self.letters)

    def take(self, rows: ArrayLike) -> "TitleTable":
        """Return a table of the given rows; rows may repeat."""
        rows = np.asarray(rows, dtype=np.intp)
        return TitleTable(self.letters[rows], self.tokens[rows], self.tfidf[rows])


def fold_titles(titles: Iterable[str]) -> list[str]:
    """Strip and case-fold titles."""
    return [title.strip().casefold() for title in titles]


def distinct_titles(left: Sequence[str], right: Sequence[str]) -> tuple[list[str], Rows, Rows]:
    """Return the distinct titles of pairs, and the row of each left and right title among them.

    Examples
    --------
    >>> titles, left, right = distinct_titles(["a", "a"], ["b", "a"])
    >>> titles, left.tolist(), right.tolist()
    (['a', 'b'], [0, 0], [1, 0])
    """
    require_titles(left)
    require_titles(right)
    titles = list(dict.fromkeys([*left, *right]))
    row = {title: number for number, title in enumerate(titles)}
    left_rows, right_rows = (
        np.array([row[title] for title in side], dtype=np.intp) for side in (left, right)
    )
    return titles, left_rows, right_rows


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def cosine(left: TitleTable, right: TitleTable) -> FloatArray:
    """Cosine of the TF-IDF rows, in [0, 1], shape (n,); 0 if a title has no known term."""
    dots = row_sums(left.tfidf.multiply(right.tfidf))
    squares = row_sums(left.tfidf.multiply(left.tfidf)) * row_sums(right.tfidf.multiply(right.tfidf))
    return cosine_from_products(dots, squares)


def cosine_from_products(dots: FloatArray, squares: FloatArray) -> FloatArray:
    """Return the cosine, given dot products and products of the squared lengths, shape (n,).

    Examples
    --------
    >>> cosine_from_products(np.array([0.5, 0.0]), np.array([1.0, 0.0])).tolist()
    [0.5, 0.0]
    """
    return np.clip(divide_or_zero(dots, np.sqrt(squares)), 0.0, 1.0)


def divide_or_zero(part: NDArray, whole: NDArray) -> FloatArray:
    """Divide, shape (n,); 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def row_sums(matrix: csr_matrix) -> FloatArray:
    """Sum each row from left to right, which rounds as an index over terms does; shape (n,).

    Examples
    --------
    >>> row_sums(csr_matrix([[0.5, 0.25], [0, 0]])).tolist()
    [0.75, 0.0]
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return sums_by_row(rows, matrix.data, matrix.shape[0])


def sums_by_row(rows: Rows, values: FloatArray, n: int) -> FloatArray:
    """Sum the values of each row from left to right, shape (n,).

    Examples
    --------
    >>> sums_by_row(np.array([0, 2, 0]), np.array([0.5, 1.0, 0.25]), 3).tolist()
    [0.75, 0.0, 1.0]
    """
    # bincount of an empty array returns integers.
    return np.bincount(rows, weights=values, minlength=n).astype(np.float64)


def jaccard(left: TitleTable, right: TitleTable) -> FloatArray:
    """Jaccard similarity of the distinct stems, in [0, 1], shape (n,); 0 if neither title has any."""
    pairs = zip(left.tokens, right.tokens, strict=True)
    counts = ((len(a & b), len(a) + len(b)) for a, b in pairs)
    shares = (n_shared / (n - n_shared) if n else 0.0 for n_shared, n in counts)
    return np.fromiter(shares, dtype=np.float64, count=len(left))


def levenshtein(left: TitleTable, right: TitleTable) -> FloatArray:
    """Levenshtein ratio of the titles as typed, in [0, 1], shape (n,).

    ``Levenshtein.ratio`` of python-Levenshtein, which the study used: ``1 - d / (len(a) + len(b))``,
    where *d* counts insertions and deletions, and a substitution as both. RapidFuzz calls this the
    Indel distance and computes many pairs at once; python-Levenshtein compares one pair.
    """
    if len(left) == 1:
        return np.array([Levenshtein.ratio(left.letters[0], right.letters[0])])
    return cpdist(
        left.letters.tolist(),
        right.letters.tolist(),
        scorer=Indel.normalized_similarity,
        dtype=np.float64,
    )


FEATURES: Mapping[str, Callable[[TitleTable, TitleTable], FloatArray]] = MappingProxyType(
    {"cosine": cosine, "jaccard": jaccard, "levenshtein": levenshtein}
)
EXTRA_FEATURES = tuple(FEATURES)[3:]
"""Features beyond the study's own; an index has no bound for them and computes them last."""


def pair_features(
    left: TitleTable, right: TitleTable, names: Sequence[str] = tuple(FEATURES)
) -> FloatArray:
    """Compute features for the pairs (left[i], right[i]).

    Parameters
    ----------
    left, right : TitleTable
        Tables of the same length *n*.
    names : sequence of str
        Which of `FEATURES`; all by default.

    Returns
    -------
    ndarray of float, shape (n, n_features)
        Similarities in [0, 1], 1 = same, columns in the order of `names`.

    Raises
    ------
    ValueError
        The tables differ in length.

    Examples
    --------
    >>> from judul_lib.study.arrays import ArrayTfidf
    >>> titles, stems = ["Deteksi Hoaks", "Deteksi Padi"], ["deteksi hoaks", "deteksi padi"]
    >>> table = TitleTable.build(titles, stems, ArrayTfidf(["deteksi", "hoaks"], np.ones(2)))
    >>> row = pair_features(table.take([0]), table.take([1]), ["cosine", "jaccard"])
    >>> row.round(3).tolist()
    [[0.707, 0.333]]
    """
    if len(left) != len(right):
        raise ValueError(f"tables of {len(left)} and {len(right)} titles cannot be paired")
    if not len(left):
        return np.empty((0, len(names)))
    return np.column_stack([FEATURES[name](left, right) for name in names])


def extract_pair_features(
    vec1: Any, vec2: Any, text1: str, text2: str, raw1: str, raw2: str, *, fold_case: bool = True
) -> FloatArray:
    """Compute the features of one pair, with the study's signature.

    Parameters
    ----------
    vec1, vec2 : sparse or dense row, shape (1, n_terms) or (n_terms,)
        TF-IDF rows of the titles.
    text1, text2 : str
        Preprocessed titles.
    raw1, raw2 : str
        Titles as typed.
    fold_case : bool
        ``False`` compares letters with their case, as the study did.

    Returns
    -------
    ndarray of float, shape (n_features,)
        In the order of `FEATURES`.

    Examples
    --------
    >>> row = [[0.6, 0.8]]
    >>> extract_pair_features(row, row, "deteksi hoaks", "deteksi", "Deteksi Hoaks", "DETEKSI")[:3]
    array([1. , 0.5, 0.7])
    """
    left, right = (
        TitleTable.from_tfidf_rows([raw], [text], vec, fold_case=fold_case)
        for raw, text, vec in ((raw1, text1, vec1), (raw2, text2, vec2))
    )
    return pair_features(left, right)[0]
