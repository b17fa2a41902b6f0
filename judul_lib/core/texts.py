"""The words that the page shows, in each of its languages."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from judul_lib.core.formatting import number

TEXTS_FILE = Path(__file__).with_name("texts.toml")


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

    @property
    def separators(self) -> str:
        """The decimal mark and what stands between thousands, as plotly takes them."""
        return self._words.get("separators", ",.")

    def number(self, value: Any, decimals: int = 3) -> str:
        """Write a number as readers of this language do.

        Examples
        --------
        >>> Texts({"separators": ".,"}).number(1234.5, 1)
        '1,234.5'
        """
        return number(value, decimals).translate(str.maketrans(",.", self.separators))


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
