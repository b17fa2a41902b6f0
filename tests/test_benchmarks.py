"""Benchmarks and their table in docs/benchmarks.md; no test checks a duration."""

import json
import re
import shutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from benchmarks import report, words
from benchmarks.measuring import Case, mixed_queries, peak_memory
from benchmarks.retrieval_misses import count_misses, make_catalogue, read_titles
from benchmarks.suite import SUITE
from judul_lib.checking.loading import load_checker
from judul_lib.figures.benchmark_plots import PEERS, WORK
from judul_lib.study.preprocessing import title_key
from tests.conftest import PROJECT, gold_titles

DOCS = PROJECT / "docs" / "benchmarks.md"
STORED = json.loads((PROJECT / "data" / "benchmarks.json").read_text("utf-8"))
BUILD_LIGHT = next(benchmark for benchmark in SUITE if benchmark.name == "build_light")
RESULT = {
    "name": "dedup_light", "what": "dedup", "model": "light", "unit": "s", "size": 100_000, "rounds": 3,
    "median": 0.0123, "p95": 12.3, "peak_mb": 2_048.0, "reached": False, "date": "2026-01-01",
    "goal": {"below": 0.04, "on": "p95", "peak_mb": 512},
    "peers": [
        {"name": "sparse_dot_topn", "median": 0.02, "rounds": 3, "extrapolated": True, "ratio": 1.626},
    ],
    "more": {"pairs": 1_234},
}  # fmt: skip


def run_benchmarks(*arguments):
    command = [sys.executable, str(PROJECT / "benchmarks" / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    """Run one fast benchmark; return the folder of its results and document, and its output."""
    folder = tmp_path_factory.mktemp("bench")
    shutil.copy(DOCS, folder)
    process = run_benchmarks(
        "--quick", "--only", "light_check", "--out", folder / "results.json",
        "--write-docs", "--docs", folder / DOCS.name,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return folder, process.stdout


def test_run_stores_machine_and_results(quick_run):
    folder, output = quick_run
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert {"cpu", "cores", "ram_mb", "python", "packages"} <= set(results["machine"])
    assert all(results["machine"]["packages"].values())
    (result,) = results["benchmarks"]
    assert {*RESULT} == {*result}
    assert result["median"] > 0
    assert result["peak_mb"] > 10
    (peer,) = result["peers"]
    assert peer["ratio"] == pytest.approx(peer["median"] / result["median"])
    assert report.table(results["benchmarks"]) in output
    assert str(PROJECT) not in json.dumps(results)


def test_only_the_section_between_the_markers_changes(quick_run):
    folder, output = quick_run
    old, new = DOCS.read_text("utf-8"), (folder / DOCS.name).read_text("utf-8")
    assert report.replace_section(new, "x") == report.replace_section(old, "x")
    section = new.split(report.START)[1].split(report.END)[0]
    assert section.strip() == output.strip()
    assert len(re.findall(r"^\|.*\|$", section, re.M)) == 3


def test_the_document_shows_the_stored_results():
    text = DOCS.read_text("utf-8")
    assert report.replace_section(text, report.section(STORED)) == text


def test_unknown_benchmark_is_refused():
    process = run_benchmarks("--only", "nothing")
    assert process.returncode != 0
    assert process.stderr.strip() == "No benchmark of that name whose model is in outputs/."
    assert "light_check" in process.stdout


def test_document_without_markers_is_refused():
    for text in ("", report.START, f"{report.END}{report.START}", 2 * (report.START + report.END)):
        with pytest.raises(ValueError, match="bench:start"):
            report.replace_section(text, "x")


def test_row_shows_a_missed_goal():
    row = report.table([RESULT]).splitlines()[2]
    what, *cells, peers = row.strip("| ").split(" | ")
    assert cells == ["100,000", "12.3 ms", "12.3 s", "2.0 GB", "p95 < 40 ms, < 512 MB", "**missed**"]
    assert what.endswith(": 1,234 pairs")
    assert peers == words.PEERS["sparse_dot_topn"] + r" 20.0 ms\* (×1.63)"


def test_cells_are_escaped(monkeypatch):
    labels = {**words.BENCHMARKS, "dedup": "a|b <c> sp_x_y & *d*\ne"}
    monkeypatch.setattr(words, "BENCHMARKS", labels)
    row = report.table([RESULT]).splitlines()[2]
    assert row.startswith(r"| a\|b <c> sp_x_y & *d* e: 1,234 pairs | 100,000 |")
    assert len(re.findall(r"(?<!\\)\|", row)) == len(words.HEADER) + 1


def test_failed_benchmark_is_in_the_table():
    failed = {**BUILD_LIGHT.facts(), **BUILD_LIGHT.judge({"error": "x", "size": 7}, quick=False)}
    assert failed["reached"] is None
    assert words.FAILED in report.table([failed])


def test_goal_is_reached_only_within_all_limits():
    for seconds, memory, reached in ((59, 3_000, True), (61, 3_000, False), (59, 3_100, False)):
        result = {"median": seconds, "p95": None, "peak_mb": memory}
        assert BUILD_LIGHT.judge(result, quick=False)["reached"] is reached
    assert BUILD_LIGHT.judge(result, quick=True)["reached"] is None


def test_every_benchmark_has_a_function_and_labels():
    assert len({benchmark.name for benchmark in SUITE}) == len(SUITE)
    for benchmark in SUITE:
        module, name = benchmark.function.split(".")
        assert callable(getattr(import_module(f"benchmarks.{module}"), name))
        assert benchmark.what in words.BENCHMARKS
        assert all(hasattr(Case, f"prepare_{step}") for step in benchmark.needs)


def test_notebook_10_has_labels_for_all_peers_of_a_check():
    checks = [result for result in STORED["benchmarks"] if result["what"] == "check"]
    assert {peer["name"] for result in checks for peer in result["peers"]} <= set(PEERS)
    assert set(PEERS) <= set(words.PEERS)
    assert set(WORK) <= set(words.BENCHMARKS)


def test_queries_are_of_three_kinds_and_reproducible():
    titles = ["Prediksi Harga Beras di Medan", "Klasifikasi Daun Padi menggunakan CNN"]
    queries = mixed_queries(titles, 9, 1)
    assert [kind for kind, _ in queries] == ["near", "recombined", "strange"] * 3
    assert queries == mixed_queries(titles, 9, 1)
    assert queries != mixed_queries(titles, 9, 2)


def test_peak_memory_includes_child_processes():
    code = "import time; x = bytearray(300 * 1024**2); time.sleep(1)"
    with peak_memory() as peak:
        before = peak()
        subprocess.run([sys.executable, "-c", code], check=True)
        assert peak() > before + 250


def test_titles_of_a_folder_are_read_once(tmp_path):
    (tmp_path / "judul_a.csv").write_text("Judul\nPrediksi Harga Beras\nDeteksi Hoaks\n")
    (tmp_path / "judul_b.csv").write_text("Judul\nDETEKSI HOAKS.\nKlasifikasi Daun\n")
    (tmp_path / "other.csv").write_text("Judul\nPeramalan Curah Hujan\n")
    assert read_titles(tmp_path) == ["Prediksi Harga Beras", "Deteksi Hoaks", "Klasifikasi Daun"]


def test_a_catalogue_has_new_and_changed_titles_as_queries():
    real = gold_titles()[:60]
    catalogue = make_catalogue(real, 80, 20, seed=3)
    assert catalogue == make_catalogue(real, 80, 20, seed=3) != make_catalogue(real, 80, 20, seed=4)
    assert (len(catalogue.titles), len(catalogue.queries), catalogue.n_recombined) == (80, 20, 30)
    assert len(set(map(title_key, catalogue.titles + catalogue.queries))) == 100
    assert len(set(catalogue.queries) & set(real)) == 10
    assert set(catalogue.titles[:50]) < set(real)
    assert make_catalogue(real, 50, 20, seed=3).n_recombined == 0


def test_misses_are_counted():
    catalogue = make_catalogue(gold_titles()[:60], 50, 6, seed=3)
    full = load_checker(PROJECT / "outputs" / "light", catalogue.titles)
    everything = np.arange(50)
    misses = count_misses(full, full, lambda query: everything, catalogue.queries)
    assert misses.likely > misses.asked > 0
    assert (misses.missed, misses.other_verdicts, misses.other_probabilities) == (0, 0, 0)
    assert (misses.queries, misses.found) == (6, 300)
    misses = count_misses(full, full, lambda query: everything[:0], catalogue.queries)
    assert (misses.missed, misses.found) == (misses.likely, 0)


def test_other_answers_are_counted(monkeypatch):
    catalogue = make_catalogue(gold_titles()[:60], 50, 6, seed=3)
    full = load_checker(PROJECT / "outputs" / "light", catalogue.titles)
    other = load_checker(PROJECT / "outputs" / "light", catalogue.titles)
    monkeypatch.setattr(other, "probability", lambda features: np.zeros(len(features)))
    misses = count_misses(full, other, lambda query: np.arange(50), catalogue.queries)
    assert misses.other_verdicts > 0
    assert misses.other_probabilities > misses.other_verdicts
