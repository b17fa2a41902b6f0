import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest

from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import FULL, LIGHT
from judul_lib.evaluation import title_splits
from judul_lib.evaluation.title_splits import title_disjoint_predictions, title_families
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.features import FEATURES
from judul_lib.training.forest import held_out_predictions, train_model


def test_grids_and_vocabularies_match_the_study():
    assert dict(FULL.grid) == {
        "n_estimators": (100, 200, 300), "max_depth": (None, 10, 20),
        "min_samples_split": (2, 5), "min_samples_leaf": (1, 2),
    }  # fmt: skip
    assert dict(LIGHT.grid) == {
        "n_estimators": (50, 100), "max_depth": (10, 15), "min_samples_split": (5,),
        "min_samples_leaf": (2,),
    }  # fmt: skip
    assert (FULL.n_splits, LIGHT.n_splits) == (5, 3)
    assert LIGHT.tfidf["max_features"] == 500


def test_training_result_describes_search_split_and_importances(trained):
    result = trained.result
    assert len(result.search) == 4
    assert result.best_params.keys() == LIGHT.grid.keys()
    assert sum(result.importances.values()) == pytest.approx(1)
    assert len(result.test) + result.n_train == len(trained.labeled.pairs)
    assert len(result.test) == pytest.approx(0.2 * len(trained.labeled.pairs), abs=1)
    assert result.notes == []


def test_held_out_predictions_are_reproduced_from_the_stored_model(trained):
    reproduced = held_out_predictions(trained.model, trained.labeled.pairs)
    pd.testing.assert_frame_equal(reproduced, trained.result.test, check_exact=True)


def few_positives(trained, n_similar):
    pairs = trained.labeled.pairs
    similar = pairs[pairs["label"] == 1].head(n_similar)
    return pd.concat([similar, pairs[pairs["label"] == 0].head(60)])


def test_few_similar_pairs_reduce_the_folds_with_a_note(trained):
    result = train_model(trained.titles, trained.processed, few_positives(trained, 3), LIGHT)
    assert any("validasi silang memakai 2 lipatan" in note for note in result.notes)


def test_search_shows_the_lowest_and_highest_fold_of_each_setting(trained):
    pairs = few_positives(trained, 20)
    shuffled = pairs.assign(label=pairs["label"].sample(frac=1, random_state=1).to_numpy())
    two_folds = replace(LIGHT, n_splits=2)
    search = train_model(trained.titles, trained.processed, shuffled, two_folds).search
    assert [*search] == [*LIGHT.grid, "score", "low", "high"]
    assert (search["low"] < search["high"]).all()
    np.testing.assert_allclose(search["score"], (search["low"] + search["high"]) / 2)


@pytest.mark.parametrize("n_similar", [0, 1])
def test_too_few_similar_pairs_raise_an_error_with_advice(trained, n_similar):
    with pytest.raises(TrainingError, match="SIMILAR_MIN"):
        train_model(trained.titles, trained.processed, few_positives(trained, n_similar), LIGHT)


def test_titles_without_a_vocabulary_raise_an_error():
    with pytest.raises(TrainingError, match="Tidak ada kata"):
        fit_vectorizer(["padi jagung", "padi jagung"], FULL)


def test_no_title_is_on_both_sides_of_a_split(trained, monkeypatch):
    fitted_on = []

    def recording_fit(processed, profile):
        fitted_on.append(set(processed))
        return fit_vectorizer(processed, profile)

    monkeypatch.setattr(title_splits, "fit_vectorizer", recording_fit)
    result = title_disjoint_predictions(
        trained.titles, trained.processed, LIGHT, {"n_estimators": 5, "max_depth": 3}
    )
    folds = fitted_on[1:]  # The first call is for the labels.
    assert len(folds) == 5
    text = np.array(trained.processed)
    for row in result.itertuples():
        assert any(not {text[row.left], text[row.right]} & fold for fold in folds)
    assert result["label"].sum() == trained.labeled.pairs["label"].sum()  # No similar pair is split.


def test_features_can_be_restricted(trained):
    arguments = (trained.titles, trained.processed, LIGHT, {"n_estimators": 20})
    without = title_disjoint_predictions(*arguments, features=("levenshtein",))
    assert set(FEATURES) <= set(without.columns)
    complete = title_disjoint_predictions(*arguments)
    assert not np.array_equal(without["probability"], complete["probability"])


def test_families_are_connected_components():
    pairs = pd.DataFrame({"left": [0, 1, 3, 0], "right": [1, 2, 4, 5], "label": [1, 1, 1, 0]})
    families = title_families(pairs, 6)
    assert families[0] == families[1] == families[2]
    assert families[3] == families[4]
    assert len({families[0], families[3], families[5]}) == 3


def test_project_labels_suffice_for_both_profiles(trained):
    assert len(trained.titles) == 123
    assert trained.labeled.n_similar >= 40
    assert trained.labeled.n_grey > 0


SEARCH = """
import time
from joblib import Parallel, delayed
from judul_lib.core.parallel import parallel_backend
with parallel_backend(None):
    Parallel(n_jobs=2)(delayed(time.sleep)(1) for _ in range(2))
    print("both started", flush=True)
    Parallel(n_jobs=2)(delayed(time.sleep)(60) for _ in range(2))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Tidak ada SIGKILL di Windows.")
def test_worker_processes_end_when_the_search_is_killed():
    with subprocess.Popen([sys.executable, "-c", SEARCH], stdout=subprocess.PIPE) as search:
        assert search.stdout.readline()
        started = psutil.Process(search.pid).children(recursive=True)
        search.send_signal(signal.SIGKILL)
    assert len(started) >= 2
    _, alive = psutil.wait_procs(started, timeout=30)
    for process in alive:
        process.kill()
    assert alive == []
