"""Explain a result to the person whose title it is: what is the same, what to change, what to ask."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import Matches
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.columns import METADATA_COLUMNS, YEAR, Details, describe_thesis
from judul_lib.core.settings import ASK, DIFFERENT, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.search.index import TitleIndex
from judul_lib.structured import explanation as fields
from judul_lib.structured.explanation import FieldComparison, compare_rows
from judul_lib.structured.marking import Piece, mark_pairs
from judul_lib.study.features import FEATURES
from judul_lib.study.preprocessing import preprocess_text

ONLY_PROPOSED, ONLY_ARCHIVED = "hanya di usulan", "hanya di arsip"
_TABLE_ORDER = ("task", "object", "method", "place")
_CHANGEABLE = ("object", "method", "place")
_WORD = re.compile(r"[^\W\d_]+|[\W\d_]+")
_MAX_NAMES = 8
STYLES: Mapping[str, str] = {SIMILAR: "mirip", ASK: "tanya", DIFFERENT: "beda"}
"""Class of each label in the style sheet; others are ``kosong``."""
SIGNS: Mapping[str, str] = {SIMILAR: "▲", ASK: "?", DIFFERENT: "✓"}


@dataclass(frozen=True)
class FieldRow:
    """One line of the comparison of two titles.

    Attributes
    ----------
    name : str
        Of the field, for readers.
    relation : str
        *sama*, *sebagian sama*, *serupa*, *berbeda*, *hanya di usulan*, *hanya di arsip* or
        *tidak disebut*.
    shared, left, right : str
        What both titles name, and what only one of them names.
    """

    name: str
    relation: str
    shared: str
    left: str
    right: str


@dataclass(frozen=True)
class ExplainedMatch:
    """A title of the archive, explained.

    Attributes
    ----------
    title, label, remark : str
    reason : str
        The part of the remark that the comparison of the fields does not tell.
    about : str
        Author, year and study programme, where they are known.
    probability : float
    features : mapping of str to float
        The study's similarities by name.
    left, right : list of Piece
        The checked title and this one, with the matched words marked.
    fields : list of FieldRow
        Empty where the model knows no fields.
    comparisons : list of FieldComparison
    is_decided : bool
        Whether people have decided on the pair.
    """

    title: str
    label: str
    remark: str
    reason: str
    about: str
    probability: float
    features: Mapping[str, float]
    left: list[Piece]
    right: list[Piece]
    fields: list[FieldRow]
    comparisons: list[FieldComparison]
    is_decided: bool = False

    @property
    def style(self) -> str:
        """Class of the label."""
        return STYLES.get(self.label, "kosong")

    @property
    def sign(self) -> str:
        """Sign of the label, which does not depend on its colour."""
        return SIGNS.get(self.label, "–")


def structured_checker(checker: Checker) -> StructuredChecker | None:
    """Return the structured checker that answers; None for the study's models."""
    if isinstance(checker, TitleIndex):
        checker = checker.reference
    return checker if isinstance(checker, StructuredChecker) else None


def explain_matches(
    title: str,
    matches: Matches,
    checker: Checker,
    details: Mapping[str, Details],
    *,
    only: tuple[str, str] = (ONLY_PROPOSED, ONLY_ARCHIVED),
) -> list[ExplainedMatch]:
    """Explain each match of a title.

    Parameters
    ----------
    checker : Checker
        The one that found the matches.
    details : mapping of str to mapping
        What is known of each title of the archive.
    only : tuple of str
        See `relation_of`.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> title = "Hama Padi di Blora"
    >>> checker = load_checker("outputs/structured", ["Hama Jagung di Blora"])
    >>> (match,) = explain_matches(title, checker.check(title), checker, {})
    >>> [(row.name, row.relation) for row in match.fields]
    [('objek', 'sebagian sama'), ('tempat', 'sama')]
    """
    structured = structured_checker(checker)
    if structured is None or not len(matches):
        marked, compared = [_shared_words(title, other) for other in matches.titles], None
    else:
        records = structured.records([title]), structured.records(matches.titles)
        marked = mark_pairs(structured.model, title, matches.titles, records)
        compared = compare_rows(*records, np.zeros(len(matches), np.intp), np.arange(len(matches)))
    labels, reasons = matches.labels, matches.reasons
    remarks = matches.remarks or [""] * len(matches)
    explained = []
    for row, other in enumerate(matches.titles):
        comparisons = compared[row] if compared else []
        known = details.get(other, {})
        explained.append(
            ExplainedMatch(
                other, labels[row], remarks[row], reasons[row],
                describe_thesis({k: v for k, v in known.items() if k in METADATA_COLUMNS}),
                float(matches.probability[row]),
                dict(zip(FEATURES, map(float, matches.features[row]), strict=False)),
                *marked[row], field_rows(comparisons, only), comparisons, other in matches.decided,
            )
        )  # fmt: skip
    return explained


def _shared_words(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Mark the words whose stems both titles have, which the study's models compare."""
    stems = [set(preprocess_text(title).split()) for title in (left, right)]
    shared = stems[0] & stems[1]
    sides = [
        [
            Piece(word, word[0].isalpha() and preprocess_text(word) in shared)
            for word in _WORD.findall(title)
        ]
        for title in (left, right)
    ]
    return sides[0], sides[1]


def field_rows(
    comparisons: Sequence[FieldComparison], only: tuple[str, str] = (ONLY_PROPOSED, ONLY_ARCHIVED)
) -> list[FieldRow]:
    """Return the lines of a comparison, in the order of a title, of what either names."""
    by_field = {comparison.field: comparison for comparison in comparisons}
    rows = []
    for name in _TABLE_ORDER:
        found = by_field.get(name)
        if found is not None and found.relation != fields.UNNAMED:
            sides = (found.alike_left, found.left), (found.alike_right, found.right)
            left, right = (", ".join((*alike, *only)) for alike, only in sides)
            shared = ", ".join(found.shared)
            rows.append(
                FieldRow(fields.FIELD_NAMES[name], relation_of(found, only), shared, left, right)
            )
    return rows


def relation_of(
    comparison: FieldComparison, only: tuple[str, str] = (ONLY_PROPOSED, ONLY_ARCHIVED)
) -> str:
    """Return the relation of a field for readers, who want to know which title has more.

    Parameters
    ----------
    comparison : FieldComparison
    only : tuple of str
        What to say where only the first, and only the second title names something.

    Examples
    --------
    >>> relation_of(FieldComparison("method", (), ("cnn",), ()))
    'hanya di usulan'
    >>> relation_of(FieldComparison("method", ("cnn",), (), ("svm",)))
    'sebagian sama'
    """
    if comparison.relation == fields.ONE_SIDED:
        return only[0] if comparison.left else only[1]
    if comparison.relation in (fields.SAME, fields.ALIKE) and (comparison.left or comparison.right):
        return fields.PARTLY
    return comparison.relation


def advice(label: str, comparisons: Sequence[FieldComparison]) -> list[str]:
    """Return what to do for this title: what is the same, what to change, and what to ask.

    Only what the comparison has found is said; without one, the list is empty.

    Parameters
    ----------
    label : str
        The verdict.
    comparisons : sequence of FieldComparison
        With the title that decided.

    Examples
    --------
    >>> same = FieldComparison("object", ("padi",), (), ())
    >>> other = FieldComparison("method", (), ("cnn",), ("svm",))
    >>> for sentence in advice("MIRIP", [same, other]):
    ...     print(sentence)
    Yang sama dengan judul itu: objek (padi).
    Yang berbeda: metode (cnn di usulan; svm di arsip).
    Yang dapat diubah: pilih objek lain selain padi.
    Pertanyaan pembimbing: apa yang akan terjawab dengan cnn, yang belum terjawab dengan svm?
    """
    named = {c.field: c for c in comparisons if c.relation != fields.UNNAMED}
    if not named:
        return []
    sentences = [*_same_sentence(named), *_different_sentences(named)]
    if label in (SIMILAR, ASK):
        sentences += _change_sentence(named)
        sentences += _question(named)
    return sentences


_Named = Mapping[str, FieldComparison]


def _list(names: Sequence[str]) -> str:
    rest = [page_text("and_others")] if len(names) > _MAX_NAMES else []
    return ", ".join([*names[:_MAX_NAMES], *rest])


def _pair(key: str, field: str, left: Sequence[str], right: Sequence[str]) -> str:
    return page_text(key, field=fields.FIELD_NAMES[field], left=_list(left), right=_list(right))


def _same_sentence(named: _Named) -> list[str]:
    parts = []
    for field in (*_CHANGEABLE, "task"):
        found = named.get(field)
        if found and found.shared:
            parts.append(f"{fields.FIELD_NAMES[field]} ({_list(found.shared)})")
    alike = [
        _pair("advice_alike_pair", field, found.alike_left, found.alike_right)
        for field, found in named.items()
        if found.alike_left
    ]
    sentences = [page_text("advice_same", parts=", ".join(parts))] if parts else []
    sentences += [page_text("advice_alike", parts=", ".join(alike))] if alike else []
    return sentences or [page_text("advice_none_same")]


def _different_sentences(named: _Named) -> list[str]:
    different, proposed, archived = list[str](), list[str](), list[str]()
    for field in (*_CHANGEABLE, "task"):
        found = named.get(field)
        if found is None:
            continue
        name = fields.FIELD_NAMES[field]
        if found.left and found.right:
            different.append(_pair("advice_pair", field, found.left, found.right))
        elif found.left:
            proposed.append(f"{name} ({_list(found.left)})")
        elif found.right:
            archived.append(f"{name} ({_list(found.right)})")
    keyed = ("advice_different_parts", different), ("advice_proposed", proposed)
    return [
        page_text(key, parts=", ".join(parts))
        for key, parts in (*keyed, ("advice_archived", archived))
        if parts
    ]


def _change_sentence(named: _Named) -> list[str]:
    same = [field for field in _CHANGEABLE if field in named and named[field].shared]
    ways = [page_text(f"change_{field}", names=_list(named[field].shared)) for field in same]
    return [page_text("advice_change", ways=page_text("or").join(ways))] if ways else []


def _question(named: _Named) -> list[str]:
    """Return the question that a supervisor should ask, from the first difference that decides."""

    def sides(field: str) -> tuple[str, str]:
        found = named.get(field)
        return (_list(found.left), _list(found.right)) if found else ("", "")

    for field in ("object", "method", "place"):
        left, right = sides(field)
        if left and right:
            return [page_text(f"ask_{field}", left=left, right=right)]
    for field in ("object", "method", "place"):
        left, right = sides(field)
        if left or right:
            return [page_text("ask_proposed" if left else "ask_archived", names=left or right)]
    return [page_text("ask_same")]


def years_filter(
    matches: Sequence[ExplainedMatch], details: Mapping[str, Details], years: tuple[int, int]
) -> list[ExplainedMatch]:
    """Return the matches of a span of years; those without a year are left out."""

    def is_within(title: str) -> bool:
        year = details.get(title, {}).get(YEAR, "")
        return year.isdecimal() and years[0] <= int(year) <= years[1]

    return [match for match in matches if is_within(match.title)]
