"""What a title is read into: units, each with its field and the part that it plays in a cause."""

from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """Part in *pengaruh X terhadap Y*, in *X untuk meningkatkan Y*, or in *dari X ke Y*.

    PART is what a title makes of a larger product: *modul X*, *pembuatan X pada aplikasi Y*. What
    another unit of the title says already is IMPLIED: with *kinerja karyawan*, *karyawan*.
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
        Canonical term of the lexicon, or the stem of an unknown word; a name is not stemmed.
    field : str
        One of `judul_lib.structured.lexicon.FIELDS`.
    text : str
        The words as they stand in the title, lower case, in standard spelling.
    known : bool
        Whether the lexicon has it.
    role : Role
    is_head : bool
        Whether it only announces a name: *SMK*, *kecamatan*.
    """

    name: str
    field: str
    text: str
    known: bool
    role: Role = Role.NONE
    is_head: bool = False
