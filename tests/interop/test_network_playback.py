"""The playback of a far loudspeaker, against one that is simulated: every order of what is told and what comes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from turnkit.interop.network_playback import Frame, NetworkPlayback

RATE = 100  # samples a second, of a byte each: the value of a sample is its place in the reply
LEAD = 0.5
LONGEST = 250  # samples of a reply


class Words:
    """A dialect that says in words what is to be done."""

    def __init__(self, *, pauses: bool) -> None:
        self.pauses = pauses

    def begin(self, epoch: int) -> Iterable[Frame]:
        return [f"begin {epoch}"]

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        return [f"audio {epoch} {audio.hex()}", f"mark {epoch} {until:.6f}"]

    def clear(self, epoch: int) -> Iterable[Frame]:
        return ["clear"]

    def pause(self, epoch: int) -> Iterable[Frame] | None:
        return ["pause"] if self.pauses else None

    def resume(self, epoch: int) -> Iterable[Frame]:
        return ["resume"]


@dataclass
class Peer:
    """A loudspeaker that plays in real time, echoes marks once they are played or dropped, and forgets nothing."""

    queue: list[str] = field(default_factory=list)
    heard: list[tuple[int, int]] = field(default_factory=list)  # reply and place of each sample
    echoes: list[tuple[int, float]] = field(default_factory=list)  # on their way back
    paused: bool = False
    reply: int = 0
    epoch: int = 0

    def take(self, frame: Frame) -> None:
        kind, *rest = str(frame).split()
        if kind == "clear":
            dropped, self.queue, self.paused = self.queue, [], False
            self.echoes += [mark_of(item) for item in dropped if item.startswith("mark")]
        elif kind in ("pause", "resume"):
            assert self.paused == (kind == "resume")
            self.paused = kind == "pause"
        elif kind == "begin":
            assert int(rest[0]) > self.epoch
            self.epoch = int(rest[0])
        elif kind == "audio":
            assert int(rest[0]) == self.epoch
            self.queue += [f"sample {place}" for place in bytes.fromhex(rest[1])]
        else:
            self.queue.append(str(frame))

    def play(self, samples: int) -> None:
        while self.queue and not self.paused:
            item = self.queue[0]
            if item.startswith("mark"):
                self.echoes.append(mark_of(item))
            elif not samples:
                return
            else:
                self.heard.append((self.reply, int(item.split()[1])))
                samples -= 1
            del self.queue[0]

    def heard_of(self, reply: int) -> int:
        return max((place + 1 for of, place in self.heard if of == reply), default=0)


def mark_of(item: str) -> tuple[int, float]:
    _, epoch, until = item.split()
    return int(epoch), float(until)


class World:
    """A playback and its peer, and what must hold of them at every moment."""

    def __init__(self, *, pauses: bool, interpolation: float = 0.0) -> None:
        self.playback = NetworkPlayback(
            Words(pauses=pauses), sample_rate=RATE, sample_width=1, lead=LEAD, interpolation=interpolation
        )
        self.peer = Peer()
        self.ticks = 0
        self.reply = self.queued = 0
        self.silent = True
        self.told = 0.0
        self.slack = interpolation  # seconds that may count as played though they were not
        self.lost = set[int]()  # epochs of which an echo was lost

    @property
    def now(self) -> float:
        return self.ticks / 100

    def send(self) -> None:
        while (frame := self.playback.next_frame(self.now)) is not None:
            if str(frame).startswith("audio"):
                assert not self.silent
                assert not self.playback.paused
                self.peer.reply = self.reply
            self.peer.take(frame)
        assert len(self.peer.queue) == 0 or self.in_flight() <= LEAD * RATE
        assert self.playback.wait(self.now) > 0

    def in_flight(self) -> int:
        return sum(item.startswith("sample") for item in self.peer.queue)

    def look(self) -> None:
        played = self.playback.played(self.now)
        assert played >= self.told
        assert played * RATE <= self.peer.heard_of(self.reply) + self.slack * RATE + 1e-6
        assert played * RATE <= self.queued + 1e-6
        self.told = played

    def do(self, step: str, number: int) -> None:
        playback = self.playback
        if step == "begin":
            playback.begin(self.now)
            self.reply, self.queued, self.silent, self.told = self.reply + 1, 0, False, 0.0
        elif step == "queue":
            count = min(number, LONGEST - self.queued)
            playback.queue(bytes(range(self.queued, self.queued + count)))
            self.queued += 0 if self.silent else count
        elif step == "clear":
            playback.clear(self.now)
            self.silent = True
        elif step in ("pause", "resume"):
            getattr(playback, step)(self.now)
        elif step == "tick":
            for _ in range(number):
                self.ticks += 1
                self.peer.play(1)
                self.look()
        elif self.peer.echoes:
            epoch, until = self.peer.echoes.pop(number % len(self.peer.echoes))
            if step == "echo":
                current = epoch == playback.epoch and not self.silent
                told = playback.acknowledge(epoch, until, self.now)
                assert current or not told
            else:
                self.lost.add(epoch)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["begin", "queue", "queue", "clear", "pause", "resume", "tick", "tick", "echo", "echo", "lose"]
        ),
        st.integers(0, 60),
    ),
    max_size=60,
)


@given(STEPS, st.booleans(), st.sampled_from([0.0, 0.1]))
@settings(max_examples=tries(400), deadline=None)
def test_every_order(steps: list[tuple[str, int]], pauses: bool, interpolation: float) -> None:
    """Never more counts as played than was heard; nothing is skipped, or heard after a clear; too much is never sent.

    When no more comes, and the peer is resumed and says what it played, all of the reply has been played. What is
    lost of that may hold it up, and does nothing else.
    """
    world = World(pauses=pauses, interpolation=interpolation)
    for step, number in [("begin", 0), *steps]:
        world.do(step, number)
        world.send()
        world.look()
    frontiers: dict[int, int] = {}
    world.do("resume", 0)
    for _ in range(600):
        world.send()
        world.do("tick", 1)
        while world.peer.echoes:
            world.do("echo", 0)
    if not world.silent and world.playback.epoch not in world.lost:
        assert world.playback.played(world.now) == pytest.approx(world.queued / RATE)
        assert world.playback.wait(world.now) == inf
    assert not world.in_flight()
    for reply, place in world.peer.heard:
        assert place <= frontiers.get(reply, 0)
        frontiers[reply] = max(frontiers.get(reply, 0), place + 1)


@given(STEPS, st.lists(st.tuples(st.integers(-2, 9), st.floats()), min_size=1))
@settings(max_examples=tries(100), deadline=None)
def test_a_peer_that_lies_is_bounded(steps: list[tuple[str, int]], lies: list[tuple[int, float]]) -> None:
    """Whatever it acknowledges, no more is sent than real time and the lead allow, nor counts as played."""
    world = World(pauses=False)
    world.slack = inf
    world.do("begin", 0)
    since, sent = world.now, 0
    for step, number in steps:
        if step == "begin":
            since, sent = world.now, 0
        world.do(step if step != "lose" else "tick", number)
        for epoch, played in lies:
            world.playback.acknowledge(epoch, played, world.now)
        while (frame := world.playback.next_frame(world.now)) is not None:
            sent += len(str(frame).split()[2]) // 2 if str(frame).startswith("audio") else 0
        assert 0 <= world.playback.played(world.now) <= world.now - since + 1e-6
        if not any(step == "pause" for step, _ in steps):  # after which something is sent again
            assert sent <= (world.now - since + LEAD) * RATE + 1e-6


@pytest.mark.parametrize("junk", [None, "1", [], {}, b"", object(), -1.0, float("nan"), inf, -inf, True])
def test_junk_is_no_acknowledgement(junk: object) -> None:
    """Neither as an epoch nor as a time, but that of the audio which is out."""
    world = World(pauses=False)
    world.do("begin", 0)
    world.do("queue", 50)
    world.send()
    world.do("tick", 20)
    assert not world.playback.acknowledge(world.playback.epoch, junk, world.now)
    assert not world.playback.acknowledge(junk, 0.02, world.now) or junk is True
    assert world.playback.played(world.now) <= 0.02
    assert world.playback.acknowledge(world.playback.epoch, 0.12, world.now)
    assert world.playback.played(world.now) == pytest.approx(0.12)


def test_between_acknowledgements_the_clock_runs_on_as_far_as_it_may() -> None:
    """From the last one that showed the peer moving, by the interpolation at most, and not beyond what was sent."""
    world = World(pauses=True, interpolation=0.1)
    playback = world.playback
    world.do("begin", 0)
    world.do("queue", 30)
    world.send()
    assert [playback.played(at) for at in (0.0, 0.5)] == [0.0, 0.0]
    playback.acknowledge(1, 0.12, 0.15)
    assert [playback.played(at) for at in (0.15, 0.2, 0.3)] == pytest.approx([0.12, 0.17, 0.22])
    playback.acknowledge(1, 0.25, 0.32)
    assert [playback.played(at) for at in (0.32, 0.36, 0.5)] == pytest.approx([0.25, 0.29, 0.3])


def test_a_clear_overtakes_what_waits() -> None:
    """What was posted before it, and the rest of the audio, its mark included."""
    world = World(pauses=False)
    playback = world.playback
    world.do("begin", 0)
    world.do("queue", 100)
    assert [playback.next_frame(0.0) for _ in range(2)] == ["begin 1", "audio 1 0001"]
    playback.post("hello")
    playback.clear(0.0)
    assert [playback.next_frame(0.0) for _ in range(3)] == ["clear", "hello", None]


def test_what_was_not_sent_is_not_cleared() -> None:
    """Nor what has been played to its end: a peer that plays nothing is told nothing."""
    world = World(pauses=False)
    world.do("begin", 0)
    world.do("queue", 10)
    world.do("clear", 0)
    assert world.playback.next_frame(0.0) is None
    world.do("begin", 0)
    world.do("queue", 2)
    world.send()
    world.do("tick", 2)
    world.do("echo", 0)
    world.do("clear", 0)
    assert world.playback.next_frame(world.now) is None
