"""Calls to read by the thousand: a session's recordings of what the simulator's detector made of scripts.

Each is some ninety seconds long, of about ten utterances, a third of them with a pause; the agent answers after 0.7 s
for three seconds, with progress four times a second, and some callers talk over it. `corpus` deals them out under as
many ids as are asked for.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from turnkit import FluxOptions, MinWords, OnEager, TurnMachine, decode, to_event
from turnkit.simulator.detector import Detector
from turnkit.simulator.parameters import Settings
from turnkit.simulator.script import Script, Utterance, say
from turnkit.trace import Recorder
from turnkit.turns.events import BargeIn, Commit, Event, PlaybackAdvanced, PlaybackFinished, PlaybackStarted, Speculate

EOT, EAGER, TIMEOUT_MS = 0.7, 0.4, 5000
DIFFERENT = 200
"""How many different calls there are; the rest are these under other ids."""

_BEGINNINGS = ("I'd like", "Could you", "Please", "I was wondering", "Maybe we", "My name is", "We need", "It's about")
_MIDDLES = ("a table", "the booking", "two rooms", "an appointment", "my order", "the invoice", "some help", "a refund")
_ENDS = ("for tomorrow", "on Friday evening", "as soon as possible", "under Smith", "near the station", "if you can")
_OVER = ("mm-hm.", "yeah.", "no wait, that is wrong.", "sorry, one moment.")
_ANSWER = "Of course, let me look that up for you, and I will be with you in just a moment"


def script(seed: int) -> Script:
    """What one caller says, and when."""
    chance = Random(f"scale {seed}")
    utterances: list[Utterance] = []
    at = 1.0
    for _ in range(chance.randint(7, 10)):
        pause = f"({chance.lognormvariate(-0.5, 0.6):.2f})" if chance.random() < 0.35 else ""
        words = f"{chance.choice(_BEGINNINGS)} {chance.choice(_MIDDLES)} {pause} {chance.choice(_ENDS)}"
        utterances.append(say(words + chance.choice((".", ".", "?", "")), at=at))
        if chance.random() < 0.2:
            utterances.append(say(chance.choice(_OVER), at=utterances[-1].end + 2.5))
        at = utterances[-1].end + chance.uniform(6.0, 8.0)
    return Script(tuple(utterances), seed=seed)


class _Recorded:
    """A call in which a machine hears a script, and an agent answers it; everything goes to a recorder."""

    def __init__(self, recorder: Recorder, began: str, name: str) -> None:
        settings = {"barge_in": MinWords(2), "speculation": OnEager()}
        self.machine = TurnMachine(barge_in=MinWords(2), speculation=OnEager())
        self.recorder = recorder
        options = FluxOptions(eot_threshold=EOT, eager_eot_threshold=EAGER, eot_timeout_ms=TIMEOUT_MS)
        recorder.begin(name, began, 0.0, settings, options=options)
        self.agent: list[tuple[float, Event]] = []

    def feed(self, at: float, event: Event) -> None:
        while self.agent and self.agent[0][0] < at:
            self._feed(*self.agent.pop(0))
        self._feed(at, event)

    def _feed(self, at: float, event: Event) -> None:
        while (deadline := self.machine.deadline) is not None and deadline < at:
            self.recorder.woken(deadline, self.machine.wake(deadline))
        signals = self.machine.feed(event, at)
        self.recorder.fed(at, event, signals)
        for signal in signals:
            if isinstance(signal, (Speculate, Commit)) and not getattr(signal, "speculative", False):
                self.recorder.fact(at + 0.0, "FirstChunk", reply=signal.reply)
            if isinstance(signal, Commit):
                self._answer(signal.reply, at + 0.7)
            elif isinstance(signal, BargeIn):
                self.agent = [(at, PlaybackFinished(signal.reply))]

    def _answer(self, reply: int, at: float) -> None:
        words = _ANSWER.split()
        heard = [(at + 0.2 * n, PlaybackAdvanced(reply, " ".join(words[:n]))) for n in range(1, len(words) + 1)]
        self.agent = [(at, PlaybackStarted(reply)), *heard, (heard[-1][0] + 0.1, PlaybackFinished(reply))]

    def close(self, at: float) -> None:
        self.recorder.closed(at, self.machine.close(at))
        self.recorder.end()


def record(path: Path, seed: int) -> None:
    """Write one call."""
    said = script(seed)
    settings = Settings(eot_threshold=EOT, eager_eot_threshold=EAGER, eot_timeout_ms=TIMEOUT_MS)
    began = f"2026-11-{1 + seed % 28:02}T{seed % 24:02}:{seed % 60:02}:00.000+00:00"
    call = _Recorded(Recorder(path), began, f"call {seed}")
    at = 0.0
    for frame in Detector(said, settings).hear(said.end + 6.5):
        event = to_event(decode(json.dumps(frame)))
        if event is not None:
            at = frame["audio_window_end"] + 0.1
            call.feed(at, event)
    call.close(at + 1.0)


def corpus(folder: Path, calls: int, *, packed: bool = False) -> float:
    """Write so many calls, a thousand a directory, with ids of their own; the mean size of one in bytes.

    Args:
        folder: Where to.
        calls: How many.
        packed: Whether to gzip each.
    """
    with TemporaryDirectory() as scratch:
        bodies: list[bytes] = []
        for seed in range(min(DIFFERENT, calls)):
            path = Path(scratch) / f"{seed}.jsonl"
            record(path, seed)
            bodies.append(path.read_bytes())
    # The header apart from what follows it, which is packed once: a gzip file may have several members.
    headers, rests = zip(*(body.split(b"\n", 1) for body in bodies), strict=True)
    if packed:
        rests = tuple(gzip.compress(rest, 6) for rest in rests)
    for number in range(calls):
        seed = number % len(bodies)
        header = (
            headers[seed].replace(f'"session":"call {seed}"'.encode(), f'"session":"call {number}"'.encode()) + b"\n"
        )
        into = folder / f"{number // 1000:03}"
        into.mkdir(parents=True, exist_ok=True)
        name = f"{number:06}.jsonl" + (".gz" if packed else "")
        (into / name).write_bytes((gzip.compress(header) if packed else header) + rests[seed])
    return sum(map(len, bodies)) / len(bodies)
