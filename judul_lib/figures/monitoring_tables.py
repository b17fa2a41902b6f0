"""The measures of the log as tables that people read: Indonesian columns, models by their titles."""

from collections.abc import Mapping, Sequence

import pandas as pd

from judul_lib.core.formatting import number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.training.drift import ModelBaseline
from judul_lib.usage.ab_testing import Comparison
from judul_lib.usage.alerts import INCIDENT_LEVELS
from judul_lib.usage.frames import Usage
from judul_lib.usage.monitoring import (
    DRIFT_DAYS,
    MEASURED,
    agreement,
    availability,
    correlations,
    drift_on,
)

# What three decimals can tell.
_LEAST_P = 0.001
_OPINIONS = {"is_right": "simpulan dinilai tepat", "rating": "nilai 1 sampai 5"}


def baseline_table(baselines: Mapping[str, ModelBaseline]) -> pd.DataFrame:
    """Return how each model answers on its own corpus, one row a model."""
    rows = {
        MODEL_TITLES[name]: {
            "judul": known.probability.n,
            "rata-rata peluang": known.probability.mean,
            "simpangan baku": known.probability.deviation,
            "bagian di atas 0,8": known.probability.share_high,
            "kata tak dikenal": known.unknown.mean,
        }
        for name, known in baselines.items()
    }
    return pd.DataFrame(rows).T.astype({"judul": int})


def availability_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.availability` to be read."""
    names = {"loaded": "berhasil dimuat", "failed": "gagal", "share": "bagian yang berhasil"}
    return availability(usage).rename(index=MODEL_TITLES, columns=names)


def agreement_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.agreement` to be read."""
    names = {
        "one": "model", "other": "model lain", "n": "judul", "same_side": "sependapat",
        "difference": "selisih rata-rata",
    }  # fmt: skip
    return agreement(usage).replace({"one": MODEL_TITLES, "other": MODEL_TITLES}).rename(columns=names)


def correlation_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.correlations` to be read."""
    names = {"query_length": "panjang", "query_words": "kata", **MODEL_TITLES}
    return correlations(usage).rename(index=names, columns=names)


def drift_rows(drifts: pd.DataFrame) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.drift_table` to be read."""
    names = {
        "measured": "ukuran", "mean_shift": "pergeseran rata-rata", "psi": "PSI", "ks": "KS",
        "p_value": "p", "drift": "bergeser",
    }  # fmt: skip
    shown = drifts.replace({"model": MODEL_TITLES, "measured": MEASURED}).rename(columns=names)
    return shown.assign(p=[f"< {number(_LEAST_P)}" if p < _LEAST_P else number(p) for p in shown["p"]])


def daily_shifts(
    usage: Usage, baselines: Mapping[str, ModelBaseline]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return by how much the mean probability moved, and from where on that is drift.

    Returns
    -------
    shifts : DataFrame
        Index: day; one column a model's title.
    bounds : dict of str to float
        Of the last day.
    """
    days = usage.predictions["day"]
    shifts: dict[str, dict[pd.Timestamp, float]] = {}
    bounds: dict[str, float] = {}
    for name, known in baselines.items():
        for day in pd.date_range(days.min() + pd.Timedelta(days=DRIFT_DAYS), days.max()):
            drift = drift_on(usage, name, known, day)["probability"]
            if drift is not None:
                shifts.setdefault(MODEL_TITLES[name], {})[day] = drift.mean_shift
                bounds[MODEL_TITLES[name]] = drift.least_shift
    return pd.DataFrame(shifts).sort_index(), bounds


def level_table() -> pd.DataFrame:
    """Return the levels of incident, and how soon somebody has to look."""
    rows = {
        level: {"artinya": known.meaning, "ditanggapi dalam": known.within}
        for level, known in INCIDENT_LEVELS.items()
    }
    return pd.DataFrame(rows).T


def opinion_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    """Return two models compared on users, one row a measure."""
    rows = {
        _OPINIONS[c.measure]: {
            MODEL_TITLES[c.one]: c.mean_one,
            MODEL_TITLES[c.other]: c.mean_other,
            "pengguna": f"{c.n_one} dan {c.n_other}",
            "selang selisih": f"{number(c.low)} sampai {number(c.high)}",
            "p": c.p_value,
        }
        for c in compared
    }
    return pd.DataFrame(rows).T
