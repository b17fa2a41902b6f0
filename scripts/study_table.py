"""Run the study on its own titles, and write what we measured into ``data/study.json``.

Usage: ``python scripts/study_table.py FOLDER``, where FOLDER holds ``dataset_TA_asli.csv``;
without FOLDER only ``docs/study.md`` is written from the table.
"""

import json
import sys
import tempfile
from pathlib import Path

from judul_lib.core.settings import RUN_PROFILES, LabelingSettings
from judul_lib.core.storage import write_bytes
from judul_lib.reports import pipeline
from judul_lib.reports.study_table import (
    OWN_COLUMNS,
    measure_run,
    read_study_table,
    render_markdown,
    rule_values,
)

PROJECT = Path(__file__).parent.parent
TABLE, PAGE = PROJECT / "data" / "study.json", PROJECT / "docs" / "study.md"
MARK = "<!-- Dari sini ditulis oleh scripts/study_table.py -->"


def main(titles: Path) -> None:
    """Measure with each run profile; write the table and the page that shows it."""
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    pipeline.STAGES = pipeline.STAGES[:5]
    for profile in OWN_COLUMNS:
        with tempfile.TemporaryDirectory() as folder:
            paths = pipeline.Paths(
                titles, PROJECT / "notebooks", Path(folder) / "outputs", Path(folder) / "reports"
            )
            pipeline.run_notebooks(paths, parameters={"PROFILE": profile})
            settings = LabelingSettings.from_parameters(RUN_PROFILES[profile])
            measured = measure_run(paths.outputs, settings)
        for row in rows:
            row[profile] = measured.pop(row["key"], row[profile])
        if measured:
            raise SystemExit(f"no row in {TABLE.name} for {', '.join(measured)}")
    write_bytes(TABLE, (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode())
    write_page()


def write_page() -> None:
    """Write ``docs/study.md`` from the table."""
    head = PAGE.read_text(encoding="utf-8").split(MARK)[0]
    table = render_markdown(read_study_table(TABLE, rule_values()))
    write_bytes(PAGE, f"{head}{MARK}\n\n{table}\n".encode())


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]) / "dataset_TA_asli.csv")
    else:
        write_page()
