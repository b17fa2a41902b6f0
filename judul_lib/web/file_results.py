"""What pages and sheet show of a checked file: one line a proposal, however many students share it."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import pandas as pd

from judul_lib.checking import batches
from judul_lib.checking.checker import Checker
from judul_lib.checking.matches import REMARK_COLUMN
from judul_lib.core.columns import AUTHOR, STUDENT_NUMBER, Details, describe_thesis, metadata_column
from judul_lib.core.settings import ASK, MODEL_TITLES, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.web.explaining import SIGNS, STYLES, ExplainedMatch, explain_matches
from judul_lib.web.file_checks import CHECKED_TITLE, FIRST_ROW
from judul_lib.web.jobs import Job
from judul_lib.web.sheets import SheetFacts, SheetRow

Filter = Literal["semua", "mirip", "tanyakan"]
Order = Literal["dekat", "baris"]
_VERDICTS = {"mirip": SIMILAR, "tanyakan": ASK}


@dataclass(frozen=True)
class View:
    """Which proposals of a result are shown.

    Attributes
    ----------
    only : {"semua", "mirip", "tanyakan"}
        Proposals with this verdict, in the archive or among the proposals.
    order : {"dekat", "baris"}
        The closest first, or as in the file.
    page : int
        From 1.
    search : str
        Proposals with these words in the title or in any uploaded cell; sent by POST only.
    """

    only: Filter = "semua"
    order: Order = "dekat"
    page: int = 1
    search: str = ""

    def link(self, **changed: Any) -> str:
        """Return the query of a link to another view."""
        values = {"saring": self.only, "urut": self.order, "hal": 1} | changed
        return "?" + urlencode(values)

    def select(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the first rows of the proposals on all pages of this view, in order."""
        found = rows
        if self.only != "semua":
            verdict = _VERDICTS[self.only]
            found = found[
                (found[batches.VERDICT] == verdict) | (found[batches.OTHER_VERDICT] == verdict)
            ]
        if words := self.search.casefold().split():
            texts = [" ".join(map(str, row)).casefold() for row in found.itertuples(index=False)]
            found = found.loc[[all(word in text for word in words) for text in texts]]
        # Words may be found in the row of the second student only.
        proposals = rows.loc[found[FIRST_ROW].drop_duplicates().sort_values()]
        if self.order == "dekat":
            columns = [batches.PROBABILITY, batches.OTHER_PROBABILITY]
            highest = proposals[columns].astype(float).max(axis=1).fillna(-1)
            proposals = proposals.loc[highest.sort_values(ascending=False, kind="stable").index]
        return proposals


@dataclass(frozen=True)
class ShownProposal:
    """A proposal as a line of the table.

    Attributes
    ----------
    rows : list of int
        Its rows in the file: several where students share a title.
    cells : list of str
        Names and student numbers as uploaded, by column; see `who_columns`.
    title, label : str
    probability : float or None
        None for a title that could not be compared.
    closest, about, remark : str
        The closest title of the archive, its author and year, and what the two share.
    other_label : str
        Verdict with the closest other proposal; empty where there is none.
    other_row : int or None
    """

    rows: list[int]
    cells: list[str]
    title: str
    label: str
    probability: float | None
    closest: str
    about: str
    remark: str
    other_label: str
    other_row: int | None


@dataclass(frozen=True)
class ExplainedPair:
    """A proposal and the closest title of the archive, or the closest other proposal, explained.

    Attributes
    ----------
    is_archived : bool
        Whether the title is one of the archive.
    match : ExplainedMatch
    row : int or None
        Of the other proposal.
    """

    is_archived: bool
    match: ExplainedMatch
    row: int | None


def label_look(label: str) -> tuple[str, str]:
    """Return the class and the sign of a label.

    Examples
    --------
    >>> label_look("MIRIP"), label_look("TIDAK DIPERIKSA")
    (('mirip', '▲'), ('kosong', '–'))
    """
    return STYLES.get(label, "kosong"), SIGNS.get(label, "–")


def who_columns(names: Sequence[str]) -> list[str]:
    """Return the uploaded columns that say who proposes.

    Examples
    --------
    >>> who_columns(["No", "Nama Mahasiswa", "NPM", "Judul"])
    ['Nama Mahasiswa', 'NPM']
    """
    return [name for name in names if metadata_column(name) in (AUTHOR, STUDENT_NUMBER)]


def group_rows(rows: pd.DataFrame) -> dict[int, list[int]]:
    """Return the rows of each proposal, by its first row."""
    groups: dict[int, list[int]] = {}
    for number, first in zip(rows.index, rows[FIRST_ROW], strict=True):
        groups.setdefault(first, []).append(number)
    return groups


def shown_proposals(
    selected: pd.DataFrame, rows: pd.DataFrame, job: Job, details: Mapping[str, Details]
) -> Iterator[ShownProposal]:
    """Prepare proposals for the table.

    Parameters
    ----------
    selected : DataFrame
        Their first rows; see `View.select`.
    rows : DataFrame
        All rows of the result.
    job : Job
    details : mapping of str to mapping
        What is known of each title of the archive.
    """
    groups, columns = group_rows(rows), who_columns(job.found["columns"])
    for first, (_, row) in zip(selected.index, selected.iterrows(), strict=True):
        members = groups[first]
        cells = [_joined(rows.loc[members, name]) for name in columns]
        closest = row[batches.CLOSEST] or ""
        yield ShownProposal(
            members, cells, row[CHECKED_TITLE], row[batches.VERDICT], row[batches.PROBABILITY],
            closest, describe_thesis(details.get(closest, {})), row[REMARK_COLUMN] or "",
            row[batches.OTHER_VERDICT] or "", row[batches.OTHER_ROW],
        )  # fmt: skip


def _joined(cells: "pd.Series[Any]") -> str:
    return "; ".join(dict.fromkeys(filter(None, map(str, cells))))


def explain_row(
    row: Mapping[Hashable, Any], checker: Checker, details: Mapping[str, Details]
) -> list[ExplainedPair]:
    """Explain the verdicts on a row: with the archive, and with the other proposals.

    Labels and probabilities are those of the result, which decisions may have changed.

    Parameters
    ----------
    row : mapping
        Of the result.
    checker : Checker
        The model that found them.
    details : mapping of str to mapping
        What is known of each title of the archive.
    """
    pairs = []
    columns = (
        (batches.CLOSEST, batches.VERDICT, batches.PROBABILITY),
        (batches.OTHER_CLOSEST, batches.OTHER_VERDICT, batches.OTHER_PROBABILITY),
    )
    for is_archived, (closest, verdict, probability) in zip((True, False), columns, strict=True):
        if not row[closest]:
            continue
        title, known = row[CHECKED_TITLE], details if is_archived else {}
        only = {} if is_archived else {"only": (page_text("only_this"), page_text("only_other"))}
        matches = checker.with_titles([row[closest]]).check(title)
        for match in explain_matches(title, matches, checker, known, **only):
            # The remark of the model speaks of an archive.
            remark = (row[REMARK_COLUMN] or "") if is_archived else ""
            stored = replace(match, label=row[verdict], probability=row[probability], remark=remark)
            pairs.append(
                ExplainedPair(is_archived, stored, None if is_archived else row[batches.OTHER_ROW])
            )
    return pairs


def sheet_rows(rows: pd.DataFrame, job: Job, details: Mapping[str, Details]) -> list[SheetRow]:
    """Return the lines of the result sheet, in the order of the file."""
    columns = who_columns(job.found["columns"])
    lines = []
    for shown in shown_proposals(View(order="baris").select(rows), rows, job, details):
        who = rows.loc[shown.rows, columns].to_numpy().tolist()
        students = [", ".join(filter(None, cells)) for cells in who]
        others = [page_text("row_n", n=row) for row in shown.rows[1:]]
        labelled = [
            f"{student} ({other})" if other else student
            for student, other in zip(students, ["", *others], strict=True)
        ]
        reason = [shown.remark] if shown.label in batches.CLOSE else []
        if shown.other_label in batches.CLOSE and shown.other_row:
            other = page_text("row_n", n=shown.other_row)
            reason.append(f"{page_text('in_proposals')}: {other} ({shown.other_label})")
        lines.append(
            SheetRow(
                shown.rows[0], shown.title, shown.label, shown.probability, shown.closest,
                shown.about, "; ".join(filter(None, reason)), "; ".join(filter(None, labelled)),
            )
        )  # fmt: skip
    return lines


def sheet_facts(job: Job) -> SheetFacts:
    """Return how a file was checked."""
    found = job.found
    checked_at = datetime.fromtimestamp(job.created, UTC).replace(tzinfo=None)
    model = " ".join(filter(None, (MODEL_TITLES[found["model"]], found["version"])))
    return SheetFacts(
        found["archive_line"], model, found["threshold"], checked_at,
        str(job.facts.get("name", "")), found["archive_notes"],
    )  # fmt: skip
