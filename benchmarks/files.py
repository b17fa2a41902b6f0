"""Reading a file of titles."""

import io
from statistics import median

from benchmarks.measuring import Case, Measured, peak_memory, timed, timed_peer


def read_workbook(case: Case) -> Measured:
    """Read the titles of a workbook of five columns."""
    from judul_lib.core.tables import parse_titles

    content, rounds = case.workbook_file.read_bytes(), case.rounds(3)
    with peak_memory() as peak:
        seconds = timed(lambda: parse_titles(content, case.workbook_file.name), rounds)
        memory = peak()

    def read_with_openpyxl() -> None:
        from openpyxl import load_workbook

        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        for _ in sheet.iter_rows(values_only=True):
            pass

    peer = timed_peer("openpyxl", read_with_openpyxl, rounds=1)
    return Measured(case.size, rounds, median(seconds), memory, peers=(peer,))
