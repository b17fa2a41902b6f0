"""Simulation of active learning strategies, with gold labels instead of people's answers.

The pool consists of development studies; learners are evaluated on test studies,
whose titles are not in the pool.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.registry import Model
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.settings import SEED
from judul_lib.labeling.active_learning import (
    STRATEGIES,
    candidate_pairs,
    choose_random,
    uncertainty,
)
from judul_lib.labeling.retraining import study_pairs
from judul_lib.structured.boosting import fit_trees
from judul_lib.structured.gold import crossed_pairs
from judul_lib.structured.model import MONOTONE_DIRECTIONS
from judul_lib.structured.parser import packaged_parser
from judul_lib.structured.records import UnitCounts
from judul_lib.study.estimators import make_classifier
from judul_lib.study.features import TitleTable, pair_features
from judul_lib.study.metrics import CONFIDENCE, score_predictions
from judul_lib.training.structured import mask_unused_features, unfitted_model

LabelArray = NDArray[np.int_]
Predict = Callable[[FloatArray], FloatArray]

N_LABELS, N_INITIAL_LABELS, LABELS_PER_ROUND = 100, 20, 20
"""Chosen labels, random labels before them, and labels between two fits of a model."""
_N_NEIGHBOURS = 5
# A hundred labels suffice for few and small trees.
_FEW_TREES: Mapping[str, Any] = {"n_trees": 40, "n_leaves": 4, "rate": 0.1, "min_rows": 3}


@dataclass(frozen=True)
class Learner:
    """A model that can be trained.

    Attributes
    ----------
    extract_features : callable
        Maps pairs (``judul_a``, ``judul_b``) to features.
    fit : callable
        Maps features and labels to a function from features to probabilities.
    """

    extract_features: Callable[[pd.DataFrame], FloatArray]
    fit: Callable[[FloatArray, LabelArray], Predict]


def structured_learner(gold: pd.DataFrame) -> Learner:
    """Return a structured model that is trained on the labels alone.

    Parameters
    ----------
    gold : DataFrame
        Development pairs, whose titles give the term counts.
    """
    parser = packaged_parser()
    model = unfitted_model(UnitCounts.fit([*gold["judul_a"], *gold["judul_b"]], parser), parser)

    def fit(features: FloatArray, labels: LabelArray) -> Predict:
        trees = fit_trees(
            mask_unused_features(features), labels, directions=MONOTONE_DIRECTIONS, **_FEW_TREES
        )
        return lambda rows: 1 / (1 + np.exp(-trees.log_odds(rows)))

    return Learner(lambda pairs: model.pair_features(*_sides(pairs)), fit)


def study_learner(model: Model, random_state: int = SEED) -> Learner:
    """Return the study's forest, trained on the study's pairs and the labels, as by `retrain`.

    Its hyperparameters are those of the model, without a grid search.
    """
    pairs = study_pairs(model, random_state)
    table = TitleTable.build(model.titles, model.processed, model.tfidf)
    study_features = pair_features(table.take(pairs["left"]), table.take(pairs["right"]))
    study_labels = pairs["label"].to_numpy()
    checker = TitleChecker.from_model(model)

    def fit(features: FloatArray, labels: LabelArray) -> Predict:
        forest = make_classifier(random_state, **model.metadata["hyperparameters"])
        forest.fit(np.vstack([study_features, features]), np.concatenate([study_labels, labels]))
        return lambda rows: forest.predict_proba(rows)[:, 1]

    return Learner(lambda pairs: checker.pair_features(*_sides(pairs)), fit)


def gold_pool(gold: pd.DataFrame, *, random_state: int = SEED) -> pd.DataFrame:
    """Return the `candidate_pairs` of the gold titles with their labels.

    Pairs of one base study are labelled by the gold pairs and `crossed_pairs`, and
    left out if those have no label; titles of two base studies get 0.

    Returns
    -------
    DataFrame
        ``judul_a``, ``judul_b``, ``label``.
    """
    labels: dict[frozenset[str], int] = {}
    for pairs in (gold[gold["label"].notna()], crossed_pairs(gold)):
        sides = zip(*_sides(pairs), pairs["label"].astype(int), strict=True)
        labels |= {frozenset((left, right)): label for left, right, label in sides}
    studies: dict[str, set[str]] = {}
    for side in ("judul_a", "judul_b"):
        for title, base in zip(gold[side], gold["base_id"], strict=True):
            studies.setdefault(title, set()).add(base)
    titles = list(studies)
    rows = []
    candidates = candidate_pairs(titles, n_neighbours=_N_NEIGHBOURS, random_state=random_state)
    for left, right in ((titles[a], titles[b]) for a, b in zip(*candidates, strict=True)):
        default = None if studies[left] & studies[right] else 0
        label = labels.get(frozenset((left, right)), default)
        if label is not None:
            rows.append((left, right, label))
    return pd.DataFrame(rows, columns=["judul_a", "judul_b", "label"])


class Simulation:
    """Comparison of strategies on a pool, test sets and learners, whose features are computed once.

    Parameters
    ----------
    pool : DataFrame
        ``judul_a``, ``judul_b``, ``label``.
    tests : mapping of str to DataFrame
        Test sets with the same columns.
    learners : mapping of str to Learner
    """

    def __init__(
        self,
        pool: pd.DataFrame,
        tests: Mapping[str, pd.DataFrame],
        learners: Mapping[str, Learner],
    ) -> None:
        self._learners = dict(learners)
        self._labels = pool["label"].to_numpy(dtype=int)
        self._fitted_predictors: dict[tuple[str, bytes], Predict] = {}
        self._truth = {name: test["label"].to_numpy(dtype=int) for name, test in tests.items()}
        self._pool = {name: learner.extract_features(pool) for name, learner in learners.items()}
        all_tests = pd.concat(list(tests.values()))
        bounds = np.cumsum([len(test) for test in tests.values()])[:-1]
        self._test = {
            name: dict(zip(tests, np.split(learner.extract_features(all_tests), bounds), strict=True))
            for name, learner in learners.items()
        }

    def compare(
        self,
        asking: str,
        learning: str | None = None,
        *,
        strategies: Iterable[str] = ("beragam", "acak"),
        seeds: Iterable[int] = range(20),
        at: Iterable[int] = (N_LABELS,),
        step: int = LABELS_PER_ROUND,
    ) -> pd.DataFrame:
        """Evaluate each strategy with each seed.

        All strategies start with the same `N_INITIAL_LABELS` random labels of both kinds. Then the
        asking learner repeatedly chooses ``step`` pairs and is refitted with their labels.

        Parameters
        ----------
        asking : str
            The learner whose uncertainty chooses the pairs.
        learning : str
            The learner that is evaluated; the same by default.
        strategies : iterable of str
            Names in `judul_lib.labeling.active_learning.STRATEGIES`.
        at : iterable of int
            Increasing numbers of chosen labels after which it is evaluated.

        Returns
        -------
        DataFrame
            ``strategi``, ``benih``, ``label`` (chosen labels), ``uji`` and ``roc_auc``.
        """
        sizes, results = tuple(at), []
        for strategy, seed in product(strategies, seeds):
            order = self._labelling_order(strategy, asking, step, sizes[-1], seed)
            for n in sizes:
                areas = self._roc_auc(learning or asking, order[: N_INITIAL_LABELS + n])
                results += [(strategy, seed, n, test, area) for test, area in areas.items()]
        return pd.DataFrame(results, columns=["strategi", "benih", "label", "uji", "roc_auc"])

    def _labelling_order(self, strategy: str, asking: str, step: int, n_labels: int, seed: int) -> Rows:
        """Return the rows of the pool in the order in which they are labelled."""
        rng = np.random.default_rng(seed)
        pool = np.arange(len(self._labels))
        rows = rng.permutation(pool)[:N_INITIAL_LABELS]
        while len(set(self._labels[rows])) < 2:
            rows = rng.permutation(pool)[:N_INITIAL_LABELS]
        features, choose = self._pool[asking], STRATEGIES[strategy]
        while (n_missing := N_INITIAL_LABELS + n_labels - len(rows)) > 0:
            unlabelled = np.setdiff1d(pool, rows)
            if choose is choose_random:  # Needs no fit.
                uncertainties = np.zeros(len(unlabelled))
            else:
                predict = self._fitted_predictor(asking, rows)
                uncertainties = uncertainty(predict(features[unlabelled]))
            chosen = choose(uncertainties, features[unlabelled], min(step, n_missing), rng)
            rows = np.concatenate([rows, unlabelled[chosen]])
        return rows

    def _roc_auc(self, learner: str, rows: Rows) -> dict[str, float]:
        """Return the ROC AUC on each test set of a learner fitted on some rows of the pool."""
        predict = self._fitted_predictor(learner, rows)
        return {
            name: score_predictions(self._truth[name], predict(features))["roc_auc"]
            for name, features in self._test[learner].items()
        }

    def _fitted_predictor(self, name: str, rows: Rows) -> Predict:
        """Return a learner fitted on some rows of the pool; fits are cached."""
        key = name, rows.tobytes()
        if key not in self._fitted_predictors:
            fit = self._learners[name].fit
            self._fitted_predictors[key] = fit(self._pool[name][rows], self._labels[rows])
        return self._fitted_predictors[key]


def advantage(compared: pd.DataFrame) -> pd.DataFrame:
    """Compare the ROC AUC of diverse labels with that of random ones, paired by seed.

    At the largest number of labels.

    Returns
    -------
    DataFrame
        Index: test set; columns: both strategies' means, ``selisih``, ``low``,
        ``high`` (paired t-test over the draws of labels, not of test pairs),
        ``menang`` (seeds won), ``benih`` and ``simpulan``: *lebih baik* or
        *lebih buruk* if the interval excludes 0.
    """
    last = compared[compared["label"] == compared["label"].max()]
    rows = {}
    for name, group in last.groupby("uji", sort=False):
        by_seed = group.pivot_table(index="benih", columns="strategi", values="roc_auc")
        diverse, baseline = by_seed["beragam"], by_seed["acak"]
        interval = ttest_rel(diverse, baseline).confidence_interval(CONFIDENCE)
        low, high = float(interval.low), float(interval.high)
        verdict = "lebih baik" if low > 0 else "lebih buruk" if high < 0 else "tidak berbeda nyata"
        rows[name] = {
            "beragam": diverse.mean(), "acak": baseline.mean(),
            "selisih": (diverse - baseline).mean(), "low": low, "high": high,
            "menang": int((diverse > baseline).sum()), "benih": len(by_seed), "simpulan": verdict,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def _sides(pairs: pd.DataFrame) -> tuple[list[str], list[str]]:
    return pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
