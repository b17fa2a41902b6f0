"""Summaries of distributions, drift between two of them, and a model's baseline on its own corpus."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from judul_lib.checking.checker import Checker, TitleChecker
from judul_lib.core.array_types import FloatArray
from judul_lib.core.settings import SEED
from judul_lib.study.preprocessing import preprocess_titles

N_BINS = 50
HIGH_PROBABILITY = 0.8
"""Probability above which the study counts a title as close."""

MEAN_SHIFT_BOUND, PSI_BOUND, KS_P_VALUE_BOUND = 0.1, 0.2, 0.001
"""Bounds beyond which a difference counts as drift: the study's mean shift, the usual bound of the
population stability index, and the p-value of the Kolmogorov-Smirnov test."""

MIN_VALUES, MIN_BASELINE_VALUES = 100, 30
"""With fewer current or baseline values, drift is not assessed."""

# Histogram bins per group for the stability index, and the share added to each group: an empty
# group would make the index infinite.
_BINS_PER_GROUP, _SMOOTHING = 5, 0.002
# Later digits may differ between machines.
_DIGITS = 9
BASELINE_KEY = "baseline"


@dataclass(frozen=True)
class DistributionSummary:
    """Summary of values in [0, 1].

    Attributes
    ----------
    n : int
    mean, deviation : float
        Mean and standard deviation.
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
        """Summarize values, ignoring NaN.

        Examples
        --------
        >>> DistributionSummary.from_values([0.25, 0.75, float("nan")]).mean
        0.5
        """
        data = np.asarray(values, dtype=float)
        data = data[~np.isnan(data)]
        # A forest's vote shares lie on bin edges, where a last digit would decide the bin.
        counts, _ = np.histogram(np.clip(data, 0, 1).round(_DIGITS), bins=N_BINS, range=(0, 1))
        n = len(data)
        if not n:
            return cls(0, 0.0, 0.0, 0.0, tuple(counts.tolist()))
        share_high = float((data.round(_DIGITS) > HIGH_PROBABILITY).mean())
        mean, deviation = (round(float(value), _DIGITS) for value in (data.mean(), data.std()))
        return cls(n, mean, deviation, share_high, tuple(counts.tolist()))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "DistributionSummary":
        """Restore a summary from the result of `to_dict`."""
        return cls(**{**stored, "histogram": tuple(stored["histogram"])})

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON types."""
        return {**asdict(self), "histogram": list(self.histogram)}

    @cached_property
    def shares(self) -> FloatArray:
        """Share of the values in each bin; they sum to 1."""
        return np.asarray(self.histogram) / max(1, self.n)

    def quantiles(self, ranks: FloatArray) -> FloatArray:
        """Return quantiles, with the values of a bin taken as uniform within it.

        Parameters
        ----------
        ranks : ndarray of float
            In [0, 1].
        """
        cumulative = np.concatenate([[0.0], np.cumsum(self.shares)])
        # The cumulative share is flat over an empty bin; do not interpolate there.
        last = int(np.max(np.flatnonzero(self.shares), initial=0))
        bins = np.clip(np.searchsorted(cumulative, ranks, side="right") - 1, 0, last)
        width = np.where(self.shares[bins] > 0, self.shares[bins], 1.0)
        within = np.clip((ranks - cumulative[bins]) / width, 0, 1)
        return (bins + within) / N_BINS


@dataclass(frozen=True)
class Drift:
    """Measures of the difference between a baseline and current values.

    Attributes
    ----------
    mean_shift : float
        Current mean minus baseline mean.
    psi : float
        See `stability_index`.
    statistic, p_value : float
        See `kolmogorov_smirnov`.
    mean_shift_bound, psi_bound : float
        Bounds beyond which the two count as drift at these sample sizes.
    """

    mean_shift: float
    psi: float
    statistic: float
    p_value: float
    mean_shift_bound: float
    psi_bound: float

    @property
    def exceeds_study_bound(self) -> bool:
        """Whether the mean moved by more than the study's bound, even if by chance."""
        return abs(self.mean_shift) > MEAN_SHIFT_BOUND

    @property
    def exceeded(self) -> dict[str, tuple[float, float]]:
        """The measures that indicate drift: each with its value and its bound."""
        exceeded = {}
        if abs(self.mean_shift) > self.mean_shift_bound:
            exceeded["pergeseran rata-rata"] = (self.mean_shift, self.mean_shift_bound)
        if self.psi > self.psi_bound:
            exceeded["PSI"] = (self.psi, self.psi_bound)
        if self.p_value < KS_P_VALUE_BOUND:
            exceeded["p Kolmogorov-Smirnov"] = (self.p_value, KS_P_VALUE_BOUND)
        return exceeded


def compare(baseline: DistributionSummary, current: DistributionSummary) -> Drift | None:
    """Compare current values with a baseline; None where either has too few values.

    The bound of a measure is the usual one, or the difference that chance alone
    exceeds once in a thousand times, whichever is larger.

    Examples
    --------
    >>> low = DistributionSummary.from_values(np.linspace(0, 0.5, 500))
    >>> high = DistributionSummary.from_values(np.linspace(0.4, 1, 500))
    >>> list(compare(low, high).exceeded), compare(low, low).exceeded
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

    Ten bins, each share smoothed. Without drift it is distributed about as
    chi-squared times (1/n + 1/m).

    References
    ----------
    Siddiqi, N. (2006). *Credit Risk Scorecards*. Wiley; Yurdakul, B., and
    Naranjo, J. (2020). Statistical properties of the population stability
    index. *Journal of Risk Model Validation*, 14(4).

    Examples
    --------
    >>> one = DistributionSummary.from_values([0.15] * 50 + [0.85] * 50)
    >>> other = DistributionSummary.from_values([0.15] * 80 + [0.85] * 20)
    >>> stability_index(one, one), round(stability_index(one, other), 3)
    (0.0, 0.405)
    """
    p, q = (_smoothed_shares(summary) for summary in (one, other))
    return float(np.sum((p - q) * np.log(p / q)))


def _smoothed_shares(summary: DistributionSummary) -> FloatArray:
    shares = summary.shares.reshape(-1, _BINS_PER_GROUP).sum(axis=1)
    return (1 - len(shares) * _SMOOTHING) * shares + _SMOOTHING


def kolmogorov_smirnov(one: DistributionSummary, other: DistributionSummary) -> tuple[float, float]:
    """Return the two-sample statistic on the bins and its asymptotic p-value.

    Binning can only lower the statistic, so the p-value is conservative.

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
    """How a model answers on its own corpus.

    Attributes
    ----------
    probability : DistributionSummary
        Highest probability of each title with any other.
    unknown : DistributionSummary
        Share of each title's words that the model does not know.
    version : str or None
        Version of the model.
    """

    probability: DistributionSummary
    unknown: DistributionSummary
    version: str | None = None


def with_baseline(metadata: Mapping[str, Any], baseline: ModelBaseline) -> dict[str, Any]:
    """Add a model's baseline to its metadata.

    Examples
    --------
    >>> summary = DistributionSummary.from_values([0.2, 0.4])
    >>> metadata = with_baseline({"name": "light"}, ModelBaseline(summary, summary))
    >>> stored_baseline(metadata).probability.mean
    0.3
    """
    stored = {"probability": baseline.probability.to_dict(), "unknown": baseline.unknown.to_dict()}
    return {**metadata, BASELINE_KEY: stored}


def stored_baseline(metadata: Mapping[str, Any], version: str | None = None) -> ModelBaseline | None:
    """Return the baseline in a model's metadata, or None."""
    stored = metadata.get(BASELINE_KEY)
    if stored is None:
        return None
    probability, unknown = (
        DistributionSummary.from_dict(stored[name]) for name in ("probability", "unknown")
    )
    return ModelBaseline(probability, unknown, version)


# Titles sampled from a larger corpus, to save time (the drift bounds depend on their number), and
# pairs compared in one call.
_MAX_TITLES, _MAX_PAIRS_PER_BATCH = 500, 20_000
_N_FOLDS = 5


def measure_baseline(checker: Checker, version: str | None = None) -> ModelBaseline:
    """Measure how a model answers on the titles of its corpus.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> measure_baseline(load_checker("outputs/light")).probability.n
    123
    """
    probability = DistributionSummary.from_values(top_probabilities(checker))
    unknown = DistributionSummary.from_values(unknown_shares(checker))
    return ModelBaseline(probability, unknown, version)


def top_probabilities(checker: Checker) -> FloatArray:
    """Return the highest probability of each corpus title with any other title.

    Returns
    -------
    ndarray of float, shape (n,)
        For a seeded sample of 500 titles where the corpus has more.

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
    queries = np.arange(n)
    if n > _MAX_TITLES:
        queries = np.sort(np.random.default_rng(SEED).choice(n, _MAX_TITLES, replace=False))
    comparison = checker.compare(titles, titles)
    best = np.empty(len(queries))
    batch_size = max(1, _MAX_PAIRS_PER_BATCH // n)
    for start in range(0, len(queries), batch_size):
        rows = queries[start : start + batch_size]
        left, right = np.repeat(rows, n), np.tile(np.arange(n), len(rows))
        probability = checker.probability(comparison.features(left, right)).reshape(len(rows), n)
        probability[np.arange(len(rows)), rows] = -1.0  # The title itself.
        best[start : start + len(rows)] = probability.max(axis=1)
    return best


def unknown_shares(checker: Checker) -> FloatArray:
    """Return the share of unknown words in each corpus title.

    A word that a model of the study learnt from this title alone counts as
    unknown too, as it would if the title were a query: the titles are split into
    five seeded folds, and a word has to occur in another fold. The dictionaries
    of the structured model do not depend on its corpus.

    Returns
    -------
    ndarray of float, shape (n,)
        Share of the distinct stems; 0 for a title without stems.

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> unknown_shares(load_checker("outputs/structured", ["Deteksi Hoaks", "Deteksi Xyzzy"])).tolist()
    [0.0, 0.5]
    """
    stems = [set(text.split()) for text in preprocess_titles(checker.titles)]
    folds = (np.random.default_rng(SEED).permutation(len(stems)) % _N_FOLDS).tolist()
    folds_of: dict[str, set[int]] = {}
    for title_stems, fold in zip(stems, folds, strict=True):
        for stem in title_stems:
            folds_of.setdefault(stem, set()).add(fold)
    is_known = {stem: checker.is_known(stem) for stem in folds_of}
    learns_from_corpus = isinstance(checker, TitleChecker)

    def unknown_share(title_stems: set[str], fold: int) -> float:
        n_unknown = sum(
            not is_known[stem] or (learns_from_corpus and folds_of[stem] == {fold})
            for stem in title_stems
        )
        return n_unknown / max(1, len(title_stems))

    return np.array(list(map(unknown_share, stems, folds)))
