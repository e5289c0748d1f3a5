"""A call with a real AgentSession of LiveKit's, turnkit inside, a simulated caller, and sound in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from livekit.agents import Agent, AgentSession

from tests.support.examples import load
from turnkit import FluxOptions, Session
from turnkit.interop import livekit
from turnkit.simulator import Script, serve
from turnkit.turns.events import SIGNALS, ReplyEnded

bot = load("livekit_bot")

Meanwhile = Callable[["LivekitCall"], Awaitable[object]]


class Listener(Agent):
    """An agent that says nothing unasked, or a greeting."""

    def __init__(self, greeting: str = "", *, protected: bool = False) -> None:
        super().__init__(instructions="Listen.")
        self.greeting = greeting
        self.protected = protected

    async def on_enter(self) -> None:
        if self.greeting:
            self.session.say(self.greeting, allow_interruptions=not self.protected)


class LivekitCall:
    """What happened in a call.

    Attributes:
        agent_session: LiveKit's.
        stt: turnkit's speech-to-text.
        sessions: turnkit's, in the order in which LiveKit asked for streams.
        signals: what they signalled.
        llm: that was asked.
        loudspeaker: that played.
        items: the messages of LiveKit's history, as (role, text, whether interrupted), as they came.
        interims: the words of the user that LiveKit was shown.
        errors: what was logged as an error.
        reason: why LiveKit closed the session; None before.
        speaks: whether the agent has been heard.
    """

    def __init__(self) -> None:
        self.agent_session: AgentSession[Any]
        self.stt: livekit.STT
        self.sessions: list[Session] = []
        self.signals: list[Any] = []
        self.llm = bot.EchoLLM()
        self.loudspeaker = bot.Loudspeaker()
        self.items: list[tuple[str, str, bool]] = []
        self.interims: list[str] = []
        self.errors: list[str] = []
        self.reason: Any = None
        self.speaks = asyncio.Event()
        self.loudspeaker.on("playback_started", lambda _: self.speaks.set())

    def of(self, kind: type) -> list[Any]:
        """The signals of a kind."""
        return [signal for signal in self.signals if isinstance(signal, kind)]

    @property
    def user(self) -> list[str]:
        """What LiveKit's history has of the user."""
        return [text for role, text, _ in self.items if role == "user"]

    @property
    def played(self) -> list[str]:
        """What the loudspeaker did, in order."""
        return [what for _, what, _ in self.loudspeaker.events]

    @property
    def heard(self) -> list[str]:
        """What was heard of each stretch of speech."""
        return [heard for _, what, heard in self.loudspeaker.events if what in ("end", "cut")]

    def watched(self, make: Callable[[], Session]) -> Callable[[], Session]:
        """The factory, of which each session is kept and listened to."""

        def session() -> Session:
            made = make()
            self.sessions.append(made)
            for kind in (*SIGNALS, ReplyEnded):
                made.on(kind, self.signals.append)
            return made

        return session

    def item(self, event: Any) -> None:
        """LiveKit's history has grown."""
        if event.item.type == "message":
            self.items.append((event.item.role, event.item.text_content or "", event.item.interrupted))


class _Errors(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(self.format(record))


@contextmanager
def _errors_logged(errors: list[str]) -> Iterator[None]:
    handler = _Errors(errors)
    loggers = [logging.getLogger(), logging.getLogger("livekit.agents"), logging.getLogger("livekit")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


async def hold(
    script: str,
    *,
    session: Callable[[], Session] = Session,
    agent: Agent | None = None,
    faults: Iterable[str] = (),
    seed: int = 1,
    after: float = 8.0,
    eager: float | None = 0.4,
    llm_delay: float = 0.2,
    meanwhile: Meanwhile | None = None,
    call: LivekitCall | None = None,
    settings: dict[str, Any] | None = None,
    **connection: Any,
) -> LivekitCall:
    """Hold a call until `after` seconds after the caller's last word."""
    call = call or LivekitCall()
    call.llm.delay = llm_delay
    said = Script.parse(script, seed=seed)
    async with serve(said, faults=faults, continues=True) as flux:
        call.stt = livekit.STT(
            FluxOptions(eager_eot_threshold=eager), session=call.watched(session), **{"url": flux.url, **connection}
        )
        given = {**livekit.turn_handling(), **(settings or {})}
        call.agent_session = AgentSession(stt=call.stt, llm=call.llm, tts=bot.SilentTTS(), **given)
        call.agent_session.on("conversation_item_added", call.item)
        call.agent_session.on("user_input_transcribed", lambda event: call.interims.append(event.transcript))
        closed = asyncio.Event()

        def close(event: Any) -> None:
            call.reason = event.reason
            closed.set()

        call.agent_session.on("close", close)
        microphone = bot.Microphone(said.end + after)
        call.agent_session.input.audio, call.agent_session.output.audio = microphone, call.loudspeaker
        with _errors_logged(call.errors):
            await call.agent_session.start(agent or Listener())
            other = asyncio.ensure_future(meanwhile(call)) if meanwhile is not None else None
            await asyncio.wait(
                [asyncio.ensure_future(microphone.ended.wait()), asyncio.ensure_future(closed.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            if other is not None:
                await other
            await call.agent_session.aclose()
    return call


__all__ = ["Listener", "LivekitCall", "bot", "hold"]
