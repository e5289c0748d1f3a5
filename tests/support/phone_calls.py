"""Phone calls in virtual time: a fake phone in memory, a bot behind a line, and a Flux of a few events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from tests.support.sessions import script
from turnkit.errors import TurnkitError
from turnkit.interop import plivo, telnyx, twilio
from turnkit.interop.telephone import Call, CallEnd
from turnkit.session import Reply, Session
from turnkit.speaking import Sound
from turnkit.testing import FakePhone
from turnkit.turns.events import Commit, ReplyEnded
from turnkit.wire import FluxOptions

WORD = 0.25  # seconds
SERVICES: dict[str, Callable[..., Awaitable[CallEnd]]] = {
    "twilio": twilio.hold_call,
    "telnyx": telnyx.hold_call,
    "plivo": plivo.hold_call,
}


class ScriptedFlux:
    """What Flux would say, from the moment it is connected; keeps the caller's audio."""

    def __init__(self, *steps: object, delay: float = 0.0) -> None:
        self.audio = bytearray()
        self.options: FluxOptions | None = None
        self.closed = False
        self.steps = steps
        self._delay = delay

    @asynccontextmanager
    async def connect(self, options: FluxOptions) -> AsyncIterator[ScriptedFlux]:
        self.options = options
        await anyio.sleep(self._delay)
        try:
            yield self
        finally:
            self.closed = True

    def __aiter__(self) -> AsyncIterator[object]:
        return script(*self.steps, 1e6)

    async def send_audio(self, audio: bytes) -> None:
        if self.closed:
            raise TurnkitError("closed")
        self.audio += audio


async def mulaw_voice(text: str) -> AsyncIterator[Sound]:
    """A TTS that hums, mu-law at 8 kHz, a word in WORD seconds, with its times."""
    for count, word in enumerate(text.split()):
        yield Sound(b"\x2a" * int(WORD * 8000), [(word, count * WORD, (count + 1) * WORD)])


class PhoneBot:
    """A bot that says one answer to all, and keeps how its replies ended."""

    def __init__(self, answer: str = "One two three four five six seven eight", **settings: Any) -> None:
        self.answer = answer
        self.settings = settings
        self.ends: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.call: Call | None = None

    def make_session(self, call: Call) -> Session:
        self.call = call
        session = Session(respond=self.respond, speak=call.speaker(mulaw_voice), **self.settings)
        session.on(ReplyEnded, lambda end: self.ends.append((end.outcome.value, end.heard)))
        session.on(Commit, lambda turn: self.said.append(turn.transcript))
        return session

    async def respond(self, reply: Reply) -> None:
        await reply.say(self.answer)


async def on_the_phone(
    phone: FakePhone,
    bot: PhoneBot,
    flux: ScriptedFlux,
    *acts: object,
    service: str = "twilio",
    limit: float = 120.0,
    **settings: Any,
) -> CallEnd:
    """Hold one call; `acts` are seconds to wait and things to do meanwhile."""
    ends: list[CallEnd] = []

    async def act() -> None:
        async for _ in script(*acts):
            pass

    with anyio.fail_after(limit):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.call)
            tasks.start_soon(act)
            ends.append(await SERVICES[service](phone.websocket, bot.make_session, connect=flux.connect, **settings))
    return ends[0]
