"""The audit trail as a hash chain: keyed and plain hashes, signed heads, and their verification."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from judul_lib.core.storage import sha256_of

GENESIS_HASH = "0" * 64
"""The previous hash of the first row."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class ChainHead:
    """The last row of a trail, signed with the key; `mac` is empty from before there was one."""

    seq: int
    hash: str
    mac: str = ""


def is_unkeyed(row: Row) -> bool:
    """Return whether a row has the plain hash of the time before there was a key."""
    return bool(row["hash"] == row_hash(row))


def row_hash(row: Row, key: bytes | None = None) -> str | None:
    """Return the hash of a row; None where a value has another type than rows are written with."""
    hashed = {name: row[name] for name in ("seq", "actor", "action", "reason", "details", "previous")}
    try:
        time = row["time"]
        time = time if isinstance(time, datetime) else datetime.fromisoformat(time)
        hashed["time"] = time.isoformat(timespec="microseconds")
        content = canonical_json(hashed).encode()
    except (TypeError, ValueError):
        return None
    return sha256_of(content) if key is None else _mac(key, content)


def signed_head(key: bytes, seq: int, last: str) -> ChainHead:
    """Return the head of a chain, signed with a key.

    Examples
    --------
    >>> head = signed_head(b"k", 3, "0f")
    >>> head == signed_head(b"k", 3, "0f"), head == signed_head(b"j", 3, "0f")
    (True, False)
    """
    return ChainHead(seq, last, _mac(key, canonical_json({"head": last, "seq": seq}).encode()))


def _mac(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, "sha256").hexdigest()


def canonical_json(content: Mapping[str, Any]) -> str:
    """Return the only JSON text of a mapping: sorted keys, no blanks."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def check_order(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each row that is missing, moved or not linked to the previous one."""
    problems, expected, previous = [], 1, GENESIS_HASH
    for row in rows:
        seq = row["seq"]
        if seq > expected:
            missing = f"Baris {expected}" if seq == expected + 1 else f"Baris {expected}–{seq - 1}"
            problems.append(f"{missing} jejak audit hilang.")
        elif seq < expected:
            problems.append(f"Baris {seq} jejak audit tidak pada tempatnya.")
        elif row["previous"] != previous:
            problems.append(f"Baris {seq} jejak audit tidak menyambung ke baris sebelumnya.")
        expected, previous = max(expected, seq + 1), row["hash"]
    return problems


def check_hashes(
    rows: Sequence[Row], key: bytes | None, names: Mapping[str, str], *, was_keyed: bool
) -> list[str]:
    """Return a sentence for each row that was changed, or has a plain hash after a keyed one.

    Parameters
    ----------
    names : mapping of str to str
        Names of the actions for readers.
    was_keyed : bool
        Whether a head was signed, so that there was a key.
    """
    keyed = [key is not None and row["hash"] == row_hash(row, key) for row in rows]
    if rows and was_keyed and not any(keyed):
        return [
            "Tidak ada baris jejak audit yang cocok dengan kuncinya, jadi tidak dapat dipastikan: "
            "audit.key hilang atau diganti, atau jejak ditulis ulang. Salin `log/audit.key` dari "
            "cadangan."
        ]
    first = keyed.index(True) if any(keyed) else len(rows)
    problems = []
    for k, row in enumerate(rows):
        action = names.get(row["action"], row["action"])
        if not keyed[k] and not is_unkeyed(row):
            problems.append(f"Baris {row['seq']} jejak audit berubah setelah ditulis ({action}).")
        elif not keyed[k] and k > first:
            problems.append(f"Baris {row['seq']} jejak audit ditulis tanpa kuncinya ({action}).")
    if rows and first == len(rows):
        problems.append(
            "Jejak audit belum berkunci, jadi tidak dapat dipastikan siapa yang menulisnya. Tindakan "
            "berikutnya, misalnya `judul govern backup`, menguncinya."
        )
    return problems


def check_head(
    place: str, head: ChainHead, rows: Sequence[Row], key: bytes | None, *, is_old: bool = True
) -> list[str]:
    """Compare a head with the rows, and return a sentence if they contradict each other.

    Parameters
    ----------
    place : str
        Where the head is stored, for readers.
    is_old : bool
        Whether heads were stored there before there was a key, too.
    """
    if head.seq < 0:
        return [f"{place} tidak dapat dibaca, jadi ujung jejak audit tidak dapat dipastikan."]
    last = rows[-1] if rows else {"seq": 0}
    if head.seq == 0:
        is_needed = rows and (is_old or not is_unkeyed(last))
        missing = f"{place} tidak ada, jadi ujung jejak audit tidak dapat dipastikan."
        return [missing] if is_needed else []
    if head.seq > last["seq"]:
        first = last["seq"] + 1
        missing = f"Baris {head.seq}" if head.seq == first else f"Baris {first}–{head.seq}"
        return [f"{missing} di ujung jejak audit hilang."]
    row = next((row for row in rows if row["seq"] == head.seq), None)
    if row is None or row["hash"] != head.hash:
        return [f"Baris {head.seq} jejak audit bukan yang tercatat di {place}."]
    if key is not None and head != signed_head(key, head.seq, head.hash) and not is_unkeyed(row):
        return [f"{place} tidak ditulis dengan kunci jejak audit, jadi ujungnya tidak dapat dipastikan."]
    return []
