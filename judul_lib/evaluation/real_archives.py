"""What MIRIP is worth on real archives: unseen pairs, and how often it is said."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, cohen_kappa_score, ndcg_score

from judul_lib.checking.matches import assign_labels
from judul_lib.checking.structured_checker import StructuredChecker
from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, DIFFERENT, SEED, SIMILAR
from judul_lib.structured.model import QUESTIONS, StructuredModel, ask_score, expected_grade
from judul_lib.structured.real_pairs import ELSEWHERE_GRADE, SAME_GRADE, RealPairs
from judul_lib.study.metrics import CONFIDENCE, resampled_weights, share_interval
from judul_lib.training.pairs import real_set, training_set
from judul_lib.training.structured import (
    MIN_ODDS,
    REAL_PAIRS_PATH,
    fit_platt_scaling,
    out_of_fold_log_odds,
    unfitted_model,
    with_kinds,
)

DIFFERENCES: Mapping[str, str] = {
    "": "tidak ada", "t": "tugas", "o": "objek", "m": "metode", "p": "tempat",
}  # fmt: skip
"""What differs in a pair, by the letters of the grading guide; a capital where both titles name it."""

FOUND_OR_ASKED = "recall studi yang sama, MIRIP atau TANYAKAN"
"""Name of the share of the same studies of which a person hears, as in `measure_answers`."""

_RESAMPLES = 1_000


def out_of_fold_answers(
    gold: pd.DataFrame, real: RealPairs, *, random_state: int = SEED
) -> tuple[pd.DataFrame, FloatArray]:
    """Judge each real pair by a model that saw neither its campus nor its titles.

    Parameters
    ----------
    gold : DataFrame
        Development part of the gold pairs, which every one of these models learns from too.

    Returns
    -------
    answers : DataFrame, shape (n_drawn, ...)
        One row a drawn pair: ``grade``, ``second_grade``, ``differs``, ``title`` and ``other``
        (hashes of the two), ``faculty``, ``doubted``, ``probability``, ``asked`` (that a committee
        would at least ask), ``relatedness`` and ``label`` at the default threshold.
    log_odds : ndarray of float, shape (n, 3)
        As from `judul_lib.training.structured.unseen_log_odds`, for training.
    """
    model = unfitted_model(real.counts)
    learnt = training_set(with_kinds(gold), model)
    log_odds = out_of_fold_log_odds(model, real, learnt, random_state=random_state)
    return calibrated_answers(real, log_odds), log_odds


def learning_curve(
    gold: pd.DataFrame, real: RealPairs, shares: Sequence[float], *, random_state: int = SEED
) -> dict[int, pd.DataFrame]:
    """Judge pairs of unseen campuses by models that learnt from a part of the real pairs.

    Parameters
    ----------
    gold : DataFrame
        As for `out_of_fold_answers`.
    shares : sequence of float in (0, 1)
        Of the real pairs; the titles of a smaller part are among those of a larger one.

    Returns
    -------
    dict of int to DataFrame
        How many real pairs were learnt from at most, and the answers about the other campuses.
        Only the question of the same study is asked.
    """
    model = unfitted_model(real.counts)
    extra = training_set(with_kinds(gold), model)
    place = np.array([int(title[8:12], 16) / 16**4 for title in real.left.tolist()])
    found = {}
    for share in shares:
        log_odds = out_of_fold_log_odds(
            model, real, extra, random_state=random_state, questions=["same"], learnt=place < share
        )
        found[int((place < share).sum())] = answer_groups(calibrated_answers(real, log_odds))[
            "kampus lain"
        ]
    return found


def calibrated_answers(real: RealPairs, log_odds: FloatArray) -> pd.DataFrame:
    """Calibrate log-odds of unseen pairs, each fold on the others; see `out_of_fold_answers`."""
    graded = real_set(real)
    truth = np.column_stack([getattr(graded, name) for name in QUESTIONS])
    chances = np.zeros((len(real), len(QUESTIONS)))
    for judged, others in real.folds():
        known = others & real.is_drawn
        for question in range(len(QUESTIONS)) if judged.any() else ():
            odds = MIN_ODDS[question]
            slope, shift = fit_platt_scaling(log_odds[known, question], truth[known, question], odds)
            chances[judged, question] = 1 / (1 + np.exp(-(slope * log_odds[judged, question] + shift)))
    same, elsewhere, related = chances.T
    asked = ask_score(same, elsewhere)
    found = pd.DataFrame(
        {
            "grade": real.grade.astype(int), "second_grade": real.second_grade.astype(int),
            "differs": real.differs, "title": real.left, "faculty": real.is_faculty,
            "other": real.right, "doubted": real.is_doubted,
            "probability": same, "asked": asked, "relatedness": expected_grade(same, asked, related),
            "label": assign_labels(same, asked, DECISION_THRESHOLD, elsewhere_label=ASK),
        }
    )  # fmt: skip
    return found[real.is_drawn].reset_index(drop=True)


def answer_groups(answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the pairs of the one faculty, of the other campuses, and those that two readers graded.

    Of the other campuses also those about which no reader was in doubt.
    """
    return {
        "satu fakultas": answers[answers["faculty"]],
        "kampus lain": answers[~answers["faculty"]],
        "dinilai dua kali": answers[answers["second_grade"] >= 0],
        "kampus lain, tanpa ragu": answers[~answers["faculty"] & ~answers["doubted"]],
    }


def measure_answers(
    answers: pd.DataFrame, *, n_resamples: int = _RESAMPLES, random_state: int = SEED
) -> pd.DataFrame:
    """Measure answers: to the question of the same study, and to that of the same if only elsewhere.

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
    draws = resampled_weights(len(answers), answers["title"], n_resamples, random_state)
    drawn = pd.DataFrame([_measured(answers, weights) for weights in draws])
    tail = (1 - CONFIDENCE) / 2
    estimate = pd.Series(_measured(answers, np.ones(len(answers))))
    bounds = {"low": drawn.quantile(tail), "high": drawn.quantile(1 - tail)}
    return pd.DataFrame({"estimate": estimate} | bounds).loc[estimate.index]


def _measured(answers: pd.DataFrame, weights: FloatArray) -> dict[str, float]:
    either = answers[["probability", "asked"]].max(axis=1)
    questions = (
        ("MIRIP", SAME_GRADE, answers["probability"], (SIMILAR,)),
        ("MIRIP atau TANYAKAN", ELSEWHERE_GRADE, either, (SIMILAR, ASK)),
    )
    found: dict[str, float] = {}
    for name, grade, scores, labels in questions:
        truth = (answers["grade"] >= grade).to_numpy()
        called = answers["label"].isin(labels).to_numpy()
        hits = float(weights[truth & called].sum())
        wanted, given = float(weights[truth].sum()), float(weights[called].sum())
        found |= {
            f"presisi rata-rata, {name}": float(
                average_precision_score(truth, scores, sample_weight=weights) if wanted else np.nan
            ),
            f"presisi, {name}": hits / given if given else np.nan,
            f"recall, {name}": hits / wanted if wanted else np.nan,
        }
    same = (answers["grade"] >= SAME_GRADE).to_numpy()
    told = answers["label"].isin([SIMILAR, ASK]).to_numpy()
    found[FOUND_OR_ASKED] = (
        float(weights[same & told].sum() / weights[same].sum()) if same.any() else np.nan
    )
    return found


def list_ndcg(answers: pd.DataFrame, order: str = "relatedness", *, min_pairs: int = 6) -> pd.Series:
    """Return how well lists are ordered: the gain of their first ten, discounted by rank.

    A list holds the drawn pairs of one title; those with fewer than some, or in which nothing is
    related, are left out.

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
    one, other = answers.assign(own=answers["title"]), answers.assign(own=answers["other"])
    gains = {}
    for title, rows in pd.concat([one, other]).groupby("own"):
        if len(rows) >= min_pairs and rows["grade"].max() > 0:
            gains[title] = ndcg_score([2.0 ** rows["grade"] - 1], [rows[order]], k=10)
    return pd.Series(gains, dtype=float)


def reader_kappa(answers: pd.DataFrame) -> pd.DataFrame:
    """Return Cohen's kappa of two readers, and of the first reader and the model.

    Returns
    -------
    DataFrame
        Index: the same study; the same if only elsewhere. Columns: ``dua pembaca``,
        ``pembaca dan model``.
    """
    both = answers[answers["second_grade"] >= 0]
    rows = {}
    for name, grade, labels in (
        ("studi yang sama", SAME_GRADE, [SIMILAR]),
        ("sama, juga di tempat lain", ELSEWHERE_GRADE, [SIMILAR, ASK]),
    ):
        first = both["grade"] >= grade
        rows[name] = {
            "dua pembaca": cohen_kappa_score(first, both["second_grade"] >= grade),
            "pembaca dan model": cohen_kappa_score(first, both["label"].isin(labels)),
        }
    return pd.DataFrame(rows).T


def grade_confusion(answers: pd.DataFrame) -> pd.DataFrame:
    """Count pairs: rows the grade, columns the label."""
    counts = pd.crosstab(answers["grade"], answers["label"])
    columns = [SIMILAR, ASK, DIFFERENT]
    return counts.reindex(index=range(4, -1, -1), columns=columns, fill_value=0).rename_axis(
        index="derajat", columns="label"
    )


def by_difference(answers: pd.DataFrame) -> pd.DataFrame:
    """Return how many pairs are judged as the readers did, by what differs.

    A pair counts under each letter that its readers wrote; grade 0, of which they told none, is left
    out.

    Returns
    -------
    DataFrame
        Index: ``yang berbeda`` and whether both titles name it. Columns: how many pairs are the same
        study, the same elsewhere and another one, and the recall of each: *MIRIP*; *MIRIP* or
        *TANYAKAN*; *TIDAK MIRIP*.
    """
    graded = answers[(answers["grade"] > 0) & (answers["differs"] != "")]
    written = graded["differs"].replace("-", "")
    rows = {}
    for letter, name in DIFFERENCES.items():
        for sign in dict.fromkeys([letter.upper(), letter]):
            own = written.str.contains(sign) if sign else written == ""
            named = " di kedua judul" if sign.isupper() else " di satu judul" if sign else ""
            rows[f"{name}{named}"] = _recalls(graded[own])
    return pd.DataFrame(rows).T.rename_axis("yang berbeda")


def _recalls(pairs: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, rows, labels in (
        ("sama", pairs["grade"] >= SAME_GRADE, [SIMILAR]),
        ("sama di tempat lain", pairs["grade"] == ELSEWHERE_GRADE, [SIMILAR, ASK]),
        ("lain", pairs["grade"] < ELSEWHERE_GRADE, [DIFFERENT]),
    ):
        own = pairs.loc[rows, "label"]
        found |= {name: len(own), f"{name}, recall": float(own.isin(labels).mean())}
    return found


ALARM_SHARE_PATH = REAL_PAIRS_PATH.with_name("alarm_share.csv")
"""The counts, as `scripts/alarm_share.py` writes them where the titles are."""

SIZES = (100, 300, 1_000, 3_000)
N_TITLES = 320


def alarm_counts(
    titles: pd.DataFrame,
    models: Mapping[str, StructuredModel],
    *,
    sizes: Sequence[int] = SIZES,
    n_titles: int = N_TITLES,
    random_state: int = SEED,
) -> pd.DataFrame:
    """Check some titles against archives that grow.

    Parameters
    ----------
    titles : DataFrame, shape (n, ...)
        ``Sumber`` and ``Judul``.
    models : mapping of str to StructuredModel
        By source, a model that has not seen its titles; titles of other sources are only in the
        archives.
    sizes : sequence of int
        Titles in the archives; the last archive holds all that are not checked.
    n_titles : int
        How many titles are checked.

    Returns
    -------
    DataFrame
        One row an archive: ``arsip`` (titles in it), ``judul`` (titles checked), ``mirip`` and
        ``tanyakan`` (how many of them got that answer).
    """
    shuffled = titles.sample(frac=1, random_state=random_state)
    chosen = shuffled[shuffled["Sumber"].isin(list(models))].head(n_titles)
    others = shuffled.drop(chosen.index)["Judul"].tolist()
    rows = []
    for size in [*(size for size in sizes if size < len(others)), len(others)]:
        labels = pd.Series(list(_labels(chosen, models, others[:size])))
        rows.append((size, len(labels), (labels == SIMILAR).sum(), (labels == ASK).sum()))
    return pd.DataFrame(rows, columns=["arsip", "judul", "mirip", "tanyakan"])


def _labels(
    chosen: pd.DataFrame, models: Mapping[str, StructuredModel], archive: list[str]
) -> Iterator[str]:
    for source, own in chosen.groupby("Sumber"):
        checker = StructuredChecker(models[str(source)], archive)
        for matches in checker.check_many(own["Judul"].tolist(), top_k=1):
            yield matches.decision.labels[0]


def read_alarm_shares(path: str | Path = ALARM_SHARE_PATH) -> pd.DataFrame:
    """Read the counts as shares with Wilson's intervals.

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
    read = pd.read_csv(path)[["arsip", "judul", "mirip", "tanyakan"]]
    rows = [
        (size, label, *share_interval(count, n_checked))
        for size, n_checked, *counts in read.to_numpy(dtype=int).tolist()
        for label, count in zip((SIMILAR, ASK), counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["judul dalam arsip", "simpulan", "estimate", "low", "high"])
