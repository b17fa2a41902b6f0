import json
import pickle
import shutil
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from judul_lib.checking import registry, version_metrics, versions
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
from judul_lib.core.formatting import format_number
from judul_lib.governance import audit, promotions
from judul_lib.governance.promotions import AuditWriter, history, promote, promotion, rollback
from judul_lib.usage.database import open_database, opened_database, read_table
from judul_lib.web.service import Service
from tests.conftest import PROJECT, assert_refused, judul

WHO = {"reason": "lebih baik pada pasangan emas", "approver": "Koordinator TA"}


def change_metadata(folder, **changes):
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def outputs(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "outputs" / "light")
    return tmp_path / "outputs"


@pytest.fixture
def added(outputs):
    """Three versions, one a day."""

    def add(day):
        change_metadata(outputs / "light", created=f"2026-03-0{day}T08:00:00+00:00")
        return add_version(outputs, outputs / "light")

    return [add(day) for day in (1, 2, 3)]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_versions_are_stored_side_by_side_unchanged(outputs, added):
    assert list_versions(outputs, "light") == added
    assert len(set(added)) == 3
    assert current_version(outputs, "light") is None
    last = versions.version_folder(outputs, "light", added[-1])
    files = content(outputs / "light")
    assert {name: content(last)[name] for name in registry.FILES} == {
        name: files[name] for name in registry.FILES
    }
    assert registry.version_of(registry.read_metadata(last)) == added[-1]
    assert add_version(outputs, outputs / "light") == added[-1]  # It is not added again.
    assert list_versions(outputs, "light") == added


def test_failed_copy_leaves_no_version(outputs, monkeypatch):
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


def test_damaged_model_does_not_become_a_version(outputs):
    (outputs / "light" / "arrays.npz").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"arrays\.npz tidak sama"):
        add_version(outputs, outputs / "light")
    assert list_versions(outputs, "light") == []


def test_paths_out_of_the_folder_are_refused(outputs):
    change_metadata(outputs / "light", files={"../light/arrays.npz": "0" * 64})
    with pytest.raises(ModelError, match=r"metadata\.json"):
        add_version(outputs, outputs / "light")
    for version in ("../../light", "..", ".new.x", ""):
        with pytest.raises(ModelError, match="Tidak ada versi"):
            versions.version_folder(outputs, "light", version)


def test_promotion_is_recorded_in_the_metadata(outputs, added):
    folder = versions.version_folder(outputs, "light", added[0])
    before = content(folder)
    entry = promote(outputs, "light", added[0], **WHO)
    assert current_version(outputs, "light") == added[0]
    assert promotion(outputs, "light", added[0]) == entry
    assert (entry["reason"], entry["approver"]) == (WHO["reason"], WHO["approver"])
    deployed = datetime.fromisoformat(entry["deployed"])
    assert datetime.now(UTC) - deployed < timedelta(minutes=5)
    assert date.fromisoformat(entry["next_review"]) == promotions.next_month(deployed.date())
    after = content(folder)
    metadata, earlier = (json.loads(files.pop("metadata.json")) for files in (after, before))
    keys = ("approver", "reason", "deployed", "next_review")
    assert metadata.pop("governance") == {key: entry[key] for key in keys}
    assert (after, metadata) == (before, earlier)
    assert promotions.missing_metadata(registry.read_metadata(folder), is_promoted=True) == []
    assert [check.problem for check in verify(outputs)] == ["", "", ""]


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2025-12-14", "2026-01-14"), ("2026-01-31", "2026-02-28"), ("2028-01-30", "2028-02-29")],
)
def test_version_is_reviewed_after_a_month(day, expected):
    assert promotions.next_month(date.fromisoformat(day)).isoformat() == expected


@pytest.mark.parametrize(
    ("created", "review"), [("2026-01-31T08:00:00+00:00", "28-02-2026"), ("kemarin", None)]
)
def test_model_of_a_run_is_shown_with_its_review(outputs, created, review):
    change_metadata(outputs / "light", created=created)
    shown = judul("models", "show", "light", "--models", outputs)
    assert shown.returncode == 0
    assert "tanpa persetujuan" in shown.stdout
    lines = [line.split(maxsplit=2)[-1] for line in shown.stdout.splitlines() if "tinjau lagi" in line]
    assert lines == ([review] if review else [])
    listed = judul("models", "list", "--models", outputs)
    assert listed.returncode == 0
    assert review is None or review in listed.stdout


def test_a_damaged_date_does_not_prevent_the_first_promotion(outputs, added):
    change_metadata(outputs / "light", created="kemarin")
    assert promote(outputs, "light", added[0], **WHO)["previous"] is None
    assert current_version(outputs, "light") == added[0]


def test_first_promotion_keeps_the_model_that_answered_before(outputs):
    before = content(outputs / "light")
    standing = registry.version_of(registry.read_metadata(outputs / "light"))
    change_metadata(outputs / "light", created="2026-03-31T08:00:00+00:00")
    new = add_version(outputs, outputs / "light")
    (outputs / "light" / "metadata.json").write_bytes(before["metadata.json"])
    assert list_versions(outputs, "light") == [new]
    assert promote(outputs, "light", new, **WHO)["previous"] == standing
    first, _ = history(outputs, "light")
    assert (first["action"], first["version"], first["previous"]) == ("first-run", standing, None)
    stored = registry.read_metadata(outputs / "models" / "light" / standing)
    assert first["deployed"] == stored["created"]
    assert stored["governance"]["next_review"] == first["next_review"]
    assert stored["dataset"]["sha256"]
    listed = judul("models", "list", "--models", outputs).stdout
    assert standing in listed
    assert rollback(outputs, "light", **WHO)["version"] == standing
    assert model_folder(outputs, "light").name == standing
    files = content(model_folder(outputs, "light"))
    assert {name: files[name] for name in registry.FILES} == {n: before[n] for n in registry.FILES}
    assert load_checker(model_folder(outputs, "light")).check("Prediksi Harga Beras", top_k=1)


def kill_after(n_writes, patch):
    """Interrupt a switch at its next write after so many; return the list of the writes done."""
    calls = []

    def killed(write):
        def wrapper(*arguments):
            if len(calls) == n_writes:
                raise KeyboardInterrupt
            calls.append(arguments)
            return write(*arguments)

        return wrapper

    for name in ("write_json", "write_bytes"):
        patch.setattr(promotions, name, killed(getattr(promotions, name)))
    return calls


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_killed_first_promotion_can_be_repeated(outputs, added, step, monkeypatch):
    with monkeypatch.context() as patch:
        kill_after(step, patch)
        patch.setattr(promotions, "_restore_files_on_failure", lambda *paths: nullcontext())
        with pytest.raises(KeyboardInterrupt):
            promote(outputs, "light", added[0], **WHO)
    assert current_version(outputs, "light") is None
    assert promotion(outputs, "light", added[0]) == {}
    promote(outputs, "light", added[1], **WHO)
    assert [entry["version"] for entry in history(outputs, "light")] == [added[2], added[1]]
    assert governance(outputs, added[0]) is None
    assert governance(outputs, added[2])["next_review"] == "2026-04-03"
    assert rollback(outputs, "light", **WHO)["version"] == added[2]


def test_damaged_model_does_not_prevent_the_first_promotion(outputs, added):
    (outputs / "light" / "arrays.npz").write_bytes(b"x")
    assert promote(outputs, "light", added[0], **WHO)["previous"] is None
    assert len(history(outputs, "light")) == 1


def compare_with(outputs, version, previous, old, new, low=None):
    rows = {
        metric: {"old": old, "new": new, "difference": new - old, "low": low, "high": low}
        for metric in ("roc_auc", "accuracy")
    }
    folder = versions.version_folder(outputs, "light", version)
    change_metadata(folder, previous=previous, comparison={"n_pairs": 100, **rows})


def test_worse_version_needs_force(outputs, added):
    compare_with(outputs, added[0], added[2], 0.91, 0.84, -0.09)
    with pytest.raises(ModelError, match=r"0,910 → 0,840.*--force") as refusal:
        promote(outputs, "light", added[0], **WHO)
    assert added[2] in str(refusal.value)
    assert current_version(outputs, "light") is None
    with pytest.raises(ModelError, match="Alasan"):
        promote(outputs, "light", added[0], reason="", approver="a", force=True)
    assert promote(outputs, "light", added[0], **WHO, force=True)["forced"]
    assert promote(outputs, "light", added[2], **WHO)["previous"] == added[0]  # It is better.
    command = ("models", "promote", "light", added[0], "--reason", "uji", "--approver", "Kaprodi")
    assert_refused(judul(*command, "--models", outputs), "mungkin lebih buruk")
    forced = judul(*command, "--force", "--models", outputs)
    assert forced.returncode == 0, forced.stderr


def test_versions_without_a_common_comparison_are_compared_by_their_gold_metrics(outputs, added):
    compare_with(outputs, added[0], "20250101-00000000", 0.9, 0.95, 0.01)
    compare_with(outputs, added[1], "20250202-00000000", 0.9, 0.8, 0.01)
    promote(outputs, "light", added[0], **WHO)
    with pytest.raises(ModelError, match="0,950 → 0,800"):
        promote(outputs, "light", added[1], **WHO)
    metrics = version_metrics.gold_metrics(outputs, "light")
    assert metrics[added[0]] == {"roc_auc": 0.95, "accuracy": 0.95}
    assert metrics[added[2]] == {}


def test_each_rollback_undoes_one_promotion(outputs, added):
    shutil.rmtree(outputs / "light")
    for version in added:
        promote(outputs, "light", version, **WHO)
    assert rollback(outputs, "light", **WHO)["version"] == added[1]
    assert rollback(outputs, "light", **WHO)["version"] == added[0]
    assert current_version(outputs, "light") == added[0]
    with pytest.raises(ModelError, match="yang berlaku sebelum ini"):
        rollback(outputs, "light", **WHO)
    promote(outputs, "light", added[2], **WHO)
    assert rollback(outputs, "light", **WHO)["version"] == added[0]
    assert [entry["action"] for entry in history(outputs, "light")] == [
        *["promote"] * 3, *["rollback"] * 2, "promote", "rollback",
    ]  # fmt: skip


@pytest.mark.parametrize("switch", ["promote", "rollback"])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_switch_killed_between_its_steps_keeps_the_earlier_version(
    outputs, added, switch, step, monkeypatch
):
    shutil.rmtree(outputs / "light")  # No version but those promoted.
    for version in added[:2]:
        promote(outputs, "light", version, **WHO)
    old_history = history(outputs, "light")
    with monkeypatch.context() as patch:
        calls = kill_after(step, patch)
        run_switch = {"promote": partial(promote, version=added[2]), "rollback": rollback}[switch]
        with pytest.raises(KeyboardInterrupt):
            run_switch(outputs, "light", **WHO)
    assert len(calls) == step
    assert current_version(outputs, "light") == added[1]
    assert history(outputs, "light") == old_history
    assert promotion(outputs, "light", added[2]) == {}
    # A later rollback is not affected.
    entry = rollback(outputs, "light", **WHO)
    assert entry["version"] == added[0]
    assert len(history(outputs, "light")) == 3
    assert governance(outputs, added[0])["deployed"] == entry["deployed"]
    assert governance(outputs, added[1])["deployed"] == old_history[1]["deployed"]
    assert governance(outputs, added[2]) is None


def governance(outputs, version):
    metadata = registry.read_metadata(outputs / "models" / "light" / version)
    return metadata.get("governance")


def version_files(outputs):
    folder = outputs / "models"
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("n_before", [0, 1])
@pytest.mark.parametrize("fails", ["before", "after"])
def test_switch_that_cannot_be_recorded_is_undone(outputs, added, n_before, fails):
    for version in added[:n_before]:
        promote(outputs, "light", version, **WHO)

    @contextmanager
    def recording(entry):
        assert entry["version"] == added[2]
        if fails == "after":
            yield
            assert current_version(outputs, "light") == added[2]
        raise LogError("no")

    before = version_files(outputs)
    with pytest.raises(LogError):
        promote(outputs, "light", added[2], **WHO, recording=recording)
    assert version_files(outputs) == before
    assert current_version(outputs, "light") == (added[0] if n_before else None)


def test_governance_of_another_installation_is_not_copied(outputs, added, tmp_path):
    promote(outputs, "light", added[0], **WHO)
    assert add_version(tmp_path / "other", outputs / "models" / "light" / added[0]) == added[0]
    assert governance(outputs, added[0])
    assert governance(tmp_path / "other", added[0]) is None


@pytest.fixture
def audit_writer(url, outputs):
    open_database(url).dispose()
    return AuditWriter(url, outputs / "logs", "petugas")


def rows(audit_writer):
    with opened_database(audit_writer.url) as engine:
        entries = sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])
    return [(row["action"], row["actor"], json.loads(row["details"])["version"]) for row in entries]


def promotion_details(audit_writer):
    with opened_database(audit_writer.url) as engine:
        entries = sorted(read_table(engine, audit.audit), key=lambda row: row["seq"])
    return [json.loads(row["details"]) for row in entries if row["action"] == "promote"]


def test_switches_are_audited(outputs, added, audit_writer):
    compare_with(outputs, added[0], added[2], 0.8, 0.9, 0.05)
    promotions.promote_with_audit(audit_writer, outputs, "light", added[0], **WHO)
    promotions.promote_with_audit(audit_writer, outputs, "light", added[1], **WHO)
    entry = promotions.rollback_with_audit(audit_writer, outputs, "light", **WHO)
    assert rows(audit_writer) == [
        ("promote", "petugas", added[0]),
        ("promote", "petugas", added[1]),
        ("rollback", "petugas", added[0]),
    ]
    with opened_database(audit_writer.url) as engine:
        assert audit.verify(engine, audit_writer.folder) == []
        last = max(read_table(engine, audit.audit), key=lambda row: row["seq"])
    details = json.loads(last["details"])
    assert last["reason"] == WHO["reason"]
    assert (details["previous"], details["approver"]) == (added[1], WHO["approver"])
    assert (details["deployed"], details["model"]) == (entry["deployed"], "light")
    assert (details["old"], details["new"]) == (None, {"roc_auc": 0.9, "accuracy": 0.9})
    first = promotion_details(audit_writer)[0]
    assert first["previous"] == added[2]
    assert first["old"] == {"roc_auc": 0.8, "accuracy": 0.8}
    assert first["new"] == {"roc_auc": 0.9, "accuracy": 0.9}
    assert first["difference_low"] == {"roc_auc": 0.05, "accuracy": 0.05}


def test_failed_switches_are_not_audited(outputs, added, audit_writer, monkeypatch):
    def full_disk(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(promotions, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space"):
            promotions.promote_with_audit(audit_writer, outputs, "light", added[0], **WHO)
    with pytest.raises(ModelError, match="Tidak ada versi"):
        promotions.promote_with_audit(audit_writer, outputs, "light", "20260101-00000000", **WHO)
    assert rows(audit_writer) == []
    assert current_version(outputs, "light") is None


def test_failed_commit_of_the_audit_row_undoes_the_switch(outputs, added, audit_writer):
    promotions.promote_with_audit(audit_writer, outputs, "light", added[0], **WHO)
    before = version_files(outputs)

    def fail_commit(connection):
        assert current_version(outputs, "light") == added[1]
        raise sa.exc.OperationalError("COMMIT", {}, Exception("koneksi terputus"))

    sa.event.listen(sa.Engine, "commit", fail_commit)
    try:
        with pytest.raises(LogError, match="koneksi terputus"):
            promotions.promote_with_audit(audit_writer, outputs, "light", added[1], **WHO)
    finally:
        sa.event.remove(sa.Engine, "commit", fail_commit)
    assert version_files(outputs) == before
    assert rows(audit_writer) == [("promote", "petugas", added[0])]


def test_missing_audit_row_of_a_killed_switch_is_added_later(outputs, added, audit_writer):
    promote(outputs, "light", added[0], **WHO)  # Without the audit row, as if killed before it.
    with opened_database(audit_writer.url) as engine, engine.connect() as connection:
        assert promotions.unaudited_switch(connection, outputs, "light")["version"] == added[0]
    promotions.promote_with_audit(audit_writer, outputs, "light", added[1], **WHO)
    assert rows(audit_writer) == [
        ("promote", "tidak diketahui", added[0]),
        ("promote", "petugas", added[1]),
    ]
    with opened_database(audit_writer.url) as engine, engine.connect() as connection:
        assert promotions.unaudited_switch(connection, outputs, "light") is None


def test_command_does_not_switch_without_the_database(outputs, added):
    (outputs / "logs").write_text("no folder")
    who = ("--reason", "diuji", "--approver", "Kaprodi", "--models", outputs)
    before = version_files(outputs)
    assert_refused(judul("models", "promote", "light", added[0], *who), "Folder log")
    assert version_files(outputs) == before


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
def test_incomplete_metadata_are_refused_with_the_missing_keys(outputs, added, missing, changes):
    promote(outputs, "light", added[0], **WHO)
    change_metadata(versions.version_folder(outputs, "light", added[1]), **changes)
    with pytest.raises(ModelError, match=rf"belum memuat {missing}\."):
        promote(outputs, "light", added[1], **WHO)
    assert current_version(outputs, "light") == added[0]
    assert promotion(outputs, "light", added[1]) == {}


@pytest.mark.parametrize("blank", ["reason", "approver"])
def test_promotion_needs_a_reason_and_an_approver(outputs, added, blank):
    with pytest.raises(ModelError, match="Alasan dan penyetuju"):
        promote(outputs, "light", added[0], **(WHO | {blank: "  "}))
    assert current_version(outputs, "light") is None


def test_tampered_version_is_refused_without_unpickling(outputs, added, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    promote(outputs, "light", added[0], **WHO)
    promote(outputs, "light", added[1], **WHO)
    for version in (added[0], added[2]):
        folder = versions.version_folder(outputs, "light", version)
        (folder / "best_rf.joblib").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match=r"best_rf\.joblib tidak sama"):
        promote(outputs, "light", added[2], **WHO)
    with pytest.raises(ModelError, match=r"best_rf\.joblib tidak sama"):
        rollback(outputs, "light", **WHO)
    assert current_version(outputs, "light") == added[1]
    problems = [check.problem for check in verify(outputs)]
    assert [bool(problem) for problem in problems] == [True, False, True]
    assert not (tmp_path / "exploded").exists()


def test_file_replaced_with_its_hash_is_detected(outputs, added):
    folder = versions.version_folder(outputs, "light", added[0])
    metadata = registry.read_metadata(folder)
    (folder / "scaler.joblib").write_bytes(b"other")
    change_metadata(folder, files=metadata["files"] | {"scaler.joblib": registry.sha256_of(b"other")})
    assert "metadatanya milik versi lain" in verify(outputs)[0].problem
    with pytest.raises(ModelError, match="milik versi lain"):
        promote(outputs, "light", added[0], **WHO)


def test_current_version_is_used(outputs, added):
    assert find_models(outputs)["light"] == outputs / "light" == model_folder(outputs, "light")
    promote(outputs, "light", added[1], **WHO)
    shutil.copytree(outputs / "light", outputs / "full")
    folders = find_models(outputs)
    light = outputs / "models" / "light" / added[1]
    assert folders == {"full": outputs / "full", "light": light}
    assert len(load_checker(light).check("Prediksi Harga Beras", top_k=3)) == 3
    shutil.rmtree(outputs / "light")
    assert "light" in find_models(outputs)


def test_missing_current_version_is_reported(outputs, added):
    promote(outputs, "light", added[1], **WHO)
    shutil.rmtree(outputs / "models" / "light" / added[1])
    with pytest.raises(ModelError, match="judul models promote"):
        find_models(outputs)
    assert [check.version for check in verify(outputs) if check.problem] == [""]
    promote(outputs, "light", added[0], **WHO)  # This repairs it.
    assert find_models(outputs)["light"].name == added[0]


def name_missing_version(current):
    current.write_text("20260101-00000000\n")


def replace_by_folder(current):
    current.unlink(missing_ok=True)
    current.mkdir()


def damage_metadata(current):
    (current.parent / current.read_text().strip() / "metadata.json").write_text("{")


@pytest.mark.parametrize("damage", [name_missing_version, replace_by_folder, damage_metadata])
def test_broken_current_version_leaves_other_models_usable(outputs, added, damage):
    shutil.copytree(PROJECT / "outputs" / "structured", outputs / "structured")
    promote(outputs, "light", added[1], **WHO)
    damage(outputs / "models" / "light" / "current")
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
    service = Service(Config(models=outputs, log=False))
    assert list(service.models) == ["structured"]
    assert service.damaged == notes


def test_newer_model_is_a_candidate(outputs, added):
    assert versions.version_of(candidate_metadata(outputs, "light")) == added[2]
    promote(outputs, "light", added[2], **WHO)
    assert candidate_metadata(outputs, "light") is None
    change_metadata(outputs / "light", created="2026-01-01T08:00:00+00:00")
    assert candidate_metadata(outputs, "light") is None
    change_metadata(outputs / "light", created="2026-04-01T08:00:00+00:00")
    assert candidate_metadata(outputs, "light")["created"].startswith("2026-04")


@pytest.mark.parametrize(
    "entry", [None, 1, [], {}, {"version": "x"}, {"version": [], "action": "promote"}]
)
def test_invalid_history_and_tags_are_refused(outputs, added, entry):
    promote(outputs, "light", added[0], **WHO)
    old_history = history(outputs, "light")
    home = outputs / "models" / "light"
    for entries in ([entry], [{**old_history[0], "previous": 5}], [{**old_history[0], "reason": None}]):
        (home / "history.json").write_text(json.dumps(entries))
        with pytest.raises(ModelError, match="rusak"):
            rollback(outputs, "light", **WHO)
    (home / "history.json").write_text(json.dumps([{**old_history[0], "action": "rollback"}]))
    with pytest.raises(ModelError, match="yang berlaku sebelum ini"):
        rollback(outputs, "light", **WHO)
    (home / added[0] / "tags.json").write_text(json.dumps([entry]))
    with pytest.raises(ModelError, match="rusak"):
        tags(outputs, "light", added[0])
    assert judul("models", "list", "--models", outputs).returncode == 0


def test_tags(outputs, added):
    assert tag(outputs, "light", added[0], "semester-1") == ["semester-1"]
    assert tag(outputs, "light", added[0], "arsip") == ["arsip", "semester-1"]
    assert tag(outputs, "light", added[0], "arsip", remove=True) == ["semester-1"]
    assert tags(outputs, "light", added[0]) == ["semester-1"]
    assert tags(outputs, "light", added[1]) == []
    with pytest.raises(ModelError, match="satu kata"):
        tag(outputs, "light", added[0], "dua kata")


def test_models_of_the_project_can_be_promoted(tmp_path):
    for name in ("light", "structured"):
        version = add_version(tmp_path, PROJECT / "outputs" / name)
        promote(tmp_path, name, version, **WHO)
    assert list(find_models(tmp_path)) == ["structured", "light"]


def test_command_lists_shows_switches_and_verifies(outputs, added):
    def models(*arguments):
        return judul("models", *arguments, "--models", outputs)

    who = ("--reason", "diuji", "--approver", "Kaprodi")
    result = models("promote", "light", added[1], *who)
    assert result.returncode == 0, result.stderr
    listed = models("list").stdout
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["light", added[0], "–"],
        ["light", added[1], "berlaku"],
        ["light", added[2], "–"],
        ["light", "outputs/light", "kandidat"],
    ]
    assert "ROC-AUC pasangan emas" in listed
    shown = models("show", "light").stdout
    assert added[1] in shown
    size = sum((outputs / "light" / name).stat().st_size for name in registry.FILES)
    assert "jenis          light" in shown
    assert f"{format_number(size)} byte" in shown
    assert "Kaprodi" in shown
    assert models("promote", "light", added[2], *who).returncode == 0
    assert models("rollback", "light", *who).returncode == 0
    assert current_version(outputs, "light") == added[1]
    assert models("tag", "light", added[1], "awal").returncode == 0
    assert "awal" in models("list").stdout
    assert models("verify").returncode == 0
    (outputs / "models" / "light" / added[0] / "arrays.npz").write_bytes(b"x")
    assert_refused(models("promote", "light", added[0], *who), "arrays.npz")
    damaged = models("verify")
    assert damaged.returncode == 1
    assert "arrays.npz" in damaged.stdout
