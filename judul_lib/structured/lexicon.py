"""The lexicon: phrases and their canonical terms, kinds and weights of terms, siblings, places."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from judul_lib.core.errors import LexiconError
from judul_lib.structured.words import corrected_stem, tokenize

FIELDS = ("task", "object", "method", "place")
LEXICON_FIELDS = (*FIELDS, "template")
_RESOURCES = Path(__file__).parent / "resources"
LEXICON_FILE = _RESOURCES / "lexicon.csv"
LEXICON_STEMS_FILE = _RESOURCES / "lexicon_stems.csv"
TERMS_FILE = _RESOURCES / "terms.csv"
SIBLINGS_FILE = _RESOURCES / "siblings.csv"
PLACES_FILE = _RESOURCES / "places.csv"
RELATIONS_FILE = _RESOURCES / "relations.csv"
IMPLICATIONS_FILE = _RESOURCES / "implications.csv"
# Phrases that `tokenize` leaves as they are; not tokenizing them saves a second for 47,000 phrases.
_PLAIN_PHRASE = re.compile(r"[a-z]+(?: (?:[a-z]+|[1-9][0-9]*))*")
_COLUMNS = ["canonical", "variants", "field", "language"]

ASPECTS: Mapping[str, str] = {
    "E": "thing", "T": "thing", "V": "variable", "A": "activity", "M": "method", "G": "method",
    "I": "method", "L": "platform", "S": "platform", "P": "audience", "D": "medium", "Q": "medium",
    "K": "task", "N": "place",
}  # fmt: skip
"""The aspect of a study that each kind of term in ``terms.csv`` belongs to."""

MAX_WEIGHT = 3
SAME, NEAR, SIBLING = RELATIONS = ("same", "near", "sibling")
"""Relations of two terms: one thing; exchangeable within a study; two things of one kind."""


@dataclass(frozen=True)
class Term:
    """The kind of a term, a key of `ASPECTS`, and how decisive it is, 0 to `MAX_WEIGHT`.

    A term of weight 0 says nothing by itself (*gejala*); replacing one of weight 3 by a sibling
    makes another study (*jagung*).
    """

    kind: str
    weight: int


@dataclass(frozen=True)
class Lexicon:
    """What is known of words and phrases.

    Attributes
    ----------
    variants : mapping of str to (canonical, field)
        By phrase: lower-case words joined by blanks, canonical terms included.
    terms : mapping of str to Term
        By canonical term, or by the stem of a word that has none.
    siblings : mapping of str to frozenset of int
        Numbers of the groups of mutually exclusive things that a canonical term is in.
    places, ambiguous : frozenset of str
        Names of places; those that are ordinary words as well.
    relations : mapping of str to mapping of str to str
        One of `RELATIONS` for two canonical terms; each pair is listed under both.
    implied : mapping of str to frozenset of str
        Canonical terms that a canonical term implies: *simple additive weighting* implies decision
        support.

    Examples
    --------
    >>> lexicon = Lexicon.read()
    >>> lexicon.relations["motivasi"]["motivasi kerja"], lexicon.relations["motivasi kerja"]["motivasi"]
    ('near', 'near')
    >>> "sistem pendukung keputusan" in lexicon.implied["saw"]
    True
    >>> lexicon.variants["cnn"], "cnn" in lexicon.without("method").variants
    (('cnn', 'method'), False)
    """

    variants: Mapping[str, tuple[str, str]]
    terms: Mapping[str, Term] = field(default_factory=dict)
    siblings: Mapping[str, frozenset[int]] = field(default_factory=dict)
    places: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    relations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    implied: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path = LEXICON_FILE) -> "Lexicon":
        """Read a lexicon, with the package's terms, siblings and places.

        Raises
        ------
        LexiconError
            A column is missing, a field unknown, or a variant has two canonical terms;
            the message names file and line.
        """
        places = {row["name"]: row["ambigu"] == "1" for row in _rows(PLACES_FILE)}
        siblings: dict[str, set[int]] = {}
        for number, row in enumerate(_rows(SIBLINGS_FILE)):
            for member in row["members"].split("|"):
                siblings.setdefault(member, set()).add(number)
        return cls(
            read_variants(path),
            {row["term"]: Term(row["kind"], int(row["weight"])) for row in _rows(TERMS_FILE)},
            {name: frozenset(groups) for name, groups in siblings.items()},
            frozenset(places),
            frozenset(name for name, is_ambiguous in places.items() if is_ambiguous),
            _read_relations(),
            {row["term"]: frozenset(row["implied"].split("|")) for row in _rows(IMPLICATIONS_FILE)},
        )

    def without(self, field: str) -> "Lexicon":
        """Return the lexicon without the terms of one of `LEXICON_FIELDS`."""
        kept = {v: entry for v, entry in self.variants.items() if entry[1] != field}
        if field == "place":
            return replace(self, variants=kept, places=frozenset(), ambiguous=frozenset())
        return replace(self, variants=kept)

    def canonical_only(self) -> "Lexicon":
        """Return the lexicon with the canonical terms as the only variants."""
        return replace(self, variants={v: e for v, e in self.variants.items() if v == e[0]})

    def stems(self, stem: Callable[[str], str] = corrected_stem) -> dict[str, str]:
        """Return the stem of each word of the variants that is not its own stem."""
        words = sorted({word for variant in self.variants for word in variant.split()})
        stems = ((word, stem(word)) for word in words)
        return {word: root for word, root in stems if root != word}


def read_variants(path: Path) -> dict[str, tuple[str, str]]:
    """Read phrases, with the canonical term and the field of each.

    Raises
    ------
    LexiconError
        See `Lexicon.read`.

    Examples
    --------
    >>> read_variants(LEXICON_FILE)["convolutional neural network"]
    ('cnn', 'method')
    """
    variants: dict[str, tuple[str, str]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != _COLUMNS:
            raise LexiconError(f"{path} baris 1: kolomnya harus {','.join(_COLUMNS)}.")
        for row in reader:
            where = f"{path} baris {reader.line_num}"
            if row["field"] not in LEXICON_FIELDS:
                raise LexiconError(f"{where}: bidang {row['field']!r} tidak dikenal.")
            entry = (row["canonical"], row["field"])
            for variant in (row["canonical"], *filter(None, row["variants"].split("|"))):
                phrase = variant if _PLAIN_PHRASE.fullmatch(variant) else " ".join(tokenize(variant))
                first_entry = variants.setdefault(phrase, entry)
                if first_entry != entry:
                    raise LexiconError(f"{where}: {variant!r} sudah ada di bawah {first_entry[0]!r}.")
    return variants


def packaged_stems() -> dict[str, str]:
    """Return the stored `Lexicon.stems` of the package's lexicon; computing them takes a second.

    Examples
    --------
    >>> packaged_stems()["aduan"]
    'adu'
    """
    return {row["word"]: row["stem"] for row in _rows(LEXICON_STEMS_FILE)}


def _read_relations() -> dict[str, dict[str, str]]:
    relations: dict[str, dict[str, str]] = {}
    for row in _rows(RELATIONS_FILE):
        for term, other in ((row["term"], row["other"]), (row["other"], row["term"])):
            relations.setdefault(term, {})[other] = row["relation"]
    return relations


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)
