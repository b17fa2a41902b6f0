"""Tables of the monitoring, with displayed names; they need no Plotly."""

from collections.abc import Mapping, Sequence

import pandas as pd

from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.training.drift import ModelBaseline
from judul_lib.usage.ab_testing import Comparison
from judul_lib.usage.alerts import INCIDENT_LEVELS
from judul_lib.usage.frames import Usage
from judul_lib.usage.monitoring import (
    MEASURED,
    availability,
    correlations,
    model_agreement,
)

# Smaller values are shown as a bound, as tables have three decimals.
_MIN_SHOWN_P = 0.001

_OPINIONS = {"is_right": "simpulan dinilai tepat", "rating": "nilai 1 sampai 5"}


def baseline_table(baselines: Mapping[str, ModelBaseline]) -> pd.DataFrame:
    """Return the baseline of each model (rows)."""
    rows = {
        MODEL_TITLES[name]: {
            "judul": baseline.probability.n,
            "rata-rata peluang": baseline.probability.mean,
            "simpangan baku": baseline.probability.deviation,
            "bagian di atas 0,8": baseline.probability.share_high,
            "kata tak dikenal": baseline.unknown.mean,
        }
        for name, baseline in baselines.items()
    }
    return pd.DataFrame(rows).T.astype({"judul": int})


def availability_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.availability` with displayed names."""
    names = {"loaded": "berhasil dimuat", "failed": "gagal", "share": "bagian yang berhasil"}
    return availability(usage).rename(index=MODEL_TITLES, columns=names)


def agreement_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.model_agreement` with displayed names."""
    names = {
        "one": "model", "other": "model lain", "n": "judul", "same_match": "judul terdekat sama",
        "same_side": "sependapat", "difference": "selisih rata-rata",
    }  # fmt: skip
    return (
        model_agreement(usage)
        .replace({"one": MODEL_TITLES, "other": MODEL_TITLES})
        .rename(columns=names)
    )


def correlation_table(usage: Usage) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.correlations` with displayed names."""
    names = {"query_length": "panjang", "query_words": "kata", **MODEL_TITLES}
    return correlations(usage).rename(index=names, columns=names)


def drift_rows(drifts: pd.DataFrame) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.drift_table` with displayed names and values."""
    names = {
        "measured": "ukuran", "mean_shift": "pergeseran rata-rata", "psi": "PSI", "ks": "KS",
        "p_value": "p", "drift": "bergeser",
    }  # fmt: skip
    shown = drifts.replace({"model": MODEL_TITLES, "measured": MEASURED}).rename(columns=names)
    bound = f"< {format_number(_MIN_SHOWN_P)}"
    return shown.assign(p=[bound if p < _MIN_SHOWN_P else format_number(p) for p in shown["p"]])


def study_drift_rows(drifts: pd.DataFrame) -> pd.DataFrame:
    """Return `judul_lib.usage.monitoring.study_drift_table` with displayed names and values."""
    names = {
        "measure": "ukuran", "now": "sekarang", "baseline": "garis dasar", "change": "selisih",
        "n": "judul", "drift": "bergeser",
    }  # fmt: skip
    measures = {"mean": "rata-rata", "deviation": "simpangan baku", "share_high": "bagian di atas 0,8"}
    shown = drifts.replace({"model": MODEL_TITLES, "measure": measures})
    too_few = (drifts["measure"] == "mean") & drifts["drift"].isna()
    verdicts = drifts["drift"].map({True: "ya", False: "tidak"}).fillna("")
    return shown.assign(drift=verdicts.mask(too_few, "terlalu sedikit")).rename(columns=names)


def level_table() -> pd.DataFrame:
    """Return the levels of incidents with their response times."""
    rows = {
        level: {"artinya": info.meaning, "ditanggapi dalam": info.response_deadline}
        for level, info in INCIDENT_LEVELS.items()
    }
    return pd.DataFrame(rows).T


def opinion_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    """Return comparisons of two models by users' feedback, one row per measure."""
    rows = {
        _OPINIONS[c.measure]: {
            MODEL_TITLES[c.one]: c.mean_one,
            MODEL_TITLES[c.other]: c.mean_other,
            "pengguna": f"{c.n_one} dan {c.n_other}",
            "selang selisih": f"{format_number(c.low)} sampai {format_number(c.high)}",
            "p": c.p_value,
        }
        for c in compared
    }
    return pd.DataFrame(rows).T
