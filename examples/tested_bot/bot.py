"""A bot that cancels bookings with a tool, written so that it can be tested: what it depends on is handed to it.

Its tests are in test_bot.py beside it; run them:   python -m pytest examples/tested_bot
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import anyio

from turnkit import HoldThenDecide, IgnoreBackchannels, Session, UserIdle
from turnkit.session import Reply
from turnkit.speaking import Speak


class Llm(Protocol):
    def stream(self, messages: Sequence[Mapping[str, Any]]) -> AsyncIterable[str | Tool]: ...


class Tool:
    """What the LLM gives besides words: it wants the booking cancelled."""


class BookingLine:
    """Answers questions about a booking, and cancels it when asked to."""

    def __init__(self, llm: Llm, cancel: Callable[..., Awaitable[object]], speak: Speak, *, call_id: str) -> None:
        self.session = Session(
            respond=self.respond,
            speak=speak,
            barge_in=HoldThenDecide(IgnoreBackchannels()),
            idle_timeout=8.0,
            id=call_id,
        )
        self.session.on(UserIdle, self.reprompt)
        self._llm = llm
        self._cancel = cancel
        self._desk = anyio.Lock()

    def reprompt(self, idle: UserIdle) -> None:
        """Ask once into a silence, not again and again."""
        if idle.count == 1:
            self.session.initiate("Are you still there?")

    async def respond(self, reply: Reply) -> None:
        async with self._desk:  # the outcome of what an interrupted reply is still finishing is known after it
            messages = reply.messages
        async for token in self._llm.stream(messages):
            if isinstance(token, Tool):
                await self.use_tool(reply)
            else:
                await reply.say(token)

    async def use_tool(self, reply: Reply) -> None:
        """Not for a draft, and not by halves: a barge-in ends the speech and leaves the cancellation alone."""
        async with reply.must_finish(), self._desk:
            with self.session.busy():
                await self._cancel(key=reply.key)
            self.session.remember({"role": "tool", "content": "The booking is cancelled."})
            self.session.context_changed()


class Careless(BookingLine):
    """The same bot with a mistake in it, such as happens: its tool does not wait for the turn to be final."""

    async def use_tool(self, reply: Reply) -> None:
        await self._cancel(key=reply.key)  # a caller who goes on with "... no, don't!" is too late
        await reply.committed()
