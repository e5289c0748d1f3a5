"""A whole conversation with a bot, on virtual time: the caller calls, the session answers, and all is written down."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import update_wrapper
from typing import Any

import anyio

from ..errors import ConfigError
from ..session import Reply, Respond, Session
from ..session.callables import awaited
from ..speaking import Playback, Speak
from ..turns.events import (
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    Signal,
)
from .caller import Caller
from .conversation import Conversation
from .rehearsal_context import CONVERSATION, REPLY
from .virtual_clock import Backend, run

Bot = Session | Callable[[], Session]
Runs = Callable[[AsyncIterable[object]], Awaitable[object]]


def rehearse(
    bot: Bot,
    caller: str | Caller | AsyncIterable[object],
    *,
    run_call: Runs | None = None,
    limit: float = 600.0,
    backend: Backend = "asyncio",
) -> Conversation:
    """Hold a conversation on virtual time, from a plain test; a minute of talk takes a few milliseconds.

    Args:
        bot: A session that has not run, or a function that makes one.
        caller: A script, a `Caller`, or any source that a session takes.
        run_call: What is called with the source instead of `session.run`, if the bot does more in a call than that.
        limit: Seconds of virtual time after which the call must be over. Default 600.
        backend: `asyncio`, the default, or `trio`.

    Returns:
        What came of it.

    Raises:
        RehearsalFailed: It is not over within the limit, the agent never does what the caller waits for, or tasks go
            round without letting virtual time pass; with the conversation as far as it came.
        ConfigError: What is given is no bot or no script.
    """

    async def whole() -> Conversation:
        return await converse(bot, caller, run_call=run_call, limit=limit)

    return run(whole, backend=backend, limit=limit + 3600.0)


async def converse(
    bot: Bot,
    caller: str | Caller | AsyncIterable[object],
    *,
    run_call: Runs | None = None,
    limit: float = 600.0,
) -> Conversation:
    """Hold a conversation, in an async test; best on virtual time.

    Args:
        bot: A session that has not run, or a function that makes one.
        caller: A script, a `Caller`, or any source that a session takes.
        run_call: What is called with the source instead of `session.run`, if the bot does more in a call than that.
        limit: Seconds after which the call must be over. Default 600.

    Returns:
        What came of it.

    Raises:
        RehearsalFailed: It is not over within the limit, or the agent never does what the caller waits for; with the
            conversation as far as it came.
        ConfigError: What is given is no bot or no script.
    """
    if not isinstance(bot, Session) and not callable(bot):
        raise ConfigError(f"bot={type(bot).__name__}: must be a Session, or a function that makes one")
    session = bot if isinstance(bot, Session) else bot()
    if not isinstance(session, Session):
        raise ConfigError(f"bot() gave {type(session).__name__}: must be a Session")
    source = Caller(caller) if isinstance(caller, str) else caller
    conversation = Conversation(session)
    with _listening(session, conversation):
        with anyio.move_on_after(limit) as scope:
            async with aclosing(_said(source, conversation)) as said:
                await (run_call or session.run)(said)
        conversation.end(in_time=not scope.cancelled_caught, limit=limit)
    return conversation


def _said(source: Caller | AsyncIterable[object], conversation: Conversation) -> AsyncGenerator[object]:
    return source.call(conversation) if isinstance(source, Caller) else _passed_on(source)


async def _passed_on(source: AsyncIterable[object]) -> AsyncGenerator[object]:
    async for item in source:
        yield item


@contextmanager
def _listening(session: Session, conversation: Conversation) -> Iterator[None]:
    """Hear all that the session signals and whatever is reported as heard, before anybody else does."""
    session.intercept(_Listener(conversation))
    session.on_error(conversation.host_failed)
    token = CONVERSATION.set(conversation)
    try:
        yield
    finally:
        CONVERSATION.reset(token)


class _Listener:
    """The conversation's ear between the session and the bot."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def signalled(self, signal: Signal | ReplyEnded, reply: Reply | None) -> None:
        if reply is not None:
            self._conversation.met(reply)
        self._conversation.signalled(signal)

    def reported(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        if not isinstance(event, PlaybackFinished):
            self._conversation.hears(event.reply, event.heard if isinstance(event, PlaybackAdvanced) else None)

    def responding(self, respond: Respond) -> Respond:
        stand_in: Respond = _named(respond, _ObservedRespond(respond, self._conversation))
        return stand_in

    def speaking(self, speak: Speak) -> Speak:
        stand_in: Speak = _named(speak, _ObservedSpeak(speak, self._conversation))
        return stand_in


def _named(original: Any, stand_in: Any) -> Any:
    """The stand-in under the name of the original, as reports of failures have it."""
    update_wrapper(stand_in, original, assigned=("__module__", "__name__", "__doc__"), updated=())
    stand_in.__qualname__ = getattr(original, "__qualname__", type(original).__qualname__)
    return stand_in


class _ObservedRespond:
    """A `respond` whose reply is known in its tasks."""

    def __init__(self, respond: Respond, conversation: Conversation) -> None:
        self._respond = respond
        self._conversation = conversation

    async def __call__(self, reply: Reply) -> object:
        REPLY.set(reply)  # of this task, which is the reply's own, and of those that it begins
        return await awaited(self._respond, reply)


class _ObservedSpeak:
    """A `speak` whose reports are written down."""

    def __init__(self, speak: Callable[..., Awaitable[object]], conversation: Conversation) -> None:
        self._speak = speak
        self._conversation = conversation

    async def __call__(self, reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
        await awaited(self._speak, reply, chunks, _ObservedPlayback(reply.id, playback, self._conversation))
        said = getattr(chunks, "said", "")
        if said and not self._conversation.heard_of.get(reply.id):
            # It reported nothing, so all that it was given counts as heard.
            self._conversation.hears(reply.id, said)


class _ObservedPlayback:
    """A playback that passes on what is reported to it, and writes it down."""

    def __init__(self, reply: int, playback: Playback, conversation: Conversation) -> None:
        self._reply = reply
        self._playback = playback
        self._conversation = conversation

    @property
    def held(self) -> bool:
        return self._playback.held

    def started(self) -> None:
        self._playback.started()
        self._conversation.hears(self._reply, None)

    def advance(self, text: str) -> None:
        self._playback.advance(text)
        self._conversation.hears(self._reply, text)

    async def wait_held(self) -> None:
        await self._playback.wait_held()

    async def wait_resumed(self) -> None:
        await self._playback.wait_resumed()
