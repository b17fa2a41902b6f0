"""Shares of titles with an alarm, by the size of the archive."""

import pandas as pd
import pytest

from judul_lib.checking.registry import load_structured
from judul_lib.core.storage import sha256_of
from judul_lib.evaluation.real_archives import ALARM_SHARE_PATH, alarm_counts, read_alarm_shares
from judul_lib.training.structured import REAL_PAIRS_PATH

THINGS = "Padi Jagung Kopi Kakao Cabai Tomat Kentang Bawang Pisang Durian Mangga Salak".split()


@pytest.fixture(scope="module")
def counts():
    """Alarms on six titles of source b, each a paraphrase of a title of source a."""
    model, _ = load_structured("outputs/structured")
    originals = [("a", f"Klasifikasi Penyakit Daun {thing} Menggunakan CNN") for thing in THINGS]
    paraphrases = [
        ("b", f"Penerapan CNN untuk Klasifikasi Penyakit Daun {thing}") for thing in THINGS[:6]
    ]
    titles = pd.DataFrame([*originals, *paraphrases], columns=["Sumber", "Judul"])
    return alarm_counts(titles, {"b": model}, sizes=[1, 5], n_titles=6)


def test_same_titles_are_checked_against_each_archive(counts):
    assert counts["arsip"].tolist() == [1, 5, 12]
    assert (counts["judul"] == 6).all()


def test_alarms_rise_with_the_archive_that_contains_the_originals(counts):
    assert counts["mirip"].is_monotonic_increasing
    assert counts["mirip"].iloc[-1] == 6
    assert counts["mirip"].iloc[0] <= 1


def test_shares_are_read_from_counts(tmp_path, counts):
    path = tmp_path / "counts.csv"
    counts.to_csv(path, index=False)
    shares = read_alarm_shares(path)
    assert (shares["low"] <= shares["estimate"]).all()
    assert (shares["estimate"] <= shares["high"]).all()
    last = shares[shares["judul dalam arsip"] == 12].set_index("simpulan")["estimate"]
    assert last["MIRIP"] == 1
    assert last["TANYAKAN"] == 0


def test_stored_counts_belong_to_the_current_real_pairs():
    """If not, run scripts/alarm_share.py again, after scripts/real_pairs.py."""
    assert set(pd.read_csv(ALARM_SHARE_PATH)["pasangan_nyata"]) == {
        sha256_of(REAL_PAIRS_PATH.read_bytes())
    }
