"""One call over a faulty Flux: a caller with a script, the simulator, the real client, a session and a bot."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

import anyio
from anyio.lowlevel import checkpoint

from tests.support.streams import connect_by
from turnkit.errors import TurnkitError
from turnkit.flux import FluxStream
from turnkit.session import Reply, Session
from turnkit.simulator import Script, marked_silence, serve
from turnkit.turns.events import (
    Commit,
    Event,
    Note,
    ReplyEnded,
    Signal,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnStalled,
)
from turnkit.wire import FluxOptions, TurnInfo

TALK = Script.parse("0.5 Alpha bravo delta echo.\n+3 Hotel india kilo lima.\n+3 Mike oscar papa romeo.")
"""What the caller says: three times four words, of which no two are alike."""

OPTIONS = FluxOptions(eager_eot_threshold=0.4, eot_threshold=0.7)
CHUNK = 0.08
TAIL = 4.0  # seconds for which the caller stays on the line in silence
STEP = 0.02  # seconds in which virtual time goes on at most
SETTLE = 3  # rounds of the loop in each, for the packets on their way
LATENCY = 0.2  # seconds from a commit to the first sound of its answer
SPEECH = 0.9  # seconds that an answer lasts
LIMIT = 180.0  # seconds of virtual time after which a call must be over

Words: TypeAlias = frozenset[str]


def words(text: str) -> Words:
    """The words of a text, without case and punctuation."""
    return frozenset("".join(letter for letter in word if letter.isalnum()).lower() for word in text.split())


@dataclass
class Seen:
    """What became of a call."""

    began: float = 0.0
    told: list[tuple[float, Event | Signal | ReplyEnded]] = field(default_factory=list)
    spoken: list[tuple[float, int, tuple[str, ...]]] = field(default_factory=list)  # when, reply, what it answers
    error: BaseException | None = None
    commands: list[object] = field(default_factory=list)  # what became of the caller's own, as they came back
    lost_audio: float = 0.0
    missed_messages: int = 0
    opened: float = 0.0  # when the first connection was there
    ended: float = 0.0
    closed: bool = False  # by the caller, who has said all there was to say
    left: list[str] = field(default_factory=list)  # what was still there when the call was over
    struck: list[str] = field(default_factory=list)
    refusals: int = 0
    attempts: int = 0  # connections that were opened or refused

    def of(self, *kinds: type) -> list[Any]:
        return [thing for _, thing in self.told if isinstance(thing, kinds)]

    @property
    def story(self) -> list[str]:
        """The losses, surprises and decisions in their order."""
        told = []
        for _, thing in self.told:
            if isinstance(thing, (StreamLost, StreamRestored, TurnStalled)):
                told.append(type(thing).__name__)
            elif isinstance(thing, Note):
                told.append(f"Note {thing.kind}")
            elif isinstance(thing, Commit):
                told.append(f"Commit {thing.trigger}")
            elif isinstance(thing, TurnDropped):
                told.append(f"TurnDropped {thing.reason}")
        return told


class _Ear:
    """Hears all that the session decides, in its order."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None = None) -> None:
        if isinstance(event, (StreamLost, StreamRestored)):
            self._seen.told.append((at, event))
        self.woken(at, signals)

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        self._seen.told += [(at, signal) for signal in signals]

    closed = woken

    def told(self, signal: Signal | ReplyEnded) -> None:
        self._seen.told.append((signal.at, signal))

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        pass

    def end(self) -> None:
        pass


Deed: TypeAlias = Callable[[FluxStream], Awaitable[object]]


async def hold_call(
    *faults: str,
    script: Script = TALK,
    deed: Deed | None = None,
    deed_at: float = 0.0,
    tail: float = TAIL,
    seed: int = 25,
    **bounds: Any,
) -> Seen:
    """Hold the call, and see that it ends. `deed` is done by the caller at second `deed_at`; `bounds` of `connect`."""
    seen = Seen()
    before, open_before = {task.id for task in anyio.get_running_tasks()}, _open_files()
    async with _small_steps(), serve(script, faults=faults, continues=True, seed=seed) as flux:
        seen.began = anyio.current_time()
        with anyio.fail_after(LIMIT):
            try:
                async with connect_by(Random(seed), OPTIONS, url=flux.url, **bounds) as stream:
                    seen.opened = anyio.current_time() - seen.began
                    try:
                        await _converse(stream, seen, script.end + tail, deed, deed_at)
                    finally:
                        seen.lost_audio = stream.lost_audio_seconds or 0.0
                        seen.missed_messages = stream.missed_messages
            except TurnkitError as error:
                seen.error = error
        seen.ended = anyio.current_time() - seen.began
        seen.struck = [str(injected.fault) for injected in flux.faults_injected]
        seen.refusals = len(flux.refusals)
        seen.attempts = len(flux.connections) + len(flux.refusals)
    for _ in range(10):
        await checkpoint()  # asyncio closes its sockets in the round after
    seen.left = [str(task.name) for task in anyio.get_running_tasks() if task.id not in before]
    seen.left += sorted(_open_files() - open_before)
    return seen


def _open_files() -> set[str]:
    """What this process has open, sockets among it; nothing where the system does not tell."""
    found = set()
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


async def _converse(stream: FluxStream, seen: Seen, seconds: float, deed: Deed | None, deed_at: float) -> None:
    async def respond(reply: Reply) -> None:
        await reply.say("So be it.")

    async def speak(reply: Reply, chunks: Any, playback: Any) -> None:
        async for text in chunks:
            await anyio.sleep(LATENCY)
            seen.spoken.append((anyio.current_time(), reply.id, (*reply.unanswered, reply.transcript)))
            playback.started()
            await anyio.sleep(SPEECH)
            playback.advance(text)

    session = Session(respond=respond, speak=speak)
    session.observe(_Ear(seen))

    async def talk() -> None:
        began = anyio.current_time()
        with suppress(TurnkitError):  # told by the session's run
            for count in range(round(seconds / CHUNK)):
                await anyio.sleep_until(began + (count + 1) * CHUNK)
                await stream.send_audio(marked_silence(CHUNK, start=count * CHUNK))
            seen.closed = True
            await stream.close()

    async def act() -> None:
        assert deed is not None
        await anyio.sleep(deed_at)
        try:
            seen.commands.append(await deed(stream))
        except TurnkitError as error:
            seen.commands.append(error)

    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talk)
        if deed is not None:
            tasks.start_soon(act)
        try:
            await session.run(stream)
        except TurnkitError as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def _small_steps() -> AsyncIterator[None]:
    """Let virtual time go on in small steps: a socket lives on real time, and is read between two of them."""

    async def tick() -> None:
        while True:
            await anyio.sleep(STEP)
            for _ in range(SETTLE):
                await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        yield
        group.cancel_scope.cancel()
