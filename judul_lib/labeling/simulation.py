"""What chosen labels are worth: people whose answers are known, asked by one strategy and another.

The gold pairs answer in the place of people. Development studies are the pool
that is chosen from; what was learnt is judged on the test studies, of which no
title is in the pool.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.records import UnitCounts
from judul_lib.study.estimators import make_classifier
from judul_lib.study.features import TitleTable, pair_features
from judul_lib.study.metrics import CONFIDENCE, score_predictions
from judul_lib.training.structured import mask_unused_features, unfitted_model

LabelArray = NDArray[np.int_]
Predict = Callable[[FloatArray], FloatArray]

N_LABELS, N_INITIAL_LABELS, LABELS_PER_ROUND = 100, 20, 20
"""Labels chosen, random ones that are there before, and labels after which a model learns again."""
_NEIGHBOURS = 5
# A hundred labels feed few trees, and small ones.
_FEW_TREES: Mapping[str, Any] = {"n_trees": 40, "n_leaves": 4, "rate": 0.1, "min_rows": 3}


@dataclass(frozen=True)
class Learner:
    """A model that can be taught.

    Attributes
    ----------
    extract_features : callable
        Takes pairs (``judul_a``, ``judul_b``), returns their features.
    fit : callable
        Takes features and labels, returns a function from features to probabilities.
    """

    extract_features: Callable[[pd.DataFrame], FloatArray]
    fit: Callable[[FloatArray, LabelArray], Predict]


def structured_learner(gold: pd.DataFrame) -> Learner:
    """Return the structured model before it has learnt: it learns from the labels alone.

    Parameters
    ----------
    gold : DataFrame
        Development pairs, whose titles say how rare a term is.
    """
    parser = TitleParser()
    model = unfitted_model(UnitCounts.fit([*gold["judul_a"], *gold["judul_b"]], parser), parser)

    def fit(features: FloatArray, labels: LabelArray) -> Predict:
        trees = fit_trees(
            mask_unused_features(features), labels, directions=MONOTONE_DIRECTIONS, **_FEW_TREES
        )
        return lambda seen: 1 / (1 + np.exp(-trees.log_odds(seen)))

    return Learner(lambda pairs: model.pair_features(*_sides(pairs)), fit)


def study_learner(model: Model, random_state: int = SEED) -> Learner:
    """Return the study's forest: it learns from the study's pairs and the labels, as `retrain` does.

    The hyperparameters are those of the model; no grid is searched.
    """
    pairs = study_pairs(model, random_state)
    table = TitleTable.build(model.titles, model.processed, model.tfidf)
    study = pair_features(table.take(pairs["left"]), table.take(pairs["right"]))
    answers = pairs["label"].to_numpy()
    checker = TitleChecker.from_model(model)

    def fit(features: FloatArray, labels: LabelArray) -> Predict:
        forest = make_classifier(random_state, **model.metadata["hyperparameters"])
        forest.fit(np.vstack([study, features]), np.concatenate([answers, labels]))
        return lambda seen: forest.predict_proba(seen)[:, 1]

    return Learner(lambda pairs: checker.pair_features(*_sides(pairs)), fit)


def gold_pool(gold: pd.DataFrame, *, random_state: int = SEED) -> pd.DataFrame:
    """Return the pairs that a person could be asked about, with the answer.

    These are the `candidate_pairs` of the titles as of any corpus. Pairs of one
    base study are answered by the gold pairs and `crossed_pairs`, and left out
    where those do not; titles of two base studies are different studies.

    Returns
    -------
    DataFrame
        ``judul_a``, ``judul_b``, ``label``.
    """
    known: dict[frozenset[str], int] = {}
    for pairs in (gold[gold["label"].notna()], crossed_pairs(gold)):
        sides = zip(*_sides(pairs), pairs["label"].astype(int), strict=True)
        known |= {frozenset((left, right)): label for left, right, label in sides}
    studies: dict[str, set[str]] = {}
    for side in ("judul_a", "judul_b"):
        for title, base in zip(gold[side], gold["base_id"], strict=True):
            studies.setdefault(title, set()).add(base)
    titles = list(studies)
    rows = []
    asked = candidate_pairs(titles, n_neighbours=_NEIGHBOURS, random_state=random_state)
    for left, right in ((titles[a], titles[b]) for a, b in zip(*asked, strict=True)):
        apart = None if studies[left] & studies[right] else 0
        label = known.get(frozenset((left, right)), apart)
        if label is not None:
            rows.append((left, right, label))
    return pd.DataFrame(rows, columns=["judul_a", "judul_b", "label"])


class Simulation:
    """A pool, test pairs and learners, with all features computed once.

    Parameters
    ----------
    pool : DataFrame
        ``judul_a``, ``judul_b``, ``label``.
    tests : mapping of str to DataFrame
        Likewise; what is learnt is judged on each.
    learners : mapping of str to Learner
    """

    def __init__(
        self,
        pool: pd.DataFrame,
        tests: Mapping[str, pd.DataFrame],
        learners: Mapping[str, Learner],
    ) -> None:
        self._learners = dict(learners)
        self._answers = pool["label"].to_numpy(dtype=int)
        self._fitted_predictors: dict[tuple[str, bytes], Predict] = {}
        self._truth = {name: test["label"].to_numpy(dtype=int) for name, test in tests.items()}
        self._pool = {name: learner.extract_features(pool) for name, learner in learners.items()}
        every = pd.concat(list(tests.values()))
        ends = np.cumsum([len(test) for test in tests.values()])[:-1]
        self._test = {
            name: dict(zip(tests, np.split(learner.extract_features(every), ends), strict=True))
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
        """Return how well each strategy does, seed by seed.

        First come `N_INITIAL_LABELS` random labels of both kinds, the same for every
        strategy; then the learner that asks chooses ``step`` pairs at a time
        and learns their labels.

        Parameters
        ----------
        asking : str
            The learner whose doubts choose the pairs.
        learning : str
            The learner that is judged; the same by default.
        strategies : iterable of str
            Names out of `judul_lib.labeling.active_learning.STRATEGIES`.
        at : iterable of int
            Numbers of chosen labels after which it is judged, the last one the largest.

        Returns
        -------
        DataFrame
            ``strategi``, ``benih``, ``label`` (chosen labels), ``uji`` and ``roc_auc``.
        """
        points, seeds, found = tuple(at), tuple(seeds), []
        for strategy in strategies:
            for seed in seeds:
                rows = self._labelling_order(strategy, asking, step, points[-1], seed)
                for n in points:
                    for name, scores in self._judge(
                        rows[: N_INITIAL_LABELS + n], learning or asking
                    ).items():
                        about = {"strategi": strategy, "benih": seed, "label": n, "uji": name}
                        found.append(about | {"roc_auc": scores["roc_auc"]})
        return pd.DataFrame(found)

    def _labelling_order(self, strategy: str, asking: str, step: int, n_labels: int, seed: int) -> Rows:
        """Return the rows of the pool that are labelled, in the order of asking."""
        rng = np.random.default_rng(seed)
        every = np.arange(len(self._answers))
        rows = rng.permutation(every)[:N_INITIAL_LABELS]
        while len(set(self._answers[rows])) < 2:
            rows = rng.permutation(every)[:N_INITIAL_LABELS]
        features, choose = self._pool[asking], STRATEGIES[strategy]
        while (n_missing := N_INITIAL_LABELS + n_labels - len(rows)) > 0:
            left = np.setdiff1d(every, rows)
            if choose is choose_random:  # Whom nobody asks for doubts need not learn.
                uncertainties = np.zeros(len(left))
            else:
                uncertainties = uncertainty(self._fitted_predictor(asking, rows)(features[left]))
            chosen = choose(uncertainties, features[left], min(step, n_missing), rng)
            rows = np.concatenate([rows, left[chosen]])
        return rows

    def _judge(self, rows: Rows, learning: str) -> dict[str, dict[str, float]]:
        """Return the metrics on each test of a learner that was told these labels."""
        predict = self._fitted_predictor(learning, rows)
        return {
            name: score_predictions(self._truth[name], predict(features))
            for name, features in self._test[learning].items()
        }

    def _fitted_predictor(self, name: str, rows: Rows) -> Predict:
        """Teach a learner some labels; what it was taught before it knows still."""
        key = name, rows.tobytes()
        if key not in self._fitted_predictors:
            fit = self._learners[name].fit
            self._fitted_predictors[key] = fit(self._pool[name][rows], self._answers[rows])
        return self._fitted_predictors[key]


def advantage(compared: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the ROC AUC of diverse labels beats that of random ones, paired by seed.

    After the most labels that were chosen.

    Returns
    -------
    DataFrame
        Index: each test; columns of both strategies' means, ``selisih``,
        ``low``, ``high`` (paired t-test; it speaks of the draw of the labels,
        not of that of the test pairs), ``menang`` (seeds won), ``benih`` and
        ``simpulan``: *lebih baik* or *lebih buruk* where the interval leaves out 0.
    """
    last = compared[compared["label"] == compared["label"].max()]
    rows = {}
    for name, of_test in last.groupby("uji", sort=False):
        by_seed = of_test.pivot_table(index="benih", columns="strategi", values="roc_auc")
        one, other = by_seed["beragam"], by_seed["acak"]
        interval = ttest_rel(one, other).confidence_interval(CONFIDENCE)
        low, high = float(interval.low), float(interval.high)
        verdict = "lebih baik" if low > 0 else "lebih buruk" if high < 0 else "tidak berbeda nyata"
        rows[name] = {
            "beragam": one.mean(), "acak": other.mean(), "selisih": (one - other).mean(),
            "low": low, "high": high, "menang": int((one > other).sum()), "benih": len(by_seed),
            "simpulan": verdict,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def _sides(pairs: pd.DataFrame) -> tuple[list[str], list[str]]:
    return pairs["judul_a"].tolist(), pairs["judul_b"].tolist()
