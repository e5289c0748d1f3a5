"""The smallest bot: `respond` says what to answer, `speak` lets it be heard, and turnkit says when.

Run on a simulated caller, without a key:   python examples/smallest_bot.py
"""

from collections.abc import AsyncIterator

import anyio

from turnkit import Commit, FluxOptions, FluxStream, ReplyEnded, Session, connect
from turnkit.session import Reply
from turnkit.simulator import Script, serve
from turnkit.speaking import ClockSink, speaker

CALLER = """
    1.0   Good morning. I'd like to know (0.9) when you open.   # in the pause, a draft that comes to nothing
    +2.0  And on Sundays?                                       # over the bot
"""


async def respond(reply: Reply) -> None:
    await anyio.sleep(0.3)  # your LLM
    await reply.say(f"You said: {reply.transcript}")


async def synthesise(text: str) -> AsyncIterator[bytes]:
    for _ in text.split():
        yield bytes(9600)  # your TTS; this one is silent, 0.3 s a word


async def call(stream: FluxStream, seconds: float) -> None:
    for _ in range(round(seconds / 0.08)):
        await anyio.sleep(0.08)
        await stream.send_audio(bytes(2560))  # your microphone; the simulator knows what is said
    await stream.close()


async def main() -> None:
    session = Session(respond=respond, speak=speaker(synthesise, ClockSink()))
    session.on(Commit, lambda turn: print(f"caller: {turn.transcript}"))
    session.on(ReplyEnded, lambda end: print(f"bot {end.outcome}: {end.heard}"))
    script = Script.parse(CALLER, seed=1)
    async with (
        serve(script) as flux,
        connect(FluxOptions(eager_eot_threshold=0.4), url=flux.url) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(call, stream, script.end + 4)
        await session.run(stream)


if __name__ == "__main__":
    anyio.run(main)
