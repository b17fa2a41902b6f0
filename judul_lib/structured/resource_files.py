"""The files of the package that decide what the structured model answers, and whether they changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judul_lib.core.errors import ModelError
from judul_lib.core.storage import sha256_of
from judul_lib.structured.lexicon import (
    IMPLICATIONS_FILE,
    LEXICON_FILE,
    LEXICON_STEMS_FILE,
    PLACES_FILE,
    RELATIONS_FILE,
    SIBLINGS_FILE,
    TERMS_FILE,
)
from judul_lib.structured.vectors import VECTORS_FILE
from judul_lib.structured.words import SPELLINGS_FILE, STEMS_FILE

_FILES = (
    LEXICON_FILE, LEXICON_STEMS_FILE, TERMS_FILE, SIBLINGS_FILE, PLACES_FILE, SPELLINGS_FILE, STEMS_FILE,
    RELATIONS_FILE, IMPLICATIONS_FILE, VECTORS_FILE,
)  # fmt: skip


def resource_hashes() -> dict[str, str]:
    """Return the SHA-256 of each of these files by its name, as a packaged model names them.

    Examples
    --------
    >>> list(resource_hashes())[:2]
    ['lexicon.csv', 'lexicon_stems.csv']
    """
    return {path.name: sha256_of(path.read_bytes()) for path in _FILES}


def require_resources(folder: str | Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a structured model that was packaged with other files than are there now.

    Raises
    ------
    ModelError
        The hash of one is not the one that the metadata tell.

    Examples
    --------
    >>> from judul_lib.checking.registry import read_metadata
    >>> require_resources("outputs/structured", read_metadata("outputs/structured"))
    """
    recorded = metadata.get("resources")
    known = recorded if isinstance(recorded, dict) else {}
    changed = [name for name, digest in resource_hashes().items() if known.get(name) != digest]
    if changed:
        raise ModelError(
            f"Model di {folder} ditolak: {', '.join(changed)} di program ini berbeda dari yang dicatat "
            "saat pelatihan, sehingga jawabannya bisa lain. Pasang lagi versi program yang dipakai "
            "melatihnya, atau latih lagi dengan `make run`."
        )
