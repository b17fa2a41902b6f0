"""Mend a misspelt word where the words around it leave no doubt: *laporan keuagan*."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from rapidfuzz.distance import OSA

from judul_lib.structured.words import FUNCTION_WORDS, Word

# In long words two letters may be wrong; in short ones not the last: "salad" is no "salak".
_LONG, _SHORT = 9, 6
_MIN_LETTERS, _MAX_WORDS = 4, 4
_NO_MATCH_DISTANCE = 3
_MASK = ""


class PhraseSpellingCorrector:
    """Knows phrases of several words, and mends the one word by which a title misses such a phrase.

    Parameters
    ----------
    phrases : iterable of str
        Words joined by blanks; those of one word teach only which words there are.
    is_word : callable
        Tells whether a word stands in a dictionary.

    Examples
    --------
    >>> spelling = PhraseSpellingCorrector(["laporan keuangan", "sulawesi selatan"], lambda word: False)
    >>> [word.text for word in spelling.corrected([Word("laporan"), Word("keuagan")])]
    ['laporan', 'keuangan']
    """

    def __init__(self, phrases: Iterable[str], is_word: Callable[[str], bool]) -> None:
        self._is_word = is_word
        self._words: set[str] = set()
        self._words_by_context: dict[tuple[str, ...], set[str]] = {}
        for phrase in phrases:
            words = phrase.split()
            self._words.update(words)
            if len(words) > _MAX_WORDS:
                continue
            for place, word in enumerate(words):
                if len(word) >= _MIN_LETTERS and set(words) - {word} - FUNCTION_WORDS:
                    self._words_by_context.setdefault(_masked(words, place), set()).add(word)

    def corrected(self, words: Sequence[Word]) -> list[Word]:
        """Return the words of a title; one that no dictionary has becomes the word of a phrase.

        It is changed only if its neighbours stand in such a phrase, if it begins with the same
        letter (and ends alike, where it is short) and differs by one letter, or two in a long word.
        """
        found = list(words)
        texts = [word.text for word in words]
        for at, text in enumerate(texts):
            if len(text) < _MIN_LETTERS or not text.isalpha() or text in self._words:
                continue
            if self._is_word(text):
                continue
            meant = self._correction(texts, at)
            if meant:
                texts[at] = meant
                found[at] = found[at]._replace(text=meant)
        return found

    def _correction(self, texts: Sequence[str], at: int) -> str:
        keys = _masked_contexts(texts, at)
        near = [
            (_typo_distance(texts[at], word), word)
            for key in keys
            for word in self._words_by_context.get(key, ())
        ]
        mistakes, meant = min(near, default=(_NO_MATCH_DISTANCE, ""))
        return meant if mistakes < _NO_MATCH_DISTANCE else ""


def _typo_distance(text: str, meant: str) -> int:
    length = min(len(text), len(meant))
    if text[0] != meant[0] or (length <= _SHORT and text[-1] not in meant[-2:]):
        return _NO_MATCH_DISTANCE
    mistakes = OSA.distance(text, meant)
    return mistakes if mistakes <= (2 if length >= _LONG else 1) else _NO_MATCH_DISTANCE


def _masked_contexts(texts: Sequence[str], at: int) -> Iterator[tuple[str, ...]]:
    for length in range(_MAX_WORDS, 1, -1):
        for start in range(max(at - length + 1, 0), min(at, len(texts) - length) + 1):
            yield _masked(texts[start : start + length], at - start)


def _masked(words: Sequence[str], place: int) -> tuple[str, ...]:
    return (*words[:place], _MASK, *words[place + 1 :])
