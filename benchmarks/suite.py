"""All benchmarks, with their sizes, goals and preparations."""

import os
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.measuring import Case

OUTPUTS = Path(__file__).parent.parent / "outputs"
MILLION = 1_000_000


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes
    ----------
    name : str
    what : str
        Key in `benchmarks.words.BENCHMARKS`.
    function : str
        Module and function in `benchmarks` that measures.
    full, quick : int
        Number of titles.
    model : str
        Folder in ``outputs/``.
    needs : tuple of str
        Preparations, each in its own process: ``prepare_...`` of `benchmarks.measuring.Case`.
    below, on, peak_mb
        The goal: upper limits of seconds or exponent (``median`` or ``p95``) and of memory.
    unit : str
        ``"s"``, or ``""`` for an exponent.
    near_duplicates : float
        Share of near-duplicates among the titles.
    by_default : bool
        Whether it runs without being named.
    variable : str
        Environment variable without which it cannot run.
    """

    name: str
    what: str
    function: str
    full: int = MILLION
    quick: int = 2_000
    model: str = "light"
    needs: tuple[str, ...] = ("titles",)
    below: float | None = None
    on: str = "median"
    peak_mb: float | None = None
    unit: str = "s"
    near_duplicates: float = 0.01
    by_default: bool = True
    variable: str = ""

    def is_available(self) -> bool:
        """Return whether the model exists and the environment variable is set."""
        has_variable = not self.variable or bool(os.environ.get(self.variable))
        return has_variable and (OUTPUTS / self.model).is_dir()

    def size(self, quick: bool) -> int:
        """Return the number of titles."""
        return min(self.quick, self.full) if quick else self.full

    def case(self, work: Path, *, quick: bool) -> "Case":
        """Return the argument of the function."""
        from benchmarks.measuring import Case

        return Case(work, self.size(quick), self.model, quick, self.near_duplicates)

    def measure(self, case: "Case") -> dict[str, Any]:
        """Run the benchmark, and add the ratio of each peer's time to the library's."""
        module, name = self.function.split(".")
        result = asdict(getattr(import_module(f"benchmarks.{module}"), name)(case))
        for peer in result["peers"]:
            peer["ratio"] = peer["median"] / result["median"]
        return result

    def facts(self) -> dict[str, Any]:
        """Return what is known before the run."""
        has_goal = self.below is not None or self.peak_mb is not None
        goal = {"below": self.below, "on": self.on, "peak_mb": self.peak_mb} if has_goal else None
        return {
            "name": self.name, "what": self.what, "model": self.model, "unit": self.unit, "goal": goal,
        }  # fmt: skip

    def judge(self, result: dict[str, Any], *, quick: bool) -> dict[str, Any]:
        """Add whether the goal was reached: None without a goal, or after an error or a quick run."""
        if "error" in result or quick:
            return {**result, "reached": None}
        limits = [(result[self.on], self.below), (result["peak_mb"], self.peak_mb)]
        checks = [value < limit for value, limit in limits if limit is not None]
        return {**result, "reached": all(checks) if checks else None}


_WITH_INDEX = ("titles", "index", "bm25")

SUITE: tuple[Benchmark, ...] = (
    Benchmark(
        "read_workbook", "read_workbook", "files.read_workbook",
        full=100_000, needs=("titles", "workbook"), below=1, peak_mb=300,
    ),
    Benchmark("preprocess", "preprocess", "large.preprocess", below=15, peak_mb=1_536),
    Benchmark("build_light", "build", "large.build_in_one_process", below=60, peak_mb=3 * 1024),
    # The structured model compares all titles; an index only saves parsing them.
    Benchmark(
        "build_structured", "build_two", "large.build_in_two_processes",
        full=100_000, quick=1_000, model="structured",
    ),
    Benchmark("open_light", "open", "large.open_index", model="light", needs=_WITH_INDEX, below=0.2),
    *(
        Benchmark(
            f"check_{model}_{size}", "check", "check.check_one",
            full=size, quick=quick, model=model, needs=_WITH_INDEX, below=below, on="p95",
        )
        for model in ("light", "full")
        for size, quick, below in (
            (1_260, 500, 0.015), (100_000, 1_000, 0.040), (MILLION, 2_000, 0.150),
        )
    ),
    Benchmark(
        "check_structured", "check", "check.check_one",
        full=1_260, quick=500, model="structured", needs=_WITH_INDEX, below=0.015, on="p95",
    ),
    Benchmark(
        "strange_light", "strange", "check.check_strange",
        model="light", needs=("titles", "index"), below=0.150, on="p95",
    ),
    Benchmark(
        "scored_light", "scored", "check.scored_in_full",
        model="light", needs=("titles", "index"), below=1, unit="",
    ),
    Benchmark(
        "many_light", "many", "check.check_thousand",
        full=100_000, quick=1_000, model="light", needs=("titles", "index"), below=15,
    ),
    Benchmark(
        "dedup_light", "dedup", "large.duplicates", full=100_000, below=60, near_duplicates=0.001,
    ),
    Benchmark(
        "dedup_structured", "dedup", "large.duplicates",
        full=10_000, quick=1_000, model="structured", near_duplicates=0.001,
    ),
    Benchmark(
        "dedup_million", "dedup_million", "large.duplicates_with_checkpoints",
        peak_mb=6 * 1024, near_duplicates=0.001, by_default=False,
    ),
    *(
        Benchmark(name, what, f"study.{function}", full=0, quick=0, model=model, needs=())
        for name, what, function, model in (
            ("light_check", "light_check", "light_check", "light"),
            ("structured_check", "structured_check", "structured_check", "structured"),
            ("structured_check_10", "structured_check", "structured_check_copies", "structured"),
            ("structured_pairs", "pairs", "structured_pairs", "structured"),
            ("proposals_light", "proposals", "proposals", "light"),
            ("proposals_structured", "proposals", "proposals", "structured"),
        )
    ),
    *(
        Benchmark(
            name, name, f"writing.{function}", full=0, quick=0, needs=(), below=0.005, variable=variable,
        )
        for name, function, variable in (
            ("log_answer", "log_sqlite", ""),
            ("log_answer_postgres", "log_postgres", "JUDUL_TEST_POSTGRES"),
        )
    ),
)  # fmt: skip
"""In the order of the runs: later benchmarks reuse the indexes of earlier ones."""
