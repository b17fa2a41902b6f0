import json
import pickle
import shutil
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from judul_lib.checking import registry, versions
from judul_lib.checking.loading import find_models, load_checker
from judul_lib.checking.versions import (
    add_version,
    candidate_metadata,
    current_version,
    list_versions,
    model_folder,
    tag,
    tags,
    verify,
)
from judul_lib.core.config import Config
from judul_lib.core.errors import LogError, ModelError
from judul_lib.governance import audit, promotions
from judul_lib.governance.promotions import AuditWriter, history, promote, promotion, rollback
from judul_lib.usage.database import open_database, opened_database, read_table
from judul_lib.web.session import Session
from tests.conftest import PROJECT, assert_refused, judul

WHO = {"reason": "lebih baik pada pasangan emas", "approver": "Koordinator TA"}


def change(folder, **changes):
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def outputs(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "outputs" / "light")
    return tmp_path / "outputs"


@pytest.fixture
def made(outputs):
    """Three versions, one a day."""

    def add(day):
        change(outputs / "light", created=f"2026-03-0{day}T08:00:00+00:00")
        return add_version(outputs, outputs / "light")

    return [add(day) for day in (1, 2, 3)]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_versions_stand_side_by_side_as_they_were_made(outputs, made):
    assert list_versions(outputs, "light") == made
    assert len(set(made)) == 3
    assert current_version(outputs, "light") is None
    last = versions.version_folder(outputs, "light", made[-1])
    files = content(outputs / "light")
    assert {name: content(last)[name] for name in registry.FILES} == {
        name: files[name] for name in registry.FILES
    }
    assert registry.version_of(registry.read_metadata(last)) == made[-1]
    assert add_version(outputs, outputs / "light") == made[-1]  # Once is enough.
    assert list_versions(outputs, "light") == made


def test_a_copy_that_fails_leaves_no_version(outputs, monkeypatch):
    write, count = versions.write_bytes, []

    def full_disk(path, content):
        count.append(path)
        if len(count) == 3:
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(versions, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        add_version(outputs, outputs / "light")
    assert list_versions(outputs, "light") == []
    assert [path.name for path in (outputs / "models" / "light").iterdir()] == [".lock"]


def test_a_damaged_model_does_not_become_a_version(outputs):
    (outputs / "light" / "arrays.npz").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"arrays\.npz tidak sama"):
        add_version(outputs, outputs / "light")
    assert list_versions(outputs, "light") == []


def test_metadata_that_reach_out_of_the_folder_are_refused(outputs):
    change(outputs / "light", files={"../light/arrays.npz": "0" * 64})
    with pytest.raises(ModelError, match=r"metadata\.json"):
        add_version(outputs, outputs / "light")
    for version in ("../../light", "..", ".new.x", ""):
        with pytest.raises(ModelError, match="Tidak ada versi"):
            versions.version_folder(outputs, "light", version)


def test_a_promotion_is_recorded_beside_the_version(outputs, made):
    folder = versions.version_folder(outputs, "light", made[0])
    before = content(folder)
    entry = promote(outputs, "light", made[0], **WHO)
    assert current_version(outputs, "light") == made[0]
    assert promotion(outputs, "light", made[0]) == entry
    assert (entry["reason"], entry["approver"]) == (WHO["reason"], WHO["approver"])
    deployed = datetime.fromisoformat(entry["deployed"])
    assert datetime.now(UTC) - deployed < timedelta(minutes=5)
    assert date.fromisoformat(entry["next_review"]) == deployed.date() + timedelta(days=90)
    after = content(folder)
    metadata, earlier = (json.loads(files.pop("metadata.json")) for files in (after, before))
    keys = ("approver", "reason", "deployed", "next_review")
    assert metadata.pop("governance") == {key: entry[key] for key in keys}
    assert (after, metadata) == (before, earlier)
    assert promotions.missing_metadata(registry.read_metadata(folder), is_promoted=True) == []
    assert [found.problem for found in verify(outputs)] == ["", "", ""]


def test_rollbacks_go_back_one_promotion_each(outputs, made):
    for version in made:
        promote(outputs, "light", version, **WHO)
    assert rollback(outputs, "light", **WHO)["version"] == made[1]
    assert rollback(outputs, "light", **WHO)["version"] == made[0]
    assert current_version(outputs, "light") == made[0]
    with pytest.raises(ModelError, match="yang berlaku sebelum ini"):
        rollback(outputs, "light", **WHO)
    promote(outputs, "light", made[2], **WHO)
    assert rollback(outputs, "light", **WHO)["version"] == made[0]
    assert [entry["action"] for entry in history(outputs, "light")] == [
        *["promote"] * 3, *["rollback"] * 2, "promote", "rollback",
    ]  # fmt: skip


@pytest.mark.parametrize("switch", ["promote", "rollback"])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_switch_killed_between_its_steps_leaves_the_earlier_version(
    outputs, made, switch, step, monkeypatch
):
    for version in made[:2]:
        promote(outputs, "light", version, **WHO)
    past = history(outputs, "light")
    taken = []

    def killed(write):
        def wrapper(*arguments):
            if len(taken) == step:
                raise KeyboardInterrupt
            taken.append(arguments)
            return write(*arguments)

        return wrapper

    with monkeypatch.context() as patch:
        for name in ("write_json", "write_bytes"):
            patch.setattr(promotions, name, killed(getattr(promotions, name)))
        again = {"promote": partial(promote, version=made[2]), "rollback": rollback}[switch]
        with pytest.raises(KeyboardInterrupt):
            again(outputs, "light", **WHO)
    assert len(taken) == step
    assert current_version(outputs, "light") == made[1]
    assert history(outputs, "light") == past
    assert promotion(outputs, "light", made[2]) == {}
    # And what follows takes place as if nothing had been tried.
    again = rollback(outputs, "light", **WHO)
    assert again["version"] == made[0]
    assert len(history(outputs, "light")) == 3
    assert governance(outputs, made[0])["deployed"] == again["deployed"]
    assert governance(outputs, made[1])["deployed"] == past[1]["deployed"]
    assert governance(outputs, made[2]) is None


def governance(outputs, version):
    metadata = registry.read_metadata(outputs / "models" / "light" / version)
    return metadata.get("governance")


def everything(outputs):
    folder = outputs / "models"
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("n_before", [0, 1])
@pytest.mark.parametrize("fails", ["before", "after"])
def test_a_switch_that_cannot_be_noted_does_not_take_place(outputs, made, n_before, fails):
    for version in made[:n_before]:
        promote(outputs, "light", version, **WHO)

    @contextmanager
    def recording(entry):
        assert entry["version"] == made[2]
        if fails == "after":
            yield
            assert current_version(outputs, "light") == made[2]
        raise LogError("no")

    before = everything(outputs)
    with pytest.raises(LogError):
        promote(outputs, "light", made[2], **WHO, recording=recording)
    assert everything(outputs) == before
    assert current_version(outputs, "light") == (made[0] if n_before else None)


def test_what_was_decided_elsewhere_does_not_come_with_a_version(outputs, made, tmp_path):
    promote(outputs, "light", made[0], **WHO)
    assert add_version(tmp_path / "other", outputs / "models" / "light" / made[0]) == made[0]
    assert governance(outputs, made[0])
    assert governance(tmp_path / "other", made[0]) is None


# A switch and its row in the audit trail.


@pytest.fixture
def trail(url, outputs):
    open_database(url).dispose()
    return AuditWriter(url, outputs / "logs", "petugas")


def rows(trail):
    with opened_database(trail.url) as engine:
        found = sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])
    return [(row["action"], row["actor"], json.loads(row["details"])["version"]) for row in found]


def test_a_switch_is_in_the_trail(outputs, made, trail):
    promotions.promote_with_audit(trail, outputs, "light", made[0], **WHO)
    promotions.promote_with_audit(trail, outputs, "light", made[1], **WHO)
    entry = promotions.rollback_with_audit(trail, outputs, "light", **WHO)
    assert rows(trail) == [
        ("promote", "petugas", made[0]),
        ("promote", "petugas", made[1]),
        ("rollback", "petugas", made[0]),
    ]
    with opened_database(trail.url) as engine:
        assert audit.verify(engine, trail.folder) == []
        last = max(read_table(engine, audit.audit), key=lambda row: row["seq"])
    details = json.loads(last["details"])
    assert last["reason"] == WHO["reason"]
    assert (details["previous"], details["approver"]) == (made[1], WHO["approver"])
    assert (details["deployed"], details["model"]) == (entry["deployed"], "light")
    assert details["old"] == details["new"] == registry.read_metadata(outputs / "light")["metrics"]


def test_a_switch_that_fails_is_not_in_the_trail(outputs, made, trail, monkeypatch):
    def full_disk(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(promotions, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space"):
            promotions.promote_with_audit(trail, outputs, "light", made[0], **WHO)
    with pytest.raises(ModelError, match="Tidak ada versi"):
        promotions.promote_with_audit(trail, outputs, "light", "20260101-00000000", **WHO)
    assert rows(trail) == []
    assert current_version(outputs, "light") is None


def test_a_row_that_cannot_be_committed_switches_back(outputs, made, trail):
    promotions.promote_with_audit(trail, outputs, "light", made[0], **WHO)
    before = everything(outputs)

    def lost(connection):
        assert current_version(outputs, "light") == made[1]
        raise sa.exc.OperationalError("COMMIT", {}, Exception("koneksi terputus"))

    sa.event.listen(sa.Engine, "commit", lost)
    try:
        with pytest.raises(LogError, match="koneksi terputus"):
            promotions.promote_with_audit(trail, outputs, "light", made[1], **WHO)
    finally:
        sa.event.remove(sa.Engine, "commit", lost)
    assert everything(outputs) == before
    assert rows(trail) == [("promote", "petugas", made[0])]


def test_the_row_of_a_switch_that_was_killed_before_it_was_written_comes_later(outputs, made, trail):
    promote(outputs, "light", made[0], **WHO)  # As far as such a process came.
    with opened_database(trail.url) as engine, engine.connect() as connection:
        assert promotions.unaudited_switch(connection, outputs, "light")["version"] == made[0]
    promotions.promote_with_audit(trail, outputs, "light", made[1], **WHO)
    assert rows(trail) == [("promote", "tidak diketahui", made[0]), ("promote", "petugas", made[1])]
    with opened_database(trail.url) as engine, engine.connect() as connection:
        assert promotions.unaudited_switch(connection, outputs, "light") is None


def test_the_command_switches_nothing_while_the_database_is_away(outputs, made):
    (outputs / "logs").write_text("no folder")
    who = ("--reason", "diuji", "--approver", "Kaprodi", "--models", outputs)
    before = everything(outputs)
    assert_refused(judul("models", "promote", "light", made[0], *who), "Folder log")
    assert everything(outputs) == before


@pytest.mark.parametrize(
    ("missing", "changes"),
    [
        ("seed", {"seed": None}),
        ("baseline", {"baseline": {}}),
        ("dataset.version", {"dataset": {"name": "judul.csv", "sha256": "0" * 64, "n_titles": 3}}),
        ("dataset.name, dataset.version, dataset.sha256, dataset.n_titles", {"dataset": "judul.csv"}),
        ("version", {"version": ""}),
        ("dataset.sha256", {"dataset": {"name": "judul.csv", "version": "a", "n_titles": 3}}),
        ("dataset.n_titles", {"dataset": {"name": "judul.csv", "version": "a", "sha256": "0"}}),
        ("sizes", {"sizes": {}}),
        ("metrics", {"metrics": {}}),
        ("metrics", {"metrics": {"roc_auc": None}}),
    ],
)
def test_incomplete_metadata_are_refused_with_what_is_missing(outputs, made, missing, changes):
    promote(outputs, "light", made[0], **WHO)
    change(versions.version_folder(outputs, "light", made[1]), **changes)
    with pytest.raises(ModelError, match=rf"belum memuat {missing}\."):
        promote(outputs, "light", made[1], **WHO)
    assert current_version(outputs, "light") == made[0]
    assert promotion(outputs, "light", made[1]) == {}


@pytest.mark.parametrize("blank", ["reason", "approver"])
def test_a_promotion_needs_a_reason_and_an_approver(outputs, made, blank):
    with pytest.raises(ModelError, match="Alasan dan penyetuju"):
        promote(outputs, "light", made[0], **(WHO | {blank: "  "}))
    assert current_version(outputs, "light") is None


def test_a_tampered_version_is_refused_unopened(outputs, made, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    promote(outputs, "light", made[0], **WHO)
    promote(outputs, "light", made[1], **WHO)
    for version in (made[0], made[2]):
        folder = versions.version_folder(outputs, "light", version)
        (folder / "best_rf.joblib").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match=r"best_rf\.joblib tidak sama"):
        promote(outputs, "light", made[2], **WHO)
    with pytest.raises(ModelError, match=r"best_rf\.joblib tidak sama"):
        rollback(outputs, "light", **WHO)
    assert current_version(outputs, "light") == made[1]
    problems = [found.problem for found in verify(outputs)]
    assert [bool(problem) for problem in problems] == [True, False, True]
    assert not (tmp_path / "exploded").exists()


def test_a_file_replaced_with_its_hash_is_found_too(outputs, made):
    folder = versions.version_folder(outputs, "light", made[0])
    metadata = registry.read_metadata(folder)
    (folder / "scaler.joblib").write_bytes(b"other")
    change(folder, files=metadata["files"] | {"scaler.joblib": registry.sha256_of(b"other")})
    assert "metadatanya milik versi lain" in verify(outputs)[0].problem
    with pytest.raises(ModelError, match="milik versi lain"):
        promote(outputs, "light", made[0], **WHO)


def test_the_current_version_answers(outputs, made):
    assert find_models(outputs)["light"] == outputs / "light" == model_folder(outputs, "light")
    promote(outputs, "light", made[1], **WHO)
    shutil.copytree(outputs / "light", outputs / "full")
    found = find_models(outputs)
    assert found == {
        "full": outputs / "full",
        "light": outputs / "models" / "light" / made[1],
    }
    assert len(load_checker(found["light"]).check("Prediksi Harga Beras", top_k=3)) == 3
    shutil.rmtree(outputs / "light")
    assert "light" in find_models(outputs)


def test_a_current_version_that_is_gone_is_said_and_not_passed_over(outputs, made):
    promote(outputs, "light", made[1], **WHO)
    shutil.rmtree(outputs / "models" / "light" / made[1])
    with pytest.raises(ModelError, match="judul models promote"):
        find_models(outputs)
    assert [found.version for found in verify(outputs) if found.problem] == [""]
    promote(outputs, "light", made[0], **WHO)  # There is a way out.
    assert find_models(outputs)["light"].name == made[0]


def lost(current):
    current.write_text("20260101-00000000\n")


def no_file(current):
    current.unlink(missing_ok=True)
    current.mkdir()


def no_metadata(current):
    (current.parent / current.read_text().strip() / "metadata.json").write_text("{")


@pytest.mark.parametrize("break_it", [lost, no_file, no_metadata])
def test_one_broken_current_does_not_take_the_other_models_away(outputs, made, break_it):
    shutil.copytree(PROJECT / "outputs" / "structured", outputs / "structured")
    promote(outputs, "light", made[1], **WHO)
    break_it(outputs / "models" / "light" / "current")
    notes = []
    assert list(find_models(outputs, warn=notes.append)) == ["structured"]
    assert len(notes) == 1
    assert "Model Ringan tidak dipakai" in notes[0]
    with pytest.warns(UserWarning, match="Model Ringan tidak dipakai"):
        find_models(outputs)
    result = judul("check", "Prediksi Harga Beras", "--models", outputs)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("Catatan: Model Ringan tidak dipakai")
    assert_refused(
        judul("check", "Prediksi Harga Beras", "--models", outputs, "--model", "light"), "light"
    )
    session = Session(Config(models=outputs, log=False))
    assert list(session.checkers) == ["structured"]
    assert session.damaged == notes


def test_a_model_made_later_is_a_candidate(outputs, made):
    assert versions.version_of(candidate_metadata(outputs, "light")) == made[2]
    promote(outputs, "light", made[2], **WHO)
    assert candidate_metadata(outputs, "light") is None
    change(outputs / "light", created="2026-01-01T08:00:00+00:00")
    assert candidate_metadata(outputs, "light") is None
    change(outputs / "light", created="2026-04-01T08:00:00+00:00")
    assert candidate_metadata(outputs, "light")["created"].startswith("2026-04")


@pytest.mark.parametrize(
    "entry", [None, 1, [], {}, {"version": "x"}, {"version": [], "action": "promote"}]
)
def test_what_is_no_history_and_no_tag_is_answered_with_a_sentence(outputs, made, entry):
    promote(outputs, "light", made[0], **WHO)
    past = history(outputs, "light")
    home = outputs / "models" / "light"
    for told in ([entry], [{**past[0], "previous": 5}], [{**past[0], "reason": None}]):
        (home / "history.json").write_text(json.dumps(told))
        with pytest.raises(ModelError, match="rusak"):
            rollback(outputs, "light", **WHO)
    (home / "history.json").write_text(json.dumps([{**past[0], "action": "rollback"}]))
    with pytest.raises(ModelError, match="yang berlaku sebelum ini"):
        rollback(outputs, "light", **WHO)
    (home / made[0] / "tags.json").write_text(json.dumps([entry]))
    with pytest.raises(ModelError, match="rusak"):
        tags(outputs, "light", made[0])
    assert judul("models", "list", "--models", outputs).returncode == 0


def test_tags(outputs, made):
    assert tag(outputs, "light", made[0], "semester-1") == ["semester-1"]
    assert tag(outputs, "light", made[0], "arsip") == ["arsip", "semester-1"]
    assert tag(outputs, "light", made[0], "arsip", remove=True) == ["semester-1"]
    assert tags(outputs, "light", made[0]) == ["semester-1"]
    assert tags(outputs, "light", made[1]) == []
    with pytest.raises(ModelError, match="satu kata"):
        tag(outputs, "light", made[0], "dua kata")


def test_the_projects_own_models_can_be_promoted(tmp_path):
    for name in ("light", "structured"):
        version = add_version(tmp_path, PROJECT / "outputs" / name)
        promote(tmp_path, name, version, **WHO)
    assert list(find_models(tmp_path)) == ["structured", "light"]


def test_the_command_lists_shows_switches_and_verifies(outputs, made):
    def models(*arguments):
        return judul("models", *arguments, "--models", outputs)

    who = ("--reason", "diuji", "--approver", "Kaprodi")
    result = models("promote", "light", made[1], *who)
    assert result.returncode == 0, result.stderr
    listed = models("list").stdout
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["light", made[0], "–"],
        ["light", made[1], "berlaku"],
        ["light", made[2], "–"],
        ["light", "outputs/light", "kandidat"],
    ]
    shown = models("show", "light").stdout
    assert made[1] in shown
    assert "Kaprodi" in shown
    assert models("promote", "light", made[2], *who).returncode == 0
    assert models("rollback", "light", *who).returncode == 0
    assert current_version(outputs, "light") == made[1]
    assert models("tag", "light", made[1], "awal").returncode == 0
    assert "awal" in models("list").stdout
    assert models("verify").returncode == 0
    (outputs / "models" / "light" / made[0] / "arrays.npz").write_bytes(b"x")
    assert_refused(models("promote", "light", made[0], *who), "arrays.npz")
    damaged = models("verify")
    assert damaged.returncode == 1
    assert "arrays.npz" in damaged.stdout
