"""Compare two models on users, each of whom is answered by one model and gives feedback.

The opinions of one user are correlated, so the unit of analysis is the user,
with the mean of their opinions. Users who saw both models are left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from judul_lib.core.settings import SEED

MEASURES = ("is_right", "rating")
"""Whether the user finds the verdict right; the rating from 1 to 5."""
MIN_USERS = 20
"""With fewer users of either model, neither is called better."""
_N_RESAMPLES, _CONFIDENCE = 4_999, 0.95


@dataclass(frozen=True)
class Comparison:
    """Two models by one measure.

    Attributes
    ----------
    measure : {"is_right", "rating"}
    one, other : str
        Names of the models.
    n_one, n_other : int
        Number of users of each.
    mean_one, mean_other : float
    low, high : float
        95 % bootstrap interval of ``mean_one - mean_other``; NaN with fewer
        than two users of either.
    p_value : float
        Of a permutation test of no difference.
    """

    measure: str
    one: str
    other: str
    n_one: int
    n_other: int
    mean_one: float
    mean_other: float
    low: float
    high: float
    p_value: float

    @property
    def better(self) -> str | None:
        """The better model where the difference is significant, else None."""
        has_enough_users = min(self.n_one, self.n_other) >= MIN_USERS
        is_significant = self.p_value < 1 - _CONFIDENCE and (self.low > 0 or self.high < 0)
        if not (has_enough_users and is_significant):
            return None
        return self.one if self.low > 0 else self.other


def user_means(feedback: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return one row per user: ``user``, ``model`` and the mean of the measure.

    Parameters
    ----------
    feedback : DataFrame
        ``user``, ``model`` and the measure, which is missing where it was not asked.

    Examples
    --------
    >>> feedback = pd.DataFrame({"user": ["u", "u", "v"], "model": ["light"] * 3, "rating": [4, 5, 2]})
    >>> user_means(feedback, "rating")["rating"].tolist()
    [4.5, 2.0]
    """
    opinions = feedback[["user", "model", measure]].dropna()
    n_models = opinions.groupby("user")["model"].transform("nunique")
    opinions = opinions[n_models == 1].astype({measure: float})
    return opinions.groupby(["user", "model"])[measure].mean().reset_index()


def compare_on_users(
    feedback: pd.DataFrame, one: str, other: str, measure: str, *, seed: int = SEED
) -> Comparison:
    """Compare two models by one measure, with a permutation test and a bootstrap interval."""
    means = user_means(feedback, measure)
    first, second = (means.loc[means["model"] == name, measure].to_numpy() for name in (one, other))
    groups = len(first), len(second), _mean(first), _mean(second)
    if min(len(first), len(second)) < 2:
        return Comparison(measure, one, other, *groups, np.nan, np.nan, np.nan)
    test = stats.permutation_test(
        (first, second), _difference, n_resamples=_N_RESAMPLES, vectorized=True, rng=seed
    )
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        low = high = _mean(first) - _mean(second)
    else:
        interval = stats.bootstrap(
            (first, second), _difference, n_resamples=_N_RESAMPLES, vectorized=True,
            confidence_level=_CONFIDENCE, method="percentile", rng=seed,
        ).confidence_interval  # fmt: skip
        low, high = float(interval.low), float(interval.high)
    return Comparison(measure, one, other, *groups, low, high, float(test.pvalue))


def recommendation(comparisons: list[Comparison]) -> str | None:
    """Return the model that is better by some measure and worse by none, else None."""
    better = {comparison.better for comparison in comparisons} - {None}
    return better.pop() if len(better) == 1 else None


def _difference(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(first, axis=axis) - np.mean(second, axis=axis)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
