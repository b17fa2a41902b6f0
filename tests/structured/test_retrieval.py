"""What retrieval finds, against a comparison with every title."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judul_lib.checking.loading import load_checker
from judul_lib.structured.relations import Relations, find_abbreviations
from tests.conftest import PROJECT, gold_titles

FOLDER = PROJECT / "outputs" / "structured"


@pytest.fixture(scope="module")
def loaded():
    return load_checker(FOLDER, gold_titles())


@pytest.fixture
def checker(loaded):
    loaded.threshold = 0.5
    return loaded


def find(model, titles, query, min_found=1):
    """Return the titles that are found."""
    archive, left = model.prepare(titles), model.records([query])
    relations = Relations.between(left.units, archive.records.units)
    abbreviations = find_abbreviations(left, 0, archive.records)
    rows = archive.retrieval.find(left, 0, relations, abbreviations, min_found=min_found)
    return [titles[row] for row in rows.tolist()]


PADI = "Klasifikasi Penyakit Daun Padi Menggunakan Support Vector Machine"
HOSPITAL = "Pengaruh Kepuasan Kerja terhadap Kinerja Perawat"


@pytest.mark.parametrize(
    "query",
    [
        "Identifikasi Hama Daun Padi dengan SVM",
        "Klasfikasi Penyaikt Daun Padi",
        "Deteksi Penyakit Tanaman Padi Berbasis Pengolahan Citra",
    ],
)
def test_titles_with_the_same_or_near_units_are_found_and_others_are_not(checker, query):
    assert find(checker.model, [HOSPITAL, PADI], query) == [PADI]


def test_a_title_is_found_by_an_abbreviation_that_no_dictionary_has(checker):
    titles = ["Sebaran Hama Kakao Sleman Terkini", HOSPITAL, PADI]
    assert titles[0] in find(checker.model, titles, "Peta HKS Xyzzy Qwerty")


@pytest.mark.parametrize("query", ["", "Analisis Data"])
def test_with_too_little_to_go_by_everything_is_found(checker, query):
    titles = [HOSPITAL, PADI]
    assert find(checker.model, titles, query) == titles


@pytest.mark.parametrize("title", ["", "Analisis", "Di Medan"])
def test_titles_with_too_little_to_go_by_are_always_found(checker, title):
    assert title in find(checker.model, [title, HOSPITAL, PADI, title], HOSPITAL)


def test_at_least_as_many_as_wanted_are_found_if_there_are_as_many(checker):
    titles = checker.titles[:600]
    for min_found in (1, 150, 599, 600, 700):
        found = find(checker.model, titles, HOSPITAL, min_found)
        assert len(found) >= min(min_found, len(titles))
        assert found == [title for title in titles if title in set(found)]


def test_another_place_does_not_count_and_the_same_a_little(checker):
    titles = [PADI + " di Kabupaten Sleman Xyzzy", HOSPITAL]
    assert find(checker.model, titles, PADI + " di Kota Medan") == titles[:1]
    school = " di SMK Kristen 1 Tomohon Qwerty"
    query = "Media Pembelajaran Teknologi Layanan Jaringan"
    titles = [query, "Klasifikasi Penyakit Daun Padi" + school, HOSPITAL]
    assert find(checker.model, titles, query) == titles[:1]
    assert find(checker.model, titles, query + school) == titles[:2]


def test_an_empty_archive_has_nothing(checker):
    assert find(checker.model, [], PADI) == []


def altered(titles, row, kind, at):
    """Return a title as another student might have written it."""
    words = titles[row].split()
    at %= len(words)
    if kind == "dropped":
        words.pop(at)
    elif kind == "mistyped":
        words[at] = words[at][:-2] + words[at][-1:]
    elif kind == "turned":
        words = words[at:] + words[:at]
    elif kind == "cut":
        words = words[: max(3, at)]
    elif kind == "joined":
        words[at : at + 2] = ["".join(words[at : at + 2])]
    elif kind == "mixed":
        words = words[:at] + titles[(row * 7 + 1) % len(titles)].split()[at:]
    return " ".join(words) or titles[row]


@pytest.mark.filterwarnings("ignore:.*tanpa kata Latin")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.integers(0, 1_000_000),
    kind=st.sampled_from(["same", "dropped", "mistyped", "turned", "cut", "joined", "mixed"]),
    at=st.integers(0, 30),
    top_k=st.sampled_from([1, 20, 100]),
    threshold=st.sampled_from([0.2, 0.5, 0.9]),
)
def test_what_a_list_promises_is_found_with_the_numbers_of_a_full_comparison(
    checker, row, kind, at, top_k, threshold
):
    checker.threshold = threshold
    query = altered(checker.titles, row % len(checker.titles), kind, at)
    full, part = checker.check(query), checker.check(query, top_k=top_k)
    assert len(part) == top_k
    by_title = {numbers["judul_ref"]: numbers for numbers in full.rows()}
    assert all(numbers == by_title[numbers["judul_ref"]] for numbers in part.rows())
    (compared,) = checker._compared([query], top_k)
    found = {checker.titles[row] for row in compared.rows.tolist()}
    labels = zip(full.titles, full.probability.tolist(), full.labels, strict=True)
    assert found >= {title for title, p, label in labels if p >= 0.05 or label != "TIDAK MIRIP"}
    for other in (0.2, 0.5, 0.8, 0.98):
        decision, expected = (matches.with_threshold(other).decision for matches in (part, full))
        assert decision.labels == expected.labels
        assert expected.labels == ["TIDAK MIRIP"] or decision.rows() == expected.rows()


@pytest.mark.parametrize(("threshold", "is_searched"), [(0.1, False), (0.5, True)])
def test_retrieval_is_for_lists_of_large_archives_at_usual_thresholds(checker, threshold, is_searched):
    titles = checker.titles[:700]
    searched = checker.with_titles(titles)
    searched.threshold = threshold

    def n_compared(checker, top_k):
        (compared,) = checker._compared([PADI], top_k)
        return len(compared.rows)

    assert (n_compared(searched, 1) < 700) == is_searched
    assert n_compared(searched, None) == n_compared(searched, 234) == 700
    assert n_compared(searched.with_titles(titles[:499]), 1) == 499


@pytest.mark.filterwarnings("ignore:.*tanpa kata Latin")
def test_titles_are_found_the_same_alone_and_together(checker):
    queries = [PADI, HOSPITAL, "", *checker.titles[:70:7]]
    together = list(checker.check_many(queries, top_k=5))
    for query, matches in zip(queries, together, strict=True):
        assert matches.rows() == checker.check(query, top_k=5).rows()
