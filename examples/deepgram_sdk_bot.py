"""A bot over the connections of Deepgram's own SDK: asynchronous, and once more with threads, as in its quick start.

Runs without a key, on a simulated caller:   pip install 'turnkit[deepgram]'; python examples/deepgram_sdk_bot.py
With a key of yours, the client would be just `AsyncDeepgramClient()`; see docs/deepgram-sdk.md.
"""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from inspect import signature

import anyio
from anyio.from_thread import start_blocking_portal
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from turnkit import Commit, FluxOptions, FluxStream, ReplyEnded, Session
from turnkit.interop.deepgram import flux, listen
from turnkit.session import Reply
from turnkit.simulator import Script, Simulator, serve
from turnkit.speaking import ClockSink, speaker

CALLER = Script.parse("1.0  Good morning. I'd like to know (0.9) when you open.", seed=1)
SECONDS = 8.0


async def respond(reply: Reply) -> None:
    await reply.say(f"You said: {reply.transcript}")  # your LLM


async def synthesise(text: str) -> AsyncIterator[bytes]:
    for _ in text.split():
        yield bytes(3200)  # your TTS; this one is silent, 0.1 s a word


def bot() -> Session:
    session = Session(respond=respond, speak=speaker(synthesise, ClockSink()))
    session.on(Commit, lambda turn: print(f"caller: {turn.transcript}"))
    session.on(ReplyEnded, lambda end: print(f"bot {end.outcome}: {end.heard}"))
    return session


def simulated(url: str) -> DeepgramClientEnvironment:
    names = signature(DeepgramClientEnvironment).parameters  # version 7 has more of them than 6
    return DeepgramClientEnvironment(**dict.fromkeys(names, url))


async def simulator() -> AbstractAsyncContextManager[Simulator]:
    return serve(CALLER)


async def microphone(stream: FluxStream) -> None:
    for _ in range(round(SECONDS / 0.08)):
        await anyio.sleep(0.08)
        await stream.send_audio(bytes(2560))
    await stream.close()


async def asynchronous() -> None:
    async with serve(CALLER) as running:
        client = AsyncDeepgramClient(api_key="none", environment=simulated(running.url))
        async with flux(client, FluxOptions(eager_eot_threshold=0.4)) as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(microphone, stream)
            await bot().run(stream)


def with_threads(url: str) -> None:
    client = DeepgramClient(api_key="none", environment=simulated(url))
    with client.listen.v2.connect(
        model="flux-general-en", encoding="linear16", sample_rate=16000, eager_eot_threshold=0.4
    ) as connection:

        def send() -> None:
            for _ in range(round(SECONDS / 0.08)):
                time.sleep(0.08)
                connection.send_media(bytes(2560))
            connection.send_close_stream()

        threading.Thread(target=send, daemon=True).start()
        listen(bot(), connection)


def main() -> None:
    print("asynchronous")
    anyio.run(asynchronous)
    print("with threads")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(portal.call(simulator)) as running:
        with_threads(running.url)


if __name__ == "__main__":
    main()
