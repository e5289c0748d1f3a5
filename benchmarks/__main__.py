"""`python -m benchmarks`: each row against its floor in the same run; `--help` for what else it can do."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from . import answers, audio, live, machine, resident, start, wire
from .rows import FULL, QUICK, Effort, Row

BENCHMARKS: dict[str, Callable[[Effort], list[Row]]] = {
    "decode": wire.measure,
    "feed": machine.measure_feed,
    "size": machine.measure_size,
    "barge-in": live.measure_barge_in,
    "answers": answers.measure,
    "cpu": live.measure_cpu,
    "audio": audio.measure,
    "memory": resident.measure,
    "import": start.measure,
}
_PACKAGES = ("turnkit", "msgspec", "anyio", "websockets", "structlog")


def environment() -> dict[str, str]:
    """Where and when this runs."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "packages": packages,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def table(rows: list[Row]) -> Table:
    """The rows for people."""
    shown = Table("what", "unit")
    for heading in ("floor", "turnkit", "ratio", "bound"):
        shown.add_column(heading, justify="right")
    shown.add_column("verdict")
    for row in rows:
        style = {"over": "bold red", "within": "green"}.get(row.verdict, "")
        verdict = f"[{style}]{row.verdict}[/]" if style else ""
        bound = "" if row.bound is None else f"{row.bound:.3g}" if row.ratio is not None else f"{row.bound:,.0f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        shown.add_row(row.name, row.unit, _number(row.floor), _number(row.turnkit), ratio, bound, verdict)
    return shown


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _first_line(measure: Callable[[Effort], list[Row]]) -> str:
    return (measure.__doc__ or "").partition("\n")[0]


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for and print it; 1 if `--strict` and a row is over its bound, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What turnkit costs, against its floors. All of it takes about three minutes.",
        epilog="\n".join(f"{name}: {_first_line(measure)}" for name, measure in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small counts: seconds, and noisier")
    parser.add_argument("--json", action="store_true", help="one object a line, the environment first")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a row is over its bound")
    asked = parser.parse_args(arguments)
    console = Console()
    about = environment()
    if asked.json:
        print(msgspec.json.encode({"environment": about}).decode(), flush=True)
    rows = []
    for name in asked.only or BENCHMARKS:
        with console.status(name) if console.is_terminal and not asked.json else nullcontext():
            measured = BENCHMARKS[name](QUICK if asked.quick else FULL)
        rows += measured
        if asked.json:
            for row in measured:
                line = {**msgspec.structs.asdict(row), "verdict": row.verdict}
                print(msgspec.json.encode(line).decode(), flush=True)
    if not asked.json:
        console.print(table(rows))
        for row in rows:
            console.print(f"{row.name}: {row.how}", highlight=False, soft_wrap=True)
        console.print()
        for name, value in about.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    return 1 if asked.strict and any(row.verdict == "over" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
