"""The answers of the log as a table with the columns of the study's ``predictions.csv``."""

import pandas as pd

from judul_lib.usage.frames import Usage, local_times

EXPORT_COLUMNS = (
    "timestamp", "query", "full_model_top_prob", "light_model_top_prob", "probability_diff",
    "full_model_top_match", "light_model_top_match",
)  # fmt: skip


def prediction_rows(usage: Usage) -> pd.DataFrame:
    """Return one row per answered query.

    Returns
    -------
    DataFrame
        Columns `EXPORT_COLUMNS`: local time (WIB) without an offset, as in the study;
        the query and the closest title of each model as text where the log has it,
        else as keyed hash; top probabilities in [0, 1] and their absolute difference. What a
        model that did not answer would fill is missing.

    Examples
    --------
    >>> from judul_lib.usage.simulation import simulated_tables
    >>> usage = Usage.from_tables(simulated_tables(seed=0, end=pd.Timestamp(2026, 1, 9).date(), days=9))
    >>> rows = prediction_rows(usage)
    >>> len(rows) == len(usage.predictions)
    True
    """
    asked = usage.predictions.set_index("id")
    rows = pd.DataFrame(
        {
            "timestamp": local_times(asked["time"]).dt.strftime("%Y-%m-%d %H:%M:%S").to_numpy(),
            "query": asked["query_text"].fillna(asked["query_hash"]),
        },
        index=asked.index,
    )
    for model in ("full", "light"):
        found = usage.scores[usage.scores["model"] == model].set_index("prediction_id")
        rows[f"{model}_model_top_prob"] = found["probability"]
        rows[f"{model}_model_top_match"] = found["match_text"].fillna(found["match_hash"])
    difference = rows["full_model_top_prob"] - rows["light_model_top_prob"]
    return rows.assign(probability_diff=difference.abs())[list(EXPORT_COLUMNS)].reset_index(drop=True)
