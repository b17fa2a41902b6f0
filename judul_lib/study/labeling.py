"""Label pairs of titles by their cosine, as the study does.

The label is a threshold on a feature, so a test on such labels only shows
whether the model found the threshold again; see notebook 06.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from judul_lib.core.array_types import FloatArray
from judul_lib.core.errors import TrainingError
from judul_lib.core.settings import SEED, LabelingSettings

# Cells of one dense block of similarities: 160 MB.
_BLOCK_CELLS = 20_000_000


@dataclass(frozen=True)
class LabeledPairs:
    """Pairs of titles with labels.

    Attributes
    ----------
    pairs : DataFrame
        ``left``, ``right`` (row numbers in the corpus), ``cosine`` and
        ``label`` (1 similar, 0 not), sorted by row numbers; ``left < right``
        unless the pairs are ordered.
    n_similar, n_grey, n_different : int
        Unordered pairs of the whole corpus above, between and below the thresholds.
    """

    pairs: pd.DataFrame
    n_similar: int
    n_grey: int
    n_different: int


def label_pairs(
    tfidf_rows: Any, *, settings: LabelingSettings | None = None, random_state: int = SEED
) -> LabeledPairs:
    """Label the pairs of a corpus.

    Parameters
    ----------
    tfidf_rows : sparse matrix, shape (n_titles, n_terms)
        L2-normalised TF-IDF rows.
    settings : LabelingSettings
        Thresholds and sampling; the study's by default.
    random_state : int
        Seed of the sampled negatives. Each title has its own generator, so the
        sample does not depend on the block size.

    Returns
    -------
    LabeledPairs
        All similar pairs, and up to ``negatives_per_title`` not-similar ones for each title.

    Raises
    ------
    TrainingError
        The thresholds are not in order.

    Examples
    --------
    >>> import numpy as np
    >>> label_pairs(np.array([[1.0, 0.0], [0.96, 0.28], [0.0, 1.0]])).pairs
       left  right  cosine  label
    0     0      1    0.96      1
    1     0      2    0.00      0
    """
    settings = settings or LabelingSettings()
    if not 0 <= settings.different_max < settings.similar_min <= 1:
        raise TrainingError(
            f"Ambang pelabelan terbalik: tidak mirip <= {settings.different_max}, mirip >= "
            f"{settings.similar_min}. Pilih 0 <= tidak mirip < mirip <= 1."
        )
    rows = csr_matrix(tfidf_rows)
    n = rows.shape[0]
    similar: dict[tuple[int, int], float] = {}
    different: dict[tuple[int, int], float] = {}
    n_similar = n_different = 0
    step = max(1, _BLOCK_CELLS // max(n, 1))
    for start in range(0, n, step):
        block = np.clip((rows[start : start + step] @ rows.T).toarray(), 0.0, 1.0)
        for left, cosines in enumerate(block, start=start):
            later = cosines[left + 1 :]
            matches = np.flatnonzero(later >= settings.similar_min) + left + 1
            similar |= {(left, int(right)): float(cosines[right]) for right in matches}
            n_similar += len(matches)
            n_different += int((later <= settings.different_max).sum())
            for right in _draw_negatives(cosines, left, settings, random_state):
                pair = (left, right) if settings.ordered else (min(left, right), max(left, right))
                different[pair] = float(cosines[right])
    if settings.ordered:
        similar |= {(right, left): value for (left, right), value in similar.items()}
    records = [(*pair, value, 1) for pair, value in similar.items()]
    records += [(*pair, value, 0) for pair, value in different.items()]
    pairs = pd.DataFrame(sorted(records), columns=["left", "right", "cosine", "label"])
    n_grey = n * (n - 1) // 2 - n_similar - n_different
    return LabeledPairs(pairs, n_similar, n_grey, n_different)


def _draw_negatives(
    cosines: FloatArray, title: int, settings: LabelingSettings, random_state: int
) -> list[int]:
    candidates = np.flatnonzero(cosines <= settings.different_max)
    candidates = candidates[candidates != title]
    size = min(settings.negatives_per_title, len(candidates))
    rng = np.random.default_rng([random_state, title])
    return [int(right) for right in rng.choice(candidates, size=size, replace=False)]
