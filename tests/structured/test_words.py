"""The words of a title, and what is put right in them: only what is listed."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.structured.lexicon import LEXICON_FILE, Lexicon
from judul_lib.structured.words import (
    corrected_stem,
    is_dictionary_word,
    spellings,
    split_title,
    standard_words,
    stem_exceptions,
    tokenize,
)
from judul_lib.study.preprocessing import stem_word


def standard(title, places=frozenset()):
    return [word.text for word in standard_words(title, places)]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Sya'ban dan Qur’an", ["syaban", "dan", "quran"]),
        ("Tokoh A.J. Greimas, S.M.A.W", ["tokoh", "aj", "greimas", "smaw"]),
        ("e-learning PM2.5", ["e", "learning", "pm", "2", "5"]),
        ("CNN–LSTM 2015–2022 — Jakarta", ["cnn", "lstm", "2015", "2022", "jakarta"]),
        ("Klasi\ufb01kasi di Kla\u00adten\u200b", ["klasifikasi", "di", "klaten"]),
        ("Nai\u0308ve, Na\u00efve, \uff21\uff22", ["naive", "naive", "ab"]),
        ("<i>Naïve</i> Bayes &amp; SVM", ["naive", "bayes", "svm"]),
        ("Usulan Judul 3: Prediksi Hujan", ["prediksi", "hujan"]),
    ],
)
def test_what_is_a_word(title, words):
    assert tokenize(title) == words


@given(st.text())
def test_words_are_lower_case_letters_or_numbers(title):
    assert all(word.isascii() and word.isalnum() and word == word.lower() for word in tokenize(title))
    assert all(standard(title))


def test_punctuation_is_told_before_the_word_after_it():
    words = split_title("Kinerja Guru (Studi di Solo): Teori / Praktik")
    assert [w.text for w in words if w.is_after_opening] == ["studi"]
    assert [w.text for w in words if w.is_after_closing] == ["teori"]
    assert [w.text for w in words if w.is_after_break] == ["studi", "teori"]  # A stroke joins.


def test_wrong_stems_are_put_right():
    stems = {word: corrected_stem(word) for word in ("peramalan", "berbasis", "perawat", "bali")}
    assert stems == {"peramalan": "ramal", "berbasis": "basis", "perawat": "perawat", "bali": "bali"}
    assert stem_word("peramalan") == "amal"  # The study's own preprocessing stays as it is.


def test_what_is_listed_is_put_right_and_what_may_be_a_name_is_not():
    assert standard("Analisa Klasifkasi Zyxwvuta") == ["analisis", "klasifikasi", "zyxwvuta"]


def test_a_preposition_is_cut_off_only_before_a_place():
    places = {"sleman", "gital"}
    assert standard("disleman digital dikantor", places) == ["di", "sleman", "digital", "dikantor"]


def test_roman_numerals_are_numbers_only_where_they_count_something():
    assert standard("Kelas V SD Negeri I") == ["kelas", "5", "sd", "negeri", "1"]
    assert standard("vitamin V kelas 08") == ["vitamin", "v", "kelas", "8"]


def test_no_spelling_is_corrected_twice():
    assert not set(spellings()) & set(spellings().values())
    assert all(word == word.lower() for word in (*spellings(), *stem_exceptions()))


@pytest.mark.parametrize("word", ["padi", "mengelompokkan", "dan", "8"])
def test_a_word_of_a_dictionary_is_no_typing_error(word):
    assert is_dictionary_word(word)
    assert not is_dictionary_word("kelompkk")


def test_letters_joined_by_an_ampersand_are_a_name():
    assert tokenize("Ulasan J&T, R&D; A & B") == ["ulasan", "jnt", "rnd", "a", "b"]


def test_a_phrase_of_the_lexicon_is_read_as_a_title_would_be():
    """Plain ones are not cut into words first; that must make no difference."""
    with LEXICON_FILE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    written = [v for row in rows for v in (row["canonical"], *filter(None, row["variants"].split("|")))]
    assert {" ".join(tokenize(variant)) for variant in written} == set(Lexicon.read().variants)
