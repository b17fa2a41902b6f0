"""Compare two models on users: each user is answered by one of them, and says what they think.

A user's opinions hang together, so the user counts and not the opinion: each
has one mean. Whoever was answered by both models is left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from judul_lib.core.settings import SEED

MEASURES = ("is_right", "rating")
"""Whether a verdict was found right; the rating from 1 to 5."""
MIN_USERS = 20
"""With fewer users of either model, nothing is recommended."""
_RESAMPLES, _LEVEL = 4_999, 0.95


@dataclass(frozen=True)
class Comparison:
    """Two models by one measure.

    Attributes
    ----------
    measure : {"is_right", "rating"}
    one, other : str
        Models.
    n_one, n_other : int
        Users of each.
    mean_one, mean_other : float
    low, high : float
        95 % bootstrap interval of the first mean less the second; NaN with
        fewer than two users of either.
    p_value : float
        Of a permutation test that users do not differ by model.
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
        """The better model where the difference is real, else None."""
        enough = min(self.n_one, self.n_other) >= MIN_USERS
        if not (enough and self.p_value < 1 - _LEVEL and (self.low > 0 or self.high < 0)):
            return None
        return self.one if self.low > 0 else self.other


def user_means(feedback: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return one row a user: ``user``, ``model`` and the mean of what they said.

    Parameters
    ----------
    feedback : DataFrame
        ``user``, ``model`` and the measure; missing where it was not asked.

    Examples
    --------
    >>> feedback = pd.DataFrame({"user": ["u", "u", "v"], "model": ["light"] * 3, "rating": [4, 5, 2]})
    >>> user_means(feedback, "rating")["rating"].tolist()
    [4.5, 2.0]
    """
    said = feedback[["user", "model", measure]].dropna()
    n_models = said.groupby("user")["model"].transform("nunique")
    said = said[n_models == 1].astype({measure: float})
    return said.groupby(["user", "model"])[measure].mean().reset_index()


def compare_on_users(
    feedback: pd.DataFrame, one: str, other: str, measure: str, *, seed: int = SEED
) -> Comparison:
    """Compare two models by one measure; the same seed gives the same numbers.

    Source: SciPy, `scipy.stats.permutation_test` and `scipy.stats.bootstrap`.
    """
    means = user_means(feedback, measure)
    first, second = (means.loc[means["model"] == name, measure].to_numpy() for name in (one, other))
    counted = len(first), len(second), _mean(first), _mean(second)
    if min(len(first), len(second)) < 2:
        return Comparison(measure, one, other, *counted, np.nan, np.nan, np.nan)
    tested = stats.permutation_test(
        (first, second), _difference, n_resamples=_RESAMPLES, vectorized=True, rng=seed
    )
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        low = high = _mean(first) - _mean(second)
    else:
        interval = stats.bootstrap(
            (first, second), _difference, n_resamples=_RESAMPLES, vectorized=True,
            confidence_level=_LEVEL, method="percentile", rng=seed,
        ).confidence_interval  # fmt: skip
        low, high = float(interval.low), float(interval.high)
    return Comparison(measure, one, other, *counted, low, high, float(tested.pvalue))


def recommendation(comparisons: list[Comparison]) -> str | None:
    """Return the model that is really better by some measure and by none really worse, else None."""
    better = {comparison.better for comparison in comparisons} - {None}
    return better.pop() if len(better) == 1 else None


def _difference(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(first, axis=axis) - np.mean(second, axis=axis)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
