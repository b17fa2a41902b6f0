"""The rows of the audit trail as a chain: plain and keyed hashes, notes on its end, what of it holds."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from judul_lib.core.storage import sha256_of

GENESIS_HASH = "0" * 64
"""What the first row has in the place of the hash of the one before."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class ChainHead:
    """The last row of a trail.

    Attributes
    ----------
    seq : int
    hash : str
    mac : str
        By whoever has the key; empty in a note from before there was one.
    """

    seq: int
    hash: str
    mac: str = ""


def is_unkeyed(row: Row) -> bool:
    """Tell whether a row is as it was written, and from before there was a key."""
    return bool(row["hash"] == row_hash(row))


def row_hash(row: Row, key: bytes | None = None) -> str | None:
    """Return the hash of a row; None where there is a value that no row is written with."""
    kept = {name: row[name] for name in ("seq", "actor", "action", "reason", "details", "previous")}
    try:
        time = row["time"]
        time = time if isinstance(time, datetime) else datetime.fromisoformat(time)
        kept["time"] = time.isoformat(timespec="microseconds")
        content = canonical_json(kept).encode()
    except (TypeError, ValueError):
        return None
    return sha256_of(content) if key is None else _mac(key, content)


def signed_head(key: bytes, seq: int, last: str) -> ChainHead:
    """Return a note on the last row, by whoever has the key.

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
    """Return the one way in which something is written as JSON."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def check_order(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each row that is missing, moved or not joined to the one before."""
    found, expected, previous = [], 1, GENESIS_HASH
    for row in rows:
        seq = row["seq"]
        if seq > expected:
            missing = f"Baris {expected}" if seq == expected + 1 else f"Baris {expected}–{seq - 1}"
            found.append(f"{missing} jejak audit hilang.")
        elif seq < expected:
            found.append(f"Baris {seq} jejak audit tidak pada tempatnya.")
        elif row["previous"] != previous:
            found.append(f"Baris {seq} jejak audit tidak menyambung ke baris sebelumnya.")
        expected, previous = max(expected, seq + 1), row["hash"]
    return found


def check_hashes(
    rows: Sequence[Row], key: bytes | None, names: Mapping[str, str], *, was_keyed: bool
) -> list[str]:
    """Return a sentence for each row that was changed, or written without the key after one with it.

    Parameters
    ----------
    names : mapping of str to str
        What readers call each action.
    was_keyed : bool
        Whether a note on the last row says that somebody had a key.
    """
    keyed = [key is not None and row["hash"] == row_hash(row, key) for row in rows]
    if rows and was_keyed and not any(keyed):
        return [
            "Tidak ada baris jejak audit yang cocok dengan kuncinya, jadi tidak dapat dipastikan: "
            "audit.key hilang atau diganti, atau jejak ditulis ulang. Salin `log/audit.key` dari "
            "cadangan."
        ]
    first = keyed.index(True) if any(keyed) else len(rows)
    found = []
    for place, row in enumerate(rows):
        action = names.get(row["action"], row["action"])
        if not keyed[place] and not is_unkeyed(row):
            found.append(f"Baris {row['seq']} jejak audit berubah setelah ditulis ({action}).")
        elif not keyed[place] and place > first:
            found.append(f"Baris {row['seq']} jejak audit ditulis tanpa kuncinya ({action}).")
    if rows and first == len(rows):
        found.append(
            "Jejak audit belum berkunci, jadi tidak dapat dipastikan siapa yang menulisnya. Tindakan "
            "berikutnya, misalnya `judul govern backup`, menguncinya."
        )
    return found


def check_head(
    place: str, head: ChainHead, rows: Sequence[Row], key: bytes | None, *, is_old: bool = True
) -> list[str]:
    """Compare a note on the last row with the rows.

    Parameters
    ----------
    place : str
        Where the note is.
    is_old : bool
        Whether such a note was written before there was a key, too.
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
        gone = f"Baris {head.seq}" if head.seq == first else f"Baris {first}–{head.seq}"
        return [f"{gone} di ujung jejak audit hilang."]
    row = next((row for row in rows if row["seq"] == head.seq), None)
    if row is None or row["hash"] != head.hash:
        return [f"Baris {head.seq} jejak audit bukan yang tercatat di {place}."]
    if key is not None and head != signed_head(key, head.seq, head.hash) and not is_unkeyed(row):
        return [f"{place} tidak ditulis dengan kunci jejak audit, jadi ujungnya tidak dapat dipastikan."]
    return []
