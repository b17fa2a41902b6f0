"""A misspelt word is mended where its neighbours leave no doubt, and nowhere else."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.structured.parser import TitleParser
from judul_lib.structured.words import words_of

PARSER = TitleParser()


def names(title):
    return [unit.name for unit in PARSER.parse(title)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Audit Laporan Keuagan PT Dua Roda", "Audit Laporan Keuangan PT Dua Roda"),
        ("Kwalitas Pelayanan Bengkel", "Kualitas Pelayanan Bengkel"),
        ("Banjir di Sulawesi Tenggra", "Banjir di Sulawesi Tenggara"),
        ("Lagu Anak Sekolah Dsar", "Lagu Anak Sekolah Dasar"),
        ("Peramalan dengan Metode Box Jenkin", "Peramalan dengan Metode Box Jenkins"),
        ("Senam untuk Ibu Hamli", "Senam untuk Ibu Hamil"),
    ],
)
def test_a_word_in_a_known_phrase_is_mended(written, meant):
    assert names(written) == names(meant)


@pytest.mark.parametrize(
    "title",
    [
        "Kombinasi Menu Buah Salad",  # Not "buah salak".
        "Aplikasi E-Monev Berbasis Web",  # Not "e-money".
        "Laporan Kegiatan Harian",  # A word of its own.
        "Desa Keuagan di Lereng Gunung",  # No phrase around it.
        "Sulawesi Barat",
    ],
)
def test_what_may_be_a_word_or_a_name_stays(title):
    words = {word for unit in PARSER.parse(title) for word in unit.text.split()}
    assert {"salad", "monev", "kegiatan", "keuagan", "barat"} & set(
        title.lower().replace("-", " ").split()
    ) <= words


@given(st.sampled_from(sorted(PARSER.lexicon.variants)), st.data())
def test_known_phrases_are_never_changed(phrase, data):
    """Every phrase of the lexicon means what it says, between other words too."""
    before = data.draw(st.text(string.ascii_lowercase, max_size=8))
    said = f"{before} {phrase}"
    spelled = [*said.split(), *words_of(said)]
    texts = [word for unit in PARSER.parse(said) for word in unit.text.split()]
    assert all(text in spelled for text in texts if len(text) > 8)
