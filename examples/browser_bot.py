"""A bot in a web page: microphone and loudspeaker of the browser, barge-in, and captions of what was really heard.

Run it, and open the page it names:   python examples/browser_bot.py
Without a key the caller is a simulated one: you hear the bot, and see how it takes being interrupted. With
DEEPGRAM_API_KEY set it is you. The bot's voice is a hum, a note or two for each word: put your TTS in its place.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import cache
from math import exp, pi, sin
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_pages
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from turnkit import Commit, FluxOptions, IgnoreBackchannels, ReplyEnded, Session, Sound, TurnDropped, TurnUpdated
from turnkit.interop import browser
from turnkit.session import Reply
from turnkit.simulator import Script, serve
from turnkit.speaking import Playback

CALLER = """
    1.5   Hello there! Are you open (0.8) on Sundays?    # in the pause, a draft that comes to nothing
    +3.0  Mm-hm.                                         # over the bot, which goes on
    +2.6  Sorry, and what about holidays?                # over the bot, which stops
    +6.5  Wonderful, thank you. Goodbye!
"""
ANSWERS = {
    "goodbye": "You are welcome. Goodbye!",
    "holidays": "On public holidays the shop is closed, all but the bakery, which opens from eight to noon.",
    "sundays": "Yes, we are. On Sundays we open at ten, an hour later than in the week, and close at four in the "
    "afternoon. The café on the first floor stays open until six, and there is music in the courtyard.",
}
VOICE_RATE = 24000


# The bot ----------------------------------------------------------------------------------------------------------


def make_session(call: browser.Call) -> Session:
    async def respond(reply: Reply) -> None:
        asked = reply.transcript.lower()
        known = [answer for word, answer in ANSWERS.items() if word in asked]
        await reply.say(known[0] if known else f"You said: {reply.transcript}")
        if "goodbye" in asked:
            reply.end_speech()
            await reply.heard_so_far()
            call.hang_up()

    voice = call.speaker(hum)

    async def speak(reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
        await voice(reply, chunks, Captions(playback, reply, call))

    session = Session(respond=respond, speak=speak, barge_in=IgnoreBackchannels())
    session.on(TurnUpdated, lambda turn: call.send({"turn": turn.turn, "you": turn.transcript}))
    session.on(TurnDropped, lambda turn: call.send({"turn": turn.turn, "you": turn.transcript, "note": turn.reason}))
    session.on(Commit, lambda turn: call.send({"turn": turn.turn, "you": turn.transcript, "note": "answered"}))
    session.on(ReplyEnded, lambda end: call.send({"reply": end.reply, "bot": end.heard, "note": end.outcome}))
    call.on_message(lambda data: session.interrupt(str(data)))  # what was typed, which is a turn like any other
    return session


class Captions:
    """Shows the page what has been heard, as it is heard."""

    def __init__(self, playback: Playback, reply: Reply, call: browser.Call) -> None:
        self._playback = playback
        self._reply = reply
        self._call = call

    def advance(self, text: str) -> None:
        self._playback.advance(text)
        self._call.send({"reply": self._reply.id, "bot": text})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._playback, name)


# Its voice --------------------------------------------------------------------------------------------------------


async def hum(text: str) -> AsyncIterator[Sound]:
    """A TTS that knows no language: as many notes as a word has syllables, about."""
    said = 0.0
    for word in text.split():
        audio = hummed(word)
        seconds = len(audio) / 2 / VOICE_RATE
        yield Sound(audio, [(word, said, said + seconds)])
        said += seconds
        await checkpoint()  # others have their turn between two words


@cache
def hummed(word: str) -> bytes:
    samples = array("h")
    for note in range(max(1, round(len(word) / 3))):
        pitch = 150 * 2 ** ([0, 3, 5, 7, 10][(len(word) * 7 + ord(word[0]) + 2 * note) % 5] / 12)
        samples.extend(tone(pitch, 0.15, vowel=(ord(word[-1]) + note) % 3))
    samples.extend([0] * round(VOICE_RATE * (0.28 if word[-1] in ".!?:," else 0.05)))
    return samples.tobytes()


@cache
def tone(pitch: float, seconds: float, *, vowel: int) -> array[int]:
    """A note with the overtones of a vowel, and a soft beginning and end."""
    formant = (500.0, 750.0, 350.0)[vowel]
    overtones = [(k, exp(-(((k * pitch - formant) / 420) ** 2)) / k**0.5) for k in range(1, 9)]
    wave = [sum(gain * sin(2 * pi * pitch * k * i / VOICE_RATE) for k, gain in overtones) for i in range(VOICE_RATE)]
    loudest = max(map(abs, wave))
    count = round(seconds * VOICE_RATE)
    return array("h", (round(9000 / loudest * wave[i] * sin(pi * i / count) ** 0.6) for i in range(count)))


# The page ---------------------------------------------------------------------------------------------------------


PAGES = {
    "/": ("text/html", Path(__file__).with_suffix(".html").read_text(encoding="utf-8")),
    "/turnkit.js": ("text/javascript", browser.script()),
}


def page(connection: ServerConnection, request: Request) -> Response | None:
    """The page and the script; the call is a websocket."""
    if request.path == "/call":
        return None
    if request.path not in PAGES:
        return connection.respond(404, "There is nothing here.\n")
    kind, text = PAGES[request.path]
    headers = Headers({"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(text.encode()))})
    return Response(200, "OK", headers, text.encode())


async def main(port: int = 8000) -> None:
    flux: dict[str, Any] = {"api_key": os.environ.get("DEEPGRAM_API_KEY")}
    async with AsyncExitStack() as stack:
        simulated = not flux["api_key"]
        if simulated:
            simulator = await stack.enter_async_context(serve(Script.parse(CALLER, seed=1)))
            flux = {"url": simulator.url}

        def begin(call: browser.Call) -> Session:
            if simulated:
                call.send({"hint": "The caller is a simulated one: sit back and listen, or type."})
            return make_session(call)

        async def talk(websocket: ServerConnection) -> None:
            options = FluxOptions(eager_eot_threshold=0.4)
            await browser.hold_call(websocket, begin, sample_rate=VOICE_RATE, options=options, **flux)

        server = await stack.enter_async_context(serve_pages(talk, "127.0.0.1", port, process_request=page))
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"Open http://127.0.0.1:{port} in a browser. Ctrl-C ends it.", flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    try:
        anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
    except KeyboardInterrupt:
        print()
