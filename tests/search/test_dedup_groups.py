"""Groups of near-duplicates lie around centres, and keep their numbers when a catalogue grows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judul_lib.core.errors import ArgumentError, CorpusError
from judul_lib.core.storage import write_result
from judul_lib.search.dedup import find_duplicates
from judul_lib.search.dedup_files import pairs_table, read_groups, read_pairs
from judul_lib.search.groups import (
    continue_groups,
    describe_changes,
    in_thousandths,
    star_groups,
)
from judul_lib.search.pair_blocks import Pairs
from judul_lib.study.preprocessing import title_key
from tests.conftest import PROJECT, assert_refused, gold_titles, judul

LIGHT = PROJECT / "outputs" / "light"
CHAIN = [
    "Klasifikasi Penyakit Daun Padi Menggunakan CNN Medan",
    "Klasifikasi Penyakit Daun Padi Berdasarkan Warna Medan",
    "Klasifikasi Buah Jeruk Padi Berdasarkan Warna Medan",
    "Klasifikasi Buah Jeruk Manis Berdasarkan Warna Bogor",
    "Pengelompokan Buah Jeruk Manis Lokal Segar Bogor",
    "Pengelompokan Toko Swalayan Manis Lokal Segar Bogor",
]


@st.composite
def graphs(draw):
    """Titles, of which few are the same, and similarities of some pairs of them."""
    titles = draw(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=9))
    n = len(titles)
    every_pair = [(a, b) for a in range(n) for b in range(a + 1, n)]
    chosen = draw(st.lists(st.sampled_from(every_pair), unique=True)) if every_pair else []
    similarity = st.sampled_from([0.6, 0.6004, 0.7, 0.85, 1.0])
    return titles, {pair: draw(similarity) for pair in chosen}


def make_pairs(similarities):
    left, right = np.array(list(similarities), np.int32).reshape(-1, 2).T
    return Pairs(left, right, np.empty((len(left), 0)), np.array(list(similarities.values()), float))


def plain_groups(titles, similarities):
    """Return the groups as sets of rows, by the definition and without arrays."""
    near = {row: {} for row in range(len(titles))}
    for (a, b), p in similarities.items():
        near[a][b] = near[b][a] = int(f"{p:.4f}".replace(".", "")) // 10
    visits = sorted(
        near, key=lambda row: (-sum(near[row].values()), title_key(titles[row]), titles[row], row)
    )
    groups = {}
    for row in visits:
        if not near[row].keys() & groups.keys():
            groups[row] = {row}
    for row in near.keys() - groups.keys():
        centres = [centre for centre in groups if centre in near[row]]
        groups[max(centres, key=lambda centre: (near[row][centre], -visits.index(centre)))].add(row)
    return {frozenset(group) for group in groups.values()}


def as_sets(labels):
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@settings(max_examples=300, deadline=None)
@given(graph=graphs())
def test_groups_are_those_of_a_plain_reference(graph):
    titles, similarities = graph
    labels = star_groups(titles, make_pairs(similarities))
    assert as_sets(labels) == plain_groups(titles, similarities)
    firsts = pd.Series(labels).drop_duplicates().tolist()
    assert firsts == list(range(len(firsts)))


@settings(max_examples=300, deadline=None)
@given(graph=graphs(), data=st.data())
def test_groups_do_not_depend_on_the_order_of_rows_and_pairs(graph, data):
    titles, similarities = graph
    titles = [f"{title}{row}" for row, title in enumerate(titles)]
    place = data.draw(st.permutations(range(len(titles))))
    moved = [titles[place.index(k)] for k in range(len(titles))]
    items = data.draw(st.permutations(list(similarities.items())))
    moved_pairs = {tuple(sorted((place[a], place[b]))): p for (a, b), p in items}
    before = as_sets(star_groups(titles, make_pairs(similarities)))
    after = as_sets(star_groups(moved, make_pairs(moved_pairs)))
    assert {frozenset(titles[k] for k in g) for g in before} == {
        frozenset(moved[k] for k in g) for g in after
    }


def test_no_chain_of_weak_links_is_one_group():
    duplicates = find_duplicates(CHAIN, LIGHT)
    linked = set(zip(duplicates.found.left.tolist(), duplicates.found.right.tolist(), strict=True))
    assert {(k, k + 1) for k in range(5)} <= linked  # One connected component …
    assert (0, 5) not in linked
    groups = as_sets(duplicates.clusters)
    assert len(groups) > 1  # … but several groups; pairs between them stay listed.
    for group in groups:
        assert any(
            all(tuple(sorted((centre, row))) in linked for row in group - {centre}) for centre in group
        )
    assert sorted(duplicates.groups["baris"]) == list(range(6))


def test_the_order_of_a_catalogue_does_not_matter():
    titles = gold_titles()[:150]
    groups = as_sets(find_duplicates(titles, LIGHT).clusters)
    reversed_groups = as_sets(find_duplicates(titles[::-1], LIGHT).clusters)
    assert groups == {frozenset(len(titles) - 1 - row for row in group) for group in reversed_groups}
    assert max(map(len, groups)) > 2


@given(st.integers(1, 1000), st.floats(0, 1))
def test_thousandths_reach_the_thresholds_that_the_probability_reaches(threshold, probability):
    threshold /= 1000
    for value in (threshold, np.nextafter(threshold, 0), probability):
        (rounded,) = in_thousandths(np.array([value])) / 1000
        assert (rounded >= threshold) == (value >= threshold)


# Numbers.


def table(**groups):
    """Return groups such as ``k4="abc"``: kelompok 4 of the titles Judul a, Judul b and Judul c."""
    rows = [(int(name[1:]), f"Judul {letter}") for name, letters in groups.items() for letter in letters]
    frame = pd.DataFrame(rows, columns=["kelompok", "Judul"])
    return frame.assign(baris=range(2, len(frame) + 2)).astype({"kelompok": int})


def numbers(continued):
    """Return the titles of each number that has rows, and the status of each title."""
    present = continued[continued["baris"].notna()]
    letters = present["Judul"].str[-1]
    statuses = dict(zip(continued["Judul"].str[-1], continued["status"], strict=True))
    return letters.groupby(present["kelompok"]).agg(lambda g: "".join(sorted(g))).to_dict(), statuses


@pytest.mark.parametrize(
    ("earlier", "now", "expected", "changed"),
    [
        pytest.param(
            {"k1": "ab", "k2": "cd"}, {"k1": "cd", "k2": "ab"}, {1: "ab", 2: "cd"}, {}, id="same"
        ),
        pytest.param(
            {"k3": "ab"}, {"k1": "xy", "k2": "ab"}, {3: "ab", 4: "xy"},
            {"x": "kelompok baru", "y": "kelompok baru"}, id="new group",
        ),
        pytest.param({"k3": "ab"}, {"k1": "abx"}, {3: "abx"}, {"x": "anggota baru"}, id="new member"),
        pytest.param({"k3": "abc"}, {"k1": "ab"}, {3: "ab"}, {"c": "keluar"}, id="left"),
        pytest.param(
            {"k1": "ab", "k2": "cde"}, {"k1": "abcde"}, {2: "abcde"}, {"a": "gabung", "b": "gabung"},
            id="merged: the larger",
        ),
        pytest.param(
            {"k1": "cd", "k2": "ab"}, {"k1": "abcd"}, {1: "abcd"}, {"a": "gabung", "b": "gabung"},
            id="merged: the lower of two equal ones",
        ),
        pytest.param(
            {"k1": "abcde", "k6": "fg"}, {"k1": "ab", "k2": "cde"}, {1: "cde", 7: "ab"},
            {"a": "pisah", "b": "pisah", "f": "keluar", "g": "keluar"}, id="split: the larger part",
        ),
        pytest.param(
            {"k1": "abc", "k2": "de"}, {"k1": "ab", "k2": "cde"}, {1: "ab", 2: "cde"}, {"c": "pisah"},
            id="moved",
        ),
        pytest.param(
            {}, {"k1": "ab"}, {1: "ab"}, dict.fromkeys("ab", "kelompok baru"), id="none before"
        ),
        pytest.param({"k5": "ab"}, {}, {}, dict.fromkeys("ab", "keluar"), id="none now"),
    ],
)  # fmt: skip
def test_groups_keep_their_numbers(earlier, now, expected, changed):
    continued = continue_groups(table(**now), table(**earlier))
    found, status = numbers(continued)
    assert found == expected
    letters = set("".join([*earlier.values(), *now.values()]))
    assert status == dict.fromkeys(letters, "tetap") | changed


def test_a_number_is_never_used_again():
    first = continue_groups(table(k1="ab", k2="cd", k3="ef"), table())
    second = continue_groups(table(k1="ab"), first)
    third = continue_groups(table(k1="ab"), second)
    assert third["kelompok"].tolist() == [1, 1]  # Nothing tells of 2 and 3 but `nomor_terakhir`.
    fourth = continue_groups(table(k1="ab", k2="ef"), third)
    assert numbers(fourth)[0] == {1: "ab", 4: "ef"}
    assert numbers(fourth)[1]["e"] == "kelompok baru"


PARTITIONS = st.lists(st.integers(0, 5), max_size=12)


@given(now=PARTITIONS, earlier=PARTITIONS, order=st.randoms(use_true_random=False))
def test_numbers_are_unique_and_do_not_depend_on_those_of_now(now, earlier, order):
    now, earlier = (
        pd.DataFrame({"kelompok": np.array(group, int) + 1, "baris": range(len(group)),
                      "Judul": [f"Judul {row}" for row in range(len(group))]})
        for group in (now, earlier)
    )  # fmt: skip
    continued = continue_groups(now, earlier)
    present = continued.dropna(subset="baris").sort_values("baris", ignore_index=True)
    assert as_sets(present["kelompok"].to_numpy()) == as_sets(now["kelompok"].to_numpy())
    assert sorted(continued["Judul"]) == sorted({*now["Judul"], *earlier["Judul"]})
    again = continue_groups(continued.dropna(subset="baris")[["kelompok", "baris", "Judul"]], continued)
    assert set(again["status"]) <= {"tetap"}
    new = list(range(1, 7))
    order.shuffle(new)
    renamed = continue_groups(now.assign(kelompok=now["kelompok"].map(lambda k: new[k - 1])), earlier)
    kept = continued["kelompok"] <= earlier["kelompok"].max()
    pd.testing.assert_frame_equal(
        continued[kept].reset_index(drop=True),
        renamed[renamed["kelompok"] <= earlier["kelompok"].max()].reset_index(drop=True),
    )


def test_changes_are_told_in_one_sentence():
    earlier = table(k1="ab", k2="cd", k3="efgh", k4="ij")
    continued = continue_groups(table(k1="abcdz", k2="ef", k3="gh", k4="xy"), earlier)
    assert describe_changes(continued) == (
        "Sejak hasil sebelumnya: 1 kelompok baru, 1 anggota baru, 2 judul keluar, "
        "1 kelompok lama bergabung dengan yang lain, 1 kelompok lama terpisah."
    )
    unchanged = continue_groups(earlier, earlier)
    assert describe_changes(unchanged) == "Sejak hasil sebelumnya: tidak ada yang berubah."


# Other thresholds.


def test_a_higher_threshold_gives_what_a_comparison_at_it_gives(tmp_path):
    titles = [*gold_titles()[:200], "=HYPERLINK(1) Deteksi Hoaks", "=HYPERLINK(1) Deteksi Hoax"]
    rows = np.arange(len(titles)) + 2
    low = find_duplicates(titles, LIGHT, threshold=0.5)
    path = tmp_path / "pasangan.csv"
    write_result(pairs_table(low, rows), path)
    for threshold in (0.5, 0.7, 0.873, 1.0):
        compared = find_duplicates(titles, LIGHT, threshold=threshold)
        again = low.rethreshold(threshold)
        pd.testing.assert_frame_equal(again.pairs, compared.pairs)
        assert again.clusters.tolist() == compared.clusters.tolist()
        stored, stored_rows = read_pairs(path)
        reread = stored.rethreshold(threshold)
        columns = ["baris_a", "baris_b", "rf_probability", "cosine", "ambang"]
        pd.testing.assert_frame_equal(
            pairs_table(reread, stored_rows)[columns], pairs_table(compared, rows)[columns]
        )
        groups = reread.groups.assign(baris=stored_rows[reread.groups["baris"]] - 2)
        columns = ["kelompok", "baris"]
        assert groups[columns].to_numpy().tolist() == compared.groups[columns].to_numpy().tolist()


def test_a_lower_threshold_needs_another_comparison():
    found = find_duplicates(CHAIN, LIGHT, threshold=0.7)
    with pytest.raises(ArgumentError, match=r"ambang 0,700.*bandingkan lagi"):
        found.rethreshold(0.6)
    with pytest.raises(ArgumentError, match="0,900"):
        found.rethreshold(0.9).rethreshold(0.8)
    with pytest.raises(ArgumentError):
        found.rethreshold(float("nan"))


def test_the_least_similar_pairs_come_first():
    found = find_duplicates(gold_titles()[:100], LIGHT)
    least = found.least_similar(5)
    assert least["rf_probability"].tolist() == sorted(found.found.probability)[:5]
    assert least.iloc[0].equals(found.pairs.iloc[-1].rename(0))
    assert len(found.least_similar(10**6)) == len(found)
    assert found.least_similar(0).empty


# The command.


def dedup(*arguments):
    result = judul("dedup", *arguments, "--models", LIGHT.parent)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_command_keeps_numbers_and_shows_changes(write_csv, tmp_path):
    beras = ["Prediksi Harga Beras di Medan", "Prediksi Harga Beras di Kota Medan"]
    hoaks = ["Deteksi Hoaks Politik", "Deteksi Hoaks Politik 2024"]
    first, second = tmp_path / "kelompok.csv", tmp_path / "kelompok2.csv"
    options = "--model", "light", "--output", tmp_path / "pasangan.csv", "--groups"
    dedup(write_csv(beras), *options, first)
    grown = write_csv([*hoaks, *reversed(beras), "prediksi harga beras di kota medan 2023"])
    out = dedup(grown, *options, second, "--previous", first)
    assert "Sejak hasil sebelumnya: 1 kelompok baru, 1 anggota baru." in out
    assert second.read_bytes().startswith(b"\xef\xbb\xbf")
    table = read_groups(second)
    assert table["kelompok"].tolist() == [1, 1, 1, 2, 2]
    assert table["status"].tolist() == [*["tetap"] * 2, "anggota baru", *["kelompok baru"] * 2]
    assert table["nomor_terakhir"].tolist() == [2] * 5


def test_the_command_raises_the_threshold_of_a_result(write_csv, tmp_path):
    catalogue = write_csv(gold_titles()[:150])
    old, new, compared = (tmp_path / f"{name}.csv" for name in ("lama", "baru", "lagi"))
    out = dedup(catalogue, "--model", "light", "--output", old, "--least", "2")
    assert len(out.partition("Yang paling kurang mirip:\n")[2].splitlines()) == 2
    assert "kurang mirip" not in dedup(
        "--rethreshold", old, "--threshold", "0.8", "--output", new, "--least", "0"
    )
    dedup(catalogue, "--model", "light", "--threshold", "0.8", "--output", compared)
    assert new.read_bytes() == compared.read_bytes() != old.read_bytes()
    # A spreadsheet in Indonesian writes decimal commas, and may sort.
    frame = pd.read_csv(old).sample(frac=1, random_state=0)
    frame.to_csv(old, sep=";", decimal=",", index=False)
    dedup("--rethreshold", old, "--threshold", "0.8", "--output", new)
    key = ["baris_a", "baris_b"]
    pd.testing.assert_frame_equal(
        *(pd.read_csv(p).sort_values(key, ignore_index=True) for p in (new, compared))
    )


def test_the_command_refuses_what_it_cannot_continue(write_csv, tmp_path):
    catalogue, output = write_csv(CHAIN), tmp_path / "pasangan.csv"
    dedup(catalogue, "--model", "light", "--threshold", "0.7", "--output", output)
    again = "dedup", "--rethreshold", output, "--output", tmp_path / "baru.csv"
    assert_refused(judul(*again), "ambang 0,700", "bandingkan lagi")
    assert_refused(judul("dedup", "--rethreshold", output, "--output", output), "menimpa")
    for more, reason in [
        ((catalogue,), "Berikan KATALOG.csv, atau"),
        (("--exact",), "--exact tidak berlaku"),
        (("--threshold", "0.70001"), "tiga desimal"),
        (("--previous", output), "--previous memerlukan --groups"),
    ]:
        result = judul(*again, *more)
        assert (result.returncode, reason in result.stderr) == (2, True), result.stderr
    groups = "--groups", tmp_path / "kelompok.csv"
    assert_refused(judul(*again, *groups, "--previous", catalogue), "kelompok")
    assert not (tmp_path / "baru.csv").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("baris_a,baris_b\n", "tidak berisi pasangan"),
        ("Judul\nPadi\n", "'baris_a' tidak ada"),
        ("baris_a,baris_b\n2,3.5\n", r"baris 2: '3.5' di kolom 'baris_b'"),
        ("baris_a,baris_b\n2,3\nx,3\n", r"baris 3: 'x' di kolom 'baris_a'"),
    ],
)
def test_a_file_that_is_no_result_is_refused(tmp_path, text, reason):
    path = tmp_path / "pasangan.csv"
    path.write_text(text)
    with pytest.raises(CorpusError, match=reason):
        read_pairs(path)
