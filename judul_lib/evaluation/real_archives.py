"""Evaluation on real archives: answers on unseen pairs, and the share of titles with an alarm."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score, ndcg_score

from judul_lib.checking.matches import assign_labels
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, DIFFERENT, SEED, SIMILAR
from judul_lib.structured.model import QUESTIONS, StructuredModel, ask_score, expected_grade
from judul_lib.structured.real_pairs import ELSEWHERE_GRADE, SAME_GRADE, RealPairs
from judul_lib.study.metrics import CONFIDENCE, SortedScores, ratio, resampled_weights, share_interval
from judul_lib.training.pairs import real_set, training_set
from judul_lib.training.structured import (
    MIN_ODDS,
    REAL_PAIRS_PATH,
    add_gold_kinds,
    fit_platt_scaling,
    out_of_fold_log_odds,
    unfitted_model,
)

DIFFERENCE_NAMES: Mapping[str, str] = {
    "": "tidak ada", "t": "tugas", "o": "objek", "m": "metode", "p": "tempat",
}  # fmt: skip
"""Aspects that differ, by the letters of the grading guide: a capital if both titles name it."""

FOUND_OR_ASKED = "recall studi yang sama, MIRIP atau TANYAKAN"
"""Row of `measure_answers`: share of the same studies that get *MIRIP* or *TANYAKAN*."""

_MIN_LIST_PAIRS = 6


def out_of_fold_answers(
    gold: pd.DataFrame, real: RealPairs, *, random_state: int = SEED
) -> tuple[pd.DataFrame, FloatArray]:
    """Predict each real pair by a model trained on neither its campus nor its titles.

    Parameters
    ----------
    gold : DataFrame
        Development part of the gold pairs, on which all models are trained too.

    Returns
    -------
    answers : DataFrame, shape (n_drawn, ...)
        One row a drawn pair: ``grade``, ``second_grade``, ``differs``, ``title`` and ``other``
        (hashes of the two), ``faculty``, ``doubted``, ``probability``, ``asked`` (probability that
        a committee would at least ask), ``relatedness`` and ``label`` at the default threshold.
    log_odds : ndarray of float, shape (n, 3)
        As from `judul_lib.training.structured.out_of_fold_log_odds`.
    """
    model = unfitted_model(real.counts)
    gold_data = training_set(add_gold_kinds(gold), model)
    log_odds = out_of_fold_log_odds(model, real, gold_data, random_state=random_state)
    return calibrated_answers(real, log_odds), log_odds


def learning_curve(
    gold: pd.DataFrame, real: RealPairs, shares: Sequence[float], *, random_state: int = SEED
) -> dict[int, pd.DataFrame]:
    """Predict pairs of unseen campuses by models trained on a part of the real pairs.

    Parameters
    ----------
    gold : DataFrame
        As for `out_of_fold_answers`.
    shares : sequence of float in (0, 1)
        Of the real pairs; a larger part contains the titles of a smaller one.

    Returns
    -------
    dict of int to DataFrame
        Size of the part, and the answers on the campuses. Only the trees for the same study are
        fitted.
    """
    model = unfitted_model(real.counts)
    gold_data = training_set(add_gold_kinds(gold), model)
    rank = np.array([int(title[8:12], 16) / 16**4 for title in real.left.tolist()])
    curve = {}
    for trainable in (rank < share for share in shares):
        log_odds = out_of_fold_log_odds(
            model, real, gold_data,
            random_state=random_state, questions=["same"], trainable=trainable,
        )  # fmt: skip
        answers = calibrated_answers(real, log_odds)
        curve[int(trainable.sum())] = answers[~answers["faculty"]]
    return curve


def calibrated_answers(real: RealPairs, log_odds: FloatArray) -> pd.DataFrame:
    """Calibrate out-of-fold log-odds, each fold on the others; see `out_of_fold_answers`."""
    data = real_set(real)
    probability = np.zeros((len(real), len(QUESTIONS)))
    for test, train in real.folds():
        rows = train & real.is_drawn
        for k, name in enumerate(QUESTIONS) if test.any() else ():
            labels = getattr(data, name)[rows]
            slope, intercept = fit_platt_scaling(log_odds[rows, k], labels, MIN_ODDS[k])
            probability[test, k] = 1 / (1 + np.exp(-(slope * log_odds[test, k] + intercept)))
    same, elsewhere, related = probability.T
    asked = ask_score(same, elsewhere)
    answers = pd.DataFrame(
        {
            "grade": real.grade.astype(int), "second_grade": real.second_grade.astype(int),
            "differs": real.differs, "title": real.left, "faculty": real.is_faculty,
            "other": real.right, "doubted": real.is_doubted,
            "probability": same, "asked": asked, "relatedness": expected_grade(same, asked, related),
            "label": assign_labels(same, asked, DECISION_THRESHOLD, elsewhere_label=ASK),
        }
    )  # fmt: skip
    return answers[real.is_drawn].reset_index(drop=True)


def answer_groups(answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Group answers: the one faculty, the other campuses with and without doubt, graded twice."""
    return {
        "satu fakultas": answers[answers["faculty"]],
        "kampus lain": answers[~answers["faculty"]],
        "dinilai dua kali": answers[answers["second_grade"] >= 0],
        "kampus lain, tanpa ragu": answers[~answers["faculty"] & ~answers["doubted"]],
    }


def measure_answers(
    answers: pd.DataFrame, *, n_resamples: int = 1_000, random_state: int = SEED
) -> pd.DataFrame:
    """Measure answers, for the same study and for the same study possibly elsewhere.

    Parameters
    ----------
    answers : DataFrame
        As from `out_of_fold_answers`, or one of its `answer_groups`.

    Returns
    -------
    DataFrame
        Index: average precision, precision and recall of *MIRIP* and of *MIRIP* or *TANYAKAN*, and
        `FOUND_OR_ASKED`; columns ``estimate``, ``low``, ``high`` (95 %, by title).
    """
    measure = _Measures(answers)
    draws = resampled_weights(len(answers), answers["title"], n_resamples, random_state)
    resampled = pd.DataFrame([measure(weights) for weights in draws])
    tail = (1 - CONFIDENCE) / 2
    estimate = pd.Series(measure(np.ones(len(answers))))
    bounds = {"low": resampled.quantile(tail), "high": resampled.quantile(1 - tail)}
    return pd.DataFrame({"estimate": estimate} | bounds).loc[estimate.index]


class _Measures:
    """The measures of answers for any weights of the pairs; what no weight changes is computed once."""

    def __init__(self, answers: pd.DataFrame) -> None:
        grades = answers["grade"].to_numpy()
        either = answers[["probability", "asked"]].max(axis=1)
        self._questions = [
            (name, truth, answers["label"].isin(labels).to_numpy(), SortedScores(truth, scores))
            for name, truth, labels, scores in (
                ("MIRIP", grades >= SAME_GRADE, [SIMILAR], answers["probability"]),
                ("MIRIP atau TANYAKAN", grades >= ELSEWHERE_GRADE, [SIMILAR, ASK], either),
            )
        ]
        self._is_same, self._is_heard = grades >= SAME_GRADE, self._questions[-1][2]

    def __call__(self, weights: FloatArray) -> dict[str, float]:
        measures: dict[str, float] = {}
        for name, truth, called, scores in self._questions:
            n_hits = weights[truth & called].sum()
            measures |= {
                f"presisi rata-rata, {name}": scores.metrics(weights)["average_precision"],
                f"presisi, {name}": ratio(n_hits, weights[called].sum(), np.nan),
                f"recall, {name}": ratio(n_hits, weights[truth].sum(), np.nan),
            }
        heard, same = weights[self._is_same & self._is_heard].sum(), weights[self._is_same].sum()
        return measures | {FOUND_OR_ASKED: ratio(heard, same, np.nan)}


def list_ndcg(answers: pd.DataFrame, order: str = "relatedness") -> pd.Series:
    """Return the NDCG of the first ten titles of each list.

    A list holds the drawn pairs of one title. Lists with fewer than six pairs or without any related
    title are left out.

    Parameters
    ----------
    order : str
        Column of answers by which the lists are ordered.

    Returns
    -------
    Series of float in [0, 1]
        Index: title.

    References
    ----------
    Järvelin, K., & Kekäläinen, J. (2002). *Cumulated gain-based evaluation of IR techniques*.
    """
    lists = pd.concat([answers.assign(query=answers[side]) for side in ("title", "other")])
    gains = {}
    for title, rows in lists.groupby("query"):
        if len(rows) >= _MIN_LIST_PAIRS and rows["grade"].max() > 0:
            gains[title] = ndcg_score([2.0 ** rows["grade"] - 1], [rows[order]], k=10)
    return pd.Series(gains, dtype=float)


def reader_kappa(answers: pd.DataFrame) -> pd.DataFrame:
    """Return Cohen's kappa of two readers, and of the first reader and the model.

    Returns
    -------
    DataFrame
        Index: the same study; the same study, possibly elsewhere. Columns: ``dua pembaca``,
        ``pembaca dan model``.
    """
    both = answers[answers["second_grade"] >= 0]
    rows = {}
    for name, min_grade, labels in (
        ("studi yang sama", SAME_GRADE, [SIMILAR]),
        ("sama, juga di tempat lain", ELSEWHERE_GRADE, [SIMILAR, ASK]),
    ):
        first = both["grade"] >= min_grade
        rows[name] = {
            "dua pembaca": cohen_kappa_score(first, both["second_grade"] >= min_grade),
            "pembaca dan model": cohen_kappa_score(first, both["label"].isin(labels)),
        }
    return pd.DataFrame(rows).T


def grade_confusion(answers: pd.DataFrame) -> pd.DataFrame:
    """Count pairs by grade (rows) and label (columns)."""
    counts = pd.crosstab(answers["grade"], answers["label"])
    columns = [SIMILAR, ASK, DIFFERENT]
    return counts.reindex(index=range(4, -1, -1), columns=columns, fill_value=0).rename_axis(
        index="derajat", columns="label"
    )


def recall_by_difference(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the recall of the readers' verdicts by what differs in a pair.

    A pair counts under each letter that its readers wrote; pairs of grade 0 have no letters and are
    left out.

    Returns
    -------
    DataFrame
        Index: ``yang berbeda`` and whether both titles name it. Columns: numbers of pairs that are
        the same study, the same elsewhere and another study, and the recall of each: *MIRIP*;
        *MIRIP* or *TANYAKAN*; *TIDAK MIRIP*.
    """
    graded = answers[(answers["grade"] > 0) & (answers["differs"] != "")]
    letters = graded["differs"].replace("-", "")
    rows = {}
    for aspect, name in DIFFERENCE_NAMES.items():
        for letter in dict.fromkeys([aspect.upper(), aspect]):
            differs = letters.str.contains(letter) if letter else letters == ""
            where = " di kedua judul" if letter.isupper() else " di satu judul" if letter else ""
            rows[f"{name}{where}"] = _recalls(graded[differs])
    table = pd.DataFrame.from_dict(rows, orient="index")  # Keeps counts whole.
    return table.rename_axis("yang berbeda")


def _recalls(pairs: pd.DataFrame) -> dict[str, float]:
    recalls: dict[str, float] = {}
    for name, rows, labels in (
        ("sama", pairs["grade"] >= SAME_GRADE, [SIMILAR]),
        ("sama di tempat lain", pairs["grade"] == ELSEWHERE_GRADE, [SIMILAR, ASK]),
        ("lain", pairs["grade"] < ELSEWHERE_GRADE, [DIFFERENT]),
    ):
        verdicts = pairs.loc[rows, "label"]
        recalls |= {name: len(verdicts), f"{name}, recall": float(verdicts.isin(labels).mean())}
    return recalls


ALARM_SHARE_PATH = REAL_PAIRS_PATH.with_name("alarm_share.csv")
"""Counts written by `scripts/alarm_share.py` where the titles are available."""


def alarm_counts(
    titles: pd.DataFrame,
    models: Mapping[str, StructuredModel],
    *,
    sizes: Sequence[int] = (100, 300, 1_000, 3_000),
    n_titles: int = 320,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Count the alarms of titles checked against archives of growing size.

    Parameters
    ----------
    titles : DataFrame, shape (n, ...)
        ``Sumber`` and ``Judul``.
    models : mapping of str to StructuredModel
        For each source, a model that was not trained on its titles. Titles of other sources are
        only in the archives.
    sizes : sequence of int
        Sizes of the archives; one more holds all titles that are not checked.
    n_titles : int
        Number of titles to check.

    Returns
    -------
    DataFrame
        One row an archive: ``arsip`` (titles in it), ``judul`` (titles checked), ``mirip`` and
        ``tanyakan`` (number of titles with that answer).
    """
    shuffled = titles.sample(frac=1, random_state=random_state)
    chosen = shuffled[shuffled["Sumber"].isin(list(models))].head(n_titles)
    archive = shuffled.drop(chosen.index)["Judul"].tolist()
    rows = []
    for size in [*(size for size in sizes if size < len(archive)), len(archive)]:
        labels = pd.Series(list(_labels(chosen, models, archive[:size])))
        rows.append((size, len(labels), (labels == SIMILAR).sum(), (labels == ASK).sum()))
    return pd.DataFrame(rows, columns=["arsip", "judul", "mirip", "tanyakan"])


def _labels(
    chosen: pd.DataFrame, models: Mapping[str, StructuredModel], archive: list[str]
) -> Iterator[str]:
    for source, titles in chosen.groupby("Sumber"):
        checker = StructuredChecker(models[str(source)], archive)
        for matches in checker.check_many(titles["Judul"].tolist(), top_k=1):
            yield matches.decision.labels[0]


def read_alarm_shares(path: str | Path = ALARM_SHARE_PATH) -> pd.DataFrame:
    """Read the counts of `alarm_counts` as shares with Wilson's intervals.

    Returns
    -------
    DataFrame
        One row an archive and answer: ``judul dalam arsip``, ``simpulan``, ``estimate``, ``low``,
        ``high``.

    Examples
    --------
    >>> bool(read_alarm_shares()["estimate"].between(0, 1).all())
    True
    """
    counts_by_size = pd.read_csv(path)[["arsip", "judul", "mirip", "tanyakan"]]
    rows = [
        (size, label, *share_interval(count, n_checked))
        for size, n_checked, *counts in counts_by_size.to_numpy(dtype=int).tolist()
        for label, count in zip((SIMILAR, ASK), counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["judul dalam arsip", "simpulan", "estimate", "low", "high"])
