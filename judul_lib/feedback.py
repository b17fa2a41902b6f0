"""What users say of a verdict: one function takes every answer."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FEEDBACK_FILE = "feedback.jsonl"


@dataclass(frozen=True)
class Feedback:
    """One answer of a user.

    Attributes
    ----------
    model : str
        Name of the model whose verdict was shown.
    label : str
        The verdict.
    probability : float
        Of the closest title.
    threshold : float
    is_right : bool or None
        Whether the user finds the verdict right, where that was asked.
    rating : int or None
        1 to 5, where that was asked.
    """

    model: str
    label: str
    probability: float
    threshold: float
    is_right: bool | None = None
    rating: int | None = None


def record_feedback(feedback: Feedback, folder: Path) -> None:
    """Append an answer to ``feedback.jsonl``; neither the title nor who gave it is kept.

    Parameters
    ----------
    folder : path
        Made if it is not there.

    Raises
    ------
    OSError
        No permission, disk full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(feedback)}
    line = json.dumps(entry, ensure_ascii=False) + "\n"
    # One short write to a file opened for appending: lines of several processes do not mix.
    with (folder / FEEDBACK_FILE).open("ab", buffering=0) as stream:
        stream.write(line.encode("utf-8"))
