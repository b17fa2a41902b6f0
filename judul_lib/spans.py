"""What words of one title can be met by in another: an abbreviation, or the same letters joined."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from judul_lib.title_parser import Unit

MOST_JOINED = 4
"""Words that may be written as one elsewhere."""
# Words of which initials are taken.
_MOST_INITIALS = 7


def word_spans(parse: Sequence[Unit]) -> dict[str, tuple[int, int]]:
    """Return what consecutive words can be met by, and the units that they span.

    Two to seven words by their initials, two to four by their letters without blanks.

    Examples
    --------
    >>> from judul_lib.title_parser import TitleParser
    >>> parse = TitleParser().parse("Sistem Pakar Hama Kakao")
    >>> parse[1].text, word_spans(parse)["hk"]
    ('hama', (1, 2))
    """
    columns, initials, letters, ends = _words(parse)
    spans: dict[str, tuple[int, int]] = {}
    for start in range(len(columns) - 2, -1, -1):  # Of equal keys, the first span counts.
        for stop in range(min(start + _MOST_INITIALS, len(columns)), start + 1, -1):
            span = columns[start], columns[stop - 1]
            spans[initials[start:stop]] = span
            if stop - start <= MOST_JOINED:
                spans[letters[ends[start] : ends[stop]]] = span
    return spans


def find_span(parse: Sequence[Unit], letters: str) -> tuple[int, int] | None:
    """Return ``word_spans(parse).get(letters)`` without what else there is.

    Examples
    --------
    >>> from judul_lib.title_parser import TitleParser
    >>> parse = TitleParser().parse("Hama Kakao Sleman")
    >>> find_span(parse, "hks"), find_span(parse, "hamakakao"), find_span(parse, "cnn")
    ((0, 2), (0, 1), None)
    """
    columns, initials, text, ends = _words(parse)
    number_of = {end: number for number, end in enumerate(ends)}
    for start, begin in zip(range(len(columns) - 1), number_of, strict=False):
        stops = []
        if initials.startswith(letters, start) and 2 <= len(letters) <= _MOST_INITIALS:
            stops.append(start + len(letters))
        if text.startswith(letters, begin):
            stop = number_of.get(begin + len(letters), 0)
            if 2 <= stop - start <= MOST_JOINED:
                stops.append(stop)
        if stops:
            return columns[start], columns[min(stops) - 1]
    return None


def _words(parse: Sequence[Unit]) -> tuple[list[int], str, str, list[int]]:
    """Return the unit of each word, all initials, all letters, and where in these words end."""
    words = [(word, column) for column, unit in enumerate(parse) for word in unit.text.split()]
    columns = [column for _, column in words]
    initials, letters = "".join(word[0] for word, _ in words), "".join(word for word, _ in words)
    return columns, initials, letters, [0, *accumulate(len(word) for word, _ in words)]


def unit_keys(parse: Sequence[Unit]) -> dict[str, int]:
    """Return units by their letters: abbreviations, and what may be written apart elsewhere.

    Two letters that the lexicon knows abbreviate nothing else: "pt" is a
    company and not "pariwisata tomohon".

    Examples
    --------
    >>> from judul_lib.title_parser import TitleParser
    >>> unit_keys(TitleParser().parse("Hama Kakao"))
    {'hama': 0, 'kakao': 1}
    """
    texts = ((unit.text.replace(" ", ""), unit.known, column) for column, unit in enumerate(parse))
    return {text: column for text, known, column in texts if text.isalpha() and len(text) >= 2 + known}


def rows_of(letters: Sequence[Mapping[str, object]]) -> dict[str, list[int]]:
    """Return in which rows each key occurs.

    Examples
    --------
    >>> rows_of([{"cnn": 0}, {"svm": 1, "cnn": 2}])
    {'cnn': [0, 1], 'svm': [1]}
    """
    rows: dict[str, list[int]] = {}
    for row, keys in enumerate(letters):
        for key in keys:
            rows.setdefault(key, []).append(row)
    return rows
