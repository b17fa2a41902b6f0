"""An index answers exactly as the plain check does, and is never left half written."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from judul_lib import TitleIndex, load_checker, load_model
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.errors import CorpusError, IndexFileError, ModelError
from judul_lib.core.settings import ELSEWHERE_LABELS
from judul_lib.search.index_files import INDEX_FILE, PARTS_FOLDER
from judul_lib.search.study_search import count_letters, letters_bound
from judul_lib.study.arrays import ForestTable
from judul_lib.study.features import EXTRA_FEATURES, FEATURES
from tests.conftest import PROJECT, gold_titles

LIGHT, STRUCTURED = PROJECT / "outputs" / "light", PROJECT / "outputs" / "structured"
# Abbreviations and what they stand for, words written apart, typing errors, places, empty overlap.
WORDS = (
    "klasifikasi klasifkasi penyakit daun padi CNN convolutional neural network menggunakan metode "
    "SVM di Pekanbaru pekan baru Kota Medan kupu-kupu e-learning elearning sistem informasi SI "
    "berbasis web bebasis PT pariwisata x 2024 pembelajaran jarak jauh PJJ É ß analisis"
).split()
TITLES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=0, max_size=9).map(" ".join), min_size=1, max_size=25
)

TOP_K = st.sampled_from([1, 3, 10, None])


def check_all(checker, titles, top_k):
    return [checker.check(title, top_k=top_k) for title in titles]


def assert_same(found, expected):
    for matches, others in zip(found, expected, strict=True):
        assert matches.titles == others.titles
        assert np.array_equal(matches.features, others.features)
        assert np.array_equal(matches.probability, others.probability)
        assert matches.rows() == others.rows()


@pytest.fixture(scope="module", params=[LIGHT, STRUCTURED], ids=["light", "structured"])
def model(request):
    # Loaded once, for `with_titles` and `index_of`.
    return request.param, load_checker(request.param, []), TitleIndex.build([], request.param)


def index_of(model, titles, part_rows):
    empty = model[2]
    index = TitleIndex.__new__(TitleIndex)
    index.__dict__.update(empty.__dict__)
    index._add(titles, part_rows, 1, lambda done, total: None)
    return index


@pytest.mark.filterwarnings("ignore:.*tanpa kata Latin")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(titles=TITLES, queries=TITLES, part_rows=st.integers(1, 12), top_k=TOP_K)
def test_titles_scores_and_order_are_those_of_the_plain_check(model, titles, queries, part_rows, top_k):
    index = index_of(model, titles, part_rows)
    expected = check_all(model[1].with_titles(titles), queries[:6], top_k)
    assert_same(index.check_many(queries[:6], top_k=top_k), expected)


STUDIES = (
    "Klasifikasi Penyakit Daun Padi Menggunakan CNN",
    "Identifikasi Penyakit Daun Tanaman Padi dengan CNN",
    "Klasifikasi Penyakit Daun Padi Menggunakan CNN dan SVM", "Sistem Informasi Perpustakaan Sekolah",
    "Klasifikasi Penyakit Daun Jagung Menggunakan CNN",
)  # fmt: skip
WHERE = ("", " di Sleman", " di Kabupaten Bantul", " di Kota Medan", " di Solo", " di Padang")
PLACED = st.builds("{}{}".format, st.sampled_from(STUDIES), st.sampled_from(WHERE))


def expected_decision(checker, query):
    """Return title, probability and label of the deciding match, comparing one title at a time."""
    compared = []
    for row, title in enumerate(checker.titles):
        features, (p,), (label,) = checker.score([query], [title])
        cosine, levenshtein = (features[0, list(FEATURES).index(n)] for n in ("cosine", "levenshtein"))
        first_keys = ()
        if isinstance(checker, StructuredChecker):
            pair = np.array([0])
            features = checker.compare([query], [title]).features(pair, pair)
            (asked,) = checker.asked(features, checker.probability(features))
            level = 2 if p >= 0.5 else 1 if asked >= 0.5 else 0
            (related,) = checker._model.relatedness(features, np.array([p]), np.array([asked]))
            first_keys = (-level, -related)
        compared.append((*first_keys, -p, -cosine, -levenshtein, row, title, label))
    compared.sort()
    deciding = [row for name in ("MIRIP", "TANYAKAN") for row in compared if row[-1] == name]
    *_, p, _, _, _, title, label = (deciding or compared)[0]
    return title, -p, label


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    titles=st.lists(PLACED, min_size=1, max_size=9),
    query=PLACED,
    threshold=st.sampled_from([0, 0.05, 0.3, 0.5, 0.8, 0.98, 1]),
    treatment=st.sampled_from(list(ELSEWHERE_LABELS)),
    part_rows=st.integers(1, 5),
    top_k=st.sampled_from([1, 2, 5, None]),
)
def test_the_decision_does_not_depend_on_the_number_of_shown_matches(
    model, titles, query, threshold, treatment, part_rows, top_k
):
    checkers = [model[1].with_titles(titles), index_of(model, titles, part_rows)]
    for checker in checkers:
        checker.elsewhere_label = ELSEWHERE_LABELS[treatment]
        before = checker.check(query, top_k=top_k)  # For a later change of the threshold.
        checker.threshold = threshold
        expected = expected_decision(checkers[0], query)
        shown = checker.check(query, top_k=top_k)
        assert len(shown) == min(top_k or len(titles), len(titles))
        for matches in (
            shown,
            shown.first(1),
            before.with_threshold(threshold),
            before.first(1).with_threshold(threshold),
        ):
            decision = matches.decision
            assert (decision.titles[0], decision.probability[0], decision.labels[0]) == expected


@pytest.mark.parametrize("top_k", [1, 10])
def test_gold_titles_are_found_without_comparing_all(model, top_k):
    titles = gold_titles()[:900]
    queries = [titles[k][:-9] + " di Kota Padang" for k in range(0, 900, 45)]
    index = index_of(model, titles, 250)
    assert_same(
        index.check_many(queries, top_k=top_k), check_all(model[1].with_titles(titles), queries, top_k)
    )
    assert EXTRA_FEATURES or index.n_scored < len(titles)


def test_copies_of_a_title_are_found_in_their_order(model):
    titles = ["Klasifikasi Penyakit Daun Padi"] * 300 + ["Sistem Informasi Sekolah"]
    index = index_of(model, titles, 100)
    matches = index.check("Klasifikasi Penyakit Daun Padi", top_k=5)
    assert matches.titles == titles[:5]
    assert_same([matches], check_all(model[1].with_titles(titles), titles[:1], 5))


def test_adding_and_removing_titles_equals_building_the_index(model, tmp_path):
    first = ["Prediksi Harga Beras", "Analisis Sentimen", "Prediksi Harga Beras"]
    index = index_of(model, first, 2)
    index.save(tmp_path)
    index = TitleIndex.load(tmp_path)
    index.add(["Deteksi Hoaks"])
    assert index.remove("Prediksi Harga Beras") == 2
    index.save(tmp_path)
    for opened in (index, TitleIndex.load(tmp_path)):
        assert list(opened.titles) == ["Analisis Sentimen", "Deteksi Hoaks"]
        assert opened.titles[-1] == "Deteksi Hoaks"
        assert opened.titles[:1] == ["Analisis Sentimen"]
        expected = check_all(model[1].with_titles(list(opened.titles)), first, None)
        assert_same(opened.check_many(first), expected)
    with pytest.raises(CorpusError, match="tidak ada di indeks"):
        index.remove("Prediksi Harga Beras")
    with pytest.raises(IndexError):
        index.titles[2]


def test_parts_are_merged_when_titles_are_added_one_by_one():
    index = TitleIndex.build([], LIGHT)
    for k in range(40):
        index.add([f"Judul nomor {'abcdefgh'[k % 8]} tentang padi {k}"])
    assert len(index.titles) == 40
    assert len(index._parts) <= 7


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8), st.text(max_size=60))
def test_letter_counts_bound_the_levenshtein_ratio(texts, query):
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    bound = letters_bound(query, count_letters(texts), lengths)
    ratio = [Indel.normalized_similarity(query, text) for text in texts]
    assert (bound >= ratio).all()


def test_letter_counts_above_the_maximum_give_no_bound():
    text = "a" * 300
    bound = letters_bound(text, count_letters([text]), np.array([300], dtype=np.int32))
    assert bound[0] == 1


@cache
def tabulated_forest():
    model = load_model(LIGHT)
    return model, ForestTable.from_forest(model.scaler, model.forest)


@settings(max_examples=200)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * len(FEATURES)), min_size=1, max_size=20), st.data())
def test_a_tabulated_forest_equals_the_forest(features, data):
    model, table = tabulated_forest()
    rows = np.array(features)
    # At the thresholds, and just below.
    for k in range(len(FEATURES)):
        cut = data.draw(st.sampled_from(list(table.cuts[k])))
        rows = np.vstack([rows, rows[:1], rows[:1]])
        rows[-2, k], rows[-1, k] = cut, np.nextafter(cut, 0)
    cells = tuple(table.cells(k, rows[:, k]) for k in range(len(FEATURES)))
    expected = model.forest.predict_proba(model.scaler.transform(rows))[:, 1]
    assert np.array_equal(table.probability[cells], expected)
    best = table.probability.max(axis=tuple(range(3, len(FEATURES))))
    assert (table.bound >= best).all()


def test_a_forest_with_too_many_cells_is_not_indexed(monkeypatch):
    monkeypatch.setattr("judul_lib.study.arrays.MAX_TABLE_CELLS", 10)
    with pytest.raises(ModelError, match="terlalu besar untuk indeks"):
        TitleIndex.build(["Prediksi"], LIGHT)


SAVED_TITLES = ["Prediksi Harga Beras", "Deteksi Hoaks", "Analisis"]


def build_saved():
    return TitleIndex.build(SAVED_TITLES, LIGHT, part_rows=2)


@pytest.fixture
def saved(tmp_path):
    build_saved().save(tmp_path / "index")
    return tmp_path / "index"


def first_part(folder):
    return min((folder / PARTS_FOLDER).iterdir())


def truncate_part(folder):
    part = first_part(folder)
    part.write_bytes(part.read_bytes()[:-100])


def flip_bit(folder):
    part = first_part(folder)
    content = bytearray(part.read_bytes())
    content[-70] ^= 1
    part.write_bytes(content)


def delete_part(folder):
    first_part(folder).unlink()


def change_format(folder):
    facts = json.loads((folder / INDEX_FILE).read_text())
    (folder / INDEX_FILE).write_text(json.dumps({**facts, "format": 99}))


def change_removed_rows(folder):
    facts = json.loads((folder / INDEX_FILE).read_text())
    facts["parts"][0]["removed"] = [0]
    (folder / INDEX_FILE).write_text(json.dumps(facts))


def truncate_index_file(folder):
    (folder / INDEX_FILE).write_text((folder / INDEX_FILE).read_text()[:40])


def delete_index_file(folder):
    (folder / INDEX_FILE).unlink()


def change_model_metadata(folder):
    path = next(folder.glob("model-*")) / "metadata.json"
    facts = json.loads(path.read_text())
    facts["files"]["arrays.npz"] = "0" * 64
    path.write_text(json.dumps(facts))


def truncate_model(folder):
    path = next(folder.glob("model-*")) / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncate_part, "terpotong"), (flip_bit, "tidak sama"), (delete_part, "hilang"),
        (change_format, "versi lain"), (change_removed_rows, "rusak"), (truncate_index_file, "rusak"),
        (delete_index_file, "judul index build"), (change_model_metadata, "rusak"),
    ],
)  # fmt: skip
def test_a_damaged_index_is_refused(saved, damage, words):
    damage(saved)
    with pytest.raises(IndexFileError, match=words):
        TitleIndex.load(saved)


@pytest.mark.parametrize(
    "damage",
    [
        truncate_part, flip_bit, delete_part, truncate_index_file, change_model_metadata,
        truncate_model,
    ],
)  # fmt: skip
def test_building_an_index_again_repairs_a_damaged_one(saved, damage):
    damage(saved)
    build_saved().save(saved)
    assert list(TitleIndex.load(saved).titles) == SAVED_TITLES


def test_an_index_made_with_another_lexicon_is_refused(saved, monkeypatch):
    monkeypatch.setattr("judul_lib.structured.model._RESOURCE_FILES", ())
    with pytest.raises(IndexFileError, match="kamus atau vektor kata versi lain"):
        TitleIndex.load(saved)


def test_a_full_disk_leaves_the_earlier_index_intact(saved):
    index = TitleIndex.load(saved)
    before = sorted((saved / PARTS_FOLDER).iterdir()), (saved / INDEX_FILE).read_bytes()
    index.add([f"Judul Penelitian Padi Nomor {k}" for k in range(400)])
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError):
            index.save(saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (sorted((saved / PARTS_FOLDER).iterdir()), (saved / INDEX_FILE).read_bytes()) == before
    assert len(TitleIndex.load(saved).titles) == 3
    index.save(saved)
    assert len(TitleIndex.load(saved).titles) == 403


def test_a_writer_with_an_outdated_index_is_refused(saved):
    first, second = TitleIndex.load(saved), TitleIndex.load(saved)
    first.add(["Judul Satu"])
    first.save(saved)
    second.add(["Judul Dua"])
    with pytest.raises(IndexFileError, match="diganti oleh proses lain"):
        second.save(saved)
    assert "Judul Satu" in list(TitleIndex.load(saved).titles)


def test_a_reader_sees_the_old_or_the_new_index(saved):
    sizes, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            sizes.add(len(TitleIndex.load(saved).titles))

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(12):
        index = TitleIndex.load(saved)
        index.add([f"Judul {k} {n}" for n in range(10)])
        index.save(saved)
    stop.set()
    reader.join()
    assert sizes <= {3 + 10 * k for k in range(13)}
    assert len(TitleIndex.load(saved).titles) == 123


def test_a_killed_writer_leaves_an_index_that_opens(saved):
    code = (
        "import sys; from judul_lib import TitleIndex\n"
        "k = 0\n"
        "while True:\n"
        "    index = TitleIndex.load(sys.argv[1]); k += 1\n"
        "    index.add([f'Judul {k} {n} padi' for n in range(50)]); index.save(sys.argv[1])\n"
        "    print(k, flush=True)\n"
    )
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(saved)], stdout=subprocess.PIPE, cwd=PROJECT, text=True
        )
        written = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        n = len(TitleIndex.load(saved).titles)
        assert n >= 3 + 50 * written
        assert (n - 3) % 50 == 0


def test_a_list_is_filled_with_exact_numbers_where_no_title_is_probable():
    titles = [f"Prediksi Harga Beras {n} di Pasar Kota Medan" for n in range(600)]
    index = TitleIndex.build(titles, PROJECT / "outputs" / "light", part_rows=256)
    query = "Zyxwv Qwert Vutsr"
    matches, full = index.check(query, top_k=300), index.check(query)
    numbers = {row["judul_ref"]: row for row in full.rows()}
    assert len(set(matches.titles)) == 300
    assert all(row == numbers[row["judul_ref"]] for row in matches.rows())
    assert matches.probability.max() < 0.05
