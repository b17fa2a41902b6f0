"""What a thesis archive needs from a record in Dublin Core, as repositories fill it in."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

DEFAULT_TYPES = ("thesis", "skripsi", "tesis", "disertasi", "dissertation", "tugas akhir")
"""A record is a thesis if one of its types contains one of these as a word."""
_INDONESIAN = re.compile(r"(id|ind|in)([-_].*)?", re.IGNORECASE)
_MARKUP = re.compile(r"</?(?:[ibup]|em|strong|sup|sub|span|br)\b[^>]*>", re.IGNORECASE)
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
# A student number (NIM, NPM) or a lecturer's (NIDN, NIP), with or without its name.
_PERSONAL_NUMBER = re.compile(
    r"[\s,;/(-]*\b(?:(?:NIM|NPM|NRP|NIDN|NIP|STB|BP)\b[\s.:]*[\w./-]*\d[\w./-]*|(?=(?:[A-Z./-]*\d){5})[\w./-]+)\)?",
    re.IGNORECASE,
)
_PROGRAMME = re.compile(
    r"\b(?:program\s+studi|prodi|jurusan|departemen|study\s+program(?:me)?(?:\s+of)?|department\s+of)\b"
    r"\s*:?\s*([^,;/|()–.]+)",
    re.IGNORECASE,
)
_AFTER_PROGRAMME = re.compile(r"\s+-\s.*|\b(?:fakultas|universitas|institut|faculty)\b.*", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.\w{2,5}$")
_LONG_NUMBER = re.compile(r"\d{6}")


@dataclass(frozen=True)
class HarvestedRecord:
    """One record of a repository.

    Attributes
    ----------
    identifier : str
        OAI identifier, unique in the repository.
    datestamp : str
        When the record last changed there.
    is_deleted : bool
        Whether the repository has removed it; the other attributes are then empty.
    title : str
        ``""`` if the record has none.
    other_titles : tuple of str
        Titles in other languages.
    authors, year, supervisors, programme, link : str
        ``""`` where the record says nothing; several names are joined by ``"; "``.
    types : tuple of str
        Kinds of document, as the repository writes them.
    """

    identifier: str
    datestamp: str = ""
    is_deleted: bool = False
    title: str = ""
    other_titles: tuple[str, ...] = ()
    authors: str = ""
    year: str = ""
    supervisors: str = ""
    programme: str = ""
    link: str = ""
    types: tuple[str, ...] = ()


Elements = Mapping[str, Sequence[tuple[str, str]]]
"""Name of a Dublin Core element to its texts, each with its ``xml:lang`` or ``""``."""


def read_record(identifier: str, datestamp: str, elements: Elements) -> HarvestedRecord:
    """Pick what an archive needs from the elements of a record; student numbers are dropped.

    Examples
    --------
    >>> elements = {"title": [("Rice Pests", "en"), ("Hama  Padi", "id")], "date": [("2021-03", "")],
    ...             "creator": [("Siti, 2010512001", "")], "publisher": [("Prodi Agronomi, UCB", "")]}
    >>> record = read_record("oai:x:1", "2022-01-01", elements)
    >>> record.title, record.other_titles, record.authors, record.year, record.programme
    ('Hama Padi', ('Rice Pests',), 'Siti', '2021', 'Agronomi')
    """
    texts = {name: [text for text, _ in values if text.strip()] for name, values in elements.items()}
    title, others = _choose_title(elements.get("title", ()))
    return HarvestedRecord(
        identifier, datestamp, title=title, other_titles=others,
        authors=person_names(texts.get("creator", ())),
        year=earliest_year(texts.get("date", ())),
        supervisors=person_names(texts.get("contributor", ())),
        programme=_find_programme(
            text for name in ("publisher", "source", "subject") for text in texts.get(name, ())
        ),
        link=_choose_link([*texts.get("identifier", ()), *texts.get("relation", ())]),
        types=tuple(dict.fromkeys(map(_clean, texts.get("type", ())))),
    )  # fmt: skip


def _clean(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", html.unescape(text)).split())


def _choose_title(titles: Sequence[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    """Return the Indonesian title, else one without a language, else the first; and the others."""
    cleaned = [(text, language) for raw, language in titles if (text := _clean(raw))]
    if not cleaned:
        return "", ()
    ranked = sorted(
        range(len(cleaned)),
        key=lambda n: 0 if _INDONESIAN.fullmatch(cleaned[n][1]) else 2 if cleaned[n][1] else 1,
    )
    chosen = cleaned[ranked[0]][0]
    return chosen, tuple(text for text, _ in cleaned if text != chosen)


def person_names(names: Iterable[str]) -> str:
    """Join names of persons, without student or staff numbers and repeated names.

    Examples
    --------
    >>> person_names(["Budi Santoso, NIM. 1903015", "Siti (H1D018044)", "Budi Santoso"])
    'Budi Santoso; Siti'
    """
    cleaned = (_PERSONAL_NUMBER.sub("", _clean(name)).strip(" ,;-/") for name in names)
    return "; ".join(dict.fromkeys(filter(None, cleaned)))


def earliest_year(dates: Iterable[str]) -> str:
    """Return the first year that dates name, or ``""``; repositories add the days of their own entries.

    Examples
    --------
    >>> earliest_year(["2020-02-11T03:04:05Z", "2019", "Mei"])
    '2019'
    """
    return min((year for date in dates for year in _YEAR.findall(date)), default="")


def _find_programme(texts: Iterable[str]) -> str:
    for text in texts:
        if found := _PROGRAMME.search(_clean(text)):
            return _AFTER_PROGRAMME.sub("", found[1]).strip(" -:")
    return ""


def _choose_link(identifiers: Sequence[str]) -> str:
    """Return the address of a page, rather than of a file, whose name may be a student number."""
    links = [
        text.strip() for text in identifiers if text.strip().lower().startswith(("http://", "https://"))
    ]
    pages = [link for link in links if not _FILE_NAME.search(link.rpartition("/")[2])]
    files = [link for link in links if not _LONG_NUMBER.search(link.rpartition("/")[2])]
    return next(iter([*pages, *files]), "")


def is_thesis(types: Sequence[str], wanted: Sequence[str] = DEFAULT_TYPES) -> bool:
    """Tell whether a record is of a wanted type; one without any type is kept.

    Examples
    --------
    >>> is_thesis(["info:eu-repo/semantics/bachelorThesis"]), is_thesis(["Tugas Akhir (S1)"])
    (True, True)
    >>> is_thesis([])
    True
    >>> is_thesis(["Article", "NonPeerReviewed"]), is_thesis(["Photosynthesis"])
    (False, False)
    """
    words = [_CAMEL_CASE.sub(" ", text).casefold() for text in types]
    patterns = [re.compile(rf"(?<!\w){re.escape(text.casefold())}(?!\w)") for text in wanted]
    return not words or any(pattern.search(word) for pattern in patterns for word in words)
