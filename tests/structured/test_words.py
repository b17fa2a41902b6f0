"""Titles are split into words, and only listed spellings are corrected."""

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
def test_a_title_is_split_into_words(title, words):
    assert tokenize(title) == words


@given(st.text())
def test_words_are_lower_case_letters_or_numbers(title):
    assert all(word.isascii() and word.isalnum() and word == word.lower() for word in tokenize(title))
    assert all(standard(title))


def test_a_word_knows_the_punctuation_before_it():
    words = split_title("Kinerja Guru (Studi di Solo): Teori / Praktik")
    assert [w.text for w in words if w.is_after_opening] == ["studi"]
    assert [w.text for w in words if w.is_after_closing] == ["teori"]
    assert [w.text for w in words if w.is_after_break] == ["studi", "teori"]  # A stroke joins.


def test_wrong_stems_are_corrected():
    stems = {word: corrected_stem(word) for word in ("peramalan", "berbasis", "perawat", "bali")}
    assert stems == {"peramalan": "ramal", "berbasis": "basis", "perawat": "perawat", "bali": "bali"}
    assert stem_word("peramalan") == "amal"  # The study's own preprocessing stays as it is.


def test_listed_spellings_are_corrected_and_unknown_words_are_not():
    assert standard("Analisa Klasifkasi Zyxwvuta") == ["analisis", "klasifikasi", "zyxwvuta"]


def test_a_preposition_is_split_off_only_before_a_place():
    places = {"sleman", "gital"}
    assert standard("disleman digital dikantor", places) == ["di", "sleman", "digital", "dikantor"]


def test_roman_numerals_are_numbers_only_after_a_counted_noun():
    assert standard("Kelas V SD Negeri I") == ["kelas", "5", "sd", "negeri", "1"]
    assert standard("vitamin V kelas 08") == ["vitamin", "v", "kelas", "8"]


def test_no_standard_spelling_is_corrected_again():
    assert not set(spellings()) & set(spellings().values())
    assert all(word == word.lower() for word in (*spellings(), *stem_exceptions()))


@pytest.mark.parametrize("word", ["padi", "mengelompokkan", "dan", "8"])
def test_dictionary_words_are_recognized(word):
    assert is_dictionary_word(word)
    assert not is_dictionary_word("kelompkk")


def test_letters_joined_by_an_ampersand_are_one_word():
    assert tokenize("Ulasan J&T, R&D; A & B") == ["ulasan", "jnt", "rnd", "a", "b"]


def test_the_lexicon_tokenizes_its_phrases_as_titles():
    with LEXICON_FILE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    phrases = [p for row in rows for p in (row["canonical"], *filter(None, row["variants"].split("|")))]
    assert {" ".join(tokenize(phrase)) for phrase in phrases} == set(Lexicon.read().variants)
