"""Load on the running page: visitors that check titles, reload, or are slow.

``python -m benchmarks.web URL --pid PID --visitors 200 --seconds 120``; the page must ask for nothing.
"""

import argparse
import asyncio
import os
import platform
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import psutil

_WORDS = "sistem pakar diagnosis padi jagung klasifikasi berita hoaks metode aplikasi siswa guru".split()
_TIMEOUT = 30.0


@dataclass
class Load:
    """What was measured."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """Return percentiles and errors on one line."""
        times = sorted(self.seconds)
        if not times:
            return f"no answers, errors {dict(self.errors)}"
        p50, p95, p99 = (times[min(len(times) - 1, int(len(times) * q))] for q in (0.5, 0.95, 0.99))
        return (
            f"{len(times)} answers, p50 {p50 * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, "
            f"p99 {p99 * 1e3:.0f} ms, errors {dict(self.errors)}"
        )


async def ask(host: str, port: int, load: Load, title: str | None) -> None:
    """Send one request on a connection of its own: a check, or a reload of the form."""
    body = b"" if title is None else urlencode({"judul": title}).encode()
    verb = "GET /" if title is None else "POST /periksa"
    kind = "" if title is None else "Content-Type: application/x-www-form-urlencoded\r\n"
    head = (
        f"{verb} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}Content-Length: {len(body)}"
    )
    start = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(head.encode() + b"\r\n\r\n" + body)
            answer = await reader.read(-1)
            writer.close()
    except (OSError, TimeoutError) as error:
        load.errors[type(error).__name__] += 1
        return
    status = answer[9:12].decode("latin-1")
    if status != "200":
        load.errors[status or "empty"] += 1
        return
    load.seconds.append(time.perf_counter() - start)


async def visit(host: str, port: int, load: Load, until: float, every: float) -> None:
    """Check a title every few seconds."""
    await asyncio.sleep(random.uniform(0, every))
    while time.monotonic() < until:
        started = time.monotonic()
        await ask(host, port, load, " ".join(random.sample(_WORDS, 7)))
        await asyncio.sleep(max(0.0, started + every - time.monotonic()))


async def stay_slow(host: str, port: int, until: float) -> None:
    """Send one byte a second for as long as the page lets it, again and again."""
    while time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection(host, port)
            while time.monotonic() < until:
                writer.write(b"G")
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            await asyncio.sleep(0.5)


async def reload_pages(host: str, port: int, n: int) -> Load:
    """Load the form n times, ten at a time."""
    load, left = Load(), iter(range(n))

    async def visitor() -> None:
        for _ in left:
            await ask(host, port, load, None)

    await asyncio.gather(*(visitor() for _ in range(10)))
    return load


def memory_mb(pid: int) -> float:
    """Return the memory of a process and its children, what they share counted once (PSS)."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_full_info().pss for member in family) / 1e6


async def run(options: argparse.Namespace) -> None:
    """Put the load on, and print what was measured."""
    address = urlsplit(options.url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    print(f"{platform.platform()}, {os.cpu_count()} processors; load tool on the same machine")
    print(f"memory before: {memory_mb(options.pid):.0f} MB")
    if options.reloads:
        load = await reload_pages(host, port, options.reloads)
        print(f"{options.reloads} reloads: {load.summary()}; memory {memory_mb(options.pid):.0f} MB")
    until, load = time.monotonic() + options.seconds, Load()
    slow = [asyncio.create_task(stay_slow(host, port, until)) for _ in range(options.slow)]
    visitors = (visit(host, port, load, until, options.every) for _ in range(options.visitors))
    await asyncio.gather(*visitors)
    for task in slow:
        task.cancel()
    print(f"{options.visitors} visitors, {options.slow} slow: {load.summary()}")
    print(f"memory after: {memory_mb(options.pid):.0f} MB")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, required=True, help="process that serves the page")
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--every", type=float, default=5, help="seconds between two checks of a visitor")
    parser.add_argument("--reloads", type=int, default=0)
    parser.add_argument("--slow", type=int, default=0, help="connections that send one byte a second")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
