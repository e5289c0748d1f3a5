"""Calls from a page in virtual time: a page in memory, which plays, tells what it has played, and may misbehave."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

import anyio

from tests.support.phone_calls import WORD, ScriptedFlux
from tests.support.sessions import script
from turnkit.errors import ConnectionFailed
from turnkit.interop import browser
from turnkit.session import Reply, Session
from turnkit.speaking import Sound
from turnkit.turns.events import Commit, ReplyEnded

RATE = 8000  # Hz, of the bot's voice
MICROPHONE = b"\x01\x02" * 320  # 20 ms


async def voice(text: str) -> Any:
    """A TTS: a word in WORD seconds, with its times."""
    for count, word in enumerate(text.split()):
        yield Sound(b"\x10\x10" * int(WORD * RATE), [(word, count * WORD, (count + 1) * WORD)])


class FakePage:
    """A page, and the server's end of its websocket.

    Attributes:
        frames: the text frames that came, each with the second of the call.
        heard: seconds of sound that were heard.
        messages: the data that the bot sent.
        code: the code with which the server closed; None until it did.
    """

    def __init__(self, *, latency: float = 0.0) -> None:
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.heard = 0.0
        self.messages: list[Any] = []
        self.code: int | None = None
        self.stuck = self.dead = self.mute = False
        self._latency = latency
        self._said: deque[str | bytes | None] = deque()
        self._more = anyio.Event()
        self._queued = self._played = 0.0
        self._epoch: int | None = None
        self._paused = False
        self._began = 0.0

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for _, frame in self.frames if frame["type"] != "message"]

    # The server's end -------------------------------------------------------------------------------------------------

    async def receive(self) -> str | bytes | None:
        while not self._said:
            self._more = anyio.Event()
            await self._more.wait()
        return self._said.popleft()

    async def send(self, frame: str | bytes, /) -> None:
        if self.stuck:
            await anyio.sleep(inf)
        if self.dead:
            raise ConnectionFailed("nobody is there")
        await anyio.sleep(self._latency)
        if isinstance(frame, bytes):
            self._queued += len(frame) / 2 / RATE
            return
        told = json.loads(frame)
        self.frames.append((anyio.current_time() - self._began, told))
        if told["type"] == "begin":
            assert told["rate"] == RATE
            self._epoch, self._queued, self._played, self._paused = told["epoch"], 0.0, 0.0, False
        elif told["type"] == "message":
            self.messages.append(told["data"])
        elif told["epoch"] == self._epoch:
            self._paused = told["type"] == "pause"
            self._epoch = None if told["type"] == "clear" else self._epoch

    async def close(self, code: int = 1000, /) -> None:
        self.code = self.code or code
        self.hang_up()

    # The page ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Speak, play and tell, 20 ms at a time, until the call is over."""
        self._began = anyio.current_time()
        told = 0.0
        while self.code is None and not self.dead:
            await anyio.sleep(0.02)
            if not self.mute:
                self.say(MICROPHONE)
            if self._epoch is None or self._paused:
                continue
            played = min(self._played + 0.02, self._queued)
            self.heard += played - self._played
            self._played = played
            if played != told:
                told = played
                self.say({"type": "played", "epoch": self._epoch, "played": played})

    def say(self, frame: Any) -> None:
        """Send a frame: text and bytes as they are, anything else as JSON."""
        self._say(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))

    def stop_playing(self) -> None:
        self._epoch = None

    def hang_up(self) -> None:
        self._say(None)

    def _say(self, message: str | bytes | None) -> None:
        self._said.append(message)
        self._more.set()

    def vanish(self) -> None:
        """Be gone: nothing can be sent here any more."""
        self.dead = True


class PageBot:
    """A bot that says one answer to all, and keeps how its replies ended."""

    def __init__(self, answer: str = "One two three four five six seven eight", **settings: Any) -> None:
        self.answer = answer
        self.settings = settings
        self.ends: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.told: list[Any] = []
        self.call: browser.Call | None = None

    def make_session(self, call: browser.Call) -> Session:
        self.call = call
        session = Session(respond=self.respond, speak=call.speaker(voice), **self.settings)
        session.on(ReplyEnded, lambda end: self.ends.append((end.outcome.value, end.heard)))
        session.on(Commit, lambda turn: self.said.append(turn.transcript))
        call.on_message(self.told.append)
        return session

    async def respond(self, reply: Reply) -> None:
        await reply.say(self.answer)


async def in_the_page(
    page: FakePage, bot: PageBot, flux: ScriptedFlux, *acts: float | Callable[[], object], **settings: Any
) -> None:
    """Hold one call; `acts` are seconds to wait and things to do meanwhile."""

    async def act() -> None:
        async for _ in script(*acts):
            pass

    failure: Exception | None = None
    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(page.run)
            tasks.start_soon(act)
            try:
                await browser.hold_call(page, bot.make_session, sample_rate=RATE, connect=flux.connect, **settings)
            except Exception as error:
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure  # as it came, in no group
