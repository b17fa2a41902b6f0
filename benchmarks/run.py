"""Measure the library against its peers; ``--help`` shows the choices.

Every benchmark of `benchmarks.suite` runs in its own process.
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

# This process must stay small: the memory peaks of its children start at its size.
PROJECT = Path(__file__).parent.parent
RESULTS, QUICK_RESULTS = PROJECT / "data" / "benchmarks.json", PROJECT / "build" / "bench.json"
DOCS = PROJECT / "docs" / "benchmarks.md"


def main() -> None:
    """Run the selected benchmarks and write their results."""
    options = _parse_options()
    if options.child:
        _run_step(*options.child, Path(options.work), quick=options.quick)
        return
    selected = [b for b in SUITE if b.is_available() and _is_selected(b, options)]
    if options.list or not selected:
        print("\n".join(benchmark.name for benchmark in SUITE))
        sys.exit(0 if options.list else "No benchmark of that name whose model is in outputs/.")
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    target = options.out or (QUICK_RESULTS if options.quick else RESULTS)
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder:
        new = {}
        for benchmark in selected:
            print(f"{benchmark.name} ...", file=sys.stderr, flush=True)
            new[benchmark.name] = _measure(benchmark, options.work or folder, options.quick)
    results = _merge_with_earlier(target, new, options.quick)
    _write(target, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    section = report.section(results)
    print(section)
    failed = [result["name"] for result in new.values() if "error" in result]
    if failed:
        sys.exit(f"Broke off: {', '.join(failed)}. See {target}; {options.docs.name} is as it was.")
    if options.write_docs:
        _write(options.docs, report.replace_section(options.docs.read_text("utf-8"), section))


def _is_selected(benchmark: Benchmark, options: argparse.Namespace) -> bool:
    if options.only:
        return any(fnmatch(benchmark.name, pattern) for pattern in options.only)
    return benchmark.by_default or bool(options.quick)


def _parse_options() -> argparse.Namespace:
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
    """Run preparations and benchmark, each in a new process."""
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
            result = {"error": lines[-1], "step": step, "size": benchmark.size(quick)}
            break
    else:
        result = json.loads(answer.read_text("utf-8"))
    return {**benchmark.facts(), "date": report.today(), **benchmark.judge(result, quick=quick)}


def _run_step(name: str, step: str, answer: str, work: Path, *, quick: bool) -> None:
    benchmark = next(benchmark for benchmark in SUITE if benchmark.name == name)
    case = benchmark.case(work, quick=quick)
    if step == "run":
        Path(answer).write_text(json.dumps(benchmark.measure(case)), "utf-8")
    else:
        getattr(case, f"prepare_{step}")()


def _merge_with_earlier(target: Path, new: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """Merge new results with earlier ones of the same machine, packages and sizes."""
    facts = {"machine": report.machine(), "quick": quick}
    earlier: dict[str, Any] = {}
    if target.exists():
        stored = json.loads(target.read_text("utf-8"))
        if all(stored[name] == facts[name] for name in facts):
            earlier = {result["name"]: result for result in stored["benchmarks"]}
    merged = {**earlier, **new}
    ordered = [merged[benchmark.name] for benchmark in SUITE if benchmark.name in merged]
    return {"date": report.today(), **facts, "benchmarks": ordered}


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    from judul_lib.core.storage import write_bytes

    write_bytes(path, text.encode())


if __name__ == "__main__":
    main()
