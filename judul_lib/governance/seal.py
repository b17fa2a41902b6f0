"""The seal of a result sheet: a keyed hash that tells whether the file has changed since it was made.

It covers the whole source of the file, markup and style included, so that nothing can be hidden or
added either. Only runs of blanks do not count: mail programs change line endings.
"""

import hashlib
import hmac
import re
from enum import Enum

SEAL_MARK = "{{seal}}"
"""Where the seal is filled in."""
_DIGITS = 32
_SEAL = re.compile(rf'<code id="sidik">([0-9a-f]{{{_DIGITS}}}|{re.escape(SEAL_MARK)})</code>')
_DOMAIN = b"lembar hasil pemeriksaan judul\0"


class SealState(Enum):
    """What the seal of a file says."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    NO_SHEET = "no sheet"


def seal(html: str, key: bytes) -> str:
    r"""Return a sheet with its seal.

    Parameters
    ----------
    html : str
        Has ``<code id="sidik">`` with `SEAL_MARK` once.
    key : bytes
        Of the installation's log; only its holder can make a seal, or check one.

    Raises
    ------
    ValueError
        The mark is missing, or is not the only one.

    Examples
    --------
    >>> sheet = seal('<p>MIRIP</p><code id="sidik">{{seal}}</code>', b"k")
    >>> check_seal(sheet, b"k").value, check_seal(sheet.replace("MIRIP", "BEDA"), b"k").value
    ('unchanged', 'changed')
    """
    if len(_SEAL.findall(html)) != 1:
        raise ValueError("a sheet has exactly one place for its seal")
    start, stop = _SEAL.search(html).span(1)  # type: ignore[union-attr]
    return html[:start] + _digest(html[:start], html[stop:], key) + html[stop:]


def check_seal(html: str, key: bytes) -> SealState:
    """Tell whether a sheet is as it was made; see `seal`."""
    found = list(_SEAL.finditer(html))
    if len(found) != 1 or found[0][1] == SEAL_MARK:
        return SealState.CHANGED if found else SealState.NO_SHEET
    start, stop = found[0].span(1)
    is_same = hmac.compare_digest(found[0][1], _digest(html[:start], html[stop:], key))
    return SealState.UNCHANGED if is_same else SealState.CHANGED


def _digest(before: str, after: str, key: bytes) -> str:
    text = "\0".join(" ".join(part.split()) for part in (before.lstrip("\ufeff"), after))
    content = _DOMAIN + text.encode("utf-8", "surrogatepass")
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:_DIGITS]
