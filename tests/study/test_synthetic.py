import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import OSA

from judul_lib.core.errors import CorpusError
from judul_lib.study.synthetic import KINDS, cut_titles, read_pieces, synthetic_titles
from tests.conftest import DATA, PROJECT


def key(title):
    return re.sub(r"[\W_]+", "", title).casefold()


@pytest.fixture(scope="module")
def catalogue():
    return synthetic_titles(20_000, seed=3, near_duplicates=0.1, data=DATA.parent)


def test_titles_are_cut_before_method_and_place():
    pieces = cut_titles(["Prediksi Harga Beras dengan metode LSTM pada Pasar", "DETEKSI HOAKS DI MEDAN"])
    assert pieces.heads == ["Prediksi Harga Beras", "Deteksi Hoaks"]
    assert pieces.methods == ["dengan Metode LSTM"]
    assert pieces.places == ["pada Pasar", "di Medan"]
    assert pieces.n_combinations == 4


def test_pieces_are_distinct_and_enough_for_a_million_titles():
    pieces = read_pieces(DATA.parent)
    for part in (pieces.heads, pieces.methods, pieces.places):
        assert len({key(text) for text in part}) == len(part)
    assert pieces.n_combinations > 100_000_000


def test_catalogue_has_the_requested_size_and_share(catalogue):
    assert len(catalogue.titles) == 20_000
    assert catalogue.pairs.shape == (2000, 2)
    assert len(catalogue.kinds) == 2000
    assert len(synthetic_titles(7, seed=1, near_duplicates=0, data=DATA.parent).titles) == 7
    assert synthetic_titles(0, seed=1, data=DATA.parent).titles == []


def test_titles_except_capitalized_copies_differ_by_more_than_case_and_punctuation(catalogue):
    capitals = sum(kind == list(KINDS)[-1] for kind in catalogue.kinds)
    assert len({key(title) for title in catalogue.titles}) == 20_000 - capitals
    assert len(set(catalogue.titles)) == 20_000


def test_pairs_are_disjoint_and_copies_are_spread_out(catalogue):
    assert len(set(catalogue.pairs.ravel().tolist())) == 4000
    copies = catalogue.pairs[:, 1]
    assert abs(copies.mean() / 20_000 - 0.5) < 0.05
    assert (copies < catalogue.pairs[:, 0]).mean() == pytest.approx(0.5, abs=0.05)


def test_near_duplicates_differ_as_their_kind_says(catalogue):
    counts = Counter(catalogue.kinds)
    assert min(counts[kind] for kind in KINDS) > 400
    for (row, other), kind in zip(catalogue.pairs.tolist(), catalogue.kinds, strict=True):
        title, copy = catalogue.titles[row], catalogue.titles[other]
        words, copied = title.split(), copy.split()
        places = [k for k, (a, b) in enumerate(zip(words, copied, strict=False)) if a != b]
        if kind == "satu salah ketik":
            assert len(places) == 1
            assert len(words) == len(copied)
            assert OSA.distance(title, copy) == 1
        elif kind == "dua kata bertukar":
            assert len(places) == 2
            assert places[1] == places[0] + 1
            assert copied[places[0]] == words[places[1]]
            assert copied[places[1]] == words[places[0]]
        elif kind == "satu kata hilang":
            assert any(words[:k] + words[k + 1 :] == copied for k in range(len(words)))
        else:
            assert copy.isupper()
            assert key(copy) == key(title)
            assert re.sub(r"\w", "", copy) != re.sub(r"\w", "", title)


def test_same_seed_gives_the_same_catalogue_in_every_process(catalogue):
    code = (
        "from judul_lib.study.synthetic import synthetic_titles; import hashlib, sys; "
        "c = synthetic_titles(20_000, seed=3, near_duplicates=0.1, data=sys.argv[1]); "
        "print(hashlib.sha256(repr((c.titles, c.pairs.tolist(), c.kinds)).encode()).hexdigest())"
    )
    expected = repr((catalogue.titles, catalogue.pairs.tolist(), catalogue.kinds)).encode()
    for salt in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", code, DATA.parent],
            cwd=PROJECT, env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert result.stdout.strip() == hashlib.sha256(expected).hexdigest()


def test_another_seed_gives_another_catalogue(catalogue):
    other = synthetic_titles(20_000, seed=4, near_duplicates=0.1, data=DATA.parent)
    assert len(set(catalogue.titles) & set(other.titles)) < 20


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_million_distinct_titles_need_little_memory():
    # resource.getrusage would include the size of the parent process.
    code = (
        "from judul_lib.study.synthetic import synthetic_titles; import sys; "
        "c = synthetic_titles(1_000_000, seed=1, data=sys.argv[1]); "
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')); "
        "print(len(set(c.titles)), peak.split()[1])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, DATA.parent],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    distinct, kilobytes = map(int, result.stdout.split())
    assert distinct == 1_000_000
    assert kilobytes < 650_000


def test_too_few_pieces_are_refused(tmp_path):
    (tmp_path / "dataset_TA.csv").write_text("Judul\nPrediksi Beras menggunakan LSTM di Medan\n")
    (tmp_path / "gold_pairs.csv").write_text(
        "judul_a,judul_b\nDeteksi Hoaks memakai SVM pada Berita,Klasifikasi Daun memakai CNN\n"
    )
    catalogue = synthetic_titles(6, seed=1, near_duplicates=0, data=tmp_path)
    assert len(np.unique(catalogue.titles)) == 6
    with pytest.raises(CorpusError, match="9 judul"):
        synthetic_titles(10, seed=1, near_duplicates=0, data=tmp_path)
    with pytest.raises(CorpusError, match="tidak ditemukan"):
        synthetic_titles(10, seed=1, data=tmp_path / "lain")
    with pytest.raises(ValueError, match="near_duplicates"):
        synthetic_titles(10, seed=1, near_duplicates=0.9, data=DATA.parent)
