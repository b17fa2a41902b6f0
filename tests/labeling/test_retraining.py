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
from judul_lib.labeling.retraining import TOLERANCE, RetrainingResult, retrain, unseen_gold
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


def row(label=("MIRIP", True), left=A, right=B, **other):
    return {
        "label": label[0], "is_right": label[1], "query_text": left, "match_text": right,
        "query_hash": None, "match_hash": None, "user": None, "simulated": False, **other,
    }  # fmt: skip


def labelled(answers):
    pairs = majority_vote(answers).pairs
    return list(pairs.itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("verdict", "label"),
    [
        (("MIRIP", True), 1), (("MIRIP", False), 0),
        (("TIDAK MIRIP", True), 0), (("TIDAK MIRIP", False), 1),
    ],
)  # fmt: skip
def test_a_verdict_and_what_is_said_of_it_make_a_label(verdict, label):
    assert feedback_votes([row(verdict)], [], b"k").rows == [(A, B, label)]


def test_what_is_no_judgement_makes_no_label():
    rows = [
        row(("MIRIP", None)),
        row(simulated=True),
        row(("TANYAKAN", True)),
        row(right=None),
        row(right="..."),
    ]
    assert feedback_votes(rows, [A, B], b"k") == PairVotes([], n_unsure=1, n_unreadable=2)


@pytest.mark.parametrize("log_text", [False, True])
def test_titles_come_from_the_log_as_text_or_by_their_hash(tmp_path, log_text):
    log = UsageLog(tmp_path, log_text=log_text, user="u")
    log.log_feedback(Feedback("light", "MIRIP", 0.9, 0.5, is_right=False, title=A.upper(), match=B))
    log.log_feedback(
        Feedback("light", "TIDAK MIRIP", 0.1, 0.5, is_right=True, title="Judul Asing", match=B)
    )
    log.close()
    engine = open_database(database_url(tmp_path))
    with engine.connect() as connection:
        rows = [dict(found) for found in connection.execute(feedback.select()).mappings()]
    engine.dispose()
    rows.sort(key=lambda found: found["time"])
    answers = feedback_votes(rows, [A, B], log_key(tmp_path))
    if log_text:
        assert answers.rows == [(A.upper(), B, 0), ("Judul Asing", B, 0)]
    else:
        assert answers.rows == [(A, B, 0)]  # As the known title is written.
    assert answers.n_unreadable == (0 if log_text else 1)


def test_of_one_user_the_last_answer_counts():
    rows = [row(user="u"), row(user="u"), row(("MIRIP", False), B, A, user="u"), row(user="v")]
    assert [label for *_, label in feedback_votes(rows, [], b"k").rows] == [0, 1]
    assert len(feedback_votes([row(), row()], [], b"k").rows) == 2


def test_the_majority_counts_and_ties_are_left_out():
    mostly, hardly, tied = [(A, B, 1), (B, A.upper(), 1), (A, B, 0)], [(B, C, 0), (C, B, 1)], [(A, C, 1)]
    answers = PairVotes([*mostly, *hardly, (C, B, 0), *tied, (C, A, 0)])
    labels = majority_vote(answers)
    assert labelled(answers) == [(A, B, 1), (B, C, 0)]
    assert (labels.n_answers, labels.n_ties) == (8, 1)
    assert majority_vote(PairVotes()).pairs.empty


def write(path, rows, header="judul_a,judul_b,label"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_csv_of_labels_is_read(tmp_path):
    rows = [f"{A},{B},mirip", "", f"{A},{C},0", f"{B},{C}, TIDAK ", f"{C},{B},ragu", f"{C},{C},1"]
    answers = read_label_file(write(tmp_path / "l.csv", rows, "Judul_A,judul_b,LABEL"))
    assert answers.rows == [(A, B, 1), (A, C, 0), (B, C, 0), (C, C, 1)]
    assert answers.n_unsure == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (f"{A},,1", r"l\.csv baris 3: judul_b kosong"),
        (f"...,{B},1", r"l\.csv baris 3: judul_a kosong"),
        (f"{A},{B},serupa", r"l\.csv baris 3: label 'serupa' tidak dikenal"),
        (f"{A},{B},", r"l\.csv baris 3: label '' tidak dikenal"),
    ],
)
def test_a_bad_row_is_named(tmp_path, bad, said):
    path = write(tmp_path / "l.csv", [f"{A},{B},1", bad])
    with pytest.raises(LabelError, match=said):
        read_label_file(path)


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(CorpusError, match="'label'"):
        read_label_file(write(tmp_path / "l.csv", [f"{A},{B}"], "judul_a,judul_b"))


def gold_labels(gold, *, wrong=False, n=150):
    some = gold[(gold["split"] == "dev") & gold["label"].notna()].sample(n, random_state=0)
    rows = zip(some["judul_a"], some["judul_b"], some["label"].astype(int) ^ int(wrong), strict=True)
    return PairVotes(list(rows))


def test_gold_pairs_of_a_labelled_study_are_not_asked(gold):
    pairs = majority_vote(gold_labels(gold)).pairs
    asked, n_left_out = unseen_gold(gold, pairs)
    assert len(asked) + n_left_out == gold["label"].notna().sum()
    titles = {*pairs["judul_a"], *pairs["judul_b"]}
    assert not titles & {*asked["judul_a"], *asked["judul_b"]}
    assert not set(asked["base_id"]) & set(gold.loc[gold["judul_a"].isin(titles), "base_id"])
    everything = gold[gold["label"].notna()][["judul_a", "judul_b", "label"]]
    with pytest.raises(TrainingError, match="terlalu sedikit"):
        unseen_gold(gold, everything)


def test_a_retrained_model_stands_beside_the_old_one(trained, outputs, gold):
    corpus_pair = (*trained.titles[:2], 1)
    answers = gold_labels(gold) + PairVotes([corpus_pair])
    made = retrain(outputs, "light", majority_vote(answers), GOLD)
    assert made.is_not_worse
    assert made.comparison.loc["roc_auc", "low"] > 0
    assert set(list_versions(outputs, "light")) == {made.version, made.previous}
    assert current_version(outputs, "light") is None  # Nothing is promoted by itself.
    assert not any(found.problem for found in verify(outputs))
    folder = outputs / "models" / "light" / made.version
    model, metadata = load_model(folder), read_metadata(folder)
    assert model.titles == trained.titles  # Labelled titles do not join the corpus.
    assert model.tfidf.transform(["padi"]).shape[1] == len(trained.result.tfidf.vocabulary_)
    assert metadata["dataset"] == read_metadata(outputs / "light")["dataset"]
    assert metadata["previous"] == made.previous
    assert metadata["labels"]["n_pairs"] == made.n_labels == 151
    assert metadata["comparison"]["roc_auc"]["low"] == pytest.approx(
        made.comparison.loc["roc_auc", "low"], abs=1e-6
    )
    assert made.n_unknown_titles > 0
    again = retrain(outputs, "light", majority_vote(answers), GOLD)
    assert again.version == made.version
    pd.testing.assert_frame_equal(again.comparison, made.comparison)


def test_a_version_that_cannot_be_noted_is_not_added(outputs, gold, tmp_path):
    (tmp_path / "logs").write_text("no folder")
    trail = AuditWriter(database_url(tmp_path / "logs"), tmp_path / "logs", "petugas")
    with pytest.raises(LogError, match="Folder log"):
        retrain(
            outputs, "light", majority_vote(gold_labels(gold)), GOLD,
            recording=lambda made: trail.recording("train", reason="label", details={"v": made.version}),
        )  # fmt: skip
    assert len(list_versions(outputs, "light")) == 1  # The one it was compared with.


def test_a_persons_label_counts_more_than_the_studys(trained, outputs):
    similar = trained.labeled.pairs.query("label == 1").iloc[0]
    titles = [trained.titles[int(similar[side])] for side in ("right", "left")]
    model = load_model(outputs / "light")
    pairs = retraining._training_pairs(
        model, trained.titles, majority_vote(PairVotes([(*titles, 0)])).pairs, 42
    )
    found = pairs[(pairs["left"] == similar["left"]) & (pairs["right"] == similar["right"])]
    assert found["label"].tolist() == [0]
    assert len(pairs) == len(trained.labeled.pairs)


def test_what_cannot_be_retrained_is_said(outputs):
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
def test_not_worse_is_the_lower_end_of_both_intervals(metric, low, accepted):
    table = pd.DataFrame({"low": {"roc_auc": 0.1, "accuracy": 0.1, "f1_weighted": -1}})
    table.loc[metric, "low"] = low
    made = RetrainingResult("light", "b", "a", table, 1, 0, 1, 0, [])
    assert made.is_not_worse is accepted
    assert made.possibly_worse_metrics == ([] if accepted else [metric])


WHO = ("--reason", "label semester ini", "--approver", "Koordinator TA")


def label_file(tmp_path, answers):
    path = tmp_path / "label.csv"
    pd.DataFrame(answers.rows, columns=["judul_a", "judul_b", "label"]).to_csv(path, index=False)
    return path


@pytest.fixture
def command(outputs, monkeypatch):
    """Run ``judul retrain`` in this process, whose workers are started already."""
    monkeypatch.chdir(PROJECT)

    def run(*arguments):
        words = ["retrain", "--models", outputs, *arguments]
        return CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)

    return run


def test_the_command_promotes_what_is_not_worse(command, outputs, gold, tmp_path):
    result = command("--labels", label_file(tmp_path, gold_labels(gold)), "--promote", *WHO)
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
    answer = judul("check", "--model", "light", "--models", outputs, A)
    assert answer.returncode == 0, answer.stderr


def test_the_command_does_not_promote_what_wrong_labels_teach(command, outputs, gold, tmp_path):
    path = label_file(tmp_path, gold_labels(gold, wrong=True))
    result = command("--labels", path, "--promote", *WHO)
    assert result.return_value == 1, result.exception
    assert "tidak diberlakukan" in result.stdout
    assert "ROC AUC" in result.stdout
    assert current_version(outputs, "light") is None
    assert len(list_versions(outputs, "light")) == 2


def test_the_command_takes_feedback_and_refuses_what_it_cannot_use(command, outputs, trained):
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
def few(gold, tmp_path_factory):
    """A gold file of few studies, and 100 pairs of other development studies."""
    split = {name: part["base_id"].unique() for name, part in gold.groupby("split")}
    kept = gold["base_id"].isin([*split["dev"][:20], *split["test"][:30]])
    path = tmp_path_factory.mktemp("gold") / "gold.csv"
    gold[kept].drop(columns="label").to_csv(path, index=False)
    others = gold[gold["base_id"].isin(split["dev"][20:]) & gold["label"].notna()]
    return path, others.sample(100, random_state=0)


def answers_on(pairs, *, wrong=False):
    labels = pairs["label"].astype(int) ^ int(wrong)
    return PairVotes(list(zip(pairs["judul_a"], pairs["judul_b"], labels, strict=True)))


@pytest.fixture
def structured_outputs(outputs):
    shutil.copytree(PROJECT / "outputs" / "structured", outputs / "structured")
    return outputs


def test_the_command_teaches_the_structured_model(command, structured_outputs, gold, tmp_path):
    """With the whole development part, as the model before, and some of its pairs as labels."""
    kept = gold["split"].eq("dev") | gold["base_id"].isin(
        gold.loc[gold["split"] == "test", "base_id"].unique()[:30]
    )
    path = tmp_path / "gold.csv"
    gold[kept].drop(columns="label").to_csv(path, index=False)
    labelled = gold[gold["split"].eq("dev") & gold["label"].notna()]
    pairs = labelled.sample(100, random_state=0)
    seen = gold[(gold["split"] == "test") & (gold["label"] == 1)].iloc[0]
    answers = answers_on(pairs) + PairVotes([(seen["judul_a"], seen["judul_b"], 1)])
    before = PROJECT / "outputs" / "structured"
    titles = load_titles(before)
    log = UsageLog(structured_outputs / "logs", user="u")  # Which keeps hashes, of titles in the corpus.
    log.log_feedback(
        Feedback("full", "MIRIP", 0.9, 0.5, is_right=False, title=titles[0], match=titles[1])
    )
    log.close()
    # Without a name, the model that is recommended.
    result = command("--labels", label_file(tmp_path, answers), "--gold", path, "--promote", *WHO)
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
    some = read_gold(path)
    asked = some[
        (some["split"] == "test") & some["label"].notna() & (some["base_id"] != seen["base_id"])
    ]
    assert new["comparison"]["n_pairs"] == len(asked)
    assert new["comparison"]["n_left_out"] == (some["base_id"] == seen["base_id"]).sum() - 1
    sides = asked["judul_a"].tolist(), asked["judul_b"].tolist()
    for key, model in (("old", before), ("new", folder)):
        scores = score_predictions(asked["label"].astype(int), load_structured(model)[0].score(*sides))
        assert new["comparison"]["roc_auc"][key] == pytest.approx(scores["roc_auc"], abs=1e-6)
    assert new["evaluation"]["roc_auc"] == new["comparison"]["roc_auc"]["new"]
    assert old["files"]["structured.npz"] != new["files"]["structured.npz"]


def test_the_structured_model_does_not_learn_what_is_wrong(structured_outputs, few):
    path, pairs = few
    made = retrain(structured_outputs, "structured", majority_vote(answers_on(pairs, wrong=True)), path)
    assert made.possibly_worse_metrics == ["roc_auc", "accuracy"]
    # With right labels the few studies alone cost at most 0.02.
    assert made.comparison.loc["roc_auc", "high"] < -0.03
    assert current_version(structured_outputs, "structured") is None


def test_a_development_part_that_teaches_nothing_is_refused(structured_outputs, gold, tmp_path):
    path = tmp_path / "gold.csv"
    gold[gold["split"] == "test"].drop(columns="label").to_csv(path, index=False)
    with pytest.raises(TrainingError, match=r"dev dari gold\.csv terlalu kecil"):
        retrain(structured_outputs, "structured", majority_vote(PairVotes([(A, B, 1)])), path)


@pytest.fixture(scope="module")
def studies(gold):
    some = gold[gold["base_id"].isin(gold.loc[gold["split"] == "dev", "base_id"].unique()[:4])]
    return some, unfitted_model(UnitCounts())


def said(left, right, label):
    return pd.DataFrame({"judul_a": [left], "judul_b": [right], "label": [label]})


def rows_of(data, features):
    own = (data.features == features).all(axis=1)
    return data.grades[own].tolist(), data.weights[own].tolist(), data.groups[own].tolist()


def test_a_persons_label_takes_the_place_of_the_golds_and_weighs_more(studies):
    some, model = studies
    pair = some[some["kind"] == "parafrase"].iloc[0]
    plain = training_set(some, model)
    before, weights, _ = rows_of(plain, model.pair_features([pair["judul_a"]], [pair["judul_b"]]))
    assert set(before) == {3}
    # The order of the titles does not count.
    taught = training_set(some, model, labelled=said(pair["judul_b"], pair["judul_a"].upper(), 0))
    other = model.pair_features([pair["judul_b"]], [pair["judul_a"].upper()])
    after, heavier, groups = rows_of(taught, other)
    assert after == [0]
    assert heavier[0] > max(weights)
    assert groups == [pair["base_id"]]  # So that no fold judges what it learnt.
    assert len(taught.grades) == len(plain.grades)


@pytest.mark.parametrize("label", [0, 1])
def test_a_label_on_titles_that_nobody_knew_is_a_study_of_its_own(studies, label):
    some, model = studies
    left, right = "Klasifikasi Padi dengan CNN di Sleman", "Klasifikasi Padi dengan CNN di Medan"
    data = training_set(some, model, labelled=said(left, right, label))
    grades, _, groups = rows_of(data, model.pair_features([left], [right]))
    assert grades == [4 * label]
    assert not set(groups) & set(some["base_id"])
