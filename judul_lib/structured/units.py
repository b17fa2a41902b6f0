"""The units of a title, each with its field and its role in cause and effect."""

from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """Role of a unit in *pengaruh X terhadap Y*, *X untuk meningkatkan Y* or *dari X ke Y*.

    PART is a part of a larger product: *modul X*, *pembuatan X pada aplikasi Y*. IMPLIED is a unit
    that another unit of the title contains or implies: *karyawan* beside *kinerja karyawan*.
    """

    NONE = 0
    CAUSE = 1
    EFFECT = 2
    PART = 3
    IMPLIED = 4


class Unit(NamedTuple):
    """A piece of a title that means one thing.

    Attributes
    ----------
    name : str
        Canonical term of the lexicon, or the stem of an unknown word; names are not stemmed.
    field : str
        One of `judul_lib.structured.lexicon.FIELDS`.
    text : str
        The words in the title, lower case, in standard spelling.
    is_known : bool
        Whether the lexicon has the unit.
    role : Role
    is_head : bool
        Whether it only introduces a name: *SMK*, *kecamatan*.
    """

    name: str
    field: str
    text: str
    is_known: bool
    role: Role = Role.NONE
    is_head: bool = False
