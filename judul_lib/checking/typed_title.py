"""A title as somebody typed it: whether it can be checked."""

from judul_lib.core.errors import TitleError
from judul_lib.core.formatting import format_number
from judul_lib.core.texts import page_text
from judul_lib.study.preprocessing import preprocess_text

MAX_TITLE_LENGTH = 500


def require_title(title: str) -> str:
    """Return a title with its blanks joined.

    Raises
    ------
    TitleError
        It is empty, too long, or has fewer than two words that can be compared.

    Examples
    --------
    >>> require_title(" Deteksi  Hoaks Politik ")
    'Deteksi Hoaks Politik'
    """
    if not title.strip():
        raise TitleError(page_text("empty"))
    if len(title) > MAX_TITLE_LENGTH:
        length, most = format_number(len(title)), format_number(MAX_TITLE_LENGTH)
        raise TitleError(page_text("long", length=length, most=most))
    words = preprocess_text(title).split()
    if len(words) < 2:
        raise TitleError(page_text("short" if words else "nothing_left"))
    return " ".join(title.split())
