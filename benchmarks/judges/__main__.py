"""`python -m benchmarks.judges`: bots judged by voicebench, from their sound, one after the other on the same script.

Each bot runs in an environment of its own: `--pipecat PYTHON` and `--livekit PYTHON` name the interpreters that have
theirs, and turnkit runs in this one, which wants `pip install -e '.[web,ear]' voicebench`; voicebench itself runs here
for turnkit, and there for the others. Real calls in real time: an idle machine, or the figures are the machine's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .bots import ROOT, TURNKIT, Bot, running, turnkit_bot
from .conversation import scenario, written
from .sounds import made


def bots(arguments: argparse.Namespace) -> Iterator[Bot]:
    """Those that were asked for."""
    yield from map(turnkit_bot, arguments.turnkit)
    if arguments.pipecat:
        yield Bot("Pipecat", arguments.pipecat, ["-m", "benchmarks.judges.pipecat_bot", "{port}"], ("pipecat", "/"))
    if arguments.livekit:
        yield Bot("LiveKit", arguments.livekit, ["-m", "benchmarks.judges.livekit_bot", "{port}"], ("websocket", "/"))


def judged(bot: Bot, scripts: list[Path], room: Path) -> list[dict[str, Any]]:
    """The turns of all calls, as voicebench's reports have them; the calls are held at once."""
    with running(bot, room / "bot.log") as port:
        adapter, path = bot.adapter
        calls = []
        for script in scripts:
            out = room / f"{script.stem}.report"
            command = [bot.python, "-m", "voicebench", "run", str(script), "-a", adapter, "--out", str(out), "-q"]
            command += ["--url", f"ws://127.0.0.1:{port}{path}"]
            calls.append((subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True), out))
        turns: list[dict[str, Any]] = []
        for process, out in calls:
            _, error = process.communicate()
            if process.returncode not in (0, 1):  # 1: a limit of the scenario, which has none
                raise SystemExit(f"voicebench: {error[-2000:]}")
            report = json.loads((out / "report.json").read_text())
            turns += [turn for one in report["sessions"] for turn in one["turns"]]
    return turns


def figures(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """What voicebench's turns come to; its own definitions."""
    by = {
        kind: [turn for turn in turns if turn["id"].startswith(kind)] for kind in ("ask", "interrupt", "cough", "hum")
    }
    heard = [turn for turn in by["interrupt"] if turn["stopped"] is not None]
    stops = [turn["stop_latency_ms"] for turn in heard if turn["stopped"]]
    answers = [turn["response_latency_ms"] for turn in by["ask"] if turn["response_latency_ms"] is not None]
    return {
        "questions": len(by["ask"]),
        "missed": sum(not turn["responded"] for turn in by["ask"]),
        "answer_ms": _quantiles(answers),
        "interruptions": len(by["interrupt"]),
        "stopped": sum(bool(turn["stopped"]) for turn in by["interrupt"]),
        "stop_ms": _quantiles(stops),
        "coughs": len(by["cough"]),
        "coughs_ignored": sum(turn["passed"] for turn in by["cough"]),
        "hums": len(by["hum"]),
        "hums_ignored": sum(turn["passed"] for turn in by["hum"]),
    }


def _quantiles(values: list[float]) -> list[float] | None:
    return [round(float(one)) for one in np.percentile(values, [50, 90, 100])] if values else None


def show(judgement: dict[str, dict[str, Any]]) -> None:
    """The table."""
    table = Table("bot", "stopped", "stop p50 / p90 / max, ms", "coughs", "mm-hm", "missed", "answer p50 / p90, ms")
    for name, one in judgement.items():
        stop, answer = (one[key] or ["–"] * 3 for key in ("stop_ms", "answer_ms"))
        table.add_row(
            name,
            f"{one['stopped']}/{one['interruptions']}",
            " / ".join(map(str, stop)),
            f"{one['coughs_ignored']}/{one['coughs']}",
            f"{one['hums_ignored']}/{one['hums']}",
            f"{one['missed']}/{one['questions']}",
            " / ".join(map(str, answer[:2])),
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judges", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="of a call: a question, an interruption, a noise each")
    parser.add_argument("--calls", type=int, default=4, help="at once")
    parser.add_argument("--turnkit", nargs="*", default=["quick", "patient"], choices=TURNKIT, help="turnkit's bots")
    parser.add_argument("--pipecat", metavar="PYTHON")
    parser.add_argument("--livekit", metavar="PYTHON")
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="recorded sentences (WAV) for questions and interruptions"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where voicebench's own reports stay")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    judgement = {}
    with TemporaryDirectory() as temporary:
        room = arguments.keep or Path(temporary)
        sounds = made(room / "sounds", speech=arguments.speech)
        scripts = [
            written(scenario(sounds, arguments.rounds, seed), room / f"call{seed}.yaml")
            for seed in range(1, arguments.calls + 1)
        ]
        for bot in bots(arguments):
            own = room / bot.name.replace(" ", "-").replace(",", "")
            own.mkdir(exist_ok=True)
            print(f"{bot.name}, judged by voicebench {version('voicebench')} …", file=sys.stderr)
            judgement[bot.name] = figures(judged(bot, scripts, own))
    if arguments.json:
        print(json.dumps(judgement, indent=1))
    else:
        show(judgement)


if __name__ == "__main__":
    main()
