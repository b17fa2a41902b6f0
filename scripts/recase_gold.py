"""Make letter case independent of the kind of a gold pair; rewrites `data/gold_pairs.csv`.

Some kinds were written in capitals, or in sentence case, more often than others, so that case alone
could tell them apart. The other title of each pair is therefore in capitals or in title case, equally
often in every kind: within a part of the split, and among bases of the same case, titles of a kind are
converted to upper case, in the order of a hash of their pair, until all kinds have the same number of
such titles. Base titles are not changed; each is in all kinds.
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
"""Words that may stay in lower case in title case."""


def title_case(title: str) -> str:
    """Convert a title in sentence case to title case."""
    words = [word for word in re.findall(r"[^\W\d_]+", title) if word.lower() not in SMALL_WORDS]
    if sum(word[0].islower() for word in words) <= len(words) / 4:
        return title

    def capitalize(word: re.Match[str]) -> str:
        return word[0] if word[0] in SMALL_WORDS else word[0][0].upper() + word[0][1:]

    # Spaces, hyphens and brackets separate words; "ESP32", "Qur'an" and "M/M/c" are single words.
    return re.sub(r"(?<![\w'’/])[^\W\d_][\w'’]*", capitalize, title)


def recase(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return gold pairs with balanced case of their other titles; idempotent."""
    strata: defaultdict[tuple[str, bool], defaultdict[str, list[dict[str, str]]]]
    strata = defaultdict(lambda: defaultdict(list))
    rows = [row | {"judul_b": title_case(row["judul_b"])} for row in rows]
    for row in rows:
        strata[row["split"], row["judul_a"].isupper()][row["kind"]].append(row)
    for kinds in strata.values():
        n_upper = max(sum(row["judul_b"].isupper() for row in pairs) for pairs in kinds.values())
        for pairs in kinds.values():
            others = [row for row in pairs if not row["judul_b"].isupper()]
            others.sort(key=lambda row: sha256_of(f"{SEED} {row['id']}".encode()))
            for row in others[: n_upper - (len(pairs) - len(others))]:
                row["judul_b"] = row["judul_b"].upper()
    return rows


if __name__ == "__main__":
    read = list(csv.DictReader(io.StringIO(GOLD_FILE.read_text(encoding="utf-8"))))
    write_bytes(GOLD_FILE, csv_text(recase(read), list(read[0])).encode("utf-8"))
