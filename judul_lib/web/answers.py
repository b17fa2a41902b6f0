"""What the interface takes and gives, as typed models."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from judul_lib.checking.typed_title import MAX_TITLE_LENGTH
from judul_lib.web.service import MAX_RESULTS

MAX_TITLES_SENT = 5_000
"""Titles in one JSON list; longer lists are sent as a file."""
Verdict = Literal["MIRIP", "TANYAKAN", "TIDAK MIRIP"]
Relation = Literal[
    "sama", "sebagian sama", "serupa", "berbeda", "hanya di usulan", "hanya di arsip", "tidak disebut"
]
JobState = Literal["menunggu", "berjalan", "memilih", "selesai", "dihentikan", "gagal"]
Probability = Annotated[float, Field(ge=0, le=1)]
_TITLE = "Deteksi Hoaks Politik di Twitter dengan Naive Bayes"


class Question(BaseModel):
    """A title to check."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"title": _TITLE, "top": 1}]}
    )

    title: Annotated[
        str,
        Field(
            max_length=MAX_TITLE_LENGTH,
            description="Judul yang diusulkan, sedikitnya dua kata yang dapat dibandingkan.",
            examples=[_TITLE],
        ),
    ]
    archive: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Nama arsip dari GET /archives; yang pertama bila tidak disebut.",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="Peluang mulai MIRIP; yang berlaku untuk arsip bila tidak disebut."
        ),
    ] = None
    top: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_RESULTS,
            description="Banyaknya judul terdekat; seperti di halaman bila tidak disebut.",
            examples=[5],
        ),
    ] = None


class UsedArchive(BaseModel):
    """The archive that a title was compared with."""

    name: str
    date: Annotated[
        str, Field(description="Hari perubahan terakhir (ISO 8601); kosong bila tak dikenal.")
    ]
    n_titles: Annotated[int, Field(ge=0)]


class UsedModel(BaseModel):
    """The model that answered."""

    name: str
    version: Annotated[str, Field(description="Kapan dibuat, dan awal sidiknya.")]


class FieldRelation(BaseModel):
    """How one part of two titles relates; the words are those that decided."""

    relation: Relation
    shared: Annotated[list[str], Field(description="Ada di keduanya, dengan nama bakunya.")]
    proposal: Annotated[list[str], Field(description="Hanya di judul usulan.")]
    archive: Annotated[list[str], Field(description="Hanya di judul arsip.")]


class Fields(BaseModel):
    """The parts of a title."""

    task: FieldRelation
    object: FieldRelation
    method: FieldRelation
    place: FieldRelation


class NearTitle(BaseModel):
    """A title of the archive that is near the checked one."""

    title: str
    probability: Annotated[Probability, Field(description="Peluang penelitian yang sama.")]
    label: Verdict
    remark: Annotated[str, Field(description="Apa yang sama, berbeda, atau hanya disebut satu judul.")]
    fields: Annotated[
        Fields | None,
        Field(description="Per bagian judul; null bila modelnya tidak membaca bagian judul."),
    ]
    year: str | None
    author: str | None
    link: str | None
    decided: Annotated[
        str | None, Field(description="Keputusan yang sudah dibuat tentang pasangan ini.")
    ]


class Answer(BaseModel):
    """The answer for one title."""

    title: Annotated[str, Field(description="Judul yang diperiksa, spasinya dirapikan.")]
    verdict: Verdict
    sentence: Annotated[str, Field(description="Simpulannya dalam satu kalimat.")]
    advice: Annotated[
        list[str],
        Field(description="Yang sama, yang berbeda, yang dapat diubah, dan yang perlu ditanyakan."),
    ]
    probability: Annotated[
        Probability | None,
        Field(description="Milik judul arsip yang menentukan; null bila arsip kosong."),
    ]
    threshold: Probability
    model: UsedModel
    archive: UsedArchive
    matches: Annotated[
        list[NearTitle], Field(description="Judul terdekat, yang paling dekat lebih dulu.")
    ]
    notes: Annotated[list[str], Field(description="Catatan tentang cara arsip dibandingkan.")]


class SentTitle(BaseModel):
    """A title of a list."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[
        str | None, Field(max_length=100, description="Tanda pengenal Anda, dikembalikan apa adanya.")
    ] = None
    title: Annotated[str, Field(max_length=10_000, examples=[_TITLE])]


class SentTitles(BaseModel):
    """A list of titles to check against an archive and each other."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"titles": [{"id": "A11", "title": _TITLE}]}]}
    )

    titles: Annotated[
        list[SentTitle],
        Field(
            min_length=1,
            max_length=MAX_TITLES_SENT,
            description="Judul (title), masing-masing dengan tanda pengenal Anda (id) bila perlu.",
        ),
    ]
    archive: Annotated[
        str | None, Field(max_length=200, description="Nama arsip; yang pertama bila tidak disebut.")
    ] = None


class JobStatus(BaseModel):
    """How far a check of a list is."""

    id: str
    state: JobState
    done: Annotated[int, Field(ge=0, description="Perbandingan yang sudah selesai.")]
    total: Annotated[int, Field(ge=0, description="Semuanya; 0 sebelum diketahui.")]
    message: Annotated[str, Field(description="Ringkasan hasil, atau sebab kegagalan.")]
    created: Annotated[str, Field(description="Waktu UTC (ISO 8601). Dihapus sesudah satu jam.")]
    result: Annotated[str | None, Field(description="Alamat hasilnya, bila sudah selesai.")]


class AmongProposals(BaseModel):
    """The nearest other title of the same list."""

    row: Annotated[int, Field(description="Barisnya dalam daftar.")]
    title: str
    verdict: Verdict
    probability: Probability


class CheckedTitle(BaseModel):
    """The answer for one title of a list."""

    row: Annotated[
        int, Field(description="Barisnya dalam daftar, mulai dari 1; dalam berkas, nomor baris.")
    ]
    id: str | None
    title: str
    verdict: Literal["MIRIP", "TANYAKAN", "TIDAK MIRIP", "TIDAK DIPERIKSA"]
    probability: Probability | None
    nearest: Annotated[str | None, Field(description="Judul arsip yang menentukan.")]
    among: Annotated[AmongProposals | None, Field(description="Usulan lain yang terdekat.")]


class ListAnswer(BaseModel):
    """The answer for a list of titles."""

    message: Annotated[str, Field(description="Ringkasan hasil.")]
    model: str
    threshold: Probability
    archive: str
    notes: list[str]
    titles: list[CheckedTitle]


class ArchiveEntry(BaseModel):
    """An archive that can be chosen."""

    name: str
    date: Annotated[
        str, Field(description="Hari perubahan terakhir (ISO 8601); kosong bila tak dikenal.")
    ]
    n_titles: Annotated[int | None, Field(description="null sebelum arsip itu dibuka.")]


class ArchiveList(BaseModel):
    """The archives that can be chosen, the one used first in front."""

    archives: list[ArchiveEntry]


class Health(BaseModel):
    """That the server answers."""

    status: Literal["ok"]


class Version(BaseModel):
    """Versions of the interface, the program and its models."""

    api: Literal["v1"]
    program: str
    models: list[UsedModel]


class FieldProblem(BaseModel):
    """What is wrong with a field."""

    field: str
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    type: Annotated[str, Field(description="Alamat penjelasannya.")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="Apa yang salah, dan apa yang dapat dilakukan.")]
    errors: list[FieldProblem] | None = None
