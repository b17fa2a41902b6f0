"""Result sheets: one HTML file for paper and for the folder, with a seal that tells of changes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from judul_lib.core.clock import utc_now
from judul_lib.core.pseudonyms import log_key
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.governance.seal import SEAL_MARK, seal
from judul_lib.usage.frames import local_time
from judul_lib.usage.installation import model_versions
from judul_lib.web.explaining import SIGNS, STYLES
from judul_lib.web.rendering import environment
from judul_lib.web.service import Service
from judul_lib.web.title_results import ShownResult, archive_line, verdict_sentence


@dataclass(frozen=True)
class SheetFacts:
    """How the results on a sheet were found.

    Attributes
    ----------
    archive : str
        Name, size and date; as from `judul_lib.web.title_results.archive_line`.
    model : str
        Displayed name and version.
    threshold : float
    checked_at : datetime
        In UTC, without a time zone.
    file_name : str
        Of the checked file; empty for one title.
    notes : sequence of str
        Sentences on how the archive was compared.
    """

    archive: str
    model: str
    threshold: float
    checked_at: datetime
    file_name: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class SheetRow:
    """A proposal of a file, as its sheet shows it.

    Attributes
    ----------
    row : int
        Number of the row in the file.
    title, label : str
    probability : float or None
        None for a title that could not be compared.
    closest, about : str
        The closest title of the archive, and its author and year.
    reason : str
        What the two have in common; with other proposals that are close.
    student : str
        Name and student number as uploaded.
    """

    row: int
    title: str
    label: str
    probability: float | None
    closest: str = ""
    about: str = ""
    reason: str = ""
    student: str = ""

    @property
    def style(self) -> str:
        """Class of the label."""
        return STYLES.get(self.label, "kosong")

    @property
    def sign(self) -> str:
        """Sign of the label."""
        return SIGNS.get(self.label, "–")


def sheet_facts(service: Service, shown: ShownResult) -> SheetFacts:
    """Return how a title was checked, as of now."""
    result = shown.result
    version = model_versions(service.config.models).get(result.model, "")
    model = " ".join(filter(None, (MODEL_TITLES[result.model], version)))
    archive = archive_line(result.archive)
    return SheetFacts(archive, model, shown.threshold, utc_now(), notes=result.archive.notes)


def title_sheet(shown: ShownResult, facts: SheetFacts, key: bytes) -> bytes:
    """Return the sheet of one title.

    Parameters
    ----------
    key : bytes
        From `seal_key`.

    Returns
    -------
    bytes
        One HTML file without script, which needs no other file.
    """
    sentence = verdict_sentence(shown.deciding)
    return _sheet("sheet_title.html", facts, key, shown=shown, sentence=sentence)


def file_sheet(rows: Sequence[SheetRow], facts: SheetFacts, key: bytes) -> bytes:
    """Return the sheet of a file of proposals: a table, its rows in the given order.

    Examples
    --------
    >>> from datetime import datetime
    >>> facts = SheetFacts("TA (3 judul)", "Model Terstruktur", 0.5, datetime(2026, 1, 2), "usulan.xlsx")
    >>> sheet = file_sheet([SheetRow(2, "Hama <Padi>", "MIRIP", 0.9, "Hama Padi")], facts, b"k")
    >>> b"Hama &lt;Padi&gt;" in sheet, b"<script" in sheet
    (True, False)
    """
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.label] = counts.get(row.label, 0) + 1
    return _sheet("sheet_file.html", facts, key, rows=rows, counts=counts)


def seal_key(service: Service) -> bytes:
    """Return the key of the seals, which is that of the installation's log.

    Raises
    ------
    OSError, LogError
        It can be neither read nor made, or is damaged.
    """
    return log_key(service.config.logs)


def sheet_name(what: str, facts: SheetFacts) -> str:
    """Return a file name made of date and title, of letters that every disk takes.

    Examples
    --------
    >>> facts = SheetFacts("", "", 0.5, datetime(2026, 1, 2))
    >>> sheet_name("Prediksi Harga: Beras/LSTM", facts)
    'lembar_2026-01-02_prediksi-harga-beras-lstm.html'
    """
    return f"lembar_{local_time(facts.checked_at):%Y-%m-%d}_{file_stem(what)}.html"


def file_stem(title: str) -> str:
    """Return a title in letters that every disk takes."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60].strip("-") or "judul"


def attachment(name: str) -> Mapping[str, str]:
    """Return the headers by which a browser stores an answer under a name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _sheet(template: str, facts: SheetFacts, key: bytes, **values: Any) -> bytes:
    checked_at = f"{local_time(facts.checked_at):%d-%m-%Y %H:%M} WIB"
    html = environment().get_template(template).render(
        facts=facts, checked_at=checked_at, seal_mark=SEAL_MARK, **values
    )  # fmt: skip
    # A title cannot hold a lone surrogate in a file.
    return seal(html.encode("utf-8", "replace").decode(), key).encode()
