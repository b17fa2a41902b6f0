"""Named archives: added, replaced, listed, checked against, removed."""

import json
import shutil
from collections import Counter

import pytest

from judul_lib.archives.dublin_core import DEFAULT_TYPES, is_thesis, person_names, read_record
from judul_lib.archives.named import NamedArchive
from judul_lib.archives.titles import read_source, replace_source
from judul_lib.checking.stored_gauge import gauge_file
from judul_lib.core.errors import ArchiveError, BusyError
from judul_lib.search.index import TitleIndex
from tests.archives.test_harvest import corpus
from tests.conftest import PROJECT, assert_refused, judul


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of titles, and returns its path."""

    def run(name, *lines):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return run


def run(home, *arguments):
    return judul(*arguments, cwd=home)


def test_files_are_merged_by_title_and_keep_their_columns(write, home):
    first = write("ti.csv", "Judul,Nama,Tahun", "Hama Padi,Siti,2020", "hama  PADI,X,2021", "?,Y,2022")
    second = write("si.csv", "Judul;Prodi", "HAMA PADI;Agroteknologi", "=Hoaks;TI")
    result = run(home, "archive", "add", "ta", first)
    assert result.returncode == 0, result.stderr
    assert "1 judul baru" in result.stdout
    assert "1 tidak dipakai: duplikat" in result.stdout
    assert run(home, "archive", "add", "ta", second).returncode == 0
    assert corpus(home).to_numpy().tolist() == [
        ["HAMA PADI", "Siti", "2020", "", "Agroteknologi", "", "ti.csv | si.csv"],
        ["'=Hoaks", "", "", "", "TI", "", "si.csv"],
    ]


def test_same_file_twice_adds_nothing(write, home):
    path = write("ti.csv", "Judul", "Hama Padi", "Mutu Jagung")
    run(home, "archive", "add", "ta", path)
    files = (home / "archives" / "ta").iterdir()
    before = {path: path.stat().st_mtime_ns for path in files}
    result = run(home, "archive", "add", "ta", path)
    assert "tidak ada yang ditambahkan" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_shorter_file_needs_force_and_titles_of_other_files_stay(write, home):
    run(
        home, "archive", "add", "ta", write("ti.csv", "Judul", "Hama Padi", "Mutu Jagung", "Harga Cabai")
    )
    run(home, "archive", "add", "ta", write("si.csv", "Judul", "Mutu Jagung"))
    shorter = write("ti.csv", "Judul", "Hama Padi")
    assert_refused(run(home, "archive", "add", "ta", shorter), "1 judul akan hilang", "--force")
    assert len(corpus(home)) == 3
    result = run(home, "archive", "add", "ta", shorter, "--force")
    assert "0 judul baru, 1 hilang" in result.stdout
    assert corpus(home)["Judul"].tolist() == ["Hama Padi", "Mutu Jagung"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "a b", "a.b", "-x", "x" * 65])
def test_other_names_are_refused(write, home, name):
    path = write("ti.csv", "Judul", "Hama Padi")
    assert_refused(run(home, "archive", "add", "--", name, path), "nama arsip")


def test_check_uses_a_named_archive(write, home):
    path = write("ti.csv", "Judul", "Deteksi Hama Padi", "Mutu Jagung")
    run(home, "archive", "add", "ta", path)
    check = ("check", "Deteksi Hama Padi", "--model", "light", "--format", "csv")
    named = run(home, *check, "--archive", "ta")
    assert named.returncode == 0, named.stderr
    assert named.stdout == run(home, *check, "--corpus", path).stdout
    assert_refused(run(home, *check, "--archive", "tb"), "tidak ada", "ta")
    assert run(home, *check, "--archive", "ta", "--corpus", path).returncode == 2


def build_light(titles, folder):
    index = TitleIndex.build(titles, PROJECT / "outputs" / "light")
    index.save(folder)
    return index.name


def test_index_is_used_while_it_has_the_titles_of_the_archive(write, tmp_path, monkeypatch):
    archive, notes = NamedArchive(tmp_path / "archives", "ta"), list[str]()
    models = PROJECT / "outputs"
    replace_source(
        archive, read_source(write("ti.csv", "Judul", "Hama Padi", "Mutu Jagung")), force=False,
        build_index=build_light,
    )  # fmt: skip
    assert archive.best_path(None, models, notes.append) == archive.index
    assert list(TitleIndex.load(archive.index).titles) == ["Hama Padi", "Mutu Jagung"]
    assert archive.best_path("structured", models, notes.append) == archive.corpus
    gauge_file(archive.corpus).write_text("{}")  # A threshold measured for the titles.
    assert archive.best_path(None, models, notes.append) == archive.corpus
    gauge_file(archive.corpus).unlink()
    assert notes == []
    with monkeypatch.context() as patch:
        patch.setattr("judul_lib.search.index_files.model_hash", lambda model: "another model")
        assert archive.best_path(None, models, notes.append) == archive.corpus
    assert "model" in notes.pop()
    with archive.corpus.open("a") as stream:
        stream.write("Harga Cabai,,,,,,tangan\n")
    assert archive.best_path(None, models, notes.append) == archive.corpus
    assert len(notes) == 1


def test_large_archive_gets_an_index_unasked(write, home, monkeypatch):
    monkeypatch.setattr("judul_lib.archives.named.INDEX_MIN_TITLES", 2)
    run(home, "archive", "add", "ta", write("ti.csv", "Judul", "Deteksi Hama Padi", "Mutu Jagung"))
    info = json.loads((home / "archives" / "ta" / "archive.json").read_text())
    assert info["index_model"] in ("structured", "light")
    result = run(home, "check", "Deteksi Hama Padi", "--archive", "ta", "--format", "csv")
    assert result.returncode == 0, result.stderr
    assert "Deteksi Hama Padi" in result.stdout


def test_failed_write_leaves_the_archive_as_it_was(write, tmp_path):
    archive = NamedArchive(tmp_path / "archives", "ta")
    replace_source(archive, read_source(write("ti.csv", "Judul", "Hama Padi")), force=False)
    before = {path.name: path.read_bytes() for path in archive.folder.iterdir()}

    def fail(titles, folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        replace_source(
            archive, read_source(write("si.csv", "Judul", "Hoaks")), force=False, build_index=fail
        )
    assert {path.name: path.read_bytes() for path in archive.folder.iterdir()} == before
    assert [path.name for path in archive.home.iterdir()] == ["ta"]


def test_archive_killed_between_its_two_renames_is_found(write, tmp_path):
    archive = NamedArchive(tmp_path / "archives", "ta")
    replace_source(archive, read_source(write("ti.csv", "Judul", "Hama Padi")), force=False)
    archive.folder.rename(archive.home / ".ta.previous")
    assert archive.read_info().n_titles == 1
    assert archive.corpus.is_file()


def test_gauge_stays_with_the_archive(write, tmp_path):
    archive = NamedArchive(tmp_path / "archives", "ta")
    replace_source(archive, read_source(write("ti.csv", "Judul", "Hama Padi")), force=False)
    gauge_file(archive.corpus).write_text("{}")
    replace_source(archive, read_source(write("si.csv", "Judul", "Hoaks")), force=False)
    assert gauge_file(archive.corpus).read_text() == "{}"


def test_list_info_and_remove(write, home):
    assert "Belum ada arsip" in run(home, "archive", "list").stdout
    tail = "Fakultas Pertanian Universitas Cakra Buana"
    subjects = ("Hama Padi", "Mutu Jagung", "Harga Cabai", "Bibit Kopi")
    titles = [f"{subject} {k} {tail}" for k in range(10, 16) for subject in subjects]
    run(home, "archive", "add", "ta", write("ti.csv", "Judul", *titles))
    assert "24 judul" in run(home, "archive", "list").stdout
    info = run(home, "archive", "info", "ta")
    assert "ti.csv: 24 judul" in info.stdout
    assert tail.lower() in info.stdout
    assert_refused(run(home, "archive", "remove", "ta"), "--yes")
    assert run(home, "archive", "remove", "ta", "--yes").returncode == 0
    assert list((home / "archives").iterdir()) == []
    assert_refused(run(home, "archive", "remove", "ta", "--yes"), "tidak ada")
    assert_refused(run(home, "archive", "info", "ta"), "tidak ada")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 1}', b'{"format": 2}', b"\xff"])
def test_damaged_information_is_refused(write, home, content):
    archive = NamedArchive(home / "archives", "ta")
    replace_source(archive, read_source(write("ti.csv", "Judul", "Hama Padi")), force=False)
    (archive.folder / "archive.json").write_bytes(content)
    assert_refused(run(home, "archive", "info", "ta"), "rusak", "archive remove ta")


def test_two_commands_do_not_change_one_archive_at_the_same_time(tmp_path):
    archive = NamedArchive(tmp_path / "archives", "ta")
    with archive.lock(), pytest.raises(BusyError, match="sedang diubah"), archive.lock():
        pass


def test_corpus_without_its_columns_is_refused(write, tmp_path):
    archive = NamedArchive(tmp_path / "archives", "ta")
    replace_source(archive, read_source(write("ti.csv", "Judul", "Hama Padi")), force=False)
    shutil.copy(write("x.csv", "Judul", "Hama Padi"), archive.corpus)
    with pytest.raises(ArchiveError, match="Sumber"):
        replace_source(archive, read_source(write("si.csv", "Judul", "Hoaks")), force=False)


@pytest.mark.parametrize(
    ("titles", "chosen"),
    [
        ([("Rice", "en"), ("Padi", "in_ID")], "Padi"),
        ([("Rice", "en"), ("Padi", "")], "Padi"),
        ([("Rice", "en"), ("Riz", "fr")], "Rice"),
        ([("<i>Oryza</i> &amp; Hama", "")], "Oryza & Hama"),
        ([("  ", "id"), ("Rice", "en")], "Rice"),
        ([], ""),
    ],
)
def test_title_is_indonesian_else_without_language_else_the_first(titles, chosen):
    record = read_record("oai:x:1", "", {"title": titles})
    assert record.title == chosen
    assert len(record.other_titles) == max(0, Counter(bool(t.strip()) for t, _ in titles)[True] - 1)


@pytest.mark.parametrize(
    "name",
    [
        "Siti, 2010512001",
        "Siti NIM. 1.23.45",
        "Siti (H1D018044)",
        "Siti - NPM: 18/123/TK/9",
        "1903015 Siti",
    ],
)
def test_student_numbers_are_dropped(name):
    assert person_names([name]) == "Siti"


def test_names_and_degrees_stay():
    assert person_names(["Prof. Dr. Budi, S.Kom., M.T.", "R. Niman, S3"]) == (
        "Prof. Dr. Budi, S.Kom., M.T.; R. Niman, S3"
    )


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["Thesis", "NonPeerReviewed"], True),
        (["info:eu-repo/semantics/masterThesis"], True),
        (["Skripsi/Tugas Akhir"], True),
        (["Photosynthesis"], False),
        (["Article"], False),
        ([], True),
    ],
)
def test_thesis_types(types, expected):
    assert is_thesis(types, DEFAULT_TYPES) is expected
