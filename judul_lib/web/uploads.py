"""Uploaded files: streamed to a temporary file, and refused once they are larger than allowed."""

from collections.abc import AsyncGenerator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from judul_lib.core.errors import CorpusError, UploadSizeError
from judul_lib.core.formatting import format_number
from judul_lib.core.texts import page_text

_MB = 1 << 20
_FIELDS_SIZE = _MB
"""What may come in addition to the file."""
_MAX_DISCARDED = 64 * _MB
_MAX_NAME_LENGTH = 120
NO_FILE = "Berkasnya belum dipilih. Pilih berkas CSV, XLSX, XLS atau ODS, lalu kirim."
BROKEN = "Kiriman itu tidak dapat dibaca. Muat ulang halaman ini, lalu kirim berkasnya lagi."


async def read_form(request: Request) -> AsyncGenerator[FormData]:
    """Return the fields of a form with at most one file; the file is deleted after the request.

    A file that is too large is refused by the size that the request claims, or as soon as more
    has come.

    Raises
    ------
    UploadSizeError
        It is larger than ``max_upload_mb``.
    CorpusError
        It is no form, or a broken one.
    """
    if request._form is not None:  # Read before, for its token.
        yield request._form
        return
    limit = request.app.state.service.config.max_upload_mb * _MB + _FIELDS_SIZE
    parser = MultiPartParser(request.headers, _limited(request, limit), max_files=1, max_fields=20)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise CorpusError(BROKEN) from error
    request._form = form
    yield form
    await form.close()


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes]:
    claimed = request.headers.get("content-length", "")
    is_too_large = claimed.isdecimal() and int(claimed) > limit
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        is_too_large |= received > limit
        if not is_too_large:
            yield chunk
        elif received > _MAX_DISCARDED:
            break  # Until then discarded: a browser shows no answer while it is still sending.
    if is_too_large:
        mb = format_number(request.app.state.service.config.max_upload_mb)
        raise UploadSizeError(page_text("too_large", name="Berkas itu", mb=mb))


UploadForm = Annotated[FormData, Depends(read_form)]


def uploaded_file(form: FormData) -> tuple[UploadFile, str]:
    """Return the file of a form (field ``berkas``), and its name without folders.

    Raises
    ------
    CorpusError
        None was chosen.
    """
    file = form.get("berkas")
    if not isinstance(file, UploadFile) or not (name := clean_name(file.filename or "")):
        raise CorpusError(NO_FILE)
    return file, name


def text_field(form: FormData, name: str) -> str:
    """Return a field of a form as text, empty if it is missing."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def clean_name(name: str) -> str:
    r"""Return the name of a file without folders and control characters, shortened.

    Examples
    --------
    >>> clean_name("C:\\Usulan\\daftar\n.xlsx"), clean_name("../../etc/passwd")
    ('daftar.xlsx', 'passwd')
    """
    last = PurePosixPath(PureWindowsPath(name).name).name
    printable = "".join(character for character in last if character.isprintable())
    return printable if len(printable) <= _MAX_NAME_LENGTH else printable[-_MAX_NAME_LENGTH:]
