"""A repository that is read over OAI-PMH: one polite request at a time, and nothing believed unchecked.

`oaipmh_scythe` sends, retries and names the errors of the protocol. Its parser repairs broken XML, which
would make half a page look like a whole one, so each answer is parsed here first, without repairs.
"""

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from lxml import etree
from oaipmh_scythe import Scythe
from oaipmh_scythe.config import HTTPConfig, RetryConfig
from oaipmh_scythe.exceptions import (
    BadArgument,
    BadResumptionToken,
    CannotDisseminateFormat,
    NoRecordsMatch,
    NoSetHierarchy,
    OAIPMHException,
)

from judul_lib import __version__
from judul_lib.archives.dublin_core import HarvestedRecord, read_record
from judul_lib.core.errors import ArchiveError
from judul_lib.core.formatting import format_number

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_MAX_WAIT_SECONDS, _RETRIES = 600, 5
_RETRY_STATUS_CODES = (429, 502, 503, 504)
_CONTACT = re.compile(r"[!-~]{3,200}")
_CONTINUE = "Jalankan perintah yang sama untuk melanjutkan."


class ExpiredTokenError(ArchiveError):
    """The repository no longer knows the place where a list was interrupted."""


@dataclass(frozen=True)
class Page:
    """One answer of a repository to a request for records.

    Attributes
    ----------
    records : list of HarvestedRecord
    token : str
        What asks for the next page; ``""`` on the last.
    size : int or None
        Number of records in the whole list, where the repository says it.
    response_date : str
        The repository's clock, ISO 8601.
    """

    records: list[HarvestedRecord]
    token: str
    size: int | None
    response_date: str


class Repository:
    """A repository at an OAI-PMH address; use it in a ``with`` block.

    Parameters
    ----------
    url : str
        Its OAI-PMH address.
    contact : str
        Mail or web address of whoever harvests, for the repository's administrator.
    pause : float
        Seconds between two requests.

    Raises
    ------
    ArchiveError
        The address or the contact is not usable.

    Examples
    --------
    >>> with Repository("https://repository.example.ac.id/oai", "admin@example.ac.id") as repository:
    ...     repository.user_agent.startswith("judul_lib/")
    True
    """

    def __init__(self, url: str, contact: str, *, pause: float = 1.0) -> None:
        if not re.match(r"https?://[^/\s]+", url):
            raise ArchiveError(
                f"'{url}' bukan alamat web. Berikan alamat OAI-PMH, misalnya https://…/oai atau https://…/cgi/oai2."
            )
        if not _CONTACT.fullmatch(contact):
            raise ArchiveError(
                "Pengelola repositori perlu tahu siapa yang memanen. Berikan surel atau alamat web "
                "dengan --contact, atau kunci contact di judul.toml."
            )
        self.url, self.pause = url, pause
        self.user_agent = f"judul_lib/{__version__} (+{contact})"
        self._last_request = 0.0
        self._scythe = Scythe(
            url,
            http_config=HTTPConfig(user_agent=self.user_agent),
            retry_config=RetryConfig(max_retries=_RETRIES, retry_status_codes=_RETRY_STATUS_CODES),
        )
        client = self._scythe.client
        client.follow_redirects = True  # Many repositories have moved from http to https.
        client.event_hooks = {"request": [self._wait], "response": [self._check]}

    def __enter__(self) -> "Repository":
        return self

    def __exit__(self, *exception: object) -> None:
        self._scythe.close()

    def granularity(self) -> str:
        """Return how precise the repository's dates are: ``YYYY-MM-DD``, or with a time.

        Raises
        ------
        ArchiveError
            It cannot be reached, or is no OAI-PMH repository.
        """
        with self._explained():
            root = self._request({"verb": "Identify"})
        # A repository that has answered once is worth waiting for when the connection breaks.
        self._scythe.retry_config.retry_on_transport_error = True
        return root.findtext(f"{_OAI}Identify/{_OAI}granularity") or "YYYY-MM-DD"

    def list_records(self, *, token: str = "", from_: str = "", set_: str = "") -> Page | None:
        """Return a page of records, the first without a token; None if none matches.

        Raises
        ------
        ExpiredTokenError
            The repository does not accept the token (any more).
        ArchiveError
            It cannot be reached, refuses, or sends something else.
        """
        if token:
            query = {"verb": "ListRecords", "resumptionToken": token}
        else:
            query = {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": from_, "set": set_}
            query = {name: value for name, value in query.items() if value}
        with self._explained():
            try:
                return _read_page(self._request(query))
            except NoRecordsMatch:
                return None

    def _request(self, query: dict[str, str]) -> Any:
        """Return the root of the answer to a request."""
        try:
            answer = self._scythe.harvest(query)
        except AttributeError as error:  # After its last retry the client looks for an error in no XML.
            raise ArchiveError(_describe_status(self.url, 503)) from error
        return _parse(answer.http_response.content)

    def _wait(self, request: Any) -> None:
        time.sleep(max(0.0, self._last_request + self.pause - time.monotonic()))
        self._last_request = time.monotonic()

    def _check(self, response: httpx2.Response) -> None:
        """Refuse an answer before the client's own parser sees it."""
        response.read()
        self._last_request = time.monotonic()
        if response.status_code in _RETRY_STATUS_CODES:
            _set_retry_after(response)
            return
        if response.has_redirect_location:
            return
        try:
            _parse(response.content)
        except (ArchiveError, etree.XMLSyntaxError):
            response.raise_for_status()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BadResumptionToken as error:
            raise ExpiredTokenError(
                f"Repositori {self.url} menolak melanjutkan daftarnya. Ulangi nanti."
            ) from error
        except NoSetHierarchy as error:
            raise ArchiveError(f"Repositori {self.url} tidak mengenal set. Hapus --set.") from error
        except CannotDisseminateFormat as error:
            raise ArchiveError(
                f"Repositori {self.url} tidak menyediakan oai_dc. Tanyakan kepada pengelolanya."
            ) from error
        except BadArgument as error:
            raise ArchiveError(
                f"Repositori {self.url} menolak permintaan ({error}). Periksa --from dan --set."
            ) from error
        except OAIPMHException as error:
            raise ArchiveError(
                f"Repositori {self.url} menjawab dengan galat ({error}). Periksa alamatnya, atau ulangi "
                "nanti."
            ) from error
        except httpx2.HTTPStatusError as error:
            raise ArchiveError(_describe_status(self.url, error.response.status_code)) from error
        except etree.XMLSyntaxError as error:
            raise ArchiveError(
                f"Jawaban {self.url} bukan XML yang utuh ({error.msg}). {_CONTINUE} Bila tetap begitu, "
                "beri tahu pengelola repositori."
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ArchiveError(_describe_network_error(self.url, error)) from error


def _describe_status(url: str, status: int) -> str:
    if status in (401, 403):
        hint = "Alamat itu memerlukan izin. Hubungi pengelola repositori."
    elif status in (404, 410):
        hint = "Periksa alamatnya: EPrints …/cgi/oai2, DSpace …/oai/request, OJS …/index.php/index/oai."
    elif status in _RETRY_STATUS_CODES or status >= 500:
        hint = f"Repositori sedang sibuk atau rusak. {_CONTINUE}"
    else:
        hint = "Periksa alamatnya, atau tanyakan kepada pengelola repositori."
    return f"{url} menjawab dengan HTTP {status}. {hint}"


def _describe_network_error(url: str, error: Exception) -> str:
    if "CERTIFICATE" in str(error).upper():
        return (
            f"Sertifikat TLS {url} tidak sah ({error}). Periksa alamat dan jam komputer, atau beri tahu "
            "pengelola repositori."
        )
    if isinstance(error, httpx2.TimeoutException):
        return f"{url} tidak menjawab pada waktunya. {_CONTINUE}"
    return f"{url} tidak terjangkau ({error}). Periksa jaringan dan alamatnya. {_CONTINUE}"


def _set_retry_after(response: httpx2.Response) -> None:
    """Turn Retry-After into seconds; the client reads nothing else, and would wait without limit."""
    text = response.headers.get("retry-after", "")
    try:
        seconds = int(text) if text.isdigit() else _seconds_until(text)
    except (ValueError, TypeError):
        response.headers.pop("retry-after", None)
        return
    if seconds > _MAX_WAIT_SECONDS:
        minutes = format_number(-(-seconds // 60))
        raise ArchiveError(
            f"Repositori meminta menunggu {minutes} menit. Sesudah itu, {_CONTINUE.lower()}"
        )
    response.headers["retry-after"] = str(max(0, seconds))


def _seconds_until(text: str) -> int:
    moment = parsedate_to_datetime(text)
    return int((moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _parse(content: bytes) -> Any:
    """Parse an answer without repairs; refuse declarations of entities, which can grow without limit."""
    # Without zero bytes, so that UTF-16 hides nothing.
    prologue = re.split(rb"<\w*:?OAI-PMH", content.replace(b"\0", b""), maxsplit=1)[0].lower()
    if re.search(rb"<!doctype\s+html|<html", prologue):
        raise ArchiveError(
            "Di alamat itu ada halaman web, bukan OAI-PMH. Alamatnya biasanya …/cgi/oai2 (EPrints), "
            "…/oai/request (DSpace), atau …/index.php/index/oai (OJS)."
        )
    if b"<!doctype" in prologue or b"<!entity" in prologue:
        raise ArchiveError(
            "Jawaban repositori berisi deklarasi DOCTYPE, yang dapat menghabiskan memori, jadi tidak "
            "dibaca. Beri tahu pengelola repositori."
        )
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=False, huge_tree=False)
    root = etree.fromstring(content, parser)
    if root.tag != f"{_OAI}OAI-PMH":
        raise ArchiveError(
            "Yang ada di alamat itu bukan OAI-PMH 2.0. Minta alamat OAI-PMH kepada pengelola repositori."
        )
    return root


def _read_page(root: Any) -> Page:
    elements = root.findall(f"{_OAI}ListRecords/{_OAI}record")
    token = root.find(f"{_OAI}ListRecords/{_OAI}resumptionToken")
    size = "" if token is None else token.get("completeListSize", "")
    return Page(
        [_read_element(element) for element in elements],
        "" if token is None else (token.text or "").strip(),
        int(size) if size.isdigit() else None,
        (root.findtext(f"{_OAI}responseDate") or "").strip(),
    )


def _read_element(element: Any) -> HarvestedRecord:
    header = element.find(f"{_OAI}header")
    identifier = "" if header is None else (header.findtext(f"{_OAI}identifier") or "").strip()
    if not identifier:
        raise ArchiveError(
            "Sebuah catatan repositori tidak punya pengenal OAI. Beri tahu pengelola repositori."
        )
    datestamp = (header.findtext(f"{_OAI}datestamp") or "").strip()
    if header.get("status") == "deleted":
        return HarvestedRecord(identifier, datestamp, is_deleted=True)
    elements = defaultdict[str, list[tuple[str, str]]](list)
    for part in element.iterfind(f"{_OAI}metadata/*/*"):
        if isinstance(part.tag, str):  # Not a comment.
            name = part.tag.rpartition("}")[2]
            elements[name].append(("".join(part.itertext()), part.get(_LANGUAGE, "")))
    return read_record(identifier, datestamp, elements)
