"""From a word's frame to silence in the page: `python -m benchmarks.interop_browser [--count 100]`.

A real headless Chromium with a fake microphone holds a call with a bot that talks on and on; the simulator's caller
interrupts it again and again. The time runs from the moment at which the simulator sends the StartOfTurn of the word to
the moment at which the page has learned that a whole block without a sound was rendered. Both clocks are the machine's;
how they differ is measured first. The loudspeaker's own latency, which a fake one does not have, comes on top.
"""

from __future__ import annotations

import argparse
import math
import statistics
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, NamedTuple

from websockets.asyncio.server import ServerConnection

from tests.support.browser import Page, browser
from tests.support.served_page import eventually, microphone_flags, served
from turnkit import BargeIn, Session
from turnkit.interop import browser as interop_browser
from turnkit.session import Reply
from turnkit.simulator import Script, serve

RATE = 24000
_GAP = 2.4  # seconds from the end of a word to the next
_WATCHER = """<script>
  window.silences = [];
  const watcher = URL.createObjectURL(new Blob([`registerProcessor("watcher", class extends AudioWorkletProcessor {
    process([input]) {
      const sounds = input.length > 0 && input[0].some((sample) => sample !== 0);
      if (this.sounded && !sounds) this.port.postMessage(currentTime);
      this.sounded = sounds;
      return true;
    }
  });`], { type: "text/javascript" }));
  const addModule = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (url) {
    await addModule.call(this, watcher);
    await addModule.call(this, url);
  };
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...where) {
    if (to instanceof AudioDestinationNode) {
      window.context = this.context;
      const node = new AudioWorkletNode(this.context, "watcher", { numberOfOutputs: 0 });
      node.port.onmessage = () => window.silences.push(performance.now());
      connect.call(this, node);
    }
    return connect.call(this, to, ...where);
  };
</script>"""


class Measured(NamedTuple):
    """What was measured, in ms.

    Attributes:
        decided: from the frame to the BargeIn, for each interruption.
        silent: from the frame to silence in the page, for each interruption.
        uncertainty: of how the two clocks differ.
        output_latency: what the browser says of its loudspeaker.
    """

    decided: list[float]
    silent: list[float]
    uncertainty: float
    output_latency: float


async def _tone(text: str) -> AsyncIterator[bytes]:
    """A voice that holds one note for a minute."""
    note = array("h", (round(8000 * math.sin(2 * math.pi * 440 * i / RATE)) for i in range(RATE // 10)))
    for _ in range(600):
        yield note.tobytes()


class _Bot:
    """Holds the call, and keeps when a word's frame was sent and when the reply was stopped for it."""

    def __init__(self, count: int) -> None:
        self.words: list[float] = []
        self.stops: list[float] = []
        self._script = Script.parse("1.0 Hello.\n" + f"+{_GAP} Stop.\n" * 2 * count)

    async def talk(self, websocket: ServerConnection) -> None:
        def make_session(call: interop_browser.Call) -> Session:
            async def respond(reply: Reply) -> None:
                await reply.say("Aaah.")

            session = Session(respond=respond, speak=call.speaker(_tone))
            session.on(BargeIn, lambda signal: self.stops.append(monotonic()))
            return session

        async with serve(self._script) as flux:
            await interop_browser.hold_call(websocket, make_session, sample_rate=RATE, url=flux.url)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take the time at which each StartOfTurn is given to the simulator's socket."""
        send, words = ServerConnection.send, self.words

        async def timed(self: ServerConnection, message: Any, *more: Any) -> None:
            if isinstance(message, str) and '"StartOfTurn"' in message:
                words.append(monotonic())
            await send(self, message, *more)

        ServerConnection.send = timed  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            ServerConnection.send = send  # type: ignore[method-assign]


def _offset(page: Page) -> tuple[float, float]:
    """Seconds from the page's clock to this one's, and how far that may be off."""
    rounds = []
    for _ in range(50):
        before = monotonic()
        there = page.ask("performance.now()") / 1000
        after = monotonic()
        rounds.append((after - before, (before + after) / 2 - there))
    trip, offset = min(rounds)
    return offset, trip / 2


def _first_after(times: list[float], moment: float) -> float:
    return next(time for time in times if time >= moment)


def _hold(page: Page, bot: _Bot, count: int) -> Measured:
    eventually(lambda: page.ask("Boolean(window.begin)"))
    offset, uncertainty = _offset(page)
    assert page.ask("begin()", clicked=True)
    ends = monotonic() + 60 + 3 * count * _GAP
    while len(bot.stops) < count:
        assert monotonic() < ends, f"{len(bot.stops)} interruptions of {count}"
        sleep(0.2)
    eventually(lambda: page.ask("silences.length") >= count)
    silences = [offset + at / 1000 for at in page.ask("silences")]
    latency = page.ask("context.outputLatency")
    page.ask("call.hangUp()")
    # The word that stopped a reply is the last one sent before it was stopped.
    words = [max(word for word in bot.words if word <= stop) for stop in bot.stops[:count]]
    decided = [1000 * (stop - word) for word, stop in zip(words, bot.stops, strict=False)]
    silent = [1000 * (_first_after(silences, word) - word) for word in words]
    return Measured(decided, silent, 1000 * uncertainty, 1000 * latency)


def measure(count: int) -> Measured:
    """Interrupt the bot so many times."""
    bot = _Bot(count)
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as name,
        bot.watched(),
        served(bot.talk, _WATCHER) as (url, _),
    ):
        folder = Path(name)
        with browser(folder / "profile", *microphone_flags(folder)) as page:
            page.open(url)
            return _hold(page, bot, count)


def main() -> None:
    parser = argparse.ArgumentParser(description="From a word's frame to silence in the page.")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="interruptions, of about 3 s each")
    measured = measure(parser.parse_args().count)
    for name, times in (("BargeIn decided", measured.decided), ("silence in the page", measured.silent)):
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        print(f"{name:20} p50 {cuts[49]:7.2f} ms   p99 {cuts[98]:7.2f} ms   max {max(times):7.2f} ms   of {len(times)}")
    print(f"clocks: ±{measured.uncertainty:.2f} ms; the browser's loudspeaker: {measured.output_latency:.1f} ms more")


if __name__ == "__main__":
    main()
