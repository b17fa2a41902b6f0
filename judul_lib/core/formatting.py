"""Format numbers, dates, names and control characters for Indonesian readers."""

from collections.abc import Mapping
from datetime import date
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

from judul_lib.core.settings import FEATURE_TITLES

_MARKS = str.maketrans({",": ".", ".": ",", "-": "−"})


def format_number(value: Any, decimals: int = 3) -> str:
    """Format a number with a decimal comma and points between thousands, or a date; a dash if missing.

    Examples
    --------
    >>> format_number(12345), format_number(-0.5), format_number(float("nan")), format_number("LSTM")
    ('12.345', '−0,500', '–', 'LSTM')
    """
    if value is None or (isinstance(value, Real) and value != value):
        return "–"
    if isinstance(value, date):
        return f"{value:%d-%m-%Y}" if value == value else "–"
    if type(value).__name__ == "bool":  # Of Python or NumPy.
        return "ya" if value else "tidak"
    if isinstance(value, Integral):
        return f"{int(value):,}".translate(_MARKS)
    if isinstance(value, Real):
        text = f"{float(value):,.{decimals}f}"
        is_zero = not text.strip("-0.,")
        return (text.lstrip("-") if is_zero else text).translate(_MARKS)
    return str(value)


def distinguishing_decimals(value: float, limit: float, min_decimals: int = 2) -> int:
    """Return how many decimals show on which side of a limit a value is.

    Examples
    --------
    >>> [distinguishing_decimals(p, 0.5) for p in (0.496, 0.504, 0.49996)]
    [3, 2, 5]
    """
    for n in range(min_decimals, 17):
        if (round(value, n) >= round(limit, n)) == (value >= limit):
            return n
    return 17


LABEL_BY_NAME: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "akurasi", "f1_weighted": "F1 berbobot", "f1": "F1", "precision": "presisi",
        "support": "pasangan", "roc_auc": "ROC AUC", "roc_auc_hard": "ROC AUC (sulit)",
        "average_precision": "presisi rata-rata", "threshold": "ambang", "brier": "skor Brier",
        "paraphrase_recall": "recall parafrase", "milliseconds": "milidetik", "kilobytes": "kilobyte",
        **FEATURE_TITLES,
        "rf_probability": "peluang mirip", "rf_label": "simpulan", "judul_ref": "judul dalam arsip",
        "judul_a": "judul A", "judul_b": "judul B", "kind": "jenis",
        "singkatan_inggris": "singkatan/Inggris", "tempat_lain": "tempat lain",
        "sulit_negatif_metode": "tampak sama: metode", "sulit_negatif_objek": "tampak sama: objek",
        "salah_ketik": "salah ketik", "katalog_sama": "sama, dengan imbuhan katalog",
        "tempat_ditambah": "tempat ditambah", "platform_ditambah": "platform ditambah",
        "metode_ditambah": "metode ditambah", "urutan_klausa": "urutan klausa lain",
        "sinonim_ahli": "sinonim ahli", "sinonim_sehari": "sinonim sehari-hari",
        "ubah_kata": "kata-kata lain", "bahasa_lain": "bahasa lain", "pembuka_lain": "pembuka lain",
        "tempat_lain_baru": "tempat lain (baru)", "arah_dibalik": "sebab dan akibat bertukar",
        "versi_lain": "versi lain", "lawan_pembanding": "perbandingan dengan yang lain",
        "variabel_lain": "variabel lain", "luaran_lain": "luaran lain",
        "objek_saudara": "objek bersaudara", "metode_saudara": "metode bersaudara",
        "bagian_lain": "bagian lain dari satu produk", "kota_sama": "kota sama, studi lain",
        "templat_sama": "templat sama, fungsi lain",
        "katalog_beda": "studi lain, imbuhan katalog sama",
        "n_estimators": "banyak pohon (n_estimators)", "max_depth": "kedalaman (max_depth)",
        "min_samples_split": "isi cabang (min_samples_split)",
        "min_samples_leaf": "isi daun (min_samples_leaf)",
        "predictions": "pemeriksaan", "scores": "skor", "feedback": "pendapat", "events": "kejadian",
        "spool": "yang menunggu di berkas", "app_log": "baris app.log",
        "copies": "salinan yang disisihkan",
        "audit": "baris jejak audit", "decisions": "keputusan", "users": "pengguna",
        "api_keys": "kunci antarmuka", "deciders": "nama di keputusan",
    }
)  # fmt: skip
"""Names of columns, measures, settings and tables for readers; files keep the original names."""


def format_label(name: object) -> str:
    """Return a name for readers; of names joined by a plus, each is translated.

    Examples
    --------
    >>> format_label("roc_auc"), format_label("cosine + jaccard"), format_label("ambang")
    ('ROC AUC', 'kosinus + Jaccard', 'ambang')
    """
    return " + ".join(LABEL_BY_NAME.get(part, part) for part in str(name).split(" + "))


def format_setting(value: Any) -> str:
    """Format a hyperparameter of a model.

    Examples
    --------
    >>> format_setting(None), format_setting(10.0), format_setting([100, 200])
    ('tanpa batas', '10', '100, 200')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(format_setting, value))
    if value is None or value != value:
        return "tanpa batas"
    is_whole = isinstance(value, float) and value.is_integer()
    return format_number(int(value) if is_whole else value)


def format_percent(share: float, decimals: int = 1) -> str:
    """Format a share as a percentage.

    Examples
    --------
    >>> format_percent(0.125)
    '12,5 %'
    """
    return f"{format_number(100 * share, decimals)} %"


def escape_control_characters(text: str) -> str:
    r"""Escape control characters, so that no text steers a terminal; any whitespace becomes a blank.

    Examples
    --------
    >>> escape_control_characters("Prediksi\x1b[2J Harga")
    'Prediksi\\x1b[2J Harga'
    >>> escape_control_characters("Daun\xa0Padi")
    'Daun Padi'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)
