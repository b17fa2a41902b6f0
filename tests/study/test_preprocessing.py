import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judul_lib.study import preprocessing
from judul_lib.study.preprocessing import (
    STOP_WORDS,
    preprocess_text,
    preprocess_titles,
    preprocessing_steps,
    stem_word,
    title_key,
)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Implementasi ML", "implementasi ml"),
        (
            "Implementasi Algoritma Machine Learning untuk Prediksi",
            "implementasi algoritma machine learning prediksi",
        ),
        ("PENERAPAN YOLO V8 (2024): Deteksi Helm!", "terap yolo deteksi helm"),
        ("yang dan di ke dari", ""),
        ("12345 !!! a b c", ""),
    ],
)
def test_titles_are_preprocessed_as_in_the_study(title, expected):
    assert preprocess_text(title) == expected


@pytest.mark.parametrize("value", [None, 3, 2.5, float("nan"), ["judul"], "", "   ", "\n\t"])
def test_anything_without_words_becomes_blank(value):
    assert preprocess_text(value) == ""


@given(st.text())
def test_only_stems_of_at_least_two_letters_remain(title):
    tokens = preprocess_text(title).split()
    assert all(len(token) > 1 and token.isascii() and token.islower() for token in tokens)


@given(st.lists(st.text(alphabet="abehknmt .,-1", max_size=40), max_size=5))
def test_many_titles_equal_single_titles(titles):
    assert preprocess_titles(titles) == [preprocess_text(title) for title in titles]


@given(st.text(alphabet="abehknmt .,-1", max_size=40))
def test_case_and_blanks_do_not_matter(title):
    assert preprocess_text(f"  {title.upper()}  ") == preprocess_text(title)


def test_stop_words_are_dropped_before_stemming():
    assert "guna" in STOP_WORDS
    assert preprocess_text("menggunakan") == "guna"


def test_last_step_is_the_preprocessed_title():
    title = "PERAMALAN Harga Beras di Kota Medan"
    assert list(preprocessing_steps(title).values())[-1] == preprocess_text(title)


def test_very_long_word_is_not_stemmed():
    start = time.perf_counter()
    assert preprocess_text("me" * 50_000) == "me" * 50_000
    assert time.perf_counter() - start < 5


def test_stemmer_dictionary_is_hashed():
    """The old distribution Sastrawi 1.0.1 searches a list, 426 times slower."""
    from importlib.metadata import distributions

    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    words = StemmerFactory().create_stemmer().delegatedStemmer.dictionary.words
    assert isinstance(words, dict | set | frozenset)
    assert "sastrawi" not in {d.metadata["Name"].lower() for d in distributions()}


def test_distinct_words_are_stemmed_once():
    stem_word.cache_clear()
    preprocess_titles(["Klasifikasi Daun Padi", "Klasifikasi Daun Jagung"] * 100)
    assert stem_word.cache_info().misses == 4


@pytest.mark.parametrize(
    "names",
    [
        ("C", "C++", "C#"), ("F", "F#"), ("NET", ".NET"), ("A", "A*", "A#"), ("J", "J#"), ("D", "D*"),
        ("C11", "C++11"), ("VB NET 7", "VB .NET 7"),
    ],
)  # fmt: skip
def test_signs_of_names_distinguish_titles(names):
    titles = [f"Belajar Pemrograman {name} untuk Pemula" for name in names]
    assert len(set(map(title_key, titles))) == len(names)
    assert len({title_key(f"Pemrograman {name}.") for name in names}) == len(names)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Deteksi Hoaks*", "Deteksi Hoaks"), ("CNN + SVM", "CNN SVM"),
        ("PHP+MySQL", "PHP MySQL"), ("Kelas #2", "Kelas 2"), ("C Sharp", "c#"), ("C ++", "C++"),
        ("Ｃ＋＋", "c++"), ("ASP.NET", "asp net"), ("Akhir kalimat.", "akhir kalimat"), ("C♯", "C#"),
    ],
)  # fmt: skip
def test_other_signs_do_not_distinguish_titles(left, right):
    assert title_key(left) == title_key(right)


@given(
    st.text(st.one_of(st.characters(max_codepoint=0x250), st.sampled_from("#♯+.* netNETadAD＃＋．＊ﬁ")))
)
def test_key_of_a_title_is_that_of_the_plain_way(title):
    text = unicodedata.normalize("NFKC", title)
    for sign, name in preprocessing._NAMED_SIGNS.items():
        text = sign.sub(name, text)
    assert title_key(title) == re.sub(r"[\W_]+", "", text).casefold()
