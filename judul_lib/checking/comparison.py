"""The rankings that several models give to one archive, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import Matches
from judul_lib.core.array_types import FloatArray


@dataclass(frozen=True)
class RankingComparison:
    """Every title that at least one model ranks, by descending mean probability.

    Attributes
    ----------
    models : list of str, shape (n_models,)
        Names of the models.
    titles : list of str, shape (n,)
        Distinct titles of the archive.
    ranks : ndarray of int, shape (n, n_models)
        From 1; 0 if the title is not among those that the model ranks.
    probability : ndarray of float, shape (n, n_models)
        ``rf_probability`` in [0, 1], also of titles that the model does not rank.
    """

    models: list[str]
    titles: list[str]
    ranks: NDArray[np.int_]
    probability: FloatArray

    @property
    def mean_probability(self) -> FloatArray:
        """Mean of the models' probabilities of each title, shape (n,)."""
        return self.probability.mean(axis=1)

    @property
    def mean_of_ranked(self) -> FloatArray:
        """Mean probability of the titles that each model ranks, shape (n_models,); NaN without any."""
        is_ranked = self.ranks > 0
        n_ranked = is_ranked.sum(axis=0)
        sums = np.where(is_ranked, self.probability, 0.0).sum(axis=0)
        return np.divide(sums, n_ranked, out=np.full(len(sums), np.nan), where=n_ranked > 0)

    @property
    def has_same_first(self) -> bool:
        """Whether all models rank the same title first."""
        return bool((self.ranks == 1).all(axis=1).any())

    @property
    def n_shared(self) -> int:
        """Number of titles that all models rank."""
        return int((self.ranks > 0).all(axis=1).sum())


def compare_rankings(
    title: str, answers: Mapping[str, Matches], checkers: Mapping[str, Checker]
) -> RankingComparison:
    """Put the answers of several models to one title side by side.

    Parameters
    ----------
    title : str
        The checked title.
    answers : mapping of str to Matches
        Best matches by name of the model, from the same archive.
    checkers : mapping of str to Checker
        The models that gave them; they compare what only another model ranks.

    Returns
    -------
    RankingComparison

    Examples
    --------
    >>> from judul_lib import load_checker
    >>> archive = ["Deteksi Hoaks", "Prediksi Harga Beras", "Prediksi Harga Gula"]
    >>> models = {name: load_checker(f"outputs/{name}", archive) for name in ("light", "structured")}
    >>> answers = {name: model.check("Harga Beras", top_k=2) for name, model in models.items()}
    >>> compared = compare_rankings("Harga Beras", answers, models)
    >>> compared.titles[0], compared.ranks[0].tolist(), compared.n_shared
    ('Prediksi Harga Beras', [1, 1], 2)
    """
    titles = list(dict.fromkeys(other for matches in answers.values() for other in matches.titles))
    ranks = np.zeros((len(titles), len(answers)), dtype=int)
    probability = np.empty(ranks.shape)
    rows = {other: row for row, other in enumerate(titles)}
    for column, (name, matches) in enumerate(answers.items()):
        # Reversed, so that the best rank of a title that the archive has twice remains.
        for rank, other in reversed(list(enumerate(matches.titles, start=1))):
            ranks[rows[other], column] = rank
        known = dict(zip(matches.titles, matches.probability.tolist(), strict=True))
        missing = [other for other in titles if other not in known]
        known |= zip(missing, _probabilities(checkers[name], title, missing), strict=True)
        probability[:, column] = [known[other] for other in titles]
    order = np.argsort(-probability.mean(axis=1), kind="stable")
    return RankingComparison(
        list(answers), [titles[row] for row in order], ranks[order], probability[order]
    )


def _probabilities(checker: Checker, title: str, others: Sequence[str]) -> list[float]:
    rows = np.arange(len(others))
    features = checker.compare([title], others).features(np.zeros_like(rows), rows)
    return checker.probability(features).tolist()
