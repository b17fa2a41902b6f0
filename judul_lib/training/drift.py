"""How values are spread, whether that changed, and what a model gives for its own corpus."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from judul_lib.checking.checker import Checker, TitleChecker
from judul_lib.core.array_types import FloatArray, Rows
from judul_lib.core.settings import SEED
from judul_lib.study.preprocessing import preprocess_titles

N_BINS = 50
HIGH_PROBABILITY = 0.8
"""Probability above which the study counts a title as close."""

MEAN_SHIFT_BOUND, PSI_BOUND, KS_P_VALUE_BOUND = 0.1, 0.2, 0.001
"""From where on a difference is called drift: the study's mean shift, the usual bound of the
population stability index, and the p-value of the Kolmogorov-Smirnov test."""

MIN_VALUES, MIN_BASELINE_VALUES = 100, 30
"""With fewer values, nothing is said."""

# Bins of the histogram taken together for the stability index, and the share that each is
# given beforehand: an empty bin would make the index infinite.
_BINS_PER_GROUP, _SMOOTHING = 5, 0.002
# Digits that are the same on every machine.
_DIGITS = 9
BASELINE_KEY = "baseline"


@dataclass(frozen=True)
class DistributionSummary:
    """How values in [0, 1] are spread.

    Attributes
    ----------
    n : int
    mean, deviation : float
        The mean and the standard deviation.
    share_high : float
        Share of the values above 0.8.
    histogram : tuple of int
        Counts in 50 bins of equal width.
    """

    n: int
    mean: float
    deviation: float
    share_high: float
    histogram: tuple[int, ...]

    @classmethod
    def from_values(cls, values: ArrayLike) -> "DistributionSummary":
        """Describe values; those that are missing do not count.

        Examples
        --------
        >>> DistributionSummary.from_values([0.25, 0.75, float("nan")]).mean
        0.5
        """
        known = np.asarray(values, dtype=float)
        known = known[~np.isnan(known)]
        # A forest's shares of votes lie on the edges of bins: no last digit may choose between two.
        counts, _ = np.histogram(np.clip(known, 0, 1).round(_DIGITS), bins=N_BINS, range=(0, 1))
        n = len(known)
        if not n:
            return cls(0, 0.0, 0.0, 0.0, tuple(counts.tolist()))
        share_high = float((known.round(_DIGITS) > HIGH_PROBABILITY).mean())
        mean, deviation = (round(float(fact), _DIGITS) for fact in (known.mean(), known.std()))
        return cls(n, mean, deviation, share_high, tuple(counts.tolist()))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "DistributionSummary":
        """Read what `to_dict` gave."""
        return cls(**{**stored, "histogram": tuple(stored["histogram"])})

    def to_dict(self) -> dict[str, Any]:
        """Return numbers that JSON can hold."""
        return {**asdict(self), "histogram": list(self.histogram)}

    @cached_property
    def shares(self) -> FloatArray:
        """Share of the values in each bin; they sum to 1."""
        return np.asarray(self.histogram) / max(1, self.n)

    def quantiles(self, ranks: FloatArray) -> FloatArray:
        """Return values that are spread as these: evenly within each bin.

        Parameters
        ----------
        ranks : ndarray of float
            In [0, 1].
        """
        reached = np.concatenate([[0.0], np.cumsum(self.shares)])
        # An empty bin gives two equal ranks: the flat piece must not be interpolated over.
        last = int(np.max(np.flatnonzero(self.shares), initial=0))
        place = np.clip(np.searchsorted(reached, ranks, side="right") - 1, 0, last)
        width = np.where(self.shares[place] > 0, self.shares[place], 1.0)
        within = np.clip((ranks - reached[place]) / width, 0, 1)
        return (place + within) / N_BINS


@dataclass(frozen=True)
class Drift:
    """Two distributions compared.

    Attributes
    ----------
    mean_shift : float
        Mean of the second less that of the first.
    psi : float
        See `stability_index`.
    statistic, p_value : float
        See `kolmogorov_smirnov`.
    mean_shift_bound, psi_bound : float
        From where on the two count as drift, with so many values.
    """

    mean_shift: float
    psi: float
    statistic: float
    p_value: float
    mean_shift_bound: float
    psi_bound: float

    @property
    def found(self) -> dict[str, tuple[float, float]]:
        """The measures that say drift: each with its value and its bound."""
        said = {}
        if abs(self.mean_shift) > self.mean_shift_bound:
            said["pergeseran rata-rata"] = (self.mean_shift, self.mean_shift_bound)
        if self.psi > self.psi_bound:
            said["PSI"] = (self.psi, self.psi_bound)
        if self.p_value < KS_P_VALUE_BOUND:
            said["p Kolmogorov-Smirnov"] = (self.p_value, KS_P_VALUE_BOUND)
        return said


def compare(baseline: DistributionSummary, current: DistributionSummary) -> Drift | None:
    """Compare what is seen now with a baseline; None where there are too few values to say anything.

    A difference counts from the usual bound, or from where chance alone comes
    once in a thousand times, whichever is more: few values differ by chance.

    Examples
    --------
    >>> low = DistributionSummary.from_values(np.linspace(0, 0.5, 500))
    >>> high = DistributionSummary.from_values(np.linspace(0.4, 1, 500))
    >>> list(compare(low, high).found), compare(low, low).found
    (['pergeseran rata-rata', 'PSI', 'p Kolmogorov-Smirnov'], {})
    """
    if baseline.n < MIN_BASELINE_VALUES or current.n < MIN_VALUES:
        return None
    error = np.sqrt(baseline.deviation**2 / baseline.n + current.deviation**2 / current.n)
    chance = stats.chi2.ppf(1 - KS_P_VALUE_BOUND, N_BINS // _BINS_PER_GROUP - 1) * (
        1 / baseline.n + 1 / current.n
    )
    return Drift(
        current.mean - baseline.mean,
        stability_index(baseline, current),
        *kolmogorov_smirnov(baseline, current),
        max(MEAN_SHIFT_BOUND, float(stats.norm.ppf(1 - KS_P_VALUE_BOUND / 2) * error)),
        max(PSI_BOUND, float(chance)),
    )


def stability_index(one: DistributionSummary, other: DistributionSummary) -> float:
    """Return the population stability index: 0 for equal shares, the same in both directions.

    Ten bins, each share smoothed.

    References
    ----------
    Siddiqi, N. (2006). *Credit Risk Scorecards*. Wiley. That chance alone gives
    about a chi-squared variable times (1/n + 1/m): Yurdakul, B., and Naranjo, J.
    (2020). Statistical properties of the population stability index. *Journal
    of Risk Model Validation*, 14(4).

    Examples
    --------
    >>> one = DistributionSummary.from_values([0.15] * 50 + [0.85] * 50)
    >>> other = DistributionSummary.from_values([0.15] * 80 + [0.85] * 20)
    >>> stability_index(one, one), round(stability_index(one, other), 3)
    (0.0, 0.405)
    """
    p, q = (_smoothed(spread.shares) for spread in (one, other))
    return float(np.sum((p - q) * np.log(p / q)))


def _smoothed(shares: FloatArray) -> FloatArray:
    coarse = shares.reshape(-1, _BINS_PER_GROUP).sum(axis=1)
    return (1 - len(coarse) * _SMOOTHING) * coarse + _SMOOTHING


def kolmogorov_smirnov(one: DistributionSummary, other: DistributionSummary) -> tuple[float, float]:
    """Return the two-sample statistic on the bins and its asymptotic p-value.

    Bins only bring the two distributions nearer, so that the p-value is never
    too small for that reason.

    References
    ----------
    Smirnov, N. (1948). Table for estimating the goodness of fit of empirical
    distributions. *Annals of Mathematical Statistics*, 19(2).

    Examples
    --------
    >>> one = DistributionSummary.from_values([0.15] * 50 + [0.85] * 50)
    >>> other = DistributionSummary.from_values([0.15] * 80 + [0.85] * 20)
    >>> statistic, p_value = kolmogorov_smirnov(one, other)
    >>> round(statistic, 3), round(p_value, 5)
    (0.3, 0.00025)
    """
    statistic = float(np.abs(np.cumsum(one.shares) - np.cumsum(other.shares)).max())
    size = one.n * other.n / max(1, one.n + other.n)
    return statistic, float(stats.kstwobign.sf(np.sqrt(size) * statistic))


@dataclass(frozen=True)
class ModelBaseline:
    """What a model gives for its own corpus.

    Attributes
    ----------
    probability : DistributionSummary
        Best probability of each title among the others.
    unknown : DistributionSummary
        Share of each title's words that are not known.
    version : str or None
        Version of the model, where it is known.
    """

    probability: DistributionSummary
    unknown: DistributionSummary
    version: str | None = None


def with_baseline(metadata: Mapping[str, Any], baseline: ModelBaseline) -> dict[str, Any]:
    """Return the metadata of a model with its baseline.

    Examples
    --------
    >>> spread = DistributionSummary.from_values([0.2, 0.4])
    >>> metadata = with_baseline({"name": "light"}, ModelBaseline(spread, spread))
    >>> stored_baseline(metadata).probability.mean
    0.3
    """
    spreads = {"probability": baseline.probability, "unknown": baseline.unknown}
    return {**metadata, BASELINE_KEY: {name: spread.to_dict() for name, spread in spreads.items()}}


def stored_baseline(metadata: Mapping[str, Any], version: str | None = None) -> ModelBaseline | None:
    """Return the baseline that a model's metadata hold, or None."""
    stored = metadata.get(BASELINE_KEY)
    if stored is None:
        return None
    probability, unknown = (
        DistributionSummary.from_dict(stored[name]) for name in ("probability", "unknown")
    )
    return ModelBaseline(probability, unknown, version)


# Titles that stand for a larger corpus, so that training is not held up (the measures of drift
# know how many they were), and pairs compared in one call.
_MAX_TITLES, _MAX_PAIRS_PER_BATCH = 500, 20_000
_FOLDS = 5


def measure_baseline(checker: Checker, version: str | None = None) -> ModelBaseline:
    """Ask a model about the titles of its corpus.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> measure_baseline(load_checker("outputs/light")).probability.n
    123
    """
    probability, unknown = (
        DistributionSummary.from_values(top_probabilities(checker)),
        DistributionSummary.from_values(unknown_shares(checker)),
    )
    return ModelBaseline(probability, unknown, version)


def top_probabilities(checker: Checker) -> FloatArray:
    """Return for each title of a model's corpus the best probability among the other titles.

    Returns
    -------
    ndarray of float, shape (n,)
        Of a corpus with more than 500 titles, a seeded sample asks.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> checker = load_checker("outputs/light", ["Deteksi Hoaks", "Deteksi HOAKS", "Prediksi Beras"])
    >>> (top_probabilities(checker) >= 0.5).tolist()
    [True, True, False]
    """
    titles = list(checker.titles)
    n = len(titles)
    if n < 2:
        return np.empty(0)
    asked = np.arange(n)
    if n > _MAX_TITLES:
        asked = np.sort(np.random.default_rng(SEED).choice(n, _MAX_TITLES, replace=False))
    comparison = checker.compare(titles, titles)
    best = np.empty(len(asked))
    at_once = max(1, _MAX_PAIRS_PER_BATCH // n)
    for start in range(0, len(asked), at_once):
        rows = asked[start : start + at_once]
        left, right = np.repeat(rows, n), np.tile(np.arange(n), len(rows))
        probability = checker.probability(comparison.features(left, right)).reshape(len(rows), n)
        probability[np.arange(len(rows)), rows] = -1.0  # Itself.
        best[start : start + len(rows)] = probability.max(axis=1)
    return best


def unknown_shares(checker: Checker) -> FloatArray:
    """Return for each title of a model's corpus the share of its words that are not known.

    A word that a model of the study learned from this title alone counts as
    unknown too: it would be, had the title come as a question. To that end the
    titles are shared out over five seeded folds, and a word has to occur in
    another fold. The structured model's dictionaries know nothing of its corpus.

    Returns
    -------
    ndarray of float, shape (n,)
        Of the distinct stems; without any, 0.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> unknown_shares(load_checker("outputs/structured", ["Deteksi Hoaks", "Deteksi Xyzzy"])).tolist()
    [0.0, 0.5]
    """
    stems = [set(text.split()) for text in preprocess_titles(checker.titles)]
    folds = _folds(len(stems))
    places: dict[str, set[int]] = {}
    for own, fold in zip(stems, folds.tolist(), strict=True):
        for stem in own:
            places.setdefault(stem, set()).add(fold)
    learned = isinstance(checker, TitleChecker)
    known = {stem: checker.is_known(stem) for stem in places}
    where = places if learned else {}
    rows = zip(stems, folds.tolist(), strict=True)
    return np.array([_unknown(own, fold, known, where) for own, fold in rows])


def _unknown(
    stems: set[str], fold: int, known: Mapping[str, bool], places: Mapping[str, set[int]]
) -> float:
    if not stems:
        return 0.0
    return sum(not known[stem] or places.get(stem) == {fold} for stem in stems) / len(stems)


def _folds(n: int) -> Rows:
    return np.random.default_rng(SEED).permutation(n) % _FOLDS
