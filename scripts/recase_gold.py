"""Make letter case say nothing about the kind of a gold pair; writes `data/gold_pairs.csv` anew.

Some kinds were written in capitals, or as a sentence, more often than others, so that a method that
reads case could tell them apart without reading the words. The other title of each pair is therefore
in capitals or in title case, equally often in every kind: within a part of the split, and among bases
of the same case, titles of a kind are put in capitals, in an order drawn by a hash of their pair, until
there are as many as in the kind that has most. Base titles stay as they are; each is in all kinds.
"""

import csv
import io
import re
from collections import defaultdict
from pathlib import Path

from judul_lib.core.storage import csv_text, sha256_of, write_bytes

GOLD_FILE = Path(__file__).parent.parent / "data" / "gold_pairs.csv"
SEED = 42
SMALL_WORDS = frozenset(
    "a agar akan akibat an and as atas atau bagi dalam dan dari dengan di for from hingga in ke lewat "
    "melalui menurut of oleh on pada saat sebagai secara serta setelah tentang terhadap the to untuk "
    "using via with yang".split()
)
"""Words that may stay small in a title in title case."""


def title_case(title: str) -> str:
    """Begin each word of a title that is written as a sentence with a capital."""
    words = [word for word in re.findall(r"[^\W\d_]+", title) if word.lower() not in SMALL_WORDS]
    if sum(word[0].islower() for word in words) <= len(words) / 4:
        return title

    def capital(word: re.Match[str]) -> str:
        return word[0] if word[0] in SMALL_WORDS else word[0][0].upper() + word[0][1:]

    # What blanks, hyphens and brackets part is a word; "ESP32", "Qur'an" and "M/M/c" are one.
    return re.sub(r"(?<![\w'’/])[^\W\d_][\w'’]*", capital, title)


def recase(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return gold pairs with the case of their other titles made even; twice is as once."""
    strata: defaultdict[tuple[str, bool], defaultdict[str, list[dict[str, str]]]]
    strata = defaultdict(lambda: defaultdict(list))
    rows = [row | {"judul_b": title_case(row["judul_b"])} for row in rows]
    for row in rows:
        strata[row["split"], row["judul_a"].isupper()][row["kind"]].append(row)
    for kinds in strata.values():
        most = max(sum(row["judul_b"].isupper() for row in pairs) for pairs in kinds.values())
        for pairs in kinds.values():
            small = [row for row in pairs if not row["judul_b"].isupper()]
            small.sort(key=lambda row: sha256_of(f"{SEED} {row['id']}".encode()))
            for row in small[: most - (len(pairs) - len(small))]:
                row["judul_b"] = row["judul_b"].upper()
    return rows


if __name__ == "__main__":
    read = list(csv.DictReader(io.StringIO(GOLD_FILE.read_text(encoding="utf-8"))))
    write_bytes(GOLD_FILE, csv_text(recase(read), list(read[0])).encode("utf-8"))
