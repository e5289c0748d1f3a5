"""A bot on the phone, behind Twilio: a websocket server, a greeting, barge-in, keys, and last words before it hangs up.

Run with a simulated phone and a simulated Flux, without a key:   python examples/phone_bot.py

With a real number it is `main` that changes: serve `phone` where Twilio can reach it, with `api_key` instead of `url`,
and answer the call with `twilio.twiml("wss://...")`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import anyio
from websockets.asyncio.client import connect as dial
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from turnkit import Commit, MinWords, ReplyEnded, Session, Sound
from turnkit.interop import twilio
from turnkit.session import Reply
from turnkit.simulator import Script, serve
from turnkit.testing import FakePhone

CALLER = """
    4.0   Hello, are you open on Sundays?
    +1.5  Sorry, on Mondays, I mean.          # over the bot
    +6.0  Thank you, good bye.
"""
ANSWERS = {
    "sundays": "On Sundays we are closed, and on all the other days of the week we are open.",
    "mondays": "On Mondays we are open from nine to six.",
    "pressed 1": "You have pressed one. Our address is Main Street 1.",
    "bye": "Good bye!",
}


async def synthesise(text: str) -> AsyncIterator[Sound]:
    """Your TTS, asked for mu-law at 8 kHz; this one is silent, 0.3 s a word."""
    for count, word in enumerate(text.split()):
        yield Sound(b"\xff" * 2400, [(word, count * 0.3, count * 0.3 + 0.3)])


def make_session(call: twilio.Call) -> Session:
    async def respond(reply: Reply) -> None:
        await anyio.sleep(0.3)  # your LLM
        await reply.say(
            next((answer for word, answer in ANSWERS.items() if word in reply.transcript.lower()), "Pardon?")
        )
        if "bye" in reply.transcript:
            reply.end_speech()
            await reply.heard_so_far()
            call.hang_up()

    session = Session(respond=respond, speak=call.speaker(synthesise), barge_in=MinWords(2))
    session.on(Commit, lambda turn: print(f"caller: {turn.transcript}") if turn.turn is not None else None)
    session.on(ReplyEnded, lambda end: print(f"bot {end.outcome}: {end.heard}"))
    return session


async def phone(websocket: ServerConnection, flux_url: str) -> None:
    end = await twilio.hold_call(websocket, make_session, url=flux_url, greeting="Hello. How can I help you?")
    print(f"[call {end}]")


async def main() -> None:
    script = Script.parse(CALLER, seed=1)
    caller = FakePhone()
    async with (
        serve(script) as flux,
        serve_websockets(partial(phone, flux_url=flux.url), "127.0.0.1", 0) as server,
        dial(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", proxy=None) as line,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(press_later, caller, script.end - 4)
        await caller.call(line)
    print(f"[the phone was silenced {len(caller.events('clear'))} times]")


async def press_later(caller: FakePhone, seconds: float) -> None:
    await anyio.sleep(seconds)
    caller.press("1")


if __name__ == "__main__":
    anyio.run(main)
