"""How fast recorded calls are replayed, on one core and on several, and how that grows with the number of calls.

    python -m benchmarks.replay [CALLS ...]

Makes a corpus of different calls in a temporary directory, five minutes of talk each, and replays it through the
command's own machinery: files in, verdicts out.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter

from turnkit import EagerEndOfTurn, EndOfTurn, MinWords, StartOfTurn, TurnMachine, TurnResumed, Update
from turnkit.cli.many_files import each
from turnkit.trace import Recorder
from turnkit.trace.summary import ReplayFinding, ReplaySummary, summarize
from turnkit.turns.events import Commit, Event, PlaybackAdvanced, PlaybackFinished, PlaybackStarted

CALL_SECONDS = 300.0
STEP_SECONDS = 0.24  # Flux sends an Update about four times a second
SAID = "well I would like to book a table for two people tomorrow evening at eight if that is possible"
WORDS = SAID.split(" ")
SETTINGS = {"barge_in": MinWords(2)}


class Caller:
    """Says something, waits for the answer, and sometimes talks over it; everything goes to a machine and a file."""

    def __init__(self, path: Path, seed: int) -> None:
        self.random = Random(seed)
        self.machine = TurnMachine(barge_in=MinWords(2))
        self.recorder = Recorder(path)
        self.recorder.begin(f"call-{seed}", "", 0.0, SETTINGS)
        self.at = 0.0
        self.turn = 0
        self.reply: int | None = None
        self.heard = 0

    def feed(self, event: Event) -> None:
        while (deadline := self.machine.deadline) is not None and deadline < self.at:
            self.recorder.woken(deadline, self.machine.wake(deadline))
        signals = self.machine.feed(event, self.at)
        self.recorder.fed(self.at, event, signals)
        for signal in signals:
            if isinstance(signal, Commit):
                self.reply, self.heard = signal.reply, 0

    def wait(self) -> None:
        self.at += STEP_SECONDS * self.random.uniform(0.9, 1.1)
        if self.reply is not None:
            self.heard += 1
            if self.heard == 3:
                self.feed(PlaybackStarted(self.reply))
            elif 3 < self.heard < 20:
                self.feed(PlaybackAdvanced(self.reply, " ".join(WORDS[: self.heard - 3])))
            elif self.heard == 20:
                self.feed(PlaybackFinished(self.reply))
                self.reply = None

    def hold(self) -> None:
        while self.at < CALL_SECONDS:
            for _ in range(self.random.randint(2, 25)):
                self.wait()
                self.feed(Update(self.turn, "", 0.8, self.at))
            self.say(self.random.sample(WORDS, self.random.choice([1, 4, 9, 15])))
        self.recorder.closed(self.at, self.machine.close(self.at))
        self.recorder.end()

    def say(self, words: list[str]) -> None:
        for count in range(1, len(words) + 1):
            self.wait()
            text = " ".join(words[:count])
            self.feed((StartOfTurn if count == 1 else Update)(self.turn, text, 0.1, self.at))
            if self.random.random() < 0.1:
                self.wait()
                self.feed(EagerEndOfTurn(self.turn, text, 0.5, self.at))
                self.wait()
                self.feed(TurnResumed(self.turn, text, 0.2, self.at))
        self.wait()
        self.feed(EagerEndOfTurn(self.turn, text, 0.5, self.at))
        self.wait()
        self.feed(EndOfTurn(self.turn, text, 0.8, self.at, "model"))
        self.turn += 1


def lost(path: str, problem: str) -> ReplaySummary:
    """None is."""
    raise AssertionError(f"{path}: {problem}")


def measure(paths: list[str], jobs: int) -> tuple[float, int]:
    """Seconds, and events replayed; every call must come out as recorded."""
    began = perf_counter()
    results = list(each(partial(summarize, settings={}), paths, jobs, "", quiet=True, lost=lost))
    seconds = perf_counter() - began
    assert {result.finding for result in results} == {ReplayFinding.SAME}, "a call came out differently"
    return seconds, sum(result.events for result in results)


def main(counts: list[int]) -> None:
    """Make the corpus, print a row for each size and number of processes."""
    cores = sorted({1, min(2, os.cpu_count() or 1), os.cpu_count() or 1})
    with TemporaryDirectory() as folder:
        paths = []
        for seed in range(max(counts)):
            Caller(path := Path(folder) / f"{seed:05}.jsonl", seed).hold()
            paths.append(str(path))
        size = sum(Path(path).stat().st_size for path in paths) / len(paths)
        print(f"calls of {CALL_SECONDS:.0f} s, {size / 1000:.0f} kB each")
        print(f"{'calls':>6} {'cores':>6} {'seconds':>8} {'events/s':>10} {'calls/s':>8} {'x real time':>12}")
        for count in counts:
            for jobs in cores:
                seconds, events = measure(paths[:count], jobs)
                rate = f"{events / seconds:10.0f} {count / seconds:8.0f} {count * CALL_SECONDS / seconds:12.0f}"
                print(f"{count:6} {jobs:6} {seconds:8.2f} {rate}")


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [100, 400, 1600])
