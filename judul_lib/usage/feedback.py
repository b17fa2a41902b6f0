"""What users say of a verdict."""

from dataclasses import dataclass, field


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
    title, match : str
        The title asked and the one that decides; how much of them is kept is
        the log's to say.
    """

    model: str
    label: str
    probability: float
    threshold: float
    is_right: bool | None = None
    rating: int | None = None
    title: str = field(default="", repr=False)
    match: str = field(default="", repr=False)
