"""Correct a misspelt word where the words around it leave no doubt: *laporan keuagan*."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from rapidfuzz.distance import OSA

from judul_lib.structured.words import FUNCTION_WORDS, Word

# A long word may have two typing errors; a short one none in its last letter: "salad" is not "salak".
_MIN_LONG_WORD, _MAX_SHORT_WORD = 9, 6
_MIN_LETTERS, _MAX_WORDS = 4, 4
_NO_MATCH_DISTANCE = 3
_MASK = ""


class PhraseSpellingCorrector:
    """Corrects a word by which a title misses a known phrase of several words.

    Parameters
    ----------
    phrases : iterable of str
        Words joined by blanks; all their words count as spelt right.
    is_word : callable
        Tells whether a word is in a dictionary.

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
            for position, word in enumerate(words):
                if len(word) >= _MIN_LETTERS and set(words) - {word} - FUNCTION_WORDS:
                    self._words_by_context.setdefault(_masked(words, position), set()).add(word)

    def corrected(self, words: Sequence[Word]) -> list[Word]:
        """Return the words of a title, with unknown words replaced by those of known phrases.

        The neighbours of the word must be those in the phrase. Both words must begin with the same
        letter, end alike if they are short, and differ by one letter, or two in a long word.
        """
        texts = [word.text for word in words]
        for position, text in enumerate(texts):
            is_candidate = len(text) >= _MIN_LETTERS and text.isalpha() and text not in self._words
            if is_candidate and not self._is_word(text):
                texts[position] = self._correction(texts, position) or text
        return [word._replace(text=text) for word, text in zip(words, texts, strict=True)]

    def _correction(self, texts: Sequence[str], position: int) -> str:
        candidates = [
            (_typo_distance(texts[position], word), word)
            for context in _masked_contexts(texts, position)
            for word in self._words_by_context.get(context, ())
        ]
        distance, word = min(candidates, default=(_NO_MATCH_DISTANCE, ""))
        return word if distance < _NO_MATCH_DISTANCE else ""


def _typo_distance(text: str, word: str) -> int:
    length = min(len(text), len(word))
    if text[0] != word[0] or (length <= _MAX_SHORT_WORD and text[-1] not in word[-2:]):
        return _NO_MATCH_DISTANCE
    distance = OSA.distance(text, word)
    return distance if distance <= (2 if length >= _MIN_LONG_WORD else 1) else _NO_MATCH_DISTANCE


def _masked_contexts(texts: Sequence[str], position: int) -> Iterator[tuple[str, ...]]:
    for length in range(_MAX_WORDS, 1, -1):
        for start in range(max(position - length + 1, 0), min(position, len(texts) - length) + 1):
            yield _masked(texts[start : start + length], position - start)


def _masked(words: Sequence[str], position: int) -> tuple[str, ...]:
    return (*words[:position], _MASK, *words[position + 1 :])
