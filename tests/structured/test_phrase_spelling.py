"""A misspelt word is corrected only where its neighbours leave no doubt."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.structured.parser import packaged_parser

PARSER = packaged_parser()
PHRASES = sorted(phrase for phrase in PARSER.lexicon.variants if " " in phrase)


def names(title):
    return [unit.name for unit in PARSER.parse(title)]


@pytest.mark.parametrize(
    ("misspelt", "correct"),
    [
        ("Audit Laporan Keuagan PT Dua Roda", "Audit Laporan Keuangan PT Dua Roda"),
        ("Kwalitas Pelayanan Bengkel", "Kualitas Pelayanan Bengkel"),
        ("Banjir di Sulawesi Tenggra", "Banjir di Sulawesi Tenggara"),
        ("Lagu Anak Sekolah Dsar", "Lagu Anak Sekolah Dasar"),
        ("Peramalan dengan Metode Box Jenkin", "Peramalan dengan Metode Box Jenkins"),
        ("Senam untuk Ibu Hamli", "Senam untuk Ibu Hamil"),
    ],
)
def test_a_misspelt_word_in_a_known_phrase_is_corrected(misspelt, correct):
    assert names(misspelt) == names(correct)


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
def test_a_possible_word_or_name_is_not_corrected(title):
    words = {word for unit in PARSER.parse(title) for word in unit.text.split()}
    assert {"salad", "monev", "kegiatan", "keuagan", "barat"} & set(
        title.lower().replace("-", " ").split()
    ) <= words


@given(st.sampled_from(PHRASES), st.text(string.ascii_lowercase, max_size=8))
def test_the_words_of_a_known_phrase_are_kept_or_parsed_as_its_term(phrase, before):
    units = PARSER.parse(f"{before} {phrase}")
    texts = [word for unit in units for word in unit.text.split() if len(word) > 8]
    canonical, _ = PARSER.lexicon.variants[phrase]
    is_known = canonical in [unit.name for unit in units]
    assert is_known or all(text in f"{before} {phrase}".split() for text in texts)
