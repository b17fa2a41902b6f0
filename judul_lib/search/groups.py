"""Groups of near-duplicates: which titles belong together, and which numbers groups keep."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from judul_lib.core.array_types import FloatArray
from judul_lib.core.columns import TITLE_COLUMN
from judul_lib.core.formatting import format_number
from judul_lib.search.pair_blocks import Pairs
from judul_lib.study.preprocessing import title_key

GROUP_COLUMN, STATUS_COLUMN = "kelompok", "status"
PREVIOUS_COLUMN, LAST_NUMBER_COLUMN = "kelompok_lama", "nomor_terakhir"
KEPT, NEW_GROUP, NEW_MEMBER = "tetap", "kelompok baru", "anggota baru"
MERGED, SPLIT, LEFT = "gabung", "pisah", "keluar"


def in_thousandths(probability: FloatArray) -> NDArray[np.int64]:
    """Round probabilities down to thousandths, which results in files keep.

    A probability reaches a threshold of three decimals exactly if the rounded one does.

    Examples
    --------
    >>> in_thousandths(np.array([0.7, 0.7999, 1.0])).tolist()
    [700, 799, 1000]
    """
    nearest = np.rint(probability * 1000).astype(np.int64)
    return nearest - (nearest / 1000 > probability)


def star_groups(titles: Sequence[str], pairs: Pairs) -> NDArray[np.int32]:
    """Group near-duplicates around centres, so that no weak link chains strangers together.

    Titles are visited by falling sum of their pairs' probabilities; each that is no pair with
    an earlier centre becomes a centre. Every other title joins the centre that it is most
    similar to. So each member of a group is a pair with its centre. A title that is a pair
    only with members of other groups, and with none of their centres, is a group of its own.

    Probabilities count in thousandths; ties are broken by title, so that groups do not
    depend on the order of rows.

    Parameters
    ----------
    titles : sequence of str, shape (n,)
    pairs : Pairs

    Returns
    -------
    ndarray of int, shape (n,)
        Group of each title, numbered from 0 in the order of their first titles.

    References
    ----------
    Aslam, Pelekhov and Rus, *The Star Clustering Algorithm for Static and Dynamic Information
    Organization*, JGAA 8 (2004). There, stars overlap, and their centres have the most pairs.

    Examples
    --------
    >>> left, right = np.array([0, 1, 2], np.int32), np.array([1, 2, 3], np.int32)
    >>> chain = Pairs(left, right, np.empty((3, 0)), np.array([0.9, 0.8, 0.7]))
    >>> star_groups(["a", "b", "c", "d"], chain).tolist()
    [0, 0, 0, 1]
    """
    similarity = in_thousandths(pairs.probability)
    rank = _ranks(titles, pairs, similarity)
    swapped = rank[pairs.left] > rank[pairs.right]
    earlier = np.where(swapped, pairs.right, pairs.left)
    later = np.where(swapped, pairs.left, pairs.right)
    is_centre = _choose_centres(rank, earlier, later)
    # Centres are never a pair of each other.
    near_centre = is_centre[earlier] | is_centre[later]
    earlier, later, similarity = earlier[near_centre], later[near_centre], similarity[near_centre]
    centre = np.where(is_centre[earlier], earlier, later)
    member = np.where(is_centre[earlier], later, earlier)
    # The best centre comes last: of several values for one element, NumPy keeps the last.
    order = np.lexsort((-rank[centre], similarity))
    centre_of = np.arange(len(titles), dtype=np.int32)
    centre_of[member[order]] = centre[order]
    return pd.factorize(centre_of)[0].astype(np.int32)


def _ranks(titles: Sequence[str], pairs: Pairs, similarity: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return when each title is visited, shape (n,); titles without a pair come last."""
    n = len(titles)
    rows = np.unique(np.concatenate([pairs.left, pairs.right])).tolist()
    # Sums of integers, as those of floats depend on the order.
    total = np.bincount(pairs.left, similarity, n) + np.bincount(pairs.right, similarity, n)
    order = sorted(rows, key=lambda row: (-total[row], title_key(titles[row]), titles[row], row))
    rank = np.full(n, len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    return rank


def _choose_centres(
    rank: NDArray[np.int32], earlier: NDArray[np.int32], later: NDArray[np.int32]
) -> NDArray[np.bool_]:
    n_visited = int(rank[later].max(initial=-1)) + 1
    links = csr_matrix((np.ones(len(later), bool), (rank[earlier], rank[later])), (n_visited, n_visited))
    is_covered, bounds = np.zeros(n_visited, dtype=bool), links.indptr.tolist()
    for visited in range(n_visited):
        if not is_covered[visited]:
            is_covered[links.indices[bounds[visited] : bounds[visited + 1]]] = True
    return np.append(~is_covered, False)[np.minimum(rank, n_visited)]


def continue_groups(groups: pd.DataFrame, previous: pd.DataFrame) -> pd.DataFrame:
    """Give groups the numbers of an earlier result, and tell what has changed.

    Titles are recognised by `title_key`. A group keeps the number of the earlier group that it
    shares most titles with. If a group was split, the part with most of its titles keeps the
    number; merged groups keep the number of the one that gave most titles, or the lower one.
    Other groups get numbers that were never used.

    Parameters
    ----------
    groups : DataFrame
        ``kelompok``, ``baris`` and ``Judul``, as of `judul_lib.search.dedup.Duplicates.groups`.
    previous : DataFrame
        ``kelompok`` and ``Judul`` of the earlier result, or what this function returned then.

    Returns
    -------
    DataFrame
        Like `groups`, with the columns ``status``, ``kelompok_lama`` (missing for new titles) and
        ``nomor_terakhir`` (highest number so far). Earlier titles that are in no group any more
        come with their earlier number and without a row. The status is

        - ``tetap``: in the group of the same number as before
        - ``kelompok baru``, ``anggota baru``: new, in a group of new titles only, or in another
        - ``gabung``: the earlier group has been merged into this one
        - ``pisah``: the earlier group exists without this title
        - ``keluar``: in no group any more

    Examples
    --------
    >>> earlier = pd.DataFrame({"kelompok": [4, 4, 7, 7], "Judul": ["Padi", "PADI 2", "Kopi", "Kopi 2"]})
    >>> titles = ["Kopi", "Kopi 2", "Kopi 3", "Teh", "Teh 2"]
    >>> now = pd.DataFrame({"kelompok": [1, 1, 1, 2, 2], "baris": range(5), "Judul": titles})
    >>> continue_groups(now, earlier)[["kelompok", "Judul", "status"]].values.tolist()[1:4]
    [[4, 'PADI 2', 'keluar'], [7, 'Kopi', 'tetap'], [7, 'Kopi 2', 'tetap']]
    """
    columns = previous.columns.intersection([GROUP_COLUMN, LAST_NUMBER_COLUMN])
    last = int(previous[columns].max().max()) if len(previous) else 0
    if STATUS_COLUMN in previous:
        previous = previous[previous[STATUS_COLUMN] != LEFT]
    earlier = previous.assign(key=previous[TITLE_COLUMN].map(title_key)).sort_values(GROUP_COLUMN)
    earlier = earlier.drop_duplicates("key").set_index("key")
    keys = groups[TITLE_COLUMN].map(title_key)
    before = keys.map(earlier[GROUP_COLUMN]).astype("Int64")
    number = _continued_numbers(groups[GROUP_COLUMN], before, keys)
    new = [group for group in groups[GROUP_COLUMN].unique().tolist() if group not in number]
    number |= {group: last + k for k, group in enumerate(new, start=1)}
    result = groups.assign(kelompok=groups[GROUP_COLUMN].map(number).astype(int), kelompok_lama=before)
    result[STATUS_COLUMN] = _status(result[GROUP_COLUMN], before)
    left = earlier[~earlier.index.isin(keys)]
    gone = left[[GROUP_COLUMN, TITLE_COLUMN]].assign(kelompok_lama=left[GROUP_COLUMN], status=LEFT)
    result = pd.concat([result.astype({"baris": "Int64"}), gone])
    result = result.sort_values([GROUP_COLUMN, "baris"], ignore_index=True, kind="stable")
    return result.assign(nomor_terakhir=last + len(new))[
        [GROUP_COLUMN, "baris", TITLE_COLUMN, STATUS_COLUMN, PREVIOUS_COLUMN, LAST_NUMBER_COLUMN]
    ]


def _continued_numbers(groups: pd.Series, before: pd.Series, keys: pd.Series) -> dict[int, int]:
    """Return the earlier number of each group that keeps one, the largest overlaps first."""
    table = pd.DataFrame({"group": groups, "before": before, "key": keys})
    overlaps = table.dropna().groupby(["group", "before"]).size().rename("shared").reset_index()
    overlaps["size"] = overlaps["group"].map(table.groupby("group").size())
    overlaps["key"] = overlaps["group"].map(table.groupby("group")["key"].min())
    order = overlaps.sort_values(
        ["shared", "before", "size", "key"], ascending=[False, True, False, True]
    )
    number: dict[int, int] = {}
    taken = set[int]()
    for group, earlier in zip(order["group"].tolist(), order["before"].tolist(), strict=True):
        if group not in number and earlier not in taken:
            number[group] = earlier
            taken.add(earlier)
    return number


def _status(groups: pd.Series, before: pd.Series) -> NDArray[np.object_]:
    is_new = before.isna().to_numpy()
    has_earlier_title = before.notna().groupby(groups).transform("any").to_numpy(bool)
    conditions = {
        KEPT: (before == groups).fillna(False).to_numpy(bool),
        NEW_MEMBER: is_new & has_earlier_title,
        NEW_GROUP: is_new,
        SPLIT: before.isin(groups).to_numpy(bool),
    }
    return np.select(list(conditions.values()), list(conditions), MERGED).astype(object)


def describe_changes(continued: pd.DataFrame) -> str:
    """Say in Indonesian what has changed since the earlier result; see `continue_groups`.

    Examples
    --------
    >>> earlier = pd.DataFrame({"kelompok": [4, 4], "Judul": ["Padi", "Padi 2"]})
    >>> now = pd.DataFrame({"kelompok": [1, 1], "baris": [0, 1], "Judul": ["Padi", "Padi 3"]})
    >>> describe_changes(continue_groups(now, earlier))
    'Sejak hasil sebelumnya: 1 anggota baru, 1 judul keluar.'
    """
    status = continued[STATUS_COLUMN]
    titles = status.value_counts()

    def n_groups(kind: str, column: str) -> int:
        return int(continued.loc[status == kind, column].nunique())

    counts = {
        "kelompok baru": n_groups(NEW_GROUP, GROUP_COLUMN),
        "anggota baru": int(titles.get(NEW_MEMBER, 0)),
        "judul keluar": int(titles.get(LEFT, 0)),
        "kelompok lama bergabung dengan yang lain": n_groups(MERGED, PREVIOUS_COLUMN),
        "kelompok lama terpisah": n_groups(SPLIT, PREVIOUS_COLUMN),
    }
    parts = [f"{format_number(n)} {what}" for what, n in counts.items() if n]
    return f"Sejak hasil sebelumnya: {', '.join(parts) or 'tidak ada yang berubah'}."
