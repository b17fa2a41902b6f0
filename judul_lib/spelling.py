"""The words of a title as its author meant them: spelling variants and typing errors put right."""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from judul_lib.preprocessing import STOP_WORDS, is_root_word, stem_word

SPELLINGS_FILE = Path(__file__).parent / "resources" / "spellings.csv"
STEMS_FILE = Path(__file__).parent / "resources" / "stems.csv"
FUNCTION_WORDS = STOP_WORDS | frozenset(
    "the of for and in on a an to with by from at as is using based its".split()
)
_WORD = re.compile(r"[a-z]+|[0-9]+")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}(?:[A-Za-z]\b)?")
# "qur'an" and "sya'ban" are one word, "e-learning" is two.
_APOSTROPHE = re.compile(r"(?<=\w)['’`‘´ʼ](?=\w)")
# Accents taken off their letters, and what PDFs leave where a word was broken.
_INVISIBLE = re.compile("[\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff]")
_ROMAN = {
    numeral: str(number)
    for number, numeral in enumerate("i ii iii iv v vi vii viii ix x xi xii xiii".split(), start=1)
}
# A single letter is a numeral only after these.
_NUMBERED = frozenset("kelas semester negeri tingkat tipe trimester bagian jilid".split())
# Shorter words have too many neighbours; in long ones two letters may be wrong.
_LEAST, _LONG = 5, 9
_TYPED = 0.65


def words_of(title: str) -> list[str]:
    """Split a title into lower-case words and numbers; accents and punctuation go.

    Examples
    --------
    >>> words_of("Naïve Bayes & YOLOv8")
    ['naive', 'bayes', 'yolov', '8']
    """
    joined = _APOSTROPHE.sub("", title)
    joined = _INITIALS.sub(lambda found: found[0].replace(".", "") + " ", joined)
    return _WORD.findall(_INVISIBLE.sub("", unicodedata.normalize("NFKD", joined.casefold())))


@cache
def spellings() -> Mapping[str, str]:
    """Return the ways in which words are written, with the standard one.

    Examples
    --------
    >>> spellings()["analisa"]
    'analisis'
    """
    with SPELLINGS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["written"]: row["standard"] for row in csv.DictReader(stream)}


@cache
def stem_exceptions() -> Mapping[str, str]:
    """Return the words whose Sastrawi stem is wrong, with the right one.

    Examples
    --------
    >>> stem_exceptions()["peramalan"]
    'ramal'
    """
    with STEMS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["word"]: row["stem"] for row in csv.DictReader(stream)}


def right_stem(word: str) -> str:
    """Stem a word, Sastrawi's known mistakes put right.

    Examples
    --------
    >>> right_stem("peramalan"), right_stem("pengelompokan")
    ('ramal', 'kelompok')
    """
    return stem_exceptions().get(word) or stem_word(word)


class SpellingCorrector:
    """Puts words into their standard spelling.

    Parameters
    ----------
    vocabulary : iterable of str
        Words that a mistyped word may have been meant to be.

    Examples
    --------
    >>> corrector = SpellingCorrector(["keuangan", "kantor"])
    >>> corrector.words("Laporan keuagan kantor")
    ['laporan', 'keuangan', 'kantor']
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._known = frozenset(vocabulary)
        self._by_letter: dict[str, list[str]] = {}
        for word in sorted(self._known):
            if len(word) >= _LEAST and word.isalpha():
                self._by_letter.setdefault(word[0], []).append(word)
        self._corrected: dict[str, str] = {}

    def words(self, title: str) -> list[str]:
        """Return the words of a title, spelled in one way.

        Examples
        --------
        >>> corrector = SpellingCorrector(["keuangan", "kantor", "kelas"])
        >>> corrector.words("Analisa Keuagan dikantor Kelas VIII")
        ['analisis', 'keuangan', 'di', 'kantor', 'kelas', '8']
        """
        result: list[str] = []
        for word in words_of(title):
            if word in _ROMAN and (len(word) > 1 or (result and result[-1] in _NUMBERED)):
                result.append(_ROMAN[word])
            elif word.startswith("di") and word not in self._known and word[2:] in self._known:
                result += ["di", word[2:]]
            else:
                result.append(self._standard(word))
        return result

    def _standard(self, word: str) -> str:
        if word not in self._corrected:
            standard = spellings().get(word, word)
            self._corrected[word] = standard if self.is_word(standard) else self._nearest(standard)
        return self._corrected[word]

    def is_word(self, word: str) -> bool:
        """Tell whether a word is in the vocabulary or in a dictionary."""
        return (
            word in self._known
            or word in FUNCTION_WORDS
            or word in stem_exceptions()
            or not word.isalpha()
            or is_root_word(stem_word(word))
        )

    def _nearest(self, word: str) -> str:
        """Return the word of the vocabulary that differs least, or the word itself.

        The first letter must be right; it is the one that is mistyped least.
        """
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extractOne

        if len(word) < _LEAST:
            return word
        allowed = 2 if len(word) >= _LONG else 1
        choices = self._by_letter.get(word[0], [])
        found = extractOne(word, choices, scorer=OSA.distance, score_cutoff=allowed)
        return found[0] if found else word


def typed_alike(left: Sequence[str], right: Sequence[str], is_word: Callable[[str], bool]) -> float:
    """Tell how far two texts differ only in how they are typed.

    The words that differ are taken in runs. A run counts as typed differently
    if its letters are the same without the blanks, or if one side of it has a
    word that no dictionary has; two words that both exist are two words.

    Parameters
    ----------
    left, right : sequence of str
        Words as from `words_of`.
    is_word : callable
        Whether a word exists.

    Returns
    -------
    float in [0, 1]
        Likeness of the letters of the worst run; 1 if nothing differs, 0 if a
        run is more than a typing error.

    Examples
    --------
    >>> typed_alike(["pekan", "baru"], ["pekanbaru"], lambda word: True)
    1.0
    >>> typed_alike(["daun", "padi"], ["daun", "pdai"], {"daun", "padi"}.__contains__)
    0.75
    >>> typed_alike(["daun", "padi"], ["daun", "ubi"], lambda word: True)
    0.0
    """
    from rapidfuzz.distance import OSA

    worst = 1.0
    for runs in _differing_runs(left, right):
        exist = all(is_word(word) for run in runs for word in run)
        likeness = 0.0
        for first, second in (map("".join, runs), ("".join(_content(run)) for run in runs)):
            same = float(first == second)
            likeness = max(likeness, same if exist else OSA.normalized_similarity(first, second))
        worst = min(worst, likeness if likeness >= _TYPED else 0.0)
    return worst


def _differing_runs(
    left: Sequence[str], right: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield what stands between the words that two texts have in common."""
    from rapidfuzz.distance import Levenshtein

    i = j = 0
    blocks = Levenshtein.editops(left, right).as_matching_blocks()  # The last one is empty, at the end.
    for block in blocks:
        if block.a > i or block.b > j:
            yield left[i : block.a], right[j : block.b]
        i, j = block.a + block.size, block.b + block.size


def _content(words: Sequence[str]) -> list[str]:
    standard = (spellings().get(word, word) for word in words)
    return [word for word in standard if word not in FUNCTION_WORDS]
