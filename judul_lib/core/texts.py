"""The texts that the page and its figures show."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

TEXTS_FILE = Path(__file__).with_name("texts.toml")


def page_text(key: str, **values: Any) -> str:
    """Return the text of a key with its ``{names}`` filled in.

    Raises
    ------
    KeyError
        There is no such key.

    Examples
    --------
    >>> page_text("choose")
    'Tampilkan alasan untuk judul ini'
    """
    return _texts()[key].format(**values)


@cache
def _texts() -> dict[str, str]:
    return tomllib.loads(TEXTS_FILE.read_text(encoding="utf-8"))
