"""Error rates on gold pairs by field of study, length and language of the titles, with intervals.

A model that errs more often in one field, or on short titles, treats some
students worse than others. Pairs of one base study are correlated, so the
bootstrap resamples studies rather than pairs.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from judul_lib.core.settings import DECISION_THRESHOLD, SEED
from judul_lib.study.metrics import resampled_weights
from judul_lib.study.preprocessing import STOP_WORDS, is_root_word, stem_word

MIN_PAIRS = 20
"""Pairs of a label that a group needs for an error rate."""
_N_RESAMPLES, _TAIL_PERCENT = 1_000, 2.5
_SHORT, _LONG = 9, 14  # Words.
_SOME, _MANY = 0.15, 0.35  # Share of foreign words.


def field_of_study(pairs: pd.DataFrame) -> pd.Series:
    """Return the field of each pair's base study; small fields are merged into *bidang lain*.

    Examples
    --------
    >>> field_of_study(pd.DataFrame({"bidang": ["hukum"] * 2 + ["informatika"] * 60})).unique().tolist()
    ['bidang lain', 'informatika']
    """
    fields = pairs["bidang"]
    return fields.where(fields.map(fields.value_counts()) >= 3 * MIN_PAIRS, "bidang lain")


def length_class(pairs: pd.DataFrame) -> pd.Series:
    """Return the length class of the shorter title of each pair.

    Examples
    --------
    >>> pairs = pd.DataFrame({"judul_a": ["Deteksi Hoaks"], "judul_b": ["Deteksi Berita Bohong"]})
    >>> length_class(pairs).tolist()
    ['sampai 9 kata']
    """
    left, right = (pairs[side].map(lambda text: len(text.split())) for side in ("judul_a", "judul_b"))
    names = [f"sampai {_SHORT} kata", f"{_SHORT + 1} sampai {_LONG - 1} kata", f"mulai {_LONG} kata"]
    edges = [-1, _SHORT, _LONG - 1, np.inf]
    return pd.cut(left.where(left < right, right), edges, labels=names).astype(str)


def language_class(pairs: pd.DataFrame) -> pd.Series:
    """Return the class of each pair by its share of non-Indonesian words, such as English terms.

    Examples
    --------
    >>> pairs = pd.DataFrame({"judul_a": ["Deep Learning"], "judul_b": ["Machine Learning"]})
    >>> language_class(pairs).tolist()
    ['banyak istilah asing']
    """
    texts = pairs["judul_a"] + " " + pairs["judul_b"]
    names = ["hampir semua kata Indonesia", "sebagian istilah asing", "banyak istilah asing"]
    return pd.cut(texts.map(foreign_share), [-1, _SOME, _MANY, 1], labels=names).astype(str)


def foreign_share(text: str) -> float:
    """Return the share of words whose stem is not an Indonesian root; 0 without words.

    Examples
    --------
    >>> foreign_share("Prediksi harga beras"), foreign_share("Deep learning untuk harga beras")
    (0.0, 0.5)
    """
    words = [word for word in text.lower().split() if word.isalpha() and word not in STOP_WORDS]
    n_foreign = sum(not is_root_word(stem_word(word)) for word in words)
    return n_foreign / len(words) if words else 0.0


GROUPINGS: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = MappingProxyType(
    {"bidang": field_of_study, "panjang judul": length_class, "bahasa": language_class}
)
"""Ways to group pairs, by their displayed names."""


def error_rates(
    pairs: pd.DataFrame,
    probability: ArrayLike,
    by: pd.Series,
    *,
    threshold: float = DECISION_THRESHOLD,
    seed: int = SEED,
) -> pd.DataFrame:
    """Return the error rates of a model in each group.

    Parameters
    ----------
    pairs : DataFrame, shape (n, ...)
        ``label`` (1 same study, 0 different) and ``base_id``.
    probability : array, shape (n,)
        Predicted by the model.
    by : Series, shape (n,)
        Group of each pair.
    threshold : float
        Probability from which a pair counts as similar.

    Returns
    -------
    DataFrame
        Index: ``semua``, then the groups, the largest first. Columns:
        ``pasangan``; the rates ``alarm palsu`` (different studies called similar)
        and ``luput`` (same studies missed), each with ``dari`` and ``sampai`` of
        its 95 % bootstrap interval; NaN with fewer pairs than `MIN_PAIRS`.
    """
    frame = pd.DataFrame(
        {
            "base": pairs["base_id"].to_numpy(),
            "label": pairs["label"].astype(int).to_numpy(),
            "called": np.asarray(probability) >= threshold,
            "group": by.to_numpy(),
        }
    )
    groups = ["semua", *frame["group"].value_counts().index]
    rows = [frame if group == "semua" else frame[frame["group"] == group] for group in groups]
    rates = [{"pasangan": len(part), **_rates(part, seed)} for part in rows]
    return pd.DataFrame(rates, index=pd.Index(groups, name="kelompok"))


def _rates(frame: pd.DataFrame, seed: int) -> dict[str, float]:
    rates: dict[str, float] = {}
    for name, label in (("alarm palsu", 0), ("luput", 1)):
        of_label = frame[frame["label"] == label]
        wrong = of_label["called"] if label == 0 else ~of_label["called"]
        low = high = rate = float("nan")
        if len(of_label) >= MIN_PAIRS and len(of_label["base"].unique()) > 1:
            rate = float(wrong.mean())
            low, high = _interval(wrong.to_numpy(dtype=float), of_label["base"], seed)
        rates |= {name: rate, f"{name}, dari": low, f"{name}, sampai": high}
    return rates


def _interval(wrong: np.ndarray, bases: pd.Series, seed: int) -> tuple[float, float]:
    if wrong.mean() in (0, 1):
        # The bootstrap has no spread here: use the Clopper-Pearson bound with the number of studies.
        bound = (_TAIL_PERCENT / 100) ** (1 / bases.nunique())
        return (0.0, 1 - bound) if wrong.mean() == 0 else (bound, 1.0)
    draws = resampled_weights(len(wrong), bases, _N_RESAMPLES, seed)
    rates = [(weights @ wrong) / weights.sum() for weights in draws]
    low, high = np.percentile(rates, [_TAIL_PERCENT, 100 - _TAIL_PERCENT])
    return float(low), float(high)


def disparities(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the groups whose interval lies entirely above that of all pairs."""
    worse = []
    for name in ("alarm palsu", "luput"):
        bound = rates.loc["semua", f"{name}, sampai"]
        above = rates.drop("semua")[f"{name}, dari"] > bound
        worse += [(group, name, rates.loc[group, name]) for group in above[above].index]
    return pd.DataFrame(worse, columns=["kelompok", "galat", "bagian"])
