"""The study beside this project, number by number.

``data/study.json`` holds the rows: what the study's document says, what its public code gives, and
what a run on the study's own titles measured here. Those titles may not be published, so
``scripts/study_table.py`` writes the measured numbers where they are at hand.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pandas as pd

from judul_lib.checking.checker import TitleChecker
from judul_lib.checking.matches import STUDY_COLUMNS
from judul_lib.checking.registry import ESTIMATOR_FILES, Model, load_models
from judul_lib.core.formatting import format_number, format_setting
from judul_lib.core.settings import DECISION_THRESHOLD, PROFILES, LabelingSettings, Profile
from judul_lib.governance.compliance import KEPT_DAYS
from judul_lib.governance.promotions import next_month
from judul_lib.training.drift import MEAN_SHIFT_BOUND, top_probabilities
from judul_lib.usage.alerts import INCIDENT_LEVELS

SOURCE_COLUMNS = {
    "document": "dokumen studi",
    "code": "kode studi",
    "variant": "kode studi, nilai dokumen",
}
"""What each row quotes: the document, the public code as published, and that code with the
document's thresholds and unlimited vocabulary."""

OWN_COLUMNS = {"studi": "di sini, profil studi", "bawaan": "di sini, bawaan"}
"""What was measured here on the study's titles, by run profile."""

_N_QUERIES = 20
_DEPLOYED = date(2025, 12, 14)  # The example of the study's document.


def measure_run(outputs: str | Path, settings: LabelingSettings) -> dict[str, str]:
    """Return what a run gave, by key of the study table, formatted for readers.

    Parameters
    ----------
    outputs : path
        Folder that notebooks 01 to 05 wrote to.
    settings : LabelingSettings
        Those of the run.

    Raises
    ------
    ModelError
        A model is missing or damaged.
    """
    models, _ = load_models(outputs)
    values = {"titles": format_number(len(models["full"].titles))}
    for name, profile in PROFILES.items():
        labels = pd.read_csv(Path(outputs) / f"pairs_{name}.csv")["label"]
        measured = _measure_model(models[name], profile)
        measured["thresholds"] = (
            f"{format_number(settings.similar_min, 2)} / {format_number(settings.different_max, 2)}"
        )
        measured["pairs"] = f"{format_number(len(labels))} ({format_number(int(labels.sum()))} mirip)"
        values |= {f"{key}_{name}": value for key, value in measured.items()}
    return values


def _measure_model(model: Model, profile: Profile) -> dict[str, str]:
    checker = TitleChecker.from_model(model)
    called = int((top_probabilities(checker) >= DECISION_THRESHOLD).sum())
    return {
        **_recorded_values(model.metadata, profile),
        "query": f"{format_number(_seconds_per_query(checker), 3)} s",
        "own": format_number(called),
    }


def _recorded_values(metadata: Mapping[str, Any], profile: Profile) -> dict[str, str]:
    """Return what the metadata of a model record, by key of the study table without the model."""
    pairs, metrics = metadata["pairs"], metadata["metrics"]
    best = metadata["hyperparameters"]
    size = sum(metadata["sizes"][name] for name in ESTIMATOR_FILES)
    return {
        "terms": format_number(metadata["n_terms"]),
        "split": f"{format_number(pairs['train'])} / {format_number(pairs['test'])}",
        "similar": format_number(pairs["test_similar"]),
        "grid": " / ".join(format_setting(values) for values in profile.grid.values()),
        "folds": format_number(metadata["folds"]),
        "best": " / ".join(format_setting(best[name]) for name in profile.grid),
        "accuracy": format_number(metrics["accuracy"], 3),
        "f1": format_number(metrics["f1_weighted"], 3),
        "auc": format_number(metrics["roc_auc"], 3),
        "size": f"{format_number(size / 1024, 1)} KB",
    }


def compare_training(study: pd.DataFrame, metadata: Mapping[str, Any], profile: Profile) -> pd.DataFrame:
    """Return what training one of the study's models gave, beside the study.

    Parameters
    ----------
    study : DataFrame
        As of `read_study_table`.
    metadata : mapping
        Of the trained model.
    profile : Profile
        The model's.

    Returns
    -------
    DataFrame
        One row a number: ``bagian`` (its name), ``run ini``, and the document's and the code's value.
    """
    values = _recorded_values(metadata, profile)
    rows = study.loc[[f"{key}_{profile.name}" for key in values]]
    return pd.DataFrame(
        {
            "bagian": rows["bagian"].str.removesuffix(f", {profile.title.lower()}"),
            "run ini": list(values.values()),
            **rows[[SOURCE_COLUMNS["document"], SOURCE_COLUMNS["variant"]]],
        }
    )


def _seconds_per_query(checker: TitleChecker) -> float:
    seconds = []
    for title in checker.titles[:_N_QUERIES]:
        start = perf_counter()
        checker.check(title)
        seconds.append(perf_counter() - start)
    return median(seconds)


def read_study_table(path: str | Path, live: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read the table of the study beside this project.

    Parameters
    ----------
    path : path
        ``data/study.json``.
    live : mapping of str to str
        Our values by key that are not measured by a run, such as `rule_values`.

    Returns
    -------
    DataFrame
        One row a number or rule, by key: ``bagian`` (its name), the columns of
        `SOURCE_COLUMNS` and `OWN_COLUMNS`, and ``catatan`` (why we differ).
    """
    rows: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))
    frame = pd.DataFrame(rows).set_index("key")
    for key, value in (live or {}).items():
        frame.loc[key, list(OWN_COLUMNS)] = value
    columns = {"name": "bagian", **SOURCE_COLUMNS, **OWN_COLUMNS, "note": "catatan"}
    return frame.reindex(columns=list(columns)).rename(columns=columns).fillna("–")


def rule_values() -> dict[str, str]:
    """Return our rules by key of the study table, as they stand in the code."""
    return {
        "columns": ", ".join(STUDY_COLUMNS),
        "review": f"{_DEPLOYED} → {next_month(_DEPLOYED)}",
        "drift": f"rata-rata peluang bergeser lebih dari {format_number(MEAN_SHIFT_BOUND, 1)} dari "
        "jawaban pada arsip sendiri; juga sebarannya (PSI, Kolmogorov–Smirnov)",
        "agreement": "judul teratas sama; juga sisi ambang yang sama",
        "retention": f"{KEPT_DAYS} hari",
        "levels": " / ".join(level.response_deadline for level in INCIDENT_LEVELS.values()),
    }


def compare_with_code(study: pd.DataFrame) -> pd.Series:
    """Return whether the profile ``studi`` gave what the study's code gives with the document's values.

    Times are left out, and rows that the code has no value for.

    Returns
    -------
    Series of bool, by key
    """
    ours, theirs = study[OWN_COLUMNS["studi"]], study[SOURCE_COLUMNS["variant"]]
    compared = (ours != "–") & (theirs != "–") & ~study.index.str.startswith("query")
    return (ours == theirs)[compared]


def render_markdown(study: pd.DataFrame) -> str:
    """Render the table, and the notes below it, in Markdown.

    Examples
    --------
    >>> frame = pd.DataFrame({"bagian": ["judul"], "dokumen studi": ["123"], "catatan": ["Semua."]})
    >>> print(render_markdown(frame))
    | bagian | dokumen studi |
    |---|---|
    | judul | 123 |
    <BLANKLINE>
    - **judul**: Semua.
    """
    numbers = study.drop(columns="catatan")
    rows = [list(numbers.columns), ["---"] * numbers.shape[1], *numbers.to_numpy().tolist()]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines[1] = lines[1].replace(" ", "")
    noted = study[study["catatan"] != ""]
    notes = [
        f"- **{name}**: {note}" for name, note in zip(noted["bagian"], noted["catatan"], strict=True)
    ]
    return "\n".join([*lines, "", *notes])
