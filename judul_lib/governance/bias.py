"""The stored result of `judul govern fairness`: error rates by group, of which model and when."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from judul_lib.checking.registry import read_metadata, version_of
from judul_lib.core.clock import utc_now
from judul_lib.core.errors import LogError
from judul_lib.core.storage import write_bytes

if TYPE_CHECKING:
    import pandas as pd

FAIRNESS_FILE = "fairness.json"


@dataclass(frozen=True)
class FairnessRecord:
    """When error rates by group were measured, in UTC, of which version, and of how many groups."""

    time: datetime
    model: str
    version: str
    n_groups: int


def save_error_rates(models: Path, folder: Path, rates: "Mapping[str, pd.DataFrame]") -> Path:
    """Store the error rates of a model by group; return the path of the file.

    Parameters
    ----------
    models : path
        Folder of the models.
    folder : path
        Of the measured model.
    rates : mapping of str to DataFrame
        By grouping, as from `judul_lib.evaluation.fairness.error_rates`.
    """
    metadata = read_metadata(folder)
    content = {
        "time": utc_now().isoformat(timespec="seconds"),
        "model": metadata["name"],
        "version": version_of(metadata),
        "rates": {
            grouping: json.loads(frame.to_json(orient="index", force_ascii=False))
            for grouping, frame in rates.items()
        },
    }
    path = models / FAIRNESS_FILE
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def read_error_rates(models: Path) -> FairnessRecord | None:
    """Return what is stored, or None if error rates were never measured.

    Raises
    ------
    LogError
        The file is damaged.
    """
    path = models / FAIRNESS_FILE
    try:
        content = json.loads(path.read_bytes())
        time = datetime.fromisoformat(content["time"])
        if time.tzinfo is not None:
            raise ValueError(time)
        n_groups = sum(len(set(groups) - {"semua"}) for groups in content["rates"].values())
        return FairnessRecord(time, str(content["model"]), str(content["version"]), n_groups)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LogError(f"{path} rusak. Buat lagi dengan `judul govern fairness`.") from error
