"""Names that archives give their columns: those of titles, and of what else is known of a thesis."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from judul_lib.core.errors import ColumnChoiceError, CorpusError, MissingChoiceError

TITLE_COLUMN = "Judul"
YEAR, AUTHOR, SUPERVISOR, PROGRAMME, LINK = "Tahun", "Penulis", "Pembimbing", "Program Studi", "Tautan"
STUDENT_NUMBER = "NIM"
"""Left out of archives: nobody needs it to compare titles."""
Details = Mapping[str, str]
"""What is known of a thesis: those of `METADATA_COLUMNS` that are not empty."""
METADATA_COLUMNS = (AUTHOR, YEAR, SUPERVISOR, PROGRAMME, LINK)

_METADATA_NAMES = {
    YEAR: r"tahun( (lulus|terbit|akademik|ajaran|masuk|yudisium|wisuda|skripsi|publikasi))?|thn|year"
    r"|publication year|tanggal( (lulus|terbit|publikasi|sidang|yudisium))?|date|issue date"
    r"|dc\.date\.issued|dc\.date",
    AUTHOR: r"penulis|pengarang|nama( (mahasiswa|mhs|lengkap|penulis|siswa|peneliti))?|mahasiswa"
    r"|author(s)?|creator(s)?|student( name)?|name|dc\.contributor\.author|dc\.creator",
    SUPERVISOR: r"(dosen )?pembimbing( (utama|pendamping|akademik|skripsi|ta))?( ?(1|2|i|ii))?"
    r"|supervisor(s)?|advisor(s)?|contributor(s)?|dc\.contributor(\.advisor|\.supervisor)?|dosen",
    PROGRAMME: r"program studi|prodi|programstudi|jurusan|departemen|department|study program(me)?"
    r"|major|program|dc\.publisher\.department",
    LINK: r"tautan|link|url|uri|alamat|identifier|dc\.identifier\.uri|dc\.identifier",
    STUDENT_NUMBER: r"(no(mor)? )?(nim|npm|nrp|nis|nisn|bp|stambuk)( mahasiswa)?"
    r"|no(mor)? (induk|pokok)( mahasiswa)?|student (id|number)|nomor mahasiswa|no mhs",
}  # fmt: skip
_METADATA = {column: re.compile(pattern) for column, pattern in _METADATA_NAMES.items()}
_OTHER_NAMES = re.compile(
    r"no|nomor|id|key|kelas|angkatan|semester|fakultas|abstrak|abstract|keterangan|ket|kata kunci"
    r"|keywords?|status|(dosen )?penguji( ?(1|2|3|i|ii|iii))?|item type|jenis|tipe|type|publisher"
    r"|penerbit|nilai|collection|bahasa|language|kampus|universitas|sumber|lokasi|peminatan|konsentrasi"
    r"|bidang"
)
_TITLE = re.compile(
    r"(?P<exact>judul)"
    r"|(?P<indonesian>(usulan|usul|nama|pengajuan|rencana|topik|topik/) ?judul.*|judul[ /].*)"
    r"|(?P<foreign>((dc|dcterms|eprints|thesis|document|research|project|final project)[.: ])?title"
    r"( of (the )?(thesis|research))?|title (thesis|proposal))"
)
_NOT_INDONESIAN_TITLE = re.compile(r"judul (ke|kegiatan|berkas|file)\b.*")
_LANGUAGES = {
    "id": r"id|ind|indonesia|bahasa indonesia|dalam bahasa indonesia",
    "en": r"en|eng|english|inggris|bahasa inggris|dalam bahasa inggris|bhs inggris",
    "": r"\*|",
}
_LANGUAGE = re.compile(
    "|".join(
        rf"(?P<{name}{form}>{left}(?:{pattern}){locale}{right})$"
        for name, pattern in (("id", _LANGUAGES["id"]), ("en", _LANGUAGES["en"]), ("no", _LANGUAGES[""]))
        for form, left, locale, right in (
            ("square", r"\s*\[", r"(?:[ _-]\w\w)?", r"\]"),
            ("round", r"\s*\(", "", r"\)"),
            *((("plain", r"[\s/-]+", "", ""),) if name != "no" else ()),
        )
    )
)
_QUALIFIERS = re.compile(
    r"skripsi|ta|tugas akhir|penelitian|proposal|tesis|thesis|disertasi|1|2|3|i|ii|iii|utama|pendamping"
    rf"|{_LANGUAGES['id']}|{_LANGUAGES['en']}"
)
_PREFERENCE = {"id": 0, "": 1, "en": 2}


@dataclass(frozen=True)
class _TitleName:
    column: int
    kind: str
    base: str
    language: str


def normalize_name(cell: str) -> str:
    r"""Return the name of a column without case, line breaks, stars and outer punctuation.

    Examples
    --------
    >>> normalize_name(" Judul\nSkripsi * :"), normalize_name("Program_Studi")
    ('judul skripsi', 'program studi')
    """
    text = unicodedata.normalize("NFKC", cell).replace("_", " ").replace("(*)", " ")
    text = re.sub("[\u200b-\u200d\ufeff]", "", re.sub(r"\*(?!\])", " ", text))
    return " ".join(text.casefold().split()).strip(" .:#;'\"\ufeff")


def _title_name(column: int, cell: str) -> _TitleName | None:
    name = normalize_name(cell)
    language = ""
    if match := _LANGUAGE.search(name):
        language = {"id": "id", "en": "en"}.get((match.lastgroup or "")[:2], "")
        name = name[: match.start()].strip()
    match = _TITLE.fullmatch(name)
    if match is None or _NOT_INDONESIAN_TITLE.fullmatch(name) or len(name) > 60:
        return None
    return _TitleName(column, match.lastgroup or "", name.replace("dcterms", "dc"), language)


def metadata_column(cell: str) -> str | None:
    """Return which of `METADATA_COLUMNS`, or the student number, a column is named after.

    Examples
    --------
    >>> [metadata_column(name) for name in ("Tahun Lulus", "dc.contributor.author[id]", "Warna")]
    ['Tahun', 'Penulis', None]
    """
    name = _LANGUAGE.sub("", normalize_name(cell))
    return next((column for column, pattern in _METADATA.items() if pattern.fullmatch(name)), None)


def is_known_name(cell: str) -> bool:
    """Tell whether a cell is the name of a column that catalogues have."""
    return (
        metadata_column(cell) is not None
        or _OTHER_NAMES.fullmatch(normalize_name(cell)) is not None
        or _title_name(0, cell) is not None
    )


def header_score(cells: Sequence[str]) -> int:
    """Return how many different known names a row has; 0 if none of them is a title's.

    Examples
    --------
    >>> header_score(["No", "NIM", "Judul Skripsi"]), header_score(["No", "Nama"])
    (3, 0)
    """
    if not any(_title_name(0, cell) for cell in cells):
        return 0
    return len({normalize_name(cell) for cell in cells if is_known_name(cell)})


def continues_header(header: Sequence[str], below: Sequence[str]) -> list[str] | None:
    """Join a header with the row below, if that row goes on with it; else return None.

    The row below repeats merged cells, counts the columns, or divides what stands above
    it: *Judul* into *Indonesia* and *Inggris*, *Pembimbing* into *1* and *2*.

    Examples
    --------
    >>> continues_header(["No", "Judul", ""], ["", "Indonesia", "Inggris"])
    ['No', 'Judul Indonesia', 'Judul Inggris']
    """
    cells = [*below, *[""] * len(header)][: max(len(header), len(below))]
    names = [*header, *[""] * len(cells)][: len(cells)]
    filled = [i for i, cell in enumerate(cells) if cell.strip()]
    if not filled or len(names) < 2:
        return None
    if all(normalize_name(cells[i]) == normalize_name(names[i]) for i in filled):
        return names
    if len(filled) > 1 and [re.sub(r"\W", "", cells[i]) for i in filled] == [
        str(n) for n in range(1, len(filled) + 1)
    ]:
        return names
    joined, above = list[str](), ""
    for name, cell in zip(names, cells, strict=True):
        above = name if name.strip() else above if cell.strip() else ""
        repeats = normalize_name(cell) == normalize_name(above)
        joined.append(above if repeats or not cell.strip() else f"{above} {cell}".strip())
    is_header = all(
        _QUALIFIERS.fullmatch(normalize_name(cells[i])) or is_known_name(cells[i]) for i in filled
    )
    has_word = any(re.search(r"[^\W\d_]", cells[i]) for i in filled)
    return joined if is_header and has_word else None


def find_titles(header: Sequence[str], file_name: str, column: str | None = None) -> tuple[int, ...]:
    """Return the positions of the columns that give a row's title, the preferred one first.

    Several only where they are one column in several languages, such as
    ``dc.title[id]`` before ``dc.title`` before ``dc.title[en]``.

    Parameters
    ----------
    header : sequence of str
    file_name : str
        For error messages.
    column : str
        Name or number (from 1) that the user has chosen.

    Returns
    -------
    tuple of int
        Empty if no column is named after a title.

    Raises
    ------
    CorpusError
        *Judul* occurs twice.
    MissingChoiceError
        The chosen column does not exist.
    ColumnChoiceError
        Several columns could be meant.

    Examples
    --------
    >>> find_titles(["No", "dc.title", "dc.title[en]", "dc.title[id]"], "a.csv")
    (3, 1, 2)
    """
    if column is not None:
        return (_chosen_column(header, file_name, column),)
    names = [name for i, cell in enumerate(header) if (name := _title_name(i, cell))]
    exact = [name for name in names if name.kind == "exact" and not name.language]
    if len(exact) > 1:
        raise CorpusError(
            f"Kolom '{TITLE_COLUMN}' ada {len(exact)} kali di {file_name}. Sisakan satu saja."
        )
    if exact:
        return (exact[0].column,)
    preferred = [name for name in names if name.language != "en"] or names
    kinds = ("exact", "indonesian", "foreign")
    best_kind = min((kinds.index(name.kind) for name in preferred), default=0)
    best = [name for name in preferred if kinds.index(name.kind) == best_kind]
    bases, languages = {name.base for name in best}, [name.language for name in best]
    if len(bases) > 1 or len(set(languages)) < len(languages):
        raise ColumnChoiceError(file_name, [header[name.column] for name in best])
    family = [name for name in names if name.base in bases]
    family.sort(key=lambda name: _PREFERENCE[name.language])
    return tuple(name.column for name in family)


def _chosen_column(header: Sequence[str], file_name: str, column: str) -> int:
    for equal in (lambda cell: cell.strip() == column.strip(),
                  lambda cell: normalize_name(cell) == normalize_name(column)):  # fmt: skip
        found = [i for i, cell in enumerate(header) if equal(cell)]
        if len(found) == 1:
            return found[0]
    if column.strip().isdecimal() and 1 <= int(column) <= len(header):
        return int(column) - 1
    existing = ", ".join(f"'{cell[:40]}'" for cell in header[:12] if cell.strip())
    raise MissingChoiceError(
        f"Kolom '{column}' tidak ada di {file_name}. Pilih salah satu: {existing}; "
        f"atau nomor kolom 1–{len(header)}."
    )


def describe_thesis(details: Details) -> str:
    """Return author, year and study programme in one line.

    Examples
    --------
    >>> describe_thesis({"Penulis": "Siti", "Tahun": "2021", "Tautan": "https://x.test"})
    'Siti, 2021'
    """
    return ", ".join(details[name] for name in (AUTHOR, YEAR, PROGRAMME) if name in details)
