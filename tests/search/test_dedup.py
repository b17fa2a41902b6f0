"""All near-duplicates of a catalogue are found and grouped, and an interrupted run is resumed."""

import os
import signal
import subprocess
import sys
import time
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judul_lib import TitleIndex, load_checker
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.cli.main import cli
from judul_lib.core.errors import CorpusError, ModelError
from judul_lib.search.dedup import find_duplicates, recall
from judul_lib.search.pair_blocks import StructuredPairFinder, StudyPairFinder
from judul_lib.study.corpus import read_corpus
from judul_lib.study.synthetic import synthetic_titles
from tests.conftest import PROJECT, assert_refused, gold_titles, judul

LIGHT, STRUCTURED = PROJECT / "outputs" / "light", PROJECT / "outputs" / "structured"
WORDS = "klasifikasi penyakit daun padi CNN menggunakan metode SVM di Medan sistem informasi x".split()
TITLES = st.lists(st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join), min_size=1, max_size=30)


def brute_force(titles, model, threshold):
    """Return the probability of each pair of rows that reaches a threshold, by the plain check."""
    pairs = list(combinations(range(len(titles)), 2))
    if not pairs:
        return {}
    left, right = ([titles[pair[k]] for pair in pairs] for k in (0, 1))
    _, probability, _ = load_checker(model, titles).score(left, right)
    return {pair: p for pair, p in zip(pairs, probability.tolist(), strict=True) if p >= threshold}


def as_dict(duplicates):
    found = duplicates.found
    pairs = zip(found.left.tolist(), found.right.tolist(), strict=True)
    return dict(zip(pairs, found.probability.tolist(), strict=True))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(titles=TITLES, block_rows=st.integers(1, 9), threshold=st.sampled_from([0.3, 0.6, 0.9]))
def test_blocking_finds_the_pairs_of_a_brute_force_search(monkeypatch, titles, block_rows, threshold):
    monkeypatch.setattr(StudyPairFinder, "block_rows", block_rows)
    monkeypatch.setattr("judul_lib.search.pair_blocks._TOP_N", 2)
    duplicates = find_duplicates(titles, LIGHT, threshold=threshold)
    assert as_dict(duplicates) == brute_force(titles, LIGHT, threshold)


@pytest.mark.parametrize("model", [LIGHT, STRUCTURED], ids=["light", "structured"])
@pytest.mark.slow
def test_exact_search_and_blocking_on_the_gold_titles(model):
    titles = gold_titles()[:250]
    expected = brute_force(titles, model, 0.6)
    exact = find_duplicates(titles, model, exact=True)
    assert as_dict(exact) == expected
    assert exact.complete
    fast = find_duplicates(titles, model)
    assert as_dict(fast).items() <= expected.items()
    assert len(fast) >= 0.95 * len(expected)
    assert fast.complete == (model == LIGHT)
    assert recall(fast, model, n_titles=len(titles)) == (len(fast), len(expected))


def all_pairs(titles, rows, threshold):
    """Return the probability of pairs of rows, the first one of *rows*, by comparing all titles."""
    checker = load_checker(STRUCTURED, titles)
    found = {}
    for start in range(0, len(rows), 10):
        left = rows[start : start + 10]
        pairs = np.repeat(range(len(left)), len(titles)), np.tile(range(len(titles)), len(left))
        probability = checker.probability(
            checker.compare([titles[row] for row in left]).features(*pairs)
        )
        table = probability.reshape(len(left), -1)
        for k, row in zip(*np.nonzero(table >= threshold), strict=True):
            found[int(left[k]), int(row)] = float(table[k, row])
    return found


def test_an_index_finds_the_pairs_of_the_structured_model_without_comparing_all(monkeypatch):
    titles, rows = gold_titles()[:700], range(0, 700, 25)
    expected = all_pairs(titles, rows, 0.05)
    index = TitleIndex.build(titles, STRUCTURED)
    n_compared = []
    probability = StructuredChecker.probability
    monkeypatch.setattr(
        StructuredChecker, "probability",
        lambda self, features: n_compared.append(len(features)) or probability(self, features),
    )  # fmt: skip
    for threshold in (0.05, 0.6):
        found = index.rows_above([titles[row] for row in rows], threshold)
        pairs = {
            (row, other) for row, others in zip(rows, found, strict=True) for other in others.tolist()
        }
        assert pairs == {pair for pair, p in expected.items() if p >= threshold}
    assert len(pairs) > len(rows)
    assert sum(n_compared) < 0.7 * 2 * len(rows) * len(titles)
    n_compared.clear()
    index.rows_above([titles[0]], 0.01)
    assert n_compared == [len(titles)]


@pytest.mark.slow
def test_exact_search_by_the_structured_model_finds_the_pairs_of_a_comparison_of_all():
    titles = [*gold_titles(), *synthetic_titles(160, seed=1, data=PROJECT / "data").titles]
    expected = all_pairs(titles, range(len(titles)), 0.05)
    exact = find_duplicates(titles, STRUCTURED, threshold=0.05, exact=True)
    assert as_dict(exact) == {pair: p for pair, p in expected.items() if pair[0] < pair[1]}


def test_the_size_of_structured_blocks_does_not_matter(monkeypatch):
    titles = gold_titles()[:120]
    whole = find_duplicates(titles, STRUCTURED)
    monkeypatch.setattr(StructuredPairFinder, "block_rows", 17)
    assert find_duplicates(titles, STRUCTURED).pairs.equals(whole.pairs)
    p = whole.pairs["rf_probability"]
    assert p.is_monotonic_decreasing
    assert (whole.pairs["baris_a"] < whole.pairs["baris_b"]).all()


def test_groups_hold_all_titles_that_are_in_a_pair():
    titles = ["Prediksi Harga Beras di Medan", "Deteksi Hoaks", "Prediksi Harga Beras di Kota Medan",
              "Deteksi Hoaks Berita", "Budidaya Ikan Nila", "prediksi harga beras di medan"]  # fmt: skip
    duplicates = find_duplicates(titles, LIGHT)
    clusters = duplicates.clusters.tolist()
    assert clusters[0] == clusters[2] == clusters[5] == 0
    assert clusters[4] not in (clusters[0], clusters[1])
    assert set(duplicates.groups["baris"]) == {row for pair in as_dict(duplicates) for row in pair}
    assert duplicates.groups["kelompok"].min() == 1


def test_fewer_than_two_titles_have_no_duplicates():
    for titles in ([], ["Prediksi Harga Beras"]):
        duplicates = find_duplicates(titles, LIGHT)
        assert len(duplicates) == 0
        assert len(duplicates.clusters) == len(titles)
        assert duplicates.groups.empty


def test_all_copies_of_a_title_are_pairs_in_one_group():
    duplicates = find_duplicates(["Prediksi Harga Beras"] * 1500, LIGHT)
    assert len(duplicates) == 1500 * 1499 // 2
    assert set(duplicates.clusters.tolist()) == {0}


def test_too_many_copies_are_refused_but_can_be_indexed():
    copies = ["Prediksi Harga Beras", "prediksi  harga beras!"] * 30_000
    with pytest.raises(CorpusError, match="60000 salinan"):
        find_duplicates(copies, LIGHT)
    index = TitleIndex.build(copies, LIGHT)
    assert index.check("Prediksi Harga Beras", top_k=3).titles == copies[0:6:2]


def test_a_threshold_that_unrelated_titles_reach_needs_exact_search():
    with pytest.raises(ModelError, match="--exact"):
        find_duplicates(["Prediksi", "Deteksi"], LIGHT, threshold=1e-9)


def test_finished_blocks_are_not_computed_again(monkeypatch, tmp_path):
    titles = gold_titles()[:300]
    monkeypatch.setattr(StudyPairFinder, "block_rows", 50)
    expected = find_duplicates(titles, LIGHT).pairs
    computed = []
    compute = StudyPairFinder.pairs

    def failing(self, start, stop):
        computed.append(start)
        if len(computed) == 3:
            raise KeyboardInterrupt
        return compute(self, start, stop)

    monkeypatch.setattr(StudyPairFinder, "pairs", failing)
    with pytest.raises(KeyboardInterrupt):
        find_duplicates(titles, LIGHT, folder=tmp_path)
    assert find_duplicates(titles, LIGHT, folder=tmp_path).pairs.equals(expected)
    assert computed == [0, 50, 100, 100, 150, 200, 250]
    # Blocks of another threshold are not used.
    computed[:] = [0] * 3
    find_duplicates(titles, LIGHT, folder=tmp_path, threshold=0.7)
    assert computed[3:] == [0, 50, 100, 150, 200, 250]


@pytest.mark.parametrize("damage", [lambda content: content[:-50], lambda _: b"", lambda _: b"PK"])
def test_a_damaged_block_is_computed_again(monkeypatch, tmp_path, damage):
    titles = gold_titles()[:60]
    monkeypatch.setattr(StudyPairFinder, "block_rows", 20)
    expected = find_duplicates(titles, LIGHT, folder=tmp_path).pairs
    first, second = sorted(tmp_path.glob("*.npz"))[:2]
    first.write_bytes(damage(first.read_bytes()))
    second.rename(tmp_path / "000000020.npz")  # A file without a hash in its name is not trusted.
    assert find_duplicates(titles, LIGHT, folder=tmp_path).pairs.equals(expected)
    assert len(list(tmp_path.glob("*.npz"))) == 3


@pytest.mark.slow
def test_a_killed_command_is_resumed(tmp_path):
    titles = tmp_path / "katalog.csv"
    rows = [f"{title} bagian {k}" for k in range(3) for title in gold_titles()]
    pd.DataFrame({"Judul": rows}).to_csv(titles, index=False)
    output, blocks = tmp_path / "pasangan.csv", tmp_path / ".pasangan.csv.blocks"
    command = ["dedup", titles, "--model", "light", "--exact", "--output", output]
    running = subprocess.Popen(
        [sys.executable, "-m", "judul_lib", *map(str, command)],
        cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while running.poll() is None and len(list(blocks.glob("*.npz"))) < 2:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert len(list(blocks.glob("*.npz"))) >= 2
    assert not output.exists()
    resumed = judul(*command)
    assert resumed.returncode == 0, resumed.stderr
    assert "pasangan dalam" in resumed.stdout
    assert not blocks.exists()
    pairs = pd.read_csv(output)
    assert np.array_equal(pairs.columns[:2], ["baris_a", "baris_b"])
    title_of = dict(enumerate(rows, start=2))  # Rows of a spreadsheet.
    assert [title_of[row] for row in pairs["baris_a"]] == pairs["judul_a"].tolist()


def test_the_command_refuses_unusable_files_and_models(tmp_path):
    assert_refused(judul("dedup", tmp_path / "x.csv", "--output", tmp_path / "y.csv"), "tidak ditemukan")
    table = tmp_path / "a.csv"
    table.write_text("Nama\nAni\n")
    assert_refused(judul("dedup", table, "--output", tmp_path / "y.csv"), "Judul")
    table.write_text("Judul\nPrediksi Harga Beras\n")
    assert_refused(
        judul("dedup", table, "--model", "light", "--output", tmp_path / "y.csv",
              "--models", tmp_path), "light",
    )  # fmt: skip


def test_a_command_that_is_refused_before_its_first_block_leaves_no_files(monkeypatch, tmp_path):
    monkeypatch.setattr("judul_lib.search.dedup.MAX_COPIES", 1)
    monkeypatch.setattr(
        "judul_lib.cli.shared.read_corpus", lambda path: read_corpus(path, drop_duplicates=False)
    )
    table = tmp_path / "a.csv"
    table.write_text("Judul\nPrediksi Beras\nPrediksi beras\n")
    options = ["--output", str(tmp_path / "p.csv"), "--model", "light", "--models", str(LIGHT.parent)]
    result = CliRunner().invoke(cli, ["dedup", str(table), *options])
    assert isinstance(result.exception, CorpusError)
    assert list(tmp_path.iterdir()) == [table]


def test_too_many_pairs_are_refused_in_resumed_runs_too(monkeypatch, tmp_path):
    titles = [f"Klasifikasi Penyakit Daun Padi {kota}" for kota in ("Medan", "Bogor", "Solo", "Kediri")]
    n_pairs = len(find_duplicates(titles, LIGHT, folder=tmp_path))
    assert n_pairs == 6
    monkeypatch.setattr("judul_lib.search.dedup.MAX_PAIRS", n_pairs)
    monkeypatch.setattr(StudyPairFinder, "block_rows", 2)
    assert len(find_duplicates(titles, LIGHT, folder=tmp_path)) == n_pairs
    next(tmp_path.glob("000000002-*.npz")).unlink()
    assert len(find_duplicates(titles, LIGHT, folder=tmp_path)) == n_pairs
    next(tmp_path.glob("000000002-*.npz")).unlink()
    monkeypatch.setattr("judul_lib.search.dedup.MAX_PAIRS", n_pairs - 1)
    with pytest.raises(CorpusError, match=r"ambang 0,600. Naikkan --threshold"):
        find_duplicates(titles, LIGHT, folder=tmp_path)
