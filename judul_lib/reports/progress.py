"""How much of a run is done, and how long the rest takes."""

import json
from collections.abc import Mapping
from pathlib import Path

_TRUSTED_SECONDS = 20.0
"""How many seconds of work tell as much about the machine's speed as the usual durations do."""


class RunEstimate:
    """Estimate of a run's progress from the usual durations of its notebooks and the time so far.

    Parameters
    ----------
    usual_seconds : mapping of str to float
        Durations by notebook, in order.

    Examples
    --------
    >>> estimate = RunEstimate({"01_preprocessing": 10, "02_labeling": 30})
    >>> estimate.seconds_left(4.0)
    36.0
    >>> estimate.finish("01_preprocessing", None)
    >>> estimate.share_done(0.5), estimate.seconds_left(0.0)
    (0.625, 30.0)
    """

    def __init__(self, usual_seconds: Mapping[str, float]) -> None:
        self._left = dict(usual_seconds)
        self._total = sum(usual_seconds.values())
        self._spent = self._expected = _TRUSTED_SECONDS

    def finish(self, notebook: str, seconds: float | None) -> None:
        """Note that a notebook is done.

        Parameters
        ----------
        seconds : float or None
            What it took; None if it did not have to run.
        """
        usual = self._left.pop(notebook)
        if seconds is not None:
            self._spent += seconds
            self._expected += usual

    def share_done(self, share_of_notebook: float = 0.0) -> float:
        """Return which part of the run is done, when this part of the present notebook is."""
        present = next(iter(self._left.values()), 0.0)
        left = sum(self._left.values()) - present * share_of_notebook
        return 1 - left / self._total

    def seconds_left(self, seconds_in_notebook: float = 0.0) -> float:
        """Return the seconds left, when the present notebook has been running for this long."""
        present = next(iter(self._left.values()), 0.0)
        speed = self._spent / self._expected
        later = speed * (sum(self._left.values()) - present)
        return later + max(speed * present - seconds_in_notebook, 0.0)


def measured_seconds(executed: Path) -> float | None:
    """Return how long a notebook took, from its executed copy; None where that does not say."""
    try:
        seconds = json.loads(executed.read_bytes())["metadata"]["papermill"]["duration"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return seconds if isinstance(seconds, int | float) and seconds > 0 else None
