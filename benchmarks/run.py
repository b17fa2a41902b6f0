"""Measure the library against its peers; ``--help`` shows the choices.

Every benchmark runs in a process of its own. What it measures and against what
stands in `benchmarks.suite`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import report
from benchmarks.suite import SUITE, Benchmark

# The process that starts the others must stay small: their peaks begin with its own.
PROJECT = Path(__file__).parent.parent
RESULTS, QUICK_RESULTS = PROJECT / "data" / "benchmarks.json", PROJECT / "build" / "bench.json"
DOCS = PROJECT / "docs" / "benchmarks.md"


def main() -> None:
    """Run the benchmarks asked for and write what they found."""
    options = _options()
    if options.child:
        _child(*options.child, Path(options.work), quick=options.quick)
        return
    patterns = options.only or []
    chosen = [
        benchmark
        for benchmark in SUITE
        if benchmark.is_there()
        and (
            any(fnmatch(benchmark.name, p) for p in patterns)
            if patterns
            else benchmark.by_default or options.quick
        )
    ]
    if options.list or not chosen:
        print("\n".join(benchmark.name for benchmark in SUITE))
        sys.exit(0 if options.list else "No benchmark of that name whose model is in outputs/.")
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    target = options.out or (QUICK_RESULTS if options.quick else RESULTS)
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder:
        found = {}
        for benchmark in chosen:
            print(f"{benchmark.name} ...", file=sys.stderr, flush=True)
            found[benchmark.name] = _measure(benchmark, options.work or folder, options.quick)
    results = _with_earlier(target, found, options.quick)
    _write(target, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    section = report.section(results)
    print(section)
    broken = [result["name"] for result in found.values() if "error" in result]
    if broken:
        sys.exit(f"Broke off: {', '.join(broken)}. See {target}; {options.docs.name} is as it was.")
    if options.write_docs:
        _write(options.docs, report.with_section(options.docs.read_text("utf-8"), section))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the library against its peers.")
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds")
    parser.add_argument("--only", action="append", metavar="NAME", help="may repeat; * and ? work")
    parser.add_argument("--list", action="store_true", help="show the names")
    parser.add_argument("--out", type=Path, help="file of the results")
    parser.add_argument("--work", type=Path, help="keep titles and indexes here for another run")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the table into docs/benchmarks.md"
    )
    parser.add_argument("--docs", type=Path, default=DOCS, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(benchmark: Benchmark, work: Path | str, quick: bool) -> dict[str, Any]:
    """Prepare and measure, each in a new process."""
    work = Path(work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    answer = work / "answer.json"
    answer.unlink(missing_ok=True)
    for step in (*benchmark.needs, "run"):
        command = [sys.executable, str(Path(__file__)), "--child", benchmark.name, step, str(answer)]
        command += ["--work", str(work), *(["--quick"] if quick else [])]
        done = subprocess.run(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.stderr.write(done.stderr)
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            found = {"error": lines[-1], "step": step, "size": benchmark.size(quick)}
            break
    else:
        found = json.loads(answer.read_text("utf-8"))
    return {**benchmark.facts(), "date": report.today(), **benchmark.judged(found, quick=quick)}


def _child(name: str, step: str, answer: str, work: Path, *, quick: bool) -> None:
    benchmark = next(benchmark for benchmark in SUITE if benchmark.name == name)
    case = benchmark.case(work, quick=quick)
    if step == "run":
        Path(answer).write_text(json.dumps(benchmark.measure(case)), "utf-8")
    else:
        getattr(case, f"prepare_{step}")()


def _with_earlier(target: Path, found: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """Put new results among those of the same machine, packages and sizes."""
    facts = {"machine": report.machine(), "quick": quick}
    earlier: dict[str, Any] = {}
    if target.exists():
        stored = json.loads(target.read_text("utf-8"))
        if all(stored[name] == facts[name] for name in facts):
            earlier = {result["name"]: result for result in stored["benchmarks"]}
    every = {**earlier, **found}
    ordered = [every[benchmark.name] for benchmark in SUITE if benchmark.name in every]
    return {"date": report.today(), **facts, "benchmarks": ordered}


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    from judul_lib.core.storage import write_bytes

    write_bytes(path, text.encode())


if __name__ == "__main__":
    main()
