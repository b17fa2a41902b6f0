"""Parse a title into a record: task, object, method and place, with roles in cause and effect.

The lexicon says which phrases mean one thing. Unknown words are kept as
content: their field is that of the part of the title in which they stand. The
name of a school, firm or village is a place up to the next part of the title,
whatever words it is made of.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from judul_lib.structured.lexicon import Lexicon, packaged_stems
from judul_lib.structured.phrase_spelling import PhraseSpellingCorrector
from judul_lib.structured.units import Role, Unit
from judul_lib.structured.words import (
    FUNCTION_WORDS,
    Word,
    corrected_stem,
    is_dictionary_word,
    phrases_within,
    standard_words,
)

# A phrase of at least so many letters is recognized without its blanks, in up to so many words.
_MIN_GLUED_LETTERS, _MAX_GLUED_WORDS = 7, 3

# Words that open a part of the title in which unknown words are method or object.
_METHOD_OPENERS = frozenset(
    "menggunakan metode algoritma memakai using arsitektur teknik berbantuan".split()
)
_OBJECT_OPENERS = frozenset("untuk terhadap pada tentang dalam antara for on of".split())
_PLACE_PREPOSITIONS = frozenset("di pada at in".split())
_CASE = frozenset("kasus case".split())
# A name follows these wherever they stand ...
_NAME_HEADS = frozenset(
    "pt cv ud po pd sd sdn sdit smp smpn smpit sma sman smk smkn smks mts mtsn man mi min tk paud "
    "universitas institut politeknik stmik stikes akademi rsud rsu rsia puskesmas polres polsek "
    "polda kua kspps ksps ksp bmt bpr bprs kelurahan kecamatan kabupaten kab kec provinsi dusun "
    "jalan jl dinas kementerian kodim ponpes ra perum perumda pdam sdlb slb slbn smplb unit "
    "sanggar lsm pmi pln rri tvri stain iain uin kelas pn pa lapas bappeda kpu".split()
)
# ... and these only after "di" or "pada", or before a word that is a name.
_LOCATIONS = frozenset(
    "toko bank koperasi yayasan hotel restoran restaurant kedai warung cafe kafe apotek apotik "
    "klinik bengkel salon laundry percetakan desa kota pasar pantai gunung sungai danau pulau "
    "taman masjid gereja pondok pesantren rumah balai badan kantor sekolah madrasah perpustakaan "
    "perusahaan kampus fakultas prodi jurusan komunitas studio butik pabrik peternakan perkebunan "
    "kebun museum lembaga pengadilan dealer cabang gudang outlet minimarket swalayan kampung rt "
    "rw air gua hutan kawasan wilayah daerah".split()
)
# A name ends before these.
_NAME_ENDS = frozenset(
    "menggunakan dengan berbasis untuk terhadap melalui sebagai metode algoritma memakai using "
    "based berdasarkan dalam tentang agar guna yang mata materi memanfaatkan berbantuan "
    "berbantukan ditinjau secara method with for pembelajaran teknik model".split()
)
_METHOD_TEMPLATES = frozenset(["menggunakan", "berbasis", "menggunakan metode"])  # Canonical templates.
_PERIODS = frozenset("tahun periode ta tp".split())
_CAUSES = frozenset(
    "pengaruh dampak efek effect influence impact hubungan peran kontribusi peranan".split()
)
_EFFECTS = frozenset("terhadap toward towards".split())
_ITS_EFFECT_WORDS = frozenset("pengaruhnya dampaknya efeknya kontribusinya perannya".split())
_SUBSTITUTION_WORDS = frozenset("substitusi penggantian mengganti pengganti konversi".split())
_TARGET_WORDS = frozenset("ke menjadi menuju into".split())
_IMPROVES = frozenset("meningkatkan peningkatan tingkatkan improving increase improve".split())
_PARTS = frozenset("modul modular submodul fitur menu halaman module feature page".split())
_MAKES = frozenset("pembuatan pengembangan perancangan desain implementasi penerapan".split())
_PRODUCTS = frozenset("aplikasi sistem game permainan media website web platform video film".split())


class _Phrase(NamedTuple):
    """Some words of a title; if the lexicon has them, with their canonical term and field."""

    words: list[str]
    entry: tuple[str, str] | None

    @property
    def field(self) -> str:
        return self.entry[1] if self.entry else ""

    @property
    def name(self) -> str:
        return self.entry[0] if self.entry else ""


class TitleParser:
    """Parses titles with a lexicon; the longest phrase wins.

    Parameters
    ----------
    lexicon : Lexicon
        The package's lexicon by default.
    stem : callable
        From word to stem; `corrected_stem` by default.

    Examples
    --------
    >>> [(unit.field, unit.name) for unit in TitleParser().parse("Deteksi Hoaks Menggunakan CNN")]
    [('task', 'deteksi'), ('object', 'berita palsu'), ('method', 'cnn')]
    """

    def __init__(
        self, lexicon: Lexicon | None = None, *, stem: Callable[[str], str] = corrected_stem
    ) -> None:
        is_packaged = lexicon is None and stem is corrected_stem
        self.lexicon = lexicon or Lexicon.read()
        self.stem = stem
        stems = packaged_stems() if is_packaged else self.lexicon.stems(stem)
        self._stemmed: dict[str, tuple[str, str]] = {}
        self._glued: dict[str, tuple[str, str]] = {}
        for variant, entry in self.lexicon.variants.items():
            stemmed = " ".join(stems.get(word, word) for word in variant.split())
            # A single word is matched by its stem only if it is one: not every "nilai" is a "penilaian".
            if " " in variant or stemmed == variant:
                self._stemmed.setdefault(stemmed, entry)
            glued = variant.replace(" ", "")
            if len(glued) >= _MIN_GLUED_LETTERS and entry[1] != "template":
                self._glued.setdefault(glued, entry)
        phrases = *self.lexicon.variants, *self.lexicon.places
        self._spelling = PhraseSpellingCorrector(phrases, is_dictionary_word)
        # Number of words of the longest phrase by its first word.
        self._max_length: dict[str, int] = {}
        for phrase in (*phrases, *self._stemmed):
            first, length = phrase.split(" ", 1)[0], phrase.count(" ") + 1
            self._max_length[first] = max(self._max_length.get(first, 0), length)

    def parse(self, title: str) -> list[Unit]:
        """Return the distinct units of a title, in its order.

        Template words and function words are left out; every other word is in
        exactly one unit.
        """
        words = self._spelling.corrected(standard_words(title, self.lexicon.places))
        reader, position = _TitleReader(self, words), 0
        while position < len(words):
            position += reader.read(position)
        distinct: dict[tuple[str, bool], Unit] = {}
        for unit in reader.units:
            distinct.setdefault((unit.name, unit.field == "place"), unit)
        return self._with_implied(list(distinct.values()))

    def locate(self, title: str) -> list[tuple[Unit, list[int]]]:
        """Return where each unit of a title is written, also those that are written again.

        Returns
        -------
        list of (Unit, list of int)
            The unit, and the numbers of its words in `judul_lib.structured.words.split_title`.

        Examples
        --------
        >>> [(unit.name, words) for unit, words in TitleParser().locate("Deteksi Berita Bohong")]
        [('deteksi', [0]), ('berita palsu', [1, 2])]
        """
        words = self._spelling.corrected(standard_words(title, self.lexicon.places))
        reader, position = _TitleReader(self, words), 0
        places: list[list[int]] = []
        while position < len(words):
            length = reader.read(position)
            sources = [word.source for word in words[position : position + length]]
            if len(reader.units) > len(places):
                places.append(sources)
            elif places and words[position].is_decimal:  # It went on the number before it.
                places[-1] += sources
            position += length
        return list(zip(reader.units, places, strict=True))

    def _with_implied(self, units: list[Unit]) -> list[Unit]:
        implied = {name for unit in units for name in self.lexicon.implied.get(unit.name, ())}
        implied.update(*(phrases_within(unit.name) for unit in units if unit.field != "place"))
        return [
            unit._replace(role=Role.IMPLIED)
            if unit.name in implied and unit.role == Role.NONE and unit.field != "place"
            else unit
            for unit in units
        ]

    def is_doubtful_place(self, phrase: _Phrase) -> bool:
        """Tell whether a phrase is a place only after *di*, *pada* or within a name."""
        return phrase.field == "place" and " ".join(phrase.words) in self.lexicon.ambiguous

    def phrase_at(self, words: Sequence[str], stems: Sequence[str], start: int) -> _Phrase:
        """Return the longest known phrase from a word on, or the word alone."""
        length, entry = self._longest(words, stems, start)
        if length > 1 and entry is not None and entry[1] == "template":
            # "menggunakan algoritma | semut" must not hide "algoritma semut".
            last = start + length - 1
            next_length, next_entry = self._longest(words, stems, last)
            if next_length > 1 and next_entry is not None and next_entry[1] != "template":
                length, entry = last - start, ("", "template")
        return _Phrase(list(words[start : start + length]), entry)

    def _longest(
        self, words: Sequence[str], stems: Sequence[str], start: int
    ) -> tuple[int, tuple[str, str] | None]:
        lexicon = self.lexicon
        max_length = max(self._max_length.get(forms[start], 0) for forms in (words, stems))
        for length in range(min(max_length, len(words) - start), 0, -1):
            phrase = " ".join(words[start : start + length])
            entry = lexicon.variants.get(phrase)
            if entry is None and (length > 1 or words[start] not in FUNCTION_WORDS):
                entry = self._stemmed.get(" ".join(stems[start : start + length]))
            if entry is None and self.is_place(phrase):
                entry = phrase, "place"
            if entry is not None:
                return length, entry
        for length in range(min(_MAX_GLUED_WORDS, len(words) - start), 0, -1):
            entry = self._glued.get("".join(words[start : start + length]))
            if entry is not None:
                return length, entry
        return 1, None

    def is_place(self, phrase: str) -> bool:
        """Tell whether a phrase is a place in any context."""
        return phrase in self.lexicon.places and phrase not in self.lexicon.ambiguous

    def is_word(self, word: str) -> bool:
        """Tell whether a word is in a dictionary or the lexicon."""
        return not self.is_unknown(word, self.stem(word)) or is_dictionary_word(word)

    def is_unknown(self, word: str, stem: str) -> bool:
        """Tell whether the lexicon does not have a word as a phrase of its own: it may be a name."""
        return word not in self.lexicon.variants and stem not in self._stemmed


@cache
def packaged_parser() -> TitleParser:
    """Return the parser with the package's lexicon, which all models of a process share.

    Examples
    --------
    >>> packaged_parser() is packaged_parser()
    True
    """
    return TitleParser()


class _TitleReader:
    """The state of reading one title from left to right."""

    def __init__(self, parser: TitleParser, words: Sequence[Word]) -> None:
        self.units: list[Unit] = []
        self._parser, self._words = parser, words
        self._texts = [word.text for word in words]
        self._stems = [parser.stem(text) for text in self._texts]
        self._default_field = "object"  # The field of unknown words.
        self._in_name = self._in_case_study = self._follows_place_preposition = False
        self._role, self._is_causal, self._is_substitution = Role.NONE, False, False

    def read(self, at: int) -> int:
        """Read the phrase at a word; return its number of words."""
        phrase = self._parser.phrase_at(self._texts, self._stems, at)
        if self._parser.is_doubtful_place(phrase) and not (
            self._in_name or self._follows_place_preposition
        ):
            phrase = phrase._replace(entry=None)
        length = len(phrase.words)
        self._leave_name(at, phrase)
        if self._opens_case_study(at, phrase):
            self._in_case_study = self._in_name = True
            return length
        self._assign_role(at, phrase)
        first, last = phrase.words[0], phrase.words[-1]
        if first in _NAME_HEADS and not (length > 1 and phrase.field in {"object", "method"}):
            self._add(phrase, at, "place", is_head=True)
            self._in_name, self._default_field = True, "place"
        elif first in _PERIODS and self._is_period(at + 1):
            self._in_name = True
        elif self._begins_location(at, phrase):
            self._read_location(at, phrase)
        else:
            self._read_other(at, phrase)
        follows_template = self._follows_place_preposition and phrase.field == "template"
        self._follows_place_preposition = last in _PLACE_PREPOSITIONS or follows_template
        if last in _METHOD_OPENERS:
            self._default_field = "method"
        return length

    def _begins_location(self, at: int, phrase: _Phrase) -> bool:
        is_location = phrase.words[0] in _LOCATIONS or phrase.field == "place"
        return is_location and (not self._in_name or (at > 0 and self._texts[at - 1] == "di"))

    def _leave_name(self, at: int, phrase: _Phrase) -> None:
        word = self._words[at]
        if self._in_case_study:
            if word.is_after_closing or (phrase.name in _METHOD_TEMPLATES and not word.is_after_opening):
                self._in_case_study = self._in_name = False
                self._default_field = "object"
        elif self._in_name and (
            word.is_after_break or word.text in _NAME_ENDS or phrase.name in _METHOD_TEMPLATES
        ):
            self._in_name, self._default_field = False, "object"

    def _opens_case_study(self, at: int, phrase: _Phrase) -> bool:
        is_case_study = phrase.name == "studi kasus" or phrase.words == ["study", "kasus"]
        return is_case_study and bool(_CASE & set(phrase.words) or self._words[at].is_after_opening)

    def _is_period(self, at: int) -> bool:
        following = self._text_at(at)
        return following.isdecimal() or following in {"ajaran", "pelajaran", "akademik"}

    def _text_at(self, at: int) -> str:
        return self._texts[at] if at < len(self._texts) else ""

    def _assign_role(self, at: int, phrase: _Phrase) -> None:
        first, last = phrase.words[0], phrase.words[-1]
        if first in _CAUSES:
            self._is_causal, self._role = True, Role.CAUSE
        elif first in _ITS_EFFECT_WORDS:
            self._is_causal = True
            self._mark_read_units_as_causes()
        elif (self._is_causal and first in _EFFECTS) or _IMPROVES & set(phrase.words):
            self._role = Role.EFFECT
        elif first in _SUBSTITUTION_WORDS:
            self._is_substitution, self._role = True, Role.CAUSE
        elif last == "dari" and _TARGET_WORDS & set(self._texts[at:]):
            self._role = Role.CAUSE
        elif last in _TARGET_WORDS or (self._is_substitution and last == "dengan"):
            if self._role == Role.NONE:
                self._mark_read_units_as_causes()
            self._role, self._is_substitution = Role.EFFECT, False
        elif first in _PARTS or (first in _MAKES and at == 0 and self._names_product()):
            self._role = Role.PART
        elif (
            not self._is_causal
            and self._role
            and (last in _PLACE_PREPOSITIONS or phrase.name in _METHOD_TEMPLATES)
        ):
            self._role = Role.NONE

    def _names_product(self) -> bool:
        """Tell whether the title has *pada* or *dalam* before a product, such as *aplikasi*."""
        pairs = pairwise(self._texts)
        return any(word in {"pada", "dalam"} and next_word in _PRODUCTS for word, next_word in pairs)

    def _mark_read_units_as_causes(self) -> None:
        self.units = [unit._replace(role=Role.CAUSE) for unit in self.units]

    def _read_location(self, at: int, phrase: _Phrase) -> None:
        """Read a place or a kind of place, which begins a name or is the object of the study."""
        after = at + len(phrase.words)
        following = self._text_at(after)
        is_before_name = (
            following != ""
            and following not in FUNCTION_WORDS
            and following not in _NAME_ENDS
            and (
                following in self._parser.lexicon.places
                or self._parser.is_unknown(following, self._stems[after])
            )
        )
        is_place = self._parser.is_place(" ".join(phrase.words))
        self._in_name = self._follows_place_preposition or is_before_name or is_place
        field = "place" if self._in_name else phrase.field or "object"
        if phrase.field != "template":
            self._add(phrase, at, field, is_head=phrase.words[0] in _LOCATIONS)
        self._default_field = "place" if self._in_name else self._default_field

    def _read_other(self, at: int, phrase: _Phrase) -> None:
        first, last = phrase.words[0], phrase.words[-1]
        if first == "di" and not self._in_case_study:
            self._in_name = True
        if phrase.entry is None:
            self._read_unknown(at, phrase)
        elif phrase.field == "template":
            if phrase.name in {"menggunakan", "menggunakan metode"}:
                self._default_field = "method"
            elif last in _OBJECT_OPENERS:
                self._default_field = "object"
        else:
            field = phrase.field
            if self._in_name and not self._in_case_study:
                # A known term right after "di" is not part of a name; a task or method ends a name.
                is_after_di = at > 0 and self._texts[at - 1] == "di" and field != "place"
                if is_after_di or field in {"task", "method"}:
                    self._in_name = False
            if self._in_name and (self._in_case_study or field == "object") and field != "method":
                field = "place"  # Such as a firm named after what it sells.
            self._add(phrase, at, field)
            self._default_field = "place" if field == "place" else self._default_field

    def _read_unknown(self, at: int, phrase: _Phrase) -> None:
        word = phrase.words[0]
        if word in FUNCTION_WORDS or (len(word) == 1 and word.isalpha()):
            if word in _OBJECT_OPENERS:
                self._default_field = "object"
            return
        if self._words[at].is_decimal and self.units:
            last = self.units[-1]
            if last.text.split()[-1].isdecimal() and not last.is_known:
                # "2.0" and "2.2" are two versions, and neither is "2".
                version = f"{last.name} {word}"
                self.units[-1] = last._replace(name=version, text=version)
                return
        is_year = word.isdecimal() and len(word) == 4 and word[:2] in {"19", "20"}
        is_place = self._in_name or is_year or self._parser.is_place(word)
        self._add(phrase, at, "place" if is_place else self._default_field)

    def _add(self, phrase: _Phrase, at: int, field: str, *, is_head: bool = False) -> None:
        text, is_known = " ".join(phrase.words), phrase.entry is not None
        if is_known and phrase.field != "template":
            name = phrase.name
        else:
            name = text if field == "place" else self._stems[at]
        self.units.append(Unit(name, field, text, is_known or is_head, self._role, is_head))
