"""What an ear costs, and how well the voice ear tells ends from pauses: in the figures of LiveKit's eot-bench.

    python -m benchmarks.ears [--turns 40] [--seed 0]

The first table: CPU time for each second of audio, sent as a phone sends it (mu-law at 8 kHz, 20 ms at a time), from
the bytes to the messages; and the memory of each further ear. The second: turns spoken by espeak-ng, with pauses put
in between phrases as long as those of `EOT_BENCH_LIKE`, so that it is known where pauses and ends are. It is synthetic
speech: nobody breathes, hums or trails off in it. A turn that ends in a pause is a cut-off; the latency is from the
last sound to EndOfTurn.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from math import log
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from tests.support.sounds import RATE, coded, silence, spoken
from turnkit.simulator import EOT_BENCH_LIKE, FRAME, Ear, Heard
from turnkit.simulator.ear import VoiceEar, make_ear
from turnkit.simulator.ear.hearing import HearingDetector
from turnkit.simulator.ear.player import EarPlayer
from turnkit.simulator.parameters import Settings, read_query

PHONE = "model=flux-general-en&encoding=mulaw&sample_rate=8000&eager_eot_threshold=0.5"
THRESHOLDS = tuple(hundredths / 100 for hundredths in range(50, 98))
PHRASES = ("I'd like", "a table for two", "my order", "near the window", "on Friday evening", "for Smith", "please")
VOICES = ("en-us", "en-gb-scotland", "en-gb-x-rp", "en-029")
AFTER = 4.0  # seconds of silence after a turn


class Turn(NamedTuple):
    """A spoken turn: its sound, the second at which it ends, and where its pauses begin and end."""

    sound: np.ndarray
    end: float
    pauses: list[tuple[float, float]]


def pause_of(chance: Random) -> float:
    """A pause as long as those of the population."""
    share = chance.random()
    for (low, more), (high, less) in pairwise(EOT_BENCH_LIKE.pauses):
        if share > less:
            return low + (high - low) * log(more / share) / log(more / less)
    return EOT_BENCH_LIKE.pauses[-1][0]


def turn_of(seed: int) -> Turn:
    """A turn of one phrase or more, with a pause between any two."""
    chance = Random(f"ear {seed}")
    parts = [silence(1.0)]
    pauses: list[tuple[float, float]] = []
    voice, pace = chance.choice(VOICES), chance.randint(140, 190)
    while True:
        parts.append(spoken(chance.choice(PHRASES), 0.3, voice=voice, words_a_minute=pace))
        if chance.random() >= EOT_BENCH_LIKE.goes_on:
            break
        begun = sum(map(len, parts)) / RATE
        pauses.append((begun, begun + pause_of(chance)))
        parts.append(silence(pauses[-1][1] - begun))
    end = sum(map(len, parts)) / RATE
    return Turn(np.concatenate([*parts, silence(AFTER)]), end, pauses)


def heard_of(turn: Turn, ear: Ear) -> list[Heard]:
    """What the ear makes of it, frame by frame: the same for every threshold."""
    audio = coded(turn.sound)
    stream, size = ear.open_stream(), round(2 * RATE * FRAME)
    return [stream.hear(audio[at : at + size]) for at in range(0, len(audio) - size + 1, size)]


def ends_of(heard: list[Heard], threshold: float, step: float) -> list[float]:
    """The seconds at which turns end at a threshold."""
    detector = HearingDetector(Settings(eot_threshold=threshold, eot_timeout_ms=5000), step=step)
    ends: list[float] = []
    for frame, one in enumerate(heard, start=1):
        detector.take(one)
        ends += [m["audio_window_end"] for m in detector.hear(frame * FRAME) if m["event"] == "EndOfTurn"]
    return ends


def figures_at(threshold: float, turns: list[Turn], heard: list[list[Heard]], step: float) -> tuple[float, float]:
    """The mean latency in seconds, and the share of pauses cut off."""
    latencies: list[float] = []
    cut = 0
    for turn, one in zip(turns, heard, strict=True):
        ends = ends_of(one, threshold, step)
        cut += sum(any(begin < end <= over + FRAME for end in ends) for begin, over in turn.pauses)
        latencies += [end - turn.end for end in ends if end > turn.end][:1]
    return sum(latencies) / len(latencies), cut / sum(len(turn.pauses) for turn in turns)


def crossing(points: list[tuple[float, float]], at: float) -> float | None:
    """The second value where the first comes to `at`, on the line between the two points beside it."""
    for (low, one), (high, other) in pairwise(sorted(points)):
        if low <= at <= high and low < high:
            return one + (other - one) * (at - low) / (high - low)
    return None


def tell_ends(turns: list[Turn]) -> None:
    """The second table."""
    ear = VoiceEar()
    heard = [heard_of(turn, ear) for turn in turns]
    points = [(threshold, *figures_at(threshold, turns, heard, ear.step)) for threshold in THRESHOLDS]
    pauses = sum(len(turn.pauses) for turn in turns)
    print(f"\n{len(turns)} turns, {pauses} pauses, espeak-ng\n\neot_threshold  mean latency  cut-offs")
    for threshold, latency, cut in points:
        if round(threshold * 100) in (50, 60, 70, 80, 90):
            print(f"{threshold:13.2f}  {latency * 1000:9.0f} ms  {cut:8.1%}")
    by_latency = [(latency, cut) for _, latency, cut in points]
    by_cut_offs = [(cut, latency) for _, latency, cut in points]
    for at in (0.3, 0.6):
        found = crossing(by_latency, at)
        print(f"cut-offs at {at * 1000:.0f} ms: {'not reached' if found is None else f'{found:.1%}'}")
    for at in (0.05, 0.1):
        found = crossing(by_cut_offs, at)
        print(f"latency at {at:.0%} cut-offs: {'not reached' if found is None else f'{found * 1000:.0f} ms'}")


def resident() -> float:
    """Megabytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * 4096 / 1e6


def tell_cost(name: str, turns: list[Turn], further: int) -> None:
    """A row of the first table."""
    ear = make_ear(name)
    settings = read_query(PHONE)
    audio = coded(np.concatenate([turn.sound for turn in turns]), "mulaw", 8000)
    player = EarPlayer(ear, settings, "r")
    spent = time.process_time()
    for at in range(0, len(audio), 160):
        player.take(audio[at : at + 160])
        player.hear(min(len(audio), at + 160) / 8000)
    spent = time.process_time() - spent
    before = resident()
    more = [EarPlayer(ear, settings, "r") for _ in range(further)]
    for one in more:
        one.take(audio[:8000])
        one.hear(1.0)
    each = (resident() - before) / further
    of_a_second = spent / (len(audio) / 8000)
    print(f"{name:6}  {of_a_second * 1000:7.0f} ms  {1 / of_a_second:14.0f}  {each:8.1f} MB")


def main() -> None:
    """Both tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=40)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    turns = [turn_of(given.seed * 1000 + number) for number in range(given.turns)]
    print("ear     CPU a second  ears on a core  memory of each")
    tell_cost("voice", turns[:6], 10)
    tell_cost("quick", turns[:6], 4)
    tell_cost("sphinx", turns[:3], 2)
    tell_ends(turns)


if __name__ == "__main__":
    main()
