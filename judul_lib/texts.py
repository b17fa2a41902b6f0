"""The words that the page shows, in each of its languages."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

TEXTS_FILE = Path(__file__).parent / "resources" / "page" / "texts.toml"


class Texts:
    """Words by their keys; a key that does not exist is an error, not a blank.

    Examples
    --------
    >>> Texts({"closest": "Closest of {n}"})("closest", n=3)
    'Closest of 3'
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words

    def __call__(self, key: str, **values: Any) -> str:
        """Return the words of a key, its ``{names}`` filled in."""
        return self._words[key].format(**values)


@cache
def read_texts(language: str = "id") -> Texts:
    """Return the words of a language.

    Examples
    --------
    >>> read_texts("id")("choose")
    'Tampilkan alasan untuk judul ini'
    >>> read_texts("en")("known_corpus", name="Archive", n=3)
    'Archive (3 titles)'
    """
    return Texts(tomllib.loads(TEXTS_FILE.read_text(encoding="utf-8"))[language])
