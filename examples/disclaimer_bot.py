"""A bot that greets with a disclaimer which nobody can cut short, asks once into a silence, then hangs up.

What the caller says over the disclaimer is not lost: it is answered right after it.

Run on a simulated caller, without a key:   python examples/disclaimer_bot.py
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from turnkit import Commit, FluxOptions, FluxStream, ReplyEnded, Session, TurnStarted, UserIdle, connect
from turnkit.session import Reply
from turnkit.simulator import Script, serve
from turnkit.speaking import ClockSink, speaker
from turnkit.wire import Connected

CALLER = """
    1.5   Hello, is the shop open?     # over the disclaimer
    +9.0  Thank you!
"""
DISCLAIMER = "Welcome. This call is recorded for training purposes."
OPENING_HOURS = "We are open from nine to six."
REPROMPT = "Are you still there?"
GOODBYE = "I will hang up now. Goodbye!"
IDLE_SECONDS = 4.0
LONGEST_CALL = 120.0  # seconds


class DisclaimerBot:
    """Greets, answers, and knows when to give up."""

    def __init__(self) -> None:
        self.session = Session(respond=self.respond, speak=speaker(synthesise, ClockSink()), idle_timeout=IDLE_SECONDS)
        self.session.on(TurnStarted, self.hear)
        self.session.on(UserIdle, self.break_silence)
        self.hung_up = anyio.Event()
        self._has_asked = False

    async def respond(self, reply: Reply) -> None:
        await anyio.sleep(0.3)  # your LLM
        await reply.say(OPENING_HOURS if "open" in reply.transcript else "You are welcome.")

    def greet(self) -> None:
        self.session.initiate(DISCLAIMER, protected=True)

    def hear(self, turn: TurnStarted) -> None:
        self._has_asked = False

    def break_silence(self, idle: UserIdle) -> None:
        # Both say nothing, and give None, if the caller has begun to speak after all.
        if not self._has_asked:
            self._has_asked = self.session.initiate(REPROMPT) is not None
        elif self.session.initiate(GOODBYE) is not None:
            self.hung_up.set()


async def synthesise(text: str) -> AsyncIterator[bytes]:
    """A silent TTS, 0.3 s a word."""
    for _ in text.split():
        yield bytes(9600)


async def greeted(stream: FluxStream, bot: DisclaimerBot) -> AsyncIterator[object]:
    """What Flux says; the bot greets at the first of it, when the line is there."""
    async for message in stream:
        if isinstance(message, Connected):
            bot.greet()
        yield message


async def call(stream: FluxStream, bot: DisclaimerBot) -> None:
    """Send audio until the bot hangs up; the session still lets it finish its last words."""
    with anyio.move_on_after(LONGEST_CALL):
        while not bot.hung_up.is_set():
            await anyio.sleep(0.08)
            await stream.send_audio(bytes(2560))
    await stream.close()


async def main() -> None:
    bot = DisclaimerBot()
    bot.session.on(Commit, lambda turn: print(f"caller: {turn.transcript}") if turn.turn is not None else None)
    bot.session.on(ReplyEnded, lambda end: print(f"bot {end.outcome}: {end.heard}"))
    async with (
        serve(Script.parse(CALLER, seed=1)) as flux,
        connect(FluxOptions(eager_eot_threshold=0.4), url=flux.url) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(call, stream, bot)
        await bot.session.run(greeted(stream, bot))
    print("[hung up]")


if __name__ == "__main__":
    anyio.run(main)
