"""What versions of a model are worth on the gold pairs, as stored in their metadata.

The metrics of the training split say little (the study's models reach 100 % there), so that
versions are compared only on pairs that people judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judul_lib.checking.registry import read_metadata
from judul_lib.checking.versions import list_versions, versions_home
from judul_lib.core.errors import ModelError
from judul_lib.core.formatting import format_number

TOLERANCE = 0.02
"""Decrease at the lower end of the interval up to which a new version counts as not worse: about
half the width of the interval on the gold pairs of a few hundred studies."""

DECISIVE_METRICS = ("roc_auc", "accuracy")
"""Metrics in which a new version must not be worse: of the order of pairs, and of the verdicts."""


@dataclass(frozen=True)
class VersionComparison:
    """Metrics of two versions on the gold pairs.

    Attributes
    ----------
    old, new : mapping of str to float
        In [0, 1], by metric; empty if not stored.
    difference_low : mapping of str to float
        Lower end of the 95 % interval of new minus old, if both were measured on the same pairs.
    """

    old: Mapping[str, float] = field(default_factory=dict)
    new: Mapping[str, float] = field(default_factory=dict)
    difference_low: Mapping[str, float] = field(default_factory=dict)

    @property
    def possibly_worse(self) -> list[str]:
        """Metrics in `DECISIVE_METRICS` that may be lower by more than `TOLERANCE`.

        Examples
        --------
        >>> VersionComparison({"roc_auc": 0.9}, {"roc_auc": 0.8}).possibly_worse
        ['roc_auc']
        >>> VersionComparison({"roc_auc": 0.9}, {"roc_auc": 0.89}).possibly_worse
        []
        """
        shared = [name for name in DECISIVE_METRICS if name in self.old and name in self.new]
        change = {name: self.new[name] - self.old[name] for name in shared} | dict(self.difference_low)
        return [name for name in shared if not change[name] >= -TOLERANCE]

    @property
    def details(self) -> dict[str, Any]:
        """The comparison as JSON values for the audit trail."""
        return {
            "old": dict(self.old) or None,
            "new": dict(self.new) or None,
            "difference_low": dict(self.difference_low) or None,
        }


def compare_versions(
    outputs: str | Path, name: str, version: str, previous: str | None
) -> VersionComparison:
    """Compare a version with another one by what is stored with them."""
    metadata = _all_metadata(outputs, name)
    paired, reverse = (
        _paired(metadata, one, other) for one, other in ((version, previous), (previous, version))
    )
    if paired:
        return VersionComparison(_column(paired, "old"), _column(paired, "new"), _column(paired, "low"))
    if reverse:
        low = {metric: -high for metric, high in _column(reverse, "high").items()}
        return VersionComparison(_column(reverse, "new"), _column(reverse, "old"), low)
    old = _gold_metrics(metadata, previous) if previous else {}
    return VersionComparison(old, _gold_metrics(metadata, version))


def gold_metrics(outputs: str | Path, name: str) -> dict[str, dict[str, float]]:
    """Return the metrics of each version of a model on the gold pairs, by version.

    Metrics are in [0, 1], with ``low`` and ``high`` for the 95 % interval of ``roc_auc`` if it
    is stored; empty for a version that was never measured there.
    """
    metadata = _all_metadata(outputs, name)
    return {version: _gold_metrics(metadata, version) for version in metadata}


def measured_on_gold(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics on the gold pairs in the metadata of a model.

    Examples
    --------
    >>> measured_on_gold({"metrics": {"accuracy": 1.0}})
    {}
    >>> measured_on_gold({"comparison": {"n_pairs": 9, "accuracy": {"old": 0.7, "new": 0.8}}})
    {'accuracy': 0.8}
    """
    evaluation = _mapping(metadata.get("evaluation"))
    comparison = _mapping(metadata.get("comparison"))
    return _numbers(evaluation) or _column(comparison, "new")


def describe_metrics(metrics: Mapping[str, float]) -> str:
    """Return ``roc_auc`` with its interval, if stored, as text for readers.

    Examples
    --------
    >>> describe_metrics({"roc_auc": 0.988, "low": 0.981, "high": 0.994}), describe_metrics({})
    ('0,988 (0,981 sampai 0,994)', '–')
    """
    text = format_number(metrics.get("roc_auc"))
    if {"roc_auc", "low", "high"} <= set(metrics):
        text += f" ({format_number(metrics['low'])} sampai {format_number(metrics['high'])})"
    return text


def _gold_metrics(metadata: Mapping[str, Mapping[str, Any]], version: str) -> dict[str, float]:
    measured = measured_on_gold(metadata.get(version, {}))
    if measured:
        return measured
    # A model of `make run` is measured when it is retrained.
    successors = (other for other in metadata.values() if other.get("previous") == version)
    columns = (_column(_mapping(other.get("comparison")), "old") for other in successors)
    return next(filter(None, columns), {})


def _all_metadata(outputs: str | Path, name: str) -> dict[str, dict[str, Any]]:
    metadata = {}
    for version in list_versions(outputs, name):
        try:
            metadata[version] = read_metadata(versions_home(outputs, name) / version)
        except ModelError:  # `verify` reports it.
            metadata[version] = {}
    return metadata


def _paired(
    metadata: Mapping[str, Mapping[str, Any]], version: str | None, previous: str | None
) -> Mapping[str, Any]:
    """Return the stored comparison of a version with the one it was retrained from."""
    found = metadata.get(version or "", {})
    return _mapping(found.get("comparison")) if found.get("previous") == previous else {}


def _column(comparison: Mapping[str, Any], key: str) -> dict[str, float]:
    return _numbers({metric: _mapping(row).get(key) for metric, row in comparison.items()})


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the entries that are numbers: anybody can edit metadata."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
