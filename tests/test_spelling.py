import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.preprocessing import stem_word
from judul_lib.spelling import (
    SpellingCorrector,
    right_stem,
    spellings,
    stem_exceptions,
    typed_alike,
    words_of,
)

VOCABULARY = "keuangan sekolah klasifikasi laporan kelas negeri kantor".split()


@pytest.fixture(scope="module")
def corrector():
    return SpellingCorrector(VOCABULARY)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Sya'ban dan Qur’an", ["syaban", "dan", "quran"]),
        ("Tokoh A.J. Greimas, S.M.A.W", ["tokoh", "aj", "greimas", "smaw"]),
        ("e-learning PM2.5", ["e", "learning", "pm", "2", "5"]),
        ("CNN–LSTM 2015–2022 — Jakarta", ["cnn", "lstm", "2015", "2022", "jakarta"]),
        ("Klasi\ufb01kasi di Kla\u00adten\u200b", ["klasifikasi", "di", "klaten"]),
        ("Nai\u0308ve, Na\u00efve, \uff21\uff22", ["naive", "naive", "ab"]),
    ],
)
def test_what_is_a_word(title, words):
    assert words_of(title) == words


@given(st.text())
def test_words_are_lower_case_letters_or_numbers(title):
    assert all(word.isascii() and word.isalnum() and word == word.lower() for word in words_of(title))


def test_wrong_stems_are_put_right():
    stems = {word: right_stem(word) for word in ("peramalan", "berbasis", "perawat", "bali")}
    assert stems == {"peramalan": "ramal", "berbasis": "basis", "perawat": "perawat", "bali": "bali"}
    assert stem_word("peramalan") == "amal"  # The study's own preprocessing stays as it is.


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("keuagan", "keuangan"),
        ("klasifikais", "klasifikasi"),
        ("analisa", "analisis"),
        ("sekolahan", "sekolahan"),  # a word of its own: it has a root
        ("xkeuangan", "xkeuangan"),  # the first letter must be right
        ("kels", "kels"),  # too short to guess
    ],
)
def test_typing_errors_are_put_right_carefully(corrector, typed, meant):
    assert corrector.words(typed) == [meant]


def test_a_preposition_typed_together_is_taken_apart(corrector):
    assert corrector.words("dikantor") == ["di", "kantor"]
    assert corrector.words("digital") == ["digital"]


def test_roman_numerals_are_numbers_only_where_they_count_something(corrector):
    assert corrector.words("Kelas V SD Negeri I") == ["kelas", "5", "sd", "negeri", "1"]
    assert corrector.words("vitamin V") == ["vitamin", "v"]


def test_no_spelling_is_corrected_twice():
    assert not set(spellings()) & set(spellings().values())
    assert all(word == word.lower() for word in (*spellings(), *stem_exceptions()))


def known(word):
    return word in {"padi", "daun", "padu", "kelas", "satu", "dua", "1", "2"}


@pytest.mark.parametrize(
    ("left", "right", "alike"),
    [
        ("daun padi", "daun padi", 1.0),
        ("daun padi", "daunpadi", 1.0),
        ("daun padi", "daun pdai", 0.75),
        ("daun padi", "daun padu", 0.0),  # both words exist
        ("kelas 1", "kelas 2", 0.0),
        ("daun padi", "daun zzzz", 0.0),
        ("daun yang padi", "daun padi", 1.0),  # function words do not count
    ],
)
def test_typing_differently_is_not_meaning_differently(left, right, alike):
    assert typed_alike(left.split(), right.split(), known) == alike
    assert typed_alike(right.split(), left.split(), known) == alike
