"""Graded pairs of real titles: their features and grades, without the titles.

The titles are not part of the project. ``data/real_pairs.npz`` holds the
features of each pair, its grades, and the hashes of its two titles, so that
the model can be trained and tested without them; ``data/README.md`` says
how the pairs were drawn and graded. Pairs that were graded for the project
itself are in ``data/real_grades.csv``, by the hashes of their titles.
``scripts/real_pairs.py`` makes the file where the titles are available.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from judul_lib.core.array_types import BoolArray, FloatArray
from judul_lib.core.errors import GoldError
from judul_lib.structured.model import STRUCTURED_FEATURES
from judul_lib.structured.records import UnitCounts
from judul_lib.study.preprocessing import title_key

REAL_PAIRS_FILE = "real_pairs.npz"
REAL_GRADES_FILE = "real_grades.csv"
SAME_GRADE, ELSEWHERE_GRADE, RELATED_GRADE = 3, 2, 1
FACULTY = "kampus"
"""Source of the pairs of one faculty; other sources are campuses, ``a+b`` for a pair across two."""

N_FACULTY_FOLDS = 8
_LAST_DRAWN_ID = 20_000
_MIN_COUNT = 3  # A word in fewer titles could be the name of a person.


@dataclass(frozen=True)
class RealPairs:
    """Graded pairs of real titles, one row a pair.

    Attributes
    ----------
    features : ndarray of float, shape (n, n_features)
        Columns in the order of `judul_lib.structured.model.STRUCTURED_FEATURES`.
    grade : ndarray of int, shape (n,)
        0 to 4; from 3 up the same study, 2 the same study elsewhere.
    second_grade : ndarray of int, shape (n,)
        By another reader; -1 if there was none.
    is_drawn : ndarray of bool, shape (n,)
        Drawn at random from an archive; the others were chosen because a model found them similar.
    is_doubted : ndarray of bool, shape (n,)
        The reader was in doubt whether it is the same study.
    differs : ndarray of str, shape (n,)
        What differs, as letters of the grading guide.
    source : ndarray of str, shape (n,)
    left, right : ndarray of str, shape (n,)
        Hashes of the titles.
    counts : UnitCounts
        Number of titles in the archives by term.
    """

    features: FloatArray
    grade: NDArray[np.int8]
    second_grade: NDArray[np.int8]
    is_drawn: BoolArray
    is_doubted: BoolArray
    differs: NDArray[np.str_]
    source: NDArray[np.str_]
    left: NDArray[np.str_]
    right: NDArray[np.str_]
    counts: UnitCounts

    @classmethod
    def read(cls, path: str | Path) -> "RealPairs":
        """Read a file that `to_bytes` wrote.

        Raises
        ------
        GoldError
            It is missing, damaged, or was made for other features.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
            facts = json.loads(arrays.pop("facts").tobytes())
        except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
            raise GoldError(f"{path} tidak ada atau rusak. Ambil lagi dari repositori.") from error
        if tuple(facts["features"]) != STRUCTURED_FEATURES:
            raise GoldError(
                f"{path} dibuat untuk fitur lain. Buat lagi dengan scripts/real_pairs.py, atau ambil "
                "berkas dari versi yang sama."
            )
        arrays["features"] = arrays["features"].astype(np.float64) / facts["scale"]
        return cls(**arrays, counts=UnitCounts(facts["counts"], facts["n_titles"]))

    def to_bytes(self) -> bytes:
        """Return the content of a file for `read`."""
        scale = 10_000_000
        facts = {
            "features": STRUCTURED_FEATURES,
            "counts": dict(sorted(self.counts.counts.items())),
            "n_titles": self.counts.n_titles,
            "scale": scale,
        }
        text = json.dumps(facts, ensure_ascii=False).encode()
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "counts"}
        arrays["features"] = np.round(self.features * scale).astype(np.int32)
        stream = io.BytesIO()
        np.savez_compressed(stream, facts=np.frombuffer(text, dtype=np.uint8), **arrays)
        return stream.getvalue()

    def __len__(self) -> int:
        return len(self.grade)

    @cached_property
    def labels(self) -> NDArray[np.int_]:
        """1 where the pair is the same study, shape (n,)."""
        return (self.grade >= SAME_GRADE).astype(int)

    @cached_property
    def is_faculty(self) -> BoolArray:
        """Whether each pair is from `FACULTY`, shape (n,)."""
        return self.source == FACULTY

    def folds(self) -> Iterator[tuple[BoolArray, BoolArray]]:
        """Yield the test pairs and the training pairs of each fold; every pair is tested once.

        A fold tests the pairs of a campus and leaves out all pairs with a title of that campus, or
        tests a part of the faculty's pairs and leaves out all pairs with one of their titles.
        """
        campuses = [source.split("+") for source in self.source.tolist()]
        for campus in sorted({names[0] for names in campuses} - {FACULTY}):
            has_campus = np.array([campus in names for names in campuses])
            yield np.array([names[0] == campus for names in campuses]), ~has_campus
        fold = np.array([int(title[:8], 16) % N_FACULTY_FOLDS for title in self.left.tolist()])
        for number in range(N_FACULTY_FOLDS):
            is_tested = self.is_faculty & (fold == number)
            titles = np.union1d(self.left[is_tested], self.right[is_tested])
            yield is_tested, ~(np.isin(self.left, titles) | np.isin(self.right, titles))


def title_hash(title: str) -> str:
    """Return the hash that stands for a title.

    Examples
    --------
    >>> title_hash("Deteksi Hoaks") == title_hash(" DETEKSI  hoaks")
    True
    """
    return hashlib.sha256(title_key(title).encode()).hexdigest()[:16]


def published_counts(counts: UnitCounts, terms: Collection[str]) -> UnitCounts:
    """Return the counts that name nobody: those of some terms, and of single words in several titles."""
    published = {
        name: count
        for name, count in counts.counts.items()
        if name in terms or (count >= _MIN_COUNT and " " not in name)
    }
    return UnitCounts(published, counts.n_titles)


def attach_titles(grades: pd.DataFrame, titles: Iterable[str]) -> pd.DataFrame:
    """Replace the title hashes in ``real_grades.csv`` by titles.

    Parameters
    ----------
    grades : DataFrame
        Hashes ``left`` and ``right``, and columns for `real_pairs_from_columns`.
    titles : iterable of str
        Titles that include those of the hashes.

    Raises
    ------
    GoldError
        The title of a hash is missing.

    Examples
    --------
    >>> grades = pd.DataFrame({"left": [title_hash("Padi")], "right": [title_hash("Jagung")]})
    >>> attach_titles(grades, ["Jagung", "Padi"])[["judul_a", "judul_b"]].to_numpy().tolist()
    [['Padi', 'Jagung']]
    """
    title_of = {title_hash(title): title for title in titles}
    try:
        left, right = ([title_of[key] for key in grades[side]] for side in ("left", "right"))
    except KeyError as error:
        raise GoldError(f"Judul dengan sidik {error.args[0]} tidak ada di arsip.") from error
    return grades.drop(columns=["left", "right"]).assign(judul_a=left, judul_b=right)


def real_pairs_from_columns(
    rows: Mapping[str, Sequence[Any]], features: FloatArray, counts: UnitCounts
) -> RealPairs:
    """Return graded pairs from the columns of a grading file.

    Parameters
    ----------
    rows : mapping of str to sequence
        ``judul_a``, ``judul_b``, ``grade``, ``grade2``, ``diff``, ``doubt``, ``sumber`` and ``id``
        (up to 20,000 for drawn pairs).
    features : ndarray, shape (n, n_features)
    """
    second = np.array([-1 if value != value else int(value) for value in rows["grade2"]])
    return RealPairs(
        features=features,
        grade=np.array(rows["grade"], dtype=np.int8),
        second_grade=second.astype(np.int8),
        is_drawn=np.array(rows["id"]) <= _LAST_DRAWN_ID,
        is_doubted=np.array(rows["doubt"]) == 1,
        differs=np.array([value if isinstance(value, str) else "" for value in rows["diff"]]),
        source=np.array([str(value) for value in rows["sumber"]]),
        left=np.array([title_hash(title) for title in rows["judul_a"]]),
        right=np.array([title_hash(title) for title in rows["judul_b"]]),
        counts=counts,
    )
