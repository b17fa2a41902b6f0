import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from judul_lib.checking.loading import load_checker
from judul_lib.checking.registry import (
    load_model,
    load_structured,
    load_titles,
    read_metadata,
    version_of,
)
from judul_lib.checking.version_metrics import TOLERANCE
from judul_lib.checking.versions import current_version, list_versions, verify
from judul_lib.cli.main import cli
from judul_lib.core.errors import CorpusError, LabelError, LogError, ModelError, TrainingError
from judul_lib.core.pseudonyms import log_key
from judul_lib.core.settings import SEED
from judul_lib.core.storage import sha256_of
from judul_lib.governance import audit
from judul_lib.governance.promotions import AuditWriter, missing_metadata
from judul_lib.labeling import retraining
from judul_lib.labeling.labels import PairVotes, feedback_votes, majority_vote, read_label_file
from judul_lib.labeling.retraining import RetrainingResult, retrain, unseen_gold
from judul_lib.structured.gold import read_gold
from judul_lib.structured.records import UnitCounts
from judul_lib.study.metrics import score_predictions
from judul_lib.training.drift import measure_baseline, stored_baseline
from judul_lib.training.pairs import training_set
from judul_lib.training.structured import unfitted_model
from judul_lib.usage.database import database_url, feedback, open_database, read_table
from judul_lib.usage.log import Feedback, UsageLog
from tests.conftest import PROJECT, judul

GOLD = PROJECT / "data" / "gold_pairs.csv"
A, B, C = "Klasifikasi Penyakit Padi", "Prediksi Harga Beras", "Deteksi Hoaks Berita"


@pytest.fixture(scope="module")
def gold():
    return read_gold(GOLD)


@pytest.fixture
def outputs(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "outputs" / "light")
    return tmp_path / "outputs"


def row(feedback=("MIRIP", True), left=A, right=B, **other):
    return {
        "label": feedback[0], "is_right": feedback[1], "query_text": left, "match_text": right,
        "query_hash": None, "match_hash": None, "user": None, "simulated": False, **other,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "label"),
    [
        (("MIRIP", True), 1), (("MIRIP", False), 0),
        (("TIDAK MIRIP", True), 0), (("TIDAK MIRIP", False), 1),
    ],
)  # fmt: skip
def test_feedback_on_a_verdict_gives_a_label(verdict, label):
    assert feedback_votes([row(verdict)], [], b"k").rows == [(A, B, label)]


def test_feedback_without_a_judgement_gives_no_label():
    rows = [
        row(("MIRIP", None)),
        row(simulated=True),
        row(("TANYAKAN", True)),
        row(right=None),
        row(right="..."),
    ]
    assert feedback_votes(rows, [A, B], b"k") == PairVotes([], n_unsure=1, n_unreadable=2)


@pytest.mark.parametrize("log_text", [False, True])
def test_titles_are_read_from_the_log_as_text_or_hash(tmp_path, log_text):
    log = UsageLog(tmp_path, log_text=log_text, user="u")
    log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, is_right=False, title=A.upper(), match=B))
    log.log_feedback(
        Feedback("light", "TIDAK MIRIP", 0.1, 0.5, is_right=True, title="Judul Asing", match=B)
    )
    log.close()
    engine = open_database(database_url(tmp_path))
    with engine.connect() as connection:
        rows = list(connection.execute(feedback.select().order_by(feedback.c.time)).mappings())
    engine.dispose()
    votes = feedback_votes(rows, [A, B], log_key(tmp_path))
    if log_text:
        assert votes == PairVotes([(A.upper(), B, 0), ("Judul Asing", B, 0)])
    else:
        assert votes == PairVotes([(A, B, 0)], n_unreadable=1)  # As the corpus spells the title.


def test_last_answer_of_a_user_counts():
    rows = [row(user="u"), row(user="u"), row(("MIRIP", False), B, A, user="u"), row(user="v")]
    assert [label for *_, label in feedback_votes(rows, [], b"k").rows] == [0, 1]
    assert len(feedback_votes([row(), row()], [], b"k").rows) == 2


def test_majority_counts_and_ties_are_left_out():
    similar, different = [(A, B, 1), (B, A.upper(), 1), (A, B, 0)], [(B, C, 0), (C, B, 1), (C, B, 0)]
    labels = majority_vote(PairVotes([*similar, *different, (A, C, 1), (C, A, 0)]))
    assert labels.pairs.to_numpy().tolist() == [[A, B, 1], [B, C, 0]]
    assert (labels.n_answers, labels.n_ties) == (8, 1)
    assert majority_vote(PairVotes()).pairs.empty


def write(path, rows, header="judul_a,judul_b,label"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_label_file_is_read(tmp_path):
    rows = [f"{A},{B},mirip", "", f"{A},{C},0", f"{B},{C}, TIDAK ", f"{C},{B},ragu", f"{C},{C},1"]
    answers = read_label_file(write(tmp_path / "l.csv", rows, "Judul_A,judul_b,LABEL"))
    assert answers.rows == [(A, B, 1), (A, C, 0), (B, C, 0), (C, C, 1)]
    assert answers.n_unsure == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{A},,1", r"l\.csv baris 3: judul_b kosong"),
        (f"...,{B},1", r"l\.csv baris 3: judul_a kosong"),
        (f"{A},{B},serupa", r"l\.csv baris 3: label 'serupa' tidak dikenal"),
        (f"{A},{B},", r"l\.csv baris 3: label '' tidak dikenal"),
    ],
)
def test_error_names_the_invalid_row(tmp_path, line, message):
    path = write(tmp_path / "l.csv", [f"{A},{B},1", line])
    with pytest.raises(LabelError, match=message):
        read_label_file(path)


def test_error_names_the_missing_column(tmp_path):
    with pytest.raises(CorpusError, match="'label'"):
        read_label_file(write(tmp_path / "l.csv", [f"{A},{B}"], "judul_a,judul_b"))


def gold_labels(gold, *, wrong=False, n=150):
    pairs = gold[(gold["split"] == "dev") & gold["label"].notna()].sample(n, random_state=0)
    return votes_on(pairs, wrong=wrong)


def votes_on(pairs, *, wrong=False):
    labels = pairs["label"].astype(int) ^ int(wrong)
    return PairVotes(list(zip(pairs["judul_a"], pairs["judul_b"], labels, strict=True)))


def test_gold_pairs_of_labelled_studies_are_left_out_of_the_comparison(gold):
    pairs = majority_vote(gold_labels(gold)).pairs
    unseen, n_left_out = unseen_gold(gold, pairs)
    assert len(unseen) + n_left_out == gold["label"].notna().sum()
    titles = {*pairs["judul_a"], *pairs["judul_b"]}
    assert not titles & {*unseen["judul_a"], *unseen["judul_b"]}
    assert not set(unseen["base_id"]) & set(gold.loc[gold["judul_a"].isin(titles), "base_id"])
    with pytest.raises(TrainingError, match="terlalu sedikit"):
        unseen_gold(gold, gold[gold["label"].notna()])


def test_retrained_forest_is_added_as_a_version_and_compared(trained, outputs, gold):
    labels = majority_vote(gold_labels(gold) + PairVotes([(*trained.titles[:2], 1)]))
    result = retrain(outputs, "light", labels, GOLD)
    assert result.is_not_worse
    assert result.comparison.loc["roc_auc", "low"] > 0
    assert set(list_versions(outputs, "light")) == {result.version, result.previous}
    assert current_version(outputs, "light") is None  # Nothing is promoted.
    assert not any(check.problem for check in verify(outputs))
    folder = outputs / "models" / "light" / result.version
    model, metadata = load_model(folder), read_metadata(folder)
    assert model.titles == trained.titles  # Labelled titles are not added.
    assert model.tfidf.transform(["padi"]).shape[1] == len(trained.result.tfidf.vocabulary_)
    assert metadata["dataset"] == read_metadata(outputs / "light")["dataset"]
    assert metadata["previous"] == result.previous
    assert metadata["labels"]["n_pairs"] == result.n_labels == 151
    assert metadata["comparison"]["roc_auc"]["low"] == pytest.approx(
        result.comparison.loc["roc_auc", "low"], abs=1e-6
    )
    assert result.n_unknown_titles > 0
    repeated = retrain(outputs, "light", labels, GOLD)
    assert repeated.version == result.version
    pd.testing.assert_frame_equal(repeated.comparison, result.comparison)


def test_version_is_not_added_if_recording_fails(outputs, gold, tmp_path):
    (tmp_path / "logs").write_text("no folder")
    writer = AuditWriter(database_url(tmp_path / "logs"), tmp_path / "logs", "petugas")
    with pytest.raises(LogError, match="Folder log"):
        retrain(
            outputs, "light", majority_vote(gold_labels(gold)), GOLD,
            recording=lambda result: writer.recording(
                "train", reason="label", details={"v": result.version}
            ),
        )  # fmt: skip
    assert len(list_versions(outputs, "light")) == 1  # The previous version.


def test_persons_label_replaces_the_studys(trained, outputs):
    similar = trained.labeled.pairs.query("label == 1").iloc[0]
    titles = [trained.titles[int(similar[side])] for side in ("right", "left")]
    labels = majority_vote(PairVotes([(*titles, 0)])).pairs
    model = load_model(outputs / "light")
    pairs = retraining._training_pairs(model, trained.titles, labels, SEED)
    rows = (pairs["left"] == similar["left"]) & (pairs["right"] == similar["right"])
    assert pairs.loc[rows, "label"].tolist() == [0]
    assert len(pairs) == len(trained.labeled.pairs)


def test_retraining_errors_give_advice(outputs):
    with pytest.raises(LabelError, match="--labels"):
        retrain(outputs, "light", majority_vote(PairVotes()), GOLD)
    with pytest.raises(ModelError, match="Pilih: full, light, structured"):
        retrain(outputs, "ringan", majority_vote(PairVotes([(A, B, 1)])), GOLD)
    with pytest.raises(ModelError, match="make run"):
        retrain(outputs, "full", majority_vote(PairVotes([(A, B, 1)])), GOLD)


@pytest.mark.parametrize(
    ("low", "accepted"), [(-TOLERANCE, True), (-TOLERANCE - 1e-9, False), (float("nan"), False)]
)
@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_not_worse_requires_the_lower_ends_of_both_intervals(metric, low, accepted):
    table = pd.DataFrame({"low": {"roc_auc": 0.1, "accuracy": 0.1, "f1_weighted": -1}})
    table.loc[metric, "low"] = low
    result = RetrainingResult("light", "b", "a", table, 1, 0, 1, 0, [])
    assert result.is_not_worse is accepted
    assert result.possibly_worse_metrics == ([] if accepted else [metric])


REASON_AND_APPROVER = ("--reason", "label semester ini", "--approver", "Koordinator TA")


def label_file(tmp_path, answers):
    path = tmp_path / "label.csv"
    pd.DataFrame(answers.rows, columns=["judul_a", "judul_b", "label"]).to_csv(path, index=False)
    return path


@pytest.fixture
def command(outputs, monkeypatch):
    """Run ``judul retrain`` in this process, which reuses its workers."""
    monkeypatch.chdir(PROJECT)

    def run(*arguments):
        arguments = map(str, ["retrain", "--models", outputs, *arguments])
        return CliRunner().invoke(cli, list(arguments), standalone_mode=False)

    return run


def test_command_promotes_a_version_that_is_not_worse(command, outputs, gold, tmp_path):
    result = command(
        "--labels", label_file(tmp_path, gold_labels(gold)), "--promote", *REASON_AND_APPROVER
    )
    assert result.return_value == 0, result.exception
    version = current_version(outputs, "light")
    assert version in result.stdout
    assert "tidak ada di korpus model" in result.stderr
    metadata = read_metadata(outputs / "models" / "light" / version)
    assert metadata["governance"]["approver"] == "Koordinator TA"
    assert metadata["seed"] == SEED
    assert stored_baseline(metadata) == measure_baseline(
        load_checker(outputs / "models" / "light" / version)
    )
    engine = open_database(database_url(outputs / "logs"))
    recorded = read_table(engine, audit.audit)
    assert audit.verify(engine, outputs / "logs") == []
    engine.dispose()
    assert [row["action"] for row in recorded] == ["train", "promote"]
    for row in recorded:
        assert row["reason"] == "label semester ini"
        details = json.loads(row["details"])
        assert (details["version"], details["approver"]) == (version, "Koordinator TA")
        assert {"old", "new", "previous"} <= set(details)
    check = judul("check", "--model", "light", "--models", outputs, A)
    assert check.returncode == 0, check.stderr


def test_command_does_not_promote_a_version_from_wrong_labels(command, outputs, gold, tmp_path):
    path = label_file(tmp_path, gold_labels(gold, wrong=True))
    result = command("--labels", path, "--promote", *REASON_AND_APPROVER)
    assert result.return_value == 1, result.exception
    assert "tidak diberlakukan" in result.stdout
    assert "ROC AUC" in result.stdout
    assert current_version(outputs, "light") is None
    assert len(list_versions(outputs, "light")) == 2


def test_command_uses_feedback_and_reports_missing_labels(command, outputs, trained):
    assert "Belum ada label baru" in str(command().exception)
    assert not (outputs / "logs").exists()
    assert "--approver" in str(command("--promote", "--reason", "x").exception)
    log = UsageLog(outputs / "logs", user="u")
    for match in trained.titles[1:4]:
        title = trained.titles[0]
        log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, is_right=False, title=title, match=match))
    log.close()
    result = command()
    assert result.return_value == 0, result.exception
    assert "3 pasangan berlabel dari 3 jawaban" in result.stdout
    assert "judul models promote" in result.stdout
    assert "Belum ada label baru" in str(command("--no-feedback").exception)


@pytest.fixture(scope="module")
def small_gold(gold, tmp_path_factory):
    """A gold file with few studies, and 100 pairs of other development studies."""
    split = {name: part["base_id"].unique() for name, part in gold.groupby("split")}
    in_file = gold["base_id"].isin([*split["dev"][:20], *split["test"][:30]])
    path = tmp_path_factory.mktemp("gold") / "gold.csv"
    gold[in_file].drop(columns="label").to_csv(path, index=False)
    others = gold[gold["base_id"].isin(split["dev"][20:]) & gold["label"].notna()]
    return path, others.sample(100, random_state=0)


@pytest.fixture
def structured_outputs(outputs):
    shutil.copytree(PROJECT / "outputs" / "structured", outputs / "structured")
    return outputs


@pytest.mark.slow
def test_command_retrains_the_structured_model(command, structured_outputs, gold, tmp_path):
    """Use the whole development part, like the previous model, and some of its pairs as labels."""
    test_bases = gold.loc[gold["split"] == "test", "base_id"].unique()[:30]
    path = tmp_path / "gold.csv"
    gold[gold["split"].eq("dev") | gold["base_id"].isin(test_bases)].drop(columns="label").to_csv(
        path, index=False
    )
    labelled = gold[gold["split"].eq("dev") & gold["label"].notna()]
    pairs = labelled.sample(100, random_state=0)
    labelled_test = gold[(gold["split"] == "test") & (gold["label"] == 1)].iloc[0]
    answers = votes_on(pairs) + PairVotes([(labelled_test["judul_a"], labelled_test["judul_b"], 1)])
    before = PROJECT / "outputs" / "structured"
    titles = load_titles(before)
    log = UsageLog(structured_outputs / "logs", user="u")  # Stores hashes.
    log.log_feedback(
        Feedback("full", "MIRIP", 0.9, 0.5, is_right=False, title=titles[0], match=titles[1])
    )
    log.close()
    # Retrains the recommended model by default.
    result = command(
        "--labels", label_file(tmp_path, answers), "--gold", path, "--promote", *REASON_AND_APPROVER
    )
    assert result.return_value == 0, (result.exception, result.stdout)
    assert "102 pasangan berlabel dari 102 jawaban" in result.stdout
    version = current_version(structured_outputs, "structured")
    folder = structured_outputs / "models" / "structured" / version
    old, new = read_metadata(before), read_metadata(folder)
    assert missing_metadata(new, is_promoted=True) == []
    assert (new["recommended"], new["seed"], new["corpus"]) == (True, SEED, old["corpus"])
    assert new["files"]["titles_preprocessed.csv"] == old["files"]["titles_preprocessed.csv"]
    assert new["dataset"]["sha256"] == sha256_of(path.read_bytes())
    assert stored_baseline(new) == measure_baseline(load_checker(folder))
    assert (new["labels"]["n_pairs"], new["previous"]) == (102, version_of(old))
    file_gold = read_gold(path)
    is_seen = file_gold["base_id"] == labelled_test["base_id"]
    test = file_gold[(file_gold["split"] == "test") & file_gold["label"].notna() & ~is_seen]
    assert new["comparison"]["n_pairs"] == len(test)
    assert new["comparison"]["n_left_out"] == is_seen.sum() - 1
    sides = test["judul_a"].tolist(), test["judul_b"].tolist()
    for key, model in (("old", before), ("new", folder)):
        scores = score_predictions(test["label"].astype(int), load_structured(model)[0].score(*sides))
        assert new["comparison"]["roc_auc"][key] == pytest.approx(scores["roc_auc"], abs=1e-6)
    assert new["evaluation"]["roc_auc"] == new["comparison"]["roc_auc"]["new"]
    assert old["files"]["structured.npz"] != new["files"]["structured.npz"]


@pytest.mark.slow
def test_wrong_labels_make_the_structured_model_possibly_worse(structured_outputs, small_gold):
    path, pairs = small_gold
    result = retrain(structured_outputs, "structured", majority_vote(votes_on(pairs, wrong=True)), path)
    assert result.possibly_worse_metrics == ["roc_auc", "accuracy"]
    # With right labels the small gold file costs at most 0.02.
    assert result.comparison.loc["roc_auc", "high"] < -0.03
    assert current_version(structured_outputs, "structured") is None


def test_too_small_development_part_is_refused(structured_outputs, gold, tmp_path):
    path = tmp_path / "gold.csv"
    gold[gold["split"] == "test"].drop(columns="label").to_csv(path, index=False)
    with pytest.raises(TrainingError, match=r"dev dari gold\.csv terlalu kecil"):
        retrain(structured_outputs, "structured", majority_vote(PairVotes([(A, B, 1)])), path)


@pytest.fixture(scope="module")
def studies(gold):
    bases = gold.loc[gold["split"] == "dev", "base_id"].unique()[:4]
    return gold[gold["base_id"].isin(bases)], unfitted_model(UnitCounts())


def label_table(left, right, label):
    return pd.DataFrame({"judul_a": [left], "judul_b": [right], "label": [label]})


def rows_with(features, data):
    rows = (data.features == features).all(axis=1)
    return data.grades[rows].tolist(), data.weights[rows].tolist(), data.groups[rows].tolist()


def test_persons_label_replaces_the_gold_grade_with_more_weight(studies):
    gold, model = studies
    pair = gold[gold["kind"] == "parafrase"].iloc[0]
    left, right = pair["judul_b"], pair["judul_a"].upper()  # The order does not count.
    plain = training_set(gold, model)
    grades, weights, _ = rows_with(model.pair_features([pair["judul_a"]], [left]), plain)
    assert set(grades) == {3}
    data = training_set(gold, model, labelled=label_table(left, right, 0))
    new_grades, new_weights, groups = rows_with(model.pair_features([left], [right]), data)
    assert new_grades == [0]
    assert new_weights[0] > max(weights)
    assert groups == [pair["base_id"]]  # In the fold of its study.
    assert len(data.grades) == len(plain.grades)


@pytest.mark.parametrize("label", [0, 1])
def test_label_on_unknown_titles_is_a_new_group(studies, label):
    gold, model = studies
    left, right = "Klasifikasi Padi dengan CNN di Sleman", "Klasifikasi Padi dengan CNN di Medan"
    data = training_set(gold, model, labelled=label_table(left, right, label))
    grades, _, groups = rows_with(model.pair_features([left], [right]), data)
    assert grades == [4 * label]
    assert not set(groups) & set(gold["base_id"])
