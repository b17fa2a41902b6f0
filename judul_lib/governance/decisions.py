"""What a committee decided of pairs of titles, remembered until it is undone.

The table has one row per decided pair, the latest decision; the audit trail has every
decision and every undo. A pair is identified by keyed hashes of the `title_key` of its titles,
in sorted order, so that it is found whatever the order, case, blanks and punctuation.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from judul_lib.checking.matches import DecidedPair, Matches
from judul_lib.core.clock import utc_now
from judul_lib.core.errors import ArgumentError, LogError
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.core.settings import DECISIONS
from judul_lib.governance import audit as trail
from judul_lib.governance.privacy import short_hash
from judul_lib.study.preprocessing import title_key
from judul_lib.usage.database import decisions, read_table, storable_text

Row = Mapping[str, Any]


def decide(
    engine: sa.Engine,
    folder: Path,
    left: str,
    right: str,
    decision: str,
    *,
    by: str,
    reason: str,
    actor: str,
    consent: bool = False,
    log_text: bool = False,
) -> None:
    """Remember a decision; it replaces an earlier one on the same pair.

    Parameters
    ----------
    engine : Engine
        From `judul_lib.usage.database.open_database`.
    folder : path
        Folder of the log.
    left, right : str
        The titles, in either order.
    decision : {"bukan-duplikat", "sama"}
    by : str
        Who decided: a committee or a person; stored and shown.
    reason : str
        Not empty.
    actor : str
        Pseudonym of the person who enters it, for the audit trail.
    consent : bool
        Whether models may be trained with the decision.
    log_text : bool
        Store the titles as text, too, and not only as hashes.

    Raises
    ------
    ArgumentError
        The decision is unknown, nobody decided, or the titles are blank or the same.
    LogError
        No reason, or the database cannot be used; nothing is stored.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from judul_lib.usage.database import database_url, opened_database
    >>> with TemporaryDirectory() as name, opened_database(database_url(folder := Path(name))) as engine:
    ...     pair, who = ("Deteksi Hoaks", "Deteksi Spam"), {"by": "Komisi", "reason": "objek lain"}
    ...     decide(engine, folder, *pair, "bukan-duplikat", actor="0f", **who)
    ...     (row,) = read_decisions(engine, folder).decisions_for("deteksi  SPAM", ["Deteksi Hoaks!"])
    ...     row["decision"], row["decided_by"]
    ('bukan-duplikat', 'Komisi')
    """
    if decision not in DECISIONS:
        raise ArgumentError(f"Keputusan {decision!r:.40} tidak dikenal. Pilih: {', '.join(DECISIONS)}.")
    by, key = _require_name(by), log_key(folder)
    pair = _hash_pair(key, left, right)
    text_of = {_hash(key, title): storable_text(title) for title in (left, right)} if log_text else {}
    user = keyed_hash(key, by)
    row = {
        **pair, "time": utc_now(), "user": user, "decided_by": by,
        "decision": decision, "reason": storable_text(reason), "consent": consent,
        "first_text": text_of.get(pair["first_hash"]), "second_text": text_of.get(pair["second_hash"]),
    }  # fmt: skip
    details = {**pair, "decision": decision, "by": short_hash(user)}
    audit_row = {"actor": actor, "action": trail.DECIDE, "reason": reason, "details": details}
    with trail.row_added(engine, folder, **audit_row) as (connection, _):
        connection.execute(decisions.delete().where(*_is_pair(pair)))
        connection.execute(decisions.insert().values(row))


def undo(
    engine: sa.Engine, folder: Path, left: str, right: str, *, by: str, reason: str, actor: str
) -> None:
    """Remove the decision on a pair; that there was one, and the undo, stay in the audit trail.

    Parameters are those of `decide`.

    Raises
    ------
    ArgumentError
        Nobody undoes it, or the titles are blank or the same.
    LogError
        There is no decision on the pair, no reason, or the database cannot be used.
    """
    by, key = _require_name(by), log_key(folder)
    pair = _hash_pair(key, left, right)
    details = {**pair, "by": short_hash(keyed_hash(key, by))}
    audit_row = {"actor": actor, "action": trail.UNDO, "reason": reason, "details": details}
    with trail.row_added(engine, folder, **audit_row) as (connection, _):
        if not connection.execute(decisions.delete().where(*_is_pair(pair))).rowcount:
            raise LogError(
                "Belum ada keputusan tentang pasangan judul itu. Lihat yang ada dengan "
                "`judul decisions list`."
            )


def read_decisions(engine: sa.Engine, folder: Path) -> "Decisions":
    """Return all decisions in force.

    Raises
    ------
    LogError
        The database cannot be used, or the key of the hashes is damaged.
    """
    return Decisions(read_table(engine, decisions), log_key(folder))


@dataclass(frozen=True)
class Decisions:
    """Decisions in force, to be looked up by titles.

    Attributes
    ----------
    rows : sequence of mapping
        Of the table ``decisions``, in order of time.
    key : bytes
        Of the hashes.
    """

    rows: Sequence[Row]
    key: bytes

    def decisions_for(self, title: str, candidates: Iterable[str]) -> list[Row | None]:
        """Return the decision on a title and each candidate, shape (n,); None where there is none."""
        known = self._by_title.get(_hash(self.key, title))
        return [known.get(_hash(self.key, other)) if known else None for other in candidates]

    def concern(self, title: str) -> bool:
        """Return whether there is a decision on a title and any other."""
        return _hash(self.key, title) in self._by_title

    def apply(self, title: str, matches: Matches) -> Matches:
        """Return matches in which decisions replace the model's labels, with remarks that say so.

        Parameters
        ----------
        title : str
            The query.
        matches : Matches
            Those of the whole corpus: the next title decides in place of one that is not a duplicate.

        Examples
        --------
        >>> from judul_lib import load_checker
        >>> matches = load_checker("outputs/light").check("Deteksi Hoaks")
        >>> Decisions([], b"").apply("Deteksi Hoaks", matches) is matches
        True
        """
        rows = self.decisions_for(title, matches.titles)
        decided = {
            other: DecidedPair(DECISIONS[row["decision"]], describe(row))
            for other, row in zip(matches.titles, rows, strict=True)
            if row
        }
        if not decided:
            return matches
        whole = replace(matches, decided=decided, deciding=None)
        return replace(whole, deciding=whole)

    @cached_property
    def _by_title(self) -> Mapping[str, dict[str, Row]]:
        by_title: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        for row in self.rows:
            first, second = row["first_hash"], row["second_hash"]
            by_title[first][second] = by_title[second][first] = row
        return dict(by_title)


def describe(row: Row) -> str:
    """Return in Indonesian what was decided, by whom and when.

    Examples
    --------
    >>> from datetime import datetime
    >>> describe({"decision": "sama", "decided_by": "Komisi", "time": datetime(2026, 1, 1, 18)})
    'sudah diputuskan: sama oleh Komisi, 02-01-2026'
    """
    from judul_lib.usage.frames import local_time  # Needs pandas, which a check without decisions lacks.

    by = f" oleh {row['decided_by']}" if row["decided_by"] else ""
    decision = row["decision"].replace("-", " ")
    return f"sudah diputuskan: {decision}{by}, {local_time(row['time']):%d-%m-%Y}"


def _require_name(by: str) -> str:
    if not (name := storable_text(by)):
        raise ArgumentError(
            "Tuliskan siapa yang memutuskan, misalnya nama komisi atau ketua program studi."
        )
    return name


def _hash(key: bytes, title: str) -> str:
    return keyed_hash(key, title_key(title))


def _hash_pair(key: bytes, left: str, right: str) -> dict[str, str]:
    keys = {title_key(left), title_key(right)}
    if "" in keys:
        raise ArgumentError("Keputusan memerlukan dua judul yang berisi kata. Tulis keduanya lengkap.")
    if len(keys) == 1:
        raise ArgumentError("Kedua judul itu sama, jadi tidak perlu diputuskan. Periksa lagi keduanya.")
    first, second = sorted((_hash(key, left), _hash(key, right)))
    return {"first_hash": first, "second_hash": second}


def _is_pair(pair: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    return [decisions.c[name] == value for name, value in pair.items()]
