"""Alerts: what in the log needs attention, how urgently, since when, and what to do."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd

from judul_lib.core.settings import MODEL_TITLES
from judul_lib.training.drift import MEAN_SHIFT_BOUND, ModelBaseline
from judul_lib.usage.frames import Usage, local_day
from judul_lib.usage.monitoring import DRIFT_DAYS, MEASURED, SLOW_SECONDS, DriftByDay, drift_by_day

ALERT_COLUMNS = ("tingkat", "jenis", "apa", "sejak", "nilai", "batas", "tanggapan", "tindakan")


@dataclass(frozen=True)
class Level:
    """A level of incident, with the deadline for a response (the study's)."""

    meaning: str
    response_deadline: str


INCIDENT_LEVELS: Mapping[str, Level] = MappingProxyType(
    {
        "P1": Level("model tidak dapat dimuat, atau tidak ada jawaban sama sekali", "15 menit"),
        "P2": Level(
            "ketepatan turun lebih dari 10 poin persen, data bergeser dari garis dasar, atau disk atau "
            "memori hampir habis",
            "1 jam",
        ),
        "P3": Level(
            f"jawaban lebih lama dari {SLOW_SECONDS} detik, atau hal lain yang perlu dilihat", "4 jam"
        ),
    }
)


@dataclass(frozen=True)
class Alert:
    """A kind of alert: one of `INCIDENT_LEVELS`, and the first thing to do."""

    level: str
    first_action: str


FAILED, NO_ANSWERS, SLOW, DRIFT = "model-gagal", "tanpa-jawaban", "lambat", "bergeser"
ERRORS, NO_RESULTS, FUTURE_ROWS, ACCURACY = "galat", "tanpa-hasil", "jam", "ketepatan-turun"
DISK, MEMORY, LOG_SIZE = "disk-penuh", "memori-penuh", "log-besar"
ALERTS: Mapping[str, Alert] = MappingProxyType(
    {
        FAILED: Alert(
            "P1",
            "Periksa foldernya dengan `judul models verify`; pulihkan dari cadangan, atau buat lagi "
            "dengan `make run`.",
        ),
        NO_ANSWERS: Alert(
            "P1",
            "Buka halaman dan periksa satu judul; mulai ulang layanan, lalu lihat jenis galatnya "
            "dengan `judul monitor`.",
        ),
        ACCURACY: Alert(
            "P2",
            "Lihat apakah judul yang masuk bergeser dan apakah berkas model utuh (`judul models "
            "verify`); bila perlu latih lagi dengan `judul retrain`.",
        ),
        DRIFT: Alert(
            "P2",
            "Lihat judul yang masuk belakangan ini. Bila memang topiknya berubah, perbarui arsip "
            "dan latih model lagi; bila tidak, cari sebabnya di data masukan.",
        ),
        SLOW: Alert(
            "P3",
            "Periksa beban mesin dan ukuran arsip; untuk arsip besar pakai `judul index build`.",
        ),
        ERRORS: Alert("P3", "Lihat jenis galat yang paling sering, lalu perbaiki sebabnya."),
        NO_RESULTS: Alert("P3", "Periksa apakah arsip yang dipakai halaman masih lengkap."),
        FUTURE_ROWS: Alert(
            "P3", "Periksa jam mesin (NTP). Baris itu tidak ikut dihitung sampai waktunya tiba."
        ),
        DISK: Alert(
            "P2", "Kosongkan disk: pindahkan cadangan lama, lalu jalankan `judul govern retention`."
        ),
        MEMORY: Alert(
            "P2", "Hentikan pekerjaan lain di mesin itu, atau kecilkan workers di `judul.toml`."
        ),
        LOG_SIZE: Alert("P3", "Hapus catatan lama dengan `judul govern retention`."),
    }
)
"""The kinds of alert; `judul_lib.governance.reviews.playbook` has all the steps."""

MAX_ERROR_SHARE, MAX_EMPTY_SHARE = 0.05, 0.2
"""Share of the checks that may end in an error, and of the answers that may be empty."""
MAX_ACCURACY_DROP = 0.1
"""Decrease, in percentage points / 100, of the share of verdicts that users find right (the study's)."""

# Answers below which a percentile or a share is not judged.
_MIN_ANSWERS_FOR_PERCENTILE, _MIN_ANSWERS_FOR_SHARE = 20, 100
# Window for urgent conditions: with yesterday, since a morning has few answers.
_RECENT_DAYS = 2
_MIN_ERRORS_WITHOUT_ANSWER = 3
# Earlier opinions with which those of the last `DRIFT_DAYS` are compared, and how many both need.
_EARLIER_DAYS, _MIN_OPINIONS = 28, 30
_NORMAL_QUANTILE = 1.96  # Two-sided, 95 %.
ValueAndBound = tuple[Any, Any]
Measured = tuple[str, str, Any, Any]
"""Kind of alert, what was measured, its value and its bound."""
Condition = Callable[[pd.Timestamp], ValueAndBound | None]
"""Takes a day; returns the measured value and its bound if the condition holds, else None."""


def find_alerts(
    usage: Usage,
    baselines: Mapping[str, ModelBaseline],
    now: datetime,
    by_day: DriftByDay | None = None,
    machine: Iterable[Measured] = (),
) -> pd.DataFrame:
    """Find all alerts.

    Parameters
    ----------
    usage : Usage
        With any future rows: they are an alert themselves.
    baselines : mapping of str to ModelBaseline
        By model.
    now : datetime
        In UTC.
    by_day : callable
        From `judul_lib.usage.monitoring.drift_by_day`, without future rows;
        computed by default.
    machine : iterable of Measured
        From `judul_lib.usage.infrastructure.exceeded_limits`.

    Returns
    -------
    DataFrame, shape (n, 8)
        Most urgent first; ``jenis`` is one of `ALERTS`. The condition has held
        on every day from ``sejak`` to today.
    """
    past, n_future = usage.prefer_real_rows().split_off_future(now)
    today = local_day(now)
    rows = [
        *_failed_loads(past),
        *_alert_rows(past, today, NO_ANSWERS, "Tidak ada jawaban, hanya galat", _silent(past)),
        *_alert_rows(past, today, SLOW, "Waktu jawab (p95, detik) terlalu lama", _slow(past)),
        *_drifts(past, baselines, by_day or drift_by_day(past, baselines), today),
        *_accuracy_drops(past, today),
        *_alert_rows(
            past, today, ERRORS, "Bagian pemeriksaan yang berakhir dengan galat", _errors(past)
        ),
        *_alert_rows(past, today, NO_RESULTS, "Bagian jawaban tanpa hasil", _empty(past)),
    ]
    if n_future:
        rows.append(_row(FUTURE_ROWS, "Baris log bertanggal di masa depan", today, (n_future, 0)))
    rows += [_row(kind, what, today, (value, bound)) for kind, what, value, bound in machine]
    frame = pd.DataFrame(rows, columns=list(ALERT_COLUMNS)).astype({"nilai": object, "batas": object})
    return frame.sort_values("tingkat", kind="stable", ignore_index=True)


def _row(kind: str, what: str, since: pd.Timestamp, value_and_bound: ValueAndBound) -> tuple[Any, ...]:
    alert = ALERTS[kind]
    deadline = INCIDENT_LEVELS[alert.level].response_deadline
    return alert.level, kind, what, since.date(), *value_and_bound, deadline, alert.first_action


def find_condition_start(
    condition: Condition, today: pd.Timestamp, first: pd.Timestamp
) -> tuple[pd.Timestamp, ValueAndBound] | None:
    """Return the day since which a condition has held without a break, and its result for today.

    None where it does not hold today. Days before `first` are not tested.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-02", "2026-01-03"])
    >>> slow = lambda day: "slow" if day in days else None
    >>> since, _ = find_condition_start(slow, days[1], pd.Timestamp(2026, 1, 1))
    >>> since.date().isoformat()
    '2026-01-02'
    """
    now = condition(today)
    if now is None:
        return None
    since = today
    while since > first and condition(since - pd.Timedelta(days=1)) is not None:
        since -= pd.Timedelta(days=1)
    return since, now


def _alert_rows(
    usage: Usage, today: pd.Timestamp, kind: str, what: str, condition: Condition
) -> Iterator[tuple[Any, ...]]:
    days = [frame["day"].min() for frame in usage.tables.values() if len(frame)]
    start = find_condition_start(condition, today, min(days)) if days else None
    if start is not None:
        yield _row(kind, what, *start)


def _recent(frame: pd.DataFrame, day: pd.Timestamp, days: int) -> pd.DataFrame:
    return frame[frame["day"].between(day - pd.Timedelta(days=days - 1), day)]


def _failed_loads(usage: Usage) -> Iterator[tuple[Any, ...]]:
    loads = usage.events[usage.events["kind"].isin(["model_loaded", "model_failed"])]
    for model, events in loads.groupby("model"):
        failed = (events["kind"] == "model_failed").to_numpy()
        n_last = len(failed) if failed.all() else int(failed[::-1].argmin())
        if n_last:
            since = events["day"].iloc[-n_last]
            yield _row(FAILED, f"{_title(model)} tidak dapat dimuat", since, (n_last, 0))


def _silent(usage: Usage) -> Condition:
    errors = usage.events[usage.events["kind"] == "error"]

    def condition(day: pd.Timestamp) -> ValueAndBound | None:
        n_errors = len(_recent(errors, day, _RECENT_DAYS))
        has_answers = not _recent(usage.predictions, day, _RECENT_DAYS).empty
        return (n_errors, 0) if n_errors >= _MIN_ERRORS_WITHOUT_ANSWER and not has_answers else None

    return condition


def _slow(usage: Usage) -> Condition:
    def condition(day: pd.Timestamp) -> ValueAndBound | None:
        seconds = _recent(usage.predictions, day, _RECENT_DAYS)["seconds"]
        p95 = float(seconds.quantile(0.95)) if len(seconds) >= _MIN_ANSWERS_FOR_PERCENTILE else 0.0
        return (p95, SLOW_SECONDS) if p95 > SLOW_SECONDS else None

    return condition


def _errors(usage: Usage) -> Condition:
    errors = usage.events[usage.events["kind"] == "error"]

    def condition(day: pd.Timestamp) -> ValueAndBound | None:
        n_errors = len(_recent(errors, day, DRIFT_DAYS))
        n_checks = n_errors + len(_recent(usage.predictions, day, DRIFT_DAYS))
        return _share_above_bound(n_errors, n_checks, MAX_ERROR_SHARE)

    return condition


def _empty(usage: Usage) -> Condition:
    def condition(day: pd.Timestamp) -> ValueAndBound | None:
        asked = _recent(usage.predictions, day, DRIFT_DAYS)
        return _share_above_bound(int((asked["n_results"] == 0).sum()), len(asked), MAX_EMPTY_SHARE)

    return condition


def _share_above_bound(count: int, n: int, bound: float) -> ValueAndBound | None:
    return (count / n, bound) if n >= _MIN_ANSWERS_FOR_SHARE and count / n > bound else None


def _accuracy_drops(usage: Usage, today: pd.Timestamp) -> Iterator[tuple[Any, ...]]:
    opinions = usage.feedback[usage.feedback["is_right"].notna()]
    for model, answered in opinions.groupby("model"):
        what = f"Bagian simpulan {_title(model)} yang dinilai tepat turun"
        yield from _alert_rows(usage, today, ACCURACY, what, partial(_less_accurate, answered))


def _less_accurate(opinions: pd.DataFrame, day: pd.Timestamp) -> ValueAndBound | None:
    """Compare the last days with the weeks before; a decrease must also exceed chance."""
    start = day - pd.Timedelta(days=DRIFT_DAYS)
    windows = _recent(opinions, day, DRIFT_DAYS), _recent(opinions, start, _EARLIER_DAYS)
    n_recent, n_earlier = map(len, windows)
    if min(n_recent, n_earlier) < _MIN_OPINIONS:
        return None
    recent, earlier = (float(window["is_right"].astype(float).mean()) for window in windows)
    variance = recent * (1 - recent) / n_recent + earlier * (1 - earlier) / n_earlier
    drop = earlier - recent
    is_drop = drop > max(MAX_ACCURACY_DROP, _NORMAL_QUANTILE * variance**0.5)
    return (recent, earlier - MAX_ACCURACY_DROP) if is_drop else None


def _drifts(
    usage: Usage, models: Iterable[str], by_day: DriftByDay, today: pd.Timestamp
) -> Iterator[tuple[Any, ...]]:
    for model in models:
        for name, measured in MEASURED.items():
            exceeded = ", ".join(_exceeded(by_day, model, name, today))
            what = f"{measured.capitalize()} {_title(model)} bergeser ({exceeded})"
            condition = partial(_first_exceeded, by_day, model, name)
            yield from _alert_rows(usage, today, DRIFT, what, condition)


def _exceeded(by_day: DriftByDay, model: str, name: str, day: pd.Timestamp) -> dict[str, ValueAndBound]:
    drift = by_day(model, day)[name]
    if drift is None:
        return {}
    exceeded: dict[str, ValueAndBound] = dict(drift.exceeded)
    if name == "probability" and drift.exceeds_study_bound:
        exceeded.setdefault("pergeseran rata-rata", (drift.mean_shift, MEAN_SHIFT_BOUND))
    return exceeded


def _first_exceeded(
    by_day: DriftByDay, model: str, name: str, day: pd.Timestamp
) -> ValueAndBound | None:
    return next(iter(_exceeded(by_day, model, name, day).values()), None)


def _title(model: Any) -> str:
    return MODEL_TITLES.get(str(model), f"model {model}")
