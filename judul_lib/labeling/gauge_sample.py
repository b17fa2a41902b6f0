"""The sample of an archive's gauge as a file: written without scores, filled in by a person, read.

The column ``kode`` hides stratum and weight of each pair, which would reveal the model's answer, and
detects titles that were changed or moved to another row.
"""

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from judul_lib.core.delimited import Warn
from judul_lib.core.errors import CorpusError, GaugeError
from judul_lib.core.formatting import format_number
from judul_lib.core.storage import sha256_of
from judul_lib.core.tables import find_column
from judul_lib.labeling.session import LabelRecord
from judul_lib.study.corpus import read_table
from judul_lib.study.preprocessing import pair_key, title_key

COLUMNS = ("id", "judul_a", "judul_b", "nilai", "kode")
GRADE_BY_WORD: Mapping[str, int] = MappingProxyType(
    {"sama": 3, "sama di tempat lain": 2, "beda": 1, **{str(grade): grade for grade in range(5)}}
)
"""Accepted entries of ``nilai`` and their grades."""
GRADE_WORD_BY_ANSWER: Mapping[str, str] = MappingProxyType(
    {"mirip": "sama", "ragu": "sama di tempat lain", "tidak": "beda"}
)
"""Entry of ``nilai`` for each answer of the labelling tool."""
_LAYOUT = ">Bf"  # Stratum and weight.
_CHECKSUM_LENGTH = 4


def sample_frame(sample: pd.DataFrame, titles: Sequence[str], archive: str) -> pd.DataFrame:
    """Return a sample as a table for people to fill in.

    Parameters
    ----------
    sample : DataFrame
        As from `judul_lib.evaluation.gauge.draw_sample`.
    titles : sequence of str
        The archive.
    archive : str
        Its SHA-256.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; ``nilai`` is empty.

    Examples
    --------
    >>> sample = pd.DataFrame({"left": [0], "right": [1], "stratum": [2], "weight": [1.5]})
    >>> frame = sample_frame(sample, ["Deteksi Hoaks", "Harga Beras"], "0" * 64)
    >>> decode_pair_code(frame["kode"][0], "harga beras", "Deteksi Hoaks")
    (2, 1.5)
    """
    lefts, rights = ([titles[row] for row in sample[side]] for side in ("left", "right"))
    parts = zip(sample["stratum"], sample["weight"], lefts, rights, strict=True)
    codes = [_code(int(stratum), float(weight), left, right) for stratum, weight, left, right in parts]
    # Different samples of one archive get different ids.
    prefix = f"{archive[:8]}-{sha256_of(''.join(codes).encode())[:4]}"
    ids = [f"{prefix}-{n:03d}" for n in range(1, len(sample) + 1)]
    cells = zip(ids, lefts, rights, [""] * len(sample), codes, strict=True)
    return pd.DataFrame(list(cells), columns=list(COLUMNS), dtype=object)


def with_answers(frame: pd.DataFrame, answers: Iterable[LabelRecord]) -> pd.DataFrame:
    """Fill a sample with answers from the labelling tool.

    Parameters
    ----------
    frame : DataFrame
        As from `sample_frame`.
    answers : iterable of LabelRecord
        As from `judul_lib.labeling.session.read_answers`; *mirip* means *sama*, *ragu* *sama di
        tempat lain*, *tidak* *beda*.

    Examples
    --------
    >>> frame = pd.DataFrame({"judul_a": ["Hoaks"], "judul_b": ["Padi"], "nilai": [""]})
    >>> with_answers(frame, [LabelRecord(("padi", "hoaks"), "tidak", "p1", "")])["nilai"].tolist()
    ['beda']
    """
    words = {answer.key: GRADE_WORD_BY_ANSWER[answer.label] for answer in answers}
    keys = map(pair_key, frame["judul_a"], frame["judul_b"])
    return frame.assign(nilai=[words.get(key, "") for key in keys])


def read_sample(
    path: str | Path, titles: Sequence[str], *, warn: Warn = lambda text: None
) -> pd.DataFrame:
    """Read a sample that was filled in.

    Parameters
    ----------
    titles : sequence of str
        The archive, which may have grown since the sample was drawn.
    warn : callable
        See `judul_lib.study.corpus.read_table`.

    Returns
    -------
    DataFrame
        Columns ``left``, ``right`` (rows of the archive), ``stratum``, ``weight``, ``grade`` (NaN
        if empty), ``archive`` (start of the SHA-256 of the archive that was sampled).

    Raises
    ------
    GaugeError
        A column is missing, a value is unknown, a row does not match its code, this archive or the
        sample of the other rows, or nothing is filled in; the message says where.
    CorpusError
        The file cannot be read as a table.
    """
    path = Path(path)
    frame = read_table(path, warn=warn)
    try:
        columns = [find_column(list(frame.columns), name, path.name) for name in COLUMNS]
    except CorpusError as error:
        raise GaugeError(
            f"{error} Berkas label harus berupa sampel dari `judul archive gauge ARSIP --output`."
        ) from error
    row_of: dict[str, int] = {}
    for row, title in enumerate(titles):
        row_of.setdefault(title_key(title), row)
    rows = list[tuple[int, int, int, float, float, str]]()
    line_of = dict[str, int]()
    for line, cells in zip(frame.index, frame.iloc[:, columns].itertuples(index=False), strict=True):
        row_id, left, right, word, code = (str(cell).strip() for cell in cells)
        where = f"{path.name} baris {line}"
        decoded = decode_pair_code(code, left, right)
        if decoded is None:
            raise GaugeError(
                f"{where}: judul dan kodenya tidak cocok. Hanya kolom nilai yang boleh diisi; salin "
                "baris itu dari sampel aslinya."
            )
        if row_id in line_of:
            raise GaugeError(
                f"{where}: id {row_id[:40]} sudah ada di baris {line_of[row_id]}. Hapus salah satu."
            )
        if line_of and row_id.rpartition("-")[0] != next(iter(line_of)).rpartition("-")[0]:
            raise GaugeError(f"{where}: id {row_id[:40]} dari sampel lain. Pakai satu sampel saja.")
        line_of[row_id] = line
        keys = title_key(left), title_key(right)
        if not all(key in row_of for key in keys):
            raise GaugeError(
                f"{where}: judulnya tidak ada di arsip ini. Berikan arsip yang menjadi asal sampel itu."
            )
        left_row, right_row = (row_of[key] for key in keys)
        rows.append((left_row, right_row, *decoded, _grade(word, where), row_id.partition("-")[0]))
    sample = pd.DataFrame(rows, columns=["left", "right", "stratum", "weight", "grade", "archive"])
    if sample["grade"].isna().all():
        raise GaugeError(
            f"Kolom nilai di {path.name} masih kosong. Isi dengan sama, sama di tempat lain, atau beda."
        )
    return sample


def _grade(word: str, where: str) -> float:
    if not word:
        return np.nan
    plain = " ".join(word.casefold().split()).removesuffix(",0").removesuffix(".0")
    if plain not in GRADE_BY_WORD:
        raise GaugeError(
            f"{where}: nilai {word[:40]!r} tidak dikenal. Tulis sama, sama di tempat lain, atau beda "
            f"(boleh juga derajat {format_number(0)} sampai {format_number(4)})."
        )
    return GRADE_BY_WORD[plain]


def _code(stratum: int, weight: float, left: str, right: str) -> str:
    check, mask = _checksum_and_mask(left, right)
    packed = struct.pack(_LAYOUT, stratum, weight)
    hidden = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    return "k" + base64.b32encode(check + hidden).decode().rstrip("=").lower()


def decode_pair_code(code: str, left: str, right: str) -> tuple[int, float] | None:
    """Return stratum and weight from a pair's code; None if it is not the code of these titles."""
    check, mask = _checksum_and_mask(left, right)
    text = code.removeprefix("k").upper()
    try:
        content = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        return None
    hidden = content[_CHECKSUM_LENGTH:]
    if content[:_CHECKSUM_LENGTH] != check or len(hidden) != struct.calcsize(_LAYOUT):
        return None
    stratum, weight = struct.unpack(_LAYOUT, bytes(a ^ b for a, b in zip(hidden, mask, strict=False)))
    return int(stratum), float(weight)


def _checksum_and_mask(left: str, right: str) -> tuple[bytes, bytes]:
    """Return the checksum of a pair and the mask that hides the content of its code."""
    digest = bytes.fromhex(sha256_of("\n".join(pair_key(left, right)).encode()))
    return digest[:_CHECKSUM_LENGTH], digest[_CHECKSUM_LENGTH:]
